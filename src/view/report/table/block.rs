//! The story of one link: what was asked and answered, what it cost, how far behind, and what that means.

use super::overview::{self, Row, Snapshot, came_to_nothing, closed, nothing_came};
use super::page::Page;
use super::words::{GLUE, bytes, counted, exact_bytes, glued, packet, safe, seconds};
use crate::rdb::{Checksum, Format};
use crate::repl::event::{Certainty, Phase, Transfer};
use crate::repl::notes::Note;
use crate::repl::summary::{AckSummary, Auth, LinkSummary, NoteSummary, RdbSummary, StreamSummary, SyncKind};
use crate::units::{FrameNumber, Span, Stamp};

/// How many commands of a stream are named.
const COMMANDS_NAMED: usize = 8;

/// How many diagnoses of several links refused alike are told.
const NOTES_OF_MANY: usize = 5;

/// A duration shorter than this says nothing of a rate.
const RATE_FROM: f64 = 0.001;

/// One link, or several that were refused alike.
pub(super) fn block(page: &mut Page, row: &Row<'_>, start: Option<Stamp>) {
    match row.links.as_slice() {
        [link] => single(page, link, start),
        links => several(page, row, links, start),
    }
}

fn single(page: &mut Page, link: &LinkSummary, start: Option<Stamp>) {
    let what = if came_to_nothing(link) { nothing_came(link) } else { headline(link) };
    page.heading(&format!("Link {}: {what}", link.link));
    page.field("ends", &format!("{}{}", overview::ends(&link.replica.to_string(), link.master), opened(link, start)));
    diagnosis(page, link);
    handshake(page, link);
    sync(page, link);
    if let Some(rdb) = &link.rdb {
        page.field("RDB", &rdb_words(link, rdb));
    }
    if let Some(stream) = &link.stream {
        page.field("stream", &stream_words(stream));
    }
    if let Some(acks) = &link.acks {
        page.field("ACKs", &ack_words(acks, link.stream.as_ref()));
    }
    if link.gaps > 0 {
        let text = format!("{}, {} that the capture lacks", counted(link.gaps, "gap"), exact_bytes(link.gap_bytes));
        page.warning("gaps", &text);
    }
    phases(page, link);
}

/// What explains the link. The notes stand here, and the place for pictures of the story is below them.
fn diagnosis(page: &mut Page, link: &LinkSummary) {
    notes(page, &link.notes);
}

/// Diagnoses with the frame that shows each.
pub(super) fn notes(page: &mut Page, notes: &[NoteSummary]) {
    for note in notes {
        page.warning("note", &evidence(note, &format!("packet {}", note.packet)));
    }
}

/// What is the matter, by which code, and where that is seen.
fn evidence(note: &NoteSummary, packets: &str) -> String {
    format!("{} [{},{GLUE}{}]", safe(&note.text), note.note.code(), glued(packets))
}

/// What became of the link, in a few words.
fn headline(link: &LinkSummary) -> String {
    let pair = link.pair.map(|pair| format!(" with link {pair}")).unwrap_or_default();
    let cut = match overview::snapshot(link) {
        Snapshot::Whole => "",
        Snapshot::PartlySeen => ", of which the capture lacks a part",
        Snapshot::NotCompleted => ", not completed",
    };
    match (link.sync.kind, link.sync.transfer) {
        (SyncKind::Full, Some(transfer)) if link.rdb_channel => {
            format!("full sync, {}{pair}: the RDB{cut}", transfer.as_str())
        }
        (SyncKind::Full, Some(transfer @ (Transfer::RdbChannel | Transfer::DualChannel))) => {
            format!("full sync, {}{pair}: the stream{cut}", transfer.as_str())
        }
        (SyncKind::Full, Some(transfer)) => format!("full sync, {}{cut}", transfer.as_str()),
        (SyncKind::Full, None) => "full sync granted, no RDB seen".to_owned(),
        (SyncKind::Partial, _) => "partial sync".to_owned(),
        (SyncKind::Refused, _) => nothing_came(link),
        (SyncKind::None, _) if link.midstream => "joined midstream, no sync seen".to_owned(),
        (SyncKind::None, _) if overview::one_direction(link) => "the capture has one side of it only".to_owned(),
        (SyncKind::None, _) => "no sync seen".to_owned(),
    }
}

fn opened(link: &LinkSummary, start: Option<Stamp>) -> String {
    let packet = packet(link.opened.frame);
    let opened = if link.midstream { "first seen" } else { "opened" };
    match start.and_then(|start| link.opened.since(start)) {
        Some(span) => format!(", {opened} at {} {packet}", seconds(span)),
        None => format!(", {opened} {packet}"),
    }
}

