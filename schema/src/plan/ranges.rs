//! The ranges of an index that what is known of its elements allows.
//!
//! They are ascending and disjoint, and together hold all entries that fit and no others.

use super::access::{Bound, Element};
use vivarium_storage::{DocumentId, KeyRange, Value, ValueRef, key};

/// The ranges that an index's elements allow, ascending.
pub(crate) fn spans(prefix: Vec<u8>, elements: &[Element], parent: Option<DocumentId>) -> Vec<KeyRange> {
    let mut prefixes = vec![prefix];
    for element in elements {
        let direction = element.direction;
        match &element.bound {
            Bound::Values(values) => {
                let extended = |prefix: &Vec<u8>| {
                    let one = |value: &Value| {
                        let mut key = prefix.clone();
                        key::encode_value(value, direction, &mut key);
                        key
                    };
                    values.iter().map(one).collect::<Vec<_>>()
                };
                prefixes = prefixes.iter().flat_map(extended).collect();
            }
            Bound::Parent => {
                let parent = parent.expect("nested connections have parents");
                prefixes.iter_mut().for_each(|key| key::encode(ValueRef::Uuid(parent), direction, key));
            }
            Bound::Range { .. } | Bound::Prefix(_) => {
                let mut ranges: Vec<KeyRange> = prefixes.iter().map(|prefix| bounded(prefix, element)).collect();
                ranges.retain(|range| !range.is_empty());
                ranges.sort_by(|one, other| one.start.cmp(&other.start));
                return ranges;
            }
            Bound::Selected(_) => unreachable!("selections are resolved before"),
        }
    }
    let mut ranges: Vec<KeyRange> = prefixes.iter().map(|prefix| KeyRange::prefix(prefix)).collect();
    ranges.sort_by(|one, other| one.start.cmp(&other.start));
    ranges
}

fn bounded(prefix: &[u8], element: &Element) -> KeyRange {
    let encoded = |value: &Value| {
        let mut key = prefix.to_vec();
        key::encode_value(value, element.direction, &mut key);
        key
    };
    let from = |value: &Value| KeyRange::prefix(&encoded(value)).start;
    let past = |value: &Value| KeyRange::prefix(&encoded(value)).end;
    let all = KeyRange::prefix(prefix);
    let ascending = element.direction == key::Direction::Ascending;
    match &element.bound {
        Bound::Range { lower, upper } => {
            let after_null = past(&Value::Null);
            let before_null = from(&Value::Null);
            let (low, high) = if ascending { (lower, upper) } else { (upper, lower) };
            let start = match low {
                Some((value, true)) => from(value),
                Some((value, false)) => past(value),
                None if ascending => after_null,
                None => all.start,
            };
            let end = match high {
                Some((value, true)) => past(value),
                Some((value, false)) => from(value),
                None if ascending => all.end,
                None => before_null,
            };
            KeyRange { start, end }
        }
        Bound::Prefix(text) => {
            // The encoding of a string without its end is what all that begin so have in common.
            let whole = encoded(&Value::String(text.clone()));
            let end = encoded(&Value::String(String::new())).len() - prefix.len() - 1;
            KeyRange::prefix(&whole[..whole.len() - end])
        }
        _ => unreachable!("only ranges and prefixes are bounded"),
    }
}
