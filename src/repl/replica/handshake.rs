//! From the connection to the answer to PSYNC.
//!
//! PING goes alone. Then AUTH and the REPLCONFs, one by one, or from 6.2 on all at once, their replies coming in order.
//! PSYNC goes only when all of them have come: a master refuses it behind replies that it has not written yet.

use std::collections::VecDeque;

use super::channels::{Join, Rdb};
use super::payload::Payload;
use super::{Action, Channel, Event, Lost, Replica, State, Sync, command, shown};
use crate::repl::compat::{Handshake, TwoChannel};
use crate::repl::event::Replid;
use crate::repl::words::{self, Answer};
use crate::units::{Moment, Offset};

/// A command of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Ping,
    Auth,
    Port,
    Ip,
    Capa,
    Version,
}

/// The handshake under way.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Sent, their replies to come in this order.
    sent: VecDeque<Ask>,
    /// Still to be sent.
    left: VecDeque<Ask>,
}

impl Asking {
    pub(super) fn state_name(&self) -> &'static str {
        match self.sent.front() {
            Some(Ask::Ping) => "RECEIVE_PING_REPLY",
            Some(Ask::Auth) => "RECEIVE_AUTH_REPLY",
            Some(Ask::Port) => "RECEIVE_PORT_REPLY",
            Some(Ask::Ip) => "RECEIVE_IP_REPLY",
            Some(Ask::Capa) => "RECEIVE_CAPA_REPLY",
            Some(Ask::Version) => "RECEIVE_VERSION_REPLY",
            None if self.left.is_empty() => "SEND_PSYNC",
            None => "SEND_HANDSHAKE",
        }
    }
}

impl Replica {
    pub(super) fn begin_handshake(&mut self) {
        let mut left = VecDeque::new();
        if self.settings.credentials.is_some() {
            left.push_back(Ask::Auth);
        }
        left.push_back(Ask::Port);
        if self.settings.announce_ip.is_some() {
            left.push_back(Ask::Ip);
        }
        left.push_back(Ask::Capa);
        if self.settings.compat.version.is_some() {
            left.push_back(Ask::Version);
        }
        self.transmit(Channel::Main, self.write_command(&["PING"]));
        self.state = State::Handshake(Asking { sent: [Ask::Ping].into(), left });
    }

    /// A command of the handshake in this version's framing.
    fn write_command(&self, words: &[&str]) -> Vec<u8> {
        match self.settings.compat.handshake {
            Handshake::Inline => format!("{}\r\n", words.join(" ")).into_bytes(),
            Handshake::Resp | Handshake::Pipelined => command(words),
        }
    }

    fn ask(&self, ask: Ask) -> Vec<u8> {
        match ask {
            Ask::Ping => self.write_command(&["PING"]),
            Ask::Auth => self.auth(),
            Ask::Port => self.write_command(&["REPLCONF", "listening-port", &self.settings.port.to_string()]),
            Ask::Ip => {
                let address = self.settings.announce_ip.as_deref().unwrap_or_default();
                self.write_command(&["REPLCONF", "ip-address", address])
            }
            Ask::Capa => {
                let mut words = vec!["REPLCONF", "capa", "eof"];
                if self.settings.compat.psync2 {
                    words.extend(["capa", "psync2"]);
                }
                match self.settings.compat.two_channel.filter(|_| self.settings.two_channel) {
                    Some(TwoChannel::RdbChannel) => words.extend(["capa", "rdb-channel-repl"]),
                    Some(TwoChannel::DualChannel) => words.extend(["capa", "dual-channel"]),
                    None => {}
                }
                self.write_command(&words)
            }
            Ask::Version => self.write_command(&["REPLCONF", "version", &self.version()]),
        }
    }

    pub(super) fn version(&self) -> String {
        let (major, minor, patch) = self.settings.compat.version.unwrap_or_default();
        format!("{major}.{minor}.{patch}")
    }

