//! Filters and orders as data: drawn by the workloads, sent as variables, understood by the model on its own.

use super::table::{Kind, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A value of a field. References are names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Datum {
    /// None.
    Null,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text, a value of an enum, a name.
    Text(String),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Names of records that are linked.
    Names(Vec<String>),
}

impl Datum {
    /// How a request says it, and an answer shows it.
    pub fn json(&self, kind: Kind) -> Value {
        match self {
            Datum::Null => Value::Null,
            Datum::Int(number) if kind == Kind::BigInt => json!(number.to_string()),
            Datum::Int(number) => json!(number),
            Datum::Float(number) => json!(number),
            Datum::Text(text) => json!(text),
            Datum::Ints(numbers) => json!(numbers),
            Datum::Names(names) => json!(names),
        }
    }
}

/// What a value is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they are called as in the API")]
pub enum Operator {
    Eq(Datum),
    Ne(Datum),
    In(Vec<Datum>),
    Lt(Datum),
    Lte(Datum),
    Gt(Datum),
    Gte(Datum),
    IsNull(bool),
    Has(i64),
}

/// Of how many related records something has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they are called as in the API")]
pub enum Quantifier {
    /// Of the one that is referred to.
    One,
    Some,
    Every,
    None,
}

/// Which records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// A field's value.
    Test {
        /// Which field.
        field: String,
        /// All of these hold.
        is: Vec<Operator>,
    },
    /// All hold.
    All(Vec<Filter>),
    /// One holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// Related records.
    Related {
        /// The field that leads to them.
        field: String,
        /// How many.
        how: Quantifier,
        /// What holds of them.
        filter: Box<Filter>,
    },
    /// So many related records.
    Counted {
        /// The field that leads to them.
        field: String,
        /// What holds of their number.
        is: Vec<Operator>,
    },
}

impl Filter {
    /// One test of a field.
    pub fn test(field: &str, operator: Operator) -> Filter {
        Filter::Test { field: field.into(), is: vec![operator] }
    }

    /// The value of `where` or `if`.
    pub fn json(&self, table: Table) -> Value {
        let all = |parts: &[Filter]| parts.iter().map(|part| part.json(table)).collect::<Vec<_>>();
        match self {
            Filter::Test { field, is } => object(field, operators(is, table.kind(field))),
            Filter::All(parts) => json!({ "and": all(parts) }),
            Filter::Any(parts) => json!({ "or": all(parts) }),
            Filter::Not(part) => json!({ "not": part.json(table) }),
            Filter::Related { field, how, filter } => {
                let inner = filter.json(target(table, field));
                object(
                    field,
                    match how {
                        Quantifier::One => inner,
                        Quantifier::Some => json!({ "some": inner }),
                        Quantifier::Every => json!({ "every": inner }),
                        Quantifier::None => json!({ "none": inner }),
                    },
                )
            }
            Filter::Counted { field, is } => object(field, json!({ "count": operators(is, Kind::Int) })),
        }
    }

    /// Its form without its values.
    pub fn form(&self) -> String {
        let all = |parts: &[Filter]| parts.iter().map(Filter::form).collect::<Vec<_>>().join(",");
        match self {
            Filter::Test { field, is } => {
                format!("{field} {}", is.iter().map(Operator::word).collect::<Vec<_>>().join("+"))
            }
            Filter::All(parts) => format!("and({})", all(parts)),
            Filter::Any(parts) => format!("or({})", all(parts)),
            Filter::Not(part) => format!("not({})", part.form()),
            Filter::Related { field, how, filter } => format!("{field} {how:?}({})", filter.form()),
            Filter::Counted { field, .. } => format!("count {field}"),
        }
    }
}

impl Operator {
    fn word(&self) -> &'static str {
        match self {
            Operator::Eq(_) => "eq",
            Operator::Ne(_) => "ne",
            Operator::In(_) => "in",
            Operator::Lt(_) => "lt",
            Operator::Lte(_) => "lte",
            Operator::Gt(_) => "gt",
            Operator::Gte(_) => "gte",
            Operator::IsNull(_) => "isNull",
            Operator::Has(_) => "has",
        }
    }
}

fn object(name: &str, value: Value) -> Value {
    let mut object = serde_json::Map::new();
    object.insert(name.to_owned(), value);
    Value::Object(object)
}

fn operators(all: &[Operator], kind: Kind) -> Value {
    let mut object = serde_json::Map::new();
    for operator in all {
        let value = match operator {
            Operator::Eq(value) | Operator::Ne(value) => value.json(kind),
            Operator::Lt(value) | Operator::Lte(value) | Operator::Gt(value) | Operator::Gte(value) => value.json(kind),
            Operator::In(values) => values.iter().map(|value| value.json(kind)).collect(),
            Operator::IsNull(wanted) => json!(wanted),
            Operator::Has(number) => json!(number),
        };
        object.insert(operator.word().to_owned(), value);
    }
    Value::Object(object)
}

/// The table that a field leads to.
pub fn target(table: Table, field: &str) -> Table {
    match table.kind(field) {
        Kind::One(to, _) | Kind::Links(to) | Kind::Many(to, _) | Kind::Linked(to, _) => to,
        _ => unreachable!("{field} of {table:?} leads nowhere"),
    }
}

/// A key of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKey {
    /// By which field.
    pub field: String,
    /// The greatest first.
    #[serde(default)]
    pub descending: bool,
}

impl OrderKey {
    /// Ascending by a field.
    pub fn up(field: &str) -> OrderKey {
        OrderKey { field: field.into(), descending: false }
    }

    /// An element of `orderBy`.
    pub fn json(&self) -> Value {
        object(&self.field, json!(if self.descending { "DESC" } else { "ASC" }))
    }
}
