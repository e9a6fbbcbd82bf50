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

/// The RDB of the recording, as a file.
fn extracted(folder: &Path) -> Vec<u8> {
    let path = folder.join("sound.rdb");
    printed(&["extract", NAME, "--rdb", path.to_str().unwrap()]);
    fs::read(path).unwrap()
}

#[test]
fn a_byte_is_explained_with_its_record() {
    insta::assert_snapshot!(printed(&["rdb", "explain", NAME, "--offset", "0x3a0"]));
    // A key with an expiry, packed.
    insta::assert_snapshot!(printed(&["rdb", "explain", NAME, "--offset", "19840"]));
}

#[test]
fn the_records_are_listed() {
    insta::assert_snapshot!(printed(&["rdb", "explain", NAME, "--limit", "24"]));
    assert_eq!(lines(&printed(&["rdb", "explain", NAME, "--limit", "3", "-f", "json"])).len(), 3);
    let all = lines(&printed(&["rdb", "explain", NAME, "--json"]));
    // Without a hole from the first byte to the last.
    let end = all.iter().fold(0, |at, record| {
        assert_eq!(record["offset"], at);
        at + record["bytes"].as_u64().unwrap()
    });
    let info: Value = serde_json::from_str(&printed(&["rdb", "info", "--json", NAME])).unwrap();
    assert_eq!(info["bytes"], end);
    let sums =
        |field: &str| info[field].as_object().unwrap().values().map(|bytes| bytes.as_u64().unwrap()).sum::<u64>();
    let keys = lines(&printed(&["rdb", "keys", "--json", NAME]));
    let bytes: u64 = keys.iter().map(|key| key["bytes"].as_u64().unwrap()).sum();
    assert_eq!((sums("type_bytes"), sums("encoding_bytes")), (bytes, bytes));
}

#[test]
fn every_key_is_explained_where_it_stands() {
    let records = lines(&printed(&["rdb", "explain", NAME, "--json"]));
    let keys = lines(&printed(&["rdb", "keys", "--json", NAME]));
    let mut of_keys = records.iter().filter(|record| {
        !["header", "AUX", "SELECTDB", "RESIZEDB", "FUNCTION2", "EOF", "checksum"]
            .contains(&record["record"].as_str().unwrap())
    });
    for (number, key) in keys.iter().enumerate() {
        let record = of_keys.next().unwrap();
        assert_eq!((&record["bytes"], &record["db"]), (&key["bytes"], &key["db"]));
        if number % 8 == 0 {
            let middle = record["offset"].as_u64().unwrap() + record["bytes"].as_u64().unwrap() / 2;
            let explained = printed(&["rdb", "explain", NAME, "--json", "--offset", &middle.to_string()]);
            let explained: Value = serde_json::from_str(&explained).unwrap();
            assert_eq!((&explained["record"]["key"], &explained["record"]["bytes"]), (&key["key"], &key["bytes"]));
            let here = explained["parts"].as_array().unwrap().iter().filter(|part| part["here"] == true).count();
            assert_eq!(here, 1);
        }
    }
    assert!(of_keys.next().is_none());
}

