//! Why it came as it did: the notes of a link, with their evidence.

use super::{Context, Link};
use crate::repl::event::{Asked, Replid, Side, Sink};
use crate::repl::notes::{self, Note};
use crate::repl::payload::Payload;
use crate::tcp::Connection;
use crate::units::Offset;

impl Link {
    pub(super) fn note_loss<S: Sink>(
        &mut self,
        from: Side,
        bytes: u64,
        offset: Option<Offset>,
        cx: &mut Context<'_, S>,
    ) {
        let text = match offset {
            Some(offset) => format!(
                "the capture lacks {bytes} bytes that the {} sent: somewhere in or around offsets {} to {}; a larger ring (-B) or snaplen (-s) keeps them",
                from.as_str(),
                offset.next_byte(),
                offset.advanced_by(bytes)
            ),
            None => format!(
                "the capture lacks {bytes} bytes that the {} sent; a larger ring (-B) or snaplen (-s) keeps them",
                from.as_str()
            ),
        };
        self.note(Note::CaptureLoss, &text, cx);
    }

    pub(super) fn note_loop<S: Sink>(&mut self, cx: &mut Context<'_, S>) {
        if let Some(text) = cx.shared.full_sync(self.ends(), self.listening_port, cx.stamp) {
            self.note(Note::ResyncLoop, &text, cx);
        }
    }

    /// Why the sync is a full one, from what was asked and what was answered.
    pub(super) fn explain_full<S: Sink>(
        &mut self,
        asked: Option<Asked>,
        replid: Option<Replid>,
        offset: Option<Offset>,
        cx: &mut Context<'_, S>,
    ) {
        let Some(asked) = asked else { return };
        let (Some(first), false) = (asked.offset.filter(|&first| first > 0), asked.replid.as_str() == "?") else {
            let text = "full sync: the replica has nothing to continue from (it asked with `? -1`)";
            return self.note(Note::FullSyncFirst, text, cx);
        };
        let has = Offset::before_byte(first as u64);
        let (Some(replid), Some(offset)) = (replid, offset) else {
            if first == 1 {
                let text = "full sync: the replica has nothing to continue from (it asked with its own id and offset 1, as a fresh server does)";
                self.note(Note::FullSyncFirst, text, cx);
            }
            return;
        };
        if asked.replid.matches(&replid) {
            let text = match offset.0.checked_sub(has.0) {
                Some(0) => format!(
                    "full sync: the replica asked to go on at offset {has}, where its master stands, and was given everything: the master keeps no backlog, or it knows the history by another id or offset than it told"
                ),
                Some(behind) => format!(
                    "full sync: the replica knows the history but stood at offset {has}, {behind} bytes behind the master's {offset}, and the backlog no longer held them; a repl-backlog-size above {behind} bytes would have"
                ),
                None => format!(
                    "full sync: the replica asked for byte {first} of the master's history, which ends at offset {offset}: it is ahead of its master, as after a master that restarted from an older snapshot"
                ),
            };
            self.note(Note::FullSyncBacklogOverrun, &text, cx);
        } else if first == 1 {
            let text = "full sync: the replica has nothing to continue from (it asked with its own id and offset 1, as a fresh server does)";
            self.note(Note::FullSyncFirst, text, cx);
        } else {
            let text = format!(
                "full sync: the replica asked to continue history {} at byte {first}, the master's is {replid} and it cannot continue the other one: another master, one that restarted without its replid, or histories that parted",
                asked.replid
            );
            self.note(Note::FullSyncReplidMismatch, &text, cx);
        }
    }

    pub(super) fn explain_error<S: Sink>(&mut self, to: Option<&str>, reply: &[u8], cx: &mut Context<'_, S>) {
        let text = String::from_utf8_lossy(reply).into_owned();
        if matches!(to, Some("PSYNC" | "SYNC" | "AUTH" | "PING") | None) {
            self.last_error = Some(text.clone());
        }
        if self.payload_due {
            let words = format!("the master granted a full sync and then gave it up: {text}");
            self.note(Note::RdbAborted, &words, cx);
        }
        let no_auth = reply.starts_with(b"-NOAUTH") || reply.starts_with(b"-ERR operation not permitted");
        if no_auth && !self.authenticating && !matches!(to, Some("PING")) {
            let words = "the master asks for a password and the replica sent none: set masterauth on the replica";
            self.note(Note::AuthMissing, words, cx);
        }
        if let Some((note, words)) = notes::of_error(reply) {
            let words = format!("{}: {words}", shorten(&text));
            self.note(note, &words, cx);
        }
    }

    pub(super) fn note_one_direction<S: Sink>(&mut self, connection: &Connection, cx: &mut Context<'_, S>) {
        for (direction, side) in [(self.replica, Side::Replica), (self.replica.other(), Side::Master)] {
            if connection.packets[direction.index()] == 0 {
                let text = format!(
                    "the capture has nothing that the {} sent: it was taken where only one direction passes",
                    side.as_str()
                );
                self.note(Note::OneDirection, &text, cx);
            }
        }
    }
}

pub(super) fn truncation(payload: &Payload, by: Option<Side>) -> String {
    let keys = payload.summary().keys;
    let so_far = format!("after {} bytes and {keys} keys", payload.bytes());
    match by {
        Some(Side::Master) => format!(
            "the master closed the connection in the middle of the RDB, {so_far}: the save died, it could not encode a key, or the replica was too slow (client-output-buffer-limit replica, repl-timeout)"
        ),
        Some(Side::Replica) => format!(
            "the replica closed the connection in the middle of the RDB, {so_far}: it gave up (repl-timeout), was told to follow another master, or could not load what came"
        ),
        None => format!("the capture ends in the middle of the RDB, {so_far}"),
    }
}

/// At most so much of an error reply in a note: protected mode's is a thousand bytes long.
fn shorten(text: &str) -> String {
    let first = text.split(". ").next().unwrap_or(text);
    first.trim_end_matches(['.', ' ']).chars().take(120).collect()
}
