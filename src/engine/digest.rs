//! DEBUG DIGEST, as the servers compute it, and our own digest, which covers more.
//!
//! The servers' digest is twenty bytes, made with SHA-1 by two operations: `xor` puts something into a set, whose order
//! does not matter; `mix` puts it into a sequence. Each database with keys is mixed in by its number, in ascending
//! order; then each key is put into the set, a sequence of its name, its type and its value. It covers no expiry times
//! (only that there is one), no consumer groups, no functions. Scores are mixed in as text, whose digits changed with
//! 7.2, so that it can only be compared with a server of the same kind.

use std::fmt;

use sha1::{Digest as _, Sha1};
use twox_hash::xxhash3_128::Hasher;

use super::core::Engine;
use super::dialect::Dialect;
use super::keyspace::{Entry, NEVER};
use super::number::digest_text;
use super::tell::tell;
use super::value::{Decimal, Value};
use crate::rdb::{self, Fingerprints, KeyName, KeyPrint, Prints};

/// Twenty bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Into the set.
    fn xor(&mut self, bytes: &[u8]) {
        for (own, other) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *own ^= other;
        }
    }

    /// Into the sequence.
    fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Engine {
    /// The digest of all keys in this server's form, expired ones that are still there included. Of hashes, Valkey leaves
    /// out fields that have expired at `now`, milliseconds since 1970. (Seen on 9.1.2.)
    #[must_use]
    pub fn digest(&self, dialect: Dialect, now: i64) -> Digest {
        let mut all = Digest::default();
        for db in (0..self.keyspace.databases()).filter(|db| self.keyspace.size(*db).keys > 0) {
            all.mix(&(db as u32).to_be_bytes());
            for (key, entry) in self.keyspace.iter(db) {
                let mut digest = Digest::default();
                digest.mix(key);
                value(&mut digest, entry, dialect, now);
                all.xor(&digest.0);
            }
        }
        all
    }

    /// The digests of all values, with their databases and keys, in the order of these.
    #[must_use]
    pub fn digests_of_keys(&self, dialect: Dialect, now: i64) -> Vec<(u32, Vec<u8>, Digest)> {
        let mut all = Vec::new();
        for db in 0..self.keyspace.databases() {
            for (key, entry) in self.keyspace.iter(db) {
                let mut digest = Digest::default();
                value(&mut digest, entry, dialect, now);
                all.push((db as u32, key.to_vec(), digest));
            }
        }
        all.sort_unstable_by(|(db, key, _), (other_db, other, _)| (db, key).cmp(&(other_db, other)));
        all
    }

    /// The digest of one value, without its key; zeros where there is none.
    #[must_use]
    pub fn digest_value(&self, db: usize, key: &[u8], dialect: Dialect, now: i64) -> Digest {
        let mut digest = Digest::default();
        if let Some(entry) = self.keyspace.get(db, key) {
            value(&mut digest, entry, dialect, now);
        }
        digest
    }
}

/// The type, the value, and whether the key expires.
fn value(digest: &mut Digest, entry: &Entry, dialect: Dialect, now: i64) {
    digest.mix(&type_number(&entry.value).to_be_bytes());
    match &entry.value {
        Value::String(text) => digest.mix(text.bytes(&mut Decimal::new())),
        Value::List(list) => list.iter().for_each(|element| digest.mix(element)),
        Value::Set(set) => set.iter().for_each(|member| digest.xor(member)),
        Value::SortedSet(set) => {
            for scored in set.ranked().iter() {
                let mut element = Digest::default();
                element.mix(&scored.member);
                element.mix(&digest_text(scored.score, dialect));
                digest.xor(&element.0);
            }
        }
        Value::Hash(hash) => {
            let hides_expired = dialect.is_valkey_since(9, 0);
            for (name, field) in hash.fields.iter().filter(|(_, field)| !(hides_expired && field.is_expired(now))) {
                let mut element = Digest::default();
                element.mix(name);
                element.mix(&field.value);
                // Valkey's does not cover it. (Seen on 9.1.2.)
                if field.expires_at != NEVER && dialect.is_redis_since(7, 4) {
                    element.xor(b"!!hexpire!!");
                }
                digest.xor(&element.0);
            }
        }
        Value::Stream(stream) => {
            for (id, words) in &stream.entries {
                digest.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
                words.iter().for_each(|word| digest.mix(word));
            }
        }
        // A module has its own way, which only it knows.
        Value::Opaque(_) => {}
    }
    if entry.expires_at().is_some() {
        digest.xor(b"!!expire!!");
    }
}

