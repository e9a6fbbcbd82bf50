//! The record that holds a given byte, taken apart: each part with its place.
//!
//! [`Explainer`] takes an RDB in pieces, as [`Decoder`](super::Decoder) does, finds what it finds wrong, and collects the
//! parts of the record under way: first ones, those before the byte asked for, and some after it. So memory is bounded
//! however large the record is. Once the record with the byte is complete it takes no more.

use std::collections::VecDeque;
use std::ops::Range;

use super::decoder::Decoding;
use super::error::{Fault, RdbError};
use super::grammar::{Class, Header, Record, Role};
use super::kinds::Kind;
use super::layout::Shape;
use super::lzf::Expander;
use super::machine::{Machine, Progress, Visited, Visitor};
use super::packed::{Blob, Entries, Form};
use super::primitive::Head;
use super::values::{Depth, ModuleId, StreamId, Unheard};
use super::walk::Checksum;
use crate::bounds::{EXPLAINED_AFTER, EXPLAINED_BEFORE, EXPLAINED_FIRST, EXPLAINED_TEXT};

/// Where a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this byte of the RDB.
    File(u64),
    /// At this byte of the string before it, which is stored compressed, after its expansion.
    Expanded(u64),
}

/// One part of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its first byte.
    pub place: Place,
    /// Its bytes.
    pub length: u64,
    /// What it is, in a word or a few.
    pub what: &'static str,
    /// It is an entry of the packed collection before it.
    pub nested: bool,
    /// What it says.
    pub detail: Detail,
}

impl Part {
    /// Its bytes in the RDB, where it has any of its own there.
    #[must_use]
    pub fn range(&self) -> Option<Range<u64>> {
        match self.place {
            Place::File(at) => Some(at..at.saturating_add(self.length)),
            Place::Expanded(_) => None,
        }
    }
}

/// What a part says.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Magic and version.
    Header(Header),
    /// A record's leading byte and the record's name, and whether it is a value type.
    Leading {
        /// The byte.
        byte: u8,
        /// The name in the servers' sources.
        name: &'static str,
        /// A value type, and so a key; else an opcode.
        is_key: bool,
    },
    /// How many of something follow.
    Count(u64),
    /// A number in the length encoding.
    Number(u64),
    /// A signed number.
    Integer(i64),
    /// A double.
    Double(f64),
    /// Milliseconds since 1970; -1 stands for none.
    Milliseconds(i64),
    /// Seconds since 1970.
    Seconds(i64),
    /// A stream entry's id.
    Id(StreamId),
    /// A module's name and the version of its encoding.
    Module(ModuleId),
    /// Bytes as they stand.
    Raw(Vec<u8>),
    /// A byte string.
    Text {
        /// How it is stored.
        stored: Stored,
        /// Bytes of the length or encoding in front of it. 0 for an entry of a packed collection.
        head: u64,
        /// Its bytes, expanded.
        length: u64,
        /// The first of them, [`EXPLAINED_TEXT`] at most.
        beginning: Vec<u8>,
        /// The packing, where it is a packed collection, whose entries follow.
        packed: Option<&'static str>,
    },
    /// The RDB's checksum.
    Checksum(Checksum),
}

/// How a string is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Its bytes follow.
    Plain,
    /// As this number.
    Integer(i64),
    /// As so many bytes of LZF data.
    Lzf(u64),
}

/// A record, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// Offset of its first byte: of the first opcode that belongs to it.
    pub begin: u64,
    /// Offset behind its last byte; `None` where its end was not reached.
    pub end: Option<u64>,
    /// The record's name, `header` and `checksum` for what is none; `None` where not even the leading byte could be read.
    pub record: Option<&'static str>,
    /// Records before it, the opcodes that belong to a key counted with it.
    pub number: u64,
    /// The database that is selected.
    pub db: u64,
    /// The key's name as far as it is held, where there is one.
    pub key: Option<Vec<u8>>,
    /// The first parts.
    pub first: Vec<Part>,
    /// Parts that were left out behind them.
    pub left_out: u64,
    /// The parts up to the byte asked for, and some after it.
    pub near: Vec<Part>,
    /// Parts that were left out behind those.
    pub left_out_after: u64,
    /// Whether the byte asked for is in it.
    pub holds: bool,
}

impl Explained {
    /// All parts that were kept, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.first.iter().chain(&self.near)
    }

    /// Which of the kept parts is the innermost that holds a byte of the RDB.
    #[must_use]
    pub fn part_at(&self, offset: u64) -> Option<usize> {
        self.parts()
            .enumerate()
            .filter(|(_, part)| part.range().is_some_and(|range| range.contains(&offset)))
            .map(|(index, _)| index)
            .last()
    }
}

/// A record in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its name.
    pub record: &'static str,
    /// The database that is selected.
    pub db: u64,
    /// The key's name, or the first string of another record, as far as it is held.
    pub key: Option<Vec<u8>>,
}

