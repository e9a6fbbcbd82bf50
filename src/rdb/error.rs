//! What can be wrong with an RDB: where (byte offset and record), what, and who is to blame.
//!
//! That the bytes are at an end is no error here: whoever feeds the walk knows whether more can come.

use super::grammar::Header;
use std::fmt;

/// Why a walk cannot go on, and where it stopped. One sentence when displayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} RDB at byte {offset}{}: {fault}", fault.blame(), InRecord(*record))]
pub struct RdbError {
    /// Byte offset in the RDB, from 0 at the magic, of the primitive that could not be read.
    pub offset: u64,
    /// The record that holds it: the offset of its leading byte, and its name. `None` in the header and where the
    /// leading byte itself is the fault.
    pub record: Option<(u64, &'static str)>,
    /// What is wrong.
    pub fault: Fault,
}

/// Who is to blame for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The bytes contradict the format: damage, or not an RDB.
    Malformed,
    /// The bytes may well be right, but this program does not know how to read them.
    Unsupported,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
        })
    }
}

struct InRecord(Option<(u64, &'static str)>);

impl fmt::Display for InRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((at, name)) => write!(f, ", in the {name} record at byte {at}"),
            None => Ok(()),
        }
    }
}

/// What is wrong, without the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first 9 bytes are no header.
    #[error("needed REDIS or VALKEY and a version, found \"{}\"", .0.escape_ascii())]
    NotAnRdb([u8; 9]),
    /// A header with a version outside REDIS 1 to 15 and VALKEY 80 to 81.
    #[error("{0} is outside the known versions, REDIS 1 to 15 and VALKEY 80 to 81")]
    Version(Header),
    /// The envelope "VKCS" that Valkey 9.2 may put around an LZ4-compressed RDB.
    #[error("a VKCS envelope (compressed RDB of Valkey 9.2) cannot be read")]
    Envelope,
    /// A leading byte that is no record of this dialect.
    #[error("{1} knows no record that begins with byte {0}")]
    UnknownRecord(u8, Header),
    /// A record that is known by name but not by layout.
    #[error("the layout of {name} (byte {byte}) is not known: {reason}")]
    UnreadableRecord {
        /// The record's leading byte.
        byte: u8,
        /// Its name in the servers' sources.
        name: &'static str,
        /// Why its layout is not known.
        reason: &'static str,
    },
    /// A first byte of a length that the format leaves undefined (binary 10xxxxxx other than 80 and 81).
    #[error("{0:#04x} begins no length")]
    LengthEncoding(u8),
    /// A special string encoding where only a length may stand.
    #[error("needed a length, found the string encoding {0:#04x}")]
    NotALength(u8),
    /// A length or count of [`crate::bounds::MAX_RDB_LENGTH`] or more, which no server can hold.
    #[error("a length of {0} is more than any server holds")]
    LengthTooLarge(u64),
    /// A special string encoding other than 0 to 3.
    #[error("{0:#04x} begins no string: only the encodings 0xc0 to 0xc3 exist")]
    StringEncoding(u8),
    /// Sizes of an LZF string that no compressor can have produced: nothing, or more than 88-fold expansion.
    #[error("{compressed} LZF bytes cannot expand to {expanded}")]
    LzfSizes {
        /// Bytes in the file.
        compressed: u64,
        /// Bytes promised after decompression.
        expanded: u64,
    },
    /// The bytes of an LZF string that do not decompress to what its sizes promise.
    #[error("LZF data {0}")]
    LzfData(&'static str),
    /// Damage inside a packed collection. The error's offset is that of the head of the string that holds it.
    #[error("{form} at its byte {inside}: {damage}")]
    Packed {
        /// listpack, ziplist, intset or zipmap.
        form: &'static str,
        /// Offset in the string, after decompression.
        inside: u64,
        /// What is wrong there.
        damage: &'static str,
    },
    /// More names of fields that a stream node's entries share than are held,
    /// [`crate::bounds::MAX_RDB_SHARED_FIELDS`].
    #[error("more than {max} bytes of shared field names of a stream node are not held", max = crate::bounds::MAX_RDB_SHARED_FIELDS)]
    SharedFields,
    /// A value whose parts contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A sorted set's score that is no number.
    #[error("the score is not a number")]
    Score,
    /// A string whose length the format fixes.
    #[error("needed a string of {needed} bytes, found one of {found}")]
    StringSize {
        /// Bytes the format asks for.
        needed: u64,
        /// Bytes announced.
        found: u64,
    },
    /// A number outside the values that the format gives it.
    #[error("needed {what} from {low} to {high}, found {found}")]
    OutOfRange {
        /// What the number is, with its article.
        what: &'static str,
        /// Least allowed value.
        low: u64,
        /// Greatest allowed value.
        high: u64,
        /// The value there.
        found: u64,
    },
    /// A hash refers to a field template that no record before it has defined.
    #[error("hash template {0} was not defined before its use")]
    UnknownTemplate(u64),
    /// Two records define the same field template.
    #[error("hash template {0} is defined twice")]
    RepeatedTemplate(u64),
    /// More field templates than are kept, [`crate::bounds::MAX_RDB_TEMPLATES`].
    #[error("more than {max} hash templates are not kept", max = crate::bounds::MAX_RDB_TEMPLATES)]
    TooManyTemplates,
    /// An UPDATE record that does not hold a RESP array of bulk strings.
    #[error("needed a RESP array of bulk strings: {0}")]
    Resp(&'static str),
}

impl Fault {
    /// Whether the bytes or this program is to blame.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Version(_)
            | Self::Envelope
            | Self::UnknownRecord(..)
            | Self::UnreadableRecord { .. }
            | Self::SharedFields
            | Self::TooManyTemplates => Blame::Unsupported,
            _ => Blame::Malformed,
        }
    }
}
