//! From a keyspace to an RDB, key by key off a snapshot.

use std::io::Write;

use super::keyspace::{NEVER, Taken};
use super::uses::Clock;
use super::value::{Blob, Consumer, Decimal, Group, Stream, Value};
use crate::rdb::{
    ConsumerView, GroupView, Header, KeyMeta, Need, Needs, Pending, StreamCounters, StreamId, StreamView, Target,
    WriteError, Writer, Written,
};

/// What stands in front of an RDB's keys, and how it is written.
#[derive(Clone, Debug)]
pub struct Head {
    /// The version.
    pub header: Header,
    /// `rdbcompression`
    pub compress: bool,
    /// `rdbchecksum`
    pub checksum: bool,
    /// The facts about the dump.
    pub aux: Vec<(&'static str, String)>,
    /// Function libraries' codes.
    pub functions: Vec<Blob>,
    /// Sizes of the databases that have keys, for RESIZEDB: number, keys, keys that expire.
    pub sizes: Vec<(u32, u64, u64)>,
    /// Keys have when they were used last, or how often, by this clock.
    pub uses: Option<Clock>,
}

/// Writes an RDB from a snapshot, key by key.
pub struct DumpWriter<W: Write> {
    writer: Writer<W>,
    sizes: Vec<(u32, u64, u64)>,
    selected: Option<u32>,
    uses: Option<Clock>,
}

impl<W: Write> DumpWriter<W> {
    /// Writes what stands in front of the keys.
    ///
    /// # Errors
    /// In words, as those of the other methods.
    pub fn new(sink: W, head: &Head) -> Result<Self, String> {
        let Head { header, compress, checksum, aux, functions, sizes, uses } = head;
        let target = Target { header: *header, compress: *compress, checksum: *checksum };
        let mut writer = Writer::new(sink, target).map_err(words)?;
        for (key, value) in aux {
            writer.aux(key.as_bytes(), value.as_bytes()).map_err(words)?;
        }
        for code in functions {
            writer.function(code).map_err(words)?;
        }
        Ok(Self { writer, sizes: sizes.clone(), selected: None, uses: *uses })
    }

    /// Writes a key.
    ///
    /// # Errors
    /// The version cannot hold it, or the sink fails.
    pub fn key(&mut self, taken: &Taken) -> Result<(), String> {
        let db = taken.db as u32;
        if self.selected != Some(db) {
            self.writer.select(db).map_err(words)?;
            if let Some((_, keys, expires)) = self.sizes.iter().find(|(number, ..)| *number == db) {
                self.writer.resize(*keys, *expires).map_err(words)?;
            }
            self.selected = Some(db);
        }
        write_key(&mut self.writer, taken, self.uses.as_ref())
            .map_err(|error| format!("key '{}': {error}", taken.key.escape_ascii()))
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut W {
        self.writer.get_mut()
    }

    /// Ends the RDB.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(self) -> Result<W, String> {
        self.writer.finish().map_err(words)
    }
}

fn words(error: WriteError) -> String {
    error.to_string()
}

/// Writes a key of a snapshot, with a clock also when it was used last, or how often. The caller selects databases.
///
/// # Errors
/// What [`Writer`] gives: the version cannot hold the key, or the sink fails.
pub fn write_key<W: Write>(writer: &mut Writer<W>, taken: &Taken, uses: Option<&Clock>) -> Written {
    let meta = KeyMeta {
        expires_at_ms: taken.expires_at,
        idle: uses.filter(|clock| !clock.counts()).map(|clock| taken.used.idle(clock).into()),
        freq: uses.filter(|clock| clock.counts()).map(|clock| taken.used.frequency(clock)),
        ..KeyMeta::new(&taken.key)
    };
    write_value(writer, &meta, &taken.value)
}

/// A value alone, as DUMP gives it and RESTORE takes it.
///
/// # Errors
/// [`WriteError`] where that version of the format has no form for it.
pub fn payload(value: &Value, header: Header) -> Result<Vec<u8>, WriteError> {
    let mut writer = Writer::payload(Vec::new(), Target::new(header))?;
    write_value(&mut writer, &KeyMeta::default(), value)?;
    writer.finish()
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
