//! What names of keys have in common: names split at colons, numbers and ids folded, so that `user:17:name` and
//! `user:18:name` are two of `user:<n>:name`.
//!
//! Memory is bounded by [`MAX_PREFIXES`] patterns. When there are more, those of which there are the fewest keys are joined
//! to what they have in common, `session:*`, until half of them are left; so each key costs a constant amount, and a
//! pattern of many keys is found however late it comes.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::details::Tally;
use crate::bounds::MAX_PREFIXES;

/// Parts of a name that are told apart; what is behind the last is not looked at.
const LEVELS: usize = 4;

/// The longest name of which the pattern is made; what is behind is left away.
const LONGEST: usize = 256;

/// A run of so many hexadecimal digits and hyphens, at least, is an id.
const ID: usize = 8;

/// And of so many at most: a SHA-256.
const LONGEST_ID: usize = 64;

/// What was joined.
const OTHERS: &[u8] = b"*";

/// Keys of one pattern.
#[derive(Debug)]
struct Pattern {
    tally: Tally,
    /// The first name, and how much of it all have.
    name: Vec<u8>,
    common: usize,
}

impl Pattern {
    /// One more key; its name as far as the pattern goes.
    #[inline]
    fn add(&mut self, name: &[u8], bytes: u64) {
        self.tally.add(bytes);
        self.common = common(&self.name[..self.common], name);
    }
}

/// A name that came before.
#[derive(Debug, Default)]
struct Recent {
    name: Vec<u8>,
    /// How much of it its pattern has, and the pattern's place.
    length: usize,
    place: usize,
}

/// So many names are kept. Numbers of a kind have few lengths.
const RECENT: usize = 8;

/// Counts keys by the patterns of their names.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    patterns: IndexMap<Vec<u8>, Pattern, foldhash::fast::RandomState>,
    /// The last names, by their lengths: the next key's name mostly differs from one of them in its digits only.
    recent: [Option<Recent>; RECENT],
    /// The place of the last name's pattern.
    last: usize,
    folded: Vec<u8>,
}

/// A prefix with what is below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) tally: Tally,
    pub(super) below: BTreeMap<Vec<u8>, Branch>,
    /// The part of the name as it is in all keys, where it is the same.
    shown: Option<Vec<u8>>,
}

impl Prefixes {
    pub(super) fn add(&mut self, name: &[u8], bytes: u64) {
        let name = name.get(..LONGEST).unwrap_or(name);
        if let Some(Some(recent)) = self.recent.get(name.len() % RECENT)
            && differ_in_digits_only(name, &recent.name)
            && let Some((_, pattern)) = self.patterns.get_index_mut(recent.place)
        {
            pattern.add(&name[..recent.length], bytes);
            self.last = recent.place;
            return;
        }
        let length = self.find(name, bytes);
        if let Some(recent) = self.recent.get_mut(name.len() % RECENT) {
            let recent = recent.get_or_insert_default();
            recent.name.clear();
            recent.name.extend_from_slice(name);
            (recent.length, recent.place) = (length, self.last);
        }
    }

    /// Counts a key at its pattern, the last from then on; gives how much of the name it has.
    fn find(&mut self, mut name: &[u8], bytes: u64) -> usize {
        if let Some((folded, pattern)) = self.patterns.get_index_mut(self.last)
            && let Some(length) = folds_to(name, folded)
        {
            pattern.add(&name[..length], bytes);
            return length;
        }
        fold(&mut name, &mut self.folded);
        if let Some((place, _, pattern)) = self.patterns.get_full_mut(&self.folded) {
            pattern.add(name, bytes);
            self.last = place;
            return name.len();
        }
        if self.patterns.len() >= MAX_PREFIXES {
            self.join();
        }
        self.last = self.patterns.len();
        let pattern = Pattern { tally: Tally { keys: 1, bytes }, name: name.to_vec(), common: name.len() };
        self.patterns.insert(self.folded.clone(), pattern);
        name.len()
    }

