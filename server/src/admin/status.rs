//! What the node knows of itself, and what verification found.

use super::count::BigInt;
use async_graphql::{Enum, SimpleObject};
use vivarium_consensus as consensus;
use vivarium_schema::database;

/// What this node knows of itself.
#[derive(SimpleObject)]
pub struct Status {
    /// The release that runs.
    release: &'static str,
    /// The cluster's id.
    cluster: String,
    /// The node's number within the cluster.
    node: BigInt,
    /// What it does there.
    role: Role,
    /// The Raft term.
    term: BigInt,
    /// The leader that it knows of.
    leader: Option<BigInt>,
    /// All who vote.
    voters: Vec<BigInt>,
    /// All who follow and do not vote.
    learners: Vec<BigInt>,
    /// The last entry in the log.
    last_index: BigInt,
    /// The last entry that a majority has.
    committed_index: BigInt,
    /// The last entry that is applied.
    applied_index: BigInt,
    /// The newest commit that can be read here.
    version: BigInt,
    /// Bytes of log on disk.
    log_bytes: BigInt,
    /// Bytes of store on disk.
    store_bytes: BigInt,
    /// Documents kept, approximately.
    documents: BigInt,
    /// Why the node stopped, if it did.
    stopped: Option<String>,
}

/// What a node does in its group.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum Role {
    /// Orders commits.
    Leader,
    /// Applies what a leader orders.
    Follower,
    /// Wants to lead.
    Candidate,
}

impl From<consensus::Role> for Role {
    fn from(role: consensus::Role) -> Role {
        match role {
            consensus::Role::Leader => Role::Leader,
            consensus::Role::Follower => Role::Follower,
            consensus::Role::Candidate => Role::Candidate,
        }
    }
}

impl Status {
    /// The node's status now.
    pub fn of(node: &consensus::Node) -> Status {
        let status = node.status();
        Status {
            release: env!("CARGO_PKG_VERSION"),
            cluster: status.cluster,
            node: status.node.into(),
            role: status.role.into(),
            term: status.term.into(),
            leader: status.leader.map(BigInt),
            voters: status.voters.into_iter().map(BigInt).collect(),
            learners: status.learners.into_iter().map(BigInt).collect(),
            last_index: status.last_index.into(),
            committed_index: status.committed_index.into(),
            applied_index: status.applied_index.into(),
            version: status.version.0.into(),
            log_bytes: status.log_bytes.into(),
            store_bytes: status.store_bytes.into(),
            documents: node.store().map_or(0, |store| store.usage().documents).into(),
            stopped: status.stopped,
        }
    }
}

/// What reading everything at one snapshot found.
#[derive(SimpleObject)]
pub struct Verification {
    /// Documents read.
    documents: BigInt,
    /// Index entries and links read.
    entries: BigInt,
    /// What is wrong, one sentence each; empty when all is well.
    problems: Vec<String>,
}

impl From<database::VerifyReport> for Verification {
    fn from(report: database::VerifyReport) -> Verification {
        Verification { documents: report.documents.into(), entries: report.entries.into(), problems: report.problems }
    }
}
