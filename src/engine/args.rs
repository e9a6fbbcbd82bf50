//! A command's arguments, without an allocation for each.

use super::dialect::Dialect;
use super::error::CommandError;
use super::value::integer;

/// Where arguments stand in some bytes.
pub type Ranges = Vec<(usize, usize)>;

/// The arguments of one command, its name first: ranges of the bytes that it came in.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    ranges: &'a [(usize, usize)],
    /// The command as it stood on the wire, where it came as an array of bulk strings.
    wire: Option<&'a [u8]>,
}

impl<'a> Args<'a> {
    /// The arguments at `ranges` of `bytes`; `wire` is all of the command if it can be passed on as it is.
    #[must_use]
    pub fn new(bytes: &'a [u8], ranges: &'a [(usize, usize)], wire: Option<&'a [u8]>) -> Self {
        Self { bytes, ranges, wire }
    }

    /// The command as an array of bulk strings, if it came so.
    #[must_use]
    pub fn wire(&self) -> Option<&'a [u8]> {
        self.wire
    }

    /// How many there are, the name included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether not even a name is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// An argument; empty where there is none.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> &'a [u8] {
        self.find(index).unwrap_or_default()
    }

    /// An argument.
    #[inline]
    #[must_use]
    pub fn find(&self, index: usize) -> Option<&'a [u8]> {
        let (from, until) = *self.ranges.get(index)?;
        self.bytes.get(from..until)
    }

    /// The arguments from this one on.
    pub fn from(
        &self,
        index: usize,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let bytes = self.bytes;
        let ranges = self.ranges.get(index..).unwrap_or_default();
        ranges.iter().map(move |(from, until)| bytes.get(*from..*until).unwrap_or_default())
    }

    /// Whether an argument is this word (in upper case), in any case.
    #[inline]
    #[must_use]
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.find(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// An argument as an integer.
    ///
    /// # Errors
    /// [`CommandError::NOT_INTEGER`].
    pub fn integer(&self, index: usize) -> Result<i64, CommandError> {
        integer(self.get(index)).ok_or(CommandError::NOT_INTEGER)
    }

    /// An argument as a number of 32 bits.
    ///
    /// # Errors
    /// [`CommandError::NOT_INTEGER`], and [`CommandError::NOT_INT`] for one of more bits.
    pub fn int(&self, index: usize) -> Result<i32, CommandError> {
        i32::try_from(self.integer(index)?).map_err(|_| CommandError::NOT_INT)
    }

    /// An argument as a number that is not NaN; `inf` and `-inf` are.
    ///
    /// # Errors
    /// [`CommandError::NOT_FLOAT`].
    pub fn float(&self, index: usize) -> Result<f64, CommandError> {
        float(self.get(index)).ok_or(CommandError::NOT_FLOAT)
    }

    /// An argument in seconds, after which a client no longer waits, as a time in milliseconds; `None` where it waits for
    /// ever.
    ///
    /// # Errors
    /// A negative number, one beyond 64 bits of milliseconds, none at all.
    pub fn timeout(&self, index: usize, now: i64, dialect: Dialect) -> Result<Option<i64>, CommandError> {
        const NEGATIVE: CommandError = CommandError::fixed("ERR timeout is negative");
        let no_number = CommandError::fixed("ERR timeout is not a float or out of range");
        let milliseconds = (float(self.get(index)).ok_or(no_number)? * 1000.0).ceil();
        // Until 7.0 a time too long was one before 1970.
        let too_long =
            || if dialect.since(7, 2) { CommandError::fixed("ERR timeout is out of range") } else { NEGATIVE };
        if milliseconds >= i64::MAX as f64 {
            return Err(too_long());
        }
        match milliseconds as i64 {
            ..0 => Err(NEGATIVE),
            0 => Ok(None),
            milliseconds => milliseconds.checked_add(now).map(Some).ok_or_else(too_long),
        }
    }

    /// An argument as a number of things, at least `least`.
    ///
    /// # Errors
    /// `otherwise`, also where it is no integer.
    pub fn at_least(&self, index: usize, least: i64, otherwise: &'static str) -> Result<i64, CommandError> {
        integer(self.get(index)).filter(|number| *number >= least).ok_or(CommandError::fixed(otherwise))
    }

    /// The keys that the number at `index` counts and that follow it, and the index behind them.
    ///
    /// # Errors
    /// `none` where there is not one; [`CommandError::SYNTAX`] where there are fewer than the number.
    pub fn keys(
        &self,
        index: usize,
        none: &'static str,
    ) -> Result<(impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a>, usize), CommandError>
    {
        let count = usize::try_from(self.at_least(index, 1, none)?).unwrap_or(usize::MAX);
        let end = (index + 1).checked_add(count).filter(|end| *end <= self.len()).ok_or(CommandError::SYNTAX)?;
        Ok((self.until(end).from(index + 1), end))
    }

    /// The first `count` arguments.
    #[must_use]
    pub fn until(&self, count: usize) -> Self {
        Self { ranges: self.ranges.get(..count).unwrap_or(self.ranges), ..*self }
    }

    /// Without the first `count` arguments.
    #[must_use]
    pub fn skip(&self, count: usize) -> Self {
        Self { bytes: self.bytes, ranges: self.ranges.get(count..).unwrap_or_default(), wire: None }
    }
}

/// A number as servers read one: what `strtod` takes as a whole, without blanks in front, not NaN. Hexadecimal numbers
/// are taken by C, and so here; what is too large for a double, or too small and not zero, is no number.
#[must_use]
pub fn float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() || text.starts_with(|first: char| first.is_ascii_whitespace()) {
        return None;
    }
    let number: f64 = match text.parse() {
        Ok(number) => number,
        Err(_) => hexadecimal(text)?,
    };
    let of_digits =
        text.trim_start_matches(['+', '-']).starts_with(|first: char| first == '.' || first.is_ascii_digit());
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let vanished = number == 0.0 && mantissa.contains(|digit: char| matches!(digit, '1'..='9'));
    if of_digits && (number.is_infinite() || vanished) {
        return None;
    }
    // "nan" is none, and Rust reads no "nan(...)".
    (!number.is_nan()).then_some(number)
}

/// `0x` and digits, with a binary exponent or not.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))?;
    let (mantissa, exponent) = match digits.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 13 {
        return None;
    }
    let all = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    Some(sign * all as f64 * 2_f64.powi(exponent.saturating_sub(4 * fraction.len() as i32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_those_of_strtod() {
        for (text, number) in [
            ("1.5", 1.5),
            ("-inf", f64::NEG_INFINITY),
            ("+Infinity", f64::INFINITY),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("0x10", 16.0),
            ("-0x1.8p1", -3.0),
            ("-0e5", 0.0),
            ("4e-324", 5e-324),
        ] {
            assert_eq!(float(text.as_bytes()), Some(number), "{text}");
        }
        for text in ["", " 1", "1 ", "nan", "1x", "0x", "--1", "inf ", "1e400", "-1e400", "1e-400"] {
            assert_eq!(float(text.as_bytes()), None, "{text}");
        }
    }
}
