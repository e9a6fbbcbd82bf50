//! Times and durations as text: RFC 3339 in UTC with all the digits that the capture has, and seconds.

use crate::units::{Span, Timestamp};

/// Seconds in a day.
const DAY: u64 = 86_400;

/// Writes times, and remembers the second it wrote last: in a capture the next one is most often in the same.
#[derive(Debug, Default)]
pub struct Clock {
    second: u64,
    /// `YYYY-MM-DDThh:mm:ss` of `second`.
    text: Vec<u8>,
}

impl Clock {
    /// Appends a time as `2026-11-22T02:58:20.123456Z`.
    pub fn write_rfc3339(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        self.settle(time);
        out.extend_from_slice(&self.text);
        write_fraction(out, (time.nanos % 1_000_000_000) as u32, time.digits);
        out.push(b'Z');
    }

    /// Appends the time of day as `02:58:20.123456`.
    pub fn write_time_of_day(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        self.settle(time);
        out.extend_from_slice(&self.text[11..]);
        write_fraction(out, (time.nanos % 1_000_000_000) as u32, time.digits);
    }

    fn settle(&mut self, time: Timestamp) {
        let second = time.nanos / 1_000_000_000;
        if self.second == second && !self.text.is_empty() {
            return;
        }
        self.second = second;
        let (year, month, day) = civil_from_days(second / DAY);
        let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
        self.text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}").into_bytes();
    }
}

/// A time in milliseconds since 1970 as `2026-11-22T02:58:20.123Z`; `None` for one before 1970 or after 2554.
#[must_use]
pub fn utc(milliseconds: i64) -> Option<String> {
    let nanos = u64::try_from(milliseconds).ok()?.checked_mul(1_000_000)?;
    let mut text = Vec::new();
    let digits = if milliseconds % 1000 == 0 { 0 } else { 3 };
    Clock::default().write_rfc3339(&mut text, Timestamp { nanos, digits });
    String::from_utf8(text).ok()
}

/// Appends a duration in seconds, as many digits as were measured.
pub fn write_seconds(out: &mut Vec<u8>, span: Span) {
    write_decimal(out, span.nanos / 1_000_000_000);
    write_fraction(out, (span.nanos % 1_000_000_000) as u32, span.digits);
}

/// Appends a number in decimal.
#[inline]
pub fn write_decimal(out: &mut Vec<u8>, value: u64) {
    // Most are small.
    let digit = |place: u64| b'0' + (value / place % 10) as u8;
    match value {
        0..10 => out.push(digit(1)),
        10..100 => out.extend_from_slice(&[digit(10), digit(1)]),
        100..1000 => out.extend_from_slice(&[digit(100), digit(10), digit(1)]),
        _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// Appends `.` and the first `digits` digits of `nanos`; nothing where there are none.
fn write_fraction(out: &mut Vec<u8>, mut nanos: u32, digits: u8) {
    let digits = usize::from(digits.min(9));
    if digits == 0 {
        return;
    }
    let mut text = *b".000000000";
    for place in text[1..].iter_mut().rev() {
        *place = b'0' + (nanos % 10) as u8;
        nanos /= 10;
    }
    out.extend_from_slice(&text[..=digits]);
}

/// The Gregorian date of a day counted from 1970-01-01, by Howard Hinnant's algorithm of eras of 400 years.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc3339(seconds: u64, nanos: u64, digits: u8) -> String {
        let mut out = Vec::new();
        Clock::default().write_rfc3339(&mut out, Timestamp { nanos: seconds * 1_000_000_000 + nanos, digits });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_utc_with_the_captures_digits() {
        assert_eq!(rfc3339(0, 0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399, 123_456_789, 6), "2000-02-28T23:59:59.123456Z");
        assert_eq!(rfc3339(951_782_400, 1, 9), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(rfc3339(951_868_800, 0, 3), "2000-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(4_102_444_800, 0, 1), "2100-01-01T00:00:00.0Z");
        assert_eq!(rfc3339(4_107_542_400, 0, 0), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn milliseconds_are_times() {
        assert_eq!(utc(4_102_444_800_000).as_deref(), Some("2100-01-01T00:00:00Z"));
        assert_eq!(utc(1).as_deref(), Some("1970-01-01T00:00:00.001Z"));
        assert_eq!((utc(-1), utc(i64::MAX)), (None, None));
    }

    #[test]
    fn durations_are_seconds() {
        let mut out = Vec::new();
        write_seconds(&mut out, Span { nanos: 12_000_345_678, digits: 6 });
        assert_eq!(out, b"12.000345");
    }
}
