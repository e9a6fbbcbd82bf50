//! What a key means, as a few numbers: two dumps hold the same if their keys have the same prints.
//!
//! A [`KeyPrint`] does not depend on the encoding, the order in the file, the RDB version or the dialect. Lists and
//! streams are chained element by element; sets, hashes and sorted sets are sums over their elements, so that their order
//! does not matter. What an older version of the format cannot express is marked as unknown and then differs from
//! nothing. Idle times and access counters are no part of a key's meaning, and the order of a module's values is.
//!
//! Strings are hashed with XXH3, 128 bits: by accident two different values get the same print once in 2^128. It is no
//! cryptographic hash; who wants to can make two values that are taken for the same.
//!
//! [`Fingerprints`] hears a decoder. It may as well be told of values in memory, by the same calls in the same order:
//!
//! ```
//! use repltool::rdb::{Encoding, Fingerprints, Item, Key, KeyEnd, KeyName, KeyPrint, Piece, Prints, ValueType, Values};
//! #[derive(Default)]
//! struct Found(Vec<KeyPrint>);
//! impl Prints for Found {
//!     fn key(&mut self, _name: KeyName<'_>, print: &KeyPrint) {
//!         self.0.push(*print);
//!     }
//! }
//! let mut prints = Fingerprints::new(Found::default());
//! for members in [[b"a", b"b"], [b"b", b"a"]] {
//!     let (value_type, encoding) = (ValueType::Set, Encoding::Hashtable);
//!     prints.key(&Key {
//!         db: 0, name: b"set", name_length: 3, value_type, encoding, rdb_type: 2,
//!         expires_at_ms: None, idle: None, freq: None, offset: 0,
//!     });
//!     members.map(|member| prints.text(Item::Member, Piece::whole(member)));
//!     prints.key_end(KeyEnd { elements: 2, bytes: 0 });
//! }
//! assert_eq!(prints.sink().0[0], prints.sink().0[1]);
//! ```

use std::collections::HashMap;

use twox_hash::xxhash3_128::Hasher;

use super::values::{
    Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, StreamCounters, StreamId, ValueType, Values,
};
use crate::bounds::{MAX_LIBRARY_HEAD, MAX_RDB_WHOLE, MAX_TEMPLATE_PRINTS};

/// Is told of each key.
pub trait Prints {
    /// A key is complete.
    fn key(&mut self, name: KeyName<'_>, print: &KeyPrint);
    /// A function library, by its name (at most [`MAX_LIBRARY_HEAD`] bytes) and a hash of its code.
    fn function(&mut self, _name: &[u8], _code: u128) {}
}

/// A key's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyName<'a> {
    /// The database.
    pub db: u64,
    /// The name, its first [`MAX_RDB_WHOLE`] bytes.
    pub head: &'a [u8],
    /// Its length and hash, where it is longer than that.
    pub rest: Option<(u64, u128)>,
    /// Offset of the key's record in the RDB.
    pub offset: u64,
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPrint {
    /// The type.
    pub value_type: ValueType,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Elements, members, fields or entries; 1 for a string or module value.
    pub elements: u64,
    /// The value: bytes, elements, scores, fields, entries.
    pub value: u128,
    /// When which fields of a hash expire.
    pub field_expiries: u128,
    /// What KEY_META records say.
    pub metadata: u128,
    /// What only streams have.
    pub stream: StreamPrint,
}

/// What a stream has besides its entries. `None` where the RDB's version cannot tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPrint {
    /// The last id given.
    pub last_id: StreamId,
    /// First id, greatest deleted id, entries added; since STREAM_2.
    pub counters: Option<u128>,
    /// The groups: names, last ids, pending entries with their owners, times and counts, names of consumers.
    pub groups: u128,
    /// How many entries each group has read; since STREAM_2.
    pub entries_read: Option<u128>,
    /// When each consumer was seen last.
    pub seen: u128,
    /// When each was last given an entry; since STREAM_3.
    pub active: Option<u128>,
    /// Producers and the ids by which they make XADD idempotent; since STREAM_4.
    pub producers: Option<u128>,
}

/// In what two keys of the same name differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Difference {
    Type,
    Value,
    Expiry,
    FieldExpiry,
    Metadata,
    LastId,
    Counters,
    Groups,
    EntriesRead,
    ConsumerTimes,
    Producers,
}

