//! A transaction: one snapshot, a footprint of what was read, buffered writes, one commit.
//!
//! Reads see the snapshot and the transaction's own writes. Nothing is visible to others before commit.

use crate::cluster::{self, Commission};
use crate::command::{Draft, Write};
use crate::footprint::Footprint;
use crate::node::Inner;
use crate::outcome;
use crate::overlay::{Overlay, own};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use vivarium_storage::engine::{Bytes, Scan, catalog_key};
use vivarium_storage::key::{KEY_BYTES_MAX, successor};
use vivarium_storage::runtime::{Instant, mutant, sometimes, spawn};
use vivarium_storage::{Cell, DatabaseId, Key, KeyRange, Snapshot, Space, Version};

/// Which snapshot a transaction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// No older than any commit acknowledged before the transaction began.
    Strong,
    /// This node's newest, at once.
    Stale,
    /// This node's newest, when it has everything that was acknowledged so long ago or earlier; otherwise it
    /// catches up first. Measured with this node's own clock, from before it last asked the leader.
    Within(Duration),
    /// Exactly this version; waits until it is applied.
    At(Version),
    /// This version or a newer one; waits until it is applied.
    AtLeast(Version),
}

/// What a client names a mutation by, so that a retry returns the first answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(
    /// Scope and key as the client gave it, hashed by the caller to at most 64 bytes.
    pub Vec<u8>,
);

/// What is remembered of a mutation that carried an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it committed.
    pub version: Version,
    /// What the caller asked to be remembered: see [`CommitOptions::answer`].
    pub answer: Vec<u8>,
}

/// What goes with a commit.
#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// Makes a second commit under the same key return the first one's outcome.
    pub idempotency: Option<IdempotencyKey>,
    /// Opaque bytes that are kept with the key for [`IDEMPOTENCY_MINUTES`].
    pub answer: Vec<u8>,
}

/// How long outcomes are remembered at least.
pub const IDEMPOTENCY_MINUTES: u64 = 24 * 60;
/// The most that one transaction writes: an entry must fit into memory many times over, on every node.
pub const TRANSACTION_BYTES_MAX: usize = 16 << 20;

/// A transaction. Dropping it without committing leaves nothing behind.
pub struct Transaction {
    node: Arc<Inner>,
    snapshot: Arc<Snapshot>,
    version: Version,
    is_newest: bool,
    writes: Overlay,
    footprint: Footprint,
    recording: bool,
    batches: u64,
}

impl Transaction {
    /// The version of cells that this transaction wrote itself and that are not committed yet.
    pub const OWN: Version = Version(u64::MAX);

    pub(crate) fn new(node: Arc<Inner>, snapshot: Arc<Snapshot>, version: Version, is_newest: bool) -> Transaction {
        Transaction {
            node,
            snapshot,
            version,
            is_newest,
            writes: Overlay::default(),
            footprint: Footprint::default(),
            recording: true,
            batches: 0,
        }
    }

    /// How many batches it has read: what an operation costs whatever their width, told when its plan is analyzed.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// The version that it reads.
    pub fn version(&self) -> Version {
        self.version
    }

    /// True when its snapshot is known to be no older than any commit acknowledged before it began. One that is not
    /// may commit all the same: then the leader has seen that nothing that it read was written since. But what it
    /// read counts for nothing unless it commits a write.
    pub fn is_newest(&self) -> bool {
        self.is_newest
    }

    /// The commit that last changed the catalog of `database`, as of the snapshot. Joins the footprint, so
    /// that a commit planned under an older catalog conflicts.
    pub fn catalog_version(&mut self, database: DatabaseId) -> Version {
        if self.recording && !mutant("schema-01") {
            self.footprint.key(Space::Meta, &catalog_key(database));
        }
        self.snapshot.catalog_version(database)
    }

    /// How many snapshots of the store somebody holds, its own and the newest included.
    pub fn snapshots_held(&self) -> usize {
        self.node.store.snapshots_held()
    }

    /// From here on reads are not recorded: for read-only operations, which need no validation.
    pub fn read_only(&mut self) {
        assert!(self.writes.is_empty(), "a read-only transaction has no writes");
        self.recording = false;
    }

