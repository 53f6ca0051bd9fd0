//! Conflicts: what aborts, what must not, and that nothing is lost between.

use crate::fixture::*;
use vivarium_consensus::{CommitOptions, Consistency, Error, Transaction};
use vivarium_storage::engine::{Scan, catalog_key};
use vivarium_storage::{DatabaseId, Space};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_read_by_whoever_begins_after_it() {
    let (_dir, node) = new_node().await;
    assert_eq!(read(&node, "a").await, None);
    let first = write(&node, "a", "1").await;
    let second = write(&node, "a", "2").await;
    assert!(second > first);
    let mut transaction = begin(&node).await;
    assert_eq!(transaction.version(), second);
    assert_eq!(get(&mut transaction, "a").await.as_deref(), Some("2"));
    let cells = transaction.get_many(ROWS, &[key("a")]).await.unwrap();
    assert_eq!(cells[0].as_ref().unwrap().version, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_without_writes_validates_nothing() {
    let (_dir, node) = new_node().await;
    let version = write(&node, "a", "1").await;
    let mut reader = begin(&node).await;
    get(&mut reader, "a").await;
    write(&node, "a", "2").await;
    assert!(reader.is_read_only());
    assert_eq!(commit(reader).await.unwrap(), version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_seen_before_it_commits_and_nothing_is_left_when_it_does_not() {
    let (_dir, node) = new_node().await;
    let mut writer = begin(&node).await;
    writer.put(ROWS, key("a"), b"1".to_vec());
    assert_eq!(get(&mut writer, "a").await.as_deref(), Some("1"));
    let own = writer.get_many(ROWS, &[key("a")]).await.unwrap().remove(0).unwrap();
    assert_eq!(own.version, Transaction::OWN);
    assert_eq!(read(&node, "a").await, None);
    drop(writer);
    assert_eq!(read(&node, "a").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_was_overwritten_conflicts() {
    let (_dir, node) = new_node().await;
    write(&node, "a", "1").await;
    let mut late = begin(&node).await;
    get(&mut late, "a").await;
    late.put(ROWS, key("b"), b"2".to_vec());
    write(&node, "a", "2").await;
    assert!(matches!(commit(late).await, Err(Error::Conflict)));
    assert_eq!(read(&node, "b").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_missing_and_came_conflicts() {
    let (_dir, node) = new_node().await;
    let mut late = begin(&node).await;
    assert_eq!(get(&mut late, "a").await, None);
    late.put(ROWS, key("a"), b"late".to_vec());
    write(&node, "a", "early").await;
    assert!(matches!(commit(late).await, Err(Error::Conflict)));
    assert_eq!(read(&node, "a").await.as_deref(), Some("early"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_read_does_not_conflict() {
    let (_dir, node) = new_node().await;
    write(&node, "a", "1").await;
    let mut late = begin(&node).await;
    get(&mut late, "a").await;
    late.put(ROWS, key("c"), b"3".to_vec());
    write(&node, "b", "2").await;
    commit(late).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_skew_aborts_the_second_commit() {
    let (_dir, node) = new_node().await;
    write(&node, "on-call-1", "yes").await;
    write(&node, "on-call-2", "yes").await;
    let (mut first, mut second) = (begin(&node).await, begin(&node).await);
    for transaction in [&mut first, &mut second] {
        assert_eq!(get(transaction, "on-call-1").await.as_deref(), Some("yes"));
        assert_eq!(get(transaction, "on-call-2").await.as_deref(), Some("yes"));
    }
    first.put(ROWS, key("on-call-1"), b"no".to_vec());
    second.put(ROWS, key("on-call-2"), b"no".to_vec());
    commit(first).await.unwrap();
    assert!(matches!(commit(second).await, Err(Error::Conflict)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phantom_in_a_range_aborts() {
    let (_dir, node) = new_node().await;
    write(&node, "m1", "1").await;
    let mut late = begin(&node).await;
    let scan = Scan { range: range("m", "n"), reverse: false, limit: 100 };
    assert_eq!(rows(&mut late, scan).await.len(), 1);
    late.put(ROWS, key("count"), b"1".to_vec());
    write(&node, "m2", "2").await;
    assert!(matches!(commit(late).await, Err(Error::Conflict)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_ends_what_was_looked_at() {
    let (_dir, node) = new_node().await;
    for text in ["m1", "m3", "m5", "m7"] {
        write(&node, text, "x").await;
    }
    for (reverse, beyond, within) in [(false, "m4", "m2"), (true, "m4", "m6")] {
        let scan = Scan { range: range("m", "n"), reverse, limit: 2 };
        for (written, conflicts) in [(beyond, false), (within, true)] {
            let mut late = begin(&node).await;
            assert_eq!(rows(&mut late, scan.clone()).await.len(), 2);
            late.put(ROWS, key("count"), b"2".to_vec());
            write(&node, written, "y").await;
            let outcome = commit(late).await;
            assert_eq!(matches!(outcome, Err(Error::Conflict)), conflicts, "{written}, reverse {reverse}: {outcome:?}");
            let mut undo = begin(&node).await;
            undo.delete(ROWS, key(written));
            commit(undo).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_counters_lose_no_update() {
    let (_dir, node) = new_node().await;
    write(&node, "counter", "0").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let node = node.clone();
        tasks.spawn(async move {
            let mut conflicts = 0;
            for _ in 0..25 {
                loop {
                    let mut transaction = begin(&node).await;
                    let count: u64 = get(&mut transaction, "counter").await.unwrap().parse().unwrap();
                    transaction.put(ROWS, key("counter"), (count + 1).to_string().into_bytes());
                    match commit(transaction).await {
                        Ok(_) => break,
                        Err(Error::Conflict) => conflicts += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            conflicts
        });
    }
    let conflicts: u64 = tasks.join_all().await.into_iter().sum();
    assert_eq!(read(&node, "counter").await.as_deref(), Some("200"));
    assert!(conflicts > 0, "eight writers of one key met no conflict");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_catalog_aborts_what_was_planned_before() {
    let (_dir, node) = new_node().await;
    let database = DatabaseId(1);
    let mut planned = begin(&node).await;
    assert_eq!(planned.catalog_version(database).0, 0);
    planned.put(ROWS, key("a"), b"1".to_vec());
    let mut change = begin(&node).await;
    change.put(Space::Meta, catalog_key(database), b"catalog".to_vec());
    let version = commit(change).await.unwrap();
    assert!(matches!(commit(planned).await, Err(Error::Conflict)));
    assert_eq!(begin(&node).await.catalog_version(database), version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_before_it_is_handed_over() {
    let (_dir, node) = new_node().await;
    let mut large = begin(&node).await;
    large.put(ROWS, key("a"), vec![0; vivarium_consensus::TRANSACTION_BYTES_MAX]);
    assert!(matches!(commit(large).await, Err(Error::TooLarge { .. })));
    let mut long = begin(&node).await;
    long.put(ROWS, vec![b'k'; 5000].into(), b"1".to_vec());
    assert!(matches!(commit(long).await, Err(Error::Storage(vivarium_storage::Error::KeyTooLong { .. }))));
    write(&node, "a", "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_has_passed_writes_nothing() {
    let (_dir, node) = new_node().await;
    let mut late = begin(&node).await;
    late.put(ROWS, key("a"), b"1".to_vec());
    let passed = vivarium_storage::runtime::now();
    assert!(matches!(late.commit(CommitOptions::default(), passed).await, Err(Error::DeadlineExceeded)));
    assert_eq!(read(&node, "a").await, None);
    let future = begin(&node).await.version().0 + 1;
    let waiting = node.begin(Consistency::AtLeast(vivarium_storage::Version(future)), passed).await;
    assert!(matches!(waiting, Err(Error::DeadlineExceeded)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_that_come_together_share_their_fsyncs() {
    let (_dir, node) = new_node().await;
    let before = node.status().last_index;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let node = node.clone();
        tasks.spawn(async move {
            for nth in 0..10 {
                write(&node, &format!("{writer}-{nth}"), "x").await;
            }
        });
    }
    tasks.join_all().await;
    let status = node.status();
    assert_eq!(status.applied_index - before, 640);
    // A batch of the log is at least one block of 4 KiB; one commit of this size a block would take 640.
    let blocks = written_blocks(_dir.path());
    assert!(blocks < 320, "640 commits took {blocks} writes");
}

/// Batches of the log begin with their magic, on multiples of a block.
fn written_blocks(dir: &std::path::Path) -> usize {
    let mut batches = 0;
    for segment in std::fs::read_dir(dir.join("log")).unwrap() {
        let bytes = std::fs::read(segment.unwrap().path()).unwrap();
        batches += bytes.chunks(4096).filter(|block| block.starts_with(b"VLBT")).count();
    }
    batches
}
