//! Reads documents that are there in bounded batches, each its own transaction: fills fields, writes index entries,
//! clears away what is gone. Any batch may run twice.

use super::cells;
use super::conform::{Conform, record_name};
use super::progress::{Board, Step};
use crate::catalog::{Catalog, Collection, Index};
use crate::database::size;
use crate::write::entries;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use vivarium_consensus::{CommitOptions, Consistency, Error, Node, Transaction};
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::{self, Instant};
use vivarium_storage::{
    Cell, CollectionId, DatabaseId, Document, DocumentId, IndexId, Key, KeyRange, Space, Version, key,
};

/// Documents of one transaction: enough to pay for its commit, few enough to conflict rarely.
const BATCH_DOCUMENTS: usize = 256;
/// Entries that one transaction clears away.
const BATCH_ENTRIES: usize = 2_000;
/// Tries of one batch. Each conflict halves it; one document alone conflicts only with itself.
const BATCH_TRIES_MAX: usize = 50;
/// Keys that a dry run compares: some 60 MB.
const TWIN_KEYS_MAX: usize = 1_000_000;
/// How long one batch may take.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a batch waits after its n-th conflict, times n.
const PAUSE: Duration = Duration::from_millis(5);

/// Why a backfill ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// A document does not fit, in a sentence.
    Misfit(String),
    /// Somebody else finished or took back the change.
    Superseded,
    /// The layer below.
    Consensus(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Consensus(error)
    }
}

/// A deadline for one transaction.
pub(super) fn deadline() -> Instant {
    runtime::now() + BATCH_TIMEOUT
}

/// Where a backfill writes.
#[derive(Clone, Copy)]
pub(super) struct Backfill<'a> {
    pub(super) node: &'a Node,
    pub(super) database: DatabaseId,
    /// Where to say how far it is.
    pub(super) board: &'a Board,
    /// What documents must fit.
    pub(super) target: &'a Catalog,
    /// The commit that wrote the work down: while it is the newest of that cell, the work is ours.
    pub(super) work: Version,
}

