//! The others of a node's cluster, as what a node is made of needs them.

use super::NodeOptions;
use crate::checkpoint::{Ask, Fetcher};
use crate::cluster::Book;
use crate::transport::Outbox;
use crate::{Result, recovery};
use std::sync::Arc;
use vivarium_storage::{DataFolder, Identity};

/// Who else is in the cluster of a node that opens.
#[derive(Clone)]
pub(crate) struct Neighbours {
    /// The voters of a new cluster; empty for its first node alone.
    pub founders: Vec<u64>,
    pub outbox: Outbox,
    pub book: Arc<Book>,
    /// The way to ask them for checkpoints.
    pub ask: Option<Ask>,
}

impl Neighbours {
    pub fn none() -> Neighbours {
        Neighbours { founders: Vec::new(), outbox: Outbox::Nobody, book: Arc::new(Book::alone()), ask: None }
    }

    /// What fetches checkpoints from them, when there is a way to ask.
    pub fn fetcher(&self, folder: &Arc<DataFolder>, identity: &Identity, options: &NodeOptions) -> Option<Fetcher> {
        let (folder, options, node) = (folder.clone(), options.store.clone(), identity.node);
        self.ask.clone().map(|ask| Fetcher { ask, folder, options, node })
    }

    /// Lets one of them make up for a store that cannot be used. False when that cannot be.
    pub async fn repair(&self, folder: &Arc<DataFolder>, identity: &Identity, options: &NodeOptions) -> Result<bool> {
        match self.fetcher(folder, identity, options) {
            Some(fetcher) => recovery::repair(&fetcher, options, &self.book.recall()?).await,
            None => Ok(false),
        }
    }
}