#[test]
fn a_byte_that_no_record_holds_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let sound = extracted(folder.path());
    let output = run(&["rdb", "explain", NAME, "--offset", "99999999"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("is behind the RDB"));
    let mut damaged = sound.clone();
    damaged[0x3a0] = 0xf0;
    damaged.truncate(5000);
    let path = file(folder.path(), "damaged.rdb", &damaged);
    let output = run(&["rdb", "explain", path.to_str().unwrap(), "--offset", "4999"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("byte 4999") && text.contains("wrong at byte"), "{text}");
}

#[test]
fn what_can_be_read_of_a_damaged_dump_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let sound = extracted(folder.path());
    let (damaged, saved) = (folder.path().join("damaged.rdb"), folder.path().join("saved.rdb"));
    let salvage = |bytes: &[u8]| {
        fs::write(&damaged, bytes).unwrap();
        let output = run(&["rdb", "salvage", damaged.to_str().unwrap(), "-o", saved.to_str().unwrap(), "-f", "json"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let verdict: Value =
            serde_json::from_str(&printed(&["rdb", "check", "--json", saved.to_str().unwrap()])).unwrap();
        assert_eq!((&verdict["keys"], &verdict["checksum"]), (&told["keys"], &"ok".into()));
        (output.status.code().unwrap(), told)
    };
    let (code, told) = salvage(&sound);
    assert_eq!((code, &told["keys"], &told["checksum"]), (0, &57.into(), &"ok".into()));
    assert!(fs::read(&saved).unwrap() == sound);
    // Every key's first byte in turn: that key is lost, the others are kept.
    let records = lines(&printed(&["rdb", "explain", NAME, "--json"]));
    for record in
        records.iter().filter(|record| record["record"] == "HASH_LISTPACK" || record["record"] == "LIST_QUICKLIST_2")
    {
        let offset = record["offset"].as_u64().unwrap() as usize;
        let mut bytes = sound.clone();
        bytes[offset] = 0x60;
        let (code, told) = salvage(&bytes);
        assert_eq!((code, &told["keys"], &told["losses"]), (1, &56.into(), &1.into()), "{record}: {told}");
        assert_eq!((&told["lost"][0]["offset"], &told["lost"][0]["bytes"]), (&record["offset"], &record["bytes"]));
    }
    let (code, told) = salvage(&sound[..sound.len() / 2]);
    assert_eq!((code, &told["losses"]), (1, &1.into()));
    assert!(told["keys"].as_u64().unwrap() > 10);
}

#[test]
fn salvage_leaves_nothing_where_there_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "noise", b"nothing that is known");
    let saved = folder.path().join("saved.rdb");
    let output = run(&["rdb", "salvage", path.to_str().unwrap(), "-o", saved.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--assume"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let output = run(&["rdb", "salvage", path.to_str().unwrap(), "-o", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read(&path).unwrap(), b"nothing that is known");
}

#[test]
fn a_cut_transfer_is_salvaged_out_of_its_capture() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.rdb");
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures").join(NAME)).unwrap();
    let cut = file(folder.path(), "cut.pcap", &whole[..whole.len() * 3 / 5]);
    let output = run(&["rdb", "salvage", cut.to_str().unwrap(), "-o", saved.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["keys"].as_u64().unwrap() > 0, "{told}");
    printed(&["rdb", "check", saved.to_str().unwrap()]);
}

/// A list of version 6 with these elements, without its end.
fn list(elements: &[&[u8]]) -> Vec<u8> {
    let long = |bytes: &[u8]| [&[0x80][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let elements: Vec<u8> = elements.iter().flat_map(|element| long(element)).collect();
    [&b"REDIS0006\x01\x04list\x03"[..], &elements].concat()
}

#[test]
fn what_is_cut_after_it_was_given_on_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let element = vec![b'e'; 100_000];
    let rdb = list(&[&element, &element, &element]);
    let cut = file(folder.path(), "cut.rdb", &rdb[..rdb.len() - 5]);
    // So large with the second element already.
    let output = run(&["rdb", "dump", cut.to_str().unwrap(), "--min-bytes", "150000"]);
    assert_eq!(output.status.code(), Some(2));
    let told = lines(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(told[0]["value"].as_array().unwrap().len(), 2);
}

/// The RDB of three keys, two of which have the same long name in UTF-8.
fn long_names() -> (String, Vec<u8>) {
    let name = format!("päth:\"{}", "aä字\u{202e}".repeat(300_000));
    let long = |bytes: &[u8]| [&[0x80][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let name_bytes = long(name.as_bytes());
    let rdb =
        [&b"REDIS0004\x00"[..], &name_bytes, b"\x01v\x00\x05short\x01w\xfe\x01\x02", &name_bytes, b"\x01\x01m\xff"]
            .concat();
    (name, rdb)
}

/// A byte string of the contract.
fn joined(value: &Value) -> Vec<u8> {
    use base64::Engine;
    let part = |part: &Value| match part.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64::engine::general_purpose::STANDARD.decode(part["base64"].as_str().unwrap()).unwrap(),
    };
    value["parts"].as_array().map_or_else(|| part(value), |parts| parts.iter().flat_map(part).collect())
}

#[test]
fn a_long_name_is_listed_piece_by_piece() {
    let folder = tempfile::tempdir().unwrap();
    let (name, rdb) = long_names();
    let path = file(folder.path(), "long.rdb", &rdb);
    let path = path.to_str().unwrap();
    let keys = lines(&printed(&["rdb", "keys", "--json", path]));
    assert_eq!(keys.len(), 3);
    for (key, (expected, db)) in keys.iter().zip([(name.as_str(), 0), ("short", 0), (&name, 1)]) {
        assert!(joined(&key["key"]) == expected.as_bytes() && key["db"] == db);
    }
    let parts = keys[0]["key"]["parts"].as_array().unwrap();
    assert!(parts.len() > 1 && parts.iter().all(Value::is_string), "no character is cut");
    let csv = printed(&["rdb", "keys", "-f", "csv", path]);
    let escaped = name.replace('"', "\"\"").replace('\u{202e}', "\\u{202e}");
    let line = |at: usize| csv.lines().nth(at).unwrap();
    assert!(line(1).starts_with(&format!("0,\"{escaped}\",string,")));
    assert!(line(2).starts_with("0,\"short\",string,"));
    assert!(line(3).starts_with(&format!("1,\"{escaped}\",set,")));
    let text = printed(&["rdb", "keys", "-f", "text", path]);
    let escaped = name.replace('"', "\\\"").replace('\u{202e}', "\\u{202e}");
    assert!(text.lines().nth(1).unwrap().ends_with(&format!("  \"{escaped}\"")));
    assert!(text.lines().nth(2).unwrap().ends_with("  short"));
}

#[test]
fn of_a_long_name_info_has_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let (name, rdb) = long_names();
    let path = file(folder.path(), "long.rdb", &rdb);
    let info: Value = serde_json::from_str(&printed(&["rdb", "info", "--json", path.to_str().unwrap()])).unwrap();
    let biggest = info["biggest"].as_array().unwrap();
    assert_eq!(biggest.len(), 3);
    let shown = biggest[0]["key"].as_str().unwrap();
    let beginning = shown.strip_suffix('…').unwrap();
    assert!(name.starts_with(beginning) && (4090..=4096).contains(&beginning.len()), "{}", beginning.len());
    assert_eq!(biggest[2]["key"], "short");
    assert_eq!(
        info["prefixes"][0],
        serde_json::json!({
            "prefix": "päth:",
            "keys": 2,
            "bytes": biggest[0]["bytes"].as_u64().unwrap() + biggest[1]["bytes"].as_u64().unwrap(),
        })
    );
}

#[test]
fn a_long_name_that_is_not_wanted_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (name, rdb) = long_names();
    let path = file(folder.path(), "long.rdb", &rdb);
    let path = path.to_str().unwrap();
    let all = printed(&["rdb", "dump", "--json", path]);
    let all: Vec<&str> = all.lines().collect();
    let resp = |options: &[&str]| printed(&[&["rdb", "dump", "-f", "resp", path], options].concat());
    let set = format!("*3\r\n$3\r\nSET\r\n${0}\r\n{name}\r\n$1\r\nv\r\n", name.len());
    let short = "*3\r\n$3\r\nSET\r\n$5\r\nshort\r\n$1\r\nw\r\n";
    let add = format!("*3\r\n$4\r\nSADD\r\n${0}\r\n{name}\r\n$1\r\nm\r\n", name.len());
    let select = |db: u8| format!("*2\r\n$6\r\nSELECT\r\n$1\r\n{db}\r\n");
    for (options, wanted, commands) in [
        (&["--type", "set"][..], &[2][..], [select(1), add.clone()].concat()),
        (&["--match", "s*"], &[1], select(0) + short),
        (&["--match", "p*", "--db", "0"], &[0], [select(0), set.clone()].concat()),
        (&["--match", "p*", "--min-bytes", "1mb"], &[0, 2], [select(0), set, select(1), add].concat()),
        (&["--min-bytes", "1gb"], &[], String::new()),
    ] {
        let dump = printed(&[&["rdb", "dump", "--json", path], options].concat());
        let found: Vec<&str> = dump.lines().collect();
        let (end, found) = found.split_last().unwrap();
        assert!(found.iter().eq(wanted.iter().map(|at| &all[*at])), "{options:?}");
        let end: Value = serde_json::from_str(end).unwrap();
        assert_eq!(end["keys"], wanted.len(), "{options:?}");
        assert!(resp(options) == commands, "{options:?}");
    }
    // Cut inside the name.
    let cut = file(folder.path(), "cut.rdb", &rdb[..2 << 20]);
    let output = run(&["rdb", "dump", cut.to_str().unwrap(), "--match", "p*"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let output = run(&["rdb", "keys", "--json", cut.to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}
