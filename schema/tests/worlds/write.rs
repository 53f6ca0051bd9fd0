//! Writes as the server is told of them and as the world takes them.

use super::evaluate::{Evaluator, bytes, roots};
use super::judge::Judge;
use super::literal::Literal;
use super::model::{Model, Object};
use super::operation::{Key, Part, Selection, Where};
use super::print::{Printer, Text, key_literal, where_literal};
use super::world::{Change, Edits, Id, Refused, Relate, Value, World, equal, field};
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
    Create(Vec<(Option<Id>, Change)>, Option<Meet>),
    CreateOne(Option<Id>, Change),
    Update(Id, Change, Edits),
    /// Those that match, if they are no more than so many.
    UpdateMany(Where, usize, Change, Edits),
    Upsert {
        key: Key,
        /// What the server named the record that it created.
        id: Option<Id>,
        create: Change,
        update: Option<Change>,
        edits: Edits,
    },
    Delete(Id),
    DeleteMany(Where, usize),
}

/// What a create of several does with records that are there.
#[derive(Clone, Debug)]
pub struct Meet {
    /// The fields of a unique key; `None` for the id.
    pub key: Option<Vec<String>>,
    /// They are overwritten; otherwise they are left alone.
    pub update: bool,
    pub fields: Option<Vec<String>>,
    pub filter: Option<Where>,
}

impl Write {
    pub fn is_create(&self) -> bool {
        matches!(self.act, Act::Create(..) | Act::CreateOne(..) | Act::Upsert { .. })
    }

