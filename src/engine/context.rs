//! What a command sees and does while it runs.

use std::sync::Arc;

use super::clients::Session;
use super::core::{Engine, Request};
use super::error::CommandError;
use super::events::{Class, Wanted};
use super::keyspace::{Entry, NEVER};
use super::reply::Reply;
use super::uses::Use;
use super::value::{Blob, Hash, List, Set, SortedSet, Stream, Text, Value};

/// Who sent a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client: expired keys are not there, and what changes goes into the stream.
    Client,
    /// The master: expired keys are there until it deletes them, nothing is answered, and the stream is passed on as it
    /// came.
    Master,
}

/// One command under way.
pub struct Context<'a> {
    /// The engine.
    pub engine: &'a mut Engine,
    /// Whose command it is.
    pub session: &'a mut Session,
    /// Where the answer goes.
    pub reply: &'a mut Reply,
    /// Who sent it.
    pub origin: Origin,
    /// The time, in milliseconds since 1970: one for all of a transaction.
    pub now: i64,
    /// How much it has changed.
    pub changes: u64,
    /// Its effects are not the command itself.
    pub(super) effects_told: bool,
    /// Looking for a key counts for INFO's hits and misses: the command reads.
    pub(super) counts: bool,
    /// Looking for a key is a use of it.
    pub(super) touches: bool,
    /// Where the entry is that was used last, or [`JUST_MADE`].
    pub(super) used: usize,
    /// What only the server around the engine can do.
    pub request: Option<Request>,
}

/// In place of an entry's place: the key that is looked for next has just been made, which is no use of it.
const JUST_MADE: usize = usize::MAX;

/// The value of a key as one type.
macro_rules! typed {
    ($variant:ident, $type:ty, $read:ident, $change:ident, $make:ident, $what:literal) => {
        #[doc = concat!("A ", $what, ", if the key is there.")]
        ///
        /// # Errors
        /// [`CommandError::WRONG_TYPE`].
        pub fn $read(&mut self, key: &[u8]) -> Result<Option<&$type>, CommandError> {
            match self.value(key) {
                None => Ok(None),
                Some(Value::$variant(value)) => Ok(Some(value)),
                Some(_) => Err(CommandError::WRONG_TYPE),
            }
        }

        #[doc = concat!("A ", $what, " to change, if the key is there. Whoever empties it calls [`Context::settle`].")]
        ///
        /// # Errors
        /// [`CommandError::WRONG_TYPE`].
        pub fn $change(&mut self, key: &[u8]) -> Result<Option<&mut $type>, CommandError> {
            match self.value_mut(key) {
                None => Ok(None),
                Some(Value::$variant(value)) => Ok(Some(Arc::make_mut(value))),
                Some(_) => Err(CommandError::WRONG_TYPE),
            }
        }

        #[doc = concat!("A ", $what, " to change, made where there is none. Whoever leaves it empty calls [`Context::settle`].")]
        ///
        /// # Errors
        /// [`CommandError::WRONG_TYPE`].
        pub fn $make(&mut self, key: &[u8]) -> Result<&mut $type, CommandError> {
            if self.value(key).is_none() {
                let db = self.session.db;
                self.engine.keyspace.insert(db, key, Value::$variant(Arc::default()), NEVER);
                self.notify(Class::New, "new", key);
                self.used = JUST_MADE;
            }
            self.$change(key)?.ok_or(CommandError::NO_SUCH_KEY)
        }
    };
}

