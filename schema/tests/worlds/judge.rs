//! Whether a record matches a filter: three-valued, member by member, relations followed one record at a time.
//!
//! `None` is unknown: something that is compared is null. A relation matches or does not; it is never unknown.

use super::atom::{Atom, Rank, fold};
use super::model::{Kind, Model, Object};
use super::operation::{JsonTest, ListTest, Member, Operand, Quantified, Test, Where};
use super::world::{Id, Record, Value, World, field, same};
use regex::{Regex, RegexBuilder};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::cmp::Ordering;

pub type Truth = Option<bool>;

/// What a filter is asked of: a record, or an embedded value, which may not be there.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub object: &'a Object,
    pub id: Option<&'a Id>,
    pub values: Option<&'a Record>,
}

/// Knows the records that relations lead to.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub model: &'a Model,
    pub world: &'a World,
}

pub fn and(truths: impl Iterator<Item = Truth>) -> Truth {
    let truths: Vec<Truth> = truths.collect();
    if truths.contains(&Some(false)) {
        Some(false)
    } else if truths.contains(&None) {
        None
    } else {
        Some(true)
    }
}

pub fn not(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}

pub fn or(truths: impl Iterator<Item = Truth>) -> Truth {
    not(and(truths.map(not)))
}

impl<'a> Judge<'a> {
    /// Whether a record is let through.
    pub fn matches(self, object: &'a Object, id: &'a Id, filter: &Where) -> bool {
        let values = self.world.get(&object.name, id);
        assert!(values.is_some(), "relations lead to records");
        self.truth(Subject { object, id: Some(id), values }, filter) == Some(true)
    }

    fn truth(self, subject: Subject<'a>, filter: &Where) -> Truth {
        and(filter.members.iter().map(|member| self.member(subject, member)))
    }

    fn member(self, subject: Subject<'a>, member: &Member) -> Truth {
        static NULL: Value = Value::Null;
        let value = |name: &str| subject.values.map_or(&NULL, |values| field(values, name));
        match member {
            Member::And(parts) => and(parts.iter().map(|part| self.truth(subject, part))),
            Member::Or(parts) => or(parts.iter().map(|part| self.truth(subject, part))),
            Member::Not(part) => not(self.truth(subject, part)),
            Member::IsNull(wanted) => Some(subject.values.is_none() == *wanted),
            Member::Id(tests) => {
                let id = super::atom::text(subject.id.unwrap());
                and(tests.iter().map(|test| of_value(test, Some(&id), false)))
            }
            Member::Value { field, tests, ignore_case, .. } => {
                let atom = match value(field) {
                    Value::Atom(atom) => Some(atom.as_ref()),
                    _ => None,
                };
                and(tests.iter().map(|test| of_value(test, atom, *ignore_case == Some(true))))
            }
            Member::List { field, tests, .. } => and(tests.iter().map(|test| of_list(test, value(field)))),
            Member::Json { field, path, tests } => {
                let document = match value(field) {
                    Value::Atom(atom) => walk(&atom.json, path),
                    _ => &Json::Null,
                };
                and(tests.iter().map(|test| of_json(test, document)))
            }
            Member::Embedded { field, inner } => {
                let object = self.model.object(&subject.object.field(field).of);
                let values = match value(field) {
                    Value::Object(values) => Some(values),
                    _ => None,
                };
                self.truth(Subject { object, id: None, values }, inner)
            }
            Member::ToOne { field, inner } => Some(self.to_one(subject, field, inner)),
            Member::Many { field, tests, .. } => {
                let declared = subject.object.field(field);
                let target = self.model.object(&declared.of);
                if declared.kind == Kind::Embedded {
                    return and(tests.iter().map(|test| self.of_elements(target, value(field), test)));
                }
                let relatives = self.world.relatives(subject.object, subject.id.unwrap(), field);
                and(tests.iter().map(|test| Some(self.of_relatives(target, &relatives, test))))
            }
        }
    }

