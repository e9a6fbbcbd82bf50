//! The walkthroughs of testdata/walkthroughs: what `sniff -r` prints of each kind of sync, as a person reads it.
//!
//! A change to one is to be read, not waved through: `INSTA_UPDATE=always cargo test --test walkthroughs`, then `git diff`.

use std::path::Path;
use std::process::Command;

/// What `repltool sniff -r` prints of a capture of testdata.
fn walkthrough(capture: &str, more: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
    let output = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .current_dir(folder)
        .args(["sniff", "-r", capture, "--color", "never"])
        .args(more)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    format!("{}{}", String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

macro_rules! walkthroughs {
    ($($name:ident: $capture:literal $(, $more:literal)*;)*) => {
        $(
            #[test]
            fn $name() {
                let mut settings = insta::Settings::clone_current();
                settings.set_snapshot_path("../testdata/walkthroughs");
                settings.set_prepend_module_to_snapshot(false);
                settings.bind(|| insta::assert_snapshot!(stringify!($name), walkthrough($capture, &[$($more),*])));
            }
        )*
    };
}

walkthroughs! {
    full_sync_from_disk: "r70-s01_full_disk.pcap";
    full_sync_diskless: "r70-s02_full_diskless.pcap";
    full_sync_diskless_verbose: "r70-s02_full_diskless.pcap", "-v";
    inline_handshake_of_redis_2_8: "r28-s01_full_disk.pcap";
    login_with_a_password: "r70-s06_auth.pcap";
    refused_login_and_storm: "r70-s06b_auth_bad.pcap";
    partial_syncs: "r70-s03_partial.pcap";
    backlog_overrun: "r70-s04_partial_backlog.pcap";
    failover_in_a_chain: "r40-s05_chain_psync2.pcap";
    two_channels_of_redis: "r82-s02_full_diskless.pcap";
    two_channels_of_valkey: "v91-s08_dualchannel.pcap";
    midstream: "r70-s10_midstream.pcap";
    what_redis_cli_does: "r62-s09b_cli_rdb.pcap";
    protected_mode: "r70-s07f_protected.pcap";
    transfers_cut_short: "r70-s14d_abort-disk.pcap";
    tls: "r70-s12_tls.pcap";
    clients_beside_a_link: "r70-s13c_mixed.pcap", "--clients";
    losses_of_the_capture: "s11-r70-s01_full_disk-mtu1500.loss3.pcap";
}
