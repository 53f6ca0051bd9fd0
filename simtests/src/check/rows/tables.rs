//! All tables as plain maps, and operations done on them, one after the other: no planner, no index, no concurrency.

use super::expected::{Expected, Shown, Window};
use super::{fold, predicate};
use crate::check::model::Refusal;
use crate::workload::rows::filter::{Datum, Filter, OrderKey, target};
use crate::workload::rows::table::{Kind, OnDelete, Table};
use crate::workload::rows::{Below, Change, Meeting, NewRow, Operation, Part, Query, Relinking, Walk};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A record: what it holds itself. References and links are names; what is absent is null.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its fields beside the name.
    pub fields: BTreeMap<String, Datum>,
    /// The commit that wrote it last.
    pub version: u64,
}

/// Everything in the tables, by name. A copy shares what is not changed: a replay keeps one for each commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    rows: BTreeMap<Table, Arc<BTreeMap<String, Arc<Row>>>>,
}

const TAKEN: Refusal = Refusal(&["UNIQUE_VIOLATION"]);
const MISSING: Refusal = Refusal(&["NOT_FOUND", "REFERENCE_VIOLATION"]);
const UNMET: Refusal = Refusal(&["PRECONDITION_FAILED"]);
const HELD: Refusal = Refusal(&["REFERENCE_VIOLATION"]);
/// Several at once: which is said is nobody's promise.
const SEVERAL: Refusal = Refusal(&["UNIQUE_VIOLATION", "NOT_FOUND", "REFERENCE_VIOLATION"]);

static NULL: Datum = Datum::Null;

impl Row {
    /// What a field holds.
    pub fn field(&self, name: &str) -> &Datum {
        self.fields.get(name).unwrap_or(&NULL)
    }

    /// The name that a reference holds.
    fn reference(&self, name: &str) -> Option<&str> {
        match self.field(name) {
            Datum::Text(name) => Some(name),
            _ => None,
        }
    }

    fn links(&self, name: &str) -> &[String] {
        match self.field(name) {
            Datum::Names(names) => names,
            _ => &[],
        }
    }

    fn links_mut(&mut self, name: &str) -> &mut Vec<String> {
        let links = self.fields.entry(name.to_owned()).or_insert_with(|| Datum::Names(Vec::new()));
        if !matches!(links, Datum::Names(_)) {
            *links = Datum::Names(Vec::new());
        }
        match links {
            Datum::Names(names) => names,
            _ => unreachable!("they were made names"),
        }
    }
}

impl Tables {
    /// The records of a table, or of the members of a family.
    pub fn of(&self, table: Table) -> impl Iterator<Item = (&String, &Row)> {
        let rows = table.members().filter_map(move |table| self.rows.get(&table));
        rows.flat_map(|rows| rows.iter()).map(|(name, row)| (name, &**row))
    }

    /// A record.
    pub fn row(&self, table: Table, name: &str) -> Option<&Row> {
        table.members().find_map(|table| self.rows.get(&table)?.get(name)).map(|row| &**row)
    }

    fn row_mut(&mut self, table: Table, name: &str) -> Option<&mut Row> {
        Arc::make_mut(self.rows.get_mut(&table)?).get_mut(name).map(Arc::make_mut)
    }

    /// Puts a record where another one may be: that one.
    pub(super) fn put(&mut self, table: Table, name: &str, row: Row) -> Option<Arc<Row>> {
        Arc::make_mut(self.rows.entry(table).or_default()).insert(name.to_owned(), Arc::new(row))
    }

    /// Does one operation, committed at a version. The answer of each part.
    ///
    /// # Errors
    /// [`Refusal`]; the tables are then of no use.
    pub fn run(&mut self, operation: &Operation, version: u64) -> Result<Vec<Expected>, Refusal> {
        if operation.reads_first() && self.row(Table::Gate, crate::workload::rows::GATE).is_none() {
            return Err(MISSING);
        }
        operation.parts.iter().map(|part| self.part(part, version)).collect()
    }

