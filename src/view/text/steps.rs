//! The lines of events that are no commands of the stream.

use super::page::{Head, Tone};
use super::quiet::{Ack, heartbeat};
use super::words::{self, Part};
use super::{LinkView, Text};
use crate::packet::Endpoint;
use crate::repl::event::{Asked, Certainty, Event, Kind, Phase, Side, Transfer};
use crate::resp::{Command, Reply};
use crate::tcp::How;
use crate::units::{LinkNumber, Offset, Span};
use crate::view::terminal;

/// An answer that took longer than this is told how long.
const SLOW: u64 = 10_000_000;

impl Text {
    /// Writes the line of an event.
    pub(super) fn step(&mut self, event: &Event<'_>) {
        let head = Head::of(event);
        match event.kind {
            Kind::Connect { replica, master, rtt, midstream } => {
                self.connect_step(event, &head, (replica, master), rtt, midstream);
            }
            Kind::Command { command, asked } => self.command_step(&head, command, asked),
            Kind::Reply { to, reply, latency } => self.reply_step(&head, to, reply, latency),
            Kind::FullResync { .. } | Kind::Continue { .. } | Kind::TwoChannel { .. } => self.sync_step(event, &head),
            Kind::RdbBegin { transfer, bytes, eof_mark, waited, keepalives } => {
                let said = match (bytes, eof_mark) {
                    (Some(bytes), _) => format!("${bytes}"),
                    (None, Some(mark)) => format!("$EOF:{}..", terminal::safe(&mark.as_bytes()[..mark.len().min(10)])),
                    (None, None) => "RDB".to_owned(),
                };
                let meaning = words::rdb_begin(transfer, bytes, waited, keepalives);
                self.page.step(&mut self.row, &head, &said, Tone::Plain, &meaning);
            }
            Kind::RdbEnd(end) => {
                let (said, meaning) = words::rdb_end(&end);
                let tone = if end.complete { Tone::Plain } else { Tone::Bad };
                self.page.step(&mut self.row, &head, &said, tone, &meaning);
            }
            Kind::Note { note, text } => {
                let text = terminal::safe(text.as_bytes());
                self.page.note(&mut self.row, &head, note.code(), &text);
            }
            Kind::Close { by, how } => self.close_step(event, &head, by, how),
            _ => self.stream_step(event, &head),
        }
        self.put_row(event.link);
    }

    fn connect_step(
        &mut self,
        event: &Event<'_>,
        head: &Head,
        (replica, master): (Endpoint, Endpoint),
        rtt: Option<Span>,
        midstream: bool,
    ) {
        let mut meaning = Vec::new();
        if let Some(time) = event.stamp.time {
            meaning.extend_from_slice(b"at ");
            self.clock.write_rfc3339(&mut meaning, time);
        }
        let mut meaning = String::from_utf8(meaning).unwrap_or_default();
        if let Some(rtt) = rtt {
            meaning.push_str(&format!(", round trip {}", words::duration(rtt)));
        }
        if midstream {
            meaning.push_str(", already open: the capture began later");
        }
        let said = format!("replica {replica} -> master {master}");
        self.page.step(&mut self.row, head, &said, Tone::Plain, &meaning);
    }

    fn command_step(&mut self, head: &Head, command: &Command<'_>, asked: Option<Asked>) {
        let said = words::said(command, self.options.show_secrets, self.options.max_bytes, &mut self.replids);
        let part = self.part_of(head.link);
        let meaning = words::command(command, asked, head.phase, part);
        self.page.step(&mut self.row, head, &said, Tone::Plain, &meaning);
    }

    fn reply_step(&mut self, head: &Head, to: Option<&str>, reply: Reply<'_>, latency: Option<Span>) {
        let said = words::reply_said(to, reply, self.options.show_secrets, self.options.max_bytes.max(80));
        let mut meaning = words::reply(to, reply.head).to_owned();
        if let Some(latency) = latency
            && (latency.nanos >= SLOW || self.options.verbosity > 0)
        {
            let comma = if meaning.is_empty() { "" } else { ", " };
            meaning.push_str(&format!("{comma}after {}", words::duration(latency)));
        }
        let tone = if reply.is_error() { Tone::Bad } else { Tone::Plain };
        self.page.step(&mut self.row, head, &said, tone, &meaning);
    }

