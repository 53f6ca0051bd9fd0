//! Chains of random schemas, each applied after the one before: every one that is accepted has a valid API, and no
//! number ever means two things.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use vivarium_schema::catalog::{Field, FieldKind, Scalar};
use vivarium_schema::{Catalog, api, sdl};

const COLLECTIONS: [&str; 4] = ["Apple", "Berry", "Cherry", "Date2"];
const EMBEDDED: [&str; 2] = ["Peel", "Stone"];
const FIELDS: [&str; 6] = ["core", "juice", "leaf", "root", "seed", "skin"];
const TYPES: [&str; 16] = [
    "String",
    "String! @default(value: \"x\")",
    "Int @index",
    "Int! @unique",
    "BigInt @autoIncrement",
    "[String!]! @index",
    "[Int] @default(value: [1, null])",
    "Decimal @precision(digits: 8, scale: 2) @unique",
    "JSON @hidden",
    "DateTime! @default(now: true) @readOnly",
    "Colour",
    "[Colour!]! @default(value: [RED])",
    "Peel",
    "[Stone!]",
    "Float @check(expr: { gte: 0 })",
    "Email @index(name: \"mail\")",
];
const EMBEDDED_TYPES: [&str; 8] =
    ["String", "Int!", "[Int!]", "Colour @default(value: GREEN)", "Apple", "Berry!", "Stone", "JSON"];

/// What one schema is made from: for each collection its fields, then its relations.
type Recipe = (Vec<Vec<(usize, usize)>>, Vec<(usize, usize, usize)>, Vec<(usize, usize)>, usize);

fn recipe() -> impl Strategy<Value = Recipe> {
    (
        prop::collection::vec(prop::collection::vec((0..FIELDS.len(), 0..TYPES.len()), 0..6), 2..=4),
        prop::collection::vec((0..4_usize, 0..4_usize, 0..7_usize), 0..5),
        prop::collection::vec((0..2_usize, 0..EMBEDDED_TYPES.len()), 0..4),
        0..4_usize,
    )
}

fn text((collections, relations, embedded, colours): &Recipe) -> String {
    let mut lines: Vec<Vec<String>> = vec![vec!["id: ID!".to_owned()]; collections.len()];
    for (at, fields) in collections.iter().enumerate() {
        let chosen: BTreeMap<usize, usize> = fields.iter().copied().collect();
        lines[at].extend(chosen.into_iter().map(|(field, kind)| format!("{}: {}", FIELDS[field], TYPES[kind])));
    }
    for (number, (one, other, kind)) in relations.iter().enumerate() {
        let (one, other) = (one % collections.len(), other % collections.len());
        let (here, there) = (format!("to{number}"), format!("from{number}"));
        let (from, to) = (COLLECTIONS[one], COLLECTIONS[other]);
        let side = |name: &str| format!("@relation(inverse: \"{name}\"");
        let (mine, theirs) = match kind {
            0 => (format!("{here}: {to}"), None),
            1 => (format!("{here}: [{to}!]!"), None),
            2 => (format!("{here}: {to} {})", side(&there)), Some(format!("{there}: [{from}!]! {})", side(&here)))),
            3 => (
                format!("{here}: {to}! {}, onDelete: CASCADE)", side(&there)),
                Some(format!("{there}: {from} {})", side(&here))),
            ),
            4 => (
                format!("{here}: [{to}!]! {})", side(&there)),
                Some(format!("{there}: [{from}!]! {}, onDelete: RESTRICT)", side(&here))),
            ),
            5 => (
                format!("{here}: {to}"),
                Some(format!("{there}: [{from}!]! @relation(field: \"{here}\", onDelete: SET_NULL)")),
            ),
            _ => (format!("{here}: {to} {})", side(&there)), Some(format!("{there}: {from} {})", side(&here)))),
        };
        lines[one].push(mine);
        lines[other].extend(theirs);
    }
    let mut out = String::new();
    for (at, lines) in lines.iter().enumerate() {
        out.push_str(&format!("type {} @collection {{\n  {}\n}}\n", COLLECTIONS[at], lines.join("\n  ")));
    }
    for (at, name) in EMBEDDED.iter().enumerate() {
        let own = embedded.iter().filter(|(owner, _)| *owner == at);
        let more: Vec<String> =
            own.enumerate().map(|(number, (_, kind))| format!("  e{number}: {}\n", EMBEDDED_TYPES[*kind])).collect();
        out.push_str(&format!("type {name} {{\n  base: String!\n{}}}\n", more.concat()));
    }
    let colours = &["RED GREEN", "GREEN RED BLUE", "RED GREEN GREY", "RED BLUE GREEN"][*colours];
    out + &format!("enum Colour {{ {colours} }}\n")
}

