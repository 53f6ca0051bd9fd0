//! A cluster that grows by joining.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use vivarium_consensus::{
    ClusterOptions, CommitOptions, Consistency, Node, NodeOptions, Part, Result, Role, Token, initialise, join,
};
use vivarium_storage::runtime::{self, Instant, Runtime};
use vivarium_storage::{Key, Space, StoreOptions, Version, WalOptions};

pub fn soon() -> Instant {
    runtime::now() + Duration::from_secs(30)
}

/// An address that nobody listens on, for as long as nobody else asks for one.
pub fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

pub fn key(text: &str) -> Key {
    text.as_bytes().into()
}

pub struct Cluster {
    dir: TempDir,
    pub nodes: BTreeMap<u64, Node>,
    pub token: Token,
    /// Where each node listens, by its number.
    addresses: BTreeMap<u64, String>,
    /// The folder of a node that took another one's place in it, by the node's number.
    folders: BTreeMap<u64, PathBuf>,
    /// Bytes of a segment of the log: small ones are purged soon.
    segment_bytes: u64,
    /// How fast nodes that are opened from here on send checkpoints.
    pub checkpoint_bytes_per_second_max: u64,
}

impl Cluster {
    /// A cluster of one that others may join.
    pub async fn of_one(segment_bytes: u64) -> Cluster {
        let dir = TempDir::new().unwrap();
        let token = initialise(&dir.path().join("1"), &Runtime::seeded(1)).unwrap();
        let addresses = BTreeMap::from([(1, free_address())]);
        let mut cluster = Cluster {
            dir,
            nodes: BTreeMap::new(),
            token,
            addresses,
            folders: BTreeMap::new(),
            segment_bytes,
            checkpoint_bytes_per_second_max: ClusterOptions::new("").checkpoint_bytes_per_second_max,
        };
        cluster.open(1).await;
        let first = cluster.nodes[&1].clone();
        until("the first node says where it is", || async { first.members().unwrap()[0].address.is_some() }).await;
        cluster
    }

    /// A cluster of `count` voters.
    pub async fn of(count: u64) -> Cluster {
        let mut cluster = Cluster::of_one(1 << 20).await;
        for _ in 1..count {
            cluster.grow().await;
        }
        cluster
    }

    pub fn path(&self, number: u64) -> PathBuf {
        self.folders.get(&number).cloned().unwrap_or_else(|| self.dir.path().join(number.to_string()))
    }

    pub fn options(&self, number: u64) -> NodeOptions {
        NodeOptions {
            dir: self.path(number),
            store: StoreOptions::default(),
            wal: WalOptions { segment_bytes: self.segment_bytes, ..WalOptions::default() },
            runtime: Runtime::seeded(number),
            cluster: Some(ClusterOptions {
                checkpoint_bytes_per_second_max: self.checkpoint_bytes_per_second_max,
                ..ClusterOptions::new(self.addresses[&number].clone())
            }),
        }
    }

    /// Where a running node is reached.
    pub fn address(&self) -> String {
        self.addresses[self.nodes.keys().next().unwrap()].clone()
    }

    /// From now on a node that is closed listens elsewhere.
    pub fn move_house(&mut self, number: u64) {
        self.addresses.insert(number, free_address());
    }

    /// One more node joins; returns when it votes.
    pub async fn grow(&mut self) -> u64 {
        let number = self.admit().await;
        self.open(number).await;
        self.until_votes(number).await;
        number
    }

    /// A new folder joins and is not opened yet.
    pub async fn admit(&mut self) -> u64 {
        let path = self.dir.path().join("joining");
        let listen = free_address();
        let options = ClusterOptions::new(listen.clone());
        let runtime = Runtime::seeded(99);
        let number = join(&path, &options, &self.token, &self.address(), &runtime, soon()).await.unwrap();
        std::fs::rename(path, self.path(number)).unwrap();
        self.addresses.insert(number, listen);
        number
    }

    pub async fn open(&mut self, number: u64) -> Node {
        let node = Node::open(self.options(number)).await.unwrap();
        self.nodes.insert(number, node.clone());
        node
    }

    /// Opens a node that comes back under another number, and says which.
    pub async fn open_replaced(&mut self, old: u64) -> u64 {
        let node = Node::open(self.options(old)).await.unwrap();
        let new = node.status().node;
        self.folders.insert(new, self.path(old));
        self.addresses.insert(new, self.addresses[&old].clone());
        self.nodes.insert(new, node);
        new
    }

    pub async fn until_votes(&self, number: u64) {
        let node = self.nodes[&number].clone();
        until("the node votes", || async {
            node.members()
                .is_ok_and(|members| members.iter().any(|member| member.node == number && member.part == Part::Voter))
        })
        .await;
    }

    pub async fn close(&mut self, number: u64) {
        self.nodes.remove(&number).unwrap().close().await.unwrap();
    }

    /// The node that leads, other than `not`, once it can be read from.
    pub async fn leader(&self, not: Option<u64>) -> u64 {
        let mut leader = 0;
        for _ in 0..600 {
            let leads =
                |(id, node): (&u64, &Node)| (Some(*id) != not && node.status().role == Role::Leader).then_some(*id);
            if let Some(id) = self.nodes.iter().find_map(leads)
                && self.nodes[&id].begin(Consistency::Strong, soon()).await.is_ok()
            {
                leader = id;
                break;
            }
            runtime::sleep(Duration::from_millis(20)).await;
        }
        assert_ne!(leader, 0, "nobody leads");
        leader
    }

    pub async fn follower(&self) -> u64 {
        let leader = self.leader(None).await;
        *self.nodes.keys().find(|id| **id != leader).unwrap()
    }
}

/// Waits for a condition, at most half a minute.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = soon();
    while !holds().await {
        assert!(runtime::now() < deadline, "not within 30 s: {what}");
        runtime::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn read(node: &Node, text: &str) -> Result<Option<Vec<u8>>> {
    let mut transaction = node.begin(Consistency::Strong, soon()).await?;
    let cells = transaction.get_many(Space::Index, &[key(text)]).await?;
    Ok(cells[0].as_ref().map(|cell| cell.value.to_vec()))
}

pub async fn write(node: &Node, text: &str, value: &str) -> Result<Version> {
    let mut transaction = node.begin(Consistency::Strong, soon()).await?;
    transaction.put(Space::Index, key(text), value.into());
    Ok(transaction.commit(CommitOptions::default(), soon()).await?.version)
}
