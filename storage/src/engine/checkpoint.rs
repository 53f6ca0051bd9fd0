//! A store as a stream of chunks: what a Raft snapshot sends and what a backup keeps.
//!
//! A stream restores to exactly the cells and the history that the snapshot saw, or not at all: every chunk carries a
//! checksum chained to the one before, and the last says how many rows there were.

use super::cell::history_end;
use super::fjall::{Rows, Table, Tables};
use super::snapshot::Snapshot;
use super::store::{Store, decode_position, encode_position, open_tables, put_origin};
use super::{META_OWN_END, Position, StoreOptions};
use crate::{Error, Result, Version};
use std::path::Path;

/// Bytes of rows after which a chunk is closed.
const CHUNK_BYTES: usize = 256 << 10;
/// The longest chunk that is read: one row may exceed [`CHUNK_BYTES`] by the longest document.
const CHUNK_BYTES_MAX: usize = 32 << 20;
const FORMAT_VERSION: u32 = 1;
/// `[bytes u32][crc32c u32][number u32][kind u8]`
const HEADER: usize = 13;
const KIND_BEGIN: u8 = 1;
const KIND_ROWS: u8 = 2;
const KIND_END: u8 = 3;

/// The chunks of a snapshot, in order. Joined they are a file; [`Store::restore`] takes them one by one.
pub struct Export<'a> {
    snapshot: &'a Snapshot,
    next: Next,
    rows: Option<Rows>,
    number: u32,
    chain: u32,
    count: u64,
}

/// What the next chunk tells of.
#[derive(Clone, Copy)]
enum Next {
    Begin,
    Table(usize),
    End,
    Nothing,
}

impl Snapshot {
    /// All that this snapshot sees, and the history that may still be read, as chunks.
    pub fn export(&self) -> Export<'_> {
        Export { snapshot: self, next: Next::Begin, rows: None, number: 0, chain: 0, count: 0 }
    }
}

impl Iterator for Export<'_> {
    type Item = Result<Vec<u8>>;
    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.chunk();
        if chunk.is_err() {
            self.next = Next::Nothing;
        }
        chunk.transpose()
    }
}

impl Export<'_> {
    fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            match self.next {
                Next::Begin => {
                    let mut body = FORMAT_VERSION.to_le_bytes().to_vec();
                    body.extend_from_slice(&encode_position(self.snapshot.position()));
                    body.extend_from_slice(&self.snapshot.watermark().0.to_be_bytes());
                    self.next = Next::Table(0);
                    return Ok(Some(self.close(KIND_BEGIN, &body)));
                }
                Next::Table(nth) => {
                    let Some(table) = Table::ALL.get(nth) else {
                        self.next = Next::End;
                        continue;
                    };
                    let body = self.rows(*table)?;
                    if body.len() > 1 {
                        return Ok(Some(self.close(KIND_ROWS, &body)));
                    }
                    self.rows = None;
                    self.next = Next::Table(nth + 1);
                }
                Next::End => {
                    self.next = Next::Nothing;
                    return Ok(Some(self.close(KIND_END, &self.count.to_le_bytes())));
                }
                Next::Nothing => return Ok(None),
            }
        }
    }
    /// The table's tag and as many of its next rows as a chunk takes.
    fn rows(&mut self, table: Table) -> Result<Vec<u8>> {
        let snapshot = self.snapshot;
        let rows = self.rows.get_or_insert_with(|| snapshot.engine.tables.all(&snapshot.view, table));
        let mut body = vec![table.tag()];
        while body.len() < CHUNK_BYTES {
            let Some(row) = rows.next() else { break };
            let (key, value) = row?;
            // What the store says of itself is in the first chunk. History that ended is gone, whether or not a
            // compaction has come by: the stream depends on the log alone.
            let own = table == Table::Meta && *key < META_OWN_END[..];
            let ended = table.holds_history() && history_end(&key).is_some_and(|end| end <= snapshot.watermark());
            if own || ended {
                continue;
            }
            let key_bytes = u16::try_from(key.len()).expect("a key is below 64 KiB");
            let value_bytes = u32::try_from(value.len()).expect("a value is below 4 GiB");
            body.extend_from_slice(&key_bytes.to_le_bytes());
            body.extend_from_slice(&value_bytes.to_le_bytes());
            body.extend_from_slice(&key);
            body.extend_from_slice(&value);
            self.count += 1;
        }
        Ok(body)
    }
    fn close(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut chunk = Vec::with_capacity(HEADER + body.len());
        let bytes = u32::try_from(HEADER + body.len()).expect("a chunk is far below 4 GiB");
        chunk.extend_from_slice(&bytes.to_le_bytes());
        chunk.extend_from_slice(&[0; 4]);
        chunk.extend_from_slice(&self.number.to_le_bytes());
        chunk.push(kind);
        chunk.extend_from_slice(body);
        self.chain = chunk_crc(self.chain, &chunk);
        chunk[4..8].copy_from_slice(&self.chain.to_le_bytes());
        self.number += 1;
        chunk
    }
}

