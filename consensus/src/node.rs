//! One node of a cluster: it owns the store, the log, the driver and the applier.

use crate::{Consistency, IdempotencyKey, Outcome, Result, Transaction};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use vivarium_storage::runtime::{Instant, Runtime};
use vivarium_storage::{Store, StoreOptions, Version, WalOptions};

/// How a node is opened.
#[derive(Clone)]
pub struct NodeOptions {
    /// The data folder. Created when it is not there.
    pub dir: PathBuf,
    /// How its store is opened.
    pub store: StoreOptions,
    /// How its log is opened.
    pub wal: WalOptions,
    /// Time and chance.
    pub runtime: Runtime,
}

/// What a node does in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Role {
    /// Orders commits.
    Leader,
    /// Applies what a leader orders.
    Follower,
    /// Wants to lead.
    Candidate,
}

/// What a node knows of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The cluster's id.
    pub cluster: String,
    /// The node's Raft id within the cluster.
    pub node: u64,
    /// Its role.
    pub role: Role,
    /// The Raft term.
    pub term: u64,
    /// The leader it knows of.
    pub leader: Option<u64>,
    /// The ids of all voters.
    pub voters: Vec<u64>,
    /// The last entry in the log.
    pub last_index: u64,
    /// The last entry that a majority has.
    pub committed_index: u64,
    /// The last entry that is applied.
    pub applied_index: u64,
    /// The newest commit that can be read here.
    pub version: Version,
    /// Bytes of log on disk.
    pub log_bytes: u64,
    /// Bytes of store on disk.
    pub store_bytes: u64,
    /// Why the node stopped, if it did.
    pub stopped: Option<String>,
}

/// One node of a cluster. Cheap to clone; the last clone does not close it, [`Node::close`] does.
#[derive(Clone)]
pub struct Node {
    _inner: Arc<()>,
}

impl Node {
    /// Opens the data folder, replays the log into the store, and starts the driver and the applier.
    /// A new folder becomes a cluster of one. Returns when the store has everything that was acknowledged.
    ///
    /// # Errors
    /// Those of storage: locked, foreign or corrupt folder, and what the operating system refuses.
    pub async fn open(options: NodeOptions) -> Result<Node> {
        let _ = options;
        todo!()
    }
    /// Begins a transaction at the newest version (strong: no older than any commit acknowledged before).
    ///
    /// # Errors
    /// `Unavailable`, `DeadlineExceeded`, `VersionGone`, `Stopped`.
    pub async fn begin(&self, consistency: Consistency, deadline: Instant) -> Result<Transaction> {
        let _ = (consistency, deadline);
        todo!()
    }
    /// What became of the mutation with this key, if it committed and is still remembered.
    ///
    /// # Errors
    /// As [`Node::begin`] with strong consistency.
    pub async fn outcome(&self, key: &IdempotencyKey, deadline: Instant) -> Result<Option<Outcome>> {
        let _ = (key, deadline);
        todo!()
    }
    /// What this node knows of itself.
    pub fn status(&self) -> Status {
        todo!()
    }
    /// Resolves when the node has stopped by itself, after a storage failure, with the reason.
    pub async fn stopped(&self) -> String {
        todo!()
    }
    /// The store, for status, verification and export.
    pub fn store(&self) -> &Store {
        todo!()
    }
    /// The time and chance that it was opened with.
    pub fn runtime(&self) -> &Runtime {
        todo!()
    }
    /// Refuses new work, finishes what is under way, makes everything durable and closes.
    ///
    /// # Errors
    /// Those of the last fsyncs.
    pub async fn close(&self) -> Result<()> {
        todo!()
    }
}
