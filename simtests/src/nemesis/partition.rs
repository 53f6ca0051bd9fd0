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
    let shape = match rng.below(10) {
        0 | 1 => Shape::Split(one(rng)),
        2 => Shape::Split(draw_who(nodes, rng)),
        3 | 4 => Shape::LeaderWithMinority,
        5 => Shape::Mute(one(rng)),
        6 => Shape::Deaf(one(rng)),
        7 => Shape::Bridge(one(rng)),
        8 => Shape::Link { from: rng.between(1, nodes), to: rng.between(1, nodes), both_ways: rng.chance(1, 2) },
        _ => Shape::Ring,
    };
    Mischief::Partition { shape }
}

/// Nodes that are cut off one after the other, and come back in another order: when each begins, and how long it lasts.
///
/// As FoundationDB does it ("swizzle-clogging").
pub fn draw_swizzle(nodes: u64, rng: &mut Rng) -> Vec<(u64, u64, Mischief)> {
    let step_ms = rng.spread(20, 2000);
    let mut leaving: Vec<u64> = (1..=nodes).filter(|_| rng.chance(2, 3)).collect();
    let mut coming = leaving.clone();
    shuffle(&mut leaving, rng);
    shuffle(&mut coming, rng);
    let count = leaving.len() as u64;
    let cut_off = |(place, node): (u64, u64)| {
        let back = coming.iter().position(|other| *other == node).unwrap_or(0) as u64;
        let (begins, ends) = (place * step_ms, (count + back) * step_ms);
        (begins, ends - begins, Mischief::Partition { shape: Shape::Split(Who::Nodes(vec![node])) })
    };
    (0..).zip(leaving).map(cut_off).collect()
}

fn shuffle(numbers: &mut [u64], rng: &mut Rng) {
    for place in (1..numbers.len()).rev() {
        numbers.swap(place, rng.below(place as u64 + 1) as usize);
    }
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
        Shape::Bridge(who) => {
            let bridge = few(who);
            let shores: Vec<usize> = (0..machines).filter(|place| !bridge.contains(place)).collect();
            let one: BTreeSet<usize> = shores.iter().take(shores.len() / 2).copied().collect();
            let on_bridge = |place: &usize| bridge.contains(place);
            let apart = all().filter(|(from, to)| one.contains(from) != one.contains(to));
            apart.filter(|(from, to)| !on_bridge(from) && !on_bridge(to)).collect()
        }
        Shape::Link { from, to, both_ways } => {
            let is = |place: usize, number: u64| place as u64 + 1 == number;
            let meant = |a: usize, b: usize| is(a, *from) && is(b, *to);
            all().filter(|(a, b)| meant(*a, *b) || (*both_ways && meant(*b, *a))).collect()
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
    fn over_a_bridge_both_shores_are_heard() {
        let cut = cut(Shape::Bridge(Who::Leader));
        assert_eq!(cut, [(0, 2), (0, 3), (1, 2), (1, 3), (2, 0), (2, 1), (3, 0), (3, 1)]);
    }

    #[test]
    fn one_link_is_one_link() {
        assert_eq!(cut(Shape::Link { from: 1, to: 3, both_ways: false }), [(0, 2)]);
        assert_eq!(cut(Shape::Link { from: 1, to: 3, both_ways: true }), [(0, 2), (2, 0)]);
        assert!(cut(Shape::Link { from: 2, to: 2, both_ways: true }).is_empty());
    }

    #[test]
    fn in_a_swizzle_all_are_cut_off_before_the_first_comes_back() {
        for seed in 0..50 {
            let swizzle = draw_swizzle(5, &mut Rng::stream(seed, "swizzle"));
            let last_begins = swizzle.iter().map(|(begins, ..)| *begins).max().unwrap_or(0);
            assert!(swizzle.iter().all(|(begins, lasts, _)| begins + lasts >= last_begins));
        }
    }

    #[test]
    fn machines_that_are_no_members_do_not_count() {
        let scene = Scene { machines: 4, members: BTreeSet::from([0, 1, 3]), leader: Some(3) };
        let cut: Vec<Link> = links(&Shape::LeaderWithMinority, &scene).into_iter().collect();
        assert_eq!(cut, [(0, 3), (1, 3), (2, 3), (3, 0), (3, 1), (3, 2)]);
    }
}
