//! The store: the newest version of every cell and the earlier ones that are still kept.
//!
//! Invariant: the store is at one exact [`Position`] of the log; a snapshot sees all of it and nothing later.

use crate::{DatabaseId, Key, KeyRange, Result, Version};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a value, shared with the store's own buffers.
pub type Bytes = fjall::Slice;

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

/// A value and the version that wrote it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The commit that wrote it.
    pub version: Version,
    /// What was written. Shares memory with the store: cheap to clone.
    pub value: Bytes,
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

/// The store of one node. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    _inner: Arc<()>,
}

impl Store {
    /// Opens or creates the store in `dir`: doctor, keyspaces, directory fsyncs, position.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when the journal is damaged in the middle: set the store aside with
    /// [`Store::set_aside`] and rebuild it from a checkpoint and the log.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Store> {
        let _ = (dir, options);
        todo!()
    }
    /// Moves a store that cannot be opened to a name beside it, and says which.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn set_aside(dir: &Path) -> Result<PathBuf> {
        let _ = dir;
        todo!()
    }
    /// The position that is applied.
    pub fn position(&self) -> Position {
        todo!()
    }
    /// Applies entries in order, in one batch, without fsync: after a crash the store is at the end of
    /// some earlier entry and the log replays the rest. Then publishes a new [`Store::snapshot`].
    ///
    /// # Errors
    /// Fatal ones only: the process stops.
    pub fn apply(&self, entries: &[Apply<'_>]) -> Result<()> {
        let _ = entries;
        todo!()
    }
    /// A view of everything that is applied. Costs a pointer.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        todo!()
    }
    /// Makes all that is applied durable, and returns the position that is.
    ///
    /// # Errors
    /// Fatal ones only.
    pub fn persist(&self) -> Result<Position> {
        todo!()
    }
    /// With 0 workers: flushes and compacts what is due, deterministically.
    ///
    /// # Errors
    /// Fatal ones only.
    pub fn maintain(&self) -> Result<()> {
        todo!()
    }
    /// Allows versions that ended at or before `version` to be dropped, and refuses reads below it.
    /// Called by the applier for a replicated watermark entry; durable with the next apply.
    pub fn set_watermark(&self, version: Version) {
        let _ = version;
        todo!()
    }
    /// Bytes on disk and entries, for status and metrics.
    pub fn usage(&self) -> Usage {
        todo!()
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

/// A view of the store at one version. Reads never block writes.
pub struct Snapshot {
    _private: (),
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

impl Snapshot {
    /// The newest commit that it sees.
    pub fn version(&self) -> Version {
        todo!()
    }
    /// The commit that last changed the catalog of `database` (cell [`catalog_key`]), as of this snapshot.
    pub fn catalog_version(&self, database: DatabaseId) -> Version {
        let _ = database;
        todo!()
    }
    /// The oldest version that can be read.
    pub fn watermark(&self) -> Version {
        todo!()
    }
    /// The cells of `keys` as of version `at`, in the order of `keys`. Sorted keys are fetched fastest.
    ///
    /// # Errors
    /// [`crate::Error::HistoryGone`] when `at` is below the watermark; [`crate::Error::Corrupt`].
    pub fn get_many(&self, space: Space, keys: &[Key], at: Version) -> Result<Vec<Option<Cell>>> {
        let _ = (space, keys, at);
        todo!()
    }
    /// Rows of a range as of version `at`, in key order (or reversed). The iterator reads as it goes.
    ///
    /// # Errors
    /// As [`Snapshot::get_many`], on opening or from any item.
    pub fn scan<'a>(
        &'a self,
        space: Space,
        scan: &Scan,
        at: Version,
    ) -> Result<Box<dyn Iterator<Item = Result<(Bytes, Cell)>> + Send + 'a>> {
        let _ = (space, scan, at);
        todo!()
    }
}

/// The key of a database's catalog in [`Space::Meta`]: `[1][database]`.
pub fn catalog_key(database: DatabaseId) -> Key {
    let _ = database;
    todo!()
}
