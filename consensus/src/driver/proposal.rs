//! A transaction's way into the log: what is proposed, who waits for it, and whether it was handed over.

use crate::command::Draft;
use crate::footprint::Footprint;
use crate::{Outcome, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::oneshot;
use vivarium_storage::{Key, Space, Version};

/// What a transaction asks of the leader.
pub(crate) struct Proposal {
    /// What it read.
    pub snapshot: Version,
    /// What it looked at, settled.
    pub footprint: Footprint,
    /// The keys that it writes, each once.
    pub written: Vec<(Space, Key)>,
    /// Its command.
    pub draft: Draft,
    /// Whom to answer.
    pub ticket: Ticket,
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const ABANDONED: u8 = 2;

/// The driver's half of a proposal's fate. Dropped without an answer, the outcome is unknown.
pub(crate) struct Ticket {
    state: Arc<AtomicU8>,
    answer: oneshot::Sender<Result<Outcome>>,
}

/// The committer's half.
pub(crate) struct Claim {
    state: Arc<AtomicU8>,
}

/// A new proposal's two halves, and where the answer comes.
pub(crate) fn ticket() -> (Ticket, Claim, oneshot::Receiver<Result<Outcome>>) {
    let state = Arc::new(AtomicU8::new(WAITING));
    let (answer, receiver) = oneshot::channel();
    (Ticket { state: state.clone(), answer }, Claim { state }, receiver)
}

impl Ticket {
    /// Takes the proposal over. False when the committer gave up before.
    pub fn take(&self) -> bool {
        self.state.compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Answers. Whoever gave up in between hears nothing.
    pub fn answer(self, outcome: Result<Outcome>) {
        let _ = self.answer.send(outcome);
    }
}

impl Claim {
    /// Gives up. True when nobody had taken the proposal over, so that nothing will be written.
    pub fn abandon(&self) -> bool {
        self.state.compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_proposal_is_either_taken_or_abandoned() {
        let (ticket, claim, _answer) = super::ticket();
        assert!(ticket.take());
        assert!(!claim.abandon(), "it was handed over: its outcome is unknown");
        let (ticket, claim, _answer) = super::ticket();
        assert!(claim.abandon());
        assert!(!ticket.take(), "it was given up: nothing may be written");
    }
}
