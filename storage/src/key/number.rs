//! Numbers of all types in one order: equal values have equal bytes, whatever their type.
//!
//! A number is a whole part in binary and a fraction in decimal. A float that is no integer stands
//! for its shortest decimal: that keeps the order of floats and lets Float 0.1 meet Decimal 0.1.

use super::tuple::{Malformed, Reader};
use crate::Value;
use crate::runtime::mutant;
use rust_decimal::Decimal;
use std::fmt::{self, Write};

/// The tag of zero. A magnitude of n bytes has the tag `ZERO + n`, negated `ZERO - n`.
pub(super) const ZERO: u8 = 0x19;
/// The most bytes of magnitude that the tag tells by itself.
const SHORT_BYTES_MAX: u8 = 8;
/// Longer magnitudes: a byte of length stands before them.
pub(super) const LONG: u8 = ZERO + SHORT_BYTES_MAX + 1;
pub(super) const LONG_NEGATIVE: u8 = ZERO - SHORT_BYTES_MAX - 1;

/// Pairs of digits that a fraction has at most: a Decimal has 28 digits, a float 17 at odd places.
const PAIRS_MAX: usize = 14;
/// One more than the greatest mantissa of a Decimal.
const DECIMAL_PAST: u128 = 1 << 96;

/// The exact value of a number: `whole << shift`, then `digits / 10^places`.
struct Number {
    negative: bool,
    whole: u128,
    /// Above zero only for integers of at most 53 bits in `whole`.
    shift: u32,
    digits: u128,
    places: u32,
}

/// Appends an Int. This is the hot one: keys of ids, references and enums.
pub(super) fn push_int(int: i64, out: &mut Vec<u8>) {
    let magnitude = int.unsigned_abs();
    if magnitude >> 63 != 0 {
        return Number::whole(int < 0, magnitude).push(out);
    }
    let doubled = magnitude << 1;
    let skipped = doubled.leading_zeros() / 8;
    let length = 8 - skipped as u8;
    let (tag, body) = if int >= 0 {
        (ZERO + length, doubled)
    } else {
        (ZERO - length, if mutant("idx-02") { doubled } else { !doubled })
    };
    let end = out.len() + 1 + usize::from(length);
    // All eight bytes and a cut: a copy of known length is a few instructions.
    let mut element = [tag; 9];
    element[1..].copy_from_slice(&body.checked_shl(8 * skipped).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&element);
    out.truncate(end);
}

/// Appends a Float.
pub(super) fn push_float(float: f64, out: &mut Vec<u8>) {
    Number::from_float(float).push(out);
}

/// Appends a Decimal.
pub(super) fn push_decimal(decimal: Decimal, out: &mut Vec<u8>) {
    Number::from_decimal(decimal).push(out);
}

/// Reads a number whose tag has been taken.
pub(super) fn read(tag: u8, reader: &mut Reader<'_>) -> Result<Value, Malformed> {
    let negative = tag < ZERO;
    let length = tag.abs_diff(ZERO);
    if length > SHORT_BYTES_MAX {
        return read_long(negative, reader);
    }
    let mut doubled = 0u64;
    for position in 0..length {
        let byte = reader.byte(negative)?;
        if position == 0 && byte == 0 {
            return Err(Malformed("a number begins with a zero byte"));
        }
        doubled = (doubled << 8) | u64::from(byte);
    }
    let whole = doubled >> 1;
    if doubled & 1 != 0 {
        return read_fraction(negative, u128::from(whole), reader);
    }
    let int = whole as i64;
    Ok(Value::Int(if negative { -int } else { int }))
}

/// A number of few digits, behind its tag: its mantissa, and how many of the digits stand behind the point.
pub(super) fn short(tag: u8, mask: u8, body: &[u8]) -> Option<(i64, u32)> {
    /// Bytes of a whole number that fits an `i64` doubled.
    const BYTES_MAX: u8 = 7;
    /// Bytes of a whole part that fits one with eight digits behind the point.
    const WHOLE_BYTES_MAX: u8 = 4;
    /// Pairs of digits, the leading ones of zeros among them.
    const PAIRS: usize = 4;
    let negative = tag < ZERO;
    let length = tag.abs_diff(ZERO);
    if length > BYTES_MAX {
        return None;
    }
    let mask = if negative { !mask } else { mask };
    let (head, fraction) = body.split_at_checked(usize::from(length))?;
    let doubled = head.iter().fold(0i64, |sum, byte| (sum << 8) | i64::from(byte ^ mask));
    let (mut mantissa, mut scale) = (doubled >> 1, 0);
    if doubled & 1 != 0 {
        let (leading, pairs) = fraction.split_first().filter(|_| length <= WHOLE_BYTES_MAX)?;
        let leading = usize::from(u8::MAX - (leading ^ mask));
        let (end, pairs) = pairs.split_last()?;
        if end ^ mask != 0 || leading + pairs.len() > PAIRS {
            return None;
        }
        mantissa = (0..leading).fold(mantissa, |sum, _| sum * 100);
        mantissa = pairs.iter().fold(mantissa, |sum, pair| sum * 100 + i64::from(pair ^ mask) - 1);
        scale = 2 * u32::try_from(leading + pairs.len()).ok()?;
    }
    Some((if negative { -mantissa } else { mantissa }, scale))
}

