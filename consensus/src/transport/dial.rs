//! The connection that we dial to one peer, kept up for as long as the peer is in the address book.

use super::ending::{Ending, Said};
use super::frame::{FRAME_BYTES_MAX, Frame};
use super::handshake::{Identity, open};
use super::queue::Queue;
use super::wire::{Duplex, Incoming, Outgoing, first, halves};
use super::{PeerStatus, RequestError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use vivarium_storage::runtime::{Instant, now, reset_due, sleep, sometimes, timeout};

/// How long the operating system may take to connect.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How often the other side is asked whether it is there: a cut link is then found within three seconds.
const PING_EVERY: Duration = Duration::from_secs(1);
/// The pause after a first failure, which doubles, and the longest. The real one is between its half and its whole.
const PAUSE_MS_MIN: u64 = 50;
const PAUSE_MS_MAX: u64 = 2_000;
/// A connection that lasted so long was a good one: the next pause is short again.
const GOOD_AFTER: Duration = Duration::from_secs(2);
/// Memory of a batch that is kept for the next one.
const BATCH_BYTES_KEPT: usize = 2 << 20;

/// One peer of the address book.
pub(super) struct Peer {
    pub node: u64,
    pub queue: Queue,
    standing: Mutex<Standing>,
    moved: Notify,
    /// It dialled us while we could not reach it.
    called: Notify,
}

struct Standing {
    address: String,
    connected: bool,
    /// It is in the address book no more, and hears so on the connection that is there.
    dismissed: bool,
    since_micros: u64,
    last_error: Option<String>,
}

impl Peer {
    pub fn new(node: u64, address: String, us: &Identity) -> Peer {
        let since_micros = us.runtime.now_micros();
        let standing = Standing { address, connected: false, dismissed: false, since_micros, last_error: None };
        Peer { node, queue: Queue::new(), standing: Mutex::new(standing), moved: Notify::new(), called: Notify::new() }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> String {
        self.standing().address.clone()
    }

    /// Goes on at another address. What was not written yet is written there.
    pub fn set_address(&self, address: &str) {
        let mut standing = self.standing();
        if standing.address != address {
            address.clone_into(&mut standing.address);
            self.moved.notify_one();
        }
    }

    /// Ends the connection with the word that the peer was removed. False when there is none: then nobody is told.
    pub fn dismiss(&self) -> bool {
        let mut standing = self.standing();
        standing.dismissed = true;
        self.moved.notify_one();
        standing.connected
    }

    fn is_dismissed(&self) -> bool {
        self.standing().dismissed
    }

    /// Dials it at once, or as soon as the attempt that is under way has failed. False when we are connected.
    pub fn call_back(&self) -> bool {
        let standing = self.standing();
        if !standing.connected {
            self.called.notify_one();
        }
        !standing.connected
    }

    fn set_connected(&self, us: &Identity, connected: bool, error: Option<&Ending>) {
        let mut standing = self.standing();
        if standing.connected != connected {
            standing.connected = connected;
            standing.since_micros = us.runtime.now_micros();
        }
        if let Some(error) = error {
            standing.last_error = Some(error.to_string());
        }
    }

    /// Why a request could not be written in time.
    pub fn not_sent(&self) -> RequestError {
        let standing = self.standing();
        let reason = match &standing.last_error {
            _ if standing.connected => "too much is under way to it",
            Some(error) => error,
            None => "not connected yet",
        };
        RequestError::NotSent(format!("node {} at {}: {reason}", self.node, standing.address))
    }

    pub fn status(&self) -> PeerStatus {
        let (queued_bytes, dropped_messages) = self.queue.weight();
        let standing = self.standing();
        PeerStatus {
            node: self.node,
            address: standing.address.clone(),
            connected: standing.connected,
            since_micros: standing.since_micros,
            last_error: standing.last_error.clone(),
            queued_bytes,
            dropped_messages,
        }
    }
}

/// Dials the peer again and again. Ends with its task, or when the peer was dismissed.
pub(super) async fn keep(us: Arc<Identity>, peer: Arc<Peer>, said: Arc<Said>) {
    let mut failures = 0;
    loop {
        let ending = match dialled(&us, &peer).await {
            Ok((mut incoming, mut outgoing)) => {
                let began = now();
                peer.set_connected(&us, true, None);
                if said.is_due(peer.node, "connected") {
                    tracing::info!(peer = peer.node, address = peer.address(), "connected to a peer");
                }
                let ending = talk(&us, &peer, &mut incoming, &mut outgoing).await;
                peer.queue.lost();
                peer.set_connected(&us, false, Some(&ending));
                if let Some(refusal) = ending.farewell(&us) {
                    outgoing.farewell(&mut incoming, &Frame::Refusal(refusal).bytes()).await;
                }
                if now().duration_since(began) >= GOOD_AFTER {
                    failures = 0;
                }
                ending
            }
            Err(ending) => {
                peer.queue.drop_messages();
                peer.set_connected(&us, false, Some(&ending));
                ending
            }
        };
        if peer.is_dismissed() {
            return;
        }
        if ending == Ending::Moved {
            failures = 0;
            continue;
        }
        if said.is_due(peer.node, ending.key()) {
            tracing::warn!(peer = peer.node, address = peer.address(), reason = %ending, "no connection to a peer");
        }
        let pause = pause(failures, us.runtime.random());
        failures += 1;
        let called = async {
            peer.called.notified().await;
            true
        };
        let waited = async {
            first(sleep(pause), peer.moved.notified()).await;
            false
        };
        if first(called, waited).await {
            failures = 0;
        }
    }
}

/// Between half and all of a time that doubles with every failure.
fn pause(failures: u32, chance: u64) -> Duration {
    let whole = PAUSE_MS_MIN.saturating_mul(1 << failures.min(16)).min(PAUSE_MS_MAX);
    Duration::from_millis(whole / 2 + chance % (whole / 2 + 1))
}

async fn dialled(us: &Identity, peer: &Peer) -> Result<(Incoming, Outgoing), Ending> {
    let address = peer.address();
    let connecting = timeout(CONNECT_MAX, TcpStream::connect(&*address)).await;
    let unreachable = |error: std::io::Error| Ending::Unreachable(error.to_string());
    let stream = connecting.map_err(|_| Ending::Late("connection", CONNECT_MAX))?.map_err(unreachable)?;
    // A batch is one write: nothing is gained by waiting for more.
    stream.set_nodelay(true).map_err(unreachable)?;
    let stream: Box<dyn Duplex> = match &us.tls {
        Some(tls) => tls.dial(&address, stream).await?,
        None => Box::new(stream),
    };
    let (mut incoming, mut outgoing) = halves(stream);
    open(us, peer.node, &mut incoming, &mut outgoing).await?;
    Ok((incoming, outgoing))
}

/// Writes what waits and takes the answers, until the connection ends.
async fn talk(us: &Identity, peer: &Peer, incoming: &mut Incoming, outgoing: &mut Outgoing) -> Ending {
    let moved = async {
        peer.moved.notified().await;
        if peer.is_dismissed() { Ending::dismissal(us, peer.node) } else { Ending::Moved }
    };
    first(first(listen(us, peer, incoming), speak(us, peer, outgoing)), moved).await
}

async fn listen(us: &Identity, peer: &Peer, incoming: &mut Incoming) -> Ending {
    loop {
        match incoming.frame(FRAME_BYTES_MAX).await {
            Ok(Frame::Answer { number, body }) => {
                if !peer.queue.answer(number, body) {
                    return Ending::OutOfTurn("an answer to nothing");
                }
            }
            Ok(Frame::Pong) => {}
            Ok(Frame::Refusal(refusal)) => return refusal.refused(us, peer.node),
            Ok(_) => return Ending::OutOfTurn("something else than an answer"),
            Err(ending) => return ending,
        }
    }
}

async fn speak(us: &Identity, peer: &Peer, outgoing: &mut Outgoing) -> Ending {
    let mut batch = Vec::new();
    let mut ping_at = now() + PING_EVERY;
    loop {
        batch.clear();
        batch.shrink_to(BATCH_BYTES_KEPT);
        let waited = timeout(ping_at.saturating_duration_since(now()), peer.queue.take(&mut batch)).await;
        if waited.is_err() || now() >= ping_at {
            Frame::Ping.put(&mut batch);
            ping_at = now() + PING_EVERY;
        }
        if reset_due(us.node, peer.node) {
            return Ending::Simulated;
        }
        if let Err(ending) = outgoing.write(&batch).await {
            return ending;
        }
    }
}

/// Asks whoever is at the address of `peer`, once, on a connection of its own.
///
/// # Errors
/// Says whether the request may have arrived.
pub(super) async fn ask(us: &Identity, peer: &Peer, body: Vec<u8>, deadline: Instant) -> Result<Vec<u8>, RequestError> {
    let mut pending = peer.queue.ask(body)?;
    let answered = async { (&mut pending.answer).await.unwrap_or(Err(RequestError::Unknown)) };
    let talking = async {
        let ending = match dialled(us, peer).await {
            Ok((mut incoming, mut outgoing)) => talk(us, peer, &mut incoming, &mut outgoing).await,
            Err(ending) => ending,
        };
        Err(RequestError::NotSent(ending.to_string()))
    };
    match timeout(deadline.saturating_duration_since(now()), first(answered, talking)).await {
        Ok(Err(RequestError::NotSent(reason))) if pending.withdraw() => Err(RequestError::NotSent(reason)),
        Err(_) if pending.withdraw() => Err(RequestError::NotSent("no connection before the deadline".to_owned())),
        Ok(Ok(answer)) => Ok(answer),
        _ => {
            sometimes("a connection was reset under a request");
            Err(RequestError::Unknown)
        }
    }
}
