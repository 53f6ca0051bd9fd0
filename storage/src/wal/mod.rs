//! The log: one append-only segmented file sequence per node, shared by all Raft groups on it.
//!
//! A record that was reported durable is read back byte for byte or the log refuses to open.

mod group;
mod record;
mod recovery;
mod segment;
mod shared;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod writer;

use crate::Result;
use crate::runtime::{self, Runtime};
use record::Item;
use shared::Shared;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use writer::Writer;

/// A Raft group on this node. At stage 1 there is one, number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// What a record says. Tags are for ever: docs/format.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An entry of the group's log.
    Entry {
        /// Its Raft term.
        term: u64,
        /// Its place; one more than the entry before, unless a suffix was truncated.
        index: u64,
        /// Opaque to the log.
        payload: Vec<u8>,
    },
    /// The group's hard state (term, vote, commit), opaque to the log. The last one counts.
    HardState {
        /// Opaque to the log.
        payload: Vec<u8>,
    },
    /// Entries from `index` on are void: a leader wrote others.
    TruncateSuffix {
        /// The first entry that goes.
        index: u64,
    },
    /// Entries up to and including `index` are in a durable store and may be deleted.
    PurgePrefix {
        /// The last entry that goes.
        index: u64,
        /// Its term.
        term: u64,
    },
    /// The group's state up to and including `index` came as a checkpoint; the log goes on after it.
    Checkpoint {
        /// The last entry that the checkpoint holds.
        index: u64,
        /// Its term.
        term: u64,
        /// Opaque to the log: the Raft configuration at that point.
        payload: Vec<u8>,
    },
}

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct WalOptions {
    /// Bytes of a segment, zero-filled ahead so that fdatasync carries no metadata. 64 MiB.
    pub segment_bytes: u64,
    /// Newest segments whose entries nobody purges, so that nodes which are a little behind need no checkpoint. 2.
    pub segments_kept: u32,
    /// Bytes of newest entries kept in memory.
    pub cache_bytes: usize,
    /// Bytes of records that may wait for the writer before [`Wal::append`] is refused with [`crate::Error::Busy`].
    pub queue_bytes_max: usize,
}

impl Default for WalOptions {
    fn default() -> WalOptions {
        // The queue's bound is a second of a slow disk; the cache serves followers that are close behind.
        WalOptions { segment_bytes: 64 << 20, segments_kept: 2, cache_bytes: 32 << 20, queue_bytes_max: 64 << 20 }
    }
}

/// What one group left in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last hard state.
    pub hard_state: Option<Vec<u8>>,
    /// The last purged or checkpointed entry as (index, term); (0, 0) when none was.
    pub first: (u64, u64),
    /// The configuration of the last checkpoint record.
    pub checkpoint: Option<Vec<u8>>,
    /// The last entry as (index, term); equal to `first` when the log is empty.
    pub last: (u64, u64),
}

/// Called once, from any thread, when the records are durable or can never be.
pub type Completion = Box<dyn FnOnce(Result<()>) + Send>;

/// The log of one node. Cheap to clone.
#[derive(Clone)]
pub struct Wal {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    writing: Mutex<Option<Writing>>,
}

/// What runs the writer.
#[cfg(not(madsim))]
type Writing = std::thread::JoinHandle<()>;
#[cfg(madsim)]
type Writing = (runtime::Task, Arc<Mutex<Writer>>);

