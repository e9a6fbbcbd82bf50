//! Streams and their consumer groups.

use std::collections::{BTreeMap, BTreeSet};

use super::{Blob, integer};
use crate::engine::dialect::{Dialect, Family};
use crate::rdb::StreamId;

/// The id before all others, which no entry has.
pub const LEAST_ID: StreamId = StreamId { ms: 0, seq: 0 };

/// The id behind all others.
pub const GREATEST_ID: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The entries: fields and values in turn.
    pub entries: BTreeMap<StreamId, Box<[Blob]>>,
    /// The greatest id ever given.
    pub last_id: StreamId,
    /// The greatest id ever deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// The consumer groups by name.
    pub groups: BTreeMap<Blob, Group>,
    /// The nodes in which servers keep the entries, by their first ids: approximate trimming removes whole ones.
    /// Empty for a stream that was loaded, until it matters.
    nodes: BTreeMap<StreamId, Node>,
}

/// What must be known of a node to tell when it is full: servers pack entries into listpacks.
#[derive(Clone, Debug)]
struct Node {
    /// The fields of the first entry, which later entries need not repeat.
    fields: Box<[Blob]>,
    /// The listpack's length.
    bytes: usize,
    live: usize,
    deleted: usize,
    /// The last entry's id, deleted or not.
    last: StreamId,
}

/// How large a node may become (`stream-node-max-bytes`, `stream-node-max-entries`); 0 for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSize {
    /// Bytes of its listpack.
    pub bytes: usize,
    /// Entries, deleted ones included.
    pub entries: usize,
}

impl Default for NodeSize {
    fn default() -> Self {
        Self { bytes: 4096, entries: 100 }
    }
}

/// No node has more bytes, whatever the configuration says.
const LARGEST_NODE: usize = 1 << 30;

/// The length of an integer in a listpack, with the length behind it that a walk backwards needs.
fn packed_integer(number: i64) -> usize {
    1 + match number {
        0..=127 => 1,
        -4096..=4095 => 2,
        -0x8000..=0x7fff => 3,
        -0x80_0000..=0x7f_ffff => 4,
        -0x8000_0000..=0x7fff_ffff => 5,
        _ => 9,
    }
}

/// The same of a byte string; decimals are integers.
fn packed(bytes: &[u8]) -> usize {
    if let Some(number) = integer(bytes) {
        return packed_integer(number);
    }
    let whole = bytes.len()
        + match bytes.len() {
            0..64 => 1,
            64..4096 => 2,
            _ => 5,
        };
    whole
        + match whole {
            0..=127 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        }
}

impl Node {
    fn new(id: StreamId, words: &[Blob]) -> Self {
        let fields: Box<[Blob]> = words.iter().step_by(2).cloned().collect();
        // Head and end of a listpack; two counts and the fields' end of one small integer each.
        let bytes = 7 + 3 * 2 + packed_integer(fields.len() as i64) + fields.iter().map(|it| packed(it)).sum::<usize>();
        Self { fields, bytes, live: 0, deleted: 0, last: id }
    }

    fn has_room(&self, words: &[Blob], size: NodeSize) -> bool {
        let more: usize = words.iter().map(|word| word.len()).sum();
        let bytes = if size.bytes > 0 { size.bytes.min(LARGEST_NODE) } else { LARGEST_NODE };
        self.bytes + more < bytes && (size.entries == 0 || self.live + self.deleted < size.entries)
    }

    fn add(&mut self, first: StreamId, id: StreamId, words: &[Blob]) {
        let fields = words.len() / 2;
        let same = fields == self.fields.len() && words.iter().step_by(2).eq(&self.fields);
        let difference = |a: u64, b: u64| packed_integer(a.wrapping_sub(b).cast_signed());
        // The entry's flags, its id, and its number of elements.
        self.bytes += 2 + difference(id.ms, first.ms) + difference(id.seq, first.seq);
        self.bytes += if same {
            words.iter().skip(1).step_by(2).map(|value| packed(value)).sum::<usize>()
                + packed_integer(fields as i64 + 3)
        } else {
            words.iter().map(|word| packed(word)).sum::<usize>()
                + packed_integer(fields as i64)
                + packed_integer(2 * fields as i64 + 4)
        };
        self.live += 1;
        self.last = id;
    }
}

/// What is to be trimmed away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// What is more than so many entries.
    Length(u64),
    /// What comes before this id.
    Before(StreamId),
}

/// What a deletion does with references of consumer groups. (The last two since Redis 8.2.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay.
    #[default]
    Keep,
    /// They are deleted, too.
    Delete,
    /// Only what all groups have read and acknowledged is deleted.
    Acknowledged,
}

