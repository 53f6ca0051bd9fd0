//! DateTime, Date and Duration.
//!
//! A day has 24 hours and a minute 60 seconds: instants are microseconds since 1970 without leap seconds.

use super::{found, number::write_int, number::write_padded};
use crate::Input;
use vivarium_storage::Value;

const MICROS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

pub(super) fn coerce_date_time(input: &Input) -> Result<Value, String> {
    let Input::String(text) = input else {
        return Err(format!("A DateTime is a string such as \"2026-01-31T12:30:00Z\", not {}.", found(input)));
    };
    date_time(text).map(Value::DateTime).map_err(|reason| format!("{} is no DateTime: {reason}", found(input)))
}

/// RFC 3339, with `T` and `Z` in either case and at most microseconds.
fn date_time(text: &str) -> Result<i64, &'static str> {
    const FORM: &str = "write it as RFC 3339, such as \"2026-01-31T12:30:00Z\" or \"2026-01-31T14:30:00.25+02:00\".";
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !matches!(bytes[10], b'T' | b't' | b' ') || bytes[13] != b':' || bytes[16] != b':' {
        return Err(FORM);
    }
    let days = date(&bytes[..10])?;
    let (hour, minute) = (digits(&bytes[11..13]).ok_or(FORM)?, digits(&bytes[14..16]).ok_or(FORM)?);
    let second = digits(&bytes[17..19]).ok_or(FORM)?;
    let mut rest = &bytes[19..];
    let mut micros = 0;
    if rest[0] == b'.' {
        let length = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        micros = fraction(&rest[1..=length]).ok_or("it has more than microseconds, or no digits after the point.")?;
        rest = &rest[1 + length..];
    }
    let offset_minutes = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] if hours.len() == 2 => {
            let (hours, minutes) = (digits(hours).ok_or(FORM)?, digits(&[*tens, *ones]).ok_or(FORM)?);
            if hours > 23 || minutes > 59 {
                return Err("the offset is at most 23:59.");
            }
            if *sign == b'-' { -(hours * 60 + minutes) } else { hours * 60 + minutes }
        }
        [] => return Err("it has no offset: end it with Z for UTC, or with one such as +02:00."),
        _ => return Err(FORM),
    };
    if hour > 23 || minute > 59 {
        return Err("a day ends at 23:59:59.");
    }
    if second > 59 {
        return Err("leap seconds have no place in UTC microseconds: use second 59 or the next minute.");
    }
    let seconds = i64::from(days) * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second;
    let instant = seconds * MICROS_PER_SECOND + micros;
    if !(DATE_TIME_MIN..=DATE_TIME_MAX).contains(&instant) {
        return Err("in UTC it lies outside the years 0001 to 9999.");
    }
    Ok(instant)
}

/// 0001-01-01T00:00:00Z.
const DATE_TIME_MIN: i64 = -719_162 * MICROS_PER_DAY;
/// 9999-12-31T23:59:59.999999Z.
const DATE_TIME_MAX: i64 = 2_932_897 * MICROS_PER_DAY - 1;

pub(super) fn coerce_date(input: &Input) -> Result<Value, String> {
    let Input::String(text) = input else {
        return Err(format!("A Date is a string such as \"2026-01-31\", not {}.", found(input)));
    };
    date(text.as_bytes()).map(Value::Date).map_err(|reason| format!("{} is no Date: {reason}", found(input)))
}

/// `YYYY-MM-DD`, as days since 1970-01-01.
fn date(bytes: &[u8]) -> Result<i32, &'static str> {
    const FORM: &str = "write its day as \"2026-01-31\".";
    let [year @ .., b'-', m1, m2, b'-', d1, d2] = bytes else { return Err(FORM) };
    if year.len() != 4 {
        return Err(FORM);
    }
    let parts = (digits(year), digits(&[*m1, *m2]), digits(&[*d1, *d2]));
    let (Some(year), Some(month), Some(day)) = parts else { return Err(FORM) };
    if year == 0 {
        return Err("years run from 0001 to 9999.");
    }
    let part = |number: i64| i8::try_from(number).expect("two digits");
    let year = i16::try_from(year).expect("four digits");
    jiff::civil::Date::new(year, part(month), part(day)).map_err(|_| "the calendar has no such day.")?;
    Ok(days_since_1970(i64::from(year), month, day))
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar. March is the first month here, so that
/// the day that some years have and others lack comes last (H. Hinnant, "chrono-compatible date algorithms").
pub(super) fn days_since_1970(year: i64, month: i64, day: i64) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).expect("four-digit years fit")
}

