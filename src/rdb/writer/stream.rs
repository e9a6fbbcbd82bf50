//! Streams: nodes of entries that share the field names of the first, then counters and groups. `rdb::node` has the
//! form of a node.

use std::io::{self, Write};

use super::needs::Need;
use super::out::{Bytes, Out};
use super::packed::{Entry, LISTPACK_FRAME, listpack_head};
use super::{KeyMeta, WriteError, Writer, Written};
use crate::bounds::{MAX_RDB_NODE_HELD, RDB_STREAM_NODE};
use crate::rdb::model::{Consumer, Dedup, Group, Stream, can_be_made_up};
use crate::rdb::values::{Pending, StreamCounters, StreamId};

/// A stream as the writer sees it. All that is an iterator is asked for twice and must give the same.
pub trait StreamView {
    /// The counters. What is `None` is made up as servers do that load a stream from a version without it.
    fn counters(&self) -> StreamCounters;
    /// The entries in ascending order, each with its fields and values.
    fn entries(&self) -> impl Iterator<Item = (StreamId, impl Iterator<Item = (&[u8], &[u8])> + Clone)>;
    /// The consumer groups.
    fn groups(&self) -> impl Iterator<Item = impl GroupView>;
    /// What makes XADD idempotent, if it is known (Redis 8.6).
    fn dedup(&self) -> Option<&Dedup> {
        None
    }
}

/// A stream's consumer group.
pub trait GroupView {
    /// Its name.
    fn name(&self) -> &[u8];
    /// The last entry delivered.
    fn last_id(&self) -> StreamId;
    /// How many entries the group has read, if that is known.
    fn entries_read(&self) -> Option<u64>;
    /// The entries delivered and not acknowledged, in ascending order. Each must be one consumer's or unowned.
    fn pending(&self) -> impl Iterator<Item = Pending>;
    /// The consumers.
    fn consumers(&self) -> impl Iterator<Item = impl ConsumerView>;
    /// Pending entries that were handed back and have no consumer (Redis 8.8).
    fn unowned(&self) -> impl Iterator<Item = StreamId> {
        std::iter::empty()
    }
}

/// A group's consumer.
pub trait ConsumerView {
    /// Its name.
    fn name(&self) -> &[u8];
    /// When it was seen last, in milliseconds since 1970.
    fn seen_ms(&self) -> i64;
    /// When it was last given an entry, -1 never; `None` where that is not known.
    fn active_ms(&self) -> Option<i64>;
    /// Which of the group's pending entries it has, in ascending order.
    fn owned(&self) -> impl Iterator<Item = StreamId>;
}

impl StreamView for Stream {
    fn counters(&self) -> StreamCounters {
        self.counters
    }
    fn entries(&self) -> impl Iterator<Item = (StreamId, impl Iterator<Item = (&[u8], &[u8])> + Clone)> {
        self.entries
            .iter()
            .map(|(id, pairs)| (*id, pairs.iter().map(|(field, value)| (field.as_slice(), value.as_slice()))))
    }
    fn groups(&self) -> impl Iterator<Item = impl GroupView> {
        self.groups.iter()
    }
    fn dedup(&self) -> Option<&Dedup> {
        self.dedup.as_ref()
    }
}

impl GroupView for &Group {
    fn name(&self) -> &[u8] {
        &self.name
    }
    fn last_id(&self) -> StreamId {
        self.last_id
    }
    fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }
    fn pending(&self) -> impl Iterator<Item = Pending> {
        self.pending.iter().copied()
    }
    fn consumers(&self) -> impl Iterator<Item = impl ConsumerView> {
        self.consumers.iter()
    }
    fn unowned(&self) -> impl Iterator<Item = StreamId> {
        self.unowned.iter().copied()
    }
}

impl ConsumerView for &Consumer {
    fn name(&self) -> &[u8] {
        &self.name
    }
    fn seen_ms(&self) -> i64 {
        self.seen_ms
    }
    fn active_ms(&self) -> Option<i64> {
        self.active_ms
    }
    fn owned(&self) -> impl Iterator<Item = StreamId> {
        self.owned.iter().copied()
    }
}

