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

use std::collections::VecDeque;

use super::classify::Opening;
use super::event::{Asked, Certainty, Event, Kind, Phase, RdbEnd, Replid, Side, Sink, State, Transfer};
use super::ledger::{Ledger, Standing};
use super::notes::{self, Note};
use super::payload::{Payload, Progress};
use super::peers::{Channel, Outcome, Shared};
use super::words::{self, Answer, PayloadHeader};
use crate::bounds::{MAX_EXPECTED, MAX_PAYLOAD_HEADER, MAX_REPLY_KEPT};
use crate::packet::Endpoint;
use crate::rdb;
use crate::resp::{Command, CommandDecoder, Reply, ReplyDecoder, ReplyStep, Scan, Step, scan};
use crate::tcp::{Connection, Direction, Ending, How};
use crate::units::{LinkNumber, Offset, Position, Span, Stamp};

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
    keepalives: u64,
    sync: Sync,
    replid: Option<Replid>,
    /// What connects this link to the other one of a two-channel sync.
    pub(super) channel: Channel,
    pub(super) listening_port: Option<u16>,
    ledger: Ledger,
    /// Where the stream began, once known; positions tell offsets after a gap.
    stream_begun: Option<Position>,
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
            keepalives: 0,
            sync: Sync::None,
            replid: None,
            channel: Channel::default(),
            listening_port: None,
            ledger: Ledger::default(),
            stream_begun: None,
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
    pub(super) fn data<S: Sink>(
        &mut self,
        direction: Direction,
        position: Position,
        bytes: &[u8],
        cx: &mut Context<'_, S>,
    ) {
        self.last = cx.stamp;
        if direction == self.replica {
            self.read_replica(bytes, cx);
        } else {
            self.read_master(position, bytes, cx);
        }
    }

    /// Bytes of one direction are missing.
    pub(super) fn gap<S: Sink>(&mut self, direction: Direction, bytes: u64, cx: &mut Context<'_, S>) {
        let from = if direction == self.replica { Side::Replica } else { Side::Master };
        self.emit(Some(from), Kind::Gap { bytes }, cx);
        // Only bytes of the stream have offsets.
        let offset = if from == Side::Master && self.stream_begun.is_some() { self.ledger.offset() } else { None };
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

    fn note_loss<S: Sink>(&mut self, from: Side, bytes: u64, offset: Option<Offset>, cx: &mut Context<'_, S>) {
        let text = match offset {
            Some(offset) => format!(
                "the capture lacks {bytes} bytes that the {} sent: somewhere in or around offsets {} to {}; a larger ring (-B) or snaplen (-s) keeps them",
                from.as_str(),
                offset.next_byte(),
                offset.advanced_by(bytes)
            ),
            None => format!(
                "the capture lacks {bytes} bytes that the {} sent; a larger ring (-B) or snaplen (-s) keeps them",
                from.as_str()
            ),
        };
        self.note(Note::CaptureLoss, &text, cx);
    }

    // The replica's direction.

    fn read_replica<S: Sink>(&mut self, bytes: &[u8], cx: &mut Context<'_, S>) {
        let mut input = bytes;
        if self.up_lost {
            match find_command(input) {
                Some(at) => input = &input[at..],
                None => return,
            }
            self.up_lost = false;
        }
        let mut decoder = std::mem::replace(&mut self.up, CommandDecoder::new(0));
        loop {
            match decoder.next(&mut input) {
                Step::NeedMore => break,
                Step::Newline => {
                    let kind = Kind::Heartbeat { offset: None, bytes: 1 };
                    self.emit(Some(Side::Replica), kind, cx);
                }
                Step::Command(command) => self.command(&command, cx),
                Step::Malformed { reason, bytes } => {
                    let reason = reason.to_string();
                    self.emit(Some(Side::Replica), Kind::Malformed { reason: &reason, bytes }, cx);
                    match find_command(input) {
                        Some(at) => input = &input[at..],
                        None => {
                            self.up_lost = true;
                            break;
                        }
                    }
                }
            }
        }
        self.up = decoder;
    }

    fn command<S: Sink>(&mut self, command: &Command<'_>, cx: &mut Context<'_, S>) {
        let name = String::from_utf8_lossy(command.name()).to_ascii_uppercase();
        let mut state = None;
        match name.as_str() {
            "REPLCONF" => {
                if command.argument(1).is_some_and(|option| option.eq_ignore_ascii_case(b"ACK")) {
                    return self.ack(command, cx);
                }
                self.set_phase(Phase::Handshake);
                state = self.replconf(command, cx);
            }
            "PING" => {
                self.set_phase(Phase::Handshake);
                state = Some(State::ReceivePingReply);
            }
            "AUTH" => {
                self.set_phase(Phase::Handshake);
                self.authenticating = true;
                state = Some(State::ReceiveAuthReply);
            }
            "PSYNC" | "SYNC" => {
                self.set_phase(Phase::Sync);
                self.asked = words::asked(command);
                self.asked_at = Some(cx.stamp);
                self.keepalives = 0;
                state = Some(State::ReceivePsyncReply);
            }
            _ => {}
        }
        if !matches!(self.down, Down::Stream) && self.expected.len() < MAX_EXPECTED {
            let state = state.unwrap_or(self.head.state);
            self.expected.push_back(Expected { name, stamp: cx.stamp, state });
        }
        self.update_state();
        let asked = words::asked(command);
        self.emit(Some(Side::Replica), Kind::Command { command, asked }, cx);
    }

    /// Phases only go forward, except that a handshake may be tried again.
    fn set_phase(&mut self, phase: Phase) {
        if matches!(self.head.phase, Phase::Connect | Phase::Handshake | Phase::Sync) {
            self.head.phase = phase;
        }
    }

    /// The replica waits for the first of the answers that it is owed.
    fn update_state(&mut self) {
        if let Some(expected) = self.expected.front()
            && !matches!(self.head.state, State::Transfer | State::Connected)
        {
            self.head.state = expected.state;
        }
    }

    fn replconf<S: Sink>(&mut self, command: &Command<'_>, cx: &mut Context<'_, S>) -> Option<State> {
        let mut state = None;
        let mut rdb_channel = false;
        let mut client_id = None;
        let mut arguments = command.arguments().skip(1);
        while let (Some(option), Some(value)) = (arguments.next(), arguments.next()) {
            let next = match option.head.to_ascii_lowercase().as_slice() {
                b"listening-port" => {
                    self.listening_port = words::count(value.head).and_then(|port| u16::try_from(port).ok());
                    State::ReceivePortReply
                }
                b"ip-address" => State::ReceiveIpReply,
                b"version" => State::ReceiveVersionReply,
                b"rdb-channel" => {
                    rdb_channel = value.head == b"1";
                    State::ReceiveCapaReply
                }
                b"main-ch-client-id" => {
                    client_id = words::count(value.head);
                    State::ReceiveCapaReply
                }
                _ => State::ReceiveCapaReply,
            };
            state = state.or(Some(next));
        }
        if rdb_channel {
            let transfer = if client_id.is_some() { Transfer::RdbChannel } else { Transfer::DualChannel };
            let pair = cx.shared.join(self.ends(), self.listening_port, self.number(), transfer, client_id);
            self.channel = Channel::Rdb { transfer, main: pair };
            self.emit(Some(Side::Replica), Kind::TwoChannel { transfer, client_id, pair }, cx);
        }
        state
    }

    fn ack<S: Sink>(&mut self, command: &Command<'_>, cx: &mut Context<'_, S>) {
        let Some(offset) = command.argument(2).and_then(words::decimal) else {
            let reason = "an ACK without an offset";
            let kind = Kind::Malformed { reason, bytes: command.bytes() };
            return self.emit(Some(Side::Replica), kind, cx);
        };
        let has_fack = command.argument(3).is_some_and(|word| word.eq_ignore_ascii_case(b"FACK"));
        let fack = if has_fack { command.argument(4).and_then(words::count).map(Offset) } else { None };
        if let Down::Payload(payload) = &mut self.down
            && payload.acknowledged()
        {
            self.end_payload(cx);
            self.begin_stream(None, cx.stamp);
            self.down = Down::Lost;
        }
        if !matches!(self.down, Down::Replies | Down::Payload(_)) {
            self.head.phase = Phase::Stream;
            self.head.state = State::Connected;
            if matches!(self.channel, Channel::Main { .. }) || self.sync != Sync::None {
                self.acknowledged = true;
            }
        }
        let standing = match u64::try_from(offset) {
            Ok(offset) => self.ledger.acknowledge(Offset(offset), cx.stamp),
            Err(_) => Standing::default(),
        };
        if standing.learned {
            self.tell_offsets(cx);
        }
        let kind = Kind::Ack { offset, fack, lag: standing.lag, delay: standing.delay, rtt: standing.rtt };
        self.emit(Some(Side::Replica), kind, cx);
    }

    fn tell_offsets<S: Sink>(&self, cx: &mut Context<'_, S>) {
        if let Some(first) = self.ledger.first_byte() {
            let kind = Kind::Offsets { first, certainty: self.ledger.certainty() };
            self.emit(None, kind, cx);
        }
    }

    /// The other connection of a two-channel sync has told where this one's stream begins.
    pub(super) fn learn_base<S: Sink>(&mut self, replid: Replid, base: Offset, cx: &mut Context<'_, S>) {
        self.replid = Some(replid);
        let late = self.ledger.decoded() > 0;
        self.ledger.set_base(base);
        if late {
            self.tell_offsets(cx);
        }
    }

    // The master's direction.

    #[inline]
    fn read_master<S: Sink>(&mut self, position: Position, bytes: &[u8], cx: &mut Context<'_, S>) {
        let mut input = bytes;
        while !input.is_empty() {
            let at = Position(position.0 + (bytes.len() - input.len()) as u64);
            match self.down {
                Down::Stream => self.read_stream(&mut input, at, cx),
                Down::Payload(_) => self.read_payload(&mut input, cx),
                Down::Replies => self.read_replies(&mut input, cx),
                Down::Lost => self.find_footing(&mut input, at, cx),
            }
        }
    }

    fn expects_payload(&self) -> bool {
        match self.expected.front() {
            _ if self.payload_due => true,
            Some(expected) => matches!(expected.name.as_str(), "PSYNC" | "SYNC"),
            // The replica's side is not in the capture.
            None => true,
        }
    }

    fn read_replies<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
        if self.replies.is_at_start() {
            match input.first() {
                Some(b'\n') if self.header.is_empty() => {
                    self.keepalives += 1;
                    *input = &input[1..];
                    return;
                }
                Some(b'$') if self.header.is_empty() && self.expects_payload() => {
                    return self.read_header(input, cx);
                }
                _ if !self.header.is_empty() => return self.read_header(input, cx),
                _ => {}
            }
        }
        let mut decoder = std::mem::replace(&mut self.replies, ReplyDecoder::new(0));
        match decoder.next(input) {
            ReplyStep::NeedMore => {}
            ReplyStep::Reply(reply) => self.reply(reply, cx),
            ReplyStep::Malformed { reason, bytes } => {
                let reason = reason.to_string();
                self.emit(Some(Side::Master), Kind::Malformed { reason: &reason, bytes }, cx);
                self.down = Down::Lost;
            }
        }
        self.replies = decoder;
    }

    /// Collects the `$…` line in front of a payload.
    fn read_header<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
        let end = memchr::memchr(b'\n', input);
        let (part, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
        *input = rest;
        self.header.extend_from_slice(&part[..part.len().min(MAX_PAYLOAD_HEADER)]);
        if end.is_none() && self.header.len() <= MAX_PAYLOAD_HEADER {
            return;
        }
        let line = std::mem::take(&mut self.header);
        let Some(header) = words::payload_header(line.trim_ascii_end()) else {
            let reason = "a line that announces no payload";
            let kind = Kind::Malformed { reason, bytes: line.len() as u64 };
            self.emit(Some(Side::Master), kind, cx);
            self.down = Down::Lost;
            return;
        };
        let transfer = match (self.channel, header) {
            (Channel::Rdb { transfer, .. }, _) => transfer,
            (_, PayloadHeader::Length(_)) => Transfer::Disk,
            _ => Transfer::Diskless,
        };
        match header {
            PayloadHeader::Length(length) => {
                self.begin_payload(Payload::of_length(transfer, length, cx.stamp), Some(length), None, cx);
                if length == 0 {
                    self.payload_over(cx);
                }
            }
            PayloadHeader::EofMark(mark) => {
                let text = String::from_utf8_lossy(&mark).into_owned();
                self.begin_payload(Payload::until_mark(transfer, mark, cx.stamp), None, Some(&text), cx);
            }
            PayloadHeader::EndOffset { offset, replid, db, .. } => {
                self.head.state = State::Transfer;
                self.database = db;
                self.grant_full(replid, offset, cx);
                cx.shared.announce(self.number(), replid, offset, db);
            }
        }
    }

    fn begin_payload<S: Sink>(
        &mut self,
        payload: Payload,
        bytes: Option<u64>,
        eof_mark: Option<&str>,
        cx: &mut Context<'_, S>,
    ) {
        self.head.phase = Phase::Rdb;
        self.head.state = State::Transfer;
        self.expected.clear();
        self.payload_due = false;
        let transfer = payload.transfer;
        self.down = Down::Payload(payload);
        let waited = self.asked_at.and_then(|asked| cx.stamp.since(asked));
        let keepalives = self.keepalives;
        let kind = Kind::RdbBegin { transfer, bytes, eof_mark, waited, keepalives };
        self.emit(Some(Side::Master), kind, cx);
        if self.sync == Sync::None {
            self.sync = Sync::Full;
            let text = "the replica used SYNC, the old command, which has no partial form";
            self.note(Note::FullSyncForced, text, cx);
        }
    }

    fn read_payload<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
        let Down::Payload(payload) = &mut self.down else { return };
        let progress = payload.push(input);
        if let Some(reason) = payload.take_fault() {
            self.emit(Some(Side::Master), Kind::Malformed { reason: &reason, bytes: 0 }, cx);
        }
        if progress == Progress::Ended {
            self.payload_over(cx);
        }
    }

    fn payload_over<S: Sink>(&mut self, cx: &mut Context<'_, S>) {
        self.end_payload(cx);
        self.begin_stream(None, cx.stamp);
    }

    /// The payload has ended, well or not: tells so, and takes from it what the stream needs to know.
    fn end_payload<S: Sink>(&mut self, cx: &mut Context<'_, S>) {
        let Down::Payload(payload) = std::mem::replace(&mut self.down, Down::Stream) else { return };
        let summary = payload.summary();
        let complete = payload.complete();
        let end = RdbEnd { bytes: payload.bytes(), summary, complete, duration: cx.stamp.since(payload.begun) };
        self.emit(Some(Side::Master), Kind::RdbEnd(end), cx);
        let aux = |key: &str| {
            summary.aux.iter().find(|(name, _)| name == key.as_bytes()).and_then(|(_, value)| words::decimal(value))
        };
        if let Some(database) = aux("repl-stream-db") {
            self.database = u32::try_from(database).ok();
        }
        // SYNC is answered without a line that tells the offset; the RDB tells it.
        if self.replid.is_none()
            && let Some(offset) = aux("repl-offset").and_then(|offset| u64::try_from(offset).ok())
        {
            self.ledger.set_base(Offset(offset));
        }
        if let Some(rdb::Checksum::Bad { stored, computed }) = summary.checksum {
            let text = format!(
                "the RDB's checksum is {stored:016x}, its bytes give {computed:016x}: it was damaged before it was sent, on the way, or in the capture"
            );
            self.note(Note::RdbChecksumBad, &text, cx);
        }
    }

    /// The stream begins with the next byte, or began at `begun`.
    fn begin_stream(&mut self, begun: Option<Position>, now: Stamp) {
        self.down = Down::Stream;
        self.stream_begun = begun;
        self.expected.clear();
        self.head.phase = Phase::Stream;
        self.ledger.begin_unknown(now);
    }

    fn reply<S: Sink>(&mut self, reply: Reply<'_>, cx: &mut Context<'_, S>) {
        let answer = words::answer(reply.head);
        let expected = self.expected.pop_front();
        let latency = expected.as_ref().and_then(|expected| cx.stamp.since(expected.stamp));
        let to = expected.as_ref().map(|expected| expected.name.as_str());
        match answer {
            Some(Answer::FullResync(replid, offset)) => {
                self.head.state = State::Transfer;
                self.head.phase = Phase::Sync;
                self.grant_full(replid, offset, cx);
                if matches!(self.channel, Channel::Rdb { .. }) {
                    cx.shared.announce(self.number(), replid, offset, None);
                }
            }
            Some(Answer::Continue(replid)) => self.grant_partial(replid, latency, cx),
            Some(Answer::RdbChannelSync(client_id)) => {
                let transfer = Transfer::RdbChannel;
                self.begin_main_channel(transfer, client_id, cx);
                self.begin_stream(None, cx.stamp);
                self.head.state = State::Transfer;
            }
            Some(Answer::DualChannelSync) => {
                self.begin_main_channel(Transfer::DualChannel, None, cx);
            }
            None => {
                if expected.is_none() && self.head.phase == Phase::Connect {
                    self.head.phase = Phase::Handshake;
                }
                self.advance_state(to);
                let kind = Kind::Reply { to, reply, latency };
                self.emit(Some(Side::Master), kind, cx);
                if reply.is_error() {
                    self.explain_error(to, reply.head, cx);
                }
            }
        }
    }

    fn begin_main_channel<S: Sink>(&mut self, transfer: Transfer, client_id: Option<u64>, cx: &mut Context<'_, S>) {
        self.head.phase = Phase::Sync;
        self.channel = Channel::Main { transfer };
        self.sync = Sync::Full;
        let pair = cx.shared.offer(self.ends(), self.listening_port, self.number(), transfer, client_id);
        self.emit(Some(Side::Master), Kind::TwoChannel { transfer, client_id, pair }, cx);
        self.explain_full(None, None, cx);
        self.note_loop(cx);
    }

    fn note_loop<S: Sink>(&mut self, cx: &mut Context<'_, S>) {
        if let Some(text) = cx.shared.full_sync(self.ends(), self.listening_port, cx.stamp) {
            self.note(Note::ResyncLoop, &text, cx);
        }
    }

    /// After a reply the replica waits for the next one, or goes on to its next step.
    fn advance_state(&mut self, answered: Option<&str>) {
        if matches!(self.head.state, State::Transfer | State::Connected) {
            return;
        }
        self.head.state = match (self.expected.front(), answered) {
            (Some(next), _) => next.state,
            (None, Some("PING") | None) => State::SendHandshake,
            (None, Some("PSYNC" | "SYNC")) => State::ReceivePsyncReply,
            (None, Some(_)) => State::SendPsync,
        };
    }

    fn grant_full<S: Sink>(&mut self, replid: Replid, offset: Offset, cx: &mut Context<'_, S>) {
        self.payload_due = true;
        self.sync = Sync::Full;
        self.replid = Some(replid);
        self.ledger.set_base(offset);
        let latency = self.asked_at.and_then(|asked| cx.stamp.since(asked));
        self.emit(Some(Side::Master), Kind::FullResync { replid, offset, latency }, cx);
        if matches!(self.channel, Channel::Rdb { .. }) {
            return;
        }
        self.explain_full(Some(replid), Some(offset), cx);
        self.note_loop(cx);
    }

    /// Why the sync is a full one, from what was asked and what was answered.
    fn explain_full<S: Sink>(&mut self, replid: Option<Replid>, offset: Option<Offset>, cx: &mut Context<'_, S>) {
        let Some(asked) = self.asked else { return };
        let (Some(first), false) = (asked.offset.filter(|&first| first > 0), asked.replid.as_str() == "?") else {
            let text = "full sync: the replica has nothing to continue from (it asked with `? -1`)";
            return self.note(Note::FullSyncFirst, text, cx);
        };
        let has = Offset::before_byte(first as u64);
        let (Some(replid), Some(offset)) = (replid, offset) else {
            if first == 1 {
                let text = "full sync: the replica has nothing to continue from (it asked with its own id and offset 1, as a fresh server does)";
                self.note(Note::FullSyncFirst, text, cx);
            }
            return;
        };
        if asked.replid.matches(&replid) {
            let text = match offset.0.checked_sub(has.0) {
                Some(behind) => format!(
                    "full sync: the replica knows the history but stood at offset {has}, {behind} bytes behind the master's {offset}, and the backlog no longer held them; a repl-backlog-size above {behind} bytes would have"
                ),
                None => format!(
                    "full sync: the replica asked for byte {first} of the master's history, which ends at offset {offset}: it is ahead of its master, as after a master that restarted from an older snapshot"
                ),
            };
            self.note(Note::FullSyncBacklogOverrun, &text, cx);
        } else if first == 1 {
            let text = "full sync: the replica has nothing to continue from (it asked with its own id and offset 1, as a fresh server does)";
            self.note(Note::FullSyncFirst, text, cx);
        } else {
            let text = format!(
                "full sync: the replica asked to continue history {} at byte {first}, the master's is {replid} and it cannot continue the other one: another master, one that restarted without its replid, or histories that parted",
                asked.replid
            );
            self.note(Note::FullSyncReplidMismatch, &text, cx);
        }
    }

    fn grant_partial<S: Sink>(&mut self, replid: Option<Replid>, latency: Option<Span>, cx: &mut Context<'_, S>) {
        self.head.phase = Phase::Sync;
        self.head.state = State::Connected;
        let asked = self.asked;
        let offset = asked.and_then(|asked| u64::try_from(asked.offset?).ok()).map(Offset::before_byte);
        self.replid = replid.or(asked.map(|asked| asked.replid));
        if let Some(offset) = offset {
            self.ledger.set_base(offset);
        }
        if self.sync == Sync::None {
            self.sync = Sync::Partial;
        }
        self.emit(Some(Side::Master), Kind::Continue { replid, offset, latency }, cx);
        if let (Some(asked), Some(replid)) = (asked, replid)
            && !asked.replid.matches(&replid)
        {
            let text = format!(
                "partial sync across a failover: the replica knew the history as {}, it goes on as {replid}",
                asked.replid
            );
            self.note(Note::PartialSyncAfterFailover, &text, cx);
        }
        if matches!(self.channel, Channel::None) {
            self.database = self
                .replid
                .zip(offset)
                .and_then(|(id, offset)| cx.shared.database_at(asked.map_or(id, |asked| asked.replid), offset));
        }
        self.begin_stream(None, cx.stamp);
        self.head.state = State::Connected;
        if matches!(self.channel, Channel::Main { .. }) {
            self.head.state = State::Transfer;
            self.database = cx.shared.database_of_pair(self.number());
        }
    }

    fn explain_error<S: Sink>(&mut self, to: Option<&str>, reply: &[u8], cx: &mut Context<'_, S>) {
        let text = String::from_utf8_lossy(reply).into_owned();
        if matches!(to, Some("PSYNC" | "SYNC" | "AUTH" | "PING") | None) {
            self.last_error = Some(text.clone());
        }
        if self.payload_due {
            let words = format!("the master granted a full sync and then gave it up: {text}");
            self.note(Note::RdbAborted, &words, cx);
        }
        let no_auth = reply.starts_with(b"-NOAUTH") || reply.starts_with(b"-ERR operation not permitted");
        if no_auth && !self.authenticating && !matches!(to, Some("PING")) {
            let words = "the master asks for a password and the replica sent none: set masterauth on the replica";
            self.note(Note::AuthMissing, words, cx);
        }
        if let Some((note, words)) = notes::of_error(reply) {
            let words = format!("{}: {words}", shorten(&text));
            self.note(note, &words, cx);
        }
    }

    #[inline]
    fn read_stream<S: Sink>(&mut self, input: &mut &[u8], position: Position, cx: &mut Context<'_, S>) {
        if self.stream_begun.is_none() {
            self.stream_begun = Some(position);
        }
        self.ledger.arrive(input.len() as u64, cx.stamp);
        let Self { head, stream, ledger, database, in_transaction, .. } = self;
        let elapsed = cx.stamp.since(head.opened);
        let malformed = loop {
            match stream.next(input) {
                Step::Command(command) => {
                    let bytes = command.bytes();
                    ledger.advance(bytes);
                    let offset = ledger.offset();
                    let kind = match Known::of(&command) {
                        Known::Other => Kind::Write { offset, db: *database, command: &command },
                        Known::Ping => Kind::Heartbeat { offset, bytes },
                        Known::GetAck => {
                            ledger.asked_for_ack(ledger.decoded() - bytes, cx.stamp);
                            Kind::GetAck { offset, bytes }
                        }
                        Known::Select => {
                            *database =
                                command.argument(1).and_then(words::count).and_then(|db| u32::try_from(db).ok());
                            Kind::Write { offset, db: *database, command: &command }
                        }
                        Known::Multi => {
                            *in_transaction = true;
                            Kind::Write { offset, db: *database, command: &command }
                        }
                        Known::Exec => {
                            *in_transaction = false;
                            Kind::Write { offset, db: *database, command: &command }
                        }
                    };
                    cx.sink.event(&head.event_at(cx.stamp, elapsed, Some(Side::Master), kind));
                    if !*in_transaction {
                        ledger.boundary();
                    }
                }
                Step::Newline => {
                    ledger.advance(1);
                    let kind = Kind::Heartbeat { offset: ledger.offset(), bytes: 1 };
                    cx.sink.event(&head.event_at(cx.stamp, elapsed, Some(Side::Master), kind));
                }
                Step::NeedMore => return,
                Step::Malformed { reason, bytes } => break (reason, bytes),
            }
        };
        let (reason, bytes) = malformed;
        let reason = reason.to_string();
        cx.sink.event(&head.event(cx.stamp, Some(Side::Master), Kind::Malformed { reason: &reason, bytes }));
        self.ledger.catch_up(input.len() as u64);
        self.forget_context();
        self.down = Down::Lost;
        // The rest is looked through for a footing; it has been counted as seen already.
        self.ledger.unsee(input.len() as u64);
    }

    /// After a loss it is not known whether SELECT, MULTI or EXEC were among what is missing.
    fn forget_context(&mut self) {
        self.database = None;
        self.in_transaction = false;
    }

    /// Bytes of the master's direction are missing.
    fn lose<S: Sink>(&mut self, bytes: u64, cx: &mut Context<'_, S>) {
        match &mut self.down {
            Down::Stream => {
                self.ledger.arrive(bytes, cx.stamp);
                if bytes <= self.stream.skippable() {
                    return self.stream.skip(bytes);
                }
                self.stream.reset();
                self.ledger.catch_up(0);
                self.forget_context();
                self.down = Down::Lost;
            }
            Down::Payload(payload) => {
                if let Some(beyond) = payload.lose(bytes) {
                    self.end_payload(cx);
                    self.begin_stream(None, cx.stamp);
                    if beyond > 0 {
                        self.stream_begun = Some(Position(0));
                        self.ledger.arrive(beyond, cx.stamp);
                        self.ledger.catch_up(0);
                        self.forget_context();
                        self.down = Down::Lost;
                    }
                }
            }
            Down::Replies => {
                self.replies.reset();
                self.header.clear();
                self.expected.clear();
                self.down = Down::Lost;
            }
            Down::Lost => {
                if self.stream_begun.is_some() {
                    self.ledger.arrive(bytes, cx.stamp);
                    self.ledger.catch_up(0);
                }
            }
        }
    }

    /// Looks for something to stand on at the beginning of what has just come, or for a command in it.
    fn find_footing<S: Sink>(&mut self, input: &mut &[u8], position: Position, cx: &mut Context<'_, S>) {
        let in_stream = self.stream_begun.is_some();
        if !in_stream && is_reply(input) {
            self.down = Down::Replies;
            return;
        }
        let found = find_command(input);
        let skipped = found.unwrap_or(input.len());
        if in_stream {
            self.ledger.arrive(skipped as u64, cx.stamp);
            self.ledger.catch_up(0);
            self.ledger.boundary();
        }
        *input = &input[skipped..];
        if found.is_some() {
            let begun = self.stream_begun.unwrap_or(Position(position.0 + skipped as u64));
            let certain = in_stream || self.ledger.certainty() != Certainty::Exact;
            if !certain {
                // The line that told the offset has come, but not where the stream began: the base is not to be used.
                self.ledger.forget_base(cx.stamp);
            }
            self.begin_stream(Some(begun), cx.stamp);
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

    fn note_one_direction<S: Sink>(&mut self, connection: &Connection, cx: &mut Context<'_, S>) {
        for (direction, side) in [(self.replica, Side::Replica), (self.replica.other(), Side::Master)] {
            if connection.packets[direction.index()] == 0 {
                let text = format!(
                    "the capture has nothing that the {} sent: it was taken where only one direction passes",
                    side.as_str()
                );
                self.note(Note::OneDirection, &text, cx);
            }
        }
    }
}

fn truncation(payload: &Payload, by: Option<Side>) -> String {
    let keys = payload.summary().keys;
    let so_far = format!("after {} bytes and {keys} keys", payload.bytes());
    match by {
        Some(Side::Master) => format!(
            "the master closed the connection in the middle of the RDB, {so_far}: the save died, it could not encode a key, or the replica was too slow (client-output-buffer-limit replica, repl-timeout)"
        ),
        Some(Side::Replica) => format!(
            "the replica closed the connection in the middle of the RDB, {so_far}: it gave up (repl-timeout), was told to follow another master, or could not load what came"
        ),
        None => format!("the capture ends in the middle of the RDB, {so_far}"),
    }
}

/// At most so much of an error reply in a note: protected mode's is a thousand bytes long.
fn shorten(text: &str) -> String {
    let first = text.split(". ").next().unwrap_or(text);
    first.trim_end_matches(['.', ' ']).chars().take(120).collect()
}

/// Whether bytes begin like a reply of the handshake, or like the header of a payload.
fn is_reply(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 8] = [
        b"+OK\r\n",
        b"+PONG\r\n",
        b"+FULLRESYNC ",
        b"+CONTINUE",
        b"+RDBCHANNELSYNC",
        b"+DUALCHANNELSYNC",
        b"$EOF:",
        b"$ENDOFF:",
    ];
    // An error begins with its code: `-ERR `, `-NOAUTH `.
    let is_error = bytes.first() == Some(&b'-')
        && bytes.len() > 4
        && bytes[1..4].iter().all(u8::is_ascii_uppercase)
        && bytes.iter().take(256).all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(byte));
    is_error || starts.iter().any(|start| bytes.starts_with(start)) || is_payload(bytes)
}

