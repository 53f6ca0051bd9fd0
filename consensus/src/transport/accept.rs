//! Connections that others dial to us: their messages are delivered, their requests answered.
//!
//! An answer is never dropped alone: when one is lost, its connection ends, and the other side knows.

use super::ending::{Ending, Said};
use super::frame::{self, BODY_BYTES_MAX, FRAME_BYTES_MAX, Frame, Reason};
use super::handshake::{Identity, take};
use super::peers::Peers;
use super::queue::{BATCH_BYTES_MAX, WRITTEN_MAX};
use super::wire::{Duplex, Incoming, Outgoing, first, halves};
use super::{Answering, Receiver};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use vivarium_storage::runtime::{Task, reset_due, sleep, spawn};

/// Connections that are open at once: many times the nodes of a cluster, for those that reconnect or join.
const CONNECTIONS_MAX: usize = 128;
/// How long to wait when the operating system has no more file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Requests that are answered at once, on all connections together.
const ANSWERING_MAX: usize = CONNECTIONS_MAX * WRITTEN_MAX;

/// All that was dialled to us.
pub(super) struct Accepted {
    us: Arc<Identity>,
    receiver: Arc<dyn Receiver>,
    peers: Arc<Peers>,
    said: Arc<Said>,
    connections: Mutex<BTreeMap<u64, Connection>>,
    answering: Arc<Semaphore>,
}

struct Connection {
    /// 0 until the handshake is over, and for one who is no member yet.
    from: u64,
    remote: SocketAddr,
    task: Task,
}

impl Accepted {
    pub fn new(us: Arc<Identity>, receiver: Arc<dyn Receiver>, peers: Arc<Peers>, said: Arc<Said>) -> Accepted {
        let answering = Arc::new(Semaphore::new(ANSWERING_MAX));
        Accepted { us, receiver, peers, said, connections: Mutex::default(), answering }
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<u64, Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every connection, for whoever ends them.
    pub fn take_all(&self) -> Vec<Task> {
        std::mem::take(&mut *self.connections()).into_values().map(|connection| connection.task).collect()
    }

    /// Waits until nothing is being answered any more. Connections have ended before.
    pub async fn idle(&self) {
        // It is never closed.
        let _ = self.answering.acquire_many(ANSWERING_MAX as u32).await;
    }

    /// Names who is on a connection. An older connection of the same node is half open, or will be: it ends.
    fn introduce(&self, number: u64, from: u64) {
        let mut connections = self.connections();
        let Some(remote) = connections.get_mut(&number).map(|connection| {
            connection.from = from;
            connection.remote
        }) else {
            return;
        };
        connections.retain(|other, older| {
            let replaced = from != 0 && older.from == from && *other < number;
            if replaced && older.remote.ip() != remote.ip() && self.said.is_due(from, "two addresses") {
                tracing::warn!(from, %remote, earlier = %older.remote, "a peer calls from another address: is its data \
                     directory used by two processes?");
            }
            !replaced
        });
    }

    fn tell(&self, from: u64, remote: SocketAddr, ending: &Ending) {
        // A peer that goes away is no news on this side: it is said where it was dialled.
        let plain = matches!(ending, Ending::Closed | Ending::Broken(_) | Ending::Silent(_));
        if plain {
            tracing::debug!(from, %remote, reason = %ending, "a connection of a peer ended");
        } else if self.said.is_due(from, ending.key()) {
            tracing::warn!(from, %remote, reason = %ending, "a connection to the peer port was ended");
        }
    }
}

/// Takes connections for as long as its task lives.
pub(super) async fn listen(accepted: Arc<Accepted>, listener: TcpListener) {
    for number in 1u64.. {
        let (stream, remote) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    tracing::debug!(%error, "no connection can be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        let mut connections = accepted.connections();
        connections.retain(|_, connection| !connection.task.is_finished());
        if connections.len() >= CONNECTIONS_MAX {
            drop(connections);
            accepted.tell(0, remote, &Ending::Crowded(CONNECTIONS_MAX));
            continue;
        }
        let serving = serve(accepted.clone(), number, stream, remote);
        connections.insert(number, Connection { from: 0, remote, task: spawn("peer connection", serving) });
    }
}

async fn serve(accepted: Arc<Accepted>, number: u64, stream: TcpStream, remote: SocketAddr) {
    // Without it answers are late, not wrong.
    let _ = stream.set_nodelay(true);
    let us = &accepted.us;
    let stream: Box<dyn Duplex> = match &us.tls {
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => stream,
            Err(ending) => return accepted.tell(0, remote, &ending),
        },
        None => Box::new(stream),
    };
    let (mut incoming, mut outgoing) = halves(stream);
    let from = match take(us, &mut incoming, &mut outgoing).await {
        Ok(from) => from,
        Err(ending) => return accepted.tell(0, remote, &ending),
    };
    accepted.introduce(number, from);
    accepted.peers.hear_of(from);
    let answers = Arc::new(Answers::default());
    let hearing = hear(from, &accepted, &answers, &mut incoming);
    let ending = first(hearing, speak(us, from, &answers, &mut outgoing)).await;
    if let Some(refusal) = ending.farewell(us) {
        outgoing.farewell(&mut incoming, &Frame::Refusal(refusal).bytes()).await;
    }
    accepted.tell(from, remote, &ending);
}

/// What is said on one connection in answer to what was heard.
#[derive(Default)]
struct Answers {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    /// Requests that are not answered yet.
    open: usize,
    ready: Vec<(u64, Vec<u8>)>,
    pong_due: bool,
    lost: Option<Ending>,
}

impl Answers {
    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let result = act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
        result
    }

