//! What a group does that others build on, for a simulator that listens. Outside simulation none of this does anything.

use super::entry::Committed;
use super::group::Group;
use super::message::Message;
use crate::deed::{self, Deed};
use raft::eraftpb::MessageType;

impl Group {
    /// Tells what these messages promise of this node's disk, when they are about to be sent.
    pub fn tell_of_promises(&self, messages: &[Message]) {
        for Message(message) in messages {
            deed::tell(self.options.node, || match message.get_msg_type() {
                MessageType::MsgRequestVote => Some(Deed::Votes { term: message.term, candidate: message.from }),
                MessageType::MsgRequestVoteResponse if !message.reject => {
                    Some(Deed::Votes { term: message.term, candidate: message.to })
                }
                MessageType::MsgAppendResponse if !message.reject => {
                    Some(Deed::Holds { term: message.term, index: message.index })
                }
                _ => None,
            });
        }
    }

    /// Tells that this node begins to lead.
    pub fn tell_of_leading(&self) {
        let term_of = |index| self.term_of(index);
        deed::tell(self.options.node, || {
            Some(Deed::Leads { term: self.term(), committed: self.committed_index(), term_of: &term_of })
        });
    }

    /// Tells up to where this node, as a leader, counts entries as committed.
    pub fn tell_of_commits(&self) {
        deed::tell(self.options.node, || {
            let index = self.committed_index();
            let (entry_term, voters) = (self.term_of(index), self.voters());
            Some(Deed::Commits { term: self.term(), index, entry_term, voters })
        });
    }

    /// Tells that others vote now than those before.
    pub(super) fn tell_of_reconfiguring(&self, before: &[u64]) {
        deed::tell(self.options.node, || Some(Deed::Reconfigures { before: before.to_vec(), after: self.voters() }));
    }

    /// Tells that a committed entry is handed on.
    pub fn tell_of_applying(&self, entry: &Committed) {
        deed::tell(self.options.node, || {
            let Committed { index, term, payload } = entry;
            Some(Deed::Applies { index: *index, term: *term, payload: payload.to_log() })
        });
    }

    /// The term of an entry of the log; `None` when the log does not have it, or not any more.
    fn term_of(&self, index: u64) -> Option<u64> {
        self.raw.raft.raft_log.term(index).ok().filter(|term| *term > 0)
    }
}
