//! Replicas agree: nodes that are at the same version hold the same cells, byte for byte.

use super::Violation;
use std::collections::BTreeMap;
use vivarium_consensus::{Consistency, Node, Result};
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::now;
use vivarium_storage::{KeyRange, Space};
use xxhash_rust::xxh3::xxh3_64;

/// No key begins with so many of the greatest byte.
const GREATEST_KEY: [u8; 64] = [0xFF; 64];
const SPACES: [Space; 4] = [Space::Meta, Space::Document, Space::Index, Space::KeyValue];

/// All cells of a store: space and key, the version that wrote it, and a hash of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// The newest commit in it.
    pub version: u64,
    cells: BTreeMap<(u8, Vec<u8>), (u64, u64)>,
}

impl Dump {
    /// Everything that a node holds now.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn of(node: &Node) -> Result<Dump> {
        let mut transaction = node.begin(Consistency::Stale, now()).await?;
        transaction.read_only();
        let mut cells = BTreeMap::new();
        for space in SPACES {
            let range = KeyRange { start: Box::from(&b""[..]), end: Box::from(GREATEST_KEY) };
            let rows = transaction.scan_many(space, &[Scan { range, reverse: false, limit: usize::MAX }]).await?;
            for (key, cell) in rows.into_iter().flatten() {
                cells.insert((space as u8, key.to_vec()), (cell.version.0, xxh3_64(&cell.value)));
            }
        }
        Ok(Dump { version: transaction.version().0, cells })
    }

    /// How many cells it holds.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// True when it holds none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// Compares what nodes hold that are at the same version.
///
/// # Errors
/// The first cell that two of them do not agree on.
pub fn compare(dumps: &[(String, Dump)]) -> std::result::Result<(), Violation> {
    let Some(((first, expected), others)) = dumps.split_first() else { return Ok(()) };
    for (name, dump) in others.iter().filter(|(_, dump)| dump.version == expected.version) {
        let mut keys = expected.cells.keys().chain(dump.cells.keys());
        let differs = keys.find(|key| expected.cells.get(*key) != dump.cells.get(*key));
        if let Some(key @ (space, bytes)) = differs {
            let detail = format!(
                "at version {} {first} has {:?} and {name} has {:?} (version and hash) in space {space} at key {}",
                dump.version,
                expected.cells.get(key),
                dump.cells.get(key),
                bytes.escape_ascii()
            );
            return Err(Violation::new("replica", "differs", detail));
        }
    }
    Ok(())
}