    pub(super) fn auth(&self) -> Vec<u8> {
        let Some(credentials) = &self.settings.credentials else { return Vec::new() };
        let words: Vec<&str> = match &credentials.user {
            Some(user) => vec!["AUTH", user, &credentials.password],
            None => vec!["AUTH", &credentials.password],
        };
        // What would not be one word of a line goes as RESP, which masters take at any time.
        let plain = |word: &&str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'".contains(&byte))
        };
        if words.iter().all(plain) { self.write_command(&words) } else { command(&words) }
    }

    /// A line has come in the handshake, or as the answer to PSYNC.
    pub(super) fn handshake_line(&mut self, line: &[u8], now: Moment) {
        match &mut self.state {
            // A bare newline keeps the link alive while the master prepares.
            _ if line.is_empty() => {}
            State::Handshake(asking) => match asking.sent.pop_front() {
                Some(ask) => self.handshake_reply(ask, line, now),
                None => self.lose(Lost::Protocol(format!("a reply to nothing: {}", shown(line))), now),
            },
            State::ReceivePsyncReply => self.psync_reply(line, now),
            _ => {}
        }
    }

    fn handshake_reply(&mut self, ask: Ask, line: &[u8], now: Moment) {
        let error = line.first() == Some(&b'-');
        match ask {
            Ask::Ping if !accepts_ping(line) => {
                return self.lose(Lost::Refused { to: "PING", reply: shown(line) }, now);
            }
            Ask::Auth if error => return self.lose(Lost::Refused { to: "AUTH", reply: shown(line) }, now),
            Ask::Ping | Ask::Auth => {}
            _ if error => {
                let option = match ask {
                    Ask::Port => "listening-port",
                    Ask::Ip => "ip-address",
                    Ask::Version => "version",
                    _ => "capa",
                };
                self.tell(Event::Shrugged { option, reply: shown(line) });
            }
            _ => {}
        }
        self.ask_on();
    }

    /// Sends what is to be sent now.
    fn ask_on(&mut self) {
        let State::Handshake(asking) = &mut self.state else { return };
        if !asking.sent.is_empty() {
            return;
        }
        let all = self.settings.compat.handshake == Handshake::Pipelined;
        let number = if all { asking.left.len() } else { 1.min(asking.left.len()) };
        let asks: VecDeque<Ask> = asking.left.drain(..number).collect();
        if asks.is_empty() {
            return self.send_psync();
        }
        asking.sent.clone_from(&asks);
        let bytes: Vec<u8> = asks.into_iter().flat_map(|ask| self.ask(ask)).collect();
        self.transmit(Channel::Main, bytes);
    }

    fn send_psync(&mut self) {
        let (replid, byte) = match self.cached {
            Some(cached) => (cached.replid.to_string(), cached.offset.next_byte().to_string()),
            None => ("?".to_owned(), "-1".to_owned()),
        };
        let mut words = vec!["PSYNC", &replid, &byte];
        if self.failover {
            words.push("FAILOVER");
        }
        let bytes = self.write_command(&words);
        self.transmit(Channel::Main, bytes);
        self.state = State::ReceivePsyncReply;
    }

    fn psync_reply(&mut self, line: &[u8], now: Moment) {
        let failover = std::mem::take(&mut self.failover);
        match words::answer(line) {
            Some(Answer::FullResync(replid, offset)) if is_replid(&replid) => {
                self.begin_transfer(Some((replid, offset)), None);
            }
            Some(Answer::Continue(replid)) if replid.is_none_or(|replid| is_replid(&replid)) => {
                self.continue_after(replid, now);
            }
            Some(Answer::RdbChannelSync(Some(client))) => {
                let two = (Rdb::connecting(TwoChannel::RdbChannel, Some(client)), Join::Accumulate);
                self.begin_transfer(None, Some(two));
            }
            Some(Answer::DualChannelSync) => {
                let two = (Rdb::connecting(TwoChannel::DualChannel, None), Join::Idle);
                self.begin_transfer(None, Some(two));
            }
            Some(_) => {
                self.lose(
                    Lost::Protocol(format!("an answer to PSYNC without what belongs to it: {}", shown(line))),
                    now,
                );
                self.cached = None;
            }
            None => self.psync_refused(line, failover, now),
        }
    }

    /// No sync, for now or by PSYNC at all.
    fn psync_refused(&mut self, line: &[u8], failover: bool, now: Moment) {
        let reply = shown(line);
        let transient = line.starts_with(b"-NOMASTERLINK") || line.starts_with(b"-LOADING");
        self.tell(Event::PsyncRefused { reply: reply.clone(), transient });
        if transient || failover {
            return self.lose(Lost::Refused { to: "PSYNC", reply }, now);
        }
        // A master that does not know PSYNC may know SYNC.
        self.transmit(Channel::Main, "SYNC\r\n");
        self.begin_transfer(None, None);
    }

    pub(super) fn begin_transfer(&mut self, place: Option<(Replid, Offset)>, two: Option<(Rdb, Join)>) {
        if place.is_some() {
            // What comes is another history, or another place in it.
            self.cached = None;
        }
        if two.is_some() {
            self.actions.push_back(Action::Connect(Channel::Rdb));
        }
        self.state = State::Transfer(Box::new(Sync {
            place,
            db: None,
            payload: Payload::Header,
            last_given: Vec::new(),
            loading: false,
            two,
            loaded: None,
        }));
    }

    fn continue_after(&mut self, replid: Option<Replid>, now: Moment) {
        let Some(cached) = self.cached else {
            return self.lose(Lost::Protocol("+CONTINUE, where there is nothing to continue".to_owned()), now);
        };
        let replid = replid.unwrap_or(cached.replid);
        self.begin_stream(Some(replid), cached.offset, cached.db, now);
        self.tell(Event::Continued { replid, offset: cached.offset });
    }
}

/// The answers to PING with which a replica goes on: `+PONG`, and what a master says that wants a password.
fn accepts_ping(line: &[u8]) -> bool {
    let accepted: [&[u8]; 3] = [b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted"];
    line.first() == Some(&b'+') || accepted.iter().any(|start| line.starts_with(start))
}

pub(super) fn is_replid(replid: &Replid) -> bool {
    replid.as_str().len() == Replid::LENGTH
}
