//! The RDB format: the payload of every full synchronisation, of every dump file and of an append-only file's preamble.
//!
//! ```text
//! REDIS0012                              9 bytes: REDIS and four digits, or VALKEY and three
//! fa 09 redis-ver 05 8.2.3               AUX: facts about the dump, key and value
//! fe 00   fb 02 01                       SELECTDB 0, RESIZEDB: a hint of 2 keys, 1 with an expiry
//! 00 01 k 01 v                           a value type (0 STRING), the key, the value
//! fc d8c32cbb03000000  00 01 x c0 07     EXPIRETIME_MS, which belongs to the key that follows
//! ff xx xx xx xx xx xx xx xx             EOF and, since version 5, the CRC-64 of everything before it
//! ```
//!
//! Each record is led by one byte, an opcode or a value type; nothing tells a record's length, so that the only way to
//! the end is through every length of every record. [`Walk`] goes that way over bytes that come in pieces, looks at the
//! lengths, skips the contents by count, and gives a [`Summary`] and the verdict on the checksum.
//!
//! # How it is built, and how it grows
//!
//! Four layers, each ignorant of those listed after it:
//!
//! - `primitive`: lengths, string heads and fixed-size fields off a slice; either whole or "starved".
//! - `grammar`: the format as data. Each record is a list of steps ("a string", "a count and so often these steps"),
//!   chosen by (magic, version, byte). A new type of a new server is a line here and nothing else.
//! - `machine`: takes pushed bytes through the grammar; owns the place (a small stack of lists under way), the few
//!   carried bytes of a primitive that straddles two pushes, the offset and the checksum. It holds no value.
//! - a `Visitor`: told of each record, count, number, fixed field and string with its role (key, field, score, node
//!   of a stream...); a string's bytes come in parts as they pass, borrowed from the pushed slice. The machine is
//!   generic over it, so that what a visitor ignores costs nothing: the summary's visitor ignores all values.
//!
//! [`Decoder`] is another visitor over the same machine: a key's type comes with the record, elements with their roles.
//! What it adds is the inside of strings, each stage an incremental reader of its own fed by `part`:
//!
//! ```text
//! stored bytes ─ lzf ─ packed (listpack, ziplist, intset, zipmap) ─ layout (pairs, scores, node) ─ text ─ Values
//! ```
//!
//! Its faults are located by the machine like any other: at the head of the string, with the place inside it.

mod carry;
mod compress;
mod decoder;
mod error;
mod explain;
mod fingerprint;
mod grammar;
mod groups;
mod kinds;
mod layout;
mod lzf;
mod machine;
mod model;
mod node;
mod packed;
mod payload;
mod primitive;
mod salvage;
mod text;
mod values;
mod walk;
mod writer;

pub use decoder::Decoder;
pub use error::{Blame, Fault, RdbError};
pub use explain::{Detail, Explained, Explainer, Listed, Part, Place, Stored};
pub use fingerprint::{Difference, Fingerprints, KeyName, KeyPrint, Prints, StreamPrint, library_name};
pub use grammar::{Format, Header};
pub use machine::Progress;
pub use model::{
    Array, Cell, Collector, Consumer, Dedup, Entry, Field, Group, Metadata, ModulePart, Pairs, ProducerItems, Stream,
    Value, Whole,
};
pub use payload::{Payload, PayloadError, dump_payload, is_unsigned, restore, seal, unseal};
pub use salvage::{Input, Loss, SalvageError, Salvaged, salvage};
pub use values::{
    Depth, Encoding, Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, StreamCounters, StreamId, Unheard,
    ValueType, Values,
};
pub use walk::{Checksum, Summary, Walk};
pub use writer::{
    ConsumerView, GroupView, KeyMeta, Limits, Need, Needs, StreamView, Target, WriteError, Writer, Written,
};
