//! The replica's rules one by one, with the bytes that real servers send.

use super::*;

const ID: &str = "8ea2e4d2c4b0a1f9d1c0b7e6a5f4d3c2b1a09f8e";
const OTHER: &str = "0123456789abcdef0123456789abcdef01234567";
const MARK: &str = "5a1ba13e5a1ba13e5a1ba13e5a1ba13e5a1ba13e";
const RDB: &[u8] = b"REDIS0009\xff\0\0\0\0\0\0\0\0";

struct Bench {
    replica: Replica,
    now: Moment,
    /// What was written on each channel since it was last asked for.
    sent: [Vec<u8>; 2],
    rdb: Vec<u8>,
    stream: Vec<u8>,
    commands: Vec<(String, u64, u32)>,
    events: Vec<Event>,
    others: Vec<Action>,
    held: Vec<u8>,
    auto_load: bool,
    place: Option<(Replid, Offset)>,
}

fn replid(text: &str) -> Replid {
    Replid::from_wire(text.as_bytes())
}

fn of(compat: Compat, start: Start, change: impl FnOnce(&mut Settings)) -> Bench {
    let mut settings = Settings { port: 16490, ..Settings::new(compat) };
    change(&mut settings);
    let mut replica = Replica::new(settings);
    replica.follow(start, Moment(0));
    let mut bench = Bench {
        replica,
        now: Moment(0),
        sent: [Vec::new(), Vec::new()],
        rdb: Vec::new(),
        stream: Vec::new(),
        commands: Vec::new(),
        events: Vec::new(),
        others: Vec::new(),
        held: Vec::new(),
        auto_load: true,
        place: None,
    };
    bench.connect();
    bench
}

fn bench(start: Start) -> Bench {
    of(Compat::redis(7, 0), start, |_| {})
}

fn own() -> Start {
    Start::At(CachedMaster { replid: replid(ID), offset: Offset(0), db: 0 })
}

impl Bench {
    fn connect(&mut self) {
        self.act();
        assert!(self.others.contains(&Action::Connect(Channel::Main)), "{:?}", self.others);
        self.others.clear();
        self.replica.connected(Channel::Main, self.now);
        self.act();
    }

    fn act(&mut self) {
        while let Some(action) = self.replica.poll() {
            match action {
                Action::Transmit { channel, bytes } => self.sent[channel as usize].extend(bytes),
                Action::Tell(event) => self.events.push(event),
                Action::EndLoad if self.auto_load => {
                    self.replica.loaded(Loaded { stream_db: None, place: self.place }, self.now);
                }
                other => self.others.push(other),
            }
        }
    }

    fn receive(&mut self, channel: Channel, bytes: &[u8]) -> &mut Self {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut input = &all[..];
        loop {
            self.act();
            match self.replica.next(channel, &mut input, self.now) {
                Step::Again => {}
                Step::NeedMore => break,
                Step::Full => {
                    self.held = input.to_vec();
                    break;
                }
                Step::Load(part) => self.rdb.extend_from_slice(part),
                Step::Stream(part) => self.stream.extend_from_slice(part),
                Step::Command(it) => {
                    let name = String::from_utf8_lossy(it.command.name()).into_owned();
                    self.commands.push((name, it.after.0, it.db));
                }
            }
        }
        self.act();
        self
    }

    /// The main connection brings this; gives what it is answered with.
    fn main(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.receive(Channel::Main, bytes.as_ref());
        self.sent(Channel::Main)
    }

    fn rdb_channel(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.receive(Channel::Rdb, bytes.as_ref());
        self.sent(Channel::Rdb)
    }

    fn sent(&mut self, channel: Channel) -> String {
        String::from_utf8(std::mem::take(&mut self.sent[channel as usize])).unwrap()
    }

    fn wait(&mut self, millis: u64) -> String {
        self.now = self.now.after(millis);
        self.replica.tick(self.now);
        self.act();
        self.sent(Channel::Main)
    }

    /// Up to PSYNC, whose bytes it gives.
    fn handshake(&mut self) -> String {
        self.sent(Channel::Main);
        let mut said = self.main("+PONG\r\n");
        while !said.contains("PSYNC") {
            let replies = said.matches("REPLCONF").count() + said.matches("AUTH").count();
            said = self.main("+OK\r\n".repeat(replies.max(1)));
        }
        said
    }

