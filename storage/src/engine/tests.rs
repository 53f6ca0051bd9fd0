//! The store against a model of all versions, and under damage.

use super::*;
use crate::disk::scratch;
use crate::{DocumentBuilder, Error, FieldId, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// A version and the value that it wrote, or that there is none.
type Written = (u64, Option<Vec<u8>>);
/// The writes of one entry: key and the number of a document, or a removal.
type Writes = Vec<(Space, Vec<u8>, Option<u8>)>;

/// Every version of every cell, in memory.
#[derive(Default, Debug)]
struct Model {
    /// By space and key, ascending.
    cells: BTreeMap<(Space, Vec<u8>), Vec<Written>>,
    version: u64,
    index: u64,
    watermark: u64,
}

impl Model {
    fn get(&self, space: Space, key: &[u8], at: u64) -> Option<(u64, Vec<u8>)> {
        let versions = self.cells.get(&(space, key.to_vec()))?;
        let at = if space.history().is_some() { at } else { u64::MAX };
        let (version, value) = versions.iter().rev().find(|(version, _)| *version <= at)?;
        Some((*version, value.clone()?))
    }
    fn put(&mut self, mutation: &Mutation) {
        let value = mutation.value.as_deref().map(<[u8]>::to_vec);
        let same = self.get(mutation.space, &mutation.key, u64::MAX).map(|(_, value)| value) == value;
        if mutation.space == Space::Index && same {
            return;
        }
        self.cells.entry((mutation.space, mutation.key.to_vec())).or_default().push((self.version, value));
    }
    fn scan(&self, space: Space, scan: &Scan, at: u64) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
        let keys = self.cells.keys().filter(|(of, key)| *of == space && scan.range.covers(key));
        let mut rows: Vec<_> = keys
            .filter_map(|(_, key)| self.get(space, key, at).map(|(version, value)| (key.clone(), version, value)))
            .collect();
        if scan.reverse {
            rows.reverse();
        }
        rows.truncate(scan.limit);
        rows
    }
}

fn document(number: u8) -> Vec<u8> {
    let mut document = DocumentBuilder::new();
    document.set(FieldId(1), Value::Int(i64::from(number)));
    document.set(FieldId(2), Value::String("x".repeat(usize::from(number) % 40)));
    document.finish(1, None).unwrap()
}

/// A dozen keys, so that each has a history; prefixes of one another, with zeros and what escapes look like.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xFF]), 1..3).prop_map(|mut key| {
        key.insert(0, 9);
        key
    })
}

fn space() -> impl Strategy<Value = Space> {
    prop::sample::select(vec![Space::Meta, Space::Document, Space::Index, Space::KeyValue])
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<Writes>),
    Get { space: Space, keys: Vec<Vec<u8>>, back: u64 },
    Scan { space: Space, start: Vec<u8>, end: Vec<u8>, reverse: bool, limit: usize, back: u64 },
    ScanMany { space: Space, bounds: Vec<Vec<u8>>, reverse: bool, limit: usize, back: u64 },
    Watermark { back: u64 },
    Maintain,
    Persist,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let write = (space(), key(), prop::option::weighted(0.6, 0u8..6));
    let entry = prop::collection::vec(write, 0..6);
    prop_oneof![
        8 => prop::collection::vec(entry, 1..5).prop_map(Step::Apply),
        6 => (space(), prop::collection::vec(key(), 1..5), 0u64..12)
            .prop_map(|(space, keys, back)| Step::Get { space, keys, back }),
        8 => (space(), key(), key(), any::<bool>(), prop::sample::select(vec![1, 3, 1000]), 0u64..12)
            .prop_map(|(space, start, end, reverse, limit, back)| Step::Scan { space, start, end, reverse, limit, back }),
        6 => (space(), prop::collection::vec(key(), 2..9), any::<bool>(), prop::sample::select(vec![1, 2, 1000]), 0u64..3)
            .prop_map(|(space, bounds, reverse, limit, back)| Step::ScanMany { space, bounds, reverse, limit, back }),
        1 => (0u64..12).prop_map(|back| Step::Watermark { back }),
        2 => Just(Step::Maintain),
        1 => Just(Step::Persist),
        1 => Just(Step::Reopen),
    ]
}