/// See the module's text.
pub struct Explainer {
    machine: Machine<Tee>,
}

impl std::fmt::Debug for Explainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explainer").finish_non_exhaustive()
    }
}

impl Explainer {
    /// Explains the record that holds this byte of the RDB.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self::with(Some(offset))
    }

    /// Lists all records ([`Explainer::take_list`]) and explains none but one that is damaged.
    #[must_use]
    pub fn list() -> Self {
        Self::with(None)
    }

    fn with(target: Option<u64>) -> Self {
        let decoding = Decoding::new(Unheard, Depth::Full);
        Self { machine: Machine::new(Tee { teller: Teller::new(target), decoding }) }
    }

    /// Takes the next bytes. After the end, and once the record is complete, nothing more is consumed.
    ///
    /// # Errors
    /// What [`Decoder::push`](super::Decoder::push) finds wrong; [`Explainer::explained`] then has the record.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, RdbError> {
        if self.is_done() {
            return Ok(Progress { consumed: 0, ended: self.machine.ended() });
        }
        match self.machine.push(bytes) {
            Err(_) if self.is_done() => Ok(Progress { consumed: bytes.len(), ended: false }),
            other => other,
        }
    }

    /// Whether the record is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.machine.visitor().teller.done.is_some()
    }

    /// Whether the RDB's end was reached.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.machine.ended()
    }

    /// Bytes taken so far; after an error, those before the primitive that could not be read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.machine.offset()
    }

    /// Keys read so far.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.machine.visitor().decoding.keys()
    }

    /// Records that were listed since this was asked last.
    pub fn take_list(&mut self) -> Vec<Listed> {
        std::mem::take(&mut self.machine.visitor_mut().teller.listed)
    }

    /// The record; where it is not complete, the one under way, that of the fault or of the input's end.
    #[must_use]
    pub fn explained(&self) -> Explained {
        let Tee { teller, decoding } = self.machine.visitor();
        match &teller.done {
            Some(done) => done.clone(),
            None => {
                let key = teller.is_key.then(|| decoding.key().map(<[u8]>::to_vec)).flatten();
                let mut explained = teller.explained(None, key, decoding.db());
                // What has begun when the bytes end or are wrong.
                let open = teller.open.iter().chain(&teller.text).chain(&teller.entry);
                explained.near.extend(open.cloned().map(|mut part| {
                    if part.length == 0 {
                        part.length = 1;
                    }
                    part
                }));
                explained
            }
        }
    }
}

/// The decoding that finds what is wrong, and who tells the parts, before it.
struct Tee {
    teller: Teller,
    decoding: Decoding<Unheard>,
}

/// Ends a walk that has seen enough.
const ENOUGH: Fault = Fault::Contradiction("enough was seen");

struct Teller {
    target: Option<u64>,
    /// Offset of what is told next.
    at: u64,
    /// The record under way: where it begins, opcodes that belong to it included, and what it is.
    begin: Option<u64>,
    record: Option<&'static str>,
    is_key: bool,
    kind: Kind,
    number: u64,
    first: Vec<Part>,
    near: VecDeque<Part>,
    left_out: u64,
    after: Vec<Part>,
    left_out_after: u64,
    /// The part with the byte asked for has come.
    hit: bool,
    /// A part whose end is the next place.
    open: Option<Part>,
    /// A string whose bytes pass.
    text: Option<Part>,
    /// A packed collection whose bytes pass: where its bytes begin, `None` where they are compressed.
    packed: bool,
    packed_at: Option<u64>,
    packed_length: u64,
    plain_node: bool,
    blob: Blob,
    inside: u64,
    entry: Option<Part>,
    layout: Labels,
    compressed: bool,
    expander: Expander,
    /// The second of two numbers that make an id.
    half: Option<Role>,
    done: Option<Explained>,
    listed: Vec<Listed>,
    /// The first string of a record that is no key's.
    label: Option<Vec<u8>>,
}

impl Teller {
    fn new(target: Option<u64>) -> Self {
        Self {
            target,
            at: 0,
            begin: None,
            record: None,
            is_key: false,
            kind: Kind::STRING,
            number: 0,
            first: Vec::new(),
            near: VecDeque::new(),
            left_out: 0,
            after: Vec::new(),
            left_out_after: 0,
            hit: false,
            open: None,
            text: None,
            packed: false,
            packed_at: None,
            packed_length: 0,
            plain_node: false,
            blob: Blob::default(),
            inside: 0,
            entry: None,
            layout: Labels::default(),
            compressed: false,
            expander: Expander::default(),
            half: None,
            done: None,
            listed: Vec::new(),
            label: None,
        }
    }

