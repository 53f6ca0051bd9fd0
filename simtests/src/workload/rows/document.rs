//! The GraphQL of an operation over tables: every value is a variable, so that plans are found again.

use super::filter::Datum;
use super::fold::{self, Fold, Groups};
use super::table::{Kind, Table};
use super::{Change, GATE, Meeting, NewRow, Operation, Part, Query, Relinking, Walk};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A document that grows, and its variables.
#[derive(Default)]
struct Draft {
    head: String,
    body: String,
    variables: Map<String, Value>,
}

impl Draft {
    /// A variable of this place: how the document names it.
    fn variable(&mut self, name: String, of: &str, value: Value) -> String {
        let _ = write!(self.head, "${name}: {of} ");
        self.variables.insert(name.clone(), value);
        format!("${name}")
    }
}

impl Operation {
    /// The GraphQL document.
    pub fn document(&self) -> String {
        let draft = self.draft();
        let kind = if self.writes() { "mutation" } else { "query" };
        let head = if draft.head.is_empty() { String::new() } else { format!("({})", draft.head.trim_end()) };
        format!("{kind}{head} {{ {}}}", draft.body)
    }

    /// The variables of the document.
    pub fn variables(&self) -> Value {
        Value::Object(self.draft().variables)
    }

    fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let mut open = self.reads_first();
        if open {
            let gate = draft.variable("gate".into(), "String!", json!(GATE));
            let _ = write!(
                draft.body,
                "gate: updateGate(by: {{ name: {gate} }}) {{ commit {{ version }} query {{ __typename "
            );
        }
        for (place, part) in self.parts.iter().enumerate() {
            if part.writes() {
                draft.body += if std::mem::replace(&mut open, true) { "} } " } else { "" };
            }
            match part {
                Part::Create { of, rows } => create(&mut draft, place, *of, rows, None),
                Part::Meet { of, rows, meeting } => create(&mut draft, place, *of, rows, Some(meeting)),
                Part::Upsert { of, by, row, fields } => upsert(&mut draft, place, (*of, by), row, fields),
                Part::Change(it) => change(&mut draft, place, it),
                Part::Delete { of, name } => delete(&mut draft, place, *of, name),
                Part::Get { of, by, value } => {
                    let kind = of.kind(by);
                    let value = draft.variable(format!("n{place}"), scalar(kind), value.json(kind));
                    let (one, _) = of.words();
                    let _ = write!(draft.body, "p{place}: {one}(by: {{ {by}: {value} }}) {{ {} }} ", of.selection());
                }
                Part::List(query) => list(&mut draft, place, query),
                Part::Fold(fold) => folded(&mut draft, place, fold),
                Part::Walk(walk) => page(&mut draft, place, walk),
            }
        }
        draft.body += if self.writes() { "} } " } else { "" };
        draft
    }
}

/// The type of a variable that a unique field is looked up by.
fn scalar(kind: Kind) -> &'static str {
    match kind {
        Kind::BigInt => "BigInt!",
        Kind::Int => "Int!",
        _ => "String!",
    }
}

fn create(draft: &mut Draft, place: usize, of: Table, rows: &[NewRow], meeting: Option<&Meeting>) {
    let data: Vec<Value> = rows.iter().map(|row| new(of, row)).collect();
    let data = draft.variable(format!("d{place}"), &format!("[{}Create!]!", of.type_name()), json!(data));
    let conflict = meeting.map(|meeting| {
        let action = if meeting.overwrites.is_some() { "UPDATE" } else { "IGNORE" };
        let mut conflict = json!({ "key": meeting.by.to_uppercase(), "action": action });
        if let Some(fields) = &meeting.overwrites {
            conflict["update"] = fields.iter().map(|field| field.to_uppercase()).collect();
        }
        if let Some(filter) = &meeting.filter {
            conflict["where"] = filter.json(of);
        }
        let conflict = draft.variable(format!("m{place}"), &format!("{}Conflict", of.type_name()), conflict);
        format!(", onConflict: {conflict}")
    });
    let conflict = conflict.unwrap_or_default();
    let (_, many) = of.words();
    let _ = write!(
        draft.body,
        "p{place}: create{}(data: {data}{conflict}) {{ {many} {{ {} }} affectedCount commit {{ version }} query {{ __typename ",
        of.many_name(),
        of.selection()
    );
}

/// The input of a record that is created.
fn new(of: Table, row: &NewRow) -> Value {
    let mut input = fields(of, &row.fields, false);
    input.insert("name".into(), json!(row.name));
    Value::Object(input)
}

fn upsert(draft: &mut Draft, place: usize, (of, by): (Table, &str), row: &NewRow, changed: &BTreeMap<String, Datum>) {
    let kind = of.kind(by);
    let value =
        if by == "name" { json!(row.name) } else { row.fields.get(by).map_or(Value::Null, |value| value.json(kind)) };
    let value = draft.variable(format!("n{place}"), scalar(kind), value);
    let create = draft.variable(format!("d{place}"), &format!("{}Create!", of.type_name()), new(of, row));
    let update = Value::Object(fields(of, changed, true));
    let update = draft.variable(format!("u{place}"), &format!("{}Update", of.type_name()), update);
    let (one, _) = of.words();
    let _ = write!(
        draft.body,
        "p{place}: upsert{}(by: {{ {by}: {value} }}, create: {create}, update: {update}) \
         {{ created {one} {{ {} }} commit {{ version }} query {{ __typename ",
        of.type_name(),
        of.selection()
    );
}

