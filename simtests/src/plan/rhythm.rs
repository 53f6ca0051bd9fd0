//! When clients work: bursts over the time of a run, and quiet between them. Some bugs need quiet first.
//!
//! Waiting costs nothing, so a long run is a short one with room between its bursts. Troubles are aimed at bursts.

use crate::rng::Rng;
use crate::workload::Step;

/// A run as long as this has one burst, each further one needs so much more time.
const BURST_TIME_S: u64 = 10;
/// Clients of a burst begin within so much of each other.
const JITTER_MS_MAX: u64 = 200;
/// A trouble that is aimed at a burst comes so much before it at most.
const LEAD_MS_MAX: u64 = 100;

/// When clients work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rhythm {
    time_ms: u64,
    /// When bursts begin, in order; the first one at once.
    bursts_ms: Vec<u64>,
}

impl Rhythm {
    /// The rhythm of a run of so many seconds.
    pub fn draw(time_s: u64, rng: &mut Rng) -> Rhythm {
        let time_ms = time_s * 1000;
        let count = rng.between(1, (time_s / BURST_TIME_S).max(1));
        // The last ones shall have time to end.
        let mut bursts_ms: Vec<u64> = (1..count).map(|_| rng.below(time_ms * 9 / 10)).collect();
        bursts_ms.push(0);
        bursts_ms.sort_unstable();
        Rhythm { time_ms, bursts_ms }
    }

    /// How many bursts there are.
    pub fn bursts(&self) -> u64 {
        self.bursts_ms.len() as u64
    }

    /// Deals the steps of a client out to the bursts, in order. It may miss some of them.
    pub fn deal(&self, steps: &mut [Step], rng: &mut Rng) {
        let mut firsts: Vec<usize> =
            self.bursts_ms[1..].iter().map(|_| rng.below(steps.len() as u64) as usize).collect();
        firsts.sort_unstable();
        for (first, burst_ms) in firsts.into_iter().zip(&self.bursts_ms[1..]) {
            // Of several bursts that begin with the same step the last one has it.
            steps[first].at_ms = burst_ms + rng.below(JITTER_MS_MAX);
        }
    }

    /// A moment for a trouble: mostly while a burst is under way that lasts for so long, or just before.
    pub fn moment_ms(&self, burst_ms: u64, rng: &mut Rng) -> u64 {
        if rng.chance(1, 4) {
            return rng.below(self.time_ms.max(1));
        }
        let begins = *rng.pick(&self.bursts_ms);
        (begins + rng.spread(1, burst_ms)).saturating_sub(rng.below(LEAD_MS_MAX)).min(self.time_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn bursts_and_troubles_lie_within_the_run() {
        for seed in 0..200 {
            let mut rng = Rng::stream(seed, "rhythm");
            let rhythm = Rhythm::draw(60, &mut rng);
            assert!(rhythm.bursts() <= 6 && rhythm.bursts_ms[0] == 0 && rhythm.bursts_ms.is_sorted());
            assert!(rhythm.bursts_ms.iter().all(|begin| *begin < 54_000));
            assert!((0..20).all(|_| rhythm.moment_ms(4000, &mut rng) <= 60_000));
        }
    }

    #[test]
    fn steps_wait_for_their_bursts_in_order() {
        let mut rng = Rng::stream(5, "rhythm");
        let rhythm = Rhythm { time_ms: 60_000, bursts_ms: vec![0, 20_000, 40_000] };
        let mut steps = Workload::Mixed.draw(1, 30, &mut rng);
        rhythm.deal(&mut steps, &mut rng);
        let waits: Vec<u64> = steps.iter().map(|step| step.at_ms).filter(|at_ms| *at_ms > 0).collect();
        assert!(waits.is_sorted() && waits.last().is_some_and(|last| *last >= 40_000), "{waits:?}");
    }

    #[test]
    fn a_short_run_is_one_burst() {
        assert_eq!(Rhythm::draw(10, &mut Rng::stream(1, "rhythm")).bursts(), 1);
    }
}
