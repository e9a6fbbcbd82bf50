//! Values held whole: plain structures, for whoever needs a whole value at a time, and what collects them.
//!
//! The decoder tells a value element by element and holds none; [`Collector`] puts one record together at a time and
//! hands it on. Its memory is that of one record, with a bound that its owner chooses.

use super::grammar::Header;
use super::values::{
    Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, StreamCounters, StreamId, ValueType, Values,
};
use super::walk::Checksum;
use super::writer::{Need, Needs};

/// A value of any type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    String(Vec<u8>),
    /// A list, from head to tail.
    List(Vec<Vec<u8>>),
    /// A set, in the order of the file.
    Set(Vec<Vec<u8>>),
    /// A sorted set's members and scores, in the order of the file.
    SortedSet(Vec<(Vec<u8>, f64)>),
    /// A hash, in the order of the file.
    Hash(Vec<Field>),
    /// A stream.
    Stream(Box<Stream>),
    /// A module's value.
    Module(ModuleId, Vec<ModulePart>),
    /// A sparse array.
    Array(Array),
    /// A rate limit.
    RateLimit(u64),
}

impl Value {
    /// The type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::String(_) => ValueType::String,
            Self::List(_) => ValueType::List,
            Self::Set(_) => ValueType::Set,
            Self::SortedSet(_) => ValueType::SortedSet,
            Self::Hash(_) => ValueType::Hash,
            Self::Stream(_) => ValueType::Stream,
            Self::Module(..) => ValueType::Module,
            Self::Array(_) => ValueType::Array,
            Self::RateLimit(_) => ValueType::RateLimit,
        }
    }

    /// What a version must be able to hold for it.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        let mut long = |length: usize| {
            if u32::try_from(length).is_err() {
                needs.add(Need::LongLength);
            }
        };
        match self {
            Self::String(bytes) => long(bytes.len()),
            Self::List(elements) | Self::Set(elements) => {
                long(elements.len());
                elements.iter().for_each(|element| long(element.len()));
            }
            Self::SortedSet(members) => {
                long(members.len());
                members.iter().for_each(|(member, _)| long(member.len()));
            }
            Self::Hash(fields) => {
                long(fields.len());
                fields.iter().for_each(|field| long(field.name.len().max(field.value.len())));
                if fields.iter().any(|field| field.expires_at_ms.is_some()) {
                    needs.add(Need::FieldExpiry);
                }
            }
            Self::Stream(stream) => needs.merge(stream.needs()),
            Self::Module(..) => needs.add(Need::Modules),
            Self::Array(_) => needs.add(Need::Array),
            Self::RateLimit(_) => needs.add(Need::RateLimit),
        }
        needs
    }
}

/// A hash's field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

/// The fields and values of a stream's entry, in order.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The ids that a producer gave its items, and the entries that they became.
pub type ProducerItems = Vec<(Vec<u8>, StreamId)>;

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stream {
    /// The entries with their fields and values, without the deleted ones.
    pub entries: Vec<(StreamId, Pairs)>,
    pub counters: StreamCounters,
    pub groups: Vec<Group>,
    /// What makes XADD idempotent (Redis 8.6); `None` where the form has nothing of it.
    pub dedup: Option<Dedup>,
}

impl Stream {
    /// Makes up what older forms lack, as servers do that load them: the first id from the entries, none deleted, as
    /// many ever added as there are, and consumers that were active when they were seen.
    pub fn complete(&mut self) {
        let first = self.entries.first().map(|(id, _)| *id).unwrap_or_default();
        let counters = &mut self.counters;
        counters.first_id.get_or_insert(first);
        counters.max_deleted_id.get_or_insert_default();
        counters.entries_added.get_or_insert(counters.length);
        for consumer in self.groups.iter_mut().flat_map(|group| &mut group.consumers) {
            consumer.active_ms.get_or_insert(consumer.seen_ms);
        }
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        needs.add(Need::Streams);
        let mut add = |need, needed| {
            if needed {
                needs.add(need)
            }
        };
        let first = self.entries.first().map(|(id, _)| *id);
        add(Need::StreamCounters, !can_be_made_up(&self.counters, first));
        add(Need::Producers, self.dedup.as_ref().is_some_and(|dedup| *dedup != Dedup::default()));
        for group in &self.groups {
            add(Need::StreamCounters, group.entries_read.is_some());
            add(Need::Unowned, !group.unowned.is_empty());
            add(Need::ConsumerActivity, group.consumers.iter().any(|consumer| consumer.active_ms.is_some()));
        }
        needs
    }
}

