//! How long a follower waits before it wants to lead: a pure function, since raft-rs draws from real entropy.

use crate::Role;
use vivarium_storage::wal::GroupId;

/// Ticks without word from a leader before an election, at least: longer than a slow fsync takes.
pub(super) const ELECTION_TICKS_MIN: usize = 10;
/// Ticks without word from a leader before an election, less than this.
pub(super) const ELECTION_TICKS_MAX: usize = 20;
/// Ticks between two heartbeats of a leader.
pub(super) const HEARTBEAT_TICKS: usize = 2;

/// What the wait depends on: it changes with every election, and differs between nodes and groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub seed: u64,
    pub node: u64,
    pub group: GroupId,
    pub term: u64,
    pub role: Role,
    pub last_index: u64,
}

impl Circumstances {
    /// Ticks in `ELECTION_TICKS_MIN..ELECTION_TICKS_MAX`.
    pub fn election_ticks(self) -> usize {
        let role = match self.role {
            Role::Follower => 0,
            Role::Candidate => 1,
            Role::Leader => 2,
        };
        let parts = [self.node, u64::from(self.group.0), self.term, role, self.last_index];
        let mixed = parts.into_iter().fold(mix(self.seed), |hash, part| mix(hash ^ part));
        let spread = (ELECTION_TICKS_MAX - ELECTION_TICKS_MIN) as u64;
        ELECTION_TICKS_MIN + usize::try_from(mixed % spread).expect("the spread of ticks is small")
    }
}

// The finaliser of splitmix64: every bit of the input moves half of the bits of the output.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(node: u64, term: u64) -> Circumstances {
        Circumstances { seed: 7, node, group: GroupId(1), term, role: Role::Follower, last_index: 9 }
    }

    #[test]
    fn the_wait_is_a_pure_function_within_its_bounds() {
        for node in 1..50 {
            for term in 0..50 {
                let ticks = at(node, term).election_ticks();
                assert!((ELECTION_TICKS_MIN..ELECTION_TICKS_MAX).contains(&ticks));
                assert_eq!(ticks, at(node, term).election_ticks());
            }
        }
    }

    #[test]
    fn two_nodes_seldom_wait_equally_long_for_ever() {
        let equal = (0..1000).filter(|term| at(1, *term).election_ticks() == at(2, *term).election_ticks()).count();
        assert!(equal < 160, "{equal} of 1000 terms would split the vote");
    }
}
