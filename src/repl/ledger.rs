//! The books of one stream: which offset each byte has, what the replica has applied, and since when the rest waits.
//!
//! Where the capture lacks the beginning, nobody tells the offset of the first byte seen. The replica's ACKs do in the
//! end: an ACK names the end of some command outside a transaction, and it comes after that command. So each ACK leaves
//! a few candidates for the base, and the next one thins them out; and an ACK that comes when the stream has been quiet
//! for a while covers all of it. Until the base is certain, offsets are not told rather than told wrong.

use std::collections::VecDeque;

use super::event::Certainty;
use crate::bounds::{MAX_ARRIVALS, MAX_BOUNDARIES};
use crate::units::{Offset, Span, Stamp, Timestamp};

/// A stream that has brought nothing for so long has been applied whole when the next ACK comes. ACKs are sent by a
/// timer once a second, so one comes within any such pause sooner or later.
const QUIET_NANOS: u64 = 100_000_000;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The offset before the first byte, once known.
    base: Option<Offset>,
    inferred: bool,
    /// Stream bytes that make whole commands (or were skipped) so far; `seen` counts an unfinished one too.
    decoded: u64,
    seen: u64,
    /// Per delivery of the stream: `seen` after it, and when. Only what the replica has not acknowledged.
    arrivals: VecDeque<(u64, Timestamp)>,
    last_arrival: Option<Stamp>,
    inference: Option<Box<Inference>>,
    applied: Option<Offset>,
    getack: Option<(u64, Stamp)>,
    /// Bytes were lost or unreadable since the last ACK: a GETACK may have been among them.
    doubtful: bool,
}

#[derive(Debug, Default)]
struct Inference {
    /// Ends of commands outside transactions, as counts of stream bytes: the places that an ACK can name.
    boundaries: VecDeque<u64>,
    candidates: Vec<u64>,
    /// ACKs with different offsets that the candidates agree with.
    witnesses: u32,
    last: Option<u64>,
    /// No base can be lower: the replica has not applied what was not sent.
    lowest: Option<u64>,
}

/// What an ACK says, held against the books.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) lag: Option<u64>,
    pub(super) delay: Option<Span>,
    pub(super) rtt: Option<Span>,
    /// The base has just become known.
    pub(super) learned: bool,
}

impl Ledger {
    /// The stream begins after `base`.
    pub(super) fn set_base(&mut self, base: Offset) {
        self.base = Some(base);
        self.inferred = false;
        self.inference = None;
    }

    /// The stream begins at an offset that is not known. `now` is the last moment before it.
    pub(super) fn begin_unknown(&mut self, now: Stamp) {
        if self.base.is_none() && self.inference.is_none() {
            self.inference = Some(Box::default());
            self.last_arrival = self.last_arrival.or(Some(now));
            self.boundary();
        }
    }

    /// The offset after the last whole command.
    #[inline]
    pub(super) fn offset(&self) -> Option<Offset> {
        self.base.map(|base| base.advanced_by(self.decoded))
    }

    pub(super) fn certainty(&self) -> Certainty {
        match self.base {
            Some(_) if self.inferred => Certainty::Inferred,
            Some(_) => Certainty::Exact,
            None => Certainty::Unknown,
        }
    }

    /// The number of the first byte seen, once known.
    pub(super) fn first_byte(&self) -> Option<u64> {
        self.base.map(Offset::next_byte)
    }

    pub(super) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Bytes of the stream were delivered, whole commands or not.
    #[inline]
    pub(super) fn arrive(&mut self, bytes: u64, stamp: Stamp) {
        self.seen += bytes;
        self.last_arrival = Some(stamp);
        let Some(time) = stamp.time else { return };
        match self.arrivals.back_mut() {
            Some(last) if last.1 == time => last.0 = self.seen,
            _ => {
                if self.arrivals.len() == MAX_ARRIVALS {
                    self.thin_out();
                }
                self.arrivals.push_back((self.seen, time));
            }
        }
    }

