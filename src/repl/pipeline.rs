//! Frames in, events out: the floors below, joined.

use super::event::Sink;
use super::observer::{Observer, Settings};
use crate::capture::{Frame, LinkType};
use crate::packet::{Decoded, Decoder};
use crate::tcp::Tracker;
use crate::units::{Stamp, Timestamp};

/// What became of the frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameCounts {
    /// All.
    pub frames: u64,
    /// Those that carried TCP.
    pub tcp: u64,
    /// Those whose headers made no sense or were cut off.
    pub malformed: u64,
    /// Those of a link type that is not decoded.
    pub unknown_link: u64,
    /// Those of which a snaplen cut some of the TCP payload away, and how many bytes of it.
    pub cut: (u64, u64),
    /// The first link type that is not decoded.
    pub unknown_link_type: Option<LinkType>,
}

/// The whole way from a frame to events.
#[derive(Debug)]
pub struct Pipeline<S> {
    decoder: Decoder,
    tracker: Tracker,
    /// The observer, with the sink in it.
    pub observer: Observer<S>,
    counts: FrameCounts,
    first: Option<Stamp>,
    last: Option<Stamp>,
}

impl<S: Sink> Pipeline<S> {
    /// A pipeline that has seen nothing.
    pub fn new(settings: Settings, sink: S) -> Self {
        Self {
            decoder: Decoder::new(),
            tracker: Tracker::new(),
            observer: Observer::new(settings, sink),
            counts: FrameCounts::default(),
            first: None,
            last: None,
        }
    }

    /// Takes one frame.
    #[inline]
    pub fn push(&mut self, frame: &Frame<'_>) {
        self.counts.frames += 1;
        self.first.get_or_insert(frame.stamp);
        self.last = Some(frame.stamp);
        match self.decoder.decode(frame) {
            Decoded::Segment(segment) => {
                self.counts.tcp += 1;
                let cut = u64::from(segment.wire_length) - segment.payload.len() as u64;
                if cut > 0 {
                    self.counts.cut.0 += 1;
                    self.counts.cut.1 += cut;
                }
                self.tracker.push(&segment, frame.stamp, &mut self.observer);
            }
            Decoded::Other => {}
            Decoded::Malformed => self.counts.malformed += 1,
            Decoded::UnknownLinkType(link_type) => {
                self.counts.unknown_link += 1;
                self.counts.unknown_link_type.get_or_insert(link_type);
            }
        }
    }

    /// Time passes without a frame.
    pub fn tick(&mut self, now: Timestamp) {
        self.tracker.tick(now, &mut self.observer);
    }

    /// There are no more frames.
    pub fn finish(&mut self) {
        self.tracker.finish(&mut self.observer);
        let (frames, bytes) = self.counts.cut;
        if frames > 0 {
            self.observer.frames_cut(frames, bytes);
        }
        self.observer.finish();
    }

    /// What became of the frames so far.
    pub fn counts(&self) -> FrameCounts {
        self.counts
    }

    /// How many TCP connections were numbered so far.
    pub fn connections(&self) -> u32 {
        self.tracker.connections()
    }

    /// The first frame's stamp and the latest one's.
    pub fn span(&self) -> Option<(Stamp, Stamp)> {
        self.first.zip(self.last)
    }
}
