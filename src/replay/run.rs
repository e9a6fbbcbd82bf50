//! The story, played: servers are started, fed and connected as the recording has it, one step after the other.
//!
//! Steps come in the recording's order: a sync is granted, a link ends. Before each of them the master is fed up to the
//! offset at which it then stood, and no further, so that what it answers is what it answered. Between steps nothing
//! happens by itself: the servers neither expire nor ping nor connect again; they take the recording's time for theirs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::stage::{Actor, Present, StageError};
use super::story::{Scene, Story, is_two_channel};
use super::witness::Witness;
use crate::bounds::{REPLAY_AHEAD, REPLAY_PIECE, STAND_IN};
use crate::engine::{Dialect, Engine, SessionId};
use crate::repl::event::{Replid, Side, Transfer};
use crate::repl::replica::{CachedMaster, Start};
use crate::repl::summary::SyncKind;
use crate::spill::SpillError;
use crate::units::{Offset, Stamp};

/// How long nothing may change before a step is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// See [`StageError`].
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A temporary file could not be used.
    #[error(transparent)]
    Spill(#[from] SpillError),
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
    /// Recorded ACKs that were not true in the replay.
    pub missed_acks: Vec<Offset>,
    /// What the keyspace made of the recorded stream, against the recorded RDB at the same offset.
    pub consistent: Option<bool>,
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
}

/// Plays a story.
pub struct Director<'a> {
    story: &'a mut Story,
    nodes: Vec<Option<Playing>>,
    outcomes: Vec<Outcome>,
    present: Present,
    witness: Witness,
    speed: Speed,
    /// `repl-backlog-size`, where it is asked what would be with another one.
    backlog: Option<u64>,
    /// When the replay began, and at which time of the recording.
    began: Instant,
    origin: Option<i64>,
    groundless: bool,
    synthetic: bool,
}

impl std::fmt::Debug for Director<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Director").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

/// A command of so many bytes that changes nothing; newlines, which count as well, where it is too short for one.
fn stand_in(size: u64) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let publish = |payload: usize| {
        let mut bytes = Vec::new();
        let payload = vec![b'.'; payload];
        crate::resp::encode(&mut bytes, [&b"PUBLISH"[..], b"-", &payload].into_iter());
        bytes
    };
    let least = publish(0).len();
    // The payload's length takes digits of its own.
    let fits = (0..8).find_map(|digits| {
        let bytes = publish(size.checked_sub(least + digits)?);
        (bytes.len() == size).then_some(bytes)
    });
    match fits {
        Some(bytes) => bytes,
        None if size > least => publish(size.saturating_sub(least + 8)),
        None => vec![b'\n'; size],
    }
}

/// What happens at a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    End(usize),
    Begin(usize),
}

fn millis(stamp: Stamp) -> Option<i64> {
    i64::try_from(stamp.time?.nanos / 1_000_000).ok()
}

impl<'a> Director<'a> {
    /// Ready to play.
    pub fn new(story: &'a mut Story, witness: Witness, speed: Speed, backlog: Option<u64>) -> Self {
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
            backlog,
            began,
            origin: None,
            groundless: false,
            synthetic: false,
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
        self.began = Instant::now();
        for (_, step) in steps {
            match step {
                Step::Begin(at) => self.begin(at)?,
                Step::End(at) => self.end(at, true)?,
            }
        }
        for at in 0..self.outcomes.len() {
            self.end(at, false)?;
        }
        let digests = self.digests()?;
        let mut unapplied: Option<(u64, i64, String)> = None;
        for node in self.nodes.iter().flatten() {
            let standing = node.actor.standing();
            if let Some((offset, name)) = standing.first_unapplied {
                let (count, ..) = unapplied.clone().unwrap_or_default();
                unapplied = Some((count.max(standing.unapplied), offset, name));
            }
        }
        for node in self.nodes.into_iter().flatten() {
            node.actor.end();
        }
        Ok(Played {
            outcomes: self.outcomes,
            digests,
            unapplied,
            groundless: self.groundless,
            synthetic: self.synthetic,
        })
    }

    fn scene(&self, at: usize) -> Option<Scene> {
        self.story.scenes.get(at).cloned()
    }

