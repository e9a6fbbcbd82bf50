//! What was recorded of payloads and streams, to be played: in memory as far as they are small, else in temporary files.

use std::collections::HashMap;

use crate::bounds::{MAX_FINE_MARKS, MAX_HOLES, STAND_IN, TAPE_SPOOL};
use crate::repl::event::Replid;
use crate::resp::{CommandDecoder, Step};
use crate::spill::{Behind, SpillError, Spool};
use crate::units::{LinkNumber, Offset, Stamp};

/// Beyond so many marks, times of a stream that lie within so many milliseconds are one.
const TICK_MILLIS: i64 = 10;

/// Links count from 1.
const GIVEN: LinkNumber = LinkNumber(0);

/// What one link carried. A place in its stream is a number of bytes that came before, those included that the capture
/// lacks.
#[derive(Debug)]
pub struct Recording {
    rdb: Spool,
    /// What came of the stream.
    stream: Spool,
    /// How much of the stream came or is missing.
    length: u64,
    /// Where bytes are missing, and how many: in order.
    gaps: Vec<(u64, u64)>,
    /// Around them, from where the last whole command ended to where the next begins.
    holes: Vec<Hole>,
    /// When what stands from there on came.
    marks: Vec<Mark>,
}

/// Commands that the capture does not have whole. Offsets while it is recorded, then places.
#[derive(Clone, Copy, Debug)]
struct Hole {
    from: u64,
    /// `None` as long as no command has come behind it.
    to: Option<u64>,
}

/// A place in a stream and when it came.
#[derive(Clone, Copy, Debug)]
struct Mark {
    place: u64,
    /// Milliseconds since 1970, where the capture has times.
    millis: Option<i64>,
    frame: u64,
}

impl Recording {
    fn new(behind: Option<&Behind>) -> Self {
        let spool = || behind.map_or_else(|| Spool::new(TAPE_SPOOL), |one| Spool::behind(TAPE_SPOOL, one.clone()));
        Self { rdb: spool(), stream: spool(), length: 0, gaps: Vec::new(), holes: Vec::new(), marks: Vec::new() }
    }

    /// Bytes of the stream that can be played, others in place of those that are missing.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.holes.iter().find(|hole| hole.to.is_none()).map_or(self.length, |hole| hole.from)
    }

    /// The ends of its holes, in bytes that were recorded before each.
    pub(super) fn holes(&self) -> impl Iterator<Item = (u64, u64)> {
        self.holes.iter().filter_map(|hole| Some((hole.from, hole.to?)))
    }

    /// The hole in which a place is, or the next one.
    fn hole(&self, at: u64) -> Option<(u64, u64)> {
        self.holes().find(|(_, to)| *to > at)
    }

    /// Reads what came, from a place on that is in no hole, up to the next hole.
    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<usize, SpillError> {
        let missing: u64 = self.gaps.iter().take_while(|(place, _)| *place < at).map(|(_, bytes)| bytes).sum();
        let end = self.hole(at).map_or(self.whole(), |(from, _)| from);
        let size = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(into.len());
        self.stream.read_at(at - missing, into.get_mut(..size).unwrap_or_default())
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
    links: HashMap<LinkNumber, Recording, foldhash::fast::RandomState>,
    stretches: Vec<Stretch>,
    /// What came is only counted.
    counts_only: bool,
    /// Who writes to files what is kept; where there is no such thread, who reads the capture does it.
    behind: Option<Behind>,
}

/// Some of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// How many bytes.
    pub size: usize,
    /// When they came, in milliseconds since 1970, where the capture has times.
    pub millis: Option<i64>,
    /// They stand for what the capture lacks.
    pub stands_in: bool,
}

/// A command's name and its first argument, as far as they are short.
type Words = (Vec<u8>, Vec<u8>);

/// Where a link's stream is another than what others were sent of the same history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The number of the first byte that differs.
    pub byte: u64,
    /// The frame that brought it.
    pub frame: Option<u64>,
    /// The link that has another one.
    pub other: LinkNumber,
    /// The command in which it stands.
    pub command: Option<Words>,
}

impl Tapes {
    /// Tapes that count what comes, and keep nothing of it.
    #[must_use]
    pub(super) fn that_count() -> Self {
        Self { counts_only: true, ..Self::default() }
    }

