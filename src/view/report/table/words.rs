//! Numbers and foreign text in the words of people.

use crate::units::{FrameNumber, Span};
pub(super) use crate::view::amount::count as counted;
use crate::view::amount::size;
use crate::view::terminal;

/// A blank at which a line is not broken. The page shows it as a plain one.
pub(super) const GLUE: char = '\u{a0}';

/// Words that are to stay on one line.
pub(super) fn glued(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// Where in the capture something can be looked up.
pub(super) fn packet(frame: FrameNumber) -> String {
    glued(&format!("[packet {frame}]"))
}

/// A size on one line: `37 bytes`, `20.0 KiB`.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes}{GLUE}B"),
        _ => glued(&size(bytes)),
    }
}

/// A size for people with the exact number behind it, where the two differ.
pub(super) fn exact_bytes(count: u64) -> String {
    if count < 1024 { bytes(count) } else { format!("{} ({count}{GLUE}bytes)", bytes(count)) }
}

/// A duration in seconds with three significant digits, as far as the capture has them: `0.00281 s`, `3.61 s`, `128 s`.
pub(super) fn seconds(span: Span) -> String {
    let value = span.seconds();
    let wanted = if value > 0.0 { 2 - value.log10().floor() as i32 } else { 0 };
    let decimals = usize::try_from(wanted).unwrap_or(0).min(usize::from(span.digits));
    format!("{value:.decimals$}{GLUE}s")
}

/// A duration in seconds, a long one in hours and minutes too.
pub(super) fn duration(span: Span) -> String {
    let text = seconds(span);
    let minutes = (span.seconds() / 60.0).round() as u64;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0..10) => text,
        (0, 0, minutes) => format!("{text} ({minutes} min)"),
        (0, hours, minutes) => format!("{text} ({hours} h {minutes} min)"),
        (days, hours, _) => format!("{text} ({days} d {hours} h)"),
    }
}

/// Text from outside made safe for a terminal.
pub(super) fn safe(text: &str) -> String {
    terminal::safe(text.as_bytes())
}

/// Cut to so many characters, with a sign that it was.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_for_people() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (20_460, "20.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (1 << 30, "1.0 GiB"),
            (u64::MAX, "16384.0 PiB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), glued(text));
        }
    }

    #[test]
    fn durations_have_sensible_digits() {
        let span = |nanos, digits| Span { nanos, digits };
        let duration = |span| duration(span).replace(GLUE, " ");
        assert_eq!(seconds(span(31_000, 6)), glued("0.000031 s"));
        assert_eq!(seconds(span(2_812_000, 6)), glued("0.00281 s"));
        assert_eq!(seconds(span(3_608_761_000, 6)), glued("3.61 s"));
        assert_eq!(seconds(span(3_608_761_000, 0)), glued("4 s"));
        assert_eq!(seconds(span(128_400_000_000, 6)), glued("128 s"));
        assert_eq!(seconds(span(0, 6)), glued("0 s"));
        assert_eq!(duration(span(128_400_000_000, 6)), "128 s");
        assert_eq!(duration(span(3_725_000_000_000, 6)), "3725 s (1 h 2 min)");
        assert_eq!(duration(span(180_000_000_000_000, 6)), "180000 s (2 d 2 h)");
    }

    #[test]
    fn nothing_from_outside_drives_the_terminal() {
        assert_eq!(safe("-ERR \x1b[2J\u{9b}1m\u{202e}x\r\n"), "-ERR \\x1b[2J\\u{9b}1m\\u{202e}x\\r\\n");
        assert_eq!(safe("naïve → 日本"), "naïve → 日本");
    }

    #[test]
    fn cutting_is_shown() {
        assert_eq!(cut("abc def", 7), "abc def");
        assert_eq!(cut("abc def", 5), "abc…");
    }
}
