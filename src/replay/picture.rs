//! The story as a picture: a column for each server, time from top to bottom, an arrow for what was asked, granted and sent.

use std::fmt::Write;

use super::show::{ended_words, granted_words, letter, stream_words};
use super::story::{Scene, Story};
use crate::repl::summary::SyncKind;
use crate::units::Stamp;
use crate::view::terminal::safe;

/// From one column to the next.
const SPACING: usize = 7;

/// So many columns at most; links of other servers are told in words only.
const COLUMNS: usize = 10;

/// For the time.
const TIMES: usize = 12;

/// What is between the ends of an arrow.
#[derive(Clone, Copy)]
enum Stroke {
    /// Something that is said.
    Word,
    /// A stream.
    Stream,
    /// A link that ends.
    Cut,
}

/// A line of the picture.
struct Line {
    at: Option<Stamp>,
    from: usize,
    to: usize,
    stroke: Stroke,
    words: String,
}

/// The picture; it ends with a line end.
#[must_use]
pub(super) fn picture(story: &Story) -> String {
    let mut lines: Vec<(u64, u8, Line)> = Vec::new();
    for scene in &story.scenes {
        let end = scene.closed.map_or(u64::MAX, |stamp| stamp.frame.0.max(scene.granted.frame.0));
        lines.extend(beginning(story, scene).map(|line| (scene.granted.frame.0, 1, line)));
        lines.extend(ending(scene).map(|line| (end, 0, line)));
    }
    lines.sort_by_key(|(frame, order, _)| (*frame, *order));
    let columns = story.nodes.len().min(COLUMNS);
    let origin = lines.iter().find_map(|(.., line)| line.at);
    let mut out = " ".repeat(TIMES);
    for number in 0..columns {
        let _ = write!(out, "{:<SPACING$}", letter(number));
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    for (.., line) in &lines {
        let time = match (line.at, origin) {
            (Some(at), Some(origin)) => at.since(origin).map(|span| format!("{:.6}", span.nanos as f64 / 1e9)),
            _ => None,
        };
        let _ = write!(out, "{:>width$}  ", time.unwrap_or_default(), width = TIMES - 2);
        out += &arrow(columns, line);
        out += &safe(line.words.as_bytes());
        out.push('\n');
    }
    out
}

/// What the replica asks, and what it is granted.
fn beginning(story: &Story, scene: &Scene) -> impl Iterator<Item = Line> {
    let line = |from, to, words| Line { at: Some(scene.granted), from, to, stroke: Stroke::Word, words };
    let link = scene.link.link;
    let asks = scene.asked.filter(|_| !scene.imagined).map(|asked| {
        let replid = asked.replid.as_str();
        let offset = asked.offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string());
        let words = format!("link {link}: PSYNC {} {offset}", replid.get(..8).unwrap_or(replid));
        line(scene.replica, scene.master, words)
    });
    let granted = format!("link {link}: {}", granted_words(story, scene));
    asks.into_iter().chain([line(scene.master, scene.replica, granted)])
}

/// What it is sent from then on, and how that ends.
fn ending(scene: &Scene) -> impl Iterator<Item = Line> {
    let line = |stroke, words| Line { at: scene.closed, from: scene.master, to: scene.replica, stroke, words };
    let link = scene.link.link;
    let streams =
        scene.link.stream.as_ref().is_some_and(|stream| stream.bytes > 0) || scene.link.sync.kind == SyncKind::None;
    let words = if scene.imagined { "its stream".to_owned() } else { stream_words(&scene.link) };
    let stream = (streams && scene.closed.is_some()).then(|| line(Stroke::Stream, format!("link {link}: {words}")));
    let end = match scene.closed {
        Some(_) => line(Stroke::Cut, format!("link {link}: ended {}", ended_words(scene))),
        None if streams => line(Stroke::Stream, format!("link {link}: {words}, until the capture ends")),
        None => line(Stroke::Word, format!("link {link}: open when the capture ends")),
    };
    stream.into_iter().chain([end])
}

/// The columns, and what goes from one to another.
fn arrow(columns: usize, line: &Line) -> String {
    let mut cells = vec![' '; columns * SPACING];
    for column in 0..columns {
        if let Some(cell) = cells.get_mut(column * SPACING) {
            *cell = '|';
        }
    }
    let (left, right) = (line.from.min(line.to), line.from.max(line.to));
    if right < columns && left != right {
        let (left, right) = (left * SPACING, right * SPACING);
        let stroke = match line.stroke {
            Stroke::Word => '-',
            Stroke::Stream => '=',
            Stroke::Cut => ' ',
        };
        if !matches!(line.stroke, Stroke::Cut) {
            cells.iter_mut().take(right).skip(left + 1).for_each(|cell| *cell = stroke);
            let (place, head) = if line.from < line.to { (right - 1, '>') } else { (left + 1, '<') };
            if let Some(cell) = cells.get_mut(place) {
                *cell = head;
            }
        } else if let Some(cell) = cells.get_mut(left.midpoint(right)) {
            *cell = 'x';
        }
    }
    cells.into_iter().collect()
}
