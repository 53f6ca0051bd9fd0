//! Random writes over a schema with every kind of relation, against a model that knows no indexes, batches or bytes.
//!
//! After each transaction the database holds what the model holds, and verification finds nothing.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod stage;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};
use stage::{Stage, input, run};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use vivarium_schema::catalog::{Collection, Field, FieldKind, OnDelete};
use vivarium_schema::write::{Writer, find};
use vivarium_schema::{Abort, Catalog, Code, GlobalId};
use vivarium_storage::{CollectionId, DatabaseId, Document, DocumentId, FieldId, KeyRange, Space, ValueRef, key};

const SCHEMA: &str = r#"
type Team @collection {
  id: ID!
  name: String @unique
  members: [Person!]! @relation(inverse: "team", onDelete: SET_NULL)
  badges: [Badge!]! @relation(inverse: "owner", onDelete: CASCADE)
  projects: [Project!]! @relation(inverse: "teams")
}
type Person @collection @unique(fields: ["team", "nick"]) @index(fields: ["color", "age"]) {
  id: ID!
  name: String @unique
  nick: String
  age: Int @check(expr: { gte: 0 })
  color: Color! @default(value: RED)
  tags: [String!]! @default(value: []) @index
  stints: [Stint!]! @default(value: [])
  team: Team @relation(inverse: "members")
  boss: Person @relation(inverse: "reports")
  reports: [Person!]! @relation(inverse: "boss", onDelete: SET_NULL)
  passport: Passport @relation(inverse: "person")
  locker: Locker @relation(inverse: "person", onDelete: SET_NULL)
  held: [Badge!]! @relation(inverse: "holder", onDelete: RESTRICT)
  friends: [Person!]! @relation(inverse: "friendOf")
  friendOf: [Person!]! @relation(inverse: "friends")
}
enum Color { RED GREEN }
type Stint { label: String! project: Project @relation(onDelete: SET_NULL) mentor: Person @relation(onDelete: CASCADE) }
type Passport @collection { id: ID! name: String @unique person: Person! @relation(inverse: "passport", onDelete: CASCADE) }
type Locker @collection { id: ID! name: String @unique person: Person @relation(inverse: "locker") }
type Badge @collection { id: ID! name: String @unique owner: Team! @relation(inverse: "badges") holder: Person @relation(inverse: "held") }
type Project @collection {
  id: ID!
  name: String @unique
  lead: Person @relation(onDelete: RESTRICT)
  teams: [Team!]! @relation(inverse: "projects", onDelete: RESTRICT)
  similar: [Project!]!
}
"#;

/// Records of one collection that may be there.
const SLOTS: u8 = 5;

/// A record: its collection and its slot.
type Place = (CollectionId, u8);

/// What an input says of a field.
#[derive(Clone, Debug)]
enum Say {
    Value(Json),
    To(Option<u8>),
    Many { set: Option<Vec<u8>>, disconnect: Vec<u8>, connect: Vec<u8> },
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Create,
    Update,
    Delete,
}

#[derive(Clone, Debug)]
struct Step {
    verb: Verb,
    collection: usize,
    slot: u8,
    says: Vec<(usize, u8, Vec<u8>)>,
    by_name: bool,
    /// Names slots as they come; else records that are there, so that most steps succeed.
    wild: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![4 => Just(Verb::Create), 4 => Just(Verb::Update), 2 => Just(Verb::Delete)];
    let slots = prop::collection::vec(0..SLOTS, 0..3);
    let says = prop::collection::vec((0..64usize, any::<u8>(), slots), 0..4);
    let wild = prop::bool::weighted(0.1);
    let choices = (0..12usize, 0..SLOTS, says, any::<bool>(), wild);
    (verb, choices).prop_map(|(verb, (collection, slot, says, by_name, wild))| Step {
        verb,
        // Half of all steps are about the collection that has most relations.
        collection: if collection < 6 { collection } else { 1 },
        slot,
        says,
        by_name,
        wild,
    })
}

