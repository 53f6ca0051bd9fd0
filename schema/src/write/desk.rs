//! The working set of one call: cells read in batches and cells written, so that each record sees those before it.
//!
//! Invariant: a cell on the desk is what the transaction would answer; every write goes to both.

use super::checks::Checks;
use super::coerce::{Coercer, Target};
use super::{Sequences, Writer, entries, violation};
use crate::catalog::{Catalog, Collection, Field, FieldKind, Index};
use crate::filter::{Filter, Record};
use crate::place::Place;
use crate::record_key::RecordKey;
use crate::{Abort, Code, Failure, compute};
use std::collections::BTreeMap;
use vivarium_consensus::Transaction;
use vivarium_storage::engine::{Bytes, Scan};
use vivarium_storage::key;
use vivarium_storage::runtime::{Runtime, mutant};
use vivarium_storage::{
    Cell, CollectionId, DatabaseId, Document, DocumentBuilder, DocumentId, Error, FieldId, IndexId, Key, KeyRange,
    Space, Value, Version,
};

/// Records that one call may write through relations of its input: they are all in memory, and in one log entry.
pub const NESTED_MAX: usize = 10_000;

/// What a write works on.
pub(super) struct Desk<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) database: DatabaseId,
    pub(super) transaction: &'a mut Transaction,
    pub(super) runtime: &'a Runtime,
    pub(super) sequences: &'a Sequences,
    pub(super) now_micros: i64,
    /// Records that may still be written through relations.
    nested_left: usize,
    checks: Checks,
    documents: BTreeMap<Key, Option<Cell>>,
    entries: BTreeMap<Key, Option<Cell>>,
}

/// A record as it is going to be, checked but for the keys that others may have.
pub(super) struct Revision<'c> {
    pub(super) collection: &'c Collection,
    pub(super) id: DocumentId,
    document: Vec<u8>,
    /// Entries that it did not have before.
    added: Vec<(Key, Vec<u8>, &'c Index)>,
    /// Entries that it has no longer.
    removed: Vec<Key>,
}

impl Revision<'_> {
    /// Keys that no other record may have.
    pub(super) fn unique_keys(&self) -> impl Iterator<Item = &Key> {
        self.added.iter().filter(|(.., index)| index.unique).map(|(key, ..)| key)
    }
}

impl<'a> Desk<'a> {
    pub(super) fn of(writer: &'a mut Writer<'_>) -> Desk<'a> {
        Desk {
            catalog: writer.catalog,
            database: writer.database,
            transaction: writer.transaction,
            runtime: writer.runtime,
            sequences: writer.sequences,
            now_micros: writer.now_micros,
            nested_left: NESTED_MAX,
            checks: Checks::default(),
            documents: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }

