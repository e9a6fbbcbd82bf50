//! Master × replica × observer on virtual time: three servers that follow one another, wires that delay, split and lose
//! what they carry, and an observer that is fed what is delivered.
//!
//! A server's content is a hash over all writes applied, in order, with their databases. So the content at every offset
//! of a history is a number, and a replica that has applied a byte too much or too little, in another database or
//! twice, has another.

use std::collections::{HashMap, VecDeque};

use proptest::prelude::*;

use super::compat::Compat;
use super::event::{Event as Seen, Kind, Replid, Sink};
use super::master::{self, Action as MasterAction, ConnectionId, Form, Handled, Master, SnapshotId, Upstream};
use super::replica::{self, Action, CachedMaster, Channel, Credentials, Event, Loaded, Replica, Start, Step};
use super::tests::connection;
use super::words;
use super::{Observer, Settings as ObserverSettings};
use crate::rdb;
use crate::resp::{self, CommandDecoder};
use crate::tcp::{Connection, Direction, Ending, How, Receiver};
use crate::units::{FrameNumber, Moment, Offset, Position, Stamp, Timestamp};

const VERSIONS: [Compat; 12] = [
    Compat::redis(2, 8),
    Compat::redis(3, 2),
    Compat::redis(4, 0),
    Compat::redis(5, 0),
    Compat::redis(6, 0),
    Compat::redis(6, 2),
    Compat::redis(7, 0),
    Compat::redis(7, 2),
    Compat::redis(7, 4),
    Compat::redis(8, 2),
    Compat::valkey(8, 1, 8),
    Compat::valkey(9, 1, 2),
];

const PASSWORD: &str = "secret";

#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % sides.max(1)
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

