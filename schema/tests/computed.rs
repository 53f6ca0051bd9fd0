//! Computed fields: what they give, that they are found, sorted and kept unique like any other, and how they change.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};
use vivarium_schema::database::{ApplyOptions, Error};

const ORDERS: &str = r#"
type Order @collection @unique(fields: ["label"]) @index(fields: ["total"]) {
  id: ID!
  number: Int!
  prefix: String
  lines: [Line!]! @default(value: [])
  label: String! @computed(expr: "coalesce(prefix + '-', '') + number")
  total: Decimal! @computed(expr: "sum(lines.amount)")
  gross: Decimal! @computed(expr: "round(sum(lines.amount) * 1.19, 2)", stored: true) @precision(digits: 8, scale: 2) @check(expr: { lt: "5000" })
}
type Line { sku: String! qty: Int! amount: Decimal! }
"#;

async fn create(server: &Server, data: &str, selection: &str) -> Value {
    let query = format!("mutation {{ createOrder(data: {data}) {{ order {{ {selection} }} }} }}");
    server.data(&query, json!({})).await["createOrder"]["order"].take()
}

async fn refused(server: &Server, mutation: &str) -> (Value, Value, Value) {
    let error = server.error(&format!("mutation {{ {mutation} {{ commit {{ version }} }} }}"), json!({})).await;
    let of = |name: &str| error["extensions"][name].clone();
    (of("code"), of("inputPath"), error["message"].clone())
}

async fn verified(server: &Server) {
    assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
}

#[test]
fn they_are_read_filtered_sorted_and_kept_unique_like_others() {
    run(async {
        let server = Server::open(ORDERS).await;
        let lines = r#"lines: [{ sku: "a", qty: 1, amount: "9.90" }, { sku: "b", qty: 2, amount: "0.105" }]"#;
        let first = create(&server, &format!("{{ number: 1, prefix: \"A\", {lines} }}"), "label total gross").await;
        assert_eq!(first, json!({ "label": "A-1", "total": "10.005", "gross": "11.91" }));
        assert_eq!(create(&server, "{ number: 2 }", "label total gross").await["gross"], json!("0.00"));
        let by = "{ order(by: { label: \"A-1\" }) { number } }";
        assert_eq!(server.data(by, json!({})).await, json!({ "order": { "number": 1 } }));
        let list = "{ orders(where: { total: { gt: 10 }, label: { startsWith: \"A\" } }, orderBy: { gross: DESC }) { nodes { number } } }";
        assert_eq!(server.data(list, json!({})).await, json!({ "orders": { "nodes": [{ "number": 1 }] } }));
        let plan = server.explain("{ orders(where: { total: { gt: 10 } }) { totalCount } }", json!({})).await;
        assert!(plan.contains("index total on Order [> 10]"), "{plan}");
        let (code, ..) = refused(&server, "createOrder(data: { number: 1, prefix: \"A\" })").await;
        assert_eq!(code, "UNIQUE_VIOLATION");
        let query = "mutation { updateOrder(by: { label: \"A-1\" }, data: { prefix: null }, push: { lines: [{ sku: \"c\", qty: 1, amount: 1 }] }) { order { label total gross } } }";
        let updated = server.data(query, json!({})).await;
        assert_eq!(updated["updateOrder"]["order"], json!({ "label": "1", "total": "11.005", "gross": "13.10" }));
        assert_eq!(server.data(by, json!({})).await, json!({ "order": null }), "the old key is gone");
        verified(&server).await;
    });
}