    fn part(&mut self, part: &Part, version: u64) -> Result<Expected, Refusal> {
        Ok(match part {
            Part::Create { of, rows } => {
                for row in rows {
                    self.create(*of, row, version)?;
                }
                let (_, many) = of.words();
                let shown: Vec<Value> = rows.iter().map(|row| self.show(*of, &row.name)).collect();
                Expected::Payload(json!({ many: shown, "affectedCount": rows.len() }))
            }
            Part::Meet { of, rows, meeting } => {
                let met = self.meet(*of, rows, meeting, version)?;
                let (_, many) = of.words();
                let shown: Vec<Value> = met.iter().map(|(name, _)| self.show(*of, name)).collect();
                let affected = met.iter().filter(|(_, written)| *written).count();
                Expected::Payload(json!({ many: shown, "affectedCount": affected }))
            }
            Part::Upsert { of, by, row, fields } => {
                let there = self.having(*of, by, row);
                let name = there.clone().unwrap_or_else(|| row.name.clone());
                match &there {
                    Some(name) => {
                        self.change(&Change { fields: fields.clone(), ..Change::of(*of, name.as_str()) }, version)?;
                    }
                    None => self.create(*of, row, version)?,
                }
                let (one, _) = of.words();
                Expected::Payload(json!({ "created": there.is_none(), one: self.show(*of, &name) }))
            }
            Part::Change(change) => {
                self.change(change, version)?;
                let (one, _) = change.of.words();
                Expected::Payload(json!({ one: self.show(change.of, &change.name) }))
            }
            Part::Delete { of, name } => {
                self.row(*of, name).ok_or(MISSING)?;
                let (one, _) = of.words();
                let shown = json!({ one: self.show(*of, name) });
                self.delete(*of, std::slice::from_ref(name), version)?;
                Expected::Payload(shown)
            }
            Part::Get { of, by, value } => {
                let held = |(name, row): &(&String, &Row)| {
                    if by == "name" { *value == Datum::Text((*name).clone()) } else { row.field(by) == value }
                };
                let found = self.of(*of).find(held);
                Expected::Record(found.map_or(Value::Null, |(name, _)| self.show(*of, name)))
            }
            Part::List(query) => self.list(query),
            Part::Fold(fold) => self.fold(fold),
            Part::Walk(walk) => self.page(walk),
        })
    }

    fn create(&mut self, of: Table, new: &NewRow, version: u64) -> Result<(), Refusal> {
        let missing = new.fields.iter().any(|(field, value)| !self.leads_somewhere(of, field, value));
        let taken = of.has_unique_name() && self.row(of, &new.name).is_some();
        let row = Row { fields: new.fields.clone(), version };
        self.fits(of, &new.name, &row, taken, missing)?;
        self.put(of, &new.name, normal(of, &new.name, row));
        Ok(())
    }

    /// The record that has the value of a unique field that a new one would have. Nulls are not equal.
    fn having(&self, of: Table, by: &str, row: &NewRow) -> Option<String> {
        if by == "name" {
            return self.row(of, &row.name).map(|_| row.name.clone());
        }
        let value = row.fields.get(by).filter(|value| **value != Datum::Null)?;
        self.of(of).find(|(_, row)| row.field(by) == value).map(|(name, _)| name.clone())
    }

    /// Creates records, or does with those that are there what is said. The record of each, and whether it was written.
    fn meet(
        &mut self,
        of: Table,
        rows: &[NewRow],
        meeting: &Meeting,
        version: u64,
    ) -> Result<Vec<(String, bool)>, Refusal> {
        let mut met = Vec::new();
        for row in rows {
            let Some(name) = self.having(of, &meeting.by, row) else {
                self.create(of, row, version)?;
                met.push((row.name.clone(), true));
                continue;
            };
            let lets = |filter: &Filter| predicate::truth(self, of, &name, filter) == Some(true);
            let overwritten = meeting.overwrites.as_ref().filter(|_| meeting.filter.as_ref().is_none_or(lets));
            if let Some(fields) = overwritten {
                // An input of a create says nothing of what is null.
                let is_given = |value: &Datum| *value != Datum::Null;
                let given = row.fields.iter().filter(|(field, value)| fields.contains(field) && is_given(value));
                let fields = given.map(|(field, value)| (field.clone(), value.clone())).collect();
                self.change(&Change { fields, ..Change::of(of, name.as_str()) }, version)?;
            }
            met.push((name, overwritten.is_some()));
        }
        Ok(met)
    }

