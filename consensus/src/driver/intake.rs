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
    /// Raft took what came: nobody touches it any more.
    taken: bool,
}

impl Intake {
    /// Nothing is on its way.
    pub fn new(id: GroupId, fetcher: Option<Fetcher>, mailbox: Mailbox) -> Intake {
        Intake { id, fetcher, mailbox, need: None, newest: Arc::default(), fetching: None, came: None, taken: false }
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
        let free = self.fetching.is_none() && !self.taken;
        let Some(fetcher) = self.fetcher.clone().filter(|_| free) else { return };
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
        if group.offer(need, &fetched.origin)? {
            (self.came, self.taken) = (None, true);
        } else {
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

#[cfg(test)]
mod tests {
    use super::super::mailbox::mailbox;
    use super::*;
    use crate::checkpoint::{Ask, Origin};
    use crate::raft::GroupOptions;
    use crate::transport::RequestError;
    use tempfile::TempDir;
    use vivarium_storage::engine::Position;
    use vivarium_storage::runtime::Runtime;
    use vivarium_storage::{DataFolder, Store, StoreOptions, Version, Wal, WalOptions};

    const GROUP: GroupId = GroupId(1);

    /// Node 2 of three, which has nothing, and a leader's word that this is so.
    fn node(dir: &TempDir) -> (Intake, Group, Arc<DataFolder>) {
        let folder = Arc::new(DataFolder::open(&dir.path().join("data")).unwrap());
        let wal = WalOptions { segment_bytes: 1 << 16, ..WalOptions::default() };
        let wal = Wal::open(&folder.log(), wal, &Runtime::seeded(1)).unwrap();
        let options = StoreOptions { workers: 0, ..StoreOptions::default() };
        let store = Store::open(&folder.store(), options.clone()).unwrap();
        let group = GroupOptions {
            id: GROUP,
            node: 2,
            seed: 1,
            incarnation: 1,
            uncommitted_bytes_max: 1 << 20,
            founders: vec![1, 2, 3],
            configuration: None,
        };
        let group = Group::open(wal.clone(), store, &wal.recovered(GROUP), group).unwrap();
        let ask = Ask::new(|_, _, _| Box::pin(async { Err(RequestError::NotSent("cut off".to_owned())) }));
        let fetcher = Fetcher { ask, folder: folder.clone(), options, node: 2 };
        (Intake::new(GROUP, Some(fetcher), mailbox().0), group, folder)
    }

    /// A checkpoint that came, held for committed in this term.
    fn came(folder: &DataFolder, group: &Group, term: u64) -> Fetched {
        std::fs::create_dir(folder.incoming()).unwrap();
        let position = Position { index: 9, term: 1, version: Version(5) };
        Fetched { origin: Origin { position, configuration: group.founders() }, term }
    }

    #[tokio::test]
    async fn what_came_waits_for_a_leader_that_must_have_it_but_not_for_ever() {
        let dir = TempDir::new().unwrap();
        let (mut intake, mut group, folder) = node(&dir);
        let need = Need { from: 1, term: 1, at_least: 5 };
        intake.need(need, &mut group).unwrap();
        let fetched = came(&folder, &group, 2);
        intake.came(need, Ok(fetched), &mut group).unwrap();
        for _ in 0..WAIT_TICKS_MAX {
            intake.tick();
        }
        assert!(folder.incoming().exists() && group.ready().unwrap().is_none());
        intake.tick();
        assert!(!folder.incoming().exists(), "no leader asked for it");
        let fetched = came(&folder, &group, 2);
        intake.came(need, Ok(fetched), &mut group).unwrap();
        intake.need(Need { from: 3, term: 2, at_least: 5 }, &mut group).unwrap();
        assert!(group.ready().unwrap().unwrap().checkpoint, "its leader asks for it");
    }

    #[tokio::test]
    async fn what_raft_took_is_left_alone_and_what_it_did_not_is_removed() {
        let dir = TempDir::new().unwrap();
        let (mut intake, mut group, folder) = node(&dir);
        let need = Need { from: 1, term: 1, at_least: 5 };
        intake.need(need, &mut group).unwrap();
        let mut stranger = came(&folder, &group, 1);
        stranger.origin.configuration = vec![8, 1];
        intake.came(need, Ok(stranger), &mut group).unwrap();
        assert!(!folder.incoming().exists(), "this node is not in its configuration");
        let fetched = came(&folder, &group, 1);
        intake.came(need, Ok(fetched), &mut group).unwrap();
        for _ in 0..=WAIT_TICKS_MAX {
            intake.tick();
        }
        intake.need(Need { term: 2, ..need }, &mut group).unwrap();
        assert!(folder.incoming().exists() && intake.fetching.is_none());
        intake.end().await;
    }
}