pub(super) fn options() -> StoreOptions {
    // Small enough that tables are flushed and merged within a test.
    StoreOptions { workers: 0, cache_bytes: 1 << 20, memtable_bytes: 600 }
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(&dir.join("store"), options()).unwrap()
}

/// Runs steps on the store and the model, and compares what both answer.
fn check(steps: &[Step]) {
    let dir = scratch();
    let mut store = open(dir.path());
    let mut model = Model::default();
    let mut held = Vec::new();
    for step in steps {
        match step {
            Step::Apply(entries) => apply(&store, &mut model, entries),
            Step::Get { space, keys, back } => {
                let at = model.version.saturating_sub(*back);
                for snapshot in [&store.snapshot()].into_iter().chain(&held) {
                    check_get(snapshot, &model, *space, keys, at);
                }
            }
            Step::Scan { space, start, end, reverse, limit, back } => {
                let range = KeyRange { start: start.as_slice().into(), end: end.as_slice().into() };
                let scan = Scan { range, reverse: *reverse, limit: *limit };
                let at = model.version.saturating_sub(*back);
                for snapshot in [&store.snapshot()].into_iter().chain(&held) {
                    check_scan(snapshot, &model, *space, &scan, at);
                }
                held.push(store.snapshot());
            }
            Step::ScanMany { space, bounds, reverse, limit, back } => {
                let range =
                    |pair: &[Vec<u8>]| KeyRange { start: pair[0].as_slice().into(), end: pair[1].as_slice().into() };
                let scan = |pair: &[Vec<u8>]| Scan { range: range(pair), reverse: *reverse, limit: *limit };
                let at = model.version.saturating_sub(*back);
                let mut sorted = bounds.clone();
                sorted.sort();
                for bounds in [&sorted, bounds] {
                    // Neighbours first, then with gaps between.
                    check_scan_many(&store, &model, *space, &bounds.windows(2).map(scan).collect::<Vec<_>>(), at);
                    check_scan_many(&store, &model, *space, &bounds.chunks_exact(2).map(scan).collect::<Vec<_>>(), at);
                }
            }
            Step::Watermark { back } => {
                store.set_watermark(Version(model.version.saturating_sub(*back)));
                model.watermark = model.watermark.max(model.version.saturating_sub(*back));
                apply(&store, &mut model, &[vec![]]);
            }
            Step::Maintain => store.maintain().unwrap(),
            Step::Persist => assert_eq!(store.persist().unwrap(), store.position()),
            Step::Reopen => {
                held.clear();
                let position = store.position();
                drop(store);
                store = open(dir.path());
                assert_eq!((position, store.snapshot().watermark().0), (store.position(), model.watermark));
            }
        }
    }
}

fn apply(store: &Store, model: &mut Model, entries: &[Writes]) {
    let mut applies = Vec::new();
    for entry in entries {
        let writes: BTreeMap<_, _> = entry.iter().map(|(space, key, value)| ((*space, key), *value)).collect();
        let mutations: Vec<_> = writes
            .into_iter()
            .map(|((space, key), value)| Mutation {
                space,
                key: key.as_slice().into(),
                value: value.map(|value| document(value).into()),
            })
            .collect();
        model.index += 1;
        model.version += u64::from(!mutations.is_empty()) * 2;
        for mutation in &mutations {
            model.put(mutation);
        }
        let position = Position { index: model.index, term: 3, version: Version(model.version) };
        applies.push((position, mutations));
    }
    let entries: Vec<_> =
        applies.iter().map(|(position, mutations)| Apply { position: *position, mutations }).collect();
    store.apply(&entries).unwrap();
    // What is applied already is skipped.
    store.apply(&entries).unwrap();
    assert_eq!(store.position(), entries[entries.len() - 1].position);
}

/// What a snapshot should answer as of `at`, or nothing when it must refuse.
fn readable(snapshot: &Snapshot, at: u64) -> bool {
    at >= snapshot.watermark().0 && at <= snapshot.version().0
}

fn check_get(snapshot: &Snapshot, model: &Model, space: Space, keys: &[Vec<u8>], at: u64) {
    if at > snapshot.version().0 || (space.history().is_none() && model.version > snapshot.version().0) {
        return;
    }
    let keys: Vec<Key> = keys.iter().map(|key| key.as_slice().into()).collect();
    let found = snapshot.get_many(space, &keys, Version(at));
    if !readable(snapshot, at) {
        assert!(matches!(found, Err(Error::HistoryGone { .. })));
        return;
    }
    for (key, cell) in keys.iter().zip(found.unwrap()) {
        let cell = cell.map(|cell| (cell.version.0, cell.value.to_vec()));
        assert_eq!(cell, model.get(space, key, at), "{space:?} {key:?} at {at} of {}", snapshot.version());
    }
}