    fn to_one(self, subject: Subject<'a>, name: &str, inner: &Where) -> bool {
        let target = self.model.object(&subject.object.field(name).of);
        let related = match (subject.id, subject.values.map(|values| field(values, name))) {
            (_, Some(Value::Reference(id))) => Some(id.clone()),
            (Some(id), _) => self.world.related(subject.object, id, name),
            _ => None,
        };
        let (nulls, rest): (Vec<&Member>, Vec<&Member>) =
            inner.members.iter().partition(|member| matches!(member, Member::IsNull(_)));
        let exists =
            nulls.iter().all(|member| matches!(member, Member::IsNull(wanted) if *wanted == related.is_none()));
        if rest.is_empty() {
            return exists;
        }
        let Some(id) = related else { return false };
        let rest = Where { of: inner.of.clone(), members: rest.into_iter().cloned().collect() };
        exists && self.matches_owned(target, &id, &rest)
    }

    fn matches_owned(self, target: &'a Object, id: &Id, filter: &Where) -> bool {
        let (id, _) = self.world.records[&target.name].get_key_value(id).expect("relations lead to records");
        self.matches(target, id, filter)
    }

    fn of_relatives(self, target: &'a Object, relatives: &[Id], test: &Quantified) -> bool {
        let matches = |filter| relatives.iter().filter(|id| self.matches_owned(target, id, filter)).count();
        match test {
            Quantified::Some(filter) => matches(filter) > 0,
            Quantified::Every(filter) => matches(filter) == relatives.len(),
            Quantified::None(filter) => matches(filter) == 0,
            Quantified::Count(tests) => {
                let count = super::atom::whole(i64::try_from(relatives.len()).unwrap());
                tests.iter().all(|test| of_value(test, Some(&count), false) == Some(true))
            }
            Quantified::IsNull(_) => panic!("a relation to many is never null"),
        }
    }

    fn of_elements(self, object: &'a Object, list: &'a Value, test: &Quantified) -> Truth {
        let items = match (list, test) {
            (list, Quantified::IsNull(wanted)) => return Some(list.is_null() == *wanted),
            (Value::List(items), _) => items,
            _ => return None,
        };
        let truths = |filter: &Where| -> Vec<Truth> {
            let subject = |item: &'a Value| match item {
                Value::Object(values) => Subject { object, id: None, values: Some(values) },
                _ => Subject { object, id: None, values: None },
            };
            items.iter().map(|item| self.truth(subject(item), filter)).collect()
        };
        match test {
            Quantified::Some(filter) => or(truths(filter).into_iter()),
            Quantified::Every(filter) => and(truths(filter).into_iter()),
            Quantified::None(filter) => not(or(truths(filter).into_iter())),
            Quantified::Count(tests) => {
                let count = super::atom::whole(i64::try_from(items.len()).unwrap());
                and(tests.iter().map(|test| of_value(test, Some(&count), false)))
            }
            Quantified::IsNull(_) => unreachable!("answered above"),
        }
    }
}

/// What an operator says of a value.
pub fn of_value(test: &Test, value: Option<&Atom>, ignore_case: bool) -> Truth {
    if let Test::IsNull(wanted) = test {
        return Some(value.is_none() == *wanted);
    }
    let value = value?;
    let order = |operand: &Operand| match (&value.rank, &operand.atom.rank, ignore_case) {
        (Rank::Text(value), Rank::Text(operand), true) => Rank::Text(fold(value)).compare(&Rank::Text(fold(operand))),
        (value, operand, _) => value.compare(operand),
    };
    let among = |operands: &[Operand]| operands.iter().any(|operand| order(operand).is_eq());
    let within = |part: &str, holds: fn(&str, &str) -> bool| match (&value.rank, ignore_case) {
        (Rank::Text(text), true) => holds(&fold(text), &fold(part)),
        (Rank::Text(text), false) => holds(text, part),
        _ => panic!("only strings have parts"),
    };
    Some(match test {
        Test::Eq(operand) => order(operand) == Ordering::Equal,
        Test::Ne(operand) => order(operand) != Ordering::Equal,
        Test::In(operands) => among(operands),
        Test::NotIn(operands) => !among(operands),
        Test::Gt(operand) => order(operand) == Ordering::Greater,
        Test::Gte(operand) => order(operand) != Ordering::Less,
        Test::Lt(operand) => order(operand) == Ordering::Less,
        Test::Lte(operand) => order(operand) != Ordering::Greater,
        Test::Contains(part) => within(part, |text, part| text.contains(part)),
        Test::StartsWith(part) => within(part, |text, part| text.starts_with(part)),
        Test::EndsWith(part) => within(part, |text, part| text.ends_with(part)),
        Test::Regex(pattern) => {
            let regex = regex(pattern, ignore_case);
            matches!(&value.rank, Rank::Text(text) if regex.is_match(text))
        }
        Test::IsNull(_) => unreachable!("answered above"),
    })
}

