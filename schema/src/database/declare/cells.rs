//! Where a schema is kept: the catalog, the schemas applied so far, and the work that a change still has to do.
//!
//! All three are JSON in `Space::Meta`. The catalog's key is the store's own business ([`engine::catalog_key`]).

use super::SchemaVersion;
use crate::Catalog;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::PathBuf;
use vivarium_consensus::{Result, Transaction};
use vivarium_storage::engine::{self, Scan};
use vivarium_storage::{CollectionId, DatabaseId, IndexId, Key, KeyRange, Space, Version};

/// Kinds of keys in [`Space::Meta`] begin with a byte; these two are never reused.
const HISTORY: u8 = 5;
const WORK: u8 = 6;

/// What a schema change still has to do. Kept until it is done, so that it survives a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Work {
    /// What is being made true of the documents. `None` once it is: what is left is to clear away.
    pub(super) build: Option<Build>,
    /// Collections whose documents go.
    pub(super) drop_collections: Vec<CollectionId>,
    /// Indexes and links whose entries go.
    pub(super) drop_indexes: Vec<IndexId>,
    /// The node that began the change. Releases before it was noted did not say.
    #[serde(default)]
    pub(super) runner: Option<u64>,
}

/// The first half of a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Build {
    /// The catalog that is applied when all documents fit it.
    pub(super) target: Catalog,
    /// The catalog to go back to when one does not.
    pub(super) previous: Catalog,
    /// Collections whose documents have to be looked at.
    pub(super) conform: Vec<CollectionId>,
    /// A change was taken back, and this makes good what writes did not keep up while it was made.
    #[serde(default)]
    pub(super) restores: bool,
}

/// What is stored under [`history_key`].
#[derive(Serialize, Deserialize)]
struct Entry {
    applied_micros: i64,
    sdl: String,
}

/// `[5][database][version]`, big-endian: a schema that was applied.
pub(super) fn history_key(database: DatabaseId, version: u32) -> Key {
    [&[HISTORY][..], &database.0.to_be_bytes(), &version.to_be_bytes()].concat().into()
}

/// `[6][database]`: what the last change still has to do.
pub(super) fn work_key(database: DatabaseId) -> Key {
    [&[WORK][..], &database.0.to_be_bytes()].concat().into()
}

/// The catalog that the transaction sees, if there is one.
pub(super) async fn catalog(transaction: &mut Transaction, database: DatabaseId) -> Result<Option<Catalog>> {
    Ok(read(transaction, engine::catalog_key(database), "catalog").await?.map(|(catalog, _)| catalog))
}

/// The work that is left, and the commit that wrote it down.
pub(super) async fn work(transaction: &mut Transaction, database: DatabaseId) -> Result<Option<(Work, Version)>> {
    read(transaction, work_key(database), "schema work").await
}

pub(super) fn put_catalog(transaction: &mut Transaction, database: DatabaseId, catalog: &Catalog) {
    transaction.put(Space::Meta, engine::catalog_key(database), json(catalog));
}

/// Writes down what is left, or that nothing is.
pub(super) fn put_work(transaction: &mut Transaction, database: DatabaseId, work: &Work) {
    if work.build.is_none() && work.drop_collections.is_empty() && work.drop_indexes.is_empty() {
        transaction.delete(Space::Meta, work_key(database));
    } else {
        transaction.put(Space::Meta, work_key(database), json(work));
    }
}

/// Remembers a schema as applied now.
pub(super) fn put_history(transaction: &mut Transaction, database: DatabaseId, catalog: &Catalog, now_micros: u64) {
    let applied_micros = i64::try_from(now_micros).unwrap_or(i64::MAX);
    let entry = Entry { applied_micros, sdl: catalog.sdl.clone() };
    transaction.put(Space::Meta, history_key(database, catalog.version), json(&entry));
}

/// The SDL that was applied as a version, if one was.
pub(super) async fn remembered(
    transaction: &mut Transaction,
    database: DatabaseId,
    version: u32,
) -> Result<Option<String>> {
    let entry = read::<Entry>(transaction, history_key(database, version), "schema history").await?;
    Ok(entry.map(|(entry, _)| entry.sdl))
}

/// The schemas applied so far, newest first.
pub(super) async fn history(
    transaction: &mut Transaction,
    database: DatabaseId,
    limit: usize,
) -> Result<Vec<SchemaVersion>> {
    let prefix = [&[HISTORY][..], &database.0.to_be_bytes()].concat();
    let scan = Scan { range: KeyRange::prefix(&prefix), reverse: true, limit };
    let rows = transaction.scan_many(Space::Meta, &[scan]).await?.pop().unwrap_or_default();
    let mut versions = Vec::with_capacity(rows.len());
    for (key, cell) in rows {
        let version = key.get(prefix.len()..).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let version = version.ok_or_else(|| corrupt("schema history", "its key has no version".to_owned()))?;
        let entry: Entry = decode(&cell.value, "schema history")?;
        versions.push(SchemaVersion { version, applied_micros: entry.applied_micros, sdl: entry.sdl });
    }
    Ok(versions)
}

async fn read<T: DeserializeOwned>(
    transaction: &mut Transaction,
    key: Key,
    what: &'static str,
) -> Result<Option<(T, Version)>> {
    let cell = transaction.get_many(Space::Meta, &[key]).await?.pop().flatten();
    cell.map(|cell| Ok((decode(&cell.value, what)?, cell.version))).transpose()
}

fn decode<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(what, error.to_string()))
}

fn corrupt(what: &'static str, detail: String) -> vivarium_consensus::Error {
    vivarium_storage::Error::Corrupt { what, path: PathBuf::new(), detail }.into()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("catalogs have no maps with keys that JSON cannot have")
}