    /// Tapes that keep what comes.
    #[must_use]
    pub(super) fn that_keep() -> Self {
        Self { behind: Behind::start().ok(), ..Self::default() }
    }

    fn recording(&mut self, link: LinkNumber) -> &mut Recording {
        self.links.entry(link).or_insert_with(|| Recording::new(self.behind.as_ref()))
    }

    /// A link's recording.
    #[must_use]
    pub fn get(&self, link: LinkNumber) -> Option<&Recording> {
        self.links.get(&link)
    }

    pub(super) fn payload(&mut self, link: LinkNumber, bytes: &[u8]) -> Result<(), SpillError> {
        if self.counts_only { Ok(()) } else { self.recording(link).rdb.append(bytes) }
    }

    pub(super) fn stream(&mut self, link: LinkNumber, bytes: &[u8], now: Stamp) -> Result<(), SpillError> {
        let counts_only = self.counts_only;
        let recording = self.recording(link);
        let millis = now.time.and_then(|time| i64::try_from(time.nanos / 1_000_000).ok());
        let coarse = recording.marks.len() >= MAX_FINE_MARKS;
        let due = |last: &Mark| match (coarse, millis, last.millis) {
            (false, ..) => last.frame != now.frame.0,
            (true, Some(now), Some(last)) => now - last >= TICK_MILLIS,
            _ => false,
        };
        if recording.marks.last().is_none_or(due) {
            recording.marks.push(Mark { place: recording.length, millis, frame: now.frame.0 });
        }
        recording.length += bytes.len() as u64;
        if counts_only { Ok(()) } else { recording.stream.append(bytes) }
    }

    /// Bytes of a stream are missing; the last command that came whole ended at this offset. Tells whether what comes
    /// behind is to be told of by [`Tapes::resumed`].
    pub(super) fn gap(&mut self, link: LinkNumber, bytes: u64, ended: Option<Offset>) -> bool {
        let recording = self.recording(link);
        if recording.holes.last().is_some_and(|hole| hole.to.is_none()) {
            // The same hole, or one that nothing is played behind.
            recording.gaps.push((recording.length, bytes));
            recording.length = recording.length.saturating_add(bytes);
            return true;
        }
        // One hole too many, or one of which it is not known where it is: nothing is played from there on.
        let known = ended.filter(|_| recording.holes.len() < MAX_HOLES);
        let from = known.map_or(UNKNOWN, |offset| offset.0);
        recording.holes.push(Hole { from, to: None });
        recording.gaps.push((recording.length, bytes));
        recording.length = recording.length.saturating_add(bytes);
        known.is_some()
    }

    /// A whole command has come behind a hole; it begins behind this offset.
    pub(super) fn resumed(&mut self, link: LinkNumber, begins: Offset) {
        let hole = self.links.get_mut(&link).and_then(|recording| recording.holes.last_mut());
        if let Some(hole) = hole.filter(|hole| hole.from != UNKNOWN && hole.from <= begins.0) {
            hole.to.get_or_insert(begins.0);
        }
    }

