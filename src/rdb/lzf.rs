//! LZF, the compression of RDB strings.
//!
//! ```text
//! 000nnnnn                     n + 1 literal bytes follow
//! lllooooo oooooooo            copy l + 2 bytes from o + 1 bytes back (l from 1 to 6)
//! 111ooooo llllllll oooooooo   the same with a length of l + 9
//! ```
//!
//! A copy may overlap its own output; that is how runs are packed.

use super::carry::Carry;
use super::error::Fault;
use crate::bounds::RDB_EXPANSION;

/// How far back a copy can reach.
const HISTORY: usize = 8 << 10;

/// What is expanded before it is passed on, and the history that is kept of it.
const FULL: usize = HISTORY + RDB_EXPANSION;

/// Copies go sixteen bytes at a time and may write so many beyond their end.
const STRIDE: usize = 16;

/// The most literals of one instruction, and the most bytes it copies.
const LITERALS: usize = 32;
const LONGEST_COPY: usize = 264;
/// The longest instruction: what is read of each.
const AHEAD: usize = 1 + LITERALS;
const ROOM: usize = FULL + LONGEST_COPY + LITERALS + STRIDE;

const CUT: Fault = Fault::LzfData("ends inside an instruction");
const TOO_MUCH: Fault = Fault::LzfData("expands to more than announced");

/// Expands `packed` to exactly `expanded` bytes. The caller bounds `expanded`: so much is collected.
///
/// # Errors
/// [`Fault::LzfData`] where the data ends inside an instruction, reaches back before its beginning, or gives another
/// number of bytes.
pub(super) fn expand(packed: &[u8], expanded: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let mut expander = Expander::default();
    expander.begin(expanded as u64, false);
    expander.feed(packed, |bytes| {
        out.extend_from_slice(bytes);
        Ok(true)
    })?;
    expander.finish()?;
    Ok(out)
}

/// Expands data that comes in portions, through a buffer of fixed size: a string of any length needs no more.
///
/// Invariants: fed <= at <= buffer.len(); buffer[..at] ends with the last HISTORY bytes of what was expanded, or with
/// all where it was less.
#[derive(Default)]
pub(super) struct Expander {
    buffer: Vec<u8>,
    at: usize,
    fed: usize,
    /// Bytes still to be expanded.
    left: u64,
    /// The position in the buffer from which on it is passed on.
    full: usize,
    /// Nobody wants more.
    enough: bool,
    carry: Carry,
}

impl Expander {
    /// Data begins that expands to so many bytes; `peek` where perhaps only the first few are wanted.
    pub(super) fn begin(&mut self, expanded: u64, peek: bool) {
        if self.buffer.is_empty() {
            self.buffer.resize(ROOM, 0);
        }
        (self.at, self.fed, self.left) = (0, 0, expanded);
        self.full = if peek { STRIDE } else { FULL };
        self.enough = false;
        self.carry.clear();
    }

    /// Expands the next bytes and passes the result on; `out` tells whether it wants more.
    ///
    /// # Errors
    /// [`Fault::LzfData`], after what was expanded before it is passed on, and what `out` faults.
    pub(super) fn feed(
        &mut self,
        packed: &[u8],
        mut out: impl FnMut(&[u8]) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let expanded = if self.carry.is_empty() {
            let taken = self.run(packed, packed.len(), &mut out);
            taken.map(|taken| self.carry.keep(packed.get(taken..).unwrap_or_default()))
        } else {
            let mut carry = self.carry;
            let fed = carry.feed(packed, |window, until| self.run(window, until, &mut out));
            self.carry = carry;
            fed
        };
        self.flush(&mut out)?;
        // A fault behind what was wanted would not be met where the bytes are cut before it.
        if self.enough { Ok(()) } else { expanded }
    }

