//! The replica's end: the link to the one master that this server follows.
//!
//! ```text
//!  None ──follow──► Connect ──► Connecting ──► Handshake ──► ReceivePsyncReply ──+CONTINUE──────────► Connected
//!   ▲                 ▲ │ its time                (PING, AUTH,    │  │                                   ▲
//!   │                 │ └ has come                 REPLCONF …)    │  │ -ERR: SYNC on the same connection │
//!   │ unfollow        │                                           ▼  ▼                                   │
//!   │                 │                     +FULLRESYNC ────► Transfer ── the RDB is loaded ─────────────┘
//!   └─ from any       └─ whatever goes wrong, from any            the `$` line, the payload, the loading
//! ```
//!
//! With two channels `Transfer` has a second connection, which carries the RDB, while the stream is buffered from the
//! main one (`channels`):
//!
//! ```text
//!  Redis   main  +RDBCHANNELSYNC n ─► Accumulate ────────────────────────────────────────────┐
//!          rdb   Connecting ─► [Auth] ─► Replconf ─► Fullresync ─► payload ─► loaded ────────┴─► Connected
//!
//!  Valkey  main  +DUALCHANNELSYNC ─► Idle ─────────────► SetId ─► Psync ─► Accumulate ───────┐
//!          rdb   Connecting ─► [Auth] ─► Replconf ─► Endoff ─► payload ─► loaded ────────────┴─► Connected
//! ```
//!
//! No socket, clock or loader here. Bytes that came are handed to [`Replica::next`] until it wants no more of them;
//! what it
//! gives are slices of those bytes (or of what it had to keep), for the loader, for the sub-replicas, for the applier.
//!
//! # Driving it
//!
//! ```
//! use repltool::repl::compat::Compat;
//! use repltool::repl::replica::{Action, Channel, Loaded, Replica, Settings, Start, Step};
//! use repltool::units::Moment;
//!
//! let mut replica = Replica::new(Settings::new(Compat::redis(7, 0)));
//! replica.follow(Start::Nothing, Moment(0));
//! assert_eq!(replica.poll(), Some(Action::Connect(Channel::Main)));
//! replica.connected(Channel::Main, Moment(1));
//!
//! // Whenever bytes have come on a channel:
//! fn received(replica: &mut Replica, channel: Channel, mut bytes: &[u8], now: Moment) {
//!     loop {
//!         // First what is to be done, then on with the bytes.
//!         while let Some(action) = replica.poll() {
//!             match action {
//!                 Action::Transmit { .. } => {} // write the bytes on that channel
//!                 Action::EndLoad => {
//!                     // The loader has all of it; once it is done with it:
//!                     replica.loaded(Loaded::default(), now);
//!                 }
//!                 _ => {}
//!             }
//!         }
//!         match replica.next(channel, &mut bytes, now) {
//!             Step::Again => {}
//!             Step::NeedMore => break,      // read from the socket again
//!             Step::Full => break,          // keep `bytes`, and read no more until `Action::Resume`
//!             Step::Load(_rdb) => {}        // for the loader
//!             Step::Stream(_bytes) => {}    // for `Master::stage`
//!             Step::Command(_command) => {} // apply it, then `Master::commit(replica.applied(), replica.db(), now)`
//!         }
//!     }
//! }
//! received(&mut replica, Channel::Main, b"+PONG\r\n", Moment(2));
//! received(&mut replica, Channel::Main, b"+OK\r\n+OK\r\n", Moment(3));
//! let full = b"+FULLRESYNC 8ea2e4d2c4b0a1f9d1c0b7e6a5f4d3c2b1a09f8e 100\r\n$18\r\nREDIS0009\xff\0\0\0\0\0\0\0\0";
//! received(&mut replica, Channel::Main, full, Moment(4));
//! assert_eq!(replica.state_name(), "CONNECTED");
//! received(&mut replica, Channel::Main, b"*1\r\n$4\r\nping\r\n", Moment(5));
//! assert_eq!(replica.applied().0, 114);
//! ```
//!
//! Every [`Action::Tell`] is also to be given to the same server's [`Master::follow`](super::master::Master::follow),
//! in
//! order: that is how its own replicas learn of it.

mod channels;
mod handshake;
mod payload;
mod stream;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use self::channels::{Join, Rdb};
use self::handshake::Asking;
use self::payload::Payload;
pub use self::stream::StreamCommand;
use super::compat::{Compat, TwoChannel};
use super::event::{Replid, Transfer};
use crate::bounds::DUAL_CHANNEL_BUFFER;
use crate::resp::{CommandDecoder, encode};
use crate::units::{Moment, Offset};

