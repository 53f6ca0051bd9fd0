//! The bytes of records and batches. A batch is what one write and one fsync carry.
//!
//! A batch is valid only as a whole: header, every record of the checksum chain, and zeros up to the next block.

use super::{GroupId, Record};
use crate::runtime::mutant;
use std::ops::Range;
use std::sync::Arc;

/// Batches begin on multiples of this, so that no write touches a sector that an earlier sync vouched for.
pub(super) const BLOCK: usize = 4096;
/// Bytes of a batch's header.
pub(super) const BATCH_HEADER: usize = 40;
/// Bytes in front of a record's payload.
pub(super) const RECORD_HEADER: usize = 29;
const BATCH_MAGIC: [u8; 4] = *b"VLBT";

/// Tags of records. For ever: docs/format.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry = 1,
    HardState = 2,
    TruncateSuffix = 3,
    PurgePrefix = 4,
    Checkpoint = 5,
}

impl Kind {
    fn from_tag(tag: u8) -> Option<Kind> {
        Some(match tag {
            1 => Kind::Entry,
            2 => Kind::HardState,
            3 => Kind::TruncateSuffix,
            4 => Kind::PurgePrefix,
            5 => Kind::Checkpoint,
            _ => return None,
        })
    }
}

/// A record on its way to the disk, its payload shared with the cache.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub group: GroupId,
    pub kind: Kind,
    pub term: u64,
    pub index: u64,
    pub payload: Arc<Vec<u8>>,
}

impl Item {
    pub fn new(group: GroupId, record: Record) -> Item {
        let (kind, term, index, payload) = match record {
            Record::Entry { term, index, payload } => (Kind::Entry, term, index, payload),
            Record::HardState { payload } => (Kind::HardState, 0, 0, payload),
            Record::TruncateSuffix { index } => (Kind::TruncateSuffix, 0, index, Vec::new()),
            Record::PurgePrefix { index, term } => (Kind::PurgePrefix, term, index, Vec::new()),
            Record::Checkpoint { index, term, payload } => (Kind::Checkpoint, term, index, payload),
        };
        Item { group, kind, term, index, payload: Arc::new(payload) }
    }
    /// True when segments may be deleted for it.
    pub fn purges(&self) -> bool {
        matches!(self.kind, Kind::PurgePrefix | Kind::Checkpoint)
    }
    /// Bytes that it takes in a batch.
    pub fn bytes(&self) -> usize {
        RECORD_HEADER + self.payload.len()
    }
}

/// Where a record lies, and what its checksum is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub segment: u32,
    pub offset: u32,
    pub bytes: u32,
    pub previous: u32,
}

/// The first bytes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    /// One more than that of the batch before.
    pub sequence: u64,
    /// Smaller than `sequence` when this batch repeats an earlier one, whose first writing it then replaces.
    pub stands_for: u64,
    /// The checksum chain before the first record.
    pub previous: u32,
    pub count: u32,
    /// Bytes of records, without header and padding.
    pub bytes: u32,
}

impl BatchHeader {
    pub fn write(&self, log: u64, out: &mut [u8]) {
        out[0..4].copy_from_slice(&BATCH_MAGIC);
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.stands_for.to_le_bytes());
        out[24..28].copy_from_slice(&self.previous.to_le_bytes());
        out[28..32].copy_from_slice(&self.count.to_le_bytes());
        out[32..36].copy_from_slice(&self.bytes.to_le_bytes());
        out[36..40].fill(0);
        let crc = header_crc(log, &out[8..BATCH_HEADER]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
    }
    /// The header at the front of `bytes`, if there is one of this log.
    pub fn read(log: u64, bytes: &[u8]) -> Option<BatchHeader> {
        let bytes = bytes.get(..BATCH_HEADER)?;
        if bytes[0..4] != BATCH_MAGIC || u32_at(bytes, 4) != header_crc(log, &bytes[8..]) {
            return None;
        }
        Some(BatchHeader {
            sequence: u64_at(bytes, 8),
            stands_for: u64_at(bytes, 16),
            previous: u32_at(bytes, 24),
            count: u32_at(bytes, 28),
            bytes: u32_at(bytes, 32),
        })
    }
    /// Bytes of the whole batch, padding included.
    pub fn span(&self) -> usize {
        (BATCH_HEADER + self.bytes as usize).next_multiple_of(BLOCK)
    }
}