/// The inverse: year, month, day.
pub(super) fn calendar(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Appends `YYYY-MM-DD`.
pub(super) fn write_date(days: i32, out: &mut Vec<u8>) {
    let (year, month, day) = calendar(i64::from(days));
    if year < 0 {
        out.push(b'-');
    }
    write_padded(year.unsigned_abs(), 4, out);
    out.push(b'-');
    write_two(month, out);
    out.push(b'-');
    write_two(day, out);
}

/// Appends RFC 3339 in UTC, with six digits of fraction where it is not zero.
pub(super) fn write_date_time(micros: i64, out: &mut Vec<u8>) {
    let days = micros.div_euclid(MICROS_PER_DAY);
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    write_date(i32::try_from(days).expect("the days of 64 bits of microseconds fit"), out);
    let seconds = of_day / MICROS_PER_SECOND;
    out.push(b'T');
    write_two(seconds / 3_600, out);
    out.push(b':');
    write_two(seconds / 60 % 60, out);
    out.push(b':');
    write_two(seconds % 60, out);
    let fraction = of_day % MICROS_PER_SECOND;
    if fraction != 0 {
        out.push(b'.');
        write_padded(fraction.unsigned_abs(), 6, out);
    }
    out.push(b'Z');
}

fn write_two(number: i64, out: &mut Vec<u8>) {
    write_padded(number.unsigned_abs(), 2, out);
}

pub(super) fn coerce_duration(input: &Input) -> Result<Value, String> {
    let Input::String(text) = input else {
        return Err(format!("A Duration is a string such as \"P1DT12H\", not {}.", found(input)));
    };
    duration(text).map(Value::Duration).map_err(|reason| format!("{} is no Duration: {reason}", found(input)))
}

/// ISO 8601 in units of one length: weeks, days, hours, minutes, seconds, in this order.
fn duration(text: &str) -> Result<i64, &'static str> {
    const FORM: &str =
        "write it as ISO 8601 with weeks, days, hours, minutes and seconds, such as \"P1DT12H\" or \"PT0.5S\".";
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut rest = text.strip_prefix('P').ok_or(FORM)?.as_bytes();
    let mut micros: i128 = 0;
    let mut in_time = false;
    let mut last_rank = 0;
    while let Some(&first) = rest.first() {
        if first == b'T' {
            if in_time || rest.len() == 1 {
                return Err(FORM);
            }
            in_time = true;
            rest = &rest[1..];
            continue;
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // 13 digits of seconds are more than 64 bits of microseconds hold.
        let count = i128::from(digits(&rest[..length]).filter(|_| length <= DURATION_DIGITS_MAX).ok_or(FORM)?);
        rest = &rest[length..];
        let mut part = 0;
        if rest.first() == Some(&b'.') {
            let length = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            part = fraction(&rest[1..=length]).ok_or("it has more than microseconds, or no digits after the point.")?;
            rest = &rest[1 + length..];
            if rest.first() != Some(&b'S') {
                return Err("only seconds take a fraction.");
            }
        }
        let (rank, seconds) = match (in_time, rest.first().ok_or(FORM)?) {
            (false, b'Y' | b'M') => return Err("months and years have no fixed length: use days or weeks."),
            (false, b'W') => (1, 604_800),
            (false, b'D') => (2, 86_400),
            (true, b'H') => (3, 3_600),
            (true, b'M') => (4, 60),
            (true, b'S') => (5, 1),
            _ => return Err(FORM),
        };
        if rank <= last_rank {
            return Err(FORM);
        }
        last_rank = rank;
        micros += count * seconds * i128::from(MICROS_PER_SECOND) + i128::from(part);
        rest = &rest[1..];
    }
    if last_rank == 0 {
        return Err(FORM);
    }
    let micros = if negative { -micros } else { micros };
    i64::try_from(micros).map_err(|_| "it is longer than 64 bits of microseconds, about 292,000 years.")
}

const DURATION_DIGITS_MAX: usize = 16;

/// Appends ISO 8601 in days, hours, minutes and seconds.
pub(super) fn write_duration(micros: i64, out: &mut Vec<u8>) {
    if micros < 0 {
        out.push(b'-');
    }
    out.push(b'P');
    let micros = micros.unsigned_abs();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let part = |count: u64, unit: u8, out: &mut Vec<u8>| {
        if count > 0 {
            write_int(i64::try_from(count).expect("a part of 63 bits"), out);
            out.push(unit);
        }
    };
    part(seconds / 86_400, b'D', out);
    let of_day = seconds % 86_400;
    if of_day == 0 && fraction == 0 {
        if micros == 0 {
            out.extend_from_slice(b"T0S");
        }
        return;
    }
    out.push(b'T');
    part(of_day / 3_600, b'H', out);
    part(of_day / 60 % 60, b'M', out);
    if fraction == 0 {
        part(of_day % 60, b'S', out);
        return;
    }
    write_padded(of_day % 60, 1, out);
    out.push(b'.');
    let start = out.len();
    write_padded(fraction, 6, out);
    while out.len() > start && out.last() == Some(&b'0') {
        out.pop();
    }
    out.push(b'S');
}

/// Digits after a point as microseconds; zeros past the sixth digit are let pass.
fn fraction(bytes: &[u8]) -> Option<i64> {
    let (kept, dropped) = bytes.split_at(bytes.len().min(6));
    if kept.is_empty() || dropped.iter().any(|&byte| byte != b'0') {
        return None;
    }
    let scale = 10i64.pow(u32::try_from(6 - kept.len()).expect("at most six"));
    digits(kept).map(|value| value * scale)
}

/// Up to 18 decimal digits as a number.
fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    bytes.iter().try_fold(0, |value, &byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}
