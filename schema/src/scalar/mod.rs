//! Scalars: from input to stored value, from stored value to JSON.
//!
//! What `coerce` takes, `write_json` gives back in one canonical form, which `coerce` takes again.

mod bucket;
mod json;
mod number;
mod text;
mod time;

use crate::Input;
use crate::catalog::{Precision, Scalar};
use vivarium_storage::{Value, ValueRef, Version};

pub(crate) use bucket::Bucket;
pub use json::{JSON_DEPTH_MAX, JSON_VALUES_MAX};

/// Gives an input the stored type of a scalar. Null is not a scalar's business: handle it before.
///
/// # Errors
/// A sentence that says what was expected and what was found.
pub fn coerce(scalar: Scalar, precision: Option<Precision>, input: &Input) -> Result<Value, String> {
    match scalar {
        Scalar::Id => text::coerce_id(input),
        Scalar::String => text::coerce_string(input),
        Scalar::Int => number::coerce_int(input),
        Scalar::Float => number::coerce_float(input),
        Scalar::Boolean => match input {
            Input::Bool(value) => Ok(Value::Bool(*value)),
            other => Err(format!("A Boolean is true or false, not {}.", found(other))),
        },
        Scalar::BigInt => number::coerce_big_int(input),
        Scalar::Decimal => number::coerce_decimal(precision, input),
        Scalar::DateTime => time::coerce_date_time(input),
        Scalar::Date => time::coerce_date(input),
        Scalar::Duration => time::coerce_duration(input),
        Scalar::Uuid => text::coerce_uuid(input),
        Scalar::Bytes => text::coerce_bytes(input),
        Scalar::Json => json::coerce_json(input),
        Scalar::Email => text::coerce_email(input),
        Scalar::CountryCode => text::coerce_country_code(input),
    }
}

/// Appends a stored value as JSON, as clients see that scalar.
pub fn write_json(scalar: Scalar, value: ValueRef<'_>, out: &mut Vec<u8>) {
    match (scalar, value) {
        (Scalar::Json, value) => json::write(value, out),
        (_, ValueRef::Null) => out.extend_from_slice(b"null"),
        (_, ValueRef::Bool(true)) => out.extend_from_slice(b"true"),
        (_, ValueRef::Bool(false)) => out.extend_from_slice(b"false"),
        (_, ValueRef::String(value)) => write_string(value, out),
        (Scalar::BigInt, ValueRef::Int(value)) => {
            out.push(b'"');
            number::write_int(value, out);
            out.push(b'"');
        }
        (_, ValueRef::Int(value)) => number::write_int(value, out),
        (_, ValueRef::Float(value)) => number::write_float(value, out),
        (_, ValueRef::Decimal(value)) => {
            out.push(b'"');
            number::write_decimal(value, out);
            out.push(b'"');
        }
        (_, ValueRef::DateTime(micros)) => {
            out.push(b'"');
            time::write_date_time(micros, out);
            out.push(b'"');
        }
        (_, ValueRef::Date(days)) => {
            out.push(b'"');
            time::write_date(days, out);
            out.push(b'"');
        }
        (_, ValueRef::Duration(micros)) => {
            out.push(b'"');
            time::write_duration(micros, out);
            out.push(b'"');
        }
        (_, ValueRef::Uuid(value)) => {
            out.push(b'"');
            text::write_uuid(value.0, out);
            out.push(b'"');
        }
        (_, ValueRef::Bytes(value)) => {
            out.push(b'"');
            text::write_bytes(value, out);
            out.push(b'"');
        }
        // Only JSON holds these; a catalog that says otherwise is found by verification, not by a reader.
        (_, value @ (ValueRef::List(_) | ValueRef::Record(_) | ValueRef::Map(_))) => json::write(value, out),
    }
}

/// Appends a string as JSON.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    text::write_json_string(text, out);
}

/// Appends a commit version as clients see it: 16 digits, so that text order is commit order.
pub fn write_version(version: Version, out: &mut Vec<u8>) {
    number::write_padded(version.0, VERSION_DIGITS, out);
}

/// Reads a commit version as clients write it.
pub fn parse_version(text: &str) -> Option<Version> {
    let canonical = text.len() == VERSION_DIGITS || (text.len() > VERSION_DIGITS && !text.starts_with('0'));
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().map(Version)
}

/// Appends an instant as RFC 3339 in UTC, with microseconds where there are any.
pub fn write_date_time(micros: i64, out: &mut Vec<u8>) {
    time::write_date_time(micros, out);
}

/// Microseconds since 1970 fit 16 digits until the year 2286; from then on a version has one more.
const VERSION_DIGITS: usize = 16;

/// The most characters of a wrong value that a message repeats.
const FOUND_CHARS_MAX: usize = 60;

/// An input as an error message names it.
pub(crate) fn found(input: &Input) -> String {
    match input {
        Input::Null => "null".to_owned(),
        Input::Bool(value) => value.to_string(),
        Input::Int(value) => value.to_string(),
        Input::Number(digits) => shortened(digits),
        Input::String(text) => quoted(text),
        Input::Enum(name) => format!("the enum value {}", shortened(name)),
        Input::List(_) => "a list".to_owned(),
        Input::Object(_) => "an object".to_owned(),
    }
}

/// A string as an error message quotes it: escaped, and cut where it is long.
fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    write_string(&shortened(text), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(FOUND_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
