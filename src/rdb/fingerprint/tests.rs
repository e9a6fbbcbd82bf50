use proptest::prelude::*;

use super::super::{Decoder, Depth, Encoding};
use super::*;

#[derive(Default)]
struct Found(Vec<(Vec<u8>, KeyPrint)>, Vec<(Vec<u8>, u128)>);

impl Prints for Found {
    fn key(&mut self, name: KeyName<'_>, print: &KeyPrint) {
        self.0.push((name.head.to_vec(), *print));
    }
    fn function(&mut self, name: &[u8], code: u128) {
        self.1.push((name.to_vec(), code));
    }
}

fn decoded(rdb: &[u8], portion: usize) -> Found {
    let mut decoder = Decoder::new(Fingerprints::new(Found::default()), Depth::Full);
    for part in rdb.chunks(portion) {
        decoder.push(part).unwrap();
    }
    assert!(decoder.ended());
    decoder.into_values().into_sink()
}

/// The print of a version-less RDB's only key, whose record's bytes are given.
fn print_of(record: &[u8]) -> KeyPrint {
    let found = decoded(&[b"REDIS0004\xfe\x00", record, b"\xff"].concat(), usize::MAX);
    found.0[0].1
}

fn told(value_type: ValueType, elements: u64, tell: impl FnOnce(&mut Fingerprints<Found>)) -> KeyPrint {
    let mut prints = Fingerprints::new(Found::default());
    prints.key(&Key {
        db: 0,
        name: b"k",
        name_length: 1,
        value_type,
        encoding: Encoding::Plain,
        rdb_type: 0,
        expires_at_ms: None,
        idle: None,
        freq: None,
        offset: 0,
    });
    tell(&mut prints);
    prints.key_end(KeyEnd { elements, bytes: 0 });
    prints.into_sink().0[0].1
}

fn text(prints: &mut Fingerprints<Found>, item: Item, bytes: &[u8]) {
    prints.text(item, Piece::whole(bytes));
}

#[test]
fn encodings_do_not_count() {
    // "12" as two bytes, as an 8-bit integer, and as LZF of one literal run.
    let plain = print_of(b"\x00\x01k\x0212");
    assert_eq!(plain, print_of(b"\x00\x01k\xc0\x0c"));
    assert_eq!(plain, print_of(b"\x00\x01k\xc3\x03\x02\x0112"));
    assert_ne!(plain, print_of(b"\x00\x01k\x0213"));
    // The set {1, 2} as members and as an intset; the list [1, 2] as elements in either order.
    let set = print_of(b"\x02\x01k\x02\x011\xc0\x02");
    assert_eq!(set, print_of(b"\x02\x01k\x02\x012\x011"));
    assert_eq!(set, print_of(b"\x0b\x01k\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0"));
    let list = print_of(b"\x01\x01k\x02\x011\x012");
    let turned = print_of(b"\x01\x01k\x02\x012\x011");
    assert_eq!(list.differences(&turned), [Difference::Value]);
    assert_eq!(list.differences(&set), [Difference::Type]);
    // A score of 1 as text and as a double.
    assert_eq!(print_of(b"\x03\x01k\x01\x01m\x011"), print_of(b"\x05\x01k\x01\x01m\0\0\0\0\0\0\xf0\x3f"));
}

#[test]
fn equal_scores_are_equal() {
    let scored = |score| {
        told(ValueType::SortedSet, 1, |prints| {
            text(prints, Item::Member, b"m");
            prints.score(score);
        })
    };
    assert_eq!(scored(0.0), scored(-0.0));
    assert_eq!(scored(f64::NAN), scored(-f64::NAN));
    assert_ne!(scored(1.0), scored(1.0 + f64::EPSILON));
}

