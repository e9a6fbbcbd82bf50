//! Zipmaps (`zipmap.c`), small hashes before Redis 2.6.
//!
//! A size is one byte below 254, or fe and a u32. A field is a size and its bytes; a value a size, a byte that tells how
//! many unused bytes stand behind it, its bytes, and those. 254 or more fields are not told in the head.

use super::{Blob, Entries, State, Step, TOO_LONG, TRAILING, wrong};

const END: u8 = 0xff;

#[inline]
pub(super) fn step<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    match blob.state {
        State::Entry => entry(blob, rest, place, entries),
        State::Body(left) => blob.body(left, rest, State::Tail, entries),
        State::Tail => tail(blob, rest, place),
        State::Head => {
            let Some(count) = rest.first() else { return Ok(None) };
            blob.announced = (*count < 254).then_some(2 * u64::from(*count));
            blob.state = State::Entry;
            Ok(Some(1))
        }
        State::Done => Err(TRAILING),
    }
}

fn entry<E: Entries>(blob: &mut Blob, rest: &[u8], place: u64, entries: &mut E) -> Step {
    let (length, head) = match *rest {
        [END, ..] if !blob.value => return blob.end(place),
        [END, ..] => return Err(wrong("a field without a value")),
        [0xfe, a, b, c, d, ..] => (u64::from(u32::from_le_bytes([a, b, c, d])), 5),
        [0xfe, ..] | [] => return Ok(None),
        [length, ..] => (u64::from(length), 1),
    };
    let mut head: usize = head;
    if blob.value {
        let Some(slack) = rest.get(head) else { return Ok(None) };
        blob.slack = u64::from(*slack);
        head += 1;
    }
    if place + head as u64 + length >= blob.length {
        return Err(TOO_LONG);
    }
    blob.entries += 1;
    blob.state = if length == 0 { State::Tail } else { State::Body(length) };
    entries.begin(length)?;
    Ok(Some(head))
}

/// Skips a value's unused bytes; nothing stands behind a field. May take no byte, but then changes the state.
fn tail(blob: &mut Blob, rest: &[u8], place: u64) -> Step {
    let slack = std::mem::take(&mut blob.slack);
    if place + slack >= blob.length {
        return Err(TOO_LONG);
    }
    let size = usize::try_from(slack).map_or(rest.len(), |slack| slack.min(rest.len()));
    blob.slack = slack - size as u64;
    if blob.slack == 0 {
        blob.value = !blob.value;
        blob.state = State::Entry;
    }
    Ok(Some(size))
}
