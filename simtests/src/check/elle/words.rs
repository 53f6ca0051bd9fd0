//! Why one transaction must come before another, in a sentence.

use super::classify::Step;
use super::graph::{PR, RW, WR, WW};
use super::order::Orders;
use super::{Key, Transaction, Value};

/// One step of a cycle in words.
pub(super) fn sentence(step: &Step, history: &[Transaction], orders: &Orders<'_>) -> String {
    let (first, second) = (step.from, step.to);
    let (before, after) = (&history[first], &history[second]);
    match step.kind {
        WW => match overwritten(before, after, orders) {
            Some((key, old, new)) => format!("T{second} appended {new} to {key} after T{first} had appended {old}"),
            None => format!("T{second} appended after T{first} to the same list"),
        },
        WR => match observed(before, after) {
            Some((key, value)) => format!("T{second} observed T{first}'s append of {value} to {key}"),
            None => format!("T{second} observed an append of T{first}"),
        },
        RW => match missed(before, after, orders) {
            Some((key, value)) => format!("T{first} did not observe T{second}'s append of {value} to {key}"),
            None => format!("T{first} did not observe an append of T{second}"),
        },
        PR => format!("process {} did T{first} before T{second}", before.process),
        _ => format!("T{first} had ended (at {}) before T{second} began (at {})", before.returned, after.invoked),
    }
}

/// Where an append stands among those to its list; behind all others if nobody read it.
fn position(key: Key, value: Value, orders: &Orders<'_>) -> usize {
    let write = orders.write(orders.list(key), value);
    write.and_then(|write| write.position).unwrap_or(usize::MAX)
}

fn overwritten(before: &Transaction, after: &Transaction, orders: &Orders<'_>) -> Option<(Key, Value, Value)> {
    after.appends().find_map(|(key, new)| {
        let place = position(key, new, orders);
        let older = |(to, old): &(Key, Value)| *to == key && position(key, *old, orders) < place;
        before.appends().rfind(older).map(|(_, old)| (key, old, new))
    })
}

fn observed(before: &Transaction, after: &Transaction) -> Option<(Key, Value)> {
    before.appends().rfind(|(key, value)| after.reads().any(|(of, read)| of == *key && read.contains(value)))
}

fn missed(before: &Transaction, after: &Transaction, orders: &Orders<'_>) -> Option<(Key, Value)> {
    let is_missed = |key: Key, value: Value| {
        let first = before.reads().find(|(of, _)| *of == key);
        first.is_some_and(|(_, read)| !read.contains(&value))
    };
    let mut candidates: Vec<(usize, Key, Value)> =
        after.appends().map(|(key, value)| (position(key, value, orders), key, value)).collect();
    candidates.sort_unstable();
    candidates.into_iter().find(|(_, key, value)| is_missed(*key, *value)).map(|(_, key, value)| (key, value))
}