/// What the replica said of itself, and how the login went.
fn handshake(page: &mut Page, link: &LinkSummary) {
    let login = match link.auth {
        Auth::None => None,
        Auth::Ok => Some("accepted"),
        Auth::Failed => Some("refused"),
        Auth::Missing => Some("asked for, none sent"),
    };
    let told = [
        login.map(|login| format!("login {login}")),
        link.replica_version.as_ref().map(|version| format!("version {}", safe(version))),
        link.replica_port.map(|port| format!("listens on port {port}")),
        (!link.capa.is_empty()).then(|| format!("capa {}", safe(&link.capa.join(" ")))),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if !told.is_empty() {
        page.field("replica", &told.join(", "));
    }
}

/// What was asked for, and what the master answered.
fn sync(page: &mut Page, link: &LinkSummary) {
    let asked = match link.sync.asked {
        Some(asked) => {
            let offset = asked.offset.map(|offset| format!(" {offset}")).unwrap_or_default();
            Some(format!("PSYNC {}{offset}", asked.replid))
        }
        None => link.notes.iter().any(|note| note.note == Note::FullSyncForced).then(|| "SYNC".to_owned()),
    };
    if let Some(asked) = asked {
        page.field("asked", &asked);
    }
    let history = link.sync.replid.map(|replid| format!(" of history {replid}")).unwrap_or_default();
    let offset = link.sync.offset;
    let answer = match link.sync.kind {
        SyncKind::Full => {
            let offset = offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
            format!("full sync: a snapshot{history}{offset}")
        }
        SyncKind::Partial => {
            let from = offset.map(|offset| format!(" from byte {} on", offset.next_byte())).unwrap_or_default();
            format!("partial sync: the stream{history}{from}")
        }
        // The heading has it.
        SyncKind::Refused | SyncKind::None => return,
    };
    page.field("answered", &answer);
}

fn rdb_words(link: &LinkSummary, rdb: &RdbSummary) -> String {
    if rdb.link != link.link {
        return format!("{}, {}, on link {}", bytes(rdb.bytes), counted(rdb.summary.keys, "key"), rdb.link);
    }
    let summary = &rdb.summary;
    let mut parts = vec![exact_bytes(rdb.bytes)];
    if let Some(header) = summary.header {
        parts.push(format!("{header}{}", written_by(rdb, header.format)));
    }
    let expires = if summary.expires > 0 { format!(" ({} with an expiry)", summary.expires) } else { String::new() };
    let so_far = if rdb.complete { "" } else { " so far" };
    parts.push(format!(
        "{}{so_far}{expires} in {}",
        counted(summary.keys, "key"),
        counted(summary.databases, "database")
    ));
    if summary.functions > 0 {
        parts.push(counted(summary.functions, "function library").replace("librarys", "libraries"));
    }
    parts.push(match summary.checksum {
        _ if !rdb.complete => "not complete".to_owned(),
        Some(Checksum::Ok) => "checksum ok".to_owned(),
        Some(Checksum::Bad { stored, computed }) => {
            format!("CHECKSUM BAD ({stored:016x} stored, {computed:016x} computed)")
        }
        Some(Checksum::Off) => "checksum off".to_owned(),
        Some(Checksum::Absent) | None => "no checksum".to_owned(),
    });
    let mut text = parts.join(", ");
    if let Some(waited) = rdb.waited {
        text.push_str(&format!("; began {} after it was asked for", seconds(waited)));
    }
    if let Some(duration) = rdb.duration {
        text.push_str(&format!("; took {}{}", seconds(duration), rate(rdb.bytes, duration)));
    }
    text
}

fn written_by(rdb: &RdbSummary, format: Format) -> String {
    let aux = |name: &[u8]| rdb.summary.aux.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let server = if format == Format::Valkey { "Valkey" } else { "Redis" };
    let named = [("Valkey", aux(b"valkey-ver")), (server, aux(b"redis-ver"))];
    let found = named.into_iter().find_map(|(server, version)| Some((server, version?)));
    found.map_or_else(String::new, |(server, version)| {
        format!(" from {server} {}", safe(&String::from_utf8_lossy(version)))
    })
}

fn rate(size: u64, duration: Span) -> String {
    let duration = duration.seconds();
    if duration < RATE_FROM { String::new() } else { format!(", {}/s", bytes((size as f64 / duration) as u64)) }
}

fn stream_words(stream: &StreamSummary) -> String {
    let mut text = format!("{}, {}", exact_bytes(stream.bytes), counted(stream.commands, "command"));
    match (stream.first, stream.last) {
        (Some(first), Some(last)) => {
            let certainty = match stream.certainty {
                Certainty::Exact => "exact",
                Certainty::Inferred => "inferred from the ACKs",
                Certainty::Unknown => "not certain",
            };
            text.push_str(&format!(", bytes {first} to {last} ({certainty})"));
        }
        _ => text.push_str(", offsets unknown"),
    }
    if stream.newlines > 0 {
        text.push_str(&format!(", {} between them", counted(stream.newlines, "newline")));
    }
    let sorted = stream.by_command.sorted();
    let mut named: Vec<String> =
        sorted.iter().take(COMMANDS_NAMED).map(|(name, count)| format!("{}{GLUE}{count}", safe(name))).collect();
    let rest: u64 =
        sorted.iter().skip(COMMANDS_NAMED).map(|(_, count)| count).sum::<u64>() + stream.by_command.others();
    if rest > 0 {
        named.push(format!("others{GLUE}{rest}"));
    }
    if !named.is_empty() {
        text.push_str(": ");
        text.push_str(&named.join("\u{a0}· "));
    }
    text
}

fn ack_words(acks: &AckSummary, stream: Option<&StreamSummary>) -> String {
    let mut text = acks.count.to_string();
    let end = stream.and_then(|stream| stream.last).map(|last| i128::from(last.0));
    text.push_str(&match (acks.last, end) {
        (..0, _) => format!(", the last {}: the replica knows no offset", acks.last),
        (last, Some(end)) if i128::from(last) == end => format!(", the last {last}: all of the stream"),
        (last, Some(end)) if i128::from(last) < end => {
            let missing = u64::try_from(end - i128::from(last)).unwrap_or(u64::MAX);
            format!(", the last {last}: {} short of the stream's end", bytes(missing))
        }
        (last, _) => format!(", the last {last}"),
    });
    match (acks.max_lag, acks.max_delay) {
        (Some(0), _) => text.push_str("; each covered all that had been sent"),
        (Some(lag), Some(delay)) => {
            text.push_str(&format!("; behind by {} and {} at most", bytes(lag), seconds(delay)));
        }
        (Some(lag), None) => text.push_str(&format!("; behind by {} at most", bytes(lag))),
        (None, _) => {}
    }
    text
}

/// How long each phase took, and how it all ended.
fn phases(page: &mut Page, link: &LinkSummary) {
    let (ending, lasting) = match link.phases.split_last() {
        Some((last, rest)) if last.phase == Phase::Close => (Some(last), rest),
        _ => (None, link.phases.as_slice()),
    };
    let mut parts: Vec<String> = lasting
        .iter()
        .map(|phase| match phase.end.since(phase.start) {
            Some(span) => format!("{}{GLUE}{}", phase.phase.as_str(), seconds(span)),
            None => phase.phase.as_str().to_owned(),
        })
        .collect();
    let at = ending.map(|ending| ending.start).filter(|_| link.closed.0.is_some());
    let packet = at.map(|at| format!(" {}", packet(at.frame))).unwrap_or_default();
    parts.push(match link.closed {
        (None, _) => "still open when the capture ended".to_owned(),
        (Some(_), _) => format!("closed by the {}{packet}", closed_words(link)),
    });
    page.field("phases", &parts.join("\u{a0}· "));
}

fn closed_words(link: &LinkSummary) -> String {
    let words = closed(link);
    words.replace(" FIN", " with FIN").replace(" RST", " with RST")
}

/// Links that were refused alike: what they have in common, once.
fn several(page: &mut Page, row: &Row<'_>, links: &[&LinkSummary], start: Option<Stamp>) {
    let (first, last) = (row.first(), links.last().copied().unwrap_or_else(|| row.first()));
    let numbers = row.numbers().replace('–', " to ");
    page.heading(&format!("Links {numbers} ({} alike): {}", links.len(), nothing_came(first)));
    let times = start.and_then(|start| first.opened.since(start).zip(last.opened.since(start)));
    let times =
        times.map(|(from, to)| format!(", opened between {} and {}", seconds(from), seconds(to))).unwrap_or_default();
    let packets = glued(&format!("[packets {} to {}]", first.opened.frame, last.opened.frame));
    page.field(
        "ends",
        &format!("{}{times} {packets}", overview::ends(&first.replica.host().to_string(), first.master)),
    );
    let mut told: Vec<(&NoteSummary, u64, FrameNumber)> = Vec::new();
    let mut untold = 0;
    for note in links.iter().flat_map(|link| &link.notes) {
        let alike =
            |(known, ..): &(&NoteSummary, u64, FrameNumber)| (known.note, &known.text) == (note.note, &note.text);
        match told.iter().position(alike) {
            Some(at) => (told[at].1, told[at].2) = (told[at].1 + 1, note.packet),
            None if told.len() < NOTES_OF_MANY => told.push((note, 1, note.packet)),
            None => untold += 1,
        }
    }
    for (note, count, last) in told {
        let packets = if count == 1 {
            format!("packet {}", note.packet)
        } else {
            format!("{count} times, packets {} to {last}", note.packet)
        };
        page.warning("note", &evidence(note, &packets));
    }
    if untold > 0 {
        page.field("", &format!("and {}, which the JSON form has", counted(untold, "more note")));
    }
    handshake(page, first);
}
