//! The address book as connections: one to each peer, dialled by us.

use super::dial::{self, Peer};
use super::ending::Said;
use super::handshake::Identity;
use super::{PeerStatus, RequestError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vivarium_storage::runtime::{Task, sometimes, spawn};

/// Whom we dial.
#[derive(Default)]
pub(super) struct Peers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dialled: BTreeMap<u64, (Arc<Peer>, Task)>,
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
        Closing(std::mem::take(&mut state.dialled))
    }
}

/// What is left of the connections to peers.
pub(super) struct Closing(BTreeMap<u64, (Arc<Peer>, Task)>);

impl Closing {
    /// Ends them all. Requests that wait were not sent.
    pub async fn end(self) {
        for (peer, task) in self.0.into_values() {
            task.end().await;
            peer.queue.close(RequestError::Stopped);
        }
    }
}

fn not_known(node: u64) -> RequestError {
    RequestError::NotSent(format!("node {node} is not in the address book"))
}
