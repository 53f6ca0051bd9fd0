//! Opening a log: reads every batch, tells a torn tail from corruption, and rebuilds all positions.
//!
//! A batch is written only after the one before it was synced. So a bad batch with a later one after it was
//! acknowledged once, and is corruption; a bad batch with nothing after it is the write that a crash tore.

use super::group::{Durable, GroupLog};
use super::record::{BLOCK, BatchHeader, Found, Item, Place, RECORD_HEADER, read_batch};
use super::segment::{self, SegmentHeader};
use super::{GroupId, WalOptions};
use crate::disk::{io, sync_folder, sync_parent};
use crate::runtime::{Runtime, mutant, sometimes};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log as it was found, ready to be written on.
pub(super) struct Opened {
    pub groups: BTreeMap<GroupId, GroupLog>,
    pub durable: BTreeMap<GroupId, Durable>,
    /// All segments and their bytes, ascending. The last one is written to.
    pub segments: BTreeMap<u32, (Arc<File>, u64)>,
    pub log: u64,
    /// Where the next batch goes.
    pub offset: u64,
    /// The number of the next batch, what it stands for, and what it is chained to.
    pub sequence: u64,
    pub stands_for: u64,
    pub chain: u32,
    /// The last batch, when it has records and nothing proves that it was ever synced.
    pub unproven: Option<Unproven>,
}

/// The records of the last batch and how they are chained.
pub(super) struct Unproven {
    pub items: Vec<Item>,
    pub stands_for: u64,
    pub previous: u32,
}

/// Reads the log in `dir`, or makes a new one.
pub(super) fn open(dir: &Path, options: &WalOptions, runtime: &Runtime) -> Result<Opened> {
    if !dir.exists() {
        std::fs::create_dir_all(dir).map_err(io("create", dir))?;
    }
    sync_parent(dir)?;
    let numbers = segment::list(dir)?;
    // What a killed process left in the page cache is read as if it were durable; from here on it is.
    sync_folder(dir)?;
    if numbers.is_empty() {
        return create(dir, options, runtime);
    }
    let mut reader = Reader::new(dir, numbers[0]);
    for (nth, number) in numbers.iter().enumerate() {
        reader.read_segment(*number, numbers.get(nth + 1).copied())?;
    }
    reader.finish()
}

fn create(dir: &Path, options: &WalOptions, runtime: &Runtime) -> Result<Opened> {
    let header = SegmentHeader { log: runtime.random(), number: 1, sequence: 1, previous: 0 };
    let bytes = options.segment_bytes.next_multiple_of(BLOCK as u64);
    let file = segment::create(dir, &header, bytes)?;
    Ok(Opened {
        groups: BTreeMap::new(),
        durable: BTreeMap::new(),
        segments: BTreeMap::from([(1, (Arc::new(file), bytes))]),
        log: header.log,
        offset: BLOCK as u64,
        sequence: 1,
        stands_for: 1,
        chain: 0,
        unproven: None,
    })
}

/// What is known after the batches read so far.
struct Reader<'a> {
    dir: &'a Path,
    headless: bool,
    groups: BTreeMap<GroupId, GroupLog>,
    durable: BTreeMap<GroupId, Durable>,
    segments: BTreeMap<u32, (Arc<File>, u64)>,
    log: Option<u64>,
    next: u64,
    chain: u32,
    offset: usize,
    /// The newest segment was begun for a repetition of the last batch.
    repeating: bool,
    last: Option<Unproven>,
}

/// A batch that is good.
struct Good {
    header: BatchHeader,
    records: Vec<Found>,
    chain: u32,
}