    /// Where a link's stream begins is known: offsets become places.
    pub(super) fn settle(&mut self, link: LinkNumber, start: Offset) {
        let Some(recording) = self.links.get_mut(&link) else { return };
        let first_gap = recording.gaps.first().map_or(0, |(place, _)| *place);
        let place = |offset: u64| offset.checked_sub(start.0);
        let length = recording.length;
        let mut before = 0;
        for hole in &mut recording.holes {
            let from = place(hole.from).filter(|_| hole.from != UNKNOWN).unwrap_or(first_gap);
            let to = hole.to.and_then(place).filter(|to| *to >= from && *to <= length && from >= before);
            (hole.from, hole.to) = (from, to);
            before = to.unwrap_or(before);
        }
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
    /// only such as came at about one time. Where every link that was there lacks them, others stand for them. `None`
    /// where no link was there. `into` must have room for a stand-in, [`REPLAY_PIECE`](crate::bounds::REPLAY_PIECE).
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn read(
        &mut self,
        lineage: usize,
        offset: Offset,
        until: Offset,
        into: &mut [u8],
    ) -> Result<Option<Read>, SpillError> {
        let next = offset.next_byte();
        let wanted = usize::try_from(until.0.saturating_sub(offset.0)).unwrap_or(usize::MAX).min(into.len());
        let mut in_hole = None;
        for stretch in self.stretches.iter().filter(|stretch| stretch.lineage == lineage && stretch.first <= next) {
            let Some(recording) = self.links.get_mut(&stretch.link) else { continue };
            let at = next - stretch.first;
            if at >= recording.whole() {
                continue;
            }
            if let Some(hole) = recording.hole(at).filter(|(from, _)| *from <= at) {
                in_hole.get_or_insert((stretch.link, at, hole));
                continue;
            }
            let index = recording.marks.partition_point(|mark| mark.place <= at);
            let time = index.checked_sub(1).and_then(|index| recording.marks.get(index)).and_then(|mark| mark.millis);
            let later = recording.marks.get(index..).unwrap_or_default();
            let apart = |mark: &&Mark| mark.millis.zip(time).is_some_and(|(later, time)| later - time > SPREAD_MILLIS);
            let until_then = later.iter().find(apart).map_or(u64::MAX, |mark| mark.place - at);
            let size = usize::try_from(until_then).unwrap_or(usize::MAX).min(wanted);
            let size = recording.read(at, into.get_mut(..size).unwrap_or_default())?;
            if size > 0 {
                return Ok(Some(Read { size, millis: time, stands_in: false }));
            }
        }
        let Some((link, at, (from, to))) = in_hole else { return Ok(None) };
        let piece = stand_in_from(at - from, to - from);
        let size = piece.len().min(wanted);
        if let (Some(into), Some(piece)) = (into.get_mut(..size), piece.get(..size)) {
            into.copy_from_slice(piece);
        }
        let millis = self.moment(link, at).and_then(|(_, millis)| millis);
        Ok(Some(Read { size, millis, stands_in: true }))
    }

    /// Where a link's stream first differs from what another one has at the same offsets.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn contradiction(&mut self, link: LinkNumber) -> Result<Option<Contradiction>, SpillError> {
        let Some(own) = self.stretches.iter().find(|stretch| stretch.link == link).copied() else { return Ok(None) };
        let others: Vec<Stretch> = self
            .stretches
            .iter()
            .take_while(|stretch| stretch.link != link)
            .filter(|stretch| stretch.lineage == own.lineage)
            .copied()
            .collect();
        let mut first: Option<(u64, LinkNumber)> = None;
        for other in others {
            let end = |tapes: &Self, stretch: Stretch| {
                stretch.first + tapes.links.get(&stretch.link).map_or(0, Recording::whole)
            };
            let until = end(self, own).min(end(self, other)).min(first.map_or(u64::MAX, |(byte, _)| byte));
            if let Some(byte) = self.first_difference(own, other, until)? {
                first = Some((byte, other.link));
            }
        }
        let Some((byte, other)) = first else { return Ok(None) };
        let place = byte - own.first;
        let frame = self.moment(link, place).map(|(frame, _)| frame);
        Ok(Some(Contradiction { byte, frame, other, command: self.command_at(link, place)? }))
    }

    /// The number of the first byte before `until` in which two stretches differ, holes left aside.
    fn first_difference(&mut self, one: Stretch, other: Stretch, until: u64) -> Result<Option<u64>, SpillError> {
        let mut next = one.first.max(other.first);
        let mut pieces = [vec![0; COMPARED], vec![0; COMPARED]];
        while next < until {
            let mut size = usize::try_from(until - next).unwrap_or(usize::MAX).min(COMPARED);
            let mut behind = next;
            for (stretch, piece) in [one, other].into_iter().zip(&mut pieces) {
                let Some(recording) = self.links.get_mut(&stretch.link) else { return Ok(None) };
                let at = next - stretch.first;
                match recording.hole(at).filter(|(from, _)| *from <= at) {
                    Some((_, to)) => behind = behind.max(to + stretch.first),
                    None => size = size.min(recording.read(at, piece.get_mut(..size).unwrap_or_default())?),
                }
            }
            if behind > next {
                next = behind;
                continue;
            }
            if size == 0 {
                return Ok(None);
            }
            let [piece, others] = &pieces;
            if let Some(at) = piece.iter().zip(others).take(size).position(|(one, other)| one != other) {
                return Ok(Some(next + at as u64));
            }
            next += size as u64;
        }
        Ok(None)
    }

