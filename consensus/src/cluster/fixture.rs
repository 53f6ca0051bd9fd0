//! Nodes of a cluster, for tests that look inside.

use super::ClusterOptions;
use crate::NodeOptions;
use std::net::TcpListener;
use tempfile::TempDir;
use vivarium_storage::runtime::Runtime;
use vivarium_storage::{StoreOptions, WalOptions};

/// An address on this machine that nobody listens at.
pub(super) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it listens").to_string()
}

/// Node `number` in a folder of its own below `dir`.
pub(super) fn options(dir: &TempDir, number: u64, listen: &str) -> NodeOptions {
    NodeOptions {
        dir: dir.path().join(number.to_string()),
        store: StoreOptions { workers: 0, ..StoreOptions::default() },
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        runtime: Runtime::seeded(number),
        cluster: Some(ClusterOptions::new(listen)),
    }
}
