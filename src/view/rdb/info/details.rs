//! Bytes by type, encoding and size, and expiries: what [`Info`](super::Info) counts beside the keys.

use crate::rdb::{Encoding, Key, KeyEnd, ValueType};

/// Keys and their bytes in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) keys: u64,
    pub(super) bytes: u64,
}

impl Tally {
    #[inline]
    pub(super) fn add(&mut self, bytes: u64) {
        self.keys += 1;
        self.bytes += bytes;
    }

    pub(super) fn join(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
    }
}

/// More than there are types or encodings.
const NAMES: usize = 24;

/// Tallies under names.
#[derive(Debug)]
pub(super) struct Named([(&'static str, Tally); NAMES]);

impl Default for Named {
    fn default() -> Self {
        Self([("", Tally::default()); NAMES])
    }
}

impl Named {
    #[inline]
    fn add(&mut self, index: usize, name: &'static str, bytes: u64) {
        if let Some((known, tally)) = self.0.get_mut(index) {
            *known = name;
            tally.add(bytes);
        }
    }

    /// Those with a key, the most bytes first.
    pub(super) fn sorted(&self) -> Vec<(&'static str, Tally)> {
        let mut sorted: Vec<_> = self.0.iter().copied().filter(|(_, tally)| tally.keys > 0).collect();
        sorted.sort_by_key(|(name, tally)| (std::cmp::Reverse(tally.bytes), *name));
        sorted
    }
}

/// Classes of sizes: up to 63 bytes, then each four times the one before; the last has no end.
pub(super) const SIZES: usize = 11;

/// The size at which a class ends.
pub(super) fn size_end(class: usize) -> Option<u64> {
    (class + 1 < SIZES).then(|| 64 << (2 * class))
}

#[inline]
fn size_class(bytes: u64) -> usize {
    // Bits beyond the six of 63, two to a class.
    let bits = (u64::BITS - bytes.leading_zeros()) as usize;
    (bits.saturating_sub(6).div_ceil(2)).min(SIZES - 1)
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) types: Named,
    pub(super) encodings: Named,
    pub(super) sizes: [Tally; SIZES],
    /// The nearest and the farthest expiry, in milliseconds since 1970.
    pub(super) expiries: Option<(i64, i64)>,
    /// Keys that had expired when the dump was written.
    pub(super) expired: u64,
    /// When it was written, in milliseconds since 1970.
    pub(super) written: Option<i64>,
    key: Option<(ValueType, Encoding)>,
}

impl Details {
    #[inline]
    pub(super) fn key(&mut self, key: &Key<'_>) {
        self.key = Some((key.value_type, key.encoding));
        if let Some(time) = key.expires_at_ms {
            let (nearest, farthest) = self.expiries.unwrap_or((time, time));
            self.expiries = Some((nearest.min(time), farthest.max(time)));
            self.expired += u64::from(self.written.is_some_and(|written| time <= written));
        }
    }

    #[inline]
    pub(super) fn key_end(&mut self, end: KeyEnd) {
        let Some((value_type, encoding)) = self.key.take() else { return };
        self.types.add(value_type as usize, value_type.name(), end.bytes);
        self.encodings.add(encoding as usize, encoding.name(), end.bytes);
        if let Some(tally) = self.sizes.get_mut(size_class(end.bytes)) {
            tally.add(end.bytes);
        }
    }

    /// An AUX field: `ctime` is when the dump was written, in seconds.
    pub(super) fn aux(&mut self, key: &[u8], value: &[u8]) {
        if key == b"ctime" {
            let seconds = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
            self.written = seconds.and_then(|seconds| seconds.checked_mul(1000));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_into_classes() {
        for (bytes, class) in
            [(0, 0), (63, 0), (64, 1), (255, 1), (256, 2), (1023, 2), (1024, 3), (u64::MAX, SIZES - 1)]
        {
            assert_eq!(size_class(bytes), class, "{bytes}");
        }
        for class in 0..SIZES - 1 {
            let end = size_end(class).unwrap();
            assert_eq!((size_class(end - 1), size_class(end)), (class, class + 1));
        }
        assert_eq!(size_end(SIZES - 1), None);
    }
}
