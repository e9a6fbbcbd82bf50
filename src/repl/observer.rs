//! The observer of a whole capture: tells links from clients and foreign connections, and watches the links.
//!
//! A connection's bytes are kept until it is known what it is; then they go through the link's machine as if they had
//! just come, each with its own time.

use std::collections::VecDeque;

use super::classify::{self, Foreign, Opening, Prefix, Verdict};
use super::event::{Event, Kind, Phase, Side, Sink};
use super::link::{Context, Link};
use super::notes::Note;
use super::peers::Shared;
use crate::bounds::{
    MAX_CONNECTIONS, MAX_EXPECTED, MAX_PREFIX, MAX_REPLY_KEPT, MAX_TLS_NOTES, MAX_UNDECIDED, MAX_UNDECIDED_TOTAL,
};
use crate::resp::{CommandDecoder, ReplyDecoder, ReplyStep, Step};
use crate::tcp::{Connection, Direction, Ending, Receiver};
use crate::units::{Position, Stamp};

/// What the observer is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many bytes of each argument are kept where a command is split over segments; `usize::MAX` for all.
    pub keep: usize,
    /// Whether ordinary clients' commands and replies are told, too.
    pub clients: bool,
}

/// What is counted rather than told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Links.
    pub links: u64,
    /// Ordinary clients' connections, and their payload bytes in both directions.
    pub clients: Tally,
    /// Encrypted connections.
    pub tls: Tally,
    /// Connections of a cluster's bus.
    pub cluster_bus: Tally,
    /// Connections that speak something else.
    pub unknown: Tally,
    /// Connections on which nothing was said.
    pub silent: u64,
    /// Payload bytes of links, both directions.
    pub link_bytes: u64,
}

/// A number of connections and what they carried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Connections.
    pub connections: u64,
    /// Payload bytes.
    pub bytes: u64,
}

/// Watches the connections of a capture and tells a [`Sink`] what it sees.
#[derive(Debug)]
pub struct Observer<S> {
    settings: Settings,
    /// Where events go.
    pub sink: S,
    connections: Vec<State>,
    shared: Shared,
    totals: Totals,
    undecided: usize,
    last: Stamp,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    Undecided(Box<Undecided>),
    Link(Box<Link>),
    Client(Option<Box<Client>>, Direction),
    Foreign(Foreign),
}

/// A connection of which it is not known yet what it is.
#[derive(Debug, Default)]
struct Undecided {
    prefixes: [Prefix; 2],
    items: Vec<Item>,
    bytes: Vec<u8>,
}

impl Undecided {
    /// What it costs to keep it.
    fn weight(&self) -> usize {
        let prefixes = self.prefixes.iter().map(|prefix| prefix.bytes.len()).sum::<usize>();
        self.bytes.len() + prefixes + self.items.len() * size_of::<Item>()
    }
}

#[derive(Debug)]
struct Item {
    direction: Direction,
    stamp: Stamp,
    what: What,
}

#[derive(Debug)]
enum What {
    Data { start: usize, length: usize },
    Gap(u64),
}

/// An ordinary client that is to be shown.
#[derive(Debug)]
struct Client {
    commands: CommandDecoder,
    replies: ReplyDecoder,
    expected: VecDeque<(String, Stamp)>,
}

impl<S: Sink> Observer<S> {
    /// An observer that has seen nothing.
    pub fn new(settings: Settings, sink: S) -> Self {
        Self {
            settings,
            sink,
            connections: Vec::new(),
            shared: Shared::default(),
            totals: Totals::default(),
            undecided: 0,
            last: Stamp::default(),
        }
    }

    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The capture itself has lost packets: so many were dropped where it was made.
    pub fn capture_loss(&mut self, dropped: u64) {
        let text = format!(
            "{dropped} packets were dropped where the capture was made; a larger ring (-B) or a narrower filter keeps them"
        );
        self.tell(Note::CaptureLoss, &text, self.last);
    }

    /// Frames were recorded with a snaplen too short for them.
    pub(super) fn frames_cut(&mut self, frames: u64, bytes: u64) {
        let text = format!(
            "{frames} frames were cut short when they were recorded, and {bytes} bytes of TCP payload are missing: capture with a larger snaplen (-s 0)"
        );
        self.tell(Note::CaptureLoss, &text, self.last);
    }

