//! From an RDB to a keyspace, key by key as the bytes come.
//!
//! A [`Loader`] fills a keyspace of its own; whoever loads a snapshot from a master keeps the old one until the new one is
//! whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keyspace::{Keyspace, NEVER};
use super::uses::Clock;
use super::value::{Blob, Consumer, Field, Group, Hash, List, Pending, Set, SortedSet, Stream, Text, Value};
use crate::bounds::MAX_DATABASES;
use crate::rdb::{
    self, Array, Cell, Checksum, Header, Item, Key, KeyEnd, ModuleId, ModulePart, Number, Opcode, Piece,
    StreamCounters, StreamId, ValueType, Values,
};

/// What an RDB held.
#[derive(Debug)]
pub struct Loaded {
    /// The keys.
    pub keyspace: Keyspace,
    /// Function libraries by name.
    pub functions: BTreeMap<Blob, Blob>,
    /// The facts about the dump: `repl-id`, `repl-offset`, `repl-stream-db` and others.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// The version.
    pub header: Option<Header>,
    /// The checksum's verdict, once the end has come.
    pub checksum: Option<Checksum>,
    /// Keys that had expired and were left out.
    pub expired: u64,
    /// Empty collections, which servers leave out, too.
    pub empty: u64,
    /// Why it must not be taken although it could be read: a key that stands twice.
    pub fault: Option<String>,
}

/// Builds a keyspace from what a [`rdb::Decoder`] tells.
#[derive(Debug)]
pub struct Loader {
    loaded: Loaded,
    /// Keys that have expired at this time are left out: masters do so, replicas leave it to their master.
    expire_at: Option<i64>,
    key: Vec<u8>,
    db: usize,
    expires_at: i64,
    /// For how many seconds the key was not used, or how often it was, as the RDB says.
    used: (Option<u64>, Option<u8>),
    value: Building,
    /// A string that comes in pieces.
    pieces: Vec<u8>,
    /// A member, field or name whose value follows.
    name: Blob,
    aux_key: Vec<u8>,
}

/// The value under way.
#[derive(Debug, Default)]
enum Building {
    #[default]
    Nothing,
    Text(Text),
    List(List),
    Set(Set),
    SortedSet(SortedSet),
    Hash {
        hash: Hash,
        value: Blob,
    },
    Stream {
        stream: Stream,
        id: StreamId,
        words: Vec<Blob>,
        group: Blob,
        consumer: Blob,
    },
    Module {
        id: ModuleId,
        parts: Vec<ModulePart>,
    },
    Array {
        array: Array,
        index: u64,
    },
    RateLimit(u64),
}

impl super::Engine {
    /// Scripts that masters from 4.0 to 6.2 put into their RDBs, for the EVALSHA that is to come.
    #[cfg_attr(not(feature = "scripts"), allow(unused_variables, clippy::unused_self))]
    pub fn load_scripts(&mut self, aux: &[(Vec<u8>, Vec<u8>)]) {
        #[cfg(feature = "scripts")]
        for (_, text) in aux.iter().filter(|(name, _)| name == b"lua") {
            // One that does not compile is not called either.
            let _ = self.scripts.load(text, self.dialect, true);
        }
    }
}

impl Loader {
    /// Fills an empty keyspace of so many databases, more if the RDB has more. With a time, keys that have expired then
    /// are left out.
    #[must_use]
    pub fn new(databases: usize, expire_at: Option<i64>) -> Self {
        let loaded = Loaded {
            keyspace: Keyspace::new(databases),
            functions: BTreeMap::new(),
            aux: Vec::new(),
            header: None,
            checksum: None,
            expired: 0,
            empty: 0,
            fault: None,
        };
        Self {
            loaded,
            expire_at,
            key: Vec::new(),
            db: 0,
            expires_at: NEVER,
            used: (None, None),
            value: Building::Nothing,
            pieces: Vec::new(),
            name: Blob::from(&[][..]),
            aux_key: Vec::new(),
        }
    }

    /// Keys are used when this clock says, unless the RDB knows better.
    #[must_use]
    pub fn by_clock(mut self, clock: Clock) -> Self {
        self.loaded.keyspace.clock = clock;
        self
    }

    /// What was loaded.
    #[must_use]
    pub fn finish(self) -> Loaded {
        self.loaded
    }

    fn group(&mut self) -> Option<&mut Group> {
        let Building::Stream { stream, group, .. } = &mut self.value else { return None };
        stream.groups.get_mut(group)
    }

