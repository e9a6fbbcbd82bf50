//! `repltool replay` over recordings of real servers: what they did is done again, and what they held is held again.

// The helpers are no tests themselves, so that the tests' exemption does not reach them.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures")
}

fn repltool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repltool")).current_dir(captures()).args(arguments).output().unwrap()
}

/// The verdict and the exit code.
fn replay(arguments: &[&str]) -> (Value, i32) {
    let output = repltool(&[&["replay", "-f", "json"], arguments].concat());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

/// What DEBUG DIGEST said on the recorded servers; they agreed in the end.
const DIGESTS: &[(&str, &str)] = &[
    ("r70-s01_full_disk.pcap", "976679d259b42361281a665824d49506f2e6425d"),
    ("r70-s02_full_diskless.pcap", "017f1144e6f7ee52a2632604de03827e747e4d85"),
    ("r70-s03_partial.pcap", "692c5572180639e2059e1787a8cb64b41269b3e3"),
    ("r82-s02_full_diskless.pcap", "b89b26cd1de333f5dd889c651defccd33f3dfd22"),
    ("v91-s08_dualchannel.pcap", "e93221f0e75556374e889c74f7ce056cfef3939b"),
];

#[test]
fn both_ends_hold_what_the_recorded_servers_held() {
    for (capture, digest) in DIGESTS {
        let (verdict, code) = replay(&[capture]);
        assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{capture}: {verdict:#}");
        assert_eq!(verdict["digest"]["master"], *digest, "{capture}");
        assert_eq!(verdict["digest"]["replica"], *digest, "{capture}");
    }
}

#[test]
fn stories_of_several_links_come_out_as_recorded() {
    for capture in
        ["r28-s01_full_disk", "r40-s05_chain_psync2", "r70-s04_partial_backlog", "r70-s06_auth", "r70-s10_midstream"]
    {
        let (verdict, code) = replay(&[&format!("{capture}.pcap")]);
        assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{capture}: {verdict:#}");
    }
}

/// Kind of sync, offset, and the stream's bytes and commands of each link that had one.
fn essence(links: &Value) -> Vec<String> {
    let links = links.as_array().unwrap().iter().filter(|link| link["channel"] == "main" && !link["stream"].is_null());
    let line = |link: &Value| {
        let (sync, stream) = (&link["sync"], &link["stream"]);
        format!("{} {} {} {} {}", sync["kind"], sync["transfer"], sync["offset"], stream["bytes"], stream["by_command"])
    };
    links.map(line).collect()
}

#[test]
fn the_replayed_conversation_is_a_capture_that_tells_the_same() {
    let folder = TempDir::new().unwrap();
    for capture in ["r70-s03_partial.pcap", "r40-s05_chain_psync2.pcap", "v91-s08_dualchannel.pcap"] {
        let again = folder.path().join(capture);
        let again = again.to_str().unwrap();
        let (_, code) = replay(&[capture, "-w", again]);
        assert_eq!(code, 0);
        let report =
            |file: &str| -> Value { serde_json::from_slice(&repltool(&["report", "--json", file]).stdout).unwrap() };
        assert_eq!(essence(&report(again)["links"]), essence(&report(capture)["links"]), "{capture}");
        // And it can be replayed itself.
        let (verdict, code) = replay(&[again]);
        assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{capture}: {verdict:#}");
    }
}

/// A copy of a capture in which one byte is another: `skip` bytes behind the last place where it says these words.
fn altered(folder: &TempDir, capture: &str, words: &[u8], skip: usize) -> String {
    let mut bytes = fs::read(captures().join(capture)).unwrap();
    let at = bytes.windows(words.len()).rposition(|window| window == words).unwrap() + words.len() + skip;
    // Another digit, or another letter.
    bytes[at] ^= 1;
    let path = folder.path().join("altered.pcap");
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_was_altered_in_a_recording_is_found() {
    let folder = TempDir::new().unwrap();
    let cases: [(&str, &[u8], usize, &str); 7] = [
        // The same where it takes all the rest of the link for itself.
        ("r70-s01_full_disk.pcap", b"ACK\r\n$", 0, "course"),
        // A key in one of two records of the same stream.
        ("r40-s05_chain_psync2.pcap", b"$4\r\nINCR\r\n$", 4, "stream.bytes"),
        // The length of an ACK's last word: what follows is no command.
        ("r70-s03_partial.pcap", b"ACK\r\n$", 0, "course"),
        // An ACK, which is now of a place where no command ends.
        ("r70-s03_partial.pcap", b"ACK\r\n$4\r\n", 3, "acks"),
        // The master's replid, which the RDB has as well.
        ("r70-s01_full_disk.pcap", b"+FULLRESYNC ", 3, "sync.replid"),
        // The history that the replica asks for.
        ("r70-s03_partial.pcap", b"PSYNC\r\n$40\r\n", 3, "sync.kind"),
        // The length of a word in the stream.
        ("r70-s01_full_disk.pcap", b"$3\r\nSET\r\n$", 0, ""),
    ];
    for (capture, words, skip, what) in cases {
        let case = words.escape_ascii();
        let (verdict, code) = replay(&[&altered(&folder, capture, words, skip)]);
        assert_eq!((&verdict["reproduced"], code), (&Value::from(false), 1), "{case}: {verdict:#}");
        let links = verdict["links"].as_array().unwrap();
        let mut differences = links.iter().flat_map(|link| link["differences"].as_array().unwrap());
        assert!(differences.any(|it| what.is_empty() || it["what"] == what), "{case}: {verdict:#}");
    }
}

#[test]
fn what_cannot_be_replayed_is_told_why() {
    let (verdict, code) = replay(&["r70-s12_tls.pcap"]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(false), 1));
    assert_eq!(verdict["notes"][0], "nothing of the capture could be replayed");
    let (verdict, code) = replay(&["r70-s14d_abort-disk.pcap"]);
    assert_eq!(code, 1);
    assert_eq!(verdict["links"][0]["notes"][0], "the RDB never came");
}

#[test]
fn the_story_is_told_without_being_played() {
    let output = repltool(&["replay", "--dry-run", "r40-s05_chain_psync2.pcap"]);
    assert!(output.status.success());
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
    let output = repltool(&["replay", "--dry-run", "-f", "json", "r70-s04_partial_backlog.pcap"]);
    let story: Value = serde_json::from_slice(&output.stdout).unwrap();
    let overruns: Vec<_> = story["scenes"].as_array().unwrap().iter().map(|scene| &scene["overrun"]).collect();
    assert_eq!(overruns, [false, true]);
}

#[test]
fn a_verdict_reads_well() {
    let output = repltool(&["replay", "r70-s03_partial.pcap"]);
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

/// The kinds of the replayed syncs.
fn kinds(verdict: &Value) -> Vec<&str> {
    let links = verdict["links"].as_array().unwrap();
    links.iter().filter_map(|link| link["replayed"]["sync"]["kind"].as_str()).collect()
}

#[test]
fn a_link_can_be_cut_where_it_was_not() {
    for cut in ["2000", "packet:60"] {
        let (verdict, code) = replay(&["r70-s01_full_disk.pcap", "--cut-at", cut]);
        assert_eq!((kinds(&verdict), code), (vec!["full", "partial"], 1), "{cut}: {verdict:#}");
        assert_eq!(verdict["reproduced"], false);
        // What the replica lacked it has got from the backlog.
        assert_eq!(verdict["digest"]["replica"], DIGESTS[0].1, "{cut}");
        assert_eq!(verdict["digest"]["master"], DIGESTS[0].1, "{cut}");
    }
    let output = repltool(&["replay", "r70-s01_full_disk.pcap", "--cut-at", "999999"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no link is in the midst of its stream at 999999"), "{said}");
}

#[test]
fn another_backlog_makes_another_sync() {
    // The recorded master's had lost what the replica asked for, 310048 bytes.
    let capture = "r70-s04_partial_backlog.pcap";
    let (verdict, code) = replay(&[capture, "--repl-backlog-size", "64kb"]);
    assert_eq!((kinds(&verdict), code), (vec!["full", "full"], 0), "{verdict:#}");
    let (verdict, code) = replay(&[capture, "--repl-backlog-size", "1mb"]);
    assert_eq!((kinds(&verdict), code), (vec!["full", "partial"], 1), "{verdict:#}");
    let notes = &verdict["links"][1]["notes"][0];
    assert!(notes.as_str().unwrap().starts_with("synthetic: 310048 bytes"), "{notes}");
    assert!(!notes.as_str().unwrap().contains("no room"), "{notes}");
    // What stands for them makes of the replica's keys those that were recorded afterwards.
    let commands = &verdict["links"][1]["replayed"]["stream"]["by_command"];
    assert!(commands["PUBLISH"].as_u64() > Some(0) && commands["SET"].as_u64() > Some(0), "{commands}");
    assert!(verdict["digest"]["replica"].is_null(), "what others stand for is not claimed: {verdict:#}");
}

#[test]
fn the_smallest_backlog_that_holds_is_found() {
    let capture = "r70-s04_partial_backlog.pcap";
    let output = repltool(&["replay", capture, "--find-backlog", "-f", "json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let size = found["repl_backlog_size"].as_u64().unwrap();
    // Redis 7 keeps its backlog in blocks of 16 KiB, of which it drops whole ones only.
    assert!((310_048 - (16 << 10)..=310_048).contains(&size), "{found}");
    for (size, kind) in [(size, "partial"), (size - 1, "full")] {
        let (verdict, _) = replay(&[capture, "--repl-backlog-size", &size.to_string()]);
        assert_eq!(kinds(&verdict), ["full", kind], "{size}");
    }
}

/// A copy of a capture, changed frame by frame: the frame's number from 0 of how many, its seconds and its bytes.
fn changed(folder: &TempDir, capture: &str, change: impl Fn(usize, usize, &mut u32, &mut [u8])) -> String {
    let mut bytes = fs::read(captures().join(capture)).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut frames, mut at) = (Vec::new(), 24);
    while at < bytes.len() {
        frames.push(at);
        at += 16 + word(&bytes, at + 8) as usize;
    }
    for (number, &at) in frames.iter().enumerate() {
        let (mut seconds, length) = (word(&bytes, at), word(&bytes, at + 8) as usize);
        change(number, frames.len(), &mut seconds, &mut bytes[at + 16..at + 16 + length]);
        bytes[at..at + 4].copy_from_slice(&seconds.to_le_bytes());
    }
    let path = folder.path().join("changed.pcap");
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Puts other words of the same length in the place of these.
fn reword(bytes: &mut [u8], words: &[u8], others: &[u8]) {
    let places = bytes.windows(words.len()).enumerate().filter(|(_, window)| *window == words);
    let places: Vec<usize> = places.map(|(at, _)| at).collect();
    for at in places {
        bytes[at..at + others.len()].copy_from_slice(others);
    }
}

#[test]
fn nobody_is_dropped_when_recorded_time_leaps() {
    let folder = TempDir::new().unwrap();
    let leap = |number: usize, of: usize, seconds: &mut u32, _: &mut [u8]| {
        if number > of * 2 / 5 {
            *seconds += 7200;
        }
    };
    let (verdict, code) = replay(&[&changed(&folder, "r70-s03_partial.pcap", leap)]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
}

#[test]
fn a_server_that_follows_itself_is_not_replayed() {
    let folder = TempDir::new().unwrap();
    // The replica says that it listens where its master does.
    let port = |_: usize, _: usize, _: &mut u32, bytes: &mut [u8]| {
        reword(bytes, b"listening-port\r\n$5\r\n16490", b"listening-port\r\n$5\r\n16379");
    };
    let (verdict, code) = replay(&[&changed(&folder, "r70-s03_partial.pcap", port)]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(false), 1));
    let why = &verdict["links"][0]["differences"][0]["replayed"];
    assert_eq!(why, "the master follows its own replica", "{verdict:#}");
}

#[test]
fn a_stream_that_no_replica_takes_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    // Every SELECT says that it has more words than it has.
    let broken = |_: usize, _: usize, _: &mut u32, bytes: &mut [u8]| {
        reword(bytes, b"$6\r\nSELECT\r\n$1", b"$6\r\nSELECT\r\n$x");
    };
    let capture = changed(&folder, "r70-s03_partial.pcap", broken);
    let began = Instant::now();
    let (verdict, code) = replay(&[&capture]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(false), 1), "{verdict:#}");
    assert!(began.elapsed() < Duration::from_secs(10), "less than one wait for nothing: {:?}", began.elapsed());
}

#[test]
fn a_signal_ends_a_replay_and_completes_what_it_writes() {
    let folder = TempDir::new().unwrap();
    let written = folder.path().join("written.pcap");
    // So slow that it waits for the second frame until the end of days.
    let mut child = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .current_dir(captures())
        .args(["replay", "r70-s03_partial.pcap", "--speed", "1e-300", "-w", written.to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let threads = PathBuf::from(format!("/proc/{}/task", child.id()));
    let is_server =
        |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("server"));
    while !fs::read_dir(&threads).unwrap().flatten().any(|task| is_server(&task)) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before a server was there");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "repltool: r70-s03_partial.pcap: the replay was interrupted\n");
    // Whatever passed until then is a capture that can be read.
    assert!(repltool(&["report", written.to_str().unwrap()]).status.success());
}

/// What differs, each in a line.
fn differences(verdict: &Value) -> String {
    let links = verdict["links"].as_array().unwrap().iter();
    let all = links.flat_map(|link| link["differences"].as_array().unwrap());
    let line = |it: &Value| format!("{}: {} / {}", it["what"], it["recorded"], it["replayed"]);
    all.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_transfer_that_is_cut_is_made_again() {
    for (capture, bytes) in [("r70-s01_full_disk.pcap", 20_000), ("v91-s08_dualchannel.pcap", 1000)] {
        let (verdict, code) = replay(&[capture, "--cut-at", &format!("rdb:{bytes}")]);
        assert_eq!(code, 1, "{verdict:#}");
        let asked = format!("a cut after {bytes} bytes of the RDB, as asked for");
        assert!(differences(&verdict).contains(&asked), "{verdict:#}");
        let (cut, again) = (&verdict["links"][0]["replayed"], &verdict["links"][1]["replayed"]);
        assert_eq!(cut["rdb"]["bytes"], bytes, "{verdict:#}");
        assert_eq!((&again["sync"]["kind"], &again["rdb"]["complete"]), (&"full".into(), &true.into()), "{verdict:#}");
        let digest = DIGESTS.iter().find(|(known, _)| *known == capture).unwrap().1;
        assert_eq!(verdict["digest"]["replica"], digest, "{verdict:#}");
    }
    let output = repltool(&["replay", "r70-s01_full_disk.pcap", "--cut-at", "rdb:1gb"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no link has an RDB of more than 1073741824 bytes"));
}

#[test]
fn the_transfer_is_another_where_that_is_asked_for() {
    for (capture, diskless, transfer) in
        [("r70-s03_partial.pcap", "yes", "diskless"), ("r70-s02_full_diskless.pcap", "no", "disk")]
    {
        let (verdict, code) = replay(&[capture, "--diskless", diskless]);
        assert_eq!(code, 1);
        assert_eq!(verdict["links"][0]["replayed"]["sync"]["transfer"], transfer);
        assert!(differences(&verdict).starts_with("\"sync.transfer\""), "{verdict:#}");
        assert_eq!(differences(&verdict).lines().count(), 1, "{verdict:#}");
    }
}

#[test]
fn a_capture_that_begins_late_begins_with_the_given_data() {
    let folder = TempDir::new().unwrap();
    let rdb = folder.path().join("given.rdb");
    let rdb = rdb.to_str().unwrap();
    assert!(repltool(&["extract", "--rdb", rdb, "r70-s01_full_disk.pcap"]).status.success());
    let (verdict, code) = replay(&["r70-s10_midstream.pcap", "--rdb", rdb]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
    let (empty, _) = replay(&["r70-s10_midstream.pcap"]);
    assert_eq!(empty["digest"]["master"], Value::Null);
    assert!(verdict["digest"]["master"].is_string());
    assert_eq!(verdict["digest"]["master"], verdict["digest"]["replica"]);
    // What is none.
    let (verdict, code) = replay(&["r70-s10_midstream.pcap", "--rdb", "r70-s10_midstream.pcap"]);
    assert_eq!(code, 1);
    assert!(differences(&verdict).contains("the given RDB cannot be loaded"), "{verdict:#}");
}

#[test]
fn a_slow_network_changes_nothing_unless_somebody_loses_patience() {
    // At this pace a second is a hundredth, and a loaded machine must not be what somebody loses patience with.
    let slow = ["r70-s01_full_disk.pcap", "--delay", "60s", "--bandwidth", "100kb", "--speed", "100"];
    let (verdict, code) = replay(&[&slow[..], &["--repl-timeout", "100000"]].concat());
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
    let (verdict, code) = replay(&[&slow[..], &["--repl-timeout", "1"]].concat());
    assert_eq!(code, 1);
    assert!(differences(&verdict).contains("the replica had come to offset 0 in the end"), "{verdict:#}");
    // Time without a pace is none.
    let output = repltool(&["replay", "r70-s01_full_disk.pcap", "--delay", "1s", "--speed", "max"]);
    assert_eq!(output.status.code(), Some(2));
}

/// The frames of a capture: the header of each, and its bytes.
fn frames(capture: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let bytes = fs::read(capture).unwrap();
    let (head, mut rest) = bytes.split_at(24);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let size = 16 + u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        frames.push(rest[..size].to_vec());
        rest = &rest[size..];
    }
    (head.to_vec(), frames)
}

#[test]
fn what_a_capture_lost_of_the_stream_is_gone_over() {
    let folder = TempDir::new().unwrap();
    let (head, mut all) = frames(&captures().join("r70-s01_full_disk.pcap"));
    // The frames with commands of the stream, and ACKs between them.
    let writes: Vec<usize> =
        (0..all.len()).filter(|at| all[*at].windows(10).any(|words| words == b"$4\r\nINCR\r\n")).collect();
    assert!(writes.len() > 2, "there are such");
    all.remove(writes[1]);
    let lossy = folder.path().join("lossy.pcap");
    fs::write(&lossy, [head, all.concat()].concat()).unwrap();
    let (verdict, code) = replay(&[lossy.to_str().unwrap()]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
    let link = &verdict["links"][0];
    assert!(link["notes"][0].as_str().unwrap().contains("others stand for what is not whole"), "{link:#}");
    assert_eq!(link["replayed"]["stream"]["last_offset"], link["recorded"]["stream"]["last_offset"]);
    assert_eq!(verdict["digest"]["master"], Value::Null, "nothing is claimed of the data");
    // The story says the same without being played.
    let output = repltool(&["replay", "--dry-run", lossy.to_str().unwrap()]);
    let story = String::from_utf8(output.stdout).unwrap();
    assert!(story.contains("others stand for what is not whole") && !story.contains("only"), "{story}");
}

#[test]
fn the_story_is_a_picture_too() {
    let output = repltool(&["replay", "--dry-run", "r40-s05_chain_psync2.pcap"]);
    let story = String::from_utf8(output.stdout).unwrap();
    let picture: Vec<&str> = story.lines().skip_while(|line| line.trim() != "A      B      C").collect();
    for line in [
        "  0.000000  |<-----|      |      link 1: PSYNC 3667f8f7 1",
        "  0.000000  |----->|      |      link 1: full at 0, disk, 53 keys",
        "  2.423196  |      |  x   |      link 2: ended by the master, fin",
        "            |      |=====>|      link 4: 1921 bytes, 53 commands to 3472, until the capture ends",
    ] {
        assert!(picture.contains(&line), "{line}\n{story}");
    }
    // A cut that is asked for is in it, and what follows from that.
    let output = repltool(&["replay", "--dry-run", "r70-s01_full_disk.pcap", "--cut-at", "1000"]);
    let story = String::from_utf8(output.stdout).unwrap();
    assert!(story.contains("|  x   |      link 1: ended by the cut that was asked for"), "{story}");
    assert!(story.contains("|----->|      link 1: what the backlog allows, from 1000 on"), "{story}");
}

#[test]
fn a_capture_on_standard_output_is_nothing_but_a_capture() {
    let folder = TempDir::new().unwrap();
    let output = repltool(&["replay", "r70-s03_partial.pcap", "-w", "-"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("reproduced: yes"));
    let again = folder.path().join("again.pcap");
    fs::write(&again, output.stdout).unwrap();
    assert_eq!(replay(&[again.to_str().unwrap()]).1, 0);
    // What was there stays where nothing can be replayed.
    fs::write(folder.path().join("none"), "none").unwrap();
    let none = folder.path().join("none");
    let output = repltool(&["replay", none.to_str().unwrap(), "-w", again.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(replay(&[again.to_str().unwrap()]).1, 0);
}

#[test]
fn what_comes_out_otherwise_is_told_with_its_place() {
    let cases: [&[&str]; 3] = [
        &["r70-s04_partial_backlog.pcap", "--repl-backlog-size", "294348"],
        &["r70-s01_full_disk.pcap", "--cut-at", "1000"],
        &["r70-s03_partial.pcap", "--diskless", "yes"],
    ];
    for case in cases {
        let (verdict, code) = replay(case);
        assert_eq!((&verdict["reproduced"], code), (&Value::from(false), 1), "{verdict:#}");
        let links = verdict["links"].as_array().unwrap().iter();
        let link = links.clone().find(|link| !link["differences"].as_array().unwrap().is_empty()).unwrap();
        let first = &link["differences"][0];
        assert!(
            first["offset"].is_u64() && first["packet"].as_u64().is_some_and(|packet| packet > 0),
            "{case:?}: {link:#}"
        );
    }
}

/// A capture of so many replicas that go on with one history, and of nothing else.
fn crowd(replicas: u16) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 101].map(u32::to_le_bytes).concat();
    let mut frame = |ports: [u16; 2], numbers: [u32; 2], flags: u8, payload: &str| {
        let length = 40 + payload.len() as u32;
        file.extend([1_700_000_000, 0, length, length].map(u32::to_le_bytes).concat());
        file.extend([0x45, 0, (length >> 8) as u8, length as u8, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        file.extend(ports.map(u16::to_be_bytes).concat());
        file.extend(numbers.map(u32::to_be_bytes).concat());
        file.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        file.extend(payload.as_bytes());
    };
    let id = "a".repeat(40);
    let talk = [
        (0, format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{id}\r\n$1\r\n1\r\n")),
        (1, format!("+CONTINUE {id}\r\n*1\r\n$4\r\nPING\r\n")),
    ];
    for port in 20_000..20_000 + replicas {
        let ports = [[port, 6379], [6379, port]];
        let mut next = [1, 1];
        frame(ports[0], [0, 0], 2, "");
        frame(ports[1], [0, 1], 0x12, "");
        for (side, words) in &talk {
            frame(ports[*side], [next[*side], next[1 - side]], 0x18, words);
            next[*side] += words.len() as u32;
        }
    }
    file
}

#[test]
fn of_a_crowd_as_many_are_played_as_there_may_be_threads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("crowd.pcap");
    fs::write(&path, crowd(300)).unwrap();
    let output = repltool(&["replay", "--dry-run", "-f", "json", path.to_str().unwrap()]);
    let story: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |part: &str| story[part].as_array().unwrap().len();
    assert_eq!((count("nodes"), count("scenes"), count("left")), (256, 255, 45));
    assert_eq!(story["left"][0]["why"], "more than 256 servers take part, and this is one more");
    fs::write(&path, crowd(60)).unwrap();
    let (verdict, code) = replay(&[path.to_str().unwrap()]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{:#}", verdict["notes"]);
}
