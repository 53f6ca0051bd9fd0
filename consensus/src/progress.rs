//! How far the node has applied its log, whether it still runs, and who waits for either.
//!
//! Written by the applier and the driver, read by everybody. Positions only ever grow.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_storage::Version;
use vivarium_storage::engine::Position;
use vivarium_storage::runtime::{Instant, now, timeout};

/// Requests that may wait for a position. More than any server admits at once.
const WAITERS_MAX: usize = 1 << 16;
/// When to try again what was refused because too much waits.
pub(crate) const RETRY_WHEN_FULL: Duration = Duration::from_millis(20);
/// When to try again what needs a leader: about as long as an election takes.
pub(crate) const RETRY_WITHOUT_LEADER: Duration = Duration::from_millis(500);
/// When to ask a node again that is being opened again: renaming two folders and opening them takes no longer.
pub(crate) const RETRY_WHILE_REOPENING: Duration = Duration::from_millis(500);

/// How far the node is.
pub(crate) struct Progress {
    applied: AtomicU64,
    version: AtomicU64,
    checkpoint: AtomicU64,
    /// Bytes of entries that are committed and wait for the applier.
    queued_bytes: AtomicUsize,
    /// The applied index that the driver wants to be woken at; the greatest number when none.
    wake_driver_at: AtomicU64,
    lone_leader: AtomicBool,
    /// Beside [`Life::Reopening`], for reads, which must not take a lock.
    reopening: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    life: Life,
    /// Whatever was acknowledged before this can be read here.
    fresh: Option<Instant>,
    next_ticket: u64,
    indexes: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    versions: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    ends: Vec<oneshot::Sender<()>>,
}

#[derive(Clone, Default)]
enum Life {
    #[default]
    Running,
    Closing,
    Reopening,
    Stopped(String),
}

/// How a node's life ends other than by being closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It stopped by itself, for this reason.
    Stopped(String),
    /// It has to be opened again: a checkpoint is decided.
    Reopening,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Index(u64),
    Version(Version),
}

