//! The decoder of values: the machine's visitor that turns roles and bytes into what [`Values`] tells.
//!
//! A string's stored bytes go through at most three stages, each of fixed size and each able to stop at any byte: LZF
//! expansion, the packed collection's entries, and the assembly of each string that is told. Nothing is held but a key's
//! name, the string under assembly, 8 KiB of LZF history, and the shared field names of a stream's node.

use super::error::{Fault, RdbError};
use super::grammar::{Class, EOF, Header, Record, Role, SELECT};
use super::groups::{self, Groups};
use super::kinds::{Kind, item};
use super::layout::{Layout, Shape, Teller};
use super::lzf::Expander;
use super::machine::{Machine, Progress, Visited, Visitor};
use super::packed::Blob;
use super::primitive::Head;
use super::text::{Assembler, Decimal, Small};
use super::values::{Depth, Encoding, Item, Key, KeyEnd, ModuleId, Number, Opcode, Piece, StreamId, ValueType, Values};
use super::walk::Checksum;
use crate::bounds::MAX_RDB_WHOLE;

/// Decodes one RDB that comes in pieces, and tells [`Values`] what it holds. Memory is bounded by the constants in
/// [`crate::bounds`], some 3 MiB, whatever comes.
///
/// ```
/// use repltool::rdb::{Decoder, Depth, Item, Piece, Values};
/// #[derive(Default)]
/// struct Strings(Vec<Vec<u8>>);
/// impl Values for Strings {
///     fn text(&mut self, item: Item, piece: Piece<'_>) {
///         if item == Item::String {
///             self.0.push(piece.bytes.to_vec());
///         }
///     }
/// }
/// let mut decoder = Decoder::new(Strings::default(), Depth::Full);
/// assert!(decoder.push(b"REDIS0004\xfe\x00\x00\x03key\x05value\xff")?.ended);
/// assert_eq!(decoder.values().0, [b"value"]);
/// # Ok::<(), repltool::rdb::RdbError>(())
/// ```
pub struct Decoder<V> {
    machine: Machine<Decoding<V>>,
}

impl<V> std::fmt::Debug for Decoder<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl<V: Values> Decoder<V> {
    /// A decoder that waits for the magic.
    pub fn new(values: V, depth: Depth) -> Self {
        Self { machine: Machine::new(Decoding::new(values, depth)) }
    }

    /// A decoder that waits for the first record, as if the header had come. Offsets begin with it; the header is not
    /// told.
    pub fn of_records(values: V, depth: Depth, header: Header) -> Self {
        let visitor = Decoding { expander: Expander::default(), state: State::new(values, depth) };
        Self { machine: Machine::of_records(visitor, header) }
    }

    /// Whether all that came are whole records, and more may come.
    #[must_use]
    pub fn between_records(&self) -> bool {
        self.machine.between_records()
    }

    /// Takes the next bytes, of any number. After the end nothing more is consumed.
    ///
    /// # Errors
    /// What the format does not allow or this program does not know, with its place; the same again at every later
    /// call. A wrong checksum is no error; [`Values::end`] tells it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, RdbError> {
        self.machine.push(bytes)
    }

    /// Bytes taken so far; after an error, those before the primitive that could not be read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.machine.offset()
    }

    /// Whether the end, checksum included, was reached.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.machine.ended()
    }

    /// Keys that were decoded to their end.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.machine.visitor().state.keys
    }

    /// Records that were decoded to their end: the number, from 0, of the one under way.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.machine.visitor().state.records
    }

    /// The record under way: its leading byte's offset and its name.
    #[must_use]
    pub fn record(&self) -> Option<(u64, &'static str)> {
        self.machine.record()
    }

    /// The name of the key whose value is under way, or was when the error was met: its first
    /// [`MAX_RDB_WHOLE`] bytes. `None` where it has not been read.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        let state = &self.machine.visitor().state;
        state.named.then_some(&state.name)
    }

    /// Who is told.
    pub fn values(&self) -> &V {
        &self.machine.visitor().state.values
    }

    /// Who is told, to change it.
    pub fn values_mut(&mut self) -> &mut V {
        &mut self.machine.visitor_mut().state.values
    }

    /// Gives back who was told.
    pub fn into_values(self) -> V {
        self.machine.into_visitor().state.values
    }
}

/// Where a string's bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sink {
    Ignore,
    Name,
    Text(Item),
    Small,
    Packed,
}

