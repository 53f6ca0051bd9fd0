//! The store: the newest version of every cell and the earlier ones that are still kept.
//!
//! Invariant: the store is at one exact [`Position`] of the log; a snapshot sees all of it and nothing later.

mod cache;
mod cell;
mod checkpoint;
mod damage;
mod doctor;
mod fjall;
mod keyspaces;
mod ranges;
mod snapshot;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod verify;

use crate::{DatabaseId, Key, KeyRange, Version};
use fjall::Table;
use serde::{Deserialize, Serialize};

pub use cell::Cell;
pub use checkpoint::{Export, Restore};
pub use fjall::Bytes;
pub use snapshot::{ScanRows, Snapshot};
pub use store::Store;
pub use verify::{TableVerification, Verification};

/// Where keys of [`Space::Meta`] begin; what sorts before is the store's own.
const META_OWN_END: &[u8] = &[1];
/// What the key of a catalog begins with.
const CATALOG: u8 = 1;

/// What a key belongs to. Newest versions live in one keyspace, earlier ones in another beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Space {
    /// Catalog, sequences, idempotency outcomes: `meta`. No history.
    Meta = 1,
    /// Documents: `doc` and `hist`.
    Document = 2,
    /// Index entries and links of n-m relations: `idx` and `hidx`.
    Index = 3,
    /// Key-value pairs: `kv`. No history.
    KeyValue = 4,
}

impl Space {
    fn newest(self) -> Table {
        match self {
            Space::Meta => Table::Meta,
            Space::Document => Table::Document,
            Space::Index => Table::Index,
            Space::KeyValue => Table::KeyValue,
        }
    }
    fn history(self) -> Option<Table> {
        match self {
            Space::Document => Some(Table::DocumentHistory),
            Space::Index => Some(Table::IndexHistory),
            Space::Meta | Space::KeyValue => None,
        }
    }
}

/// A place in the log, as the store remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The index of the last entry that is applied.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The version of the last commit at or before it.
    pub version: Version,
}

/// One unconditional write of a committed entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// Where.
    pub space: Space,
    /// Which key.
    pub key: Key,
    /// The new value; `None` removes the key.
    pub value: Option<Box<[u8]>>,
}

/// One log entry as the store applies it.
#[derive(Clone, Debug)]
pub struct Apply<'a> {
    /// Where the entry stands. `version` repeats the earlier one when the entry wrote nothing.
    pub position: Position,
    /// Its writes; each key at most once.
    pub mutations: &'a [Mutation],
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Threads for flush and compaction; 0 leaves both to [`Store::maintain`], as simulation does.
    pub workers: usize,
    /// Bytes of documents and blocks kept in memory.
    pub cache_bytes: u64,
    /// Bytes a memtable may hold before it is flushed.
    pub memtable_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions { workers: 2, cache_bytes: 64 << 20, memtable_bytes: 16 << 20 }
    }
}

/// What a store takes up.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Documents kept, approximately.
    pub documents: u64,
    /// Reads answered from the document cache since opening.
    pub cache_hits: u64,
    /// Reads that went to the tables since opening.
    pub cache_misses: u64,
}

/// Which way a scan runs, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The keys to look at.
    pub range: KeyRange,
    /// From the end backwards.
    pub reverse: bool,
    /// At most so many rows.
    pub limit: usize,
}

/// The key of a database's catalog in [`Space::Meta`]: `[1][database]`.
pub fn catalog_key(database: DatabaseId) -> Key {
    [&[CATALOG][..], &database.0.to_be_bytes()].concat().into()
}
