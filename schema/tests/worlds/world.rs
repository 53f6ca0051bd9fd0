//! The records as they should be: plain maps, and what each write does to them, by straightforward loops.

use super::atom::{self, Atom, Rank};
use super::model::{Kind, Model, Object, OnDelete};
use super::operation::Where;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The `id` of a record, as the server writes it.
pub type Id = String;

/// What a field holds.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Atom(Arc<Atom>),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
    Reference(Id),
}

pub type Record = BTreeMap<String, Value>;

/// All records and links.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub records: BTreeMap<String, BTreeMap<Id, Record>>,
    pub links: BTreeMap<String, BTreeSet<(Id, Id)>>,
}

/// What becomes of a relation, other than that an own reference gets a value.
#[derive(Clone, Debug)]
pub enum Relate {
    /// The other side of a one-to-one relation.
    One(Option<Id>),
    /// It leads to a new record.
    Create(Id, Box<Change>),
    /// The record that it leads to is changed.
    UpdateOne(Box<Change>),
    /// The record that it leads to is deleted.
    DeleteOne,
    Many(Box<Many>),
}

/// What becomes of a relation to many.
#[derive(Clone, Debug, Default)]
pub struct Many {
    pub update: Vec<(Id, Change)>,
    pub delete: Vec<Id>,
    pub delete_many: Option<Where>,
    pub set: Option<Vec<Id>>,
    pub disconnect: Vec<Id>,
    pub connect: Vec<Id>,
    pub create: Vec<(Id, Change)>,
}

/// What a create or an update says.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Own fields, references among them.
    pub values: Vec<(String, Value)>,
    /// In the order of the fields.
    pub relations: Vec<(String, Relate)>,
}

/// What an update does to numbers and lists.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    pub increments: Vec<(String, i64)>,
    pub pushes: Vec<(String, Vec<Value>)>,
    pub pulls: Vec<(String, Vec<Value>)>,
}

/// The code of an error.
pub type Refused = &'static str;

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub fn atom(atom: Atom) -> Value {
        Value::Atom(Arc::new(atom))
    }
}

/// A field of a record or of an embedded value.
pub fn field<'a>(of: &'a BTreeMap<String, Value>, name: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    of.get(name).unwrap_or(&NULL)
}

impl World {
    pub fn all(&self, collection: &str) -> impl Iterator<Item = (&Id, &Record)> {
        self.records.get(collection).into_iter().flatten()
    }

    /// The records of a collection, or of all members of a family.
    pub fn all_of<'w>(&'w self, object: &'w Object) -> impl Iterator<Item = (&'w Id, &'w Record)> {
        let own = std::slice::from_ref(&object.name);
        let names = if object.members.is_empty() { own } else { object.members.as_slice() };
        names.iter().flat_map(|name| self.all(name))
    }

    pub fn get(&self, collection: &str, id: &str) -> Option<&Record> {
        self.records.get(collection)?.get(id)
    }

    /// The record at the other end of a relation to one.
    pub fn related(&self, object: &Object, id: &str, name: &str) -> Option<Id> {
        let relation = object.field(name);
        match &relation.kind {
            Kind::Reference { .. } => match field(self.get(&object.name, id)?, name) {
                Value::Reference(id) => Some(id.clone()),
                _ => None,
            },
            Kind::Referrer { field } => self.referring(&relation.of, field, id).pop(),
            _ => panic!("{name} leads to many"),
        }
    }

    /// The records at the other end of a relation to many, in no order that counts.
    pub fn relatives(&self, object: &Object, id: &str, name: &str) -> Vec<Id> {
        let relation = object.field(name);
        match &relation.kind {
            Kind::Referrers { field } => self.referring(&relation.of, field, id),
            Kind::Links { name, forward } => {
                let pairs = self.links.get(name).into_iter().flatten();
                let ends = pairs.map(|(one, other)| if *forward { (one, other) } else { (other, one) });
                ends.filter(|(here, _)| *here == id).map(|(_, there)| there.clone()).collect()
            }
            _ => panic!("{name} leads to one"),
        }
    }

    pub fn referring(&self, collection: &str, name: &str, id: &str) -> Vec<Id> {
        let refers = |record: &Record| matches!(field(record, name), Value::Reference(to) if to == id);
        self.all(collection).filter(|(_, record)| refers(record)).map(|(id, _)| id.clone()).collect()
    }

    pub fn write(&mut self, model: &Model, object: &Object, id: &str, mut record: Record) -> Result<(), Refused> {
        super::computed::compute(object, &mut record);
        let mut keys = object.keys.clone();
        for field in &object.fields {
            if matches!(field.kind, Kind::Reference { unique: true, .. }) {
                keys.push(vec![field.name.clone()]);
            }
        }
        for key in &keys {
            let taken = |other: &Record| key.iter().all(|name| equal(field(&record, name), field(other, name)));
            if self.all(&object.name).any(|(other, values)| other != id && taken(values)) {
                return Err("UNIQUE_VIOLATION");
            }
        }
        debug_assert!(model.object(&object.name).roots.is_some());
        self.records.entry(object.name.clone()).or_default().insert(id.to_owned(), record);
        Ok(())
    }

    /// Sets a reference or empties it.
    pub fn refer(
        &mut self,
        model: &Model,
        object: &Object,
        holder: &str,
        name: &str,
        to: Option<&str>,
    ) -> Result<(), Refused> {
        if to.is_none() && object.field(name).required {
            return Err("REFERENCE_VIOLATION");
        }
        let mut record = self.get(&object.name, holder).unwrap().clone();
        record.insert(name.to_owned(), to.map_or(Value::Null, |to| Value::Reference(to.to_owned())));
        self.write(model, object, holder, record)
    }

    /// Deletes records and does to others what `onDelete` says.
    pub fn delete(&mut self, model: &Model, object: &Object, ids: &[Id]) -> Result<(), Refused> {
        if ids.iter().any(|id| self.get(&object.name, id).is_none()) {
            return Err("NOT_FOUND");
        }
        let mut doomed = BTreeSet::from_iter(ids.iter().cloned());
        loop {
            let before = doomed.len();
            for (holder, id, _) in self.holders(model, OnDelete::Cascade, &doomed) {
                debug_assert!(self.get(&holder, &id).is_some());
                doomed.insert(id);
            }
            if doomed.len() == before {
                break;
            }
        }
        let restricting = self.holders(model, OnDelete::Restrict, &doomed);
        if restricting.iter().any(|(_, id, _)| !doomed.contains(id)) {
            return Err("REFERENCE_VIOLATION");
        }
        for (collection, id, name) in self.holders(model, OnDelete::SetNull, &doomed) {
            let record = self.records.get_mut(&collection).unwrap().get_mut(&id).unwrap();
            empty(record.get_mut(&name).unwrap(), &doomed);
        }
        for records in self.records.values_mut() {
            records.retain(|id, _| !doomed.contains(id));
        }
        for pairs in self.links.values_mut() {
            pairs.retain(|(one, other)| !doomed.contains(one) && !doomed.contains(other));
        }
        Ok(())
    }

    /// Records with a reference to one of `targets` somewhere in a field: collection, id, field.
    fn holders(&self, model: &Model, on_delete: OnDelete, targets: &BTreeSet<Id>) -> Vec<(String, Id, String)> {
        let mut found = Vec::new();
        for object in model.collections() {
            for each in &object.fields {
                let applies = match each.kind {
                    Kind::Reference { on_delete: own, .. } => own == on_delete,
                    // All references inside embedded values are emptied.
                    Kind::Embedded => on_delete == OnDelete::SetNull,
                    _ => false,
                };
                for (id, record) in self.all(&object.name) {
                    if applies && refers(field(record, &each.name), targets) {
                        found.push((object.name.clone(), id.clone(), each.name.clone()));
                    }
                }
            }
        }
        found
    }
}

