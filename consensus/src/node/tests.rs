//! Three whole nodes in one process: the way of a commit when others vote, and what a change of leaders leaves.

mod checkpoints;

use super::*;
use crate::checkpoint::Ask;
use crate::transport::RequestError;
use crate::transport::switchboard::Switchboard;
use crate::{CommitOptions, Role};
use std::collections::BTreeMap;
use tempfile::TempDir;
use vivarium_storage::{Key, Space};

/// What brings a request to a peer and its answer back.
type Deliver<'a> = &'a dyn Fn() -> Answer;
type Answer = std::result::Result<Vec<u8>, RequestError>;

struct Cluster {
    dirs: Vec<TempDir>,
    switchboard: Switchboard,
    segment_bytes: u64,
    nodes: BTreeMap<u64, Node>,
}

fn soon() -> Instant {
    runtime::now() + Duration::from_secs(20)
}

fn key(text: &str) -> Key {
    text.as_bytes().into()
}

impl Cluster {
    async fn new() -> Cluster {
        Cluster::with(1 << 20, |_, deliver| deliver()).await
    }

    /// Three nodes with segments of so many bytes, and what becomes of each request for a part of a checkpoint.
    async fn with(
        segment_bytes: u64,
        fate: impl Fn(&Switchboard, Deliver) -> Answer + Clone + Send + Sync + 'static,
    ) -> Cluster {
        let switchboard = Switchboard::default();
        let mut cluster = Cluster { dirs: Vec::new(), switchboard, segment_bytes, nodes: BTreeMap::new() };
        for id in 1..=3 {
            cluster.dirs.push(TempDir::new().unwrap());
            let node = cluster.open(id, fate.clone()).await;
            cluster.nodes.insert(id, node);
        }
        cluster
    }

    fn options(&self, id: u64) -> NodeOptions {
        NodeOptions {
            dir: self.dirs[id as usize - 1].path().join("data"),
            store: StoreOptions::default(),
            wal: WalOptions { segment_bytes: self.segment_bytes, ..WalOptions::default() },
            runtime: Runtime::seeded(id),
            cluster: None,
        }
    }

    async fn open(&self, id: u64, fate: impl Fn(&Switchboard, Deliver) -> Answer + Send + Sync + 'static) -> Node {
        let outbox = Outbox::Switchboard(self.switchboard.clone(), id);
        let switchboard = self.switchboard.clone();
        let ask = Ask::new(move |peer, body, _| {
            let deliver = || match switchboard.shell(id, peer).map(|shell| shell.inner()) {
                Some(Ok(inner)) => Ok(inner.checkpoints.answer(&body)),
                _ => Err(RequestError::NotSent("cut off".to_owned())),
            };
            let answer = fate(&switchboard, &deliver);
            Box::pin(async move { answer })
        });
        let book = Arc::new(Book::alone());
        let neighbours = Neighbours { founders: vec![1, 2, 3], outbox, book, ask: Some(ask) };
        let options = self.options(id);
        let folder = Arc::new(DataFolder::open(&options.dir).unwrap());
        let identity =
            Identity { cluster: uuid::Uuid::from_u128(7), node: id, epoch: vivarium_storage::Epoch::default() };
        folder.set_identity(&identity).unwrap();
        let node = Node::open_among(folder, identity, options, neighbours).await.unwrap();
        self.switchboard.connect(id, Arc::downgrade(&node.handle.shell));
        node
    }

    /// Waits until a node other than `not` leads and can be read from.
    async fn leader(&self, not: Option<u64>) -> u64 {
        let deadline = soon();
        while runtime::now() < deadline {
            let leads =
                |(id, node): (&u64, &Node)| (Some(*id) != not && node.status().role == Role::Leader).then_some(*id);
            if let Some(id) = self.nodes.iter().find_map(leads)
                && self.nodes[&id].begin(Consistency::Strong, soon()).await.is_ok()
            {
                return id;
            }
            runtime::sleep(Duration::from_millis(20)).await;
        }
        panic!("nobody leads");
    }

    fn follower(&self, leader: u64) -> &Node {
        self.nodes.iter().find(|(id, _)| **id != leader).map(|(_, node)| node).unwrap()
    }
}

async fn read(node: &Node, text: &str) -> Option<Vec<u8>> {
    let mut transaction = node.begin(Consistency::Strong, soon()).await.unwrap();
    let cells = transaction.get_many(Space::Index, &[key(text)]).await.unwrap();
    cells[0].as_ref().map(|cell| cell.value.to_vec())
}

