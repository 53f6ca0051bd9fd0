//! The task that applies committed entries to the store, in order, all that queued in one batch.
//!
//! What it writes is a function of the log alone: every node's store goes through the same states.

use crate::cluster::{Book, DIRECTORY};
use crate::command::{Command, Commit};
use crate::driver::{Letter, Mailbox, Ticket};
use crate::healing::Healing;
use crate::outcome::{self, Decision};
use crate::overlay::Overlay;
use crate::progress::{Progress, Sentinel};
use crate::raft::Payload;
use crate::{Outcome, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use vivarium_storage::engine::{Apply, Position};
use vivarium_storage::runtime::{buggify, mutant, sleep, sometimes};
use vivarium_storage::{Error, Key, Mutation, Snapshot, Space, Store, Wal};

/// Bytes of entries that one batch of the store takes: what the store's journal writes at once.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Full segments of log that a store may be behind with what is durable in it.
const LOG_SEGMENTS_MAX: u64 = 4;
/// How long a simulated applier hesitates: a few heartbeats.
const SLOW_APPLY: Duration = Duration::from_millis(200);
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
    pub book: Arc<Book>,
    pub healing: Arc<Healing>,
    pub queue: mpsc::UnboundedReceiver<Vec<Work>>,
    /// Bytes of a segment of the log.
    pub segment_bytes: u64,
    pub segments_kept: u32,
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
            if buggify("buggify: the applier is slow") {
                sleep(SLOW_APPLY).await;
            }
            if let Err(error) = self.apply(batch, bytes) {
                if !self.parts.healing.heals(&self.parts.store) {
                    self.parts.progress.stop(error.to_string());
                    self.parts.mailbox.tell(Letter::Applied);
                }
                break;
            }
        }
        sentinel.dismiss();
    }

    /// Applies entries that no driver handed over.
    ///
    /// # Errors
    /// Those of the store; `Corrupt` for an entry that is no command.
    pub fn replay(mut self, works: Vec<Work>) -> Result<()> {
        let bytes = works.iter().map(Work::bytes).sum();
        self.parts.progress.queue(bytes);
        self.apply(works, bytes)
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
        if prepared.iter().flat_map(|entry| &entry.mutations).any(changes_members) {
            self.parts.book.refresh(&self.parts.store.snapshot())?;
            // A leader of one sleeps until somebody comes.
            self.parts.mailbox.tell(Letter::Applied);
        }
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
            // A planted bug: a new leader, and all others with it, know nothing of earlier outcomes.
            Payload::Nothing if mutant("txn-07") => (outcome::forget_all(snapshot, outcomes)?, None),
            Payload::Nothing => (Vec::new(), None),
            Payload::Configuration(voters) => (vec![configuration(&voters)], None),
            Payload::Command(bytes) => match Command::decode(&bytes).map_err(|detail| corrupt(index, detail))? {
                Command::Watermark { oldest, .. } => {
                    self.parts.store.set_watermark(oldest);
                    (Vec::new(), None)
                }
                // A planted bug: what nobody waits for is replayed, and counts for nothing.
                Command::Commit(commit) if ticket.is_none() && has_documents(&commit) && mutant("disk-08") => {
                    (Vec::new(), None)
                }
                Command::Commit(mut commit) => {
                    // A planted bug: what nobody waits for is replayed, and the store is taken to have it already.
                    if ticket.is_none() && mutant("disk-07") {
                        commit.mutations.retain(|mutation| mutation.space == Space::Meta);
                    }
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
        let long = (LOG_SEGMENTS_MAX + 1).max(u64::from(self.parts.segments_kept) + 2) * self.parts.segment_bytes;
        // The log keeps whole segments, so it may stay long after a purge: then more must come first.
        let is_due = self.bytes_since_checkpoint >= self.parts.segment_bytes && self.parts.wal.disk_bytes() >= long;
        if !is_due && !buggify("buggify: the store is made durable early") {
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

/// True when it writes documents, for a planted bug: without its schema a database would not open at all.
fn has_documents(commit: &Commit) -> bool {
    commit.mutations.iter().any(|mutation| mutation.space == Space::Document)
}

fn changes_members(mutation: &Mutation) -> bool {
    mutation.space == Space::Meta && matches!(mutation.key.first(), Some(&(DIRECTORY | CONFIGURATION_KEY)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IdempotencyKey;
    use crate::command::{Draft, Write, watermark};
    use crate::driver::mailbox;
    use proptest::prelude::*;
    use vivarium_storage::engine::Scan;
    use vivarium_storage::runtime::Runtime;
    use vivarium_storage::{KeyRange, StoreOptions, Version, WalOptions};

    const HOUR_MICROS: u64 = 3_600_000_000;

    struct Fixture {
        _dir: tempfile::TempDir,
        applier: Applier,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::TempDir::new().unwrap();
        let store =
            Store::open(&dir.path().join("store"), StoreOptions { workers: 0, ..StoreOptions::default() }).unwrap();
        let options = WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() };
        let wal = Wal::open(&dir.path().join("log"), options, &Runtime::seeded(1)).unwrap();
        let progress = Arc::new(Progress::new(store.position()));
        let (mailbox, _inbox) = mailbox();
        let (_work, queue) = mpsc::unbounded_channel();
        let book = Arc::new(Book::alone());
        let healing = Healing::new(store.dir().into(), book.clone(), progress.clone(), mailbox.clone());
        let parts = Parts {
            store,
            wal,
            progress,
            mailbox,
            book,
            healing: Arc::new(healing),
            queue,
            segment_bytes: 1 << 20,
            segments_kept: 0,
            maintains: true,
        };
        Fixture { _dir: dir, applier: Applier::new(parts) }
    }

    impl Fixture {
        fn apply(&mut self, batch: Vec<Work>) -> Result<()> {
            let bytes = batch.iter().map(Work::bytes).sum();
            self.applier.parts.progress.queue(bytes);
            self.applier.apply(batch, bytes)
        }

        /// Every row of the spaces that the cases write to.
        fn rows(&self) -> Vec<(Vec<u8>, Version, Vec<u8>)> {
            let snapshot = self.applier.parts.store.snapshot();
            let mut rows = Vec::new();
            for space in [Space::Meta, Space::KeyValue] {
                let range = KeyRange { start: [1].into(), end: [255].into() };
                let scan = Scan { range, reverse: false, limit: usize::MAX };
                for row in snapshot.scan(space, &scan, snapshot.version()).unwrap() {
                    let (key, cell) = row.unwrap();
                    rows.push((key.to_vec(), cell.version, cell.value.to_vec()));
                }
            }
            rows
        }
    }

    /// Entries at 1, 2, ...: each a commit that writes its index, under an idempotency key or none.
    fn entries(case: &[(Option<u8>, u8)]) -> Vec<Work> {
        let mut version = 0;
        let mut works = Vec::new();
        for (nth, (key, hours)) in case.iter().enumerate() {
            version += 1 + u64::from(*hours) * HOUR_MICROS;
            let index = nth as u64 + 1;
            let value = index.to_le_bytes();
            let write = Write { space: Space::KeyValue, key: &[100 + key.unwrap_or(99)], value: Some(&value) };
            let key = key.map(|key| IdempotencyKey(vec![key]));
            let draft = Draft::commit(Version(0), &[write], key.as_ref().map(|key| (key, &value[..])));
            let payload = Payload::Command(draft.finish(Version(version)));
            works.push(Work { index, term: 1, payload, ticket: None });
        }
        works
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_node_remembers_the_same_however_its_batches_fall(
            case in prop::collection::vec((prop::option::weighted(0.8, 0u8..12), 0u8..30), 1..40),
            sizes in prop::collection::vec(1usize..9, 40),
        ) {
            let (mut one_by_one, mut in_batches) = (fixture(), fixture());
            for work in entries(&case) {
                one_by_one.apply(vec![work]).unwrap();
            }
            let mut works = entries(&case).into_iter().peekable();
            for size in sizes {
                let batch: Vec<Work> = works.by_ref().take(size).collect();
                if !batch.is_empty() {
                    in_batches.apply(batch).unwrap();
                }
            }
            prop_assert!(works.peek().is_none());
            prop_assert_eq!(one_by_one.rows(), in_batches.rows());
            prop_assert_eq!(one_by_one.applier.parts.store.position(), in_batches.applier.parts.store.position());
        }

        #[test]
        fn an_entry_is_left_out_exactly_while_the_first_of_its_key_is_remembered(
            case in prop::collection::vec((prop::option::weighted(0.9, 0u8..4), 0u8..16), 1..30),
        ) {
            let mut fixture = fixture();
            fixture.apply(entries(&case)).unwrap();
            let mut version = 0;
            let mut first: std::collections::BTreeMap<u8, (u64, u64)> = std::collections::BTreeMap::new();
            for (nth, (key, hours)) in case.iter().enumerate() {
                version += 1 + u64::from(*hours) * HOUR_MICROS;
                if let Some(key) = key
                    && first.get(key).is_none_or(|(at, _)| at + 24 * HOUR_MICROS <= version)
                {
                    first.insert(*key, (version, nth as u64 + 1));
                }
            }
            let snapshot = fixture.applier.parts.store.snapshot();
            for (key, (at, index)) in first {
                let keys: [Key; 1] = [[100 + key].into()];
                let cell = snapshot.get_many(Space::KeyValue, &keys, snapshot.version()).unwrap().remove(0).unwrap();
                prop_assert_eq!((cell.version, &*cell.value), (Version(at), &index.to_le_bytes()[..]));
                if let Some(remembered) = outcome::find(&snapshot, &IdempotencyKey(vec![key])).unwrap() {
                    prop_assert_eq!(remembered.outcome, Outcome { version: Version(at), answer: index.to_le_bytes().to_vec() });
                }
            }
        }
    }

    #[test]
    fn a_watermark_moves_and_takes_no_version() {
        let mut fixture = fixture();
        fixture.apply(entries(&[(None, 0), (None, 0)])).unwrap();
        let payload = Payload::Command(watermark(Version(2), Version(2)));
        fixture.apply(vec![Work { index: 3, term: 1, payload, ticket: None }]).unwrap();
        let snapshot = fixture.applier.parts.store.snapshot();
        assert_eq!((snapshot.version(), snapshot.watermark()), (Version(2), Version(2)));
        assert_eq!(fixture.applier.parts.store.position(), Position { index: 3, term: 1, version: Version(2) });
    }

    #[test]
    fn a_configuration_is_found_again() {
        let mut fixture = fixture();
        assert_eq!(stored_configuration(&fixture.applier.parts.store.snapshot()).unwrap(), None);
        let payload = Payload::Configuration(vec![8, 1]);
        fixture.apply(vec![Work { index: 1, term: 1, payload, ticket: None }]).unwrap();
        let found = stored_configuration(&fixture.applier.parts.store.snapshot()).unwrap();
        assert_eq!(found, Some(vec![8, 1]));
    }

    #[test]
    fn an_entry_that_is_no_command_is_named() {
        let mut fixture = fixture();
        let payload = Payload::Command(vec![1, 9, 0, 0, 0, 0, 0, 0, 0, 0]);
        let error = fixture.apply(vec![Work { index: 1, term: 1, payload, ticket: None }]).unwrap_err();
        assert!(error.to_string().contains("log entry 1: a command of the unknown kind 9"), "{error}");
    }
}
