//! What the log holds of one Raft group: its entries' places and its latest markers.
//!
//! Invariant: entry `first.index + 1 + n` is `slots[n]`; `last` is the last slot, or `first` when there is none.

use super::Recovered;
use super::record::{Item, Kind, Place};
use std::collections::VecDeque;
use std::sync::Arc;

/// One entry: on disk, in memory, or both. Never neither.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub term: u64,
    pub place: Option<Place>,
    pub payload: Option<Arc<Vec<u8>>>,
}

#[derive(Debug, Default)]
pub(super) struct GroupLog {
    pub first: (u64, u64),
    pub slots: VecDeque<Slot>,
    pub hard_state: Option<Arc<Vec<u8>>>,
    pub checkpoint: Option<(u64, u64, Arc<Vec<u8>>)>,
    /// While recovering a log whose oldest segments were deleted: what was purged since may be missing.
    headless: bool,
    /// `first` was guessed from the entry after it, and a later purge must confirm it.
    guessed: bool,
    /// The last marker that was met, which may lie before a guessed `first`.
    marked: (u64, u64),
}

impl GroupLog {
    /// A group of a log whose oldest segments were deleted.
    pub fn headless() -> GroupLog {
        GroupLog { headless: true, guessed: true, ..GroupLog::default() }
    }
    pub fn last_index(&self) -> u64 {
        self.first.0 + self.slots.len() as u64
    }
    pub fn last(&self) -> (u64, u64) {
        (self.last_index(), self.slots.back().map_or(self.first.1, |slot| slot.term))
    }
    /// The last entry in a segment up to this one, or `first`.
    pub fn last_within(&self, segment: u32) -> u64 {
        let within = |slot: &Slot| slot.place.is_some_and(|place| place.segment <= segment);
        self.first.0 + self.slots.partition_point(within) as u64
    }
    pub fn slot(&self, index: u64) -> Option<&Slot> {
        let offset = index.checked_sub(self.first.0 + 1)?;
        self.slots.get(usize::try_from(offset).ok()?)
    }
    pub fn slot_mut(&mut self, index: u64) -> Option<&mut Slot> {
        let offset = index.checked_sub(self.first.0 + 1)?;
        self.slots.get_mut(usize::try_from(offset).ok()?)
    }
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.first.0 {
            return (!self.guessed).then_some(self.first.1);
        }
        self.slot(index).map(|slot| slot.term)
    }
    /// Takes a record into account. `place` is known when it comes from disk.
    ///
    /// # Errors
    /// What is wrong when the record cannot follow those before it.
    pub fn take(&mut self, item: &Item, place: Option<Place>) -> Result<(), String> {
        match item.kind {
            Kind::Entry => return self.take_entry(item, place),
            Kind::HardState => self.hard_state = Some(item.payload.clone()),
            Kind::TruncateSuffix => return self.truncate(item.index),
            Kind::PurgePrefix => self.purge(item.index, item.term),
            Kind::Checkpoint => {
                self.checkpoint = Some((item.index, item.term, item.payload.clone()));
                let within = if self.guessed { item.index <= self.first.0 } else { item.index < self.first.0 };
                if within || self.term(item.index) == Some(item.term) {
                    self.purge(item.index, item.term);
                } else {
                    self.restart(item.index, item.term);
                }
            }
        }
        Ok(())
    }
    fn take_entry(&mut self, item: &Item, place: Option<Place>) -> Result<(), String> {
        if item.index <= self.last_index() {
            self.truncate(item.index)?;
        }
        if self.headless && item.index > self.last_index() + 1 {
            // The entries between lay in a deleted segment: so these, those before, and all up to some later
            // purge, are not needed.
            self.slots.clear();
            self.first = (item.index - 1, 0);
            self.guessed = true;
        }
        if item.index != self.last_index() + 1 {
            return Err(format!("entry {} follows entry {}", item.index, self.last_index()));
        }
        let payload = place.is_none().then(|| item.payload.clone());
        self.slots.push_back(Slot { term: item.term, place, payload });
        Ok(())
    }
    fn truncate(&mut self, index: u64) -> Result<(), String> {
        if index <= self.first.0 {
            if !self.guessed || index <= self.marked.0 {
                return Err(format!("entry {index} is voided, but the log is purged up to {}", self.marked.0));
            }
            self.first = (index - 1, 0);
            self.slots.clear();
            if self.first.0 == self.marked.0 {
                self.first = self.marked;
                self.guessed = false;
            }
        } else {
            self.slots.truncate((index - self.first.0 - 1) as usize);
        }
        Ok(())
    }
    fn purge(&mut self, index: u64, term: u64) {
        self.marked = self.marked.max((index, term));
        if index < self.first.0 {
            return;
        }
        if index > self.last_index() {
            return self.restart(index, term);
        }
        self.slots.drain(..(index - self.first.0) as usize);
        self.first = (index, term);
        self.guessed = false;
    }
    fn restart(&mut self, index: u64, term: u64) {
        self.marked = (index, term);
        self.slots.clear();
        self.first = (index, term);
        self.guessed = false;
    }
    /// Ends recovery.
    ///
    /// # Errors
    /// What is missing when entries begin later than the prefix that was purged ends.
    pub fn settle(&mut self) -> Result<(), String> {
        if self.guessed && self.first.0 > 0 {
            return Err(format!(
                "entries before {} are missing, and nothing says that they were purged",
                self.first.0 + 1
            ));
        }
        self.headless = false;
        self.guessed = false;
        Ok(())
    }
    pub fn recovered(&self) -> Recovered {
        Recovered {
            hard_state: self.hard_state.as_deref().cloned(),
            first: self.first,
            checkpoint: self.checkpoint.as_ref().map(|(_, _, payload)| payload.to_vec()),
            last: self.last(),
        }
    }
}

