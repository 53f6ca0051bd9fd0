//! Aggregates and groups: how they are read, what they say at the edges, what they refuse.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};

const SCHEMA: &str = "
type Shop @collection { id: ID! name: String! @unique sales: [Sale!]! @relation(inverse: \"shop\") tags: [Tag!]! @relation(inverse: \"shops\") }
type Tag @collection { id: ID! word: String! @unique shops: [Shop!]! @relation(inverse: \"tags\") }
type Sale @collection @index(fields: [\"shop\", \"amount\"]) @index(fields: [\"land\", \"at\"]) {
  id: ID!
  number: Int! @unique
  land: CountryCode
  amount: Decimal! @precision(digits: 10, scale: 2)
  price: Decimal
  weight: Float
  big: BigInt
  at: DateTime!
  day: Date
  span: Duration
  kind: Kind
  note: String
  count: Int
  secret: Int @hidden
  words: [String!]
  shop: Shop @relation(inverse: \"sales\")
}
enum Kind { OLD NEW }
";

async fn open() -> Server {
    let server = Server::open(SCHEMA).await;
    let shops = r#"mutation { createShops(data: [{ name: "A" }, { name: "B" }, { name: "C" }]) { affectedCount } }"#;
    server.data(shops, json!({})).await;
    let tags = r#"mutation { createTags(data: [
        { word: "x", shops: { connect: [{ name: "A" }, { name: "B" }] } }, { word: "y", shops: { connect: [{ name: "A" }] } }]) { affectedCount } }"#;
    server.data(tags, json!({})).await;
    let sale = |number: i64, land: Value, amount: &str, at: &str, shop: Value| {
        let connect = if shop.is_null() { json!(null) } else { json!({ "connect": { "name": shop } }) };
        json!({ "number": number, "land": land, "amount": amount, "at": at, "shop": connect })
    };
    let sales = json!([
        sale(1, json!("DE"), "1.50", "2024-12-31T23:59:59Z", json!("A")),
        sale(2, json!("DE"), "2", "2025-01-01T00:00:00Z", json!("A")),
        sale(3, json!("FR"), "2.00", "2025-01-05T12:00:00Z", json!("B")),
        sale(4, json!(null), "0.01", "2025-01-06T00:00:00Z", json!("A")),
        sale(5, json!(null), "10", "2025-02-01T00:00:00Z", json!(null)),
    ]);
    let create = "mutation($data: [SaleCreate!]!) { createSales(data: $data) { affectedCount } }";
    server.data(create, json!({ "data": sales })).await;
    let more = r#"mutation {
        a: updateSale(by: { number: 1 }, data: { price: "0.10", weight: 0.1, big: "9223372036854775807", span: "PT1H", kind: OLD, note: "n", count: 7, day: "2024-02-29" }) { commit { version } }
        b: updateSale(by: { number: 2 }, data: { price: "0.1", weight: 0.2, big: "1", span: "PT30M", kind: NEW, note: "n", count: 7, day: "2024-03-01" }) { commit { version } }
        c: updateSale(by: { number: 3 }, data: { price: "0.2", weight: 1e300, kind: NEW, note: "m" }) { commit { version } } }"#;
    server.data(more, json!({})).await;
    server
}

async fn folded(server: &Server, field: &str) -> Value {
    server.data(&format!("{{ it: {field} }}"), json!({})).await["it"].take()
}

#[test]
fn values_are_folded_by_their_types() {
    run(async {
        let server = open().await;
        let all = "sales { aggregate { count id { count countDistinct } land { count countDistinct } amount { sum avg min max countDistinct }
            price { count countDistinct sum avg min max } weight { sum avg min max } at { min max countDistinct } day { min max }
            span { sum min max } kind { count countDistinct } note { countDistinct } shop { count countDistinct } number { sum avg min max } } }";
        let wanted = json!({
            "count": 5, "id": { "count": 5, "countDistinct": 5 }, "land": { "count": 3, "countDistinct": 2 },
            "amount": { "sum": "15.51", "avg": "3.102", "min": "0.01", "max": "10.00", "countDistinct": 4 },
            "price": { "count": 3, "countDistinct": 2, "sum": "0.4", "avg": "0.1333333333", "min": "0.1", "max": "0.2" },
            "weight": { "sum": 1e300, "avg": 1e300 / 3.0, "min": 0.1, "max": 1e300 },
            "at": { "min": "2024-12-31T23:59:59Z", "max": "2025-02-01T00:00:00Z", "countDistinct": 5 },
            "day": { "min": "2024-02-29", "max": "2024-03-01" },
            "span": { "sum": "PT1H30M", "min": "PT30M", "max": "PT1H" },
            "kind": { "count": 3, "countDistinct": 2 }, "note": { "countDistinct": 2 },
            "shop": { "count": 4, "countDistinct": 2 }, "number": { "sum": "15", "avg": 3.0, "min": 1, "max": 5 },
        });
        assert_eq!(folded(&server, all).await["aggregate"], wanted);
        let none =
            "sales(where: { number: { gt: 100 } }, first: 1) { aggregate { count amount { count sum avg min max } } }";
        let wanted =
            json!({ "count": 0, "amount": { "count": 0, "sum": null, "avg": null, "min": null, "max": null } });
        assert_eq!(folded(&server, none).await["aggregate"], wanted);
    });
}