impl Step {
    /// The record that it is about.
    fn place(&self, catalog: &Catalog, world: &World) -> Place {
        let collection = catalog.collections[self.collection % catalog.collections.len()].id;
        let free: Vec<u8> = (0..SLOTS).filter(|slot| !world.rows.contains_key(&(collection, *slot))).collect();
        match self.verb {
            Verb::Create if !self.wild && !free.is_empty() => (collection, free[usize::from(self.slot) % free.len()]),
            Verb::Create => (collection, self.slot),
            Verb::Update | Verb::Delete => (collection, self.settle(world, collection, self.slot).unwrap_or(self.slot)),
        }
    }

    /// As it is meant: what is not there cannot be updated or deleted.
    fn meant(&self, catalog: &Catalog, world: &World) -> Step {
        let (collection, _) = self.place(catalog, world);
        let empty = world.rows.keys().all(|place| place.0 != collection);
        let verb = if empty && !self.wild { Verb::Create } else { self.verb };
        Step { verb, ..self.clone() }
    }

    /// A slot with a record in it, if there is one.
    fn settle(&self, world: &World, collection: CollectionId, slot: u8) -> Option<u8> {
        let there: Vec<u8> = world.rows.keys().filter(|place| place.0 == collection).map(|place| place.1).collect();
        if self.wild { Some(slot) } else { there.get(usize::from(slot).checked_rem(there.len())?).copied() }
    }
}

/// Stored fields of a record by number, references as slots; nulls left out.
type Row = BTreeMap<FieldId, Json>;

#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    rows: BTreeMap<Place, Row>,
    /// By field: from its own side to the other. The field of two that has the lower links index stands for both.
    links: BTreeMap<u32, BTreeSet<(u8, u8)>>,
}

/// Whether a record is being created.
#[derive(Clone, Copy, PartialEq)]
enum Fresh {
    Yes,
    No,
}

/// A reference of the schema: collection, path, target, what becomes of the holder.
struct Reference {
    collection: CollectionId,
    path: Vec<FieldId>,
    target: CollectionId,
    on_delete: OnDelete,
}

fn references(catalog: &Catalog) -> Vec<Reference> {
    let mut found = Vec::new();
    for collection in &catalog.collections {
        for field in &collection.fields {
            let inside = match field.kind {
                FieldKind::ToOne { .. } => vec![(vec![field.id], field)],
                FieldKind::Embedded(id) => {
                    catalog.embedded(id).unwrap().fields.iter().map(|inner| (vec![field.id, inner.id], inner)).collect()
                }
                _ => Vec::new(),
            };
            for (path, field) in inside {
                if let FieldKind::ToOne { target, on_delete, .. } = field.kind {
                    found.push(Reference { collection: collection.id, path, target, on_delete });
                }
            }
        }
    }
    found
}

/// Calls `act` with each reference of a row, to look at or to change.
fn visit(row: &mut Row, path: &[FieldId], act: &mut impl FnMut(&mut Json)) {
    let Some(value) = row.get_mut(&path[0]) else { return };
    match path {
        [_] => act(value),
        [_, inner] => {
            for item in value.as_array_mut().unwrap() {
                if let Some(value) = item.as_object_mut().unwrap().get_mut(&inner.0.to_string()) {
                    act(value);
                }
            }
        }
        _ => unreachable!(),
    }
}

impl World {
    fn get(&self, place: Place, field: FieldId) -> Json {
        self.rows.get(&place).and_then(|row| row.get(&field)).cloned().unwrap_or(Json::Null)
    }

    fn set(&mut self, place: Place, field: FieldId, value: Json) {
        let row = self.rows.get_mut(&place).unwrap();
        if value.is_null() {
            row.remove(&field)
        } else {
            row.insert(field, value)
        };
    }

    fn there(&self, place: Place) -> Result<(), Code> {
        if self.rows.contains_key(&place) { Ok(()) } else { Err(Code::NotFound) }
    }

