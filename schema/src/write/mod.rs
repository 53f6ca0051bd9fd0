//! Input to writes: documents, index entries and links, with every constraint checked in the transaction.
//!
//! Invariant: after each call the transaction's own writes satisfy all constraints and every index entry has its document.

mod change;
mod checks;
mod coerce;
mod conflict;
mod create;
pub(crate) mod delete;
mod desk;
mod edit;
pub mod entries;
mod print;
mod relation;
mod sequence;
mod update;
mod violation;

use crate::catalog::{Catalog, Collection};
use crate::filter::Record;
use crate::place::Place;
use crate::record_key::RecordKey;
use crate::{Abort, Input, PathItem};
use vivarium_consensus::Transaction;
use vivarium_storage::runtime::Runtime;
use vivarium_storage::{DatabaseId, DocumentId};

use desk::Desk;

pub(crate) use coerce::enum_value;

pub use change::SET_MAX;
pub use coerce::NESTED_DEPTH_MAX;
pub use conflict::{Conflict, Overwrite};
pub use create::Created;
pub use delete::CASCADE_MAX;
pub use desk::NESTED_MAX;
pub use edit::Edit;
pub use entries::of_document;
pub use sequence::Sequences;

/// Writes records of one database inside one transaction.
pub struct Writer<'a> {
    /// The catalog that the operation was planned with.
    pub catalog: &'a Catalog,
    /// The database written to.
    pub database: DatabaseId,
    /// Where reads and writes go.
    pub transaction: &'a mut Transaction,
    /// Time and chance for ids.
    pub runtime: &'a Runtime,
    /// Numbers for `@autoIncrement`.
    pub sequences: &'a Sequences,
    /// The transaction's time, in microseconds: `@default(now: true)`, `@updatedAt`.
    pub now_micros: i64,
}

impl Writer<'_> {
    /// Creates one record from an input of the collection's Create type, which stands at `path`.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub async fn create_one(
        &mut self,
        collection: &Collection,
        data: &Input,
        path: &[PathItem],
    ) -> Result<DocumentId, Abort> {
        let created = create::create(&mut self.desk(), collection, &[(data, Place::Root(path))], None).await?;
        Ok(created.ids[0])
    }
    /// Creates records from inputs of the collection's Create type, with what they connect and create through relations. A few
    /// batches of reads however many there are. Each sees those before it. The first stands at `path` + 0, and so on.
    ///
    /// # Errors
    /// `BAD_USER_INPUT`, `UNIQUE_VIOLATION`, `REFERENCE_VIOLATION`, `CHECK_VIOLATION`, `NOT_FOUND`, `AFFECTED_LIMIT_EXCEEDED` with
    /// `inputPath` below `path`.
    pub async fn create(
        &mut self,
        collection: &Collection,
        data: &[Input],
        path: &[PathItem],
    ) -> Result<Vec<DocumentId>, Abort> {
        Ok(self.create_unless(collection, data, None, path).await?.ids)
    }
    /// As [`Writer::create`], and does what is said of records that are there already.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub async fn create_unless(
        &mut self,
        collection: &Collection,
        data: &[Input],
        conflict: Option<&Conflict>,
        path: &[PathItem],
    ) -> Result<Created, Abort> {
        let root = Place::Root(path);
        let placed: Vec<(&Input, Place<'_>)> = data.iter().enumerate().map(|(at, data)| (data, root.at(at))).collect();
        create::create(&mut self.desk(), collection, &placed, conflict).await
    }
    /// Changes records, each in the same way, one after the other.
    ///
    /// # Errors
    /// As [`Writer::create`], with `inputPath` below the names of [`Edit`]'s parts; `NOT_FOUND` when there is no such
    /// record.
    pub async fn update(&mut self, collection: &Collection, ids: &[DocumentId], edit: &Edit) -> Result<(), Abort> {
        update::update(&mut self.desk(), collection, ids, edit).await
    }
    /// As [`Writer::update`], of records that this transaction has read.
    pub(crate) async fn update_read(
        &mut self,
        collection: &Collection,
        records: Vec<Record>,
        edit: &Edit,
    ) -> Result<(), Abort> {
        let ids: Vec<DocumentId> = records.iter().map(|record| record.id).collect();
        let mut desk = self.desk();
        desk.lay(collection.id, records);
        update::update(&mut desk, collection, &ids, edit).await
    }
    /// Deletes records and does to those who refer to them what their `onDelete` says.
    ///
    /// # Errors
    /// `REFERENCE_VIOLATION` when one of them restricts; `NOT_FOUND`; `AFFECTED_LIMIT_EXCEEDED`.
    pub async fn delete(
        &mut self,
        collection: &Collection,
        ids: &[DocumentId],
        path: &[PathItem],
    ) -> Result<(), Abort> {
        delete::delete(&mut self.desk(), collection, ids, &Place::Whole(path)).await
    }
    /// As [`Writer::delete`], of records that this transaction has read.
    pub(crate) async fn delete_read(
        &mut self,
        collection: &Collection,
        records: Vec<Record>,
        path: &[PathItem],
    ) -> Result<(), Abort> {
        let ids: Vec<DocumentId> = records.iter().map(|record| record.id).collect();
        let mut desk = self.desk();
        desk.lay(collection.id, records);
        delete::delete(&mut desk, collection, &ids, &Place::Whole(path)).await
    }

    fn desk(&mut self) -> Desk<'_> {
        Desk::of(self)
    }
}

/// The record that an input of the collection's Key type names: by id or by a unique index.
///
/// # Errors
/// `BAD_USER_INPUT` with `inputPath` below `path` for a value of the wrong form.
pub async fn find(
    catalog: &Catalog,
    database: DatabaseId,
    transaction: &mut Transaction,
    collection: &Collection,
    key: &Input,
    path: &[PathItem],
) -> Result<Option<DocumentId>, Abort> {
    let key = RecordKey::read(catalog, database, collection, key, &Place::Root(path))?;
    let Some((space, at)) = key.cell(database, collection) else { return Ok(None) };
    let cell = transaction.get_many(space, &[at]).await?.pop().flatten();
    Ok(key.found(cell.as_ref())?)
}
