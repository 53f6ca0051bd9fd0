//! The certificate replay: every answer names its version, so the whole run is replayed in that order on the model.
//!
//! Sound and complete for this workload: a run passes if and only if it is serializable in version order, and each answer is
//! as new as it has to be; strictly serializable, where nobody asks for less.

use super::model::State;
use super::{Violation, real_time, schema_model};
use crate::history::{Call, End, History};
use crate::workload::schema_change::Feature;
use crate::workload::{Action, Reply};
use serde_json::Value;
use std::collections::BTreeMap;

/// The states of the database, each from one version up to the next.
pub struct Replay {
    states: Vec<(u64, State)>,
}

fn violation(class: &str, detail: String) -> Violation {
    Violation::new("certificate", class, detail)
}

impl Replay {
    /// Runs committed mutations in the order of their versions.
    ///
    /// # Errors
    /// When the model refuses one: then it should not have been committed.
    pub fn run<'a>(committed: impl Iterator<Item = (u64, &'a Action)>) -> Result<Replay, Violation> {
        let mut state = State::default();
        let mut states = vec![(0, state.clone())];
        for (version, action) in committed {
            state.run(action, version).map_err(|refusal| {
                let detail = format!("{action:?} committed at {version}; the model refuses it with {:?}", refusal.0);
                violation("wrongly-accepted", detail)
            })?;
            states.push((version, state.clone()));
        }
        Ok(Replay { states })
    }

    /// The state at a version.
    pub fn at(&self, version: u64) -> &State {
        let next = self.states.partition_point(|(since, _)| *since <= version);
        &self.states[next - 1].1
    }

    /// The state just before a version.
    fn before(&self, version: u64) -> &State {
        self.at(version - 1)
    }

    /// The states that were current at some version from `least` to `most`.
    fn between(&self, least: u64, most: u64) -> impl Iterator<Item = &State> {
        let first = self.states.partition_point(|(since, _)| *since <= least) - 1;
        self.states[first..].iter().take_while(move |(since, _)| *since <= most).map(|(_, state)| state)
    }
}

/// Checks all answers of a run.
///
/// # Errors
/// The first violation.
pub fn check(history: &History) -> Result<Replay, Violation> {
    let committed = committed(history)?;
    let replay = Replay::run(committed.iter().map(|(version, call)| (*version, &call.action)));
    let replay = replay.map_err(|found| found.about(first_refused(&committed)))?;
    let first_sent = first_sent(history);
    for call in &history.calls {
        match &call.end {
            End::Done { reply, version: Some(version) } => check_answer(&replay, call, reply, *version),
            End::Refused(reply) => check_refusal(&replay, (history, &first_sent), call, reply),
            End::Done { version: None, .. } | End::Lost(_) | End::Open => Ok(()),
        }
        .map_err(|found| found.about([call]))?;
    }
    real_time::check(history)?;
    Ok(replay)
}

/// The first mutation that the model refuses in the order of versions.
fn first_refused<'h>(committed: &BTreeMap<u64, &'h Call>) -> Option<&'h Call> {
    let mut state = State::default();
    committed.iter().find(|(version, call)| state.run(&call.action, **version).is_err()).map(|(_, call)| *call)
}

/// The committed mutations by version: one per key and per version.
fn committed(history: &History) -> Result<BTreeMap<u64, &Call>, Violation> {
    let mut by_version: BTreeMap<u64, &Call> = BTreeMap::new();
    let mut by_key: BTreeMap<&str, (u64, &Reply, &Call)> = BTreeMap::new();
    for call in &history.calls {
        let (Some(key), End::Done { version: Some(version), reply }) = (&call.key, &call.end) else { continue };
        if let Some((first, answer, other)) = by_key.insert(key, (*version, reply, call)) {
            if first != *version {
                let detail = format!("key {key} was answered with version {first} and then {version}: applied twice");
                return Err(violation("duplicate", detail).about([other, call]));
            }
            if answer.data != reply.data {
                let detail = format!("key {key} was answered {} and then {}", answer.data, reply.data);
                return Err(violation("changed-answer", detail).about([other, call]));
            }
        }
        if let Some(other) = by_version.insert(*version, call)
            && other.key != call.key
        {
            let detail = format!("{:?} and {:?} both committed at {version}", other.key, call.key);
            return Err(violation("version-used-twice", detail).about([other, call]));
        }
    }
    Ok(by_version)
}

