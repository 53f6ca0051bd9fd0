//! What a server serves: a node, and its database, which is open once the node has caught up with its cluster.
//!
//! Invariant: until the database is open nothing is read or written; whoever asks is told why and to come back.

use std::sync::{Arc, OnceLock};
use vivarium_consensus::Node;
use vivarium_schema::Database;

/// A node and its database. Cheap to clone.
#[derive(Clone)]
pub struct Hosted {
    node: Node,
    database: Arc<OnceLock<Database>>,
}

impl Hosted {
    /// A node whose database is not open yet.
    pub fn new(node: Node) -> Hosted {
        Hosted { node, database: Arc::default() }
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The database, once it is open.
    pub fn database(&self) -> Option<&Database> {
        self.database.get()
    }

    /// From now on requests are answered.
    pub fn open(&self, database: Database) {
        // Opened once, by whoever starts the server; a second one would be the same.
        let _ = self.database.set(database);
    }

    /// Why requests that come now cannot be answered, as the end of a sentence; `None` when they can.
    pub fn hindrance(&self) -> Option<String> {
        let status = self.node.status();
        if let Some(reason) = status.stopped {
            return Some(format!("stopped: {reason}"));
        }
        if status.leader.is_none() {
            return Some("no leader is known yet".to_owned());
        }
        self.database().is_none().then(|| "this node has not caught up with its cluster yet".to_owned())
    }
}
