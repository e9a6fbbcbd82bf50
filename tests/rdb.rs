//! `repltool rdb` over the RDBs inside recordings of real servers, and over damaged copies of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures").join(name)
}

fn run(arguments: &[&str]) -> Output {
    let folder = capture("").to_owned();
    Command::new(env!("CARGO_BIN_EXE_repltool")).current_dir(folder).args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The RDB of a capture's full sync, as a file of its own.
fn extracted(name: &str, folder: &Path) -> PathBuf {
    let path = folder.join("dump.rdb");
    printed(&["extract", name, "--link", "1", "--rdb", path.to_str().unwrap()]);
    path
}

#[test]
fn an_rdb_is_summed_up_for_people() {
    insta::assert_snapshot!(printed(&["rdb", "info", "r70-s02_full_diskless.pcap"]));
}

#[test]
fn every_key_has_a_line_and_a_value() {
    let name = "r70-s02_full_diskless.pcap";
    let keys = lines(&printed(&["rdb", "keys", "--json", name]));
    let dump = lines(&printed(&["rdb", "dump", "--json", name]));
    let info: Value = serde_json::from_str(&printed(&["rdb", "info", "--json", name])).unwrap();
    let dumped: Vec<&Value> = dump.iter().filter(|record| record["record"] == "key").collect();
    assert_eq!((keys.len(), dumped.len()), (57, 57));
    for (key, value) in keys.iter().zip(dumped) {
        for field in ["db", "key", "type", "encoding", "expires_at_ms"] {
            assert_eq!(key[field], value[field]);
        }
        let length = value["value"].as_array().map(Vec::len);
        if let Some(length) = length {
            assert_eq!(key["elements"], length, "{key}");
        }
    }
    assert_eq!((&info["keys"], &info["checksum"], &info["trailing_bytes"]), (&57.into(), &"ok".into(), &0.into()));
    let last = dump.last().unwrap();
    assert_eq!((&last["record"], &last["checksum"], &last["keys"]), (&"end".into(), &"ok".into(), &57.into()));
    let csv = printed(&["rdb", "keys", "-f", "csv", name]);
    assert_eq!(csv.lines().count(), 58);
    assert!(csv.starts_with("db,key,type,"));
}

#[test]
fn the_same_rdb_is_the_same_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = extracted("r70-s02_full_diskless.pcap", folder.path());
    let rdb = fs::read(&file).unwrap();
    let framed = folder.path().join("framed");
    let mark = "0123456789".repeat(4);
    let header = format!("\n+FULLRESYNC {} 0\r\n$EOF:{mark}\r\n", "a".repeat(40));
    fs::write(&framed, [header.as_bytes(), &rdb, mark.as_bytes()].concat()).unwrap();
    let preamble = folder.path().join("appendonly.aof");
    fs::write(&preamble, [&rdb[..], b"*1\r\n$4\r\nPING\r\n"].concat()).unwrap();
    let expected = printed(&["rdb", "dump", "--json", "r70-s02_full_diskless.pcap"]);
    for path in [&file, &framed, &preamble] {
        assert_eq!(printed(&["rdb", "dump", "--json", path.to_str().unwrap()]), expected);
    }
}

