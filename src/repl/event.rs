//! What is seen of a link, as a sequence of events. Every view draws from these and re-derives nothing.
//!
//! An event borrows from the bytes that it was decoded from. It is valid while the sink looks at it, and costs no
//! allocation.

use std::fmt;

use super::notes::Note;
use crate::packet::Endpoint;
use crate::rdb;
use crate::resp::{Command, Reply};
use crate::tcp::How;
use crate::units::{LinkNumber, Offset, Span, Stamp};

/// Takes events as they become known.
pub trait Sink {
    /// One event.
    fn event(&mut self, event: &Event<'_>);

    /// Bytes of the RDB that travels on a link, in order. Of a transfer whose structure could not be walked the last
    /// 40 of them may be the mark: [`RdbEnd::bytes`] tells how many count.
    fn payload(&mut self, _link: LinkNumber, _bytes: &[u8]) {}

    /// Bytes of the stream that travels on a link, in order.
    fn stream(&mut self, _link: LinkNumber, _bytes: &[u8]) {}
}

impl<F: FnMut(&Event<'_>)> Sink for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// One thing that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The frame that completed it.
    pub stamp: Stamp,
    /// The time since the link's first packet, where the capture has times.
    pub elapsed: Option<Span>,
    /// The link, or `None` for an event about no link.
    pub link: Option<LinkNumber>,
    /// Who sent it, where it was sent.
    pub from: Option<Side>,
    /// The phase of the link.
    pub phase: Phase,
    /// The replica's state after it, as far as the wire tells; `None` for an event about no link.
    pub state: Option<State>,
    /// What it is.
    pub kind: Kind<'a>,
}

/// The two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that follows.
    Replica,
    /// The end that is followed.
    Master,
}

impl Side {
    /// `replica` or `master`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Master => "master",
        }
    }
}

/// The phases of a link, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The TCP connection.
    Connect,
    /// PING, AUTH and REPLCONF.
    Handshake,
    /// PSYNC or SYNC, and the answer.
    Sync,
    /// The RDB transfer.
    Rdb,
    /// The replication stream.
    Stream,
    /// The end of the connection.
    Close,
    /// An ordinary client's connection, which has no phases.
    Client,
}

impl Phase {
    /// The phase's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Sync => "sync",
            Self::Rdb => "rdb",
            Self::Stream => "stream",
            Self::Close => "close",
            Self::Client => "client",
        }
    }
}

/// The replica's `REPL_STATE`, in the names that redis-server has had since 6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for the TCP connection.
    Connecting,
    /// It has sent PING.
    ReceivePingReply,
    /// The PING was answered.
    SendHandshake,
    /// It has sent AUTH.
    ReceiveAuthReply,
    /// It has sent REPLCONF listening-port.
    ReceivePortReply,
    /// It has sent REPLCONF ip-address.
    ReceiveIpReply,
    /// It has sent REPLCONF capa.
    ReceiveCapaReply,
    /// It has sent REPLCONF version (Valkey).
    ReceiveVersionReply,
    /// All of the handshake was answered.
    SendPsync,
    /// It has sent PSYNC or SYNC.
    ReceivePsyncReply,
    /// It receives the RDB, or loads it.
    Transfer,
    /// It follows the stream.
    Connected,
}

impl State {
    /// The state's name in the servers' source, less the prefix `REPL_STATE_`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "CONNECTING",
            Self::ReceivePingReply => "RECEIVE_PING_REPLY",
            Self::SendHandshake => "SEND_HANDSHAKE",
            Self::ReceiveAuthReply => "RECEIVE_AUTH_REPLY",
            Self::ReceivePortReply => "RECEIVE_PORT_REPLY",
            Self::ReceiveIpReply => "RECEIVE_IP_REPLY",
            Self::ReceiveCapaReply => "RECEIVE_CAPA_REPLY",
            Self::ReceiveVersionReply => "RECEIVE_VERSION_REPLY",
            Self::SendPsync => "SEND_PSYNC",
            Self::ReceivePsyncReply => "RECEIVE_PSYNC_REPLY",
            Self::Transfer => "TRANSFER",
            Self::Connected => "CONNECTED",
        }
    }
}

/// How an RDB travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// `$<length>`: from a file, its length known.
    Disk,
    /// `$EOF:<mark>`: as it is made, its end marked.
    Diskless,
    /// Redis 8: over a second connection, the stream beside it.
    RdbChannel,
    /// Valkey 8: the same idea in another dialect.
    DualChannel,
}

impl Transfer {
    /// The transfer's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Diskless => "diskless",
            Self::RdbChannel => "rdb-channel",
            Self::DualChannel => "dual-channel",
        }
    }
}

/// A replication id: 40 hexadecimal digits, or what a peer sent in its place (`?`, nothing).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Replid {
    bytes: [u8; Self::LENGTH],
    length: u8,
}

impl Replid {
    /// The length of a real one.
    pub const LENGTH: usize = 40;

    /// Takes what stands on the wire: the first 40 bytes of it, anything but printable ASCII shown as `?`.
    #[must_use]
    pub fn from_wire(bytes: &[u8]) -> Self {
        let mut id = Self { bytes: [0; Self::LENGTH], length: 0 };
        for (place, &byte) in id.bytes.iter_mut().zip(bytes) {
            *place = if byte.is_ascii_graphic() { byte } else { b'?' };
            id.length += 1;
        }
        id
    }

