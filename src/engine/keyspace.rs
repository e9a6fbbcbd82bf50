//! The keyspace: databases of keys, their expiry, and snapshots that cost what changes meanwhile.
//!
//! # Snapshots
//!
//! A snapshot is what the keyspace was at one moment, read out in portions while writes go on. Two things make that
//! possible without a copy. Values are shared and copied by whoever changes them (see [`Value`]). And the tables are
//! walked under a barrier: keys are numbered densely, a snapshot walks each database from the last number to the first,
//! and whoever is about to change or remove a key that a snapshot has not reached yet first gives it the key as it is
//! (a copy of some words). What is new since the snapshot began is told apart by its epoch. A removal moves the last key
//! into the hole; where that would carry a key from the part that was walked to the part that was not, its epoch is
//! raised, so that it is not given twice.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::random::Random;
use super::save;
use super::uses::{Clock, Use};
use super::value::{Blob, Value};
use crate::rdb::{Need, Needs};

/// The expiry of what does not expire.
pub const NEVER: i64 = i64::MIN;

/// A key's value and what goes with it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// When it expires, in milliseconds since 1970, or [`NEVER`].
    expires_at: i64,
    /// The snapshot epoch in which it was given or changed last.
    epoch: u32,
    /// When it was used last, or how often.
    pub used: Use,
}

impl Entry {
    /// When it expires, in milliseconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> Option<i64> {
        (self.expires_at != NEVER).then_some(self.expires_at)
    }

    /// Whether it has expired at this time.
    #[inline]
    #[must_use]
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at != NEVER && now > self.expires_at
    }
}

type Table = IndexMap<Blob, Entry, RandomState>;

/// A database.
#[derive(Debug, Default)]
struct Database {
    /// Not its number: SWAPDB exchanges numbers, and a snapshot must find what it was walking.
    identity: u64,
    table: Table,
    /// Keys with an expiry.
    volatile: usize,
    /// When keys expire, the soonest on top. An entry counts only if the key still expires then.
    due: BinaryHeap<Reverse<(i64, Blob)>>,
    /// Hashes of which fields expire.
    hashes: Hashes,
    /// Streams, and values of types that not every version has: what an RDB needs must be known without a look at all keys.
    streams: usize,
    opaque: usize,
}

impl Database {
    /// A value comes.
    fn count(&mut self, value: &Value) {
        self.streams += usize::from(matches!(value, Value::Stream(_)));
        self.opaque += usize::from(matches!(value, Value::Opaque(_)));
    }

    /// A value goes.
    fn discount(&mut self, value: &Value) {
        self.streams -= usize::from(matches!(value, Value::Stream(_)));
        self.opaque -= usize::from(matches!(value, Value::Opaque(_)));
    }
}

/// When the first field of a hash expires, by key and in order.
#[derive(Debug, Default)]
struct Hashes {
    by_key: HashMap<Blob, i64, RandomState>,
    due: BTreeSet<(i64, Blob)>,
}

impl Hashes {
    fn set(&mut self, key: &[u8], at: Option<i64>) {
        if at.is_none() && self.by_key.is_empty() || at.is_some() && self.by_key.get(key) == at.as_ref() {
            return;
        }
        if let Some((key, before)) = self.by_key.remove_entry(key) {
            self.due.remove(&(before, key));
        }
        if let Some(at) = at {
            let key = Blob::from(key);
            self.by_key.insert(key.clone(), at);
            self.due.insert((at, key));
        }
    }
}

/// A snapshot under way.
#[derive(Debug)]
struct Walk {
    id: SnapshotId,
    epoch: u32,
    /// The databases still to be walked, the last of them first.
    parts: Vec<Part>,
    /// Keys that were about to change.
    early: VecDeque<Taken>,
}

#[derive(Debug)]
struct Part {
    number: usize,
    identity: u64,
    /// Keys of this number and above were given.
    cursor: usize,
    /// The table, if it was flushed away meanwhile.
    detached: Option<Arc<Table>>,
}

/// Names a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotId(u64);

/// A key as a snapshot has it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The number of the database.
    pub db: usize,
    /// The key.
    pub key: Blob,
    /// The value.
    pub value: Value,
    /// When it expires, in milliseconds since 1970.
    pub expires_at: Option<i64>,
    /// When it was used last, or how often.
    pub used: Use,
}

