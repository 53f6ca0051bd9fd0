//! What chance found wrong once, in the fewest words that showed it.

use super::print::Text;
use super::served::Served;
use serde_json::{Value as Json, json};

async fn serve(schema: &str) -> Served {
    Served::open("regression", schema, 1, 5_000).await
}

async fn ask(served: &Served, query: &str) -> Json {
    let answer = served.ask(&Text { query: query.to_owned(), variables: Json::Null }).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// A page whose `before` stands in front of its `after` said that records follow which lie in front of `after`.
#[test]
fn cursors_that_have_passed_each_other_bound_an_empty_page() {
    run(async {
        let served = serve("type Thing @collection { id: ID! size: Int! @index }").await;
        ask(&served, "mutation { createThings(data: [{ size: 1 }, { size: 2 }, { size: 3 }]) { affectedCount } }")
            .await;
        for order in ["id: ASC", "size: ASC", "size: DESC"] {
            let all = ask(&served, &format!("{{ things(orderBy: {{ {order} }}) {{ edges {{ cursor }} }} }}")).await;
            let cursor = |at: usize| all["things"]["edges"][at]["cursor"].as_str().unwrap().to_owned();
            let page = format!(
                "{{ things(orderBy: {{ {order} }}, after: \"{}\", before: \"{}\") \
                 {{ nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage }} }} }}",
                cursor(2),
                cursor(0)
            );
            let expected = json!({ "nodes": [], "pageInfo": { "hasNextPage": false, "hasPreviousPage": true } });
            assert_eq!(ask(&served, &page).await["things"], expected, "{order}");
        }
    });
}

/// A cursor of a record that the filter leaves out was taken for one at the same place within the filter's range.
#[test]
fn a_cursor_keeps_its_place_when_the_filter_changes() {
    run(async {
        let served = serve(
            r#"
            enum Color { RED GREEN }
            type Thing @collection @index(fields: ["size", "name"]) @unique(fields: ["color", "code"]) {
              id: ID! size: Int name: String! color: Color! code: Int!
            }
            "#,
        )
        .await;
        let data = r#"[
            { size: null, name: "a", color: RED, code: 1 }
            { size: 1, name: "b", color: GREEN, code: 1 }
            { size: 1, name: "c", color: RED, code: 2 }
            { size: 2, name: "d", color: GREEN, code: 2 }
        ]"#;
        ask(&served, &format!("mutation {{ createThings(data: {data}) {{ affectedCount }} }}")).await;
        let wheres = [
            "size: { isNull: true }",
            "size: { eq: 1 }",
            "size: { eq: 2 }",
            "color: { eq: RED }",
            "color: { eq: GREEN }",
        ];
        let orders = [
            "{ size: ASC }, { name: ASC }",
            "{ size: DESC }, { name: DESC }",
            "{ code: ASC }",
            "{ code: ASC }, { name: DESC }",
        ];
        for order in orders {
            let all =
                ask(&served, &format!("{{ things(orderBy: [{order}]) {{ edges {{ cursor node {{ name }} }} }} }}"))
                    .await;
            let edges = all["things"]["edges"].as_array().unwrap();
            for filter in wheres {
                let whole = format!("{{ things(orderBy: [{order}], where: {{ {filter} }}) {{ nodes {{ name }} }} }}");
                let whole = ask(&served, &whole).await;
                for (at, edge) in edges.iter().enumerate() {
                    let cursor = edge["cursor"].as_str().unwrap();
                    let list = format!("orderBy: [{order}], where: {{ {filter} }}");
                    let after = format!("{{ things({list}, first: 9, after: \"{cursor}\") {{ nodes {{ name }} }} }}");
                    let before = format!("{{ things({list}, last: 9, before: \"{cursor}\") {{ nodes {{ name }} }} }}");
                    let there = |edges: &[Json]| -> Json {
                        let names: Vec<Json> = edges.iter().map(|edge| edge["node"].clone()).collect();
                        let found = whole["things"]["nodes"].as_array().unwrap();
                        names.into_iter().filter(|name| found.contains(name)).collect()
                    };
                    let found = ask(&served, &after).await["things"]["nodes"].clone();
                    assert_eq!(found, there(&edges[at + 1..]), "after {} {order} {filter}", edge["node"]);
                    let found = ask(&served, &before).await["things"]["nodes"].clone();
                    assert_eq!(found, there(&edges[..at]), "before {} {order} {filter}", edge["node"]);
                }
            }
        }
    });
}

