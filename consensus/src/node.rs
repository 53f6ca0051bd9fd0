//! One node of a cluster: it owns the store, the log, the driver and the applier.

use crate::cluster::{self, Book, ClusterOptions, Desk, Member, Token};
use crate::driver::{Letter, Queues};
use crate::progress::by;
use crate::transport::{Outbox, Transport, TransportOptions};
use crate::{Consistency, Error, IdempotencyKey, Outcome, Result, Transaction, outcome, recovery};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_storage::runtime::{self, Instant, Runtime, Task};
use vivarium_storage::{DataFolder, Identity, Store, StoreOptions, Version, WalOptions};

mod inner;
mod neighbours;
mod shell;
#[cfg(test)]
#[cfg(not(madsim))]
mod tests;

pub(crate) use inner::Inner;
use neighbours::Neighbours;
pub(crate) use shell::Shell;

/// The longest replay: a log of five segments is applied in seconds, on a slow disk in minutes.
const OPEN_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Between two looks whether a node that was opened again meanwhile has caught up.
const OPEN_AGAIN_EVERY: Duration = Duration::from_millis(10);

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
    /// How it meets others; `None` for a node that stays alone.
    pub cluster: Option<ClusterOptions>,
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
    /// The ids of all nodes that follow and do not vote.
    pub learners: Vec<u64>,
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
    handle: Arc<Handle>,
}

struct Handle {
    shell: Arc<Shell>,
    /// Opens the node again when a checkpoint is to be installed. Ends with the last clone.
    _supervisor: Task,
}

impl Node {
    /// Opens the data folder, replays the log into the store, and starts the driver and the applier.
    /// A new folder becomes a cluster of one. Returns when the store has everything that was acknowledged.
    ///
    /// # Errors
    /// Those of storage: locked, foreign or corrupt folder, and what the operating system refuses.
    pub async fn open(options: NodeOptions) -> Result<Node> {
        let folder = Arc::new(DataFolder::open(&options.dir)?);
        let identity = recovery::identify(&folder, &options.runtime)?;
        let Some(cluster) = options.cluster.clone() else {
            return Node::open_among(folder, identity, options, Neighbours::none()).await;
        };
        let token = cluster::prepare(&folder, &identity, &options.runtime)?;
        // One that was begun before a crash.
        let identity = cluster::replace(&folder, identity, &cluster, &token, &options.runtime).await?;
        match Node::open_member(&folder, identity, &options, &cluster, &token).await {
            Err(Error::Storage(vivarium_storage::Error::Corrupt { .. }))
                if cluster::begin_replacement(&folder, &identity, &options)? =>
            {
                let identity = cluster::replace(&folder, identity, &cluster, &token, &options.runtime).await?;
                Node::open_member(&folder, identity, &options, &cluster, &token).await
            }
            opened => opened,
        }
    }

    /// Opens a node that meets others.
    async fn open_member(
        folder: &Arc<DataFolder>,
        identity: Identity,
        options: &NodeOptions,
        cluster: &ClusterOptions,
        token: &Token,
    ) -> Result<Node> {
        let desk = Arc::new(Desk::new(identity.node, cluster.checkpoint_bytes_per_second_max));
        let listen = TransportOptions {
            cluster: identity.cluster,
            node: identity.node,
            epoch: identity.epoch,
            secret: token.secret.clone(),
            listen: cluster.listen.clone(),
            tls: cluster.tls.clone(),
            runtime: options.runtime.clone(),
        };
        let transport = Transport::start(listen, desk.clone()).await?;
        let address = cluster.advertise.clone().unwrap_or_else(|| transport.address().to_owned());
        let neighbours = Neighbours {
            founders: Vec::new(),
            outbox: Outbox::Network(transport.clone()),
            book: Arc::new(Book::new(transport.clone(), folder.clone(), identity.node)),
            ask: Some(cluster::pull(transport.clone())),
        };
        let opened = Node::open_among_at(folder.clone(), identity, options.clone(), neighbours, |shell| {
            desk.seat(shell);
            runtime::spawn("announce", cluster::announce(shell.clone(), address)).detach();
        });
        match opened.await {
            Ok(node) => Ok(node),
            Err(error) => {
                transport.close().await;
                Err(error)
            }
        }
    }

