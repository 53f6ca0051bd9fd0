//! The driver's one mailbox. What comes from outside the node is bounded and refused past the bound; what the
//! node tells itself is bounded by what it does at once and must never be lost, nor block the log's thread.

use super::proposal::Proposal;
use crate::checkpoint::{Fetched, Need};
use crate::progress::RETRY_WHEN_FULL;
use crate::raft::Message;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vivarium_storage::Version;
use vivarium_storage::runtime::{mutant, timeout};
use vivarium_storage::wal::GroupId;

/// Requests that may wait for the driver: some 20 ms of its work.
const REQUESTS_MAX: usize = 4096;
/// Letters that one turn of the driver takes: a fair share before effects are due.
const TURN_LETTERS_MAX: usize = 1024;

/// Something for the driver to do.
pub(crate) enum Letter {
    /// A transaction wants to commit.
    Commit(Box<Proposal>),
    /// A reader wants an index that is no older than any commit acknowledged before.
    ReadIndex(oneshot::Sender<Result<u64>>),
    /// A reader wants every version up to this one to be decided.
    Settle(Version, oneshot::Sender<Result<()>>),
    /// Somebody wants this voter to lead.
    Transfer(u64, oneshot::Sender<Result<()>>),
    /// A peer says something. Its connection bounds how much of that is on the way.
    Message(GroupId, Message),
    /// The checkpoint that was needed came, or could not be fetched.
    CheckpointCame(GroupId, Need, std::result::Result<Fetched, String>),
    /// The log has the records of this number, and those before, on disk.
    Persisted(GroupId, u64),
    /// The log lost what it was given, or may have.
    LogFailed(String),
    /// The applier reached what the driver waits for, or failed.
    Applied,
    /// The store is durable up to this index, and the log is long.
    Purge(u64),
    /// Somebody wants to know what waits.
    Count(oneshot::Sender<Queues>),
    /// Finish what is under way, then end.
    Close,
}

impl Letter {
    fn comes_from_outside(&self) -> bool {
        matches!(self, Letter::Commit(_) | Letter::ReadIndex(_) | Letter::Settle(..) | Letter::Transfer(..))
    }
}

/// What waits in a node. Nothing does when nobody asks anything of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// Requests that the driver has not looked at.
    pub requests: usize,
    /// Readers that wait for an index.
    pub readers: usize,
    /// Commits that wait for their entries.
    pub commits: usize,
    /// Those who wait until something is applied.
    pub waiting: usize,
    /// Bytes of entries that wait to be applied.
    pub unapplied_bytes: usize,
    /// Bytes that wait for connections to other nodes.
    pub unsent_bytes: usize,
}

/// The sending side. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mailbox {
    letters: mpsc::UnboundedSender<Letter>,
    requests: Arc<AtomicUsize>,
}

/// The driver's side.
pub(crate) struct Inbox {
    letters: mpsc::UnboundedReceiver<Letter>,
    requests: Arc<AtomicUsize>,
}

/// Makes a mailbox.
pub(crate) fn mailbox() -> (Mailbox, Inbox) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let requests = Arc::new(AtomicUsize::new(0));
    (Mailbox { letters: sender, requests: requests.clone() }, Inbox { letters: receiver, requests })
}

impl Mailbox {
    /// Asks something of the driver.
    ///
    /// # Errors
    /// `Unavailable` when too many requests wait, `Stopped` when the driver has ended.
    pub fn request(&self, letter: Letter) -> Result<()> {
        debug_assert!(letter.comes_from_outside(), "only requests are counted");
        if self.requests.fetch_add(1, Ordering::AcqRel) >= REQUESTS_MAX {
            self.requests.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::Unavailable { retry_after: RETRY_WHEN_FULL });
        }
        self.letters.send(letter).map_err(|_| Error::Stopped("its driver has ended".to_owned()))
    }

    /// Tells the driver what another part of the node did. A driver that has ended need not know.
    pub fn tell(&self, letter: Letter) {
        debug_assert!(!letter.comes_from_outside(), "requests are bounded");
        let _ = self.letters.send(letter);
    }
}

impl Inbox {
    /// Waits for letters, at most so long, and takes those that are there.
    pub async fn take(&mut self, wait: Duration) -> Vec<Letter> {
        let mut letters = Vec::new();
        let first = match self.letters.try_recv() {
            Ok(letter) => Some(letter),
            Err(_) => timeout(wait, self.letters.recv()).await.ok().flatten(),
        };
        letters.extend(first);
        while letters.len() < TURN_LETTERS_MAX
            && let Ok(letter) = self.letters.try_recv()
        {
            letters.push(letter);
        }
        // A planted bug: who reads is counted for ever.
        let forgotten = |letter: &Letter| mutant("res-04") && matches!(letter, Letter::ReadIndex(_));
        let taken = |letter: &&Letter| letter.comes_from_outside() && !forgotten(letter);
        let requests = letters.iter().filter(taken).count();
        self.requests.fetch_sub(requests, Ordering::AcqRel);
        letters
    }

    /// Requests that were made and not taken.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(mailbox: &Mailbox) -> Result<oneshot::Receiver<Result<u64>>> {
        let (reader, index) = oneshot::channel();
        mailbox.request(Letter::ReadIndex(reader)).map(|()| index)
    }

    #[tokio::test]
    async fn requests_are_bounded_and_what_the_node_tells_itself_is_not() {
        let (mailbox, mut inbox) = mailbox();
        for _ in 0..REQUESTS_MAX {
            request(&mailbox).unwrap();
        }
        assert!(matches!(request(&mailbox), Err(Error::Unavailable { .. })));
        mailbox.tell(Letter::Persisted(GroupId(1), 7));
        let taken = inbox.take(Duration::ZERO).await;
        assert_eq!(taken.len(), TURN_LETTERS_MAX);
        for _ in 0..TURN_LETTERS_MAX {
            request(&mailbox).unwrap();
        }
        assert!(matches!(request(&mailbox), Err(Error::Unavailable { .. })));
        let mut told = 0;
        while told == 0 {
            let letters = inbox.take(Duration::ZERO).await;
            told = letters.iter().filter(|letter| matches!(letter, Letter::Persisted(GroupId(1), 7))).count();
        }
    }

    #[tokio::test]
    async fn a_driver_that_has_ended_takes_nothing() {
        let (mailbox, inbox) = mailbox();
        drop(inbox);
        assert!(matches!(request(&mailbox), Err(Error::Stopped(_))));
        mailbox.tell(Letter::Applied);
    }
}