fn chunk_crc(previous: u32, chunk: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(previous, &chunk[..4]), &chunk[8..])
}

impl Store {
    /// Makes a store in `dir`, which must not exist, from the chunks of [`Snapshot::export`]. Whatever fails,
    /// `dir` does not exist afterwards, or holds all.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a chunk that is damaged, missing or out of order; whatever `chunks` yields; [`Error::Io`].
    pub fn restore(
        dir: &Path,
        options: StoreOptions,
        chunks: &mut dyn Iterator<Item = Result<Vec<u8>>>,
    ) -> Result<Store> {
        if dir.exists() {
            let detail = "a checkpoint is restored to where nothing is; set the store aside first".into();
            return Err(Error::Foreign { path: dir.into(), detail });
        }
        let tables = open_tables(dir, &options, |tables| Import::new(dir, chunks).fill(tables))?;
        Store::with(dir, tables, &options)
    }
}

/// The rows of a stream, in order.
struct Import<'a> {
    dir: &'a Path,
    chunks: &'a mut dyn Iterator<Item = Result<Vec<u8>>>,
    number: u32,
    chain: u32,
    count: u64,
    body: Vec<u8>,
    at: usize,
    kind: u8,
    last_key: Option<(u8, Vec<u8>)>,
}

impl<'a> Import<'a> {
    fn new(dir: &'a Path, chunks: &'a mut dyn Iterator<Item = Result<Vec<u8>>>) -> Import<'a> {
        Import { dir, chunks, number: 0, chain: 0, count: 0, body: Vec::new(), at: 0, kind: 0, last_key: None }
    }
    fn corrupt(&self, detail: &str) -> Error {
        let detail = format!("chunk {}: {detail}", self.number.saturating_sub(1));
        Error::Corrupt { what: "checkpoint", path: self.dir.into(), detail }
    }
    fn fill(mut self, tables: &Tables) -> Result<()> {
        let (position, watermark) = self.begin()?;
        self.advance()?;
        for table in Table::ALL {
            if self.is_at(table) {
                tables.fill(table, &mut std::iter::from_fn(|| self.row(table).transpose()))?;
            }
        }
        if self.kind != KIND_END || self.body != self.count.to_le_bytes() {
            return Err(self.corrupt("the stream does not end with the number of its rows"));
        }
        if self.chunks.next().is_some() {
            return Err(self.corrupt("the stream goes on after its end"));
        }
        put_origin(tables, position, watermark)
    }
    fn begin(&mut self) -> Result<(Position, Version)> {
        self.advance()?;
        let malformed = || self.corrupt("the stream does not begin as a checkpoint does");
        if self.kind != KIND_BEGIN || self.body.len() != 4 + 24 + 8 {
            return Err(malformed());
        }
        let format = u32::from_le_bytes(self.body[..4].try_into().expect("four bytes"));
        if format != FORMAT_VERSION {
            let detail = format!("checkpoint format {format}, this release reads {FORMAT_VERSION}");
            return Err(Error::Foreign { path: self.dir.into(), detail });
        }
        let position = decode_position(&self.body[4..28]).ok_or_else(malformed)?;
        let watermark = u64::from_be_bytes(self.body[28..36].try_into().expect("eight bytes"));
        Ok((position, Version(watermark)))
    }
    /// Takes the next chunk in.
    fn advance(&mut self) -> Result<()> {
        let chunk = match self.chunks.next() {
            Some(chunk) => chunk?,
            None => return Err(self.corrupt("the stream ends after it")),
        };
        self.number += 1;
        let whole =
            chunk.len() >= HEADER && chunk.len() <= CHUNK_BYTES_MAX && number(&chunk, 0) as usize == chunk.len();
        if !whole || number(&chunk, 4) != chunk_crc(self.chain, &chunk) {
            return Err(self.corrupt("fails its checksum"));
        }
        if number(&chunk, 8) != self.number - 1 {
            return Err(self.corrupt("out of order"));
        }
        self.chain = number(&chunk, 4);
        self.kind = chunk[12];
        self.body = chunk[HEADER..].to_vec();
        self.at = 1;
        Ok(())
    }
    fn is_at(&self, table: Table) -> bool {
        self.kind == KIND_ROWS && self.body.first() == Some(&table.tag())
    }
    fn row(&mut self, table: Table) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        if self.is_at(table) && self.at == self.body.len() {
            self.advance()?;
        }
        if !self.is_at(table) {
            return Ok(None);
        }
        let (key, value) = self.take_row().ok_or_else(|| self.corrupt("a row is cut short"))?;
        let tagged = Some((table.tag(), key.clone()));
        if tagged <= self.last_key {
            return Err(self.corrupt("its keys do not ascend"));
        }
        self.last_key = tagged;
        self.count += 1;
        Ok(Some((key, value)))
    }
    fn take_row(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let header = self.body.get(self.at..self.at + 6)?;
        let key_bytes = u16::from_le_bytes([header[0], header[1]]) as usize;
        let value_bytes = number(header, 2) as usize;
        let key_at = self.at + 6;
        let value_at = key_at + key_bytes;
        let end = value_at.checked_add(value_bytes)?;
        let row = (self.body.get(key_at..value_at)?.to_vec(), self.body.get(value_at..end)?.to_vec());
        self.at = end;
        Some(row)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{applied, open, options};
    use super::*;
    use crate::disk::scratch;
    use crate::engine::{Scan, Space};
    use crate::{KeyRange, Version};

    /// Everything that can be read, at every version.
    fn all(store: &Store) -> Vec<String> {
        let snapshot = store.snapshot();
        let range = KeyRange { start: [0].into(), end: [0xFF; 8].into() };
        let scan = Scan { range, reverse: false, limit: usize::MAX };
        let mut rows = vec![format!("{:?} {:?}", snapshot.position(), snapshot.watermark())];
        for at in snapshot.watermark().0..=snapshot.version().0 {
            for space in [Space::Meta, Space::Document, Space::Index, Space::KeyValue] {
                let found = snapshot.scan(space, &scan, Version(at)).unwrap();
                rows.extend(found.map(|row| format!("{at} {space:?} {:?}", row.unwrap())));
            }
        }
        rows
    }

    fn export(store: &Store) -> Vec<Vec<u8>> {
        store.snapshot().export().collect::<Result<_>>().unwrap()
    }

    fn restore(chunks: &[Vec<u8>]) -> (tempfile::TempDir, Result<Store>) {
        let dir = scratch();
        let store =
            Store::restore(&dir.path().join("store"), options(), &mut chunks.iter().map(|chunk| Ok(chunk.clone())));
        (dir, store)
    }

    #[test]
    fn a_checkpoint_restores_to_the_same_cells_and_history() {
        for seed in 0..4 {
            let dir = scratch();
            let store = open(dir.path());
            applied(&store, seed, 60);
            let chunks = export(&store);
            // Whether history has been dropped by a compaction does not show.
            store.persist().unwrap();
            store.maintain().unwrap();
            assert_eq!(export(&store), chunks);
            let (copy_dir, copy) = restore(&chunks);
            let copy = copy.unwrap();
            assert_eq!(all(&copy), all(&store));
            assert_eq!(export(&copy), chunks);
            drop(copy);
            let copy = open(copy_dir.path());
            assert_eq!(all(&copy), all(&store));
            // Both go on alike.
            applied(&copy, seed + 100, 20);
            applied(&store, seed + 100, 20);
            assert_eq!(all(&copy), all(&store));
        }
    }

    #[test]
    fn an_empty_store_is_a_checkpoint_too() {
        let dir = scratch();
        let store = open(dir.path());
        let chunks = export(&store);
        insta::assert_snapshot!(
            chunks.iter().map(|chunk| chunk.iter().map(|byte| format!("{byte:02x}")).collect()).collect::<Vec<String>>().join("\n"),
            @r"
        310000006b721bf60000000001010000000000000000000000000000000000000000000000000000000000000000000000
        150000005ec277ec01000000030000000000000000
        "
        );
        let (_dir, copy) = restore(&chunks);
        assert_eq!(copy.unwrap().position(), Position::default());
    }

    #[test]
    fn a_damaged_stream_leaves_no_store() {
        let dir = scratch();
        let store = open(dir.path());
        applied(&store, 1, 60);
        let chunks = export(&store);
        let mut damaged = Vec::new();
        for (nth, chunk) in chunks.iter().enumerate() {
            for at in (0..chunk.len()).step_by(chunk.len() / 9 + 1) {
                let mut other = chunks.clone();
                other[nth][at] ^= 0x10;
                damaged.push(other);
            }
            let mut other = chunks.clone();
            other.remove(nth);
            damaged.push(other);
            let mut other = chunks.clone();
            other.insert(nth, chunk.clone());
            damaged.push(other);
            damaged.push(chunks[..nth].to_vec());
        }
        for stream in damaged {
            let (dir, outcome) = restore(&stream);
            assert!(matches!(outcome, Err(Error::Corrupt { .. })));
            assert!(!dir.path().join("store").exists());
        }
        let (dir, outcome) = restore(&chunks);
        outcome.unwrap();
        let again = Store::restore(&dir.path().join("store"), options(), &mut std::iter::empty());
        assert!(matches!(again, Err(Error::Foreign { .. })));
    }
}
