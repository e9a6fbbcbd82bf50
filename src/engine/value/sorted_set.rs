//! Sorted sets: scores by member, and members by score.

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::{Blob, Ranked};

/// In a listpack no member is longer (`zset-max-listpack-value`).
const SHORT_MEMBER: usize = 64;

/// A sorted set.
#[derive(Clone, Debug, Default)]
pub struct SortedSet {
    scores: IndexMap<Blob, f64, RandomState>,
    ranked: Ranked,
    /// It was once too large for a listpack.
    large: bool,
}

impl SortedSet {
    /// Until so many members, none of them long, servers keep a sorted set as a listpack (`zset-max-listpack-entries`).
    pub const COMPACT: usize = 128;

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Whether servers would keep it as a listpack, which some of what they do depends on: one that was too large once
    /// is none any more.
    #[must_use]
    pub fn is_compact(&self) -> bool {
        !self.large
    }

    /// Whether it would still be a listpack with this member in it.
    #[must_use]
    pub fn stays_compact(&self, member: &[u8]) -> bool {
        !self.large
            && member.len() <= SHORT_MEMBER
            && (self.len() < Self::COMPACT || (self.len() == Self::COMPACT && self.scores.contains_key(member)))
    }

    /// A member's score.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// How many members come before this one.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        self.ranked.rank(self.score(member)?, member)
    }

    /// The members by score.
    #[must_use]
    pub fn ranked(&self) -> &Ranked {
        &self.ranked
    }

    /// The members densely numbered, for ZSCAN and ZRANDMEMBER.
    #[must_use]
    pub fn by_index(&self, index: usize) -> Option<(&Blob, f64)> {
        self.scores.get_index(index).map(|(member, score)| (member, *score))
    }

    /// Gives a member a score, which must not be NaN. Gives the score that it had.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        match self.scores.get_full_mut(member) {
            Some((_, blob, old)) => {
                let before = std::mem::replace(old, score);
                // By bits: -0 and 0 have one place, but not one text.
                if before.to_bits() != score.to_bits() {
                    let blob = blob.clone();
                    self.ranked.remove(before, member);
                    self.ranked.insert(score, blob);
                }
                Some(before)
            }
            None => {
                let blob = Blob::from(member);
                self.large |= member.len() > SHORT_MEMBER || self.scores.len() >= Self::COMPACT;
                self.scores.insert(blob.clone(), score);
                self.ranked.insert(score, blob);
                None
            }
        }
    }

    /// Takes a member out; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.swap_remove(member)?;
        self.ranked.remove(score, member);
        Some(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_large_once_is_compact_no_more() {
        let mut set = SortedSet::default();
        for n in 0..128 {
            assert!(set.stays_compact(&[n]));
            set.insert(&[n], 0.0);
        }
        assert!(set.is_compact() && set.stays_compact(&[5]) && !set.stays_compact(&[128]));
        set.insert(&[128], 0.0);
        set.remove(&[128]);
        assert!(!set.is_compact() && !set.stays_compact(&[5]));
        let mut set = SortedSet::default();
        assert!(!set.stays_compact(&[0; 65]));
        set.insert(&[0; 65], 0.0);
        assert!(!set.is_compact());
    }
}
