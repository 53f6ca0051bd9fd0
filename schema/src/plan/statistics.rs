//! Statistics: how many entries lie in ranges of an index, looked up where a guess would decide how to read.
//!
//! A look is bounded for each range and for each operation. It joins no footprint, because no answer depends on it.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use vivarium_consensus::Node;
use vivarium_storage::engine::Scan;
use vivarium_storage::{KeyRange, Snapshot, Space};

/// Entries that one look counts: beyond, a list is long whatever its number. About a tenth of a millisecond.
const LOOK_MAX: usize = 512;
/// Ranges of one access that are looked at: of more the guess is as good.
const RANGES_MAX: usize = 16;
/// Entries that are looked at for one operation.
const ENTRIES_MAX: usize = 4_096;
/// What opening a range costs, in entries.
const OPENING: usize = 8;

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entries {
    Exactly(usize),
    MoreThan(usize),
}

/// Sizes of ranges as of one snapshot, and how much may still be looked at.
pub(crate) struct Statistics<'n> {
    node: Option<&'n Node>,
    snapshot: OnceCell<Option<Arc<Snapshot>>>,
    left: Cell<usize>,
}

impl<'n> Statistics<'n> {
    /// Of the newest snapshot that a node has, taken when it is needed first.
    pub(crate) fn of(node: &'n Node) -> Statistics<'n> {
        Statistics { node: Some(node), snapshot: OnceCell::new(), left: Cell::new(ENTRIES_MAX) }
    }

    /// How many records a collection has, as far as a look counts.
    pub(super) fn records(&self, range: KeyRange) -> Option<Entries> {
        self.count(Space::Document, &[range])
    }

    /// How many entries lie in the ranges; `None` where that is not looked up.
    pub(super) fn entries(&self, ranges: &[KeyRange]) -> Option<Entries> {
        self.count(Space::Index, ranges)
    }

    fn count(&self, space: Space, ranges: &[KeyRange]) -> Option<Entries> {
        if ranges.len() > RANGES_MAX || self.left.get() < LOOK_MAX + OPENING * ranges.len() {
            return None;
        }
        let snapshot = self.snapshot.get_or_init(|| Some(self.node?.store().ok()?.snapshot())).as_ref()?;
        let mut found = 0;
        for range in ranges {
            let limit = LOOK_MAX + 1 - found;
            let scan = Scan { range: range.clone(), reverse: false, limit };
            // What cannot be read is told when it is read for the answer.
            snapshot.visit_keys(space, &scan, snapshot.version(), &mut |_| found += 1).ok()?;
            if found > LOOK_MAX {
                break;
            }
        }
        self.left.set(self.left.get() - found.min(LOOK_MAX) - OPENING * ranges.len());
        Some(if found > LOOK_MAX { Entries::MoreThan(LOOK_MAX) } else { Entries::Exactly(found) })
    }
}
