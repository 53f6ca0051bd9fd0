//! Opening the log and the store of a data folder, and judging whether they belong together.
//!
//! Afterwards: first - 1 <= applied <= last, where they meet the terms agree, and the log holds what the store lacks.

use crate::applier;
use crate::driver::GROUP;
use crate::raft::{Group, GroupOptions};
use crate::{NodeOptions, Result, TRANSACTION_BYTES_MAX};
use std::path::Path;
use vivarium_storage::engine::Position;
use vivarium_storage::runtime::{Runtime, sometimes};
use vivarium_storage::wal::Recovered;
use vivarium_storage::{DataFolder, Epoch, Error, Identity, Remains, Store, StoreOptions, Wal, WalOptions};

mod lost;
mod repair;
#[cfg(test)]
mod tests;

pub(crate) use lost::lost_log;
pub(crate) use repair::repair;

/// What was found.
pub(crate) struct Recovery {
    pub store: Store,
    pub wal: Wal,
    pub recovered: Recovered,
}

/// The number of the first node of a cluster.
pub(crate) const FIRST_NODE: u64 = 1;

/// Whose data the folder holds. A new folder becomes a new cluster of one.
///
/// # Errors
/// Those of storage; `Corrupt` when there are remains of a node and nothing says which, `Refused` when the folder was to
/// join a cluster.
pub(crate) fn identify(folder: &DataFolder, runtime: &Runtime) -> Result<Identity> {
    if let Some(identity) = folder.identity()? {
        return Ok(identity);
    }
    match folder.remains() {
        None => {}
        // The identity is written before these.
        Some(Remains::Node(path)) => {
            let detail = "it is missing, and the folder holds what only a node leaves".to_owned();
            return Err(Error::Corrupt { what: "identity", path, detail }.into());
        }
        Some(Remains::Joining) => {
            return Err(crate::Error::Refused(
                "it was to join a cluster and has not done so: run `vivarium cluster join` with it again, or choose another folder"
                    .to_owned(),
            ));
        }
    }
    let cluster = uuid::Uuid::from_bytes(runtime.document_id().0);
    let identity = Identity { cluster, node: FIRST_NODE, epoch: Epoch::default() };
    folder.set_identity(&identity)?;
    Ok(identity)
}

/// Opens what is there. A store that is corrupt is set aside and built anew from the log, when the log is whole.
///
/// # Errors
/// Those of storage; `Corrupt` when the log and the store contradict each other, or the log begins too late.
pub(crate) fn recover(folder: &DataFolder, options: &NodeOptions) -> Result<Recovery> {
    let NodeOptions { store, wal, runtime, .. } = options;
    if let Some(replacement) = folder.replacement()? {
        let detail = format!(
            "that of node {} was lost, and the node waits to be replaced by its cluster: serve it with --cluster-listen",
            replacement.node
        );
        return Err(Error::Corrupt { what: "log", path: folder.log(), detail }.into());
    }
    let identity = folder.identity()?;
    if let Some(detail) = lost::missing_log(folder)? {
        let detail = format!("{detail}. {}", lost::way_out(folder, identity)?);
        return Err(Error::Corrupt { what: "log", path: folder.log(), detail }.into());
    }
    let wal = Wal::open(&folder.log(), wal.clone(), runtime)?;
    if let Some(identity) = identity {
        // From here on the node may promise what only its log remembers.
        folder.note_start(identity.node)?;
    }
    let recovered = wal.recovered(GROUP);
    roll_forward(folder, store, &recovered)?;
    let dir = folder.store();
    let store = match Store::open(&dir, store.clone()) {
        Err(error @ Error::Corrupt { .. }) => rebuild(&dir, store, &recovered, error)?,
        opened => opened?,
    };
    judge(&dir, store.position(), &recovered, &wal)?;
    Ok(Recovery { store, wal, recovered })
}

