//! Every call of a run: what was asked, when, and how it ended. All that the checkers know of the outside.
//!
//! A call ends once. One that was cut off ends as lost: it may or may not have been done.

use crate::workload::{Action, Asked, Reply, Step};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A place in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// Operations recorded so far, on all disks.
    pub stamp: u64,
    /// The order of all begins and ends.
    pub order: u64,
    /// Virtual microseconds.
    pub micros: u64,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Not yet.
    Open,
    /// Done: the answer, without errors.
    Done {
        /// Its `data`.
        reply: Reply,
        /// What was read, or committed; absent where the run forgets what the product says of versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
    /// Surely not done.
    Refused(Reply),
    /// Nobody knows.
    Lost(String),
}

impl End {
    fn without_version(self) -> End {
        match self {
            End::Done { reply, .. } => End::Done { reply: Reply { version: None, ..reply }, version: None },
            other => other,
        }
    }
}

/// One call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Which client; 0 is the harness itself.
    pub client: u64,
    /// The idempotency key of a mutation.
    pub key: Option<String>,
    /// How new its answer has to be.
    #[serde(default, skip_serializing_if = "Asked::is_silent")]
    pub asked: Asked,
    /// What was asked.
    pub action: Action,
    /// When it was asked.
    pub begun: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// How it ended.
    pub end: End,
}

/// All calls of a run, in the order in which they were begun.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The calls.
    pub calls: Vec<Call>,
    order: u64,
    forgets_versions: bool,
}

/// What must be true of a database that was opened after a crash.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The mutations that were answered before the generation ended, by version.
    pub committed: BTreeMap<u64, (String, Action)>,
    /// The newest version that anybody was told of.
    pub told: u64,
    /// Mutations that were begun and not answered: each may be there, whole, or not.
    pub open: Vec<(String, Action)>,
    /// All calls as they stood then, where versions are forgotten: the fields above but `open` say nothing.
    pub past: Option<Box<History>>,
}

impl Known {
    /// True when anything was answered.
    pub fn has_answers(&self) -> bool {
        let is_done = |call: &Call| matches!(call.end, End::Done { .. });
        self.told > 0 || self.past.as_ref().is_some_and(|past| past.calls.iter().any(is_done))
    }
}

impl History {
    /// The next place in the order of begins and ends.
    pub fn moment(&mut self, stamp: u64, micros: u64) -> Moment {
        self.order += 1;
        Moment { stamp, order: self.order, micros }
    }

    /// Notes that a call begins.
    pub fn begin(&mut self, client: u64, key: Option<String>, action: Action, begun: Moment) -> usize {
        self.calls.push(Call { client, key, asked: Asked::default(), action, begun, ended: None, end: End::Open });
        self.calls.len() - 1
    }

    /// Notes that a client takes a step: what it asks for depends on what was told by now. Returns the call's number too.
    pub fn take(&mut self, client: u64, step: &Step, begun: Moment) -> (usize, Asked) {
        let asked = step.freshness.asked(self, client);
        let call = self.begin(client, step.key.clone(), step.action.clone(), begun);
        self.calls[call].asked = asked;
        (call, asked)
    }

    /// The newest version that these calls were told.
    pub fn told(&self, which: impl Fn(&Call) -> bool) -> Option<u64> {
        let version = |call: &Call| match call.end {
            End::Done { version, .. } => version,
            _ => None,
        };
        self.calls.iter().filter(|call| which(call)).filter_map(version).max()
    }

    /// Notes how a call ended.
    pub fn end(&mut self, call: usize, ended: Moment, end: End) {
        let call = &mut self.calls[call];
        assert!(call.ended.is_none(), "a call ends once");
        call.ended = Some(ended);
        call.end = if self.forgets_versions { end.without_version() } else { end };
    }

    /// From now on only what a client sees is noted, and no version that the product states.
    pub fn forget_versions(&mut self) {
        self.forgets_versions = true;
    }

