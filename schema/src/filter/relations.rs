//! Following relations for a batch of records: each relation is one batch of reads, whatever the number of records.

use super::predicate::{Condition, Quantifier, Relation, RelationKind, Resolution, Scope, Truth};
use super::{Filter, Record};
use crate::catalog::Catalog;
use crate::{Abort, fetch};
use std::collections::BTreeMap;
use vivarium_consensus::Transaction;
use vivarium_storage::key::Direction;
use vivarium_storage::{CollectionId, DatabaseId, DocumentId, FieldId, Key, ValueRef};

/// What each relation of a filter says of each record that was asked about.
pub(super) struct Resolved {
    relations: Vec<Known>,
}

enum Known {
    /// Of a reference: the records referred to that satisfy the condition, ascending.
    Targets { field: FieldId, matching: Vec<DocumentId>, wanted: bool },
    /// Of the others: by the record's own id.
    Records(BTreeMap<DocumentId, Truth>),
}

impl Resolution for Resolved {
    fn truth(&self, number: usize, scope: &Scope<'_>) -> Truth {
        match &self.relations[number] {
            Known::Targets { field, matching, wanted } => match scope.field(*field) {
                ValueRef::Uuid(id) => Truth::of(matching.binary_search(&id).is_ok() == *wanted),
                _ => Truth::of(!*wanted),
            },
            Known::Records(truths) => scope.id().and_then(|id| truths.get(&id)).copied().unwrap_or(Truth::Unknown),
        }
    }
}

/// Follows every relation of the filter for all records.
pub(super) async fn resolve(
    filter: &Filter,
    catalog: &Catalog,
    database: DatabaseId,
    transaction: &mut Transaction,
    records: &[&Record],
) -> Result<Resolved, Abort> {
    let mut reader = Reader { catalog, database, transaction };
    let mut relations = Vec::with_capacity(filter.relations.len());
    for (number, relation) in filter.relations.iter().enumerate() {
        relations.push(match relation.kind {
            RelationKind::Reference { field, .. } => {
                let mut ids = Vec::new();
                for record in records {
                    filter.root.visit_related(number, &Scope::document(record), &mut |scope| {
                        if let ValueRef::Uuid(id) = scope.field(field) {
                            ids.push(id);
                        }
                    });
                }
                reader.targets(relation, field, ids).await?
            }
            _ => reader.by_record(relation, records).await?,
        });
    }
    Ok(Resolved { relations })
}

struct Reader<'a> {
    catalog: &'a Catalog,
    database: DatabaseId,
    transaction: &'a mut Transaction,
}

impl Reader<'_> {
    async fn targets(&mut self, relation: &Relation, field: FieldId, ids: Vec<DocumentId>) -> Result<Known, Abort> {
        Ok(match &relation.condition {
            // References are always whole: what is referred to is there.
            Condition::Exists(wanted) => Known::Targets { field, matching: ascending(ids), wanted: *wanted },
            Condition::Matches(filter) => {
                let matching = self.matching(relation.target, filter, ids).await?;
                Known::Targets { field, matching, wanted: true }
            }
            Condition::Quantified(..) | Condition::Count(_) => unreachable!("a reference leads to one record"),
        })
    }

    async fn by_record(&mut self, relation: &Relation, records: &[&Record]) -> Result<Known, Abort> {
        let parents = ascending(records.iter().map(|record| record.id).collect());
        let relatives = match relation.kind {
            RelationKind::Unique { index, .. } => {
                let entry = |parent: &DocumentId| -> Key {
                    fetch::under(self.database, index, Direction::Ascending, *parent).into_boxed_slice()
                };
                let keys: Vec<Key> = parents.iter().map(entry).collect();
                let found = fetch::unique(self.transaction, &keys).await?;
                found.into_iter().map(Vec::from_iter).collect()
            }
            RelationKind::Many { index, .. } | RelationKind::Links { index, .. } => {
                fetch::relatives(self.transaction, self.database, index, &parents).await?
            }
            RelationKind::Reference { .. } => unreachable!("references are read from the record"),
        };
        let truths = match &relation.condition {
            Condition::Count(test) => relatives
                .iter()
                .map(|ids| test.truth(ValueRef::Int(i64::try_from(ids.len()).unwrap_or(i64::MAX))))
                .collect(),
            Condition::Exists(wanted) => relatives.iter().map(|ids| Truth::of(ids.is_empty() != *wanted)).collect(),
            Condition::Matches(filter) => {
                self.quantified(relation.target, Quantifier::Some, filter, &relatives).await?
            }
            Condition::Quantified(quantifier, filter) => {
                self.quantified(relation.target, *quantifier, filter, &relatives).await?
            }
        };
        Ok(Known::Records(parents.into_iter().zip(truths).collect()))
    }

    async fn quantified(
        &mut self,
        target: CollectionId,
        quantifier: Quantifier,
        filter: &Filter,
        relatives: &[Vec<DocumentId>],
    ) -> Result<Vec<Truth>, Abort> {
        let matching = self.matching(target, filter, relatives.concat()).await?;
        let truth = |id: &DocumentId| Truth::of(matching.binary_search(id).is_ok());
        Ok(relatives.iter().map(|ids| quantifier.over(ids.iter().map(truth))).collect())
    }

    /// Those of the records that match the filter, ascending.
    async fn matching(
        &mut self,
        target: CollectionId,
        filter: &Filter,
        ids: Vec<DocumentId>,
    ) -> Result<Vec<DocumentId>, Abort> {
        let ids = ascending(ids);
        let found = fetch::records(self.transaction, self.catalog, self.database, target, &ids).await?;
        let records: Vec<Record> = found.into_iter().flatten().collect();
        // A filter may hold filters of its own: the future's size must not depend on how many.
        let matches = Box::pin(filter.matches(self.catalog, self.database, self.transaction, &records)).await?;
        Ok(records.iter().zip(matches).filter(|(_, matches)| *matches).map(|(record, _)| record.id).collect())
    }
}

fn ascending(mut ids: Vec<DocumentId>) -> Vec<DocumentId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
