//! The story, played: servers are started, fed and connected as the recording has it, one step after the other.
//!
//! Steps come in the recording's order: a sync is granted, a link ends. Before each of them the master is fed up to the
//! offset at which it then stood, and no further, so that what it answers is what it answered. Between steps nothing
//! happens by itself: the servers neither expire nor ping nor connect again; they take the recording's time for theirs.

mod as_master;
mod as_replica;
mod feed;
mod master;

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::feed::is_lost;
use super::abroad::Part;
use super::client::Target;
use super::network::Relay;
use super::stage::{Actor, Present, StageError};
use super::story::{Scene, Story};
use super::tape::Contradiction;
use super::what_if::WhatIf;
use super::witness::Witness;
use crate::bounds::{MAX_REPLAY_BACKLOG, MAX_RETURNS};
use crate::engine::server::Fault;
use crate::engine::{Dialect, Engine, Follower, SessionId, Standing};
use crate::repl::event::{Replid, Side};
use crate::repl::replica::{CachedMaster, Start};
use crate::repl::summary::SyncKind;
use crate::spill::SpillError;
use crate::units::{Offset, Stamp};

/// How long nothing may change before a step is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of such waiting for nothing a replay has in all, before it is given up: a recording of a thousand links that
/// cannot go as recorded must not take hours.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(30);

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// See [`StageError`].
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A temporary file could not be used.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// No network could be made.
    #[error("there is no network to be had: {0}")]
    Network(std::io::Error),
    /// Somebody wants it to end.
    #[error("the replay was interrupted")]
    Interrupted,
    /// A real server takes no connections.
    #[error("{0} cannot be connected to: {1}")]
    Unreachable(Target, std::io::Error),
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as it goes.
    Full,
    /// So many times as fast as it was recorded.
    Times(f64),
}

/// What a node's stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Nothing,
    /// The recording.
    Tape,
    /// The link of this scene.
    Link(usize),
}

/// A node on the stage.
struct Playing {
    actor: Actor,
    source: Source,
    /// The history that it has; `None` while it has none.
    replid: Option<Replid>,
    /// What it was fed.
    fed: Offset,
}

/// What became of a scene.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The number of the connection on which it was replayed, from 0.
    pub connection: Option<usize>,
    /// What the session is called at the master.
    session: Option<SessionId>,
    /// It has been ended.
    over: bool,
    /// What kept it from going as recorded, in sentences.
    pub faults: Vec<String>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// The numbers of the connections on which its replica came back by itself.
    pub returns: Vec<usize>,
    /// The beginnings of the names of those facts that a real server is not asked to have as recorded.
    pub(super) uncompared: Vec<&'static str>,
    /// Recorded ACKs that were not true in the replay.
    pub missed_acks: Vec<Offset>,
    /// Where what was recorded of its stream is not what was recorded of the same offsets elsewhere.
    pub contradiction: Option<Contradiction>,
    /// What the stream has made of the data, against the recorded RDB at the same offset; what either has.
    pub inconsistent: Vec<(String, String)>,
}

/// The end of a replay.
#[derive(Debug)]
pub struct Played {
    /// One for each scene.
    pub outcomes: Vec<Outcome>,
    /// The last scene's two ends, if they are comparable.
    pub digests: Option<(Dialect, String, String)>,
    /// Commands that no engine could apply, with the first one's offset and name.
    pub unapplied: Option<(u64, i64, String)>,
    /// Nothing is known of the data with which the master began.
    pub groundless: bool,
    /// Others stand for commands that the capture lacks.
    pub synthetic: bool,
    /// Which side was played, where a real server had the other.
    pub part: Option<Part>,
    /// What that server is, as far as it tells.
    pub server: Option<Dialect>,
}

/// Plays a story.
pub struct Director<'a> {
    story: &'a mut Story,
    nodes: Vec<Option<Playing>>,
    outcomes: Vec<Outcome>,
    present: Present,
    witness: Witness,
    speed: Speed,
    what_if: WhatIf,
    /// What is between the ends of a scene, where it is asked what becomes of links in time.
    relays: HashMap<usize, Relay>,
    /// Set when it is to end.
    stop: &'a AtomicBool,
    /// What is left of [`PATIENCE_IN_ALL`].
    patience: Cell<Duration>,
    /// When the replay began, and at which time of the recording.
    began: Instant,
    origin: Option<i64>,
    groundless: bool,
    synthetic: bool,
    /// See [`Played::part`].
    part: Option<Part>,
    /// See [`Played::unapplied`], of the servers that have ended.
    unapplied: Option<(u64, i64, String)>,
}

