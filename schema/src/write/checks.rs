//! `@check`: compiled once a call, held against every document that is written.

use super::violation;
use crate::catalog::{Catalog, Check, Collection, Field, FieldKind, TypeId};
use crate::filter::CompiledCheck;
use crate::place::Place;
use crate::{Abort, Code, Failure};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use vivarium_storage::{CollectionId, Document, ValueRef};

/// The checks of the types that a call has met.
#[derive(Default)]
pub(super) struct Checks {
    collections: BTreeMap<CollectionId, Vec<CompiledCheck>>,
    embedded: BTreeMap<TypeId, Vec<CompiledCheck>>,
}

impl Checks {
    /// Refuses a document that breaks a check of its collection or of a value in it.
    pub(super) fn hold(
        &mut self,
        catalog: &Catalog,
        collection: &Collection,
        document: Document<'_>,
        place: &Place<'_>,
    ) -> Result<(), Abort> {
        if !collection.checks.is_empty() {
            let compile = |check: &Check| CompiledCheck::compile(catalog, collection, check);
            if let Entry::Vacant(vacant) = self.collections.entry(collection.id) {
                vacant.insert(all(&collection.checks, compile)?);
            }
            let compiled = &self.collections[&collection.id];
            let broken = collection.checks.iter().zip(compiled).find(|(_, compiled)| !compiled.holds(document));
            if let Some((check, _)) = broken {
                let field = check.field.and_then(|field| collection.field(field));
                return Err(blamed(&collection.name, field, check, place).into());
            }
        }
        for field in &collection.fields {
            if let FieldKind::Embedded(id) = field.kind {
                self.hold_in(catalog, id, document.field(field.id), &place.name(&field.name))?;
            }
        }
        Ok(())
    }

    /// Refuses an embedded value, or a list of them, that breaks a check of its type.
    fn hold_in(&mut self, catalog: &Catalog, id: TypeId, value: ValueRef<'_>, place: &Place<'_>) -> Result<(), Abort> {
        let record = match value {
            ValueRef::Record(record) => record,
            ValueRef::List(items) => {
                return items
                    .iter()
                    .enumerate()
                    .try_for_each(|(at, item)| self.hold_in(catalog, id, item, &place.at(at)));
            }
            _ => return Ok(()),
        };
        let embedded = catalog.embedded(id).expect("a field's type is in the catalog");
        if !embedded.checks.is_empty() {
            if let Entry::Vacant(vacant) = self.embedded.entry(id) {
                let compile = |check: &Check| CompiledCheck::compile_embedded(catalog, embedded, check);
                vacant.insert(all(&embedded.checks, compile)?);
            }
            let compiled = &self.embedded[&id];
            let broken = embedded.checks.iter().zip(compiled).find(|(_, compiled)| !compiled.holds_in(record));
            if let Some((check, _)) = broken {
                let field = check.field.and_then(|field| embedded.field(field));
                return Err(blamed(&embedded.name, field, check, place).into());
            }
        }
        for field in &embedded.fields {
            if let FieldKind::Embedded(inner) = field.kind {
                self.hold_in(catalog, inner, record.field(field.id), &place.name(&field.name))?;
            }
        }
        Ok(())
    }
}

fn all(
    checks: &[Check],
    compile: impl Fn(&Check) -> Result<CompiledCheck, String>,
) -> Result<Vec<CompiledCheck>, Failure> {
    let broken = |reason| {
        let message = format!("A check of the catalog cannot be compiled: {reason}");
        Failure::new(Code::InternalServerError, message)
    };
    checks.iter().map(|check| compile(check).map_err(broken)).collect()
}

fn blamed(owner: &str, field: Option<&Field>, check: &Check, place: &Place<'_>) -> Failure {
    let failure = violation::check(owner, field, check);
    match field {
        Some(field) => place.name(&field.name).blame(failure),
        None => place.blame(failure),
    }
}
