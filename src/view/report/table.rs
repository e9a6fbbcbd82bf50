//! The report as tables for people: what an engineer on call reads who asks "why did this replica do a full resync?".
//!
//! The order is that of reading: the capture in two lines, what is wrong with it as a whole, one table with a row per
//! link, a block per link that tells its story with the evidence, and last what else was in the capture.

mod block;
mod overview;
pub(in crate::view) mod page;
mod words;

use super::{CaptureSummary, FullReport, nothing_found};
use crate::repl::observer::Tally;
use crate::repl::summary::{LinkSummary, Report, SyncKind};
use crate::units::Timestamp;
use crate::view::time::Clock;
use overview::Snapshot;
use page::Page;
use words::{bytes, counted, duration, safe};

/// What the text is to look like.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns to fit into, as far as that can be done.
    pub width: usize,
    /// Whether to use colour. Nothing rests on it.
    pub color: bool,
}

impl Default for Look {
    /// For a file or a pipe.
    fn default() -> Self {
        Self { width: 120, color: false }
    }
}

/// The length of a date.
const DATE: usize = "2026-11-22".len();

/// The whole report as text.
#[must_use]
pub fn to_tables(full: &FullReport, look: Look) -> String {
    let mut page = Page::new(look);
    let Report { links, folded, notes } = &full.report;
    capture(&mut page, &full.capture);
    if links.is_empty() && folded.is_empty() {
        let found = nothing_found(full.capture.packets, full.frames, full.totals);
        page.text(&format!("{}.", capitalised(&safe(&found))));
        block::notes(&mut page, notes);
        return page.finish();
    }
    page.text(&outcome(&full.report));
    block::notes(&mut page, notes);
    let rows = overview::rows(links);
    let first = full.capture.span.map(|(first, _)| first);
    page.blank();
    overview::table(&mut page, &rows, folded, first);
    for row in &rows {
        page.blank();
        block::block(&mut page, row, first);
    }
    others(&mut page, full);
    page.finish()
}

/// What the capture is, what it spans, and what is wrong with it.
fn capture(page: &mut Page, capture: &CaptureSummary) {
    let compression = capture.compression.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    page.heading(&format!(
        "{}: {}{compression}, {}, {}, {}",
        safe(&capture.file),
        capture.format,
        counted(capture.packets, "packet"),
        bytes(capture.bytes),
        counted(u64::from(capture.connections), "TCP connection"),
    ));
    if let Some((first, last)) = capture.span {
        let times = first.time.zip(last.time).filter(|(first, _)| first.nanos > 0);
        page.text(&match times {
            Some((from, to)) => {
                let (begin, end) = (instant(from), instant(to));
                // The date once, where it is the same.
                let end = end.strip_prefix(begin.get(..=DATE).unwrap_or_default()).unwrap_or(&end);
                format!("{begin} to {end}, {}", duration(to.since(from)))
            }
            None => "no times in the capture".to_owned(),
        });
    }
    // Of packets that were dropped a note tells.
    if capture.dropped == Some(0) {
        page.text("no packets dropped, says the capture");
    }
    if let Some(damage) = &capture.damage {
        page.warning("damaged", &safe(damage));
    }
}

fn instant(time: Timestamp) -> String {
    let mut text = Vec::new();
    Clock::default().write_rfc3339(&mut text, time);
    String::from_utf8_lossy(&text).into_owned()
}

/// How many links there are, and what they came to, in a line.
fn outcome(report: &Report) -> String {
    let count = |wanted: &dyn Fn(&&LinkSummary) -> bool| report.links.iter().filter(wanted).count() as u64;
    let folded: u64 = report.folded.iter().map(|folded| folded.count).sum();
    let full = |link: &LinkSummary| link.sync.kind == SyncKind::Full && !link.rdb_channel;
    let cut = |link: &LinkSummary| overview::snapshot(link) == Snapshot::NotCompleted;
    let parts = [
        (count(&|link| full(link) && !cut(link)), "full sync", "full syncs"),
        (
            count(&|link| full(link) && cut(link)),
            "full sync that was not completed",
            "full syncs that were not completed",
        ),
        (count(&|link| link.sync.kind == SyncKind::Partial), "partial sync", "partial syncs"),
        (count(&|link| link.rdb_channel), "RDB channel of a sync", "RDB channels of syncs"),
        (count(&|link| link.sync.kind == SyncKind::Refused), "refused", "refused"),
        (count(&|link| link.sync.kind == SyncKind::None && link.midstream), "joined midstream", "joined midstream"),
        (
            count(&|link| link.sync.kind == SyncKind::None && !link.midstream),
            "without a sync in the capture",
            "without a sync in the capture",
        ),
        (folded, "counted only", "counted only"),
    ];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<String> =
        parts.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect();
    let total = counted(report.links.len() as u64 + folded, "replication link");
    let master = overview::only_master(report.links.iter()).map(|master| format!(" of master {master}"));
    format!("{total}{}: {}", master.unwrap_or_default(), parts.join(", "))
}

/// What else was in the capture.
fn others(page: &mut Page, full: &FullReport) {
    let totals = &full.totals;
    let tally = |Tally { connections, bytes: size }: Tally| {
        (connections > 0).then(|| format!("{}, {}", counted(connections, "connection"), bytes(size)))
    };
    let silent = (totals.silent > 0).then(|| counted(totals.silent, "connection"));
    let lines = [
        ("clients", tally(totals.clients)),
        ("TLS", tally(totals.tls)),
        ("bus", tally(totals.cluster_bus).map(|text| format!("{text} (the cluster's own protocol)"))),
        ("unknown", tally(totals.unknown).map(|text| format!("{text} (another protocol)"))),
        ("silent", silent.map(|text| format!("{text} without a word"))),
    ];
    if lines.iter().all(|(_, text)| text.is_none()) {
        return;
    }
    page.blank();
    page.heading("Besides replication");
    for (label, text) in lines {
        if let Some(text) = text {
            page.field(label, &text);
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests;
