//! The log under torn tails, flipped bits, rolls, purges and reopening.

use super::*;
use crate::Error;
use crate::disk::scratch;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;

const GROUP: GroupId = GroupId(1);

fn options(segment_bytes: u64) -> WalOptions {
    WalOptions { segment_bytes, segments_kept: 0, cache_bytes: 4096, queue_bytes_max: 1 << 20 }
}

fn open(dir: &Path, segment_bytes: u64) -> Result<Wal> {
    Wal::open(dir, options(segment_bytes), &Runtime::seeded(7))
}

/// Appends and waits.
fn append(wal: &Wal, records: Vec<Record>) -> Result<()> {
    append_to(wal, GROUP, records)
}

fn append_to(wal: &Wal, group: GroupId, records: Vec<Record>) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    wal.append(group, records, Box::new(move |outcome| sender.send(outcome).expect("the test waits")));
    receiver.recv().expect("every append is completed")
}

fn payload(index: u64) -> Vec<u8> {
    (0..index % 211).map(|byte| (byte ^ index) as u8).collect()
}

fn entry(term: u64, index: u64) -> Record {
    Record::Entry { term, index, payload: payload(index) }
}

fn hard_state(byte: u8) -> Record {
    Record::HardState { payload: vec![byte; 3] }
}

/// A copy of a log's folder, as a crash that keeps the page cache leaves it.
fn copy(dir: &Path) -> tempfile::TempDir {
    let copy = scratch();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn segment(dir: &Path, number: u32) -> PathBuf {
    segment::path(dir, number)
}

#[test]
fn what_was_durable_is_read_back_after_reopening() {
    let dir = scratch();
    let wal = open(dir.path(), 64 << 10).unwrap();
    assert_eq!(wal.recovered(GROUP), Recovered::default());
    for index in 1..=300 {
        append(&wal, vec![entry(1 + index / 100, index), hard_state(index as u8)]).unwrap();
    }
    let read = wal.entries(GROUP, 1..301, u64::MAX).unwrap();
    assert_eq!(read.len(), 300);
    drop(wal);
    for _ in 0..3 {
        let wal = open(dir.path(), 64 << 10).unwrap();
        assert_eq!(wal.entries(GROUP, 1..301, u64::MAX).unwrap(), read);
        let recovered = wal.recovered(GROUP);
        assert_eq!((recovered.first, recovered.last), ((0, 0), (300, 4)));
        assert_eq!(recovered.hard_state, Some(vec![300u64 as u8; 3]));
        assert_eq!((wal.term(GROUP, 0), wal.term(GROUP, 99), wal.term(GROUP, 301)), (Some(0), Some(1), None));
    }
    assert_eq!(read[210], (211, 3, payload(211)));
}

#[test]
fn entries_are_bounded_by_bytes_but_at_least_one_is_read() {
    let dir = scratch();
    let wal = open(dir.path(), 64 << 10).unwrap();
    append(&wal, (1..=20).map(|index| Record::Entry { term: 1, index, payload: vec![0; 100] }).collect()).unwrap();
    assert_eq!(wal.entries(GROUP, 1..21, 0).unwrap().len(), 1);
    assert_eq!(wal.entries(GROUP, 1..21, 250).unwrap().len(), 2);
    assert_eq!(wal.entries(GROUP, 19..40, 1 << 20).unwrap().len(), 2);
    assert_eq!(wal.entries(GROUP, 21..40, 1 << 20).unwrap().len(), 0);
    assert_eq!(wal.entries(GroupId(2), 1..2, 1 << 20).unwrap().len(), 0);
}

#[test]
fn a_torn_last_batch_is_cut_at_every_byte() {
    let dir = scratch();
    let wal = open(dir.path(), 32 << 10).unwrap();
    append(&wal, vec![entry(1, 1), hard_state(1)]).unwrap();
    append(&wal, vec![Record::Entry { term: 1, index: 2, payload: vec![0xAB; 20_000] }]).unwrap();
    let image = copy(dir.path());
    let path = segment(image.path(), 1);
    let bytes = std::fs::read(&path).unwrap();
    let end = 8192 + 40 + 29 + 20_000;
    for torn in (8192..end).step_by(397).chain(8192..8300).chain(end - 50..end) {
        let mut damaged = bytes.clone();
        damaged[torn..].fill(0);
        std::fs::write(&path, &damaged).unwrap();
        for _ in 0..2 {
            let wal = open(image.path(), 32 << 10).unwrap();
            assert_eq!(wal.recovered(GROUP).last, (1, 1), "torn at {torn}");
        }
        // The first batch, its repetitions, and nothing of what was torn.
        let cut = std::fs::read(&path).unwrap();
        assert!(cut[4096..].chunks(4096).all(|block| block[..4] == *b"VLBT" || block.iter().all(|byte| *byte == 0)));
        // What is written next is not chained onto garbage.
        let wal = open(image.path(), 32 << 10).unwrap();
        append(&wal, vec![entry(2, 2), entry(2, 3)]).unwrap();
        drop(wal);
        let wal = open(image.path(), 32 << 10).unwrap();
        assert_eq!(wal.recovered(GROUP).last, (3, 2), "torn at {torn}");
        drop(wal);
        for number in 2..9 {
            let _ = std::fs::remove_file(segment(image.path(), number));
        }
    }
}

/// What a power failure makes of a write: each sector as it was, as it should be, or neither.
#[derive(Clone, Copy, Debug)]
enum Sector {
    Old,
    New,
    Garbled(u8),
}

fn sectors() -> impl Strategy<Value = Vec<Sector>> {
    let sector = prop_oneof![
        3 => Just(Sector::Old),
        6 => Just(Sector::New),
        1 => any::<u8>().prop_map(Sector::Garbled),
    ];
    prop::collection::vec(sector, 64)
}

/// Brings a file into a state between `old` and `new`.
fn tear(path: &Path, old: &[u8], new: &[u8], sectors: &[Sector]) {
    let mut torn = old.to_vec();
    let changed = (0..new.len() / 512).filter(|nth| old[nth * 512..][..512] != new[nth * 512..][..512]);
    for (nth, sector) in changed.zip(sectors.iter().cycle()) {
        let range = nth * 512..(nth + 1) * 512;
        match sector {
            Sector::Old => {}
            Sector::New => torn[range.clone()].copy_from_slice(&new[range]),
            Sector::Garbled(byte) => torn[range].fill(*byte),
        }
    }
    std::fs::write(path, torn).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn a_power_failure_leaves_all_of_the_last_batch_or_nothing(
        (sectors, again) in (sectors(), sectors()),
        bytes in prop::sample::select(vec![10usize, 3000, 9000, 12_000]),
        acknowledged in 1u64..4,
    ) {
        let dir = scratch();
        let wal = open(dir.path(), 32 << 10).unwrap();
        for index in 1..=acknowledged {
            append(&wal, vec![entry(1, index), hard_state(index as u8)]).unwrap();
        }
        let path = segment(dir.path(), 1);
        let old = std::fs::read(&path).unwrap();
        let index = acknowledged + 1;
        let payload = vec![0xCD; bytes];
        append(&wal, vec![Record::Entry { term: 1, index, payload: payload.clone() }, hard_state(99)]).unwrap();
        let image = copy(dir.path());
        let path = segment(image.path(), 1);
        tear(&path, &old, &std::fs::read(&path).unwrap(), &sectors);
        // Opening repairs, and repeats the last batch; a second power failure tears that.
        let before = std::fs::read(&path).unwrap();
        let wal = open(image.path(), 32 << 10).unwrap();
        let recovered = wal.recovered(GROUP);
        let hard = if recovered.last.0 == index { 99 } else { acknowledged as u8 };
        prop_assert!(recovered.last.0 == acknowledged || recovered.last.0 == index);
        prop_assert_eq!(&recovered.hard_state, &Some(vec![hard; 3]));
        let again_image = copy(image.path());
        let path = segment(again_image.path(), 1);
        if !segment(again_image.path(), 2).exists() && recovered.last.0 == acknowledged {
            tear(&path, &before, &std::fs::read(&path).unwrap(), &again);
        }
        for round in 0..2 {
            let wal = open(again_image.path(), 32 << 10).unwrap();
            prop_assert!(wal.recovered(GROUP).last.0 >= acknowledged);
            if recovered.last.0 == index {
                prop_assert_eq!(&wal.entries(GROUP, index..index + 1, 1).unwrap()[0].2, &payload);
            }
            let next = wal.recovered(GROUP).last.0 + 1;
            append(&wal, vec![entry(2, next)]).unwrap();
            prop_assert_eq!(wal.recovered(GROUP).last, (next, 2), "round {}", round);
        }
    }
}

/// What one group should hold.
#[derive(Clone, Debug, Default)]
struct Expected {
    recovered: Recovered,
    entries: BTreeMap<u64, (u64, Vec<u8>)>,
}

impl Expected {
    fn take(&mut self, record: &Record) {
        match record {
            Record::Entry { term, index, payload } => {
                self.entries.split_off(index);
                self.entries.insert(*index, (*term, payload.clone()));
            }
            Record::HardState { payload } => self.recovered.hard_state = Some(payload.clone()),
            Record::TruncateSuffix { index } => drop(self.entries.split_off(index)),
            Record::PurgePrefix { index, term } => self.purge(*index, *term),
            Record::Checkpoint { index, term, payload } => {
                self.recovered.checkpoint = Some(payload.clone());
                if self.entries.get(index).is_none_or(|entry| entry.0 != *term) {
                    self.entries.clear();
                }
                self.purge(*index, *term);
            }
        }
        let last = self.entries.last_key_value().map(|(index, (term, _))| (*index, *term));
        self.recovered.last = last.unwrap_or(self.recovered.first);
    }
    fn purge(&mut self, index: u64, term: u64) {
        self.entries = self.entries.split_off(&(index + 1));
        self.recovered.first = (index, term);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Entries { count: u64, bytes: usize },
    Replace { back: u64 },
    Truncate { back: u64 },
    Purge { back: u64 },
    Checkpoint { ahead: u64 },
    Within,
    HardState(u8),
    Crash,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u64..8, 0usize..3000).prop_map(|(count, bytes)| Step::Entries { count, bytes }),
        1 => (0u64..5).prop_map(|back| Step::Replace { back }),
        1 => (0u64..5).prop_map(|back| Step::Truncate { back }),
        3 => (0u64..6).prop_map(|back| Step::Purge { back }),
        1 => (1u64..50).prop_map(|ahead| Step::Checkpoint { ahead }),
        1 => Just(Step::Within),
        2 => any::<u8>().prop_map(Step::HardState),
        1 => Just(Step::Crash),
        1 => Just(Step::Close),
    ]
}

