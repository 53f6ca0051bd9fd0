//! Tests of one value: the operators of a scalar's or an enum's filter.

use super::fold::fold;
use super::predicate::Truth;
use regex::Regex;
use std::borrow::Cow;
use std::cmp::Ordering;
use vivarium_storage::{Value, ValueRef};

/// All operators of one filter object. Every one has to hold.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) operators: Vec<Operator>,
    /// `ignoreCase`: operands are folded already, the value is folded here.
    pub(crate) folded: bool,
}

/// One operator with its operand.
#[derive(Clone, Debug)]
pub(crate) enum Operator {
    Equal(Value),
    NotEqual(Value),
    /// Ascending, without repetitions.
    In(Vec<Value>),
    /// Ascending, without repetitions.
    NotIn(Vec<Value>),
    Less(Value),
    LessOrEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    IsNull(bool),
    Text(TextOperator),
}

/// An operator that strings alone have.
#[derive(Clone, Debug)]
pub(crate) enum TextOperator {
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
}

impl Test {
    /// Whether a value passes; unknown when it is null and compared with something.
    pub(crate) fn truth(&self, value: ValueRef<'_>) -> Truth {
        let folded;
        let value = match value {
            ValueRef::String(text) if self.folded => {
                folded = fold(text);
                ValueRef::String(&folded)
            }
            other => other,
        };
        let mut all = Truth::True;
        for operator in &self.operators {
            all = all.and(operator.truth(&value));
            if all == Truth::False {
                break;
            }
        }
        all
    }

    /// A test with one operator, case kept.
    pub(crate) fn of(operator: Operator) -> Test {
        Test { operators: vec![operator], folded: false }
    }
}

impl Operator {
    fn truth(&self, value: &ValueRef<'_>) -> Truth {
        if let Operator::IsNull(wanted) = self {
            return Truth::of(value.is_null() == *wanted);
        }
        if value.is_null() {
            return Truth::Unknown;
        }
        Truth::of(match self {
            Operator::Equal(operand) => operand.compare_ref(value) == Ordering::Equal,
            Operator::NotEqual(operand) => operand.compare_ref(value) != Ordering::Equal,
            Operator::In(operands) => contains(operands, value),
            Operator::NotIn(operands) => !contains(operands, value),
            Operator::Less(operand) => operand.compare_ref(value) == Ordering::Greater,
            Operator::LessOrEqual(operand) => operand.compare_ref(value) != Ordering::Less,
            Operator::Greater(operand) => operand.compare_ref(value) == Ordering::Less,
            Operator::GreaterOrEqual(operand) => operand.compare_ref(value) != Ordering::Greater,
            Operator::IsNull(_) => unreachable!("answered above"),
            Operator::Text(operator) => match value {
                ValueRef::String(text) => operator.holds(text),
                _ => false,
            },
        })
    }
}

impl TextOperator {
    fn holds(&self, text: &str) -> bool {
        match self {
            TextOperator::Contains(part) => text.contains(part.as_str()),
            TextOperator::StartsWith(part) => text.starts_with(part.as_str()),
            TextOperator::EndsWith(part) => text.ends_with(part.as_str()),
            TextOperator::Matches(regex) => regex.is_match(text),
        }
    }
}

/// Whether a sorted list has the value.
pub(super) fn contains(sorted: &[Value], value: &ValueRef<'_>) -> bool {
    sorted.binary_search_by(|operand| operand.compare_ref(value)).is_ok()
}

/// A list as [`Operator::In`] keeps it.
pub(super) fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by(Value::compare);
    values.dedup_by(|one, other| Value::compare(one, other) == Ordering::Equal);
    values
}

/// An operand as it is compared.
pub(super) fn folded(value: Value, fold_it: bool) -> Value {
    match value {
        Value::String(text) if fold_it => Value::String(fold(&text)),
        other => other,
    }
}

/// A part of a text as it is looked for.
pub(super) fn folded_text(text: &str, fold_it: bool) -> Cow<'_, str> {
    if fold_it { Cow::Owned(fold(text)) } else { Cow::Borrowed(text) }
}
