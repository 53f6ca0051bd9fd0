//! A document that was parsed, validated and measured, and the plans made of one of its operations.

use super::build::{Builder, Conditions};
use super::variables::Variables;
use super::{Limits, Plan};
use crate::{Catalog, Code, Failure, Input};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Node, Schema, introspection};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Nesting of anything in a document: objects in arguments, lists, selections. Guards the parser's stack.
const RECURSION_MAX: usize = 128;
/// Plans of one document, one for each combination of its `@skip` and `@include` variables that was met.
const VARIANTS_MAX: usize = 64;
/// What helps where the schema has no collection.
const NOTHING_DECLARED: &str =
    " No collection is declared yet: write a schema and apply it with `vivarium schema apply FILE`.";

/// One operation of a valid document.
pub(crate) struct Prepared {
    pub(crate) document: Valid<ExecutableDocument>,
    pub(crate) operation: Node<Operation>,
    /// Variables that `@skip` and `@include` read, by their place.
    conditions: Vec<usize>,
    variants: Mutex<BTreeMap<u64, Arc<Plan>>>,
}

impl Prepared {
    /// Parses and validates a document and picks the operation.
    ///
    /// # Errors
    /// `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED`, `OPERATION_RESOLUTION_FAILURE`, `QUERY_TOO_COMPLEX`.
    pub(crate) fn new(
        schema: &Valid<Schema>,
        limits: &Limits,
        query: &str,
        operation_name: Option<&str>,
    ) -> Result<Prepared, Vec<Failure>> {
        if query.trim().is_empty() {
            return Err(vec![Failure::new(Code::GraphqlParseFailed, "The query is empty.")]);
        }
        let mut parser = Parser::new().token_limit(limits.tokens_max).recursion_limit(RECURSION_MAX);
        let ast = parser.parse_ast(query, "query").map_err(|error| {
            if parser.tokens_reached() >= limits.tokens_max {
                vec![too_many("tokens", limits.tokens_max)]
            } else if parser.recursion_reached() >= RECURSION_MAX {
                vec![too_many("levels of nesting", RECURSION_MAX)]
            } else {
                failures(Code::GraphqlParseFailed, &error.errors)
            }
        })?;
        let document = ast.to_executable_validate(schema).map_err(|invalid| {
            let mut failures = failures(Code::GraphqlValidationFailed, &invalid.errors);
            // Whoever writes first and declares later would hear of a root type only.
            if let (None, Some(first)) = (&schema.schema_definition.mutation, failures.first_mut()) {
                first.message.push_str(NOTHING_DECLARED);
            }
            failures
        })?;
        let operation = document
            .operations
            .get(operation_name.filter(|name| !name.is_empty()))
            .map_err(|error| vec![Failure::new(Code::OperationResolutionFailure, sentence(error.message()))])?;
        let operation = operation.clone();
        measure(&document, &operation, limits).map_err(|failure| vec![failure])?;
        introspection::check_max_depth(&document, &operation)
            .map_err(|error| vec![Failure::new(Code::QueryTooComplex, sentence(error.message()))])?;
        let conditions = condition_variables(&document, &operation);
        Ok(Prepared { document, operation, conditions, variants: Mutex::default() })
    }

    /// The plan for these values of the condition variables.
    ///
    /// # Errors
    /// What is wrong with the operation beyond the rules of GraphQL.
    pub(crate) fn plan(
        &self,
        schema: &Valid<Schema>,
        catalog: &Catalog,
        limits: &Limits,
        variables: &Variables,
    ) -> Result<Arc<Plan>, Vec<Failure>> {
        let mut bits = 0;
        for (bit, variable) in self.conditions.iter().enumerate() {
            if variables.get(*variable) == Some(&Input::Bool(true)) {
                bits |= 1 << bit;
            }
        }
        // A panic while planning leaves the map as it was.
        let lock = || self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = lock().get(&bits) {
            return Ok(plan.clone());
        }
        let conditions = Conditions { operation: &self.operation, variables };
        let plan = Builder::new(schema, catalog, limits, &self.document, conditions).plan(&self.operation)?;
        let plan = Arc::new(plan);
        let mut variants = lock();
        if variants.len() == VARIANTS_MAX {
            variants.clear();
        }
        variants.insert(bits, plan.clone());
        Ok(plan)
    }
}

