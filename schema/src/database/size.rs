//! How large collections and indexes are: counted as far as that takes a moment, for whoever looks after a database.

use super::{Database, Error};
use vivarium_consensus::Node;
use vivarium_storage::engine::Scan;
use vivarium_storage::{CollectionId, DatabaseId, IndexId, KeyRange, Space, key};

/// Rows that are counted: some tens of milliseconds.
const COUNTED_MAX: u32 = 100_000;
/// Rows that are counted before others have their turn.
const AT_ONCE: usize = 5_000;

/// What was counted of a collection or an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Records, or entries: all there are, or the first 100,000.
    pub rows: u32,
    /// There are no more.
    pub whole: bool,
    /// Bytes of their keys, before compression. The keys are all there is of most indexes: entries of a unique one hold an
    /// id besides.
    pub key_bytes: u64,
}

impl Database {
    /// How large an index is on this node.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn index_size(&self, index: IndexId) -> Result<Size, Error> {
        let range = KeyRange::prefix(&key::index(self.id(), index));
        Ok(count(self.node(), Space::Index, range).await?)
    }

    /// How many records a collection has on this node.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn collection_size(&self, collection: CollectionId) -> Result<Size, Error> {
        Ok(records(self.node(), self.id(), collection).await?)
    }
}

/// How many records a collection has on a node.
pub(super) async fn records(
    node: &Node,
    database: DatabaseId,
    collection: CollectionId,
) -> vivarium_consensus::Result<Size> {
    count(node, Space::Document, key::documents(database, collection)).await
}

async fn count(node: &Node, space: Space, mut range: KeyRange) -> vivarium_consensus::Result<Size> {
    let snapshot = node.store()?.snapshot();
    let mut size = Size { whole: true, ..Size::default() };
    while size.whole {
        let scan = Scan { range: range.clone(), reverse: false, limit: AT_ONCE };
        let count = &mut |key: &[u8]| {
            size.whole = size.rows < COUNTED_MAX;
            if size.whole {
                size.rows += 1;
                size.key_bytes += key.len() as u64;
            }
        };
        let Some(last) = snapshot.visit_keys(space, &scan, snapshot.version(), count)? else { break };
        range.start = key::successor(&last);
        tokio::task::yield_now().await;
    }
    Ok(size)
}
