//! What is wrong with a schema, and what the developer is told: `tests/golden/errors.txt` holds schemas (lines that
//! begin with `>`) and below each the errors with place and rule.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p vivarium-schema --test sdl_errors`, then read the difference.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::Path;
use vivarium_schema::sdl::{self, SchemaError};

fn run(text: &str) -> String {
    match sdl::declare(text, None) {
        Ok(_) => "fine".to_owned(),
        Err(errors) => errors.iter().map(SchemaError::to_string).collect::<Vec<_>>().join("\n"),
    }
}

/// The file again, with what is said of each schema now.
fn rewritten(file: &str) -> String {
    let mut out = String::new();
    let mut schema = String::new();
    for line in file.lines().chain([""]) {
        if let Some(text) = line.strip_prefix('>') {
            schema.push_str(text.strip_prefix(' ').unwrap_or(text));
            schema.push('\n');
            out.push_str(line);
            out.push('\n');
        } else {
            if !schema.is_empty() {
                out.push_str(&run(&schema));
                out.push_str("\n\n");
                schema.clear();
            }
            if line.starts_with('#') {
                out.push_str(line);
                out.push_str("\n\n");
            }
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[test]
fn every_mistake_is_located_and_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/errors.txt");
    let expected = std::fs::read_to_string(&path).unwrap();
    let found = rewritten(&expected);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    } else {
        assert!(found == expected, "{} differs; see the head of this file", path.display());
    }
}

#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    assert!(run(&"#".repeat(2_000_000)).contains("[limit]"));
    let deep =
        format!("type T @collection {{ id: ID! a: JSON @default(value: {}{}) }}", "[".repeat(9000), "]".repeat(9000));
    assert!(run(&deep).contains("[syntax]"), "{}", run(&deep));
    let fields: String = (0..501).map(|number| format!("f{number}: Int\n")).collect();
    assert!(run(&format!("type T @collection {{ id: ID! {fields} }}")).contains("[limit]"));
    let types: String = (0..1001).map(|number| format!("enum E{number} {{ A }}\n")).collect();
    assert!(run(&types).contains("[limit]"));
}

#[test]
fn any_text_gives_an_answer() {
    let whole =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/everything.graphql")).unwrap();
    // Every prefix, and every text with one character missing, every so often: none may panic.
    for at in
        (0..whole.len()).filter(|at| at % 17 == 0 && whole.is_char_boundary(*at) && whole.is_char_boundary(at + 1))
    {
        run(&whole[..at]);
        run(&format!("{}{}", &whole[..at], &whole[at + 1..]));
    }
}