    /// Refuses values that others hold, and references to nothing.
    fn fits(&self, of: Table, name: &str, row: &Row, taken: bool, missing: bool) -> Result<(), Refusal> {
        let taken = taken || self.holder(of, name, row).is_some();
        match (taken, missing) {
            (true, true) => Err(SEVERAL),
            (true, false) => Err(TAKEN),
            (false, true) => Err(MISSING),
            (false, false) => Ok(()),
        }
    }

    /// Another record that has the unique values of this one.
    fn holder(&self, of: Table, name: &str, row: &Row) -> Option<&String> {
        let same = |fields: &&&[&str], other: &Row| {
            fields.iter().all(|field| *row.field(field) != Datum::Null && row.field(field) == other.field(field))
        };
        let mut others = self.of(of).filter(|(other, _)| *other != name);
        others.find(|(_, other)| of.unique().iter().any(|fields| same(&fields, other))).map(|(name, _)| name)
    }

    fn leads_somewhere(&self, of: Table, field: &str, value: &Datum) -> bool {
        match (of.kind(field), value) {
            (Kind::One(to, _), Datum::Text(name)) => self.row(to, name).is_some(),
            (Kind::Links(to) | Kind::Linked(to, _) | Kind::Many(to, _), Datum::Names(names)) => {
                names.iter().all(|name| self.row(to, name).is_some())
            }
            _ => true,
        }
    }

    fn change(&mut self, change: &Change, version: u64) -> Result<(), Refusal> {
        let (of, name) = (change.of, change.name.as_str());
        let row = self.row(of, name).ok_or(Refusal(&["NOT_FOUND"]))?;
        if change.version.is_some_and(|wanted| wanted != row.version) {
            return Err(UNMET);
        }
        if let Some(condition) = &change.condition
            && predicate::truth(self, of, name, condition) != Some(true)
        {
            return Err(UNMET);
        }
        let named = |relinking: &Relinking| {
            let sets = relinking.sets.iter().flatten();
            let changed = relinking.updates.iter().map(|row| &row.name).chain(&relinking.deletes);
            let moved = relinking.connects.iter().chain(&relinking.disconnects);
            Datum::Names(moved.chain(sets).chain(changed).cloned().collect())
        };
        let missing = change.fields.iter().any(|(field, value)| !self.leads_somewhere(of, field, value))
            || change.relinkings.iter().any(|each| !self.leads_somewhere(of, &each.field, &named(each)));
        let mut next = row.clone();
        next.fields.extend(change.fields.clone());
        if !change.fields.is_empty() || !change.relinkings.is_empty() {
            next.version = version;
        }
        self.fits(of, name, &next, false, missing)?;
        self.put(of, name, normal(of, name, next));
        for relinking in &change.relinkings {
            self.relink(of, name, relinking, version)?;
        }
        Ok(())
    }

    /// First what stays is changed and what is deleted goes, then what goes goes, then what comes comes, new ones last.
    fn relink(&mut self, of: Table, name: &str, relinking: &Relinking, version: u64) -> Result<(), Refusal> {
        let field = &relinking.field;
        let target = target(of, field);
        let changed = relinking.updates.iter().map(|row| &row.name).chain(&relinking.deletes);
        let related = self.related(of, name, field);
        if changed.into_iter().any(|other| !related.contains(&other.as_str())) {
            return Err(MISSING);
        }
        for row in &relinking.updates {
            self.change(&Change { fields: row.fields.clone(), ..Change::of(target, row.name.as_str()) }, version)?;
        }
        let mut doomed = relinking.deletes.clone();
        if let Some(filter) = &relinking.deletes_all {
            let lets = |other: &&str| predicate::truth(self, target, other, filter) == Some(true);
            doomed.extend(self.related(of, name, field).into_iter().filter(lets).map(str::to_owned));
        }
        self.delete(target, &doomed, version)?;
        self.move_links(of, name, relinking, version)?;
        for row in &relinking.creates {
            let mut row = row.clone();
            if let Kind::Many(_, there) = of.kind(field) {
                row.fields.insert(there.to_owned(), Datum::Text(name.to_owned()));
            }
            self.create(target, &row, version)?;
            self.link(of, name, field, &row.name, version);
        }
        Ok(())
    }