/// All databases.
#[derive(Debug)]
pub struct Keyspace {
    databases: Vec<Database>,
    walks: Vec<Walk>,
    epoch: u32,
    identities: u64,
    snapshots: u64,
    /// By which uses of keys are noted.
    pub(super) clock: Clock,
}

/// Sizes of a database, as INFO and DBSIZE tell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Keys.
    pub keys: usize,
    /// Keys with an expiry.
    pub volatile: usize,
}

/// What a stream needs that has nothing but entries.
fn plain_streams() -> Needs {
    let mut needs = Needs::default();
    needs.add(Need::Streams);
    needs
}

impl Keyspace {
    /// So many empty databases.
    #[must_use]
    pub fn new(databases: usize) -> Self {
        let mut keyspace = Self {
            databases: Vec::new(),
            walks: Vec::new(),
            epoch: 0,
            identities: 0,
            snapshots: 0,
            clock: Clock::default(),
        };
        keyspace.grow(databases);
        keyspace
    }

    /// Makes sure that there are so many databases.
    pub fn grow(&mut self, databases: usize) {
        while self.databases.len() < databases {
            self.identities += 1;
            self.databases.push(Database { identity: self.identities, ..Database::default() });
        }
    }

    /// How many databases there are.
    #[must_use]
    pub fn databases(&self) -> usize {
        self.databases.len()
    }

    /// A database's sizes.
    #[must_use]
    pub fn size(&self, db: usize) -> Size {
        self.databases
            .get(db)
            .map_or_else(Size::default, |database| Size { keys: database.table.len(), volatile: database.volatile })
    }

    /// For how long the keys of a database that expire do so, on average over some of them, in milliseconds.
    #[must_use]
    pub fn average_ttl(&self, db: usize, now: i64) -> i64 {
        const SAMPLES: usize = 64;
        let Some(database) = self.databases.get(db) else { return 0 };
        let left = database.due.iter().take(SAMPLES).map(|Reverse((at, _))| at.saturating_sub(now).max(0));
        let (sum, count) = left.fold((0_i64, 0), |(sum, count), left| (sum.saturating_add(left), count + 1));
        if database.volatile == 0 || count == 0 { 0 } else { sum / count }
    }

    /// How many hashes of a database have fields that expire.
    #[must_use]
    pub fn volatile_hashes(&self, db: usize) -> usize {
        self.databases.get(db).map_or(0, |database| database.hashes.by_key.len())
    }

    /// A key, expired or not.
    #[inline]
    #[must_use]
    pub fn get(&self, db: usize, key: &[u8]) -> Option<&Entry> {
        self.databases.get(db)?.table.get(key)
    }

    /// A key by its dense number, for SCAN and RANDOMKEY: who counts down from [`Size::keys`] sees every key that is
    /// there all the time.
    #[must_use]
    pub fn by_index(&self, db: usize, index: usize) -> Option<(&Blob, &Entry)> {
        self.databases.get(db)?.table.get_index(index)
    }

    /// All keys of a database.
    pub fn iter(&self, db: usize) -> impl Iterator<Item = (&Blob, &Entry)> {
        self.databases.get(db).into_iter().flat_map(|database| &database.table)
    }

    /// The value of a key, to be changed.
    #[inline]
    pub fn value_mut(&mut self, db: usize, key: &[u8]) -> Option<&mut Value> {
        let index = self.databases.get(db)?.table.get_index_of(key)?;
        self.give(db, index);
        let (_, entry) = self.databases.get_mut(db)?.table.get_index_mut(index)?;
        Some(&mut entry.value)
    }

    /// The expiry of a hash's fields has changed.
    pub fn note_fields(&mut self, db: usize, key: &[u8]) {
        let Some(database) = self.databases.get_mut(db) else { return };
        let due = match database.table.get(key).map(|entry| &entry.value) {
            Some(Value::Hash(hash)) => hash.next_due(),
            _ => None,
        };
        database.hashes.set(key, due);
    }

    /// A hash of which a field has expired at this time.
    #[must_use]
    pub fn next_expired_field(&self, db: usize, now: i64) -> Option<Blob> {
        let (at, key) = self.databases.get(db)?.hashes.due.first()?;
        (now > *at).then(|| key.clone())
    }

