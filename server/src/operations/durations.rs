//! How durations are spread, in few bytes: four buckets for each power of two of a microsecond.

use std::time::Duration;

/// Buckets for each power of two: a bucket's ends differ by a quarter at most.
const STEPS: u32 = 4;
/// Up to 2^37 microseconds, 38 hours: beyond the longest operation that can be allowed.
const POWERS: u32 = 36;
const BUCKETS: usize = (STEPS * POWERS) as usize;

/// Counts of durations.
#[derive(Clone)]
pub struct Durations {
    counts: Box<[u32; BUCKETS]>,
}

impl Default for Durations {
    fn default() -> Durations {
        Durations { counts: Box::new([0; BUCKETS]) }
    }
}

impl Durations {
    /// Counts one.
    pub fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let count = &mut self.counts[bucket(micros)];
        *count = count.saturating_add(1);
    }

    /// What so many of a hundred were at most; zero when there are none.
    pub fn percentile(&self, percent: u64) -> Duration {
        let all: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return Duration::from_micros(greatest(place));
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a duration. Those below four microseconds have one each.
fn bucket(micros: u64) -> usize {
    let Some(power) = micros.max(1).ilog2().checked_sub(2) else { return micros as usize };
    let step = (micros >> power) as usize & (STEPS as usize - 1);
    ((power as usize + 1) * STEPS as usize + step).min(BUCKETS - 1)
}

/// The longest duration in a bucket.
fn greatest(bucket: usize) -> u64 {
    let (power, step) = (bucket / STEPS as usize, (bucket % STEPS as usize) as u64);
    match power.checked_sub(1) {
        None => step,
        Some(power) => ((u64::from(STEPS) + step + 1) << power) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_it_says() {
        for micros in (0..5_000).chain([1 << 20, (1 << 20) + 1, 123_456_789]) {
            let place = bucket(micros);
            assert!(micros <= greatest(place) && (place == 0 || micros > greatest(place - 1)), "{micros}");
            assert!(greatest(place) <= micros + micros / 4, "{micros}: up to {}", greatest(place));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_at_most_a_quarter_too_long() {
        let mut durations = Durations::default();
        assert_eq!(durations.percentile(99), Duration::ZERO);
        for millis in 1..=100 {
            durations.add(Duration::from_millis(millis));
        }
        for percent in [1, 50, 95, 99, 100] {
            let (found, exact) = (durations.percentile(percent), Duration::from_millis(percent));
            assert!(found >= exact && found <= exact * 5 / 4, "{percent}: {found:?}");
        }
    }
}
