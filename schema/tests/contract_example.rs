//! The contract's example schema and its operations, less what later releases bring: it applies, and they run.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p vivarium-schema --test contract_example`, then read the difference of
//! `tests/golden/contract.graphql` and `tests/golden/contract.api.graphql`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};
use std::path::Path;
use vivarium_schema::{api, sdl};

const APP: &str = include_str!("contract/app.graphql");
const OPERATIONS: &str = include_str!("contract/ops.graphql");

/// Directives that this release refuses.
const LATER: [&str; 6] = ["@search", "@vector", "@ttl", "@history", "@access", "@index(kind: GEO)"];

/// The text without a directive, whatever its arguments are.
fn without(text: &str, directive: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(directive) {
        out.push_str(rest[..at].trim_end_matches(' '));
        rest = &rest[at + directive.len()..];
        if rest.starts_with('(') {
            let mut depth = 0;
            let end = rest.find(|letter: char| {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                depth == 0
            });
            rest = &rest[end.unwrap() + 1..];
        }
    }
    out + rest
}

/// The example schema as far as this release goes.
fn schema() -> String {
    let fields = APP.lines().filter(|line| !line.contains(": GeoPoint") && !line.contains(": Vector"));
    let text = fields.collect::<Vec<_>>().join("\n") + "\n";
    let text = LATER.iter().fold(text, |text, directive| without(&text, directive));
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n") + "\n"
}

/// An operation of the contract by its name, without the directives of later releases.
fn operation(name: &str) -> String {
    let named = |text: &&str| text.trim_start().split(['(', ' ', '{']).nth(1) == Some(name);
    let starts: Vec<usize> = ["query ", "mutation ", "subscription "]
        .iter()
        .flat_map(|kind| OPERATIONS.match_indices(&format!("\n{kind}")).map(|(at, _)| at).collect::<Vec<_>>())
        .chain([0, OPERATIONS.len()])
        .collect();
    let mut starts = starts;
    starts.sort_unstable();
    let texts: Vec<&str> = starts.windows(2).map(|window| &OPERATIONS[window[0]..window[1]]).collect();
    let text = texts.into_iter().find(named).unwrap_or_else(|| panic!("no operation {name}"));
    ["@asOf", "@cached"].iter().fold(text.to_owned(), |text, directive| without(&text, directive))
}

#[test]
fn the_example_schema_applies() {
    let text = schema();
    let catalog = sdl::declare(&text, None).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    let generated = api::generate(&catalog);
    api::compile(&generated);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, found) in [("contract.graphql", text), ("contract.api.graphql", generated)] {
        let path = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{} differs; see the head of this file", path.display());
    }
}

#[test]
fn its_operations_run() {
    run(async {
        let server = Server::open(&schema()).await;
        let product =
            r#"mutation { createProduct(data: { sku: "S", title: "Soap", price: "9.90" }) { product { id } } }"#;
        let product = server.data(product, json!({})).await["createProduct"]["product"]["id"].take();
        let other = r#"mutation { createCustomer(data: { tenant: "acme", customerNo: 7, email: "z@b.c", name: "Zoe", loyaltyPoints: 12, tags: ["vip"] }) { customer { id displayName } } }"#;
        let zoe = server.data(other, json!({})).await["createCustomer"]["customer"].take();
        assert_eq!(zoe["displayName"], "Zoe <z@b.c>");

        let place = operation("Place").replace("\"p1\"", &product.to_string());
        let placed = server.data(&place, json!({})).await;
        assert!(placed["createCustomer"]["customer"]["id"].is_string());
        assert_eq!(placed["spend"]["customer"]["loyaltyPoints"], 2);

        let page = server.data(&operation("CustomerPage"), json!({ "first": 10 })).await["customers"].take();
        assert_eq!(page["totalCount"], 2);
        assert_eq!(page["edges"][0]["node"]["name"], "Ann");
        assert_eq!(page["edges"][0]["node"]["orders"]["nodes"][0]["total"], "9.90");
        assert_eq!(page["aggregate"]["loyaltyPoints"], json!({ "sum": "2", "avg": 1.0 }));
        assert_eq!(page["groups"], json!([{ "key": { "country": null }, "aggregate": { "count": 2 } }]));

        let one = operation("One").replace("\"x\"", &zoe["id"].to_string());
        let one = server.data(&one, json!({})).await;
        assert_eq!(one["customer"]["email"], "z@b.c");
        assert_eq!(one["node"], json!({ "__typename": "Customer", "name": "Zoe" }));

        let old = server.data(&operation("Old"), json!({})).await;
        assert_eq!(old, json!({ "customers": { "nodes": [] } }));
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
        let feed = r#"{ authoreds { totalCount } feedItems { nodes { __typename ... on Post { title } } } }"#;
        let empty = json!({ "authoreds": { "totalCount": 0 }, "feedItems": { "nodes": Value::Array(Vec::new()) } });
        assert_eq!(server.data(feed, json!({})).await, empty);
    });
}
