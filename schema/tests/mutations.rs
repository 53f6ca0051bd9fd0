//! Mutations: what they answer, in which order they see each other, and that a key makes them happen once.

#![allow(clippy::unwrap_used)]

mod server;
mod shop;

use serde_json::{Value, json};
use server::{Server, json as body, request, run};
use vivarium_schema::{Request, scalar};

async fn names(server: &Server) -> Value {
    server.data("{ customers(orderBy: { name: ASC }) { nodes { name } } }", json!({})).await["customers"]["nodes"]
        .take()
}

#[test]
fn a_payload_knows_its_own_commit() {
    run(async {
        let server = shop::open().await;
        let query = r#"mutation {
          createCategory(data: { slug: "seeds", title: "Seeds", parent: { connect: { slug: "plants" } } }) {
            __typename
            category { __typename id slug parent { slug _meta { version } } _meta { version createdAt updatedAt } }
            categoryEdge { cursor node { slug } }
            commit { __typename version time }
            query { categories { totalCount } category(by: { slug: "seeds" }) { title _meta { version } } }
          }
        }"#;
        let response = server.send(request(query, json!({}))).await;
        let payload = &body(&response)["data"]["createCategory"];
        let mut text = Vec::new();
        scalar::write_version(response.version.unwrap(), &mut text);
        let version = json!(String::from_utf8(text).unwrap());
        assert_eq!(payload["commit"]["version"], version);
        assert_eq!(payload["category"]["_meta"]["version"], version);
        assert_eq!(payload["query"]["category"]["_meta"]["version"], version);
        assert_ne!(payload["category"]["parent"]["_meta"]["version"], version);
        assert_eq!(payload["category"]["_meta"]["createdAt"], payload["commit"]["time"]);
        assert_eq!(payload["category"]["_meta"]["updatedAt"], payload["commit"]["time"]);
        assert_eq!(payload["query"]["categories"]["totalCount"], 5);
        assert_eq!(payload["categoryEdge"]["node"]["slug"], "seeds");
        assert!(payload["categoryEdge"]["cursor"].is_string());
        let read = server
            .data("{ category(by: { slug: \"seeds\" }) { id _meta { version createdAt updatedAt } } }", json!({}))
            .await;
        assert_eq!(read["category"]["_meta"], payload["category"]["_meta"]);
        let node = server.data("query($id: ID!) { node(id: $id) { ... on Category { slug } ... on Product { sku } } nodes(ids: [$id, $id]) { id } }", json!({ "id": read["category"]["id"] })).await;
        assert_eq!(node["node"], json!({ "slug": "seeds" }));
        assert_eq!(node["nodes"], json!([{ "id": read["category"]["id"] }, { "id": read["category"]["id"] }]));
    });
}

#[test]
fn root_fields_see_those_before_them() {
    run(async {
        let server = shop::open().await;
        let query = r#"mutation {
          createCustomers(data: [{ email: "x@example.org", name: "Xi" }, { email: "y@example.org", name: "Yo" }]) {
            affectedCount customers { name country orders { totalCount } }
          }
          rename: updateCustomer(by: { email: "x@example.org" }, data: { name: "Xa" }, if: { name: { eq: "Xi" } }) { customer { name } }
          deleteCustomer(by: { email: "y@example.org" }) {
            deletedId customer { id name } query { customer(by: { email: "y@example.org" }) { name } customers(orderBy: { name: DESC }, first: 1) { totalCount nodes { name } } }
          }
          __typename
        }"#;
        let data = server.data(query, json!({})).await;
        assert_eq!(data["createCustomers"]["affectedCount"], 2);
        assert_eq!(
            data["createCustomers"]["customers"][1],
            json!({ "name": "Yo", "country": "DE", "orders": { "totalCount": 0 } })
        );
        assert_eq!(data["rename"]["customer"]["name"], "Xa");
        let deleted = &data["deleteCustomer"];
        assert_eq!(deleted["customer"]["name"], "Yo");
        assert_eq!(deleted["customer"]["id"], deleted["deletedId"]);
        assert_eq!(deleted["query"]["customer"], Value::Null);
        assert_eq!(deleted["query"]["customers"], json!({ "totalCount": 6, "nodes": [{ "name": "Xa" }] }));
        assert_eq!(names(&server).await.as_array().unwrap().len(), 6);
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn a_version_guards_an_update() {
    run(async {
        let server = shop::open().await;
        let read = server.data("{ product(by: { sku: \"F1\" }) { _meta { version } } }", json!({})).await;
        let version = read["product"]["_meta"]["version"].clone();
        let query = "mutation($v: CommitVersion) { updateProduct(by: { sku: \"F1\" }, data: { stock: 3 }, ifVersion: $v) { product { stock } } }";
        assert_eq!(server.data(query, json!({ "v": version })).await["updateProduct"]["product"]["stock"], 3);
        let error = server.error(query, json!({ "v": version })).await;
        assert_eq!(error["extensions"]["code"], "PRECONDITION_FAILED");
        assert_ne!(error["extensions"]["currentVersion"], version);
        assert_eq!(error["path"], json!(["updateProduct"]));
    });
}

#[test]
fn a_key_makes_a_mutation_happen_once() {
    run(async {
        let server = shop::open().await;
        let query = "mutation($slug: String!) @idempotent(key: \"k1\") { createCategory(data: { slug: $slug, title: \"T\" }) { category { id _meta { version createdAt } } commit { version time } } }";
        let first = server.send(request(query, json!({ "slug": "once" }))).await;
        let again = server.send(request(query, json!({ "slug": "once" }))).await;
        assert_eq!(String::from_utf8(first.body).unwrap(), String::from_utf8(again.body).unwrap());
        assert_eq!(first.version, again.version);
        let error = server.error(query, json!({ "slug": "other" })).await;
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        let header = |key: &str| Request {
            idempotency_key: Some(key.to_owned()),
            ..request(
                "mutation { createCategory(data: { slug: \"header\", title: \"T\" }) { commit { version } } }",
                json!({}),
            )
        };
        let first = server.send(header("h")).await;
        assert_eq!(first.body, server.send(header("h")).await.body);
        assert_eq!(body(&server.send(header("i")).await)["errors"][0]["extensions"]["code"], "UNIQUE_VIOLATION");
        let data = server.data("{ categories { totalCount } }", json!({})).await;
        assert_eq!(data["categories"]["totalCount"], 6);
    });
}

#[test]
fn operations_that_conflict_are_run_again() {
    run(async {
        let server = shop::open().await;
        let spend = r#"mutation { updateCategory(by: { slug: "pots" }, data: { title: "Pots" }) { category { title } query { categories(where: { title: { eq: "Pots" } }) { totalCount } } } }"#;
        let tries = (0..8).map(|_| server.send(request(spend, json!({}))));
        let mut running: Vec<_> = tries.map(Box::pin).collect();
        let mut answers = Vec::new();
        std::future::poll_fn(|context| {
            running.retain_mut(|future| match std::future::Future::poll(future.as_mut(), context) {
                std::task::Poll::Ready(answer) => {
                    answers.push(body(&answer));
                    false
                }
                std::task::Poll::Pending => true,
            });
            if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        assert_eq!(answers.len(), 8);
        assert!(answers.iter().all(|answer| answer.get("errors").is_none()), "{answers:#?}");
    });
}
