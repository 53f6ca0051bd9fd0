//! The index that would have served a scan, as its directive in SDL.

use super::access::Choice;
use super::facts::conjuncts;
use super::order::{Order, OrderKey};
use crate::catalog::{Catalog, Collection, Field, FieldKind, Index};
use crate::filter::{JsonTest, ListTest, Operator, Predicate, Quantifier, Test, TextOperator};
use vivarium_storage::FieldId;

/// Elements of a suggested index: what comes behind them decides little.
const ELEMENTS_MAX: usize = 4;

/// What an index could do for a condition, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Equal,
    /// One entry for each element of a list.
    Each,
    Range,
}

/// The directives of the indexes that would serve a scan; `None` when none can.
pub(super) fn suggestion(
    catalog: &Catalog,
    collection: &Collection,
    choice: &Choice,
    order: Option<&Order>,
) -> Option<String> {
    let suggest = Suggest { catalog, collection };
    let Some(filter) = &choice.residual else { return suggest.of_order(order?) };
    if let Some(fields) = suggest.of_all(&conjuncts(&filter.root)) {
        return (!suggest.has(&fields)).then(|| directive(&fields));
    }
    // Each branch needs an index of its own.
    let branches = conjuncts(&filter.root).into_iter().find_map(|conjunct| match conjunct {
        Predicate::Any(branches) if !branches.is_empty() => Some(branches),
        _ => None,
    })?;
    let of_branch = |branch| suggest.of_all(&conjuncts(branch));
    let mut all = branches.iter().map(of_branch).collect::<Option<Vec<_>>>()?;
    all.retain(|fields| !suggest.has(fields));
    all.dedup();
    let all: Vec<String> = all.iter().map(|fields| directive(fields)).collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

struct Suggest<'a> {
    catalog: &'a Catalog,
    collection: &'a Collection,
}

impl Suggest<'_> {
    /// The fields of an index for conditions that all have to hold.
    fn of_all(&self, conjuncts: &[&Predicate]) -> Option<Vec<String>> {
        let mut uses = Vec::new();
        for conjunct in conjuncts {
            self.uses(&self.collection.fields, "", conjunct, &mut uses);
        }
        uses.sort_by_key(|(use_of, _)| *use_of);
        let mut fields: Vec<String> = Vec::new();
        for (use_of, field) in uses {
            if !fields.contains(&field) && fields.len() < ELEMENTS_MAX {
                fields.push(field);
            }
            // Behind a range, and behind the elements of a list, nothing is sorted as it would have to be.
            if use_of != Use::Equal {
                break;
            }
        }
        (!fields.is_empty()).then_some(fields)
    }

    /// Adds what an index could do for a condition; `None` where there is nothing.
    fn uses(&self, fields: &[Field], within: &str, predicate: &Predicate, uses: &mut Vec<(Use, String)>) -> Option<()> {
        let named = |id: &FieldId| fields.iter().find(|field| field.id == *id);
        let path = |id: &FieldId| Some(format!("{within}{}", named(id)?.name));
        let use_of = match predicate {
            Predicate::Value { field, test } => test_use(test).zip(path(field)),
            Predicate::List { field, test: ListTest::HasAll(_) | ListTest::HasAny(_) } => {
                path(field).map(|path| (Use::Each, path))
            }
            Predicate::Json { field, path: steps, test } if !steps.is_empty() => {
                let use_of = match test {
                    JsonTest::Equal(_) => Some(Use::Equal),
                    JsonTest::Compare(_) => Some(Use::Range),
                    _ => None,
                };
                use_of.zip(path(field).map(|path| format!("{path}.{}", steps.join("."))))
            }
            Predicate::Embedded { field, predicate }
            | Predicate::Elements { field, quantifier: Quantifier::Some, predicate } => {
                let field = named(field)?;
                let FieldKind::Embedded(type_id) = field.kind else { return None };
                let inner = self.catalog.embedded(type_id)?;
                let before = uses.len();
                let within = format!("{within}{}.", field.name);
                for part in conjuncts(predicate) {
                    self.uses(&inner.fields, &within, part, uses);
                }
                if field.list.is_some() {
                    uses[before..].iter_mut().for_each(|(use_of, _)| *use_of = Use::Each);
                }
                None
            }
            _ => None,
        };
        uses.extend(use_of);
        Some(())
    }

    /// Some index begins so already.
    fn has(&self, fields: &[String]) -> bool {
        let begins = |index: &Index| {
            let paths = index.elements.iter().map(|element| self.path(&element.path, &element.json));
            fields.iter().map(|field| Some(field.clone())).zip(paths).all(|(field, path)| field == path)
                && index.elements.len() >= fields.len()
        };
        self.collection.indexes.iter().any(begins)
    }

    /// What an index's element is called.
    fn path(&self, path: &[FieldId], json: &[String]) -> Option<String> {
        let mut fields = self.collection.fields.as_slice();
        let mut names: Vec<&str> = Vec::with_capacity(path.len() + json.len());
        for id in path {
            let field = fields.iter().find(|field| field.id == *id)?;
            names.push(&field.name);
            if let FieldKind::Embedded(type_id) = field.kind {
                fields = &self.catalog.embedded(type_id)?.fields;
            }
        }
        names.extend(json.iter().map(String::as_str));
        Some(names.join("."))
    }

    fn of_order(&self, order: &Order) -> Option<String> {
        let turned = |key: &OrderKey| key.direction != order.ids || !key.natural_nulls;
        if order.keys.is_empty() || order.keys.len() > ELEMENTS_MAX || order.keys.iter().any(turned) {
            return None;
        }
        let paths = order.keys.iter().map(|key| self.path(&key.own_path()?, &[]));
        Some(directive(&paths.collect::<Option<Vec<String>>>()?))
    }
}

/// What an index could do for a test of a value.
fn test_use(test: &Test) -> Option<Use> {
    let use_of = |operator: &Operator| match operator {
        Operator::Equal(_) | Operator::In(_) | Operator::IsNull(true) => Some(Use::Equal),
        Operator::Less(_) | Operator::LessOrEqual(_) | Operator::Greater(_) | Operator::GreaterOrEqual(_) => {
            Some(Use::Range)
        }
        Operator::Text(TextOperator::StartsWith(prefix)) if !prefix.is_empty() => Some(Use::Range),
        _ => None,
    };
    if test.folded { None } else { test.operators.iter().filter_map(use_of).min() }
}

fn directive(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("\"{field}\"")).collect();
    format!("@index(fields: [{}])", fields.join(", "))
}
