//! `serve --fault`: what is broken on purpose, and what real replicas and ours make of it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod servers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use servers::{Client, PATIENCE, Reply, Running, Server, until};

/// Our master, with faults.
fn master(faults: &[&str], options: &[&str]) -> Running {
    let mut words = vec!["--role", "master", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];
    faults.iter().for_each(|fault| words.extend(["--fault", *fault]));
    words.extend(options);
    Server::Redis70.serve(&words)
}

/// A real replica.
fn replica(master: &Running, options: &[&str]) -> Running {
    let port = master.port.to_string();
    let mut words = vec!["--replicaof", "127.0.0.1", &port];
    words.extend(options);
    Server::Redis70.start(&words)
}

/// Our replica.
fn our_replica(master: &Running, options: &[&str]) -> Running {
    let port = master.port.to_string();
    let mut words = vec!["--role", "replica", "--replicaof", "127.0.0.1", &port];
    words.extend(options);
    Server::Redis70.serve(&words)
}

/// A field of INFO.
fn info(server: &Running, field: &str) -> String {
    let text = server.client().ask(&["INFO", "all"]).text();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

fn number(server: &Running, field: &str) -> i64 {
    info(server, field).parse().unwrap()
}

fn is_up(replica: &Running) -> bool {
    info(replica, "master_link_status") == "up"
}

fn set(master: &Running, key: &str, value: &str) {
    assert_eq!(master.client().ask(&["SET", key, value]), Reply::Status("OK".into()));
}

fn has(replica: &Running, key: &str, value: &str) -> bool {
    replica.client().ask(&["GET", key]) == Reply::Bulk(Some(value.as_bytes().to_vec()))
}

/// How often a line with all of these words stands in the log.
fn lines(server: &Running, words: &[&str]) -> usize {
    server.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

#[track_caller]
fn logs(server: &Running, words: &[&str]) {
    until(&format!("{words:?}"), || lines(server, words) > 0);
}

/// The name under which a replica stands in its master's log.
fn name(replica: &Running) -> String {
    format!("127.0.0.1:{}", replica.port)
}

/// A connection of our own, on which the bytes themselves are looked at.
struct Raw {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Raw {
    fn connect(server: &Running) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, seen: Vec::new() }
    }

    /// Asks for a full sync, one thing after the other.
    fn sync(&mut self) {
        self.say("REPLCONF capa eof capa psync2\r\n");
        self.wait_for(b"+OK\r\n");
        self.say("PSYNC ? -1\r\n");
    }

    fn say(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).unwrap();
    }

    /// Reads once; tells whether anything came.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = self.stream.read(&mut buffer).unwrap();
        self.seen.extend_from_slice(&buffer[..read]);
        read > 0
    }

    /// Reads until these bytes have come, and gives the place behind them.
    #[track_caller]
    fn wait_for(&mut self, bytes: &[u8]) -> usize {
        loop {
            if let Some(at) = self.seen.windows(bytes.len()).position(|window| window == bytes) {
                return at + bytes.len();
            }
            assert!(self.read(), "it ended: {}", self.seen.escape_ascii());
        }
    }

    /// Reads to the end.
    fn drain(&mut self) {
        while self.read() {}
    }

    /// The words of the line that begins so.
    fn line(&mut self, begin: &str) -> Vec<String> {
        let at = self.wait_for(begin.as_bytes()) - begin.len();
        loop {
            if let Some(end) = self.seen[at..].iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8(self.seen[at..at + end].to_vec()).unwrap();
                return line.split_ascii_whitespace().map(str::to_owned).collect();
            }
            assert!(self.read());
        }
    }
}

