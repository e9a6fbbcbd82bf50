//! The recorded master's part, before a real replica.
//!
//! The master stands where it stood before it lets the replica in, so what it grants is what was granted. When the replica
//! comes and what it acknowledges is its own business: a link's end is waited for until all of it is acknowledged, and
//! then it is this end that closes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Director, Played, Playing, RunError, Source, furnish, millis};
use crate::engine::{Dialect, Engine, Follower, SessionId};
use crate::repl::event::Side;
use crate::repl::summary::SyncKind;
use crate::replay::abroad::{Part, Partner};
use crate::replay::client::{Client, Target};
use crate::replay::stage::{Actor, GLANCE, clock};
use crate::replay::story::Scene;
use crate::units::Offset;

/// How long nothing may be heard of a replica that has come once.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a replica may let go of an RDB: it gets an older version then, where the data allows one.
const TRIES: usize = 2;

/// What an ACK history does not have to be, since it is the real replica's own.
const OWN: &[&str] = &["acks"];

/// What is known of the real replica.
#[derive(Default)]
struct Known {
    address: Option<Target>,
    dialect: Option<Dialect>,
    /// How often it had answered its master with an error before.
    errors: Option<u64>,
    /// Its last connection.
    session: Option<SessionId>,
}

impl Director<'_> {
    /// Plays the master before a replica that comes by itself. `listening` is told where it is waited for.
    ///
    /// # Errors
    /// [`RunError`], where it cannot be gone on with at all.
    pub fn play_to_replica(
        mut self,
        address: SocketAddr,
        partner: &Partner,
        listening: impl FnOnce(SocketAddr),
    ) -> Result<Played, RunError> {
        self.part = Some(Part::Master);
        let (mut known, mut digests) = (Known::default(), None);
        if let Some(master) = self.story.scenes.first().map(|scene| scene.master) {
            listening(self.receive(master, address, partner)?);
        }
        for at in 0..self.story.scenes.len() {
            self.stop_if_asked()?;
            let Some(scene) = self.scene(at) else { break };
            if let Some(outcome) = self.outcomes.get_mut(at) {
                outcome.uncompared.extend_from_slice(OWN);
            }
            if !self.let_in(at, &scene, &mut known)? || !self.feed_replica(at, &scene, &mut known, partner)? {
                self.stop_if_asked()?;
                break;
            }
            if at + 1 == self.story.scenes.len() {
                digests = self.held(at, &scene, &known, partner)?;
                if scene.closed.is_some() {
                    self.let_go(at, &scene, &known)?;
                }
            } else {
                self.let_go(at, &scene, &known)?;
            }
        }
        for at in 0..self.outcomes.len() {
            self.break_off(at);
        }
        for node in 0..self.nodes.len() {
            self.dismiss(node)?;
        }
        Ok(self.played(digests, known.dialect))
    }

    /// Starts the master; nobody is let in as yet.
    fn receive(&mut self, master: usize, address: SocketAddr, partner: &Partner) -> Result<SocketAddr, RunError> {
        let dialect = self.story.nodes.get(master).map_or(Dialect::DEFAULT, |node| node.dialect);
        let (what_if, ample, credentials) = (self.what_if.clone(), self.ample(), partner.credentials.clone());
        let open = !address.ip().is_loopback();
        let actor = Actor::start_at(address, master, dialect, Some(&self.present), &self.witness, move |engine| {
            furnish(engine, &what_if, ample);
            if open {
                engine.directive("protected-mode", "no");
            }
            if let Some(credentials) = credentials {
                engine.require(credentials.user.as_deref(), &credentials.password);
            }
        })?;
        let address = actor.address();
        if let Some(node) = self.nodes.get_mut(master) {
            *node = Some(Playing { actor, source: Source::Nothing, replid: None, fed: Offset(0) });
        }
        Ok(address)
    }

    fn master(&self, scene: &Scene) -> Option<&Actor> {
        self.node(scene.master).map(|node| &node.actor)
    }

    /// The master comes to where it granted the sync, and the replica is let in; tells whether it was granted.
    fn let_in(&mut self, at: usize, scene: &Scene, known: &mut Known) -> Result<bool, RunError> {
        self.arrive(millis(scene.granted));
        self.prepare_master(at, scene)?;
        let full = scene.link.sync.kind == SyncKind::Full && !scene.imagined;
        if let Some(node) = self.node(scene.master).filter(|node| node.source == Source::Tape) {
            let taken = node.actor.standing().taken;
            if !self.takes_tape(scene.master)? {
                self.fault(at, format!("the master could not take the recorded stream after offset {taken}"));
                return Ok(false);
            }
        } else {
            return Ok(false);
        }
        // What was asked with is the real replica's own, so that it is told what the answer is to be.
        let denies = full && self.what_if.backlog.is_none();
        self.order(scene.master, move |engine| engine.deny_partial(denies))?;
        self.wait(scene.master, |standing| !standing.saving);
        if scene.link.sync.kind == SyncKind::Partial && known.session.is_none() && !scene.imagined {
            self.note(
                at,
                "the capture begins with a partial sync, for which the replica must have what came before it"
                    .to_owned(),
            );
        }
        if let Some(address) = self.story.nodes.get(scene.master).map(|node| node.address)
            && address != scene.link.master
        {
            self.note(at, format!("in the recording this was another master, {}", scene.link.master));
        }
        let Some(actor) = self.master(scene) else { return Ok(false) };
        actor.open(true);
        self.meet(at, scene, known)
    }

    /// Waits until a replica has come and been granted a sync.
    fn meet(&mut self, at: usize, scene: &Scene, known: &mut Known) -> Result<bool, RunError> {
        let before = known.session;
        let port = known.address.as_ref().map(|address| address.port);
        // Others may have come as well: the one that was fed is the one that goes on.
        let is_new = |follower: &&Follower| {
            follower.granted && Some(follower.connection) != before && port.is_none_or(|port| follower.port == port)
        };
        let Some(actor) = self.master(scene) else { return Ok(false) };
        let came = loop {
            // What others do meanwhile makes the waiting no longer.
            let until = Instant::now() + PATIENCE;
            actor.wait(PATIENCE, GLANCE, self.stop, |standing| {
                standing.followers.iter().any(|it| is_new(&it)) || Instant::now() >= until
            });
            let came = actor.standing().followers.iter().any(|it| is_new(&it));
            // The first one may take as long as it takes somebody to tell it to come.
            if came || before.is_some() {
                break came;
            }
            self.stop_if_asked()?;
            actor.ask(|_| ())?;
        };
        let found = actor.standing().followers.iter().find(is_new).map(|follower| follower.connection);
        let Some(session) = found.filter(|_| came) else {
            self.stop_if_asked()?;
            self.fault(at, format!("the replica did not come back within {} s", PATIENCE.as_secs()));
            return Ok(false);
        };
        let told = actor.ask(move |engine| engine.follower_address(session))?;
        known.session = Some(session);
        known.address = told.map(|(host, port)| Target { host, port }).filter(|target| target.port != 0);
        let connection = self.witness.number_of(scene.master, session);
        if let Some(outcome) = self.outcomes.get_mut(at) {
            (outcome.connection, outcome.session) = (connection, Some(session));
        }
        Ok(true)
    }

    /// Feeds the replica all of a link, and waits until it has it; tells whether it has.
    fn feed_replica(
        &mut self,
        at: usize,
        scene: &Scene,
        known: &mut Known,
        partner: &Partner,
    ) -> Result<bool, RunError> {
        let mut tries = 1;
        while !self.acknowledges(scene, known, Offset(0)) {
            self.stop_if_asked()?;
            let full = scene.link.sync.kind != SyncKind::Partial;
            let gone = self.is_gone(scene, known);
            if known.dialect.is_none() {
                identify(known, partner);
            }
            if !gone || !full || tries == TRIES {
                let what = if !full { "its link" } else { "the RDB" };
                let fault = match gone {
                    true => format!("the replica let go of {what}{}", self.limits(scene, known)),
                    false => format!("the replica has acknowledged nothing for {} s", PATIENCE.as_secs()),
                };
                self.fault(at, fault);
                return Ok(false);
            }
            tries += 1;
            let limits = self.limits(scene, known);
            self.note(at, format!("the replica let go of an RDB{limits}; it was given another one"));
            if !self.meet(at, scene, known)? {
                return Ok(false);
            }
        }
        if known.dialect.is_none() {
            identify(known, partner);
        }
        // The recorded replica had not applied what came last, and asked for it again; this one will not, if it has it.
        let until = scene.applied;
        if until < scene.end {
            self.note(
                at,
                format!(
                    "the stream ends at offset {until}, up to which the recorded replica had applied it, not at {}",
                    scene.end
                ),
            );
            if let Some(outcome) = self.outcomes.get_mut(at) {
                outcome.uncompared.push("stream");
            }
        }
        if !self.advance(scene.master, until)? {
            self.fault(at, format!("the master did not come to offset {until}"));
            return Ok(false);
        }
        // What ends in the midst of a command is not acknowledged beyond it.
        let until = until.min(self.master(scene).map_or(until, |actor| actor.standing().offset));
        if !self.acknowledges(scene, known, until) {
            self.stop_if_asked()?;
            let ack = self.follower(scene, known).map(|follower| follower.ack);
            self.fault(
                at,
                match ack {
                    Some(ack) => format!("the replica has acknowledged offset {ack} only, not {until}"),
                    None => format!("the replica closed the link before it had acknowledged offset {until}"),
                },
            );
            return Ok(false);
        }
        self.arrive(scene.closed.and_then(millis));
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.over = true;
        }
        Ok(true)
    }

    /// In which version the RDB was, and which the replica can read.
    fn limits(&self, scene: &Scene, known: &Known) -> String {
        let sent = self.master(scene).and_then(|actor| actor.standing().snapshot);
        match (sent, known.dialect) {
            (Some(header), Some(dialect)) => format!(", {header}; it is a {dialect}"),
            (Some(header), None) => format!(", {header}"),
            _ => String::new(),
        }
    }

    fn follower(&self, scene: &Scene, known: &Known) -> Option<Follower> {
        let standing = self.master(scene)?.standing();
        standing.followers.iter().find(|follower| Some(follower.connection) == known.session).copied()
    }

    fn is_gone(&self, scene: &Scene, known: &Known) -> bool {
        self.follower(scene, known).is_none()
    }

    /// Waits until the replica has acknowledged so much, or is gone; tells whether it has.
    fn acknowledges(&self, scene: &Scene, known: &Known, offset: Offset) -> bool {
        let Some(actor) = self.master(scene) else { return false };
        let has = |follower: &Follower| follower.acked && follower.ack >= offset && follower.pending == 0;
        let ours = |follower: &&Follower| Some(follower.connection) == known.session;
        actor.wait(PATIENCE, GLANCE, self.stop, |standing| standing.followers.iter().find(ours).is_none_or(has));
        self.follower(scene, known).is_some_and(|follower| has(&follower))
    }

    /// Closes the link; the replica waits at the door until the next one.
    fn let_go(&mut self, at: usize, scene: &Scene, known: &Known) -> Result<(), RunError> {
        let (Some(actor), Some(session)) = (self.master(scene), known.session) else { return Ok(()) };
        actor.open(false);
        actor.order(move |engine| engine.drop_client(session))?;
        let gone = |follower: &Follower| Some(follower.connection) != known.session;
        actor.wait(PATIENCE, GLANCE, self.stop, |standing| standing.followers.iter().all(gone));
        if scene.link.closed.0 == Some(Side::Replica) {
            self.note(at, "the replica closed this link in the recording; here the master did".to_owned());
        }
        Ok(())
    }

    /// What the replica and the master hold in the end, as the replica's version sums it up.
    fn held(
        &mut self,
        at: usize,
        scene: &Scene,
        known: &Known,
        partner: &Partner,
    ) -> Result<Option<(Dialect, String, String)>, RunError> {
        let told = digest(known, partner).map(|(digest, errors)| {
            if errors > 0 {
                self.note(at, format!("the replica has answered {errors} commands of the stream with an error"));
            }
            digest
        });
        let (dialect, replica) = match (known.dialect, told) {
            (Some(dialect), Ok(digest)) => (dialect, digest),
            (_, Err(why)) => {
                self.note(at, format!("what the replica holds is not known: {why}"));
                return Ok(None);
            }
            (None, Ok(digest)) => {
                self.note(at, format!("DEBUG DIGEST of the replica, whose version is not known: {digest}"));
                return Ok(None);
            }
        };
        let Some(actor) = self.master(scene) else { return Ok(None) };
        if actor.standing().unapplied > 0 {
            // That it is not to be compared with ours is no reason to keep it back.
            self.note(at, format!("DEBUG DIGEST of the replica, as {dialect}: {replica}"));
            return Ok(None);
        }
        // What has expired counts by the clock of the replica, where its version looks at it.
        let master = actor.ask(move |engine: &mut Engine| engine.digest(dialect, clock()).to_string())?;
        Ok(Some((dialect, master, replica)))
    }
}

fn identify(known: &mut Known, partner: &Partner) {
    let client = known.address.as_ref().and_then(|address| Client::connect(address).ok());
    if let Some(mut client) = client {
        known.dialect = client.identity(partner.credentials.as_ref()).ok();
        known.errors = client.errors(partner.credentials.as_ref()).ok().flatten();
    }
}

/// What the replica holds, and how many commands of the stream it has answered with an error.
fn digest(known: &Known, partner: &Partner) -> Result<(String, u64), String> {
    let Some(address) = &known.address else { return Err("it told no port on which to ask it".to_owned()) };
    let mut client = Client::connect(address).map_err(|error| format!("{address}: {error}"))?;
    let answer = client.ask(&["DEBUG", "DIGEST"], partner.credentials.as_ref());
    let digest = answer.map_err(|error| format!("it answers DEBUG DIGEST with {error}"))?;
    let errors = client.errors(partner.credentials.as_ref()).ok().flatten();
    let errors = errors.zip(known.errors).map_or(0, |(after, before)| after.saturating_sub(before));
    Ok((String::from_utf8_lossy(&digest).into_owned(), errors))
}
