//! What a run proved. Only `pass` is green: a run that met too little, or that nobody knows the end of, is not.

use crate::check::Violation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// Everything held, and enough was met.
    Pass,
    /// Something did not hold.
    Fail {
        /// What.
        violation: Violation,
    },
    /// Too little happened for a proof.
    Invalid {
        /// What was missing.
        reason: String,
    },
    /// The run did not end.
    Unknown {
        /// How it ended instead.
        reason: String,
    },
}

impl Verdict {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail { .. } => "fail",
            Verdict::Invalid { .. } => "invalid",
            Verdict::Unknown { .. } => "unknown",
        }
    }
}

/// What a run met: numbers that must not be zero in good company.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// Calls of clients that were answered.
    pub acknowledged: u64,
    /// Times the power went.
    pub power_cuts: u64,
    /// Times the process was killed.
    pub kills: u64,
    /// File calls that failed.
    pub faults: u64,
    /// Times that the node was closed in good order.
    pub closes: u64,
    /// Crash images audited after the run.
    pub images: u64,
    /// Changes of the disk.
    pub changes: u64,
    /// Times that nodes did not hear each other.
    #[serde(default)]
    pub partitions: u64,
    /// Raft messages that did not simply go their way, and connections that broke.
    #[serde(default)]
    pub messages: u64,
    /// Times that a process stood still.
    #[serde(default)]
    pub pauses: u64,
    /// Times that a wall clock began to be wrong in another way.
    #[serde(default)]
    pub clocks: u64,
    /// Calls between clients and nodes that did not simply go their way.
    #[serde(default)]
    pub calls: u64,
    /// Times that a store rotted.
    #[serde(default)]
    pub rots: u64,
    /// Times that a log was damaged or lost.
    #[serde(default)]
    pub logs_lost: u64,
    /// Times that a minority was left broken, and the others did without it.
    #[serde(default)]
    pub cores: u64,
    /// Changes of who belongs to the cluster, or of who leads it, that were asked for.
    #[serde(default)]
    pub memberships: u64,
    /// Terms in which a node of a cluster led.
    #[serde(default)]
    pub terms: u64,
    /// How often each kind of operation ended how, see [`crate::history::History::kinds`].
    #[serde(default)]
    pub kinds: BTreeMap<String, u64>,
}

impl Met {
    /// Power-failure points: in the run and audited after it.
    pub fn power_failure_points(&self) -> u64 {
        self.power_cuts + self.images
    }
}

/// One line of output: all about one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Its end.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What it met.
    pub met: Met,
    /// The hash of its trace.
    pub trace: String,
    /// Events in the trace.
    pub events: u64,
    /// Virtual milliseconds.
    pub virtual_ms: u64,
    /// Milliseconds on the wall, filled in by the driver.
    #[serde(default)]
    pub wall_ms: u64,
    /// What blind checkers found, each its first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noted: Vec<Violation>,
    /// The last events of the node and its troubles, when the run failed.
    #[serde(default)]
    pub last: Vec<String>,
    /// Rare paths taken.
    pub marks: BTreeMap<String, u64>,
    /// Planted bugs that were reached.
    pub mutants: BTreeMap<String, u64>,
}

impl Report {
    /// The report of a run that left none.
    pub fn of_silence(seed: u64, verdict: Verdict) -> Report {
        Report {
            seed,
            verdict,
            met: Met::default(),
            trace: String::new(),
            events: 0,
            virtual_ms: 0,
            wall_ms: 0,
            noted: Vec::new(),
            last: Vec::new(),
            marks: BTreeMap::new(),
            mutants: BTreeMap::new(),
        }
    }
}
