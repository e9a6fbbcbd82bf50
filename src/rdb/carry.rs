//! A cut primitive's first bytes, kept from one portion of input to the next.
//!
//! The reader of a format takes whole primitives off a window and leaves a cut one; its bytes, few, are read again
//! together with the next portion. So the same primitives are read wherever the input was cut.

use super::error::Fault;

/// More than the longest primitive of the formats read so: an LZF literal run has 33 bytes, a ziplist entry's head 18.
pub(super) const LONGEST: usize = 40;

/// Invariant: size <= LONGEST.
#[derive(Clone, Copy)]
pub(super) struct Carry {
    bytes: [u8; LONGEST],
    size: usize,
}

impl Default for Carry {
    fn default() -> Self {
        Self { bytes: [0; LONGEST], size: 0 }
    }
}

impl Carry {
    pub(super) fn clear(&mut self) {
        self.size = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Gives `run` what is carried and the portion. `run` gets a window and a position up to which it must read; it
    /// gives how many of the window's bytes it has taken, which is fewer than asked only where a primitive is cut.
    #[inline]
    pub(super) fn feed(
        &mut self,
        portion: &[u8],
        mut run: impl FnMut(&[u8], usize) -> Result<usize, Fault>,
    ) -> Result<(), Fault> {
        let mut rest = portion;
        if self.size > 0 {
            let carried = self.size;
            let mut joint = [0; 2 * LONGEST];
            let size = carried + portion.len().min(LONGEST);
            for (to, from) in joint.iter_mut().zip(self.bytes.iter().take(carried).chain(portion)) {
                *to = *from;
            }
            let joint = joint.get(..size).unwrap_or_default();
            let taken = run(joint, carried)?;
            if taken < carried {
                self.keep(joint.get(taken..).unwrap_or_default());
                return Ok(());
            }
            rest = portion.get(taken - carried..).unwrap_or_default();
        }
        let taken = run(rest, rest.len())?;
        self.keep(rest.get(taken..).unwrap_or_default());
        Ok(())
    }

    /// Keeps the cut primitive that a portion ends with, instead of what was kept before.
    #[inline]
    pub(super) fn keep(&mut self, cut: &[u8]) {
        debug_assert!(cut.len() <= LONGEST, "a primitive of {} bytes was not read", cut.len());
        self.size = cut.len().min(LONGEST);
        for (to, from) in self.bytes.iter_mut().zip(cut) {
            *to = *from;
        }
    }
}
