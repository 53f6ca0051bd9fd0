//! A history of list appends: transactions of appends and reads, with when they began and ended.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(pub u64);

/// An element of a list; no two appends to one list have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Value(pub u64);

/// One thing that a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MicroOperation {
    /// Appends a value to a list.
    Append(Key, Value),
    /// Reads a whole list. Counts only where the transaction is known to have committed.
    Read(Key, Vec<Value>),
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Committed.
    Ok,
    /// Surely not committed.
    Fail,
    /// Nobody knows.
    Info,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Who did it: a process does one after the other.
    pub process: u64,
    /// When it was asked for.
    pub invoked: u64,
    /// When it was answered; means nothing unless it is [`Outcome::Ok`].
    pub returned: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did, in order.
    pub operations: Vec<MicroOperation>,
    /// The version that its answer names. Only [`super::replay`] looks at it.
    pub version: Option<u64>,
}

impl Transaction {
    /// The appends, in order.
    pub fn appends(&self) -> impl DoubleEndedIterator<Item = (Key, Value)> {
        self.operations.iter().filter_map(|operation| match operation {
            MicroOperation::Append(key, value) => Some((*key, *value)),
            MicroOperation::Read(..) => None,
        })
    }

    /// The reads, in order; none unless it committed.
    pub fn reads(&self) -> impl Iterator<Item = (Key, &[Value])> {
        let is_known = self.outcome == Outcome::Ok;
        self.operations.iter().filter(move |_| is_known).filter_map(|operation| match operation {
            MicroOperation::Append(..) => None,
            MicroOperation::Read(key, list) => Some((*key, list.as_slice())),
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