    /// The primitive under way ends here.
    fn settle(&mut self, at: u64) {
        self.at = at;
        let Some(mut part) = self.open.take() else { return };
        let Place::File(begin) = part.place else { return };
        let size = at.saturating_sub(begin);
        match &mut part.detail {
            Detail::Text { stored, head, length, packed, .. } => {
                *head = size;
                part.length = size
                    + match stored {
                        Stored::Plain => *length,
                        Stored::Lzf(compressed) => *compressed,
                        Stored::Integer(_) => 0,
                    };
                if packed.is_some() {
                    self.packed_at = matches!(stored, Stored::Plain).then_some(at);
                    self.push(part);
                } else {
                    self.text = Some(part);
                }
            }
            _ => {
                part.length = size;
                self.push(part);
            }
        }
    }

    fn push(&mut self, part: Part) {
        if self.hit {
            if self.after.len() < EXPLAINED_AFTER {
                self.after.push(part);
            } else {
                self.left_out_after += 1;
            }
            return;
        }
        // Of a packed collection that lies open, an entry is meant.
        let own = match part.detail {
            Detail::Text { head, packed: Some(_), stored: Stored::Plain, .. } => head,
            _ => part.length,
        };
        self.hit = match (part.place, self.target) {
            (Place::File(at), Some(target)) => (at..at.saturating_add(own)).contains(&target),
            _ => false,
        };
        if self.first.len() < EXPLAINED_FIRST {
            self.first.push(part);
            return;
        }
        self.near.push_back(part);
        while self.near.len() > EXPLAINED_BEFORE {
            self.near.pop_front();
            self.left_out += 1;
        }
    }

    fn start(&mut self, what: &'static str, detail: Detail) {
        self.open = Some(Part { place: Place::File(self.at), length: 0, what, nested: false, detail });
    }

    fn clear(&mut self) {
        self.first.clear();
        self.near.clear();
        self.after.clear();
        (self.left_out, self.left_out_after, self.hit) = (0, 0, false);
        (self.begin, self.record, self.is_key) = (None, None, false);
        self.label = None;
    }

    fn explained(&self, end: Option<u64>, key: Option<Vec<u8>>, db: u64) -> Explained {
        let begin = self.begin.unwrap_or(self.at);
        Explained {
            begin,
            end,
            record: self.record,
            number: self.number,
            db,
            key,
            first: self.first.clone(),
            left_out: self.left_out,
            near: self.near.iter().chain(&self.after).cloned().collect(),
            left_out_after: self.left_out_after,
            holds: self.target.is_some_and(|target| target >= begin && end.is_none_or(|end| target < end)),
        }
    }

    /// The record is complete: it is the one, or forgotten.
    fn finish(&mut self, end: u64, key: Option<&[u8]>, db: u64) -> Visited {
        let begin = self.begin.unwrap_or(end);
        if self.target.is_some_and(|target| (begin..end).contains(&target)) {
            self.done = Some(self.explained(Some(end), key.map(<[u8]>::to_vec), db));
            return Err(ENOUGH);
        }
        if self.target.is_none() {
            let held = |bytes: &[u8]| bytes.get(..bytes.len().min(EXPLAINED_TEXT)).unwrap_or_default().to_vec();
            let key = key.map(held).or_else(|| self.label.take());
            self.listed.push(Listed { offset: begin, bytes: end - begin, record: self.record.unwrap_or(""), db, key });
        }
        self.number += 1;
        self.clear();
        Ok(())
    }

    /// Some of a string's bytes, expanded.
    fn feed(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        if self.packed {
            let mut blob = std::mem::take(&mut self.blob);
            let fed = blob.feed(bytes, self);
            self.blob = blob;
            return fed;
        }
        if let Some(Part { detail: Detail::Text { beginning, .. }, .. }) = &mut self.text {
            let room = EXPLAINED_TEXT - beginning.len().min(EXPLAINED_TEXT);
            beginning.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
            return Ok(room > bytes.len());
        }
        Ok(false)
    }

    /// The entry under way ends before this byte of the collection.
    fn end_entry(&mut self, inside: u64) {
        let Some(mut part) = self.entry.take() else { return };
        let begin = match (part.place, self.packed_at) {
            (Place::File(at), Some(base)) => at - base,
            (Place::File(at) | Place::Expanded(at), _) => at,
        };
        part.length = inside.saturating_sub(begin);
        self.push(part);
    }

    /// A part of a collection begins at its byte `inside`.
    fn begin_entry(&mut self, inside: u64, what: &'static str, detail: Detail) {
        self.end_entry(inside);
        let place = self.packed_at.map_or(Place::Expanded(inside), |base| Place::File(base + inside));
        self.entry = Some(Part { place, length: 0, what, nested: true, detail });
    }

    /// The collection's string is at its end.
    fn end_packed(&mut self) {
        let length = self.packed_length;
        if self.kind.packed.is_none_or(|(form, _)| form == Form::Intset) {
            self.end_entry(length);
        } else {
            self.end_entry(length.saturating_sub(1));
            self.begin_entry(length.saturating_sub(1), "end mark", Detail::Raw(vec![0xff]));
            self.end_entry(length);
        }
        self.packed = false;
    }
}

