//! A schema change that nobody finishes goes on by itself: its node died, or whoever asked for it went away.

#![allow(clippy::unwrap_used)]

use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use vivarium_consensus::{ClusterOptions, Node, NodeOptions, Part, Role, Token, initialise, join};
use vivarium_schema::database::{ApplyOptions, verify};
use vivarium_schema::plan::Limits;
use vivarium_schema::{Database, Request, Session};
use vivarium_storage::runtime::{self, Instant, Runtime};
use vivarium_storage::{DatabaseId, StoreOptions, WalOptions};

const DATABASE: DatabaseId = DatabaseId(1);
const NOTES: &str = "type Note @collection { id: ID! number: Int! text: String }";
const INDEXED: &str = "type Note @collection { id: ID! number: Int! @index text: String }";
/// So many batches of a backfill that it is noticed while it runs.
const DOCUMENTS: usize = 4_000;
const DOCUMENTS_A_MUTATION: usize = 500;

fn soon() -> Instant {
    runtime::now() + Duration::from_secs(30)
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = soon();
    while !holds().await {
        assert!(runtime::now() < deadline, "not within 30 s: {what}");
        runtime::sleep(Duration::from_millis(2)).await;
    }
}

struct Cluster {
    dir: tempfile::TempDir,
    nodes: BTreeMap<u64, Database>,
}

impl Cluster {
    async fn of(count: u64) -> Cluster {
        let dir = tempfile::tempdir().unwrap();
        let token = initialise(&dir.path().join("1"), &Runtime::seeded(1)).unwrap();
        let first = free_address();
        let mut cluster = Cluster { dir, nodes: BTreeMap::new() };
        cluster.open(1, first.clone()).await;
        for number in 2..=count {
            let listen = free_address();
            cluster.join(number, &listen, &first, &token).await;
            cluster.open(number, listen).await;
        }
        cluster
    }

    async fn join(&self, number: u64, listen: &str, member: &str, token: &Token) {
        let options = ClusterOptions::new(listen);
        let path = self.dir.path().join(number.to_string());
        join(&path, &options, token, member, &Runtime::seeded(number), soon()).await.unwrap();
    }

    async fn open(&mut self, number: u64, listen: String) {
        let cluster = Some(ClusterOptions::new(listen));
        let node = node(&self.dir.path().join(number.to_string()), number, cluster).await;
        let votes = |node: &Node| {
            let members = node.members().unwrap_or_default();
            members.iter().any(|member| member.node == number && member.part == Part::Voter)
        };
        until("it votes", || async { votes(&node) }).await;
        let database = loop {
            match Database::open(node.clone(), DATABASE, Limits::default()).await {
                Ok(database) => break database,
                Err(_) => runtime::sleep(Duration::from_millis(20)).await,
            }
        };
        self.nodes.insert(number, database);
    }

    async fn leader(&self) -> u64 {
        let leads = |database: &Database| database.node().status().role == Role::Leader;
        until("somebody leads", || async { self.nodes.values().any(leads) }).await;
        *self.nodes.iter().find(|(_, database)| leads(database)).unwrap().0
    }
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn node(dir: &Path, seed: u64, cluster: Option<ClusterOptions>) -> Node {
    let wal = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
    let store = StoreOptions { workers: 0, ..StoreOptions::default() };
    Node::open(NodeOptions { dir: dir.into(), store, wal, runtime: Runtime::seeded(seed), cluster }).await.unwrap()
}

async fn answer(database: &Database, query: &str, variables: Json) -> Json {
    let request = Request { query: query.to_owned(), variables: Some(variables.to_string()), ..Request::default() };
    let response = database.execute(request, &Session::default()).await;
    serde_json::from_slice(&response.body).unwrap()
}

async fn fill(database: &Database) {
    for from in (0..DOCUMENTS).step_by(DOCUMENTS_A_MUTATION) {
        let data: Vec<Json> = (from..from + DOCUMENTS_A_MUTATION).map(|number| json!({ "number": number })).collect();
        let create = "mutation ($data: [NoteCreate!]!) { createNotes(data: $data) { notes { id } } }";
        let made = answer(database, create, json!({ "data": data })).await;
        assert!(made.get("errors").is_none(), "{made}");
    }
}

/// Every index there, and whether it may be read.
async fn indexes(database: &Database) -> Vec<bool> {
    database.indexes().await.map(|indexes| indexes.iter().map(|index| index.ready).collect()).unwrap_or_default()
}

/// Begins the change on one database and gives it up in its middle, as another one sees it.
async fn interrupt(worker: &Database, watcher: &Database) {
    let changing = worker.clone();
    let change = runtime::spawn("change", async move {
        let _ = changing.apply_schema(INDEXED, ApplyOptions::default()).await;
    });
    until("the index is being built", || async { indexes(watcher).await == [false] }).await;
    change.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_node_died_goes_on_within_seconds() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let worker = *cluster.nodes.keys().find(|number| **number != leader).unwrap();
    let leading = cluster.nodes[&leader].clone();
    leading.apply_schema(NOTES, ApplyOptions::default()).await.unwrap();
    fill(&leading).await;
    let dying = cluster.nodes.remove(&worker).unwrap();
    interrupt(&dying, &leading).await;
    dying.node().close().await.unwrap();
    assert_eq!(indexes(&leading).await, [false], "its node died in the middle");
    let died = runtime::now();
    until("the index can be read", || async { indexes(&leading).await == [true] }).await;
    println!("the change went on and ended {} ms after its node died", died.elapsed().as_millis());
    let report = verify(leading.node(), DATABASE).await.unwrap();
    assert!(report.problems.is_empty(), "{report:?}");
    assert_eq!(leading.schema().await.unwrap().0, INDEXED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_nobody_waits_for_any_more_goes_on_where_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir.path().join("data"), 1, None).await;
    let database = Database::open(node, DATABASE, Limits::default()).await.unwrap();
    database.apply_schema(NOTES, ApplyOptions::default()).await.unwrap();
    fill(&database).await;
    interrupt(&database, &database).await;
    assert_eq!(indexes(&database).await, [false]);
    until("the index can be read", || async { indexes(&database).await == [true] }).await;
    let history = database.schema_history(10).await.unwrap();
    assert_eq!(history[0].sdl, INDEXED);
    database.node().close().await.unwrap();
}
