//! Rows that are sent together. Where a batch ends depends on line numbers and lengths alone, never on timing.

use super::lines::Row;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Rows of a block: enough that one fsync is shared, few enough that several blocks of a small file run at once.
pub const BLOCK_LINES: u64 = 500;

/// Bytes of rows in one request; translated they stay below the server's default limit of 1 MiB.
const BATCH_BYTES_MAX: usize = 384 * 1024;

/// Rows from lines `n * BLOCK_LINES + 1` to `(n + 1) * BLOCK_LINES`. A block is sent batch after batch by one sender,
/// so that correcting a line moves no border of another block.
#[derive(Debug, Default)]
pub struct Block {
    /// Its rows, ascending by line.
    pub rows: Vec<Row>,
}

/// The number of the block that a line belongs to.
pub fn block_of(line: u64) -> u64 {
    line.saturating_sub(1) / BLOCK_LINES
}

impl Block {
    /// The rows as batches, each small enough for one request, none with a line in `skipped`.
    pub fn batches(&self, skipped: &[u64]) -> Vec<&[Row]> {
        let mut batches = Vec::new();
        for run in self.rows.split(|row| skipped.contains(&row.line)) {
            batches.extend(split(run));
        }
        batches
    }
}

/// Cuts rows where they would grow too large for one request.
pub fn split(rows: &[Row]) -> Vec<&[Row]> {
    let mut batches = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (at, row) in rows.iter().enumerate() {
        if at > begin && bytes + row.text.len() > BATCH_BYTES_MAX {
            batches.push(&rows[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += row.text.len();
    }
    if begin < rows.len() {
        batches.push(&rows[begin..]);
    }
    batches
}

/// A batch's idempotency key: the same rows on the same lines for the same collection are the same batch.
pub fn key(label: &str, collection: &str, rows: &[Row]) -> String {
    let mut hash = Sha256::new();
    for part in ["vivarium import 1", label, collection] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    for row in rows {
        hash.update(row.line.to_le_bytes());
        hash.update((row.text.len() as u64).to_le_bytes());
        hash.update(&row.text);
    }
    let mut key = "import-".to_owned();
    for byte in &hash.finalize()[..20] {
        write!(key, "{byte:02x}").expect("a string takes everything");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lines: &[(u64, usize)]) -> Vec<Row> {
        lines.iter().map(|(line, bytes)| Row { line: *line, text: "x".repeat(*bytes) }).collect()
    }

    fn lines(batches: &[&[Row]]) -> Vec<Vec<u64>> {
        batches.iter().map(|batch| batch.iter().map(|row| row.line).collect()).collect()
    }

    #[test]
    fn a_block_is_cut_at_skipped_lines_and_where_it_grows_too_large() {
        let block = Block { rows: rows(&[(1, 10), (2, 10), (3, 10), (5, BATCH_BYTES_MAX), (6, 10)]) };
        assert_eq!(lines(&block.batches(&[2])), [vec![1], vec![3], vec![5], vec![6]]);
        assert_eq!(lines(&block.batches(&[])), [vec![1, 2, 3], vec![5], vec![6]]);
        assert_eq!(lines(&Block::default().batches(&[])), Vec::<Vec<u64>>::new());
    }

    #[test]
    fn lines_belong_to_blocks_by_number() {
        assert_eq!([block_of(1), block_of(500), block_of(501)], [0, 0, 1]);
    }

    #[test]
    fn a_key_tells_rows_lines_collections_and_labels_apart() {
        let base = key("", "Artist", &rows(&[(1, 1)]));
        assert_eq!(base, key("", "Artist", &rows(&[(1, 1)])));
        for other in [
            key("x", "Artist", &rows(&[(1, 1)])),
            key("", "Album", &rows(&[(1, 1)])),
            key("", "Artist", &rows(&[(2, 1)])),
            key("", "Artist", &rows(&[(1, 2)])),
            key("", "Artist", &rows(&[(1, 1), (2, 1)])),
        ] {
            assert_ne!(base, other);
        }
    }
}
