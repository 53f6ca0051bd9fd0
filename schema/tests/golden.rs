//! The generated API of three schemas, on record: `tests/golden/x.graphql` gives `tests/golden/x.api.graphql`.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p vivarium-schema --test golden`, then read the difference.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::Path;
use vivarium_schema::sdl::SchemaError;
use vivarium_schema::{Catalog, api, sdl};

fn declare(text: &str) -> Catalog {
    sdl::declare(text, None).unwrap_or_else(|errors| {
        let lines: Vec<String> = errors.iter().map(SchemaError::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

fn check(schema: &str, golden: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(schema)).unwrap();
    let catalog = declare(&text);
    let generated = api::generate(&catalog);
    api::compile(&generated);
    assert_eq!(generated, api::generate(&catalog), "generation is deterministic");
    assert_eq!(declare(&text), catalog, "declaration is deterministic");
    let reworded = sdl::declare(&format!("# Again.\n{text}"), Some(&catalog)).unwrap();
    assert_eq!(reworded.version, catalog.version + 1);
    let carried = Catalog { version: catalog.version, sdl: catalog.sdl.clone(), ..reworded };
    assert_eq!(carried, catalog, "the same declarations keep all numbers");
    assert_eq!(sdl::declare(&text, Some(&catalog)), Ok(catalog), "the same text changes nothing");
    let path = root.join("tests/golden").join(golden);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(generated == expected, "{} is not what is generated now; see the head of this file", path.display());
}

#[test]
fn chinook_gives_its_api() {
    check("tests/golden/chinook.graphql", "chinook.api.graphql");
}

#[test]
fn the_shop_gives_its_api() {
    check("../examples/shop/schema.graphql", "shop.api.graphql");
}

#[test]
fn a_schema_with_everything_gives_its_api() {
    check("tests/golden/everything.graphql", "everything.api.graphql");
}

#[test]
fn an_empty_schema_says_how_to_begin() {
    check("tests/golden/empty.graphql", "empty.api.graphql");
}