    fn move_links(&mut self, of: Table, name: &str, relinking: &Relinking, version: u64) -> Result<(), Refusal> {
        let field = &relinking.field;
        let there: Vec<String> = self.related(of, name, field).into_iter().map(str::to_owned).collect();
        let stays = |other: &String| {
            relinking.connects.contains(other) || relinking.sets.as_ref().is_some_and(|sets| sets.contains(other))
        };
        let goes = |other: &&String| {
            let named = relinking.disconnects.contains(other) || relinking.sets.is_some();
            named && !stays(other)
        };
        for other in there.iter().filter(goes) {
            self.unlink(of, name, field, other, version)?;
        }
        let sets = relinking.sets.iter().flatten();
        for other in relinking.connects.iter().chain(sets) {
            self.link(of, name, field, other, version);
        }
        Ok(())
    }

    fn link(&mut self, of: Table, name: &str, field: &str, other: &str, version: u64) {
        let (holder, at, held, value) = match of.kind(field) {
            Kind::Links(_) => (of, name, field, other),
            Kind::Linked(table, there) => (table, other, there, name),
            Kind::Many(table, there) => {
                if let Some(row) = self.row_mut(table, other) {
                    row.fields.insert(there.to_owned(), Datum::Text(name.to_owned()));
                    row.version = version;
                }
                return;
            }
            _ => unreachable!("{field} leads to one record"),
        };
        if let Some(row) = self.row_mut(holder, at) {
            let links = row.links_mut(held);
            if let Err(place) = links.binary_search_by(|link| link.as_str().cmp(value)) {
                links.insert(place, value.to_owned());
            }
        }
    }

    fn unlink(&mut self, of: Table, name: &str, field: &str, other: &str, version: u64) -> Result<(), Refusal> {
        match of.kind(field) {
            Kind::Links(_) => self.row_mut(of, name).into_iter().for_each(|row| forget(row, field, other)),
            Kind::Linked(table, there) => {
                self.row_mut(table, other).into_iter().for_each(|row| forget(row, there, name));
            }
            Kind::Many(table, there) => {
                if !matches!(table.kind(there), Kind::One(_, OnDelete::SetNull)) {
                    return Err(HELD);
                }
                if let Some(row) = self.row_mut(table, other) {
                    row.fields.remove(there);
                    row.version = version;
                }
            }
            _ => unreachable!("{field} leads to one record"),
        }
        Ok(())
    }

