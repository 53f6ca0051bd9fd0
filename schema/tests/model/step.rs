//! Random steps: what is done to which record, and with which input.

use super::*;
use crate::stage::input;
use proptest::prelude::*;
use serde_json::Map;
use vivarium_schema::Abort;
use vivarium_schema::catalog::Collection;
use vivarium_schema::write::{Edit, Writer, find};

#[derive(Clone, Copy, Debug)]
pub enum Verb {
    Create,
    Update,
    Delete,
}

#[derive(Clone, Debug)]
pub struct Step {
    verb: Verb,
    collection: usize,
    slot: u8,
    says: Vec<(usize, u8, Vec<u8>)>,
    by_name: bool,
    /// Names slots as they come; else records that are there, so that most steps succeed.
    wild: bool,
}

pub fn step() -> impl Strategy<Value = Step> {
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

/// A step, decided in one state of the world.
#[derive(Clone, Debug)]
pub struct Deed {
    verb: Verb,
    place: Place,
    says: BTreeMap<FieldId, Say>,
    data: Json,
}

impl Step {
    /// What it comes to in this world.
    pub fn decide(&self, catalog: &Catalog, world: &World) -> Deed {
        let step = self.meant(catalog, world);
        let place = step.place(catalog, world);
        let says = says(catalog, world, catalog.collection(place.0).unwrap(), &step);
        let data = data(catalog, world, place, &step, &says);
        Deed { verb: step.verb, place, says, data }
    }
}

impl Deed {
    /// What it does to the model.
    pub fn imagine(&self, catalog: &Catalog, world: &mut World) -> Result<(), Code> {
        let (place, says) = (self.place, &self.says);
        match self.verb {
            Verb::Delete => world.delete(catalog, place),
            Verb::Update => {
                world.there(place)?;
                world.write(catalog, place, says, Fresh::No)
            }
            Verb::Create => {
                if world.rows.contains_key(&place) {
                    return Err(Code::UniqueViolation);
                }
                let collection = catalog.collection(place.0).unwrap();
                let defaults = [("color", json!("RED")), ("tags", json!([])), ("stints", json!([]))];
                let row =
                    defaults.into_iter().filter_map(|(name, value)| Some((collection.field_named(name)?.id, value)));
                world.rows.insert(place, row.collect());
                world.write(catalog, place, says, Fresh::Yes)
            }
        }
    }

    /// What it does to the database.
    pub async fn act(&self, writer: &mut Writer<'_>) -> Result<(), Abort> {
        let (catalog, place) = (writer.catalog, self.place);
        let collection = catalog.collection(place.0).unwrap();
        let mut data = self.data.clone();
        match self.verb {
            Verb::Delete => writer.delete(collection, &[id(place.1)], &[]).await,
            Verb::Update => {
                let by = input(json!({ "id": global(place.0, place.1) }));
                let found = find(catalog, writer.database, writer.transaction, collection, &by, &[]).await?;
                let updated = writer.update(collection, &[id(place.1)], &Edit::of(input(data))).await;
                assert!(found.is_some() || updated.is_err(), "what is not found cannot be updated");
                updated
            }
            Verb::Create => {
                data["id"] = global(place.0, place.1);
                writer.create_one(collection, &input(data), &[]).await.map(drop)
            }
        }
    }
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
