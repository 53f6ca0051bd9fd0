//! The side that needs a checkpoint: pulls it chunk by chunk and makes a store of it, aside and durable.
//!
//! Whatever breaks off is tried again a bounded number of times; the leader repeats its word when all have failed.

use super::flight::Flight;
use super::wire::{Answer, Request, Words};
use super::{Need, Origin};
use crate::transport::RequestError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use vivarium_storage::engine::Restore;
use vivarium_storage::runtime::{Instant, now, sleep, sometimes};
use vivarium_storage::{DataFolder, Error, Store, StoreOptions};

/// How long one answer may take: a chunk has a quarter of a megabyte, seldom more, and some others are before it.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Failures in a row after which a peer is given up.
const FAILURES_MAX: u32 = 10;
/// Failures in a row after which it is given up when nothing has come yet, so that nothing is lost.
const BEGIN_FAILURES_MAX: u32 = 3;
/// Bytes of cache for a store that is only written: its own check reads little.
const CACHE_BYTES: u64 = 1 << 20;
/// Chunks in a row that may come damaged.
const DAMAGED_MAX: u32 = 5;
/// Between two tries: doubled from the first to the second.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// An answer on its way.
pub(crate) type Asked = Pin<Box<dyn Future<Output = Result<Vec<u8>, RequestError>> + Send>>;

/// The way to ask a peer for a part of a checkpoint: (peer, body, deadline) to answer.
#[derive(Clone)]
pub(crate) struct Ask(Arc<dyn Fn(u64, Vec<u8>, Instant) -> Asked + Send + Sync>);

impl Ask {
    /// A way through `ask`.
    pub fn new(ask: impl Fn(u64, Vec<u8>, Instant) -> Asked + Send + Sync + 'static) -> Ask {
        Ask(Arc::new(ask))
    }
}

/// The side that needs a checkpoint.
#[derive(Clone)]
pub(crate) struct Fetcher {
    /// The way to the peers.
    pub ask: Ask,
    /// Where it goes.
    pub folder: Arc<DataFolder>,
    /// How its store is opened.
    pub options: StoreOptions,
    /// This node.
    pub node: u64,
}

/// A checkpoint that came: it lies in `incoming`, whole and durable.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// What Raft must know of it.
    pub origin: Origin,
    /// The term in which the sender held it for committed.
    pub term: u64,
}

/// A checkpoint that came in part.
struct Part {
    checkpoint: u64,
    fetched: Fetched,
    restore: Restore,
}

/// Why a try ended.
enum Broken {
    /// Another try may succeed.
    Off(String),
    /// No other try will.
    Up(String),
}

impl Fetcher {
    /// Pulls a checkpoint from the one who said that it is needed. `newest` is who said so last: when that is
    /// another one, the first failure is enough.
    ///
    /// # Errors
    /// Why it was given up.
    pub async fn fetch(&self, need: Need, newest: &AtomicU64) -> Result<Fetched, String> {
        let fetched = self.try_to_fetch(need, newest).await;
        if fetched.is_err()
            && let Err(error) = self.folder.tidy()
        {
            // The next start does it.
            tracing::warn!(%error, "what came of a checkpoint could not be removed");
        }
        fetched
    }

