//! LZF, the writing side; `lzf` has the format.
//!
//! A long string is compressed in blocks that do not refer to each other: their instructions one behind the other are
//! the string's. So no more than a block's result is ever held, and a string whose compressed size must be told before
//! its first byte is compressed twice instead of being kept.

use crate::bounds::RDB_COMPRESSION_BLOCK;

/// How far back a copy can reach, and how much it copies.
const REACH: usize = 8 << 10;
const SHORTEST: usize = 3;
const LONGEST: usize = 264;

/// The most literals that one instruction holds.
const LITERALS: usize = 32;

/// Bits of a place in the table of what was seen.
const BITS: u32 = 14;

/// After so many bytes without a match places are skipped, more the longer it lasts: it is not going to compress.
const PATIENCE: u32 = 7;

/// Strings up to this length are not worth a try, as the servers have it.
const WORTHWHILE: usize = 20;

/// A compressor. Its table outlives the strings: entries of earlier ones are told from those of the present one by
/// their numbers, which only ever grow.
#[derive(Default)]
pub(super) struct Compressor {
    /// Where a hash of three bytes was seen last, as `base` and a position; 0 nowhere. Empty until first used.
    table: Vec<u32>,
    base: u32,
    out: Vec<u8>,
}

impl Compressor {
    /// The compressed size of `bytes` and, where it was one block, the result; `None` where it is not worth it, which
    /// is if it does not save the four bytes that the second length may cost.
    pub(super) fn compress(&mut self, bytes: &[u8]) -> Option<(usize, Option<&[u8]>)> {
        if bytes.len() <= WORTHWHILE {
            return None;
        }
        let limit = bytes.len() - 4;
        let mut size = 0;
        for block in bytes.chunks(RDB_COMPRESSION_BLOCK) {
            size += self.block(block).len();
            if size > limit {
                return None;
            }
        }
        let whole = bytes.len() <= RDB_COMPRESSION_BLOCK;
        Some((size, whole.then_some(&self.out)))
    }

    /// One block's instructions.
    pub(super) fn block(&mut self, bytes: &[u8]) -> &[u8] {
        if self.table.is_empty() {
            self.table.resize(1 << BITS, 0);
        }
        // The next string's positions must fit behind this one's.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.base = match self.base.checked_add(length).and_then(|end| end.checked_add(1)) {
            Some(_) => self.base.max(1),
            None => {
                self.table.fill(0);
                1
            }
        };
        self.out.clear();
        self.pack(bytes);
        self.base = self.base.saturating_add(length);
        &self.out
    }

    fn pack(&mut self, bytes: &[u8]) {
        let (mut at, mut literals) = (0, 0);
        while let Some(three) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            match self.seen(*three, at).filter(|before| bytes.get(*before..*before + SHORTEST) == Some(three)) {
                Some(before) => {
                    let length = SHORTEST + common(bytes, before + SHORTEST, at + SHORTEST);
                    self.literals(bytes.get(literals..at).unwrap_or_default());
                    self.copy(at - before, length);
                    // What the copy covers is remembered by its end: enough for runs to go on.
                    at += length;
                    for place in at - 2..at {
                        if let Some(three) = bytes.get(place..).and_then(<[u8]>::first_chunk) {
                            self.seen(*three, place);
                        }
                    }
                    literals = at;
                }
                None => at += 1 + ((at - literals) >> PATIENCE),
            }
        }
        self.literals(bytes.get(literals..).unwrap_or_default());
    }

    /// Where these three bytes (or others of the same hash) were seen last, within reach; now they are here.
    #[inline]
    fn seen(&mut self, three: [u8; 3], at: usize) -> Option<usize> {
        let [a, b, c] = three;
        let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> (32 - BITS);
        let place = self.table.get_mut(hash as usize)?;
        let before = std::mem::replace(place, self.base + at as u32);
        let before = before.checked_sub(self.base)? as usize;
        (at - before <= REACH).then_some(before)
    }

    #[inline]
    fn literals(&mut self, bytes: &[u8]) {
        for run in bytes.chunks(LITERALS) {
            self.out.push((run.len() - 1) as u8);
            self.out.extend_from_slice(run);
        }
    }

    /// Copies `length` bytes from `back` bytes back, both within what an instruction can say.
    #[inline]
    fn copy(&mut self, back: usize, length: usize) {
        let (back, length) = (back - 1, length - 2);
        let (high, low) = ((back >> 8) as u8, back as u8);
        if length < 7 {
            self.out.extend_from_slice(&[(length as u8) << 5 | high, low]);
        } else {
            self.out.extend_from_slice(&[0xe0 | high, (length - 7) as u8, low]);
        }
    }
}