    /// Joins the smallest until half are left.
    fn join(&mut self) {
        // Patterns change their places.
        self.recent = Default::default();
        let mut few = 1;
        while self.patterns.len() > MAX_PREFIXES / 2 {
            let small: Vec<Vec<u8>> = self
                .patterns
                .iter()
                .filter(|(folded, pattern)| pattern.tally.keys <= few && folded.as_slice() != OTHERS)
                .map(|(folded, _)| folded.clone())
                .collect();
            for folded in small {
                let Some(pattern) = self.patterns.swap_remove(&folded) else { continue };
                // Of `a:*` the parent is `*`.
                let parts = folded.strip_suffix(OTHERS).and_then(|folded| folded.strip_suffix(b":")).unwrap_or(&folded);
                let parent = parts.iter().rposition(|byte| *byte == b':').map_or(0, |colon| colon + 1);
                let levels = parts[..parent].iter().filter(|byte| **byte == b':').count();
                let name = &pattern.name[..level_end(&pattern.name, levels)];
                let into = self.patterns.entry([&parts[..parent], OTHERS].concat()).or_insert_with(|| Pattern {
                    tally: Tally::default(),
                    name: name.to_vec(),
                    common: name.len(),
                });
                into.tally.join(pattern.tally);
                into.common = common(&into.name[..into.common], &name[..pattern.common.min(name.len())]);
            }
            few = few.saturating_mul(4);
        }
    }

    /// The patterns with the most bytes: pattern, keys, bytes.
    pub(super) fn most(&self, wanted: usize) -> Vec<(&[u8], Tally)> {
        let mut sorted: Vec<_> =
            self.patterns.iter().map(|(folded, pattern)| (folded.as_slice(), pattern.tally)).collect();
        sorted.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then_with(|| a.0.cmp(b.0)));
        sorted.truncate(wanted);
        sorted
    }

    /// All of it as a tree.
    pub(super) fn tree(&self) -> Branch {
        let mut root = Branch::default();
        for (folded, pattern) in &self.patterns {
            root.tally.join(pattern.tally);
            let (mut branch, mut rest, mut level) = (&mut root, folded.as_slice(), 0);
            while !rest.is_empty() {
                let end = memchr::memchr(b':', rest).map_or(rest.len(), |colon| colon + 1);
                let (part, behind) = rest.split_at(end);
                let fresh = !branch.below.contains_key(part);
                branch = branch.below.entry(part.to_vec()).or_default();
                branch.tally.join(pattern.tally);
                let (begin, end) = (level_end(&pattern.name, level), level_end(&pattern.name, level + 1));
                let own = (part != OTHERS && end <= pattern.common).then(|| pattern.name[begin..end].to_vec());
                if fresh {
                    branch.shown = own;
                } else if branch.shown != own {
                    branch.shown = None;
                }
                (rest, level) = (behind, level + 1);
            }
        }
        root
    }
}

impl Branch {
    /// The part's name: as it is in all its keys, or folded.
    pub(super) fn name<'a>(&'a self, folded: &'a [u8]) -> &'a [u8] {
        self.shown.as_deref().unwrap_or(folded)
    }
}

/// How many bytes two have in common at the beginning.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Where the parts of a name end of which there are so many.
fn level_end(name: &[u8], levels: usize) -> usize {
    if levels == 0 {
        return 0;
    }
    memchr::memchr_iter(b':', name).nth(levels - 1).map_or(name.len(), |colon| colon + 1)
}

