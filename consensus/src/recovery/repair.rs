//! A store that cannot be used and that the log cannot rebuild: a peer's takes its place, before Raft starts.
//!
//! The log keeps what this node promised; a checkpoint record in it, synced, is the decision, as in docs/decisions/0007.

use super::GROUP;
use super::lost::missing_log;
use crate::checkpoint::{Fetched, Fetcher, Need};
use crate::{Error, NodeOptions, Result, raft};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_storage::runtime::{now, sleep, sometimes};
use vivarium_storage::wal::Record;
use vivarium_storage::{DataFolder, Error as StorageError, Store, StoreOptions, Wal};

/// How long peers are asked: others may be starting at the same time, and a large store takes its time.
const REPAIR_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Between two rounds of asking all of them.
const ROUND_EVERY: Duration = Duration::from_secs(1);

/// Fetches what the store lacks from one of `peers`, so that opening the folder installs it. False when the store
/// lacks nothing that the log has not, or when there is nobody to ask.
///
/// # Errors
/// Those of storage; `Stopped` when no peer gave a checkpoint.
pub(crate) async fn repair(fetcher: &Fetcher, options: &NodeOptions, peers: &[u64]) -> Result<bool> {
    let folder = &fetcher.folder;
    if peers.is_empty() {
        return Ok(false);
    }
    let Some((at_least, reason)) = lack(folder, options)? else { return Ok(false) };
    tracing::error!(%reason, at_least, ?peers, "the store is fetched from a peer");
    let fetched = fetch(fetcher, peers, at_least, &reason).await?;
    let index = fetched.origin.position.index;
    adopt(folder, options, fetched).await?;
    tracing::warn!(index, "the store was fetched from a peer");
    sometimes("a store that was corrupt is fetched from a peer");
    Ok(true)
}

/// The entry that a checkpoint must have, and why, when the store cannot be used with this log.
fn lack(folder: &Arc<DataFolder>, options: &NodeOptions) -> Result<Option<(u64, String)>> {
    if missing_log(folder)?.is_some() {
        // Opening it would make a new one, and hide that it is lost.
        return Ok(None);
    }
    let wal = Wal::open(&folder.log(), options.wal.clone(), &options.runtime)?;
    let first = wal.recovered(GROUP).first.0;
    wal.close();
    let reason = match open_store(folder, &options.store) {
        _ if first == 0 => None,
        None => Some("the store is gone".to_owned()),
        Some(Err(error @ StorageError::Corrupt { .. })) => Some(error.to_string()),
        Some(Err(error)) => return Err(error.into()),
        Some(Ok(store)) => {
            let index = store.position().index;
            (index < first).then(|| format!("the store ends at entry {index}, and the log begins at {}", first + 1))
        }
    };
    Ok(reason.map(|reason| (first, reason)))
}

fn open_store(folder: &DataFolder, options: &StoreOptions) -> Option<vivarium_storage::Result<Store>> {
    let dir = folder.store();
    dir.exists().then(|| Store::open(&dir, options.clone()))
}

async fn fetch(fetcher: &Fetcher, peers: &[u64], at_least: u64, reason: &str) -> Result<Fetched> {
    let deadline = now() + REPAIR_TIME_MAX;
    let mut last = String::new();
    while now() < deadline {
        for peer in peers {
            let need = Need { from: *peer, term: 0, at_least };
            match fetcher.fetch(need, &AtomicU64::new(*peer)).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => {
                    tracing::warn!(peer, %error, "a peer gave no checkpoint");
                    last = format!("node {peer}: {error}");
                }
            }
        }
        sleep(ROUND_EVERY).await;
    }
    Err(Error::Stopped(format!("{reason}; no peer gave a checkpoint in its place, the last being {last}")))
}

/// Decides what came, and sets a store aside that cannot be read.
async fn adopt(folder: &Arc<DataFolder>, options: &NodeOptions, fetched: Fetched) -> Result<()> {
    if let Some(Err(StorageError::Corrupt { .. })) = open_store(folder, &options.store) {
        let aside = Store::set_aside(&folder.store())?;
        tracing::warn!(aside = %aside.display(), "the corrupt store is set aside");
    }
    let wal = Wal::open(&folder.log(), options.wal.clone(), &options.runtime)?;
    let position = fetched.origin.position;
    let hard_state = raft::raised(wal.recovered(GROUP).hard_state.as_deref(), position.term, position.index)
        .map_err(|detail| StorageError::Corrupt { what: "hard state", path: folder.log(), detail })?;
    let records = vec![
        Record::Checkpoint { index: position.index, term: position.term, payload: fetched.origin.configuration },
        Record::HardState { payload: hard_state },
    ];
    let (done, durable) = oneshot::channel();
    // Whoever does not wait any more is gone, and the next start finds what is there.
    wal.append(GROUP, records, Box::new(move |written| drop(done.send(written))));
    let written = durable.await;
    wal.close();
    written.map_err(|_| Error::Stopped("the log has ended".to_owned()))??;
    Ok(())
}