impl Difference {
    /// The word for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Value => "value",
            Self::Expiry => "expiry",
            Self::FieldExpiry => "field-expiry",
            Self::Metadata => "metadata",
            Self::LastId => "last-id",
            Self::Counters => "counters",
            Self::Groups => "groups",
            Self::EntriesRead => "entries-read",
            Self::ConsumerTimes => "consumer-times",
            Self::Producers => "producers",
        }
    }
}

/// Whether both are known and not the same.
fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

impl KeyPrint {
    fn new(value_type: ValueType, expires_at_ms: Option<i64>) -> Self {
        Self {
            value_type,
            expires_at_ms,
            elements: 0,
            value: 0,
            field_expiries: 0,
            metadata: 0,
            stream: StreamPrint::default(),
        }
    }

    /// In what the two differ. Where their types do, their values are not compared.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let same_type = self.value_type == other.value_type;
        let (a, b) = (&self.stream, &other.stream);
        [
            (!same_type, Difference::Type),
            (same_type && (self.value != other.value || self.elements != other.elements), Difference::Value),
            (self.expires_at_ms != other.expires_at_ms, Difference::Expiry),
            (same_type && self.field_expiries != other.field_expiries, Difference::FieldExpiry),
            (self.metadata != other.metadata, Difference::Metadata),
            (same_type && a.last_id != b.last_id, Difference::LastId),
            (same_type && differ(a.counters, b.counters), Difference::Counters),
            (same_type && a.groups != b.groups, Difference::Groups),
            (same_type && differ(a.entries_read, b.entries_read), Difference::EntriesRead),
            (same_type && (a.seen != b.seen || differ(a.active, b.active)), Difference::ConsumerTimes),
            (same_type && differ(a.producers, b.producers), Difference::Producers),
        ]
        .into_iter()
        .filter_map(|(differs, difference)| differs.then_some(difference))
        .collect()
    }
}

/// Mixes the bits: a bijection, two rounds of odd multipliers and shifts.
#[inline]
fn mix(mut bits: u128) -> u128 {
    bits = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    bits ^= bits >> 67;
    bits = bits.wrapping_mul(0xd6e8_feb8_6659_fd93_a076_1d64_78bd_642f);
    bits ^ (bits >> 61)
}

/// What has come so far, and now this.
#[inline]
fn chain(before: u128, next: u128) -> u128 {
    mix(before ^ next).wrapping_add(before.rotate_left(32))
}

fn id(id: StreamId) -> u128 {
    u128::from(id.ms) << 64 | u128::from(id.seq)
}

fn time(ms: i64) -> u128 {
    u128::from(ms.cast_unsigned())
}

/// Equal scores have equal bits: encodings lose the sign of zero, and one NaN is as good as another.
#[inline]
fn score_bits(score: f64) -> u128 {
    let score = if score.is_nan() { f64::NAN } else { score + 0.0 };
    score.to_bits().into()
}

/// A number in a module's value; its kind counts.
fn number(number: Number) -> u128 {
    let (kind, bits): (u128, u64) = match number {
        Number::Signed(value) => (1, value.cast_unsigned()),
        Number::Unsigned(value) => (2, value),
        Number::Float(value) => (3, value.to_bits().into()),
        Number::Double(value) => (4, value.to_bits()),
    };
    kind << 64 | u128::from(bits)
}

/// A group under way.
#[derive(Clone, Copy, Default)]
struct Group {
    name: u128,
    last_id: u128,
    /// The consumer under way.
    consumer: u128,
    pending: u128,
    owned: u128,
    consumers: u128,
}

/// What the strings and numbers that come belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Key,
    Metadata,
    Function,
    Template,
    Other,
}

/// Makes the print of each key, and tells `S` of it.
pub struct Fingerprints<S> {
    sink: S,
    part: Part,
    print: KeyPrint,
    metadata: u128,
    db: u64,
    offset: u64,
    name: Vec<u8>,
    name_rest: Option<(u64, u128)>,
    /// Hashes a string that comes in pieces.
    pieces: Option<Box<Hasher>>,
    /// The field, member, or index of the element under way; the value or the stream entry so far.
    first: u128,
    second: u128,
    group: Group,
    /// The beginning of a function library's code.
    library: Vec<u8>,
    /// Hashes of the fields of the templates, as far as they are held; the template in use, and the place in it.
    templates: HashMap<u64, Vec<u128>>,
    held: usize,
    template: Option<(u64, usize)>,
}

