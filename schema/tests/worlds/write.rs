//! Writes by chance, as the server is told of them and as the world takes them.

use super::atom;
use super::chance::Chance;
use super::draw::Drawer;
use super::draw_filter::Drawing;
use super::evaluate::{Evaluator, bytes, roots};
use super::judge::Judge;
use super::literal::Literal;
use super::model::{Field, Kind, Model, Object};
use super::operation::{Key, Selection, Where};
use super::print::{Printer, Text, key_literal, where_literal};
use super::world::{Change, Edits, Id, Record, Refused, Relate, Value, World};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// One field of a mutation.
#[derive(Clone, Debug)]
pub struct Write {
    pub collection: String,
    pub act: Act,
    /// Holds of the record, or nothing is done. Not of creates.
    pub condition: Option<Where>,
    /// Of the record in the payload.
    pub selections: Vec<Selection>,
    /// Of all records, as they are then.
    pub query: Vec<Selection>,
}

#[derive(Clone, Debug)]
pub enum Act {
    /// Records with the ids that they get, as far as they are known.
    Create(Vec<(Option<Id>, Change)>),
    CreateOne(Option<Id>, Change),
    Update(Id, Change, Edits),
    /// Those that match, if they are no more than so many.
    UpdateMany(Where, usize, Change, Edits),
    Delete(Id),
    DeleteMany(Where, usize),
}

impl Write {
    /// Records a mutation that creates, with every relation that a create can make.
    pub fn create(drawing: Drawing<'_>, object: &Object, count: usize, chance: &mut Chance) -> Option<Write> {
        let mut records = Vec::new();
        for _ in 0..count {
            let id = if chance.percent(25) { chosen(drawing.world, object, chance) } else { None };
            records.push((id, change(drawing, object, true, chance)?));
        }
        let act = match records.pop() {
            Some((id, change)) if count == 1 && chance.percent(70) => Act::CreateOne(id, change),
            last => {
                records.extend(last);
                Act::Create(records)
            }
        };
        Some(Write::of(drawing, object, act, chance))
    }

    fn of(drawing: Drawing<'_>, object: &Object, act: Act, chance: &mut Chance) -> Write {
        let of_one = matches!(act, Act::Update(..) | Act::Delete(_));
        let condition = (of_one && chance.percent(20)).then(|| drawing.filter(object, 1, chance));
        let selections = select(drawing, object, chance);
        let mut query = Vec::new();
        if chance.percent(25) {
            query = Drawer::new(drawing, Chance::new(chance.next())).of_payload().operation().selections;
        }
        Write { collection: object.name.clone(), act, condition, selections, query }
    }

    /// Notes without an author.
    pub fn notes(drawing: Drawing<'_>, count: usize, chance: &mut Chance) -> Option<Write> {
        let object = drawing.model.object("Note");
        let mut records = Vec::new();
        for _ in 0..count {
            let mut change = change(drawing, object, true, chance)?;
            change.values.retain(|(name, _)| name != "author");
            // Most are of one item, which then has more than are counted at once.
            if chance.percent(95) {
                let item = drawing.world.all("Item").next().map(|(id, _)| Value::Reference(id.clone()));
                change.values.retain(|(name, _)| name != "item");
                change.values.extend(item.map(|item| ("item".to_owned(), item)));
            }
            records.push((None, change));
        }
        let selections = vec![super::draw::plain("id")];
        let act = Act::Create(records);
        let (condition, query) = (None, Vec::new());
        Some(Write { collection: object.name.clone(), act, condition, selections, query })
    }

    pub fn update(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let id = drawing.id(object, chance)?;
        let change = change(drawing, object, false, chance)?;
        let edits = edits(drawing, object, &change, chance);
        Some(Write::of(drawing, object, Act::Update(id, change, edits), chance))
    }

    pub fn update_many(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let filter = drawing.filter(object, 2, chance);
        let change = change(drawing, object, false, chance)?;
        let edits = edits(drawing, object, &change, chance);
        let act = Act::UpdateMany(filter, at_most(chance), change, edits);
        Some(Write::of(drawing, object, act, chance))
    }

    pub fn delete_many(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let act = Act::DeleteMany(drawing.filter(object, 2, chance), at_most(chance));
        Some(Write::of(drawing, object, act, chance))
    }