    fn synced(&mut self, offset: u64) -> &mut Self {
        self.handshake();
        let mut answer = format!("+FULLRESYNC {ID} {offset}\r\n${}\r\n", RDB.len()).into_bytes();
        answer.extend_from_slice(RDB);
        self.main(answer);
        assert_eq!(self.replica.state_name(), "CONNECTED");
        self.events.clear();
        self
    }

    fn lost(&self) -> Option<&Lost> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Lost(lost) => Some(lost),
            _ => None,
        })
    }
}

fn say(line: &str) -> String {
    String::from_utf8(command(&line.split(' ').collect::<Vec<_>>())).unwrap()
}

#[test]
fn handshakes_of_all_versions() {
    let port = "REPLCONF listening-port 16490";
    let inline = |line: &str| format!("{line}\r\n");
    for compat in [Compat::redis(2, 8), Compat::redis(3, 2)] {
        let mut bench = of(compat, Start::Nothing, |_| {});
        assert_eq!(bench.sent(Channel::Main), "PING\r\n");
        assert_eq!(bench.main("+PONG\r\n"), inline(port));
        assert_eq!(bench.replica.state_name(), "RECEIVE_PORT_REPLY");
        assert_eq!(bench.main("+OK\r\n"), "REPLCONF capa eof\r\n");
        assert_eq!(bench.main("+OK\r\n"), "PSYNC ? -1\r\n");
    }
    let mut bench = of(Compat::redis(4, 0), own(), |_| {});
    assert_eq!(bench.sent(Channel::Main), "PING\r\n");
    assert_eq!(bench.main("+PONG\r\n"), inline(port));
    assert_eq!(bench.main("+OK\r\n"), "REPLCONF capa eof capa psync2\r\n");
    assert_eq!(bench.main("+OK\r\n"), format!("PSYNC {ID} 1\r\n"));
    for compat in [Compat::redis(5, 0), Compat::redis(6, 0)] {
        let mut bench = of(compat, own(), |_| {});
        assert_eq!(bench.sent(Channel::Main), "*1\r\n$4\r\nPING\r\n");
        assert_eq!(bench.main("+PONG\r\n"), say(port));
        assert_eq!(bench.main("+OK\r\n"), say("REPLCONF capa eof capa psync2"));
        assert_eq!(bench.main("+OK\r\n"), say(&format!("PSYNC {ID} 1")));
    }
    let mut rows: Vec<(Compat, bool, String)> = [(6, 2), (7, 0), (7, 2), (7, 4)]
        .map(|(major, minor)| (Compat::redis(major, minor), false, say("REPLCONF capa eof capa psync2")))
        .into();
    let rdb_channel = "REPLCONF capa eof capa psync2 capa rdb-channel-repl";
    rows.push((Compat::redis(8, 2), true, say(rdb_channel)));
    rows.push((Compat::redis(8, 2), false, say("REPLCONF capa eof capa psync2")));
    let version = |version: &str| say(&format!("REPLCONF version {version}"));
    rows.push((Compat::valkey(8, 1, 8), false, say("REPLCONF capa eof capa psync2") + &version("8.1.8")));
    let dual = say("REPLCONF capa eof capa psync2 capa dual-channel");
    rows.push((Compat::valkey(9, 1, 2), true, dual + &version("9.1.2")));
    for (compat, two_channel, rest) in rows {
        let mut bench = of(compat, own(), |settings| settings.two_channel = two_channel);
        assert_eq!(bench.sent(Channel::Main), "*1\r\n$4\r\nPING\r\n");
        assert_eq!(bench.main("+PONG\r\n"), say(port) + &rest);
        let replies = rest.matches("REPLCONF").count() + 1;
        for _ in 1..replies {
            assert_eq!(bench.main("+OK\r\n"), "");
        }
        assert_eq!(bench.main("+OK\r\n"), say(&format!("PSYNC {ID} 1")));
        assert_eq!(bench.replica.state_name(), "RECEIVE_PSYNC_REPLY");
    }
}

