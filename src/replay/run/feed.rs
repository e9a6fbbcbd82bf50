//! How the servers come to where they should be, and for how long that is waited for.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Director, PATIENCE, RunError, Source, Speed};
use crate::bounds::{REPLAY_AHEAD, REPLAY_PIECE};
use crate::engine::Standing;
use crate::replay::stage::GLANCE;
use crate::units::Offset;

/// How finely time goes by where it matters.
const BRIEF: Duration = Duration::from_millis(10);

/// Whether a replica has no link to its master, and none in the making: it does not connect again by itself.
pub(super) fn is_lost(standing: &Standing) -> bool {
    matches!(standing.state, "NONE" | "CONNECT")
}

impl Director<'_> {
    /// Feeds a node, or the one that it follows, up to an offset; tells whether it came so far.
    pub(super) fn advance(&mut self, number: usize, until: Offset) -> Result<bool, RunError> {
        let Some(node) = self.node(number) else { return Ok(false) };
        match node.source {
            Source::Nothing => Ok(node.actor.standing().taken >= until),
            Source::Link(at) => {
                let Some(master) = self.story.scenes.get(at).map(|scene| scene.master) else { return Ok(false) };
                let came = |standing: &Standing| standing.up && standing.taken >= until;
                let returns = self.what_if.is_of_time();
                Ok(self.advance(master, until)?
                    && self.wait(number, |standing| came(standing) || (!returns && is_lost(standing)))
                    && self.node(number).is_some_and(|node| came(&node.actor.standing())))
            }
            Source::Tape => self.feed(number, until),
        }
    }

    fn feed(&mut self, number: usize, until: Offset) -> Result<bool, RunError> {
        let Some(replid) = self.node(number).and_then(|node| node.replid) else { return Ok(false) };
        let lineage = self.story.lineages.root(&replid);
        if !self.takes_tape(number)? {
            return Ok(false);
        }
        while let Some(fed) = self.node(number).map(|node| node.fed).filter(|fed| *fed < until) {
            self.stop_if_asked()?;
            let mut piece = vec![0; REPLAY_PIECE];
            let Some(read) = self.story.tapes.read(lineage, fed, until, &mut piece)? else {
                return Ok(false);
            };
            let size = read.size;
            piece.truncate(size);
            self.synthetic |= read.stands_in;
            self.arrive(read.millis);
            let present = self.present.get();
            self.order(number, move |engine| engine.tape(&piece, present))?;
            if let Some(node) = self.nodes.get_mut(number).and_then(Option::as_mut) {
                node.fed = fed.advanced_by(size as u64);
            }
            if !self.let_follow(number) {
                return Ok(false);
            }
        }
        let came = |standing: &Standing| standing.taken >= until;
        self.wait(number, |standing| came(standing) || !standing.up);
        Ok(self.node(number).is_some_and(|node| came(&node.actor.standing())))
    }

    /// Whether a node that is fed takes what comes: not if it was something that no replica takes.
    pub(super) fn takes_tape(&self, number: usize) -> Result<bool, RunError> {
        let Some(node) = self.node(number) else { return Ok(false) };
        // How it stands is known once everything before has been done.
        node.actor.ask(|_| ())?;
        Ok(node.actor.standing().up)
    }

    /// Waits where a replica is far behind what its master was fed; tells whether the master takes more.
    fn let_follow(&self, number: usize) -> bool {
        let Some(fed) = self.node(number).map(|node| node.fed.0) else { return false };
        // No master waits for its replicas, and what comes of that is the question then.
        if self.what_if.is_of_time() {
            return true;
        }
        let needed = Offset(fed.saturating_sub(REPLAY_AHEAD));
        let near = |standing: &Standing| {
            standing.offset >= needed && standing.followers.iter().all(|follower| follower.pending <= REPLAY_AHEAD)
        };
        self.wait(number, |standing| near(standing) || !standing.up)
    }

    /// Waits until this is so of a node, or nothing has changed of it for long; tells whether it is so.
    pub(super) fn wait(&self, number: usize, mut so: impl FnMut(&Standing) -> bool) -> bool {
        let Some(node) = self.node(number) else { return false };
        let (patience, began) = (self.patience.get().min(PATIENCE), Instant::now());
        let came = node.actor.wait(patience, self.glance(), self.stop, |standing| {
            self.flow();
            so(standing)
        });
        if !came {
            // What it did before it got stuck is not held against it.
            self.patience.set(self.patience.get().saturating_sub(began.elapsed().min(patience)));
        }
        came
    }

    /// It is this time of the recording; at a pace, it is waited for.
    pub(super) fn arrive(&mut self, time: Option<i64>) {
        let Some(time) = time else { return };
        self.present.set(time);
        let origin = *self.origin.get_or_insert(time);
        let Speed::Times(times) = self.speed else { return };
        // A speed near nothing makes any time too long for one to be waited for.
        let due = Duration::try_from_secs_f64((time - origin).max(0) as f64 / 1000.0 / times).unwrap_or(Duration::MAX);
        while let Some(left) = due.checked_sub(self.began.elapsed()).filter(|left| !left.is_zero())
            && !self.stop.load(Ordering::Relaxed)
        {
            std::thread::sleep(left.min(self.glance()));
            self.flow();
        }
    }

    /// Where it is asked what becomes of links in time, that goes by between what was recorded as well.
    fn flow(&self) {
        let (Some(origin), Speed::Times(times)) = (self.origin, self.speed) else { return };
        if self.what_if.is_of_time() {
            self.present.set(origin.saturating_add((self.began.elapsed().as_secs_f64() * 1000.0 * times) as i64));
        }
    }

    /// How often it is looked at least.
    fn glance(&self) -> Duration {
        if self.what_if.is_of_time() { BRIEF } else { GLANCE }
    }
}