    /// Gives a key a value, in place of one that it may have.
    pub fn insert(&mut self, db: usize, key: &[u8], value: Value, expires_at: i64) {
        if let Some(database) = self.databases.get_mut(db) {
            let due = match &value {
                Value::Hash(hash) if hash.volatile > 0 => hash.next_due(),
                _ => None,
            };
            database.hashes.set(key, due);
        }
        if let Some(index) = self.databases.get(db).and_then(|database| database.table.get_index_of(key)) {
            self.give(db, index);
            self.expire_at(db, index, expires_at);
            let Some(database) = self.databases.get_mut(db) else { return };
            database.count(&value);
            if let Some((_, entry)) = database.table.get_index_mut(index) {
                let before = std::mem::replace(&mut entry.value, value);
                database.discount(&before);
            }
            return;
        }
        let (epoch, used) = (self.epoch, Use::new(&self.clock));
        if let Some(database) = self.databases.get_mut(db) {
            let index = database.table.len();
            database.count(&value);
            database.table.insert(key.into(), Entry { value, expires_at: NEVER, epoch, used });
            self.expire_at(db, index, expires_at);
        }
    }

    /// Sets when a key expires, [`NEVER`] for not at all; tells whether there is such a key.
    pub fn set_expiry(&mut self, db: usize, key: &[u8], expires_at: i64) -> bool {
        let Some(index) = self.databases.get(db).and_then(|database| database.table.get_index_of(key)) else {
            return false;
        };
        self.give(db, index);
        self.expire_at(db, index, expires_at);
        true
    }