    pub(super) fn coercer(&self) -> Coercer<'a> {
        Coercer { catalog: self.catalog, database: self.database, now_micros: self.now_micros, depth: 0 }
    }

    /// Counts records that are written through a relation.
    pub(super) fn spend(&mut self, count: usize, place: &Place<'_>) -> Result<(), Failure> {
        match self.nested_left.checked_sub(count) {
            Some(left) => {
                self.nested_left = left;
                Ok(())
            }
            None => Err(place.blame(violation::too_many_nested(NESTED_MAX))),
        }
    }

    /// Lays records on the desk that this transaction has read already, where they are what is stored: what is computed when a
    /// record is read is none of that.
    pub(super) fn lay(&mut self, collection: CollectionId, records: Vec<Record>) {
        if self.collection(collection).fields.iter().any(compute::is_virtual) {
            return;
        }
        let database = self.database;
        let cells =
            records.into_iter().map(|Record { id, cell }| (key::document(database, collection, id), Some(cell)));
        self.documents.extend(cells);
    }

    pub(super) fn collection(&self, id: CollectionId) -> &'a Collection {
        self.catalog.collection(id).expect("a relation leads to a collection")
    }

    /// Lays cells on the desk, those that are not there yet in one batch.
    pub(super) async fn load(&mut self, space: Space, keys: impl IntoIterator<Item = Key>) -> Result<(), Abort> {
        let cells = self.cells(space);
        let mut missing: Vec<Key> = keys.into_iter().filter(|key| !cells.contains_key(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        let found = self.transaction.get_many(space, &missing).await?;
        self.cells(space).extend(missing.into_iter().zip(found));
        Ok(())
    }

    fn cells(&mut self, space: Space) -> &mut BTreeMap<Key, Option<Cell>> {
        match space {
            Space::Document => &mut self.documents,
            Space::Index => &mut self.entries,
            Space::Meta | Space::KeyValue => unreachable!("records live in documents and entries"),
        }
    }

    /// Lays the cells on the desk that the targets are found by.
    pub(super) async fn load_targets<'t>(&mut self, targets: impl Iterator<Item = &'t Target>) -> Result<(), Abort> {
        let mut documents = Vec::new();
        let mut entries = Vec::new();
        for target in targets {
            match target.record.cell(self.database, self.collection(target.collection)) {
                Some((Space::Document, key)) => documents.push(key),
                Some((_, key)) => entries.push(key),
                None => {}
            }
        }
        self.load(Space::Document, documents).await?;
        self.load(Space::Index, entries).await
    }

    /// Lays documents on the desk.
    pub(super) async fn load_documents(
        &mut self,
        collection: CollectionId,
        ids: impl IntoIterator<Item = DocumentId>,
    ) -> Result<(), Abort> {
        let database = self.database;
        self.load(Space::Document, ids.into_iter().map(|id| key::document(database, collection, id))).await
    }

    /// The record that a loaded target names.
    pub(super) fn find(&self, target: &Target) -> Result<Option<DocumentId>, Abort> {
        let cell = match &target.record {
            RecordKey::Id(id) => self.document(target.collection, *id),
            RecordKey::Unique(key) => self.entry(key),
            RecordKey::Nobody => None,
        };
        Ok(target.record.found(cell)?)
    }

    /// As [`Desk::find`], or the failure that it is not there.
    pub(super) fn require(&self, target: &Target) -> Result<DocumentId, Abort> {
        let collection = self.collection(target.collection);
        match self.find(target)? {
            Some(id) => Ok(id),
            None => {
                let failure = violation::not_found(collection, target.key.clone());
                Err(Place::Root(&target.path).blame(failure).into())
            }
        }
    }

    /// A loaded document.
    pub(super) fn document(&self, collection: CollectionId, id: DocumentId) -> Option<&Cell> {
        let key = key::document(self.database, collection, id);
        self.documents.get(&key).expect("documents are loaded before they are looked at").as_ref()
    }

    /// Those of loaded records that a filter lets through.
    pub(super) async fn matching(
        &mut self,
        collection: CollectionId,
        ids: &[DocumentId],
        filter: &Filter,
    ) -> Result<Vec<DocumentId>, Abort> {
        let declared = self.collection(collection);
        let seen = |cell: &Cell| compute::seen(declared, cell.clone());
        let record = |id: &DocumentId| self.document(collection, *id).map(|cell| Record { id: *id, cell: seen(cell) });
        let records: Vec<Record> = ids.iter().filter_map(record).collect();
        let matches = filter.matches(self.catalog, self.database, self.transaction, &records).await?;
        let chosen = records.iter().zip(matches).filter(|(_, matches)| *matches);
        Ok(chosen.map(|(record, _)| record.id).collect())
    }

    /// A loaded index entry.
    pub(super) fn entry(&self, key: &Key) -> Option<&Cell> {
        self.entries.get(key).expect("entries are loaded before they are looked at").as_ref()
    }

    /// The rows under a record in an index over references or links, as ids, at most `limit`.
    pub(super) async fn under(
        &mut self,
        index: IndexId,
        records: &[DocumentId],
        limit: usize,
    ) -> Result<Vec<Vec<DocumentId>>, Abort> {
        let scan = |record: &DocumentId| Scan {
            range: KeyRange::prefix(&entries::under(self.database, index, *record)),
            reverse: false,
            limit,
        };
        let scans: Vec<Scan> = records.iter().map(scan).collect();
        let found = self.transaction.scan_many(Space::Index, &scans).await?;
        let id = |(key, cell): &(Bytes, Cell)| {
            let holder: &[u8] = if cell.value.is_empty() { key } else { &cell.value };
            Ok(key::document_id(holder)?)
        };
        found.iter().map(|rows| rows.iter().map(id).collect()).collect()
    }

    /// The document of a record, with its computed fields.
    pub(super) fn finished(
        &self,
        collection: &Collection,
        fields: DocumentBuilder,
        created: Option<Version>,
        place: &Place<'_>,
    ) -> Result<Vec<u8>, Abort> {
        let finish = |fields: DocumentBuilder| {
            fields.finish(self.catalog.version, created).map_err(|error| unfit(collection, error, place))
        };
        let document = finish(fields)?;
        let computed = compute::stored(collection, Document::trusted(&document));
        let computed = computed.map_err(|(field, fragment)| uncomputed(collection, field, &fragment, place))?;
        if computed.is_empty() {
            return Ok(document);
        }
        let mut fields = DocumentBuilder::from_document(Document::trusted(&document));
        computed.into_iter().for_each(|(field, value)| fields.set(field, value));
        finish(fields)
    }

    /// Makes a revision of a record: its bytes, its checks, and how its entries change.
    pub(super) fn revise<'c>(
        &mut self,
        collection: &'c Collection,
        id: DocumentId,
        old: Option<&Cell>,
        fields: DocumentBuilder,
        place: &Place<'_>,
    ) -> Result<Revision<'c>, Abort> {
        let before = old.map(|cell| Document::trusted(&cell.value));
        let created = old.and_then(|cell| {
            let written = (cell.version != Transaction::OWN).then_some(cell.version);
            Document::trusted(&cell.value).created().or(written)
        });
        let document = self.finished(collection, fields, created, place)?;
        let after = Document::trusted(&document);
        let seen = compute::read(collection, after);
        self.checks.hold(self.catalog, collection, seen.as_deref().map_or(after, Document::trusted), place)?;
        let mut revision = Revision { collection, id, document: Vec::new(), added: Vec::new(), removed: Vec::new() };
        for index in collection.indexes.iter().filter(|index| index.ready || !mutant("idx-06")) {
            let of = |document| entries::of_document(self.catalog, self.database, collection, index, id, document);
            // A planted bug: an index over several fields follows its first one only.
            let looked_at = if mutant("idx-10") { 1 } else { index.elements.len() };
            if let Some(before) = before
                && !compute::is_over_virtual(collection, index)
                && index.elements.iter().take(looked_at).all(|element| same(before, after, &element.path))
            {
                continue;
            }
            let new = of(after).map_err(|failure| place.blame(failure))?;
            let old = before.map(of).transpose()?.unwrap_or_default();
            let gone = old.iter().filter(|entry| new.binary_search(entry).is_err());
            revision.removed.extend(gone.map(|(key, _)| key.clone()));
            let come = new.into_iter().filter(|entry| old.binary_search(entry).is_err());
            revision.added.extend(come.map(|(key, value)| (key, value, index)));
        }
        revision.document = document;
        Ok(revision)
    }

    /// Writes a revision whose unique keys are loaded.
    pub(super) fn write(&mut self, revision: Revision<'_>, place: &Place<'_>) -> Result<(), Abort> {
        for (key, _, index) in revision.added.iter().filter(|(.., index)| index.unique) {
            if self.entry(key).is_some() && !mutant("idx-05") {
                let document = Document::trusted(&revision.document);
                let seen = compute::read(revision.collection, document);
                let document = seen.as_deref().map_or(document, Document::trusted);
                let failure = violation::unique(self.catalog, revision.collection, index, document);
                let field = index.elements.first().and_then(|element| element.path.first());
                let field = field.and_then(|field| revision.collection.field(*field));
                return Err(match (index.elements.len(), field) {
                    (1, Some(field)) => place.name(&field.name).blame(failure).into(),
                    _ => place.blame(failure).into(),
                });
            }
        }
        for key in revision.removed.into_iter().filter(|_| !mutant("idx-01")) {
            self.delete(Space::Index, key);
        }
        for (key, value, _) in revision.added {
            self.put(Space::Index, key, value);
        }
        let key = key::document(self.database, revision.collection.id, revision.id);
        self.put(Space::Document, key, revision.document);
        Ok(())
    }

    /// Removes a loaded document and its entries.
    pub(super) fn remove(&mut self, collection: &Collection, id: DocumentId) -> Result<(), Abort> {
        let Some(cell) = self.document(collection.id, id).cloned() else { return Ok(()) };
        for index in &collection.indexes {
            let document = Document::trusted(&cell.value);
            for (key, _) in entries::of_document(self.catalog, self.database, collection, index, id, document)? {
                self.delete(Space::Index, key);
            }
        }
        self.delete(Space::Document, key::document(self.database, collection.id, id));
        Ok(())
    }

    /// Sets a reference of a record to another, or empties it.
    pub(super) async fn refer(
        &mut self,
        collection: CollectionId,
        id: DocumentId,
        field: &Field,
        to: Option<DocumentId>,
        place: &Place<'_>,
    ) -> Result<(), Abort> {
        let collection = self.collection(collection);
        self.load_documents(collection.id, [id]).await?;
        let Some(cell) = self.document(collection.id, id).cloned() else { return Ok(()) };
        if to.is_none() && field.required {
            return Err(place.blame(violation::orphaned(collection, field, id)).into());
        }
        let mut fields = DocumentBuilder::from_document(Document::trusted(&cell.value));
        fields.set(field.id, to.map_or(Value::Null, Value::Uuid));
        self.rewrite(collection, id, &cell, fields, place).await
    }

    /// Writes other fields of a record that is there, and the time.
    pub(super) async fn rewrite(
        &mut self,
        collection: &Collection,
        id: DocumentId,
        old: &Cell,
        mut fields: DocumentBuilder,
        place: &Place<'_>,
    ) -> Result<(), Abort> {
        for field in collection.fields.iter().filter(|field| field.updated_at) {
            fields.set(field.id, super::coerce::now(field, self.now_micros));
        }
        let revision = self.revise(collection, id, Some(old), fields, place)?;
        self.load(Space::Index, revision.unique_keys().cloned().collect::<Vec<_>>()).await?;
        self.write(revision, place)
    }

    /// Links two records, or takes the link away. `load_links` comes before.
    pub(super) fn link(&mut self, keys: [Key; 2], linked: bool) {
        let sides = if mutant("rel-01") { 1 } else { keys.len() };
        for key in keys.into_iter().take(sides) {
            match (self.entry(&key).is_some(), linked) {
                (false, true) => self.put(Space::Index, key, Vec::new()),
                (true, false) => self.delete(Space::Index, key),
                (true, true) | (false, false) => {}
            }
        }
    }

    fn put(&mut self, space: Space, key: Key, value: Vec<u8>) {
        // What is not on the desk is read from the transaction when it is needed, this write included.
        if let Some(cell) = self.cells(space).get_mut(&key) {
            *cell = Some(Cell { version: Transaction::OWN, value: Bytes::from(value.as_slice()) });
        }
        self.transaction.put(space, key, value);
    }

    pub(super) fn delete(&mut self, space: Space, key: Key) {
        if let Some(cell) = self.cells(space).get_mut(&key) {
            *cell = None;
        }
        self.transaction.delete(space, key);
    }
}

