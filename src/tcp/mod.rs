//! TCP connections and their byte streams: sequence numbers become 64-bit positions, segments become bytes in order.
//!
//! The tracker sits between two ends that it cannot ask. It believes what they must have done: the first copy of a
//! byte is the one that the receiver kept, and a hole that the receiver has acknowledged is a loss of the capture, not
//! of the connection. Such a hole is declared a gap once the capture has had its chance to bring the bytes late; the
//! exact rules stand at `Half::hole_is_lost`. Segments with a wrong checksum wait for a better copy where the
//! direction's other checksums are right (see `half`).

mod connection;
mod half;

use std::collections::{HashMap, VecDeque};

use crate::bounds::{
    HALF_CLOSED_FRAMES, HALF_CLOSED_NANOS, LINGER_FRAMES, LINGER_NANOS, MAX_CONNECTIONS, MAX_OUT_OF_ORDER_TOTAL,
};
use crate::packet::{Endpoint, Segment};
use crate::units::{FrameNumber, LinkNumber, Position, Stamp, Timestamp};

pub use connection::{Connection, Direction, Ending, How};
use half::{Delivery, Half};

/// What takes the byte streams: the floor above.
pub trait Receiver {
    /// The next bytes of one direction; `position` is the number of bytes before them.
    fn data(&mut self, connection: &Connection, direction: Direction, position: Position, bytes: &[u8], stamp: Stamp);

    /// `bytes` bytes of one direction are not in the capture; what comes next stands after them.
    fn gap(&mut self, connection: &Connection, direction: Direction, position: Position, bytes: u64, stamp: Stamp);

    /// The connection is over, or the capture is: nothing more will be said of it. `ending` is `None` where the
    /// capture does not show an end.
    fn finished(&mut self, connection: &Connection, ending: Option<Ending>, stamp: Stamp);
}

#[derive(Debug)]
struct Flow {
    connection: Connection,
    halves: [Half; 2],
    ending: Option<Ending>,
    /// Told to the receiver as finished; kept so that late packets are not taken for a new connection.
    finished: bool,
    lingering: bool,
    half_closed: bool,
}

/// The endpoints of a connection in an order that does not depend on who sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(Endpoint, Endpoint);

impl Key {
    fn of(segment: &Segment<'_>) -> Self {
        let (a, b) = (segment.source, segment.destination);
        if a <= b { Self(a, b) } else { Self(b, a) }
    }
}

/// A connection that has shown its end and may still get late packets.
#[derive(Debug)]
struct Linger {
    slot: usize,
    number: LinkNumber,
    since: Stamp,
}

/// The table of connections.
#[derive(Debug, Default)]
pub struct Tracker {
    flows: Vec<Flow>,
    slots: HashMap<Key, usize, foldhash::fast::RandomState>,
    /// The connection of the previous segment: the next one is most often of the same.
    recent: usize,
    lingering: VecDeque<Linger>,
    /// The same for connections that the responder has closed, the initiator not yet: these are waited for longer. (One
    /// that the initiator alone has closed is never given up: a master that was stopped goes on sending into it.)
    half_closed: VecDeque<Linger>,
    /// Finished connections in the order of their ends: the first to make room.
    finished: VecDeque<(usize, LinkNumber)>,
    opened: u32,
    /// Bytes that wait behind holes, over all connections.
    waiting: usize,
}

