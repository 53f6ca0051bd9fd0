//! The one way in: applies committed entries, publishes snapshots, keeps the store at an exact position.

use super::cache::DocumentCache;
use super::cell::{Cell, encode, history_key};
use super::damage;
use super::fjall::{Bytes, Table, TableOptions, Tables, View};
use super::snapshot::{Engine, Snapshot};
use super::{Apply, CATALOG, META_OWN_END, Position, Space, StoreOptions, Usage};
use crate::disk::{io, set_aside, sync_folder, sync_parent};
use crate::runtime::mutant;
use crate::{DatabaseId, Error, Result, Version};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
#[cfg(not(madsim))]
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// What the store writes about itself, in keys of `meta` that begin with 0.
const KEY_FORMAT: &[u8] = &[0, 1];
const KEY_POSITION: &[u8] = &[0, 2];
const KEY_WATERMARK: &[u8] = &[0, 3];
const FORMAT_VERSION: u32 = 1;

/// The store of one node. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    engine: Arc<Engine>,
    applier: Mutex<Applier>,
    published: Mutex<Arc<Snapshot>>,
    #[cfg(not(madsim))]
    sweeper: Option<Sweeper>,
}

/// The thread that drops old history where there are workers.
#[cfg(not(madsim))]
struct Sweeper {
    wake: Option<SyncSender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Who applies, and what that has led to.
struct Applier {
    watermark: Version,
    /// The watermark as far as it is durable.
    watermark_next: Version,
    stopped: Option<String>,
}

/// The effects of entries that are being applied, by table and key.
#[derive(Default)]
struct Pending {
    newest: BTreeMap<Table, BTreeMap<Box<[u8]>, Option<Cell>>>,
    history: Vec<(Table, Vec<u8>, Vec<u8>)>,
}

impl Store {
    /// Opens or creates the store in `dir`: doctor, keyspaces, directory fsyncs, position.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the journal is damaged in the middle, or the store was condemned: set the store aside with
    /// [`Store::set_aside`] and rebuild it from a checkpoint and the log.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Store> {
        damage::check_condemned(dir)?;
        let tables = open_tables(dir, &options)?;
        let view = tables.view();
        check_format(dir, &tables, &view)?;
        let position = match tables.get(&view, Table::Meta, KEY_POSITION)? {
            Some(row) => decode_position(&row).ok_or_else(|| corrupt(dir, "position"))?,
            None => Position::default(),
        };
        let watermark = match tables.get(&view, Table::Meta, KEY_WATERMARK)? {
            Some(row) => Version(u64::from_be_bytes((*row).try_into().map_err(|_| corrupt(dir, "watermark"))?)),
            None => Version::default(),
        };
        let catalogs = catalogs(&tables, &view)?;
        // What was read from the journal of a killed process may not have reached the disk.
        tables.persist()?;
        tables.allow_dropping(watermark.0);
        let documents = DocumentCache::new(options.cache_bytes / 2);
        let engine = Arc::new(Engine { tables, documents, life: watch::Sender::new(()) });
        let snapshot =
            Snapshot { engine: engine.clone(), view, position, watermark, catalogs: Arc::new(catalogs), apply: 0 };
        Ok(Store {
            inner: Arc::new(Inner {
                dir: dir.into(),
                #[cfg(not(madsim))]
                sweeper: (options.workers > 0).then(|| Sweeper::start(engine.clone())),
                engine,
                applier: Mutex::new(Applier { watermark, watermark_next: watermark, stopped: None }),
                published: Mutex::new(Arc::new(snapshot)),
            }),
        })
    }
    /// Moves a store that cannot be opened to a name beside it, and says which.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_aside(dir: &Path) -> Result<PathBuf> {
        set_aside(dir)
    }
    /// Lets no later opening use the store in `dir`, which may be open: it is then refused as corrupt, for this reason.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn condemn(dir: &Path, reason: &str) -> Result<()> {
        damage::condemn(dir, reason)
    }
    /// What reads found damaged since it was opened: tables are checked as they are read.
    pub fn damage(&self) -> Option<String> {
        self.inner.engine.tables.damage.found()
    }
    /// Resolves when reads find something damaged; to nothing when the store is closed before. Does not keep the store
    /// open itself.
    pub fn damaged(&self) -> impl Future<Output = Option<String>> + Send + use<> {
        self.inner.engine.tables.damage.wait()
    }
    /// The position that is applied.
    pub fn position(&self) -> Position {
        self.snapshot().position
    }
    /// Applies entries in order, in one batch, without fsync: after a crash the store is at the end of
    /// some earlier entry and the log replays the rest. Entries at or below [`Store::position`] are
    /// skipped. Then publishes a new [`Store::snapshot`].
    ///
    /// # Errors
    /// Fatal ones only: the process stops.
    ///
    /// # Panics
    /// When a commit is not later than what it overwrites, or a key of [`Space::Meta`] begins with 0.
    pub fn apply(&self, entries: &[Apply<'_>]) -> Result<()> {
        let mut applier = self.applier();
        if let Some(reason) = &applier.stopped {
            return Err(Error::Stopped(reason.clone()));
        }
        let before = self.snapshot();
        let fresh: Vec<_> = entries.iter().filter(|entry| entry.position.index > before.position.index).collect();
        let Some(last) = fresh.last() else { return Ok(()) };
        let outcome = self.apply_fresh(&mut applier, &before, &fresh, last.position);
        outcome.inspect_err(|error| applier.stopped = Some(error.to_string()))
    }
    fn apply_fresh(
        &self,
        applier: &mut Applier,
        before: &Snapshot,
        entries: &[&Apply<'_>],
        position: Position,
    ) -> Result<()> {
        let engine = &self.inner.engine;
        let mut pending = Pending::default();
        let mut catalogs = before.catalogs.clone();
        for entry in entries {
            for mutation in entry.mutations {
                pending.take(before, mutation, entry.position.version)?;
                if let Some(database) = catalog_database(mutation.space, &mutation.key) {
                    Arc::make_mut(&mut catalogs).insert(database, entry.position.version);
                }
            }
        }
        let mut batch = engine.tables.batch();
        // A planted bug: the position goes ahead of the cells, which may find the disk full.
        if mutant("disk-05") {
            engine.tables.put(&mut batch, Table::Meta, KEY_POSITION, &encode_position(position));
            engine.tables.commit(std::mem::replace(&mut batch, engine.tables.batch()))?;
        }
        for (table, cells) in &pending.newest {
            for (key, cell) in cells {
                match cell {
                    Some(cell) => engine.tables.put(&mut batch, *table, key, &encode(cell.version, &cell.value)),
                    None => engine.tables.remove(&mut batch, *table, key),
                }
            }
        }
        for (table, key, row) in &pending.history {
            engine.tables.put(&mut batch, *table, key, row);
        }
        let watermark = applier.watermark_next;
        if watermark > applier.watermark {
            engine.tables.put(&mut batch, Table::Meta, KEY_WATERMARK, &watermark.0.to_be_bytes());
        }
        engine.tables.put(&mut batch, Table::Meta, KEY_POSITION, &encode_position(position));
        let apply = before.apply + 1;
        engine.documents.begin(apply);
        engine.tables.commit(batch)?;
        for (key, cell) in pending.newest.remove(&Table::Document).into_iter().flatten() {
            engine.documents.replace(&key, cell);
        }
        applier.watermark = watermark;
        let view = engine.tables.view();
        let snapshot = Snapshot { engine: engine.clone(), view, position, watermark, catalogs, apply };
        *self.published() = Arc::new(snapshot);
        Ok(())
    }
    /// A view of everything that is applied. Costs a pointer.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published().clone()
    }
    /// How many snapshots somebody holds, the newest one included. Each keeps history from being dropped.
    pub fn snapshots_held(&self) -> usize {
        // Each holds the engine, and so does the store itself.
        Arc::strong_count(&self.inner.engine) - 1
    }
    /// Makes all that is applied durable, and returns the position that is.
    ///
    /// # Errors
    /// Fatal ones only.
    pub fn persist(&self) -> Result<Position> {
        let (position, watermark) = {
            let applier = self.applier();
            if let Some(reason) = &applier.stopped {
                return Err(Error::Stopped(reason.clone()));
            }
            (self.position(), applier.watermark)
        };
        let engine = &self.inner.engine;
        engine.tables.persist().inspect_err(|error| self.applier().stopped = Some(error.to_string()))?;
        // Only now: history that is dropped must not be asked for again after a crash.
        engine.tables.allow_dropping(watermark.0);
        #[cfg(not(madsim))]
        if let Some(sweeper) = &self.inner.sweeper {
            sweeper.wake();
        }
        Ok(position)
    }
    /// With 0 workers: flushes and compacts what is due, deterministically.
    ///
    /// # Errors
    /// Fatal ones only.
    pub fn maintain(&self) -> Result<()> {
        let mut applier = self.applier();
        self.inner.engine.tables.maintain().inspect_err(|error| applier.stopped = Some(error.to_string()))
    }
    /// Allows versions that ended at or before `version` to be dropped, and refuses reads below it.
    /// Called by the applier for a replicated watermark entry; takes effect, and becomes durable, with the
    /// next apply. A lower one than before has no effect.
    pub fn set_watermark(&self, version: Version) {
        let mut applier = self.applier();
        applier.watermark_next = applier.watermark_next.max(version);
    }
    /// Bytes on disk and entries, for status and metrics.
    pub fn usage(&self) -> Usage {
        let engine = &self.inner.engine;
        Usage {
            disk_bytes: engine.tables.disk_bytes(),
            documents: engine.tables.approximate_rows(Table::Document),
            cache_hits: engine.documents.hits(),
            cache_misses: engine.documents.misses(),
        }
    }
    /// Resolves when the last handle and the last snapshot are dropped, and nothing uses the store's files any
    /// more. Does not keep the store open itself.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut life = self.inner.engine.life.subscribe();
        async move { while life.changed().await.is_ok() {} }
    }
    /// Where it is kept.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }
    fn applier(&self) -> MutexGuard<'_, Applier> {
        self.inner.applier.lock().expect("an apply that panicked has stopped the node")
    }
    fn published(&self) -> MutexGuard<'_, Arc<Snapshot>> {
        self.inner.published.lock().expect("nothing panics while it publishes")
    }
}