#[test]
fn the_bytes_of_a_7_0_replica() {
    let mut bench = bench(own());
    assert_eq!(bench.sent(Channel::Main), "*1\r\n$4\r\nPING\r\n");
    let expected = "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$5\r\n16490\r\n*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n";
    assert_eq!(bench.main("+PONG\r\n"), expected);
    assert_eq!(bench.main("+OK\r\n+OK\r\n"), format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{ID}\r\n$1\r\n1\r\n"));
}

#[test]
fn passwords_users_and_addresses() {
    let credentials =
        |user: Option<&str>| Some(Credentials { user: user.map(str::to_owned), password: "pw".to_owned() });
    let mut bench = of(Compat::redis(7, 0), Start::Nothing, |settings| {
        settings.credentials = credentials(Some("repl"));
        settings.announce_ip = Some("10.0.0.7".to_owned());
    });
    bench.sent(Channel::Main);
    // A master that wants a password says so already to PING.
    let said = bench.main("-NOAUTH Authentication required.\r\n");
    let expected = [
        "AUTH repl pw",
        "REPLCONF listening-port 16490",
        "REPLCONF ip-address 10.0.0.7",
        "REPLCONF capa eof capa psync2",
    ];
    assert_eq!(said, expected.map(say).concat());
    assert_eq!(bench.replica.state_name(), "RECEIVE_AUTH_REPLY");
    bench.main("+OK\r\n+OK\r\n-ERR unknown\r\n+OK\r\n");
    let shrugged = Event::Shrugged { option: "ip-address", reply: "-ERR unknown".to_owned() };
    assert_eq!(bench.events, [shrugged]);
    assert_eq!(bench.replica.state_name(), "RECEIVE_PSYNC_REPLY");
    let mut bench = of(Compat::redis(4, 0), Start::Nothing, |settings| settings.credentials = credentials(None));
    bench.sent(Channel::Main);
    assert_eq!(bench.main("+PONG\r\n"), "AUTH pw\r\n");
    bench.main("-ERR invalid password\r\n");
    assert_eq!(bench.lost().map(Lost::blame), Some(Blame::MasterRefused));
    assert_eq!(bench.replica.next_wake(), Some(Moment(1000)));
    assert!(!format!("{:?}", bench.replica.settings()).contains("pw"));
}

#[test]
fn a_master_that_turns_away() {
    for reply in ["-LOADING Redis is loading the dataset in memory", "-DENIED Redis is running in protected mode"] {
        let mut bench = bench(own());
        bench.main(format!("{reply}\r\n"));
        assert_eq!(bench.lost(), Some(&Lost::Refused { to: "PING", reply: reply.to_owned() }));
        assert_eq!(bench.replica.state_name(), "CONNECT");
        bench.wait(999);
        assert!(!bench.others.contains(&Action::Connect(Channel::Main)));
        bench.wait(1);
        bench.connect();
    }
    // For now: the same will be asked again.
    for reply in ["-NOMASTERLINK Can't SYNC while not connected with my master", "-LOADING x"] {
        let mut bench = bench(own());
        let asked = bench.handshake();
        assert_eq!(bench.main(format!("\n\n{reply}\r\n")), "");
        bench.wait(1000);
        bench.connect();
        assert_eq!(bench.handshake(), asked);
    }
}

#[test]
fn a_master_that_knows_no_psync_is_asked_by_sync() {
    let mut bench = bench(own());
    bench.handshake();
    assert_eq!(bench.main("-ERR unknown command 'PSYNC', with args beginning with: \r\n"), "SYNC\r\n");
    assert_eq!(bench.replica.state_name(), "TRANSFER");
    // The RDB tells what the master did not.
    bench.place = Some((replid(OTHER), Offset(77)));
    bench.main([b"\n$18\r\n", RDB].concat());
    assert_eq!((bench.replica.applied(), bench.replica.replid()), (Offset(77), Some(replid(OTHER))));
    // Where it does not, nothing is acknowledged and nothing can be continued.
    let mut bench = of(Compat::redis(7, 0), own(), |_| {});
    bench.handshake();
    bench.main("-ERR x\r\n");
    assert_eq!(bench.main([b"$18\r\n", RDB].concat()), "");
    assert_eq!(bench.wait(1000), "");
    bench.replica.closed(Channel::Main, bench.now);
    bench.wait(0);
    bench.connect();
    assert_eq!(bench.handshake(), say("PSYNC ? -1"));
    // SYNC refused, too: the same PSYNC is asked again.
    let mut bench = of(Compat::redis(7, 0), own(), |_| {});
    let asked = bench.handshake();
    bench.main("-NOPERM User repl has no permissions to run the 'psync' command\r\n");
    bench.main("-NOPERM User repl has no permissions to run the 'sync' command\r\n");
    assert_eq!(bench.lost().map(Lost::blame), Some(Blame::MasterRefused));
    bench.wait(1000);
    bench.connect();
    assert_eq!(bench.handshake(), asked);
}

#[test]
fn a_payload_cut_anywhere() {
    // The mark may stand inside the RDB.
    let rdb = [&RDB[..9], b"\x00\x01k\x28", MARK.as_bytes(), &RDB[9..]].concat();
    let stored = [format!("${}\r\n", rdb.len()).as_bytes(), &rdb, &say("PING").into_bytes()].concat();
    let diskless = [format!("$EOF:{MARK}\r\n").as_bytes(), &rdb, MARK.as_bytes()].concat();
    for (wire, follows) in [(stored, true), (diskless, false)] {
        let wire = [format!("+FULLRESYNC {ID} 100\r\n\n").as_bytes(), &wire].concat();
        let inner = wire.len() - 40 - 9;
        for cut in (0..wire.len()).filter(|&cut| follows || cut != inner) {
            let mut bench = bench(own());
            bench.handshake();
            bench.main(&wire[..cut]);
            bench.main(&wire[cut..]);
            assert_eq!(bench.rdb, rdb, "cut at {cut}");
            assert_eq!(bench.replica.state_name(), "CONNECTED", "cut at {cut}");
            assert_eq!(bench.replica.applied().0, if follows { 114 } else { 100 });
        }
        let mut bench = bench(own());
        bench.handshake();
        for byte in wire.chunks(1) {
            if follows || bench.rdb.len() + 60 < rdb.len() {
                bench.main(byte);
            }
        }
    }
}

#[test]
fn a_loader_that_knows_the_end_is_not_deceived_by_the_mark() {
    let rdb = [&RDB[..9], MARK.as_bytes(), &RDB[9..]].concat();
    let mut bench = of(Compat::redis(7, 0), own(), |settings| settings.loader_tells_end = true);
    bench.handshake();
    bench.main(format!("+FULLRESYNC {ID} 0\r\n$EOF:{MARK}\r\n"));
    // The mark as the last bytes that came is not the end.
    bench.main(&rdb[..49]);
    assert_eq!(bench.replica.state_name(), "TRANSFER");
    let rest = [&rdb[49..], MARK.as_bytes(), say("PING").as_bytes()].concat();
    let mut input = &rest[..];
    let Step::Load(part) = bench.replica.next(Channel::Main, &mut input, bench.now) else { panic!() };
    assert_eq!((part.len(), input.len()), (rest.len(), 0));
    bench.replica.loader_ended();
    // What the loader left is handed in again; the stream may follow at once.
    bench.main(&rest[9..]);
    assert_eq!((bench.replica.state_name(), bench.replica.applied()), ("CONNECTED", Offset(14)));
    // Something else than the mark.
    let mut bench = of(Compat::redis(7, 0), own(), |settings| settings.loader_tells_end = true);
    bench.handshake();
    bench.main(format!("+FULLRESYNC {ID} 0\r\n$EOF:{MARK}\r\n"));
    bench.replica.loader_ended();
    bench.main("no mark");
    assert_eq!(bench.lost().map(Lost::blame), Some(Blame::MasterBroken));
    assert!(bench.others.contains(&Action::AbortLoad));
}

#[test]
fn acks() {
    let ack = |offset: u64| say(&format!("REPLCONF ACK {offset}"));
    let getack = say("REPLCONF GETACK *");
    assert_eq!(getack.len(), 37);
    // At once after the sync, or at the next tick; then every second.
    let mut redis = bench(own());
    redis.handshake();
    assert_eq!(redis.main([format!("+FULLRESYNC {ID} 5\r\n$18\r\n").as_bytes(), RDB].concat()), ack(5));
    let mut valkey = of(Compat::valkey(9, 1, 2), own(), |_| {});
    valkey.handshake();
    assert_eq!(valkey.main([format!("+FULLRESYNC {ID} 5\r\n$18\r\n").as_bytes(), RDB].concat()), "");
    assert_eq!(valkey.wait(1000), ack(5));
    assert_eq!((valkey.wait(999), valkey.wait(1)), (String::new(), ack(5)));
    // The answer to GETACK does not cover it; up to 3.2 it does.
    let mut new = bench(own());
    assert_eq!(new.synced(1000).main(&getack), ack(1000));
    assert_eq!(new.wait(1000), ack(1037));
    let mut old = of(Compat::redis(3, 2), Start::Nothing, |_| {});
    old.synced(1000);
    old.sent(Channel::Main);
    assert_eq!(old.main(&getack), ack(1037));
    // With an AOF, from 7.2 on.
    for (minor, expected) in [(0, ack(5)), (2, say("REPLCONF ACK 5 FACK 3"))] {
        let mut bench = of(Compat::redis(7, minor), own(), |_| {});
        bench.replica.set_fsynced(Some(Offset(3)));
        bench.synced(5);
        bench.sent(Channel::Main);
        assert_eq!(bench.wait(1000), expected);
    }
}

#[test]
fn inside_a_transaction_nothing_counts_and_what_is_not_whole_is_asked_again() {
    let mut bench = bench(own());
    bench.synced(100);
    let select = say("SELECT 4");
    bench.main(&select);
    let base = 100 + select.len() as u64;
    assert_eq!((bench.replica.applied().0, bench.replica.db()), (base, 4));
    let multi = say("MULTI") + &say("SELECT 5") + &say("SET a b") + "*2\r\n$3\r\nGE";
    bench.main(&multi);
    assert_eq!((bench.replica.applied().0, bench.replica.db()), (base, 4));
    assert_eq!(bench.replica.read().0, base + multi.len() as u64);
    bench.replica.closed(Channel::Main, bench.now);
    assert_eq!(bench.replica.read().0, base);
    // At once: it was connected.
    bench.wait(0);
    bench.connect();
    assert_eq!(bench.handshake(), say(&format!("PSYNC {ID} {}", base + 1)));
    // The master has another name now, and does not begin with SELECT.
    bench.main(format!("+CONTINUE {OTHER}\r\n{}", say("SET a b")));
    assert_eq!(bench.commands.last(), Some(&("SET".to_owned(), base + 27, 4)));
    assert_eq!(bench.replica.cached(), Some(CachedMaster { replid: replid(OTHER), offset: Offset(base + 27), db: 4 }));
    let whole = say("MULTI") + &say("SET a b") + &say("EXEC");
    bench.main(&whole);
    assert_eq!(bench.replica.applied().0, base + 27 + whole.len() as u64);
}

#[test]
fn the_stream_is_told_as_it_comes_and_decoded_whatever_the_cut() {
    let stream =
        say("SELECT 1") + &say("SET key value") + "\n" + &say("PING") + &say("MULTI") + &say("INCR a") + &say("EXEC");
    for size in 1..stream.len() {
        let mut bench = bench(own());
        bench.synced(0);
        for part in stream.as_bytes().chunks(size) {
            bench.main(part);
        }
        assert_eq!(bench.stream, stream.as_bytes());
        let names: Vec<&str> = bench.commands.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["SELECT", "SET", "PING", "MULTI", "INCR", "EXEC"]);
        // A newline in the stream counts.
        assert_eq!(bench.replica.applied().0, stream.len() as u64);
    }
}

