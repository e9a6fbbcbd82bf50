//! The RDB's way from the wire to the loader.
//!
//! ```text
//!  Header ──$<length>──► Length ──────────────────────────────────────────┐
//!    │  ▲                                                                 ▼
//!    │  └ newlines: the master prepares                                  Over ──loaded──► Connected
//!    └───$EOF:<mark>───► Tail     (the last 40 bytes that came are the mark) ▲
//!                   └──► Walking  (the loader finds the RDB's end) ─► Marking┘
//! ```

use super::{Action, Channel, Event, Line, Loaded, Lost, Replica, State, Step, Sync, shown, take_line};
use crate::repl::compat::TwoChannel;
use crate::repl::event::Transfer;
use crate::repl::words::{self, EOF_MARK_LENGTH, PayloadHeader};
use crate::units::Moment;

/// What the RDB's connection waits for.
#[derive(Debug)]
pub(super) enum Payload {
    /// The `$` line.
    Header,
    /// So many bytes.
    Length { left: u64 },
    /// The mark, which the last bytes that came may be; they are held back.
    Tail { mark: [u8; EOF_MARK_LENGTH], held: Vec<u8>, given: Vec<u8> },
    /// The loader's word that the RDB has ended.
    Walking { mark: [u8; EOF_MARK_LENGTH] },
    /// The rest of the mark.
    Marking { mark: [u8; EOF_MARK_LENGTH], matched: usize },
    /// The loader.
    Over,
}

impl Payload {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }
}

