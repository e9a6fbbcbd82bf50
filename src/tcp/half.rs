//! One direction of a connection: segments in, bytes in order out.
//!
//! Positions are 64-bit counts from the direction's first byte. `delivered` is how many bytes have been handed up (or
//! declared lost); chunks that came too early wait in order of position and never overlap.
//!
//! A segment whose checksum is wrong although this direction's checksums are right as a rule is held back like one that
//! came too early. The receiver will have dropped it, so a good copy must follow; if instead the receiver acknowledges
//! the bytes, the checksum was the capture's (offload on the recording host), and the copy is used.
//!
//! Bytes are also held back while the *other* direction lacks something that their segment acknowledges: their sender
//! had seen those bytes when it sent these, so whoever follows both directions must see them in that order, too, even
//! where the capture has the packets in another one. Where what is missing never comes, they are let go.
//!
//! Where the SYN is missing, the first segment seen need not be the first one that was sent: for a moment the bytes
//! wait for earlier ones as if behind a hole; positions then begin somewhere in the first [`START_WINDOW`].

use std::collections::VecDeque;

use super::{Connection, Direction, Receiver};
use crate::bounds::{
    BELIEVABLE_HOLE, HOLD_SEGMENTS, HOLD_SEGMENTS_AND_TIME, HOLE_NANOS, HOLE_SEGMENTS, HOLE_SEGMENTS_AND_TIME,
    MAX_OUT_OF_ORDER, START_NANOS, START_SEGMENTS, START_WINDOW,
};
use crate::packet::{Checksum, Segment};
use crate::units::{FrameNumber, Position, Stamp};

/// Where a half's bytes go.
pub(super) struct Delivery<'a, R> {
    pub(super) connection: &'a Connection,
    pub(super) stamp: Stamp,
    pub(super) receiver: &'a mut R,
}

impl<R: Receiver> Delivery<'_, R> {
    #[inline]
    fn data(&mut self, direction: Direction, position: u64, bytes: &[u8], stamp: Stamp) {
        if !bytes.is_empty() {
            self.receiver.data(self.connection, direction, Position(position), bytes, stamp);
        }
    }

    fn gap(&mut self, direction: Direction, position: u64, bytes: u64, stamp: Stamp) {
        if bytes > 0 {
            self.receiver.gap(self.connection, direction, Position(position), bytes, stamp);
        }
    }
}

/// Bytes that came before their turn.
#[derive(Debug)]
struct Chunk {
    start: u64,
    bytes: Vec<u8>,
    /// Bytes after these that the segment had on the wire and the capture has not.
    cut: u64,
    /// The checksum was wrong in a direction where it is right as a rule.
    suspicious: bool,
    /// How much of the other direction its sender had received.
    after: u64,
    stamp: Stamp,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64 + self.cut
    }
}

/// What waits behind a hole.
#[derive(Debug, Default)]
struct Waiting {
    /// Sorted by `start`, not overlapping.
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// The time of what was handed up last: what was waiting for it is not older.
    last: Stamp,
    /// Segments of the connection since the hole opened, and when it did.
    segments: u32,
    since: Stamp,
}

/// Right checksums in a direction after which its segments without fresh bytes are not looked at any more.
const ENOUGH_CHECKSUMS: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Half {
    /// The sequence number of the byte at position 0, once known.
    first: Option<u32>,
    /// The first segment was no SYN, and nothing has been handed up yet: position 0 lies [`START_WINDOW`] before it.
    unanchored: bool,
    delivered: u64,
    /// What the other side has acknowledged.
    acknowledged: Option<u64>,
    /// The same as a sequence number, while this direction has not begun.
    early_acknowledgement: Option<u32>,
    /// The position after the last byte, once a FIN told it.
    end: Option<u64>,
    good_checksums: u32,
    bad_checksums: u32,
    waiting: Option<Box<Waiting>>,
}

