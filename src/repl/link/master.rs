//! The master's direction up to the stream: replies, the answer to PSYNC or SYNC, the payload.

use super::{Context, Down, Link, Sync};
use crate::bounds::MAX_PAYLOAD_HEADER;
use crate::rdb;
use crate::repl::event::{Kind, Phase, RdbEnd, Replid, Side, Sink, State, Transfer};
use crate::repl::notes::Note;
use crate::repl::payload::{Payload, Progress};
use crate::repl::peers::Channel;
use crate::repl::words::{self, Answer, PayloadHeader};
use crate::resp::{Reply, ReplyDecoder, ReplyStep};
use crate::units::{Offset, Span};

impl Link {
    #[inline]
    pub(super) fn read_master<S: Sink>(&mut self, bytes: &[u8], cx: &mut Context<'_, S>) {
        let mut input = bytes;
        while !input.is_empty() {
            match self.down {
                Down::Stream => self.read_stream(&mut input, cx),
                Down::Payload(_) => self.read_payload(&mut input, cx),
                Down::Replies => self.read_replies(&mut input, cx),
                Down::Lost => self.find_footing(&mut input, cx),
            }
        }
    }

    pub(super) fn expects_payload(&self) -> bool {
        match self.expected.front() {
            _ if self.payload_due => true,
            Some(expected) => matches!(expected.name.as_str(), "PSYNC" | "SYNC"),
            // The replica's side is not in the capture.
            None => true,
        }
    }

    pub(super) fn read_replies<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
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
    pub(super) fn read_header<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
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

    pub(super) fn begin_payload<S: Sink>(
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

    pub(super) fn read_payload<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
        let Down::Payload(payload) = &mut self.down else { return };
        let (before, whole) = (payload.bytes(), *input);
        let progress = payload.push(input);
        // The mark is taken off the input, too, and is not the RDB's.
        let taken = usize::try_from(payload.bytes().saturating_sub(before)).unwrap_or(usize::MAX);
        cx.sink.payload(self.head.number, &whole[..taken.min(whole.len())]);
        if let Some(reason) = payload.take_fault() {
            self.emit(Some(Side::Master), Kind::Malformed { reason: &reason, bytes: 0 }, cx);
        }
        if progress == Progress::Ended {
            self.payload_over(cx);
        }
    }

    pub(super) fn payload_over<S: Sink>(&mut self, cx: &mut Context<'_, S>) {
        self.end_payload(cx);
        self.begin_stream(false, cx.stamp);
    }

    /// The payload has ended, well or not: tells so, and takes from it what the stream needs to know.
    pub(super) fn end_payload<S: Sink>(&mut self, cx: &mut Context<'_, S>) {
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

    pub(super) fn reply<S: Sink>(&mut self, reply: Reply<'_>, cx: &mut Context<'_, S>) {
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
                self.begin_stream(false, cx.stamp);
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

    pub(super) fn begin_main_channel<S: Sink>(
        &mut self,
        transfer: Transfer,
        client_id: Option<u64>,
        cx: &mut Context<'_, S>,
    ) {
        self.head.phase = Phase::Sync;
        self.channel = Channel::Main { transfer };
        self.sync = Sync::Full;
        let pair = cx.shared.offer(self.ends(), self.listening_port, self.number(), transfer, client_id);
        self.emit(Some(Side::Master), Kind::TwoChannel { transfer, client_id, pair }, cx);
        self.unexplained = self.asked;
        self.explain_full(self.asked, None, None, cx);
        self.note_loop(cx);
    }

    /// After a reply the replica waits for the next one, or goes on to its next step.
    pub(super) fn advance_state(&mut self, answered: Option<&str>) {
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

    pub(super) fn grant_full<S: Sink>(&mut self, replid: Replid, offset: Offset, cx: &mut Context<'_, S>) {
        self.payload_due = true;
        self.sync = Sync::Full;
        self.replid = Some(replid);
        self.ledger.set_base(offset);
        let latency = self.asked_at.and_then(|asked| cx.stamp.since(asked));
        self.emit(Some(Side::Master), Kind::FullResync { replid, offset, latency }, cx);
        if matches!(self.channel, Channel::Rdb { .. }) {
            return;
        }
        self.explain_full(self.asked, Some(replid), Some(offset), cx);
        self.note_loop(cx);
    }

    pub(super) fn grant_partial<S: Sink>(
        &mut self,
        replid: Option<Replid>,
        latency: Option<Span>,
        cx: &mut Context<'_, S>,
    ) {
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
        self.begin_stream(false, cx.stamp);
        self.head.state = State::Connected;
        if matches!(self.channel, Channel::Main { .. }) {
            self.head.state = State::Transfer;
            self.database = cx.shared.database_of_pair(self.number());
        }
    }
}
