//! Reconnect storms, folded: connections that go the very same way as earlier ones are counted, not shown.
//!
//! A connection's conversation becomes a sequence of hashes for each side, since the order in which the two sides'
//! segments were caught may differ from one time to the next. Once two connections of a replica's host to a master have
//! ended alike without having followed the stream, the lines of the next one are held back as long as it goes the same
//! way. Where it differs, takes longer than a second or says too much, they are let out, and it is shown as any other.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use super::words::duration;
use crate::bounds::{MAX_HELD_LINES, MAX_STEPS, MAX_STORIES, MAX_STORY_HOSTS};
use crate::packet::Endpoint;
use crate::repl::event::{Event, Kind, Side};
use crate::repl::notes::Note;
use crate::units::{LinkNumber, Stamp, Timestamp};
use crate::view::secrets;
use crate::view::terminal;

/// So many connections with the same story are shown before the next ones are folded.
const SHOWN: u32 = 2;
/// No line is held back longer than this.
const PATIENCE: u64 = 1_000_000_000;
/// A count that goes on is told after so long at first, then after twice as long each time, up to…
const FIRST_TELLING: u64 = 1_000_000_000;
const LAST_TELLING: u64 = 64_000_000_000;
/// How much of the reply that ended the connections is repeated.
const ENDING: usize = 100;

/// A replica's host and a master.
pub(super) type Peers = (u128, Endpoint);

/// The hashes of a conversation: the replica's side, the master's, and what belongs to neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Steps([Vec<u64>; 3]);

impl Steps {
    fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn begins_with(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(whole, beginning)| whole.starts_with(beginning))
    }
}

/// A link that is listened to from its first line on.
#[derive(Debug)]
pub(super) struct Watch {
    peers: Peers,
    replica: Endpoint,
    steps: Steps,
    begun: Stamp,
    /// The lines held back.
    held: Option<Vec<u8>>,
    /// The error that seems to have ended it.
    error: Option<String>,
    /// The error was the answer to AUTH: those that follow are its consequence.
    login_refused: bool,
}

/// A way in which connections ended.
#[derive(Debug)]
struct Story {
    steps: Steps,
    like: LinkNumber,
    seen: u32,
    ending: String,
    replica: Endpoint,
    folded: Option<Folded>,
    /// How long the count waits before it is told, in nanoseconds.
    patience: u64,
}

/// Connections that were counted and not told yet.
#[derive(Debug)]
struct Folded {
    connections: u64,
    since: Stamp,
    until: Stamp,
    last: LinkNumber,
}

/// A count that is to be told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) link: LinkNumber,
    pub(super) text: String,
}

/// The stories of all pairs of a replica's host and a master.
#[derive(Debug, Default)]
pub(super) struct Stories {
    known: HashMap<Peers, Vec<Story>, foldhash::fast::RandomState>,
    hasher: foldhash::fast::RandomState,
}

impl Stories {
    /// A link begins. Its lines are held back where it may become one of many.
    pub(super) fn watch(&self, replica: Endpoint, master: Endpoint, begun: Stamp) -> Watch {
        let peers = (replica.address, master);
        let storm = self.known.get(&peers).is_some_and(|stories| stories.iter().any(|story| story.seen >= SHOWN));
        Watch {
            peers,
            replica,
            steps: Steps::default(),
            begun,
            held: storm.then(Vec::new),
            error: None,
            login_refused: false,
        }
    }

    /// Listens to one event of a watched link. Gives false where the lines need not be held back any longer.
    pub(super) fn follow(&self, watch: &mut Watch, event: &Event<'_>) -> bool {
        let side = match event.from {
            Some(Side::Replica) => 0,
            Some(Side::Master) => 1,
            None => 2,
        };
        let Some(hash) = self.hash(event) else { return false };
        if !is_accident(event) {
            watch.steps.0[side].push(hash);
        }
        watch.listen(&event.kind);
        let long = watch.held.as_ref().is_some_and(|held| held.len() > MAX_HELD_LINES);
        if watch.steps.len() > MAX_STEPS || long || watch.is_late(event.stamp.time) {
            return false;
        }
        watch.held.is_none() || self.candidates(watch).next().is_some()
    }