    fn expire_at(&mut self, db: usize, index: usize, expires_at: i64) {
        let Some(database) = self.databases.get_mut(db) else { return };
        let Some((key, entry)) = database.table.get_index_mut(index) else { return };
        let before = std::mem::replace(&mut entry.expires_at, expires_at);
        if before == expires_at {
            return;
        }
        database.volatile -= usize::from(before != NEVER);
        if expires_at != NEVER {
            database.volatile += 1;
            database.due.push(Reverse((expires_at, key.clone())));
            // Entries that no longer count are swept once they are the most.
            if database.due.len() > 2 * database.volatile + 1024 {
                let table = &database.table;
                database.due.retain(|Reverse((at, key))| table.get(key).is_some_and(|entry| entry.expires_at == *at));
            }
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, db: usize, key: &[u8]) -> Option<Entry> {
        let index = self.databases.get(db)?.table.get_index_of(key)?;
        self.give(db, index);
        self.keep_apart(db, index);
        let database = self.databases.get_mut(db)?;
        let (_, entry) = database.table.swap_remove_index(index)?;
        database.volatile -= usize::from(entry.expires_at != NEVER);
        database.hashes.set(key, None);
        database.discount(&entry.value);
        Some(entry)
    }

    /// A key that has expired at this time.
    pub fn next_expired(&mut self, db: usize, now: i64) -> Option<Blob> {
        let database = self.databases.get_mut(db)?;
        while let Some(Reverse((at, key))) = database.due.peek() {
            if database.table.get(key).is_none_or(|entry| entry.expires_at != *at) {
                database.due.pop();
            } else {
                return (now > *at).then(|| key.clone());
            }
        }
        None
    }

    /// The key that expires next.
    pub fn soonest(&mut self, db: usize) -> Option<Blob> {
        self.next_expired(db, i64::MAX)
    }

    /// Some key that expires, or, seldom, the one that does so next.
    pub(super) fn some_volatile(&mut self, db: usize, random: &mut Random) -> Option<Blob> {
        const TRIES: usize = 16;
        let database = self.databases.get(db)?;
        // Entries that no longer count stand among them: at most half, as a rule.
        let found = (0..TRIES).find_map(|_| {
            let Reverse((at, key)) = database.due.as_slice().get(random.below(database.due.len()))?;
            database.table.get(key).is_some_and(|entry| entry.expires_at == *at).then(|| key.clone())
        });
        found.or_else(|| self.soonest(db))
    }

    /// Empties a database; gives how many keys it had.
    pub fn clear(&mut self, db: usize) -> usize {
        self.identities += 1;
        let Some(database) = self.databases.get_mut(db) else { return 0 };
        let fresh = Database { identity: self.identities, ..Database::default() };
        let old = std::mem::replace(database, fresh);
        let keys = old.table.len();
        let waits = |part: &Part| part.identity == old.identity && part.detached.is_none();
        if self.walks.iter().flat_map(|walk| &walk.parts).any(waits) {
            let table = Arc::new(old.table);
            for part in self.walks.iter_mut().flat_map(|walk| &mut walk.parts) {
                if part.identity == old.identity {
                    part.detached = Some(table.clone());
                }
            }
        }
        keys
    }

    /// Takes the keys of another keyspace in place of all of its own.
    pub fn replace(&mut self, other: Self) {
        for db in 0..self.databases.len() {
            self.clear(db);
        }
        self.grow(other.databases.len());
        for (own, new) in self.databases.iter_mut().zip(other.databases) {
            *own = new;
        }
        // Identities and epochs of our own: both keyspaces count from one.
        for database in &mut self.databases {
            self.identities += 1;
            database.identity = self.identities;
            for (_, entry) in &mut database.table {
                entry.epoch = self.epoch;
            }
        }
    }

    /// What the keys need of an RDB's version. It takes no look at each of them unless some are of unusual types.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for database in &self.databases {
            if database.streams > 0 {
                needs.add(Need::Streams);
                // Whether one needs more changes with every command on it: they are looked for until one does.
                let streams = database.table.values().map(|entry| &entry.value);
                let streams = streams.filter(|value| matches!(value, Value::Stream(_))).take(database.streams);
                let mut needed = streams.map(save::needs);
                if let Some(most) = needed.find(|needs| *needs != plain_streams()) {
                    needs.merge(most);
                }
            }
            if !database.hashes.by_key.is_empty() {
                needs.add(Need::FieldExpiry);
            }
            if database.opaque > 0 {
                let values = database.table.values().map(|entry| &entry.value);
                values
                    .filter(|value| matches!(value, Value::Opaque(_)))
                    .for_each(|value| needs.merge(save::needs(value)));
            }
        }
        needs
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: usize, other: usize) {
        if one < self.databases.len() && other < self.databases.len() {
            self.databases.swap(one, other);
        }
    }

    /// Begins a snapshot.
    pub fn begin_snapshot(&mut self) -> SnapshotId {
        self.epoch += 1;
        self.snapshots += 1;
        let id = SnapshotId(self.snapshots);
        let parts = self.databases.iter().enumerate().rev().filter(|(_, database)| !database.table.is_empty());
        let parts = parts.map(|(number, database)| Part {
            number,
            identity: database.identity,
            cursor: database.table.len(),
            detached: None,
        });
        let walk = Walk { id, epoch: self.epoch, parts: parts.collect(), early: VecDeque::new() };
        self.walks.push(walk);
        id
    }

    /// Gives the next keys of a snapshot, about `limit`, or `false` where all were given; it is over then.
    pub fn next_of_snapshot(&mut self, id: SnapshotId, limit: usize, mut give: impl FnMut(Taken)) -> bool {
        let Some(at) = self.walks.iter().position(|walk| walk.id == id) else { return false };
        let Some(walk) = self.walks.get_mut(at) else { return false };
        let mut given = 0;
        while given < limit {
            if let Some(taken) = walk.early.pop_front() {
                give(taken);
                given += 1;
                continue;
            }
            let Some(part) = walk.parts.last_mut() else {
                self.walks.remove(at);
                return false;
            };
            let live = self.databases.iter().find(|database| database.identity == part.identity);
            let Some(table) = part.detached.as_deref().or(live.map(|database| &database.table)) else {
                walk.parts.pop();
                continue;
            };
            let Some(index) = part.cursor.checked_sub(1) else {
                walk.parts.pop();
                continue;
            };
            part.cursor = index;
            if let Some((key, entry)) = table.get_index(index)
                && entry.epoch < walk.epoch
            {
                give(taken(part.number, key, entry));
                given += 1;
            }
        }
        true
    }

    /// Gives a snapshot up.
    pub fn end_snapshot(&mut self, id: SnapshotId) {
        self.walks.retain(|walk| walk.id != id);
    }

    /// How many keys wait because they changed after a snapshot began and before it came to them.
    #[must_use]
    pub fn held_for_snapshots(&self) -> usize {
        self.walks.iter().map(|walk| walk.early.len()).sum()
    }

    /// The barrier: a key is about to change.
    #[inline]
    fn give(&mut self, db: usize, index: usize) {
        if !self.walks.is_empty() {
            self.give_to_snapshots(db, index);
        }
    }

    fn give_to_snapshots(&mut self, db: usize, index: usize) {
        let Some(database) = self.databases.get_mut(db) else { return };
        let Some((key, entry)) = database.table.get_index_mut(index) else { return };
        for walk in &mut self.walks {
            let waits = |part: &&Part| part.identity == database.identity && index < part.cursor;
            if entry.epoch < walk.epoch
                && let Some(part) = walk.parts.iter().find(waits)
            {
                walk.early.push_back(taken(part.number, key, entry));
            }
        }
        entry.epoch = self.epoch;
    }

    /// The key at `index` is about to be removed and the last one to take its place.
    fn keep_apart(&mut self, db: usize, index: usize) {
        let Some(database) = self.databases.get(db) else { return };
        let last = database.table.len().saturating_sub(1);
        let crosses = |part: &Part| part.identity == database.identity && index < part.cursor && last >= part.cursor;
        if self.walks.iter().flat_map(|walk| &walk.parts).any(crosses) {
            self.give_to_snapshots(db, last);
        }
    }
}

