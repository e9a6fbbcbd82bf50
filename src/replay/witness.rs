//! Who looks on: what passes between the replayed servers becomes frames, and these go where a capture's go.
//!
//! So the verdict on a replay rests on the same reading as that on the recording, and `-w` has what the verdict is
//! about.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use etherparse::PacketBuilder;

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

struct Watching {
    pipeline: Pipeline<Summaries>,
    writer: Option<CaptureWriter>,
    error: Option<WriteError>,
    wires: HashMap<(usize, SessionId), Wire>,
    /// Connections in the order in which they were accepted, and who made them.
    opened: Vec<(usize, SessionId, SocketAddr)>,
    frames: u64,
    frame: Vec<u8>,
}

/// Looks on; all servers of a replay share it.
#[derive(Clone)]
pub struct Witness(Arc<Mutex<Watching>>);

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Witness").field(&self.lock().frames).finish()
    }
}

impl Witness {
    /// One that has seen nothing; it writes what it sees.
    #[must_use]
    pub fn new(writer: Option<CaptureWriter>) -> Self {
        Self(Arc::new(Mutex::new(Watching {
            pipeline: Pipeline::new(Settings { keep: KEEP, clients: false }, Summaries::new()),
            writer,
            error: None,
            wires: HashMap::new(),
            opened: Vec::new(),
            frames: 0,
            frame: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        // Whoever panicked with it has left nothing half done that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one server sees.
    #[must_use]
    pub fn of(&self, node: usize) -> NodeTap {
        NodeTap { witness: self.clone(), node }
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.lock().opened.len()
    }

    /// The connection of this number, from 0: the server that accepted it, and its name there.
    #[must_use]
    pub fn connection(&self, number: usize) -> Option<(usize, SessionId)> {
        self.lock().opened.get(number).map(|&(node, session, _)| (node, session))
    }

    /// The numbers of the connections that came from such addresses.
    #[must_use]
    pub fn made_from(&self, from: impl Fn(SocketAddr) -> bool) -> Vec<usize> {
        let watching = self.lock();
        watching.opened.iter().enumerate().filter(|(_, (.., peer))| from(*peer)).map(|(number, _)| number).collect()
    }

    /// The number of the last connection that this server called so.
    #[must_use]
    pub fn number_of(&self, node: usize, id: SessionId) -> Option<usize> {
        self.lock().opened.iter().rposition(|(known, session, _)| (*known, *session) == (node, id))
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
        let mut watching = self.lock();
        let fresh = Pipeline::new(Settings { keep: KEEP, clients: false }, Summaries::new());
        let mut pipeline = std::mem::replace(&mut watching.pipeline, fresh);
        pipeline.finish();
        if let Some(error) = watching.error.take() {
            return Err(error);
        }
        if let Some(writer) = watching.writer.take() {
            writer.finish()?;
        }
        Ok(pipeline.observer.sink.into_report().links)
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
    /// Makes a frame and passes it on.
    fn segment(&mut self, key: (usize, SessionId), from: usize, flags: Flags, payload: &[u8]) {
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
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
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
        let (mut watching, key) = (self.witness.lock(), (self.node, id));
        watching.wires.insert(key, Wire { ends: [peer, local], next: [1000, 5000] });
        watching.opened.push((self.node, id, peer));
        watching.segment(key, 0, Flags { syn: true, ..Flags::default() }, &[]);
        watching.segment(key, 1, Flags { syn: true, ack: true, fin: false }, &[]);
        watching.segment(key, 0, ACK, &[]);
    }

    fn passed(&self, id: SessionId, from_peer: bool, bytes: &[u8]) {
        let mut watching = self.witness.lock();
        for part in bytes.chunks(SEGMENT) {
            watching.segment((self.node, id), usize::from(!from_peer), ACK, part);
        }
    }

    fn closed(&self, id: SessionId, by_peer: bool) {
        let (mut watching, key) = (self.witness.lock(), (self.node, id));
        let first = usize::from(!by_peer);
        watching.segment(key, first, FIN, &[]);
        watching.segment(key, 1 - first, FIN, &[]);
        watching.segment(key, first, ACK, &[]);
        watching.wires.remove(&key);
    }
}