    /// It is this time of the recording; at a pace, it is waited for.
    fn arrive(&mut self, time: Option<i64>) {
        let Some(time) = time else { return };
        self.present.set(time);
        let origin = *self.origin.get_or_insert(time);
        if let Speed::Times(times) = self.speed {
            let due = Duration::from_secs_f64((time - origin).max(0) as f64 / 1000.0 / times);
            std::thread::sleep(due.saturating_sub(self.began.elapsed()));
        }
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
        let backlog = self.backlog.unwrap_or(AMPLE_BACKLOG).to_string();
        let actor = Actor::start(number, dialect, &self.present, &self.witness, move |engine| {
            for (name, value) in SETTINGS {
                engine.directive(name, value);
            }
            engine.directive("repl-backlog-size", &backlog);
        })?;
        if let Some(node) = self.nodes.get_mut(number) {
            *node = Some(Playing { actor, source: Source::Nothing, replid: None, fed: Offset(0) });
        }
        Ok(())
    }

    fn order(&self, number: usize, order: impl FnOnce(&mut Engine) + Send + 'static) -> Result<(), RunError> {
        if let Some(node) = self.node(number) {
            node.actor.order(order)?;
        }
        Ok(())
    }

    /// Feeds a node, or the one that it follows, up to an offset; tells whether it came so far.
    fn advance(&mut self, number: usize, until: Offset) -> Result<bool, RunError> {
        let Some(node) = self.node(number) else { return Ok(false) };
        match node.source {
            Source::Nothing => Ok(node.actor.standing().taken >= until),
            Source::Link(at) => {
                let Some(master) = self.scene(at).map(|scene| scene.master) else { return Ok(false) };
                let fed = self.advance(master, until)?;
                let reached = |standing: &crate::engine::Standing| standing.up && standing.taken >= until;
                Ok(fed && self.node(number).is_some_and(|node| node.actor.wait(PATIENCE, reached)))
            }
            Source::Tape => self.feed(number, until),
        }
    }

    fn feed(&mut self, number: usize, until: Offset) -> Result<bool, RunError> {
        let Some(replid) = self.node(number).and_then(|node| node.replid) else { return Ok(false) };
        let lineage = self.story.lineages.root(&replid);
        while let Some(fed) = self.node(number).map(|node| node.fed).filter(|fed| *fed < until) {
            let mut piece = vec![0; REPLAY_PIECE];
            let Some((size, time)) = self.story.tapes.read(lineage, fed, until, &mut piece)? else {
                return Ok(false);
            };
            piece.truncate(size);
            self.arrive(time);
            let present = self.present.get();
            self.order(number, move |engine| engine.tape(&piece, present))?;
            if let Some(node) = self.nodes.get_mut(number).and_then(Option::as_mut) {
                node.fed = fed.advanced_by(size as u64);
            }
            self.let_follow(number);
        }
        let taken = |standing: &crate::engine::Standing| standing.taken >= until;
        Ok(self.node(number).is_some_and(|node| node.actor.wait(PATIENCE, taken)))
    }

    /// Waits where a replica is far behind what its master was fed.
    fn let_follow(&self, number: usize) {
        let Some(master) = self.node(number) else { return };
        let needed = Offset(master.fed.0.saturating_sub(REPLAY_AHEAD));
        let near = |standing: &crate::engine::Standing| {
            standing.offset >= needed && standing.followers.iter().all(|follower| follower.pending <= REPLAY_AHEAD)
        };
        master.actor.wait(PATIENCE, near);
    }

    /// Gives a master the data of a recorded RDB, and its place.
    fn seed(&mut self, at: usize, number: usize, scene: &Scene) -> Result<(), RunError> {
        self.load(number, scene)?;
        let place = CachedMaster { replid: scene.replid, offset: scene.start, db: 0 };
        let present = self.present.get();
        let Some(node) = self.nodes.get_mut(number).and_then(Option::as_mut) else { return Ok(()) };
        match node.actor.ask(move |engine| engine.tape_loaded(place, present))? {
            Ok(()) => (node.source, node.replid, node.fed) = (Source::Tape, Some(scene.replid), scene.start),
            Err(fault) => self.fault(at, format!("the recorded RDB cannot be loaded: {fault}")),
        }
        Ok(())
    }

    /// Hands a recorded RDB to a node, which is then to be told what to do with it.
    fn load(&mut self, number: usize, scene: &Scene) -> Result<(), RunError> {
        let Some(link) = scene.rdb else { return Ok(()) };
        self.order(number, Engine::tape_begin)?;
        let mut at = 0;
        loop {
            let mut piece = vec![0; REPLAY_PIECE];
            let size = self.story.tapes.read_rdb(link, at, &mut piece)?;
            if size == 0 {
                break;
            }
            piece.truncate(size);
            at += size as u64;
            self.order(number, move |engine| engine.tape_load(&piece))?;
        }
        Ok(())
    }

