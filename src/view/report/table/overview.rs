//! The table of all links, a row each. Rows of a storm of refused links are folded into one.
//!
//! Columns that don't fit are left out, the least telling first: each link's block has all of them.

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::page::Page;
use super::words::{bytes, counted, safe, seconds};
use crate::packet::Endpoint;
use crate::repl::event::{Certainty, Transfer};
use crate::repl::notes::Note;
use crate::repl::summary::{Folded, LinkSummary, NoteSummary, StreamSummary, SyncKind};
use crate::tcp::How;
use crate::units::Stamp;

/// Blanks between columns.
const BETWEEN: u16 = 2;

/// One link, or several that were refused alike.
pub(super) struct Row<'a> {
    pub(super) links: Vec<&'a LinkSummary>,
}

impl<'a> Row<'a> {
    pub(super) fn first(&self) -> &'a LinkSummary {
        self.links[0]
    }

    /// The number of the link, or the numbers.
    pub(super) fn numbers(&self) -> String {
        match (self.first(), self.links.last()) {
            (first, Some(last)) if self.links.len() > 1 => format!("{}–{}", first.link, last.link),
            (first, _) => first.link.to_string(),
        }
    }
}

/// Whether a link came to nothing.
pub(super) fn came_to_nothing(link: &LinkSummary) -> bool {
    let refused = matches!(link.sync.kind, SyncKind::Refused | SyncKind::None);
    refused && link.stream.is_none() && link.rdb.is_none() && link.acks.is_none() && !one_direction(link)
}

/// The rows in the order of link numbers. Between two links that came to something, those that came to nothing in the
/// same way stand together, though their numbers may alternate with others'.
pub(super) fn rows(links: &[LinkSummary]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut open = 0;
    for link in links {
        if !came_to_nothing(link) {
            rows.push(Row { links: vec![link] });
            open = rows.len();
            continue;
        }
        let alike = |row: &&mut Row<'_>| {
            let other = row.first();
            (other.sync.kind, &other.sync.error, other.auth) == (link.sync.kind, &link.sync.error, link.auth)
                && (other.replica.address, other.master) == (link.replica.address, link.master)
        };
        match rows[open..].iter_mut().find(alike) {
            Some(row) => row.links.push(link),
            None => rows.push(Row { links: vec![link] }),
        }
    }
    rows
}

/// A column: its head, how soon it is left out where there is no room (0: never), and whether it holds numbers.
struct Column {
    head: &'static str,
    left_out: u8,
    numbers: bool,
}

const fn column(head: &'static str, left_out: u8, numbers: bool) -> Column {
    Column { head, left_out, numbers }
}

const COLUMNS: [Column; 14] = [
    column("#", 0, true),
    column("at (s)", 11, true),
    column("replica", 0, false),
    column("master", 0, false),
    column("sync", 0, false),
    column("offsets", 9, true),
    column("RDB", 8, true),
    column("keys", 5, true),
    column("stream", 6, true),
    column("cmds", 3, true),
    column("ACKs", 2, true),
    column("max lag", 4, true),
    column("delay", 1, true),
    column("closed", 10, false),
];

const MASTER: usize = 3;
const SYNC: usize = 4;

/// The master, where there is but one. It needs no column then.
pub(super) fn only_master<'a>(mut links: impl Iterator<Item = &'a LinkSummary>) -> Option<Endpoint> {
    let master = links.next()?.master;
    links.all(|link| link.master == master).then_some(master)
}

