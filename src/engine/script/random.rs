//! `math.random` of scripts: the generator of `lrand48`, whose numbers servers give the same on every machine.

/// Its state: 48 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lrand48(u64);

/// One more than the largest number, less one: what servers divide by.
pub(super) const MOST: u32 = i32::MAX as u32;

impl Lrand48 {
    /// As it begins.
    pub(super) const START: Self = Self(0x1234_abcd_330e);

    /// Begins anew with this seed.
    pub(super) fn seeded(seed: i32) -> Self {
        Self(((seed as u32 as u64) << 16 | 0x330e) & MASK)
    }

    /// The next number of 31 bits.
    pub(super) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & MASK;
        (self.0 >> 17) as u32
    }
}

const MASK: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_lrand48() {
        // As glibc's gives them.
        let mut random = Lrand48::seeded(0);
        assert_eq!([random.next(), random.next(), random.next()], [366_850_414, 1_610_402_240, 206_956_554]);
    }
}