fn hash(before: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(before.wrapping_mul(31) ^ 0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn write_of(content: u64, db: u32, words: &[Vec<u8>]) -> u64 {
    words.iter().fold(hash(content, &db.to_le_bytes()), |content, word| hash(content, word))
}

fn command(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A sound RDB whose one key tells the content, and where in the stream it was taken.
fn snapshot(content: u64, begin: &master::BeginSnapshot, padding: usize) -> Vec<u8> {
    let mut bytes = b"REDIS0009".to_vec();
    let string = |bytes: &mut Vec<u8>, text: &[u8]| {
        bytes.push(0x40 | (text.len() >> 8) as u8);
        bytes.push(text.len() as u8);
        bytes.extend_from_slice(text);
    };
    let (replid, offset, db) = (begin.replid.to_string(), begin.offset.to_string(), begin.stream_db.to_string());
    for (name, value) in [("repl-stream-db", &db), ("repl-id", &replid), ("repl-offset", &offset)] {
        bytes.push(0xfa);
        string(&mut bytes, name.as_bytes());
        string(&mut bytes, value.as_bytes());
    }
    bytes.extend(b"\xfe\x00\x00");
    string(&mut bytes, b"state");
    string(&mut bytes, format!("{content:020} {replid} {offset:0>20} {db:0>5}").as_bytes());
    bytes.push(0);
    string(&mut bytes, b"padding");
    string(&mut bytes, &vec![b'.'; padding]);
    bytes.extend(b"\xff\0\0\0\0\0\0\0\0");
    bytes
}

fn load(rdb: &[u8]) -> (u64, Loaded) {
    let at = memchr::memmem::find(rdb, b"state").expect("a whole RDB") + 7;
    let text = std::str::from_utf8(&rdb[at..at + 88]).unwrap();
    let mut words = text.split(' ');
    let mut next = || words.next().unwrap();
    let content = next().parse().unwrap();
    let replid = Replid::from_wire(next().as_bytes());
    let offset = Offset(next().parse().unwrap());
    (content, Loaded { stream_db: Some(next().parse().unwrap()), place: Some((replid, offset)) })
}

/// What the observer has seen, per link, of what the replica can be held against.
#[derive(Debug, Default)]
struct Witness {
    offsets: HashMap<u32, VecDeque<Option<Offset>>>,
    states: HashMap<u32, &'static str>,
    malformed: Vec<String>,
}

impl Sink for Witness {
    fn event(&mut self, event: &Seen<'_>) {
        let Some(link) = event.link else { return };
        if let Some(state) = event.state {
            self.states.insert(link.0, state.as_str());
        }
        match event.kind {
            Kind::Write { offset, .. } | Kind::GetAck { offset, .. } => {
                self.offsets.entry(link.0).or_default().push_back(offset);
            }
            Kind::Heartbeat { offset, bytes } if bytes > 1 => {
                self.offsets.entry(link.0).or_default().push_back(offset);
            }
            Kind::Malformed { reason, .. } => self.malformed.push(format!("link {}: {reason}", link.0)),
            _ => {}
        }
    }
}

#[derive(Debug)]
enum Packet {
    Bytes(Vec<u8>),
    Fin,
}

/// One TCP connection from a replica to its master.
#[derive(Debug)]
struct Wire {
    from: usize,
    to: usize,
    channel: Channel,
    /// When the connection is made, or refused; done for `None`.
    connects: Option<Moment>,
    replica_alive: bool,
    master_alive: bool,
    up: VecDeque<(Moment, Packet)>,
    down: VecDeque<(Moment, Packet)>,
    commands: CommandDecoder,
    authenticated: bool,
    /// What the replica does not take yet.
    held: Vec<u8>,
    paused: bool,
    slow_until: Moment,
    positions: [u64; 2],
    acknowledged: bool,
    finished: bool,
}

#[derive(Debug)]
struct Job {
    id: SnapshotId,
    rdb: Vec<u8>,
    form: Form,
    sent: usize,
    ready_at: Moment,
    ready: bool,
    fails: bool,
}

#[derive(Debug)]
struct Node {
    master: Master,
    replica: Replica,
    following: Option<usize>,
    content: u64,
    /// Commands of an open transaction.
    queued: Vec<(u32, Vec<Vec<u8>>)>,
    in_transaction: bool,
    loading: Vec<u8>,
    walk: rdb::Walk,
    loads_at: Option<Moment>,
    paused: bool,
    refuses: bool,
    jobs: Vec<Job>,
}

struct World {
    now: Moment,
    dice: Dice,
    nodes: Vec<Node>,
    wires: Vec<Wire>,
    connections: Vec<Connection>,
    observer: Observer<Witness>,
    truth: HashMap<(String, u64), u64>,
    auth: bool,
    faults: bool,
    log: Vec<String>,
    tally: Tally,
    /// How seldom something goes wrong.
    calm: u64,
}

/// What has been tried.
#[derive(Debug, Default)]
struct Tally {
    continued: u64,
    full: u64,
    failovers: u64,
    /// Full syncs begun, by the name of the transfer.
    transfers: HashMap<&'static str, u64>,
    /// Commands of which the observer knew the offset, and those of which it did not.
    offsets: (u64, u64),
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.continued += other.continued;
        self.full += other.full;
        self.failovers += other.failovers;
        self.offsets = (self.offsets.0 + other.offsets.0, self.offsets.1 + other.offsets.1);
        for (transfer, count) in &other.transfers {
            *self.transfers.entry(transfer).or_default() += count;
        }
    }
}

/// What a step gave, without its lifetime.
enum Did {
    Again,
    NeedMore,
    Full,
    Load(Vec<u8>),
    Stream(Vec<u8>),
    Command { words: Vec<Vec<u8>>, after: Offset, db: u32 },
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        // All of one version, more often of one that knows two channels; or a mixture.
        let same = match dice.roll(30) {
            12..=14 => 9,
            15..=17 => 11,
            other => other as usize,
        };
        let auth = dice.one_in(3);
        let calm = [60, 200, 800][dice.roll(3) as usize];
        let (diskless, two_channel) = (!dice.one_in(3), !dice.one_in(3));
        let nodes = (0..3)
            .map(|index| {
                let version =
                    VERSIONS.get(same).copied().unwrap_or_else(|| VERSIONS[dice.roll(VERSIONS.len() as u64) as usize]);
                let master = master::Settings {
                    backlog_size: [200, 2_000, 100_000][dice.roll(3) as usize],
                    diskless,
                    diskless_delay: [0, 500, 2_000][dice.roll(3) as usize],
                    ping_period: [1_000, 5_000][dice.roll(2) as usize],
                    timeout: 15_000,
                    two_channel,
                    output_limit: master::OutputLimit {
                        hard: [0, 3_000][dice.roll(2) as usize],
                        soft: [0, 1_000][dice.roll(2) as usize],
                        soft_millis: 3_000,
                    },
                    ..master::Settings::new(version)
                };
                let replica = replica::Settings {
                    port: 7000 + index,
                    announce_ip: dice.one_in(2).then(|| "10.0.0.9".to_owned()),
                    credentials: auth.then(|| Credentials { user: None, password: PASSWORD.to_owned() }),
                    timeout: 15_000,
                    two_channel,
                    main_buffer: [64, 100_000][dice.roll(2) as usize],
                    loader_tells_end: dice.one_in(2),
                    ..replica::Settings::new(version)
                };
                Node {
                    master: Master::new(master, seed.wrapping_mul(31).wrapping_add(u64::from(index) << 32)),
                    replica: Replica::new(replica),
                    following: None,
                    content: 0,
                    queued: Vec::new(),
                    in_transaction: false,
                    loading: Vec::new(),
                    walk: rdb::Walk::new(),
                    loads_at: None,
                    paused: false,
                    refuses: false,
                    jobs: Vec::new(),
                }
            })
            .collect();
        let observer = Observer::new(ObserverSettings { keep: 64, clients: false }, Witness::default());
        Self {
            now: Moment(1_000),
            dice,
            nodes,
            wires: Vec::new(),
            connections: Vec::new(),
            observer,
            truth: HashMap::new(),
            auth,
            faults: true,
            log: Vec::new(),
            tally: Tally::default(),
            calm,
        }
    }

    fn note(&mut self, text: String) {
        self.log.push(format!("{:>7} {text}", self.now.0));
    }

    fn stamp(&self) -> Stamp {
        let nanos = self.now.0 * 1_000_000;
        Stamp { frame: FrameNumber(self.now.0), time: Some(Timestamp { nanos, digits: 6 }) }
    }

    // The servers.

    fn follow(&mut self, node: usize, target: usize) {
        self.note(format!("{node} follows {target}"));
        let now = self.now;
        let it = &mut self.nodes[node];
        let start = match it.master.upstream() {
            Upstream::TopLevel if it.replica.settings().compat.asks_with_own_id => Start::At(it.master.as_cached()),
            Upstream::TopLevel => Start::Nothing,
            Upstream::Replica { .. } => Start::AsBefore,
        };
        it.master.demote();
        it.following = Some(target);
        it.replica.follow(start, now);
        self.replica_actions(node);
    }

    fn top(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.master.upstream() == Upstream::TopLevel)
    }

    /// A client's write, or a transaction of some.
    fn write(&mut self) {
        let Some(top) = self.top() else { return };
        if self.nodes[top].paused {
            return;
        }
        let now = self.now;
        let writes = if self.dice.one_in(4) { 2 + self.dice.roll(3) } else { 1 };
        let multi = writes > 1;
        if multi {
            self.nodes[top].master.append(None, b"*1\r\n$5\r\nMULTI\r\n", now);
        }
        for _ in 0..writes {
            let db = self.dice.roll(3) as u32;
            let key = format!("k{}", self.dice.roll(50)).into_bytes();
            let value = vec![b'v'; self.dice.roll(120) as usize];
            let words = vec![b"SET".to_vec(), key, value];
            let node = &mut self.nodes[top];
            node.content = write_of(node.content, db, &words);
            node.master.append(Some(db), &command(&words), now);
        }
        if multi {
            self.nodes[top].master.append(None, b"*1\r\n$4\r\nEXEC\r\n", now);
        }
        if self.dice.one_in(10) {
            self.nodes[top].master.request_acks(now);
        }
        self.record(top);
    }

    /// What the content is at this offset of this history.
    fn record(&mut self, node: usize) {
        let node = &self.nodes[node];
        if node.master.upstream() == Upstream::TopLevel && node.master.backlog().is_some() {
            let place = (node.master.history().replid().to_string(), node.master.offset().0);
            let before = self.truth.insert(place, node.content);
            assert!(before.is_none_or(|before| before == node.content), "one place, two contents");
        }
    }

    fn promote(&mut self, node: usize) {
        let now = self.now;
        self.nodes[node].master.promote(now);
        self.master_actions(node);
    }

    // Wires.

    fn send(&mut self, wire: usize, up: bool, packet: Packet) {
        let most = if self.dice.one_in(20) { 400 } else { 40 };
        let delay = 1 + self.dice.roll(most);
        let now = self.now;
        let wire = &mut self.wires[wire];
        let queue = if up { &mut wire.up } else { &mut wire.down };
        let at = queue.back().map_or(now, |last| last.0).max(now.after(delay));
        queue.push_back((at, packet));
    }

    /// The connection breaks, and what is on its way is lost.
    fn cut(&mut self, wire: usize) {
        let now = self.now;
        let Wire { from, to, channel, replica_alive, master_alive, .. } = self.wires[wire];
        self.note(format!("wire {} is cut: {from} {channel:?} -> {to}", wire + 1));
        let it = &mut self.wires[wire];
        (it.replica_alive, it.master_alive) = (false, false);
        it.up.clear();
        it.down.clear();
        it.held.clear();
        self.finish(wire, How::Rst);
        if master_alive {
            self.nodes[to].master.closed(ConnectionId(wire as u64 + 1), now);
            self.master_actions(to);
        }
        if replica_alive {
            self.nodes[from].replica.closed(channel, now);
            self.replica_actions(from);
        }
    }

    fn finish(&mut self, wire: usize, how: How) {
        if !std::mem::replace(&mut self.wires[wire].finished, true) {
            let ending = Ending { by: Direction::FromInitiator, how, stamp: self.stamp() };
            self.observer.finished(&self.connections[wire], Some(ending), self.stamp());
        }
    }

    fn observe(&mut self, wire: usize, up: bool, bytes: &[u8]) {
        let direction = if up { Direction::FromInitiator } else { Direction::FromResponder };
        let stamp = self.stamp();
        self.connections[wire].last = stamp;
        let position = &mut self.wires[wire].positions[usize::from(up)];
        self.observer.data(&self.connections[wire], direction, Position(*position), bytes, stamp);
        *position += bytes.len() as u64;
    }

    fn wire_of(&self, node: usize, channel: Channel) -> Option<usize> {
        self.wires.iter().rposition(|wire| wire.from == node && wire.channel == channel && wire.replica_alive)
    }

    fn deliver(&mut self, index: usize) {
        let now = self.now;
        if let Some(at) = self.wires[index].connects {
            if at > now {
                return;
            }
            let Wire { from, to, channel, replica_alive, .. } = self.wires[index];
            self.wires[index].connects = None;
            if !replica_alive {
                return;
            }
            if self.nodes[to].refuses {
                self.wires[index].replica_alive = false;
                self.nodes[from].replica.closed(channel, now);
            } else {
                self.wires[index].master_alive = true;
                self.nodes[to].master.introduce(ConnectionId(index as u64 + 1), "10.0.0.9", now);
                self.nodes[from].replica.connected(channel, now);
            }
            self.replica_actions(from);
        }
        while self.wires[index].up.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, packet)) = self.wires[index].up.pop_front() else { break };
            let to = self.wires[index].to;
            if !self.wires[index].master_alive {
                continue;
            }
            match packet {
                Packet::Bytes(bytes) => {
                    self.observe(index, true, &bytes);
                    self.serve(index, &bytes);
                }
                Packet::Fin => {
                    self.wires[index].master_alive = false;
                    self.finish(index, How::Fin);
                    self.nodes[to].master.closed(ConnectionId(index as u64 + 1), now);
                }
            }
            self.master_actions(to);
        }
        while self.wires[index].down.front().is_some_and(|(at, _)| *at <= now) {
            let wire = &mut self.wires[index];
            if wire.paused && matches!(wire.down.front(), Some((_, Packet::Fin))) && wire.replica_alive {
                break;
            }
            let Some((_, packet)) = wire.down.pop_front() else { break };
            if !wire.replica_alive {
                continue;
            }
            match packet {
                Packet::Bytes(bytes) => {
                    self.observe(index, false, &bytes);
                    self.wires[index].held.extend_from_slice(&bytes);
                    if !self.wires[index].paused {
                        self.receive(index);
                    }
                }
                Packet::Fin => {
                    let (from, channel) = (self.wires[index].from, self.wires[index].channel);
                    self.wires[index].replica_alive = false;
                    self.finish(index, How::Fin);
                    self.nodes[from].replica.closed(channel, now);
                    self.replica_actions(from);
                }
            }
        }
    }

    /// The master's side of a connection: commands in.
    fn serve(&mut self, index: usize, bytes: &[u8]) {
        let (now, id) = (self.now, ConnectionId(index as u64 + 1));
        let to = self.wires[index].to;
        let mut decoder = std::mem::replace(&mut self.wires[index].commands, CommandDecoder::new(0));
        let mut input = bytes;
        loop {
            let words: Vec<Vec<u8>> = match decoder.next(&mut input) {
                resp::Step::NeedMore => break,
                resp::Step::Newline => {
                    self.nodes[to].master.newline(id, now);
                    continue;
                }
                resp::Step::Malformed { reason, .. } => panic!("a replica says what is no command: {reason}"),
                resp::Step::Command(command) => command.arguments().map(|word| word.head.to_vec()).collect(),
            };
            let name = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
            let reply = match name.as_str() {
                "AUTH" if words[1] == PASSWORD.as_bytes() => {
                    self.wires[index].authenticated = true;
                    "+OK\r\n"
                }
                _ if self.auth && !self.wires[index].authenticated => "-NOAUTH Authentication required.\r\n",
                "PING" => "+PONG\r\n",
                _ => {
                    self.ask_master(index, &words);
                    self.master_actions(to);
                    continue;
                }
            };
            self.send(index, false, Packet::Bytes(reply.into()));
        }
        self.wires[index].commands = decoder;
    }

    /// A command for the master's machine; its decisions are held against the rule in its plainest form.
    fn ask_master(&mut self, index: usize, words: &[Vec<u8>]) {
        let (now, id) = (self.now, ConnectionId(index as u64 + 1));
        let master = &mut self.nodes[self.wires[index].to].master;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let was_replica = master.replicas(now).any(|replica| replica.connection == id);
        let before = master.stats();
        let expected = if words[0] == b"PSYNC" && words.len() == 3 && !was_replica {
            let (asked, byte) = (Replid::from_wire(words[1]), words::decimal(words[2]).unwrap());
            let history = master.history();
            let known = asked.matches(&history.replid())
                || history.replid2().is_some_and(|second| second.matches(&asked))
                    && byte <= history.second_repl_offset().unwrap() as i64;
            let (first, length) = master.window().unwrap_or((u64::MAX, 0));
            let held = master.backlog().is_some() && byte >= first as i64 && byte <= (first + length) as i64;
            let refused =
                master.upstream() == Upstream::Replica { up: false } || master.failover_state() != "no-failover";
            (!refused).then_some(known && held)
        } else {
            None
        };
        assert_eq!(master.command(id, &words, false, now), Handled::Yes, "{words:?}");
        let (partial, full) = (master.stats().partial_ok - before.partial_ok, master.stats().full - before.full);
        self.tally.continued += partial;
        self.tally.full += full;
        match expected {
            Some(true) => assert_eq!(partial, 1, "{words:?} is to be continued"),
            // The main connection of a two-channel sync asks for what is held for it alone.
            Some(false) if partial == 1 => {
                let main = master.replicas(now).find(|replica| replica.connection == id).unwrap();
                assert_eq!(main.kind, "main-channel");
            }
            _ => {}
        }
    }

    fn master_actions(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].master.poll() {
            let now = self.now;
            match action {
                MasterAction::Write { connection, bytes } => {
                    let wire = connection.0 as usize - 1;
                    let cut = self.dice.roll(bytes.len() as u64 + 1) as usize;
                    let (first, second) = bytes.split_at(cut);
                    for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
                        self.send(wire, false, Packet::Bytes(part.to_vec()));
                    }
                }
                MasterAction::BeginSnapshot(begin) => {
                    assert_eq!(begin.offset, self.nodes[node].master.offset());
                    let padding = self.dice.roll(3_000) as usize;
                    let rdb = snapshot(self.nodes[node].content, &begin, padding);
                    let ready_at = now.after(self.dice.roll(3_000));
                    let fails = self.faults && self.dice.one_in(12);
                    let job = Job { id: begin.id, rdb, form: begin.form, sent: 0, ready_at, ready: false, fails };
                    self.nodes[node].jobs.push(job);
                }
                MasterAction::SendPayload { connection, snapshot } => {
                    let job = self.nodes[node].jobs.iter().find(|job| job.id == snapshot).expect("a snapshot is kept");
                    let rdb = job.rdb.clone();
                    let size = 1 + self.dice.roll(2_000) as usize;
                    for part in rdb.chunks(size) {
                        self.send(connection.0 as usize - 1, false, Packet::Bytes(part.to_vec()));
                    }
                    self.nodes[node].master.payload_written(connection, now);
                }
                MasterAction::DropSnapshot(id) => self.nodes[node].jobs.retain(|job| job.id != id),
                MasterAction::Close { connection, reason } => {
                    self.note(format!("{node} closes wire {connection}: {reason}"));
                    let wire = connection.0 as usize - 1;
                    self.wires[wire].master_alive = false;
                    self.send(wire, false, Packet::Fin);
                }
                MasterAction::Promoted => {
                    self.note(format!("{node} is promoted"));
                    self.nodes[node].following = None;
                    self.nodes[node].replica.unfollow(now);
                    self.replica_actions(node);
                }
                MasterAction::PauseWrites => self.nodes[node].paused = true,
                MasterAction::ResumeWrites => self.nodes[node].paused = false,
                MasterAction::Follow { port, .. } => {
                    self.note(format!("{node} hands over to {}", port - 7000));
                    self.tally.failovers += 1;
                    let it = &mut self.nodes[node];
                    it.following = Some(usize::from(port) - 7000);
                    let own: CachedMaster = it.master.as_cached();
                    it.replica.follow_failover(own, now);
                    self.replica_actions(node);
                }
                MasterAction::Tell(told) => self.note(format!("{node} as master: {told:?}")),
            }
        }
    }

    fn replica_actions(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].replica.poll() {
            let now = self.now;
            match action {
                Action::Connect(channel) => {
                    let to = self.nodes[node].following.expect("someone to follow");
                    let number = self.wires.len() as u32 + 1;
                    self.connections.push(connection(number, true));
                    self.wires.push(Wire {
                        from: node,
                        to,
                        channel,
                        connects: Some(now.after(1 + self.dice.roll(50))),
                        replica_alive: true,
                        master_alive: false,
                        up: VecDeque::new(),
                        down: VecDeque::new(),
                        commands: CommandDecoder::new(usize::MAX),
                        authenticated: false,
                        held: Vec::new(),
                        paused: false,
                        slow_until: Moment(0),
                        positions: [0; 2],
                        acknowledged: false,
                        finished: false,
                    });
                }
                Action::Disconnect(channel) => {
                    if let Some(wire) = self.wire_of(node, channel) {
                        let it = &mut self.wires[wire];
                        it.replica_alive = false;
                        it.held.clear();
                        self.send(wire, true, Packet::Fin);
                    }
                }
                Action::Transmit { channel, bytes } => {
                    if let Some(wire) = self.wire_of(node, channel) {
                        self.wires[wire].acknowledged |= memchr::memmem::find(&bytes, b"$3\r\nACK").is_some();
                        self.send(wire, true, Packet::Bytes(bytes));
                    }
                }
                Action::BeginLoad { .. } => {
                    let it = &mut self.nodes[node];
                    it.content = 0;
                    it.loading.clear();
                    it.walk = rdb::Walk::new();
                }
                Action::EndLoad => self.nodes[node].loads_at = Some(now.after(self.dice.roll(4_000))),
                Action::AbortLoad => self.nodes[node].loads_at = None,
                Action::Resume(channel) => {
                    if let Some(wire) = self.wire_of(node, channel) {
                        // Taken up in the next round, as an event loop would.
                        self.wires[wire].paused = false;
                    }
                }
                Action::Tell(event) => {
                    self.note(format!("{node} as replica: {event:?}"));
                    if let Event::FullSync { transfer, .. } = event {
                        *self.tally.transfers.entry(transfer.as_str()).or_default() += 1;
                    }
                    if let Event::Lost(_) = event {
                        self.nodes[node].queued.clear();
                        self.nodes[node].in_transaction = false;
                    }
                    self.nodes[node].master.follow(&event, now);
                    self.master_actions(node);
                }
            }
        }
    }

    /// The replica's side of a connection: what is held goes in, as far as it is taken.
    fn receive(&mut self, index: usize) {
        let (node, channel) = (self.wires[index].from, self.wires[index].channel);
        let mut bytes = std::mem::take(&mut self.wires[index].held);
        let mut at = 0;
        // A delivery is cut anywhere once more.
        let mut limit = 1 + self.dice.roll(bytes.len() as u64) as usize;
        loop {
            self.replica_actions(node);
            if !self.wires[index].replica_alive {
                return;
            }
            let now = self.now;
            let mut input = &bytes[at..limit.clamp(at, bytes.len())];
            let before = input.len();
            let did = match self.nodes[node].replica.next(channel, &mut input, now) {
                Step::Again => Did::Again,
                Step::NeedMore => Did::NeedMore,
                Step::Full => Did::Full,
                Step::Load(part) => Did::Load(part.to_vec()),
                Step::Stream(part) => Did::Stream(part.to_vec()),
                Step::Command(it) => Did::Command {
                    words: it.command.arguments().map(|word| word.head.to_vec()).collect(),
                    after: it.after,
                    db: it.db,
                },
            };
            at += before - input.len();
            match did {
                Did::Again => {}
                Did::NeedMore if limit < bytes.len() => limit = bytes.len(),
                Did::NeedMore => return,
                Did::Full => {
                    let wire = &mut self.wires[index];
                    wire.held = bytes.split_off(at);
                    wire.paused = true;
                    return;
                }
                Did::Load(part) => {
                    let it = &mut self.nodes[node];
                    let mut own = part.len();
                    if it.replica.settings().loader_tells_end {
                        let progress = it.walk.push(&part).expect("a sound RDB");
                        if progress.ended {
                            it.replica.loader_ended();
                            own = progress.consumed;
                            at -= part.len() - own;
                        }
                    }
                    it.loading.extend_from_slice(&part[..own]);
                }
                Did::Stream(part) => self.nodes[node].master.stage(&part),
                Did::Command { words, after, db } => self.apply(index, words, after, db),
            }
        }
    }

    fn apply(&mut self, index: usize, words: Vec<Vec<u8>>, after: Offset, db: u32) {
        let now = self.now;
        // The observer has the same command at the same offset.
        let offsets = self.observer.sink.offsets.entry(index as u32 + 1).or_default();
        let seen = offsets.pop_front().expect("the observer has seen the command");
        assert!(seen.is_none_or(|seen| seen == after), "wire {}: {seen:?} seen, {after:?} applied", index + 1);
        if seen.is_some() {
            self.tally.offsets.0 += 1;
        } else {
            self.tally.offsets.1 += 1;
        }
        let node = &mut self.nodes[self.wires[index].from];
        match words[0].to_ascii_uppercase().as_slice() {
            b"MULTI" => node.in_transaction = true,
            b"EXEC" => {
                node.in_transaction = false;
                for (db, words) in std::mem::take(&mut node.queued) {
                    node.content = write_of(node.content, db, &words);
                }
            }
            b"SET" if node.in_transaction => node.queued.push((db, words)),
            b"SET" => node.content = write_of(node.content, db, &words),
            b"SELECT" | b"PING" | b"REPLCONF" => {}
            other => panic!("{other:?} in the stream"),
        }
        let applied = node.replica.applied();
        assert!(applied <= after && after <= node.replica.read());
        node.master.commit(applied, node.replica.db(), now);
        assert_eq!(node.master.offset(), applied, "what is applied goes on");
        if let Some(replid) = node.replica.replid()
            && let Some(&content) = self.truth.get(&(replid.to_string(), applied.0))
            && !node.in_transaction
        {
            assert_eq!(node.content, content, "the content at {applied} of {replid}");
        }
    }

    // Time.

    fn step(&mut self) {
        self.now = self.now.after(1 + self.dice.roll(60));
        let now = self.now;
        for wire in 0..self.wires.len() {
            self.deliver(wire);
            let it = &self.wires[wire];
            if !it.paused && it.replica_alive && it.connects.is_none() {
                self.receive(wire);
            }
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].replica.tick(now);
            self.replica_actions(node);
            if self.nodes[node].loads_at.is_some_and(|at| at <= now) {
                self.nodes[node].loads_at = None;
                let it = &mut self.nodes[node];
                let (content, loaded) = load(&it.loading);
                it.content = content;
                it.replica.loaded(loaded, now);
                self.replica_actions(node);
            }
            self.nodes[node].master.tick(now);
            self.record(node);
            self.master_actions(node);
            self.run_jobs(node);
            self.write_streams(node);
        }
        self.compare_states();
    }

    fn run_jobs(&mut self, node: usize) {
        let now = self.now;
        let jobs: Vec<SnapshotId> = self.nodes[node].jobs.iter().map(|job| job.id).collect();
        for id in jobs {
            let Some(job) = self.nodes[node].jobs.iter_mut().find(|job| job.id == id) else { continue };
            let fails = job.fails && job.ready_at <= now;
            match job.form {
                _ if fails => {
                    self.nodes[node].jobs.retain(|job| job.id != id);
                    self.nodes[node].master.snapshot_failed(id, now);
                }
                Form::Stored if !job.ready && job.ready_at <= now => {
                    job.ready = true;
                    let length = job.rdb.len() as u64;
                    self.nodes[node].master.snapshot_ready(id, length, now);
                }
                Form::Stored => {}
                Form::Diskless => {
                    let size = self.dice.roll(2_000) as usize;
                    let part = job.rdb[job.sent..(job.sent + size).min(job.rdb.len())].to_vec();
                    job.sent += part.len();
                    let whole = job.sent == job.rdb.len();
                    let receivers: Vec<_> = self.nodes[node].master.receivers(id).collect();
                    for receiver in receivers {
                        self.nodes[node].master.payload_progress(receiver, now);
                        if !part.is_empty() {
                            self.send(receiver.0 as usize - 1, false, Packet::Bytes(part.clone()));
                        }
                    }
                    if whole {
                        self.nodes[node].jobs.retain(|job| job.id != id);
                        self.nodes[node].master.snapshot_finished(id, now);
                    }
                }
            }
            self.master_actions(node);
        }
    }

    fn write_streams(&mut self, node: usize) {
        let now = self.now;
        let writable: Vec<_> = self.nodes[node].master.writable().collect();
        for connection in writable {
            let wire = connection.0 as usize - 1;
            if self.wires[wire].slow_until > now {
                continue;
            }
            // Often in the middle of a command.
            let most = if self.dice.one_in(2) { 60 } else { 3_000 };
            let budget = 1 + self.dice.roll(most) as usize;
            let mut bytes: Vec<u8> = self.nodes[node].master.stream(connection).flatten().copied().collect();
            bytes.truncate(budget);
            self.nodes[node].master.stream_written(connection, bytes.len());
            self.send(wire, false, Packet::Bytes(bytes));
        }
    }

    /// Where nothing is on its way, the observer's state of a link is the replica's.
    fn compare_states(&self) {
        for (index, wire) in self.wires.iter().enumerate() {
            let quiet = wire.up.is_empty() && wire.down.is_empty() && !wire.paused && wire.connects.is_none();
            let alive = wire.replica_alive && wire.master_alive;
            let replica = &self.nodes[wire.from].replica;
            let one = replica.rdb_channel_state_name() == "NONE" && wire.channel == Channel::Main;
            if !(quiet && alive && one) {
                continue;
            }
            let Some(&seen) = self.observer.sink.states.get(&(index as u32 + 1)) else { continue };
            // On the wire a replica is seen to have loaded by its first ACK.
            let name = replica.state_name();
            if (name == "CONNECTED" && !wire.acknowledged) || seen == "CONNECTING" {
                continue;
            }
            // PSYNC is refused and asked by SYNC: no state of its own on the wire.
            if (seen, name) == ("RECEIVE_PSYNC_REPLY", "TRANSFER") {
                continue;
            }
            assert_eq!(seen, name, "wire {}", index + 1);
        }
    }

    fn quiet_failover(&self) -> bool {
        self.nodes.iter().all(|node| node.master.failover_state() == "no-failover")
    }

    /// Something happens.
    fn happen(&mut self) {
        if self.dice.one_in(2) {
            self.write();
        }
        match self.dice.roll(self.calm) {
            20..=26 => {
                let alive: Vec<_> = (0..self.wires.len()).filter(|&wire| self.wires[wire].replica_alive).collect();
                if !alive.is_empty() {
                    let wire = alive[self.dice.roll(alive.len() as u64) as usize];
                    if self.wires[wire].connects.is_none() {
                        self.cut(wire);
                    }
                }
            }
            27 => {
                if let Some(wire) = self.wire_of(self.dice.0 as usize % 3, Channel::Main) {
                    self.wires[wire].slow_until = self.now.after(self.dice.roll(5_000));
                }
            }
            28 => {
                let node = self.dice.roll(3) as usize;
                self.nodes[node].refuses ^= true;
            }
            29 if self.quiet_failover() => {
                // C moves from B to A, or the other way round.
                let node = self.dice.roll(3) as usize;
                let target = self.dice.roll(3) as usize;
                let cycle = target == node || self.nodes[target].following == Some(node);
                if self.nodes[node].following.is_some() && !cycle {
                    self.follow(node, target);
                }
            }
            30 if self.quiet_failover() && self.dice.one_in(2) => {
                let heir = self.dice.roll(3) as usize;
                if let Some(top) = self.top()
                    && heir != top
                {
                    self.promote(heir);
                    self.follow(top, heir);
                }
            }
            31..=34 if self.quiet_failover() => {
                if let Some(top) = self.top() {
                    let request =
                        master::FailoverRequest { target: None, force: false, timeout: Some(self.dice.roll(8_000)) };
                    let now = self.now;
                    if self.nodes[top].master.failover(request, now).is_ok() {
                        self.note(format!("{top} fails over"));
                    }
                    self.master_actions(top);
                }
            }
            35 => {
                let node = self.dice.roll(3) as usize;
                let backlog_size = 100 << self.dice.roll(10);
                let settings = master::Settings { backlog_size, ..*self.nodes[node].master.settings() };
                self.nodes[node].master.set_settings(settings);
            }
            _ => {}
        }
    }

    fn heal(&mut self) {
        self.faults = false;
        for node in &mut self.nodes {
            node.refuses = false;
            for job in &mut node.jobs {
                job.fails = false;
            }
            let limit = master::OutputLimit { hard: 0, soft: 0, soft_millis: 0 };
            node.master.set_settings(master::Settings { output_limit: limit, ..*node.master.settings() });
        }
    }

    /// A hand-over whose answer was lost leaves two masters, in real servers, too. Someone (a Sentinel) settles it.
    fn settle(&mut self) {
        let tops: Vec<_> = (0..3).filter(|&node| self.nodes[node].master.upstream() == Upstream::TopLevel).collect();
        if let [first, rest @ ..] = &tops[..]
            && self.quiet_failover()
        {
            for &node in rest {
                self.follow(node, *first);
            }
        }
    }

    fn converged(&self) -> bool {
        let Some(top) = self.top() else { return false };
        let (content, offset) = (self.nodes[top].content, self.nodes[top].master.offset());
        self.quiet_failover()
            && self.nodes.iter().enumerate().all(|(index, node)| {
                index == top || (node.replica.is_up() && node.replica.applied() == offset && node.content == content)
            })
    }

    fn run(&mut self, steps: u32) {
        self.follow(1, 0);
        let upstream = self.dice.roll(2) as usize;
        self.follow(2, upstream);
        for _ in 0..steps {
            self.step();
            self.happen();
            self.settle();
        }
        self.heal();
        let end = self.now.after(180_000);
        while !self.converged() {
            assert!(self.now < end, "it converges");
            self.step();
            self.settle();
        }
        // And it stays so while writes go on.
        for _ in 0..20 {
            self.write();
            self.step();
        }
        let end = self.now.after(60_000);
        while !self.converged() {
            assert!(self.now < end, "it follows");
            self.step();
        }
        for wire in 0..self.wires.len() {
            self.finish(wire, How::Fin);
        }
        assert!(self.observer.sink.malformed.is_empty(), "{:?}", self.observer.sink.malformed);
    }
}