    /// Appends the answers that are ready. `Ok(false)` when there are none.
    fn take_now(&self, out: &mut Vec<u8>) -> Result<bool, Ending> {
        let (ready, pong_due) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(ending) = &state.lost {
                return Err(ending.clone());
            }
            let mut bytes = 0;
            let taken = state.ready.iter().take_while(|(_, body)| {
                let fits = bytes < BATCH_BYTES_MAX;
                bytes += body.len();
                fits
            });
            let count = taken.count();
            state.open -= count;
            (state.ready.drain(..count).collect::<Vec<_>>(), std::mem::take(&mut state.pong_due))
        };
        if pong_due {
            Frame::Pong.put(out);
        }
        for (number, body) in &ready {
            frame::put_answer(out, *number, body);
        }
        Ok(!out.is_empty())
    }
}

/// A request that is being answered. When it is dropped without an answer, the connection ends.
struct Open {
    answers: Arc<Answers>,
    number: u64,
    answered: bool,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    async fn answer(mut self, answering: Answering) {
        let body = answering.await;
        self.answered = true;
        self.answers.change(|state| match body.len() {
            bytes if bytes > BODY_BYTES_MAX => state.lost = Some(Ending::AnswerTooLarge(bytes)),
            _ => state.ready.push((self.number, body)),
        });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.answered {
            self.answers.change(|state| state.lost = Some(Ending::AnswerLost));
        }
    }
}

async fn hear(from: u64, accepted: &Accepted, answers: &Arc<Answers>, incoming: &mut Incoming) -> Ending {
    let mut answering: Vec<Task> = Vec::new();
    loop {
        match incoming.frame(FRAME_BYTES_MAX).await {
            Ok(Frame::Messages(messages)) if from != 0 => accepted.receiver.messages(from, messages),
            Ok(Frame::Request { number, body }) => {
                let open = answers.change(|state| {
                    state.open += 1;
                    state.open
                });
                if open > WRITTEN_MAX {
                    return Ending::OutOfTurn("more requests at once than are taken");
                }
                answering.retain(|task| !task.is_finished());
                // Those of connections that just ended may be there for a moment still.
                let Ok(_permit) = accepted.answering.clone().try_acquire_owned() else {
                    return Ending::OutOfTurn("more requests at once than are taken");
                };
                let open = Open { answers: answers.clone(), number, answered: false, _permit };
                answering.push(spawn("answer to a peer", open.answer(accepted.receiver.request(from, body))));
            }
            Ok(Frame::Ping) => answers.change(|state| state.pong_due = true),
            Ok(Frame::Refusal(refusal)) => {
                if refusal.reason == Reason::Removed && from != 0 {
                    accepted.receiver.removed(from);
                }
                return refusal.refused(&accepted.us, from);
            }
            Ok(_) => return Ending::OutOfTurn("something else than messages or requests"),
            Err(ending) => return ending,
        }
    }
}

async fn speak(us: &Identity, from: u64, answers: &Answers, outgoing: &mut Outgoing) -> Ending {
    let mut batch = Vec::new();
    loop {
        batch.clear();
        batch.shrink_to(2 * BATCH_BYTES_MAX);
        match answers.take_now(&mut batch) {
            Ok(true) => {}
            Ok(false) => {
                answers.wake.notified().await;
                continue;
            }
            Err(ending) => return ending,
        }
        if reset_due(us.node, from) {
            return Ending::Simulated;
        }
        if let Err(ending) = outgoing.write(&batch).await {
            return ending;
        }
    }
}
