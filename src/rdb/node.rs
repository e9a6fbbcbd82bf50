//! A stream's node: a listpack of entries that share a master's id and fields (`t_stream.c`).
//!
//! ```text
//! entries  deleted  fields  field*  0                                    the master entry
//! flags  ms  seq  (fields field value …| value*)  number of entries      an entry; ids relative to the node's id
//! ```
//! Flags: 1 deleted, 2 the fields are the master's and only the values follow. The last number is how many listpack
//! entries the stream entry has, itself not counted.

use super::error::Fault;
use super::text::Decimal;
use super::values::{Item, Piece, StreamId, Values};
use crate::bounds::MAX_RDB_SHARED_FIELDS;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// Named for the listpack entry that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Entries,
    Deleted,
    Fields,
    Field,
    MasterEnd,
    Flags,
    Milliseconds,
    Sequence,
    OwnFields,
    OwnField,
    Value,
    Size,
    /// The entries make no sense; the rest of the listpack is passed over.
    Broken,
}

/// One node under way.
#[derive(Default)]
pub(super) struct Node {
    phase: Phase,
    master: StreamId,
    /// Announced and seen, without the deleted, and the deleted.
    entries: (i64, i64),
    deleted: (i64, i64),
    /// Names of the master's fields, one behind the other, and where each ends.
    names: Vec<u8>,
    ends: Vec<usize>,
    /// Fields, or values, that are still to come; pairs of the entry.
    left: u64,
    pairs: u64,
    flags: i64,
    id: StreamId,
}

impl Node {
    /// A node begins.
    pub(super) fn begin(&mut self, master: StreamId) {
        self.names.clear();
        self.ends.clear();
        (self.phase, self.master) = (Phase::Entries, master);
        (self.entries, self.deleted) = ((0, 0), (0, 0));
    }

    /// Entries that are not deleted.
    pub(super) fn entries(&self) -> u64 {
        self.entries.1.unsigned_abs()
    }

    /// The listpack is at its end.
    pub(super) fn finish<V: Values>(&mut self, values: &mut V) {
        match self.phase {
            Phase::Broken => {}
            Phase::Flags if self.entries.0 == self.entries.1 && self.deleted.0 == self.deleted.1 => {}
            Phase::Flags => values.odd("a stream's node has another number of entries than its head says"),
            _ => self.abandon("a stream's node ends inside an entry", values),
        }
    }

    /// What comes is no stream entry. Servers look into nodes only when the stream is read, so this is no reason to
    /// refuse the rest. The entry under way, if it is told, is closed with a value for each field.
    #[cold]
    fn abandon<V: Values>(&mut self, what: &'static str, values: &mut V) {
        values.odd(what);
        if self.is_told() && matches!(self.phase, Phase::OwnField | Phase::Value | Phase::Size) {
            if self.phase == Phase::Value && self.flags & SAME_FIELDS == 0 {
                values.text(Item::StreamValue, Piece::whole(&[]));
            }
            values.stream_entry_end();
        }
        self.phase = Phase::Broken;
    }

    fn is_told(&self) -> bool {
        self.flags & DELETED == 0
    }

    /// A listpack entry that is a number.
    #[inline]
    pub(super) fn integer<V: Values>(&mut self, number: i64, values: &mut V) -> Result<(), Fault> {
        match self.phase {
            Phase::Field => {
                self.keep(Decimal::new(number).as_bytes())?;
                self.end_name();
            }
            Phase::OwnField | Phase::Value => {
                if let Some(item) = self.begin_text(values) {
                    values.integer(item, number);
                }
                self.end_text();
            }
            Phase::Broken => {}
            _ => {
                if let Err(what) = self.structure(number, values) {
                    self.abandon(what, values);
                }
            }
        }
        Ok(())
    }

