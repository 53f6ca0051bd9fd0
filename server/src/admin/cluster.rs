//! Who belongs to the cluster, and the two things that an operator does about it while it runs.
//!
//! A refusal is a member of the answer's union: whoever asked knows what to do next.

use super::change::RefusedChange;
use super::count::BigInt;
use super::status::Role;
use super::unexpected_of_node;
use crate::hosted::Hosted;
use async_graphql::{Context, Enum, SimpleObject, Union};
use std::time::Duration;
use vivarium_consensus::{self as consensus, Error as NodeError, Node};
use vivarium_storage::runtime::{Instant, now};

/// How long an operator waits for a change: several elections, and a learner's last entries.
const CHANGE_TIME_MAX: Duration = Duration::from_secs(30);

/// The cluster, as the node that was asked knows it.
#[derive(SimpleObject)]
pub struct Cluster {
    /// The cluster's id.
    id: String,
    /// The node that was asked.
    node: BigInt,
    /// The leader that it knows of.
    leader: Option<BigInt>,
    /// The Raft term.
    term: BigInt,
    /// Whether its nodes keep what they say to each other private by certificates.
    peer_tls: bool,
    /// All nodes, in ascending order.
    members: Vec<Member>,
}

/// A node of the cluster.
#[derive(SimpleObject)]
pub struct Member {
    /// Its number.
    node: BigInt,
    /// Where the others reach it; null for a node that never met another.
    address: Option<String>,
    /// What it is in the group.
    part: Part,
    /// The node whose place it took by itself, because that one's log was damaged.
    replaces: Option<BigInt>,
    /// What it does there; null when the node that was asked does not know.
    role: Option<Role>,
    /// The last entry that it is known to have on disk. Only the leader knows that of others.
    matched_index: Option<BigInt>,
    /// Entries that it is behind with. Only the leader knows that of others.
    lag: Option<BigInt>,
    /// Whether the node that was asked reaches it; null when it does not know.
    reachable: Option<bool>,
    /// Since when it is not reached, in microseconds since 1970; null while it is, or when that is not known.
    unreachable_since: Option<BigInt>,
}

/// What a node is in the group.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum Part {
    /// It was given a number, and has not been taken in yet.
    Expected,
    /// It follows the log and does not vote yet.
    Learner,
    /// It votes.
    Voter,
    /// It was told to go, and has not gone yet.
    Leaving,
}

impl Cluster {
    /// The cluster as a node knows it now.
    ///
    /// # Errors
    /// While the node cannot say.
    pub fn of(node: &Node) -> async_graphql::Result<Cluster> {
        let members = node.members().map_err(|error| unexpected_of_node(&error))?;
        let status = node.status();
        Ok(Cluster {
            members: members.into_iter().map(|member| Member::of(member, &status)).collect(),
            id: status.cluster,
            node: status.node.into(),
            leader: status.leader.map(BigInt),
            term: status.term.into(),
            peer_tls: node.has_peer_tls(),
        })
    }
}

impl Member {
    fn of(member: consensus::Member, asked: &consensus::Status) -> Member {
        let own = member.node == asked.node;
        let matched = if own { Some(asked.last_index) } else { member.matched_index };
        let lag = if own {
            // What it has and has not applied: of what the others have it may know nothing.
            Some(asked.committed_index.saturating_sub(asked.applied_index))
        } else {
            matched.map(|matched| asked.last_index.saturating_sub(matched))
        };
        let reachable = match member.connection.as_ref() {
            _ if own => Some(true),
            connection => member.active.or(connection.map(|connection| connection.connected)),
        };
        let lost = member.connection.as_ref().filter(|connection| reachable == Some(false) && !connection.connected);
        let role = match asked.leader {
            _ if own => Some(Role::from(asked.role)),
            // It may be anything, or nothing.
            _ if reachable == Some(false) => None,
            Some(leader) if leader == member.node => Some(Role::Leader),
            Some(_) if member.part != consensus::Part::Expected => Some(Role::Follower),
            _ => None,
        };
        Member {
            node: member.node.into(),
            address: member.address,
            part: match member.part {
                consensus::Part::Expected => Part::Expected,
                consensus::Part::Learner => Part::Learner,
                consensus::Part::Voter => Part::Voter,
                consensus::Part::Leaving => Part::Leaving,
            },
            replaces: member.replaces.map(BigInt),
            role,
            matched_index: matched.map(BigInt),
            lag: lag.map(BigInt),
            reachable,
            unreachable_since: lost.map(|connection| connection.since_micros.into()),
        }
    }
}

/// What came of removing a node.
#[derive(Union)]
pub enum RemoveMemberResult {
    /// The group does without it.
    Removed(RemovedMember),
    /// Nothing was changed.
    Refused(RefusedChange),
}

/// A node that was removed.
#[derive(SimpleObject)]
pub struct RemovedMember {
    /// Its number, which is never given again.
    node: BigInt,
    /// Who votes now.
    voters: Vec<BigInt>,
}

/// What came of handing leadership over.
#[derive(Union)]
pub enum TransferLeadershipResult {
    /// Another node leads, or the one that was named did already.
    Transferred(TransferredLeadership),
    /// The leader is the same as before.
    Refused(RefusedChange),
}

/// Leadership that was handed over.
#[derive(SimpleObject)]
pub struct TransferredLeadership {
    /// Who leads now; null when the node that was asked has not heard of it yet.
    leader: Option<BigInt>,
}

/// Lets a node go for good.
pub(super) async fn remove_member(context: &Context<'_>, number: u64) -> async_graphql::Result<RemoveMemberResult> {
    let node = context.data::<Hosted>()?.node();
    match node.remove_member(number, deadline()).await {
        Ok(()) => {
            let voters = node.status().voters.into_iter().map(BigInt).collect();
            Ok(RemoveMemberResult::Removed(RemovedMember { node: number.into(), voters }))
        }
        Err(NodeError::Refused(reason)) => Ok(RemoveMemberResult::Refused(RefusedChange::new(&reason))),
        Err(error) => Err(unexpected_of_node(&error)),
    }
}

/// Has another voter lead.
pub(super) async fn transfer_leadership(
    context: &Context<'_>,
    to: Option<u64>,
) -> async_graphql::Result<TransferLeadershipResult> {
    let node = context.data::<Hosted>()?.node();
    match node.transfer_leadership(to, deadline()).await {
        Ok(()) => {
            let leader = to.or(node.status().leader).map(BigInt);
            Ok(TransferLeadershipResult::Transferred(TransferredLeadership { leader }))
        }
        Err(NodeError::Refused(reason)) => Ok(TransferLeadershipResult::Refused(RefusedChange::new(&reason))),
        Err(error) => Err(unexpected_of_node(&error)),
    }
}

fn deadline() -> Instant {
    now() + CHANGE_TIME_MAX
}
