//! MEMORY: what the data and the server take.
//!
//! What keys take is estimated (see `eviction`); of an allocator nothing is known here, so that its figures are the
//! process's, and what servers keep and this one does not is 0.

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::clients::{Kind, Session};
use crate::engine::core::Engine;
use crate::engine::dialect::{Dialect, Family};
use crate::engine::error::CommandError;
use crate::engine::eviction::PER_KEY;
use crate::engine::value::Value;

const HELP: &[Flag] = &[Flag::Loading, Flag::Stale];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("MEMORY", &[Flag::Read], Keys::NONE).since(4, 0),
    Spec::new("MEMORY|DOCTOR", 2, &[], Keys::NONE, doctor),
    Spec::new("MEMORY|HELP", 2, HELP, Keys::NONE, help),
    Spec::new("MEMORY|MALLOC-STATS", 2, &[], Keys::NONE, malloc_stats),
    Spec::new("MEMORY|PURGE", 2, &[], Keys::NONE, purge),
    Spec::new("MEMORY|STATS", 2, &[], Keys::NONE, stats),
    Spec::new("MEMORY|USAGE", -3, &[Flag::Read], Keys::new(2, 2, 1), usage),
];

/// What there is in memory, in bytes.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// What the process takes, as the operating system tells it, and the most it took.
    resident: u64,
    peak: u64,
    /// The program without data.
    startup: u64,
    backlog: u64,
    replicas: u64,
    clients: u64,
    scripts: u64,
    functions: u64,
    interpreters: u64,
    /// Databases that have keys, or all: their numbers, and what their tables take.
    tables: Vec<(usize, u64)>,
    keys: u64,
    /// Values and keys.
    data: u64,
}

impl Memory {
    fn of(context: &mut Context<'_>) -> Self {
        let engine = &mut *context.engine;
        if let Some(look) = engine.look {
            look(&mut engine.process);
        }
        let engine = &*context.engine;
        let all = engine.dialect.family == Family::Valkey && !engine.dialect.is_valkey_since(9, 0);
        let sizes = (0..engine.keyspace.databases()).map(|db| (db, engine.keyspace.size(db).keys as u64));
        let tables: Vec<(usize, u64)> = sizes.filter(|(_, keys)| all || *keys > 0).collect();
        let keys = tables.iter().map(|(_, keys)| keys).sum();
        let (mut clients, mut replicas) = (0, 0);
        for session in engine.clients.iter().chain([&*context.session]) {
            *(if session.kind == Kind::Replica { &mut replicas } else { &mut clients }) += buffers(session);
        }
        let (scripts, interpreters) = scripts(engine);
        let used = engine.used_memory();
        Self {
            resident: engine.process.memory,
            peak: engine.process.memory_peak,
            startup: engine.process.memory_without_data,
            backlog: engine.master.backlog().map_or(0, |backlog| backlog.histlen()),
            replicas,
            clients,
            scripts,
            functions: engine.functions.iter().map(|(name, code)| (name.len() + code.len()) as u64).sum(),
            interpreters,
            tables: tables.into_iter().map(|(db, keys)| (db, keys * PER_KEY)).collect(),
            keys,
            data: used.saturating_sub(engine.process.memory_without_data).saturating_sub(keys * PER_KEY),
        }
    }

    /// What does not hold data.
    fn overhead(&self) -> u64 {
        let tables: u64 = self.tables.iter().map(|(_, bytes)| bytes).sum();
        let others = [self.backlog, self.replicas, self.clients, self.scripts, self.functions, self.interpreters];
        self.startup + tables + others.iter().sum::<u64>()
    }

    fn total(&self) -> u64 {
        self.overhead() + self.data
    }

    fn peak(&self) -> u64 {
        self.peak.max(self.total())
    }

    /// How much more the process takes than is known what for.
    fn unknown(&self) -> i64 {
        self.resident as i64 - self.total() as i64
    }

    fn figure(&self, field: &str) -> Figure {
        let ratio = |part: u64, whole: u64| Figure::Ratio(part as f64 / whole.max(1) as f64);
        let bytes = match field {
            "peak.allocated" => self.peak(),
            "total.allocated" | "allocator.allocated" => self.total(),
            "startup.allocated" => self.startup,
            "replication.backlog" => self.backlog,
            "clients.slaves" => self.replicas,
            "clients.normal" => self.clients,
            "lua.caches" => self.scripts,
            "functions.caches" => self.functions,
            "script.VMs" => self.interpreters,
            "overhead.db.hashtable.lut" => self.tables.iter().map(|(_, bytes)| bytes).sum(),
            "overhead.total" => self.overhead(),
            "keys.count" => self.keys,
            "keys.bytes-per-key" => (self.total() - self.startup) / self.keys.max(1) * u64::from(self.keys > 0),
            "dataset.bytes" => self.data,
            "dataset.percentage" => return ratio(self.data * 100, self.total() - self.startup),
            "peak.percentage" => return ratio(self.total() * 100, self.peak()),
            "allocator.active" | "allocator.resident" => self.resident,
            "allocator-fragmentation.ratio" | "fragmentation" => return ratio(self.resident, self.total()),
            "allocator-rss.ratio" | "rss-overhead.ratio" => return Figure::Ratio(1.0),
            "allocator-fragmentation.bytes" | "fragmentation.bytes" => return Figure::Bytes(self.unknown()),
            _ => 0,
        };
        Figure::Bytes(i64::try_from(bytes).unwrap_or(i64::MAX))
    }
}

