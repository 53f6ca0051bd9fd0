//! A survivor whose log holds more than its store: commits that count, and changes that must not bring the others back.

use super::*;
use crate::command::{Draft, Write};
use crate::{Consistency, Node, Role};
use std::time::Duration;
use tempfile::TempDir;
use vivarium_storage::runtime::{Runtime, now};
use vivarium_storage::{Key, Space, StoreOptions, WalOptions};

fn options(dir: &TempDir) -> NodeOptions {
    NodeOptions {
        dir: dir.path().join("data"),
        store: StoreOptions { workers: 0, ..StoreOptions::default() },
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        runtime: Runtime::seeded(7),
        cluster: None,
    }
}

async fn append(wal: &Wal, entries: Vec<(u64, Vec<u8>)>) {
    let record = |(index, payload)| Record::Entry { term: 1, index, payload };
    let (done, durable) = oneshot::channel();
    wal.append(GROUP, entries.into_iter().map(record).collect(), Box::new(move |written| drop(done.send(written))));
    durable.await.unwrap().unwrap();
}

/// Node 1 of the voters 1, 2 and 3. Its log ends with a commit and a change that its store does not have.
async fn survivor(options: &NodeOptions) -> Position {
    let node = Node::open(options.clone()).await.unwrap();
    node.close().await.unwrap();
    drop(node);
    let folder = DataFolder::open(&options.dir).unwrap();
    let Recovery { store, wal, recovered } = recovery::recover(&folder, options).unwrap();
    let (last, _) = recovered.last;
    let write = Write { space: Space::KeyValue, key: b"late", value: Some(b"kept") };
    let commit = Draft::commit(Version(0), &[write], None).finish(Version(store.position().version.0 + 1));
    let promotion = |node| Payload::Configuration(raft::promotion_of(node)).to_log();
    append(&wal, vec![(last + 1, promotion(2)), (last + 2, commit), (last + 3, promotion(9))]).await;
    let three = Payload::Configuration(raft::configuration_of(vec![1, 2, 3]));
    applier(&store, &wal, options)
        .replay(vec![Work { index: last + 1, term: 1, payload: three, ticket: None }])
        .unwrap();
    store.persist().unwrap();
    wal.close();
    store.position()
}

#[tokio::test]
async fn a_survivor_keeps_what_its_log_has_and_decides_alone() {
    let dir = TempDir::new().unwrap();
    let options = options(&dir);
    let before = survivor(&options).await;
    let told = recover(&options, false).await.unwrap();
    assert_eq!((told.node, &told.voters[..], &told.others[..]), (1, &[1, 2, 3, 9][..], &[2, 3, 9][..]));
    assert_eq!((told.applied_index, told.last_index, told.forced), (before.index, before.index + 2, false));
    assert_eq!(recover(&options, false).await.unwrap(), told, "to ask changes nothing");

    let done = recover(&options, true).await.unwrap();
    assert!(done.forced && done.version > told.version);
    let refused = recover(&options, true).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(reason) if reason.contains("nothing to recover")), "{refused}");

    // Twice: the second start reads what the first one wrote.
    for _ in 0..2 {
        let node = Node::open(options.clone()).await.unwrap();
        let status = node.status();
        assert_eq!((status.role, &status.voters[..]), (Role::Leader, &[1][..]));
        let deadline = now() + Duration::from_secs(20);
        let mut transaction = node.begin(Consistency::Strong, deadline).await.unwrap();
        let keys: [Key; 1] = [b"late"[..].into()];
        let cell = transaction.get_many(Space::KeyValue, &keys).await.unwrap().remove(0).unwrap();
        assert_eq!(&*cell.value, b"kept");
        transaction.put(Space::KeyValue, b"new"[..].into(), b"v".to_vec());
        transaction.commit(crate::CommitOptions::default(), deadline).await.unwrap();
        node.close().await.unwrap();
    }
}

#[tokio::test]
async fn until_it_is_decided_nothing_has_changed() {
    let dir = TempDir::new().unwrap();
    let options = options(&dir);
    survivor(&options).await;
    let told = recover(&options, false).await.unwrap();
    // As after a crash just before the decision: the store that was made is there, and the log knows nothing of it.
    let folder = DataFolder::open(&options.dir).unwrap();
    let found = recovery::recover(&folder, &options).unwrap();
    let made = Store::restore(&folder.incoming(), options.store.clone(), &mut found.store.snapshot().export()).unwrap();
    apply_log(&made, &found.wal, told.last_index, &options).unwrap();
    made.persist().unwrap();
    found.wal.close();
    drop((made, found, folder));
    assert_eq!(recover(&options, false).await.unwrap(), told);
    assert!(recover(&options, true).await.unwrap().forced);
}

#[tokio::test]
async fn a_survivor_whose_store_knows_nobody_yet_learns_from_its_log_who_votes() {
    let dir = TempDir::new().unwrap();
    let options = options(&dir);
    let node = Node::open(options.clone()).await.unwrap();
    node.close().await.unwrap();
    drop(node);
    let folder = DataFolder::open(&options.dir).unwrap();
    let Recovery { store, wal, recovered } = recovery::recover(&folder, &options).unwrap();
    let (last, _) = recovered.last;
    let promotion = |node| Payload::Configuration(raft::promotion_of(node)).to_log();
    append(&wal, vec![(last + 1, promotion(2)), (last + 2, promotion(3))]).await;
    wal.close();
    drop((store, folder));
    let told = recover(&options, true).await.unwrap();
    assert_eq!((&told.voters[..], &told.others[..], told.forced), (&[1, 2, 3][..], &[2, 3][..], true));
    let node = Node::open(options).await.unwrap();
    assert_eq!(node.status().voters, [1]);
    node.close().await.unwrap();
}

#[tokio::test]
async fn one_that_decides_alone_and_a_folder_without_a_node_are_left_alone() {
    let dir = TempDir::new().unwrap();
    let options = options(&dir);
    let refused = recover(&options, true).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(reason) if reason.contains("holds no node")), "{refused}");
    Node::open(options.clone()).await.unwrap().close().await.unwrap();
    let refused = recover(&options, true).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(reason) if reason.contains("decides alone already") || reason.contains("decides alone")),
        "{refused}"
    );
}
