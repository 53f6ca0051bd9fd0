//! How often operations read each index, for whoever wonders what it is good for.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::{Value, json};
use server::{Server, run};
use std::collections::BTreeMap;
use vivarium_schema::{Explain, Request};

const SCHEMA: &str = r#"
type Author @collection {
  id: ID!
  email: String! @unique
  born: Int @index
  passport: Passport @relation(inverse: "author")
  books: [Book!]! @relation(inverse: "author")
}
type Passport @collection { id: ID! author: Author! @relation(inverse: "passport") @unique }
type Book @collection { id: ID! title: String! @index author: Author! @relation(inverse: "books") }
"#;

/// The indexes that were used, with how often, by collection and fields.
async fn used(server: &Server) -> BTreeMap<String, u64> {
    let mut used = BTreeMap::new();
    for index in server.database.indexes().await.unwrap() {
        let operations = server.database.index_use(index.id);
        assert_eq!(operations.per_minute.iter().map(|count| u64::from(*count)).sum::<u64>(), operations.operations);
        assert_eq!(operations.last_micros.is_some(), operations.operations > 0);
        if operations.operations > 0 {
            used.insert(format!("{}.{}", index.collection, index.fields.join(",")), operations.operations);
        }
    }
    used
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn an_operation_counts_once_for_each_index_that_it_reads() {
    run(async {
        let server = Server::open(SCHEMA).await;
        let create = r#"mutation { createAuthor(data: { email: "a@b.c", born: 1815, books: { create: [{ title: "Notes" }] } }) {
            author { id } } }"#;
        server.data(create, Value::Null).await;
        assert_eq!(used(&server).await, counts(&[]), "to keep a value unique is no use of its index");

        for (operation, expected) in [
            ("{ author(by: { email: \"a@b.c\" }) { id } }", "Author.email"),
            ("{ authors(where: { born: { gt: 1800 } }) { nodes { id } } }", "Author.born"),
            ("{ authors(orderBy: [{ born: ASC }]) { nodes { id } } }", "Author.born"),
            ("{ authors { nodes { books { nodes { title } } } } }", "Book.author"),
            ("{ authors { nodes { passport { id } } } }", "Passport.author"),
            ("{ books(where: { title: { eq: \"Notes\" } }) { totalCount } }", "Book.title"),
            ("{ books { aggregate { title { countDistinct } } } }", "Book.title"),
            (
                "mutation { updateAuthor(by: { email: \"a@b.c\" }, data: { born: 1816 }) { author { id } } }",
                "Author.email",
            ),
            (
                "mutation { updateBooks(where: { title: { eq: \"Notes\" } }, data: { title: \"Notes\" }) { affectedCount } }",
                "Book.title",
            ),
        ] {
            let before = used(&server).await;
            server.data(operation, Value::Null).await;
            let mut after = used(&server).await;
            after.retain(|name, count| {
                *count -= before.get(name).copied().unwrap_or(0);
                *count > 0
            });
            assert_eq!(after, counts(&[(expected, 1)]), "{operation}");
        }
    });
}

#[test]
fn a_plan_that_is_not_executed_is_no_use() {
    run(async {
        let server = Server::open(SCHEMA).await;
        let query = "query ($born: Int) { authors(where: { born: { eq: $born } }) { nodes { id } } }";
        let request = |explain, variables: Value| Request {
            query: query.to_owned(),
            variables: Some(variables.to_string()),
            explain,
            ..Request::default()
        };
        server.send(request(Some(Explain::Plan), json!({ "born": 1 }))).await;
        assert!(server.send(request(None, json!({ "born": "x" }))).await.refused.is_some());
        assert_eq!(used(&server).await, counts(&[]));
        server.send(request(Some(Explain::Analyze), json!({ "born": 1 }))).await;
        assert_eq!(used(&server).await, counts(&[("Author.born", 1)]));
    });
}
