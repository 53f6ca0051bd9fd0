//! A node in a folder of its own, and a few words to talk to it.

use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use vivarium_consensus::{CommitOptions, Consistency, IdempotencyKey, Node, NodeOptions, Outcome, Result, Transaction};
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::{Instant, Runtime, now};
use vivarium_storage::{Key, KeyRange, Space, StoreOptions, Version, WalOptions};

/// A space with history whose values are any bytes.
pub const ROWS: Space = Space::Index;

pub fn options(dir: &Path) -> NodeOptions {
    NodeOptions {
        dir: dir.to_path_buf(),
        store: StoreOptions::default(),
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        runtime: Runtime::system(),
        cluster: None,
    }
}

pub async fn new_node() -> (TempDir, Node) {
    let dir = TempDir::new().unwrap();
    let node = open(dir.path()).await;
    (dir, node)
}

pub async fn open(dir: &Path) -> Node {
    Node::open(options(dir)).await.unwrap()
}

pub fn soon() -> Instant {
    now() + Duration::from_secs(30)
}

pub fn key(text: &str) -> Key {
    text.as_bytes().into()
}

pub fn range(start: &str, end: &str) -> KeyRange {
    KeyRange { start: key(start), end: key(end) }
}

pub async fn begin(node: &Node) -> Transaction {
    node.begin(Consistency::Strong, soon()).await.unwrap()
}

pub async fn get(transaction: &mut Transaction, text: &str) -> Option<String> {
    let cells = transaction.get_many(ROWS, &[key(text)]).await.unwrap();
    cells[0].as_ref().map(|cell| String::from_utf8(cell.value.to_vec()).unwrap())
}

pub async fn read(node: &Node, text: &str) -> Option<String> {
    get(&mut begin(node).await, text).await
}

pub async fn rows(transaction: &mut Transaction, scan: Scan) -> Vec<(String, String)> {
    let scanned = transaction.scan_many(ROWS, &[scan]).await.unwrap().remove(0);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    scanned.iter().map(|(key, cell)| (text(key), text(&cell.value))).collect()
}

pub async fn commit(transaction: Transaction) -> Result<Version> {
    transaction.commit(CommitOptions::default(), soon()).await.map(|outcome| outcome.version)
}

pub async fn write(node: &Node, text: &str, value: &str) -> Version {
    let mut transaction = begin(node).await;
    transaction.put(ROWS, key(text), value.as_bytes().to_vec());
    commit(transaction).await.unwrap()
}

pub async fn commit_once(transaction: Transaction, name: &str, answer: &str) -> Result<Outcome> {
    let options = CommitOptions { idempotency: Some(once(name)), answer: answer.as_bytes().to_vec() };
    transaction.commit(options, soon()).await
}

pub fn once(name: &str) -> IdempotencyKey {
    IdempotencyKey(name.as_bytes().to_vec())
}