/// One of the connections to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The one that there always is.
    Main,
    /// The one that carries the RDB of a two-channel sync.
    Rdb,
}

/// `masteruser` and `masterauth`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// An ACL user; the default one for `None`.
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What redis.conf says about it. Times are milliseconds, sizes bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The server to be like.
    pub compat: Compat,
    /// `replica-announce-port`, or the port that this server listens on.
    pub port: u16,
    /// `replica-announce-ip`
    pub announce_ip: Option<String>,
    /// `masteruser` and `masterauth`
    pub credentials: Option<Credentials>,
    /// `repl-timeout`
    pub timeout: u64,
    /// Whether the capability for a two-channel sync is sent.
    pub two_channel: bool,
    /// How much of the stream is held while the RDB comes over the other connection; beyond it nothing is read.
    pub main_buffer: usize,
    /// Whether the loader finds the RDB's own end and tells by [`Replica::loader_ended`]. Else a diskless payload has
    /// ended when the last 40 bytes that came are the mark, as real replicas have it that store the RDB first.
    pub loader_tells_end: bool,
}

impl Settings {
    /// The servers' defaults.
    #[must_use]
    pub fn new(compat: Compat) -> Self {
        Self {
            compat,
            port: 6379,
            announce_ip: None,
            credentials: None,
            timeout: 60_000,
            two_channel: compat.two_channel == Some(TwoChannel::RdbChannel),
            main_buffer: DUAL_CHANNEL_BUFFER,
            loader_tells_end: false,
        }
    }
}

/// A place in a master's stream: what PSYNC needs to ask for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedMaster {
    /// The history.
    pub replid: Replid,
    /// What has been applied of it.
    pub offset: Offset,
    /// The database that the stream is in: `+CONTINUE` does not begin with SELECT.
    pub db: u32,
}

/// What a replica has when it begins to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing: `PSYNC ? -1`.
    Nothing,
    /// A place in the stream: a server's own (`Master::as_cached`), or one from an RDB's aux fields.
    At(CachedMaster),
    /// Whatever is left of the master that was followed before.
    AsBefore,
}

/// What the loader found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The aux field `repl-stream-db`.
    pub stream_db: Option<u32>,
    /// The aux fields `repl-id` and `repl-offset`: used where the master told none, which is after SYNC.
    pub place: Option<(Replid, Offset)>,
}

/// What whoever drives the machine has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a connection to the master, and tell by [`Replica::connected`] or [`Replica::closed`].
    Connect(Channel),
    /// Close it (where it is not closed already), and forget what was read of it and not handed in.
    Disconnect(Channel),
    /// Write these bytes.
    Transmit {
        /// Where.
        channel: Channel,
        /// What.
        bytes: Vec<u8>,
    },
    /// An RDB comes: the old data goes. Its bytes are what [`Step::Load`] gives from now on.
    BeginLoad {
        /// How it travels.
        transfer: Transfer,
        /// Its length, where announced.
        length: Option<u64>,
    },
    /// All of the RDB has been given. Once it is loaded: [`Replica::loaded`] or [`Replica::load_failed`].
    EndLoad,
    /// The rest of the RDB will not come.
    AbortLoad,
    /// [`Replica::next`] has something to give for this channel, even if nothing has come: call it with what was kept
    /// of the input, then read on.
    Resume(Channel),
    /// Something for the log, and for this server's [`Master`](super::master::Master).
    Tell(Event),
}

/// What has happened to the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The master answered a REPLCONF with an error, which does not matter.
    Shrugged {
        /// The option.
        option: &'static str,
        /// The reply.
        reply: String,
    },
    /// A full sync: the data of before is no more.
    FullSync {
        /// The master's history; `None` after SYNC.
        replid: Option<Replid>,
        /// Its offset; `None` after SYNC.
        offset: Option<Offset>,
        /// How the RDB travels.
        transfer: Transfer,
    },
    /// The full sync is done: CONNECTED.
    Synced {
        /// The history; `None` where neither master nor RDB told.
        replid: Option<Replid>,
        /// The offset of the data; likewise.
        offset: Option<Offset>,
        /// The database that the stream is in.
        db: u32,
    },
    /// A partial sync was granted: CONNECTED.
    Continued {
        /// The history followed from now on; perhaps not the one that was asked for.
        replid: Replid,
        /// The offset after which the stream goes on.
        offset: Offset,
    },
    /// PSYNC was answered with an error.
    PsyncRefused {
        /// The reply.
        reply: String,
        /// Whether it will be asked again, and not SYNC instead.
        transient: bool,
    },
    /// The link is over; unless this server follows nobody now, it will be tried again.
    Lost(Lost),
}