/// Passes a number whose tag has been taken.
pub(super) fn skip(tag: u8, reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let negative = tag < ZERO;
    let mut length = tag.abs_diff(ZERO);
    if length > SHORT_BYTES_MAX {
        length = reader.byte(negative)?;
    }
    if length == 0 {
        return Ok(());
    }
    reader.pass(usize::from(length) - 1)?;
    if reader.byte(negative)? & 1 == 0 {
        return Ok(());
    }
    // How many pairs of digits lead with zero, the pairs, of which none is zero, and the end.
    reader.pass(1)?;
    reader.pass_through(0, negative)
}

fn read_long(negative: bool, reader: &mut Reader<'_>) -> Result<Value, Malformed> {
    let length = reader.byte(negative)?;
    if length <= SHORT_BYTES_MAX {
        return Err(Malformed("a number has too long a form"));
    }
    let (mut doubled, mut zero_bits) = (0u128, 0);
    let mut odd = false;
    for position in 0..length {
        let byte = reader.byte(negative)?;
        if position == 0 && byte == 0 {
            return Err(Malformed("a number begins with a zero byte"));
        }
        odd = byte & 1 != 0;
        if position < 16 {
            doubled = (doubled << 8) | u128::from(byte);
        } else if byte == 0 {
            zero_bits += 8;
        } else {
            return Err(Malformed("a number has more digits than any type"));
        }
    }
    if odd {
        // More than 16 bytes end in a zero byte, which is not odd: all bits are in `doubled`.
        return read_fraction(negative, doubled >> 1, reader);
    }
    let number = Number { negative, whole: doubled, shift: zero_bits, digits: 0, places: 0 };
    number.halved().into_integer()
}

fn read_fraction(negative: bool, whole: u128, reader: &mut Reader<'_>) -> Result<Value, Malformed> {
    let leading = u8::MAX - reader.byte(negative)?;
    let mut digits = 0u128;
    let mut pairs = 0;
    loop {
        match reader.byte(negative)? {
            0 => break,
            pair @ 1..=100 if pairs < PAIRS_MAX => digits = digits * 100 + u128::from(pair - 1),
            _ => return Err(Malformed("a fraction has more digits than any type")),
        }
        if pairs == 0 && digits == 0 {
            return Err(Malformed("a fraction has too long a form"));
        }
        pairs += 1;
    }
    if digits == 0 || digits.is_multiple_of(100) {
        return Err(Malformed("a fraction has too long a form"));
    }
    let mut places = 2 * (u32::from(leading) + pairs as u32);
    if digits.is_multiple_of(10) {
        digits /= 10;
        places -= 1;
    }
    Number { negative, whole, shift: 0, digits, places }.into_fraction()
}

impl Number {
    fn whole(negative: bool, magnitude: u64) -> Number {
        Number { negative, whole: u128::from(magnitude), shift: 0, digits: 0, places: 0 }
    }

    fn from_decimal(decimal: Decimal) -> Number {
        let mantissa = decimal.mantissa();
        let places = decimal.scale();
        let one = 10u128.pow(places);
        let magnitude = mantissa.unsigned_abs();
        let negative = mantissa < 0;
        Number { negative, whole: magnitude / one, shift: 0, digits: magnitude % one, places }
    }

    fn from_float(float: f64) -> Number {
        assert!(float.is_finite(), "a float in a value is finite");
        let negative = float < 0.0;
        let magnitude = float.abs();
        if magnitude.trunc() != magnitude {
            return Number::from_shortest_decimal(negative, magnitude);
        }
        // Below 2^53 a float converts without loss; from there on it is 53 bits and a shift.
        if magnitude < 9_007_199_254_740_992.0 {
            return Number::whole(negative, magnitude as u64);
        }
        let bits = magnitude.to_bits();
        let whole = u128::from((bits & ((1 << 52) - 1)) | (1 << 52));
        let shift = (bits >> 52) as u32 - 1075;
        Number { negative, whole, shift, digits: 0, places: 0 }
    }