impl Entries for Teller {
    fn place(&mut self, inside: u64) {
        self.inside = inside;
        if inside == 0 {
            let head = match self.kind.packed.map(|(form, _)| form) {
                Some(Form::Listpack) => "head: size and number of entries",
                Some(Form::Ziplist) => "head: size, last entry and number of entries",
                Some(Form::Intset) => "head: width and number of integers",
                _ => "head: number of fields",
            };
            self.entry = None;
            self.begin_entry(0, head, Detail::Raw(Vec::new()));
        }
    }

    fn integer(&mut self, integer: i64) -> Result<(), Fault> {
        let what = self.layout.next(Some(integer));
        self.begin_entry(self.inside, what, Detail::Integer(integer));
        Ok(())
    }

    fn begin(&mut self, length: u64) -> Result<(), Fault> {
        let what = self.layout.next(None);
        let text = Detail::Text { stored: Stored::Plain, head: 0, length, beginning: Vec::new(), packed: None };
        self.begin_entry(self.inside, what, text);
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(Part { detail: Detail::Text { beginning, .. }, .. }) = &mut self.entry {
            let room = EXPLAINED_TEXT - beginning.len().min(EXPLAINED_TEXT);
            beginning.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        }
        Ok(())
    }
}

/// What a collection's entries are, one after the other.
#[derive(Default)]
struct Labels {
    shape: Option<Shape>,
    place: u64,
    node: NodeLabels,
}

/// The place in a stream's node.
#[derive(Default)]
struct NodeLabels {
    /// Fields of the master entry, and those still to come before something else.
    fields: u64,
    left: u64,
    own: bool,
    value: bool,
    step: NodeStep,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum NodeStep {
    #[default]
    Count,
    Deleted,
    Fields,
    Field,
    MasterEnd,
    Flags,
    Ms,
    Seq,
    OwnFields,
    Value,
    Size,
}

impl Labels {
    fn begin(&mut self, shape: Shape) {
        *self = Self { shape: Some(shape), ..Self::default() };
    }

    fn next(&mut self, integer: Option<i64>) -> &'static str {
        let place = self.place;
        self.place += 1;
        match self.shape {
            Some(Shape::Pairs) => ["field", "value"][(place % 2) as usize],
            Some(Shape::Scored) => ["member", "score"][(place % 2) as usize],
            Some(Shape::Triples) => ["field", "value", "field's expiry in ms, 0 for none"][(place % 3) as usize],
            Some(Shape::Template) if place == 0 => "number of the hash template",
            Some(Shape::Template) => "value",
            Some(Shape::Node) => self.node.next(integer.map_or(0, i64::cast_unsigned)),
            Some(Shape::Each(super::values::Item::Member)) => "member",
            Some(Shape::Each(_)) | None => "element",
        }
    }
}

impl NodeLabels {
    fn next(&mut self, integer: u64) -> &'static str {
        const SAME_FIELDS: u64 = 2;
        let (what, next) = match self.step {
            NodeStep::Count => ("entries of the node", NodeStep::Deleted),
            NodeStep::Deleted => ("deleted entries of the node", NodeStep::Fields),
            NodeStep::Fields => {
                (self.fields, self.left) = (integer, integer);
                ("fields of the master entry", if integer == 0 { NodeStep::MasterEnd } else { NodeStep::Field })
            }
            NodeStep::Field => {
                self.left -= 1;
                ("field of the master entry", if self.left == 0 { NodeStep::MasterEnd } else { NodeStep::Field })
            }
            NodeStep::MasterEnd => ("end of the master entry", NodeStep::Flags),
            NodeStep::Flags => {
                self.own = integer & SAME_FIELDS == 0;
                ("flags of an entry: 1 deleted, 2 the master's fields", NodeStep::Ms)
            }
            NodeStep::Ms => ("milliseconds of its id, less the node's", NodeStep::Seq),
            NodeStep::Seq => {
                self.left = self.fields;
                let next = match (self.own, self.fields) {
                    (true, _) => NodeStep::OwnFields,
                    (false, 0) => NodeStep::Size,
                    (false, _) => NodeStep::Value,
                };
                ("number of its id, less the node's", next)
            }
            NodeStep::OwnFields => {
                self.left = integer.saturating_mul(2);
                self.value = false;
                ("fields of the entry", if integer == 0 { NodeStep::Size } else { NodeStep::Value })
            }
            NodeStep::Value => {
                self.left = self.left.saturating_sub(1);
                let what = if self.own && !self.value { "field" } else { "value" };
                self.value = !self.value;
                (what, if self.left == 0 { NodeStep::Size } else { NodeStep::Value })
            }
            NodeStep::Size => ("listpack entries of the entry", NodeStep::Flags),
        };
        self.step = next;
        what
    }
}