#[test]
fn exchanged_values_are_seen() {
    let hash = |pairs: [(&[u8], &[u8], Option<i64>); 2]| {
        told(ValueType::Hash, 2, |prints| {
            for (field, value, expires) in pairs {
                text(prints, Item::Field, field);
                text(prints, Item::Value, value);
                prints.field_end(expires);
            }
        })
    };
    let one = hash([(b"a", b"1", None), (b"b", b"2", Some(5))]);
    assert_eq!(one, hash([(b"b", b"2", Some(5)), (b"a", b"1", None)]));
    assert_eq!(one.differences(&hash([(b"a", b"2", None), (b"b", b"1", Some(5))])), [Difference::Value]);
    assert_eq!(one.differences(&hash([(b"a", b"1", Some(5)), (b"b", b"2", None)])), [Difference::FieldExpiry]);
    assert_ne!(hash([(b"a", b"b", None), (b"c", b"d", None)]), hash([(b"b", b"a", None), (b"c", b"d", None)]));
}

/// A stream of one entry and one group, told as its version can.
fn stream(version: u8, change: impl FnOnce(&mut StreamCounters, &mut Pending, &mut i64, &mut i64)) -> KeyPrint {
    let entry = StreamId { ms: 1, seq: 2 };
    let known = |id| (version >= 2).then_some(id);
    let mut counters = StreamCounters {
        length: 1,
        last_id: entry,
        first_id: known(entry),
        max_deleted_id: known(StreamId::default()),
        entries_added: (version >= 2).then_some(7),
    };
    let (mut pending, mut seen, mut active) = (Pending { id: entry, delivered_ms: 9, count: 1 }, 10, 11);
    change(&mut counters, &mut pending, &mut seen, &mut active);
    told(ValueType::Stream, 1, |prints| {
        prints.stream_entry(entry, 1);
        text(prints, Item::StreamField, b"f");
        text(prints, Item::StreamValue, b"v");
        prints.stream_entry_end();
        prints.stream(&counters);
        text(prints, Item::GroupName, b"g");
        prints.group(entry, (version >= 2).then_some(1));
        prints.pending(pending);
        text(prints, Item::ConsumerName, b"c");
        prints.consumer(seen, (version >= 3).then_some(active));
        prints.owned(entry);
        prints.consumer_end();
        prints.group_end();
        if version >= 4 {
            prints.number(Item::DedupDuration, 100);
        }
    })
}

#[test]
fn what_a_version_cannot_express_is_no_difference() {
    let versions = [1, 2, 3, 4].map(|version| stream(version, |_, _, _, _| {}));
    for (a, b) in versions.iter().flat_map(|a| versions.iter().map(move |b| (a, b))) {
        assert_eq!(a.differences(b), []);
    }
    let three = &versions[2];
    let differs = |print: KeyPrint, what: Difference| assert_eq!(three.differences(&print), [what]);
    differs(stream(3, |counters, _, _, _| counters.entries_added = Some(8)), Difference::Counters);
    differs(stream(3, |counters, _, _, _| counters.last_id.seq = 9), Difference::LastId);
    differs(stream(3, |_, pending, _, _| pending.count = 2), Difference::Groups);
    differs(stream(3, |_, _, seen, _| *seen = 12), Difference::ConsumerTimes);
    differs(stream(3, |_, _, _, active| *active = -1), Difference::ConsumerTimes);
    assert_eq!(stream(2, |_, _, _, active| *active = -1).differences(three), []);
}

#[test]
fn prints_survive_their_bytes() {
    let prints = [
        print_of(b"\x00\x01k\x0212"),
        print_of(b"\xfc\x01\0\0\0\0\0\0\0\x02\x01k\x01\x011"),
        stream(1, |_, _, _, _| {}),
        stream(4, |_, _, _, _| {}),
    ];
    for print in prints {
        let mut bytes = Vec::new();
        print.encode(&mut bytes);
        assert_eq!(KeyPrint::decode(&bytes), Some(print));
        for end in (0..bytes.len()).filter(|end| *end != 34) {
            assert_eq!(KeyPrint::decode(&bytes[..end]), None, "{end}");
        }
    }
}

