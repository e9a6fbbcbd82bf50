//! Streams and their consumer groups.

use std::collections::{BTreeMap, BTreeSet};

use super::Blob;
use crate::rdb::StreamId;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The entries: fields and values in turn.
    pub entries: BTreeMap<StreamId, Box<[Blob]>>,
    /// The greatest id ever given.
    pub last_id: StreamId,
    /// The greatest id ever deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// The consumer groups by name.
    pub groups: BTreeMap<Blob, Group>,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last id delivered.
    pub last_id: StreamId,
    /// How many entries the group has read; `None` where that is not known.
    pub entries_read: Option<u64>,
    /// What was delivered and not acknowledged.
    pub pending: BTreeMap<StreamId, Pending>,
    /// The consumers by name.
    pub consumers: BTreeMap<Blob, Consumer>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Whose it is.
    pub consumer: Blob,
    /// When it was delivered last, in milliseconds since 1970.
    pub delivered_ms: i64,
    /// How often.
    pub count: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, Default)]
pub struct Consumer {
    /// When it was seen last, in milliseconds since 1970.
    pub seen_ms: i64,
    /// When it was last given an entry; -1 never.
    pub active_ms: i64,
    /// Its share of the group's pending entries.
    pub pending: BTreeSet<StreamId>,
}