enum Figure {
    Bytes(i64),
    Ratio(f64),
}

/// What waits in a client's buffers.
fn buffers(session: &Session) -> u64 {
    let queued = session.queue.as_ref().map_or(0, |queue| queue.bytes.len());
    (session.output + session.input.0 + session.input.1 + queued) as u64
}

/// The texts of scripts, and what runs them.
fn scripts(engine: &Engine) -> (u64, u64) {
    #[cfg(feature = "scripts")]
    {
        let (own, functions) = engine.scripts.memory();
        (engine.scripts.counts().1 as u64, (own + functions) as u64)
    }
    #[cfg(not(feature = "scripts"))]
    {
        let _ = engine;
        (0, 0)
    }
}

/// The place of the databases among the fields.
const DATABASES: &str = "db.";

const ALL: &str = "678vw";

/// The fields, in order, and by which servers they are told: see `info::layout`.
const FIELDS: &[(&str, &str)] = &[
    ("peak.allocated", ALL),
    ("total.allocated", ALL),
    ("startup.allocated", ALL),
    ("replication.backlog", ALL),
    ("replica.fullsync.buffer", "8"),
    ("replicas.repl.buffer", "w"),
    ("clients.slaves", ALL),
    ("clients.normal", ALL),
    ("cluster.links", "78vw"),
    ("cluster.slot_import", "w"),
    ("cluster.slot_export", "w"),
    ("aof.buffer", ALL),
    ("lua.caches", ALL),
    ("functions.caches", "78vw"),
    ("script.VMs", "8"),
    (DATABASES, ALL),
    ("overhead.db.hashtable.lut", "8vw"),
    ("overhead.db.hashtable.rehashing", "8vw"),
    ("overhead.total", ALL),
    ("db.dict.rehashing.count", "8vw"),
    ("keys.count", ALL),
    ("keys.bytes-per-key", ALL),
    ("dataset.bytes", ALL),
    ("dataset.percentage", ALL),
    ("peak.percentage", ALL),
    ("allocator.allocated", ALL),
    ("allocator.active", ALL),
    ("allocator.resident", ALL),
    ("allocator.muzzy", "8vw"),
    ("allocator-fragmentation.ratio", ALL),
    ("allocator-fragmentation.bytes", ALL),
    ("allocator-rss.ratio", ALL),
    ("allocator-rss.bytes", ALL),
    ("rss-overhead.ratio", ALL),
    ("rss-overhead.bytes", ALL),
    ("fragmentation", ALL),
    ("fragmentation.bytes", ALL),
];

/// What is told of a database's tables.
fn tables(dialect: Dialect) -> &'static [&'static str] {
    match dialect.family == Family::Redis && dialect.version.0 == 7 {
        true => &["overhead.hashtable.main", "overhead.hashtable.expires", "overhead.hashtable.slot-to-keys"],
        false => &["overhead.hashtable.main", "overhead.hashtable.expires"],
    }
}

fn stats(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let memory = Memory::of(context);
    let dialect = context.engine.dialect;
    let letter = crate::engine::info::letter(dialect);
    let fields = FIELDS.iter().filter(|(_, servers)| servers.contains(letter)).map(|(field, _)| *field);
    let reply = &mut *context.reply;
    reply.map(fields.clone().count() - 1 + memory.tables.len());
    for field in fields {
        if field == DATABASES {
            for (db, main) in &memory.tables {
                reply.bulk(format!("db.{db}").as_bytes());
                reply.map(tables(dialect).len());
                for (index, part) in tables(dialect).iter().enumerate() {
                    reply.bulk(part.as_bytes());
                    reply.integer(if index == 0 { *main as i64 } else { 0 });
                }
            }
            continue;
        }
        reply.bulk(field.as_bytes());
        match memory.figure(field) {
            Figure::Bytes(bytes) => reply.integer(bytes),
            Figure::Ratio(ratio) => reply.double(ratio.to_string().as_bytes()),
        }
    }
    Ok(())
}

fn malloc_stats(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.bulk(b"This server's allocator keeps no statistics.");
    Ok(())
}

fn usage(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut index = 3;
    while index < args.len() {
        if !args.is(index, "SAMPLES") || index + 1 == args.len() {
            return Err(CommandError::SYNTAX);
        }
        if args.integer(index + 1)? < 0 {
            return Err(CommandError::SYNTAX);
        }
        index += 2;
    }
    let key = args.get(2);
    match context.value(key).map(Value::weight) {
        Some(weight) => context.reply.count(PER_KEY as usize + key.len() + weight),
        None => context.reply.null(),
    }
    Ok(())
}

