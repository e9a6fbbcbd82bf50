//! Redis's patterns for key names, as KEYS and SCAN take them: `*`, `?`, `[abc]`, `[a-z]`, `[^x]`, `\` before a sign that
//! stands for itself. On bytes.
//!
//! A pattern becomes a row of sets of bytes, one per byte that it wants, and between them places where any number of
//! other bytes may stand. All places that a name may have reached are the bits of a few words, so that a byte of a name costs
//! the same whatever stars the pattern has, and names may come in pieces of any length.

/// Bits in a word.
const BITS: usize = u64::BITS as usize;

/// A pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    /// Words per set of places.
    words: usize,
    /// For each byte value, the places that it leads on from.
    steps: Vec<u64>,
    /// The places at which any byte may pass: those before a star.
    stars: Vec<u64>,
    /// Sets of bytes in the row: the place where a name that ends is one.
    end: usize,
}

/// The places that a name has reached so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached(Vec<u64>);

impl Glob {
    /// Every byte string is a pattern.
    #[must_use]
    pub fn new(pattern: &[u8]) -> Self {
        let mut sets: Vec<[bool; 256]> = Vec::new();
        let mut starred = Vec::new();
        let mut rest = pattern;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            match (first, after) {
                (b'*', _) => starred.push(sets.len()),
                (b'?', _) => sets.push([true; 256]),
                (b'[', _) => {
                    let (set, behind) = bracket(after);
                    sets.push(set);
                    rest = behind;
                }
                (b'\\', [escaped, behind @ ..]) => {
                    sets.push(only(*escaped));
                    rest = behind;
                }
                (byte, _) => sets.push(only(byte)),
            }
        }
        let words = sets.len() / BITS + 1;
        let mut steps = vec![0; 256 * words];
        for (place, set) in sets.iter().enumerate() {
            for (byte, _) in set.iter().enumerate().filter(|(_, wanted)| **wanted) {
                mark(&mut steps[byte * words..(byte + 1) * words], place);
            }
        }
        let mut stars = vec![0; words];
        for place in starred {
            mark(&mut stars, place);
        }
        Self { words, steps, stars, end: sets.len() }
    }

    /// Where every name begins.
    #[must_use]
    pub fn start(&self) -> Reached {
        let mut reached = vec![0; self.words];
        mark(&mut reached, 0);
        Reached(reached)
    }

    /// Goes on with the next bytes of a name.
    pub fn feed(&self, reached: &mut Reached, bytes: &[u8]) {
        for &byte in bytes {
            let from = usize::from(byte) * self.words;
            let steps = self.steps.get(from..from + self.words).unwrap_or_default();
            let mut carried = 0;
            for ((place, step), star) in reached.0.iter_mut().zip(steps).zip(&self.stars) {
                let led_on = *place & step;
                *place = (*place & star) | led_on << 1 | carried;
                carried = led_on >> (BITS - 1);
            }
        }
    }

    /// Whether a name that ends here is one of the pattern's.
    #[must_use]
    pub fn is_end(&self, reached: &Reached) -> bool {
        reached.0.get(self.end / BITS).is_some_and(|word| word >> (self.end % BITS) & 1 == 1)
    }

    /// Whether a whole name is one of the pattern's.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let mut reached = self.start();
        self.feed(&mut reached, name);
        self.is_end(&reached)
    }
}

fn mark(words: &mut [u64], place: usize) {
    if let Some(word) = words.get_mut(place / BITS) {
        *word |= 1 << (place % BITS);
    }
}

fn only(byte: u8) -> [bool; 256] {
    let mut set = [false; 256];
    set[usize::from(byte)] = true;
    set
}