fn taken(db: usize, key: &Blob, entry: &Entry) -> Taken {
    let used = entry.used.clone();
    Taken { db, key: key.clone(), value: entry.value.clone(), expires_at: entry.expires_at(), used }
}

#[cfg(test)]
mod tests {
    /// Keys are many: what goes with a value must stay small.
    #[test]
    fn an_entry_has_five_words() {
        assert_eq!(size_of::<super::Entry>(), 40);
    }

    #[test]
    fn needs_are_known_without_a_look_at_each_key() {
        use crate::engine::testing::Play;
        let mut play = Play::new("redis-8.2");
        let version = |play: &Play| play.engine.keyspace.needs().lowest(crate::rdb::Format::Redis).unwrap().version;
        let lowest = version(&play);
        for (line, same) in [
            ("SET k v", true),
            ("XADD k2 1-1 a b", false),
            ("DEL k2", true),
            ("XADD s 1-1 a b", false),
            ("SET s x", true),
            ("HSET h f v", true),
            ("HPEXPIRE h 100000 FIELDS 1 f", false),
            ("HPERSIST h FIELDS 1 f", true),
            ("HPEXPIRE h 100000 FIELDS 1 f", false),
            ("RENAME h h2", false),
            ("XADD s2 1-1 a b", false),
            ("XGROUP CREATE s2 g 0", false),
            ("SWAPDB 0 1", false),
            ("FLUSHALL", true),
        ] {
            play.run(line);
            assert_eq!(version(&play) == lowest, same, "{line}");
            let all: crate::rdb::Needs = {
                let mut needs = crate::rdb::Needs::default();
                for db in 0..play.engine.keyspace.databases() {
                    play.engine.keyspace.iter(db).for_each(|(_, entry)| needs.merge(super::save::needs(&entry.value)));
                }
                needs
            };
            assert_eq!(play.engine.keyspace.needs(), all, "{line}");
        }
    }

    use super::super::value::Decimal;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Record = ((usize, Vec<u8>), (Vec<u8>, Option<i64>));
    type Content = BTreeMap<(usize, Vec<u8>), (Vec<u8>, Option<i64>)>;

    fn record(db: usize, key: &Blob, value: &Value, expires_at: Option<i64>) -> Record {
        let Value::String(text) = value else { panic!("only strings here") };
        ((db, key.to_vec()), (text.bytes(&mut Decimal::new()).to_vec(), expires_at))
    }

