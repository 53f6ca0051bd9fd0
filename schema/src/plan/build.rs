//! Document to tree: the roots of an operation. Types decide what a field is; the document is valid.

use super::collect::Collected;
use super::selection::{json_string, selected};
use super::template::{Template, Templates};
use super::tree::{Plan, Root, Selected, Slot, Stale};
use super::variables::Variables;
use super::{Limits, mutation};
use crate::catalog::{Catalog, Collection};
use crate::{Code, Failure, Input};
use apollo_compiler::executable::{Field, Operation, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use vivarium_storage::IndexId;

/// Builds the plan of one operation.
pub(super) struct Builder<'d> {
    pub(super) schema: &'d Valid<Schema>,
    pub(super) catalog: &'d Catalog,
    pub(super) document: &'d ExecutableDocument,
    pub(super) conditions: Conditions<'d>,
    pub(super) limits: &'d Limits,
    /// Fields flattened so far.
    pub(super) fields: usize,
    pub(super) slots: Vec<Slot>,
    /// Unique indexes that lead from records to the ones that refer to them.
    pub(super) followed: Vec<IndexId>,
    /// The connections that the field in hand is nested in, by slot.
    pub(super) within: Vec<usize>,
    introspects: bool,
}

/// What `@skip` and `@include` are told.
pub(super) struct Conditions<'d> {
    pub(super) operation: &'d Operation,
    pub(super) variables: &'d Variables,
}

impl Conditions<'_> {
    pub(super) fn holds(&self, variable: &str) -> bool {
        let place = self.operation.variables.iter().position(|definition| definition.name == variable);
        place.and_then(|at| self.variables.get(at)) == Some(&Input::Bool(true))
    }
}

