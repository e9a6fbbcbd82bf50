//! Where the keys of a command are among its arguments, and what it does with each.

use super::Spec;
use crate::engine::args::Args;
use crate::engine::value::integer;

/// What commands do with their keys, in COMMAND GETKEYSANDFLAGS' words: of the first, the second, …; the last holds for
/// all that follow. (Asked of Redis 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.)
const ACCESS: &[(&[&str], &[&str])] = &[
    (&["OW insert"], &["MSETNX", "SETNX"]),
    (&["OW update"], &["MSET", "MSETEX", "PSETEX", "RESTORE", "RESTORE-ASKING", "SETEX"]),
    (
        &["OW update", "RO access"],
        &[
            "BITOP",
            "GEOSEARCHSTORE",
            "SDIFFSTORE",
            "SINTERSTORE",
            "SUNIONSTORE",
            "ZDIFFSTORE",
            "ZINTERSTORE",
            "ZRANGESTORE",
            "ZUNIONSTORE",
        ],
    ),
    (&["RM delete"], &["DEL", "DELIFEQ", "UNLINK"]),
    (
        &["RO"],
        &[
            "EXISTS",
            "HEXISTS",
            "HLEN",
            "HSTRLEN",
            "LLEN",
            "MEMORY|USAGE",
            "OBJECT|ENCODING",
            "OBJECT|FREQ",
            "OBJECT|IDLETIME",
            "OBJECT|REFCOUNT",
            "SCARD",
            "SISMEMBER",
            "STRALGO",
            "STRLEN",
            "TOUCH",
            "TYPE",
            "WATCH",
            "XLEN",
            "ZCARD",
        ],
    ),
    (
        &["RO access"],
        &[
            "BITCOUNT",
            "BITFIELD_RO",
            "BITPOS",
            "DUMP",
            "EVALSHA_RO",
            "EVAL_RO",
            "EXPIRETIME",
            "FCALL_RO",
            "GEODIST",
            "GEOHASH",
            "GEOPOS",
            "GEORADIUSBYMEMBER_RO",
            "GEORADIUS_RO",
            "GEOSEARCH",
            "GET",
            "GETBIT",
            "GETRANGE",
            "HEXPIRETIME",
            "HGET",
            "HGETALL",
            "HKEYS",
            "HMGET",
            "HPEXPIRETIME",
            "HPTTL",
            "HRANDFIELD",
            "HSCAN",
            "HTTL",
            "HVALS",
            "LCS",
            "LINDEX",
            "LPOS",
            "LRANGE",
            "MGET",
            "PEXPIRETIME",
            "PTTL",
            "SDIFF",
            "SINTER",
            "SINTERCARD",
            "SMEMBERS",
            "SMISMEMBER",
            "SORT_RO",
            "SRANDMEMBER",
            "SSCAN",
            "SUBSTR",
            "SUNION",
            "TTL",
            "XINFO|CONSUMERS",
            "XINFO|GROUPS",
            "XINFO|STREAM",
            "XPENDING",
            "XRANGE",
            "XREAD",
            "XREADGROUP",
            "XREVRANGE",
            "ZCOUNT",
            "ZDIFF",
            "ZINTER",
            "ZINTERCARD",
            "ZLEXCOUNT",
            "ZMSCORE",
            "ZRANDMEMBER",
            "ZRANGE",
            "ZRANGEBYLEX",
            "ZRANGEBYSCORE",
            "ZRANK",
            "ZREVRANGE",
            "ZREVRANGEBYLEX",
            "ZREVRANGEBYSCORE",
            "ZREVRANK",
            "ZSCAN",
            "ZSCORE",
            "ZUNION",
        ],
    ),
    (&["RO access", "OW update"], &["COPY", "GEORADIUS", "GEORADIUSBYMEMBER"]),
    (&["RO access", "RO access", "OW update"], &["SORT"]),
    (&["RW access"], &["PFCOUNT", "PFDEBUG"]),
    (
        &["RW access delete"],
        &[
            "BLMPOP", "BLPOP", "BRPOP", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "GETDEL", "HGETDEL", "LMPOP", "LPOP",
            "MIGRATE", "RPOP", "SPOP", "ZMPOP", "ZPOPMAX", "ZPOPMIN",
        ],
    ),
    (&["RW access delete", "OW insert"], &["RENAMENX"]),
    (&["RW access delete", "OW update"], &["RENAME"]),
    (&["RW access delete", "RW insert"], &["BLMOVE", "BRPOPLPUSH", "LMOVE", "RPOPLPUSH", "SMOVE"]),
    (&["RW access insert", "RO access"], &["PFMERGE"]),
    (
        &["RW access update"],
        &[
            "BITFIELD",
            "DECR",
            "DECRBY",
            "EVAL",
            "EVALSHA",
            "FCALL",
            "GETEX",
            "GETSET",
            "HGETEX",
            "HINCRBY",
            "HINCRBYFLOAT",
            "INCR",
            "INCRBY",
            "INCRBYFLOAT",
            "MOVE",
            "SET",
            "SETBIT",
            "ZINCRBY",
        ],
    ),
    (
        &["RW delete"],
        &[
            "HDEL",
            "LREM",
            "LTRIM",
            "SREM",
            "XAUTOCLAIM",
            "XDEL",
            "XDELEX",
            "XGROUP|DELCONSUMER",
            "XGROUP|DESTROY",
            "XTRIM",
            "ZREM",
            "ZREMRANGEBYLEX",
            "ZREMRANGEBYRANK",
            "ZREMRANGEBYSCORE",
        ],
    ),
    (
        &["RW insert"],
        &[
            "APPEND",
            "HSETNX",
            "LINSERT",
            "LPUSH",
            "LPUSHX",
            "PFADD",
            "RPUSH",
            "RPUSHX",
            "SADD",
            "XGROUP|CREATE",
            "XGROUP|CREATECONSUMER",
        ],
    ),
    (
        &["RW update"],
        &[
            "EXPIRE",
            "EXPIREAT",
            "GEOADD",
            "HEXPIRE",
            "HEXPIREAT",
            "HMSET",
            "HPERSIST",
            "HPEXPIRE",
            "HPEXPIREAT",
            "HSET",
            "HSETEX",
            "LSET",
            "PERSIST",
            "PEXPIRE",
            "PEXPIREAT",
            "SETRANGE",
            "XACK",
            "XADD",
            "XCLAIM",
            "XGROUP|SETID",
            "XSETID",
            "ZADD",
        ],
    ),
    (&["RW update delete"], &["XACKDEL"]),
];