impl std::fmt::Debug for Director<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Director").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

/// What happens at a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    End(usize),
    Begin(usize),
}

impl Step {
    fn scene(self) -> usize {
        match self {
            Self::Begin(at) | Self::End(at) => at,
        }
    }
}

fn millis(stamp: Stamp) -> Option<i64> {
    i64::try_from(stamp.time?.nanos / 1_000_000).ok()
}

impl<'a> Director<'a> {
    /// Ready to play, until `stop` is set.
    pub fn new(story: &'a mut Story, witness: Witness, speed: Speed, what_if: WhatIf, stop: &'a AtomicBool) -> Self {
        let outcomes = vec![Outcome::default(); story.scenes.len()];
        let nodes = story.nodes.iter().map(|_| None).collect();
        let (present, began) = (Present::default(), Instant::now());
        Self {
            story,
            nodes,
            outcomes,
            present,
            witness,
            speed,
            what_if,
            relays: HashMap::new(),
            stop,
            patience: Cell::new(PATIENCE_IN_ALL),
            began,
            origin: None,
            groundless: false,
            synthetic: false,
            part: None,
            unapplied: None,
        }
    }

    /// Plays it to its end.
    ///
    /// # Errors
    /// [`RunError`], where it cannot be gone on with at all.
    pub fn play(mut self) -> Result<Played, RunError> {
        let mut steps: Vec<(u64, Step)> = Vec::new();
        for (at, scene) in self.story.scenes.iter().enumerate() {
            steps.push((scene.granted.frame.0, Step::Begin(at)));
            if let Some(closed) = scene.closed {
                steps.push((closed.frame.0.max(scene.granted.frame.0 + 1), Step::End(at)));
            }
        }
        steps.sort_unstable();
        let last = self.last_steps(&steps);
        self.began = Instant::now();
        for (number, (_, step)) in steps.into_iter().enumerate() {
            match step {
                _ if self.patience.get().is_zero() => self.give_up(step.scene()),
                Step::Begin(at) => self.begin(at)?,
                Step::End(at) => self.end(at, true)?,
            }
            self.stop_if_asked()?;
            for node in self.ends(step.scene()) {
                if last.get(&node) == Some(&number) {
                    self.dismiss(node)?;
                }
            }
        }
        for at in 0..self.outcomes.len() {
            match self.patience.get().is_zero() {
                true => self.give_up(at),
                false => self.end(at, false)?,
            }
        }
        self.stop_if_asked()?;
        self.compare_copies()?;
        let digests = self.digests()?;
        for node in 0..self.nodes.len() {
            self.dismiss(node)?;
        }
        Ok(self.played(digests, None))
    }

    fn played(self, digests: Option<(Dialect, String, String)>, server: Option<Dialect>) -> Played {
        Played {
            outcomes: self.outcomes,
            digests,
            unapplied: self.unapplied,
            groundless: self.groundless,
            synthetic: self.synthetic,
            part: self.part,
            server,
        }
    }

    /// Links of one history must have the same bytes at the same offsets.
    fn compare_copies(&mut self) -> Result<(), RunError> {
        for (scene, outcome) in self.story.scenes.iter().zip(&mut self.outcomes).filter(|(scene, _)| !scene.imagined) {
            outcome.contradiction = self.story.tapes.contradiction(scene.link.link)?;
        }
        Ok(())
    }

    /// The step after which each node is needed no more; those that are to the end are not named.
    fn last_steps(&self, steps: &[(u64, Step)]) -> HashMap<usize, usize> {
        let mut last = HashMap::new();
        for (number, (_, step)) in steps.iter().enumerate() {
            last.extend(self.ends(step.scene()).map(|node| (node, number)));
        }
        let scenes = &self.story.scenes;
        let final_frame = scenes.iter().map(|scene| scene.granted.frame).max();
        for scene in scenes.iter().filter(|scene| scene.closed.is_none() || Some(scene.granted.frame) == final_frame) {
            last.remove(&scene.master);
            last.remove(&scene.replica);
        }
        last
    }

