//! Which record a Key input names: by its id, or by the entry of a unique index.

use super::place::Place;
use super::violation;
use crate::catalog::{Catalog, Collection, Field, FieldKind, Index};
use crate::{Abort, Code, Failure, GlobalId, Input, PathItem, scalar};
use std::collections::BTreeMap;
use vivarium_consensus::Transaction;
use vivarium_storage::key::{self, encode_value};
use vivarium_storage::{DatabaseId, DocumentId, Key, Space, Value};

/// How to look a record up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Locator {
    /// Its document is there, or it is not.
    Id(DocumentId),
    /// The entry of a unique index, whose value is the id.
    Unique(Key),
    /// Longer than any key: no record has it.
    Nowhere,
}

impl Locator {
    /// The cell that answers.
    pub(super) fn cell(&self, database: DatabaseId, collection: &Collection) -> Option<(Space, Key)> {
        match self {
            Locator::Id(id) => Some((Space::Document, key::document(database, collection.id, *id))),
            Locator::Unique(key) => Some((Space::Index, key.clone())),
            Locator::Nowhere => None,
        }
    }
}

/// Reads an input of the collection's Key type: an object with exactly one field.
pub(super) fn locate(
    catalog: &Catalog,
    database: DatabaseId,
    collection: &Collection,
    input: &Input,
    place: &Place<'_>,
) -> Result<Locator, Failure> {
    let Input::Object(fields) = input else {
        let message = format!("{} is an object with one key, not {}.", collection.key_type(), scalar::found(input));
        return Err(place.fail(Code::BadUserInput, message));
    };
    let [(name, value)] = fields.as_slice() else {
        let message = format!(
            "{} takes exactly one of {}, not {}.",
            collection.key_type(),
            key_names(catalog, collection),
            fields.len()
        );
        return Err(place.fail(Code::BadUserInput, message));
    };
    let place = place.name(name);
    if name == "id" {
        return global_id(collection, value, &place).map(Locator::Id);
    }
    let Some(index) = collection.key_named(catalog, name) else {
        let message =
            format!("{} has no {name}: use one of {}.", collection.key_type(), key_names(catalog, collection));
        return Err(place.fail(Code::BadUserInput, message));
    };
    unique(catalog, database, collection, index, value, &place)
}

fn key_names(catalog: &Catalog, collection: &Collection) -> String {
    let keys = collection.keys().map(|index| collection.key_field(catalog, index));
    std::iter::once("id".to_owned()).chain(keys).collect::<Vec<_>>().join(", ")
}

/// Reads the id of a record of this collection.
pub(super) fn global_id(collection: &Collection, input: &Input, place: &Place<'_>) -> Result<DocumentId, Failure> {
    let id = match input {
        Input::String(text) => GlobalId::parse(text),
        _ => None,
    };
    match id {
        Some(id) if id.collection == collection.id => Ok(id.document),
        Some(_) => {
            let message = format!("{} is the id of another type's record, not of {}.", scalar::found(input), {
                violation::a(&collection.name)
            });
            Err(place.fail(Code::BadUserInput, message))
        }
        None => {
            let message = format!("{} is no id: use one that the server gave.", scalar::found(input));
            Err(place.fail(Code::BadUserInput, message))
        }
    }
}

fn unique(
    catalog: &Catalog,
    database: DatabaseId,
    collection: &Collection,
    index: &Index,
    input: &Input,
    place: &Place<'_>,
) -> Result<Locator, Failure> {
    let mut bytes = key::index(database, index.id);
    let parts = collection.key_parts(catalog, index);
    if let [part] = parts.as_slice() {
        let element = &index.elements[0];
        let field = collection.field_at(catalog, &element.path).expect("an index's path leads to a field");
        let value = key_value(catalog, field, input, (&collection.name, part), place)?;
        encode_value(&value, element.direction, &mut bytes);
    } else {
        let Input::Object(given) = input else {
            let message = format!("This key is an object with {}, not {}.", parts.join(", "), scalar::found(input));
            return Err(place.fail(Code::BadUserInput, message));
        };
        if let Some((name, _)) = given.iter().find(|(name, _)| !parts.contains(name)) {
            let message = format!("This key has no {name}: it is made of {}.", parts.join(", "));
            return Err(place.name(name).fail(Code::BadUserInput, message));
        }
        for (element, part) in index.elements.iter().zip(&parts) {
            let field = collection.field_at(catalog, &element.path).expect("an index's path leads to a field");
            let place = place.name(part);
            let value = input.field(part).unwrap_or(&Input::Null);
            let value = key_value(catalog, field, value, (&collection.name, part), &place)?;
            encode_value(&value, element.direction, &mut bytes);
        }
    }
    Ok(key::finish(bytes).map_or(Locator::Nowhere, Locator::Unique))
}

/// The stored value of one part of a key.
fn key_value(
    catalog: &Catalog,
    field: &Field,
    input: &Input,
    (owner, name): (&str, &str),
    place: &Place<'_>,
) -> Result<Value, Failure> {
    if *input == Input::Null {
        let message = format!("{owner}.{name} is needed here: null names no record.");
        return Err(place.fail(Code::BadUserInput, message));
    }
    match field.kind {
        FieldKind::Scalar(scalar) => scalar::coerce(scalar, field.precision, input)
            .map_err(|message| place.fail(Code::BadUserInput, format!("{owner}.{name}: {message}"))),
        FieldKind::Enum(id) => super::coerce::enum_value(catalog, id, input, place),
        FieldKind::ToOne { target, .. } => {
            let target = catalog.collection(target).expect("a relation leads to a collection");
            global_id(target, input, place).map(Value::Uuid)
        }
        _ => Err(place.fail(Code::BadUserInput, format!("{owner}.{name} is no key."))),
    }
}

/// The records that keys name, in one batch of reads.
pub(super) async fn find_all(
    database: DatabaseId,
    transaction: &mut Transaction,
    collection: &Collection,
    locators: &[Locator],
) -> Result<Vec<Option<DocumentId>>, Abort> {
    let mut found: BTreeMap<Locator, Option<DocumentId>> = BTreeMap::new();
    for space in [Space::Document, Space::Index] {
        let wanted = |locator: &Locator| locator.cell(database, collection).filter(|(at, _)| *at == space);
        let mut asked: Vec<(Key, &Locator)> =
            locators.iter().filter_map(|locator| wanted(locator).map(|(_, key)| (key, locator))).collect();
        asked.sort_unstable();
        asked.dedup();
        if asked.is_empty() {
            continue;
        }
        let keys: Vec<Key> = asked.iter().map(|(key, _)| key.clone()).collect();
        let cells = transaction.get_many(space, &keys).await?;
        for ((_, locator), cell) in asked.into_iter().zip(cells) {
            let id = match (locator, cell) {
                (_, None) | (Locator::Nowhere, _) => None,
                (Locator::Id(id), Some(_)) => Some(*id),
                (Locator::Unique(_), Some(cell)) => Some(key::document_id(&cell.value)?),
            };
            found.insert(locator.clone(), id);
        }
    }
    Ok(locators.iter().map(|locator| found.get(locator).copied().flatten()).collect())
}

/// Reads several keys, the one at `i` standing at `path` + `i`.
pub(super) fn locate_all(
    catalog: &Catalog,
    database: DatabaseId,
    collection: &Collection,
    keys: &[Input],
    path: &[PathItem],
) -> Result<Vec<Locator>, Failure> {
    let root = Place::Root(path);
    keys.iter().enumerate().map(|(at, key)| locate(catalog, database, collection, key, &root.at(at))).collect()
}
