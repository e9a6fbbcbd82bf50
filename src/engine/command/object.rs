//! OBJECT: how a key's value is held.

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::core::Engine;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::value::{List, Text, Value};

const READ: &[Flag] = &[Flag::Read];
const HELP: &[Flag] = &[Flag::Loading, Flag::Stale];
const SECOND: Keys = Keys::new(2, 2, 1);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("OBJECT", READ, SECOND),
    Spec::new("OBJECT|ENCODING", 3, READ, SECOND, tell_encoding),
    Spec::new("OBJECT|REFCOUNT", 3, READ, SECOND, refcount),
    Spec::new("OBJECT|IDLETIME", 3, READ, SECOND, idletime),
    Spec::new("OBJECT|FREQ", 3, READ, SECOND, freq).since(4, 0),
    Spec::new("OBJECT|HELP", 2, HELP, Keys::NONE, help).since(6, 2),
];

/// How large a collection may be to be packed, by the configuration and by the version's own rules.
struct Limits {
    dialect: Dialect,
    hash: (usize, usize),
    sorted_set: (usize, usize),
    set: (usize, usize),
    integers: usize,
    list: i64,
}

impl Limits {
    fn of(engine: &Engine) -> Self {
        let number = |name: &str| usize::try_from(engine.config.number(name)).unwrap_or(usize::MAX);
        let both = |entries: &str, value: &str| (number(entries), number(value));
        Self {
            dialect: engine.dialect,
            hash: both("hash-max-listpack-entries", "hash-max-listpack-value"),
            sorted_set: both("zset-max-listpack-entries", "zset-max-listpack-value"),
            set: both("set-max-listpack-entries", "set-max-listpack-value"),
            integers: number("set-max-intset-entries"),
            list: engine.config.number("list-max-listpack-size"),
        }
    }

    /// Packed collections have another name since 7.0.
    fn packed(&self) -> &'static str {
        if self.dialect.since(7, 0) { "listpack" } else { "ziplist" }
    }

    /// Since 7.2 a list that is no longer than a node of a quicklist is none.
    fn is_packed(&self, list: &List) -> bool {
        // An element takes its length, which is told twice, and its kind besides.
        let bytes = || list.iter().map(|element| element.len() + 11).sum::<usize>();
        self.dialect.since(7, 2)
            && match self.list {
                most @ 1.. => list.len() as i64 <= most && bytes() <= 8192,
                size => bytes() <= 2048 << size.saturating_neg().clamp(1, 5),
            }
    }
}

/// The name that OBJECT ENCODING gives. Values have one form each here; what is told is how a server would hold one of
/// this size.
pub(super) fn encoding(value: &Value, engine: &Engine) -> &'static str {
    let limits = Limits::of(engine);
    match value {
        Value::String(Text::Integer(_)) => "int",
        // What was changed in place has no room beside its head.
        Value::String(Text::Bytes(bytes)) if bytes.len() <= 44 => "embstr",
        Value::String(_) => "raw",
        Value::List(list) if limits.is_packed(list) => "listpack",
        Value::List(_) => "quicklist",
        Value::Set(set) => {
            let (entries, longest) = limits.set;
            if set.is_integers() && set.len() <= limits.integers {
                "intset"
            } else if limits.dialect.since(7, 2)
                && set.len() <= entries
                && set.iter().all(|member| member.len() <= longest)
            {
                "listpack"
            } else {
                "hashtable"
            }
        }
        Value::SortedSet(set) => {
            let (entries, longest) = limits.sorted_set;
            let short = || set.ranked().iter().all(|scored| scored.member.len() <= longest);
            if set.len() <= entries && short() { limits.packed() } else { "skiplist" }
        }
        Value::Hash(hash) => {
            let (entries, longest) = limits.hash;
            let short =
                || hash.fields.iter().all(|(name, field)| name.len() <= longest && field.value.len() <= longest);
            match hash.fields.len() <= entries && short() {
                true if hash.volatile > 0 => "listpackex",
                true => limits.packed(),
                false => "hashtable",
            }
        }
        Value::Stream(_) => "stream",
        Value::Opaque(_) => "raw",
    }
}