    /// Lets a master go on by itself, from where it is or from this place.
    fn go_on(&mut self, number: usize, replid: Replid, from: Option<Offset>) -> Result<(), RunError> {
        let present = self.present.get();
        let Some(node) = self.nodes.get_mut(number).and_then(Option::as_mut) else { return Ok(()) };
        let offset = node.actor.ask(move |engine| {
            engine.hang_up(present);
            let offset = from.unwrap_or_else(|| engine.standing().applied);
            let db = engine.stream_db();
            engine.tape_go_on(CachedMaster { replid, offset, db }, present);
            offset
        })?;
        (node.source, node.replid, node.fed) = (Source::Tape, Some(replid), offset);
        Ok(())
    }

    /// Brings a scene's master to where it stood when it granted the sync.
    fn prepare_master(&mut self, at: usize, scene: &Scene) -> Result<(), RunError> {
        let number = scene.master;
        self.start(number)?;
        let known = self.node(number).and_then(|node| node.replid);
        let same = known.is_some_and(|known| known.matches(&scene.replid));
        let related = known.is_some_and(|known| self.story.lineages.same(&known, &scene.replid));
        let full = scene.link.sync.kind == SyncKind::Full;
        if full {
            let arrived = same && self.advance(number, scene.start)? && self.stands_at(number, scene.start);
            if same && !arrived && self.backlog.is_some() && self.stand_in(at, number, scene)? {
                return self.set_transfer(number, scene);
            }
            let unapplied = self.node(number).map_or(0, |node| node.actor.standing().unapplied);
            if arrived && unapplied > 0 {
                self.load(number, scene)?;
                if let Some(node) = self.node(number) {
                    let _ = node.actor.ask(Engine::tape_data)?;
                }
                self.note(
                    at,
                    format!(
                        "{unapplied} commands could not be applied before: it goes on with the recorded RDB's data"
                    ),
                );
            } else if arrived {
                self.compare(at, scene)?;
            }
            if same && !arrived {
                let reached = self.node(number).map_or(Offset(0), |node| node.fed);
                self.note(at, format!(
                    "what the master wrote after offset {reached} is not in the capture: it goes on with the recorded RDB at offset {}",
                    scene.start
                ));
            }
            // What the recorded master's backlog had lost, the replayed one's must not have.
            if !arrived || (self.backlog.is_none() && scene.is_overrun(&self.story.lineages)) {
                self.seed(at, number, scene)?;
            }
        } else {
            match known {
                None => {
                    self.groundless = true;
                    self.note(at, "the capture does not show what the master held: it begins with no keys".to_owned());
                    self.go_on(number, scene.replid, Some(scene.start))?;
                }
                Some(_) if !same && !related => {
                    self.fault(at, "the master has another history than in the recording".to_owned());
                    self.go_on(number, scene.replid, Some(scene.start))?;
                }
                Some(_) if !same => self.go_on(number, scene.replid, None)?,
                Some(_) if self.node(number).is_some_and(|node| node.source == Source::Nothing) => {
                    self.go_on(number, scene.replid, None)?;
                }
                Some(_) => {}
            }
            self.advance(number, scene.stood)?;
        }
        self.set_transfer(number, scene)
    }

    fn set_transfer(&self, number: usize, scene: &Scene) -> Result<(), RunError> {
        let diskless = scene.link.sync.transfer != Some(Transfer::Disk);
        let two_channel = is_two_channel(scene.link.sync.transfer);
        self.order(number, move |engine| {
            engine.directive("repl-diskless-sync", if diskless { "yes" } else { "no" });
            engine.two_channel(two_channel);
        })
    }

