//! Values from bytes that real servers wrote (those of RDB-FORMAT.md) and from packed collections made by hand.

use super::*;
use crate::rdb::values::{Pending, Piece, StreamCounters, Unheard};
use proptest::prelude::*;

/// Writes down what it is told; a string's pieces are joined.
#[derive(Default)]
struct Notes(Vec<String>, Vec<u8>);

impl Notes {
    fn note(&mut self, event: String) {
        self.0.push(event);
    }
}

impl Values for Notes {
    fn record(&mut self, opcode: Opcode) {
        self.note(format!("record {}", opcode.name));
    }
    fn key(&mut self, key: &Key<'_>) {
        let (kind, encoding, expiry) = (key.value_type.name(), key.encoding.name(), key.expires_at_ms);
        self.note(format!("{kind} {encoding} {} {} {expiry:?}", key.db, key.name.escape_ascii()));
    }
    fn key_end(&mut self, end: KeyEnd) {
        self.note(format!("end {} {}", end.elements, end.bytes));
    }
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        self.1.extend_from_slice(piece.bytes);
        if piece.is_last() {
            let text = std::mem::take(&mut self.1);
            self.note(format!("{item:?} {}", text.escape_ascii()));
        }
    }
    fn number(&mut self, item: Item, number: u64) {
        self.note(format!("{item:?} {number}"));
    }
    fn score(&mut self, score: f64) {
        self.note(format!("score {score}"));
    }
    fn field_end(&mut self, expiry: Option<i64>) {
        self.note(format!("field_end {expiry:?}"));
    }
    fn stream_entry(&mut self, id: StreamId, pairs: u64) {
        self.note(format!("entry {id} {pairs}"));
    }
    fn stream_entry_end(&mut self) {
        self.note("entry_end".into());
    }
    fn stream(&mut self, counters: &StreamCounters) {
        self.note(format!("stream {} {} {:?}", counters.length, counters.last_id, counters.entries_added));
    }
    fn group(&mut self, last_id: StreamId, read: Option<u64>) {
        self.note(format!("group {last_id} {read:?}"));
    }
    fn pending(&mut self, pending: Pending) {
        self.note(format!("pending {} {} {}", pending.id, pending.delivered_ms, pending.count));
    }
    fn consumer(&mut self, seen: i64, active: Option<i64>) {
        self.note(format!("consumer {seen} {active:?}"));
    }
    fn owned(&mut self, id: StreamId) {
        self.note(format!("owned {id}"));
    }
    fn consumer_end(&mut self) {
        self.note("consumer_end".into());
    }
    fn group_end(&mut self) {
        self.note("group_end".into());
    }
    fn module(&mut self, id: ModuleId) {
        self.note(format!("module {} {}", id.name().escape_ascii(), id.version()));
    }
    fn module_number(&mut self, number: Number) {
        self.note(format!("{number:?}"));
    }
    fn odd(&mut self, what: &'static str) {
        self.note(format!("odd: {what}"));
    }
}

fn decode(rdb: &[u8], depth: Depth, size: usize) -> (Vec<String>, Option<RdbError>) {
    let mut decoder = Decoder::new(Notes::default(), depth);
    let error = rdb.chunks(size).find_map(|piece| decoder.push(piece).err());
    (decoder.into_values().0, error)
}

/// Decodes in pieces of every small size and in two cut at every byte: all must be told as it is of the whole.
fn decode_alike(rdb: &[u8]) -> (Vec<String>, Option<RdbError>) {
    let whole = decode(rdb, Depth::Full, usize::MAX);
    for size in 1..40 {
        assert_eq!(decode(rdb, Depth::Full, size), whole, "pieces of {size}");
    }
    for cut in 0..rdb.len() {
        let mut decoder = Decoder::new(Notes::default(), Depth::Full);
        let (first, second) = rdb.split_at(cut);
        let error = [first, second].into_iter().find_map(|piece| decoder.push(piece).err());
        assert_eq!((decoder.into_values().0, error), whole, "cut at {cut}");
    }
    whole
}

/// An RDB of one record.
fn rdb(magic: &[u8; 9], record: &[u8]) -> Vec<u8> {
    [&magic[..], record, b"\xff\0\0\0\0\0\0\0\0"].concat()
}

/// What the one key `k` of this type holds, told alike for any split; without the key's line and the end's.
fn value(magic: &[u8; 9], byte: u8, bytes: &[u8]) -> Vec<String> {
    let bytes = rdb(magic, &[&[byte, 1, b'k'], bytes].concat());
    let whole = decode_alike(&bytes);
    assert_eq!(whole.1, None);
    let statistics = decode(&bytes, Depth::Statistics, usize::MAX);
    assert_eq!(statistics.1, None);
    assert_eq!(statistics.0, [whole.0[0].clone(), whole.0.last().unwrap().clone()], "statistics say the same");
    whole.0[1..whole.0.len() - 1].to_vec()
}