    /// What the master grants, and how a sync over two connections is put together.
    fn sync_step(&mut self, event: &Event<'_>, head: &Head) {
        let part = self.part_of(event.link);
        let (said, meaning) = match event.kind {
            Kind::FullResync { replid, offset, .. } => {
                let id = self.replids.show(replid);
                let said = match event.link.and_then(|number| self.links.get(&number)?.transfer) {
                    Some(Transfer::DualChannel) => format!("$ENDOFF:{offset} {id}"),
                    _ => format!("+FULLRESYNC {id} {offset}"),
                };
                let meaning = match part {
                    Part::Rdb => format!("full sync: the RDB comes here, and is the data at offset {offset}"),
                    _ => format!("full sync: the RDB first, then the stream after offset {offset}"),
                };
                (said, meaning)
            }
            Kind::Continue { replid, offset, .. } => {
                let said = match replid {
                    Some(replid) => format!("+CONTINUE {}", self.replids.show(replid)),
                    None => "+CONTINUE".to_owned(),
                };
                let meaning = match (part, offset) {
                    (Part::Stream, Some(offset)) => {
                        format!("the stream follows here after offset {offset}, beside the RDB")
                    }
                    _ => words::partial(offset),
                };
                (said, meaning)
            }
            Kind::TwoChannel { transfer, client_id, pair } => {
                self.two_channel(event, transfer, pair);
                two_channel_words(event.from, transfer, client_id, pair)
            }
            _ => return,
        };
        self.page.step(&mut self.row, head, &said, Tone::Plain, &meaning);
    }

    fn part_of(&self, link: Option<LinkNumber>) -> Part {
        link.and_then(|number| self.links.get(&number)).map_or(Part::All, |link| link.part)
    }

    fn two_channel(&mut self, event: &Event<'_>, transfer: Transfer, pair: Option<LinkNumber>) {
        let part = if event.from == Some(Side::Replica) { Part::Rdb } else { Part::Stream };
        let other = if part == Part::Rdb { Part::Stream } else { Part::Rdb };
        for (number, part) in [(event.link, part), (pair, other)] {
            if let Some(link) = number.and_then(|number| self.links.get_mut(&number)) {
                link.transfer = Some(transfer);
                link.part = part;
            }
        }
    }

    /// A line of the stream, or one that may stand there.
    fn stream_step(&mut self, event: &Event<'_>, head: &Head) {
        let link = event.link.and_then(|number| self.links.get_mut(&number));
        let (offset, tone, text) = match event.kind {
            Kind::Heartbeat { offset, bytes } => {
                let text = heartbeat(head.from == Some(Side::Replica), bytes == 1);
                (offset, Tone::Dim, text)
            }
            Kind::GetAck { offset, .. } => {
                if let Some(link) = link {
                    link.news = true;
                    link.offset = offset;
                }
                let text = "REPLCONF GETACK *  the master asks how far the replica is (WAIT does that)".to_owned();
                (offset, Tone::Plain, text)
            }
            Kind::Ack { offset, fack, lag, delay, rtt } => {
                let Ok(known) = u64::try_from(offset) else {
                    let text =
                        format!("ACK {offset}  the replica is online and knows no offset, as after a plain SYNC");
                    return self.page.stream_step(&mut self.row, head, None, Tone::Plain, &text);
                };
                let offset = Offset(known);
                let ack = Ack { offset, fack, lag, delay, rtt };
                let first = link.is_some_and(|link| {
                    link.news = false;
                    link.ack = Some(ack);
                    !std::mem::replace(&mut link.online, true)
                });
                (Some(offset), Tone::Plain, ack.words(first))
            }
            Kind::Offsets { first, certainty } => {
                let text = offsets_words(first, certainty);
                (Some(Offset::before_byte(first)), Tone::Plain, text)
            }
            Kind::Gap { bytes } => {
                let text = format!("!! {} missing from the capture", are(bytes));
                return self.broken(head, &text);
            }
            Kind::Malformed { reason, bytes } => {
                let text = format!(
                    "!! makes no sense: {} ({})",
                    terminal::safe(reason.as_bytes()),
                    words::count(bytes, "byte")
                );
                return self.broken(head, &text);
            }
            _ => return,
        };
        if head.phase == Phase::Stream {
            self.page.stream_step(&mut self.row, head, offset, tone, &text);
        } else {
            self.page.step(&mut self.row, head, &text, tone, "");
        }
    }