// The log's own random id goes into the sum, so that no payload can be mistaken for a header.
fn header_crc(log: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&log.to_le_bytes()), bytes)
}

/// A batch being put together in a buffer that is used again and again.
pub(super) struct BatchWriter {
    buffer: Vec<u8>,
    count: u32,
    previous: u32,
    chain: u32,
}

impl BatchWriter {
    pub fn new() -> BatchWriter {
        BatchWriter { buffer: Vec::new(), count: 0, previous: 0, chain: 0 }
    }
    pub fn begin(&mut self, chain: u32) {
        self.buffer.clear();
        self.buffer.resize(BATCH_HEADER, 0);
        self.count = 0;
        self.previous = chain;
        self.chain = chain;
    }
    /// Appends a record and returns its place within the batch: (offset, bytes, chain before it).
    pub fn push(&mut self, item: &Item) -> (usize, usize, u32) {
        let start = self.buffer.len();
        let previous = self.chain;
        let payload_bytes = u32::try_from(item.payload.len()).expect("the queue's bound is below 4 GiB");
        self.buffer.extend_from_slice(&payload_bytes.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 4]);
        self.buffer.extend_from_slice(&item.group.0.to_le_bytes());
        self.buffer.push(item.kind as u8);
        self.buffer.extend_from_slice(&item.term.to_le_bytes());
        self.buffer.extend_from_slice(&item.index.to_le_bytes());
        self.buffer.extend_from_slice(&item.payload);
        self.chain = record_crc(previous, &self.buffer[start..]);
        self.buffer[start + 4..start + 8].copy_from_slice(&self.chain.to_le_bytes());
        self.count += 1;
        (start, self.buffer.len() - start, previous)
    }
    /// Bytes that the finished batch will have.
    pub fn span(&self) -> usize {
        self.buffer.len().next_multiple_of(BLOCK)
    }
    /// Completes the batch and returns its bytes and the chain after it.
    pub fn finish(&mut self, log: u64, sequence: u64, stands_for: u64) -> (&[u8], u32) {
        let header = BatchHeader {
            sequence,
            stands_for,
            previous: self.previous,
            count: self.count,
            bytes: u32::try_from(self.buffer.len() - BATCH_HEADER).expect("the queue's bound is below 4 GiB"),
        };
        header.write(log, &mut self.buffer[..BATCH_HEADER]);
        let span = self.span();
        self.buffer.resize(span, 0);
        (&self.buffer, self.chain)
    }
}

fn record_crc(previous: u32, record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(previous, &record[..4]), &record[8..])
}

/// A record as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub group: GroupId,
    pub kind: Kind,
    pub term: u64,
    pub index: u64,
    /// Where the whole record lies in the bytes that were looked at.
    pub span: Range<usize>,
    pub previous: u32,
}

impl Found {
    /// Reads the record that begins at `start` and is chained to `previous`.
    pub fn read(bytes: &[u8], start: usize, previous: u32) -> Option<(Found, u32)> {
        let header = bytes.get(start..start.checked_add(RECORD_HEADER)?)?;
        let end = (start + RECORD_HEADER).checked_add(u32_at(header, 0) as usize)?;
        let record = bytes.get(start..end)?;
        let chain = record_crc(previous, record);
        if chain != u32_at(header, 4) && !mutant("disk-02") {
            return None;
        }
        let found = Found {
            group: GroupId(u32_at(header, 8)),
            kind: Kind::from_tag(header[12])?,
            term: u64_at(header, 13),
            index: u64_at(header, 21),
            span: start..end,
            previous,
        };
        Some((found, chain))
    }
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.span.start + RECORD_HEADER..self.span.end]
    }
}

/// Reads all records of the batch at `start`; `None` when a byte of it is not as it was written.
pub(super) fn read_batch(bytes: &[u8], start: usize, header: &BatchHeader) -> Option<(Vec<Found>, u32)> {
    let records_end = start.checked_add(BATCH_HEADER)?.checked_add(header.bytes as usize)?;
    let whole = bytes.get(..records_end)?;
    let padding = bytes.get(records_end..start.checked_add(header.span())?)?;
    if padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    let mut found = Vec::new();
    let (mut at, mut chain) = (start + BATCH_HEADER, header.previous);
    while at < records_end {
        let (record, next) = Found::read(whole, at, chain)?;
        at = record.span.end;
        chain = next;
        found.push(record);
    }
    (found.len() == header.count as usize).then_some((found, chain))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