fn fault(byte: u8, bytes: &[u8]) -> Fault {
    let bytes = rdb(b"REDIS0012", &[&[byte, 1, b'k'], bytes].concat());
    decode_alike(&bytes).1.unwrap().fault
}

/// A listpack of entries given with their back-lengths.
fn listpack(count: u16, entries: &[u8]) -> Vec<u8> {
    let size = entries.len() as u32 + 7;
    [&size.to_le_bytes()[..], &count.to_le_bytes(), entries, b"\xff"].concat()
}

/// An entry for each text, with its back-length; numbers are kept as texts.
fn texts(texts: &[&[u8]]) -> Vec<u8> {
    texts.iter().flat_map(|text| [&[0x80 | text.len() as u8], *text, &[text.len() as u8 + 1]].concat()).collect()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(0x4000 | bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

#[test]
fn strings() {
    assert_eq!(value(b"REDIS0012", 0, b"\x02ab"), ["String ab"]);
    assert_eq!(value(b"REDIS0012", 0, b"\xc1\xb8\x0b"), ["String 3000"]);
    assert_eq!(value(b"REDIS0012", 0, b"\0"), ["String "]);
    let lzf = [&b"\xc3\x0c\x40\x60\x07abcdefgh"[..], &[0xe0, 88 - 9, 7]].concat();
    assert_eq!(value(b"REDIS0012", 0, &lzf), [format!("String {}", "abcdefgh".repeat(12))]);
}

#[test]
fn what_stands_before_a_key_belongs_to_it() {
    let bytes = rdb(b"REDIS0012", b"\xfe\x03\xfc\x00\xd8\xc3\x2c\xbb\x03\0\0\0\x01k\xc0\x07\0\x01j\x01v");
    let (events, error) = decode(&bytes, Depth::Full, 7);
    assert_eq!(error, None);
    let expected = ["string int 3 k Some(4102444800000)", "String 7", "end 1 14", "string string 3 j None"];
    assert_eq!(events[..4], expected);
}

#[test]
fn collections_of_strings() {
    assert_eq!(value(b"REDIS0012", 1, b"\x02\x01a\xc0\x05"), ["Element a", "Element 5"]);
    assert_eq!(value(b"REDIS0012", 4, b"\x01\x01f\x01v"), ["Field f", "Value v", "field_end None"]);
    let scores = value(b"REDIS0003", 3, b"\x02\x01a\x031.5\x01b\xff");
    assert_eq!(scores, ["Member a", "score 1.5", "Member b", "score -inf"]);
    assert_eq!(value(b"REDIS0012", 5, b"\x01\x01b\0\0\0\0\0\0\xf0\xff"), ["Member b", "score -inf"]);
}

/// More rounds than one slice of the machine holds, with strings of every form between the short ones.
#[test]
fn long_lists_of_mixed_strings() {
    let forms: [&[u8]; 6] = [b"\x01a", b"\xc0\x05", b"\0", b"\x40\x02bc", b"\x80\0\0\0\x01d", b"\xc3\x04\x04\0x\x20\0"];
    let texts = ["a", "5", "", "bc", "d", "xxxx"];
    let list = [&b"\x30"[..], &forms.concat().repeat(8)].concat();
    let expected: Vec<String> = texts.iter().cycle().take(48).map(|text| format!("Element {text}")).collect();
    assert_eq!(value(b"REDIS0012", 1, &list), expected);
    let damaged = [&b"\x02"[..], forms[0], b"\xc3\x04\x03\0x\x20\0"].concat();
    assert!(matches!(fault(1, &damaged), Fault::LzfData(_)));
}

#[test]
fn fields_that_expire() {
    let least = b"\x00\xd8\xc3\x2c\xbb\x03\0\0";
    let metadata = [&least[..], b"\x02\x01\x01b\xc0\x02\x00\x01c\x01v"].concat();
    let expected = ["Field b", "Value 2", "field_end Some(4102444800000)", "Field c", "Value v", "field_end None"];
    assert_eq!(value(b"REDIS0012", 24, &metadata), expected);
    let hash_2 = [&b"\x02\x01b\xc0\x02"[..], least, b"\x01c\x01v\xff\xff\xff\xff\xff\xff\xff\xff"].concat();
    assert_eq!(value(b"VALKEY080", 22, &hash_2), expected);
    let entries =
        [&texts(&[b"b"])[..], b"\x02\x01", b"\xf4\x00\xd8\xc3\x2c\xbb\x03\0\0\x09", &texts(&[b"c", b"v"]), b"\0\x01"];
    let triples = [&least[..], &string(&listpack(6, &entries.concat()))].concat();
    assert_eq!(value(b"REDIS0012", 25, &triples), expected);
}

#[test]
fn listpacks_of_every_kind_of_entry() {
    let entries: &[u8] = b"\x05\x01\xc0\x80\x02\xdf\xff\x02\xf1\x00\x80\x03\xf2\xff\xff\xff\x04\xf3\0\0\0\x80\x05\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09\x80\x01";
    let blob = listpack(8, entries);
    let expected = ["5", "128", "-1", "-32768", "-1", "-2147483648", "9223372036854775807", ""];
    assert_eq!(value(b"REDIS0012", 20, &string(&blob)), expected.map(|text| format!("Member {text}")));
    let long = [&[0xe0, 200][..], &[b'x'; 200], &[0x01, 0x80 | 74]].concat();
    let blob = listpack(u16::MAX, &long);
    assert_eq!(value(b"REDIS0012", 20, &string(&blob)), [format!("Member {}", "x".repeat(200))]);
    let node = [&b"\x02\x01\x03abc\x02"[..], &string(&listpack(1, &texts(&[b"d"])))].concat();
    assert_eq!(value(b"REDIS0012", 18, &node), ["Element abc", "Element d"]);
}

#[test]
fn damaged_listpacks() {
    let packed = |damage| Fault::Packed { form: "listpack", inside: damage, damage: "" };
    let place = |blob: &[u8]| match fault(20, &string(blob)) {
        Fault::Packed { form, inside, .. } => Fault::Packed { form, inside, damage: "" },
        other => other,
    };
    let good = listpack(1, &texts(&[b"a"]));
    let with = |index: usize, byte: u8| {
        let mut blob = good.clone();
        blob[index] = byte;
        blob
    };
    assert_eq!(place(&with(0, 11)), packed(0), "size");
    assert_eq!(place(&with(4, 2)), packed(9), "count");
    assert_eq!(place(&with(8, 3)), packed(8), "back-length");
    assert_eq!(place(&with(6, 0xff)), packed(6), "end mark");
    assert_eq!(place(&with(9, 0)), packed(10), "no end mark: a number without its size");
    assert_eq!(place(&with(6, 0xbf)), packed(6), "string longer than the listpack");
    assert!(matches!(fault(16, &string(&good)), Fault::Contradiction(_)), "a field without a value");
}

#[test]
fn ziplists() {
    let blob = b"\x1a\0\0\0\x15\0\0\0\x04\0\x00\x01a\x03\xfe\xff\x03\xc0\x00\x80\x04\xf0\xff\xff\xff\xff";
    let blob = [&(blob.len() as u32).to_le_bytes()[..], &blob[4..]].concat();
    let mut blob = blob;
    blob[4] = 20;
    assert_eq!(value(b"REDIS0006", 10, &string(&blob)), ["Element a", "Element -1", "Element -32768", "Element -1"]);
    for (index, inside) in [(0, 0), (4, 25), (8, 25), (13, 13)] {
        let mut damaged = blob.clone();
        damaged[index] ^= 1;
        assert!(
            matches!(fault(10, &string(&damaged)), Fault::Packed { form: "ziplist", inside: at, .. } if at == inside)
        );
    }
    let scored = b"\x13\0\0\0\x0d\0\0\0\x02\0\x00\x01a\x03\x032.5\xff";
    assert_eq!(value(b"REDIS0006", 12, &string(scored)), ["Member a", "score 2.5"]);
}

#[test]
fn intsets_and_zipmaps() {
    let blob = b"\x02\0\0\0\x03\0\0\0\xff\xff\x00\x00\x05\x00";
    assert_eq!(value(b"REDIS0006", 11, &string(blob)), ["Member -1", "Member 0", "Member 5"]);
    let unsorted = b"\x02\0\0\0\x02\0\0\0\x05\0\x05\0";
    assert!(matches!(fault(11, &string(unsorted)), Fault::Packed { form: "intset", inside: 10, .. }));
    assert!(matches!(fault(11, &string(b"\x03\0\0\0\0\0\0\0")), Fault::Packed { form: "intset", inside: 0, .. }));
    let blob = b"\x02\x01a\x01\x02b\0\0\x02cd\x00\x00\xff";
    let expected = ["Field a", "Value b", "field_end None", "Field cd", "Value ", "field_end None"];
    assert_eq!(value(b"REDIS0003", 9, &string(blob)), expected);
    assert!(matches!(fault(9, &string(b"\x01\x01a\xff")), Fault::Packed { form: "zipmap", inside: 3, .. }));
}

/// A stream of one node with one entry of the shared fields, one deleted, one of its own; a group with one consumer.
fn stream() -> Vec<u8> {
    let master = [&b"\x02\x01\x01\x01\x01\x01"[..], &texts(&[b"f"]), b"\0\x01"].concat();
    let same = [&b"\x02\x01\0\x01\0\x01"[..], &texts(&[b"v"]), b"\x04\x01"].concat();
    let deleted = [&b"\x03\x01\x01\x01\0\x01"[..], &texts(&[b"w"]), b"\x04\x01"].concat();
    let own = [&b"\0\x01\x02\x01\0\x01\x01\x01"[..], &texts(&[b"g"]), b"\x07\x01\x06\x01"].concat();
    let node = listpack(22, &[master, same, deleted, own].concat());
    let id = b"\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x01";
    let mut bytes = [&b"\x01\x10"[..], id, &string(&node)].concat();
    bytes.extend(b"\x02\x07\x01\x05\x01\x00\x00\x03\x01\x01g\x05\x01\x01\x01");
    bytes.extend(
        [&id[..], b"\x09\0\0\0\0\0\0\0\x02\x01\x01c\x08\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x01", id]
            .concat(),
    );
    bytes
}

#[test]
fn streams() {
    let expected = [
        "entry 5-1 1",
        "StreamField f",
        "StreamValue v",
        "entry_end",
        "entry 7-1 1",
        "StreamField g",
        "StreamValue 7",
        "entry_end",
        "stream 2 7-1 Some(3)",
        "GroupName g",
        "group 5-1 Some(1)",
        "pending 5-1 9 2",
        "ConsumerName c",
        "consumer 8 Some(-1)",
        "owned 5-1",
        "consumer_end",
        "group_end",
    ];
    assert_eq!(value(b"REDIS0012", 21, &stream()), expected);
    let mut foreign = stream();
    *foreign.last_mut().unwrap() = 2;
    assert!(matches!(fault(21, &foreign), Fault::Contradiction(_)), "a consumer's entry that is not the group's");
    assert_eq!(value(b"REDIS0009", 15, b"\0\0\0\0\0"), ["stream 0 0-0 None"]);
}

/// Where only the count is wanted, damage behind it goes unseen: for any split of the bytes.
#[test]
fn a_count_is_enough_wherever_the_bytes_are_cut() {
    // The head of an intset of one, then a copy from before the beginning.
    let lzf = b"\xc3\x0b\x10\x07\x08\0\0\0\x01\0\0\0\x20\xff";
    let bytes = rdb(b"REDIS0006", &[&b"\x0b\x01k"[..], lzf].concat());
    for size in 1..40 {
        let (events, error) = decode(&bytes, Depth::Statistics, size);
        assert_eq!((events.len(), error), (2, None), "pieces of {size}");
    }
}

#[test]
fn a_node_that_holds_no_stream_entries_is_odd() {
    let node = string(&listpack(2, &texts(&[b"a", b"1"])));
    let bytes = [&b"\x01\x10"[..], &[0; 16], &node, b"\x01\0\x01\0\0\0\0\x01\0"].concat();
    let events = value(b"REDIS0012", 21, &bytes);
    assert!(events[0].starts_with("odd: a stream's node has a string"), "{events:?}");
}

#[test]
fn a_vector_set() {
    let bytes = b"\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\x00\x02\x02\x01\x05\x03\0\0\x80\x3f\x05\x01e\0";
    let expected = ["module vectorset 0", "Unsigned(2)", "Signed(5)", "Float(1.0)", "ModuleString e"];
    assert_eq!(value(b"REDIS0012", 7, bytes), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Damage is met alike however the bytes are cut, and never ends in a panic.
    #[test]
    fn damage_is_met_alike(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5), size in 1usize..50) {
        let lzf = b"\x0c\x01z\xc3\x14\x13\x12\x13\0\0\0\x0d\0\0\0\x02\0\x00\x01a\x03\x032.5\xff";
        let mut bytes = rdb(b"REDIS0012", &[&b"\x15\x01s"[..], &stream(), b"\x14\x01l", &string(&listpack(1, &texts(&[b"a"]))), &lzf[..]].concat());
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        prop_assert_eq!(decode(&bytes, Depth::Full, size), decode(&bytes, Depth::Full, usize::MAX));
        prop_assert_eq!(decode(&bytes, Depth::Statistics, size), decode(&bytes, Depth::Statistics, usize::MAX));
        let mut unheard = Decoder::new(Unheard, Depth::Full);
        prop_assert_eq!(unheard.push(&bytes).err(), decode(&bytes, Depth::Full, size).1);
    }
}
