//! One replication link as a passive observer sees it: both directions' bytes in, events out.
//!
//! ```text
//! replica -> master   commands: PING, AUTH, REPLCONF, PSYNC | SYNC ... then ACKs; newlines while it loads
//! master -> replica   Replies -> (answer to PSYNC) -> Replies until `$` -> Payload -> Stream
//!                              \-> +CONTINUE, +RDBCHANNELSYNC ---------------------> Stream
//! ```
//!
//! The observer accepts what real peers do wrong. Where the capture lacks bytes, or begins in the middle, the master's
//! direction goes to [`Down::Lost`] and looks for something it can know: a reply, a payload's header, the beginning of
//! a command. What was known before (the announced length of a payload, the position where the stream began) stays
//! known, since TCP's sequence numbers tell how much is missing.

mod explain;
mod master;
mod replica;
mod stream;

use std::collections::VecDeque;

use self::explain::truncation;
use super::classify::Opening;
use super::event::{Asked, Event, Kind, Phase, RdbEnd, Replid, Side, Sink, State};
use super::ledger::Ledger;
use super::notes::Note;
use super::payload::Payload;
use super::peers::{Channel, Outcome, Shared};
use crate::bounds::MAX_REPLY_KEPT;
use crate::packet::Endpoint;
use crate::resp::{CommandDecoder, ReplyDecoder};
use crate::tcp::{Connection, Direction, Ending, How};
use crate::units::{LinkNumber, Offset, Span, Stamp};

/// What every event of the link carries.
#[derive(Clone, Copy, Debug)]
struct Head {
    number: LinkNumber,
    opened: Stamp,
    phase: Phase,
    state: State,
}

impl Head {
    #[inline]
    fn event<'a>(&self, stamp: Stamp, from: Option<Side>, kind: Kind<'a>) -> Event<'a> {
        self.event_at(stamp, stamp.since(self.opened), from, kind)
    }

    /// The same where the time since the link's start is known already.
    #[inline]
    fn event_at<'a>(&self, stamp: Stamp, elapsed: Option<Span>, from: Option<Side>, kind: Kind<'a>) -> Event<'a> {
        Event { stamp, elapsed, link: Some(self.number), from, phase: self.phase, state: Some(self.state), kind }
    }
}

/// What a delivery comes with and goes to.
pub(super) struct Context<'a, S> {
    /// When it came.
    pub(super) stamp: Stamp,
    /// What links know of one another.
    pub(super) shared: &'a mut Shared,
    /// Where events go.
    pub(super) sink: &'a mut S,
}

/// A command that the master owes an answer to.
#[derive(Debug)]
struct Expected {
    name: String,
    stamp: Stamp,
    state: State,
}

/// What the master's direction stands in.
#[derive(Debug)]
enum Down {
    /// Replies to the handshake, the answer to PSYNC or SYNC, and what precedes the payload.
    Replies,
    /// The RDB.
    Payload(Payload),
    /// The replication stream.
    Stream,
    /// Unknown territory, after a gap or from the capture's beginning.
    Lost,
}

/// What the link's last PSYNC or SYNC has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    None,
    Full,
    Partial,
}

#[derive(Debug)]
pub(super) struct Link {
    head: Head,
    pub(super) replica: Direction,
    replica_end: Endpoint,
    master_end: Endpoint,
    up: CommandDecoder,
    up_lost: bool,
    down: Down,
    replies: ReplyDecoder,
    stream: CommandDecoder,
    /// A payload's header line that is not whole yet.
    header: Vec<u8>,
    expected: VecDeque<Expected>,
    /// +FULLRESYNC or `$ENDOFF:` has come, the payload has not.
    payload_due: bool,
    asked: Option<Asked>,
    asked_at: Option<Stamp>,
    /// What was asked where the answer was a two-channel sync, until the other channel tells what of.
    unexplained: Option<Asked>,
    keepalives: u64,
    sync: Sync,
    replid: Option<Replid>,
    /// What connects this link to the other one of a two-channel sync.
    pub(super) channel: Channel,
    pub(super) listening_port: Option<u16>,
    ledger: Ledger,
    /// The stream has begun: whatever comes or is missing from now on has offsets.
    stream_begun: bool,
    database: Option<u32>,
    in_transaction: bool,
    authenticating: bool,
    noted: Vec<Note>,
    acknowledged: bool,
    last_error: Option<String>,
    /// When the last bytes came.
    last: Stamp,
}

impl Link {
    pub(super) fn new<S: Sink>(
        connection: &Connection,
        replica: Direction,
        opening: Opening,
        keep: usize,
        cx: &mut Context<'_, S>,
    ) -> Self {
        let (replica_end, master_end) = match replica {
            Direction::FromInitiator => (connection.initiator, connection.responder),
            Direction::FromResponder => (connection.responder, connection.initiator),
        };
        let midstream = opening == Opening::Midstream;
        let phase = Phase::Connect;
        let state = State::Connecting;
        let head = Head { number: connection.number, opened: connection.opened, phase, state };
        let kind = Kind::Connect { replica: replica_end, master: master_end, rtt: connection.rtt, midstream };
        cx.sink.event(&head.event(connection.opened, None, kind));
        let mut link = Self {
            head,
            replica,
            replica_end,
            master_end,
            up: CommandDecoder::new(keep),
            up_lost: midstream,
            down: if midstream { Down::Lost } else { Down::Replies },
            replies: ReplyDecoder::new(MAX_REPLY_KEPT),
            stream: CommandDecoder::new(keep),
            header: Vec::new(),
            expected: VecDeque::new(),
            payload_due: false,
            asked: None,
            asked_at: None,
            unexplained: None,
            keepalives: 0,
            sync: Sync::None,
            replid: None,
            channel: Channel::default(),
            listening_port: None,
            ledger: Ledger::default(),
            stream_begun: false,
            database: None,
            in_transaction: false,
            authenticating: false,
            noted: Vec::new(),
            acknowledged: false,
            last_error: None,
            last: connection.opened,
        };
        if midstream {
            link.head.phase = Phase::Stream;
            link.head.state = State::Connected;
            link.ledger.begin_unknown(connection.opened);
            let text = "the capture begins in the middle of this link: no handshake, and offsets only once the replica's ACKs have told them";
            link.note(Note::Midstream, text, cx);
        }
        link
    }

