//! Which record a Key input names: by its id, or by the entry of a unique index.
//!
//! Queries, mutations and relations of inputs all read keys here, so that one key means one record everywhere.

use crate::catalog::{Catalog, Collection, Field, FieldKind, Index};
use crate::place::Place;
use crate::{Code, Failure, GlobalId, Input, scalar};
use vivarium_storage::key::{self, encode_value};
use vivarium_storage::{Cell, DatabaseId, DocumentId, IndexId, Key, Space, Value};

/// What names one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordKey {
    /// Its document is there, or it is not.
    Id(DocumentId),
    /// The key of a unique entry, whose value is the id.
    Unique(Key),
    /// Nothing has this key: it is no id of the collection, or longer than any key.
    Nobody,
}

impl RecordKey {
    /// The cell that answers.
    pub(crate) fn cell(&self, database: DatabaseId, collection: &Collection) -> Option<(Space, Key)> {
        match self {
            RecordKey::Id(id) => Some((Space::Document, key::document(database, collection.id, *id))),
            RecordKey::Unique(key) => Some((Space::Index, key.clone())),
            RecordKey::Nobody => None,
        }
    }

    /// The unique index that it is looked up in.
    pub(crate) fn index(&self) -> Option<IndexId> {
        match self {
            RecordKey::Unique(key) => key::index_id(key).ok(),
            RecordKey::Id(_) | RecordKey::Nobody => None,
        }
    }

    /// The record, from the cell that answers.
    pub(crate) fn found(&self, cell: Option<&Cell>) -> vivarium_storage::Result<Option<DocumentId>> {
        match (self, cell) {
            (RecordKey::Id(id), Some(_)) => Ok(Some(*id)),
            (RecordKey::Unique(_), Some(cell)) => key::document_id(&cell.value).map(Some),
            (RecordKey::Nobody, _) | (_, None) => Ok(None),
        }
    }

    /// Reads an input of the collection's Key type: an object with exactly one field.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath`.
    pub(crate) fn read(
        catalog: &Catalog,
        database: DatabaseId,
        collection: &Collection,
        input: &Input,
        place: &Place<'_>,
    ) -> Result<RecordKey, Failure> {
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
            // Ids come from anywhere, caches among them: one that is foreign names nothing.
            return Ok(parse(collection, value).map_or(RecordKey::Nobody, RecordKey::Id));
        }
        let Some(index) = collection.key_named(catalog, name) else {
            let message =
                format!("{} has no {name}: use one of {}.", collection.key_type(), key_names(catalog, collection));
            return Err(place.fail(Code::BadUserInput, message));
        };
        RecordKey::of(catalog, database, (collection, index), (name, value), &place)
    }

    /// Reads the value of the unique key `name`, which is that of `index`.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` with `inputPath`.
    pub(crate) fn of(
        catalog: &Catalog,
        database: DatabaseId,
        (collection, index): (&Collection, &Index),
        (name, input): (&str, &Input),
        place: &Place<'_>,
    ) -> Result<RecordKey, Failure> {
        let mut bytes = key::index(database, index.id);
        if let [element] = index.elements.as_slice() {
            let field = collection.field_at(catalog, &element.path).expect("an index's path leads to a field");
            let value = key_value(catalog, field, input, (&collection.name, name), place)?;
            encode_value(&value, element.direction, &mut bytes);
        } else {
            compound(catalog, (collection, index), input, place, &mut bytes)?;
        }
        Ok(key::finish(bytes).map_or(RecordKey::Nobody, RecordKey::Unique))
    }
}

fn key_names(catalog: &Catalog, collection: &Collection) -> String {
    let keys = collection.keys().map(|index| collection.key_field(catalog, index));
    std::iter::once("id".to_owned()).chain(keys).collect::<Vec<_>>().join(", ")
}

/// Reads the id of a record of this collection, where no other will do.
///
/// # Errors
/// `BAD_USER_INPUT` with `inputPath`.
pub(crate) fn global_id(collection: &Collection, input: &Input, place: &Place<'_>) -> Result<DocumentId, Failure> {
    parse(collection, input).ok_or_else(|| {
        let message =
            format!("{} is no id of {}: use one that the server gave.", scalar::found(input), collection.name);
        place.fail(Code::BadUserInput, message)
    })
}

fn parse(collection: &Collection, input: &Input) -> Option<DocumentId> {
    let Input::String(text) = input else { return None };
    GlobalId::parse(text).filter(|id| id.collection == collection.id).map(|id| id.document)
}

fn compound(
    catalog: &Catalog,
    (collection, index): (&Collection, &Index),
    input: &Input,
    place: &Place<'_>,
    bytes: &mut Vec<u8>,
) -> Result<(), Failure> {
    let parts = collection.key_parts(catalog, index);
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
        encode_value(&value, element.direction, bytes);
    }
    Ok(())
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
        FieldKind::Enum(id) => crate::write::enum_value(catalog, id, input, place),
        FieldKind::ToOne { target, .. } => {
            let target = catalog.collection(target).expect("a relation leads to a collection");
            global_id(target, input, place).map(Value::Uuid)
        }
        _ => Err(place.fail(Code::BadUserInput, format!("{owner}.{name} is no key."))),
    }
}
