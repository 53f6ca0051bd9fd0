//! A node that cannot keep its promises stops, says why, and leaves nobody waiting.

use crate::fixture::*;
use std::time::Duration;
use vivarium_consensus::{CommitOptions, Consistency, Error, Node, NodeOptions};
use vivarium_storage::runtime::now;
use vivarium_storage::{Space, WalOptions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_of_the_log_stops_the_node() {
    let dir = tempfile::TempDir::new().unwrap();
    let wal = WalOptions { segment_bytes: 256 << 10, ..WalOptions::default() };
    let node = Node::open(NodeOptions { wal, ..options(dir.path()) }).await.unwrap();
    write(&node, "a", "1").await;
    // The next segment has nowhere to go.
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    let mut stopped = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let node = node.clone();
        stopped.spawn(async move { node.stopped().await });
    }
    let mut failure = None;
    for nth in 0..100 {
        let Ok(mut transaction) = node.begin(Consistency::Strong, soon()).await else { break };
        transaction.put(ROWS, key(&format!("k{nth}")), vec![0; 50_000]);
        if let Err(error) = transaction.commit(CommitOptions::default(), soon()).await {
            failure = Some(error);
            break;
        }
    }
    assert!(matches!(failure, Some(Error::UnknownOutcome)), "{failure:?}");
    let reason = node.status().stopped.unwrap();
    assert_eq!(stopped.join_all().await, [reason.clone(), reason]);
    assert!(matches!(node.begin(Consistency::Strong, soon()).await, Err(Error::Stopped(_))));
    assert!(matches!(node.begin(Consistency::Stale, soon()).await, Err(Error::Stopped(_))));
    assert!(matches!(node.close().await, Err(Error::Stopped(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_closes_finishes_what_it_took() {
    let (_dir, node) = new_node().await;
    let before = node.status().last_index;
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..32 {
        let mut transaction = begin(&node).await;
        transaction.put(ROWS, key(&format!("k{nth}")), b"x".to_vec());
        tasks.spawn(transaction.commit(CommitOptions::default(), soon()));
    }
    while node.status().last_index == before {
        tokio::task::yield_now().await;
    }
    node.close().await.unwrap();
    for outcome in tasks.join_all().await {
        assert!(matches!(outcome, Ok(_) | Err(Error::Stopped(_))), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_writers_than_the_driver_takes_are_told_to_come_back() {
    let (_dir, node) = new_node().await;
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..6000 {
        let node = node.clone();
        tasks.spawn(async move {
            let mut transaction = node.begin(Consistency::Strong, soon()).await?;
            transaction.put(ROWS, key(&format!("k{nth}")), b"x".to_vec());
            transaction.commit(CommitOptions::default(), soon()).await
        });
    }
    let outcomes = tasks.join_all().await;
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::Unavailable { .. }))));
    let mut reader = begin(&node).await;
    let scan = vivarium_storage::engine::Scan { range: range("k", "l"), reverse: false, limit: usize::MAX };
    assert_eq!(rows(&mut reader, scan).await.len() as u64, written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_its_majority_says_so_at_once() {
    let dir = tempfile::TempDir::new().unwrap();
    let node = open(dir.path()).await;
    write(&node, "a", "1").await;
    // As if two more voters had been added: format 1, then a ConfState with three voters.
    let mut change = begin(&node).await;
    change.put(Space::Meta, Box::new([3]), vec![1, 0x08, 1, 0x08, 2, 0x08, 3]);
    commit(change).await.unwrap();
    let began = begin(&node).await;
    node.close().await.unwrap();
    drop((node, began));

    let node = open(dir.path()).await;
    assert_eq!(node.status().voters, [1, 2, 3]);
    assert_eq!(node.status().leader, None);
    let deadline = now() + Duration::from_secs(20);
    let strong = node.begin(Consistency::Strong, deadline).await;
    assert!(matches!(strong, Err(Error::Unavailable { .. })));
    let mut stale = node.begin(Consistency::Stale, deadline).await.unwrap();
    assert_eq!(get(&mut stale, "a").await.as_deref(), Some("1"));
    stale.put(ROWS, key("a"), b"2".to_vec());
    let outcome = stale.commit(CommitOptions::default(), deadline).await;
    assert!(matches!(outcome, Err(Error::Unavailable { .. })), "{outcome:?}");
    assert!(now() < deadline);
    node.close().await.unwrap();
}