    /// In place of what a master wrote and the capture lacks, as many bytes of commands that change nothing, and the data
    /// of the RDB that was recorded afterwards. Tells whether that was possible.
    fn stand_in(&mut self, at: usize, number: usize, scene: &Scene) -> Result<bool, RunError> {
        let Some(fed) = self.node(number).map(|node| node.fed).filter(|fed| *fed < scene.start) else {
            return Ok(false);
        };
        let mut missing = scene.start.0 - fed.0;
        self.note(at, format!(
            "synthetic: {missing} bytes that the master wrote after offset {fed} are not in the capture, and others stand for them"
        ));
        let present = self.present.get();
        while missing > 0 {
            let bytes = stand_in(missing.min(STAND_IN));
            missing -= bytes.len() as u64;
            self.order(number, move |engine| engine.tape(&bytes, present))?;
        }
        self.load(number, scene)?;
        let start = scene.start;
        let Some(node) = self.nodes.get_mut(number).and_then(Option::as_mut) else { return Ok(false) };
        node.fed = start;
        let loaded = node.actor.ask(Engine::tape_data)?;
        if let Err(fault) = loaded {
            self.fault(at, format!("the recorded RDB cannot be loaded: {fault}"));
        }
        self.synthetic = true;
        Ok(self.node(number).is_some_and(|node| node.actor.wait(PATIENCE, |standing| standing.taken >= start)))
    }

    fn stands_at(&self, number: usize, offset: Offset) -> bool {
        self.node(number).is_some_and(|node| node.actor.standing().offset == offset)
    }

    /// Where a master has come by the recorded stream to where there is a recorded RDB, both must be the same.
    fn compare(&mut self, at: usize, scene: &Scene) -> Result<(), RunError> {
        let Some(link) = scene.rdb else { return Ok(()) };
        let mut piece = vec![0; REPLAY_PIECE];
        let mut loading = crate::engine::Engine::new(Dialect::DEFAULT, 1);
        loading.tape_begin();
        let mut read = 0;
        loop {
            let size = self.story.tapes.read_rdb(link, read, &mut piece)?;
            if size == 0 {
                break;
            }
            loading.tape_load(piece.get(..size).unwrap_or_default());
            read += size as u64;
        }
        let place = CachedMaster { replid: scene.replid, offset: scene.start, db: 0 };
        let present = self.present.get();
        if loading.tape_loaded(place, present).is_err() {
            return Ok(());
        }
        // Not the stronger one: when a group's consumers were seen, each server knows by its own clock.
        let Some(dialect) = self.story.nodes.get(scene.master).map(|node| node.dialect) else { return Ok(()) };
        let recorded = loading.digest(dialect, present);
        let Some(node) = self.node(scene.master) else { return Ok(()) };
        let replayed = node.actor.ask(move |engine| engine.digest(dialect, present))?;
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.consistent = Some(recorded == replayed);
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

    /// A sync is granted.
    fn begin(&mut self, at: usize) -> Result<(), RunError> {
        let Some(scene) = self.scene(at) else { return Ok(()) };
        self.arrive(millis(scene.granted));
        // A replica has but one master.
        if let Some(Source::Link(earlier)) = self.node(scene.replica).map(|node| node.source) {
            self.end(earlier, true)?;
        }
        self.prepare_master(at, &scene)?;
        if self.node(scene.master).is_none_or(|node| node.source == Source::Nothing) {
            return Ok(());
        }
        // A snapshot for somebody else, of an earlier offset, must not be taken for this one.
        if let Some(master) = self.node(scene.master) {
            master.actor.wait(PATIENCE, |standing| !standing.saving);
        }
        self.start(scene.replica)?;
        let (connection, present) = (self.witness.connections(), self.present.get());
        let Some(address) = self.node(scene.master).map(|node| node.actor.address()) else { return Ok(()) };
        let start = self.start_of(at, &scene)?;
        // What is beyond the stream's end was never true; the verdict says so.
        let mut acks: VecDeque<Offset> = scene.true_acks().collect();
        // Without the first one no stream follows a diskless payload: a capture that lacks it began later.
        let owes = scene.link.sync.kind == SyncKind::Full && scene.link.sync.transfer != Some(Transfer::Disk);
        if owes && acks.front().is_none_or(|first| *first > scene.start) {
            acks.push_front(scene.start);
        }
        let hold = (scene.applied < scene.end).then_some(scene.applied);
        let can_two = scene.link.capa.iter().any(|capa| capa == "rdb-channel-repl" || capa == "dual-channel");
        let announced = scene.link.replica_port;
        self.order(scene.replica, move |engine| {
            engine.two_channel(can_two);
            if let Some(port) = announced {
                engine.directive("replica-announce-port", &port.to_string());
            }
            engine.follow_directed(&address.ip().to_string(), address.port(), start, Some(acks), hold, present);
        })?;
        if let Some(node) = self.nodes.get_mut(scene.replica).and_then(Option::as_mut) {
            (node.source, node.replid, node.fed) = (Source::Link(at), Some(scene.replid), scene.start);
            // From here on it stands where that has brought it.
            node.actor.ask(|_| ())?;
        }
        let granted = self.node(scene.replica).is_some_and(|node| {
            node.actor
                .wait(PATIENCE, |standing| standing.granted.is_some() || standing.up || standing.state == "CONNECT");
            let standing = node.actor.standing();
            standing.granted.is_some() || standing.up
        });
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.connection = Some(connection).filter(|connection| self.witness.connections() > *connection);
            outcome.session = self.witness.connection(connection).map(|(_, session)| session);
        }
        if !granted {
            self.fault(at, "no sync was granted".to_owned());
        }
        Ok(())
    }