#[test]
fn damage_is_found_and_what_could_be_read_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = extracted("r70-s02_full_diskless.pcap", folder.path());
    let sound = fs::read(&file).unwrap();
    let path = file.to_str().unwrap();
    for cut in [9, 100, sound.len() / 2, sound.len() - 4] {
        fs::write(&file, &sound[..cut]).unwrap();
        let output = run(&["rdb", "check", "--json", path]);
        assert_eq!(output.status.code(), Some(1));
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(verdict["ok"], false);
        assert!(verdict["error"]["offset"].as_u64().unwrap() <= cut as u64, "{verdict}");
        let output = run(&["rdb", "dump", "--json", path]);
        assert_eq!(output.status.code(), Some(2));
        let records = lines(&String::from_utf8(output.stdout).unwrap());
        let keys = records.iter().filter(|record| record["record"] == "key").count();
        assert_eq!(verdict["keys"], keys);
    }
    let mut flipped = sound.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    fs::write(&file, &flipped).unwrap();
    let output = run(&["rdb", "check", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the checksum is"));
}

#[test]
fn what_is_no_rdb_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "no such format").unwrap();
    let output = run(&["rdb", "check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["rdb", "info", "r70-s04_partial_backlog.pcap"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("say which with --link"));
}

/// Bytes of the RDB of one module's value.
fn rdb_of_a_module(values: &[&[u8]]) -> Vec<u8> {
    [&b"REDIS0009\xfe\x00\x07\x01k"[..], &values.concat(), b"\x00\xff\0\0\0\0\0\0\0\0"].concat()
}

#[test]
fn vector_sets_are_what_the_server_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let truth: Value = serde_json::from_slice(&fs::read(folder.join("redis82_vectorsets.json")).unwrap()).unwrap();
    let dump = printed(&["rdb", "dump", "--json", folder.join("rdb/redis82_vectorsets.rdb").to_str().unwrap()]);
    let dump = lines(&dump);
    let keys: Vec<&Value> = dump.iter().filter(|record| record["record"] == "key").collect();
    assert_eq!(keys.len(), truth.as_object().unwrap().len());
    for key in keys {
        let (expected, set) = (&truth[key["key"].as_str().unwrap()], &key["value"]["vectorset"]);
        for field in ["dim", "quantization", "m", "projection"] {
            assert_eq!(set[field], expected[field], "{key}");
        }
        let (elements, expected) = (set["elements"].as_array().unwrap(), expected["elements"].as_object().unwrap());
        assert_eq!(elements.len(), expected.len());
        for element in elements {
            let expected = &expected[element["name"].as_str().unwrap()];
            assert_eq!(element["attributes"], expected["attributes"]);
            let numbers = |vector: &Value| -> Vec<f32> {
                vector.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
            };
            assert_eq!(numbers(&element["vector"]), numbers(&expected["vector"]), "{element}");
        }
        assert_eq!(key["value"]["values"][0], serde_json::json!({"uint": set["dim"].to_string()}));
    }
}

