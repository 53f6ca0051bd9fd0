//! The log: one append-only segmented file sequence per node, shared by all Raft groups on it.
//!
//! A record that was reported durable is read back byte for byte or the log refuses to open.

use crate::Result;
use crate::runtime::Runtime;
use std::ops::Range;
use std::path::Path;

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
    /// Bytes of newest entries kept in memory.
    pub cache_bytes: usize,
    /// Records that may wait for the writer before [`Wal::append`] is refused.
    pub queue_bytes_max: usize,
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
    _private: (),
}

impl Wal {
    /// Opens or creates the log in `dir`, cuts a torn tail, and rebuilds the positions of all entries.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] for a bad record with a valid one after it.
    pub fn open(dir: &Path, options: WalOptions, runtime: &Runtime) -> Result<Wal> {
        let _ = (dir, options, runtime);
        todo!()
    }
    /// What a group left in the log.
    pub fn recovered(&self, group: GroupId) -> Recovered {
        let _ = group;
        todo!()
    }
    /// Queues records, in order, and calls `done` when they are durable. Never blocks: the writer takes
    /// all that waits, writes once, syncs once, completes all. After a failed write or fsync every
    /// completion, this one included, gets [`crate::Error::Stopped`].
    pub fn append(&self, group: GroupId, records: Vec<Record>, done: Completion) {
        let _ = (group, records, done);
        todo!()
    }
    /// Entries `range.start..range.end` as (term, payload), at most `bytes_max` of them but at least one.
    /// Entries that are queued but not yet durable are included.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when a record fails its checksum on reading.
    pub fn entries(&self, group: GroupId, range: Range<u64>, bytes_max: u64) -> Result<Vec<(u64, u64, Vec<u8>)>> {
        let _ = (group, range, bytes_max);
        todo!()
    }
    /// The term of an entry, if the log has it.
    pub fn term(&self, group: GroupId, index: u64) -> Option<u64> {
        let _ = (group, index);
        todo!()
    }
    /// Bytes of segments on disk.
    pub fn disk_bytes(&self) -> u64 {
        todo!()
    }
    /// Stops the writer after what is queued. Later appends fail with [`crate::Error::Stopped`].
    pub fn close(&self) {
        todo!()
    }
}