/// The visitor.
pub(super) struct Decoding<V> {
    expander: Expander,
    state: State<V>,
}

impl<V: Values> Decoding<V> {
    pub(super) fn new(values: V, depth: Depth) -> Self {
        Self { expander: Expander::default(), state: State::new(values, depth) }
    }

    /// Keys that were decoded to their end.
    pub(super) fn keys(&self) -> u64 {
        self.state.keys
    }

    /// The database selected last.
    pub(super) fn db(&self) -> u64 {
        self.state.db
    }

    /// Of the key under way, as much of its name as is held; `None` where it has not been read.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.state.named.then_some(&self.state.name)
    }
}

/// The visitor without the expander, which feeds it.
struct State<V> {
    values: V,
    depth: Depth,
    sink: Sink,
    /// The string under way is LZF data.
    compressed: bool,
    text: Assembler,
    small: Small,
    blob: Blob,
    layout: Layout,
    groups: Groups,
    /// The record under way.
    opcode: Opcode,
    kind: Kind,
    /// The key's name, as far as it is held, and its length; whether it is complete.
    name: Vec<u8>,
    name_length: u64,
    named: bool,
    db: u64,
    /// What was said before the key.
    begin: Option<u64>,
    expires_at_ms: Option<i64>,
    idle: Option<u64>,
    freq: Option<u8>,
    elements: u64,
    keys: u64,
    records: u64,
    /// A hash's least expiry, and that of the field under way.
    least_expiry: i64,
    field_expiry: Option<i64>,
    /// In Valkey's form a field's expiry stands behind its value.
    expiry_follows: bool,
    /// The next quicklist node is one element.
    plain_node: bool,
    node_id: StreamId,
}

