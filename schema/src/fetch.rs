//! Batched reads in the catalog's terms: documents by id, index entries by range, relatives by parent.
//!
//! One call is one batch, whatever its width; keys go down sorted and without repetitions. Records come with what is
//! computed of them.

use crate::catalog::{Catalog, Collection};
use crate::filter::Record;
use crate::{Abort, compute};
use vivarium_consensus::Transaction;
use vivarium_storage::engine::{Bytes, Scan};
use vivarium_storage::key::{self, Direction};
use vivarium_storage::{Cell, CollectionId, DatabaseId, Document, DocumentId, IndexId, Key, KeyRange, Space, ValueRef};

/// No bound on the rows of a scan but its range.
pub(crate) const ALL: usize = usize::MAX;

/// The records with these ids, in their order; `None` where there is none. `ids` may repeat.
pub(crate) async fn records(
    transaction: &mut Transaction,
    catalog: &Catalog,
    database: DatabaseId,
    collection: CollectionId,
    ids: &[DocumentId],
) -> Result<Vec<Option<Record>>, Abort> {
    let declared = catalog.collection(collection).expect("a plan is used with its own catalog");
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let document_key = |id: &DocumentId| key::document(database, collection, *id);
    if ids.is_sorted_by(|one, next| one < next) {
        let keys: Vec<Key> = ids.iter().map(document_key).collect();
        let cells = transaction.get_many(Space::Document, &keys).await?;
        return Ok(ids.iter().zip(cells).map(|(id, cell)| vouched(declared, *id, cell)).collect());
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let keys: Vec<Key> = sorted.iter().map(document_key).collect();
    let cells = transaction.get_many(Space::Document, &keys).await?;
    let found: Vec<_> = sorted.iter().zip(cells).map(|(id, cell)| vouched(declared, *id, cell)).collect();
    let place = |id: &DocumentId| found[sorted.binary_search(id).expect("every id was sorted in")].clone();
    Ok(ids.iter().map(place).collect())
}

/// The documents that unique entries lead to, in the order of `keys`.
pub(crate) async fn unique(transaction: &mut Transaction, keys: &[Key]) -> Result<Vec<Option<DocumentId>>, Abort> {
    let cells = transaction.get_many(Space::Index, keys).await?;
    cells.into_iter().map(|cell| cell.map(|cell| id_in_value(&cell.value)).transpose()).collect()
}

/// The ids that entries under each parent lead to, in the order of the index.
pub(crate) async fn relatives(
    transaction: &mut Transaction,
    database: DatabaseId,
    index: IndexId,
    parents: &[DocumentId],
) -> Result<Vec<Vec<DocumentId>>, Abort> {
    let scan = |parent: &DocumentId| Scan {
        range: KeyRange::prefix(&under(database, index, Direction::Ascending, *parent)),
        reverse: false,
        limit: ALL,
    };
    let scans: Vec<Scan> = parents.iter().map(scan).collect();
    let found = transaction.scan_many(Space::Index, &scans).await?;
    found.into_iter().map(|rows| rows.iter().map(|(key, cell)| entry_id(key, cell)).collect()).collect()
}

/// The first bytes of all entries of an index whose first element is a reference to `parent`.
pub(crate) fn under(database: DatabaseId, index: IndexId, direction: Direction, parent: DocumentId) -> Vec<u8> {
    let mut prefix = key::index(database, index);
    key::encode(ValueRef::Uuid(parent), direction, &mut prefix);
    prefix
}

/// The document that an entry of any index leads to: unique entries name it in their value, others in their key.
pub(crate) fn entry_id(key: &Bytes, cell: &Cell) -> Result<DocumentId, Abort> {
    if cell.value.is_empty() { Ok(key::document_id(key)?) } else { id_in_value(&cell.value) }
}

/// A document that was read by its key: the store has checked its bytes.
fn vouched(collection: &Collection, id: DocumentId, cell: Option<Cell>) -> Option<Record> {
    cell.map(|cell| Record { id, cell: compute::seen(collection, cell) })
}

/// A document that came from a scan. The bytes are checked here, once.
pub(crate) fn record(collection: &Collection, id: DocumentId, cell: Option<Cell>) -> Result<Option<Record>, Abort> {
    match cell {
        None => Ok(None),
        Some(cell) => {
            Document::open(&cell.value)?;
            Ok(Some(Record { id, cell: compute::seen(collection, cell) }))
        }
    }
}

fn id_in_value(value: &[u8]) -> Result<DocumentId, Abort> {
    Ok(key::document_id(value)?)
}
