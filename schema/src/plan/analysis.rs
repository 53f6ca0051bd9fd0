//! What reading a plan came to: rows and time of its nodes, told apart by where they lie while the plan is executed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use vivarium_storage::runtime::{self, Instant};

/// Rows and times of one execution.
#[derive(Debug, Default)]
pub(crate) struct Analysis {
    nodes: Mutex<BTreeMap<usize, Actual>>,
}

/// What one node came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Actual {
    /// Entries or records that it led to, before filters that follow it.
    pub(crate) rows: u64,
    /// With everything below it, as the batches are.
    pub(crate) micros: u64,
    /// Batches that were read, whatever their width.
    pub(crate) batches: u64,
}

/// When the reading of a part began, and how many batches had been read by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    pub(crate) at: Instant,
    pub(crate) batches: u64,
}

impl Analysis {
    /// Adds to what is known of a node of the plan, or of a choice in its bound slots.
    pub(crate) fn add<T>(&self, node: &T, rows: usize, began: Option<Began>, batches: u64) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let actual = nodes.entry(std::ptr::from_ref(node).addr()).or_default();
        actual.rows += rows as u64;
        let Some(began) = began else { return };
        actual.micros += u64::try_from((runtime::now() - began.at).as_micros()).unwrap_or(u64::MAX);
        actual.batches += batches - began.batches;
    }

    /// What became of a node; `None` when nothing was read for it.
    pub(crate) fn of<T>(&self, node: &T) -> Option<Actual> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.get(&std::ptr::from_ref(node).addr()).copied()
    }

    /// Forgets what was read in vain.
    pub(crate) fn clear(&self) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
