//! Values inside values, references from inside lists, and relations of one to one.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::json;
use server::{Server, run};

const SCHEMA: &str = r#"
type Kit @collection @index(fields: ["parts.code"]) {
  id: ID!
  name: String! @unique
  parts: [Part!]! @default(value: [])
  states: [State!]! @default(value: [])
  sizes: [Int] 
  manual: Manual @relation(inverse: "kit")
  next: Kit @relation(inverse: "previous")
  previous: Kit @relation(inverse: "next")
}
type Part { code: String! count: Int maker: Maker @relation(onDelete: SET_NULL) inside: Inside }
type Inside { floor: Int! maker: Maker @relation }
enum State { NEW USED BROKEN }
type Manual @collection { id: ID! title: String! @unique pages: Int kit: Kit! @relation(inverse: "manual") }
type Maker @collection { id: ID! name: String! @unique }
"#;

async fn open() -> Server {
    let server = Server::open(SCHEMA).await;
    let maker = |name: &str| {
        let query = format!("mutation {{ createMaker(data: {{ name: {name:?} }}) {{ maker {{ id }} }} }}");
        (query, json!({}))
    };
    let (query, none) = maker("Ada");
    let ada = server.data(&query, none).await["createMaker"]["maker"]["id"].take();
    let (query, none) = maker("Bo");
    let bo = server.data(&query, none).await["createMaker"]["maker"]["id"].take();
    let kits = json!([
        { "name": "one", "states": ["NEW", "USED"], "sizes": [1, null, 3], "parts": [
            { "code": "a", "count": 1, "maker": ada, "inside": { "floor": 2, "maker": bo } },
            { "code": "b", "count": null, "maker": bo },
        ] },
        { "name": "two", "states": ["BROKEN"], "parts": [{ "code": "a", "count": 5, "maker": ada }] },
        { "name": "three" },
    ]);
    let query = "mutation($data: [KitCreate!]!) { createKits(data: $data) { affectedCount } }";
    server.data(query, json!({ "data": kits })).await;
    let links = r#"mutation {
      a: updateKit(by: { name: "one" }, data: { next: { connect: { name: "two" } } }) { kit { name } }
      b: updateKit(by: { name: "two" }, data: { next: { connect: { name: "three" } } }) { kit { name } }
      c: createManual(data: { title: "How", pages: 9, kit: { connect: { name: "two" } } }) { manual { title } }
      d: createManual(data: { title: "Why", pages: 3, kit: { connect: { name: "one" } } }) { manual { title } }
    }"#;
    server.data(links, json!({})).await;
    server
}

