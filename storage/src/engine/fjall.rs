//! The only file that knows fjall: six keyspaces, batches, snapshots, flushes.
//!
//! A batch is atomic but not durable until [`Tables::persist`]; a table is never flushed ahead of the journal.

use super::damage::Damage;
use super::{doctor, keyspaces};
use crate::runtime::{buggify, mutant, sometimes};
use crate::{Error, Result};
use fjall::compaction::filter::{CompactionFilter, Context, Factory, ItemAccessor, Verdict};
use fjall::config::HashRatioPolicy;
use fjall::{AbstractTree, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Rotations that fjall can queue without workers before it blocks; see [`Tables::maintain`].
const ROTATIONS_MAX: u64 = 900;
/// Bytes of journals, which opening reads again: a second of it.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;
/// Memtables' worth of history that may gather before it is worth sweeping.
const SWEEP_MEMTABLES_MIN: u64 = 8;
/// Runs in the first level after which everything is merged, when there are no workers.
const RUNS_MAX: usize = 4;

/// Bytes that share memory with the store's own buffers.
#[derive(Clone, Default)]
pub struct Bytes {
    slice: fjall::Slice,
    start: usize,
}

impl Bytes {
    /// The same memory without its first `bytes`.
    pub(super) fn skip(&self, bytes: usize) -> Bytes {
        Bytes { slice: self.slice.clone(), start: self.start + bytes }
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.slice[self.start..]
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes { slice: bytes.into(), start: 0 }
    }
}

impl From<fjall::Slice> for Bytes {
    fn from(slice: fjall::Slice) -> Bytes {
        Bytes { slice, start: 0 }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

/// One of the six keyspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Meta = 0,
    Document = 1,
    DocumentHistory = 2,
    Index = 3,
    IndexHistory = 4,
    KeyValue = 5,
}

impl Table {
    pub const ALL: [Table; 6] =
        [Table::Meta, Table::Document, Table::DocumentHistory, Table::Index, Table::IndexHistory, Table::KeyValue];

    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Document => "doc",
            Table::DocumentHistory => "hist",
            Table::Index => "idx",
            Table::IndexHistory => "hidx",
            Table::KeyValue => "kv",
        }
    }
    /// How checkpoints name it. For ever: docs/format.md.
    pub fn tag(self) -> u8 {
        self as u8 + 1
    }
    pub fn holds_history(self) -> bool {
        matches!(self, Table::DocumentHistory | Table::IndexHistory)
    }
}

/// How tables are opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableOptions {
    pub workers: usize,
    pub block_cache_bytes: u64,
    pub memtable_bytes: u64,
}

pub(super) struct Tables {
    /// What reads found damaged.
    pub damage: Damage,
    dir: Arc<Path>,
    keyspaces: Vec<Keyspace>,
    database: Database,
    options: TableOptions,
    rotations: AtomicU64,
    /// History rows that ended at or before this version may be dropped by a compaction.
    droppable: Arc<AtomicU64>,
    sweeps: Mutex<Vec<Sweep>>,
}

/// The last time that all of a history table was rewritten without what may be dropped.
struct Sweep {
    table: Table,
    bytes: u64,
    version: u64,
}

/// A consistent view of all tables.
pub(super) struct View(fjall::Snapshot);

/// Writes that become visible together.
pub(super) struct Batch(OwnedWriteBatch);

/// Rows of a range, from both ends.
pub(super) struct Rows {
    rows: fjall::Iter,
    damage: Damage,
    dir: Arc<Path>,
}

