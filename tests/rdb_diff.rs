//! `repltool rdb diff`: dumps that hold the same, whatever they look like, and dumps that do not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/captures/r70-s02_full_diskless.pcap");

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repltool"));
    command.args(["rdb", "diff"]).args(arguments);
    command
}

fn diff(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Writes RDBs into a folder of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// An RDB without a checksum.
    fn rdb(&self, name: &str, magic: &[u8; 9], records: &[&[u8]]) -> String {
        self.path(name, &[&magic[..], &records.concat(), b"\xff\0\0\0\0\0\0\0\0"].concat())
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8], bytes].concat()
}

fn key(kind: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[kind][..], &string(name), value].concat()
}

#[test]
fn layout_does_not_count() {
    let files = Files::new();
    // A string, a set, a hash and a sorted set, as an old server and as a new one write them, in another order.
    let a = files.rdb(
        "a",
        b"REDIS0006",
        &[
            b"\xfe\x00",
            &key(0, b"number", b"\x0512345"),
            b"\xfd\x80\x00\x00\x00",
            &key(2, b"set", b"\x02\x012\x011"),
            &key(4, b"hash", b"\x02\x01a\x011\x01b\x012"),
            b"\xfe\x03",
            &key(3, b"zset", b"\x02\x01a\x011\x01b\xfe"),
        ],
    );
    let listpack = |entries: &[u8], count: u8| {
        let size = (7 + entries.len()) as u8;
        string(&[&[size, 0, 0, 0, count, 0], entries, b"\xff"].concat())
    };
    let b = files.rdb(
        "b",
        b"VALKEY080",
        &[
            b"\xfa\x09redis-ver\x059.9.9",
            b"\xfe\x03\xfb\x01\x00",
            &key(17, b"zset", &listpack(b"\x81a\x02\x01\x01\x81b\x02\x83inf\x04", 4)),
            b"\xfe\x00",
            &key(16, b"hash", &listpack(b"\x81b\x02\x02\x01\x81a\x02\x01\x01", 4)),
            b"\xf8\x05",
            &key(0, b"number", b"\xc1\x39\x30"),
            b"\xfc\x00\xf4\x01\x00\x00\x00\x00\x00",
            &key(11, b"set", b"\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0"),
        ],
    );
    assert_eq!(diff(&[&a, &b]), (Some(0), "the same: 4 keys\n".into(), String::new()));
    assert_eq!(diff(&["--json", &b, &a]), (Some(0), String::new(), String::new()));
}

#[test]
fn every_difference_has_a_line() {
    let files = Files::new();
    let library = |code: &[u8]| [b"\xf5", &string(code)[..]].concat();
    let a = files.rdb(
        "a",
        b"REDIS0011",
        &[
            &library(b"#!lua name=both\n1"),
            &library(b"#!lua name=old\n1"),
            b"\xfe\x00",
            &key(0, b"same", b"\x01v"),
            &key(0, b"b\xff", b"\x01v"),
            &key(1, b"list", b"\x02\x01a\x01b"),
            &key(0, b"type", b"\x01v"),
            b"\xfc\x01\0\0\0\0\0\0\0",
            &key(0, b"expiry", b"\x01v"),
            b"\xfe\x0a",
            &key(0, b"moved", b"\x01v"),
        ],
    );
    let b = files.rdb(
        "b",
        b"REDIS0011",
        &[
            &library(b"#!lua name=new\n1"),
            &library(b"#!lua name=both\n2"),
            b"\xfe\x09",
            &key(0, b"moved", b"\x01v"),
            b"\xfe\x00",
            &key(1, b"list", b"\x02\x01b\x01a"),
            &key(2, b"type", b"\x01\x01v"),
            b"\xfc\x02\0\0\0\0\0\0\0",
            &key(0, b"expiry", b"\x01w"),
            &key(0, b"same", b"\x01v"),
        ],
    );
    let (code, stdout, _) = diff(&["-f", "json", &a, &b]);
    assert_eq!(code, Some(1));
    let side = |kind: &str, elements: u64, expires: Option<u64>| json!({ "type": kind, "elements": elements, "expires_at_ms": expires });
    let line = |change: &str, db: u64, key: Value, kind: &str, what: &[&str], a: Value, b: Value| json!({ "change": change, "db": db, "key": key, "type": kind, "what": what, "a": a, "b": b });
    let function = |name: &str, what: &str| json!({ "change": "changed", "db": null, "key": name, "type": "function", "what": [what] });
    let one = || side("string", 1, None);
    let expected = [
        function("both", "function-code"),
        function("new", "function-added"),
        function("old", "function-removed"),
        line("removed", 0, json!({ "base64": "Yv8=" }), "string", &[], one(), Value::Null),
        line(
            "changed",
            0,
            "expiry".into(),
            "string",
            &["value", "expiry"],
            side("string", 1, Some(1)),
            side("string", 1, Some(2)),
        ),
        line("changed", 0, "list".into(), "list", &["value"], side("list", 2, None), side("list", 2, None)),
        line("changed", 0, "type".into(), "set", &["type"], one(), side("set", 1, None)),
        line("added", 9, "moved".into(), "string", &[], Value::Null, one()),
        line("removed", 10, "moved".into(), "string", &[], one(), Value::Null),
    ];
    assert_eq!(lines(&stdout), expected);
    let (code, stdout, _) = diff(&[&a, &b]);
    assert_eq!(code, Some(1));
    assert_eq!(
        stdout,
        "\
~ function library both  code
+ function library new  only in the second
- function library old  only in the first
- db 0 \"b\\xff\"  string
~ db 0 expiry  value, expiry (string, expires at 1 -> string, expires at 2)
~ db 0 list  value (list of 2)
~ db 0 type  type (string -> set of 1)
+ db 9 moved  string
- db 10 moved  string
1 added, 2 removed, 3 changed, 1 the same; 3 of the function libraries differ
"
    );
}

