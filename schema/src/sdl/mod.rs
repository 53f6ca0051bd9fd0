//! SDL to catalog: what a developer wrote, checked and resolved, every error with its place.

use crate::Catalog;
use serde::Serialize;

/// Something that is wrong with an SDL document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaError {
    /// What is wrong and how to put it right, as a sentence.
    pub message: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// Which rule was broken, for documentation: "unknown-type", "relation-inverse".
    pub rule: &'static str,
}

/// Reads an SDL document into the catalog that follows `previous`: what keeps its name (or is renamed with
/// `@rename`) keeps its numbers.
///
/// # Errors
/// Everything that is wrong with it, not only the first, in order of place.
pub fn declare(sdl: &str, previous: Option<&Catalog>) -> Result<Catalog, Vec<SchemaError>> {
    let _ = (sdl, previous);
    todo!()
}
