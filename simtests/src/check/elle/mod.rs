//! Strict serializability of histories of list appends, found as Elle finds it: from what was read, without trusting
//! versions.
//!
//! A list shows the order of its appends, so orders are observed, not guessed: the verdict is exact.

mod anomaly;
mod classify;
mod dependency;
mod graph;
mod observation;
mod order;
mod realtime;
mod replay;
#[cfg(test)]
mod toy;
mod transaction;
mod words;

pub use anomaly::{Anomaly, Class, Cycle, Through};
pub use replay::replay;
pub use transaction::{Key, MicroOperation, Outcome, Transaction, Value};

use anomaly::Found;
use dependency::Edges;
use observation::Observed;
use order::Orders;

/// All classes of anomalies in a history, each with one example; none means strictly serializable.
///
/// Takes O(V + E) while the history is clean.
pub fn check(history: &[Transaction]) -> Vec<Anomaly> {
    let mut found = Found::default();
    let orders = Orders::new(history, &mut found);
    let observed = Observed::new(history, &orders, &mut found);
    orders.check_dirty_updates(history, &mut found);
    observed.check_lost_updates(history, &orders, &mut found);
    let mut edges = Edges { nodes: history.len(), list: Vec::new() };
    dependency::add_dependencies(&orders, &observed, &mut edges);
    realtime::add_process_order(history, &mut edges);
    realtime::add_real_time_order(history, &observed.committed, &mut edges);
    let graph = graph::Graph::new(edges.nodes, &edges.list);
    classify::classify(&graph, history, &orders, &mut found);
    found.into_anomalies()
}

#[cfg(test)]
#[path = "elle_test.rs"]
mod tests;
