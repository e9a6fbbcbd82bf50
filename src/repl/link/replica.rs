//! The replica's direction: its commands, its ACKs, its signs of life.

use super::stream::find_command;
use super::{Context, Down, Expected, Link, Sync};
use crate::bounds::MAX_EXPECTED;
use crate::repl::event::{Kind, Phase, Side, Sink, State, Transfer};
use crate::repl::ledger::Standing;
use crate::repl::peers::Channel;
use crate::repl::words;
use crate::resp::{Command, CommandDecoder, Step};
use crate::units::Offset;

impl Link {
    pub(super) fn read_replica<S: Sink>(&mut self, bytes: &[u8], cx: &mut Context<'_, S>) {
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

    pub(super) fn command<S: Sink>(&mut self, command: &Command<'_>, cx: &mut Context<'_, S>) {
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
    pub(super) fn set_phase(&mut self, phase: Phase) {
        if matches!(self.head.phase, Phase::Connect | Phase::Handshake | Phase::Sync) {
            self.head.phase = phase;
        }
    }

    /// The replica waits for the first of the answers that it is owed.
    pub(super) fn update_state(&mut self) {
        if let Some(expected) = self.expected.front()
            && !matches!(self.head.state, State::Transfer | State::Connected)
        {
            self.head.state = expected.state;
        }
    }

    pub(super) fn replconf<S: Sink>(&mut self, command: &Command<'_>, cx: &mut Context<'_, S>) -> Option<State> {
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

    pub(super) fn ack<S: Sink>(&mut self, command: &Command<'_>, cx: &mut Context<'_, S>) {
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
            self.begin_stream(false, cx.stamp);
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

    pub(super) fn tell_offsets<S: Sink>(&self, cx: &mut Context<'_, S>) {
        if let Some(first) = self.ledger.first_byte() {
            let kind = Kind::Offsets { first, certainty: self.ledger.certainty() };
            self.emit(None, kind, cx);
        }
    }
}
