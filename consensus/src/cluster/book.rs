//! Where the other nodes are, in memory: the directory as of what is applied here, and the way to each.

use super::Directory;
use crate::transport::Transport;
use crate::{Result, applier, raft};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vivarium_storage::runtime::sometimes;
use vivarium_storage::{DataFolder, Error, Snapshot};

/// Nodes that are known by their own word only: more than a cluster has.
const HEARD_MAX: usize = 16;

/// The address book of a node.
pub(crate) struct Book {
    directory: ArcSwap<Directory>,
    network: Option<Network>,
}

/// The way to others.
struct Network {
    transport: Transport,
    folder: Arc<DataFolder>,
    own: u64,
    /// Where nodes say that they are that the directory here does not have yet.
    heard: Mutex<BTreeMap<u64, String>>,
}

impl Network {
    fn heard(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        // Every change is whole before the lock is released, also when its holder panicked.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The book of a node that has no way to others.
    pub fn alone() -> Book {
        Book { directory: ArcSwap::default(), network: None }
    }

    /// The book of a node of a cluster.
    pub fn new(transport: Transport, folder: Arc<DataFolder>, own: u64) -> Book {
        Book {
            directory: ArcSwap::default(),
            network: Some(Network { transport, folder, own, heard: Mutex::default() }),
        }
    }

    /// The directory as of what is applied here.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// The way to others, if there is one.
    pub fn transport(&self) -> Option<&Transport> {
        self.network.as_ref().map(|network| &network.transport)
    }

    /// Lets those be reached who were known at the last start, for a node that cannot read its directory. Returns
    /// their numbers.
    ///
    /// # Errors
    /// Those of reading the note of them.
    pub fn recall(&self) -> Result<Vec<u64>> {
        let peers = self.others()?;
        let numbers = peers.keys().copied().collect();
        if let Some(network) = &self.network {
            network.transport.set_peers(peers);
        }
        Ok(numbers)
    }

    /// Who else there is in the cluster, and where, by the note for the next start.
    ///
    /// # Errors
    /// Those of reading the note.
    pub fn others(&self) -> Result<BTreeMap<u64, String>> {
        let Some(network) = &self.network else { return Ok(BTreeMap::new()) };
        let mut peers = network.folder.peers()?;
        peers.remove(&network.own);
        Ok(peers)
    }

    /// Lets a node be reached that says where it is and that the directory here does not have yet: a node that is
    /// behind could not answer a leader that joined meanwhile, and so never get any further.
    pub fn hear(&self, node: u64, address: &str) {
        let Some(network) = self.network.as_ref().filter(|network| network.own != node) else { return };
        let mut heard = network.heard();
        let is_new = heard.get(&node).is_none_or(|known| known != address);
        if !is_new || self.directory().get(node).is_some() || heard.len() >= HEARD_MAX {
            return;
        }
        sometimes("a node is reached at the address that it gave itself");
        tracing::info!(node, address, "a node that is not in the directory here yet says where it is");
        heard.insert(node, address.to_owned());
        let mut peers: BTreeMap<u64, String> =
            network.transport.peers().into_iter().map(|peer| (peer.node, peer.address)).collect();
        peers.insert(node, address.to_owned());
        network.transport.set_peers(peers);
    }

    /// Takes over the directory of a snapshot. What a node knew before it had one stays known until it has.
    ///
    /// # Errors
    /// Those of reading it, and of writing the peers down for the next start.
    pub fn refresh(&self, snapshot: &Snapshot) -> Result<()> {
        let directory = Directory::read(snapshot)?;
        if let Some(network) = &self.network {
            let configured = configured(snapshot)?;
            let others = directory.rows().filter(|(node, _)| *node != network.own);
            let (belong, gone): (Vec<_>, Vec<_>) =
                others.partition(|(node, row)| row.belongs(configured.contains(node)));
            // Who is gone hears so at once: perhaps nobody whom it knows is there any more when it asks.
            for (node, _) in gone {
                network.transport.dismiss(node);
            }
            let mut peers: BTreeMap<u64, String> =
                belong.into_iter().map(|(node, row)| (node, row.address.clone())).collect();
            let known = network.folder.peers()?;
            if directory.is_empty() {
                peers = known;
            } else if peers != known {
                network.folder.set_peers(&peers)?;
            }
            let mut heard = network.heard();
            heard.retain(|node, _| directory.get(*node).is_none());
            peers.extend(heard.iter().map(|(node, address)| (*node, address.clone())));
            network.transport.set_peers(peers);
        }
        self.directory.store(Arc::new(directory));
        Ok(())
    }
}

/// Who votes or follows, as of a snapshot; nobody while that never changed.
fn configured(snapshot: &Snapshot) -> Result<Vec<u64>> {
    let Some(configuration) = applier::stored_configuration(snapshot)? else { return Ok(Vec::new()) };
    let (voters, learners) = raft::members_of(&configuration).map_err(|detail| {
        let path = "store".into();
        Error::Corrupt { what: "configuration", path, detail }
    })?;
    Ok([voters, learners].concat())
}
