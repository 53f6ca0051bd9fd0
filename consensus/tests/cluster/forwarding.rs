//! Every node takes every request.

use crate::fixture::{Cluster, key, read, soon, until, write};
use std::time::Duration;
use vivarium_consensus::{CommitOptions, Consistency, Error, IdempotencyKey};
use vivarium_storage::{Space, runtime};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_through_any_node_is_read_strongly_on_every_node() {
    let cluster = Cluster::of(3).await;
    let mut last = vivarium_storage::Version(0);
    for nth in 0..10 {
        for (number, node) in &cluster.nodes {
            let value = format!("{nth} through {number}");
            let version = write(node, "a", &value).await.unwrap();
            assert!(version > last, "versions ascend over all nodes");
            last = version;
            for other in cluster.nodes.values() {
                assert_eq!(read(other, "a").await.unwrap().as_deref(), Some(value.as_bytes()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_found_whichever_nodes_the_two_come_through() {
    let cluster = Cluster::of(3).await;
    let nodes: Vec<_> = cluster.nodes.values().collect();
    write(nodes[0], "a", "0").await.unwrap();
    let mut first = nodes[1].begin(Consistency::Strong, soon()).await.unwrap();
    let mut second = nodes[2].begin(Consistency::Strong, soon()).await.unwrap();
    for transaction in [&mut first, &mut second] {
        transaction.get_many(Space::Index, &[key("a")]).await.unwrap();
        transaction.put(Space::Index, key("a"), b"1".to_vec());
    }
    first.commit(CommitOptions::default(), soon()).await.unwrap();
    let refused = second.commit(CommitOptions::default(), soon()).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_used_once_whichever_node_it_comes_through() {
    let cluster = Cluster::of(3).await;
    let mut outcomes = Vec::new();
    for (number, node) in &cluster.nodes {
        let mut transaction = node.begin(Consistency::Strong, soon()).await.unwrap();
        transaction.put(Space::Index, key(&number.to_string()), b"1".to_vec());
        let options =
            CommitOptions { idempotency: Some(IdempotencyKey(b"once".to_vec())), answer: vec![*number as u8] };
        outcomes.push(transaction.commit(options, soon()).await.unwrap());
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    let node = &cluster.nodes[&2];
    let written = [read(node, "1").await.unwrap(), read(node, "2").await.unwrap(), read(node, "3").await.unwrap()];
    assert_eq!(written.iter().flatten().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_of_the_future_is_settled_by_the_leader() {
    let cluster = Cluster::of(3).await;
    let follower = cluster.follower().await;
    let node = &cluster.nodes[&follower];
    let version = write(node, "a", "1").await.unwrap();
    let later = vivarium_storage::Version(version.0 + 1);
    let mut transaction = node.begin(Consistency::At(later), soon()).await.unwrap();
    let cells = transaction.get_many(Space::Index, &[key("a")]).await.unwrap();
    assert_eq!(cells[0].as_ref().map(|cell| cell.version), Some(version));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_after_the_leader_is_gone_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader(None).await;
    write(&cluster.nodes[&leader], "a", "1").await.unwrap();
    // Closing hands leadership over first.
    cluster.close(leader).await;
    let (_, survivor) = cluster.nodes.iter().next().unwrap();
    let survivor = survivor.clone();
    until("the others go on", || async { write(&survivor, "b", "2").await.is_ok() }).await;
    for node in cluster.nodes.values() {
        assert_eq!(read(node, "a").await.unwrap().as_deref(), Some(&b"1"[..]));
    }
    let back = cluster.open(leader).await;
    until("the old leader has caught up", || async {
        read(&back, "b").await.is_ok_and(|value| value.as_deref() == Some(&b"2"[..]))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_promised_and_nobody_hangs() {
    let mut cluster = Cluster::of(3).await;
    let numbers: Vec<u64> = cluster.nodes.keys().copied().collect();
    cluster.close(numbers[1]).await;
    cluster.close(numbers[2]).await;
    let alone = cluster.nodes[&numbers[0]].clone();
    until("the last one notices", || async {
        let deadline = runtime::now() + Duration::from_secs(10);
        matches!(alone.begin(Consistency::Strong, deadline).await, Err(Error::Unavailable { .. }))
    })
    .await;
    let mut stale = alone.begin(Consistency::Stale, soon()).await.unwrap();
    stale.put(Space::Index, key("a"), b"1".to_vec());
    let refused = stale.commit(CommitOptions::default(), runtime::now() + Duration::from_secs(5)).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bounded_stale_read_is_no_older_than_it_may_be() {
    let mut cluster = Cluster::of(3).await;
    let follower = cluster.follower().await;
    let node = cluster.nodes[&follower].clone();
    let leader = cluster.nodes[&cluster.leader(None).await].clone();
    let within = |age| node.begin(Consistency::Within(age), runtime::now() + Duration::from_secs(5));
    for nth in 0..20 {
        let written = write(&leader, "a", &nth.to_string()).await.unwrap();
        // A bound of nothing is a strong read.
        assert!(within(Duration::ZERO).await.unwrap().version() >= written);
    }
    let numbers: Vec<u64> = cluster.nodes.keys().copied().filter(|number| *number != follower).collect();
    for number in numbers {
        cluster.close(number).await;
    }
    // What it confirmed a moment ago it may still answer; what it cannot confirm it may not.
    assert!(within(Duration::from_secs(3600)).await.is_ok());
    let refused = within(Duration::from_millis(1)).await.map(|_| ());
    assert!(matches!(refused, Err(Error::Unavailable { .. } | Error::DeadlineExceeded)), "{refused:?}");
}
