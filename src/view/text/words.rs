//! What the protocol's steps mean, in words. Everything that is taken from the wire is made safe here.

use crate::rdb::Checksum;
use crate::repl::event::{Asked, Phase, RdbEnd, Replid, Transfer};
use crate::resp::{Command, Reply};
use crate::units::{Offset, Span};
pub(super) use crate::view::amount::{count, size};
use crate::view::secrets::{self, MASK, Secrets};
use crate::view::terminal;

/// Replids whose full form has been shown and is remembered.
const REMEMBERED: usize = 256;
/// Hexadecimal digits of a replid's short form.
const SHORT: usize = 10;

/// The replids that were shown. The first time one is shown in full, then by its beginning.
#[derive(Debug, Default)]
pub(super) struct Replids {
    seen: Vec<Replid>,
}

impl Replids {
    pub(super) fn show(&mut self, id: Replid) -> String {
        if id.as_str().len() < Replid::LENGTH {
            return id.as_str().to_owned();
        }
        if self.seen.iter().any(|seen| seen.matches(&id)) {
            return short(id);
        }
        if self.seen.len() == REMEMBERED {
            self.seen.remove(0);
        }
        self.seen.push(id);
        id.as_str().to_owned()
    }
}

/// A replid's short form.
pub(super) fn short(id: Replid) -> String {
    match id.as_str().get(..SHORT) {
        Some(beginning) if id.as_str().len() == Replid::LENGTH => format!("{beginning}.."),
        _ => id.as_str().to_owned(),
    }
}

