//! Doubles as text: scores in answers, in the stream and in DEBUG DIGEST.
//!
//! Up to 7.0 servers print them with `%.17g`; since 7.2, and in Valkey, with Grisu2, the fast algorithm of Loitsch's
//! "Printing Floating-Point Numbers Quickly and Accurately with Integers". What Grisu2 writes is read back as the same
//! number and is the shortest in 99.9 of 100 cases, but not always the nearest of the shortest, so that neither Rust's
//! digits nor `%.17g`'s stand for it.

use super::dialect::Dialect;

/// Room for any double's text: a sign, 17 digits, a point and an exponent, or zeros up to the point.
const ROOM: usize = 32;

/// A short text without an allocation.
#[derive(Clone, Copy)]
pub struct SmallText {
    length: u8,
    bytes: [u8; ROOM],
}

impl SmallText {
    const EMPTY: Self = Self { length: 0, bytes: [0; ROOM] };

    /// Adds bytes; what has no room is lost.
    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.length);
        if let Some(place) = self.bytes.get_mut(start..start + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len() as u8;
        }
    }

    fn zeros(&mut self, count: usize) {
        self.push([b'0'; ROOM].get(..count).unwrap_or_default());
    }
}

impl std::ops::Deref for SmallText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl std::fmt::Write for SmallText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl std::fmt::Debug for SmallText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// A score as this server answers with it. Since 7.2 whole numbers up to 2^62 are written as integers, in full.
#[must_use]
pub fn score_text(score: f64, dialect: Dialect) -> SmallText {
    const LARGEST: f64 = (1_u64 << 62) as f64;
    if !dialect.since(7, 2) {
        seventeen(score)
    } else if score.abs() <= LARGEST && score.fract() == 0.0 && score != 0.0 {
        let mut text = SmallText::EMPTY;
        text.push(itoa::Buffer::new().format(score as i64).as_bytes());
        text
    } else {
        shortest(score)
    }
}

/// A score as DEBUG DIGEST mixes it: since 7.2 always by Grisu2, so that 100000000 is `1e+8` there.
#[must_use]
pub fn digest_text(score: f64, dialect: Dialect) -> SmallText {
    if dialect.since(7, 2) { shortest(score) } else { seventeen(score) }
}

/// What both ways write alike.
fn special(number: f64) -> Option<&'static [u8]> {
    match number {
        _ if number.is_nan() => Some(b"nan"),
        f64::INFINITY => Some(b"inf"),
        f64::NEG_INFINITY => Some(b"-inf"),
        0.0 => Some(if number.is_sign_negative() { b"-0" } else { b"0" }),
        _ => None,
    }
}

/// As C's `%.17g`: seventeen digits without the zeros at their end; with an exponent below 1e-4 and from 1e17 on.
#[must_use]
pub fn seventeen(number: f64) -> SmallText {
    use std::fmt::Write as _;

    let mut text = SmallText::EMPTY;
    if let Some(special) = special(number) {
        text.push(special);
        return text;
    }
    // Rust rounds as C does: to the nearest of the exact value, to even between two.
    let mut exact = SmallText::EMPTY;
    let _ = write!(exact, "{:.16e}", number.abs());
    let exponent_at = exact.iter().position(|byte| *byte == b'e').unwrap_or(exact.len());
    let (mantissa, exponent) = exact.split_at(exponent_at);
    let exponent: i32 = exponent.get(1..).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0);
    let mut digits = [b'0'; 17];
    let mut length = 0;
    for (place, digit) in digits
        .iter_mut()
        .zip(mantissa.iter().filter(|byte| byte.is_ascii_digit()))
        .map(|(place, digit)| (place, *digit))
    {
        *place = digit;
        length += 1;
    }
    while length > 1 && digits.get(length - 1) == Some(&b'0') {
        length -= 1;
    }
    let digits = digits.get(..length).unwrap_or_default();
    if number < 0.0 {
        text.push(b"-");
    }
    if (-4..17).contains(&exponent) {
        plain(&mut text, digits, exponent - (length as i32 - 1));
    } else {
        // At least two digits of exponent.
        scientific(&mut text, digits, exponent, 2);
    }
    text
}

