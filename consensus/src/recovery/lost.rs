//! A log that cannot be read, or that ends before what its store has: its node may have voted for and acknowledged what it
//! no longer knows.
//!
//! Nothing is changed here. What follows from it: docs/decisions/0009.

use super::{GROUP, disagreement};
use crate::{NodeOptions, Result};
use vivarium_storage::{DataFolder, Error, Store, Wal};

/// Why the folder's log is not all that its node once had; `None` when nothing speaks against it.
///
/// # Errors
/// Those of storage, other than that the log is damaged.
pub(crate) fn lost_log(folder: &DataFolder, options: &NodeOptions) -> Result<Option<String>> {
    let (log, store) = (folder.log(), folder.store());
    if !Wal::is_there(&log)? {
        return Ok(store.exists().then(|| format!("the log {} is gone", log.display())));
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
