//! Which history a server's stream belongs to, and whose place in it can be continued.
//!
//! ```text
//!                    second
//!  replid2 ──────────┤            byte `second` and what is before it may be asked for under either id
//!  replid  ──────────┴──────────  what comes after it only under the new one
//! ```
//!
//! A server that is promoted, or whose master goes on under another id, keeps the old id for those who know nothing
//! newer. `second_repl_offset`, as INFO has it, is the number of the first byte that differs: it may be asked for (the
//! asker has everything before it), the one after it may not. Seen on 7.0.15, 8.2.3 and Valkey 9.1.2: promoted at
//! offset 155, 156 is continued and 157 is not.

use super::event::Replid;
use crate::units::Offset;

/// A server's replication ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    replid: Replid,
    second: Option<(Replid, u64)>,
}

impl History {
    /// A history that begins with this id.
    #[must_use]
    pub fn new(replid: Replid) -> Self {
        Self { replid, second: None }
    }

    /// `master_replid`.
    #[must_use]
    pub fn replid(&self) -> Replid {
        self.replid
    }

    /// `master_replid2`; `None` for INFO's 40 zeros.
    #[must_use]
    pub fn replid2(&self) -> Option<Replid> {
        self.second.map(|(replid, _)| replid)
    }

    /// `second_repl_offset`; `None` for INFO's -1.
    #[must_use]
    pub fn second_repl_offset(&self) -> Option<u64> {
        self.second.map(|(_, byte)| byte)
    }

    /// The stream goes on under another id after `at`: a promotion, or `+CONTINUE` with an id that is not the one
    /// known.
    pub fn shift(&mut self, replid: Replid, at: Offset) {
        self.second = Some((self.replid, at.next_byte()));
        self.replid = replid;
    }

    /// Another history takes the place of this one: a full sync, a new backlog, an RDB's aux fields.
    pub fn adopt(&mut self, replid: Replid) {
        *self = Self::new(replid);
    }

    /// Whether a replica that knows the history as `asked` and wants byte `byte` next has all that came before it here.
    #[must_use]
    pub fn shares(&self, asked: &Replid, byte: i64) -> bool {
        asked.matches(&self.replid)
            || self.second.is_some_and(|(replid, last)| {
                asked.matches(&replid) && u64::try_from(byte).is_ok_and(|byte| byte <= last)
            })
    }
}

/// Draws replids and the marks of diskless transfers.
///
/// As in real servers the mark is what the next replid will be: their child processes draw it from a copy of the
/// parent's generator, so that one mark serves many transfers and then turns up as an id (seen on 7.0.15, 8.2.3 and
/// Valkey 9.1.2). Whoever looks for the end of an RDB had better be used to that.
#[derive(Clone, Debug)]
pub struct IdSource {
    state: u64,
}

impl IdSource {
    /// A source; the same seed gives the same ids. They name histories and guard nothing, so that no better randomness
    /// is needed than a seed that differs from server to server and from start to start.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next replid.
    pub fn draw(&mut self) -> Replid {
        let mut digits = [0; Replid::LENGTH];
        for chunk in digits.chunks_mut(16) {
            let mut word = self.next();
            for digit in chunk {
                *digit = b"0123456789abcdef"[(word & 15) as usize];
                word >>= 4;
            }
        }
        Replid::from_wire(&digits)
    }

    /// The mark for a transfer: what [`IdSource::draw`] will give.
    #[must_use]
    pub fn mark(&self) -> Replid {
        self.clone().draw()
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: &str) -> Replid {
        Replid::from_wire(digit.repeat(40).as_bytes())
    }

    #[test]
    fn the_old_id_is_good_up_to_the_first_byte_that_differs() {
        let mut history = History::new(id("a"));
        assert_eq!((history.replid2(), history.second_repl_offset()), (None, None));
        history.shift(id("b"), Offset(155));
        assert_eq!(history.second_repl_offset(), Some(156));
        assert!(history.shares(&id("a"), 155) && history.shares(&id("a"), 156) && !history.shares(&id("a"), 157));
        assert!(history.shares(&id("B"), 9999) && !history.shares(&id("c"), 1));
        assert!(!history.shares(&Replid::from_wire(b"?"), -1));
        history.adopt(id("c"));
        assert!(!history.shares(&id("a"), 1) && !history.shares(&id("b"), 1));
    }

    #[test]
    fn the_mark_is_the_next_id() {
        let mut ids = IdSource::new(7);
        let (first, mark, again) = (ids.draw(), ids.mark(), ids.mark());
        assert_eq!((mark, mark.as_str().len()), (again, 40));
        assert_ne!(first, mark);
        assert_eq!(ids.draw(), mark);
    }
}