/// Whether bytes begin with a payload's header and the magic of an RDB.
fn is_payload(bytes: &[u8]) -> bool {
    let digits = bytes.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let magic = bytes.get(digits + 3..).unwrap_or_default();
    bytes.first() == Some(&b'$') && digits > 0 && (magic.starts_with(b"REDIS") || magic.starts_with(b"VALKEY"))
}

/// Where in `bytes` a command begins: behind a newline or at the very beginning, whole and followed by another one (or
/// by the end of the bytes), or reaching beyond their end with a readable name.
fn find_command(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'*', bytes).find(|&at| {
        let starts_line = at == 0 || bytes[at - 1] == b'\n';
        starts_line && is_command(&bytes[at..])
    })
}

fn is_command(bytes: &[u8]) -> bool {
    match scan(bytes) {
        Ok(Scan::Complete { length, count, name }) => {
            count > 0 && is_name(&bytes[name.0..name.1]) && matches!(bytes.get(length), None | Some(b'*' | b'\n'))
        }
        Ok(Scan::Incomplete) => {
            let mut lines = bytes.split(|&byte| byte == b'\n');
            let name = lines.nth(2).unwrap_or_default();
            name.last() == Some(&b'\r') && is_name(&name[..name.len() - 1])
        }
        Err(_) => false,
    }
}

/// Names of commands are letters, and dots, dashes and the like in modules' names.
fn is_name(bytes: &[u8]) -> bool {
    (1..=32).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-|".contains(byte))
        && bytes[0].is_ascii_alphabetic()
}

/// The commands of the stream that the link itself heeds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Select,
    Multi,
    Exec,
    Ping,
    GetAck,
    Other,
}

impl Known {
    #[inline]
    fn of(command: &Command<'_>) -> Self {
        // The length alone tells most commands apart from these.
        match command.name().len() {
            4 if command.is("PING") => Self::Ping,
            4 if command.is("EXEC") => Self::Exec,
            5 if command.is("MULTI") => Self::Multi,
            6 if command.is("SELECT") => Self::Select,
            8 if command.is("REPLCONF")
                && command.argument(1).is_some_and(|word| word.eq_ignore_ascii_case(b"GETACK")) =>
            {
                Self::GetAck
            }
            _ => Self::Other,
        }
    }
}
