//! Selection sets flattened: fragments spread, conditions decided, fields of one response key merged.

use super::build::Builder;
use crate::{Code, Failure};
use apollo_compiler::Node;
use apollo_compiler::ast::DirectiveList;
use apollo_compiler::executable::{Field, Selection, SelectionSet, Value};
use apollo_compiler::schema::ExtendedType;

/// Fields that a flattened operation may have: fragments within fragments can make many out of few.
const FIELDS_MAX: usize = 10_000;

/// All selections of one response key.
pub(super) struct Collected<'d> {
    pub(super) key: &'d str,
    pub(super) fields: Vec<&'d Node<Field>>,
}

impl<'d> Collected<'d> {
    /// The selection whose name and arguments stand for all: validation made sure that they agree.
    pub(super) fn field(&self) -> &'d Node<Field> {
        self.fields[0]
    }
    pub(super) fn name(&self) -> &'d str {
        self.fields[0].name.as_str()
    }
    /// What is selected below, of all of them.
    pub(super) fn selections(&self) -> Vec<&'d SelectionSet> {
        self.fields.iter().filter_map(|field| field.selection_set.as_ref()).collect()
    }
}

impl<'d> Builder<'d> {
    /// The fields that `sets` select of an object type, in the order of the answer.
    pub(super) fn collect(
        &mut self,
        type_name: &str,
        sets: &[&'d SelectionSet],
    ) -> Result<Vec<Collected<'d>>, Failure> {
        let mut collected = Vec::new();
        let mut spread = Vec::new();
        for set in sets {
            self.collect_into(type_name, set, &mut spread, &mut collected)?;
        }
        Ok(collected)
    }

    fn collect_into(
        &mut self,
        type_name: &str,
        set: &'d SelectionSet,
        spread: &mut Vec<&'d str>,
        collected: &mut Vec<Collected<'d>>,
    ) -> Result<(), Failure> {
        for selection in &set.selections {
            if !self.included(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    self.fields += 1;
                    if self.fields > FIELDS_MAX {
                        let message = format!("The operation selects more than {FIELDS_MAX} fields.");
                        return Err(Failure::new(Code::QueryTooComplex, message).with("limit", FIELDS_MAX));
                    }
                    let key = field.response_name().as_str();
                    match collected.iter_mut().find(|known| known.key == key) {
                        Some(known) => known.fields.push(field),
                        None => collected.push(Collected { key, fields: vec![field] }),
                    }
                }
                Selection::FragmentSpread(fragment) => {
                    let name = fragment.fragment_name.as_str();
                    if spread.contains(&name) {
                        continue;
                    }
                    spread.push(name);
                    let Some(fragment) = self.document.fragments.get(name) else { continue };
                    if self.applies(type_name, fragment.type_condition().as_str()) {
                        self.collect_into(type_name, &fragment.selection_set, spread, collected)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.type_condition.as_ref();
                    if condition.is_none_or(|condition| self.applies(type_name, condition.as_str())) {
                        self.collect_into(type_name, &fragment.selection_set, spread, collected)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether `@skip` and `@include` let a selection in.
    fn included(&self, directives: &DirectiveList) -> bool {
        let holds = |name: &str, otherwise: bool| {
            let Some(directive) = directives.get(name) else { return otherwise };
            match directive.specified_argument_by_name("if").map(|value| value.as_ref()) {
                Some(Value::Boolean(value)) => *value,
                Some(Value::Variable(variable)) => self.conditions.holds(variable.as_str()),
                _ => otherwise,
            }
        };
        !holds("skip", false) && holds("include", true)
    }

    fn applies(&self, type_name: &str, condition: &str) -> bool {
        type_name == condition
            || match self.schema.types.get(condition) {
                Some(ExtendedType::Interface(_)) => match self.schema.types.get(type_name) {
                    Some(ExtendedType::Object(object)) => {
                        object.implements_interfaces.iter().any(|interface| interface.as_str() == condition)
                    }
                    _ => false,
                },
                Some(ExtendedType::Union(union)) => union.members.iter().any(|member| member.as_str() == type_name),
                _ => false,
            }
    }
}
