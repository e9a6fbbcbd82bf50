//! The view as a reader sees it: what is shown, what is folded, and that nothing harmful gets through.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::rdb;
use crate::repl::event::{Asked, Certainty, RdbEnd, Replid, Side, State};
use crate::repl::notes::Note;
use crate::resp::{CommandDecoder, Reply, Step};
use crate::tcp::How;
use crate::units::{FrameNumber, Span, Stamp};

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A view and what it has written.
struct Reader {
    text: Text,
    sheet: Sheet,
    nanos: u64,
}

const OPTIONS: Options =
    Options { color: false, width: None, verbosity: 0, max_bytes: 64, show_secrets: false, clients: true };

impl Reader {
    fn new(options: Options) -> Self {
        let sheet = Sheet::default();
        let text = Text::new(options, Output::new(Box::new(sheet.clone()), true));
        Self { text, sheet, nanos: 1_700_000_000_000_000_000 }
    }

    fn written(&self) -> String {
        String::from_utf8(self.sheet.0.lock().unwrap().clone()).unwrap()
    }

    /// One event, `after` nanoseconds after the last one.
    fn tell(&mut self, after: u64, link: u32, phase: Phase, from: Option<Side>, kind: Kind<'_>) {
        self.nanos += after;
        let time = Some(Timestamp { nanos: self.nanos, digits: 6 });
        self.text.event(&Event {
            stamp: Stamp { frame: FrameNumber(self.nanos), time },
            elapsed: Some(Span { nanos: self.nanos - 1_700_000_000_000_000_000, digits: 6 }),
            link: Some(LinkNumber(link)),
            from,
            phase,
            state: Some(State::Connecting),
            kind,
        });
    }

    fn connect(&mut self, link: u32) {
        let end = |port| Endpoint { address: 0xffff_7f00_0001, port };
        let kind = Kind::Connect { replica: end(40_000 + link as u16), master: end(6379), rtt: None, midstream: false };
        self.tell(1_000_000, link, Phase::Connect, None, kind);
    }

    fn says(&mut self, link: u32, words: &[&[u8]]) {
        with_command(words, |command| {
            let kind = Kind::Command { command, asked: None };
            self.tell(1000, link, Phase::Handshake, Some(Side::Replica), kind);
        });
    }

    fn answers(&mut self, link: u32, to: &str, reply: &[u8]) {
        let reply = Reply { head: reply, length: reply.len() as u64 };
        let kind = Kind::Reply { to: Some(to), reply, latency: None };
        self.tell(1000, link, Phase::Handshake, Some(Side::Master), kind);
    }

    fn closes(&mut self, link: u32) {
        let kind = Kind::Close { by: Some(Side::Replica), how: Some(How::Fin) };
        self.tell(1000, link, Phase::Close, Some(Side::Replica), kind);
    }

    fn streams(&mut self, after: u64, kind: Kind<'_>) {
        let from = if matches!(kind, Kind::Ack { .. }) { Side::Replica } else { Side::Master };
        self.tell(after, 1, Phase::Stream, Some(from), kind);
    }

    fn refused(&mut self, link: u32, password: &[u8]) {
        self.connect(link);
        self.says(link, &[b"AUTH", password]);
        self.answers(link, "AUTH", b"-WRONGPASS invalid username-password pair or user is disabled.");
        self.closes(link);
    }
}

fn with_command(words: &[&[u8]], mut look: impl FnMut(&Command<'_>)) {
    let mut wire = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
    let mut decoder = CommandDecoder::new(1024);
    let Step::Command(command) = decoder.next(&mut wire.as_slice()) else { panic!("no command") };
    look(&command);
}

fn ack(offset: u64, lag: u64) -> Kind<'static> {
    Kind::Ack { offset: offset as i64, fack: None, lag: Some(lag), delay: None, rtt: None }
}

fn heartbeat(offset: u64) -> Kind<'static> {
    Kind::Heartbeat { offset: Some(Offset(offset)), bytes: 14 }
}