impl Half {
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    pub(super) fn has_seen_fin(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn has_delivered_fin(&self) -> bool {
        self.end.is_some_and(|end| self.delivered >= end)
    }

    /// Whether a SYN with this sequence number can be the one that this direction began with.
    pub(super) fn fits_syn(&self, sequence: u32) -> bool {
        let Some(first) = self.first else { return true };
        let distance = sequence.wrapping_add(1).wrapping_sub(first);
        distance == 0 || (self.unanchored && distance <= START_WINDOW)
    }

    /// The position of a sequence number: the one nearest to what comes next, so that wrapping does not matter.
    /// Negative before the direction's first byte.
    fn position(&self, sequence: u32) -> i64 {
        let next = self.first.unwrap_or(sequence).wrapping_add(self.delivered as u32);
        self.delivered as i64 + i64::from(sequence.wrapping_sub(next) as i32)
    }

    /// Takes one segment; `other` is the opposite direction.
    #[inline]
    pub(super) fn segment<R: Receiver>(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        other: &Self,
        to: &mut Delivery<'_, R>,
    ) {
        let sequence = segment.sequence.wrapping_add(u32::from(segment.flags.syn));
        if self.first.is_none() || (segment.flags.syn && self.unanchored) {
            self.begin(sequence, segment.flags.syn);
        }
        let start = self.position(sequence);
        let end = start + i64::from(segment.wire_length);
        if segment.flags.fin && self.end.is_none() && end >= 0 {
            self.end = Some(end as u64);
        }
        let fresh = end > self.delivered as i64;
        let suspicious = (fresh || self.good_checksums < ENOUGH_CHECKSUMS) && self.is_suspicious(segment);
        if !fresh || self.is_probe(segment, end) {
            return;
        }
        let after = other.missing_before(segment);
        let in_order = start <= self.delivered as i64;
        if in_order && !suspicious && after == 0 && self.waiting.is_none() {
            self.deliver_segment(direction, segment, (self.delivered as i64 - start) as usize, to);
        } else {
            self.keep(segment, start, suspicious, after, to.stamp);
        }
    }

    /// The common case: the segment continues the stream. No copy is made.
    #[inline]
    fn deliver_segment<R: Receiver>(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        skip: usize,
        to: &mut Delivery<'_, R>,
    ) {
        let bytes = segment.payload.get(skip..).unwrap_or_default();
        to.data(direction, self.delivered, bytes, to.stamp);
        self.delivered += bytes.len() as u64;
        let on_wire = u64::from(segment.wire_length) - skip as u64;
        let cut = on_wire - bytes.len() as u64;
        if cut > 0 {
            to.gap(direction, self.delivered, cut, to.stamp);
            self.delivered += cut;
        }
    }

    /// The first segment of the direction tells where its bytes are counted from; a SYN that comes later than the
    /// first bytes tells it better.
    fn begin(&mut self, sequence: u32, syn: bool) {
        if let (Some(first), Some(waiting), true) = (self.first, &mut self.waiting, syn) {
            // What waits keeps its distance to position 0.
            let shift = sequence.wrapping_sub(first);
            if shift > START_WINDOW {
                return;
            }
            for chunk in &mut waiting.chunks {
                chunk.start = chunk.start.saturating_sub(u64::from(shift));
            }
        }
        self.unanchored = !syn;
        self.first = Some(if syn { sequence } else { sequence.wrapping_sub(START_WINDOW) });
        let acknowledged = self.early_acknowledgement.take().map(|sequence| self.position(sequence));
        self.acknowledged = acknowledged.and_then(|position| u64::try_from(position).ok());
    }

    /// Whether a segment is a keep-alive probe at the beginning of what is seen of a connection: one byte that the
    /// other side has long had. Later ones are known by their position.
    fn is_probe(&self, segment: &Segment<'_>, end: i64) -> bool {
        self.unanchored
            && segment.wire_length <= 1
            && self
                .acknowledged
                .is_some_and(|acknowledged| i64::try_from(acknowledged).is_ok_and(|position| position >= end))
    }

    /// The position up to which this direction must be known before what a segment of the other one brings; 0 where
    /// there is nothing to wait for.
    #[inline]
    fn missing_before(&self, segment: &Segment<'_>) -> u64 {
        if self.first.is_none() || !segment.flags.ack {
            return 0;
        }
        let position = self.position(segment.acknowledgement);
        if position <= self.delivered as i64 || (self.unanchored && self.waiting.is_none()) {
            return 0;
        }
        // A FIN takes a sequence number of its own.
        let position = position as u64;
        self.end.map_or(position, |end| position.min(end))
    }

    fn is_suspicious(&mut self, segment: &Segment<'_>) -> bool {
        match segment.checksum() {
            Checksum::Valid => {
                self.good_checksums = self.good_checksums.saturating_add(1);
                false
            }
            Checksum::Bad => {
                let suspicious = self.good_checksums > self.bad_checksums.saturating_mul(4);
                // One in 65,536 is right by chance, and must not outweigh all that were wrong.
                self.bad_checksums = self.bad_checksums.saturating_add(u32::from(!suspicious));
                suspicious
            }
            Checksum::Offloaded | Checksum::Unknown => false,
        }
    }

    /// The other side acknowledged everything before `sequence`.
    #[inline]
    pub(super) fn acknowledged(&mut self, sequence: u32) {
        if self.first.is_none() {
            self.early_acknowledgement = Some(sequence);
            return;
        }
        if let Ok(position) = u64::try_from(self.position(sequence)) {
            self.acknowledged = Some(self.acknowledged.map_or(position, |before| before.max(position)));
        }
    }

    /// Stores the parts of a segment that no earlier copy covers.
    fn keep(&mut self, segment: &Segment<'_>, start: i64, suspicious: bool, after: u64, stamp: Stamp) {
        let delivered = self.delivered;
        let waiting = self.waiting.get_or_insert_with(Box::default);
        if waiting.chunks.is_empty() {
            waiting.since = stamp;
            waiting.segments = 0;
        }
        let skip = (delivered as i64 - start).max(0) as u64;
        let from = (start + skip as i64) as u64;
        let bytes = segment.payload.get(skip as usize..).unwrap_or_default();
        let until = from + u64::from(segment.wire_length) - skip;
        if !suspicious {
            waiting.drop_suspicious(from, until);
        }
        waiting.insert(from, until, bytes, &Chunk { start: 0, bytes: Vec::new(), cut: 0, suspicious, after, stamp });
    }

    /// The frame of the first waiting chunk, where that continues the stream by now.
    pub(super) fn ready(&self, other: &Self) -> Option<FrameNumber> {
        let chunk = self.waiting.as_ref()?.chunks.front()?;
        let trusted = !chunk.suspicious || self.acknowledged.is_some_and(|acknowledged| acknowledged >= chunk.end());
        let in_turn = chunk.start <= self.delivered && chunk.after <= other.delivered;
        (in_turn && trusted).then_some(chunk.stamp.frame)
    }

    /// The frame of the first waiting chunk.
    pub(super) fn front(&self) -> Option<FrameNumber> {
        Some(self.waiting.as_ref()?.chunks.front()?.stamp.frame)
    }

    /// Hands up the first waiting chunk, which must have been found [`Half::ready`].
    pub(super) fn hand_up<R: Receiver>(&mut self, direction: Direction, to: &mut Delivery<'_, R>) {
        let Some(waiting) = &mut self.waiting else { return };
        let Some(chunk) = waiting.pop() else { return };
        self.bad_checksums = self.bad_checksums.saturating_add(u32::from(chunk.suspicious));
        let stamp = if chunk.stamp.frame < waiting.last.frame { waiting.last } else { chunk.stamp };
        waiting.last = stamp;
        waiting.since = to.stamp;
        waiting.segments = 0;
        if waiting.chunks.is_empty() {
            self.waiting = None;
        }
        let skip = usize::try_from(self.delivered.saturating_sub(chunk.start)).unwrap_or(usize::MAX);
        let bytes = chunk.bytes.get(skip..).unwrap_or_default();
        to.data(direction, self.delivered, bytes, stamp);
        self.delivered += bytes.len() as u64;
        let cut = chunk.end().saturating_sub(self.delivered);
        to.gap(direction, self.delivered, cut, stamp);
        self.delivered += cut;
    }

    /// One more segment of the connection has passed while bytes wait.
    pub(super) fn count_segment(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.segments = waiting.segments.saturating_add(1);
        }
    }

