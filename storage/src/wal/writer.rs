//! The one writer of a log: takes all that waits, writes once, syncs once, completes all, and begins again.
//!
//! A failed write or fsync is final: the state of the page cache is unknown, so nothing is ever tried twice.

use super::GroupId;
use super::group::Durable;
use super::record::{BATCH_HEADER, BLOCK, BatchWriter, Item, Place};
use super::recovery::{Opened, Unproven};
use super::segment::{self, SegmentHeader};
use super::shared::{Job, Shared};
use crate::disk::{io, sync_folder};
use crate::runtime::{mutant, sometimes};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes after which a batch takes no further append: about 2 ms of a slow disk.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Segments from this size on are filled with zeros ahead of time, on a thread of their own: 20 ms and more.
#[cfg(not(madsim))]
const AHEAD_BYTES_MIN: u64 = 1 << 20;

pub(super) struct Writer {
    shared: Arc<Shared>,
    dir: PathBuf,
    log: u64,
    segment_bytes: u64,
    durable: BTreeMap<GroupId, Durable>,
    batch: BatchWriter,
    file: Arc<File>,
    number: u32,
    bytes: u64,
    offset: u64,
    /// The number of the next batch, what it stands for, and what it is chained to.
    sequence: u64,
    stands_for: u64,
    chain: u32,
    /// The last batch has records, and nothing behind it shows that it was synced.
    unproven: bool,
    /// The next segment, in the making.
    #[cfg(not(madsim))]
    ahead: Option<std::sync::mpsc::Receiver<Result<File>>>,
}

/// What a batch holds and where in the sequence it stands.
struct Draft<'a> {
    items: &'a [Item],
    stands_for: u64,
    previous: u32,
}

impl Writer {
    pub fn new(dir: PathBuf, segment_bytes: u64, opened: Opened, shared: Arc<Shared>) -> Writer {
        let (number, (file, bytes)) = opened.segments.last_key_value().expect("a log has a segment");
        Writer {
            shared,
            dir,
            log: opened.log,
            segment_bytes: segment_bytes.next_multiple_of(BLOCK as u64),
            durable: opened.durable,
            batch: BatchWriter::new(),
            file: file.clone(),
            number: *number,
            bytes: *bytes,
            offset: opened.offset,
            sequence: opened.sequence,
            stands_for: opened.stands_for,
            chain: opened.chain,
            unproven: false,
            #[cfg(not(madsim))]
            ahead: None,
        }
    }

    /// Writes the last batch once more. It was read back, but that its sync succeeded nobody knows, and after a
    /// failed fsync the page cache shows what the disk never got.
    pub fn repeat(&mut self, unproven: &Unproven) -> Result<()> {
        sometimes("the last batch is written again");
        let draft = Draft { items: &unproven.items, stands_for: unproven.stands_for, previous: unproven.previous };
        let places = self.write(&draft)?;
        self.shared.place(&unproven.items, &places);
        Ok(())
    }

    /// Takes a batch off the queue, makes it durable and completes it, in order. Whoever purges is told after the
    /// segments are gone: when that fails the log has stopped, and nobody else may write for a long time.
    pub fn turn(&mut self) {
        let jobs = self.shared.drain(BATCH_BYTES_MAX);
        if jobs.is_empty() {
            return;
        }
        let mut items = Vec::new();
        let mut completions = Vec::with_capacity(jobs.len());
        for Job { items: mut some, done } in jobs {
            completions.push((some.iter().any(Item::purges), done));
            items.append(&mut some);
        }
        let mut outcome = match self.shared.stopped() {
            Some(reason) => Err(reason),
            None => self.commit(&items).map_err(|error| self.shared.stop(&error)),
        };
        for (purges, done) in completions {
            if purges && outcome.is_ok() {
                outcome = self.purge().map_err(|error| self.shared.stop(&error));
            }
            done(outcome.clone().map_err(Error::Stopped));
        }
        #[cfg(not(madsim))]
        self.look_ahead();
    }

    /// Begins to make the next segment once the current one is half full.
    #[cfg(not(madsim))]
    fn look_ahead(&mut self) {
        let due = self.segment_bytes >= AHEAD_BYTES_MIN && self.offset > self.bytes / 2;
        if due && self.ahead.is_none() && self.shared.stopped().is_none() {
            let (dir, number, bytes) = (self.dir.clone(), self.number + 1, self.segment_bytes);
            let (made, ahead) = std::sync::mpsc::channel();
            // A writer that has ended in the meantime wants no segment.
            crate::runtime::thread("log-ahead", move || drop(made.send(segment::prepare(&dir, number, bytes))));
            self.ahead = Some(ahead);
        }
    }

