//! A follower that was away for longer than the log reaches back takes the leader's store.

use super::*;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

/// Small, so that the log forgets soon.
const SEGMENT_BYTES: u64 = 64 << 10;

impl Cluster {
    /// Writes until the leader's log no longer has what the others had before.
    async fn outrun(&self, leader: u64) {
        let node = &self.nodes[&leader];
        let before = node.status().last_index;
        let mut nth = 0;
        while node.inner().unwrap().wal.recovered(crate::driver::GROUP).first.0 <= before {
            write(node, &format!("outrun {}", nth % 50), &"v".repeat(20_000)).await.unwrap();
            nth += 1;
        }
        // A few more, so that a checkpoint has several chunks.
        for nth in 0..60 {
            write(node, &format!("more {nth}"), &"w".repeat(20_000)).await.unwrap();
        }
    }

    /// Waits until all nodes are at the same place, and compares all that they have.
    async fn agree(&self) {
        // Whole stores may have to come, one after the other.
        let deadline = runtime::now() + Duration::from_secs(60);
        let positions =
            || -> Vec<_> { self.nodes.values().map(|node| node.store().ok().map(|store| store.position())).collect() };
        loop {
            let found = positions();
            if found[0].is_some() && found.iter().all(|position| *position == found[0]) {
                break;
            }
            assert!(runtime::now() < deadline, "{found:?}");
            runtime::sleep(Duration::from_millis(20)).await;
        }
        let contents = |node: &Node| -> Vec<Vec<u8>> {
            node.store().unwrap().snapshot().export().collect::<vivarium_storage::Result<_>>().unwrap()
        };
        let first = contents(&self.nodes[&1]);
        for node in self.nodes.values() {
            assert!(contents(node) == first, "two nodes at the same place have different contents");
        }
    }

    fn inner(&self, id: u64) -> Weak<Inner> {
        Arc::downgrade(&self.nodes[&id].inner().unwrap())
    }
}

/// Writes to whoever leads until it is told to stop. Returns how many commits were acknowledged.
fn writing(cluster: &Cluster, stop: &Arc<AtomicU64>) -> JoinSet<u64> {
    let (nodes, stop) = (cluster.nodes.clone(), stop.clone());
    JoinSet::from_iter([async move {
        let mut acknowledged = 0;
        while stop.load(Ordering::Relaxed) == 0 {
            for node in nodes.values() {
                let text = format!("meanwhile {acknowledged}");
                if node.status().role == Role::Leader && write(node, &text, &text).await.is_ok() {
                    acknowledged += 1;
                }
            }
            runtime::sleep(Duration::from_millis(5)).await;
        }
        acknowledged
    }])
}

async fn gone(old: &Weak<Inner>) {
    let deadline = soon();
    while old.upgrade().is_some() {
        assert!(runtime::now() < deadline, "the node was not opened again");
        runtime::sleep(Duration::from_millis(20)).await;
    }
}