    /// A whole byte string.
    fn whole(&mut self, item: Item, bytes: &[u8]) {
        match (&mut self.value, item) {
            (Building::Text(text), Item::String) => *text = bytes.into(),
            (Building::List(list), Item::Element) => list.push_back(bytes.into()),
            (Building::Set(set), Item::Member) => {
                set.insert(bytes.into());
            }
            (Building::Stream { words, .. }, Item::StreamField | Item::StreamValue) => words.push(bytes.into()),
            (Building::Stream { stream, group, .. }, Item::GroupName) => {
                *group = bytes.into();
                stream.groups.insert(group.clone(), Group::default());
            }
            (Building::Stream { consumer, .. }, Item::ConsumerName) => *consumer = bytes.into(),
            (Building::Hash { value, .. }, Item::Value) => *value = bytes.into(),
            (_, Item::Member | Item::Field) => self.name = bytes.into(),
            (Building::Module { parts, .. }, Item::ModuleString) => parts.push(ModulePart::String(bytes.to_vec())),
            (Building::Array { array, index }, Item::Cell) => array.slots.push((*index, Cell::String(bytes.to_vec()))),
            (_, Item::AuxKey) => self.aux_key = bytes.to_vec(),
            (_, Item::AuxValue) => self.loaded.aux.push((std::mem::take(&mut self.aux_key), bytes.to_vec())),
            (_, Item::Function) => {
                // One that does not say it is known by its code.
                let name = Some(rdb::library_name(bytes)).filter(|name| !name.is_empty()).unwrap_or(bytes);
                self.loaded.functions.insert(name.into(), bytes.into());
            }
            (_, Item::LongKey) => self.key = bytes.to_vec(),
            _ => {}
        }
    }
}

impl Values for Loader {
    fn header(&mut self, header: Header) {
        self.loaded.header = Some(header);
    }

    fn key(&mut self, key: &Key<'_>) {
        // A very long name has come in pieces before.
        if key.name_length == key.name.len() as u64 {
            self.key.clear();
            self.key.extend_from_slice(key.name);
        }
        self.db = usize::try_from(key.db).unwrap_or(usize::MAX);
        self.expires_at = key.expires_at_ms.unwrap_or(NEVER);
        self.used = (key.idle, key.freq);
        self.value = match key.value_type {
            ValueType::String => Building::Text(Text::Integer(0)),
            ValueType::List => Building::List(List::new()),
            ValueType::Set => Building::Set(Set::default()),
            ValueType::SortedSet => Building::SortedSet(SortedSet::default()),
            ValueType::Hash => Building::Hash { hash: Hash::default(), value: Blob::from(&[][..]) },
            ValueType::Stream => Building::Stream {
                stream: Stream::default(),
                id: StreamId::default(),
                words: Vec::new(),
                group: Blob::from(&[][..]),
                consumer: Blob::from(&[][..]),
            },
            ValueType::Module => Building::Module { id: ModuleId(0), parts: Vec::new() },
            ValueType::Array => Building::Array { array: Array::default(), index: 0 },
            ValueType::RateLimit => Building::RateLimit(0),
        };
    }

    fn key_end(&mut self, _: KeyEnd) {
        let value = match std::mem::take(&mut self.value) {
            Building::Nothing => None,
            Building::Text(text) => Some(Value::String(text)),
            Building::List(list) => (!list.is_empty()).then(|| Value::List(Arc::new(list))),
            Building::Set(set) => (!set.is_empty()).then(|| Value::Set(Arc::new(set))),
            Building::SortedSet(set) => (!set.is_empty()).then(|| Value::SortedSet(Arc::new(set))),
            Building::Hash { hash, .. } => (!hash.fields.is_empty()).then(|| Value::Hash(Arc::new(hash))),
            Building::Stream { stream, .. } => Some(Value::Stream(Arc::new(stream))),
            Building::Module { id, parts } => Some(Value::Opaque(Arc::new(rdb::Value::Module(id, parts)))),
            Building::Array { array, .. } => Some(Value::Opaque(Arc::new(rdb::Value::Array(array)))),
            Building::RateLimit(rate) => Some(Value::Opaque(Arc::new(rdb::Value::RateLimit(rate)))),
        };
        let Some(value) = value else {
            self.loaded.empty += 1;
            return;
        };
        if self.expires_at != NEVER && self.expire_at.is_some_and(|now| now > self.expires_at) {
            self.loaded.expired += 1;
            return;
        }
        if self.db >= MAX_DATABASES {
            self.loaded.fault.get_or_insert_with(|| format!("the RDB has a database {}", self.db));
            return;
        }
        self.loaded.keyspace.grow(self.db + 1);
        if self.loaded.keyspace.get(self.db, &self.key).is_some() {
            let key = self.key.escape_ascii().to_string();
            self.loaded.fault.get_or_insert_with(|| format!("the RDB has the key '{key}' twice"));
        }
        let keyspace = &mut self.loaded.keyspace;
        keyspace.insert(self.db, &self.key, value, self.expires_at);
        let (idle, frequency) = self.used;
        if (idle.is_some() || frequency.is_some())
            && let Some(entry) = keyspace.get(self.db, &self.key)
        {
            entry.used.restore(idle, frequency, &keyspace.clock);
        }
    }

