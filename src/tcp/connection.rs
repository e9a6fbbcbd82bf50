//! What is known of one connection, and the words for its two directions and its end.

use crate::packet::{Endpoint, Segment};
use crate::units::{LinkNumber, Span, Stamp};

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the side that opened the connection.
    FromInitiator,
    /// From the side that was connected to.
    FromResponder,
}

impl Direction {
    /// Both, initiator's first.
    pub const BOTH: [Self; 2] = [Self::FromInitiator, Self::FromResponder];

    /// 0 for the initiator's, 1 for the responder's.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The opposite direction.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::FromInitiator => Self::FromResponder,
            Self::FromResponder => Self::FromInitiator,
        }
    }
}

/// How a side ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// With a FIN: it had no more to send.
    Fin,
    /// With a RST: it tore the connection down.
    Rst,
}

/// The first sign of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The direction in which it travelled: its sender ended the connection.
    pub by: Direction,
    /// FIN or RST.
    pub how: How,
    /// When.
    pub stamp: Stamp,
}

/// One TCP connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its place in the tracker's table: below `bounds::MAX_CONNECTIONS`, and used again once it is over.
    pub slot: usize,
    /// Its number in the capture.
    pub number: LinkNumber,
    /// Who opened it: the sender of the SYN, or a guess (the sender of the first packet) where the SYN is missing.
    pub initiator: Endpoint,
    /// Who was connected to.
    pub responder: Endpoint,
    /// Whether a SYN or SYN-ACK was seen, so that `initiator` is no guess and positions count from the first byte.
    pub syn_seen: bool,
    /// The first packet.
    pub opened: Stamp,
    /// The latest packet.
    pub last: Stamp,
    /// From the SYN to the initiator's first ACK, where both are in the capture.
    pub rtt: Option<Span>,
    syn: Option<Stamp>,
    syn_ack: bool,
    /// Packets seen in each direction, so that a capture of one side only is known for what it is.
    pub packets: [u64; 2],
}

impl Connection {
    pub(super) fn begun_by(segment: &Segment<'_>, slot: usize, number: LinkNumber, stamp: Stamp) -> Self {
        let answers = segment.flags.syn && segment.flags.ack;
        let (initiator, responder) =
            if answers { (segment.destination, segment.source) } else { (segment.source, segment.destination) };
        Self {
            slot,
            number,
            initiator,
            responder,
            syn_seen: segment.flags.syn,
            opened: stamp,
            last: stamp,
            rtt: None,
            syn: None,
            syn_ack: false,
            packets: [0; 2],
        }
    }

    /// The direction in which a segment travels, or `None` where it belongs to another connection.
    #[inline]
    pub(super) fn direction_of(&self, segment: &Segment<'_>) -> Option<Direction> {
        if segment.source == self.initiator && segment.destination == self.responder {
            Some(Direction::FromInitiator)
        } else if segment.source == self.responder && segment.destination == self.initiator {
            Some(Direction::FromResponder)
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn observe(&mut self, segment: &Segment<'_>, direction: Direction, stamp: Stamp) {
        self.last = stamp;
        self.packets[direction.index()] += 1;
        if segment.flags.syn {
            match direction {
                Direction::FromInitiator => self.syn = self.syn.or(Some(stamp)),
                Direction::FromResponder => self.syn_ack = true,
            }
            self.syn_seen = true;
        } else if let Some(syn) = self.syn
            && self.syn_ack
            && direction == Direction::FromInitiator
        {
            self.syn = None;
            self.rtt = stamp.since(syn);
        }
    }
}
