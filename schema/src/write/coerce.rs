//! Create and Update inputs to field values: types, defaults, required fields, lists, embedded values.
//!
//! Nothing is read here: what depends on other records is handed on as a [`Draft`]'s references.

use super::relation::{self, Action, One, Related};
use super::violation;
use crate::catalog::{Catalog, Collection, Default, Embedded, Field, FieldKind, Scalar, TypeId};
use crate::place::Place;
use crate::record_key::{self, RecordKey};
use crate::{Code, Failure, Input, PathItem, scalar};
use vivarium_storage::{CollectionId, DatabaseId, DocumentId, FieldId, Value};

/// Relations inside relations that one input may write through: each level is a step on the stack, and nobody's screen shows more.
pub const NESTED_DEPTH_MAX: usize = 16;

/// What an input says of one record, before anything else is read.
#[derive(Clone, Debug, std::default::Default)]
pub(super) struct Draft {
    /// The id that the client chose, and where.
    pub(super) id: Option<(DocumentId, Vec<PathItem>)>,
    /// Values as they are stored. Null clears.
    pub(super) values: Vec<(FieldId, Value)>,
    /// References of this record to records that a key names.
    pub(super) connects: Vec<(FieldId, Target)>,
    /// References inside embedded values, which must lead somewhere.
    pub(super) references: Vec<Reference>,
    /// `@autoIncrement` fields that were left out.
    pub(super) numbered: Vec<FieldId>,
    /// References of this record to records that are created before it.
    pub(super) makes: Vec<(FieldId, Box<relation::Nested>)>,
    /// Changes of relations that other records or links hold, and of records that own references lead to.
    pub(super) changes: Vec<relation::Change>,
}

/// A record that a key names.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) collection: CollectionId,
    pub(super) record: RecordKey,
    /// The key as it was given, for the failure.
    pub(super) key: serde_json::Value,
    pub(super) path: Vec<PathItem>,
}

/// A reference by id inside an embedded value.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) embedded: TypeId,
    pub(super) field: FieldId,
    pub(super) target: CollectionId,
    pub(super) id: DocumentId,
    pub(super) path: Vec<PathItem>,
}

/// Reads inputs of one request.
#[derive(Clone, Copy)]
pub(super) struct Coercer<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) database: DatabaseId,
    pub(super) now_micros: i64,
    /// Relations that were followed to where it reads.
    pub(super) depth: usize,
}

impl<'a> Coercer<'a> {
    /// The same, one relation further.
    pub(super) fn below(self, place: &Place<'_>) -> Result<Coercer<'a>, Failure> {
        if self.depth == NESTED_DEPTH_MAX {
            let message =
                format!("Records are written through at most {NESTED_DEPTH_MAX} relations: write the rest in steps.");
            return Err(place.fail(Code::BadUserInput, message).with("limit", NESTED_DEPTH_MAX));
        }
        Ok(Coercer { depth: self.depth + 1, ..self })
    }

    /// Reads an input of the collection's Create type, or of the one without a relation that is set from its other side.
    pub(super) fn create(
        &self,
        collection: &Collection,
        input: &Input,
        place: &Place<'_>,
        without: Option<FieldId>,
    ) -> Result<Draft, Failure> {
        let without = without.and_then(|field| collection.field(field));
        let type_name = without.map_or_else(|| collection.create_type(), |field| collection.create_without_type(field));
        let given = fields_of(&type_name, input, place)?;
        let known = |name: &str| {
            name == "id"
                || collection
                    .field_named(name)
                    .is_some_and(|field| without.is_none_or(|without| without.id != field.id))
        };
        refuse_unknown(&type_name, given, known, place)?;
        let mut draft = Draft::default();
        if let Some(id) = input.field("id").filter(|id| **id != Input::Null) {
            let place = place.name("id");
            draft.id = Some((record_key::global_id(collection, id, &place)?, place.path()));
        }
        let from_here = |field: &&Field| without.is_none_or(|without| without.id != field.id);
        for field in collection.fields.iter().filter(from_here) {
            let place = place.name(&field.name);
            match input.field(&field.name) {
                Some(value) => self.given((collection, field), true, value, &place, &mut draft)?,
                None => self.absent(&collection.name, field, &place, &mut draft)?,
            }
        }
        Ok(draft)
    }

    /// Reads an input of the collection's Update type: what is absent is left alone.
    pub(super) fn update(&self, collection: &Collection, input: &Input, place: &Place<'_>) -> Result<Draft, Failure> {
        let given = fields_of(&collection.update_type(), input, place)?;
        refuse_unknown(&collection.update_type(), given, |name| collection.field_named(name).is_some(), place)?;
        let mut draft = Draft::default();
        for field in &collection.fields {
            let place = place.name(&field.name);
            if let Some(value) = input.field(&field.name) {
                self.given((collection, field), false, value, &place, &mut draft)?;
            }
        }
        Ok(draft)
    }

    /// A field of a collection that the input names.
    fn given(
        &self,
        (collection, field): (&Collection, &Field),
        is_new: bool,
        input: &Input,
        place: &Place<'_>,
        draft: &mut Draft,
    ) -> Result<(), Failure> {
        if !field.is_written() {
            let message = format!("{}.{} is set by the server: leave it out.", collection.name, field.name);
            return Err(place.fail(Code::BadUserInput, message));
        }
        match field.kind {
            FieldKind::ToOne { .. } => {
                let change = |one| relation::Change { field: field.id, path: place.path(), action: Action::One(one) };
                match relation::one(*self, Related::of(*self, field, is_new), input, place)? {
                    One::To(target) => draft.connects.push((field.id, *target)),
                    One::Nothing => draft.values.push((field.id, null(&collection.name, field, place)?)),
                    One::Create(nested) => draft.makes.push((field.id, nested)),
                    One::Delete => {
                        draft.values.push((field.id, Value::Null));
                        draft.changes.push(change(One::Delete));
                    }
                    update @ One::Update(_) => draft.changes.push(change(update)),
                }
            }
            FieldKind::OneToOne { .. } | FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. } => {
                draft.changes.push(relation::change(*self, field, is_new, input, place)?);
            }
            FieldKind::Scalar(_) | FieldKind::Enum(_) | FieldKind::Embedded(_) => {
                let value = self.value(&collection.name, field, input, place, &mut draft.references)?;
                draft.values.push((field.id, value));
            }
        }
        Ok(())
    }

