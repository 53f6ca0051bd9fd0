//! What can go wrong between a transaction and the log, one variant per reaction.

use std::time::Duration;
use vivarium_storage::Version;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong between a transaction and the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the transaction read was written by a later commit: run it again at a new snapshot.
    #[error("conflicts with a later commit")]
    Conflict,
    /// No leader can be reached now.
    #[error("no leader can be reached")]
    Unavailable {
        /// When another try may succeed.
        retry_after: Duration,
    },
    /// The node was opened again meanwhile, to install a checkpoint. Nothing was written: run the transaction again.
    #[error("the node was opened again meanwhile")]
    Reopened,
    /// The connection to the log broke after the commit was handed over: it may or may not be there.
    #[error("the outcome of the commit is unknown")]
    UnknownOutcome,
    /// The deadline passed before anything was handed over: nothing was written.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// The transaction writes more than one log entry takes.
    #[error("transaction of {bytes} bytes is larger than {limit}")]
    TooLarge {
        /// Bytes of its writes.
        bytes: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// The version cannot be read: history is gone, or it lies in the future.
    #[error("version {version} cannot be read: the oldest that is kept is {oldest}")]
    VersionGone {
        /// The version that was asked for.
        version: Version,
        /// The oldest version that can be read.
        oldest: Version,
    },
    /// The cluster does not do what was asked of it, and nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// The node is closing or has stopped after a storage failure.
    #[error("the node has stopped: {0}")]
    Stopped(String),
    /// The address for peers cannot be bound.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// `host:port` as it was given.
        address: String,
        /// What the operating system says.
        reason: String,
    },
    /// A node cannot be reached, or refuses the connection: surely nothing was asked of it.
    #[error("the node at {address} cannot be reached: {reason}")]
    Peer {
        /// `host:port` as it was given.
        address: String,
        /// What went wrong, and what to do about it.
        reason: String,
    },
    /// The disk.
    #[error(transparent)]
    Storage(#[from] vivarium_storage::Error),
}