/// The records of a step, in the state that a group is in.
fn records(step: &Step, group: &Expected, term: u64) -> Vec<Record> {
    let (first, last) = (group.recovered.first.0, group.recovered.last.0);
    let entry = |index, bytes| Record::Entry { term, index, payload: vec![index as u8; bytes] };
    // An index from `first + 1` to `last`, if there is one.
    let at = |back: &u64| Some(last.saturating_sub(*back)).filter(|index| *index > first);
    match step {
        Step::Entries { count, bytes } => (1..=*count).map(|nth| entry(last + nth, *bytes)).collect(),
        Step::Replace { back } => at(back).map(|index| entry(index, 50)).into_iter().collect(),
        Step::Truncate { back } => at(back).map(|index| Record::TruncateSuffix { index }).into_iter().collect(),
        Step::Purge { back } => {
            at(back).map(|index| Record::PurgePrefix { index, term: group.entries[&index].0 }).into_iter().collect()
        }
        Step::Checkpoint { ahead } => vec![Record::Checkpoint { index: last + ahead, term, payload: vec![term as u8] }],
        Step::Within => at(&2)
            .map(|index| Record::Checkpoint { index, term: group.entries[&index].0, payload: vec![9] })
            .into_iter()
            .collect(),
        Step::HardState(byte) => vec![hard_state(*byte)],
        Step::Crash | Step::Close => Vec::new(),
    }
}