fn change(draft: &mut Draft, place: usize, change: &Change) {
    let of = change.of;
    let name = draft.variable(format!("n{place}"), "String!", json!(change.name));
    let mut arguments = format!("by: {{ name: {name} }}");
    let mut data = fields(of, &change.fields, true);
    for relinking in &change.relinkings {
        data.insert(relinking.field.clone(), relinked(super::filter::target(of, &relinking.field), relinking));
    }
    if !data.is_empty() {
        let data = draft.variable(format!("d{place}"), &format!("{}Update", of.type_name()), Value::Object(data));
        let _ = write!(arguments, ", data: {data}");
    }
    if let Some(condition) = &change.condition {
        let condition = draft.variable(format!("i{place}"), &format!("{}Where", of.type_name()), condition.json(of));
        let _ = write!(arguments, ", if: {condition}");
    }
    if let Some(version) = change.version {
        let version = draft.variable(format!("v{place}"), "CommitVersion", json!(format!("{version:016}")));
        let _ = write!(arguments, ", ifVersion: {version}");
    }
    let (one, _) = of.words();
    let _ = write!(
        draft.body,
        "p{place}: update{}({arguments}) {{ {one} {{ {} }} commit {{ version }} query {{ __typename ",
        of.type_name(),
        of.selection()
    );
}

fn delete(draft: &mut Draft, place: usize, of: Table, name: &str) {
    let name = draft.variable(format!("n{place}"), "String!", json!(name));
    let (one, _) = of.words();
    let _ = write!(
        draft.body,
        "p{place}: delete{}(by: {{ name: {name} }}) {{ {one} {{ {} }} commit {{ version }} query {{ __typename ",
        of.type_name(),
        of.selection()
    );
}

/// The input of fields. An update says of a reference that goes that it goes.
fn fields(of: Table, fields: &BTreeMap<String, Datum>, update: bool) -> Map<String, Value> {
    let key = |name: &String| json!({ "name": name });
    let one = |(field, value): (&String, &Datum)| {
        let kind = of.kind(field);
        let said = match (kind, value) {
            (Kind::One(..), Datum::Text(name)) => json!({ "connect": key(name) }),
            (Kind::One(..), _) if update => json!({ "disconnect": true }),
            (Kind::One(..), _) => Value::Null,
            (Kind::Links(_), Datum::Names(names)) => {
                json!({ "connect": names.iter().map(key).collect::<Vec<_>>() })
            }
            _ => value.json(kind),
        };
        (field.clone(), said)
    };
    fields.iter().map(one).filter(|(_, said)| update || !said.is_null()).collect()
}

fn relinked(target: Table, relinking: &Relinking) -> Value {
    let keys = |names: &[String]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
    let mut input = Map::new();
    if !relinking.connects.is_empty() {
        input.insert("connect".into(), json!(keys(&relinking.connects)));
    }
    if !relinking.disconnects.is_empty() {
        input.insert("disconnect".into(), json!(keys(&relinking.disconnects)));
    }
    if let Some(sets) = &relinking.sets {
        input.insert("set".into(), json!(keys(sets)));
    }
    if !relinking.creates.is_empty() {
        let rows = relinking.creates.iter().map(|row| new(target, row)).collect();
        input.insert("create".into(), rows);
    }
    if !relinking.updates.is_empty() {
        let update = |row: &NewRow| json!({ "by": { "name": row.name }, "data": fields(target, &row.fields, true) });
        input.insert("update".into(), relinking.updates.iter().map(update).collect());
    }
    if !relinking.deletes.is_empty() {
        input.insert("delete".into(), json!(keys(&relinking.deletes)));
    }
    if let Some(filter) = &relinking.deletes_all {
        input.insert("deleteMany".into(), filter.json(target));
    }
    Value::Object(input)
}

fn list(draft: &mut Draft, place: usize, query: &Query) {
    let of = query.of;
    let mut arguments = window(draft, place, of, query.filter.as_ref().map(|filter| filter.json(of)), &query.order);
    let first = draft.variable(format!("f{place}"), "Int!", json!(query.first));
    let _ = write!(arguments, ", first: {first}");
    let mut selection = of.selection();
    if let Some(below) = &query.below {
        let target = super::filter::target(of, &below.field);
        let kind = format!("{}Where", target.type_name());
        let filter = draft.variable(format!("b{place}"), &kind, below.filter.json(target));
        let first = draft.variable(format!("e{place}"), "Int!", json!(below.first));
        let _ = write!(
            selection,
            " below: {}(where: {filter}, first: {first}, orderBy: [{{ name: ASC }}]) \
             {{ totalCount nodes {{ name }} pageInfo {{ hasNextPage }} {} }}",
            below.field,
            below.folds.as_ref().map_or_else(String::new, |fields| fold::selection(target, fields))
        );
    }
    let total = if query.counted { "totalCount " } else { "" };
    let (_, many) = of.words();
    let _ = write!(
        draft.body,
        "p{place}: {many}({arguments}) {{ {total}nodes {{ {selection} }} pageInfo {{ hasNextPage hasPreviousPage }} }} "
    );
}