/// A compiled pattern. The last one is kept: most of a test's time would go into compiling it for each record.
fn regex(pattern: &str, ignore_case: bool) -> Regex {
    thread_local! { static LAST: RefCell<Option<(String, bool, Regex)>> = const { RefCell::new(None) }; }
    LAST.with_borrow_mut(|last| match last {
        Some((known, case, regex)) if known == pattern && *case == ignore_case => regex.clone(),
        last => {
            let regex = RegexBuilder::new(pattern).case_insensitive(ignore_case).build().unwrap();
            *last = Some((pattern.to_owned(), ignore_case, regex.clone()));
            regex
        }
    })
}

/// What an operator says of a list of scalars or enums.
fn of_list(test: &ListTest, list: &Value) -> Truth {
    let items = match (test, list) {
        (ListTest::IsNull(wanted), list) => return Some(list.is_null() == *wanted),
        (_, Value::List(items)) => items,
        _ => return None,
    };
    let is = |item: &Value, operand: &Operand| matches!(item, Value::Atom(atom) if same(atom, &operand.atom));
    let has = |operand: &Operand| items.iter().any(|item| is(item, operand));
    match test {
        ListTest::Has(operand) => Some(has(operand)),
        ListTest::HasAny(operands) => Some(operands.iter().any(has)),
        ListTest::HasAll(operands) => Some(operands.iter().all(has)),
        ListTest::ContainedIn(operands) => {
            Some(items.iter().all(|item| operands.iter().any(|operand| is(item, operand))))
        }
        ListTest::IsEmpty(wanted) => Some(items.is_empty() == *wanted),
        ListTest::Length(tests) => {
            let length = super::atom::whole(i64::try_from(items.len()).unwrap());
            and(tests.iter().map(|test| of_value(test, Some(&length), false)))
        }
        ListTest::IsNull(_) => unreachable!("answered above"),
    }
}

/// The part of a document at a path: names lead into objects, numbers into lists.
pub fn walk<'j>(document: &'j Json, path: &[String]) -> &'j Json {
    let step = |value: &'j Json, step: &String| match value {
        Json::Object(fields) => fields.get(step).unwrap_or(&Json::Null),
        Json::Array(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)).unwrap_or(&Json::Null),
        _ => &Json::Null,
    };
    path.iter().fold(document, step)
}

fn of_json(test: &JsonTest, found: &Json) -> Truth {
    if let JsonTest::IsNull(wanted) = test {
        return Some(found.is_null() == *wanted);
    }
    if found.is_null() {
        return None;
    }
    Some(match test {
        // Maps of `serde_json` are equal whatever the order of their members.
        JsonTest::Eq(operand) => operand.json == *found,
        JsonTest::Ne(operand) => operand.json != *found,
        JsonTest::Contains(operand) => contains(&operand.json, found),
        JsonTest::HasKey(key) => found.as_object().is_some_and(|fields| fields.contains_key(key)),
        JsonTest::Compare(name, operand) => {
            let order = match (found, &operand.json) {
                (Json::String(found), Json::String(operand)) => found.chars().cmp(operand.chars()),
                (Json::Number(found), Json::Number(operand)) => found.as_i64().cmp(&operand.as_i64()),
                // Nothing else has an order.
                _ => return Some(false),
            };
            match *name {
                "gt" => order.is_gt(),
                "gte" => order.is_ge(),
                "lt" => order.is_lt(),
                _ => order.is_le(),
            }
        }
        JsonTest::IsNull(_) => unreachable!("answered above"),
    })
}

/// Each member of an object, each element of a list is found again; a plain value also as an element.
fn contains(operand: &Json, found: &Json) -> bool {
    match (operand, found) {
        (Json::Object(wanted), Json::Object(fields)) => {
            wanted.iter().all(|(name, wanted)| fields.get(name).is_some_and(|found| contains(wanted, found)))
        }
        (Json::Array(wanted), Json::Array(items)) => {
            wanted.iter().all(|wanted| items.iter().any(|found| contains(wanted, found)))
        }
        (Json::Object(_), Json::Array(_)) => false,
        (operand, Json::Array(items)) => items.contains(operand),
        (operand, found) => operand == found,
    }
}