/// As servers write since 7.2: Grisu2's digits, laid out by rules of their own.
fn shortest(number: f64) -> SmallText {
    let mut text = SmallText::EMPTY;
    if let Some(special) = special(number) {
        text.push(special);
        return text;
    }
    let negative = number < 0.0;
    if negative {
        text.push(b"-");
    }
    let Digits { digits, length, scale } = grisu2(number.abs());
    let exponent = scale + length as i32 - 1;
    let size = exponent.unsigned_abs() as usize;
    let all = digits.get(..length).unwrap_or_default();
    if (scale >= 0 && size < length + 7) || (scale < 0 && (scale > -7 || size < 4)) {
        plain(&mut text, all, scale);
    } else {
        let most = 18 - usize::from(negative);
        scientific(&mut text, all.get(..most).unwrap_or(all), exponent, 1);
    }
    text
}

/// Digits times ten to the power of `scale`, without an exponent.
fn plain(text: &mut SmallText, digits: &[u8], scale: i32) {
    let beyond = scale.unsigned_abs() as usize;
    if scale >= 0 {
        text.push(digits);
        text.zeros(beyond);
    } else if let Some((whole, fraction)) = digits
        .len()
        .checked_sub(beyond)
        .and_then(|at| digits.split_at_checked(at))
        .filter(|(whole, _)| !whole.is_empty())
    {
        text.push(whole);
        text.push(b".");
        text.push(fraction);
    } else {
        text.push(b"0.");
        text.zeros(beyond - digits.len());
        text.push(digits);
    }
}

/// `d.ddde+XX`, the exponent with so many digits at least.
fn scientific(text: &mut SmallText, digits: &[u8], exponent: i32, least: usize) {
    let (first, rest) = digits.split_at(digits.len().min(1));
    text.push(first);
    if !rest.is_empty() {
        text.push(b".");
        text.push(rest);
    }
    text.push(if exponent < 0 { b"e-" } else { b"e+" });
    let mut decimal = itoa::Buffer::new();
    let exponent = decimal.format(exponent.unsigned_abs());
    text.zeros(least.saturating_sub(exponent.len()));
    text.push(exponent.as_bytes());
}

/// A number as decimal digits times ten to the power of `scale`.
struct Digits {
    digits: [u8; 20],
    length: usize,
    scale: i32,
}

/// A fraction of 64 bits times two to the power of `exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

impl Scaled {
    /// The highest bit set.
    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self { fraction: self.fraction << shift, exponent: self.exponent - shift as i32 }
    }

    /// The upper half of the product, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Self { fraction: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// The power of ten that the first of [`POWERS`] is, and from one to the next.
const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;

/// The fractions of 10^-348, 10^-340, ... 10^340, rounded to the nearest.
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288,
    0xbaae_e17f_a23e_bf76,
    0x8b16_fb20_3055_ac76,
    0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d,
    0xe61a_cf03_3d1a_45df,
    0xab70_fe17_c79a_c6ca,
    0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c,
    0x8dd0_1fad_907f_fc3c,
    0xd351_5c28_3155_9a83,
    0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb,
    0xaecc_4991_4078_536d,
    0x823c_1279_5db6_ce57,
    0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f,
    0xd774_85cb_2582_3ac7,
    0xa086_cfcd_97bf_97f4,
    0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e,
    0x84c8_d4df_d2c6_3f3b,
    0xc5dd_4427_1ad3_cdba,
    0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584,
    0xa3ab_6658_0d5f_daf6,
    0xf3e2_f893_dec3_f126,
    0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b,
    0xc9bc_ff60_34c1_3053,
    0x964e_858c_91ba_2655,
    0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f,
    0xf8a9_5fcf_8874_7d94,
    0xb944_7093_8fa8_9bcf,
    0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6,
    0x993f_e2c6_d07b_7fac,
    0xe45c_10c4_2a2b_3b06,
    0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e,
    0xbce5_0864_9211_1aeb,
    0x8cbc_cc09_6f50_88cc,
    0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000,
    0xe8d4_a510_0000_0000,
    0xad78_ebc5_ac62_0000,
    0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3,
    0x8f7e_32ce_7bea_5c70,
    0xd5d2_38a4_abe9_8068,
    0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27,
    0xb0de_6538_8cc8_ada8,
    0x83c7_088e_1aab_65db,
    0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758,
    0xda01_ee64_1a70_8dea,
    0xa26d_a399_9aef_774a,
    0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877,
    0x865b_8692_5b9b_c5c2,
    0xc835_53c5_c896_5d3d,
    0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3,
    0xa59b_c234_db39_8c25,
    0xf6c6_9a72_a398_9f5c,
    0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2,
    0xcc20_ce9b_d35c_78a5,
    0x9816_5af3_7b21_53df,
    0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396,
    0xfb9b_7cd9_a4a7_443c,
    0xbb76_4c4c_a7a4_4410,
    0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c,
    0x9b10_a4e5_e991_3129,
    0xe710_9bfb_a19c_0c9d,
    0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85,
    0xbf21_e440_03ac_dd2d,
    0x8e67_9c2f_5e44_ff8f,
    0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9,
    0xeb96_bf6e_badf_77d9,
    0xaf87_023b_9bf0_ee6b,
];