    fn emit<S: Sink>(&self, from: Option<Side>, kind: Kind<'_>, cx: &mut Context<'_, S>) {
        cx.sink.event(&self.head.event(cx.stamp, from, kind));
    }

    /// Tells a diagnosis, once per link.
    fn note<S: Sink>(&mut self, note: Note, text: &str, cx: &mut Context<'_, S>) {
        if !self.noted.contains(&note) {
            self.noted.push(note);
            self.emit(None, Kind::Note { note, text }, cx);
        }
    }

    pub(super) fn number(&self) -> LinkNumber {
        self.head.number
    }

    pub(super) fn ends(&self) -> (Endpoint, Endpoint) {
        (self.replica_end, self.master_end)
    }

    /// Takes bytes of one direction.
    #[inline]
    pub(super) fn data<S: Sink>(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_, S>) {
        self.last = cx.stamp;
        if direction == self.replica {
            self.read_replica(bytes, cx);
        } else {
            self.read_master(bytes, cx);
        }
    }

    /// Bytes of one direction are missing.
    pub(super) fn gap<S: Sink>(&mut self, direction: Direction, bytes: u64, cx: &mut Context<'_, S>) {
        let from = if direction == self.replica { Side::Replica } else { Side::Master };
        self.emit(Some(from), Kind::Gap { bytes }, cx);
        // Only bytes of the stream have offsets.
        let offset = if from == Side::Master && self.stream_begun { self.ledger.offset() } else { None };
        match from {
            Side::Replica => {
                self.up.reset();
                self.up_lost = true;
                self.expected.clear();
            }
            Side::Master => self.lose(bytes, cx),
        }
        self.note_loss(from, bytes, offset, cx);
    }

    /// The other connection of a two-channel sync has told where this one's stream begins.
    pub(super) fn learn_base<S: Sink>(&mut self, replid: Replid, base: Offset, cx: &mut Context<'_, S>) {
        self.replid = Some(replid);
        let late = self.ledger.decoded() > 0;
        self.ledger.set_base(base);
        if late {
            self.tell_offsets(cx);
        }
        // Only now is it known from what history and offset the RDB is.
        let asked = self.unexplained.take();
        if !self.noted.contains(&Note::FullSyncFirst) {
            self.explain_full(asked, Some(replid), Some(base), cx);
        }
    }

    /// The connection is over, or the capture.
    pub(super) fn finish<S: Sink>(&mut self, connection: &Connection, ending: Option<Ending>, cx: &mut Context<'_, S>) {
        // What was on its way when the end was seen may have come later.
        let ended = ending.map_or(cx.stamp, |ending| ending.stamp);
        cx.stamp = if ended.frame < self.last.frame { self.last } else { ended };
        let by = ending.map(|ending| if ending.by == self.replica { Side::Replica } else { Side::Master });
        if let Down::Payload(payload) = &self.down {
            let text = truncation(payload, by);
            self.truncate(&text, cx);
        } else if self.payload_due && by.is_some() {
            let text = format!(
                "the {} closed the connection after the full sync was granted and before the RDB began: the save failed, a limit was hit, or the replica gave up",
                by.map_or("capture", Side::as_str)
            );
            self.note(Note::RdbAborted, &text, cx);
        }
        // Servers write an ACK at once: not even where the capture ends is there a half of one.
        if !self.up_lost && !self.up.is_at_start() && (self.head.phase == Phase::Stream || by == Some(Side::Replica)) {
            let kind = Kind::Malformed { reason: "the link ends within a command", bytes: self.up.taken() };
            self.emit(Some(Side::Replica), kind, cx);
        }
        if self.ledger.settle() {
            self.tell_offsets(cx);
        }
        self.note_one_direction(connection, cx);
        if let (Some(replid), Some(offset), Some(database)) = (self.replid, self.ledger.offset(), self.database)
            && !self.in_transaction
        {
            cx.shared.remember_database(replid, offset, database);
        }
        let how = ending.map(|ending| ending.how);
        let outcome = Outcome {
            ends: self.ends(),
            port: self.listening_port,
            number: self.number(),
            stamp: cx.stamp,
            synced: self.sync != Sync::None,
            connected: self.acknowledged,
            rdb_channel: matches!(self.channel, Channel::Rdb { .. }),
            closed: by.is_some(),
            reset: how == Some(How::Rst),
            error: self.last_error.take(),
        };
        if let Some(text) = cx.shared.ended(outcome) {
            self.note(Note::ReconnectStorm, &text, cx);
        }
        self.head.phase = Phase::Close;
        self.emit(by, Kind::Close { by, how }, cx);
    }

    fn truncate<S: Sink>(&mut self, text: &str, cx: &mut Context<'_, S>) {
        let Down::Payload(payload) = std::mem::replace(&mut self.down, Down::Lost) else { return };
        let end = RdbEnd {
            bytes: payload.bytes(),
            summary: payload.summary(),
            complete: false,
            duration: cx.stamp.since(payload.begun),
        };
        self.emit(Some(Side::Master), Kind::RdbEnd(end), cx);
        self.note(Note::RdbTruncated, text, cx);
    }
}
