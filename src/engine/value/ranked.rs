//! Members in the order of their scores, with ranks.
//!
//! A list of chunks, each a sorted vector of some hundred members. To find a place is a binary search among the chunks
//! and one inside; to insert moves half a chunk; a rank is a sum over the chunks' sizes, which lie side by side. Up to
//! millions of members that is as fast as a skip list, iterates faster, needs no pointers and no `unsafe`, and a copy
//! is a copy of vectors.

use super::Blob;
use std::cmp::Ordering;
use std::ops::Range;

/// A chunk longer than this is split in two.
const LONGEST: usize = 256;

/// A chunk shorter than this is joined with a neighbour, if both fit.
const SHORTEST: usize = 64;

/// A score and its member, ordered as servers order them: by score, then by member.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Never NaN.
    pub score: f64,
    /// The member.
    pub member: Blob,
}

/// See the module's text. Invariants: no chunk is empty; chunks and what is in them ascend; lengths[i] is the length of
/// chunks[i].
#[derive(Clone, Debug, Default)]
pub struct Ranked {
    chunks: Vec<Vec<Scored>>,
    lengths: Vec<u32>,
    length: usize,
}

/// By score, then by member. -0 and 0 are equal scores; NaN, which no set holds, is last.
fn order(score: f64, member: &[u8], other: &Scored) -> Ordering {
    score.partial_cmp(&other.score).unwrap_or(Ordering::Equal).then_with(|| member.cmp(&other.member))
}

impl Ranked {
    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The chunk in which a member is or belongs, and the place in it.
    fn find(&self, score: f64, member: &[u8]) -> (usize, Result<usize, usize>) {
        let after =
            |chunk: &Vec<Scored>| chunk.last().is_some_and(|last| order(score, member, last) == Ordering::Greater);
        let chunk = self.chunks.partition_point(after).min(self.chunks.len().saturating_sub(1));
        let place = match self.chunks.get(chunk) {
            Some(members) => members.binary_search_by(|other| order(score, member, other).reverse()),
            None => Err(0),
        };
        (chunk, place)
    }