    /// The cells of `keys`, in the order of `keys`, own writes included. Sorted keys are fetched fastest.
    /// A cell that this transaction wrote itself has version [`Transaction::OWN`].
    ///
    /// # Errors
    /// `VersionGone`, `Storage`, `Reopened` (run again).
    pub async fn get_many(&mut self, space: Space, keys: &[Key]) -> Result<Vec<Option<Cell>>> {
        self.node.progress.check_reads()?;
        self.batches += 1;
        if self.recording {
            keys.iter().for_each(|key| self.footprint.key(space, key));
        }
        let cells = self.snapshot.get_many(space, keys, self.version);
        let mut cells = cells.map_err(|error| self.refused(error))?;
        if !self.writes.is_untouched(space) {
            for (key, cell) in keys.iter().zip(&mut cells) {
                if let Some(written) = self.writes.get(space, key) {
                    *cell = written.map(own);
                }
            }
        }
        Ok(cells)
    }

    /// The rows of each scan, own writes included. Only what was really looked at joins the footprint.
    ///
    /// # Errors
    /// As [`Transaction::get_many`].
    pub async fn scan_many(&mut self, space: Space, scans: &[Scan]) -> Result<Vec<Vec<(Bytes, Cell)>>> {
        self.node.progress.check_reads()?;
        self.batches += 1;
        let all = if self.writes.is_untouched(space) {
            self.snapshot.scan_many(space, scans, self.version).map_err(|error| self.refused(error))?
        } else {
            scans.iter().map(|scan| self.scan_over_writes(space, scan)).collect::<Result<Vec<_>>>()?
        };
        if self.recording && !mutant("txn-03") {
            for (scan, rows) in scans.iter().zip(&all) {
                self.footprint.range(space, looked_at(scan, rows));
            }
        }
        Ok(all)
    }

