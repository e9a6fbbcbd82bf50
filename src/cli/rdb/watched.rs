//! What every command about an RDB needs to know, whatever else it does with the values.

use crate::rdb::{
    Checksum, Header, Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, StreamCounters, StreamId, Values,
};

/// Passes everything on to `inner`, and remembers the checksum's verdict and what was odd.
pub(super) struct Watched<V> {
    pub(super) inner: V,
    pub(super) checksum: Option<Checksum>,
    pub(super) oddities: u64,
    pub(super) odd: Option<&'static str>,
}

impl<V> Watched<V> {
    pub(super) fn new(inner: V) -> Self {
        Self { inner, checksum: None, oddities: 0, odd: None }
    }
}

impl<V: Values> Values for Watched<V> {
    #[inline]
    fn header(&mut self, header: Header) {
        self.inner.header(header);
    }

    #[inline]
    fn select(&mut self, db: u64) {
        self.inner.select(db);
    }

    #[inline]
    fn record(&mut self, opcode: Opcode) {
        self.inner.record(opcode);
    }

    #[inline]
    fn record_end(&mut self, opcode: Opcode) {
        self.inner.record_end(opcode);
    }

    #[inline]
    fn key(&mut self, key: &Key<'_>) {
        self.inner.key(key);
    }

    #[inline]
    fn key_end(&mut self, end: KeyEnd) {
        self.inner.key_end(end);
    }

    #[inline]
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        self.inner.text(item, piece);
    }

    #[inline]
    fn integer(&mut self, item: Item, integer: i64) {
        self.inner.integer(item, integer);
    }

    #[inline]
    fn number(&mut self, item: Item, number: u64) {
        self.inner.number(item, number);
    }

    #[inline]
    fn score(&mut self, score: f64) {
        self.inner.score(score);
    }

    #[inline]
    fn field_end(&mut self, expires_at_ms: Option<i64>) {
        self.inner.field_end(expires_at_ms);
    }

    #[inline]
    fn stream_entry(&mut self, id: StreamId, pairs: u64) {
        self.inner.stream_entry(id, pairs);
    }

    #[inline]
    fn stream_entry_end(&mut self) {
        self.inner.stream_entry_end();
    }

    #[inline]
    fn stream(&mut self, counters: &StreamCounters) {
        self.inner.stream(counters);
    }

    #[inline]
    fn group(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.inner.group(last_id, entries_read);
    }

    #[inline]
    fn pending(&mut self, pending: Pending) {
        self.inner.pending(pending);
    }

    #[inline]
    fn consumer(&mut self, seen_ms: i64, active_ms: Option<i64>) {
        self.inner.consumer(seen_ms, active_ms);
    }

    #[inline]
    fn owned(&mut self, id: StreamId) {
        self.inner.owned(id);
    }

    #[inline]
    fn consumer_end(&mut self) {
        self.inner.consumer_end();
    }

    #[inline]
    fn unowned(&mut self, id: StreamId) {
        self.inner.unowned(id);
    }

    #[inline]
    fn group_end(&mut self) {
        self.inner.group_end();
    }

    #[inline]
    fn module(&mut self, id: ModuleId) {
        self.inner.module(id);
    }

    #[inline]
    fn module_number(&mut self, number: Number) {
        self.inner.module_number(number);
    }

    #[inline]
    fn cell_number(&mut self, number: Number) {
        self.inner.cell_number(number);
    }

    #[inline]
    fn odd(&mut self, what: &'static str) {
        self.oddities += 1;
        self.odd.get_or_insert(what);
        self.inner.odd(what);
    }

    #[inline]
    fn end(&mut self, checksum: Checksum) {
        self.checksum = Some(checksum);
        self.inner.end(checksum);
    }
}