/// What each number has meant so far, over all catalogs of a chain.
#[derive(Default)]
struct Meanings(BTreeMap<String, String>);

impl Meanings {
    fn meets(&mut self, number: String, meaning: String) {
        let first = self.0.entry(number.clone()).or_insert_with(|| meaning.clone());
        assert_eq!(*first, meaning, "{number} means two things");
    }

    fn fields(&mut self, owner: &str, fields: &[Field]) {
        for field in fields {
            let stored = match field.kind {
                FieldKind::ToOne { target, .. } => format!("to one of {target}"),
                // A stored Int is a BigInt as well, and an Email a String.
                FieldKind::Scalar(Scalar::Int | Scalar::BigInt) => format!("whole, list {}", field.list.is_some()),
                FieldKind::Scalar(Scalar::String | Scalar::Email) => format!("text, list {}", field.list.is_some()),
                FieldKind::Scalar(scalar) => format!("{scalar:?}, list {}", field.list.is_some()),
                FieldKind::Enum(id) | FieldKind::Embedded(id) => format!("type {id}, list {}", field.list.is_some()),
                FieldKind::ManyToMany { target, links, inverse_links, .. } => {
                    let (low, high) = (links.min(inverse_links), links.max(inverse_links));
                    self.meets(format!("links {low}"), format!("links with {high}"));
                    format!("links to {target}")
                }
                FieldKind::OneToOne { target, .. } | FieldKind::OneToMany { target, .. } => {
                    format!("far side of {target}")
                }
            };
            self.meets(format!("{owner} field {}", field.id), format!("{} {stored}", field.name));
        }
    }

    fn catalog(&mut self, catalog: &Catalog) {
        for collection in &catalog.collections {
            let owner = format!("collection {}", collection.id);
            self.meets(owner.clone(), collection.name.clone());
            self.fields(&owner, &collection.fields);
            for index in &collection.indexes {
                let meaning = format!("{owner} {:?} {} {}", index.elements, index.unique, index.relation);
                self.meets(format!("index {}", index.id), meaning);
            }
        }
        for embedded in &catalog.embedded {
            let owner = format!("type {}", embedded.id);
            self.meets(owner.clone(), embedded.name.clone());
            self.fields(&owner, &embedded.fields);
        }
        for each in &catalog.enums {
            self.meets(format!("type {}", each.id), each.name.clone());
            for value in &each.values {
                self.meets(format!("value {} of {}", value.number, each.id), value.name.clone());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_of_schemas_keeps_its_numbers(recipes in prop::collection::vec(recipe(), 1..5)) {
        let mut meanings = Meanings::default();
        let mut previous: Option<Catalog> = None;
        for recipe in &recipes {
            let text = text(recipe);
            let Ok(catalog) = sdl::declare(&text, previous.as_ref()) else { continue };
            api::compile(&api::generate(&catalog));
            meanings.catalog(&catalog);
            let json = serde_json::to_vec(&catalog).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Catalog>(&json).unwrap(), &catalog);
            let again = sdl::declare(&format!("{text}# again"), Some(&catalog)).unwrap();
            prop_assert_eq!(Catalog { version: catalog.version, sdl: text, ..again }, catalog.clone());
            if let Some(previous) = &previous {
                prop_assert!(previous.next_index <= catalog.next_index && previous.next_collection <= catalog.next_collection);
                prop_assert!(previous.next_type <= catalog.next_type);
            }
            previous = Some(catalog);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn most_random_schemas_are_accepted(recipes in prop::collection::vec(recipe(), 40)) {
        let accepted = recipes.iter().filter(|recipe| sdl::declare(&text(recipe), None).is_ok()).count();
        prop_assert!(accepted >= 10, "only {accepted} of 40: the property above proves little");
    }
}
