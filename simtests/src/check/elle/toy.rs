//! A small store of lists with the protocol of the real one, and with bugs to choose from: checkers are checked on it.
//!
//! Writers validate at commit what they read at their snapshot; readers answer at their snapshot.

use super::{Key, MicroOperation, Outcome, Transaction, Value};
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    None,
    /// Validates what was written, not what was read.
    SnapshotIsolation,
    /// Validates nothing.
    LostUpdate,
    /// Writes whole lists as they were at the snapshot, and validates nothing.
    Overwrite,
    /// Reads without writes are sometimes older than what had been told.
    StaleReads,
    /// Failed transactions are sometimes applied.
    AbortedVisible,
    /// Committed transactions are sometimes not applied.
    DroppedWrite,
    /// Committed transactions are sometimes applied to the first of their lists only.
    HalfCommit,
    /// Committed transactions are sometimes applied twice.
    AppendTwice,
    /// The first append is sometimes visible before the others.
    EarlyAppend,
}

/// Lists that are in use at the same time.
const KEYS: u64 = 5;
/// Appends after which a list is left alone and a new one is used.
const APPENDS_MAX: u64 = 24;
/// A stale read is so many versions older.
const STALE_VERSIONS: u64 = 15;

/// A transaction under way.
struct Flight {
    process: u64,
    invoked: u64,
    snapshot: u64,
    commits: u64,
    operations: Vec<MicroOperation>,
    /// Its first append is in the store already.
    is_early: bool,
}

/// The store, and who uses it.
struct Toy {
    bug: Bug,
    rng: Rng,
    now: u64,
    version: u64,
    lists: BTreeMap<Key, Vec<(u64, Value)>>,
    /// For each slot, which list it stands for now and how many values were drawn for it.
    slots: Vec<(u64, u64)>,
    history: Vec<Transaction>,
    processes: u64,
}

/// A history of `count` transactions by `processes` processes.
pub fn history(bug: Bug, seed: u64, count: usize, processes: u64) -> Vec<Transaction> {
    let mut toy = Toy {
        bug,
        rng: Rng::stream(seed, "toy"),
        now: 0,
        version: 0,
        lists: BTreeMap::new(),
        slots: (0..KEYS).map(|slot| (slot, 0)).collect(),
        history: Vec::new(),
        processes,
    };
    let mut idle: BTreeSet<(u64, u64)> = (0..processes).map(|process| (process, process)).collect();
    let mut flights: Vec<Flight> = Vec::new();
    while toy.history.len() < count {
        toy.now += 1;
        if let Some(first) = idle.first().copied().filter(|(since, _)| *since <= toy.now) {
            idle.remove(&first);
            flights.push(toy.begin(first.1));
        }
        while let Some(at) = flights.iter().position(|flight| flight.commits <= toy.now) {
            let next = toy.end(flights.swap_remove(at));
            idle.insert(next);
        }
    }
    toy.history
}

impl Toy {
    fn begin(&mut self, process: u64) -> Flight {
        let operations: Vec<_> = (0..self.rng.between(1, 4)).map(|_| self.draw()).collect();
        let is_early = self.bug == Bug::EarlyAppend && self.rng.chance(1, 4);
        let is_early = match operations[0] {
            MicroOperation::Append(key, value) if is_early => {
                self.version += 1;
                self.lists.entry(key).or_default().push((self.version, value));
                true
            }
            _ => false,
        };
        let commits = self.now + self.rng.between(1, 20);
        Flight { process, invoked: self.now * 2, snapshot: self.version, commits, operations, is_early }
    }

    fn draw(&mut self) -> MicroOperation {
        let slot = self.rng.below(KEYS) as usize;
        if self.rng.chance(1, 2) {
            return MicroOperation::Read(Key(self.slots[slot].0), Vec::new());
        }
        if self.slots[slot].1 == APPENDS_MAX {
            let newest = self.slots.iter().map(|(list, _)| *list).max().unwrap_or(0);
            self.slots[slot] = (newest + 1, 0);
        }
        let (list, values) = &mut self.slots[slot];
        *values += 1;
        MicroOperation::Append(Key(*list), Value(*values))
    }