impl<S> std::fmt::Debug for Fingerprints<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprints").field("print", &self.print).finish_non_exhaustive()
    }
}

impl<S: Prints> Fingerprints<S> {
    /// A maker of prints.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            part: Part::Other,
            print: KeyPrint::new(ValueType::String, None),
            metadata: 0,
            db: 0,
            offset: 0,
            name: Vec::new(),
            name_rest: None,
            pieces: None,
            first: 0,
            second: 0,
            group: Group::default(),
            library: Vec::new(),
            templates: HashMap::new(),
            held: 0,
            template: None,
        }
    }

    /// Who is told.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Gives back who was told.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// The hash of a string, once it is complete.
    #[inline]
    fn hash(&mut self, piece: Piece<'_>) -> Option<u128> {
        if piece.is_first() && piece.is_last() {
            return Some(Hasher::oneshot(piece.bytes));
        }
        self.hash_piece(piece)
    }

    #[cold]
    fn hash_piece(&mut self, piece: Piece<'_>) -> Option<u128> {
        if piece.is_first() {
            self.pieces = Some(Box::new(Hasher::new()));
        }
        let hasher = self.pieces.as_mut()?;
        hasher.write(piece.bytes);
        let hash = hasher.finish_128();
        if piece.is_last() {
            self.pieces = None;
            return Some(hash);
        }
        None
    }

    /// The hash of the field that the template in use has at this place.
    fn template_field(&mut self) {
        if let Some((template, place)) = &mut self.template {
            let fields = self.templates.get(template);
            let unknown = || chain((*template).into(), *place as u128);
            self.first = fields.and_then(|fields| fields.get(*place)).copied().unwrap_or_else(unknown);
            *place += 1;
        }
    }

    fn told(&mut self, item: Item, hash: u128) {
        let print = &mut self.print;
        match item {
            Item::String => print.value = hash,
            Item::Element => print.value = chain(print.value, hash),
            Item::Member if print.value_type == ValueType::SortedSet => self.first = hash,
            Item::Member => print.value = print.value.wrapping_add(mix(hash)),
            Item::Field => self.first = hash,
            Item::Value => {
                self.template_field();
                self.second = hash;
            }
            Item::StreamField | Item::StreamValue => self.second = chain(self.second, hash),
            Item::GroupName => self.group = Group { name: hash, ..Group::default() },
            Item::ConsumerName => self.group.consumer = hash,
            Item::Producer | Item::ProducerItem => self.producers(item, hash),
            Item::ModuleString => self.module_part(chain(5, hash)),
            Item::Cell => print.value = print.value.wrapping_add(chain(self.first, hash)),
            _ => {}
        }
    }

    fn producers(&mut self, item: Item, value: u128) {
        let before = self.print.stream.producers.unwrap_or(0);
        self.print.stream.producers = Some(chain(chain(before, item as u128), value));
    }

    /// One of the values of a module, or of a key's metadata.
    fn module_part(&mut self, hash: u128) {
        match self.part {
            Part::Key => self.print.value = chain(self.print.value, hash),
            Part::Metadata => self.metadata = chain(self.metadata, hash),
            _ => {}
        }
    }

    /// A piece of a library's code, whose first line tells its name: `#!lua name=library`.
    fn library(&mut self, piece: Piece<'_>) {
        let room = MAX_LIBRARY_HEAD - self.library.len().min(MAX_LIBRARY_HEAD);
        self.library.extend_from_slice(piece.bytes.get(..piece.bytes.len().min(room)).unwrap_or_default());
        if let Some(hash) = self.hash(piece) {
            self.sink.function(library_name(&self.library), hash);
        }
    }
}

/// The name in the first line of a function library's code.
#[must_use]
pub fn library_name(code: &[u8]) -> &[u8] {
    let line = code.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.split(u8::is_ascii_whitespace).find_map(|word| word.strip_prefix(b"name=")).unwrap_or_default()
}

impl<S: Prints> Values for Fingerprints<S> {
    fn select(&mut self, db: u64) {
        self.db = db;
    }

    fn record(&mut self, opcode: Opcode) {
        self.part = match opcode.name {
            "KEY_META" => Part::Metadata,
            "FUNCTION2" => Part::Function,
            "HASH_TEMPLATE" => Part::Template,
            _ => Part::Other,
        };
        self.library.clear();
    }

