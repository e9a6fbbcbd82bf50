//! The tools around `repltool rdb`: filters, explain, salvage.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const NAME: &str = "r70-s02_full_diskless.pcap";

fn run(arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
    Command::new(env!("CARGO_BIN_EXE_repltool")).current_dir(folder).args(arguments).output().unwrap()
}

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `rdb keys` and `rdb dump` give with these options; they must be the same keys.
#[track_caller]
fn filtered(options: &[&str]) -> Vec<Value> {
    let keys = lines(&printed(&[&["rdb", "keys", "--json", NAME], options].concat()));
    let mut dump = lines(&printed(&[&["rdb", "dump", "--json", NAME], options].concat()));
    let end = dump.pop().unwrap();
    assert_eq!((&end["record"], &end["keys"]), (&"end".into(), &keys.len().into()));
    assert_eq!(end["checksum"], "ok");
    assert_eq!(keys.len(), dump.len(), "no other records");
    for (key, record) in keys.iter().zip(&dump) {
        assert_eq!((&key["db"], &key["key"], &record["record"]), (&record["db"], &record["key"], &"key".into()));
    }
    keys
}

#[test]
fn keys_and_dump_take_the_same_filters() {
    let all = lines(&printed(&["rdb", "keys", "--json", NAME]));
    #[track_caller]
    fn check(all: &[Value], options: &[&str], wanted: impl Fn(&Value) -> bool) {
        let expected: Vec<&Value> = all.iter().filter(|key| wanted(key)).collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{options:?} is a filter");
        assert_eq!(filtered(options).iter().collect::<Vec<_>>(), expected, "{options:?}");
    }
    let name = |key: &Value| key["key"].as_str().unwrap_or_default().to_owned();
    check(&all, &["--match", "s500:list:*"], |key| name(key).starts_with("s500:list:"));
    check(&all, &["--match", "s?00:[sh]*[^a-p]"], |key| {
        let name = name(key);
        let inside = name.starts_with("s500:s") || name.starts_with("s500:h");
        inside && name.len() > 6 && !name.ends_with(|last: char| ('a'..='p').contains(&last))
    });
    check(&all, &["--type", "zset,list"], |key| key["type"] == "zset" || key["type"] == "list");
    check(&all, &["--type", "zset", "--type", "hash"], |key| key["type"] == "zset" || key["type"] == "hash");
    check(&all, &["--db", "1", "--db", "15"], |key| key["db"] == 1 || key["db"] == 15);
    check(&all, &["--expires", "yes"], |key| !key["expires_at_ms"].is_null());
    check(&all, &["--expires", "no"], |key| key["expires_at_ms"].is_null());
    check(&all, &["--min-bytes", "1kb"], |key| key["bytes"].as_u64().unwrap() >= 1024);
    check(&all, &["--min-bytes", "321"], |key| key["bytes"].as_u64().unwrap() >= 321);
    check(&all, &["--min-bytes", "322"], |key| key["bytes"].as_u64().unwrap() >= 322);
    check(&all, &["--type", "list", "--db", "0", "--min-bytes", "600"], |key| {
        key["type"] == "list" && key["db"] == 0 && key["bytes"].as_u64().unwrap() >= 600
    });
    assert_eq!(filtered(&["--match", "no such key"]).len(), 0);
}

#[test]
fn a_filter_changes_no_line() {
    let all = printed(&["rdb", "dump", "--json", NAME]);
    let large = printed(&["rdb", "dump", "--json", NAME, "--min-bytes", "500"]);
    assert!(large.lines().count() > 3);
    for line in large.lines().filter(|line| line.contains("\"record\":\"key\"")) {
        assert!(all.lines().any(|other| other == line));
    }
    // No filter, all records.
    assert_eq!(printed(&["rdb", "dump", "--json", NAME, "--min-bytes", "0"]), all);
}

/// An RDB of version 4 (which has no checksum) with these keys, each a name and a value.
fn strings(keys: &[(&[u8], &[u8])]) -> Vec<u8> {
    let long = |bytes: &[u8]| [&[0x80][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let records = keys.iter().flat_map(|(name, value)| [vec![0], long(name), long(value)].concat());
    [&b"REDIS0004"[..], &records.collect::<Vec<u8>>(), b"\xff"].concat()
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn large_keys_are_held_back_until_they_are_known_to_be_large() {
    let folder = tempfile::tempdir().unwrap();
    let noise: Vec<u8> = (0..3_000_000u32).map(|place| (place * 7 % 251) as u8).collect();
    let rdb = strings(&[(b"a", &noise[..2_000_000]), (b"b", b"small"), (b"c", &noise), (b"d", &noise[..100])]);
    let path = file(folder.path(), "large.rdb", &rdb);
    let path = path.to_str().unwrap();
    let all = printed(&["rdb", "dump", path]);
    let line = |at: usize| format!("{}\n", all.lines().nth(at).unwrap());
    let end = |keys: usize| format!("{{\"record\":\"end\",\"checksum\":\"absent\",\"keys\":{keys}}}\n");
    let large = |size: &str| printed(&["rdb", "dump", path, "--min-bytes", size]);
    assert!(large("2500kb") == line(2) + &end(1));
    assert!(large("1mb") == line(0) + &line(2) + &end(2));
    assert!(large("110") == line(0) + &line(2) + &line(3) + &end(3));
    assert!(large("1gb") == end(0));
    // Cut in the middle of what may become large enough, and of what has.
    let cut = file(folder.path(), "cut.rdb", &rdb[..4_500_000]);
    let output = run(&["rdb", "dump", cut.to_str().unwrap(), "--min-bytes", "2900kb"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let output = run(&["rdb", "dump", cut.to_str().unwrap(), "--min-bytes", "2000kb"]);
    assert_eq!(output.status.code(), Some(2));
    let told = lines(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["key"], "c");
}

#[test]
fn a_name_in_pieces_is_matched() {
    let folder = tempfile::tempdir().unwrap();
    let name = ["x".repeat(1_500_000), "tail".to_owned()].concat();
    let path = file(folder.path(), "long.rdb", &strings(&[(name.as_bytes(), b"v"), (b"short", b"v")]));
    let count =
        |pattern: &str| printed(&["rdb", "keys", "--json", path.to_str().unwrap(), "--match", pattern]).lines().count();
    assert_eq!((count("x*tail"), count("x*head"), count("s*"), count("*")), (1, 0, 1, 2));
}
