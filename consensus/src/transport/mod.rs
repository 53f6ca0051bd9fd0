//! The way to other nodes: Raft messages, which may be lost, and requests, which are answered or surely not sent.
//!
//! Every node dials every other one and says on that connection what it has to say; answers come back on it.
//! Both sides prove that they know the cluster's secret before anything else is said. See `docs/wire.md`.

mod accept;
mod dial;
mod ending;
mod frame;
mod handshake;
mod outbox;
mod peers;
mod queue;
#[cfg(test)]
#[cfg(not(madsim))]
pub(crate) mod switchboard;
#[cfg(test)]
mod tests;
#[cfg_attr(madsim, path = "tls_simulated.rs")]
mod tls;
mod wire;

pub(crate) use outbox::Outbox;

use crate::{Error, Result};
use accept::Accepted;
use dial::Peer;
use ending::Said;
use handshake::Identity;
use peers::Peers;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tls::Tls;
use tokio::net::TcpListener;
use uuid::Uuid;
use vivarium_storage::Epoch;
use vivarium_storage::runtime::{Fate, Instant, Runtime, Task, fate, now, sleep, spawn, timeout};
use vivarium_storage::wal::GroupId;

/// Between two looks whether a request is still worth waiting for: a part of an election's time.
const ASK_PATIENCE_EVERY: Duration = Duration::from_millis(50);

/// The 32 secret bytes of a cluster. Never printed.
#[derive(Clone)]
pub(crate) struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a node shows to the others, and whom it believes: PEM, as files hold it. Both directions use the same.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerTls {
    /// The certificate, for the host that other nodes dial, with those between it and the authority.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// The authorities that sign the certificates of the cluster's nodes.
    pub authority: Vec<u8>,
}

impl fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerTls(..)")
    }
}

/// Who we are and where we listen.
#[derive(Clone, Debug)]
pub(crate) struct TransportOptions {
    /// Nodes of other clusters are refused.
    pub cluster: Uuid,
    /// This node's number, never 0.
    pub node: u64,
    /// Nodes of the cluster before its last recovery are refused.
    pub epoch: Epoch,
    /// What both sides of a connection prove that they know.
    pub secret: Secret,
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    /// TLS, when the network is not private. All nodes of a cluster have it, or none.
    pub tls: Option<PeerTls>,
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
    /// A peer says that this node was removed from the cluster, which is final. Must not block.
    fn removed(&self, by: u64);
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

/// How long a request is worth waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until its deadline.
    Wait,
    /// For an answer, when it was written; else it is taken back.
    OnlyWhenSent,
    /// No longer.
    GiveUp,
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
    us: Arc<Identity>,
    said: Arc<Said>,
    peers: Arc<Peers>,
    accepted: Arc<Accepted>,
    listening: Mutex<Option<Task>>,
}

