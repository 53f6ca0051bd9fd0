//! One node of a cluster: it owns the store, the log, the driver and the applier.

use crate::applier::{self, Applier};
use crate::checkpoint::{Ask, Fetcher, Sender};
use crate::cluster::{self, Book, ClusterOptions, Desk, Member, Question, Token};
use crate::driver::{self, Driver, Letter, Mailbox, Queues, Standing};
use crate::healing::{self, Healing};
use crate::progress::{Progress, by};
use crate::recovery::{self, Recovery};
use crate::transport::{Outbox, Transport, TransportOptions};
use crate::{Consistency, Error, IdempotencyKey, Outcome, Result, Transaction, outcome};
use arc_swap::ArcSwap;
use futures_util::future::{Either, select};
use serde::Serialize;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vivarium_storage::runtime::{self, Instant, Runtime, Task};
use vivarium_storage::{DataFolder, Identity, Store, StoreOptions, Version, Wal, WalOptions};

mod shell;
#[cfg(test)]
#[cfg(not(madsim))]
mod tests;

pub(crate) use shell::Shell;

/// The longest replay: a log of five segments is applied in seconds, on a slow disk in minutes.
const OPEN_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Between two looks whether a node that was opened again meanwhile has caught up.
const OPEN_AGAIN_EVERY: Duration = Duration::from_millis(10);
/// The longest that a leader that stops waits for its heir: an election's time.
const HAND_OVER_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two looks whether anybody is still there who could be that heir.
const HAND_OVER_LOOK_EVERY: Duration = Duration::from_millis(20);

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

/// Who else is in the cluster of a node that opens.
#[derive(Clone)]
pub(crate) struct Neighbours {
    /// The voters of a new cluster; empty for its first node alone.
    founders: Vec<u64>,
    outbox: Outbox,
    book: Arc<Book>,
    /// The way to ask them for checkpoints.
    ask: Option<Ask>,
}

impl Neighbours {
    fn none() -> Neighbours {
        Neighbours { founders: Vec::new(), outbox: Outbox::Nobody, book: Arc::new(Book::alone()), ask: None }
    }

    /// What fetches checkpoints from them, when there is a way to ask.
    fn fetcher(&self, folder: &Arc<DataFolder>, identity: &Identity, options: &NodeOptions) -> Option<Fetcher> {
        let (folder, options, node) = (folder.clone(), options.store.clone(), identity.node);
        self.ask.clone().map(|ask| Fetcher { ask, folder, options, node })
    }

    /// Lets one of them make up for a store that cannot be used. False when that cannot be.
    async fn repair(&self, folder: &Arc<DataFolder>, identity: &Identity, options: &NodeOptions) -> Result<bool> {
        match self.fetcher(folder, identity, options) {
            Some(fetcher) => recovery::repair(&fetcher, options, &self.book.recall()?).await,
            None => Ok(false),
        }
    }
}

/// What a node is made of between two times that it opens, shared with its transactions.
pub(crate) struct Inner {
    pub store: Store,
    pub progress: Arc<Progress>,
    /// Serves checkpoints.
    pub checkpoints: Arc<Sender>,
    mailbox: Mailbox,
    /// What the driver last said of its group.
    pub standing: Arc<ArcSwap<Standing>>,
    /// Where the others are.
    pub book: Arc<Book>,
    pub identity: Identity,
    /// The most that one transaction may write.
    pub transaction_bytes_max: usize,
    /// Gives the store up when it turns out to be damaged.
    pub healing: Arc<Healing>,
    /// What is known to be committed when it opens.
    committed_before: u64,
    /// True when it opens as the only voter.
    alone: bool,
    wal: Wal,
    /// The applier and the driver. Dropped with the node, taken when it closes.
    tasks: Mutex<Option<[Task; 2]>>,
    /// Locked as long as anybody uses what lies in it: the tasks hold it too, and the fields above go first.
    _folder: Arc<DataFolder>,
}

impl Inner {
    /// As [`Inner::open`]; a store that cannot be used is fetched from another node first, if there is one, which may take
    /// long: until `closes` resolves.
    async fn open_or_repair(
        folder: &Arc<DataFolder>,
        identity: Identity,
        options: &NodeOptions,
        neighbours: &Neighbours,
        closes: impl Future<Output = ()>,
    ) -> Result<Inner> {
        let opened = Inner::open(folder, identity, options, neighbours);
        if !matches!(&opened, Err(Error::Storage(vivarium_storage::Error::Corrupt { .. }))) {
            return opened;
        }
        match select(pin!(neighbours.repair(folder, &identity, options)), pin!(closes)).await {
            Either::Left((repaired, _)) => match repaired? {
                true => Inner::open(folder, identity, options, neighbours),
                false => opened,
            },
            Either::Right(_) => Err(Error::Stopped(
                "it was closed while its store was fetched from another node; a restart goes on".to_owned(),
            )),
        }
    }

