//! The replication buffer: the stream's latest bytes, held once for the backlog and for every replica that has not got
//! them yet.
//!
//! ```text
//!                first_byte                        offset (committed)
//!                    │◄──────────── histlen ──────────►│◄─ staged ─►
//!   ░░░░░░░░░░░░░░░░░┼────┬──────────┬──────────┬──────┼────────────
//!   held for a slow  │    block      block      block  │ read from a master, not applied yet:
//!   replica (≤ 6.2)  │                                 │ nobody gets it
//! ```
//!
//! A PSYNC is granted for any byte from `first_byte` to `first_byte + histlen`, the latter being the one that comes
//! next. How far the window reaches back is a matter of version. Up to 6.2 the backlog is a ring of exactly
//! `repl-backlog-size`. From 7.0 on it goes in blocks of a sixteenth of that (16 KiB at least, where that is not more
//! than a sixteenth): a whole block is given up as soon as the size is reached without it, so that histlen is between
//! the size and a block more; and what a slow replica still has to get stays in the window for everybody.
//!
//! What a replica has not got yet is its output buffer: there is no other. The buffer asks its owner down to which byte
//! replicas still need it.

use std::collections::VecDeque;

use crate::bounds::{BACKLOG_BLOCK, MIN_BACKLOG};
use crate::units::Offset;

#[derive(Debug)]
struct Block {
    /// The number of its first byte.
    first: u64,
    /// Invariant: never empty, and its capacity is not exceeded.
    bytes: Vec<u8>,
}

impl Block {
    fn end(&self) -> u64 {
        self.first + self.bytes.len() as u64
    }
}

/// See the module.
#[derive(Debug)]
pub struct Backlog {
    blocks: VecDeque<Block>,
    size: u64,
    in_blocks: bool,
    /// The number of the window's first byte. Invariant: the blocks hold it, or it is the one that comes next.
    first_byte: u64,
    /// Up to here the bytes count.
    committed: Offset,
    /// Up to here they are there. Invariant: committed <= staged.
    staged: Offset,
}

impl Backlog {
    /// An empty backlog of `size` bytes for the stream after `offset`.
    #[must_use]
    pub fn new(size: u64, offset: Offset, in_blocks: bool) -> Self {
        Self {
            blocks: VecDeque::new(),
            size: size.max(MIN_BACKLOG),
            in_blocks,
            first_byte: offset.next_byte(),
            committed: offset,
            staged: offset,
        }
    }

    /// `repl_backlog_first_byte_offset`.
    #[must_use]
    pub fn first_byte(&self) -> u64 {
        self.first_byte
    }

    /// `repl_backlog_histlen`.
    #[must_use]
    pub fn histlen(&self) -> u64 {
        self.committed.next_byte() - self.first_byte
    }

