//! Sort keys of records: relations on the way are followed in batches.

use super::Reader;
use crate::filter::Record;
use crate::plan::order::{Order, OrderKey, OrderLeaf, Step};
use crate::{Abort, fetch};
use std::collections::BTreeMap;
use vivarium_storage::key::Direction;
use vivarium_storage::value::RecordRef;
use vivarium_storage::{CollectionId, Document, DocumentId, FieldId, IndexId, Key, ValueRef};

/// The sort keys of records, in their order.
pub(super) type SortKeys = Vec<Vec<u8>>;

impl Reader<'_> {
    /// The bytes that each record sorts by.
    pub(super) async fn sort_keys(&mut self, order: &Order, records: &[Record]) -> Result<SortKeys, Abort> {
        let mut keys: SortKeys = records.iter().map(|_| Vec::with_capacity(24)).collect();
        for key in &order.keys {
            match own_steps(key) {
                Some(embedded) => {
                    for (record, bytes) in records.iter().zip(&mut keys) {
                        key.encode(own_value(record.document(), &embedded, key.leaf), bytes);
                    }
                }
                None => self.followed(key, records, &mut keys).await?,
            }
        }
        for (record, bytes) in records.iter().zip(&mut keys) {
            order.push_id(record.id, bytes);
        }
        Ok(keys)
    }

    /// Appends a key that leads through relations.
    async fn followed(&mut self, key: &OrderKey, records: &[Record], keys: &mut SortKeys) -> Result<(), Abort> {
        // Where each record's way has led so far: documents that were fetched, or nowhere.
        let mut at: Vec<Option<Record>> = records.iter().cloned().map(Some).collect();
        let mut embedded: Vec<FieldId> = Vec::new();
        for step in &key.steps {
            match *step {
                Step::Embedded(field) => embedded.push(field),
                Step::Reference { field, target } => {
                    let path = std::mem::take(&mut embedded);
                    let reference = |record: &Option<Record>| {
                        let scope = record.as_ref().map(Record::document)?;
                        match own_value(scope, &path, OrderLeaf::Field(field)) {
                            ValueRef::Uuid(id) => Some(id),
                            _ => None,
                        }
                    };
                    let ids: Vec<Option<DocumentId>> = at.iter().map(reference).collect();
                    at = self.each(target, &ids).await?;
                }
                Step::OneToOne { index, target } => {
                    let ids: Vec<Option<DocumentId>> = at.iter().map(|record| Some(record.as_ref()?.id)).collect();
                    let ids = self.referring(index, &ids).await?;
                    at = self.each(target, &ids).await?;
                }
            }
        }
        if let OrderLeaf::Count(index) = key.leaf {
            let ids: Vec<Option<DocumentId>> = at.iter().map(|record| Some(record.as_ref()?.id)).collect();
            for (count, bytes) in self.counts(index, &ids).await?.into_iter().zip(keys) {
                key.encode(count.map_or(ValueRef::Null, ValueRef::Int), bytes);
            }
            return Ok(());
        }
        for (record, bytes) in at.iter().zip(keys) {
            let value = record.as_ref().map_or(ValueRef::Null, |record| match key.leaf {
                OrderLeaf::Id => ValueRef::Uuid(record.id),
                leaf => own_value(record.document(), &embedded, leaf),
            });
            key.encode(value, bytes);
        }
        Ok(())
    }

    /// The record of each id; every one is read once.
    async fn each(&mut self, target: CollectionId, ids: &[Option<DocumentId>]) -> Result<Vec<Option<Record>>, Abort> {
        let distinct = ascending(ids.iter().flatten().copied().collect());
        let found = fetch::records(self.transaction, self.catalog, self.database, target, &distinct).await?;
        let record = |id: &Option<DocumentId>| found[distinct.binary_search(&(*id)?).ok()?].clone();
        Ok(ids.iter().map(record).collect())
    }

    async fn referring(
        &mut self,
        index: IndexId,
        ids: &[Option<DocumentId>],
    ) -> Result<Vec<Option<DocumentId>>, Abort> {
        let distinct = ascending(ids.iter().flatten().copied().collect());
        let entry = |id: &DocumentId| -> Key {
            fetch::under(self.database, index, Direction::Ascending, *id).into_boxed_slice()
        };
        let keys: Vec<Key> = distinct.iter().map(entry).collect();
        let found = fetch::unique(self.transaction, &keys).await?;
        Ok(ids.iter().map(|id| found[distinct.binary_search(&(*id)?).ok()?]).collect())
    }

    async fn counts(&mut self, index: IndexId, ids: &[Option<DocumentId>]) -> Result<Vec<Option<i64>>, Abort> {
        let distinct = ascending(ids.iter().flatten().copied().collect());
        let relatives = fetch::relatives(self.transaction, self.database, index, &distinct).await?;
        let counts = relatives.iter().map(|ids| i64::try_from(ids.len()).unwrap_or(i64::MAX));
        let by_id: BTreeMap<DocumentId, i64> = distinct.into_iter().zip(counts).collect();
        Ok(ids.iter().map(|id| by_id.get(&(*id)?).copied()).collect())
    }
}

/// The embedded values that a key leads through, when it stays in the record's own document.
fn own_steps(key: &OrderKey) -> Option<Vec<FieldId>> {
    let embedded = |step: &Step| match step {
        Step::Embedded(field) => Some(*field),
        _ => None,
    };
    match key.leaf {
        OrderLeaf::Field(_) => key.steps.iter().map(embedded).collect(),
        OrderLeaf::Id | OrderLeaf::Count(_) => None,
    }
}

fn own_value<'a>(document: Document<'a>, embedded: &[FieldId], leaf: OrderLeaf) -> ValueRef<'a> {
    let OrderLeaf::Field(leaf) = leaf else { unreachable!("ids and counts are no values of a document") };
    let Some((first, rest)) = embedded.split_first() else { return document.field(leaf) };
    let mut value = document.field(*first);
    for field in rest {
        value = within(value).map_or(ValueRef::Null, |record| record.field(*field));
    }
    within(value).map_or(ValueRef::Null, |record| record.field(leaf))
}

fn within(value: ValueRef<'_>) -> Option<RecordRef<'_>> {
    match value {
        ValueRef::Record(record) => Some(record),
        _ => None,
    }
}

fn ascending(mut ids: Vec<DocumentId>) -> Vec<DocumentId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
