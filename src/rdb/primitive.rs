//! The primitives every record is made of, read off a slice.
//!
//! ```text
//! length   00xxxxxx                    6 bits
//!          01xxxxxx yy                 14 bits, big-endian
//!          80 + 4 bytes                32 bits, big-endian
//!          81 + 8 bytes                64 bits, big-endian
//! string   a length, then the bytes
//!          c0 + 1, c1 + 2, c2 + 4      a signed integer, little-endian, standing for its decimal text
//!          c3 + length + length        LZF: compressed size, expanded size, then the compressed bytes
//! ```
//!
//! Each reader gives a whole primitive, a fault, or [`Stop::Starved`] when the slice ends inside it; the caller then
//! winds the cursor back and comes again with more bytes. No primitive is longer than [`LONGEST`], which bounds what
//! has to be carried from one slice to the next: strings count here without their bodies.

use super::error::Fault;
use crate::bounds::MAX_RDB_LENGTH;

/// The longest primitive in bytes: a RESP line of a sign, 20 digits and CRLF. (A string's head has at most 19.)
pub(super) const LONGEST: usize = 23;

/// The most decimal digits of a 64-bit number.
const DIGITS: usize = 20;

/// LZF expands three bytes to at most 264.
const LZF_GAIN: u64 = 264 / 3;

/// Why a primitive was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The slice ends inside it.
    Starved,
    /// It cannot be right.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What stands before a string's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The bytes themselves follow, so many.
    Plain(u64),
    /// The string is this number's decimal text; nothing follows.
    Integer(i64),
    /// LZF data follows.
    Compressed {
        /// Bytes that follow.
        compressed: u64,
        /// Bytes they expand to.
        expanded: u64,
    },
}

impl Head {
    /// How many bytes follow in the file.
    pub(super) fn stored(self) -> u64 {
        match self {
            Self::Plain(length) => length,
            Self::Integer(_) => 0,
            Self::Compressed { compressed, .. } => compressed,
        }
    }
}

/// A slice and a place in it. Invariant: position <= bytes.len().
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    #[inline]
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Goes back to a position that was read before, to read it again with more bytes.
    pub(super) fn rewind(&mut self, position: usize) {
        self.position = position.min(self.position);
    }

    /// The bytes not yet read.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.position).ok_or(Stop::Starved)?;
        self.position += 1;
        Ok(byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let array = *self.rest().first_chunk().ok_or(Stop::Starved)?;
        self.position += N;
        Ok(array)
    }

    /// Exactly `size` bytes; for fields of fixed size no longer than [`LONGEST`].
    #[inline]
    pub(super) fn field(&mut self, size: usize) -> Result<&'a [u8], Stop> {
        let field = self.rest().get(..size).ok_or(Stop::Starved)?;
        self.position += size;
        Ok(field)
    }

    /// As many of the next `limit` bytes as the slice holds.
    #[inline]
    pub(super) fn up_to(&mut self, limit: u64) -> &'a [u8] {
        let rest = self.rest();
        let size = usize::try_from(limit).map_or(rest.len(), |limit| limit.min(rest.len()));
        self.position += size;
        rest.get(..size).unwrap_or_default()
    }

    /// A number in the length encoding, of any size.
    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, Stop> {
        let first = self.byte()?;
        if first < 0x40 {
            return Ok(u64::from(first));
        }
        self.long_number(first)
    }

    #[inline]
    fn long_number(&mut self, first: u8) -> Result<u64, Stop> {
        match first {
            0x00..=0x3f => Ok(u64::from(first)),
            0x40..=0x7f => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            0x80 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            0x81 => Ok(u64::from_be_bytes(self.array()?)),
            0x82..=0xbf => Err(Fault::LengthEncoding(first).into()),
            0xc0..=0xff => Err(Fault::NotALength(first).into()),
        }
    }

    /// A number that says how many bytes or elements follow.
    #[inline]
    pub(super) fn count(&mut self) -> Result<u64, Stop> {
        plausible(self.number()?)
    }

    /// A string's head; the stored bytes follow.
    #[inline]
    pub(super) fn head(&mut self) -> Result<Head, Stop> {
        let first = self.byte()?;
        match first {
            0x00..=0x3f => Ok(Head::Plain(u64::from(first))),
            0x40..=0xbf => Ok(Head::Plain(plausible(self.long_number(first)?)?)),
            0xc0 => Ok(Head::Integer(i8::from_le_bytes(self.array()?).into())),
            0xc1 => Ok(Head::Integer(i16::from_le_bytes(self.array()?).into())),
            0xc2 => Ok(Head::Integer(i32::from_le_bytes(self.array()?).into())),
            0xc3 => {
                let (compressed, expanded) = (self.count()?, self.number()?);
                if expanded == 0 || expanded > compressed.saturating_mul(LZF_GAIN) {
                    return Err(Fault::LzfSizes { compressed, expanded }.into());
                }
                Ok(Head::Compressed { compressed, expanded })
            }
            0xc4..=0xff => Err(Fault::StringEncoding(first).into()),
        }
    }

    /// A plain string of fewer than 2^14 bytes that the slice holds whole; `None`, and nothing read, where one of
    /// this is not so. What [`Cursor::head`] would say of it as well, only faster.
    #[inline]
    pub(super) fn plain(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let (first, after) = rest.split_first()?;
        let (length, after) = match *first {
            0x00..=0x3f => (usize::from(*first), after),
            0x40..=0x7f => {
                let (second, after) = after.split_first()?;
                (usize::from(first & 0x3f) << 8 | usize::from(*second), after)
            }
            _ => return None,
        };
        let bytes = after.get(..length)?;
        self.position += rest.len() - after.len() + length;
        Some(bytes)
    }

    /// A RESP line: `sign`, a decimal number, CRLF.
    pub(super) fn resp_line(&mut self, sign: u8) -> Result<u64, Stop> {
        if self.byte()? != sign {
            return Err(Fault::Resp("another type stands in its place").into());
        }
        let mut number = 0u64;
        for digits in 0..=DIGITS {
            let byte = self.byte()?;
            match byte {
                b'0'..=b'9' if digits < DIGITS => {
                    let grown = number.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(byte - b'0')));
                    number = grown.ok_or(Fault::Resp("its length overflows"))?;
                }
                b'\r' if digits > 0 => {
                    return if self.byte()? == b'\n' {
                        plausible(number)
                    } else {
                        Err(Fault::Resp("a carriage return without its line feed").into())
                    };
                }
                _ => break,
            }
        }
        Err(Fault::Resp("its length is not a number").into())
    }
}