    pub fn delete(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Option<Write> {
        let act = Act::Delete(drawing.id(object, chance)?);
        Some(Write::of(drawing, object, act, chance))
    }

    pub fn is_create(&self) -> bool {
        matches!(self.act, Act::Create(_) | Act::CreateOne(..))
    }

    /// Takes the ids that the server gave from its answer.
    pub fn named(&mut self, payload: &Json) {
        let id = |record: &Json| record["itsId"].as_str().map(str::to_owned);
        match &mut self.act {
            Act::CreateOne(given, _) => *given = id(&payload["record"]),
            Act::Create(records) => {
                for ((given, _), record) in records.iter_mut().zip(payload["records"].as_array().unwrap()) {
                    *given = id(record);
                }
            }
            Act::Update(..) | Act::UpdateMany(..) | Act::Delete(_) | Act::DeleteMany(..) => {}
        }
    }

    /// Does to the world what the server should do, and says what it should answer.
    pub fn apply(&self, model: &Model, world: &mut World) -> Result<Json, Refused> {
        let mut payload = self.act(model, world)?;
        if !self.query.is_empty() {
            payload["query"] = Evaluator { model, world }.query(&self.query);
        }
        Ok(payload)
    }

    fn act(&self, model: &Model, world: &mut World) -> Result<Json, Refused> {
        let object = model.object(&self.collection);
        if let (Act::Update(id, ..) | Act::Delete(id), Some(condition)) = (&self.act, &self.condition) {
            let Some((id, _)) = world.records[&object.name].get_key_value(id) else { return Err("NOT_FOUND") };
            if !(Judge { model, world }).matches(object, id, condition) {
                return Err("PRECONDITION_FAILED");
            }
        }
        // Of records that were not created after all: no two of one operation may have the same.
        let numbered = (0..).map(|number| format!("unknown{number:05}"));
        let there = world.records.get(&object.name).map(|all| all.keys().cloned().collect::<BTreeSet<Id>>());
        let mut unknown = numbered.filter(|id: &Id| !there.as_ref().is_some_and(|there| there.contains(id)));
        let mut id_of =
            |given: &Option<Id>| given.clone().unwrap_or_else(|| unknown.next().expect("numbers do not end"));
        let shown = |world: &World, id: &Id| {
            let mut record = json!({ "itsId": id });
            let evaluator = Evaluator { model, world };
            let more = evaluator.record(object, id, &[&self.selections]);
            record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            record
        };
        match &self.act {
            Act::CreateOne(given, change) => {
                let id = id_of(given);
                create(model, world, object, &id, change)?;
                Ok(json!({ "record": shown(world, &id) }))
            }
            Act::Create(records) => {
                let ids: Vec<Id> = records.iter().map(|(given, _)| id_of(given)).collect();
                for (id, (_, change)) in ids.iter().zip(records) {
                    create(model, world, object, id, change)?;
                }
                let shown: Vec<Json> = ids.iter().map(|id| shown(world, id)).collect();
                Ok(json!({ "records": shown, "affectedCount": ids.len() }))
            }
            Act::Update(id, change, edits) => {
                world.update(model, object, id, change, edits)?;
                Ok(json!({ "record": shown(world, id) }))
            }
            Act::UpdateMany(filter, at_most, change, edits) => {
                let ids = matching(model, world, object, filter, *at_most)?;
                for id in &ids {
                    world.update(model, object, id, change, edits)?;
                }
                let shown: Vec<Json> = ids.iter().map(|id| shown(world, id)).collect();
                Ok(json!({ "records": shown, "affectedCount": ids.len() }))
            }
            Act::Delete(id) => {
                if world.get(&object.name, id).is_none() {
                    return Err("NOT_FOUND");
                }
                let record = shown(world, id);
                world.delete(model, object, std::slice::from_ref(id))?;
                Ok(json!({ "deletedId": id, "record": record }))
            }
            Act::DeleteMany(filter, at_most) => {
                let ids = matching(model, world, object, filter, *at_most)?;
                world.delete(model, object, &ids)?;
                Ok(json!({ "deletedIds": ids, "affectedCount": ids.len() }))
            }
        }
    }
}

/// The records that a filter lets through, in the order of their ids.
fn matching(model: &Model, world: &World, object: &Object, filter: &Where, at_most: usize) -> Result<Vec<Id>, Refused> {
    let judge = Judge { model, world };
    let mut ids: Vec<Id> =
        world.all(&object.name).map(|(id, _)| id).filter(|id| judge.matches(object, id, filter)).cloned().collect();
    ids.sort_by_key(|id| bytes(id));
    if ids.len() > at_most { Err("AFFECTED_LIMIT_EXCEEDED") } else { Ok(ids) }
}

fn create(model: &Model, world: &mut World, object: &Object, id: &Id, change: &Change) -> Result<(), Refused> {
    if world.get(&object.name, id).is_some() {
        return Err("UNIQUE_VIOLATION");
    }
    world.create(model, object, id, change)
}

/// A mutation of several writes, as text.
pub fn text(model: &Model, writes: &[Write], style: u64) -> Text {
    let nothing = |_: &super::operation::List, _: &Id| String::new();
    let mut printer = Printer::new(style, &nothing);
    let mut body = String::new();
    for (at, write) in writes.iter().enumerate() {
        printer.part();
        let object = model.object(&write.collection);
        let (one, many) = roots(object);
        let (name, plural) = (&object.name, capital(many));
        let (field, arguments, several) = match &write.act {
            Act::CreateOne(id, change) => {
                let data = Literal::typed(format!("{name}Create!"), data(id.as_ref(), change));
                (format!("create{name}"), vec![("data", data)], false)
            }
            Act::Create(records) => {
                let records = records.iter().map(|(id, change)| data(id.as_ref(), change)).collect();
                let data = Literal::typed(format!("[{name}Create!]!"), Literal::List(records));
                (format!("create{plural}"), vec![("data", data)], true)
            }
            Act::Update(id, change, edits) => {
                let by = Literal::typed(format!("{name}Key!"), key_literal(&Key::Id(id.clone())));
                let data = Literal::typed(format!("{name}Update"), data(None, change));
                let mut arguments = vec![("by", by), ("data", data)];
                arguments.extend(edits.arguments(name));
                (format!("update{name}"), arguments, false)
            }
            Act::UpdateMany(filter, at_most, change, edits) => {
                let data = Literal::typed(format!("{name}Update"), data(None, change));
                let mut arguments = chosen_by(name, filter, *at_most);
                arguments.push(("data", data));
                arguments.extend(edits.arguments(name));
                (format!("update{plural}"), arguments, true)
            }
            Act::DeleteMany(filter, at_most) => (format!("delete{plural}"), chosen_by(name, filter, *at_most), true),
            Act::Delete(id) => {
                let by = Literal::typed(format!("{name}Key!"), key_literal(&Key::Id(id.clone())));
                (format!("delete{name}"), vec![("by", by)], false)
            }
        };
        let mut arguments = arguments;
        let condition = write.condition.as_ref().map(where_literal);
        arguments.extend(condition.map(|condition| ("if", Literal::typed(format!("{name}Where"), condition))));
        let arguments: Vec<String> =
            arguments.iter().map(|(name, value)| format!("{name}: {}", printer.value(value))).collect();
        let deleted = if matches!(write.act, Act::Delete(_)) { "deletedId " } else { "" };
        let (records, count) =
            if several { (format!("records: {many}"), " affectedCount") } else { (format!("record: {one}"), "") };
        let shown = match write.act {
            Act::DeleteMany(..) => "deletedIds".to_owned(),
            _ => format!("{records} {{ itsId: id\n{}  }}", printer.selections(&write.selections, 2)),
        };
        let query = match write.query.as_slice() {
            [] => String::new(),
            query => format!(" query {{\n{}  }}", printer.selections(query, 2)),
        };
        body.push_str(&format!("  w{at}: {field}({}) {{ {deleted}{shown}{count}{query} }}\n", arguments.join(", ")));
    }
    printer.finish("mutation", &body)
}

/// The arguments of a write of several.
fn chosen_by(name: &str, filter: &Where, at_most: usize) -> Vec<(&'static str, Literal)> {
    let filter = Literal::typed(format!("{name}Where!"), where_literal(filter));
    vec![("where", filter), ("maxAffected", Literal::typed("Int!", Literal::number(at_most)))]
}

impl Edits {
    fn arguments(&self, name: &str) -> Vec<(&'static str, Literal)> {
        let lists = |changes: &[(String, Vec<Value>)]| {
            let list = |(name, values): &(String, Vec<Value>)| {
                (name.clone(), Literal::List(values.iter().map(literal).collect()))
            };
            let lists = Literal::Object(changes.iter().map(list).collect());
            Literal::typed(format!("{name}ListChange"), lists)
        };
        let mut arguments = Vec::new();
        if !self.increments.is_empty() {
            let increments = self.increments.iter().map(|(name, by)| (name.clone(), Literal::number(by))).collect();
            arguments.push(("increment", Literal::typed(format!("{name}Increment"), Literal::Object(increments))));
        }
        if !self.pushes.is_empty() {
            arguments.push(("push", lists(&self.pushes)));
        }
        if !self.pulls.is_empty() {
            arguments.push(("pull", lists(&self.pulls)));
        }
        arguments
    }
}

/// How many records a write of several may change: often too few.
fn at_most(chance: &mut Chance) -> usize {
    if chance.percent(20) { 1_000 } else { chance.below(6) }
}

/// What an update does to numbers and lists that `change` leaves alone.
fn edits(drawing: Drawing<'_>, object: &Object, change: &Change, chance: &mut Chance) -> Edits {
    let mut edits = Edits::default();
    for declared in &object.fields {
        let name = declared.name.clone();
        let is_set = change.values.iter().any(|(set, _)| *set == name);
        if is_set || declared.computed || !matches!(declared.kind, Kind::Scalar | Kind::Enum) || !chance.percent(8) {
            continue;
        }
        let element = |chance: &mut Chance| one(drawing, object, declared, chance);
        match declared.of.as_str() {
            "Int" | "BigInt" if !declared.list => {
                edits.increments.push((name, *chance.pick(&[-3, -1, 0, 1, 2, 100, i64::from(i32::MAX)])));
            }
            of if declared.list && of != "JSON" => {
                if chance.percent(70) {
                    let pushed = (0..chance.between(1, 2)).map(|_| element(chance)).collect();
                    edits.pushes.push((name.clone(), pushed));
                }
                if chance.percent(50) {
                    edits.pulls.push((name, (0..chance.between(1, 2)).map(|_| element(chance)).collect()));
                }
            }
            _ => {}
        }
    }
    edits
}

fn capital(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

/// An id that no server made. Its first bytes are those of the collection.
fn chosen(world: &World, object: &Object, chance: &mut Chance) -> Option<Id> {
    let (known, _) = world.all(&object.name).next()?;
    let mut id = bytes(known)[..4].to_vec();
    id.extend(chance.next().to_be_bytes());
    id.extend(chance.next().to_be_bytes());
    Some(URL_SAFE_NO_PAD.encode(id))
}

/// Selections of a payload's record.
fn select(drawing: Drawing<'_>, object: &Object, chance: &mut Chance) -> Vec<Selection> {
    if chance.percent(60) {
        return vec![super::draw::plain("id")];
    }
    Drawer::new(drawing, Chance::new(chance.next())).of_payload().record(object, 1)
}

/// What a create or an update says; `None` when a record that it needs is not there.
fn change(drawing: Drawing<'_>, object: &Object, create: bool, chance: &mut Chance) -> Option<Change> {
    let mut change = Change::default();
    for declared in &object.fields {
        if declared.computed || (!create && !chance.percent(12)) {
            continue;
        }
        match &declared.kind {
            Kind::Reference { .. } => {
                if create && !declared.required && chance.percent(40) {
                    continue;
                }
                let to = drawing.id(drawing.model.object(&declared.of), chance);
                let to = to.filter(|_| declared.required || !chance.percent(20));
                if declared.required && to.is_none() {
                    return None;
                }
                change.values.push((declared.name.clone(), to.map_or(Value::Null, Value::Reference)));
            }
            Kind::Referrer { .. } | Kind::Referrers { .. } | Kind::Links { .. } => {
                if let Some(relate) = relate(drawing, declared, create, chance) {
                    change.relations.push((declared.name.clone(), relate));
                }
            }
            Kind::Scalar | Kind::Enum | Kind::Embedded => {
                if create && !declared.required && chance.percent(15) {
                    continue;
                }
                change.values.push((declared.name.clone(), value(drawing, object, declared, chance)));
            }
        }
    }
    Some(change)
}

fn relate(drawing: Drawing<'_>, declared: &Field, create: bool, chance: &mut Chance) -> Option<Relate> {
    let target = drawing.model.object(&declared.of);
    let ids = |chance: &mut Chance, most: usize| -> Vec<Id> {
        (0..chance.below(most + 1)).filter_map(|_| drawing.id(target, chance)).collect()
    };
    let percent = if matches!(declared.kind, Kind::Links { .. }) { 60 } else { 12 };
    if create && !chance.percent(percent) {
        return None;
    }
    if let Kind::Referrer { .. } = declared.kind {
        let to = drawing.id(target, chance);
        let to = if create { Some(to?) } else { to.filter(|_| chance.percent(70)) };
        return Some(Relate::One(to));
    }
    let set = (!create && chance.percent(25)).then(|| ids(chance, 3));
    let disconnect = if create || chance.percent(50) { Vec::new() } else { ids(chance, 3) };
    Some(Relate::Many { set, disconnect, connect: ids(chance, 3) })
}

fn value(drawing: Drawing<'_>, object: &Object, declared: &Field, chance: &mut Chance) -> Value {
    if !declared.required && chance.percent(25) {
        return Value::Null;
    }
    if declared.list {
        let item = |chance: &mut Chance| match declared.element_required || chance.percent(85) {
            true => one(drawing, object, declared, chance),
            false => Value::Null,
        };
        return Value::List((0..chance.below(4)).map(|_| item(chance)).collect());
    }
    one(drawing, object, declared, chance)
}

fn one(drawing: Drawing<'_>, object: &Object, declared: &Field, chance: &mut Chance) -> Value {
    let model = drawing.model;
    if declared.kind == Kind::Embedded {
        let embedded = model.object(&declared.of);
        let mut values = Record::new();
        for inner in &embedded.fields {
            let value = match inner.kind {
                Kind::Reference { .. } => {
                    let to = drawing.id(model.object(&inner.of), chance).filter(|_| chance.percent(50));
                    to.map_or(Value::Null, Value::Reference)
                }
                _ => value(drawing, embedded, inner, chance),
            };
            values.insert(inner.name.clone(), value);
        }
        return Value::Object(values);
    }
    let number = |number: usize| Value::atom(atom::whole(i64::try_from(number).unwrap()));
    Value::atom(match (object.name.as_str(), declared.name.as_str()) {
        // Unique ones: mostly new.
        (_, "serial") => return number(chance.below(5_000)),
        ("Note", "number") => return number(chance.below(12)),
        ("Shelf", "code") | ("Label", "name") => {
            let text = format!("{}{}", atom::draw_text(chance), chance.below(20));
            atom::text(&text)
        }
        ("Item", "key") => atom::uuid(&format!("00000000-0000-0000-0000-{:012x}", chance.below(200))),
        ("Card", "number") => atom::big(i64::try_from(chance.below(60)).unwrap() - 30),
        ("Item", "cost") => atom::draw_precise(chance),
        _ => atom::draw(model, &declared.of, chance),
    })
}

/// A Create or Update input.
fn data(id: Option<&Id>, change: &Change) -> Literal {
    let mut fields = Vec::new();
    if let Some(id) = id {
        fields.push(("id".to_owned(), Literal::text(id)));
    }
    let key = |id: &Id| key_literal(&Key::Id(id.clone()));
    let one = |to: Option<&Id>| match to {
        Some(id) => Literal::object([("connect", key(id))]),
        None => Literal::Null,
    };
    for (name, value) in &change.values {
        let literal = match value {
            Value::Reference(id) => one(Some(id)),
            value => literal(value),
        };
        fields.push((name.clone(), literal));
    }
    for (name, relate) in &change.relations {
        let literal = match relate {
            Relate::One(to) => one(to.as_ref()),
            Relate::Many { set, disconnect, connect } => {
                let keys = |ids: &[Id]| Literal::List(ids.iter().map(key).collect());
                let mut parts = Vec::new();
                parts.extend(set.as_ref().map(|ids| ("set".to_owned(), keys(ids))));
                parts.extend((!disconnect.is_empty()).then(|| ("disconnect".to_owned(), keys(disconnect))));
                parts.push(("connect".to_owned(), keys(connect)));
                Literal::Object(parts)
            }
        };
        fields.push((name.clone(), literal));
    }
    Literal::Object(fields)
}

fn literal(value: &Value) -> Literal {
    match value {
        Value::Null => Literal::Null,
        // Which form is taken changes nothing; the value itself decides, so that a run can be repeated.
        Value::Atom(atom) => atom.forms[atom.json.to_string().len() % atom.forms.len()].clone(),
        Value::List(items) => Literal::List(items.iter().map(literal).collect()),
        Value::Object(values) => {
            Literal::Object(values.iter().map(|(name, value)| (name.clone(), literal(value))).collect())
        }
        Value::Reference(id) => Literal::text(id),
    }
}
