//! Keyspace notifications: what happens to keys, published on channels of its own (`notify-keyspace-events`).
//!
//! (Events compared with those of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.)

use super::core::Engine;
use super::dialect::Dialect;
use super::glob;
use super::reply::Reply;
use super::subscriptions::To;

/// Which kind of event it is: whoever wants events says which kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of any type of key: DEL, EXPIRE, RENAME, …
    Generic,
    /// Of strings.
    String,
    /// Of lists.
    List,
    /// Of sets.
    Set,
    /// Of hashes.
    Hash,
    /// Of sorted sets.
    SortedSet,
    /// A key has expired.
    Expired,
    /// A key was evicted for memory's sake.
    Evicted,
    /// Of streams.
    Stream,
    /// A key was read that is not there.
    Miss,
    /// Of modules' types.
    Module,
    /// A key was made that was not there.
    New,
    /// A key's value was replaced by another.
    Overwritten,
    /// And that of another type.
    TypeChanged,
}

/// The letters of the kinds, in the order in which they are told; those below [`IN_ALL`] are all that `A` stands for.
const LETTERS: &[(char, Class)] = &[
    ('g', Class::Generic),
    ('$', Class::String),
    ('l', Class::List),
    ('s', Class::Set),
    ('h', Class::Hash),
    ('z', Class::SortedSet),
    ('x', Class::Expired),
    ('e', Class::Evicted),
    ('t', Class::Stream),
    ('d', Class::Module),
    ('n', Class::New),
    ('o', Class::Overwritten),
    ('c', Class::TypeChanged),
    ('m', Class::Miss),
];

/// How many letters `A` stands for.
const IN_ALL: usize = 10;

/// Channels by key (`K`) and by event (`E`).
const BY_KEY: u32 = 1 << 30;
const BY_EVENT: u32 = 1 << 31;

impl Class {
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Which events are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted(u32);

impl Wanted {
    /// Reads the letters of `notify-keyspace-events`; `None` where one is none of such a server.
    pub(super) fn read(text: &str, dialect: Dialect) -> Option<Self> {
        let mut wanted = 0;
        for letter in text.chars() {
            wanted |= match letter {
                'A' => all(),
                'K' => BY_KEY,
                'E' => BY_EVENT,
                'n' if !dialect.since(7, 0) => return None,
                'o' | 'c' if !dialect.is_redis_since(8, 2) => return None,
                _ => LETTERS.iter().find(|(known, _)| *known == letter)?.1.bit(),
            };
        }
        Some(Self(wanted))
    }

    /// The letters as CONFIG GET tells them.
    pub(super) fn letters(self) -> String {
        let every = self.0 & all() == all();
        let mut text = String::new();
        // What comes before the channels, and the one that comes behind them.
        let (before, behind) = LETTERS.split_at(LETTERS.len() - 1);
        let tell = |kinds: &[(char, Class)], text: &mut String| {
            let held = kinds.iter().filter(|(_, class)| self.0 & class.bit() != 0);
            text.extend(held.map(|(letter, _)| *letter));
        };
        if every {
            text.push('A');
        } else {
            tell(before.get(..IN_ALL).unwrap_or_default(), &mut text);
        }
        let rest = before.get(IN_ALL..).unwrap_or_default();
        // Of a new key nothing is told beside `A`, as in the servers.
        if !every {
            tell(rest, &mut text);
        }
        text.extend((self.0 & BY_KEY != 0).then_some('K'));
        text.extend((self.0 & BY_EVENT != 0).then_some('E'));
        tell(behind, &mut text);
        text
    }

    /// Whether events of a kind are published.
    #[inline]
    pub(super) fn has(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }
}

/// What `A` stands for.
fn all() -> u32 {
    LETTERS.iter().take(IN_ALL).fold(0, |all, (_, class)| all | class.bit())
}

impl Engine {
    /// Something has happened to a key.
    #[inline]
    pub(super) fn notify(&mut self, db: usize, class: Class, event: &str, key: &[u8]) {
        if self.events.has(class) {
            self.publish_event(db, event, key);
        }
    }

