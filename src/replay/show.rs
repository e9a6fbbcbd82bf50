//! The story and the verdict, for people and programs.

use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::picture::picture;
use super::story::{Scene, Story};
use super::verdict::{Difference, LinkVerdict, Verdict};
use crate::repl::summary::{LinkSummary, SyncKind};
use crate::view::report::{Look, link_json};
use crate::view::terminal::safe;

/// The object of `replay -f json`.
#[must_use]
pub fn verdict_json(verdict: &Verdict) -> Value {
    let digest = verdict.digest.as_ref();
    json!({
        "schema": 1,
        "links": verdict.links.iter().map(link).collect::<Vec<_>>(),
        "digest": {
            "dialect": digest.map(|(dialect, ..)| dialect.to_string()),
            "master": digest.map(|(_, master, _)| master),
            "replica": digest.map(|(.., replica)| replica),
        },
        "notes": verdict.notes,
        "reproduced": verdict.reproduced,
    })
}

fn link(verdict: &LinkVerdict) -> Value {
    json!({
        "link": verdict.recorded.link.0,
        "recorded": (!verdict.imagined).then(|| link_json(&verdict.recorded)),
        "replayed": verdict.replayed.as_ref().map(link_json),
        "same": verdict.same(),
        "differences": verdict.differences.iter().map(difference).collect::<Vec<_>>(),
        "notes": verdict.notes,
    })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "what": difference.what,
        "recorded": difference.recorded,
        "replayed": difference.replayed,
        "offset": difference.offset.map(|offset| offset.0),
        "packet": difference.packet.map(|packet| packet.0),
    })
}

/// Rows in columns.
fn table(head: &[&str], rows: &[Vec<String>], look: Look) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(look.width).unwrap_or(u16::MAX));
    table.set_header(head.iter().map(|word| (*word).to_owned()));
    for row in rows {
        table.add_row(row.clone());
    }
    let mut out = String::new();
    for line in table.to_string().lines() {
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// The verdict as tables.
#[must_use]
pub fn verdict_text(verdict: &Verdict, look: Look) -> String {
    let mut out = String::new();
    let mut rows = Vec::new();
    for link in &verdict.links {
        let outcome = match (&link.replayed, link.same()) {
            (None, _) => "not replayed",
            (_, true) => "same",
            (_, false) => "different",
        };
        rows.push(vec![
            link.recorded.link.to_string(),
            if link.imagined { "not recorded".to_owned() } else { sync_words(&link.recorded) },
            link.replayed.as_ref().map_or_else(|| "-".to_owned(), sync_words),
            if link.imagined { "-".to_owned() } else { stream_words(&link.recorded) },
            link.replayed.as_ref().map_or_else(|| "-".to_owned(), stream_words),
            outcome.to_owned(),
        ]);
    }
    out += &table(&["link", "recorded sync", "replayed", "recorded stream", "replayed", "outcome"], &rows, look);
    for link in &verdict.links {
        for difference in &link.differences {
            let _ = write!(
                out,
                "link {}: {}: recorded {}, replayed {}",
                link.recorded.link,
                difference.what,
                safe(difference.recorded.as_bytes()),
                safe(difference.replayed.as_bytes())
            );
            if let Some(offset) = difference.offset {
                let _ = write!(out, ", at offset {offset}");
            }
            if let Some(packet) = difference.packet {
                let _ = write!(out, ", packet {packet}");
            }
            out.push('\n');
        }
        for note in &link.notes {
            let _ = writeln!(out, "link {}: {}", link.recorded.link, safe(note.as_bytes()));
        }
    }
    if let Some((dialect, master, replica)) = &verdict.digest {
        let _ = writeln!(out, "DEBUG DIGEST as {}: master {master}, replica {replica}", dialect);
    }
    for note in &verdict.notes {
        let _ = writeln!(out, "{}", safe(note.as_bytes()));
    }
    let _ = writeln!(out, "reproduced: {}", if verdict.reproduced { "yes" } else { "no" });
    out
}

fn sync_words(link: &LinkSummary) -> String {
    let kind = link.sync.kind.as_str();
    let transfer = link.sync.transfer.map(|transfer| format!(", {}", transfer.as_str())).unwrap_or_default();
    let offset = link.sync.offset.map(|offset| format!(" at {offset}")).unwrap_or_default();
    let keys = link.rdb.as_ref().map(|rdb| format!(", {} keys", rdb.summary.keys)).unwrap_or_default();
    format!("{kind}{offset}{transfer}{keys}")
}

pub(super) fn stream_words(link: &LinkSummary) -> String {
    match &link.stream {
        Some(stream) if stream.bytes > 0 => {
            let last = stream.last.map(|last| format!(" to {last}")).unwrap_or_default();
            format!("{} bytes, {} commands{last}", stream.bytes, stream.commands)
        }
        _ => "-".to_owned(),
    }
}

/// The story as a table and as a picture, for `--dry-run`.
#[must_use]
pub fn story_text(story: &Story, look: Look) -> String {
    let rows: Vec<Vec<String>> = story.scenes.iter().map(|scene| row(story, scene)).collect();
    let mut out = table(&["packet", "link", "replica -> master", "asked", "granted", "stream", "ended"], &rows, look);
    for (number, node) in story.nodes.iter().enumerate() {
        let told = if node.told { "" } else { ", as far as one can guess" };
        let _ = writeln!(out, "{}: {}, {}{told}", letter(number), node.address, node.dialect);
    }
    if !story.scenes.is_empty() {
        let _ = write!(out, "\n{}\n", picture(story));
    }
    for scene in &story.scenes {
        if let Some(note) = &scene.lacks {
            let _ = writeln!(out, "link {}: {}", scene.link.link, safe(note.as_bytes()));
        }
    }
    for left in &story.left {
        let _ = writeln!(out, "link {} is left out: {}", left.link.link, safe(left.why.as_bytes()));
    }
    out
}

pub(super) fn letter(node: usize) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    letters.get(node..=node).map_or_else(|| format!("N{node}"), str::to_owned)
}