impl Tracker {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many connections have been numbered so far.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.opened
    }

    /// Takes one segment.
    #[inline]
    pub fn push<R: Receiver>(&mut self, segment: &Segment<'_>, stamp: Stamp, receiver: &mut R) {
        if !self.lingering.is_empty() || !self.half_closed.is_empty() {
            self.expire(stamp, receiver);
        }
        let Some(slot) = self.slot_for(segment, stamp, receiver) else { return };
        self.recent = slot;
        let flow = &mut self.flows[slot];
        if flow.finished {
            return;
        }
        let waiting_before = flow.waiting();
        flow.segment(segment, stamp, receiver);
        let waiting_after = flow.waiting();
        if waiting_before | waiting_after != 0 {
            self.waiting = self.waiting + waiting_after - waiting_before;
            self.relieve(slot, stamp, receiver);
        }
        let flow = &mut self.flows[slot];
        if flow.is_complete() {
            self.finish_flow(slot, receiver);
        } else if flow.is_over() && !flow.lingering {
            flow.lingering = true;
            self.lingering.push_back(Linger { slot, number: flow.connection.number, since: stamp });
        } else if flow.ending.is_some_and(|ending| ending.by == Direction::FromResponder) && !flow.half_closed {
            flow.half_closed = true;
            self.half_closed.push_back(Linger { slot, number: flow.connection.number, since: stamp });
        }
    }

    /// Lets time pass without a packet, so that connections that have shown their end are told as finished.
    pub fn tick<R: Receiver>(&mut self, now: Timestamp, receiver: &mut R) {
        self.expire(Stamp { frame: FrameNumber(0), time: Some(now) }, receiver);
    }

    /// The capture is over: delivers what still waits, and finishes every connection, in the order of their numbers.
    pub fn finish<R: Receiver>(&mut self, receiver: &mut R) {
        let mut open: Vec<usize> = (0..self.flows.len()).filter(|&slot| !self.flows[slot].finished).collect();
        open.sort_unstable_by_key(|&slot| self.flows[slot].connection.number);
        for slot in open {
            self.finish_flow(slot, receiver);
        }
    }

    fn expire<R: Receiver>(&mut self, now: Stamp, receiver: &mut R) {
        while let Some(over) = due(&mut self.lingering, now, LINGER_FRAMES, LINGER_NANOS)
            .or_else(|| due(&mut self.half_closed, now, HALF_CLOSED_FRAMES, HALF_CLOSED_NANOS))
        {
            if self.flows[over.slot].connection.number == over.number {
                self.finish_flow(over.slot, receiver);
            }
        }
    }

    /// The slot of the segment's connection, opened where the segment begins one.
    #[inline]
    fn slot_for<R: Receiver>(&mut self, segment: &Segment<'_>, stamp: Stamp, receiver: &mut R) -> Option<usize> {
        if !segment.flags.syn
            && let Some(flow) = self.flows.get(self.recent)
            && flow.connection.direction_of(segment).is_some()
        {
            return Some(self.recent);
        }
        self.look_up(segment, stamp, receiver)
    }

    fn look_up<R: Receiver>(&mut self, segment: &Segment<'_>, stamp: Stamp, receiver: &mut R) -> Option<usize> {
        let key = Key::of(segment);
        let Some(&slot) = self.slots.get(&key) else {
            // A reset of a connection that the capture knows nothing of is no connection.
            return (!segment.flags.rst).then(|| self.open(key, segment, stamp, receiver));
        };
        if segment.flags.syn && self.flows[slot].is_succeeded_by(segment, stamp) {
            self.finish_flow(slot, receiver);
            return Some(self.open(key, segment, stamp, receiver));
        }
        Some(slot)
    }

    fn open<R: Receiver>(&mut self, key: Key, segment: &Segment<'_>, stamp: Stamp, receiver: &mut R) -> usize {
        self.opened = self.opened.saturating_add(1);
        let number = LinkNumber(self.opened);
        let slot = match self.slots.get(&key) {
            Some(&slot) => slot,
            None if self.flows.len() < MAX_CONNECTIONS => self.flows.len(),
            None => self.evict(receiver),
        };
        let flow = Flow {
            connection: Connection::begun_by(segment, slot, number, stamp),
            halves: Default::default(),
            ending: None,
            finished: false,
            lingering: false,
            half_closed: false,
        };
        if slot == self.flows.len() {
            self.flows.push(flow)
        } else {
            self.flows[slot] = flow
        }
        self.slots.insert(key, slot);
        slot
    }

    /// Frees a slot: of the connection that finished first, else of one that has been quiet for long.
    fn evict<R: Receiver>(&mut self, receiver: &mut R) -> usize {
        let mut victim = None;
        while let Some((slot, number)) = self.finished.pop_front() {
            if self.flows[slot].connection.number == number {
                victim = Some(slot);
                break;
            }
        }
        let slot = victim.unwrap_or_else(|| {
            // A sample stands for all: looking at every connection for each new one would be a quadratic cost.
            let start = self.opened as usize;
            (0..64)
                .map(|i| (start * 64 + i) % self.flows.len())
                .min_by_key(|&slot| self.flows[slot].connection.last.frame)
                .unwrap_or(0)
        });
        self.finish_flow(slot, receiver);
        let flow = &self.flows[slot];
        let (a, b) = (flow.connection.initiator, flow.connection.responder);
        self.slots.remove(&if a <= b { Key(a, b) } else { Key(b, a) });
        slot
    }

    /// Holds the bound over all connections: the one that just grew gives up its holes.
    fn relieve<R: Receiver>(&mut self, slot: usize, stamp: Stamp, receiver: &mut R) {
        if self.waiting <= MAX_OUT_OF_ORDER_TOTAL {
            return;
        }
        let flow = &mut self.flows[slot];
        self.waiting -= flow.waiting();
        flow.give_up(stamp, receiver);
    }

    fn finish_flow<R: Receiver>(&mut self, slot: usize, receiver: &mut R) {
        let flow = &mut self.flows[slot];
        if flow.finished {
            return;
        }
        self.waiting -= flow.waiting();
        let stamp = flow.connection.last;
        flow.give_up(stamp, receiver);
        flow.finished = true;
        receiver.finished(&flow.connection, flow.ending, stamp);
        self.finished.push_back((slot, flow.connection.number));
        if self.finished.len() > 2 * MAX_CONNECTIONS {
            // Slots that were taken over leave stale entries behind.
            let flows = &self.flows;
            self.finished.retain(|&(slot, number)| flows[slot].connection.number == number);
        }
    }
}

/// The first of the queue, where it has waited for so many frames or for so long.
fn due(queue: &mut VecDeque<Linger>, now: Stamp, frames: u64, nanos: u64) -> Option<Linger> {
    let since = queue.front()?.since;
    let passed = now.frame.0.saturating_sub(since.frame.0) >= frames;
    let long = now.since(since).is_some_and(|span| span.nanos >= nanos);
    if passed || long { queue.pop_front() } else { None }
}

