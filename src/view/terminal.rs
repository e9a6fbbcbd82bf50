//! Bytes from the wire on a terminal: what may do harm or confuse there is escaped, and everything has a known width.
//!
//! A terminal obeys control bytes (C0, and C1 in either encoding), and bidirectional controls let text look like other
//! text. None of them is ever passed on: bytes that are no UTF-8 become `\xNN`, characters that cannot be seen become
//! `\u{…}`. A word is quoted as redis-cli does it where it has blanks, quotes, backslashes or escapes in it.

use unicode_width::UnicodeWidthChar;

/// What stands in the place of what was cut off.
pub const ELLIPSIS: &str = "...";

/// Appends a word, in quotes where it needs them. `cut` tells that `bytes` is only the beginning of it, so that a
/// character cut in two at the end is the cut's fault and left away.
#[inline]
pub fn push_word(out: &mut Vec<u8>, bytes: &[u8], cut: bool) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        push_unusual_word(out, bytes, cut);
    }
}

/// Whether all of the bytes stand for themselves without quotes. No early end, so that it compiles to vector code.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let plain = |byte: u8| (byte.wrapping_sub(b'!') < 0x7f - b'!') & (byte != b'"') & (byte != b'\'') & (byte != b'\\');
    !bytes.is_empty() && bytes.iter().fold(true, |all, &byte| all & plain(byte))
}

#[cold]
fn push_unusual_word(out: &mut Vec<u8>, bytes: &[u8], cut: bool) {
    let bytes = if cut { without_partial_character(bytes) } else { bytes };
    let unquoted = |character: char| {
        if character.is_ascii() { is_plain(&[character as u8]) } else { is_visible(character) }
    };
    if !bytes.is_empty() && std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(unquoted)) {
        return out.extend_from_slice(bytes);
    }
    out.push(b'"');
    push_quoted(out, bytes);
    out.push(b'"');
}

/// Appends bytes as they are, except for what must be escaped. Line ends become `\r\n`, not new lines.
pub fn push_text(out: &mut Vec<u8>, bytes: &[u8]) {
    push_escaped(out, bytes, b"");
}

/// Appends what stands between the quotes of a word, or a part of it.
pub fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    push_escaped(out, bytes, b"\"\\");
}

/// Bytes as text that a terminal may get.
#[must_use]
pub fn safe(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    push_text(&mut out, bytes);
    String::from_utf8(out).unwrap_or_default()
}

/// Appends bytes with escapes, those in `also` behind a backslash.
fn push_escaped(out: &mut Vec<u8>, bytes: &[u8], also: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_character(out, character, also);
        }
        for &byte in chunk.invalid() {
            push_byte(out, byte);
        }
    }
}

