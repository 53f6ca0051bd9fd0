//! One task that owns all Raft groups of a node: takes letters, steps the groups, performs their effects.
//!
//! Whatever waits while an fsync runs goes into the log together, in the next write.

mod intake;
mod leading;
mod mailbox;
mod membership;
mod proposal;
mod reads;
mod replica;

pub use mailbox::Queues;
pub(crate) use mailbox::{Inbox, Letter, Mailbox, mailbox};
pub(crate) use proposal::{Proposal, Ticket, ticket};

use crate::Role;
use crate::applier::Work;
use crate::checkpoint::{Fetcher, Sender};
use crate::cluster::Book;
use crate::progress::{Progress, Sentinel};
use crate::raft::{Follower, Group};
use crate::transport::Outbox;
use arc_swap::ArcSwap;
use intake::Intake;
use replica::{Replica, Step, Surroundings};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use vivarium_storage::runtime::{Instant, Runtime, now};
use vivarium_storage::wal::GroupId;
use vivarium_storage::{Store, Wal};

/// The one group of a node until documents are hashed to shards.
pub(crate) const GROUP: GroupId = GroupId(1);
/// How often time passes for groups of several voters. Elections take 10 to 20 of these, heartbeats 2.
const TICK: Duration = Duration::from_millis(50);
/// The longest sleep of a node that waits for nothing.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// How long closing waits for a majority that may never answer.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(10);

/// What the driver last knew of its group, for status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub role: Role,
    pub term: u64,
    pub leader: Option<u64>,
    pub voters: Vec<u64>,
    pub learners: Vec<u64>,
    /// What a leader knows of the others.
    pub followers: Vec<Follower>,
    pub last_index: u64,
    pub committed_index: u64,
}

/// What a driver is made of.
pub(crate) struct Parts {
    pub group: Group,
    pub wal: Wal,
    pub store: Store,
    pub runtime: Runtime,
    pub progress: Arc<Progress>,
    pub mailbox: Mailbox,
    pub inbox: Inbox,
    pub applier: mpsc::UnboundedSender<Vec<Work>>,
    pub outbox: Outbox,
    pub book: Arc<Book>,
    /// Serves checkpoints.
    pub checkpoints: Arc<Sender>,
    /// Fetches checkpoints, when there is a way to ask for them.
    pub fetcher: Option<Fetcher>,
}

/// The task that owns the groups.
pub(crate) struct Driver {
    replicas: BTreeMap<GroupId, Replica>,
    progress: Arc<Progress>,
    inbox: Inbox,
    standing: Arc<ArcSwap<Standing>>,
    next_tick: Instant,
    /// When a node that closes gives up on what is under way.
    close_by: Option<Instant>,
}

impl Driver {
    /// A driver of one group.
    pub fn new(parts: Parts) -> Driver {
        let Parts { group, wal, store, runtime, progress, mailbox, inbox, applier, outbox, book, checkpoints, fetcher } =
            parts;
        let standing = Arc::new(ArcSwap::from_pointee(Standing::of(&group)));
        let intake = Intake::new(GROUP, fetcher, mailbox.clone());
        let surroundings = Surroundings {
            wal,
            store,
            runtime,
            progress: progress.clone(),
            mailbox,
            applier,
            outbox,
            book,
            checkpoints,
        };
        let replicas = BTreeMap::from([(GROUP, Replica::new(GROUP, group, intake, surroundings))]);
        Driver { replicas, progress, inbox, standing, next_tick: now() + TICK, close_by: None }
    }

    /// What the driver publishes of its group.
    pub fn standing(&self) -> Arc<ArcSwap<Standing>> {
        self.standing.clone()
    }

    /// Runs until the node closes, is opened again or must stop. Who waits for an entry then finds that nobody knows its outcome.
    pub async fn run(mut self) {
        let sentinel = Sentinel::new(self.progress.clone(), "driver");
        let mut turn = self.proceed();
        while turn.is_ok() && !self.progress.reopens() && !self.may_close() {
            let letters = self.inbox.take(self.sleep()).await;
            turn = self.turn(letters);
        }
        if let Err(reason) = turn {
            self.progress.stop(reason);
        }
        for replica in self.replicas.into_values() {
            replica.end().await;
        }
        sentinel.dismiss();
    }

    fn may_close(&self) -> bool {
        self.close_by.is_some_and(|by| self.replicas.values().all(Replica::is_quiet) || now() >= by)
    }

    fn turn(&mut self, letters: Vec<Letter>) -> Step {
        if let Some(reason) = self.progress.stop_reason() {
            return Err(reason);
        }
        for letter in letters {
            self.open(letter)?;
        }
        self.tick()?;
        self.proceed()
    }

    fn open(&mut self, letter: Letter) -> Step {
        match letter {
            Letter::Commit(proposal) => self.replica(GROUP).commit(*proposal),
            Letter::ReadIndex(reader) => {
                self.replica(GROUP).read_index(reader);
                Ok(())
            }
            Letter::Settle(version, reader) => self.replica(GROUP).settle(version, reader),
            Letter::Transfer(to, asker) => self.replica(GROUP).transfer(to, asker),
            Letter::Message(group, message) => self.replica(group).receive(message),
            Letter::CheckpointCame(group, need, fetched) => self.replica(group).checkpoint_came(need, fetched),
            Letter::Persisted(group, number) => self.replica(group).persisted(number),
            Letter::LogFailed(reason) => Err(reason),
            // Every turn looks at how far the applier is.
            Letter::Applied => Ok(()),
            Letter::Purge(index) => self.replica(GROUP).purge(index),
            Letter::Count(asker) => {
                let requests = self.inbox.requests();
                // Whoever gave up in between hears nothing.
                let _ = asker.send(Queues { requests, ..self.replica(GROUP).queues() });
                Ok(())
            }
            Letter::Close => {
                self.close_by = Some(now() + CLOSE_TIME_MAX);
                Ok(())
            }
        }
    }

    fn tick(&mut self) -> Step {
        let now = now();
        if now < self.next_tick {
            return Ok(());
        }
        // A late driver does not make up for lost time: it would see timeouts that nobody else saw.
        self.next_tick = now + TICK;
        self.replicas.values_mut().filter(|replica| replica.needs_ticks()).try_for_each(Replica::tick)
    }

    fn proceed(&mut self) -> Step {
        self.replicas.values_mut().try_for_each(Replica::proceed)?;
        let standing = Standing::of(self.replica(GROUP).group());
        if **self.standing.load() != standing {
            self.standing.store(Arc::new(standing));
        }
        Ok(())
    }

    fn sleep(&self) -> Duration {
        let now = now();
        let due = self.replicas.values().filter_map(Replica::due).min();
        let tick = self.replicas.values().any(Replica::needs_ticks);
        let tick = tick.then_some(self.next_tick);
        let close = self.close_by;
        let next = [due, tick, close].into_iter().flatten().min();
        next.map_or(SLEEP_MAX, |next| SLEEP_MAX.min(next.saturating_duration_since(now)))
    }

    fn replica(&mut self, group: GroupId) -> &mut Replica {
        self.replicas.get_mut(&group).expect("letters are for groups of this node")
    }
}

impl Standing {
    /// True when the node votes or follows.
    pub fn has(&self, node: u64) -> bool {
        self.voters.contains(&node) || self.learners.contains(&node)
    }

    fn of(group: &Group) -> Standing {
        Standing {
            role: group.role(),
            term: group.term(),
            leader: group.leader(),
            voters: group.voters(),
            learners: group.learners(),
            followers: group.followers(),
            last_index: group.last_index(),
            committed_index: group.committed_index(),
        }
    }
}