#[test]
fn either_side_may_be_of_any_kind() {
    let files = Files::new();
    let rdb = files.path("dump.rdb", b"");
    let extract = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .args(["extract", CAPTURE, "--link", "1", "--rdb", &rdb])
        .status()
        .unwrap();
    assert!(extract.success());
    assert_eq!(diff(&[CAPTURE, &rdb, "--link-a", "1"]), (Some(0), "the same: 57 keys\n".into(), String::new()));
    assert_eq!(diff(&[&rdb, CAPTURE, "--link-b", "1"]).0, Some(0));
    let (code, _, stderr) = diff(&[&rdb, CAPTURE, "--link-a", "1"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("is no capture"), "{stderr}");
    let mut child =
        command(&["-", &rdb]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let preamble = [&fs::read(&rdb).unwrap()[..], b"*1\r\n$4\r\nPING\r\n"].concat();
    child.stdin.take().unwrap().write_all(&preamble).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "the same: 57 keys\n");
    let (code, _, stderr) = diff(&["-", "-"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("only one of the two"), "{stderr}");
}

#[test]
fn damage_is_told_and_not_taken_for_a_difference() {
    let files = Files::new();
    let sound = files.rdb("sound", b"REDIS0009", &[b"\xfe\x00", &key(0, b"a", b"\x01v"), &key(0, b"b", b"\x01v")]);
    let bytes = fs::read(&sound).unwrap();
    let cut = files.path("cut", &bytes[..17]);
    for arguments in [[&sound, &cut], [&cut, &sound]] {
        let (code, stdout, stderr) = diff(&arguments.map(String::as_str));
        assert_eq!((code, stdout.as_str()), (Some(2), ""));
        assert!(stderr.contains("cut: corrupt at byte 1") && stderr.contains("ends before"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1);
    }
    let (code, _, stderr) = diff(&[&cut, &cut]);
    assert_eq!((code, stderr.lines().count()), (Some(2), 2));
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() = 1;
    let flipped = files.path("flipped", &flipped);
    let (code, _, stderr) = diff(&[&sound, &flipped]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("flipped") && stderr.contains("the checksum is"), "{stderr}");
    // Servers refuse to load a key twice.
    let twice = files.rdb("twice", b"REDIS0009", &[b"\xfe\x00", &key(0, b"a", b"\x01v"), &key(0, b"a", b"\x01w")]);
    for arguments in [[&sound, &twice], [&twice, &sound]] {
        let (code, _, stderr) = diff(&arguments.map(String::as_str));
        assert_eq!(code, Some(2));
        assert!(stderr.contains("twice: key a of database 0 is there twice, the second time at byte 16"), "{stderr}");
    }
}

/// An RDB's string, long or short.
fn long_string(bytes: &[u8]) -> Vec<u8> {
    [b"\x80", &(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

#[test]
fn more_keys_than_memory_holds_are_sorted_on_disk() {
    let files = Files::new();
    // 40 bytes of print and some of name: 300,000 keys are more than is held at a time.
    let record = |number: u32| {
        let name = format!("key:{:08x}", number.wrapping_mul(0x9e37_79b1));
        key(0, name.as_bytes(), &string(&number.to_le_bytes()))
    };
    let forth: Vec<Vec<u8>> = (0..300_000).map(record).collect();
    let mut back: Vec<Vec<u8>> = forth.iter().rev().cloned().collect();
    back.swap(5, 500);
    let a = files.rdb("a", b"REDIS0009", &[b"\xfe\x00", &forth.concat()]);
    let b = files.rdb("b", b"REDIS0009", &[b"\xfe\x00", &back.concat()]);
    assert_eq!(diff(&[&a, &b]), (Some(0), "the same: 300000 keys\n".into(), String::new()));
    back.pop();
    back.push(key(0, b"key:0", b"\x01v"));
    let c = files.rdb("c", b"REDIS0009", &[b"\xfe\x00", &back.concat()]);
    let (code, stdout, _) = diff(&[&a, &c]);
    assert_eq!(code, Some(1));
    assert!(stdout.ends_with("1 added, 1 removed, 0 changed, 299999 the same\n"), "{stdout}");
    let nowhere = files.0.path().join("no-such-folder");
    let output = command(&[&a, &b]).env("TMPDIR", &nowhere).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("no-such-folder") && stderr.contains("TMPDIR"), "{stderr}");
}

#[test]
fn long_names_are_shown_by_their_head() {
    let files = Files::new();
    let name = vec![b'n'; (1 << 20) + 100];
    let named = |last: u8| {
        let mut name = name.clone();
        *name.last_mut().unwrap() = last;
        files.rdb("long", b"REDIS0009", &[b"\xfe\x00\x00", &long_string(&name), b"\x01v"])
    };
    let a = named(b'a');
    let copy = Path::new(&a).with_file_name("copy");
    fs::rename(&a, &copy).unwrap();
    let b = named(b'b');
    let copy = copy.to_str().unwrap();
    assert_eq!(diff(&[&b, &b]).0, Some(0));
    let (code, stdout, _) = diff(&["--json", copy, &b]);
    assert_eq!(code, Some(1));
    let lines = lines(&stdout);
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(line["key"]["bytes"], (1 << 20) + 100);
        assert_eq!(line["key"]["head"].as_str().unwrap().len(), 1 << 20);
    }
}

/// A collection's members, as elements of the type's oldest form.
fn record(kind: u8, number: usize, members: &[String]) -> Vec<u8> {
    let mut value = vec![members.len() as u8];
    for member in members {
        value.extend(string(member.as_bytes()));
        match kind {
            3 => value.extend(string(format!("{}", member.len()).as_bytes())),
            4 => value.extend(string(b"value")),
            _ => {}
        }
    }
    key(kind, format!("key {number}").as_bytes(), &value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn order_is_no_difference_and_a_change_is(
        keys in prop::collection::vec((2..5_u8, prop::collection::hash_set("[a-z0-9]{0,6}", 1..20)), 1..12),
        seed in any::<usize>(),
    ) {
        let files = Files::new();
        let mut records: Vec<(u8, usize, Vec<String>)> = keys
            .into_iter()
            .enumerate()
            .map(|(number, (kind, members))| (kind, number, members.into_iter().collect()))
            .collect();
        let write = |name: &str, records: &[(u8, usize, Vec<String>)]| {
            let bytes: Vec<u8> =
                records.iter().flat_map(|(kind, number, members)| record(*kind, *number, members)).collect();
            files.rdb(name, b"REDIS0009", &[b"\xfe\x00", &bytes])
        };
        let a = write("a", &records);
        let turns = seed % records.len();
        records.rotate_left(turns);
        for (_, _, members) in &mut records {
            let turns = seed % members.len();
            members.rotate_left(turns);
            members.reverse();
        }
        let b = write("b", &records);
        prop_assert_eq!(diff(&[&a, &b]).0, Some(0));
        let (_, number, members) = &mut records[0];
        let changed = format!("key {number}");
        members[0].push('!');
        let c = write("c", &records);
        let (code, stdout, _) = diff(&["--json", &a, &c]);
        prop_assert_eq!(code, Some(1));
        let found = lines(&stdout);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(&found[0]["key"], &json!(changed));
        prop_assert_eq!(&found[0]["what"], &json!(["value"]));
    }
}