    /// A scene's two nodes.
    fn ends(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let ends = self.story.scenes.get(at).map(|scene| [scene.master, scene.replica]);
        ends.into_iter().flatten()
    }

    /// Ends a server.
    fn dismiss(&mut self, number: usize) -> Result<(), RunError> {
        let Some(node) = self.nodes.get_mut(number).and_then(Option::take) else { return Ok(()) };
        let standing = node.actor.standing();
        if let Some((offset, name)) = standing.first_unapplied {
            let count = self.unapplied.as_ref().map_or(0, |(count, ..)| *count);
            self.unapplied = Some((count.max(standing.unapplied), offset, name));
        }
        Ok(node.actor.end()?)
    }

    /// Too much has been waited for in vain: this scene is not gone on with.
    fn give_up(&mut self, at: usize) {
        if let Some(outcome) = self.outcomes.get_mut(at).filter(|outcome| !outcome.over) {
            outcome.over = true;
            outcome.faults.push("the replay was given up: too often nothing came of it for seconds".to_owned());
        }
    }

    /// What became of an earlier scene keeps this one from being played.
    fn break_off(&mut self, at: usize) {
        if let Some(outcome) = self.outcomes.get_mut(at).filter(|outcome| !outcome.over && outcome.faults.is_empty()) {
            outcome.over = true;
            outcome.faults.push("the replay was not gone on with".to_owned());
        }
    }

    fn stop_if_asked(&self) -> Result<(), RunError> {
        if self.stop.load(Ordering::Relaxed) { Err(RunError::Interrupted) } else { Ok(()) }
    }

    fn scene(&self, at: usize) -> Option<Scene> {
        self.story.scenes.get(at).cloned()
    }

    fn node(&self, number: usize) -> Option<&Playing> {
        self.nodes.get(number).and_then(Option::as_ref)
    }

    /// The node, which is started if need be.
    fn start(&mut self, number: usize) -> Result<(), RunError> {
        if self.node(number).is_some() {
            return Ok(());
        }
        let dialect = self.story.nodes.get(number).map_or(Dialect::DEFAULT, |node| node.dialect);
        let (what_if, ample) = (self.what_if.clone(), self.ample());
        let actor = Actor::start(number, dialect, &self.present, &self.witness, move |engine| {
            furnish(engine, &what_if, ample);
        })?;
        if let Some(node) = self.nodes.get_mut(number) {
            *node = Some(Playing { actor, source: Source::Nothing, replid: None, fed: Offset(0) });
        }
        Ok(())
    }

    /// A backlog in which every partial sync that was granted holds, as far as memory may go.
    fn ample(&self) -> u64 {
        let missed = |scene: &Scene| scene.stood.0.saturating_sub(scene.start.0);
        let most = self.story.scenes.iter().map(missed).max().unwrap_or(0);
        // Output limits do not count what the backlog has, so that it must not be larger than it may have been.
        let spare = if self.what_if.is_of_time() { USUAL_BACKLOG } else { AMPLE_BACKLOG };
        most.saturating_add(spare).min(MAX_REPLAY_BACKLOG)
    }

    fn order(&self, number: usize, order: impl FnOnce(&mut Engine) + Send + 'static) -> Result<(), RunError> {
        if let Some(node) = self.node(number) {
            node.actor.order(order)?;
        }
        Ok(())
    }

