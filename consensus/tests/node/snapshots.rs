//! Which version a transaction reads, and that its own writes lie over it as if they had been made.

use crate::fixture::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use vivarium_consensus::{Consistency, Error};
use vivarium_storage::Version;
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::now;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_reads_one_version_whatever_is_written_meanwhile() {
    let (_dir, node) = new_node().await;
    write(&node, "a", "1").await;
    let mut reader = begin(&node).await;
    reader.read_only();
    write(&node, "a", "2").await;
    write(&node, "b", "2").await;
    assert_eq!(get(&mut reader, "a").await.as_deref(), Some("1"));
    let scan = Scan { range: range("a", "z"), reverse: false, limit: 10 };
    assert_eq!(rows(&mut reader, scan).await, [("a".to_owned(), "1".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_version_is_read_exactly() {
    let (_dir, node) = new_node().await;
    let first = write(&node, "a", "1").await;
    let second = write(&node, "a", "2").await;
    for (version, expected) in [(Version(first.0 - 1), None), (first, Some("1")), (second, Some("2"))] {
        let mut reader = node.begin(Consistency::At(version), soon()).await.unwrap();
        assert_eq!(reader.version(), version);
        assert_eq!(get(&mut reader, "a").await.as_deref(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instant_after_the_last_commit_is_decided_and_read() {
    let (_dir, node) = new_node().await;
    let last = write(&node, "a", "1").await;
    let between = Version(node.runtime().now_micros());
    assert!(between > last);
    let mut reader = node.begin(Consistency::At(between), soon()).await.unwrap();
    assert_eq!(get(&mut reader, "a").await.as_deref(), Some("1"));
    assert!(write(&node, "a", "2").await > between);
    assert_eq!(get(&mut reader, "a").await.as_deref(), Some("1"));
    let ahead = Version(node.runtime().now_micros() + 60_000_000);
    assert!(matches!(node.begin(Consistency::At(ahead), soon()).await, Err(Error::VersionGone { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_not_there_yet_is_waited_for() {
    let (_dir, node) = new_node().await;
    let last = write(&node, "a", "1").await;
    let waiting = node.begin(Consistency::AtLeast(Version(last.0 + 1)), now() + Duration::from_millis(50)).await;
    assert!(matches!(waiting, Err(Error::DeadlineExceeded)));
    let token = Version(last.0 + 1);
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let node = node.clone();
        readers.spawn(async move { node.begin(Consistency::AtLeast(token), soon()).await.unwrap().version() });
    }
    let written = write(&node, "a", "2").await;
    assert!(readers.join_all().await.into_iter().all(|version| version >= written));
    assert_eq!(node.begin(Consistency::Stale, soon()).await.unwrap().version(), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_ascend_when_the_clock_steps_back() {
    let (_dir, node) = new_node().await;
    let first = write(&node, "a", "1").await;
    node.runtime().skew(-3_600_000_000);
    let second = write(&node, "a", "2").await;
    assert_eq!(second.0, first.0 + 1);
    node.runtime().skew(0);
    assert!(write(&node, "a", "3").await > second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watermark_refuses_older_reads() {
    let (_dir, node) = new_node().await;
    let first = write(&node, "a", "1").await;
    let second = write(&node, "a", "2").await;
    node.store().unwrap().set_watermark(second);
    write(&node, "b", "1").await;
    let gone = node.begin(Consistency::At(first), soon()).await;
    assert!(matches!(gone, Err(Error::VersionGone { oldest, .. }) if oldest == second));
    assert!(node.begin(Consistency::At(second), soon()).await.is_ok());
}

#[test]
fn the_leader_moves_the_watermark_and_leaves_the_newest_version_readable() {
    let dir = tempfile::TempDir::new().unwrap();
    let (first, second) = crate::outcomes::run(async {
        let node = open(dir.path()).await;
        (write(&node, "a", "1").await, write(&node, "a", "2").await)
    });
    let check = || {
        let (dir, second) = (dir.path(), second);
        async move {
            let options = options(dir);
            options.runtime.skew(20 * 60 * 1_000_000);
            let node = vivarium_consensus::Node::open(options).await.unwrap();
            let deadline = soon();
            while node.store().unwrap().snapshot().watermark() < second && now() < deadline {
                vivarium_storage::runtime::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(node.store().unwrap().snapshot().watermark(), second);
            assert_eq!(node.status().version, second, "a watermark takes no version");
            let early = node.begin(Consistency::At(first), soon()).await;
            assert!(matches!(early, Err(Error::VersionGone { .. })));
            assert_eq!(read(&node, "a").await.as_deref(), Some("2"));
        }
    };
    crate::outcomes::run(check());
    crate::outcomes::run(check());
}

type Model = BTreeMap<String, String>;

fn visible(model: &Model, scan: &Scan) -> Vec<(String, String)> {
    let inside = |key: &String| scan.range.covers(key.as_bytes());
    let mut rows: Vec<_> = model.iter().filter(|(key, _)| inside(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if scan.reverse {
        rows.reverse();
    }
    rows.truncate(scan.limit);
    rows
}

#[derive(Clone, Debug)]
struct Case {
    stored: Vec<u8>,
    own: Vec<(u8, bool)>,
    scans: Vec<(u8, u8, bool, usize)>,
}

fn case() -> impl Strategy<Value = Case> {
    let scan = (0u8..30, 0u8..30, any::<bool>(), 0usize..12);
    (
        prop::collection::vec(0u8..30, 0..20),
        prop::collection::vec((0u8..30, any::<bool>()), 0..20),
        prop::collection::vec(scan, 1..5),
    )
        .prop_map(|(stored, own, scans)| Case { stored, own, scans })
}

fn name(number: u8) -> String {
    format!("k{number:02}")
}

#[test]
fn scans_see_own_writes_as_if_they_had_been_made() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (_dir, node) = runtime.block_on(new_node());
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(case in case())| {
        runtime.block_on(check(&node, case))?;
    });
}

async fn check(node: &vivarium_consensus::Node, case: Case) -> Result<(), TestCaseError> {
    let mut model = Model::new();
    let mut reset = begin(node).await;
    for number in 0..30 {
        reset.delete(ROWS, key(&name(number)));
    }
    for number in &case.stored {
        reset.put(ROWS, key(&name(*number)), b"stored".to_vec());
        model.insert(name(*number), "stored".to_owned());
    }
    commit(reset).await.unwrap();
    let mut transaction = begin(node).await;
    for (number, put) in &case.own {
        if *put {
            transaction.put(ROWS, key(&name(*number)), b"own".to_vec());
            model.insert(name(*number), "own".to_owned());
        } else {
            transaction.delete(ROWS, key(&name(*number)));
            model.remove(&name(*number));
        }
    }
    for (start, end, reverse, limit) in case.scans {
        let scan = Scan { range: range(&name(start), &name(end)), reverse, limit };
        prop_assert_eq!(rows(&mut transaction, scan.clone()).await, visible(&model, &scan));
    }
    for number in 0..30 {
        prop_assert_eq!(get(&mut transaction, &name(number)).await, model.get(&name(number)).cloned());
    }
    Ok(())
}