/// Opcodes that belong to the key after them.
pub(super) fn belongs_to_key(record: &Record) -> bool {
    matches!(record.byte, 0xf8 | 0xf9 | 0xfc | 0xfd) || record.name == "KEY_META"
}

impl Visitor for Tee {
    fn header(&mut self, header: Header) {
        let teller = &mut self.teller;
        teller.record = Some("header");
        teller.begin = Some(0);
        let part =
            Part { place: Place::File(0), length: 9, what: "header", nested: false, detail: Detail::Header(header) };
        teller.push(part);
        // The machine cannot be told to stop here; it is at the next record.
        let _ = teller.finish(9, None, 0);
        teller.number = 0;
        self.decoding.header(header);
    }

    fn place(&mut self, at: u64) {
        self.teller.settle(at);
    }

    fn record(&mut self, record: &Record, at: u64) -> Visited {
        let teller = &mut self.teller;
        if teller.done.is_some() {
            return Err(ENOUGH);
        }
        teller.begin.get_or_insert(at);
        teller.record = Some(record.name);
        teller.is_key = record.class == Class::Key;
        teller.kind = Kind::of(record);
        teller.plain_node = false;
        teller.half = None;
        let what = match record.class {
            Class::Key => "value type",
            Class::Opcode | Class::End => "opcode",
        };
        teller.start(what, Detail::Leading { byte: record.byte, name: record.name, is_key: teller.is_key });
        self.decoding.record(record, at)
    }

    fn record_end(&mut self, record: &Record, end: u64) -> Visited {
        self.teller.settle(end);
        if !belongs_to_key(record) {
            // The decoding forgets the key at its end.
            let key = self.decoding.key().filter(|_| self.teller.is_key).map(<[u8]>::to_vec);
            let db = self.decoding.db();
            self.decoding.record_end(record, end)?;
            self.teller.finish(end, key.as_deref(), db)?;
            self.teller.at = end;
            return Ok(());
        }
        self.decoding.record_end(record, end)
    }

    fn count(&mut self, role: Role, count: u64) -> Visited {
        self.teller.start(words(role), Detail::Count(count));
        self.decoding.count(role, count)
    }

    fn number(&mut self, role: Role, number: u64) -> Visited {
        let teller = &mut self.teller;
        let second = teller.half.take() == Some(role);
        let what = match (role, second) {
            (Role::StreamLastId, false) => "last id, milliseconds",
            (Role::StreamLastId, true) => "last id, number",
            (Role::StreamFirstId, false) => "first id, milliseconds",
            (Role::StreamFirstId, true) => "first id, number",
            (Role::StreamDeletedId, false) => "greatest deleted id, milliseconds",
            (Role::StreamDeletedId, true) => "greatest deleted id, number",
            (Role::GroupLastId, false) => "group's last id, milliseconds",
            (Role::GroupLastId, true) => "group's last id, number",
            (Role::ProducerItemId, false) => "its id, milliseconds",
            (Role::ProducerItemId, true) => "its id, number",
            (Role::Dedup, false) => "duration of idempotence",
            (Role::Dedup, true) => "greatest number of ids kept",
            (Role::FieldExpiry, _) if teller.record == Some("HASH_METADATA") => {
                "field's expiry: ms after the least one, plus 1; 0 none"
            }
            (Role::FieldExpiry, _) => "field's expiry: ms since 1970; 0 none",
            (other, _) => words(other),
        };
        if !second {
            teller.half = Some(role);
        }
        teller.plain_node = role == Role::Container && number == 1;
        let detail = match role {
            Role::ModuleId => Detail::Module(ModuleId(number)),
            Role::ModuleSigned | Role::GroupRead => Detail::Integer(number.cast_signed()),
            _ => Detail::Number(number),
        };
        if teller.target.is_none() && matches!(role, Role::Database | Role::Slot) {
            teller.label = Some(number.to_string().into_bytes());
        }
        teller.start(what, detail);
        self.decoding.number(role, number)
    }

    fn raw(&mut self, role: Role, bytes: &[u8]) -> Visited {
        let long = bytes.first_chunk::<8>();
        let detail = match (role, long, bytes) {
            (Role::ExpiryMilliseconds | Role::LeastExpiry | Role::FieldExpiry, Some(long), _)
            | (Role::DeliveredAt | Role::SeenAt | Role::ActiveAt, Some(long), _) => {
                Detail::Milliseconds(i64::from_le_bytes(*long))
            }
            (Role::ExpirySeconds, _, [a, b, c, d]) => Detail::Seconds(i32::from_le_bytes([*a, *b, *c, *d]).into()),
            (Role::Score | Role::ModuleDouble | Role::CellDouble, Some(long), _) => {
                Detail::Double(f64::from_le_bytes(*long))
            }
            (Role::Score, _, [253]) => Detail::Double(f64::NAN),
            (Role::Score, _, [254]) => Detail::Double(f64::INFINITY),
            (Role::Score, _, [255]) => Detail::Double(f64::NEG_INFINITY),
            (Role::ModuleFloat, _, [a, b, c, d]) => Detail::Double(f32::from_le_bytes([*a, *b, *c, *d]).into()),
            (Role::CellInteger, Some(long), _) => Detail::Integer(i64::from_le_bytes(*long)),
            (Role::PendingId | Role::OwnedId | Role::UnownedId, _, _) if bytes.len() == 16 => Detail::Id(id(bytes)),
            (Role::Frequency, _, [frequency]) => Detail::Number((*frequency).into()),
            _ => Detail::Raw(bytes.to_vec()),
        };
        self.teller.start(words(role), detail);
        self.decoding.raw(role, bytes)
    }

