//! What every read needs: the catalog, the transaction, and an end.

use crate::catalog::Catalog;
use crate::filter::{Filter, Record};
use crate::plan::analysis::Began;
use crate::plan::bind::Bound;
use crate::{Abort, fetch};
use vivarium_consensus::Transaction;
use vivarium_storage::runtime::{self, Instant};
use vivarium_storage::{CollectionId, DatabaseId, DocumentId};

/// Documents that are read and filtered at once.
pub(super) const BATCH: usize = 1_000;

/// Reads for one operation.
pub(crate) struct Reader<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) database: DatabaseId,
    pub(crate) transaction: &'a mut Transaction,
    pub(crate) bound: &'a Bound,
    pub(crate) deadline: Instant,
}

impl Reader<'_> {
    /// Ends the operation when its time is up. Asked between batches.
    pub(super) fn check_deadline(&self) -> Result<(), Abort> {
        if runtime::now() > self.deadline {
            return Err(vivarium_consensus::Error::DeadlineExceeded.into());
        }
        Ok(())
    }

    /// When the reading of a part of the plan begins, if that is measured.
    pub(super) fn began(&self) -> Option<Began> {
        let now = |_| Began { at: runtime::now(), batches: self.transaction.batches() };
        self.bound.analysis.as_ref().map(now)
    }

    /// What a part of the plan came to, if that is measured.
    pub(super) fn came_to<T>(&self, part: &T, rows: usize, began: Option<Began>) {
        if let Some(analysis) = &self.bound.analysis {
            analysis.add(part, rows, began, self.transaction.batches());
        }
    }

    /// The records with these ids that are there, in their order.
    pub(super) async fn records(&mut self, collection: CollectionId, ids: &[DocumentId]) -> Result<Vec<Record>, Abort> {
        let found = fetch::records(self.transaction, self.catalog, self.database, collection, ids).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Those of the records that a filter lets through.
    pub(super) async fn matching(
        &mut self,
        filter: Option<&Filter>,
        mut records: Vec<Record>,
    ) -> Result<Vec<Record>, Abort> {
        let Some(filter) = filter else { return Ok(records) };
        let matches = filter.matches(self.catalog, self.database, self.transaction, &records).await?;
        let mut matches = matches.into_iter();
        records.retain(|_| matches.next().unwrap_or(false));
        Ok(records)
    }
}
