//! A database whose schema changes while it is read and written: answers follow the catalog, nothing is lost.

#![allow(clippy::unwrap_used)]

mod stage;

use serde_json::{Value as Json, json};
use stage::{DATABASE, Stage, run};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use vivarium_schema::database::{ApplyOptions, Error, verify};
use vivarium_schema::plan::Limits;
use vivarium_schema::{Database, Request, Session, api};
use vivarium_storage::runtime;

const NOTES: &str =
    "type Note @collection { id: ID! number: Int! @unique text: String tags: [String!]! @default(value: []) }";

async fn open() -> (Stage, Database) {
    let stage = Stage::open("").await;
    let database = Database::open(stage.node.clone(), DATABASE, Limits::default()).await.unwrap();
    (stage, database)
}

async fn answer(database: &Database, query: &str) -> Json {
    let request = Request { query: query.to_owned(), ..Request::default() };
    let response = database.execute(request, &Session::default()).await;
    serde_json::from_slice(&response.body).unwrap()
}

async fn apply(database: &Database, sdl: &str) {
    let options = ApplyOptions { force: true, ..ApplyOptions::default() };
    if let Err(error) = database.apply_schema(sdl, options).await {
        panic!("{error} {error:?}");
    }
}

#[test]
fn a_new_database_waits_for_its_schema_and_then_serves_it() {
    run(async {
        let (_stage, database) = open().await;
        assert_eq!(
            answer(&database, "{ __typename node(id: \"x\") { id } }").await["data"],
            json!({ "__typename": "Query", "node": null })
        );
        apply(&database, NOTES).await;
        let (text, version) = database.api().await.unwrap();
        api::compile(&text);
        assert_eq!(database.schema().await.unwrap(), (NOTES.to_owned(), version));
        let made =
            answer(&database, "mutation { createNote(data: { number: 1, text: \"a\" }) { note { number } } }").await;
        assert_eq!(made["data"]["createNote"]["note"]["number"], json!(1), "{made}");
        let history = database.schema_history(10).await.unwrap();
        assert_eq!((history[0].version, history[0].sdl.as_str()), (version, NOTES));
        assert!(history[0].applied_micros > 0);
    });
}

#[test]
fn a_plan_of_the_old_schema_is_not_used_under_the_new_one() {
    run(async {
        let (_stage, database) = open().await;
        apply(&database, NOTES).await;
        answer(&database, "mutation { createNote(data: { number: 1, text: \"a\" }) { note { id } } }").await;
        let query = "{ note(by: { number: 1 }) { text } }";
        assert_eq!(answer(&database, query).await["data"], json!({ "note": { "text": "a" } }));
        apply(&database, &NOTES.replace("text: String", "body: String @rename(from: \"text\")")).await;
        assert_eq!(
            answer(&database, query).await["errors"][0]["extensions"]["code"],
            json!("GRAPHQL_VALIDATION_FAILED")
        );
        assert_eq!(
            answer(&database, "{ note(by: { number: 1 }) { body } }").await["data"],
            json!({ "note": { "body": "a" } })
        );
        let changes = database.diff_schema(NOTES).await.unwrap();
        assert!(changes.iter().any(|change| change.coordinate == "Note.text"), "{changes:?}");
    });
}

#[test]
fn a_compound_key_may_hold_a_reference() {
    run(async {
        let (_stage, database) = open().await;
        apply(&database, "type A @collection { id: ID! n: Int! @unique bs: [B!]! @relation(inverse: \"a\") } \
            type B @collection @unique(fields: [\"a\", \"place.row\"]) { id: ID! a: A! @relation(inverse: \"bs\") place: Place! } type Place { row: Int! }").await;
        let made = answer(&database, "mutation { createA(data: { n: 1 }) { a { id } } createB(data: { a: { connect: { n: 1 } }, place: { row: 4 } }) { b { id } } }").await;
        let id = made["data"]["createA"]["a"]["id"].as_str().unwrap();
        let query = format!("{{ b(by: {{ a_place_row: {{ a: \"{id}\", place_row: 4 }} }}) {{ id a {{ n }} }} }}");
        assert_eq!(answer(&database, &query).await["data"]["b"]["a"]["n"], json!(1));
    });
}

#[test]
fn writers_and_schema_changes_do_not_harm_each_other() {
    run(async {
        let (stage, database) = open().await;
        apply(&database, NOTES).await;
        let many: Vec<String> =
            (0..600).map(|number| format!("{{ number: {number}, text: \"t{}\" }}", number % 7)).collect();
        let made =
            answer(&database, &format!("mutation {{ createNotes(data: [{}]) {{ affectedCount }} }}", many.join(", ")))
                .await;
        assert_eq!(made["data"]["createNotes"]["affectedCount"], json!(600), "{made}");
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..3_u64)
            .map(|writer| {
                let (database, stop, written) = (database.clone(), stop.clone(), written.clone());
                runtime::spawn("writer", async move {
                    let mut turn = 0;
                    while !stop.load(Ordering::Relaxed) {
                        turn += 1;
                        let (old, new) = ((turn * 13 + writer) % 600, 1_000 + turn * 3 + writer);
                        let mutation = format!(
                            "mutation {{ createNote(data: {{ number: {new} }}) {{ note {{ id }} }} updateNote(by: {{ number: {old} }}, data: {{ tags: [\"w{writer}\"] }}) {{ note {{ id }} }} }}"
                        );
                        let answer = answer(&database, &mutation).await;
                        if answer["errors"].is_null() {
                            written.fetch_add(1, Ordering::Relaxed);
                        } else {
                            // Too many changes of the schema in a row: the client is told to try again.
                            assert_eq!(answer["errors"][0]["extensions"]["code"], json!("TRANSACTION_CONFLICT"), "{answer}");
                        }
                    }
                })
            })
            .collect();
        let steps = [
            NOTES.replace("text: String", "text: String @index"),
            NOTES.replace(
                "text: String",
                "text: String! @default(value: \"none\") @index stars: Int! @default(value: 3) @index",
            ),
            NOTES.replace("tags: [String!]! @default(value: [])", "tags: [String!]! @default(value: []) @index"),
            NOTES.replace("id: ID!", "id: ID! parent: Note"),
        ];
        for step in &steps {
            apply(&database, step).await;
        }
        let wish = NOTES.replace("text: String", "text: String @unique");
        let refused = database.apply_schema(&wish, ApplyOptions { force: true, ..ApplyOptions::default() });
        assert!(matches!(refused.await, Err(Error::Refused(_))));
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().await;
        }
        assert!(written.load(Ordering::Relaxed) > 0);
        assert_eq!(verify(&stage.node, DATABASE).await.unwrap().problems, Vec::<String>::new());
        let answer =
            answer(&database, "{ notes(where: { text: { isNull: true } }) { totalCount } all: notes { totalCount } }")
                .await;
        assert_eq!(answer["data"]["all"]["totalCount"], json!(600 + written.load(Ordering::Relaxed)), "{answer}");
    });
}