impl<V: Values> State<V> {
    fn new(values: V, depth: Depth) -> Self {
        Self {
            values,
            depth,
            sink: Sink::Ignore,
            compressed: false,
            text: Assembler::default(),
            small: Small::default(),
            blob: Blob::default(),
            layout: Layout::default(),
            groups: Groups::default(),
            opcode: Opcode { byte: EOF, name: "", offset: 0 },
            kind: Kind::STRING,
            name: Vec::new(),
            name_length: 0,
            named: false,
            db: 0,
            begin: None,
            expires_at_ms: None,
            idle: None,
            freq: None,
            elements: 0,
            keys: 0,
            records: 0,
            least_expiry: 0,
            field_expiry: None,
            expiry_follows: false,
            plain_node: false,
            node_id: StreamId::default(),
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.depth == Depth::Full
    }

    /// Where the bytes of a string of this role go.
    #[inline]
    fn sink(&self, role: Role) -> Sink {
        match role {
            Role::Key => Sink::Name,
            Role::AuxKey => Sink::Text(Item::AuxKey),
            Role::AuxValue => Sink::Text(Item::AuxValue),
            Role::Node if self.plain_node && self.is_full() => Sink::Text(Item::Element),
            Role::Node if self.plain_node => Sink::Ignore,
            Role::Packed | Role::Node => Sink::Packed,
            _ if !self.is_full() => Sink::Ignore,
            Role::StreamNode => Sink::Packed,
            Role::StreamNodeId | Role::Score => Sink::Small,
            other => item(other).map_or(Sink::Ignore, Sink::Text),
        }
    }

    /// A string begins that has so many bytes.
    #[inline]
    fn open(&mut self, role: Role, length: u64) {
        self.sink = self.sink(role);
        match self.sink {
            Sink::Text(item) => self.text.begin(item, length, &mut self.values),
            Sink::Name => {
                self.name.clear();
                self.name_length = length;
                if length > MAX_RDB_WHOLE as u64 {
                    self.text.begin(Item::LongKey, length, &mut self.values);
                }
            }
            Sink::Small => self.small.clear(),
            Sink::Packed => {
                if let Some((form, shape)) = self.kind.packed {
                    self.blob.begin(form, length, !self.is_full());
                    self.layout.begin(shape);
                    if shape == Shape::Node {
                        self.layout.node.begin(self.node_id);
                    }
                }
            }
            Sink::Ignore => {}
        }
    }

    /// Some of its bytes, expanded; tells whether more are wanted.
    #[inline]
    fn feed(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        match self.sink {
            Sink::Text(item) => self.text.feed(item, bytes, &mut self.values),
            Sink::Name => self.feed_name(bytes),
            Sink::Small => self.small.feed(bytes),
            Sink::Packed => {
                let mut teller = Teller { layout: &mut self.layout, text: &mut self.text, values: &mut self.values };
                return if self.depth == Depth::Full {
                    self.blob.feed(bytes, &mut teller)
                } else {
                    self.blob.feed(bytes, &mut Uncounted)
                };
            }
            Sink::Ignore => return Ok(false),
        }
        Ok(true)
    }

    #[inline]
    fn feed_name(&mut self, bytes: &[u8]) {
        if self.name_length > MAX_RDB_WHOLE as u64 {
            self.text.feed(Item::LongKey, bytes, &mut self.values);
        }
        let room = MAX_RDB_WHOLE - self.name.len();
        self.name.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }

    /// A string that is stored as a number.
    fn integer(&mut self, role: Role, number: i64) -> Visited {
        if let Sink::Text(item) = self.sink(role) {
            self.sink = Sink::Ignore;
            self.values.integer(item, number);
            return Ok(());
        }
        let decimal = Decimal::new(number);
        self.open(role, decimal.as_bytes().len() as u64);
        self.feed(decimal.as_bytes()).map(drop)
    }

    /// The string is complete.
    #[inline]
    fn close(&mut self, role: Role) -> Visited {
        match role {
            Role::Key => {
                self.named = true;
                // A string's key waits for its value's head, which tells the encoding.
                if self.opcode.byte != 0 {
                    self.tell_key();
                }
            }
            Role::Value => self.elements = 1,
            Role::FieldValue if self.is_full() && !self.expiry_follows => {
                self.values.field_end(self.field_expiry.take());
            }
            Role::Packed | Role::Node | Role::StreamNode => return self.close_packed(),
            Role::StreamNodeId if self.is_full() => self.node_id = groups::id(self.small.bytes().unwrap_or_default()),
            Role::Score if self.is_full() => self.values.score(self.small.double().ok_or(Fault::Score)?),
            _ => {}
        }
        Ok(())
    }

    fn close_packed(&mut self) -> Visited {
        let Some((_, shape)) = self.kind.packed else { return Ok(()) };
        if self.plain_node {
            self.elements += 1;
            self.plain_node = false;
            return Ok(());
        }
        if self.sink != Sink::Packed {
            return Ok(());
        }
        self.blob.finish()?;
        if self.is_full() {
            self.layout.finish(&mut self.values)?;
        }
        match shape {
            Shape::Node => self.groups.entries += self.layout.node.entries(),
            Shape::Template => self.elements += self.blob.entries().saturating_sub(1),
            _ => self.elements += self.blob.entries() / shape.entries(),
        }
        Ok(())
    }

    #[inline]
    fn tell_key(&mut self) {
        let name: &[u8] = if self.name_length > MAX_RDB_WHOLE as u64 { &[] } else { &self.name };
        self.values.key(&Key {
            db: self.db,
            name,
            name_length: self.name_length,
            value_type: self.kind.value_type,
            encoding: self.kind.encoding,
            rdb_type: self.opcode.byte,
            expires_at_ms: self.expires_at_ms,
            idle: self.idle,
            freq: self.freq,
            offset: self.opcode.offset,
        });
    }

    #[inline]
    fn end_key(&mut self, end: u64) -> Visited {
        if self.kind.value_type == ValueType::Stream {
            if self.is_full() {
                self.groups.end_group(&mut self.values)?;
                self.elements = self.groups.length();
            }
            self.groups = Groups::default();
        }
        let begin = self.begin.take().unwrap_or(self.opcode.offset);
        self.values.key_end(KeyEnd { elements: self.elements, bytes: end - begin });
        self.named = false;
        self.keys += 1;
        self.expires_at_ms = None;
        self.idle = None;
        self.freq = None;
        Ok(())
    }

    /// A hash field's expiry that stands before the field: relative to the least, plus one, in HASH_METADATA, else
    /// absolute; 0 for none.
    fn expiry_before(&mut self, number: u64) -> Visited {
        self.field_expiry = match (number.checked_sub(1), self.opcode.byte) {
            (None, _) => None,
            (Some(delta), 24) => Some(
                i64::try_from(delta)
                    .ok()
                    .and_then(|delta| self.least_expiry.checked_add(delta))
                    .ok_or(Fault::Contradiction("a field's expiry is beyond all times"))?,
            ),
            _ => Some(i64::try_from(number).map_err(|_| Fault::Contradiction("a field's expiry is beyond all times"))?),
        };
        Ok(())
    }

    /// The parts of a record that only its class decides. Keys are counted apart.
    fn is_told(byte: u8) -> bool {
        !matches!(byte, SELECT | EOF | 0xf8 | 0xf9 | 0xfc | 0xfd)
    }
}

/// Entries on the way to a count.
struct Uncounted;

impl super::packed::Entries for Uncounted {
    fn integer(&mut self, _integer: i64) -> Visited {
        Ok(())
    }
    fn begin(&mut self, _length: u64) -> Visited {
        Ok(())
    }
    fn part(&mut self, _bytes: &[u8]) -> Visited {
        Ok(())
    }
}

impl<V: Values> Visitor for Decoding<V> {
    fn header(&mut self, header: Header) {
        self.state.values.header(header);
    }