    /// Recovers what lies in the folder, replays the log into the store, and starts the applier and the driver.
    fn open(
        folder: &Arc<DataFolder>,
        identity: Identity,
        options: &NodeOptions,
        neighbours: &Neighbours,
    ) -> Result<Inner> {
        let recovered = recovery::recover(folder, options)?;
        let store = recovered.store.clone();
        let opened = Inner::start(recovered, folder, identity, options, neighbours);
        if let (Err(Error::Storage(vivarium_storage::Error::Corrupt { .. })), Some(damage)) = (&opened, store.damage())
            && !neighbours.book.others().is_empty()
        {
            Store::condemn(&folder.store(), &damage)?;
        }
        opened
    }

    fn start(
        recovered: Recovery,
        folder: &Arc<DataFolder>,
        identity: Identity,
        options: &NodeOptions,
        neighbours: &Neighbours,
    ) -> Result<Inner> {
        let group = recovery::open_group(&identity, &recovered, options, neighbours.founders.clone())?;
        neighbours.book.refresh(&recovered.store.snapshot())?;
        let (committed_before, alone) = (group.committed_index(), group.is_lone_voter());
        let Recovery { store, wal, .. } = recovered;
        let progress = Arc::new(Progress::new(store.position()));
        let (mailbox, inbox) = driver::mailbox();
        let (work, queue) = mpsc::unbounded_channel();
        let healing =
            Arc::new(Healing::new(folder.store(), neighbours.book.clone(), progress.clone(), mailbox.clone()));
        runtime::spawn("healing", healing::watch(Arc::downgrade(&healing), store.damaged())).detach();
        let applier = Applier::new(applier::Parts {
            store: store.clone(),
            wal: wal.clone(),
            progress: progress.clone(),
            mailbox: mailbox.clone(),
            book: neighbours.book.clone(),
            healing: healing.clone(),
            queue,
            segment_bytes: options.wal.segment_bytes,
            segments_kept: options.wal.segments_kept,
            maintains: options.store.workers == 0,
        });
        let checkpoints = Arc::new(Sender::new(store.clone(), group.founders(), group.term(), options.runtime.clone()));
        let fetcher = neighbours.fetcher(folder, &identity, options);
        let driver = Driver::new(driver::Parts {
            group,
            wal: wal.clone(),
            store: store.clone(),
            runtime: options.runtime.clone(),
            progress: progress.clone(),
            mailbox: mailbox.clone(),
            inbox,
            applier: work,
            outbox: neighbours.outbox.clone(),
            book: neighbours.book.clone(),
            checkpoints: checkpoints.clone(),
            fetcher,
        });
        let standing = driver.standing();
        let tasks = [
            runtime::spawn("applier", holding(folder.clone(), applier.run())),
            runtime::spawn("driver", holding(folder.clone(), driver.run())),
        ];
        Ok(Inner {
            store,
            progress,
            checkpoints,
            mailbox,
            standing,
            book: neighbours.book.clone(),
            healing,
            identity,
            transaction_bytes_max: recovery::transaction_bytes_max(&options.wal),
            committed_before,
            alone,
            wal,
            tasks: Mutex::new(Some(tasks)),
            _folder: folder.clone(),
        })
    }

    /// Asks something of the driver.
    ///
    /// # Errors
    /// `Unavailable` when too many requests wait, `Reopened`, `Stopped`.
    pub fn request(&self, letter: Letter) -> Result<()> {
        self.mailbox.request(letter).map_err(|error| match error {
            Error::Stopped(_) => self.progress.stop_error(),
            error => error,
        })
    }

    /// Tells the driver what came from elsewhere.
    pub fn tell(&self, letter: Letter) {
        self.mailbox.tell(letter);
    }

    /// Waits until the store has everything that was acknowledged before the node opened.
    async fn catch_up(&self, deadline: Instant) -> Result<()> {
        // What was acknowledged is committed. A lone voter does not know how much of its log that is before it
        // leads: then all of it. Others learn it from their leader, and strong reads wait for that.
        self.progress.reach_index(self.committed_before, deadline).await?;
        // A store that is built anew begins with the founders, and the log brings the others.
        let is_alone = || self.alone && self.standing.load().voters.len() < 2;
        if !is_alone() {
            return Ok(());
        }
        match self.reach_read_index(deadline).await {
            Err(Error::Unavailable { .. }) if !is_alone() => Ok(()),
            reached => reached,
        }
    }

    /// Waits until the store has every commit that was acknowledged before.
    async fn reach_newest(&self, deadline: Instant) -> Result<()> {
        // A node that leads alone needs to ask nobody. Every commit is acknowledged by this process, and only
        // after it was applied here; what earlier processes acknowledged, or nodes that followed and are gone, was
        // applied before the flag was set. No other node can acknowledge or read anything: that takes entries that
        // only this node could send. The driver clears the flag before anybody follows.
        if self.progress.leads_alone() {
            return Ok(());
        }
        self.reach_read_index(deadline).await
    }