const SAME_FIELDS: i64 = 2;

/// Which entries go into which node. Counting the nodes and writing them both go by it.
struct Partition {
    /// The most entries of a node; their number is to fit one byte.
    most: u64,
    /// The node under way: its size when it is finished now, its entries, and those of its listpack.
    size: u64,
    entries: u64,
    packed: u64,
    master: StreamId,
    /// The field names that its entries share, one behind the other, and where each ends.
    names: Vec<u8>,
    ends: Vec<usize>,
}

/// Where an entry goes.
struct Place {
    /// It begins a node.
    begins: bool,
    /// Its fields are the node's.
    same: bool,
    pairs: u64,
    /// The id's halves, relative to the node's.
    ms: i64,
    seq: i64,
}

impl Place {
    /// How many listpack entries it takes, the last one not counted, which tells this number.
    fn packed(&self) -> u64 {
        if self.same { 3 + self.pairs } else { 4 + 2 * self.pairs }
    }

    /// What stands before the fields and values.
    fn head(&self) -> impl Iterator<Item = Entry<'static>> {
        let flags = if self.same { SAME_FIELDS } else { 0 };
        let own = (!self.same).then_some(self.pairs.cast_signed());
        [flags, self.ms, self.seq].into_iter().chain(own).map(Entry::Integer)
    }
}

impl Partition {
    fn new(most: usize) -> Self {
        Self {
            most: (most as u64).clamp(1, 127),
            size: 0,
            entries: 0,
            packed: 0,
            master: StreamId::default(),
            names: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn name(&self, index: usize) -> Option<&[u8]> {
        let begin = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.names.get(begin..*self.ends.get(index)?)
    }

    /// The next entry's place.
    fn place<'a>(&mut self, id: StreamId, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Place {
        let (mut count, mut same) = (0u64, true);
        let (mut name_bytes, mut names, mut values) = (0u64, 0u64, 0u64);
        for (index, (field, value)) in pairs.clone().enumerate() {
            count += 1;
            same = same && self.name(index) == Some(field);
            name_bytes += field.len() as u64 + 8;
            names += Entry::text(field).size();
            values += Entry::text(value).size();
        }
        same = same && count == self.ends.len() as u64;
        let mut place = Place {
            begins: false,
            same,
            pairs: count,
            ms: id.ms.wrapping_sub(self.master.ms).cast_signed(),
            seq: id.seq.wrapping_sub(self.master.seq).cast_signed(),
        };
        let size = |place: &Place| {
            let head: u64 = place.head().map(Entry::size).sum();
            let own = if place.same { 0 } else { names };
            head + own + values + Entry::Integer(place.packed().cast_signed()).size()
        };
        let grown = self.size + size(&place);
        if self.entries == 0 || self.entries == self.most || grown > RDB_STREAM_NODE as u64 {
            // Names that are too many to be held by whoever reads them are not shared.
            let shared = name_bytes <= MAX_RDB_NODE_HELD as u64;
            self.names.clear();
            self.ends.clear();
            if shared {
                for (field, _) in pairs {
                    self.names.extend_from_slice(field);
                    self.ends.push(self.names.len());
                }
            }
            place = Place { begins: true, same: shared, pairs: count, ms: 0, seq: 0 };
            let head: u64 = self.head().map(Entry::size).sum();
            self.size = LISTPACK_FRAME + head + size(&place);
            self.entries = 1;
            self.packed = 4 + self.ends.len() as u64 + place.packed() + 1;
            self.master = id;
        } else {
            self.size = grown;
            self.entries += 1;
            self.packed += place.packed() + 1;
        }
        place
    }

    /// The node's master entry, as of one entry and none deleted.
    fn head(&self) -> impl Iterator<Item = Entry<'_>> {
        let counts = [1, 0, self.ends.len() as i64].into_iter().map(Entry::Integer);
        let names = (0..self.ends.len()).filter_map(|index| self.name(index)).map(Entry::text);
        counts.chain(names).chain([Entry::Integer(0)])
    }
}

