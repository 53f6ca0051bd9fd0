//! The address book as connections: one to each peer, dialled by us.

use super::dial::{self, Peer};
use super::ending::Said;
use super::handshake::Identity;
use super::{PeerStatus, RequestError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vivarium_storage::runtime::{Task, sometimes, spawn, timeout};

/// The longest that closing waits for somebody to hear that it was dismissed.
const DISMISSING_MAX: Duration = Duration::from_secs(1);

/// Whom we dial.
#[derive(Default)]
pub(super) struct Peers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dialled: BTreeMap<u64, (Arc<Peer>, Task)>,
    /// Connections to those that were dismissed: they end by themselves.
    dismissed: Vec<Task>,
    closed: bool,
}

impl Peers {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole before the lock is released, also when its holder panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole address book; our own entry is left out. Connections to others, and to addresses that changed, end.
    pub fn set(&self, book: BTreeMap<u64, String>, us: &Arc<Identity>, said: &Arc<Said>) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.dialled.retain(|node, (peer, _)| {
            let stays = book.contains_key(node);
            if !stays {
                peer.queue.close(not_known(*node));
            }
            stays
        });
        for (node, address) in book.into_iter().filter(|(node, _)| *node != us.node) {
            if let Some((peer, _)) = state.dialled.get(&node) {
                peer.set_address(&address);
                continue;
            }
            let peer = Arc::new(Peer::new(node, address, us));
            let keeping = dial::keep(us.clone(), peer.clone(), said.clone());
            state.dialled.insert(node, (peer, spawn("peer", keeping)));
        }
    }

    /// Takes a node out of the address book for good, and tells it so if we are connected to it.
    pub fn dismiss(&self, node: u64) {
        let mut state = self.state();
        let Some((peer, task)) = state.dialled.remove(&node) else { return };
        peer.queue.close(not_known(node));
        if peer.dismiss() {
            state.dismissed.retain(|task| !task.is_finished());
            state.dismissed.push(task);
        }
    }

    /// The peer of this number.
    ///
    /// # Errors
    /// `Stopped` after `close`, `NotSent` when the address book has none.
    pub fn get(&self, node: u64) -> Result<Arc<Peer>, RequestError> {
        let state = self.state();
        match state.dialled.get(&node) {
            _ if state.closed => Err(RequestError::Stopped),
            Some((peer, _)) => Ok(peer.clone()),
            None => Err(not_known(node)),
        }
    }

    /// A node dialled us: the way between us is open again, and we need not wait before we dial it.
    pub fn hear_of(&self, node: u64) {
        if let Some((peer, _)) = self.state().dialled.get(&node)
            && peer.call_back()
        {
            sometimes("a peer that called is called back at once");
        }
    }

    /// How it stands with every peer, in the order of their numbers.
    pub fn statuses(&self) -> Vec<PeerStatus> {
        self.state().dialled.values().map(|(peer, _)| peer.status()).collect()
    }

    /// Takes no more of them from now on.
    pub fn close(&self) -> Closing {
        let mut state = self.state();
        state.closed = true;
        Closing { dialled: std::mem::take(&mut state.dialled), dismissed: std::mem::take(&mut state.dismissed) }
    }
}

/// What is left of the connections to peers.
pub(super) struct Closing {
    dialled: BTreeMap<u64, (Arc<Peer>, Task)>,
    dismissed: Vec<Task>,
}

impl Closing {
    /// Ends them all. Requests that wait were not sent. Who was dismissed has a moment to hear it.
    pub async fn end(self) {
        for (peer, task) in self.dialled.into_values() {
            task.end().await;
            peer.queue.close(RequestError::Stopped);
        }
        for task in self.dismissed {
            // Told or not, it is over.
            let _ = timeout(DISMISSING_MAX, task.finish()).await;
        }
    }
}

fn not_known(node: u64) -> RequestError {
    RequestError::NotSent(format!("node {node} is not in the address book"))
}