impl Backfill<'_> {
    /// Makes every document of a collection fit, with its entries in every index that is not ready.
    /// Returns how many documents were written or had entries written.
    pub(super) async fn collection(&self, collection: &Collection) -> Result<u64, Stop> {
        let Some(mut range) = self.documents(collection).await? else { return Ok(0) };
        self.begin(collection, Step::Fill).await?;
        let mut written = 0;
        let mut limit = BATCH_DOCUMENTS;
        let mut tries = 0;
        loop {
            match self.batch(collection, &range, limit).await {
                Ok(Batch { read, changed, next }) => {
                    written += changed;
                    self.board.add(read);
                    let Some(next) = next else { return Ok(written) };
                    range.start = next;
                    limit = (limit * 2).min(BATCH_DOCUMENTS);
                    tries = 0;
                }
                Err(Stop::Consensus(error)) => {
                    tries += 1;
                    limit = smaller(error, limit, tries)?;
                    runtime::sleep(PAUSE * u32::try_from(tries).unwrap_or(u32::MAX)).await;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Says that a step begins, and of how many records.
    async fn begin(&self, collection: &Collection, step: Step) -> Result<(), Error> {
        let of = size::records(self.node, self.database, collection.id).await?;
        self.board.begin(&collection.name, step, of);
        Ok(())
    }

    /// The documents that are there now. Later ones are written under the new catalog and fit already, so that
    /// a backfill ends however fast others write.
    async fn documents(&self, collection: &Collection) -> Result<Option<KeyRange>, Error> {
        let mut range = key::documents(self.database, collection.id);
        let mut transaction = self.node.begin(Consistency::Strong, deadline()).await?;
        transaction.read_only();
        let scan = Scan { range: range.clone(), reverse: true, limit: 1 };
        let rows = transaction.scan_many(Space::Document, &[scan]).await?.pop().unwrap_or_default();
        let Some((last, _)) = rows.first() else { return Ok(None) };
        range.end = key::successor(last);
        Ok(Some(range))
    }

    async fn batch(&self, collection: &Collection, range: &KeyRange, limit: usize) -> Result<Batch, Stop> {
        let deadline = deadline();
        // Found by one transaction and read by another: a new document between two of these is no conflict.
        let mut transaction = self.node.begin(Consistency::Strong, deadline).await?;
        transaction.read_only();
        let scan = Scan { range: range.clone(), reverse: false, limit };
        let found = transaction.scan_many(Space::Document, &[scan]).await?.pop().unwrap_or_default();
        let keys: Vec<Key> = found.iter().map(|(row, _)| (**row).into()).collect();
        let next = if keys.len() < limit { None } else { keys.last().map(|row| key::successor(row)) };
        let mut transaction = self.node.begin(Consistency::Strong, deadline).await?;
        // A commit of anybody who changes the schema conflicts with this one.
        transaction.catalog_version(self.database);
        match cells::work(&mut transaction, self.database).await? {
            Some((_, version)) if version == self.work => {}
            _ => return Err(Stop::Superseded),
        }
        let cells = transaction.get_many(Space::Document, &keys).await?;
        let now_micros = i64::try_from(self.node.runtime().now_micros()).unwrap_or(i64::MAX);
        let conform = Conform::new(self.target, now_micros);
        let mut changes = Changes::default();
        let mut changed = 0;
        for (row, cell) in keys.iter().zip(&cells) {
            let Some(cell) = cell else { continue };
            let id = key::document_id(row).map_err(Error::from)?;
            let replaced = conform.document(collection, id, cell).map_err(Stop::Misfit)?;
            changed += u64::from(self.document(collection, id, cell, replaced, &mut changes)?);
        }
        self.write(collection, changes, &mut transaction).await?;
        transaction.commit(CommitOptions::default(), deadline).await?;
        Ok(Batch { read: keys.len(), changed, next })
    }

    /// Collects what one document's entries become; true when anything is written.
    fn document(
        &self,
        collection: &Collection,
        id: DocumentId,
        cell: &Cell,
        replaced: Option<Vec<u8>>,
        changes: &mut Changes,
    ) -> Result<bool, Stop> {
        let old = Document::trusted(&cell.value);
        let new = replaced.as_deref().map_or(old, Document::trusted);
        let mut writes = replaced.is_some();
        for index in &collection.indexes {
            if replaced.is_some() {
                let gone = self.entries(collection, index, id, old)?;
                changes.deletes.extend(gone.into_iter().map(|(key, _)| key));
            } else if index.ready {
                continue;
            }
            for (key, value) in self.entries(collection, index, id, new)? {
                writes = true;
                if let Some(Put { id: other, .. }) = changes.puts.insert(key, Put { value, id, index: index.id })
                    && index.unique
                {
                    return Err(twice(collection, index, id, other));
                }
            }
        }
        if let Some(bytes) = replaced {
            changes.documents.push((key::document(self.database, collection.id, id), bytes));
        }
        Ok(writes)
    }

    /// Writes documents and entries, unless a unique one belongs to another record.
    async fn write(
        &self,
        collection: &Collection,
        changes: Changes,
        transaction: &mut Transaction,
    ) -> Result<(), Stop> {
        let unique = |put: &Put| collection.index(put.index).filter(|index| index.unique);
        let keys: Vec<Key> =
            changes.puts.iter().filter(|(_, put)| unique(put).is_some()).map(|(key, _)| key.clone()).collect();
        let cells = transaction.get_many(Space::Index, &keys).await?;
        for (key, cell) in keys.iter().zip(cells) {
            let put = &changes.puts[key];
            if let (Some(cell), Some(index)) = (cell, unique(put))
                && *cell.value != put.id.0
            {
                let other = key::document_id(&cell.value).map_err(Error::from)?;
                return Err(twice(collection, index, put.id, other));
            }
        }
        for (key, bytes) in changes.documents {
            transaction.put(Space::Document, key, bytes);
        }
        for key in changes.deletes {
            if !changes.puts.contains_key(&key) {
                transaction.delete(Space::Index, key);
            }
        }
        for (key, put) in changes.puts {
            transaction.put(Space::Index, key, put.value);
        }
        Ok(())
    }

    /// Looks at every document without writing: does it fit?
    pub(super) async fn look(&self, collection: &Collection) -> Result<(), Stop> {
        self.each(collection, |_, _| Ok(())).await
    }

    /// As [`Backfill::look`], and looks for records that a new unique key does not tell apart, among as many as
    /// memory allows. Others may write meanwhile: that none is found is no promise.
    pub(super) async fn look_for_twins(&self, collection: &Collection) -> Result<(), Stop> {
        let mut seen: BTreeMap<[u8; 16], DocumentId> = BTreeMap::new();
        self.each(collection, |id, document| {
            for index in collection.indexes.iter().filter(|index| index.unique && !index.ready) {
                for (key, _) in self.entries(collection, index, id, document)? {
                    let mut digest = [0; 16];
                    digest.copy_from_slice(&Sha256::digest(&key)[..16]);
                    if let Some(other) = seen.get(&digest) {
                        return Err(twice(collection, index, id, *other));
                    }
                    if seen.len() < TWIN_KEYS_MAX {
                        seen.insert(digest, id);
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// Reads every document, as it will be stored.
    async fn each(
        &self,
        collection: &Collection,
        mut look: impl FnMut(DocumentId, Document<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.begin(collection, Step::Check).await?;
        let mut range = key::documents(self.database, collection.id);
        let now_micros = i64::try_from(self.node.runtime().now_micros()).unwrap_or(i64::MAX);
        let conform = Conform::new(self.target, now_micros);
        loop {
            let mut transaction = self.node.begin(Consistency::Strong, deadline()).await?;
            transaction.read_only();
            let scan = Scan { range: range.clone(), reverse: false, limit: BATCH_DOCUMENTS };
            let rows = transaction.scan_many(Space::Document, &[scan]).await?.pop().unwrap_or_default();
            for (row, cell) in &rows {
                let id = key::document_id(row).map_err(Error::from)?;
                let replaced = conform.document(collection, id, cell).map_err(Stop::Misfit)?;
                look(id, Document::trusted(replaced.as_deref().unwrap_or(&cell.value)))?;
            }
            self.board.add(rows.len());
            // A node alone waits for nothing: others have their turn.
            tokio::task::yield_now().await;
            match rows.last() {
                Some((row, _)) if rows.len() == BATCH_DOCUMENTS => range.start = key::successor(row),
                _ => return Ok(()),
            }
        }
    }

    fn entries(
        &self,
        collection: &Collection,
        index: &Index,
        id: DocumentId,
        document: Document<'_>,
    ) -> Result<Vec<(Key, Vec<u8>)>, Stop> {
        entries::of_document(self.target, self.database, collection, index, id, document)
            .map_err(|failure| Stop::Misfit(format!("{}: {}", record_name(collection, id), failure.message)))
    }
}

/// Removes all documents of a collection that is gone.
pub(super) async fn clear_collection(node: &Node, database: DatabaseId, id: CollectionId) -> Result<(), Error> {
    clear(node, Space::Document, key::documents(database, id)).await
}

/// Removes all entries of an index that is gone.
pub(super) async fn clear_index(node: &Node, database: DatabaseId, id: IndexId) -> Result<(), Error> {
    clear(node, Space::Index, KeyRange::prefix(&key::index(database, id))).await
}

async fn clear(node: &Node, space: Space, range: KeyRange) -> Result<(), Error> {
    let mut limit = BATCH_ENTRIES;
    let mut tries = 0;
    loop {
        match clear_batch(node, space, &range, limit).await {
            Ok(cleared) if cleared < limit => return Ok(()),
            Ok(_) => tries = 0,
            Err(error) => {
                tries += 1;
                limit = smaller(error, limit, tries)?;
                runtime::sleep(PAUSE * u32::try_from(tries).unwrap_or(u32::MAX)).await;
            }
        }
    }
}

async fn clear_batch(node: &Node, space: Space, range: &KeyRange, limit: usize) -> Result<usize, Error> {
    let deadline = deadline();
    let mut transaction = node.begin(Consistency::Strong, deadline).await?;
    let scan = Scan { range: range.clone(), reverse: false, limit };
    let rows = transaction.scan_many(space, &[scan]).await?.pop().unwrap_or_default();
    for (row, _) in &rows {
        transaction.delete(space, (**row).into());
    }
    transaction.commit(CommitOptions::default(), deadline).await?;
    Ok(rows.len())
}

struct Batch {
    read: usize,
    changed: u64,
    next: Option<Key>,
}

/// What a batch writes.
#[derive(Default)]
struct Changes {
    documents: Vec<(Key, Vec<u8>)>,
    puts: BTreeMap<Key, Put>,
    deletes: Vec<Key>,
}

struct Put {
    value: Vec<u8>,
    id: DocumentId,
    index: IndexId,
}

/// The limit of the next try after an error that a smaller batch may not meet.
fn smaller(error: Error, limit: usize, tries: usize) -> Result<usize, Error> {
    match error {
        Error::TooLarge { .. } if limit == 1 => Err(error),
        // Every batch may run twice, so an unknown outcome is a try like any other.
        Error::Conflict | Error::TooLarge { .. } | Error::UnknownOutcome if tries < BATCH_TRIES_MAX => {
            Ok((limit / 2).max(1))
        }
        other => Err(other),
    }
}

fn twice(collection: &Collection, index: &Index, id: DocumentId, other: DocumentId) -> Stop {
    let (first, second) = (id.min(other), id.max(other));
    Stop::Misfit(format!(
        "{} and {} have the same {}, which is unique now: change or delete one of them first.",
        record_name(collection, first),
        record_name(collection, second),
        index.name
    ))
}