impl<'d> Builder<'d> {
    pub(super) fn new(
        schema: &'d Valid<Schema>,
        catalog: &'d Catalog,
        limits: &'d Limits,
        document: &'d ExecutableDocument,
        conditions: Conditions<'d>,
    ) -> Builder<'d> {
        Builder {
            schema,
            catalog,
            document,
            conditions,
            limits,
            fields: 0,
            slots: Vec::new(),
            followed: Vec::new(),
            within: Vec::new(),
            introspects: false,
        }
    }

    /// The plan of the operation.
    pub(super) fn plan(mut self, operation: &'d Operation) -> Result<Plan, Vec<Failure>> {
        if operation.is_subscription() {
            let message = "Subscriptions are not served yet: ask with a query.";
            return Err(vec![Failure::new(Code::GraphqlValidationFailed, message)]);
        }
        let sets = [&operation.selection_set];
        let roots = match operation.is_mutation() {
            true => self.mutation_roots(&sets),
            false => self.query_roots(&sets),
        };
        let roots = roots.map_err(|failure| vec![failure])?;
        if roots.len() > self.limits.root_fields_max {
            let limit = self.limits.root_fields_max;
            let message = format!("The operation has more than {limit} root fields.");
            return Err(vec![Failure::new(Code::QueryTooComplex, message).with("limit", limit)]);
        }
        let directive = |name: &str, argument: &str| {
            let directive = operation.directives.get(name)?;
            directive.specified_argument_by_name(argument)
        };
        let idempotency = directive("idempotent", "key").map(|value| self.untyped(value));
        let stale = directive("consistency", "level")
            .is_some_and(|level| level.as_enum().is_some_and(|level| level.as_str() == "STALE"));
        let age_max = directive("consistency", "maxStaleness").map(|value| self.untyped(value));
        let stale = stale.then_some(Stale { age_max });
        for directive in ["asOf", "cached"] {
            if operation.directives.has(directive) {
                let message = format!("@{directive} is not served yet: leave it out.");
                return Err(vec![Failure::new(Code::GraphqlValidationFailed, message)]);
            }
        }
        let (slots, followed, introspects) = (self.slots, self.followed, self.introspects);
        Ok(Plan { mutation: operation.is_mutation(), roots, slots, followed, stale, idempotency, introspects })
    }

    /// The fields of `Query`, at the root or in a payload.
    pub(super) fn query_roots(&mut self, sets: &[&'d SelectionSet]) -> Result<Vec<Selected<Root>>, Failure> {
        let collected = self.collect("Query", sets)?;
        let mut roots = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let root = self.query_root(field)?;
            roots.push(selected(self.document, field, at, root));
        }
        Ok(roots)
    }

    fn query_root(&mut self, field: &Collected<'d>) -> Result<Root, Failure> {
        Ok(match field.name() {
            "__typename" => Root::Typename(json_string("Query")),
            "__schema" | "__type" => {
                if self.conditions.operation.is_mutation() {
                    let message = "Introspection is answered in queries only: ask for it apart from the mutation.";
                    let mut failure = Failure::new(Code::GraphqlValidationFailed, message);
                    failure.locations = vec![super::selection::location(self.document, field)];
                    return Err(failure);
                }
                self.introspects = true;
                Root::Introspection
            }
            "node" => {
                let slot = self.slot(Slot::Ids(self.argument(field.field(), "id").expect("id is required")));
                Root::Node { slot, variants: self.variants(field)? }
            }
            "nodes" => {
                let slot = self.slot(Slot::Ids(self.argument(field.field(), "ids").expect("ids is required")));
                Root::Nodes { slot, variants: self.variants(field)? }
            }
            name => {
                let catalog = self.catalog;
                if let Some(collection) = catalog.collections.iter().find(|collection| collection.singular == name) {
                    let by = self.argument(field.field(), "by").expect("by is required");
                    let index = match &by {
                        Template::Object(fields) => fields.first().map(|(name, _)| name.as_str()),
                        _ => None,
                    };
                    let index = index.and_then(|name| collection.key_named(catalog, name)).map(|index| index.id);
                    let slot = self.slot(Slot::Key { collection: collection.id, by, index });
                    return Ok(Root::Get { slot, record: self.record(collection, &field.selections())? });
                }
                if let Some(family) = catalog.families.iter().find(|family| family.plural == name) {
                    return Ok(Root::Family(self.family(field, family)?));
                }
                let collection = catalog.collections.iter().find(|collection| collection.plural == name);
                let collection = collection.ok_or_else(|| unplanned(field.field()))?;
                Root::List(self.connection(field, collection, None)?)
            }
        })
    }

    fn mutation_roots(&mut self, sets: &[&'d SelectionSet]) -> Result<Vec<Selected<Root>>, Failure> {
        let collected = self.collect("Mutation", sets)?;
        let mut roots = Vec::with_capacity(collected.len());
        for (at, field) in collected.iter().enumerate() {
            let root = match field.name() {
                "__typename" => Root::Typename(json_string("Mutation")),
                name => {
                    let found = mutation::action_named(self.catalog, name);
                    let (collection, action) = found.ok_or_else(|| unplanned(field.field()))?;
                    Root::Write(Box::new(self.write(field, collection, action)?))
                }
            };
            roots.push(selected(self.document, field, at, root));
        }
        Ok(roots)
    }

    /// What is selected of a Node, for each collection.
    fn variants(&mut self, field: &Collected<'d>) -> Result<Vec<super::tree::RecordPlan>, Failure> {
        let catalog = self.catalog;
        let of = |collection: &'d Collection| self.record(collection, &field.selections());
        catalog.collections.iter().map(of).collect()
    }

    /// An argument as the document gives it; its default otherwise.
    pub(super) fn argument(&self, field: &Node<Field>, name: &str) -> Option<Template> {
        let definition = field.definition.arguments.iter().find(|argument| argument.name == name)?;
        let given = field.specified_argument_by_name(name).or(definition.default_value.as_ref())?;
        Some(self.templates().template(&definition.ty, given))
    }

    pub(super) fn slot(&mut self, slot: Slot) -> usize {
        self.slots.push(slot);
        self.slots.len() - 1
    }

    fn untyped(&self, value: &apollo_compiler::executable::Value) -> Template {
        self.templates().template(&apollo_compiler::ty!(String), value)
    }

    fn templates(&self) -> Templates<'_> {
        Templates { schema: self.schema, variables: &self.conditions.operation.variables }
    }
}

/// A field that the API has and the planner does not know: ours to mend.
pub(super) fn unplanned(field: &Field) -> Failure {
    Failure::new(Code::InternalServerError, format!("no plan for the field {}", field.name))
}
