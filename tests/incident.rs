//! One incident from end to end, on real servers: a replica is away for longer than its master's backlog lasts. It is
//! sniffed, reported, replayed to the same outcome, and with the backlog that is found to hold to another one.

// The helpers are no tests themselves, so that the tests' exemption does not reach them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod servers;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use servers::{Running, Server, until};
use tempfile::TempDir;

fn repltool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repltool")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn json(arguments: &[&str]) -> (Value, i32) {
    let output = repltool(arguments);
    let said = || String::from_utf8_lossy(&output.stderr);
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said()));
    (value, output.status.code().unwrap())
}

fn is_up(replica: &Running) -> bool {
    String::from_utf8(replica.client().ask(&["INFO", "replication"]).bytes()).unwrap().contains("master_link_status:up")
}

fn write(master: &Running, from: usize, to: usize) {
    let commands: Vec<Vec<Vec<u8>>> = (from..to)
        .map(|number| {
            let value = format!("{number} {}", "v".repeat(60));
            [&b"SET"[..], format!("key:{}", number % 3000).as_bytes(), value.as_bytes()].map(<[u8]>::to_vec).to_vec()
        })
        .collect();
    master.client().many(&commands);
}

fn digest(server: &Running) -> String {
    server.client().ask(&["DEBUG", "DIGEST"]).text()
}

/// Has it happen, and gives the digest that both servers end with.
fn happen(server: Server, capture: &Path) -> String {
    let master = server.start(&["--repl-backlog-size", "16kb", "--repl-diskless-sync-delay", "0"]);
    let replica = server.start(&[]);
    let port = master.port.to_string();
    write(&master, 0, 500);
    let mut sniffer = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .args(["sniff", "-i", "lo", "-f", "json", "-w", capture.to_str().unwrap(), "port", &port])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    // Kept open: what it says at its end needs someone to hear it.
    let mut stderr = BufReader::new(sniffer.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("listening on lo"), "{said}");
    let mut lines = BufReader::new(sniffer.stdout.take().unwrap()).lines();

    replica.client().ask(&["REPLICAOF", "127.0.0.1", &port]).text();
    until("the first sync", || is_up(&replica));
    write(&master, 400, 600);
    assert_eq!(master.client().ask(&["WAIT", "1", "10000"]).integer(), 1);
    // Away, with its place kept.
    replica.client().ask(&["REPLICAOF", "127.0.0.1", "1"]).text();
    write(&master, 500, 3000);
    assert_eq!(master.client().ask(&["DEL", "key:7", "key:8"]).integer(), 2);
    replica.client().ask(&["REPLICAOF", "127.0.0.1", &port]).text();
    until("the second sync", || is_up(&replica));
    master.client().ask(&["SET", "last", "1"]).text();
    assert_eq!(master.client().ask(&["WAIT", "1", "10000"]).integer(), 1);
    until("the last write to be seen", || {
        lines.next().is_some_and(|line| line.unwrap().contains(r#""argv":["SET","last","1"]"#))
    });
    // And the ACK of it.
    until("its ACK to be seen", || lines.next().is_some_and(|line| line.unwrap().contains(r#""event":"ack""#)));
    assert_eq!(digest(&master), digest(&replica));
    assert!(Command::new("kill").args(["-INT", &sniffer.id().to_string()]).status().unwrap().success());
    while lines.next().is_some() {}
    assert!(sniffer.wait().unwrap().success());
    digest(&master)
}

fn kinds(verdict: &Value) -> Vec<&str> {
    let links = verdict["links"].as_array().unwrap();
    links.iter().filter_map(|link| link["replayed"]["sync"]["kind"].as_str()).collect()
}

fn incident(server: Server) {
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("incident.pcap");
    let digest = happen(server, &capture);
    let capture = capture.to_str().unwrap();

    let (report, _) = json(&["report", "--json", capture]);
    let notes = report["links"].as_array().unwrap().iter().flat_map(|link| link["notes"].as_array().unwrap());
    let overrun: Vec<_> = notes.filter(|note| note["code"] == "full-sync-backlog-overrun").collect();
    assert_eq!(overrun.len(), 1, "{report:#}");

    let (verdict, code) = json(&["replay", "-f", "json", capture]);
    assert_eq!((&verdict["reproduced"], code), (&Value::from(true), 0), "{verdict:#}");
    assert_eq!(kinds(&verdict), ["full", "full"]);
    assert_eq!((&verdict["digest"]["master"], &verdict["digest"]["replica"]), (&digest.clone().into(), &digest.into()));

    let (found, code) = json(&["replay", "-f", "json", "--find-backlog", capture]);
    assert_eq!(code, 0);
    let size = found["repl_backlog_size"].as_u64().unwrap();
    for (size, second) in [(size, "partial"), (size - 1, "full")] {
        let (verdict, _) = json(&["replay", "-f", "json", "--repl-backlog-size", &size.to_string(), capture]);
        assert_eq!(kinds(&verdict), ["full", second], "{size}: {verdict:#}");
    }

    // What is written of a replay tells the same.
    let written = folder.path().join("replayed.pcap");
    let written = written.to_str().unwrap();
    json(&["replay", "-f", "json", "-w", written, capture]);
    let (again, _) = json(&["report", "--json", written]);
    let syncs = |report: &Value| -> Vec<[Value; 4]> {
        let links = report["links"].as_array().unwrap();
        let told = |link: &Value| {
            let (sync, stream) = (&link["sync"], &link["stream"]);
            [&sync["kind"], &sync["transfer"], &sync["offset"], &stream["last_offset"]].map(Value::clone)
        };
        links.iter().map(told).collect()
    };
    assert_eq!(syncs(&again), syncs(&report));
}

#[test]
fn an_overrun_backlog_of_redis_6_2() {
    incident(Server::Redis62);
}

#[test]
fn an_overrun_backlog_of_redis_7_0() {
    incident(Server::Redis70);
}

#[test]
fn an_overrun_backlog_of_redis_8_2() {
    incident(Server::Redis82);
}

#[test]
fn an_overrun_backlog_of_valkey_8_1() {
    incident(Server::Valkey81);
}

#[test]
fn an_overrun_backlog_of_valkey_9_1() {
    incident(Server::Valkey91);
}
