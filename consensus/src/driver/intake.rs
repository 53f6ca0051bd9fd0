//! A checkpoint on its way into this node: the leader's word, the task that fetches, what came and waits for Raft.
//!
//! At most one is fetched or waits at a time. What Raft does not take is removed.

use super::mailbox::{Letter, Mailbox};
use crate::checkpoint::{Fetched, Fetcher, Need};
use crate::raft::{Broken, Group};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vivarium_storage::runtime::{self, Task};
use vivarium_storage::wal::GroupId;

/// Ticks for which what came waits for a leader's word that is as new: several elections.
const WAIT_TICKS_MAX: u32 = 600;

/// A checkpoint on its way into this node.
pub(super) struct Intake {
    id: GroupId,
    /// `None` when there is no way to ask anybody.
    fetcher: Option<Fetcher>,
    mailbox: Mailbox,
    /// The newest word, and who gave it.
    need: Option<Need>,
    newest: Arc<AtomicU64>,
    fetching: Option<Task>,
    /// What came, and for how many ticks it has waited.
    came: Option<(Fetched, u32)>,
}

impl Intake {
    /// Nothing is on its way.
    pub fn new(id: GroupId, fetcher: Option<Fetcher>, mailbox: Mailbox) -> Intake {
        Intake { id, fetcher, mailbox, need: None, newest: Arc::default(), fetching: None, came: None }
    }

    /// A leader says that a checkpoint is needed.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn need(&mut self, need: Need, group: &mut Group) -> Result<(), Broken> {
        if self.need.is_none_or(|earlier| earlier.term <= need.term) {
            self.need = Some(need);
            self.newest.store(need.from, Ordering::Release);
        }
        if self.came.is_some() {
            return self.offer(group);
        }
        self.fetch(need);
        Ok(())
    }

    fn fetch(&mut self, need: Need) {
        let Some(fetcher) = self.fetcher.clone().filter(|_| self.fetching.is_none()) else { return };
        let (id, mailbox, newest) = (self.id, self.mailbox.clone(), self.newest.clone());
        let fetching = async move {
            let fetched = fetcher.fetch(need, &newest).await;
            // Before the driver hears of it: whoever opens the folder next must find it free.
            drop(fetcher);
            mailbox.tell(Letter::CheckpointCame(id, need, fetched));
        };
        self.fetching = Some(runtime::spawn("checkpoint", fetching));
    }

    /// The task that fetched has ended.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn came(&mut self, need: Need, fetched: Result<Fetched, String>, group: &mut Group) -> Result<(), Broken> {
        self.fetching = None;
        match fetched {
            Ok(fetched) => {
                self.came = Some((fetched, 0));
                self.offer(group)
            }
            Err(reason) => {
                tracing::warn!(%reason, from = need.from, "a checkpoint could not be fetched");
                // The same one will say it again, when it still is so. Another one has said so already.
                if let Some(newest) = self.need.filter(|newest| newest.from != need.from) {
                    self.fetch(newest);
                }
                Ok(())
            }
        }
    }

    /// Time passed.
    pub fn tick(&mut self) {
        let Some((_, waited)) = self.came.as_mut() else { return };
        *waited += 1;
        if *waited > WAIT_TICKS_MAX {
            self.discard();
        }
    }

    /// Ends the task that fetches, and waits until it is gone.
    pub async fn end(self) {
        if let Some(fetching) = self.fetching {
            fetching.end().await;
        }
    }

    /// Offers what came to Raft, in the name of the leader that asked for it. Its log has all of it, if it leads in
    /// the term in which that was known to be committed, or a later one.
    fn offer(&mut self, group: &mut Group) -> Result<(), Broken> {
        let (Some((fetched, _)), Some(need)) = (&self.came, self.need) else { return Ok(()) };
        if need.term < fetched.term.max(group.term()) {
            return Ok(());
        }
        if !group.offer(need, &fetched.origin)? {
            tracing::info!(index = fetched.origin.position.index, "a checkpoint came that is of no use any more");
            self.discard();
        }
        Ok(())
    }

    fn discard(&mut self) {
        self.came = None;
        if let Some(fetcher) = &self.fetcher
            && let Err(error) = fetcher.folder.discard()
        {
            // It is tried again before the next one is fetched.
            tracing::warn!(%error, "a checkpoint that is of no use could not be removed");
        }
    }
}
