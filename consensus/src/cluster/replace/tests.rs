//! A node that dies between any two steps of its replacement, and the number that it gets.

use super::*;
use crate::cluster::fixture::{free_address, options};
use crate::{Node, Part, initialise, join};
use tempfile::TempDir;
use vivarium_storage::Epoch;
use vivarium_storage::runtime::timeout;

/// Three nodes that vote, and how they were opened.
async fn three(dir: &TempDir) -> (Vec<Node>, Vec<NodeOptions>, Token) {
    let soon = || now() + Duration::from_secs(30);
    let token = initialise(&dir.path().join("1"), &Runtime::seeded(1)).unwrap();
    let first = free_address();
    let mut all = vec![options(dir, 1, &first)];
    let mut nodes = vec![Node::open(all[0].clone()).await.unwrap()];
    for number in [2, 3] {
        let options = options(dir, number, &free_address());
        let cluster = options.cluster.as_ref().unwrap();
        join(&options.dir, cluster, &token, &first, &options.runtime, soon()).await.unwrap();
        let node = Node::open(options.clone()).await.unwrap();
        let votes = || {
            node.members()
                .is_ok_and(|members| members.iter().filter(|m| m.part == Part::Voter).count() == number as usize)
        };
        while !votes() {
            sleep(Duration::from_millis(20)).await;
        }
        nodes.push(node);
        all.push(options);
    }
    (nodes, all, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_dies_after_any_step_gets_the_same_number_and_never_the_old_one() {
    let dir = TempDir::new().unwrap();
    let (mut nodes, options, token) = three(&dir).await;
    let options = &options[2];
    let node = nodes.pop().unwrap();
    node.close().await.unwrap();
    drop(node);
    let opened = timeout(Duration::from_secs(10), async {
        loop {
            // Its tasks let the folder go in a moment.
            match DataFolder::open(&options.dir) {
                Ok(folder) => return folder,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    });
    let folder = opened.await.unwrap();
    let old = folder.identity().unwrap().unwrap();
    let segment = folder.log().join("00000001.log");
    let whole = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &whole[..4096]).unwrap();
    assert!(begin_replacement(&folder, &old, options).unwrap(), "what its store has is not in its log");
    let keep = |name: &str| (options.dir.join(name), std::fs::read(options.dir.join(name)).unwrap());
    let (identity, note) = (keep("identity"), keep("replacement"));
    let cluster = options.cluster.as_ref().unwrap();
    for step in ["nothing but the number given", "log and store set aside", "the identity written"] {
        let new = replace(&folder, old, cluster, &token, &options.runtime).await.unwrap();
        assert_eq!(new, Identity { node: 4, epoch: Epoch::default(), ..old }, "{step}");
        assert!(!folder.log().exists() && !folder.store().exists() && folder.replacement().unwrap().is_none());
        // As if it had died earlier.
        std::fs::write(&note.0, &note.1).unwrap();
        match step {
            "nothing but the number given" => {
                std::fs::write(&identity.0, &identity.1).unwrap();
                std::fs::rename(options.dir.join("log.damaged-1"), folder.log()).unwrap();
                std::fs::rename(options.dir.join("store.damaged-1"), folder.store()).unwrap();
            }
            "log and store set aside" => std::fs::write(&identity.0, &identity.1).unwrap(),
            _ => {}
        }
        let found = folder.identity().unwrap().unwrap();
        assert_eq!(replace(&folder, found, cluster, &token, &options.runtime).await.unwrap().node, 4, "{step}");
        std::fs::write(&identity.0, &identity.1).unwrap();
        std::fs::write(&note.0, &note.1).unwrap();
    }
    replace(&folder, old, cluster, &token, &options.runtime).await.unwrap();
    drop(folder);
    let back = Node::open(options.clone()).await.unwrap();
    assert_eq!(back.status().node, 4);
    for node in nodes.iter().chain([&back]) {
        node.close().await.unwrap();
    }
}
