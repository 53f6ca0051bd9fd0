//! A node under the simulator's clock: what takes minutes is seen in moments.
#![cfg(madsim)]
#![allow(clippy::unwrap_used)]

use std::time::Duration;
use tempfile::TempDir;
use vivarium_consensus::{CommitOptions, Consistency, Error, Node, NodeOptions};
use vivarium_storage::runtime::{Runtime, now, sleep};
use vivarium_storage::{Space, StoreOptions, Version, WalOptions};

fn options(dir: &TempDir, seed: u64) -> NodeOptions {
    NodeOptions {
        dir: dir.path().join("data"),
        store: StoreOptions { workers: 0, ..StoreOptions::default() },
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        runtime: Runtime::seeded(seed),
        cluster: None,
    }
}

async fn write(node: &Node, value: u64) -> Version {
    let deadline = now() + Duration::from_secs(10);
    let mut transaction = node.begin(Consistency::Strong, deadline).await.unwrap();
    transaction.put(Space::Index, Box::new([1]), value.to_le_bytes().to_vec());
    transaction.commit(CommitOptions::default(), deadline).await.unwrap().version
}

#[tokio::test]
async fn a_quarter_of_an_hour_of_history_stays_readable_and_no_more_than_a_minute_longer() {
    let dir = TempDir::new().unwrap();
    let node = Node::open(options(&dir, 1)).await.unwrap();
    let mut versions = Vec::new();
    for minute in 0..30 {
        versions.push(write(&node, minute).await);
        sleep(Duration::from_secs(60)).await;
    }
    let deadline = now() + Duration::from_secs(10);
    let at = |version| node.begin(Consistency::At(version), deadline);
    assert!(matches!(at(versions[12]).await, Err(Error::VersionGone { .. })));
    let mut kept = at(versions[16]).await.unwrap();
    let cells = kept.get_many(Space::Index, &[Box::new([1])]).await.unwrap();
    assert_eq!(&*cells[0].as_ref().unwrap().value, &16u64.to_le_bytes());
    node.close().await.unwrap();
}

#[tokio::test]
async fn the_same_seed_gives_the_same_log() {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let dir = TempDir::new().unwrap();
        let node = Node::open(options(&dir, 7)).await.unwrap();
        for value in 0..50 {
            write(&node, value).await;
        }
        let status = node.status();
        logs.push((status.term, status.last_index, status.applied_index, status.log_bytes));
        node.close().await.unwrap();
    }
    assert_eq!(logs[0], logs[1]);
}