/// Answers with something of a key; nothing where there is none.
fn of_key(context: &mut Context<'_>, args: Args<'_>, tell: impl FnOnce(&mut Context<'_>) -> Outcome) -> Outcome {
    if context.exists(args.get(2)) {
        return tell(context);
    }
    context.reply.null();
    Ok(())
}

fn tell_encoding(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let db = context.session.db;
    let there = context.exists(args.get(2));
    let entry = context.engine.keyspace.get(db, args.get(2)).filter(|_| there);
    let name = entry.map(|entry| encoding(&entry.value, context.engine));
    context.reply.bulk_or_null(name.map(str::as_bytes));
    Ok(())
}

fn refcount(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // Small numbers were one object for all keys that have them, unless their use is looked at one by one.
    let counted = context.engine.config.size("maxmemory") > 0
        && ["-lru", "-lfu"].iter().any(|end| context.engine.config.get("maxmemory-policy").ends_with(end));
    let shares =
        !counted && !context.engine.dialect.is_valkey_since(8, 0) && !context.engine.dialect.is_redis_since(8, 0);
    of_key(context, args, |context| {
        let shared = matches!(context.value(args.get(2)), Some(Value::String(Text::Integer(0..=9999))));
        context.reply.integer(if shared && shares { i32::MAX.into() } else { 1 });
        Ok(())
    })
}

fn idletime(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    of_key(context, args, |context| {
        let (keyspace, db) = (&context.engine.keyspace, context.session.db);
        if keyspace.clock.counts() {
            return Err(CommandError::fixed(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        let idle = keyspace.get(db, args.get(2)).map_or(0, |entry| entry.used.idle(&keyspace.clock));
        context.reply.integer(idle.into());
        Ok(())
    })
}

fn freq(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    of_key(context, args, |context| {
        let (keyspace, db) = (&context.engine.keyspace, context.session.db);
        if !keyspace.clock.counts() {
            return Err(CommandError::fixed(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        let frequency = keyspace.get(db, args.get(2)).map_or(0, |entry| entry.used.frequency(&keyspace.clock));
        context.reply.integer(frequency.into());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn encodings_are_told_by_version_and_configuration() {
        // Asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 9.1.2.
        let long = "x".repeat(65);
        for (dialect, list, set, sorted_set, hash) in [
            ("redis-6.2", "quicklist", "hashtable", "ziplist", "ziplist"),
            ("redis-7.0", "quicklist", "hashtable", "listpack", "listpack"),
            ("redis-8.2", "listpack", "listpack", "listpack", "listpack"),
            ("valkey-9.1", "listpack", "listpack", "listpack", "listpack"),
        ] {
            let mut play = Play::new(dialect);
            let mut is = |line: &str, encoding: &str| {
                play.run("DEL k");
                for line in line.split(" ; ") {
                    play.run(line);
                }
                assert_eq!(play.run("OBJECT ENCODING k"), encoding, "{dialect}: {line}");
            };
            is("SET k 12", "int");
            is("SET k 0012", "embstr");
            is("SET k 12 ; SETRANGE k 0 x", "raw");
            is("SET k a ; APPEND k b", "raw");
            is("RPUSH k a", list);
            is("SADD k 1 2", "intset");
            is("SADD k 1 a", set);
            // It does not go back.
            is("SADD k 1 a ; SREM k a", set);
            is(&format!("SADD k {long}"), "hashtable");
            is("ZADD k 1 a", sorted_set);
            is(&format!("ZADD k 1 {long}"), "skiplist");
            is("HSET k a b", hash);
            is(&format!("HSET k a {long}"), "hashtable");
            is("CONFIG SET hash-max-ziplist-value 70 ; CONFIG SET set-max-intset-entries 1", "(nil)");
            is(&format!("HSET k a {long}"), hash);
            is("SADD k 1 2", set);
        }
    }

    #[test]
    fn small_numbers_were_shared() {
        let counts = |dialect| {
            let mut play = Play::new(dialect);
            play.run("MSET small 9999 large 10000 text x");
            ["small", "large", "text"].map(|key| play.run(&format!("OBJECT REFCOUNT {key}")))
        };
        assert_eq!(counts("redis-7.0"), ["2147483647", "1", "1"]);
        assert_eq!(counts("valkey-8.1"), ["1", "1", "1"]);
    }

    // All asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.

    #[test]
    fn what_uses_a_key_ends_its_idleness() {
        let payload = |play: &mut Play| -> String {
            play.run("SET source x");
            play.bulk("DUMP source").iter().map(|byte| format!("\\x{byte:02x}")).collect()
        };
        for (dialect, has_no_touch) in [("redis-6.2", false), ("redis-7.0", false), ("valkey-9.1", true)] {
            let mut play = Play::new(dialect);
            let dumped = payload(&mut play);
            let restore = format!("RESTORE k 0 \"{dumped}\" REPLACE");
            let mut idle_after = |lines: &str| {
                assert_eq!(play.run(&format!("{restore} IDLETIME 1000")), "OK");
                for line in lines.split(" ; ").filter(|line| !line.is_empty()) {
                    assert!(!play.run(line).starts_with("-ERR"), "{dialect}: {line}");
                }
                play.run("OBJECT IDLETIME k")
            };
            for lines in ["", "TTL k", "TYPE k", "EXISTS k", "OBJECT ENCODING k", "MEMORY USAGE k", "SCAN 0", "WATCH k"]
            {
                assert_eq!(idle_after(lines), "1000", "{dialect}: {lines}");
            }
            for lines in
                ["TOUCH k", "GET k", "STRLEN k", "EXPIRE k 100", "COPY k other", "DUMP k", "APPEND k a", "SET k v"]
            {
                assert_eq!(idle_after(lines), "0", "{dialect}: {lines}");
            }
            if has_no_touch {
                assert_eq!(idle_after("CLIENT NO-TOUCH ON ; GET k ; APPEND k a"), "1000", "{dialect}");
                assert_eq!(idle_after("TOUCH k"), "0", "{dialect}");
                assert_eq!(idle_after("SET k v"), "1000", "{dialect}");
                play.run("CLIENT NO-TOUCH OFF");
            }
            play.run("SET n 1");
            play.now += 7_900;
            assert_eq!(play.run("OBJECT IDLETIME n"), "7", "{dialect}");
            assert!(play.apply("SET n 2"));
            assert_eq!(play.run("OBJECT IDLETIME n"), "0", "{dialect}");
            assert_eq!(play.run("OBJECT IDLETIME none"), "(nil)", "{dialect}");
        }
    }

    #[test]
    fn uses_are_counted_where_the_policy_minds() {
        let mut play = Play::new("redis-7.0");
        let not_selected = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
        let selected = "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
        let rows = |play: &mut Play, rows: &[(&str, &str)]| {
            rows.iter().for_each(|(line, answer)| assert_eq!(play.run(line), *answer, "{line}"));
        };
        rows(
            &mut play,
            &[
                ("SET k v", "OK"),
                ("OBJECT FREQ k", not_selected),
                ("OBJECT FREQ none", "(nil)"),
                ("CONFIG SET maxmemory-policy allkeys-lfu", "OK"),
                ("OBJECT IDLETIME k", selected),
                ("OBJECT IDLETIME none", "(nil)"),
                ("SET new v", "OK"),
                ("OBJECT FREQ new", "5"),
                ("GET new", "v"),
                ("OBJECT FREQ new", "6"),
            ],
        );
        let dumped: String = play.bulk("DUMP k").iter().map(|byte| format!("\\x{byte:02x}")).collect();
        let restore = format!("RESTORE r 0 \"{dumped}\" REPLACE");
        rows(
            &mut play,
            &[
                (&format!("{restore} FREQ 99"), "OK"),
                ("OBJECT FREQ r", "99"),
                (&format!("{restore} IDLETIME 99"), "OK"),
                ("OBJECT FREQ r", "5"),
                ("CONFIG SET maxmemory-policy allkeys-lru", "OK"),
                (&format!("{restore} FREQ 99"), "OK"),
                ("OBJECT IDLETIME r", "0"),
                (&format!("{restore} IDLETIME 99"), "OK"),
                ("OBJECT IDLETIME r", "99"),
            ],
        );
    }

    #[test]
    fn a_use_is_one_however_often_a_command_looks() {
        for (dialect, renamed, moved) in
            [("redis-6.2", "7", "8"), ("redis-7.0", "7", "8"), ("redis-8.2", "5", "5"), ("valkey-9.1", "5", "5")]
        {
            let mut play = Play::new(dialect);
            for (line, answer) in [
                ("CONFIG SET maxmemory-policy allkeys-lfu", "OK"),
                ("CONFIG SET lfu-log-factor 0", "OK"),
                ("HSET hash f v", "1"),
                ("OBJECT FREQ hash", "5"),
                ("HSET hash f w", "0"),
                ("OBJECT FREQ hash", "6"),
                ("RENAME hash other", "OK"),
                ("OBJECT FREQ other", renamed),
                ("MOVE other 3", "1"),
                ("SADD set a", "1"),
                ("SADD set b", "1"),
                ("OBJECT FREQ set", "6"),
                ("SET s x", "OK"),
                ("SET s y", "OK"),
                ("OBJECT FREQ s", "6"),
                ("APPEND s z", "2"),
                ("OBJECT FREQ s", "7"),
                ("COPY s copy", "1"),
                ("OBJECT FREQ copy", "5"),
                ("OBJECT FREQ s", "8"),
                ("SELECT 3", "OK"),
                ("OBJECT FREQ other", moved),
            ] {
                assert_eq!(play.run(line), answer, "{dialect}: {line}");
            }
        }
    }
}
