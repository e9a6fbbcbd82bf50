//! What leads from the keys that one keyspace holds to those of another, as commands of a stream.

use super::core::Engine;
use super::keyspace::Entry;
use super::save;
use super::tell::tell;
use super::value::{Decimal, Value};
use crate::rdb::{Fingerprints, KeyName, KeyPrint, Prints};
use crate::resp::encode;

/// What a key means, with its database and its name.
pub type Printed = (u32, Vec<u8>, KeyPrint);

/// Commands that change one keyspace into another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The commands, as they stand in a stream.
    pub commands: Vec<u8>,
    /// How many keys they write or delete.
    pub keys: u64,
    /// How many keys differ that there was no room for.
    pub left: u64,
}

/// Keeps the one print that it is told.
#[derive(Default)]
struct Last(Option<KeyPrint>);

impl Prints for Last {
    fn key(&mut self, _name: KeyName<'_>, print: &KeyPrint) {
        let mut print = *print;
        // When a consumer was seen is a server's own affair: no stream tells it.
        (print.stream.seen, print.stream.active) = (0, None);
        self.0 = Some(print);
    }
}

impl Engine {
    /// What all keys mean, in the order of their databases and names.
    #[must_use]
    pub fn prints(&self) -> Vec<Printed> {
        let mut all = Vec::new();
        let mut prints = Fingerprints::new(Last::default());
        for db in 0..self.keyspace.databases() {
            for (key, entry) in self.keyspace.iter(db) {
                tell(&mut prints, db, key, entry);
                all.extend(prints.sink().0.map(|print| (db as u32, key.to_vec(), print)));
            }
        }
        all.sort_unstable_by(|(db, key, _), (other_db, other, _)| (db, key).cmp(&(other_db, other)));
        all
    }

    /// Commands that make this keyspace of one that holds what is printed, in order, in `held`; not more than so many
    /// bytes of them. They begin and end in database `db` of the stream, and any server since 3.0 takes them from its
    /// master whose RDB version is that of this engine's dialect.
    #[must_use]
    pub fn changes_from(&self, held: &[Printed], db: u32, room: usize) -> Changes {
        let mut changes = Changes::default();
        let mut script = Script { out: Vec::new(), db, home: db, room };
        let wanted = self.prints();
        let (mut wanted, mut held) = (wanted.iter().peekable(), held.iter().peekable());
        loop {
            let order = match (wanted.peek(), held.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(one), Some(other)) => (one.0, &one.1).cmp(&(other.0, &other.1)),
            };
            let own = if order.is_le() { wanted.next() } else { None };
            let other = if order.is_ge() { held.next() } else { None };
            let Some((db, key, _)) = own.or(other) else { break };
            if own == other {
                continue;
            }
            let mut commands = Vec::new();
            let entry = own.and_then(|_| self.keyspace.get(*db as usize, key));
            match entry {
                Some(entry) if !self.write_key(&mut commands, key, entry) => {
                    changes.left += 1;
                    continue;
                }
                Some(_) => {}
                None => encode(&mut commands, [&b"DEL"[..], key].into_iter()),
            }
            match script.add(*db, &commands) {
                true => changes.keys += 1,
                false => changes.left += 1,
            }
        }
        script.select(db);
        changes.commands = script.out;
        changes
    }

    /// One key, whatever was there; `false` where the dialect has no form for its value.
    fn write_key(&self, out: &mut Vec<u8>, key: &[u8], entry: &Entry) -> bool {
        if let Value::String(text) = &entry.value {
            encode(out, [&b"SET"[..], key, text.bytes(&mut Decimal::new())].into_iter());
        } else {
            let Ok(payload) = save::payload(&entry.value, self.dialect.dump_header()) else { return false };
            encode(out, [&b"RESTORE"[..], key, b"0", &payload, b"REPLACE"].into_iter());
        }
        if let Some(at) = entry.expires_at() {
            encode(out, [&b"PEXPIREAT"[..], key, at.to_string().as_bytes()].into_iter());
        }
        true
    }
}

