//! A database in a temporary folder that answers operations: what the tests of requests stand on.

#![allow(dead_code, reason = "each test file uses a part")]

use serde_json::Value;
use std::future::Future;
use vivarium_consensus::{Node, NodeOptions};
use vivarium_schema::database::ApplyOptions;
use vivarium_schema::plan::Limits;
use vivarium_schema::{Database, Request, Response, Session};
use vivarium_storage::runtime::Runtime;
use vivarium_storage::{DatabaseId, StoreOptions, WalOptions};

/// A database with a schema.
pub struct Server {
    pub database: Database,
    _dir: tempfile::TempDir,
}

/// Runs a test's future to its end.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

impl Server {
    pub async fn open(schema: &str) -> Server {
        Server::with(schema, Limits::default()).await
    }

    pub async fn with(schema: &str, limits: Limits) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let wal = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
        let store = StoreOptions { workers: 0, ..StoreOptions::default() };
        let options =
            NodeOptions { dir: dir.path().join("data"), store, wal, runtime: Runtime::seeded(7), cluster: None };
        let node = Node::open(options).await.unwrap();
        let database = Database::open(node, DatabaseId(1), limits).await.unwrap();
        database.apply_schema(schema, ApplyOptions::default()).await.unwrap();
        Server { database, _dir: dir }
    }

    pub async fn send(&self, request: Request) -> Response {
        self.database.execute(request, &Session::default()).await
    }

    /// The whole answer to an operation.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        json(&self.send(request(query, variables)).await)
    }

    /// The data of an answer that has no errors.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
        answer["data"].take()
    }

    /// The first error of an answer.
    pub async fn error(&self, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables).await;
        assert!(answer.get("errors").is_some(), "{query}\n{answer:#}");
        answer["errors"][0].clone()
    }

    pub async fn explain(&self, query: &str, variables: Value) -> String {
        let explained = self.database.explain(request(query, variables), &Session::default()).await;
        explained.unwrap_or_else(|refused| String::from_utf8(refused.body).unwrap())
    }
}

pub fn request(query: &str, variables: Value) -> Request {
    Request {
        query: query.to_owned(),
        variables: Some(variables.to_string()),
        request_id: "test".to_owned(),
        ..Request::default()
    }
}

pub fn json(response: &Response) -> Value {
    let text = std::str::from_utf8(&response.body).unwrap();
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}
