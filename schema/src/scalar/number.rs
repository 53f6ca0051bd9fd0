//! Int, BigInt, Float and Decimal.
//!
//! Nothing is rounded: a number that does not fit exactly is refused (a Float takes the nearest double).

use super::found;
use crate::Input;
use crate::catalog::Precision;
use vivarium_storage::Value;
use vivarium_storage::value::Decimal;

pub(super) fn coerce_int(input: &Input) -> Result<Value, String> {
    match input {
        Input::Int(_) | Input::Number(_) => match whole(input) {
            Some(value) if i32::try_from(value).is_ok() => Ok(Value::Int(value)),
            Some(value) => Err(format!(
                "An Int lies between -2147483648 and 2147483647, and {value} does not: declare the field as BigInt."
            )),
            None => Err(format!("An Int is a whole number of 32 bits, not {}.", found(input))),
        },
        other => Err(format!("An Int is a whole number, not {}.", found(other))),
    }
}

pub(super) fn coerce_big_int(input: &Input) -> Result<Value, String> {
    let value = match input {
        Input::Int(_) | Input::Number(_) => whole(input),
        Input::String(text) if is_integer(text) => text.parse().ok(),
        other => return Err(format!("A BigInt is a whole number, or a string of one, not {}.", found(other))),
    };
    value.map(Value::Int).ok_or_else(|| {
        format!(
            "A BigInt is a whole number between -9223372036854775808 and 9223372036854775807, which {} is not.",
            found(input)
        )
    })
}

pub(super) fn coerce_float(input: &Input) -> Result<Value, String> {
    let value = match input {
        // The nearest double: what GraphQL's Float means by a whole number too.
        #[allow(clippy::cast_precision_loss, reason = "a Float is the nearest double")]
        Input::Int(value) => *value as f64,
        Input::Number(digits) => digits.parse().map_err(|_| format!("A Float is a number, not {}.", found(input)))?,
        other => return Err(format!("A Float is a number, not {}.", found(other))),
    };
    finite(value)
        .map(Value::Float)
        .ok_or_else(|| format!("A Float is at most 1.7976931348623157e308 in size, which {} is not.", found(input)))
}

/// The number, with one zero only, so that equal numbers are stored alike; `None` when it is no number or infinite.
pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(if value == 0.0 { 0.0 } else { value })
}

pub(super) fn coerce_decimal(precision: Option<Precision>, input: &Input) -> Result<Value, String> {
    let value = match input {
        Input::Int(value) => Decimal::from(*value),
        Input::Number(digits) => exact(digits).ok_or_else(|| too_many_digits(input))?,
        Input::String(digits) if is_number(digits) => exact(digits).ok_or_else(|| too_many_digits(input))?,
        other => {
            return Err(format!("A Decimal is a number, or a string of one such as \"12.50\", not {}.", found(other)));
        }
    };
    match precision {
        None => Ok(Value::Decimal(value)),
        Some(precision) => fit(value, precision, input).map(Value::Decimal),
    }
}

fn too_many_digits(input: &Input) -> String {
    format!("A Decimal has at most 28 digits, and {} has more or is too large.", found(input))
}

/// The same number with exactly `scale` digits after the point: what is stored is what is printed.
fn fit(value: Decimal, precision: Precision, input: &Input) -> Result<Decimal, String> {
    let Precision { digits, scale } = precision;
    let shortest = value.normalize();
    if shortest.scale() > scale {
        return Err(format!(
            "This Decimal takes {scale} digits after the point (@precision), and {} has {}: round it first.",
            found(input),
            shortest.scale()
        ));
    }
    let limit = 10i128.checked_pow(digits).unwrap_or(i128::MAX);
    let grown = 10i128
        .checked_pow(scale - shortest.scale())
        .and_then(|factor| shortest.mantissa().checked_mul(factor))
        .filter(|mantissa| mantissa.unsigned_abs() < limit.unsigned_abs())
        .and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, scale).ok());
    grown.ok_or_else(|| {
        format!(
            "This Decimal takes {} digits before the point (@precision), which is too few for {}.",
            digits.saturating_sub(scale),
            found(input)
        )
    })
}

