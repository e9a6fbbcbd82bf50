//! The writer: any keyspace to an RDB, in the version and dialect asked for.
//!
//! ```text
//! Writer::new(sink, target)          magic and version
//!   aux* function* module_aux*       facts, libraries, what modules say before the keys
//!   (select resize? slot_info* key*)*
//!   module_aux*                      what they say after them
//!   finish                           EOF, checksum
//! ```
//!
//! A key is written by the method of its type from borrowed views: iterators that are gone through twice or more, so that
//! elements are counted, their packing chosen and then written, and nothing is collected but a small collection or one
//! node of a large one. How a value is packed depends on the version (listpacks from 10 on, ziplists before, what came
//! before those below 2) and on the limits up to which servers keep it packed themselves.
//!
//! What the version cannot hold is refused before the first byte of the key is written, so that the caller may leave
//! the key out and go on; what is beside the values and cannot be held is left out and remembered ([`Writer::lost`]).
//!
//! Like the decoder the writer knows no files and no sockets; the sink is an [`io::Write`], and gets the bytes as they
//! come in portions of some [`RDB_WRITE_BUFFER`](crate::bounds::RDB_WRITE_BUFFER) bytes.

mod collections;
mod needs;
mod out;
mod packed;
mod stream;

use std::io::{self, Write};

pub use needs::{Need, Needs};
pub use stream::{ConsumerView, GroupView, StreamView};

use self::out::{Bytes, Out};
use super::grammar::{AUX, Class, EOF, FUNCTION, Format, Header, Record, SELECT};
use super::model::{Cell, Metadata, ModulePart, Value};
use super::values::ModuleId;

/// What kind of RDB is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Dialect and version.
    pub header: Header,
    /// Whether strings are compressed (`rdbcompression`).
    pub compress: bool,
    /// Whether the checksum is told; else eight zero bytes stand in its place (`rdbchecksum`). Below version 5 there
    /// is none either way.
    pub checksum: bool,
}

impl Target {
    /// What servers write unless told otherwise: compressed and with its checksum.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self { header, compress: true, checksum: true }
    }
}

/// Up to which size collections are packed. The defaults are the servers'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Limits {
    pub hash_entries: usize,
    pub hash_value: usize,
    pub zset_entries: usize,
    pub zset_value: usize,
    pub set_entries: usize,
    pub set_value: usize,
    pub set_intset_entries: usize,
    /// Of lists below version 7; later ones have nodes of 8 KiB.
    pub list_entries: usize,
    pub list_value: usize,
    /// Entries of a stream's node, of which each has 4 KiB at most.
    pub stream_node_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hash_entries: 512,
            hash_value: 64,
            zset_entries: 128,
            zset_value: 64,
            set_entries: 128,
            set_value: 64,
            set_intset_entries: 512,
            list_entries: 512,
            list_value: 64,
            stream_node_entries: 100,
        }
    }
}

/// A key and what is said of it besides its value.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyMeta<'a> {
    /// The name.
    pub name: &'a [u8],
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Seconds since the last access, under an LRU policy.
    pub idle: Option<u64>,
    /// The access counter, under an LFU policy.
    pub freq: Option<u8>,
    /// What modules have attached to it (Redis 8.6).
    pub metadata: &'a [Metadata],
}

impl<'a> KeyMeta<'a> {
    /// A key without expiry, of which nothing else is known.
    #[must_use]
    pub fn new(name: &'a [u8]) -> Self {
        Self { name, ..Self::default() }
    }
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The sink failed. What it got is cut.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The version cannot hold it. Nothing of it was written.
    #[error(
        "{} cannot hold {need}{}",
        header,
        Since(*need)
    )]
    Unfit {
        /// What it cannot hold.
        need: Need,
        /// The version asked for.
        header: Header,
    },
    /// This program does not write that version. Nothing was written.
    #[error("{0} is outside the versions that can be written, REDIS 1 to 15 and VALKEY 80 to 81")]
    Version(Header),
    /// A part of a value is longer than its form allows in any version: 4 GiB in a stream's entry. Nothing of the key
    /// was written.
    #[error("an entry of a stream is longer than 4 GiB")]
    TooLong,
    /// A raw value's type does not exist in this version. Nothing was written.
    #[error("{1} has no value type {0}")]
    UnknownType(u8, Header),
}