    /// The stories of which the link may become another telling.
    fn candidates<'a>(&'a self, watch: &'a Watch) -> impl Iterator<Item = &'a Story> {
        let stories = self.known.get(&watch.peers).into_iter().flatten();
        stories.filter(|story| story.seen >= SHOWN && story.steps.begins_with(&watch.steps))
    }

    /// What an event has in common with its like on another connection; `None` for one that no failed attempt has.
    fn hash(&self, event: &Event<'_>) -> Option<u64> {
        let mut hasher = self.hasher.build_hasher();
        std::mem::discriminant(&event.kind).hash(&mut hasher);
        match event.kind {
            Kind::Connect { .. } => {}
            Kind::Command { command, .. } => {
                command.count().hash(&mut hasher);
                command.arguments().for_each(|argument| argument.head.hash(&mut hasher));
            }
            Kind::Reply { to, reply, .. } => (to, reply.head).hash(&mut hasher),
            Kind::FullResync { replid, .. } => replid.as_str().hash(&mut hasher),
            Kind::TwoChannel { transfer, .. } => transfer.as_str().hash(&mut hasher),
            Kind::RdbBegin { transfer, .. } => transfer.as_str().hash(&mut hasher),
            Kind::Note { note, .. } => note.code().hash(&mut hasher),
            Kind::Close { by, .. } => by.is_some().hash(&mut hasher),
            _ => {}
        }
        is_comparable(event).then(|| hasher.finish())
    }

    /// The watched link is over, with its last event followed. Gives true where it was folded: then nothing of it is to
    /// be shown, and a count may be due.
    pub(super) fn end(&mut self, watch: &Watch, link: LinkNumber, event: &Event<'_>) -> bool {
        let Kind::Close { by: Some(by), .. } = event.kind else { return false };
        if self.known.len() >= MAX_STORY_HOSTS && !self.known.contains_key(&watch.peers) {
            return false;
        }
        let stories = self.known.entry(watch.peers).or_default();
        let Some(story) = stories.iter_mut().find(|story| story.steps == watch.steps) else {
            if stories.len() == MAX_STORIES {
                let rarest =
                    (0..stories.len()).filter(|&at| stories[at].folded.is_none()).min_by_key(|&at| stories[at].seen);
                let Some(rarest) = rarest else { return false };
                stories.swap_remove(rarest);
            }
            stories.push(Story::new(watch, link, by));
            return false;
        };
        story.seen = story.seen.saturating_add(1);
        if watch.held.is_none() {
            return false;
        }
        let folded =
            story.folded.get_or_insert(Folded { connections: 0, since: watch.begun, until: event.stamp, last: link });
        folded.connections += 1;
        folded.until = event.stamp;
        folded.last = link;
        true
    }

    /// The counts of these peers that were not told yet.
    pub(super) fn tell(&mut self, peers: Peers) -> Vec<Told> {
        let stories = self.known.get_mut(&peers).map(Vec::as_mut_slice).unwrap_or_default();
        stories.iter_mut().filter_map(|story| story.tell(peers.1)).collect()
    }

    /// The replica has come through: what went wrong before is over.
    pub(super) fn forget(&mut self, peers: Peers) {
        self.known.remove(&peers);
    }

    /// The counts that have waited long enough at `now`, of these peers or of all.
    pub(super) fn due(&mut self, now: Timestamp, peers: Option<Peers>) -> Vec<Told> {
        let wanted = |known: &Peers| peers.is_none_or(|peers| peers == *known);
        let stories = self.known.iter_mut().filter(|(known, _)| wanted(known));
        let told = stories.flat_map(|(peers, stories)| {
            stories.iter_mut().filter_map(|story| if story.is_due(now) { story.tell(peers.1) } else { None })
        });
        in_order(told.collect())
    }

