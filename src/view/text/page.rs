//! The layout of a line: its columns, their colours, and where long text is broken.
//!
//! ```text
//!   0.000471 #1  handshake <- master  +PONG                          the master is there
//!            ^   ^         ^          ^ what was said                ^ what it means
//!            |   |         ' who speaks: the replica at the left, the master at the right
//!            |   ' phase
//!            ' link
//! ```
//!
//! On a terminal the meaning is broken within its own column, or goes below where that would be too narrow. Elsewhere
//! nothing is broken: a line of output is a step of the protocol.

use crate::repl::event::{Event, Phase, Side};
use crate::units::{FrameNumber, LinkNumber, Offset, Span};
use crate::view::terminal;
use crate::view::time::write_decimal;

/// Columns of the time, down to microseconds, of links up to 1,000 seconds long; later times push the rest aside.
const TIME_COLUMNS: usize = 10;
const TIME_DIGITS: u8 = 6;
/// Columns of what was said: enough for `REPLCONF listening-port 65535`.
const SAID_COLUMNS: usize = 30;
/// The meaning goes below what was said where it would have fewer columns.
const MEANING_COLUMNS: usize = 30;
/// A narrower terminal than this has no room for the speakers' full names.
const NARROW: usize = 100;
/// Text is not broken into narrower pieces, however narrow the terminal.
const NARROWEST: usize = 20;

/// Plain SGR colours. They only repeat what the words say.
mod sgr {
    pub(super) const RESET: &[u8] = b"\x1b[0m";
    pub(super) const DIM: &[u8] = b"\x1b[2m";
    pub(super) const REPLICA: &[u8] = b"\x1b[32m";
    pub(super) const MASTER: &[u8] = b"\x1b[36m";
    pub(super) const BAD: &[u8] = b"\x1b[31m";
    pub(super) const NOTE: &[u8] = b"\x1b[33m";
    pub(super) const LINKS: [&[u8]; 4] = [b"\x1b[35m", b"\x1b[33m", b"\x1b[34m", b"\x1b[36m"];
}

/// What a text is painted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As the terminal has it.
    Plain,
    /// An error, a loss.
    Bad,
    /// A diagnosis.
    Note,
    /// Less important.
    Dim,
}

/// What the beginning of a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) frame: FrameNumber,
    pub(super) elapsed: Option<Span>,
    pub(super) link: Option<LinkNumber>,
    pub(super) phase: Phase,
    pub(super) from: Option<Side>,
}

impl Head {
    #[inline]
    pub(super) fn of(event: &Event<'_>) -> Self {
        let &Event { elapsed, link, phase, from, .. } = event;
        Self { frame: event.stamp.frame, elapsed, link, phase, from }
    }

    /// The same for a line that is nobody's word.
    pub(super) fn told(self) -> Self {
        Self { from: None, ..self }
    }
}

/// Lays lines out. Several lines of one row are separated by `\n`; none ends with it.
#[derive(Debug)]
pub(super) struct Page {
    color: bool,
    width: Option<usize>,
    /// Digits of the longest link number so far.
    link_columns: usize,
    /// Columns of the longest offset so far.
    offset_columns: usize,
    /// The beginning of the latest line: the next one often has the same.
    prefix: Vec<u8>,
    prefix_of: Option<Head>,
    prefix_columns: usize,
    /// On a narrow terminal the speakers are `R` and `M`.
    narrow: bool,
}

impl Page {
    pub(super) fn new(color: bool, width: Option<usize>) -> Self {
        Self {
            color,
            width,
            link_columns: 2,
            offset_columns: 8,
            prefix: Vec::new(),
            prefix_of: None,
            prefix_columns: 0,
            narrow: width.is_some_and(|width| width < NARROW),
        }
    }

    /// Appends the beginning of a line. Gives how many columns it takes.
    #[inline]
    pub(super) fn begin(&mut self, out: &mut Vec<u8>, head: &Head) -> usize {
        if self.prefix_of != Some(*head) {
            self.make_prefix(head);
        }
        out.extend_from_slice(&self.prefix);
        self.prefix_columns
    }

    fn make_prefix(&mut self, head: &Head) {
        let mut prefix = std::mem::take(&mut self.prefix);
        prefix.clear();
        let time = paint(self.color, &mut prefix, sgr::DIM, |out| push_elapsed(out, head.elapsed));
        let columns = time + 1;
        prefix.push(b' ');
        let tint = head.link.map_or(sgr::DIM, |link| sgr::LINKS[link.0 as usize % sgr::LINKS.len()]);
        let link_at = paint(self.color, &mut prefix, tint, |out| push_link(out, head.link));
        self.link_columns = self.link_columns.max(link_at - 1);
        pad(&mut prefix, self.link_columns + 2 - link_at);
        let phase = head.phase.as_str();
        prefix.extend_from_slice(phase.as_bytes());
        pad(&mut prefix, 10_usize.saturating_sub(phase.len()));
        let (speaker, tint) = speaker(head, self.narrow);
        let color = self.color && head.from.is_some();
        paint(color, &mut prefix, tint, |out| out.extend_from_slice(speaker));
        prefix.push(b' ');
        self.prefix = prefix;
        self.prefix_of = Some(*head);
        self.prefix_columns = columns + self.link_columns + 2 + 10 + speaker.len() + 1;
    }