/// Whether a version without them would have made up the same counters, as [`Stream::complete`] does.
pub(super) fn can_be_made_up(counters: &StreamCounters, first: Option<StreamId>) -> bool {
    let first = first.unwrap_or_default();
    counters.first_id.unwrap_or(first) == first
        && counters.max_deleted_id.unwrap_or_default() == StreamId::default()
        && counters.entries_added.unwrap_or(counters.length) == counters.length
}

/// A stream's consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Group {
    pub name: Vec<u8>,
    pub last_id: StreamId,
    /// `None` where it is not known.
    pub entries_read: Option<u64>,
    pub pending: Vec<Pending>,
    pub consumers: Vec<Consumer>,
    /// Pending entries that no consumer has.
    pub unowned: Vec<StreamId>,
}

/// A group's consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    /// The name.
    pub name: Vec<u8>,
    /// When it was seen last, in milliseconds since 1970.
    pub seen_ms: i64,
    /// When it was last given an entry, -1 never; `None` where the form does not tell.
    pub active_ms: Option<i64>,
    /// Its pending entries.
    pub owned: Vec<StreamId>,
}

/// What makes XADD idempotent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Dedup {
    pub duration: u64,
    pub max_entries: u64,
    /// Each producer with its items and the entries that they became.
    pub producers: Vec<(Vec<u8>, ProducerItems)>,
    pub added: u64,
    pub repeated: u64,
}

/// One value among those that a module has written, with the opcode that it had.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum ModulePart {
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    String(Vec<u8>),
}

/// What a module attaches to a key (Redis 8.6).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Metadata {
    /// Four bytes that tell the class, as a little-endian number.
    pub class: u32,
    pub parts: Vec<ModulePart>,
}

/// A sparse array (Redis 8.8).
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Array {
    pub slots: Vec<(u64, Cell)>,
    pub insert_index: Option<u64>,
}

/// What stands in an array's slot.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Cell {
    String(Vec<u8>),
    Integer(i64),
    Double(f64),
}

/// A key with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Entry {
    pub db: u64,
    pub name: Vec<u8>,
    pub expires_at_ms: Option<i64>,
    /// Seconds since the last access, where the server had an LRU policy.
    pub idle: Option<u64>,
    /// The access counter, where it had an LFU policy.
    pub freq: Option<u8>,
    pub metadata: Vec<Metadata>,
    pub value: Value,
}

impl Entry {
    /// What a version must be able to hold for it.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = self.value.needs();
        if !self.metadata.is_empty() {
            needs.add(Need::Metadata);
        }
        if self.idle.is_some() || self.freq.is_some() {
            needs.add(Need::Access);
        }
        if let Some(time) = self.expires_at_ms {
            if i32::try_from(time.div_euclid(1000)).is_err() {
                needs.add(Need::LateExpiry);
            }
            if time.rem_euclid(1000) != 0 {
                needs.add(Need::Milliseconds);
            }
        }
        needs
    }

    /// The key as the writer wants it.
    #[must_use]
    pub fn meta(&self) -> super::writer::KeyMeta<'_> {
        super::writer::KeyMeta {
            name: &self.name,
            expires_at_ms: self.expires_at_ms,
            idle: self.idle,
            freq: self.freq,
            metadata: &self.metadata,
        }
    }
}