    /// A field that a Create input leaves out.
    fn absent(&self, owner: &str, field: &Field, place: &Place<'_>, draft: &mut Draft) -> Result<(), Failure> {
        if field.computed.is_some() {
            return Ok(());
        }
        if field.auto_increment.is_some() && !field.updated_at && field.default.is_none() {
            draft.numbered.push(field.id);
            return Ok(());
        }
        match self.unsaid(owner, field, place, &mut draft.references)? {
            Value::Null => {}
            value => draft.values.push((field.id, value)),
        }
        Ok(())
    }

    /// What a stored field becomes that nothing is said of; null when nothing is to be.
    fn unsaid(
        &self,
        owner: &str,
        field: &Field,
        place: &Place<'_>,
        references: &mut Vec<Reference>,
    ) -> Result<Value, Failure> {
        match &field.default {
            _ if field.updated_at => Ok(now(field, self.now_micros)),
            Some(Default::Now) => Ok(now(field, self.now_micros)),
            Some(Default::Value(default)) => self.value(owner, field, default, place, references),
            None if field.required && field.is_stored() => {
                Err(place.fail(Code::BadUserInput, format!("{owner}.{} is required: say what it is.", field.name)))
            }
            None => Ok(Value::Null),
        }
    }

    /// A scalar, enum or embedded field, or a list of them.
    pub(super) fn value(
        &self,
        owner: &str,
        field: &Field,
        input: &Input,
        place: &Place<'_>,
        references: &mut Vec<Reference>,
    ) -> Result<Value, Failure> {
        let Some(list) = field.list else {
            return match input {
                Input::Null => null(owner, field, place),
                input => self.one(owner, field, input, place, references),
            };
        };
        match input {
            Input::Null => null(owner, field, place),
            Input::List(items) => {
                let item = |(at, item): (usize, &Input)| match item {
                    Input::Null if list.element_required => {
                        let message = format!("{owner}.{} takes no null among its elements.", field.name);
                        Err(place.at(at).fail(Code::BadUserInput, message))
                    }
                    Input::Null => Ok(Value::Null),
                    item => self.one(owner, field, item, &place.at(at), references),
                };
                items.iter().enumerate().map(item).collect::<Result<_, _>>().map(Value::List)
            }
            // GraphQL takes one element for a list of it.
            item => Ok(Value::List(vec![self.one(owner, field, item, place, references)?])),
        }
    }

    /// One value of a field, not null.
    fn one(
        &self,
        owner: &str,
        field: &Field,
        input: &Input,
        place: &Place<'_>,
        references: &mut Vec<Reference>,
    ) -> Result<Value, Failure> {
        match field.kind {
            FieldKind::Scalar(scalar) => scalar::coerce(scalar, field.precision, input)
                .map_err(|message| place.fail(Code::BadUserInput, format!("{owner}.{}: {message}", field.name))),
            FieldKind::Enum(id) => enum_value(self.catalog, id, input, place),
            FieldKind::Embedded(id) => {
                let embedded = self.catalog.embedded(id).expect("a field's type is in the catalog");
                self.record(embedded, input, place, references)
            }
            _ => unreachable!("relations of a record are read by `given`, those of embedded values by `record`"),
        }
    }

