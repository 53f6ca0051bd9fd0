//! Idempotency keys: the first outcome is the only one, across retries, races and restarts.

use crate::fixture::*;
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_returns_the_first_outcome_and_writes_nothing() {
    let (_dir, node) = new_node().await;
    let mut first = begin(&node).await;
    first.put(ROWS, key("a"), b"first".to_vec());
    let outcome = commit_once(first, "k", "done").await.unwrap();
    assert_eq!(outcome.answer, b"done");
    let mut again = begin(&node).await;
    again.put(ROWS, key("a"), b"again".to_vec());
    assert_eq!(commit_once(again, "k", "other").await.unwrap(), outcome);
    assert_eq!(read(&node, "a").await.as_deref(), Some("first"));
    assert_eq!(node.outcome(&once("k"), soon()).await.unwrap(), Some(outcome));
    assert_eq!(node.outcome(&once("other"), soon()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_at_an_old_snapshot_finds_its_outcome_instead_of_a_conflict() {
    let (_dir, node) = new_node().await;
    let (mut first, mut retry) = (begin(&node).await, begin(&node).await);
    for transaction in [&mut first, &mut retry] {
        get(transaction, "a").await;
        transaction.put(ROWS, key("a"), b"1".to_vec());
    }
    let outcome = commit_once(first, "k", "").await.unwrap();
    assert_eq!(commit_once(retry, "k", "").await.unwrap(), outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_retries_one_writes_and_all_hear_the_same() {
    let (_dir, node) = new_node().await;
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..32 {
        let node = node.clone();
        tasks.spawn(async move {
            // Blind writes: nothing but the key keeps these apart.
            let mut transaction = begin(&node).await;
            transaction.put(ROWS, key(&format!("row-{nth}")), b"x".to_vec());
            commit_once(transaction, "k", &nth.to_string()).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    let mut reader = begin(&node).await;
    let scan = vivarium_storage::engine::Scan { range: range("row", "rox"), reverse: false, limit: 100 };
    let rows = rows(&mut reader, scan).await;
    let winner = format!("row-{}", String::from_utf8(outcomes[0].answer.clone()).unwrap());
    assert_eq!(rows, [(winner, "x".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_writes_is_remembered_too() {
    let (_dir, node) = new_node().await;
    let outcome = commit_once(begin(&node).await, "k", "nothing to do").await.unwrap();
    assert_eq!(node.outcome(&once("k"), soon()).await.unwrap(), Some(outcome));
}

#[test]
fn outcomes_survive_a_restart() {
    let dir = TempDir::new().unwrap();
    let outcome = run(async {
        let node = open(dir.path()).await;
        let mut transaction = begin(&node).await;
        transaction.put(ROWS, key("a"), b"1".to_vec());
        let outcome = commit_once(transaction, "k", "done").await.unwrap();
        node.close().await.unwrap();
        outcome
    });
    run(async {
        let node = open(dir.path()).await;
        assert_eq!(node.outcome(&once("k"), soon()).await.unwrap().as_ref(), Some(&outcome));
        assert_eq!(commit_once(begin(&node).await, "k", "again").await.unwrap(), outcome);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_outcomes_are_forgotten_by_later_ones() {
    const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
    let (_dir, node) = new_node().await;
    for nth in 0..40 {
        commit_once(begin(&node).await, &format!("old-{nth}"), "old").await.unwrap();
    }
    node.runtime().skew(DAY_MICROS + 1_000_000);
    // Expiry goes by versions: one commit moves them on.
    write(&node, "a", "1").await;
    let again = commit_once(begin(&node).await, "old-7", "new").await.unwrap();
    assert_eq!(again.answer, b"new");
    for nth in 0..20 {
        commit_once(begin(&node).await, &format!("new-{nth}"), "new").await.unwrap();
    }
    let mut left = 0;
    for nth in 0..40 {
        left += usize::from(node.outcome(&once(&format!("old-{nth}")), soon()).await.unwrap().is_some());
    }
    assert_eq!(left, 1, "only the one that came again is kept");
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}
