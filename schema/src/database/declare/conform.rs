//! Does a document fit a catalog? Fills what a default can fill; says in a sentence what nothing can.

use crate::catalog::{Catalog, Collection, Default, EnumType, Field, FieldKind, Scalar, TypeId};
use crate::filter::CompiledCheck;
use crate::{GlobalId, Input, compute, scalar};
use std::collections::BTreeMap;
use vivarium_storage::{Cell, CollectionId, Document, DocumentBuilder, DocumentId, FieldId, Value, ValueRef, runtime};

/// Looks at documents of one catalog.
pub(super) struct Conform<'a> {
    catalog: &'a Catalog,
    /// For `@default(now: true)`.
    now_micros: i64,
    collections: BTreeMap<CollectionId, Vec<CompiledCheck>>,
    embedded: BTreeMap<TypeId, Vec<CompiledCheck>>,
}

/// When a document was last written: what a new `@updatedAt` starts with.
type WrittenMicros = i64;

impl<'a> Conform<'a> {
    pub(super) fn new(catalog: &'a Catalog, now_micros: i64) -> Conform<'a> {
        let compiled = "checks were compiled when the schema was declared";
        let collections = catalog.collections.iter().map(|collection| {
            let checks = collection
                .checks
                .iter()
                .map(|check| CompiledCheck::compile(catalog, collection, check).expect(compiled));
            (collection.id, checks.collect())
        });
        let embedded = catalog.embedded.iter().map(|embedded| {
            let checks = embedded.checks.iter();
            (
                embedded.id,
                checks
                    .map(|check| CompiledCheck::compile_embedded(catalog, embedded, check).expect(compiled))
                    .collect(),
            )
        });
        Conform { catalog, now_micros, collections: collections.collect(), embedded: embedded.collect() }
    }

    /// The document as it must be stored to fit, if it has to change.
    ///
    /// # Errors
    /// A sentence that names the record and what is wrong with it.
    pub(super) fn document(
        &self,
        collection: &Collection,
        id: DocumentId,
        cell: &Cell,
    ) -> Result<Option<Vec<u8>>, String> {
        let document = Document::trusted(&cell.value);
        let named = |problem: String| format!("{} {}", record_name(collection, id), problem);
        let written = runtime::micros(cell.version);
        let mut changes = Vec::new();
        for field in &collection.fields {
            if let Some(value) = self.field(field, document.field(field.id), written).map_err(named)? {
                changes.push((field.id, value));
            }
        }
        let mut replaced = self.changed(document, cell, changes).map_err(named)?;
        let filled = replaced.as_deref().map_or(document, Document::trusted);
        let computed = compute::stored(collection, filled).map_err(|(field, fragment)| {
            named(format!("has no {}, which cannot be computed: {fragment}.", field.name))
        })?;
        // A planted bug: another expression holds for what is written from then on.
        let computed = if runtime::mutant("comp-03") { Vec::new() } else { computed };
        if !computed.is_empty() {
            runtime::sometimes("a record that is there is computed anew");
        }
        if let Some(bytes) = self.changed(filled, cell, computed).map_err(named)? {
            replaced = Some(bytes);
        }
        let document = replaced.as_deref().map_or(document, Document::trusted);
        let seen = compute::read(collection, document);
        self.checks(collection, seen.as_deref().map_or(document, Document::trusted)).map_err(named)?;
        Ok(replaced)
    }

    /// The document with other values, if there are any.
    fn changed(
        &self,
        document: Document<'_>,
        cell: &Cell,
        changes: Vec<(FieldId, Value)>,
    ) -> Result<Option<Vec<u8>>, String> {
        if changes.is_empty() {
            return Ok(None);
        }
        let mut builder = DocumentBuilder::from_document(document);
        for (field, value) in changes {
            builder.set(field, value);
        }
        let created = document.created().unwrap_or(cell.version);
        builder.finish(self.catalog.version, Some(created)).map(Some).map_err(|error| error.to_string())
    }

    /// What a field must hold instead of what it holds, if that does not fit.
    fn field(&self, field: &Field, value: ValueRef<'_>, written: WrittenMicros) -> Result<Option<Value>, String> {
        if !field.is_stored() || field.computed.is_some() {
            return Ok(None);
        }
        if value.is_null() {
            return if field.required { self.filled(field, written).map(Some) } else { Ok(None) };
        }
        let Some(list) = field.list else { return self.element(field, value, written) };
        let ValueRef::List(items) = value else {
            return Err(format!("holds something else than a list in {}.", field.name));
        };
        let mut changed = false;
        let mut elements = Vec::with_capacity(items.len());
        for item in items.iter() {
            if item.is_null() && list.element_required {
                return Err(format!("has an element that is null in {}, whose elements are required now.", field.name));
            }
            let replaced = if item.is_null() { None } else { self.element(field, item, written)? };
            changed |= replaced.is_some();
            elements.push(replaced.unwrap_or_else(|| item.to_value()));
        }
        Ok(changed.then_some(Value::List(elements)))
    }

    fn element(&self, field: &Field, value: ValueRef<'_>, written: WrittenMicros) -> Result<Option<Value>, String> {
        match (field.kind, value) {
            (FieldKind::Enum(id), ValueRef::Int(number)) => {
                let known = self.catalog.enum_type(id).and_then(|each| each.value(number));
                if known.is_none() {
                    return Err(format!("holds a value in {} that the enum no longer has.", field.name));
                }
                Ok(None)
            }
            (FieldKind::Scalar(Scalar::Decimal), ValueRef::Decimal(decimal)) => {
                let fits = scalar::coerce(Scalar::Decimal, field.precision, &Input::String(decimal.to_string()));
                fits.map(|_| None).map_err(|sentence| format!("does not fit in {}: {sentence}", field.name))
            }
            (FieldKind::Embedded(id), ValueRef::Record(record)) => {
                let Some(embedded) = self.catalog.embedded(id) else { return Ok(None) };
                let mut changes: BTreeMap<FieldId, Value> = BTreeMap::new();
                for inner in &embedded.fields {
                    let replaced = self.field(inner, record.field(inner.id), written);
                    let replaced = replaced.map_err(|problem| format!("{problem} This is inside {}.", field.name))?;
                    changes.extend(replaced.map(|value| (inner.id, value)));
                }
                if changes.is_empty() {
                    return Ok(None);
                }
                let mut fields: BTreeMap<FieldId, Value> =
                    record.iter().map(|(id, value)| (id, value.to_value())).collect();
                fields.extend(changes);
                Ok(Some(Value::Record(fields.into_iter().collect())))
            }
            _ => Ok(None),
        }
    }

    /// What fills a required field that holds nothing.
    fn filled(&self, field: &Field, written: WrittenMicros) -> Result<Value, String> {
        match &field.default {
            _ if field.updated_at => Ok(Value::DateTime(written)),
            Some(Default::Value(input)) => {
                self.input(field, input).ok_or_else(|| format!("has no {}, and its default does not fit.", field.name))
            }
            Some(Default::Now) if field.kind == FieldKind::Scalar(Scalar::Date) => {
                let days = self.now_micros.div_euclid(MICROS_A_DAY);
                Ok(Value::Date(i32::try_from(days).unwrap_or(i32::MAX)))
            }
            Some(Default::Now) => Ok(Value::DateTime(self.now_micros)),
            None => {
                Err(format!("has no {}, which is required now: give it one first, or declare a @default.", field.name))
            }
        }
    }

    /// A default as it is stored. It was checked when the schema was declared.
    fn input(&self, field: &Field, input: &Input) -> Option<Value> {
        match (input, field.list) {
            (Input::List(elements), Some(_)) => {
                elements.iter().map(|element| self.single(field, element)).collect::<Option<_>>().map(Value::List)
            }
            _ => self.single(field, input),
        }
    }

    fn single(&self, field: &Field, input: &Input) -> Option<Value> {
        match (field.kind, input) {
            (_, Input::Null) => Some(Value::Null),
            (FieldKind::Scalar(scalar), _) => scalar::coerce(scalar, field.precision, input).ok(),
            (FieldKind::Enum(id), Input::Enum(name)) => {
                let value = self.catalog.enum_type(id).and_then(|each: &EnumType| each.value_named(name))?;
                Some(Value::Int(value.number))
            }
            (FieldKind::Embedded(id), Input::Object(_)) => {
                let mut fields = Vec::new();
                for inner in &self.catalog.embedded(id)?.fields {
                    let value = match (input.field(&inner.name), &inner.default) {
                        (Some(given), _) => self.input(inner, given)?,
                        (None, Some(_)) => self.filled(inner, self.now_micros).ok()?,
                        (None, None) => Value::Null,
                    };
                    if !value.is_null() {
                        fields.push((inner.id, value));
                    }
                }
                fields.sort_by_key(|(id, _)| *id);
                Some(Value::Record(fields))
            }
            _ => None,
        }
    }

    fn checks(&self, collection: &Collection, document: Document<'_>) -> Result<(), String> {
        let compiled = collection.checks.iter().zip(&self.collections[&collection.id]);
        for (check, compiled) in compiled {
            if !compiled.holds(document) {
                return Err(broken(
                    &collection.name,
                    check.message.as_deref(),
                    check.field.and_then(|id| collection.field(id)),
                ));
            }
        }
        collection.fields.iter().try_for_each(|field| match field.kind {
            FieldKind::Embedded(id) => self.embedded_checks(id, document.field(field.id)),
            _ => Ok(()),
        })
    }

    fn embedded_checks(&self, id: TypeId, value: ValueRef<'_>) -> Result<(), String> {
        let record = match value {
            ValueRef::Record(record) => record,
            ValueRef::List(items) => return items.iter().try_for_each(|item| self.embedded_checks(id, item)),
            _ => return Ok(()),
        };
        let Some(embedded) = self.catalog.embedded(id) else { return Ok(()) };
        for (check, compiled) in embedded.checks.iter().zip(&self.embedded[&id]) {
            if !compiled.holds_in(record) {
                return Err(broken(
                    &embedded.name,
                    check.message.as_deref(),
                    check.field.and_then(|id| embedded.field(id)),
                ));
            }
        }
        embedded.fields.iter().try_for_each(|field| match field.kind {
            FieldKind::Embedded(inner) => self.embedded_checks(inner, record.field(field.id)),
            _ => Ok(()),
        })
    }
}

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// `Customer AAAAA...`: a record as a sentence names it.
pub(super) fn record_name(collection: &Collection, id: DocumentId) -> String {
    format!("{} {}", collection.name, GlobalId { collection: collection.id, document: id })
}

fn broken(owner: &str, message: Option<&str>, field: Option<&Field>) -> String {
    let of = field.map_or_else(|| owner.to_owned(), |field| format!("{owner}.{}", field.name));
    match message {
        Some(message) => format!("breaks a @check of {of}: {message}"),
        None => format!("breaks a @check of {of}."),
    }
}