impl Replica {
    /// The next step on the connection that carries the RDB.
    pub(super) fn next_of_transfer<'s, 'i: 's>(
        &'s mut self,
        channel: Channel,
        input: &mut &'i [u8],
        now: Moment,
    ) -> Step<'s> {
        let State::Transfer(sync) = &mut self.state else { return Step::NeedMore };
        if matches!(sync.payload, Payload::Header) {
            let lines = match &mut sync.two {
                Some((rdb, _)) => &mut rdb.line,
                None => &mut self.line,
            };
            match take_line(lines, input) {
                Line::More => return Step::NeedMore,
                Line::Whole(line) => self.transfer_line(channel, &line, now),
                Line::TooLong => self.lose(Lost::Protocol("a line without an end before the RDB".to_owned()), now),
            }
            return Step::Again;
        }
        self.next_of_payload(channel, input, now)
    }

    /// A line before the RDB.
    fn transfer_line(&mut self, channel: Channel, line: &[u8], now: Moment) {
        let State::Transfer(sync) = &mut self.state else { return };
        if line.is_empty() {
            return;
        }
        if sync.two.as_ref().is_some_and(|(rdb, _)| !rdb.expects_payload()) {
            return self.rdb_channel_line(line, now);
        }
        if line.first() == Some(&b'-') {
            return self.lose(Lost::Refused { to: "the request for an RDB", reply: shown(line) }, now);
        }
        let loader = self.settings.loader_tells_end;
        let (payload, length) = match words::payload_header(line) {
            Some(PayloadHeader::Length(left)) => (Payload::Length { left }, Some(left)),
            Some(PayloadHeader::EofMark(mark)) if loader => (Payload::Walking { mark }, None),
            Some(PayloadHeader::EofMark(mark)) => {
                (Payload::Tail { mark, held: Vec::with_capacity(EOF_MARK_LENGTH), given: Vec::new() }, None)
            }
            _ => return self.lose(Lost::Protocol(format!("no RDB where one was due: {}", shown(line))), now),
        };
        let transfer = match &sync.two {
            Some((rdb, _)) if rdb.dialect == TwoChannel::RdbChannel => Transfer::RdbChannel,
            Some(_) => Transfer::DualChannel,
            None if length.is_some() => Transfer::Disk,
            None => Transfer::Diskless,
        };
        sync.payload = payload;
        sync.loading = true;
        let place = sync.place;
        self.cached = None;
        self.tell(Event::FullSync { replid: place.map(|place| place.0), offset: place.map(|place| place.1), transfer });
        self.actions.push_back(Action::BeginLoad { transfer, length });
        if length == Some(0) {
            self.payload_over(channel);
        }
    }

    fn next_of_payload<'s, 'i: 's>(&'s mut self, channel: Channel, input: &mut &'i [u8], now: Moment) -> Step<'s> {
        let State::Transfer(sync) = &mut self.state else { return Step::NeedMore };
        let over = match &mut sync.payload {
            // Nothing more is due on the RDB's own connection; on the only one the stream follows, for later.
            Payload::Over | Payload::Header => {
                if channel == Channel::Rdb {
                    *input = &[];
                }
                return if input.is_empty() { Step::NeedMore } else { Step::Full };
            }
            _ if input.is_empty() => return Step::NeedMore,
            Payload::Length { left } => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let (part, rest) = input.split_at(length);
                *input = rest;
                *left -= length as u64;
                if *left == 0 {
                    self.payload_over(channel);
                }
                return Step::Load(part);
            }
            Payload::Walking { .. } => return Step::Load(std::mem::take(input)),
            Payload::Marking { mark, matched } => {
                let length = (EOF_MARK_LENGTH - *matched).min(input.len());
                let (part, rest) = input.split_at(length);
                *input = rest;
                if mark.get(*matched..*matched + length) != Some(part) {
                    self.lose(Lost::Protocol("the RDB is not followed by the transfer's mark".to_owned()), now);
                    return Step::Again;
                }
                *matched += length;
                *matched == EOF_MARK_LENGTH
            }
            Payload::Tail { held, given, .. } => {
                // All but the last 40 bytes of what has come is the RDB's: first what was held, then of the input.
                let total = held.len() + input.len();
                let surplus = total.saturating_sub(EOF_MARK_LENGTH);
                let from_held = surplus.min(held.len());
                if from_held > 0 {
                    given.clear();
                    given.extend(held.drain(..from_held));
                }
                let (part, rest) = input.split_at(surplus - from_held);
                if from_held > 0 && !part.is_empty() {
                    // The input's part in the next step.
                    return self.give_held();
                }
                held.extend_from_slice(rest);
                *input = &[];
                let over = self.mark_has_come();
                if over {
                    self.payload_over(channel);
                }
                return match (from_held, part.is_empty()) {
                    (0, true) => Step::Again,
                    (0, false) => Step::Load(part),
                    _ => self.give_held(),
                };
            }
        };
        if over {
            self.payload_over(channel);
        }
        Step::Again
    }

    fn mark_has_come(&self) -> bool {
        matches!(&self.state, State::Transfer(sync)
            if matches!(&sync.payload, Payload::Tail { mark, held, .. } if held[..] == mark[..]))
    }

    /// The bytes that were held back and have turned out to be the RDB's.
    fn give_held(&mut self) -> Step<'_> {
        match &self.state {
            State::Transfer(sync) => match &sync.payload {
                Payload::Tail { given, .. } => Step::Load(given),
                _ => Step::Load(&sync.last_given),
            },
            _ => Step::Again,
        }
    }

    /// The loader has found the end of the RDB (where [`Settings::loader_tells_end`](super::Settings) is set). What it
    /// left of the last
    /// [`Step::Load`] is to be handed in again, in front of what comes next.
    pub fn loader_ended(&mut self) {
        if let State::Transfer(sync) = &mut self.state
            && let Payload::Walking { mark } = sync.payload
        {
            sync.payload = Payload::Marking { mark, matched: 0 };
        }
    }

    /// All of the RDB has come.
    fn payload_over(&mut self, channel: Channel) {
        let State::Transfer(sync) = &mut self.state else { return };
        if let Payload::Tail { given, .. } = std::mem::replace(&mut sync.payload, Payload::Over) {
            sync.last_given = given;
        }
        if channel == Channel::Rdb {
            self.actions.push_back(Action::Disconnect(Channel::Rdb));
        }
        self.actions.push_back(Action::EndLoad);
    }

    /// The RDB is loaded.
    pub fn loaded(&mut self, loaded: Loaded, now: Moment) {
        let State::Transfer(sync) = &mut self.state else { return };
        if !sync.payload.is_over() {
            return;
        }
        sync.loading = false;
        sync.loaded = Some(loaded);
        self.finish_transfer(now);
    }

    /// Goes on to the stream once the RDB is loaded and the main connection has it.
    pub(super) fn finish_transfer(&mut self, now: Moment) {
        let State::Transfer(sync) = &self.state else { return };
        let Sync { place, db, two, loaded: Some(loaded), .. } = &**sync else { return };
        if two.as_ref().is_some_and(|(_, join)| !join.accumulates()) {
            return;
        }
        let place = place.or(loaded.place);
        let db = loaded.stream_db.or(*db).unwrap_or(0);
        let (replid, offset) = (place.map(|place| place.0), place.map(|place| place.1));
        self.begin_stream(replid, offset.unwrap_or_default(), db, now);
        self.tell(Event::Synced { replid, offset, db });
        if self.settings.compat.ack_at_once {
            self.send_ack(self.applied);
        }
        self.actions.push_back(Action::Resume(Channel::Main));
    }

    /// The RDB cannot be loaded. The old data is gone all the same: the next PSYNC asks for everything.
    pub fn load_failed(&mut self, reason: &str, now: Moment) {
        if matches!(&self.state, State::Transfer(sync) if sync.loading) {
            if let State::Transfer(sync) = &mut self.state {
                sync.loading = false;
            }
            self.lose(Lost::LoadFailed(reason.to_owned()), now);
        }
    }
}