    fn string(&mut self, role: Role, head: Head) -> Visited {
        let teller = &mut self.teller;
        let (stored, length) = match head {
            Head::Plain(length) => (Stored::Plain, length),
            Head::Integer(number) => (Stored::Integer(number), 0),
            Head::Compressed { compressed, expanded } => (Stored::Lzf(compressed), expanded),
        };
        teller.packed = matches!(role, Role::Packed | Role::Node | Role::StreamNode)
            && !teller.plain_node
            && !matches!(head, Head::Integer(_));
        let packing = teller.kind.packed.filter(|_| teller.packed);
        teller.packed = packing.is_some();
        if let Some((form, shape)) = packing {
            teller.blob.begin(form, length, false);
            teller.layout.begin(shape);
            teller.packed_length = length;
            teller.entry = None;
        }
        teller.compressed = matches!(head, Head::Compressed { .. });
        if let Head::Compressed { expanded, .. } = head {
            teller.expander.begin(expanded, packing.is_none());
        }
        let beginning = match head {
            Head::Integer(number) => number.to_string().into_bytes(),
            _ => Vec::new(),
        };
        let length = if beginning.is_empty() { length } else { beginning.len() as u64 };
        let packed = packing.map(|(form, _)| form.name());
        teller.start(words(role), Detail::Text { stored, head: 0, length, beginning, packed });
        self.decoding.string(role, head)
    }

    fn part(&mut self, role: Role, bytes: &[u8]) -> Visited {
        let teller = &mut self.teller;
        // What is wrong with the bytes is the decoding's to say.
        if teller.compressed {
            let mut expander = std::mem::take(&mut teller.expander);
            let _ = expander.feed(bytes, |expanded| teller.feed(expanded));
            teller.expander = expander;
        } else {
            let _ = teller.feed(bytes);
        }
        self.decoding.part(role, bytes)
    }

    fn string_end(&mut self, role: Role) -> Visited {
        let teller = &mut self.teller;
        if teller.packed {
            self.decoding.string_end(role)?;
            self.teller.end_packed();
            return Ok(());
        }
        if let Some(mut part) = teller.text.take() {
            if let (Role::StreamNodeId, Detail::Text { beginning, .. }) = (role, &part.detail)
                && beginning.len() == 16
            {
                part.detail = Detail::Id(id(beginning));
            }
            if let (None, Detail::Text { beginning, .. }) = (&teller.label, &part.detail)
                && teller.target.is_none()
            {
                teller.label = Some(beginning.clone());
            }
            teller.push(part);
        }
        self.decoding.string_end(role)
    }

    fn end(&mut self, checksums: Option<(u64, u64)>) {
        let teller = &mut self.teller;
        if checksums.is_some() {
            teller.record = Some("checksum");
            let at = teller.at;
            teller.begin = Some(at);
            let detail = Detail::Checksum(Checksum::judge(checksums));
            teller.push(Part { place: Place::File(at), length: 8, what: "checksum", nested: false, detail });
            let db = self.decoding.db();
            let _ = teller.finish(at + 8, None, db);
        }
        self.decoding.end(checksums);
    }
}

/// A stream entry's id, each half big-endian.
fn id(bytes: &[u8]) -> StreamId {
    let half =
        |from: usize| bytes.get(from..).and_then(<[u8]>::first_chunk).map_or(0, |half| u64::from_be_bytes(*half));
    StreamId { ms: half(0), seq: half(8) }
}