fn check(wal: &Wal, groups: &[Expected]) {
    for (nth, group) in groups.iter().enumerate() {
        let id = GroupId(nth as u32);
        assert_eq!(wal.recovered(id), group.recovered, "group {nth}");
        let range = group.recovered.first.0 + 1..group.recovered.last.0 + 1;
        let entries = wal.entries(id, range, u64::MAX).unwrap();
        let expected: Vec<_> =
            group.entries.iter().map(|(index, (term, payload))| (*index, *term, payload.clone())).collect();
        assert_eq!(entries, expected, "group {nth}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn the_log_holds_what_the_model_does(steps in prop::collection::vec((0usize..3, step()), 1..120)) {
        let mut dir = scratch();
        let mut wal = open(dir.path(), 16 << 10).unwrap();
        let mut groups = vec![Expected::default(); 3];
        for (number, (nth, step)) in steps.iter().enumerate() {
            match step {
                Step::Crash => {
                    wait(&wal);
                    let image = copy(dir.path());
                    drop(wal);
                    dir = image;
                    wal = open(dir.path(), 16 << 10).unwrap();
                }
                Step::Close => {
                    wal.close();
                    drop(wal);
                    wal = open(dir.path(), 16 << 10).unwrap();
                }
                _ => {
                    let records = records(step, &groups[*nth], 1 + number as u64 / 7);
                    records.iter().for_each(|record| groups[*nth].take(record));
                    append_to(&wal, GroupId(*nth as u32), records).unwrap();
                }
            }
            check(&wal, &groups);
        }
    }
}

/// Waits until the writer rests: what it does after completing a batch is done when the next one is completed.
fn wait(wal: &Wal) {
    append_to(wal, GroupId(9), vec![hard_state(0)]).unwrap();
}

#[test]
fn a_flipped_bit_before_the_last_batch_is_corruption() {
    let dir = scratch();
    let wal = open(dir.path(), 32 << 10).unwrap();
    append(&wal, vec![entry(1, 1), hard_state(1)]).unwrap();
    append(&wal, vec![entry(1, 2)]).unwrap();
    let image = copy(dir.path());
    let path = segment(image.path(), 1);
    let bytes = std::fs::read(&path).unwrap();
    let padding = (64..4096).step_by(89).chain((4096 + 150..8192).step_by(89));
    for at in (0..64).chain(4096..4096 + 150).chain(padding) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&path, &damaged).unwrap();
        let outcome = open(image.path(), 32 << 10);
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "bit at {at}: {:?}", outcome.err());
    }
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(open(image.path(), 32 << 10).unwrap().recovered(GROUP).last, (2, 1));
}