#[test]
fn a_master_that_breaks_the_protocol_is_not_continued() {
    for nonsense in ["PING\r\n", "*1\r\n:5\r\n", "*x\r\n"] {
        let mut bench = bench(own());
        bench.synced(100);
        bench.main(nonsense);
        assert_eq!(bench.lost().map(Lost::blame), Some(Blame::MasterBroken), "{nonsense}");
        bench.wait(1000);
        bench.connect();
        assert_eq!(bench.handshake(), say("PSYNC ? -1"));
    }
    for answer in ["+CONTINUE", "+FULLRESYNC ? 5", "+RDBCHANNELSYNC"] {
        let mut bench = bench(Start::Nothing);
        bench.handshake();
        bench.main(format!("{answer}\r\n"));
        assert_eq!(bench.lost().map(Lost::blame), Some(Blame::MasterBroken), "{answer}");
    }
    let mut bench = bench(own());
    bench.handshake();
    bench.main(format!("+FULLRESYNC {ID} 5\r\n*1\r\n"));
    assert_eq!(bench.lost().map(Lost::blame), Some(Blame::MasterBroken));
    let mut bench = of(Compat::redis(7, 0), own(), |_| {});
    bench.main("x".repeat(20_000));
    assert_eq!(bench.lost().map(Lost::blame), Some(Blame::MasterBroken));
}

