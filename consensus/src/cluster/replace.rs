//! A node whose log is lost has the cluster put another number in its place, and begins anew under that: docs/decisions/0009.
//!
//! Each step may be repeated after a crash. From the note in the folder on there is no way back to the old number.

use super::join::{Asker, Numbered};
use super::question::Question;
use super::{ClusterOptions, Token, directory};
use crate::{Error, NodeOptions, Result, recovery};
use std::time::Duration;
use vivarium_storage::runtime::{Runtime, mutant, now, sleep, sometimes};
use vivarium_storage::{DataFolder, Identity, Replacement};

/// How long peers are asked: a majority of them may be starting at the same time, or be repaired.
const REPLACE_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// The longest that one of them may take.
const ASK_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two rounds of asking all of them.
const ROUND_EVERY: Duration = Duration::from_millis(500);
/// How often it is said that it still waits.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Notes that the folder's node cannot go on under its number, when its log is lost and others know it. False when it
/// may, or when there is nobody to ask.
///
/// # Errors
/// Those of storage.
pub(crate) fn begin_replacement(folder: &DataFolder, identity: &Identity, options: &NodeOptions) -> Result<bool> {
    if folder.peers()?.keys().all(|peer| *peer == identity.node) {
        return Ok(false);
    }
    let Some(reason) = recovery::lost_log(folder, options)? else { return Ok(false) };
    let card = options.runtime.document_id().0;
    folder.begin_replacement(&Replacement { node: identity.node, card })?;
    tracing::error!(
        %reason,
        node = identity.node,
        "the log is lost, so this node cannot go on under its number; its cluster is asked for another one"
    );
    Ok(true)
}

/// Completes a replacement that was begun: asks until the cluster has put another number in the place of this node's,
/// and makes the folder that of a new node. Returns whose the folder is then.
///
/// # Errors
/// `Refused` when the node was removed, `Stopped` when nobody gave a number in time; those of the folder.
pub(crate) async fn replace(
    folder: &DataFolder,
    identity: Identity,
    cluster: &ClusterOptions,
    token: &Token,
    runtime: &Runtime,
) -> Result<Identity> {
    let Some(Replacement { node: old, card }) = folder.replacement()? else { return Ok(identity) };
    let new = if mutant("raft-10") {
        // A planted bug: it begins anew as the node that it was.
        identity
    } else if identity.node == old {
        let question = Question::Replace { node: old, card, address: cluster.address().to_owned() };
        let Numbered { node, epoch, mut peers } =
            ask(folder, old, &question, Asker { options: cluster, token, runtime }).await?;
        peers.remove(&old);
        folder.set_peers(&peers)?;
        Identity { node, epoch, ..identity }
    } else {
        identity
    };
    let aside = folder.complete_replacement(&new)?;
    tracing::warn!(
        old,
        new = new.node,
        ?aside,
        "this node takes the place of the one whose log was lost; it begins anew"
    );
    sometimes("a node whose log is lost gets a new number");
    Ok(new)
}

async fn ask(folder: &DataFolder, old: u64, question: &Question, asker: Asker<'_>) -> Result<Numbered> {
    let peers = folder.peers()?;
    let deadline = now() + REPLACE_TIME_MAX;
    let mut said = None;
    let mut last = String::from("none is known");
    while now() < deadline {
        for (peer, address) in peers.iter().filter(|(peer, _)| **peer != old) {
            match asker.ask(question, address, deadline.min(now() + ASK_TIME_MAX)).await {
                Ok(numbered) => return Ok(numbered),
                Err(Error::Refused(reason)) if reason == directory::REMOVED => return Err(Error::Refused(reason)),
                Err(error) => last = format!("node {peer}: {error}"),
            }
        }
        if said.is_none_or(|said| now() >= said + SAY_EVERY) {
            said = Some(now());
            tracing::warn!(
                old,
                last,
                "no majority of the other nodes has put a new node in this one's place yet; it waits. If they never come \
                 back: recover one that has its data with `vivarium cluster recover --force`, and let a new folder join"
            );
        }
        sleep(ROUND_EVERY).await;
    }
    Err(Error::Stopped(format!(
        "its log is lost, and no majority of the other nodes has put a new node in the place of node {old}, the last being \
         {last}; start it again when they can be reached"
    )))
}

#[cfg(test)]
#[cfg(not(madsim))]
mod tests;