/// One record of an RDB, whole.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Whole {
    Header(Header),
    Aux(Vec<u8>, Vec<u8>),
    Function(Vec<u8>),
    Select(u64),
    /// Numbers of keys, and of keys that expire, of the database.
    Resize(u64, u64),
    Slot {
        slot: u64,
        keys: u64,
        expires: u64,
    },
    ModuleAux {
        id: ModuleId,
        when: u64,
        parts: Vec<ModulePart>,
    },
    SlotImport {
        job: Vec<u8>,
        ranges: Vec<(u64, u64)>,
    },
    /// A command between the keys (Valkey 9.2).
    Update(Vec<Vec<u8>>),
    Key(Entry),
    /// A key or other record that has more bytes than the bound. Of a key the name, or what of it was held.
    TooLarge {
        db: u64,
        name: Vec<u8>,
    },
    End(Checksum),
}

/// What each element costs besides its bytes, about: the vector that holds them.
const OVERHEAD: usize = std::mem::size_of::<Vec<u8>>();

/// Collects each record and hands it on.
///
/// ```
/// use repltool::rdb::{Collector, Decoder, Depth, Value, Whole};
/// let mut values = Vec::new();
/// let mut decoder = Decoder::new(
///     Collector::new(1 << 20, |whole| {
///         if let Whole::Key(entry) = whole {
///             values.push(entry.value);
///         }
///     }),
///     Depth::Full,
/// );
/// decoder.push(b"REDIS0004\x00\x03key\x05value\xff")?;
/// drop(decoder);
/// assert_eq!(values, [Value::String(b"value".to_vec())]);
/// # Ok::<(), repltool::rdb::RdbError>(())
/// ```
pub struct Collector<F> {
    take: F,
    bound: usize,
    /// What the record under way costs, about.
    held: usize,
    record: Option<u8>,
    entry: Option<Entry>,
    metadata: Vec<Metadata>,
    /// Strings of records that are no keys, numbers of them, parts of modules.
    texts: Vec<Vec<u8>>,
    numbers: Vec<u64>,
    parts: Vec<ModulePart>,
    module: ModuleId,
    /// A string that comes in pieces.
    partial: Vec<u8>,
    long_name: Vec<u8>,
    /// The name that a group or consumer, or the field that a value, is to have.
    name: Vec<u8>,
    index: u64,
}

impl<F> std::fmt::Debug for Collector<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("bound", &self.bound).field("held", &self.held).finish_non_exhaustive()
    }
}

impl<F: FnMut(Whole)> Collector<F> {
    /// Hands whole records to `take`. A record of more than `bound` bytes, what it costs to hold them included, is
    /// handed on as [`Whole::TooLarge`].
    pub fn new(bound: usize, take: F) -> Self {
        Self {
            take,
            bound,
            held: 0,
            record: None,
            entry: None,
            metadata: Vec::new(),
            texts: Vec::new(),
            numbers: Vec::new(),
            parts: Vec::new(),
            module: ModuleId(0),
            partial: Vec::new(),
            long_name: Vec::new(),
            name: Vec::new(),
            index: 0,
        }
    }

    /// Whom it tells.
    pub fn into_inner(self) -> F {
        self.take
    }

    /// So many bytes more: do they fit? If not, all that is held is let go.
    fn afford(&mut self, bytes: usize) -> bool {
        self.held = self.held.saturating_add(bytes).saturating_add(OVERHEAD);
        let fits = self.held <= self.bound;
        if !fits {
            if let Some(entry) = &mut self.entry {
                entry.value = Value::RateLimit(0);
            }
            self.partial = Vec::new();
            self.texts = Vec::new();
            self.numbers = Vec::new();
            self.parts = Vec::new();
        }
        fits
    }

