//! What a part of an operation should be answered, and the first thing that is wrong with what it was.

use crate::workload::rows::Operation;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a part should be answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// The payload of a write, without its commit and without what is read beside it.
    Payload(Value),
    /// One record or null.
    Record(Value),
    /// What records add up to, and perhaps groups of them, whose order is known or not.
    Folded {
        /// All of it.
        answer: Value,
        /// The groups come in this order.
        is_ordered: bool,
    },
    /// A page.
    Page(Window),
}

/// A record in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// What it is sorted by.
    pub(super) key: Vec<Value>,
    pub(super) name: String,
    /// As answers show it.
    pub(super) node: Value,
}

/// The records that a page is taken from, in order; those that are equal in all keys in any.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub(super) rows: Vec<Shown>,
    pub(super) size: usize,
    /// The page is taken from the end.
    pub(super) backward: bool,
    /// There are records on the other side of the cursor.
    pub(super) seen: bool,
    /// How many there are on all pages, when they are counted.
    pub(super) total: Option<usize>,
}

impl Expected {
    /// What is wrong with the answer of an operation.
    ///
    /// # Errors
    /// The first thing, in words.
    pub fn check_all(operation: &Operation, expected: &[Expected], data: &Value) -> Result<(), String> {
        let answers = operation.answers(data)?;
        for (place, ((part, expected), found)) in operation.parts.iter().zip(expected).zip(answers).enumerate() {
            expected.check(found).map_err(|wrong| format!("part {place} ({}): {wrong}", part.form()))?;
        }
        Ok(())
    }

    fn check(&self, found: &Value) -> Result<(), String> {
        match self {
            Expected::Payload(expected) => {
                let mut found = found.clone();
                if let Value::Object(payload) = &mut found {
                    payload.remove("commit");
                    payload.remove("query");
                }
                equal(&found, expected)
            }
            Expected::Record(expected) => equal(found, expected),
            Expected::Folded { answer, is_ordered: true } => equal(found, answer),
            Expected::Folded { answer, is_ordered: false } => equal(&by_key(found), &by_key(answer)),
            Expected::Page(window) => window.check(found),
        }
    }
}

/// A fold with its groups in an order of their own.
fn by_key(fold: &Value) -> Value {
    let mut sorted = fold.clone();
    if let Some(groups) = sorted.get_mut("groups").and_then(Value::as_array_mut) {
        groups.sort_by_key(|group| group["key"].to_string());
    }
    sorted
}

fn equal(found: &Value, expected: &Value) -> Result<(), String> {
    if same(found, expected) { Ok(()) } else { Err(format!("was answered {found}; it should be {expected}")) }
}

/// Equal, however numbers are written.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

impl Window {
    fn check(&self, found: &Value) -> Result<(), String> {
        let nodes = found["nodes"].as_array().ok_or_else(|| format!("{found} has no nodes"))?;
        let count = self.size.min(self.rows.len());
        let first = if self.backward { self.rows.len() - count } else { 0 };
        let page = &self.rows[first..first + count];
        let names = |rows: &[Shown]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        if nodes.len() != count {
            let found: Vec<_> = nodes.iter().map(|node| &node["name"]).collect();
            return Err(format!("{} records were answered: {found:?}; it should be {:?}", nodes.len(), names(page)));
        }
        let mut left: BTreeMap<&str, &Shown> = self.rows.iter().map(|row| (row.name.as_str(), row)).collect();
        for (node, expected) in nodes.iter().zip(page) {
            let name = node["name"].as_str().unwrap_or_default();
            let Some(row) = left.remove(name) else {
                return Err(format!("{name} was answered; it is twice there, or not one of {:?}", names(&self.rows)));
            };
            equal(node, &row.node)?;
            if row.key != expected.key {
                return Err(format!("{name} was answered where {} belongs", expected.name));
            }
        }
        let more = self.rows.len() > count;
        let (next, previous) = if self.backward { (self.seen, more) } else { (more, self.seen) };
        for (what, expected) in [("hasNextPage", next), ("hasPreviousPage", previous)] {
            if found["pageInfo"][what] != expected {
                return Err(format!("{what} is {}; it should be {expected}", found["pageInfo"][what]));
            }
        }
        match self.total {
            Some(total) if found["totalCount"] != total => {
                Err(format!("totalCount is {}; it should be {total}", found["totalCount"]))
            }
            _ => Ok(()),
        }
    }
}
