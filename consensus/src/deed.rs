//! What a node does that others build on, told to a simulator as it happens: votes, words about its disk, commits.
//!
//! Outside simulation nobody listens, and nothing is looked up to be told.

#[cfg(madsim)]
pub use heard::set_listener;
#[cfg(madsim)]
pub(crate) use heard::tell;

/// One thing that a node does in its group.
pub enum Deed<'a> {
    /// It says that `candidate` has its vote; it is the candidate itself when it asks others for theirs.
    Votes {
        /// The term of the election.
        term: u64,
        /// Who has the vote.
        candidate: u64,
    },
    /// It says that it has all entries up to `index` on its disk.
    Holds {
        /// The term of the leader that it says so to.
        term: u64,
        /// The last of the entries.
        index: u64,
    },
    /// It begins to lead.
    Leads {
        /// The term.
        term: u64,
        /// The last entry that it knows to be committed.
        committed: u64,
        /// Looks up the term of an entry of its log; `None` when the log does not have it, or not any more.
        term_of: &'a dyn Fn(u64) -> Option<u64>,
    },
    /// As a leader, it counts all entries up to `index` as committed. May be told again and again.
    Commits {
        /// The term in which it leads.
        term: u64,
        /// The last of the entries.
        index: u64,
        /// The term of that entry; `None` when it is purged.
        entry_term: Option<u64>,
        /// Who votes, as far as it knows.
        voters: Vec<u64>,
    },
    /// It goes by another configuration from here on.
    Reconfigures {
        /// Who voted.
        before: Vec<u64>,
        /// Who votes.
        after: Vec<u64>,
    },
    /// It hands a committed entry on, to be applied.
    Applies {
        /// The place of the entry.
        index: u64,
        /// Its term.
        term: u64,
        /// Its payload, as the log keeps it.
        payload: Vec<u8>,
    },
}

/// Tells what a node does, if somebody listens.
#[cfg(not(madsim))]
#[inline(always)]
pub(crate) fn tell<'a>(_node: u64, _deed: impl FnOnce() -> Option<Deed<'a>>) {}

#[cfg(madsim)]
mod heard {
    use super::Deed;
    use std::sync::{Arc, Mutex, PoisonError};

    type Listener = dyn Fn(u64, &Deed<'_>) + Send + Sync;

    static LISTENER: Mutex<Option<Arc<Listener>>> = Mutex::new(None);

    /// From now on this closure hears what nodes of this process do: the number of the node, and the deed.
    pub fn set_listener(listener: impl Fn(u64, &Deed<'_>) + Send + Sync + 'static) {
        *LISTENER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(listener));
    }

    /// Tells what a node does, if somebody listens.
    pub(crate) fn tell<'a>(node: u64, deed: impl FnOnce() -> Option<Deed<'a>>) {
        let listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((listener, deed)) = listener.zip(deed()) {
            listener(node, &deed);
        }
    }
}