/// What follows a `[`: the set, and what stands behind its `]`. As servers have it, a set that is not closed ends with
/// the pattern, `[]` is empty, a range may run backwards, and its end may be the `]`.
fn bracket(mut rest: &[u8]) -> ([bool; 256], &[u8]) {
    let mut set = [false; 256];
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = &rest[1..];
    }
    loop {
        rest = match *rest {
            [] => break,
            [b'\\', escaped, ref behind @ ..] => {
                set[usize::from(escaped)] = true;
                behind
            }
            [b']', ref behind @ ..] => {
                rest = behind;
                break;
            }
            [low, b'-', high, ref behind @ ..] => {
                let (low, high) = (low.min(high), low.max(high));
                set[usize::from(low)..=usize::from(high)].fill(true);
                behind
            }
            [byte, ref behind @ ..] => {
                set[usize::from(byte)] = true;
                behind
            }
        };
    }
    if negated {
        set.iter_mut().for_each(|wanted| *wanted = !*wanted);
    }
    (set, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let glob = Glob::new(pattern.as_bytes());
        for name in yes {
            assert!(glob.matches(name.as_bytes()), "{pattern} has {name}");
        }
        for name in no {
            assert!(!glob.matches(name.as_bytes()), "{pattern} has not {name}");
        }
    }

    #[test]
    fn patterns_are_those_of_redis() {
        check("", &[""], &["a"]);
        check("*", &["", "a", "abc"], &[]);
        check("user:*", &["user:", "user:1"], &["user", "xuser:1"]);
        check("*:name", &[":name", "a:name:name"], &["name", ":names"]);
        check("a*b*c", &["abc", "axxbyyc", "abbcc"], &["ab", "acb"]);
        check("h?llo", &["hello", "h\nllo"], &["hllo", "heello"]);
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]);
        check("h[^e]llo", &["hallo", "h^llo"], &["hello"]);
        check("h[a-c]llo", &["hbllo"], &["hdllo", "h-llo"]);
        check("h[c-a]llo", &["hbllo"], &["hdllo"]);
        check("h\\*llo", &["h*llo"], &["hello"]);
        check("[a\\]]", &["a", "]"], &["\\"]);
        check("\\", &["\\"], &[""]);
        check("[]", &[], &["", "a", "]"]);
        check("[^]", &["a", "]"], &[""]);
        check("[ab", &["a", "b"], &["[ab", "ab"]);
        // The bracket is the range's end, and the set is never closed.
        check("[a-]", &["]", "a", "^"], &["-", "b"]);
    }

    #[test]
    fn any_byte_may_stand_in_a_name() {
        assert!(Glob::new(b"k\xff*").matches(b"k\xff\0\n"));
        assert!(Glob::new(b"?").matches(b"\0"));
    }

    #[test]
    fn many_stars_cost_no_more() {
        let pattern = "a*".repeat(200) + "b";
        let name = "a".repeat(100_000);
        assert!(!Glob::new(pattern.as_bytes()).matches(name.as_bytes()));
        assert!(Glob::new(pattern.as_bytes()).matches(format!("{name}b").as_bytes()));
    }

    /// As plain as can be: how much of the name each beginning of a pattern of stars, marks and letters can have.
    fn plain(pattern: &[u8], name: &[u8]) -> bool {
        let mut reached = vec![false; name.len() + 1];
        reached[0] = true;
        for sign in pattern {
            let mut next = vec![false; name.len() + 1];
            for at in (0..=name.len()).filter(|at| reached[*at]) {
                match sign {
                    b'*' => next[at..].fill(true),
                    _ if at < name.len() && (*sign == b'?' || *sign == name[at]) => next[at + 1] = true,
                    _ => {}
                }
            }
            reached = next;
        }
        reached[name.len()]
    }

    proptest! {
        #[test]
        fn as_the_plain_reading_has_it(pattern in "[ab*?]{0,9}", name in "[ab]{0,12}", times in 1usize..20) {
            // Longer than a word, too.
            let (pattern, name) = (pattern + &"a".repeat(times * 4), name + &"a".repeat(times * 4));
            let glob = Glob::new(pattern.as_bytes());
            prop_assert_eq!(glob.matches(name.as_bytes()), plain(pattern.as_bytes(), name.as_bytes()));
            let mut reached = glob.start();
            name.bytes().for_each(|byte| glob.feed(&mut reached, &[byte]));
            prop_assert_eq!(glob.is_end(&reached), glob.matches(name.as_bytes()));
        }
    }
}
