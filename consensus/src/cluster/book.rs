//! Where the other nodes are, in memory: the directory as of what is applied here, and the way to each.

use super::Directory;
use crate::transport::Transport;
use crate::{Result, applier, raft};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use vivarium_storage::{DataFolder, Error, Snapshot};

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
}

impl Book {
    /// The book of a node that has no way to others.
    pub fn alone() -> Book {
        Book { directory: ArcSwap::default(), network: None }
    }

    /// The book of a node of a cluster.
    pub fn new(transport: Transport, folder: Arc<DataFolder>, own: u64) -> Book {
        Book { directory: ArcSwap::default(), network: Some(Network { transport, folder, own }) }
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
        let Some(network) = &self.network else { return Ok(Vec::new()) };
        let mut peers = network.folder.peers()?;
        peers.remove(&network.own);
        let numbers = peers.keys().copied().collect();
        network.transport.set_peers(peers);
        Ok(numbers)
    }

    /// Takes over the directory of a snapshot. What a node knew before it had one stays known until it has.
    ///
    /// # Errors
    /// Those of reading it, and of writing the peers down for the next start.
    pub fn refresh(&self, snapshot: &Snapshot) -> Result<()> {
        let directory = Directory::read(snapshot)?;
        if let Some(network) = &self.network {
            let mut peers: BTreeMap<u64, String> =
                directory.present().map(|(node, row)| (node, row.address.clone())).collect();
            // Who is told to go is needed until the group does without: of two, both must agree to that.
            for node in configured(snapshot)? {
                if let Some(row) = directory.get(node) {
                    peers.insert(node, row.address.clone());
                }
            }
            peers.remove(&network.own);
            let known = network.folder.peers()?;
            if directory.is_empty() {
                peers = known;
            } else if peers != known {
                network.folder.set_peers(&peers)?;
            }
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
