//! Wall clocks that are wrong. They may cost time, and never anything else.

use super::draw_who;
use crate::plan::Mischief;
use crate::rng::Rng;

/// A wall clock that jumps.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    Mischief::Clock { who: draw_who(nodes, rng), skew_micros: draw_skew(rng) }
}

/// How far a wall clock is off.
pub fn draw_skew(rng: &mut Rng) -> i64 {
    *rng.pick(&[0, -10_000, 10_000, -500_000, 500_000, -3_600_000_000, 3_600_000_000])
}
