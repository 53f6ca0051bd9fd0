//! Operations over tables as data: each one GraphQL operation, so one transaction, of parts in order.
//!
//! A part that reads hangs on the write before it, or on an update of the gate that changes nothing.

mod document;
pub mod filter;
pub mod fold;
pub mod table;
mod walk;

use filter::{Datum, Filter, OrderKey};
use fold::Fold;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use table::Table;
pub use walk::{Walk, Way};

use super::Reply;

/// The schema of these tables.
pub const SCHEMA: &str = include_str!("rows.graphql");
/// The name of the gate: the record that an operation updates with nothing, so as to read before its first write.
pub const GATE: &str = "gate";

/// A record to create: its name and its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRow {
    /// Its name.
    pub name: String,
    /// Its fields; references and links are names.
    pub fields: BTreeMap<String, Datum>,
}

impl NewRow {
    /// A record with these fields.
    pub fn new(name: impl Into<String>, fields: impl IntoIterator<Item = (&'static str, Datum)>) -> NewRow {
        let fields = fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        NewRow { name: name.into(), fields }
    }
}

/// What becomes of the records that a field leads to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Relinking {
    /// The field.
    pub field: String,
    /// These come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connects: Vec<String>,
    /// These go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disconnects: Vec<String>,
    /// These and no others stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sets: Option<Vec<String>>,
    /// These are created through it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub creates: Vec<NewRow>,
    /// These are changed through it: their names, and fields with other values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<NewRow>,
    /// These are deleted through it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<String>,
    /// Those of its records that this lets through are deleted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletes_all: Option<Filter>,
}

/// What a create does with records that have the same value of a unique field already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meeting {
    /// The field.
    pub by: String,
    /// The fields that are overwritten; they stay as they are when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrites: Option<Vec<String>>,
    /// Which records are overwritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

impl Relinking {
    fn form(&self) -> String {
        let mark = |is_there: bool, mark: &'static str| if is_there { mark } else { "" };
        let creates = mark(!self.creates.is_empty(), "+");
        let updates = mark(!self.updates.is_empty(), "~");
        let deletes = mark(!self.deletes.is_empty() || self.deletes_all.is_some(), "-");
        format!("{}{creates}{updates}{deletes}", self.field)
    }
}

/// A change of one record; what is absent stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The record's table.
    pub of: Table,
    /// Its name.
    pub name: String,
    /// Fields that get another value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Datum>,
    /// Fields that lead to many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relinkings: Vec<Relinking>,
    /// What must hold of it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Filter>,
    /// The version that it must be at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

impl Change {
    /// A change of nothing.
    pub fn of(table: Table, name: impl Into<String>) -> Change {
        let name = name.into();
        Change { of: table, name, fields: BTreeMap::new(), relinkings: Vec::new(), condition: None, version: None }
    }

    /// With another value.
    pub fn with(mut self, field: &str, value: Datum) -> Change {
        self.fields.insert(field.into(), value);
        self
    }
}

/// The first records of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// Of which table.
    pub of: Table,
    /// How many.
    pub first: u64,
    /// All are counted too.
    #[serde(default)]
    pub counted: bool,
    /// By which fields. Records that are equal in all of them come in any order.
    pub order: Vec<OrderKey>,
    /// Which; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// A list below each, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Below>,
}

/// A list below each record of another list, in the order of names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Below {
    /// The field that leads to its records.
    pub field: String,
    /// How many of each.
    pub first: u64,
    /// Which.
    pub filter: Filter,
    /// What all of them add up to: their number, and that of these fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<Vec<String>>,
}

/// A part of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Creates records.
    Create {
        /// Of which table.
        of: Table,
        /// Which.
        rows: Vec<NewRow>,
    },
    /// Creates records that are not there, and does something else with those that are.
    Meet {
        /// Of which table.
        of: Table,
        /// Which.
        rows: Vec<NewRow>,
        /// What else.
        meeting: Meeting,
    },
    /// Creates a record, or changes it when it is there.
    Upsert {
        /// Of which table.
        of: Table,
        /// The unique field that tells whether it is there.
        by: String,
        /// What is created.
        row: NewRow,
        /// Fields that get another value when it is there.
        fields: BTreeMap<String, Datum>,
    },
    /// Changes a record.
    Change(Change),
    /// Deletes a record.
    Delete {
        /// Of which table.
        of: Table,
        /// Which.
        name: String,
    },
    /// Reads a record by a unique field.
    Get {
        /// Of which table.
        of: Table,
        /// By which field.
        by: String,
        /// What it holds there.
        value: Datum,
    },
    /// Reads a list.
    List(Query),
    /// Reads what a list adds up to.
    Fold(Fold),
    /// Reads one page of a walk; a part that is alone.
    Walk(Walk),
}

impl Part {
    /// True when it makes the operation a mutation.
    pub fn writes(&self) -> bool {
        !matches!(self, Part::Get { .. } | Part::List(_) | Part::Fold(_) | Part::Walk(_))
    }