/// Opens the group on what the log and the store hold of it. A new group has these founders, or the first node alone.
///
/// # Errors
/// Those of reading; `Corrupt` when what they hold cannot be.
pub(crate) fn open_group(
    identity: &Identity,
    found: &Recovery,
    options: &NodeOptions,
    founders: Vec<u64>,
) -> Result<Group> {
    let options = GroupOptions {
        id: GROUP,
        node: identity.node,
        seed: options.runtime.random(),
        incarnation: options.runtime.random(),
        // Half of what the log's queue takes, so that it never refuses what a leader proposes.
        uncommitted_bytes_max: options.wal.queue_bytes_max / 2,
        // Every cluster begins as one node. Whoever joins later reads the same log from the same beginning.
        founders: if founders.is_empty() { vec![FIRST_NODE] } else { founders },
        // A checkpoint's configuration is that of its founders, unless the store says that it changed.
        configuration: match applier::stored_configuration(&found.store.snapshot())? {
            None => found.recovered.checkpoint.clone(),
            stored => stored,
        },
    };
    Group::open(found.wal.clone(), found.store.clone(), &found.recovered, options)
        .map_err(|broken| corrupt(found.store.dir(), broken.to_string()))
}

/// The most that one transaction may write, so that several fit into the log's queue.
pub(crate) fn transaction_bytes_max(options: &WalOptions) -> usize {
    TRANSACTION_BYTES_MAX.min(options.queue_bytes_max / 4)
}

/// Completes the installation of a checkpoint that was decided, and removes one that was not.
fn roll_forward(folder: &DataFolder, options: &StoreOptions, recovered: &Recovered) -> Result<()> {
    let incoming = folder.incoming();
    if incoming.exists() {
        match Store::open(&incoming, options.clone()).map(|store| store.position()) {
            Ok(position)
                if (position.index, position.term) == recovered.first && is_behind(folder, options, position)? =>
            {
                folder.install()?;
                tracing::info!(index = position.index, "a checkpoint is installed");
            }
            Ok(_) => folder.discard()?,
            Err(error @ Error::Corrupt { .. }) => {
                // Should it have been decided, the store that is behind will be noticed.
                let aside = Store::set_aside(&incoming)?;
                tracing::error!(%error, aside = %aside.display(), "a checkpoint that came is corrupt");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(folder.tidy()?)
}

/// True when the store lacks what a checkpoint has.
fn is_behind(folder: &DataFolder, options: &StoreOptions, checkpoint: Position) -> Result<bool> {
    let dir = folder.store();
    if !dir.exists() {
        return Ok(true);
    }
    match Store::open(&dir, options.clone()) {
        Ok(store) => {
            let position = store.position();
            if position.index > 0 && position.index < checkpoint.index {
                sometimes("a checkpoint is installed over a store that was not empty");
            }
            Ok(position.index < checkpoint.index)
        }
        Err(Error::Corrupt { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn rebuild(dir: &Path, options: &StoreOptions, recovered: &Recovered, error: Error) -> Result<Store> {
    if recovered.first.0 > 0 {
        return Err(corrupt(
            dir,
            format!(
                "{error}; it cannot be built anew, since the log begins at entry {}: restore a backup",
                recovered.first.0 + 1
            ),
        ));
    }
    let aside = Store::set_aside(dir)?;
    tracing::warn!(%error, aside = %aside.display(), "the store is corrupt and is built anew from the log");
    Ok(Store::open(dir, options.clone())?)
}

fn judge(dir: &Path, position: Position, recovered: &Recovered, wal: &Wal) -> Result<()> {
    let first = recovered.first.0;
    if position.index < first {
        let detail =
            format!("it ends at entry {}, and the log begins at {}: restore a backup", position.index, first + 1);
        return Err(corrupt(dir, detail));
    }
    disagreement(position, recovered, wal).map_or(Ok(()), |detail| Err(corrupt(dir, detail)))
}

/// How a store contradicts a log that should have all that the store has.
fn disagreement(position: Position, recovered: &Recovered, wal: &Wal) -> Option<String> {
    let (at, last) = (position.index, recovered.last.0);
    if at > last {
        return Some(format!("it ends at entry {at}, and the log at {last}: the log was lost or replaced"));
    }
    let term = wal.term(GROUP, at).filter(|term| *term != position.term)?;
    Some(format!("its entry {at} is of term {}, the log's of term {term}", position.term))
}

fn corrupt(dir: &Path, detail: String) -> crate::Error {
    Error::Corrupt { what: "store", path: dir.into(), detail }.into()
}
