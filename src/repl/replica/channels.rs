//! Full syncs over two connections, in both dialects: the RDB's own connection, and what the main one does meanwhile.

use super::handshake::is_replid;
use super::{Channel, Line, Lost, Replica, State, Step, Sync, command, shown, take_line};
use crate::repl::compat::TwoChannel;
use crate::repl::event::Replid;
use crate::repl::words::{self, Answer, PayloadHeader};
use crate::units::{Moment, Offset};

/// The RDB's connection.
#[derive(Debug)]
pub(super) struct Rdb {
    pub(super) dialect: TwoChannel,
    /// The client id of the main connection (Redis).
    client: Option<u64>,
    /// A line that is not whole.
    pub(super) line: Vec<u8>,
    waits: Waits,
}

/// What it waits for before the payload's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// The TCP connection.
    Connection,
    /// The reply to AUTH.
    Auth,
    /// The replies to so many REPLCONFs.
    Replconf { due: u8 },
    /// `+FULLRESYNC` (Redis).
    Fullresync,
    /// `$ENDOFF:` (Valkey).
    Endoff,
    /// The RDB.
    Payload,
}

/// The main connection meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// Nothing is due: `$ENDOFF:` has not come yet (Valkey).
    Idle,
    /// The reply to `REPLCONF set-rdb-client-id` (Valkey).
    SetId { replid: Replid, offset: Offset },
    /// The reply to the second PSYNC (Valkey).
    Psync,
    /// The stream, which is held until the RDB is loaded.
    Accumulate,
}

impl Join {
    pub(super) fn accumulates(self) -> bool {
        self == Self::Accumulate
    }
}

impl Rdb {
    pub(super) fn connecting(dialect: TwoChannel, client: Option<u64>) -> Self {
        Self { dialect, client, line: Vec::new(), waits: Waits::Connection }
    }

    pub(super) fn expects_payload(&self) -> bool {
        self.waits == Waits::Payload
    }

    pub(super) fn state_name(&self) -> &'static str {
        match (self.waits, self.dialect) {
            (Waits::Connection, _) => "SEND_HANDSHAKE",
            (Waits::Auth, _) => "RECEIVE_AUTH_REPLY",
            (Waits::Replconf { .. }, _) => "RECEIVE_REPLCONF_REPLY",
            (Waits::Fullresync, _) => "RECEIVE_FULLRESYNC",
            (Waits::Endoff, _) => "RECEIVE_ENDOFF",
            (Waits::Payload, TwoChannel::RdbChannel) => "RDB_LOADING",
            (Waits::Payload, TwoChannel::DualChannel) => "RDB_LOAD",
        }
    }
}

impl Replica {
    /// The RDB's connection has been made: no PING, and all that is to be said in one go.
    pub(super) fn begin_rdb_channel(&mut self) {
        let mut bytes = self.auth();
        let (port, version) = (self.settings.port.to_string(), self.version());
        let address = self.settings.announce_ip.clone();
        let version_too = self.settings.compat.version_on_rdb_channel;
        let State::Transfer(sync) = &mut self.state else { return };
        let Some((rdb, _)) = &mut sync.two else { return };
        let client = rdb.client.unwrap_or_default().to_string();
        let mut words = vec!["REPLCONF", "capa", "eof", "rdb-only", "1", "rdb-channel", "1"];
        let mut due = 1;
        match rdb.dialect {
            TwoChannel::RdbChannel => {
                words.extend(["main-ch-client-id", &client, "listening-port", &port]);
                if let Some(address) = &address {
                    words.extend(["ip-address", address]);
                }
                bytes.extend(command(&words));
            }
            TwoChannel::DualChannel => {
                words.extend(["listening-port", &port]);
                if version_too {
                    words.extend(["version", &version]);
                }
                bytes.extend(command(&words));
                if let Some(address) = &address {
                    bytes.extend(command(&["REPLCONF", "ip-address", address]));
                    due += 1;
                }
            }
        }
        rdb.waits = if self.settings.credentials.is_some() { Waits::Auth } else { Waits::Replconf { due } };
        self.transmit(Channel::Rdb, bytes);
    }

