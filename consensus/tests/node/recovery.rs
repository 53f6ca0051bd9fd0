//! What is there after a restart: everything that was acknowledged, in the same order.

use crate::fixture::*;
use crate::outcomes::run;
use std::path::Path;
use tempfile::TempDir;
use vivarium_consensus::{Error, Node, NodeOptions};
use vivarium_storage::WalOptions;

#[test]
fn a_closed_node_opens_again() {
    let dir = TempDir::new().unwrap();
    let version = run(async {
        let node = open(dir.path()).await;
        let version = write(&node, "a", "1").await;
        node.close().await.unwrap();
        node.close().await.unwrap();
        assert!(matches!(node.begin(vivarium_consensus::Consistency::Strong, soon()).await, Err(Error::Stopped(_))));
        version
    });
    run(async {
        let node = open(dir.path()).await;
        assert_eq!(begin(&node).await.version(), version);
        assert_eq!(read(&node, "a").await.as_deref(), Some("1"));
        assert!(write(&node, "a", "2").await > version);
    });
}

#[test]
fn a_version_is_never_given_out_twice_even_if_the_clock_lost_an_hour_meanwhile() {
    let dir = TempDir::new().unwrap();
    let before = run(async { write(&open(dir.path()).await, "a", "1").await });
    run(async {
        let options = options(dir.path());
        options.runtime.skew(-3_600_000_000);
        let node = Node::open(options).await.unwrap();
        assert_eq!(write(&node, "a", "2").await.0, before.0 + 1);
    });
}

#[test]
fn what_was_acknowledged_is_there_when_the_node_is_dropped_in_the_middle() {
    let dir = TempDir::new().unwrap();
    for round in 0..3 {
        run(async {
            let node = open(dir.path()).await;
            for earlier in 0..round * 20 {
                assert!(read(&node, &format!("k{earlier}")).await.is_some(), "k{earlier} in round {round}");
            }
            for nth in 0..20 {
                write(&node, &format!("k{}", round * 20 + nth), "x").await;
            }
        });
    }
}

#[test]
fn a_copy_of_the_folder_under_load_has_everything_that_was_acknowledged_before() {
    let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let acknowledged = run(async {
        let node = open(dir.path()).await;
        let mut tasks = tokio::task::JoinSet::new();
        let (tell, told) = std::sync::mpsc::channel();
        for writer in 0..16 {
            let (node, tell) = (node.clone(), tell.clone());
            tasks.spawn(async move {
                for nth in 0..40 {
                    let text = format!("{writer}-{nth}");
                    write(&node, &text, "x").await;
                    tell.send(text).unwrap();
                }
            });
        }
        while node.status().applied_index < 300 {
            tokio::task::yield_now().await;
        }
        let acknowledged: Vec<String> = told.try_iter().collect();
        // The store first: as after a crash it may be behind the log, never ahead.
        copy_folder(&dir.path().join("store"), &copy.path().join("store"));
        copy_folder(dir.path(), copy.path());
        tasks.join_all().await;
        acknowledged
    });
    assert!(acknowledged.len() > 100);
    run(async {
        let node = open(copy.path()).await;
        for text in acknowledged {
            assert!(read(&node, &text).await.is_some(), "{text} is lost");
        }
    });
}

#[test]
fn a_long_log_is_purged_and_the_node_opens_on_what_is_left() {
    let dir = TempDir::new().unwrap();
    let small = |dir: &Path| NodeOptions {
        wal: WalOptions { segment_bytes: 256 << 10, ..WalOptions::default() },
        ..options(dir)
    };
    let value = "v".repeat(20_000);
    run(async {
        let node = Node::open(small(dir.path())).await.unwrap();
        for nth in 0..300 {
            write(&node, &format!("k{nth:03}"), &value).await;
        }
        let status = node.status();
        assert!(status.log_bytes < 3_000_000, "6 MB were written, {} are kept", status.log_bytes);
    });
    run(async {
        let node = Node::open(small(dir.path())).await.unwrap();
        for nth in 0..300 {
            assert_eq!(read(&node, &format!("k{nth:03}")).await.as_deref(), Some(&value[..]));
        }
        write(&node, "a", "1").await;
    });
}