/// A piece of a stream, with a bound.
struct Script {
    out: Vec<u8>,
    /// The database it is in.
    db: u32,
    /// Where it ends.
    home: u32,
    room: usize,
}

impl Script {
    /// Commands in a database; `false` where they, and the way back, do not fit.
    fn add(&mut self, db: u32, commands: &[u8]) -> bool {
        let there = if self.db == db { 0 } else { selection(db).len() };
        let back = if self.home == db { 0 } else { selection(self.home).len() };
        if self.out.len() + there + commands.len() + back > self.room {
            return false;
        }
        self.select(db);
        self.out.extend_from_slice(commands);
        true
    }

    fn select(&mut self, db: u32) {
        if self.db != db {
            self.db = db;
            self.out.extend(selection(db));
        }
    }
}

fn selection(db: u32) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out, [&b"SELECT"[..], db.to_string().as_bytes()].into_iter());
    out
}

#[cfg(test)]
mod tests {
    use super::Changes;
    use crate::engine::testing::Play;
    use crate::repl::event::Replid;
    use crate::repl::replica::CachedMaster;
    use crate::units::Offset;

    fn play(lines: &[&str]) -> Play {
        let mut play = Play::new("redis-7.0");
        for line in lines {
            play.run(line);
        }
        play
    }

    /// Lets a stream that is in database 3 change it.
    fn hear(play: &mut Play, commands: &[u8]) {
        let place = CachedMaster { replid: Replid::from_wire(&[b'a'; 40]), offset: Offset(0), db: 3 };
        play.engine.tape_go_on(place, play.now);
        play.engine.tape(commands, play.now);
        assert_eq!((play.engine.standing().unapplied, play.engine.stream_db()), (0, 3));
    }

    const OLD: &[&str] =
        &["SET same 1", "SET gone 1", "RPUSH list a b", "SELECT 3", "SET other 1", "SET ttl 1 PXAT 4000000000000"];
    const NEW: &[&str] = &[
        "SET same 1",
        "RPUSH list a b c",
        "SET added 12",
        "ZADD scores 1.5 m",
        "XADD events 5-1 a b",
        "XGROUP CREATE events g 0",
        "SELECT 3",
        "SET ttl 1 PXAT 4000000000001",
        "SELECT 9",
        "HSET hash f v",
        "EXPIREAT hash 4000000000",
    ];

    #[test]
    fn they_lead_from_one_keyspace_to_the_other() {
        let (old, new) = (play(OLD), play(NEW));
        let changes = new.engine.changes_from(&old.engine.prints(), 3, 10_000);
        assert_eq!((changes.keys, changes.left), (8, 0), "{}", changes.commands.escape_ascii());
        let mut old = old;
        hear(&mut old, &changes.commands);
        assert_eq!(old.engine.strong_digest(), new.engine.strong_digest());
        assert_eq!(new.engine.changes_from(&new.engine.prints(), 0, 10_000), Changes::default());
    }

    #[test]
    fn they_keep_to_the_room_there_is() {
        let (old, new) = (play(OLD), play(NEW));
        let held = old.engine.prints();
        let all = new.engine.changes_from(&held, 3, 10_000);
        let mut least = u64::MAX;
        for room in 0..=all.commands.len() {
            let some = new.engine.changes_from(&held, 3, room);
            assert!(some.commands.len() <= room);
            assert_eq!(some.keys + some.left, all.keys);
            least = least.min(some.keys);
            if !some.commands.is_empty() {
                let mut other = play(OLD);
                hear(&mut other, &some.commands);
                let left = new.engine.changes_from(&other.engine.prints(), 3, 10_000);
                assert_eq!(left.keys, some.left, "{room}");
            }
        }
        assert_eq!((least, new.engine.changes_from(&held, 3, all.commands.len())), (0, all));
    }
}