    /// A line on the RDB's connection, before the payload's header.
    pub(super) fn rdb_channel_line(&mut self, line: &[u8], now: Moment) {
        let two_replies = self.settings.announce_ip.is_some();
        let State::Transfer(sync) = &mut self.state else { return };
        let Sync { two: Some((rdb, join)), place, db, .. } = &mut **sync else { return };
        let error = line.first() == Some(&b'-');
        match rdb.waits {
            Waits::Auth if error => self.lose(Lost::Refused { to: "AUTH", reply: shown(line) }, now),
            Waits::Auth => {
                let due = if two_replies && rdb.dialect == TwoChannel::DualChannel { 2 } else { 1 };
                rdb.waits = Waits::Replconf { due };
            }
            Waits::Replconf { .. } if error => self.lose(Lost::Refused { to: "REPLCONF", reply: shown(line) }, now),
            Waits::Replconf { due: 2.. } => rdb.waits = Waits::Replconf { due: 1 },
            Waits::Replconf { .. } => match rdb.dialect {
                TwoChannel::RdbChannel => {
                    rdb.waits = Waits::Fullresync;
                    self.transmit(Channel::Rdb, command(&["PSYNC", "?", "-1"]));
                }
                TwoChannel::DualChannel => {
                    rdb.waits = Waits::Endoff;
                    self.transmit(Channel::Rdb, "SYNC\r\n");
                }
            },
            Waits::Fullresync => match words::answer(line) {
                Some(Answer::FullResync(replid, offset)) if is_replid(&replid) => {
                    rdb.waits = Waits::Payload;
                    *place = Some((replid, offset));
                }
                _ => self.lose(Lost::Refused { to: "PSYNC", reply: shown(line) }, now),
            },
            Waits::Endoff => match words::payload_header(line) {
                Some(PayloadHeader::EndOffset { offset, replid, db: database, client_id }) if is_replid(&replid) => {
                    rdb.waits = Waits::Payload;
                    *place = Some((replid, offset));
                    *db = database;
                    *join = Join::SetId { replid, offset };
                    let id = client_id.to_string();
                    self.transmit(Channel::Main, command(&["REPLCONF", "set-rdb-client-id", &id]));
                }
                _ => self.lose(Lost::Refused { to: "SYNC", reply: shown(line) }, now),
            },
            Waits::Connection | Waits::Payload => {
                self.lose(Lost::Protocol(format!("a reply to nothing: {}", shown(line))), now);
            }
        }
    }

    /// The main connection while the other one carries the RDB.
    pub(super) fn next_of_main_channel<'s, 'i: 's>(&mut self, input: &mut &'i [u8], now: Moment) -> Step<'s> {
        let State::Transfer(sync) = &mut self.state else { return Step::NeedMore };
        let Some((_, join)) = &mut sync.two else { return Step::NeedMore };
        if input.is_empty() {
            return Step::NeedMore;
        }
        if join.accumulates() {
            let room = self.settings.main_buffer.saturating_sub(self.buffer.bytes.len());
            let (part, rest) = input.split_at(room.min(input.len()));
            self.buffer.bytes.extend_from_slice(part);
            *input = rest;
            return if input.is_empty() { Step::NeedMore } else { Step::Full };
        }
        match take_line(&mut self.line, input) {
            Line::More => return Step::NeedMore,
            Line::Whole(line) => self.join_line(&line, now),
            Line::TooLong => self.lose(Lost::Protocol("a reply without an end".to_owned()), now),
        }
        Step::Again
    }

    /// A line on the main connection of a Valkey two-channel sync.
    fn join_line(&mut self, line: &[u8], now: Moment) {
        let State::Transfer(sync) = &mut self.state else { return };
        let Some((_, join)) = &mut sync.two else { return };
        match *join {
            _ if line.is_empty() => {}
            Join::SetId { replid, offset } if line.first() == Some(&b'+') => {
                *join = Join::Psync;
                let (id, byte) = (replid.to_string(), offset.next_byte().to_string());
                self.transmit(Channel::Main, command(&["PSYNC", &id, &byte]));
            }
            Join::SetId { .. } => {
                self.lose(Lost::Refused { to: "REPLCONF set-rdb-client-id", reply: shown(line) }, now);
            }
            Join::Psync if matches!(words::answer(line), Some(Answer::Continue(_))) => {
                *join = Join::Accumulate;
                self.finish_transfer(now);
            }
            Join::Psync => self.lose(Lost::Refused { to: "PSYNC", reply: shown(line) }, now),
            Join::Idle | Join::Accumulate => {
                self.lose(Lost::Protocol(format!("a reply to nothing: {}", shown(line))), now);
            }
        }
    }
}