impl Tables {
    /// Opens or creates the tables in `dir`.
    pub fn open(dir: &Path, options: TableOptions) -> Result<Tables> {
        let keyspaces = keyspaces::settle(dir)?;
        let journal = if mutant("doctor-01") { doctor::Journal::default() } else { doctor::repair(dir)? };
        keyspaces::check(&keyspaces)?;
        let droppable = Arc::new(AtomicU64::new(0));
        let filter = Arc::new(DropEnded { droppable: droppable.clone() });
        let database = Database::builder(dir)
            .worker_threads_unchecked(options.workers)
            .cache_size(options.block_cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .with_compaction_filter_factories(Arc::new(move |name| {
                let history = Table::ALL.iter().any(|table| table.name() == name && table.holds_history());
                history.then(|| filter.clone() as Arc<dyn Factory>)
            }))
            .open()
            .map_err(|error| translate(error, dir))?;
        let open = |table: &Table| {
            database
                .keyspace(table.name(), || keyspace_options(*table, &options))
                .map_err(|error| translate(error, dir))
        };
        let keyspaces = Table::ALL.iter().map(open).collect::<Result<Vec<_>>>()?;
        let sweeps = [Table::DocumentHistory, Table::IndexHistory].map(|table| Sweep { table, bytes: 0, version: 0 });
        let tables = Tables {
            damage: Damage::none(),
            dir: dir.into(),
            keyspaces,
            database,
            options,
            rotations: AtomicU64::new(0),
            droppable,
            sweeps: Mutex::new(sweeps.into()),
        };
        let flushed = tables.keyspaces.iter().filter_map(|keyspace| keyspace.tree.get_highest_persisted_seqno()).max();
        if let (Some(flushed), Some(kept)) = (flushed, journal.last_sequence)
            && flushed > kept
        {
            let detail = format!("batches up to {flushed} are in tables, but the journal ends at {kept}");
            return Err(Error::Corrupt { what: "journal", path: dir.into(), detail });
        }
        Ok(tables)
    }
    fn keyspace(&self, table: Table) -> &Keyspace {
        &self.keyspaces[table as usize]
    }
    pub fn view(&self) -> View {
        View(self.database.snapshot())
    }
    pub fn get(&self, view: &View, table: Table, key: &[u8]) -> Result<Option<Bytes>> {
        let found = view.0.get(self.keyspace(table), key);
        // A planted bug: a row that cannot be read is taken for absent.
        if found.is_err() && mutant("disk-09") {
            return Ok(None);
        }
        Ok(found.map_err(|error| self.translate(error))?.map(Bytes::from))
    }
    /// Rows from `start` (included) to `end` (excluded).
    pub fn range(&self, view: &View, table: Table, start: &[u8], end: &[u8]) -> Rows {
        // A range that ends before it begins would panic.
        let end = end.max(start);
        self.rows(view.0.range(self.keyspace(table), start..end))
    }
    pub fn all(&self, view: &View, table: Table) -> Rows {
        self.rows(view.0.iter(self.keyspace(table)))
    }
    fn rows(&self, rows: fjall::Iter) -> Rows {
        Rows { rows, damage: self.damage.clone(), dir: self.dir.clone() }
    }
    fn translate(&self, error: fjall::Error) -> Error {
        let error = translate(error, &self.dir);
        self.damage.note(&error);
        error
    }
    pub fn batch(&self) -> Batch {
        Batch(self.database.batch().durability(Some(PersistMode::Buffer)))
    }
    pub fn put(&self, batch: &mut Batch, table: Table, key: &[u8], value: &[u8]) {
        batch.0.insert(self.keyspace(table), key, value);
    }
    pub fn remove(&self, batch: &mut Batch, table: Table, key: &[u8]) {
        batch.0.remove(self.keyspace(table), key);
    }
    /// Makes a batch visible. It is durable after the next [`Tables::persist`].
    pub fn commit(&self, batch: Batch) -> Result<()> {
        batch.0.commit().map_err(|error| self.translate(error))
    }
    pub fn persist(&self) -> Result<()> {
        self.database.persist(PersistMode::SyncAll).map_err(|error| self.translate(error))
    }
    /// Allows history that ended at or before `version` to be dropped. The caller has made durable that it is not read.
    pub fn allow_dropping(&self, version: u64) {
        self.droppable.fetch_max(version, Ordering::Release);
    }
    /// Rewrites history tables that have doubled since the last time, without what may be dropped. Ordinary
    /// compactions drop it too, but only where something new comes in between.
    pub fn sweep(&self) -> Result<()> {
        let droppable = self.droppable.load(Ordering::Acquire);
        for sweep in self.sweeps.lock().expect("nothing panics while it sweeps").iter_mut() {
            let keyspace = self.keyspace(sweep.table);
            let due = 2 * sweep.bytes + SWEEP_MEMTABLES_MIN * self.options.memtable_bytes;
            if droppable > sweep.version && keyspace.disk_space() > due {
                keyspace.major_compact().map_err(|error| self.translate(error))?;
                sweep.bytes = keyspace.disk_space();
                sweep.version = droppable;
            }
        }
        Ok(())
    }
    /// Flushes and compacts what is due, on the caller's thread. Only for tables without workers.
    pub fn maintain(&self) -> Result<()> {
        if self.options.workers > 0 {
            return Ok(());
        }
        for keyspace in &self.keyspaces {
            let full = keyspace.tree.active_memtable().size() >= self.options.memtable_bytes;
            // Every rotation queues a message that no worker takes; the queue blocks when it is full.
            if full && self.rotations.fetch_add(1, Ordering::Relaxed) < ROTATIONS_MAX {
                // A table must never hold what the journal may lose.
                self.persist()?;
                keyspace.rotate_memtable().map_err(|error| self.translate(error))?;
            }
            if keyspace.tree.sealed_memtable_count() > 0 {
                sometimes("a memtable is flushed");
                let lock = keyspace.tree.get_flush_lock();
                keyspace.tree.flush(&lock, 0).map_err(|error| self.translate(error.into()))?;
            }
            let runs = keyspace.tree.l0_run_count();
            if runs >= RUNS_MAX || runs > 1 && buggify("buggify: tables are merged early") {
                sometimes("tables are merged");
                keyspace.major_compact().map_err(|error| self.translate(error))?;
            }
        }
        self.sweep()
    }
    /// Adds rows whose keys ascend, all greater than those before. They become visible, and durable, all at once.
    pub fn fill(&self, table: Table, rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<()> {
        let translate = |error| self.translate(error);
        let mut ingestion = self.keyspace(table).start_ingestion().map_err(translate)?;
        for (key, value) in rows {
            ingestion.write(key, value).map_err(translate)?;
        }
        ingestion.finish().map_err(translate)
    }
    pub fn disk_bytes(&self) -> u64 {
        self.database.disk_space().unwrap_or(0)
    }
    pub fn approximate_rows(&self, table: Table) -> u64 {
        self.keyspace(table).approximate_len() as u64
    }
}

impl Rows {
    fn read(&self, guard: fjall::Guard) -> Result<(Bytes, Bytes)> {
        let (key, value) = guard.into_inner().map_err(|error| self.translate(error))?;
        Ok((key.into(), value.into()))
    }
    /// The key of the next row. Its value is not touched.
    pub fn next_key(&mut self) -> Option<Result<Bytes>> {
        let key = self.rows.next()?.key();
        Some(key.map(Bytes::from).map_err(|error| self.translate(error)))
    }
    fn translate(&self, error: fjall::Error) -> Error {
        let error = translate(error, &self.dir);
        self.damage.note(&error);
        error
    }
}

impl Iterator for Rows {
    type Item = Result<(Bytes, Bytes)>;
    fn next(&mut self) -> Option<Self::Item> {
        let guard = self.rows.next()?;
        Some(self.read(guard))
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        let guard = self.rows.next_back()?;
        Some(self.read(guard))
    }
}

/// Drops history rows that ended at or before a version. Their keys end with the version at which they ended,
/// and each is written once, so that nothing older can come to light.
struct DropEnded {
    droppable: Arc<AtomicU64>,
}

impl Factory for DropEnded {
    fn name(&self) -> &str {
        "ended history"
    }
    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(DropEndedBefore(self.droppable.load(Ordering::Acquire)))
    }
}

struct DropEndedBefore(u64);

impl CompactionFilter for DropEndedBefore {
    fn filter_item(
        &mut self,
        item: ItemAccessor<'_>,
        _: &Context,
    ) -> fjall::compaction::filter::CompactionFilterResult {
        let ended = super::cell::history_end(item.key());
        Ok(if ended.is_some_and(|ended| ended.0 <= self.0) { Verdict::Destroy } else { Verdict::Keep })
    }
}

fn keyspace_options(table: Table, options: &TableOptions) -> KeyspaceCreateOptions {
    let memtable_bytes = if options.workers == 0 { u64::MAX } else { options.memtable_bytes };
    let keyspace = KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes);
    match table {
        // Read by exact key more than by range: a hash index within blocks spares the binary search.
        Table::Document | Table::KeyValue | Table::Meta => {
            keyspace.data_block_hash_ratio_policy(HashRatioPolicy::all(0.75))
        }
        Table::Index | Table::DocumentHistory | Table::IndexHistory => keyspace,
    }
}

fn translate(error: fjall::Error, dir: &Path) -> Error {
    let corrupt = |what, detail| Error::Corrupt { what, path: dir.into(), detail };
    match error {
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source))
            if matches!(source.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            corrupt("table", format!("it ends too early or makes no sense: {source}"))
        }
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => {
            Error::Io { action: "use", path: dir.into(), source }
        }
        fjall::Error::Poisoned => Error::Stopped("an earlier write of the store failed".into()),
        fjall::Error::Locked => Error::Locked { path: dir.into() },
        fjall::Error::InvalidVersion(_) => {
            Error::Foreign { path: dir.into(), detail: "its tables are of another version".into() }
        }
        fjall::Error::Storage(error) => corrupt("table", format!("{error:?}")),
        fjall::Error::JournalRecovery(error) => corrupt("journal", format!("{error:?}")),
        error => corrupt("store", format!("{error:?}")),
    }
}