#[test]
fn a_closed_log_detects_a_flipped_bit_in_its_last_batch() {
    let dir = scratch();
    let wal = open(dir.path(), 32 << 10).unwrap();
    append(&wal, vec![entry(1, 1)]).unwrap();
    wal.close();
    let path = segment(dir.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 + 60] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(open(dir.path(), 32 << 10), Err(Error::Corrupt { .. })));
}

#[test]
fn a_batch_whose_sync_was_not_proven_survives_in_its_repetition() {
    let dir = scratch();
    let wal = open(dir.path(), 32 << 10).unwrap();
    append(&wal, vec![entry(1, 1)]).unwrap();
    append(&wal, vec![entry(1, 2), hard_state(9)]).unwrap();
    let image = copy(dir.path());
    // The page cache showed the second batch when the log was opened again; the disk never got it.
    let reopened = open(image.path(), 32 << 10).unwrap();
    let after = copy(image.path());
    drop(reopened);
    let path = segment(after.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8192..12288].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    for round in 0..3 {
        let wal = open(after.path(), 32 << 10).unwrap();
        let recovered = wal.recovered(GROUP);
        assert_eq!((recovered.last, recovered.hard_state), ((2, 1), Some(vec![9; 3])), "round {round}");
        assert_eq!(wal.entries(GROUP, 1..3, 1 << 20).unwrap()[1], (2, 1, payload(2)));
    }
}

#[test]
fn a_seal_that_never_reached_the_disk_is_replaced_by_what_comes_next() {
    // In the second, what comes next does not fit into the segment any more.
    for blocks in [1, 5] {
        let dir = scratch();
        let wal = open(dir.path(), 32 << 10).unwrap();
        append(&wal, vec![entry(1, 1)]).unwrap();
        wal.close();
        // The page cache shows the seal of the first process to the second, though its sync failed.
        let wal = open(dir.path(), 32 << 10).unwrap();
        let large = Record::Entry { term: 1, index: 2, payload: vec![7; blocks * 4096] };
        append(&wal, vec![large]).unwrap();
        append(&wal, vec![entry(1, 3)]).unwrap();
        let image = copy(dir.path());
        let path = segment(image.path(), 1);
        for damage in [0, 0xa5] {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[8192..12288].fill(damage);
            std::fs::write(&path, &bytes).unwrap();
            for round in 0..3 {
                let wal = open(image.path(), 32 << 10).unwrap();
                assert_eq!(wal.recovered(GROUP).last, (3, 1), "{blocks} blocks, damage {damage:x}, round {round}");
                assert_eq!(wal.entries(GROUP, 1..4, 1 << 20).unwrap().len(), 3);
                wal.close();
            }
        }
    }
}

