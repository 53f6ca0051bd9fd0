//! Sums without rounding: the order in which values come never shows in what they add up to.

use std::cmp::Ordering;
use vivarium_storage::Value;
use vivarium_storage::value::Decimal;

/// Digits that a Decimal has behind the point at most.
const SCALE_MAX: usize = 28;
/// One more than the greatest mantissa of a Decimal.
const MANTISSA_PAST: u128 = 1 << 96;
/// Digits behind the point that an average is worked out to, if the sum has no more.
const AVERAGE_SCALE: u32 = 10;

/// A sum of Decimals, as one whole number for each number of digits behind the point.
#[derive(Clone, Debug)]
pub(crate) struct DecimalSum {
    mantissas: [i128; SCALE_MAX + 1],
}

/// The size of a sum: a whole part and 28 digits behind the point.
struct Parts {
    negative: bool,
    whole: u128,
    digits: [u8; SCALE_MAX],
}

impl DecimalSum {
    pub(super) fn new() -> DecimalSum {
        DecimalSum { mantissas: [0; SCALE_MAX + 1] }
    }

    pub(super) fn add(&mut self, value: Decimal) {
        let place = usize::try_from(value.scale()).expect("at most 28");
        // 2^31 values of 96 bits fit: more records than one operation reads.
        self.mantissas[place] += value.mantissa();
    }

    /// Adds `mantissa / 10^scale`, of at most 28 places.
    pub(super) fn add_short(&mut self, mantissa: i64, scale: u32) {
        self.mantissas[scale as usize] += i128::from(mantissa);
    }

    /// The sum, exactly, with no zero at the end; `None` when it has more digits than a Decimal.
    pub(super) fn total(&self) -> Option<Decimal> {
        let Parts { negative, whole, digits } = self.parts();
        let scale = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
        let mut mantissa = whole;
        for digit in &digits[..scale] {
            mantissa = mantissa.checked_mul(10)?.checked_add(u128::from(*digit))?;
        }
        decimal(negative, mantissa, scale)
    }

    /// The sum divided by a count that is not zero: to ten digits behind the point, or to as many as the sum has,
    /// or to as many as fit; rounded half to even.
    pub(super) fn average(&self, count: u64) -> Option<Decimal> {
        let Parts { negative, whole, digits } = self.parts();
        let count = u128::from(count);
        let scale_max = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
        let scale_max = scale_max.max(AVERAGE_SCALE as usize);
        let (mut mantissa, mut rest) = (whole / count, whole % count);
        let mut places = 0;
        let digit_at = |place: usize| u128::from(digits.get(place).copied().unwrap_or(0));
        while places < scale_max {
            let dividend = rest * 10 + digit_at(places);
            let longer = mantissa.checked_mul(10)?.checked_add(dividend / count)?;
            if longer >= MANTISSA_PAST {
                break;
            }
            (mantissa, rest) = (longer, dividend % count);
            places += 1;
        }
        // What is left decides by its next digit, and by whether anything follows that.
        let dividend = rest * 10 + digit_at(places);
        let (next, left) = (dividend / count, dividend % count);
        let more = left != 0 || digits.iter().skip(places + 1).any(|digit| *digit != 0);
        if next > 5 || (next == 5 && (more || mantissa % 2 == 1)) {
            mantissa += 1;
        }
        decimal(negative, mantissa, places).map(|average| average.normalize())
    }

    /// The sum with as many digits as a Decimal has, the others left out; the nearest double where no Decimal is as large.
    pub(super) fn nearly(&self) -> Value {
        let Parts { negative, whole, digits } = self.parts();
        let (mut mantissa, mut scale) = (whole, 0);
        for digit in digits {
            match mantissa.checked_mul(10).map(|longer| longer + u128::from(digit)) {
                Some(longer) if longer < MANTISSA_PAST => (mantissa, scale) = (longer, scale + 1),
                _ => break,
            }
        }
        decimal(negative, mantissa, scale).map_or_else(|| Value::Float(self.double()), Value::Decimal)
    }

    /// The nearest double.
    pub(super) fn double(&self) -> f64 {
        let Parts { negative, whole, digits } = self.parts();
        let fraction: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let size: f64 = format!("{whole}.{fraction}").parse().expect("digits are a number");
        if negative { -size } else { size }
    }