    /// An embedded value.
    pub(super) fn record(
        &self,
        embedded: &Embedded,
        input: &Input,
        place: &Place<'_>,
        references: &mut Vec<Reference>,
    ) -> Result<Value, Failure> {
        let given = fields_of(&embedded.input_type(), input, place)?;
        refuse_unknown(&embedded.input_type(), given, |name| embedded.field_named(name).is_some(), place)?;
        let mut record = Vec::with_capacity(embedded.fields.len());
        for field in &embedded.fields {
            let place = place.name(&field.name);
            let value = match input.field(&field.name) {
                None => self.unsaid(&embedded.name, field, &place, references)?,
                Some(input) => self.member(embedded, field, input, &place, references)?,
            };
            if !value.is_null() {
                record.push((field.id, value));
            }
        }
        record.sort_by_key(|(field, _)| *field);
        Ok(Value::Record(record))
    }

    /// A member of an embedded value.
    pub(super) fn member(
        &self,
        embedded: &Embedded,
        field: &Field,
        input: &Input,
        place: &Place<'_>,
        references: &mut Vec<Reference>,
    ) -> Result<Value, Failure> {
        match (input, field.kind) {
            (Input::Null, _) => null(&embedded.name, field, place),
            (input, FieldKind::ToOne { target, .. }) => {
                let collection = self.catalog.collection(target).expect("a relation leads to a collection");
                let id = record_key::global_id(collection, input, place)?;
                let path = place.path();
                references.push(Reference { embedded: embedded.id, field: field.id, target, id, path });
                Ok(Value::Uuid(id))
            }
            (input, _) => self.value(&embedded.name, field, input, place, references),
        }
    }

    /// The record that a Key input names.
    pub(super) fn target(&self, target: CollectionId, key: &Input, place: &Place<'_>) -> Result<Target, Failure> {
        let collection = self.catalog.collection(target).expect("a relation leads to a collection");
        let record = RecordKey::read(self.catalog, self.database, collection, key, place)?;
        Ok(Target { collection: target, record, key: violation::input_json(key), path: place.path() })
    }
}

/// The transaction's time, in the field's type.
pub(super) fn now(field: &Field, now_micros: i64) -> Value {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    match field.kind {
        FieldKind::Scalar(Scalar::Date) => {
            let days = now_micros.div_euclid(MICROS_PER_DAY);
            Value::Date(i32::try_from(days).expect("the days of 64 bits of microseconds fit"))
        }
        _ => Value::DateTime(now_micros),
    }
}

/// An enum's value as it is stored.
pub(crate) fn enum_value(catalog: &Catalog, id: TypeId, input: &Input, place: &Place<'_>) -> Result<Value, Failure> {
    let enum_type = catalog.enum_type(id).expect("a field's type is in the catalog");
    let named = match input {
        Input::Enum(name) | Input::String(name) => enum_type.value_named(name),
        _ => None,
    };
    named.map(|value| Value::Int(value.number)).ok_or_else(|| {
        let names: Vec<&str> = enum_type.values.iter().map(|value| value.name.as_str()).collect();
        let message = format!("{} is one of {}, not {}.", enum_type.name, names.join(", "), scalar::found(input));
        place.fail(Code::BadUserInput, message)
    })
}

fn null(owner: &str, field: &Field, place: &Place<'_>) -> Result<Value, Failure> {
    if field.required {
        return Err(place.fail(Code::BadUserInput, format!("{owner}.{} is required and cannot be null.", field.name)));
    }
    Ok(Value::Null)
}

pub(super) fn fields_of<'i>(
    type_name: &str,
    input: &'i Input,
    place: &Place<'_>,
) -> Result<&'i [(String, Input)], Failure> {
    match input {
        Input::Object(fields) => Ok(fields),
        other => {
            let message = format!("{type_name} is an object, not {}.", scalar::found(other));
            Err(place.fail(Code::BadUserInput, message))
        }
    }
}

pub(super) fn refuse_unknown(
    type_name: &str,
    given: &[(String, Input)],
    known: impl Fn(&str) -> bool,
    place: &Place<'_>,
) -> Result<(), Failure> {
    match given.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => Err(place.name(name).fail(Code::BadUserInput, format!("{type_name} has no field {name}."))),
        None => Ok(()),
    }
}