    fn note(&mut self, at: usize, note: String) {
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.notes.push(note);
        }
    }

    fn fault(&mut self, at: usize, fault: String) {
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.faults.push(fault);
        }
    }

    /// Whether a node is this one, or follows it over some links.
    fn follows(&self, number: usize, other: usize) -> bool {
        // There is no ring as yet, since none is let come about.
        let mut next = Some(number);
        while let Some(number) = next {
            if number == other {
                return true;
            }
            next = match self.node(number).map(|node| node.source) {
                Some(Source::Link(at)) => self.story.scenes.get(at).map(|scene| scene.master),
                _ => None,
            };
        }
        false
    }

    /// A sync is granted.
    fn begin(&mut self, at: usize) -> Result<(), RunError> {
        let Some(scene) = self.scene(at) else { return Ok(()) };
        self.arrive(millis(scene.granted));
        // A replica has but one master.
        if let Some(Source::Link(earlier)) = self.node(scene.replica).map(|node| node.source) {
            self.end(earlier, true)?;
        }
        if self.follows(scene.master, scene.replica) {
            self.fault(at, "the master follows its own replica".to_owned());
            return Ok(());
        }
        self.prepare_master(at, &scene)?;
        match self.node(scene.master).map(|node| (node.source, node.actor.standing().taken)) {
            None | Some((Source::Nothing, _)) => return Ok(()),
            Some((Source::Tape, taken)) if !self.takes_tape(scene.master)? => {
                self.fault(at, format!("the master could not take the recorded stream after offset {taken}"));
                return Ok(());
            }
            Some(_) => {}
        }
        // A snapshot for somebody else, of an earlier offset, must not be taken for this one.
        self.wait(scene.master, |standing| !standing.saving);
        self.start(scene.replica)?;
        if scene.link.sync.kind != SyncKind::Full && self.node(scene.replica).is_some_and(|node| node.replid.is_none())
        {
            self.begin_with_given(at, scene.replica)?;
        }
        let (connection, present) = (self.witness.connections(), self.present.get());
        let Some(address) = self.approach(at, &scene)? else { return Ok(()) };
        let start = self.start_of(at, &scene)?;
        // What is beyond the stream's end was never true; the verdict says so.
        let mut acks: VecDeque<Offset> = scene.true_acks().collect();
        // Without the first one no stream follows a diskless payload: a capture that lacks it began later.
        let owes = scene.link.sync.kind == SyncKind::Full && self.is_diskless(&scene);
        if owes && acks.front().is_none_or(|first| *first > scene.start) {
            acks.push_front(scene.start);
        }
        let by_itself = self.what_if.is_of_time();
        let acks = Some(acks).filter(|_| !by_itself);
        let hold = (scene.applied < scene.end && !by_itself).then_some(scene.applied);
        let can_two = scene.can_two_channel();
        let announced = scene.link.replica_port;
        self.order(scene.replica, move |engine| {
            engine.two_channel(can_two);
            if let Some(port) = announced {
                engine.directive("replica-announce-port", &port.to_string());
            }
            engine.follow_directed(&address.ip().to_string(), address.port(), start, acks, hold, present);
            engine.follow_by_itself(by_itself);
        })?;
        if let Some(node) = self.nodes.get_mut(scene.replica).and_then(Option::as_mut) {
            (node.source, node.replid, node.fed) = (Source::Link(at), Some(scene.replid), scene.start);
            // From here on it stands where that has brought it.
            node.actor.ask(|_| ())?;
        }
        let has = |standing: &Standing| standing.granted.is_some() || standing.up;
        self.wait(scene.replica, |standing| has(standing) || (!by_itself && is_lost(standing)) || self.storms(at));
        let granted = self.node(scene.replica).is_some_and(|node| has(&node.actor.standing()));
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.connection = Some(connection).filter(|connection| self.witness.connections() > *connection);
            outcome.session = self.witness.connection(connection).map(|(_, session)| session);
        }
        if !granted && scene.cut_rdb.is_none() {
            self.fault(at, "no sync was granted".to_owned());
        }
        Ok(())
    }

    /// Where a scene's replica is to connect.
    fn approach(&mut self, at: usize, scene: &Scene) -> Result<Option<SocketAddr>, RunError> {
        let Some(master) = self.node(scene.master) else { return Ok(None) };
        master.actor.break_on_purpose(scene.cut_rdb.map(Fault::CutRdb).into_iter().collect());
        let address = master.actor.address();
        let (true, Speed::Times(pace)) = (self.what_if.is_of_time(), self.speed) else { return Ok(Some(address)) };
        let relay = Relay::start(address, self.what_if.network, pace).map_err(RunError::Network)?;
        let address = relay.address();
        self.relays.insert(at, relay);
        Ok(Some(address))
    }

    /// What the replica asks with: what it has, which should be what it had.
    fn start_of(&mut self, at: usize, scene: &Scene) -> Result<Start, RunError> {
        if scene.imagined || (self.what_if.is_of_time() && self.has_history(scene)) {
            return Ok(Start::AsBefore);
        }
        let Some(asked) = scene.asked else {
            // A link of which the capture lacks the beginning is gone on with where it stood.
            let place = CachedMaster { replid: scene.replid, offset: scene.start, db: 0 };
            let full = scene.link.sync.kind == SyncKind::Full;
            return Ok(if full { Start::Nothing } else { Start::At(place) });
        };
        let byte = asked
            .offset
            .and_then(|byte| u64::try_from(byte).ok())
            .filter(|_| asked.replid.as_str().len() == Replid::LENGTH);
        let Some(byte) = byte else { return Ok(Start::Nothing) };
        let recorded = Offset::before_byte(byte);
        let Some(node) = self.node(scene.replica) else { return Ok(Start::Nothing) };
        let (own, db) = node.actor.ask(|engine| (engine.standing().applied, engine.stream_db()))?;
        let has = node.replid.is_some_and(|replid| self.story.lineages.same(&replid, &asked.replid));
        if has && own != recorded {
            self.note(at, format!("the replica had applied {own} where in the recording it asked from {recorded} on"));
        } else if !has && scene.link.sync.kind == SyncKind::Partial {
            self.groundless = true;
        }
        Ok(Start::At(CachedMaster { replid: asked.replid, offset: recorded, db }))
    }

    /// Whether a scene's replica has something of the history that it asks for.
    fn has_history(&self, scene: &Scene) -> bool {
        let own = self.node(scene.replica).and_then(|node| node.replid);
        own.zip(scene.asked).is_some_and(|(own, asked)| self.story.lineages.same(&own, &asked.replid))
    }

    /// Whether a scene's replica connects again and again.
    fn storms(&self, at: usize) -> bool {
        self.relays.get(&at).is_some_and(|relay| relay.made() > MAX_RETURNS)
    }

    /// A link ends, or the recording does.
    fn end(&mut self, at: usize, closes: bool) -> Result<(), RunError> {
        let Some(scene) = self.scene(at) else { return Ok(()) };
        if self.outcomes.get(at).is_none_or(|outcome| outcome.over || outcome.connection.is_none()) {
            return Ok(());
        }
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.over = true;
        }
        let fed = self.advance(scene.master, scene.end)?;
        if self.what_if.is_of_time() {
            return self.end_in_time(at, &scene, closes);
        }
        if !fed {
            self.fault(at, format!("the master did not come to offset {}", scene.end));
        }
        // A cut falls between commands.
        let came = self.node(scene.master).map_or(scene.applied, |node| node.actor.standing().offset);
        let target = if scene.cut { scene.applied.min(came) } else { scene.applied };
        let session = self.outcomes.get(at).and_then(|outcome| outcome.session);
        let whole = scene.cut_rdb.is_none();
        let done = |standing: &Standing| {
            whole && standing.up && standing.taken >= target && standing.due_acks == 0 || is_lost(standing)
        };
        let arrived = !fed || self.wait(scene.replica, done);
        let Some(standing) = self.node(scene.replica).map(|replica| replica.actor.standing()) else { return Ok(()) };
        if fed && whole && standing.taken < target {
            self.fault(at, format!("the replica came to offset {} only, not to {target}", standing.taken));
        }
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.missed_acks = standing.missed_acks.clone();
        }
        // What the replica has said must be seen before the connection goes.
        let last = scene.true_acks().filter(|offset| !standing.missed_acks.contains(offset)).max();
        if let (Some(session), true, 0) = (session, arrived, standing.due_acks) {
            let seen = |follower: &Follower| {
                follower.connection != session
                    || (follower.pending == 0 && last.is_none_or(|last| follower.ack >= last))
            };
            self.wait(scene.master, |standing| standing.followers.iter().all(seen));
        }
        self.arrive(scene.closed.and_then(millis));
        if closes {
            self.close(&scene, session)?;
        }
        Ok(())
    }

    /// The same where the replica does as it does by itself: it is where it is when the link ends, and is waited for where
    /// only the recording does.
    fn end_in_time(&mut self, at: usize, scene: &Scene, closes: bool) -> Result<(), RunError> {
        match scene.closed.and_then(millis).filter(|_| closes) {
            Some(closed) => self.arrive(Some(closed)),
            None => {
                let arrived = |standing: &Standing| standing.up && standing.taken >= scene.applied;
                self.wait(scene.replica, |standing| arrived(standing) || self.storms(at));
            }
        }
        if self.storms(at) {
            self.note(at, format!("the replica connected more than {MAX_RETURNS} times: that was enough"));
        }
        let taken = self.node(scene.replica).map_or(Offset(0), |node| node.actor.standing().taken);
        let relay = self.relays.get(&at);
        let made = self.witness.made_from(|from| relay.is_some_and(|relay| relay.has_made(from)));
        if let Some(outcome) = self.outcomes.get_mut(at) {
            let first = outcome.connection;
            outcome.returns = made.iter().copied().filter(|number| Some(*number) != first).collect();
        }
        if taken < scene.applied {
            self.fault(at, format!("the replica had come to offset {taken} in the end, not to {}", scene.applied));
        }
        if closes {
            self.close(scene, None)?;
            self.relays.remove(&at);
            let sessions: Vec<SessionId> =
                made.iter().filter_map(|number| Some(self.witness.connection(*number)?.1)).collect();
            let gone = |standing: &Standing| {
                standing.followers.iter().all(|follower| !sessions.contains(&follower.connection))
            };
            self.wait(scene.master, gone);
        }
        Ok(())
    }

    fn close(&mut self, scene: &Scene, session: Option<SessionId>) -> Result<(), RunError> {
        let present = self.present.get();
        if let (Some(Side::Master), Some(session)) = (scene.link.closed.0, session) {
            self.order(scene.master, move |engine| engine.drop_client(session))?;
            self.wait(scene.replica, |standing| !standing.up);
        }
        self.order(scene.replica, move |engine| {
            engine.follow_by_itself(false);
            engine.hang_up(present);
        })?;
        if let Some(replica) = self.nodes.get_mut(scene.replica).and_then(Option::as_mut) {
            replica.source = Source::Nothing;
        }
        self.wait(scene.replica, |standing| !standing.up);
        // What is written from now on must not reach it.
        if let Some(session) = session {
            self.wait(scene.master, |standing| {
                standing.followers.iter().all(|follower| follower.connection != session)
            });
        }
        Ok(())
    }

    /// The digests of the last scene's two ends.
    fn digests(&self) -> Result<Option<(Dialect, String, String)>, RunError> {
        let Some(scene) = self.story.scenes.iter().max_by_key(|scene| scene.granted.frame) else { return Ok(None) };
        let (Some(master), Some(replica)) = (self.node(scene.master), self.node(scene.replica)) else {
            return Ok(None);
        };
        let Some(dialect) = self.story.nodes.get(scene.master).map(|node| node.dialect) else { return Ok(None) };
        let present = self.present.get();
        let digest = move |engine: &mut Engine| engine.digest(dialect, present).to_string();
        // Both at the same time: large data take a while.
        let (master, replica) = (master.actor.ask_ahead(digest)?, replica.actor.ask_ahead(digest)?);
        Ok(Some((dialect, master.get()?, replica.get()?)))
    }
}

