//! The arithmetic of INCRBYFLOAT and HINCRBYFLOAT: servers add in x86's extended precision, 64 bits of mantissa, and
//! print 17 digits behind the point without trailing zeros. Digits depend on it, so it is done here in integers.

use std::cmp::Ordering;

/// A number of 64 significant bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongDouble {
    /// What a sum must not be.
    Infinite {
        /// Below zero.
        negative: bool,
    },
    /// `mantissa` × 2^`exponent`; the mantissa's highest bit is set unless it is 0.
    Finite {
        /// Below zero; 0 has a sign, too.
        negative: bool,
        /// The significant bits.
        mantissa: u64,
        /// The weight of the lowest of them.
        exponent: i32,
    },
}

/// The longest text that servers read, and the longest they write.
const LONGEST: usize = 5 << 10;
/// Beyond it the format ends: the weight of the lowest bit of the greatest number.
const GREATEST: i32 = 16_383 - 63;
/// The weight of the lowest bit of the least normal number.
const LEAST: i32 = -16_382 - 63;

/// A natural number of any length, the lowest 32 bits first.
#[derive(Clone, Debug, Default)]
struct Big(Vec<u32>);

impl Big {
    fn times_plus(&mut self, factor: u32, more: u32) {
        let mut carry = u64::from(more);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn times_power_of_ten(&mut self, power: usize) {
        for _ in 0..power / 9 {
            self.times_plus(1_000_000_000, 0);
        }
        self.times_plus(10_u32.pow(power as u32 % 9), 0);
    }

    fn bits(&self) -> usize {
        self.0.last().map_or(0, |top| 32 * self.0.len() - top.leading_zeros() as usize)
    }

    fn shift_left(&mut self, bits: usize) {
        if self.0.is_empty() {
            return;
        }
        let small = bits % 32;
        if small > 0 {
            self.times_plus(1 << small, 0);
        }
        self.0.splice(0..0, std::iter::repeat_n(0, bits / 32));
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Takes another one away, which must not be greater.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0_i64;
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        for (limb, other) in self.0.iter_mut().zip(others) {
            let difference = i64::from(*limb) - i64::from(other) + borrow;
            *limb = difference as u32;
            borrow = difference >> 32;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Divides by ten to the ninth; gives the rest.
    fn divide(&mut self) -> u32 {
        let mut rest = 0_u64;
        for limb in self.0.iter_mut().rev() {
            let part = rest << 32 | u64::from(*limb);
            *limb = (part / 1_000_000_000) as u32;
            rest = part % 1_000_000_000;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        rest as u32
    }

    fn into_decimal(mut self) -> String {
        let mut parts = Vec::new();
        while !self.0.is_empty() {
            parts.push(self.divide());
        }
        let mut text = parts.pop().unwrap_or(0).to_string();
        for part in parts.iter().rev() {
            text += &format!("{part:09}");
        }
        text
    }
}

impl LongDouble {
    /// 0.
    pub const ZERO: Self = Self::Finite { negative: false, mantissa: 0, exponent: 0 };

    /// A number as servers read one: `None` where it is none, not a number, or beyond what the format can hold.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() >= LONGEST {
            return None;
        }
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Self::Infinite { negative });
        }
        if let [b'0', b'x' | b'X', ..] = rest {
            // Hexadecimal: what a double holds is exact here, too.
            return Self::from_double(super::args::float(text)?);
        }
        let (number, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (rest.get(..at)?, exponent(rest.get(at + 1..)?)?),
            None => (rest, 0),
        };
        let (mut digits, mut behind, mut point, mut any) = (Big::default(), 0_i64, false, false);
        for byte in number {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    behind += i64::from(point);
                    digits.times_plus(10, u32::from(byte - b'0'));
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        if !any {
            return None;
        }
        if digits.0.is_empty() {
            return Some(Self::Finite { negative, mantissa: 0, exponent: 0 });
        }
        let power = exponent - behind;
        // Beyond these no digits of text can bring it back.
        if !(-15_000..=15_000).contains(&power) {
            return None;
        }
        let mut divisor = Big(vec![1]);
        if power >= 0 {
            digits.times_power_of_ten(power as usize);
        } else {
            divisor.times_power_of_ten(power.unsigned_abs() as usize);
        }
        quotient(negative, digits, divisor)
    }

    fn from_double(number: f64) -> Option<Self> {
        if number.is_infinite() {
            return Some(Self::Infinite { negative: number < 0.0 });
        }
        let bits = number.to_bits();
        let (low, weight) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
        let (mantissa, weight) = if weight == 0 { (low, 1) } else { (low | 1 << 52, weight) };
        rounded(bits >> 63 == 1, u128::from(mantissa), weight - 1075, false)
    }

    /// The sum, as the processor rounds it; `None` where it is not a number.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b) = match (self, other) {
            (Self::Infinite { negative: a }, Self::Infinite { negative: b }) => {
                return (a == b).then_some(Self::Infinite { negative: a });
            }
            (infinite @ Self::Infinite { .. }, _) | (_, infinite @ Self::Infinite { .. }) => return Some(infinite),
            (Self::Finite { mantissa: 0, .. }, other) => return Some(other),
            (one, Self::Finite { mantissa: 0, .. }) => return Some(one),
            (Self::Finite { negative, mantissa, exponent }, Self::Finite { negative: n, mantissa: m, exponent: e }) => {
                let (a, b) = ((exponent, mantissa, negative), (e, m, n));
                if (a.0, a.1) >= (b.0, b.1) { (a, b) } else { (b, a) }
            }
        };
        // The greater one has 62 bits to spare below; what of the other goes beyond only tells a tie from none.
        let distance = (a.0 - b.0).unsigned_abs();
        let (high, low) = (u128::from(a.1) << 62, u128::from(b.1) << 62);
        let (shifted, lost) = if distance >= 127 {
            (0, true)
        } else {
            let shifted = low >> distance;
            (shifted, shifted << distance != low)
        };
        let sum = if a.2 == b.2 { high + shifted } else { high - shifted - u128::from(lost) };
        if sum == 0 {
            return Some(Self::ZERO);
        }
        Some(rounded(a.2, sum, a.0 - 62, lost).unwrap_or(Self::Infinite { negative: a.2 }))
    }

    /// Whether it is a number that can be stored.
    #[must_use]
    pub fn is_finite(self) -> bool {
        matches!(self, Self::Finite { .. })
    }

    /// With 17 digits behind the point, trailing zeros left out.
    #[must_use]
    pub fn to_text(self) -> String {
        let (negative, mantissa, exponent) = match self {
            Self::Infinite { negative } => return if negative { "-inf" } else { "inf" }.to_owned(),
            Self::Finite { negative, mantissa, exponent } => (negative, mantissa, exponent),
        };
        const ONE: u128 = 100_000_000_000_000_000;
        let scaled = u128::from(mantissa) * ONE;
        let digits = if exponent >= 0 {
            let limbs = (0..4).map(|limb| (scaled >> (32 * limb)) as u32).collect();
            let mut big = Big(limbs);
            while big.0.last() == Some(&0) {
                big.0.pop();
            }
            big.shift_left(exponent as usize);
            big.into_decimal()
        } else {
            let down = exponent.unsigned_abs();
            let (whole, rest) = if down >= 128 { (0, scaled) } else { (scaled >> down, scaled & ((1 << down) - 1)) };
            // To the nearest, a tie to the even one. (Beyond 128 bits nothing is as much as a half.)
            let half = if down >= 128 { u128::MAX } else { 1 << (down - 1) };
            let up = rest > half || rest == half && whole & 1 == 1;
            (whole + u128::from(up)).to_string()
        };
        let digits = format!("{digits:0>18}");
        let (whole, fraction) = digits.split_at(digits.len() - 17);
        let fraction = fraction.trim_end_matches('0');
        let text = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
        if negative && text != "0" { format!("-{text}") } else { text }
    }
}

