//! Which transaction must come before which, from what they read and wrote.
//!
//! Appends that nobody read come after all that were read, since every read is a beginning of the final list.

use super::graph::{Edge, GATE, Kinds, RW, WR, WW};
use super::observation::{Observation, Observed};
use super::order::{Orders, Write};

/// Edges, between transactions and gates: a gate follows many and comes before many, so that their product is never
/// written out. Gates are numbered after the transactions.
pub(super) struct Edges {
    pub(super) nodes: usize,
    pub(super) list: Vec<Edge>,
}

impl Edges {
    /// A new gate.
    pub(super) fn gate(&mut self) -> usize {
        self.nodes += 1;
        self.nodes - 1
    }

    pub(super) fn add(&mut self, from: usize, to: usize, kinds: Kinds) {
        if from != to {
            self.list.push(Edge { from, to, kinds });
        }
    }
}

/// Adds what follows from the lists.
pub(super) fn add_dependencies(orders: &Orders<'_>, observed: &Observed, edges: &mut Edges) {
    let mut by_list = observed.observations.clone();
    by_list.sort_by_key(|seen| seen.list);
    let mut rest = by_list.as_slice();
    for list in 0..orders.count() {
        let (mine, others) = rest.split_at(rest.partition_point(|seen| seen.list == list));
        rest = others;
        let writers = Writers::of(list, orders, &observed.committed);
        writers.connect(mine, edges);
        connect_unread(orders.writes(list), &observed.committed, (mine, &writers), edges);
    }
}

/// The committed writers of a list in its order.
struct Writers {
    /// For each place in the order, the last writer before it and the first from it on.
    around: Vec<(Option<usize>, Option<usize>)>,
}

impl Writers {
    fn of(list: usize, orders: &Orders<'_>, committed: &[bool]) -> Writers {
        let order = orders.order(list);
        let writer =
            |value| orders.write(list, value).map(|write| write.transaction).filter(|writer| committed[*writer]);
        let mut around = vec![(None, None); order.len() + 1];
        for place in 0..order.len() {
            around[place + 1].0 = writer(order[place]).or(around[place].0);
        }
        for place in (0..order.len()).rev() {
            around[place].1 = writer(order[place]).or(around[place + 1].1);
        }
        Writers { around }
    }

    fn last(&self) -> Option<usize> {
        self.around.last().and_then(|(before, _)| *before)
    }

    fn connect(&self, seen: &[Observation], edges: &mut Edges) {
        for (before, after) in &self.around {
            if let (Some(before), Some(after)) = (before, after) {
                edges.add(*before, *after, WW);
            }
        }
        for seen in seen {
            let (before, after) = self.around[seen.length];
            if let Some(before) = before {
                edges.add(before, seen.transaction, WR);
            }
            if let Some(after) = after {
                edges.add(seen.transaction, after, RW);
            }
        }
    }
}

/// Places the committed appends that nobody read after the rest of their list.
fn connect_unread(
    writes: &[Write],
    committed: &[bool],
    (seen, writers): (&[Observation], &Writers),
    edges: &mut Edges,
) {
    let unread = writes.iter().filter(|write| write.position.is_none() && committed[write.transaction]);
    let mut unread: Vec<usize> = unread.map(|write| write.transaction).collect();
    unread.sort_unstable();
    unread.dedup();
    if let Some(last) = writers.last() {
        unread.iter().for_each(|writer| edges.add(last, *writer, WW));
    }
    let whole = writers.around.len() - 1;
    let readers = seen.iter().filter(|seen| seen.length == whole).map(|seen| seen.transaction);
    let mut readers: Vec<usize> = readers.collect();
    readers.sort_unstable();
    let (both, writers): (Vec<usize>, Vec<usize>) =
        unread.into_iter().partition(|writer| readers.binary_search(writer).is_ok());
    // Two that both read and wrote are a cycle already: no need to connect more of them.
    for writer in both.iter().take(2) {
        readers.iter().for_each(|reader| edges.add(*reader, *writer, RW));
    }
    if !readers.is_empty() && !writers.is_empty() {
        let gate = edges.gate();
        readers.iter().for_each(|reader| edges.add(*reader, gate, RW));
        writers.iter().for_each(|writer| edges.add(gate, *writer, GATE));
    }
}
