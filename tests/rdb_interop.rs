//! Real servers load what the writer writes, and hold the same data afterwards: their own DEBUG DIGEST says so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod servers;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use repltool::rdb::{
    Collector, Consumer, Decoder, Depth, Entry, Field, Format, Group, Header, KeyMeta, Pending, Stream, StreamCounters,
    StreamId, Target, Value, Whole, Writer, dump_payload, restore,
};
use servers::{Client, Reply, Running, Server};

/// Checks packed values deeply while they are loaded.
const DEEP: &[&str] = &["--sanitize-dump-payload", "yes"];

/// A time that no test reaches, in milliseconds.
const LATE: i64 = 4_102_444_800_000;

fn header(server: Server) -> Header {
    let (format, version) = match server {
        Server::Redis62 => (Format::Redis, 9),
        Server::Redis70 => (Format::Redis, 10),
        Server::Redis82 => (Format::Redis, 12),
        Server::Valkey81 => (Format::Redis, 11),
        Server::Valkey91 => (Format::Valkey, 80),
    };
    Header { format, version }
}

fn convert(rdb: &Path, output: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repltool"))
        .args(["rdb", "convert"])
        .arg(rdb)
        .arg("-o")
        .arg(output)
        .args(options)
        .output()
        .unwrap()
}

fn converted(rdb: &Path, output: &Path, options: &[&str]) -> String {
    let done = convert(rdb, output, options);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{options:?}: {said}");
    said
}

/// Numbers without a pattern, the same at every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn command(words: &str) -> Vec<Vec<u8>> {
    words.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Data that all servers can hold, of every type and size.
fn common() -> Vec<Vec<Vec<u8>>> {
    let mut noise = Noise(7);
    let mut commands: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut add = |words: &str, more: Vec<Vec<u8>>| {
        let mut all = command(words);
        all.extend(more);
        commands.push(all);
    };
    for (key, value) in [
        ("empty", Vec::new()),
        ("byte", b"7".to_vec()),
        ("short", b"-3000".to_vec()),
        ("int", b"2000000000".to_vec()),
        ("long", b"-9223372036854775808".to_vec()),
        ("no-int", b"007".to_vec()),
        ("repeats", b"abcdefgh".repeat(500)),
        ("noise", noise.bytes(100_000)),
        ("big", (0..300_000u32).map(|place| (place % 1009 % 251) as u8).collect()),
    ] {
        add(&format!("SET string:{key}"), vec![value]);
    }
    let texts = |from: usize, to: usize| (from..to).map(|n| format!("element {n:05}").into_bytes()).collect::<Vec<_>>();
    add("RPUSH list:small a b c -1 12 13 127 128 -4096 32768 8388608 2147483648 9223372036854775807", vec![]);
    add("RPUSH list:large", texts(0, 3000));
    add("RPUSH list:long", vec![noise.bytes(9000), b"x".to_vec(), vec![b'y'; 20_000], noise.bytes(8180)]);
    add("SADD set:ints 5 -3 7", vec![]);
    add("SADD set:ints32 5 -300000 7", vec![]);
    add("SADD set:ints64 5 -3 9223372036854775807", vec![]);
    add("SADD set:small a b 3", vec![]);
    add("SADD set:large", texts(0, 1500));
    add("ZADD zset:small 1 a -2.5 b inf c -inf d 3 e 3 ee 0.125 f 9007199254740992 g", vec![]);
    for (place, member) in texts(0, 700).into_iter().enumerate() {
        add(&format!("ZADD zset:large {}.25", place as i64 - 300), vec![member]);
    }
    add("HSET hash:small f v n 12 big 9223372036854775807 empty", vec![Vec::new()]);
    add("HSET hash:long f", vec![noise.bytes(70)]);
    for (place, field) in texts(0, 800).into_iter().enumerate() {
        add("HSET hash:large", vec![field, place.to_string().into_bytes()]);
    }
    for ms in 1..=260 {
        add(&format!("XADD stream:large {ms}-{} name value-{ms} number {ms}", ms % 3), vec![]);
    }
    add("XADD stream:large 300-0 other fields than -17", vec![]);
    add("XADD stream:large 300-5 big", vec![noise.bytes(6000)]);
    add("XDEL stream:large 5-2 6-0 100-1", vec![]);
    add("XGROUP CREATE stream:large readers 0", vec![]);
    add("XREADGROUP GROUP readers alice COUNT 30 STREAMS stream:large >", vec![]);
    add("XREADGROUP GROUP readers bob COUNT 5 STREAMS stream:large >", vec![]);
    add("XACK stream:large readers 1-1 2-2 33-0", vec![]);
    add("XGROUP CREATE stream:large idle $", vec![]);
    add("XGROUP CREATE stream:empty waiting $ MKSTREAM", vec![]);
    add(&format!("PEXPIREAT string:int {LATE}"), vec![]);
    add(&format!("PEXPIREAT hash:small {}", LATE + 123), vec![]);
    add("SELECT 3", vec![]);
    add("SET other database", vec![]);
    add("SELECT 0", vec![]);
    commands
}