    #[inline]
    fn record(&mut self, record: &Record, at: u64) -> Visited {
        let state = &mut self.state;
        state.opcode = Opcode { byte: record.byte, name: record.name, offset: at };
        if record.class == Class::Key {
            state.kind = Kind::of(record);
            state.elements = u64::from(matches!(state.kind.value_type, ValueType::Module | ValueType::RateLimit));
            state.named = false;
            state.field_expiry = None;
            state.expiry_follows = record.byte == 22 && record.name == "HASH_2";
            state.plain_node = false;
        } else if State::<V>::is_told(record.byte) {
            state.values.record(state.opcode);
        } else if record.class == Class::Opcode && record.byte != SELECT {
            state.begin.get_or_insert(at);
        }
        Ok(())
    }

    #[inline]
    fn record_end(&mut self, record: &Record, end: u64) -> Visited {
        let state = &mut self.state;
        if record.class == Class::Key {
            state.end_key(end)?;
        } else if State::<V>::is_told(record.byte) {
            state.values.record_end(state.opcode);
        }
        state.records += 1;
        Ok(())
    }

    #[inline]
    fn count(&mut self, role: Role, count: u64) -> Visited {
        let state = &mut self.state;
        match role {
            Role::Elements | Role::Members | Role::Fields | Role::Slots => state.elements = count,
            _ if state.is_full() => return state.groups.count(role, &mut state.values),
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self, role: Role, number: u64) -> Visited {
        let state = &mut self.state;
        match role {
            Role::Database => {
                state.db = number;
                state.values.select(number);
            }
            Role::IdleSeconds => state.idle = Some(number),
            Role::Container => state.plain_node = number == 1,
            Role::StreamLength if !state.is_full() => state.elements = number,
            _ if !state.is_full() => {}
            Role::FieldExpiry => return state.expiry_before(number),
            Role::ModuleId => {
                state.values.module(ModuleId(number));
            }
            Role::ModuleSigned => state.values.module_number(Number::Signed(number.cast_signed())),
            Role::ModuleUnsigned => state.values.module_number(Number::Unsigned(number)),
            other => match item(other) {
                Some(item) => state.values.number(item, number),
                None => return state.stream_number(other, number),
            },
        }
        Ok(())
    }

    #[inline]
    fn raw(&mut self, role: Role, bytes: &[u8]) -> Visited {
        let state = &mut self.state;
        match (role, bytes) {
            // Servers hold "no expiry" as -1 and so read one of -1 milliseconds.
            (Role::ExpiryMilliseconds, [..]) => {
                state.expires_at_ms =
                    bytes.first_chunk().map(|time| i64::from_le_bytes(*time)).filter(|time| *time != -1);
            }
            (Role::ExpirySeconds, [a, b, c, d]) => {
                state.expires_at_ms = Some(i64::from(i32::from_le_bytes([*a, *b, *c, *d])) * 1000);
            }
            (Role::Frequency, [frequency]) => state.freq = Some(*frequency),
            _ if state.is_full() => state.value_raw(role, bytes),
            _ => {}
        }
        Ok(())
    }

    /// What most strings are: a key's name, a short value or element.
    #[inline]
    fn whole(&mut self, role: Role, bytes: &[u8]) -> Result<bool, Fault> {
        let state = &mut self.state;
        let item = match role {
            Role::Key => {
                state.name.clear();
                state.name.extend_from_slice(bytes);
                state.name_length = bytes.len() as u64;
                state.close(role)?;
                return Ok(true);
            }
            Role::Value => {
                state.kind.encoding = Encoding::Plain;
                state.tell_key();
                Item::String
            }
            Role::Element => Item::Element,
            Role::Member => Item::Member,
            Role::Field => Item::Field,
            Role::FieldValue => Item::Value,
            _ => return Ok(false),
        };
        if state.is_full() {
            state.values.text(item, Piece::whole(bytes));
        }
        state.close(role)?;
        Ok(true)
    }

    #[inline]
    fn string(&mut self, role: Role, head: Head) -> Visited {
        let state = &mut self.state;
        if role == Role::Value {
            state.kind.encoding = match head {
                Head::Plain(_) => Encoding::Plain,
                Head::Integer(_) => Encoding::Integer,
                Head::Compressed { .. } => Encoding::Lzf,
            };
            state.tell_key();
        }
        if role == Role::GroupName && state.is_full() {
            state.groups.end_group(&mut state.values)?;
        } else if role == Role::ConsumerName && state.is_full() {
            state.groups.end_consumer(&mut state.values);
        }
        state.compressed = false;
        match head {
            Head::Plain(length) => state.open(role, length),
            Head::Integer(number) => return state.integer(role, number),
            Head::Compressed { expanded, .. } => {
                state.compressed = true;
                state.open(role, expanded);
                let peek = !state.is_full() && state.sink == Sink::Packed;
                self.expander.begin(expanded, peek);
            }
        }
        Ok(())
    }

    #[inline]
    fn part(&mut self, _role: Role, bytes: &[u8]) -> Visited {
        let state = &mut self.state;
        match () {
            // In full depth what nobody wants is validated all the same.
            () if state.sink == Sink::Ignore && !state.is_full() => Ok(()),
            () if state.compressed => {
                self.expander.feed(bytes, |expanded| Ok(state.feed(expanded)? || state.depth == Depth::Full))
            }
            () => state.feed(bytes).map(drop),
        }
    }

    #[inline]
    fn string_end(&mut self, role: Role) -> Visited {
        if self.state.compressed && (self.state.sink != Sink::Ignore || self.state.is_full()) {
            self.expander.finish()?;
        }
        self.state.close(role)
    }

    fn end(&mut self, checksums: Option<(u64, u64)>) {
        self.state.values.end(Checksum::judge(checksums));
    }
}

impl<V: Values> State<V> {
    fn stream_number(&mut self, role: Role, number: u64) -> Visited {
        let (first, second) = match role {
            // These numbers follow the groups.
            Role::Dedup => {
                self.groups.end_group(&mut self.values)?;
                (Item::DedupDuration, Item::DedupEntries)
            }
            Role::ProducerItemId => (Item::ProducerItemMs, Item::ProducerItemSeq),
            _ => return self.groups.number(role, number, &mut self.values),
        };
        if let Some(pair) = self.groups.id(number) {
            self.values.number(first, pair.ms);
            self.values.number(second, pair.seq);
        }
        Ok(())
    }

