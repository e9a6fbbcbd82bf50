//! REPLCONF: what a replica tells about itself, and its ACKs.
//!
//! One command, one reply: `+OK`, or the first error; ACK and GETACK get none. The texts are the servers'.

use super::{ConnectionId, Filter, Master, State};
use crate::bounds::MAX_REPLCONF_VALUE;
use crate::repl::compat::TwoChannel;
use crate::repl::words;
use crate::units::{Moment, Offset};

const SYNTAX: &str = "-ERR syntax error\r\n";
const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const NO_FLAG: &str = "-ERR value is out of range, value must between 0 and 1\r\n";

/// What an option leads to.
enum Outcome {
    Next,
    /// The whole command gets no reply.
    Silent,
    Error(String),
}

impl Master {
    pub(super) fn replconf(&mut self, id: ConnectionId, words: &[&[u8]], now: Moment) {
        self.connections.entry(id).or_insert_with(|| super::Connection::new(now));
        if words.len().is_multiple_of(2) {
            return self.write(id, SYNTAX);
        }
        for pair in words.get(1..).unwrap_or_default().chunks_exact(2) {
            let &[option, value] = pair else { continue };
            match self.replconf_option(id, &option.to_ascii_lowercase(), value, words, now) {
                Outcome::Next => {}
                Outcome::Silent => return,
                Outcome::Error(error) => return self.write(id, error),
            }
        }
        self.write(id, "+OK\r\n");
    }

    fn replconf_option(
        &mut self,
        id: ConnectionId,
        option: &[u8],
        value: &[u8],
        words: &[&[u8]],
        now: Moment,
    ) -> Outcome {
        let compat = self.settings.compat;
        let Some(connection) = self.connections.get_mut(&id) else { return Outcome::Silent };
        let facts = &mut connection.facts;
        match option {
            b"listening-port" => match words::decimal(value) {
                Some(port) => facts.port = u16::try_from(port).unwrap_or(0),
                None => return Outcome::Error(NO_INTEGER.to_owned()),
            },
            b"ip-address" if value.len() < MAX_REPLCONF_VALUE => {
                facts.ip = Some(String::from_utf8_lossy(value).into_owned());
            }
            b"ip-address" => {
                return Outcome::Error(format!(
                    "-ERR REPLCONF ip-address provided by replica instance is too long: {} bytes\r\n",
                    value.len()
                ));
            }
            b"capa" => match value.to_ascii_lowercase().as_slice() {
                b"eof" => facts.eof = true,
                b"psync2" => facts.psync2 = true,
                b"rdb-channel-repl" => facts.rdb_channel_repl = true,
                b"dual-channel" => facts.dual_channel = true,
                _ => {}
            },
            b"ack" => {
                self.ack(id, words, now);
                return Outcome::Silent;
            }
            b"getack" => return Outcome::Silent,
            b"rdb-only" => match flag(value) {
                Ok(flag) => facts.rdb_only = flag,
                Err(error) => return Outcome::Error(error),
            },
            b"rdb-filter-only" => match filter(value) {
                Ok(filter) => facts.filter = Some(filter),
                Err(error) => return Outcome::Error(error),
            },
            b"rdb-channel" if compat.two_channel.is_some() => match flag(value) {
                Ok(flag) => facts.rdb_channel = flag,
                Err(error) => return Outcome::Error(error),
            },
            b"main-ch-client-id" if compat.two_channel == Some(TwoChannel::RdbChannel) => {
                let main = words::count(value).map(ConnectionId);
                let known = main.and_then(|main| self.connections.get(&main));
                if !known.is_some_and(|main| matches!(main.state, State::WaitRdbChannel { .. })) {
                    return Outcome::Error(unknown_client(": ", value));
                }
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.facts.main = main;
                }
            }
            b"set-rdb-client-id" if compat.two_channel == Some(TwoChannel::DualChannel) => {
                let rdb = words::count(value).map(ConnectionId);
                if !self.waiting.iter().any(|waiting| Some(waiting.rdb) == rdb) {
                    return Outcome::Error(unknown_client(" ", value));
                }
                facts.rdb = rdb;
            }
            b"version" => {
                // Who says it is a Valkey replica, and what it reads is good to know even for a server that is like one
                // that does not know the option.
                facts.version = version(value);
                if compat.version.is_none() {
                    return Outcome::Error(unrecognized(option));
                }
                if facts.version.is_none() {
                    let text = shown(value);
                    return Outcome::Error(format!("-ERR Unrecognized version format: {text}\r\n"));
                }
            }
            _ => return Outcome::Error(unrecognized(option)),
        }
        Outcome::Next
    }

    /// `REPLCONF ACK <offset> [FACK <offset>]`: only from a replica, and only ever forward.
    fn ack(&mut self, id: ConnectionId, words: &[&[u8]], now: Moment) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.state.is_replica() {
            return;
        }
        let Some(offset) = words.get(2).and_then(|word| words::decimal(word)) else { return };
        if let Ok(offset) = u64::try_from(offset) {
            connection.ack = connection.ack.max(Offset(offset));
        }
        if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"FACK")) {
            let fack = words.get(4).and_then(|word| words::count(word)).map(Offset);
            connection.fack = connection.fack.max(fack);
        }
        connection.ack_time = now;
        connection.loads = false;
        connection.acked = true;
        match connection.state {
            State::Online { await_ack: true } | State::SendBulkAndStream | State::BgRdbLoad => {
                connection.state = State::Online { await_ack: false };
                self.tell(super::Told::Online { connection: id });
            }
            _ => {}
        }
    }
}

fn flag(value: &[u8]) -> Result<bool, String> {
    match words::decimal(value) {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(_) => Err(NO_FLAG.to_owned()),
        None => Err(NO_INTEGER.to_owned()),
    }
}

/// `functions`, or nothing: what the RDB is to hold besides aux fields.
fn filter(value: &[u8]) -> Result<Filter, String> {
    let mut filter = Filter { functions: false };
    for word in value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        if !word.eq_ignore_ascii_case(b"functions") {
            return Err(format!("-ERR Unsupported rdb-filter-only option: {}\r\n", shown(word)));
        }
        filter.functions = true;
    }
    Ok(filter)
}

fn version(value: &[u8]) -> Option<(u8, u8, u8)> {
    let mut parts = std::str::from_utf8(value).ok()?.split('.').map(|part| part.parse().ok());
    match (parts.next()??, parts.next()??, parts.next()??, parts.next()) {
        (major, minor, patch, None) => Some((major, minor, patch)),
        _ => None,
    }
}

fn unrecognized(option: &[u8]) -> String {
    format!("-ERR Unrecognized REPLCONF option: {}\r\n", shown(option))
}

fn unknown_client(separator: &str, value: &[u8]) -> String {
    format!("-ERR Unrecognized RDB client id{separator}{}\r\n", shown(value))
}

/// A client's word inside an error line, which must stay one line.
fn shown(word: &[u8]) -> String {
    let word = word.get(..MAX_REPLCONF_VALUE).unwrap_or(word);
    String::from_utf8_lossy(word).replace(['\r', '\n'], " ")
}