#[test]
fn a_quiet_link_is_one_line_until_something_happens() {
    let mut reader = Reader::new(OPTIONS);
    reader.streams(0, ack(100, 0));
    for second in 1..=10 {
        reader.streams(500_000_000, heartbeat(100 + 14 * second));
        reader.streams(500_000_000, ack(100 + 14 * second, 0));
    }
    assert_eq!(reader.written().lines().count(), 1);
    with_command(&[b"SET", b"key", b"two words"], |command| {
        reader.streams(1, Kind::Write { offset: Some(Offset(300)), db: Some(2), command });
    });
    let written = reader.written();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 3, "{written}");
    assert!(lines[1].ends_with("... 10 heartbeats, 10 ACKs (offset 240, lag 0) in 9.50 s"), "{written}");
    assert!(lines[2].ends_with("300  db2  SET key \"two words\""), "{written}");
}

#[test]
fn with_v_nothing_is_folded() {
    let mut reader = Reader::new(Options { verbosity: 1, ..OPTIONS });
    (1..=10).for_each(|second| reader.streams(1_000_000_000, ack(14 * second, 0)));
    assert_eq!(reader.written().lines().count(), 10);
}

#[test]
fn an_ack_with_news_is_shown() {
    let mut reader = Reader::new(OPTIONS);
    reader.streams(0, ack(100, 0));
    reader.streams(1_000_000_000, ack(100, 5000));
    reader.streams(1_000_000_000, ack(5100, 0));
    assert_eq!(reader.written().lines().count(), 3);
}

#[test]
fn idle_time_shows_runs_that_are_a_second_old() {
    let mut reader = Reader::new(OPTIONS);
    reader.streams(0, ack(100, 0));
    reader.streams(500_000_000, ack(100, 0));
    reader.text.tick();
    assert_eq!(reader.written().lines().count(), 1);
    reader.streams(1_000_000_000, ack(100, 0));
    reader.text.tick();
    assert!(reader.written().ends_with("... 2 ACKs (offset 100, lag 0) in 1.00 s\n"));
    reader.text.tick();
    assert_eq!(reader.written().lines().count(), 2);
}

#[test]
fn a_storm_is_two_connections_and_a_count() {
    let mut reader = Reader::new(OPTIONS);
    (1..=400).for_each(|link| reader.refused(link, b"wrong"));
    assert_eq!(reader.written().lines().count(), 8);
    reader.text.flush();
    let written = reader.written();
    assert_eq!(written.lines().count(), 9);
    let last = written.lines().last().unwrap();
    assert!(last.contains("... 398 more connections like #1, the last is #400, in "), "{last}");
    assert!(last.ends_with("each ended with -WRONGPASS invalid username-password pair or user is disabled."), "{last}");
}

#[test]
fn what_differs_in_a_storm_is_shown_at_once_and_whole() {
    let mut reader = Reader::new(OPTIONS);
    (1..=10).for_each(|link| reader.refused(link, b"wrong"));
    reader.connect(11);
    assert_eq!(reader.written().lines().count(), 8, "it may become the same story");
    reader.says(11, &[b"AUTH", b"right"]);
    let written = reader.written();
    let lines: Vec<&str> = written.lines().skip(8).collect();
    assert_eq!(lines.len(), 3, "{written}");
    assert!(lines[0].contains("... 8 more connections"), "{written}");
    assert!(lines[1].contains("connect") && lines[2].contains("AUTH ********"), "{written}");
}

#[test]
fn a_held_link_is_let_out_by_time() {
    let mut reader = Reader::new(OPTIONS);
    (1..=3).for_each(|link| reader.refused(link, b"wrong"));
    reader.connect(4);
    let now = Timestamp { nanos: reader.nanos + 1_500_000_000, digits: 6 };
    reader.text.tick_at(now);
    assert!(reader.written().lines().last().unwrap().contains("#4  connect"));
}

#[test]
fn a_replid_is_shown_in_full_once() {
    let mut reader = Reader::new(OPTIONS);
    let replid = Replid::from_wire(&[b'a'; 40]);
    for link in [1, 2] {
        let kind = Kind::FullResync { replid, offset: Offset(7), latency: None };
        reader.tell(1, link, Phase::Sync, Some(Side::Master), kind);
    }
    let written = reader.written();
    assert_eq!(written.matches(&"a".repeat(40)).count(), 1);
    assert_eq!(written.matches("+FULLRESYNC aaaaaaaaaa.. 7").count(), 1);
}

