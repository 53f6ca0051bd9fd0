//! Where what other nodes say arrives: Raft messages go to the driver, questions are answered.

use super::directory;
use super::forward::{Commission, ask_leader, commit_at, settle_at};
use super::question::{Question, Reply};
use crate::checkpoint::Pace;
use crate::driver::Letter;
use crate::node::{Inner, Shell};
use crate::progress::RETRY_WITHOUT_LEADER;
use crate::raft::Message;
use crate::transport::{Answering, Receiver};
use crate::{Error, Result, Role};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_storage::runtime::{self, Instant, now, sometimes};
use vivarium_storage::wal::GroupId;

/// The longest that a question is worked on, however long its asker waits.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// Between two looks whether a node has gone.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where what other nodes say arrives. Until a node sits behind it, nothing is taken.
pub(crate) struct Desk {
    number: u64,
    shell: Mutex<Weak<Shell>>,
    /// How fast checkpoints go out.
    pace: Arc<Pace>,
}

impl Desk {
    /// The desk of node `number`, over which checkpoints go out at so many bytes a second.
    pub fn new(number: u64, checkpoint_bytes_per_second_max: u64) -> Desk {
        Desk { number, shell: Mutex::default(), pace: Arc::new(Pace::new(checkpoint_bytes_per_second_max)) }
    }

    /// The node that answers from here on.
    pub fn seat(&self, shell: &Weak<Shell>) {
        *self.shell.lock().unwrap_or_else(PoisonError::into_inner) = shell.clone();
    }

    fn shell(&self) -> Weak<Shell> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn node(&self) -> Result<Arc<Inner>> {
        inner(&self.shell())
    }
}

/// The node that answers now.
fn inner(shell: &Weak<Shell>) -> Result<Arc<Inner>> {
    shell.upgrade().ok_or(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER })?.inner()
}

impl Receiver for Desk {
    fn messages(&self, from: u64, messages: Vec<(GroupId, Vec<u8>)>) {
        let Ok(node) = self.node() else { return };
        for (group, bytes) in messages {
            match Message::decode(&bytes, from, self.number) {
                Ok(message) => node.tell(Letter::Message(group, message)),
                Err(error) => tracing::warn!(from, error, "a message of another node cannot be read"),
            }
        }
    }

    fn removed(&self, by: u64) {
        // One that is just being opened again asks when it is there.
        let Ok(node) = self.node() else { return };
        sometimes("a node is told that it was removed as it happens");
        tracing::warn!(by, "another node says that this one was removed");
        node.progress.stop(directory::REMOVED.into());
    }

    fn request(&self, from: u64, body: Vec<u8>) -> Answering {
        let (node, shell, pace) = (self.node(), self.shell(), self.pace.clone());
        Box::pin(async move {
            let reply = match (node, Question::decode(&body)) {
                (Ok(node), Ok((Question::Checkpoint(body), wait))) => {
                    // Who waits for his turn keeps no store open.
                    drop(node);
                    checkpoint(&shell, &pace, &body, now() + wait.min(ANSWER_TIME_MAX)).await
                }
                (_, Err(error)) => Err(Error::Refused(format!("the question cannot be read: {error}"))),
                (Err(error), _) => Err(error),
                (Ok(node), Ok((question, wait))) => {
                    tracing::trace!(from, ?question, "asked");
                    answer(&node, from, question, now() + wait.min(ANSWER_TIME_MAX)).await
                }
            };
            reply.unwrap_or_else(|error| Reply::Failed(error.into())).encode()
        })
    }
}

/// Answers who pulls a checkpoint, when it is his turn.
async fn checkpoint(shell: &Weak<Shell>, pace: &Pace, body: &[u8], deadline: Instant) -> Result<Reply> {
    let turn = pace.turn(deadline).await.ok_or(Error::DeadlineExceeded)?;
    let part = inner(shell)?.checkpoints.answer(body);
    turn.sends(part.len());
    Ok(Reply::Bytes(part))
}

async fn answer(node: &Arc<Inner>, from: u64, question: Question, deadline: Instant) -> Result<Reply> {
    match question {
        Question::Commit { snapshot, footprint, draft } => {
            let written = draft.written();
            let commission = Commission { snapshot, footprint, written, draft, keyed: false };
            let outcome = commit_at(node, commission, deadline).await?;
            Ok(Reply::Committed { version: outcome.version.0, answer: outcome.answer })
        }
        Question::Join { card, address } => {
            become_known(node, deadline).await?;
            let number = directory::admit(node, card, &address, deadline).await?;
            Ok(numbered(node, number))
        }
        Question::Replace { node: old, card, address } => {
            become_known(node, deadline).await?;
            ask_leader(node, &Question::Remove(old), deadline).await?;
            let number = directory::replace(node, old, card, &address, deadline).await?;
            Ok(numbered(node, number))
        }
        Question::Checkpoint(_) => unreachable!("it is answered elsewhere, in turn"),
        Question::Announce(_) if from == 0 => Err(Error::Refused("who is no member has no address here".into())),
        Question::Announce(address) => {
            node.book.hear(from, &address);
            directory::announce(node, from, &address, deadline).await?;
            Ok(Reply::Done)
        }
        question @ (Question::Settle(_) | Question::Remove(_) | Question::Transfer(_)) => {
            answer_here(node, &question, deadline).await
        }
    }
}

