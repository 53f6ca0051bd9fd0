//! Data folders as a crash may leave them while a checkpoint is installed.

use super::*;
use std::path::PathBuf;
use std::sync::mpsc;
use tempfile::TempDir;
use vivarium_storage::engine::Apply;
use vivarium_storage::wal::Record;
use vivarium_storage::{Mutation, Space, Version};

const OLD: Position = Position { index: 5, term: 1, version: Version(50) };
const NEW: Position = Position { index: 10, term: 2, version: Version(100) };

fn options(dir: &TempDir) -> NodeOptions {
    NodeOptions {
        dir: dir.path().join("data"),
        store: StoreOptions { workers: 0, ..StoreOptions::default() },
        wal: WalOptions { segment_bytes: 1 << 16, ..WalOptions::default() },
        runtime: Runtime::seeded(1),
        cluster: None,
    }
}

fn store_at(dir: &Path, position: Position) {
    let store = Store::open(dir, StoreOptions { workers: 0, ..StoreOptions::default() }).unwrap();
    let value = Some(position.index.to_le_bytes()[..].into());
    let mutations = [Mutation { space: Space::KeyValue, key: Box::new([100]), value }];
    store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
    store.persist().unwrap();
}

fn log(options: &NodeOptions, records: Vec<Record>) {
    let wal = Wal::open(&options.dir.join("log"), options.wal.clone(), &options.runtime).unwrap();
    let (done, durable) = mpsc::channel();
    wal.append(GROUP, records, Box::new(move |written| done.send(written).unwrap()));
    durable.recv().unwrap().unwrap();
    wal.close();
}

/// What befell a folder between two openings.
#[derive(Clone, Copy, Debug)]
enum Step {
    Store(&'static str, Position),
    Decide,
    Damage(&'static str),
    Half(&'static str),
}

/// A folder whose log has entries 1 to 5 of term 1, after these steps.
fn folder(steps: &[Step]) -> (TempDir, NodeOptions) {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
    let options = options(&dir);
    drop(DataFolder::open(&options.dir).unwrap());
    let entry = |index| Record::Entry { term: 1, index, payload: vec![1] };
    log(&options, (1..=5).map(entry).collect());
    for step in steps {
        match step {
            Step::Store(name, position) => store_at(&options.dir.join(name), *position),
            Step::Decide => {
                let payload = vec![7, 7];
                log(&options, vec![Record::Checkpoint { index: NEW.index, term: NEW.term, payload }]);
            }
            Step::Damage(name) => damage(&options.dir.join(name)),
            Step::Half(name) => std::fs::create_dir(options.dir.join(name)).unwrap(),
        }
    }
    (dir, options)
}

fn damage(store: &Path) {
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[20] ^= 0x40;
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let names = ["incoming", "incoming.new", "store.replaced", "removed"];
    names.iter().map(|name| dir.join(name)).filter(|path| path.exists()).collect()
}

#[test]
fn whatever_a_crash_leaves_of_an_installation_is_completed_or_undone() {
    use Step::{Damage, Decide, Half, Store};
    let cases: &[(&[Step], Position)] = &[
        // Before the decision.
        (&[Store("store", OLD)], OLD),
        (&[Store("store", OLD), Half("incoming.new")], OLD),
        (&[Store("store", OLD), Store("incoming", NEW)], OLD),
        (&[Store("store", OLD), Store("incoming", NEW), Half("removed")], OLD),
        (&[Store("store", OLD), Store("incoming", NEW), Damage("incoming")], OLD),
        // After it.
        (&[Store("store", OLD), Store("incoming", NEW), Decide], NEW),
        (&[Store("store", OLD), Store("store.replaced", OLD), Store("incoming", NEW), Decide], NEW),
        (&[Store("store.replaced", OLD), Store("incoming", NEW), Decide], NEW),
        (&[Store("store", NEW), Store("store.replaced", OLD), Decide], NEW),
        (&[Store("store", NEW), Half("removed"), Decide], NEW),
        (&[Store("store", NEW), Half("incoming.new"), Decide], NEW),
        // A store that cannot be read is replaced like one that is behind, and so is none.
        (&[Store("store", OLD), Damage("store"), Store("incoming", NEW), Decide], NEW),
        (&[Store("incoming", NEW), Decide], NEW),
        // What came is of no use to a store that is there already.
        (&[Store("store", NEW), Store("incoming", NEW), Decide], NEW),
    ];
    for (steps, expected) in cases {
        let (_dir, options) = folder(steps);
        for _ in 0..2 {
            let folder = DataFolder::open(&options.dir).unwrap();
            let found = recover(&folder, &options).unwrap_or_else(|error| panic!("{steps:?}: {error}"));
            assert_eq!(found.store.position(), *expected, "{steps:?}");
            assert_eq!(found.recovered.last.0, expected.index, "{steps:?}");
            assert!(leftovers(&options.dir).is_empty(), "{steps:?}");
            found.wal.close();
        }
    }
}

#[test]
fn a_decided_checkpoint_that_is_gone_or_corrupt_is_noticed() {
    use Step::{Damage, Decide, Store};
    for steps in [
        &[Store("store", OLD), Decide][..],
        &[Store("store", OLD), Store("incoming", NEW), Damage("incoming"), Decide],
        &[Store("store", OLD), Store("incoming", OLD), Decide],
    ] {
        let (_dir, options) = folder(steps);
        let folder = DataFolder::open(&options.dir).unwrap();
        let error = recover(&folder, &options).err().unwrap().to_string();
        assert!(error.contains("it ends at entry 5, and the log begins at 11"), "{steps:?}: {error}");
    }
}
