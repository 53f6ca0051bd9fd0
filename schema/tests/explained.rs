//! What `X-Explain` tells of an operation, and how many batches reading takes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod server;
mod shop;

use serde_json::{Value, json};
use server::{Server, json as body, request, run};
use vivarium_schema::plan::Limits;
use vivarium_schema::{Explain, Request};

async fn explained(server: &Server, query: &str, explain: Explain) -> Value {
    let request = Request { explain: Some(explain), ..request(query, json!({})) };
    body(&server.send(request).await)
}

/// A plan without what depends on the machine: each step as a line.
fn lines(node: &Value, depth: usize, out: &mut String) {
    let mut line = format!(
        "{:indent$}{} | {}",
        "",
        node["op"].as_str().unwrap(),
        node["detail"].as_str().unwrap(),
        indent = depth * 2
    );
    for name in ["index", "warning", "estimatedRows", "estimatedCost", "actualRows", "batches"] {
        if let Some(value) = node.get(name) {
            line.push_str(&format!(" | {name}: {value}"));
        }
    }
    assert_eq!(node.get("micros").is_some(), node.get("actualRows").is_some());
    out.push_str(&line);
    out.push('\n');
    node["children"].as_array().unwrap().iter().for_each(|child| lines(child, depth + 1, out));
}

fn plan(answer: &Value) -> String {
    let mut out = String::new();
    lines(&answer["extensions"]["plan"], 0, &mut out);
    out
}

const QUERY: &str = r#"{
    customers(where: { tags: { has: "vip" }, name: { startsWith: "A" } }) {
        nodes { name orders(first: 2) { nodes { number lines { aggregate { count } } } } }
    }
    products(where: { stock: { gt: 3 } }, orderBy: { price: ASC }, first: 1) { nodes { title } }
    category(by: { slug: "ferns" }) { parent { title } }
}"#;

