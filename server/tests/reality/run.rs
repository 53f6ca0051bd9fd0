//! One run: real nodes, clients that work, something that goes wrong; then quiet, an audit of every node, the checkers.

use super::client::Client;
use super::harness::cluster::{Cluster, post, until};
use super::record::{Caller, Keeper, Record};
use serde_json::json;
use std::time::{Duration, Instant};
use vivarium_simtests::answer::Disk;
use vivarium_simtests::check::content::{self, Repeated};
use vivarium_simtests::check::model::State;
use vivarium_simtests::check::{Violation, dump, oracles};
use vivarium_simtests::history::{End, History};
use vivarium_simtests::manners::Manners;
use vivarium_simtests::rng::Rng;
use vivarium_simtests::workload::{Action, Step, Workload};

/// A healthy node answers in this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Writes, and reads after them, that each node of a healed cluster must answer.
const PROBES: usize = 3;
/// Fewer calls that were done prove nothing.
const DONE_MIN: u64 = 20;

/// Which workloads run at once, on one schema, and with how many clients each.
#[derive(Clone, Copy)]
pub struct Load {
    pub name: &'static str,
    pub workloads: &'static [Workload],
    pub clients: u64,
    /// Of each client. The audit reads everything in one page of each collection, which they never fill.
    pub steps: u64,
}

/// One of everything.
pub const MIXED: Load = Load { name: "mixed", workloads: &[Workload::Mixed], clients: 4, steps: 220 };
/// The workloads with checkers of their own.
pub const TASKS: Load = Load {
    name: "tasks",
    workloads: &[Workload::Append, Workload::Bank, Workload::Register, Workload::Set],
    clients: 2,
    steps: 220,
};

/// Every load of the long run, in turn. A schema that changes meanwhile is left to the simulation.
pub const ALL: [Load; 7] = [
    MIXED,
    TASKS,
    of_rows("index", &[Workload::Index]),
    of_rows("pagination", &[Workload::Pagination]),
    of_rows("unique", &[Workload::Unique]),
    of_rows("relation", &[Workload::Relation]),
    of_rows("counter", &[Workload::Counter]),
];

const fn of_rows(name: &'static str, workloads: &'static [Workload]) -> Load {
    Load { name, workloads, clients: 4, steps: 100 }
}

impl Load {
    pub fn schema(self) -> &'static str {
        self.workloads[0].schema()
    }

    /// Each client's number, the word before its keys, and its steps.
    fn draw(self, seed: u64) -> Vec<(u64, String, Vec<Step>)> {
        let clients = self.workloads.iter().flat_map(|workload| (1..=self.clients).map(move |nth| (*workload, nth)));
        let client = |(number, (workload, nth)): (u64, (Workload, u64))| {
            let word = workload.word();
            // Alone it keeps its keys, by which its checker may know what followed what.
            let prefix = if self.workloads.len() > 1 { format!("{word}-") } else { String::new() };
            let mut rng = Rng::stream(seed, &format!("workload/{word}/c{nth}"));
            (number, prefix, workload.draw(nth, self.steps, &mut rng))
        };
        (1..).zip(clients).map(client).collect()
    }
}

/// A run of a cluster.
pub struct Run<'a> {
    pub cluster: &'a Cluster,
    pub record: &'a Record,
    pub load: Load,
    pub seed: u64,
    /// Over so long the steps of the clients are spread out.
    pub span: Duration,
    /// Whether nodes may say that they are in trouble of their own.
    pub disk: Disk,
}

