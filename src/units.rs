//! The quantities that are easily mixed up, each a type of its own: a replication offset, a position in a TCP byte
//! stream, a frame's number in the capture, a time of the capture, and a moment that the protocol's ends are told.

use std::fmt;
use std::time::Duration;

/// A replication offset as `INFO replication` shows it: the number of the last byte of the stream that it covers.
/// The stream's bytes are numbered from 1, so offset 0 covers nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// The number of the first stream byte that this offset does not cover. `+FULLRESYNC <id> N` is followed by byte
    /// N+1, and `PSYNC <id> M` asks for byte M: this is the one place where that rule is written.
    #[must_use]
    pub fn next_byte(self) -> u64 {
        self.0.saturating_add(1)
    }

    /// The offset that covers everything before stream byte `byte`: the inverse of [`Offset::next_byte`].
    #[must_use]
    pub fn before_byte(byte: u64) -> Self {
        Self(byte.saturating_sub(1))
    }

    /// The offset after `bytes` more bytes of the stream.
    #[must_use]
    pub fn advanced_by(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A position in one direction of a TCP connection: the number of payload bytes before it, counted in 64 bits from the
/// SYN (or, where the SYN is missing, from somewhere before the first byte seen). It does not wrap as sequence numbers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// A frame's number in the capture, from 1, counted before any filter, as Wireshark counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u64);

impl fmt::Display for FrameNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A TCP connection's number in the capture, from 1 by first packet. A connection that carries replication is a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkNumber(pub u32);

impl fmt::Display for LinkNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, and how many digits of the second the capture recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Nanoseconds since the Unix epoch, up to the year 2554.
    pub nanos: u64,
    /// Decimal digits after the second that carry information: 0 to 9.
    pub digits: u8,
}

impl Timestamp {
    /// How long after `earlier` this is; zero where the clock was set back between the two.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span { nanos: self.nanos.saturating_sub(earlier.nanos), digits: self.digits.max(earlier.digits) }
    }
}

/// A duration with the precision of the capture that it was measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Nanoseconds.
    pub nanos: u64,
    /// Decimal digits after the second that carry information: 0 to 9.
    pub digits: u8,
}

impl Span {
    /// The duration in seconds, for sums and comparisons; printing keeps the exact digits.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.nanos as f64 / 1e9
    }
}

/// Where in the capture something was seen: the frame, and its time where the capture has times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The frame's number.
    pub frame: FrameNumber,
    /// The frame's time; `None` where the capture records none (pcapng Simple Packet Blocks).
    pub time: Option<Timestamp>,
}

impl Stamp {
    /// The time that passed since `earlier`, or `None` where one of the two has no time.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Span> {
        Some(self.time?.since(earlier.time?))
    }
}

/// What [`size`] says of one beyond 64 bits.
pub const TOO_LARGE: &str = "that is more than this machine can address";

/// Reads a size as redis.conf writes it, in bytes: `1k` is 1000, `1kb` 1024.
///
/// # Errors
/// A sentence that says what a size is.
pub fn size(text: &str) -> Result<u64, &'static str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err("a size is a number with k, kb, m, mb, g or gb, as in 64mb"),
    };
    let number: u64 = number.parse().map_err(|_| "a size begins with a number, as in 64mb")?;
    number.checked_mul(factor).ok_or(TOO_LARGE)
}

/// Reads a time span: a number with `ms`, `s` or `m`.
///
/// # Errors
/// A sentence that says what a duration is.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a number with ms, s or m, as in 250ms".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err(wrong()),
    };
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

/// A point in time as the protocol's machines are told it: milliseconds since some fixed point that whoever drives them
/// has chosen, the same for all of them. It never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// A time in milliseconds since 1970; the beginning, for one before.
    #[must_use]
    pub fn at(millis: i64) -> Self {
        Self(u64::try_from(millis).unwrap_or(0))
    }

    /// The moment so many milliseconds later.
    #[must_use]
    pub fn after(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds since `earlier`; 0 where that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