#[test]
fn an_rdb_that_cannot_be_loaded_leaves_nothing_to_continue() {
    let mut bench = bench(own());
    bench.auto_load = false;
    bench.handshake();
    bench.main([format!("+FULLRESYNC {ID} 5\r\n$18\r\n").as_bytes(), RDB, say("PING").as_bytes()].concat());
    // The stream waits, and the master is told that this end lives.
    assert_eq!((bench.held.len(), bench.wait(1000), bench.wait(1000)), (14, "\n".to_owned(), "\n".to_owned()));
    bench.wait(100_000);
    assert_eq!(bench.lost(), None);
    bench.replica.load_failed("Can't handle RDB format version 12", bench.now);
    bench.act();
    assert_eq!(bench.lost().map(Lost::blame), Some(Blame::Ourselves));
    bench.held.clear();
    bench.wait(1000);
    bench.connect();
    assert_eq!(bench.handshake(), say("PSYNC ? -1"));
}

#[test]
fn silence_ends_the_link_in_every_state() {
    let mut states = Vec::new();
    for stage in 0..5 {
        let mut bench = bench(own());
        match stage {
            0 => {}
            1 => drop(bench.main("+PONG\r\n")),
            2 => drop(bench.handshake()),
            3 => {
                bench.handshake();
                bench.main(format!("+FULLRESYNC {ID} 5\r\n$18\r\nREDIS"));
            }
            _ => drop(bench.synced(5)),
        }
        bench.wait(59_000);
        bench.wait(1_000);
        assert_eq!(bench.lost(), None);
        bench.wait(1_000);
        let Some(Lost::Timeout(state)) = bench.lost() else { panic!("{stage}: {:?}", bench.events) };
        states.push(*state);
    }
    let expected = ["RECEIVE_PING_REPLY", "RECEIVE_PORT_REPLY", "RECEIVE_PSYNC_REPLY", "TRANSFER", "CONNECTED"];
    assert_eq!(states, expected);
}

