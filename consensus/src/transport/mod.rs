//! The way to other nodes: Raft messages, which may be lost, and requests, which are answered or surely not sent.
//!
//! Every node dials every other one and says on that connection what it has to say; answers come back on it.
//! Both sides prove that they know the cluster's secret before anything else is said. See `docs/wire.md`.

mod outbox;
#[cfg(test)]
pub(crate) mod switchboard;

pub(crate) use outbox::Outbox;

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use uuid::Uuid;
use vivarium_storage::runtime::{Instant, Runtime};
use vivarium_storage::wal::GroupId;

/// The 32 secret bytes of a cluster. Never printed.
#[derive(Clone)]
pub(crate) struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who we are and where we listen.
#[derive(Clone, Debug)]
pub(crate) struct TransportOptions {
    /// Nodes of other clusters are refused.
    pub cluster: Uuid,
    /// This node's number, never 0.
    pub node: u64,
    /// What both sides of a connection prove that they know.
    pub secret: Secret,
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    /// Nonces and the jitter between attempts.
    pub runtime: Runtime,
}

/// The answer to a request, on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Vec<u8>> + Send>>;

/// Who takes what peers send.
pub(crate) trait Receiver: Send + Sync + 'static {
    /// Raft messages of one peer, in the order in which it sent them on one connection. Must not block.
    fn messages(&self, from: u64, messages: Vec<(GroupId, Vec<u8>)>);
    /// Answers a request. `from` is 0 for one who is no member yet. The answer is dropped, wherever it is, when its
    /// connection ends.
    fn request(&self, from: u64, body: Vec<u8>) -> Answering;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// It surely never reached the peer.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It may have reached the peer.
    #[error("sent, and the answer is lost")]
    Unknown,
    /// It is larger than a frame. It was not sent.
    #[error("larger than a frame")]
    TooLarge,
    /// The transport has closed. It was not sent.
    #[error("the node is closing")]
    Stopped,
}

/// How it stands with one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerStatus {
    pub node: u64,
    pub address: String,
    pub connected: bool,
    /// Since when it is, or is not, connected: microseconds since 1970.
    pub since_micros: u64,
    /// Why the newest attempt failed, or the newest connection ended.
    pub last_error: Option<String>,
    /// Bytes of messages and requests that wait for the connection.
    pub queued_bytes: usize,
    /// Raft messages that were dropped here, ever.
    pub dropped_messages: u64,
}

/// The connections of one node. Clones share them; they end with `close`, or with the last clone.
#[derive(Clone)]
pub(crate) struct Transport {
    inner: Arc<Inner>,
}

struct Inner {
    address: String,
    peers: Mutex<BTreeMap<u64, String>>,
}

impl Transport {
    /// Listens, and gives what arrives to `receiver`. Nobody is dialled before `set_peers`.
    ///
    /// # Errors
    /// `Listen` when the address cannot be bound.
    pub async fn start(options: TransportOptions, _receiver: Arc<dyn Receiver>) -> Result<Transport> {
        let failed =
            |error: std::io::Error| Error::Listen { address: options.listen.clone(), reason: error.to_string() };
        let listener = TcpListener::bind(&*options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        Ok(Transport { inner: Arc::new(Inner { address, peers: Mutex::default() }) })
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The whole address book. Connections to others, and to addresses that changed, end.
    pub fn set_peers(&self, peers: BTreeMap<u64, String>) {
        *self.inner.peers.lock().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// Sends a Raft message, or drops it: when the peer is unknown, or too much waits for it. Never blocks.
    pub fn send(&self, to: u64, group: GroupId, message: Vec<u8>) {
        tracing::debug!(to, group = group.0, bytes = message.len(), "no way to a peer");
    }

    /// Asks a peer and waits for its answer.
    ///
    /// # Errors
    /// Says whether the request may have reached the peer. It waits for a connection until its deadline.
    pub async fn request(
        &self,
        _to: u64,
        _body: Vec<u8>,
        _deadline: Instant,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        Err(RequestError::NotSent("not connected".to_owned()))
    }

    /// How it stands with every peer.
    pub fn peers(&self) -> Vec<PeerStatus> {
        Vec::new()
    }

    /// Stops listening, ends every connection and waits until all of that has ended.
    pub async fn close(&self) {}
}

/// One request to an address, by somebody who is no member yet.
///
/// # Errors
/// `Peer` when it surely did not arrive, `UnknownOutcome` when it may have.
pub(crate) async fn ask(
    address: &str,
    _cluster: Uuid,
    _secret: &Secret,
    _body: Vec<u8>,
    _deadline: Instant,
    _runtime: &Runtime,
) -> Result<Vec<u8>> {
    Err(Error::Peer { address: address.to_owned(), reason: "not connected".to_owned() })
}
