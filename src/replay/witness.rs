//! Who looks on: what passes between the replayed servers becomes frames, and these go where a capture's go.
//!
//! So the verdict on a replay rests on the same reading as that on the recording, and `-w` has what the verdict is
//! about.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use etherparse::PacketBuilder;

use crate::bounds::WITNESS_PIECES;
use crate::capture::{CaptureWriter, Frame, LinkType, WriteError};
use crate::engine::SessionId;
use crate::engine::server::Tap;
use crate::repl::Pipeline;
use crate::repl::observer::Settings;
use crate::repl::summary::{LinkSummary, Summaries};
use crate::units::{FrameNumber, LinkNumber, Stamp, Timestamp};

/// The most payload of a frame: what a loopback interface would take at once.
const SEGMENT: usize = 32 << 10;

/// What is kept of each argument.
const KEEP: usize = 256;

/// Of a connection, what its next frames need.
#[derive(Debug)]
struct Wire {
    /// Who connected, and to whom.
    ends: [SocketAddr; 2],
    /// The next sequence number of each.
    next: [u32; 2],
}

/// What makes the frames and reads them.
struct Watching {
    pipeline: Pipeline<Summaries>,
    writer: Option<CaptureWriter>,
    error: Option<WriteError>,
    wires: HashMap<Key, Wire>,
    frames: u64,
    frame: Vec<u8>,
}

/// The server that accepted a connection, and what that is called there.
type Key = (usize, SessionId);

/// What a tap has seen, and when, in nanoseconds since 1970.
struct Seen {
    key: Key,
    nanos: u64,
    what: What,
}

enum What {
    /// A connection: who made it, and to whom.
    Opened([SocketAddr; 2]),
    /// Bytes from the end of this number.
    Passed(usize, Vec<u8>),
    /// The end of this number closed it.
    Closed(usize),
    /// Nothing more is to come.
    All,
}

/// What was seen of the links in the end.
type Links = Result<Vec<LinkSummary>, WriteError>;

/// Looks on; all servers of a replay share it. What passes is read on a thread of its own, so that servers do not wait for
/// that unless they are far ahead.
#[derive(Clone)]
pub struct Witness(Arc<Looking>);

struct Looking {
    /// Connections in the order in which they were accepted, and who made them.
    opened: Mutex<Vec<(usize, SessionId, SocketAddr)>>,
    seen: SyncSender<Seen>,
    thread: Mutex<Option<JoinHandle<Links>>>,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Witness").field(&self.connections()).finish()
    }
}

/// Whoever panicked with it has left nothing half done that matters.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Witness {
    /// One that has seen nothing; it writes what it sees.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn new(writer: Option<CaptureWriter>) -> std::io::Result<Self> {
        let (seen, told) = sync_channel(WITNESS_PIECES);
        let watch = move || Watching::new(writer).watch(&told);
        let thread = std::thread::Builder::new().name("witness".to_owned()).spawn(watch)?;
        Ok(Self(Arc::new(Looking { opened: Mutex::default(), seen, thread: Mutex::new(Some(thread)) })))
    }

    /// What one server sees.
    #[must_use]
    pub fn of(&self, node: usize) -> NodeTap {
        NodeTap { witness: self.clone(), node }
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.0.opened).len()
    }

    /// The connection of this number, from 0: the server that accepted it, and its name there.
    #[must_use]
    pub fn connection(&self, number: usize) -> Option<(usize, SessionId)> {
        lock(&self.0.opened).get(number).map(|&(node, session, _)| (node, session))
    }

    /// The numbers of the connections that came from such addresses.
    #[must_use]
    pub fn made_from(&self, from: impl Fn(SocketAddr) -> bool) -> Vec<usize> {
        let opened = lock(&self.0.opened);
        opened.iter().enumerate().filter(|(_, (.., peer))| from(*peer)).map(|(number, _)| number).collect()
    }

    /// The number of the last connection that this server called so.
    #[must_use]
    pub fn number_of(&self, node: usize, id: SessionId) -> Option<usize> {
        lock(&self.0.opened).iter().rposition(|(known, session, _)| (*known, *session) == (node, id))
    }

    /// The number of a connection in the capture that is made.
    #[must_use]
    pub fn link(number: usize) -> LinkNumber {
        LinkNumber(u32::try_from(number + 1).unwrap_or(u32::MAX))
    }

    /// All is over: what was seen of the links.
    ///
    /// # Errors
    /// The capture could not be written.
    pub fn finish(&self) -> Result<Vec<LinkSummary>, WriteError> {
        let Some(thread) = lock(&self.0.thread).take() else { return Ok(Vec::new()) };
        self.tell((0, SessionId(0)), What::All);
        match thread.join() {
            Ok(seen) => seen,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn tell(&self, key: Key, what: What) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        // After the end nobody listens any more.
        let _ = self.0.seen.send(Seen { key, nanos, what });
    }
}

