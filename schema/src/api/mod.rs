//! Catalog to API: the generated SDL is a pure function of the catalog.
//!
//! Everything that could be generated is defined first; what the roots do not reach is left out when it is written.

mod aggregate;
mod collection;
mod definition;
mod family;
mod filter;
mod input;
mod root;
mod shared;

use crate::Catalog;
use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use definition::Definition;
use std::collections::BTreeMap;

/// Two things of the API that would have one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clash {
    /// The declared type that has to give way.
    pub(crate) declared_by: String,
    /// What clashes, and what to do.
    pub(crate) sentence: String,
}

/// The SDL that clients see: what `/schema.graphql` serves and introspection answers from.
pub fn generate(catalog: &Catalog) -> String {
    definition::write(&definitions(catalog))
}

/// The generated SDL, compiled.
///
/// # Panics
/// When the text is not what [`generate`] wrote.
pub fn compile(generated: &str) -> Valid<Schema> {
    match Schema::parse_and_validate(generated, "api.graphql") {
        Ok(schema) => schema,
        Err(failed) => panic!("the generated API is not valid: {}", failed.errors),
    }
}

/// True when the text can be served: a catalog that no SDL declares may give one name twice.
pub(crate) fn is_valid(generated: &str) -> bool {
    Schema::parse_and_validate(generated, "api.graphql").is_ok()
}

/// Names that the API would have to give twice, now or, for names that the next releases need, later.
pub(crate) fn clashes(catalog: &Catalog) -> Vec<Clash> {
    let mut clashes = Vec::new();
    let definitions = definitions(catalog);
    let reserved = shared::reserved(catalog);
    let mut seen: BTreeMap<&str, &Definition> = BTreeMap::new();
    for definition in &definitions {
        if let Some(earlier) = seen.insert(&definition.name, definition) {
            clashes.push(match (definition.is_declared(), earlier.is_declared()) {
                (true, _) => type_clash(&definition.name, &definition.declared_by, &earlier.declared_by),
                (false, true) => type_clash(&definition.name, &earlier.declared_by, &definition.declared_by),
                (false, false) => {
                    let (by, other, name) = (&definition.declared_by, &earlier.declared_by, &definition.name);
                    let sentence = format!(
                        "{by} and {other} would both have a type {name}: choose other names with @collection(name:, plural:)."
                    );
                    Clash { declared_by: by.clone(), sentence }
                }
            });
        }
        if definition.is_declared()
            && let Some(wanted_by) = reserved.get(&definition.name)
        {
            clashes.push(type_clash(&definition.name, &definition.declared_by, wanted_by));
        }
        let mut members: BTreeMap<&str, &str> = BTreeMap::new();
        for member in &definition.members {
            let by = if member.declared_by.is_empty() { &definition.declared_by } else { &member.declared_by };
            if let Some(earlier) = members.insert(&member.name, by) {
                let sentence = if earlier == by || earlier.is_empty() {
                    format!(
                        "{by} would get two things called \"{}\" in {}: rename the field, or choose the names yourself with @collection(name:, plural:).",
                        member.name, definition.name
                    )
                } else {
                    format!(
                        "{by} and {earlier} would both be \"{}\" in {}: choose another name with @collection(name:, plural:).",
                        member.name, definition.name
                    )
                };
                clashes.push(Clash { declared_by: by.clone(), sentence });
            }
        }
    }
    clashes.dedup();
    clashes
}

fn type_clash(name: &str, declared_by: &str, wanted_by: &str) -> Clash {
    let sentence = if wanted_by.is_empty() || wanted_by == declared_by {
        format!("{name} is the name of a type that the API has itself: choose another name.")
    } else {
        format!("{name} is the name of a type that the API has for {wanted_by}: choose another name.")
    };
    Clash { declared_by: declared_by.to_owned(), sentence }
}

fn definitions(catalog: &Catalog) -> Vec<Definition> {
    let mut definitions = shared::directives(catalog);
    definitions.extend(root::definitions(catalog));
    definitions.extend(shared::types());
    definitions.extend(aggregate::types());
    for collection in &catalog.collections {
        definitions.extend(collection::definitions(catalog, collection));
        definitions.extend(aggregate::definitions(catalog, collection));
        definitions.extend(input::definitions(catalog, collection));
    }
    for each in &catalog.families {
        definitions.extend(family::definitions(catalog, each));
    }
    for embedded in &catalog.embedded {
        definitions.extend(collection::embedded(catalog, embedded));
        definitions.push(input::embedded(catalog, embedded));
        definitions.push(input::patch(catalog, embedded));
    }
    for each in &catalog.enums {
        definitions.extend(collection::enumeration(each));
    }
    definitions.extend(filter::definitions());
    definitions
}
