//! Followers that the log left behind: the leader's word that they need a checkpoint, and what comes of it.
//!
//! raft-rs sends a follower nothing from its word until it hears what became of it, so it is made to look again.

use super::group::{Broken, Group};
use super::log;
use crate::checkpoint::{Need, Origin};
use raft::eraftpb::{Message, MessageType, Snapshot};
use raft::{Progress, ProgressState, SnapshotStatus};
use std::collections::BTreeSet;

/// Ticks after which a follower that needs a checkpoint is told so again: the word, or the answer, may be lost.
const CHECKPOINT_TICKS_MAX: u32 = 100;

impl Group {
    /// A leader's word that this node needs a checkpoint, unless it was taken already.
    pub fn take_need(&mut self) -> Option<Need> {
        self.need.take()
    }

    /// Offers a checkpoint in the name of the leader that asked for it. True when it is taken: then it is among
    /// the next effects.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn offer(&mut self, need: Need, origin: &Origin) -> Result<bool, Broken> {
        self.contained(|group| {
            // A leader that was replaced. In raft-rs's words term 0 would even be this node itself.
            if need.term < group.term() {
                return false;
            }
            let snapshot = match log::snapshot(origin) {
                Ok(snapshot) => snapshot,
                Err(reason) => {
                    tracing::error!(%reason, "a checkpoint has no configuration that can be read");
                    return false;
                }
            };
            let mut message = Message { from: need.from, term: need.term, ..Default::default() };
            message.set_msg_type(MessageType::MsgSnapshot);
            message.to = group.options.node;
            message.set_snapshot(snapshot);
            if let Err(error) = group.raw.step(message) {
                tracing::debug!(%error, "a checkpoint was not taken");
            }
            group.raw.snap().is_some()
        })
    }

    /// True for a leader's word that this node needs a checkpoint, which is noted. What this node has already is
    /// answered by raft-rs at once, so that the leader goes on from there. Otherwise the data must come first.
    pub(super) fn is_told_of_a_need(&mut self, message: &Message) -> bool {
        let word = message.get_msg_type() == MessageType::MsgSnapshot && message.term >= self.term();
        if !word || self.has(message.get_snapshot()) {
            return false;
        }
        let at_least = message.get_snapshot().get_metadata().index;
        self.need = Some(Need { from: message.from, term: message.term, at_least });
        true
    }

    /// A follower may take a checkpoint that is older than the one that raft-rs waits for. Then the log goes on.
    pub(super) fn go_on_with_the_log(&mut self) {
        let first = self.raw.store().first.0;
        for id in self.awaited(|progress| progress.matched >= first) {
            self.raw.report_snapshot(id, SnapshotStatus::Failure);
        }
    }

    fn has(&self, snapshot: &Snapshot) -> bool {
        let (log, metadata) = (&self.raw.raft.raft_log, snapshot.get_metadata());
        metadata.index <= log.committed || log.match_term(metadata.index, metadata.term)
    }

    /// The followers that raft-rs sends nothing until it hears that they have a checkpoint, those of a kind.
    fn awaited(&self, kind: impl Fn(&Progress) -> bool) -> BTreeSet<u64> {
        let waits = |progress: &Progress| progress.state == ProgressState::Snapshot && kind(progress);
        self.raw.raft.prs().iter().filter(|(_, progress)| waits(progress)).map(|(id, _)| *id).collect()
    }

    /// Lets raft-rs look again at followers that were told long ago that they need a checkpoint: it sends them
    /// nothing until it hears what became of it.
    pub(super) fn remind(&mut self) {
        let needy = self.awaited(|_| true);
        self.behind.retain(|id, _| needy.contains(id));
        for id in needy {
            let ticks = self.behind.entry(id).or_default();
            *ticks += 1;
            if *ticks >= CHECKPOINT_TICKS_MAX {
                self.behind.remove(&id);
                self.raw.report_snapshot(id, SnapshotStatus::Failure);
            }
        }
    }
}
