//! The newest cells of documents, in memory.
//!
//! A cell in here is the newest one of its key, or of a commit that is being published: it is right for every
//! snapshot at or after its version. A reader may add one only while no later apply has begun.

use super::Cell;
use super::fjall::Bytes;
use quick_cache::unsync;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Locks, so that readers on different cores rarely meet.
const SHARDS: usize = 16;
/// What an entry costs beside its key and its value.
const ENTRY_BYTES: usize = 96;
/// A guess at what a document takes, to size the tables of the cache.
const DOCUMENT_BYTES: u64 = 512;

type Shard = unsync::Cache<Box<[u8]>, Cell, Weigh, KeyHash>;

pub(super) struct DocumentCache {
    shards: Vec<Mutex<Shard>>,
    /// The number of the newest apply that has begun.
    applying: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The same in every process, unlike the standard one. Keys are short: no state to set up, one pass.
type KeyHash = BuildHasherDefault<OnePass>;

#[derive(Default)]
struct OnePass(u64);

impl Hasher for OnePass {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }
    fn write_usize(&mut self, number: usize) {
        self.0 ^= number as u64;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Clone)]
struct Weigh;

impl quick_cache::Weighter<Box<[u8]>, Cell> for Weigh {
    fn weight(&self, key: &Box<[u8]>, cell: &Cell) -> u64 {
        (key.len() + cell.value.len() + ENTRY_BYTES) as u64
    }
}

impl DocumentCache {
    pub fn new(bytes: u64) -> DocumentCache {
        let bytes = bytes / SHARDS as u64;
        let shard = || {
            let items = (bytes / DOCUMENT_BYTES) as usize;
            Mutex::new(unsync::Cache::with(items, bytes, Weigh, KeyHash::default(), Default::default()))
        };
        DocumentCache {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            applying: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }
    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let nth = (KeyHash::default().hash_one(key) >> 32) as usize % SHARDS;
        self.shards[nth].lock().expect("nothing panics while it holds a cache lock")
    }
    pub fn get(&self, key: &[u8]) -> Option<Cell> {
        let cell = self.shard(key).get(key).cloned();
        let counter = if cell.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        cell
    }
    /// As [`DocumentCache::get`], but counts as no use.
    pub fn peek(&self, key: &[u8]) -> Option<Cell> {
        self.shard(key).peek(key).cloned()
    }
    /// Keeps a cell that the snapshot published by apply number `apply` has as the newest of its key.
    pub fn add(&self, key: &[u8], cell: &Cell, apply: u64) {
        // A copy of its own: a slice of a block would keep all of the block in memory.
        let owned = Cell { version: cell.version, value: Bytes::from(&*cell.value) };
        let mut shard = self.shard(key);
        if self.applying.load(Ordering::SeqCst) == apply {
            shard.insert(key.into(), owned);
        }
    }
    /// Begins apply number `apply`: from now on readers of earlier snapshots add nothing.
    pub fn begin(&self, apply: u64) {
        self.applying.store(apply, Ordering::SeqCst);
    }
    /// Replaces a cell by a newer one, or forgets it, before the apply is published. Cells that nobody asked for stay out.
    pub fn replace(&self, key: &[u8], cell: Option<Cell>) {
        let mut shard = self.shard(key);
        match cell {
            Some(cell) if shard.contains_key(key) => shard.insert(key.into(), cell),
            _ => {
                shard.remove(key);
            }
        }
    }
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }
}
