//! Wall clocks that are wrong. They may cost time, and never anything else.

use super::draw_who;
use crate::plan::Mischief;
use crate::rng::Rng;

/// What bad clocks do, and what very bad ones do.
const DRIFTS_PPM: [i64; 6] = [-500, 500, -20_000, 20_000, -300_000, 1_000_000];

/// A wall clock that jumps, or that runs too fast or too slowly.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let who = draw_who(nodes, rng);
    match rng.below(3) {
        0 => Mischief::Drift { who, drift_ppm: *rng.pick(&DRIFTS_PPM) },
        _ => Mischief::Clock { who, skew_micros: draw_skew(rng) },
    }
}

/// How far a wall clock is off.
pub fn draw_skew(rng: &mut Rng) -> i64 {
    *rng.pick(&[0, -10_000, 10_000, -500_000, 500_000, -3_600_000_000, 3_600_000_000])
}
