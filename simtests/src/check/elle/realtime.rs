//! Which transaction must come before which, from when they ran.

use super::dependency::Edges;
use super::graph::{GATE, Kinds, PR, RT};
use super::{Outcome, Transaction};
use std::collections::{BTreeMap, VecDeque};

/// Transactions that end together and are written out as edges; more of them go through a gate.
const FRONTIER_MAX: usize = 64;

/// Connects each committed transaction of a process with the next one.
pub(super) fn add_process_order(history: &[Transaction], edges: &mut Edges) {
    let mut last: BTreeMap<u64, usize> = BTreeMap::new();
    for to in by_invocation(history, |number| history[number].outcome == Outcome::Ok) {
        let Some(from) = last.insert(history[to].process, to) else { continue };
        if history[from].returned <= history[to].invoked {
            edges.add(from, to, PR);
        }
    }
}

/// Connects what had ended with what began afterwards, leaving out what follows from other edges.
///
/// The frontier holds what has ended and was not seen by anything that has ended since. A transaction without a known end
/// has none: nothing comes after it for that reason.
pub(super) fn add_real_time_order(history: &[Transaction], committed: &[bool], edges: &mut Edges) {
    let mut ends = by_invocation(history, |number| history[number].outcome == Outcome::Ok);
    ends.sort_by_key(|number| history[*number].returned);
    let mut ends = ends.into_iter().peekable();
    // Each with its end; of a gate the last one.
    let mut frontier: VecDeque<(usize, u64)> = VecDeque::new();
    for to in by_invocation(history, |number| committed[number]) {
        let now = history[to].invoked;
        while let Some(ended) = ends.next_if(|ended| history[*ended].returned < now) {
            let begun = history[ended].invoked;
            while frontier.pop_front_if(|(_, returned)| *returned < begun).is_some() {}
            frontier.push_back((ended, history[ended].returned));
        }
        if frontier.len() > FRONTIER_MAX {
            let gate = edges.gate();
            let last = frontier.back().map_or(0, |(_, returned)| *returned);
            frontier.drain(..).for_each(|(from, _)| edges.add(from, gate, kinds(from, history)));
            frontier.push_back((gate, last));
        }
        frontier.iter().for_each(|(from, _)| edges.add(*from, to, kinds(*from, history)));
    }
}

/// Why something follows a transaction or a gate.
fn kinds(from: usize, history: &[Transaction]) -> Kinds {
    if from < history.len() { RT } else { GATE }
}

fn by_invocation(history: &[Transaction], is_wanted: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..history.len()).filter(|number| is_wanted(*number)).collect();
    numbers.sort_by_key(|number| history[*number].invoked);
    numbers
}

#[cfg(test)]
mod tests {
    use super::super::graph::Graph;
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_frontier_says_all_that_real_time_says() {
        let mut rng = Rng::stream(1, "realtime");
        for round in 0..200 {
            // The last rounds need gates.
            let count = if round < 190 { rng.between(1, 12) } else { 300 } as usize;
            let history: Vec<_> = (0..count)
                .map(|number| {
                    let invoked = rng.below(30.max(count as u64 / 5));
                    let outcome = *rng.pick(&[Outcome::Ok, Outcome::Ok, Outcome::Info]);
                    let returned = invoked + rng.below(12);
                    let process = number as u64;
                    Transaction { process, invoked, returned, outcome, operations: Vec::new(), version: None }
                })
                .collect();
            let mut edges = Edges { nodes: count, list: Vec::new() };
            add_real_time_order(&history, &vec![true; count], &mut edges);
            let graph = Graph::new(edges.nodes, &edges.list);
            for from in 0..count {
                let mut reached = vec![false; edges.nodes];
                let mut todo = vec![from];
                while let Some(node) = todo.pop() {
                    for (to, _) in graph.from(node) {
                        if !std::mem::replace(&mut reached[*to], true) {
                            todo.push(*to);
                        }
                    }
                }
                for to in 0..count {
                    let before = history[from].outcome == Outcome::Ok && history[from].returned < history[to].invoked;
                    assert_eq!(reached[to], before, "round {round}: {from} -> {to}");
                }
            }
        }
    }
}
