//! Names the cycles of a graph: the weakest shape first, with as little beside data as it takes.
//!
//! That there is a cycle is exact. Which of several in one knot is named is best effort, within a bound on the search.

use super::anomaly::Found;
use super::graph::{GATE, Graph, Kinds, PR, RT, RW, WR, WW};
use super::order::Orders;
use super::words;
use super::{Class, Cycle, Through, Transaction};
use std::collections::VecDeque;

/// Edges that one search may walk before it takes what it has: a second at most for all searches of a knot.
const SEARCHED_EDGES_MAX: u64 = 2_000_000;

/// What a cycle may go through beside data, weakest first.
const THROUGH: [Kinds; 3] = [0, PR, PR | RT];

/// Finds a shortest cycle in each knot of a graph, and says what it is.
pub(super) fn classify(graph: &Graph, history: &[Transaction], orders: &Orders<'_>, found: &mut Found) {
    for knot in graph.knots(WW | WR | RW | PR | RT | GATE) {
        let among = graph.among(&knot);
        for cycle in cycles(&among) {
            let steps: Vec<Step> = cycle.into_iter().map(|step| step.renumbered(&knot)).collect();
            let steps = without_gates(steps, history.len());
            let sentence = |step| words::sentence(step, history, orders);
            let told = || (steps.iter().map(|step| step.from).collect(), steps.iter().map(sentence).collect());
            found.tell(class(&steps), steps.len(), told);
        }
    }
}

/// One edge of a cycle and why it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub from: usize,
    pub to: usize,
    pub kind: Kinds,
}

impl Step {
    fn renumbered(self, names: &[usize]) -> Step {
        Step { from: names[self.from], to: names[self.to], kind: self.kind }
    }
}

/// Joins what leads into a gate with what leads out of it.
fn without_gates(mut steps: Vec<Step>, transactions: usize) -> Vec<Step> {
    let begin = steps.iter().position(|step| step.from < transactions).expect("no cycle is of gates only");
    steps.rotate_left(begin);
    let mut joined: Vec<Step> = Vec::new();
    for step in steps {
        match joined.last_mut() {
            Some(last) if step.kind == GATE => last.to = step.to,
            _ => joined.push(step),
        }
    }
    joined
}

/// What a cycle is, from its steps alone.
fn class(steps: &[Step]) -> Class {
    let has = |kind| steps.iter().any(|step| step.kind == kind);
    let through = if has(RT) {
        Through::RealTime
    } else if has(PR) {
        Through::Process
    } else {
        Through::Data
    };
    let misses = steps.iter().filter(|step| step.kind == RW).count();
    let after = steps.iter().cycle().skip(1);
    let adjacent = steps.iter().zip(after).any(|(step, next)| step.kind == RW && next.kind == RW);
    let cycle = match misses {
        0 if has(WR) => Cycle::G1c,
        0 => Cycle::G0,
        1 => Cycle::GSingle,
        _ if adjacent => Cycle::G2Item,
        _ => Cycle::GNonadjacent,
    };
    Class::Cycle(cycle, through)
}

/// The cycles worth telling of a knot: the weakest shape in data alone, and weaker ones that need more than data.
fn cycles(graph: &Graph) -> Vec<Vec<Step>> {
    let mut cycles = Vec::new();
    let mut shapes: &[Cycle] = &[Cycle::G0, Cycle::G1c, Cycle::GSingle, Cycle::GNonadjacent, Cycle::G2Item];
    for through in THROUGH {
        let found = shapes.iter().position(|shape| match shortest(graph, *shape, through) {
            Some(cycle) => {
                cycles.push(cycle);
                true
            }
            None => false,
        });
        if let Some(weakest) = found {
            shapes = &shapes[..weakest];
        }
    }
    assert!(!cycles.is_empty(), "what reaches itself does so in a cycle");
    cycles
}

