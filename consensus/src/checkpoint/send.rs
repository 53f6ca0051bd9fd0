//! The side that has the checkpoint: keeps snapshots of the store while somebody pulls them.
//!
//! A checkpoint is one snapshot from its first chunk to its last. At most two are under way, and none is kept for long
//! when nobody asks.

use super::wire::{Answer, Request, Words};
use super::{CHUNKS_IN_FLIGHT_MAX, Origin};
use crate::Result;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vivarium_storage::Store;
use vivarium_storage::engine::Export;
use vivarium_storage::runtime::{Instant, Runtime, now};

/// Checkpoints that are sent at once: each keeps old files of the store on disk.
const PINS_MAX: usize = 2;
/// How long a checkpoint is kept when nobody asks for its next chunk: longer than a node takes to restart.
pub(super) const IDLE_TIME_MAX: Duration = Duration::from_secs(60);

/// The side that has the checkpoint.
pub(crate) struct Sender {
    store: Store,
    founders: Vec<u8>,
    runtime: Runtime,
    /// The Raft term in which all that the store has was known to be committed.
    term: AtomicU64,
    pins: Mutex<BTreeMap<u64, Pin>>,
}

/// A snapshot that somebody pulls.
struct Pin {
    node: u64,
    origin: Origin,
    term: u64,
    used: Instant,
    /// Apart, so that nobody else waits while a chunk is read.
    stream: Arc<Mutex<Stream>>,
}

/// The chunks of a snapshot, as they are asked for.
struct Stream {
    /// Those that nobody asked for yet; `None` when all are sent.
    export: Option<Export>,
    next: u32,
    /// The chunks before `next`, should they have been lost or asked for in another order.
    kept: VecDeque<Vec<u8>>,
}

impl Sender {
    /// `founders` is the configuration that counts while the store holds none.
    pub fn new(store: Store, founders: Vec<u8>, term: u64, runtime: Runtime) -> Sender {
        Sender { store, founders, runtime, term: AtomicU64::new(term), pins: Mutex::default() }
    }

    /// Says in which term the entries that go to the store next are known to be committed.
    pub fn note_term(&self, term: u64) {
        self.term.store(term, Ordering::Release);
    }

    /// Answers a request of a node that pulls.
    pub fn answer(&self, body: &[u8]) -> Vec<u8> {
        let answer = match Request::decode(body) {
            None => Ok(Answer::Words(Words::Unknown)),
            Some(Request::Begin { node, at_least, resume }) => self.begin(node, at_least, resume).map(Answer::Words),
            Some(Request::Chunk { checkpoint, number }) => self.chunk(checkpoint, number),
        };
        let answer = answer.unwrap_or_else(|error| {
            tracing::error!(%error, "a checkpoint cannot be read");
            Answer::Words(Words::Gone)
        });
        answer.encode()
    }

    /// Lets go of what nobody asks for any more.
    pub fn expire(&self) {
        let now = now();
        self.pins().retain(|_, pin| now.saturating_duration_since(pin.used) < IDLE_TIME_MAX);
    }

    /// The oldest checkpoint that somebody pulls, or has just pulled: it will need the log from there on.
    pub fn held(&self) -> Option<u64> {
        self.pins().values().map(|pin| pin.origin.position.index).min()
    }

    fn begin(&self, node: u64, at_least: u64, resume: Option<(u64, u32)>) -> Result<Words> {
        self.expire();
        let mut pins = self.pins();
        if let Some((checkpoint, next)) = resume
            && let Some(pin) = pins.get_mut(&checkpoint)
            && pin.node == node
            && locked(&pin.stream).has(next)
        {
            pin.used = now();
            return Ok(Words::Begun { checkpoint, origin: pin.origin.clone(), next, term: pin.term });
        }
        pins.retain(|_, pin| pin.node != node);
        // One that is all sent keeps no files of the store: it must not keep others from theirs.
        if pins.values().filter(|pin| pin.is_under_way()).count() >= PINS_MAX {
            return Ok(Words::Busy);
        }
        let snapshot = self.store.snapshot();
        if snapshot.position().index < at_least {
            return Ok(Words::Behind);
        }
        let origin = Origin::of(&snapshot, &self.founders)?;
        // Read after the snapshot was taken: what is in it was committed in this term or an earlier one.
        let term = self.term.load(Ordering::Acquire);
        let checkpoint = self.runtime.random();
        tracing::info!(node, index = origin.position.index, "a checkpoint is sent");
        let stream = Stream { export: Some(snapshot.export()), next: 0, kept: VecDeque::new() };
        let stream = Arc::new(Mutex::new(stream));
        pins.insert(checkpoint, Pin { node, origin: origin.clone(), term, used: now(), stream });
        Ok(Words::Begun { checkpoint, origin, next: 0, term })
    }

    fn chunk(&self, checkpoint: u64, number: u32) -> Result<Answer> {
        let stream = {
            let mut pins = self.pins();
            let Some(pin) = pins.get_mut(&checkpoint) else { return Ok(Answer::Words(Words::Gone)) };
            pin.used = now();
            pin.stream.clone()
        };
        // The stream is let go before the pins are taken: `begin` takes them in the other order.
        let chunk = locked(&stream).chunk(number);
        let chunk = chunk.inspect_err(|_| drop(self.pins().remove(&checkpoint)))?;
        Ok(chunk.map_or(Answer::Words(Words::Gone), Answer::Chunk))
    }

    fn pins(&self) -> MutexGuard<'_, BTreeMap<u64, Pin>> {
        locked(&self.pins)
    }
}

impl Pin {
    /// False when all of it was asked for. A stream that is being read is under way; nobody waits for it here.
    fn is_under_way(&self) -> bool {
        self.stream.try_lock().map_or(true, |stream| stream.export.is_some())
    }
}

impl Stream {
    /// True when whoever took all chunks before this one can go on.
    fn has(&self, number: u32) -> bool {
        number <= self.next && self.back(number) <= self.kept.len()
    }

    /// How far a chunk lies before the next one.
    fn back(&self, number: u32) -> usize {
        self.next.saturating_sub(number) as usize
    }

    /// A chunk that is kept, or one that comes soon: those before it are kept then, for their requests are on their way.
    /// `None` for any other, and behind the end.
    fn chunk(&mut self, number: u32) -> Result<Option<Vec<u8>>> {
        let ahead = number.saturating_sub(self.next) as usize;
        if ahead >= CHUNKS_IN_FLIGHT_MAX {
            return Ok(None);
        }
        while self.next <= number {
            let Some(export) = &mut self.export else { return Ok(None) };
            let chunk = export.next().transpose()?;
            if export.is_over() {
                // Only the last chunks are kept, should they be lost.
                self.export = None;
            }
            let Some(chunk) = chunk else { return Ok(None) };
            self.next += 1;
            self.kept.push_back(chunk);
            if self.kept.len() > CHUNKS_IN_FLIGHT_MAX {
                self.kept.pop_front();
            }
        }
        let place = self.kept.len().checked_sub(self.back(number));
        Ok(place.and_then(|place| self.kept.get(place)).cloned())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one call, so whoever panicked left it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
