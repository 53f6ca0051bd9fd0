//! How far the schema change that this node makes has come, for whoever waits for it.

use crate::database::Size;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is done with the records of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Each is read: does it fit?
    Check,
    /// Each is made to fit, and its index entries are written.
    Fill,
}

/// How far a schema change has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The collection that it is at, by its type name.
    pub collection: String,
    /// What it does there.
    pub step: Step,
    /// Records that are done.
    pub records: u64,
    /// Records that there were when it began there, and bytes of their keys.
    pub of: Size,
}

/// Where whoever makes a change writes how far it is. Of several, it shows what was written last.
#[derive(Debug, Default)]
pub struct Board(Mutex<Option<Progress>>);

impl Board {
    /// What is written there.
    pub fn read(&self) -> Option<Progress> {
        self.lock().clone()
    }

    /// Wipes it: nothing is under way any more.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    pub(super) fn begin(&self, collection: &str, step: Step, of: Size) {
        *self.lock() = Some(Progress { collection: collection.to_owned(), step, records: 0, of });
    }

    pub(super) fn add(&self, records: usize) {
        if let Some(progress) = self.lock().as_mut() {
            progress.records += records as u64;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Progress>> {
        // A panic while it was written leaves numbers that are numbers all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
