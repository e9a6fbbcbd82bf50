//! Values, in plain structures.
//!
//! A copy of a value costs no more than a count: collections are shared, and whoever changes one that a snapshot holds
//! copies it first ([`Arc::make_mut`]). So a snapshot's memory is what changes while it is taken.

mod blob;
mod hash;
mod ranked;
mod set;
mod sorted_set;
mod stream;
mod text;

use std::collections::VecDeque;
use std::sync::Arc;

pub use blob::Blob;
pub use hash::{Field, Hash};
pub use ranked::{Ranked, Scored};
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::{
    Consumer, Excess, GREATEST_ID, Group, LEAST_ID, NodeSize, Pending, References, Stream, next_id, previous_id,
};
pub use text::{Decimal, Text, integer};

/// A list; the head is the front.
pub type List = VecDeque<Blob>;

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
    /// A value that no command here works on, a module's above all: kept and passed on as an RDB has it.
    Opaque(Arc<crate::rdb::Value>),
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
            Self::Opaque(value) => value.value_type().name(),
        }
    }

    /// The same by some of its parts, so that it takes no longer the larger it is.
    #[must_use]
    pub fn weight_about(&self) -> usize {
        const SEEN: usize = 64;
        const ELEMENT: usize = 32;
        let scaled = |sum: usize, length: usize| if length > SEEN { sum / SEEN * length } else { sum };
        match self {
            Self::List(list) => scaled(list.iter().take(SEEN).map(|element| ELEMENT + element.len()).sum(), list.len()),
            Self::Set(set) => scaled(set.iter().take(SEEN).map(|member| ELEMENT + member.len()).sum(), set.len()),
            Self::SortedSet(set) => {
                let members = set.ranked().iter().take(SEEN);
                scaled(members.map(|scored| 2 * ELEMENT + scored.member.len()).sum(), set.len())
            }
            Self::Hash(hash) => {
                let fields = hash.fields.iter().take(SEEN);
                let sum = fields.map(|(name, field)| 2 * ELEMENT + name.len() + field.value.len()).sum();
                scaled(sum, hash.fields.len())
            }
            Self::Stream(stream) => {
                let entries = stream.entries.values().take(SEEN);
                let sum = entries.flatten().map(|word| ELEMENT + word.len()).sum();
                scaled(sum, stream.entries.len())
            }
            Self::String(_) | Self::Opaque(_) => self.weight(),
        }
    }

    /// In how many pieces it lies, about, where servers would have it so.
    #[must_use]
    pub fn parts(&self) -> usize {
        const LISTPACK: usize = 128;
        match self {
            Self::String(_) | Self::Opaque(_) => 1,
            Self::List(list) if list.len() <= LISTPACK => 1,
            Self::List(list) => list.len() / LISTPACK,
            Self::Set(set) if set.len() > LISTPACK => set.len(),
            Self::SortedSet(set) if set.len() > LISTPACK => set.len(),
            Self::Hash(hash) if hash.fields.len() > LISTPACK => hash.fields.len(),
            Self::Set(_) | Self::SortedSet(_) | Self::Hash(_) => 1,
            Self::Stream(stream) => {
                stream.node_count() + stream.groups.values().map(|group| 1 + group.pending.len()).sum::<usize>()
            }
        }
    }

    /// How many bytes of memory it takes, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        const ELEMENT: usize = 32;
        match self {
            Self::String(text) => text.len(),
            Self::List(list) => list.iter().map(|element| ELEMENT + element.len()).sum(),
            Self::Set(set) => set.iter().map(|member| ELEMENT + member.len()).sum(),
            Self::SortedSet(set) => set.ranked().iter().map(|scored| 2 * ELEMENT + scored.member.len()).sum(),
            Self::Hash(hash) => {
                hash.fields.iter().map(|(name, field)| 2 * ELEMENT + name.len() + field.value.len()).sum()
            }
            Self::Stream(stream) => {
                stream.entries.values().flatten().map(|word| ELEMENT + word.len()).sum::<usize>()
                    + stream.groups.values().map(|group| 2 * ELEMENT * group.pending.len()).sum::<usize>()
            }
            Self::Opaque(_) => ELEMENT,
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