    /// Joins deliveries two by two; a byte then counts as older than it is, by no more than its neighbour's age.
    fn thin_out(&mut self) {
        let joined =
            self.arrivals.make_contiguous().chunks(2).map(|pair| (pair[pair.len() - 1].0, pair[0].1)).collect();
        self.arrivals = joined;
    }

    /// `bytes` more bytes make whole commands, or were passed over.
    #[inline]
    pub(super) fn advance(&mut self, bytes: u64) {
        self.decoded += bytes;
    }

    /// All bytes seen are accounted for: a gap or an unreadable stretch has ended here.
    pub(super) fn catch_up(&mut self, unread: u64) {
        self.doubtful = true;
        self.decoded = self.seen.saturating_sub(unread);
    }

    /// Takes back what was counted as seen and is to be delivered again.
    pub(super) fn unsee(&mut self, bytes: u64) {
        self.seen = self.seen.saturating_sub(bytes);
    }

    /// The base that was told is of no use, since nobody knows any more where the stream began: back to the ACKs.
    pub(super) fn forget_base(&mut self, now: Stamp) {
        self.base = None;
        self.begin_unknown(now);
    }

    /// A command has ended outside a transaction.
    #[inline]
    pub(super) fn boundary(&mut self) {
        if let Some(inference) = &mut self.inference {
            if inference.boundaries.len() == MAX_BOUNDARIES {
                inference.boundaries.pop_front();
            }
            inference.boundaries.push_back(self.decoded);
        }
    }

    /// The master has asked for an ACK; `before` are the stream bytes before the question.
    pub(super) fn asked_for_ack(&mut self, before: u64, stamp: Stamp) {
        self.getack = Some((before, stamp));
    }

    /// The replica has applied everything up to `offset`.
    pub(super) fn acknowledge(&mut self, offset: Offset, stamp: Stamp) -> Standing {
        let learned = self.base.is_none() && self.infer(offset, stamp);
        if self.inferred
            && let Some(base) = &mut self.base
        {
            // An inference that the replica contradicts was too low.
            base.0 = base.0.max(offset.0.saturating_sub(self.seen));
        }
        let Some(base) = self.base else { return Standing { learned, ..Standing::default() } };
        self.applied = self.applied.max(Some(offset));
        let covered = offset.0.saturating_sub(base.0);
        while self.arrivals.front().is_some_and(|&(end, _)| end <= covered) {
            self.arrivals.pop_front();
        }
        let lag = base.0.saturating_add(self.seen).saturating_sub(offset.0);
        let delay = match self.arrivals.front() {
            Some(&(_, arrived)) if lag > 0 => stamp.time.map(|now| now.since(arrived)),
            _ => stamp.time.map(|now| now.since(now)),
        };
        let rtt = match self.getack {
            Some((before, asked)) if covered >= before => {
                self.getack = None;
                stamp.since(asked)
            }
            _ => None,
        };
        Standing { lag: Some(lag), delay, rtt, learned }
    }

    fn infer(&mut self, offset: Offset, now: Stamp) -> bool {
        let Some(inference) = &mut self.inference else { return false };
        // A client that only plays a replica (redis-cli --replica) acknowledges 0 for ever.
        if offset.0 == 0 {
            return false;
        }
        inference.lowest = inference.lowest.max(Some(offset.0.saturating_sub(self.decoded)));
        let quiet = self.last_arrival.and_then(|last| now.since(last)).is_some_and(|span| span.nanos >= QUIET_NANOS);
        let end = inference.boundaries.back().copied().unwrap_or(0);
        // The ACK that answers a GETACK does not cover the question itself (Redis 4.0 and later).
        let answers = self.getack.take().is_some() | std::mem::take(&mut self.doubtful);
        let base = if quiet && !answers && self.seen == self.decoded && offset.0 >= end {
            Some(offset.0 - end)
        } else {
            inference.witness(offset.0)
        };
        if let Some(base) = base {
            self.base = Some(Offset(base));
            self.inferred = true;
            self.inference = None;
            return true;
        }
        false
    }