/// Where the number of entries stands in a node.
const ENTRIES_AT: usize = 6;

/// A node in the making.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    master: StreamId,
    entries: u64,
    packed: u64,
}

fn put_entry<'a>(
    out: &mut impl Bytes,
    place: &Place,
    pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> io::Result<()> {
    place.head().try_for_each(|entry| entry.put(out))?;
    for (field, value) in pairs {
        if !place.same {
            Entry::text(field).put(out)?;
        }
        Entry::text(value).put(out)?;
    }
    Entry::Integer(place.packed().cast_signed()).put(out)
}

/// What going once through a stream tells.
#[derive(Default)]
struct Survey {
    nodes: u64,
    entries: u64,
    first: Option<StreamId>,
    needs: super::Needs,
}

impl<W: Write> Writer<W> {
    /// A stream: STREAM_LISTPACKS in version 9, \_2 in 10, \_3 from 11 on; \_4 and \_5 only where it needs them.
    ///
    /// # Errors
    /// [`WriteError::Unfit`] below version 9, [`WriteError::TooLong`], and the sink's.
    pub fn stream<S: StreamView>(&mut self, key: &KeyMeta<'_>, stream: &S) -> Written {
        self.demand(Need::Streams)?;
        let survey = self.survey(stream)?;
        let header = self.target.header;
        if let Some(need) = survey.needs.missing(header).find(|need| need.is_hard()) {
            return Err(WriteError::Unfit { need, header });
        }
        let dedup = stream.dedup().filter(|_| Need::Producers.is_held_by(header));
        let unowned = survey.needs.contains(Need::Unowned);
        let rdb_type = match self.version() {
            _ if unowned => 27,
            _ if dedup.is_some() => 26,
            11.. => 21,
            10 => 19,
            _ => 15,
        };
        self.begin_key(key, rdb_type)?;
        survey.needs.missing(header).for_each(|need| self.lost.add(need));
        self.out.number(survey.nodes)?;
        self.nodes(stream)?;
        self.counters(&stream.counters(), &survey, rdb_type)?;
        self.out.count(stream.groups().count())?;
        for group in stream.groups() {
            self.group(&group, rdb_type)?;
        }
        match rdb_type {
            26.. => self.dedup(dedup.unwrap_or(&Dedup::default())),
            _ => Ok(()),
        }
    }

    fn survey<S: StreamView>(&self, stream: &S) -> Result<Survey, WriteError> {
        let mut survey = Survey::default();
        let mut partition = Partition::new(self.limits.stream_node_entries);
        for (id, pairs) in stream.entries() {
            survey.first.get_or_insert(id);
            survey.entries += 1;
            survey.nodes += u64::from(partition.place(id, pairs).begins);
            if u32::try_from(partition.size).is_err() {
                return Err(WriteError::TooLong);
            }
        }
        let made_up = can_be_made_up(&stream.counters(), survey.first);
        let mut add = |need, needed| {
            if needed {
                survey.needs.add(need);
            }
        };
        add(Need::StreamCounters, !made_up);
        add(Need::Producers, stream.dedup().is_some_and(|dedup| *dedup != Dedup::default()));
        for group in stream.groups() {
            add(Need::StreamCounters, group.entries_read().is_some());
            add(Need::Unowned, group.unowned().next().is_some());
            add(Need::ConsumerActivity, group.consumers().any(|consumer| consumer.active_ms().is_some()));
        }
        Ok(survey)
    }

