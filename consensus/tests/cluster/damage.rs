//! A log that is damaged in the middle: its node comes back by itself, with all data, under another number.

use crate::fixture::{Cluster, free_address, read, until, write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vivarium_consensus::{ClusterOptions, Error, Node, NodeOptions, Part};
use vivarium_storage::runtime;

/// Small, so that there are sealed segments.
const SEGMENT_BYTES: u64 = 64 << 10;

async fn fill(cluster: &Cluster, keys: std::ops::Range<u32>) {
    let node = &cluster.nodes[&cluster.leader(None).await];
    for nth in keys {
        write(node, &format!("key {nth}"), &format!("{nth}{}", "v".repeat(5_000))).await.unwrap();
    }
}

async fn has(node: &Node, keys: std::ops::Range<u32>) {
    until("it hears from the leader", || async { read(node, "key 0").await.is_ok() }).await;
    for nth in keys {
        assert!(read(node, &format!("key {nth}")).await.unwrap().is_some(), "key {nth} is lost");
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("log")).unwrap();
    let mut segments: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    segments
}

/// Flips a bit in the middle of a segment that is not the last.
fn damage(folder: &Path) {
    let segments = segments(folder);
    assert!(segments.len() > 1, "a segment is sealed");
    let sealed = &segments[segments.len() - 2];
    let mut bytes = std::fs::read(sealed).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(sealed, bytes).unwrap();
}

/// The voters, as the leader knows them.
async fn voters(cluster: &Cluster) -> Vec<u64> {
    let leader = cluster.leader(None).await;
    let members = cluster.nodes[&leader].members().unwrap();
    members.into_iter().filter(|member| member.part == Part::Voter).map(|member| member.node).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_log_is_damaged_comes_back_by_itself_under_another_number_again_and_again() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    cluster.grow().await;
    cluster.grow().await;
    let mut hurt = cluster.follower().await;
    for round in 0..2 {
        fill(&cluster, round * 50..40 + round * 50).await;
        until("the log has a sealed segment", || async { segments(&cluster.path(hurt)).len() > 1 }).await;
        cluster.close(hurt).await;
        damage(&cluster.path(hurt));
        fill(&cluster, 40 + round * 50..50 + round * 50).await;
        let new = cluster.open_replaced(hurt).await;
        assert_eq!(new, 4 + u64::from(round), "a number is never given again");
        cluster.until_votes(new).await;
        has(&cluster.nodes[&new], 0..50 + round * 50).await;
        until("three vote again", || async { voters(&cluster).await.len() == 3 }).await;
        assert!(!voters(&cluster).await.contains(&hurt));
        let folder = cluster.path(new);
        for name in ["log", "store"] {
            assert!(folder.join(format!("{name}.damaged-{}", round + 1)).exists(), "{name} is set aside, not deleted");
        }
        let leader = cluster.leader(None).await;
        let members = cluster.nodes[&leader].members().unwrap();
        assert!(members.iter().any(|member| member.node == new && member.replaces == Some(hurt)), "{members:?}");
        hurt = new;
    }
    // It votes like any other, and opens again as what it became.
    let other = cluster.nodes.keys().copied().find(|node| *node != hurt).unwrap();
    cluster.close(other).await;
    write(&cluster.nodes[&cluster.leader(None).await], "after", "1").await.unwrap();
    cluster.open(other).await;
    cluster.close(hurt).await;
    assert_eq!(cluster.open(hurt).await.status().node, hurt);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_gone_is_a_lost_log() {
    let mut cluster = Cluster::of(3).await;
    fill(&cluster, 0..5).await;
    let hurt = cluster.leader(None).await;
    cluster.close(hurt).await;
    std::fs::remove_dir_all(cluster.path(hurt).join("log")).unwrap();
    let new = cluster.open_replaced(hurt).await;
    assert_eq!(new, 4);
    cluster.until_votes(new).await;
    has(&cluster.nodes[&new], 0..5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_log_is_damaged_waits_for_a_majority_without_it() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    cluster.grow().await;
    cluster.grow().await;
    fill(&cluster, 0..40).await;
    cluster.close(2).await;
    fill(&cluster, 40..50).await;
    cluster.close(3).await;
    damage(&cluster.path(3));
    let waiting = runtime::timeout(Duration::from_secs(3), Node::open(cluster.options(3))).await;
    assert!(waiting.is_err(), "of three, one is down and one has lost its log: nobody can decide");
    assert!(cluster.path(3).join("log").exists(), "nothing is touched before there is something better");
    until("the folder is let go", || async {
        std::fs::File::open(cluster.path(3).join("lock")).unwrap().try_lock().is_ok()
    })
    .await;
    let alone = Node::open(NodeOptions { cluster: None, ..cluster.options(3) }).await;
    let Err(refused) = alone else { panic!("it goes on without the others") };
    assert!(refused.to_string().contains("waits to be replaced by its cluster"), "{refused}");
    let (opened, _) = tokio::join!(Node::open(cluster.options(3)), cluster.open(2));
    let node = opened.unwrap();
    assert_eq!(node.status().node, 4);
    has(&node, 0..50).await;
    node.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_removed_meanwhile_is_not_replaced() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    cluster.grow().await;
    cluster.grow().await;
    fill(&cluster, 0..40).await;
    cluster.close(3).await;
    damage(&cluster.path(3));
    let leader = cluster.leader(None).await;
    cluster.nodes[&leader].remove_member(3, crate::fixture::soon()).await.unwrap();
    let Err(Error::Refused(reason)) = Node::open(cluster.options(3)).await else { panic!("it comes back") };
    assert!(reason.contains("was removed"), "{reason}");
    assert_eq!(voters(&cluster).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_alone_is_refused() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    fill(&cluster, 0..40).await;
    cluster.close(1).await;
    damage(&cluster.path(1));
    let options = ClusterOptions { listen: free_address(), advertise: None, tls: None };
    for cluster_options in [None, Some(options)] {
        let opened = Node::open(NodeOptions { cluster: cluster_options, ..cluster.options(1) }).await;
        let Err(refused) = opened else { panic!("it opens") };
        assert!(matches!(&refused, Error::Storage(vivarium_storage::Error::Corrupt { .. })), "{refused}");
    }
    assert!(!cluster.path(1).join("log.damaged-1").exists());
}