    /// Which of two sums is greater, to the last digit.
    pub(super) fn compare(&self, other: &DecimalSum) -> Ordering {
        let (one, other) = (self.parts(), other.parts());
        let size = |parts: &Parts| (parts.whole, parts.digits);
        match (one.negative, other.negative) {
            (false, false) => size(&one).cmp(&size(&other)),
            (true, true) => size(&other).cmp(&size(&one)),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }

    fn parts(&self) -> Parts {
        // Carried from the last digit to the point, so that every digit lies between 0 and 9.
        let mut carried = [0; SCALE_MAX];
        let mut carry = 0;
        for place in (1..=SCALE_MAX).rev() {
            let sum = self.mantissas[place] + carry;
            carried[place - 1] = u8::try_from(sum.rem_euclid(10)).expect("a digit");
            carry = sum.div_euclid(10);
        }
        let whole = self.mantissas[0] + carry;
        if whole >= 0 {
            return Parts { negative: false, whole: whole.unsigned_abs(), digits: carried };
        }
        // Below zero the digits were counted up from the whole number beneath: turn them round.
        let mut digits = [0; SCALE_MAX];
        let mut borrowed = false;
        for place in (0..SCALE_MAX).rev() {
            let taken = carried[place] + u8::from(borrowed);
            digits[place] = (10 - taken) % 10;
            borrowed = taken > 0;
        }
        Parts { negative: true, whole: whole.unsigned_abs() - u128::from(borrowed), digits }
    }
}

fn decimal(negative: bool, mantissa: u128, scale: usize) -> Option<Decimal> {
    let mantissa = i128::try_from(mantissa).ok()?;
    let mantissa = if negative { -mantissa } else { mantissa };
    Decimal::try_from_i128_with_scale(mantissa, u32::try_from(scale).expect("at most 28")).ok()
}

/// Bits of one place of a sum of floats.
const PLACE_BITS: usize = 32;
/// Places that hold every double, 2^-1074 to 2^1024, and what many of them add up to.
const PLACES: usize = (1074 + 1024) / PLACE_BITS + 4;

/// A sum of doubles as one wide number in binary, rounded once: when it is asked for.
#[derive(Clone, Debug)]
pub(super) struct FloatSum {
    /// From the least: place n counts 2^(32 n - 1074). Each has room for 2^31 values before it is carried.
    places: Box<[i64; PLACES]>,
}

impl FloatSum {
    pub(super) fn new() -> FloatSum {
        FloatSum { places: Box::new([0; PLACES]) }
    }

    pub(super) fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let exponent = usize::try_from((bits >> 52) & 0x7FF).expect("eleven bits");
        let fraction = bits & ((1 << 52) - 1);
        // Without a leading one below the least exponent.
        let (mantissa, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let mut wide = u128::from(mantissa) << (shift % PLACE_BITS);
        let mut place = shift / PLACE_BITS;
        while wide != 0 {
            let part = i64::try_from(wide & u128::from(u32::MAX)).expect("32 bits");
            self.places[place] += if value < 0.0 { -part } else { part };
            wide >>= PLACE_BITS;
            place += 1;
        }
    }

    /// The double nearest to the sum, of two that are equally near the even one; infinite past the greatest.
    pub(super) fn total(&self) -> f64 {
        let mut carried = [0i64; PLACES];
        let negative = self.carry(1, &mut carried) < 0;
        if negative {
            let carry = self.carry(-1, &mut carried);
            assert!(carry >= 0, "one of a number and its opposite is not negative");
        }
        let Some(top) = carried.iter().rposition(|place| *place != 0) else { return 0.0 };
        let word = |place: usize| u128::try_from(carried[place]).expect("carried places are not negative");
        // The 64 highest bits and more, and whether anything lies below.
        let mut high = 0u128;
        for back in 0..3 {
            high = (high << PLACE_BITS) | if top >= back { word(top - back) } else { 0 };
        }
        let below = (0..top.saturating_sub(2)).any(|place| carried[place] != 0);
        let bits = 128 - high.leading_zeros();
        // The lowest bit of `high` counts 2^base.
        let base = i32::try_from(PLACE_BITS * top).expect("a few thousand") - 64 - 1074;
        // A double has 53 bits, and none below 2^-1074.
        let dropped = (i32::try_from(bits).expect("at most 96") - 53).max(-1074 - base).max(0);
        let kept = high >> dropped;
        let rest = high & ((1 << dropped) - 1);
        let half = if dropped == 0 { 0 } else { 1u128 << (dropped - 1) };
        let up = dropped > 0 && (rest > half || (rest == half && (below || kept & 1 == 1)));
        let mantissa = u64::try_from(kept + u128::from(up)).expect("54 bits at most");
        let size = scaled(mantissa, base + dropped);
        if negative { -size } else { size }
    }

