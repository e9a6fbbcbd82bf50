//! What is written is read back by the decoder as the same content, in every version and dialect that can hold it.

use super::*;
use crate::rdb::{
    Array, Checksum, Collector, Consumer, Decoder, Dedup, Depth, Entry, Field, Group, Pending, Stream, StreamCounters,
    StreamId, Whole, dump_payload, restore,
};
use proptest::prelude::*;

fn headers() -> impl Iterator<Item = Header> {
    let redis = (1..=15).map(|version| Header { format: Format::Redis, version });
    redis.chain([80, 81].map(|version| Header { format: Format::Valkey, version }))
}

fn header(format: Format, version: u16) -> Header {
    Header { format, version }
}

/// All records; the RDB must be sound, and nothing in it odd.
fn read(rdb: &[u8]) -> Vec<Whole> {
    let mut records = Vec::new();
    let mut decoder = Decoder::new(Collector::new(usize::MAX, |whole| records.push(whole)), Depth::Full);
    let progress = decoder.push(rdb).unwrap_or_else(|error| panic!("{error}\n{}", rdb.escape_ascii()));
    assert!(progress.ended && progress.consumed == rdb.len());
    drop(decoder);
    records
}

fn keys(records: Vec<Whole>) -> Vec<Entry> {
    let keys = records.into_iter().filter_map(|whole| match whole {
        Whole::Key(entry) => Some(entry),
        _ => None,
    });
    keys.collect()
}

/// The content without the order that does not count, and as a version leaves it.
fn content(mut entry: Entry, header: Header) -> Content {
    let version = header.version;
    if version < 3 {
        entry.expires_at_ms = entry.expires_at_ms.map(|time| time.div_euclid(1000) * 1000);
    }
    if version < 9 {
        (entry.idle, entry.freq) = (None, None);
    }
    match &mut entry.value {
        Value::Set(members) => members.sort(),
        Value::SortedSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
        Value::Hash(fields) => fields.sort_by(|a, b| a.name.cmp(&b.name)),
        Value::Stream(stream) => {
            for group in &mut stream.groups {
                if version < 10 {
                    group.entries_read = None;
                }
                if version < 11 {
                    group.consumers.iter_mut().for_each(|consumer| consumer.active_ms = None);
                }
            }
            let counters = &mut stream.counters;
            if version < 10 {
                (counters.first_id, counters.max_deleted_id, counters.entries_added) = (None, None, None);
            }
            let kept = version >= 13 && header.format == Format::Redis;
            stream.dedup = stream.dedup.take().filter(|dedup| kept && *dedup != Dedup::default());
            stream.complete();
        }
        _ => {}
    }
    Content(entry)
}

#[derive(Debug)]
struct Content(Entry);

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        // In words NaN is NaN.
        self.0 == other.0 || format!("{self:?}") == format!("{other:?}")
    }
}

fn write(entries: &[Entry], target: Target) -> Result<Vec<u8>, WriteError> {
    let mut writer = Writer::new(Vec::new(), target)?;
    for entry in entries {
        writer.select(entry.db as u32)?;
        writer.value(&entry.meta(), &entry.value)?;
    }
    writer.finish()
}

/// Writes in every version and form; where a version refuses, it must be the one that the needs told.
fn round_trip(entries: &[Entry]) {
    let mut needs = Needs::default();
    entries.iter().for_each(|entry| needs.merge(entry.needs()));
    for header in headers() {
        for (compress, checksum) in [(true, true), (false, false)] {
            let written = match write(entries, Target { header, compress, checksum }) {
                Ok(written) => written,
                Err(WriteError::Unfit { need, .. }) => {
                    assert!(needs.missing(header).any(|missing| missing == need), "{header} {need}");
                    continue;
                }
                Err(error) => panic!("{header}: {error}"),
            };
            assert!(!needs.missing(header).any(Need::is_hard), "{header} {needs:?}");
            let records = read(&written);
            let expected = match checksum {
                _ if header.version < 5 => Checksum::Absent,
                true => Checksum::Ok,
                false => Checksum::Off,
            };
            assert_eq!(records.last(), Some(&Whole::End(expected)));
            let read = keys(records);
            assert_eq!(read.len(), entries.len());
            for (read, written) in read.into_iter().zip(entries) {
                assert_eq!(content(read, header), content(written.clone(), header), "{header}");
            }
        }
    }
}