/// What only this server can hold.
fn own(server: Server) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    if matches!(server, Server::Redis82 | Server::Valkey91) {
        for place in 0..600 {
            commands.push(command(&format!("HSET hash:expiring f{place} {place}")));
            if place % 3 > 0 {
                let time = LATE + 1000 * place;
                commands.push(command(&format!("HPEXPIREAT hash:expiring {time} FIELDS 1 f{place}")));
            }
        }
        commands.push(command("HSET hash:few a 1 b 2 c 3"));
        commands.push(command(&format!("HPEXPIREAT hash:few {LATE} FIELDS 2 c a")));
    }
    if server != Server::Redis62 {
        let mut load = command("FUNCTION LOAD");
        load.push(b"#!lua name=lib\nredis.register_function('f', function() return 1 end)".to_vec());
        commands.push(load);
    }
    if server == Server::Redis82 {
        for place in 0..20 {
            commands.push(command(&format!("VADD vectors VALUES 3 {place} 0.5 -1 element{place}")));
        }
        commands.push(command("VSETATTR vectors element3 {\"year\":1995}"));
    }
    commands
}

/// What a server says of all its data, short of what only the same server can be compared by.
fn digest(client: &mut Client) -> (String, [i64; 2]) {
    let digest = client.ask(&["DEBUG", "DIGEST"]).text();
    let other = sized(client, "3");
    (digest, [sized(client, "0"), other])
}

fn sized(client: &mut Client, db: &str) -> i64 {
    client.ask(&["SELECT", db]);
    client.ask(&["DBSIZE"]).integer()
}

/// What the digest does not cover: groups, expiries of fields, functions, what the keys are packed in.
fn details(client: &mut Client) -> Vec<Reply> {
    let mut replies = vec![client.ask(&["FUNCTION", "LIST", "WITHCODE"])];
    for stream in ["stream:large", "stream:empty"] {
        replies.push(client.ask(&["XINFO", "STREAM", stream, "FULL", "COUNT", "0"]));
    }
    for field in 0..600 {
        let field = format!("f{field}");
        replies.push(client.ask(&["HPEXPIRETIME", "hash:expiring", "FIELDS", "1", &field]));
    }
    replies.push(client.ask(&["HPEXPIRETIME", "hash:few", "FIELDS", "3", "a", "b", "c"]));
    let mut keys: Vec<Vec<u8>> = client.ask(&["KEYS", "*"]).array().into_iter().map(Reply::bytes).collect();
    keys.sort();
    for key in keys {
        replies.push(client.ask(&[&b"PEXPIRETIME"[..], &key]));
        replies.push(client.ask(&[&b"OBJECT"[..], b"ENCODING", &key]));
        replies.push(Reply::Bulk(Some(key)));
    }
    for place in 0..20 {
        replies.push(client.ask(&["VEMB", "vectors", &format!("element{place}")]));
        replies.push(client.ask(&["VGETATTR", "vectors", &format!("element{place}")]));
    }
    // Node counts depend on where nodes were cut while the stream grew.
    replies.into_iter().map(without_radix).collect()
}

fn without_radix(reply: Reply) -> Reply {
    let Reply::Array(Some(elements)) = reply else { return reply };
    let mut kept = Vec::new();
    let mut elements = elements.into_iter();
    while let Some(element) = elements.next() {
        if matches!(&element, Reply::Bulk(Some(name)) if name.starts_with(b"radix-tree-")) {
            elements.next();
        } else {
            kept.push(element);
        }
    }
    Reply::Array(Some(kept))
}

/// Data of `source` through the writer to every server, and its own data back to itself.
fn from(source: Server) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let server = source.start(&[]);
    let mut client = server.client();
    client.all(&common());
    let expected = digest(&mut client);
    let rdb = server.save();
    for target in Server::ALL {
        let path = file("common.rdb");
        let form: &[&str] = if target == source { &["--no-compress", "--no-checksum"] } else { &[] };
        converted(&rdb, &path, &[&["--to", &header(target).to_string()], form].concat());
        let loaded = target.load(&path, DEEP).unwrap();
        assert_eq!(digest(&mut loaded.client()), expected, "from {source:?} to {target:?}");
    }
    client.ask(&["SELECT", "0"]);
    client.all(&own(source));
    let expected = (digest(&mut client), {
        client.ask(&["SELECT", "0"]);
        details(&mut client)
    });
    let rdb = server.save();
    let path = file("own.rdb");
    assert_eq!(converted(&rdb, &path, &[]), "", "nothing is lost in the same version");
    let loaded = source.load(&path, DEEP).unwrap();
    let mut loader = loaded.client();
    assert_eq!(digest(&mut loader), expected.0);
    loader.ask(&["SELECT", "0"]);
    for (loaded, expected) in details(&mut loader).into_iter().zip(expected.1) {
        assert_eq!(loaded, expected);
    }
    dumped(&mut client, header(source));
}