    fn stream(&mut self) -> Option<&mut Stream> {
        match &mut self.entry.as_mut()?.value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn group_under_way(&mut self) -> Option<&mut Group> {
        self.stream()?.groups.last_mut()
    }

    fn dedup(&mut self) -> Option<&mut Dedup> {
        Some(self.stream()?.dedup.get_or_insert_default())
    }

    /// A string is whole.
    fn string(&mut self, item: Item, bytes: Vec<u8>) {
        match item {
            Item::LongKey => self.long_name = bytes,
            Item::AuxKey | Item::AuxValue | Item::Function | Item::SlotImportJob | Item::UpdateArgument => {
                self.texts.push(bytes);
            }
            Item::ModuleString => self.part(ModulePart::String(bytes)),
            Item::GroupName | Item::ConsumerName | Item::Field | Item::StreamField => self.name = bytes,
            _ => self.element(item, bytes),
        }
    }

    fn element(&mut self, item: Item, bytes: Vec<u8>) {
        let name = match item {
            Item::Value | Item::StreamValue => std::mem::take(&mut self.name),
            _ => Vec::new(),
        };
        let index = self.index;
        match (item, self.entry.as_mut().map(|entry| &mut entry.value)) {
            (Item::String, Some(Value::String(string))) => *string = bytes,
            (Item::Element, Some(Value::List(elements))) | (Item::Member, Some(Value::Set(elements))) => {
                elements.push(bytes);
            }
            (Item::Member, Some(Value::SortedSet(members))) => members.push((bytes, 0.0)),
            (Item::Value, Some(Value::Hash(fields))) => {
                fields.push(Field { name, value: bytes, expires_at_ms: None });
            }
            (Item::StreamValue, Some(Value::Stream(stream))) => {
                if let Some((_, pairs)) = stream.entries.last_mut() {
                    pairs.push((name, bytes));
                }
            }
            (Item::Cell, Some(Value::Array(array))) => array.slots.push((index, Cell::String(bytes))),
            (Item::Producer, Some(Value::Stream(_))) => {
                if let Some(dedup) = self.dedup() {
                    dedup.producers.push((bytes, Vec::new()));
                }
            }
            (Item::ProducerItem, Some(Value::Stream(_))) => {
                if let Some((_, items)) = self.dedup().and_then(|dedup| dedup.producers.last_mut()) {
                    items.push((bytes, StreamId::default()));
                }
            }
            _ => {}
        }
    }

    fn part(&mut self, part: ModulePart) {
        match self.entry.as_mut().map(|entry| &mut entry.value) {
            Some(Value::Module(_, parts)) => parts.push(part),
            _ => match self.metadata.last_mut() {
                Some(metadata) if self.record == Some(KEY_META) => metadata.parts.push(part),
                _ => self.parts.push(part),
            },
        }
    }

    /// A record that is no key is whole.
    fn opcode(&mut self, byte: u8) -> Option<Whole> {
        let mut texts = std::mem::take(&mut self.texts).into_iter();
        let numbers = std::mem::take(&mut self.numbers);
        Some(match (byte, numbers.as_slice()) {
            (0xfa, _) => Whole::Aux(texts.next()?, texts.next()?),
            (0xf5, _) => Whole::Function(texts.next()?),
            (0xfb, [keys, expires]) => Whole::Resize(*keys, *expires),
            (0xf4, [slot, keys, expires]) => Whole::Slot { slot: *slot, keys: *keys, expires: *expires },
            (0xf7, [when]) => Whole::ModuleAux { id: self.module, when: *when, parts: std::mem::take(&mut self.parts) },
            // Bytes 242 and 243 mean other things to Redis, which are told otherwise.
            (0xf3, ranges) if self.metadata.is_empty() => Whole::SlotImport {
                job: texts.next()?,
                ranges: ranges.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect(),
            },
            (0xf2, []) => Whole::Update(texts.collect()),
            _ => return None,
        })
    }
}

const KEY_META: u8 = 0xf3;

impl<F: FnMut(Whole)> Values for Collector<F> {
    fn header(&mut self, header: Header) {
        (self.take)(Whole::Header(header));
    }