    /// Everything has been seen; the connections must have been finished before.
    pub fn finish(&mut self) {
        for text in self.shared.storms() {
            self.tell(Note::ReconnectStorm, &text, self.last);
        }
    }

    fn tell(&mut self, note: Note, text: &str, stamp: Stamp) {
        let kind = Kind::Note { note, text };
        self.sink.event(&Event {
            stamp,
            elapsed: None,
            link: None,
            from: None,
            phase: Phase::Connect,
            state: None,
            kind,
        });
    }

    fn state_of(&mut self, slot: usize) -> &mut State {
        if self.connections.len() <= slot {
            self.connections.resize_with((slot + 1).min(MAX_CONNECTIONS), State::default);
        }
        &mut self.connections[slot]
    }

    fn tally(&mut self, foreign: Foreign) -> &mut Tally {
        match foreign {
            Foreign::Tls => &mut self.totals.tls,
            Foreign::ClusterBus => &mut self.totals.cluster_bus,
            Foreign::Unknown => &mut self.totals.unknown,
        }
    }

    /// Judges an undecided connection, and hands what was kept of it to what it turned out to be.
    fn decide(&mut self, connection: &Connection, at_end: bool) {
        let State::Undecided(undecided) = &self.connections[connection.slot] else { return };
        let verdict = classify::classify(
            &undecided.prefixes,
            connection.syn_seen,
            connection.initiator,
            connection.responder,
            at_end,
        );
        let State::Undecided(undecided) = std::mem::take(&mut self.connections[connection.slot]) else { return };
        self.undecided -= undecided.weight();
        let bytes = undecided.prefixes[0].length + undecided.prefixes[1].length;
        match verdict {
            Verdict::Wait => {
                self.undecided += undecided.weight();
                self.connections[connection.slot] = State::Undecided(undecided);
            }
            Verdict::Link(replica, opening) => {
                self.open_link(connection, replica, opening);
                self.replay(connection, &undecided);
            }
            Verdict::Client(client) => {
                self.totals.clients.connections += 1;
                self.totals.clients.bytes += bytes;
                let shown = self.settings.clients.then(|| Box::new(Client::new(self.settings.keep)));
                self.connections[connection.slot] = State::Client(shown, client);
                if self.settings.clients {
                    self.replay(connection, &undecided);
                }
            }
            Verdict::Foreign(foreign) => {
                let tally = self.tally(foreign);
                tally.connections += 1;
                tally.bytes += bytes;
                let told = tally.connections;
                self.connections[connection.slot] = State::Foreign(foreign);
                if foreign == Foreign::Tls && told <= MAX_TLS_NOTES {
                    let text = format!(
                        "the connection {} -> {} is encrypted with TLS: nothing of it can be read; capture where it is plain, or on a plain port",
                        connection.initiator, connection.responder
                    );
                    self.tell(Note::Tls, &text, connection.last);
                }
            }
        }
    }

    fn open_link(&mut self, connection: &Connection, replica: Direction, opening: Opening) {
        self.totals.links += 1;
        let mut cx = Context { stamp: connection.opened, shared: &mut self.shared, sink: &mut self.sink };
        let link = Link::new(connection, replica, opening, self.settings.keep, &mut cx);
        self.connections[connection.slot] = State::Link(Box::new(link));
    }

    fn replay(&mut self, connection: &Connection, undecided: &Undecided) {
        for item in &undecided.items {
            match item.what {
                What::Data { start, length } => {
                    let bytes = undecided.bytes.get(start..start + length).unwrap_or_default();
                    // Counted when it came.
                    self.deliver(connection, item.direction, bytes, item.stamp, false);
                }
                What::Gap(bytes) => self.lose(connection, item.direction, bytes, item.stamp),
            }
        }
    }

