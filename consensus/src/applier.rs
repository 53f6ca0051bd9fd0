//! The task that applies committed entries to the store, in order, all that queued in one batch.
//!
//! What it writes is a function of the log alone: every node's store goes through the same states.

use crate::command::{Command, Commit};
use crate::driver::{Letter, Mailbox, Ticket};
use crate::outcome::{self, Decision};
use crate::overlay::Overlay;
use crate::progress::{Progress, Sentinel};
use crate::raft::Payload;
use crate::{Outcome, Result};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use vivarium_storage::engine::{Apply, Position};
use vivarium_storage::runtime::{mutant, sometimes};
use vivarium_storage::{Error, Key, Mutation, Snapshot, Space, Store, Wal};

/// Bytes of entries that one batch of the store takes: what the store's journal writes at once.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Full segments of log that a store may be behind with what is durable in it.
const LOG_SEGMENTS_MAX: u64 = 4;
/// The key in [`Space::Meta`] of the voters: a format byte, then what raft-rs calls a `ConfState`.
const CONFIGURATION_KEY: u8 = 3;
const CONFIGURATION_FORMAT: u8 = 1;

/// A committed entry on its way into the store.
pub(crate) struct Work {
    pub index: u64,
    pub term: u64,
    /// A change of voters carries the voters that it leads to.
    pub payload: Payload,
    pub ticket: Option<Ticket>,
}

impl Work {
    /// What it weighs in the queue.
    pub fn bytes(&self) -> usize {
        size_of::<Work>()
            + match &self.payload {
                Payload::Nothing => 0,
                Payload::Command(bytes) | Payload::Configuration(bytes) => bytes.len(),
            }
    }
}

/// What an applier is made of.
pub(crate) struct Parts {
    pub store: Store,
    pub wal: Wal,
    pub progress: Arc<Progress>,
    pub mailbox: Mailbox,
    pub queue: mpsc::UnboundedReceiver<Vec<Work>>,
    /// Bytes of a segment of the log.
    pub segment_bytes: u64,
    /// True when nothing but the applier flushes and compacts the store.
    pub maintains: bool,
}

/// The task that applies.
pub(crate) struct Applier {
    parts: Parts,
    position: Position,
    bytes_since_checkpoint: u64,
}

/// An entry that is ready for the store.
struct Prepared {
    position: Position,
    mutations: Vec<Mutation>,
    answer: Option<(Ticket, Outcome)>,
}

impl Applier {
    /// An applier that goes on where the store is.
    pub fn new(parts: Parts) -> Applier {
        let position = parts.store.position();
        // A log that was left long is looked at after the first batch.
        Applier { parts, position, bytes_since_checkpoint: u64::MAX }
    }

    /// Runs until the driver has ended and all that it handed over is applied, or until an apply fails.
    pub async fn run(mut self) {
        let sentinel = Sentinel::new(self.parts.progress.clone(), "applier");
        while let Some(first) = self.parts.queue.recv().await {
            let mut batch = first;
            let mut bytes: usize = batch.iter().map(Work::bytes).sum();
            while bytes < BATCH_BYTES_MAX
                && let Ok(more) = self.parts.queue.try_recv()
            {
                bytes += more.iter().map(Work::bytes).sum::<usize>();
                batch.extend(more);
            }
            if let Err(error) = self.apply(batch, bytes) {
                self.parts.progress.stop(error.to_string());
                self.parts.mailbox.tell(Letter::Applied);
                break;
            }
        }
        sentinel.dismiss();
    }

    fn apply(&mut self, batch: Vec<Work>, bytes: usize) -> Result<()> {
        let snapshot = self.parts.store.snapshot();
        let mut outcomes = Overlay::default();
        let mut prepared = Vec::with_capacity(batch.len());
        for work in batch {
            let entry = self.prepare(work, &snapshot, &mut outcomes)?;
            self.position = entry.position;
            prepared.push(entry);
        }
        drop(snapshot);
        let applies: Vec<Apply<'_>> =
            prepared.iter().map(|entry| Apply { position: entry.position, mutations: &entry.mutations }).collect();
        if applies.len() > 1 {
            sometimes("entries are applied together");
        }
        self.parts.store.apply(&applies)?;
        self.parts.progress.unqueue(bytes);
        let driver_waits = self.parts.progress.advance(self.position);
        for (ticket, outcome) in prepared.into_iter().filter_map(|entry| entry.answer) {
            ticket.answer(Ok(outcome));
        }
        if driver_waits {
            self.parts.mailbox.tell(Letter::Applied);
        }
        if self.parts.maintains {
            self.parts.store.maintain()?;
        }
        self.shorten_log(bytes as u64)
    }

