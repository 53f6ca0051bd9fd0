//! What a node is made of while it is open: the store, the log, the applier and the driver.

use super::{Neighbours, NodeOptions, Role, Status};
use crate::applier::{self, Applier};
use crate::checkpoint::Sender;
use crate::cluster::{self, Book, Question};
use crate::driver::{self, Driver, Letter, Mailbox, Standing};
use crate::healing::{self, Healing};
use crate::progress::{Progress, by};
use crate::recovery::{self, Recovery};
use crate::transport::Transport;
use crate::{Consistency, Error, Result, Transaction};
use arc_swap::ArcSwap;
use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vivarium_storage::runtime::{self, Instant, Task, mutant};
use vivarium_storage::{DataFolder, Identity, Store, Version, Wal};

/// The longest that a leader that stops waits for its heir: an election's time.
const HAND_OVER_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two looks whether anybody is still there who could be that heir.
const HAND_OVER_LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long whoever reads the old store may take to let it go: longer than any request runs.
const STORE_LET_GO_TIME_MAX: Duration = Duration::from_secs(30);

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
    pub wal: Wal,
    /// The applier and the driver. Dropped with the node, taken when it closes.
    tasks: Mutex<Option<[Task; 2]>>,
    /// Locked as long as anybody uses what lies in it: the tasks hold it too, and the fields above go first.
    _folder: Arc<DataFolder>,
}

impl Inner {
    /// As [`Inner::open`]; a store that cannot be used is fetched from another node first, if there is one, which may take
    /// long: until `closes` resolves.
    pub async fn open_or_repair(
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
        {
            healing::condemn(&folder.store(), &neighbours.book, &damage)?;
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
    pub async fn catch_up(&self, deadline: Instant) -> Result<()> {
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
    pub async fn reach_newest(&self, deadline: Instant) -> Result<()> {
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
            Consistency::Within(age) if self.progress.is_fresh(age) || mutant("read-01") => self.progress.check()?,
            Consistency::Within(_) => self.reach_newest(deadline).await?,
            Consistency::At(version) => return self.begin_at(version, deadline).await,
            Consistency::AtLeast(_) if mutant("read-02") => self.progress.check()?,
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

    pub fn status(&self) -> Status {
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
            let mut handing = pin!(cluster::transfer(self, None, runtime::now() + HAND_OVER_TIME_MAX));
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

    pub fn take_tasks(&self) -> Option<[Task; 2]> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub async fn close(&self) -> Result<()> {
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

    /// Closes the log and waits until nobody uses the store any more.
    ///
    /// # Errors
    /// `Stopped` when the log's end is not durable, or when somebody keeps the store.
    pub async fn let_go(self: Arc<Inner>) -> Result<()> {
        self.wal.close();
        // What was written last may be lost, and nobody is left to hear of it.
        self.wal.check().map_err(|error| Error::Stopped(error.to_string()))?;
        let closed = self.store.closed();
        drop(self);
        if runtime::timeout(STORE_LET_GO_TIME_MAX, closed).await.is_ok() {
            return Ok(());
        }
        let seconds = STORE_LET_GO_TIME_MAX.as_secs();
        Err(Error::Stopped(format!(
            "a checkpoint is to be installed, but after {seconds} s something still reads the store that it replaces; a restart completes it"
        )))
    }
}

/// A task that keeps the folder locked while it runs, however it ends.
async fn holding(folder: Arc<DataFolder>, task: impl Future<Output = ()>) {
    task.await;
    drop(folder);
}