    /// Calls `visit` with the key of each row of a scan, own writes included. Gives the last one when the scan ended
    /// at its limit. What was visited joins the footprint.
    ///
    /// # Errors
    /// As [`Transaction::get_many`].
    pub async fn visit_keys(
        &mut self,
        space: Space,
        scan: &Scan,
        visit: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Option<Bytes>> {
        self.node.progress.check_reads()?;
        self.batches += 1;
        let last = if self.writes.is_untouched(space) {
            self.snapshot.visit_keys(space, scan, self.version, visit).map_err(|error| self.refused(error))?
        } else {
            let rows = self.scan_over_writes(space, scan)?;
            rows.iter().for_each(|(key, _)| visit(key));
            rows.last().filter(|_| rows.len() == scan.limit).map(|(key, _)| key.clone())
        };
        if self.recording && !mutant("txn-03") {
            let mut range = scan.range.clone();
            match &last {
                Some(last) if scan.reverse => range.start = (**last).into(),
                Some(last) => range.end = successor(last),
                None => {}
            }
            self.footprint.range(space, range);
        }
        Ok(last)
    }

    fn scan_over_writes(&self, space: Space, scan: &Scan) -> Result<Vec<(Bytes, Cell)>> {
        if scan.limit == 0 || scan.range.is_empty() {
            return Ok(Vec::new());
        }
        let widened = self.writes.widened(space, scan);
        let stored = self.snapshot.scan(space, &widened, self.version).map_err(|error| self.refused(error))?;
        let rows: vivarium_storage::Result<Vec<_>> = self.writes.merge(space, scan, stored).take(scan.limit).collect();
        rows.map_err(|error| self.refused(error))
    }

    /// What storage says of a read, in this crate's words.
    fn refused(&self, error: vivarium_storage::Error) -> Error {
        match error {
            vivarium_storage::Error::HistoryGone { version, watermark } => {
                Error::VersionGone { version, oldest: watermark }
            }
            vivarium_storage::Error::Corrupt { .. } if self.node.healing.heals(&self.node.store) => Error::Reopened,
            other => Error::Storage(other),
        }
    }

    /// Buffers a write.
    pub fn put(&mut self, space: Space, key: Key, value: Vec<u8>) {
        self.write(space, key, Some(value));
    }

    /// Buffers a removal.
    pub fn delete(&mut self, space: Space, key: Key) {
        self.write(space, key, None);
    }

    fn write(&mut self, space: Space, key: Key, value: Option<Vec<u8>>) {
        assert!(self.recording, "a read-only transaction writes nothing");
        assert!(!key.is_empty(), "every key has a first byte");
        self.writes.write(space, key, value);
    }

    /// True when there is nothing to commit.
    pub fn is_read_only(&self) -> bool {
        self.writes.is_empty()
    }

    /// Commits all writes or none, and returns when they are durable on a majority and applied here.
    /// Without writes and without an idempotency key it validates nothing and returns the snapshot's version.
    /// With a key that has an outcome already it writes nothing and returns that outcome.
    ///
    /// # Errors
    /// `Conflict` and `Reopened` (nothing written: run again), `Unavailable` and `DeadlineExceeded` (nothing written),
    /// `UnknownOutcome` (the deadline passed or the node stopped after the log had taken the commit over: ask
    /// [`crate::Node::outcome`]), `TooLarge`, `Stopped` (nothing written), `Storage` for a key that is too long.
    pub async fn commit(self, options: CommitOptions, deadline: Instant) -> Result<Outcome> {
        let CommitOptions { idempotency, answer } = options;
        if self.writes.is_empty() && idempotency.is_none() {
            return Ok(Outcome { version: self.version, answer });
        }
        self.node.progress.check()?;
        if let Some(key) = &idempotency
            && let Some(earlier) = self.earlier_outcome(key)?
        {
            sometimes("a retry finds its first outcome");
            return Ok(earlier);
        }
        let bytes = self.writes.bytes() + answer.len();
        let limit = self.node.transaction_bytes_max;
        if bytes > limit {
            return Err(Error::TooLarge { bytes, limit });
        }
        let draft = self.draft(idempotency.as_ref().map(|key| (key, &answer[..])))?;
        let Transaction { node, version: snapshot, writes, mut footprint, snapshot: read, .. } = self;
        if mutant("res-01") {
            spawn("leak", std::future::pending()).detach();
        }
        if mutant("res-03") {
            std::mem::forget(Arc::clone(&read));
        }
        // What it read it needs no more, and the commit may wait for long.
        drop(read);
        let keyed = idempotency.is_some();
        let written = writes.into_keys();
        if mutant("txn-01") {
            footprint.forget(&written);
        }
        let commission = Commission { snapshot, footprint, written, draft, keyed };
        let outcome = cluster::commit(&node, commission, deadline).await?;
        // Without a key nothing is remembered, and the answer is the one that was just given.
        Ok(if keyed { outcome } else { Outcome { answer, ..outcome } })
    }

    fn earlier_outcome(&self, key: &IdempotencyKey) -> Result<Option<Outcome>> {
        if mutant("txn-06") {
            return Ok(None);
        }
        // The newest snapshot, not this transaction's: the first try may have committed since.
        let newest = self.node.store.snapshot();
        let remembered = outcome::find(&newest, key)?;
        Ok(remembered.filter(|remembered| remembered.expiry > newest.version()).map(|remembered| remembered.outcome))
    }

    fn draft(&self, idempotency: Option<(&IdempotencyKey, &[u8])>) -> Result<Draft> {
        let mut writes = Vec::new();
        for (space, key, value) in self.writes.iter() {
            if key.len() > KEY_BYTES_MAX {
                return Err(vivarium_storage::Error::KeyTooLong { bytes: key.len(), limit: KEY_BYTES_MAX }.into());
            }
            writes.push(Write { space, key, value });
        }
        Ok(Draft::commit(self.version, &writes, idempotency))
    }
}

/// The part of a scan's range that its rows vouch for: with a limit, up to the last row.
fn looked_at(scan: &Scan, rows: &[(Bytes, Cell)]) -> KeyRange {
    let mut range = scan.range.clone();
    if rows.len() >= scan.limit {
        match rows.last() {
            None => range.end = range.start.clone(),
            Some((last, _)) if scan.reverse => range.start = (**last).into(),
            Some((last, _)) => range.end = successor(last),
        }
    }
    range
}
