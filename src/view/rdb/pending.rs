//! A consumer group's pending entries, which the file has apart from their owners.
//!
//! The entries come first, with times and counts; then each consumer with the ids of those that are its own. A line or a
//! command about an entry needs both, and a group may have millions, so they wait in spools and are joined by id when
//! the group is complete: the owners are sorted, the entries are as a rule, since servers keep them so.

use crate::bounds::{GROUP_SORT, GROUP_SPOOL, MAX_RDB_WHOLE, RDB_PIECE};
use crate::rdb::{Pending, Piece, StreamId};
use crate::spill::{SortBounds, Sorter, SpillError, Spool};

/// The names of a group's consumers.
#[derive(Debug)]
pub(super) struct Names {
    spool: Spool,
    /// The name read last, if it is short.
    buffer: Vec<u8>,
    held: Option<Name>,
}

/// Where a consumer's name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    at: u64,
    length: u64,
}

impl Names {
    /// Gives a name's bytes, in pieces where it is long.
    pub(super) fn read(&mut self, name: Name, mut piece: impl FnMut(Piece<'_>)) -> Result<(), SpillError> {
        if self.held != Some(name) {
            self.held = None;
            let size = usize::try_from(name.length).unwrap_or(usize::MAX);
            let size = if size > MAX_RDB_WHOLE { RDB_PIECE } else { size };
            self.buffer.resize(size, 0);
            let mut offset = 0;
            while name.length > size as u64 && offset < name.length {
                let wanted = usize::try_from(name.length - offset).map_or(size, |left| left.min(size));
                let read = self.spool.read_at(name.at + offset, self.buffer.get_mut(..wanted).unwrap_or_default())?;
                let bytes = self.buffer.get(..read).unwrap_or_default();
                piece(Piece { bytes, offset, total: name.length });
                offset += read.max(1) as u64;
            }
            if offset > 0 {
                return Ok(());
            }
            let read = self.spool.read_at(name.at, &mut self.buffer)?;
            self.buffer.truncate(read);
            self.held = Some(name);
        }
        piece(Piece::whole(&self.buffer));
        Ok(())
    }
}

/// What is told of a group's consumers, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// A consumer; the entries that follow are its own.
    Consumer { name: Name, seen_ms: i64, active_ms: Option<i64> },
    /// One of its entries.
    Owned(StreamId),
}

/// A group under way.
#[derive(Debug)]
pub(super) struct GroupPending {
    pending: Spool,
    last: Option<StreamId>,
    ascending: bool,
    told: Spool,
    owned: Sorter,
    pub(super) names: Names,
    /// Where the name of the consumer under way begins.
    name_at: u64,
    consumer: Name,
    error: Option<SpillError>,
}

const BOUNDS: SortBounds = SortBounds { records: GROUP_SORT, buffers: GROUP_SORT };

/// Bytes of an entry in its spool, and of a consumer or an owned id in theirs.
const ENTRY: usize = 32;
const CONSUMER: u64 = 1;
const OWNED: u64 = 2;

impl Default for GroupPending {
    fn default() -> Self {
        Self::new(GROUP_SPOOL, BOUNDS)
    }
}

