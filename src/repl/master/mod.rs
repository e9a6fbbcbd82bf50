//! The master's end: all of a server's replicas, the stream that they follow, and the snapshots that they begin with.
//!
//! ```text
//!                          PSYNC id n, still held          +CONTINUE
//!  Handshake ────────────────────────────────────────────────────────────────────────────► Online
//!     │ PSYNC, SYNC: anything else                                                            ▲
//!     ├──► WaitBgsaveStart ──► WaitBgsaveEnd ──────────► SendBulk ────────────────────────────┤  $<length>
//!     │    (a snapshot is      (+FULLRESYNC; the   │     (the payload is on its way)          │
//!     │     to begin)           RDB is made)       └─────────────────── first ACK ────────────┤  $EOF:<mark>
//!     │                                            └──► RdbTransmitted ──► closed             │  rdb-only
//!     │ two channels, Redis: +RDBCHANNELSYNC                                                  │
//!     ├──► WaitRdbChannel ──► SendBulkAndStream ────────────────────────── first ACK ─────────┤
//!     │ two channels, Valkey: +DUALCHANNELSYNC, then set-rdb-client-id and PSYNC              │
//!     └──► Handshake ───────► BgRdbLoad ────────────────────────────────── first ACK ─────────┘
//! ```
//!
//! One machine has all connections, since what is decided about one depends on the others: a snapshot serves all that
//! wait for its kind; a change of history cuts them all; the backlog may not give up what the slowest still needs.
//!
//! No socket, clock or file here. Whoever drives it tells what happened and when, and then takes the [`Action`]s, *all
//! of them before anything else happens*: a snapshot is of the very moment at which it is asked for.
//!
//! # Driving it
//!
//! ```
//! use repltool::repl::compat::Compat;
//! use repltool::repl::master::{Action, ConnectionId, Master, Settings};
//! use repltool::units::Moment;
//!
//! let (replica, now) = (ConnectionId(7), Moment(0));
//! let mut master = Master::new(Settings::new(Compat::redis(7, 0)), 1);
//! master.command(replica, &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"], false, now);
//! master.command(replica, &[b"PSYNC", b"?", b"-1"], false, now);
//! let mut snapshot = None;
//! master.tick(Moment(5000));
//! while let Some(action) = master.poll() {
//!     match action {
//!         Action::Write { .. } => {}                          // write the bytes on that connection
//!         Action::BeginSnapshot(begin) => snapshot = Some(begin), // take it now
//!         Action::Close { .. } => {}                          // close it once what it was given is written
//!         _ => {}
//!     }
//! }
//! let snapshot = snapshot.expect("a full sync was asked for");
//! // ... write the RDB's bytes on each of `master.receivers(snapshot.id)` as they are made, and then:
//! master.snapshot_finished(snapshot.id, Moment(5001));
//! master.command(replica, &[b"REPLCONF", b"ACK", b"0"], false, Moment(5002));
//! master.append(Some(0), b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n", Moment(5003));
//! // When the socket takes bytes: write the slices of `stream`, and say how much went.
//! let length = master.stream(replica).map(<[u8]>::len).sum();
//! assert_eq!(length, b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".len() + b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n".len());
//! master.stream_written(replica, length);
//! ```
//!
//! Bytes of [`Action::Write`] go before bytes of [`Master::stream`] that were not written yet; the machine writes
//! nothing on a connection once its stream has begun.

mod failover;
mod replconf;
mod snapshot;
mod stream;
mod sync;
mod target;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use self::failover::Failover;
pub use self::failover::FailoverRequest;
use self::snapshot::Snapshot;
pub use self::snapshot::{BeginSnapshot, Filter, Form, SnapshotId};
pub use self::stream::ReplicaInfo;
pub use self::target::{DataNeeds, RdbTarget, Reader, rdb_target};
use super::backlog::Backlog;
use super::compat::{Compat, TwoChannel};
use super::event::Replid;
use super::history::{History, IdSource};
use crate::bounds::REFUSING_REPLICAS;
use crate::units::{Moment, Offset};

