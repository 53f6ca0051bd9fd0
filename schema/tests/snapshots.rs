//! One walk of pages is one snapshot; damage in storage is told and kept where it is.

#![allow(clippy::unwrap_used)]

mod server;
mod shop;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use server::{Server, json as body, request, run};
use std::time::Duration;
use vivarium_consensus::{CommitOptions, Consistency};
use vivarium_schema::database::ApplyOptions;
use vivarium_schema::{Code, GlobalId, Request, sdl};
use vivarium_storage::{DocumentBuilder, Space, Value as Stored, key, runtime};

const PAGE: &str = "query($after: String) { customers(orderBy: { name: ASC }, first: 2, after: $after) { totalCount nodes { name } pageInfo { endCursor hasNextPage hasPreviousPage } } }";

async fn page(server: &Server, after: &Value) -> Value {
    server.data(PAGE, json!({ "after": after })).await["customers"].take()
}

fn cursor(page: &Value) -> Value {
    page["pageInfo"]["endCursor"].clone()
}

#[test]
fn a_walk_does_not_see_what_is_written_meanwhile() {
    run(async {
        let server = shop::open().await;
        let first = page(&server, &Value::Null).await;
        let change = r#"mutation {
          createCustomer(data: { email: "bob@example.org", name: "Bob" }) { commit { version } }
          updateCustomer(by: { email: "cid@example.org" }, data: { name: "Zed" }) { commit { version } }
          deleteCustomer(by: { email: "eve@example.org" }) { deletedId }
        }"#;
        server.data(change, json!({})).await;
        let second = page(&server, &cursor(&first)).await;
        assert_eq!(second["nodes"], json!([{ "name": "Cid" }, { "name": "Dee" }]));
        assert_eq!(second["totalCount"], 5);
        let third = page(&server, &cursor(&second)).await;
        assert_eq!(third["nodes"], json!([{ "name": "Eve" }]));
        assert_eq!(third["pageInfo"]["hasNextPage"], false);
        let anew = page(&server, &Value::Null).await;
        assert_eq!(anew["nodes"], json!([{ "name": "Ada" }, { "name": "Bo" }]));
        let two = server
            .data(&PAGE.replace("{ customers", "{ __typename customers"), json!({ "after": cursor(&first) }))
            .await;
        assert_eq!(
            two["customers"]["nodes"],
            json!([{ "name": "Bob" }, { "name": "Dee" }]),
            "beside others it reads the newest"
        );
    });
}

/// The same place at another version, as a node gives it that has read its page there.
fn moved(cursor: &Value, version: u64) -> Value {
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor.as_str().unwrap()).unwrap();
    bytes[9..17].copy_from_slice(&version.to_be_bytes());
    json!(URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn the_next_page_of_a_stale_list_waits_until_this_node_has_the_version_of_the_first() {
    run(async {
        let server = shop::open().await;
        let first = page(&server, &Value::Null).await;
        let newest = || server.database.node().status().version.0;
        for stale in ["level: STALE", "level: STALE, maxStaleness: \"PT0S\""] {
            let next = PAGE.replace("{ customers", &format!("@consistency({stale}) {{ customers"));
            let after = json!({ "after": moved(&cursor(&first), newest() + 1) });
            let hurried = Request { timeout: Some(Duration::from_millis(20)), ..request(&next, after.clone()) };
            let late = body(&server.send(hurried).await);
            let extensions = &late["errors"][0]["extensions"];
            assert_eq!((&extensions["code"], &extensions["retryable"]), (&json!("DEADLINE_EXCEEDED"), &json!(true)));
            let strong = server.error(PAGE, after.clone()).await;
            assert_eq!(strong["extensions"]["code"], "INVALID_CURSOR", "a strong read sees all versions that are");
            let change = r#"mutation { updateCustomer(by: { email: "eve@example.org" }, data: { name: "Eve" }) { commit { version } } }"#;
            let (second, _) = tokio::join!(server.data(&next, after), server.data(change, json!({})));
            assert_eq!(second["customers"]["nodes"], json!([{ "name": "Cid" }, { "name": "Dee" }]));
        }
    });
}

#[test]
fn a_cursor_does_not_outlive_its_schema() {
    run(async {
        let server = shop::open().await;
        let first = page(&server, &Value::Null).await;
        let wider = shop::SCHEMA.replace("birthday: Date", "birthday: Date\n  motto: String @index");
        server.database.apply_schema(&wider, ApplyOptions::default()).await.unwrap();
        let refused = server.send(request(PAGE, json!({ "after": cursor(&first) }))).await;
        assert_eq!(refused.refused, Some(Code::InvalidCursor));
        let query = "{ customers(where: { motto: { isNull: true } }, orderBy: { name: ASC }, first: 1) { totalCount nodes { name motto } } }";
        let data = server.data(query, json!({})).await;
        assert_eq!(data["customers"], json!({ "totalCount": 5, "nodes": [{ "name": "Ada", "motto": null }] }));
    });
}

#[test]
fn a_missing_required_value_goes_as_far_up_as_it_must() {
    run(async {
        let server = shop::open().await;
        let catalog = sdl::declare(shop::SCHEMA, None).unwrap();
        let customer = catalog.collection_named("Customer").unwrap();
        let id = server.data("{ customer(by: { email: \"bo@example.org\" }) { id } }", json!({})).await;
        let id = GlobalId::parse(id["customer"]["id"].as_str().unwrap()).unwrap();
        let mut damaged = DocumentBuilder::new();
        damaged.set(customer.field_named("email").unwrap().id, Stored::String("bo@example.org".to_owned()));
        let node = server.database.node();
        let deadline = runtime::now() + std::time::Duration::from_secs(10);
        let mut transaction = node.begin(Consistency::Strong, deadline).await.unwrap();
        let place = key::document(server.database.id(), id.collection, id.document);
        transaction.put(Space::Document, place, damaged.finish(catalog.version, None).unwrap());
        transaction.commit(CommitOptions::default(), deadline).await.unwrap();

        let query = "{\n  orders(orderBy: { number: ASC }, first: 2) { nodes { number customer { email\n name } } }\n}";
        let response = server.send(request(query, json!({}))).await;
        let answer = body(&response);
        assert_eq!(answer["data"], Value::Null, "connections, nodes and the customer of an order are all required");
        assert_eq!(answer["errors"][0]["path"], json!(["orders", "nodes", 1, "customer", "name"]));
        assert_eq!(answer["errors"][0]["locations"], json!([{ "line": 3, "column": 2 }]));
        assert_eq!(response.errors, [Code::InternalServerError]);
        assert!(!answer["errors"][0]["message"].as_str().unwrap().contains("storage"), "what broke is for the log");

        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { email name } } one: customer(by: { email: \"bo@example.org\" }) { name } }";
        let mut text = Vec::new();
        id.write(&mut text);
        let answer = server.ask(query, json!({ "ids": [String::from_utf8(text).unwrap()] })).await;
        assert_eq!(answer["data"], json!({ "nodes": [null], "one": null }));
        assert_eq!(answer["errors"][0]["path"], json!(["nodes", 0, "name"]));
        assert_eq!(answer["errors"][1]["path"], json!(["one", "name"]));
    });
}
