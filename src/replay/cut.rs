//! Cuts that are asked for: a link ends where it did not, and its replica comes back by itself.

use super::story::{Scene, Story};
use super::what_if::Cut;
use crate::repl::event::Asked;
use crate::repl::summary::{SyncKind, SyncSummary};
use crate::units::{FrameNumber, Offset, Stamp, Timestamp};

/// How long replicas up to 6.0 wait before they connect again.
const RECONNECT_MILLIS: i64 = 1000;

impl Story {
    /// Cuts the first link that was in its stream then, or that had so large an RDB; its replica comes back when replicas
    /// of its version do.
    ///
    /// # Errors
    /// There is none, in a sentence.
    pub fn cut(&mut self, cut: Cut) -> Result<(), String> {
        match cut {
            Cut::Rdb(bytes) => self.cut_rdb(bytes),
            Cut::Offset(offset) => self.cut_stream(cut, |_, _| Offset(offset)),
            Cut::Packet(packet) => self.cut_stream(cut, |story, scene| {
                scene.start.advanced_by(story.tapes.come_by(scene.link.link, Some(packet), None))
            }),
        }
    }

    fn cut_stream(&mut self, cut: Cut, place: impl Fn(&Self, &Scene) -> Offset) -> Result<(), String> {
        let places: Vec<Offset> = self.scenes.iter().map(|scene| place(self, scene)).collect();
        let inside = |scene: &&mut Scene, at: Offset| scene.start < at && at < scene.end && scene.cut_rdb.is_none();
        let found = self.scenes.iter_mut().zip(&places).find(|(scene, at)| inside(scene, **at));
        let Some((scene, &at)) = found else { return Err(format!("no link is in the midst of its stream at {cut}")) };
        let link = scene.link.link;
        let Some((frame, millis)) = self.tapes.moment(link, at.0 - scene.start.0 - 1) else {
            return Err(format!("the capture does not tell when offset {at} came"));
        };
        let nanos = millis.and_then(|millis| u64::try_from(millis).ok()).map(|millis| millis * 1_000_000);
        let time = nanos.map(|nanos| Timestamp { nanos, digits: 3 });
        let stamp = Stamp { frame: FrameNumber(frame), time };
        let mut rest = scene.clone();
        let acks = std::mem::take(&mut scene.acks);
        (scene.acks, rest.acks) = acks.into_iter().partition(|(_, offset)| *offset <= at);
        (scene.end, scene.applied, scene.closed, scene.cut) = (at, at, Some(stamp), true);
        let at_once = self.nodes.get(scene.replica).is_some_and(|node| node.dialect.compat().reconnects_at_once);
        let back = millis.filter(|_| !at_once).map(|millis| millis + RECONNECT_MILLIS);
        let stood = back.map_or(at, |back| rest.start.advanced_by(self.tapes.come_by(link, None, Some(back))));
        rest.asked = i64::try_from(at.next_byte()).ok().map(|byte| Asked { replid: rest.replid, offset: Some(byte) });
        (rest.granted, rest.start, rest.stood, rest.rdb, rest.imagined) = (stamp, at, stood.max(at), None, true);
        let transfer = rest.link.sync.transfer;
        rest.link.sync = SyncSummary { kind: SyncKind::Partial, transfer, ..SyncSummary::default() };
        self.scenes.push(rest);
        Ok(())
    }

    /// Nothing of what came is of use to the replica, and it asks for all of it again.
    fn cut_rdb(&mut self, bytes: u64) -> Result<(), String> {
        let large = |scene: &&mut Scene| {
            let size = scene.link.rdb.as_ref().map_or(0, |rdb| rdb.bytes);
            scene.rdb.is_some() && !scene.cut && scene.cut_rdb.is_none() && bytes < size
        };
        let Some(scene) = self.scenes.iter_mut().find(large) else {
            return Err(format!("no link has an RDB of more than {bytes} bytes that could be cut"));
        };
        let rest = Scene { imagined: true, ..scene.clone() };
        (scene.end, scene.applied, scene.closed) = (scene.start, scene.start, Some(scene.granted));
        (scene.cut, scene.cut_rdb) = (true, Some(bytes));
        scene.acks.clear();
        self.scenes.push(rest);
        Ok(())
    }
}