impl Transport {
    /// Listens, and gives what arrives to `receiver`. Nobody is dialled before `set_peers`.
    ///
    /// # Errors
    /// `Listen` when the address cannot be bound.
    pub async fn start(options: TransportOptions, receiver: Arc<dyn Receiver>) -> Result<Transport> {
        let TransportOptions { cluster, node, epoch, secret, listen, tls, runtime } = options;
        assert!(node != 0, "a node that listens has a number");
        let tls = certified(&listen, tls.as_ref())?;
        let failed = |error: std::io::Error| Error::Listen { address: listen.clone(), reason: error.to_string() };
        let listener = TcpListener::bind(&*listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        let us = Arc::new(Identity { cluster, node, epoch, secret, tls, runtime });
        let said = Arc::new(Said::default());
        let peers = Arc::new(Peers::default());
        let accepted = Arc::new(Accepted::new(us.clone(), receiver, peers.clone(), said.clone()));
        let listening = Mutex::new(Some(spawn("peer listener", accept::listen(accepted.clone(), listener))));
        Ok(Transport { inner: Arc::new(Inner { address, us, said, peers, accepted, listening }) })
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The whole address book; this node's own entry is left out. Connections to others, and to addresses that
    /// changed, end.
    pub fn set_peers(&self, peers: BTreeMap<u64, String>) {
        self.inner.peers.set(peers, &self.inner.us, &self.inner.said);
    }

    /// Takes a node that was removed out of the address book, and tells it so if there is a connection to it.
    pub fn dismiss(&self, node: u64) {
        self.inner.peers.dismiss(node);
    }

    /// Sends a Raft message, or drops it: when the peer is unknown, or too much waits for it. Never blocks.
    pub fn send(&self, to: u64, group: GroupId, message: Vec<u8>) {
        let peer = match self.inner.peers.get(to) {
            Ok(peer) => peer,
            Err(error) => return tracing::debug!(to, group = group.0, %error, "a message is dropped"),
        };
        match fate(self.inner.us.node, to) {
            Fate::Deliver => peer.queue.push(group, message),
            Fate::Drop => {}
            Fate::Duplicate => {
                peer.queue.push(group, message.clone());
                peer.queue.push(group, message);
            }
            Fate::Delay(duration) => spawn("delayed message", async move {
                sleep(duration).await;
                peer.queue.push(group, message);
            })
            .detach(),
        }
    }

    /// Asks a peer and waits for its answer. The request waits for a connection until its deadline. Dropping this
    /// future takes a request back that was not written yet.
    ///
    /// # Errors
    /// Says whether the request may have reached the peer.
    pub async fn request(
        &self,
        to: u64,
        body: Vec<u8>,
        deadline: Instant,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        self.request_while(to, body, deadline, || Patience::Wait).await
    }

    /// As [`Transport::request`], for as long as `patience` says: it is asked again and again.
    ///
    /// # Errors
    /// As [`Transport::request`].
    pub async fn request_while(
        &self,
        to: u64,
        body: Vec<u8>,
        deadline: Instant,
        mut patience: impl FnMut() -> Patience,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let peer = self.inner.peers.get(to)?;
        if deadline <= now() {
            return Err(RequestError::NotSent("its deadline has passed".to_owned()));
        }
        let mut pending = peer.queue.ask(body)?;
        loop {
            let left = deadline.saturating_duration_since(now());
            match timeout(left.min(ASK_PATIENCE_EVERY), &mut pending.answer).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => return Err(RequestError::Unknown),
                Err(_) => {}
            }
            let patience = if deadline <= now() { Patience::GiveUp } else { patience() };
            if patience != Patience::Wait && pending.withdraw() {
                return Err(peer.not_sent());
            }
            if patience == Patience::GiveUp {
                return Err(RequestError::Unknown);
            }
        }
    }

    /// How it stands with every peer, in the order of their numbers.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.inner.peers.statuses()
    }

    /// Stops listening, ends every connection and waits until all of that has ended. Then the address is free.
    pub async fn close(&self) {
        let peers = self.inner.peers.close();
        // First the listener: whatever it accepted is then known.
        let listening = self.inner.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listening) = listening {
            listening.end().await;
        }
        for task in self.inner.accepted.take_all() {
            task.end().await;
        }
        self.inner.accepted.idle().await;
        peers.end().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The connections hold what holds them.
        drop(self.accepted.take_all());
    }
}

/// Reads what TLS needs.
fn certified(address: &str, tls: Option<&PeerTls>) -> Result<Option<Tls>> {
    let unusable = |reason| Error::Listen { address: address.to_owned(), reason: format!("TLS, {reason}") };
    tls.map(Tls::new).transpose().map_err(unusable)
}

/// Somebody who is no member yet, and where it asks.
pub(crate) struct Stranger<'a> {
    pub cluster: Uuid,
    pub secret: &'a Secret,
    pub tls: Option<&'a PeerTls>,
    pub runtime: &'a Runtime,
}

/// One request to an address, by somebody who is no member yet.
///
/// # Errors
/// `Peer` when it surely did not arrive, `UnknownOutcome` when it may have, `Listen` when TLS cannot be used.
pub(crate) async fn ask(stranger: Stranger<'_>, address: &str, body: Vec<u8>, deadline: Instant) -> Result<Vec<u8>> {
    let Stranger { cluster, secret, tls, runtime } = stranger;
    let tls = certified(address, tls)?;
    let (secret, runtime) = (secret.clone(), runtime.clone());
    let us = Identity { cluster, node: 0, epoch: Epoch::default(), secret, tls, runtime };
    let peer = Peer::new(0, address.to_owned(), &us);
    dial::ask(&us, &peer, body, deadline).await.map_err(|error| match error {
        RequestError::Unknown => Error::UnknownOutcome,
        RequestError::NotSent(reason) => Error::Peer { address: address.to_owned(), reason },
        error => Error::Peer { address: address.to_owned(), reason: error.to_string() },
    })
}