/// A client connection, by the id that the server gives it (CLIENT ID); Redis's replicas name it on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `client-output-buffer-limit replica`. 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes at which a replica is cut off.
    pub hard: u64,
    /// Bytes at which it is cut off after [`OutputLimit::soft_millis`].
    pub soft: u64,
    /// Milliseconds.
    pub soft_millis: u64,
}

/// What redis.conf says about it. Times are milliseconds, sizes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The server to be like.
    pub compat: Compat,
    /// `repl-backlog-size`
    pub backlog_size: u64,
    /// `repl-backlog-ttl`; 0 keeps it for ever.
    pub backlog_ttl: u64,
    /// `repl-diskless-sync`
    pub diskless: bool,
    /// `repl-diskless-sync-delay`
    pub diskless_delay: u64,
    /// `repl-diskless-sync-max-replicas`; 0 is no number.
    pub diskless_max_replicas: usize,
    /// `repl-ping-replica-period`
    pub ping_period: u64,
    /// `repl-timeout`
    pub timeout: u64,
    /// `client-output-buffer-limit replica`
    pub output_limit: OutputLimit,
    /// `repl-rdb-channel` of Redis, `dual-channel-replication-enabled` of Valkey.
    pub two_channel: bool,
    /// How long the stream is held for the main connection of a Valkey two-channel sync after the RDB has gone.
    pub dual_channel_grace: u64,
    /// `min-replicas-max-lag`
    pub min_replicas_max_lag: u64,
}

impl Settings {
    /// The servers' defaults.
    #[must_use]
    pub fn new(compat: Compat) -> Self {
        Self {
            compat,
            backlog_size: 1 << 20,
            backlog_ttl: 3_600_000,
            diskless: true,
            diskless_delay: 5000,
            diskless_max_replicas: 0,
            ping_period: 10_000,
            timeout: 60_000,
            output_limit: OutputLimit { hard: 256 << 20, soft: 64 << 20, soft_millis: 60_000 },
            two_channel: compat.two_channel == Some(TwoChannel::RdbChannel),
            dual_channel_grace: 60_000,
            min_replicas_max_lag: 10_000,
        }
    }
}

/// What whoever drives the machine has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write these bytes, behind all that was to be written on this connection before.
    Write {
        /// Where.
        connection: ConnectionId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Take a snapshot of the data as it is now, and serve it as the form says.
    BeginSnapshot(BeginSnapshot),
    /// Send the whole payload of this snapshot on this connection, and say so by [`Master::payload_written`].
    SendPayload {
        /// Where.
        connection: ConnectionId,
        /// What was told by [`Master::snapshot_ready`].
        snapshot: SnapshotId,
    },
    /// Nobody needs this snapshot any more: stop making it, or throw it away.
    DropSnapshot(SnapshotId),
    /// Close the connection, after what it was given to write. [`Master::closed`] need not be called for it, but may.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// This server has become a top-level master: let go of the master that it followed.
    Promoted,
    /// FAILOVER: take no writes from clients until [`Action::ResumeWrites`].
    PauseWrites,
    /// FAILOVER is over, one way or the other.
    ResumeWrites,
    /// FAILOVER: become this server's replica, asking by [`crate::repl::replica::Replica::follow`] with `failover` set.
    Follow {
        /// The replica's host as it announced it or connected from.
        host: String,
        /// The port that it listens on.
        port: u16,
    },
    /// Something for the log.
    Tell(Told),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// A full sync of our own, a promotion or another master's history: what the replica follows is no more.
    HistoryChanged,
    /// More waits to be sent than `client-output-buffer-limit` allows.
    OutputLimit,
    /// No ACK for `repl-timeout`, or the payload did not move for so long.
    Timeout,
    /// The snapshot failed.
    SnapshotFailed,
    /// All that the client wanted has been sent.
    RdbOnlyDone,
    /// The other connection of a two-channel sync was lost.
    OtherChannelLost,
    /// It sent a command that replicas don't send.
    NotAReplicasCommand,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HistoryChanged => "the history that the replica follows has changed",
            Self::OutputLimit => "the replica's output has reached client-output-buffer-limit",
            Self::Timeout => "the replica was silent for longer than repl-timeout",
            Self::SnapshotFailed => "the snapshot for the full sync failed",
            Self::RdbOnlyDone => "the RDB was all that the client asked for",
            Self::OtherChannelLost => "the other connection of the two-channel sync is lost",
            Self::NotAReplicasCommand => "the replica sent a command that is no replica's",
        })
    }
}

