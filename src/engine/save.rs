//! From a keyspace to an RDB, key by key off a snapshot.

use std::io::Write;

use super::keyspace::{NEVER, Taken};
use super::value::{Blob, Consumer, Decimal, Group, Stream, Value};
use crate::rdb::{
    ConsumerView, GroupView, KeyMeta, Need, Needs, Pending, StreamCounters, StreamId, StreamView, Writer, Written,
};

/// Writes a key of a snapshot. The caller selects databases.
///
/// # Errors
/// What [`Writer`] gives: the version cannot hold the key, or the sink fails.
pub fn write_key<W: Write>(writer: &mut Writer<W>, taken: &Taken) -> Written {
    let meta = KeyMeta { expires_at_ms: taken.expires_at, ..KeyMeta::new(&taken.key) };
    write_value(writer, &meta, &taken.value)
}

/// Writes a value with what goes with it: a key of an RDB, or a payload's only value.
///
/// # Errors
/// What [`Writer`] gives.
pub fn write_value<W: Write>(writer: &mut Writer<W>, meta: &KeyMeta<'_>, value: &Value) -> Written {
    match value {
        Value::String(text) => writer.string(meta, text.bytes(&mut Decimal::new())),
        Value::List(list) => writer.list(meta, list.iter()),
        Value::Set(set) => writer.set(meta, set.iter()),
        Value::SortedSet(set) => {
            writer.sorted_set(meta, set.ranked().iter().map(|scored| (&scored.member, scored.score)))
        }
        Value::Hash(hash) => writer.hash(
            meta,
            hash.fields
                .iter()
                .map(|(name, field)| (name, &field.value, (field.expires_at != NEVER).then_some(field.expires_at))),
        ),
        Value::Stream(stream) => writer.stream(meta, &**stream),
        Value::Opaque(value) => writer.value(meta, value),
    }
}

/// What a key needs of an RDB's version.
pub fn needs(value: &Value) -> Needs {
    let mut needs = Needs::default();
    match value {
        Value::Hash(hash) if hash.volatile > 0 => needs.add(Need::FieldExpiry),
        Value::Stream(stream) => {
            needs.add(Need::Streams);
            // What a loader makes up of length and groups is something else, if only of an empty stream's first entry.
            let length = stream.entries.len() as u64;
            if length == 0
                || stream.entries_added != length
                || stream.max_deleted_id != StreamId::default()
                || !stream.groups.is_empty()
            {
                needs.add(Need::StreamCounters);
            }
        }
        Value::Opaque(value) => needs.merge(value.needs()),
        _ => {}
    }
    needs
}

fn pairs(words: &[Blob]) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    words.chunks_exact(2).map(|pair| (&pair[0][..], &pair[1][..]))
}

impl StreamView for Stream {
    fn counters(&self) -> StreamCounters {
        StreamCounters {
            length: self.entries.len() as u64,
            last_id: self.last_id,
            first_id: Some(self.entries.keys().next().copied().unwrap_or_default()),
            max_deleted_id: Some(self.max_deleted_id),
            entries_added: Some(self.entries_added),
        }
    }

    fn entries(&self) -> impl Iterator<Item = (StreamId, impl Iterator<Item = (&[u8], &[u8])> + Clone)> {
        self.entries.iter().map(|(id, words)| (*id, pairs(words)))
    }

    fn groups(&self) -> impl Iterator<Item = impl GroupView> {
        self.groups.iter()
    }
}

impl GroupView for (&Blob, &Group) {
    fn name(&self) -> &[u8] {
        self.0
    }

    fn last_id(&self) -> StreamId {
        self.1.last_id
    }

    fn entries_read(&self) -> Option<u64> {
        self.1.entries_read
    }

    fn pending(&self) -> impl Iterator<Item = Pending> {
        self.1.pending.iter().map(|(id, pending)| Pending {
            id: *id,
            delivered_ms: pending.delivered_ms,
            count: pending.count,
        })
    }

    fn consumers(&self) -> impl Iterator<Item = impl ConsumerView> {
        self.1.consumers.iter()
    }
}

impl ConsumerView for (&Blob, &Consumer) {
    fn name(&self) -> &[u8] {
        self.0
    }

    fn seen_ms(&self) -> i64 {
        self.1.seen_ms
    }

    fn active_ms(&self) -> Option<i64> {
        Some(self.1.active_ms)
    }

    fn owned(&self) -> impl Iterator<Item = StreamId> {
        self.1.pending.iter().copied()
    }
}
