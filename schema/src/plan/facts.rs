//! Facts: what a filter says that an index could serve, and whether that is all it says.

use super::access::Bound;
use super::choice::{Planning, select};
use crate::filter::{
    Condition, Filter, JsonTest, ListTest, Operator, Predicate, Quantifier, RelationKind, Test, TextOperator,
};
use crate::write::entries::JSON_CONTAINER;
use vivarium_storage::{FieldId, Value};

/// A condition that an index can serve.
#[derive(Clone)]
pub(super) struct Fact {
    pub(super) path: Vec<FieldId>,
    /// Further into a JSON field.
    pub(super) json: Vec<String>,
    pub(super) each: bool,
    pub(super) bound: Bound,
    /// The conjunct that it comes from.
    pub(super) conjunct: usize,
    /// It says all that the conjunct says.
    pub(super) whole: bool,
}

/// The predicates that all have to hold.
pub(super) fn conjuncts(root: &Predicate) -> Vec<&Predicate> {
    match root {
        Predicate::All(parts) => parts.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

pub(super) fn facts_of(
    planning: &Planning<'_>,
    filter: &Filter,
    predicate: &Predicate,
    conjunct: usize,
    within: &[FieldId],
    facts: &mut Vec<Fact>,
) {
    let path = |field: FieldId| [within, &[field]].concat();
    match predicate {
        Predicate::Value { field, test } => {
            if let Some((bound, whole)) = bound_of(test) {
                facts.push(Fact { path: path(*field), json: Vec::new(), each: false, bound, conjunct, whole });
            }
        }
        Predicate::List { field, test } => {
            let (values, whole) = match test {
                ListTest::HasAll(values) if !values.is_empty() => (vec![values[0].clone()], values.len() == 1),
                ListTest::HasAny(values) => (values.clone(), true),
                _ => return,
            };
            facts.push(Fact {
                path: path(*field),
                json: Vec::new(),
                each: true,
                bound: Bound::Values(values),
                conjunct,
                whole,
            });
        }
        // The whole of a JSON field has no index.
        Predicate::Json { field, path: json, test } if !json.is_empty() => {
            if let Some((bound, whole)) = bound_of_json(test) {
                facts.push(Fact { path: path(*field), json: json.clone(), each: false, bound, conjunct, whole });
            }
        }
        Predicate::Embedded { field, predicate } => {
            let before = facts.len();
            facts_of(planning, filter, predicate, conjunct, &path(*field), facts);
            if facts.len() != before + 1 {
                facts[before..].iter_mut().for_each(|fact| fact.whole = false);
            }
        }
        Predicate::Elements { field, quantifier: Quantifier::Some, predicate } => {
            let before = facts.len();
            facts_of(planning, filter, predicate, conjunct, &path(*field), facts);
            let alone = facts.len() == before + 1;
            for fact in &mut facts[before..] {
                fact.each = true;
                fact.whole &= alone;
            }
        }
        Predicate::All(parts) => {
            let before = facts.len();
            parts.iter().for_each(|part| facts_of(planning, filter, part, conjunct, within, facts));
            if parts.len() > 1 {
                facts[before..].iter_mut().for_each(|fact| fact.whole = false);
            }
        }
        Predicate::Related(number) => {
            let relation = &filter.relations[*number];
            let RelationKind::Reference { field, .. } = relation.kind else { return };
            let bound = match &relation.condition {
                Condition::Exists(false) => Bound::Values(vec![Value::Null]),
                Condition::Matches(inner) => match &inner.root {
                    Predicate::Id { ids, among: true } => {
                        Bound::Values(ids.iter().map(|id| Value::Uuid(*id)).collect())
                    }
                    _ => Bound::Selected(Box::new(select(planning, relation.target, inner))),
                },
                _ => return,
            };
            facts.push(Fact { path: path(field), json: Vec::new(), each: false, bound, conjunct, whole: true });
        }
        _ => {}
    }
}

/// What a test says that an index can serve, and whether that is all it says.
fn bound_of(test: &Test) -> Option<(Bound, bool)> {
    if test.folded {
        return None;
    }
    let alone = test.operators.len() == 1;
    let (mut lower, mut upper, mut others) = (None, None, false);
    for operator in &test.operators {
        match operator {
            Operator::Equal(value) => return Some((Bound::Values(vec![value.clone()]), alone)),
            Operator::In(values) => return Some((Bound::Values(values.clone()), alone)),
            Operator::IsNull(true) => return Some((Bound::Values(vec![Value::Null]), alone)),
            Operator::Text(TextOperator::StartsWith(prefix)) if alone && !prefix.is_empty() => {
                return Some((Bound::Prefix(prefix.clone()), true));
            }
            Operator::Greater(value) if lower.is_none() => lower = Some((value.clone(), false)),
            Operator::GreaterOrEqual(value) if lower.is_none() => lower = Some((value.clone(), true)),
            Operator::Less(value) if upper.is_none() => upper = Some((value.clone(), false)),
            Operator::LessOrEqual(value) if upper.is_none() => upper = Some((value.clone(), true)),
            _ => others = true,
        }
    }
    (lower.is_some() || upper.is_some()).then_some((Bound::Range { lower, upper }, !others))
}

/// As [`bound_of`], for a part of JSON: numbers are ordered among numbers and strings among strings.
fn bound_of_json(test: &JsonTest) -> Option<(Bound, bool)> {
    let container = || Value::Bytes(JSON_CONTAINER.to_vec());
    match test {
        JsonTest::IsNull(true) => Some((Bound::Values(vec![Value::Null]), true)),
        JsonTest::Equal(Value::Map(_) | Value::List(_)) => Some((Bound::Values(vec![container()]), false)),
        JsonTest::Equal(value) => Some((Bound::Values(vec![value.clone()]), true)),
        JsonTest::Compare(Test { operators, .. }) => {
            let [operator] = operators.as_slice() else { return None };
            let (Operator::Less(value)
            | Operator::LessOrEqual(value)
            | Operator::Greater(value)
            | Operator::GreaterOrEqual(value)) = operator
            else {
                return None;
            };
            // Where values of the operand's kind begin and end among all that JSON has.
            let (first, last) = match value {
                Value::Int(_) | Value::Float(_) | Value::Decimal(_) => {
                    ((Value::Bool(true), false), (Value::String(String::new()), false))
                }
                Value::String(_) => ((Value::String(String::new()), true), (container(), false)),
                _ => return None,
            };
            let (lower, upper) = match operator {
                Operator::Less(_) => (first, (value.clone(), false)),
                Operator::LessOrEqual(_) => (first, (value.clone(), true)),
                Operator::Greater(_) => ((value.clone(), false), last),
                _ => ((value.clone(), true), last),
            };
            Some((Bound::Range { lower: Some(lower), upper: Some(upper) }, true))
        }
        _ => None,
    }
}