impl Stream {
    /// The first entry's id; 0-0 where there is none.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.entries.first_key_value().map_or(LEAST_ID, |(id, _)| *id)
    }

    /// The last entry's id; 0-0 where there is none.
    #[must_use]
    pub fn top_id(&self) -> StreamId {
        self.entries.last_key_value().map_or(LEAST_ID, |(id, _)| *id)
    }

    /// In how many nodes a server keeps the entries.
    #[must_use]
    pub fn node_count(&self) -> usize {
        if self.nodes.is_empty() { self.entries.len().div_ceil(NodeSize::default().entries) } else { self.nodes.len() }
    }

    /// Puts an entry at the end; its id must be greater than all before.
    pub fn push(&mut self, id: StreamId, words: Box<[Blob]>) {
        self.push_by(id, words, NodeSize::default());
    }

    /// The same, with nodes of such a size.
    pub fn push_by(&mut self, id: StreamId, words: Box<[Blob]>, size: NodeSize) {
        self.lay_out();
        self.note(id, &words, size);
        self.entries.insert(id, words);
        self.last_id = id;
        self.entries_added += 1;
    }

    fn note(&mut self, id: StreamId, words: &[Blob], size: NodeSize) {
        if let Some(mut last) = self.nodes.last_entry()
            && last.get().has_room(words, size)
        {
            let first = *last.key();
            last.get_mut().add(first, id, words);
            return;
        }
        let mut node = Node::new(id, words);
        node.add(id, id, words);
        self.nodes.insert(id, node);
    }

    /// Makes the nodes of a stream that came whole, as if its entries had been added one by one.
    fn lay_out(&mut self) {
        if self.nodes.is_empty() && !self.entries.is_empty() {
            let entries = std::mem::take(&mut self.entries);
            for (id, words) in &entries {
                self.note(*id, words, NodeSize::default());
            }
            self.entries = entries;
        }
    }

    /// Takes an entry out; tells whether it was there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        self.lay_out();
        if self.entries.remove(&id).is_none() {
            return false;
        }
        if let Some((first, node)) = self.nodes.range_mut(..=id).next_back() {
            node.live = node.live.saturating_sub(1);
            node.deleted += 1;
            if node.live == 0 {
                let first = *first;
                self.nodes.remove(&first);
            }
        }
        true
    }

    /// Whether no group needs an entry any more: each has read it and awaits no acknowledgement.
    #[must_use]
    pub fn is_acknowledged(&self, id: StreamId) -> bool {
        self.groups.values().all(|group| id <= group.last_id && !group.pending.contains_key(&id))
    }

    /// Forgets an entry in all groups.
    pub fn forget(&mut self, id: StreamId) {
        for group in self.groups.values_mut() {
            group.acknowledge(id);
        }
    }

    /// Removes entries from the beginning; gives how many. Approximately means in whole nodes. No node is begun that
    /// would make it more than `most` entries, unless that is 0.
    pub fn trim(&mut self, excess: Excess, approximately: bool, most: u64, references: References) -> u64 {
        self.lay_out();
        let mut removed = 0_u64;
        let mut from = LEAST_ID;
        while let Some((first, node)) = self.nodes.range(from..).next() {
            let (first, live, last) = (*first, node.live as u64, node.last);
            let length = self.entries.len() as u64;
            if matches!(excess, Excess::Length(wanted) if length <= wanted) || most > 0 && removed + live > most {
                break;
            }
            let whole = match excess {
                Excess::Length(wanted) => length - live.min(length) >= wanted,
                Excess::Before(id) => last < id,
            };
            if whole && references == References::Keep {
                self.nodes.remove(&first);
                for _ in 0..live {
                    self.entries.pop_first();
                }
                removed += live;
                continue;
            }
            // (With an eye to references, approximate trimming of Redis 8.2 comes to nothing.)
            if approximately {
                break;
            }
            let ids: Vec<StreamId> = self.entries.range(first..=last).map(|(id, _)| *id).collect();
            for id in ids {
                let enough = match excess {
                    Excess::Length(wanted) => self.entries.len() as u64 <= wanted,
                    Excess::Before(least) => id >= least,
                };
                if enough {
                    break;
                }
                if references == References::Acknowledged && !self.is_acknowledged(id) {
                    continue;
                }
                if references == References::Delete {
                    self.forget(id);
                }
                self.entries.remove(&id);
                removed += 1;
                if let Some(node) = self.nodes.get_mut(&first) {
                    node.live = node.live.saturating_sub(1);
                    node.deleted += 1;
                }
            }
            if !whole {
                break;
            }
            if self.nodes.get(&first).is_some_and(|node| node.live == 0) {
                self.nodes.remove(&first);
            }
            let Some(next) = next_id(last) else { break };
            from = next;
        }
        removed
    }

    /// The first id as servers' trimming finds it: of the first node, whether that entry is still there or not.
    #[must_use]
    pub fn first_packed_id(&self) -> StreamId {
        self.nodes.first_key_value().map_or(GREATEST_ID, |(id, _)| *id)
    }

    /// Whether an entry may be missing between this id and the end.
    #[must_use]
    pub fn has_gap_from(&self, id: StreamId, dialect: Dialect) -> bool {
        let ahead = dialect.family == Family::Valkey || self.first_id() <= self.max_deleted_id;
        !self.entries.is_empty() && self.max_deleted_id != LEAST_ID && ahead && id <= self.max_deleted_id
    }

    /// How many entries were ever added up to this id, where that can be told.
    #[must_use]
    pub fn entries_until(&self, id: StreamId, dialect: Dialect) -> Option<u64> {
        let length = self.entries.len() as u64;
        if self.entries_added == 0 {
            return Some(0);
        }
        if length == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if dialect.family == Family::Valkey && id != LEAST_ID && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let first = self.first_id();
        if self.max_deleted_id == LEAST_ID || self.max_deleted_id < first {
            let before = self.entries_added.saturating_sub(length);
            if id < first {
                return Some(before);
            }
            if id == first {
                return Some(before + 1);
            }
        }
        None
    }

    /// What a group will have read once it is given this entry, where that can be told.
    #[must_use]
    pub fn entries_read_with(&self, group: &Group, id: StreamId, dialect: Dialect) -> Option<u64> {
        // What was trimmed away unread counts as read, which Redis 7.0 did not mind.
        let counts = !dialect.since(7, 2) || group.last_id >= self.first_id();
        match group.entries_read.filter(|_| counts && !self.has_gap_from(group.last_id, dialect)) {
            Some(read) => Some(read + 1),
            None if self.entries_added > 0 => self.entries_until(id, dialect),
            None => group.entries_read,
        }
    }

    /// How many entries a group has not been given yet, where that can be told.
    #[must_use]
    pub fn lag(&self, group: &Group, dialect: Dialect) -> Option<u64> {
        let length = self.entries.len() as u64;
        if self.entries_added == 0 || length == 0 && dialect.is_redis_since(7, 2) {
            return Some(0);
        }
        let first = self.first_id();
        if dialect.is_redis_since(7, 2) && group.last_id < first && self.max_deleted_id < first {
            return Some(length);
        }
        let read = group.entries_read.filter(|_| !self.has_gap_from(group.last_id, dialect));
        let read = read.or_else(|| self.entries_until(group.last_id, dialect));
        // More than were ever added: XGROUP SETID says what it likes.
        read.map(|read| self.entries_added.wrapping_sub(read))
    }
}

