//! What a decoder of values tells, and to whom.
//!
//! A consumer implements [`Values`] and hears, in the order of the file:
//!
//! ```text
//! header
//! select                                           SELECTDB
//! record  text* number* module? … record_end       any other opcode: AUX, FUNCTION2, MODULE_AUX, SLOT_INFO, …
//! key  (what the type has)  key_end                a key; its expiry, idle time and frequency are part of `key`
//!     string   text(String)
//!     list     text(Element)*
//!     set      text(Member)*
//!     zset     (text(Member) score)*
//!     hash     (text(Field) text(Value) field_end)*
//!     stream   (stream_entry (text(StreamField) text(StreamValue))* stream_entry_end)*
//!              stream
//!              (text(GroupName) group pending* (text(ConsumerName) consumer owned* consumer_end)* unowned* group_end)*
//!              (text(Producer) (text(ProducerItem) number(ProducerItemMs) number(ProducerItemSeq))*)*   STREAM_4
//!     module   module (text(ModuleString) | module_number)*
//!     array    (number(Index) (text(Cell) | cell_number))*
//! end
//! ```
//!
//! A byte string of up to [`MAX_RDB_WHOLE`](crate::bounds::MAX_RDB_WHOLE) bytes is one `text` with one whole [`Piece`],
//! wherever the input was cut; a longer one is as many as it has pieces of
//! [`RDB_PIECE`](crate::bounds::RDB_PIECE). The events of a file are the same for any split of its bytes.
//!
//! A group's pending entries stand in the file before its consumers, and only the consumers tell whose each entry is:
//! `pending` gives an entry with its times, `owned` repeats its id under the consumer that has it. A consumer that wants
//! both at once has to remember one side. That the two sides are the same set of ids is checked here.

use super::grammar::Header;
use super::walk::Checksum;

/// How much of the values is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Keys with their number of elements, AUX fields, databases; no values. Of a packed collection only the count in
    /// its head is read, so that damage behind the head goes unseen.
    Statistics,
    /// Every value, everything validated: LZF, lengths, back-lengths, counts, order in intsets, streams' structure.
    /// To check an RDB is to decode it so for [`Unheard`].
    Full,
}

/// A Redis type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ValueType {
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    Module,
    /// Redis 8.8's sparse array.
    Array,
    /// A rate limit, GCRA.
    RateLimit,
}

impl ValueType {
    /// The name that TYPE gives.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Module => "module",
            Self::Array => "array",
            Self::RateLimit => "gcra",
        }
    }
}

/// How the file has a value packed, named after OBJECT ENCODING. What a server makes of it at loading may be another:
/// its limits decide. Of a string the file tells only whether it is stored as an integer, as LZF or as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Encoding {
    Plain,
    Integer,
    Lzf,
    LinkedList,
    Ziplist,
    Quicklist,
    Quicklist2,
    Listpack,
    /// A listpack with a third entry for each field's expiry.
    ListpackEx,
    Hashtable,
    Intset,
    Skiplist,
    Zipmap,
    Stream,
    Module,
    Array,
    /// Values whose fields a HASH_TEMPLATE record gives.
    Template,
    RateLimit,
}

impl Encoding {
    /// The name for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "string",
            Self::Integer => "int",
            Self::Lzf => "lzf",
            Self::LinkedList => "linkedlist",
            Self::Ziplist => "ziplist",
            Self::Quicklist => "quicklist",
            Self::Quicklist2 => "quicklist2",
            Self::Listpack => "listpack",
            Self::ListpackEx => "listpackex",
            Self::Hashtable => "hashtable",
            Self::Intset => "intset",
            Self::Skiplist => "skiplist",
            Self::Zipmap => "zipmap",
            Self::Stream => "stream",
            Self::Module => "module",
            Self::Array => "array",
            Self::Template => "template",
            Self::RateLimit => "gcra",
        }
    }
}

/// A key, before its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The database selected last, 0 where none was.
    pub db: u64,
    /// The name; empty where it is longer than [`MAX_RDB_WHOLE`](crate::bounds::MAX_RDB_WHOLE) bytes and has already
    /// been told in pieces, as [`Item::LongKey`].
    pub name: &'a [u8],
    /// The name's length in bytes.
    pub name_length: u64,
    /// The type.
    pub value_type: ValueType,
    /// The packing.
    pub encoding: Encoding,
    /// The record's leading byte.
    pub rdb_type: u8,
    /// When the key expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since the last access, where the server had an LRU policy.
    pub idle: Option<u64>,
    /// The access counter, 0 to 255, where the server had an LFU policy.
    pub freq: Option<u8>,
    /// Offset of the leading byte in the RDB.
    pub offset: u64,
}

/// A key's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEnd {
    /// Elements, members, fields or undeleted stream entries; 1 for a string or module value.
    pub elements: u64,
    /// Bytes in the file: type, name and value, and what stands before them for expiry, idle time and frequency.
    pub bytes: u64,
}

/// A record that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode {
    /// The leading byte.
    pub byte: u8,
    /// The name in the servers' sources.
    pub name: &'static str,
    /// Offset of the leading byte in the RDB.
    pub offset: u64,
}

