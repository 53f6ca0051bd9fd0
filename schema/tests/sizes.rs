//! How large collections and indexes are, for whoever looks after a database.

#![allow(clippy::unwrap_used)]

mod server;

use serde_json::json;
use server::{Server, run};
use std::time::Duration;
use vivarium_consensus::{CommitOptions, Consistency};
use vivarium_schema::database::Size;
use vivarium_storage::{Space, key, runtime};

const SCHEMA: &str = "type Note @collection { id: ID! text: String! @index }";

#[test]
fn records_and_entries_are_counted() {
    run(async {
        let server = Server::open(SCHEMA).await;
        let index = server.database.indexes().await.unwrap().remove(0);
        let collections = server.database.collections().await.unwrap();
        let names: Vec<&str> = collections.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!((index.collection.as_str(), names), ("Note", vec!["Note"]));
        let empty = Size { rows: 0, whole: true, key_bytes: 0 };
        assert_eq!(server.database.index_size(index.id).await.unwrap(), empty);
        let notes: Vec<_> = (0..7).map(|number| json!({ "text": format!("note {number}") })).collect();
        let create = "mutation ($data: [NoteCreate!]!) { createNotes(data: $data) { affectedCount } }";
        server.data(create, json!({ "data": notes })).await;
        let entries = server.database.index_size(index.id).await.unwrap();
        assert_eq!((entries.rows, entries.whole), (7, true));
        let records = server.database.collection_size(collections[0].0).await.unwrap();
        assert_eq!((records.rows, records.whole), (7, true));
        assert!(entries.key_bytes > records.key_bytes, "an entry's key holds a text and an id");
    });
}

#[test]
fn what_is_large_is_counted_no_further_than_a_hundred_thousand() {
    run(async {
        let server = Server::open(SCHEMA).await;
        let index = server.database.indexes().await.unwrap().remove(0);
        for (rows, whole) in [(100_000, true), (100_001, false)] {
            let deadline = runtime::now() + Duration::from_secs(60);
            let mut transaction = server.database.node().begin(Consistency::Strong, deadline).await.unwrap();
            for number in 0..rows {
                let mut entry = key::index(server.database.id(), index.id);
                entry.extend_from_slice(&u32::to_be_bytes(number));
                transaction.put(Space::Index, entry.into(), Vec::new());
            }
            transaction.commit(CommitOptions::default(), deadline).await.unwrap();
            let size = server.database.index_size(index.id).await.unwrap();
            assert_eq!((size.rows, size.whole), (100_000, whole), "{rows}");
        }
    });
}
