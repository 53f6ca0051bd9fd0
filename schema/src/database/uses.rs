//! How often operations read each index: for whoever wonders what an index is good for. Of this node since it started.

use super::Database;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use vivarium_storage::IndexId;

/// Minutes that are told apart.
const MINUTES: usize = 60;
const MINUTE_MICROS: u64 = 60_000_000;
/// Indexes that are remembered, those that were dropped since among them: some 3 MB.
const INDEXES_MAX: usize = 10_000;

/// How often operations read an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexUse {
    /// Operations that were executed and read it, however many of its entries.
    pub operations: u64,
    /// When the last of them was, in microseconds since 1970; `None` before the first.
    pub last_micros: Option<u64>,
    /// How many of them there were in each of the last 60 minutes, the newest last. The last minute is not over.
    pub per_minute: Vec<u32>,
}

/// The uses of all indexes of a database.
#[derive(Default)]
pub(super) struct Uses {
    indexes: Mutex<BTreeMap<IndexId, Counted>>,
}

/// The uses of one index.
struct Counted {
    operations: u64,
    last_micros: u64,
    /// The newest minute that is counted, and a ring of counts, each at its minute's remainder.
    minute: u64,
    ring: [u32; MINUTES],
}

impl Database {
    /// How often operations have read an index, by their plans.
    pub fn index_use(&self, index: IndexId) -> IndexUse {
        self.inner.uses.of(index, self.node().runtime().now_micros())
    }

    /// Counts an operation that was executed.
    pub(super) fn note_use(&self, indexes: &[IndexId]) {
        if !indexes.is_empty() {
            self.inner.uses.note(indexes, self.node().runtime().now_micros());
        }
    }
}

impl Uses {
    fn note(&self, read: &[IndexId], now_micros: u64) {
        // A panic while counting leaves counts that are counts all the same.
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        for index in read {
            if indexes.len() >= INDEXES_MAX && !indexes.contains_key(index) {
                let oldest = indexes.iter().min_by_key(|(_, counted)| counted.last_micros).map(|(index, _)| *index);
                oldest.map(|oldest| indexes.remove(&oldest));
            }
            indexes.entry(*index).or_insert_with(|| Counted::new(now_micros)).note(now_micros);
        }
    }

    fn of(&self, index: IndexId, now_micros: u64) -> IndexUse {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(counted) = indexes.get_mut(&index) else {
            return IndexUse { per_minute: vec![0; MINUTES], ..IndexUse::default() };
        };
        counted.turn(now_micros);
        let newest = place(counted.minute);
        let per_minute = (newest + 1..=newest + MINUTES).map(|at| counted.ring[at % MINUTES]).collect();
        IndexUse { operations: counted.operations, last_micros: Some(counted.last_micros), per_minute }
    }
}

impl Counted {
    fn new(now_micros: u64) -> Counted {
        Counted { operations: 0, last_micros: now_micros, minute: now_micros / MINUTE_MICROS, ring: [0; MINUTES] }
    }

    fn note(&mut self, now_micros: u64) {
        self.turn(now_micros);
        self.operations += 1;
        self.last_micros = self.last_micros.max(now_micros);
        self.ring[place(self.minute)] += 1;
    }

    /// Empties the minutes that have begun since. A clock that was set back counts as its newest minute.
    fn turn(&mut self, now_micros: u64) {
        let now = now_micros / MINUTE_MICROS;
        let begun = now.saturating_sub(self.minute).min(MINUTES as u64);
        (0..begun).for_each(|since| self.ring[place(now - since)] = 0);
        self.minute = self.minute.max(now);
    }
}

fn place(minute: u64) -> usize {
    (minute % MINUTES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: IndexId = IndexId(7);

    /// The minutes, oldest first, in which an index was used.
    fn minutes(uses: &Uses, now: u64) -> Vec<(usize, u32)> {
        let used = uses.of(INDEX, now * MINUTE_MICROS);
        assert_eq!(used.per_minute.len(), MINUTES);
        used.per_minute.into_iter().enumerate().filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn uses_are_told_by_the_minute_and_for_an_hour() {
        let uses = Uses::default();
        assert_eq!(uses.of(INDEX, 0).operations, 0);
        for minute in [100, 100, 103] {
            uses.note(&[INDEX, IndexId(8)], minute * MINUTE_MICROS + 5);
        }
        assert_eq!(minutes(&uses, 103), [(56, 2), (59, 1)]);
        assert_eq!(minutes(&uses, 159), [(0, 2), (3, 1)]);
        assert_eq!(minutes(&uses, 160), [(2, 1)]);
        assert_eq!(minutes(&uses, 1_000_000), []);
        let used = uses.of(INDEX, 0);
        assert_eq!((used.operations, used.last_micros), (3, Some(103 * MINUTE_MICROS + 5)));
    }

    #[test]
    fn a_clock_that_is_set_back_empties_nothing() {
        let uses = Uses::default();
        uses.note(&[INDEX], 100 * MINUTE_MICROS);
        uses.note(&[INDEX], 40 * MINUTE_MICROS);
        assert_eq!(minutes(&uses, 40), [(59, 2)]);
        assert_eq!(uses.of(INDEX, 0).last_micros, Some(100 * MINUTE_MICROS));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let uses = Uses::default();
        for index in 0..=INDEXES_MAX as u32 {
            uses.note(&[IndexId(index)], u64::from(index));
        }
        assert_eq!(uses.indexes.lock().unwrap().len(), INDEXES_MAX);
        assert_eq!(uses.of(IndexId(0), 0).operations, 0, "the one that was used longest ago made room");
        assert_eq!(uses.of(IndexId(1), 0).operations, 1);
    }
}
