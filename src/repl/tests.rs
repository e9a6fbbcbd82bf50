//! Tests of the observer on whole conversations: what it tells of each, that no split of the bytes changes it, what a
//! gap costs, and that nothing makes it panic or grow.
//!
//! The conversations are made by hand after those of real servers (`WIRE-NOTES`). They are given to the observer
//! without TCP, as a tracker gives them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crc_fast::CrcAlgorithm;
use etherparse::PacketBuilder;
use proptest::prelude::*;
use serde_json::Value;

use super::{Observer, Settings};
use crate::bounds::MAX_UNDECIDED;
use crate::capture::{Frame, LinkType};
use crate::packet::{Decoded, Decoder};
use crate::tcp::{Connection, Direction, Ending, How, Receiver, Tracker};
use crate::units::{FrameNumber, LinkNumber, Position, Stamp, Timestamp};
use crate::view::json::{JsonLines, Options};
use crate::view::output::Output;

const UP: Direction = Direction::FromInitiator;
const DOWN: Direction = Direction::FromResponder;

const ID: &str = "8ea2e4d2c4b0a1f9d1c0b7e6a5f4d3c2b1a09f8e";
const OTHER_ID: &str = "0123456789abcdef0123456789abcdef01234567";
const MARK: &str = "5a1ba13e5a1ba13e5a1ba13e5a1ba13e5a1ba13e";

/// A connection as the tracker has it: the only way to one goes through a frame.
pub(super) fn connection(number: u32, syn_seen: bool) -> Connection {
    struct Catch(Option<Connection>);
    impl Receiver for Catch {
        fn data(&mut self, _: &Connection, _: Direction, _: Position, _: &[u8], _: Stamp) {}
        fn gap(&mut self, _: &Connection, _: Direction, _: Position, _: u64, _: Stamp) {}
        fn finished(&mut self, connection: &Connection, _: Option<Ending>, _: Stamp) {
            self.0 = Some(connection.clone());
        }
    }
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(
        40_000 + number as u16 % 20_000,
        6379,
        1,
        1,
    );
    let builder = if syn_seen { builder.syn() } else { builder };
    let mut bytes = vec![0; builder.size(0)];
    builder.write_to_slice(&mut bytes, b"").unwrap();
    let stamp = at(0);
    let frame = Frame { stamp, link_type: LinkType::ETHERNET, original_length: bytes.len() as u32, data: &bytes };
    let mut decoder = Decoder::new();
    let Decoded::Segment(segment) = decoder.decode(&frame) else { panic!("no segment") };
    let (mut tracker, mut catch) = (Tracker::new(), Catch(None));
    tracker.push(&segment, stamp, &mut catch);
    tracker.finish(&mut catch);
    let mut connection = catch.0.unwrap();
    connection.number = LinkNumber(number);
    connection.slot = number as usize - 1;
    connection.packets = [1; 2];
    connection
}

fn at(seconds: u64) -> Stamp {
    Stamp { frame: FrameNumber(seconds + 1), time: Some(Timestamp { nanos: seconds * 1_000_000_000, digits: 6 }) }
}

/// A writer that others can look into.
#[derive(Clone, Debug, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What one side says at one moment, or what the capture lacks of it.
#[derive(Clone, Debug)]
enum Said {
    Bytes(Vec<u8>),
    Gap(u64),
}

/// A conversation over one connection or more; each thing said comes a second after the one before.
#[derive(Clone, Debug, Default)]
struct Talk {
    said: Vec<(u32, Direction, Said)>,
    midstream: bool,
    /// Who closes connection 1 in the end, and how.
    ending: Option<(Direction, How)>,
}

impl Talk {
    fn on(mut self, link: u32, direction: Direction, bytes: impl AsRef<[u8]>) -> Self {
        self.said.push((link, direction, Said::Bytes(bytes.as_ref().to_vec())));
        self
    }

    fn up(self, bytes: impl AsRef<[u8]>) -> Self {
        self.on(1, UP, bytes)
    }

    fn down(self, bytes: impl AsRef<[u8]>) -> Self {
        self.on(1, DOWN, bytes)
    }

    fn gap(mut self, direction: Direction, bytes: u64) -> Self {
        self.said.push((1, direction, Said::Gap(bytes)));
        self
    }

    fn in_the_middle(mut self) -> Self {
        self.midstream = true;
        self
    }

    fn closed(mut self, by: Direction, how: How) -> Self {
        self.ending = Some((by, how));
        self
    }

