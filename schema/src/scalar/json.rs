//! JSON: real JSON in and out, kept as a tree of values.
//!
//! Numbers keep their digits where 64 bits or a Decimal hold them; others become the nearest double.

use super::{found, number};
use crate::Input;
use std::collections::BTreeSet;
use vivarium_storage::{Value, ValueRef};

/// Lists and objects nested in each other: readers recurse.
pub const JSON_DEPTH_MAX: usize = 64;

/// Values in one JSON field: a body of one MiB has fewer unless it is made of empty lists.
pub const JSON_VALUES_MAX: usize = 200_000;

pub(super) fn coerce_json(input: &Input) -> Result<Value, String> {
    let mut left = JSON_VALUES_MAX;
    coerce_at(input, JSON_DEPTH_MAX, &mut left)
}

fn coerce_at(input: &Input, depth_left: usize, left: &mut usize) -> Result<Value, String> {
    *left = left.checked_sub(1).ok_or_else(|| format!("JSON takes at most {JSON_VALUES_MAX} values in one field."))?;
    let deeper = || depth_left.checked_sub(1).ok_or_else(|| format!("JSON nests at most {JSON_DEPTH_MAX} deep."));
    match input {
        Input::Null => Ok(Value::Null),
        Input::Bool(value) => Ok(Value::Bool(*value)),
        Input::Int(value) => Ok(Value::Int(*value)),
        Input::Number(digits) => coerce_number(digits).ok_or_else(|| format!("JSON has no number {}.", found(input))),
        Input::String(text) => Ok(Value::String(text.clone())),
        Input::Enum(name) => Err(format!("JSON has no enum values: write {name} as a string.")),
        Input::List(items) => {
            let depth_left = deeper()?;
            items.iter().map(|item| coerce_at(item, depth_left, left)).collect::<Result<_, _>>().map(Value::List)
        }
        Input::Object(fields) => {
            let depth_left = deeper()?;
            let mut seen = BTreeSet::new();
            let mut entries = Vec::with_capacity(fields.len());
            for (name, value) in fields {
                if !seen.insert(name.as_str()) {
                    return Err(format!("A JSON object names each field once, and {name} is there twice."));
                }
                entries.push((name.clone(), coerce_at(value, depth_left, left)?));
            }
            Ok(Value::Map(entries))
        }
    }
}

fn coerce_number(digits: &str) -> Option<Value> {
    match number::exact(digits) {
        Some(value) => Some(Value::Decimal(value)),
        None => digits.parse().ok().and_then(number::finite).map(Value::Float),
    }
}

/// Appends a stored tree as JSON.
pub(super) fn write(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Decimal(value) => number::write_decimal(value, out),
        ValueRef::List(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        ValueRef::Map(entries) => {
            out.push(b'{');
            for (at, (name, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                super::write_string(name, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        // No JSON field holds an embedded object: they have no names without the catalog.
        ValueRef::Record(_) => out.extend_from_slice(b"null"),
        value => super::write_json(crate::catalog::Scalar::String, value, out),
    }
}