fn push_character(out: &mut Vec<u8>, character: char, also: &[u8]) {
    match character {
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        ' '..='~' => {
            let byte = character as u8;
            if also.contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
        }
        _ if character.is_ascii() => push_byte(out, character as u8),
        _ if is_visible(character) => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => out.extend_from_slice(format!("\\u{{{:x}}}", u32::from(character)).as_bytes()),
    }
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// Whether a character beyond ASCII can be seen: no control, no format character (bidirectional ones are such), no odd
/// blank, assigned. The standard library's escaping for debuggers knows; behind a letter it lets combining marks pass.
fn is_visible(character: char) -> bool {
    let mut text = [b'a'; 5];
    let length = 1 + character.encode_utf8(&mut text[1..]).len();
    std::str::from_utf8(&text[..length]).is_ok_and(|text| text.escape_debug().count() == 2)
}

/// The bytes without a character at their end of which the rest is missing.
#[must_use]
pub fn without_partial_character(bytes: &[u8]) -> &[u8] {
    let tail = bytes.len().saturating_sub(3);
    let start = (tail..bytes.len()).rev().find(|&at| bytes[at] >= 0xc0);
    match start {
        Some(start) => match std::str::from_utf8(&bytes[start..]) {
            Err(error) if error.error_len().is_none() => &bytes[..start],
            _ => bytes,
        },
        None => bytes,
    }
}

/// How many columns a text takes that was made by this module.
#[must_use]
pub fn columns(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.utf8_chunks().flat_map(|chunk| chunk.valid().chars()).map(|character| character.width().unwrap_or(0)).sum()
}

/// Cuts what stands in `out` behind `from` to at most `room` columns; where something is cut off, [`ELLIPSIS`] ends it.
#[inline]
pub fn trim(out: &mut Vec<u8>, from: usize, room: usize) {
    // A character never takes more columns than bytes.
    if out.len() - from > room {
        trim_long(out, from, room);
    }
}

fn trim_long(out: &mut Vec<u8>, from: usize, room: usize) {
    let text = &out[from..];
    if columns(text) <= room {
        return;
    }
    let keep = room.saturating_sub(ELLIPSIS.len());
    let end = if text.is_ascii() {
        keep
    } else {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let mut taken = 0;
        let fits = |(_, character): &(usize, char)| {
            taken += character.width().unwrap_or(0);
            taken <= keep
        };
        text.char_indices().take_while(fits).last().map_or(0, |(at, character)| at + character.len_utf8())
    };
    out.truncate(from + end);
    out.extend_from_slice(&ELLIPSIS.as_bytes()[..ELLIPSIS.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_word(&mut out, bytes, false);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_look_as_in_redis_cli() {
        assert_eq!(word(b"key:1"), "key:1");
        assert_eq!(word(b""), r#""""#);
        assert_eq!(word(b"two words"), r#""two words""#);
        assert_eq!(word(b"it's \"so\" \\"), r#""it's \"so\" \\""#);
        assert_eq!(word(b"a\r\n\t\x00\x1b[31m\x7f"), r#""a\r\n\t\x00\x1b[31m\x7f""#);
        assert_eq!(word("größe".as_bytes()), "größe");
        assert_eq!(word("漢字".as_bytes()), "漢字");
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(word(b"\xff\xfe"), r#""\xff\xfe""#);
        assert_eq!(word("\u{9b}31m".as_bytes()), r#""\u{9b}31m""#);
        assert_eq!(word("a\u{202e}b".as_bytes()), r#""a\u{202e}b""#);
        assert_eq!(word("\u{2066}".as_bytes()), r#""\u{2066}""#);
        assert_eq!(word("\u{2028}".as_bytes()), r#""\u{2028}""#);
        assert_eq!(word("a\u{a0}b".as_bytes()), r#""a\u{a0}b""#);
    }

    #[test]
    fn a_character_cut_in_two_is_left_away() {
        let mut out = Vec::new();
        push_word(&mut out, "größe".as_bytes().split_at(3).0, true);
        assert_eq!(out, b"gr");
    }

    #[test]
    fn trimming_counts_columns() {
        let trimmed = |text: &str, room: usize| {
            let mut out = text.as_bytes().to_vec();
            trim(&mut out, 0, room);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(trimmed("abcdef", 6), "abcdef");
        assert_eq!(trimmed("abcdef", 5), "ab...");
        assert_eq!(trimmed("漢字漢字", 8), "漢字漢字");
        assert_eq!(trimmed("漢字漢字", 7), "漢字...");
        assert_eq!(trimmed("漢字漢字", 6), "漢...");
        assert_eq!(trimmed("abc", 1), ".");
    }

    proptest! {
        #[test]
        fn nothing_harmful_passes(bytes: Vec<u8>, room in 0_usize..40) {
            for text in [word(&bytes), safe(&bytes)] {
                prop_assert!(!text.chars().any(char::is_control));
                let mut out = text.into_bytes();
                trim(&mut out, 0, room);
                prop_assert!(columns(&out) <= room);
                prop_assert!(std::str::from_utf8(&out).is_ok());
            }
        }
    }
}