    fn select(&mut self, db: u64) {
        (self.take)(Whole::Select(db));
    }

    fn record(&mut self, opcode: Opcode) {
        self.record = Some(opcode.byte);
        self.held = 0;
        self.parts.clear();
    }

    fn record_end(&mut self, opcode: Opcode) {
        self.record = None;
        if self.held > self.bound {
            self.metadata.clear();
            (self.take)(Whole::TooLarge { db: 0, name: opcode.name.as_bytes().to_vec() });
        } else if let Some(whole) = self.opcode(opcode.byte) {
            (self.take)(whole);
        }
        self.held = 0;
    }

    fn key(&mut self, key: &Key<'_>) {
        let value = match key.value_type {
            ValueType::String => Value::String(Vec::new()),
            ValueType::List => Value::List(Vec::new()),
            ValueType::Set => Value::Set(Vec::new()),
            ValueType::SortedSet => Value::SortedSet(Vec::new()),
            ValueType::Hash => Value::Hash(Vec::new()),
            ValueType::Stream => Value::Stream(Box::default()),
            ValueType::Module => Value::Module(ModuleId(0), Vec::new()),
            ValueType::Array => Value::Array(Array::default()),
            ValueType::RateLimit => Value::RateLimit(0),
        };
        let long = key.name_length > key.name.len() as u64;
        let name = if long { std::mem::take(&mut self.long_name) } else { key.name.to_vec() };
        // A long name has been counted as it came.
        if !long {
            self.held = 0;
            self.afford(name.len());
        }
        self.entry = Some(Entry {
            db: key.db,
            name,
            expires_at_ms: key.expires_at_ms,
            idle: key.idle,
            freq: key.freq,
            metadata: std::mem::take(&mut self.metadata),
            value,
        });
    }

    fn key_end(&mut self, _: KeyEnd) {
        let too_large = self.held > self.bound;
        self.held = 0;
        if let Some(entry) = self.entry.take() {
            (self.take)(match too_large {
                true => Whole::TooLarge { db: entry.db, name: entry.name },
                false => Whole::Key(entry),
            });
        }
    }

    fn text(&mut self, item: Item, piece: Piece<'_>) {
        if item == Item::LongKey && piece.is_first() {
            self.held = 0;
        }
        if !self.afford(piece.bytes.len()) {
            return;
        }
        if piece.is_first() && piece.is_last() {
            return self.string(item, piece.bytes.to_vec());
        }
        if piece.is_first() {
            self.partial.clear();
        }
        self.partial.extend_from_slice(piece.bytes);
        if piece.is_last() {
            let whole = std::mem::take(&mut self.partial);
            self.string(item, whole);
        }
    }

    fn number(&mut self, item: Item, number: u64) {
        if !self.afford(0) {
            return;
        }
        match item {
            Item::MetaClass => self.metadata.push(Metadata { class: number as u32, parts: Vec::new() }),
            Item::Index => self.index = number,
            Item::InsertIndex => {
                if let Some(Value::Array(array)) = self.entry.as_mut().map(|entry| &mut entry.value) {
                    array.insert_index = Some(number);
                }
            }
            Item::Rate => {
                if let Some(Value::RateLimit(rate)) = self.entry.as_mut().map(|entry| &mut entry.value) {
                    *rate = number;
                }
            }
            Item::ProducerItemMs | Item::ProducerItemSeq => {
                let last = self.dedup().and_then(|dedup| dedup.producers.last_mut()?.1.last_mut());
                if let Some((_, id)) = last {
                    *(if item == Item::ProducerItemMs { &mut id.ms } else { &mut id.seq }) = number;
                }
            }
            Item::DedupDuration | Item::DedupEntries | Item::DedupAdded | Item::DedupRepeated => {
                if let Some(dedup) = self.dedup() {
                    *match item {
                        Item::DedupDuration => &mut dedup.duration,
                        Item::DedupEntries => &mut dedup.max_entries,
                        Item::DedupAdded => &mut dedup.added,
                        _ => &mut dedup.repeated,
                    } = number;
                }
            }
            // A hash's template is of its form, not of its value.
            _ if self.entry.is_some() || item == Item::TemplateId => {}
            _ => self.numbers.push(number),
        }
    }

