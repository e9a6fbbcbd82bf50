//! The stream that replicas follow: what goes in, who has got how much, who is too far behind.

use super::{CloseReason, Connection, ConnectionId, Master, OutputLimit, State, Upstream};
use crate::repl::compat::TwoChannel;
use crate::resp::encode;
use crate::units::{Moment, Offset};

/// One line of INFO's `slaveN` and of ROLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaInfo {
    /// Its connection.
    pub connection: ConnectionId,
    /// What it announced, else where it comes from.
    pub host: String,
    /// What it announced; 0 where it did not.
    pub port: u16,
    /// `wait_bgsave`, `send_bulk`, `online`, and what two-channel syncs have.
    pub state: &'static str,
    /// The last offset that it acknowledged.
    pub offset: Offset,
    /// Whether it has acknowledged anything since it asked for a sync.
    pub acked: bool,
    /// What it has on disk, where it told.
    pub fack: Option<Offset>,
    /// Seconds since its last ACK; 0 unless it is online.
    pub lag: u64,
    /// Valkey's `type`: `replica`, `main-channel`, `rdb-channel`.
    pub kind: &'static str,
    /// Bytes of the stream that it has still to be sent.
    pub pending: u64,
}

const GETACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

impl Connection {
    /// Whether stream bytes from its `next` on are for it, or will be.
    pub(super) fn needs_stream(&self) -> bool {
        let snapshot = self.state.snapshot().is_some() && !self.facts.rdb_only;
        snapshot || self.state.streams() || matches!(self.state, State::Online { .. })
    }
}

impl Master {
    /// A write of this server, in its final form, for the stream: `db` is the database that it works on, `None` for
    /// what
    /// works on none. SELECT goes in front of it where the stream is in another one. Without a backlog (no replica has
    /// come yet) nothing is
    /// kept or counted; a server that follows another one adds nothing of its own.
    ///
    /// To have SELECT inside a transaction, as servers do, give MULTI with `None`.
    pub fn append(&mut self, db: Option<u32>, bytes: &[u8], now: Moment) {
        if self.upstream != Upstream::TopLevel {
            return;
        }
        let Some(backlog) = &mut self.backlog else { return };
        let mut grown = false;
        if let Some(db) = db
            && self.selected != Some(db)
        {
            let mut select = Vec::new();
            encode(&mut select, [&b"SELECT"[..], itoa::Buffer::new().format(db).as_bytes()].into_iter());
            grown |= backlog.append(&select);
            self.selected = Some(db);
        }
        grown |= backlog.append(bytes);
        if grown {
            self.check_limits(now);
        }
        self.trim();
    }

    /// Asks all replicas for an ACK, for WAIT and WAITAOF. Once per turn of the event loop is enough.
    pub fn request_acks(&mut self, now: Moment) {
        if self.has_replicas() {
            self.append(None, GETACK, now);
        }
    }

    /// The heartbeat. Only a top-level master makes one: what a chained replica sends is its master's stream. None
    /// while
    /// FAILOVER waits for a replica to have everything.
    pub(super) fn ping(&mut self, now: Moment) {
        let alone = !self.has_replicas();
        if now < self.next_ping && !alone {
            return;
        }
        self.next_ping = now.after(self.settings.ping_period);
        if !alone && !self.failover.in_progress() {
            self.append(None, self.settings.compat.ping(), now);
        }
    }

    /// The bytes that can be written on this connection now, as slices for a vectored write. Nothing before its stream
    /// has begun.
    pub fn stream(&self, connection: ConnectionId) -> impl Iterator<Item = &[u8]> {
        let streaming = self.connections.get(&connection).filter(|connection| connection.state.streams());
        streaming.zip(self.backlog.as_ref()).into_iter().flat_map(|(connection, backlog)| backlog.read(connection.next))
    }

    /// The number of the first of those bytes.
    #[must_use]
    pub fn next_byte(&self, connection: ConnectionId) -> Option<u64> {
        self.connections.get(&connection).map(|connection| connection.next)
    }

