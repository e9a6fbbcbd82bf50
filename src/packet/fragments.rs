//! Puts IP fragments together (RFC 791 and RFC 8200, section 4.5). The first copy of a byte wins.

use std::collections::VecDeque;

use crate::bounds::{MAX_FRAGMENTED_PACKET, MAX_FRAGMENTED_PACKETS};

/// What the fragments of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FragmentKey {
    pub(super) source: u128,
    pub(super) destination: u128,
    pub(super) identification: u32,
    pub(super) protocol: u8,
}

#[derive(Debug)]
struct Partial {
    key: FragmentKey,
    bytes: Vec<u8>,
    /// Ranges of `bytes` that are filled: sorted, disjoint, not touching.
    filled: Vec<(usize, usize)>,
    /// The packet's length, known once the last fragment has come.
    length: Option<usize>,
}

/// The packets of which some fragments have come, oldest first.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: VecDeque<Partial>,
    whole: Vec<u8>,
}

impl Fragments {
    /// Takes one fragment; gives the packet's payload when it was the last one missing. The oldest unfinished packet
    /// is given up where there are more than the bound.
    pub(super) fn push(&mut self, key: FragmentKey, offset: usize, more: bool, payload: &[u8]) -> Option<&[u8]> {
        let end = offset + payload.len();
        if end > MAX_FRAGMENTED_PACKET {
            return None;
        }
        let index = match self.waiting.iter().position(|partial| partial.key == key) {
            Some(index) => index,
            None => {
                if self.waiting.len() == MAX_FRAGMENTED_PACKETS {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(Partial { key, bytes: Vec::new(), filled: Vec::new(), length: None });
                self.waiting.len() - 1
            }
        };
        let partial = &mut self.waiting[index];
        partial.fill(offset, payload);
        if !more && partial.length.is_none() {
            partial.length = Some(end);
        }
        let length = partial.length?;
        if partial.filled.first().is_some_and(|&(start, end)| start == 0 && end >= length) {
            let mut partial = self.waiting.remove(index)?;
            partial.bytes.truncate(length);
            self.whole = partial.bytes;
            return Some(&self.whole);
        }
        None
    }
}

impl Partial {
    fn fill(&mut self, offset: usize, payload: &[u8]) {
        let end = offset + payload.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let mut at = offset;
        for &(start, stop) in &self.filled {
            if at < start.min(end) {
                let upto = start.min(end);
                self.bytes[at..upto].copy_from_slice(&payload[at - offset..upto - offset]);
            }
            at = at.max(stop);
        }
        if at < end {
            self.bytes[at..end].copy_from_slice(&payload[at - offset..]);
        }
        self.filled.push((offset, end));
        self.filled.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::with_capacity(self.filled.len());
        for &(start, stop) in &self.filled {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(stop),
                _ => merged.push((start, stop)),
            }
        }
        self.filled = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: FragmentKey = FragmentKey { source: 1, destination: 2, identification: 3, protocol: 6 };

    #[test]
    fn the_first_copy_wins() {
        let mut fragments = Fragments::default();
        assert!(fragments.push(KEY, 8, true, b"BBBBBBBB").is_none());
        assert!(fragments.push(KEY, 0, true, b"AAAAAAAAxxxxxxxx").is_none());
        assert_eq!(fragments.push(KEY, 16, false, b"C"), Some(&b"AAAAAAAABBBBBBBBC"[..]));
    }

    #[test]
    fn unfinished_packets_are_bounded() {
        let mut fragments = Fragments::default();
        for identification in 0..10 * MAX_FRAGMENTED_PACKETS as u32 {
            assert!(fragments.push(FragmentKey { identification, ..KEY }, 0, true, &[0; 8]).is_none());
        }
        assert_eq!(fragments.waiting.len(), MAX_FRAGMENTED_PACKETS);
    }

    proptest! {
        #[test]
        fn any_order_gives_the_packet(length in 1_usize..400, mut order in prop::collection::vec(any::<u32>(), 60)) {
            let packet: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut pieces: Vec<(u32, usize)> = (0..length.div_ceil(8)).map(|i| (order.pop().unwrap_or(0), i * 8)).collect();
            pieces.sort_unstable();
            let mut fragments = Fragments::default();
            let mut whole = None;
            for &(_, offset) in &pieces {
                let end = (offset + 8).min(length);
                if let Some(done) = fragments.push(KEY, offset, end < length, &packet[offset..end]) {
                    whole = Some(done.to_vec());
                }
            }
            prop_assert_eq!(whole, Some(packet));
        }
    }
}
