//! Machines that do not hear each other: which links a partition cuts in the cluster as it stands.

use super::{Scene, draw_who, places};
use crate::plan::{Mischief, Shape, Who};
use crate::rng::Rng;
use std::collections::BTreeSet;

/// From machine to machine, by their places from 0; one way.
pub type Link = (usize, usize);

/// Nodes that do not hear each other.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let one = |rng: &mut Rng| if rng.chance(1, 2) { Who::Leader } else { Who::Nodes(vec![rng.between(1, nodes)]) };
    let shape = match rng.below(8) {
        0 | 1 => Shape::Split(one(rng)),
        2 => Shape::Split(draw_who(nodes, rng)),
        3 | 4 => Shape::LeaderWithMinority,
        5 => Shape::Mute(one(rng)),
        6 => Shape::Deaf(one(rng)),
        _ => Shape::Ring,
    };
    Mischief::Partition { shape }
}

/// The links that a partition of this shape cuts. Machines that are no members are on the side of the others.
pub fn links(shape: &Shape, scene: &Scene) -> BTreeSet<Link> {
    let few = |who: &Who| -> BTreeSet<usize> { places(who, scene).into_iter().collect() };
    let machines = scene.machines;
    let all = || (0..machines).flat_map(|from| (0..machines).map(move |to| (from, to))).filter(|(from, to)| from != to);
    match shape {
        Shape::Split(who) => {
            let side = few(who);
            all().filter(|(from, to)| side.contains(from) != side.contains(to)).collect()
        }
        Shape::LeaderWithMinority => {
            let members = &scene.members;
            let leader = scene.leader_or_first();
            // The leader and the members after it, one less than a majority together.
            let from_leader = members.range(leader..).chain(members.range(..leader));
            let side: BTreeSet<usize> = from_leader.take(members.len().div_ceil(2) - 1).copied().collect();
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
        Shape::Ring => {
            let members: Vec<usize> = scene.members.iter().copied().collect();
            let near = |a: usize, b: usize| (a + 1) % members.len() == b || (b + 1) % members.len() == a;
            let pairs = (0..members.len()).flat_map(|a| (0..members.len()).map(move |b| (a, b)));
            let far = pairs.filter(|(a, b)| a != b && !near(*a, *b));
            far.map(|(a, b)| (members[a], members[b])).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(machines: usize, leader: Option<usize>) -> Scene {
        Scene { machines, members: (0..machines).collect(), leader }
    }

    fn cut(shape: Shape) -> Vec<Link> {
        links(&shape, &scene(5, Some(4))).into_iter().collect()
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
        assert!(links(&Shape::Ring, &scene(3, None)).is_empty(), "three nodes are a ring already");
    }

    #[test]
    fn machines_that_are_no_members_do_not_count() {
        let scene = Scene { machines: 4, members: BTreeSet::from([0, 1, 3]), leader: Some(3) };
        let cut: Vec<Link> = links(&Shape::LeaderWithMinority, &scene).into_iter().collect();
        assert_eq!(cut, [(0, 3), (1, 3), (2, 3), (3, 0), (3, 1), (3, 2)]);
    }
}
