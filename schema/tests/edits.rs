//! Updates that add, push, pull and merge, and writes of every record that matches.

#![allow(clippy::unwrap_used)]

mod server;
mod shop;

use serde_json::{Value, json};
use server::{Server, run};

const ADA: &str = r#"updateCustomer(by: { email: "ada@example.org" }"#;

/// Changes a customer, and answers what it is like then.
async fn changed(server: &Server, arguments: &str, selection: &str) -> Value {
    let query = format!("mutation {{ {ADA}, {arguments}) {{ customer {{ {selection} }} }} }}");
    server.data(&query, json!({})).await["updateCustomer"]["customer"].take()
}

/// What a change is refused with: its code, where it stands, its message.
async fn refused(server: &Server, field: &str) -> (String, Value, String) {
    let error = server.error(&format!("mutation {{ {field} {{ commit {{ version }} }} }}"), json!({})).await;
    let extensions = &error["extensions"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&extensions["code"]), extensions["inputPath"].clone(), text(&error["message"]))
}

async fn refused_of_ada(server: &Server, arguments: &str) -> (String, Value, String) {
    refused(server, &format!("{ADA}, {arguments})")).await
}

#[test]
fn numbers_are_added_to_and_stay_what_they_may_be() {
    run(async {
        let server = shop::open().await;
        changed(&server, "data: { loyaltyPoints: 5 }", "id").await;
        let spend = "increment: { loyaltyPoints: -3 }, if: { loyaltyPoints: { gte: 3 } }";
        assert_eq!(changed(&server, spend, "loyaltyPoints").await, json!({ "loyaltyPoints": 2 }));
        let (code, ..) = refused_of_ada(&server, spend).await;
        assert_eq!(code, "PRECONDITION_FAILED");
        let (code, path, message) = refused_of_ada(&server, "increment: { loyaltyPoints: -3 }").await;
        assert_eq!((code.as_str(), path), ("CHECK_VIOLATION", json!(["increment", "loyaltyPoints"])));
        assert_eq!(message, "Points cannot be spent twice.");
        let (code, path, message) = refused_of_ada(&server, "increment: { loyaltyPoints: 2147483647 }").await;
        assert_eq!((code.as_str(), path), ("BAD_USER_INPUT", json!(["increment", "loyaltyPoints"])));
        assert!(message.contains("2147483649"), "{message}");
        let price = r#"mutation($by: Decimal!) { updateProduct(by: { sku: "F1" }, increment: { price: $by }) { product { price } } }"#;
        let first = server.data(price, json!({ "by": "0.10" })).await["updateProduct"]["product"]["price"].clone();
        let again = server.data(price, json!({ "by": "-0.10" })).await["updateProduct"]["product"]["price"].clone();
        assert_ne!(first, again);
        let error = server.error(price, json!({ "by": "0.001" })).await;
        assert_eq!(error["extensions"]["inputPath"], json!(["increment", "price"]));
    });
}

