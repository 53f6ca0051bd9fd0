//! The Chinook data set: declared, imported and queried; answers are those of `expected.json`.
//!
//! It is not in this repository: `VIVARIUM_CHINOOK=folder cargo test -p vivarium-schema --test chinook`.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod chinook {
    pub mod import;
}
mod server;

use chinook::import::import;
use serde_json::{Value, json};
use server::{Server, run};
use std::path::{Path, PathBuf};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("VIVARIUM_CHINOOK").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: VIVARIUM_CHINOOK does not name the folder of the Chinook data set");
    }
    folder
}

fn read(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

async fn walk(server: &Server, operation: &Value) -> Value {
    let (connection, cursor) =
        (operation["walk"]["connection"].as_str().unwrap(), operation["walk"]["cursor"].as_str().unwrap());
    let mut variables = operation["variables"].clone();
    let (mut nodes, mut pages) = (Vec::new(), 0);
    loop {
        let mut data = server.data(operation["query"].as_str().unwrap(), variables.clone()).await;
        let page = data[connection].take();
        pages += 1;
        let total = page["totalCount"].clone();
        let found: Vec<Value> = page["edges"].as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect();
        let info = &page["pageInfo"];
        assert_eq!(info["startCursor"], page["edges"][0]["cursor"]);
        let (more, back, next) = match cursor {
            "after" => ("hasNextPage", "hasPreviousPage", "endCursor"),
            _ => ("hasPreviousPage", "hasNextPage", "startCursor"),
        };
        assert_eq!(info[back], json!(pages > 1), "page {pages}");
        nodes = if cursor == "after" { [nodes, found].concat() } else { [found, nodes].concat() };
        if info[more] == json!(false) {
            return json!({ "totalCount": total, "pages": pages, "nodes": nodes });
        }
        variables[cursor] = info[next].clone();
    }
}

#[test]
fn chinook_answers_as_expected() {
    let Some(folder) = folder() else { return };
    run(async {
        let schema = std::fs::read_to_string(folder.join("schema.graphql")).unwrap();
        let server = Server::open(&schema).await;
        import(&server, &folder).await;
        let (queries, expected) = (read(&folder, "queries.json"), read(&folder, "expected.json"));
        let mut wrong = Vec::new();
        for operation in queries["operations"].as_array().unwrap() {
            let (name, query) = (operation["name"].as_str().unwrap(), operation["query"].as_str().unwrap());
            let only = std::env::var("VIVARIUM_CHINOOK_ONLY").ok();
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let (answer, wanted) = if operation.get("walk").is_some() {
                (walk(&server, operation).await, expected[name]["walk"].clone())
            } else {
                let answer = server.ask(query, operation["variables"].clone()).await;
                if answer.get("errors").is_some() {
                    wrong.push(format!("{name}: {}", answer["errors"]));
                    continue;
                }
                (answer["data"].clone(), expected[name]["data"].clone())
            };
            if let Some(difference) = difference(&answer, &wanted, name) {
                wrong.push(difference);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
}

/// Where two answers differ first.
fn difference(found: &Value, wanted: &Value, place: &str) -> Option<String> {
    match (found, wanted) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) || one.len() == other.len() => {
            one.iter().find_map(|(name, value)| {
                let absent = json!("absent");
                difference(value, other.get(name).unwrap_or(&absent), &format!("{place}.{name}"))
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.into_iter().find_map(|(at, (one, other))| difference(one, other, &format!("{place}[{at}]")))
        }
        _ if found == wanted => None,
        _ => Some(format!("{place}: {} instead of {}", cut(found), cut(wanted))),
    }
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