impl Progress {
    /// A node whose store is at `position`.
    pub fn new(position: Position) -> Progress {
        Progress {
            applied: AtomicU64::new(position.index),
            version: AtomicU64::new(position.version.0),
            // A store syncs what it finds on opening.
            checkpoint: AtomicU64::new(position.index),
            queued_bytes: AtomicUsize::new(0),
            wake_driver_at: AtomicU64::new(u64::MAX),
            lone_leader: AtomicBool::new(false),
            reopening: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    /// The last entry that is applied.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// The newest version that can be read.
    pub fn version(&self) -> Version {
        Version(self.version.load(Ordering::Acquire))
    }

    /// The last entry that is durable in the store.
    pub fn checkpoint(&self) -> u64 {
        self.checkpoint.load(Ordering::Acquire)
    }

    /// The store is at `position` now, for all to read. True when the driver wants to know.
    pub fn advance(&self, position: Position) -> bool {
        self.version.store(position.version.0, Ordering::Release);
        // In one order with `wake_driver_at`, or each could miss what the other just wrote.
        let before = self.applied.swap(position.index, Ordering::SeqCst);
        assert!(before <= position.index, "entries are applied in order");
        let mut waiting = self.waiting();
        wake(&mut waiting.indexes, position.index);
        wake(&mut waiting.versions, position.version.0);
        drop(waiting);
        let wanted = self.wake_driver_at.load(Ordering::SeqCst);
        wanted <= position.index
            && self.wake_driver_at.compare_exchange(wanted, u64::MAX, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The store is durable up to `index`.
    pub fn checkpointed(&self, index: u64) {
        let before = self.checkpoint.swap(index, Ordering::AcqRel);
        assert!(before <= index, "a checkpoint does not go back");
    }

    /// Bytes of entries went to the applier.
    pub fn queue(&self, bytes: usize) {
        self.queued_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// The applier is done with bytes of entries.
    pub fn unqueue(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// How many wait until something is applied.
    pub fn waiting_count(&self) -> usize {
        let waiting = self.waiting();
        waiting.indexes.len() + waiting.versions.len()
    }

    /// Bytes of entries that wait for the applier.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Acquire)
    }

    /// Asks that the driver be woken once `index` is applied. False when it already is.
    pub fn wake_driver_at(&self, index: u64) -> bool {
        self.wake_driver_at.store(index, Ordering::SeqCst);
        if self.applied.load(Ordering::SeqCst) < index {
            return true;
        }
        self.wake_driver_at.store(u64::MAX, Ordering::Release);
        false
    }

    /// True while this node leads alone and has applied all that its predecessors left: then whatever was
    /// acknowledged was acknowledged by this process, after it was applied here.
    pub fn leads_alone(&self) -> bool {
        self.lone_leader.load(Ordering::Acquire)
    }

    /// Says whether this node leads alone, see [`Progress::leads_alone`].
    pub fn set_leads_alone(&self, alone: bool) {
        // Under the lock, so that a node that has stopped never leads again.
        let waiting = self.waiting();
        self.lone_leader.store(alone && matches!(waiting.life, Life::Running), Ordering::Release);
    }

    /// Whatever was acknowledged before `asked` can be read here now.
    pub fn caught_up(&self, asked: Instant) {
        let mut waiting = self.waiting();
        waiting.fresh = waiting.fresh.max(Some(asked));
    }

    /// True when whatever was acknowledged `age` ago or earlier can be read here.
    pub fn is_fresh(&self, age: Duration) -> bool {
        self.leads_alone() || self.waiting().fresh.is_some_and(|fresh| fresh.elapsed() <= age)
    }

    /// Waits until the entry at `index` is applied.
    ///
    /// # Errors
    /// `DeadlineExceeded`, `Stopped`, `Unavailable` when too many wait.
    pub async fn reach_index(&self, index: u64, deadline: Instant) -> Result<()> {
        self.reach(Goal::Index(index), deadline).await
    }

    /// Waits until `version` is applied.
    ///
    /// # Errors
    /// As [`Progress::reach_index`].
    pub async fn reach_version(&self, version: Version, deadline: Instant) -> Result<()> {
        self.reach(Goal::Version(version), deadline).await
    }

    async fn reach(&self, goal: Goal, deadline: Instant) -> Result<()> {
        let Some((_entry, woken)) = self.enlist(goal)? else { return Ok(()) };
        match by(deadline, woken).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(self.stop_error()),
            None => Err(Error::DeadlineExceeded),
        }
    }

    fn enlist(&self, goal: Goal) -> Result<Option<(Enlisted<'_>, oneshot::Receiver<()>)>> {
        let mut waiting = self.waiting();
        waiting.life.check()?;
        if match goal {
            Goal::Index(index) => index <= self.applied(),
            Goal::Version(version) => version <= self.version(),
        } {
            return Ok(None);
        }
        if waiting.indexes.len() + waiting.versions.len() >= WAITERS_MAX {
            return Err(Error::Unavailable { retry_after: RETRY_WHEN_FULL });
        }
        let ticket = waiting.next_ticket;
        waiting.next_ticket += 1;
        let (wake, woken) = oneshot::channel();
        match goal {
            Goal::Index(index) => waiting.indexes.insert((index, ticket), wake),
            Goal::Version(version) => waiting.versions.insert((version.0, ticket), wake),
        };
        Ok(Some((Enlisted { progress: self, goal, ticket }, woken)))
    }

    /// Stops the node: nothing is taken any more, whoever waits gets an error. The first reason counts.
    pub fn stop(&self, reason: String) {
        let mut waiting = self.waiting();
        self.lone_leader.store(false, Ordering::Release);
        if !matches!(waiting.life, Life::Stopped(_)) {
            tracing::error!(%reason, "the node stops");
            waiting.life = Life::Stopped(reason);
        }
        waiting.end();
    }

    /// Refuses new work from here on.
    pub fn begin_closing(&self) {
        let mut waiting = self.waiting();
        self.lone_leader.store(false, Ordering::Release);
        if matches!(waiting.life, Life::Running | Life::Reopening) {
            waiting.life = Life::Closing;
        }
    }

    /// Refuses work and reads from here on, until the node is open again. A node that closes is not opened again.
    pub fn begin_reopening(&self) {
        let mut waiting = self.waiting();
        self.lone_leader.store(false, Ordering::Release);
        if matches!(waiting.life, Life::Running) {
            waiting.life = Life::Reopening;
            self.reopening.store(true, Ordering::Release);
            waiting.end();
        }
    }

    /// Why the node stopped by itself, if it did.
    pub fn stop_reason(&self) -> Option<String> {
        match &self.waiting().life {
            Life::Stopped(reason) => Some(reason.clone()),
            Life::Running | Life::Closing | Life::Reopening => None,
        }
    }

    /// The error of whatever is asked of a node that stopped or closes.
    pub fn stop_error(&self) -> Error {
        self.check().err().unwrap_or_else(|| Error::Stopped("a part of it ended".to_owned()))
    }

    /// # Errors
    /// `Stopped` when the node takes no more work.
    pub fn check(&self) -> Result<()> {
        self.waiting().life.check()
    }

    /// True when the node is about to be opened again.
    pub fn reopens(&self) -> bool {
        self.reopening.load(Ordering::Acquire)
    }

    /// # Errors
    /// `Reopened` when the node is about to be opened again: what was read until then must be let go.
    pub fn check_reads(&self) -> Result<()> {
        if self.reopens() { Err(Error::Reopened) } else { Ok(()) }
    }

    /// Waits until the node has stopped by itself or is to be opened again, and says which.
    pub async fn ended(&self) -> End {
        loop {
            let end = {
                let mut waiting = self.waiting();
                match &waiting.life {
                    Life::Stopped(reason) => return End::Stopped(reason.clone()),
                    Life::Reopening => return End::Reopening,
                    Life::Running | Life::Closing => {}
                }
                waiting.ends.retain(|end| !end.is_closed());
                let (wake, end) = oneshot::channel();
                waiting.ends.push(wake);
                end
            };
            // Either way the reason is looked up.
            let _ = end.await;
        }
    }

    /// The future's result, unless the node stops or is to be opened again first: whoever waits for somebody else
    /// must not keep the store open.
    pub async fn while_it_runs<F: Future>(&self, future: F) -> Option<F::Output> {
        let (mut future, mut ended) = (pin!(future), pin!(self.ended()));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => ended.as_mut().poll(context).map(|_| None),
        })
        .await
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Whoever panicked left the lists whole: every step on them is one call.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Wakes everybody: nothing more will be reached.
    fn end(&mut self) {
        self.indexes.clear();
        self.versions.clear();
        for end in self.ends.drain(..) {
            // Whoever does not wait any more need not know.
            let _ = end.send(());
        }
    }
}

impl Life {
    fn check(&self) -> Result<()> {
        match self {
            Life::Running => Ok(()),
            Life::Closing => Err(Error::Stopped("it is closing".to_owned())),
            Life::Reopening => Err(Error::Reopened),
            Life::Stopped(reason) => Err(Error::Stopped(reason.clone())),
        }
    }
}

/// A place in a list of waiters, given up when the wait ends.
struct Enlisted<'a> {
    progress: &'a Progress,
    goal: Goal,
    ticket: u64,
}

impl Drop for Enlisted<'_> {
    fn drop(&mut self) {
        let mut waiting = self.progress.waiting();
        match self.goal {
            Goal::Index(index) => waiting.indexes.remove(&(index, self.ticket)),
            Goal::Version(version) => waiting.versions.remove(&(version.0, self.ticket)),
        };
    }
}

fn wake(waiting: &mut BTreeMap<(u64, u64), oneshot::Sender<()>>, reached: u64) {
    while let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= reached) {
        // Whoever gave up in between needs no waking.
        let _ = first.remove().send(());
    }
}

