//! `repltool rdb convert` over dumps of real servers: what `rdb dump` shows is the same before and after.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn dumps() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb");
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect()
}

fn dump(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb").join(name)
}

fn repltool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repltool")).args(arguments).output().unwrap()
}

fn convert(input: &Path, output: &Path, options: &[&str]) -> Output {
    let paths = ["rdb", "convert", input.to_str().unwrap(), "-o", output.to_str().unwrap()];
    repltool(&[&paths[..], options].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of `rdb dump` without what a conversion may change: the packing, and the order of what has none.
fn shown(rdb: &Path) -> Vec<Value> {
    let output = repltool(&["rdb", "dump", rdb.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("encoding");
        if line["record"] == "end" {
            line.as_object_mut().unwrap().remove("checksum");
        }
        if matches!(line["type"].as_str(), Some("set" | "zset" | "hash")) {
            line["value"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        }
    }
    lines
}

fn version(rdb: &Path) -> String {
    String::from_utf8(fs::read(rdb).unwrap()[..9].to_vec()).unwrap()
}

#[test]
fn in_the_same_version_nothing_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.rdb");
    for input in dumps() {
        for options in [&[][..], &["--no-compress", "--no-checksum"], &["--to", "same"]] {
            let done = convert(&input, &output, options);
            assert_eq!(done.status.code(), Some(0), "{}", said(&done));
            assert_eq!(said(&done), "");
            assert_eq!(version(&output), version(&input));
            assert!(shown(&output) == shown(&input), "{}", input.display());
            let check = repltool(&["rdb", "check", "--json", output.to_str().unwrap()]);
            let check: Value = serde_json::from_slice(&check.stdout).unwrap();
            assert_eq!(check["ok"], true);
            assert_eq!(check["checksum"], if options.len() == 2 && options[0] != "--to" { "off" } else { "ok" });
        }
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 1, "no partial file stays");
    }
}

#[test]
fn compression_is_the_servers() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [&[][..], &["--no-compress"]].map(|options| {
        let output = folder.path().join("out.rdb");
        convert(&dump("redis82_cluster.rdb"), &output, options);
        fs::metadata(output).unwrap().len()
    });
    let own = fs::metadata(dump("redis82_cluster.rdb")).unwrap().len();
    assert!(sizes[0] < own + own / 50, "{sizes:?}, the server's {own}");
    assert!(sizes[1] > own + own / 2, "{sizes:?}, the server's {own}");
}

#[test]
fn the_lowest_version_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.rdb");
    // All types, streams too; functions; fields that expire, which keep a dump in its family; a module.
    for (name, lowest, lossless) in [
        ("redis62_alltypes.rdb", "REDIS0009", "REDIS0009"),
        ("redis70_cluster.rdb", "REDIS0010", "REDIS0010"),
        ("redis82_cluster.rdb", "REDIS0012", "REDIS0012"),
        ("valkey91_nochecksum.rdb", "VALKEY080", "VALKEY080"),
        ("redis82_falkordb_module.rdb", "REDIS0009", "REDIS0009"),
        ("redis82_empty.rdb", "REDIS0006", "REDIS0007"),
    ] {
        for (to, expected) in [("lowest", lowest), ("lossless", lossless)] {
            let done = convert(&dump(name), &output, &["--to", to]);
            assert_eq!(done.status.code(), Some(0), "{}", said(&done));
            assert_eq!(version(&output), expected, "{name} --to {to}");
            assert_eq!(said(&done).contains("left out"), to == "lowest" && lowest != lossless, "{}", said(&done));
        }
    }
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.rdb");
    fs::write(&output, "before").unwrap();
    let done = convert(&dump("valkey91_nochecksum.rdb"), &output, &["--to", "redis-7.0"]);
    assert_eq!(done.status.code(), Some(2));
    let words = "db 0, hash key h:ttl:ht: REDIS0010 cannot hold hash fields that expire, which needs REDIS0012";
    assert!(said(&done).contains(words), "{}", said(&done));
    assert!(said(&done).contains("3 of its records do not fit"), "{}", said(&done));
    assert_eq!(fs::read(&output).unwrap(), b"before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let done = convert(&dump("valkey91_nochecksum.rdb"), &output, &["--to", "redis-7.0", "--skip"]);
    assert_eq!(done.status.code(), Some(0));
    let kept =
        |line: &Value| !line["key"].as_str().unwrap_or_default().starts_with("h:ttl:") && line["record"] == "key";
    let keys = |rdb: &Path| shown(rdb).into_iter().filter(kept).map(|line| line["key"].clone()).collect::<Vec<_>>();
    assert_eq!(keys(&output), keys(&dump("valkey91_nochecksum.rdb")));
    let named = said(&done).lines().filter(|line| line.contains("hash key h:ttl")).count();
    assert_eq!(named, 3);
}

#[test]
fn damage_leaves_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.rdb"), folder.path().join("out.rdb"));
    let sound = fs::read(dump("redis62_alltypes.rdb")).unwrap();
    let mut flipped = sound.clone();
    flipped[1000] ^= 0x10;
    for (bytes, words) in [(&sound[..100_000], "ends before"), (&flipped[..], "corrupt at byte"), (b"hello", "")] {
        fs::write(&input, bytes).unwrap();
        let done = convert(&input, &output, &[]);
        assert_eq!(done.status.code(), Some(2));
        assert!(said(&done).contains(words), "{}", said(&done));
        assert!(!output.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn from_and_to_a_pipe() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .args(["rdb", "convert", "-", "-o", "-", "--to", "REDIS9"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = fs::read(dump("redis62_alltypes.rdb")).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("piped.rdb");
    fs::write(&path, output.stdout).unwrap();
    assert!(shown(&path) == shown(&dump("redis62_alltypes.rdb")));
    let done = repltool(&["rdb", "convert", "-", "-o", "-", "--to", "lowest"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done).contains("read twice"));
}

#[test]
fn the_input_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::copy(dump("redis62_empty.rdb"), &path).unwrap();
    let done = convert(&path, &path, &[]);
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    assert_eq!(fs::read(&path).unwrap(), fs::read(dump("redis62_empty.rdb")).unwrap());
}