#[test]
fn elements_are_pushed_and_pulled() {
    run(async {
        let server = shop::open().await;
        changed(&server, r#"data: { tags: ["a", "b", "a"] }"#, "id").await;
        let both = r#"pull: { tags: "a" }, push: { tags: ["c", "a"] }"#;
        assert_eq!(changed(&server, both, "tags").await, json!({ "tags": ["b", "c", "a"] }));
        let data = server.data(r#"{ customers(where: { tags: { has: "c" } }) { nodes { name } } }"#, json!({})).await;
        assert_eq!(data["customers"]["nodes"], json!([{ "name": "Ada" }]));
        let (code, path, message) = refused_of_ada(&server, r#"data: { tags: [] }, push: { tags: "x" }"#).await;
        assert_eq!((code.as_str(), path), ("BAD_USER_INPUT", json!(["push", "tags"])));
        assert_eq!(message, "Customer.tags is changed by data and by push: change it in one of them.");
        let (code, path, _) = refused_of_ada(&server, "pull: { tags: null }").await;
        assert_eq!((code.as_str(), path), ("BAD_USER_INPUT", json!(["pull", "tags"])));
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn json_and_values_are_merged() {
    run(async {
        let server = shop::open().await;
        changed(&server, r#"data: { preferences: { a: 1, b: { c: [1], d: true } }, address: null }"#, "id").await;
        // The examples of RFC 7396, in one.
        let patch = r#"merge: { preferences: { a: null, b: { c: { e: null, f: 2 }, d: null }, g: [null] } }"#;
        let merged = changed(&server, patch, "preferences").await;
        assert_eq!(merged["preferences"], json!({ "b": { "c": { "f": 2 } }, "g": [null] }));
        assert_eq!(changed(&server, "merge: { preferences: null }", "preferences").await["preferences"], Value::Null);
        let half = r#"merge: { address: { city: "Bonn" } }"#;
        let (code, path, _) = refused_of_ada(&server, half).await;
        assert_eq!((code.as_str(), path), ("BAD_USER_INPUT", json!(["merge", "address", "street"])));
        let whole = r#"merge: { address: { street: "S 1", city: "Ulm", zip: "89073", country: "DE" } }"#;
        changed(&server, whole, "id").await;
        let moved = changed(&server, half, "address { street city zip country }").await;
        assert_eq!(moved["address"], json!({ "street": "S 1", "city": "Bonn", "zip": "89073", "country": "DE" }));
        let (code, path, _) = refused_of_ada(&server, "merge: { address: { street: null } }").await;
        assert_eq!((code.as_str(), path), ("BAD_USER_INPUT", json!(["merge", "address", "street"])));
        assert_eq!(changed(&server, "merge: { address: null }", "address { city }").await["address"], Value::Null);
        let grams = r#"updateProduct(by: { sku: "F1" }, merge: { parcel: { grams: 0 } })"#;
        let (code, path, _) = refused(&server, grams).await;
        assert_eq!((code.as_str(), path), ("CHECK_VIOLATION", json!(["merge", "parcel", "grams"])));
    });
}

#[test]
fn all_that_match_are_written_or_none() {
    run(async {
        let server = shop::open().await;
        let names = "{ customers { nodes { name loyaltyPoints } } }";
        let before = server.data(names, json!({})).await;
        let all = before["customers"]["nodes"].as_array().unwrap().len();
        let award = r#"mutation($most: Int!, $where: CustomerWhere!) {
          updateCustomers(where: $where, increment: { loyaltyPoints: 7 }, maxAffected: $most) {
            affectedCount customers { loyaltyPoints } query { customers { totalCount } }
          }
        }"#;
        let named = json!({ "name": { "gte": "" } });
        let done = server.data(award, json!({ "most": all, "where": named })).await["updateCustomers"].take();
        assert_eq!(done["affectedCount"], all);
        assert!(done["customers"].as_array().unwrap().iter().all(|each| each["loyaltyPoints"].as_i64() >= Some(7)));
        let after = server.data(names, json!({})).await;
        let error = server.error(award, json!({ "most": all - 1, "where": named })).await;
        assert_eq!(error["extensions"]["code"], "AFFECTED_LIMIT_EXCEEDED");
        assert_eq!(error["extensions"]["inputPath"], json!(["maxAffected"]));
        for nothing in [json!({}), json!({ "and": [] }), json!({ "name": {} }), json!({ "name": { "eq": null } })] {
            let error = server.error(award, json!({ "most": 1000, "where": nothing })).await;
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{nothing}: {error}");
        }
        for most in [-1, 10_001] {
            let error = server.error(award, json!({ "most": most, "where": named })).await;
            assert_eq!(error["extensions"]["inputPath"], json!(["maxAffected"]), "{error}");
        }
        assert_eq!(server.data(names, json!({})).await, after, "what was refused has written nothing");
        let warned = r#"mutation { updateProducts(where: { description: { eq: "no index" } }, data: { stock: 1 }) { affectedCount } }"#;
        let answer = server.ask(warned, json!({})).await;
        assert!(answer["extensions"]["warnings"][0].as_str().unwrap().contains("updateProducts"), "{answer}");
    });
}

#[test]
fn records_that_refer_to_each_other_go_together() {
    run(async {
        let server = shop::open().await;
        // Shelves that stand on shelves restrict, unless those go as well.
        let shelves = r#"mutation {
          createCategory(data: { slug: "x", title: "X" }) { commit { version } }
          y: createCategory(data: { slug: "x-y", title: "Y", parent: { connect: { slug: "x" } } }) { commit { version } }
        }"#;
        server.data(shelves, json!({})).await;
        let (code, ..) = refused(&server, r#"deleteCategories(where: { slug: { eq: "x" } })"#).await;
        assert_eq!(code, "REFERENCE_VIOLATION");
        let remove = r#"mutation { deleteCategories(where: { slug: { startsWith: "x" } }) {
          deletedIds affectedCount query { categories(where: { slug: { startsWith: "x" } }) { totalCount } } } }"#;
        let gone = server.data(remove, json!({})).await["deleteCategories"].take();
        assert_eq!(
            (gone["affectedCount"].clone(), gone["query"]["categories"]["totalCount"].clone()),
            (json!(2), json!(0))
        );
        assert_eq!(gone["deletedIds"].as_array().unwrap().len(), 2);
        let none = server.data(remove, json!({})).await["deleteCategories"].take();
        assert_eq!((none["affectedCount"].clone(), none["deletedIds"].clone()), (json!(0), json!([])));
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn an_upsert_updates_what_is_there_and_creates_what_is_not() {
    run(async {
        let server = shop::open().await;
        let visit = r#"mutation($email: Email!) {
          upsertCustomer(by: { email: $email }, create: { email: $email, name: "New", loyaltyPoints: 1 }, update: { country: "FR" }, increment: { loyaltyPoints: 2 }) {
            created customer { email name country loyaltyPoints } customerEdge { node { email } } query { customers(where: { email: { eq: "up@example.org" } }) { totalCount } }
          }
        }"#;
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = server.data(visit, json!({ "email": "up@example.org" })).await["upsertCustomer"].take();
            let shown = &answer["customer"];
            answers.push((answer["created"].clone(), shown["country"].clone(), shown["loyaltyPoints"].clone()));
            assert_eq!(answer["query"]["customers"]["totalCount"], 1);
        }
        assert_eq!(answers, [(json!(true), json!("DE"), json!(1)), (json!(false), json!("FR"), json!(3))]);
        let other = r#"upsertCustomer(by: { email: "a@example.org" }, create: { email: "b@example.org", name: "B" })"#;
        let (code, path, _) = refused(&server, other).await;
        assert_eq!((code.as_str(), path), ("BAD_USER_INPUT", json!(["create"])));
        assert_eq!(
            server.data(r#"{ customer(by: { email: "b@example.org" }) { id } }"#, json!({})).await["customer"],
            Value::Null
        );
        let taken = r#"upsertCustomer(by: { email: "up@example.org" }, create: { email: "up@example.org", name: "U" }, update: { email: "ada@example.org" })"#;
        let (code, path, _) = refused(&server, taken).await;
        assert_eq!((code.as_str(), path), ("UNIQUE_VIOLATION", json!(["update", "email"])));
        // By an id that a client has made.
        let known = server.data(r#"{ customer(by: { email: "ada@example.org" }) { id } }"#, json!({})).await;
        let mut id = known["customer"]["id"].as_str().unwrap().to_owned();
        let at = id.len() - 3;
        let other = if id[at..].starts_with('A') { "Q" } else { "A" };
        id.replace_range(at..=at, other);
        let by_id = r#"mutation($id: ID!) { upsertCustomer(by: { id: $id }, create: { email: "id@example.org", name: "I" }) { created customer { id } } }"#;
        for created in [true, false] {
            let answer = server.data(by_id, json!({ "id": id })).await["upsertCustomer"].take();
            assert_eq!(answer, json!({ "created": created, "customer": { "id": id } }));
        }
        let error = server.error(by_id, json!({ "id": "junk" })).await;
        assert_eq!(error["extensions"]["code"], "UNIQUE_VIOLATION", "{error}");
        let junk = r#"upsertCustomer(by: { id: "junk" }, create: { email: "junk@example.org", name: "J" })"#;
        let (code, path, _) = refused(&server, junk).await;
        assert_eq!((code.as_str(), path), ("BAD_USER_INPUT", json!(["create"])));
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}