    /// All counts that were not told yet.
    pub(super) fn all(&mut self) -> Vec<Told> {
        let stories = self.known.iter_mut();
        let told = stories.flat_map(|(peers, stories)| stories.iter_mut().filter_map(|story| story.tell(peers.1)));
        in_order(told.collect())
    }
}

/// Whether an event may belong to an attempt that has failed. Those of the stream don't.
fn is_comparable(event: &Event<'_>) -> bool {
    match event.kind {
        Kind::Heartbeat { .. } => event.from == Some(Side::Replica),
        Kind::Write { .. }
        | Kind::GetAck { .. }
        | Kind::Ack { .. }
        | Kind::Continue { .. }
        | Kind::Gap { .. }
        | Kind::Malformed { .. }
        | Kind::Offsets { .. } => false,
        _ => true,
    }
}

/// Whether the event depends on the moment, so that the same story may be told without it.
fn is_accident(event: &Event<'_>) -> bool {
    matches!(event.kind, Kind::Heartbeat { .. } | Kind::RdbEnd(_) | Kind::Note { note: Note::RdbTruncated, .. })
}

/// A map's order is no order.
fn in_order(mut told: Vec<Told>) -> Vec<Told> {
    told.sort_by_key(|told| told.link);
    told
}

impl Watch {
    pub(super) fn peers(&self) -> Peers {
        self.peers
    }

    /// Where the link's lines go while they are held back.
    pub(super) fn held(&mut self) -> Option<&mut Vec<u8>> {
        self.held.as_mut()
    }

    /// Stops holding lines back. Gives those that were.
    pub(super) fn let_out(&mut self) -> Option<Vec<u8>> {
        self.held.take()
    }

    /// Whether lines have been held back for too long.
    pub(super) fn is_late(&self, now: Option<Timestamp>) -> bool {
        let waited = now.zip(self.begun.time).map(|(now, begun)| now.since(begun).nanos);
        self.held.is_some() && waited.is_some_and(|waited| waited > PATIENCE)
    }

    /// Whether the event is none that a failed attempt has, or there have been too many: no comparison any more.
    pub(super) fn is_over(&self, event: &Event<'_>) -> bool {
        self.steps.len() > MAX_STEPS || !is_comparable(event)
    }

    /// Keeps the error that matters: a refused login, or else the last one.
    fn listen(&mut self, kind: &Kind<'_>) {
        if let Kind::Reply { to, reply, .. } = kind
            && reply.is_error()
            && !self.login_refused
        {
            self.login_refused = *to == Some("AUTH");
            let shown = secrets::shown_of_reply(*to, reply.head).min(ENDING);
            self.error = Some(terminal::safe(&reply.head[..shown]));
        }
    }
}

impl Story {
    fn new(watch: &Watch, like: LinkNumber, by: Side) -> Self {
        let ending = match &watch.error {
            Some(error) => format!("ended with {error}"),
            None => format!("closed by the {}", by.as_str()),
        };
        let (steps, replica) = (watch.steps.clone(), watch.replica);
        Self { steps, like, seen: 1, ending, replica, folded: None, patience: FIRST_TELLING }
    }

    fn is_due(&mut self, now: Timestamp) -> bool {
        let since = self.folded.as_ref().and_then(|folded| folded.since.time);
        let due = since.is_some_and(|since| now.since(since).nanos >= self.patience);
        if due {
            self.patience = (self.patience * 2).min(LAST_TELLING);
        }
        due
    }

    fn tell(&mut self, master: Endpoint) -> Option<Told> {
        let folded = self.folded.take()?;
        let lasted = folded.until.since(folded.since);
        let lasted = lasted.map_or_else(String::new, |lasted| format!(" in {}", duration(lasted)));
        let (like, last, host, ending) = (self.like, folded.last, self.replica.host(), &self.ending);
        let text = match folded.connections {
            1 => format!("... one more connection like #{like}, {host} -> {master}, {ending}"),
            more => format!(
                "... {more} more connections like #{like}, the last is #{last},{lasted} from {host} to {master}, each {ending}"
            ),
        };
        Some(Told { link: folded.last, text })
    }
}