#[test]
fn a_json_document_stands_beside_the_values_it_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let id: &[u8] = b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03";
    let value_of = |values: &[&[u8]]| {
        fs::write(&path, rdb_of_a_module(values)).unwrap();
        lines(&printed(&["rdb", "dump", "--json", path.to_str().unwrap()]))[0]["value"].clone()
    };
    let document = br#"{"a":[1,null,"x"]}"#;
    let value = value_of(&[id, b"\x05\x12", document]);
    let text = std::str::from_utf8(document).unwrap();
    let expected = serde_json::json!({"module": "ReJSON-RL", "version": 3, "values": [{"string": text}], "json": text});
    assert_eq!(value, expected);
    // Kept as a number by the file.
    assert_eq!(value_of(&[id, b"\x05\xc0\x2a"])["json"], "42");
    // A later layout of the same version: only the values.
    let value = value_of(&[id, b"\x05\x011\x02\x07"]);
    assert_eq!((value["values"].as_array().unwrap().len(), value.get("json")), (2, None));
    // So long that the line is given on before it is whole.
    let long = [&b"\""[..], &b"j".repeat(3 << 20), b"\""].concat();
    let head = [&b"\x05\x80"[..], &(long.len() as u32).to_be_bytes()].concat();
    let value = value_of(&[id, &head, &long]);
    let joined = |value: &Value| -> String {
        value["parts"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect()
    };
    assert_eq!(joined(&value["json"]).as_bytes(), long);
    assert_eq!(joined(&value["values"][0]["string"]).as_bytes(), long);
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&[0x80][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

/// The lines of `rdb dump -f json` over these records. Each must be one object whose fields have different names.
fn dumped(magic: &[u8; 9], records: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, [magic, records, b"\xff\0\0\0\0\0\0\0\0"].concat()).unwrap();
    let dump = printed(&["rdb", "dump", "--json", path.to_str().unwrap()]);
    let mut told: Vec<String> = dump.lines().map(str::to_owned).collect();
    for line in &told {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(&value.to_string().len(), &line.len(), "a name that stands twice is lost in reading: {line}");
    }
    assert!(told.pop().unwrap().contains("\"end\""));
    told
}

#[test]
fn hashes_of_templates_have_their_fields() {
    // Template 7 of two fields; a listpack of the template's number, "a" and 5; the values "x" and a string in pieces.
    let template = [&b"\xf2\x07\x02"[..], &string(b"f1"), &string(b"f2")].concat();
    let listpack = b"\x0e\0\0\0\x03\0\x07\x01\x81a\x02\x05\x01\xff";
    let long = vec![b'l'; (1 << 20) + 1];
    let records = [
        &template[..],
        b"\x1e\x02h1\x0e",
        listpack.as_slice(),
        b"\x20\x02h2\x07\x01x",
        &string(&long),
        b"\x20\x02h3\x07\x00\x01y",
    ];
    let records = records.concat();
    let told = dumped(b"REDIS0015", &records);
    assert_eq!(told[0], r#"{"record":"hash_template","id":7,"fields":["f1","f2"]}"#);
    let value = |at: usize| serde_json::from_str::<Value>(&told[at]).unwrap()["value"].clone();
    assert_eq!(value(1), serde_json::json!([["f1", "a", null], ["f2", "5", null]]));
    assert_eq!((&value(2)[0], &value(2)[1][0]), (&serde_json::json!(["f1", "x", null]), &"f2".into()));
    assert_eq!(value(2)[1][1]["parts"].as_array().unwrap().len(), 5);
    assert_eq!(value(3), serde_json::json!([["f1", "", null], ["f2", "y", null]]));
    // The template is not known: the values are there, and JSON is written up to where servers would stop.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, [&b"REDIS0015"[..], &records[template.len()..]].concat()).unwrap();
    let output = run(&["rdb", "dump", "--json", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let told = lines(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["value"], serde_json::json!([[null, "a", null], [null, "5", null]]));
}

#[test]
fn what_only_newer_servers_write_is_json_too() {
    let stream = [
        &b"\x1a\x02st\x00\x00\x05\x00\x00\x00\x00\x00\x00\x01\x01g\x05\x00\x00\x00\x00"[..],
        b"\x0a\x14\x02\x02p1\x02\x02i1\x03\x04\x02i2\x05\x06\x02p2\x00\x07\x08",
    ]
    .concat();
    let told = dumped(b"REDIS0015", &[&stream[..], b"\x21\x01r\x05\x00\x01k\x01v"].concat());
    assert!(told[0].ends_with(concat!(
        r#""groups":[{"name":"g","last_id":"5-0","entries_read":0,"pel":[],"consumers":[]}],"#,
        r#""idempotence":{"duration":10,"entries":20,"producers":[{"producer":"p1","items":[["i1","3-4"],["i2","5-6"]]},"#,
        r#"{"producer":"p2","items":[]}],"added":7,"repeated":8}}}"#
    )));
    assert!(told[1].ends_with(r#""value":[5]}"#), "{}", told[1]);
    assert!(told[2].ends_with(r#""value":"v"}"#));
    let told = dumped(b"REDIS0015", &[&stream[..21], b"\x0a\x14\x00\x07\x08"].concat());
    assert!(told[0].ends_with(r#""producers":[],"added":7,"repeated":8}}}"#), "{}", told[0]);
    let told = dumped(b"REDIS0015", b"\xf3\x02ABCD\x02\x05\x05\x01x\x00EFGH\x00\x00\x01k\x01v");
    assert_eq!(
        told[0],
        r#"{"record":"key_meta","classes":[{"class":1145258561,"values":[{"uint":"5"},{"string":"x"}]},{"class":1212630597,"values":[]}]}"#
    );
    assert_eq!(told.len(), 2);
    let job = [b'j'; 40];
    let told = dumped(
        b"VALKEY081",
        &[b"\xf2*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n\xf3\x28".as_slice(), &job, b"\x02\x01\x02\x04\x05"].concat(),
    );
    assert_eq!(told[0], r#"{"record":"update","argv":["DEL","k"]}"#);
    let job = "j".repeat(40);
    assert_eq!(told[1], format!(r#"{{"record":"slot_import","job":"{job}","ranges":[[1,2],[4,5]]}}"#));
}
