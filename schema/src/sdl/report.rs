//! Collects what is wrong with an SDL document, each with its place.

use super::SchemaError;
use apollo_compiler::parser::{SourceMap, SourceSpan};

/// What is wrong so far.
pub(super) struct Report<'a> {
    sources: &'a SourceMap,
    errors: Vec<SchemaError>,
}

impl<'a> Report<'a> {
    pub(super) fn new(sources: &'a SourceMap) -> Report<'a> {
        Report { sources, errors: Vec::new() }
    }

    /// Adds an error at a place.
    pub(super) fn add(&mut self, at: Option<SourceSpan>, rule: &'static str, message: impl Into<String>) {
        let place = at.and_then(|span| span.line_column(self.sources));
        let (line, column) = place.map_or((1, 1), |place| (place.line, place.column));
        let bounded = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.errors.push(SchemaError { message: message.into(), line: bounded(line), column: bounded(column), rule });
    }

    /// How many errors there are so far.
    pub(super) fn count(&self) -> usize {
        self.errors.len()
    }

    /// All errors in order of place, if there are any: what follows builds on a document without them.
    pub(super) fn stop_on_errors(&mut self) -> Result<(), Vec<SchemaError>> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let mut errors = std::mem::take(&mut self.errors);
        errors.sort_by_key(|error| (error.line, error.column));
        errors.dedup();
        Err(errors)
    }
}