/// Facts for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A partial sync: so many bytes of the backlog go to the replica.
    Partial {
        /// Which.
        connection: ConnectionId,
        /// The first byte asked for.
        byte: u64,
        /// How many bytes it lacked.
        bytes: u64,
    },
    /// A partial sync was asked for and is not possible.
    NoPartial {
        /// Which.
        connection: ConnectionId,
        /// The id it knows.
        replid: Replid,
        /// The byte it wants.
        byte: i64,
        /// Why not.
        why: NoPartial,
    },
    /// A backlog was created, and with it a new history began.
    BacklogCreated {
        /// Its id.
        replid: Replid,
    },
    /// The backlog was given up, no replica having come for `repl-backlog-ttl`.
    BacklogFreed,
    /// A diskless payload has been sent to these replicas' connections, or a stored one to one of them.
    Online {
        /// Which.
        connection: ConnectionId,
    },
}

/// Why a partial sync is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPartial {
    /// It knows another history.
    History,
    /// It knows the old history beyond the point where ours left it.
    SecondOffset,
    /// There is no backlog.
    NoBacklog,
    /// The byte is not in the backlog, or not yet in the stream.
    Window,
}

/// Whether a command was this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Handled {
    /// It was, and its answer is among the actions if it has one.
    Yes,
    /// It was not: an ordinary client's, or PING and AUTH of a replica's handshake.
    No,
}

/// Whom this server follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Nobody.
    TopLevel,
    /// A master; `up` while the link to it is CONNECTED.
    Replica {
        /// `master_link_status`.
        up: bool,
    },
}

/// What was done so far, for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// `sync_full`
    pub full: u64,
    /// `sync_partial_ok`
    pub partial_ok: u64,
    /// `sync_partial_err`
    pub partial_err: u64,
}

/// What a connection waits for; see the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// PSYNC or SYNC.
    Handshake,
    /// A snapshot that it can have, since then.
    WaitBgsaveStart { since: Moment },
    /// The end of the snapshot; in the diskless form the payload goes at the same time.
    WaitBgsaveEnd { snapshot: SnapshotId },
    /// The end of the stored payload's transfer.
    SendBulk { snapshot: SnapshotId },
    /// Its other connection (Redis).
    WaitRdbChannel { since: Moment },
    /// The first ACK, the RDB going over the other connection (Redis).
    SendBulkAndStream,
    /// The first ACK, the RDB going over the other connection (Valkey).
    BgRdbLoad,
    /// ACKs. `await_ack`: the first one, before which no byte of the stream may go.
    Online { await_ack: bool },
    /// That the client closes it.
    RdbTransmitted,
}

impl State {
    fn is_replica(self) -> bool {
        self != Self::Handshake
    }

    fn streams(self) -> bool {
        matches!(self, Self::SendBulkAndStream | Self::BgRdbLoad | Self::Online { await_ack: false })
    }

    fn snapshot(self) -> Option<SnapshotId> {
        match self {
            Self::WaitBgsaveEnd { snapshot } | Self::SendBulk { snapshot } => Some(snapshot),
            _ => None,
        }
    }
}

