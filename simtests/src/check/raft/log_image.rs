//! What a node's log holds, read from its bytes as docs/format.md draws them, and not by the code that wrote them.

use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// Batches begin on multiples of this.
const BLOCK: usize = 4096;
const BATCH_MAGIC: &[u8] = b"VLBT";
/// Bytes before the first record of a batch.
const BATCH_HEADER: usize = 40;
/// Bytes of a record before its payload.
const RECORD_HEADER: usize = 29;
/// Bytes of a hard state: format, term, vote, commit.
const HARD_STATE_BYTES: usize = 25;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// An entry, with a hash of its payload.
    Entry {
        /// Its place.
        index: u64,
        /// Its term.
        term: u64,
        /// Of its payload.
        hash: u64,
    },
    /// Term and vote.
    HardState(Vow),
    /// Entries from this one on are void.
    Truncate(u64),
    /// Entries up to this one, of this term, are in the store.
    Purge(u64, u64),
    /// The log begins after this entry, of this term.
    Checkpoint(u64, u64),
}

/// The term that a node is in, and whom it gave its vote in it; 0 for nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vow {
    /// The term.
    pub term: u64,
    /// Who has the vote.
    pub vote: u64,
}

/// What one write of the log carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number; a new log begins with 1.
    pub number: u64,
    /// The batch that it repeats, the seal that it replaces, or its own number.
    pub stands_for: u64,
    /// Bytes that it takes.
    pub span: usize,
    /// What it carries.
    pub records: Vec<Record>,
}

impl Batch {
    /// The batch at the beginning of `bytes`; `None` unless every byte of it is as it was written.
    pub fn read(bytes: &[u8]) -> Option<Batch> {
        let header = bytes.get(..BATCH_HEADER).filter(|header| header.starts_with(BATCH_MAGIC))?;
        let (number, stands_for, mut chain) = (u64_at(header, 8), u64_at(header, 16), u32_at(header, 24));
        let count = u32_at(header, 28) as usize;
        let end = BATCH_HEADER.checked_add(u32_at(header, 32) as usize)?;
        let span = end.next_multiple_of(BLOCK);
        let (body, padding) = (bytes.get(BATCH_HEADER..end)?, bytes.get(end..span)?);
        let mut records = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let size = RECORD_HEADER.checked_add(u32_at(rest.get(..RECORD_HEADER)?, 0) as usize)?;
            let record = rest.get(..size)?;
            chain = crc32c::crc32c_append(crc32c::crc32c_append(chain, &record[..4]), &record[8..]);
            if chain != u32_at(record, 4) {
                return None;
            }
            records.push(Record::read(record)?);
            rest = &rest[size..];
        }
        let whole = records.len() == count && padding.iter().all(|byte| *byte == 0);
        whole.then_some(Batch { number, stands_for, span, records })
    }

    /// All whole batches of a segment.
    pub fn all(bytes: &[u8]) -> Vec<Batch> {
        Batch::places(bytes).into_iter().map(|(_, batch)| batch).collect()
    }

    /// All whole batches of a segment, and where they begin.
    pub fn places(bytes: &[u8]) -> Vec<(usize, Batch)> {
        let (mut batches, mut at) = (Vec::new(), BLOCK);
        while at < bytes.len() {
            let batch = Batch::read(&bytes[at..]);
            let span = batch.as_ref().map_or(BLOCK, |batch| batch.span);
            batches.extend(batch.map(|batch| (at, batch)));
            at += span;
        }
        batches
    }

    /// The bytes of a batch without records.
    #[cfg(test)]
    pub fn empty(stands_for: u64) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK];
        bytes[..4].copy_from_slice(BATCH_MAGIC);
        bytes[8..16].copy_from_slice(&stands_for.to_le_bytes());
        bytes[16..24].copy_from_slice(&stands_for.to_le_bytes());
        bytes
    }
}

impl Record {
    fn read(record: &[u8]) -> Option<Record> {
        let (term, index, payload) = (u64_at(record, 13), u64_at(record, 21), &record[RECORD_HEADER..]);
        match record[12] {
            1 => Some(Record::Entry { index, term, hash: xxh3_64(payload) }),
            2 if payload.len() == HARD_STATE_BYTES => {
                Some(Record::HardState(Vow { term: u64_at(payload, 1), vote: u64_at(payload, 9) }))
            }
            3 => Some(Record::Truncate(index)),
            4 => Some(Record::Purge(index, term)),
            5 => Some(Record::Checkpoint(index, term)),
            _ => None,
        }
    }
}

/// What a log holds after some of its batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The last entry that is gone; of term 0 when that is not known.
    pub first: (u64, u64),
    /// Term and hash of each entry.
    pub entries: BTreeMap<u64, (u64, u64)>,
    /// The last hard state.
    pub vow: Vow,
    /// The last batch that counts here.
    through: u64,
}

impl Log {
    /// What a log holds whose segments have these bytes, in order. A torn end does not count.
    pub fn of(segments: &[Vec<u8>]) -> Log {
        let mut log = Log::default();
        segments.iter().flat_map(|bytes| Batch::all(bytes)).for_each(|batch| log.add(&batch));
        log
    }

    /// Goes on with a batch, or begins anew with the first one of another log.
    pub fn add(&mut self, batch: &Batch) {
        if self.begin(batch) {
            batch.records.iter().for_each(|record| self.take(*record));
        }
    }

