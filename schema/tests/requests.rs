//! Requests against a small shop: each file of `tests/requests` is an operation, its plan and its answer.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p vivarium-schema --test requests`, then read the difference.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod server;
mod shop;

use serde_json::Value;
use server::run;
use std::path::Path;

/// What a file's operation is asked with: `# variables: {...}` on its first line.
fn variables(text: &str) -> Value {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("# variables: ").map_or(Value::Null, |json| serde_json::from_str(json).unwrap())
}

#[test]
fn operations_give_their_plans_and_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".graphql"))
        .collect();
    names.sort_unstable();
    assert!(!names.is_empty());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    run(async {
        let server = shop::open().await;
        for name in names {
            let query = std::fs::read_to_string(folder.join(&name)).unwrap();
            let variables = variables(&query);
            let plan = server.explain(&query, variables.clone()).await;
            let answer = server.ask(&query, variables).await;
            let found = format!("{}\n\n{answer:#}\n", plan.trim_end());
            let path = folder.join(name.replace(".graphql", ".golden"));
            if update {
                std::fs::write(&path, &found).unwrap();
            }
            if std::fs::read_to_string(&path).unwrap_or_default() != found {
                wrong.push(format!("{name}\n{found}"));
            }
        }
        assert_eq!(server.database.verify().await.unwrap().problems, Vec::<String>::new());
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
