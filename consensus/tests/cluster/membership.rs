//! Nodes come and go.

use crate::fixture::{Cluster, read, soon, until, write};
use std::time::Duration;
use vivarium_consensus::{ClusterOptions, Error, Node, Part, Token, initialise, join};
use vivarium_storage::runtime::{self, Runtime};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_learns_and_then_votes_and_everybody_knows_everybody() {
    let cluster = Cluster::of(3).await;
    for node in cluster.nodes.values() {
        let node = node.clone();
        until("all are voters everywhere", || async {
            node.members().is_ok_and(|members| {
                members.len() == 3
                    && members.iter().all(|member| member.part == Part::Voter && member.address.is_some())
            })
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_attempt_to_join_is_no_second_node() {
    let cluster = Cluster::of(1).await;
    let dir = tempfile::TempDir::new().unwrap();
    let options = ClusterOptions::new("127.0.0.1:0");
    let runtime = Runtime::seeded(5);
    let address = cluster.address();
    let attempt = || join(dir.path(), &options, &cluster.token, &address, &runtime, soon());
    let first = attempt().await.unwrap();
    // As after a crash between the answer and the identity.
    std::fs::remove_file(dir.path().join("identity")).unwrap();
    assert_eq!(attempt().await.unwrap(), first);
    assert_eq!(attempt().await.unwrap(), first, "a folder that has joined has joined");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_is_gone_and_its_number_stays_used() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader(None).await;
    let gone = cluster.follower().await;
    cluster.close(gone).await;
    let node = cluster.nodes[&leader].clone();
    node.remove_member(gone, soon()).await.unwrap();
    assert_eq!(node.status().voters.len(), 2);
    assert_eq!(cluster.grow().await, 4, "its number is not given again");
    write(&node, "a", "1").await.unwrap();
    assert_eq!(read(&cluster.nodes[&4], "a").await.unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_node_learns_that_it_was_removed() {
    let cluster = Cluster::of(3).await;
    let (leader, gone) = (cluster.leader(None).await, cluster.follower().await);
    cluster.nodes[&leader].remove_member(gone, soon()).await.unwrap();
    let reason = runtime::timeout(Duration::from_secs(30), cluster.nodes[&gone].stopped()).await.unwrap();
    assert!(reason.contains("removed"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_node_learns_that_it_was_removed_though_nobody_is_left_whom_it_could_ask() {
    let mut cluster = Cluster::of(2).await;
    let (leader, gone) = (cluster.leader(None).await, cluster.follower().await);
    cluster.nodes[&leader].remove_member(gone, soon()).await.unwrap();
    cluster.close(leader).await;
    let reason = runtime::timeout(Duration::from_secs(30), cluster.nodes[&gone].stopped()).await.unwrap();
    assert!(reason.contains("removed"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_that_comes_back_learns_it_also_from_a_node_without_a_leader() {
    let mut cluster = Cluster::of(3).await;
    let (leader, gone) = (cluster.leader(None).await, cluster.follower().await);
    cluster.close(gone).await;
    cluster.nodes[&leader].remove_member(gone, soon()).await.unwrap();
    let left = cluster.follower().await;
    let node = cluster.nodes[&left].clone();
    until("it knows that the other is gone", || async { !node.status().voters.contains(&gone) }).await;
    cluster.close(leader).await;
    let gone = cluster.open(gone).await;
    let reason = runtime::timeout(Duration::from_secs(30), gone.stopped()).await.unwrap();
    assert!(reason.contains("removed"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_would_cost_the_majority_is_refused() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader(None).await;
    let (dead, alive) = {
        let mut others = cluster.nodes.keys().copied().filter(|id| *id != leader);
        (others.next().unwrap(), others.next().unwrap())
    };
    cluster.close(dead).await;
    let node = cluster.nodes[&leader].clone();
    until("the leader misses it", || async {
        node.members().unwrap().iter().any(|member| member.node == dead && member.active == Some(false))
    })
    .await;
    let refused = node.remove_member(alive, soon()).await;
    assert!(matches!(&refused, Err(Error::Refused(reason)) if reason.contains("voters")), "{refused:?}");
    let unknown = node.remove_member(77, soon()).await;
    assert!(matches!(&unknown, Err(Error::Refused(reason)) if reason.contains("77")), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_removed_hands_over_first() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader(None).await;
    let follower = cluster.follower().await;
    let node = &cluster.nodes[&follower];
    node.remove_member(leader, soon()).await.unwrap();
    assert!(!node.status().voters.contains(&leader));
    write(node, "a", "1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_to_whom_it_is_meant_for() {
    let cluster = Cluster::of(3).await;
    let follower = cluster.follower().await;
    // Asked on a node that does not lead.
    cluster.nodes[&follower].transfer_leadership(Some(follower), soon()).await.unwrap();
    let node = cluster.nodes[&follower].clone();
    until("it leads", || async { node.status().role == vivarium_consensus::Role::Leader }).await;
    let refused = node.transfer_leadership(Some(9), soon()).await;
    assert!(matches!(&refused, Err(Error::Refused(reason)) if reason.contains('9')), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_and_a_wrong_token_are_refused() {
    let cluster = Cluster::of(1).await;
    let dir = tempfile::TempDir::new().unwrap();
    let other = initialise(&dir.path().join("other"), &Runtime::seeded(8)).unwrap();
    let options = ClusterOptions::new("127.0.0.1:0");
    let deadline = runtime::now() + Duration::from_secs(5);
    let refused =
        join(&dir.path().join("new"), &options, &other, &cluster.address(), &Runtime::seeded(9), deadline).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("cluster"), "{text}");
    let (held, address, runtime) = (dir.path().join("other"), cluster.address(), Runtime::seeded(9));
    let twice = join(&held, &options, &cluster.token, &address, &runtime, soon());
    assert!(matches!(twice.await, Err(Error::Refused(reason)) if reason.contains("already holds")));
    assert!("vivarium-nonsense".parse::<Token>().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_alone_becomes_the_first_of_a_cluster() {
    let mut cluster = Cluster::of_one(1 << 20).await;
    cluster.close(1).await;
    let mut options = cluster.options(1);
    options.cluster = None;
    let alone = Node::open(options).await.unwrap();
    write(&alone, "a", "1").await.unwrap();
    alone.close().await.unwrap();
    drop(alone);
    cluster.open(1).await;
    let second = cluster.grow().await;
    assert_eq!(read(&cluster.nodes[&second], "a").await.unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_come_back_at_other_addresses_find_each_other() {
    let mut cluster = Cluster::of(3).await;
    let (follower, leader) = (cluster.follower().await, cluster.leader(None).await);
    for moved in [follower, leader] {
        cluster.close(moved).await;
        cluster.move_house(moved);
        let node = cluster.open(moved).await;
        until("it is found", || async { write(&node, "a", "1").await.is_ok() }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_after_the_log_was_purged_takes_a_checkpoint() {
    let mut cluster = Cluster::of_one(64 << 10).await;
    let first = cluster.nodes[&1].clone();
    let value = "v".repeat(16 << 10);
    for nth in 0..60 {
        write(&first, &format!("k{nth}"), &value).await.unwrap();
    }
    let number = cluster.grow().await;
    let joined = &cluster.nodes[&number];
    for nth in 0..60 {
        assert_eq!(read(joined, &format!("k{nth}")).await.unwrap().as_deref(), Some(value.as_bytes()));
    }
    write(joined, "k0", "new").await.unwrap();
    assert_eq!(read(&first, "k0").await.unwrap().as_deref(), Some(&b"new"[..]));
    cluster.close(number).await;
    let back = cluster.open(number).await;
    assert_eq!(read(&back, "k59").await.unwrap().as_deref(), Some(value.as_bytes()));
}
