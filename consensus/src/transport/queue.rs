//! What waits to be written to one peer, and what was written and waits for its answer.
//!
//! A request is in exactly one of both until it ends: what waits was surely not sent, what was written may have arrived.

use super::RequestError;
use super::frame;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};
use vivarium_storage::runtime::{buggify, sometimes};
use vivarium_storage::wal::GroupId;

/// Raft messages that may wait: more of them are stale before they are written.
const MESSAGES_MAX: usize = 4096;
/// Bytes of Raft messages that may wait: a few of the largest entries, so that one does not keep the next out.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Requests that may wait for a connection or for their turn.
const WAITING_MAX: usize = 1024;
/// Bytes of requests that may wait.
const WAITING_BYTES_MAX: usize = 128 << 20;
/// Requests under way on one connection. The other side ends a connection that exceeds this.
pub(super) const WRITTEN_MAX: usize = 64;
/// Bytes of requests under way on one connection; one alone may be larger.
const WRITTEN_BYTES_MAX: usize = 64 << 20;
/// Messages in one frame, and all that goes into one write: enough to fill any link, not enough to make the next wait.
pub(super) const BATCH_BYTES_MAX: usize = 1 << 20;
/// What a message costs beside its own bytes.
const MESSAGE_EXTRA: usize = 8;

type Answer = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// Everything between one peer and us that is not on the wire.
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<(GroupId, Vec<u8>)>,
    message_bytes: usize,
    dropped: u64,
    waiting: BTreeMap<u64, (Vec<u8>, Answer)>,
    waiting_bytes: usize,
    written: BTreeMap<u64, (usize, Answer)>,
    written_bytes: usize,
    number_last: u64,
    /// Set once nothing is taken any more: what later requests are told.
    closed: Option<RequestError>,
}

/// A request of ours. Dropping it takes it back, when it was not written yet.
pub(super) struct Pending<'a> {
    queue: &'a Queue,
    number: u64,
    pub answer: oneshot::Receiver<Result<Vec<u8>, RequestError>>,
}

impl Pending<'_> {
    /// Takes the request back. False when it was written: it may have arrived.
    pub fn withdraw(&self) -> bool {
        self.queue.locked().take_waiting(self.number).is_some()
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl State {
    fn take_waiting(&mut self, number: u64) -> Option<(Vec<u8>, Answer)> {
        let taken = self.waiting.remove(&number)?;
        self.waiting_bytes -= taken.0.len();
        Some(taken)
    }

    /// The next request, when there is one and the peer may be given one more.
    fn next_request(&mut self) -> Option<(u64, Vec<u8>)> {
        let (number, (body, _)) = self.waiting.first_key_value()?;
        let number = *number;
        let bytes = self.written_bytes + body.len();
        if self.written.len() >= WRITTEN_MAX || (bytes > WRITTEN_BYTES_MAX && !self.written.is_empty()) {
            return None;
        }
        let (body, answer) = self.take_waiting(number)?;
        self.written_bytes = bytes;
        self.written.insert(number, (body.len(), answer));
        Some((number, body))
    }

    /// The messages of the next frame.
    fn next_messages(&mut self) -> Vec<(GroupId, Vec<u8>)> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        let bytes_max = if buggify("buggify: a frame between nodes is tiny") { 0 } else { BATCH_BYTES_MAX };
        while let Some((_, message)) = self.messages.front()
            && (taken.is_empty() || bytes + message.len() + MESSAGE_EXTRA <= bytes_max)
        {
            bytes += message.len() + MESSAGE_EXTRA;
            taken.extend(self.messages.pop_front());
        }
        self.message_bytes -= bytes;
        taken
    }
}