    /// Takes the ids that the server gave from its answer.
    pub fn named(&mut self, payload: &Json) {
        let id = |record: &Json| record["itsId"].as_str().map(str::to_owned);
        match &mut self.act {
            Act::CreateOne(given, _) => *given = id(&payload["record"]),
            Act::Upsert { id: given, .. } => *given = id(&payload["record"]),
            Act::Create(records, _) => {
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
                world.create(model, object, &id, change, None)?;
                Ok(json!({ "record": shown(world, &id) }))
            }
            Act::Create(records, meet) => {
                let mut ids: Vec<Id> = records.iter().map(|(given, _)| id_of(given)).collect();
                let mut affected = 0;
                for (id, (given, change)) in ids.iter_mut().zip(records) {
                    let there = meet.as_ref().and_then(|meet| meet.there(world, object, given.as_ref(), change));
                    match (there, meet) {
                        (Some(there), Some(meet)) => {
                            affected += usize::from(meet.overwrites(model, world, object, &there, change)?);
                            *id = there;
                        }
                        _ => {
                            world.create(model, object, id, change, None)?;
                            affected += 1;
                        }
                    }
                }
                let shown: Vec<Json> = ids.iter().map(|id| shown(world, id)).collect();
                Ok(json!({ "records": shown, "affectedCount": affected }))
            }
            Act::Upsert { key, id: given, create, update, edits } => {
                let there = match key {
                    Key::Id(id) => Some(id.clone()).filter(|id| world.get(&object.name, id).is_some()),
                    Key::Unique(parts) => {
                        let (name, _, part) = &parts[0];
                        let Part::Atom(atom, _) = part else { panic!("keys are of atoms here") };
                        let wanted = Value::atom(atom.clone());
                        let has = |(_, record): &(&Id, &super::world::Record)| equal(field(record, name), &wanted);
                        world.all(&object.name).find(has).map(|(id, _)| id.clone())
                    }
                };
                let created = there.is_none();
                let id = match (there, key) {
                    (Some(id), _) => {
                        let nothing = Change::default();
                        if update.is_some() || !edits.increments.is_empty() {
                            world.update(model, object, &id, update.as_ref().unwrap_or(&nothing), edits)?;
                        }
                        id
                    }
                    (None, Key::Id(id)) => {
                        world.create(model, object, id, create, None)?;
                        id.clone()
                    }
                    (None, Key::Unique(_)) => {
                        let id = id_of(given);
                        world.create(model, object, &id, create, None)?;
                        id
                    }
                };
                Ok(json!({ "created": created, "record": shown(world, &id) }))
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

impl Meet {
    /// The record that has the key already.
    fn there(&self, world: &World, object: &Object, id: Option<&Id>, change: &Change) -> Option<Id> {
        let Some(key) = &self.key else {
            return id.filter(|id| world.get(&object.name, id).is_some()).cloned();
        };
        let said = |name: &String| change.values.iter().find(|(said, _)| said == name).map(|(_, value)| value);
        let has = |record: &super::world::Record| {
            key.iter().all(|name| said(name).is_some_and(|said| equal(said, field(record, name))))
        };
        world.all(&object.name).find(|(_, record)| has(record)).map(|(id, _)| id.clone())
    }

    /// Does with a record that is there what is said, and tells whether it was written.
    fn overwrites(
        &self,
        model: &Model,
        world: &mut World,
        object: &Object,
        there: &Id,
        change: &Change,
    ) -> Result<bool, Refused> {
        let (key, _) = world.records[&object.name].get_key_value(there).unwrap();
        let matches = |filter: &Where| Judge { model, world }.matches(object, key, filter);
        if !self.update || !self.filter.as_ref().is_none_or(matches) {
            return Ok(false);
        }
        let mut change = change.clone();
        if let Some(fields) = &self.fields {
            change.values.retain(|(name, _)| fields.contains(name));
            let is_own = |name: &str| object.field(name).is_own_reference();
            change.relations.retain(|(name, _)| fields.contains(name) && is_own(name));
        }
        world.update(model, object, there, &change, &Edits::default())?;
        Ok(true)
    }

    fn literal(&self, name: &str) -> Literal {
        let key = self.key.as_ref().map_or_else(|| "id".to_owned(), |key| key.join("_"));
        let action = if self.update { "UPDATE" } else { "IGNORE" };
        let mut fields =
            vec![("key".to_owned(), Literal::Enum(shout(&key))), ("action".to_owned(), Literal::Enum(action.into()))];
        if let Some(names) = &self.fields {
            let names = names.iter().map(|name| Literal::Enum(shout(name))).collect();
            fields.push(("update".to_owned(), Literal::List(names)));
        }
        if let Some(filter) = &self.filter {
            fields.push(("where".to_owned(), where_literal(filter)));
        }
        Literal::typed(format!("{name}Conflict"), Literal::Object(fields))
    }
}

fn shout(name: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_uppercase() {
        true => format!("_{letter}"),
        false => letter.to_ascii_uppercase().to_string(),
    };
    name.chars().map(letter).collect()
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
            Act::Create(records, meet) => {
                let records = records.iter().map(|(id, change)| data(id.as_ref(), change)).collect();
                let data = Literal::typed(format!("[{name}Create!]!"), Literal::List(records));
                let mut arguments = vec![("data", data)];
                arguments.extend(meet.as_ref().map(|meet| ("onConflict", meet.literal(name))));
                (format!("create{plural}"), arguments, true)
            }
            Act::Upsert { key, id, create, update, edits } => {
                // A key of its own is the id of what is created.
                let id = id.as_ref().filter(|_| matches!(key, Key::Unique(_)));
                let by = Literal::typed(format!("{name}Key!"), key_literal(key));
                let mut arguments =
                    vec![("by", by), ("create", Literal::typed(format!("{name}Create!"), data(id, create)))];
                let update = update.as_ref().map(|change| Literal::typed(format!("{name}Update"), data(None, change)));
                arguments.extend(update.map(|update| ("update", update)));
                arguments.extend(edits.arguments(name));
                (format!("upsert{name}"), arguments, false)
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
        let deleted = match write.act {
            Act::Delete(_) => "deletedId ",
            Act::Upsert { .. } => "created ",
            _ => "",
        };
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

fn capital(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
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
            Relate::Create(id, change) => Literal::object([("create", data(Some(id), change))]),
            Relate::UpdateOne(change) => Literal::object([("update", data(None, change))]),
            Relate::DeleteOne => Literal::object([("delete", Literal::Bool(true))]),
            Relate::Many(many) => {
                let keys = |ids: &[Id]| Literal::List(ids.iter().map(key).collect());
                let mut parts = Vec::new();
                parts.extend(many.set.as_ref().map(|ids| ("set".to_owned(), keys(ids))));
                parts.extend((!many.disconnect.is_empty()).then(|| ("disconnect".to_owned(), keys(&many.disconnect))));
                parts.push(("connect".to_owned(), keys(&many.connect)));
                let created = many.create.iter().map(|(id, change)| data(Some(id), change)).collect::<Vec<_>>();
                parts.extend((!created.is_empty()).then(|| ("create".to_owned(), Literal::List(created))));
                let updated =
                    |(id, change): &(Id, Change)| Literal::object([("by", key(id)), ("data", data(None, change))]);
                let updated: Vec<Literal> = many.update.iter().map(updated).collect();
                parts.extend((!updated.is_empty()).then(|| ("update".to_owned(), Literal::List(updated))));
                parts.extend((!many.delete.is_empty()).then(|| ("delete".to_owned(), keys(&many.delete))));
                parts.extend(many.delete_many.as_ref().map(|filter| ("deleteMany".to_owned(), where_literal(filter))));
                Literal::Object(parts)
            }
        };
        fields.push((name.clone(), literal));
    }
    Literal::Object(fields)
}

pub fn literal(value: &Value) -> Literal {
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