    fn broken(&mut self, head: &Head, text: &str) {
        if let Some(link) = head.link.and_then(|number| self.links.get_mut(&number)) {
            link.news = true;
        }
        self.page.step(&mut self.row, head, text, Tone::Bad, "");
    }

    fn close_step(&mut self, event: &Event<'_>, head: &Head, by: Option<Side>, how: Option<How>) {
        let said = match (by, how) {
            (Some(side), Some(How::Rst)) => format!("RST: the {} tears the connection down", side.as_str()),
            (Some(side), _) => format!("FIN: the {} closes the connection", side.as_str()),
            (None, _) => "the capture ends; the connection is open".to_owned(),
        };
        let link = event.link.and_then(|number| self.links.get(&number));
        let meaning = link.and_then(last_words).unwrap_or_default();
        let tone = if how == Some(How::Rst) { Tone::Bad } else { Tone::Plain };
        self.page.step(&mut self.row, head, &said, tone, &meaning);
    }

    /// A line of an ordinary client.
    pub(super) fn client(&mut self, event: &Event<'_>) {
        let head = Head::of(event);
        let (said, tone) = match event.kind {
            Kind::Command { command, .. } => {
                let (secrets, max_bytes) = (self.options.show_secrets, self.options.max_bytes);
                (words::said(command, secrets, max_bytes, &mut self.replids), Tone::Plain)
            }
            Kind::Reply { to, reply, .. } => {
                let tone = if reply.is_error() { Tone::Bad } else { Tone::Plain };
                (words::reply_said(to, reply, self.options.show_secrets, self.options.max_bytes), tone)
            }
            _ => return,
        };
        self.page.step(&mut self.row, &head, &said, tone, "");
        self.put_row(None);
    }
}

/// How far a link that ends had come.
fn last_words(link: &LinkView) -> Option<String> {
    let ack = link.ack?;
    Some(match link.offset.map(|offset| offset.0.checked_sub(ack.offset.0)) {
        Some(Some(0)) => format!("all was acknowledged, up to offset {}", ack.offset),
        Some(Some(open)) => {
            let sent = Offset(ack.offset.0 + open);
            format!(
                "{} unacknowledged: sent up to {sent}, acknowledged up to {}",
                words::count(open, "byte"),
                ack.offset
            )
        }
        _ => format!("acknowledged up to offset {}", ack.offset),
    })
}

fn are(bytes: u64) -> String {
    format!("{} {}", words::count(bytes, "byte"), if bytes == 1 { "is" } else { "are" })
}

fn two_channel_words(
    from: Option<Side>,
    transfer: Transfer,
    client_id: Option<u64>,
    pair: Option<LinkNumber>,
) -> (String, String) {
    if from == Some(Side::Replica) {
        let main =
            pair.map_or_else(|| "another connection, which the capture lacks".to_owned(), |main| format!("#{main}"));
        return ("(second connection)".to_owned(), format!("it carries the RDB, the stream comes on {main}"));
    }
    let said = match (transfer, client_id) {
        (Transfer::DualChannel, _) => "+DUALCHANNELSYNC".to_owned(),
        (_, Some(id)) => format!("+RDBCHANNELSYNC {id}"),
        (_, None) => "+RDBCHANNELSYNC".to_owned(),
    };
    let whose = client_id.map_or_else(String::new, |id| format!(" (this one is client {id})"));
    let meaning = format!("full sync over two connections: the stream here, the RDB on a second one{whose}");
    (said, meaning)
}

fn offsets_words(first: u64, certainty: Certainty) -> String {
    let whence = match certainty {
        Certainty::Exact => "from the other connection",
        Certainty::Inferred => "from the replica's ACKs",
        Certainty::Unknown => "from nowhere",
    };
    format!("offsets known  {whence}: the first byte of the stream that the capture shows is number {first}")
}