#[test]
fn an_rdb_is_cut_again_and_again() {
    for (options, header) in [(["--repl-diskless-sync", "yes"], "$EOF:"), (["--repl-diskless-sync", "no"], "$")] {
        let master = master(&["cut-rdb:100"], &options);
        set(&master, "a", &"x".repeat(1000));
        let replica = replica(&master, &[]);
        let words = ["Fault cut-rdb:100, ", &name(&replica), "closed after 100 bytes of the RDB"];
        until("it comes and is cut again", || lines(&master, &words) >= 2);
        assert!(!is_up(&replica));
        until("it tries again", || lines(&replica, &["MASTER <-> REPLICA sync started"]) >= 2);
        // To the byte.
        let mut raw = Raw::connect(&master);
        raw.sync();
        raw.drain();
        let header = raw.wait_for(format!("\n{header}").as_bytes());
        let begin = header + raw.seen[header..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
        assert_eq!(raw.seen.len() - begin, 100, "{}", raw.seen.escape_ascii());
        assert!(raw.seen[begin..].starts_with(b"REDIS00"));
    }
}

#[test]
fn a_link_is_cut_at_an_offset_and_goes_on_behind_it() {
    let master = master(&["cut-offset:20000"], &[]);
    let replicas = [replica(&master, &[]), our_replica(&master, &[])];
    replicas.iter().for_each(|replica| until("the link", || is_up(replica)));
    set(&master, "long", &"x".repeat(30_000));
    set(&master, "after", "1");
    for replica in &replicas {
        logs(&master, &["Fault cut-offset:20000, ", &name(replica), "closed after offset 20000 of the stream"]);
        until("it has all", || has(replica, "after", "1") && is_up(replica));
    }
    // It was in the middle of a command, which comes again as a whole.
    assert_eq!((number(&master, "sync_full"), number(&master, "sync_partial_ok")), (2, 2));
    assert_eq!(lines(&master, &["Fault cut-offset:20000, "]), 2);
}

#[test]
fn the_cut_is_at_the_very_byte() {
    let master = master(&["cut-offset:50"], &[]);
    let mut raw = Raw::connect(&master);
    raw.sync();
    let words = raw.line("+FULLRESYNC");
    let start: usize = words[2].parse().unwrap();
    let mark = raw.line("$EOF:")[0].trim_start_matches("$EOF:").to_owned();
    let header = raw.wait_for(b"$EOF:") + mark.len();
    let mut behind = 0;
    until("the mark", || {
        let found = raw.seen[header..].windows(40).position(|window| window == mark.as_bytes());
        behind = found.map_or(0, |at| header + at + 40);
        found.is_some() || !raw.read()
    });
    raw.say(&format!("REPLCONF ACK {start}\r\n"));
    set(&master, "a", &"x".repeat(100));
    raw.drain();
    assert_eq!(raw.seen.len() - behind, 50 - start);
}

#[test]
fn commands_without_an_answer() {
    let master = master(&["no-reply:REPLCONF capa", "no-reply:GET"], &[]);
    let replica = replica(&master, &["--repl-timeout", "2"]);
    let words = ["Fault no-reply:REPLCONF capa, ", &name(&replica), "REPLCONF capa gets no answer"];
    until("it gives up and comes again", || lines(&master, &words) >= 2);
    assert!(!is_up(&replica));
    // A client goes on with what comes next.
    let mut client = master.client();
    client.send(&["GET", "a"]);
    assert_eq!(client.ask(&["ECHO", "b"]), Reply::Bulk(Some(b"b".to_vec())));
    assert_eq!(client.ask(&["GET", "a"]), Reply::Bulk(None));
    logs(&master, &["Fault no-reply:GET, 127.0.0.1:", ": GET a gets no answer"]);
}

#[test]
fn psync_is_answered_otherwise() {
    // What is a passing trouble is tried again; what sounds like an old server is taken for one.
    let refusing = master(&["reply:PSYNC:-NOMASTERLINK Can't SYNC while not connected with my master"], &[]);
    let replica_of_it = replica(&refusing, &[]);
    logs(&replica_of_it, &["Master is currently unable to PSYNC but should be in the future: -NOMASTERLINK Can't"]);
    until("it comes again", || lines(&refusing, &["Fault reply:PSYNC:-NOMASTERLINK", "is not carried out"]) >= 2);
    assert!(!is_up(&replica_of_it));
    let old = master(&["reply:PSYNC:-ERR unknown command"], &[]);
    set(&old, "a", "1");
    let replica_of_it = replica(&old, &[]);
    until("it has come by SYNC", || is_up(&replica_of_it) && has(&replica_of_it, "a", "1"));
    assert_eq!(lines(&old, &["Fault reply:PSYNC:-ERR unknown command, "]), 1);
    logs(&replica_of_it, &["Retrying with SYNC..."]);
    let mut client = old.client();
    assert!(matches!(client.ask(&["PSYNC", "?", "-1"]), Reply::Error(text) if text == "ERR unknown command"));
}

#[test]
fn each_phase_can_be_late() {
    const LATE: Duration = Duration::from_millis(700);
    for (phase, before, behind) in [
        ("handshake", "+PONG\r\n", "+OK\r\n"),
        ("sync", "+OK\r\n", "+FULLRESYNC"),
        ("rdb", "+FULLRESYNC", "$EOF:"),
        ("stream", "$EOF:", "SELECT"),
    ] {
        let master = master(&[&format!("delay:{phase}:700ms")], &[]);
        let mut raw = Raw::connect(&master);
        raw.say("PING\r\n");
        raw.wait_for(b"+PONG\r\n");
        let start = Instant::now();
        raw.sync();
        raw.wait_for(before.as_bytes());
        if phase == "stream" {
            let mut stream = raw.stream.try_clone().unwrap();
            until("its ACK is heard", || {
                stream.write_all(b"REPLCONF ACK 0\r\n").unwrap();
                info(&master, "slave0").contains("state=online")
            });
            set(&master, "a", "1");
        }
        raw.wait_for(behind.as_bytes());
        assert!(start.elapsed() >= LATE, "{phase}: {:?}", start.elapsed());
        logs(&master, &[&format!("Fault delay:{phase}:700ms, "), &format!("in the phase {phase} waits 700ms")]);
    }
    // A replica that does not wait so long gives up.
    let master = master(&["delay:rdb:1m"], &[]);
    let replica = replica(&master, &["--repl-timeout", "2"]);
    logs(&replica, &["Timeout receiving bulk data from MASTER"]);
    until("it comes again", || lines(&master, &["Fault delay:rdb:1m, ", &name(&replica)]) >= 2);
    // The connection that it has left is not kept until the pause is over.
    until("the old one is gone", || number(&master, "connected_slaves") == 1);
}

/// Ends a replica's link from its own end.
fn kill_link(replica: &Running) {
    assert_eq!(replica.client().ask(&["CLIENT", "KILL", "TYPE", "master"]), Reply::Integer(1));
}

#[test]
fn under_a_wrong_replid_nobody_goes_on() {
    let master = master(&["wrong-replid"], &[]);
    let replica = replica(&master, &[]);
    until("the link", || is_up(&replica));
    let (told, id) = (info(&replica, "master_replid"), info(&master, "master_replid"));
    assert_ne!(told, id);
    logs(&master, &["Fault wrong-replid, ", &name(&replica), &format!("{told} is told in place of {id}")]);
    kill_link(&replica);
    logs(&master, &["Partial resynchronization not accepted: Replication ID mismatch", &told]);
    until("another full sync", || number(&master, "sync_full") == 2 && is_up(&replica));
}

#[test]
fn a_skewed_offset_stays_skewed() {
    let master = master(&["offset-skew:1000"], &[]);
    let replica = replica(&master, &[]);
    until("the link", || is_up(&replica));
    set(&master, "a", "1");
    until("the write", || has(&replica, "a", "1"));
    logs(&master, &["Fault offset-skew:1000, ", &name(&replica), "is told in place of"]);
    until("they are told apart", || {
        let (first, own, second) = (
            number(&master, "master_repl_offset"),
            number(&replica, "slave_repl_offset"),
            number(&master, "master_repl_offset"),
        );
        first == second && own == first + 1000
    });
    // It asks for what is still to be written.
    kill_link(&replica);
    logs(&master, &["Unable to partial resync with replica", "for lack of backlog"]);
    until("another full sync", || number(&master, "sync_full") == 2 && is_up(&replica));
}

#[test]
fn newlines_in_the_stream_count_for_the_replica_alone() {
    let master = master(&["stream-newlines"], &["--repl-ping-replica-period", "3600"]);
    for follow in [replica, our_replica] {
        let replica = follow(&master, &[]);
        until("the link", || is_up(&replica));
        let start = number(&replica, "slave_repl_offset");
        assert_eq!(start, number(&master, "master_repl_offset"));
        (0..5).for_each(|number| set(&master, "a", &number.to_string()));
        until("the writes", || has(&replica, "a", "4"));
        // SELECT and five times SET.
        until("six newlines", || number(&replica, "slave_repl_offset") == number(&master, "master_repl_offset") + 6);
        let told = format!("newlines that only the replica counts come after offset {start}");
        logs(&master, &["Fault stream-newlines, ", &name(&replica), &told]);
        let fulls = number(&master, "sync_full");
        kill_link(&replica);
        logs(&master, &[&format!("Unable to partial resync with replica {} for lack of backlog", name(&replica))]);
        until("another full sync", || number(&master, "sync_full") == fulls + 1 && is_up(&replica));
        drop(replica);
        until("it is gone", || info(&master, "connected_slaves") == "0");
    }
}

#[test]
fn the_first_ack_is_lost() {
    let master = master(&["lose-first-ack"], &[]);
    let replicas = [replica(&master, &[]), our_replica(&master, &[])];
    for replica in &replicas {
        logs(&master, &["Fault lose-first-ack, ", &name(replica), "the ACK of offset "]);
        logs(&master, &[&format!("Synchronization with replica {} succeeded", name(replica))]);
    }
    set(&master, "a", "1");
    for replica in &replicas {
        until("the next ACK makes it one", || has(replica, "a", "1"));
    }
    let done = ["Background RDB transfer terminated with success"];
    let before = lines(&master, &done);
    // One that acknowledges once only gets nothing of the stream.
    let mut raw = Raw::connect(&master);
    raw.sync();
    raw.wait_for(b"$EOF:");
    until("the RDB is sent", || lines(&master, &done) == before + 1);
    raw.say("REPLCONF ACK 0\r\n");
    until("that is lost", || lines(&master, &["Fault lose-first-ack, "]) == 3);
    let online = |count: usize| {
        let text = master.client().ask(&["INFO", "replication"]).text();
        let seen: Vec<&str> = text.lines().filter(|line| line.starts_with("slave") && line.contains(":ip=")).collect();
        seen.len() == 3 && lines(&master, &["Synchronization with replica", "succeeded"]) == count
    };
    assert!(online(2));
    raw.say("REPLCONF ACK 0\r\n");
    until("the second is heard", || online(3));
}

#[test]
fn the_mark_comes_in_a_packet_of_its_own() {
    let master = master(&["late-eof-mark:700ms"], &[]);
    set(&master, "a", "1");
    let replicas = [replica(&master, &[]), our_replica(&master, &[])];
    for replica in &replicas {
        until("the link", || is_up(replica) && has(replica, "a", "1"));
        logs(&master, &["Fault late-eof-mark:700ms, ", &name(replica), "the mark behind the RDB comes 700ms late"]);
    }
    let mut raw = Raw::connect(&master);
    raw.sync();
    let mark = raw.line("$EOF:")[0].trim_start_matches("$EOF:").to_owned().into_bytes();
    let begin = Instant::now();
    let ends = |bytes: &[u8]| bytes.ends_with(&mark) && bytes.windows(40).filter(|window| *window == mark).count() == 2;
    let mut last = Vec::new();
    while !ends(&raw.seen) {
        last = raw.seen.clone();
        assert!(raw.read());
    }
    // All of the RDB was there before.
    assert_eq!(raw.seen.len() - last.len(), 40);
    assert!(begin.elapsed() >= Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[test]
fn syncs_over_two_channels_have_faults_too() {
    for (server, option) in
        [(Server::Redis82, "--repl-rdb-channel"), (Server::Valkey91, "--dual-channel-replication-enabled")]
    {
        let start = |faults: &[&str], role: &[&str]| {
            let mut words = vec![option, "yes", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];
            faults.iter().for_each(|fault| words.extend(["--fault", *fault]));
            words.extend(role);
            server.serve(&words)
        };
        let follow =
            |master: &Running| start(&[], &["--role", "replica", "--replicaof", "127.0.0.1", &master.port.to_string()]);
        let wrong = start(&["wrong-replid"], &["--role", "master"]);
        let replica = follow(&wrong);
        logs(&wrong, &["Fault wrong-replid, ", &name(&replica), "is told in place of"]);
        if server.is_valkey() {
            // Its main connection asks for the stream under that id, and so never gets it.
            let refused = ["Partial resynchronization not accepted: Replication ID mismatch"];
            until("it is refused again and again", || lines(&wrong, &refused) >= 2);
            assert!(!is_up(&replica));
        } else {
            until("the link", || is_up(&replica));
            assert_ne!(info(&replica, "master_replid"), info(&wrong, "master_replid"));
        }
        let master = start(&["cut-offset:2000"], &["--role", "master"]);
        set(&master, "a", "1");
        let replica = follow(&master);
        until("the link", || is_up(&replica) && has(&replica, "a", "1"));
        set(&master, "long", &"x".repeat(3000));
        set(&master, "after", "1");
        logs(&master, &["Fault cut-offset:2000, ", &name(&replica), "closed after offset 2000 of the stream"]);
        until("it has all", || is_up(&replica) && has(&replica, "after", "1"));
        let cut = start(&["cut-rdb:50"], &["--role", "master"]);
        let replica = follow(&cut);
        until("it is cut again and again", || lines(&cut, &["Fault cut-rdb:50, ", "closed after 50 bytes"]) >= 2);
        assert!(!is_up(&replica));
    }
}

#[test]
fn what_is_no_fault_is_refused_with_a_list() {
    let output = Command::new(env!("CARGO_BIN_EXE_repltool")).args(["serve", "--fault", "cut"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no fault is called 'cut': there are cut-rdb:BYTES, cut-offset:N, "), "{said}");
}

#[test]
fn faults_are_announced() {
    let master = master(&["wrong-replid", "cut-rdb:1kb"], &[]);
    for fault in ["wrong-replid", "cut-rdb:1024"] {
        assert_eq!(lines(&master, &[&format!("# Fault {fault}: will break the protocol on purpose")]), 1);
    }
    // Clients see nothing of them.
    assert_eq!(
        Client::new(TcpStream::connect(("127.0.0.1", master.port)).unwrap()).ask(&["GET", "a"]),
        Reply::Bulk(None)
    );
}