/// Draws the table. `start` is the first packet of the capture.
pub(super) fn table(page: &mut Page, rows: &[Row<'_>], folded: &[Folded], start: Option<Stamp>) {
    let offsets = Offsets::of(rows);
    let lines: Vec<Line> = rows.iter().map(|row| Line::of(row, start, &offsets)).collect();
    let mut shown = [true; COLUMNS.len()];
    for (at, shown) in shown.iter_mut().enumerate() {
        *shown = COLUMNS[at].left_out == 0 || lines.iter().any(|line| !line.cells[at].is_empty());
    }
    shown[MASTER] = only_master(rows.iter().map(|row| row.first())).is_none();
    let mut drawn = draw(&lines, shown);
    while let Some(next) = widest(&drawn).filter(|&width| width > page.width()).and_then(|_| next_to_leave(shown)) {
        shown[next] = false;
        drawn = draw(&lines, shown);
    }
    // Words stand where the sync is told.
    let before = drawn.first().and_then(|head| head.split(COLUMNS[SYNC].head).next());
    let indent = before.map_or(0, |before| before.chars().count());
    for (index, text) in drawn.iter().enumerate() {
        match index.checked_sub(1).and_then(|index| lines.get(index)) {
            None => page.table_head(text),
            Some(Line { words: Some(words), .. }) => page.cut_line(&format!("{text:indent$}{words}")),
            Some(_) => page.line(text),
        }
    }
    for folded in folded {
        let error = folded.error.as_deref().map_or_else(|| "without a reply".to_owned(), safe);
        page.text(&format!(
            "and {} from {} to {}, counted only: {error}",
            counted(folded.count, "more link"),
            folded.replica.host(),
            folded.master
        ));
    }
    for (used, legend) in [
        (offsets.inferred, "~ inferred from the replica's ACKs"),
        (offsets.unknown, "? not told by anything in the capture"),
    ] {
        if used {
            page.line(&format!("offsets: {legend}"));
        }
    }
}

fn draw(lines: &[Line], shown: [bool; COLUMNS.len()]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let columns = || COLUMNS.iter().enumerate().filter(|(at, _)| shown[*at]);
    let cell = |column: &Column, text: &str| {
        let side = if column.numbers { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(text).set_alignment(side)
    };
    table.set_header(columns().map(|(_, column)| cell(column, column.head)));
    for line in lines {
        table.add_row(columns().map(|(at, column)| cell(column, &line.cells[at])));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, BETWEEN));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn widest(drawn: &[String]) -> Option<usize> {
    drawn.iter().map(|line| line.chars().count()).max()
}

fn next_to_leave(shown: [bool; COLUMNS.len()]) -> Option<usize> {
    let candidates = COLUMNS.iter().enumerate().filter(|(at, column)| shown[*at] && column.left_out > 0);
    candidates.min_by_key(|(_, column)| column.left_out).map(|(at, _)| at)
}

/// The cells of a row. A link that came to nothing has words behind its first cells instead of numbers.
struct Line {
    cells: [String; COLUMNS.len()],
    words: Option<String>,
}

impl Line {
    fn of(row: &Row<'_>, start: Option<Stamp>, offsets: &Offsets) -> Self {
        let link = row.first();
        let mut cells: [String; COLUMNS.len()] = Default::default();
        cells[0] = row.numbers();
        cells[1] = start
            .and_then(|start| link.opened.since(start))
            .map(|span| format!("{:.*}", usize::from(span.digits.min(3)), span.seconds()))
            .unwrap_or_default();
        cells[2] = match row.links.len() {
            1 => link.replica.to_string(),
            count => format!("{} ×{count}", link.replica.host()),
        };
        cells[MASTER] = link.master.to_string();
        if came_to_nothing(link) {
            return Self { cells, words: Some(nothing_came(link)) };
        }
        cells[4] = sync(link);
        cells[5] = offsets.cell(link.stream.as_ref());
        // An RDB stands in the row of the connection on which it travelled.
        if let Some(rdb) = link.rdb.as_ref().filter(|rdb| rdb.link == link.link) {
            let more = if rdb.complete { "" } else { "+" };
            cells[6] = bytes(rdb.bytes);
            cells[7] = format!("{}{more}", rdb.summary.keys);
        }
        if let Some(stream) = &link.stream {
            cells[8] = bytes(stream.bytes);
            cells[9] = stream.commands.to_string();
        }
        if let Some(acks) = &link.acks {
            cells[10] = acks.count.to_string();
            cells[11] = acks.max_lag.map(bytes).unwrap_or_default();
            cells[12] = acks.max_delay.map(seconds).unwrap_or_default();
        }
        cells[13] = closed(link);
        Self { cells, words: None }
    }
}

/// What became of a link that came to nothing.
pub(super) fn nothing_came(link: &LinkSummary) -> String {
    match (&link.sync.error, link.sync.kind) {
        (Some(error), _) => format!("refused: {}", safe(error)),
        (None, SyncKind::Refused) => "refused".to_owned(),
        (None, _) => format!("no sync, {}", closed(link)),
    }
}

/// How much of a full sync's RDB there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    /// All of it, or none was to come.
    Whole,
    /// The capture lacks some of it, or all; nothing says that the replica does.
    PartlySeen,
    /// The transfer did not come to its end.
    NotCompleted,
}

/// How much of a link's RDB there is.
pub(super) fn snapshot(link: &LinkSummary) -> Snapshot {
    if link.sync.kind != SyncKind::Full || link.rdb.as_ref().is_some_and(|rdb| rdb.complete) {
        return Snapshot::Whole;
    }
    let failed = |note: &NoteSummary| matches!(note.note, Note::RdbTruncated | Note::RdbAborted);
    let unseen = link.gaps > 0 || one_direction(link);
    let streamed = link.rdb.is_none() && link.stream.is_some();
    match link.notes.iter().any(failed) {
        false if unseen || streamed => Snapshot::PartlySeen,
        _ => Snapshot::NotCompleted,
    }
}

/// Whether the capture has one side of the connection only.
pub(super) fn one_direction(link: &LinkSummary) -> bool {
    link.notes.iter().any(|note| note.note == Note::OneDirection)
}

/// What the sync came to.
pub(super) fn sync(link: &LinkSummary) -> String {
    let cut = match snapshot(link) {
        Snapshot::Whole => "",
        Snapshot::PartlySeen => ", seen in part",
        Snapshot::NotCompleted => ", cut",
    };
    match (link.sync.kind, link.sync.transfer, link.pair) {
        (SyncKind::Full, _, Some(pair)) if link.rdb_channel => format!("RDB of #{pair}{cut}"),
        (SyncKind::Full, Some(Transfer::RdbChannel | Transfer::DualChannel), Some(pair)) => {
            format!("full, RDB on #{pair}{cut}")
        }
        (SyncKind::Full, Some(transfer), _) => format!("full, {}{cut}", transfer.as_str()),
        (SyncKind::Full, None, _) => "full, no RDB".to_owned(),
        (SyncKind::None, ..) if link.midstream => "midstream".to_owned(),
        (SyncKind::None, ..) if one_direction(link) => "one side seen".to_owned(),
        (kind, ..) => kind.as_str().to_owned(),
    }
}

/// By whom and how a link was closed, in two words.
pub(super) fn closed(link: &LinkSummary) -> String {
    match link.closed {
        (None, _) => "open".to_owned(),
        (Some(side), how) => {
            let how = match how {
                Some(How::Fin) => " FIN",
                Some(How::Rst) => " RST",
                None => "",
            };
            format!("{}{how}", side.as_str())
        }
    }
}

/// How the cells of the offsets are drawn: `first → last`, the arrows under each other.
#[derive(Default)]
struct Offsets {
    last: usize,
    inferred: bool,
    unknown: bool,
}

impl Offsets {
    fn of(rows: &[Row<'_>]) -> Self {
        let mut offsets = Self::default();
        for stream in rows.iter().filter_map(|row| row.first().stream.as_ref()) {
            let last = stream.last.map_or(0, |last| last.to_string().len());
            offsets.last = offsets.last.max(last);
            offsets.inferred |= stream.certainty == Certainty::Inferred;
            offsets.unknown |= stream.first.is_none() || stream.last.is_none();
        }
        offsets
    }

    fn cell(&self, stream: Option<&StreamSummary>) -> String {
        let Some(stream) = stream else { return String::new() };
        let sign = if stream.certainty == Certainty::Inferred { "~" } else { "" };
        if stream.first.is_none() && stream.last.is_none() {
            return "?".to_owned();
        }
        let first = stream.first.map_or_else(|| "?".to_owned(), |first| format!("{sign}{first}"));
        let last = stream.last.map_or_else(|| "?".to_owned(), |last| last.to_string());
        format!("{first} → {last:>width$}", width = self.last)
    }
}

/// Two ends, as `replica → master`.
pub(super) fn ends(replica: &str, master: Endpoint) -> String {
    format!("replica {replica} → master {master}")
}