/// What a byte string or number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
#[rustfmt::skip]
pub enum Item {
    AuxKey, AuxValue, Function, LongKey,
    String, Element, Member, Field, Value, StreamField, StreamValue, GroupName, ConsumerName,
    Producer, ProducerItem, ProducerItemMs, ProducerItemSeq, DedupDuration, DedupEntries, DedupAdded, DedupRepeated,
    ModuleString, ModuleWhen,
    /// Four bytes that tell the class of a KEY_META value, as a little-endian number.
    MetaClass,
    Cell, Index, InsertIndex, Rate,
    TableKeys, TableExpires, Slot, SlotKeys, SlotExpires, SlotImportJob, SlotFirst, SlotLast,
    TemplateId, TemplateField, UpdateArgument,
}

/// Some of a byte string, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// How many of the string's bytes came before.
    pub offset: u64,
    /// The length of the whole string.
    pub total: u64,
}

impl<'a> Piece<'a> {
    /// A string in one piece.
    #[must_use]
    #[inline]
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, total: bytes.len() as u64 }
    }

    /// Whether nothing came before.
    #[must_use]
    #[inline]
    pub fn is_first(&self) -> bool {
        self.offset == 0
    }

    /// Whether nothing follows.
    #[must_use]
    #[inline]
    pub fn is_last(&self) -> bool {
        self.offset + self.bytes.len() as u64 == self.total
    }
}

/// A stream entry's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970, as a rule.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// A stream's counters. `None` in STREAM_LISTPACKS, Redis 5 to 6.2, which has no more than the first two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct StreamCounters {
    pub length: u64,
    pub last_id: StreamId,
    pub first_id: Option<StreamId>,
    pub max_deleted_id: Option<StreamId>,
    pub entries_added: Option<u64>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The entry.
    pub id: StreamId,
    /// When it was delivered last, in milliseconds since 1970.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub count: u64,
}

/// A module's id: 54 bits are a name, ten the version of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleId(pub u64);

impl ModuleId {
    /// The name: nine characters of six bits, the first in the topmost.
    #[must_use]
    pub fn name(self) -> [u8; 9] {
        const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut name = [0; 9];
        for (place, character) in name.iter_mut().enumerate() {
            let index = (self.0 >> (58 - 6 * place)) & 0x3f;
            *character = CHARACTERS.get(index as usize).copied().unwrap_or(b'?');
        }
        name
    }

    /// The version of the encoding.
    #[must_use]
    pub fn version(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }
}

/// A number of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
}

/// Is told what an RDB holds; the module's text has the order. What is not overridden is ignored.
pub trait Values {
    /// Magic and version.
    fn header(&mut self, _header: Header) {}
    /// A database is selected.
    fn select(&mut self, _db: u64) {}
    /// A record begins that is neither a key nor a part of one.
    fn record(&mut self, _opcode: Opcode) {}
    /// It is complete.
    fn record_end(&mut self, _opcode: Opcode) {}
    /// A key.
    fn key(&mut self, _key: &Key<'_>) {}
    /// Its value is complete.
    fn key_end(&mut self, _end: KeyEnd) {}
    /// A byte string, or a piece of a long one.
    fn text(&mut self, _item: Item, _piece: Piece<'_>) {}
    /// A byte string that the file has as a number; unless overridden it is told as its decimal text.
    #[inline]
    fn integer(&mut self, item: Item, integer: i64) {
        self.text(item, Piece::whole(super::text::Decimal::new(integer).as_bytes()));
    }
    /// A number beside the values.
    fn number(&mut self, _item: Item, _number: u64) {}
    /// A sorted set's score, after its member.
    fn score(&mut self, _score: f64) {}
    /// A hash's field and value are complete; when the field expires, in milliseconds since 1970.
    fn field_end(&mut self, _expires_at_ms: Option<i64>) {}
    /// A stream entry that is not deleted; so many fields and values follow.
    fn stream_entry(&mut self, _id: StreamId, _pairs: u64) {}
    /// The entry is complete.
    fn stream_entry_end(&mut self) {}
    /// The stream's counters, after all entries.
    fn stream(&mut self, _counters: &StreamCounters) {}
    /// A consumer group, after its name. `entries_read` is `None` where the server did not know or the file has none.
    fn group(&mut self, _last_id: StreamId, _entries_read: Option<u64>) {}
    /// One of the group's pending entries.
    fn pending(&mut self, _pending: Pending) {}
    /// A consumer of the group, after its name: when it was seen last and, since STREAM_3, when it was last given an
    /// entry (-1 never), in milliseconds since 1970.
    fn consumer(&mut self, _seen_ms: i64, _active_ms: Option<i64>) {}
    /// The consumer has this one of the group's pending entries.
    fn owned(&mut self, _id: StreamId) {}
    /// All of the consumer has been told.
    fn consumer_end(&mut self) {}
    /// This one of the group's pending entries was handed back (STREAM_5).
    fn unowned(&mut self, _id: StreamId) {}
    /// All of the group has been told.
    fn group_end(&mut self) {}
    /// Whose the values that follow are.
    fn module(&mut self, _id: ModuleId) {}
    /// A number among a module's values.
    fn module_number(&mut self, _number: Number) {}
    /// A number in an array's cell.
    fn cell_number(&mut self, _number: Number) {}
    /// Something in the key under way contradicts itself, but servers load it and so it was decoded as far as it goes:
    /// a stream's node whose entries are not stream entries (what of it came before is told), a stream's length that is
    /// not its number of entries, a packed score that is no number (told as `strtod` reads it).
    fn odd(&mut self, _what: &'static str) {}
    /// The end, and the checksum's verdict.
    fn end(&mut self, _checksum: Checksum) {}
}

/// Hears nothing: for a check.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unheard;

impl Values for Unheard {
    #[inline]
    fn integer(&mut self, _item: Item, _integer: i64) {}
}