/// What stands out about the memory, if anything: servers look at the same.
fn doctor(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    const SMALL: u64 = 5 << 20;
    let memory = Memory::of(context);
    let (total, clients) = (memory.total(), context.engine.clients.len() as u64 + 1);
    let found: Vec<&str> = [
        (memory.peak() / 2 * 3 > total * 2 && memory.peak() > total * 3 / 2).then_some(
            "The process once took half as much again as it does now: what was freed may not have gone back.",
        ),
        (memory.resident > total.saturating_mul(7) / 5)
            .then_some("The process takes far more than the data and the buffers in it: memory is in pieces."),
        (memory.clients / clients > 200 << 10)
            .then_some("Much waits in the buffers of clients: some read their answers slowly or send long commands."),
        (memory.replicas > 10 << 20).then_some("Much waits to be sent to replicas: a link or a replica is slow."),
        (memory.scripts > 10 << 20)
            .then_some("Many scripts are cached: values may stand in their texts in place of arguments."),
    ]
    .into_iter()
    .flatten()
    .collect();
    let text = match (total < SMALL, found.is_empty()) {
        (true, _) => "There is too little in memory to say anything about it.\n".to_owned(),
        (false, true) => "Nothing about the memory stands out.\n".to_owned(),
        (false, false) => found.iter().map(|sentence| format!(" * {sentence}\n")).collect(),
    };
    context.reply.verbatim(text.as_bytes());
    Ok(())
}

/// There is nothing to give back.
fn purge(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    /// The fields that come beside those of the first server, and those of a database.
    #[test]
    fn fields_are_the_servers() {
        // Asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.
        for (dialect, count, databases, tables) in [
            ("redis-6.2", 25, 1, 2),
            ("redis-7.0", 27, 1, 3),
            ("redis-8.2", 33, 1, 2),
            ("valkey-8.1", 31, 16, 2),
            ("valkey-9.1", 34, 1, 2),
        ] {
            let mut play = Play::new(dialect);
            play.run("SET k v");
            let answer = play.raw3("MEMORY STATS");
            assert!(answer.starts_with(&format!("%{}\r\n", count + databases)), "{dialect}: {answer}");
            assert!(answer.contains(&format!("\r\ndb.0\r\n%{tables}\r\n$23\r\noverhead.hashtable.main\r\n:64\r\n")));
            assert!(answer.contains("$10\r\nkeys.count\r\n:1\r\n$18\r\nkeys.bytes-per-key\r\n:"), "{dialect}");
            assert!(answer.contains("$13\r\ndataset.bytes\r\n:2\r\n$18\r\ndataset.percentage\r\n,"), "{dialect}");
        }
    }

    #[test]
    fn a_total_is_the_sum_of_its_parts() {
        let mut play = Play::new("redis-7.0");
        play.engine.process.memory_without_data = 1000;
        for line in ["SET k 123456", "SELECT 3", "RPUSH l a b", "SELECT 0"] {
            play.run(line);
        }
        let answer = play.run("MEMORY STATS");
        let words: Vec<&str> = answer.trim_matches(['[', ']']).split(' ').collect();
        let number = |field: &str| -> u64 {
            let at = words.iter().position(|word| *word == field).unwrap();
            words[at + 1].parse().unwrap()
        };
        let backlog = number("replication.backlog");
        assert!(backlog > 60);
        assert_eq!(number("overhead.total"), 1000 + 2 * 64 + backlog + number("clients.normal"));
        assert_eq!(number("total.allocated"), number("overhead.total") + number("dataset.bytes"));
        assert_eq!(number("keys.count"), 2);
    }

    #[test]
    fn usage_takes_samples() {
        let mut play = Play::new("redis-7.0");
        play.rows(&[
            ("SET k 12345678", "OK", "SET k 12345678"),
            ("MEMORY USAGE none", "(nil)", ""),
            ("MEMORY USAGE k SAMPLES 0", "73", ""),
            ("MEMORY USAGE k SAMPLES 1 SAMPLES 2", "73", ""),
            ("MEMORY USAGE k SAMPLES", "-ERR syntax error", ""),
            ("MEMORY USAGE k SAMPLES -1", "-ERR syntax error", ""),
            ("MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range", ""),
            ("MEMORY PURGE", "OK", ""),
            ("MEMORY MALLOC-STATS", "This server's allocator keeps no statistics.", ""),
        ]);
    }

    #[test]
    fn the_doctor_says_what_stands_out() {
        let mut play = Play::new("redis-7.0");
        let says = |play: &mut Play| String::from_utf8(play.bulk("MEMORY DOCTOR")).unwrap();
        assert!(says(&mut play).contains("too little"));
        (play.engine.process.memory_without_data, play.engine.process.memory) = (8 << 20, 9 << 20);
        assert!(says(&mut play).contains("Nothing"));
        play.engine.process.memory = 20 << 20;
        assert!(says(&mut play).contains("in pieces"));
        play.session.output = 1 << 20;
        assert_eq!(says(&mut play).lines().count(), 2);
    }
}
