//! Bytes on their way out: a small buffer, the checksum, and the primitives that everything is made of.

use std::io::{self, Write};

use crc_fast::{CrcAlgorithm, Digest};

use crate::bounds::{RDB_COMPRESSION_BLOCK, RDB_WRITE_BUFFER};
use crate::rdb::compress::Compressor;

/// Takes bytes: the output, or a packed collection in the making.
pub(super) trait Bytes {
    /// Appends them.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Bytes for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// See the module's text. Invariant: all of `buffer` is still to be checksummed and given on.
pub(super) struct Out<W> {
    inner: W,
    buffer: Vec<u8>,
    digest: Digest,
    given: u64,
    /// LZF, unless the RDB is to have none.
    compressor: Option<Compressor>,
}

impl<W: Write> Out<W> {
    pub(super) fn new(inner: W, compress: bool) -> Self {
        Self {
            inner,
            buffer: Vec::with_capacity(RDB_WRITE_BUFFER),
            digest: Digest::new(CrcAlgorithm::Crc64Redis),
            given: 0,
            compressor: compress.then(Compressor::default),
        }
    }

    /// Bytes so far.
    pub(super) fn written(&self) -> u64 {
        self.given + self.buffer.len() as u64
    }

    pub(super) fn get_ref(&self) -> &W {
        &self.inner
    }

    pub(super) fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        // First counted, then given: an error leaves nothing to be given twice.
        let buffer = std::mem::take(&mut self.buffer);
        let given = self.give(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        given
    }

    fn give(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.given += bytes.len() as u64;
        self.inner.write_all(bytes)
    }

    /// The checksum of all bytes so far, little-endian behind them, or eight zero bytes; then everything is given on.
    pub(super) fn checksum(&mut self, wanted: bool) -> io::Result<()> {
        self.flush()?;
        let checksum = if wanted { self.digest.finalize() } else { 0 };
        self.put(&checksum.to_le_bytes())
    }

    pub(super) fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) -> io::Result<()> {
        self.put(&[byte])
    }

    /// A length, count or number.
    #[inline]
    pub(super) fn number(&mut self, number: u64) -> io::Result<()> {
        match number {
            0..0x40 => self.put(&[number as u8]),
            0x40..0x4000 => self.put(&(0x4000 | number as u16).to_be_bytes()),
            _ => match u32::try_from(number) {
                Ok(number) => {
                    let [a, b, c, d] = number.to_be_bytes();
                    self.put(&[0x80, a, b, c, d])
                }
                Err(_) => {
                    self.byte(0x81)?;
                    self.put(&number.to_be_bytes())
                }
            },
        }
    }

    #[inline]
    pub(super) fn count(&mut self, count: usize) -> io::Result<()> {
        self.number(count as u64)
    }

    /// A string in the shortest of its forms: an integer where the text is one's canonical decimal, LZF where that is
    /// wanted and shrinks it, else as it is.
    pub(super) fn string(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(number) = canonical(bytes).and_then(|number| i32::try_from(number).ok()) {
            let [a, b, c, d] = number.to_le_bytes();
            return match number {
                -0x80..0x80 => self.put(&[0xc0, a]),
                -0x8000..0x8000 => self.put(&[0xc1, a, b]),
                _ => self.put(&[0xc2, a, b, c, d]),
            };
        }
        let Some(mut compressor) = self.compressor.take() else { return self.plain(bytes) };
        let put = self.compressed(bytes, &mut compressor);
        self.compressor = Some(compressor);
        put
    }

    fn compressed(&mut self, bytes: &[u8], compressor: &mut Compressor) -> io::Result<()> {
        let Some((size, whole)) = compressor.compress(bytes) else { return self.plain(bytes) };
        self.byte(0xc3)?;
        self.count(size)?;
        self.count(bytes.len())?;
        if let Some(whole) = whole {
            return self.put(whole);
        }
        bytes.chunks(RDB_COMPRESSION_BLOCK).try_for_each(|block| self.put(compressor.block(block)))
    }

    /// A string as it is.
    #[inline]
    pub(super) fn plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.count(bytes.len())?;
        self.put(bytes)
    }
}

impl<W: Write> Bytes for Out<W> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > RDB_WRITE_BUFFER {
            self.flush()?;
            if bytes.len() >= RDB_WRITE_BUFFER {
                return self.give(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }
}

/// The number whose decimal text this is, and the only one that it can have: no plus, no needless zero, no "-0".
#[inline]
pub(super) fn canonical(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] if digits.len() == text.len() => return Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 19 && rest.iter().all(u8::is_ascii_digit) => {}
        _ => return None,
    }
    let negative = digits.len() < text.len();
    // Downwards, where there is room for the least.
    digits
        .iter()
        .try_fold(0i64, |number, digit| number.checked_mul(10)?.checked_sub(i64::from(digit - b'0')))
        .and_then(|number| if negative { Some(number) } else { number.checked_neg() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Out<Vec<u8>>) -> io::Result<()>) -> Vec<u8> {
        let mut out = Out::new(Vec::new(), true);
        write(&mut out).unwrap();
        out.into_inner().unwrap()
    }

    #[test]
    fn canonical_decimals_only() {
        for number in [0, 1, -1, 42, i64::from(i32::MIN), i64::MAX, i64::MIN] {
            assert_eq!(canonical(number.to_string().as_bytes()), Some(number));
        }
        for other in ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1a", "9223372036854775808", "-9223372036854775809"]
        {
            assert_eq!(canonical(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn strings_as_servers_write_them() {
        let string = |text: &[u8]| written(|out| out.string(text));
        assert_eq!(string(b"7"), [0xc0, 7]);
        assert_eq!(string(b"-128"), [0xc0, 0x80]);
        assert_eq!(string(b"3000"), [0xc1, 0xb8, 0x0b]);
        assert_eq!(string(b"2000000000"), [0xc2, 0x00, 0x94, 0x35, 0x77]);
        assert_eq!(string(b"2147483648"), b"\x0a2147483648");
        assert_eq!(string(b""), [0]);
        let lzf = string(&b"abcdefgh".repeat(12));
        assert_eq!(lzf[0], 0xc3);
        assert!(lzf.len() < 20);
    }

    #[test]
    fn numbers_in_every_width() {
        let number = |number| written(|out| out.number(number));
        assert_eq!(number(63), [0x3f]);
        assert_eq!(number(64), [0x40, 64]);
        assert_eq!(number(16_384), [0x80, 0, 0, 0x40, 0]);
        assert_eq!(number(u64::MAX), [0x81, 255, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn long_bytes_pass_the_buffer_in_order() {
        let long = vec![7; 3 * RDB_WRITE_BUFFER];
        let bytes = written(|out| {
            out.put(b"ab")?;
            out.put(&long)?;
            out.put(b"c")
        });
        assert_eq!(bytes.len(), long.len() + 3);
        assert_eq!((bytes[0], bytes[2], bytes[bytes.len() - 1]), (b'a', 7, b'c'));
    }
}