/// DUMP of each key, through the model, and RESTORE.
fn dumped(client: &mut Client, header: Header) {
    client.ask(&["SELECT", "0"]);
    for key in client.ask(&["KEYS", "*"]).array() {
        let key = key.bytes();
        let value = restore(&client.ask(&[&b"DUMP"[..], &key]).bytes(), usize::MAX).unwrap();
        let payload = dump_payload(&value, Target::new(header)).unwrap();
        let copy = b"copy".to_vec();
        // That a key expires is in its digest; when, is not.
        let ttl = if client.ask(&[&b"PTTL"[..], &key]).integer() > 0 { LATE.to_string() } else { "0".to_owned() };
        let done = client.ask(&[&b"RESTORE"[..], &copy, ttl.as_bytes(), &payload, b"REPLACE"]);
        assert_eq!(done, Reply::Status("OK".into()), "{}", key.escape_ascii());
        let digests = client.ask(&[&b"DEBUG"[..], b"DIGEST-VALUE", &key, &copy]).array();
        assert_eq!(digests[0], digests[1], "{}", key.escape_ascii());
    }
}

#[test]
fn data_of_redis_6_2() {
    from(Server::Redis62);
}

#[test]
fn data_of_redis_7_0() {
    from(Server::Redis70);
}

#[test]
fn data_of_redis_8_2() {
    from(Server::Redis82);
}

#[test]
fn data_of_valkey_8_1() {
    from(Server::Valkey81);
}

#[test]
fn data_of_valkey_9_1() {
    from(Server::Valkey91);
}

/// What Redis 6.2 cannot hold is named, and left out only where that was asked for.
#[test]
fn what_an_older_server_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.rdb");
    let server = Server::Valkey91.start(&[]);
    let mut client = server.client();
    client.all(&[command("SET plain value")]);
    client.all(&own(Server::Valkey91));
    let rdb = server.save();
    let refused = convert(&rdb, &path, &["--to", "redis-6.2"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!path.exists());
    let said = String::from_utf8(refused.stderr).unwrap();
    for words in ["hash key hash:expiring", "hash key hash:few", "function library #!lua name=lib", "REDIS0012"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("plain"));
    converted(&rdb, &path, &["--to", "redis-6.2", "--skip"]);
    let loaded = Server::Redis62.load(&path, DEEP).unwrap();
    let keys = loaded.client().ask(&["KEYS", "*"]);
    assert_eq!(keys, Reply::Array(Some(vec![Reply::Bulk(Some(b"plain".to_vec()))])));
}