#[cfg(not(madsim))]
impl Sweeper {
    fn start(engine: Arc<Engine>) -> Sweeper {
        let (wake, woken) = std::sync::mpsc::sync_channel(1);
        let thread = crate::runtime::thread("history", move || {
            while woken.recv().is_ok() {
                if let Err(error) = engine.tables.sweep() {
                    // Nothing is lost but space. If a write failed, fjall refuses the next apply.
                    tracing::error!(%error, "old history could not be dropped");
                }
            }
        });
        Sweeper { wake: Some(wake), thread: Some(thread) }
    }
    fn wake(&self) {
        if let Some(wake) = &self.wake {
            // When a wake-up waits already, one is enough.
            let _ = wake.try_send(());
        }
    }
}

#[cfg(not(madsim))]
impl Drop for Sweeper {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl Pending {
    /// Takes a write in, on top of those before it.
    fn take(&mut self, before: &Snapshot, mutation: &super::Mutation, version: Version) -> Result<()> {
        let (space, key) = (mutation.space, &mutation.key);
        assert!(
            space != Space::Meta || **key >= META_OWN_END[..],
            "keys of meta that begin with 0 are the store's own"
        );
        let table = space.newest();
        let cells = self.newest.entry(table).or_default();
        let old = match cells.get(key) {
            Some(cell) => cell.clone(),
            None => before.newest_for_apply(space, key)?,
        };
        if space == Space::Index && old.as_ref().map(|cell| &*cell.value) == mutation.value.as_deref() {
            return Ok(());
        }
        if let (Some(old), Some(history)) = (&old, space.history()) {
            assert!(old.version <= version, "commit {version} is older than {} that it overwrites", old.version);
            if old.version < version {
                self.history.push((history, history_key(key, version), encode(old.version, &old.value)));
            }
        }
        let new = mutation.value.as_deref().map(|value| Cell { version, value: Bytes::from(value) });
        if old.is_some() || new.is_some() {
            cells.insert(key.clone(), new);
        }
        Ok(())
    }
}

/// Tables that are being made beside the place where they belong.
pub(super) struct Making {
    unfinished: PathBuf,
    pub tables: Tables,
}

impl Making {
    /// Begins anew, whatever an earlier try left.
    pub fn begin(dir: &Path, options: &StoreOptions) -> Result<Making> {
        let unfinished = dir.with_extension("new");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(io("delete", &unfinished))?;
        }
        std::fs::create_dir_all(&unfinished).map_err(io("create", &unfinished))?;
        let tables = Tables::open(&unfinished, table_options(options))?;
        Ok(Making { unfinished, tables })
    }
    /// Makes everything durable and moves it into place.
    pub fn finish(self, dir: &Path) -> Result<()> {
        let Making { unfinished, tables } = self;
        let mut batch = tables.batch();
        tables.put(&mut batch, Table::Meta, KEY_FORMAT, &FORMAT_VERSION.to_be_bytes());
        tables.commit(batch)?;
        tables.persist()?;
        drop(tables);
        // fjall syncs neither: under strict rules whole keyspaces would vanish.
        sync_folder(&unfinished.join("keyspaces"))?;
        sync_folder(&unfinished)?;
        std::fs::rename(&unfinished, dir).map_err(io("rename", &unfinished))?;
        sync_parent(dir)
    }
}

