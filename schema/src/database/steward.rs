//! The leader sees to it that a schema change is finished when nobody works on it any more: its node died, or whoever
//! asked for it went away.
//!
//! Two may work on one change, so being wrong about the other one costs work, never correctness.

use super::declare::Board;
use super::{Inner, declare};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use vivarium_consensus::{Error as NodeError, Node, Role};
use vivarium_storage::Version;
use vivarium_storage::runtime::{Instant, mutant, now, sleep, sometimes};

/// Between two looks for work: one small read of the node that leads.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long work lies there before it is taken over from a node that cannot be reached, or that is this one and does
/// not work on it: a leader hears from everybody within a second.
const PATIENCE_WITH_THE_DEAD: Duration = Duration::from_secs(2);
/// As before, from a node that can be reached. It may be at it still; or its client went away.
const PATIENCE_WITH_THE_LIVING: Duration = Duration::from_secs(60);

/// Changes that this node works on now, and how far it is.
#[derive(Default)]
pub(super) struct Underway {
    changes: AtomicUsize,
    board: Board,
}

/// Held while this node works on a change.
pub(super) struct Working<'a>(&'a Underway);

impl Underway {
    pub(super) fn begin(&self) -> Working<'_> {
        self.changes.fetch_add(1, Ordering::Relaxed);
        Working(self)
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    fn is_empty(&self) -> bool {
        self.changes.load(Ordering::Relaxed) == 0
    }
}

impl Working<'_> {
    pub(super) fn board(&self) -> &Board {
        &self.0.board
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if self.0.changes.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.board.clear();
        }
    }
}

/// Work that was seen.
struct Seen {
    version: Version,
    since: Instant,
}

/// Looks for work for as long as the database lives.
pub(super) async fn attend(database: Weak<Inner>) {
    let mut seen: Option<Seen> = None;
    if mutant("steward-01") {
        return;
    }
    loop {
        sleep(LOOK_EVERY).await;
        let Some(inner) = database.upgrade() else { return };
        match look(&inner, &mut seen).await {
            Ok(()) => {}
            Err(super::Error::Consensus(NodeError::Stopped(_))) => return,
            Err(error) => tracing::debug!(%error, "the work of a schema change does not go on yet"),
        }
    }
}

async fn look(inner: &Arc<Inner>, seen: &mut Option<Seen>) -> Result<(), super::Error> {
    let node = &inner.node;
    if node.status().role != Role::Leader || !inner.underway.is_empty() {
        *seen = None;
        return Ok(());
    }
    let Some((version, runner)) = declare::pending(node, inner.id).await? else {
        *seen = None;
        return Ok(());
    };
    let since = match seen {
        Some(seen) if seen.version == version => seen.since,
        _ => seen.insert(Seen { version, since: now() }).since,
    };
    let patience = if is_at_it(node, runner)? { PATIENCE_WITH_THE_LIVING } else { PATIENCE_WITH_THE_DEAD };
    if now().duration_since(since) < patience {
        return Ok(());
    }
    tracing::info!(database = %inner.id, runner, "a schema change that nobody finishes goes on here");
    let working = inner.underway.begin();
    declare::resume(node, inner.id, working.board()).await?;
    sometimes("a schema change goes on after its node died");
    Ok(())
}

/// True when the node that began a change can be reached, and so may work on it. It is not this one: that knows.
fn is_at_it(node: &Node, runner: Option<u64>) -> Result<bool, super::Error> {
    let Some(runner) = runner.filter(|runner| *runner != node.status().node) else { return Ok(false) };
    let members = node.members()?;
    Ok(members.iter().any(|member| member.node == runner && member.active == Some(true)))
}