#[test]
fn a_plan_is_told_without_running_it() {
    run(async {
        let server = shop::open().await;
        let answer = explained(&server, QUERY, Explain::Plan).await;
        assert_eq!(answer["data"], Value::Null);
        assert!(answer.get("errors").is_none(), "{answer}");
        insta::assert_snapshot!(plan(&answer), @r#"
        Query | query cost=902
          Connection | customers: Customer first 20
            Intersection | Customer that 2 accesses all lead to in order | estimatedRows: 1 | estimatedCost: 4
              IndexRange | index name on Customer [begins with "A"] | index: "name" | estimatedRows: 1 | estimatedCost: 1
              IndexRange | index tags on Customer [= "vip"] | index: "tags" | estimatedRows: 2 | estimatedCost: 2
            Connection | orders: Order first 2
              IndexRange | index customer on Order [= parent] in order | index: "customer" | estimatedRows: 100 | estimatedCost: 15
              Connection | lines: OrderLine first 20
                Aggregate | aggregate from entries alone
                  IndexRange | index order on OrderLine [= parent] | index: "order" | estimatedRows: 100 | estimatedCost: 21
          Connection | products: Product first 1
            IndexRange | index price on Product [] in order then filter | index: "price" | warning: "every Product is read: @index(fields: [\"stock\"]) would serve it" | estimatedRows: 5 | estimatedCost: 2
          Get | category: Category by unique key, rows=1
            References | parent: Category by reference
        "#);
        let write =
            r#"mutation { deleteOrders(where: { status: { in: [PAID, NEW] } }, maxAffected: 9) { affectedCount } }"#;
        insta::assert_snapshot!(plan(&explained(&server, write, Explain::Plan).await), @r#"
        Mutation | mutation cost=10
          Write | deleteOrders: delete many Order
            Connection | at most 9 Order
              IndexRange | index status_placedAt on Order [in 2 values] | index: "status_placedAt" | estimatedRows: 200 | estimatedCost: 1100
              Otherwise | beyond 5000 entries instead:
                Scan | scan of all Order in order then filter | estimatedRows: 10000 | estimatedCost: 2925
        "#);
        let all = server.data("{ orders { totalCount } }", json!({})).await;
        assert_eq!(all["orders"]["totalCount"], 5, "nothing ran");
    });
}

#[test]
fn an_analyzed_operation_says_what_each_step_came_to() {
    run(async {
        let server = shop::open().await;
        let answer = explained(&server, QUERY, Explain::Analyze).await;
        assert_eq!(answer["data"]["customers"]["nodes"][0]["name"], "Ada");
        insta::assert_snapshot!(plan(&answer), @r#"
        Query | query cost=902
          Connection | customers: Customer first 20 | actualRows: 1 | batches: 6
            Intersection | Customer that 2 accesses all lead to in order | estimatedRows: 1 | estimatedCost: 4 | actualRows: 1 | batches: 3
              IndexRange | index name on Customer [begins with "A"] | index: "name" | estimatedRows: 1 | estimatedCost: 1 | actualRows: 1 | batches: 0
              IndexRange | index tags on Customer [= "vip"] | index: "tags" | estimatedRows: 2 | estimatedCost: 2 | actualRows: 1 | batches: 0
            Connection | orders: Order first 2 | actualRows: 2 | batches: 3
              IndexRange | index customer on Order [= parent] in order | index: "customer" | estimatedRows: 100 | estimatedCost: 15 | actualRows: 3 | batches: 2
              Connection | lines: OrderLine first 20 | actualRows: 0 | batches: 1
                Aggregate | aggregate from entries alone | actualRows: 2 | batches: 0
                  IndexRange | index order on OrderLine [= parent] | index: "order" | estimatedRows: 100 | estimatedCost: 21 | actualRows: 3 | batches: 1
          Connection | products: Product first 1 | actualRows: 1 | batches: 2
            IndexRange | index price on Product [] in order then filter | index: "price" | warning: "every Product is read: @index(fields: [\"stock\"]) would serve it" | estimatedRows: 5 | estimatedCost: 2 | actualRows: 5 | batches: 2
          Get | category: Category by unique key, rows=1 | actualRows: 1 | batches: 1
            References | parent: Category by reference | actualRows: 1 | batches: 0
        "#);
        let write =
            r#"mutation { deleteOrders(where: { status: { in: [PAID, NEW] } }, maxAffected: 9) { affectedCount } }"#;
        let answer = explained(&server, write, Explain::Analyze).await;
        assert_eq!(answer["data"]["deleteOrders"]["affectedCount"], 3);
        insta::assert_snapshot!(plan(&answer), @r#"
        Mutation | mutation cost=10
          Write | deleteOrders: delete many Order
            Connection | at most 9 Order
              IndexRange | index status_placedAt on Order [in 2 values] | index: "status_placedAt" | estimatedRows: 200 | estimatedCost: 1100 | actualRows: 3 | batches: 2
              Otherwise | beyond 5000 entries instead:
                Scan | scan of all Order in order then filter | estimatedRows: 10000 | estimatedCost: 2925
        "#);
        assert!(server.ask("{ orders { totalCount } }", json!({})).await["extensions"].get("plan").is_none());
    });
}

const MUSIC: &str = r#"
type Artist @collection { id: ID! name: String! @index albums: [Album!]! @relation(inverse: "artist") }
type Album @collection @index(fields: ["artist", "title"]) {
  id: ID! title: String! artist: Artist! @relation(inverse: "albums") tracks: [Track!]! @relation(inverse: "album")
}
type Track @collection @index(fields: ["album", "number"]) {
  id: ID! number: Int! album: Album! @relation(inverse: "tracks")
}
"#;

/// Fetching children costs a batch of entries and one of documents a level, whatever the width.
#[test]
fn a_level_is_two_batches_whatever_its_width() {
    run(async {
        let server = Server::open(MUSIC).await;
        for artist in 0..100 {
            let tracks =
                |album: i32| -> Vec<Value> { (0..1 + album % 3).map(|number| json!({ "number": number })).collect() };
            let albums: Vec<Value> = (0..3)
                .map(|album| json!({ "title": format!("{album}"), "tracks": { "create": tracks(artist + album) } }))
                .collect();
            let data = json!({ "name": format!("{artist:03}"), "albums": { "create": albums } });
            server
                .data(
                    "mutation($data: ArtistCreate!) { createArtist(data: $data) { artist { name } } }",
                    json!({ "data": data }),
                )
                .await;
        }
        for (width, tracks) in [(1, 6), (10, 60), (100, 600)] {
            let query = format!(
                "{{ artists(orderBy: {{ name: ASC }}, first: {width}) {{ nodes {{ name albums(orderBy: {{ title: ASC }}) \
                 {{ nodes {{ title tracks(orderBy: {{ number: DESC }}) {{ nodes {{ number }} }} }} }} }} }} }}"
            );
            let answer = explained(&server, &query, Explain::Analyze).await;
            let child = |node: &Value| {
                let children = node["children"].as_array().unwrap().clone();
                children.into_iter().find(|child| child["op"] == "Connection").unwrap()
            };
            let mut level = child(&answer["extensions"]["plan"]);
            for (depth, rows) in [width, 3 * width, tracks].into_iter().enumerate() {
                let batches = level["batches"].as_u64().unwrap();
                assert_eq!(level["actualRows"], rows, "{level:#}");
                assert!(batches <= 2 * (3 - depth as u64), "{batches} batches at depth {depth} and below\n{level:#}");
                if depth < 2 {
                    level = child(&level);
                }
            }
        }
    });
}

#[test]
fn scans_at_the_other_end_of_a_relation_are_told_and_refused() {
    run(async {
        let server = Server::open(MUSIC).await;
        let query = r#"{ tracks(where: { album: { artist: { name: { contains: "x" } } } }) { totalCount } }"#;
        let warnings = server.ask(query, json!({})).await["extensions"]["warnings"].clone();
        insta::assert_snapshot!(warnings, @r#"["No index serves a relation's filter within \"tracks\": every Artist is read."]"#);
        let either = r#"{ artists(where: { or: [{ name: { eq: "a" } }, { albums: { some: { title: { eq: "b" } } } }] }) { totalCount } }"#;
        let warnings = server.ask(either, json!({})).await["extensions"]["warnings"].clone();
        insta::assert_snapshot!(warnings, @r#"["No index serves the filter of \"artists\": every Artist is read."]"#);
        let server = Server::with(MUSIC, Limits { refuse_scans: true, ..Limits::default() }).await;
        let refused = server.error(either, json!({})).await;
        assert_eq!(refused["extensions"]["code"], "QUERY_TOO_COMPLEX");
        let served =
            r#"{ artists(where: { or: [{ name: { eq: "a" } }, { name: { startsWith: "b" } }] }) { totalCount } }"#;
        server.data(served, json!({})).await;
    });
}