/// A follower is cut off, outrun, and comes back; requests for checkpoints meet this fate.
async fn comes_back(fate: impl Fn(&Switchboard, Deliver) -> Answer + Clone + Send + Sync + 'static) -> Cluster {
    let cluster = Cluster::with(SEGMENT_BYTES, fate).await;
    let leader = cluster.leader(None).await;
    write(&cluster.nodes[&leader], "a", "before").await.unwrap();
    cluster.agree().await;
    let away = if leader == 1 { 2 } else { 1 };
    cluster.switchboard.cut_off(away);
    cluster.outrun(leader).await;
    let old = cluster.inner(away);
    let mut reader = cluster.nodes[&away].begin(Consistency::Stale, soon()).await.unwrap();
    assert!(reader.get_many(Space::Index, &[key("a")]).await.unwrap()[0].is_some());

    let stop = Arc::default();
    let writer = writing(&cluster, &stop);
    cluster.switchboard.heal();
    while reader.get_many(Space::Index, &[key("a")]).await.is_ok() {
        runtime::sleep(Duration::from_millis(5)).await;
    }
    drop(reader);
    gone(&old).await;
    cluster.nodes[&away].handle.shell.settled().await.unwrap();
    stop.store(1, Ordering::Relaxed);
    assert!(writer.join_all().await[0] > 0);
    cluster.agree().await;
    assert_eq!(read(&cluster.nodes[&away], "a").await.as_deref(), Some(&b"before"[..]));
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_outrun_takes_a_checkpoint_while_commits_go_on() {
    let cluster = comes_back(|_, deliver| deliver()).await;
    for dir in &cluster.dirs {
        for name in ["incoming", "incoming.new", "store.replaced", "removed"] {
            assert!(!dir.path().join("data").join(name).exists(), "{name}");
        }
    }
    // What it installed is what it opens on.
    for node in cluster.nodes.values() {
        node.close().await.unwrap();
    }
    let Cluster { dirs, switchboard, segment_bytes, nodes } = cluster;
    drop(nodes);
    let mut cluster = Cluster { dirs, switchboard, segment_bytes, nodes: BTreeMap::new() };
    for id in 1..=3 {
        let node = cluster.open(id, |_, deliver| deliver()).await;
        cluster.nodes.insert(id, node);
    }
    cluster.leader(None).await;
    cluster.agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_comes_over_a_way_that_breaks_again_and_again() {
    let nth = Arc::new(AtomicU64::new(0));
    comes_back(move |_, deliver| {
        let answer = deliver();
        if nth.fetch_add(1, Ordering::Relaxed) % 3 == 2 { Err(RequestError::Unknown) } else { answer }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_goes_in_the_middle_is_followed_by_another_checkpoint() {
    let (nth, doomed) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let cluster = Cluster::with(SEGMENT_BYTES, {
        let (nth, doomed) = (Arc::new(nth), doomed.clone());
        move |switchboard, deliver| {
            if nth.fetch_add(1, Ordering::Relaxed) == 4 {
                switchboard.cut_off(doomed.load(Ordering::Relaxed));
            }
            deliver()
        }
    })
    .await;
    let leader = cluster.leader(None).await;
    doomed.store(leader, Ordering::Relaxed);
    let away = if leader == 1 { 2 } else { 1 };
    cluster.switchboard.cut_off(away);
    cluster.outrun(leader).await;
    let old = cluster.inner(away);
    cluster.switchboard.heal();
    gone(&old).await;
    let new = cluster.leader(Some(leader)).await;
    assert_ne!(new, leader);
    write(&cluster.nodes[&new], "a", "after").await.unwrap();
    assert_eq!(read(&cluster.nodes[&away], "a").await.as_deref(), Some(&b"after"[..]));
    cluster.switchboard.heal();
    cluster.agree().await;
}

/// Nodes fall behind and come back, leaders change, and every fifth request for a part of a checkpoint is lost.
async fn survives(rounds: u64, seed: u64) {
    let chance = Runtime::seeded(seed);
    let lossy = {
        let chance = chance.clone();
        move |_: &Switchboard, deliver: Deliver| {
            let answer = deliver();
            if chance.random().is_multiple_of(5) { Err(RequestError::Unknown) } else { answer }
        }
    };
    let cluster = Cluster::with(SEGMENT_BYTES, lossy).await;
    cluster.leader(None).await;
    let (stop, nodes) = (Arc::new(AtomicU64::new(0)), cluster.nodes.clone());
    let stopped = stop.clone();
    let writers = JoinSet::from_iter((0..3).map(move |writer| {
        let (nodes, stop) = (nodes.clone(), stopped.clone());
        async move {
            let mut acknowledged = BTreeMap::new();
            let mut nth = 0;
            while stop.load(Ordering::Relaxed) == 0 {
                for node in nodes.values().filter(|node| node.status().role == Role::Leader) {
                    nth += 1;
                    let (text, value) = (format!("{writer}/{}", nth % 40), format!("{nth:010}{}", "v".repeat(20_000)));
                    let deadline = runtime::now() + Duration::from_millis(500);
                    let Ok(mut transaction) = node.begin(Consistency::Strong, deadline).await else { continue };
                    transaction.put(Space::Index, key(&text), value.clone().into());
                    if transaction.commit(CommitOptions::default(), deadline).await.is_ok() {
                        acknowledged.insert(text, value);
                    }
                }
                runtime::sleep(Duration::from_millis(2)).await;
            }
            acknowledged
        }
    }));
    for _ in 0..rounds {
        let away = 1 + chance.random() % 3;
        cluster.switchboard.cut_off(away);
        runtime::sleep(Duration::from_millis(500 + chance.random() % 2_500)).await;
        cluster.switchboard.heal();
        runtime::sleep(Duration::from_millis(chance.random() % 3_000)).await;
    }
    stop.store(1, Ordering::Relaxed);
    let acknowledged = writers.join_all().await;
    cluster.leader(None).await;
    cluster.agree().await;
    let count: usize = acknowledged.iter().map(BTreeMap::len).sum();
    assert!(count > 0);
    // A later write without an answer may have overwritten an acknowledged one, an earlier one never.
    for (text, value) in acknowledged.into_iter().flatten() {
        let found = read(&cluster.nodes[&1], &text).await.unwrap_or_else(|| panic!("{text} is lost"));
        assert!(found[..10] >= value.as_bytes()[..10], "{text} is older than what was acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_fall_behind_again_and_again() {
    survives(4, 1).await;
}
