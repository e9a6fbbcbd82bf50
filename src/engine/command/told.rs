//! What COMMAND tells of commands beyond what the engine itself asks of them, and where versions differ.
//!
//! (Asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2. `testdata/commands.txt` has what they answered.)

use super::{Flag, Spec};
use crate::engine::dialect::Dialect;

/// Which servers a row is about.
pub(super) type Which = fn(Dialect) -> bool;

pub(super) const ALWAYS: Which = |_| true;
pub(super) const BEFORE_7_0: Which = |dialect| !dialect.since(7, 0);
pub(super) const SINCE_7_0: Which = |dialect| dialect.since(7, 0);
const BEFORE_7_2: Which = |dialect| !dialect.since(7, 2);
const SINCE_7_2: Which = |dialect| dialect.since(7, 2);
const REDIS: Which = |dialect| dialect.is_redis_since(0, 0);
const VALKEY: Which = |dialect| dialect.is_valkey_since(0, 0);
const VALKEY_9: Which = |dialect| dialect.is_valkey_since(9, 0);

/// Flags that are told besides those of the table: the flag, by whom, of which commands.
const MORE: &[(&str, Which, &[&str])] = &[
    (
        "allow_busy",
        SINCE_7_0,
        &[
            "AUTH",
            "DISCARD",
            "FUNCTION|KILL",
            "FUNCTION|STATS",
            "HELLO",
            "MULTI",
            "QUIT",
            "REPLCONF",
            "RESET",
            "SCRIPT|KILL",
            "SHUTDOWN",
            "UNWATCH",
            "WATCH",
        ],
    ),
    (
        "allow_busy",
        VALKEY_9,
        &[
            "CLIENT|CACHING",
            "CLIENT|CAPA",
            "CLIENT|GETNAME",
            "CLIENT|GETREDIR",
            "CLIENT|ID",
            "CLIENT|NO-EVICT",
            "CLIENT|NO-TOUCH",
            "CLIENT|REPLY",
            "CLIENT|SETINFO",
            "CLIENT|SETNAME",
            "SELECT",
        ],
    ),
    ("asking", ALWAYS, &["RESTORE-ASKING"]),
    ("loading", SINCE_7_2, &["CLUSTER|SHARDS", "CLUSTER|SLOTS"]),
    (
        "loading",
        VALKEY,
        &["CLUSTER|INFO", "CLUSTER|MYID", "CLUSTER|MYSHARDID", "CLUSTER|NODES", "MEMORY|MALLOC-STATS", "MEMORY|PURGE"],
    ),
    ("may_replicate", BEFORE_7_0, &["EVAL", "EVALSHA", "PFCOUNT", "PUBLISH", "SCRIPT"]),
    (
        "movablekeys",
        ALWAYS,
        &[
            "BLMPOP",
            "BZMPOP",
            "EVAL",
            "EVALSHA",
            "EVALSHA_RO",
            "EVAL_RO",
            "FCALL",
            "FCALL_RO",
            "GEORADIUS",
            "GEORADIUSBYMEMBER",
            "LMPOP",
            "MEMORY",
            "MIGRATE",
            "MSETEX",
            "SINTERCARD",
            "SORT",
            "SORT_RO",
            "STRALGO",
            "XREAD",
            "XREADGROUP",
            "ZDIFF",
            "ZDIFFSTORE",
            "ZINTER",
            "ZINTERCARD",
            "ZINTERSTORE",
            "ZMPOP",
            "ZUNION",
            "ZUNIONSTORE",
        ],
    ),
    (
        "no_async_loading",
        SINCE_7_0,
        &[
            "BGREWRITEAOF",
            "BGSAVE",
            "CLUSTER|ADDSLOTS",
            "CLUSTER|ADDSLOTSRANGE",
            "CLUSTER|BUMPEPOCH",
            "CLUSTER|CANCELSLOTMIGRATIONS",
            "CLUSTER|DELSLOTS",
            "CLUSTER|DELSLOTSRANGE",
            "CLUSTER|FAILOVER",
            "CLUSTER|FLUSHSLOT",
            "CLUSTER|FLUSHSLOTS",
            "CLUSTER|FORGET",
            "CLUSTER|GETSLOTMIGRATIONS",
            "CLUSTER|MEET",
            "CLUSTER|MIGRATESLOTS",
            "CLUSTER|REPLICATE",
            "CLUSTER|SAVECONFIG",
            "CLUSTER|SET-CONFIG-EPOCH",
            "CLUSTER|SETSLOT",
            "CLUSTER|SYNCSLOTS",
            "MODULE|LOAD",
            "MODULE|LOADEX",
            "MODULE|UNLOAD",
            "PSYNC",
            "REPLICAOF",
            "SAVE",
            "SLAVEOF",
            "SYNC",
        ],
    ),
    ("no_mandatory_keys", SINCE_7_0, &["EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO"]),
    ("no_multi", SINCE_7_0, &["PSYNC", "SAVE", "SHUTDOWN", "SYNC"]),
    ("no_multi", VALKEY, &["MULTI", "WATCH"]),
    ("no_multi", VALKEY_9, &["CLIENT|REPLY"]),
    ("noscript", BEFORE_7_2, &["BLMOVE", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZPOPMAX", "BZPOPMIN", "WAIT"]),
    (
        "random",
        BEFORE_7_0,
        &[
            "CLIENT",
            "CLUSTER",
            "COMMAND",
            "DUMP",
            "HGETALL",
            "HRANDFIELD",
            "HSCAN",
            "INFO",
            "LASTSAVE",
            "MEMORY",
            "MIGRATE",
            "OBJECT",
            "PTTL",
            "PUBSUB",
            "RANDOMKEY",
            "SCAN",
            "SLOWLOG",
            "SPOP",
            "SRANDMEMBER",
            "SSCAN",
            "TIME",
            "TTL",
            "XACK",
            "XADD",
            "XAUTOCLAIM",
            "XCLAIM",
            "XINFO",
            "XPENDING",
            "XTRIM",
            "ZRANDMEMBER",
            "ZSCAN",
        ],
    ),
    ("skip_commandlog", VALKEY, &["EXEC"]),
    ("skip_monitor", ALWAYS, &["EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO"]),
    ("skip_slowlog", REDIS, &["EXEC"]),
    ("sort_for_script", BEFORE_7_0, &["HKEYS", "HVALS", "KEYS", "SDIFF", "SINTER", "SMEMBERS", "SUNION"]),
    ("stale", BEFORE_7_0, &["PING"]),
    ("stale", VALKEY_9, &["SCRIPT|EXISTS", "SCRIPT|FLUSH", "SCRIPT|SHOW"]),
];

/// Flags of the table that are not told.
const LESS: &[(&str, Which, &[&str])] = &[
    ("blocking", |dialect| dialect.since(7, 0) && !dialect.since(7, 2), &["WAIT"]),
    ("loading", BEFORE_7_0, &["ECHO", "READONLY", "READWRITE"]),
    ("no_auth", BEFORE_7_0, &["RESET"]),
    ("stale", BEFORE_7_0, &["ECHO", "EVAL", "EVALSHA", "READONLY", "READWRITE"]),
];

/// The flags of a command as such a server tells them.
pub(super) fn flags(spec: &Spec, dialect: Dialect) -> Vec<&'static str> {
    let has = |rows: &[(&str, Which, &[&str])], word: &str| {
        rows.iter().any(|(flag, which, names)| *flag == word && which(dialect) && names.contains(&spec.name))
    };
    let own = spec.flags.iter().filter(|flag| **flag != Flag::Blocking || dialect.since(7, 0));
    let own = own.filter_map(|flag| flag.word()).filter(|word| !has(LESS, word));
    let more = MORE.iter().filter(|(_, which, names)| which(dialect) && names.contains(&spec.name));
    own.chain(more.map(|(word, ..)| *word)).collect()
}

impl Spec {
    fn has_more(&self, word: &str, dialect: Dialect) -> bool {
        MORE.iter().any(|(flag, which, names)| *flag == word && which(dialect) && names.contains(&self.name))
    }

    /// Whether it cannot be queued in such a server.
    pub(in crate::engine) fn is_denied_in_transactions(&self, dialect: Dialect) -> bool {
        !self.has(Flag::Write) && !self.has(Flag::Read) && self.has_more("no_multi", dialect)
    }

    /// Whether it runs while a script does that takes too long. (Before 7.0 COMMAND did not tell.)
    #[cfg(feature = "scripts")]
    pub(in crate::engine) fn runs_while_busy(&self, dialect: Dialect) -> bool {
        self.has_more("allow_busy", if dialect.since(7, 0) { dialect } else { Dialect::DEFAULT })
    }
}

#[cfg(feature = "scripts")]
impl Spec {
    /// Whether scripts may not call it in such a server.
    pub(in crate::engine) fn is_denied_to_scripts(&self, dialect: Dialect) -> bool {
        self.has(Flag::NoScript) || (self.has(Flag::Blocking) && self.has_more("noscript", dialect))
    }

    /// Whether its answer is not always the same for the same data, by the rules of before 7.0.
    pub(in crate::engine) fn is_random(&self) -> bool {
        self.has_more("random", OLD)
    }

    /// Whether scripts got its answer in order while it was they that went into the stream.
    pub(in crate::engine) fn is_sorted_for_scripts(&self) -> bool {
        self.has_more("sort_for_script", OLD)
    }
}

#[cfg(feature = "scripts")]
const OLD: Dialect = Dialect { family: crate::engine::dialect::Family::Redis, version: (6, 2, 14) };