/// Why a link is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The connection could not be made, or was closed or reset.
    #[error("the connection to the master is closed")]
    Closed,
    /// Nothing came for `repl-timeout`.
    #[error("nothing came from the master for longer than repl-timeout, in state {0}")]
    Timeout(&'static str),
    /// The master refuses.
    #[error("the master answers {to} with {reply}")]
    Refused {
        /// The command.
        to: &'static str,
        /// Its reply.
        reply: String,
    },
    /// The master said something that makes no sense here.
    #[error("the master breaks the protocol: {0}")]
    Protocol(String),
    /// The RDB could not be loaded.
    #[error("the RDB could not be loaded: {0}")]
    LoadFailed(String),
    /// This server does not follow that master any more.
    #[error("the master is no longer followed")]
    Unfollowed,
}

/// Who is to blame for the loss of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The network, or a peer that went away.
    Connection,
    /// The master is sound and does not want.
    MasterRefused,
    /// The master broke the protocol.
    MasterBroken,
    /// This server, or the data.
    Ourselves,
}

impl Lost {
    /// Who is to blame.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Closed | Self::Timeout(_) => Blame::Connection,
            Self::Refused { .. } => Blame::MasterRefused,
            Self::Protocol(_) => Blame::MasterBroken,
            Self::LoadFailed(_) | Self::Unfollowed => Blame::Ourselves,
        }
    }
}

