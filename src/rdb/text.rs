//! Byte strings in pieces: what passes in any portions is told whole if it is short, and in even pieces if not.

use super::values::{Item, Piece, Values};
use crate::bounds::{MAX_RDB_WHOLE, RDB_PIECE};

/// A number's decimal text, without an allocation.
pub(super) struct Decimal {
    digits: [u8; 20],
    begin: usize,
}

impl Decimal {
    pub(super) fn new(number: i64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(number).as_bytes();
        let mut decimal = Self { digits: [0; 20], begin: 20 - text.len().min(20) };
        if let Some(place) = decimal.digits.get_mut(decimal.begin..) {
            place.copy_from_slice(text);
        }
        decimal
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.begin..).unwrap_or_default()
    }
}

/// Puts one string together. Invariant: told + buffer.len() <= total, and the buffer is no longer than what is told at
/// once.
#[derive(Default)]
pub(super) struct Assembler {
    buffer: Vec<u8>,
    told: u64,
    total: u64,
}

impl Assembler {
    /// A string of so many bytes begins; the length is not to be believed before the bytes come.
    #[inline]
    pub(super) fn begin<V: Values>(&mut self, item: Item, total: u64, values: &mut V) {
        self.buffer.clear();
        (self.told, self.total) = (0, total);
        if total == 0 {
            values.text(item, Piece::whole(&[]));
        }
    }

    /// Some of its bytes.
    #[inline]
    pub(super) fn feed<V: Values>(&mut self, item: Item, bytes: &[u8], values: &mut V) {
        if self.total == bytes.len() as u64 && self.total <= MAX_RDB_WHOLE as u64 {
            values.text(item, Piece::whole(bytes));
        } else {
            self.collect(item, bytes, values);
        }
    }

    fn collect<V: Values>(&mut self, item: Item, mut bytes: &[u8], values: &mut V) {
        let whole = usize::try_from(self.total).unwrap_or(usize::MAX);
        while !bytes.is_empty() {
            let left = usize::try_from(self.total - self.told).unwrap_or(usize::MAX);
            let size = if whole <= MAX_RDB_WHOLE { left } else { left.min(RDB_PIECE) };
            let wanted = size - self.buffer.len();
            if self.buffer.is_empty() && bytes.len() >= size && size > 0 {
                let (piece, rest) = bytes.split_at(size);
                values.text(item, Piece { bytes: piece, offset: self.told, total: self.total });
                self.told += size as u64;
                bytes = rest;
                continue;
            }
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.buffer.extend_from_slice(taken);
            bytes = rest;
            if self.buffer.len() == size {
                values.text(item, Piece { bytes: &self.buffer, offset: self.told, total: self.total });
                self.told += size as u64;
                self.buffer.clear();
            }
            if wanted == 0 {
                return;
            }
        }
    }
}

/// The longest number's text, and more than an id: what [`Small`] holds.
const SMALL: usize = 256;

/// A short string held whole: an id, a score's text.
pub(super) struct Small {
    bytes: [u8; SMALL],
    length: usize,
    /// There were more bytes than it holds.
    overflown: bool,
}

impl Default for Small {
    fn default() -> Self {
        Self { bytes: [0; SMALL], length: 0, overflown: false }
    }
}

impl Small {
    pub(super) fn clear(&mut self) {
        self.length = 0;
        self.overflown = false;
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.length..self.length + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.overflown = true,
        }
    }

    /// The bytes; `None` where there were too many.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        if self.overflown { None } else { self.bytes.get(..self.length) }
    }

    /// The number that the text is, as servers read scores: decimal, "inf", "-inf", "nan".
    pub(super) fn double(&self) -> Option<f64> {
        double(self.bytes()?)
    }

    /// The number that the text begins with, 0 if none: C's `strtod`, to which servers leave packed scores.
    pub(super) fn leading_double(&self) -> f64 {
        let text = self.bytes().unwrap_or_default();
        (0..text.len()).rev().find_map(|end| double(text.get(..end)?)).unwrap_or(0.0)
    }
}

fn double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Pieces(Vec<(Vec<u8>, u64, u64)>);

    impl Values for Pieces {
        fn text(&mut self, _item: Item, piece: Piece<'_>) {
            self.0.push((piece.bytes.to_vec(), piece.offset, piece.total));
        }
    }

    #[test]
    fn decimals() {
        for number in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            assert_eq!(Decimal::new(number).as_bytes(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn pieces_do_not_depend_on_the_portions() {
        for total in [0, 1, 100, MAX_RDB_WHOLE, MAX_RDB_WHOLE + 1, 2 * MAX_RDB_WHOLE + 17] {
            let bytes: Vec<u8> = (0..total).map(|place| (place % 251) as u8).collect();
            let run = |portion: usize| {
                let (mut assembler, mut pieces) = (Assembler::default(), Pieces::default());
                assembler.begin(Item::String, total as u64, &mut pieces);
                bytes.chunks(portion).for_each(|part| assembler.feed(Item::String, part, &mut pieces));
                pieces.0
            };
            let whole = run(usize::MAX);
            assert_eq!(whole.concat_bytes(), bytes);
            assert!(whole.len() == 1 || total > MAX_RDB_WHOLE);
            for portion in [4097, 70_000, 300_000, RDB_PIECE] {
                assert!(run(portion) == whole, "{total} in {portion}");
            }
        }
    }

    trait ConcatBytes {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl ConcatBytes for Vec<(Vec<u8>, u64, u64)> {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|(bytes, ..)| bytes.iter().copied()).collect()
        }
    }
}