    async fn try_to_fetch(&self, need: Need, newest: &AtomicU64) -> Result<Fetched, String> {
        tracing::info!(from = need.from, at_least = need.at_least, "a checkpoint is fetched");
        let (mut part, mut failures, mut pause) = (None, 0, PAUSE_MIN);
        loop {
            let chunks = part.as_ref().map_or(0, |part: &Part| part.restore.next_number());
            match self.attempt(need, &mut part).await {
                Ok(fetched) => return Ok(fetched),
                Err(Broken::Up(reason)) => return Err(reason),
                Err(Broken::Off(reason)) => {
                    tracing::debug!(%reason, from = need.from, "a checkpoint is broken off");
                    if part.as_ref().is_some_and(|part| part.restore.next_number() > chunks) {
                        (failures, pause) = (0, PAUSE_MIN);
                    }
                    failures += 1;
                    let failures_max = if part.is_some() { FAILURES_MAX } else { BEGIN_FAILURES_MAX };
                    if failures >= failures_max || newest.load(Ordering::Acquire) != need.from {
                        return Err(format!("after {failures} tries: {reason}"));
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Begins, or goes on with what came in part, until a chunk does not come.
    async fn attempt(&self, need: Need, part: &mut Option<Part>) -> Result<Fetched, Broken> {
        let resume = part.as_ref().map(|part| (part.checkpoint, part.restore.next_number()));
        let begin = Request::Begin { node: self.node, at_least: need.at_least, resume };
        match self.ask(need.from, begin).await? {
            Answer::Words(Words::Begun { checkpoint, next, .. }) if resume == Some((checkpoint, next)) => {
                if next > 0 {
                    sometimes("a checkpoint is resumed");
                }
            }
            Answer::Words(Words::Begun { checkpoint, origin, next: 0, term }) => {
                // The earlier part goes first: both would be made in the same place.
                *part = None;
                let fetched = Fetched { origin, term };
                *part = Some(Part { checkpoint, fetched, restore: self.restore()? });
            }
            Answer::Words(words) => return Err(Broken::Off(format!("the peer says {words:?}"))),
            Answer::Chunk(_) => return Err(Broken::Off("the peer answers what nobody asked".to_owned())),
        }
        self.pull(need.from, part).await
    }

    async fn pull(&self, from: u64, slot: &mut Option<Part>) -> Result<Fetched, Broken> {
        let mut damaged = 0;
        // Whatever is under way when this ends was asked for in vain.
        let mut flight = Flight::new();
        loop {
            let part = slot.as_mut().expect("it was begun");
            if part.restore.is_whole() {
                break;
            }
            let next = part.restore.next_number();
            let chunk = |number: u32| self.asked(from, Request::Chunk { checkpoint: part.checkpoint, number });
            while flight.has_room() {
                flight.ask(chunk(next + u32::try_from(flight.len()).expect("few are under way")));
            }
            let body = flight.first().await.map_err(|error| Broken::Off(error.to_string()))?;
            let came = match Answer::decode(&body) {
                Answer::Chunk(came) => came,
                Answer::Words(words) => {
                    // Its snapshot is gone, and with it the rest of these chunks.
                    *slot = None;
                    return Err(Broken::Off(format!("the peer says {words:?}")));
                }
            };
            match part.restore.take(&came) {
                Ok(()) => {
                    damaged = 0;
                    flight.widen();
                }
                Err(error @ Error::Corrupt { .. }) => {
                    damaged += 1;
                    tracing::warn!(%error, from, "a chunk came damaged");
                    if damaged > DAMAGED_MAX {
                        return Err(Broken::Up(error.to_string()));
                    }
                    flight.ask_again(chunk(next));
                }
                Err(error) => return Err(Broken::Up(error.to_string())),
            }
        }
        let Part { fetched, restore, .. } = slot.take().expect("it was just whole");
        match restore.finish() {
            Ok(position) if position == fetched.origin.position => Ok(fetched),
            Ok(position) => {
                let reason = format!("it was said to end at {:?} and ends at {position:?}", fetched.origin.position);
                Err(Broken::Up(reason))
            }
            Err(error) => Err(Broken::Up(error.to_string())),
        }
    }

    fn restore(&self) -> Result<Restore, Broken> {
        let options = StoreOptions { cache_bytes: CACHE_BYTES, ..self.options.clone() };
        // One that came earlier and was not taken.
        self.folder
            .discard()
            .and_then(|()| Store::begin_restore(&self.folder.incoming(), &options))
            .map_err(|error| Broken::Up(error.to_string()))
    }

    fn asked(&self, peer: u64, request: Request) -> Asked {
        (self.ask.0)(peer, request.encode(), now() + ANSWER_TIME_MAX)
    }

    async fn ask(&self, peer: u64, request: Request) -> Result<Answer, Broken> {
        let answer = self.asked(peer, request).await;
        answer.map(|body| Answer::decode(&body)).map_err(|error| Broken::Off(error.to_string()))
    }
}
