//! What differs on the wire from server to server, as plain facts. Everything that the two ends do by version stands
//! here; they ask for a fact and never for a version.
//!
//! The table is WIRE-NOTES' (captures of 2.8.24, 3.2.13, 4.0.14, 5.0.14, 6.0.20, 6.2.14, 7.0.15, 7.2.6, 7.4.1, 8.2.3,
//! Valkey 8.1.8 and 9.1.2). A version between two of them is taken for the earlier one.

/// How a replica writes its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Inline lines, each after the reply to the one before: up to 4.0.
    Inline,
    /// RESP, each after the reply to the one before: 5.0 and 6.0.
    Resp,
    /// RESP, all between the reply to PING and PSYNC in one go: 6.2 and later.
    Pipelined,
}

/// A full sync over two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TwoChannel {
    /// Redis 8.0 and later: `+RDBCHANNELSYNC`.
    RdbChannel,
    /// Valkey 8.0 and later: `+DUALCHANNELSYNC`.
    DualChannel,
}

/// One server version's way of speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compat {
    /// How the handshake is written.
    pub handshake: Handshake,
    /// Whether `capa psync2` is sent and replids outlive a failover: 4.0 and later.
    pub psync2: bool,
    /// The two-channel dialect that it knows.
    pub two_channel: Option<TwoChannel>,
    /// The version for `REPLCONF version`: Valkey 8.0 and later.
    pub version: Option<(u8, u8, u8)>,
    /// Whether `REPLCONF version` goes along on the RDB's own connection, too: Valkey 9.1. Without it a value that
    /// needs the newer format can never be sent.
    pub version_on_rdb_channel: bool,
    /// Whether a replica that has never synced asks with its own replid and offset 1 (4.0 and later), not with `? -1`.
    pub asks_with_own_id: bool,
    /// The offset of a master that has never written: 1 up to 3.2.
    pub first_offset: u64,
    /// Whether the heartbeat is written `ping`: 6.2 and later.
    pub lower_case_ping: bool,
    /// Whether the ACK that answers a GETACK covers it: up to 3.2.
    pub ack_covers_getack: bool,
    /// Whether an ACK goes out as soon as a full sync is done, not at the next tick: Redis 7.0 and later.
    pub ack_at_once: bool,
    /// Whether ACKs tell what is on disk, where there is an AOF: 7.2 and later.
    pub fack: bool,
    /// Whether a replica that has lost the master it followed reconnects at once: 6.2 and later.
    pub reconnects_at_once: bool,
    /// Whether the backlog is shared with the replicas' output and goes in blocks (7.0 and later), not a ring of
    /// exactly its size.
    pub backlog_in_blocks: bool,
    /// Whether an output limit below the backlog's size is taken for the backlog's size: 7.0 and later.
    pub limit_spares_backlog: bool,
    /// The newest RDB version of the `REDIS…` form that it reads.
    pub rdb_version: u16,
    /// Whether a low RDB version is sent without a file in between even where `repl-diskless-sync` is off: Valkey 9.
    pub old_versions_diskless: bool,
}

impl Compat {
    /// Redis of this version.
    #[must_use]
    pub const fn redis(major: u8, minor: u8) -> Self {
        Self::build(major, minor, None)
    }

    /// Valkey of this version: Redis 7.2 and what came on top.
    #[must_use]
    pub const fn valkey(major: u8, minor: u8, patch: u8) -> Self {
        let version = if major >= 8 { Some((major, minor, patch)) } else { None };
        let mut compat = Self::build(7, 2, version);
        if major >= 8 {
            compat.two_channel = Some(TwoChannel::DualChannel);
        }
        compat.version_on_rdb_channel = reached(major, minor, 9, 1);
        compat.ack_at_once = false;
        compat.old_versions_diskless = major >= 9;
        compat
    }

    const fn build(major: u8, minor: u8, version: Option<(u8, u8, u8)>) -> Self {
        let handshake = if reached(major, minor, 6, 2) {
            Handshake::Pipelined
        } else if major >= 5 {
            Handshake::Resp
        } else {
            Handshake::Inline
        };
        let psync2 = major >= 4;
        Self {
            handshake,
            psync2,
            two_channel: if major >= 8 { Some(TwoChannel::RdbChannel) } else { None },
            version,
            version_on_rdb_channel: false,
            asks_with_own_id: psync2,
            first_offset: if psync2 { 0 } else { 1 },
            lower_case_ping: reached(major, minor, 6, 2),
            ack_covers_getack: !psync2,
            ack_at_once: major >= 7,
            fack: reached(major, minor, 7, 2),
            reconnects_at_once: reached(major, minor, 6, 2),
            backlog_in_blocks: major >= 7,
            limit_spares_backlog: major >= 7,
            rdb_version: match (major, minor) {
                (8.., _) | (7, 4..) => 12,
                (7, 2..) => 11,
                (7, _) => 10,
                (5.., _) => 9,
                (4, _) => 8,
                (3, 2..) => 7,
                _ => 6,
            },
            old_versions_diskless: false,
        }
    }

    /// The heartbeat as it stands in the stream: 14 bytes.
    #[must_use]
    pub fn ping(self) -> &'static [u8] {
        if self.lower_case_ping { b"*1\r\n$4\r\nping\r\n" } else { b"*1\r\n$4\r\nPING\r\n" }
    }
}

const fn reached(major: u8, minor: u8, at_major: u8, at_minor: u8) -> bool {
    major > at_major || (major == at_major && minor >= at_minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_captures() {
        use Handshake::{Inline, Pipelined, Resp};
        let rows: [(Compat, Handshake, bool, u64, bool); 12] = [
            (Compat::redis(2, 8), Inline, false, 1, false),
            (Compat::redis(3, 2), Inline, false, 1, false),
            (Compat::redis(4, 0), Inline, true, 0, false),
            (Compat::redis(5, 0), Resp, true, 0, false),
            (Compat::redis(6, 0), Resp, true, 0, false),
            (Compat::redis(6, 2), Pipelined, true, 0, true),
            (Compat::redis(7, 0), Pipelined, true, 0, true),
            (Compat::redis(7, 2), Pipelined, true, 0, true),
            (Compat::redis(7, 4), Pipelined, true, 0, true),
            (Compat::redis(8, 2), Pipelined, true, 0, true),
            (Compat::valkey(8, 1, 8), Pipelined, true, 0, true),
            (Compat::valkey(9, 1, 2), Pipelined, true, 0, true),
        ];
        for (compat, handshake, psync2, first_offset, lower_case_ping) in rows {
            assert_eq!(compat.handshake, handshake);
            assert_eq!(compat.psync2, psync2);
            assert_eq!(compat.first_offset, first_offset);
            assert_eq!(compat.lower_case_ping, lower_case_ping);
        }
        assert_eq!(Compat::redis(8, 2).two_channel, Some(TwoChannel::RdbChannel));
        assert_eq!(Compat::redis(7, 4).two_channel, None);
        assert_eq!(Compat::valkey(8, 1, 8).two_channel, Some(TwoChannel::DualChannel));
        assert_eq!(Compat::valkey(8, 1, 8).version, Some((8, 1, 8)));
        assert!(!Compat::valkey(8, 1, 8).version_on_rdb_channel && Compat::valkey(9, 1, 2).version_on_rdb_channel);
    }
}