impl Wal {
    /// Opens or creates the log in `dir`, cuts a torn tail, and rebuilds the positions of all entries.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] for a bad record with a valid one after it.
    pub fn open(dir: &Path, options: WalOptions, runtime: &Runtime) -> Result<Wal> {
        assert!(options.queue_bytes_max < 1 << 31, "a batch is below 4 GiB");
        let mut opened = recovery::open(dir, &options, runtime)?;
        let groups = std::mem::take(&mut opened.groups);
        let unproven = opened.unproven.take();
        let shared = Arc::new(Shared::new(dir.into(), &options, groups, opened.segments.clone()));
        let mut writer = Writer::new(dir.into(), options.segment_bytes, opened, shared.clone());
        if let Some(unproven) = unproven {
            writer.repeat(&unproven)?;
        }
        let writing = write(writer, shared.clone(), runtime);
        Ok(Wal { inner: Arc::new(Inner { shared, writing: Mutex::new(Some(writing)) }) })
    }
    /// True when there is a log in `dir`, whole or not.
    ///
    /// # Errors
    /// [`crate::Error::Foreign`] when something else lies there, [`crate::Error::Io`].
    pub fn is_there(dir: &Path) -> Result<bool> {
        Ok(dir.exists() && !segment::list(dir)?.is_empty())
    }
    /// What a group left in the log, with what was appended since.
    pub fn recovered(&self, group: GroupId) -> Recovered {
        self.inner.shared.recovered(group)
    }
    /// Queues records, in order, and calls `done` when they are durable and, if they purge, segments are deleted.
    /// Never blocks: the writer takes all that waits, writes once, syncs once, completes all. After a failed
    /// write, fsync or deletion every completion, this one included, gets [`crate::Error::Stopped`]. When too much
    /// waits already, `done` gets [`crate::Error::Busy`] at once and nothing is queued.
    ///
    /// # Panics
    /// When an entry leaves a gap, or lies in the part that is purged.
    pub fn append(&self, group: GroupId, records: Vec<Record>, done: Completion) {
        let items = records.into_iter().map(|record| Item::new(group, record)).collect();
        if let Err((done, error)) = self.inner.shared.queue(items, done) {
            done(Err(error));
        }
    }
    /// Entries `range.start..range.end` as (index, term, payload), at most `bytes_max` of them but at least one.
    /// Entries that are queued but not yet durable are included. Empty when the log does not hold the first.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when a record fails its checksum on reading.
    pub fn entries(&self, group: GroupId, range: Range<u64>, bytes_max: u64) -> Result<Vec<(u64, u64, Vec<u8>)>> {
        self.inner.shared.entries(group, range, bytes_max)
    }
    /// The term of an entry, if the log has it, or of the last that was purged.
    pub fn term(&self, group: GroupId, index: u64) -> Option<u64> {
        self.inner.shared.term(group, index)
    }
    /// The last entry that is in none of the segments that are kept. Those up to it may be purged.
    pub fn last_unkept(&self, group: GroupId) -> u64 {
        self.inner.shared.last_unkept(group)
    }
    /// Bytes of segments on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.inner.shared.disk_bytes()
    }
    /// Fails when a write or an fsync has failed: then only a restart tells what is on disk.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub fn check(&self) -> Result<()> {
        self.inner.shared.stopped().map_or(Ok(()), |reason| Err(crate::Error::Stopped(reason)))
    }
    /// Stops the writer after what is queued. Later appends fail with [`crate::Error::Stopped`].
    pub fn close(&self) {
        self.inner.close();
    }
}

#[cfg(not(madsim))]
fn write(mut writer: Writer, shared: Arc<Shared>, _runtime: &Runtime) -> Writing {
    runtime::thread("log", move || {
        while shared.wait() {
            writer.turn();
        }
        writer.seal();
    })
}

#[cfg(madsim)]
fn write(writer: Writer, shared: Arc<Shared>, runtime: &Runtime) -> Writing {
    let writer = Arc::new(Mutex::new(writer));
    let (runtime, turning) = (runtime.clone(), writer.clone());
    let task = runtime::spawn("log", async move {
        while shared.wait().await {
            // What a write and an fsync take on a disk; the calls themselves take no virtual time.
            let micros = 100 + runtime.random() % 1_900;
            runtime::sleep(std::time::Duration::from_micros(micros)).await;
            turning.lock().expect("the writer does not panic").turn();
        }
    });
    (task, writer)
}

impl Inner {
    fn close(&self) {
        self.shared.close();
        let Some(writing) = self.writing.lock().expect("nothing panics while closing").take() else { return };
        #[cfg(not(madsim))]
        if writing.thread().id() != std::thread::current().id() {
            let ended = writing.join();
            assert!(ended.is_ok(), "the log's writer panicked");
        }
        #[cfg(madsim)]
        {
            let mut writer = writing.1.lock().expect("the writer does not panic");
            while self.shared.waits() {
                writer.turn();
            }
            writer.seal();
        }
    }
}

// In simulation a dropped log is a crashed one: it must leave the disk alone.
#[cfg(not(madsim))]
impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
