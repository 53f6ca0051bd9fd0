//! What an answer may not miss of what was told before it was asked for: each read is held to what it asked for itself.
//!
//! A strong read and a mutation miss nothing. What is said here trusts the versions that answers name.

use super::Violation;
use crate::history::{Call, End, History};
use std::collections::BTreeSet;
use vivarium_storage::runtime::sometimes;

/// The newest version that anybody was told by some time, and who was.
struct Told<'h> {
    by: Vec<(u64, u64, &'h Call)>,
}

impl<'h> Told<'h> {
    /// What these calls were told; `time` is when one ended, however that is counted.
    fn new(calls: impl Iterator<Item = (u64, u64, &'h Call)>) -> Told<'h> {
        let mut by: Vec<(u64, u64, &Call)> = calls.collect();
        by.sort_by_key(|(time, _, _)| *time);
        for at in 1..by.len() {
            let ((_, before, teller), (_, version, _)) = (by[at - 1], by[at]);
            if before >= version {
                (by[at].1, by[at].2) = (before, teller);
            }
        }
        Told { by }
    }

    /// What had been told before a time.
    fn before(&self, time: u64) -> Option<(u64, &'h Call)> {
        let next = self.by.partition_point(|(ended, _, _)| *ended < time);
        next.checked_sub(1).map(|last| (self.by[last].1, self.by[last].2))
    }
}

fn done(history: &History) -> impl Iterator<Item = (&Call, u64)> {
    history.calls.iter().filter_map(|call| match call.end {
        End::Done { version: Some(version), .. } => Some((call, version)),
        _ => None,
    })
}

/// Holds each answer to what had been told before it was asked for.
///
/// # Errors
/// An answer that is older than it may be.
pub fn check(history: &History) -> Result<(), Violation> {
    let ended = || done(history).filter_map(|(call, version)| Some((call.ended?, version, call)));
    let in_order = Told::new(ended().map(|(at, version, call)| (at.order, version, call)));
    let in_time = Told::new(ended().map(|(at, version, call)| (at.micros, version, call)));
    let writes = ended().filter(|(_, _, call)| call.key.is_some());
    let written = Told::new(writes.map(|(at, version, call)| (at.order, version, call)));
    let repetitions = repetitions(history);
    for (call, version) in done(history) {
        // A repetition returns the first answer, which may be older. A later page is read with the first one.
        if repetitions.contains(&call.begun.order) || call.action.pinned_at().is_some() {
            continue;
        }
        let told = in_order.before(call.begun.order);
        if call.key.is_some() {
            not_before(call, version - 1, told)?;
        } else if call.asked.is_strong() {
            not_before(call, version, told)?;
        } else {
            if let Some(bound_ms) = call.asked.bound_ms {
                let long_before = call.begun.micros.saturating_sub(bound_ms * 1000);
                older_than_asked(call, version, in_time.before(long_before))?;
            }
            at_least(call, version)?;
            if written.before(call.begun.order).is_some_and(|(newest, _)| version < newest) {
                sometimes("a stale read misses an acknowledged write");
            }
        }
    }
    Ok(())
}

/// The places of calls whose key had been sent before.
fn repetitions(history: &History) -> BTreeSet<u64> {
    let mut calls: Vec<&Call> = history.calls.iter().collect();
    calls.sort_by_key(|call| call.begun.order);
    let mut sent = BTreeSet::new();
    let mut again = BTreeSet::new();
    for call in calls {
        if call.key.as_deref().is_some_and(|key| !sent.insert(key)) {
            again.insert(call.begun.order);
        }
    }
    again
}

fn not_before(call: &Call, seen: u64, told: Option<(u64, &Call)>) -> Result<(), Violation> {
    let Some((told, teller)) = told.filter(|(told, _)| seen < *told) else { return Ok(()) };
    let detail = format!("{:?} has seen {seen}, but {told} had been told before it began", call.action);
    Err(Violation::new("certificate", "stale", detail).about([teller, call]))
}

fn older_than_asked(call: &Call, version: u64, told: Option<(u64, &Call)>) -> Result<(), Violation> {
    let Some((told, teller)) = told.filter(|(told, _)| version < *told) else { return Ok(()) };
    let bound_ms = call.asked.bound_ms.unwrap_or(0);
    let detail =
        format!("{:?} was read at {version}, but {told} had been told {bound_ms} ms before it began", call.action);
    Err(Violation::new("certificate", "older-than-bound", detail).about([teller, call]))
}

fn at_least(call: &Call, version: u64) -> Result<(), Violation> {
    let Some(wanted) = call.asked.at_least.filter(|wanted| version < *wanted) else { return Ok(()) };
    let detail = format!("{:?} was read at {version}, and asked for {wanted} or newer", call.action);
    Err(Violation::new("certificate", "older-than-version", detail).about([call]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Action, Asked, Reply};
    use serde_json::Value;

    /// A call of a client: its key, what it asks for, when it begins and ends in milliseconds, and its version.
    type Told = (Option<&'static str>, Asked, [u64; 2], u64);

    fn class(calls: &[Told]) -> String {
        let mut history = History::default();
        for (key, asked, [begun, ended], version) in calls {
            let begun = history.moment(0, begun * 1000);
            let call = history.begin(1, key.map(str::to_owned), Action::CountItems, begun);
            history.calls[call].asked = *asked;
            let ended = history.moment(0, ended * 1000);
            let reply = Reply { data: Value::Null, errors: Vec::new(), version: Some(*version) };
            history.end(call, ended, End::Done { reply, version: Some(*version) });
        }
        check(&history).map_or_else(|violation| violation.class, |()| "pass".into())
    }

    fn asked(bound_ms: Option<u64>, at_least: Option<u64>) -> Asked {
        Asked { stale: true, bound_ms, at_least }
    }

    const STRONG: Asked = Asked { stale: false, bound_ms: None, at_least: None };

    /// What becomes of a read of version 10, 100 ms after 20 was told.
    fn late(read: Asked) -> String {
        class(&[(Some("a"), STRONG, [0, 1], 10), (Some("b"), STRONG, [2, 100], 20), (None, read, [200, 300], 10)])
    }

    #[test]
    fn a_strong_read_misses_nothing() {
        assert_eq!(late(STRONG), "stale");
        assert_eq!(class(&[(Some("a"), STRONG, [0, 1], 10), (None, STRONG, [2, 3], 10)]), "pass");
        assert_eq!(class(&[(Some("a"), STRONG, [0, 1], 10), (Some("b"), STRONG, [2, 3], 10)]), "stale");
        assert_eq!(class(&[(None, asked(None, None), [0, 1], 10), (None, STRONG, [2, 3], 9)]), "stale");
        let again = [(Some("a"), STRONG, [0, 1], 10), (Some("b"), STRONG, [2, 3], 20), (Some("a"), STRONG, [4, 5], 10)];
        assert_eq!(class(&again), "pass", "a repetition is answered as the first one was");
    }

    #[test]
    fn a_stale_read_may_miss_what_it_did_not_ask_for() {
        assert_eq!(late(asked(None, None)), "pass");
    }

    #[test]
    fn a_bounded_read_misses_only_what_was_told_within_its_bound() {
        assert_eq!(late(asked(Some(100), None)), "pass");
        assert_eq!(late(asked(Some(99), None)), "older-than-bound");
        assert_eq!(late(asked(Some(0), None)), "older-than-bound");
    }

    #[test]
    fn a_read_that_names_a_version_has_it() {
        assert_eq!(late(asked(None, Some(10))), "pass");
        assert_eq!(late(asked(None, Some(11))), "older-than-version");
        assert_eq!(late(asked(Some(5000), Some(10))), "stale", "with a bound beside it a read is strong");
    }
}