    /// What holds of every record, whatever was done.
    fn valid(&self, catalog: &Catalog) -> Result<(), Code> {
        for collection in &catalog.collections {
            let rows = || self.rows.iter().filter(|((id, _), _)| *id == collection.id);
            for index in collection.indexes.iter().filter(|index| index.unique) {
                let mut seen = BTreeSet::new();
                for (_, row) in rows() {
                    let tuple: Option<Vec<String>> =
                        index.elements.iter().map(|element| row.get(&element.path[0]).map(Json::to_string)).collect();
                    if tuple.is_some_and(|tuple| !seen.insert(tuple)) {
                        return Err(Code::UniqueViolation);
                    }
                }
            }
            for field in collection.fields.iter().filter(|field| field.is_stored() && field.required) {
                if rows().any(|(_, row)| !row.contains_key(&field.id)) {
                    return Err(Code::ReferenceViolation);
                }
            }
            let age = collection.field_named("age").map(|field| field.id);
            if rows().any(|(_, row)| age.and_then(|age| row.get(&age)).is_some_and(|age| age.as_i64() < Some(0))) {
                return Err(Code::CheckViolation);
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        catalog: &Catalog,
        place: Place,
        says: &BTreeMap<FieldId, Say>,
        fresh: Fresh,
    ) -> Result<(), Code> {
        let collection = catalog.collection(place.0).unwrap();
        let field = |id: &FieldId| collection.field(*id).unwrap();
        // What is being created is not there yet for its own references.
        let there = |world: &World, to: Place| {
            if to == place && fresh == Fresh::Yes { Err(Code::NotFound) } else { world.there(to) }
        };
        for (id, say) in says {
            match (say, field(id).kind) {
                (Say::Value(value), _) => {
                    for reference in references(catalog).iter().filter(|each| each.path[0] == *id) {
                        let mut row = Row::from([(*id, value.clone())]);
                        let mut missing = false;
                        if reference.collection == place.0 {
                            visit(&mut row, &reference.path, &mut |value| {
                                let slot = u8::try_from(value.as_u64().unwrap()).unwrap();
                                missing |= there(self, (reference.target, slot)).is_err();
                            });
                        }
                        if missing {
                            return Err(Code::ReferenceViolation);
                        }
                    }
                    self.set(place, *id, value.clone());
                }
                (Say::To(to), FieldKind::ToOne { target, .. }) => {
                    if let Some(to) = to {
                        there(self, (target, *to))?;
                    }
                    self.set(place, *id, json!(to));
                }
                _ => {}
            }
        }
        self.valid(catalog)?;
        for (id, say) in says {
            self.change(place, field(id), say)?;
            self.valid(catalog)?;
        }
        Ok(())
    }

    fn change(&mut self, (collection, slot): Place, field: &Field, say: &Say) -> Result<(), Code> {
        let me = json!(slot);
        match (say, field.kind) {
            (Say::To(to), FieldKind::OneToOne { target, field, .. }) => {
                if let Some(to) = to {
                    self.there((target, *to))?;
                    if self.get((target, *to), field) == me {
                        return Ok(());
                    }
                }
                for other in 0..SLOTS {
                    if self.get((target, other), field) == me {
                        self.set((target, other), field, Json::Null);
                    }
                }
                if let Some(to) = to {
                    self.set((target, *to), field, me);
                }
            }
            (Say::Many { set, disconnect, connect }, FieldKind::OneToMany { target, field, .. }) => {
                for named in set.iter().flatten().chain(disconnect).chain(connect) {
                    self.there((target, *named))?;
                }
                for other in 0..SLOTS {
                    let goes = set.as_ref().is_some_and(|set| !set.contains(&other)) || disconnect.contains(&other);
                    let comes = set.as_ref().is_some_and(|set| set.contains(&other)) || connect.contains(&other);
                    if goes && self.get((target, other), field) == me {
                        self.set((target, other), field, Json::Null);
                    }
                    if comes {
                        self.set((target, other), field, me.clone());
                    }
                }
            }
            (Say::Many { set, disconnect, connect }, FieldKind::ManyToMany { target, links, inverse_links, .. }) => {
                for named in set.iter().flatten().chain(disconnect).chain(connect) {
                    self.there((target, *named))?;
                }
                let pairs = self.links.entry(links.0.min(inverse_links.0)).or_default();
                let turned = links > inverse_links;
                let pair = |other: u8| if turned { (other, slot) } else { (slot, other) };
                for other in 0..SLOTS {
                    let goes = set.as_ref().is_some_and(|set| !set.contains(&other)) || disconnect.contains(&other);
                    let comes = set.as_ref().is_some_and(|set| set.contains(&other)) || connect.contains(&other);
                    if goes {
                        pairs.remove(&pair(other));
                    }
                    if comes {
                        pairs.insert(pair(other));
                    }
                }
            }
            _ => {
                let _ = collection;
            }
        }
        Ok(())
    }

    fn delete(&mut self, catalog: &Catalog, place: Place) -> Result<(), Code> {
        self.there(place)?;
        let references = references(catalog);
        let mut doomed = BTreeSet::from([place]);
        loop {
            let before = doomed.len();
            for (holder, reference, to) in self.held(&references) {
                if reference.on_delete == OnDelete::Cascade && doomed.contains(&to) {
                    doomed.insert(holder);
                }
            }
            if doomed.len() == before {
                break;
            }
        }
        for (holder, reference, to) in self.held(&references) {
            if reference.on_delete == OnDelete::Restrict && doomed.contains(&to) && !doomed.contains(&holder) {
                return Err(Code::ReferenceViolation);
            }
        }
        let mut unlinked = Vec::new();
        for collection in &catalog.collections {
            for field in &collection.fields {
                let FieldKind::ManyToMany { target, inverse, links, inverse_links, on_delete } = field.kind else {
                    continue;
                };
                let pairs = self.links.entry(links.0.min(inverse_links.0)).or_default();
                let turned = links > inverse_links;
                let ends = |pair: &(u8, u8)| {
                    let (near, far) = if turned { (pair.1, pair.0) } else { *pair };
                    ((collection.id, near), (target, far))
                };
                let held = |pair: &(u8, u8)| {
                    let (near, far) = ends(pair);
                    let (goes, stays) = if inverse.is_some() { (near, far) } else { (far, near) };
                    doomed.contains(&goes) && !doomed.contains(&stays)
                };
                if on_delete == OnDelete::Restrict && pairs.iter().any(held) {
                    return Err(Code::ReferenceViolation);
                }
                let goes = |pair: &&(u8, u8)| {
                    let (near, far) = ends(pair);
                    doomed.contains(&near) || doomed.contains(&far)
                };
                unlinked.extend(pairs.iter().filter(goes).map(|pair| (links.min(inverse_links), *pair)));
            }
        }
        for (links, pair) in unlinked {
            self.links.entry(links.0).or_default().remove(&pair);
        }
        self.rows.retain(|place, _| !doomed.contains(place));
        for reference in &references {
            for (_, row) in self.rows.iter_mut().filter(|((id, _), _)| *id == reference.collection) {
                visit(row, &reference.path, &mut |value| {
                    if doomed.contains(&(reference.target, u8::try_from(value.as_u64().unwrap_or(255)).unwrap())) {
                        *value = Json::Null;
                    }
                });
                tidy(row);
            }
        }
        self.valid(catalog)
    }

    /// Every reference that is held: by whom, which, and to whom.
    fn held<'r>(&self, references: &'r [Reference]) -> Vec<(Place, &'r Reference, Place)> {
        let mut held = Vec::new();
        for reference in references {
            for (place, row) in self.rows.iter().filter(|((id, _), _)| *id == reference.collection) {
                visit(&mut row.clone(), &reference.path, &mut |value| {
                    held.push((*place, reference, (reference.target, u8::try_from(value.as_u64().unwrap()).unwrap())));
                });
            }
        }
        held
    }
}

/// Nulls are not kept.
fn tidy(row: &mut Row) {
    row.retain(|_, value| !value.is_null());
    for value in row.values_mut() {
        for item in value.as_array_mut().into_iter().flatten() {
            if let Some(object) = item.as_object_mut() {
                object.retain(|_, value| !value.is_null());
            }
        }
    }
}

fn id(slot: u8) -> DocumentId {
    let mut bytes = [7; 16];
    bytes[15] = slot;
    DocumentId(bytes)
}

fn slot(id: DocumentId) -> u8 {
    id.0[15]
}

fn global(collection: CollectionId, slot: u8) -> Json {
    json!(GlobalId { collection, document: id(slot) }.to_string())
}

/// What a step says of each field, each field once.
fn says(catalog: &Catalog, world: &World, collection: &Collection, step: &Step) -> BTreeMap<FieldId, Say> {
    let mut says = BTreeMap::new();
    let needed = collection.fields.iter().enumerate().filter(|(_, field)| {
        matches!(field.kind, FieldKind::ToOne { .. }) && field.required && matches!(step.verb, Verb::Create)
    });
    let needed = needed.map(|(at, _)| (at, 1, vec![step.slot]));
    let given = step.says.iter().cloned().map(|(at, choice, slots)| (at % collection.fields.len(), choice, slots));
    for (at, choice, slots) in given.chain(needed.filter(|_| !step.wild)) {
        let field = &collection.fields[at];
        let pick = |values: &[Json]| Say::Value(values[usize::from(choice) % values.len()].clone());
        let settled = |target: CollectionId| -> Vec<u8> {
            slots.iter().filter_map(|slot| step.settle(world, target, *slot)).collect()
        };
        let say = match field.kind {
            FieldKind::ToOne { target, .. } | FieldKind::OneToOne { target, .. } => {
                Say::To(settled(target).first().copied().filter(|_| field.required || choice % 4 != 0))
            }
            FieldKind::OneToMany { target, .. } | FieldKind::ManyToMany { target, .. } => {
                let (mut set, mut disconnect, mut connect) = (None, Vec::new(), Vec::new());
                match (&step.verb, choice % 4) {
                    (Verb::Update, 0) => set = Some(settled(target)),
                    (Verb::Update, 1) => disconnect = settled(target),
                    (Verb::Update, 2) => {
                        disconnect = settled(target);
                        connect = disconnect.split_off(disconnect.len() / 2);
                    }
                    _ => connect = settled(target),
                }
                Say::Many { set, disconnect, connect }
            }
            FieldKind::Embedded(id) => {
                let stint = catalog.embedded(id).unwrap();
                let part = |name: &str, slot: u8| {
                    let field = stint.field_named(name).unwrap();
                    let value = match field.kind {
                        FieldKind::ToOne { target, .. } => json!(step.settle(world, target, slot)?),
                        _ => json!(slot.to_string()),
                    };
                    Some((field.id.0.to_string(), value))
                };
                let stint = |slot: &u8| {
                    let names =
                        [Some("label"), (choice & 1 == 0).then_some("project"), (choice & 2 == 0).then_some("mentor")];
                    Json::Object(names.into_iter().flatten().filter_map(|name| part(name, *slot)).collect())
                };
                Say::Value(Json::Array(slots.iter().map(stint).collect()))
            }
            FieldKind::Enum(_) => pick(&[json!("RED"), json!("GREEN")]),
            FieldKind::Scalar(_) => match field.name.as_str() {
                "name" => pick(&[json!(null), json!("a"), json!("b"), json!("c"), json!("d"), json!("e"), json!("f")]),
                "nick" => pick(&[json!(null), json!("x"), json!("y")]),
                "age" => pick(&[json!(null), json!(0), json!(7), json!(8), json!(9), json!(-1)]),
                "tags" => pick(&[json!([]), json!(["p"]), json!(["p", "q", "p"])]),
                other => panic!("no values for {other}"),
            },
        };
        says.entry(field.id).or_insert(say);
    }
    says
}

/// The same as an input object.
fn data(catalog: &Catalog, world: &World, place: Place, step: &Step, says: &BTreeMap<FieldId, Say>) -> Json {
    let collection = catalog.collection(place.0).unwrap();
    let key = |target: CollectionId, slot: u8| {
        let name = catalog.collection(target).unwrap().field_named("name").unwrap().id;
        match world.get((target, slot), name) {
            Json::String(name) if step.by_name && (target, slot) != place => json!({ "name": name }),
            _ => json!({ "id": global(target, slot) }),
        }
    };
    let mut data = Map::new();
    for (id, say) in says {
        let field = collection.field(*id).unwrap();
        let target = match field.kind {
            FieldKind::ToOne { target, .. }
            | FieldKind::OneToOne { target, .. }
            | FieldKind::OneToMany { target, .. }
            | FieldKind::ManyToMany { target, .. } => target,
            _ => place.0,
        };
        let keys = |slots: &[u8]| Json::Array(slots.iter().map(|slot| key(target, *slot)).collect());
        let value = match say {
            Say::Value(value) => match field.kind {
                FieldKind::Embedded(embedded) => {
                    let embedded = catalog.embedded(embedded).unwrap();
                    let item = |item: &Json| {
                        let object = item.as_object().unwrap().iter().map(|(number, value)| {
                            let field = embedded.field(FieldId(number.parse().unwrap())).unwrap();
                            let value = match field.kind {
                                FieldKind::ToOne { target, .. } => {
                                    global(target, u8::try_from(value.as_u64().unwrap()).unwrap())
                                }
                                _ => value.clone(),
                            };
                            (field.name.clone(), value)
                        });
                        Json::Object(object.collect())
                    };
                    Json::Array(value.as_array().unwrap().iter().map(item).collect())
                }
                _ => value.clone(),
            },
            Say::To(Some(slot)) => json!({ "connect": key(target, *slot) }),
            Say::To(None) => match step.slot % 2 {
                0 => Json::Null,
                _ if matches!(step.verb, Verb::Update) => json!({ "disconnect": true }),
                _ => Json::Null,
            },
            Say::Many { set, disconnect, connect } => {
                let mut object = Map::from_iter([("connect".to_owned(), keys(connect))]);
                if let Some(set) = set {
                    object.insert("set".to_owned(), keys(set));
                }
                if !disconnect.is_empty() {
                    object.insert("disconnect".to_owned(), keys(disconnect));
                }
                Json::Object(object)
            }
        };
        data.insert(field.name.clone(), value);
    }
    Json::Object(data)
}

/// What a step does to the model.
fn imagine(catalog: &Catalog, world: &mut World, step: &Step) -> Result<(), Code> {
    let step = &step.meant(catalog, world);
    let place = step.place(catalog, world);
    let collection = catalog.collection(place.0).unwrap();
    let says = says(catalog, world, collection, step);
    match step.verb {
        Verb::Delete => world.delete(catalog, place),
        Verb::Update => {
            world.there(place)?;
            world.write(catalog, place, &says, Fresh::No)
        }
        Verb::Create => {
            if world.rows.contains_key(&place) {
                return Err(Code::UniqueViolation);
            }
            let defaults = [("color", json!("RED")), ("tags", json!([])), ("stints", json!([]))];
            let row = defaults.into_iter().filter_map(|(name, value)| Some((collection.field_named(name)?.id, value)));
            world.rows.insert(place, row.collect());
            world.write(catalog, place, &says, Fresh::Yes)
        }
    }
}

/// What a step does to the database.
async fn act(writer: &mut Writer<'_>, world: &World, step: &Step) -> Result<(), Abort> {
    let catalog = writer.catalog;
    let step = &step.meant(catalog, world);
    let place = step.place(catalog, world);
    let collection = catalog.collection(place.0).unwrap();
    let says = says(catalog, world, collection, step);
    let mut data = data(catalog, world, place, step, &says);
    match step.verb {
        Verb::Delete => writer.delete(collection, id(place.1), &[]).await,
        Verb::Update => {
            let by = input(json!({ "id": global(place.0, place.1) }));
            let found = find(catalog, writer.database, writer.transaction, collection, &by, &[]).await?;
            assert_eq!(found.is_some(), world.rows.contains_key(&place), "find agrees with the model");
            writer.update(collection, id(place.1), &input(data), &[]).await
        }
        Verb::Create => {
            data["id"] = global(place.0, place.1);
            writer.create_one(collection, &input(data), &[]).await.map(drop)
        }
    }
}

/// What the database holds, as a model.
async fn observe(stage: &Stage) -> World {
    let mut world = World::default();
    for collection in &stage.catalog.collections {
        for (key, cell) in stage.rows(Space::Document, key::documents(stage.database, collection.id)).await {
            let document = Document::open(&cell.value).unwrap();
            let json = |field: &Field| json_of(&stage.catalog, field, document.field(field.id));
            let row = collection.fields.iter().map(|field| (field.id, json(field)));
            let row: Row = row.filter(|(_, value)| !value.is_null()).collect();
            world.rows.insert((collection.id, slot(key::document_id(&key).unwrap())), row);
        }
        for field in &collection.fields {
            if let FieldKind::ManyToMany { links, inverse_links, .. } = field.kind
                && links < inverse_links
            {
                let rows = stage.rows(Space::Index, KeyRange::prefix(&key::index(stage.database, links))).await;
                let pair = |key: &[u8]| (key[key.len() - 17], key[key.len() - 1]);
                world.links.insert(links.0, rows.iter().map(|(key, _)| pair(key)).collect());
            }
        }
    }
    world
}

fn json_of(catalog: &Catalog, field: &Field, value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Int(number) => match field.kind {
            FieldKind::Enum(id) => json!(catalog.enum_type(id).unwrap().value(number).unwrap().name),
            _ => json!(number),
        },
        ValueRef::String(text) => json!(text),
        ValueRef::Uuid(id) => json!(slot(id)),
        ValueRef::List(items) => Json::Array(items.iter().map(|item| json_of(catalog, field, item)).collect()),
        ValueRef::Record(record) => {
            let FieldKind::Embedded(id) = field.kind else { panic!("no embedded field") };
            let fields = &catalog.embedded(id).unwrap().fields;
            let json = |field: &Field| (field.id.0.to_string(), json_of(catalog, field, record.field(field.id)));
            Json::Object(fields.iter().map(json).filter(|(_, value)| !value.is_null()).collect())
        }
        other => panic!("{other:?}"),
    }
}