fn type_number(value: &Value) -> u32 {
    match value {
        Value::String(_) => 0,
        Value::List(_) => 1,
        Value::Set(_) => 2,
        Value::SortedSet(_) => 3,
        Value::Hash(_) => 4,
        Value::Opaque(value) if value.value_type() == rdb::ValueType::Module => 5,
        Value::Stream(_) => 6,
        Value::Opaque(_) => 7,
    }
}

/// Sums up prints of keys, whose order does not matter.
#[derive(Default)]
struct Sum {
    total: u128,
    bytes: Vec<u8>,
}

impl Sum {
    fn add(&mut self, tag: u8, name: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(name);
        self.total = self.total.wrapping_add(Hasher::oneshot(&self.bytes));
        self.bytes.clear();
    }
}

impl Prints for Sum {
    fn key(&mut self, name: KeyName<'_>, print: &KeyPrint) {
        let mut print = *print;
        // When a consumer was seen is a server's own affair: no stream tells it.
        (print.stream.seen, print.stream.active) = (0, None);
        print.encode(&mut self.bytes);
        self.bytes.extend_from_slice(&name.db.to_le_bytes());
        self.add(b'k', name.head);
    }
}

impl Engine {
    /// Our own digest, 32 hexadecimal digits: it covers what the servers' does and expiry times, those of fields, consumer
    /// groups with their pending entries, functions and module values. Equal for equal data of any version.
    #[must_use]
    pub fn strong_digest(&self) -> String {
        let mut prints = Fingerprints::new(Sum::default());
        for db in 0..self.keyspace.databases() {
            for (key, entry) in self.keyspace.iter(db) {
                tell(&mut prints, db, key, entry);
            }
        }
        let mut sum = prints.into_sink();
        for (name, code) in self.functions.iter() {
            sum.bytes.extend_from_slice(code);
            sum.add(b'f', name);
        }
        format!("{:032x}", sum.total)
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    /// What redis-server 7.0.15 answers to DEBUG DIGEST after the same commands, and an empty one.
    #[test]
    fn as_a_server_sums_it_up() {
        let mut play = Play::new("redis-7.0");
        assert_eq!(play.run("DEBUG DIGEST"), "0".repeat(40));
        for line in ["SET a 1", "SET b hello", "RPUSH l 1 2 3", "SETEX t 1000 v"] {
            play.run(line);
        }
        assert_eq!(play.run("DEBUG DIGEST"), DIGEST);
        play.run("SELECT 3");
        play.run("SET other 1");
        assert_ne!(play.run("DEBUG DIGEST"), DIGEST);
    }

    const DIGEST: &str = "2e2dd9d9b730ec453fe4a0bfc08f3f2377ca0a7b";

    /// What 8.2.3 and 9.1.2 answer once `b` has expired and is still there: Redis goes on to count it.
    #[test]
    fn fields_that_have_expired() {
        for (server, before, after) in [
            ("redis-8.2", "44e2fb31fcd688c6de7cacfa818a7ffcbf79bbb2", "44e2fb31fcd688c6de7cacfa818a7ffcbf79bbb2"),
            ("valkey-9.1", "4e43099c33699e81c1cfdaa4f3eb3cd5635db0fe", "fdf8e2471eb8ec12b9c11ac9874fdb559af8e3f1"),
        ] {
            let mut play = Play::new(server);
            play.run("HSET h a 1 b 2");
            play.run("HPEXPIRE h 60 FIELDS 1 b");
            assert_eq!(play.run("DEBUG DIGEST"), before, "{server}");
            play.now += 200;
            assert_eq!(play.run("DEBUG DIGEST"), after, "{server}");
        }
    }

    #[test]
    fn our_own_sees_when_keys_expire() {
        let mut play = Play::new("redis-7.0");
        play.run("SET a 1 PXAT 1800000000000");
        let (weak, strong) = (play.run("DEBUG DIGEST"), play.run("REPLTOOL DIGEST"));
        play.run("PEXPIREAT a 1800000000001");
        assert_eq!(play.run("DEBUG DIGEST"), weak);
        assert_ne!(play.run("REPLTOOL DIGEST"), strong);
        play.run("PEXPIREAT a 1800000000000");
        assert_eq!(play.run("REPLTOOL DIGEST"), strong);
    }
}
