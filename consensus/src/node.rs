//! One node of a cluster: it owns the store, the log, the driver and the applier.

use crate::applier::{self, Applier};
use crate::driver::{self, Driver, Letter, Mailbox, Standing};
use crate::progress::{Progress, by};
use crate::raft::Group;
use crate::recovery::{self, Recovery};
use crate::transport::Outbox;
use crate::{Consistency, Error, IdempotencyKey, Outcome, Result, Transaction, outcome};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vivarium_storage::runtime::{self, Instant, Runtime, Task};
use vivarium_storage::{DataFolder, Identity, Store, StoreOptions, Version, Wal, WalOptions};

#[cfg(test)]
mod tests;

/// The longest replay: a log of five segments is applied in seconds, on a slow disk in minutes.
const OPEN_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// How a node is opened.
#[derive(Clone)]
pub struct NodeOptions {
    /// The data folder. Created when it is not there.
    pub dir: PathBuf,
    /// How its store is opened.
    pub store: StoreOptions,
    /// How its log is opened.
    pub wal: WalOptions,
    /// Time and chance.
    pub runtime: Runtime,
}

/// What a node does in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Role {
    /// Orders commits.
    Leader,
    /// Applies what a leader orders.
    Follower,
    /// Wants to lead.
    Candidate,
}

/// What a node knows of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The cluster's id.
    pub cluster: String,
    /// The node's Raft id within the cluster.
    pub node: u64,
    /// Its role.
    pub role: Role,
    /// The Raft term.
    pub term: u64,
    /// The leader it knows of.
    pub leader: Option<u64>,
    /// The ids of all voters.
    pub voters: Vec<u64>,
    /// The last entry in the log.
    pub last_index: u64,
    /// The last entry that a majority has.
    pub committed_index: u64,
    /// The last entry that is applied.
    pub applied_index: u64,
    /// The newest commit that can be read here.
    pub version: Version,
    /// Bytes of log on disk.
    pub log_bytes: u64,
    /// Bytes of store on disk.
    pub store_bytes: u64,
    /// Why the node stopped, if it did.
    pub stopped: Option<String>,
}

/// One node of a cluster. Cheap to clone; the last clone does not close it, [`Node::close`] does.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

/// Who else is in the cluster of a node that opens.
struct Neighbours {
    /// The voters of a new cluster; empty for this node alone.
    founders: Vec<u64>,
    outbox: Outbox,
}

impl Neighbours {
    fn none() -> Neighbours {
        Neighbours { founders: Vec::new(), outbox: Outbox::Nobody }
    }
}

/// What was opened and is ready to start.
struct Parts {
    folder: DataFolder,
    identity: Identity,
    recovered: Recovery,
    group: Group,
    outbox: Outbox,
}

/// What a node is made of, shared with its transactions.
pub(crate) struct Inner {
    pub store: Store,
    pub progress: Arc<Progress>,
    pub mailbox: Mailbox,
    /// The most that one transaction may write.
    pub transaction_bytes_max: usize,
    wal: Wal,
    runtime: Runtime,
    identity: Identity,
    standing: Arc<ArcSwap<Standing>>,
    /// The applier and the driver. Dropped with the node, taken when it closes.
    tasks: Mutex<Option<[Task; 2]>>,
    /// Locked as long as anybody uses what lies in it: the tasks hold it too, and the fields above go first.
    _folder: Arc<DataFolder>,
}

impl Node {
    /// Opens the data folder, replays the log into the store, and starts the driver and the applier.
    /// A new folder becomes a cluster of one. Returns when the store has everything that was acknowledged.
    ///
    /// # Errors
    /// Those of storage: locked, foreign or corrupt folder, and what the operating system refuses.
    pub async fn open(options: NodeOptions) -> Result<Node> {
        Node::open_among(options, Neighbours::none()).await
    }

    async fn open_among(options: NodeOptions, neighbours: Neighbours) -> Result<Node> {
        let folder = DataFolder::open(&options.dir)?;
        let identity = recovery::identify(&folder, &options.runtime)?;
        let recovered = recovery::recover(&folder, &options)?;
        let group = recovery::open_group(&identity, &recovered, &options, neighbours.founders)?;
        let (committed, alone) = (group.committed_index(), group.is_lone_voter());
        let node = Node::start(Parts { folder, identity, recovered, group, outbox: neighbours.outbox }, options);
        // What was acknowledged is committed. A lone voter does not know how much of its log that is before it
        // leads: then all of it. Others learn it from their leader, and strong reads wait for that.
        let deadline = runtime::now() + OPEN_TIME_MAX;
        node.inner.progress.reach_index(committed, deadline).await?;
        if alone {
            node.reach_read_index(deadline).await?;
        }
        Ok(node)
    }

    /// Starts the applier and the driver.
    fn start(parts: Parts, options: NodeOptions) -> Node {
        let Parts { folder, identity, recovered, group, outbox } = parts;
        let Recovery { store, wal, .. } = recovered;
        let progress = Arc::new(Progress::new(store.position()));
        let (mailbox, inbox) = driver::mailbox();
        let (work, queue) = mpsc::unbounded_channel();
        let applier = Applier::new(applier::Parts {
            store: store.clone(),
            wal: wal.clone(),
            progress: progress.clone(),
            mailbox: mailbox.clone(),
            queue,
            segment_bytes: options.wal.segment_bytes,
            maintains: options.store.workers == 0,
        });
        let driver = Driver::new(driver::Parts {
            group,
            wal: wal.clone(),
            store: store.clone(),
            runtime: options.runtime.clone(),
            progress: progress.clone(),
            mailbox: mailbox.clone(),
            inbox,
            applier: work,
            outbox,
        });
        let standing = driver.standing();
        let folder = Arc::new(folder);
        let tasks = [
            runtime::spawn("applier", holding(folder.clone(), applier.run())),
            runtime::spawn("driver", holding(folder.clone(), driver.run())),
        ];
        let inner = Inner {
            store,
            progress,
            mailbox,
            transaction_bytes_max: recovery::transaction_bytes_max(&options.wal),
            wal,
            runtime: options.runtime,
            identity,
            standing,
            tasks: Mutex::new(Some(tasks)),
            _folder: folder,
        };
        Node { inner: Arc::new(inner) }
    }