#[inline]
fn plausible(length: u64) -> Result<u64, Stop> {
    if length < MAX_RDB_LENGTH { Ok(length) } else { Err(Fault::LengthTooLarge(length).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_width() {
        let number = |bytes: &[u8]| Cursor::new(bytes).number();
        assert_eq!(number(&[0x3f]), Ok(63));
        assert_eq!(number(&[0x41, 0x02]), Ok(258));
        assert_eq!(number(&[0x80, 0, 1, 0, 0]), Ok(65_536));
        assert_eq!(number(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Ok(u64::MAX));
        assert_eq!(number(&[0x82, 0]), Err(Fault::LengthEncoding(0x82).into()));
        assert_eq!(number(&[0xc0, 0]), Err(Fault::NotALength(0xc0).into()));
        assert_eq!(number(&[0x80, 0, 1, 0]), Err(Stop::Starved));
        assert_eq!(number(&[]), Err(Stop::Starved));
    }

    #[test]
    fn string_heads() {
        let head = |bytes: &[u8]| Cursor::new(bytes).head();
        assert_eq!(head(&[0xc0, 0x07]), Ok(Head::Integer(7)));
        assert_eq!(head(&[0xc1, 0xb8, 0x0b]), Ok(Head::Integer(3000)));
        assert_eq!(head(&[0xc2, 0x00, 0x94, 0x35, 0x77]), Ok(Head::Integer(2_000_000_000)));
        assert_eq!(head(&[0xc0, 0x80]), Ok(Head::Integer(-128)));
        assert_eq!(head(&[0xc3, 0x10, 0x40, 0x60]), Ok(Head::Compressed { compressed: 16, expanded: 96 }));
        assert_eq!(
            head(&[0xc3, 0x01, 0x40, 0x60]),
            Err(Fault::LzfSizes { compressed: 1, expanded: 96 }.into()),
            "one byte cannot hold 96"
        );
        assert_eq!(head(&[0xc3, 0x01, 0]), Err(Fault::LzfSizes { compressed: 1, expanded: 0 }.into()));
        assert_eq!(head(&[0xc4]), Err(Fault::StringEncoding(0xc4).into()));
        assert_eq!(head(&[0x81, 0, 0, 1, 0, 0, 0, 0, 0]), Err(Fault::LengthTooLarge(1 << 40).into()));
    }

    #[test]
    fn short_plain_strings() {
        let plain = |bytes: &'static [u8]| {
            let mut cursor = Cursor::new(bytes);
            (cursor.plain(), cursor.position())
        };
        assert_eq!(plain(b"\x02abc"), (Some(&b"ab"[..]), 3));
        assert_eq!(plain(b"\x40\x02abc"), (Some(&b"ab"[..]), 4));
        assert_eq!(plain(b"\x00"), (Some(&b""[..]), 1));
        for other in [&b"\x03ab"[..], b"\x40", b"", b"\xc0\x01", b"\x80\0\0\0\x01a"] {
            assert_eq!(plain(other), (None, 0));
        }
    }

    #[test]
    fn resp_lines() {
        let line = |bytes: &[u8]| Cursor::new(bytes).resp_line(b'$');
        assert_eq!(line(b"$12\r\nrest"), Ok(12));
        assert_eq!(line(b"$12\r"), Err(Stop::Starved));
        assert!(matches!(line(b"*1\r\n"), Err(Stop::Fault(_))));
        assert!(matches!(line(b"$\r\n"), Err(Stop::Fault(_))));
        assert!(matches!(line(b"$-1\r\n"), Err(Stop::Fault(_))));
        assert!(matches!(line(b"$99999999999999999999\r\n"), Err(Stop::Fault(_))));
        assert!(matches!(line(b"$000000000000000000001\r\n"), Err(Stop::Fault(_))));
        assert_eq!(line(b"$00000000000000000001\r\n"), Ok(1), "the longest primitive: {LONGEST} bytes");
    }
}