/// A unique entry has its record's id in its key when something is null: also when the filter says that it is.
#[test]
fn a_walk_over_the_nulls_of_a_unique_index_ends() {
    run(async {
        let served = serve(
            r#"type Thing @collection @unique(fields: ["size", "code"]) { id: ID! size: Int! code: Int name: String! }"#,
        )
        .await;
        let data = r#"[{ size: 1, name: "a" }, { size: 1, name: "b" }, { size: 1, name: "c" }]"#;
        ask(&served, &format!("mutation {{ createThings(data: {data}) {{ affectedCount }} }}")).await;
        let mut names = String::new();
        let mut after = "null".to_owned();
        for _ in 0..3 {
            let list = format!("where: {{ size: {{ eq: 1 }}, code: {{ isNull: true }} }}, first: 1, after: {after}");
            let page =
                ask(&served, &format!("{{ things({list}) {{ nodes {{ name }} pageInfo {{ endCursor }} }} }}")).await;
            names.push_str(page["things"]["nodes"][0]["name"].as_str().unwrap_or("nothing"));
            after = page["things"]["pageInfo"]["endCursor"].to_string();
        }
        assert_eq!(names, "abc");
    });
}

/// An empty page was read no further than its first batch, so that records passed by its offset were not noticed.
#[test]
fn an_empty_page_behind_an_offset_knows_what_lies_before_it() {
    run(async {
        let served = serve("type Thing @collection { id: ID! size: Int! }").await;
        // The one that matches is not among the first that are read, from either end.
        let sizes = (0..41).map(|at| format!("{{ size: {} }}", i32::from(at == 20)));
        let data = sizes.collect::<Vec<_>>().join(", ");
        ask(&served, &format!("mutation {{ createThings(data: [{data}]) {{ affectedCount }} }}")).await;
        let list = "where: { size: { eq: 1 } }, offset: 1";
        let pages = format!(
            "{{ front: things({list}, first: 0) {{ pageInfo {{ hasPreviousPage }} }} \
             back: things({list}, last: 0) {{ pageInfo {{ hasNextPage }} }} }}"
        );
        let expected = json!({
            "front": { "pageInfo": { "hasPreviousPage": true } },
            "back": { "pageInfo": { "hasNextPage": true } },
        });
        assert_eq!(ask(&served, &pages).await, expected);
    });
}

/// A number was less than every string, and true less than every number.
#[test]
fn json_has_an_order_among_numbers_and_among_strings_only() {
    run(async {
        let served = serve("type Thing @collection { id: ID! extra: JSON }").await;
        let data =
            r#"[{ extra: 2 }, { extra: "b" }, { extra: true }, { extra: [1] }, { extra: null }, { extra: 3.5 }]"#;
        ask(&served, &format!("mutation {{ createThings(data: {data}) {{ affectedCount }} }}")).await;
        for (filter, expected) in [
            ("{ gt: 1 }", json!([2, 3.5])),
            ("{ lt: 3 }", json!([2])),
            ("{ gte: \"a\" }", json!(["b"])),
            ("{ lte: \"c\" }", json!(["b"])),
            ("{ gt: false }", json!([])),
            ("{ lt: [2] }", json!([])),
        ] {
            let found =
                ask(&served, &format!("{{ things(where: {{ extra: {filter} }}) {{ nodes {{ extra }} }} }}")).await;
            let found: Json =
                found["things"]["nodes"].as_array().unwrap().iter().map(|node| node["extra"].clone()).collect();
            assert_eq!(found, expected, "{filter}");
        }
    });
}