#[test]
fn a_store_that_is_gone_is_built_anew_while_the_log_is_whole() {
    let dir = TempDir::new().unwrap();
    run(async {
        let node = open(dir.path()).await;
        for nth in 0..50 {
            write(&node, &format!("k{nth}"), "x").await;
        }
        node.close().await.unwrap();
    });
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    run(async {
        let node = open(dir.path()).await;
        for nth in 0..50 {
            assert!(read(&node, &format!("k{nth}")).await.is_some());
        }
    });
}

#[test]
fn a_store_that_is_behind_catches_up_with_the_log() {
    let (dir, earlier) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for round in 0..2 {
        run(async {
            let node = open(dir.path()).await;
            for nth in 0..40 {
                write(&node, &format!("k{}", round * 40 + nth), "x").await;
            }
            node.close().await.unwrap();
        });
        if round == 0 {
            copy_folder(&dir.path().join("store"), &earlier.path().join("store"));
        }
    }
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    copy_folder(&earlier.path().join("store"), &dir.path().join("store"));
    run(async {
        let node = open(dir.path()).await;
        for nth in 0..80 {
            assert!(read(&node, &format!("k{nth}")).await.is_some(), "k{nth}");
        }
    });
}

#[test]
fn a_corrupt_store_is_set_aside_and_built_anew() {
    let dir = TempDir::new().unwrap();
    run(async {
        let node = open(dir.path()).await;
        for nth in 0..50 {
            write(&node, &format!("k{nth}"), "x").await;
        }
        node.close().await.unwrap();
    });
    // What comes after a damaged batch is replayed from the log; but the first batch says what the store is.
    damage(&dir.path().join("store"));
    run(async {
        let node = open(dir.path()).await;
        for nth in 0..50 {
            assert!(read(&node, &format!("k{nth}")).await.is_some());
        }
    });
    assert!(dir.path().join("store.damaged-1").exists());
}

#[test]
fn a_store_that_is_gone_after_a_purge_is_refused() {
    let dir = TempDir::new().unwrap();
    let small = |dir: &Path| NodeOptions {
        wal: WalOptions { segment_bytes: 256 << 10, ..WalOptions::default() },
        ..options(dir)
    };
    run(async {
        let node = Node::open(small(dir.path())).await.unwrap();
        for nth in 0..100 {
            write(&node, &format!("k{nth}"), &"v".repeat(20_000)).await;
        }
        node.close().await.unwrap();
    });
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let error = run(async { Node::open(small(dir.path())).await.err().unwrap() });
    assert!(error.to_string().contains("restore a backup"), "{error}");
}

/// Changes a byte in the first batch of every journal.
fn damage(dir: &Path) {
    let mut damaged = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
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

#[test]
fn a_folder_that_is_in_use_is_refused() {
    let dir = TempDir::new().unwrap();
    run(async {
        let _node = open(dir.path()).await;
        let second = Node::open(options(dir.path())).await.err().unwrap();
        assert!(matches!(second, Error::Storage(vivarium_storage::Error::Locked { .. })), "{second}");
    });
}

#[test]
fn a_log_that_is_gone_is_noticed() {
    let dir = TempDir::new().unwrap();
    run(async {
        let node = open(dir.path()).await;
        write(&node, "a", "1").await;
        node.close().await.unwrap();
    });
    std::fs::remove_dir_all(dir.path().join("log")).unwrap();
    let error = run(async { Node::open(options(dir.path())).await.err().unwrap() });
    assert!(error.to_string().contains("the log was lost or replaced"), "{error}");
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if !target.exists() {
                copy_folder(&entry.path(), &target);
            }
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