fn check_scan(snapshot: &Snapshot, model: &Model, space: Space, scan: &Scan, at: u64) {
    if at > snapshot.version().0 || (space.history().is_none() && model.version > snapshot.version().0) {
        return;
    }
    let rows = snapshot.scan(space, scan, Version(at));
    if !readable(snapshot, at) {
        assert!(matches!(rows.err(), Some(Error::HistoryGone { .. })));
        return;
    }
    let rows: Vec<_> = rows
        .unwrap()
        .map(|row| row.map(|(key, cell)| (key.to_vec(), cell.version.0, cell.value.to_vec())).unwrap())
        .collect();
    assert_eq!(rows, model.scan(space, scan, at), "{space:?} {scan:?} at {at} of {}", snapshot.version());
}

fn check_scan_many(store: &Store, model: &Model, space: Space, scans: &[Scan], at: u64) {
    let snapshot = store.snapshot();
    if !readable(&snapshot, at) {
        return;
    }
    let found = snapshot.scan_many(space, scans, Version(at)).unwrap();
    assert_eq!(found.len(), scans.len());
    for (scan, rows) in scans.iter().zip(found) {
        let rows: Vec<_> =
            rows.into_iter().map(|(key, cell)| (key.to_vec(), cell.version.0, cell.value.to_vec())).collect();
        assert_eq!(rows, model.scan(space, scan, at), "{space:?} {scan:?} of {scans:?} at {at}");
    }
}

