//! What clients' commands put into the stream: ours beside each real server, the same lines said to both, and both streams
//! read by a replica. (What can be told without sockets and clocks is in the engine's own tests.)

// The helpers are no tests themselves, so that the tests' exemption does not reach them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod servers;

use std::time::{SystemTime, UNIX_EPOCH};

use servers::{Client, Reply, Running, Server, until};

/// A line of a client, in words divided by blanks; `\_` is a blank within a word.
enum Step {
    /// It is answered.
    Say(&'static str),
    /// It blocks: the next steps are said by another client.
    Block(&'static str),
    /// Nobody asks for the key, or the field, until it has expired, and the stream says so; not where what should have
    /// made it expire was refused.
    Expires(&'static str),
    /// The value of a key, given back to another one.
    Restore(&'static str, &'static str, &'static [&'static str]),
}

use Step::{Block, Expires, Restore, Say};

const LIBRARY: &str =
    "#!lua\\_name=lib\nredis.register_function('f',function(keys,args)\\_return\\_redis.call('set','fk',1)\\_end)";

const STEPS: &[Step] = &[
    // A set of which no member is another than the others: which one goes is a matter of chance.
    Say("SADD s m1 m2 m3 m4 m5 m6 m7 m8"),
    Say("SPOP s 2"),
    Say("SPOP s"),
    Say("SPOP s 100"),
    Say("RPUSH l2 a b c d"),
    Say("LMPOP 2 l l2 LEFT COUNT 2"),
    Say("BLMPOP 1 2 l l2 LEFT"),
    Say("BLMPOP 1 2 l l2 RIGHT COUNT 5"),
    Block("BLPOP blk 0"),
    Say("RPUSH blk v1 v2"),
    Block("BLMOVE blk2 other RIGHT LEFT 0"),
    Say("LPUSH blk2 v"),
    Block("BRPOPLPUSH blk3 other 0"),
    Say("LPUSH blk3 v w"),
    Block("BLMPOP 0 1 blk4 LEFT COUNT 2"),
    Say("RPUSH blk4 a b c"),
    Block("BZPOPMIN bz 0"),
    Say("ZADD bz 1 a 2 b"),
    Block("BZMPOP 0 1 bz2 MAX COUNT 2"),
    Say("ZADD bz2 1 a 2 b 3 c"),
    Block("BZPOPMAX bz3 0"),
    Say("ZADD bz3 1 a 2 b"),
    Say("XGROUP CREATE st g $ MKSTREAM"),
    Block("XREADGROUP GROUP g c BLOCK 0 STREAMS st >"),
    Say("XADD st * f v"),
    Say("XADD st MAXLEN ~ 1 * a b"),
    Say("XADD st MAXLEN = 2 NOMKSTREAM * a b"),
    Say("XADD st MINID ~ 5 LIMIT 10 * a b"),
    Say("XREADGROUP GROUP g c2 COUNT 1 STREAMS st >"),
    Say("XREADGROUP GROUP g c3 STREAMS st 0"),
    Say("XREADGROUP GROUP g c4 NOACK STREAMS st >"),
    Say("XTRIM st MAXLEN 1"),
    Say("XAUTOCLAIM st g c9 0 0"),
    Say("XSETID st 9999999999999-1"),
    Say("EVAL redis.call('set',KEYS[1],'1');\\_redis.call('incr',KEYS[1]) 1 lk"),
    Say("EVAL return\\_redis.call('set','one','1') 0"),
    Say("EVAL return\\_1 0"),
    Say("EVAL redis.call('sadd','rnd','m1');\\_redis.call('srem','rnd','m1');\\_return\\_redis.call('incr','after') 0"),
    Say("EVAL redis.call('select',4);\\_return\\_redis.call('set','there','1') 0"),
    Say("SET here 1"),
    Say("EVAL redis.call('set','a','1');\\_return\\_redis.call('nonsense') 0"),
    Say("EVAL redis.pcall('lpush','a','1');\\_return\\_redis.call('append','a','1') 0"),
    Say("SCRIPT LOAD return\\_1"),
    Say("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0"),
    Say("SCRIPT FLUSH"),
    Say(LIBRARY_LOAD),
    Say("FCALL f 0"),
    Say("FUNCTION DELETE lib"),
    Say("FUNCTION FLUSH"),
    Say("SET k v"),
    Say("MOVE k 5"),
    Say("SET a 1"),
    Say("RENAME a b"),
    Say("RENAMENX b b2"),
    Say("COPY b2 b3"),
    Say("COPY b2 b3 DB 2 REPLACE"),
    Say("RPUSH l 3 1 2"),
    Say("SORT l STORE sl"),
    Say("SORT nolist STORE sl"),
    Say("SET bits x"),
    Say("BITOP NOT d bits"),
    Say("BITFIELD d SET u8 0 255 GET u8 0"),
    Say("BITFIELD d GET u8 0"),
    Say("SET rs x"),
    Restore("rs", "rs2", &["100000"]),
    Restore("rs", "rs", &["0", "REPLACE"]),
    Restore("rs", "rs3", &["0", "REPLACE", "ABSTTL", "IDLETIME", "10"]),
    Say("HSET h q 1 r 2"),
    Say("HPEXPIRE h 1 FIELDS 1 q"),
    Expires("h q"),
    Say("HEXPIRE h 100 FIELDS 1 r"),
    Say("HPERSIST h FIELDS 1 r"),
    Say("SET ex 1 PX 30"),
    Expires("ex"),
    Say("SET dlq v"),
    Say("DELIFEQ dlq v"),
    Say("DELEX dlq IFEQ v"),
    Say("XADD st2 KEEPREF MAXLEN 1 * a b"),
    Say("WAIT 1 10"),
    Say("WAITAOF 0 1 10"),
    Say(
        "SET big xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    Say("MULTI"),
    Say("SET t 1"),
    Say("SELECT 3"),
    Say("SET t 2"),
    Say("EXEC"),
    Say("SELECT 0"),
    Say("MULTI"),
    Say("GET t"),
    Say("EXEC"),
    Say("MULTI"),
    Say("INCR n"),
    Say("LPUSH n x"),
    Say("EXEC"),
    Say("MULTI"),
    Say("SPOP nothing"),
    Say("EXEC"),
    Say("PUBLISH channel word"),
    Say("SPUBLISH channel word"),
    Say("DEBUG POPULATE 3"),
    Say("SWAPDB 0 1"),
    Say("SWAPDB 1 0"),
    Say("FLUSHDB ASYNC"),
    Say("FLUSHALL"),
];

const LIBRARY_LOAD: &str = "FUNCTION LOAD";

fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = line.split(' ').map(|word| word.replace("\\_", " ")).collect();
    if line == LIBRARY_LOAD {
        words.push(LIBRARY.replace("\\_", " "));
    }
    words
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A command of the stream in words: times by how many tens of seconds they are off, members of the set as one.
fn told(command: Reply) -> String {
    let mut line = Vec::new();
    for word in command.array() {
        let text = word.bytes().escape_ascii().to_string();
        let (digits, rest) = text.split_at(text.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(text.len()));
        let off = digits.parse::<i64>().ok().filter(|_| digits.len() == 13).map(|time| time - now());
        line.push(match off {
            // Of entries in one millisecond, too, the second is another one.
            Some(off) if off.abs() < 1_000_000_000 => {
                let rest = if rest.starts_with('-') { "-n" } else { rest };
                format!("<{:+}>{rest}", (off as f64 / 10_000.0).round() as i64 * 10)
            }
            _ if text.len() == 2 && text.starts_with('m') => "m*".to_owned(),
            _ => text,
        });
    }
    line.join(" ")
}

/// What the stream says for each step, after what was answered if that was an error.
fn play(server: &Running) -> Vec<(String, String)> {
    let mut replica = server.client();
    replica.follow();
    let (mut client, mut watch) = (server.client(), server.client());
    let mut blocked: Vec<Client> = Vec::new();
    let (mut rows, mut refused) = (Vec::new(), false);
    let mut next = |until: &dyn Fn(&str) -> bool, heard: &mut Vec<String>| {
        loop {
            let command = told(replica.reply().unwrap());
            // What a master says of its own accord.
            let own = command.eq_ignore_ascii_case("PING") || command == "SELECT 0" && heard.is_empty();
            if until(&command) {
                return command;
            }
            if !own {
                heard.push(command);
            }
        }
    };
    for (number, step) in STEPS.iter().enumerate() {
        let mut heard = Vec::new();
        let mut said = String::new();
        let answer = match step {
            Say(line) => {
                said.push_str(line);
                client.ask(&words(line))
            }
            Block(line) => {
                said.push_str(line);
                let mut other = server.client();
                other.send(&words(line));
                until("the client to block", || {
                    let info = String::from_utf8(watch.ask(&["INFO", "clients"]).bytes()).unwrap();
                    !info.contains("blocked_clients:0\r\n") || other.is_answered()
                });
                blocked.push(other);
                Reply::Integer(0)
            }
            Expires(_) if refused => Reply::Integer(0),
            Expires(key) => {
                said = format!("{key} expires");
                let gone = next(&|command| command.ends_with(&format!(" {key}")), &mut heard);
                heard.push(gone);
                Reply::Integer(0)
            }
            Restore(from, to, options) => {
                said = format!("{from} as {to}, {options:?}");
                let payload = client.ask(&["DUMP", from]).bytes();
                let mut command =
                    vec![b"RESTORE".to_vec(), to.as_bytes().to_vec(), options[0].as_bytes().to_vec(), payload];
                command.extend(options[1..].iter().map(|option| option.as_bytes().to_vec()));
                client.ask(&command)
            }
        };
        let end = format!("PUBLISH end {number}");
        watch.ask(&["PUBLISH", "end", &number.to_string()]);
        next(&|command| command == end, &mut heard);
        refused = matches!(answer, Reply::Error(_));
        if let Reply::Error(text) = answer {
            heard.insert(0, format!("-{}", text.split(' ').next().unwrap()));
        }
        rows.push((said, heard.join(" | ")));
    }
    rows
}

fn the_same_as(server: Server) {
    let (real, ours) = (server.start(&[]), server.serve(&[]));
    let (real, ours) = (play(&real), play(&ours));
    let differ: Vec<String> = real
        .iter()
        .zip(&ours)
        .filter(|(real, ours)| real != ours)
        .map(|(real, ours)| format!("{}\n  {server:?}: {}\n  ours: {}", real.0, real.1, ours.1))
        .collect();
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), STEPS.len(), differ.join("\n"));
}

#[test]
fn the_stream_is_that_of_redis_6_2() {
    the_same_as(Server::Redis62);
}

#[test]
fn the_stream_is_that_of_redis_7_0() {
    the_same_as(Server::Redis70);
}

#[test]
fn the_stream_is_that_of_redis_8_2() {
    the_same_as(Server::Redis82);
}

#[test]
fn the_stream_is_that_of_valkey_8_1() {
    the_same_as(Server::Valkey81);
}

#[test]
fn the_stream_is_that_of_valkey_9_1() {
    the_same_as(Server::Valkey91);
}
