//! A stream's counters and consumer groups, put together from the numbers of the grammar.
//!
//! Every pending entry of a group is some consumer's (or, since STREAM_5, nobody's and said so), and no consumer has one
//! that is not the group's. Both lists may be long; what is kept of them is a count and a sum of hashes each, which do
//! not depend on the order and are equal if the lists are.

use super::error::Fault;
use super::grammar::Role;
use super::values::{Pending, StreamCounters, StreamId, Values};

/// A multiset of ids, as far as it can be compared with another.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Ids {
    count: u64,
    sum: u64,
}

impl Ids {
    fn add(&mut self, id: StreamId) {
        // The finisher of splitmix64, for each half: equal sums of different sets are damage's bad luck, 1 in 2^64.
        let mix = |mut bits: u64| {
            bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            bits ^ bits >> 31
        };
        let hash = mix(mix(id.ms.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_add(id.seq));
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    Group,
    Consumer,
}

/// A stream's part after its nodes.
#[derive(Default)]
pub(super) struct Groups {
    counters: StreamCounters,
    /// Entries in the nodes that are not deleted.
    pub(super) entries: u64,
    /// Halves of ids read: which comes next.
    half: Option<u64>,
    told: bool,
    open: Open,
    group_last: StreamId,
    entries_read: Option<u64>,
    pending: Pending,
    group_ids: Ids,
    consumer_ids: Ids,
    seen: i64,
    active: Option<i64>,
}

impl Groups {
    /// A stream's announced length.
    pub(super) fn length(&self) -> u64 {
        self.counters.length
    }

    /// The half of an id; the id once both are there.
    pub(super) fn id(&mut self, half: u64) -> Option<StreamId> {
        match self.half.take() {
            Some(ms) => Some(StreamId { ms, seq: half }),
            None => {
                self.half = Some(half);
                None
            }
        }
    }

    /// A number of the stream.
    pub(super) fn number<V: Values>(&mut self, role: Role, number: u64, values: &mut V) -> Result<(), Fault> {
        match role {
            Role::StreamLength => {
                self.counters.length = number;
                if number != self.entries {
                    values.odd("a stream's length is not the number of entries in its nodes");
                }
            }
            Role::StreamLastId => {
                if let Some(id) = self.id(number) {
                    self.counters.last_id = id;
                }
            }
            Role::StreamFirstId => self.counters.first_id = self.id(number).or(self.counters.first_id),
            Role::StreamDeletedId => self.counters.max_deleted_id = self.id(number).or(self.counters.max_deleted_id),
            Role::StreamAdded => self.counters.entries_added = Some(number),
            Role::GroupLastId => {
                if let Some(id) = self.id(number) {
                    self.group_last = id;
                }
            }
            // -1 where the server did not know.
            Role::GroupRead => self.entries_read = (number != u64::MAX).then_some(number),
            Role::Deliveries => {
                self.pending.count = number;
                values.pending(self.pending);
            }
            _ => {}
        }
        Ok(())
    }

    /// The number of elements of one of the stream's lists: what came before it is complete.
    pub(super) fn count<V: Values>(&mut self, role: Role, values: &mut V) -> Result<(), Fault> {
        match role {
            Role::Groups => self.tell_counters(values),
            Role::Pending => {
                values.group(self.group_last, self.entries_read.take());
                self.open = Open::Group;
            }
            Role::Owned => {
                values.consumer(self.seen, self.active.take());
                self.open = Open::Consumer;
            }
            Role::Unowned => self.end_consumer(values),
            _ => {}
        }
        Ok(())
    }

    /// A field of fixed size.
    pub(super) fn raw<V: Values>(&mut self, role: Role, bytes: &[u8], values: &mut V) {
        let time = || bytes.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        match role {
            Role::PendingId => {
                self.pending.id = id(bytes);
                self.group_ids.add(self.pending.id);
            }
            Role::DeliveredAt => self.pending.delivered_ms = time(),
            Role::SeenAt => self.seen = time(),
            Role::ActiveAt => self.active = Some(time()),
            Role::OwnedId => {
                self.consumer_ids.add(id(bytes));
                values.owned(id(bytes));
            }
            Role::UnownedId => {
                self.consumer_ids.add(id(bytes));
                values.unowned(id(bytes));
            }
            _ => {}
        }
    }

    fn tell_counters<V: Values>(&mut self, values: &mut V) {
        if !std::mem::replace(&mut self.told, true) {
            values.stream(&self.counters);
        }
    }

    pub(super) fn end_consumer<V: Values>(&mut self, values: &mut V) {
        if self.open == Open::Consumer {
            self.open = Open::Group;
            values.consumer_end();
        }
    }

    /// The group, if one is open, is complete.
    pub(super) fn end_group<V: Values>(&mut self, values: &mut V) -> Result<(), Fault> {
        self.end_consumer(values);
        if self.open == Open::Nothing {
            return Ok(());
        }
        self.open = Open::Nothing;
        if std::mem::take(&mut self.group_ids) != std::mem::take(&mut self.consumer_ids) {
            return Err(Fault::Contradiction("the pending entries of a group are not those of its consumers"));
        }
        values.group_end();
        Ok(())
    }
}

/// Sixteen bytes, big-endian.
pub(super) fn id(bytes: &[u8]) -> StreamId {
    let mut halves = bytes.chunks_exact(8).filter_map(<[u8]>::first_chunk).map(|half| u64::from_be_bytes(*half));
    StreamId { ms: halves.next().unwrap_or(0), seq: halves.next().unwrap_or(0) }
}