    #[cold]
    fn publish_event(&mut self, db: usize, event: &str, key: &[u8]) {
        if self.events.0 & BY_KEY != 0 {
            let channel = [b"__keyspace@", db.to_string().as_bytes(), b"__:", key].concat();
            self.publish_aside(&channel, event.as_bytes());
        }
        if self.events.0 & BY_EVENT != 0 {
            let channel = format!("__keyevent@{db}__:{event}");
            self.publish_aside(channel.as_bytes(), key);
        }
    }

    /// Passes on a message that no command was given to publish. What the session hears whose command is running waits
    /// for its answer.
    fn publish_aside(&mut self, channel: &[u8], message: &[u8]) {
        let (clients, delivered, own) = (&self.clients, &mut self.delivered, &mut self.heard);
        let mut pass = |ids: &[super::clients::SessionId], words: &[&[u8]]| {
            for id in ids {
                let listener = clients.get(*id);
                // Only one that speaks RESP3 may listen and run commands.
                let mut reply = Reply::new(listener.is_none_or(|listener| listener.resp3));
                reply.push(words.len());
                words.iter().for_each(|word| reply.bulk(word));
                match listener {
                    Some(_) => delivered.push((*id, reply.take())),
                    None => own.extend(reply.bytes()),
                }
            }
        };
        if let Some(ids) = self.subscriptions.of(To::Channel).get(channel) {
            pass(ids, &[b"message", channel, message]);
        }
        for (pattern, ids) in self.subscriptions.of(To::Pattern) {
            if glob::matches(pattern, channel) {
                pass(ids, &[b"pmessage", pattern, channel, message]);
            }
        }
    }