/// How many bytes from the two positions on are the same, up to what one copy takes.
#[inline]
fn common(bytes: &[u8], before: usize, at: usize) -> usize {
    let (here, there) = (bytes.get(at..).unwrap_or_default(), bytes.get(before..).unwrap_or_default());
    let most = here.len().min(LONGEST - SHORTEST);
    let (here, there) = (here.get(..most).unwrap_or_default(), there.get(..most).unwrap_or_default());
    let eights = here.chunks_exact(8).zip(there.chunks_exact(8)).take_while(|(a, b)| a == b).count();
    let same = 8 * eights;
    same + here.iter().zip(there).skip(same).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::super::lzf::expand;
    use super::*;
    use proptest::prelude::*;

    /// Compresses, expands, compares; gives the compressed size.
    fn round(compressor: &mut Compressor, bytes: &[u8]) -> Option<usize> {
        let (size, whole) = compressor.compress(bytes)?;
        let whole = whole.map(<[u8]>::to_vec);
        let packed = whole.unwrap_or_else(|| {
            let mut packed = Vec::new();
            bytes.chunks(RDB_COMPRESSION_BLOCK).for_each(|block| packed.extend_from_slice(compressor.block(block)));
            packed
        });
        assert_eq!(packed.len(), size);
        assert!(size + 4 <= bytes.len());
        assert!(expand(&packed, bytes.len()).unwrap() == bytes);
        Some(size)
    }

    #[test]
    fn what_repeats_shrinks() {
        let mut compressor = Compressor::default();
        // As Redis 8.2.3 has it: 16 bytes for 96.
        assert!(round(&mut compressor, &b"abcdefgh".repeat(12)).unwrap() <= 16);
        assert!(round(&mut compressor, &[b'x'; 264 * 30]).unwrap() < 100);
        assert_eq!(round(&mut compressor, b"abcabcabcabcabcabcab"), None, "20 bytes are not tried");
        assert!(round(&mut compressor, b"abcabcabcabcabcabcabc").is_some());
        assert_eq!(round(&mut compressor, &(0..=255).collect::<Vec<u8>>()), None);
    }

    #[test]
    fn long_strings_go_in_blocks() {
        let mut compressor = Compressor::default();
        let bytes: Vec<u8> = (0..3 * RDB_COMPRESSION_BLOCK + 17).map(|place| (place % 1009 % 251) as u8).collect();
        assert!(round(&mut compressor, &bytes).unwrap() < bytes.len() / 5);
    }

    #[test]
    fn the_tables_numbers_start_anew() {
        let mut compressor = Compressor::default();
        let bytes = b"one two three one two three one two three";
        let size = round(&mut compressor, bytes);
        compressor.base = u32::MAX - 10;
        assert_eq!(round(&mut compressor, bytes), size);
        assert!(compressor.base < 100);
    }

    proptest! {
        #[test]
        fn what_was_compressed_expands_to_itself(
            strings in prop::collection::vec(prop::collection::vec(0u8..4, 0..2000), 1..4),
            noise in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let mut compressor = Compressor::default();
            for bytes in strings.iter().chain([&noise]) {
                round(&mut compressor, bytes);
            }
        }
    }
}