    fn record_end(&mut self, _: Opcode) {
        self.part = Part::Other;
    }

    fn key(&mut self, key: &Key<'_>) {
        self.part = Part::Key;
        (self.db, self.offset) = (key.db, key.offset);
        if key.name_length <= MAX_RDB_WHOLE as u64 {
            self.name.clear();
            self.name.extend_from_slice(key.name);
            self.name_rest = None;
        }
        self.print = KeyPrint::new(key.value_type, key.expires_at_ms);
        self.print.metadata = std::mem::take(&mut self.metadata);
        self.template = None;
    }

    fn key_end(&mut self, end: KeyEnd) {
        self.part = Part::Other;
        self.print.elements = end.elements;
        let name = KeyName { db: self.db, head: &self.name, rest: self.name_rest, offset: self.offset };
        self.sink.key(name, &self.print);
    }

    #[inline]
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        match (item, self.part) {
            (Item::LongKey, _) => {
                if piece.is_first() {
                    self.name.clear();
                }
                let room = MAX_RDB_WHOLE - self.name.len().min(MAX_RDB_WHOLE);
                self.name.extend_from_slice(piece.bytes.get(..piece.bytes.len().min(room)).unwrap_or_default());
                if let Some(hash) = self.hash(piece) {
                    self.name_rest = Some((piece.total, hash));
                }
            }
            (_, Part::Key) => {
                if let Some(hash) = self.hash(piece) {
                    self.told(item, hash);
                }
            }
            (Item::ModuleString, Part::Metadata) => {
                if let Some(hash) = self.hash(piece) {
                    self.module_part(chain(5, hash));
                }
            }
            (Item::Function, _) => self.library(piece),
            (Item::TemplateField, Part::Template) => {
                if let Some(hash) = self.hash(piece)
                    && let Some((template, _)) = self.template
                    && self.held < MAX_TEMPLATE_PRINTS
                {
                    self.held += 1;
                    self.templates.entry(template).or_default().push(hash);
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, item: Item, value: u64) {
        match (item, self.part) {
            (Item::TemplateId, _) => self.template = Some((value, 0)),
            (Item::MetaClass, Part::Metadata) => self.metadata = chain(chain(self.metadata, 6), value.into()),
            (Item::Index, Part::Key) => self.first = chain(7, value.into()),
            (Item::InsertIndex, Part::Key) => {
                self.print.value = self.print.value.wrapping_add(chain(8, value.into()));
            }
            (Item::Rate, Part::Key) => self.print.value = mix(value.into()),
            // How often XADD was idempotent is told with the rest.
            (
                Item::DedupDuration
                | Item::DedupEntries
                | Item::DedupAdded
                | Item::DedupRepeated
                | Item::ProducerItemMs
                | Item::ProducerItemSeq,
                Part::Key,
            ) => self.producers(item, value.into()),
            _ => {}
        }
    }

    #[inline]
    fn score(&mut self, score: f64) {
        self.print.value = self.print.value.wrapping_add(chain(self.first, score_bits(score)));
    }

    #[inline]
    fn field_end(&mut self, expires_at_ms: Option<i64>) {
        self.print.value = self.print.value.wrapping_add(chain(self.first, self.second));
        if let Some(ms) = expires_at_ms {
            self.print.field_expiries = self.print.field_expiries.wrapping_add(chain(self.first, time(ms)));
        }
    }

    fn stream_entry(&mut self, entry: StreamId, _: u64) {
        self.second = chain(0, id(entry));
    }

    fn stream_entry_end(&mut self) {
        self.print.value = chain(self.print.value, self.second);
    }

    fn stream(&mut self, counters: &StreamCounters) {
        let stream = &mut self.print.stream;
        stream.last_id = counters.last_id;
        stream.counters = counters.entries_added.map(|added| {
            let ids = [counters.first_id, counters.max_deleted_id].map(|half| id(half.unwrap_or_default()));
            ids.into_iter().fold(added.into(), chain)
        });
        stream.entries_read = counters.entries_added.map(|_| 0);
        stream.active = Some(0);
    }

    fn group(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.group.last_id = id(last_id);
        if let Some(sum) = &mut self.print.stream.entries_read {
            let read = entries_read.map_or(u128::MAX, Into::into);
            *sum = sum.wrapping_add(chain(self.group.name, read));
        }
    }

    fn pending(&mut self, pending: Pending) {
        let hash = chain(chain(id(pending.id), time(pending.delivered_ms)), pending.count.into());
        self.group.pending = self.group.pending.wrapping_add(hash);
    }

    fn consumer(&mut self, seen_ms: i64, active_ms: Option<i64>) {
        self.group.consumers = self.group.consumers.wrapping_add(mix(self.group.consumer));
        let owner = chain(self.group.name, self.group.consumer);
        let stream = &mut self.print.stream;
        stream.seen = stream.seen.wrapping_add(chain(owner, time(seen_ms)));
        stream.active = match (stream.active, active_ms) {
            (Some(sum), Some(ms)) => Some(sum.wrapping_add(chain(owner, time(ms)))),
            _ => None,
        };
    }

    fn owned(&mut self, entry: StreamId) {
        self.group.owned = self.group.owned.wrapping_add(chain(self.group.consumer, id(entry)));
    }

    fn unowned(&mut self, entry: StreamId) {
        self.group.owned = self.group.owned.wrapping_add(chain(9, id(entry)));
    }

    fn group_end(&mut self) {
        let group = &self.group;
        let hash = [group.last_id, group.pending, group.owned, group.consumers].into_iter().fold(group.name, chain);
        self.print.stream.groups = self.print.stream.groups.wrapping_add(hash);
    }

    fn module(&mut self, module: ModuleId) {
        self.module_part(chain(10, module.0.into()));
    }

    fn module_number(&mut self, value: Number) {
        self.module_part(number(value));
    }

    fn cell_number(&mut self, value: Number) {
        // A cell is a string, and a number only to be short.
        let hash = match value {
            Number::Signed(value) => Hasher::oneshot(super::text::Decimal::new(value).as_bytes()),
            other => number(other),
        };
        self.print.value = self.print.value.wrapping_add(chain(self.first, hash));
    }
}

const TYPES: [ValueType; 9] = [
    ValueType::String,
    ValueType::List,
    ValueType::Set,
    ValueType::SortedSet,
    ValueType::Hash,
    ValueType::Stream,
    ValueType::Module,
    ValueType::Array,
    ValueType::RateLimit,
];

/// A number that may be missing, as two.
fn optional<T: Default>(value: Option<T>) -> (u8, T) {
    match value {
        Some(value) => (1, value),
        None => (0, T::default()),
    }
}

impl KeyPrint {
    /// Appends the print's bytes, for [`KeyPrint::decode`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (expires, at) = optional(self.expires_at_ms);
        let stream = &self.stream;
        out.push(TYPES.iter().position(|known| *known == self.value_type).unwrap_or(0) as u8);
        out.push(expires);
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&self.elements.to_le_bytes());
        out.extend_from_slice(&self.value.to_le_bytes());
        let plain = self.field_expiries == 0 && self.metadata == 0 && *stream == StreamPrint::default();
        // Most keys have no more.
        if plain {
            return;
        }
        for number in [self.field_expiries, self.metadata, id(stream.last_id), stream.groups, stream.seen] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [stream.counters, stream.entries_read, stream.active, stream.producers] {
            let (known, number) = optional(number);
            out.push(known);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// The print that these bytes begin with: what [`KeyPrint::encode`] has written. `None` where they are too few.
    #[must_use]
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        let value_type = *TYPES.get(usize::from(*from.split_off_first()?))?;
        let expires = *from.split_off_first()? == 1;
        let at = i64::from_le_bytes(array(from)?);
        let mut print = Self::new(value_type, expires.then_some(at));
        print.elements = u64::from_le_bytes(array(from)?);
        print.value = u128::from_le_bytes(array(from)?);
        if from.is_empty() {
            return Some(print);
        }
        let mut next = || array(from).map(u128::from_le_bytes);
        (print.field_expiries, print.metadata) = (next()?, next()?);
        let last_id = next()?;
        let stream = &mut print.stream;
        (stream.groups, stream.seen) = (next()?, next()?);
        stream.last_id = StreamId { ms: (last_id >> 64) as u64, seq: last_id as u64 };
        for place in [&mut stream.counters, &mut stream.entries_read, &mut stream.active, &mut stream.producers] {
            let known = *from.split_off_first()? == 1;
            let number = u128::from_le_bytes(array(from)?);
            *place = known.then_some(number);
        }
        Some(print)
    }
}

fn array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*array)
}

#[cfg(test)]
mod tests;