    /// The capture is over: the best that the ACKs allow to say. Gives true where it has become known by this.
    pub(super) fn settle(&mut self) -> bool {
        let Some(inference) = self.inference.take() else { return false };
        // Among the candidates the lowest: it takes the last ACK to cover the most.
        let base = inference.candidates.iter().copied().min().or(inference.lowest);
        self.base = base.map(Offset);
        self.inferred = base.is_some();
        base.is_some()
    }
}

impl Inference {
    /// Thins out the candidates by one more ACK; gives the base where only one is left.
    fn witness(&mut self, offset: u64) -> Option<u64> {
        if self.last == Some(offset) {
            return None;
        }
        self.last = Some(offset);
        let boundaries = &self.boundaries;
        self.candidates
            .retain(|&base| offset.checked_sub(base).is_some_and(|end| boundaries.binary_search(&end).is_ok()));
        if self.candidates.is_empty() {
            self.candidates = boundaries.iter().filter_map(|&end| offset.checked_sub(end)).collect();
            self.witnesses = 0;
        }
        self.witnesses += 1;
        match self.candidates[..] {
            [base] if self.witnesses >= 3 => Some(base),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::FrameNumber;

    fn at(millis: u64) -> Stamp {
        Stamp { frame: FrameNumber(millis), time: Some(Timestamp { nanos: millis * 1_000_000, digits: 6 }) }
    }

    #[test]
    fn lag_and_delay_are_those_of_the_oldest_uncovered_byte() {
        let mut ledger = Ledger::default();
        ledger.set_base(Offset(100));
        ledger.arrive(10, at(1000));
        ledger.advance(10);
        ledger.arrive(20, at(1200));
        ledger.advance(20);
        assert_eq!(ledger.offset(), Some(Offset(130)));
        let standing = ledger.acknowledge(Offset(110), at(1500));
        assert_eq!(standing.lag, Some(20));
        assert_eq!(standing.delay.unwrap().nanos, 300_000_000);
        let standing = ledger.acknowledge(Offset(130), at(1600));
        assert_eq!((standing.lag, standing.delay.unwrap().nanos), (Some(0), 0));
    }

    #[test]
    fn arrivals_are_bounded_and_never_make_a_delay_shorter() {
        let mut ledger = Ledger::default();
        ledger.set_base(Offset(0));
        for millis in 0..10 * MAX_ARRIVALS as u64 {
            ledger.arrive(1, at(millis));
        }
        assert!(ledger.arrivals.len() <= MAX_ARRIVALS);
        let now = 10 * MAX_ARRIVALS as u64;
        let standing = ledger.acknowledge(Offset(now - 10), at(now));
        assert!(standing.delay.unwrap().nanos >= 9_000_000);
    }

    #[test]
    fn an_ack_after_a_pause_settles_the_base() {
        let mut ledger = Ledger::default();
        ledger.begin_unknown(at(0));
        ledger.arrive(50, at(10));
        ledger.advance(50);
        ledger.boundary();
        assert!(!ledger.acknowledge(Offset(1050), at(50)).learned);
        assert!(ledger.acknowledge(Offset(1050), at(1050)).learned);
        assert_eq!((ledger.first_byte(), ledger.certainty()), (Some(1001), Certainty::Inferred));
    }

    #[test]
    fn acks_in_a_busy_stream_settle_the_base_once_only_one_is_possible() {
        let mut ledger = Ledger::default();
        ledger.begin_unknown(at(0));
        // Commands of ever different lengths, one a millisecond; the replica is always three behind.
        let lengths: Vec<u64> = (0..500_u64).map(|i| 20 + (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 97).collect();
        let mut ends = vec![0];
        let mut learned = false;
        for (millis, length) in lengths.iter().enumerate() {
            ledger.arrive(*length, at(millis as u64));
            ledger.advance(*length);
            ledger.boundary();
            ends.push(ends[millis] + length);
            if millis % 100 == 99 {
                learned |= ledger.acknowledge(Offset(7777 + ends[millis - 2]), at(millis as u64)).learned;
            }
        }
        assert!(learned);
        assert_eq!(ledger.first_byte(), Some(7778));
    }
}