/// The digits behind `e`.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits {
        number = (10 * number + i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?)).min(1_000_000);
    }
    Some(if negative { -number } else { number })
}

fn quotient(negative: bool, mut number: Big, mut divisor: Big) -> Option<LongDouble> {
    // Shifted so that the quotient has 65 bits or one less: enough to round with what is left over.
    let shift = 65 + divisor.bits() as i64 - number.bits() as i64;
    if shift >= 0 {
        number.shift_left(shift as usize);
    } else {
        divisor.shift_left(shift.unsigned_abs() as usize);
    }
    let mut steps = Vec::with_capacity(67);
    let mut step = divisor;
    for _ in 0..67 {
        steps.push(step.clone());
        step.times_plus(2, 0);
    }
    let mut result = 0_u128;
    for step in steps.iter().rev() {
        result <<= 1;
        if number.compare(step) != Ordering::Less {
            number.subtract(step);
            result |= 1;
        }
    }
    rounded(negative, result, i32::try_from(-shift).ok()?, !number.0.is_empty())
}

/// To 64 bits, to the nearest, a tie to the even one; `more` says that there is something below. `None` beyond the
/// format's ends.
fn rounded(negative: bool, number: u128, exponent: i32, more: bool) -> Option<LongDouble> {
    let bits = 128 - number.leading_zeros() as i32;
    if bits == 0 {
        return Some(LongDouble::Finite { negative, mantissa: 0, exponent: 0 });
    }
    let surplus = bits - 64;
    let (mut mantissa, mut exponent) = if surplus <= 0 {
        ((number << surplus.unsigned_abs()) as u64, exponent + surplus)
    } else {
        let (kept, rest) = ((number >> surplus) as u64, number & ((1 << surplus) - 1));
        let half = 1_u128 << (surplus - 1);
        let up = rest > half || rest == half && (more || kept & 1 == 1);
        match kept.checked_add(u64::from(up)) {
            Some(kept) => (kept, exponent + surplus),
            None => (1 << 63, exponent + surplus + 1),
        }
    };
    if !(LEAST - 64..=GREATEST).contains(&exponent) {
        return None;
    }
    if exponent < LEAST {
        // Denormal: such a number prints as 0 and adds as what it is.
        let lost = (LEAST - exponent).unsigned_abs();
        if lost >= 64 {
            return None;
        }
        mantissa = mantissa >> lost << lost;
        if mantissa == 0 {
            return None;
        }
        let zeros = mantissa.leading_zeros();
        mantissa <<= zeros;
        exponent -= zeros as i32;
    }
    Some(LongDouble::Finite { negative, mantissa, exponent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> String {
        LongDouble::parse(a.as_bytes()).unwrap().plus(LongDouble::parse(b.as_bytes()).unwrap()).unwrap().to_text()
    }

    #[test]
    fn sums_are_those_of_servers() {
        // Asked of redis-server 7.0.15.
        for (a, b, wanted) in [
            ("0", "1.5", "1.5"),
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0", "-3", "0"),
            ("1", "-0.00000000000000001", "0.99999999999999999"),
            ("0", "1e-18", "0"),
            ("0", "-1e-18", "0"),
            ("0", "1e20", "100000000000000000000"),
            ("0", "123456789012345678901234567890", "123456789012345678899921813504"),
            ("17179869184", "1.5", "17179869185.5"),
            ("0x10", "0.5", "16.5"),
        ] {
            assert_eq!(sum(a, b), wanted, "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in ["", " 1", "1 ", "nan", "1e", "e1", ".", "1e5000", "1e-6000", "1..2", "--1", "0x"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert!(LongDouble::parse(b"1e4932").unwrap().is_finite());
        assert!(!LongDouble::parse(b"-inf").unwrap().is_finite());
    }
}