    /// Whether the hole in front of the waiting bytes will not be filled any more. So it is when too much waits behind
    /// it; or when the receiver has acknowledged the missing bytes and the capture has had the time to bring them: a
    /// number of segments more than any capture's reordering, or fewer and some seconds. The same goes, with numbers of
    /// their own, for what is held back for the other direction, and for the beginning of a direction without a SYN.
    pub(super) fn hole_is_lost(&self, now: Stamp) -> bool {
        let Some(waiting) = &self.waiting else { return false };
        let Some(chunk) = waiting.chunks.front() else { return false };
        if waiting.bytes > MAX_OUT_OF_ORDER {
            return true;
        }
        let long = now.since(waiting.since).is_some_and(|span| span.nanos >= HOLE_NANOS);
        if self.unanchored {
            return waiting.segments >= START_SEGMENTS
                || now.since(waiting.since).is_some_and(|span| span.nanos >= START_NANOS);
        }
        if chunk.start <= self.delivered && !chunk.suspicious {
            // Held back for the other direction.
            return waiting.segments >= HOLD_SEGMENTS || (waiting.segments >= HOLD_SEGMENTS_AND_TIME && long);
        }
        let received = self.acknowledged.is_some_and(|acknowledged| acknowledged >= chunk.start);
        received && (waiting.segments >= HOLE_SEGMENTS || (waiting.segments >= HOLE_SEGMENTS_AND_TIME && long))
    }