/// A duration for people: three digits or so.
pub(super) fn duration(span: Span) -> String {
    let seconds = span.seconds();
    match span.nanos {
        0..1_000_000 => format!("{:.3} ms", seconds * 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", seconds * 1e3),
        1_000_000_000..100_000_000_000 => format!("{seconds:.2} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// A command of the handshake or the sync as it was said, passwords masked, a known replid shortened.
pub(super) fn said(command: &Command<'_>, show_secrets: bool, max_bytes: usize, replids: &mut Replids) -> String {
    let mut out = Vec::new();
    let secrets = if show_secrets { Secrets::None } else { Secrets::of(command) };
    let is_psync = command.is("PSYNC");
    let mut before: &[u8] = b"";
    for (index, argument) in command.arguments().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        if secrets.hides(index, argument.head, before) {
            out.extend_from_slice(MASK.as_bytes());
        } else if is_psync && index == 1 && argument.head.len() == Replid::LENGTH {
            out.extend_from_slice(replids.show(Replid::from_wire(argument.head)).as_bytes());
        } else {
            push_argument(&mut out, argument.head, argument.length, max_bytes);
        }
        before = argument.head;
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Appends an argument, its beginning only where it is long.
#[inline]
pub(super) fn push_argument(out: &mut Vec<u8>, head: &[u8], length: u64, max_bytes: usize) {
    let shown = head.len().min(max_bytes);
    let cut = (shown as u64) < length;
    terminal::push_word(out, &head[..shown], cut);
    if cut {
        out.extend_from_slice(b"...(");
        crate::view::time::write_decimal(out, length);
        out.extend_from_slice(b" bytes)");
    }
}

/// What a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything.
    All,
    /// The stream; the RDB travels on another connection.
    Stream,
    /// The RDB; the stream travels on another connection.
    Rdb,
}

/// What a command of the replica's means.
pub(super) fn command(command: &Command<'_>, asked: Option<Asked>, phase: Phase, part: Part) -> String {
    let name = String::from_utf8_lossy(command.name()).to_ascii_uppercase();
    match name.as_str() {
        "PING" if phase == Phase::Handshake => "is the master there, and does it answer?".to_owned(),
        "AUTH" if command.count() > 2 => "logs in with user name and password".to_owned(),
        "AUTH" => "logs in with a password".to_owned(),
        "REPLCONF" => replconf(command),
        "PSYNC" | "SYNC" if part == Part::Rdb => "asks for the RDB".to_owned(),
        "PSYNC" if part == Part::Stream => "asks for the stream".to_owned(),
        "PSYNC" => psync(command, asked),
        "SYNC" => "asks for a full sync, with the old command".to_owned(),
        _ => String::new(),
    }
}

fn psync(command: &Command<'_>, asked: Option<Asked>) -> String {
    let Some(asked) = asked else { return String::new() };
    let mut text = match asked.offset {
        _ if asked.replid.as_str().is_empty() => "asks to continue, but names no history".to_owned(),
        Some(first @ 2..) if asked.replid.as_str() != "?" => {
            format!("asks to go on: has history {} up to offset {}", short(asked.replid), first - 1,)
        }
        Some(1) if asked.replid.as_str() != "?" => "asks as a fresh replica does: own id, first byte".to_owned(),
        _ => "has nothing yet, asks for everything".to_owned(),
    };
    if command.argument(3).is_some_and(|word| word.eq_ignore_ascii_case(b"FAILOVER")) {
        text.push_str("; and tells the other end to take over as master (FAILOVER)");
    }
    text
}

fn replconf(command: &Command<'_>) -> String {
    let mut phrases: Vec<String> = Vec::new();
    let mut abilities: Vec<String> = Vec::new();
    let mut arguments = command.arguments().skip(1).map(|argument| argument.head);
    while let (Some(option), Some(value)) = (arguments.next(), arguments.next()) {
        let shown = terminal::safe(&value[..value.len().min(64)]);
        match option.to_ascii_lowercase().as_slice() {
            b"capa" => abilities.push(ability(&shown)),
            b"listening-port" => phrases.push(format!("the replica's own port: {shown}")),
            b"ip-address" => phrases.push(format!("the replica wants to be known as {shown}")),
            b"version" => phrases.push(format!("the replica is Valkey {shown}")),
            b"rdb-only" if value == b"1" => phrases.push("wants the RDB only, no stream after it".to_owned()),
            b"rdb-filter-only" if value.is_empty() => phrases.push("wants an empty RDB".to_owned()),
            b"rdb-filter-only" => phrases.push(format!("wants a part of the data only: {shown}")),
            b"rdb-channel" if value == b"1" => phrases.push("this connection is for the RDB".to_owned()),
            b"main-ch-client-id" => phrases.push(format!("goes with the main connection, client {shown}")),
            b"set-rdb-client-id" => phrases.push(format!("its RDB comes over the connection of client {shown}")),
            b"set-cluster-node-id" => phrases.push("the replica's name in the cluster".to_owned()),
            _ => {}
        }
    }
    if !abilities.is_empty() {
        phrases.push(format!("can do: {}", abilities.join(", ")));
    }
    phrases.join("; ")
}

fn ability(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "eof" => "diskless transfer ($EOF)".to_owned(),
        "psync2" => "PSYNC2".to_owned(),
        "rdb-channel-repl" => "RDB over a second connection".to_owned(),
        "dual-channel" => "RDB over a second connection".to_owned(),
        "skip-rdb-checksum" => "RDB without a checksum".to_owned(),
        "lz4" | "zstd" => format!("compression with {name}"),
        _ => name.to_owned(),
    }
}

/// A reply as it was said, cut to `max_bytes`.
pub(super) fn reply_said(to: Option<&str>, reply: Reply<'_>, show_secrets: bool, max_bytes: usize) -> String {
    let visible = if show_secrets { reply.head.len() } else { secrets::shown_of_reply(to, reply.head) };
    let shown = visible.min(max_bytes);
    let mut text = terminal::safe(&reply.head[..shown]);
    if visible < reply.head.len() {
        text.push_str(MASK);
    } else if (shown as u64) < reply.length {
        text.push_str(terminal::ELLIPSIS);
    }
    text
}

/// What a reply means, by its beginning: where it is the same whatever was asked.
const ERRORS: &[(&str, &str)] = &[
    ("-NOMASTERLINK", "no sync now: this master is a replica that has lost its own master"),
    ("-MASTERDOWN", "turned away: this master is a replica that has lost its own master"),
    ("-LOADING", "not now: the master is still loading its data"),
    ("-BUSY", "not now: the master is busy with a script"),
    ("-DENIED", "turned away: protected mode takes no connections from outside"),
    ("-ERR max number of clients", "turned away: the master has too many clients"),
    ("-NOPERM", "refused: this user may not do that"),
    ("-WRONGPASS", "login refused: wrong user or password"),
    ("-ERR invalid password", "login refused: wrong password"),
    ("-ERR Client sent AUTH", "login refused: the master has no password"),
    ("-ERR AUTH <password> called", "login refused: the master has no password"),
    ("-ERR Unrecognized REPLCONF option", "does not know this option; no harm done"),
    ("-ERR SYNC and PSYNC are invalid with pending output", "refused: sent before earlier replies were read"),
];

/// What a reply means.
pub(super) fn reply(to: Option<&str>, head: &[u8]) -> &'static str {
    let begins = |start: &str| head.starts_with(start.as_bytes());
    if begins("-NOAUTH") || begins("-ERR operation not permitted") {
        return match to {
            Some("PING") => "the master wants a password first; the replica goes on and logs in if it has one",
            _ => "refused: not without a login",
        };
    }
    if let Some((_, meaning)) = ERRORS.iter().find(|(start, _)| begins(start)) {
        return meaning;
    }
    match to {
        Some("PING") if begins("+PONG") => "the master answers: alive",
        Some("AUTH") if begins("+OK") => "login accepted",
        Some("AUTH") if begins("-") => "login refused",
        Some("REPLCONF") if begins("+OK") => "understood",
        Some("REPLCONF") if begins("-") => "option refused; the replica goes on without it",
        Some("PSYNC") if begins("-") => "refused: the replica tries SYNC next, or comes again",
        Some("SYNC") if begins("-") => "refused: no sync",
        _ => "",
    }
}

/// What a partial sync's grant means.
pub(super) fn partial(offset: Option<Offset>) -> String {
    match offset {
        Some(offset) => format!("partial sync: no RDB, the stream goes on after offset {offset}"),
        None => "partial sync: no RDB, the stream goes on".to_owned(),
    }
}

/// What the beginning of an RDB means.
pub(super) fn rdb_begin(transfer: Transfer, bytes: Option<u64>, waited: Option<Span>, keepalives: u64) -> String {
    let mut text = match (transfer, bytes) {
        (_, Some(bytes)) => format!("the RDB begins: {} from disk", size(bytes)),
        (Transfer::RdbChannel | Transfer::DualChannel, None) => "the RDB begins, on its own connection".to_owned(),
        _ => "the RDB begins: diskless, ends with this mark".to_owned(),
    };
    if let Some(waited) = waited {
        text.push_str(&format!("; ready in {}", duration(waited)));
    }
    if keepalives > 0 {
        text.push_str(&format!(" ({} meanwhile)", count(keepalives, "keep-alive newline")));
    }
    text
}

/// The end of an RDB: its size, then how fast it was and what was in it.
pub(super) fn rdb_end(end: &RdbEnd<'_>) -> (String, String) {
    let summary = end.summary;
    let verb = if end.complete { "RDB complete" } else { "RDB incomplete" };
    let said = format!("{verb}: {}", size(end.bytes));
    let mut parts = Vec::new();
    let expires = if summary.expires > 0 { format!(" ({} with an expiry)", summary.expires) } else { String::new() };
    let databases = match summary.databases {
        0 | 1 => String::new(),
        more => format!(" in {more} databases"),
    };
    parts.push(format!("{}{expires}{databases}", count(summary.keys, "key")));
    if summary.functions > 0 {
        let noun = if summary.functions == 1 { "function library" } else { "function libraries" };
        parts.push(format!("{} {noun}", summary.functions));
    }
    parts.push(checksum_words(summary.checksum).to_owned());
    if let Some(taken) = end.duration {
        let mut text = format!("took {}", duration(taken));
        if end.bytes >= 1 << 16 && taken.nanos > 0 {
            text.push_str(&format!(" ({:.1} MB/s)", end.bytes as f64 / 1e6 / taken.seconds()));
        }
        parts.push(text);
    }
    if let Some(header) = summary.header {
        let writer = [("valkey-ver", "Valkey"), ("redis-ver", "Redis")].iter().find_map(|(aux, product)| {
            let (_, version) = summary.aux.iter().find(|(key, _)| key == aux.as_bytes())?;
            Some(format!(" by {product} {}", terminal::safe(&version[..version.len().min(32)])))
        });
        parts.push(format!("{header}{}", writer.unwrap_or_default()));
    }
    (said, parts.join(", "))
}

fn checksum_words(checksum: Option<Checksum>) -> &'static str {
    match checksum {
        Some(Checksum::Ok) => "checksum ok",
        Some(Checksum::Bad { .. }) => "checksum WRONG",
        Some(Checksum::Off) => "checksum off",
        Some(Checksum::Absent) => "too old for a checksum",
        None => "end not reached",
    }
}