/// What a scene's replica was granted.
pub(super) fn granted_words(story: &Story, scene: &Scene) -> String {
    let overrun = if scene.is_overrun(&story.lineages) { ", the backlog no longer had it" } else { "" };
    let kind = match scene.link.sync.kind {
        _ if scene.imagined => format!("what the backlog allows, from {} on", scene.start),
        SyncKind::None => format!("began before the capture, at {}", scene.start),
        _ => sync_words(&scene.link),
    };
    format!("{kind}{overrun}")
}

/// How a scene's link ended.
pub(super) fn ended_words(scene: &Scene) -> String {
    if scene.cut {
        return "by the cut that was asked for".to_owned();
    }
    match scene.link.closed {
        (Some(by), Some(how)) => format!("by the {}, {}", by.as_str(), crate::view::json::how_word(how)),
        (Some(by), None) => format!("by the {}", by.as_str()),
        _ => "with the capture".to_owned(),
    }
}

fn row(story: &Story, scene: &Scene) -> Vec<String> {
    let asked = scene.asked.map_or_else(
        || "-".to_owned(),
        |asked| {
            let offset = asked.offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string());
            format!("{} {offset}", asked.replid.as_str().get(..8).unwrap_or(asked.replid.as_str()))
        },
    );
    vec![
        scene.granted.frame.to_string(),
        scene.link.link.to_string(),
        format!("{} -> {}", letter(scene.replica), letter(scene.master)),
        asked,
        granted_words(story, scene),
        stream_words(&scene.link),
        ended_words(scene),
    ]
}

/// The story as an object.
#[must_use]
pub fn story_json(story: &Story) -> Value {
    let nodes = story.nodes.iter().map(
        |node| json!({"address": node.address.to_string(), "version": node.dialect.to_string(), "told": node.told}),
    );
    let scenes = story.scenes.iter().map(|scene| {
        json!({
            "link": scene.link.link.0,
            "master": scene.master,
            "replica": scene.replica,
            "packet": scene.granted.frame.0,
            "overrun": scene.is_overrun(&story.lineages),
            "start": scene.start.0,
            "end": scene.end.0,
            "applied": scene.applied.0,
            "acks": scene.acks.len(),
            "lacks": scene.lacks,
            "recorded": link_json(&scene.link),
        })
    });
    let left = story.left.iter().map(|left| json!({"link": left.link.link.0, "why": left.why}));
    json!({
        "schema": 1,
        "nodes": nodes.collect::<Vec<_>>(),
        "scenes": scenes.collect::<Vec<_>>(),
        "left": left.collect::<Vec<_>>(),
    })
}
