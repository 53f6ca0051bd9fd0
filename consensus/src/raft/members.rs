//! Who votes and who follows: what a leader knows of the others, and how the configuration changes, one node at a time.

use super::group::{Broken, Group, Place};
use crate::Role;
use protobuf::Message as _;
use raft::StateRole;
use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2};
use serde::Serialize;
use std::collections::BTreeSet;
use vivarium_storage::runtime::mutant;

/// One step of a change of the configuration. Each is safe on its own: its quorums overlap with those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The node follows and does not vote.
    AddLearner(u64),
    /// A learner votes from here on.
    Promote(u64),
    /// The node does neither any more.
    Remove(u64),
}

/// What a leader knows of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Follower {
    /// Its number.
    pub node: u64,
    /// Whether it votes.
    pub voter: bool,
    /// The last entry that it is known to have on disk.
    pub matched: u64,
    /// It was heard from within the last election timeout.
    pub active: bool,
}

/// Voters and learners, in ascending order, after an entry that changes them.
///
/// # Errors
/// What is wrong with the entry.
pub(crate) fn changed(change: &[u8], voters: Vec<u64>, learners: Vec<u64>) -> Result<(Vec<u64>, Vec<u64>), String> {
    let change = ConfChangeV2::parse_from_bytes(change).map_err(|error| error.to_string())?;
    let (mut voters, mut learners): (BTreeSet<u64>, BTreeSet<u64>) =
        (voters.into_iter().collect(), learners.into_iter().collect());
    for single in change.changes {
        voters.remove(&single.node_id);
        learners.remove(&single.node_id);
        match single.get_change_type() {
            ConfChangeType::AddNode => drop(voters.insert(single.node_id)),
            ConfChangeType::AddLearnerNode => drop(learners.insert(single.node_id)),
            ConfChangeType::RemoveNode => {}
        }
    }
    Ok((voters.into_iter().collect(), learners.into_iter().collect()))
}

/// The bytes of a change that lets a node vote.
#[cfg(test)]
pub(crate) fn promotion_of(node: u64) -> Vec<u8> {
    let single = ConfChangeSingle { node_id: node, ..ConfChangeSingle::default() };
    let change = ConfChangeV2 { changes: vec![single].into(), ..ConfChangeV2::default() };
    change.write_to_bytes().expect("a change is encoded in memory")
}

impl Group {
    /// Proposes a change of the configuration. `None` when this node does not lead or another change is under way.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn propose_change(&mut self, change: Change) -> Result<Option<Place>, Broken> {
        self.contained(|group| {
            let raft = &group.raw.raft;
            // raft-rs would put an empty entry in the place of a second change, and not say so.
            if raft.state != StateRole::Leader || raft.has_pending_conf() {
                return None;
            }
            let (kind, node) = match change {
                Change::AddLearner(node) => (ConfChangeType::AddLearnerNode, node),
                Change::Promote(node) => (ConfChangeType::AddNode, node),
                Change::Remove(node) => (ConfChangeType::RemoveNode, node),
            };
            let mut single = ConfChangeSingle { node_id: node, ..ConfChangeSingle::default() };
            single.set_change_type(kind);
            let mut changes = vec![single];
            // A planted bug: all that learn are promoted at once, so that quorums before and after need not overlap.
            if kind == ConfChangeType::AddNode && mutant("raft-08") {
                let others = group.learners().into_iter().filter(|learner| *learner != node);
                changes.extend(others.map(|node_id| ConfChangeSingle { node_id, ..ConfChangeSingle::default() }));
            }
            let change = ConfChangeV2 { changes: changes.into(), ..ConfChangeV2::default() };
            group.raw.propose_conf_change(Vec::new(), change).ok()?;
            Some(Place { index: group.last_index(), term: group.term() })
        })
    }

    /// Changes the configuration as a committed entry says, and returns the bytes of the new one.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn reconfigure(&mut self, change: &[u8]) -> Result<Vec<u8>, Broken> {
        self.contained(|group| {
            let change = ConfChangeV2::parse_from_bytes(change).expect("a committed change was encoded by a leader");
            let before = group.voters();
            let mut state = None;
            for single in change.changes {
                let change = ConfChangeV2 { changes: vec![single].into(), ..ConfChangeV2::default() };
                state = Some(group.raw.apply_conf_change(&change).expect("a leader proposes only what can be made"));
            }
            group.tell_of_reconfiguring(&before);
            let mut state = state.expect("a leader proposes one step at least");
            // raft-rs keeps sets without an order; all nodes are to store the same bytes.
            state.voters.sort_unstable();
            state.learners.sort_unstable();
            state.voters_outgoing.sort_unstable();
            state.learners_next.sort_unstable();
            state.write_to_bytes().expect("a configuration is encoded in memory")
        })
    }

    /// The configuration that counts while the store holds none.
    pub fn founders(&self) -> Vec<u8> {
        self.raw.store().configuration()
    }

    /// All voters, in ascending order.
    pub fn voters(&self) -> Vec<u64> {
        let mut voters: Vec<u64> = self.raw.raft.prs().conf().voters().ids().iter().collect();
        voters.sort_unstable();
        voters.dedup();
        voters
    }

    /// All nodes that follow and do not vote, in ascending order.
    pub fn learners(&self) -> Vec<u64> {
        let mut learners: Vec<u64> = self.raw.raft.prs().conf().learners().iter().copied().collect();
        learners.sort_unstable();
        learners
    }

    /// What this node, as a leader, knows of the others, in ascending order. Empty when it does not lead.
    pub fn followers(&self) -> Vec<Follower> {
        if self.role() != Role::Leader {
            return Vec::new();
        }
        let tracker = self.raw.raft.prs();
        let voters = self.voters();
        let others = tracker.iter().filter(|(node, _)| **node != self.options.node);
        let mut followers: Vec<Follower> = others
            .map(|(node, progress)| Follower {
                node: *node,
                voter: voters.contains(node),
                matched: progress.matched,
                active: progress.recent_active,
            })
            .collect();
        followers.sort_unstable_by_key(|follower| follower.node);
        followers
    }

    /// True when this node alone decides.
    pub fn is_lone_voter(&self) -> bool {
        self.raw.raft.prs().is_singleton() && self.is_voter()
    }

    /// True when this node alone decides and nobody follows it either.
    pub fn is_alone(&self) -> bool {
        self.is_lone_voter() && self.raw.raft.prs().iter().all(|(node, _)| *node == self.options.node)
    }

    /// True when this node has a vote.
    pub fn is_voter(&self) -> bool {
        self.raw.raft.prs().conf().voters().contains(self.options.node)
    }
}