    /// Its form without its values.
    pub fn form(&self) -> String {
        let order = |order: &[OrderKey]| {
            let key = |key: &OrderKey| format!("{}{}", if key.descending { '-' } else { '+' }, key.field);
            order.iter().map(key).collect::<String>()
        };
        let filter = |filter: &Option<Filter>| filter.as_ref().map_or_else(String::new, Filter::form);
        match self {
            Part::Create { of, rows } => format!("create {of:?}{}", if rows.len() > 1 { "s" } else { "" }),
            Part::Meet { of, meeting, .. } => {
                let how = if meeting.overwrites.is_some() { "overwrite" } else { "leave" };
                format!("create {of:?} or {how} by {}{}", meeting.by, meeting.filter.as_ref().map_or("", |_| " if"))
            }
            Part::Upsert { of, by, .. } => format!("upsert {of:?} by {by}"),
            Part::Change(change) => {
                let fields: Vec<&str> = change.fields.keys().map(String::as_str).collect();
                let links: Vec<String> = change.relinkings.iter().map(Relinking::form).collect();
                let condition = change.condition.as_ref().map_or("", |_| " if");
                let version = change.version.map_or("", |_| " ifVersion");
                format!("change {:?} {}{}{condition}{version}", change.of, fields.join("+"), links.join("+"))
            }
            Part::Delete { of, .. } => format!("delete {of:?}"),
            Part::Get { of, by, .. } => format!("get {of:?} by {by}"),
            Part::List(query) => {
                let below = query.below.as_ref().map_or("", |below| below.field.as_str());
                let folds = query.below.as_ref().and_then(|below| below.folds.as_ref());
                let folds = folds.map_or_else(String::new, |fields| format!("({})", fields.join("+")));
                format!("list {:?} {} {} {below}{folds}", query.of, filter(&query.filter), order(&query.order))
            }
            Part::Fold(fold) => {
                let groups = fold.groups.as_ref();
                let by = groups.map_or_else(String::new, |groups| {
                    let cut = if groups.are_all() { "" } else { " cut" };
                    format!(" by {}{cut}", groups.by.join("+"))
                });
                format!("fold {:?} {} {}{by}", fold.of, filter(&fold.filter), fold.fields.join("+"))
            }
            Part::Walk(walk) => {
                format!("walk {:?} {:?} {} {}", walk.of, walk.way, filter(&walk.filter), order(&walk.order))
            }
        }
    }
}

/// What a client does with what it read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// Moves an amount from the purse that was read first to the second, if it is there.
    Transfer {
        /// How much, at most.
        amount: i64,
        /// The idempotency key.
        key: String,
    },
    /// Adds one to the counter that was read, if it is still at that version.
    Increment {
        /// The idempotency key.
        key: String,
        /// What tells that it is: its version, or its value.
        by_version: bool,
    },
}

/// One operation, and what follows from its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// What it does, in order.
    pub parts: Vec<Part>,
    /// What comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

impl Operation {
    /// An operation that nothing follows.
    pub fn of(parts: Vec<Part>) -> Operation {
        Operation { parts, then: None }
    }

    /// True when it is a mutation.
    pub fn writes(&self) -> bool {
        self.parts.iter().any(Part::writes)
    }

    /// True when it writes, but reads before that.
    pub fn reads_first(&self) -> bool {
        self.writes() && !self.parts[0].writes()
    }

    /// Its form without its values: what kinds of operations a run had.
    pub fn form(&self) -> String {
        self.parts.iter().map(Part::form).collect::<Vec<_>>().join("; ")
    }

    /// What each part was answered.
    ///
    /// # Errors
    /// When the answer has another form than the document asks for.
    pub fn answers<'a>(&self, data: &'a Value) -> Result<Vec<&'a Value>, String> {
        let mut holder = if self.reads_first() { &data["gate"]["query"] } else { data };
        let mut answers = Vec::with_capacity(self.parts.len());
        for (place, part) in self.parts.iter().enumerate() {
            let answer = if part.writes() {
                let payload = &data[format!("p{place}")];
                holder = &payload["query"];
                payload
            } else {
                holder.get(format!("p{place}")).ok_or_else(|| format!("{data} has no p{place}"))?
            };
            answers.push(answer);
        }
        Ok(answers)
    }

    /// The version that all further pages of a walk are read at.
    pub fn pinned_at(&self) -> Option<u64> {
        match &self.parts[..] {
            [Part::Walk(walk)] => walk.at,
            _ => None,
        }
    }

    /// What comes next, and its idempotency key, when this was answered so.
    pub fn next(&self, reply: &Reply) -> Option<(Option<String>, Operation)> {
        let answers = self.answers(&reply.data).ok()?;
        if let [Part::Walk(walk)] = &self.parts[..] {
            let next = walk.next(answers[0], reply.version)?;
            return Some((None, Operation::of(vec![Part::Walk(next)])));
        }
        match self.then.as_ref()? {
            Then::Transfer { amount, key } => {
                let [from, to] = answers[..] else { return None };
                Some((Some(key.clone()), transfer(from, to, *amount)?))
            }
            Then::Increment { key, by_version } => {
                let next = increment(answers.first()?, *by_version)?;
                Some((Some(key.clone()), next))
            }
        }
    }
}

fn transfer(from: &Value, to: &Value, amount: i64) -> Option<Operation> {
    let amount = amount.min(from["balance"].as_i64()?);
    let moved = |purse: &Value, amount: i64| {
        let balance = purse["balance"].as_i64()?;
        let change = Change::of(Table::Purse, purse["name"].as_str()?).with("balance", Datum::Int(balance + amount));
        let condition = Some(Filter::test("balance", filter::Operator::Eq(Datum::Int(balance))));
        Some(Part::Change(Change { condition, ..change }))
    };
    let parts = vec![moved(from, -amount)?, moved(to, amount)?];
    (amount > 0).then(|| Operation::of(parts))
}

fn increment(counter: &Value, by_version: bool) -> Option<Operation> {
    let (name, value) = (counter["name"].as_str()?, counter["value"].as_i64()?);
    let change = Change::of(Table::Counter, name).with("value", Datum::Int(value + 1));
    let version = counter["_meta"]["version"].as_str()?.parse().ok()?;
    let change = if by_version {
        Change { version: Some(version), ..change }
    } else {
        let condition = Some(Filter::test("value", filter::Operator::Eq(Datum::Int(value))));
        Change { condition, ..change }
    };
    Some(Operation::of(vec![Part::Change(change)]))
}