/// True where two documents hold the same value at the root of a path.
fn same(before: Document<'_>, after: Document<'_>, path: &[FieldId]) -> bool {
    path.first().is_none_or(|field| before.field(*field).to_value() == after.field(*field).to_value())
}

/// What storage says of a document that does not fit, for the client.
fn unfit(collection: &Collection, error: Error, place: &Place<'_>) -> Abort {
    let message = match error {
        Error::DocumentTooLong { limit } => {
            format!("{} takes at most {limit} bytes: keep large values elsewhere.", violation::a(&collection.name))
        }
        Error::ValueTooDeep { limit } => {
            format!("{} nests lists and objects at most {limit} deep.", violation::a(&collection.name))
        }
        other => return other.into(),
    };
    place.fail(Code::BadUserInput, message).into()
}

/// The failure of a computed field that what is written leaves without a value.
fn uncomputed(collection: &Collection, field: &Field, fragment: &str, place: &Place<'_>) -> Abort {
    let message = format!("{}.{} cannot be computed: {fragment}.", collection.name, field.name);
    let failure = Failure::new(Code::CheckViolation, message);
    let failure = failure.with("constraint", format!("{}.{}", collection.name, field.name));
    place.blame(failure.with("fields", vec![field.name.clone()])).into()
}

/// The failure of a reference inside an embedded value that leads nowhere.
pub(super) fn check_references(desk: &Desk<'_>, references: &[super::coerce::Reference]) -> Result<(), Failure> {
    for reference in references {
        if desk.document(reference.target, reference.id).is_none() {
            let embedded = desk.catalog.embedded(reference.embedded).expect("a field's type is in the catalog");
            let field = embedded.field(reference.field).expect("a reference is one of its fields");
            let target = desk.collection(reference.target);
            let failure = violation::dangling(&embedded.name, field, target, reference.id);
            return Err(Place::Root(&reference.path).blame(failure));
        }
    }
    Ok(())
}

/// The `ToOne` field that a relation's far side is kept in.
pub(super) fn holder<'c>(desk: &Desk<'c>, kind: &FieldKind) -> Option<(CollectionId, &'c Field)> {
    match *kind {
        FieldKind::OneToOne { target, field, .. } | FieldKind::OneToMany { target, field, .. } => {
            desk.collection(target).field(field).map(|field| (target, field))
        }
        _ => None,
    }
}
