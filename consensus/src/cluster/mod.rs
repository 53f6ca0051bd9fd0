//! How nodes form a cluster: who belongs to it, how one joins, what they ask of each other.
//!
//! The directory in the store says who belongs to it and where; the leader makes Raft's configuration follow it.

mod book;
mod desk;
mod directory;
#[cfg(all(test, not(madsim)))]
mod fixture;
mod forward;
mod join;
mod members;
mod pull;
mod question;
mod recover;
mod replace;
mod token;

pub(crate) use book::Book;
pub(crate) use desk::Desk;
pub use directory::NODES_MAX;
pub(crate) use directory::{DIRECTORY, Directory};
pub(crate) use forward::{Commission, Way, ask_anybody, ask_leader, commit, tell_each};
pub(crate) use join::prepare;
pub use join::{initialise, join, token};
pub(crate) use members::{announce, members, remove, transfer};
pub(crate) use pull::pull;
pub(crate) use question::Question;
pub use recover::{RecoveryReport, recover};
pub(crate) use replace::{begin_replacement, replace};
pub use token::Token;

use crate::transport::PeerTls;
use serde::Serialize;

/// How a node meets the others of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    /// The address that it listens on for other nodes, as `host:port`.
    pub listen: String,
    /// The address under which the others reach it; where it listens unless given.
    pub advertise: Option<String>,
    /// TLS between the nodes.
    pub tls: Option<PeerTls>,
    /// Bytes a second, at most, that it sends of checkpoints, so that who is far behind does not slow down who is not. At
    /// least [`CHECKPOINT_BYTES_PER_SECOND_MIN`].
    pub checkpoint_bytes_per_second_max: u64,
}

/// Half of what a link of a gigabit carries: a store of 100 GiB in half an hour.
const CHECKPOINT_BYTES_PER_SECOND: u64 = 64 << 20;
/// The slowest that checkpoints may be: the largest chunk, a document of 16 MiB, then takes no longer than two answers may.
pub const CHECKPOINT_BYTES_PER_SECOND_MIN: u64 = 1 << 20;

impl ClusterOptions {
    /// A node that others reach where it listens, without TLS.
    pub fn new(listen: impl Into<String>) -> ClusterOptions {
        ClusterOptions {
            listen: listen.into(),
            advertise: None,
            tls: None,
            checkpoint_bytes_per_second_max: CHECKPOINT_BYTES_PER_SECOND,
        }
    }

    /// The address under which the others reach it.
    pub(crate) fn address(&self) -> &str {
        self.advertise.as_ref().unwrap_or(&self.listen)
    }
}

/// A node of a cluster, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its number.
    pub node: u64,
    /// Where the others reach it; `None` for a node that never met another.
    pub address: Option<String>,
    /// What it does in the group.
    pub part: Part,
    /// The node whose place it took, whose log was lost.
    pub replaces: Option<u64>,
    /// The last entry that the leader knows it to have on disk. Only a leader knows.
    pub matched_index: Option<u64>,
    /// Whether the leader heard from it lately. Only a leader knows.
    pub active: Option<bool>,
    /// How this node's connection to it stands; `None` for this node itself.
    pub connection: Option<Connection>,
}

/// How a connection to another node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// Whether it is there.
    pub connected: bool,
    /// Since when it is, or is not, there: microseconds since 1970.
    pub since_micros: u64,
    /// Why the newest attempt failed, or the newest connection ended.
    pub last_error: Option<String>,
    /// Bytes that wait for it.
    pub queued_bytes: usize,
    /// Raft messages that were dropped here, ever; Raft repeats them.
    pub dropped_messages: u64,
}

/// What a member does in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Part {
    /// It was given a number; the leader has not taken it in yet.
    Expected,
    /// It follows the log and catches up, or was asked not to vote.
    Learner,
    /// It votes.
    Voter,
    /// It was told to go; the leader has not let it go yet.
    Leaving,
}
