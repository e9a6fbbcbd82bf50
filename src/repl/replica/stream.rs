//! The stream: bytes for the sub-replicas, commands for the applier, offsets and ACKs.
//!
//! A command's bytes are told twice: as they come ([`Step::Stream`]), and decoded ([`Step::Command`]). What counts as
//! applied is what ended outside a transaction: inside one nothing moves until EXEC. What has come beyond that when the
//! link
//! breaks is thrown away, and asked for again.

use super::{Action, Buffer, CachedMaster, Channel, Replica, State, Step, command};
use crate::repl::event::Replid;
use crate::repl::words;
use crate::resp::{self, Command};
use crate::units::{Moment, Offset};

/// A command of the stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamCommand<'a> {
    /// It.
    pub command: Command<'a>,
    /// The offset after it.
    pub after: Offset,
    /// The database that it works on.
    pub db: u32,
}

impl Replica {
    /// The stream begins, or goes on, after `offset`.
    pub(super) fn begin_stream(&mut self, replid: Option<Replid>, offset: Offset, db: u32, now: Moment) {
        self.state = State::Connected;
        self.cached = replid.map(|replid| CachedMaster { replid, offset, db });
        self.replid = replid;
        self.read = offset;
        self.decoded = offset;
        self.applied = offset;
        self.in_transaction = false;
        self.decoded_db = db;
        self.applied_db = db;
        self.told = 0;
        self.decoder.reset();
        self.last_io = now;
    }

    pub(super) fn next_of_stream<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Step<'s> {
        // What came while the RDB was loaded goes first.
        if self.buffer.at > 0 && self.buffer.rest().is_empty() {
            self.buffer = Buffer::default();
        }
        let buffered = !self.buffer.bytes.is_empty();
        let available = if buffered { self.buffer.rest().len() } else { input.len() };
        if available == 0 {
            return Step::NeedMore;
        }
        if self.told < available {
            let from = std::mem::replace(&mut self.told, available);
            self.read = self.read.advanced_by((available - from) as u64);
            let source: &'s [u8] = if buffered { self.buffer.rest() } else { input };
            return Step::Stream(source.get(from..).unwrap_or_default());
        }
        self.decode(buffered, input)
    }

    /// One element of the stream, which has been told.
    fn decode<'s, 'i: 's>(&'s mut self, buffered: bool, input: &mut &'i [u8]) -> Step<'s> {
        let Self {
            decoder,
            buffer,
            actions,
            settings,
            told,
            decoded,
            applied,
            decoded_db,
            applied_db,
            replid,
            fsynced,
            script,
            ..
        } = self;
        let Buffer { bytes, at } = buffer;
        let (step, used) = if buffered {
            let mut rest: &'s [u8] = bytes.get(*at..).unwrap_or_default();
            let before = rest.len();
            let step = decoder.next(&mut rest);
            let used = before - rest.len();
            *at += used;
            (step, used)
        } else {
            let before = input.len();
            let step = decoder.next(input);
            (step, before - input.len())
        };
        *told -= used.min(*told);
        match step {
            resp::Step::NeedMore => {
                if buffered {
                    return Step::Again;
                }
                Step::NeedMore
            }
            resp::Step::Newline => {
                // A newline in the stream counts like any other byte.
                *decoded = decoded.advanced_by(1);
                if !self.in_transaction {
                    *applied = *decoded;
                }
                Step::Again
            }
            resp::Step::Malformed { reason, .. } => {
                self.fault = Some(format!("{reason}, after offset {decoded}"));
                Step::Again
            }
            resp::Step::Command(command) if command.inline() => {
                self.fault = Some(format!("an inline command in the stream, after offset {decoded}"));
                Step::Again
            }
            resp::Step::Command(command) => {
                *decoded = decoded.advanced_by(command.bytes());
                match command.name().len() {
                    4 if command.is("EXEC") => self.in_transaction = false,
                    5 if command.is("MULTI") => self.in_transaction = true,
                    6 if command.is("SELECT") => {
                        let number = command.argument(1).and_then(words::count);
                        *decoded_db = number.and_then(|number| u32::try_from(number).ok()).unwrap_or(*decoded_db);
                    }
                    8 if is_getack(&command) => {
                        let offset = if settings.compat.ack_covers_getack { *decoded } else { *applied };
                        if replid.is_some() && script.is_none() {
                            let fsynced = fsynced.filter(|_| settings.compat.fack);
                            actions.push_back(Action::Transmit { channel: Channel::Main, bytes: ack(offset, fsynced) });
                        }
                    }
                    _ => {}
                }
                if !self.in_transaction {
                    *applied = *decoded;
                    *applied_db = *decoded_db;
                }
                Step::Command(StreamCommand { command, after: *decoded, db: *decoded_db })
            }
        }
    }

    /// Tells the master what has been applied, if the link is up.
    pub fn acknowledge(&mut self) {
        if self.is_up() {
            self.send_ack(self.applied);
        }
    }

    /// An ACK. After a SYNC that told no offset there is none to acknowledge.
    pub(super) fn send_ack(&mut self, offset: Offset) {
        if self.replid.is_some() && self.script.is_none() {
            let fsynced = self.fsynced.filter(|_| self.settings.compat.fack);
            self.transmit(Channel::Main, ack(offset, fsynced));
        }
    }
}

fn is_getack(command: &Command<'_>) -> bool {
    command.is("REPLCONF") && command.argument(1).is_some_and(|word| word.eq_ignore_ascii_case(b"GETACK"))
}

pub(super) fn ack(offset: Offset, fsynced: Option<Offset>) -> Vec<u8> {
    let offset = offset.to_string();
    match fsynced {
        Some(fsynced) => command(&["REPLCONF", "ACK", &offset, "FACK", &fsynced.to_string()]),
        None => command(&["REPLCONF", "ACK", &offset]),
    }
}