    /// The data is at its end.
    ///
    /// # Errors
    /// [`Fault::LzfData`] where it is too short.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        match () {
            () if self.enough => Ok(()),
            () if !self.carry.is_empty() => Err(CUT),
            () if self.left > 0 => Err(Fault::LzfData("expands to less than announced")),
            () => Ok(()),
        }
    }

    fn flush(&mut self, out: &mut impl FnMut(&[u8]) -> Result<bool, Fault>) -> Result<(), Fault> {
        let fresh = self.buffer.get(self.fed..self.at).unwrap_or_default();
        self.fed = self.at;
        if !fresh.is_empty() && !self.enough {
            self.enough = !out(fresh)?;
        }
        Ok(())
    }

    /// Passes on what a full buffer holds and keeps its end as history.
    #[cold]
    fn slide(&mut self, out: &mut impl FnMut(&[u8]) -> Result<bool, Fault>) -> Result<(), Fault> {
        self.flush(out)?;
        self.full = FULL;
        if self.at >= FULL {
            self.buffer.copy_within(self.at - HISTORY..self.at, 0);
            (self.at, self.fed) = (HISTORY, HISTORY);
        }
        Ok(())
    }

    /// Takes whole instructions; see [`Carry::feed`].
    #[inline]
    fn run(
        &mut self,
        window: &[u8],
        until: usize,
        out: &mut impl FnMut(&[u8]) -> Result<bool, Fault>,
    ) -> Result<usize, Fault> {
        let mut position = 0;
        while position < until {
            if self.at >= self.full {
                self.slide(out)?;
            }
            if self.enough {
                return Ok(window.len());
            }
            if self.left == 0 {
                return Err(TOO_MUCH);
            }
            let taken = self.fill(window.get(position..).unwrap_or_default(), until - position)?;
            if taken == 0 {
                break;
            }
            position += taken;
        }
        Ok(position)
    }

    /// Takes instructions until `until` is passed, the buffer is full or an instruction is cut; gives their size.
    fn fill(&mut self, window: &[u8], until: usize) -> Result<usize, Fault> {
        let Some(buffer) = self.buffer.first_chunk_mut::<ROOM>() else { return Ok(0) };
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let end = self.at.saturating_add(left);
        let full = self.full.min(end);
        let mut filled = take(window, until, window.len(), buffer, self.at, full);
        if filled.sound && filled.taken < until && filled.at < full {
            // Near the window's end an instruction is read with zeros behind it.
            let rest = window.get(filled.taken..).unwrap_or_default();
            let mut padded = [0; 2 * AHEAD];
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            let before = filled.taken;
            filled = take(&padded, until - before, rest.len(), buffer, filled.at, full);
            filled.taken += before;
        }
        let at = filled.at.min(end);
        self.left -= (at - self.at) as u64;
        self.at = at;
        if !filled.sound {
            return Err(Fault::LzfData("copies from before its beginning"));
        }
        if filled.at > end {
            return Err(TOO_MUCH);
        }
        Ok(filled.taken)
    }
}

/// What became of some instructions.
struct Filled {
    /// Bytes of the window that they have.
    taken: usize,
    /// Where the next would write.
    at: usize,
    /// The next does not copy from before the beginning.
    sound: bool,
}

/// Takes instructions from `at` on, while they begin before `until`, end by `limit`, have AHEAD bytes of the window to be
/// read in one go, and begin to write before `full`, which is at most FULL.
#[inline]
fn take(window: &[u8], until: usize, limit: usize, buffer: &mut [u8; ROOM], at: usize, full: usize) -> Filled {
    let mut filled = Filled { taken: 0, at, sound: true };
    while filled.taken < until && filled.at < full {
        let Some(ahead) = window.get(filled.taken..).and_then(<[u8]>::first_chunk::<AHEAD>) else { break };
        let [control, low, more, ..] = *ahead;
        let (size, length, low) = match control {
            0..0x20 => (usize::from(control) + 2, usize::from(control) + 1, 0),
            0x20..0xe0 => (2, usize::from(control >> 5) + 2, low),
            0xe0..=0xff => (3, usize::from(low) + 9, more),
        };
        if filled.taken + size > limit {
            break;
        }
        if control < 0x20 {
            literals(ahead, buffer, filled.at);
        } else {
            let back = (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1;
            if back > filled.at {
                filled.sound = false;
                break;
            }
            copy(back, length, buffer, filled.at);
        }
        filled.taken += size;
        filled.at += length;
    }
    filled
}

/// Copies all that may be literals, whatever their number: one copy of fixed size is the fastest.
#[inline]
fn literals(ahead: &[u8; AHEAD], buffer: &mut [u8; ROOM], at: usize) {
    let from = ahead.last_chunk::<LITERALS>();
    let to = buffer.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<LITERALS>);
    if let (Some(from), Some(to)) = (from, to) {
        *to = *from;
    }
}

