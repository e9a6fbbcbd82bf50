//! `repltool extract` over recordings of real servers: what it writes is what travelled.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use repltool::rdb::{Checksum, Walk};
use repltool::resp::{CommandDecoder, Step};

fn extract(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repltool"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/captures"))
        .arg("extract")
        .args(arguments)
        .output()
        .unwrap()
}

/// The number of keys of a sound RDB that fills the file.
fn keys(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let mut walk = Walk::new();
    let progress = walk.push(&bytes).unwrap();
    assert!(progress.ended);
    assert_eq!(progress.consumed, bytes.len());
    assert_eq!(walk.summary().checksum, Some(Checksum::Ok));
    walk.summary().keys
}

/// The number of commands of a stream that ends with a whole one.
fn commands(bytes: &[u8]) -> usize {
    let mut decoder = CommandDecoder::new(64);
    let mut input = bytes;
    let mut count = 0;
    loop {
        match decoder.next(&mut input) {
            Step::Command(_) => count += 1,
            Step::NeedMore => {
                assert!(decoder.is_at_start());
                return count;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_rdb_and_the_stream_of_a_diskless_sync() {
    let folder = tempfile::tempdir().unwrap();
    let (rdb, stream) = (folder.path().join("dump.rdb"), folder.path().join("stream.resp"));
    let arguments =
        ["r70-s02_full_diskless.pcap", "--rdb", rdb.to_str().unwrap(), "--stream", stream.to_str().unwrap()];
    let output = extract(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(keys(&rdb), 57);
    assert_eq!(commands(&fs::read(&stream).unwrap()), 70);
}

#[test]
fn the_main_connection_of_a_two_channel_sync_stands_for_both() {
    let folder = tempfile::tempdir().unwrap();
    let mut dumps = Vec::new();
    for link in ["1", "2"] {
        let path = folder.path().join(link);
        let output = extract(&["v91-s08_dualchannel.pcap", "--link", link, "--rdb", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(keys(&path), 59);
        dumps.push(fs::read(&path).unwrap());
    }
    assert_eq!(dumps[0], dumps[1]);
}

#[test]
fn a_stream_goes_to_standard_output() {
    let output = extract(&["r70-s10_midstream.pcap", "--stream", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(commands(&output.stdout), 80);
}

#[test]
fn what_cannot_be_told_or_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let to = path.to_str().unwrap();
    for (arguments, expected) in [
        (&["r70-s04_partial_backlog.pcap", "--rdb", to][..], "several RDBs in it, say which with --link: 1 ("),
        (&["r70-s04_partial_backlog.pcap", "--link", "7", "--rdb", to], "there is no link 7; the links: 1 ("),
        (&["r70-s14d_abort-disk.pcap", "--rdb", to], "no RDB in it that travelled whole"),
        (&["s11-r70-s01_full_disk-mtu1500.loss3.pcap", "--stream", to], "the capture lacks"),
        (&["s11-r70-s01_full_disk-mtu1500.loss3.pcap", "--link", "1", "--rdb", to], "not all of it"),
        (&["r70-s10_midstream.pcap", "--stream", "r70-s10_midstream.pcap"], "is being read"),
        (&["-", "--stream", to], "cannot take standard input"),
    ] {
        let output = extract(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(!path.exists(), "{arguments:?} wrote a file");
    }
}