    fn text(&mut self, item: Item, piece: Piece<'_>) {
        if piece.is_first() && piece.is_last() {
            return self.whole(item, piece.bytes);
        }
        if piece.is_first() {
            self.pieces.clear();
        }
        self.pieces.extend_from_slice(piece.bytes);
        if piece.is_last() {
            let bytes = std::mem::take(&mut self.pieces);
            self.whole(item, &bytes);
        }
    }

    fn number(&mut self, item: Item, number: u64) {
        match (&mut self.value, item) {
            (Building::Array { index, .. }, Item::Index) => *index = number,
            (Building::Array { array, .. }, Item::InsertIndex) => array.insert_index = Some(number),
            (Building::RateLimit(rate), Item::Rate) => *rate = number,
            _ => {}
        }
    }

    fn score(&mut self, score: f64) {
        if let Building::SortedSet(set) = &mut self.value {
            if score.is_nan() {
                self.loaded.fault.get_or_insert_with(|| "the RDB has a score that is not a number".to_owned());
            } else {
                set.insert(&self.name, score);
            }
        }
    }

    fn field_end(&mut self, expires_at_ms: Option<i64>) {
        if let Building::Hash { hash, value } = &mut self.value {
            let value = value.clone();
            hash.volatile += usize::from(expires_at_ms.is_some());
            hash.fields.insert(self.name.clone(), Field { value, expires_at: expires_at_ms.unwrap_or(NEVER) });
        }
    }

    fn stream_entry(&mut self, entry: StreamId, _: u64) {
        if let Building::Stream { id, words, .. } = &mut self.value {
            *id = entry;
            words.clear();
        }
    }

    fn stream_entry_end(&mut self) {
        if let Building::Stream { stream, id, words, .. } = &mut self.value {
            stream.entries.insert(*id, std::mem::take(words).into_boxed_slice());
        }
    }

    fn stream(&mut self, counters: &StreamCounters) {
        if let Building::Stream { stream, .. } = &mut self.value {
            stream.last_id = counters.last_id;
            stream.max_deleted_id = counters.max_deleted_id.unwrap_or_default();
            // What an old version does not have is made up as servers do that load it.
            stream.entries_added = counters.entries_added.unwrap_or(counters.length);
        }
    }

    fn group(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        if let Some(group) = self.group() {
            (group.last_id, group.entries_read) = (last_id, entries_read);
        }
    }

    fn pending(&mut self, pending: rdb::Pending) {
        if let Some(group) = self.group() {
            let rdb::Pending { id, delivered_ms, count } = pending;
            group.pending.insert(id, Pending { consumer: Blob::from(&[][..]), delivered_ms, count });
        }
    }

    fn consumer(&mut self, seen_ms: i64, active_ms: Option<i64>) {
        let Building::Stream { stream, group, consumer, .. } = &mut self.value else { return };
        if let Some(group) = stream.groups.get_mut(group) {
            let active_ms = active_ms.unwrap_or(seen_ms);
            group.consumers.insert(consumer.clone(), Consumer { seen_ms, active_ms, ..Consumer::default() });
        }
    }

    fn owned(&mut self, id: StreamId) {
        let Building::Stream { stream, group, consumer, .. } = &mut self.value else { return };
        let Some(group) = stream.groups.get_mut(group) else { return };
        if let Some(pending) = group.pending.get_mut(&id) {
            pending.consumer = consumer.clone();
        }
        if let Some(consumer) = group.consumers.get_mut(consumer) {
            consumer.pending.insert(id);
        }
    }

    fn module(&mut self, module: ModuleId) {
        if let Building::Module { id, .. } = &mut self.value {
            *id = module;
        }
    }

    fn module_number(&mut self, number: Number) {
        if let Building::Module { parts, .. } = &mut self.value {
            parts.push(match number {
                Number::Signed(number) => ModulePart::Signed(number),
                Number::Unsigned(number) => ModulePart::Unsigned(number),
                Number::Float(number) => ModulePart::Float(number),
                Number::Double(number) => ModulePart::Double(number),
            });
        }
    }

    fn cell_number(&mut self, number: Number) {
        if let Building::Array { array, index } = &mut self.value {
            array.slots.push((
                *index,
                match number {
                    Number::Double(number) => Cell::Double(number),
                    Number::Float(number) => Cell::Double(number.into()),
                    Number::Signed(number) => Cell::Integer(number),
                    Number::Unsigned(number) => Cell::Integer(number.cast_signed()),
                },
            ));
        }
    }

    fn record(&mut self, _: Opcode) {
        // Values of module aux records are nobody's here.
        self.value = Building::Nothing;
    }

    fn end(&mut self, checksum: Checksum) {
        self.loaded.checksum = Some(checksum);
    }
}
