//! Random numbers for what servers do at random: SPOP, SRANDMEMBER, RANDOMKEY, replids.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A generator (xorshift64*), seeded by the operating system through the standard library's hasher. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

impl Random {
    /// With a seed of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    /// With this seed, so that a run can be repeated.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        // The high half of a product is as even as the bits are.
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }

    /// Forty hexadecimal digits: a replid, a run id.
    pub fn hexadecimal(&mut self) -> [u8; 40] {
        let mut text = [0; 40];
        for digit in &mut text {
            *digit = b"0123456789abcdef"[(self.bits() >> 60) as usize];
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_below_their_limit_and_reach_it() {
        let mut random = Random::new();
        assert_eq!(random.below(0), 0);
        let mut seen = [0; 7];
        (0..700).for_each(|_| seen[random.below(7)] += 1);
        assert!(seen.iter().all(|&count| count > 30), "{seen:?}");
    }
}