    async fn open_among(
        folder: Arc<DataFolder>,
        identity: Identity,
        options: NodeOptions,
        neighbours: Neighbours,
    ) -> Result<Node> {
        Node::open_among_at(folder, identity, options, neighbours, |_| {}).await
    }

    /// Opens a node. Before it waits for what others must tell it, `reachable` lets them reach it.
    async fn open_among_at(
        folder: Arc<DataFolder>,
        identity: Identity,
        options: NodeOptions,
        neighbours: Neighbours,
        reachable: impl FnOnce(&Weak<Shell>),
    ) -> Result<Node> {
        let shell = Shell::open(folder, identity, options, neighbours).await?;
        reachable(&Arc::downgrade(&shell));
        let supervisor = runtime::spawn("supervisor", shell::supervise(Arc::downgrade(&shell)));
        let node = Node { handle: Arc::new(Handle { shell, _supervisor: supervisor }) };
        node.caught_up(runtime::now() + OPEN_TIME_MAX).await?;
        Ok(node)
    }

    /// Waits until the store has everything that was acknowledged before the node opened.
    async fn caught_up(&self, deadline: Instant) -> Result<()> {
        loop {
            match self.handle.shell.settled().await?.catch_up(deadline).await {
                // A checkpoint came in between. Whoever opens the node again for it must get its turn.
                Err(Error::Reopened) if runtime::now() < deadline => runtime::sleep(OPEN_AGAIN_EVERY).await,
                caught_up => return caught_up,
            }
        }
    }

    /// What the node is made of now.
    pub(crate) fn inner(&self) -> Result<Arc<Inner>> {
        self.handle.shell.inner()
    }

    /// As [`Node::inner`], once the node is not being opened again.
    ///
    /// # Errors
    /// `DeadlineExceeded`, `Stopped`.
    async fn settled(&self, deadline: Instant) -> Result<Arc<Inner>> {
        let left = deadline.saturating_duration_since(runtime::now());
        runtime::timeout(left, self.handle.shell.settled()).await.unwrap_or(Err(Error::DeadlineExceeded))
    }

    /// Begins a transaction at the newest version (strong: no older than any commit acknowledged before). Waits while
    /// the node is opened again.
    ///
    /// # Errors
    /// `Unavailable`, `DeadlineExceeded`, `VersionGone`, `Stopped`.
    pub async fn begin(&self, consistency: Consistency, deadline: Instant) -> Result<Transaction> {
        loop {
            match self.settled(deadline).await?.begin(consistency, deadline).await {
                Err(Error::Reopened) => self.wait_a_moment(deadline).await?,
                begun => return begun,
            }
        }
    }

    /// Lets those go on that are about to open the node again.
    async fn wait_a_moment(&self, deadline: Instant) -> Result<()> {
        if runtime::now() + OPEN_AGAIN_EVERY >= deadline {
            return Err(Error::DeadlineExceeded);
        }
        runtime::sleep(OPEN_AGAIN_EVERY).await;
        Ok(())
    }

    /// All nodes of the cluster, as this one knows them, in ascending order.
    ///
    /// # Errors
    /// `Reopened` while the node is opened again, `Stopped`.
    pub fn members(&self) -> Result<Vec<Member>> {
        Ok(cluster::members(&*self.inner()?))
    }

    /// What another node needs to join this node's cluster; `None` for a node that stays alone.
    ///
    /// # Errors
    /// Those of reading the data folder.
    pub fn token(&self) -> Result<Option<Token>> {
        self.handle.shell.token()
    }