    /// Ends a transaction: when its process goes on, and as whom.
    fn end(&mut self, mut flight: Flight) -> (u64, u64) {
        let appends: Vec<(Key, Value)> = appends(&flight.operations);
        let reads_only = appends.is_empty();
        if self.bug == Bug::StaleReads && reads_only && self.rng.chance(1, 20) {
            flight.snapshot = flight.snapshot.saturating_sub(STALE_VERSIONS);
        }
        let fails = self.refuses(&flight, &appends) || self.rng.chance(3, 100);
        let is_unknown = self.rng.chance(1, 100);
        // Of those that nobody knows of, half never came about.
        let fails = fails || (is_unknown && self.rng.chance(1, 2));
        let mut version = None;
        if fails {
            if !is_unknown && self.bug == Bug::AbortedVisible && self.rng.chance(1, 4) {
                self.apply(&appends, flight.snapshot);
            }
            self.forget(&flight);
        } else {
            self.answer(&mut flight);
            version = Some(if reads_only { flight.snapshot } else { self.commit(&flight, &appends) });
        }
        let returned = self.now + self.rng.below(8);
        let outcome = match (is_unknown, fails) {
            (true, _) => Outcome::Info,
            (false, true) => Outcome::Fail,
            (false, false) => Outcome::Ok,
        };
        let Flight { process, invoked, operations, .. } = flight;
        self.history.push(Transaction { process, invoked, returned: returned * 2 + 1, outcome, operations, version });
        // Whoever does not know goes on as somebody else.
        (returned + 1, if is_unknown { process + self.processes } else { process })
    }

    fn refuses(&self, flight: &Flight, appends: &[(Key, Value)]) -> bool {
        let changed = |key: &Key| {
            let newest = self.lists.get(key).and_then(|list| list.last());
            newest.is_some_and(|(version, _)| *version > flight.snapshot)
        };
        let reads_changed = || {
            flight.operations.iter().any(|operation| match operation {
                MicroOperation::Read(key, _) => changed(key),
                MicroOperation::Append(..) => false,
            })
        };
        match self.bug {
            _ if appends.is_empty() => false,
            Bug::SnapshotIsolation => appends.iter().any(|(key, _)| changed(key)),
            Bug::LostUpdate | Bug::Overwrite => false,
            _ => reads_changed(),
        }
    }

    /// Fills in what the reads show.
    fn answer(&self, flight: &mut Flight) {
        let mut own: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
        let mut skip = flight.is_early;
        for operation in &mut flight.operations {
            match operation {
                MicroOperation::Append(key, value) => {
                    if !std::mem::take(&mut skip) {
                        own.entry(*key).or_default().push(*value);
                    }
                }
                MicroOperation::Read(key, read) => {
                    let list = self.lists.get(key).into_iter().flatten();
                    *read = list.filter(|(version, _)| *version <= flight.snapshot).map(|(_, value)| *value).collect();
                    read.extend(own.get(key).into_iter().flatten());
                }
            }
        }
    }

    /// Applies a committed transaction: its version.
    fn commit(&mut self, flight: &Flight, appends: &[(Key, Value)]) -> u64 {
        let rarely = self.rng.chance(1, 50);
        let often = self.rng.chance(1, 5);
        let appends = if flight.is_early { &appends[1..] } else { appends };
        match self.bug {
            Bug::DroppedWrite if rarely => self.version += 1,
            Bug::HalfCommit if often => {
                let first = appends[0].0;
                let half: Vec<_> = appends.iter().filter(|(key, _)| *key == first).copied().collect();
                self.apply(&half, flight.snapshot);
            }
            Bug::AppendTwice if rarely => {
                self.apply(appends, flight.snapshot);
                self.apply(appends, flight.snapshot);
                return self.version - 1;
            }
            _ => self.apply(appends, flight.snapshot),
        }
        self.version
    }

    fn apply(&mut self, appends: &[(Key, Value)], snapshot: u64) {
        self.version += 1;
        if self.bug == Bug::Overwrite {
            for (key, _) in appends {
                self.lists.entry(*key).or_default().retain(|(version, _)| *version <= snapshot);
            }
        }
        for (key, value) in appends {
            self.lists.entry(*key).or_default().push((self.version, *value));
        }
    }

    /// Takes back what a failed transaction has written early.
    fn forget(&mut self, flight: &Flight) {
        if let (true, MicroOperation::Append(key, value)) = (flight.is_early, &flight.operations[0]) {
            self.lists.entry(*key).or_default().retain(|(_, other)| other != value);
        }
    }
}

fn appends(operations: &[MicroOperation]) -> Vec<(Key, Value)> {
    let appends = operations.iter().filter_map(|operation| match operation {
        MicroOperation::Append(key, value) => Some((*key, *value)),
        MicroOperation::Read(..) => None,
    });
    appends.collect()
}
