//! How the configuration follows the directory: what the leader does next.
//!
//! One step at a time, each safe on its own; whoever leads after a failure goes on where the other one stopped.

use crate::Role;
use crate::cluster::Directory;
use crate::raft::{Change, Follower, Group};
use vivarium_storage::runtime::mutant;

/// Entries that a learner may be behind with and still be promoted: what it catches up with in a moment.
const BEHIND_MAX: u64 = 256;

/// What a leader does about the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Propose this.
    Change(Change),
    /// This node is to go: another one must lead first.
    HandOver(u64),
}

/// What is to be done now. `None` when the configuration is as the directory says, when this node does not lead,
/// or when the step would have to wait for nodes that cannot be reached.
pub(super) fn next_step(group: &Group, directory: &Directory) -> Option<NextStep> {
    if group.role() != Role::Leader || directory.is_empty() {
        return None;
    }
    let followers = group.followers();
    let view =
        View { own: group.node(), voters: group.voters(), followers: &followers, committed: group.committed_index() };
    view.next_step(directory)
}

struct View<'a> {
    own: u64,
    voters: Vec<u64>,
    followers: &'a [Follower],
    committed: u64,
}

impl View<'_> {
    fn next_step(&self, directory: &Directory) -> Option<NextStep> {
        self.leaving(directory).or_else(|| self.promoted(directory)).or_else(|| self.missing(directory))
    }

    fn leaving(&self, directory: &Directory) -> Option<NextStep> {
        // A planted bug: a member is let go only when it answers, which one that is gone never does.
        let lets_go = |follower: &&Follower| follower.active || !mutant("live-02");
        let gone = self.followers.iter().filter(lets_go).find(|follower| directory.has_left(follower.node));
        if let Some(gone) = gone
            && (!gone.voter || self.survives_without(gone.node))
        {
            return Some(NextStep::Change(Change::Remove(gone.node)));
        }
        if !directory.has_left(self.own) {
            return None;
        }
        let heirs = self
            .followers
            .iter()
            .filter(|follower| follower.voter && follower.active && !directory.has_left(follower.node));
        heirs.max_by_key(|follower| follower.matched).map(|heir| NextStep::HandOver(heir.node))
    }

    fn promoted(&self, directory: &Directory) -> Option<NextStep> {
        let ready = self.followers.iter().find(|follower| {
            // A node that is new to a leader counts as active: whether it is there shows in what it has.
            !follower.voter
                && follower.active
                && follower.matched > 0
                && follower.matched + BEHIND_MAX >= self.committed
                && directory.get(follower.node).is_some_and(|row| !row.left)
        });
        ready.map(|learner| NextStep::Change(Change::Promote(learner.node)))
    }

    fn missing(&self, directory: &Directory) -> Option<NextStep> {
        let known = |node: u64| node == self.own || self.followers.iter().any(|follower| follower.node == node);
        let missing = directory.present().map(|(node, _)| node).find(|node| !known(*node));
        missing.map(|node| NextStep::Change(Change::AddLearner(node)))
    }

    /// True when a majority of the voters that stay can be reached.
    fn survives_without(&self, node: u64) -> bool {
        let stay: Vec<u64> = self.voters.iter().copied().filter(|voter| *voter != node).collect();
        let lives = |voter: &&u64| {
            **voter == self.own || self.followers.iter().any(|other| other.node == **voter && other.active)
        };
        stay.iter().filter(lives).count() > stay.len() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Directory;

    fn follower(node: u64, voter: bool, matched: u64, active: bool) -> Follower {
        Follower { node, voter, matched, active }
    }

    fn step(voters: &[u64], followers: &[Follower], directory: &Directory) -> Option<NextStep> {
        let view = View { own: 1, voters: voters.to_vec(), followers, committed: 1000 };
        view.next_step(directory)
    }

    #[test]
    fn a_new_node_learns_first_and_votes_when_it_has_caught_up() {
        let directory = Directory::of(&[(1, false), (2, false)]);
        assert_eq!(step(&[1], &[], &directory), Some(NextStep::Change(Change::AddLearner(2))));
        assert_eq!(step(&[1], &[follower(2, false, 10, true)], &directory), None);
        assert_eq!(step(&[1], &[follower(2, false, 990, false)], &directory), None);
        let view = View { own: 1, voters: vec![1], followers: &[follower(2, false, 0, true)], committed: 9 };
        assert_eq!(view.next_step(&directory), None, "it was never heard from, and a vote of its would be missed");
        let caught_up = [follower(2, false, 990, true)];
        assert_eq!(step(&[1], &caught_up, &directory), Some(NextStep::Change(Change::Promote(2))));
        assert_eq!(step(&[1, 2], &[follower(2, true, 990, true)], &directory), None);
    }

    #[test]
    fn a_node_goes_only_when_the_majority_stays() {
        let directory = Directory::of(&[(1, false), (2, true), (3, false)]);
        let gone = Some(NextStep::Change(Change::Remove(2)));
        let both = [follower(2, true, 990, false), follower(3, true, 990, true)];
        assert_eq!(step(&[1, 2, 3], &both, &directory), gone);
        let cut_off = [follower(2, true, 990, true), follower(3, true, 990, false)];
        assert_eq!(step(&[1, 2, 3], &cut_off, &directory), None);
    }

    #[test]
    fn a_leader_that_is_to_go_hands_over_to_the_closest() {
        let directory = Directory::of(&[(1, true), (2, false), (3, false)]);
        let others = [follower(2, true, 990, true), follower(3, true, 999, true)];
        assert_eq!(step(&[1, 2, 3], &others, &directory), Some(NextStep::HandOver(3)));
        assert_eq!(step(&[1], &[], &Directory::of(&[(1, true)])), None, "the last one stays");
    }
}