#[test]
fn what_cannot_be_computed_is_not_written() {
    run(async {
        let server = Server::open(ORDERS).await;
        let (code, _, message) = refused(
            &server,
            r#"createOrders(data: [{ number: 1 }, { number: 2, lines: [{ sku: "a", qty: 1, amount: "1000000" }] }])"#,
        )
        .await;
        assert_eq!(code, "CHECK_VIOLATION");
        assert!(
            message.as_str().unwrap().starts_with("Order.gross cannot be computed: This Decimal takes 6 digits"),
            "{message}"
        );
        let (code, path, _) =
            refused(&server, r#"createOrder(data: { number: 2, lines: [{ sku: "a", qty: 1, amount: "4999" }] })"#)
                .await;
        assert_eq!((code, path), (json!("CHECK_VIOLATION"), json!(["data", "gross"])), "a check sees what is computed");
        let (code, ..) = refused(&server, "createOrder(data: { number: 2, label: \"x\" })").await;
        assert_eq!(code, "GRAPHQL_VALIDATION_FAILED", "nobody writes it");
        let (code, ..) = refused(&server, "updateOrder(by: { label: \"1\" }, increment: { total: 1 })").await;
        assert_eq!(code, "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(server.data("{ orders { totalCount } }", json!({})).await, json!({ "orders": { "totalCount": 0 } }));
    });
}

#[test]
fn expressions_mean_what_they_say() {
    let cases = [
        ("Int", "1 + 2 * 3 - 4", json!(3)),
        ("Int", "(1 + 2) * -n", json!(-21)),
        ("Decimal", "n / 2", json!("3.5")),
        ("Decimal", "n / 0", Value::Null),
        ("Decimal", "n / 0 + 1", Value::Null),
        ("Decimal", "d * 3", json!("37.50")),
        ("Decimal", "d - d", json!("0.00")),
        ("Float", "f * 2 + n", json!(8.0)),
        ("Float", "d", json!(12.5)),
        ("Int", "m + 1", Value::Null),
        ("Int", "coalesce(m, n)", json!(7)),
        ("String", "s + ' ' + n + '/' + d", json!("Ünit 7/12.50")),
        ("String", "s + m", Value::Null),
        ("String", "upper(s) + lower('ÄB') + trim('  x ')", json!("ÜNITäbx")),
        ("Int", "length(s)", json!(4)),
        ("Int", "length('it''s')", json!(4)),
        ("String", "join(t, ', ')", json!("a, b")),
        ("Int", "count(t)", json!(2)),
        ("Int", "count(none)", json!(0)),
        ("Int", "sum(none)", json!(0)),
        ("Int", "max(none)", Value::Null),
        ("Int", "sum(ns) + min(ns) + max(ns)", json!(14)),
        ("Decimal", "avg(ns)", json!("3.5")),
        ("Int", "count(ps)", json!(3)),
        ("Int", "sum(ps.x)", json!(5)),
        ("Int", "count(ps.x)", json!(2)),
        ("Int", "abs(0 - n) + abs(n)", json!(14)),
        ("Int", "round(2.5) + round(-2.5) + floor(-0.5) + ceil(0.1)", json!(0)),
        ("Decimal", "round(1.005, 2)", json!("1.01")),
        ("Boolean", "n == 7.0 and s != 'x' or false", json!(true)),
        ("Boolean", "not n > 7 and not not true", json!(true)),
        ("Boolean", "m > 1", Value::Null),
        ("Boolean", "m > 1 and n < 0", json!(false)),
        ("Boolean", "m > 1 or n > 0", json!(true)),
        ("Boolean", "day >= day", json!(true)),
        ("String", "if(m > 1, 'yes', 'no')", json!("no")),
        ("Date", "if(n > 1, day, null)", json!("2026-01-31")),
        ("Int", "p.x", json!(4)),
    ];
    run(async {
        let fields: String = cases
            .iter()
            .enumerate()
            .map(|(at, (of, expression, _))| {
                let stored = if at % 2 == 0 { ", stored: true" } else { "" };
                format!("r{at}: {of} @computed(expr: {}{stored})\n", json!(expression))
            })
            .collect();
        let schema = format!(
            "type Thing @collection {{ id: ID! n: Int! m: Int d: Decimal! f: Float! s: String! t: [String!]! ns: [Int]! none: [Int!] \
             p: P ps: [P!]! day: Date!\n{fields} }} type P {{ x: Int }}"
        );
        let server = Server::open(&schema).await;
        let create = r#"mutation { createThing(data: { n: 7, d: "12.50", f: 0.5, s: "Ünit", t: ["a", "b"], ns: [2, null, 5],
            p: { x: 4 }, ps: [{ x: 4 }, { x: null }, { x: 1 }], day: "2026-01-31" }) { thing { id } } }"#;
        server.data(create, json!({})).await;
        let names: String = (0..cases.len()).map(|at| format!("r{at} ")).collect();
        let found = server.data(&format!("{{ things {{ nodes {{ {names} }} }} }}"), json!({})).await;
        for (at, (_, expression, expected)) in cases.iter().enumerate() {
            assert_eq!(&found["things"]["nodes"][0][format!("r{at}")], expected, "{expression}");
        }
        verified(&server).await;
    });
}