#[test]
fn a_sum_that_its_type_does_not_hold_is_an_error_at_its_place() {
    run(async {
        let server = open().await;
        let answer = server.ask("{ sales { aggregate { big { sum avg max } } } }", json!({})).await;
        let found = &answer["data"]["sales"]["aggregate"]["big"];
        assert_eq!(*found, json!({ "sum": null, "avg": 4_611_686_018_427_387_904.0, "max": "9223372036854775807" }));
        let error = &answer["errors"][0];
        assert_eq!(error["path"], json!(["sales", "aggregate", "big", "sum"]));
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(error["locations"], json!([{ "line": 1, "column": 29 }]));
    });
}

#[test]
fn a_sum_that_its_type_does_not_hold_fails_the_mutation_that_asks_for_it() {
    run(async {
        let server = open().await;
        let mutation = "mutation { s: updateSale(by: { number: 3 }, data: { note: \"new\" }) {
            query { sales { aggregate { big { sum } } } } } }";
        let answer = server.ask(mutation, json!({})).await;
        assert_eq!(answer["data"], json!(null), "{answer:#}");
        let path = json!(["s", "query", "sales", "aggregate", "big", "sum"]);
        assert_eq!(answer["errors"][0]["path"], path, "{answer:#}");
        let after = server.data("{ sale(by: { number: 3 }) { note } }", json!({})).await;
        assert_eq!(after["sale"]["note"], "m");
    });
}

