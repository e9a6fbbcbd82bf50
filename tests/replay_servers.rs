//! `repltool replay` with real servers on one side: `--to` a real master, `--listen` for a real replica.

// The helpers are no tests themselves, so that the tests' exemption does not reach them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod servers;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use servers::{Running, Server, free_port};
use tempfile::TempDir;

fn command(arguments: &[&str]) -> Command {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
    let mut command = Command::new(env!("CARGO_BIN_EXE_repltool"));
    command.current_dir(captures).args(arguments).stdin(Stdio::null());
    command
}

fn repltool(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    let said = || String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said()))
}

/// A replay that waits for replicas.
struct Listening {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Listening {
    fn new(arguments: &[&str]) -> Self {
        let arguments = [&["replay", "-f", "json", "--as", "master"], arguments].concat();
        let mut child = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// The port that the replica is to be told.
    fn port(&mut self) -> u16 {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        let (_, told) = line.trim_end().split_once(": tell the replica REPLICAOF ").unwrap_or_else(|| panic!("{line}"));
        let (host, port) = told.split_once(' ').unwrap();
        assert_eq!(line, format!("listening on {host}:{port}: tell the replica REPLICAOF {host} {port}\n"));
        assert_eq!(host, "127.0.0.1");
        port.parse().unwrap()
    }

    /// Has a server follow it.
    fn invite(&mut self, replica: &Running) {
        let port = self.port().to_string();
        assert_eq!(replica.client().ask(&["REPLICAOF", "127.0.0.1", &port]).text(), "OK");
    }

    /// The verdict and the exit code.
    fn verdict(mut self) -> (Value, i32) {
        let output = self.child.wait_with_output().unwrap();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
        (json(&output), output.status.code().unwrap())
    }
}

/// Plays a capture to a real replica.
fn listen(replica: &Running, arguments: &[&str]) -> (Value, i32) {
    let mut listening = Listening::new(&[arguments, &["--listen", "0"]].concat());
    listening.invite(replica);
    listening.verdict()
}

/// The kinds of the replayed syncs.
fn kinds(verdict: &Value) -> Vec<&str> {
    let links = verdict["links"].as_array().unwrap();
    links.iter().filter_map(|link| link["replayed"]["sync"]["kind"].as_str()).collect()
}

/// All that differs, in the words for what.
fn differences(verdict: &Value) -> Vec<&str> {
    let links = verdict["links"].as_array().unwrap();
    let all = links.iter().flat_map(|link| link["differences"].as_array().unwrap());
    all.map(|difference| difference["what"].as_str().unwrap()).collect()
}

/// Captures, DEBUG DIGEST of the recorded servers in the end, and the syncs.
const STORIES: &[(&str, &str, &[&str])] = &[
    ("r70-s01_full_disk.pcap", "976679d259b42361281a665824d49506f2e6425d", &["full"]),
    ("r28-s01_full_disk.pcap", "c24fa3f60bcc8c77a245960e6b29cf22e41209ea", &["full"]),
    ("r70-s02_full_diskless.pcap", "017f1144e6f7ee52a2632604de03827e747e4d85", &["full"]),
    ("r70-s03_partial.pcap", "692c5572180639e2059e1787a8cb64b41269b3e3", &["full", "partial", "partial"]),
    ("r82-s02_full_diskless.pcap", "b89b26cd1de333f5dd889c651defccd33f3dfd22", &["full"]),
    ("v91-s08_dualchannel.pcap", "e93221f0e75556374e889c74f7ce056cfef3939b", &["full", "partial"]),
];

/// What becomes of a story with a replica of this version.
#[derive(Debug, PartialEq)]
enum End {
    Same,
    /// It does not read what the recorded data needs: functions came with 7.0, fields that expire with 7.4.
    Unreadable,
    /// It does not know the payload of a RESTORE in the stream.
    Errors,
}

fn end(server: Server, capture: &str) -> End {
    match (server, &capture[..3]) {
        (Server::Redis62, "r70" | "r82" | "v91") | (Server::Redis70 | Server::Valkey81, "r82" | "v91") => {
            End::Unreadable
        }
        (Server::Redis82, "v91") | (Server::Valkey91, "r82") => End::Errors,
        _ => End::Same,
    }
}

fn real_replica(server: Server) {
    let replica = server.start(&[]);
    for (capture, digest, syncs) in STORIES {
        let (verdict, code) = listen(&replica, &[capture]);
        let held = replica.client().ask(&["DEBUG", "DIGEST"]).text();
        let case = format!("{server:?} {capture}: {verdict:#}\n{}", replica.log());
        assert_eq!(verdict["server"], server.compat(), "{case}");
        let (end, notes) = (end(server, capture), verdict["links"].to_string());
        assert_eq!(verdict["reproduced"], end == End::Same, "{case}");
        assert_eq!(code, i32::from(end != End::Same), "{case}");
        if end == End::Unreadable {
            assert!(notes.contains("the replica let go of the RDB, REDIS001"), "{case}");
            assert!(notes.contains(&format!("; it is a {}", server.compat())), "{case}");
            continue;
        }
        assert_eq!(kinds(&verdict), *syncs, "{case}");
        if end == End::Errors {
            assert!(notes.contains("the replica has answered 1 commands of the stream with an error"), "{case}");
            continue;
        }
        // Nothing is claimed where our master could not apply all of it.
        if !verdict["digest"]["master"].is_null() {
            assert_eq!(verdict["digest"]["dialect"], server.compat(), "{case}");
            assert_eq!(verdict["digest"]["master"], held, "{case}");
            assert_eq!(verdict["digest"]["replica"], held, "{case}");
        }
        // How scores are summed up has changed in 7.2.
        let before = |name: &str| ["redis-6.2", "redis-7.0", "r28", "r70"].contains(&name);
        if before(server.compat()) == before(&capture[..3]) {
            assert_eq!(held, *digest, "{case}");
        }
    }
}

#[test]
fn a_redis_6_2_ends_as_the_recorded_replica_did() {
    real_replica(Server::Redis62);
}

#[test]
fn a_redis_7_0_ends_as_the_recorded_replica_did() {
    real_replica(Server::Redis70);
}

#[test]
fn a_redis_8_2_ends_as_the_recorded_replica_did() {
    real_replica(Server::Redis82);
}

#[test]
fn a_valkey_8_1_ends_as_the_recorded_replica_did() {
    real_replica(Server::Valkey81);
}

#[test]
fn a_valkey_9_1_ends_as_the_recorded_replica_did() {
    real_replica(Server::Valkey91);
}

#[test]
fn two_channels_are_two_again() {
    let cases =
        [(Server::Redis82, "--repl-rdb-channel", 4), (Server::Valkey91, "--dual-channel-replication-enabled", 5)];
    for (server, option, story) in cases {
        let (capture, digest, syncs) = STORIES[story];
        let replica = server.start(&[option, "yes"]);
        let (verdict, code) = listen(&replica, &[capture]);
        assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
        let sync = &verdict["links"][0]["replayed"]["sync"];
        assert!(["rdb-channel", "dual-channel"].contains(&sync["transfer"].as_str().unwrap()), "{verdict:#}");
        assert_eq!((kinds(&verdict), &verdict["digest"]["replica"]), (syncs.to_vec(), &Value::from(digest)));
    }
}

#[test]
fn a_backlog_that_was_overrun_is_overrun_again() {
    // What the replica asks for then the master has, as a matter of fact.
    let replica = Server::Redis70.start(&[]);
    let (verdict, code) = listen(&replica, &["r70-s04_partial_backlog.pcap"]);
    assert_eq!((kinds(&verdict), code), (vec!["full", "full"], 0), "{verdict:#}");
    assert_eq!(verdict["digest"]["master"], verdict["digest"]["replica"], "{verdict:#}");
}

#[test]
fn a_real_replica_comes_back_after_a_cut() {
    let replica = Server::Redis70.start(&[]);
    let (verdict, code) = listen(&replica, &["r70-s01_full_disk.pcap", "--cut-at", "2000"]);
    assert_eq!((kinds(&verdict), code), (vec!["full", "partial"], 1), "{verdict:#}");
    assert_eq!(verdict["digest"]["replica"], STORIES[0].1, "{verdict:#}");
    // With another backlog the master has no longer what the recorded one had.
    let (verdict, code) = listen(&replica, &["r70-s03_partial.pcap", "--repl-backlog-size", "16kb"]);
    assert_eq!((kinds(&verdict), code), (vec!["full", "partial", "partial"], 0), "{verdict:#}");
}

#[test]
fn several_replicas_are_fed_one_after_the_other() {
    let folder = TempDir::new().unwrap();
    let written = folder.path().join("written.pcap");
    let mut listening =
        Listening::new(&["r70-s03_partial.pcap", "--listen", "0,127.0.0.1:0", "-w", written.to_str().unwrap()]);
    let (first, second) = (Server::Redis70.start(&[]), Server::Valkey91.start(&[]));
    listening.invite(&first);
    listening.invite(&second);
    let (verdict, code) = listening.verdict();
    assert_eq!((verdict["reproduced"].as_bool(), code), (Some(true), 0), "{verdict:#}");
    let targets = verdict["targets"].as_array().unwrap();
    let servers: Vec<_> = targets.iter().map(|target| target["server"].as_str().unwrap()).collect();
    assert_eq!(servers, ["redis-7.0", "valkey-9.1"]);
    // The capture has both conversations.
    let report = json(&repltool(&["report", "--json", written.to_str().unwrap()]));
    let syncs = report["links"].as_array().unwrap().iter().filter_map(|link| link["sync"]["kind"].as_str());
    let syncs: Vec<_> = syncs.filter(|kind| ["full", "partial"].contains(kind)).collect();
    assert_eq!(syncs, ["full", "partial", "partial", "full", "partial", "partial"]);
}

/// From here on it wants a password.
fn lock(server: &Running) {
    server.client().ask(&["CONFIG", "SET", "requirepass", "secret"]);
    server.password.set(Some("secret"));
}

#[test]
fn passwords_are_asked_for_and_said() {
    let replica = Server::Redis70.start(&["--masterauth", "secret"]);
    lock(&replica);
    let (verdict, code) = listen(&replica, &["r70-s01_full_disk.pcap", "--masterauth", "secret"]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
    assert_eq!(verdict["digest"]["replica"], STORIES[0].1, "{verdict:#}");
    // Without it the digest cannot be asked for, and nothing else is amiss.
    let open = Server::Redis70.start(&[]);
    lock(&open);
    let (verdict, code) = listen(&open, &["r70-s01_full_disk.pcap"]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
    assert!(verdict["digest"]["replica"].is_null(), "{verdict:#}");
    let note = verdict["links"][0]["notes"][0].as_str().unwrap();
    assert!(note.starts_with("what the replica holds is not known: it answers DEBUG DIGEST with NOAUTH"), "{note}");

    let to = format!("127.0.0.1:{}", replica.port);
    replica.client().ask(&["REPLICAOF", "NO", "ONE"]);
    let said = repltool(&["replay", "-f", "json", "r70-s03_partial.pcap", "--to", &to, "--as", "replica"]);
    let verdict = json(&said);
    assert_eq!((&verdict["reproduced"], said.status.code()), (&Value::from(false), Some(1)), "{verdict:#}");
    let why = verdict["links"][0]["differences"][0]["replayed"].as_str().unwrap();
    assert_eq!(why, format!("no sync with {to}: the master answers PSYNC with -NOAUTH Authentication required."));
    let mut arguments = vec!["replay", "-f", "json", "r70-s03_partial.pcap", "--to", &to, "--as", "replica"];
    arguments.extend(["--masterauth", "secret"]);
    replica.client().ask(&["CONFIG", "SET", "repl-diskless-sync", "no"]);
    let verdict = json(&repltool(&arguments));
    assert_eq!(verdict["reproduced"], true, "{verdict:#}");
}

#[test]
fn real_masters_are_asked_as_the_recorded_one_was() {
    let masters: Vec<Running> =
        Server::ALL.iter().map(|server| server.start(&["--repl-diskless-sync", "no"])).collect();
    for master in &masters {
        master.client().ask(&["SET", "a", "1"]);
    }
    let places: Vec<String> = masters.iter().map(|master| format!("127.0.0.1:{}", master.port)).collect();
    let folder = TempDir::new().unwrap();
    let written = folder.path().join("written.pcap");
    let arguments = ["replay", "-f", "json", "r70-s03_partial.pcap", "--as", "replica", "--to", &places.join(",")];
    let output = repltool(&[&arguments[..], &["-w", written.to_str().unwrap()]].concat());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let verdict = json(&output);
    let targets = verdict["targets"].as_array().unwrap();
    for ((master, place), target) in masters.iter().zip(&places).zip(targets) {
        assert_eq!((target["to"].as_str(), target["server"].as_str()), (Some(&**place), Some(master.server.compat())));
        assert_eq!(kinds(target), ["full", "partial", "partial"], "{target:#}");
        // A Valkey 9 sends old versions without a file in between, which the recorded master did not.
        let other: &[&str] = if master.server == Server::Valkey91 { &["sync.transfer"] } else { &[] };
        assert_eq!(differences(target), other, "{target:#}");
        assert_eq!(target["reproduced"], other.is_empty(), "{target:#}");
    }
    assert_eq!((targets.len(), verdict["reproduced"].as_bool(), output.status.code()), (5, Some(false), Some(1)));
    let report = json(&repltool(&["report", "--json", written.to_str().unwrap()]));
    let links = report["links"].as_array().unwrap();
    assert_eq!(links.len(), 15);
    assert_eq!(links[0]["rdb"]["keys"], 1, "{report:#}");
    // The replica has said what it has before it left.
    assert!(links[0]["acks"]["count"].as_u64() >= Some(1), "{report:#}");
}

#[test]
fn at_the_recordings_pace_the_replica_is_away_as_long() {
    let master = Server::Redis70.start(&["--repl-diskless-sync", "no"]);
    let to = format!("127.0.0.1:{}", master.port);
    let began = Instant::now();
    let arguments = ["replay", "-f", "json", "r70-s03_partial.pcap", "--to", &to, "--as", "replica", "--speed", "0.5"];
    let verdict = json(&repltool(&arguments));
    assert_eq!(verdict["reproduced"], true, "{verdict:#}");
    // The last link begins 1.59 s behind the first.
    assert!(began.elapsed() > Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_master_that_has_another_transfer_is_found() {
    let master = Server::Redis82.start(&["--repl-diskless-sync-delay", "0"]);
    let to = format!("127.0.0.1:{}", master.port);
    let said = repltool(&["replay", "-f", "json", "v91-s08_dualchannel.pcap", "--to", &to, "--as", "replica"]);
    let verdict = json(&said);
    assert_eq!((kinds(&verdict), said.status.code()), (vec!["full", "partial"], Some(1)), "{verdict:#}");
    assert_eq!(differences(&verdict), ["sync.transfer"], "{verdict:#}");
    let master =
        Server::Valkey91.start(&["--repl-diskless-sync-delay", "0", "--dual-channel-replication-enabled", "yes"]);
    let to = format!("127.0.0.1:{}", master.port);
    let said = repltool(&["replay", "-f", "json", "v91-s08_dualchannel.pcap", "--to", &to, "--as", "replica"]);
    let verdict = json(&said);
    assert_eq!((differences(&verdict), said.status.code()), (vec![], Some(0)), "{verdict:#}");
}

#[test]
fn who_cannot_be_connected_to_is_told_in_a_sentence() {
    let refusing = format!("127.0.0.1:{}", free_port());
    let to = |place: &str| repltool(&["replay", "r70-s03_partial.pcap", "--to", place, "--as", "replica"]);
    let output = to(&refusing);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("repltool: {refusing} cannot be connected to: Connection refused (os error 111)\n"));
    let output = to("no-such-host.invalid:1");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("repltool: no-such-host.invalid:1 cannot be connected to: "), "{said}");
    assert_eq!(said.lines().count(), 1);
    // Of several the others are tried.
    let master = Server::Redis70.start(&["--repl-diskless-sync", "no"]);
    let output = to(&format!("{refusing},127.0.0.1:{}", master.port));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("reproduced: yes\n"));
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let said = |arguments: &[&str]| {
        let output = repltool(&[&["replay", "r70-s03_partial.pcap"], arguments].concat());
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&["--to", "a:1"]).contains("--as"));
    assert!(said(&["--as", "master"]).contains("--to"));
    assert!(said(&["--to", "a:1", "--listen", "1", "--as", "master"]).contains("cannot be used with"));
    assert!(said(&["--to", "a:1", "--as", "replica", "--cut-at", "100"]).contains("cannot be used with"));
    assert!(said(&["--listen", "0", "--as", "master", "--find-backlog"]).contains("cannot be used with"));
    assert!(said(&["--to", "6379", "--as", "replica"]).contains("HOST:PORT"));
    let wrong = said(&["--to", "a:1", "--as", "master"]);
    assert_eq!(wrong, "repltool: --to plays the replica's side to a real master: --as replica\n");
    let wrong = said(&["--listen", "0", "--as", "replica"]);
    assert_eq!(wrong, "repltool: --listen plays the master's side to a real replica: --as master\n");
}

#[test]
fn one_replica_is_played_and_the_others_are_named() {
    let output = repltool(&["replay", "--dry-run", "r40-s05_chain_psync2.pcap", "--listen", "0", "--as", "master"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("is left out: one replica is played, that of link 1\n"), "{said}");
    // It follows another master in the end, whose place is taken by the one.
    let replica = Server::Redis62.start(&[]);
    let (verdict, code) = listen(&replica, &["r40-s05_chain_psync2.pcap"]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
    let recorded = verdict["links"].as_array().unwrap().iter().filter(|link| !link["replayed"].is_null()).count();
    assert_eq!(kinds(&verdict).len(), recorded);
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_signal_ends_the_waiting_for_a_replica() {
    let mut listening = Listening::new(&["r70-s03_partial.pcap", "--listen", "0"]);
    listening.port();
    let began = Instant::now();
    interrupt(&listening.child);
    let output = listening.child.wait_with_output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let mut said = String::new();
    listening.stderr.read_to_string(&mut said).unwrap();
    assert_eq!(
        (said.as_str(), output.status.code()),
        ("repltool: r70-s03_partial.pcap: the replay was interrupted\n", Some(2))
    );
}

#[test]
fn a_signal_ends_a_replay_with_a_real_replica_under_way() {
    // At this pace it would take days.
    let mut listening = Listening::new(&["r70-s03_partial.pcap", "--listen", "0", "--speed", "0.0001"]);
    let replica = Server::Redis70.start(&[]);
    listening.invite(&replica);
    while !String::from_utf8(replica.client().ask(&["INFO", "replication"]).bytes()).unwrap().contains("link_status:up")
    {
        thread::yield_now();
    }
    interrupt(&listening.child);
    let output = listening.child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
