//! Ziplists (`ziplist.c`), in all small collections before Redis 7.
//!
//! ```text
//! size of the entry before: one byte, or fe + u32     0 at the first entry
//! 00nnnnnn                string of n bytes
//! 01nnnnnn nn             string of up to 16383 bytes, high bits first
//! 80 + u32                string of any length, big-endian
//! c0 d0 e0 f0 fe + 2 4 8 3 1   number, two's complement, little-endian
//! f1 to fd                0 to 12
//! ```

use super::{Blob, Entries, Fault, State, Step, TOO_LONG, TRAILING, wrong};

const HEAD: u64 = 10;
const END: u8 = 0xff;

#[inline]
pub(super) fn step<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    match blob.state {
        State::Entry => entry(blob, rest, place, entries),
        State::Body(left) => blob.body(left, rest, State::Entry, entries),
        State::Head => head(blob, rest),
        State::Tail | State::Done => Err(TRAILING),
    }
}

fn head(blob: &mut Blob, rest: &[u8]) -> Step {
    let [b0, b1, b2, b3, l0, l1, l2, l3, n0, n1, ..] = *rest else { return Ok(None) };
    if u64::from(u32::from_le_bytes([b0, b1, b2, b3])) != blob.length {
        return Err(wrong("its head tells another size than the string has"));
    }
    blob.last = u32::from_le_bytes([l0, l1, l2, l3]).into();
    blob.last_seen = HEAD;
    let count = u16::from_le_bytes([n0, n1]);
    blob.announced = (count != u16::MAX).then_some(count.into());
    blob.state = State::Entry;
    Ok(Some(HEAD as usize))
}

#[inline]
fn entry<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    let (before, head) = match *rest {
        [END, ..] => {
            if blob.last != blob.last_seen {
                return Err(wrong("its head tells another place of the last entry"));
            }
            return blob.end(place);
        }
        [0xfe, a, b, c, d, ..] => (u32::from_le_bytes([a, b, c, d]).into(), 5),
        [0xfe, ..] | [] => return Ok(None),
        [before, ..] => (u64::from(before), 1),
    };
    if before != blob.size {
        return Err(wrong("the size of the entry before is not that entry's"));
    }
    let rest = rest.get(head..).unwrap_or_default();
    if let Some((integer, size)) = integer(rest)? {
        seen(blob, place, (head + size) as u64);
        entries.integer(integer)?;
        return Ok(Some(head + size));
    }
    let (length, size) = match *rest {
        [length @ 0..0x40, ..] => (u64::from(length), 1),
        [high @ 0x40..0x80, low, ..] => (u64::from(high & 0x3f) << 8 | u64::from(low), 2),
        [0x80, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]).into(), 5),
        _ => return Ok(None),
    };
    let head = head + size;
    if place + head as u64 + length >= blob.length {
        return Err(TOO_LONG);
    }
    seen(blob, place, head as u64 + length);
    let whole = usize::try_from(length).ok().and_then(|length| rest.get(size..)?.get(..length));
    if let Some(bytes) = whole {
        entries.whole(bytes)?;
        return Ok(Some(head + bytes.len()));
    }
    blob.state = State::Body(length);
    entries.begin(length)?;
    Ok(Some(head))
}

#[inline]
fn seen(blob: &mut Blob, place: u64, size: u64) {
    blob.entries += 1;
    blob.last_seen = place;
    blob.size = size;
}

/// A number, if one is whole here, and its size with the encoding byte.
#[inline]
fn integer(rest: &[u8]) -> Result<Option<(i64, usize)>, Fault> {
    Ok(Some(match *rest {
        [0..0x80, ..] => return Ok(None),
        [0xc0, a, b, ..] => (i16::from_le_bytes([a, b]).into(), 3),
        [0xd0, a, b, c, d, ..] => (i32::from_le_bytes([a, b, c, d]).into(), 5),
        [0xe0, a, b, c, d, e, f, g, h, ..] => (i64::from_le_bytes([a, b, c, d, e, f, g, h]), 9),
        [0xf0, a, b, c, ..] => ((i32::from_le_bytes([0, a, b, c]) >> 8).into(), 4),
        [0xfe, a, ..] => (i8::from_le_bytes([a]).into(), 2),
        [small @ 0xf1..=0xfd, ..] => (i64::from(small) - 0xf1, 1),
        [0x80 | 0xc0 | 0xd0 | 0xe0 | 0xf0 | 0xfe, ..] | [] => return Ok(None),
        _ => return Err(wrong("a byte that begins no entry")),
    }))
}