    /// Begins a transaction at the newest version (strong: no older than any commit acknowledged before).
    ///
    /// # Errors
    /// `Unavailable`, `DeadlineExceeded`, `VersionGone`, `Stopped`.
    pub async fn begin(&self, consistency: Consistency, deadline: Instant) -> Result<Transaction> {
        match consistency {
            Consistency::Strong => self.reach_newest(deadline).await?,
            Consistency::Stale => self.inner.progress.check()?,
            Consistency::At(version) => return self.begin_at(version, deadline).await,
            Consistency::AtLeast(version) => self.inner.progress.reach_version(version, deadline).await?,
        }
        let snapshot = self.inner.store.snapshot();
        let version = snapshot.version();
        Ok(Transaction::new(self.inner.clone(), snapshot, version))
    }

    async fn begin_at(&self, version: Version, deadline: Instant) -> Result<Transaction> {
        self.inner.progress.check()?;
        if version > self.inner.progress.version() {
            let (answer, settled) = oneshot::channel();
            self.inner.mailbox.request(Letter::Settle(version, answer))?;
            self.answered(settled, deadline).await?;
            self.inner.progress.reach_version(version, deadline).await?;
        }
        let snapshot = self.inner.store.snapshot();
        let oldest = snapshot.watermark();
        if version < oldest {
            return Err(Error::VersionGone { version, oldest });
        }
        Ok(Transaction::new(self.inner.clone(), snapshot, version))
    }

    /// Waits until the store has every commit that was acknowledged before.
    async fn reach_newest(&self, deadline: Instant) -> Result<()> {
        // A node that leads alone needs to ask nobody. Every commit is acknowledged by this process, and only
        // after it was applied here; what earlier processes acknowledged was applied before the flag was set.
        // No other node can acknowledge anything: that takes a vote or an append that only this node could
        // grant. The driver clears the flag before a second voter counts.
        if self.inner.progress.leads_alone() {
            return Ok(());
        }
        self.reach_read_index(deadline).await
    }

    async fn reach_read_index(&self, deadline: Instant) -> Result<()> {
        self.inner.progress.check()?;
        let (answer, index) = oneshot::channel();
        self.inner.mailbox.request(Letter::ReadIndex(answer))?;
        let index = self.answered(index, deadline).await?;
        self.inner.progress.reach_index(index, deadline).await
    }

    async fn answered<T>(&self, answer: oneshot::Receiver<Result<T>>, deadline: Instant) -> Result<T> {
        match by(deadline, answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(self.inner.progress.stop_error()),
            None => Err(Error::DeadlineExceeded),
        }
    }

    /// What became of the mutation with this key, if it committed and is still remembered.
    ///
    /// # Errors
    /// As [`Node::begin`] with strong consistency.
    pub async fn outcome(&self, key: &IdempotencyKey, deadline: Instant) -> Result<Option<Outcome>> {
        self.reach_newest(deadline).await?;
        let remembered = outcome::find(&self.inner.store.snapshot(), key)?;
        Ok(remembered.map(|remembered| remembered.outcome))
    }

    /// What this node knows of itself.
    pub fn status(&self) -> Status {
        let standing = self.inner.standing.load();
        let progress = &self.inner.progress;
        Status {
            cluster: self.inner.identity.cluster.to_string(),
            node: self.inner.identity.node,
            role: standing.role,
            term: standing.term,
            leader: standing.leader,
            voters: standing.voters.clone(),
            last_index: standing.last_index,
            committed_index: standing.committed_index,
            applied_index: progress.applied(),
            version: progress.version(),
            log_bytes: self.inner.wal.disk_bytes(),
            store_bytes: self.inner.store.usage().disk_bytes,
            stopped: progress.stop_reason(),
        }
    }

    /// Resolves when the node has stopped by itself, after a storage failure, with the reason.
    pub async fn stopped(&self) -> String {
        self.inner.progress.stopped().await
    }

    /// The store, for status, verification and export.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The time and chance that it was opened with.
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// Refuses new work, finishes what is under way, makes everything durable and closes. A node that is
    /// closed already has nothing left to do. The folder stays locked until the last clone is dropped.
    ///
    /// # Errors
    /// Those of the last fsyncs; `Stopped` when the node had stopped by itself.
    pub async fn close(&self) -> Result<()> {
        let tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some([applier, driver]) = tasks else { return Ok(()) };
        self.inner.progress.begin_closing();
        self.inner.mailbox.tell(Letter::Close);
        if let Some(reason) = self.inner.progress.stop_reason() {
            return Err(Error::Stopped(reason));
        }
        // In this order: the applier ends when the driver has handed over everything.
        driver.join().await;
        applier.join().await;
        if let Some(reason) = self.inner.progress.stop_reason() {
            return Err(Error::Stopped(reason));
        }
        self.inner.store.persist()?;
        self.inner.wal.close();
        Ok(())
    }
}

/// A task that keeps the folder locked while it runs, however it ends.
async fn holding(folder: Arc<DataFolder>, task: impl Future<Output = ()>) {
    task.await;
    drop(folder);
}
