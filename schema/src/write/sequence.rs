//! Numbers for `@autoIncrement`: unique and rising, with gaps, taken from a reserved block so that creates do not conflict.
//!
//! A number that was given out is never given again: the block is durable before its first number is used.

use crate::Abort;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use vivarium_consensus::{CommitOptions, Consistency, Error, Node, Result};
use vivarium_storage::{CollectionId, DatabaseId, FieldId, Key, Space, runtime};

/// Numbers reserved at once: one small commit for so many creates, and the most that a restart loses of each sequence.
const BLOCK: i64 = 100;

/// How long reserving may take, retries included.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Kinds of keys in [`Space::Meta`] begin with a byte; this one's is never reused.
const SEQUENCE: u8 = 4;

/// What is left of each field's block.
type Blocks = BTreeMap<(CollectionId, FieldId), Range<i64>>;

/// The sequences of one database on this node. Cheap to clone.
#[derive(Clone)]
pub struct Sequences {
    node: Node,
    database: DatabaseId,
    /// Held while a block is reserved, so that waiting creates share it.
    blocks: Arc<Mutex<Blocks>>,
}

impl Sequences {
    /// The sequences of a database, their blocks reserved through `node`.
    pub fn new(node: Node, database: DatabaseId) -> Sequences {
        Sequences { node, database, blocks: Arc::default() }
    }

    /// The next `count` numbers of a field, rising, the first of all being `start`.
    ///
    /// # Errors
    /// Those of the node.
    pub(super) async fn take(
        &self,
        collection: CollectionId,
        field: FieldId,
        start: i64,
        count: usize,
    ) -> std::result::Result<Vec<i64>, Abort> {
        let mut blocks = self.blocks.lock().await;
        let block = blocks.entry((collection, field)).or_default();
        let mut numbers: Vec<i64> = block.by_ref().filter(|number| *number >= start).take(count).collect();
        let missing = count - numbers.len();
        if missing > 0 {
            let size = i64::try_from(missing).unwrap_or(i64::MAX).max(BLOCK);
            *block = self.reserve(collection, field, start, size).await?;
            numbers.extend(block.by_ref().take(missing));
        }
        Ok(numbers)
    }

    /// Never gives out `number`, which a client chose, or one below it.
    ///
    /// # Errors
    /// Those of the node.
    pub(super) async fn pass(
        &self,
        collection: CollectionId,
        field: FieldId,
        number: i64,
    ) -> std::result::Result<(), Abort> {
        let mut blocks = self.blocks.lock().await;
        let block = blocks.entry((collection, field)).or_default();
        if number < block.start {
            return Ok(());
        }
        let next = number.saturating_add(1);
        // Past the block: where the stored number stands is not known here.
        *block = if next < block.end { next..block.end } else { self.reserve(collection, field, next, 0).await? };
        Ok(())
    }

    /// Moves the stored next number past a block, in a transaction of its own, and returns the block.
    async fn reserve(&self, collection: CollectionId, field: FieldId, start: i64, size: i64) -> Result<Range<i64>> {
        let deadline = runtime::now() + RESERVE_TIMEOUT;
        loop {
            match self.try_reserve(collection, field, start, size, deadline).await {
                // Nothing was taken, or a block was that nobody will use: a gap.
                Err(Error::Conflict | Error::UnknownOutcome) if runtime::now() < deadline => {}
                other => return other,
            }
        }
    }

    async fn try_reserve(
        &self,
        collection: CollectionId,
        field: FieldId,
        start: i64,
        size: i64,
        deadline: runtime::Instant,
    ) -> Result<Range<i64>> {
        let mut transaction = self.node.begin(Consistency::Strong, deadline).await?;
        let key = key(self.database, collection, field);
        let cells = transaction.get_many(Space::Meta, std::slice::from_ref(&key)).await?;
        let stored = match cells.into_iter().next().flatten() {
            Some(cell) => decode(&cell.value)?,
            None => start,
        };
        let first = stored.max(start);
        let end = first.saturating_add(size);
        transaction.put(Space::Meta, key, end.to_be_bytes().to_vec());
        transaction.commit(CommitOptions::default(), deadline).await?;
        Ok(first..end)
    }
}

/// `[4][database][collection][field]`: the next number that no block holds, 8 bytes big-endian.
fn key(database: DatabaseId, collection: CollectionId, field: FieldId) -> Key {
    let mut key = vec![SEQUENCE];
    key.extend_from_slice(&database.0.to_be_bytes());
    key.extend_from_slice(&collection.0.to_be_bytes());
    key.extend_from_slice(&field.0.to_be_bytes());
    key.into_boxed_slice()
}

fn decode(bytes: &[u8]) -> Result<i64> {
    bytes.try_into().map(i64::from_be_bytes).map_err(|_| {
        let detail = format!("expected 8 bytes, found {}", bytes.len());
        vivarium_storage::Error::Corrupt { what: "sequence", path: std::path::PathBuf::new(), detail }.into()
    })
}
