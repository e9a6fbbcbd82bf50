//! The master's rules one by one, with the bytes that real servers send.

use super::*;
use crate::repl::replica::{Event, Lost};

const A: ConnectionId = ConnectionId(5);
const B: ConnectionId = ConnectionId(6);
const ID: &str = "8ea2e4d2c4b0a1f9d1c0b7e6a5f4d3c2b1a09f8e";

struct Bench {
    master: Master,
    now: Moment,
    actions: Vec<Action>,
}

fn bench(change: impl FnOnce(&mut Settings)) -> Bench {
    of(Compat::redis(7, 0), change)
}

fn of(compat: Compat, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut settings = Settings { diskless_delay: 0, ..Settings::new(compat) };
    change(&mut settings);
    Bench { master: Master::new(settings, 1), now: Moment(0), actions: Vec::new() }
}

impl Bench {
    /// Says a line of words and gives what is written on that connection for it.
    fn say(&mut self, id: ConnectionId, line: &str) -> String {
        let words: Vec<&[u8]> =
            line.split(' ').map(|word| if word == "\"\"" { b"" } else { word.as_bytes() }).collect();
        assert_eq!(self.master.command(id, &words, false, self.now), Handled::Yes);
        self.written(id)
    }

    fn take(&mut self) {
        while let Some(action) = self.master.poll() {
            self.actions.push(action);
        }
    }

    fn written(&mut self, id: ConnectionId) -> String {
        self.take();
        let mut text = String::new();
        self.actions.retain(|action| match action {
            Action::Write { connection, bytes } if *connection == id => {
                text.push_str(std::str::from_utf8(bytes).unwrap());
                false
            }
            _ => true,
        });
        text
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now.after(millis);
        self.master.tick(self.now);
        self.take();
    }

    fn snapshot(&mut self) -> BeginSnapshot {
        self.take();
        let at = self.actions.iter().position(|action| matches!(action, Action::BeginSnapshot(_))).expect("a snapshot");
        match self.actions.remove(at) {
            Action::BeginSnapshot(begin) => begin,
            _ => unreachable!(),
        }
    }

    fn closed(&mut self, id: ConnectionId) -> Option<CloseReason> {
        self.take();
        self.actions.iter().find_map(|action| match action {
            Action::Close { connection, reason } if *connection == id => Some(*reason),
            _ => None,
        })
    }

    fn has(&mut self, action: &Action) -> bool {
        self.take();
        self.actions.contains(action)
    }

    fn stream(&mut self, id: ConnectionId) -> String {
        let bytes: Vec<u8> = self.master.stream(id).flatten().copied().collect();
        self.master.stream_written(id, bytes.len());
        String::from_utf8(bytes).unwrap()
    }

    fn append(&mut self, db: u32, length: usize) {
        self.master.append(Some(db), &vec![b'x'; length], self.now);
    }

    fn replid(&self) -> String {
        self.master.history().replid().to_string()
    }

    /// A replica that has had its full sync and acknowledged it.
    fn online(&mut self, id: ConnectionId) -> &mut Self {
        self.say(id, "REPLCONF capa eof capa psync2");
        self.say(id, "PSYNC ? -1");
        let begin = self.snapshot();
        if begin.form == Form::Stored {
            self.master.snapshot_ready(begin.id, 18, self.now);
            self.master.payload_written(id, self.now);
        } else {
            self.master.snapshot_finished(begin.id, self.now);
        }
        let line = format!("REPLCONF ACK {}", self.master.offset());
        self.say(id, &line);
        self.actions.clear();
        self
    }

    fn state(&self, id: ConnectionId) -> &'static str {
        let found = self.master.replicas(self.now).find(|replica| replica.connection == id);
        found.map_or("none", |replica| replica.state)
    }
}