/// Every kind of event, with `bytes` wherever the wire has a say.
fn tell_everything(reader: &mut Reader, link: u32, bytes: &[u8]) {
    let word = String::from_utf8_lossy(bytes).into_owned();
    let reply = Reply { head: bytes, length: bytes.len() as u64 + 1 };
    let replid = Replid::from_wire(bytes);
    let summary = rdb::Summary { aux: vec![(b"redis-ver".to_vec(), bytes.to_vec())], ..rdb::Summary::default() };
    let (master, replica) = (Some(Side::Master), Some(Side::Replica));
    reader.connect(link);
    let asked = Some(Asked { replid, offset: Some(5) });
    for name in [&b"REPLCONF"[..], b"PSYNC", b"AUTH", bytes] {
        with_command(&[name, b"capa", bytes, b"version", bytes], |command| {
            let kind = Kind::Command { command, asked };
            reader.tell(1, link, Phase::Handshake, replica, kind);
            reader.tell(1, link, Phase::Client, replica, kind);
        });
    }
    let transfer = Transfer::DualChannel;
    let end = RdbEnd { bytes: 5, summary: &summary, complete: false, duration: None };
    let kinds = [
        (Phase::Sync, master, Kind::Reply { to: Some(&word), reply, latency: None }),
        (Phase::Client, master, Kind::Reply { to: None, reply, latency: None }),
        (Phase::Sync, master, Kind::FullResync { replid, offset: Offset(1), latency: None }),
        (Phase::Sync, master, Kind::Continue { replid: Some(replid), offset: None, latency: None }),
        (Phase::Sync, master, Kind::TwoChannel { transfer, client_id: None, pair: None }),
        (
            Phase::Rdb,
            master,
            Kind::RdbBegin { transfer, bytes: None, eof_mark: Some(&word), waited: None, keepalives: 1 },
        ),
        (Phase::Rdb, master, Kind::RdbEnd(end)),
        (Phase::Stream, replica, ack(1, 2000)),
        (Phase::Stream, master, Kind::GetAck { offset: None, bytes: 37 }),
        (Phase::Stream, master, Kind::Gap { bytes: 536 }),
        (Phase::Stream, master, Kind::Malformed { reason: &word, bytes: 1 }),
        (Phase::Stream, None, Kind::Offsets { first: 1, certainty: Certainty::Inferred }),
        (Phase::Stream, None, Kind::Note { note: Note::CaptureLoss, text: &word }),
    ];
    for (phase, from, kind) in kinds {
        let before = reader.written().len();
        reader.tell(1, link, phase, from, kind);
        assert!(reader.written().len() > before, "{kind:?} shows nothing");
    }
    reader.streams(1, heartbeat(15));
    with_command(&[b"SET", bytes, bytes], |command| {
        reader.streams(1, Kind::Write { offset: Some(Offset(u64::MAX)), db: None, command });
    });
    with_command(&[b"CONFIG", b"SET", b"requirepass", b"hush-hush", bytes, bytes], |command| {
        reader.streams(1, Kind::Write { offset: Some(Offset(1)), db: Some(1), command });
    });
    let before = reader.written().len();
    reader.closes(link);
    reader.text.flush();
    assert!(reader.written().len() > before, "a close shows nothing");
}

/// The text without the view's own colours.
fn uncolored(text: &str) -> String {
    let codes = ["0", "2", "31", "32", "33", "34", "35", "36"];
    codes.iter().fold(text.to_owned(), |text, code| text.replace(&format!("\x1b[{code}m"), ""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_harmful_is_written(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "\\PC*|[\u{80}-\u{a0}\u{202a}-\u{202e}\u{1b}漢é ]*",
        width in prop::option::of(80_usize..200),
        color: bool,
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let mut reader = Reader::new(Options { width, color, ..OPTIONS });
            tell_everything(&mut reader, 1, bytes);
            let written = uncolored(&reader.written());
            let bidirectional = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            prop_assert!(!written.chars().any(|c| (c.is_control() && c != '\n') || bidirectional(c)), "{written:?}");
            prop_assert!(!written.contains("hush-hush"));
            for line in written.lines().filter(|_| width.is_some()) {
                let columns = crate::view::terminal::columns(line.as_bytes());
                prop_assert!(columns <= width.unwrap(), "{columns}: {line}");
            }
        }
    }
}