async fn write(node: &Node, text: &str, value: &str) -> Result<Version> {
    let mut transaction = node.begin(Consistency::Strong, soon()).await?;
    transaction.put(Space::Index, key(text), value.into());
    let outcome = transaction.commit(CommitOptions::default(), soon()).await?;
    Ok(outcome.version)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_the_leader_is_read_strongly_everywhere() {
    let cluster = Cluster::new().await;
    let leader = cluster.leader(None).await;
    for nth in 0..20 {
        let value = format!("value {nth}");
        write(&cluster.nodes[&leader], "a", &value).await.unwrap();
        for node in cluster.nodes.values() {
            assert_eq!(read(node, "a").await.as_deref(), Some(value.as_bytes()));
            assert!(!node.inner().unwrap().progress.leads_alone(), "a strong read must ask the others");
        }
    }
    let refused = write(cluster.follower(leader), "a", "x").await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    for node in cluster.nodes.values() {
        node.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_keeps_what_was_acknowledged_and_refuses_what_was_read_before_it() {
    let cluster = Cluster::new().await;
    let old = cluster.leader(None).await;
    let written = write(&cluster.nodes[&old], "a", "1").await.unwrap();
    let follower = cluster.nodes.iter().find(|(id, _)| **id != old).map(|(_, node)| node.clone()).unwrap();
    let mut stale = follower.begin(Consistency::At(written), soon()).await.unwrap();
    write(&cluster.nodes[&old], "b", "1").await.unwrap();

    // The old leader takes a commit that it cannot bring to a majority.
    let mut doomed = cluster.nodes[&old].begin(Consistency::Strong, soon()).await.unwrap();
    cluster.switchboard.cut_off(old);
    doomed.put(Space::Index, key("doomed"), b"1".to_vec());
    let doomed = tokio::task::JoinSet::from_iter([doomed.commit(CommitOptions::default(), soon())]);
    let impatient = {
        let mut transaction = cluster.nodes[&old].begin(Consistency::Stale, soon()).await.unwrap();
        transaction.put(Space::Index, key("impatient"), b"1".to_vec());
        transaction.commit(CommitOptions::default(), runtime::now() + Duration::from_millis(200)).await
    };
    assert!(matches!(impatient, Err(Error::UnknownOutcome)), "{impatient:?}");

    let new = cluster.leader(Some(old)).await;
    let node = &cluster.nodes[&new];
    assert_eq!(read(node, "b").await.as_deref(), Some(&b"1"[..]));
    assert!(write(node, "a", "2").await.unwrap() > written);
    stale.put(Space::Index, key("c"), b"1".to_vec());
    let refused = stale.commit(CommitOptions::default(), soon()).await;
    let follower_leads = follower.status().role == Role::Leader;
    assert!(
        matches!((follower_leads, &refused), (true, Err(Error::Conflict)) | (false, Err(Error::Unavailable { .. }))),
        "{refused:?}"
    );

    cluster.switchboard.heal();
    let outcome = doomed.join_all().await.remove(0);
    assert!(matches!(outcome, Err(Error::Unavailable { .. })), "its entry was overwritten: {outcome:?}");
    let deadline = soon();
    while cluster.nodes[&old].status().role == Role::Leader && runtime::now() < deadline {
        runtime::sleep(Duration::from_millis(20)).await;
    }
    for text in ["doomed", "impatient"] {
        assert_eq!(read(&cluster.nodes[&old], text).await, None);
    }
    assert_eq!(read(&cluster.nodes[&old], "a").await.as_deref(), Some(&b"2"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_its_majority_serves_no_strong_read_and_still_closes() {
    let cluster = Cluster::new().await;
    let leader = cluster.leader(None).await;
    write(&cluster.nodes[&leader], "a", "1").await.unwrap();
    cluster.switchboard.cut_off(leader);
    let node = &cluster.nodes[&leader];
    let read = node.begin(Consistency::Strong, runtime::now() + Duration::from_millis(500)).await;
    assert!(matches!(read, Err(Error::DeadlineExceeded | Error::Unavailable { .. })));
    node.close().await.unwrap();
}

async fn reopen(node: &Node) {
    let inner = node.inner().unwrap();
    inner.progress.begin_reopening();
    inner.tell(Letter::Applied);
    let closed = inner.store.closed();
    drop(inner);
    closed.await;
    node.handle.shell.settled().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_opened_again_serves_on_and_what_ran_before_learns_it() {
    let dir = TempDir::new().unwrap();
    let options = NodeOptions {
        dir: dir.path().join("data"),
        store: StoreOptions::default(),
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        runtime: Runtime::seeded(1),
        cluster: None,
    };
    let node = Node::open(options.clone()).await.unwrap();
    for nth in 0..3 {
        let written = write(&node, "a", &nth.to_string()).await.unwrap();
        let mut reader = node.begin(Consistency::Stale, soon()).await.unwrap();
        let mut writer = node.begin(Consistency::Stale, soon()).await.unwrap();
        let old = Arc::downgrade(&node.inner().unwrap());
        let stopped = tokio::task::JoinSet::from_iter([{
            let node = node.clone();
            async move { runtime::timeout(Duration::from_millis(300), node.stopped()).await }
        }]);
        {
            let inner = node.inner().unwrap();
            inner.progress.begin_reopening();
            inner.tell(Letter::Applied);
        }
        for consistency in [Consistency::Strong, Consistency::At(written)] {
            let begun = node.begin(consistency, runtime::now() + Duration::from_millis(50)).await;
            assert!(matches!(begun, Err(Error::DeadlineExceeded)));
        }
        let refused = reader.get_many(Space::Index, &[key("a")]).await;
        assert!(matches!(refused, Err(Error::Reopened)), "{refused:?}");
        writer.put(Space::Index, key("b"), b"1".to_vec());
        let refused = writer.commit(CommitOptions::default(), soon()).await;
        assert!(matches!(refused, Err(Error::Reopened)), "{refused:?}");
        assert!(old.upgrade().is_some(), "a reader holds it");
        assert_eq!(node.status().version, written);
        // Who begins now waits, and meets the node that was opened again.
        let (begun, ()) = tokio::join!(node.begin(Consistency::Strong, soon()), async { drop(reader) });
        assert!(old.upgrade().is_none());
        drop(begun.unwrap());
        assert_eq!(read(&node, "a").await, Some(nth.to_string().into_bytes()));
        assert_eq!(read(&node, "b").await, None);
        assert!(old.upgrade().is_none());
        assert!(stopped.join_all().await[0].is_err(), "to be opened again is not to stop");
    }
    reopen(&node).await;
    assert!(matches!(Node::open(options.clone()).await, Err(Error::Storage(vivarium_storage::Error::Locked { .. }))));
    node.close().await.unwrap();
    node.close().await.unwrap();
    assert!(matches!(node.begin(Consistency::Stale, soon()).await, Err(Error::Stopped(_))));
    drop(node);
    let node = Node::open(options).await.unwrap();
    assert_eq!(read(&node, "a").await.as_deref(), Some(&b"2"[..]));
    node.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_may_be_closed_at_any_moment_while_it_is_opened_again() {
    let dir = TempDir::new().unwrap();
    let options = NodeOptions {
        dir: dir.path().join("data"),
        store: StoreOptions::default(),
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        runtime: Runtime::seeded(1),
        cluster: None,
    };
    for micros in [0, 0, 50, 200, 1_000, 5_000, 20_000] {
        let node = Node::open(options.clone()).await.unwrap();
        write(&node, "a", &micros.to_string()).await.unwrap();
        let inner = node.inner().unwrap();
        inner.progress.begin_reopening();
        inner.tell(Letter::Applied);
        drop(inner);
        runtime::sleep(Duration::from_micros(micros)).await;
        node.close().await.unwrap();
        assert!(matches!(node.begin(Consistency::Stale, soon()).await, Err(Error::Stopped(_))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_opened_again_stops_the_node_and_says_why() {
    let dir = TempDir::new().unwrap();
    let options = NodeOptions {
        dir: dir.path().join("data"),
        store: StoreOptions::default(),
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        runtime: Runtime::seeded(1),
        cluster: None,
    };
    let node = Node::open(options.clone()).await.unwrap();
    let inner = node.inner().unwrap();
    std::fs::remove_file(options.dir.join("log/00000001.log")).unwrap();
    inner.progress.begin_reopening();
    inner.tell(Letter::Applied);
    drop(inner);
    let reason = node.stopped().await;
    assert!(reason.starts_with("it could not be opened again"), "{reason}");
    assert_eq!(node.status().stopped.as_deref(), Some(&*reason));
    assert!(matches!(node.begin(Consistency::Stale, soon()).await, Err(Error::Stopped(_))));
    assert!(matches!(node.store(), Err(Error::Stopped(_))));
    assert!(matches!(node.close().await, Err(Error::Stopped(_))));
}

#[tokio::test]
async fn a_checkpoint_that_comes_while_a_node_opens_does_not_keep_it_from_opening() {
    let cluster = Cluster::new().await;
    let shell = &cluster.nodes[&1].handle.shell;
    let inner = shell.inner().unwrap();
    inner.progress.begin_reopening();
    inner.tell(Letter::Applied);
    drop(inner);
    // One thread: whoever waits here must let the others have theirs.
    let node = &cluster.nodes[&1];
    node.caught_up(soon()).await.unwrap();
    assert!(!node.inner().unwrap().progress.reopens());
}