/// The future's result, unless the deadline passes first.
pub(crate) async fn by<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    timeout(deadline.saturating_duration_since(now()), future).await.ok()
}

/// Stops the node when the task that owns it ends in any other way than by [`Sentinel::dismiss`]: by a panic.
pub(crate) struct Sentinel {
    progress: std::sync::Arc<Progress>,
    task: &'static str,
    dismissed: bool,
}

impl Sentinel {
    /// Watches over the task of this name.
    pub fn new(progress: std::sync::Arc<Progress>, task: &'static str) -> Sentinel {
        Sentinel { progress, task, dismissed: false }
    }

    /// The task ends as it should.
    pub fn dismiss(mut self) {
        self.dismissed = true;
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // A task that is dropped at a suspension point went with its node; only a panic is news.
        if !self.dismissed && std::thread::panicking() {
            self.progress.stop(format!("the {} met a broken invariant", self.task));
        }
    }
}

#[cfg(test)]
#[cfg(not(madsim))]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn position(index: u64, version: u64) -> Position {
        Position { index, term: 1, version: Version(version) }
    }

    fn soon() -> Instant {
        now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_when_it_is_reached_and_not_before() {
        let progress = Arc::new(Progress::new(position(1, 10)));
        progress.reach_index(1, soon()).await.unwrap();
        progress.reach_version(Version(10), soon()).await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for goal in [Goal::Index(2), Goal::Index(3), Goal::Version(Version(20))] {
            let progress = progress.clone();
            waiting.spawn(async move {
                progress.reach(goal, soon()).await.unwrap();
                (progress.applied(), progress.version())
            });
        }
        tokio::task::yield_now().await;
        progress.advance(position(2, 15));
        assert_eq!(waiting.join_next().await.unwrap().unwrap(), (2, Version(15)));
        progress.advance(position(3, 20));
        assert_eq!(waiting.join_all().await, [(3, Version(20)); 2]);
        assert!(progress.waiting().indexes.is_empty() && progress.waiting().versions.is_empty());
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_no_trace() {
        let progress = Progress::new(position(1, 10));
        let late = progress.reach_index(2, now() + Duration::from_millis(5)).await;
        assert!(matches!(late, Err(Error::DeadlineExceeded)));
        assert!(progress.waiting().indexes.is_empty());
    }

    #[tokio::test]
    async fn a_stop_wakes_everybody_and_the_first_reason_counts() {
        let progress = Arc::new(Progress::new(position(1, 10)));
        progress.set_leads_alone(true);
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let progress = progress.clone();
            waiting.spawn(async move {
                let refused = progress.reach_index(2, soon()).await;
                assert!(matches!(&refused, Err(Error::Stopped(reason)) if reason == "first"), "{refused:?}");
                progress.ended().await
            });
        }
        tokio::task::yield_now().await;
        progress.stop("first".to_owned());
        progress.stop("second".to_owned());
        assert_eq!(waiting.join_all().await, [End::Stopped("first".to_owned()), End::Stopped("first".to_owned())]);
        progress.set_leads_alone(true);
        assert!(!progress.leads_alone(), "a node that has stopped leads no more");
    }

    #[tokio::test]
    async fn whoever_waits_when_the_node_is_opened_again_is_told_to_come_back() {
        let progress = Arc::new(Progress::new(position(1, 10)));
        let waiting = progress.clone();
        let waiting = tokio::task::JoinSet::from_iter([async move { waiting.reach_index(2, soon()).await }]);
        tokio::task::yield_now().await;
        progress.check_reads().unwrap();
        assert_eq!(progress.while_it_runs(std::future::ready(7)).await, Some(7));
        progress.begin_reopening();
        assert_eq!(progress.while_it_runs(std::future::pending::<()>()).await, None);
        assert!(matches!(&waiting.join_all().await[..], [Err(Error::Reopened)]));
        assert!(matches!(progress.check_reads(), Err(Error::Reopened)));
        assert_eq!(progress.ended().await, End::Reopening);
        progress.stop("the disk".to_owned());
        assert_eq!(progress.ended().await, End::Stopped("the disk".to_owned()));
    }

    #[tokio::test]
    async fn a_node_that_closes_is_not_opened_again() {
        let progress = Progress::new(position(1, 10));
        progress.begin_closing();
        progress.begin_reopening();
        assert!(matches!(progress.check(), Err(Error::Stopped(_))));
        progress.check_reads().unwrap();
    }

    #[test]
    fn the_driver_is_woken_once_and_only_for_what_is_still_to_come() {
        let progress = Progress::new(position(1, 10));
        assert!(!progress.wake_driver_at(1));
        assert!(progress.wake_driver_at(3));
        assert!(!progress.advance(position(2, 11)));
        assert!(progress.advance(position(3, 12)));
        assert!(!progress.advance(position(4, 13)));
    }

    #[test]
    fn a_task_that_panics_stops_the_node() {
        let progress = Arc::new(Progress::new(position(1, 10)));
        let guarded = progress.clone();
        let ended = std::panic::catch_unwind(move || {
            let _sentinel = Sentinel::new(guarded, "applier");
            panic!("a broken invariant");
        });
        assert!(ended.is_err());
        assert_eq!(progress.stop_reason().as_deref(), Some("the applier met a broken invariant"));
        drop(Sentinel::new(Arc::new(Progress::new(position(1, 10))), "driver"));
    }
}