/// From which version on something can be held, as the end of a sentence.
struct Since(Need);

impl std::fmt::Display for Since {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = |format| self.0.since(format).map(|version| Header { format, version }.to_string());
        match (since(Format::Redis), since(Format::Valkey)) {
            (Some(redis), Some(valkey)) => write!(f, ", which needs {redis} or {valkey}, or later"),
            (Some(only), None) | (None, Some(only)) => write!(f, ", which needs {only} or later"),
            (None, None) => Ok(()),
        }
    }
}

/// What every method here gives.
pub type Written = Result<(), WriteError>;

/// Writes one RDB, or one value as DUMP gives it. See the module's text.
///
/// ```
/// use repltool::rdb::{Format, Header, KeyMeta, Target, Writer};
/// let target = Target::new(Header { format: Format::Redis, version: 9 });
/// let mut writer = Writer::new(Vec::new(), target)?;
/// writer.select(0)?;
/// writer.string(&KeyMeta::new(b"key"), b"value")?;
/// writer.list(&KeyMeta::new(b"list"), ["a", "b"])?;
/// let rdb = writer.finish()?;
/// assert!(rdb.starts_with(b"REDIS0009\xfe\x00\x00\x03key\x05value"));
/// # Ok::<(), repltool::rdb::WriteError>(())
/// ```
pub struct Writer<W> {
    out: Out<W>,
    target: Target,
    limits: Limits,
    /// A value alone: no magic, no names, and the version behind it.
    payload: bool,
    lost: Needs,
}

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("target", &self.target).field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl<W: Write> Writer<W> {
    /// Begins an RDB.
    ///
    /// # Errors
    /// [`WriteError::Version`], and the sink's.
    pub fn new(sink: W, target: Target) -> Result<Self, WriteError> {
        let mut writer = Self::payload(sink, target)?;
        writer.payload = false;
        writer.out.put(target.header.to_string().as_bytes())?;
        Ok(writer)
    }

    /// Begins what DUMP gives: one key's method is to be called, of whose name and times nothing is written, then
    /// [`Writer::finish`].
    ///
    /// # Errors
    /// [`WriteError::Version`].
    pub fn payload(sink: W, target: Target) -> Result<Self, WriteError> {
        let header = target.header;
        if !matches!((header.format, header.version), (Format::Redis, 1..=15) | (Format::Valkey, 80..=81)) {
            return Err(WriteError::Version(header));
        }
        let out = Out::new(sink, target.compress);
        Ok(Self { out, target, limits: Limits::default(), payload: true, lost: Needs::default() })
    }

    /// Packs up to other sizes.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Bytes written so far, those that the sink has not got yet included.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.out.written()
    }

    /// What was left out so far because the version cannot hold it.
    #[must_use]
    pub fn lost(&self) -> Needs {
        self.lost
    }

    /// The sink.
    #[must_use]
    pub fn get_ref(&self) -> &W {
        self.out.get_ref()
    }

    /// The sink; to write to it would break the RDB.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut W {
        self.out.get_mut()
    }

    /// Gives the sink what is held back.
    ///
    /// # Errors
    /// The sink's.
    pub fn flush(&mut self) -> Written {
        Ok(self.out.flush()?)
    }

    fn version(&self) -> u16 {
        self.target.header.version
    }

    /// Refuses what the version cannot hold.
    fn demand(&self, need: Need) -> Written {
        let header = self.target.header;
        if need.is_held_by(header) { Ok(()) } else { Err(WriteError::Unfit { need, header }) }
    }

    /// Whether the version can hold it; else it is lost.
    fn holds(&mut self, need: Need) -> bool {
        let holds = need.is_held_by(self.target.header);
        if !holds {
            self.lost.add(need);
        }
        holds
    }

    fn demand_length(&self, length: usize) -> Written {
        if u32::try_from(length).is_ok() { Ok(()) } else { self.demand(Need::LongLength) }
    }

    /// A fact about the dump (from version 7; left out below).
    ///
    /// # Errors
    /// The sink's.
    pub fn aux(&mut self, key: &[u8], value: &[u8]) -> Written {
        if self.holds(Need::Aux) {
            self.out.byte(AUX)?;
            self.out.string(key)?;
            self.out.string(value)?;
        }
        Ok(())
    }

    /// A function library: its whole text.
    ///
    /// # Errors
    /// [`WriteError::Unfit`] below version 10, and the sink's.
    pub fn function(&mut self, code: &[u8]) -> Written {
        self.demand(Need::Functions)?;
        self.out.byte(FUNCTION)?;
        Ok(self.out.string(code)?)
    }

    /// The keys that follow are of this database.
    ///
    /// # Errors
    /// The sink's.
    pub fn select(&mut self, db: u32) -> Written {
        self.out.byte(SELECT)?;
        Ok(self.out.number(db.into())?)
    }

    /// How many keys, and how many that expire, the database has: servers make room for so many. Left out below
    /// version 7.
    ///
    /// # Errors
    /// The sink's.
    pub fn resize(&mut self, keys: u64, expires: u64) -> Written {
        if self.holds(Need::TableSizes) {
            self.out.byte(0xfb)?;
            self.out.number(keys)?;
            self.out.number(expires)?;
        }
        Ok(())
    }

    /// How many keys follow of a slot, how many that expire, and how many that have fields which expire. Redis has an
    /// opcode for it from version 12 on, Valkey an AUX field (from 8.1 on, which writes REDIS0011); left out below.
    ///
    /// # Errors
    /// The sink's.
    pub fn slot_info(&mut self, slot: u64, keys: u64, expires: u64, volatile: Option<u64>) -> Written {
        if !self.holds(Need::SlotInfo) {
            return Ok(());
        }
        match (self.target.header.format, self.version()) {
            (Format::Redis, 12..) => {
                self.out.byte(0xf4)?;
                [slot, keys, expires].into_iter().try_for_each(|number| self.out.number(number))?;
                Ok(())
            }
            (Format::Valkey, _) => {
                self.aux(b"slot-info", format!("{slot},{keys},{expires},{}", volatile.unwrap_or(0)).as_bytes())
            }
            _ => self.aux(b"slot-info", format!("{slot},{keys},{expires}").as_bytes()),
        }
    }

    /// What a module says before the keys (`when` 1) or after them (2).
    ///
    /// # Errors
    /// [`WriteError::Unfit`] below version 9, and the sink's.
    pub fn module_aux(&mut self, id: ModuleId, when: u64, parts: &[ModulePart]) -> Written {
        self.demand(Need::ModuleAux)?;
        self.out.byte(0xf7)?;
        [id.0, 2, when].into_iter().try_for_each(|number| self.out.number(number))?;
        Ok(self.module_parts(parts)?)
    }

    /// A slot that is being imported: the job's name, 40 bytes, and its ranges (Valkey 9).
    ///
    /// # Errors
    /// [`WriteError::Unfit`] for Redis, and the sink's.
    pub fn slot_import(&mut self, job: &[u8], ranges: &[(u64, u64)]) -> Written {
        self.demand(Need::SlotImport)?;
        self.out.byte(243)?;
        self.out.string(job)?;
        self.out.count(ranges.len())?;
        for (first, last) in ranges {
            self.out.number(*first)?;
            self.out.number(*last)?;
        }
        Ok(())
    }

    /// A command that changes what was written before it (Valkey 9.2).
    ///
    /// # Errors
    /// [`WriteError::Unfit`] where the version has none, and the sink's.
    pub fn update(&mut self, arguments: &[Vec<u8>]) -> Written {
        self.demand(Need::Update)?;
        self.out.byte(242)?;
        self.out.put(format!("*{}\r\n", arguments.len()).as_bytes())?;
        for argument in arguments {
            self.out.put(format!("${}\r\n", argument.len()).as_bytes())?;
            self.out.put(argument)?;
            self.out.put(b"\r\n")?;
        }
        Ok(())
    }

    /// What every key's method begins with, once the value is known to fit: all that stands before the value.
    ///
    /// # Errors
    /// [`WriteError::Unfit`], before anything is written, and the sink's.
    fn begin_key(&mut self, key: &KeyMeta<'_>, rdb_type: u8) -> Written {
        if self.payload {
            return Ok(self.out.byte(rdb_type)?);
        }
        self.demand_length(key.name.len())?;
        if !key.metadata.is_empty() {
            self.demand(Need::Metadata)?;
        }
        self.expiry(key.expires_at_ms)?;
        if let Some(idle) = key.idle.filter(|_| self.holds(Need::Access)) {
            self.out.byte(0xf8)?;
            self.out.number(idle)?;
        }
        if let Some(freq) = key.freq.filter(|_| self.holds(Need::Access)) {
            self.out.put(&[0xf9, freq])?;
        }
        if !key.metadata.is_empty() {
            self.out.byte(243)?;
            self.out.count(key.metadata.len())?;
            for Metadata { class, parts } in key.metadata {
                self.out.put(&class.to_le_bytes())?;
                self.module_parts(parts)?;
            }
        }
        self.out.byte(rdb_type)?;
        Ok(self.out.string(key.name)?)
    }

    /// Milliseconds from version 3 on, rounded down to seconds below.
    fn expiry(&mut self, expires_at_ms: Option<i64>) -> Written {
        let Some(time) = expires_at_ms else { return Ok(()) };
        if self.version() >= 3 {
            self.out.byte(0xfc)?;
            // Servers take -1 for no expiry; the millisecond before is as long past.
            let time = if time == -1 { -2 } else { time };
            return Ok(self.out.put(&time.to_le_bytes())?);
        }
        let Ok(seconds) = i32::try_from(time.div_euclid(1000)) else { return self.demand(Need::LateExpiry) };
        if time.rem_euclid(1000) != 0 {
            self.lost.add(Need::Milliseconds);
        }
        self.out.byte(0xfd)?;
        Ok(self.out.put(&seconds.to_le_bytes())?)
    }

    /// A string.
    ///
    /// # Errors
    /// [`WriteError::Unfit`], and the sink's.
    pub fn string(&mut self, key: &KeyMeta<'_>, value: &[u8]) -> Written {
        self.demand_length(value.len())?;
        self.begin_key(key, 0)?;
        Ok(self.out.string(value)?)
    }

    /// A module's value, loss-free: its parts with the opcodes they had.
    ///
    /// # Errors
    /// [`WriteError::Unfit`] below version 8, and the sink's.
    pub fn module(&mut self, key: &KeyMeta<'_>, id: ModuleId, parts: &[ModulePart]) -> Written {
        self.demand(Need::Modules)?;
        self.begin_key(key, 7)?;
        self.out.number(id.0)?;
        Ok(self.module_parts(parts)?)
    }

    fn module_parts(&mut self, parts: &[ModulePart]) -> io::Result<()> {
        for part in parts {
            match part {
                ModulePart::Signed(number) => {
                    self.out.byte(1)?;
                    self.out.number(number.cast_unsigned())?;
                }
                ModulePart::Unsigned(number) => {
                    self.out.byte(2)?;
                    self.out.number(*number)?;
                }
                ModulePart::Float(number) => {
                    self.out.byte(3)?;
                    self.out.put(&number.to_le_bytes())?;
                }
                ModulePart::Double(number) => {
                    self.out.byte(4)?;
                    self.out.put(&number.to_le_bytes())?;
                }
                ModulePart::String(bytes) => {
                    self.out.byte(5)?;
                    self.out.string(bytes)?;
                }
            }
        }
        self.out.byte(0)
    }

    /// A value that is at hand as it stands in an RDB or in what DUMP gave: its type and the bytes behind the key's
    /// name. They are written as they are; that they are sound, and of a version that the target's family reads, is
    /// the caller's to know.
    ///
    /// # Errors
    /// [`WriteError::UnknownType`] where the version has no such type, [`WriteError::Unfit`], and the sink's.
    pub fn raw(&mut self, key: &KeyMeta<'_>, rdb_type: u8, bytes: &[u8]) -> Written {
        let header = self.target.header;
        let known = Record::lookup(header, rdb_type).is_ok_and(|record| record.class == Class::Key);
        if !known || oldest(rdb_type) > header.version {
            return Err(WriteError::UnknownType(rdb_type, header));
        }
        self.begin_key(key, rdb_type)?;
        Ok(self.out.put(bytes)?)
    }

    /// A sparse array: its slots in ascending order, and where the next insertion goes (Redis 8.8).
    ///
    /// # Errors
    /// [`WriteError::Unfit`], and the sink's.
    pub fn array(&mut self, key: &KeyMeta<'_>, slots: &[(u64, Cell)], insert_index: Option<u64>) -> Written {
        self.demand(Need::Array)?;
        self.begin_key(key, 28)?;
        self.out.count(slots.len())?;
        self.out.number(insert_index.is_some().into())?;
        if let Some(index) = insert_index {
            self.out.number(index)?;
        }
        for (index, cell) in slots {
            self.out.number(*index)?;
            match cell {
                Cell::Integer(number) => {
                    self.out.byte(1)?;
                    self.out.put(&number.to_le_bytes())?;
                }
                Cell::Double(number) => {
                    self.out.byte(2)?;
                    self.out.put(&number.to_le_bytes())?;
                }
                Cell::String(bytes) => {
                    self.out.byte(if bytes.len() <= 7 { 3 } else { 0 })?;
                    self.out.string(bytes)?;
                }
            }
        }
        Ok(())
    }

    /// A rate limit.
    ///
    /// # Errors
    /// [`WriteError::Unfit`], and the sink's.
    pub fn rate_limit(&mut self, key: &KeyMeta<'_>, rate: u64) -> Written {
        self.demand(Need::RateLimit)?;
        self.begin_key(key, 33)?;
        Ok(self.out.number(rate)?)
    }

    /// Any value that is held whole.
    ///
    /// # Errors
    /// Those of its type's method.
    pub fn value(&mut self, key: &KeyMeta<'_>, value: &Value) -> Written {
        match value {
            Value::String(bytes) => self.string(key, bytes),
            Value::List(elements) => self.list(key, elements),
            Value::Set(members) => self.set(key, members),
            Value::SortedSet(members) => self.sorted_set(key, members.iter().map(|(member, score)| (member, *score))),
            Value::Hash(fields) => {
                self.hash(key, fields.iter().map(|field| (&field.name, &field.value, field.expires_at_ms)))
            }
            Value::Stream(stream) => self.stream(key, &**stream),
            Value::Module(id, parts) => self.module(key, *id, parts),
            Value::Array(array) => self.array(key, &array.slots, array.insert_index),
            Value::RateLimit(rate) => self.rate_limit(key, *rate),
        }
    }

    /// The end: what is held back, and the checksum; of a value alone, the version and the checksum. Gives the sink back.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.payload {
            self.out.put(&self.version().to_le_bytes())?;
        } else {
            self.out.byte(EOF)?;
        }
        if self.payload || self.target.header.has_checksum() {
            self.out.checksum(self.target.checksum)?;
        }
        Ok(self.out.into_inner()?)
    }
}

/// The first version with this type. The grammar takes types up to 21 in any version, as servers do.
fn oldest(rdb_type: u8) -> u16 {
    match rdb_type {
        9..=12 => 2,
        13 => 4,
        14 => 7,
        5..=7 => 8,
        15 => 9,
        16..=19 => 10,
        20 | 21 => 11,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
