//! A node in a temporary folder with a declared schema: what the tests of the write path stand on.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod shop;

use std::future::Future;
use vivarium_consensus::{CommitOptions, Consistency, Node, NodeOptions, Transaction};
use vivarium_schema::catalog::Collection;
use vivarium_schema::database::verify;
use vivarium_schema::write::{Sequences, Writer};
use vivarium_schema::{Abort, Catalog, Failure, Input, sdl};
use vivarium_storage::engine::{Scan, catalog_key};
use vivarium_storage::runtime::{self, Instant, Runtime};
use vivarium_storage::{Cell, DatabaseId, KeyRange, Space, StoreOptions, WalOptions};

/// The database that the tests write to.
pub const DATABASE: DatabaseId = DatabaseId(1);

/// 2026-01-01T00:00:00Z: the time of every transaction.
pub const NOW: i64 = 1_767_225_600_000_000;

/// A node with a schema.
pub struct Stage {
    pub node: Node,
    pub catalog: Catalog,
    pub sequences: Sequences,
    pub runtime: Runtime,
    pub database: DatabaseId,
    _dir: tempfile::TempDir,
}

/// Runs a test's future to its end.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub fn deadline() -> Instant {
    runtime::now() + std::time::Duration::from_secs(30)
}

impl Stage {
    pub async fn open(schema: &str) -> Stage {
        let catalog = sdl::declare(schema, None).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::seeded(7);
        let wal = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
        let store = StoreOptions { workers: 0, ..StoreOptions::default() };
        let options = NodeOptions { dir: dir.path().join("data"), store, wal, runtime: runtime.clone(), cluster: None };
        let node = Node::open(options).await.unwrap();
        let sequences = Sequences::new(node.clone(), DATABASE);
        let mut stage = Stage { node, catalog, sequences, runtime, database: DATABASE, _dir: dir };
        stage.enter(DATABASE).await;
        stage
    }

    /// Moves on to another database of the node, which is empty but for the schema.
    pub async fn enter(&mut self, database: DatabaseId) {
        self.database = database;
        self.sequences = Sequences::new(self.node.clone(), database);
        let mut transaction = self.node.begin(Consistency::Strong, deadline()).await.unwrap();
        transaction.put(Space::Meta, catalog_key(database), serde_json::to_vec(&self.catalog).unwrap());
        transaction.commit(CommitOptions::default(), deadline()).await.unwrap();
    }

    pub fn collection(&self, name: &str) -> &Collection {
        self.catalog.collection_named(name).unwrap()
    }

    /// Writes in a transaction.
    pub fn writer<'a>(&'a self, transaction: &'a mut Transaction) -> Writer<'a> {
        Writer {
            catalog: &self.catalog,
            database: self.database,
            transaction,
            runtime: &self.runtime,
            sequences: &self.sequences,
            now_micros: NOW,
        }
    }

    /// Runs writes in one transaction and commits them when they succeed.
    pub async fn write<T>(&self, act: impl AsyncFnOnce(&mut Writer<'_>) -> Result<T, Abort>) -> Result<T, Failure> {
        let mut transaction = self.node.begin(Consistency::Strong, deadline()).await.unwrap();
        match act(&mut self.writer(&mut transaction)).await {
            Ok(answer) => {
                transaction.commit(CommitOptions::default(), deadline()).await.unwrap();
                Ok(answer)
            }
            Err(Abort::Failed(failure)) => Err(*failure),
            Err(Abort::Consensus(error)) => panic!("{error}"),
        }
    }

    /// All rows of a range.
    pub async fn rows(&self, space: Space, range: KeyRange) -> Vec<(Vec<u8>, Cell)> {
        let mut transaction = self.node.begin(Consistency::Strong, deadline()).await.unwrap();
        let scan = Scan { range, reverse: false, limit: usize::MAX };
        let rows = transaction.scan_many(space, &[scan]).await.unwrap().remove(0);
        rows.into_iter().map(|(key, cell)| (key.to_vec(), cell)).collect()
    }

    /// What verification finds wrong.
    pub async fn problems(&self) -> Vec<String> {
        verify(&self.node, self.database).await.unwrap().problems
    }
}

/// JSON as an input.
pub fn input(json: serde_json::Value) -> Input {
    match json {
        serde_json::Value::Null => Input::Null,
        serde_json::Value::Bool(value) => Input::Bool(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(value) => Input::Int(value),
            None => Input::Number(number.to_string()),
        },
        serde_json::Value::String(text) => Input::String(text),
        serde_json::Value::Array(items) => Input::List(items.into_iter().map(input).collect()),
        serde_json::Value::Object(fields) => {
            Input::Object(fields.into_iter().map(|(name, value)| (name, input(value))).collect())
        }
    }
}