fn entry(value: Value) -> Entry {
    Entry { db: 0, name: b"key".to_vec(), expires_at_ms: None, idle: None, freq: None, metadata: Vec::new(), value }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..30),
        2 => any::<i64>().prop_map(|number| (number >> (number & 63)).to_string().into_bytes()),
        1 => (any::<u8>(), 0usize..300).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn texts(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![
        prop::collection::vec(text(), 0..10),
        prop::collection::vec(text(), 0..most),
        prop::collection::vec(any::<i16>().prop_map(|number| number.to_string().into_bytes()), 0..most),
    ]
}

fn distinct(texts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut seen = std::collections::HashSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<i32>().prop_map(f64::from),
        (-1000i32..1000).prop_map(|number| f64::from(number) / 8.0),
        Just(-0.0),
        Just(9_007_199_254_740_993.0),
        Just(1e17),
        Just(5e-324),
        Just(f64::NAN),
    ]
}

fn id() -> impl Strategy<Value = StreamId> {
    (0u64..50, 0u64..50).prop_map(|(ms, seq)| StreamId { ms: ms * ms * 1_000_003, seq })
}

fn stream() -> impl Strategy<Value = Stream> {
    let pairs = prop_oneof![
        texts(6).prop_map(|values| {
            values.into_iter().enumerate().map(|(field, value)| (vec![b'f', field as u8], value)).collect::<Vec<_>>()
        }),
        prop::collection::vec((text(), text()), 0..4),
        text().prop_map(|value| vec![(b"same".to_vec(), value)]),
    ];
    let entries = prop::collection::btree_map(id(), pairs, 0..250);
    let consumer = (text(), any::<i64>(), prop::option::of(any::<i64>()));
    let group = (
        text(),
        id(),
        prop::option::of(0u64..100),
        prop::collection::btree_map(id(), (any::<i64>(), 0u64..9, 0usize..4), 0..20),
        prop::collection::vec(consumer, 0..4),
        any::<bool>(),
    );
    let groups = prop::collection::vec(group, 0..3);
    let dedup = prop::option::of((any::<u64>(), any::<u64>(), texts(4), id(), any::<u64>()));
    let counters = (id(), id(), id(), any::<u64>());
    (entries, groups, dedup, counters).prop_map(|(entries, groups, dedup, (last_id, first, deleted, added))| Stream {
        counters: StreamCounters {
            length: entries.len() as u64,
            last_id,
            first_id: Some(first),
            max_deleted_id: Some(deleted),
            entries_added: Some(added),
        },
        entries: entries.into_iter().collect(),
        groups: groups
            .into_iter()
            .map(|(name, last_id, entries_read, pending, consumers, hands_back)| {
                let mut group = Group { name, last_id, entries_read, ..Group::default() };
                group.consumers = consumers
                    .into_iter()
                    .map(|(name, seen_ms, active_ms)| Consumer { name, seen_ms, active_ms, owned: Vec::new() })
                    .collect();
                for (id, (delivered_ms, count, owner)) in pending {
                    match group.consumers.get_mut(owner) {
                        Some(consumer) => consumer.owned.push(id),
                        None if hands_back => group.unowned.push(id),
                        None => continue,
                    }
                    group.pending.push(Pending { id, delivered_ms, count });
                }
                group
            })
            .collect(),
        dedup: dedup.map(|(duration, max_entries, names, id, added)| Dedup {
            duration,
            max_entries,
            producers: names.into_iter().map(|name| (name.clone(), vec![(name, id)])).collect(),
            added,
            repeated: 7,
        }),
    })
}

fn part() -> impl Strategy<Value = ModulePart> {
    prop_oneof![
        any::<i64>().prop_map(ModulePart::Signed),
        any::<u64>().prop_map(ModulePart::Unsigned),
        any::<f32>().prop_map(ModulePart::Float),
        any::<f64>().prop_map(ModulePart::Double),
        text().prop_map(ModulePart::String),
    ]
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        text().prop_map(Cell::String),
        any::<i64>().prop_map(Cell::Integer),
        any::<f64>().prop_map(Cell::Double)
    ]
}