fn table_options(options: &StoreOptions) -> TableOptions {
    TableOptions {
        workers: options.workers,
        block_cache_bytes: options.cache_bytes / 2,
        memtable_bytes: options.memtable_bytes,
    }
}

/// Opens the tables in `dir`. A new folder is made beside it and moved into place when it is whole.
fn open_tables(dir: &Path, options: &StoreOptions) -> Result<Tables> {
    if !dir.exists() {
        Making::begin(dir, options)?.finish(dir)?;
    }
    sync_parent(dir)?;
    Tables::open(dir, table_options(options))
}

/// Says at which place in the log tables that were filled from elsewhere stand.
pub(super) fn put_origin(tables: &Tables, position: Position, watermark: Version) -> Result<()> {
    let mut batch = tables.batch();
    tables.put(&mut batch, Table::Meta, KEY_POSITION, &encode_position(position));
    tables.put(&mut batch, Table::Meta, KEY_WATERMARK, &watermark.0.to_be_bytes());
    tables.commit(batch)
}

fn check_format(dir: &Path, tables: &Tables, view: &View) -> Result<()> {
    let found = tables.get(view, Table::Meta, KEY_FORMAT)?;
    match found.as_deref().map(<[u8; 4]>::try_from) {
        Some(Ok(version)) if u32::from_be_bytes(version) == FORMAT_VERSION => Ok(()),
        Some(Ok(version)) => {
            let found = u32::from_be_bytes(version);
            let detail = format!("store format {found}, this release reads {FORMAT_VERSION}");
            Err(Error::Foreign { path: dir.into(), detail })
        }
        Some(Err(_)) | None => Err(corrupt(dir, "format")),
    }
}

