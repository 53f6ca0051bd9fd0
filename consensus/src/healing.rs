//! A store that turns out to be damaged while its node runs: when others have what it held, it is given up, and the node is
//! opened again with a copy of theirs. A node that is alone goes on with what can be read.

use crate::Result;
use crate::cluster::Book;
use crate::driver::{Letter, Mailbox};
use crate::progress::Progress;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use vivarium_storage::Store;
use vivarium_storage::runtime::{mutant, sometimes};

/// What gives a node's store up.
pub(crate) struct Healing {
    /// Where the store is. The store itself must be free to close.
    dir: PathBuf,
    book: Arc<Book>,
    progress: Arc<Progress>,
    mailbox: Mailbox,
    /// Held by whoever gives the store up: several may meet the damage at once.
    turn: Mutex<()>,
}

impl Healing {
    pub fn new(dir: PathBuf, book: Arc<Book>, progress: Arc<Progress>, mailbox: Mailbox) -> Healing {
        Healing { dir, book, progress, mailbox, turn: Mutex::new(()) }
    }

    /// Gives the store up if reads found it damaged and others can replace it. True when the node is about to be opened
    /// again, whatever for: then what was asked of it is asked again.
    pub fn heals(&self, store: &Store) -> bool {
        self.progress.reopens() || store.damage().is_some_and(|damage| self.give_up(&damage))
    }

    fn give_up(&self, damage: &str) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.progress.reopens() {
            return true;
        }
        match condemn(&self.dir, &self.book, damage) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                tracing::error!(damage, %error, "the store is damaged, and cannot be given up");
                return false;
            }
        }
        sometimes("a store that is damaged is given up");
        self.progress.begin_reopening();
        // Whoever drives the group may sleep.
        self.mailbox.tell(Letter::Applied);
        self.progress.reopens()
    }
}

/// Has a damaged store replaced at the next start, if others have what it held. False when there is nobody else: then it
/// stays, since what can be read of it is all that there is.
///
/// # Errors
/// Those of noting it down.
pub(crate) fn condemn(store: &Path, book: &Book, damage: &str) -> Result<bool> {
    if mutant("disk-10") {
        return Ok(false);
    }
    if book.others()?.is_empty() {
        tracing::error!(damage, "the store is damaged, and no other node can replace it: restore a backup");
        return Ok(false);
    }
    Store::condemn(store, damage)?;
    tracing::error!(damage, "the store is damaged and is replaced: from the log, or by another node's");
    Ok(true)
}

/// Gives the store up when damage is found, by whomever. Ends when the store is closed, and keeps nothing open until then.
pub(crate) async fn watch(healing: Weak<Healing>, damaged: impl Future<Output = Option<String>>) {
    if let (Some(damage), Some(healing)) = (damaged.await, healing.upgrade()) {
        healing.give_up(&damage);
    }
}
