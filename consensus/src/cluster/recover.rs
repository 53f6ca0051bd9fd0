//! Forced recovery from a lost majority: one survivor becomes the only voter of its cluster, and says what that costs.
//!
//! Why it is done so: docs/decisions/0008. Before the checkpoint record is in the log nothing has changed; afterwards all has.

use super::Directory;
use crate::applier::{self, Applier, Work};
use crate::driver::{GROUP, mailbox};
use crate::healing::Healing;
use crate::progress::Progress;
use crate::raft::{self, Payload};
use crate::recovery::{self, Recovery};
use crate::{Error, NodeOptions, Result};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use vivarium_storage::engine::Position;
use vivarium_storage::runtime::mutant;
use vivarium_storage::wal::Record;
use vivarium_storage::{DataFolder, Epoch, Error as StorageError, Store, Version, Wal};

/// Bytes of entries that are read from the log at once.
const READ_BYTES_MAX: u64 = 4 << 20;

/// What a forced recovery starts from, or came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecoveryReport {
    /// The cluster's id, which stays.
    pub cluster: String,
    /// The survivor.
    pub node: u64,
    /// Who voted, as far as the survivor knows.
    pub voters: Vec<u64>,
    /// The nodes that the cluster does without from then on.
    pub others: Vec<u64>,
    /// The last entry in the survivor's store.
    pub applied_index: u64,
    /// The last entry in its log. Those after the one in its store are applied by the recovery.
    pub last_index: u64,
    /// The newest commit in the survivor's store: before the recovery, or after it when it was done. Versions are
    /// microseconds since 1970.
    pub version: Version,
    /// Whether it was done.
    pub forced: bool,
}

/// Makes the node in a folder that no process has open the only voter of its cluster, when `force` is true; else only
/// says what that would mean. Whatever only the others acknowledged is lost. They must never run again with what they
/// have: two of them together would still be the old majority, though the recovered cluster does not talk to them.
///
/// # Errors
/// `Refused` when the folder holds no node, or one that decides alone already; those of the folder, the log, the store.
pub async fn recover(options: &NodeOptions, force: bool) -> Result<RecoveryReport> {
    let folder = DataFolder::open(&options.dir)?;
    let Some(identity) = folder.identity()? else {
        return Err(Error::Refused(format!("the folder {} holds no node", options.dir.display())));
    };
    let found = recovery::recover(&folder, options)?;
    let snapshot = found.store.snapshot();
    let directory = Directory::read(&snapshot)?;
    let stored = applier::stored_configuration(&snapshot)?.or_else(|| found.recovered.checkpoint.clone());
    // After a crash the store may be far behind its log, up to knowing nobody at all.
    let logged = logged_changes(&found, snapshot.position().index)?;
    let mut named: BTreeSet<u64> = directory.present().map(|(node, _)| node).collect();
    let (mut voters, mut learners) = match stored {
        Some(bytes) => raft::members_of(&bytes).map_err(|detail| corrupt(&found.store, detail))?,
        None => (vec![recovery::FIRST_NODE], Vec::new()),
    };
    for change in logged {
        named.extend(voters.iter().chain(&learners));
        (voters, learners) =
            raft::changed(&change, voters, learners).map_err(|detail| corrupt(&found.store, detail))?;
    }
    named.extend(voters.iter().chain(&learners));
    let others: BTreeSet<u64> = named.into_iter().filter(|node| *node != identity.node).collect();
    if others.is_empty() && voters == [identity.node] {
        return Err(Error::Refused(format!(
            "node {} is the only one of its cluster and decides alone: there is nothing to recover, start it",
            identity.node
        )));
    }
    let mut report = RecoveryReport {
        cluster: identity.cluster.to_string(),
        node: identity.node,
        voters,
        others: others.into_iter().collect(),
        applied_index: snapshot.position().index,
        last_index: found.recovered.last.0,
        version: snapshot.version(),
        forced: false,
    };
    drop(snapshot);
    if force {
        // First: raised too early it keeps this node from those that it is to do without anyway. Raised too late, one of
        // them might be heard.
        let epoch = Epoch(options.runtime.now_micros().max(identity.epoch.0 + 1));
        if !mutant("epoch-02") {
            folder.raise_epoch(epoch)?;
        }
        let position = become_alone(&folder, found, options, identity.node).await?;
        // The same step that any start takes after a decision: it puts the new store in place.
        let recovered = recovery::recover(&folder, options)?;
        assert!(recovered.store.position() == position, "what was decided is installed");
        recovered.wal.close();
        report.forced = true;
        report.version = position.version;
    }
    Ok(report)
}

