//! Intsets (`intset.c`): sets of nothing but integers, in ascending order, all of the width of the widest.

use super::{Blob, Entries, State, Step, TRAILING, wrong};

const HEAD: u64 = 8;

#[inline]
pub(super) fn step<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    match blob.state {
        State::Entry => integer(blob, rest, place, entries),
        State::Head => head(blob, rest),
        State::Body(_) | State::Tail | State::Done => Err(TRAILING),
    }
}

fn head(blob: &mut Blob, rest: &[u8]) -> Step {
    let [w0, w1, w2, w3, n0, n1, n2, n3, ..] = *rest else { return Ok(None) };
    let width = u32::from_le_bytes([w0, w1, w2, w3]);
    if !matches!(width, 2 | 4 | 8) {
        return Err(wrong("its integers have no width of 2, 4 or 8 bytes"));
    }
    let count = u64::from(u32::from_le_bytes([n0, n1, n2, n3]));
    if HEAD + u64::from(width) * count != blob.length {
        return Err(wrong("its head tells another size than the string has"));
    }
    blob.width = width as usize;
    blob.announced = Some(count);
    blob.state = if count == 0 { State::Done } else { State::Entry };
    Ok(Some(HEAD as usize))
}

#[inline]
fn integer<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    let integer = match (blob.width, rest) {
        (2, [a, b, ..]) => i16::from_le_bytes([*a, *b]).into(),
        (4, [a, b, c, d, ..]) => i32::from_le_bytes([*a, *b, *c, *d]).into(),
        (8, [a, b, c, d, e, f, g, h, ..]) => i64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        _ => return Ok(None),
    };
    if blob.greatest.is_some_and(|greatest| integer <= greatest) {
        return Err(wrong("its integers are not in ascending order"));
    }
    blob.greatest = Some(integer);
    blob.entries += 1;
    if place + blob.width as u64 == blob.length {
        blob.state = State::Done;
    }
    entries.integer(integer)?;
    Ok(Some(blob.width))
}
