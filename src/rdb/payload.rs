//! What DUMP gives and RESTORE takes: a value alone.
//!
//! ```text
//! type  value  u16 version, little-endian  CRC-64 of all before, little-endian, or eight zero bytes
//! ```
//! (`cluster.c`, `createDumpPayload`.) The version tells the family: what Redis writes is far below 80, where Valkey
//! begins.

use crc_fast::{CrcAlgorithm, checksum};

use super::decoder::Decoder;
use super::error::RdbError;
use super::grammar::{Class, Format, Header, Record};
use super::model::{Collector, Value, Whole};
use super::values::{Depth, Values};
use super::writer::{KeyMeta, Target, WriteError, Writer};

/// Bytes behind the value: version and checksum.
const FOOT: usize = 10;

/// Why a payload is not restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It is shorter than a type, a version and a checksum.
    #[error("a payload of {0} bytes is too short to hold a value, its version and its checksum")]
    Short(usize),
    /// Its version is outside those of [`Header`].
    #[error("RDB version {0} is not known")]
    Version(u16),
    /// The checksum is wrong.
    #[error("the checksum is {stored:016x}, the bytes before it give {computed:016x}")]
    Checksum {
        /// The payload's.
        stored: u64,
        /// That of its bytes.
        computed: u64,
    },
    /// The value is damaged, or of an unknown type.
    #[error("{0}")]
    Rdb(#[from] RdbError),
    /// The value ends too late or too early.
    #[error("the value does not end where its version begins")]
    Length,
    /// Its first byte is no type of a value.
    #[error("no value has the type {0}")]
    Type(u8),
    /// It is larger than the caller allowed.
    #[error("the value is too large")]
    TooLarge,
}

/// Puts the foot behind a payload's bytes: the version and the checksum of all before it.
pub fn seal(bytes: &mut Vec<u8>, version: u16) {
    bytes.extend_from_slice(&version.to_le_bytes());
    let computed = checksum(CrcAlgorithm::Crc64Redis, bytes);
    bytes.extend_from_slice(&computed.to_le_bytes());
}

/// Takes the foot off a payload, its checksum verified: the bytes before it and its version, which may be any. Eight zero
/// bytes are told apart by [`is_unsigned`]: servers refuse them, though writers without a checksum write them.
///
/// # Errors
/// [`PayloadError::Short`], [`PayloadError::Checksum`].
pub fn unseal(bytes: &[u8]) -> Result<(&[u8], u16), PayloadError> {
    let (covered, stored) = bytes.split_last_chunk().ok_or(PayloadError::Short(bytes.len()))?;
    let (body, version) = covered.split_last_chunk().ok_or(PayloadError::Short(bytes.len()))?;
    let stored = u64::from_le_bytes(*stored);
    let computed = checksum(CrcAlgorithm::Crc64Redis, covered);
    if stored != 0 && stored != computed {
        return Err(PayloadError::Checksum { stored, computed });
    }
    Ok((body, u16::from_le_bytes(*version)))
}

/// Whether a payload has eight zero bytes in its checksum's place.
#[must_use]
pub fn is_unsigned(bytes: &[u8]) -> bool {
    bytes.ends_with(&[0; 8])
}

/// A payload taken apart, its checksum verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The dialect.
    pub header: Header,
    /// The type and the value, as they stand in an RDB without the key's name between them.
    pub value: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Takes it apart.
    ///
    /// # Errors
    /// [`PayloadError`] where it is too short, its version unknown or its checksum wrong. The value is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PayloadError> {
        if bytes.len() <= FOOT {
            return Err(PayloadError::Short(bytes.len()));
        }
        let (value, version) = unseal(bytes)?;
        let format = if version >= 80 { Format::Valkey } else { Format::Redis };
        if !matches!((format, version), (Format::Redis, 1..=15) | (Format::Valkey, 80..=81)) {
            return Err(PayloadError::Version(version));
        }
        Ok(Self { header: Header { format, version }, value })
    }

    /// Decodes the value into `values`, which hears it as that of a key with an empty name, and gives `values` back.
    ///
    /// # Errors
    /// Those of its bytes; an [`RdbError`]'s offset is the payload's.
    pub fn decode<V: Values>(&self, values: V, depth: Depth) -> Result<V, PayloadError> {
        let (&rdb_type, rest) = self.value.split_first().ok_or(PayloadError::Short(FOOT))?;
        match Record::lookup(self.header, rdb_type) {
            Ok(record) if record.class == Class::Key => {}
            Ok(_) => return Err(PayloadError::Type(rdb_type)),
            Err(fault) => return Err(RdbError { offset: 0, record: None, fault }.into()),
        }
        let mut decoder = Decoder::of_records(values, depth, self.header);
        // In an RDB the name stands between the type and the value: an empty one is one byte.
        const NAME: [u8; 1] = [0];
        let located = |mut error: RdbError| {
            error.offset = error.offset.saturating_sub(NAME.len() as u64);
            PayloadError::Rdb(error)
        };
        for bytes in [&[rdb_type][..], &NAME, rest] {
            if decoder.push(bytes).map_err(located)?.consumed < bytes.len() {
                return Err(PayloadError::Length);
            }
        }
        if decoder.records() != 1 || !decoder.between_records() {
            return Err(PayloadError::Length);
        }
        Ok(decoder.into_values())
    }
}

/// The value of what DUMP gave. Values of more than `bound` bytes, with what it costs to hold them, are refused.
///
/// # Errors
/// Whatever is wrong with it; a server says "Bad data format" or "DUMP payload version or checksum are wrong".
pub fn restore(bytes: &[u8], bound: usize) -> Result<Value, PayloadError> {
    let mut found = None;
    let payload = Payload::parse(bytes)?;
    payload.decode(Collector::new(bound, |whole| found = Some(whole)), Depth::Full)?;
    match found {
        Some(Whole::Key(entry)) => Ok(entry.value),
        _ => Err(PayloadError::TooLarge),
    }
}

/// What DUMP gives for a value. (To dump a view without a copy, use [`Writer::payload`].)
///
/// # Errors
/// [`WriteError::Unfit`] where the version cannot hold it.
pub fn dump_payload(value: &Value, target: Target) -> Result<Vec<u8>, WriteError> {
    let mut writer = Writer::payload(Vec::new(), target)?;
    writer.value(&KeyMeta::default(), value)?;
    writer.finish()
}
