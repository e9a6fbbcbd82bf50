//! Arbitrary bytes as an RDB: the decoder at both depths, and the walk.
//!
//! The first byte is the size of the pieces that the second decoding gets; both must tell the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repltool::rdb::{
    Checksum, Decoder, Depth, Header, Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, RdbError,
    StreamCounters, StreamId, Unheard, Values, Walk,
};

/// A hash of all that is told, and how much that was.
#[derive(Default, Debug, PartialEq)]
struct Told(u64, u64);

impl Told {
    fn note(&mut self, event: &[u8]) {
        for byte in event {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        self.0 = self.0.rotate_left(7).wrapping_add(1);
        self.1 += 1;
    }

    fn say(&mut self, event: std::fmt::Arguments<'_>) {
        self.note(event.to_string().as_bytes());
    }
}

impl Values for Told {
    fn header(&mut self, header: Header) {
        self.say(format_args!("{header}"));
    }
    fn select(&mut self, db: u64) {
        self.say(format_args!("select {db}"));
    }
    fn record(&mut self, opcode: Opcode) {
        self.say(format_args!("{opcode:?}"));
    }
    fn record_end(&mut self, opcode: Opcode) {
        self.say(format_args!("end of {opcode:?}"));
    }
    fn key(&mut self, key: &Key<'_>) {
        self.say(format_args!("{key:?}"));
    }
    fn key_end(&mut self, end: KeyEnd) {
        self.say(format_args!("{end:?}"));
    }
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        self.say(format_args!("{item:?} {} {}", piece.offset, piece.total));
        self.note(piece.bytes);
    }
    fn number(&mut self, item: Item, number: u64) {
        self.say(format_args!("{item:?} {number}"));
    }
    fn score(&mut self, score: f64) {
        self.say(format_args!("score {score}"));
    }
    fn field_end(&mut self, expiry: Option<i64>) {
        self.say(format_args!("field {expiry:?}"));
    }
    fn stream_entry(&mut self, id: StreamId, pairs: u64) {
        self.say(format_args!("entry {id} {pairs}"));
    }
    fn stream_entry_end(&mut self) {
        self.note(b"entry end");
    }
    fn stream(&mut self, counters: &StreamCounters) {
        self.say(format_args!("{counters:?}"));
    }
    fn group(&mut self, last_id: StreamId, read: Option<u64>) {
        self.say(format_args!("group {last_id} {read:?}"));
    }
    fn pending(&mut self, pending: Pending) {
        self.say(format_args!("{pending:?}"));
    }
    fn consumer(&mut self, seen: i64, active: Option<i64>) {
        self.say(format_args!("consumer {seen} {active:?}"));
    }
    fn owned(&mut self, id: StreamId) {
        self.say(format_args!("owned {id}"));
    }
    fn consumer_end(&mut self) {
        self.note(b"consumer end");
    }
    fn unowned(&mut self, id: StreamId) {
        self.say(format_args!("unowned {id}"));
    }
    fn group_end(&mut self) {
        self.note(b"group end");
    }
    fn module(&mut self, id: ModuleId) {
        self.say(format_args!("{id:?}"));
    }
    fn module_number(&mut self, number: Number) {
        self.say(format_args!("{number:?}"));
    }
    fn cell_number(&mut self, number: Number) {
        self.say(format_args!("cell {number:?}"));
    }
    fn odd(&mut self, what: &'static str) {
        self.note(what.as_bytes());
    }
    fn end(&mut self, checksum: Checksum) {
        self.say(format_args!("{checksum:?}"));
    }
}

fn decode(bytes: &[u8], depth: Depth, size: usize) -> (Told, Option<RdbError>, u64, bool) {
    let mut decoder = Decoder::new(Told::default(), depth);
    let error = bytes.chunks(size).find_map(|piece| decoder.push(piece).err());
    let (offset, ended) = (decoder.offset(), decoder.ended());
    (decoder.into_values(), error, offset, ended)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, rdb)) = bytes.split_first() else { return };
    let size = usize::from(*size).max(1);
    for depth in [Depth::Statistics, Depth::Full] {
        assert_eq!(decode(rdb, depth, size), decode(rdb, depth, usize::MAX));
    }
    let mut unheard = Decoder::new(Unheard, Depth::Full);
    let checked = unheard.push(rdb);
    assert_eq!(checked.as_ref().err(), decode(rdb, Depth::Full, usize::MAX).1.as_ref());
    let mut walk = Walk::new();
    let walked = walk.push(rdb);
    // The walk looks into no value: what the check takes, it takes as well.
    if let Ok(progress) = checked {
        assert_eq!(walked, Ok(progress));
        assert_eq!(walk.summary().keys, unheard.keys());
    }
});