    fn from_shortest_decimal(negative: bool, magnitude: f64) -> Number {
        let mut text = Text::default();
        write!(text, "{magnitude:e}").expect("a float in scientific form has at most 24 bytes");
        let mut parts = text.as_str().split('e');
        let mantissa = parts.next().expect("a split has a first part");
        let exponent = parts.next().and_then(|exponent| exponent.parse().ok());
        let exponent: i32 = exponent.expect("scientific form has an exponent");
        let mut digits = 0u128;
        let mut length = 0;
        for digit in mantissa.bytes().filter(u8::is_ascii_digit) {
            digits = digits * 10 + u128::from(digit - b'0');
            length += 1;
        }
        let places = u32::try_from(length - 1 - exponent).expect("a float that is no integer has decimal places");
        // At most 17 digits: with more places than that, nothing stands before the point.
        let one = 10u128.pow(places.min(18));
        Number { negative, whole: digits / one, shift: 0, digits: digits % one, places }
    }

    /// Appends the tag, the magnitude doubled, its lowest bit telling of a fraction, and the fraction.
    fn push(&self, out: &mut Vec<u8>) {
        let fraction = self.digits != 0;
        let doubled = self.shift + 1;
        let head = (self.whole << (doubled % 8)) | u128::from(fraction);
        let zero_bytes = (doubled / 8) as usize;
        let head_bytes = head.to_be_bytes();
        let head_bytes = &head_bytes[(head.leading_zeros() / 8) as usize..];
        let length = u8::try_from(head_bytes.len() + zero_bytes).expect("the greatest float has 129 bytes");
        if length <= SHORT_BYTES_MAX {
            out.push(if self.negative { ZERO - length } else { ZERO + length });
        } else {
            out.push(if self.negative { LONG_NEGATIVE } else { LONG });
        }
        let body = out.len();
        if length > SHORT_BYTES_MAX {
            out.push(length);
        }
        out.extend_from_slice(head_bytes);
        out.resize(out.len() + zero_bytes, 0);
        if fraction {
            self.push_fraction(out);
        }
        if self.negative {
            super::tuple::invert(&mut out[body..]);
        }
    }

    /// Pairs of digits: how many lead with zero (more sort lower), each pair plus one, a zero byte.
    fn push_fraction(&self, out: &mut Vec<u8>) {
        let odd = self.places % 2;
        let mut digits = if odd == 1 { self.digits * 10 } else { self.digits };
        let places = (self.places + odd) / 2;
        let mut pairs = [0; PAIRS_MAX + 1];
        let mut length = 0;
        while digits != 0 {
            pairs[length] = (digits % 100) as u8;
            digits /= 100;
            length += 1;
        }
        let trailing = pairs.iter().take_while(|pair| **pair == 0).count();
        let leading = u8::try_from(places as usize - length).expect("the least float has 162 pairs");
        out.push(u8::MAX - leading);
        out.extend(pairs[trailing..length].iter().rev().map(|pair| pair + 1));
        out.push(0);
    }

    /// The integer half as great. Only the doubled form of keys is halved, which is even.
    fn halved(mut self) -> Number {
        let trailing = self.whole.trailing_zeros();
        self.whole >>= trailing;
        self.shift += trailing;
        self.shift -= 1;
        self
    }

    fn into_integer(self) -> Result<Value, Malformed> {
        let bits = 128 - self.whole.leading_zeros();
        if bits + self.shift <= 96 {
            let magnitude = (self.whole << self.shift) as i128;
            let integer = if self.negative { -magnitude } else { magnitude };
            if let Ok(int) = i64::try_from(integer) {
                return Ok(Value::Int(int));
            }
            return Ok(Value::Decimal(Decimal::from_i128_with_scale(integer, 0)));
        }
        if bits > 53 || bits + self.shift > 1024 {
            return Err(Malformed("a number is greater or more exact than any type"));
        }
        let magnitude = self.whole as f64 * f64::from_bits((u64::from(self.shift) + 1023) << 52);
        Ok(Value::Float(if self.negative { -magnitude } else { magnitude }))
    }

    fn into_fraction(self) -> Result<Value, Malformed> {
        if let Some(decimal) = self.as_decimal() {
            return Ok(Value::Decimal(decimal));
        }
        let places = self.places as usize;
        let text = format!("{}.{:0places$}", self.whole, self.digits);
        let magnitude: f64 = text.parse().map_err(|_| Malformed("a number is no number"))?;
        let same = Number::from_float(magnitude);
        let exact =
            same.whole == self.whole && same.shift == 0 && same.digits == self.digits && same.places == self.places;
        if !exact {
            return Err(Malformed("a number is more exact than any type"));
        }
        Ok(Value::Float(if self.negative { -magnitude } else { magnitude }))
    }

    fn as_decimal(&self) -> Option<Decimal> {
        if self.places > Decimal::MAX_SCALE {
            return None;
        }
        let whole = self.whole.checked_mul(10u128.pow(self.places))?;
        let mantissa = whole.checked_add(self.digits).filter(|mantissa| *mantissa < DECIMAL_PAST)? as i128;
        Some(Decimal::from_i128_with_scale(if self.negative { -mantissa } else { mantissa }, self.places))
    }
}

/// A short text on the stack.
#[derive(Default)]
struct Text {
    bytes: [u8; 32],
    length: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("only whole strings were written")
    }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}