    async fn reach_read_index(&self, deadline: Instant) -> Result<()> {
        self.progress.check()?;
        let asked = runtime::now();
        let (answer, index) = oneshot::channel();
        self.request(Letter::ReadIndex(answer))?;
        let index = self.answered(index, deadline).await?;
        self.progress.reach_index(index, deadline).await?;
        self.progress.caught_up(asked);
        Ok(())
    }

    async fn answered<T>(&self, answer: oneshot::Receiver<Result<T>>, deadline: Instant) -> Result<T> {
        match by(deadline, answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(self.progress.stop_error()),
            None => Err(Error::DeadlineExceeded),
        }
    }

    /// Begins a transaction, see [`Node::begin`].
    ///
    /// # Errors
    /// Those of [`Node::begin`].
    pub async fn begin(self: Arc<Inner>, consistency: Consistency, deadline: Instant) -> Result<Transaction> {
        let mut is_newest = consistency == Consistency::Strong;
        match consistency {
            Consistency::Strong => self.reach_newest(deadline).await?,
            Consistency::Stale => {
                self.progress.check()?;
                is_newest = self.progress.leads_alone();
            }
            Consistency::Within(age) if self.progress.is_fresh(age) => self.progress.check()?,
            Consistency::Within(_) => self.reach_newest(deadline).await?,
            Consistency::At(version) => return self.begin_at(version, deadline).await,
            Consistency::AtLeast(version) => self.progress.reach_version(version, deadline).await?,
        }
        let snapshot = self.store.snapshot();
        let version = snapshot.version();
        Ok(Transaction::new(self, snapshot, version, is_newest))
    }

    async fn begin_at(self: Arc<Inner>, version: Version, deadline: Instant) -> Result<Transaction> {
        self.progress.check()?;
        if version > self.progress.version() {
            cluster::ask_leader(&self, &Question::Settle(version), deadline).await?;
            self.progress.reach_version(version, deadline).await?;
        }
        let snapshot = self.store.snapshot();
        let oldest = snapshot.watermark();
        if version < oldest {
            return Err(Error::VersionGone { version, oldest });
        }
        Ok(Transaction::new(self, snapshot, version, false))
    }

    fn status(&self) -> Status {
        let standing = self.standing.load();
        let progress = &self.progress;
        Status {
            cluster: self.identity.cluster.to_string(),
            node: self.identity.node,
            role: standing.role,
            term: standing.term,
            leader: standing.leader,
            voters: standing.voters.clone(),
            learners: standing.learners.clone(),
            last_index: standing.last_index,
            committed_index: standing.committed_index,
            applied_index: progress.applied(),
            version: progress.version(),
            log_bytes: self.wal.disk_bytes(),
            store_bytes: self.store.usage().disk_bytes,
            stopped: progress.stop_reason(),
        }
    }

    /// A leader that stops lets another one lead first, so that the others need not wait for an election.
    async fn hand_over(&self) {
        let standing = self.standing.load_full();
        let others = standing.followers.iter().any(|follower| follower.voter && follower.active);
        if standing.role == Role::Leader && others && self.book.transport().is_some() {
            let mut handing = std::pin::pin!(cluster::transfer(self, None, runtime::now() + HAND_OVER_TIME_MAX));
            while self.reaches_a_voter() {
                match runtime::timeout(HAND_OVER_LOOK_EVERY, &mut handing).await {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => return tracing::warn!(%error, "leadership could not be handed over"),
                    Err(_) => {}
                }
            }
            // They stop too: nobody is left to wait for.
            tracing::info!("leadership is not handed over: no other voter is there any more");
        }
    }

    fn reaches_a_voter(&self) -> bool {
        let voters = &self.standing.load().voters;
        let peers = self.book.transport().map(Transport::peers).unwrap_or_default();
        peers.iter().any(|peer| peer.connected && voters.contains(&peer.node))
    }

    fn take_tasks(&self) -> Option<[Task; 2]> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn close(&self) -> Result<()> {
        let Some([applier, driver]) = self.take_tasks() else { return Ok(()) };
        let closed = self.close_tasks(applier, driver).await;
        if let Some(transport) = self.book.transport() {
            transport.close().await;
        }
        closed
    }

    async fn close_tasks(&self, applier: Task, driver: Task) -> Result<()> {
        self.hand_over().await;
        self.progress.begin_closing();
        self.mailbox.tell(Letter::Close);
        if let Some(reason) = self.progress.stop_reason() {
            return Err(Error::Stopped(reason));
        }
        // In this order: the applier ends when the driver has handed over everything.
        driver.join().await;
        applier.join().await;
        if let Some(reason) = self.progress.stop_reason() {
            return Err(Error::Stopped(reason));
        }
        self.store.persist()?;
        self.wal.close();
        Ok(self.wal.check()?)
    }
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

/// A task that keeps the folder locked while it runs, however it ends.
async fn holding(folder: Arc<DataFolder>, task: impl Future<Output = ()>) {
    task.await;
    drop(folder);
}
