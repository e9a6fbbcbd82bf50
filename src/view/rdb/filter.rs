//! Only some of an RDB's keys: a filter in front of a view. Of a key that is left out the view hears nothing, so that it
//! costs no more than its decoding.

use super::glob::{Glob, Reached};
use crate::rdb::{
    Checksum, Header, Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, StreamCounters, StreamId, ValueType,
    Values,
};

/// Which keys are wanted: those that meet all conditions that are set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The name is one of this pattern's.
    pub name: Option<Glob>,
    /// The type is one of these; any where there are none.
    pub types: Vec<ValueType>,
    /// The database is one of these; any where there are none.
    pub databases: Vec<u64>,
    /// Whether it has an expiry.
    pub expires: Option<bool>,
    /// It has at least so many bytes in the file.
    pub min_bytes: Option<u64>,
}

impl Filter {
    /// Whether every key is wanted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.name.is_none()
            && self.types.is_empty()
            && self.databases.is_empty()
            && self.expires.is_none()
            && self.min_bytes.is_none_or(|least| least == 0)
    }

    /// What can be said of a key before its value is read. The name of a long key was told before.
    fn may_want(&self, key: &Key<'_>, long: Option<&Reached>) -> bool {
        (self.databases.is_empty() || self.databases.contains(&key.db))
            && (self.types.is_empty() || self.types.contains(&key.value_type))
            && self.expires.is_none_or(|wanted| wanted == key.expires_at_ms.is_some())
            && self.name.as_ref().is_none_or(|glob| match long {
                Some(reached) => glob.is_end(reached),
                None => glob.matches(key.name),
            })
    }
}

/// A view that can take a key back: how large it is, is known only at its end.
pub trait Holding: Values {
    /// What is told from here on is not to be given on before it is known whether it is wanted.
    fn hold(&mut self);
    /// It is.
    fn release(&mut self);
    /// It is not: the key under way was never told.
    fn discard(&mut self);
}

/// What becomes of the key under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// None is under way, or all is told: records that are no key's.
    Other,
    Told,
    /// Its long name is told to a view that holds it; nothing else is known yet.
    Named,
    /// Told to a view that holds it. The offset at which it is large enough.
    Held(u64),
    LeftOut,
}

/// Tells `inner` of the keys that the filter wants and, unless there is one, of all other records too.
#[derive(Debug)]
pub struct Filtered<V> {
    /// Who is told.
    pub inner: V,
    filter: Filter,
    open: bool,
    fate: Fate,
    /// The long key whose name is told before it.
    long: Option<Reached>,
}

impl<V: Holding> Filtered<V> {
    /// A filter in front of `inner`.
    pub fn new(inner: V, filter: Filter) -> Self {
        Self { inner, open: filter.is_open(), filter, fate: Fate::Other, long: None }
    }

    /// The RDB was read up to this offset: a key that is already large enough need not be held any longer.
    pub fn reached(&mut self, offset: u64) {
        if matches!(self.fate, Fate::Held(enough) if offset >= enough) {
            self.inner.release();
            self.fate = Fate::Told;
        }
    }

    /// The input has broken off: tells whether the key under way was told and is still to be closed or taken back.
    pub fn break_off(&mut self) -> bool {
        let fate = std::mem::replace(&mut self.fate, Fate::Other);
        let held = matches!(fate, Fate::Held(_) | Fate::Named);
        if held {
            self.inner.discard();
        }
        !held && fate != Fate::LeftOut
    }

    #[inline]
    fn is_told(&self) -> bool {
        match self.fate {
            Fate::Told | Fate::Named | Fate::Held(_) => true,
            Fate::LeftOut => false,
            Fate::Other => self.open,
        }
    }
}

impl<V: Holding> Values for Filtered<V> {
    fn header(&mut self, header: Header) {
        self.inner.header(header);
    }

    fn select(&mut self, db: u64) {
        self.inner.select(db);
    }

    fn record(&mut self, opcode: Opcode) {
        if self.open {
            self.inner.record(opcode);
        }
    }

    fn record_end(&mut self, opcode: Opcode) {
        if self.open {
            self.inner.record_end(opcode);
        }
    }