/// Makes the pattern, and cuts the name to the parts that are in it.
fn fold(name: &mut &[u8], folded: &mut Vec<u8>) {
    folded.clear();
    let whole: &[u8] = name;
    let (mut at, mut level) = (0, 1);
    while let Some(&byte) = whole.get(at) {
        match byte {
            b':' => {
                folded.push(byte);
                at += 1;
                if level == LEVELS {
                    folded.extend_from_slice(OTHERS);
                    *name = &whole[..at];
                    return;
                }
                level += 1;
            }
            _ => {
                let digits = whole[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let hex = if at == 0 || !whole[at - 1].is_ascii_alphanumeric() { id_length(&whole[at..]) } else { 0 };
                if hex > digits {
                    folded.extend_from_slice(b"<id>");
                    at += hex;
                } else if digits > 0 {
                    folded.extend_from_slice(b"<n>");
                    at += digits;
                } else {
                    folded.push(byte);
                    at += 1;
                }
            }
        }
    }
}

/// Whether two names have the same bytes but for digits, and so the same pattern. Eight bytes at a time: a byte's high bit
/// is set where the two bytes differ and are not both digits.
#[inline]
fn differ_in_digits_only(one: &[u8], other: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    let is_digit = |word: u64| {
        let low = word & !HIGH;
        (low + ONES * (0x80 - 0x30)) & !(low + ONES * (0x80 - 0x3a)) & !word & HIGH
    };
    let bad = |one: [u8; 8], other: [u8; 8]| {
        let (one, other) = (u64::from_le_bytes(one), u64::from_le_bytes(other));
        let difference = one ^ other;
        let differs = (((difference & !HIGH) + !HIGH) | difference) & HIGH;
        differs & !(is_digit(one) & is_digit(other))
    };
    if one.len() != other.len() {
        return false;
    }
    // The last eight may overlap those before: no byte is left over.
    let (Some(last), Some(of_other)) = (one.last_chunk(), other.last_chunk()) else {
        return one.iter().zip(other).all(|(a, b)| a == b || (a.is_ascii_digit() && b.is_ascii_digit()));
    };
    let words = one.as_chunks().0.iter().zip(other.as_chunks().0);
    words.fold(bad(*last, *of_other), |found, (one, other)| found | bad(*one, *other)) == 0
}

/// Whether [`fold`] makes this pattern of a name, and how much of the name is in it. It may say no where it does: then
/// the name is to be folded.
fn folds_to(name: &[u8], folded: &[u8]) -> Option<usize> {
    let (mut at, mut rest, mut level) = (0, folded, 1);
    loop {
        let word = &name[at..];
        let begins = at == 0 || !name[at - 1].is_ascii_alphanumeric();
        match (rest, word.first()) {
            ([], None) => return Some(at),
            // Behind the last level everything is one.
            ([b'*'], Some(_)) if level > LEVELS => return Some(at),
            ([b'<', b'n', b'>', behind @ ..], Some(b'0'..=b'9')) => {
                let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if begins && id_length(word) > digits {
                    return None;
                }
                (at, rest) = (at + digits, behind);
            }
            ([literal, behind @ ..], Some(byte)) if literal == byte && !byte.is_ascii_digit() => {
                if begins && (byte.is_ascii_hexdigit() || *byte == b'-') && id_length(word) > 0 {
                    return None;
                }
                level += usize::from(*byte == b':');
                (at, rest) = (at + 1, behind);
            }
            _ => return None,
        }
    }
}

/// The length of the id that a word begins with, 0 where it is none: hexadecimal digits, some of them numbers.
fn id_length(word: &[u8]) -> usize {
    let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b'-';
    let length = word.iter().take(LONGEST_ID).take_while(is_part).count();
    let ends = word.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    if length >= ID && ends && word[..length].iter().any(u8::is_ascii_digit) { length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(name: &str) -> String {
        let mut folded = Vec::new();
        fold(&mut name.as_bytes(), &mut folded);
        String::from_utf8(folded).unwrap()
    }

    #[test]
    fn numbers_and_ids_are_folded() {
        assert_eq!(pattern("user:17:name"), "user:<n>:name");
        assert_eq!(pattern("key:000000012345"), "key:<n>");
        assert_eq!(pattern("memtier-77"), "memtier-<n>");
        assert_eq!(pattern("session:0b7e8a4c-1f3d-4e8a-9c2b-5d6e7f8a9b0c"), "session:<id>");
        assert_eq!(pattern("deadbeef:x"), "deadbeef:x", "a word, for all one can tell");
        assert_eq!(pattern("a:b:c:d:e:f"), "a:b:c:d:*");
        assert_eq!(pattern(""), "");
    }

    #[test]
    fn the_short_way_to_a_pattern_leads_to_the_same() {
        let names = [
            "",
            "a",
            "1",
            "user:17:name",
            "user:18:name",
            "user:x:name",
            "user:17:name:",
            "a:b:c:d:e",
            "a:b:c:d:",
            "a:b:c:d",
            "a:b:c:*",
            "<n>",
            "<n>:1",
            "x-77",
            "77x",
            "deadbeef:x",
            "deadbee1:x",
            "u:deadbee1",
            "u:12345678",
            "u:1234567a",
            "session:0b7e8a4c-1f3d-4e8a-9c2b-5d6e7f8a9b0c",
            "-",
            "--------1",
        ];
        for pattern in names.map(pattern) {
            for name in names {
                let (mut cut, mut folded) = (name.as_bytes(), Vec::new());
                fold(&mut cut, &mut folded);
                if let Some(length) = folds_to(name.as_bytes(), pattern.as_bytes()) {
                    assert_eq!((folded.as_slice(), cut.len()), (pattern.as_bytes(), length), "{name} {pattern}");
                }
            }
        }
        for (one, other) in names.iter().flat_map(|one| names.map(|other| (*one, other))) {
            if differ_in_digits_only(one.as_bytes(), other.as_bytes()) {
                assert_eq!(pattern(one), pattern(other));
            }
        }
        assert!(differ_in_digits_only(b"user:17:name", b"user:95:name"));
        assert_eq!(folds_to(b"user:17:name", b"user:<n>:name"), Some(12));
        assert_eq!(folds_to(b"a:b:c:d:e", b"a:b:c:d:*"), Some(8));
    }

    proptest! {
        #[test]
        fn digits_are_told_from_other_bytes(mut one in prop::collection::vec(any::<u8>(), 1..40), place in any::<usize>(), byte in any::<u8>()) {
            let other = one.clone();
            let place = place % one.len();
            one[place] = byte;
            let same = byte == other[place] || (byte.is_ascii_digit() && other[place].is_ascii_digit());
            prop_assert_eq!(differ_in_digits_only(&one, &other), same);
        }

        #[test]
        fn names_are_counted_alike_whatever_came_before(names in prop::collection::vec("[a-c0-9:]{0,12}", 1..60)) {
            let mut prefixes = Prefixes::default();
            let mut expected = BTreeMap::<String, u64>::new();
            for name in &names {
                prefixes.add(name.as_bytes(), 1);
                *expected.entry(pattern(name)).or_default() += 1;
            }
            let counted = prefixes.most(usize::MAX).into_iter();
            let counted = counted.map(|(pattern, tally)| (String::from_utf8_lossy(pattern).into_owned(), tally.keys));
            prop_assert_eq!(counted.collect::<BTreeMap<_, _>>(), expected);
        }
    }

    #[test]
    fn the_tree_has_all_keys_and_shows_what_does_not_vary() {
        let mut prefixes = Prefixes::default();
        for (name, bytes) in [("s500:a:1", 10), ("s500:a:2", 20), ("s500:b", 5), ("x", 1)] {
            prefixes.add(name.as_bytes(), bytes);
        }
        let tree = prefixes.tree();
        assert_eq!(tree.tally, Tally { keys: 4, bytes: 36 });
        let (folded, first) = tree.below.iter().next().unwrap();
        assert_eq!((folded.as_slice(), first.name(folded)), (&b"s<n>:"[..], &b"s500:"[..]));
        assert_eq!(first.tally, Tally { keys: 3, bytes: 35 });
        let leaf = &first.below[&b"a:"[..]].below[&b"<n>"[..]];
        assert_eq!((leaf.tally.keys, leaf.name(b"<n>")), (2, &b"<n>"[..]));
    }

    #[test]
    fn beyond_the_bound_the_rare_are_joined_and_the_frequent_kept() {
        let mut prefixes = Prefixes::default();
        let letters = |mut number: u32| {
            let mut word = String::new();
            for _ in 0..6 {
                word.push(char::from(b'g' + (number % 20) as u8));
                number /= 20;
            }
            word
        };
        for number in 0..50_000 {
            prefixes.add(format!("session:{}", letters(number)).as_bytes(), 2);
            prefixes.add(format!("late:{}:x", letters(number)).as_bytes(), 1);
            if number > 20_000 {
                prefixes.add(b"frequent:key", 3);
            }
            assert!(prefixes.patterns.len() <= MAX_PREFIXES);
        }
        let tree = prefixes.tree();
        assert_eq!(tree.tally, Tally { keys: 129_999, bytes: 150_000 + 3 * 29_999 });
        assert_eq!(tree.below[&b"session:"[..]].tally, Tally { keys: 50_000, bytes: 100_000 });
        assert_eq!(tree.below[&b"frequent:"[..]].tally.keys, 29_999);
    }
}