/// What a part of this role is.
fn words(role: Role) -> &'static str {
    match role {
        Role::AuxKey => "name of the fact",
        Role::AuxValue => "the fact",
        Role::Database => "database",
        Role::TableKeys => "keys of the database, a hint",
        Role::TableExpires => "keys with an expiry, a hint",
        Role::ExpirySeconds | Role::ExpiryMilliseconds => "expiry",
        Role::Frequency => "access counter",
        Role::IdleSeconds => "seconds idle",
        Role::Function => "function library",
        Role::Slot => "slot",
        Role::SlotKeys => "keys of the slot, a hint",
        Role::SlotExpires => "keys of the slot with an expiry, a hint",
        Role::SlotImportJob => "name of the slot import",
        Role::SlotRanges => "ranges of slots",
        Role::SlotFirst => "first slot",
        Role::SlotLast => "last slot",
        Role::MetaClasses => "classes of metadata",
        Role::MetaClass => "class of metadata",
        Role::TemplateId => "number of the hash template",
        Role::TemplateFields => "fields of the hash template",
        Role::TemplateField => "field of the hash template",
        Role::UpdateArguments => "arguments of the command",
        Role::UpdateArgument => "argument of the command",
        Role::Key => "key",
        Role::Value | Role::FieldValue => "value",
        Role::Elements => "elements",
        Role::Element => "element",
        Role::Members => "members",
        Role::Member => "member",
        Role::Score => "score",
        Role::Fields => "fields",
        Role::Field => "field",
        Role::FieldExpiry => "field's expiry",
        Role::LeastExpiry => "least expiry of the fields",
        Role::Packed => "the collection, packed",
        Role::Nodes => "nodes",
        Role::Container => "container: 1 one element, 2 a listpack",
        Role::Node => "node",
        Role::StreamNodes => "nodes of the stream",
        Role::StreamNodeId => "id of the node's master entry",
        Role::StreamNode => "node",
        Role::StreamLength => "entries of the stream",
        Role::StreamLastId => "last id",
        Role::StreamFirstId => "first id",
        Role::StreamDeletedId => "greatest deleted id",
        Role::StreamAdded => "entries ever added",
        Role::Groups => "consumer groups",
        Role::GroupName => "name of the group",
        Role::GroupLastId => "group's last id",
        Role::GroupRead => "entries the group has read, -1 unknown",
        Role::Pending => "pending entries of the group",
        Role::PendingId => "id of a pending entry",
        Role::DeliveredAt => "delivered",
        Role::Deliveries => "deliveries",
        Role::Consumers => "consumers of the group",
        Role::ConsumerName => "name of the consumer",
        Role::SeenAt => "consumer seen",
        Role::ActiveAt => "consumer active, -1 never",
        Role::Owned => "pending entries of the consumer",
        Role::OwnedId => "id of a pending entry of the consumer",
        Role::Unowned => "pending entries without a consumer",
        Role::UnownedId => "id of a pending entry without a consumer",
        Role::Dedup => "idempotence",
        Role::Producers => "producers",
        Role::Producer => "id of the producer",
        Role::ProducerItems => "items of the producer",
        Role::ProducerItem => "id of the item",
        Role::ProducerItemId => "id of its entry",
        Role::DedupAdded => "ids ever added",
        Role::DedupRepeated => "repeated ids",
        Role::Slots => "cells of the array",
        Role::InsertIndexes => "whether an insert index follows",
        Role::InsertIndex => "insert index",
        Role::Index => "index",
        Role::Tag => "kind of the cell: 0 string, 1 integer, 2 double, 3 short string",
        Role::CellInteger | Role::CellDouble | Role::Cell => "cell",
        Role::Rate => "rate limit",
        Role::ModuleId => "module",
        Role::ModuleWhenOpcode | Role::ModuleOpcode => {
            "module opcode: 0 end, 1 signed, 2 unsigned, 3 float, 4 double, 5 string"
        }
        Role::ModuleWhen => "when: 1 before the keys, 2 after them",
        Role::ModuleSigned => "signed number",
        Role::ModuleUnsigned => "unsigned number",
        Role::ModuleFloat => "float",
        Role::ModuleDouble => "double",
        Role::ModuleString => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A string, an expiring hash in a listpack, the same again as LZF, a stream's group, the end.
    fn sample() -> Vec<u8> {
        let listpack = b"\x0f\0\0\0\x04\0\x81f\x02\x05\x01\x81g\x02\x07\x01\xff";
        let listpack = [&(listpack.len() as u32).to_le_bytes()[..], &listpack[4..]].concat();
        // LZF: one run of literals.
        let literals = [&[listpack.len() as u8 - 1][..], &listpack].concat();
        [
            &b"REDIS0011\xfe\x03\x00\x01k\xc0\x07"[..],
            b"\xfc\x00\xd8\xc3\x2c\xbb\x03\x00\x00\xf9\x05\x10\x01h",
            &[listpack.len() as u8],
            &listpack,
            b"\x10\x01z\xc3",
            &[literals.len() as u8, listpack.len() as u8],
            &literals,
            b"\xff\0\0\0\0\0\0\0\0",
        ]
        .concat()
    }

    fn explain(bytes: &[u8], offset: u64, size: usize) -> (Option<RdbError>, Explained) {
        let mut explainer = Explainer::new(offset);
        let error = bytes.chunks(size).find_map(|piece| explainer.push(piece).err());
        (error, explainer.explained())
    }

    #[test]
    fn the_parts_of_every_record_are_all_of_it() {
        let bytes = sample();
        for offset in 0..bytes.len() as u64 {
            let (error, explained) = explain(&bytes, offset, bytes.len());
            assert_eq!(error, None);
            assert!(explained.holds && (explained.begin..explained.end.unwrap()).contains(&offset));
            let part = explained.parts().nth(explained.part_at(offset).unwrap()).unwrap();
            assert!(part.range().unwrap().contains(&offset));
            let mut at = explained.begin;
            for part in explained.parts().filter(|part| !part.nested) {
                let range = part.range().unwrap();
                assert_eq!(range.start, at, "{offset}: {explained:#?}");
                at = range.end;
            }
            assert_eq!(Some(at), explained.end, "{offset}");
        }
    }

    #[test]
    fn the_parts_are_the_same_however_the_bytes_are_cut() {
        let bytes = sample();
        for offset in (0..bytes.len() as u64).step_by(3) {
            let whole = explain(&bytes, offset, bytes.len());
            for size in [1, 2, 7, 20] {
                assert_eq!(explain(&bytes, offset, size), whole, "byte {offset}, pieces of {size}");
            }
        }
    }

    #[test]
    fn a_keys_opcodes_are_of_its_record() {
        let bytes = sample();
        let (_, explained) = explain(&bytes, 18, bytes.len());
        assert_eq!((explained.record, explained.begin), (Some("HASH_LISTPACK"), 16));
        assert_eq!((explained.key.as_deref(), explained.db), (Some(&b"h"[..]), 3));
        let what: Vec<&str> = explained.parts().map(|part| part.what).collect();
        let expected = ["opcode", "expiry", "opcode", "access counter", "value type", "key", "the collection, packed"];
        assert_eq!(what[..7], expected);
        assert_eq!(what[7..], ["head: size and number of entries", "field", "value", "field", "value", "end mark"]);
        assert_eq!(explained.first[1].detail, Detail::Milliseconds(4_102_444_800_000));
    }

    #[test]
    fn entries_of_compressed_collections_have_places_in_the_expanded_string() {
        let bytes = sample();
        let z = bytes.windows(3).position(|window| window == b"\x10\x01z").unwrap() as u64;
        let (_, explained) = explain(&bytes, z + 10, bytes.len());
        let entries: Vec<&Part> = explained.parts().filter(|part| part.nested).collect();
        let places: Vec<Place> = entries.iter().map(|part| part.place).collect();
        assert_eq!(places, [0, 6, 9, 11, 14, 16].map(Place::Expanded));
        assert_eq!(entries[2].detail, Detail::Integer(5));
        assert_eq!(entries.last().unwrap().length, 1);
    }

    #[test]
    fn of_a_large_record_the_parts_around_the_byte_are_kept() {
        let elements: Vec<u8> = (0..1000).flat_map(|_| *b"\x02ab").collect();
        let bytes = [&b"REDIS0011\x01\x01l\x43\xe8"[..], &elements, b"\xff\0\0\0\0\0\0\0\0"].concat();
        let offset = 14 + 3 * 700;
        let (error, explained) = explain(&bytes, offset, 100);
        assert_eq!(error, None);
        let parts = 3 + 1000;
        let kept = explained.first.len() + explained.near.len();
        assert_eq!(explained.first.len(), EXPLAINED_FIRST);
        assert_eq!(explained.near.len(), EXPLAINED_BEFORE + EXPLAINED_AFTER);
        assert_eq!(explained.left_out + explained.left_out_after + kept as u64, parts);
        let here = &explained.parts().nth(explained.part_at(offset).unwrap()).unwrap();
        assert_eq!(here.range(), Some(offset..offset + 3));
    }

    #[test]
    fn what_could_be_read_of_a_damaged_record_is_there() {
        let mut bytes = sample();
        // The size behind the first field.
        let damaged = bytes.windows(3).position(|window| window == b"\x81f\x02").unwrap() + 2;
        bytes[damaged] = 9;
        let (error, explained) = explain(&bytes, damaged as u64, bytes.len());
        assert!(matches!(error.unwrap().fault, Fault::Packed { inside: 8, .. }));
        assert_eq!((explained.end, explained.record), (None, Some("HASH_LISTPACK")));
        assert!(explained.parts().any(|part| part.what == "field"));
    }

    #[test]
    fn all_records_are_listed() {
        let bytes = sample();
        let mut explainer = Explainer::list();
        explainer.push(&bytes).unwrap();
        let listed = explainer.take_list();
        let names: Vec<&str> = listed.iter().map(|listed| listed.record).collect();
        assert_eq!(names, ["header", "SELECTDB", "STRING", "HASH_LISTPACK", "HASH_LISTPACK", "EOF", "checksum"]);
        let mut at = 0;
        for listed in &listed {
            assert_eq!(listed.offset, at);
            at += listed.bytes;
        }
        assert_eq!(at, bytes.len() as u64);
        assert_eq!(listed[3].key.as_deref(), Some(&b"h"[..]));
    }
}
