//! What was recorded of payloads and streams, to be played: in memory as far as they are small, else in temporary files.

use std::collections::HashMap;

use crate::bounds::{MAX_FINE_MARKS, TAPE_SPOOL};
use crate::repl::event::Replid;
use crate::spill::{SpillError, Spool};
use crate::units::{LinkNumber, Offset, Stamp};

/// Beyond so many marks, times of a stream that lie within so many milliseconds are one.
const TICK_MILLIS: i64 = 10;

/// Links count from 1.
const GIVEN: LinkNumber = LinkNumber(0);

/// What one link carried.
#[derive(Debug)]
pub struct Recording {
    rdb: Spool,
    stream: Spool,
    /// The stream's bytes before the first gap; `None` where there is none.
    gap: Option<u64>,
    /// When what stands from there on came.
    marks: Vec<Mark>,
}

/// A place in a stream and when it came.
#[derive(Clone, Copy, Debug)]
struct Mark {
    place: u64,
    /// Milliseconds since 1970, where the capture has times.
    millis: Option<i64>,
    frame: u64,
}

impl Default for Recording {
    fn default() -> Self {
        Self { rdb: Spool::new(TAPE_SPOOL), stream: Spool::new(TAPE_SPOOL), gap: None, marks: Vec::new() }
    }
}

impl Recording {
    /// Bytes of the stream up to the first that the capture lacks.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.gap.unwrap_or(self.stream.len())
    }
}

/// A stretch of a history that a link's stream has.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    lineage: usize,
    /// The number of its first byte.
    first: u64,
    link: LinkNumber,
}

/// All recordings.
#[derive(Debug, Default)]
pub struct Tapes {
    links: HashMap<LinkNumber, Recording>,
    stretches: Vec<Stretch>,
}

impl Tapes {
    /// A link's recording.
    #[must_use]
    pub fn get(&self, link: LinkNumber) -> Option<&Recording> {
        self.links.get(&link)
    }

    pub(super) fn payload(&mut self, link: LinkNumber, bytes: &[u8]) -> Result<(), SpillError> {
        self.links.entry(link).or_default().rdb.append(bytes)
    }

    pub(super) fn stream(&mut self, link: LinkNumber, bytes: &[u8], now: Stamp) -> Result<(), SpillError> {
        let recording = self.links.entry(link).or_default();
        if recording.gap.is_some() {
            return Ok(());
        }
        let millis = now.time.and_then(|time| i64::try_from(time.nanos / 1_000_000).ok());
        let coarse = recording.marks.len() >= MAX_FINE_MARKS;
        let due = |last: &Mark| match (coarse, millis, last.millis) {
            (false, ..) => last.frame != now.frame.0,
            (true, Some(now), Some(last)) => now - last >= TICK_MILLIS,
            _ => false,
        };
        if recording.marks.last().is_none_or(due) {
            recording.marks.push(Mark { place: recording.stream.len(), millis, frame: now.frame.0 });
        }
        recording.stream.append(bytes)
    }

    pub(super) fn gap(&mut self, link: LinkNumber) {
        let recording = self.links.entry(link).or_default();
        recording.gap.get_or_insert(recording.stream.len());
    }