/// -1 is no expiry where it stands in eight bytes.
fn time() -> impl Strategy<Value = Option<i64>> {
    let time = prop_oneof![1i64..4_000_000_000_000, any::<i32>().prop_map(i64::from), any::<i64>()];
    prop::option::of(time.prop_filter("-1 is none", |time| *time != -1))
}

fn value() -> impl Strategy<Value = Value> {
    let field = (text(), text(), prop::option::weighted(0.2, 0i64..4_000_000_000_000));
    let fields = |most| prop::collection::vec((text(), text()), 0..most);
    prop_oneof![
        text().prop_map(Value::String),
        texts(700).prop_map(Value::List),
        texts(700).prop_map(|members| Value::Set(distinct(members))),
        (texts(300), prop::collection::vec(score(), 300))
            .prop_map(|(members, scores)| { Value::SortedSet(distinct(members).into_iter().zip(scores).collect()) }),
        fields(600).prop_map(|fields| {
            let fields: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
            let field = |(name, value)| Field { name, value, expires_at_ms: None };
            Value::Hash(fields.into_iter().map(field).collect())
        }),
        prop::collection::vec(field, 0..20).prop_map(|fields| {
            let fields: std::collections::BTreeMap<_, _> =
                fields.into_iter().map(|(name, value, expiry)| (name, (value, expiry))).collect();
            let field = |(name, (value, expires_at_ms))| Field { name, value, expires_at_ms };
            Value::Hash(fields.into_iter().map(field).collect())
        }),
        stream().prop_map(|stream| Value::Stream(Box::new(stream))),
        (any::<u64>(), prop::collection::vec(part(), 0..10)).prop_map(|(id, parts)| Value::Module(ModuleId(id), parts)),
        (prop::collection::vec((any::<u64>(), cell()), 0..10), prop::option::of(any::<u64>()))
            .prop_map(|(slots, insert_index)| Value::Array(Array { slots, insert_index })),
        any::<u64>().prop_map(Value::RateLimit),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let metadata = prop_oneof![
        9 => Just(Vec::new()),
        1 => prop::collection::vec((any::<u32>(), prop::collection::vec(part(), 0..3)), 1..3),
    ];
    let access = (prop::option::of(any::<u64>()), prop::option::of(any::<u8>()));
    (0u64..3, text(), time(), access, metadata, value()).prop_map(
        |(db, name, expires_at_ms, access, metadata, value)| Entry {
            db,
            name,
            expires_at_ms,
            idle: access.0,
            freq: access.1,
            metadata: metadata.into_iter().map(|(class, parts)| Metadata { class, parts }).collect(),
            value,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read(entries in prop::collection::vec(any_entry(), 1..4)) {
        for entry in &entries {
            round_trip(std::slice::from_ref(entry));
        }
        round_trip(&entries);
    }

    #[test]
    fn what_is_dumped_is_restored(value in value(), index in any::<prop::sample::Index>(), bit in 0u8..8) {
        for header in headers() {
            let Ok(payload) = dump_payload(&value, Target::new(header)) else { continue };
            let entry = |value| Entry { value, ..entry(Value::RateLimit(0)) };
            let restored = restore(&payload, usize::MAX).unwrap();
            prop_assert_eq!(content(entry(restored), header), content(entry(value.clone()), header));
            let mut damaged = payload.clone();
            let index = index.index(damaged.len());
            damaged[index] ^= 1 << bit;
            prop_assert!(restore(&damaged, usize::MAX).is_err());
        }
    }
}

#[test]
fn values_of_any_size() {
    let long = |byte: u8, length| vec![byte; length];
    let noise: Vec<u8> = (0..3 << 20).map(|place: u64| (place.wrapping_mul(place) >> 7) as u8).collect();
    round_trip(&[
        entry(Value::String(noise.clone())),
        entry(Value::String(long(7, 2 << 20))),
        entry(Value::List(vec![long(1, 9000), long(2, 20), noise.clone(), b"7".to_vec(), long(3, 8180)])),
        entry(Value::List(vec![long(1, 9000), long(2, 20)])),
        entry(Value::Set(vec![long(1, 70_000)])),
        entry(Value::SortedSet(vec![(long(1, 70_000), 1.5), (b"a".to_vec(), f64::NEG_INFINITY)])),
        Entry { name: long(b'n', 2 << 20), ..entry(Value::List((0..70_000).map(|_| b"1".to_vec()).collect())) },
    ]);
    let pairs = |name: &[u8], value: &[u8]| vec![(name.to_vec(), value.to_vec())];
    let id = |ms| StreamId { ms, seq: 1 };
    let entries = vec![
        (id(1), pairs(b"f", b"1")),
        (id(2), pairs(b"f", &noise)),
        (id(3), pairs(b"f", b"3")),
        (id(4), pairs(&noise, b"4")),
        (id(5), pairs(&noise, b"5")),
        (id(6), pairs(b"f", &noise[..4000])),
    ];
    let counters = StreamCounters { length: 6, last_id: id(6), ..StreamCounters::default() };
    round_trip(&[entry(Value::Stream(Box::new(Stream { entries, counters, ..Stream::default() })))]);
}

/// The types, first bytes of the records, that hold a value in the versions given.
fn types(value: &Value, versions: &[u16]) -> Vec<u8> {
    let rdb_type = |version: &u16| {
        let format = if *version < 80 { Format::Redis } else { Format::Valkey };
        dump_payload(value, Target::new(header(format, *version))).unwrap()[0]
    };
    versions.iter().map(rdb_type).collect()
}

#[test]
fn each_version_has_its_types() {
    let texts = |count: usize, length| (0..count).map(|n| format!("{n:>length$}").into_bytes()).collect::<Vec<_>>();
    let numbers = |count: i64| (0..count).map(|n| n.to_string().into_bytes()).collect::<Vec<_>>();
    let scored = |members: Vec<Vec<u8>>| Value::SortedSet(members.into_iter().map(|member| (member, 0.5)).collect());
    let hash = |names: Vec<Vec<u8>>, expires_at_ms| {
        let field = |name| Field { name, value: Vec::new(), expires_at_ms };
        Value::Hash(names.into_iter().map(field).collect())
    };
    assert_eq!(types(&Value::List(texts(2, 9)), &[1, 6, 7, 9, 10, 80]), [1, 10, 14, 14, 18, 18]);
    assert_eq!(types(&Value::List(texts(600, 9)), &[1, 6, 7]), [1, 1, 14]);
    assert_eq!(types(&Value::Set(numbers(9)), &[1, 2, 80]), [2, 11, 11]);
    assert_eq!(types(&Value::Set(numbers(512)), &[2]), [11]);
    assert_eq!(types(&Value::Set(numbers(513)), &[2]), [2]);
    assert_eq!(types(&Value::Set(texts(128, 64)), &[10, 11]), [2, 20]);
    assert_eq!(types(&Value::Set(texts(129, 9)), &[11]), [2]);
    assert_eq!(types(&Value::Set(texts(1, 65)), &[11]), [2]);
    assert_eq!(types(&Value::Set(Vec::new()), &[11]), [2]);
    assert_eq!(types(&scored(texts(128, 64)), &[1, 2, 9, 10, 80]), [3, 12, 12, 17, 17]);
    assert_eq!(types(&scored(texts(129, 9)), &[7, 8]), [3, 5]);
    assert_eq!(types(&hash(texts(512, 64), None), &[1, 3, 4, 9, 10, 80]), [4, 4, 13, 13, 16, 16]);
    assert_eq!(types(&hash(texts(513, 9), None), &[10]), [4]);
    assert_eq!(types(&hash(texts(2, 9), Some(5)), &[12, 80, 81]), [25, 22, 22]);
    assert_eq!(types(&hash(texts(2, 9), Some(0)), &[12]), [24], "0 is no expiry in the packed form");
    assert_eq!(types(&hash(texts(513, 9), Some(5)), &[12]), [24]);
    assert_eq!(types(&Value::Stream(Box::default()), &[9, 10, 11, 15, 80]), [15, 19, 21, 21, 21]);
}

#[test]
fn what_a_version_cannot_hold_is_refused_before_anything_is_written() {
    let redis = |version| header(Format::Redis, version);
    let hash =
        Value::Hash(vec![Field { name: b"f".to_vec(), value: b"v".to_vec(), expires_at_ms: Some(1_900_000_000_000) }]);
    let mut writer = Writer::new(Vec::new(), Target::new(redis(11))).unwrap();
    let before = writer.written();
    let late = KeyMeta { expires_at_ms: Some(5), ..KeyMeta::new(b"h") };
    let error = writer.value(&late, &hash).unwrap_err();
    assert_eq!(
        error.to_string(),
        "REDIS0011 cannot hold hash fields that expire, which needs REDIS0012 or VALKEY080, or later"
    );
    assert_eq!(writer.written(), before);
    writer.string(&late, b"v").unwrap();
    assert!(matches!(writer.array(&late, &[], None), Err(WriteError::Unfit { need: Need::Array, .. })));
    assert_eq!(keys(read(&writer.finish().unwrap())).len(), 1);

    let refused = |version, write: &dyn Fn(&mut Writer<Vec<u8>>) -> Written| {
        let mut writer = Writer::new(Vec::new(), Target::new(redis(version))).unwrap();
        match write(&mut writer) {
            Err(WriteError::Unfit { need, .. }) => {
                assert_eq!(writer.written(), 9);
                Some(need)
            }
            written => written.map(|()| None).unwrap(),
        }
    };
    let key = KeyMeta::new(b"k");
    type Case<'a> = (Need, u16, &'a dyn Fn(&mut Writer<Vec<u8>>) -> Written);
    let cases: [Case<'_>; 7] = [
        (Need::Functions, 10, &|writer| writer.function(b"#!lua name=l")),
        (Need::Modules, 8, &|writer| writer.module(&key, ModuleId(1), &[])),
        (Need::ModuleAux, 9, &|writer| writer.module_aux(ModuleId(1), 1, &[])),
        (Need::Streams, 9, &|writer| writer.stream(&key, &Stream::default())),
        (Need::RateLimit, 13, &|writer| writer.rate_limit(&key, 1)),
        (Need::LateExpiry, 3, &|writer| writer.string(&KeyMeta { expires_at_ms: Some(4_102_444_800_000), ..key }, b"")),
        (Need::Metadata, 13, &|writer| {
            let metadata = [Metadata { class: 1, parts: Vec::new() }];
            writer.string(&KeyMeta { metadata: &metadata, ..key }, b"")
        }),
    ];
    for (need, version, write) in cases {
        assert_eq!(refused(version - 1, write), Some(need));
        assert_eq!(refused(version, write), None);
    }
    assert!(matches!(Writer::new(Vec::new(), Target::new(redis(16))), Err(WriteError::Version(_))));
}

#[test]
fn what_is_left_out_is_remembered() {
    let mut writer = Writer::new(Vec::new(), Target::new(header(Format::Redis, 6))).unwrap();
    writer.aux(b"redis-ver", b"9").unwrap();
    writer.resize(1, 0).unwrap();
    writer.slot_info(1, 1, 0, None).unwrap();
    writer.string(&KeyMeta { idle: Some(1), ..KeyMeta::new(b"k") }, b"v").unwrap();
    let lost: Vec<Need> = writer.lost().iter().collect();
    assert_eq!(lost, [Need::Aux, Need::Access, Need::SlotInfo, Need::TableSizes]);
    let mut writer = Writer::new(Vec::new(), Target::new(header(Format::Redis, 10))).unwrap();
    let consumers = vec![Consumer { active_ms: Some(5), ..Consumer::default() }];
    let group = Group { entries_read: Some(1), consumers, ..Group::default() };
    writer.stream(&KeyMeta::new(b"s"), &Stream { groups: vec![group], ..Stream::default() }).unwrap();
    assert_eq!(writer.lost().iter().collect::<Vec<_>>(), [Need::ConsumerActivity]);
}

/// A first id that the entries do not tell is a counter like the others.
#[test]
fn a_first_id_that_cannot_be_made_up_needs_its_version() {
    let id = |ms| StreamId { ms, seq: 0 };
    let counters = StreamCounters { last_id: id(5), first_id: Some(id(2)), ..StreamCounters::default() };
    let value = Value::Stream(Box::new(Stream { counters, ..Stream::default() }));
    assert!(value.needs().contains(Need::StreamCounters));
    let mut writer = Writer::new(Vec::new(), Target::new(header(Format::Redis, 9))).unwrap();
    writer.value(&KeyMeta::new(b"s"), &value).unwrap();
    assert!(writer.lost().contains(Need::StreamCounters));
    round_trip(&[entry(value)]);
}

#[test]
fn records_that_are_no_keys() {
    let parts = vec![ModulePart::Unsigned(7), ModulePart::String(b"x".to_vec())];
    let write = |target, write: &dyn Fn(&mut Writer<Vec<u8>>) -> Written| {
        let mut writer = Writer::new(Vec::new(), Target::new(target)).unwrap();
        write(&mut writer).unwrap();
        let mut records = read(&writer.finish().unwrap());
        records.remove(0);
        records.pop();
        records
    };
    let common = |writer: &mut Writer<Vec<u8>>| {
        writer.aux(b"redis-bits", b"64")?;
        writer.function(b"#!lua name=l")?;
        writer.module_aux(ModuleId(9 << 10), 2, &parts)?;
        writer.select(300)?;
        writer.resize(70_000, 2)?;
        writer.slot_info(20, 1, 0, Some(3))
    };
    let mut expected = vec![
        Whole::Aux(b"redis-bits".to_vec(), b"64".to_vec()),
        Whole::Function(b"#!lua name=l".to_vec()),
        Whole::ModuleAux { id: ModuleId(9 << 10), when: 2, parts: parts.clone() },
        Whole::Select(300),
        Whole::Resize(70_000, 2),
        Whole::Slot { slot: 20, keys: 1, expires: 0 },
    ];
    assert_eq!(write(header(Format::Redis, 12), &common), expected);
    for (target, text) in [(header(Format::Redis, 11), "20,1,0"), (header(Format::Valkey, 80), "20,1,0,3")] {
        expected[5] = Whole::Aux(b"slot-info".to_vec(), text.as_bytes().to_vec());
        assert_eq!(write(target, &common), expected);
    }
    let valkey = |writer: &mut Writer<Vec<u8>>| {
        writer.slot_import(&[b'j'; 40], &[(0, 5), (7, 9)])?;
        writer.update(&[b"SET".to_vec(), b"k".to_vec(), b"".to_vec()])
    };
    let expected = [
        Whole::SlotImport { job: vec![b'j'; 40], ranges: vec![(0, 5), (7, 9)] },
        Whole::Update(vec![b"SET".to_vec(), b"k".to_vec(), b"".to_vec()]),
    ];
    assert_eq!(write(header(Format::Valkey, 81), &valkey), expected);
}

#[test]
fn a_raw_value_is_written_as_it_is() {
    let mut writer = Writer::new(Vec::new(), Target::new(header(Format::Redis, 12))).unwrap();
    let key = KeyMeta { expires_at_ms: Some(5), ..KeyMeta::new(b"k") };
    writer.raw(&key, 1, b"\x01\x01a").unwrap();
    for unknown in [26, 8, 6, 0xfa] {
        assert!(matches!(writer.raw(&key, unknown, b""), Err(WriteError::UnknownType(..))), "{unknown}");
    }
    let read = keys(read(&writer.finish().unwrap()));
    assert_eq!(read[0].value, Value::List(vec![b"a".to_vec()]));
    let mut writer = Writer::new(Vec::new(), Target::new(header(Format::Redis, 9))).unwrap();
    assert!(matches!(writer.raw(&key, 18, b""), Err(WriteError::UnknownType(18, _))), "no quicklist_2 in 9");
}

/// As Redis 8.2.3 has them, byte for byte.
#[test]
fn bytes_of_real_servers() {
    let target = |format, version| Target::new(header(format, version));
    let payload = |target, value: &Value| {
        let mut payload = dump_payload(value, target).unwrap();
        payload.truncate(payload.len() - 10);
        payload
    };
    let time = 4_102_444_800_000i64;
    let hash = |fields: &[(&str, &str, Option<i64>)]| {
        let field = |(name, value, expires_at_ms): &(&str, &str, _)| Field {
            name: name.as_bytes().to_vec(),
            value: value.as_bytes().to_vec(),
            expires_at_ms: *expires_at_ms,
        };
        Value::Hash(fields.iter().map(field).collect())
    };
    let expected = b"\x16\x02\x01a\xc0\x01\x00\xd8\xc3\x2c\xbb\x03\0\0\x01b\xc0\x02\xff\xff\xff\xff\xff\xff\xff\xff";
    let value = hash(&[("a", "1", Some(time)), ("b", "2", None)]);
    assert_eq!(payload(target(Format::Valkey, 80), &value), expected);
    let dumped = dump_payload(&Value::String(b"10".to_vec()), target(Format::Redis, 9)).unwrap();
    // The example of Redis's own documentation of DUMP has version 9 and this checksum.
    assert_eq!(dumped, b"\0\xc0\n\t\0\xbem\x06\x89Z(\0\n");
}

#[test]
fn payloads_that_are_not_restored() {
    use crate::rdb::PayloadError;
    let good = dump_payload(&Value::List(vec![b"a".to_vec()]), Target::new(header(Format::Redis, 10))).unwrap();
    let sealed = |value: &[u8], version: u16| {
        let mut bytes = [value, &version.to_le_bytes()].concat();
        bytes.extend(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, &bytes).to_le_bytes());
        bytes
    };
    let body = &good[..good.len() - 10];
    assert_eq!(sealed(body, 10), good);
    let fails = |value: &[u8], version| restore(&sealed(value, version), 1 << 20).unwrap_err();
    assert_eq!(restore(&good[..10], 1 << 20), Err(PayloadError::Short(10)));
    assert_eq!(fails(body, 16), PayloadError::Version(16));
    assert_eq!(fails(&[body, b"\0\0\0"].concat(), 10), PayloadError::Length, "another record");
    assert_eq!(fails(&[body, b"\0"].concat(), 10), PayloadError::Length, "a part of one");
    assert_eq!(fails(&[body, b"\xff"].concat(), 4), PayloadError::Length, "an end");
    assert_eq!(fails(&body[..body.len() - 1], 10), PayloadError::Length);
    assert_eq!(fails(b"\xfa\x01a\x01b", 10), PayloadError::Type(0xfa));
    assert!(matches!(fails(b"\x16\x00", 11), PayloadError::Rdb(_)));
    assert!(matches!(fails(b"\x0b\x01x", 11), PayloadError::Rdb(_)));
    assert_eq!(restore(&good, 20), Err(PayloadError::TooLarge));
    let mut off = good.clone();
    let start = off.len() - 8;
    off[start..].fill(0);
    assert!(restore(&off, 1 << 20).is_ok(), "eight zero bytes are no checksum");
}

/// Dumps of real servers, written anew: in their own version as they are, and in every other that holds them.
#[test]
fn dumps_of_servers_are_written_anew() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb");
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let records = read(&std::fs::read(&path).unwrap());
        let Some(Whole::Header(own)) = records.first() else { panic!("{path:?} has no header") };
        let own = *own;
        let mut writer = Writer::new(Vec::new(), Target::new(own)).unwrap();
        for record in &records {
            match record {
                Whole::Aux(key, value) => writer.aux(key, value),
                Whole::Function(code) => writer.function(code),
                Whole::Select(db) => writer.select(*db as u32),
                Whole::Resize(keys, expires) => writer.resize(*keys, *expires),
                Whole::Slot { slot, keys, expires } => writer.slot_info(*slot, *keys, *expires, None),
                Whole::ModuleAux { id, when, parts } => writer.module_aux(*id, *when, parts),
                Whole::Key(entry) => writer.value(&entry.meta(), &entry.value),
                Whole::Header(_) | Whole::End(_) => Ok(()),
                other => panic!("{other:?}"),
            }
            .unwrap();
        }
        assert!(writer.lost().is_empty());
        let again = read(&writer.finish().unwrap());
        assert_eq!(again.len(), records.len());
        for (again, record) in again.into_iter().zip(&records) {
            match (again, record) {
                (Whole::Key(again), Whole::Key(entry)) => {
                    assert_eq!(content(again, own), content(entry.clone(), own));
                }
                (Whole::End(_), Whole::End(_)) => {}
                (again, record) => assert_eq!(again, *record),
            }
        }
        keys(records).iter().for_each(|entry| round_trip(std::slice::from_ref(entry)));
        files += 1;
    }
    assert!(files >= 5);
}
