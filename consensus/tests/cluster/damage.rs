//! A log that is damaged in the middle: its node comes back by itself, with all data, under another number.

use crate::fixture::{Cluster, free_address, read, until, write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vivarium_consensus::{ClusterOptions, Error, Node, NodeOptions, Part};
use vivarium_storage::{StoreOptions, runtime};

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

/// Flips a bit in the middle of each table.
fn rot_tables(folder: &Path) -> usize {
    let mut folders = vec![folder.join("store/keyspaces")];
    let mut rotten = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if folder.ends_with("tables") {
                let mut bytes = std::fs::read(&path).unwrap();
                // Small tables are those that opening reads.
                if bytes.len() > 20_000 {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 0x10;
                    std::fs::write(path, bytes).unwrap();
                    rotten += 1;
                }
            }
        }
    }
    rotten
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_turns_out_to_be_damaged_is_replaced_while_its_node_runs() {
    for (segment_bytes, keys, is_fetched) in [(SEGMENT_BYTES, 100, true), (4 << 20, 40, false)] {
        let mut cluster = Cluster::of_one(segment_bytes).await;
        cluster.grow().await;
        cluster.grow().await;
        let hurt = cluster.follower().await;
        // It writes tables soon.
        let store = StoreOptions { workers: 0, memtable_bytes: 64 << 10, ..StoreOptions::default() };
        let options = NodeOptions { store, ..cluster.options(hurt) };
        cluster.close(hurt).await;
        cluster.nodes.insert(hurt, Node::open(options.clone()).await.unwrap());
        fill(&cluster, 0..keys).await;
        has(&cluster.nodes[&hurt], 0..keys).await;
        cluster.close(hurt).await;
        assert!(rot_tables(&cluster.path(hurt)) > 0, "there are tables");
        // A log that is whole builds the store anew.
        assert_eq!(cluster.path(hurt).join("log/00000001.log").exists(), !is_fetched);

        let node = Node::open(options.clone()).await.unwrap();
        for nth in 0..keys {
            // Who asks while the node is opened again is told to ask again.
            let key = format!("key {nth}");
            until("it is read", || async {
                match read(&node, &key).await {
                    Ok(value) => value.expect("nothing is lost").starts_with(format!("{nth}v").as_bytes()),
                    Err(Error::Reopened | Error::Unavailable { .. }) => false,
                    Err(error) => panic!("{error}"),
                }
            })
            .await;
        }
        assert_eq!(node.status().stopped, None);
        let folder = cluster.path(hurt);
        assert!(folder.join("store.damaged-1").exists(), "it is set aside, not deleted");
        cluster.nodes.insert(hurt, node);
        fill(&cluster, keys..keys + 10).await;
        has(&cluster.nodes[&hurt], 0..keys + 10).await;
        cluster.close(hurt).await;
        has(&Node::open(options).await.unwrap(), 0..keys + 10).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_built_anew_ends_where_the_one_before_was_closed() {
    store_is_built_anew(false).await;
    // A process that was killed left less in the log than the next one knew.
    store_is_built_anew(true).await;
}

async fn store_is_built_anew(was_killed: bool) {
    let mut cluster = Cluster::of(3).await;
    fill(&cluster, 0..5).await;
    let hurt = cluster.follower().await;
    has(&cluster.nodes[&hurt], 0..5).await;
    let others: Vec<u64> = cluster.nodes.keys().copied().filter(|node| *node != hurt).collect();
    for other in others {
        cluster.close(other).await;
    }
    if was_killed {
        let left = cluster.path(hurt).with_extension("left");
        copy(&cluster.path(hurt), &left);
        cluster.close(hurt).await;
        std::fs::remove_dir_all(cluster.path(hurt)).unwrap();
        std::fs::rename(left, cluster.path(hurt)).unwrap();
        cluster.open(hurt).await;
    }
    let node = cluster.nodes.remove(&hurt).unwrap();
    node.close().await.unwrap();
    let before = node.status();
    drop(node);
    take(&cluster.path(hurt), &["store"]);
    // Nobody tells it what is committed.
    let after = cluster.open(hurt).await.status();
    assert_eq!((after.applied_index, after.version), (before.applied_index, before.version));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_gone_is_a_lost_log_also_without_a_store() {
    let mut cluster = Cluster::of(3).await;
    fill(&cluster, 0..5).await;
    for (gone, expected) in [(&["log"][..], 4), (&["log", "store"], 5)] {
        let hurt = cluster.leader(None).await;
        cluster.close(hurt).await;
        take(&cluster.path(hurt), gone);
        let new = cluster.open_replaced(hurt).await;
        assert_eq!(new, expected);
        cluster.until_votes(new).await;
        has(&cluster.nodes[&new], 0..5).await;
        until("three vote again", || async { voters(&cluster).await.len() == 3 }).await;
        // And once more as what it became.
        cluster.close(new).await;
        assert_eq!(cluster.open(new).await.status().node, new);
    }
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
    let options = ClusterOptions::new(free_address());
    for cluster_options in [None, Some(options)] {
        let opened = Node::open(NodeOptions { cluster: cluster_options, ..cluster.options(1) }).await;
        let Err(refused) = opened else { panic!("it opens") };
        assert!(matches!(&refused, Error::Storage(vivarium_storage::Error::Corrupt { .. })), "{refused}");
    }
    assert!(!cluster.path(1).join("log.damaged-1").exists());
}

/// What is taken out of a folder, and what its node does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// It opens under its number.
    Back,
    /// It gives its number up and asks for another one.
    Anew,
    /// It says this and changes nothing.
    Refused(&'static str),
}

const ALL: &[&str] = &["log", "store", "identity", "secret", "peers", "started"];

/// Opens a node that can reach nobody, until it is clear what it does.
async fn comes(options: NodeOptions) -> Result<Comes, String> {
    let note = options.dir.join("replacement");
    let mut opening = std::pin::pin!(async {
        let node = Node::open(options).await.map_err(|error| error.to_string())?;
        node.close().await.map_err(|error| error.to_string())
    });
    let deadline = crate::fixture::soon();
    loop {
        if let Ok(opened) = runtime::timeout(Duration::from_millis(20), &mut opening).await {
            return opened.map(|()| Comes::Back);
        }
        if note.exists() {
            return Ok(Comes::Anew);
        }
        assert!(runtime::now() < deadline, "it neither opens nor is refused");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// Takes these out of a folder. A name that ends with a slash is a folder that is emptied.
fn take(folder: &Path, gone: &[&str]) {
    for name in gone {
        let path = folder.join(name.trim_end_matches('/'));
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
            if name.ends_with('/') {
                std::fs::create_dir(&path).unwrap();
            }
        } else if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
    }
}

async fn each_comes(cluster: &Cluster, number: u64, member: bool, table: &[(&[&str], Comes)]) {
    let scratch = tempfile::tempdir().unwrap();
    for (nth, (gone, expected)) in table.iter().enumerate() {
        let dir = scratch.path().join(nth.to_string());
        copy(&cluster.path(number), &dir);
        take(&dir, gone);
        let mut options = NodeOptions { dir: dir.clone(), ..cluster.options(number) };
        if !member {
            options.cluster = None;
        }
        match (comes(options).await, expected) {
            (Ok(came), expected) => assert_eq!(came, *expected, "without {gone:?}"),
            (Err(said), Comes::Refused(part)) => assert!(said.contains(part), "without {gone:?}: {said}"),
            (Err(said), expected) => panic!("without {gone:?}: {said}, and not {expected:?}"),
        }
        if matches!(expected, Comes::Refused(_)) {
            assert!(!dir.join("replacement").exists() && gone.iter().all(|name| !dir.join(name).is_file()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_member_lost_it_never_forgets_what_it_promised() {
    use Comes::{Anew, Back, Refused};
    let mut cluster = Cluster::of(3).await;
    fill(&cluster, 0..5).await;
    for number in [1, 2, 3] {
        cluster.close(number).await;
    }
    let table: &[(&[&str], Comes)] = &[
        (&[], Back),
        // The log has all that the store had.
        (&["store"], Back),
        (&["started"], Back),
        (&["peers"], Back),
        (&["log"], Anew),
        (&["log/"], Anew),
        (&["log", "started"], Anew),
        (&["log", "store"], Anew),
        (&["log/", "store/"], Anew),
        (&["log/", "store"], Anew),
        // Nobody is known to ask.
        (&["log", "store", "peers"], Refused("remove node 2 from its cluster")),
        (&["secret"], Refused("copy the file `secret`")),
        (&["log", "store", "secret"], Refused("copy the file `secret`")),
        (&["identity"], Refused("corrupt identity")),
        (&["identity", "log", "store"], Refused("corrupt identity")),
        (&["identity", "log", "store", "started"], Refused("corrupt identity")),
        (&["identity", "log", "store", "started", "peers"], Refused("corrupt identity")),
        // Only FORMAT is left, which a new folder has too.
        (ALL, Back),
    ];
    each_comes(&cluster, 2, true, table).await;
    let table: &[(&[&str], Comes)] =
        &[(&["log", "store"], Refused("serve it with --cluster-listen")), (&["log"], Refused("--cluster-listen"))];
    each_comes(&cluster, 2, false, table).await;
    // The founder could make another secret, and would be a stranger to all.
    each_comes(&cluster, 1, true, &[(&["secret"], Refused("copy the file `secret`"))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_always_alone_is_never_silently_empty() {
    use Comes::{Back, Refused};
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    fill(&cluster, 0..5).await;
    cluster.close(1).await;
    let table: &[(&[&str], Comes)] = &[
        (&[], Back),
        (&["store"], Back),
        // It has nobody to be a stranger to.
        (&["secret"], Back),
        (&["log"], Refused("restore the backup")),
        (&["log/"], Refused("restore the backup")),
        (&["log", "store"], Refused("and so is the store, though the node has run in this folder")),
        (&["log/", "store/"], Refused("restore the backup")),
        (&["identity"], Refused("corrupt identity")),
        (&["identity", "log", "store", "secret", "peers"], Refused("corrupt identity")),
        (ALL, Back),
    ];
    for member in [true, false] {
        each_comes(&cluster, 1, member, table).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_died_half_way_goes_on() {
    let mut cluster = Cluster::of_one(SEGMENT_BYTES).await;
    for left in [&[][..], &["log"], &["log", "log/00000001.new"], &["log", "store.new"]] {
        let number = cluster.admit().await;
        for name in left {
            let path = cluster.path(number).join(name);
            if name.ends_with("1.new") {
                std::fs::write(path, [0; 100]).unwrap();
            } else {
                std::fs::create_dir(path).unwrap();
            }
        }
        assert_eq!(cluster.open(number).await.status().node, number, "{left:?}");
        cluster.until_votes(number).await;
    }
    // One that has not joined in full is no first node of another cluster.
    let path = cluster.path(7);
    vivarium_storage::DataFolder::open(&path).unwrap().card(|| [7; 16]).unwrap();
    let Err(refused) = Node::open(NodeOptions { dir: path, ..cluster.options(1) }).await else { panic!("it opens") };
    assert!(refused.to_string().contains("cluster join"), "{refused}");
}