/// The number that the digits write down, if a Decimal holds it exactly.
pub(super) fn exact(digits: &str) -> Option<Decimal> {
    let Some(at) = digits.find(['e', 'E']) else {
        return Decimal::from_str_exact(digits).ok();
    };
    let mantissa = Decimal::from_str_exact(&digits[..at]).ok()?.normalize();
    let exponent: i64 = digits[at + 1..].parse().ok()?;
    let scale = i64::from(mantissa.scale()).checked_sub(exponent)?;
    match u32::try_from(scale) {
        Ok(scale) => Decimal::try_from_i128_with_scale(mantissa.mantissa(), scale).ok(),
        Err(_) => {
            let zeros = u32::try_from(scale.checked_neg()?).ok()?;
            let value = mantissa.mantissa().checked_mul(10i128.checked_pow(zeros)?)?;
            Decimal::try_from_i128_with_scale(value, 0).ok()
        }
    }
}

/// The whole number that an input is, if it is one and fits 64 bits.
fn whole(input: &Input) -> Option<i64> {
    match input {
        Input::Int(value) => Some(*value),
        Input::Number(digits) => {
            let value = exact(digits)?.normalize();
            if value.scale() == 0 { i64::try_from(value.mantissa()).ok() } else { None }
        }
        _ => None,
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// JSON's grammar of a number, with leading zeros allowed.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| is_integer(exponent.strip_prefix('+').unwrap_or(exponent)));
    let mantissa_fits = match mantissa.split_once('.') {
        None => is_integer(mantissa),
        Some((whole, fraction)) => is_integer(whole) && is_integer(fraction) && !fraction.starts_with('-'),
    };
    mantissa_fits && exponent_fits
}

const DIGIT_PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Appends a whole number.
pub(super) fn write_int(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_padded(value.unsigned_abs(), 1, out);
}

/// Appends a whole number with at least `width` digits (at most 20).
pub(super) fn write_padded(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value >= 100 {
        let pair = usize::try_from(value % 100).expect("less than 100") * 2;
        value /= 100;
        start -= 2;
        digits[start..start + 2].copy_from_slice(&DIGIT_PAIRS[pair..pair + 2]);
    }
    let pair = usize::try_from(value).expect("less than 100") * 2;
    if value >= 10 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&DIGIT_PAIRS[pair..pair + 2]);
    } else {
        start -= 1;
        digits[start] = DIGIT_PAIRS[pair + 1];
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

/// Appends a double: the shortest digits that read back as the same one.
pub(super) fn write_float(value: f64, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &value).expect("a Vec takes every write");
}

/// Appends a Decimal with all the digits it is kept with.
pub(super) fn write_decimal(value: Decimal, out: &mut Vec<u8>) {
    let scale = usize::try_from(value.scale()).expect("at most 28");
    let mantissa = value.mantissa();
    // Minus zero is zero.
    if mantissa < 0 {
        out.push(b'-');
    }
    let start = out.len();
    write_wide(mantissa.unsigned_abs(), scale + 1, out);
    if scale > 0 {
        let point = out.len() - scale;
        assert!(point > start, "a digit stands before the point");
        out.insert(point, b'.');
    }
}

/// Appends a number of up to 96 bits with at least `width` digits (at most 29).
fn write_wide(value: u128, width: usize, out: &mut Vec<u8>) {
    const HALF: u128 = 10_000_000_000_000_000;
    match u64::try_from(value) {
        Ok(value) if width <= 20 => write_padded(value, width, out),
        _ => {
            let (high, low) = (value / HALF, value % HALF);
            let high = u64::try_from(high).expect("96 bits are less than 10^32");
            write_padded(high, width.saturating_sub(16).max(1), out);
            write_padded(u64::try_from(low).expect("less than 10^16"), 16, out);
        }
    }
}
