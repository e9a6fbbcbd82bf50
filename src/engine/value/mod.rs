//! Values, in plain structures.
//!
//! A copy of a value costs no more than a count: collections are shared, and whoever changes one that a snapshot holds
//! copies it first ([`Arc::make_mut`]). So a snapshot's memory is what changes while it is taken.

mod blob;
mod hash;
mod ranked;
mod sorted_set;
mod stream;
mod text;

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexSet;

pub use blob::Blob;
pub use hash::{Field, Hash};
pub use ranked::{Ranked, Scored};
pub use sorted_set::SortedSet;
pub use stream::{Consumer, Excess, GREATEST_ID, Group, LEAST_ID, Pending, References, Stream, next_id, previous_id};
pub use text::{Decimal, Text, integer};

/// A list; the head is the front.
pub type List = VecDeque<Blob>;

/// A set. Members are numbered densely, which is what SPOP, SRANDMEMBER and SSCAN want.
pub type Set = IndexSet<Blob, RandomState>;

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string, also one that is a bitmap or a HyperLogLog.
    String(Text),
    /// A list, never empty.
    List(Arc<List>),
    /// A set, never empty.
    Set(Arc<Set>),
    /// A sorted set, never empty.
    SortedSet(Arc<SortedSet>),
    /// A hash, never empty.
    Hash(Arc<Hash>),
    /// A stream.
    Stream(Arc<Stream>),
    /// A value of a module that is not known here, as an RDB has it.
    Opaque(Arc<Opaque>),
}

/// A value that is kept and passed on byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// The RDB type.
    pub rdb_type: u8,
    /// The bytes behind the key.
    pub bytes: Box<[u8]>,
}

impl Value {
    /// The name that TYPE gives; a module's type has its own name.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::SortedSet(_) => "zset",
            Self::Hash(_) => "hash",
            Self::Stream(_) => "stream",
            Self::Opaque(_) => "module",
        }
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::String(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_four_words_at_most() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
    }
}
