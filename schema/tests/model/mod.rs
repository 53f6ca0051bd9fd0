//! A database as people think of it: records with fields, and links. No indexes, no batches, no bytes.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod observe;
pub mod step;

use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use vivarium_schema::catalog::{Field, FieldKind, OnDelete};
use vivarium_schema::{Catalog, Code, GlobalId};
use vivarium_storage::{CollectionId, DocumentId, FieldId};

pub const SCHEMA: &str = r#"
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
pub const SLOTS: u8 = 5;

/// A record: its collection and its slot.
pub type Place = (CollectionId, u8);

/// What an input says of a field.
#[derive(Clone, Debug)]
pub enum Say {
    Value(Json),
    To(Option<u8>),
    Many { set: Option<Vec<u8>>, disconnect: Vec<u8>, connect: Vec<u8> },
}

/// Stored fields of a record by number, references as slots; nulls left out.
pub type Row = BTreeMap<FieldId, Json>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub rows: BTreeMap<Place, Row>,
    /// By field: from its own side to the other. The field of two that has the lower links index stands for both.
    pub links: BTreeMap<u32, BTreeSet<(u8, u8)>>,
}

/// Whether a record is being created.
#[derive(Clone, Copy, PartialEq)]
pub enum Fresh {
    Yes,
    No,
}

/// A reference of the schema: collection, path, target, what becomes of the holder.
pub struct Reference {
    collection: CollectionId,
    path: Vec<FieldId>,
    target: CollectionId,
    on_delete: OnDelete,
}

pub fn references(catalog: &Catalog) -> Vec<Reference> {
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
pub fn visit(row: &mut Row, path: &[FieldId], act: &mut impl FnMut(&mut Json)) {
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
    pub fn get(&self, place: Place, field: FieldId) -> Json {
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

    pub fn there(&self, place: Place) -> Result<(), Code> {
        if self.rows.contains_key(&place) { Ok(()) } else { Err(Code::NotFound) }
    }

    /// What holds of every record, whatever was done.
    pub fn valid(&self, catalog: &Catalog) -> Result<(), Code> {
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

    pub fn write(
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

    pub fn delete(&mut self, catalog: &Catalog, place: Place) -> Result<(), Code> {
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
pub fn tidy(row: &mut Row) {
    row.retain(|_, value| !value.is_null());
    for value in row.values_mut() {
        for item in value.as_array_mut().into_iter().flatten() {
            if let Some(object) = item.as_object_mut() {
                object.retain(|_, value| !value.is_null());
            }
        }
    }
}

pub fn id(slot: u8) -> DocumentId {
    let mut bytes = [7; 16];
    bytes[15] = slot;
    DocumentId(bytes)
}

pub fn slot(id: DocumentId) -> u8 {
    id.0[15]
}

pub fn global(collection: CollectionId, slot: u8) -> Json {
    json!(GlobalId { collection, document: id(slot) }.to_string())
}
