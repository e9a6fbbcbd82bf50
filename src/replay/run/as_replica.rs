//! The recorded replica's part, towards a real master: does it answer as the recorded one did?
//!
//! What the real master holds, calls its history and writes is its own. So it is asked as it was asked in the recording,
//! link by link, and what is compared is the kind of its answers.

use std::time::{Duration, Instant};

use super::feed::is_lost;
use super::{Director, Played, Playing, RunError, SETTINGS, Source, Speed};
use crate::engine::{Dialect, Standing};
use crate::repl::event::{Replid, Side};
use crate::repl::replica::{CachedMaster, Start};
use crate::replay::abroad::{Part, Partner};
use crate::replay::client::Client;
use crate::replay::stage::{Actor, GLANCE, clock};
use crate::replay::story::Scene;
use crate::units::{Offset, Stamp};

use std::net::{Ipv4Addr, SocketAddr};

/// How long nothing may come of a master.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a replica tells what it has applied.
const ACK_EVERY: Duration = Duration::from_secs(1);

/// What is the real master's own.
const OWN: &[&str] = &["sync.replid", "sync.offset", "rdb", "stream", "acks", "data"];

impl Director<'_> {
    /// Plays the replica towards a real master.
    ///
    /// # Errors
    /// [`RunError`], where it cannot be gone on with at all: [`RunError::Unreachable`] where nobody takes connections.
    pub fn play_to_master(mut self, partner: &Partner) -> Result<Played, RunError> {
        self.part = Some(Part::Replica);
        let unreachable = |error| RunError::Unreachable(partner.place.clone(), error);
        let mut client = Client::connect(&partner.place).map_err(unreachable)?;
        let server = client.identity(partner.credentials.as_ref()).ok();
        drop(client);
        let Some(replica) = self.story.scenes.first().map(|scene| scene.replica) else {
            return Ok(self.played(None, server));
        };
        self.cast(replica, partner)?;
        for at in 0..self.story.scenes.len() {
            self.stop_if_asked()?;
            let Some(scene) = self.scene(at) else { break };
            if let Some(outcome) = self.outcomes.get_mut(at) {
                outcome.uncompared.extend_from_slice(OWN);
            }
            self.stay_away(at, &scene)?;
            if !self.ask_for_sync(at, &scene, partner)? {
                self.stop_if_asked()?;
                break;
            }
            let last = at + 1 == self.story.scenes.len();
            self.stay(at, &scene)?;
            if !last || scene.closed.is_some() {
                self.leave(at, &scene)?;
            }
            if let Some(outcome) = self.outcomes.get_mut(at) {
                outcome.over = true;
            }
        }
        for at in 0..self.outcomes.len() {
            self.break_off(at);
        }
        for node in 0..self.nodes.len() {
            self.dismiss(node)?;
        }
        // What the real master writes, and what becomes of it here, is no part of the story.
        self.unapplied = None;
        Ok(self.played(None, server))
    }

    /// Starts the replica.
    fn cast(&mut self, replica: usize, partner: &Partner) -> Result<(), RunError> {
        let dialect = self.story.nodes.get(replica).map_or(Dialect::DEFAULT, |node| node.dialect);
        let credentials = partner.credentials.clone();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let actor = Actor::start_at(any, replica, dialect, None, &self.witness, move |engine| {
            for (name, value) in SETTINGS {
                engine.directive(name, value);
            }
            if let Some(credentials) = credentials {
                engine.directive("masterauth", &credentials.password);
                if let Some(user) = credentials.user {
                    engine.directive("masteruser", &user);
                }
            }
        })?;
        if let Some(node) = self.nodes.get_mut(replica) {
            *node = Some(Playing { actor, source: Source::Nothing, replid: None, fed: Offset(0) });
        }
        Ok(())
    }

    /// What the replica asks with: in the first place what was recorded, later what it has got from this master where the
    /// recorded replica asked with what it had got from its own.
    fn question(&self, at: usize, scene: &Scene) -> Start {
        let before = at.checked_sub(1).and_then(|before| self.story.scenes.get(before));
        let Some(asked) = scene.asked else { return Start::Nothing };
        if before.is_some_and(|before| self.story.lineages.same(&before.replid, &asked.replid)) {
            return Start::AsBefore;
        }
        let byte = asked.offset.and_then(|byte| u64::try_from(byte).ok());
        match byte.filter(|_| asked.replid.as_str().len() == Replid::LENGTH) {
            Some(byte) => Start::At(CachedMaster { replid: asked.replid, offset: Offset::before_byte(byte), db: 0 }),
            None => Start::Nothing,
        }
    }

    /// Connects, and waits until a sync is done; tells whether it is.
    fn ask_for_sync(&mut self, at: usize, scene: &Scene, partner: &Partner) -> Result<bool, RunError> {
        if scene.asked.is_none() {
            self.note(at, "the capture does not show what the replica asked for: it asks for everything".to_owned());
        }
        if let Some(address) = self.story.nodes.get(scene.master).map(|node| node.address)
            && address != scene.link.master
        {
            self.note(at, format!("in the recording this was another master, {}", scene.link.master));
        }
        let start = self.question(at, scene);
        let connection = self.witness.connections();
        let can_two = scene.can_two_channel();
        let (announced, place) = (scene.link.replica_port, partner.place.clone());
        self.order(scene.replica, move |engine| {
            engine.two_channel(can_two);
            if let Some(port) = announced {
                engine.directive("replica-announce-port", &port.to_string());
            }
            engine.follow_directed(&place.host, place.port, start, None, None, clock());
        })?;
        let Some(actor) = self.node(scene.replica).map(|node| &node.actor) else { return Ok(false) };
        // From here on it stands where that has brought it.
        actor.ask(|_| ())?;
        let settled = |standing: &Standing| standing.up || is_lost(standing);
        let in_time = actor.wait(PATIENCE, GLANCE, self.stop, settled);
        let standing = actor.standing();
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.connection = Some(connection).filter(|connection| self.witness.connections() > *connection);
        }
        if standing.up {
            return Ok(true);
        }
        self.stop_if_asked()?;
        let place = &partner.place;
        self.fault(
            at,
            match (standing.refused, in_time) {
                (Some(why), _) => format!("no sync with {place}: {why}"),
                (None, true) => format!("no sync with {place}: the connection was closed"),
                (None, false) => format!("no sync with {place}: nothing has come for {} s", PATIENCE.as_secs()),
            },
        );
        Ok(false)
    }

    /// How long it takes from the one place of the recording to the other, at the speed that is asked for.
    fn span(&self, from: Option<Stamp>, to: Option<Stamp>) -> Duration {
        match (self.speed, from.zip(to).and_then(|(from, to)| to.since(from))) {
            (Speed::Times(times), Some(span)) => {
                Duration::try_from_secs_f64(span.seconds() / times).unwrap_or(Duration::MAX)
            }
            _ => Duration::ZERO,
        }
    }

    /// Stays away as long as the recorded replica did: meanwhile the master may write more than its backlog holds.
    fn stay_away(&self, at: usize, scene: &Scene) -> Result<(), RunError> {
        let before = at.checked_sub(1).and_then(|before| self.story.scenes.get(before));
        let (began, away) = (Instant::now(), self.span(before.and_then(|before| before.closed), Some(scene.granted)));
        while let Some(left) = away.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            self.stop_if_asked()?;
            std::thread::sleep(left.min(GLANCE));
        }
        Ok(())
    }

    /// Stays as long as the recorded replica did, where that is asked for, and acknowledges what comes.
    fn stay(&mut self, at: usize, scene: &Scene) -> Result<(), RunError> {
        let stays = self.span(Some(scene.granted), scene.closed);
        let (began, mut acked) = (Instant::now(), None::<Instant>);
        loop {
            self.stop_if_asked()?;
            if acked.is_none_or(|acked| acked.elapsed() >= ACK_EVERY) {
                self.order(scene.replica, |engine| engine.acknowledge(clock()))?;
                acked = Some(Instant::now());
            }
            let Some(node) = self.node(scene.replica) else { return Ok(()) };
            if let Some(why) = Some(node.actor.standing()).filter(|standing| !standing.up) {
                let why = why.refused.unwrap_or_else(|| "the connection was closed".to_owned());
                self.fault(at, format!("the link ended before its time: {why}"));
                return Ok(());
            }
            let left = stays.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            // Whatever comes meanwhile is a change, and no end of the waiting.
            node.actor.wait(left.min(GLANCE), GLANCE, self.stop, |standing| !standing.up);
        }
    }

    /// Closes the link, and keeps its place.
    fn leave(&mut self, at: usize, scene: &Scene) -> Result<(), RunError> {
        self.order(scene.replica, |engine| engine.hang_up(clock()))?;
        self.wait(scene.replica, |standing| !standing.up);
        if scene.link.closed.0 == Some(Side::Master) {
            self.note(at, "the master closed this link in the recording; here the replica did".to_owned());
        }
        Ok(())
    }
}
