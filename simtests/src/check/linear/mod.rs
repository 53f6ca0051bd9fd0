//! Linearizability of registers with compare-and-set, one register at a time: the search of Wing and Gong, with Lowe's
//! memory of what was tried.
//!
//! An operation whose end nobody knows may take effect at any later time, or never.

mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that is done to a register, and what it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read this value.
    Read(u64),
    /// Wrote this value.
    Write(u64),
    /// Found `from` and wrote `to`.
    Swap {
        /// What was there.
        from: u64,
        /// What is there since.
        to: u64,
    },
    /// Would have swapped, but found something else than this.
    Miss {
        /// What was not there.
        from: u64,
    },
}

/// An operation. One that surely did nothing is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who did it.
    pub process: u64,
    /// When it was asked for.
    pub invoked: u64,
    /// When it was answered; `None` when nobody knows whether it was done.
    pub returned: Option<u64>,
    /// What was done.
    pub action: Action,
}

/// What the search says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains every answer.
    Linearizable,
    /// There is none. How far the best one came, in words.
    Broken(String),
    /// The search was given up.
    Unknown,
}

/// Looks for an order of the operations on one register in at most `steps_max` steps.
pub fn check(initial: u64, operations: &[Operation], steps_max: u64) -> Verdict {
    // What nobody may have seen may never have happened: mostly the others are in order without it, and are so much sooner.
    let seen = seen(operations);
    if seen.len() < operations.len() && search::Search::new(initial, &seen).run(steps_max) == Verdict::Linearizable {
        return Verdict::Linearizable;
    }
    search::Search::new(initial, operations).run(steps_max)
}

/// The operations but for those whose end nobody knows and whose value no other one met.
fn seen(operations: &[Operation]) -> Vec<Operation> {
    let mut left = operations.to_vec();
    loop {
        let met: BTreeSet<u64> = left.iter().filter_map(|operation| operation.action.meets()).collect();
        let before = left.len();
        left.retain(|operation| {
            operation.returned.is_some() || operation.action.leaves().is_some_and(|to| met.contains(&to))
        });
        if left.len() == before {
            return left;
        }
    }
}

/// Checks many registers: the first that is broken, else whether one is unknown.
pub fn check_all(initial: u64, registers: &BTreeMap<String, Vec<Operation>>, steps_max: u64) -> Verdict {
    let mut all = Verdict::Linearizable;
    for (name, operations) in registers {
        match check(initial, operations, steps_max) {
            Verdict::Linearizable => {}
            Verdict::Unknown => all = Verdict::Unknown,
            Verdict::Broken(words) => return Verdict::Broken(format!("register {name}: {words}")),
        }
    }
    all
}

impl Action {
    /// What the register holds afterwards; `None` when this cannot be what was answered.
    fn apply(self, state: u64) -> Option<u64> {
        match self {
            Action::Read(value) => (state == value).then_some(state),
            Action::Write(value) => Some(value),
            Action::Swap { from, to } => (state == from).then_some(to),
            Action::Miss { from } => (state != from).then_some(state),
        }
    }

    /// The value that it found.
    fn meets(self) -> Option<u64> {
        match self {
            Action::Read(value) | Action::Swap { from: value, .. } => Some(value),
            Action::Write(_) | Action::Miss { .. } => None,
        }
    }

    /// The value that it wrote.
    fn leaves(self) -> Option<u64> {
        match self {
            Action::Write(value) | Action::Swap { to: value, .. } => Some(value),
            Action::Read(_) | Action::Miss { .. } => None,
        }
    }

    /// True when it leaves the register as it is.
    fn only_looks(self) -> bool {
        matches!(self, Action::Read(_) | Action::Miss { .. })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Read(value) => write!(f, "read of {value}"),
            Action::Write(value) => write!(f, "write of {value}"),
            Action::Swap { from, to } => write!(f, "swap of {from} for {to}"),
            Action::Miss { from } => write!(f, "missed swap of {from}"),
        }?;
        write!(f, " by process {} (from {} ", self.process, self.invoked)?;
        match self.returned {
            Some(returned) => write!(f, "to {returned})"),
            None => write!(f, "on)"),
        }
    }
}

#[cfg(test)]
#[path = "linear_test.rs"]
mod tests;