/// What [`Replica::next`] gives.
#[derive(Debug)]
pub enum Step<'a> {
    /// Take the actions, then call again.
    Again,
    /// The input is used up.
    NeedMore,
    /// No more of this channel can be taken until [`Action::Resume`]: keep the rest of the input, and do not read on.
    Full,
    /// The next bytes of the RDB.
    Load(&'a [u8]),
    /// The next bytes of the stream, as they came, before they are decoded: for the server's own replicas, who get them
    /// once they are applied.
    Stream(&'a [u8]),
    /// A command of the stream, to be applied before `next` is called again.
    Command(StreamCommand<'a>),
}

/// What the link waits for; see the picture.
#[derive(Debug)]
enum State {
    /// A master to follow.
    None,
    /// The time to connect.
    Connect { at: Moment },
    /// The connection.
    Connecting,
    /// Replies to the handshake's commands.
    Handshake(Asking),
    /// The reply to PSYNC.
    ReceivePsyncReply,
    /// The RDB: its header, its bytes, its loading.
    Transfer(Box<Sync>),
    /// The stream.
    Connected,
}

/// A full sync under way.
#[derive(Debug)]
struct Sync {
    /// What FULLRESYNC or `$ENDOFF:` told; not after SYNC.
    place: Option<(Replid, Offset)>,
    /// `$ENDOFF:`'s database.
    db: Option<u32>,
    payload: Payload,
    /// The bytes that were held back and given last.
    last_given: Vec<u8>,
    /// The loader has been told to begin, and not that it is over.
    loading: bool,
    /// The other connection, where there are two.
    two: Option<(Rdb, Join)>,
    /// What the loader has found, where it was done before the main channel had joined.
    loaded: Option<Loaded>,
}

/// The stream's bytes that came before they could be applied.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    at: usize,
}

impl Buffer {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Replica {
    settings: Settings,
    state: State,
    cached: Option<CachedMaster>,
    /// The next PSYNC is to say FAILOVER.
    failover: bool,
    /// A reply's line that is not whole.
    line: Vec<u8>,
    decoder: CommandDecoder,
    buffer: Buffer,
    /// Bytes at the front of the input (or of the buffer) that have been given as [`Step::Stream`] and are not decoded.
    told: usize,
    /// The history followed; `None` after a SYNC that told none.
    replid: Option<Replid>,
    /// Bytes that came.
    read: Offset,
    /// Whole commands among them.
    decoded: Offset,
    /// Those outside an unfinished transaction. Invariant: applied <= decoded <= read.
    applied: Offset,
    in_transaction: bool,
    /// The database at `decoded`.
    decoded_db: u32,
    /// The database at `applied`.
    applied_db: u32,
    fsynced: Option<Offset>,
    /// What the master has done wrong in the stream; the link ends before the next step.
    fault: Option<String>,
    last_io: Moment,
    next_cron: Moment,
    actions: VecDeque<Action>,
    script: Option<Script>,
}

/// The ACKs that a replica sends where it is told which.
#[derive(Debug, Default)]
struct Script {
    due: VecDeque<Offset>,
    missed: Vec<Offset>,
}

/// How often servers look after the link to their master, and how long they wait before they try again.
const CRON_MILLIS: u64 = 1000;

impl Replica {
    /// An end that follows nobody.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::None,
            cached: None,
            failover: false,
            line: Vec::new(),
            decoder: CommandDecoder::new(usize::MAX),
            buffer: Buffer::default(),
            told: 0,
            replid: None,
            read: Offset(0),
            decoded: Offset(0),
            applied: Offset(0),
            in_transaction: false,
            decoded_db: 0,
            applied_db: 0,
            fsynced: None,
            fault: None,
            last_io: Moment(0),
            next_cron: Moment(0),
            actions: VecDeque::new(),
            script: None,
        }
    }

    /// What redis.conf says about it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// CONFIG SET. What is said in the handshake counts from the next one on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The state's name in the servers' source, less `REPL_STATE_`.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match &self.state {
            State::None => "NONE",
            State::Connect { .. } => "CONNECT",
            State::Connecting => "CONNECTING",
            State::Handshake(asking) => asking.state_name(),
            State::ReceivePsyncReply => "RECEIVE_PSYNC_REPLY",
            State::Transfer(_) => "TRANSFER",
            State::Connected => "CONNECTED",
        }
    }

    /// The state of the RDB's own connection, in the servers' names less their prefix; `NONE` where there is none.
    #[must_use]
    pub fn rdb_channel_state_name(&self) -> &'static str {
        match &self.state {
            State::Transfer(sync) => sync.two.as_ref().map_or("NONE", |(rdb, _)| rdb.state_name()),
            _ => "NONE",
        }
    }

    /// ROLE's word for the state.
    #[must_use]
    pub fn role_state(&self) -> &'static str {
        match self.state {
            State::None => "none",
            State::Connect { .. } => "connect",
            State::Connecting => "connecting",
            State::Handshake(_) | State::ReceivePsyncReply => "handshake",
            State::Transfer(_) => "sync",
            State::Connected => "connected",
        }
    }

    /// `master_link_status:up`
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// Whether a master is followed.
    #[must_use]
    pub fn is_following(&self) -> bool {
        !matches!(self.state, State::None)
    }

    /// `slave_repl_offset`: what has been applied.
    #[must_use]
    pub fn applied(&self) -> Offset {
        self.applied
    }

    /// `slave_read_repl_offset`: what has come.
    #[must_use]
    pub fn read(&self) -> Offset {
        self.read
    }

    /// What was taken of the stream: all that came but for what waits to be decoded.
    #[must_use]
    pub fn taken(&self) -> Offset {
        Offset(self.read.0.saturating_sub(self.told as u64))
    }

    /// The database that the stream is in at [`Replica::applied`].
    #[must_use]
    pub fn db(&self) -> u32 {
        self.applied_db
    }

    /// The history followed, while the link is up.
    #[must_use]
    pub fn replid(&self) -> Option<Replid> {
        self.replid
    }

    /// What the next PSYNC would ask with, had the link to be made again.
    #[must_use]
    pub fn cached(&self) -> Option<CachedMaster> {
        match (&self.state, self.replid) {
            (State::Connected, Some(replid)) => {
                Some(CachedMaster { replid, offset: self.applied, db: self.applied_db })
            }
            (State::Connected, None) => None,
            _ => self.cached,
        }
    }

    /// Seconds since anything came from the master, for INFO.
    #[must_use]
    pub fn last_io_seconds(&self, now: Moment) -> u64 {
        now.since(self.last_io) / 1000
    }

    /// What of the stream is on disk, for FACK; `None` without an AOF.
    pub fn set_fsynced(&mut self, offset: Option<Offset>) {
        self.fsynced = offset;
    }

    /// From here on it sends these ACKs, each as soon as it has applied so much, and no others; with `None` its own.
    pub fn script_acks(&mut self, offsets: Option<VecDeque<Offset>>) {
        self.script = offsets.map(|due| Script { due, missed: Vec::new() });
    }

    /// Those ACKs of the script that are behind and were never true: nothing ended at their offsets. At most
    /// [`MAX_MISSED_ACKS`](crate::bounds::MAX_MISSED_ACKS).
    #[must_use]
    pub fn missed_acks(&self) -> &[Offset] {
        self.script.as_ref().map_or(&[], |script| &script.missed)
    }

    /// How many ACKs of the script are still to come.
    #[must_use]
    pub fn due_acks(&self) -> usize {
        self.script.as_ref().map_or(0, |script| script.due.len())
    }

    /// Sends the ACKs of the script whose time has come.
    pub fn send_due_acks(&mut self) {
        if !matches!(self.state, State::Connected) {
            return;
        }
        while let Some(script) = &mut self.script
            && let Some(&due) = script.due.front()
            && due <= self.applied
        {
            script.due.pop_front();
            if due == self.applied {
                let fsynced = self.fsynced.filter(|_| self.settings.compat.fack);
                self.transmit(Channel::Main, stream::ack(due, fsynced));
            } else if script.missed.len() < crate::bounds::MAX_MISSED_ACKS {
                script.missed.push(due);
            }
        }
    }

    /// The offset at which the master has granted the sync that is under way, or that of the stream.
    #[must_use]
    pub fn granted(&self) -> Option<Offset> {
        match &self.state {
            State::Transfer(sync) => sync.place.map(|(_, offset)| offset),
            State::Connected => Some(self.applied),
            _ => None,
        }
    }

    /// Follows a stream that does not come over a connection of its own: its bytes are given to [`Replica::next`] for
    /// the main channel all the same.
    pub fn follow_unconnected(&mut self, place: CachedMaster, now: Moment) {
        self.unfollow(now);
        self.actions.clear();
        self.begin_stream(Some(place.replid), place.offset, place.db, now);
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Replica::tick`] wants to be called at the latest; `None` where nothing is to come.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        match self.state {
            State::None => None,
            State::Connect { at } => Some(at),
            _ => Some(self.next_cron),
        }
    }

    /// REPLICAOF: follows a master, which is where [`Action::Connect`] leads from now on. One that was followed before
    /// is let go.
    pub fn follow(&mut self, start: Start, now: Moment) {
        self.unfollow(now);
        match start {
            Start::Nothing => self.cached = None,
            Start::At(cached) => self.cached = Some(cached),
            Start::AsBefore => {}
        }
        self.failover = false;
        self.connect(now);
    }

    /// FAILOVER's last step: the same as [`Replica::follow`] of a replica that is to take over.
    pub fn follow_failover(&mut self, own: CachedMaster, now: Moment) {
        self.follow(Start::At(own), now);
        self.failover = true;
    }

    /// REPLICAOF NO ONE.
    pub fn unfollow(&mut self, now: Moment) {
        if self.is_following() {
            self.lose(Lost::Unfollowed, now);
            self.state = State::None;
        }
    }

    fn connect(&mut self, now: Moment) {
        self.state = State::Connecting;
        self.last_io = now;
        self.next_cron = now.after(CRON_MILLIS);
        self.actions.push_back(Action::Connect(Channel::Main));
    }

    /// A connection has been made.
    pub fn connected(&mut self, channel: Channel, now: Moment) {
        self.last_io = now;
        match (&mut self.state, channel) {
            (State::Connecting, Channel::Main) => self.begin_handshake(),
            (State::Transfer(_), Channel::Rdb) => self.begin_rdb_channel(),
            _ => {}
        }
    }

    /// A connection is over, or could not be made.
    pub fn closed(&mut self, channel: Channel, now: Moment) {
        match (&self.state, channel) {
            (State::None | State::Connect { .. }, _) => {}
            // The RDB has come whole: either end may close its connection.
            (State::Transfer(sync), Channel::Rdb) if sync.two.is_none() || sync.payload.is_over() => {}
            (State::Transfer(_), Channel::Rdb) | (_, Channel::Main) => self.lose(Lost::Closed, now),
            (_, Channel::Rdb) => {}
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        match &self.state {
            State::None => return,
            State::Connect { at } => {
                if now >= *at {
                    self.connect(now);
                }
                return;
            }
            _ => {}
        }
        if now < self.next_cron {
            return;
        }
        self.next_cron = now.after(CRON_MILLIS);
        let loading = matches!(&self.state, State::Transfer(sync) if sync.payload.is_over());
        if !loading && now.since(self.last_io) > self.settings.timeout {
            return self.lose(Lost::Timeout(self.state_name()), now);
        }
        match &self.state {
            State::Connected => self.send_ack(self.applied),
            // The master must not take a replica for dead that is busy loading.
            State::Transfer(sync) if sync.loading => self.transmit(Channel::Main, "\n"),
            _ => {}
        }
    }

    /// Takes what came on a channel, step by step: a slice of the socket's bytes, which may be cut anywhere. Call it
    /// again with the rest of the slice until it says [`Step::NeedMore`] or [`Step::Full`].
    pub fn next<'s, 'i: 's>(&'s mut self, channel: Channel, input: &mut &'i [u8], now: Moment) -> Step<'s> {
        if !input.is_empty() {
            self.last_io = now;
        }
        if let Some(fault) = self.fault.take() {
            // Nothing of what it said can be relied upon.
            self.lose(Lost::Protocol(fault), now);
            self.cached = None;
        }
        if !self.actions.is_empty() {
            return Step::Again;
        }
        match (&mut self.state, channel) {
            (State::Connected, Channel::Main) => self.next_of_stream(input),
            (State::Transfer(sync), channel) => match (&sync.two, channel) {
                (None, Channel::Main) | (Some(_), Channel::Rdb) => self.next_of_transfer(channel, input, now),
                (Some(_), Channel::Main) => self.next_of_main_channel(input, now),
                (None, Channel::Rdb) => drop_all(input),
            },
            (State::Handshake(_) | State::ReceivePsyncReply, Channel::Main) => match take_line(&mut self.line, input) {
                Line::More => Step::NeedMore,
                Line::Whole(line) => {
                    self.handshake_line(&line, now);
                    Step::Again
                }
                Line::TooLong => {
                    self.lose(Lost::Protocol("a reply without an end".to_owned()), now);
                    Step::Again
                }
            },
            // What is left of a connection that is over.
            _ => drop_all(input),
        }
    }

    fn transmit(&mut self, channel: Channel, bytes: impl Into<Vec<u8>>) {
        self.actions.push_back(Action::Transmit { channel, bytes: bytes.into() });
    }

    fn tell(&mut self, event: Event) {
        self.actions.push_back(Action::Tell(event));
    }

    /// The link is over: remembers the place in the stream, and when to try again.
    fn lose(&mut self, reason: Lost, now: Moment) {
        let was_connected = matches!(self.state, State::Connected);
        if was_connected {
            self.cached = self.cached();
        }
        if let State::Transfer(sync) = &self.state {
            let (loading, rdb) = (sync.loading, sync.two.is_some());
            if rdb {
                self.actions.push_back(Action::Disconnect(Channel::Rdb));
            }
            if loading {
                self.actions.push_back(Action::AbortLoad);
            }
        }
        self.actions.push_back(Action::Disconnect(Channel::Main));
        // Of what was not applied nothing is kept: it will be asked for again.
        self.line.clear();
        self.decoder.reset();
        self.buffer = Buffer::default();
        self.told = 0;
        self.read = self.applied;
        self.decoded = self.applied;
        self.in_transaction = false;
        self.decoded_db = self.applied_db;
        self.fault = None;
        let at_once = was_connected && self.settings.compat.reconnects_at_once;
        self.state = State::Connect { at: if at_once { now } else { now.after(CRON_MILLIS) } };
        self.tell(Event::Lost(reason));
    }
}

/// A line of replies.
enum Line {
    More,
    /// Without its line end.
    Whole(Vec<u8>),
    TooLong,
}

/// Takes a line off the front of `input`; `kept` holds its beginning where it came in pieces.
fn take_line(kept: &mut Vec<u8>, input: &mut &[u8]) -> Line {
    let end = memchr::memchr(b'\n', input);
    let (part, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
    *input = rest;
    if kept.len() + part.len() > crate::bounds::MAX_REPLY_LINE_HELD {
        kept.clear();
        return Line::TooLong;
    }
    kept.extend_from_slice(part);
    if end.is_none() {
        return Line::More;
    }
    let mut line = std::mem::take(kept);
    while matches!(line.last(), Some(b'\r' | b'\n')) {
        line.pop();
    }
    Line::Whole(line)
}

fn drop_all<'s>(input: &mut &[u8]) -> Step<'s> {
    *input = &[];
    Step::NeedMore
}

/// A reply for people and logs.
fn shown(reply: &[u8]) -> String {
    String::from_utf8_lossy(reply).into_owned()
}

/// A command in RESP.
fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, words.iter().map(|word| word.as_bytes()));
    bytes
}
