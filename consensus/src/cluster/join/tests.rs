//! A node that joins while the one that it asks is told to go.

use super::*;
use crate::Node;
use crate::cluster::directory;
use crate::cluster::fixture::{free_address, options};
use std::time::Duration;
use tempfile::TempDir;
use vivarium_storage::runtime::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_voter_lets_its_heir_in_though_it_is_to_go() {
    let dir = TempDir::new().unwrap();
    let soon = || now() + Duration::from_secs(30);
    let first = free_address();
    let (old, new) = (options(&dir, 1, &first), options(&dir, 2, &free_address()));
    let token = initialise(&old.dir, &old.runtime).unwrap();
    let leaving = Node::open(old).await.unwrap();
    let cluster = new.cluster.as_ref().unwrap();
    let ask = || join(&new.dir, cluster, &token, &first, &new.runtime, soon());
    assert_eq!(ask().await.unwrap(), 2);
    // As if the answer had been lost.
    std::fs::remove_file(new.dir.join("identity")).unwrap();
    std::fs::remove_file(new.dir.join("peers")).unwrap();
    // Who removes asks the leader first, which counts voters only; two that are removed at once get past that.
    directory::strike(&leaving.inner().unwrap(), 1, soon()).await.unwrap();
    assert_eq!(ask().await.unwrap(), 2, "it has its number already");
    let heir = Node::open(new.clone()).await.unwrap();
    let reason = timeout(Duration::from_secs(30), leaving.stopped()).await.unwrap();
    assert!(reason.contains("removed"), "{reason}");
    assert_eq!(heir.status().voters, [2]);
    heir.close().await.unwrap();
}