    /// So many of those bytes were written.
    pub fn stream_written(&mut self, connection: ConnectionId, bytes: usize) {
        let end = self.offset().next_byte();
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.next = connection.next.saturating_add(bytes as u64).min(end);
        }
        self.trim();
    }

    /// The connections on which bytes of the stream can be written now.
    pub fn writable(&self) -> impl Iterator<Item = ConnectionId> {
        let end = self.offset().next_byte();
        self.connections
            .iter()
            .filter(move |(_, connection)| connection.state.streams() && connection.next < end)
            .map(|(&id, _)| id)
    }

    /// Cuts off those for whom more waits than the limit allows.
    pub(super) fn check_limits(&mut self, now: Moment) {
        let end = self.offset().next_byte();
        let OutputLimit { mut hard, soft, soft_millis } = self.settings.output_limit;
        if hard > 0 && self.settings.compat.limit_spares_backlog {
            hard = hard.max(self.settings.backlog_size);
        }
        let mut over = Vec::new();
        for (&id, connection) in self.connections.iter_mut().filter(|(_, connection)| connection.needs_stream()) {
            let pending = end.saturating_sub(connection.next);
            let since = if soft > 0 && pending >= soft { Some(connection.soft_since.unwrap_or(now)) } else { None };
            connection.soft_since = since;
            if (hard > 0 && pending >= hard) || since.is_some_and(|since| now.since(since) > soft_millis) {
                over.push(id);
            }
        }
        for id in over {
            self.close(id, CloseReason::OutputLimit, now);
        }
    }

    /// The replicas, in the order in which their connections came.
    pub fn replicas(&self, now: Moment) -> impl Iterator<Item = ReplicaInfo> {
        let end = self.offset().next_byte();
        let replicas = self.connections.iter().filter(|(_, connection)| connection.state.is_replica());
        replicas.map(move |(&id, connection)| {
            let online = matches!(connection.state, State::Online { .. });
            let kind = match self.settings.compat.two_channel {
                _ if connection.facts.rdb_channel => "rdb-channel",
                Some(TwoChannel::DualChannel) if connection.state == State::BgRdbLoad => "main-channel",
                _ => "replica",
            };
            ReplicaInfo {
                connection: id,
                host: connection.facts.ip.clone().unwrap_or_else(|| connection.peer.clone()),
                port: connection.facts.port,
                state: name(connection.state),
                offset: connection.ack,
                acked: connection.acked,
                fack: connection.fack,
                lag: if online { now.since(connection.ack_time) / 1000 } else { 0 },
                kind,
                pending: if connection.needs_stream() { end.saturating_sub(connection.next) } else { 0 },
            }
        })
    }

    /// How many replicas count for `min-replicas-to-write`: online, their last ACK at most `min-replicas-max-lag` old.
    #[must_use]
    pub fn good_replicas(&self, now: Moment) -> usize {
        let good = |connection: &Connection| {
            matches!(connection.state, State::Online { .. })
                && now.since(connection.ack_time) / 1000 <= self.settings.min_replicas_max_lag / 1000
        };
        self.connections.values().filter(|connection| good(connection)).count()
    }

    /// How many replicas have acknowledged `offset`, for WAIT.
    #[must_use]
    pub fn acknowledged(&self, offset: Offset) -> usize {
        let online = |connection: &&Connection| matches!(connection.state, State::Online { .. });
        self.connections.values().filter(online).filter(|connection| connection.ack >= offset).count()
    }

    /// How many replicas have it on disk, for WAITAOF.
    #[must_use]
    pub fn fsynced(&self, offset: Offset) -> usize {
        let online = |connection: &&Connection| matches!(connection.state, State::Online { .. });
        self.connections.values().filter(online).filter(|connection| connection.fack >= Some(offset)).count()
    }
}

/// INFO's word for a state.
fn name(state: State) -> &'static str {
    match state {
        State::Handshake => "handshake",
        State::WaitBgsaveStart { .. } | State::WaitBgsaveEnd { .. } | State::WaitRdbChannel { .. } => "wait_bgsave",
        State::SendBulk { .. } => "send_bulk",
        State::SendBulkAndStream => "send_bulk_and_stream",
        State::BgRdbLoad => "bg_transfer",
        State::Online { .. } => "online",
        State::RdbTransmitted => "rdb_transmitted",
    }
}