    /// `repl_backlog_size`.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The offset of the last byte that counts.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.committed
    }

    /// Whether a replica that wants `byte` next can be given all of the stream from there.
    #[must_use]
    pub fn covers(&self, byte: i64) -> bool {
        u64::try_from(byte).is_ok_and(|byte| (self.first_byte..=self.committed.next_byte()).contains(&byte))
    }

    /// Bytes of memory that the blocks take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.blocks.iter().map(|block| block.bytes.capacity() + size_of::<Block>()).sum()
    }

    /// Takes bytes that count at once. Gives true where they did not fit into the block at hand, which is when servers
    /// look at the replicas' limits.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let grown = self.stage(bytes);
        self.commit(self.staged);
        grown
    }

    /// Takes bytes that were read from a master and are not applied yet.
    pub fn stage(&mut self, mut bytes: &[u8]) -> bool {
        let mut grown = false;
        while !bytes.is_empty() {
            let room = self.blocks.back().map_or(0, |block| block.bytes.capacity() - block.bytes.len());
            if room == 0 {
                let limit = usize::try_from(self.size / 16).unwrap_or(usize::MAX).max(1);
                let capacity = bytes.len().max(BACKLOG_BLOCK).min(limit);
                self.blocks.push_back(Block { first: self.staged.next_byte(), bytes: Vec::with_capacity(capacity) });
                grown = true;
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(block) = self.blocks.back_mut() {
                block.bytes.extend_from_slice(now);
            }
            self.staged = self.staged.advanced_by(now.len() as u64);
            bytes = later;
        }
        grown
    }

    /// What was staged up to `offset` has been applied, and counts. Nothing is taken back by it.
    pub fn commit(&mut self, offset: Offset) {
        self.committed = offset.clamp(self.committed, self.staged);
        self.narrow();
    }

    /// What was staged and not committed will not be applied: the master is gone, and will be asked for it again.
    pub fn unstage(&mut self) {
        let keep = self.committed.next_byte();
        while let Some(block) = self.blocks.back_mut()
            && block.end() > keep
        {
            match usize::try_from(keep.saturating_sub(block.first)) {
                Ok(length) if length > 0 => block.bytes.truncate(length),
                _ => drop(self.blocks.pop_back()),
            }
        }
        self.staged = self.committed;
    }

    /// Gives up what is neither in the window nor needed: `needed` is the lowest byte that an attached replica has not
    /// got, where there is one.
    pub fn trim(&mut self, needed: Option<u64>) {
        self.narrow();
        while self.is_overfull()
            && let Some(end) = self.blocks.front().map(Block::end)
            && needed.is_none_or(|needed| needed >= end)
        {
            self.blocks.pop_front();
            self.first_byte = self.first_byte.max(end);
        }
    }

    /// A ring's window is never longer than its size, whatever is held.
    fn narrow(&mut self) {
        if !self.in_blocks {
            self.first_byte = self.first_byte.max(self.committed.next_byte().saturating_sub(self.size));
        }
    }

    /// Whether the window can do without the oldest block: [`Backlog::trim`] has something to do unless a replica needs
    /// it.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        let next = self.committed.next_byte();
        let Some(end) = self.blocks.front().filter(|_| self.blocks.len() > 1).map(Block::end) else { return false };
        end <= next && if self.in_blocks { next - end > self.size } else { end <= self.first_byte }
    }

    /// Changes `repl-backlog-size`. What is held stays as far as it fits; a larger one fills up as the stream goes on.
    pub fn resize(&mut self, size: u64, needed: Option<u64>) {
        self.size = size.max(MIN_BACKLOG);
        self.trim(needed);
    }

    /// The bytes from `byte` on that count, as slices for a vectored write; nothing where it is not held.
    pub fn read(&self, byte: u64) -> impl Iterator<Item = &[u8]> {
        let limit = self.committed.next_byte();
        let held = self.blocks.front().is_some_and(|block| block.first <= byte);
        // Blocks are in order of their bytes.
        let from = self.blocks.partition_point(|block| block.end() <= byte);
        let blocks = if held { self.blocks.range(from..) } else { self.blocks.range(..0) };
        blocks.filter_map(move |block| {
            let index = |at: u64| usize::try_from(at.saturating_sub(block.first)).unwrap_or(usize::MAX);
            let until = index(limit).min(block.bytes.len());
            block.bytes.get(index(byte)..until).filter(|part| !part.is_empty())
        })
    }

    /// Whether `byte` is held, or is the one that comes next.
    #[must_use]
    pub fn holds(&self, byte: u64) -> bool {
        let oldest = self.blocks.front().map_or(self.staged.next_byte(), |block| block.first);
        (oldest..=self.committed.next_byte()).contains(&byte)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(backlog: &Backlog, byte: u64) -> Vec<u8> {
        backlog.read(byte).flatten().copied().collect()
    }

    /// The stream's byte of this number.
    fn byte(number: u64) -> u8 {
        (number % 251) as u8
    }

    fn bytes(first: u64, length: u64) -> Vec<u8> {
        (first..first + length).map(byte).collect()
    }

    #[test]
    fn the_window_to_the_byte() {
        let mut backlog = Backlog::new(1 << 20, Offset(0), true);
        backlog.append(&bytes(1, 50));
        assert_eq!((backlog.first_byte(), backlog.histlen()), (1, 50));
        for (wanted, covered) in [(-1, false), (0, false), (1, true), (50, true), (51, true), (52, false)] {
            assert_eq!(backlog.covers(wanted), covered, "{wanted}");
        }
        assert_eq!(read(&backlog, 49), bytes(49, 2));
        assert!(read(&backlog, 51).is_empty() && read(&backlog, 52).is_empty() && read(&backlog, 0).is_empty());
    }

    #[test]
    fn a_ring_is_exactly_its_size() {
        let mut backlog = Backlog::new(100, Offset(7), false);
        backlog.append(&bytes(8, 300));
        backlog.trim(None);
        assert_eq!((backlog.first_byte(), backlog.histlen()), (208, 100));
        assert_eq!(read(&backlog, 208), bytes(208, 100));
        // A slow replica still gets what is no longer in the window.
        backlog.append(&bytes(308, 100));
        backlog.trim(Some(250));
        assert_eq!((backlog.first_byte(), backlog.histlen()), (308, 100));
        assert!(!backlog.covers(250) && backlog.holds(250));
        assert_eq!(read(&backlog, 250), bytes(250, 158));
    }

    #[test]
    fn blocks_are_given_up_whole() {
        let mut backlog = Backlog::new(160, Offset(0), true);
        for first in (1..=1000).step_by(5) {
            backlog.append(&bytes(first, 5));
            backlog.trim(None);
        }
        // Blocks have 10 bytes, and one goes once there are more than 160 without it.
        assert!((161..=170).contains(&backlog.histlen()), "{}", backlog.histlen());
        assert_eq!(backlog.first_byte() % 10, 1);
        // What a slow replica needs stays in the window for everybody.
        let needed = backlog.first_byte();
        backlog.append(&bytes(1001, 500));
        backlog.trim(Some(needed));
        assert_eq!(backlog.first_byte(), needed);
        assert_eq!(read(&backlog, needed), bytes(needed, 1501 - needed));
        backlog.trim(None);
        assert!(backlog.histlen() <= 170);
    }

    #[test]
    fn what_is_not_applied_is_not_told_and_can_be_taken_back() {
        let mut backlog = Backlog::new(160, Offset(100), true);
        backlog.stage(&bytes(101, 35));
        assert_eq!((backlog.histlen(), backlog.offset()), (0, Offset(100)));
        assert!(read(&backlog, 101).is_empty() && !backlog.covers(102));
        backlog.commit(Offset(112));
        assert_eq!(read(&backlog, 101), bytes(101, 12));
        backlog.unstage();
        backlog.commit(Offset(130));
        assert_eq!(backlog.offset(), Offset(112));
        backlog.append(&bytes(113, 30));
        assert_eq!(read(&backlog, 105), bytes(105, 38));
    }

    #[test]
    fn a_smaller_size_cuts_and_a_larger_one_fills_up() {
        let mut backlog = Backlog::new(100, Offset(0), false);
        backlog.append(&bytes(1, 100));
        backlog.resize(30, None);
        assert_eq!((backlog.first_byte(), backlog.histlen()), (71, 30));
        backlog.resize(200, None);
        assert_eq!((backlog.first_byte(), backlog.histlen()), (71, 30));
        backlog.append(&bytes(101, 50));
        assert_eq!((backlog.first_byte(), backlog.histlen()), (71, 80));
    }

    proptest! {
        #[test]
        fn whatever_is_held_is_what_was_appended(
            size in 1..400_u64,
            in_blocks: bool,
            start in 0..1000_u64,
            steps in prop::collection::vec((0..90_u64, 0..4_u8, 0..200_u64), 1..60),
        ) {
            let mut backlog = Backlog::new(size, Offset(start), in_blocks);
            let mut end = start;
            for (length, what, lag) in steps {
                if what == 0 {
                    backlog.stage(&bytes(end + 1, length));
                    backlog.unstage();
                } else {
                    backlog.append(&bytes(end + 1, length));
                    end += length;
                }
                let needed = (what == 2).then(|| (end + 1).saturating_sub(lag)).filter(|&needed| backlog.holds(needed));
                backlog.trim(needed);
                prop_assert_eq!(backlog.offset(), Offset(end));
                prop_assert_eq!(backlog.first_byte() + backlog.histlen(), end + 1);
                if needed.is_none() && !in_blocks {
                    prop_assert!(backlog.histlen() <= size);
                }
                if needed.is_none() {
                    prop_assert!(backlog.histlen() <= size + (size / 16).max(1) + 1);
                }
                if let Some(needed) = needed {
                    prop_assert!(backlog.holds(needed));
                }
                let first = needed.unwrap_or(end + 1).min(backlog.first_byte());
                prop_assert_eq!(read(&backlog, first), bytes(first, end + 1 - first));
            }
        }
    }
}