    /// Whether what it says to other nodes is kept private by certificates.
    pub fn has_peer_tls(&self) -> bool {
        self.handle.shell.options.cluster.as_ref().is_some_and(|cluster| cluster.tls.is_some())
    }

    /// Lets a node go for good, and returns when the group does without it. Its number is never used again.
    ///
    /// # Errors
    /// `Refused` when there is no such node, or when the rest could commit nothing; `Unavailable`,
    /// `DeadlineExceeded` (it may go later all the same).
    pub async fn remove_member(&self, number: u64, deadline: Instant) -> Result<()> {
        cluster::remove(&self.inner()?, number, deadline).await
    }

    /// Has another voter lead: this one, or the one that is closest behind. Returns when it does.
    ///
    /// # Errors
    /// `Refused` when it is no voter or does not take over in time, `Unavailable`.
    pub async fn transfer_leadership(&self, to: Option<u64>, deadline: Instant) -> Result<()> {
        cluster::transfer(&*self.inner()?, to, deadline).await
    }

    /// What became of the mutation with this key, if it committed and is still remembered.
    ///
    /// # Errors
    /// As [`Node::begin`] with strong consistency.
    pub async fn outcome(&self, key: &IdempotencyKey, deadline: Instant) -> Result<Option<Outcome>> {
        loop {
            let inner = self.settled(deadline).await?;
            match inner.reach_newest(deadline).await {
                Err(Error::Reopened) => {}
                reached => {
                    reached?;
                    let remembered = outcome::find(&inner.store.snapshot(), key)?;
                    return Ok(remembered.map(|remembered| remembered.outcome));
                }
            }
            // While somebody holds it, it cannot be opened again.
            drop(inner);
            self.wait_a_moment(deadline).await?;
        }
    }

    /// As [`Node::outcome`], as far as this node has applied the log: none does not mean that there is none.
    ///
    /// # Errors
    /// `Reopened` while the node is opened again, `Stopped`, `Storage`.
    pub fn outcome_here(&self, key: &IdempotencyKey) -> Result<Option<Outcome>> {
        let remembered = outcome::find(&self.inner()?.store.snapshot(), key)?;
        Ok(remembered.map(|remembered| remembered.outcome))
    }

    /// What waits in this node now.
    ///
    /// # Errors
    /// `Reopened` while the node is opened again, `Stopped`, `DeadlineExceeded`.
    pub async fn queues(&self, deadline: Instant) -> Result<Queues> {
        let inner = self.inner()?;
        let (asker, counted) = oneshot::channel();
        inner.tell(Letter::Count(asker));
        by(deadline, counted).await.ok_or(Error::DeadlineExceeded)?.map_err(|_| inner.progress.stop_error())
    }

    /// What this node knows of itself, or last knew while it is opened again.
    pub fn status(&self) -> Status {
        self.handle.shell.status()
    }

    /// Resolves when the node has stopped by itself, after a storage failure, with the reason.
    pub async fn stopped(&self) -> String {
        self.handle.shell.stopped().await
    }

    /// The store, for status, verification and export. Let go of it soon: while somebody holds it, no checkpoint
    /// can be installed.
    ///
    /// # Errors
    /// `Reopened` while the node is opened again, `Stopped` when that failed.
    pub fn store(&self) -> Result<Store> {
        Ok(self.inner()?.store.clone())
    }

    /// The time and chance that it was opened with.
    pub fn runtime(&self) -> &Runtime {
        &self.handle.shell.options.runtime
    }

    /// Refuses new work, finishes what is under way, makes everything durable and closes. A node that is
    /// closed already has nothing left to do. The folder stays locked until the last clone is dropped.
    ///
    /// # Errors
    /// Those of the last fsyncs; `Stopped` when the node had stopped by itself.
    pub async fn close(&self) -> Result<()> {
        self.handle.shell.close().await
    }
}