/// A shortest cycle of a shape, or a short one where there is much to search.
fn shortest(graph: &Graph, shape: Cycle, through: Kinds) -> Option<Vec<Step>> {
    let dependency = WW | WR | GATE | through;
    let (mask, first, no_two_misses) = match shape {
        Cycle::G0 => (WW | through, WW | through, false),
        Cycle::G1c => (dependency, WR, false),
        Cycle::GSingle => (dependency, RW, false),
        Cycle::GNonadjacent => (dependency | RW, RW, true),
        Cycle::G2Item => (dependency | RW, RW, false),
    };
    // The first edge has to lie in a knot of what may be used: elsewhere no search is needed.
    let mut knot = vec![0; graph.nodes()];
    for (number, nodes) in graph.knots(mask | first).into_iter().enumerate() {
        nodes.into_iter().for_each(|node| knot[node] = number + 1);
    }
    let mut search = Search::new(graph, mask, no_two_misses);
    let mut best: Option<Vec<Step>> = None;
    for edge in graph.edges() {
        if edge.kinds & first == 0 || knot[edge.from] == 0 || knot[edge.from] != knot[edge.to] {
            continue;
        }
        let Some(nodes) = search.path(edge.to, edge.from) else { continue };
        if best.as_ref().is_none_or(|best| nodes.len() < best.len()) {
            best = Some(steps(graph, &nodes, mask, first));
        }
        // A cycle of two cannot be shortened.
        if search.walked > SEARCHED_EDGES_MAX || best.as_ref().is_some_and(|best| best.len() == 2) {
            break;
        }
    }
    best
}

/// The steps of a cycle: from the last of some nodes to the first for one of the kinds `first`, then along all of them.
fn steps(graph: &Graph, nodes: &[usize], mask: Kinds, first: Kinds) -> Vec<Step> {
    let weakest = |kinds: Kinds| {
        let order = [WW, WR, PR, RT, RW, GATE];
        order.into_iter().find(|kind| kinds & kind != 0).expect("the search took this edge for a reason")
    };
    let begin = [nodes[nodes.len() - 1], nodes[0]];
    let begin = Step { from: begin[0], to: begin[1], kind: weakest(graph.kinds(begin[0], begin[1]) & first) };
    let rest = nodes.array_windows().map(|[from, to]| {
        let kind = weakest(graph.kinds(*from, *to) & mask);
        Step { from: *from, to: *to, kind }
    });
    std::iter::once(begin).chain(rest).collect()
}

/// Searches paths breadth first. A place is a node, and whether it was reached by missing a write.
struct Search<'g> {
    graph: &'g Graph,
    mask: Kinds,
    no_two_misses: bool,
    walked: u64,
    round: u32,
    /// For each place: in which round it was reached, and from where.
    reached: Vec<(u32, usize)>,
    todo: VecDeque<usize>,
}

impl Search<'_> {
    fn new(graph: &Graph, mask: Kinds, no_two_misses: bool) -> Search<'_> {
        let reached = vec![(0, 0); graph.nodes() * 2];
        Search { graph, mask, no_two_misses, walked: 0, round: 0, reached, todo: VecDeque::new() }
    }

    /// The nodes from one to another, both included. The edge before the first one was a missed write, if that matters.
    fn path(&mut self, from: usize, to: usize) -> Option<Vec<usize>> {
        self.round += 1;
        let start = from * 2 + usize::from(self.no_two_misses);
        self.reached[start] = (self.round, start);
        self.todo.clear();
        self.todo.push_back(start);
        while let Some(place) = self.todo.pop_front() {
            let (node, missed) = (place / 2, place % 2);
            for (next, kinds) in self.graph.from(node) {
                self.walked += 1;
                let kinds = kinds & self.mask;
                let next_place = match (kinds & !RW != 0, kinds & RW != 0, self.no_two_misses) {
                    // Behind a gate the miss that led into it is still the last step.
                    (true, _, true) if kinds == GATE => next * 2 + missed,
                    (true, _, _) => next * 2,
                    (false, true, true) if missed == 1 => continue,
                    (false, true, rule) => next * 2 + usize::from(rule),
                    (false, false, _) => continue,
                };
                if self.reached[next_place].0 == self.round {
                    continue;
                }
                self.reached[next_place] = (self.round, place);
                if *next != to {
                    self.todo.push_back(next_place);
                } else if next_place % 2 == 0 {
                    return Some(self.back(next_place, start));
                }
            }
        }
        None
    }

    fn back(&self, mut place: usize, start: usize) -> Vec<usize> {
        let mut nodes = vec![place / 2];
        while place != start {
            place = self.reached[place].1;
            nodes.push(place / 2);
        }
        nodes.reverse();
        nodes
    }
}