    /// Keeps an RDB that is none of the capture's.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub fn give(&mut self, bytes: &[u8]) -> Result<(), SpillError> {
        self.payload(GIVEN, bytes)
    }

    /// Where that is kept, if there is one.
    pub(super) fn given(&self) -> Option<LinkNumber> {
        self.links.contains_key(&GIVEN).then_some(GIVEN)
    }

    /// Says where in which history a link's stream begins.
    pub(super) fn place(&mut self, link: LinkNumber, lineage: usize, first: u64) {
        self.stretches.push(Stretch { lineage, first, link });
    }

    /// Reads the next bytes of a history after `offset`, up to `until` at most and as many as `into` has room for, and
    /// only such as came at about one time; tells how many and when. `None` where no link has them.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn read(
        &mut self,
        lineage: usize,
        offset: Offset,
        until: Offset,
        into: &mut [u8],
    ) -> Result<Option<(usize, Option<i64>)>, SpillError> {
        let next = offset.next_byte();
        for stretch in self.stretches.iter().filter(|stretch| stretch.lineage == lineage && stretch.first <= next) {
            let Some(recording) = self.links.get_mut(&stretch.link) else { continue };
            let at = next - stretch.first;
            if at >= recording.whole() {
                continue;
            }
            let mut size = (recording.whole() - at).min(until.0.saturating_sub(offset.0));
            let index = recording.marks.partition_point(|mark| mark.place <= at);
            let time = index.checked_sub(1).and_then(|index| recording.marks.get(index)).and_then(|mark| mark.millis);
            let later = recording.marks.get(index..).unwrap_or_default();
            let apart = |mark: &&Mark| mark.millis.zip(time).is_some_and(|(later, time)| later - time > SPREAD_MILLIS);
            if let Some(mark) = later.iter().find(apart) {
                size = size.min(mark.place - at);
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX).min(into.len());
            let read = recording.stream.read_at(at, into.get_mut(..size).unwrap_or_default())?;
            if read > 0 {
                return Ok(Some((read, time)));
            }
        }
        Ok(None)
    }

    /// The frame that brought a byte of a link's stream, and when; the byte is the one behind so many others.
    #[must_use]
    pub fn moment(&self, link: LinkNumber, at: u64) -> Option<(u64, Option<i64>)> {
        let marks = &self.links.get(&link)?.marks;
        let index = marks.partition_point(|mark| mark.place <= at).checked_sub(1)?;
        marks.get(index).map(|mark| (mark.frame, mark.millis))
    }

    /// How many bytes of a link's stream had come by this frame, or by this time.
    #[must_use]
    pub fn come_by(&self, link: LinkNumber, frame: Option<u64>, millis: Option<i64>) -> u64 {
        let Some(recording) = self.links.get(&link) else { return 0 };
        let later = |mark: &&Mark| {
            frame.is_some_and(|frame| mark.frame > frame)
                || mark.millis.zip(millis).is_some_and(|(mark, millis)| mark > millis)
        };
        recording.marks.iter().find(later).map_or(recording.whole(), |mark| mark.place)
    }

    /// Reads a link's RDB.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn read_rdb(&mut self, link: LinkNumber, at: u64, into: &mut [u8]) -> Result<usize, SpillError> {
        self.links.get_mut(&link).map_or(Ok(0), |recording| recording.rdb.read_at(at, into))
    }
}

/// What is played at once came within so many milliseconds: times to live that the stream has count from then.
const SPREAD_MILLIS: i64 = 100;

/// Which replids name one history: those by which a partial sync went from one to the other.
#[derive(Clone, Debug, Default)]
pub struct Lineages {
    known: Vec<(String, usize)>,
}

impl Lineages {
    /// The history's number.
    pub fn root(&mut self, replid: &Replid) -> usize {
        let name = replid.as_str().to_ascii_lowercase();
        if let Some((_, root)) = self.known.iter().find(|(known, _)| *known == name) {
            return *root;
        }
        let root = self.known.len();
        self.known.push((name, root));
        root
    }

    /// Both are of one history.
    pub(super) fn join(&mut self, one: &Replid, other: &Replid) {
        let (one, other) = (self.root(one), self.root(other));
        for (_, root) in &mut self.known {
            if *root == other {
                *root = one;
            }
        }
    }

    /// Whether they are.
    #[must_use]
    pub fn same(&self, one: &Replid, other: &Replid) -> bool {
        let root = |replid: &Replid| {
            let is = |(known, _): &&(String, usize)| known.eq_ignore_ascii_case(replid.as_str());
            self.known.iter().find(is).map(|(_, root)| *root)
        };
        one.matches(other) || root(one).is_some_and(|one| root(other) == Some(one))
    }
}
