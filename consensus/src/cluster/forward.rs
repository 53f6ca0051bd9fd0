//! What only a leader can do, asked for on any node: done here when this node leads, asked of the leader otherwise.

use super::question::{self, Question, Reply};
use crate::command::Draft;
use crate::driver::{Letter, Proposal, ticket};
use crate::footprint::Footprint;
use crate::node::Inner;
use crate::progress::{RETRY_WITHOUT_LEADER, by};
use crate::transport::{Patience, RequestError, Transport};
use crate::{Error, Outcome, Result, Role};
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_storage::runtime::{self, Instant, buggify, now, sometimes};
use vivarium_storage::{Key, Space, Version};

/// How long a request waits for somebody to lead, before it is refused with a hint when to come again.
const LEADER_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long the answer of a node is waited for after another one leads: it may be on its way.
const LATE_ANSWER_TIME_MAX: Duration = Duration::from_millis(500);
/// Between two looks for a leader.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long one of several nodes may take.
const ANYBODY_TIME_MAX: Duration = Duration::from_secs(2);

/// Where the leader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Here,
    There(u64),
    Nowhere,
}

impl Inner {
    /// Where the leader is, as far as this node knows.
    pub fn way(&self) -> Way {
        let standing = self.standing.load();
        match standing.leader {
            _ if standing.role == Role::Leader || self.book.transport().is_none() => Way::Here,
            Some(leader) if leader != self.identity.node => Way::There(leader),
            _ => Way::Nowhere,
        }
    }
}

/// A transaction that is ready to commit.
pub(crate) struct Commission {
    pub snapshot: Version,
    pub footprint: Footprint,
    /// The keys that it writes, each once.
    pub written: Vec<(Space, Key)>,
    pub draft: Draft,
    /// It carries an idempotency key, so that it may be sent twice.
    pub keyed: bool,
}

/// Commits wherever the leader is.
///
/// # Errors
/// As [`crate::Transaction::commit`].
pub(crate) async fn commit(node: &Inner, commission: Commission, deadline: Instant) -> Result<Outcome> {
    let patience = deadline.min(now() + LEADER_WAIT_MAX);
    // Once an answer was lost, only an answer tells what became of it.
    let mut lost = false;
    loop {
        let tried = match node.way() {
            Way::Here => {
                let outcome = commit_at(node, commission, deadline).await;
                return outcome.map_err(|error| if lost { unknown(error) } else { error });
            }
            Way::There(leader) => {
                let wait = deadline.saturating_duration_since(now());
                let Commission { snapshot, footprint, draft, .. } = &commission;
                ask_as_leader(node, leader, question::commit(*snapshot, footprint, draft, wait), deadline).await
            }
            Way::Nowhere => Err(Asked::NotDone(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER })),
        };
        let failure = match tried {
            Ok(Reply::Committed { version, answer }) => {
                let version = Version(version);
                // Who wrote through this node reads its own writes here, whatever the consistency. Late, it is
                // committed all the same.
                let _ = node.progress.reach_version(version, deadline).await;
                return Ok(Outcome { version, answer });
            }
            Ok(_) => return Err(Error::UnknownOutcome),
            Err(Asked::Lost) if commission.keyed => {
                sometimes("a commit whose answer was lost is sent again");
                lost = true;
                Error::UnknownOutcome
            }
            Err(Asked::Lost) => return Err(Error::UnknownOutcome),
            Err(Asked::NotDone(error @ (Error::Unavailable { .. } | Error::DeadlineExceeded))) => error,
            Err(Asked::NotDone(error)) => return Err(if lost { unknown(error) } else { error }),
        };
        if now() + LOOK_EVERY >= if lost { deadline } else { patience } {
            return Err(if lost { Error::UnknownOutcome } else { failure });
        }
        node.progress.check().map_err(|error| if lost { unknown(error) } else { error })?;
        runtime::sleep(LOOK_EVERY).await;
    }
}

/// What an error means when an earlier sending may have been taken: a conflict may be one with itself.
fn unknown(error: Error) -> Error {
    match error {
        Error::Conflict => Error::Conflict,
        _ => Error::UnknownOutcome,
    }
}

/// Commits on this node, which leads.
///
/// # Errors
/// As [`crate::Transaction::commit`].
pub(crate) async fn commit_at(node: &Inner, commission: Commission, deadline: Instant) -> Result<Outcome> {
    if now() >= deadline {
        return Err(Error::DeadlineExceeded);
    }
    let Commission { snapshot, mut footprint, written, draft, .. } = commission;
    footprint.settle();
    let (ticket, claim, outcome) = ticket();
    node.request(Letter::Commit(Box::new(Proposal { snapshot, footprint, written, draft, ticket })))?;
    let failure = match by(deadline, outcome).await {
        Some(Ok(Ok(_))) if buggify("buggify: the answer to a commit is lost") => return Err(Error::UnknownOutcome),
        Some(Ok(answer)) => return answer,
        Some(Err(_)) => node.progress.stop_error(),
        None => Error::DeadlineExceeded,
    };
    if claim.abandon() {
        return Err(failure);
    }
    sometimes("an outcome is unknown");
    Err(Error::UnknownOutcome)
}

