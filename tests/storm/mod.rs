//! A storm of writes: commands of all types that write, made up from a seed, so that a run can be had again.
//!
//! Keys are few and names of types overlap a little, so that commands meet values that are there, gone, of another type
//! or just expiring. What a command answers does not matter here: errors are part of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]
#![allow(unreachable_pub, dead_code, reason = "it is a module of several tests")]

use super::servers::{Client, Reply, Running, Server};

/// A command's words.
pub type Words = Vec<Vec<u8>>;

/// Splits a line at its blanks.
pub fn words(line: &str) -> Words {
    line.split_ascii_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

/// Which servers know a line.
#[derive(Clone, Copy)]
enum Known {
    /// All of them.
    All,
    /// Redis from 7.0 on, and Valkey.
    Since70,
    /// Redis 8.2 only.
    Redis82,
    /// Valkey from 8.1 on.
    Valkey81,
    /// Valkey 9.1 only.
    Valkey91,
    /// Those with fields that expire.
    Fields,
    /// Those that run scripts: not ours.
    Scripts,
    /// The same with functions.
    Functions,
}

use Known::{All, Fields, Functions, Redis82, Scripts, Since70, Valkey81, Valkey91};

/// What may come. In braces: a key by the letter of its type (`s`tring, `l`ist, `S`et, `z`set, `y` one whose scores are 0, `h`ash, strea`x`, `p`f,
/// `b`itmap, `g`eo, `k` any of them), `v`alue, `m`ember, `i`nteger, `n` small count, `f`loat score, `t` a time to live of
/// milliseconds, `T` one of hours in seconds, `U` the same in milliseconds, `A` the time an hour or more from now in
/// seconds, `B` in milliseconds, `I` a stream's entry id, `d` a database, `c` a consumer, `w` a group, `o`, `a` a longitude
/// and a latitude.
const LINES: &[(Known, &str)] = &[
    // Strings.
    (All, "SET {s} {v}"),
    (All, "SET {s} {i}"),
    (All, "SET {s} {v} PX {t}"),
    (All, "SET {s} {v} EX {T}"),
    (All, "SET {s} {v} XX KEEPTTL"),
    (All, "SET {s} {v} NX PX {U}"),
    (All, "SET {s} {v} EXAT {A} GET"),
    (All, "SET {s} {v} PXAT {B}"),
    (All, "SET {s} {v} XX GET"),
    (All, "SET {s} {v} PXAT 1000"),
    (All, "SETEX {s} {T} {v}"),
    (All, "PSETEX {s} {t} {v}"),
    (All, "SETNX {s} {v}"),
    (All, "GETSET {s} {v}"),
    (All, "GETDEL {s}"),
    (All, "GETEX {s} PX {t}"),
    (All, "GETEX {s} EX {T}"),
    (All, "GETEX {s} EXAT {A}"),
    (All, "GETEX {s} PERSIST"),
    (All, "GETEX {s} PXAT 1"),
    (All, "APPEND {s} {v}"),
    (All, "SETRANGE {s} {n} {v}"),
    (All, "INCR {s}"),
    (All, "DECR {s}"),
    (All, "INCRBY {s} {i}"),
    (All, "DECRBY {s} {i}"),
    (All, "INCRBYFLOAT {s} {f}"),
    (All, "MSET {s} {v} {s} {i} {k} {v}"),
    (All, "MSETNX {s} {v} {s} {v}"),
    (Redis82, "SET {s} {v} GET KEEPTTL"),
    (Valkey81, "SET {s} {v} IFEQ {i}"),
    (Valkey91, "DELIFEQ {s} {i}"),
    (Valkey91, "MSETEX 2 {s} {v} {s} {v} EX {T}"),
    (Valkey91, "MSETEX 2 {s} {v} {s} {v} KEEPTTL"),
    // Bitmaps.
    (All, "SETBIT {b} {n} 1"),
    (All, "SETBIT {b} 7{n} 0"),
    (All, "BITOP AND {b} {b} {s}"),
    (All, "BITOP OR {b} {b} {b}"),
    (All, "BITOP XOR {b} {b} {b} {b}"),
    (All, "BITOP NOT {b} {b}"),
    (Redis82, "BITOP DIFF {b} {b} {b}"),
    (Redis82, "BITOP ONE {b} {b} {b}"),
    (All, "BITFIELD {b} SET u8 {n} 200 INCRBY i5 100 {i}"),
    (All, "BITFIELD {b} OVERFLOW SAT INCRBY u4 #1 {i} OVERFLOW FAIL INCRBY u4 0 9"),
    (All, "BITFIELD {b} GET u8 0"),
    // HyperLogLogs.
    (All, "PFADD {p} {m} {m} {v}"),
    (All, "PFADD {p} {i} {f}"),
    (All, "PFADD {p}"),
    (All, "PFMERGE {p} {p} {p}"),
    (All, "PFMERGE {p}"),
    (All, "PFCOUNT {p}"),
    (All, "PFCOUNT {p} {p}"),
    // Lists.
    (All, "LPUSH {l} {v} {m} {i}"),
    (All, "RPUSH {l} {v} {m} {i} {v}"),
    (All, "RPUSH {l} {m} {m} {m}"),
    (All, "LPUSHX {l} {v}"),
    (All, "RPUSHX {l} {v} {v}"),
    (All, "LPOP {l}"),
    (All, "RPOP {l} {n}"),
    (All, "LPOP {l} 50"),
    (All, "LSET {l} {i} {v}"),
    (All, "LINSERT {l} BEFORE {m} {v}"),
    (All, "LINSERT {l} AFTER {m} {v}"),
    (All, "LREM {l} {i} {m}"),
    (All, "LTRIM {l} {i} -{n}"),
    (All, "LTRIM {l} 0 {n}"),
    (All, "RPOPLPUSH {l} {l}"),
    (All, "LMOVE {l} {l} LEFT RIGHT"),
    (All, "LMOVE {l} {l} RIGHT RIGHT"),
    (All, "BLPOP {l} {l} 0.01"),
    (All, "BRPOPLPUSH {l} {l} 0.01"),
    (All, "BLMOVE {l} {l} LEFT LEFT 0.01"),
    (Since70, "LMPOP 2 {l} {l} LEFT COUNT {n}"),
    (Since70, "BLMPOP 0.01 2 {l} {l} RIGHT COUNT {n}"),
    (All, "SORT {l} ALPHA DESC STORE {l}"),
    (All, "SORT {S} ALPHA LIMIT 0 {n} STORE {l}"),
    (All, "SORT {z} BY nosort STORE {l}"),
    // Sets.
    (All, "SADD {S} {m} {m} {v}"),
    (All, "SADD {S} {i} {i} {i}"),
    (All, "SADD {S} 1 2 3 {n} 100000 9000000000"),
    (All, "SREM {S} {m} {i} {m}"),
    (All, "SPOP {S}"),
    (All, "SPOP {S} {n}"),
    (All, "SPOP {S} 100"),
    (All, "SMOVE {S} {S} {m}"),
    (All, "SINTERSTORE {S} {S} {S}"),
    (All, "SUNIONSTORE {S} {S} {S}"),
    (All, "SDIFFSTORE {S} {S} {S}"),
    // Sorted sets.
    (All, "ZADD {z} {f} {m} {i} {m} {f} {v}"),
    (All, "ZADD {z} XX CH {f} {m} {f} {m}"),
    (All, "ZADD {z} NX {f} {m} {f} {m}"),
    (All, "ZADD {z} GT CH {i} {m} {i} {m}"),
    (All, "ZADD {z} LT {f} {m}"),
    (All, "ZADD {z} INCR {f} {m}"),
    (All, "ZADD {z} XX INCR {i} {m}"),
    (All, "ZADD {z} inf {m} -inf {m}"),
    (All, "ZINCRBY {z} {f} {m}"),
    (All, "ZINCRBY {z} {i} {m}"),
    (All, "ZREM {z} {m} {m}"),
    (All, "ZPOPMIN {z}"),
    (All, "ZPOPMAX {z} {n}"),
    (All, "BZPOPMIN {z} {z} 0.01"),
    (All, "BZPOPMAX {z} {z} 0.01"),
    (Since70, "ZMPOP 2 {z} {z} MIN COUNT {n}"),
    (Since70, "BZMPOP 0.01 1 {z} MAX"),
    (All, "ZREMRANGEBYRANK {z} 0 1"),
    (All, "ZREMRANGEBYSCORE {z} ({i} {f}"),
    (All, "ZADD {y} 0 {m} 0 {m} 0 {v}"),
    (All, "ZADD {y} 0 {m} 0 {m} 0 {m}"),
    (All, "ZREMRANGEBYLEX {y} [m1 (m3"),
    (All, "ZUNIONSTORE {z} 2 {z} {z} WEIGHTS 2 {f}"),
    (All, "ZUNIONSTORE {z} 2 {z} {S} AGGREGATE MAX"),
    (All, "ZINTERSTORE {z} 2 {z} {z} AGGREGATE MIN"),
    (All, "ZINTERSTORE {z} 2 {z} {S}"),
    (All, "ZDIFFSTORE {z} 2 {z} {z}"),
    (All, "ZRANGESTORE {z} {z} 0 {n}"),
    (All, "ZRANGESTORE {z} {z} -inf +inf BYSCORE LIMIT 1 {n}"),
    (All, "ZRANGESTORE {y} {y} [m3 - BYLEX REV"),
    // Geo.
    (All, "GEOADD {g} {o} {a} {m} {o} {a} {m}"),
    (All, "GEOADD {g} XX CH {o} {a} {m}"),
    (All, "GEOSEARCHSTORE {z} {g} FROMLONLAT {o} {a} BYRADIUS 5000 km ASC COUNT {n}"),
    (All, "GEOSEARCHSTORE {z} {g} FROMLONLAT {o} {a} BYBOX 9000 4000 km STOREDIST"),
    (All, "GEORADIUS {g} {o} {a} 6000 km STORE {z}"),
    (All, "GEORADIUS {g} {o} {a} 6000 km STOREDIST {z}"),
    (All, "GEORADIUSBYMEMBER {g} {m} 3000 mi STORE {g}"),
    // Hashes.
    (All, "HSET {h} {m} {v} {m} {i}"),
    (All, "HSET {h} {m} {v} {v} {v} {m} {f}"),
    (All, "HMSET {h} {m} {v}"),
    (All, "HSETNX {h} {m} {v}"),
    (All, "HDEL {h} {m} {m}"),
    (All, "HINCRBY {h} {m} {i}"),
    (All, "HINCRBYFLOAT {h} {m} {f}"),
    (Fields, "HEXPIRE {h} {T} FIELDS 2 {m} {m}"),
    (Fields, "HPEXPIRE {h} {t} FIELDS 2 {m} {m}"),
    (Fields, "HPEXPIRE {h} {U} NX FIELDS 1 {m}"),
    (Fields, "HEXPIRE {h} {T} GT FIELDS 1 {m}"),
    (Fields, "HEXPIREAT {h} {A} FIELDS 1 {m}"),
    (Fields, "HPEXPIREAT {h} {B} LT FIELDS 1 {m}"),
    (Fields, "HPEXPIREAT {h} 1 FIELDS 1 {m}"),
    (Fields, "HEXPIRE {h} 0 FIELDS 1 {m}"),
    (Fields, "HPERSIST {h} FIELDS 2 {m} {m}"),
    (Fields, "HSETEX {h} EX {T} FIELDS 2 {m} {v} {m} {i}"),
    (Fields, "HSETEX {h} PX {t} FIELDS 1 {m} {v}"),
    (Fields, "HSETEX {h} FNX PXAT {B} FIELDS 1 {m} {v}"),
    (Fields, "HSETEX {h} FXX KEEPTTL FIELDS 1 {m} {v}"),
    (Fields, "HGETEX {h} EX {T} FIELDS 2 {m} {m}"),
    (Fields, "HGETEX {h} PX {t} FIELDS 1 {m}"),
    (Fields, "HGETEX {h} PERSIST FIELDS 1 {m}"),
    (Fields, "HGETDEL {h} FIELDS 2 {m} {m}"),
    // Streams.
    (All, "XADD {x} * {m} {v}"),
    (All, "XADD {x} * {m} {v} {m} {i}"),
    (All, "XADD {x} MAXLEN 9 * {m} {v}"),
    (All, "XADD {x} MAXLEN ~ 12 * {m} {v}"),
    (All, "XADD {x} MAXLEN ~ 100 LIMIT 0 * {m} {v}"),
    (All, "XADD {x} MINID ~ 5-5 * {m} {v}"),
    (All, "XADD {x} NOMKSTREAM * {m} {v}"),
    (All, "XADD {x} 99999999999{n}-{n} {m} {v}"),
    (Since70, "XADD {x} 77777777777-* {m} {v}"),
    (All, "XDEL {x} {I}"),
    (All, "XTRIM {x} MAXLEN {n}"),
    (All, "XTRIM {x} MAXLEN ~ {n}"),
    (All, "XTRIM {x} MINID {I}"),
    (All, "XSETID {x} 9999999999999{n}-0"),
    (Since70, "XSETID {x} 99999999999999-{n} ENTRIESADDED 500 MAXDELETEDID 1-1"),
    (All, "XGROUP CREATE {x} {w} 0 MKSTREAM"),
    (All, "XGROUP CREATE {x} {w} $"),
    (Since70, "XGROUP CREATE {x} {w} 0 ENTRIESREAD {n}"),
    (All, "XGROUP CREATECONSUMER {x} {w} {c}"),
    (All, "XGROUP DELCONSUMER {x} {w} {c}"),
    (All, "XGROUP DESTROY {x} {w}"),
    (All, "XGROUP SETID {x} {w} 0"),
    (Since70, "XGROUP SETID {x} {w} $ ENTRIESREAD {n}"),
    (All, "XREADGROUP GROUP {w} {c} COUNT {n} STREAMS {x} >"),
    (All, "XREADGROUP GROUP {w} {c} STREAMS {x} {x} > >"),
    (All, "XREADGROUP GROUP {w} {c} COUNT {n} NOACK STREAMS {x} >"),
    (Valkey91, "XREADGROUP GROUP {w} {c} COUNT {n} STREAMS {x} >"),
    (All, "XACK {x} {w} {I} {I}"),
    (All, "XCLAIM {x} {w} {c} 0 {I} {I}"),
    (All, "XCLAIM {x} {w} {c} 0 {I} JUSTID"),
    (All, "XCLAIM {x} {w} {c} 0 {I} TIME 1700000000000 RETRYCOUNT {n} FORCE"),
    (All, "XCLAIM {x} {w} {c} 0 {I} IDLE 500 LASTID {I}"),
    (All, "XAUTOCLAIM {x} {w} {c} 0 - COUNT {n}"),
    (All, "XAUTOCLAIM {x} {w} {c} 0 {I} JUSTID"),
    (Redis82, "XDELEX {x} DELREF IDS 2 {I} {I}"),
    (Redis82, "XDELEX {x} ACKED IDS 1 {I}"),
    (Redis82, "XACKDEL {x} {w} KEEPREF IDS 1 {I}"),
    (Redis82, "XACKDEL {x} {w} ACKED IDS 2 {I} {I}"),
    (Redis82, "XADD {x} KEEPREF MAXLEN 5 * {m} {v}"),
    (Redis82, "XADD {x} DELREF MAXLEN = 7 * {m} {v}"),
    (Redis82, "XTRIM {x} MAXLEN {n} ACKED"),
    // Keys of any type.
    (All, "DEL {k} {k}"),
    (All, "UNLINK {k}"),
    (All, "EXPIRE {k} {T}"),
    (All, "EXPIRE {k} -1"),
    (All, "PEXPIRE {k} {t}"),
    (All, "PEXPIRE {k} {U}"),
    (All, "EXPIREAT {k} {A}"),
    (All, "PEXPIREAT {k} {B}"),
    (All, "PEXPIREAT {k} 5"),
    (Since70, "EXPIRE {k} {T} NX"),
    (Since70, "EXPIRE {k} {T} GT"),
    (Since70, "PEXPIRE {k} {U} XX"),
    (All, "PERSIST {k}"),
    (All, "RENAME {k} {k}"),
    (All, "RENAMENX {k} {k}"),
    (All, "COPY {k} {k} REPLACE"),
    (All, "COPY {k} {k} DB {d}"),
    (All, "COPY {k} {k} DB {d} REPLACE"),
    (All, "MOVE {k} {d}"),
    (All, "TOUCH {k}"),
    (All, "SELECT {d}"),
    (All, "SELECT {d}"),
    (All, "SELECT {d}"),
    (All, "SWAPDB {d} {d}"),
    (All, "PUBLISH channel {v}"),
    (Since70, "SPUBLISH channel {v}"),
    // Scripts and functions.
    (Scripts, "EVAL @set 2 {s} {l} {v}"),
    (Scripts, "EVAL @set 2 {s} {l} {i}"),
    (Scripts, "EVAL @pop 1 {S}"),
    (Scripts, "EVAL @expire 1 {h} {m}"),
    (Functions, "FCALL put 1 {z} {m}"),
    (Functions, "FCALL put 1 {z} {m}"),
    (Since70, "FUNCTION LOAD REPLACE @library"),
    (Functions, "FUNCTION DELETE storm"),
    // Serialized values.
    (All, "RESTORE {k} 0 @dump REPLACE"),
    (All, "RESTORE {k} {U} @dump REPLACE"),
    (All, "RESTORE {k} {B} @dump REPLACE ABSTTL IDLETIME 5"),
    (All, "RESTORE {k} 0 @dump"),
    // What is too large for the compact encodings.
    (All, "RPUSH {l} @many"),
    (All, "SADD {S} @many"),
    (All, "SADD {S} @numbers"),
    (All, "ZADD {z} @scored"),
    (All, "HSET {h} @pairs"),
    (All, "PFADD {p} @many"),
    (All, "SETRANGE {s} 70000 {v}"),
    (All, "SETBIT {b} 100{n} 1"),
    // What is no write, and is in the stream all the same.
    (All, "WAIT 1 3"),
    (All, "SORT {l} BY nosort GET # LIMIT 0 9 STORE {l}"),
];

const SET: &str = "redis.call('set', KEYS[1], ARGV[1]) redis.call('Rpush', KEYS[2], ARGV[1], 'x') \
                   return redis.call('incr', 'counted')";
const POP: &str = "local m = redis.call('spop', KEYS[1]) if m then redis.call('sadd', 'S:popped', m) end return m";
const EXPIRE: &str = "redis.call('hset', KEYS[1], ARGV[1], 1) return redis.call('pexpire', KEYS[1], 7200000)";
const LIBRARY: &str = "#!lua name=storm\nredis.register_function('put', function(keys, args) \
                       redis.call('zadd', keys[1], 1.5, args[1]) return redis.call('zincrby', keys[1], 2, 'fn') end)";

/// Commands on other connections that wait, and what then is done to wake them.
const WAITERS: &[(Known, &[&str], &[&str])] = &[
    (All, &["BLPOP wl1 0", "BRPOP wl2 wl1 0"], &["RPUSH wl1 a b c"]),
    (All, &["BLMOVE wl1 {l} LEFT RIGHT 0"], &["LPUSH wl1 {v} {v}"]),
    (All, &["BRPOPLPUSH wl1 wl2 0", "BLPOP wl2 0"], &["LPUSH wl1 {v} {m}"]),
    (All, &["BLPOP wl1 0", "BLPOP wl1 0"], &["MULTI", "RPUSH wl1 a", "RPUSH wl1 b", "SET {s} {v}", "EXEC"]),
    (All, &["BLPOP wl1 0"], &["RPUSH wl9 a b", "RENAME wl9 wl1"]),
    (All, &["BLPOP wl1 0"], &["RPUSH wl9 a b", "COPY wl9 wl1"]),
    (All, &["BLPOP wl1 0"], &["SADD wS 3 1 2", "SORT wS STORE wl1"]),
    (All, &["BLPOP wl1 0"], &["SELECT 9", "RPUSH wl1 m n", "MOVE wl1 0", "SELECT 0"]),
    (All, &["BLPOP wl1 0"], &["SELECT 8", "RPUSH wl1 m n", "SELECT 0", "SWAPDB 0 8", "SWAPDB 0 8"]),
    (All, &["BZPOPMIN wz1 0"], &["ZADD wz1 3 c 1 a {f} b"]),
    (All, &["BZPOPMAX wz2 wz1 0", "BZPOPMIN wz1 0"], &["ZADD wz1 3 c 1 a {f} b"]),
    (All, &["BZPOPMIN wz1 0"], &["SADD wS a b", "ZUNIONSTORE wz1 1 wS"]),
    (All, &["BLPOP wl1 0"], &["SET wl1 x", "LPUSH wl2 q", "DEL wl1", "LPUSH wl1 q"]),
    (Since70, &["BLMPOP 0 2 wl1 wl2 LEFT COUNT 2"], &["RPUSH wl2 a b c"]),
    (Since70, &["BZMPOP 0 1 wz1 MAX COUNT 2"], &["ZADD wz1 3 c 1 a 2 b"]),
    (
        All,
        &["XREADGROUP GROUP wg c1 BLOCK 0 STREAMS wx >", "XREADGROUP GROUP wg c2 BLOCK 0 NOACK STREAMS wx >"],
        &["XADD wx * {m} {v}", "XADD wx * {m} {v}"],
    ),
    (
        All,
        &["XREADGROUP GROUP wg c3 COUNT 1 BLOCK 0 STREAMS wx >"],
        &["MULTI", "XADD wx * a 1", "XADD wx * a 2", "EXEC"],
    ),
    (All, &["XREADGROUP GROUP wg c1 BLOCK 0 STREAMS wx >", "XREAD BLOCK 0 STREAMS wx $"], &["DEL wx", "XADD wx * a 1"]),
    (All, &["BRPOP wl1 0"], &["EXPIRE wl1 {T}", "RPUSH wl1 {v} {v}", "EXPIRE wl1 {T}"]),
];

/// A storm's state.
pub struct Storm {
    state: u64,
    server: Server,
    ours: bool,
    /// Ids of entries that were added, the latest ones.
    ids: Vec<String>,
    /// A value as DUMP gave it.
    dump: Vec<u8>,
    /// The time, in milliseconds since 1970.
    now: u64,
    lines: Vec<&'static str>,
    plain: bool,
}

impl Storm {
    /// For this master.
    pub fn new(seed: u64, master: &Running) -> Self {
        Self::with(seed, master, false)
    }

    /// For this master, and nothing that a replica of any other kind would not take: no forms newer than 6.2, no groups
    /// and no floats in hashes (what goes into the stream differs), no scores with fractions (which are text in digests).
    pub fn plain(seed: u64, master: &Running) -> Self {
        Self::with(seed, master, true)
    }

    fn with(seed: u64, master: &Running, plain: bool) -> Self {
        let other = std::env::var("STORM_SEED").map_or(0, |seed| seed.parse::<u64>().expect("a number in STORM_SEED"));
        let seed = seed.wrapping_add(other << 16);
        let mut storm = Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            server: master.server,
            ours: master.ours,
            ids: Vec::new(),
            dump: Vec::new(),
            now: 0,
            lines: Vec::new(),
            plain,
        };
        let groups = ["XGROUP", "XREADGROUP", "XCLAIM", "XAUTOCLAIM", "STOREDIST", "HINCRBYFLOAT"];
        let fits = |line: &str| !plain || !line.split(' ').any(|word| groups.contains(&word));
        let lines = LINES.iter().filter(|(known, line)| storm.knows(*known) && fits(line));
        storm.lines = lines.map(|(_, line)| *line).collect();
        storm
    }

    fn knows(&self, known: Known) -> bool {
        let server = self.server;
        match known {
            All => true,
            _ if self.plain => false,
            Since70 => server != Server::Redis62,
            Redis82 => server == Server::Redis82,
            Valkey81 => server.is_valkey(),
            Valkey91 => server == Server::Valkey91,
            Fields => matches!(server, Server::Redis82 | Server::Valkey91),
            Scripts => !self.ours,
            Functions => !self.ours && server != Server::Redis62,
        }
    }

    /// Writes some hundred commands, among them transactions and those of clients that wait.
    pub fn blow(&mut self, master: &Running, commands: usize) {
        let mut client = master.client();
        self.look(&mut client);
        // Groups to read by, which the storm destroys now and then.
        let mut batch: Vec<Words> = Vec::new();
        for _ in 0..if self.plain { 0 } else { 12 } {
            let line = self.fill("XGROUP CREATE {x} {w} 0 MKSTREAM");
            batch.push(line);
        }
        let mut left = commands;
        while left > 0 {
            let some = left.min(60);
            left -= some;
            for _ in 0..some {
                match self.below(100) {
                    0..4 => {
                        batch.push(words("MULTI"));
                        for _ in 0..self.below(6) {
                            self.push(&mut batch);
                        }
                        batch.push(words(if self.below(10) == 0 { "DISCARD" } else { "EXEC" }));
                    }
                    4 if self.below(4) == 0 => {
                        let db = 10 + self.below(3);
                        batch.push(words(&format!("SELECT {db}")));
                        batch.push(words(if db == 11 { "FLUSHDB ASYNC" } else { "FLUSHDB" }));
                    }
                    _ => self.push(&mut batch),
                }
            }
            let replies = client.many(&batch);
            for (command, reply) in batch.iter().zip(&replies) {
                if let Reply::Bulk(Some(id)) = reply
                    && command[0] == b"XADD"
                {
                    self.ids.push(String::from_utf8_lossy(id).into_owned());
                }
                if let Reply::Error(error) = reply {
                    let odd =
                        ["unknown command", "wrong number of arguments", "syntax error", "NOSCRIPT", "NOREPLICAS"];
                    let said: Vec<_> = command.iter().map(|word| word.escape_ascii().to_string()).collect();
                    assert!(!odd.iter().any(|odd| error.contains(odd)), "{}: {error}", said.join(" "));
                }
            }
            let surplus = self.ids.len().saturating_sub(40);
            self.ids.drain(..surplus);
            batch.clear();
            self.look(&mut client);
        }
        for _ in 0..1 + commands / 200 {
            self.wait_and_wake(master);
        }
    }

    /// Looks at the time and takes a value to restore.
    fn look(&mut self, client: &mut Client) {
        let time = client.ask(&["TIME"]).array();
        self.now = time[0].clone().text().parse::<u64>().unwrap() * 1000;
        // What is dumped is newer than some replicas where they are of all kinds.
        for _ in 0..if self.plain { 0 } else { 4 } {
            let kinds = "slSzhxpbg";
            let kind = kinds.chars().nth(self.below(kinds.len())).unwrap();
            let key = self.key(kind);
            if let Reply::Bulk(Some(dump)) = client.ask(&["DUMP", &key]) {
                self.dump = dump;
            }
        }
    }

    fn push(&mut self, batch: &mut Vec<Words>) {
        let number = self.below(self.lines.len());
        let line = self.lines[number];
        if line.contains("@dump") && self.dump.is_empty() {
            return;
        }
        let line = self.fill(line);
        batch.push(line);
    }

    /// Clients wait for keys, and get something.
    fn wait_and_wake(&mut self, master: &Running) {
        let fits = |waits: &[&str]| !self.plain || !waits[0].starts_with('X');
        let known: Vec<_> = WAITERS.iter().filter(|(known, waits, _)| self.knows(*known) && fits(waits)).collect();
        let (_, waits, wakes) = known[self.below(known.len())];
        let mut client = master.client();
        client.many(&[words("DEL wl1 wl2 wz1 wz2 wS wx")]);
        if waits.iter().any(|line| line.contains(" wx ")) {
            client.ask(&["XGROUP", "CREATE", "wx", "wg", "$", "MKSTREAM"]);
        }
        let mut waiting = Vec::new();
        for line in *waits {
            let before = blocked(&mut client);
            let command = self.fill(line);
            let mut waiter = master.client();
            waiter.send(&command);
            super::servers::until("a client waits", || blocked(&mut client) > before);
            waiting.push(waiter);
        }
        let wakes: Vec<Words> = wakes.iter().map(|line| self.fill(line)).collect();
        client.many(&wakes);
        // Some wait on: whatever they wait for comes, or they go.
        client.many(&[words("RPUSH wl1 z"), words("RPUSH wl2 z"), words("ZADD wz1 1 z")]);
        drop(waiting);
        super::servers::until("nobody waits", || blocked(&mut client) == 0);
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 33) % bound as u64) as usize
    }

    fn pick(&mut self, of: &[&str]) -> String {
        of[self.below(of.len())].to_owned()
    }

    fn key(&mut self, kind: char) -> String {
        let number = self.below(9);
        format!("{kind}:{number}")
    }

    /// Puts words in the place of braces.
    fn fill(&mut self, line: &str) -> Words {
        line.split_ascii_whitespace().flat_map(|word| self.expand(word)).collect()
    }

    /// A word, or some hundred of them.
    fn expand(&mut self, word: &str) -> Words {
        let form: &[&str] = match word {
            "@many" => &["{m}-{i}-{n}"],
            "@numbers" => &["{n}{n}{n}{n}"],
            "@scored" => &["{f}", "{m}-{i}-{n}"],
            "@pairs" => &["{m}-{i}-{n}", "{i}"],
            _ => return vec![self.word(word)],
        };
        (0..130 + self.below(40)).flat_map(|_| form).map(|word| self.word(word)).collect()
    }

    fn word(&mut self, word: &str) -> Vec<u8> {
        match word {
            "@set" => return SET.into(),
            "@pop" => return POP.into(),
            "@expire" => return EXPIRE.into(),
            "@library" => return LIBRARY.into(),
            "@dump" => return self.dump.clone(),
            _ => {}
        }
        let (mut bytes, mut rest) = (Vec::new(), word);
        while let Some((before, after)) = rest.split_once('{') {
            let (what, after) = after.split_once('}').unwrap();
            bytes.extend(before.as_bytes());
            bytes.extend(self.made_up(what.chars().next().unwrap()));
            rest = after;
        }
        bytes.extend(rest.as_bytes());
        bytes
    }

    fn made_up(&mut self, what: char) -> Vec<u8> {
        let (hour, now) = (3_600_000, self.now);
        match what {
            // One in thirty is a key of another type.
            's' | 'l' | 'S' | 'z' | 'h' | 'x' | 'p' | 'b' | 'g' if self.below(30) > 0 => self.key(what),
            // What ranges by name give where scores differ is nobody's business.
            'y' => self.key(what),
            's' | 'l' | 'S' | 'z' | 'h' | 'x' | 'p' | 'b' | 'g' | 'k' => {
                let kind = "slSzhxpbg".chars().nth(self.below(9)).unwrap();
                self.key(kind)
            }
            'v' => match self.below(12) {
                0 => return (0..1 + self.below(80)).map(|_| self.next() as u8).collect(),
                1 => "long ".repeat(1 + self.below(300)),
                2 | 3 => self.below(100_000).to_string(),
                4 => String::new(),
                _ => {
                    let number = self.next() % 1_000_000;
                    format!("value-{number}")
                }
            },
            'm' => format!("m{}", self.below(14)),
            'i' => (self.below(40) as i64 - 12).to_string(),
            'n' => (1 + self.below(6)).to_string(),
            'f' if self.plain => (self.below(1000) as i64 - 300).to_string(),
            'f' => self.pick(&["0.1", "-3.25", "1e21", "17", "3.141592653589793", "123456789.123", "2.5e-7", "5e17"]),
            't' => (1 + self.below(90)).to_string(),
            'T' => (3600 + self.below(9000)).to_string(),
            'U' => (hour + self.below(9_000_000)).to_string(),
            'A' => (now / 1000 + 3600 + self.below(9000) as u64).to_string(),
            'B' => (now + 3_600_000 + self.below(9_000_000) as u64).to_string(),
            'I' => {
                let number = self.below(self.ids.len() + 1);
                self.ids.get(number).cloned().unwrap_or_else(|| "5-5".to_owned())
            }
            'd' => self.below(4).to_string(),
            'c' => format!("c{}", self.below(3)),
            'w' => format!("w{}", self.below(2)),
            'o' => format!("{}.{}", self.below(340) as i64 - 170, self.below(99_999)),
            'a' => format!("{}.{}", self.below(160) as i64 - 80, self.below(99_999)),
            other => panic!("{other} is no placeholder"),
        }
        .into_bytes()
    }
}

fn blocked(client: &mut Client) -> i64 {
    let info = client.ask(&["INFO", "clients"]).text();
    super::matrix::field(&info, "blocked_clients").parse().unwrap()
}