    /// Adds a member that is not in it yet.
    pub fn insert(&mut self, score: f64, member: Blob) {
        let (chunk, place) = self.find(score, &member);
        let (Ok(place) | Err(place)) = place;
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
            self.lengths.push(0);
        }
        if let (Some(members), Some(length)) = (self.chunks.get_mut(chunk), self.lengths.get_mut(chunk)) {
            members.insert(place, Scored { score, member });
            *length += 1;
            self.length += 1;
            if members.len() > LONGEST {
                // Ascending inserts, the common bulk, leave full chunks behind.
                let at = if place + 1 == members.len() { LONGEST } else { members.len() / 2 };
                let second = members.split_off(at);
                *length = members.len() as u32;
                self.lengths.insert(chunk + 1, second.len() as u32);
                self.chunks.insert(chunk + 1, second);
            }
        }
    }

    /// Takes a member out; tells whether it was there.
    pub fn remove(&mut self, score: f64, member: &[u8]) -> bool {
        let (chunk, Ok(place)) = self.find(score, member) else { return false };
        if let (Some(members), Some(length)) = (self.chunks.get_mut(chunk), self.lengths.get_mut(chunk)) {
            members.remove(place);
            *length -= 1;
            self.length -= 1;
            self.settle(chunk);
        }
        true
    }

    /// Joins a chunk that has become short with a neighbour, or drops it.
    fn settle(&mut self, chunk: usize) {
        let length_of = |at: usize| self.lengths.get(at).map(|length| *length as usize);
        let Some(length) = length_of(chunk) else { return };
        if length == 0 {
            self.chunks.remove(chunk);
            self.lengths.remove(chunk);
        } else if length < SHORTEST {
            let fits = |at: usize| length_of(at).is_some_and(|other| other + length <= LONGEST);
            if fits(chunk + 1) {
                self.join(chunk);
            } else if chunk > 0 && fits(chunk - 1) {
                self.join(chunk - 1);
            }
        }
    }

    /// Joins a chunk with the one behind it.
    fn join(&mut self, chunk: usize) {
        let mut second = self.chunks.remove(chunk + 1);
        self.lengths.remove(chunk + 1);
        if let (Some(first), Some(length)) = (self.chunks.get_mut(chunk), self.lengths.get_mut(chunk)) {
            first.append(&mut second);
            *length = first.len() as u32;
        }
    }

    /// How many members come before this one; `None` where it is not in it.
    #[must_use]
    pub fn rank(&self, score: f64, member: &[u8]) -> Option<usize> {
        let (chunk, Ok(place)) = self.find(score, member) else { return None };
        Some(self.before(chunk) + place)
    }

    fn before(&self, chunk: usize) -> usize {
        self.lengths.iter().take(chunk).map(|length| *length as usize).sum()
    }

    /// How many members there are for which `is_before`, which must be true of a beginning of them and false of the rest.
    pub fn partition(&self, is_before: impl Fn(&Scored) -> bool) -> usize {
        let chunk = self.chunks.partition_point(|chunk| chunk.last().is_some_and(&is_before));
        self.before(chunk) + self.chunks.get(chunk).map_or(0, |members| members.partition_point(&is_before))
    }

    /// The members of these ranks, ascending; the range is cut to what is there.
    pub fn range(&self, ranks: Range<usize>) -> impl DoubleEndedIterator<Item = &Scored> + Clone {
        let (start, end) = (ranks.start.min(self.length), ranks.end.min(self.length));
        let (first, skip) = self.locate(start);
        let (last, until) = self.locate(end.max(start));
        (first..=last).flat_map(move |chunk| {
            let members = self.chunks.get(chunk).map_or(&[][..], Vec::as_slice);
            let from = if chunk == first { skip } else { 0 };
            let to = if chunk == last { until } else { members.len() };
            members.get(from..to).unwrap_or_default()
        })
    }

    /// The chunk and the place of a rank; the end is behind the last chunk.
    fn locate(&self, rank: usize) -> (usize, usize) {
        let mut left = rank;
        for (chunk, length) in self.lengths.iter().enumerate() {
            if left < *length as usize {
                return (chunk, left);
            }
            left -= *length as usize;
        }
        (self.chunks.len(), 0)
    }

    /// All members, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Scored> + Clone {
        self.chunks.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(i8, u16),
        Remove(usize),
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn like_a_sorted_vector(steps in prop::collection::vec(prop_oneof![
            3 => (any::<i8>(), any::<u16>()).prop_map(|(score, member)| Step::Insert(score, member)),
            1 => any::<usize>().prop_map(Step::Remove),
        ], 0..1500)) {
            let (mut ranked, mut plain) = (Ranked::default(), Vec::<(i8, Blob)>::new());
            for step in steps {
                match step {
                    Step::Insert(score, member) => {
                        let entry = (score, Blob::from(&member.to_be_bytes()[..]));
                        if let Err(place) = plain.binary_search(&entry) {
                            plain.insert(place, entry.clone());
                            ranked.insert(f64::from(entry.0), entry.1);
                        }
                    }
                    Step::Remove(place) if !plain.is_empty() => {
                        let (score, member) = plain.remove(place % plain.len());
                        prop_assert!(ranked.remove(f64::from(score), &member));
                        prop_assert!(!ranked.remove(f64::from(score), &member));
                    }
                    Step::Remove(_) => {}
                }
            }
            prop_assert_eq!(ranked.len(), plain.len());
            let flat: Vec<_> = ranked.iter().map(|scored| (scored.score as i8, scored.member.clone())).collect();
            prop_assert_eq!(&flat, &plain);
            for (rank, (score, member)) in plain.iter().enumerate().step_by(7) {
                prop_assert_eq!(ranked.rank(f64::from(*score), member), Some(rank));
                let part: Vec<_> = ranked.range(rank..rank + 300).map(|scored| scored.member.clone()).collect();
                let wanted: Vec<_> = plain[rank..].iter().take(300).map(|(_, member)| member.clone()).collect();
                prop_assert_eq!(part, wanted);
                let back: Vec<_> = ranked.range(0..rank).rev().map(|scored| scored.member.clone()).collect();
                prop_assert_eq!(back.len(), rank);
            }
            prop_assert_eq!(ranked.partition(|scored| scored.score < 0.0), plain.iter().filter(|(score, _)| *score < 0).count());
        }
    }
}
