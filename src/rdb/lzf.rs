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

/// Copies go sixteen bytes at a time and may write so many beyond their end; the longest has 264.
const STRIDE: usize = 16;
const ROOM: usize = FULL + 264 + 2 * STRIDE;

const CUT: Fault = Fault::LzfData("ends inside an instruction");

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
        let mut carry = self.carry;
        let expanded = carry.feed(packed, |window, until| self.run(window, until, &mut out));
        self.carry = carry;
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
            let rest = window.get(position..).unwrap_or_default();
            let taken = match *rest {
                [control @ 0..0x20, ref literals @ ..] => self.literals(usize::from(control) + 1, literals)?,
                [control @ 0xe0..=0xff, more, low, ..] => self.copy(usize::from(more) + 9, control, low, 3)?,
                [control @ 0x20..0xe0, low, ..] => self.copy(usize::from(control >> 5) + 2, control, low, 2)?,
                _ => 0,
            };
            if taken == 0 {
                break;
            }
            position += taken;
        }
        Ok(position)
    }

    #[inline]
    fn make_room(&mut self, length: usize) -> Result<(), Fault> {
        match self.left.checked_sub(length as u64) {
            Some(left) => self.left = left,
            None => return Err(Fault::LzfData("expands to more than announced")),
        }
        Ok(())
    }

    /// Gives the instruction's size, 0 where it is cut.
    #[inline]
    fn literals(&mut self, length: usize, literals: &[u8]) -> Result<usize, Fault> {
        // Most are short: one copy of fixed size, where as much can be read, is faster than one of the right size.
        if let (true, Some(from)) = (length <= STRIDE, literals.first_chunk::<STRIDE>()) {
            self.make_room(length)?;
            if let Some(to) = self.buffer.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) {
                *to = *from;
            }
        } else {
            let Some(literals) = literals.get(..length) else { return Ok(0) };
            self.make_room(length)?;
            if let Some(to) = self.buffer.get_mut(self.at..self.at + length) {
                to.copy_from_slice(literals);
            }
        }
        self.at += length;
        Ok(length + 1)
    }

    #[inline]
    fn copy(&mut self, length: usize, control: u8, low: u8, size: usize) -> Result<usize, Fault> {
        let back = (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1;
        if back > self.at {
            return Err(Fault::LzfData("copies from before its beginning"));
        }
        self.make_room(length)?;
        let (before, after) = self.buffer.split_at_mut(self.at);
        let source = before.get(self.at - back..).unwrap_or_default();
        if back >= length + STRIDE {
            let from = source.chunks(STRIDE).zip(after.chunks_mut(STRIDE)).take(length.div_ceil(STRIDE));
            for (from, to) in from {
                if let (Some(from), Some(to)) = (from.first_chunk::<STRIDE>(), to.first_chunk_mut()) {
                    *to = *from;
                }
            }
        } else if let Some(run) = after.get_mut(..length) {
            // The copy may overlap itself: what is back bytes before repeats.
            for to in run.chunks_mut(back) {
                if let Some(from) = source.get(..to.len()) {
                    to.copy_from_slice(from);
                }
            }
        }
        self.at += length;
        Ok(size)
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

    proptest! {
        #[test]
        fn no_input_exceeds_its_bound(packed in prop::collection::vec(any::<u8>(), 0..64), size in 0usize..600) {
            if let Ok(out) = expand(&packed, size) {
                prop_assert_eq!(out.len(), size);
            }
        }
    }
}
