//! Catalog to API: the generated SDL is a pure function of the catalog.

use crate::Catalog;
use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;

/// The SDL that clients see: what `/schema.graphql` serves and introspection answers from.
pub fn generate(catalog: &Catalog) -> String {
    let _ = catalog;
    todo!()
}

/// The generated SDL, compiled.
pub fn compile(generated: &str) -> Valid<Schema> {
    let _ = generated;
    todo!()
}
