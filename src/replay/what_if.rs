//! What is to be otherwise than it was recorded.

use std::time::Duration;

/// The question "what if", all of it; nothing of it by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Every server's `repl-backlog-size`, in bytes.
    pub backlog: Option<u64>,
    /// Every full sync over one connection is diskless, or is not.
    pub diskless: Option<bool>,
    /// Every server's `repl-timeout`, in seconds.
    pub timeout: Option<u64>,
    /// Every master's `client-output-buffer-limit` for replicas, as the directive has it.
    pub output_limit: Option<String>,
    /// What is between a master and its replicas.
    pub network: Network,
}

/// A network; by default one that is not felt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// How long each byte is under way, in either direction.
    pub delay: Duration,
    /// Bytes a second, in either direction.
    pub bandwidth: Option<u64>,
}

impl WhatIf {
    /// Whether it is about time: then the replay needs a pace, the replicas acknowledge and come back as they do by
    /// themselves, and what becomes of a link is not what was recorded.
    #[must_use]
    pub fn is_of_time(&self) -> bool {
        self.timeout.is_some() || self.output_limit.is_some() || self.network != Network::default()
    }
}

/// Where a link is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// When the replica has applied so much.
    Offset(u64),
    /// When the bytes of this frame have come.
    Packet(u64),
    /// When so many bytes of the RDB have been sent.
    Rdb(u64),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::Packet(packet) => write!(f, "packet:{packet}"),
            Self::Rdb(bytes) => write!(f, "rdb:{bytes}"),
        }
    }
}
