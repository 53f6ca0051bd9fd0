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