    /// A number that is no field and no value.
    fn structure<V: Values>(&mut self, number: i64, values: &mut V) -> Result<(), &'static str> {
        self.phase = match self.phase {
            Phase::Entries => {
                self.entries.0 = number;
                Phase::Deleted
            }
            Phase::Deleted => {
                self.deleted.0 = number;
                Phase::Fields
            }
            Phase::Fields => {
                self.left = count(number)?;
                if self.left == 0 { Phase::MasterEnd } else { Phase::Field }
            }
            Phase::MasterEnd if number != 0 => return Err("a stream node's master entry does not end with a zero"),
            Phase::MasterEnd => Phase::Flags,
            Phase::Flags => {
                if number & !(DELETED | SAME_FIELDS) != 0 {
                    return Err("a stream entry has flags that do not exist");
                }
                self.flags = number;
                Phase::Milliseconds
            }
            Phase::Milliseconds => {
                self.id.ms = self.master.ms.wrapping_add(number.cast_unsigned());
                Phase::Sequence
            }
            Phase::Sequence => {
                self.id.seq = self.master.seq.wrapping_add(number.cast_unsigned());
                if self.flags & SAME_FIELDS == 0 {
                    Phase::OwnFields
                } else {
                    self.pairs(self.ends.len() as u64, values)
                }
            }
            Phase::OwnFields => {
                let pairs = count(number)?;
                self.pairs(pairs, values)
            }
            _ => self.size(number, values)?,
        };
        Ok(())
    }

    /// An entry of so many pairs begins.
    fn pairs<V: Values>(&mut self, pairs: u64, values: &mut V) -> Phase {
        (self.left, self.pairs) = (pairs, pairs);
        if self.is_told() {
            values.stream_entry(self.id, pairs);
        }
        match self.flags & SAME_FIELDS {
            _ if pairs == 0 => Phase::Size,
            0 => Phase::OwnField,
            _ => Phase::Value,
        }
    }

    /// An entry's last number.
    fn size<V: Values>(&mut self, number: i64, values: &mut V) -> Result<Phase, &'static str> {
        let needed = if self.flags & SAME_FIELDS == 0 { 2 * self.pairs + 4 } else { self.pairs + 3 };
        if number.cast_unsigned() != needed {
            return Err("a stream entry's last number is not its size");
        }
        if self.is_told() {
            self.entries.1 += 1;
            values.stream_entry_end();
        } else {
            self.deleted.1 += 1;
        }
        Ok(Phase::Flags)
    }

    /// A listpack entry that is a string begins; as what to tell it, if it is to be told.
    #[inline]
    pub(super) fn string<V: Values>(&mut self, _length: u64, values: &mut V) -> Result<Option<Item>, Fault> {
        match self.phase {
            Phase::Field => Ok(None),
            Phase::OwnField | Phase::Value => Ok(self.begin_text(values)),
            Phase::Broken => Ok(None),
            _ => {
                self.abandon("a stream's node has a string where a number is needed", values);
                Ok(None)
            }
        }
    }

    /// Some of the bytes of one that is not told.
    pub(super) fn part(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.phase == Phase::Field { self.keep(bytes) } else { Ok(()) }
    }

    /// It is complete.
    #[inline]
    pub(super) fn string_end<V: Values>(&mut self, _values: &mut V) -> Result<(), Fault> {
        match self.phase {
            Phase::Field => self.end_name(),
            Phase::Broken => {}
            _ => self.end_text(),
        }
        Ok(())
    }

    /// A field or value begins; a shared field is told before its value.
    #[inline]
    fn begin_text<V: Values>(&mut self, values: &mut V) -> Option<Item> {
        if !self.is_told() {
            return None;
        }
        if self.phase == Phase::OwnField {
            return Some(Item::StreamField);
        }
        if self.flags & SAME_FIELDS != 0 {
            let index = usize::try_from(self.pairs - self.left).unwrap_or(usize::MAX);
            let begin = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
            let end = self.ends.get(index).copied().unwrap_or(begin);
            tell_name(self.names.get(begin..end).unwrap_or_default(), values);
        }
        Some(Item::StreamValue)
    }

    #[inline]
    fn end_text(&mut self) {
        if self.phase == Phase::OwnField {
            self.phase = Phase::Value;
            return;
        }
        self.left -= 1;
        self.phase = match self.flags & SAME_FIELDS {
            _ if self.left == 0 => Phase::Size,
            0 => Phase::OwnField,
            _ => Phase::Value,
        };
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.names.len() + bytes.len() + 8 * (self.ends.len() + 1) > MAX_RDB_SHARED_FIELDS {
            return Err(Fault::SharedFields);
        }
        self.names.extend_from_slice(bytes);
        Ok(())
    }

    fn end_name(&mut self) {
        self.ends.push(self.names.len());
        self.left -= 1;
        if self.left == 0 {
            self.phase = Phase::MasterEnd;
        }
    }
}

/// Tells a shared field's name in the pieces in which any string would come.
fn tell_name<V: Values>(name: &[u8], values: &mut V) {
    let mut text = super::text::Assembler::default();
    text.begin(Item::StreamField, name.len() as u64, values);
    if !name.is_empty() {
        text.feed(Item::StreamField, name, values);
    }
}

/// A number of fields. (Twice as many and a few more are still a number.)
fn count(number: i64) -> Result<u64, &'static str> {
    match u64::try_from(number) {
        Ok(count) if count < crate::bounds::MAX_RDB_LENGTH => Ok(count),
        _ => Err("a stream entry has a number of fields that cannot be"),
    }
}
