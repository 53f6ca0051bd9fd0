//! The cluster at the moment of a trouble: which machines there are, which of them are members, who leads.

use crate::plan::Who;
use crate::rng::Rng;
use std::collections::BTreeSet;

/// The cluster as it stands. Machines are named by their places, from 0.
#[derive(Clone, Debug)]
pub struct Scene {
    /// How many machines there are, those included that are no members.
    pub machines: usize,
    /// Those whose nodes belong to the cluster.
    pub members: BTreeSet<usize>,
    /// The one that leads.
    pub leader: Option<usize>,
}

impl Scene {
    /// The one that leads, or the first member when none does.
    pub fn leader_or_first(&self) -> usize {
        self.leader.or(self.members.first().copied()).unwrap_or(0)
    }
}

/// The machines that are meant.
pub fn places(who: &Who, scene: &Scene) -> Vec<usize> {
    match who {
        Who::Leader => vec![scene.leader_or_first()],
        Who::All => scene.members.iter().copied().collect(),
        Who::Nodes(numbers) => {
            let places = numbers.iter().filter_map(|number| usize::try_from(number.checked_sub(1)?).ok());
            places.filter(|place| *place < scene.machines).collect()
        }
    }
}

/// Some of so many nodes.
pub fn draw_who(nodes: u64, rng: &mut Rng) -> Who {
    match rng.below(4) {
        0 => Who::Leader,
        1 => Who::Nodes(vec![rng.between(1, nodes)]),
        _ => {
            let mut some: Vec<u64> = (1..=nodes).filter(|_| rng.chance(1, 2)).collect();
            if some.is_empty() {
                some.push(rng.between(1, nodes));
            }
            Who::Nodes(some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_node_mean_nobody() {
        let scene = Scene { machines: 3, members: BTreeSet::from([0, 1, 2]), leader: None };
        assert_eq!(places(&Who::Nodes(vec![0, 3, 9]), &scene), [2]);
        assert_eq!(places(&Who::Leader, &scene), [0]);
    }

    #[test]
    fn all_are_the_members() {
        let scene = Scene { machines: 4, members: BTreeSet::from([1, 3]), leader: None };
        assert_eq!(places(&Who::All, &scene), [1, 3]);
        assert_eq!(places(&Who::Leader, &scene), [1]);
    }
}