fn folded(draft: &mut Draft, place: usize, fold: &Fold) {
    let of = fold.of;
    let (_, many) = of.words();
    let mut arguments = String::new();
    if let Some(filter) = &fold.filter {
        let filter = draft.variable(format!("w{place}"), &format!("{}Where", of.type_name()), filter.json(of));
        arguments = format!("(where: {filter})");
    }
    let mut selection = fold::selection(of, &fold.fields);
    if let Some(groups) = &fold.groups {
        selection = format!("{selection} {}", grouped(draft, place, fold, groups));
    }
    let _ = write!(draft.body, "p{place}: {many}{arguments} {{ {selection} }} ");
}

fn grouped(draft: &mut Draft, place: usize, fold: &Fold, groups: &Groups) -> String {
    let by: Vec<String> = groups.by.iter().map(|field| format!("{{ {field}: true }}")).collect();
    let key = |field: &String| match fold.of.kind(field) {
        Kind::One(..) => format!("{field} {{ name }}"),
        _ => field.clone(),
    };
    let keys: Vec<String> = groups.by.iter().map(key).collect();
    let least = draft.variable(format!("h{place}"), "Int", json!(groups.least));
    let first = draft.variable(format!("f{place}"), "Int!", json!(groups.first));
    let offset = draft.variable(format!("g{place}"), "Int", json!(groups.offset));
    let order = if groups.largest_first { ", orderBy: [{ count: DESC }]" } else { "" };
    format!(
        "groups(by: [{}], having: {{ count: {{ gte: {least} }} }}{order}, first: {first}, offset: {offset}) \
         {{ key {{ {} }} {} }}",
        by.join(", "),
        keys.join(" "),
        fold::selection(fold.of, &fold.fields)
    )
}

fn page(draft: &mut Draft, place: usize, walk: &Walk) {
    let of = walk.of;
    let mut arguments = window(draft, place, of, walk.filter.as_ref().map(|filter| filter.json(of)), &walk.order);
    let (size_name, cursor_name) = if walk.is_backward() { ("last", "before") } else { ("first", "after") };
    let size = draft.variable(format!("f{place}"), "Int!", json!(walk.size));
    let _ = write!(arguments, ", {size_name}: {size}");
    if let Some(cursor) = &walk.cursor {
        let cursor = draft.variable(format!("c{place}"), "String!", json!(cursor));
        let _ = write!(arguments, ", {cursor_name}: {cursor}");
    }
    let total = if walk.counted { "totalCount " } else { "" };
    let (_, many) = of.words();
    let _ = write!(
        draft.body,
        "p{place}: {many}({arguments}) {{ {total}nodes {{ {} }} \
         pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} ",
        of.selection()
    );
}

/// The filter and the order of a list.
fn window(
    draft: &mut Draft,
    place: usize,
    of: Table,
    filter: Option<Value>,
    order: &[super::filter::OrderKey],
) -> String {
    let keys: Vec<Value> = order.iter().map(super::filter::OrderKey::json).collect();
    let order = draft.variable(format!("o{place}"), &format!("[{}Order!]", of.type_name()), json!(keys));
    let mut arguments = format!("orderBy: {order}");
    if let Some(filter) = filter {
        let filter = draft.variable(format!("w{place}"), &format!("{}Where", of.type_name()), filter);
        let _ = write!(arguments, ", where: {filter}");
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::super::filter::{Filter, Operator, OrderKey};
    use super::*;

    #[test]
    fn reads_hang_on_the_write_before_them() {
        let query = Query {
            of: Table::Gate,
            first: 3,
            counted: false,
            order: vec![OrderKey::up("name")],
            filter: Some(Filter::test("name", Operator::Eq(Datum::Text("a".into())))),
            below: None,
        };
        let delete = Part::Delete { of: Table::Gate, name: "a".into() };
        let operation = Operation::of(vec![Part::List(query), delete]);
        assert_eq!(
            operation.document(),
            "mutation($gate: String! $o0: [GateOrder!] $w0: GateWhere $f0: Int! $n1: String!) { \
             gate: updateGate(by: { name: $gate }) { commit { version } query { __typename \
             p0: gates(orderBy: $o0, where: $w0, first: $f0) \
             { nodes { name } pageInfo { hasNextPage hasPreviousPage } } } } \
             p1: deleteGate(by: { name: $n1 }) { gate { name } commit { version } query { __typename } } }"
        );
        let variables = json!({ "gate": "gate", "o0": [{ "name": "ASC" }], "w0": { "name": { "eq": "a" } }, "f0": 3,
                                "n1": "a" });
        assert_eq!(operation.variables(), variables);
        let data = json!({ "gate": { "query": { "p0": 1 } }, "p1": 2 });
        assert_eq!(operation.answers(&data), Ok(vec![&json!(1), &json!(2)]));
    }
}
