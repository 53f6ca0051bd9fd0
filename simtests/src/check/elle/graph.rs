//! A directed graph whose edges say in a bit mask why they are there. Nothing here recurses.

/// Kinds of edges, as bits.
pub(super) type Kinds = u8;
/// Append, then the next append to the same list.
pub(super) const WW: Kinds = 1;
/// Append, then a read that shows it.
pub(super) const WR: Kinds = 2;
/// A read, then an append that it does not show.
pub(super) const RW: Kinds = 4;
/// One after the other in one process.
pub(super) const PR: Kinds = 8;
/// Ended before the other began.
pub(super) const RT: Kinds = 16;
/// From a gate on: a node that stands for many RW edges. See [`super::dependency`].
pub(super) const GATE: Kinds = 32;

/// An edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub from: usize,
    pub to: usize,
    pub kinds: Kinds,
}

/// A graph; at most one edge leads from one node to another, none from a node to itself.
#[derive(Debug)]
pub(super) struct Graph {
    /// Where the edges of each node begin, and where those of the last end.
    starts: Vec<usize>,
    edges: Vec<(usize, Kinds)>,
}

impl Graph {
    /// A graph of so many nodes. Edges from a node to itself are left out.
    pub(super) fn new(nodes: usize, list: &[Edge]) -> Graph {
        let mut starts = vec![0; nodes + 1];
        let edges = || list.iter().filter(|edge| edge.from != edge.to);
        for edge in edges() {
            starts[edge.from + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut unmerged = vec![(0, 0); starts[nodes]];
        let mut next = starts.clone();
        for edge in edges() {
            unmerged[next[edge.from]] = (edge.to, edge.kinds);
            next[edge.from] += 1;
        }
        let mut graph = Graph { starts: vec![0], edges: Vec::with_capacity(unmerged.len()) };
        for node in 0..nodes {
            let mine = &mut unmerged[starts[node]..starts[node + 1]];
            mine.sort_unstable();
            let begin = graph.edges.len();
            for (to, kinds) in mine {
                match graph.edges[begin..].last_mut() {
                    Some(last) if last.0 == *to => last.1 |= *kinds,
                    _ => graph.edges.push((*to, *kinds)),
                }
            }
            graph.starts.push(graph.edges.len());
        }
        graph
    }

    pub(super) fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where the edges from a node lead, and why.
    pub(super) fn from(&self, node: usize) -> &[(usize, Kinds)] {
        &self.edges[self.starts[node]..self.starts[node + 1]]
    }

    /// All edges.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge> {
        (0..self.nodes())
            .flat_map(|from| self.from(from).iter().map(move |(to, kinds)| Edge { from, to: *to, kinds: *kinds }))
    }

    /// Why one node leads to another.
    pub(super) fn kinds(&self, from: usize, to: usize) -> Kinds {
        let edges = self.from(from);
        edges.binary_search_by_key(&to, |edge| edge.0).map_or(0, |at| edges[at].1)
    }

    /// The nodes that can reach each other along edges of some kinds: every set of two or more, each in rising order.
    ///
    /// Tarjan's algorithm with a stack of its own.
    pub(super) fn knots(&self, mask: Kinds) -> Vec<Vec<usize>> {
        const UNSEEN: usize = usize::MAX;
        let nodes = self.nodes();
        let (mut index, mut low) = (vec![UNSEEN; nodes], vec![0; nodes]);
        let mut is_open = vec![false; nodes];
        let (mut open, mut calls, mut knots) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        for root in 0..nodes {
            if index[root] != UNSEEN {
                continue;
            }
            calls.push((root, self.starts[root]));
            while let Some((node, at)) = calls.last_mut() {
                let node = *node;
                if index[node] == UNSEEN {
                    (index[node], low[node]) = (count, count);
                    count += 1;
                    open.push(node);
                    is_open[node] = true;
                }
                let Some((to, kinds)) = self.edges[..self.starts[node + 1]].get(*at) else {
                    calls.pop();
                    if let Some((parent, _)) = calls.last() {
                        low[*parent] = low[*parent].min(low[node]);
                    }
                    if low[node] == index[node] {
                        close(node, &mut open, &mut is_open, &mut knots);
                    }
                    continue;
                };
                *at += 1;
                if kinds & mask == 0 {
                    continue;
                }
                if index[*to] == UNSEEN {
                    calls.push((*to, self.starts[*to]));
                } else if is_open[*to] {
                    low[node] = low[node].min(index[*to]);
                }
            }
        }
        knots
    }

    /// The graph among some nodes, given in rising order; they are numbered anew in it.
    pub(super) fn among(&self, nodes: &[usize]) -> Graph {
        let mut list = Vec::new();
        for (from, node) in nodes.iter().enumerate() {
            for (to, kinds) in self.from(*node) {
                if let Ok(to) = nodes.binary_search(to) {
                    list.push(Edge { from, to, kinds: *kinds });
                }
            }
        }
        Graph::new(nodes.len(), &list)
    }
}

/// Takes a finished component off the stack.
fn close(first: usize, open: &mut Vec<usize>, is_open: &mut [bool], knots: &mut Vec<Vec<usize>>) {
    let begin = open.iter().rposition(|node| *node == first).expect("an open node is on the stack");
    let mut knot = open.split_off(begin);
    for node in &knot {
        is_open[*node] = false;
    }
    if knot.len() > 1 {
        knot.sort_unstable();
        knots.push(knot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn graph(nodes: usize, edges: &[(usize, usize, Kinds)]) -> Graph {
        let list: Vec<_> = edges.iter().map(|(from, to, kinds)| Edge { from: *from, to: *to, kinds: *kinds }).collect();
        Graph::new(nodes, &list)
    }

    #[test]
    fn edges_merge_their_kinds() {
        let graph = graph(2, &[(0, 1, WW), (0, 1, RT), (0, 0, WR)]);
        assert_eq!(graph.edges().collect::<Vec<_>>(), [Edge { from: 0, to: 1, kinds: WW | RT }]);
        assert_eq!(graph.kinds(0, 1), WW | RT);
        assert_eq!(graph.kinds(1, 0), 0);
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let mut edges: Vec<_> = (0..200_000).map(|node| (node, node + 1, WW)).collect();
        edges.push((200_000, 0, RT));
        let graph = graph(200_001, &edges);
        assert!(graph.knots(WW).is_empty());
        assert_eq!(graph.knots(WW | RT)[0].len(), 200_001);
    }

    #[test]
    fn knots_are_what_reaches_itself() {
        let mut rng = Rng::stream(1, "graph");
        for _ in 0..300 {
            let nodes = rng.between(1, 9) as usize;
            let edges: Vec<_> = (0..rng.below(20))
                .map(|_| (rng.below(nodes as u64) as usize, rng.below(nodes as u64) as usize, *rng.pick(&[WW, RW])))
                .collect();
            let mut reaches = vec![vec![false; nodes]; nodes];
            edges.iter().filter(|(_, _, kinds)| *kinds == WW).for_each(|(from, to, _)| reaches[*from][*to] = true);
            for middle in 0..nodes {
                for from in 0..nodes {
                    for to in 0..nodes {
                        reaches[from][to] |= reaches[from][middle] && reaches[middle][to];
                    }
                }
            }
            let mut expected: Vec<Vec<usize>> = (0..nodes)
                .map(|node| (0..nodes).filter(|other| reaches[node][*other] && reaches[*other][node]).collect())
                .filter(|knot: &Vec<usize>| knot.len() > 1)
                .collect();
            expected.sort();
            expected.dedup();
            let mut knots = graph(nodes, &edges).knots(WW);
            knots.sort();
            assert_eq!(knots, expected, "{edges:?}");
        }
    }
}
