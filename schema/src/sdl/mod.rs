//! SDL to catalog: what a developer wrote, checked and resolved, every error with its place.
//!
//! A document goes one way: `document` (parse, sort into types) -> `directive` (arguments) -> `shape` (what each
//! field is) -> `relation` -> `number` (ids) -> `build` (the catalog), each stage adding what is wrong.

mod build;
mod computed;
mod default;
mod directive;
mod document;
mod family;
mod index;
mod number;
mod plural;
mod relation;
mod report;
mod shape;

use crate::Catalog;
use report::Report;
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

impl std::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.line, self.column, self.message, self.rule)
    }
}

/// Reads an SDL document into the catalog that follows `previous`: what keeps its name (or is renamed with
/// `@rename`) keeps its numbers. The same text gives `previous` again.
///
/// Indexes of collections that `previous` has and that it does not have itself come out as not ready.
///
/// # Errors
/// Everything that is wrong with it, not only the first, in order of place.
pub fn declare(sdl: &str, previous: Option<&Catalog>) -> Result<Catalog, Vec<SchemaError>> {
    if let Some(previous) = previous
        && previous.sdl == sdl
    {
        return Ok(previous.clone());
    }
    let parsed = document::parse(sdl)?;
    let mut report = Report::new(&parsed.sources);
    let document = document::sort(&parsed, &mut report);
    let shapes = shape::resolve(&document, &mut report);
    let relations = relation::resolve(&shapes, &mut report);
    report.stop_on_errors()?;
    let numbers = number::assign(&shapes, &relations, previous, &mut report);
    let catalog = build::catalog(sdl, &shapes, &relations, &numbers, previous, &mut report);
    report.stop_on_errors()?;
    Ok(catalog)
}