#[test]
fn replconf_answers_once_and_with_the_servers_words() {
    let mut bench = bench(|_| {});
    let cases = [
        ("REPLCONF listening-port 16490 ip-address 10.0.0.1", "+OK\r\n"),
        ("REPLCONF", "+OK\r\n"),
        ("REPLCONF capa eof capa psync2 capa what-is-this", "+OK\r\n"),
        ("REPLCONF capa", "-ERR syntax error\r\n"),
        ("REPLCONF listening-port many", "-ERR value is not an integer or out of range\r\n"),
        ("REPLCONF rdb-only 2", "-ERR value is out of range, value must between 0 and 1\r\n"),
        ("REPLCONF rdb-filter-only keys", "-ERR Unsupported rdb-filter-only option: keys\r\n"),
        ("REPLCONF version 8.1.8", "-ERR Unrecognized REPLCONF option: version\r\n"),
        ("REPLCONF main-ch-client-id 5", "-ERR Unrecognized REPLCONF option: main-ch-client-id\r\n"),
        ("REPLCONF x 1 capa eof", "-ERR Unrecognized REPLCONF option: x\r\n"),
        ("REPLCONF ACK 5", ""),
        ("REPLCONF GETACK *", ""),
    ];
    for (line, reply) in cases {
        assert_eq!(bench.say(A, line), reply, "{line}");
    }
    let long = format!("REPLCONF ip-address {}", "1".repeat(300));
    let reply = "-ERR REPLCONF ip-address provided by replica instance is too long: 300 bytes\r\n";
    assert_eq!(bench.say(A, &long), reply);
    let mut valkey = of(Compat::valkey(9, 1, 2), |_| {});
    assert_eq!(valkey.say(A, "REPLCONF version 9.1.2"), "+OK\r\n");
    assert_eq!(valkey.say(A, "REPLCONF version abc"), "-ERR Unrecognized version format: abc\r\n");
    assert_eq!(valkey.say(A, "REPLCONF set-rdb-client-id 7"), "-ERR Unrecognized RDB client id 7\r\n");
    let mut redis = of(Compat::redis(8, 2), |_| {});
    assert_eq!(redis.say(A, "REPLCONF main-ch-client-id 7"), "-ERR Unrecognized RDB client id: 7\r\n");
    // What ordinary clients say is none of this machine's business.
    assert_eq!(redis.master.command(A, &[b"GET", b"a"], false, Moment(0)), Handled::No);
}