impl Flow {
    fn waiting(&self) -> usize {
        self.halves[0].waiting() + self.halves[1].waiting()
    }

    /// Both sides have said that they are done, and nothing is missing.
    fn is_complete(&self) -> bool {
        self.halves.iter().all(Half::has_delivered_fin)
    }

    /// The connection has shown its end, though some of its bytes may still come late.
    fn is_over(&self) -> bool {
        self.halves.iter().all(Half::has_seen_fin) || self.ending.is_some_and(|ending| ending.how == How::Rst)
    }

    #[inline]
    fn segment<R: Receiver>(&mut self, segment: &Segment<'_>, stamp: Stamp, receiver: &mut R) {
        let Some(direction) = self.connection.direction_of(segment) else { return };
        self.connection.observe(segment, direction, stamp);
        let [forward, backward] = &mut self.halves;
        let (own, other) = match direction {
            Direction::FromInitiator => (forward, backward),
            Direction::FromResponder => (backward, forward),
        };
        if segment.flags.fin || segment.flags.rst {
            let how = if segment.flags.rst { How::Rst } else { How::Fin };
            self.ending.get_or_insert(Ending { by: direction, how, stamp });
        }
        let mut to = Delivery { connection: &self.connection, stamp, receiver };
        own.segment(direction, segment, other, &mut to);
        if segment.flags.ack {
            other.acknowledged(segment.acknowledgement);
        }
        if own.waiting() | other.waiting() != 0 || own.front().is_some() || other.front().is_some() {
            for half in &mut self.halves {
                half.count_segment();
            }
            self.drain(stamp, receiver);
        }
    }

    /// Hands up what has become ready, both directions in the order of their frames, and declares the holes that have
    /// lasted too long.
    fn drain<R: Receiver>(&mut self, stamp: Stamp, receiver: &mut R) {
        loop {
            self.hand_up_ready(stamp, receiver);
            let lost = Direction::BOTH.into_iter().find(|direction| self.halves[direction.index()].hole_is_lost(stamp));
            let Some(direction) = lost else { return };
            self.skip_hole(direction, stamp, receiver);
        }
    }

    fn skip_hole<R: Receiver>(&mut self, direction: Direction, stamp: Stamp, receiver: &mut R) {
        let mut to = Delivery { connection: &self.connection, stamp, receiver };
        let [forward, backward] = &mut self.halves;
        match direction {
            Direction::FromInitiator => forward.skip_hole(backward, direction, &mut to),
            Direction::FromResponder => backward.skip_hole(forward, direction, &mut to),
        }
    }

    fn hand_up_ready<R: Receiver>(&mut self, stamp: Stamp, receiver: &mut R) {
        while let Some(direction) = self.earliest(|own, other| own.ready(other)) {
            let mut to = Delivery { connection: &self.connection, stamp, receiver };
            self.halves[direction.index()].hand_up(direction, &mut to);
        }
    }

    /// Declares all holes lost and hands up everything that waits.
    fn give_up<R: Receiver>(&mut self, stamp: Stamp, receiver: &mut R) {
        loop {
            self.hand_up_ready(stamp, receiver);
            let Some(direction) = self.earliest(|own, _| own.front()) else { return };
            self.skip_hole(direction, stamp, receiver);
        }
    }

    /// The direction for which `frame` gives the earlier frame, if it gives any.
    fn earliest(&self, frame: impl Fn(&Half, &Half) -> Option<FrameNumber>) -> Option<Direction> {
        let [forward, backward] = &self.halves;
        match (frame(forward, backward), frame(backward, forward)) {
            (Some(a), Some(b)) if b < a => Some(Direction::FromResponder),
            (Some(_), _) => Some(Direction::FromInitiator),
            (None, Some(_)) => Some(Direction::FromResponder),
            (None, None) => None,
        }
    }

    /// Whether a SYN on these endpoints begins a new connection, rather than being a copy of this one's own.
    fn is_succeeded_by(&self, segment: &Segment<'_>, stamp: Stamp) -> bool {
        if self.finished || self.ending.is_some_and(|ending| ending.how == How::Rst) || self.is_over() {
            return true;
        }
        let Some(direction) = self.connection.direction_of(segment) else { return true };
        let half = &self.halves[direction.index()];
        if !half.fits_syn(segment.sequence) {
            return true;
        }
        // The same initial sequence number again. A SYN is sent anew only before the connection stands, so once data
        // has flowed it is a copy made by the network or by the capture, and that comes at once; endpoints that use
        // the number again (a replayed capture, a restored machine) come later. One second is TCP's first
        // retransmission timeout (RFC 6298).
        let has_data = self.halves.iter().any(|half| half.delivered() > 0);
        let late = stamp.since(self.connection.opened).is_none_or(|span| span.nanos >= 1_000_000_000);
        has_data && late && !segment.flags.ack
    }
}

#[cfg(test)]
mod tests;