    fn score(&mut self, score: f64) {
        if let Some(Value::SortedSet(members)) = self.entry.as_mut().map(|entry| &mut entry.value)
            && let Some((_, last)) = members.last_mut()
        {
            *last = score;
        }
    }

    fn field_end(&mut self, expires_at_ms: Option<i64>) {
        if let Some(Value::Hash(fields)) = self.entry.as_mut().map(|entry| &mut entry.value)
            && let Some(field) = fields.last_mut()
        {
            field.expires_at_ms = expires_at_ms;
        }
    }

    fn stream_entry(&mut self, id: StreamId, _: u64) {
        if self.afford(std::mem::size_of::<StreamId>())
            && let Some(stream) = self.stream()
        {
            stream.entries.push((id, Vec::new()));
        }
    }

    fn stream(&mut self, counters: &StreamCounters) {
        if let Some(stream) = Collector::stream(self) {
            stream.counters = *counters;
        }
    }

    fn group(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        let name = std::mem::take(&mut self.name);
        if self.afford(std::mem::size_of::<Group>())
            && let Some(stream) = Collector::stream(self)
        {
            stream.groups.push(Group { name, last_id, entries_read, ..Group::default() });
        }
    }

    fn pending(&mut self, pending: Pending) {
        if self.afford(std::mem::size_of::<Pending>())
            && let Some(group) = self.group_under_way()
        {
            group.pending.push(pending);
        }
    }

    fn consumer(&mut self, seen_ms: i64, active_ms: Option<i64>) {
        let name = std::mem::take(&mut self.name);
        if self.afford(std::mem::size_of::<Consumer>())
            && let Some(group) = self.group_under_way()
        {
            group.consumers.push(Consumer { name, seen_ms, active_ms, owned: Vec::new() });
        }
    }

    fn owned(&mut self, id: StreamId) {
        if self.afford(std::mem::size_of::<StreamId>())
            && let Some(consumer) = self.group_under_way().and_then(|group| group.consumers.last_mut())
        {
            consumer.owned.push(id);
        }
    }

    fn unowned(&mut self, id: StreamId) {
        if self.afford(std::mem::size_of::<StreamId>())
            && let Some(group) = self.group_under_way()
        {
            group.unowned.push(id);
        }
    }

    fn module(&mut self, id: ModuleId) {
        self.module = id;
        if let Some(Value::Module(module, _)) = self.entry.as_mut().map(|entry| &mut entry.value) {
            *module = id;
        }
    }

    fn module_number(&mut self, number: Number) {
        if self.afford(0) {
            self.part(match number {
                Number::Signed(number) => ModulePart::Signed(number),
                Number::Unsigned(number) => ModulePart::Unsigned(number),
                Number::Float(number) => ModulePart::Float(number),
                Number::Double(number) => ModulePart::Double(number),
            });
        }
    }

    fn cell_number(&mut self, number: Number) {
        let index = self.index;
        if self.afford(0)
            && let Some(Value::Array(array)) = self.entry.as_mut().map(|entry| &mut entry.value)
        {
            match number {
                Number::Signed(number) => array.slots.push((index, Cell::Integer(number))),
                Number::Double(number) => array.slots.push((index, Cell::Double(number))),
                Number::Unsigned(_) | Number::Float(_) => {}
            }
        }
    }

    fn end(&mut self, checksum: Checksum) {
        (self.take)(Whole::End(checksum));
    }
}
