//! `repltool report` over recordings of real servers, as a person reads it: the whole page is the snapshot.

// The helper is no test itself, so that the tests' exemption does not reach it.
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// What is printed, with nothing on stderr and exit code 0.
fn report(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/captures"))
        .arg("report")
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_diskless_full_sync() {
    insta::assert_snapshot!(report(&["r70-s02_full_diskless.pcap"]));
}

#[test]
fn a_backlog_overrun() {
    insta::assert_snapshot!(report(&["r70-s04_partial_backlog.pcap"]));
}

#[test]
fn a_sync_over_two_channels() {
    insta::assert_snapshot!(report(&["v91-s08_dualchannel.pcap"]));
}

#[test]
fn refused_logins_are_folded() {
    insta::assert_snapshot!(report(&["r62-s06b_auth_bad.pcap"]));
}

#[test]
fn colour_is_for_those_who_ask() {
    let plain = report(&["r70-s02_full_diskless.pcap"]);
    assert!(!plain.contains('\x1b'));
    assert!(report(&["--color", "always", "r70-s02_full_diskless.pcap"]).contains("\x1b[1m"));
}