async fn names(server: &Server, filter: &str) -> Vec<String> {
    let query = format!("{{ kits(where: {filter}, orderBy: {{ name: ASC }}) {{ nodes {{ name }} }} }}");
    let data = server.data(&query, json!({})).await;
    let nodes = data["kits"]["nodes"].as_array().unwrap().clone();
    nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn references_inside_lists_are_followed() {
    run(async {
        let server = open().await;
        let query = "{ kits(orderBy: { name: ASC }) { nodes { name states sizes parts { __typename code count maker { name } inside { floor maker { name } } } } } }";
        let data = server.data(query, json!({})).await;
        let wanted = json!([
            { "name": "one", "states": ["NEW", "USED"], "sizes": [1, null, 3], "parts": [
                { "__typename": "Part", "code": "a", "count": 1, "maker": { "name": "Ada" }, "inside": { "floor": 2, "maker": { "name": "Bo" } } },
                { "__typename": "Part", "code": "b", "count": null, "maker": { "name": "Bo" }, "inside": null },
            ] },
            { "name": "three", "states": [], "sizes": null, "parts": [] },
            { "name": "two", "states": ["BROKEN"], "sizes": null, "parts": [
                { "__typename": "Part", "code": "a", "count": 5, "maker": { "name": "Ada" }, "inside": null },
            ] },
        ]);
        assert_eq!(data["kits"]["nodes"], wanted);
    });
}

#[test]
fn lists_of_values_are_filtered() {
    run(async {
        let server = open().await;
        for (filter, wanted) in [
            (r#"{ parts: { some: { code: { eq: "a" } } } }"#, vec!["one", "two"]),
            (r#"{ parts: { some: { code: { eq: "a" }, count: { gt: 3 } } } }"#, vec!["two"]),
            (r#"{ parts: { some: { code: { in: ["b", "z"] } } } }"#, vec!["one"]),
            (r#"{ parts: { every: { code: { eq: "a" } } } }"#, vec!["three", "two"]),
            (r#"{ parts: { none: { count: { isNull: true } } } }"#, vec!["three", "two"]),
            (r#"{ parts: { count: { gte: 1, lt: 2 } } }"#, vec!["two"]),
            (r#"{ parts: { some: { maker: { name: { eq: "Bo" } } } } }"#, vec!["one"]),
            (r#"{ parts: { some: { inside: { maker: { name: { eq: "Bo" } } } } } }"#, vec!["one"]),
            (r#"{ parts: { some: { inside: { isNull: true } } } }"#, vec!["one", "two"]),
            (
                r#"{ parts: { some: { or: [{ inside: { floor: { eq: 2 } } }, { count: { eq: 5 } }] } } }"#,
                vec!["one", "two"],
            ),
            (r#"{ states: { has: USED } }"#, vec!["one"]),
            (r#"{ states: { containedIn: [NEW, USED] } }"#, vec!["one", "three"]),
            (r#"{ sizes: { has: 3 } }"#, vec!["one"]),
            (r#"{ sizes: { isNull: true } }"#, vec!["three", "two"]),
        ] {
            assert_eq!(names(&server, filter).await, wanted, "{filter}");
        }
        let plan = server
            .explain(r#"{ kits(where: { parts: { some: { code: { eq: "a" } } } }) { totalCount } }"#, json!({}))
            .await;
        assert!(plan.contains(r#"index parts.code on Kit [= "a"]"#) || plan.contains("on Kit [= \"a\"]"), "{plan}");
    });
}

#[test]
fn one_to_one_leads_both_ways() {
    run(async {
        let server = open().await;
        let query = "{ kits(orderBy: [{ manual: { pages: ASC_NULLS_LAST } }]) { nodes { name manual { title kit { name } } next { name next { name } } previous { name } } } manuals(orderBy: { kit: { name: DESC } }) { nodes { title } } }";
        let data = server.data(query, json!({})).await;
        let wanted = json!([
            { "name": "one", "manual": { "title": "Why", "kit": { "name": "one" } }, "next": { "name": "two", "next": { "name": "three" } }, "previous": null },
            { "name": "two", "manual": { "title": "How", "kit": { "name": "two" } }, "next": { "name": "three", "next": null }, "previous": { "name": "one" } },
            { "name": "three", "manual": null, "next": null, "previous": { "name": "two" } },
        ]);
        assert_eq!(data["kits"]["nodes"], wanted);
        assert_eq!(data["manuals"]["nodes"], json!([{ "title": "How" }, { "title": "Why" }]));
        for (filter, wanted) in [
            ("{ manual: { isNull: true } }", vec!["three"]),
            ("{ manual: { isNull: false } }", vec!["one", "two"]),
            ("{ manual: { pages: { gt: 5 } } }", vec!["two"]),
            ("{ next: { isNull: true } }", vec!["three"]),
            ("{ previous: { isNull: true } }", vec!["one"]),
            (r#"{ previous: { name: { eq: "two" } } }"#, vec!["three"]),
            (r#"{ next: { manual: { title: { eq: "How" } } } }"#, vec!["one"]),
            (r#"{ not: { next: { name: { eq: "two" } } } }"#, vec!["three", "two"]),
        ] {
            assert_eq!(names(&server, filter).await, wanted, "{filter}");
        }
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}