/// Flags of a segment, as far as they matter here.
#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    ack: bool,
    fin: bool,
}

impl Watching {
    fn new(writer: Option<CaptureWriter>) -> Self {
        Self {
            pipeline: Pipeline::new(Settings { keep: KEEP, clients: false }, Summaries::new()),
            writer,
            error: None,
            wires: HashMap::new(),
            frames: 0,
            frame: Vec::new(),
        }
    }

    /// Takes what is seen, to the end; gives what was seen of the links.
    fn watch(mut self, told: &Receiver<Seen>) -> Links {
        while let Ok(Seen { key, nanos, what }) = told.recv() {
            match what {
                What::Opened(ends) => {
                    self.wires.insert(key, Wire { ends, next: [1000, 5000] });
                    self.segment(key, 0, Flags { syn: true, ..Flags::default() }, &[], nanos);
                    self.segment(key, 1, Flags { syn: true, ack: true, fin: false }, &[], nanos);
                    self.segment(key, 0, ACK, &[], nanos);
                }
                What::Passed(from, bytes) => self.segment(key, from, ACK, &bytes, nanos),
                What::Closed(first) => {
                    self.segment(key, first, FIN, &[], nanos);
                    self.segment(key, 1 - first, FIN, &[], nanos);
                    self.segment(key, first, ACK, &[], nanos);
                    self.wires.remove(&key);
                }
                What::All => break,
            }
        }
        self.pipeline.finish();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        Ok(self.pipeline.observer.sink.into_report().links)
    }

    /// Makes a frame and passes it on.
    fn segment(&mut self, key: Key, from: usize, flags: Flags, payload: &[u8], nanos: u64) {
        let Some(wire) = self.wires.get_mut(&key) else { return };
        let (source, target) = (wire.ends[from], wire.ends[1 - from]);
        let (sequence, acknowledged) = (wire.next[from], wire.next[1 - from]);
        let used = payload.len() as u32 + u32::from(flags.syn) + u32::from(flags.fin);
        wire.next[from] = sequence.wrapping_add(used);
        let ip = match (source.ip(), target.ip()) {
            (IpAddr::V4(source), IpAddr::V4(target)) => PacketBuilder::ipv4(source.octets(), target.octets(), 64),
            (source, target) => {
                let octets = |ip: IpAddr| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                    IpAddr::V6(ip) => ip.octets(),
                };
                PacketBuilder::ipv6(octets(source), octets(target), 64)
            }
        };
        let mut tcp = ip.tcp(source.port(), target.port(), sequence, u16::MAX);
        if flags.syn {
            tcp = tcp.syn();
        }
        if flags.fin {
            tcp = tcp.fin();
        }
        if flags.ack {
            tcp = tcp.ack(acknowledged);
        }
        if !payload.is_empty() {
            tcp = tcp.psh();
        }
        self.frame.clear();
        if tcp.write(&mut self.frame, payload).is_err() {
            return;
        }
        self.frames += 1;
        let stamp = Stamp { frame: FrameNumber(self.frames), time: Some(Timestamp { nanos, digits: 9 }) };
        let original_length = u32::try_from(self.frame.len()).unwrap_or(u32::MAX);
        let frame = Frame { stamp, link_type: LinkType::RAW, original_length, data: &self.frame };
        self.pipeline.push(&frame);
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.write(&frame)
        {
            self.error = Some(error);
            self.writer = None;
        }
    }
}

/// See [`Witness::of`].
#[derive(Debug)]
pub struct NodeTap {
    witness: Witness,
    node: usize,
}

const ACK: Flags = Flags { syn: false, ack: true, fin: false };
const FIN: Flags = Flags { syn: false, ack: true, fin: true };

impl Tap for NodeTap {
    fn opened(&self, id: SessionId, peer: SocketAddr, local: SocketAddr) {
        // Under the lock, so that they are numbered as the frames come.
        let mut opened = lock(&self.witness.0.opened);
        opened.push((self.node, id, peer));
        self.witness.tell((self.node, id), What::Opened([peer, local]));
    }

    fn passed(&self, id: SessionId, from_peer: bool, bytes: &[u8]) {
        for part in bytes.chunks(SEGMENT) {
            self.witness.tell((self.node, id), What::Passed(usize::from(!from_peer), part.to_vec()));
        }
    }

    fn closed(&self, id: SessionId, by_peer: bool) {
        self.witness.tell((self.node, id), What::Closed(usize::from(!by_peer)));
    }
}
