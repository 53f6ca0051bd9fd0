//! The one seam to time, chance, tasks and threads. Production and simulation differ here and nowhere else.
//!
//! Everything above takes a [`Runtime`] as an argument; clippy refuses the calls that would go round it.

use crate::{DocumentId, Version};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub use tokio::time::Instant;

/// Clock, chance and the disk's pace, as one argument. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    _inner: Arc<()>,
}

impl Runtime {
    /// The real thing: the system's clock, entropy from the operating system.
    pub fn system() -> Runtime {
        todo!()
    }
    /// For simulation and tests: chance from a seed; the clock is the process's own (virtual under madsim).
    pub fn seeded(seed: u64) -> Runtime {
        let _ = seed;
        todo!()
    }
    /// The wall clock, in microseconds since 1970. It may jump; nothing correct depends on it.
    pub fn now_micros(&self) -> u64 {
        todo!()
    }
    /// Moves this runtime's wall clock, for simulation: later readings are off by `micros`.
    pub fn skew(&self, micros: i64) {
        let _ = micros;
        todo!()
    }
    /// 64 bits of chance.
    pub fn random(&self) -> u64 {
        todo!()
    }
    /// A new UUIDv7 of this clock and this chance. Ascending within one runtime (RFC 9562, method 3).
    pub fn document_id(&self) -> DocumentId {
        todo!()
    }
}

/// The monotonic clock that deadlines are measured with.
pub fn now() -> Instant {
    todo!()
}

/// Suspends the task.
pub async fn sleep(duration: Duration) {
    let _ = duration;
    todo!()
}

/// A task that ends when its handle is dropped.
pub struct Task {
    _private: (),
}

/// Starts a task. Dropping the handle ends it at its next suspension.
pub fn spawn(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Task {
    let _ = (name, future);
    todo!()
}

/// A version as an instant: what `commit.time` prints.
pub fn micros(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(i64::MAX)
}
