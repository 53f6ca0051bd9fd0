//! Crash images of a node that takes a checkpoint: from the first chunk until the store that came serves.
//!
//! Every image opens, on the old contents or on the new ones; from the decision on, on the new ones.
#![cfg(not(madsim))]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::Builder;
use vivarium_consensus::{Consistency, Node, NodeOptions, initialise};
use vivarium_simtests::rng::Rng;
use vivarium_simtests::simfs::{Disk, Drive, Policy, Recording, interpose};
use vivarium_storage::engine::{Apply, Position, Scan};
use vivarium_storage::runtime::{self, Runtime};
use vivarium_storage::wal::{GroupId, Record};
use vivarium_storage::{DataFolder, Key, KeyRange, Mutation, Space, Store, StoreOptions, Version, Wal, WalOptions};

const GROUP: GroupId = GroupId(1);
const OLD: Position = Position { index: 5, term: 1, version: Version(50) };
const NEW: Position = Position { index: 10, term: 2, version: Version(100) };
const IMAGES: usize = 400;

type Contents = Vec<(Vec<u8>, Vec<u8>)>;

fn options(dir: &Path) -> NodeOptions {
    NodeOptions {
        dir: dir.to_owned(),
        store: StoreOptions { workers: 1, cache_bytes: 1 << 20, memtable_bytes: 64 << 10 },
        wal: WalOptions { segment_bytes: 256 << 10, segments_kept: 0, cache_bytes: 1 << 10, queue_bytes_max: 16 << 20 },
        runtime: Runtime::seeded(1),
        cluster: None,
    }
}

/// A store whose rows a seed draws, at a position.
fn fill(dir: &Path, position: Position, seed: u64) -> Store {
    let store = Store::open(dir, options(dir).store).unwrap();
    let mut rng = Rng::stream(seed, "rows");
    let mutations: Vec<Mutation> = (0..60u8)
        .map(|nth| {
            let value: Vec<u8> = (0..rng.between(1, 2000)).flat_map(|_| rng.next().to_le_bytes()).collect();
            Mutation { space: Space::KeyValue, key: Box::new([100, nth]), value: Some(value.into()) }
        })
        .collect();
    store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
    store.persist().unwrap();
    store
}

fn hard_state(term: u64, commit: u64) -> Record {
    let numbers = [term, 0, commit];
    Record::HardState { payload: [vec![1], numbers.map(u64::to_le_bytes).concat()].concat() }
}

fn log(dir: &Path, records: Vec<Record>) {
    let wal = Wal::open(&dir.join("log"), options(dir).wal, &Runtime::seeded(1)).unwrap();
    let (done, durable) = mpsc::channel();
    wal.append(GROUP, records, Box::new(move |written| done.send(written).unwrap()));
    durable.recv().unwrap().unwrap();
    wal.close();
}

/// What a node that opens on a folder has.
fn contents(dir: &Path) -> Result<Contents, String> {
    let tokio = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tokio.block_on(async {
        let node = Node::open(options(dir)).await.map_err(|error| format!("does not open: {error}"))?;
        let deadline = runtime::now() + Duration::from_secs(60);
        let mut transaction = node.begin(Consistency::Strong, deadline).await.map_err(|error| error.to_string())?;
        let range = KeyRange { start: Key::from([0]), end: Key::from([255]) };
        let scan = Scan { range, reverse: false, limit: usize::MAX };
        let rows = transaction.scan_many(Space::KeyValue, &[scan]).await.map_err(|error| error.to_string())?;
        let rows = rows[0].iter().map(|(key, cell)| (key.to_vec(), cell.value.to_vec())).collect();
        drop(transaction);
        node.close().await.map_err(|error| format!("does not close: {error}"))?;
        Ok(rows)
    })
}

/// Lets a node take a checkpoint, and says when that began and by when it was decided.
fn record(base: &Path, chunks: &[Vec<u8>]) -> (Recording, [u64; 2], [Contents; 2]) {
    let root = base.join("node");
    std::fs::create_dir_all(&root).unwrap();
    let drive = Drive::start("disk", &root, Disk::default());
    initialise(&root, &Runtime::seeded(1)).unwrap();
    let folder = DataFolder::open(&root).unwrap();
    let entries = (1..=5).map(|index| Record::Entry { term: 1, index, payload: Vec::new() });
    log(&root, entries.chain([hard_state(1, 5)]).collect());
    drop(fill(&folder.store(), OLD, 1));
    let untouched = base.join("untouched");
    copy(&root, &untouched);
    let old = contents(&untouched).unwrap();

    let begun = interpose::stamp();
    let mut restore = Store::begin_restore(&folder.incoming(), &options(&root).store).unwrap();
    for chunk in chunks {
        restore.take(chunk).unwrap();
    }
    restore.finish().unwrap();
    // The configuration of one voter.
    let decision = Record::Checkpoint { index: NEW.index, term: NEW.term, payload: vec![8, 1] };
    log(&root, vec![decision, hard_state(2, 10)]);
    let decided = interpose::stamp();
    drop(folder);
    let new = contents(&root).unwrap();
    drive.cut();
    let recording = drive.stop().unwrap();
    assert_eq!(recording.escaped, Vec::<String>::new());
    (recording, [begun, decided], [old, new])
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(entry, target).unwrap();
        }
    }
}

#[test]
fn no_image_of_an_installation_is_neither_old_nor_new() {
    let base = PathBuf::from(format!("/dev/shm/vivarium-installation-images-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&base);
    std::fs::create_dir_all(&base).unwrap();
    let chunks: Vec<Vec<u8>> =
        fill(&base.join("leader"), NEW, 2).snapshot().export().collect::<vivarium_storage::Result<_>>().unwrap();
    let (recording, [begun, decided], [old, new]) = record(&base, &chunks);
    assert!(old != new && old.len() == 60 && new.len() == 60);
    let mut rng = Rng::stream(7, "installation");
    let count = recording.ops.len();
    // Around the decision and behind it, where folders move, one after the other; elsewhere some.
    let at = |moment| recording.stamps.iter().position(|stamp| *stamp >= moment).unwrap();
    let (first, turning) = (at(begun), at(decided));
    let mut places: Vec<usize> = (turning.saturating_sub(40).max(first)..count.min(turning + 160)).collect();
    places.extend((places.len()..IMAGES).map(|_| first + usize::try_from(rng.below((count - first) as u64)).unwrap()));
    places.sort_unstable();
    let (mut disk, mut played, mut seen) = (recording.before.clone(), 0, [0, 0]);
    for (number, place) in places.into_iter().enumerate() {
        for op in recording.ops.iter().take(place + 1).skip(played) {
            disk.apply(op);
        }
        played = place + 1;
        let policy = *rng.pick(&Policy::ALL);
        let dir = base.join(format!("image{number}"));
        disk.image(policy, &mut rng).put(&dir).unwrap();
        let found = contents(&dir);
        let which = [&old, &new].iter().position(|expected| found.as_ref() == Ok(expected));
        let after = recording.stamps[place] >= decided;
        let words = format!("image {number}, {policy:?}, after change {place} of {count}");
        let Some(which) = which else { panic!("{words}: {:?}", found.map(|rows| rows.len())) };
        assert!(which == 1 || !after, "{words}: what was decided is undone");
        seen[which] += 1;
        let left = ["incoming", "incoming.new", "store.replaced", "removed"].map(|name| dir.join(name).exists());
        assert_eq!(left, [false; 4], "{words}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
    assert!(seen[0] > 20 && seen[1] > 20, "{seen:?}");
    std::fs::remove_dir_all(&base).unwrap();
}