#[test]
fn groups_have_keys_an_order_and_pages() {
    run(async {
        let server = open().await;
        let lands = "sales { groups(by: { land: true }) { key { land at kind shop { id } } aggregate { count amount { sum } } } }";
        let group = |land: Value, count: i64, sum: &str| {
            let key = json!({ "land": land, "at": null, "kind": null, "shop": null });
            json!({ "key": key, "aggregate": { "count": count, "amount": { "sum": sum } } })
        };
        let wanted = [group(json!(null), 2, "10.01"), group(json!("DE"), 2, "3.50"), group(json!("FR"), 1, "2.00")];
        assert_eq!(folded(&server, lands).await["groups"], json!(wanted));
        let weeks = "sales { groups(by: [{ at: WEEK }], orderBy: [{ count: DESC }, { at: DESC }], first: 2, offset: 1) { key { at } aggregate { count } } }";
        let wanted = json!([
            { "key": { "at": "2025-01-27T00:00:00Z" }, "aggregate": { "count": 1 } },
            { "key": { "at": "2025-01-06T00:00:00Z" }, "aggregate": { "count": 1 } },
        ]);
        assert_eq!(folded(&server, weeks).await["groups"], wanted);
        let shops = "sales(where: { shop: { isNull: false } }) { groups(by: [{ shop: true }, { kind: true }], having: { not: { amount: { max: { lt: \"1.5\" } } } },
            orderBy: [{ amountSum: ASC }, { kind: DESC_NULLS_FIRST }]) { key { shop { name sales(first: 1, orderBy: { number: DESC }) { nodes { number } } } kind } } }";
        let key = |shop: &str, number: i64, kind: &str| json!({ "key": { "shop": { "name": shop, "sales": { "nodes": [{ "number": number }] } }, "kind": kind } });
        assert_eq!(
            folded(&server, shops).await["groups"],
            json!([key("A", 4, "OLD"), key("A", 4, "NEW"), key("B", 3, "NEW")])
        );
        let months = "sales { groups(by: [{ day: MONTH }, { count: true }], orderBy: [{ day: ASC_NULLS_LAST }]) { key { day count } } }";
        let wanted = json!([
            { "key": { "day": "2024-02-01", "count": 7 } },
            { "key": { "day": "2024-03-01", "count": 7 } },
            { "key": { "day": null, "count": null } },
        ]);
        assert_eq!(folded(&server, months).await["groups"], wanted);
    });
}

#[test]
fn each_parent_has_its_own() {
    run(async {
        let server = open().await;
        let query = "{ shops(orderBy: { name: ASC }) { nodes { name tags { aggregate { count word { countDistinct } } } count: tags { aggregate { count } }
            sales { aggregate { count amount { sum } } groups(by: { land: true }) { key { land } aggregate { count } } } } } }";
        let shop = |name: &str, tags: i64, sum: Value, groups: Value| {
            let count = groups
                .as_array()
                .unwrap()
                .iter()
                .map(|group| group["aggregate"]["count"].as_i64().unwrap())
                .sum::<i64>();
            json!({ "name": name, "tags": { "aggregate": { "count": tags, "word": { "countDistinct": tags } } },
                "count": { "aggregate": { "count": tags } },
                "sales": { "aggregate": { "count": count, "amount": { "sum": sum } }, "groups": groups } })
        };
        let group = |land: Value, count: i64| json!({ "key": { "land": land }, "aggregate": { "count": count } });
        let wanted = json!([
            shop("A", 2, json!("3.51"), json!([group(json!(null), 1), group(json!("DE"), 2)])),
            shop("B", 1, json!("2.00"), json!([group(json!("FR"), 1)])),
            shop("C", 0, json!(null), json!([])),
        ]);
        assert_eq!(server.data(query, json!({})).await["shops"]["nodes"], wanted);
    });
}

#[test]
fn an_index_that_tells_all_is_read_alone() {
    run(async {
        let server = open().await;
        let covered = [
            ("sales { aggregate { count } }", "index"),
            ("sales { aggregate { amount { sum avg min max countDistinct } } }", "index shop_amount on Sale []"),
            (
                "sales { groups(by: { shop: true }) { key { shop { name } } aggregate { amount { sum } } } }",
                "index shop_amount on Sale []",
            ),
            (
                "sales(where: { land: { eq: \"DE\" } }) { groups(by: { at: YEAR }) { aggregate { count } } }",
                "index land_at on Sale [= \"DE\"]",
            ),
            (
                "sales(where: { land: { in: [\"DE\", \"FR\"] } }) { aggregate { count at { max } } }",
                "index land_at on Sale [in 2 values]",
            ),
            ("shops { nodes { sales { aggregate { amount { sum } } } } }", "index shop_amount on Sale [= parent]"),
            ("shops { nodes { tags { aggregate { count } } } }", "links of each parent"),
        ];
        for (query, access) in covered {
            let plan = server.explain(&format!("{{ {query} }}"), json!({})).await;
            let at = plan.find("from entries alone").unwrap_or_else(|| panic!("{query}\n{plan}"));
            assert!(plan[at..].contains(access), "{query}\n{plan}");
            assert!(!plan.contains("warning"), "{query}\n{plan}");
        }
        let scanned = server.explain("{ sales { aggregate { note { countDistinct } } } }", json!({})).await;
        assert_eq!(
            scanned.lines().collect::<Vec<_>>()[1..],
            [
                "  sales: Sale first 20",
                "    aggregate",
                "      scan of all Sale in order, rows~10000 cost~30000",
                "warning: No index covers the aggregate of \"sales.aggregate\": every Sale is read.",
            ]
        );
        // An entry does not say how the filter's other condition comes out.
        let filtered =
            "{ sales(where: { land: { eq: \"DE\" }, note: { eq: \"n\" } }) { aggregate { count at { min } } } }";
        assert!(!server.explain(filtered, json!({})).await.contains("from entries alone"));
    });
}

