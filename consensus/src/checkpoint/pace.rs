//! How fast checkpoints leave a node: so many bytes a second, for all of them together.
//!
//! Who asks waits for his turn before anything is read for him, in the order in which they ask. What a turn sent is paid for
//! by the next one, so that also a chunk that is larger than a second's bytes goes out.

use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use vivarium_storage::runtime::{Instant, buggify, now, sleep, timeout};

/// Time that was not used counts for so long: clocks that tick in milliseconds do not slow a stream down.
const BEHIND_MAX: Duration = Duration::from_millis(50);
/// How long a turn takes to come where it is made to take long: a part of what an answer may.
const SLOW: Duration = Duration::from_millis(700);

/// How fast checkpoints leave a node.
pub(crate) struct Pace {
    bytes_per_second_max: u64,
    /// When what was sent is paid for.
    free_at: Mutex<Option<Instant>>,
}

/// The right to send something.
pub(crate) struct Turn<'a> {
    bytes_per_second_max: u64,
    free_at: MutexGuard<'a, Option<Instant>>,
}

impl Pace {
    /// So many bytes a second.
    ///
    /// # Panics
    /// When it is none at all.
    pub fn new(bytes_per_second_max: u64) -> Pace {
        assert!(bytes_per_second_max > 0, "something is sent in a second");
        Pace { bytes_per_second_max, free_at: Mutex::new(None) }
    }

    /// Waits until something may be sent. `None` when that is not before `deadline`: then nobody waits for it any more.
    pub async fn turn(&self, deadline: Instant) -> Option<Turn<'_>> {
        let free_at = timeout(deadline.saturating_duration_since(now()), self.free_at.lock()).await.ok()?;
        if free_at.is_some_and(|at| at >= deadline) {
            return None;
        }
        if let Some(at) = *free_at {
            sleep(at.saturating_duration_since(now())).await;
        }
        if buggify("buggify: a checkpoint waits for its turn") {
            sleep(SLOW).await;
        }
        Some(Turn { bytes_per_second_max: self.bytes_per_second_max, free_at })
    }
}

impl Turn<'_> {
    /// So many bytes are sent; the next one waits for that.
    pub fn sends(mut self, bytes: usize) {
        let nanos = (bytes as u128) * 1_000_000_000 / u128::from(self.bytes_per_second_max);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let now = now();
        let from = match *self.free_at {
            Some(at) if now.saturating_duration_since(at) <= BEHIND_MAX => at,
            _ => now,
        };
        *self.free_at = Some(from + takes);
    }
}

#[cfg(test)]
#[cfg(not(madsim))]
mod tests {
    use super::*;

    const MEBIBYTE: usize = 1 << 20;

    fn soon() -> Instant {
        now() + Duration::from_secs(10)
    }

    #[tokio::test]
    async fn many_parts_take_as_long_as_their_bytes() {
        let pace = Pace::new(64 << 20);
        let began = now();
        for _ in 0..64 {
            pace.turn(soon()).await.unwrap().sends(MEBIBYTE / 4);
        }
        let took = began.elapsed();
        assert!((Duration::from_millis(200)..Duration::from_secs(2)).contains(&took), "16 MiB took {took:?}");
    }

    #[tokio::test]
    async fn a_part_of_any_size_goes_out_and_those_behind_it_pay() {
        let pace = Pace::new(1 << 20);
        pace.turn(soon()).await.unwrap().sends(16 * MEBIBYTE);
        assert!(pace.turn(now() + Duration::from_secs(1)).await.is_none(), "nobody waits for that");
        // Who was turned away owes nothing.
        let free_at = pace.free_at.lock().await.unwrap();
        assert!((15..17).contains(&free_at.saturating_duration_since(now()).as_secs()));
    }

    #[tokio::test]
    async fn what_was_not_sent_for_long_is_no_credit() {
        let pace = Pace::new(1 << 20);
        pace.turn(soon()).await.unwrap().sends(1);
        sleep(Duration::from_millis(120)).await;
        let began = now();
        for _ in 0..3 {
            pace.turn(soon()).await.unwrap().sends(MEBIBYTE / 10);
        }
        assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
    }
}