    /// What the replica asks with: what it has, which should be what it had.
    fn start_of(&mut self, at: usize, scene: &Scene) -> Result<Start, RunError> {
        if scene.imagined {
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
        if !fed {
            self.fault(at, format!("the master did not come to offset {}", scene.end));
        }
        // A cut falls between commands.
        let came = self.node(scene.master).map_or(scene.applied, |node| node.actor.standing().offset);
        let target = if scene.cut { scene.applied.min(came) } else { scene.applied };
        let session = self.outcomes.get(at).and_then(|outcome| outcome.session);
        let Some(replica) = self.node(scene.replica) else { return Ok(()) };
        let arrived = !fed
            || replica.actor.wait(PATIENCE, |standing| {
                (standing.up && standing.taken >= target && standing.due_acks == 0) || standing.state == "CONNECT"
            });
        let standing = replica.actor.standing();
        if fed && standing.taken < target {
            self.fault(at, format!("the replica came to offset {} only, not to {target}", standing.taken));
        }
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.missed_acks = standing.missed_acks.clone();
        }
        // What the replica has said must be seen before the connection goes.
        let last = scene.true_acks().filter(|offset| !standing.missed_acks.contains(offset)).max();
        if let (Some(master), Some(session), true) = (self.node(scene.master), session, arrived) {
            let seen = |follower: &crate::engine::Follower| {
                follower.connection != session
                    || (follower.pending == 0 && last.is_none_or(|last| follower.ack >= last))
            };
            let due = standing.due_acks == 0;
            if due {
                master.actor.wait(PATIENCE, |standing| standing.followers.iter().all(seen));
            }
        }
        self.arrive(scene.closed.and_then(millis));
        if closes {
            self.close(&scene, session)?;
        }
        Ok(())
    }

    fn close(&mut self, scene: &Scene, session: Option<SessionId>) -> Result<(), RunError> {
        let present = self.present.get();
        if let (Some(Side::Master), Some(session)) = (scene.link.closed.0, session) {
            self.order(scene.master, move |engine| engine.drop_client(session))?;
            if let Some(replica) = self.node(scene.replica) {
                replica.actor.wait(PATIENCE, |standing| !standing.up);
            }
        }
        self.order(scene.replica, move |engine| engine.hang_up(present))?;
        if let Some(replica) = self.nodes.get_mut(scene.replica).and_then(Option::as_mut) {
            replica.source = Source::Nothing;
            replica.actor.wait(PATIENCE, |standing| !standing.up);
        }
        // What is written from now on must not reach it.
        if let (Some(master), Some(session)) = (self.node(scene.master), session) {
            let gone = |standing: &crate::engine::Standing| {
                standing.followers.iter().all(|follower| follower.connection != session)
            };
            master.actor.wait(PATIENCE, gone);
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
        Ok(Some((dialect, master.actor.ask(digest)?, replica.actor.ask(digest)?)))
    }
}

/// The backlog that every server of a replay has unless another is asked for: partial syncs that were granted hold.
const AMPLE_BACKLOG: u64 = 64 << 20;

/// What every server of a replay is set to: what a replica asks for that the recorded master still had, it has as well.
const SETTINGS: &[(&str, &str)] = &[
    ("save", ""),
    ("repl-diskless-sync-delay", "0"),
    ("client-output-buffer-limit", "replica 0 0 0"),
    ("rdbchecksum", "yes"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_have_any_length() {
        for missing in (1..3000).chain([65_536, 65_537, 1_000_000]) {
            let (mut left, mut bytes) = (missing, Vec::new());
            while left > 0 {
                let piece = stand_in(left.min(STAND_IN));
                assert!(!piece.is_empty() && piece.len() as u64 <= left, "{missing}");
                left -= piece.len() as u64;
                bytes.extend(piece);
            }
            assert_eq!(bytes.len() as u64, missing);
        }
    }
}
