//! What the server counts, in Prometheus's form, and beside it what each operation took. Counting a request for Prometheus
//! takes no lock that another kind of request holds.

use crate::operations::Operations;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use vivarium_consensus::{Node, Role};
use vivarium_schema::Code;

/// From 50 µs, doubling, to about 26 s: beyond the longest operation that is allowed by default.
const DURATION_SECONDS_FIRST: f64 = 50e-6;
const DURATION_BUCKETS: u16 = 20;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    /// Requests to the data plane.
    pub requests: Counters,
    /// Connections that are open.
    pub connections: Gauge,
    /// What each operation of the data plane took; has no place among Prometheus's labels, which are to be few.
    pub operations: Arc<Operations>,
    node: NodeGauges,
    raft: RaftGauges,
}

/// Counts of the data plane.
#[derive(Clone)]
pub struct Counters {
    queries: Histogram,
    mutations: Histogram,
    errors: Family<ErrorLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// Copied from the node's status whenever somebody asks.
#[derive(Default)]
struct NodeGauges {
    leader: Gauge,
    term: Gauge,
    last_index: Gauge,
    committed_index: Gauge,
    applied_index: Gauge,
    version: Gauge,
    log_bytes: Gauge,
    store_bytes: Gauge,
    documents: Gauge,
    cache_hits: Gauge,
    cache_misses: Gauge,
    stopped: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabels {
    role: &'static str,
}

/// How it stands between the node and its cluster, taken whenever somebody asks.
#[derive(Default)]
struct RaftGauges {
    role: Family<RoleLabels, Gauge>,
    term: Gauge,
    leader_known: Gauge,
    lag_entries: Gauge,
    follower_lag_entries_max: Gauge,
    voters: Gauge,
    peers: Gauge,
    peers_connected: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("vivarium");
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "The release that runs, always 1", build);

        let durations = Family::<OperationLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(DURATION_SECONDS_FIRST, 2.0, DURATION_BUCKETS))
        });
        // Each in a statement of its own: what `get_or_create` gives holds the family's lock until the statement ends.
        let queries = durations.get_or_create_owned(&OperationLabels { operation: "query" });
        let mutations = durations.get_or_create_owned(&OperationLabels { operation: "mutation" });
        let requests = Counters { queries, mutations, errors: Family::default() };
        registry.register("request_duration_seconds", "Time to execute operations, by kind", durations);
        registry.register("request_errors", "Errors in answers, by code", requests.errors.clone());

        let connections = Gauge::default();
        registry.register("connections", "Connections that are open", connections.clone());
        let node = NodeGauges::default();
        node.register(registry.sub_registry_with_prefix("node"));
        let raft = RaftGauges::default();
        raft.register(registry.sub_registry_with_prefix("raft"));
        Metrics { registry, requests, connections, operations: Arc::default(), node, raft }
    }
}

impl Metrics {
    /// The text of all metrics, the node's taken now.
    pub fn encode(&self, node: &Node) -> String {
        self.node.take(node);
        self.raft.take(node);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes everything");
        text
    }
}

impl Counters {
    /// Counts an operation that was executed or refused by the database.
    pub fn answered(&self, mutation: bool, elapsed: Duration, errors: &[Code]) {
        let histogram = if mutation { &self.mutations } else { &self.queries };
        histogram.observe(elapsed.as_secs_f64());
        for code in errors {
            self.refused(*code);
        }
    }

    /// Counts an error.
    pub fn refused(&self, code: Code) {
        self.errors.get_or_create(&ErrorLabels { code: name(code) }).inc();
    }
}

/// The code as clients see it.
fn name(code: Code) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a code is written as a string, not as {other:?}"),
    }
}