#[test]
fn two_channels_of_redis() {
    let mut bench = of(Compat::redis(8, 2), own(), |settings| settings.main_buffer = 20);
    bench.handshake();
    bench.main("+RDBCHANNELSYNC 6\r\n*1\r\n$4\r\np");
    assert_eq!(bench.replica.rdb_channel_state_name(), "SEND_HANDSHAKE");
    assert!(bench.others.contains(&Action::Connect(Channel::Rdb)));
    bench.replica.connected(Channel::Rdb, bench.now);
    bench.act();
    let options = "REPLCONF capa eof rdb-only 1 rdb-channel 1 main-ch-client-id 6 listening-port 16490";
    assert_eq!(bench.sent(Channel::Rdb), say(options));
    assert_eq!(bench.rdb_channel("+OK\r\n"), say("PSYNC ? -1"));
    bench.rdb_channel(format!("+FULLRESYNC {OTHER} 50\r\n$EOF:{MARK}\r\n"));
    assert_eq!(bench.replica.rdb_channel_state_name(), "RDB_LOADING");
    bench.auto_load = false;
    bench.rdb_channel([RDB, MARK.as_bytes()].concat());
    assert!(bench.others.contains(&Action::Disconnect(Channel::Rdb)) && bench.others.contains(&Action::EndLoad));
    bench.replica.closed(Channel::Rdb, bench.now);
    // Of the stream no more is taken than there is room for.
    bench.main("ing\r\n*1\r\n$4\r\nping\r\n");
    assert_eq!(bench.held.len(), 28 - 20);
    bench.replica.loaded(Loaded { stream_db: Some(3), place: None }, bench.now);
    assert_eq!(bench.main(""), say("REPLCONF ACK 50"));
    assert_eq!(
        (bench.replica.state_name(), bench.replica.applied(), bench.stream.len()),
        ("CONNECTED", Offset(78), 28)
    );
    assert_eq!(bench.commands.iter().map(|command| command.2).collect::<Vec<_>>(), [3, 3]);
    let synced = Event::Synced { replid: Some(replid(OTHER)), offset: Some(Offset(50)), db: 3 };
    assert!(bench.events.contains(&synced));
}

