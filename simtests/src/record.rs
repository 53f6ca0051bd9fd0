//! What happened in a run, as data: what each machine did, who led, what went wrong where, and through whom calls went.
//!
//! Beside the trace and no part of its hash; kept only in a process that was asked for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Happenings of one run that are kept: far more than a run has whose picture anybody could read.
const HAPPENINGS_MAX: usize = 200_000;

/// All that was kept of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// In the order of time.
    pub happenings: Vec<Happening>,
    /// Through which node each call went, by its place in the history.
    pub nodes_of_calls: BTreeMap<usize, u64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// Virtual microseconds since the run began.
    pub micros: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "happening")]
pub enum What {
    /// The next stage of the run begins.
    Stage {
        /// Which.
        name: String,
    },
    /// A machine goes over to another state.
    Machine {
        /// Its number, from 1.
        node: u64,
        /// The state.
        state: State,
        /// Why, if there is more to say.
        why: String,
    },
    /// A node stands otherwise than before.
    Standing {
        /// Its number.
        node: u64,
        /// Its role.
        role: String,
        /// Its term.
        term: u64,
        /// The leader that it knows.
        leader: Option<u64>,
        /// Who votes, as far as it knows.
        voters: Vec<u64>,
    },
    /// A node serves another version of the schema.
    Schema {
        /// Its number.
        node: u64,
        /// The version.
        version: u32,
    },
    /// Something goes wrong.
    Trouble {
        /// As the plan says it.
        what: Value,
        /// Which node led then: whom it befalls may depend on that.
        leader: Option<u64>,
        /// When it ends by itself; a single moment when it is the time at which it began.
        until: u64,
    },
    /// Other links are cut than before.
    Links {
        /// From node to node, one way.
        cut: Vec<(u64, u64)>,
    },
    /// What all disks held at an earlier moment is opened and audited.
    Image {
        /// The moment, as operations recorded so far.
        stamp: u64,
    },
}

/// What a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its node opens.
    Opening,
    /// Its node serves.
    Up,
    /// Its node closes in good order.
    Closing,
    /// It has no node.
    Down,
    /// Its node stands still.
    Paused,
}

/// A record that is being made, and what is known of each node so that only changes are kept.
#[derive(Default)]
struct Making {
    record: Record,
    last: BTreeMap<(u64, &'static str), What>,
    /// What machines did before they were paused.
    paused: BTreeMap<u64, What>,
}

static MAKING: Mutex<Option<Making>> = Mutex::new(None);

/// Begins a record.
pub fn begin() {
    *MAKING.lock().unwrap_or_else(PoisonError::into_inner) = Some(Making::default());
}

/// Ends the record, if one was begun.
pub fn end() -> Option<Record> {
    MAKING.lock().unwrap_or_else(PoisonError::into_inner).take().map(|making| making.record)
}

fn with(act: impl FnOnce(&mut Making)) {
    if let Some(making) = MAKING.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        act(making);
    }
}

fn add(what: What) {
    let micros = crate::trace::micros();
    with(|making| making.add(Happening { micros, what }));
}

impl Making {
    fn add(&mut self, happening: Happening) {
        if self.record.happenings.len() < HAPPENINGS_MAX {
            self.record.happenings.push(happening);
        }
    }

    /// Adds what is said of a node, unless the same was said last.
    fn change(&mut self, (node, aspect): (u64, &'static str), happening: Happening) {
        if self.last.get(&(node, aspect)) != Some(&happening.what) {
            self.last.insert((node, aspect), happening.what.clone());
            self.add(happening);
        }
    }
}

fn change(node: u64, aspect: &'static str, what: What) {
    let micros = crate::trace::micros();
    // Crash images are opened by machines without a number.
    if node > 0 {
        with(|making| making.change((node, aspect), Happening { micros, what }));
    }
}

/// Notes that the next stage of the run begins.
pub fn stage(name: &str) {
    add(What::Stage { name: name.to_owned() });
}

/// Notes what a machine does from now on.
pub fn machine(node: u64, state: State, why: &str) {
    change(node, "machine", What::Machine { node, state, why: why.to_owned() });
}

/// Notes that a machine stands still.
pub fn pause(node: u64) {
    with(|making| {
        if let Some(before) = making.last.get(&(node, "machine")).cloned() {
            making.paused.insert(node, before);
        }
    });
    machine(node, State::Paused, "");
}

/// Notes that a machine goes on with what it did before.
pub fn resume(node: u64) {
    let micros = crate::trace::micros();
    with(|making| {
        if let Some(what) = making.paused.remove(&node) {
            making.change((node, "machine"), Happening { micros, what });
        }
    });
}

/// Notes how a node stands.
pub fn standing(node: u64, (role, term): (&str, u64), leader: Option<u64>, voters: &[u64]) {
    let what = What::Standing { node, role: role.to_owned(), term, leader, voters: voters.to_vec() };
    change(node, "standing", what);
}

/// Notes which version of the schema a node serves.
pub fn schema(node: u64, version: u32) {
    change(node, "schema", What::Schema { node, version });
}

/// Notes that something goes wrong for so many virtual microseconds, while the machine at this place leads.
pub fn trouble(what: &impl Serialize, leader: Option<usize>, lasts_micros: u64) {
    let until = crate::trace::micros().saturating_add(lasts_micros);
    let leader = leader.map(|place| place as u64 + 1);
    add(What::Trouble { what: serde_json::to_value(what).unwrap_or(Value::Null), leader, until });
}

/// Notes all links that are cut from now on, by the places of their machines from 0.
pub fn links(cut: impl IntoIterator<Item = (usize, usize)>) {
    let cut = cut.into_iter().map(|(from, to)| (from as u64 + 1, to as u64 + 1)).collect();
    add(What::Links { cut });
}

/// Notes that what the disks held at an earlier moment is opened next.
pub fn image(stamp: u64) {
    add(What::Image { stamp });
}

/// Notes through which node a call goes.
pub fn through(call: usize, node: u64) {
    with(|making| {
        making.record.nodes_of_calls.insert(call, node);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_kept_and_nothing_without_being_asked() {
        machine(1, State::Up, "");
        assert_eq!(end(), None, "nobody asked");
        begin();
        machine(1, State::Up, "");
        machine(1, State::Up, "");
        machine(2, State::Up, "");
        machine(0, State::Up, "a crash image");
        standing(1, ("leader", 3), Some(1), &[1, 2]);
        standing(1, ("leader", 3), Some(1), &[1, 2]);
        standing(1, ("follower", 4), None, &[1, 2]);
        trouble(&serde_json::json!({ "crash": { "who": "leader" } }), Some(0), 500);
        links([(0, 1)]);
        pause(2);
        resume(2);
        through(0, 2);
        let record = end().unwrap();
        assert_eq!(record.happenings.len(), 8);
        assert_eq!(record.happenings[5].what, What::Links { cut: vec![(1, 2)] });
        assert_eq!(record.nodes_of_calls[&0], 2);
        let state = |what| What::Machine { node: 2, state: what, why: String::new() };
        assert_eq!(record.happenings[6].what, state(State::Paused));
        assert_eq!(record.happenings[7].what, state(State::Up));
        let line = serde_json::to_string(&record.happenings[0]).unwrap();
        assert_eq!(line, r#"{"micros":0,"happening":"machine","node":1,"state":"up","why":""}"#);
        assert_eq!(serde_json::from_str::<Record>(&serde_json::to_string(&record).unwrap()).unwrap(), record);
    }
}