    /// The lines that the observer's events make where `split` says how many bytes each delivery has.
    fn lines(&self, mut split: impl FnMut() -> usize) -> Vec<String> {
        let page = Page::default();
        let options = Options { max_bytes: usize::MAX, show_secrets: false };
        let lines = JsonLines::new(options, Output::new(Box::new(page.clone()), false));
        let mut observer = Observer::new(Settings { keep: usize::MAX, clients: true }, lines);
        let links = self.said.iter().map(|(link, ..)| *link).max().unwrap_or(0);
        let mut connections: Vec<Connection> = (1..=links).map(|link| connection(link, !self.midstream)).collect();
        let mut positions = vec![[0; 2]; links as usize];
        for (second, (link, direction, said)) in self.said.iter().enumerate() {
            let (stamp, index) = (at(second as u64 + 1), *link as usize - 1);
            connections[index].last = stamp;
            let position = &mut positions[index][direction.index()];
            match said {
                Said::Gap(bytes) => {
                    observer.gap(&connections[index], *direction, Position(*position), *bytes, stamp);
                    *position += bytes;
                }
                Said::Bytes(bytes) => {
                    let mut rest = &bytes[..];
                    while !rest.is_empty() {
                        let (part, after) = rest.split_at(split().clamp(1, rest.len()));
                        observer.data(&connections[index], *direction, Position(*position), part, stamp);
                        *position += part.len() as u64;
                        rest = after;
                    }
                }
            }
        }
        let stamp = at(self.said.len() as u64 + 1);
        for connection in &connections {
            let ending = self.ending.filter(|_| connection.number.0 == 1).map(|(by, how)| Ending { by, how, stamp });
            observer.finished(connection, ending, stamp);
        }
        observer.finish();
        observer.sink.flush();
        let bytes = page.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap().lines().map(ToOwned::to_owned).collect()
    }

