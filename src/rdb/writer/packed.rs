//! Packed collections in the making; `rdb::packed` has their forms.

use std::io;

use super::out::{Bytes, canonical};

/// An entry of a listpack.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    Integer(i64),
    String(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// A text; as a number where it is one's canonical decimal.
    #[inline]
    pub(super) fn text(text: &'a [u8]) -> Self {
        canonical(text).map_or(Self::String(text), Self::Integer)
    }

    /// Bytes before the string, or of the number.
    fn head(self) -> ([u8; 9], usize) {
        let mut head = [0; 9];
        let put = |head: &mut [u8; 9], bytes: &[u8]| {
            head.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            bytes.len()
        };
        let size = match self {
            Self::Integer(number @ 0..0x80) => put(&mut head, &[number as u8]),
            Self::Integer(number @ -0x1000..0x1000) => {
                put(&mut head, &(0xc000 | (number as u16 & 0x1fff)).to_be_bytes())
            }
            Self::Integer(number) => {
                let [a, b, c, d, ..] = number.to_le_bytes();
                match number {
                    -0x8000..0x8000 => put(&mut head, &[0xf1, a, b]),
                    -0x80_0000..0x80_0000 => put(&mut head, &[0xf2, a, b, c]),
                    -0x8000_0000..0x8000_0000 => put(&mut head, &[0xf3, a, b, c, d]),
                    _ => {
                        let long = number.to_le_bytes();
                        head.iter_mut().zip([0xf4].iter().chain(&long)).for_each(|(to, from)| *to = *from);
                        9
                    }
                }
            }
            Self::String(bytes) => match bytes.len() {
                length @ 0..0x40 => put(&mut head, &[0x80 | length as u8]),
                length @ 0x40..0x1000 => put(&mut head, &(0xe000 | length as u16).to_be_bytes()),
                length => {
                    let [a, b, c, d] = (length as u32).to_le_bytes();
                    put(&mut head, &[0xf0, a, b, c, d])
                }
            },
        };
        (head, size)
    }

    fn body(self) -> &'a [u8] {
        match self {
            Self::Integer(_) => &[],
            Self::String(bytes) => bytes,
        }
    }

    /// Bytes in all.
    #[inline]
    pub(super) fn size(self) -> u64 {
        let (_, head) = self.head();
        let size = head as u64 + self.body().len() as u64;
        size + back(size).1 as u64
    }

    /// Writes it.
    #[inline]
    pub(super) fn put(self, out: &mut impl Bytes) -> io::Result<()> {
        let (head, size) = self.head();
        let body = self.body();
        out.put(head.get(..size).unwrap_or_default())?;
        out.put(body)?;
        let (back, backs) = back(size as u64 + body.len() as u64);
        out.put(back.get(..backs).unwrap_or_default())
    }
}

/// An entry's size as it stands behind it, and how many bytes that takes.
fn back(size: u64) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let count = (1..5).find(|count| size >> (7 * count) == 0).unwrap_or(5);
    for (place, byte) in bytes.iter_mut().take(count).enumerate() {
        let group = (size >> (7 * (count - 1 - place))) as u8 & 0x7f;
        *byte = if place == 0 { group } else { group | 0x80 };
    }
    (bytes, count)
}

/// A listpack's head and end mark.
pub(super) const LISTPACK_FRAME: u64 = 7;

/// A listpack's head. A count of 65535 or more is told as 65535.
pub(super) fn listpack_head(size: u64, entries: u64) -> [u8; 6] {
    let [a, b, c, d] = (size as u32).to_le_bytes();
    let [low, high] = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
    [a, b, c, d, low, high]
}

/// A collection whose bytes are held: a listpack, or a ziplist for servers that know no listpack.
///
/// Invariant: `bytes` is the head, to be filled in at the end, and whole entries.
pub(super) struct Pack {
    bytes: Vec<u8>,
    ziplist: bool,
    entries: u64,
    /// Of a ziplist, where the last entry begins and its size.
    last: (usize, usize),
}

impl Pack {
    pub(super) fn new(ziplist: bool) -> Self {
        let mut pack = Self { bytes: Vec::new(), ziplist, entries: 0, last: (0, 0) };
        pack.clear();
        pack
    }