impl Edits {
    pub fn apply(&self, object: &Object, record: &mut Record) -> Result<(), Refused> {
        for (name, by) in &self.increments {
            let Value::Atom(atom) = field(record, name) else { return Err("BAD_USER_INPUT") };
            let Rank::Whole(there) = atom.rank else { panic!("{name} is a whole number") };
            let sum = there.checked_add(*by).ok_or("BAD_USER_INPUT")?;
            let is_big = object.field(name).of == "BigInt";
            if !is_big && i32::try_from(sum).is_err() {
                return Err("BAD_USER_INPUT");
            }
            record.insert(name.clone(), Value::atom(if is_big { atom::big(sum) } else { atom::whole(sum) }));
        }
        for (name, pulled) in &self.pulls {
            if let Some(Value::List(list)) = record.get_mut(name) {
                list.retain(|element| !pulled.iter().any(|pulled| equal(element, pulled)));
            }
        }
        for (name, pushed) in &self.pushes {
            let entry = record.entry(name.clone()).or_insert(Value::Null);
            match entry {
                Value::List(list) => list.extend(pushed.iter().cloned()),
                entry => *entry = Value::List(pushed.clone()),
            }
        }
        Ok(())
    }
}

fn refers(value: &Value, targets: &BTreeSet<Id>) -> bool {
    match value {
        Value::Reference(id) => targets.contains(id),
        Value::List(items) => items.iter().any(|item| refers(item, targets)),
        Value::Object(fields) => fields.values().any(|item| refers(item, targets)),
        Value::Null | Value::Atom(_) => false,
    }
}

fn empty(value: &mut Value, gone: &BTreeSet<Id>) {
    match value {
        Value::Reference(id) if gone.contains(id) => *value = Value::Null,
        Value::List(items) => items.iter_mut().for_each(|item| empty(item, gone)),
        Value::Object(fields) => fields.values_mut().for_each(|item| empty(item, gone)),
        Value::Reference(_) | Value::Null | Value::Atom(_) => {}
    }
}

/// Nulls are never equal.
pub fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Atom(one), Value::Atom(other)) => one.rank.compare(&other.rank).is_eq(),
        (Value::Reference(one), Value::Reference(other)) => one == other,
        _ => false,
    }
}

/// Whether two atoms of one type are the same value.
pub fn same(one: &Atom, other: &Atom) -> bool {
    match (&one.rank, &other.rank) {
        (Rank::Document, Rank::Document) => one.json == other.json,
        (one, other) => one.compare(other).is_eq(),
    }
}