    /// Makes ready to take the records of a batch. False when they are taken already, and this batch repeats them.
    pub fn begin(&mut self, batch: &Batch) -> bool {
        if batch.number == 1 {
            *self = Log::default();
        }
        let goes_on = batch.stands_for > self.through;
        // A batch without records is a seal: the one behind it stands for it.
        if !batch.records.is_empty() {
            self.through = self.through.max(batch.stands_for);
        }
        goes_on
    }

    /// The last batch that counts.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// Takes a record.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Entry { index, term, hash } => {
                self.entries.split_off(&index);
                if self.last() + 1 != index {
                    // What lies between was in segments that are deleted.
                    (self.first, self.entries) = ((index - 1, 0), BTreeMap::new());
                }
                self.entries.insert(index, (term, hash));
            }
            Record::HardState(vow) => self.vow = vow,
            Record::Truncate(index) => drop(self.entries.split_off(&index)),
            Record::Purge(index, term) | Record::Checkpoint(index, term) => {
                let goes_on = matches!(record, Record::Purge(..)) || self.term_of(index) == Some(term);
                if index >= self.first.0 {
                    self.first = (index, term);
                    self.entries = if goes_on { self.entries.split_off(&(index + 1)) } else { BTreeMap::new() };
                }
            }
        }
    }

    /// The last entry.
    pub fn last(&self) -> u64 {
        self.entries.last_key_value().map_or(self.first.0, |(index, _)| *index)
    }

    /// The term of an entry, or of the last that is gone.
    pub fn term_of(&self, index: u64) -> Option<u64> {
        if index == self.first.0 {
            return Some(self.first.1).filter(|term| *term > 0);
        }
        self.entries.get(&index).map(|(term, _)| *term)
    }

    /// True when it has an entry, or had it until the store did.
    pub fn holds(&self, index: u64, term: u64) -> bool {
        index <= self.first.0 || self.term_of(index) == Some(term)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(not(madsim))]
    use vivarium_storage::wal::{self, GroupId};

    fn entry(index: u64, term: u64) -> Record {
        Record::Entry { index, term, hash: index * 10 + term }
    }

    fn log(batches: &[(u64, &[Record])]) -> Log {
        let mut log = Log::default();
        for (stands_for, records) in batches {
            let number = log.through + 1;
            log.add(&Batch { number, stands_for: *stands_for, span: BLOCK, records: records.to_vec() });
        }
        log
    }

    #[test]
    fn later_entries_void_earlier_ones_and_repetitions_tell_nothing() {
        let log = log(&[
            (1, &[entry(1, 1), entry(2, 1), entry(3, 1)]),
            (2, &[Record::Truncate(2), entry(2, 2)]),
            (2, &[Record::Truncate(2), entry(2, 2)]),
        ]);
        assert_eq!((log.last(), log.term_of(2), log.holds(1, 1), log.holds(2, 1)), (2, Some(2), true, false));
    }

    #[test]
    fn what_stands_for_a_seal_counts() {
        let log = log(&[(1, &[entry(1, 1)]), (2, &[]), (2, &[entry(2, 1)]), (2, &[entry(2, 1)]), (4, &[entry(3, 1)])]);
        assert_eq!((log.last(), log.through()), (3, 4));
    }

    #[test]
    fn what_is_purged_is_held_and_a_checkpoint_begins_anew() {
        let purged = log(&[(1, &[entry(1, 1), entry(2, 1), entry(3, 2)]), (2, &[Record::Purge(2, 1)])]);
        assert_eq!((purged.holds(1, 9), purged.last(), purged.term_of(2)), (true, 3, Some(1)));
        let anew = log(&[(1, &[entry(1, 1)]), (2, &[Record::Checkpoint(9, 4), entry(10, 4)])]);
        assert_eq!((anew.first, anew.last()), ((9, 4), 10));
        let headless = log(&[(7, &[entry(5, 3)]), (8, &[Record::Purge(3, 1)])]);
        assert_eq!((headless.first, headless.last()), ((4, 0), 5));
    }

    #[test]
    #[cfg(not(madsim))]
    fn a_log_that_the_product_wrote_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let options = vivarium_storage::WalOptions { segment_bytes: 1 << 16, ..Default::default() };
        let runtime = vivarium_storage::runtime::Runtime::seeded(1);
        let wal = vivarium_storage::Wal::open(dir.path(), options, &runtime).unwrap();
        let entry = |index, term, payload: &[u8]| wal::Record::Entry { index, term, payload: payload.to_vec() };
        let hard_state = [&[1][..], &3_u64.to_le_bytes(), &2_u64.to_le_bytes(), &1_u64.to_le_bytes()].concat();
        wal.append(GroupId(1), vec![entry(1, 1, b"a"), entry(2, 1, b"b")], Box::new(|_| {}));
        wal.append(
            GroupId(1),
            vec![wal::Record::HardState { payload: hard_state }, entry(2, 3, b"c")],
            Box::new(|_| {}),
        );
        wal.close();
        let mut bytes = std::fs::read(dir.path().join("00000001.log")).unwrap();
        let log = Log::of(&[bytes.clone()]);
        assert_eq!(log.vow, Vow { term: 3, vote: 2 });
        assert_eq!(log.entries, BTreeMap::from([(1, (1, xxh3_64(b"a"))), (2, (3, xxh3_64(b"c")))]));
        bytes[BLOCK + BATCH_HEADER + 5] ^= 1;
        assert_ne!(Log::of(&[bytes]), log, "a batch that is damaged does not count");
    }
}