    fn content(keyspace: &Keyspace) -> Content {
        let keys = |db| keyspace.iter(db).map(move |(key, entry)| record(db, key, &entry.value, entry.expires_at()));
        (0..keyspace.databases()).flat_map(keys).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(usize, u8, u8, bool),
        Change(usize, u8),
        Expire(usize, u8),
        Remove(usize, u8),
        Clear(usize),
        Swap(usize, usize),
        Begin,
        Read(usize, usize),
        GiveUp(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let db = 0..3_usize;
        prop_oneof![
            6 => (db.clone(), 0..40_u8, any::<u8>(), any::<bool>()).prop_map(|(db, key, value, expires)| Step::Insert(db, key, value, expires)),
            3 => (db.clone(), 0..40_u8).prop_map(|(db, key)| Step::Change(db, key)),
            2 => (db.clone(), 0..40_u8).prop_map(|(db, key)| Step::Expire(db, key)),
            6 => (db.clone(), 0..40_u8).prop_map(|(db, key)| Step::Remove(db, key)),
            1 => db.clone().prop_map(Step::Clear),
            1 => (db.clone(), db).prop_map(|(one, other)| Step::Swap(one, other)),
            1 => Just(Step::Begin),
            4 => (0..4_usize, 1..6_usize).prop_map(|(snapshot, limit)| Step::Read(snapshot, limit)),
            1 => (0..4_usize).prop_map(Step::GiveUp),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_snapshot_is_what_the_keyspace_was(steps in prop::collection::vec(step(), 0..400)) {
            let mut keyspace = Keyspace::new(3);
            let mut open: Vec<(SnapshotId, Content, Vec<_>)> = Vec::new();
            let take = |taken: Taken| record(taken.db, &taken.key, &taken.value, taken.expires_at);
            for step in steps {
                match step {
                    Step::Insert(db, key, value, expires) => {
                        keyspace.insert(db, &[key], Value::from(&[value][..]), if expires { value.into() } else { NEVER });
                    }
                    Step::Change(db, key) => {
                        if let Some(Value::String(text)) = keyspace.value_mut(db, &[key]) {
                            text.growing().push(b'x');
                        }
                    }
                    Step::Expire(db, key) => {
                        keyspace.set_expiry(db, &[key], 7);
                    }
                    Step::Remove(db, key) => {
                        keyspace.remove(db, &[key]);
                    }
                    Step::Clear(db) => {
                        keyspace.clear(db);
                    }
                    Step::Swap(one, other) => keyspace.swap(one, other),
                    Step::Begin if open.len() < 4 => {
                        let content = content(&keyspace);
                        open.push((keyspace.begin_snapshot(), content, Vec::new()));
                    }
                    Step::Begin => {}
                    Step::Read(at, limit) if at < open.len() => {
                        let (id, _, seen) = &mut open[at];
                        if !keyspace.next_of_snapshot(*id, limit, |taken| seen.push(take(taken))) {
                            let (_, wanted, seen) = open.remove(at);
                            prop_assert_eq!(seen.len(), wanted.len());
                            prop_assert_eq!(seen.into_iter().collect::<Content>(), wanted);
                        }
                    }
                    Step::Read(..) => {}
                    Step::GiveUp(at) if at < open.len() => keyspace.end_snapshot(open.remove(at).0),
                    Step::GiveUp(_) => {}
                }
                for db in 0..3 {
                    let volatile = keyspace.iter(db).filter(|(_, entry)| entry.expires_at().is_some()).count();
                    prop_assert_eq!(keyspace.size(db).volatile, volatile);
                }
            }
            for (id, wanted, mut seen) in open {
                while keyspace.next_of_snapshot(id, 3, |taken| seen.push(take(taken))) {}
                prop_assert_eq!(seen.len(), wanted.len());
                prop_assert_eq!(seen.into_iter().collect::<Content>(), wanted);
            }
            prop_assert_eq!(keyspace.held_for_snapshots(), 0);
        }
    }

    #[test]
    fn expired_keys_come_in_order_and_only_if_they_still_expire() {
        let mut keyspace = Keyspace::new(1);
        for (key, at) in [("a", 30), ("b", 10), ("c", 20), ("d", 5)] {
            keyspace.insert(0, key.as_bytes(), Value::from(&b"v"[..]), at);
        }
        keyspace.set_expiry(0, b"b", NEVER);
        keyspace.remove(0, b"d");
        assert_eq!(keyspace.next_expired(0, 20), None);
        assert_eq!(keyspace.next_expired(0, 21).as_deref(), Some(&b"c"[..]));
        keyspace.remove(0, b"c");
        assert_eq!(keyspace.next_expired(0, 1000).as_deref(), Some(&b"a"[..]));
    }
}