pub(super) fn encode_position(position: Position) -> [u8; 24] {
    let mut row = [0; 24];
    row[0..8].copy_from_slice(&position.index.to_be_bytes());
    row[8..16].copy_from_slice(&position.term.to_be_bytes());
    row[16..24].copy_from_slice(&position.version.0.to_be_bytes());
    row
}

pub(super) fn decode_position(row: &[u8]) -> Option<Position> {
    let number = |at: usize| Some(u64::from_be_bytes(row.get(at..at + 8)?.try_into().ok()?));
    let position = Position { index: number(0)?, term: number(8)?, version: Version(number(16)?) };
    (row.len() == 24).then_some(position)
}

/// The database whose catalog a cell is.
fn catalog_database(space: Space, key: &[u8]) -> Option<DatabaseId> {
    let database = key.strip_prefix(&[CATALOG]).filter(|_| space == Space::Meta)?;
    Some(DatabaseId(u32::from_be_bytes(database.try_into().ok()?)))
}

fn catalogs(tables: &Tables, view: &View) -> Result<BTreeMap<DatabaseId, Version>> {
    let mut catalogs = BTreeMap::new();
    for row in tables.range(view, Table::Meta, &[CATALOG], &[CATALOG + 1]) {
        let (key, row) = row?;
        if let Some(database) = catalog_database(Space::Meta, &key) {
            catalogs.insert(database, Cell::decode(&row)?.version);
        }
    }
    Ok(catalogs)
}

fn corrupt(dir: &Path, row: &str) -> Error {
    Error::Corrupt { what: "store", path: dir.into(), detail: format!("its {row} is missing or malformed") }
}