/// Applies entries that a seed decides, with a watermark now and then.
pub(super) fn applied(store: &Store, seed: u64, entries: u64) {
    let runtime = crate::runtime::Runtime::seeded(seed);
    let mut model = Model { version: store.position().version.0, index: store.position().index, ..Model::default() };
    for _ in 0..entries {
        let mut writes = Vec::new();
        for _ in 0..runtime.random() % 6 {
            let space = [Space::Meta, Space::Document, Space::Index, Space::KeyValue][runtime.random() as usize % 4];
            let key = vec![9, runtime.random() as u8 % 5, runtime.random() as u8 % 3];
            let value = Some(runtime.random() as u8).filter(|value| value % 4 > 0);
            writes.push((space, key, value));
        }
        if runtime.random().is_multiple_of(16) {
            store.set_watermark(Version(model.version.saturating_sub(40)));
        }
        apply(store, &mut model, &[writes]);
        if runtime.random().is_multiple_of(8) {
            store.maintain().unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_store_answers_as_the_model_does(steps in prop::collection::vec(step(), 1..50)) {
        check(&steps);
    }
}

#[test]
fn a_store_with_workers_answers_alike() {
    let dir = scratch();
    let store = open(dir.path());
    let path = dir.path().join("with workers");
    let other = Store::open(&path, StoreOptions { workers: 1, ..options() }).unwrap();
    for seed in 0..3 {
        applied(&store, seed, 100);
        applied(&other, seed, 100);
        let chunks = |store: &Store| store.snapshot().export().collect::<crate::Result<Vec<_>>>().unwrap();
        assert_eq!(chunks(&store), chunks(&other));
    }
    drop(other);
    let other = Store::open(&path, StoreOptions::default()).unwrap();
    assert_eq!(other.position(), store.position());
    assert!(other.snapshot().verify().is_whole());
}

#[test]
fn the_rows_of_all_tables_are_on_record() {
    let dir = scratch();
    let store = open(dir.path());
    let put = |index: u64, value: Option<&[u8]>| {
        let write = |space, key: &[u8]| Mutation { space, key: key.into(), value: value.map(Box::from) };
        let mutations = [
            write(Space::Meta, &[5, 1]),
            write(Space::Document, b"d"),
            write(Space::Index, b"i\0"),
            write(Space::KeyValue, b"k"),
        ];
        let position = Position { index, term: 2, version: Version(0x10 * index) };
        store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
    };
    put(1, Some(b"one"));
    put(2, Some(b"two"));
    store.set_watermark(Version(3));
    put(3, None);
    put(4, Some(b"four"));
    let snapshot = store.snapshot();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut rows = String::new();
    for table in Table::ALL {
        for row in snapshot.engine.tables.all(&snapshot.view, table) {
            let (key, value) = row.unwrap();
            rows.push_str(&format!("{} {} {}\n", table.name(), hex(&key), hex(&value)));
        }
    }
    insta::assert_snapshot!(rows, @r"
    meta 0001 00000001
    meta 0002 000000000000000400000000000000020000000000000040
    meta 0003 0000000000000003
    meta 0501 0000000000000040666f7572
    doc 64 0000000000000040666f7572
    hist 6400000000000000000020 00000000000000106f6e65
    hist 6400000000000000000030 000000000000002074776f
    idx 6900 0000000000000040666f7572
    hidx 6900ff00000000000000000020 00000000000000106f6e65
    hidx 6900ff00000000000000000030 000000000000002074776f
    kv 6b 0000000000000040666f7572
    ");
}

#[test]
fn a_catalog_is_followed_by_its_version() {
    let dir = scratch();
    let store = open(dir.path());
    let (one, two) = (DatabaseId(1), DatabaseId(2));
    let put = |index: u64, database: DatabaseId| {
        let mutations = [Mutation { space: Space::Meta, key: catalog_key(database), value: Some([7].into()) }];
        let position = Position { index, term: 1, version: Version(index * 10) };
        store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
    };
    put(1, one);
    put(2, two);
    let before = store.snapshot();
    put(3, one);
    let versions = |snapshot: &Snapshot| [one, two, DatabaseId(3)].map(|database| snapshot.catalog_version(database).0);
    assert_eq!(versions(&before), [10, 20, 0]);
    assert_eq!(versions(&store.snapshot()), [30, 20, 0]);
    drop(before);
    drop(store);
    assert_eq!(versions(&open(dir.path()).snapshot()), [30, 20, 0]);
    assert_eq!(&*catalog_key(two), [1, 0, 0, 0, 2]);
}

#[test]
fn the_document_cache_serves_no_stale_and_no_future_cell() {
    let dir = scratch();
    let store = open(dir.path());
    let key: Key = [9, 1].into();
    let put = |index: u64, value: Option<u8>| {
        let value = value.map(|value| document(value).into());
        let mutations = [Mutation { space: Space::Document, key: key.clone(), value }];
        let position = Position { index, term: 1, version: Version(index) };
        store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
    };
    let read = |snapshot: &Snapshot| {
        let cells = snapshot.get_many(Space::Document, std::slice::from_ref(&key), snapshot.version()).unwrap();
        cells[0].as_ref().map(|cell| cell.version.0)
    };
    put(1, Some(1));
    let first = store.snapshot();
    assert_eq!(read(&first), Some(1));
    assert_eq!((read(&first), store.usage().cache_hits), (Some(1), 1));
    put(2, Some(2));
    let second = store.snapshot();
    // The reader of an old snapshot must not bring its cell back for those of new ones.
    assert_eq!((read(&first), read(&second), read(&first)), (Some(1), Some(2), Some(1)));
    put(3, None);
    let third = store.snapshot();
    assert_eq!((read(&first), read(&second), read(&third)), (Some(1), Some(2), None));
    put(4, Some(4));
    assert_eq!((read(&third), read(&store.snapshot()), read(&second)), (None, Some(4), Some(2)));
}

#[test]
fn a_damaged_document_is_reported_when_it_is_read() {
    let dir = scratch();
    let store = open(dir.path());
    let mut bytes = document(7);
    bytes[9] ^= 1;
    let key: Key = [9, 1].into();
    let mutations = [Mutation { space: Space::Document, key: key.clone(), value: Some(bytes.into()) }];
    let position = Position { index: 1, term: 1, version: Version(1) };
    store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
    for _ in 0..2 {
        let found = store.snapshot().get_many(Space::Document, std::slice::from_ref(&key), Version(1));
        assert!(matches!(found, Err(Error::Corrupt { .. })));
    }
    assert_eq!(store.snapshot().verify().tables[1].damaged, 1);
}

#[test]
fn a_store_in_use_and_a_folder_that_is_none_are_refused() {
    let dir = scratch();
    let store = open(dir.path());
    assert!(matches!(Store::open(&dir.path().join("store"), options()), Err(Error::Locked { .. })));
    drop(store);
    let aside = Store::set_aside(&dir.path().join("store")).unwrap();
    assert!(aside.ends_with("store.damaged-1") && aside.exists());
    assert_eq!(open(dir.path()).position(), Position::default());
}

#[test]
fn history_below_the_watermark_is_dropped_by_a_compaction_once_it_is_durable() {
    let dir = scratch();
    let store = open(dir.path());
    let key: Key = [9, 1].into();
    let mut index = 0;
    let mut put = |watermark: Option<u64>| {
        index += 1;
        store.set_watermark(Version(watermark.unwrap_or(0)));
        let value = Some(document(index as u8).into());
        let mutations = [Mutation { space: Space::Document, key: key.clone(), value }];
        let position = Position { index, term: 1, version: Version(index) };
        store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
        store.maintain().unwrap();
    };
    let rows = || store.snapshot().verify().tables[2].rows;
    (0..200).for_each(|_| put(None));
    assert_eq!(rows(), 199);
    put(Some(150));
    let held = store.snapshot();
    (0..100).for_each(|_| put(None));
    assert_eq!(rows(), 300, "a watermark that a crash could undo drops nothing");
    store.persist().unwrap();
    (0..100).for_each(|_| put(None));
    assert!(rows() < 400 - 140, "{} rows are left", rows());
    // What ended after the watermark is there, for old snapshots too.
    for snapshot in [&held, &store.snapshot()] {
        for at in 150..=held.version().0 {
            let cells = snapshot.get_many(Space::Document, std::slice::from_ref(&key), Version(at)).unwrap();
            assert_eq!(cells[0].as_ref().map(|cell| cell.version.0), Some(at));
        }
        let gone = snapshot.get_many(Space::Document, std::slice::from_ref(&key), Version(149));
        assert!(matches!(gone, Err(Error::HistoryGone { .. })));
    }
}

pub(super) fn files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

/// What opening a store with one damaged file comes to.
fn diagnose(dir: &Path, damaged: &Path, bytes: &[u8], whole: &[Vec<u8>]) -> &'static str {
    let copy = scratch();
    let mut all = Vec::new();
    files(dir, &mut all);
    for from in &all {
        let to = copy.path().join(from.strip_prefix(dir).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, &to).unwrap();
        if from == damaged {
            std::fs::write(&to, bytes).unwrap();
        }
    }
    let store = match Store::open(&copy.path().join("store"), options()) {
        Err(Error::Corrupt { .. } | Error::Foreign { .. }) => return "refused",
        Err(error) => panic!("{}: {error}", damaged.display()),
        Ok(store) => store,
    };
    let snapshot = store.snapshot();
    let exported: crate::Result<Vec<_>> = snapshot.clone().export().collect();
    match (snapshot.verify().is_whole(), exported) {
        (false, Err(Error::Corrupt { .. })) => "found by reading",
        (true, Ok(exported)) if exported == whole => "harmless",
        // A torn end of the journal looks like this; the log replays it.
        (true, Ok(_)) if damaged.extension().is_some_and(|extension| extension == "jnl") => "cut",
        other => panic!("{}: {other:?}", damaged.display()),
    }
}

#[test]
fn damage_anywhere_is_found_or_harmless() {
    let dir = scratch();
    let store = open(dir.path());
    applied(&store, 5, 120);
    store.persist().unwrap();
    store.maintain().unwrap();
    applied(&store, 6, 10);
    let whole: Vec<_> = store.snapshot().export().collect::<crate::Result<_>>().unwrap();
    drop(store);
    let mut found = Vec::new();
    files(dir.path(), &mut found);
    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    for path in &found {
        let bytes = std::fs::read(path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for at in (0..end).step_by(end / 4 + 1) {
            let mut damaged = bytes[..end].to_vec();
            damaged[at] ^= 1 << (at % 8);
            *outcomes.entry(diagnose(dir.path(), path, &damaged, &whole)).or_default() += 1;
        }
        if end > 0 {
            *outcomes.entry(diagnose(dir.path(), path, &bytes[..end / 2], &whole)).or_default() += 1;
        }
    }
    assert!(outcomes["refused"] > 40, "{outcomes:?}");
}

#[test]
fn ranges_far_and_near_are_walked_through_alike() {
    let dir = scratch();
    let store = open(dir.path());
    let key = |number: u64| -> Key { number.to_be_bytes().into() };
    let mutations: Vec<_> =
        (0..2000).map(|number| Mutation { space: Space::Index, key: key(number), value: Some([].into()) }).collect();
    let position = Position { index: 1, term: 1, version: Version(1) };
    store.apply(&[Apply { position, mutations: &mutations }]).unwrap();
    let snapshot = store.snapshot();
    for (step, reverse, limit) in [(3, false, 5), (3, true, 2), (10, false, 1), (40, true, 3), (200, false, 100)] {
        let scan = |start: u64| Scan { range: KeyRange { start: key(start), end: key(start + 3) }, reverse, limit };
        let mut scans: Vec<Scan> = (0..1990).step_by(step).map(scan).collect();
        scans.rotate_left(3);
        let one_by_one: Vec<Vec<_>> = scans
            .iter()
            .map(|scan| snapshot.scan(Space::Index, scan, Version(1)).unwrap().map(|row| row.unwrap()).collect())
            .collect();
        assert_eq!(snapshot.scan_many(Space::Index, &scans, Version(1)).unwrap(), one_by_one);
    }
}

#[tokio::test]
async fn a_store_is_closed_when_the_last_who_reads_it_is_gone() {
    let dir = scratch();
    let store = open(dir.path());
    applied(&store, 1, 20);
    let (closed, snapshot, other) = (store.closed(), store.snapshot(), store.clone());
    let mut closed = std::pin::pin!(closed);
    for held in [Box::new(store) as Box<dyn std::any::Any>, Box::new(other), Box::new(snapshot)] {
        let early = crate::runtime::timeout(std::time::Duration::from_millis(5), closed.as_mut()).await;
        assert!(early.is_err(), "somebody has it still");
        drop(held);
    }
    closed.await;
    // Nothing of it goes on: its folder can be moved and opened elsewhere.
    let moved = dir.path().join("moved");
    std::fs::rename(dir.path().join("store"), &moved).unwrap();
    assert_eq!(Store::open(&moved, options()).unwrap().position().index, 20);
}

#[test]
fn a_store_that_was_condemned_is_not_opened_any_more() {
    let dir = scratch();
    let store = open(dir.path());
    assert_eq!(store.damage(), None);
    Store::condemn(store.dir(), "a table cannot be read").unwrap();
    let path = store.dir().to_path_buf();
    drop(store);
    let Err(Error::Corrupt { detail, .. }) = Store::open(&path, options()) else { panic!("it is opened") };
    assert_eq!(detail, "it was given up: a table cannot be read");
    Store::set_aside(&path).unwrap();
    assert_eq!(Store::open(&path, options()).unwrap().position(), Position::default());
}

#[test]
fn a_table_that_claims_more_sections_than_it_has_room_for_is_refused_before_memory_is_asked_for() {
    let dir = scratch();
    let store = open(dir.path());
    applied(&store, 1, 60);
    store.maintain().unwrap();
    let path = store.dir().to_path_buf();
    drop(store);
    let keyspaces = std::fs::read_dir(path.join("keyspaces")).unwrap();
    let folders = keyspaces.map(|keyspace| keyspace.unwrap().path().join("tables"));
    let tables: Vec<_> = folders.flat_map(|tables| std::fs::read_dir(tables).unwrap()).collect();
    assert!(!tables.is_empty(), "tables are written");
    for table in tables {
        let table = table.unwrap().path();
        let whole = std::fs::read(&table).unwrap();
        let contents_at = u64::from_le_bytes(whole[whole.len() - 16..][..8].try_into().unwrap()) as usize;
        for bit in [12, 30, 31] {
            let mut rotten = whole.clone();
            rotten[contents_at + 4 + bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&table, rotten).unwrap();
            let Err(Error::Corrupt { what: "table", detail, .. }) = Store::open(&path, options()) else {
                panic!("{} is believed", table.display())
            };
            assert!(detail.contains("sections"), "{detail}");
            // Fjall deletes what no list of tables names: a power failure may have left anything in one that was begun.
            std::fs::rename(&table, table.with_file_name("999")).unwrap();
            std::fs::write(&table, &whole).unwrap();
            assert_eq!(Store::open(&path, options()).unwrap().position().index, 60);
        }
    }
    assert_eq!(Store::open(&path, options()).unwrap().position().index, 60);
}