    /// What a session has heard while its command ran stands before the answer, since 7.2 behind it.
    #[cold]
    pub(super) fn tell_heard(&mut self, reply: &mut Reply, answer_at: usize) {
        let heard = std::mem::take(&mut self.heard);
        let place = if self.dialect.since(7, 2) { reply.len() } else { answer_at };
        reply.insert(place, &heard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clients::{Session, SessionId};
    use crate::engine::testing::Play;

    /// What redis-server 7.0.15 published on its channels by event with `AKEmn`: event and key.
    const ROWS: &[(&str, &str)] = &[
        ("get nokey", "keymiss nokey"),
        ("set s v", "new s | set s"),
        ("set s v2", "set s"),
        ("set s v ex 100", "set s | expire s"),
        ("set s v keepttl", "set s"),
        ("setnx n1 a", "new n1 | set n1"),
        ("setnx n1 b", ""),
        ("setex e1 10 v", "new e1 | set e1 | expire e1"),
        ("psetex e1 10000 v", "set e1 | expire e1"),
        ("getset s x", "set s"),
        ("getset newgs x", "keymiss newgs | new newgs | set newgs"),
        ("getdel newgs", "del newgs"),
        ("append s xx", "append s"),
        ("append apn xx", "new apn | append apn"),
        ("setrange s 1 yy", "setrange s"),
        ("setrange srn 1 yy", "new srn | setrange srn"),
        ("incr cnt", "new cnt | incrby cnt"),
        ("incrby cnt 5", "incrby cnt"),
        ("decr cnt", "incrby cnt"),
        ("decrby cnt 2", "incrby cnt"),
        ("incrbyfloat cnt 1.5", "incrbyfloat cnt"),
        ("getex s ex 100", "expire s"),
        ("getex s persist", "persist s"),
        ("getex s2 pxat 1", "keymiss s2"),
        ("mset m1 a m2 b s2 c", "new m1 | set m1 | new m2 | set m2 | new s2 | set s2"),
        ("msetnx m3 a m4 b", "new m3 | set m3 | new m4 | set m4"),
        ("setbit bits 7 1", "new bits | setbit bits"),
        ("setbit bits 7 1", ""),
        ("bitop and bdst bits m1", "new bdst | set bdst"),
        ("bitop and bdst none1 none2", "keymiss none1 | keymiss none2 | del bdst"),
        ("bitfield bits set u8 0 200", "setbit bits"),
        ("bitfield bits get u8 0", ""),
        ("pfadd hll a b c", "new hll | pfadd hll"),
        ("pfadd hll a", ""),
        ("pfmerge hll2 hll", "keymiss hll2 | new hll2 | pfadd hll2"),
        ("del m1 m2 nope", "del m1 | del m2"),
        ("unlink m3", "del m3"),
        ("expire m4 100", "expire m4"),
        ("persist m4", "persist m4"),
        ("expire m4 -1", "del m4"),
        ("rename s s_new", "new s_new | rename_from s | rename_to s_new"),
        ("rename s_new cnt", "new cnt | rename_from s_new | rename_to cnt"),
        ("renamenx cnt cnt2", "new cnt2 | rename_from cnt | rename_to cnt2"),
        ("copy cnt2 cnt3", "new cnt3 | copy_to cnt3"),
        ("copy cnt2 cnt3 replace", "new cnt3 | copy_to cnt3"),
        ("move cnt3 5", "new cnt3 | move_from cnt3 | move_to cnt3"),
        ("lpush l a b c", "new l | lpush l"),
        ("rpush l d", "rpush l"),
        ("lpushx l z", "lpush l"),
        ("lpushx nol z", ""),
        ("lset l 0 y", "lset l"),
        ("linsert l before a q", "linsert l"),
        ("lrem l 0 q", "lrem l"),
        ("ltrim l 0 2", "ltrim l"),
        ("lpop l", "lpop l"),
        ("rpop l", "rpop l"),
        ("rpop l", "rpop l | del l"),
        ("lpush l a b c d e", "new l | lpush l"),
        ("rpoplpush l l2", "new l2 | lpush l2 | rpop l"),
        ("lmove l l2 left right", "rpush l2 | lpop l"),
        ("lmpop 2 nol l left count 2", "lpop l"),
        ("lpop l 10", "lpop l | del l"),
        ("blpop l2 1", "lpop l2"),
        ("brpop l2 1", "rpop l2 | del l2"),
        ("rpush ls 3 1 2", "new ls | rpush ls"),
        ("sort ls store lsorted", "new lsorted | sortstore lsorted"),
        ("sort nols store lsorted", "keymiss nols | del lsorted"),
        ("sadd st a b c", "new st | sadd st"),
        ("sadd st a", ""),
        ("srem st a", "srem st"),
        ("smove st st2 b", "srem st | new st2 | sadd st2"),
        ("smove st st2 c", "srem st | del st | sadd st2"),
        ("spop st2", "spop st2"),
        ("spop st2 5", "spop st2 | del st2"),
        ("sadd sa a b", "new sa | sadd sa"),
        ("sadd sb b c", "new sb | sadd sb"),
        ("sinterstore sd sa sb", "new sd | sinterstore sd"),
        ("sunionstore sd sa sb", "sunionstore sd"),
        ("sdiffstore sd sa sb", "sdiffstore sd"),
        ("sinterstore sd sa nope", "keymiss nope | del sd"),
        ("zadd z 1 a 2 b 3 c", "new z | zadd z"),
        ("zadd z 1 a", ""),
        ("zadd z incr 1 a", "zincr z"),
        ("zincrby z 1 a", "zincr z"),
        ("zrem z a", "zrem z"),
        ("zremrangebyrank z 0 0", "zremrangebyrank z"),
        ("zadd z 1 a 2 b 3 c 4 d", "zadd z"),
        ("zremrangebyscore z 1 1", "zremrangebyscore z"),
        ("zremrangebylex z - +", "zremrangebylex z | del z"),
        ("zadd z 1 a 2 b 3 c 4 d", "new z | zadd z"),
        ("zrangestore zd z 0 1", "new zd | zrangestore zd"),
        ("zrangestore zd nope 0 1", "keymiss nope | del zd"),
        ("zunionstore zd 1 z", "new zd | zunionstore zd"),
        ("zinterstore zd 1 z", "zinterstore zd"),
        ("zdiffstore zd 1 nope", "keymiss nope | del zd"),
        ("zpopmin z", "zpopmin z"),
        ("zpopmax z", "zpopmax z"),
        ("zmpop 1 z min", "zpopmin z"),
        ("bzpopmin z 1", "zpopmin z | del z"),
        ("geoadd geo 13.36 38.11 Palermo 15.08 37.5 Catania", "new geo | zadd geo"),
        ("georadius geo 15 37 200 km store gd", "new gd | georadiusstore gd"),
        ("geosearchstore gd geo fromlonlat 15 37 byradius 200 km", "geosearchstore gd"),
        ("geosearchstore gd geo fromlonlat 100 37 byradius 2 km", "del gd"),
        ("hset h f v", "new h | hset h"),
        ("hsetnx h g v", "hset h"),
        ("hsetnx h g v", ""),
        ("hmset h a 1 b 2", "hset h"),
        ("hincrby h a 1", "hincrby h"),
        ("hincrbyfloat h a 1", "hincrbyfloat h"),
        ("hdel h f g", "hdel h"),
        ("hdel h a b", "hdel h | del h"),
        ("xadd x 1-1 a b", "new x | xadd x"),
        ("xadd x maxlen 1 1-2 a b", "xadd x | xtrim x"),
        ("xtrim x maxlen 0", "xtrim x"),
        ("xadd x 2-1 a b", "xadd x"),
        ("xdel x 2-1", "xdel x"),
        ("xsetid x 3-0", "xsetid x"),
        ("xgroup create x g 0", "xgroup-create x"),
        ("xgroup create xm g 0 mkstream", "new xm | xgroup-create xm"),
        ("xgroup setid x g 0", "xgroup-setid x"),
        ("xgroup createconsumer x g c", "xgroup-createconsumer x"),
        ("xgroup createconsumer x g c", ""),
        ("xadd x 5-1 a b", "xadd x"),
        ("xreadgroup group g c2 streams x >", "xgroup-createconsumer x"),
        ("xreadgroup group g c3 streams x 0", "xgroup-createconsumer x"),
        ("xreadgroup group g c4 streams x >", ""),
        ("xack x g 5-1", ""),
        ("xadd x 6-1 a b", "xadd x"),
        ("xreadgroup group g c2 streams x >", ""),
        ("xclaim x g c9 0 6-1", "xgroup-createconsumer x"),
        ("xautoclaim x g c10 0 0", "xgroup-createconsumer x"),
        ("xgroup delconsumer x g c2", "xgroup-delconsumer x"),
        ("xgroup destroy x g", "xgroup-destroy x"),
        ("set dmp v", "new dmp | set dmp"),
        ("exists nokey", "keymiss nokey"),
        ("ttl nokey", "keymiss nokey"),
        ("type nokey", "keymiss nokey"),
        ("touch nokey", "keymiss nokey"),
        ("strlen nokey", "keymiss nokey"),
        ("hget nokey a", "keymiss nokey"),
        ("mget nokey dmp", "keymiss nokey"),
        ("pfcount nokey", "keymiss nokey"),
    ];

    /// With somebody who listens to all events.
    fn heard(dialect: &str, letters: &str, setup: &[&str]) -> Play {
        let mut play = Play::new(dialect);
        let other = Session::new(SessionId(5), String::new(), String::new(), play.now);
        let own = std::mem::replace(&mut play.session, other);
        play.run("PSUBSCRIBE __key*");
        let other = std::mem::replace(&mut play.session, own);
        play.engine.clients.put(other);
        setup.iter().for_each(|line| drop(play.run(line)));
        assert_eq!(play.run(&format!("CONFIG SET notify-keyspace-events {letters}")), "OK");
        play
    }

    /// What was heard since: the channel behind its number and the message.
    fn events(play: &mut Play, channel: &str) -> String {
        let messages = play.engine.take_delivered().into_iter().filter_map(|(_, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            let words: Vec<&str> = text.split("\r\n").collect();
            let (to, message) = (words[6], words[8]);
            to.strip_prefix(channel).map(|rest| format!("{} {message}", &rest[rest.find(':').unwrap() + 1..]))
        });
        messages.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn events_are_the_servers() {
        let mut play = heard("redis-7.0", "AKEmn", &[]);
        for (line, wanted) in ROWS {
            play.run(line);
            play.engine.unblock(&mut play.session);
            assert_eq!(events(&mut play, "__keyevent@"), *wanted, "{line}");
        }
    }

    #[test]
    fn events_differ_from_version_to_version() {
        // Asked of 6.2.14, 8.2.3 and Valkey 9.1.2.
        for (dialect, letters, rows) in [
            (
                "redis-8.2",
                "AKEoc",
                &[
                    ("SET k v2", "overwritten k | set k"),
                    ("LPUSH l a", "lpush l"),
                    ("SET l v", "overwritten l | type_changed l | set l"),
                    ("SET k2 v", "set k2"),
                    ("RENAME k2 k", "rename_from k2 | rename_to k | overwritten k"),
                    ("EXPIRE k -1", "del k"),
                ][..],
            ),
            (
                "valkey-9.1",
                "AKE",
                &[
                    ("EXPIRE k -1", "expired k"),
                    ("HSET h f v", "hset h"),
                    ("HEXPIRE h 0 FIELDS 1 f", "hexpired h | del h"),
                ],
            ),
            (
                "redis-6.2",
                "AKEm",
                &[
                    ("SINTERSTORE k none", "del k"),
                    ("XGROUP CREATE x g 0 MKSTREAM", "xgroup-create x"),
                    ("XREADGROUP GROUP g c STREAMS x 0", ""),
                    ("GET none", "keymiss none"),
                ],
            ),
        ] {
            let mut play = heard(dialect, letters, &["SET k v"]);
            for (line, wanted) in rows {
                play.run(line);
                assert_eq!(events(&mut play, "__keyevent@"), *wanted, "{dialect}: {line}");
            }
        }
    }

    #[test]
    fn only_what_is_wanted_is_told_and_what_expires() {
        let mut play = heard("redis-7.0", "Kx$", &["SET a 1 PX 5", "SET b 1 PX 5", "SELECT 3", "SET c 1 PX 5"]);
        play.run("LPUSH l x");
        play.run("SET s x");
        assert_eq!(events(&mut play, "__keyspace@3"), "s set");
        play.now += 10;
        play.run("GET c");
        assert_eq!(events(&mut play, "__keyspace@3"), "c expired");
        play.engine.expire_some(play.now, 10);
        assert_eq!(events(&mut play, "__keyspace@0"), "a expired | b expired");
        play.run("CONFIG SET notify-keyspace-events \"\"");
        play.run("SET s x");
        assert_eq!(events(&mut play, "__key"), "");
    }

    #[test]
    fn who_listens_and_runs_commands_hears_its_own_before_the_answer() {
        for (dialect, wanted) in [
            ("redis-7.0", ">3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n+OK\r\n"),
            ("redis-8.2", "+OK\r\n>3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n"),
        ] {
            let mut play = Play::new(dialect);
            play.run("CONFIG SET notify-keyspace-events E$");
            play.session.resp3 = true;
            play.raw3("SUBSCRIBE __keyevent@0__:set");
            assert_eq!(play.raw3("SET k v"), wanted, "{dialect}");
        }
    }

    #[test]
    fn letters_are_taken_and_told_as_in_the_servers() {
        let told = |dialect: &str, letters: &str| Wanted::read(letters, dialect.parse().unwrap()).map(Wanted::letters);
        for (dialect, letters, wanted) in [
            ("redis-6.2", "gnKE", None),
            ("redis-6.2", "xKeE$", Some("$xeKE")),
            ("redis-7.0", "AKEmn", Some("AKEm")),
            ("redis-7.0", "gnKE", Some("gnKE")),
            ("redis-7.0", "AKEocn", None),
            ("redis-7.0", "g$lshzxetdKEn", Some("AKE")),
            ("redis-8.2", "AKEocn", Some("AKE")),
            ("valkey-9.1", "lhqKE", None),
        ] {
            assert_eq!(told(dialect, letters).as_deref(), wanted, "{dialect} {letters}");
        }
    }
}
