//! In which order, agreed by whom: transactions over a replicated log.
//!
//! A commit is one entry of the log. It is answered when a majority has it on disk and this node has applied it.

mod applier;
mod checkpoint;
mod cluster;
mod command;
mod deed;
mod driver;
mod error;
mod footprint;
mod healing;
mod node;
mod outcome;
mod overlay;
mod progress;
mod raft;
mod recovery;
mod transaction;
mod transport;
mod window;

pub use cluster::{
    CHECKPOINT_BYTES_PER_SECOND_MIN, ClusterOptions, Connection, Member, NODES_MAX, Part, RecoveryReport, Token,
    initialise, join, recover, token,
};
pub use deed::Deed;
#[cfg(madsim)]
pub use deed::set_listener;
pub use driver::Queues;
pub use error::{Error, Result};
pub use node::{Node, NodeOptions, Role, Status};
pub use raft::Follower;
pub use transaction::{
    CommitOptions, Consistency, IDEMPOTENCY_MINUTES, IdempotencyKey, Outcome, TRANSACTION_BYTES_MAX, Transaction,
};
pub use transport::PeerTls;
