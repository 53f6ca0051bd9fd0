//! Who belongs to the cluster, and what an operator does about it.

use super::{Connection, Member, Part, Question, Way, ask_anybody, ask_leader, directory, tell_each};
use crate::node::{Inner, Shell};
use crate::transport::{PeerStatus, Transport};
use crate::{Error, Result};
use std::sync::{Arc, Weak};
use std::time::Duration;
use vivarium_storage::runtime::{self, Instant, now, sometimes};

/// Between two looks whether a node has gone.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest try to tell the others where this node is, and the pause before the next.
const ANNOUNCE_TIME_MAX: Duration = Duration::from_secs(5);
const ANNOUNCE_EVERY: Duration = Duration::from_secs(1);

/// All nodes of the cluster, in ascending order.
pub(crate) fn members(node: &Inner) -> Vec<Member> {
    let standing = node.standing.load();
    let directory = node.book.directory();
    let registered = directory.present().map(|(number, _)| number);
    let configured = standing.voters.iter().chain(&standing.learners).copied();
    let mut numbers: Vec<u64> = registered.chain(configured).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let peers = node.book.transport().map(Transport::peers).unwrap_or_default();
    let connection = |peer: &PeerStatus| Connection {
        connected: peer.connected,
        since_micros: peer.since_micros,
        last_error: peer.last_error.clone(),
        queued_bytes: peer.queued_bytes,
        dropped_messages: peer.dropped_messages,
    };
    let member = |number: u64| {
        let follower = standing.followers.iter().find(|follower| follower.node == number);
        let part = match number {
            _ if directory.has_left(number) => Part::Leaving,
            _ if standing.voters.contains(&number) => Part::Voter,
            _ if standing.learners.contains(&number) => Part::Learner,
            _ => Part::Expected,
        };
        Member {
            node: number,
            address: directory.get(number).map(|row| row.address.clone()),
            part,
            replaces: directory.get(number).and_then(|row| row.replaces),
            matched_index: follower.map(|follower| follower.matched),
            active: follower.map(|follower| follower.active),
            connection: peers.iter().find(|peer| peer.node == number).map(connection),
        }
    };
    numbers.into_iter().map(member).collect()
}

/// Lets a node go for good, see [`crate::Node::remove_member`].
///
/// # Errors
/// Those of [`crate::Node::remove_member`].
pub(crate) async fn remove(node: &Arc<Inner>, number: u64, deadline: Instant) -> Result<()> {
    ask_leader(node, &Question::Remove(number), deadline).await?;
    directory::strike(node, number, deadline).await?;
    while node.standing.load().has(number) {
        if now() + LOOK_EVERY >= deadline {
            return Err(Error::DeadlineExceeded);
        }
        match node.progress.check() {
            // A node that learns that it was removed stops.
            Err(Error::Stopped(_)) if number == node.identity.node => return Ok(()),
            running => running?,
        }
        runtime::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Has another voter lead, see [`crate::Node::transfer_leadership`].
///
/// # Errors
/// Those of [`crate::Node::transfer_leadership`].
pub(crate) async fn transfer(node: &Inner, to: Option<u64>, deadline: Instant) -> Result<()> {
    ask_leader(node, &Question::Transfer(to), deadline).await.map(|_| ())
}

/// Sees that the directory says where this node is, for as long as the node lives, and stops a node that was
/// removed: nobody else tells it.
pub(crate) async fn announce(shell: Weak<Shell>, address: String) {
    loop {
        match shell.upgrade().map(|shell| shell.inner()) {
            None | Some(Err(Error::Stopped(_))) => return,
            // It is opened again.
            Some(Err(_)) => {}
            Some(Ok(node)) => {
                if matches!(node.progress.check(), Err(Error::Stopped(_))) {
                    return;
                }
                match announce_once(&node, &address).await {
                    Ok(()) => {}
                    Err(Error::Refused(reason)) => {
                        sometimes("a node is told that it was removed");
                        node.progress.stop(reason);
                    }
                    Err(error) => tracing::debug!(%error, "the others do not know where this node is"),
                }
            }
        }
        runtime::sleep(ANNOUNCE_EVERY).await;
    }
}

/// Followers of this node that it is connected to and hears nothing from: perhaps they do not know where it is.
fn silent_followers(node: &Inner) -> Vec<u64> {
    let standing = node.standing.load();
    let peers = node.book.transport().map(Transport::peers).unwrap_or_default();
    let silent = standing.followers.iter().filter(|follower| !follower.active).map(|follower| follower.node);
    silent.filter(|number| peers.iter().any(|peer| peer.node == *number && peer.connected)).collect()
}

async fn announce_once(node: &Arc<Inner>, address: &str) -> Result<()> {
    let number = node.identity.node;
    let deadline = now() + ANNOUNCE_TIME_MAX;
    directory::check_belongs(node, number)?;
    let directory = node.book.directory();
    tell_each(node, &silent_followers(node), &Question::Announce(address.to_owned())).await;
    let is_known = directory.get(number).is_some_and(|row| row.address == address);
    match node.way() {
        // A leader that does not know this address cannot make itself known, nor does one that let this node go.
        Way::Nowhere => {
            let question = Question::Announce(address.to_owned());
            ask_anybody(node, &question, deadline).await.map(|_| ())
        }
        Way::Here | Way::There(_) if is_known => Ok(()),
        Way::Here | Way::There(_) => directory::announce(node, number, address, deadline).await,
    }
}
