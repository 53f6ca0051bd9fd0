//! Readers that wait for a read index: one round for all that came since the last.

use crate::progress::{RETRY_WHEN_FULL, RETRY_WITHOUT_LEADER};
use crate::raft::{Broken, Event, Group};
use crate::{Error, Result};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use vivarium_storage::runtime::mutant;

type Reader = oneshot::Sender<Result<u64>>;

/// Readers that may wait for an answer. More than any server admits at once.
const READERS_MAX: usize = 1 << 16;

/// Ticks after which a round that nobody answered is asked again: messages may be lost, leaders change.
const ROUND_TICKS_MAX: u64 = 4;
/// Ticks that a reader waits for somebody to lead: two elections. Then it is told to come again.
const LEADER_TICKS_MAX: u64 = 40;

/// The readers of one group.
#[derive(Default)]
pub(super) struct Reads {
    waiting: Vec<Waiting>,
    rounds: BTreeMap<u64, Round>,
    next_round: u64,
    ticks: u64,
}

struct Waiting {
    reader: Reader,
    /// The tick that it came at.
    since: u64,
}

struct Round {
    readers: Vec<Waiting>,
    began: u64,
}

impl Reads {
    /// A reader comes.
    pub fn add(&mut self, reader: Reader) {
        if self.waiting.len() < READERS_MAX {
            self.waiting.push(Waiting { reader, since: self.ticks });
        } else {
            // Whoever gave up in between hears nothing.
            let _ = reader.send(Err(Error::Unavailable { retry_after: RETRY_WHEN_FULL }));
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.rounds.values().map(|round| round.readers.len()).sum::<usize>()
    }

    /// Time passed.
    pub fn tick(&mut self) {
        self.ticks += 1;
        let late: Vec<u64> = self
            .rounds
            .iter()
            .filter(|(_, round)| self.ticks - round.began > ROUND_TICKS_MAX)
            .map(|(n, _)| *n)
            .collect();
        for number in late {
            let round = self.rounds.remove(&number).expect("it was just listed");
            self.waiting.extend(round.readers);
        }
        self.waiting.retain(|waiting| !waiting.reader.is_closed());
    }

    /// Asks for an index on behalf of all who wait, when somebody can answer. True when it did.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn begin_round(&mut self, group: &mut Group) -> std::result::Result<bool, Broken> {
        if self.waiting.is_empty() {
            return Ok(false);
        }
        if !group.can_read_index() {
            // A lone voter is about to lead; others may be without a leader for long.
            if !group.is_lone_voter() {
                self.refuse_late();
            }
            return Ok(false);
        }
        self.next_round += 1;
        let round = Round { readers: std::mem::take(&mut self.waiting), began: self.ticks };
        self.rounds.insert(self.next_round, round);
        // A planted bug: nobody is asked whether another node leads by now.
        if mutant("raft-06") {
            self.answer(self.next_round, group.committed_index());
            return Ok(true);
        }
        group.step(Event::ReadIndex(self.next_round))?;
        Ok(true)
    }

    /// A round has its index.
    pub fn answer(&mut self, number: u64, index: u64) {
        for waiting in self.rounds.remove(&number).into_iter().flat_map(|round| round.readers) {
            // Whoever gave up in between hears nothing.
            let _ = waiting.reader.send(Ok(index));
        }
    }

    fn refuse_late(&mut self) {
        let now = self.ticks;
        for late in self.waiting.extract_if(.., |waiting| now - waiting.since > LEADER_TICKS_MAX) {
            let _ = late.reader.send(Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER }));
        }
    }
}