/// The power of ten at a place of [`POWERS`], and its decimal exponent.
fn power(index: i32) -> (Scaled, i32) {
    let index = index.clamp(0, POWERS.len() as i32 - 1);
    let decimal = FIRST_POWER + POWER_STEP * index;
    // floor(k * log2(10)), exactly, for |k| < 1650.
    let exponent = ((decimal * 217_706) >> 16) - 63;
    (Scaled { fraction: POWERS.get(index as usize).copied().unwrap_or_default(), exponent }, decimal)
}

/// The power that brings a number with this exponent to one between -60 and -32, so that the part before the point fits
/// in 32 bits. Two powers may do; which of them is taken decides about digits, so it is looked for from where servers
/// begin to look.
fn power_for(exponent: i32) -> (Scaled, i32) {
    let guess = (f64::from(-(exponent + 87)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (guess - FIRST_POWER) / POWER_STEP;
    loop {
        let found = power(index);
        match exponent + found.0.exponent + 64 {
            ..-60 if index < POWERS.len() as i32 - 1 => index += 1,
            -31.. if index > 0 => index -= 1,
            _ => return found,
        }
    }
}

/// The digits of a number above zero.
fn grisu2(number: f64) -> Digits {
    const HIDDEN: u64 = 1 << 52;
    let bits = number.to_bits();
    let (fraction, biased) = (bits & (HIDDEN - 1), (bits >> 52) as i32 & 0x7ff);
    let own = match biased {
        0 => Scaled { fraction, exponent: -1074 },
        _ => Scaled { fraction: fraction | HIDDEN, exponent: biased - 1075 },
    };
    // Half way to the neighbours; the lower one is nearer where the exponent changes.
    let upper = Scaled { fraction: (own.fraction << 1) + 1, exponent: own.exponent - 1 }.normalized();
    let nearer = if own.fraction == HIDDEN { 2 } else { 1 };
    let lower = Scaled { fraction: (own.fraction << nearer) - 1, exponent: own.exponent - nearer };
    let lower = Scaled { fraction: lower.fraction << (lower.exponent - upper.exponent), exponent: upper.exponent };

    let (power, decimal) = power_for(upper.exponent);
    let (own, mut upper, mut lower) = (own.normalized().times(power), upper.times(power), lower.times(power));
    // Each product may be wrong by one, so the interval is made smaller by that.
    lower.fraction = lower.fraction.wrapping_add(1);
    upper.fraction = upper.fraction.wrapping_sub(1);
    generate(own, upper, lower, -decimal)
}

/// Digits of the upper bound, until what is left is within the interval.
fn generate(own: Scaled, upper: Scaled, lower: Scaled, scale: i32) -> Digits {
    let mut out = Digits { digits: [0; 20], length: 0, scale };
    let distance = upper.fraction.wrapping_sub(own.fraction);
    let mut width = upper.fraction.wrapping_sub(lower.fraction);
    let point = upper.exponent.unsigned_abs();
    let one = 1_u64 << point;
    let (mut whole, mut fraction) = (upper.fraction >> point, upper.fraction & (one - 1));
    let mut unit = 1_000_000_000_u64;
    for place in (0..10).rev() {
        out.push(whole / unit);
        whole %= unit;
        let rest = (whole << point) + fraction;
        if rest <= width {
            out.scale += place;
            out.approach(width, rest, unit << point, distance);
            return out;
        }
        unit /= 10;
    }
    let mut factor = 1_u64;
    // Each round widens the interval tenfold, so it ends before the digits have no room.
    for place in 1..=20 {
        fraction = fraction.wrapping_mul(10);
        width = width.wrapping_mul(10);
        factor = factor.wrapping_mul(10);
        out.push(fraction >> point);
        fraction &= one - 1;
        if fraction < width {
            out.scale -= place;
            out.approach(width, fraction, one, distance.wrapping_mul(factor));
            break;
        }
    }
    out
}

impl Digits {
    /// Adds a digit, unless it is a zero in front.
    fn push(&mut self, digit: u64) {
        if (digit != 0 || self.length > 0)
            && let Some(place) = self.digits.get_mut(self.length)
        {
            *place = b'0' + digit as u8;
            self.length += 1;
        }
    }

    /// Lowers the last digit while that brings it nearer to the number and leaves it in the interval.
    fn approach(&mut self, width: u64, mut rest: u64, unit: u64, distance: u64) {
        let Some(last) = self.length.checked_sub(1).and_then(|at| self.digits.get_mut(at)) else { return };
        while rest < distance
            && width - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            *last -= 1;
            rest += unit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: SmallText) -> String {
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// What redis 7.0.15 and valkey 9.1.2 answer to ZSCORE.
    const ROWS: &[(f64, &str, &str)] = &[
        (0.1, "0.10000000000000001", "0.1"),
        (1.1, "1.1000000000000001", "1.1"),
        (3.0, "3", "3"),
        (-3.0, "-3", "-3"),
        (100000000.0, "100000000", "100000000"),
        (12345678.0, "12345678", "12345678"),
        (1e21, "1e+21", "1e+21"),
        (1e-5, "1.0000000000000001e-05", "0.00001"),
        (0.0001, "0.0001", "0.0001"),
        (1e-7, "9.9999999999999995e-08", "1e-7"),
        (1.5e-7, "1.4999999999999999e-07", "1.5e-7"),
        (1.2345678901234568e+20, "1.2345678901234568e+20", "123456789012345680000"),
        (95428376826419.88, "95428376826419.875", "95428376826419.87"),
        (5e-324, "4.9406564584124654e-324", "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        (2.2250738585072014e-308, "2.2250738585072014e-308", "2.2250738585072014e-308"),
        (-1.2345678901234567e-100, "-1.2345678901234567e-100", "-1.2345678901234567e-100"),
        (1e17, "1e+17", "100000000000000000"),
        (1e16, "10000000000000000", "10000000000000000"),
        (3377822707026402.0, "3377822707026402", "3377822707026402"),
        (0.30000000000000004, "0.30000000000000004", "0.30000000000000004"),
        (-1.2345e-05, "-1.2345e-05", "-1.2345e-5"),
        (1e23, "9.9999999999999992e+22", "99999999999999990000000"),
        (9007199254740992.0, "9007199254740992", "9007199254740992"),
        (4.35e-10, "4.35e-10", "4.35e-10"),
        (123456.789e3, "123456789", "123456789"),
        (1e22, "1e+22", "1e+22"),
        (100.0, "100", "100"),
        (1e100, "1e+100", "1e+100"),
        (4.611686018427388e+18, "4.6116860184273879e+18", "4611686018427387904"),
        (4.611686018427389e+18, "4.6116860184273889e+18", "4611686018427389000"),
        (-1e18, "-1e+18", "-1000000000000000000"),
        (1e19, "1e+19", "1e+19"),
        (f64::INFINITY, "inf", "inf"),
        (f64::NEG_INFINITY, "-inf", "-inf"),
        (-0.0, "-0", "-0"),
    ];

    #[test]
    fn as_servers_write_them() {
        for (number, old, new) in ROWS {
            let new_dialect = "valkey-9.1".parse().unwrap();
            let texts = (text(score_text(*number, Dialect::DEFAULT)), text(score_text(*number, new_dialect)));
            assert_eq!((texts.0.as_str(), texts.1.as_str()), (*old, *new), "{number:e}");
        }
    }

    #[test]
    fn the_digest_has_texts_of_its_own_since_7_2() {
        // By DEBUG DIGEST-VALUE of 7.0.15, 8.2.3, valkey 8.1.8 and 9.1.2.
        for (number, old, new) in [
            (1e8, "100000000", "1e+8"),
            (-1e8, "-100000000", "-1e+8"),
            (12_345_678.0, "12345678", "12345678"),
            (4_611_686_018_427_387_904.0, "4.6116860184273879e+18", "4611686018427388000"),
            (1e18, "1e+18", "1e+18"),
        ] {
            assert_eq!(text(digest_text(number, Dialect::DEFAULT)), old);
            for dialect in ["redis-7.2", "redis-8.2", "valkey-8.1", "valkey-9.1"] {
                assert_eq!(text(digest_text(number, dialect.parse().unwrap())), new);
            }
        }
    }

    /// 10^decimal by schoolbook arithmetic, to be compared with the table.
    fn exact_power(decimal: i32) -> Vec<u8> {
        let (mut bits, count) = (vec![1_u32], decimal.unsigned_abs());
        for _ in 0..count {
            let mut carry = 0;
            for limb in &mut bits {
                let product = u64::from(*limb) * 10 + carry;
                *limb = product as u32;
                carry = product >> 32;
            }
            if carry > 0 {
                bits.push(carry as u32);
            }
        }
        bits.iter()
            .rev()
            .flat_map(|limb| (0..32).rev().map(move |bit| (limb >> bit & 1) as u8))
            .skip_while(|bit| *bit == 0)
            .collect()
    }

    /// The first 65 bits, the last of which says where to round.
    fn rounded(bits: impl Iterator<Item = u8>) -> u64 {
        let all = bits.chain(std::iter::repeat(0)).take(65).fold(0_u128, |all, bit| all << 1 | u128::from(bit));
        (all >> 1) as u64 + (all & 1) as u64
    }

    #[test]
    fn the_powers_of_ten_are_rounded_to_the_nearest() {
        for index in 0..87 {
            let (power, decimal) = power(index);
            let bits = exact_power(decimal);
            let (fraction, exponent) = if decimal >= 0 {
                (rounded(bits.iter().copied()), bits.len() as i32 - 64)
            } else {
                // One divided by the power, bit by bit.
                let mut rest: Vec<u8> = vec![1];
                let mut quotient = Vec::new();
                let mut places = 0;
                while quotient.len() < 65 {
                    rest.push(0);
                    places += 1;
                    let fits = rest.len() > bits.len() || (rest.len() == bits.len() && rest >= bits);
                    if fits {
                        subtract(&mut rest, &bits);
                    }
                    if fits || !quotient.is_empty() {
                        quotient.push(u8::from(fits));
                    }
                }
                (rounded(quotient.into_iter()), 1 - places)
            };
            assert_eq!((power.fraction, power.exponent), (fraction, exponent), "10^{decimal}");
        }
    }

    fn subtract(from: &mut Vec<u8>, other: &[u8]) {
        let mut borrow = 0;
        for place in 0..from.len() {
            let at = from.len() - 1 - place;
            let taken = other.len().checked_sub(place + 1).map_or(0, |at| other[at]) + borrow;
            borrow = u8::from(from[at] < taken);
            from[at] = from[at] + 2 * borrow - taken;
        }
        let zeros = from.iter().take_while(|bit| **bit == 0).count();
        from.drain(..zeros);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn both_are_read_back_as_the_same_number(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(!number.is_nan());
            for written in [text(seventeen(number)), text(shortest(number))] {
                prop_assert_eq!(written.parse::<f64>().unwrap().to_bits(), bits, "{}", written);
            }
        }
    }
}