impl Queue {
    pub fn new() -> Queue {
        Queue { state: Mutex::default(), wake: Notify::new() }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // Every change is whole before the lock is released, also when its holder panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a Raft message, or drops it when too much waits.
    pub fn push(&self, group: GroupId, message: Vec<u8>) {
        let mut state = self.locked();
        let bytes = state.message_bytes + message.len() + MESSAGE_EXTRA;
        let full = state.messages.len() >= MESSAGES_MAX || bytes > MESSAGE_BYTES_MAX;
        if full {
            sometimes("the queue to a peer was full");
        }
        if full || message.len() + MESSAGE_EXTRA >= frame::FRAME_BYTES_MAX || state.closed.is_some() {
            state.dropped += 1;
            return;
        }
        state.message_bytes = bytes;
        state.messages.push_back((group, message));
        drop(state);
        self.wake.notify_one();
    }

    /// Adds a request.
    ///
    /// # Errors
    /// When too many wait, it is larger than a frame, or nothing is taken any more. It was not sent.
    pub fn ask(&self, body: Vec<u8>) -> Result<Pending<'_>, RequestError> {
        if body.len() > frame::BODY_BYTES_MAX {
            return Err(RequestError::TooLarge);
        }
        let mut state = self.locked();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let bytes = state.waiting_bytes + body.len();
        if state.waiting.len() >= WAITING_MAX || bytes > WAITING_BYTES_MAX {
            return Err(RequestError::NotSent("too many requests wait for this node".to_owned()));
        }
        state.number_last += 1;
        let number = state.number_last;
        let (sender, answer) = oneshot::channel();
        state.waiting_bytes = bytes;
        state.waiting.insert(number, (body, sender));
        drop(state);
        self.wake.notify_one();
        Ok(Pending { queue: self, number, answer })
    }

    /// Waits until there is something to write, and appends the next batch. Dropping it takes nothing.
    pub async fn take(&self, out: &mut Vec<u8>) {
        while !self.take_now(out) {
            self.wake.notified().await;
        }
    }

    fn take_now(&self, out: &mut Vec<u8>) -> bool {
        let empty = out.len();
        let mut state = self.locked();
        let messages = state.next_messages();
        let mut requests = Vec::new();
        let mut bytes = messages.iter().map(|(_, message)| message.len()).sum::<usize>();
        while bytes < BATCH_BYTES_MAX
            && let Some((number, body)) = state.next_request()
        {
            bytes += body.len();
            requests.push((number, body));
        }
        drop(state);
        if !messages.is_empty() {
            frame::put_messages(out, &messages);
        }
        for (number, body) in requests {
            frame::put_request(out, number, &body);
        }
        out.len() > empty
    }

    /// Hands an answer to who waits for it. False when no such request is under way.
    pub fn answer(&self, number: u64, body: Vec<u8>) -> bool {
        let mut state = self.locked();
        let Some((bytes, answer)) = state.written.remove(&number) else { return false };
        state.written_bytes -= bytes;
        let more = !state.waiting.is_empty();
        drop(state);
        if more {
            self.wake.notify_one();
        }
        // Who asked may have left.
        let _ = answer.send(Ok(body));
        true
    }

    /// The connection ended: what was written may have arrived.
    pub fn lost(&self) {
        let mut state = self.locked();
        state.written_bytes = 0;
        let written = std::mem::take(&mut state.written);
        drop(state);
        if !written.is_empty() {
            sometimes("a connection was reset under a request");
        }
        for (_, answer) in written.into_values() {
            let _ = answer.send(Err(RequestError::Unknown));
        }
    }

    /// Drops the messages that wait: the peer cannot be reached, and Raft has newer ones when it can.
    pub fn drop_messages(&self) {
        let mut state = self.locked();
        state.dropped += state.messages.len() as u64;
        state.message_bytes = 0;
        state.messages.clear();
    }

    /// Takes nothing any more, and ends every request: what waits with `error`.
    pub fn close(&self, error: RequestError) {
        let mut state = self.locked();
        state.closed = Some(error.clone());
        state.waiting_bytes = 0;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.drop_messages();
        for (_, answer) in waiting.into_values() {
            let _ = answer.send(Err(error.clone()));
        }
        self.lost();
    }

    /// Bytes that wait, and messages that were dropped.
    pub fn weight(&self) -> (usize, u64) {
        let state = self.locked();
        (state.message_bytes + state.waiting_bytes, state.dropped)
    }
}