fn id_bytes(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn id_of(bytes: &[u8]) -> StreamId {
    let id = bytes.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    StreamId { ms: (id >> 64) as u64, seq: id as u64 }
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn entry_bytes(pending: Pending) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    let numbers = [pending.delivered_ms.cast_unsigned(), pending.count].into_iter().flat_map(u64::to_le_bytes);
    for (to, from) in bytes.iter_mut().zip(id_bytes(pending.id).into_iter().chain(numbers)) {
        *to = from;
    }
    bytes
}

fn entry_of(bytes: &[u8]) -> Pending {
    Pending { id: id_of(bytes), delivered_ms: long(bytes, 16).cast_signed(), count: long(bytes, 24) }
}

fn name_of(bytes: &[u8]) -> Option<Name> {
    (bytes.len() >= 16).then(|| Name { at: long(bytes, 0), length: long(bytes, 8) })
}

fn name_bytes(name: Name) -> [u8; 16] {
    (u128::from(name.length) << 64 | u128::from(name.at)).to_le_bytes()
}

impl GroupPending {
    fn new(spool: usize, sort: SortBounds) -> Self {
        Self {
            pending: Spool::new(spool),
            last: None,
            ascending: true,
            told: Spool::new(spool),
            owned: Sorter::new(sort),
            names: Names { spool: Spool::new(spool), buffer: Vec::new(), held: None },
            name_at: 0,
            consumer: Name { at: 0, length: 0 },
            error: None,
        }
    }

    /// A group begins. An earlier error stays.
    pub(super) fn begin(&mut self) {
        self.pending.clear();
        self.told.clear();
        self.owned.clear();
        self.names.spool.clear();
        self.names.held = None;
        (self.last, self.ascending, self.name_at) = (None, true, 0);
    }

    /// The first error met.
    pub(super) fn take_error(&mut self) -> Option<SpillError> {
        self.error.take()
    }

    fn keep(&mut self, done: Result<(), SpillError>) {
        if let Err(error) = done {
            self.error.get_or_insert(error);
        }
    }

    pub(super) fn pending(&mut self, pending: Pending) {
        self.ascending &= self.last.is_none_or(|last| last < pending.id);
        self.last = Some(pending.id);
        let done = self.pending.append(&entry_bytes(pending));
        self.keep(done);
    }

    /// A consumer's name, or a piece of it.
    pub(super) fn name(&mut self, piece: Piece<'_>) {
        if piece.is_first() {
            self.name_at = self.names.spool.len();
        }
        let done = self.names.spool.append(piece.bytes);
        self.keep(done);
    }

    pub(super) fn consumer(&mut self, seen_ms: i64, active_ms: Option<i64>) {
        self.consumer = Name { at: self.name_at, length: self.names.spool.len() - self.name_at };
        let mut bytes = [0; 48];
        let numbers = [
            CONSUMER,
            self.consumer.at,
            self.consumer.length,
            seen_ms.cast_unsigned(),
            active_ms.is_some().into(),
            active_ms.unwrap_or(0).cast_unsigned(),
        ];
        for (to, from) in bytes.iter_mut().zip(numbers.into_iter().flat_map(u64::to_le_bytes)) {
            *to = from;
        }
        let done = self.told.append(&bytes);
        self.keep(done);
    }

    /// The consumer under way has this entry.
    pub(super) fn owned(&mut self, id: StreamId) {
        let done = self
            .told
            .append(&OWNED.to_le_bytes())
            .and_then(|()| self.told.append(&id_bytes(id)))
            .and_then(|()| self.owned.push(&id_bytes(id), &name_bytes(self.consumer)));
        self.keep(done);
    }

    /// Goes through the entries in the order of the file, each with its owner's name.
    pub(super) fn each_pending(
        &mut self,
        mut each: impl FnMut(Pending, Option<Name>, &mut Names) -> Result<(), SpillError>,
    ) -> Result<(), SpillError> {
        let names = &mut self.names;
        let owned = std::mem::replace(&mut self.owned, Sorter::new(BOUNDS));
        let mut reader = self.pending.reader();
        if self.ascending {
            return join(
                owned,
                || {
                    let bytes = reader.take(ENTRY)?;
                    Ok((bytes.len() == ENTRY).then(|| (entry_of(bytes), 0)))
                },
                |entry, _, name| each(entry, name, names),
            );
        }
        // The entries by their ids, joined, and again by their places.
        let (mut by_id, mut place) = (Sorter::new(BOUNDS), 0_u64);
        loop {
            let bytes = reader.take(ENTRY)?;
            let Some((id, rest)) = bytes.split_at_checked(16).filter(|_| bytes.len() == ENTRY) else { break };
            let mut value = [0; 24];
            for (to, from) in value.iter_mut().zip(rest.iter().chain(&place.to_le_bytes())) {
                *to = *from;
            }
            by_id.push(id, &value)?;
            place += 1;
        }
        let (mut by_id, mut by_place) = (by_id.finish()?, Sorter::new(BOUNDS));
        join(
            owned,
            || {
                let record = by_id.next()?;
                Ok(record.map(|record| {
                    let pending = Pending {
                        id: id_of(record.key),
                        delivered_ms: long(record.value, 0).cast_signed(),
                        count: long(record.value, 8),
                    };
                    (pending, long(record.value, 16))
                }))
            },
            |entry, place, name| {
                let mut value = entry_bytes(entry).to_vec();
                value.extend(name.into_iter().flat_map(name_bytes));
                by_place.push(&place.to_be_bytes(), &value)
            },
        )?;
        let mut by_place = by_place.finish()?;
        while let Some(record) = by_place.next()? {
            let name = record.value.get(ENTRY..).and_then(name_of);
            each(entry_of(record.value), name, names)?;
        }
        Ok(())
    }

    /// Goes through the consumers and their entries in the order of the file.
    pub(super) fn each_consumer(
        &mut self,
        mut each: impl FnMut(Told, &mut Names) -> Result<(), SpillError>,
    ) -> Result<(), SpillError> {
        let mut reader = self.told.reader();
        loop {
            let told = match reader.number()? {
                Some(CONSUMER) => {
                    let bytes = reader.take(40)?;
                    Told::Consumer {
                        name: Name { at: long(bytes, 0), length: long(bytes, 8) },
                        seen_ms: long(bytes, 16).cast_signed(),
                        active_ms: (long(bytes, 24) == 1).then(|| long(bytes, 32).cast_signed()),
                    }
                }
                Some(_) => Told::Owned(id_of(reader.take(16)?)),
                None => return Ok(()),
            };
            each(told, &mut self.names)?;
        }
    }
}

/// Goes through entries that come by id, and finds each one's owner.
fn join(
    owned: Sorter,
    mut next: impl FnMut() -> Result<Option<(Pending, u64)>, SpillError>,
    mut each: impl FnMut(Pending, u64, Option<Name>) -> Result<(), SpillError>,
) -> Result<(), SpillError> {
    let mut owned = owned.finish()?;
    let mut owner = |id: StreamId, found: &mut Option<(StreamId, Option<Name>)>| {
        while found.is_none_or(|(owned, _)| owned < id) {
            match owned.next()? {
                Some(record) => *found = Some((id_of(record.key), name_of(record.value))),
                None => return Ok(None),
            }
        }
        Ok(found.filter(|(owned, _)| *owned == id).and_then(|(_, name)| name))
    };
    let mut found = None;
    while let Some((entry, place)) = next()? {
        let name = owner(entry.id, &mut found)?;
        each(entry, place, name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Joined = Vec<(u64, i64, Option<Vec<u8>>)>;

    fn joined(group: &mut GroupPending) -> Joined {
        let mut found = Vec::new();
        group
            .each_pending(|entry, name, names| {
                let mut bytes = None;
                if let Some(name) = name {
                    names.read(name, |piece| bytes.get_or_insert_with(Vec::new).extend_from_slice(piece.bytes))?;
                }
                found.push((entry.id.seq, entry.delivered_ms, bytes));
                Ok(())
            })
            .unwrap();
        found
    }

    proptest! {
        #[test]
        fn every_entry_finds_its_owner(
            ids in prop::collection::hash_set(0..500_u64, 0..200),
            sorted in any::<bool>(),
            consumers in 1..7_usize,
            bound in 0..600_usize,
        ) {
            let mut ids: Vec<u64> = ids.into_iter().collect();
            if sorted {
                ids.sort_unstable();
            }
            let mut group = GroupPending::new(bound, SortBounds { records: bound, buffers: 0 });
            for _ in 0..2 {
                group.begin();
                for &seq in &ids {
                    group.pending(Pending { id: StreamId { ms: 7, seq }, delivered_ms: -(seq as i64), count: seq });
                }
                let name = |number: usize| vec![b'a' + number as u8; number * 100];
                let owner = |seq: u64| seq as usize % (consumers + 1);
                for number in 0..consumers {
                    group.name(Piece::whole(&name(number)));
                    group.consumer(number as i64, (number % 2 == 0).then_some(5));
                    ids.iter().filter(|seq| owner(**seq) == number).for_each(|&seq| group.owned(StreamId { ms: 7, seq }));
                }
                let expected: Joined = ids
                    .iter()
                    .map(|&seq| (seq, -(seq as i64), (owner(seq) < consumers).then(|| name(owner(seq)))))
                    .collect();
                prop_assert_eq!(joined(&mut group), expected);
                let (mut told, mut owned) = (0, 0);
                group
                    .each_consumer(|what, _| {
                        match what {
                            Told::Consumer { seen_ms, active_ms, .. } => {
                                assert_eq!((seen_ms, active_ms.is_some()), (told, told % 2 == 0));
                                told += 1;
                            }
                            Told::Owned(id) => {
                                assert_eq!(owner(id.seq) as i64, told - 1);
                                owned += 1;
                            }
                        }
                        Ok(())
                    })
                    .unwrap();
                prop_assert_eq!((told as usize, owned), (consumers, ids.iter().filter(|seq| owner(**seq) < consumers).count()));
                prop_assert!(group.take_error().is_none());
            }
        }
    }

    #[test]
    fn long_names_come_in_pieces() {
        let mut group = GroupPending::new(1000, BOUNDS);
        group.begin();
        let total = (MAX_RDB_WHOLE + 12_345) as u64;
        let long: Vec<u8> = (0..total).map(|place| (place % 251) as u8).collect();
        group.name(Piece::whole(b"short"));
        group.consumer(1, None);
        for (place, bytes) in long.chunks(RDB_PIECE).enumerate() {
            group.name(Piece { bytes, offset: (place * RDB_PIECE) as u64, total });
        }
        group.consumer(2, None);
        let mut names = Vec::new();
        group
            .each_consumer(|what, read| {
                let Told::Consumer { name, .. } = what else { return Ok(()) };
                let mut bytes = Vec::new();
                read.read(name, |piece| {
                    assert_eq!(piece.offset, bytes.len() as u64);
                    assert!(piece.bytes.len() <= RDB_PIECE);
                    bytes.extend_from_slice(piece.bytes);
                })?;
                names.push(bytes);
                Ok(())
            })
            .unwrap();
        assert!(names == [b"short".to_vec(), long]);
    }
}
