//! What a master is before it grants a sync: its data, its place, what it has still and what it has not.

use super::{Director, RunError, Source};
use crate::bounds::{MAX_KEYS_LISTED, MAX_REPLAY_BACKLOG, REPLAY_PIECE, STAND_IN};
use crate::engine::{Changes, Dialect, Digest, Engine};
use crate::repl::event::{Replid, Transfer};
use crate::repl::replica::CachedMaster;
use crate::repl::summary::SyncKind;
use crate::replay::story::{Scene, is_two_channel};
use crate::replay::tape::stand_in;
use crate::units::{LinkNumber, Offset};

impl Director<'_> {
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
        scene.rdb.map_or(Ok(()), |link| self.load_link(number, link))
    }

    fn load_link(&mut self, number: usize, link: LinkNumber) -> Result<(), RunError> {
        self.order(number, Engine::tape_begin)?;
        let mut at = 0;
        while let Some(piece) = self.piece(link, &mut at)? {
            self.order(number, move |engine| engine.tape_load(&piece))?;
        }
        Ok(())
    }

    /// Gives a node the data of the RDB that was given beside the capture; tells whether there is one.
    pub(super) fn begin_with_given(&mut self, at: usize, number: usize) -> Result<bool, RunError> {
        let Some(link) = self.story.tapes.given() else { return Ok(false) };
        self.load_link(number, link)?;
        if let Some(node) = self.node(number)
            && let Err(fault) = node.actor.ask(Engine::tape_data)?
        {
            self.fault(at, format!("the given RDB cannot be loaded: {fault}"));
        }
        Ok(true)
    }

    /// The next piece of a recorded RDB, and where the one after it is.
    fn piece(&mut self, link: LinkNumber, at: &mut u64) -> Result<Option<Vec<u8>>, RunError> {
        let mut piece = vec![0; REPLAY_PIECE];
        let size = self.story.tapes.read_rdb(link, *at, &mut piece)?;
        piece.truncate(size);
        *at += size as u64;
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
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
    pub(super) fn prepare_master(&mut self, at: usize, scene: &Scene) -> Result<(), RunError> {
        let number = scene.master;
        self.start(number)?;
        let known = self.node(number).and_then(|node| node.replid);
        let same = known.is_some_and(|known| known.matches(&scene.replid));
        let related = known.is_some_and(|known| self.story.lineages.same(&known, &scene.replid));
        let full = scene.link.sync.kind == SyncKind::Full;
        if full {
            let arrived = same && self.advance(number, scene.start)? && self.stands_at(number, scene.start);
            if same && !arrived && self.what_if.backlog.is_some() && self.stand_in(at, number, scene)? {
                return self.set_transfer(number, scene);
            }
            let unapplied = self.node(number).map_or(0, |node| node.actor.standing().unapplied);
            if arrived && unapplied > 0 {
                self.load(number, scene)?;
                let loaded = self.node(number).map(|node| node.actor.ask(Engine::tape_data)).transpose()?;
                if let Some(Err(fault)) = loaded {
                    self.fault(at, format!("the recorded RDB cannot be loaded: {fault}"));
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
            if !arrived || (self.what_if.backlog.is_none() && scene.is_overrun(&self.story.lineages)) {
                self.seed(at, number, scene)?;
            }
        } else {
            match known {
                None => {
                    if self.begin_with_given(at, number)? {
                        self.note(
                            at,
                            "the capture does not show what the master held: it begins with the given RDB".to_owned(),
                        );
                    } else {
                        self.groundless = true;
                        self.note(
                            at,
                            "the capture does not show what the master held: it begins with no keys".to_owned(),
                        );
                    }
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

    /// Whether a full sync of this scene sends the RDB without a file.
    pub(super) fn is_diskless(&self, scene: &Scene) -> bool {
        self.what_if.diskless.unwrap_or(scene.link.sync.transfer != Some(Transfer::Disk))
    }

    fn set_transfer(&self, number: usize, scene: &Scene) -> Result<(), RunError> {
        let diskless = self.is_diskless(scene);
        let two_channel = is_two_channel(scene.link.sync.transfer);
        self.order(number, move |engine| {
            engine.directive("repl-diskless-sync", if diskless { "yes" } else { "no" });
            engine.two_channel(two_channel);
        })
    }

    /// In place of what a master wrote and the capture lacks, as many bytes of commands that lead to the data of the RDB
    /// that was recorded afterwards, and then of such as change nothing. Tells whether that was possible.
    fn stand_in(&mut self, at: usize, number: usize, scene: &Scene) -> Result<bool, RunError> {
        let Some(fed) = self.node(number).map(|node| node.fed).filter(|fed| *fed < scene.start) else {
            return Ok(false);
        };
        let mut missing = scene.start.0 - fed.0;
        // No such backlog has all of that, not even one that drops whole blocks only, so that the sync is a full one whatever
        // is written.
        let most = self.what_if.backlog.unwrap_or(0).saturating_mul(2).saturating_add(STAND_IN);
        if missing > most.min(MAX_REPLAY_BACKLOG) {
            return Ok(false);
        }
        let present = self.present.get();
        let changes = self.changes(number, scene, missing)?;
        let left =
            if changes.left == 0 { String::new() } else { format!("; there is no room for {} more", changes.left) };
        let padded = if changes.commands.len() as u64 == missing { "" } else { ", and PUBLISH" };
        self.note(at, format!(
            "synthetic: {missing} bytes that the master wrote after offset {fed} are not in the capture, and others stand for them: what makes {} keys as they are in the recorded RDB{padded}{left}",
            changes.keys
        ));
        missing -= changes.commands.len() as u64;
        for piece in changes.commands.chunks(REPLAY_PIECE) {
            let piece = piece.to_vec();
            self.order(number, move |engine| engine.tape(&piece, present))?;
        }
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
        Ok(self.wait(number, |standing| standing.taken >= start))
    }

    /// What leads from a master's keys to those of the RDB that was recorded afterwards, in at most so many bytes.
    fn changes(&mut self, number: usize, scene: &Scene, room: u64) -> Result<Changes, RunError> {
        let dialect = self.dialect_of(scene);
        let (Some(recorded), Some(node)) = (self.recorded(scene, dialect)?, self.node(number)) else {
            return Ok(Changes::default());
        };
        let (held, db) = node.actor.ask(|engine| (engine.prints(), engine.stream_db()))?;
        Ok(recorded.changes_from(&held, db, usize::try_from(room).unwrap_or(usize::MAX)))
    }

    fn dialect_of(&self, scene: &Scene) -> Dialect {
        self.story.nodes.get(scene.master).map_or(Dialect::DEFAULT, |node| node.dialect)
    }

    /// A recorded RDB's keys; `None` where there is none that can be loaded.
    fn recorded(&mut self, scene: &Scene, dialect: Dialect) -> Result<Option<Engine>, RunError> {
        let Some(link) = scene.rdb else { return Ok(None) };
        let mut loading = Engine::new(dialect, 1);
        loading.tape_begin();
        let mut at = 0;
        while let Some(piece) = self.piece(link, &mut at)? {
            loading.tape_load(&piece);
        }
        Ok(loading.tape_data().is_ok().then_some(loading))
    }

    fn stands_at(&self, number: usize, offset: Offset) -> bool {
        self.node(number).is_some_and(|node| node.actor.standing().offset == offset)
    }

    /// Where a master has come by the recorded stream to where there is a recorded RDB, both must be the same.
    fn compare(&mut self, at: usize, scene: &Scene) -> Result<(), RunError> {
        // Not the stronger one: when a group's consumers were seen, each server knows by its own clock.
        let dialect = self.dialect_of(scene);
        let Some(loading) = self.recorded(scene, dialect)? else { return Ok(()) };
        let present = self.present.get();
        let recorded = loading.digest(dialect, present);
        let Some(node) = self.node(scene.master) else { return Ok(()) };
        let replayed = node.actor.ask(move |engine| engine.digest(dialect, present))?;
        if recorded == replayed {
            return Ok(());
        }
        let replayed = node.actor.ask(move |engine| engine.digests_of_keys(dialect, present))?;
        let differences = differing(&loading.digests_of_keys(dialect, present), &replayed);
        if let Some(outcome) = self.outcomes.get_mut(at) {
            outcome.inconsistent = differences;
        }
        Ok(())
    }
}

/// A key with its database, and its value's digest.
type KeyDigest = (u32, Vec<u8>, Digest);

/// In which keys two keyspaces differ: what the recorded one has, and what the replayed one. Both are in order.
fn differing(recorded: &[KeyDigest], replayed: &[KeyDigest]) -> Vec<(String, String)> {
    let name = |(db, key, _): &KeyDigest| format!("{} in database {db}", String::from_utf8_lossy(key));
    let mut found = Vec::new();
    let (mut one, mut other) = (recorded.iter().peekable(), replayed.iter().peekable());
    let order = |(db, key, _): &KeyDigest| (*db, key.clone());
    loop {
        let (before, after) = match (one.peek(), other.peek()) {
            (None, None) => break,
            (Some(own), Some(others)) if order(own) == order(others) => {
                let same = own.2 == others.2;
                let pair = (
                    format!("{}, one value", name(own)),
                    "another value from the stream up to the same offset".to_owned(),
                );
                one.next();
                other.next();
                if same {
                    continue;
                }
                pair
            }
            (Some(own), others) if others.is_none_or(|others| order(own) < order(others)) => {
                let pair = (name(own), "no such key from the stream up to the same offset".to_owned());
                one.next();
                pair
            }
            (_, Some(others)) => {
                let pair =
                    ("no such key".to_owned(), format!("{} from the stream up to the same offset", name(others)));
                other.next();
                pair
            }
            (_, None) => break,
        };
        if found.len() == MAX_KEYS_LISTED {
            found.push(("more keys".to_owned(), "differ than are listed".to_owned()));
            break;
        }
        found.push((before, after));
    }
    if found.is_empty() {
        // What is of no one key, such as an empty database.
        found.push(("the recorded RDB".to_owned(), "other data from the stream up to the same offset".to_owned()));
    }
    found
}