#[test]
fn bad_arguments_are_refused_where_they_stand() {
    run(async {
        let server = open().await;
        let cases = [
            ("by: []", "BAD_USER_INPUT", json!(["by"])),
            ("by: { land: false }", "BAD_USER_INPUT", json!(["by", 0, "land"])),
            ("by: [{ land: true }, { land: true }]", "BAD_USER_INPUT", json!(["by", 1, "land"])),
            ("by: { land: true }, having: {}", "BAD_USER_INPUT", json!(["having"])),
            ("by: { land: true }, having: { amount: {} }", "BAD_USER_INPUT", json!(["having", "amount"])),
            (
                "by: { land: true }, having: { amount: { sum: { gt: null } } }",
                "BAD_USER_INPUT",
                json!(["having", "amount", "sum", "gt"]),
            ),
            ("by: { land: true }, having: { or: [] }", "BAD_USER_INPUT", json!(["having", "or"])),
            (
                "by: { land: true }, having: { count: { gt: $none } }",
                "BAD_USER_INPUT",
                json!(["having", "count", "gt"]),
            ),
            ("by: { land: true }, orderBy: { at: ASC }", "BAD_USER_INPUT", json!(["orderBy", 0, "at"])),
            ("by: { land: true }, first: -1", "BAD_USER_INPUT", json!(["first"])),
            ("by: { land: true }, offset: 1000001", "BAD_USER_INPUT", json!(["offset"])),
            ("by: { land: true }, first: 1001", "PAGE_TOO_LARGE", json!(["first"])),
        ];
        for (arguments, code, path) in cases {
            let variable = if arguments.contains("$none") { "query($none: Int)" } else { "" };
            let query = format!("{variable} {{ sales {{ groups({arguments}) {{ aggregate {{ count }} }} }} }}");
            let error = server.error(&query, json!({})).await;
            assert_eq!(
                (&error["extensions"]["code"], &error["extensions"]["inputPath"]),
                (&json!(code), &path),
                "{arguments}"
            );
        }
        for invalid in
            ["by: { day: HOUR }", "by: { words: true }", "by: { secret: true }", "by: { land: true, at: DAY }"]
        {
            let query = format!("{{ sales {{ groups({invalid}) {{ aggregate {{ count }} }} }} }}");
            let error = server.error(&query, json!({})).await;
            assert_eq!(error["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{invalid}");
        }
        let none = folded(&server, "sales { groups(by: { land: true }, first: 0) { aggregate { count } } }").await;
        assert_eq!(none["groups"], json!([]));
    });
}

#[test]
fn groups_cost_their_page_for_each_parent() {
    run(async {
        let server = open().await;
        let query = "{ shops(first: 10) { nodes { sales { aggregate { count } groups(by: { land: true }, first: 7) { aggregate { count } } } } } }";
        let answer = server.ask(query, json!({})).await;
        // Ten shops, a page of sales for each, one aggregate for each, seven groups for each.
        assert_eq!(answer["extensions"]["cost"], json!(10 + 10 * 20 + 10 + 10 * 7));
    });
}