/// Tells the story where it ends badly.
fn run(seed: u64, steps: u32) -> Tally {
    struct Teller(World);
    impl Drop for Teller {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let log = &self.0.log;
                for line in &log[log.len().saturating_sub(60)..] {
                    eprintln!("{line}");
                }
                for (index, node) in self.0.nodes.iter().enumerate() {
                    eprintln!(
                        "{index}: {} {} follows {:?}, {:?} {}, replicas {:?}",
                        node.replica.state_name(),
                        node.replica.rdb_channel_state_name(),
                        node.following,
                        node.master.upstream(),
                        node.master.offset(),
                        node.master.replicas(self.0.now).collect::<Vec<_>>()
                    );
                }
            }
        }
    }
    let mut teller = Teller(World::new(seed));
    teller.0.run(steps);
    std::mem::take(&mut teller.0.tally)
}

#[test]
fn three_servers_agree_whatever_happens() {
    let mut tally = Tally::default();
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(250);
    for seed in 0..seeds {
        tally.add(&run(seed, 600));
    }
    // All of it has really been tried.
    assert!(tally.continued > 100 && tally.full > 100 && tally.failovers > 10, "{tally:?}");
    for transfer in ["disk", "diskless", "rdb-channel", "dual-channel"] {
        assert!(tally.transfers.get(transfer).is_some_and(|&count| count > 5), "{transfer}: {tally:?}");
    }
    // Where the observer knows no offsets is after a SYNC that nothing told one of.
    assert!(tally.offsets.0 > 20 * tally.offsets.1, "{tally:?}");
    println!("{tally:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_three_servers_agree(seed: u64, steps in 1..800_u32) {
        run(seed, steps);
    }
}