fn check_answer(replay: &Replay, call: &Call, reply: &Reply, version: u64) -> Result<(), Violation> {
    let mut state = if call.key.is_some() { replay.before(version).clone() } else { replay.at(version).clone() };
    let expected = state.run(&call.action, version).map_err(|refusal| {
        let detail = format!("{:?} was answered; the model refuses it with {:?}", call.action, refusal.0);
        violation("wrongly-accepted", detail)
    })?;
    if call.action.pinned_at().is_some_and(|at| at != version) {
        let detail = format!("{:?} was read at {version}, not with the pages before it", call.action);
        return Err(violation("torn-walk", detail));
    }
    expected
        .check(&call.action, &reply.data)
        .map_err(|wrong| violation("wrong-answer", format!("{:?} at version {version}: {wrong}", call.action)))?;
    if call.key.is_some() {
        check_commit(call, &reply.data, version)?;
    }
    Ok(())
}

/// `commit.version` in the answer is the version of the transaction.
fn check_commit(call: &Call, data: &Value, version: u64) -> Result<(), Violation> {
    let payloads = data.as_object().into_iter().flatten();
    for (name, payload) in payloads {
        let named = &payload["commit"]["version"];
        let same = named.as_str().is_some_and(|text| text.parse() == Ok(version)) || named.as_u64() == Some(version);
        if !same {
            let detail = format!("{name} of {:?} says commit {named}, the transaction has {version}", call.action);
            return Err(violation("wrong-version", detail));
        }
    }
    Ok(())
}

/// When each key was first sent: a mutation takes effect then at the earliest, also when only a repetition was answered.
fn first_sent(history: &History) -> BTreeMap<&str, u64> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for call in &history.calls {
        if let Some(key) = &call.key {
            let order = first.entry(key).or_insert(call.begun.order);
            *order = call.begun.order.min(*order);
        }
    }
    first
}

/// A refusal must be right at some version that was current while the call was open.
fn check_refusal(
    replay: &Replay,
    (history, first_sent): (&History, &BTreeMap<&str, u64>),
    call: &Call,
    reply: &Reply,
) -> Result<(), Violation> {
    let Some(ended) = call.ended else { return Ok(()) };
    let codes: Vec<&str> = reply.errors.iter().map(|(code, _)| code.as_str()).collect();
    if codes == ["TRANSACTION_CONFLICT"] {
        return Ok(());
    }
    let done = history.calls.iter().filter_map(|other| match other.end {
        End::Done { version: Some(version), .. } => Some((other, version)),
        _ => None,
    });
    let sent =
        |other: &Call| other.key.as_deref().and_then(|key| first_sent.get(key)).copied().unwrap_or(other.begun.order);
    let told = done.clone().filter(|(other, _)| other.ended.is_some_and(|moment| moment.order < call.begun.order));
    let least = told.map(|(_, version)| version).max();
    // Nor by what the same call, sent twice, had written itself: then the first answer is the answer.
    let own = done.clone().find(|(other, _)| other.key.is_some() && other.key == call.key).map(|(_, version)| version);
    let most = done.filter(|(other, _)| sent(other) < ended.order).map(|(_, version)| version).max();
    let most = most.map(|most| own.map_or(most, |own| most.min(own - 1)));
    let right = replay.between(least.unwrap_or(0), most.unwrap_or(0)).any(|state| {
        let refusal = state.clone().run(&call.action, u64::MAX).err();
        refusal.is_some_and(|refusal| codes.iter().all(|code| refusal.0.contains(code)))
    });
    if right || refused_meanwhile(history, call, &codes) {
        return Ok(());
    }
    let detail =
        format!("{:?} was refused with {:?}; the model does it at every version then", call.action, reply.errors);
    Err(violation("wrongly-refused", detail))
}

/// A unique key that is being built already holds for what is written meanwhile, whether it comes to be or not. A field
/// that is computed anew is seen by nobody meanwhile.
fn refused_meanwhile(history: &History, call: &Call, codes: &[&str]) -> bool {
    let Action::Schema(task) = &call.action else { return false };
    let feature = match codes {
        ["UNIQUE_VIOLATION"] if schema_model::meets_unready_key(task) => Feature::Unique,
        ["GRAPHQL_VALIDATION_FAILED"] if schema_model::meets_unready_field(task) => Feature::Triple,
        _ => return false,
    };
    let builds = |other: &&Call| other.action.declares().is_some_and(|(_, declared)| declared.contains(&feature));
    let beside = |other: &Call| {
        let begun = call.ended.is_none_or(|ended| other.begun.order < ended.order);
        let same = history.calls.iter().filter(|again| again.key == other.key);
        let ends = same.map(|again| again.ended.map_or(u64::MAX, |ended| ended.order)).max();
        begun && ends.is_none_or(|ends| ends > call.begun.order)
    };
    history.calls.iter().filter(builds).any(beside)
}

#[cfg(test)]
#[path = "certificate_test.rs"]
mod tests;