    /// It as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// Whether both name the same history. Servers compare without regard to case (seen on 7.0.15, 8.2.3, Valkey 9.1.2).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl fmt::Display for Replid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Replid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a PSYNC asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The history that the replica knows, or `?`.
    pub replid: Replid,
    /// The number of the first byte that it wants; -1 with `?`; `None` where no number was sent.
    pub offset: Option<i64>,
}

/// How sure the stream's offsets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The master's answer told where the stream begins.
    Exact,
    /// The replica's ACKs told.
    Inferred,
    /// Nothing told.
    Unknown,
}

impl Certainty {
    /// `exact`, `inferred` or `unknown`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Inferred => "inferred",
            Self::Unknown => "unknown",
        }
    }
}

/// The kinds of events, with what belongs to each.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// A connection was recognised as a link.
    Connect {
        /// The replica's end.
        replica: Endpoint,
        /// The master's end.
        master: Endpoint,
        /// The connection's round trip, from the SYN to the ACK that ends TCP's handshake.
        rtt: Option<Span>,
        /// Whether the capture began later than the connection.
        midstream: bool,
    },
    /// The replica (or a client) sent a command that is to be answered.
    Command {
        /// The command.
        command: &'a Command<'a>,
        /// What it asked for, where it is a PSYNC.
        asked: Option<Asked>,
    },
    /// An answer.
    Reply {
        /// The name of the command that it answers, in upper case; `None` where the capture lacks it.
        to: Option<&'a str>,
        /// The answer.
        reply: Reply<'a>,
        /// The time since the command.
        latency: Option<Span>,
    },
    /// The master grants a full sync.
    FullResync {
        /// The master's history.
        replid: Replid,
        /// Its offset at the snapshot.
        offset: Offset,
        /// The time since PSYNC.
        latency: Option<Span>,
    },
    /// The master grants a partial sync.
    Continue {
        /// The master's history, where it was sent.
        replid: Option<Replid>,
        /// The offset continued from.
        offset: Option<Offset>,
        /// The time since PSYNC.
        latency: Option<Span>,
    },
    /// The sync uses two connections.
    TwoChannel {
        /// Whose dialect.
        transfer: Transfer,
        /// The id by which the master ties the two together.
        client_id: Option<u64>,
        /// The other connection, once known.
        pair: Option<LinkNumber>,
    },
    /// The RDB begins.
    RdbBegin {
        /// How it travels.
        transfer: Transfer,
        /// Its length, where announced.
        bytes: Option<u64>,
        /// The mark that ends it, where there is one.
        eof_mark: Option<&'a str>,
        /// The time since PSYNC or SYNC.
        waited: Option<Span>,
        /// Newlines that the master sent while it prepared.
        keepalives: u64,
    },
    /// The RDB ends, or the connection does in the midst of it.
    RdbEnd(RdbEnd<'a>),
    /// A command of the stream.
    Write {
        /// The offset after it, where known.
        offset: Option<Offset>,
        /// The database that it works on, where known.
        db: Option<u32>,
        /// The command.
        command: &'a Command<'a>,
    },
    /// A sign of life: the master's PING in the stream, or a newline of either end.
    Heartbeat {
        /// The offset after it; `None` for a newline from the replica.
        offset: Option<Offset>,
        /// Its length on the wire.
        bytes: u64,
    },
    /// The master asks for an ACK.
    GetAck {
        /// The offset after it.
        offset: Option<Offset>,
        /// Its length on the wire.
        bytes: u64,
    },
    /// The replica tells what it has applied.
    Ack {
        /// The offset that it has applied; -1 from a replica that does not know one (Valkey 9.1 after a plain SYNC).
        offset: i64,
        /// What it has on disk, where it tells.
        fack: Option<Offset>,
        /// Bytes that the capture has shown the master send and that this does not cover.
        lag: Option<u64>,
        /// The age of the oldest of those bytes.
        delay: Option<Span>,
        /// The time since the GETACK that it answers.
        rtt: Option<Span>,
    },
    /// The capture lacks bytes.
    Gap {
        /// How many.
        bytes: u64,
    },
    /// Bytes that make no sense where they stand.
    Malformed {
        /// What is wrong with them.
        reason: &'a str,
        /// How many.
        bytes: u64,
    },
    /// The offsets of a stream have become known, of which the capture lacks the beginning.
    Offsets {
        /// The number of the first stream byte that the capture shows.
        first: u64,
        /// Whence it is known.
        certainty: Certainty,
    },
    /// A diagnosis.
    Note {
        /// Which.
        note: Note,
        /// The cause and the evidence, in one sentence or two.
        text: &'a str,
    },
    /// The connection is over, or the capture.
    Close {
        /// Who ended it; `None` where the capture ended first.
        by: Option<Side>,
        /// How it was ended.
        how: Option<How>,
    },
}

/// The end of an RDB.
#[derive(Clone, Copy, Debug)]
pub struct RdbEnd<'a> {
    /// Bytes of the payload that travelled, those that the capture lacks included.
    pub bytes: u64,
    /// What the walk over it found, as far as it came.
    pub summary: &'a rdb::Summary,
    /// Whether all of it travelled and the capture has it.
    pub complete: bool,
    /// The time since its first byte's frame.
    pub duration: Option<Span>,
}