    fn whole(&self) -> Events {
        let lines = self.lines(|| usize::MAX);
        Events(lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

/// What was told, as a reader of the JSON lines sees it.
struct Events(Vec<Value>);

impl Events {
    fn of(&self, event: &str) -> Vec<&Value> {
        self.0.iter().filter(|line| line["event"] == event).collect()
    }

    fn one(&self, event: &str) -> &Value {
        let all = self.of(event);
        assert_eq!(all.len(), 1, "{event}: {:#?}", self.0);
        all[0]
    }

    fn notes(&self) -> Vec<&str> {
        self.of("note").iter().map(|note| note["code"].as_str().unwrap()).collect()
    }

    /// What the events of one kind have in one field.
    fn column(&self, event: &str, field: &str) -> Vec<Value> {
        self.of(event).iter().map(|line| line[field].clone()).collect()
    }

    fn no_trouble(&self) -> &Self {
        assert!(self.of("malformed").is_empty() && self.of("gap").is_empty(), "{:#?}", self.0);
        self
    }
}

macro_rules! values {
    ($($value:tt)*) => { serde_json::json!([$($value)*]).as_array().unwrap().clone() };
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A command of words without blanks.
fn say(line: &str) -> Vec<u8> {
    command(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

fn ack(offset: i64) -> Vec<u8> {
    say(&format!("REPLCONF ACK {offset}"))
}

/// A sound RDB with a key `k` of this value, and aux fields.
fn rdb(magic: &str, aux: &[(&str, &str)], value: &[u8]) -> Vec<u8> {
    let mut bytes = magic.as_bytes().to_vec();
    let string = |bytes: &mut Vec<u8>, text: &[u8]| {
        bytes.push(u8::try_from(text.len()).unwrap());
        assert!(text.len() < 64);
        bytes.extend_from_slice(text);
    };
    for (name, value) in aux {
        bytes.push(0xfa);
        string(&mut bytes, name.as_bytes());
        string(&mut bytes, value.as_bytes());
    }
    bytes.extend(b"\xfe\x00\xfb\x01\x00\x00\x01k");
    string(&mut bytes, value);
    bytes.push(0xff);
    let checksum = crc_fast::checksum(CrcAlgorithm::Crc64Redis, &bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

fn small_rdb() -> Vec<u8> {
    rdb("REDIS0011", &[("redis-ver", "7.2.4"), ("repl-stream-db", "3")], b"v")
}

/// The payload `$<length>` and an RDB, as it travels.
fn on_disk(rdb: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", rdb.len()).as_bytes(), rdb].concat()
}

fn diskless(rdb: &[u8]) -> Vec<u8> {
    [b"$EOF:", MARK.as_bytes(), b"\r\n", rdb, MARK.as_bytes()].concat()
}

/// A handshake as 6.0 and later send it, up to the PSYNC.
fn handshake(psync: &str) -> Talk {
    Talk::default()
        .up(say("PING"))
        .down("+PONG\r\n")
        .up([say("REPLCONF listening-port 6380"), say("REPLCONF capa eof capa psync2")].concat())
        .down("+OK\r\n+OK\r\n")
        .up(say(psync))
}

/// A stream with SELECT, a transaction, a PING and a GETACK: 8 commands, and its length.
fn stream() -> (Vec<u8>, u64) {
    let parts = [
        say("SELECT 5"),
        say("SET a 1"),
        say("MULTI"),
        say("INCR a"),
        say("EXEC"),
        say("ping"),
        say("DEL a"),
        say("REPLCONF GETACK *"),
    ];
    let bytes = parts.concat();
    let length = bytes.len() as u64;
    (bytes, length)
}

const BASE: u64 = 1000;

fn full_disk() -> Talk {
    let (bytes, length) = stream();
    handshake("PSYNC ? -1")
        .down(format!("+FULLRESYNC {ID} {BASE}\r\n"))
        .down("\n\n")
        .down(on_disk(&small_rdb()))
        .up(ack(BASE as i64))
        .down(bytes)
        .up(ack((BASE + length) as i64))
        .closed(UP, How::Fin)
}

fn full_diskless() -> Talk {
    let value = MARK.as_bytes();
    handshake("PSYNC ? -1")
        .down("\n")
        .down(format!("+FULLRESYNC {ID} {BASE}\r\n"))
        .down([b"\n".as_slice(), &diskless(&rdb("REDIS0012", &[("redis-ver", "8.0.0")], value))].concat())
        .up(ack(BASE as i64))
        .down([say("SELECT 0"), say("SET a 1")].concat())
}

fn sync_inline() -> Talk {
    let rdb = rdb("REDIS0006", &[("repl-offset", "4242")], b"v");
    Talk::default()
        .up("SYNC\r\n")
        .down("\n")
        .down(on_disk(&rdb))
        .down(say("SET a 1"))
        .up(ack(4242 + say("SET a 1").len() as i64))
}

fn partial(reply: &str) -> Talk {
    handshake(&format!("PSYNC {ID} 501"))
        .down(format!("{reply}\r\n"))
        .down([say("SELECT 2"), say("SET a 1")].concat())
        .up(ack(500 + (say("SELECT 2").len() + say("SET a 1").len()) as i64))
}

/// As 2.8 does it: all of it inline.
fn inline_handshake() -> Talk {
    Talk::default()
        .up("PING\r\n")
        .down("+PONG\r\n")
        .up("REPLCONF listening-port 6380\r\n")
        .down("+OK\r\n")
        .up("PSYNC ? -1\r\n")
        .down(format!("+FULLRESYNC {ID} 1\r\n"))
        .down(on_disk(&rdb("REDIS0006", &[], b"v")))
        .down(say("PING"))
        .up(ack(15))
}

/// As 7.0 does it: the rest of the handshake does not wait for the answer to AUTH.
fn auth_refused() -> Talk {
    let no = "-NOAUTH Authentication required.\r\n";
    Talk::default()
        .up(say("PING"))
        .down(no)
        .up([say("AUTH sesame"), say("REPLCONF listening-port 6380"), say("REPLCONF capa eof capa psync2")].concat())
        .down(format!("-WRONGPASS invalid username-password pair or user is disabled.\r\n{no}{no}"))
        .closed(UP, How::Fin)
}

/// Redis 8: the main connection answers +RDBCHANNELSYNC and carries the stream, a second one the RDB.
fn rdb_channel() -> Talk {
    Talk::default()
        .on(1, UP, say("PING"))
        .on(1, DOWN, "+PONG\r\n")
        .on(1, UP, say("REPLCONF listening-port 6380"))
        .on(1, DOWN, "+OK\r\n")
        .on(1, UP, say("REPLCONF capa eof capa psync2 capa rdb-channel-repl"))
        .on(1, DOWN, "+OK\r\n")
        .on(1, UP, say("PSYNC ? -1"))
        .on(1, DOWN, "+RDBCHANNELSYNC 6\r\n")
        .on(2, UP, say("PING"))
        .on(2, DOWN, "+PONG\r\n")
        .on(2, UP, say("REPLCONF rdb-channel 1 main-ch-client-id 6"))
        .on(2, DOWN, "+OK\r\n")
        .on(2, UP, say("SYNC"))
        .on(2, DOWN, format!("+FULLRESYNC {ID} {BASE}\r\n"))
        .on(1, DOWN, say("SET a 1"))
        .on(2, DOWN, diskless(&rdb("REDIS0012", &[("redis-ver", "8.2.0")], b"v")))
        .on(1, UP, ack((BASE + say("SET a 1").len() as u64) as i64))
}

/// Valkey 8: the main connection answers +DUALCHANNELSYNC, the second one tells the offset in `$ENDOFF:`, and then the
/// main one asks again and continues.
fn dual_channel() -> Talk {
    Talk::default()
        .on(1, UP, say("PING"))
        .on(1, DOWN, "+PONG\r\n")
        .on(1, UP, say("REPLCONF listening-port 6380"))
        .on(1, DOWN, "+OK\r\n")
        .on(1, UP, say("REPLCONF capa eof capa psync2 capa dual-channel"))
        .on(1, DOWN, "+OK\r\n")
        .on(1, UP, say("PSYNC ? -1"))
        .on(1, DOWN, "+DUALCHANNELSYNC\r\n")
        .on(2, UP, [say("REPLCONF version 8.1.0"), say("REPLCONF rdb-channel 1")].concat())
        .on(2, DOWN, "+OK\r\n+OK\r\n")
        .on(2, UP, say("SYNC"))
        .on(2, DOWN, format!("$ENDOFF:{BASE} {ID} 4 6\r\n"))
        .on(1, UP, say("REPLCONF set-rdb-client-id 6"))
        .on(1, DOWN, "+OK\r\n")
        .on(1, UP, say(&format!("PSYNC {ID} {}", BASE + 1)))
        .on(1, DOWN, format!("+CONTINUE {ID}\r\n"))
        .on(1, DOWN, say("SET a 1"))
        .on(2, DOWN, diskless(&rdb("REDIS0011", &[("valkey-ver", "8.1.0")], b"v")))
        .on(2, UP, say("REPLCONF ACK 0"))
        .on(1, UP, ack((BASE + say("SET a 1").len() as u64) as i64))
}

fn newlines_everywhere() -> Talk {
    handshake("PSYNC ? -1")
        .down("\n\n\n")
        .down(format!("+FULLRESYNC {ID} {BASE}\r\n"))
        .down("\n\n")
        .down(on_disk(&small_rdb()))
        .up("\n\n")
        .down([b"\n".as_slice(), &say("SET a 1"), b"\n\n", &say("SET a 2")].concat())
        .up(ack((BASE + 3 + 2 * say("SET a 1").len() as u64) as i64))
}

fn acks_with_fack() -> Talk {
    let (getack, set) = (say("REPLCONF GETACK *"), say("SET a 1"));
    handshake(&format!("PSYNC {ID} 1001"))
        .down(format!("+CONTINUE {ID}\r\n"))
        .down([&set[..], &getack, &set].concat())
        .up(say(&format!("REPLCONF ACK {} FACK {}", BASE + set.len() as u64, BASE)))
        .up(say(&format!("replconf ack {} fack {}", BASE + (2 * set.len() + getack.len()) as u64, BASE)))
}

/// Valkey 9.1 after a plain SYNC knows no offset, and says so.
fn ack_of_minus_one() -> Talk {
    Talk::default()
        .up(say("PING"))
        .down("+PONG\r\n")
        .up(say("SYNC"))
        .down(on_disk(&small_rdb()))
        .up(ack(-1))
        .down(say("SET a 1"))
        .up(ack(-1))
}

fn save_failed() -> Talk {
    handshake("PSYNC ? -1")
        .down(format!("+FULLRESYNC {ID} {BASE}\r\n"))
        .down("\n")
        .down("-ERR BGSAVE failed, replication can't continue\r\n")
        .closed(DOWN, How::Fin)
}

fn refused() -> Talk {
    handshake("PSYNC ? -1").down("-NOMASTERLINK Can't SYNC while not connected with my master\r\n").closed(UP, How::Rst)
}

fn talks() -> Vec<(&'static str, Talk)> {
    vec![
        ("full sync from disk", full_disk()),
        ("diskless full sync", full_diskless()),
        ("inline SYNC", sync_inline()),
        ("partial sync", partial(&format!("+CONTINUE {ID}"))),
        ("partial sync without an id", partial("+CONTINUE")),
        ("partial sync with a new id", partial(&format!("+CONTINUE {OTHER_ID}"))),
        ("inline handshake", inline_handshake()),
        ("refused login", auth_refused()),
        ("Redis 8's rdb-channel", rdb_channel()),
        ("Valkey's dual-channel", dual_channel()),
        ("newlines", newlines_everywhere()),
        ("ACKs with FACK", acks_with_fack()),
        ("ACK -1", ack_of_minus_one()),
        ("a failed save", save_failed()),
        ("a refused PSYNC", refused()),
    ]
}

#[test]
fn full_sync_from_disk() {
    let events = full_disk().whole();
    let (_, length) = stream();
    assert_eq!(events.no_trouble().one("fullresync")["offset"], BASE);
    let begin = events.one("rdb_begin");
    assert_eq!((&begin["transfer"], &begin["bytes"]), (&"disk".into(), &small_rdb().len().into()));
    assert_eq!((&begin["keepalives"], &begin["waited"]), (&2.into(), &serde_json::json!(3.0)));
    let end = events.one("rdb_end");
    assert_eq!((&end["checksum"], &end["complete"], &end["keys"]), (&"ok".into(), &true.into(), &1.into()));
    assert_eq!((&end["rdb_version"], &end["aux"]["redis-ver"]), (&11.into(), &"7.2.4".into()));
    let names = values!["SELECT", "SET", "MULTI", "INCR", "EXEC", "DEL"];
    assert_eq!(events.column("write", "name"), names);
    assert_eq!(events.column("write", "db"), values![5, 5, 5, 5, 5, 5]);
    let first = BASE + say("SELECT 5").len() as u64;
    assert_eq!(events.column("write", "offset")[..2], values![first, first + say("SET a 1").len() as u64]);
    assert_eq!(events.one("getack")["offset"], BASE + length);
    let heartbeat = BASE + length - (say("REPLCONF GETACK *").len() + say("DEL a").len()) as u64;
    assert_eq!(events.one("heartbeat")["offset"], heartbeat);
    assert_eq!(events.column("ack", "lag"), values![0, 0]);
    assert_eq!(events.column("ack", "rtt"), values![null, 1.0]);
    assert_eq!(events.notes(), ["full-sync-first"]);
    let close = events.one("close");
    assert_eq!((&close["by"], &close["how"]), (&"replica".into(), &"fin".into()));
}

#[test]
fn the_database_of_a_chained_replicas_stream_is_in_the_rdb() {
    let talk = handshake("PSYNC ? -1")
        .down(format!("+FULLRESYNC {ID} 7\r\n"))
        .down(on_disk(&small_rdb()))
        .down([say("SET a 1"), say("SELECT 0"), say("SET a 1")].concat());
    assert_eq!(talk.whole().no_trouble().column("write", "db"), values![3, 0, 0]);
}

#[test]
fn diskless_full_sync_with_the_mark_in_a_value() {
    let events = full_diskless().whole();
    let begin = events.no_trouble().one("rdb_begin");
    assert_eq!((&begin["transfer"], &begin["bytes"]), (&"diskless".into(), &Value::Null));
    assert_eq!((&begin["eof_mark"], &begin["keepalives"]), (&MARK.into(), &2.into()));
    let end = events.one("rdb_end");
    let length = rdb("REDIS0012", &[("redis-ver", "8.0.0")], MARK.as_bytes()).len();
    assert_eq!((&end["bytes"], &end["checksum"], &end["keys"]), (&length.into(), &"ok".into(), &1.into()));
    assert_eq!(events.column("write", "db"), values![0, 0]);
    assert_eq!(events.column("write", "offset"), values![BASE + 23, BASE + 50]);
    assert_eq!((say("SELECT 0").len(), say("SET a 1").len()), (23, 27));
}

#[test]
fn inline_sync_takes_its_offset_from_the_rdb() {
    let events = sync_inline().whole();
    let command = events.no_trouble().one("command");
    assert_eq!((&command["name"], &command["inline"]), (&"SYNC".into(), &true.into()));
    assert_eq!(events.one("write")["offset"], 4242 + 27);
    assert_eq!(events.one("ack")["lag"], 0);
    assert_eq!(events.notes(), ["full-sync-forced"]);
}

#[test]
fn partial_syncs() {
    let same = partial(&format!("+CONTINUE {ID}")).whole();
    let without = partial("+CONTINUE").whole();
    let renamed = partial(&format!("+CONTINUE {OTHER_ID}")).whole();
    for events in [&same, &without, &renamed] {
        assert_eq!(events.no_trouble().one("continue")["offset"], 500);
        assert_eq!(events.column("write", "offset"), values![523, 550]);
        assert_eq!(events.column("write", "db"), values![2, 2]);
        assert_eq!(events.one("ack")["lag"], 0);
    }
    assert_eq!(same.one("continue")["replid"], ID);
    assert_eq!(without.one("continue")["replid"], Value::Null);
    assert!(same.notes().is_empty() && without.notes().is_empty());
    assert_eq!(renamed.notes(), ["partial-sync-after-failover"]);
}

#[test]
fn inline_handshakes() {
    let events = inline_handshake().whole();
    assert_eq!(events.no_trouble().column("command", "inline"), values![true, true, true]);
    assert_eq!(events.column("reply", "to"), values!["PING", "REPLCONF"]);
    let asked = events.of("command")[2];
    assert_eq!((&asked["replid"], &asked["offset"]), (&"?".into(), &(-1).into()));
    assert_eq!(events.one("heartbeat")["offset"], 15);
    assert_eq!(events.one("ack")["lag"], 0);
}

#[test]
fn a_refused_login() {
    let events = auth_refused().whole();
    assert_eq!(events.no_trouble().column("reply", "error"), values![true, true, true, true]);
    assert_eq!(events.notes(), ["auth-failed"]);
    let line = auth_refused().lines(|| usize::MAX).concat();
    assert!(!line.contains("sesame") && line.contains("********"));
}

#[test]
fn two_channels_of_redis() {
    let events = rdb_channel().whole();
    assert_eq!(events.no_trouble().column("two_channel", "link"), values![1, 2]);
    assert_eq!(events.column("two_channel", "transfer"), values!["rdb-channel", "rdb-channel"]);
    assert_eq!(events.column("two_channel", "client_id"), values![6, 6]);
    assert_eq!(events.column("two_channel", "pair"), values![null, 1]);
    let begin = events.one("rdb_begin");
    assert_eq!((&begin["link"], &begin["transfer"]), (&2.into(), &"rdb-channel".into()));
    let write = events.one("write");
    assert_eq!((&write["link"], &write["offset"]), (&1.into(), &(BASE + 27).into()));
    assert_eq!((&events.one("ack")["link"], &events.one("ack")["lag"]), (&1.into(), &0.into()));
    assert_eq!(events.one("rdb_end")["checksum"], "ok");
}

#[test]
fn two_channels_of_valkey() {
    let events = dual_channel().whole();
    assert_eq!(events.no_trouble().column("two_channel", "transfer"), values!["dual-channel", "dual-channel"]);
    let full = events.one("fullresync");
    assert_eq!((&full["link"], &full["offset"], &full["replid"]), (&2.into(), &BASE.into(), &ID.into()));
    let begin = events.one("rdb_begin");
    assert_eq!(
        (&begin["link"], &begin["transfer"], &begin["eof_mark"]),
        (&2.into(), &"dual-channel".into(), &MARK.into())
    );
    let write = events.one("write");
    assert_eq!((&write["link"], &write["offset"], &write["db"]), (&1.into(), &(BASE + 27).into(), &4.into()));
    assert_eq!(events.one("continue")["offset"], BASE);
}

#[test]
fn newlines_before_the_rdb_are_counted_and_those_in_the_stream_count() {
    let events = newlines_everywhere().whole();
    assert_eq!(events.no_trouble().one("rdb_begin")["keepalives"], 5);
    let set = 27;
    assert_eq!(events.column("heartbeat", "from"), values!["replica", "replica", "master", "master", "master"]);
    let offsets = values![null, null, BASE + 1, BASE + 2 + set, BASE + 3 + set];
    assert_eq!(events.column("heartbeat", "offset"), offsets);
    assert_eq!(events.column("write", "offset"), values![BASE + 1 + set, BASE + 3 + 2 * set]);
    assert_eq!(events.one("ack")["lag"], 0);
}

#[test]
fn acks_tell_lag_delay_and_what_is_on_disk() {
    let events = acks_with_fack().whole();
    let (set, getack) = (27, say("REPLCONF GETACK *").len() as u64);
    assert_eq!(events.no_trouble().column("ack", "lag"), values![getack + set, 0]);
    assert_eq!(events.column("ack", "fack"), values![BASE, BASE]);
    assert_eq!(events.column("ack", "delay"), values![1.0, 0.0]);
    // The answer to a GETACK does not cover the question.
    assert_eq!(events.column("ack", "rtt"), values![1.0, null]);
}

#[test]
fn an_ack_of_minus_one_is_told_as_it_is() {
    let events = ack_of_minus_one().whole();
    assert_eq!(events.no_trouble().column("ack", "offset"), values![-1, -1]);
    assert_eq!(events.column("ack", "lag"), values![null, null]);
    assert_eq!(events.one("write")["offset"], Value::Null);
}

#[test]
fn an_error_in_place_of_the_payload() {
    let events = save_failed().whole();
    assert_eq!(events.no_trouble().notes(), ["full-sync-first", "rdb-aborted"]);
    assert!(events.of("rdb_begin").is_empty());
    assert_eq!(events.0.last().unwrap()["by"], "master");
    let events = refused().whole();
    assert_eq!(events.no_trouble().notes(), ["master-link-down"]);
    assert_eq!(events.column("reply", "to"), values!["PING", "REPLCONF", "REPLCONF", "PSYNC"]);
}

#[test]
fn an_rdb_that_is_cut_short_is_told_as_such() {
    let whole = on_disk(&small_rdb());
    let talk = handshake("PSYNC ? -1").down(format!("+FULLRESYNC {ID} 7\r\n")).down(&whole[..whole.len() - 9]);
    let events = talk.closed(DOWN, How::Rst).whole();
    let end = events.one("rdb_end");
    assert_eq!((&end["complete"], &end["checksum"]), (&false.into(), &Value::Null));
    assert_eq!(events.notes(), ["full-sync-first", "rdb-truncated"]);
}

#[test]
fn a_damaged_rdb_is_told_as_such() {
    let mut rdb = small_rdb();
    let at = rdb.len() - 10;
    rdb[at] ^= 1;
    let talk = handshake("PSYNC ? -1").down(format!("+FULLRESYNC {ID} 7\r\n")).down(on_disk(&rdb)).down(say("SET a 1"));
    let events = talk.whole();
    assert_eq!(events.one("rdb_end")["checksum"], "bad");
    assert_eq!(events.notes(), ["full-sync-first", "rdb-checksum-bad"]);
    assert_eq!(events.one("write")["offset"], 34);
}

#[test]
fn two_channels_tell_why_as_one_does() {
    let again = |mut talk: Talk, replid: &str, first: u64| {
        for (_, _, said) in &mut talk.said {
            if let Said::Bytes(bytes) = said
                && *bytes == say("PSYNC ? -1")
            {
                *bytes = say(&format!("PSYNC {replid} {first}"));
            }
        }
        talk
    };
    for talk in [rdb_channel, dual_channel] {
        let events = again(talk(), ID, 501).whole();
        assert_eq!(events.notes(), ["full-sync-backlog-overrun"]);
        let note = events.one("note");
        assert!(note["text"].as_str().unwrap().contains(&format!("{} bytes behind", BASE - 500)), "{note}");
        assert_eq!(note["link"], 1);
        assert_eq!(again(talk(), OTHER_ID, 501).whole().notes(), ["full-sync-replid-mismatch"]);
        assert_eq!(again(talk(), OTHER_ID, 1).whole().notes(), ["full-sync-first"]);
        assert_eq!(talk().whole().notes(), ["full-sync-first"]);
    }
}

#[test]
fn a_command_that_never_ends_is_told_when_the_replica_ends_the_link() {
    let never = "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$4000\r\n1001\r\n";
    let talk = partial(&format!("+CONTINUE {ID}")).up(never).closed(UP, How::Fin);
    let events = talk.whole();
    let malformed = events.one("malformed");
    assert_eq!((&malformed["from"], &malformed["bytes"]), (&"replica".into(), &never.len().into()));
    assert_eq!(partial(&format!("+CONTINUE {ID}")).up(never).whole().of("malformed").len(), 1);
    // A handshake may be cut anywhere by the capture's end, and goes on where the link does.
    let asks = say("PSYNC ? -1");
    assert_eq!(Talk::default().up(say("PING")).up(&asks[..9]).whole().of("malformed").len(), 0);
}

#[test]
fn an_overrun_backlog_says_by_how_much() {
    let talk = handshake(&format!("PSYNC {ID} 501")).down(format!("+FULLRESYNC {ID} 90500\r\n"));
    let events = talk.whole();
    assert_eq!(events.notes(), ["full-sync-backlog-overrun"]);
    assert!(events.one("note")["text"].as_str().unwrap().contains("90000 bytes"));
    // Nothing was missing: that cannot be for lack of backlog.
    let talk = handshake(&format!("PSYNC {ID} 501")).down(format!("+FULLRESYNC {ID} 500\r\n"));
    let events = talk.whole();
    assert_eq!(events.notes(), ["full-sync-backlog-overrun"]);
    let text = events.one("note")["text"].as_str().unwrap().to_owned();
    assert!(text.contains("offset 500, where its master stands") && !text.contains("0 bytes"), "{text}");
    let talk = handshake(&format!("PSYNC {OTHER_ID} 501")).down(format!("+FULLRESYNC {ID} 90500\r\n"));
    assert_eq!(talk.whole().notes(), ["full-sync-replid-mismatch"]);
}

#[test]
fn midstream_offsets_come_from_the_acks() {
    let set = say("SET a 1");
    let talk = Talk::default().in_the_middle().down(&set).up(ack(5000)).down(&set).up(ack(5027)).down(&set);
    let events = talk.whole();
    assert_eq!(events.no_trouble().column("connect", "midstream"), values![true]);
    let offsets = events.column("write", "offset");
    assert_eq!(offsets.last().unwrap(), 5054, "{offsets:?}");
    assert_eq!(events.notes(), ["midstream"]);
}

#[test]
fn every_conversation_byte_by_byte() {
    for (name, talk) in talks() {
        assert_eq!(talk.lines(|| 1), talk.lines(|| usize::MAX), "{name}");
    }
}

#[test]
fn every_conversation_cut_once_at_every_byte() {
    for (name, talk) in talks() {
        let whole = talk.lines(|| usize::MAX);
        let longest = talk.said.iter().map(|(.., said)| if let Said::Bytes(bytes) = said { bytes.len() } else { 0 });
        for cut in 1..longest.max().unwrap_or(1) {
            let mut first = false;
            let lines = talk.lines(|| {
                first = !first;
                if first { cut } else { usize::MAX }
            });
            assert_eq!(lines, whole, "{name}, cut at {cut}");
        }
    }
}

/// Commands whose values hold newlines, stars and halves of commands, but no whole one.
fn awkward_stream(lengths: &[u16]) -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
    let mut bytes = say("SELECT 9");
    let mut ends = vec![(bytes.len() as u64, bytes.clone())];
    for (i, &length) in lengths.iter().enumerate() {
        let filler = [&b"x*1\r\n$"[..], b"plain", b"\n*\n", b"\r\n$3\r\nSET"][i % 4];
        let value: Vec<u8> = filler.iter().copied().cycle().take(usize::from(length)).collect();
        let one = command(&[b"SET", format!("key:{i}").as_bytes(), &value]);
        bytes.extend_from_slice(&one);
        ends.push((bytes.len() as u64, one));
    }
    (bytes, ends)
}

/// Something that a peer might say, or part of it.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<Vec<u8>> = talks()
        .into_iter()
        .flat_map(|(_, talk)| talk.said)
        .filter_map(|(.., said)| if let Said::Bytes(bytes) = said { Some(bytes) } else { None })
        .collect();
    prop_oneof![
        6 => prop::sample::select(pieces.clone()),
        2 => (prop::sample::select(pieces), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut piece, at, byte)| {
            let at = at.index(piece.len());
            piece[at] = byte;
            piece
        }),
        1 => prop::collection::vec(any::<u8>(), 1..100),
        1 => prop::collection::vec(prop::sample::select(b"*$+-\r\n0123456789 REDIS\xff\xfa\xfe".to_vec()), 1..60),
    ]
}

#[test]
fn a_gap_at_the_streams_first_byte_costs_no_offset() {
    let set = say("SET a 1");
    let wire = set.repeat(30);
    let talk = handshake(&format!("PSYNC {ID} 1001")).down(format!("+CONTINUE {ID}\r\n")).gap(DOWN, 1).down(&wire[1..]);
    let lines = talk.lines(|| usize::MAX);
    let events = Events(lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect());
    let offsets: Vec<_> = events.of("write").iter().map(|write| write["offset"].as_u64()).collect();
    let after = |number: u64| Some(BASE + number * set.len() as u64);
    assert_eq!(offsets, (2..=30).map(after).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_split_changes_what_is_told(sizes in prop::collection::vec(1..60_usize, 1..40)) {
        for (name, talk) in talks() {
            let mut sizes = sizes.iter().copied().cycle();
            prop_assert_eq!(talk.lines(|| sizes.next().unwrap_or(1)), talk.lines(|| usize::MAX), "{}", name);
        }
    }

    #[test]
    fn after_a_gap_offsets_are_exact_and_nothing_is_invented(
        lengths in prop::collection::vec(1..120_u16, 30..150),
        from in any::<prop::sample::Index>(),
        missing in 1..900_usize,
        segment in 300..1460_usize,
    ) {
        let (bytes, ends) = awkward_stream(&lengths);
        let from = from.index(bytes.len());
        let until = (from + missing).min(bytes.len());
        let talk = handshake(&format!("PSYNC {ID} 1001"))
            .down(format!("+CONTINUE {ID}\r\n"))
            .down(&bytes[..from])
            .gap(DOWN, (until - from) as u64)
            .down(&bytes[until..])
            .up(ack((BASE + bytes.len() as u64) as i64));
        let lines = talk.lines(|| segment);
        let events = Events(lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect());
        prop_assert_eq!(events.one("gap")["bytes"].as_u64(), Some((until - from) as u64));
        prop_assert_eq!(events.of("malformed").len(), 0);
        let told = events.of("write");
        for write in &told {
            let end = write["offset"].as_u64().unwrap() - BASE;
            let command = ends.iter().find(|(at, _)| *at == end);
            prop_assert!(command.is_some_and(|(_, one)| write["bytes"] == one.len()), "invented: {}", write);
            let db = &write["db"];
            prop_assert!(*db == 9 || db.is_null() && end > from as u64, "{}", write);
        }
        // Whatever begins in the second segment after the gap or later is there, and all that ended before the gap.
        let footing = until + 2 * segment;
        for (end, one) in &ends {
            let start = *end as usize - one.len();
            if *end as usize <= from || start >= footing {
                prop_assert!(told.iter().any(|write| write["offset"] == BASE + end), "missing: {}", end);
            }
        }
        prop_assert_eq!(&events.one("ack")["lag"], 0);
    }

    #[test]
    fn a_gap_anywhere_in_a_full_sync_never_leads_to_a_wrong_offset(
        from in any::<prop::sample::Index>(),
        missing in 1..200_usize,
        sizes in prop::collection::vec(20..200_usize, 1..10),
    ) {
        let set = say("SET a 1");
        let wire = [format!("+FULLRESYNC {ID} {BASE}\r\n\n").as_bytes(), &on_disk(&small_rdb()), &set.repeat(30)].concat();
        let begins = wire.len() - 30 * set.len();
        let from = from.index(wire.len());
        let until = (from + missing).min(wire.len());
        let talk = handshake("PSYNC ? -1").down(&wire[..from]).gap(DOWN, (until - from) as u64).down(&wire[until..]);
        let mut sizes = sizes.iter().copied().cycle();
        let lines = talk.lines(|| sizes.next().unwrap_or(1));
        for line in &lines {
            let event: Value = serde_json::from_str(line).unwrap();
            if event["event"] == "write" && let Some(offset) = event["offset"].as_u64() {
                let place = offset - BASE;
                prop_assert!(place.is_multiple_of(27) && place <= 30 * 27, "{} {}..{} of {}", line, from, until, begins);
            }
        }
        // All of the stream came after the gap and after all of the payload's header: then its offsets are known.
        let known = format!("+FULLRESYNC {ID} {BASE}\r\n\n$100\r\n").len();
        if from >= known && until <= begins {
            let last = format!("\"write\",\"offset\":{},", BASE + 30 * 27);
            prop_assert!(lines.iter().any(|line| line.contains(&last)), "{}..{}", from, until);
        }
    }

    #[test]
    fn nothing_makes_it_panic(
        said in prop::collection::vec((1..3_u32, any::<bool>(), words(), prop::option::weighted(0.1, 1..100_000_u64)), 1..40),
        midstream in any::<bool>(),
        ending in prop::option::of((any::<bool>(), any::<bool>())),
        sizes in prop::collection::vec(1..200_usize, 1..10),
    ) {
        let side = |up| if up { UP } else { DOWN };
        let mut talk = Talk { midstream, ..Talk::default() };
        for (link, up, bytes, gap) in said {
            talk = talk.on(link, side(up), bytes);
            if let Some(gap) = gap {
                talk.said.push((link, side(up), Said::Gap(gap)));
            }
        }
        talk.ending = ending.map(|(up, fin)| (side(up), if fin { How::Fin } else { How::Rst }));
        let mut sizes = sizes.iter().copied().cycle();
        for line in talk.lines(|| sizes.next().unwrap_or(1)) {
            prop_assert!(serde_json::from_str::<Value>(&line).is_ok(), "{}", line);
        }
    }
}

/// How long the observer is when it is written out: a byte that it holds takes two or more.
fn held<S: std::fmt::Debug>(observer: &Observer<S>) -> usize {
    struct Count(usize);
    impl std::fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    let _ = std::fmt::write(&mut count, format_args!("{observer:?}"));
    count.0
}

#[derive(Debug)]
struct Nowhere;

impl super::Sink for Nowhere {
    fn event(&mut self, _: &super::Event<'_>) {}
}

fn observer() -> Observer<Nowhere> {
    Observer::new(Settings { keep: 1 << 20, clients: false }, Nowhere)
}

#[test]
fn one_undecided_connection_is_bounded() {
    // The middle of something unreadable, in one direction: nothing ever tells what it is.
    let mut observer = observer();
    let connection = connection(1, false);
    let segment = [1; 1448];
    for i in 0..2000 {
        observer.data(&connection, DOWN, Position(i * 1448), &segment, at(i));
        if i % 100 == 0 {
            assert!(held(&observer) < 3 * MAX_UNDECIDED + (100 << 10), "after {i} segments: {}", held(&observer));
        }
    }
}