#[test]
fn segments_roll_and_a_missing_one_is_noticed() {
    let dir = scratch();
    let wal = open(dir.path(), 16 << 10).unwrap();
    for index in 1..=20 {
        append(&wal, vec![entry(1, index)]).unwrap();
    }
    // Larger than a segment.
    append(&wal, vec![Record::Entry { term: 1, index: 21, payload: vec![7; 40_000] }]).unwrap();
    append(&wal, vec![entry(1, 22)]).unwrap();
    wal.close();
    assert!(std::fs::read_dir(dir.path()).unwrap().count() >= 8);
    let wal = open(dir.path(), 16 << 10).unwrap();
    let read = wal.entries(GROUP, 1..23, u64::MAX).unwrap();
    assert_eq!((read.len(), read[20].2.len()), (22, 40_000));
    drop(wal);
    for number in [1, 3] {
        let image = copy(dir.path());
        std::fs::remove_file(segment(image.path(), number)).unwrap();
        assert!(matches!(open(image.path(), 16 << 10), Err(Error::Corrupt { .. })), "without segment {number}");
    }
}

#[test]
fn segments_that_are_made_ahead_are_used_or_made_anew() {
    let dir = scratch();
    let options =
        WalOptions { segment_bytes: 1 << 20, cache_bytes: 0, queue_bytes_max: 8 << 20, ..WalOptions::default() };
    let mut index = 0;
    for _ in 0..3 {
        let wal = Wal::open(dir.path(), options.clone(), &Runtime::seeded(7)).unwrap();
        for bytes in [200_000, 300_000, 200_000, 3_000_000, 600_000, 600_000, 10] {
            index += 1;
            append(&wal, vec![Record::Entry { term: 1, index, payload: vec![index as u8; bytes] }]).unwrap();
        }
        assert_eq!(wal.entries(GROUP, 1..100, u64::MAX).unwrap().len(), index as usize);
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().count() >= 12);
}

#[test]
fn purged_segments_go_and_the_markers_stay() {
    let dir = scratch();
    let other = GroupId(2);
    let wal = open(dir.path(), 16 << 10).unwrap();
    append_to(&wal, other, vec![Record::HardState { payload: vec![2] }]).unwrap();
    append(&wal, vec![Record::Checkpoint { index: 10, term: 3, payload: vec![5; 5] }, hard_state(1)]).unwrap();
    for index in 11..=100 {
        append(&wal, vec![entry(3, index)]).unwrap();
    }
    let before = wal.disk_bytes();
    append(&wal, vec![Record::PurgePrefix { index: 95, term: 3 }]).unwrap();
    append(&wal, vec![entry(4, 101)]).unwrap();
    assert!(wal.disk_bytes() < before / 4, "{} of {before} bytes are left", wal.disk_bytes());
    assert!(!segment(dir.path(), 1).exists());
    let read = wal.entries(GROUP, 96..102, u64::MAX).unwrap();
    assert_eq!(read.len(), 6);
    assert_eq!(wal.entries(GROUP, 95..102, u64::MAX).unwrap().len(), 0);
    for round in 0..2 {
        let image = copy(dir.path());
        let wal = open(image.path(), 16 << 10).unwrap();
        let recovered = wal.recovered(GROUP);
        assert_eq!((recovered.first, recovered.last), ((95, 3), (101, 4)), "round {round}");
        assert_eq!((recovered.hard_state, recovered.checkpoint), (Some(vec![1; 3]), Some(vec![5; 5])));
        assert_eq!(wal.recovered(other).hard_state, Some(vec![2]));
        assert_eq!(wal.entries(GROUP, 96..102, u64::MAX).unwrap(), read);
        assert_eq!((wal.term(GROUP, 95), wal.term(GROUP, 94)), (Some(3), None));
    }
}