impl Context<'_> {
    /// Whether the key is there for who asks. A master deletes a key that it finds expired and tells its replicas.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        let db = self.session.db;
        let engine = &mut *self.engine;
        let found = engine.keyspace.get(db, key).map(|entry| {
            // Looking for it twice is one use.
            let place = std::ptr::from_ref(entry) as usize;
            if self.touches && place != self.used {
                if self.used != JUST_MADE {
                    entry.used.note(&engine.keyspace.clock, &mut engine.random);
                }
                self.used = place;
            }
            entry.is_expired(self.now)
        });
        let there = match found {
            Some(expired) => !expired || self.sees_expired(),
            None => false,
        };
        if self.counts {
            let stats = &mut self.engine.stats;
            *(if there { &mut stats.hits } else { &mut stats.misses }) += 1;
        }
        if !there && found.is_some() && self.engine.deletes_expired(self.now) {
            self.engine.expire(db, key);
        }
        if !there && self.counts {
            self.notify(Class::Miss, "keymiss", key);
        }
        there
    }

    /// Whether what has expired is there for who asks.
    pub(super) fn sees_expired(&self) -> bool {
        self.origin == Origin::Master || self.session.imports && self.engine.imports()
    }

    /// The time by which a walk through the keys takes one for expired.
    pub(super) fn expired_by(&self) -> i64 {
        if self.sees_expired() { i64::MIN } else { self.now }
    }

    /// Looks for keys as a command does that only reads, although this one writes: it counts for INFO's hits and misses.
    pub(super) fn reading<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.counts, self.origin == Origin::Client);
        let found = look(self);
        self.counts = before;
        found
    }

    /// The same, of what another key is to hold then: counted since 7.0.
    pub(super) fn reading_to_store<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        if self.engine.dialect.since(7, 0) { self.reading(look) } else { look(self) }
    }

    /// A key is about to get another value whatever it had: a master deletes one that has expired first, and tells its
    /// replicas.
    #[inline]
    pub fn make_way(&mut self, key: &[u8]) {
        // A master's commands find what is expired deleted already, so that there is nothing to look for.
        if self.origin == Origin::Client {
            self.exists(key);
        }
    }

    /// A key with its expiry.
    pub fn entry(&mut self, key: &[u8]) -> Option<&Entry> {
        if self.exists(key) { self.engine.keyspace.get(self.session.db, key) } else { None }
    }

    /// A key's value.
    #[inline]
    pub fn value(&mut self, key: &[u8]) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key's value, to change.
    pub fn value_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        if self.exists(key) { self.engine.keyspace.value_mut(self.session.db, key) } else { None }
    }

    typed!(List, List, list, list_mut, list_or_new, "list");
    typed!(Set, Set, set, set_mut, set_or_new, "set");
    typed!(SortedSet, SortedSet, sorted_set, sorted_set_mut, sorted_set_or_new, "sorted set");
    typed!(Hash, Hash, hash, hash_mut, hash_or_new, "hash");
    typed!(Stream, Stream, stream, stream_mut, stream_or_new, "stream");

    /// A string, if the key is there.
    ///
    /// # Errors
    /// [`CommandError::WRONG_TYPE`].
    pub fn string(&mut self, key: &[u8]) -> Result<Option<&Text>, CommandError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(CommandError::WRONG_TYPE),
        }
    }

    /// A string to change in place, made where there is none.
    ///
    /// # Errors
    /// [`CommandError::WRONG_TYPE`].
    pub fn string_or_new(&mut self, key: &[u8]) -> Result<&mut Text, CommandError> {
        if !self.exists(key) {
            let db = self.session.db;
            self.engine.keyspace.insert(db, key, Value::String(Text::Bytes(Blob::from(&[][..]))), NEVER);
            self.notify(Class::New, "new", key);
        }
        match self.engine.keyspace.value_mut(self.session.db, key) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(CommandError::WRONG_TYPE),
        }
    }

    /// Gives a key a value, in place of what it had, and an expiry ([`NEVER`] for none).
    pub fn put(&mut self, key: &[u8], value: Value, expires_at: i64) {
        if self.engine.events != Wanted::default() {
            self.notify_put(key, &value);
        }
        // Nobody has looked for it before.
        if self.origin == Origin::Master && self.touches {
            let engine = &mut *self.engine;
            if let Some(entry) = engine.keyspace.get(self.session.db, key) {
                entry.used.note(&engine.keyspace.clock, &mut engine.random);
            }
        }
        self.engine.keyspace.insert(self.session.db, key, value, expires_at);
    }

    /// A key has the uses of the one that it was before: until 7.2 made it a new one.
    pub(super) fn keep_use(&mut self, key: &[u8], before: &Use) {
        if !self.engine.dialect.since(7, 2)
            && let Some(entry) = self.engine.keyspace.get(self.session.db, key)
        {
            entry.used.copy(before);
        }
    }

    /// Sets when a key expires ([`NEVER`] for not at all); tells whether there is such a key.
    pub fn set_expiry(&mut self, key: &[u8], expires_at: i64) -> bool {
        self.engine.keyspace.set_expiry(self.session.db, key, expires_at)
    }

    /// Takes a key out, if it is there for who asks.
    pub fn take(&mut self, key: &[u8]) -> Option<Entry> {
        if self.exists(key) { self.engine.keyspace.remove(self.session.db, key) } else { None }
    }

    /// Takes a collection out that has become empty; tells whether it had. Whoever emptied it says so before
    /// ([`Context::notify`]): this tells of the deletion.
    pub fn settle(&mut self, key: &[u8]) -> bool {
        let db = self.session.db;
        let empty = match self.engine.keyspace.get(db, key).map(|entry| &entry.value) {
            Some(Value::List(list)) => list.is_empty(),
            Some(Value::Set(set)) => set.is_empty(),
            Some(Value::SortedSet(set)) => set.is_empty(),
            Some(Value::Hash(hash)) => hash.fields.is_empty(),
            _ => false,
        };
        if empty {
            self.engine.keyspace.remove(db, key);
            self.notify(Class::Generic, "del", key);
        }
        empty
    }

    /// Writes an answer while a value is borrowed: the reply is taken out of the context for so long.
    pub fn answer<T>(&mut self, write: impl FnOnce(&mut Self, &mut Reply) -> T) -> T {
        let mut reply = std::mem::take(self.reply);
        let written = write(self, &mut reply);
        *self.reply = reply;
        written
    }

    /// The client has to wait until one of these keys has something; its command runs again then. Whoever may not wait,
    /// in a transaction, is answered at once with what it would be answered when the time is over.
    pub fn block<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>, until: Option<i64>) {
        self.request = Some(Request::Block { keys: keys.map(Blob::from).collect(), until });
    }

    /// A key of the session's database has changed, in so many places: it counts for the stream, for WATCH and for those
    /// who wait for it.
    #[inline]
    pub fn changed(&mut self, key: &[u8], places: u64) {
        self.changes += places;
        self.engine.touch(self.session.db, key);
    }

    /// Groups of a stream have changed, or the numbers beside its entries: it counts for the stream, and nobody who watches
    /// or tracks the key is told. (Seen on 6.2 to 9.1.)
    #[inline]
    pub fn regrouped(&mut self, places: u64) {
        self.changes += places;
    }

    /// Something has happened to a key of the session's database, for those who listen to keyspace notifications.
    #[inline]
    pub fn notify(&mut self, class: Class, event: &str, key: &[u8]) {
        self.engine.notify(self.session.db, class, event, key);
    }

    /// A key is about to get a value: it is a new one, or another.
    #[cold]
    fn notify_put(&mut self, key: &[u8], value: &Value) {
        match self.engine.keyspace.get(self.session.db, key).map(|before| before.value.type_name()) {
            None => self.notify(Class::New, "new", key),
            Some(before) => self.notify_overwritten(key, before, value.type_name()),
        }
    }

    /// A key is deleted since it was to expire at a time that has passed. (Seen on 6.2 to 9.1.)
    pub(super) fn notify_past(&mut self, key: &[u8]) {
        match self.engine.dialect.is_valkey_since(8, 0) {
            true => self.notify(Class::Expired, "expired", key),
            false => self.notify(Class::Generic, "del", key),
        }
    }

    /// A key of one type has got another value, of the same or another type.
    pub(super) fn notify_overwritten(&mut self, key: &[u8], before: &str, after: &str) {
        self.notify(Class::Overwritten, "overwritten", key);
        if before != after {
            self.notify(Class::TypeChanged, "type_changed", key);
        }
    }

    /// A key has something that a blocked client may wait for.
    pub fn signal(&mut self, key: &[u8]) {
        self.engine.signal(self.session.db, key);
    }

    /// Whether it runs between MULTI and EXEC, where nothing waits.
    #[must_use]
    pub fn is_in_transaction(&self) -> bool {
        self.session.executes
    }

    /// The command's effect, or one of them, in its place.
    pub fn propagate(&mut self, words: &[&[u8]]) {
        self.effects_told = true;
        if self.origin == Origin::Client {
            self.engine.stream.push(self.session.db, words.iter().copied());
        }
    }

    /// Nothing of this command goes into the stream.
    pub fn keep_from_stream(&mut self) {
        self.effects_told = true;
    }

    /// The name by which a deletion that nobody asked for goes into the stream.
    #[must_use]
    pub fn delete_word(&self) -> &'static [u8] {
        self.engine.delete_word()
    }
}
