//! Listpacks (`listpack.c` of Redis and Valkey), since version 5 in streams and since 7 in all small collections.
//!
//! ```text
//! 0nnnnnnn                 7-bit number
//! 10nnnnnn                 string of n bytes
//! 110nnnnn nn              13-bit number, two's complement, high bits first
//! 1110nnnn nn              string of up to 4095 bytes, high bits first
//! f0 + u32                 string of any length
//! f1 f2 f3 f4 + 2 3 4 8    number, two's complement
//! ```
//! Behind each stands the size of what was just said, in groups of seven bits, the highest first, the high bit set on
//! all but the first; it is read from the end backwards.

use super::{Blob, Entries, Fault, State, Step, TOO_LONG, TRAILING, wrong};

const HEAD: u64 = 6;
const END: u8 = 0xff;

#[inline]
pub(super) fn step<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    match blob.state {
        State::Entry => match short_entries(blob, rest, place, entries)? {
            0 => entry(blob, rest, place, entries),
            taken => Ok(Some(taken)),
        },
        State::Body(left) => blob.body(left, rest, State::Tail, entries),
        State::Tail => match back_length(blob.size, rest)? {
            Some(taken) => {
                blob.state = State::Entry;
                Ok(Some(taken))
            }
            None => Ok(None),
        },
        State::Head => head(blob, rest),
        State::Done => Err(TRAILING),
    }
}

fn head(blob: &mut Blob, rest: &[u8]) -> Step {
    let [b0, b1, b2, b3, n0, n1, ..] = *rest else { return Ok(None) };
    if u64::from(u32::from_le_bytes([b0, b1, b2, b3])) != blob.length {
        return Err(wrong("its head tells another size than the string has"));
    }
    let count = u16::from_le_bytes([n0, n1]);
    blob.announced = (count != u16::MAX).then_some(count.into());
    blob.state = State::Entry;
    Ok(Some(HEAD as usize))
}

/// The common entries, small numbers and short strings, as long as they come whole and right; gives their size. Anything
/// else is left for [`entry`], whatever is wrong with it.
#[inline]
fn short_entries<E: Entries>(blob: &mut Blob, window: &[u8], place: u64, entries: &mut E) -> Result<usize, Fault> {
    let (mut rest, mut count) = (window, 0);
    let taken = |rest: &[u8]| window.len() - rest.len();
    loop {
        entries.place(place + taken(rest) as u64);
        let (told, after) = match *rest {
            [small @ 0..0x80, 1, ref after @ ..] => (entries.integer(small.into()), after),
            [length @ 0x80..0xc0, ref after @ ..] => match after.split_at_checked(usize::from(length & 0x3f)) {
                Some((bytes, [back, after @ ..])) if *back == (length & 0x3f) + 1 => (entries.whole(bytes), after),
                _ => break,
            },
            _ => break,
        };
        told.map_err(|fault| blob.locate(fault, place + taken(rest) as u64))?;
        rest = after;
        count += 1;
    }
    blob.entries += count;
    Ok(taken(rest))
}

/// The kind of an entry, and how many bytes stand before its string or are its number.
enum Kind {
    Integer(i64),
    String(u64),
}

#[inline]
fn entry<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    let (kind, head) = match *rest {
        [small @ 0..0x80, ..] => (Kind::Integer(small.into()), 1),
        [length @ 0x80..0xc0, ..] => (Kind::String(u64::from(length & 0x3f)), 1),
        [END, ..] => return blob.end(place),
        _ => match long_kind(rest)? {
            Some(found) => found,
            None => return Ok(None),
        },
    };
    let length = match kind {
        Kind::Integer(integer) => {
            let Some(back) = back_length(head as u64, rest.get(head..).unwrap_or_default())? else { return Ok(None) };
            blob.entries += 1;
            entries.integer(integer)?;
            return Ok(Some(head + back));
        }
        Kind::String(length) => length,
    };
    let size = head as u64 + length;
    if place + size >= blob.length {
        return Err(TOO_LONG);
    }
    // The common string: whole in the window, with its size behind it.
    if let Some((bytes, after)) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.get(head..)?.split_at_checked(length))
        .filter(|(_, after)| after.len() >= 5)
    {
        blob.entries += 1;
        entries.whole(bytes)?;
        if let Ok(Some(back)) = back_length(size, after) {
            return Ok(Some(head + bytes.len() + back));
        }
        // Wrong: told by the state for it, at the same place as where the window ends before.
        blob.size = size;
        blob.state = State::Tail;
        return Ok(Some(head + bytes.len()));
    }
    blob.entries += 1;
    blob.size = size;
    blob.state = if length == 0 { State::Tail } else { State::Body(length) };
    entries.begin(length)?;
    Ok(Some(head))
}

#[inline]
fn long_kind(rest: &[u8]) -> Result<Option<(Kind, usize)>, Fault> {
    Ok(Some(match *rest {
        [high @ 0xc0..0xe0, low, ..] => {
            let bits = i64::from(high & 0x1f) << 8 | i64::from(low);
            (Kind::Integer(if bits >= 1 << 12 { bits - (1 << 13) } else { bits }), 2)
        }
        [high @ 0xe0..=0xef, low, ..] => (Kind::String(u64::from(high & 0x0f) << 8 | u64::from(low)), 2),
        [0xf0, a, b, c, d, ..] => (Kind::String(u32::from_le_bytes([a, b, c, d]).into()), 5),
        [0xf1, a, b, ..] => (Kind::Integer(i16::from_le_bytes([a, b]).into()), 3),
        [0xf2, a, b, c, ..] => (Kind::Integer((i32::from_le_bytes([0, a, b, c]) >> 8).into()), 4),
        [0xf3, a, b, c, d, ..] => (Kind::Integer(i32::from_le_bytes([a, b, c, d]).into()), 5),
        [0xf4, a, b, c, d, e, f, g, h, ..] => (Kind::Integer(i64::from_le_bytes([a, b, c, d, e, f, g, h])), 9),
        [0xf5..=0xfe, ..] => return Err(wrong("a byte that begins no entry")),
        _ => return Ok(None),
    }))
}

/// Compares the size behind an entry; gives how many bytes say it.
#[inline]
fn back_length(size: u64, rest: &[u8]) -> Step {
    const WRONG: Fault = wrong("the size behind an entry is not the entry's");
    if size < 128 {
        return match rest.first() {
            Some(back) if u64::from(*back) == size => Ok(Some(1)),
            Some(_) => Err(WRONG),
            None => Ok(None),
        };
    }
    let groups = (64 - size.leading_zeros()).div_ceil(7);
    for group in 0..groups {
        let Some(byte) = rest.get(group as usize) else { return Ok(None) };
        let bits = (size >> (7 * (groups - 1 - group))) as u8 & 0x7f;
        if *byte != if group == 0 { bits } else { bits | 0x80 } {
            return Err(WRONG);
        }
    }
    Ok(Some(groups as usize))
}