#[test]
fn schemas_change_under_them() {
    run(async {
        let plain = "type Order @collection { id: ID! number: Int! note: String }";
        let server = Server::open(plain).await;
        for number in [1, 2, 3] {
            create(&server, &format!("{{ number: {number} }}"), "id").await;
        }
        let with = |expression: &str, more: &str| {
            format!(
                "type Order @collection {{ id: ID! number: Int! note: String twice: Int! @computed(expr: \"{expression}\"{more}) @index }}"
            )
        };
        let apply = async |schema: &str| server.database.apply_schema(schema, ApplyOptions::default()).await;
        let list = "{ orders(where: { twice: { gte: 4 } }, orderBy: { twice: ASC }) { nodes { twice } } }";
        for more in ["", ", stored: true"] {
            let added = apply(&with("number * 2", more)).await.unwrap();
            assert_eq!(added.backfilled, 3);
            let found = server.data(list, json!({})).await;
            assert_eq!(found, json!({ "orders": { "nodes": [{ "twice": 4 }, { "twice": 6 }] } }));
            // Another name for what it is made of changes nothing; another expression is computed anew.
            apply(&with("number * 2 ", more)).await.unwrap();
            let changed = apply(&with("number * -2", more)).await.unwrap();
            assert_eq!(changed.backfilled, 3);
            let found = server.data("{ orders(where: { twice: { lt: -2 } }) { totalCount } }", json!({})).await;
            assert_eq!(found, json!({ "orders": { "totalCount": 2 } }));
            verified(&server).await;
            let Err(Error::Refused(sentence)) = apply(&with("number * 2000000000", more)).await else { panic!() };
            assert!(
                sentence.contains("has no twice, which cannot be computed: 4000000000 does not fit an Int"),
                "{sentence}"
            );
            let found = server.data("{ orders(where: { twice: { lt: -2 } }) { totalCount } }", json!({})).await;
            assert_eq!(found, json!({ "orders": { "totalCount": 2 } }), "the change is taken back");
            verified(&server).await;
        }
        let options = ApplyOptions { force: true, ..ApplyOptions::default() };
        server.database.apply_schema(plain, options).await.unwrap();
        verified(&server).await;
    });
}

/// Orders of which the last two have one note. Something else than `before` in their type is to be `after`, and notes
/// unique, which cannot be; meanwhile others write and delete.
async fn taken_back(before: &str, after: &str) -> Server {
    let schema = |unique: &str, more: &str| {
        format!("type Order @collection {{ id: ID! number: Int! note: String{unique} {more} }}")
    };
    let server = Server::open(&schema("", before)).await;
    let orders: Vec<_> = (0..600).map(|at| json!({ "number": at, "note": format!("n{}", at.min(598)) })).collect();
    let many = "mutation ($data: [OrderCreate!]!) { createOrders(data: $data) { orders { id } } }";
    let created = server.data(many, json!({ "data": orders })).await;
    let ids = created["createOrders"]["orders"].as_array().unwrap();
    let wish = schema(" @unique", after);
    let options = ApplyOptions { force: true, ..ApplyOptions::default() };
    let database = server.database.clone();
    let mut applying = std::pin::pin!(database.apply_schema(&wish, options));
    let mut number = 0;
    let outcome = loop {
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(applying.as_mut().poll(context))).await;
        if let std::task::Poll::Ready(outcome) = polled {
            break outcome;
        }
        number += 1;
        let (changed, deleted) = (&ids[2 * number]["id"], &ids[2 * number + 1]["id"]);
        let write = format!(
            "mutation {{ updateOrder(by: {{ id: {changed} }}, data: {{ number: 9{number} }}) {{ order {{ id }} }}
             deleteOrder(by: {{ id: {deleted} }}) {{ deletedId }}
             createOrder(data: {{ number: 8{number} }}) {{ order {{ id }} }} }}"
        );
        server.data(&write, json!({})).await;
    };
    assert!(matches!(outcome, Err(Error::Refused(sentence)) if sentence.contains("have the same note")));
    assert!(number > 5, "{number}: others wrote while it was made");
    verified(&server).await;
    server
}

#[test]
fn a_change_of_an_expression_that_is_taken_back_leaves_nothing_behind() {
    run(async {
        for more in [") @index", ", stored: true)", ", stored: true) @index"] {
            let twice = |expression: &str| format!("twice: Int! @computed(expr: \"{expression}\"{more}");
            let server = taken_back(&twice("number * 2"), &twice("number * 3")).await;
            let found =
                server.data("{ orders(first: 1000, orderBy: { twice: ASC }) { nodes { number twice } } }", json!({}));
            let found = found.await;
            let orders = found["orders"]["nodes"].as_array().unwrap();
            assert_eq!(orders.len(), 600);
            for order in orders {
                assert_eq!(order["twice"].as_i64(), order["number"].as_i64().map(|number| number * 2), "{order}");
            }
            let plan = server.explain("{ orders(where: { twice: { gt: 3 } }) { totalCount } }", json!({})).await;
            assert_eq!(plan.contains("index twice on Order"), more.contains("@index"), "{plan}");
        }
    });
}

#[test]
fn a_change_of_a_type_that_is_taken_back_leaves_its_index_whole() {
    run(async {
        let server = taken_back("size: String! @default(value: \"s\") @index", "size: Int @index").await;
        let query = "{ orders(where: { size: { eq: \"s\" } }) { totalCount } }";
        assert_eq!(server.data(query, json!({})).await, json!({ "orders": { "totalCount": 600 } }));
        assert!(server.explain(query, json!({})).await.contains("index size on Order"));
    });
}
