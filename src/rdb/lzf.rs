//! LZF, the compression of RDB strings.
//!
//! ```text
//! 000nnnnn                     n + 1 literal bytes follow
//! lllooooo oooooooo            copy l + 2 bytes from o + 1 bytes back (l from 1 to 6)
//! 111ooooo llllllll oooooooo   the same with a length of l + 9
//! ```
//!
//! A copy may overlap its own output; that is how runs are packed.

use super::error::Fault;

/// Expands `packed` to exactly `expanded` bytes. The caller bounds `expanded`: so much is allocated.
///
/// # Errors
/// [`Fault::LzfData`] where the data ends inside an instruction, reaches back before its beginning, or gives another
/// number of bytes.
pub(super) fn expand(packed: &[u8], expanded: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(expanded);
    let mut rest = packed;
    while let Some(control) = take(&mut rest) {
        if control < 0x20 {
            let (literals, after) = rest.split_at_checked(usize::from(control) + 1).ok_or(CUT)?;
            rest = after;
            check_room(&out, literals.len(), expanded)?;
            out.extend_from_slice(literals);
            continue;
        }
        let length = match control >> 5 {
            7 => usize::from(take(&mut rest).ok_or(CUT)?) + 9,
            length => usize::from(length) + 2,
        };
        let back = (usize::from(control & 0x1f) << 8 | usize::from(take(&mut rest).ok_or(CUT)?)) + 1;
        check_room(&out, length, expanded)?;
        let from = out.len().checked_sub(back).ok_or(Fault::LzfData("copies from before its beginning"))?;
        copy_within(&mut out, from, length);
    }
    if out.len() == expanded { Ok(out) } else { Err(Fault::LzfData("expands to less than announced")) }
}

const CUT: Fault = Fault::LzfData("ends inside an instruction");

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

fn check_room(out: &[u8], more: usize, expanded: usize) -> Result<(), Fault> {
    if out.len() + more <= expanded { Ok(()) } else { Err(Fault::LzfData("expands to more than announced")) }
}

/// Appends `length` bytes that begin at `from`; where they reach the end of what is there, what was appended is copied
/// again. Each round doubles the bytes that can be copied at once.
fn copy_within(out: &mut Vec<u8>, from: usize, mut length: usize) {
    while length > 0 {
        let size = length.min(out.len() - from);
        out.extend_from_within(from..from + size);
        length -= size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_and_an_overlapping_copy() {
        // 8 literals, then 88 bytes from 8 back: "abcdefgh" twelve times.
        let packed = [&[7][..], b"abcdefgh", &[0xe0, 88 - 9, 7]].concat();
        assert_eq!(expand(&packed, 96), Ok(b"abcdefgh".repeat(12)));
    }

    #[test]
    fn a_run_of_one_byte() {
        assert_eq!(expand(&[0, b'x', 0x20, 0], 4), Ok(b"xxxx".to_vec()));
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(expand(&[3, b'a'], 4), Err(CUT));
        assert_eq!(expand(&[0, b'a', 0xe0], 4), Err(CUT));
        assert_eq!(expand(&[0, b'a', 0x20, 1], 4), Err(Fault::LzfData("copies from before its beginning")));
        assert_eq!(expand(&[0, b'a', 0x20, 0], 3), Err(Fault::LzfData("expands to more than announced")));
        assert_eq!(expand(&[0, b'a'], 2), Err(Fault::LzfData("expands to less than announced")));
    }

    proptest! {
        #[test]
        fn no_input_exceeds_its_bound(packed in prop::collection::vec(any::<u8>(), 0..64), size in 0usize..600) {
            if let Ok(out) = expand(&packed, size) {
                prop_assert_eq!(out.len(), size);
            }
        }
    }
}
