//! Whole stores over the wire: to who joins late, and to who lost its own.

use crate::fixture::{Cluster, read, until, write};
use std::path::Path;
use std::time::Duration;
use vivarium_consensus::Node;
use vivarium_storage::runtime;

/// Small, so that the log forgets soon.
const SEGMENT_BYTES: u64 = 64 << 10;

/// Writes until the log of every node has forgotten its beginning.
async fn outgrow_the_log(cluster: &Cluster) {
    let node = &cluster.nodes[&cluster.leader(None).await];
    let enough = 200;
    for nth in 0..enough {
        write(node, &format!("key {}", nth % 80), &format!("{nth}{}", "v".repeat(10_000))).await.unwrap();
    }
}

fn contents(node: &Node) -> Option<Vec<Vec<u8>>> {
    node.store().ok()?.snapshot().export().collect::<vivarium_storage::Result<_>>().ok()
}

async fn agree(cluster: &Cluster) {
    until("all nodes have the same contents", || async {
        let all: Vec<_> = cluster.nodes.values().map(contents).collect();
        all[0].is_some() && all.iter().all(|contents| *contents == all[0])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_when_the_log_has_forgotten_its_beginning_takes_a_checkpoint() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    outgrow_the_log(&cluster).await;
    for _ in 0..2 {
        let number = cluster.grow().await;
        let node = &cluster.nodes[&number];
        let found = read(node, "key 1").await.unwrap();
        assert!(found.is_some());
        write(node, "joined", &number.to_string()).await.unwrap();
    }
    agree(&cluster).await;
    // What was installed is what a restart opens on.
    cluster.close(3).await;
    cluster.open(3).await;
    agree(&cluster).await;
}

/// Changes a byte in the first batch of every journal of a store.
fn damage(store: &Path) {
    let mut damaged = 0;
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[20] ^= 0x40;
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0, "the store has a journal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_corrupt_or_gone_is_fetched_from_a_peer() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    cluster.grow().await;
    cluster.grow().await;
    outgrow_the_log(&cluster).await;
    agree(&cluster).await;
    for gone in [false, true] {
        let hurt = cluster.follower().await;
        cluster.close(hurt).await;
        let store = cluster.path(hurt).join("store");
        if gone {
            std::fs::remove_dir_all(&store).unwrap()
        } else {
            damage(&store)
        }
        write(&cluster.nodes[&cluster.leader(None).await], "meanwhile", "1").await.unwrap();
        let node = cluster.open(hurt).await;
        assert!(read(&node, "meanwhile").await.unwrap().is_some());
        agree(&cluster).await;
        assert_eq!(cluster.path(hurt).join("store.damaged-1").exists(), !gone);
        if !gone {
            std::fs::remove_dir_all(cluster.path(hurt).join("store.damaged-1")).unwrap();
        }
    }
    // It votes and leads like any other.
    let other = cluster.follower().await;
    cluster.close(other).await;
    write(&cluster.nodes[&cluster.leader(None).await], "after", "1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_peer_to_make_up_for_its_store_waits_for_one() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    cluster.grow().await;
    outgrow_the_log(&cluster).await;
    agree(&cluster).await;
    cluster.close(1).await;
    cluster.close(2).await;
    damage(&cluster.path(2).join("store"));
    let alone = runtime::timeout(Duration::from_secs(3), Node::open(cluster.options(2))).await;
    assert!(alone.is_err(), "it waits");
    assert!(cluster.path(2).join("store").exists(), "nothing is touched before there is something better");
    until("the folder is let go", || async {
        std::fs::File::open(cluster.path(2).join("lock")).unwrap().try_lock().is_ok()
    })
    .await;
    // The other one cannot lead without it, and has all the same.
    cluster.open(1).await;
    cluster.open(2).await;
    write(&cluster.nodes[&cluster.leader(None).await], "after", "1").await.unwrap();
    agree(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_is_sent_no_faster_than_it_may_be() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    outgrow_the_log(&cluster).await;
    cluster.close(1).await;
    cluster.checkpoint_bytes_per_second_max = vivarium_consensus::CHECKPOINT_BYTES_PER_SECOND_MIN;
    cluster.open(1).await;
    let began = runtime::now();
    cluster.grow().await;
    // 800 kB, of which the last chunk is paid for by nobody.
    assert!(began.elapsed() > Duration::from_millis(400), "{:?}", began.elapsed());
    agree(&cluster).await;
}

/// What a checkpoint of some 50 MB that is sent to one node costs those who write meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_a_checkpoint_costs_those_who_write() {
    let mut cluster = Cluster::of_one(8 << 20).await;
    cluster.grow().await;
    for nth in 0..500 {
        let node = &cluster.nodes[&cluster.leader(None).await];
        write(node, &format!("key {nth}"), &format!("{nth}{}", "v".repeat(100_000))).await.unwrap();
    }
    for (name, rate) in [("as fast as it goes", u64::MAX), ("16 MiB/s", 16 << 20), ("1 MiB/s", 1 << 20)] {
        for number in [1, 2] {
            cluster.close(number).await;
        }
        cluster.checkpoint_bytes_per_second_max = rate;
        for number in [1, 2] {
            cluster.open(number).await;
        }
        let leader = cluster.leader(None).await;
        let node = cluster.nodes[&leader].clone();
        let quiet = latencies(&node, || false).await;
        let number = cluster.admit().await;
        let began = runtime::now();
        let options = cluster.options(number);
        let joining = node.clone();
        let opened = std::sync::Arc::new(std::sync::Mutex::new(None));
        let done = opened.clone();
        runtime::spawn("newcomer", async move {
            let opened = Node::open(options).await.unwrap();
            let votes = |node: &Node| {
                node.members().is_ok_and(|all| {
                    all.iter().any(|member| member.node == number && member.part == vivarium_consensus::Part::Voter)
                })
            };
            while !votes(&joining) {
                runtime::sleep(Duration::from_millis(10)).await;
            }
            *done.lock().unwrap() = Some(opened);
        })
        .detach();
        let busy = latencies(&node, || opened.lock().unwrap().is_none()).await;
        println!("{name}: quiet {quiet}; while it is sent, for {:?}: {busy}", began.elapsed());
        let newcomer = opened.lock().unwrap().take().unwrap();
        node.remove_member(number, crate::fixture::soon()).await.ok();
        newcomer.close().await.ok();
    }
}

/// What writes take one after the other: at least 300, and as long as somebody says so.
async fn latencies(node: &Node, goes_on: impl Fn() -> bool) -> String {
    let mut all = Vec::new();
    while all.len() < 300 || goes_on() {
        let began = runtime::now();
        write(node, "probe", &all.len().to_string()).await.unwrap();
        all.push(began.elapsed());
    }
    all.sort();
    let at = |part: f64| all[(all.len() as f64 * part) as usize];
    format!("{} writes, median {:?}, p99 {:?}, most {:?}", all.len(), at(0.5), at(0.99), all[all.len() - 1])
}