/// Has every version up to `version` decided, on this node, which leads or does not know who does.
///
/// # Errors
/// `Unavailable`, `VersionGone`, `DeadlineExceeded`, `Stopped`.
pub(crate) async fn settle_at(node: &Inner, version: Version, deadline: Instant) -> Result<()> {
    let (answer, settled) = oneshot::channel();
    node.request(Letter::Settle(version, answer))?;
    match by(deadline, settled).await {
        Some(Ok(answer)) => answer,
        Some(Err(_)) => Err(node.progress.stop_error()),
        None => Err(Error::DeadlineExceeded),
    }
}

/// Asks the leader, on another node or on this one, for something that may be asked twice.
///
/// # Errors
/// `Unavailable` while nobody leads; what the leader fails with.
pub(crate) async fn ask_leader(node: &Inner, question: &Question, deadline: Instant) -> Result<Reply> {
    let patience = deadline.min(now() + LEADER_WAIT_MAX);
    loop {
        let failure = match node.way() {
            Way::Here => return super::desk::answer_here(node, question, deadline).await,
            Way::Nowhere => Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER },
            Way::There(leader) => {
                match ask_as_leader(node, leader, question.encode(deadline.saturating_duration_since(now())), deadline)
                    .await
                {
                    Ok(reply) => return Ok(reply),
                    Err(Asked::Lost) => Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER },
                    Err(Asked::NotDone(error @ Error::Unavailable { .. })) => error,
                    Err(Asked::NotDone(error)) => return Err(error),
                }
            }
        };
        if now() + LOOK_EVERY >= patience {
            return Err(failure);
        }
        node.progress.check()?;
        runtime::sleep(LOOK_EVERY).await;
    }
}

/// Asks any node that can be reached, one after the other, for something that may be asked twice.
///
/// # Errors
/// What one of them refuses it with; else what the last of them fails with; `Unavailable` when there is none.
pub(crate) async fn ask_anybody(node: &Inner, question: &Question, deadline: Instant) -> Result<Reply> {
    let peers = node.book.transport().map(Transport::peers).unwrap_or_default();
    let mut failure = Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER };
    for peer in peers {
        let wait = deadline.saturating_duration_since(now());
        match ask(node, peer.node, question.encode(wait), deadline.min(now() + ANYBODY_TIME_MAX)).await {
            Ok(reply) => return Ok(reply),
            Err(Asked::Lost) => {}
            // That is an answer too: who cannot be reached knows no better.
            Err(Asked::NotDone(error @ Error::Refused(_))) => return Err(error),
            Err(Asked::NotDone(error)) => failure = error,
        }
    }
    Err(failure)
}

/// Tells nodes something, one after the other. Whether they heard it shows in what they do.
pub(crate) async fn tell_each(node: &Inner, others: &[u64], question: &Question) {
    for other in others {
        let deadline = now() + ANYBODY_TIME_MAX;
        // Who did not hear it is told again.
        let _ = ask(node, *other, question.encode(ANYBODY_TIME_MAX), deadline).await;
    }
}

/// Why a question has no answer that helps.
enum Asked {
    /// It may have been done.
    Lost,
    /// It was not done.
    NotDone(Error),
}

async fn ask(node: &Inner, to: u64, question: Vec<u8>, deadline: Instant) -> std::result::Result<Reply, Asked> {
    ask_while(node, to, question, deadline, || Patience::Wait).await
}

/// Asks a node for as long as it leads: one that is dead or asleep would be waited for until the deadline.
async fn ask_as_leader(
    node: &Inner,
    to: u64,
    question: Vec<u8>,
    deadline: Instant,
) -> std::result::Result<Reply, Asked> {
    let mut led_until = None;
    let patience = move || match node.standing.load().leader {
        Some(leader) if leader == to => Patience::Wait,
        // It may lead again in a moment, or have answered.
        None => Patience::OnlyWhenSent,
        Some(_) if *led_until.get_or_insert_with(now) + LATE_ANSWER_TIME_MAX > now() => Patience::OnlyWhenSent,
        Some(_) => Patience::GiveUp,
    };
    ask_while(node, to, question, deadline, patience).await
}

async fn ask_while(
    node: &Inner,
    to: u64,
    question: Vec<u8>,
    deadline: Instant,
    patience: impl FnMut() -> Patience,
) -> std::result::Result<Reply, Asked> {
    let transport = node.book.transport().expect("a leader elsewhere is known by the messages that it sends");
    let asked = node.progress.while_it_runs(transport.request_while(to, question, deadline, patience)).await;
    let bytes = match asked.unwrap_or(Err(RequestError::Unknown)) {
        Ok(bytes) => bytes,
        Err(RequestError::Unknown) => return Err(Asked::Lost),
        Err(error) => {
            tracing::debug!(to, ?error, "a question could not be asked");
            return Err(Asked::NotDone(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER }));
        }
    };
    let reply = Reply::decode(&bytes).map_err(|error| {
        tracing::warn!(to, error, "an answer cannot be read");
        Asked::Lost
    })?;
    match reply.checked() {
        Ok(reply) => Ok(reply),
        Err(Error::UnknownOutcome) => Err(Asked::Lost),
        Err(error) => Err(Asked::NotDone(error)),
    }
}