    /// The places of the sum times `sign`, each carried to the next; what is carried out of the last.
    fn carry(&self, sign: i64, carried: &mut [i64; PLACES]) -> i64 {
        let mut carry = 0;
        for (place, out) in self.places.iter().zip(carried.iter_mut()) {
            let sum = sign * place + carry;
            *out = sum & i64::from(u32::MAX);
            carry = sum >> PLACE_BITS;
        }
        carry
    }
}

/// `mantissa * 2^exponent`, which is a double or infinite.
fn scaled(mantissa: u64, exponent: i32) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "53 bits, or a power of two")]
    let mut size = mantissa as f64;
    let mut left = exponent;
    // In steps that are doubles themselves; exact, for the product of the first ones is no smaller than the result.
    while left > 0 && size.is_finite() {
        let step = left.min(1000);
        size *= f64::powi(2.0, step);
        left -= step;
    }
    while left < 0 {
        let step = left.max(-1000);
        size *= f64::powi(2.0, step);
        left -= step;
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn total_of(digits: &[&str]) -> Option<String> {
        let mut sum = DecimalSum::new();
        digits.iter().for_each(|digits| sum.add(digits.parse().unwrap()));
        sum.total().map(|total| total.to_string())
    }

    fn average_of(digits: &[&str], count: u64) -> String {
        let mut sum = DecimalSum::new();
        digits.iter().for_each(|digits| sum.add(digits.parse().unwrap()));
        sum.average(count).unwrap().to_string()
    }

    #[test]
    fn decimals_add_up_exactly() {
        assert_eq!(total_of(&["0.10", "0.2", "-1"]).unwrap(), "-0.7");
        assert_eq!(total_of(&["-0.01", "1"]).unwrap(), "0.99");
        assert_eq!(total_of(&["-0.01", "-1"]).unwrap(), "-1.01");
        assert_eq!(total_of(&["-1.00", "1"]).unwrap(), "0");
        assert_eq!(total_of(&["-5", "3"]).unwrap(), "-2");
        let tiny = "0.0000000000000000000000000001";
        assert_eq!(total_of(&["7922816251426433759354395033", tiny]), None, "too many digits for a Decimal");
        assert_eq!(total_of(&["7922816251426433759354395033", tiny, "-7922816251426433759354395033"]).unwrap(), tiny);
    }

    #[test]
    fn sums_that_no_decimal_holds_are_compared_to_the_last_digit() {
        let sum = |digits: &[&str]| {
            let mut sum = DecimalSum::new();
            digits.iter().for_each(|digits| sum.add(digits.parse().unwrap()));
            sum
        };
        let (large, tiny) = ("99999999999999999999999999.99", "0.0000000000000000000000000001");
        let ascending: [&[&str]; 8] = [
            &["-99999999999999999999999999.99", "-0.0000000000000000000000000001"],
            &["-99999999999999999999999999.99"],
            &["-0.1"],
            &["0.1"],
            &[large],
            &[large, tiny],
            &[large, tiny, tiny],
            &["79228162514264337593543950335", "1", "0.01"],
        ];
        for (one, next) in ascending.iter().zip(&ascending[1..]) {
            assert_eq!(sum(one).compare(&sum(next)), Ordering::Less, "{one:?} {next:?}");
            assert_eq!(sum(next).compare(&sum(one)), Ordering::Greater, "{one:?} {next:?}");
        }
        assert_eq!(sum(&[large, tiny]).compare(&sum(&[tiny, large])), Ordering::Equal);
        assert_eq!(sum(&[large, tiny]).nearly(), Value::Decimal(large.parse().unwrap()));
        assert_eq!(sum(ascending[7]).nearly(), Value::Float(79_228_162_514_264_337_593_543_950_336.0));
    }

    #[test]
    fn averages_of_decimals_are_rounded_once() {
        assert_eq!(average_of(&["1"], 3), "0.3333333333");
        assert_eq!(average_of(&["-2"], 3), "-0.6666666667");
        assert_eq!(average_of(&["10.00"], 4), "2.5");
        assert_eq!(average_of(&["0.00000000001"], 1), "0.00000000001");
        assert_eq!(average_of(&["0.00000000005"], 2), "0.00000000002", "half to even");
        assert_eq!(average_of(&["0.00000000015"], 2), "0.00000000008", "half to even");
        assert_eq!(average_of(&["79228162514264337593543950335"], 1), "79228162514264337593543950335");
        let digits = ["7922816251426433759354395033", "0.0000000000000000000000000001"];
        assert_eq!(average_of(&digits, 2), "3961408125713216879677197516.5");
    }

    fn float_total(values: &[f64]) -> f64 {
        let mut sum = FloatSum::new();
        values.iter().for_each(|value| sum.add(*value));
        sum.total()
    }

    #[test]
    fn floats_add_up_to_the_nearest_double() {
        assert_eq!(float_total(&[]), 0.0);
        assert_eq!(float_total(&[0.1; 10]), 1.0);
        assert_eq!(float_total(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(float_total(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(float_total(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(float_total(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(float_total(&[-5e-324]), -5e-324);
        assert_eq!(float_total(&[1.0, f64::EPSILON / 2.0]), 1.0, "half to even");
        assert_eq!(float_total(&[1.0, f64::EPSILON / 2.0, 5e-324]), 1.0 + f64::EPSILON);
    }

    proptest! {
        #[test]
        fn one_double_and_two_add_up_as_the_machine_has_it(one in any::<i64>(), other in any::<i64>()) {
            for (one, other) in [(one as f64, other as f64), (one as f64 * 1e-30, other as f64 * 1e-12)] {
                prop_assert_eq!(float_total(&[one]), one);
                prop_assert_eq!(float_total(&[one, other]), one + other);
            }
        }

        #[test]
        fn doubles_of_any_size_come_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(float_total(&[value]), value);
            prop_assert_eq!(float_total(&[value, 1.5, -1.5]), value);
        }
    }
}