/// What of a group is on disk, and in which segments: what a deletion of segments must not lose.
#[derive(Debug, Default)]
pub(super) struct Durable {
    markers: [Option<(u32, Item)>; 3],
    /// Runs of live entries as (first index, segment), ascending in both.
    runs: VecDeque<(u64, u32)>,
    last: u64,
}

impl Durable {
    /// Takes a record that was written to `segment`.
    pub fn note(&mut self, item: &Item, segment: u32) {
        match item.kind {
            Kind::Entry => {
                self.void(item.index);
                if self.runs.back().is_none_or(|run| run.1 != segment) {
                    self.runs.push_back((item.index, segment));
                }
                self.last = item.index;
            }
            Kind::TruncateSuffix => self.void(item.index),
            Kind::PurgePrefix => self.purge(item.index),
            // Entries after it that another term wrote are voided by those that follow.
            Kind::Checkpoint => self.purge(item.index),
            Kind::HardState => {}
        }
        // In the order in which they are written again: a checkpoint, what was purged since, the hard state.
        let nth = match item.kind {
            Kind::Checkpoint => 0,
            Kind::PurgePrefix => 1,
            Kind::HardState => 2,
            Kind::Entry | Kind::TruncateSuffix => return,
        };
        self.markers[nth] = Some((segment, item.clone()));
    }
    fn void(&mut self, index: u64) {
        while self.runs.back().is_some_and(|run| run.0 >= index) {
            self.runs.pop_back();
        }
        self.last = self.last.min(index.saturating_sub(1));
    }
    fn purge(&mut self, index: u64) {
        if index >= self.last {
            self.runs.clear();
        }
        while self.runs.get(1).is_some_and(|next| next.0 <= index + 1) {
            self.runs.pop_front();
        }
    }
    /// The segment of the oldest live entry.
    pub fn first_segment(&self) -> Option<u32> {
        self.runs.front().map(|run| run.1)
    }
    /// The latest markers that lie in segments before `segment`.
    pub fn markers_before(&self, segment: u32) -> impl Iterator<Item = &Item> {
        self.markers.iter().flatten().filter(move |(at, _)| *at < segment).map(|(_, item)| item)
    }
}