impl Run<'_> {
    /// Clients work while `act` does what it does; then all their calls end.
    pub fn during(&self, act: impl FnOnce()) {
        let clients = self.load.draw(self.seed);
        std::thread::scope(|scope| {
            for (number, prefix, steps) in clients {
                let manners = Manners::new(number, self.cluster.site.nodes as u64, self.seed);
                let (cluster, record, disk) = (self.cluster, self.record, self.disk);
                let client = Client { cluster, record, number, prefix, manners, disk };
                scope.spawn(move || client.run(&steps, self.span));
            }
            // Also when it panics, or the clients would go on.
            let _end = Keeper(self.record);
            act();
        });
        self.record.note("the clients are done");
    }

    /// All nodes agree on a leader, and each of them writes and reads.
    pub fn recover(&self) {
        let all: Vec<usize> = (1..=self.cluster.site.nodes).collect();
        let since = Instant::now();
        for node in &all {
            self.cluster.ready(*node);
        }
        let leader = self.cluster.leader(&all);
        self.record.note(&format!("all are ready after {} ms, node {leader} leads", since.elapsed().as_millis()));
    }

    /// Each node writes and reads. `round` tells these probes from others.
    pub fn probe(&self, round: usize) {
        let workload = self.load.workloads[0];
        for node in 1..=self.cluster.site.nodes {
            for number in 0..PROBES {
                let number = ((round * self.cluster.site.nodes + node) * PROBES + number) as u64;
                self.insist(node, Some(format!("probe-{number}")), workload.probe(number));
                self.insist(node, None, workload.look());
            }
        }
    }

    /// Makes a call through a node until it is done.
    fn insist(&self, node: usize, key: Option<String>, action: Action) {
        let step = Step::at_once(key, action);
        let caller = Caller { client: 0, patience: PATIENCE, disk: Disk::Sound };
        until("a healthy node answers", || {
            let end = self.record.call(&self.cluster.way(node)?, caller, &step);
            assert!(!matches!(end, End::Refused(_)), "{step:?}: {end:?}");
            matches!(end, End::Done { .. }).then_some(())
        });
    }

    /// Everything that was told is there, through every node, and each index says what the documents say.
    pub fn audit(&self) {
        for node in 1..=self.cluster.site.nodes {
            let audited = self.audit_node(node);
            audited.unwrap_or_else(|violation| panic!("node {node}: {violation}"));
        }
        self.record.note("every node was audited");
    }

    fn audit_node(&self, node: usize) -> Result<(), Violation> {
        let known = self.record.known();
        self.verify(node);
        let (version, found) = self.read_all(node)?;
        content::check_told(&known, version)?;
        let mut repeated = Repeated::new();
        for (key, action) in &known.open {
            let end = self.repeat(node, key, action);
            if let End::Done { reply, .. } | End::Refused(reply) = end {
                repeated.push((key.clone(), action.clone(), reply));
            }
        }
        content::check(&known, version, &found, &repeated)
    }

    fn verify(&self, node: usize) {
        let body = json!({ "query": "{ verify { problems } }" });
        let reply = post(&self.cluster.way(node).unwrap(), "/admin/graphql", &[], &body, PATIENCE).unwrap();
        assert_eq!(reply.json()["data"]["verify"]["problems"], json!([]), "node {node}: {}", reply.text());
    }

    fn read_all(&self, node: usize) -> Result<(u64, State), Violation> {
        let document = dump::document(self.load.workloads[0]);
        let body = json!({ "query": document });
        let reply = post(&self.cluster.way(node).unwrap(), "/graphql", &[], &body, PATIENCE).unwrap();
        let answer = reply.json();
        assert!(answer.get("errors").is_none(), "node {node}: {answer}");
        let version = reply.header("vivarium-version").and_then(|version| version.parse().ok());
        let version = version.ok_or_else(|| Violation::new("state", "no-version", "a read names no version"))?;
        let state = dump::state(&answer["data"]).map_err(|detail| Violation::new("state", "inconsistent", detail))?;
        Ok((version, state))
    }

    /// Sends a mutation that had no answer again, under its key, until it has one.
    fn repeat(&self, node: usize, key: &str, action: &Action) -> End {
        let step = Step::at_once(Some(key.to_owned()), action.clone());
        let caller = Caller { client: 0, patience: PATIENCE, disk: Disk::Sound };
        until("a lost call is resolved", || {
            let end = self.record.call(&self.cluster.way(node)?, caller, &step);
            (!matches!(end, End::Lost(_))).then_some(end)
        })
    }

    /// All that anybody was answered is what the model says, in some order that keeps real time.
    pub fn check(&self) {
        let found = self.record.violation().map_or_else(|| self.record.with_history(|history| check(history)), Err);
        found.unwrap_or_else(|violation| panic!("{violation}"));
        let tally = self.record.with_history(|history| Tally::of(history));
        self.record.note(&format!("seed {}: {tally:?}", self.seed));
        assert!(tally.done >= DONE_MIN, "so few answers prove nothing: {tally:?}");
    }
}

/// Checks a history with all that the simulator's are checked with.
pub fn check(history: &History) -> Result<(), Violation> {
    oracles::check(history).map_err(|found| oracles::with_witnesses(found, history))
}

/// How the calls of clients ended.
#[derive(Debug, Default)]
struct Tally {
    of: u64,
    done: u64,
    refused: u64,
    lost: u64,
}

impl Tally {
    fn of(history: &History) -> Tally {
        let mut tally = Tally::default();
        for call in history.calls.iter().filter(|call| call.client > 0) {
            tally.of += 1;
            match call.end {
                End::Done { .. } => tally.done += 1,
                End::Refused(_) => tally.refused += 1,
                End::Lost(_) | End::Open => tally.lost += 1,
            }
        }
        tally
    }
}