/// What REPLCONF has told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    port: u16,
    ip: Option<String>,
    eof: bool,
    psync2: bool,
    rdb_channel_repl: bool,
    dual_channel: bool,
    version: Option<(u8, u8, u8)>,
    rdb_only: bool,
    filter: Option<Filter>,
    /// It is the RDB's connection of a two-channel sync.
    rdb_channel: bool,
    /// …whose main connection is this (Redis).
    main: Option<ConnectionId>,
    /// The RDB's connection of this main one (Valkey).
    rdb: Option<ConnectionId>,
}

#[derive(Debug)]
struct Connection {
    peer: String,
    facts: Facts,
    state: State,
    /// It asked by SYNC: it is told no offset, and owes no ACKs.
    pre_psync: bool,
    /// The next stream byte to send.
    next: u64,
    ack: Offset,
    fack: Option<Offset>,
    ack_time: Moment,
    /// The last time that the payload moved.
    progress: Moment,
    soft_since: Option<Moment>,
    /// An ACK has come since it asked for a sync.
    acked: bool,
    /// It was given an RDB, and no ACK has come since: whether it has loaded it is not known.
    loads: bool,
}

impl Connection {
    fn new(now: Moment) -> Self {
        Self {
            peer: String::new(),
            facts: Facts::default(),
            state: State::Handshake,
            pre_psync: false,
            next: 0,
            ack: Offset(0),
            fack: None,
            ack_time: now,
            progress: now,
            soft_since: None,
            acked: false,
            loads: false,
        }
    }

    fn reader(&self) -> Reader {
        let Facts { version, psync2, rdb_channel_repl, rdb_only, ref filter, rdb_channel, .. } = self.facts;
        let tool = (rdb_only && !rdb_channel) || filter.is_some();
        Reader { version, psync2, rdb_channel_repl, tool, likely: 0 }
    }

    /// Where it listens, as far as it is known: the same again when it comes again.
    fn place(&self) -> (String, u16) {
        (self.facts.ip.clone().unwrap_or_else(|| self.peer.clone()), self.facts.port)
    }
}

/// A Valkey replica has its RDB's connection, and its main one is still to come for the stream.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    rdb: ConnectionId,
    byte: u64,
    /// When to wait no longer; set once the RDB's connection is over.
    until: Option<Moment>,
}

/// See the module.
#[derive(Debug)]
pub struct Master {
    settings: Settings,
    ids: IdSource,
    history: History,
    /// The offset while there is no backlog.
    offset: Offset,
    backlog: Option<Backlog>,
    /// The database that the stream's reader works in; `None` makes the next write begin with SELECT.
    selected: Option<u32>,
    upstream: Upstream,
    connections: BTreeMap<ConnectionId, Connection>,
    /// One of them at most is not ready.
    snapshots: Vec<Snapshot>,
    snapshot_count: u64,
    waiting: Vec<Waiting>,
    /// Replicas that have let go of an RDB instead of loading it: host and port.
    refusing: BTreeSet<(String, u16)>,
    failover: Failover,
    /// Nobody is let go on from where it is.
    denies_partial: bool,
    stats: Stats,
    actions: VecDeque<Action>,
    next_cron: Moment,
    next_ping: Moment,
    /// Since when no replica is attached.
    alone_since: Moment,
}

/// How often servers look after their replicas (`replicationCron`).
const CRON_MILLIS: u64 = 1000;