#[test]
fn the_checks_before_a_sync_in_their_order() {
    let mut bench = bench(|_| {});
    let wrong = "-ERR wrong number of arguments for 'psync' command\r\n";
    assert_eq!(bench.say(A, "PSYNC ?"), wrong);
    assert_eq!(bench.say(A, "SYNC now"), "-ERR wrong number of arguments for 'sync' command\r\n");
    assert_eq!(bench.say(A, "PSYNC ? x"), "-ERR value is not an integer or out of range\r\n");
    assert_eq!(bench.master.command(A, &[b"PSYNC", b"?", b"-1"], true, Moment(0)), Handled::Yes);
    assert_eq!(bench.written(A), "-ERR SYNC and PSYNC are invalid with pending output\r\n");
    bench.say(A, "REPLCONF rdb-filter-only functions");
    assert_eq!(bench.say(A, "PSYNC ? -1"), "-ERR Filtered replica requires EOF capability\r\n");
    let line = format!("PSYNC {} 1 FAILOVER", bench.replid());
    assert_eq!(bench.say(A, &line), "-ERR PSYNC FAILOVER can't be sent to a master.\r\n");
    bench.master.demote();
    assert_eq!(bench.say(A, "SYNC"), "-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
    let line = format!("PSYNC {ID} 1 FAILOVER");
    assert_eq!(bench.say(A, &line), "-ERR PSYNC FAILOVER replid must match my replid.\r\n");
}

#[test]
fn a_partial_sync_to_the_byte() {
    for (byte, granted) in [(-1, false), (0, false), (1, true), (30, true), (51, true), (52, false)] {
        let mut bench = bench(|_| {});
        bench.master.resume_with(Replid::from_wire(ID.as_bytes()), Offset(50), &[b'x'; 50]);
        bench.say(A, "REPLCONF capa psync2");
        // The case of an id does not matter.
        let reply = bench.say(A, &format!("PSYNC {} {byte}", ID.to_uppercase()));
        assert_eq!(reply == format!("+CONTINUE {ID}\r\n"), granted, "{byte}: {reply}");
        if granted {
            assert_eq!(bench.stream(A).len() as i64, 51 - byte);
            assert_eq!((bench.master.stats().partial_ok, bench.state(A)), (1, "online"));
        } else {
            assert_eq!((bench.master.stats().partial_err, bench.master.stats().full), (1, 1));
        }
    }
    // Without psync2 no id is told; a second PSYNC is ignored.
    let mut bench = bench(|_| {});
    bench.master.resume(Replid::from_wire(ID.as_bytes()), Offset(50));
    assert_eq!(bench.say(A, &format!("PSYNC {ID} 51")), "+CONTINUE\r\n");
    assert_eq!(bench.say(A, &format!("PSYNC {ID} 51")), "");
    // Any other command is no replica's.
    assert_eq!(bench.say(A, "GET a"), "");
    assert_eq!(bench.closed(A), Some(CloseReason::NotAReplicasCommand));
}

#[test]
fn a_partial_sync_can_be_denied() {
    for (denied, granted) in [(true, false), (false, true)] {
        let mut bench = bench(|_| {});
        bench.master.resume_with(Replid::from_wire(ID.as_bytes()), Offset(50), &[b'x'; 50]);
        bench.master.deny_partial(denied);
        let reply = bench.say(A, &format!("PSYNC {ID} 30"));
        assert_eq!(reply.starts_with("+CONTINUE"), granted, "{reply}");
        assert_eq!(bench.master.stats().full, u64::from(denied));
    }
}

#[test]
fn the_first_replica_makes_the_history() {
    for (compat, offset) in [(Compat::redis(3, 2), 1), (Compat::redis(7, 0), 0)] {
        let mut bench = of(compat, |settings| settings.diskless = false);
        let before = bench.replid();
        bench.append(0, 100);
        assert_eq!((bench.master.offset(), bench.master.window()), (Offset(0), None));
        let reply = bench.say(A, &format!("PSYNC {before} 1"));
        assert_ne!(bench.replid(), before);
        assert_eq!(reply, format!("+FULLRESYNC {} {offset}\r\n", bench.replid()));
        assert_eq!((bench.master.window(), bench.master.stats().partial_err), (Some((offset + 1, 0)), 1));
    }
}

#[test]
fn a_stored_payload_is_followed_by_the_stream_at_once() {
    let mut bench = bench(|settings| settings.diskless = false);
    bench.say(A, "REPLCONF capa eof capa psync2");
    let reply = bench.say(A, "PSYNC ? -1");
    assert_eq!(reply, format!("+FULLRESYNC {} 0\r\n", bench.replid()));
    let begin = bench.snapshot();
    assert_eq!((begin.form, begin.offset, begin.connections.as_slice()), (Form::Stored, Offset(0), &[A][..]));
    bench.append(0, 3);
    bench.wait(1000);
    bench.wait(1000);
    assert_eq!(bench.written(A), "\n\n");
    bench.master.snapshot_ready(begin.id, 19_995, bench.now);
    assert_eq!((bench.written(A).as_str(), bench.state(A)), ("$19995\r\n", "send_bulk"));
    assert!(bench.has(&Action::SendPayload { connection: A, snapshot: begin.id }));
    bench.wait(1000);
    assert_eq!((bench.written(A), bench.stream(A)), (String::new(), String::new()));
    bench.master.payload_written(A, bench.now);
    assert_eq!((bench.stream(A).as_str(), bench.state(A)), ("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\nxxx", "online"));
    assert!(bench.has(&Action::DropSnapshot(begin.id)));
}

#[test]
fn after_a_diskless_payload_nothing_before_the_first_ack() {
    let mut bench = bench(|_| {});
    bench.say(A, "REPLCONF capa eof capa psync2");
    let reply = bench.say(A, "PSYNC ? -1");
    let mark = bench.master.ids.mark();
    assert_eq!(reply, format!("+FULLRESYNC {} 0\r\n$EOF:{mark}\r\n", bench.replid()));
    let begin = bench.snapshot();
    bench.append(0, 3);
    bench.wait(1000);
    assert_eq!((bench.written(A).as_str(), bench.state(A)), ("", "wait_bgsave"));
    bench.master.snapshot_finished(begin.id, bench.now);
    assert_eq!(bench.written(A), mark.as_str());
    bench.wait(3000);
    assert_eq!((bench.written(A), bench.stream(A)), (String::new(), String::new()));
    // Its newlines are no ACK.
    bench.master.newline(A, bench.now);
    assert_eq!(bench.stream(A), "");
    assert_eq!(bench.say(A, "REPLCONF ACK 0"), "");
    assert_eq!(bench.stream(A), "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\nxxx");
    // The mark is what the next history will be called.
    bench.master.promote(bench.now);
    assert_eq!(bench.replid(), mark.to_string());
}

#[test]
fn without_capa_eof_the_length_is_told_first() {
    let mut bench = bench(|_| {});
    assert!(bench.say(A, "PSYNC ? -1").starts_with("+FULLRESYNC"));
    assert_eq!(bench.snapshot().form, Form::Stored);
}

#[test]
fn replicas_of_one_kind_share_a_snapshot() {
    let mut bench = bench(|settings| settings.diskless_delay = 5000);
    for id in [A, B] {
        bench.say(id, "REPLCONF capa eof capa psync2");
        assert_eq!(bench.say(id, "PSYNC ? -1"), "");
        bench.wait(2000);
        assert_eq!(bench.written(A), "\n");
    }
    assert_eq!(bench.master.next_wake().min(Moment(5000)), Moment(5000));
    bench.wait(1000);
    assert_eq!(bench.snapshot().connections, [A, B]);
    // One that is enough is not waited with.
    let mut bench = of(Compat::redis(7, 0), |settings| {
        (settings.diskless_delay, settings.diskless_max_replicas) = (5000, 1);
    });
    bench.say(A, "REPLCONF capa eof");
    assert!(bench.say(A, "PSYNC ? -1").starts_with("+FULLRESYNC"));
}

#[test]
fn a_stored_snapshot_can_be_joined_until_it_is_whole() {
    let mut bench = bench(|settings| settings.diskless = false);
    let first = bench.say(A, "PSYNC ? -1");
    let begin = bench.snapshot();
    bench.append(0, 10);
    // From the same offset on.
    assert_eq!(bench.say(B, "PSYNC ? -1"), first);
    assert_eq!(bench.master.receivers(begin.id).collect::<Vec<_>>(), [A, B]);
    // Another kind waits.
    let other = ConnectionId(9);
    bench.say(other, "REPLCONF capa psync2");
    assert_eq!(bench.say(other, "PSYNC ? -1"), "");
    bench.master.snapshot_ready(begin.id, 18, bench.now);
    assert_eq!(bench.snapshot().connections, [other]);
}

#[test]
fn the_failure_of_a_snapshot_closes_those_it_was_for() {
    let mut bench = bench(|_| {});
    bench.say(A, "REPLCONF capa eof");
    bench.say(A, "PSYNC ? -1");
    let begin = bench.snapshot();
    bench.master.snapshot_failed(begin.id, bench.now);
    assert_eq!(bench.closed(A), Some(CloseReason::SnapshotFailed));
    // Nor is one made for nobody.
    bench.say(B, "PSYNC ? -1");
    let begin = bench.snapshot();
    bench.master.closed(B, bench.now);
    assert!(bench.has(&Action::DropSnapshot(begin.id)));
}

#[test]
fn redis_cli_gets_what_it_asks_for() {
    // --rdb
    let mut bench = bench(|_| {});
    bench.say(A, "REPLCONF capa eof");
    bench.say(A, "REPLCONF rdb-only 1");
    let reply = bench.say(A, "SYNC");
    let begin = bench.snapshot();
    assert!(reply.starts_with("$EOF:") && begin.reader.tool, "{reply}");
    bench.append(0, 10);
    bench.master.snapshot_finished(begin.id, bench.now);
    assert_eq!(bench.closed(A), Some(CloseReason::RdbOnlyDone));
    // --replica: a filter goes without a file whatever the configuration says.
    let mut bench = of(Compat::redis(7, 0), |settings| settings.diskless = false);
    bench.say(A, "REPLCONF capa eof");
    assert_eq!(bench.say(A, "REPLCONF rdb-filter-only \"\""), "+OK\r\n");
    assert!(bench.say(A, "SYNC").starts_with("$EOF:"));
    let begin = bench.snapshot();
    assert_eq!((begin.form, begin.filter), (Form::Diskless, Some(Filter { functions: false })));
    bench.master.snapshot_finished(begin.id, bench.now);
    bench.append(0, 1);
    bench.say(A, "REPLCONF ACK 0");
    assert!(!bench.stream(A).is_empty());
    // One that asked by SYNC owes no ACKs.
    bench.wait(100_000);
    assert_eq!(bench.closed(A), None);
}

#[test]
fn two_channels_of_redis() {
    let mut bench = of(Compat::redis(8, 2), |_| {});
    bench.say(A, "REPLCONF capa eof capa psync2 capa rdb-channel-repl");
    assert_eq!(bench.say(A, "PSYNC ? -1"), "+RDBCHANNELSYNC 5\r\n");
    assert_eq!(bench.state(A), "wait_bgsave");
    let options = "REPLCONF capa eof rdb-only 1 rdb-channel 1 main-ch-client-id 5 listening-port 16490";
    assert_eq!(bench.say(B, options), "+OK\r\n");
    let reply = bench.say(B, "PSYNC ? -1");
    let begin = bench.snapshot();
    assert!(begin.reader.rdb_channel_repl, "the kind of the main connection");
    assert!(reply.starts_with(&format!("+FULLRESYNC {} 0\r\n$EOF:", bench.replid())), "{reply}");
    // The stream goes at the same time.
    bench.append(0, 3);
    assert!(bench.stream(A).ends_with("xxx"));
    assert_eq!((bench.state(A), bench.stream(B).as_str()), ("send_bulk_and_stream", ""));
    bench.master.snapshot_finished(begin.id, bench.now);
    bench.master.closed(B, bench.now);
    assert_eq!(bench.closed(A), None);
    bench.say(A, "REPLCONF ACK 0");
    assert_eq!(bench.state(A), "online");
    // A master without disklessness, or one of another family, takes no notice.
    for mut other in
        [of(Compat::redis(8, 2), |s| s.diskless = false), of(Compat::valkey(9, 1, 2), |s| s.two_channel = true)]
    {
        other.say(A, "REPLCONF capa eof capa psync2 capa rdb-channel-repl");
        assert!(other.say(A, "PSYNC ? -1").starts_with("+FULLRESYNC"));
    }
}

#[test]
fn the_main_connection_does_not_outlive_a_torn_rdb_channel() {
    let mut bench = of(Compat::redis(8, 2), |_| {});
    bench.say(A, "REPLCONF capa eof capa psync2 capa rdb-channel-repl");
    bench.say(A, "PSYNC ? -1");
    bench.say(B, "REPLCONF capa eof rdb-only 1 rdb-channel 1 main-ch-client-id 5");
    bench.say(B, "PSYNC ? -1");
    bench.master.closed(B, bench.now);
    assert_eq!(bench.closed(A), Some(CloseReason::OtherChannelLost));
    // And one whose other half never comes is given up.
    bench.say(A, "REPLCONF capa eof capa psync2 capa rdb-channel-repl");
    bench.actions.clear();
    bench.say(A, "PSYNC ? -1");
    bench.wait(61_000);
    assert_eq!(bench.closed(A), Some(CloseReason::Timeout));
}

#[test]
fn two_channels_of_valkey() {
    let mut bench = of(Compat::valkey(9, 1, 2), |settings| {
        (settings.two_channel, settings.backlog_size) = (true, 100);
        settings.output_limit = OutputLimit { hard: 0, soft: 0, soft_millis: 0 };
    });
    bench.say(A, "REPLCONF capa eof capa psync2 capa dual-channel");
    bench.say(A, "REPLCONF version 9.1.2");
    assert_eq!(bench.say(A, "PSYNC ? -1"), "+DUALCHANNELSYNC\r\n");
    assert_eq!(
        bench.say(B, "REPLCONF capa eof rdb-only 1 rdb-channel 1 listening-port 16490 version 9.1.2"),
        "+OK\r\n"
    );
    let reply = bench.say(B, "SYNC");
    let begin = bench.snapshot();
    assert!(begin.reader.reads_valkey());
    assert!(reply.starts_with(&format!("$ENDOFF:0 {} -1 6\r\n$EOF:", bench.replid())), "{reply}");
    // What the main connection has not fetched is held for it beyond the window, for a while.
    bench.append(0, 1000);
    bench.append(0, 1000);
    bench.master.snapshot_finished(begin.id, bench.now);
    bench.master.closed(B, bench.now);
    bench.wait(30_000);
    assert_eq!(bench.say(A, "REPLCONF set-rdb-client-id 6"), "+OK\r\n");
    let line = format!("PSYNC {} 1", bench.replid());
    assert_eq!(bench.say(A, &line), format!("+CONTINUE {}\r\n", bench.replid()));
    assert_eq!(bench.stream(A).len(), 2023);
    let replica = bench.master.replicas(bench.now).next().unwrap();
    assert_eq!((replica.kind, replica.state, bench.master.stats().partial_ok), ("main-channel", "bg_transfer", 1));
    bench.say(A, "REPLCONF ACK 14");
    assert_eq!(bench.state(A), "online");
}

#[test]
fn the_stream_is_not_held_for_ever() {
    let mut bench = of(Compat::valkey(8, 1, 8), |settings| (settings.two_channel, settings.backlog_size) = (true, 100));
    bench.say(A, "REPLCONF capa eof capa psync2 capa dual-channel");
    bench.say(A, "PSYNC ? -1");
    bench.say(B, "REPLCONF capa eof rdb-only 1 rdb-channel 1 listening-port 1");
    bench.say(B, "SYNC");
    let begin = bench.snapshot();
    // Valkey 8 does not tell its version here.
    assert_eq!(begin.reader.version, Some((8, 0, 0)));
    bench.append(0, 1000);
    bench.master.snapshot_finished(begin.id, bench.now);
    bench.master.closed(B, bench.now);
    assert!(bench.master.window().unwrap().1 > 1000);
    bench.wait(61_000);
    assert!(bench.master.window().unwrap().1 < 200);
    assert_eq!(bench.say(A, "REPLCONF set-rdb-client-id 6"), "-ERR Unrecognized RDB client id 6\r\n");
}

#[test]
fn old_versions_go_without_a_file_from_valkey_9() {
    for (version, form) in [("8.1.8", Form::Diskless), ("9.1.2", Form::Stored)] {
        let mut bench = of(Compat::valkey(9, 1, 2), |settings| settings.diskless = false);
        bench.say(A, "REPLCONF capa eof capa psync2");
        bench.say(A, &format!("REPLCONF version {version}"));
        bench.say(A, "PSYNC ? -1");
        assert_eq!(bench.snapshot().form, form);
    }
}

#[test]
fn heartbeats_are_a_top_level_masters() {
    for (compat, ping) in [(Compat::redis(6, 0), "PING"), (Compat::redis(6, 2), "ping")] {
        let mut bench = of(compat, |_| {});
        bench.wait(30_000);
        bench.online(A);
        bench.wait(9000);
        assert_eq!(bench.stream(A), "");
        bench.wait(1000);
        assert_eq!(bench.stream(A), format!("*1\r\n$4\r\n{ping}\r\n"));
        assert_eq!(bench.master.offset(), Offset(14));
        bench.master.request_acks(bench.now);
        assert_eq!(bench.stream(A), "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
        bench.master.demote();
        bench.wait(20_000);
        assert_eq!(bench.stream(A), "");
    }
}

#[test]
fn select_where_the_database_changes() {
    let mut bench = bench(|_| {});
    bench.online(A);
    bench.append(0, 1);
    bench.append(0, 1);
    bench.append(11, 1);
    let select = |db: &str| format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{db}\r\n", db.len());
    assert_eq!(bench.stream(A), format!("{}xx{}x", select("0"), select("11")));
    // A transaction has it inside.
    bench.master.append(None, b"M", bench.now);
    bench.append(0, 1);
    assert_eq!(bench.stream(A), format!("M{}x", select("0")));
    // A full sync begins anew, for everybody.
    bench.say(B, "REPLCONF capa eof");
    bench.say(B, "PSYNC ? -1");
    assert_eq!(bench.snapshot().stream_db, 0);
    bench.append(0, 1);
    assert_eq!(bench.stream(A), format!("{}x", select("0")));
}

#[test]
fn output_limits() {
    let limits = |settings: &mut Settings| {
        settings.backlog_size = 2_000;
        settings.output_limit = OutputLimit { hard: 1_000, soft: 0, soft_millis: 0 };
    };
    let cases = [(Compat::redis(6, 2), 900, None), (Compat::redis(6, 2), 1_100, Some(CloseReason::OutputLimit))];
    let later = [(Compat::redis(7, 0), 1_900, None), (Compat::redis(7, 0), 2_100, Some(CloseReason::OutputLimit))];
    for (compat, bytes, reason) in cases.into_iter().chain(later) {
        let mut bench = of(compat, limits);
        bench.online(A);
        bench.append(0, bytes);
        bench.wait(0);
        bench.wait(1000);
        assert_eq!(bench.closed(A), reason, "{bytes}");
    }
    let mut bench = bench(|settings| {
        settings.output_limit = OutputLimit { hard: 0, soft: 1_000, soft_millis: 3_000 };
    });
    bench.online(A);
    bench.append(0, 2_000);
    for _ in 0..3 {
        bench.wait(1000);
        bench.say(A, "REPLCONF ACK 0");
    }
    // Once below it, the time begins anew.
    bench.stream(A);
    bench.wait(1000);
    bench.append(0, 2_000);
    bench.wait(3000);
    assert_eq!(bench.closed(A), None);
    bench.wait(3001);
    assert_eq!(bench.closed(A), Some(CloseReason::OutputLimit));
}

#[test]
fn a_slow_replica_keeps_its_bytes() {
    let mut bench = bench(|settings| {
        (settings.backlog_size, settings.timeout) = (100, u64::MAX);
        settings.output_limit = OutputLimit { hard: 0, soft: 0, soft_millis: 0 };
    });
    bench.online(A);
    for _ in 0..100 {
        bench.append(0, 100);
    }
    assert_eq!(bench.stream(A).len(), 10_023);
    assert!(bench.master.window().unwrap().1 <= 110);
}

#[test]
fn silence_is_not_borne_for_ever() {
    let mut bench = bench(|_| {});
    bench.online(A);
    bench.wait(60_000);
    assert_eq!(bench.closed(A), None);
    bench.say(A, "REPLCONF ACK 0");
    bench.wait(59_000);
    bench.wait(2_000);
    assert_eq!(bench.closed(A), Some(CloseReason::Timeout));
    // A diskless payload that does not move.
    bench.say(B, "REPLCONF capa eof");
    bench.say(B, "PSYNC ? -1");
    bench.wait(50_000);
    bench.master.payload_progress(B, bench.now);
    bench.wait(50_000);
    assert_eq!(bench.closed(B), None);
    bench.wait(11_000);
    assert_eq!(bench.closed(B), Some(CloseReason::Timeout));
}

#[test]
fn without_replicas_the_backlog_is_freed_in_the_end() {
    let mut bench = bench(|settings| settings.backlog_ttl = 10_000);
    bench.online(A);
    bench.append(0, 10);
    let (replid, offset) = (bench.replid(), bench.master.offset());
    bench.wait(20_000);
    bench.say(A, "REPLCONF ACK 0");
    bench.master.closed(A, bench.now);
    bench.wait(9_000);
    assert!(bench.master.window().is_some());
    bench.wait(2_000);
    assert!(bench.master.window().is_none() && bench.replid() != replid && bench.master.offset() >= offset);
}

#[test]
fn a_promotion_keeps_the_old_name_for_what_is_shared() {
    let mut bench = bench(|_| {});
    bench.master.resume_with(Replid::from_wire(ID.as_bytes()), Offset(155), &[b'x'; 155]);
    bench.master.upstream = Upstream::Replica { up: true };
    assert_eq!(bench.say(A, &format!("PSYNC {ID} 100")), "+CONTINUE\r\n");
    bench.master.promote(bench.now);
    assert_eq!(bench.closed(A), Some(CloseReason::HistoryChanged));
    assert!(bench.has(&Action::Promoted));
    assert_eq!(bench.master.history().second_repl_offset(), Some(156));
    bench.append(0, 10);
    for (byte, granted) in [(155, true), (156, true), (157, false)] {
        let id = ConnectionId(100 + byte);
        bench.say(id, "REPLCONF capa eof capa psync2");
        let reply = bench.say(id, &format!("PSYNC {ID} {byte}"));
        assert_eq!(reply == format!("+CONTINUE {}\r\n", bench.replid()), granted, "{byte}");
    }
    // The next write begins with SELECT.
    assert!(bench.stream(ConnectionId(256)).starts_with("*2\r\n$6\r\nSELECT"));
}

#[test]
fn a_chained_server_passes_on_what_it_has_applied() {
    let mut bench = bench(|_| {});
    let replid = Replid::from_wire(ID.as_bytes());
    bench.master.demote();
    bench.master.follow(&Event::Synced { replid: Some(replid), offset: Some(Offset(100)), db: 3 }, bench.now);
    bench.say(A, "REPLCONF capa psync2");
    assert_eq!(bench.say(A, &format!("PSYNC {ID} 101")), format!("+CONTINUE {ID}\r\n"));
    // Its own writes go nowhere.
    bench.append(0, 10);
    bench.master.stage(b"abcdef");
    assert_eq!(bench.stream(A), "");
    bench.master.commit(Offset(104), 3, bench.now);
    assert_eq!(bench.stream(A), "abcd");
    // A snapshot tells the database that the stream is in, and SELECT is not for it to add.
    bench.say(B, "REPLCONF capa eof");
    bench.say(B, "PSYNC ? -1");
    let begin = bench.snapshot();
    assert_eq!((begin.stream_db, begin.offset), (3, Offset(104)));
    // The master is gone, and with it what was not applied.
    bench.master.follow(&Event::Lost(Lost::Closed), bench.now);
    assert_eq!(bench.say(ConnectionId(9), "SYNC"), "-NOMASTERLINK Can't SYNC while not connected with my master\r\n");
    bench.master.follow(&Event::Continued { replid, offset: Offset(104) }, bench.now);
    bench.master.stage(b"efgh");
    bench.master.commit(Offset(108), 3, bench.now);
    assert_eq!((bench.stream(A).as_str(), bench.closed(A)), ("efgh", None));
    // It goes on under another name: those who follow ask again.
    let other = Replid::from_wire("b".repeat(40).as_bytes());
    bench.master.follow(&Event::Continued { replid: other, offset: Offset(108) }, bench.now);
    assert_eq!(bench.closed(A), Some(CloseReason::HistoryChanged));
    assert_eq!(bench.master.history().second_repl_offset(), Some(109));
}

#[test]
fn no_one_continues_from_a_server_that_is_losing_its_data() {
    let mut bench = bench(|_| {});
    let replid = Replid::from_wire(ID.as_bytes());
    bench.master.resume(replid, Offset(100));
    bench.master.demote();
    let event = Event::FullSync { replid: None, offset: None, transfer: crate::repl::event::Transfer::Disk };
    bench.master.follow(&event, bench.now);
    bench.master.promote(bench.now);
    assert!(bench.say(A, &format!("PSYNC {ID} 101")).starts_with("+FULLRESYNC"));
}

#[test]
fn psync_failover_makes_a_master() {
    let mut bench = bench(|_| {});
    bench.master.resume(Replid::from_wire(ID.as_bytes()), Offset(677));
    bench.master.upstream = Upstream::Replica { up: true };
    bench.say(A, "REPLCONF capa psync2");
    let reply = bench.say(A, &format!("PSYNC {ID} 678 FAILOVER"));
    assert_ne!(bench.replid(), ID);
    assert_eq!(reply, format!("+CONTINUE {}\r\n", bench.replid()));
    assert!(bench.has(&Action::Promoted) && bench.master.upstream() == Upstream::TopLevel);
    assert_eq!(bench.closed(A), None);
}

#[test]
fn failover_waits_for_the_last_byte() {
    let request = |target: Option<&str>, force, timeout| FailoverRequest {
        target: target.map(|host| (host.to_owned(), 7001)),
        force,
        timeout,
    };
    let mut bench = bench(|_| {});
    let now = bench.now;
    assert_eq!(bench.master.failover(request(None, false, None), now), Err("FAILOVER requires connected replicas."));
    assert_eq!(bench.master.abort_failover(now), Err("No failover in progress."));
    bench.online(A).say(A, "REPLCONF listening-port 7001 ip-address h");
    let refusal = "FAILOVER with force option requires both a timeout and target HOST and IP.";
    assert_eq!(bench.master.failover(request(Some("h"), true, None), now), Err(refusal));
    let refusal = "FAILOVER target HOST and PORT is not a replica.";
    assert_eq!(bench.master.failover(request(Some("x"), false, None), now), Err(refusal));
    bench.append(0, 10);
    bench.master.failover(request(Some("h"), false, Some(5_000)), now).unwrap();
    assert!(bench.has(&Action::PauseWrites));
    assert_eq!(bench.master.failover(request(None, false, None), now), Err("FAILOVER already in progress."));
    assert_eq!(bench.say(B, "SYNC"), "-NOMASTERLINK Can't SYNC while failing over\r\n");
    // No heartbeat moves the offset meanwhile.
    let offset = bench.master.offset();
    bench.master.next_ping = Moment(0);
    bench.wait(1000);
    assert_eq!((bench.master.offset(), bench.master.failover_state()), (offset, "waiting-for-sync"));
    bench.say(A, &format!("REPLCONF ACK {offset}"));
    bench.wait(100);
    assert!(bench.has(&Action::Follow { host: "h".to_owned(), port: 7001 }));
    assert_eq!(bench.master.as_cached().offset, offset);
    let event = Event::Continued { replid: Replid::from_wire(ID.as_bytes()), offset };
    bench.master.follow(&event, bench.now);
    assert!(bench.has(&Action::ResumeWrites) && bench.master.failover_state() == "no-failover");
    assert_eq!(bench.replid(), ID);
}

#[test]
fn a_failover_that_comes_to_nothing() {
    let start = |force: bool| {
        let mut bench = of(Compat::redis(7, 0), |_| {});
        bench.online(A).say(A, "REPLCONF listening-port 7001 ip-address h");
        bench.append(0, 10);
        let target = Some(("h".to_owned(), 7001));
        bench.master.failover(FailoverRequest { target, force, timeout: Some(2_000) }, bench.now).unwrap();
        bench.wait(2_000);
        bench
    };
    let mut bench = start(false);
    assert!(bench.has(&Action::ResumeWrites) && bench.master.upstream() == Upstream::TopLevel);
    let mut bench = start(true);
    assert!(bench.has(&Action::Follow { host: "h".to_owned(), port: 7001 }));
    let before = bench.replid();
    let event = Event::PsyncRefused { reply: "-ERR no".to_owned(), transient: false };
    bench.master.follow(&event, bench.now);
    assert!(bench.has(&Action::Promoted) && bench.has(&Action::ResumeWrites));
    assert!(bench.replid() != before && bench.master.upstream() == Upstream::TopLevel);
}

#[test]
fn acks_only_go_forward_and_count_for_wait() {
    let mut bench = bench(|_| {});
    bench.online(A);
    bench.say(A, "REPLCONF ACK 1900 FACK 1858");
    bench.say(A, "REPLCONF ACK 1000 FACK 900");
    let replica = bench.master.replicas(bench.now).next().unwrap();
    assert_eq!((replica.offset, replica.fack, replica.lag), (Offset(1900), Some(Offset(1858)), 0));
    assert_eq!((bench.master.acknowledged(Offset(1900)), bench.master.acknowledged(Offset(1901))), (1, 0));
    assert_eq!((bench.master.fsynced(Offset(1858)), bench.master.fsynced(Offset(1859))), (1, 0));
    bench.wait(10_000);
    assert_eq!((bench.master.good_replicas(bench.now), bench.master.replicas(bench.now).next().unwrap().lag), (1, 10));
    bench.wait(1_000);
    assert_eq!(bench.master.good_replicas(bench.now), 0);
}

/// A 6.2 does not read what a 7.0 loses nothing by, and says so only by going away.
#[test]
fn who_lets_go_of_an_rdb_gets_an_older_one() {
    let mut bench = bench(|_| {});
    let likely = |bench: &mut Bench, id| {
        bench.master.introduce(id, "10.0.0.1", bench.now);
        bench.say(id, "REPLCONF listening-port 16490");
        bench.say(id, "REPLCONF capa eof capa psync2");
        bench.say(id, "PSYNC ? -1");
        let begin = bench.snapshot();
        bench.master.snapshot_finished(begin.id, bench.now);
        begin.reader.likely
    };
    for expected in [10, 0, 10] {
        assert_eq!(likely(&mut bench, A), expected);
        bench.master.closed(A, bench.now);
    }
    // Once it has loaded one, that one was right.
    for _ in 0..2 {
        assert_eq!(likely(&mut bench, A), 0);
        bench.say(A, "REPLCONF ACK 0");
        bench.master.closed(A, bench.now);
    }
}
