//! Tests of JSON: a path into the document, and what has to be there.

use super::predicate::Truth;
use super::test::{Operator, Test};
use vivarium_storage::{Value, ValueRef};

/// What a JSON field is tested for.
#[derive(Clone, Debug)]
pub(crate) enum JsonTest {
    Equal(Value),
    NotEqual(Value),
    /// Every part of the operand is in the document.
    Contains(Value),
    HasKey(String),
    /// Order, among numbers or among strings.
    Compare(Test),
    IsNull(bool),
}

impl JsonTest {
    pub(super) fn truth(&self, document: ValueRef<'_>, path: &[String]) -> Truth {
        let found = walk(document, path);
        if let JsonTest::IsNull(wanted) = self {
            return Truth::of(found.is_null() == *wanted);
        }
        if found.is_null() {
            return Truth::Unknown;
        }
        match self {
            JsonTest::Equal(operand) => Truth::of(equal(operand, found)),
            JsonTest::NotEqual(operand) => Truth::of(!equal(operand, found)),
            JsonTest::Contains(operand) => Truth::of(contains(operand, found)),
            JsonTest::HasKey(key) => Truth::of(matches!(found, ValueRef::Map(map) if map.get(key).is_some())),
            JsonTest::Compare(test) if test.operators.iter().all(|operator| have_order(operator, found)) => {
                test.truth(found)
            }
            JsonTest::Compare(_) => Truth::False,
            JsonTest::IsNull(_) => unreachable!("answered above"),
        }
    }
}

/// True for two numbers and for two strings.
fn have_order(operator: &Operator, found: ValueRef<'_>) -> bool {
    let (Operator::Less(operand)
    | Operator::LessOrEqual(operand)
    | Operator::Greater(operand)
    | Operator::GreaterOrEqual(operand)) = operator
    else {
        return false;
    };
    match found {
        ValueRef::Int(_) | ValueRef::Float(_) | ValueRef::Decimal(_) => {
            matches!(operand, Value::Int(_) | Value::Float(_) | Value::Decimal(_))
        }
        ValueRef::String(_) => matches!(operand, Value::String(_)),
        _ => false,
    }
}

/// The value at a path: names lead into objects, numbers into lists. Null when the path leads nowhere.
pub(crate) fn walk<'a>(document: ValueRef<'a>, path: &[String]) -> ValueRef<'a> {
    let mut value = document;
    for step in path {
        value = match value {
            ValueRef::Map(map) => map.get(step).unwrap_or(ValueRef::Null),
            ValueRef::List(list) => {
                step.parse::<usize>().ok().and_then(|at| list.iter().nth(at)).unwrap_or(ValueRef::Null)
            }
            _ => return ValueRef::Null,
        };
    }
    value
}

/// Equality of JSON: objects are equal whatever the order of their members.
fn equal(operand: &Value, found: ValueRef<'_>) -> bool {
    match (operand, found) {
        (Value::Map(members), ValueRef::Map(map)) => {
            map.iter().count() == members.len()
                && members.iter().all(|(key, value)| map.get(key).is_some_and(|found| equal(value, found)))
        }
        (Value::List(elements), ValueRef::List(list)) => {
            elements.len() == list.len()
                && elements.iter().zip(list.iter()).all(|(element, found)| equal(element, found))
        }
        (Value::Map(_) | Value::List(_), _) | (_, ValueRef::Map(_) | ValueRef::List(_)) => false,
        (operand, found) => operand.compare_ref(&found).is_eq(),
    }
}

/// Containment of JSON: each member of an object, each element of a list is found again.
fn contains(operand: &Value, found: ValueRef<'_>) -> bool {
    match (operand, found) {
        (Value::Map(members), ValueRef::Map(map)) => {
            members.iter().all(|(key, value)| map.get(key).is_some_and(|found| contains(value, found)))
        }
        (Value::List(elements), ValueRef::List(list)) => {
            elements.iter().all(|element| list.iter().any(|found| contains(element, found)))
        }
        (operand, ValueRef::List(list)) if !matches!(operand, Value::Map(_)) => {
            list.iter().any(|found| equal(operand, found))
        }
        (operand, found) => equal(operand, found),
    }
}