fn too_many(what: &str, limit: usize) -> Failure {
    Failure::new(Code::QueryTooComplex, format!("The document has more than {limit} {what}.")).with("limit", limit)
}

fn failures(code: Code, errors: &DiagnosticList) -> Vec<Failure> {
    /// Errors of one document that are worth telling.
    const ERRORS_MAX: usize = 20;
    let one = |error: apollo_compiler::diagnostic::Diagnostic<'_, _>| {
        let json = error.to_json();
        let mut failure = Failure::new(code, sentence(json.message));
        let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        failure.locations = json.locations.iter().map(|at| (place(at.line), place(at.column))).collect();
        failure
    };
    errors.iter().take(ERRORS_MAX).map(one).collect()
}

/// A library's message as a sentence of ours.
fn sentence(message: impl std::fmt::Display) -> String {
    let text = message.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// Holds an operation against the limits that its form alone decides.
fn measure(document: &ExecutableDocument, operation: &Operation, limits: &Limits) -> Result<(), Failure> {
    let mut size = Size { directives: operation.directives.len(), ..Size::default() };
    size.add(&operation.selection_set);
    for fragment in document.fragments.values() {
        size.directives += fragment.directives.len();
        size.add(&fragment.selection_set);
    }
    let depth = Depth { document, fragments: BTreeMap::new() }.of(&operation.selection_set);
    let roots = operation.root_fields(document).count();
    let checks = [
        (depth, limits.depth_max, "levels of fields"),
        (size.aliases, limits.aliases_max, "aliases"),
        (roots, limits.root_fields_max, "root fields"),
        (size.directives, limits.directives_max, "directives"),
    ];
    match checks.into_iter().find(|(found, limit, _)| found > limit) {
        Some((_, limit, what)) => Err(too_many(what, limit)),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Size {
    aliases: usize,
    directives: usize,
}

impl Size {
    fn add(&mut self, set: &SelectionSet) {
        for selection in &set.selections {
            self.directives += selection.directives().len();
            match selection {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.alias.is_some());
                    if let Some(below) = &field.selection_set {
                        self.add(below);
                    }
                }
                Selection::InlineFragment(fragment) => self.add(&fragment.selection_set),
                // Fragments are counted where they are defined.
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// Measures fields nested in fields; each fragment once. Introspection has a limit of its own.
struct Depth<'d> {
    document: &'d ExecutableDocument,
    fragments: BTreeMap<&'d str, usize>,
}

impl<'d> Depth<'d> {
    fn of(&mut self, set: &'d SelectionSet) -> usize {
        set.selections.iter().map(|selection| self.of_selection(selection)).max().unwrap_or(0)
    }
    fn of_selection(&mut self, selection: &'d Selection) -> usize {
        match selection {
            Selection::Field(field) if field.name.starts_with("__") => 1,
            Selection::Field(field) => 1 + field.selection_set.as_ref().map_or(0, |below| self.of(below)),
            Selection::InlineFragment(fragment) => self.of(&fragment.selection_set),
            Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name.as_str();
                if let Some(depth) = self.fragments.get(name) {
                    return *depth;
                }
                let document = self.document;
                let depth = document.fragments.get(name).map_or(0, |fragment| self.of(&fragment.selection_set));
                self.fragments.insert(name, depth);
                depth
            }
        }
    }
}

fn condition_variables(document: &ExecutableDocument, operation: &Operation) -> Vec<usize> {
    fn visit(set: &SelectionSet, names: &mut Vec<String>) {
        for selection in &set.selections {
            for name in ["skip", "include"] {
                let argument = selection.directives().get(name).and_then(|it| it.specified_argument_by_name("if"));
                if let Some(variable) = argument.and_then(|value| value.as_variable()) {
                    names.push(variable.to_string());
                }
            }
            match selection {
                Selection::Field(field) => {
                    if let Some(below) = &field.selection_set {
                        visit(below, names);
                    }
                }
                Selection::InlineFragment(fragment) => visit(&fragment.selection_set, names),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    let mut names = Vec::new();
    visit(&operation.selection_set, &mut names);
    document.fragments.values().for_each(|fragment| visit(&fragment.selection_set, &mut names));
    names.sort_unstable();
    names.dedup();
    let place = |name: String| operation.variables.iter().position(|variable| variable.name == name.as_str());
    names.into_iter().filter_map(place).collect()
}
