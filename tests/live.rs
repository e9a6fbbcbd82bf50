//! Live capture beside real servers: a master, a replica, and the walkthrough of their sync as it happens.
//!
//! Needs redis-server, and the permission to capture on the loopback interface.

#![cfg(feature = "live")]

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn redis(port: u16, folder: &Path, more: &[&str]) -> Running {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--repl-diskless-sync-delay", "0", "--dir"])
        .arg(folder)
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server must be installed");
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "redis-server does not listen on {port}");
        thread::yield_now();
    }
    Running(child)
}

/// Sends one command and waits for the first line of the reply.
fn ask(port: u16, line: &str) -> String {
    use std::io::Write;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply).unwrap();
    reply
}

struct Sniffer {
    child: Running,
    lines: mpsc::Receiver<Value>,
}

/// Starts a live capture and waits until it listens.
fn sniff(arguments: &[&str]) -> Sniffer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .args(["sniff", "-i", "lo", "-f", "json"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    assert!(first.contains("listening on lo"), "{first}");
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(serde_json::from_str(&line).expect("every line is JSON")).is_err() {
                break;
            }
        }
    });
    // What the child says at its end must not fill the pipe.
    thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    Sniffer { child: Running(child), lines }
}

impl Sniffer {
    /// Waits for an event that `wanted` accepts; gives it and all before it.
    fn until(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let event = match self.lines.recv_timeout(PATIENCE) {
                Ok(event) => event,
                Err(error) => panic!("{error} after {seen:#?}"),
            };
            let found = wanted(&event);
            seen.push(event);
            if found {
                return seen;
            }
        }
    }

    /// Ctrl-C; gives the exit code and the rest of the events.
    fn interrupt(mut self) -> (i32, Vec<Value>) {
        signal(self.child.0.id());
        let status = self.child.0.wait().unwrap();
        (status.code().unwrap_or(-1), self.lines.iter().collect())
    }
}

fn signal(pid: u32) {
    assert!(Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_sync_is_shown_as_it_happens_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sub = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let (master_port, replica_port) = (free_port(), free_port());
    let _master = redis(master_port, &sub("master"), &["--requirepass", "hidden-word"]);
    let kept = folder.path().join("kept.pcap");
    let filter = format!("port {master_port}");
    let sniffer = sniff(&["-w", kept.to_str().unwrap(), &filter]);
    let replicaof = format!("127.0.0.1 {master_port}");
    let _replica = redis(replica_port, &sub("replica"), &["--masterauth", "hidden-word", "--replicaof", &replicaof]);

    let seen = sniffer.until(|event| event["event"] == "ack");
    let names: Vec<&str> = seen.iter().filter_map(|event| event["event"].as_str()).collect();
    for expected in ["connect", "command", "reply", "fullresync", "rdb_begin", "rdb_end", "ack"] {
        assert!(names.contains(&expected), "{expected} is not among {names:?}");
    }
    assert!(!format!("{seen:?}").contains("hidden-word"), "the password is shown");
    let asked = seen.iter().find(|event| event["name"] == "PSYNC").unwrap();
    assert_eq!(asked["replid"], "?");

    let mut master = TcpStream::connect(("127.0.0.1", master_port)).unwrap();
    {
        use std::io::Write;
        master.write_all(b"AUTH hidden-word\r\nSET story told\r\n").unwrap();
    }
    let seen = sniffer.until(|event| event["event"] == "write" && event["name"] == "SET");
    assert_eq!(seen.last().unwrap()["argv"], serde_json::json!(["SET", "story", "told"]));
    assert_eq!(seen.last().unwrap()["db"], 0);
    let offset = seen.last().unwrap()["offset"].as_u64().unwrap();
    sniffer.until(|event| event["event"] == "ack" && event["offset"].as_u64() == Some(offset) && event["lag"] == 0);

    let (code, rest) = sniffer.interrupt();
    assert_eq!(code, 0, "Ctrl-C is no failure");
    assert_eq!(rest.last().unwrap()["event"], "close");

    // What -w kept tells the same story.
    let output = Command::new(env!("CARGO_BIN_EXE_repltool"))
        .args(["report", "--json", kept.to_str().unwrap()])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let link = &report["links"][0];
    assert_eq!(link["sync"]["kind"], "full");
    assert_eq!(link["auth"], "ok");
    assert_eq!(link["rdb"]["checksum"], "ok");
    assert!(link["stream"]["last_offset"].as_u64().unwrap() >= offset);
    assert_eq!(link["gaps"]["count"], 0);
    assert!(ask(replica_port, "PING").starts_with("+PONG"));
}

#[test]
fn what_cannot_be_captured_is_said_in_a_sentence() {
    for (arguments, expected) in
        [(&["-i", "no-such-interface"][..], "-D lists"), (&["-i", "lo", "this", "is", "no", "filter"][..], "filter")]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_repltool")).arg("sniff").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let list = Command::new(env!("CARGO_BIN_EXE_repltool")).args(["sniff", "-D"]).output().unwrap();
    assert!(String::from_utf8_lossy(&list.stdout).lines().any(|line| line.contains(".lo")));
}