    /// The names of the records that a field leads to, ascending.
    pub(super) fn related(&self, of: Table, name: &str, field: &str) -> Vec<&str> {
        let Some(row) = self.row(of, name) else { return Vec::new() };
        match of.kind(field) {
            Kind::One(..) => row.reference(field).into_iter().collect(),
            Kind::Links(_) => row.links(field).iter().map(String::as_str).collect(),
            Kind::Many(table, there) => {
                let refers = self.of(table).filter(|(_, row)| row.reference(there) == Some(name));
                refers.map(|(name, _)| name.as_str()).collect()
            }
            Kind::Linked(table, there) => {
                let linked = self.of(table).filter(|(_, row)| row.links(there).iter().any(|link| link == name));
                linked.map(|(name, _)| name.as_str()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn delete(&mut self, of: Table, names: &[String], version: u64) -> Result<(), Refusal> {
        let mut doomed: BTreeSet<(Table, String)> = names.iter().map(|name| (of, name.clone())).collect();
        loop {
            let more: Vec<(Table, String)> = self
                .holders(&doomed)
                .filter(|(_, _, _, on_delete)| *on_delete == OnDelete::Cascade)
                .map(|(table, name, _, _)| (table, name.clone()))
                .filter(|each| !doomed.contains(each))
                .collect();
            if more.is_empty() {
                break;
            }
            doomed.extend(more);
        }
        let stays = |table: Table, name: &String| !doomed.contains(&(table, name.clone()));
        let restricts = |(table, name, _, on_delete): &(Table, &String, &str, OnDelete)| {
            *on_delete == OnDelete::Restrict && stays(*table, name)
        };
        if self.holders(&doomed).any(|holder| restricts(&holder)) {
            return Err(HELD);
        }
        let emptied: Vec<(Table, String, String)> = self
            .holders(&doomed)
            .filter(|(table, name, _, on_delete)| *on_delete == OnDelete::SetNull && stays(*table, name))
            .map(|(table, name, field, _)| (table, name.clone(), field.to_owned()))
            .collect();
        for (table, name, field) in emptied {
            if let Some(row) = self.row_mut(table, &name) {
                row.fields.remove(&field);
                row.version = version;
            }
        }
        for (table, name) in &doomed {
            Arc::make_mut(self.rows.entry(*table).or_default()).remove(name);
        }
        for table in Table::ALL {
            for field in table.fields() {
                let Kind::Links(to) = field.kind else { continue };
                let goes = |link: &String| doomed.contains(&(to, link.clone()));
                let linked = self.of(table).filter(|(_, row)| row.links(field.name).iter().any(goes));
                for name in linked.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                    let Some(row) = self.row_mut(table, &name) else { continue };
                    row.links_mut(field.name).retain(|link| !goes(link));
                }
            }
        }
        Ok(())
    }

    /// Records that refer to one of these: their table, name, the field that does, and what becomes of them.
    fn holders<'a>(
        &'a self,
        doomed: &'a BTreeSet<(Table, String)>,
    ) -> impl Iterator<Item = (Table, &'a String, &'static str, OnDelete)> + 'a {
        Table::ALL.into_iter().flat_map(move |table| {
            table.fields().iter().flat_map(move |field| {
                let to = match field.kind {
                    Kind::One(to, on_delete) => Some((to, on_delete)),
                    _ => None,
                };
                let rows = to.map(|_| self.of(table)).into_iter().flatten();
                rows.filter_map(move |(name, row)| {
                    let (to, on_delete) = to?;
                    let held = (to, row.reference(field.name)?.to_owned());
                    doomed.contains(&held).then_some((table, name, field.name, on_delete))
                })
            })
        })
    }

    /// A record as answers show it.
    pub(super) fn show(&self, of: Table, name: &str) -> Value {
        let Some(row) = self.row(of, name) else { return Value::Null };
        let mut shown = Map::new();
        shown.insert("name".into(), json!(name));
        for field in of.fields() {
            let names = || self.related(of, name, field.name);
            let value = match field.kind {
                Kind::One(..) => row.reference(field.name).map_or(Value::Null, |name| json!({ "name": name })),
                Kind::Many(..) | Kind::Links(_) | Kind::Linked(..) => {
                    let nodes: Vec<Value> = names().into_iter().map(|name| json!({ "name": name })).collect();
                    json!({ "totalCount": nodes.len(), "nodes": nodes })
                }
                kind => row.field(field.name).json(kind),
            };
            shown.insert(field.name.into(), value);
        }
        if of.is_family() {
            let member = of.members().find(|member| self.row(*member, name).is_some());
            shown.insert("__typename".into(), json!(member.map(Table::type_name)));
        }
        if of.is_versioned() {
            shown.insert("_meta".into(), json!({ "version": format!("{:016}", row.version) }));
        }
        Value::Object(shown)
    }

    /// The records that a filter lets through, in an order.
    fn sorted(&self, of: Table, filter: Option<&Filter>, order: &[OrderKey]) -> Vec<Shown> {
        let lets = |name: &str| filter.is_none_or(|filter| predicate::truth(self, of, name, filter) == Some(true));
        let mut found: Vec<(&String, &Row)> = self.of(of).filter(|(name, _)| lets(name)).collect();
        found.sort_by(|one, other| compared(of, order, *one, *other));
        let value = |(name, row): &(&String, &Row), key: &OrderKey| match key.field.as_str() {
            "name" => json!(name),
            field => row.field(field).json(of.kind(field)),
        };
        let shown = |each: (&String, &Row)| Shown {
            key: order.iter().map(|key| value(&each, key)).collect(),
            name: each.0.clone(),
            node: self.show(of, each.0),
        };
        found.into_iter().map(shown).collect()
    }

    fn list(&self, query: &Query) -> Expected {
        let mut rows = self.sorted(query.of, query.filter.as_ref(), &query.order);
        if let Some(below) = &query.below {
            rows.iter_mut().for_each(|shown| shown.node["below"] = self.below(query.of, &shown.name, below));
        }
        Expected::Page(Window {
            size: query.first as usize,
            backward: false,
            seen: false,
            total: query.counted.then_some(rows.len()),
            rows,
        })
    }

    fn below(&self, of: Table, name: &str, below: &Below) -> Value {
        let table = target(of, &below.field);
        let lets = |name: &&str| predicate::truth(self, table, name, &below.filter) == Some(true);
        let found: Vec<&str> = self.related(of, name, &below.field).into_iter().filter(lets).collect();
        let size = below.first as usize;
        let nodes: Vec<Value> = found.iter().take(size).map(|name| json!({ "name": name })).collect();
        let mut shown =
            json!({ "totalCount": found.len(), "nodes": nodes, "pageInfo": { "hasNextPage": found.len() > size } });
        if let Some(fields) = &below.folds {
            let rows: Vec<&Row> = found.iter().filter_map(|name| self.row(table, name)).collect();
            shown["aggregate"] = fold::aggregate(table, &rows, fields);
        }
        shown
    }

    fn page(&self, walk: &Walk) -> Expected {
        let mut rows = self.sorted(walk.of, walk.filter.as_ref(), &walk.order);
        let total = walk.counted.then_some(rows.len());
        rows.retain(|shown| !walk.seen.contains(&shown.name));
        Expected::Page(Window {
            size: walk.size as usize,
            backward: walk.is_backward(),
            seen: !walk.seen.is_empty(),
            total,
            rows,
        })
    }

    /// The first difference to what was found, in words.
    pub fn difference(&self, found: &Tables) -> Option<String> {
        for table in Table::ALL {
            for (name, row) in self.of(table) {
                match found.row(table, name) {
                    None => return Some(format!("{table:?} {name} is missing; it should be {row:?}")),
                    Some(other) if !same(table, row, other) => {
                        return Some(format!("{table:?} {name} is {other:?}; it should be {row:?}"));
                    }
                    Some(_) => {}
                }
            }
            if let Some((name, row)) = found.of(table).find(|(name, _)| self.row(table, name).is_none()) {
                return Some(format!("{table:?} {name} should not be there: {row:?}"));
            }
        }
        None
    }
}

/// Versions count where answers show them.
fn same(table: Table, one: &Row, other: &Row) -> bool {
    let stored = |row: &Row| {
        let held = |(name, value): (&String, &Datum)| {
            let empty = matches!(value, Datum::Null) || matches!(value, Datum::Names(names) if names.is_empty());
            (!empty).then(|| (name.clone(), value.clone()))
        };
        row.fields.iter().filter_map(held).collect::<BTreeMap<_, _>>()
    };
    stored(one) == stored(other) && (!table.is_versioned() || one.version == other.version)
}

/// Links in order, each once, and what is computed of the rest.
fn normal(of: Table, name: &str, mut row: Row) -> Row {
    for field in of.fields().iter().filter(|field| matches!(field.kind, Kind::Links(_))) {
        let links = row.links_mut(field.name);
        links.sort();
        links.dedup();
    }
    if of == Table::Sample {
        let number = |field| if let Datum::Int(number) = row.field(field) { *number } else { 0 };
        let (score, plain) = (number("score"), number("plain"));
        row.fields.insert("rating".into(), Datum::Int(score * 2 + plain));
        row.fields.insert("caption".into(), Datum::Text(format!("{name}/{plain}")));
    }
    row
}

fn forget(row: &mut Row, field: &str, other: &str) {
    row.links_mut(field).retain(|link| link != other);
}

fn compared(of: Table, order: &[OrderKey], one: (&String, &Row), other: (&String, &Row)) -> Ordering {
    let by_key = |key: &OrderKey| {
        let ordering = match key.field.as_str() {
            "name" => one.0.cmp(other.0),
            field => predicate::compare(of.kind(field), one.1.field(field), other.1.field(field)),
        };
        if key.descending { ordering.reverse() } else { ordering }
    };
    order.iter().map(by_key).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
#[path = "tables_test.rs"]
mod tests;