    /// Appends the columns that only the stream has: the offset, right-aligned, and the database. Gives their number.
    #[inline]
    pub(super) fn gutter(&mut self, out: &mut Vec<u8>, offset: Option<Offset>, database: Option<Option<u32>>) -> usize {
        let before = out.len();
        match offset {
            Some(Offset(offset)) => {
                let columns = offset.checked_ilog10().unwrap_or(0) as usize + 1;
                self.offset_columns = self.offset_columns.max(columns);
                pad(out, self.offset_columns - columns);
                write_decimal(out, offset);
            }
            None => {
                pad(out, self.offset_columns - 1);
                out.push(b'?');
            }
        }
        let mark = out.len();
        match database {
            Some(Some(database)) => {
                out.extend_from_slice(b"  db");
                write_decimal(out, u64::from(database));
            }
            Some(None) => out.extend_from_slice(b"  db?"),
            None => {}
        }
        let taken = out.len() - mark;
        pad(out, 7_usize.saturating_sub(taken).max(1));
        out.len() - before
    }

    /// How many columns are left behind `taken`; `None` where there is no limit.
    #[inline]
    pub(super) fn room(&self, taken: usize) -> Option<usize> {
        self.width.map(|width| width.saturating_sub(taken).max(NARROWEST))
    }

    /// Appends a step of the protocol: what was said, and what it means.
    pub(super) fn step(&mut self, out: &mut Vec<u8>, head: &Head, said: &str, tone: Tone, meaning: &str) {
        let column = self.begin(out, head);
        let said = self.push_said(out, said, tone, column);
        if meaning.is_empty() {
            return;
        }
        let after = column + said.max(SAID_COLUMNS) + 2;
        let Some(width) = self.width else {
            pad(out, after - column - said);
            return out.extend_from_slice(meaning.as_bytes());
        };
        let meant = terminal::columns(meaning.as_bytes());
        if said <= SAID_COLUMNS && width >= after + MEANING_COLUMNS.min(meant) {
            pad(out, after - column - said);
            push_wrapped(out, meaning, width - after, after, 0);
        } else if after + meant <= width {
            pad(out, after - column - said);
            out.extend_from_slice(meaning.as_bytes());
        } else {
            let indent = column + 4;
            out.push(b'\n');
            pad(out, indent);
            push_wrapped(out, meaning, width.saturating_sub(indent).max(NARROWEST), indent, 0);
        }
    }

    /// Appends what was said, on two lines where it is long. Gives how many columns it takes.
    fn push_said(&self, out: &mut Vec<u8>, said: &str, tone: Tone, column: usize) -> usize {
        let mut text = said.as_bytes().to_vec();
        if let Some(room) = self.room(column) {
            let room_below = room.saturating_sub(4).max(NARROWEST);
            terminal::trim(&mut text, 0, 2 * room_below);
            if terminal::columns(&text) > room {
                let mut broken = Vec::new();
                push_wrapped(&mut broken, &String::from_utf8_lossy(&text), room_below, column + 4, 0);
                self.paint(out, tone, &broken);
                return room;
            }
        }
        self.paint(out, tone, &text);
        terminal::columns(&text)
    }

    /// Appends a diagnosis, which stands under the line that gave rise to it.
    pub(super) fn note(&mut self, out: &mut Vec<u8>, head: &Head, code: &str, text: &str) {
        let column = self.begin(out, &head.told());
        let lead = format!("note {code}:");
        self.paint(out, Tone::Note, lead.as_bytes());
        self.running(out, text, column, lead.len());
    }

    /// Appends a line in which a sentence stands that nobody said.
    pub(super) fn tale(&mut self, out: &mut Vec<u8>, head: &Head, text: &str) {
        let column = self.begin(out, head);
        let (lead, rest) = text.split_once(' ').unwrap_or((text, ""));
        self.paint(out, Tone::Note, lead.as_bytes());
        self.running(out, rest, column, lead.len());
    }

