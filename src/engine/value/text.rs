//! String values.

use std::sync::Arc;

use super::Blob;

/// A string value: a number where its text is a number's canonical decimal, so that INCR needs no parsing; bytes that are
/// replaced as a whole; or bytes that are changed in place (APPEND, SETRANGE, SETBIT), which have room to grow.
#[derive(Clone, Debug)]
pub enum Text {
    /// A number that stands for its decimal text.
    Integer(i64),
    /// Bytes.
    Bytes(Blob),
    /// Bytes under change.
    Growing(Arc<Vec<u8>>),
}

/// Room for a number's decimal text.
pub type Decimal = itoa::Buffer;

impl Text {
    /// The bytes; a number's are written into `decimal`.
    #[inline]
    pub fn bytes<'a>(&'a self, decimal: &'a mut Decimal) -> &'a [u8] {
        match self {
            Self::Integer(number) => decimal.format(*number).as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Growing(bytes) => bytes,
        }
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Integer(number) => Decimal::new().format(*number).len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Growing(bytes) => bytes.len(),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number that the text is, in canonical decimal, within 64 bits.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Bytes(bytes) => integer(bytes),
            Self::Growing(bytes) => integer(bytes),
        }
    }

    /// The bytes to be changed in place. While a snapshot holds them they are copied first.
    pub fn growing(&mut self) -> &mut Vec<u8> {
        let bytes = match self {
            Self::Growing(bytes) => std::mem::take(bytes),
            _ => Arc::new(self.bytes(&mut Decimal::new()).to_vec()),
        };
        *self = Self::Growing(bytes);
        let Self::Growing(bytes) = self else { unreachable!("it was just made so") };
        Arc::make_mut(bytes)
    }
}

impl From<&[u8]> for Text {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        integer(bytes).map_or_else(|| Self::Bytes(bytes.into()), Self::Integer)
    }
}

/// The number whose canonical decimal text this is: no plus, no leading zeros, no blanks (`string2ll` of the servers).
#[inline]
#[must_use]
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return (!negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut number = 0_i64;
    for digit in digits {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        // Downwards, since the least number has no positive.
        number = number.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(number) } else { number.checked_neg() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimals_are_integers() {
        for number in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(integer(number.to_string().as_bytes()), Some(number));
        }
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "-9223372036854775809", "1e3"]
        {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_change_in_place_leaves_copies_alone() {
        let mut text = Text::from(&b"12"[..]);
        text.growing().push(b'3');
        let copy = text.clone();
        text.growing().push(b'4');
        assert_eq!(copy.bytes(&mut Decimal::new()), b"123");
        assert_eq!(text.bytes(&mut Decimal::new()), b"1234");
        assert_eq!(text.integer(), Some(1234));
    }
}