    /// A field of fixed size in a value.
    fn value_raw(&mut self, role: Role, bytes: &[u8]) {
        let long = || bytes.first_chunk().copied().unwrap_or_default();
        match role {
            Role::Score => self.values.score(match bytes {
                [253] => f64::NAN,
                [254] => f64::INFINITY,
                [255] => f64::NEG_INFINITY,
                _ => f64::from_le_bytes(long()),
            }),
            Role::LeastExpiry => self.least_expiry = i64::from_le_bytes(long()),
            Role::FieldExpiry => {
                let expiry = i64::from_le_bytes(long());
                self.values.field_end((expiry != -1).then_some(expiry));
            }
            Role::MetaClass => {
                let class = bytes.first_chunk().map_or(0, |class| u32::from_le_bytes(*class));
                self.values.number(Item::MetaClass, class.into());
            }
            Role::ModuleFloat => {
                let float = bytes.first_chunk().map_or(0.0, |float| f32::from_le_bytes(*float));
                self.values.module_number(Number::Float(float));
            }
            Role::ModuleDouble => self.values.module_number(Number::Double(f64::from_le_bytes(long()))),
            Role::CellInteger => self.values.cell_number(Number::Signed(i64::from_le_bytes(long()))),
            Role::CellDouble => self.values.cell_number(Number::Double(f64::from_le_bytes(long()))),
            other => self.groups.raw(other, bytes, &mut self.values),
        }
    }
}

#[cfg(test)]
mod tests;