    #[inline]
    fn deliver(&mut self, connection: &Connection, direction: Direction, bytes: &[u8], stamp: Stamp, count: bool) {
        match self.connections.get_mut(connection.slot) {
            Some(State::Link(link)) => {
                self.totals.link_bytes += bytes.len() as u64;
                let mut cx = Context { stamp, shared: &mut self.shared, sink: &mut self.sink };
                link.data(direction, bytes, &mut cx);
                if !self.shared.announcements.is_empty() {
                    self.announce(stamp);
                }
            }
            Some(State::Client(shown, client)) => {
                if count {
                    self.totals.clients.bytes += bytes.len() as u64;
                }
                if let Some(shown) = shown {
                    shown.data(connection, direction == *client, bytes, stamp, &mut self.sink);
                }
                if direction == *client && count && classify::turns_replica(bytes) {
                    let client = *client;
                    self.totals.clients.connections -= 1;
                    self.open_link(connection, client, Opening::Handshake);
                    self.deliver(connection, direction, bytes, stamp, count);
                }
            }
            Some(State::Foreign(Foreign::Unknown)) if classify::acknowledges(bytes) => {
                // So it was a link of which the capture lacks the beginning: what came before was an RDB.
                self.totals.unknown.connections = self.totals.unknown.connections.saturating_sub(1);
                self.open_link(connection, direction, Opening::Midstream);
                self.deliver(connection, direction, bytes, stamp, count);
            }
            Some(State::Foreign(foreign)) => {
                let foreign = *foreign;
                self.tally(foreign).bytes += bytes.len() as u64;
            }
            _ => self.keep(connection, direction, bytes, stamp),
        }
    }

    /// Keeps a delivery of a connection that is not known yet, and looks whether it is now. Where more has come than can
    /// be kept, it is judged by what there is.
    fn keep(&mut self, connection: &Connection, direction: Direction, bytes: &[u8], stamp: Stamp) {
        let state = self.state_of(connection.slot);
        if !matches!(state, State::Undecided(_)) {
            *state = State::Undecided(Box::default());
        }
        let State::Undecided(undecided) = state else { return };
        let before = undecided.weight();
        let prefix = &mut undecided.prefixes[direction.index()];
        let room = MAX_PREFIX.saturating_sub(prefix.bytes.len());
        prefix.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        prefix.length += bytes.len() as u64;
        let start = undecided.bytes.len();
        undecided.bytes.extend_from_slice(bytes);
        undecided.items.push(Item { direction, stamp, what: What::Data { start, length: bytes.len() } });
        let after = undecided.weight();
        self.undecided = self.undecided + after - before;
        self.decide(connection, false);
        if after <= MAX_UNDECIDED && self.undecided <= MAX_UNDECIDED_TOTAL {
            return;
        }
        // Perhaps an RDB of which the capture lacks the beginning: what follows it may come before the first ACK.
        if connection.syn_seen || self.undecided > MAX_UNDECIDED_TOTAL {
            self.decide(connection, true);
            self.give_up(connection);
        } else {
            self.trim(connection);
        }
    }

    /// Forgets the older half of what is kept of an undecided connection.
    fn trim(&mut self, connection: &Connection) {
        let Some(State::Undecided(undecided)) = self.connections.get_mut(connection.slot) else { return };
        let before = undecided.weight();
        undecided.items.drain(..undecided.items.len().div_ceil(2));
        let first = undecided.items.iter().find_map(|item| match item.what {
            What::Data { start, .. } => Some(start),
            What::Gap(_) => None,
        });
        let dropped = first.unwrap_or(undecided.bytes.len());
        undecided.bytes.drain(..dropped);
        for item in &mut undecided.items {
            if let What::Data { start, .. } = &mut item.what {
                *start -= dropped;
            }
        }
        self.undecided = self.undecided + undecided.weight() - before;
    }

    /// A connection that is still undecided although no more of it can be kept is foreign, until it speaks as a replica.
    fn give_up(&mut self, connection: &Connection) {
        let Some(state @ State::Undecided(_)) = self.connections.get_mut(connection.slot) else { return };
        let State::Undecided(undecided) = std::mem::replace(state, State::Foreign(Foreign::Unknown)) else { return };
        self.undecided -= undecided.weight();
        self.totals.unknown.connections += 1;
        self.totals.unknown.bytes += undecided.prefixes[0].length + undecided.prefixes[1].length;
    }

    /// One connection of a two-channel sync has told what the other one needs to know.
    fn announce(&mut self, stamp: Stamp) {
        for announcement in std::mem::take(&mut self.shared.announcements) {
            let main = self.connections.iter_mut().find_map(|state| match state {
                State::Link(link) if link.number() == announcement.main => Some(link),
                _ => None,
            });
            if let Some(main) = main {
                let mut cx = Context { stamp, shared: &mut self.shared, sink: &mut self.sink };
                main.learn_base(announcement.replid, announcement.base, &mut cx);
            }
        }
    }