/// Copies from `back` bytes before `at`, in strides.
#[inline]
fn copy(mut back: usize, length: usize, buffer: &mut [u8; ROOM], at: usize) {
    let (mut to, end) = (at, at + length);
    while to < end {
        let chunk: Option<[u8; STRIDE]> = buffer.get(to - back..).and_then(<[u8]>::first_chunk).copied();
        let place = buffer.get_mut(to..).and_then(<[u8]>::first_chunk_mut);
        if let (Some(chunk), Some(place)) = (chunk, place) {
            *place = chunk;
        }
        // Of a copy that overlaps itself only `back` bytes are right, but then twice as many repeat.
        if back < STRIDE {
            to += back;
            back *= 2;
        } else {
            to += STRIDE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_and_an_overlapping_copy() {
        // 8 literals, then 88 bytes from 8 back: "abcdefgh" twelve times.
        let packed = [&[7][..], b"abcdefgh", &[0xe0, 88 - 9, 7]].concat();
        assert_eq!(expand(&packed, 96), Ok(b"abcdefgh".repeat(12)));
    }

    #[test]
    fn a_run_of_one_byte() {
        assert_eq!(expand(&[0, b'x', 0x20, 0], 4), Ok(b"xxxx".to_vec()));
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(expand(&[3, b'a'], 4), Err(CUT));
        assert_eq!(expand(&[0, b'a', 0xe0], 4), Err(CUT));
        assert_eq!(expand(&[0, b'a', 0x20, 1], 4), Err(Fault::LzfData("copies from before its beginning")));
        assert_eq!(expand(&[0, b'a', 0x20, 0], 3), Err(Fault::LzfData("expands to more than announced")));
        assert_eq!(expand(&[0, b'a'], 2), Err(Fault::LzfData("expands to less than announced")));
    }

    /// What the instructions say, byte by byte.
    fn plainly(packed: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut rest) = (Vec::new(), packed.iter().map(|&byte| usize::from(byte)));
        while let Some(control) = rest.next() {
            if control < 0x20 {
                for _ in 0..=control {
                    out.push(rest.next()? as u8);
                }
                continue;
            }
            let length = if control >> 5 == 7 { rest.next()? + 9 } else { (control >> 5) + 2 };
            let back = ((control & 0x1f) << 8 | rest.next()?) + 1;
            for _ in 0..length {
                out.push(*out.get(out.len().checked_sub(back)?)?);
            }
        }
        Some(out)
    }

    /// Instructions that mostly make sense: literals and copies from near and far.
    fn instructions() -> impl Strategy<Value = Vec<u8>> {
        let literals = prop::collection::vec(any::<u8>(), 1..=32)
            .prop_map(|bytes| [&[bytes.len() as u8 - 1][..], &bytes].concat());
        let near = (1u8..8, any::<u8>(), 0u8..40).prop_map(|(length, more, low)| match length {
            7 => vec![0xe0, more, low],
            length => vec![length << 5, low],
        });
        let far = (0u8..32, any::<u8>(), any::<u8>()).prop_map(|(high, more, low)| vec![0xe0 | high, more, low]);
        let seed = vec![31u8; 33];
        prop::collection::vec(prop_oneof![3 => literals, 3 => near, 1 => far], 0..700)
            .prop_map(move |instructions| [seed.clone(), instructions.concat()].concat())
    }

    #[test]
    fn who_has_enough_meets_no_fault_however_the_data_is_cut() {
        let packed = [&[11][..], b"abcdefghijkl", &[0x40, 0, 0xe0, 200, 0, 0, b'x']].concat();
        for (announced, size) in (12..40).flat_map(|announced| (1..30).map(move |size| (announced, size))) {
            let mut expander = Expander::default();
            expander.begin(announced, true);
            let mut seen = 0;
            let fed = packed.chunks(size).try_for_each(|portion| {
                expander.feed(portion, |bytes| {
                    seen += bytes.len();
                    Ok(seen < 10)
                })
            });
            assert_eq!(fed.and_then(|()| expander.finish()), Ok(()), "{announced} in pieces of {size}");
        }
    }

    proptest! {
        #[test]
        fn expands_as_the_instructions_say(packed in instructions(), size in 1usize..200) {
            let expected = plainly(&packed);
            let length = expected.as_ref().map_or(1 << 20, Vec::len);
            let mut out = Vec::new();
            let mut expander = Expander::default();
            expander.begin(length as u64, false);
            let mut fed = packed.chunks(size).try_for_each(|portion| {
                expander.feed(portion, |bytes| {
                    out.extend_from_slice(bytes);
                    Ok(true)
                })
            });
            fed = fed.and_then(|()| expander.finish());
            match expected {
                Some(expected) => prop_assert!(fed.is_ok() && out == expected),
                None => prop_assert!(fed.is_err()),
            }
            prop_assert_eq!(fed.map(|()| out), expand(&packed, length));
        }

        #[test]
        fn no_input_exceeds_its_bound(packed in prop::collection::vec(any::<u8>(), 0..64), size in 0usize..600) {
            if let Ok(out) = expand(&packed, size) {
                prop_assert_eq!(out.len(), size);
            }
        }
    }
}