#[test]
fn who_purges_hears_that_it_failed() {
    let dir = scratch();
    let wal = open(dir.path(), 16 << 10).unwrap();
    for index in 1..=20 {
        append(&wal, vec![entry(1, index)]).unwrap();
    }
    // Nobody can delete a file that is a folder.
    std::fs::remove_file(segment(dir.path(), 1)).unwrap();
    std::fs::create_dir(segment(dir.path(), 1)).unwrap();
    let purged = append(&wal, vec![Record::PurgePrefix { index: 15, term: 1 }]);
    assert!(matches!(purged, Err(Error::Stopped(_))), "{purged:?}");
    assert!(matches!(wal.check(), Err(Error::Stopped(_))));
}

#[test]
fn entries_in_the_newest_segments_are_kept() {
    let dir = scratch();
    for kept in 0..=3 {
        let dir = dir.path().join(kept.to_string());
        let options = WalOptions { segment_bytes: 16 << 10, segments_kept: kept, ..WalOptions::default() };
        let wal = Wal::open(&dir, options, &Runtime::seeded(1)).unwrap();
        assert_eq!(wal.last_unkept(GROUP), 0);
        for index in 1..=60 {
            append(&wal, vec![entry(1, index)]).unwrap();
        }
        // A segment has four blocks: its header and three batches.
        let last_unkept = wal.last_unkept(GROUP);
        let stay = 60 - last_unkept;
        let full = 3 * u64::from(kept);
        assert!(stay <= full && stay + 3 > full, "{kept} segments kept, {stay} entries");
        append(&wal, vec![Record::PurgePrefix { index: last_unkept, term: 1 }]).unwrap();
        append(&wal, vec![entry(1, 61)]).unwrap();
        assert_eq!(wal.entries(GROUP, last_unkept + 1..62, u64::MAX).unwrap().len() as u64, stay + 1);
    }
}

#[test]
fn a_truncated_suffix_is_gone_and_written_over() {
    let dir = scratch();
    let wal = open(dir.path(), 16 << 10).unwrap();
    append(&wal, (1..=10).map(|index| entry(1, index)).collect()).unwrap();
    append(&wal, vec![Record::TruncateSuffix { index: 6 }]).unwrap();
    assert_eq!(wal.recovered(GROUP).last, (5, 1));
    append(&wal, vec![entry(2, 6)]).unwrap();
    append(&wal, vec![entry(3, 4)]).unwrap();
    wal.close();
    let wal = open(dir.path(), 16 << 10).unwrap();
    assert_eq!(wal.recovered(GROUP).last, (4, 3));
    assert_eq!(wal.entries(GROUP, 3..9, u64::MAX).unwrap(), vec![(3, 1, payload(3)), (4, 3, payload(4))]);
}

#[test]
fn a_checkpoint_beyond_the_log_replaces_it() {
    let dir = scratch();
    let wal = open(dir.path(), 16 << 10).unwrap();
    append(&wal, (1..=10).map(|index| entry(1, index)).collect()).unwrap();
    append(&wal, vec![Record::Checkpoint { index: 50, term: 4, payload: vec![1] }, entry(4, 51)]).unwrap();
    wal.close();
    let wal = open(dir.path(), 16 << 10).unwrap();
    let recovered = wal.recovered(GROUP);
    assert_eq!((recovered.first, recovered.last), ((50, 4), (51, 4)));
    assert_eq!(wal.entries(GROUP, 5..6, u64::MAX).unwrap().len(), 0);
}

#[test]
fn an_entry_that_is_replaced_while_it_is_written_keeps_its_own_payload() {
    // Nothing stays in memory once it is on disk.
    let options = WalOptions { cache_bytes: 0, ..options(1 << 20) };
    let shared = Shared::new(PathBuf::new(), &options, BTreeMap::new(), BTreeMap::new());
    let queue = |term| {
        let items = vec![Item::new(GROUP, Record::Entry { term, index: 1, payload: vec![term as u8] })];
        assert!(shared.queue(items, Box::new(|_| ())).is_ok());
    };
    queue(1);
    let written = shared.drain(usize::MAX);
    queue(2);
    let place = record::Place { segment: 1, offset: 4096, bytes: 30, previous: 0 };
    shared.place(&written[0].items, &[place]);
    assert_eq!(shared.entries(GROUP, 1..2, 1).unwrap(), vec![(1, 2, vec![2])]);
}

