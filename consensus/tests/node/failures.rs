//! A node that cannot keep its promises stops, says why, and leaves nobody waiting.

use crate::fixture::*;
use vivarium_consensus::{CommitOptions, Consistency, Error, Node, NodeOptions};
use vivarium_storage::WalOptions;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_of_the_log_stops_the_node() {
    let dir = tempfile::TempDir::new().unwrap();
    let wal = WalOptions { segment_bytes: 256 << 10, ..WalOptions::default() };
    let node = Node::open(NodeOptions { wal, ..options(dir.path()) }).await.unwrap();
    write(&node, "a", "1").await;
    // The next segment has nowhere to go.
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    let stopped = {
        let node = node.clone();
        tokio::spawn(async move { node.stopped().await })
    };
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
    let reason = stopped.await.unwrap();
    assert_eq!(node.status().stopped.as_ref(), Some(&reason));
    assert!(matches!(node.begin(Consistency::Strong, soon()).await, Err(Error::Stopped(_))));
    assert!(matches!(node.begin(Consistency::Stale, soon()).await, Err(Error::Stopped(_))));
    assert!(matches!(node.close().await, Err(Error::Stopped(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_closes_finishes_what_it_took() {
    let (_dir, node) = new_node().await;
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..32 {
        let node = node.clone();
        tasks.spawn(async move {
            let mut transaction = begin(&node).await;
            transaction.put(ROWS, key(&format!("k{nth}")), b"x".to_vec());
            transaction.commit(CommitOptions::default(), soon()).await
        });
    }
    tokio::task::yield_now().await;
    while node.status().last_index < 2 {
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