impl Master {
    /// A server without replicas that has never written. `seed` is what its replids are drawn from; no two servers
    /// should have the same.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut ids = IdSource::new(seed);
        let history = History::new(ids.draw());
        Self {
            settings,
            ids,
            history,
            offset: Offset(0),
            backlog: None,
            selected: None,
            upstream: Upstream::TopLevel,
            connections: BTreeMap::new(),
            snapshots: Vec::new(),
            snapshot_count: 0,
            refusing: BTreeSet::new(),
            denies_partial: false,
            waiting: Vec::new(),
            failover: Failover::None,
            stats: Stats::default(),
            actions: VecDeque::new(),
            next_cron: Moment(0),
            next_ping: Moment(settings.ping_period),
            alone_since: Moment(0),
        }
    }

    /// Goes on where an RDB's aux fields (`repl-id`, `repl-offset`) or a capture say that the stream stood: with a
    /// backlog that is empty, so that whoever has all of it can continue.
    pub fn resume(&mut self, replid: Replid, offset: Offset) {
        self.history.adopt(replid);
        self.recreate_backlog(offset);
    }

    /// Goes on where an RDB's aux fields say that the stream stood, under an id of its own: whoever has all of the old
    /// history can continue. (Masters since 7.0 do so when they start.)
    pub fn resume_as_another(&mut self, replid: Replid, offset: Offset) {
        self.history.adopt(replid);
        let own = self.ids.draw();
        self.history.shift(own, offset);
        self.recreate_backlog(offset);
    }

    /// [`Master::resume`] with bytes of the stream before `offset` for the backlog.
    pub fn resume_with(&mut self, replid: Replid, offset: Offset, latest: &[u8]) {
        self.resume(replid, Offset(offset.0.saturating_sub(latest.len() as u64)));
        if let Some(backlog) = &mut self.backlog {
            backlog.append(latest);
        }
        self.trim();
    }

    /// What redis.conf says about it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// CONFIG SET.
    pub fn set_settings(&mut self, settings: Settings) {
        let needed = self.needed();
        if let Some(backlog) = &mut self.backlog
            && backlog.size() != settings.backlog_size
        {
            backlog.resize(settings.backlog_size, needed);
        }
        self.settings = settings;
    }

    /// `master_replid` and its companions.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// `master_repl_offset`.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.backlog.as_ref().map_or(self.offset, Backlog::offset)
    }

    /// The backlog; `None` for INFO's `repl_backlog_active:0`.
    #[must_use]
    pub fn backlog(&self) -> Option<&Backlog> {
        self.backlog.as_ref()
    }

    /// Whom this server follows.
    #[must_use]
    pub fn upstream(&self) -> Upstream {
        self.upstream
    }

    /// For INFO.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Master::tick`] wants to be called at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Moment {
        [self.next_snapshot_time(), self.failover.deadline()].into_iter().flatten().fold(self.next_cron, Moment::min)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        self.tick_failover(now);
        if now >= self.next_cron {
            self.next_cron = now.after(CRON_MILLIS);
            self.send_keepalives();
            self.drop_silent(now);
            self.check_limits(now);
            self.ping(now);
            self.end_waiting(now);
            self.free_backlog(now);
        }
        // Last, so that the stream is still where the snapshot is taken when the action is read.
        self.start_waiting(now);
    }

    /// A connection that may become a replica's, and the address that it comes from. Needs to be told only for INFO,
    /// ROLE and
    /// FAILOVER; before the first command.
    pub fn introduce(&mut self, connection: ConnectionId, address: &str, now: Moment) {
        self.connections.entry(connection).or_insert_with(|| Connection::new(now)).peer = address.to_owned();
    }

    /// A client's command: REPLCONF, PSYNC and SYNC are for this machine, and everything that a connection says once it
    /// is
    /// a replica's. `words` are the arguments, the name first. `pending_output` says whether replies to
    /// earlier commands of this connection are not written yet: PSYNC is refused then.
    pub fn command(&mut self, connection: ConnectionId, words: &[&[u8]], pending_output: bool, now: Moment) -> Handled {
        let Some(&name) = words.first() else { return Handled::No };
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let replica = self.connections.get(&connection).is_some_and(|connection| connection.state.is_replica());
        if is("REPLCONF") {
            self.replconf(connection, words, now);
        } else if is("PSYNC") || is("SYNC") {
            if !replica {
                self.sync(connection, words, pending_output, now);
            }
        } else if replica {
            self.close(connection, CloseReason::NotAReplicasCommand, now);
        } else {
            return Handled::No;
        }
        Handled::Yes
    }

    /// A newline on its own: the replica lives, and loads.
    pub fn newline(&mut self, connection: ConnectionId, now: Moment) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.ack_time = now;
        }
    }

    /// The connection is over, whoever closed it.
    pub fn closed(&mut self, connection: ConnectionId, now: Moment) {
        if let Some(gone) = self.connections.get(&connection).filter(|gone| gone.loads) {
            // Perhaps it could not read it: the next one will be older, and if that was not it, like this one again.
            let place = gone.place();
            if !self.refusing.remove(&place) && self.refusing.len() < REFUSING_REPLICAS {
                self.refusing.insert(place);
            }
        }
        self.forget(connection, now);
    }

    fn write(&mut self, connection: ConnectionId, bytes: impl Into<Vec<u8>>) {
        self.actions.push_back(Action::Write { connection, bytes: bytes.into() });
    }

    fn tell(&mut self, told: Told) {
        self.actions.push_back(Action::Tell(told));
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason, now: Moment) {
        self.actions.push_back(Action::Close { connection, reason });
        self.forget(connection, now);
    }

    /// Takes a connection off the books, and what depends on it.
    fn forget(&mut self, id: ConnectionId, now: Moment) {
        let Some(gone) = self.connections.remove(&id) else { return };
        if gone.state.is_replica() && !self.has_replicas() {
            self.alone_since = now;
        }
        if gone.facts.rdb_channel {
            self.rdb_channel_over(id, &gone, now);
        }
        self.drop_unneeded_snapshots();
        // The main connection that was still to come for the stream.
        if let Some(rdb) = gone.facts.rdb {
            self.waiting.retain(|waiting| waiting.rdb != rdb);
        }
        self.trim();
    }

    /// The RDB's connection of a two-channel sync is over: well, when its payload has gone; else the main one goes,
    /// too.
    fn rdb_channel_over(&mut self, id: ConnectionId, gone: &Connection, now: Moment) {
        let done = gone.state == State::RdbTransmitted;
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.rdb == id) {
            waiting.until.get_or_insert(now.after(if done { self.settings.dual_channel_grace } else { 0 }));
        }
        if done {
            return;
        }
        let main = gone.facts.main.or_else(|| {
            let mut joined = self.connections.iter().filter(|(_, other)| other.state == State::BgRdbLoad);
            joined.find(|(_, other)| other.facts.rdb == Some(id)).map(|(&main, _)| main)
        });
        if let Some(main) = main
            && self.connections.get(&main).is_some_and(|main| main.state.is_replica())
        {
            self.close(main, CloseReason::OtherChannelLost, now);
        }
    }

    fn has_replicas(&self) -> bool {
        self.connections.values().any(|connection| connection.state.is_replica())
    }

    /// Closes all replicas: what they follow is no more.
    fn cut_replicas(&mut self, now: Moment) {
        let replicas: Vec<_> =
            self.connections.iter().filter(|(_, c)| c.state.is_replica()).map(|(&id, _)| id).collect();
        for replica in replicas {
            // One may have gone along with another.
            if self.connections.contains_key(&replica) {
                self.close(replica, CloseReason::HistoryChanged, now);
            }
        }
        self.waiting.clear();
    }

    /// The lowest stream byte that somebody has still to get.
    fn needed(&self) -> Option<u64> {
        let replicas = self.connections.values().filter(|connection| connection.needs_stream());
        replicas.map(|connection| connection.next).chain(self.waiting.iter().map(|waiting| waiting.byte)).min()
    }

    fn trim(&mut self) {
        if self.backlog.as_ref().is_some_and(Backlog::is_overfull) {
            let needed = self.needed();
            if let Some(backlog) = &mut self.backlog {
                backlog.trim(needed);
            }
        }
    }

    fn recreate_backlog(&mut self, offset: Offset) {
        self.offset = offset;
        self.backlog = Some(Backlog::new(self.settings.backlog_size, offset, self.settings.compat.backlog_in_blocks));
    }
}