    /// Appends a line of the stream that is no command.
    pub(super) fn stream_step(
        &mut self,
        out: &mut Vec<u8>,
        head: &Head,
        offset: Option<Offset>,
        tone: Tone,
        text: &str,
    ) {
        let mut column = self.begin(out, head);
        column += self.gutter(out, offset, None);
        // What was said stands before two blanks; a fold's dots before one.
        let (lead, rest) = text.split_once("  ").or_else(|| text.split_once(' ')).unwrap_or((text, ""));
        self.paint(out, tone, lead.as_bytes());
        let gap = text.len() - lead.len() - rest.len();
        if !rest.is_empty() {
            pad(out, gap - 1);
            self.running(out, rest, column, lead.len() + gap - 1);
        }
    }

    /// Appends text behind `taken` columns of a line whose text begins at `column`; it goes on below where it is long.
    fn running(&self, out: &mut Vec<u8>, text: &str, column: usize, taken: usize) {
        match self.width {
            None => {
                out.push(b' ');
                out.extend_from_slice(text.as_bytes());
            }
            Some(width) => {
                let indent = column + 4;
                let room = width.saturating_sub(indent).max(NARROWEST);
                // The first line begins four columns before the others.
                push_wrapped(out, text, room, indent, taken.saturating_sub(4).max(1));
            }
        }
    }

    fn paint(&self, out: &mut Vec<u8>, tone: Tone, text: &[u8]) {
        let tint = match tone {
            Tone::Plain => b"",
            Tone::Bad => sgr::BAD,
            Tone::Note => sgr::NOTE,
            Tone::Dim => sgr::DIM,
        };
        paint(self.color && !tint.is_empty(), out, tint, |out| out.extend_from_slice(text));
    }
}

/// Appends what `write` writes, between SGR codes where `color` says so. Gives how many bytes `write` wrote.
fn paint(color: bool, out: &mut Vec<u8>, tint: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> usize {
    if color {
        out.extend_from_slice(tint);
    }
    let before = out.len();
    write(out);
    let written = out.len() - before;
    if color {
        out.extend_from_slice(sgr::RESET);
    }
    written
}

fn push_elapsed(out: &mut Vec<u8>, elapsed: Option<Span>) {
    let Some(Span { nanos, digits }) = elapsed else {
        pad(out, TIME_COLUMNS - 1);
        return out.push(b'-');
    };
    let digits = digits.min(TIME_DIGITS);
    let fraction = if digits == 0 { 0 } else { usize::from(digits) + 1 };
    let seconds = nanos / 1_000_000_000;
    let whole = seconds.checked_ilog10().unwrap_or(0) as usize + 1;
    pad(out, TIME_COLUMNS.saturating_sub(whole + fraction));
    crate::view::time::write_seconds(out, Span { nanos, digits });
}

fn push_link(out: &mut Vec<u8>, link: Option<LinkNumber>) {
    match link {
        Some(LinkNumber(number)) => {
            out.push(b'#');
            write_decimal(out, u64::from(number));
        }
        None => out.push(b'-'),
    }
}

/// Who speaks, as a picture.
fn speaker(head: &Head, narrow: bool) -> (&'static [u8], &'static [u8]) {
    let client = head.phase == Phase::Client;
    let (long, short, tint): (&[u8], &[u8], _) = match head.from {
        Some(Side::Replica) if client => (b"client -> ", b"C -> ", sgr::REPLICA),
        Some(Side::Master) if client => (b"<- server ", b"<- S ", sgr::MASTER),
        Some(Side::Replica) => (b"replica ->", b"R -> ", sgr::REPLICA),
        Some(Side::Master) => (b"<- master ", b"<- M ", sgr::MASTER),
        None => (b"          ", b"     ", sgr::RESET),
    };
    (if narrow { short } else { long }, tint)
}

#[inline]
pub(super) fn pad(out: &mut Vec<u8>, columns: usize) {
    const BLANKS: [u8; 32] = [b' '; 32];
    let mut left = columns;
    while left > 0 {
        let now = left.min(BLANKS.len());
        out.extend_from_slice(&BLANKS[..now]);
        left -= now;
    }
}

/// Appends text broken into lines of at most `room` columns, of which the first one has `taken` already; the later ones
/// stand behind `indent` blanks.
fn push_wrapped(out: &mut Vec<u8>, text: &str, room: usize, indent: usize, mut taken: usize) {
    for word in text.split(' ') {
        let columns = terminal::columns(word.as_bytes());
        if taken > 0 && taken + 1 + columns > room {
            out.push(b'\n');
            pad(out, indent);
            taken = 0;
        } else if taken > 0 {
            out.push(b' ');
            taken += 1;
        }
        for character in word.chars() {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).as_bytes();
            let width = terminal::columns(bytes);
            // A word that is longer than a line is broken anywhere.
            if taken + width > room {
                out.push(b'\n');
                pad(out, indent);
                taken = 0;
            }
            out.extend_from_slice(bytes);
            taken += width;
        }
    }
}
