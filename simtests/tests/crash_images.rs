//! Crash images of a node with real threads: fjall's workers, its journal rotation, the log's writer.
//!
//! The simulator has none of these. Each image is opened by the real recovery and compared with what was acknowledged.
#![cfg(not(madsim))]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime as Tokio};
use vivarium_consensus::{CommitOptions, Consistency, Node, NodeOptions, Transaction};
use vivarium_simtests::rng::Rng;
use vivarium_simtests::simfs::{Disk, Drive, Op, Policy, Recording, interpose};
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::{self, Runtime};
use vivarium_storage::{Key, KeyRange, Space, StoreOptions, WalOptions};

type Writes = Vec<(Key, Option<Vec<u8>>)>;
type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Whether a node in this folder has come to what a test is about.
type Met = fn(&Path) -> bool;

/// How often clients write all that they have to write until a test gives up.
const ROUNDS_MAX: u32 = 10;

/// Draws the length of a value.
type Bytes = fn(&mut Rng) -> u64;

/// What was acknowledged: by version, the writes and the moment by which it was.
type Acknowledged = BTreeMap<u64, (Writes, u64)>;

fn tokio() -> Tokio {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn options(dir: &Path, memtable_bytes: u64) -> NodeOptions {
    NodeOptions {
        dir: dir.to_owned(),
        store: StoreOptions { workers: 1, cache_bytes: 1 << 20, memtable_bytes },
        wal: WalOptions { segment_bytes: 256 << 10, segments_kept: 0, cache_bytes: 1 << 10, queue_bytes_max: 16 << 20 },
        runtime: Runtime::seeded(1),
        cluster: None,
    }
}

async fn begin(node: &Node) -> Transaction {
    node.begin(Consistency::Strong, runtime::now() + Duration::from_secs(60)).await.unwrap()
}

/// Commits drawn writes one after the other. Clients write different keys, so that no commit conflicts.
async fn client(node: Node, number: u64, commits: u64, bytes: Bytes, acknowledged: Arc<Mutex<Acknowledged>>) {
    let mut rng = Rng::stream(number, "client");
    for _ in 0..commits {
        let mut transaction = begin(&node).await;
        let mut writes = BTreeMap::new();
        for _ in 0..rng.between(1, 6) {
            let key: Key = format!("c{number}/{:03}", rng.below(60)).into_bytes().into();
            let words = bytes(&mut rng).div_ceil(8);
            // Incompressible, so that the journal grows by what is written.
            let value: Option<Vec<u8>> =
                (!rng.chance(1, 5)).then(|| (0..words).flat_map(|_| rng.next().to_le_bytes()).collect());
            writes.insert(key, value);
        }
        for (key, value) in &writes {
            match value {
                Some(value) => transaction.put(Space::KeyValue, key.clone(), value.clone()),
                None => transaction.delete(Space::KeyValue, key.clone()),
            }
        }
        let deadline = runtime::now() + Duration::from_secs(60);
        let outcome = transaction.commit(CommitOptions::default(), deadline).await.unwrap();
        let moment = interpose::stamp();
        acknowledged.lock().unwrap().insert(outcome.version.0, (writes.into_iter().collect(), moment));
    }
}

/// Runs clients on a new node until what the test is about has been met there, and cuts the power.
fn record(base: &Path, memtable_bytes: u64, commits: u64, bytes: Bytes, met: Met) -> (Recording, Acknowledged) {
    let root = base.join("node");
    std::fs::create_dir_all(&root).unwrap();
    let drive = Drive::start("disk", &root, Disk::default());
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    tokio().block_on(async {
        let node = Node::open(options(&root, memtable_bytes)).await.unwrap();
        // Workers that have to wait for a processor come late to what they do.
        for round in 1.. {
            let clients: Vec<_> = (1..=3)
                .map(|number| tokio::spawn(client(node.clone(), number, commits, bytes, Arc::clone(&acknowledged))))
                .collect();
            for client in clients {
                client.await.unwrap();
            }
            if met(&root) {
                break;
            }
            assert!(round < ROUNDS_MAX, "the node does not do what this test is about");
        }
        drive.cut();
        node.close().await.unwrap();
    });
    let recording = drive.stop().unwrap();
    assert_eq!(recording.escaped, Vec::<String>::new());
    std::fs::remove_dir_all(&root).unwrap();
    let acknowledged = acknowledged.lock().unwrap().clone();
    (recording, acknowledged)
}

/// Opens an image and compares all that is in it with the acknowledged commits up to the version that it is at.
fn audit(dir: &Path, memtable_bytes: u64, acknowledged: &Acknowledged, moment: u64) -> Result<(), String> {
    let (version, found) = tokio().block_on(async {
        let node = Node::open(options(dir, memtable_bytes)).await.map_err(|error| format!("does not open: {error}"))?;
        let mut transaction = begin(&node).await;
        let range = KeyRange { start: Box::from(&b""[..]), end: Box::from(&b"\xff"[..]) };
        let scan = Scan { range, reverse: false, limit: usize::MAX };
        let rows = transaction.scan_many(Space::KeyValue, &[scan]).await.map_err(|error| error.to_string())?;
        let found: Model = rows[0].iter().map(|(key, cell)| (key.to_vec(), cell.value.to_vec())).collect();
        let version = transaction.version().0;
        node.close().await.map_err(|error| format!("does not close: {error}"))?;
        Ok::<_, String>((version, found))
    })?;
    let told = acknowledged.iter().filter(|(_, (_, by))| *by <= moment).map(|(version, _)| *version).max();
    if told.is_some_and(|told| version < told) {
        return Err(format!("lost: it is at version {version}, acknowledged was {told:?}"));
    }
    let mut model = Model::new();
    for (key, value) in acknowledged.range(..=version).flat_map(|(_, (writes, _))| writes) {
        match value {
            Some(value) => model.insert(key.to_vec(), value.clone()),
            None => model.remove(&key.to_vec()),
        };
    }
    if model == found {
        return Ok(());
    }
    let differs = model.keys().chain(found.keys()).find(|key| model.get(*key) != found.get(*key)).unwrap();
    Err(format!("differs at version {version} in key {}", String::from_utf8_lossy(differs)))
}

/// What clients do to a node until a test has what it is about.
struct Load {
    memtable_bytes: u64,
    commits: u64,
    bytes: Bytes,
    met: Met,
}

fn run(name: &str, load: &Load, images: u64, places: impl Fn(&[Op]) -> Vec<usize>) {
    let &Load { memtable_bytes, commits, bytes, met } = load;
    let base = PathBuf::from(format!("/dev/shm/vivarium-crash-images-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&base);
    let (recording, acknowledged) = record(&base, memtable_bytes, commits, bytes, met);
    let mut rng = Rng::stream(7, name);
    let interesting = places(&recording.ops);
    assert!(!interesting.is_empty(), "the record lacks what this test is about");
    let mut chosen: Vec<usize> = (0..images).map(|_| *rng.pick(&interesting)).collect();
    chosen.sort_unstable();
    let mut disk = recording.before.clone();
    let mut played = 0;
    for (number, place) in chosen.into_iter().enumerate() {
        for op in recording.ops.iter().take(place + 1).skip(played) {
            disk.apply(op);
        }
        played = place + 1;
        let policy = *rng.pick(&Policy::ALL);
        let dir = base.join(format!("image{number}"));
        disk.image(policy, &mut rng).put(&dir).unwrap();
        let audited = audit(&dir, memtable_bytes, &acknowledged, recording.stamps[place]);
        assert_eq!(audited, Ok(()), "image {number}, {policy:?}, after change {place} of {}", recording.ops.len());
        std::fs::remove_dir_all(&dir).unwrap();
    }
    std::fs::remove_dir_all(&base).unwrap();
}

/// The journals of a node's store. Those of before are deleted once their tables are flushed.
fn journals(root: &Path) -> Vec<String> {
    let names = std::fs::read_dir(root.join("store")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "jnl")).collect()
}

#[test]
fn no_image_loses_what_was_acknowledged() {
    // Small memtables: the workers flush and compact all the time.
    let load = Load { memtable_bytes: 8 << 10, commits: 120, bytes: |rng| rng.spread(1, 3000), met: |_| true };
    run("flushes", &load, 600, |ops| (0..ops.len()).collect());
}

#[test]
fn no_image_around_a_journal_rotation_loses_what_was_acknowledged() {
    // fjall rotates its journal behind 64 MB.
    let load = Load {
        memtable_bytes: 4 << 20,
        commits: 80,
        bytes: |rng| rng.between(50_000, 200_000),
        met: |root| journals(root).iter().any(|name| name != "0.jnl"),
    };
    run("rotation", &load, 12, |ops| {
        let folders =
            ops.iter().enumerate().filter(|(_, op)| matches!(op, Op::Create { name, .. } if name.ends_with(".jnl")));
        let rotated: Vec<usize> = folders.skip(1).map(|(place, _)| place).collect();
        rotated.iter().flat_map(|place| place.saturating_sub(5)..(place + 40).min(ops.len())).collect()
    });
}