    pub(super) fn clear(&mut self) {
        let head = if self.ziplist { 10 } else { 6 };
        self.bytes.clear();
        self.bytes.resize(head, 0);
        self.entries = 0;
        self.last = (head, 0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Bytes, when it is finished now.
    #[cfg(test)]
    fn size(&self) -> usize {
        self.bytes.len() + 1
    }

    /// How many bytes a text takes in either form, at most.
    pub(super) fn room(text: &[u8]) -> usize {
        text.len() + 10
    }

    /// Adds a text.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.push(Entry::text(text));
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: Entry<'_>) {
        self.entries += 1;
        if self.ziplist {
            self.push_ziplist(entry);
        } else {
            // A vector takes everything.
            let _ = entry.put(&mut self.bytes);
        }
    }

    fn push_ziplist(&mut self, entry: Entry<'_>) {
        let (start, before) = (self.bytes.len(), self.last.1);
        match u8::try_from(before) {
            Ok(before @ 0..254) => self.bytes.push(before),
            _ => {
                self.bytes.push(0xfe);
                self.bytes.extend_from_slice(&(before as u32).to_le_bytes());
            }
        }
        match entry {
            Entry::Integer(number) => {
                let [a, b, c, d, ..] = number.to_le_bytes();
                match number {
                    0..=12 => self.bytes.push(0xf1 + a),
                    -0x80..0x80 => self.bytes.extend_from_slice(&[0xfe, a]),
                    -0x8000..0x8000 => self.bytes.extend_from_slice(&[0xc0, a, b]),
                    -0x80_0000..0x80_0000 => self.bytes.extend_from_slice(&[0xf0, a, b, c]),
                    -0x8000_0000..0x8000_0000 => self.bytes.extend_from_slice(&[0xd0, a, b, c, d]),
                    _ => {
                        self.bytes.push(0xe0);
                        self.bytes.extend_from_slice(&number.to_le_bytes());
                    }
                }
            }
            Entry::String(bytes) => {
                match bytes.len() {
                    length @ 0..0x40 => self.bytes.push(length as u8),
                    length @ 0x40..0x4000 => self.bytes.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
                    length => {
                        self.bytes.push(0x80);
                        self.bytes.extend_from_slice(&(length as u32).to_be_bytes());
                    }
                }
                self.bytes.extend_from_slice(bytes);
            }
        }
        self.last = (start, self.bytes.len() - start);
    }

    /// The whole. To begin the next, [`Pack::clear`].
    pub(super) fn finish(&mut self) -> &[u8] {
        self.bytes.push(0xff);
        let size = self.bytes.len() as u64;
        let mut head = [0; 10];
        let length = if self.ziplist {
            let tail = (self.last.0 as u32).to_le_bytes();
            let entries = u16::try_from(self.entries).unwrap_or(u16::MAX).to_le_bytes();
            let parts = (size as u32).to_le_bytes().into_iter().chain(tail).chain(entries);
            head.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
            10
        } else {
            head.iter_mut().zip(listpack_head(size, self.entries)).for_each(|(to, from)| *to = from);
            6
        };
        self.bytes.iter_mut().zip(head).take(length).for_each(|(to, from)| *to = from);
        &self.bytes
    }
}

/// An intset of integers in ascending order, no two the same.
pub(super) fn intset(integers: &[i64]) -> Vec<u8> {
    let fits = |low: i64, high: i64| integers.iter().all(|integer| (low..=high).contains(integer));
    let width = match () {
        () if fits(i16::MIN.into(), i16::MAX.into()) => 2,
        () if fits(i32::MIN.into(), i32::MAX.into()) => 4,
        () => 8,
    };
    let mut bytes = Vec::with_capacity(8 + width * integers.len());
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&(integers.len() as u32).to_le_bytes());
    for integer in integers {
        bytes.extend_from_slice(integer.to_le_bytes().get(..width).unwrap_or_default());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::error::Fault;
    use crate::rdb::packed::{Blob, Entries, Form};
    use proptest::prelude::*;

    #[derive(Default, Debug, PartialEq)]
    struct Seen(Vec<Vec<u8>>);

    impl Entries for Seen {
        fn integer(&mut self, integer: i64) -> Result<(), Fault> {
            self.0.push(integer.to_string().into_bytes());
            Ok(())
        }
        fn begin(&mut self, _: u64) -> Result<(), Fault> {
            self.0.push(Vec::new());
            Ok(())
        }
        fn part(&mut self, bytes: &[u8]) -> Result<(), Fault> {
            self.0.last_mut().unwrap().extend_from_slice(bytes);
            Ok(())
        }
    }

    fn read(form: Form, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut blob, mut seen) = (Blob::default(), Seen::default());
        blob.begin(form, bytes.len() as u64, false);
        blob.feed(bytes, &mut seen).unwrap();
        blob.finish().unwrap();
        seen.0
    }

    #[test]
    fn every_width_is_read_back() {
        let mut texts: Vec<Vec<u8>> = [0usize, 1, 63, 64, 253, 254, 255, 4095, 4096, 16_383, 16_384, 70_000]
            .map(|length| vec![b'x'; length])
            .to_vec();
        for bits in 0..63 {
            let number = 1i64 << bits;
            texts.extend([number - 1, number, -number, -number - 1].map(|number| number.to_string().into_bytes()));
        }
        texts.extend([i64::MAX, i64::MIN].map(|number| number.to_string().into_bytes()));
        texts.extend([b"-0".to_vec(), b"007".to_vec()]);
        for (ziplist, form) in [(false, Form::Listpack), (true, Form::Ziplist)] {
            let mut pack = Pack::new(ziplist);
            let mut size = LISTPACK_FRAME;
            for text in &texts {
                let before = pack.size();
                pack.text(text);
                size += Entry::text(text).size();
                assert!(pack.size() - before <= Pack::room(text));
            }
            let bytes = pack.finish();
            assert!(ziplist || size == bytes.len() as u64);
            assert_eq!(read(form, bytes), texts);
            pack.clear();
            assert!(read(form, pack.finish()).is_empty());
        }
    }

    #[test]
    fn more_entries_than_the_head_can_tell() {
        for (ziplist, form) in [(false, Form::Listpack), (true, Form::Ziplist)] {
            let mut pack = Pack::new(ziplist);
            (0..70_000).for_each(|_| pack.text(b"7"));
            assert_eq!(read(form, pack.finish()).len(), 70_000);
        }
    }

    proptest! {
        #[test]
        fn intsets_are_read_back(integers in prop::collection::btree_set(any::<i64>().prop_map(|n| n >> (n & 63)), 0..50)) {
            let integers: Vec<i64> = integers.into_iter().collect();
            let texts: Vec<Vec<u8>> = integers.iter().map(|number| number.to_string().into_bytes()).collect();
            prop_assert_eq!(read(Form::Intset, &intset(&integers)), texts);
        }
    }
}