/// Values that no command makes, at the edges of every form.
fn made_up(header: Header) -> Vec<Entry> {
    let mut noise = Noise(9);
    let mut values = Vec::new();
    let texts = |count: usize, length: usize| -> Vec<Vec<u8>> {
        (0..count).map(|number| format!("{number:0>length$}").into_bytes()).collect()
    };
    for count in [1, 2, 127, 128, 129, 511, 512, 513, 1000] {
        for length in [1, 19, 20, 21, 63, 64, 65, 300] {
            if count > 10usize.pow(length.min(4) as u32) {
                continue;
            }
            let members = texts(count, length);
            values.push(Value::List(members.clone()));
            values.push(Value::Set(members.clone()));
            values.push(Value::Set(
                (0..count).map(|number| (number << length.min(50)).to_string().into_bytes()).collect(),
            ));
            let scores = |place: usize| (place as f64 - 60.0) / 8.0;
            let scored = members.iter().enumerate().map(|(place, member)| (member.clone(), scores(place)));
            values.push(Value::SortedSet(scored.collect()));
            let field = |(place, name): (usize, &Vec<u8>)| Field {
                name: name.clone(),
                value: place.to_string().into_bytes(),
                expires_at_ms: None,
            };
            let fields: Vec<Field> = members.iter().enumerate().map(field).collect();
            values.push(Value::Hash(fields.clone()));
            if header.version >= 12 {
                let mut fields = fields;
                for (place, field) in fields.iter_mut().enumerate().skip(1) {
                    field.expires_at_ms = (place % 3 > 0).then_some(LATE + 7 * place as i64);
                }
                fields[0].expires_at_ms = Some(LATE - 5);
                values.push(Value::Hash(fields));
            }
        }
    }
    for length in [252, 253, 254, 255, 4095, 4096, 8170, 8192, 8193, 16_383, 16_384, 70_000, 2 << 20] {
        values.push(Value::String(noise.bytes(length)));
        values.push(Value::String(vec![b'r'; length]));
        values.push(Value::List(vec![vec![b'r'; length], b"x".to_vec(), noise.bytes(length), b"y".to_vec()]));
        values.push(Value::Hash(vec![Field { name: noise.bytes(length), value: b"v".to_vec(), expires_at_ms: None }]));
    }
    for count in [0u64, 1, 99, 100, 101, 350] {
        for length in [1, 60, 4090, 9000] {
            let id = |number: u64| StreamId { ms: 1_700_000_000_000 + number * number, seq: number % 3 };
            let entry = |number: u64| {
                let name = if number % 7 < 5 { b"field".to_vec() } else { format!("field{}", number % 2).into_bytes() };
                (id(number), vec![(name, vec![b'v'; length]), (b"number".to_vec(), number.to_string().into_bytes())])
            };
            let owned: Vec<StreamId> = (0..count.min(20)).map(id).collect();
            let pending = |id: &StreamId| Pending { id: *id, delivered_ms: 1_700_000_000_001, count: 3 };
            let consumer = |name: &[u8], owned| Consumer {
                name: name.to_vec(),
                seen_ms: 1_700_000_000_002,
                active_ms: Some(1_700_000_000_003),
                owned,
            };
            values.push(Value::Stream(Box::new(Stream {
                entries: (0..count).map(entry).collect(),
                counters: StreamCounters {
                    length: count,
                    last_id: id(count + 5),
                    first_id: Some(if count > 0 { id(0) } else { StreamId::default() }),
                    max_deleted_id: Some(id(count + 4)),
                    entries_added: Some(count + 6),
                },
                groups: vec![Group {
                    name: b"group".to_vec(),
                    last_id: id(count),
                    entries_read: Some(count),
                    pending: owned.iter().map(pending).collect(),
                    consumers: vec![consumer(b"has all", owned), consumer(b"has none", Vec::new())],
                    unowned: Vec::new(),
                }],
                dedup: None,
            })));
        }
    }
    let entry = |(number, value)| Entry {
        db: 0,
        name: format!("key {number}").into_bytes(),
        expires_at_ms: (number % 4 == 0).then_some(LATE + number as i64),
        idle: None,
        freq: None,
        metadata: Vec::new(),
        value,
    };
    values.into_iter().enumerate().map(entry).collect()
}

fn read(rdb: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let take = |whole| {
        if let Whole::Key(entry) = whole {
            entries.push(entry);
        }
    };
    let mut decoder = Decoder::new(Collector::new(usize::MAX, take), Depth::Full);
    assert!(decoder.push(rdb).unwrap().ended);
    drop(decoder);
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// The content, without the order that does not count and what the version does not tell.
fn content(mut entry: Entry, header: Header) -> Entry {
    match &mut entry.value {
        Value::Set(members) => members.sort(),
        Value::SortedSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
        Value::Hash(fields) => fields.sort_by(|a, b| a.name.cmp(&b.name)),
        Value::Stream(stream) => {
            let counters = &mut stream.counters;
            if header.version < 10 {
                (counters.first_id, counters.max_deleted_id, counters.entries_added) = (None, None, None);
                stream.groups.iter_mut().for_each(|group| group.entries_read = None);
            }
            let consumers = stream.groups.iter_mut().flat_map(|group| &mut group.consumers);
            if header.version < 11 {
                consumers.for_each(|consumer| consumer.active_ms = None);
            }
        }
        _ => {}
    }
    entry
}

fn makes_up(server: Server) {
    let header = header(server);
    let entries = made_up(header);
    let mut writer = Writer::new(Vec::new(), Target::new(header)).unwrap();
    writer.select(0).unwrap();
    for entry in &entries {
        let meta = KeyMeta { expires_at_ms: entry.expires_at_ms, ..KeyMeta::new(&entry.name) };
        writer.value(&meta, &entry.value).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.rdb");
    fs::write(&path, writer.finish().unwrap()).unwrap();
    let loaded: Running = server.load(&path, DEEP).unwrap();
    let saved = read(&fs::read(loaded.save()).unwrap());
    assert_eq!(saved.len(), entries.len());
    let mut entries = entries;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for (saved, entry) in saved.into_iter().zip(entries) {
        let (saved, entry) = (content(saved, header), content(entry, header));
        assert!(saved == entry, "{server:?}: {}", entry.name.escape_ascii());
    }
}

#[test]
fn values_made_up_are_loaded_and_saved_again() {
    Server::ALL.into_iter().for_each(makes_up);
}
