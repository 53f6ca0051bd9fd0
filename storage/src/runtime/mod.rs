//! The one seam to time, chance, tasks and threads. Production and simulation differ here and nowhere else.
//!
//! Everything above takes a [`Runtime`] as an argument; clippy refuses the calls that would go round it.

mod network;
mod probes;
mod task;
#[cfg(test)]
mod tests;

use crate::{DocumentId, Version};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(madsim)]
pub use network::set_network;
pub use network::{Fate, fate, reset_due};
#[cfg(madsim)]
pub use probes::{agitate, calm, marks, plant, reached};
pub use probes::{buggify, mutant, sometimes};
#[cfg(not(madsim))]
pub use task::thread;
pub use task::{Task, spawn};
pub use tokio::time::Instant;
pub use tokio::time::error::Elapsed;

/// Clock and chance as one argument. Cheap to clone; clones share both.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where the wall clock stands still, in microseconds since 1970.
    stands_at: Option<u64>,
    skew_micros: AtomicI64,
    chance: Mutex<Chance>,
}

struct Chance {
    generator: StdRng,
    /// The millisecond of the newest document id, which may run ahead of the clock.
    millis: u64,
    /// Tells ids of one millisecond apart.
    counter: u16,
}

/// The counter of a UUIDv7 has 12 bits.
const COUNTER_MAX: u16 = 0x0FFF;

impl Runtime {
    /// The real thing: the system's clock, entropy from the operating system.
    #[allow(clippy::disallowed_methods)]
    pub fn system() -> Runtime {
        Runtime::of(rand::make_rng(), None)
    }

    /// For simulation and tests: chance from a seed; the clock is the process's own (virtual under madsim).
    pub fn seeded(seed: u64) -> Runtime {
        Runtime::of(StdRng::seed_from_u64(seed), None)
    }

    /// As [`Runtime::seeded`], with a wall clock that stands still, for tests that run alike whenever they run.
    pub fn standing_at(micros: u64, seed: u64) -> Runtime {
        Runtime::of(StdRng::seed_from_u64(seed), Some(micros))
    }

    fn of(generator: StdRng, stands_at: Option<u64>) -> Runtime {
        let chance = Mutex::new(Chance { generator, millis: 0, counter: 0 });
        Runtime { inner: Arc::new(Inner { stands_at, skew_micros: AtomicI64::new(0), chance }) }
    }

    /// The wall clock, in microseconds since 1970. It may jump; nothing correct depends on it.
    #[allow(clippy::disallowed_methods)]
    pub fn now_micros(&self) -> u64 {
        let micros = self.inner.stands_at.unwrap_or_else(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        });
        micros.saturating_add_signed(self.inner.skew_micros.load(Ordering::Relaxed))
    }

    /// Moves this runtime's wall clock, for simulation: later readings are off by `micros`.
    pub fn skew(&self, micros: i64) {
        self.inner.skew_micros.store(micros, Ordering::Relaxed);
    }

    /// 64 bits of chance.
    pub fn random(&self) -> u64 {
        self.with_locked(|chance| chance.generator.next_u64())
    }

    /// A new UUIDv7 of this clock and this chance. Strictly ascending within one runtime, also when
    /// the clock steps back: a counter follows the millisecond (RFC 9562 section 6.2, method 1).
    pub fn document_id(&self) -> DocumentId {
        let now_millis = self.now_micros() / 1000;
        let (millis, counter, random) = self.with_locked(|chance| {
            let random = chance.generator.next_u64();
            if now_millis > chance.millis {
                chance.millis = now_millis;
                // The upper half stays free, so that a burst does not run ahead of the clock at once.
                chance.counter = (chance.generator.next_u64() as u16) & (COUNTER_MAX >> 1);
            } else if chance.counter < COUNTER_MAX {
                chance.counter += 1;
            } else {
                chance.millis += 1;
                chance.counter = 0;
            }
            (chance.millis, chance.counter, random)
        });
        let upper = (millis << 16) | 0x7000 | u64::from(counter);
        let lower = (random >> 2) | (0b10 << 62);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&upper.to_be_bytes());
        id[8..].copy_from_slice(&lower.to_be_bytes());
        DocumentId(id)
    }

    fn with_locked<T>(&self, act: impl FnOnce(&mut Chance) -> T) -> T {
        // Chance is whole after every step, also when another holder of the lock panicked.
        act(&mut self.inner.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// The monotonic clock that deadlines are measured with.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}

/// Suspends the task.
#[allow(clippy::disallowed_methods)]
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// The future's result, when it comes in time. A future that is late is dropped.
///
/// # Errors
/// [`Elapsed`] when `duration` passes first.
#[allow(clippy::disallowed_methods)]
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout(duration, future).await
}

/// A version as an instant: what `commit.time` prints.
pub fn micros(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(i64::MAX)
}
