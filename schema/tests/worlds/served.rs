//! A database of a real node in a temporary folder, and requests to it.

use super::model::Model;
use super::operation::{List, OrderKey};
use super::print::Text;
use super::world::Id;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use vivarium_consensus::{Node, NodeOptions};
use vivarium_schema::database::{ApplyOptions, verify};
use vivarium_schema::plan::Limits;
use vivarium_schema::{Database, Request, Session};
use vivarium_storage::runtime::Runtime;
use vivarium_storage::{DatabaseId, StoreOptions, WalOptions};

const DATABASE: DatabaseId = DatabaseId(1);

/// When all of this happens: 2026-11-20, so that a seed draws the same world whenever it is run.
const NOW_MICROS: u64 = 1_795_132_800_000_000;

/// Records of a collection that these tests have at most.
const RECORDS_MAX: usize = 10_000;

/// One database.
pub struct Served {
    pub name: &'static str,
    pub database: Database,
    cursors: BTreeMap<(String, String), BTreeMap<Id, String>>,
    _dir: tempfile::TempDir,
}

impl Served {
    pub async fn open(name: &'static str, schema: &str, seed: u64, gather_max: usize) -> Served {
        let dir = tempfile::tempdir().unwrap();
        let wal = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
        let store = StoreOptions { workers: 0, ..StoreOptions::default() };
        let runtime = Runtime::standing_at(NOW_MICROS, seed);
        let options = NodeOptions { dir: dir.path().join("data"), store, wal, runtime, cluster: None };
        let node = Node::open(options).await.unwrap();
        // What is asked here is large in ways that the limits of a server are against.
        let limits = Limits {
            depth_max: 40,
            aliases_max: 10_000,
            root_fields_max: 100,
            directives_max: 10_000,
            tokens_max: 1_000_000,
            page_max: RECORDS_MAX,
            cost_max: u64::MAX,
            timeout_ms: 60_000,
            gather_max,
            ..Limits::default()
        };
        let database = Database::open(node, DATABASE, limits).await.unwrap();
        database.apply_schema(schema, ApplyOptions::default()).await.unwrap();
        Served { name, database, cursors: BTreeMap::new(), _dir: dir }
    }

    /// Applies another schema to the records that are there.
    pub async fn apply(&mut self, name: &'static str, schema: &str) {
        let options = ApplyOptions { force: true, ..ApplyOptions::default() };
        self.database.apply_schema(schema, options).await.unwrap();
        self.name = name;
    }

    fn request(text: &Text) -> Request {
        Request { query: text.query.clone(), variables: Some(text.variables.to_string()), ..Request::default() }
    }

    /// The whole answer.
    pub async fn ask(&self, text: &Text) -> Json {
        let response = self.database.execute(Self::request(text), &Session::default()).await;
        serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&response.body)))
    }

    /// How a query is going to be answered.
    pub async fn explain(&self, text: &Text) -> String {
        match self.database.explain(Self::request(text), &Session::default()).await {
            Ok(plan) => plan,
            Err(response) => String::from_utf8_lossy(&response.body).into_owned(),
        }
    }

    /// What verification finds wrong.
    pub async fn problems(&self) -> Vec<String> {
        verify(self.database.node(), DATABASE).await.unwrap().problems
    }

    /// Cursors stand for what was there before.
    pub fn changed(&mut self) {
        self.cursors.clear();
    }

    /// Learns the cursors of all records in the order of a list.
    pub async fn learn(&mut self, model: &Model, list: &List) {
        let key = place(&list.collection, &list.order);
        if self.cursors.contains_key(&key) {
            return;
        }
        let collection = model.object(&list.collection).roots.as_ref().unwrap().1.clone();
        let order: Vec<String> =
            list.order.iter().map(|key| super::print::order_literal(&list.collection, key).graphql()).collect();
        let query = format!(
            "{{ all: {collection}(orderBy: [{}], first: {RECORDS_MAX}) {{ edges {{ cursor node {{ ... on Node {{ id }} }} }} }} }}",
            order.join(", ")
        );
        let answer = self.ask(&Text { query: query.clone(), variables: Json::Null }).await;
        let edges = answer["data"]["all"]["edges"].as_array().unwrap_or_else(|| panic!("{query}\n{answer}"));
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let cursors = edges.iter().map(|edge| (text(&edge["node"]["id"]), text(&edge["cursor"]))).collect();
        self.cursors.insert(key, cursors);
    }

    /// The learnt cursor of a record.
    pub fn cursor(&self, list: &List, id: &Id) -> String {
        self.cursors[&place(&list.collection, &list.order)][id].clone()
    }
}

fn place(collection: &str, order: &[OrderKey]) -> (String, String) {
    (collection.to_owned(), format!("{order:?}"))
}
