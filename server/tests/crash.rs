//! What was acknowledged is there after SIGKILL and after a full disk; what was not is there whole or not at all.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::disk::SmallDisk;
use harness::{NOTES, Place, Server, succeed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

const WRITERS: i64 = 4;

/// One operation that creates two notes: both are there or none.
const PAIR: &str = "mutation ($a: Int!, $b: Int!, $t: String!) {
  first: createNote(data: { number: $a, pair: $a, text: $t }) { note { id } }
  second: createNote(data: { number: $b, pair: $a, text: $t }) { note { id } } }";

/// Writes pairs until the server says no more, and returns those that it acknowledged. `enough` sees each.
fn write_pairs(server: &Server, next: &AtomicI64, text: &str, enough: &(dyn Fn(usize) + Sync)) -> Vec<i64> {
    let acknowledged = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let pair = next.fetch_add(2, Ordering::Relaxed);
                    let Ok(answer) = server.try_ask(PAIR, json!({ "a": pair, "b": pair + 1, "t": text })) else {
                        return;
                    };
                    if answer.get("errors").is_some() {
                        return;
                    }
                    let mut acknowledged = acknowledged.lock().unwrap();
                    acknowledged.push(pair);
                    enough(acknowledged.len());
                }
            });
        }
    });
    acknowledged.into_inner().unwrap()
}

/// How many notes of each pair are there.
fn pairs(server: &Server) -> BTreeMap<i64, usize> {
    let mut found = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let query = "query ($after: String) { notes(first: 1000, after: $after) { nodes { pair } pageInfo { hasNextPage endCursor } } }";
        let page = server.data(query, json!({ "after": after }))["notes"].take();
        for node in page["nodes"].as_array().unwrap() {
            *found.entry(node["pair"].as_i64().unwrap()).or_insert(0) += 1;
        }
        if page["pageInfo"]["hasNextPage"] != true {
            return found;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn assert_whole(server: &Server, acknowledged: &[i64]) {
    let found = pairs(server);
    for pair in acknowledged {
        assert_eq!(found.get(pair), Some(&2), "pair {pair} was acknowledged");
    }
    for (pair, count) in found {
        assert_eq!(count, 2, "pair {pair} is whole or not there");
    }
}

#[test]
fn sigkill_in_the_middle_of_writes_loses_nothing_acknowledged() {
    let place = Place::new();
    let next = AtomicI64::new(0);
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let server = place.serve();
        assert_whole(&server, &acknowledged);
        // Each round dies at another number of answers, with four requests under way.
        let deadly = 15 + 17 * round;
        let kill = |count: usize| {
            if count == deadly {
                server.signal("KILL");
            }
        };
        acknowledged.extend(write_pairs(&server, &next, "text", &kill));
        server.kill();
    }
    let server = place.serve();
    assert_whole(&server, &acknowledged);
    assert!(acknowledged.len() >= 5 * 15);
    assert!(server.stop().0.success());
    succeed(&["check", "--data", &place.text("data")]);
}

#[test]
fn a_full_disk_stops_the_server_and_loses_nothing_acknowledged() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.path("disk"), "48m") else { return };
    let schema = place.write("schema.graphql", NOTES);
    let config = place.write("vivarium.toml", "[storage]\nsegment_bytes = 4194304\nmemtable_bytes = 4194304\n");
    let arguments = ["--data", &place.text("disk/data"), "--schema", &schema, "--config", &config];
    let next = AtomicI64::new(0);
    let server = Server::start(&arguments);
    let acknowledged = write_pairs(&server, &next, &"0123456789abcdef".repeat(4096), &|_| {});
    assert!(!acknowledged.is_empty());
    // It stops by itself, or answers errors until it is stopped: either way it says so and keeps what it acknowledged.
    let (status, words) = server.end_within_reason();
    assert!(status.code() == Some(7) || status.code() == Some(0), "{status}: {words}");
    assert!(!words.contains("panicked"), "{words}");
    assert!(words.contains("No space left"), "{words}");

    disk.grow("160m");
    let server = Server::start(&arguments);
    assert_whole(&server, &acknowledged);
    let more = write_pairs(&server, &next, "small", &|count| {
        if count == 10 {
            server.signal("TERM");
        }
    });
    assert!(more.len() >= 10, "the server writes again");
    let (status, words) = server.end();
    assert!(status.success(), "{words}");
    succeed(&["check", "--data", &place.text("disk/data")]);
}