#[test]
fn completions_come_in_order_and_queued_entries_are_readable() {
    let dir = scratch();
    let wal = open(dir.path(), 1 << 20).unwrap();
    let (sender, receiver) = mpsc::channel();
    for index in 1..=500u64 {
        let sender = sender.clone();
        wal.append(
            GROUP,
            vec![entry(1, index)],
            Box::new(move |outcome| sender.send((index, outcome.is_ok())).expect("the test waits")),
        );
        assert_eq!(wal.term(GROUP, index), Some(1));
        assert_eq!(wal.entries(GROUP, index..index + 1, 1).unwrap()[0].2, payload(index));
    }
    wal.close();
    let completed: Vec<_> = receiver.try_iter().collect();
    assert_eq!(completed, (1..=500).map(|index| (index, true)).collect::<Vec<_>>());
    assert!(matches!(append(&wal, vec![entry(1, 501)]), Err(Error::Stopped(_))));
}

#[test]
fn an_append_beyond_the_queue_is_refused_without_effect() {
    let dir = scratch();
    let wal = open(dir.path(), 1 << 20).unwrap();
    let (sender, receiver) = mpsc::channel();
    let mut refused = 0;
    for nth in 0..40 {
        let sender = sender.clone();
        let index = wal.recovered(GROUP).last.0 + 1;
        let record = Record::Entry { term: 1, index, payload: vec![nth; 600_000] };
        wal.append(GROUP, vec![record], Box::new(move |outcome| sender.send(outcome).expect("the test waits")));
    }
    wal.close();
    for outcome in receiver.try_iter() {
        match outcome {
            Ok(()) => {}
            Err(Error::Busy { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(wal.recovered(GROUP).last.0 + refused, 40);
}

#[test]
fn a_failed_write_stops_the_log_for_ever() {
    let dir = scratch();
    let wal = open(dir.path(), 8 << 10).unwrap();
    append(&wal, vec![entry(1, 1)]).unwrap();
    // The next segment cannot be made.
    std::fs::remove_dir_all(dir.path()).unwrap();
    for _ in 0..3 {
        let index = wal.recovered(GROUP).last.0 + 1;
        assert!(matches!(append(&wal, vec![entry(1, index)]), Err(Error::Stopped(_))));
    }
}

#[test]
fn a_folder_with_something_else_is_foreign() {
    let dir = scratch();
    std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    assert!(matches!(open(dir.path(), 16 << 10), Err(Error::Foreign { .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_later_format_of_the_log_is_foreign() {
    let dir = scratch();
    open(dir.path(), 16 << 10).unwrap().close();
    let path = segment(dir.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..40]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(open(dir.path(), 16 << 10), Err(Error::Foreign { .. })));
}

#[test]
fn damage_after_opening_is_found_when_an_entry_is_read() {
    let dir = scratch();
    let wal = open(dir.path(), 64 << 10).unwrap();
    for index in 1..=10 {
        append(&wal, vec![Record::Entry { term: 1, index, payload: vec![index as u8; 2000] }]).unwrap();
    }
    let path = segment(dir.path(), 1);
    let file = segment::open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"x", 4096 + 200).unwrap();
    assert!(matches!(wal.entries(GROUP, 1..2, 1), Err(Error::Corrupt { .. })));
    assert_eq!(wal.entries(GROUP, 2..11, u64::MAX).unwrap().len(), 9);
}

#[test]
fn the_bytes_of_a_segment_are_on_record() {
    let dir = scratch();
    let wal = open(dir.path(), 8 << 10).unwrap();
    append(&wal, vec![Record::Entry { term: 2, index: 1, payload: b"abc".to_vec() }, hard_state(7)]).unwrap();
    wal.close();
    let bytes = std::fs::read(segment(dir.path(), 1)).unwrap();
    let hex = |range: Range<usize>| bytes[range].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    insta::assert_snapshot!([hex(0..40), hex(4096..4136), hex(4136..4168), hex(4168..4200)].join("\n"), @r"
    56495657414c0d0a01000000c1962058befba86ae9e0c20701000000000000000100000000000000
    564c42546d9f89000100000000000000010000000000000000000000020000004000000000000000
    03000000c49dd32f010000000102000000000000000100000000000000616263
    03000000f51ad20f010000000200000000000000000000000000000000070707
    ");
    assert!(bytes[4200..].iter().all(|byte| *byte == 0));
}