    /// The command of a link's stream in which a place is.
    fn command_at(&mut self, link: LinkNumber, place: u64) -> Result<Option<Words>, SpillError> {
        let Some(recording) = self.links.get_mut(&link) else { return Ok(None) };
        let mut decoder = CommandDecoder::new(KEEP);
        let (mut at, mut decoded, mut piece) = (0, 0, vec![0; COMPARED]);
        loop {
            if let Some((_, to)) = recording.hole(at).filter(|(from, _)| *from <= at) {
                (at, decoded) = (to, to);
                decoder.reset();
            }
            let size = recording.read(at, &mut piece)?;
            if size == 0 {
                return Ok(None);
            }
            at += size as u64;
            let mut input = piece.get(..size).unwrap_or_default();
            loop {
                match decoder.next(&mut input) {
                    Step::Command(command) => {
                        decoded += command.bytes();
                        if decoded > place {
                            let word = |index| command.argument(index).unwrap_or_default().to_vec();
                            return Ok(Some((word(0), word(1))));
                        }
                    }
                    Step::Newline => decoded += 1,
                    Step::NeedMore => break,
                    Step::Malformed { .. } => return Ok(None),
                }
            }
        }
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

/// No offset that any stream comes to.
const UNKNOWN: u64 = u64::MAX;

/// How much is compared at once.
const COMPARED: usize = 64 << 10;

/// So much of a command's words is told.
const KEEP: usize = 256;

/// A command of so many bytes that changes nothing; newlines, which count as well, where it is too short for one.
pub(super) fn stand_in(size: u64) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let publish = |payload: usize| {
        let mut bytes = Vec::new();
        let payload = vec![b'.'; payload];
        crate::resp::encode(&mut bytes, [&b"PUBLISH"[..], b"-", &payload].into_iter());
        bytes
    };
    let least = publish(0).len();
    // The payload's length takes digits of its own.
    let fits = (0..8).find_map(|digits| {
        let bytes = publish(size.checked_sub(least + digits)?);
        (bytes.len() == size).then_some(bytes)
    });
    match fits {
        Some(bytes) => bytes,
        None if size > least => publish(size.saturating_sub(least + 8)),
        None => vec![b'\n'; size],
    }
}

/// What stands for so many bytes, from a place among them on, to the end of a command or beyond.
fn stand_in_from(place: u64, size: u64) -> Vec<u8> {
    let full = stand_in(STAND_IN).len() as u64;
    // All but the last ones are of one size.
    let mut at = if size > STAND_IN { (place / full).min((size - STAND_IN) / full) * full } else { 0 };
    loop {
        let piece = stand_in((size - at).min(STAND_IN));
        let end = at + piece.len() as u64;
        if end > place || piece.is_empty() {
            let skip = usize::try_from(place - at).unwrap_or(usize::MAX);
            return piece.get(skip..).unwrap_or_default().to_vec();
        }
        at = end;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::REPLAY_PIECE;
    use crate::units::FrameNumber;

    #[test]
    fn stand_ins_have_any_length() {
        for missing in (1..3000).chain([65_536, 65_537, 1_000_000]) {
            let (mut left, mut bytes) = (missing, Vec::new());
            while left > 0 {
                let piece = stand_in(left.min(STAND_IN));
                assert!(!piece.is_empty() && piece.len() as u64 <= left, "{missing}");
                left -= piece.len() as u64;
                bytes.extend(piece);
            }
            assert_eq!(bytes.len() as u64, missing);
        }
    }

    fn stamp(frame: u64) -> Stamp {
        Stamp { frame: FrameNumber(frame), time: None }
    }

    /// What is read of a history, and whether it stands for something.
    fn all(tapes: &mut Tapes, from: u64, until: u64, most: usize) -> Vec<(Vec<u8>, bool)> {
        let (mut at, mut read, mut piece) = (from, Vec::new(), vec![0; REPLAY_PIECE]);
        while let Some(next) = tapes.read(0, Offset(at), Offset(until.min(at + most as u64)), &mut piece).unwrap() {
            assert!(next.size > 0);
            read.push((piece[..next.size].to_vec(), next.stands_in));
            at += next.size as u64;
        }
        assert_eq!(at, until);
        read
    }

    /// A stream from offset 100 on, of which a command and parts of its neighbours are missing.
    fn with_a_hole(missing: u64) -> Tapes {
        let (mut tapes, link) = (Tapes::default(), LinkNumber(1));
        tapes.stream(link, b"*1\r\n$4\r\nPING\r\n*1\r\n$4", stamp(1)).unwrap();
        assert!(tapes.gap(link, missing, Some(Offset(114))));
        tapes.stream(link, b"NG\r\n*1\r\n$4\r\nPING\r\n", stamp(2)).unwrap();
        tapes.resumed(link, Offset(100 + 20 + missing + 4));
        tapes.settle(link, Offset(100));
        tapes.place(link, 0, 101);
        tapes
    }

    #[test]
    fn what_is_missing_is_stood_for_from_command_to_command() {
        for missing in [1, 50, 65_500, 1_000_000] {
            for most in [usize::MAX >> 1, 1000, 7] {
                if missing / most as u64 > 10_000 {
                    continue;
                }
                let mut tapes = with_a_hole(missing);
                let (end, mut place) = (100 + 38 + missing, 100);
                let mut bytes = Vec::new();
                for (piece, stands_in) in all(&mut tapes, 100, end, most) {
                    assert_eq!(stands_in, (114..end - 14).contains(&place), "{missing} at {place}");
                    place += piece.len() as u64;
                    bytes.extend(piece);
                }
                let mut decoder = CommandDecoder::new(16);
                let (mut input, mut names) = (bytes.as_slice(), Vec::new());
                loop {
                    match decoder.next(&mut input) {
                        Step::Command(command) => names.push(command.name().to_vec()),
                        Step::Newline => {}
                        Step::NeedMore => break,
                        Step::Malformed { reason, .. } => panic!("{missing}: {reason}"),
                    }
                }
                assert!(decoder.is_at_start(), "{missing}");
                assert_eq!((names.first(), names.last()), (Some(&b"PING".to_vec()), Some(&b"PING".to_vec())));
                assert!(names[1..names.len() - 1].iter().all(|name| name == b"PUBLISH"));
            }
        }
    }

    #[test]
    fn what_another_link_has_needs_no_stand_in() {
        let mut tapes = with_a_hole(50);
        let whole = vec![b'x'; 89];
        tapes.stream(LinkNumber(2), &whole, stamp(3)).unwrap();
        tapes.place(LinkNumber(2), 0, 101);
        assert!(all(&mut tapes, 100, 189, 1 << 20).iter().all(|(_, stands_in)| !stands_in));
    }

    #[test]
    fn nothing_is_played_behind_a_hole_without_an_end() {
        let (mut tapes, link) = (Tapes::default(), LinkNumber(1));
        tapes.stream(link, b"*1\r\n$4\r\nPING\r\n*1\r\n$4", stamp(1)).unwrap();
        tapes.gap(link, 10, Some(Offset(114)));
        tapes.settle(link, Offset(100));
        assert_eq!(tapes.get(link).unwrap().whole(), 14);
        // And where it is not known where it is, up to what is missing.
        let (mut tapes, link) = (Tapes::default(), LinkNumber(1));
        tapes.stream(link, b"*1\r\n$4", stamp(1)).unwrap();
        assert!(!tapes.gap(link, 10, None));
        tapes.resumed(link, Offset(120));
        tapes.settle(link, Offset(100));
        assert_eq!(tapes.get(link).unwrap().whole(), 6);
    }

    #[test]
    fn two_records_of_one_history_must_be_the_same() {
        let (mut tapes, mut bytes) = (Tapes::default(), Vec::new());
        for number in 0..20_000 {
            crate::resp::encode(&mut bytes, [&b"SET"[..], format!("k{number}").as_bytes(), b"value"].into_iter());
        }
        tapes.stream(LinkNumber(1), &bytes, stamp(1)).unwrap();
        tapes.place(LinkNumber(1), 0, 1);
        let at = bytes.windows(6).position(|window| window == b"k17000").unwrap();
        let mut other = bytes.split_off(5);
        tapes.stream(LinkNumber(2), &other, stamp(2)).unwrap();
        tapes.place(LinkNumber(2), 0, 6);
        assert_eq!(tapes.contradiction(LinkNumber(2)).unwrap(), None);
        other[at - 5] = b'K';
        tapes.stream(LinkNumber(3), &other, stamp(3)).unwrap();
        tapes.place(LinkNumber(3), 0, 6);
        let found = tapes.contradiction(LinkNumber(3)).unwrap().unwrap();
        assert_eq!((found.byte, found.frame, found.other), (at as u64 + 1, Some(3), LinkNumber(1)));
    }
}