#[test]
fn two_channels_of_valkey() {
    for compat in [Compat::valkey(8, 1, 8), Compat::valkey(9, 1, 2)] {
        for load_first in [false, true] {
            let mut bench = of(compat, own(), |settings| settings.two_channel = true);
            bench.auto_load = false;
            bench.handshake();
            assert_eq!(bench.main("+DUALCHANNELSYNC\r\n"), "");
            bench.replica.connected(Channel::Rdb, bench.now);
            bench.act();
            let version = if compat.version_on_rdb_channel { " version 9.1.2" } else { "" };
            let options = format!("REPLCONF capa eof rdb-only 1 rdb-channel 1 listening-port 16490{version}");
            assert_eq!(bench.sent(Channel::Rdb), say(&options));
            assert_eq!(bench.rdb_channel("+OK\r\n"), "SYNC\r\n");
            assert_eq!(bench.replica.rdb_channel_state_name(), "RECEIVE_ENDOFF");
            bench.rdb_channel(format!("$ENDOFF:7194 {OTHER} -1 6\r\n"));
            assert_eq!(bench.sent(Channel::Main), say("REPLCONF set-rdb-client-id 6"));
            let load = |bench: &mut Bench| {
                bench.rdb_channel([format!("$EOF:{MARK}\r\n").as_bytes(), RDB, MARK.as_bytes()].concat());
                bench.replica.loaded(Loaded::default(), bench.now);
                bench.act();
            };
            if load_first {
                load(&mut bench);
                assert_eq!(bench.replica.state_name(), "TRANSFER");
            }
            assert_eq!(bench.main("+OK\r\n"), say(&format!("PSYNC {OTHER} 7195")));
            bench.main(format!("+CONTINUE {OTHER}\r\n{}", say("PING")));
            if !load_first {
                load(&mut bench);
                bench.main("");
            }
            assert_eq!((bench.replica.state_name(), bench.replica.applied()), ("CONNECTED", Offset(7208)));
            assert_eq!(bench.wait(1000), say("REPLCONF ACK 7208"));
        }
    }
}

#[test]
fn a_lost_channel_ends_both() {
    let mut bench = of(Compat::redis(8, 2), own(), |_| {});
    bench.handshake();
    bench.main("+RDBCHANNELSYNC 6\r\n");
    bench.replica.closed(Channel::Rdb, bench.now);
    bench.act();
    assert_eq!(bench.lost(), Some(&Lost::Closed));
    for channel in [Channel::Main, Channel::Rdb] {
        assert!(bench.others.contains(&Action::Disconnect(channel)));
    }
    // Nothing was lost yet: the same is asked again.
    bench.others.clear();
    bench.wait(1000);
    bench.connect();
    assert_eq!(bench.handshake(), say(&format!("PSYNC {ID} 1")));
}

#[test]
fn a_hand_over_is_asked_for_once() {
    let cached = CachedMaster { replid: replid(ID), offset: Offset(677), db: 0 };
    let mut bench = bench(Start::Nothing);
    bench.replica.follow_failover(cached, bench.now);
    bench.others.clear();
    bench.replica.connected(Channel::Main, bench.now);
    bench.act();
    assert_eq!(bench.handshake(), format!("*4\r\n$5\r\nPSYNC\r\n$40\r\n{ID}\r\n$3\r\n678\r\n$8\r\nFAILOVER\r\n"));
    // Refused, it is not asked by SYNC.
    assert_eq!(bench.main("-ERR PSYNC FAILOVER can't be sent to a master.\r\n"), "");
    assert!(matches!(bench.lost(), Some(Lost::Refused { to: "PSYNC", .. })));
    bench.wait(1000);
    bench.connect();
    assert_eq!(bench.handshake(), say(&format!("PSYNC {ID} 678")));
}

#[test]
fn following_nobody_ends_all() {
    let mut bench = bench(own());
    bench.synced(100);
    bench.replica.unfollow(bench.now);
    bench.act();
    assert_eq!((bench.replica.state_name(), bench.replica.next_wake()), ("NONE", None));
    assert_eq!(bench.replica.cached().map(|cached| cached.offset), Some(Offset(100)));
    assert_eq!(bench.main("late bytes"), "");
    bench.replica.follow(Start::AsBefore, bench.now);
    bench.connect();
    assert_eq!(bench.handshake(), say(&format!("PSYNC {ID} 101")));
}
