//! A transaction: one snapshot, a footprint of what was read, buffered writes, one commit.
//!
//! Reads see the snapshot and the transaction's own writes. Nothing is visible to others before commit.

use crate::Result;
use vivarium_storage::engine::{Bytes, Scan};
use vivarium_storage::runtime::Instant;
use vivarium_storage::{Cell, DatabaseId, Key, Space, Version};

/// Which snapshot a transaction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// No older than any commit acknowledged before the transaction began.
    Strong,
    /// This node's newest, at once.
    Stale,
    /// Exactly this version; waits until it is applied.
    At(Version),
    /// This version or a newer one; waits until it is applied.
    AtLeast(Version),
}

/// What a client names a mutation by, so that a retry returns the first answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(
    /// Scope and key as the client gave it, hashed by the caller to at most 64 bytes.
    pub Vec<u8>,
);

/// What is remembered of a mutation that carried an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it committed.
    pub version: Version,
    /// What the caller asked to be remembered: see [`CommitOptions::answer`].
    pub answer: Vec<u8>,
}

/// What goes with a commit.
#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// Makes a second commit under the same key return the first one's outcome.
    pub idempotency: Option<IdempotencyKey>,
    /// Opaque bytes that are kept with the key for [`IDEMPOTENCY_MINUTES`].
    pub answer: Vec<u8>,
}

/// How long outcomes are remembered at least.
pub const IDEMPOTENCY_MINUTES: u64 = 24 * 60;

/// A transaction. Dropping it without committing leaves nothing behind.
pub struct Transaction {
    _private: (),
}

impl Transaction {
    /// The version that it reads.
    pub fn version(&self) -> Version {
        todo!()
    }
    /// The commit that last changed the catalog of `database`, as of the snapshot. Joins the footprint, so
    /// that a commit planned under an older catalog conflicts.
    pub fn catalog_version(&mut self, database: DatabaseId) -> Version {
        let _ = database;
        todo!()
    }
    /// From here on reads are not recorded: for read-only operations, which need no validation.
    pub fn read_only(&mut self) {
        todo!()
    }
    /// The cells of `keys`, in the order of `keys`, own writes included. Sorted keys are fetched fastest.
    /// A cell that this transaction wrote itself has version [`Transaction::OWN`].
    ///
    /// # Errors
    /// `VersionGone`, `Storage`.
    pub async fn get_many(&mut self, space: Space, keys: &[Key]) -> Result<Vec<Option<Cell>>> {
        let _ = (space, keys);
        todo!()
    }
    /// The rows of each scan, own writes included. Only what was really looked at joins the footprint.
    ///
    /// # Errors
    /// `VersionGone`, `Storage`.
    pub async fn scan_many(&mut self, space: Space, scans: &[Scan]) -> Result<Vec<Vec<(Bytes, Cell)>>> {
        let _ = (space, scans);
        todo!()
    }
    /// Buffers a write.
    pub fn put(&mut self, space: Space, key: Key, value: Vec<u8>) {
        let _ = (space, key, value);
        todo!()
    }
    /// Buffers a removal.
    pub fn delete(&mut self, space: Space, key: Key) {
        let _ = (space, key);
        todo!()
    }
    /// True when there is nothing to commit.
    pub fn is_read_only(&self) -> bool {
        todo!()
    }
    /// Commits all writes or none, and returns when they are durable on a majority and applied here.
    /// Without writes it validates nothing and returns the snapshot's version.
    ///
    /// # Errors
    /// `Conflict` (nothing written: run again), `Unavailable` and `DeadlineExceeded` (nothing written),
    /// `UnknownOutcome` (ask [`crate::Node::outcome`]), `TooLarge`, `Stopped`.
    pub async fn commit(self, options: CommitOptions, deadline: Instant) -> Result<Outcome> {
        let _ = (options, deadline);
        todo!()
    }
    /// The version of cells that this transaction wrote itself and that are not committed yet.
    pub const OWN: Version = Version(u64::MAX);
}
