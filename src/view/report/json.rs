//! The report as one JSON object, its fields those of the contract.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{CaptureSummary, FullReport};
use crate::capture::LinkType;
use crate::repl::event::{Asked, Side};
use crate::repl::observer::{Tally, Totals};
use crate::repl::summary::{
    AckSummary, Folded, LinkSummary, NoteSummary, PhaseSummary, RdbSummary, StreamSummary, SyncSummary,
};
use crate::units::{Span, Stamp, Timestamp};
use crate::view::json::{checksum_word, how_word};
use crate::view::time::Clock;

/// The version of the report's form.
const SCHEMA: u32 = 1;

/// Writes the whole report as one object on one line. Link by link, so that a report of thousands needs no tree of all.
///
/// # Errors
/// Those of the writer.
pub fn write_json(full: &FullReport, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{{\"schema\":{SCHEMA},\"capture\":{},\"links\":[", capture(&full.capture))?;
    for (index, summary) in full.report.links.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}{}", link_json(summary))?;
    }
    let clients = json!({
        "connections": full.totals.clients.connections,
        "bytes": full.totals.clients.bytes,
        "silent": full.totals.silent,
    });
    let mut notes: Vec<Value> = full.report.notes.iter().map(note).collect();
    if let Some(damage) = &full.capture.damage {
        notes.push(json!({"code": "capture-damaged", "text": damage, "packet": full.capture.packets}));
    }
    write!(out, "],\"clients\":{clients},\"other\":{},\"notes\":{}", other(&full.totals), Value::from(notes))?;
    if !full.report.folded.is_empty() {
        write!(out, ",\"folded\":{}", full.report.folded.iter().map(folded).collect::<Value>())?;
    }
    writeln!(out, "}}")
}

fn folded(folded: &Folded) -> Value {
    json!({
        "count": folded.count,
        "replica": folded.replica.host().to_string(),
        "master": folded.master.to_string(),
        "error": folded.error,
    })
}

fn capture(capture: &CaptureSummary) -> Value {
    let name = |link_type: &LinkType| link_type.name().map_or_else(|| link_type.0.to_string(), str::to_owned);
    let link_type = match &capture.link_types[..] {
        [] => Value::Null,
        [one] => name(one).into(),
        several => several.iter().map(name).collect(),
    };
    json!({
        "file": capture.file,
        "format": capture.format,
        "compression": capture.compression,
        "link_type": link_type,
        "packets": capture.packets,
        "bytes": capture.bytes,
        "first": time(capture.span.and_then(|(first, _)| first.time)),
        "last": time(capture.span.and_then(|(_, last)| last.time)),
        "dropped": capture.dropped,
        "connections": capture.connections,
    })
}

fn time(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| {
        let mut text = Vec::new();
        Clock::default().write_rfc3339(&mut text, time);
        String::from_utf8_lossy(&text).into_owned().into()
    })
}

fn seconds(span: Option<Span>) -> Value {
    span.map_or(Value::Null, |span| span.seconds().into())
}

fn other(totals: &Totals) -> Value {
    let tallies = [("tls", totals.tls), ("cluster-bus", totals.cluster_bus), ("unknown", totals.unknown)];
    let present = tallies.into_iter().filter(|(_, tally)| tally.connections > 0);
    present
        .map(|(kind, Tally { connections, bytes })| json!({"kind": kind, "connections": connections, "bytes": bytes}))
        .collect()
}

fn note(note: &NoteSummary) -> Value {
    json!({"code": note.note.code(), "text": note.text, "packet": note.packet.0})
}

/// One link, as the report has it.
#[must_use]
pub fn link_json(link: &LinkSummary) -> Value {
    let (by, how) = link.closed;
    json!({
        "link": link.link.0,
        "replica": link.replica.to_string(),
        "master": link.master.to_string(),
        "midstream": link.midstream,
        "channel": if link.rdb_channel { "rdb" } else { "main" },
        "pair": link.pair.map(|pair| pair.0),
        "replica_port": link.replica_port,
        "replica_version": link.replica_version,
        "capa": link.capa,
        "auth": link.auth.as_str(),
        "sync": sync(&link.sync),
        "rdb": link.rdb.as_ref().map(rdb),
        "stream": link.stream.as_ref().map(stream),
        "acks": link.acks.as_ref().map(acks),
        "phases": link.phases.iter().map(|summary| phase(summary, link.opened)).collect::<Vec<_>>(),
        "gaps": {"count": link.gaps, "bytes": link.gap_bytes},
        "closed": {"by": by.map_or("capture-end", Side::as_str), "how": how.map(how_word)},
        "notes": link.notes.iter().map(note).collect::<Vec<_>>(),
    })
}

fn asked(asked: &Asked) -> Value {
    json!({"replid": asked.replid.as_str(), "offset": asked.offset})
}

fn sync(sync: &SyncSummary) -> Value {
    json!({
        "kind": sync.kind.as_str(),
        "transfer": sync.transfer.map(|transfer| transfer.as_str()),
        "asked": sync.asked.as_ref().map(asked),
        "replid": sync.replid.map(|replid| replid.as_str().to_owned()),
        "offset": sync.offset.map(|offset| offset.0),
        "error": sync.error,
    })
}

fn rdb(rdb: &RdbSummary) -> Value {
    json!({
        "link": rdb.link.0,
        "bytes": rdb.bytes,
        "rdb_version": rdb.summary.header.map(|header| header.version),
        "keys": rdb.summary.keys,
        "expires": rdb.summary.expires,
        "functions": rdb.summary.functions,
        "databases": rdb.summary.databases,
        "checksum": checksum_word(rdb.complete, &rdb.summary),
        "complete": rdb.complete,
        "waited": seconds(rdb.waited),
        "duration": seconds(rdb.duration),
    })
}

fn stream(stream: &StreamSummary) -> Value {
    let by_command: Map<String, Value> =
        stream.by_command.sorted().into_iter().map(|(name, count)| (name, count.into())).collect();
    let mut value = json!({
        "first_offset": stream.first,
        "last_offset": stream.last.map(|offset| offset.0),
        "offsets": stream.certainty.as_str(),
        "bytes": stream.bytes,
        "commands": stream.commands,
        "by_command": by_command,
        "newlines": stream.newlines,
    });
    if stream.by_command.others() > 0 {
        value["other_commands"] = stream.by_command.others().into();
    }
    value
}

fn acks(acks: &AckSummary) -> Value {
    json!({
        "count": acks.count,
        "last": acks.last,
        "max_lag": acks.max_lag,
        "max_delay": seconds(acks.max_delay),
    })
}

fn phase(summary: &PhaseSummary, opened: Stamp) -> Value {
    json!({
        "phase": summary.phase.as_str(),
        "start": seconds(summary.start.since(opened)),
        "duration": seconds(summary.end.since(summary.start)),
    })
}