    fn nodes<S: StreamView>(&mut self, stream: &S) -> Written {
        let mut partition = Partition::new(self.limits.stream_node_entries);
        let mut held = Held::default();
        for (id, pairs) in stream.entries() {
            let place = partition.place(id, pairs.clone());
            if place.begins {
                self.held(&mut held)?;
                if partition.size > MAX_RDB_NODE_HELD as u64 {
                    // Any other entry would have made it too big: it is alone.
                    self.direct_node(&partition, &place, pairs)?;
                    continue;
                }
                held.master = id;
                held.bytes.resize(ENTRIES_AT, 0);
                partition.head().try_for_each(|entry| entry.put(&mut held.bytes))?;
            }
            put_entry(&mut held.bytes, &place, pairs)?;
            (held.entries, held.packed) = (partition.entries, partition.packed);
        }
        self.held(&mut held)
    }

    /// Writes the node in the making, if there is one.
    fn held(&mut self, held: &mut Held) -> Written {
        if held.bytes.is_empty() {
            return Ok(());
        }
        held.bytes.push(0xff);
        let head = listpack_head(held.bytes.len() as u64, held.packed);
        let entries = held.entries as u8;
        held.bytes.iter_mut().zip(head.into_iter().chain([entries])).for_each(|(to, from)| *to = from);
        self.out.plain(&raw_id(held.master))?;
        self.out.string(&held.bytes)?;
        held.bytes.clear();
        Ok(())
    }

    /// Writes a node of one big entry without holding it.
    fn direct_node<'a>(
        &mut self,
        partition: &Partition,
        place: &Place,
        pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Written {
        let out: &mut Out<W> = &mut self.out;
        out.plain(&raw_id(partition.master))?;
        out.number(partition.size)?;
        out.put(&listpack_head(partition.size, partition.packed))?;
        partition.head().try_for_each(|entry| entry.put(out))?;
        put_entry(out, place, pairs)?;
        Ok(out.byte(0xff)?)
    }

    fn counters(&mut self, counters: &StreamCounters, survey: &Survey, rdb_type: u8) -> Written {
        self.out.number(counters.length)?;
        self.id(counters.last_id)?;
        if rdb_type > 15 {
            self.id(counters.first_id.or(survey.first).unwrap_or_default())?;
            self.id(counters.max_deleted_id.unwrap_or_default())?;
            self.out.number(counters.entries_added.unwrap_or(counters.length))?;
        }
        Ok(())
    }

    fn id(&mut self, id: StreamId) -> Written {
        self.out.number(id.ms)?;
        Ok(self.out.number(id.seq)?)
    }

    fn group(&mut self, group: &impl GroupView, rdb_type: u8) -> Written {
        self.out.string(group.name())?;
        self.id(group.last_id())?;
        if rdb_type > 15 {
            self.out.number(group.entries_read().unwrap_or(u64::MAX))?;
        }
        self.out.count(group.pending().count())?;
        for pending in group.pending() {
            self.out.put(&raw_id(pending.id))?;
            self.out.put(&pending.delivered_ms.to_le_bytes())?;
            self.out.number(pending.count)?;
        }
        self.out.count(group.consumers().count())?;
        for consumer in group.consumers() {
            self.out.string(consumer.name())?;
            self.out.put(&consumer.seen_ms().to_le_bytes())?;
            if rdb_type > 19 {
                let active = consumer.active_ms().unwrap_or(consumer.seen_ms());
                self.out.put(&active.to_le_bytes())?;
            }
            self.out.count(consumer.owned().count())?;
            for id in consumer.owned() {
                self.out.put(&raw_id(id))?;
            }
        }
        if rdb_type == 27 {
            self.out.count(group.unowned().count())?;
            for id in group.unowned() {
                self.out.put(&raw_id(id))?;
            }
        }
        Ok(())
    }

    fn dedup(&mut self, dedup: &Dedup) -> Written {
        self.out.number(dedup.duration)?;
        self.out.number(dedup.max_entries)?;
        self.out.count(dedup.producers.len())?;
        for (producer, items) in &dedup.producers {
            self.out.string(producer)?;
            self.out.count(items.len())?;
            for (item, id) in items {
                self.out.string(item)?;
                self.id(*id)?;
            }
        }
        self.out.number(dedup.added)?;
        Ok(self.out.number(dedup.repeated)?)
    }
}

/// An id as 16 bytes, big-endian.
fn raw_id(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}