impl RaftGauges {
    fn register(&self, registry: &mut Registry) {
        registry.register("role", "1 for the role that this node has", self.role.clone());
        let gauges = [
            ("term", "The Raft term", &self.term),
            ("leader_known", "1 when this node knows who leads", &self.leader_known),
            ("lag_entries", "Entries known to be committed that are not applied here", &self.lag_entries),
            (
                "follower_lag_entries_max",
                "Entries that the follower furthest behind lacks; 0 when this node does not lead",
                &self.follower_lag_entries_max,
            ),
            ("voters", "Nodes that vote", &self.voters),
            ("peers", "Other nodes of the cluster", &self.peers),
            ("peers_connected", "Other nodes that a connection of this node reaches", &self.peers_connected),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }

    fn take(&self, node: &Node) {
        let status = node.status();
        // None while the node is opened again.
        let members = node.members().unwrap_or_default();
        let others = || members.iter().filter(|member| member.node != status.node);
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (role, name) in [(Role::Leader, "leader"), (Role::Follower, "follower"), (Role::Candidate, "candidate")] {
            self.role.get_or_create(&RoleLabels { role: name }).set(i64::from(status.role == role));
        }
        self.term.set(number(status.term));
        self.leader_known.set(i64::from(status.leader.is_some()));
        self.lag_entries.set(number(status.committed_index.saturating_sub(status.applied_index)));
        let least = others().filter_map(|member| member.matched_index).min();
        self.follower_lag_entries_max.set(least.map_or(0, |least| number(status.last_index.saturating_sub(least))));
        self.voters.set(number(status.voters.len() as u64));
        self.peers.set(number(others().count() as u64));
        self.peers_connected.set(number(
            others().filter(|member| member.connection.as_ref().is_some_and(|connection| connection.connected)).count()
                as u64,
        ));
    }
}

impl NodeGauges {
    fn register(&self, registry: &mut Registry) {
        let gauges = [
            ("leader", "1 when this node orders commits", &self.leader),
            ("term", "The Raft term", &self.term),
            ("last_index", "The last entry in the log", &self.last_index),
            ("committed_index", "The last entry that a majority has", &self.committed_index),
            ("applied_index", "The last entry that is applied", &self.applied_index),
            ("version", "The newest commit that can be read", &self.version),
            ("log_bytes", "Bytes of log on disk", &self.log_bytes),
            ("store_bytes", "Bytes of store on disk", &self.store_bytes),
            ("documents", "Documents kept, approximately", &self.documents),
            ("cache_hits", "Reads answered from memory since the start", &self.cache_hits),
            ("cache_misses", "Reads that went to tables since the start", &self.cache_misses),
            ("stopped", "1 when the node stopped by itself", &self.stopped),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }

    fn take(&self, node: &Node) {
        let status = node.status();
        let usage = node.store().map(|store| store.usage()).unwrap_or_default();
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.leader.set(i64::from(status.role == Role::Leader));
        self.term.set(number(status.term));
        self.last_index.set(number(status.last_index));
        self.committed_index.set(number(status.committed_index));
        self.applied_index.set(number(status.applied_index));
        self.version.set(number(status.version.0));
        self.log_bytes.set(number(status.log_bytes));
        self.store_bytes.set(number(status.store_bytes));
        self.documents.set(number(usage.documents));
        self.cache_hits.set(number(usage.cache_hits));
        self.cache_misses.set(number(usage.cache_misses));
        self.stopped.set(i64::from(status.stopped.is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_kind_and_code() {
        let metrics = Metrics::default();
        metrics.requests.answered(true, Duration::from_millis(3), &[Code::UniqueViolation]);
        metrics.requests.answered(false, Duration::from_micros(60), &[]);
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        assert!(text.contains("vivarium_request_duration_seconds_count{operation=\"mutation\"} 1"), "{text}");
        assert!(
            text.contains("vivarium_request_duration_seconds_bucket{le=\"0.0001\",operation=\"query\"} 1"),
            "{text}"
        );
        assert!(text.contains("vivarium_request_errors_total{code=\"UNIQUE_VIOLATION\"} 1"), "{text}");
    }
}