/// The changes of the configuration in the part of the log that the store does not have, in order.
fn logged_changes(found: &Recovery, applied: u64) -> Result<Vec<Vec<u8>>> {
    let mut changes = Vec::new();
    let (mut next, last) = (applied + 1, found.recovered.last.0);
    while next <= last {
        let entries = found.wal.entries(GROUP, next..last + 1, READ_BYTES_MAX)?;
        assert!(entries.first().is_some_and(|(index, ..)| *index == next), "the log holds what the store lacks");
        next += entries.len() as u64;
        changes.extend(entries.into_iter().filter_map(|(.., bytes)| match raft::payload(bytes) {
            Payload::Configuration(change) => Some(change),
            Payload::Nothing | Payload::Command(_) => None,
        }));
    }
    Ok(changes)
}

/// Makes the store that the node goes on with, beside the present one, and decides it in the log.
async fn become_alone(folder: &DataFolder, found: Recovery, options: &NodeOptions, own: u64) -> Result<Position> {
    let Recovery { store, wal, recovered } = found;
    let hard_state = recovered.hard_state.as_deref();
    let term = raft::term_of(hard_state).map_err(|detail| corrupt(&store, detail))?.max(recovered.last.1) + 1;
    let mut chunks = store.snapshot().export();
    let incoming = Store::restore(&folder.incoming(), options.store.clone(), &mut chunks)?;
    drop(chunks);
    apply_log(&incoming, &wal, recovered.last.0, options)?;
    let configuration = raft::configuration_of(vec![own]);
    let position = strike_others(&incoming, &wal, options, Alone { own, term, configuration: &configuration })?;
    incoming.persist()?;
    let closed = [store.closed(), incoming.closed()];
    drop((store, incoming));
    for store in closed {
        store.await;
    }
    let raised = raft::raised(hard_state, term, position.index).expect("its term was read from it");
    let records = vec![
        Record::Checkpoint { index: position.index, term: position.term, payload: configuration },
        Record::HardState { payload: raised },
    ];
    let (done, durable) = oneshot::channel();
    // This function waits for it, unless it is dropped: then the next one finds what is there.
    wal.append(GROUP, records, Box::new(move |written| drop(done.send(written))));
    let written = durable.await;
    wal.close();
    written.map_err(|_| Error::Stopped("the log has ended".to_owned()))??;
    Ok(position)
}

/// Applies what the log has and the store has not, but for changes of the configuration: they would bring the others
/// back.
fn apply_log(store: &Store, wal: &Wal, last: u64, options: &NodeOptions) -> Result<()> {
    let mut next = store.position().index + 1;
    while next <= last {
        let entries = wal.entries(GROUP, next..last + 1, READ_BYTES_MAX)?;
        assert!(entries.first().is_some_and(|(index, ..)| *index == next), "the log holds what the store lacks");
        next += entries.len() as u64;
        let works = entries.into_iter().map(|(index, term, bytes)| {
            let payload = match raft::payload(bytes) {
                Payload::Configuration(_) => Payload::Nothing,
                // A planted bug: what the store does not have is taken for what nobody committed.
                Payload::Command(_) if mutant("epoch-03") => Payload::Nothing,
                payload => payload,
            };
            Work { index, term, payload, ticket: None }
        });
        applier(store, wal, options).replay(works.collect())?;
    }
    Ok(())
}

/// What the survivor is from here on.
struct Alone<'a> {
    own: u64,
    term: u64,
    configuration: &'a [u8],
}

/// Two more entries, which are in no log: the others have left, and this node votes alone.
fn strike_others(store: &Store, wal: &Wal, options: &NodeOptions, alone: Alone<'_>) -> Result<Position> {
    let Position { index, version, .. } = store.position();
    let Alone { own, term, configuration } = alone;
    let draft = Directory::read(&store.snapshot())?.without_others(own, version);
    let version = Version(options.runtime.now_micros().max(version.0 + 1));
    let works = vec![
        Work { index: index + 1, term, payload: Payload::Command(draft.finish(version)), ticket: None },
        Work { index: index + 2, term, payload: Payload::Configuration(configuration.to_vec()), ticket: None },
    ];
    applier(store, wal, options).replay(works)?;
    Ok(store.position())
}

/// An applier that no driver feeds.
fn applier(store: &Store, wal: &Wal, options: &NodeOptions) -> Applier {
    let (mailbox, _) = mailbox();
    let (_, queue) = mpsc::unbounded_channel();
    let (progress, book) = (Arc::new(Progress::new(store.position())), Arc::new(super::Book::alone()));
    let healing = Healing::new(store.dir().into(), book.clone(), progress.clone(), mailbox.clone());
    Applier::new(applier::Parts {
        store: store.clone(),
        wal: wal.clone(),
        progress,
        mailbox,
        book,
        healing: Arc::new(healing),
        queue,
        segment_bytes: options.wal.segment_bytes,
        segments_kept: options.wal.segments_kept,
        maintains: options.store.workers == 0,
    })
}

fn corrupt(store: &Store, detail: String) -> Error {
    StorageError::Corrupt { what: "configuration", path: store.dir().into(), detail }.into()
}

#[cfg(test)]
mod tests;
