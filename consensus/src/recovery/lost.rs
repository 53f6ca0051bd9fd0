//! A log that cannot be read, or that ends before what its store has: its node may have voted for and acknowledged what it
//! no longer knows.
//!
//! Nothing is changed here. What follows from it: docs/decisions/0009.

use super::{GROUP, disagreement};
use crate::{NodeOptions, Result};
use vivarium_storage::{DataFolder, Error, Identity, Store, Wal};

/// Why the folder's log is not all that its node once had; `None` when nothing speaks against it.
///
/// # Errors
/// Those of storage, other than that the log is damaged.
pub(crate) fn lost_log(folder: &DataFolder, options: &NodeOptions) -> Result<Option<String>> {
    let (log, store) = (folder.log(), folder.store());
    if let Some(reason) = missing_log(folder)? {
        return Ok(Some(format!("the log {}: {reason}", log.display())));
    }
    if !Wal::is_there(&log)? {
        return Ok(None);
    }
    let wal = match Wal::open(&log, options.wal.clone(), &options.runtime) {
        Ok(wal) => wal,
        Err(error @ Error::Corrupt { .. }) => return Ok(Some(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let reason = match store.exists().then(|| Store::open(&store, options.store.clone())) {
        // A store that is damaged tells nothing about the log.
        None | Some(Err(Error::Corrupt { .. })) => None,
        Some(opened) => disagreement(opened?.position(), &wal.recovered(GROUP), &wal),
    };
    wal.close();
    Ok(reason)
}

/// That there is no log where there was one. A first start that died before it had made one is none of these.
///
/// # Errors
/// Those of storage.
pub(super) fn missing_log(folder: &DataFolder) -> Result<Option<String>> {
    if Wal::is_there(&folder.log())? {
        return Ok(None);
    }
    // A log is made before its store is, and before the start is noted.
    if folder.store().exists() {
        return Ok(Some("it is gone, and its store is there: the log was lost or replaced".to_owned()));
    }
    Ok(folder
        .has_started()
        .then(|| "it is gone, and so is the store, though the node has run in this folder".to_owned()))
}

/// What can be done about a missing log by who does not have the cluster's help.
///
/// # Errors
/// Those of storage.
pub(super) fn way_out(folder: &DataFolder, identity: Option<Identity>) -> Result<String> {
    let node = identity.map_or(super::FIRST_NODE, |identity| identity.node);
    let others = folder.peers()?.keys().any(|peer| *peer != node);
    Ok(if others {
        "The other nodes of its cluster can put a new one in its place: serve it with --cluster-listen".to_owned()
    } else if node > super::FIRST_NODE {
        format!(
            "Bring it back if it is elsewhere (is a disk not mounted?). Otherwise remove node {node} from its cluster, and \
             let a new, empty folder join"
        )
    } else {
        "Bring it back if it is elsewhere (is a disk not mounted?). Otherwise what is not in a backup is lost: choose a new, \
         empty folder, and restore the backup there"
            .to_owned()
    })
}
