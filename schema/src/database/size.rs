//! How large collections and indexes are: counted as far as that takes a moment, for whoever looks after a database.

use super::{Database, Error};
use vivarium_storage::engine::Scan;
use vivarium_storage::{CollectionId, IndexId, KeyRange, Space, key};

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
        self.size(Space::Index, KeyRange::prefix(&key::index(self.id(), index))).await
    }

    /// How many records a collection has on this node.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn collection_size(&self, collection: CollectionId) -> Result<Size, Error> {
        self.size(Space::Document, key::documents(self.id(), collection)).await
    }

    async fn size(&self, space: Space, mut range: KeyRange) -> Result<Size, Error> {
        let snapshot = self.node().store()?.snapshot();
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
            let last = snapshot.visit_keys(space, &scan, snapshot.version(), count);
            let Some(last) = last.map_err(vivarium_consensus::Error::from)? else { break };
            range.start = key::successor(&last);
            tokio::task::yield_now().await;
        }
        Ok(size)
    }
}