    fn prepare(&self, work: Work, snapshot: &Snapshot, outcomes: &mut Overlay) -> Result<Prepared> {
        let Work { index, term, payload, ticket } = work;
        assert!(index == self.position.index + 1, "entry {index} follows {}", self.position.index);
        let mut position = Position { index, term, version: self.position.version };
        let (mutations, outcome) = match payload {
            Payload::Nothing => (Vec::new(), None),
            Payload::Configuration(voters) => (vec![configuration(&voters)], None),
            Payload::Command(bytes) => match Command::decode(&bytes).map_err(|detail| corrupt(index, detail))? {
                Command::Watermark { oldest, .. } => {
                    self.parts.store.set_watermark(oldest);
                    (Vec::new(), None)
                }
                Command::Commit(commit) => {
                    assert!(
                        commit.version > position.version || mutant("time-01") || mutant("txn-08"),
                        "versions ascend with the log"
                    );
                    position.version = commit.version;
                    let (mutations, outcome) = commit_mutations(commit, snapshot, outcomes)?;
                    (mutations, Some(outcome))
                }
            },
        };
        Ok(Prepared { position, mutations, answer: ticket.zip(outcome) })
    }

    /// Makes the store durable and lets the log forget what it has, once the log is long.
    fn shorten_log(&mut self, bytes: u64) -> Result<()> {
        self.bytes_since_checkpoint = self.bytes_since_checkpoint.saturating_add(bytes);
        let long = (LOG_SEGMENTS_MAX + 1) * self.parts.segment_bytes;
        // The log keeps whole segments, so it may stay long after a purge: then more must come first.
        if self.bytes_since_checkpoint < self.parts.segment_bytes || self.parts.wal.disk_bytes() < long {
            return Ok(());
        }
        let durable = if mutant("disk-06") { self.position } else { self.parts.store.persist()? };
        self.bytes_since_checkpoint = 0;
        self.parts.progress.checkpointed(durable.index);
        self.parts.mailbox.tell(Letter::Purge(durable.index));
        Ok(())
    }
}

/// The writes of a commit, those that remember its outcome included; none when it is a repetition.
fn commit_mutations(commit: Commit, snapshot: &Snapshot, outcomes: &mut Overlay) -> Result<(Vec<Mutation>, Outcome)> {
    let Commit { version, mut mutations, idempotency, .. } = commit;
    let Some((key, answer)) = idempotency else { return Ok((mutations, Outcome { version, answer: Vec::new() })) };
    let outcome = Outcome { version, answer };
    match outcome::decide(snapshot, outcomes, &key, outcome.clone())? {
        Decision::First(more) => {
            mutations.extend(more);
            Ok((mutations, outcome))
        }
        Decision::Repeated(_) if mutant("txn-06") => Ok((mutations, outcome)),
        Decision::Repeated(first) => {
            sometimes("a repeated mutation is left out");
            Ok((Vec::new(), first))
        }
    }
}

fn configuration(voters: &[u8]) -> Mutation {
    let value = [&[CONFIGURATION_FORMAT][..], voters].concat();
    Mutation { space: Space::Meta, key: configuration_key(), value: Some(value.into()) }
}

fn configuration_key() -> Key {
    Box::new([CONFIGURATION_KEY])
}

/// The voters as of the store's position; `None` when they never changed.
///
/// # Errors
/// Those of reading.
pub(crate) fn stored_configuration(snapshot: &Snapshot) -> Result<Option<Vec<u8>>> {
    let cells = snapshot.get_many(Space::Meta, &[configuration_key()], snapshot.version())?;
    let Some(cell) = cells.into_iter().flatten().next() else { return Ok(None) };
    match cell.value.split_first() {
        Some((&CONFIGURATION_FORMAT, voters)) => Ok(Some(voters.to_vec())),
        other => Err(Error::Corrupt {
            what: "configuration",
            path: PathBuf::from("store"),
            detail: format!("{} bytes in format {:?}", cell.value.len(), other.map(|(format, _)| format)),
        }
        .into()),
    }
}

fn corrupt(index: u64, detail: String) -> crate::Error {
    Error::Corrupt { what: "log entry", path: PathBuf::from(format!("log entry {index}")), detail }.into()
}