/// A node's number, and where the others are: also those that are to go and whose votes it may need.
fn numbered(node: &Inner, number: u64) -> Reply {
    let (directory, standing) = (node.book.directory(), node.standing.load());
    let others = directory.rows().filter(|(other, row)| *other != number && row.belongs(standing.has(*other)));
    let epoch = node.identity.epoch.0;
    Reply::Number { node: number, epoch, peers: others.map(|(other, row)| (other, row.address.clone())).collect() }
}

/// Answers a question for the leader, on this node.
///
/// # Errors
/// `Unavailable` when this node does not lead; what the question fails with.
pub(crate) async fn answer_here(node: &Inner, question: &Question, deadline: Instant) -> Result<Reply> {
    match question {
        Question::Settle(version) => settle_at(node, *version, deadline).await?,
        Question::Remove(number) => may_remove(node, *number)?,
        Question::Transfer(to) => transfer(node, *to, deadline).await?,
        Question::Commit { .. }
        | Question::Join { .. }
        | Question::Replace { .. }
        | Question::Checkpoint(_)
        | Question::Announce(_) => {
            unreachable!("these are answered elsewhere")
        }
    }
    Ok(Reply::Done)
}

/// Waits until the directory says where this node and its leader are: who joins reaches nobody else at first, and a
/// node that just started has yet to write it down. Being told to go is no reason to let nobody in: the last voter
/// goes only when somebody has come.
async fn become_known(node: &Inner, deadline: Instant) -> Result<()> {
    loop {
        let (directory, standing) = (node.book.directory(), node.standing.load());
        let known = |number| directory.get(number).is_some_and(|row| row.belongs(standing.has(number)));
        if known(node.identity.node) && standing.leader.is_some_and(known) {
            if directory.has_left(node.identity.node) {
                sometimes("a node lets another one in and is to go itself");
            }
            return Ok(());
        }
        if now() + LOOK_EVERY >= deadline {
            return Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER });
        }
        node.progress.check()?;
        runtime::sleep(LOOK_EVERY).await;
    }
}

/// Sees that a node may go without costing the majority. The directory is written by who was asked.
fn may_remove(node: &Inner, number: u64) -> Result<()> {
    let standing = node.standing.load();
    if standing.role != Role::Leader {
        return Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER });
    }
    let directory = node.book.directory();
    // It was asked for before: the group does without it as soon as it can.
    if directory.has_left(number) {
        return Ok(());
    }
    // Those that are to go already will not be there either.
    let stays = |voter: &u64| *voter != number && !directory.has_left(*voter);
    let voters: Vec<u64> = standing.voters.iter().copied().filter(stays).collect();
    if voters.is_empty() {
        return Err(Error::Refused(format!("node {number} is the only voter of its cluster and cannot be removed")));
    }
    let lives = |voter: &&u64| {
        **voter == node.identity.node
            || standing.followers.iter().any(|follower| follower.node == **voter && follower.active)
    };
    let alive = voters.iter().filter(lives).count();
    if alive <= voters.len() / 2 {
        return Err(Error::Refused(format!(
            "without node {number} only {alive} of {} voters could be reached, and nothing could be committed any \
             more; bring others back first",
            voters.len()
        )));
    }
    Ok(())
}

/// Hands leadership over, and waits until another node leads.
async fn transfer(node: &Inner, to: Option<u64>, deadline: Instant) -> Result<()> {
    let standing = node.standing.load_full();
    if standing.role != Role::Leader {
        return Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER });
    }
    let voters = standing.followers.iter().filter(|follower| follower.voter);
    let chosen = match to {
        Some(to) if to == node.identity.node => return Ok(()),
        Some(to) => voters.clone().find(|follower| follower.node == to),
        None => voters.clone().filter(|follower| follower.active).max_by_key(|follower| follower.matched),
    };
    let Some(chosen) = chosen else {
        return Err(Error::Refused(match to {
            Some(to) => format!("node {to} is not a voter of this cluster"),
            None => "no other voter can be reached".to_owned(),
        }));
    };
    let (answer, begun) = oneshot::channel();
    node.request(Letter::Transfer(chosen.node, answer))?;
    begun.await.map_err(|_| node.progress.stop_error())??;
    while node.standing.load().role == Role::Leader {
        if now() + LOOK_EVERY >= deadline {
            return Err(Error::Refused(format!(
                "node {} did not take leadership over in time; node {} still leads",
                chosen.node, node.identity.node
            )));
        }
        node.progress.check()?;
        runtime::sleep(LOOK_EVERY).await;
    }
    sometimes("leadership is transferred");
    Ok(())
}