async fn compare(stage: &Stage, transactions: &[Vec<Step>]) {
    let mut world = World::default();
    for (at, steps) in transactions.iter().enumerate() {
        let mut next = world.clone();
        let imagined: Result<(), Code> = steps.iter().try_for_each(|step| imagine(&stage.catalog, &mut next, step));
        let mut seen = world.clone();
        let done = stage
            .write(async |writer: &mut Writer<'_>| {
                for step in steps {
                    act(writer, &seen, step).await?;
                    // Keys are taken from what the step before left.
                    let _ = imagine(writer.catalog, &mut seen, step);
                }
                Ok(())
            })
            .await;
        assert_eq!(
            imagined.is_ok(),
            done.is_ok(),
            "transaction {at}: the model says {imagined:?}, the database {done:?}\n{steps:#?}\n{world:#?}"
        );
        if done.is_ok() {
            world = next;
        }
        let mut found = observe(stage).await;
        found.links.retain(|_, pairs| !pairs.is_empty());
        world.links.retain(|_, pairs| !pairs.is_empty());
        assert_eq!(found, world, "after transaction {at}: {steps:#?}");
        assert_eq!(stage.problems().await, Vec::<String>::new(), "after transaction {at}: {steps:#?}");
    }
}

#[test]
fn the_database_does_what_the_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = RefCell::new(runtime.block_on(Stage::open(SCHEMA)));
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let transactions = prop::collection::vec(prop::collection::vec(step(), 1..4), 1..40);
    let database = std::cell::Cell::new(1);
    runner
        .run(&transactions, |transactions| {
            database.set(database.get() + 1);
            let mut stage = stage.borrow_mut();
            runtime.block_on(async {
                stage.enter(DatabaseId(database.get())).await;
                compare(&stage, &transactions).await;
            });
            Ok(())
        })
        .unwrap();
}

/// Keeps the shared stage honest about its own helper.
#[test]
fn a_stage_opens_clean() {
    run(async { assert_eq!(Stage::open(SCHEMA).await.problems().await, Vec::<String>::new()) });
}