    /// Bytes of one direction are missing.
    fn lose(&mut self, connection: &Connection, direction: Direction, bytes: u64, stamp: Stamp) {
        match self.connections.get_mut(connection.slot) {
            Some(State::Link(link)) => {
                let mut cx = Context { stamp, shared: &mut self.shared, sink: &mut self.sink };
                link.gap(direction, bytes, &mut cx);
            }
            Some(State::Undecided(undecided)) => {
                // What comes next need not begin where a command does; what came before tells nothing more.
                let before = undecided.weight();
                undecided.prefixes[direction.index()].bytes.clear();
                undecided.items.push(Item { direction, stamp, what: What::Gap(bytes) });
                let after = undecided.weight();
                self.undecided = self.undecided + after - before;
                if after > MAX_UNDECIDED || self.undecided > MAX_UNDECIDED_TOTAL {
                    self.give_up(connection);
                }
            }
            Some(State::Client(Some(client), _)) => client.lose(),
            _ => {}
        }
    }
}

impl<S: Sink> Receiver for Observer<S> {
    #[inline]
    fn data(&mut self, connection: &Connection, direction: Direction, _: Position, bytes: &[u8], stamp: Stamp) {
        self.last = stamp;
        self.deliver(connection, direction, bytes, stamp, true);
    }

    fn gap(&mut self, connection: &Connection, direction: Direction, _: Position, bytes: u64, stamp: Stamp) {
        self.lose(connection, direction, bytes, stamp);
    }

    fn finished(&mut self, connection: &Connection, ending: Option<Ending>, stamp: Stamp) {
        let state = self.state_of(connection.slot);
        match state {
            State::Empty => self.totals.silent += 1,
            State::Undecided(_) => self.decide(connection, true),
            _ => {}
        }
        match std::mem::take(&mut self.connections[connection.slot]) {
            State::Link(mut link) => {
                let mut cx = Context { stamp, shared: &mut self.shared, sink: &mut self.sink };
                link.finish(connection, ending, &mut cx);
            }
            State::Undecided(undecided) => {
                self.undecided -= undecided.weight();
                self.totals.silent += 1;
            }
            _ => {}
        }
    }
}

impl Client {
    fn new(keep: usize) -> Self {
        Self {
            commands: CommandDecoder::new(keep),
            replies: ReplyDecoder::new(MAX_REPLY_KEPT),
            expected: VecDeque::new(),
        }
    }

    fn lose(&mut self) {
        self.commands.reset();
        self.replies.reset();
        self.expected.clear();
    }

    fn data<S: Sink>(&mut self, connection: &Connection, from_client: bool, bytes: &[u8], stamp: Stamp, sink: &mut S) {
        let mut input = bytes;
        while !input.is_empty() {
            if from_client {
                match self.commands.next(&mut input) {
                    Step::Command(command) => {
                        if self.expected.len() < MAX_EXPECTED {
                            let name = String::from_utf8_lossy(command.name()).to_ascii_uppercase();
                            self.expected.push_back((name, stamp));
                        }
                        let kind = Kind::Command { command: &command, asked: None };
                        sink.event(&client_event(connection, stamp, Side::Replica, kind));
                    }
                    Step::Malformed { .. } => return self.commands.reset(),
                    Step::Newline | Step::NeedMore => {}
                }
            } else {
                match self.replies.next(&mut input) {
                    ReplyStep::Reply(reply) => {
                        // RESP3's pushes answer nothing.
                        let expected = if reply.head.first() == Some(&b'>') { None } else { self.expected.pop_front() };
                        let latency = expected.as_ref().and_then(|(_, asked)| stamp.since(*asked));
                        let to = expected.as_ref().map(|(name, _)| name.as_str());
                        let kind = Kind::Reply { to, reply, latency };
                        sink.event(&client_event(connection, stamp, Side::Master, kind));
                    }
                    ReplyStep::Malformed { .. } => return self.replies.reset(),
                    ReplyStep::NeedMore => {}
                }
            }
        }
    }
}

/// An event of an ordinary client: in place of the replica stands the client, in place of the master the server.
fn client_event<'a>(connection: &Connection, stamp: Stamp, from: Side, kind: Kind<'a>) -> Event<'a> {
    Event {
        stamp,
        elapsed: stamp.since(connection.opened),
        link: Some(connection.number),
        from: Some(from),
        phase: Phase::Client,
        state: None,
        kind,
    }
}