/// What every server's backlog has room for beyond what replicas are known to have missed, unless another is asked for.
const AMPLE_BACKLOG: u64 = 64 << 20;

/// What servers have unless they are told otherwise, in bytes.
const USUAL_BACKLOG: u64 = 1 << 20;

/// What servers have unless they are told otherwise, in seconds.
const TIMEOUT: u64 = 60;

/// What servers have unless they are told otherwise.
const OUTPUT_LIMIT: &str = "replica 268435456 67108864 60";

/// Sets a server up.
fn furnish(engine: &mut Engine, what_if: &WhatIf, ample: u64) {
    for (name, value) in SETTINGS {
        engine.directive(name, value);
    }
    engine.directive("repl-backlog-size", &what_if.backlog.unwrap_or(ample).to_string());
    if what_if.is_of_time() {
        engine.directive("repl-timeout", &what_if.timeout.unwrap_or(TIMEOUT).to_string());
        engine.directive("client-output-buffer-limit", what_if.output_limit.as_deref().unwrap_or(OUTPUT_LIMIT));
    }
}

/// What every server of a replay is set to: what a replica asks for that the recorded master still had, it has as well.
const SETTINGS: &[(&str, &str)] = &[
    ("save", ""),
    ("repl-diskless-sync-delay", "0"),
    // Recorded time may leap, and nobody is dropped for that.
    ("repl-timeout", "2147483647"),
    ("repl-backlog-ttl", "0"),
    ("client-output-buffer-limit", "replica 0 0 0"),
    ("rdbchecksum", "yes"),
];