impl<'a> Reader<'a> {
    fn new(dir: &'a Path, first_segment: u32) -> Reader<'a> {
        Reader {
            dir,
            headless: first_segment > 1,
            groups: BTreeMap::new(),
            durable: BTreeMap::new(),
            segments: BTreeMap::new(),
            log: None,
            next: 0,
            chain: 0,
            offset: 0,
            repeating: false,
            last: None,
        }
    }
    fn corrupt(&self, path: &Path, detail: String) -> Error {
        Error::Corrupt { what: "log record", path: path.into(), detail }
    }
    fn read_segment(&mut self, number: u32, following: Option<u32>) -> Result<()> {
        let path = segment::path(self.dir, number);
        let file = segment::open(&path)?;
        let bytes = std::fs::read(&path).map_err(io("read", &path))?;
        self.enter(&path, number, &bytes)?;
        self.segments.insert(number, (Arc::new(file), bytes.len() as u64));
        self.offset = BLOCK;
        loop {
            while let Some(good) = self.good_batch(&bytes, self.offset) {
                self.take_batch(&path, number, &bytes, self.offset, good)?;
            }
            // A later batch: either it repeats the bad one, or it proves that the bad one was acknowledged.
            let Some((at, good)) = self.later_batch(&path, &bytes)? else { break };
            self.take_batch(&path, number, &bytes, at, good)?;
        }
        if following.is_none() {
            self.cut(&path, number, &bytes)?;
        }
        Ok(())
    }
    /// Checks that a segment goes on where the one before it ended.
    fn enter(&mut self, path: &Path, number: u32, bytes: &[u8]) -> Result<()> {
        let header = SegmentHeader::decode(bytes, path)?;
        if header.number != number || self.log.is_some_and(|log| log != header.log) {
            return Err(
                self.corrupt(path, format!("the header is that of segment {} of log {:x}", header.number, header.log))
            );
        }
        if let Some((before, _)) = self.segments.last_key_value() {
            if before + 1 != number {
                let missing = segment::path(self.dir, before + 1);
                return Err(self.corrupt(&missing, "the segment is missing".into()));
            }
            let follows = header.sequence == self.next && header.previous == self.chain;
            self.repeating = self
                .last
                .as_ref()
                .is_some_and(|last| header.sequence == last.stands_for && header.previous == last.previous);
            if !follows && !self.repeating {
                let before = segment::path(self.dir, *before);
                let detail = format!(
                    "batch {} at offset {} is damaged, but segment {number} begins after batch {}",
                    self.next,
                    self.offset,
                    header.sequence.saturating_sub(1)
                );
                return Err(self.corrupt(&before, detail));
            }
        } else {
            self.next = header.sequence;
            self.chain = header.previous;
        }
        self.log = Some(header.log);
        Ok(())
    }
    /// The batch at an offset, if all of it is as it was written and it follows what was read so far.
    fn good_batch(&self, bytes: &[u8], at: usize) -> Option<Good> {
        let header = BatchHeader::read(self.log?, bytes.get(at..)?)?;
        let expected = if header.stands_for == self.next {
            // Either the next batch itself or, when that one is damaged, its repetition.
            self.chain
        } else {
            self.last.as_ref().filter(|last| last.stands_for == header.stands_for)?.previous
        };
        if header.previous != expected || header.sequence < self.next || (header.span() > BLOCK && mutant("disk-01")) {
            return None;
        }
        let (records, chain) = read_batch(bytes, at, &header)?;
        Some(Good { header, records, chain })
    }
    /// A good repetition of the batch that is damaged at the current offset, if there is one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a later batch shows that the damaged one had been synced.
    fn later_batch(&self, path: &Path, bytes: &[u8]) -> Result<Option<(usize, Good)>> {
        for at in (self.offset..bytes.len()).step_by(BLOCK) {
            let Some(header) = self.log.and_then(|log| BatchHeader::read(log, &bytes[at..])) else { continue };
            // A repetition is written because the batch may not have been synced, so it proves nothing by itself.
            if header.stands_for > self.next {
                let detail = format!(
                    "batch {} at offset {} is damaged, but batch {} at offset {at} was written after it was synced",
                    self.next, self.offset, header.sequence
                );
                return Err(self.corrupt(path, detail));
            }
            if let Some(good) = self.good_batch(bytes, at) {
                return Ok(Some((at, good)));
            }
        }
        Ok(None)
    }
    fn take_batch(&mut self, path: &Path, number: u32, bytes: &[u8], at: usize, good: Good) -> Result<()> {
        let mut items = Vec::with_capacity(good.records.len());
        for found in &good.records {
            let item = Item {
                group: found.group,
                kind: found.kind,
                term: found.term,
                index: found.index,
                payload: Arc::new(found.payload(bytes).to_vec()),
            };
            let place = Place {
                segment: number,
                offset: u32::try_from(found.span.start).expect("a segment is below 4 GiB"),
                bytes: found.span.len() as u32,
                previous: found.previous,
            };
            debug_assert!(found.span.len() >= RECORD_HEADER, "a record has a header");
            let headless = self.headless;
            let group = self.groups.entry(found.group).or_insert_with(if headless {
                GroupLog::headless
            } else {
                GroupLog::default
            });
            if let Err(detail) = group.take(&item, Some(place)) {
                let detail = format!("group {} at offset {}: {detail}", found.group.0, found.span.start);
                return Err(self.corrupt(path, detail));
            }
            self.durable.entry(found.group).or_default().note(&item, number);
            items.push(item);
        }
        self.offset = at + good.header.span();
        self.next = good.header.sequence + 1;
        self.chain = good.chain;
        self.last = Some(Unproven { items, stands_for: good.header.stands_for, previous: good.header.previous });
        Ok(())
    }
    /// Lays zeros over what follows the last good batch, so that the next one is not chained onto garbage.
    fn cut(&mut self, path: &Path, number: u32, bytes: &[u8]) -> Result<()> {
        let (file, _) = &self.segments[&number];
        if let Some(last) = bytes[self.offset..].iter().rposition(|byte| *byte != 0) {
            let end = (self.offset + last + 1).next_multiple_of(BLOCK).min(bytes.len());
            sometimes("a torn end of the log is cut");
            tracing::warn!(path = %path.display(), offset = self.offset, bytes = end - self.offset, "torn end of the log cut");
            segment::fill(file, path, self.offset as u64, end as u64)?;
        }
        file.sync_all().map_err(io("fsync", path))
    }
    fn finish(mut self) -> Result<Opened> {
        for (id, group) in &mut self.groups {
            group.settle().map_err(|detail| Error::Corrupt {
                what: "log",
                path: PathBuf::from(self.dir),
                detail: format!("group {}: {detail}", id.0),
            })?;
        }
        // A batch in an earlier segment was synced before the next segment was begun, unless that was to repeat it.
        let proven = self.offset == BLOCK && !self.repeating;
        let last = self.last.take().filter(|_| !proven);
        // A seal that was read back may never have reached the disk either. It has no records to write again: whatever
        // comes next stands for it.
        let (stands_for, chain) = match &last {
            Some(seal) if seal.items.is_empty() => (seal.stands_for, seal.previous),
            _ => (self.next, self.chain),
        };
        Ok(Opened {
            groups: self.groups,
            durable: self.durable,
            segments: self.segments,
            log: self.log.expect("there is a segment"),
            offset: self.offset as u64,
            sequence: self.next,
            stands_for,
            chain,
            unproven: last.filter(|last| !last.items.is_empty()),
        })
    }
}