/// The id that follows; `None` behind the last.
#[must_use]
pub fn next_id(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_add(1) {
        Some(seq) => Some(StreamId { seq, ..id }),
        None => id.ms.checked_add(1).map(|ms| StreamId { ms, seq: 0 }),
    }
}

/// The id before; `None` before the first.
#[must_use]
pub fn previous_id(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_sub(1) {
        Some(seq) => Some(StreamId { seq, ..id }),
        None => id.ms.checked_sub(1).map(|ms| StreamId { ms, seq: u64::MAX }),
    }
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last id delivered.
    pub last_id: StreamId,
    /// How many entries the group has read; `None` where that is not known.
    pub entries_read: Option<u64>,
    /// What was delivered and not acknowledged.
    pub pending: BTreeMap<StreamId, Pending>,
    /// The consumers by name.
    pub consumers: BTreeMap<Blob, Consumer>,
}

impl Group {
    /// Takes an entry off the pending ones; gives what was pending.
    pub fn acknowledge(&mut self, id: StreamId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        if let Some(consumer) = self.consumers.get_mut(&pending.consumer) {
            consumer.pending.remove(&id);
        }
        Some(pending)
    }

    /// Makes an entry pending, with whom it may have been before or not.
    pub fn deliver(&mut self, id: StreamId, to: Pending) {
        let consumer = to.consumer.clone();
        if let Some(before) = self.pending.insert(id, to)
            && before.consumer != consumer
            && let Some(other) = self.consumers.get_mut(&before.consumer)
        {
            other.pending.remove(&id);
        }
        if let Some(consumer) = self.consumers.get_mut(&consumer) {
            consumer.pending.insert(id);
        }
    }

    /// A consumer, made where there is none; tells whether it is new.
    pub fn consumer(&mut self, name: &[u8], now: i64) -> (&mut Consumer, bool) {
        let is_new = !self.consumers.contains_key(name);
        let fresh = || Consumer { seen_ms: now, active_ms: -1, pending: BTreeSet::new() };
        (self.consumers.entry(name.into()).or_insert_with(fresh), is_new)
    }
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Whose it is.
    pub consumer: Blob,
    /// When it was delivered last, in milliseconds since 1970.
    pub delivered_ms: i64,
    /// How often.
    pub count: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, Default)]
pub struct Consumer {
    /// When it was seen last, in milliseconds since 1970.
    pub seen_ms: i64,
    /// When it was last given an entry; -1 never.
    pub active_ms: i64,
    /// Its share of the group's pending entries.
    pub pending: BTreeSet<StreamId>,
}
