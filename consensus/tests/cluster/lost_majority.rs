//! After a forced recovery: those who were not wiped are no part of the cluster any more, and are told so.

use crate::fixture::{Cluster, read, until, write};
use vivarium_consensus::{Node, Part, recover};

async fn trouble_with(node: &Node, other: u64) -> Option<String> {
    let members = node.members().ok()?;
    members.into_iter().find(|member| member.node == other)?.connection?.last_error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survivor_that_was_not_wiped_is_not_heard_by_the_recovered_cluster() {
    let mut cluster = Cluster::of(3).await;
    write(&cluster.nodes[&cluster.leader(None).await], "before", "1").await.unwrap();
    let caught_up = |node: &Node| node.status().applied_index;
    let newest = caught_up(&cluster.nodes[&cluster.leader(None).await]);
    until("all have all", || async { cluster.nodes.values().all(|node| caught_up(node) >= newest) }).await;
    for number in [3, 2, 1] {
        cluster.nodes.remove(&number).unwrap().close().await.unwrap();
    }
    let report = recover(&cluster.options(1), true).await.unwrap();
    assert_eq!(report.others, [2, 3]);
    cluster.open(1).await;
    write(&cluster.nodes[&1], "after", "1").await.unwrap();

    // One of the others runs again, with all that it had.
    let outcast = Node::open(cluster.options(2)).await.unwrap();
    until("it is told why nobody talks to it", || async {
        trouble_with(&outcast, 1).await.is_some_and(|trouble| {
            trouble.starts_with("this node belongs to the cluster before its recovery of 20")
                && trouble.contains("delete its data folder and join anew")
        })
    })
    .await;
    // Those who join learn where they belong.
    let joined = cluster.grow().await;
    assert_eq!(joined, 4);
    write(&cluster.nodes[&joined], "joined", "1").await.unwrap();
    assert!(read(&cluster.nodes[&joined], "before").await.unwrap().is_some());
    let members = cluster.nodes[&1].members().unwrap();
    let voters: Vec<u64> =
        members.iter().filter(|member| member.part == Part::Voter).map(|member| member.node).collect();
    assert_eq!(voters, [1, 4]);
    assert!(read(&outcast, "after").await.is_err(), "it hears of nothing, and decides nothing");
    outcast.close().await.unwrap();
}
