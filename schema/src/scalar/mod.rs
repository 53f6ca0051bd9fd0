//! Scalars: from input to stored value, from stored value to JSON.

use crate::Input;
use crate::catalog::{Precision, Scalar};
use vivarium_storage::{Value, ValueRef};

/// Gives an input the stored type of a scalar. Null is not a scalar's business: handle it before.
///
/// # Errors
/// A sentence that says what was expected and what was found.
pub fn coerce(scalar: Scalar, precision: Option<Precision>, input: &Input) -> Result<Value, String> {
    let _ = (scalar, precision, input);
    todo!()
}

/// Appends a stored value as JSON, as clients see that scalar.
pub fn write_json(scalar: Scalar, value: ValueRef<'_>, out: &mut Vec<u8>) {
    let _ = (scalar, value, out);
    todo!()
}

/// Appends a string as JSON.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let _ = (text, out);
    todo!()
}

/// Appends a commit version as clients see it: 16 digits, so that text order is commit order.
pub fn write_version(version: vivarium_storage::Version, out: &mut Vec<u8>) {
    let _ = (version, out);
    todo!()
}

/// Reads a commit version as clients write it.
pub fn parse_version(text: &str) -> Option<vivarium_storage::Version> {
    let _ = text;
    todo!()
}

/// Appends an instant as RFC 3339 in UTC, with microseconds where there are any.
pub fn write_date_time(micros: i64, out: &mut Vec<u8>) {
    let _ = (micros, out);
    todo!()
}
