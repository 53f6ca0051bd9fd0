//! What was found damaged in a store that was open already, and the word that condemns a store.
//!
//! Tables are checked as they are read, so damage may come to light long after the store was opened.

use crate::disk::{io, write_whole};
use crate::runtime::mutant;
use crate::{Error, Result};
use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// The file that says that a store is not to be used any more, and why.
const CONDEMNED: &str = "condemned";

/// The first damage that reads of a store met. Clones share it.
#[derive(Clone)]
pub(super) struct Damage {
    found: Arc<watch::Sender<Option<String>>>,
}

impl Damage {
    pub fn none() -> Damage {
        Damage { found: Arc::new(watch::Sender::new(None)) }
    }

    /// Takes note of an error of a read, if it is of damage.
    pub fn note(&self, error: &Error) {
        if !matches!(error, Error::Corrupt { .. }) || mutant("disk-09") {
            return;
        }
        let is_first = self.found.send_if_modified(|found| {
            let is_first = found.is_none();
            found.get_or_insert_with(|| error.to_string());
            is_first
        });
        if is_first {
            tracing::error!(%error, "the store is damaged");
        }
    }

    /// What it was.
    pub fn found(&self) -> Option<String> {
        self.found.borrow().clone()
    }

    /// Resolves when there is some; to nothing when the store is closed before. Does not keep the store open.
    pub fn wait(&self) -> impl Future<Output = Option<String>> + Send + use<> {
        let mut found = self.found.subscribe();
        async move { found.wait_for(Option::is_some).await.ok().and_then(|found| found.clone()) }
    }
}

/// Writes down that the store in `dir` is not to be used any more.
pub(super) fn condemn(dir: &Path, reason: &str) -> Result<()> {
    write_whole(&word(dir), reason.as_bytes())
}

/// Refuses a store that was condemned.
pub(super) fn check_condemned(dir: &Path) -> Result<()> {
    let path = word(dir);
    match std::fs::read_to_string(&path) {
        Ok(reason) => {
            let detail = format!("it was given up: {reason}");
            Err(Error::Corrupt { what: "store", path: dir.into(), detail })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io("read", &path)(error)),
    }
}

fn word(dir: &Path) -> PathBuf {
    dir.join(CONDEMNED)
}