    #[inline]
    fn key(&mut self, key: &Key<'_>) {
        let named = self.fate == Fate::Named;
        if !self.open {
            let long = self.long.take().filter(|_| key.name.is_empty() && key.name_length > 0);
            if !self.filter.may_want(key, long.as_ref()) {
                self.fate = Fate::LeftOut;
                if named {
                    self.inner.discard();
                }
                return;
            }
        }
        self.fate = match self.filter.min_bytes {
            None | Some(0) => {
                if named {
                    self.inner.release();
                }
                Fate::Told
            }
            Some(least) => {
                if !named {
                    self.inner.hold();
                }
                Fate::Held(key.offset.saturating_add(least))
            }
        };
        self.inner.key(key);
    }

    #[inline]
    fn key_end(&mut self, end: KeyEnd) {
        match std::mem::replace(&mut self.fate, Fate::Other) {
            Fate::Held(_) if end.bytes < self.filter.min_bytes.unwrap_or(0) => self.inner.discard(),
            Fate::Held(_) => {
                self.inner.key_end(end);
                self.inner.release();
            }
            Fate::LeftOut => {}
            Fate::Told | Fate::Named | Fate::Other => self.inner.key_end(end),
        }
    }

    #[inline]
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        if item == Item::LongKey {
            if piece.is_first() && !self.open {
                self.inner.hold();
                self.fate = Fate::Named;
            }
            if let Some(glob) = &self.filter.name {
                if piece.is_first() {
                    self.long = Some(glob.start());
                }
                if let Some(reached) = &mut self.long {
                    glob.feed(reached, piece.bytes);
                }
            }
            self.inner.text(item, piece);
        } else if self.is_told() {
            self.inner.text(item, piece);
        }
    }

    #[inline]
    fn integer(&mut self, item: Item, integer: i64) {
        if self.is_told() {
            self.inner.integer(item, integer);
        }
    }

    fn number(&mut self, item: Item, number: u64) {
        if self.is_told() {
            self.inner.number(item, number);
        }
    }

    fn score(&mut self, score: f64) {
        if self.is_told() {
            self.inner.score(score);
        }
    }

    fn field_end(&mut self, expires_at_ms: Option<i64>) {
        if self.is_told() {
            self.inner.field_end(expires_at_ms);
        }
    }

    fn stream_entry(&mut self, id: StreamId, pairs: u64) {
        if self.is_told() {
            self.inner.stream_entry(id, pairs);
        }
    }

    fn stream_entry_end(&mut self) {
        if self.is_told() {
            self.inner.stream_entry_end();
        }
    }

    fn stream(&mut self, counters: &StreamCounters) {
        if self.is_told() {
            self.inner.stream(counters);
        }
    }

    fn group(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        if self.is_told() {
            self.inner.group(last_id, entries_read);
        }
    }

    fn pending(&mut self, pending: Pending) {
        if self.is_told() {
            self.inner.pending(pending);
        }
    }

    fn consumer(&mut self, seen_ms: i64, active_ms: Option<i64>) {
        if self.is_told() {
            self.inner.consumer(seen_ms, active_ms);
        }
    }

    fn owned(&mut self, id: StreamId) {
        if self.is_told() {
            self.inner.owned(id);
        }
    }

    fn consumer_end(&mut self) {
        if self.is_told() {
            self.inner.consumer_end();
        }
    }

    fn unowned(&mut self, id: StreamId) {
        if self.is_told() {
            self.inner.unowned(id);
        }
    }

    fn group_end(&mut self) {
        if self.is_told() {
            self.inner.group_end();
        }
    }

    fn module(&mut self, id: ModuleId) {
        if self.is_told() {
            self.inner.module(id);
        }
    }

    fn module_number(&mut self, number: Number) {
        if self.is_told() {
            self.inner.module_number(number);
        }
    }

    fn cell_number(&mut self, number: Number) {
        if self.is_told() {
            self.inner.cell_number(number);
        }
    }

    fn odd(&mut self, what: &'static str) {
        if self.is_told() {
            self.inner.odd(what);
        }
    }

    fn end(&mut self, checksum: Checksum) {
        self.inner.end(checksum);
    }
}