    /// True when versions were forgotten: then nothing can be checked that trusts them.
    pub fn is_black_box(&self) -> bool {
        self.forgets_versions
    }

    /// The calls as lines of JSON.
    pub fn print(&self) -> String {
        let line = |call| serde_json::to_string(call).expect("a call is plain data") + "\n";
        self.calls.iter().map(line).collect()
    }

    /// Reads what [`History::print`] wrote.
    ///
    /// # Errors
    /// The first line that is no call.
    pub fn parse(text: &str) -> Result<History, String> {
        let mut history = History::default();
        for (number, line) in text.lines().enumerate() {
            let call = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
            history.calls.push(call);
        }
        let last = |call: &Call| call.ended.unwrap_or(call.begun).order;
        history.order = history.calls.iter().map(last).max().unwrap_or(0);
        history.forgets_versions = history.calls.iter().any(|call| matches!(call.end, End::Done { version: None, .. }));
        Ok(history)
    }

    /// Answered calls.
    pub fn answered(&self) -> u64 {
        self.calls.iter().filter(|call| matches!(call.end, End::Done { .. }) && call.client > 0).count() as u64
    }

    /// How often each kind of operation ended how: what the workload is made of, without values.
    pub fn kinds(&self) -> BTreeMap<String, u64> {
        let mut kinds = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call.client > 0) {
            let ended = match &call.end {
                End::Done { .. } => "done",
                End::Refused(reply) => reply.errors.first().map_or("refused", |(code, _)| code),
                End::Lost(_) | End::Open => "lost",
            };
            *kinds.entry(format!("{}: {ended}", call.action.kind())).or_default() += 1;
        }
        kinds
    }

    /// Takes back what was answered by nodes that are lost for ever: all that is newer than `kept`, and refusals that may
    /// rest on it. What was asked may still be done, or not, like anything else without an answer.
    pub fn give_up_after(&mut self, kept: u64) -> u64 {
        // What names no version may be anything.
        let is_newer = |version: Option<u64>| version.is_none_or(|version| version > kept);
        let newer = |call: &&Call| matches!(call.end, End::Done { version, .. } if is_newer(version));
        let since = self.calls.iter().filter(newer).map(|call| call.begun.order).min();
        let Some(since) = since else { return 0 };
        let mut given_up = 0;
        for call in &mut self.calls {
            let rests_on_lost = match call.end {
                End::Done { version, .. } => is_newer(version),
                End::Refused(_) => call.ended.is_some_and(|ended| ended.order > since),
                End::Open | End::Lost(_) => false,
            };
            if rests_on_lost {
                given_up += u64::from(call.key.is_some() && matches!(call.end, End::Done { .. }));
                call.end = End::Lost("only the lost majority knew it".to_owned());
            }
        }
        given_up
    }

    /// What must be true of disks that lost everything after a moment, see [`crate::simfs::interpose::stamp`].
    pub fn known(&self, stamp: u64) -> Known {
        let mut known = Known { past: self.is_black_box().then(|| Box::new(self.until(stamp))), ..Known::default() };
        let mut open = BTreeMap::new();
        let mut done = BTreeSet::new();
        for call in self.calls.iter().filter(|call| call.begun.stamp <= stamp) {
            // What ended later was still open then.
            let ended = call.ended.filter(|ended| ended.stamp <= stamp);
            match (&call.end, ended, &call.key) {
                (End::Done { version, .. }, Some(_), key) => {
                    known.told = known.told.max(version.unwrap_or(0));
                    if let Some(key) = key {
                        open.remove(key);
                        done.insert(key);
                        if let Some(version) = version {
                            known.committed.insert(*version, (key.clone(), call.action.clone()));
                        }
                    }
                }
                // The harness repeats after a restart, when no other attempt can still be under way.
                (End::Refused(_), Some(_), Some(key)) if call.client == 0 => {
                    open.remove(key);
                }
                (End::Refused(_), Some(_), Some(_)) => {}
                (_, _, Some(key)) => {
                    if !done.contains(key) {
                        open.insert(key.clone(), call.action.clone());
                    }
                }
                (_, _, None) => {}
            }
        }
        known.open = open.into_iter().collect();
        known
    }

    /// The calls as they stood at a moment: what ended later was open then.
    fn until(&self, stamp: u64) -> History {
        let begun = self.calls.iter().filter(|call| call.begun.stamp <= stamp);
        let as_then = |call: &Call| match call.ended.filter(|ended| ended.stamp <= stamp) {
            Some(_) => call.clone(),
            None => Call { ended: None, end: End::Open, ..call.clone() },
        };
        History { calls: begun.map(as_then).collect(), order: self.order, forgets_versions: self.forgets_versions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::task::Task;

    fn added(history: &mut History, (value, begun, ended): (u64, u64, Option<u64>)) {
        let begun = history.moment(begun, 0);
        let call = history.begin(1, Some(format!("k{value}")), Action::Task(Task::AddMember { value }), begun);
        if let Some(ended) = ended {
            let ended = history.moment(ended, 0);
            let reply = Reply { data: serde_json::Value::Null, errors: Vec::new(), version: Some(7) };
            history.end(call, ended, End::Done { reply, version: Some(7) });
        }
    }

    #[test]
    fn a_history_that_forgot_its_versions_is_known_as_one_when_it_is_read_again() {
        let mut history = History::default();
        added(&mut history, (1, 1, Some(2)));
        assert!(!History::parse(&history.print()).unwrap().is_black_box());
        let mut history = History::default();
        history.forget_versions();
        added(&mut history, (1, 1, Some(2)));
        assert!(!history.print().contains("version\":7"), "{}", history.print());
        let mut read = History::parse(&history.print()).unwrap();
        assert!(read.is_black_box());
        assert_eq!(read.moment(0, 0).order, 3, "what comes is later than what was read");
    }

    #[test]
    fn a_crash_leaves_the_calls_as_they_stood() {
        let mut history = History::default();
        history.forget_versions();
        added(&mut history, (1, 1, Some(2)));
        added(&mut history, (2, 3, Some(9)));
        added(&mut history, (3, 4, None));
        added(&mut history, (4, 6, Some(7)));
        let known = history.known(5);
        assert_eq!(known.open.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["k2", "k3"]);
        assert!(known.has_answers() && known.told == 0 && known.committed.is_empty());
        let past = known.past.expect("versions are forgotten");
        let ends: Vec<bool> = past.calls.iter().map(|call| call.ended.is_some()).collect();
        assert_eq!(ends, [true, false, false]);
        assert!(!history.known(0).has_answers());
    }

    #[test]
    fn what_only_the_lost_answered_is_taken_back_and_nothing_else() {
        let mut history = History::default();
        let action = || Action::CreateBox { tag: "b".into(), room: "RED".into(), shelf: 1 };
        let reply = || Reply { data: serde_json::Value::Null, errors: Vec::new(), version: None };
        let ends = [
            End::Done { reply: reply(), version: Some(10) },
            End::Refused(reply()),
            End::Done { reply: reply(), version: Some(20) },
            End::Refused(reply()),
            End::Lost("no answer".into()),
        ];
        for (nth, end) in ends.into_iter().enumerate() {
            let begun = history.moment(0, 0);
            let call = history.begin(1, Some(nth.to_string()), action(), begun);
            let ended = history.moment(0, 0);
            history.end(call, ended, end);
        }
        assert_eq!(history.give_up_after(20), 0, "all of it is kept");
        assert_eq!(history.give_up_after(15), 1);
        let lost: Vec<bool> = history.calls.iter().map(|call| matches!(call.end, End::Lost(_))).collect();
        assert_eq!(lost, [false, false, true, true, true]);
        assert_eq!(history.known(0).told, 10);
    }
}