    /// Declares the hole in front of the first waiting chunk a gap, so that the chunk is ready; or drops the chunk
    /// where it cannot be what its sender sent.
    pub(super) fn skip_hole<R: Receiver>(&mut self, other: &mut Self, direction: Direction, to: &mut Delivery<'_, R>) {
        let Some(waiting) = &mut self.waiting else { return };
        let Some(chunk) = waiting.chunks.front_mut() else { return };
        if self.unanchored {
            self.unanchored = false;
            self.delivered = chunk.start;
            return;
        }
        if chunk.start <= self.delivered && !chunk.suspicious {
            // Held back for the other direction, which lacks bytes that the chunk's sender has received.
            let (after, stamp) = (chunk.after, chunk.stamp);
            if !other.lose_until(after, direction.other(), stamp, to) {
                chunk.after = 0;
            }
            return;
        }
        let hole = chunk.start.saturating_sub(self.delivered);
        let acknowledged = |position| self.acknowledged.is_none_or(|acknowledged| acknowledged >= position);
        // A damaged sequence number: nobody has sent what would have to stand before it. Or a damaged copy that the
        // receiver did not take either.
        if (hole > BELIEVABLE_HOLE && !acknowledged(chunk.start)) || (chunk.suspicious && !acknowledged(chunk.end())) {
            waiting.pop();
            if waiting.chunks.is_empty() {
                self.waiting = None;
            }
            return;
        }
        chunk.suspicious = false;
        chunk.after = 0;
        let stamp = chunk.stamp;
        to.gap(direction, self.delivered, hole, stamp);
        self.delivered += hole;
    }
}

impl Half {
    /// The other direction's sender has received everything before `position`, and the capture will not bring it any
    /// more: declares what is missing a gap, up to the first bytes that wait. Gives false where there is nothing to
    /// declare: the acknowledgement was damaged, or only covers a FIN that the capture lacks.
    fn lose_until<R: Receiver>(
        &mut self,
        position: u64,
        direction: Direction,
        stamp: Stamp,
        to: &mut Delivery<'_, R>,
    ) -> bool {
        let front = self.waiting.as_ref().and_then(|waiting| waiting.chunks.front());
        let (until, stamp) = match front {
            Some(chunk) if chunk.start <= position => (chunk.start, chunk.stamp),
            _ => (position, stamp),
        };
        let hole = until.saturating_sub(self.delivered);
        if self.unanchored || hole <= 1 || hole > BELIEVABLE_HOLE {
            return false;
        }
        to.gap(direction, self.delivered, hole, stamp);
        self.delivered += hole;
        true
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.bytes.len();
        Some(chunk)
    }

    /// A good copy of these bytes has come: damaged ones need not wait any longer.
    fn drop_suspicious(&mut self, from: u64, until: u64) {
        let before = self.chunks.len();
        self.chunks.retain(|chunk| !chunk.suspicious || chunk.end() <= from || chunk.start >= until);
        if self.chunks.len() != before {
            self.bytes = self.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        }
    }

    /// Adds `[from, until)`, of which `bytes` is the captured beginning, less what earlier copies cover. The rest of
    /// what a chunk has to say is taken from `like`.
    fn insert(&mut self, from: u64, until: u64, bytes: &[u8], like: &Chunk) {
        let mut at = from;
        // Most often it goes to the end.
        let mut index = self.chunks.partition_point(|chunk| chunk.end() <= from);
        while at < until {
            let (covered_from, covered_until) = match self.chunks.get_mut(index) {
                Some(chunk) if chunk.start < until => {
                    // A copy that was sent earlier needs less of the other direction.
                    chunk.after = chunk.after.min(like.after);
                    (chunk.start.max(at), chunk.end())
                }
                _ => (until, until),
            };
            if at < covered_from {
                let piece = slice_of(bytes, at - from, covered_from - from).to_vec();
                let cut = covered_from - at - piece.len() as u64;
                self.bytes += piece.len();
                self.chunks.insert(index, Chunk { start: at, bytes: piece, cut, ..*like });
                index += 1;
            }
            at = covered_until.max(covered_from);
            index += 1;
        }
    }
}

/// `bytes[from..until]`, as much of it as there is.
fn slice_of(bytes: &[u8], from: u64, until: u64) -> &[u8] {
    let clamp = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[clamp(from)..clamp(until)]
}
