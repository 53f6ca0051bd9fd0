//! Who is meant, and which links are cut: disturbances of a plan, looked up in the cluster as it stands.

use crate::plan::{Shape, Who};
use std::collections::BTreeSet;

/// From machine to machine, by their places from 0; one way.
pub type Link = (usize, usize);

/// The places that are meant, from 0, among `nodes` machines of which `leader` leads.
pub fn places(who: &Who, nodes: usize, leader: Option<usize>) -> Vec<usize> {
    match who {
        Who::Leader => vec![leader.unwrap_or(0)],
        Who::All => (0..nodes).collect(),
        Who::Nodes(numbers) => {
            let places = numbers.iter().filter_map(|number| usize::try_from(number.checked_sub(1)?).ok());
            places.filter(|place| *place < nodes).collect()
        }
    }
}

/// The links that a partition of this shape cuts.
pub fn links(shape: &Shape, nodes: usize, leader: Option<usize>) -> BTreeSet<Link> {
    let few = |who: &Who| -> BTreeSet<usize> { places(who, nodes, leader).into_iter().collect() };
    let all = || (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))).filter(|(from, to)| from != to);
    match shape {
        Shape::Split(who) => {
            let side = few(who);
            all().filter(|(from, to)| side.contains(from) != side.contains(to)).collect()
        }
        Shape::LeaderWithMinority => {
            let leader = leader.unwrap_or(0);
            // The leader and the nodes after it, one less than a majority together.
            let side: BTreeSet<usize> = (0..nodes.div_ceil(2) - 1).map(|step| (leader + step) % nodes).collect();
            all().filter(|(from, to)| side.contains(from) != side.contains(to)).collect()
        }
        Shape::Mute(who) => {
            let side = few(who);
            all().filter(|(from, to)| side.contains(from) && !side.contains(to)).collect()
        }
        Shape::Deaf(who) => {
            let side = few(who);
            all().filter(|(from, to)| !side.contains(from) && side.contains(to)).collect()
        }
        Shape::Ring => all().filter(|(from, to)| (from + 1) % nodes != *to && (to + 1) % nodes != *from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(shape: Shape) -> Vec<Link> {
        links(&shape, 5, Some(4)).into_iter().collect()
    }

    #[test]
    fn the_leader_is_left_with_less_than_a_majority() {
        let cut = cut(Shape::LeaderWithMinority);
        assert_eq!(cut.len(), 12, "two nodes and three nodes, both ways");
        assert!(!cut.contains(&(4, 0)) && !cut.contains(&(0, 4)), "nodes 5 and 1 still hear each other");
    }

    #[test]
    fn one_way_partitions_cut_one_way() {
        let mute = cut(Shape::Mute(Who::Leader));
        assert_eq!(mute, [(4, 0), (4, 1), (4, 2), (4, 3)]);
        let deaf = cut(Shape::Deaf(Who::Nodes(vec![1])));
        assert_eq!(deaf, [(1, 0), (2, 0), (3, 0), (4, 0)]);
    }

    #[test]
    fn in_a_ring_each_hears_two() {
        let cut = cut(Shape::Ring);
        assert_eq!(cut.len(), 20 - 10);
        assert!(!cut.contains(&(4, 0)));
        assert!(links(&Shape::Ring, 3, None).is_empty(), "three nodes are a ring already");
    }

    #[test]
    fn numbers_that_are_no_node_mean_nobody() {
        assert_eq!(places(&Who::Nodes(vec![0, 3, 9]), 3, None), [2]);
        assert_eq!(places(&Who::Leader, 3, None), [0]);
    }
}