    /// The file that was made for the next segment.
    #[cfg(not(madsim))]
    fn take_ahead(&mut self) -> Option<File> {
        // When it failed, making the segment here and now says why.
        self.ahead.take()?.recv().ok()?.ok()
    }

    /// In simulation nothing happens beside the writer.
    #[cfg(madsim)]
    fn take_ahead(&mut self) -> Option<File> {
        None
    }

    /// Ends the log: an empty batch proves that the one before it was synced. A full segment is left as it is.
    pub fn seal(&mut self) {
        let fits = self.offset + BLOCK as u64 <= self.bytes;
        if self.unproven && fits && self.shared.stopped().is_none() {
            let draft = Draft { items: &[], stands_for: self.stands_for, previous: self.chain };
            if let Err(error) = self.write(&draft) {
                self.shared.stop(&error);
            }
        }
        drop(self.take_ahead());
    }

    fn commit(&mut self, items: &[Item]) -> Result<()> {
        let draft = Draft { items, stands_for: self.stands_for, previous: self.chain };
        let places = self.write(&draft)?;
        self.shared.place(items, &places);
        Ok(())
    }

    fn write(&mut self, draft: &Draft<'_>) -> Result<Vec<Place>> {
        self.batch.begin(draft.previous);
        let spots: Vec<_> = draft.items.iter().map(|item| self.batch.push(item)).collect();
        let span = self.batch.span() as u64;
        if self.offset + span > self.bytes {
            self.roll(draft, span)?;
        }
        let (bytes, chain) = self.batch.finish(self.log, self.sequence, draft.stands_for);
        let path = segment::path(&self.dir, self.number);
        self.file.write_all_at(bytes, self.offset).map_err(io("write", &path))?;
        let synced = self.file.sync_data().map_err(io("fsync", &path));
        if !mutant("disk-03") {
            synced?;
        }
        let place = |(offset, bytes, previous): (usize, usize, u32)| Place {
            segment: self.number,
            offset: u32::try_from(self.offset + offset as u64).expect("a segment is below 4 GiB"),
            bytes: bytes as u32,
            previous,
        };
        let places = spots.into_iter().map(place).collect();
        self.offset += span;
        self.sequence += 1;
        self.stands_for = self.sequence;
        self.chain = chain;
        self.unproven = !draft.items.is_empty();
        for item in draft.items {
            self.durable.entry(item.group).or_default().note(item, self.number);
        }
        Ok(places)
    }

    /// Goes on in a new segment, large enough for a batch of `span` bytes.
    fn roll(&mut self, draft: &Draft<'_>, span: u64) -> Result<()> {
        let number = self.number.checked_add(1).expect("4 billion segments are 256 PiB");
        let header = SegmentHeader { log: self.log, number, sequence: draft.stands_for, previous: draft.previous };
        let bytes = self.segment_bytes.max(BLOCK as u64 + span);
        let ahead = self.take_ahead().filter(|_| bytes == self.segment_bytes);
        let file = match ahead {
            Some(file) => segment::finish(&self.dir, &header, &file).map(|()| file)?,
            None => segment::create(&self.dir, &header, bytes)?,
        };
        sometimes("the log goes on in another segment");
        self.file = Arc::new(file);
        self.number = number;
        self.bytes = bytes;
        self.offset = BLOCK as u64;
        self.shared.add_segment(number, self.file.clone(), bytes);
        Ok(())
    }

    /// Deletes segments that no group needs, after writing again the markers that lie in them.
    fn purge(&mut self) -> Result<()> {
        let needed = self.durable.values().filter_map(Durable::first_segment).min().unwrap_or(self.number);
        let first = self.shared.first_segment();
        if first >= needed {
            return Ok(());
        }
        let carried: Vec<Item> =
            self.durable.values().flat_map(|group| group.markers_before(needed)).cloned().collect();
        if !carried.is_empty() {
            self.commit(&carried)?;
        }
        for number in first..needed {
            let path = segment::path(&self.dir, number);
            if mutant("res-02") {
                std::mem::forget(File::open(&path).map_err(io("open", &path))?);
            }
            std::fs::remove_file(&path).map_err(io("delete", &path))?;
            // One by one and oldest first: a crash must not leave a gap.
            sync_folder(&self.dir)?;
            self.shared.remove_segment(number);
        }
        Ok(())
    }
}

const _: () = assert!(BATCH_HEADER < BLOCK, "a header lies in one block");