/// A key's place, and whether the command only writes what the rest of it reads: a destination behind its sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Place {
    /// The argument.
    pub(in crate::engine) index: usize,
    /// Which of its command's kinds of keys it is.
    kind: usize,
}

/// What a command does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Access {
    words: &'static str,
}

impl Access {
    /// Whether it reads what is there.
    pub(in crate::engine) fn reads(self) -> bool {
        self.words.contains("access")
    }

    /// Whether it changes what is there.
    pub(in crate::engine) fn writes(self) -> bool {
        ["update", "insert", "delete"].iter().any(|word| self.words.contains(word))
    }

    /// The words of COMMAND GETKEYSANDFLAGS.
    pub(in crate::engine) fn words(self) -> impl Iterator<Item = &'static str> {
        self.words.split(' ')
    }
}

impl Spec {
    /// The keys among these arguments; `None` where the arguments do not tell.
    pub(in crate::engine) fn keys_of(&self, args: Args<'_>) -> Option<Vec<Place>> {
        let kinds = self.access().len();
        let of_kind = |index, kind: usize| Place { index, kind: kind.min(kinds.saturating_sub(1)) };
        // So many keys follow a number, and perhaps each has a value behind it.
        let counted = |at: usize, each: usize, kind: usize| {
            let count = usize::try_from(integer(args.get(at))?).ok()?;
            let end = count.checked_mul(each)?.checked_add(at + 1).filter(|end| *end <= args.len())?;
            Some((at + 1..end).step_by(each).map(move |index| of_kind(index, kind)).collect::<Vec<_>>())
        };
        let behind = |words: &[&str], from: usize, kind: usize| {
            let found = (from..args.len()).rev().find(|index| words.iter().any(|word| args.is(*index, word)));
            found.map(|index| index + 1).filter(|index| *index < args.len()).map(|index| of_kind(index, kind))
        };
        match self.name {
            "LMPOP" | "ZMPOP" | "SINTERCARD" | "ZINTERCARD" | "ZDIFF" | "ZINTER" | "ZUNION" => counted(1, 1, 0),
            "MSETEX" => counted(1, 2, 0),
            "BLMPOP" | "BZMPOP" | "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => {
                counted(2, 1, 0)
            }
            "ZDIFFSTORE" | "ZINTERSTORE" | "ZUNIONSTORE" => {
                let mut places = vec![of_kind(1, 0)];
                places.extend(counted(2, 1, 1)?);
                Some(places)
            }
            "XREAD" | "XREADGROUP" => {
                let streams = (1..args.len()).find(|index| args.is(*index, "STREAMS"))? + 1;
                let rest = args.len() - streams;
                (rest > 0 && rest.is_multiple_of(2))
                    .then(|| (streams..streams + rest / 2).map(|index| of_kind(index, 0)).collect())
            }
            "SORT" => Some([Some(of_kind(1, 0)), behind(&["STORE"], 2, 2)].into_iter().flatten().collect()),
            "SORT_RO" => Some(vec![of_kind(1, 0)]),
            "GEORADIUS" | "GEORADIUSBYMEMBER" => {
                Some([Some(of_kind(1, 0)), behind(&["STORE", "STOREDIST"], 5, 1)].into_iter().flatten().collect())
            }
            "MIGRATE" => match (6..args.len()).find(|index| args.is(*index, "KEYS")) {
                Some(at) if args.get(3).is_empty() => {
                    Some((at + 1..args.len()).map(|index| of_kind(index, 0)).collect())
                }
                _ => Some(vec![of_kind(3, 0)]),
            },
            "STRALGO" => match (2..args.len()).find(|index| args.is(*index, "KEYS")) {
                Some(at) if at + 2 < args.len() => Some(vec![of_kind(at + 1, 0), of_kind(at + 2, 0)]),
                _ => None,
            },
            // Channels of shards stand where keys do, and are none.
            "SPUBLISH" | "SSUBSCRIBE" | "SUNSUBSCRIBE" => Some(Vec::new()),
            _ => {
                let places = self.key_places(args).into_iter();
                Some(places.enumerate().map(|(number, index)| of_kind(index, number)).collect())
            }
        }
    }

    /// What it does with its kinds of keys.
    fn access(&self) -> &'static [&'static str] {
        ACCESS.iter().find(|(_, names)| names.contains(&self.name)).map_or(&[], |(access, _)| *access)
    }

    /// What it does with a key.
    pub(in crate::engine) fn access_to(&self, place: Place, args: Args<'_>) -> Access {
        let words = self.access().get(place.kind).copied().unwrap_or("RO");
        // Of some the options tell.
        let words = match self.name {
            "SET" if !(3..args.len()).any(|index| args.is(index, "GET")) => "OW update",
            "BITFIELD" if !(2..args.len()).any(|index| args.is(index, "SET") || args.is(index, "INCRBY")) => {
                "RO access"
            }
            _ => words,
        };
        Access { words }
    }

    /// Whether it may be called without any: scripts.
    pub(in crate::engine) fn may_lack_keys(&self) -> bool {
        ["EVAL", "FCALL"].iter().any(|name| self.name.starts_with(name))
    }

    /// Whether it has keys at all, whatever its arguments are.
    pub(in crate::engine) fn has_keys(&self) -> bool {
        self.keys.first > 0 || !self.access().is_empty()
    }
}