#[test]
fn libraries_have_the_name_that_their_code_tells() {
    let code = b"#!lua name=mylib\nreturn 1";
    let rdb = [b"REDIS0010\xf5", &[code.len() as u8][..], code, b"\xff\0\0\0\0\0\0\0\0"].concat();
    let found = decoded(&rdb, 3);
    assert_eq!(found.1.len(), 1);
    assert_eq!(found.1[0].0, b"mylib");
    assert_eq!(library_name(b"#!js engine=v8 name=x y"), b"x");
    assert_eq!(library_name(b"return 1"), b"");
}

#[test]
fn long_names_and_values_are_hashed_to_their_end() {
    let of = |last: u8, portion: usize| {
        let mut long = vec![b'x'; MAX_RDB_WHOLE + 1000];
        *long.last_mut().unwrap() = last;
        let mut string = vec![0x80];
        string.extend_from_slice(&(long.len() as u32).to_be_bytes());
        string.extend_from_slice(&long);
        let rdb = [b"REDIS0004\xfe\x00\x00", &string[..], &string[..], b"\xff"].concat();
        /// The length of what is told of the name, the rest, and the value.
        type Long = (usize, Option<(u64, u128)>, u128);
        #[derive(Default)]
        struct Names(Vec<Long>);
        impl Prints for Names {
            fn key(&mut self, name: KeyName<'_>, print: &KeyPrint) {
                self.0.push((name.head.len(), name.rest, print.value));
            }
        }
        let mut decoder = Decoder::new(Fingerprints::new(Names::default()), Depth::Full);
        for part in rdb.chunks(portion) {
            decoder.push(part).unwrap();
        }
        decoder.into_values().into_sink().0[0]
    };
    let (head, rest, value) = of(b'a', 10_000);
    assert_eq!((head, rest.unwrap().0), (MAX_RDB_WHOLE, MAX_RDB_WHOLE as u64 + 1000));
    assert_eq!(of(b'a', usize::MAX), (head, rest, value));
    let other = of(b'b', 10_000);
    assert_ne!((other.1, other.2), (rest, value));
}

proptest! {
    #[test]
    fn order_counts_in_lists_only(mut members in prop::collection::hash_set("[a-c]{0,4}", 2..20), seed in any::<u64>()) {
        let forth: Vec<String> = members.drain().collect();
        let mut back = forth.clone();
        let half = 1 + seed as usize % (forth.len() - 1);
        back.rotate_left(half);
        let print = |value_type, order: &[String]| {
            told(value_type, order.len() as u64, |prints| {
                for member in order {
                    match value_type {
                        ValueType::List => text(prints, Item::Element, member.as_bytes()),
                        ValueType::Set => text(prints, Item::Member, member.as_bytes()),
                        ValueType::SortedSet => {
                            text(prints, Item::Member, member.as_bytes());
                            prints.score(member.len() as f64);
                        }
                        _ => {
                            text(prints, Item::Field, member.as_bytes());
                            text(prints, Item::Value, b"value");
                            prints.field_end(None);
                        }
                    }
                }
            })
        };
        for value_type in [ValueType::Set, ValueType::SortedSet, ValueType::Hash] {
            prop_assert_eq!(print(value_type, &forth), print(value_type, &back));
        }
        prop_assert_ne!(print(ValueType::List, &forth), print(ValueType::List, &back));
    }

    #[test]
    fn nothing_depends_on_how_the_bytes_come(portion in 1..200_usize) {
        let file = include_bytes!("../../../testdata/captures/r70-s02_full_diskless.pcap");
        let begin = file.windows(5).position(|bytes| bytes == b"REDIS").unwrap();
        // As far as it goes: a capture is no RDB.
        let run = |portion: usize| {
            let mut decoder = Decoder::new(Fingerprints::new(Found::default()), Depth::Full);
            for part in file[begin..].chunks(portion) {
                if decoder.push(part).is_err() {
                    break;
                }
            }
            decoder.into_values().into_sink().0
        };
        let whole = run(usize::MAX);
        prop_assert!(!whole.is_empty());
        prop_assert_eq!(run(portion), whole);
    }
}
