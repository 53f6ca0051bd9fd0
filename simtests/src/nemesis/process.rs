//! Nodes that end: by power failure, killed, or closed in good order.

use super::{draw_policy, draw_who};
use crate::plan::{Mischief, Who};
use crate::rng::Rng;

/// Nodes that end and come back.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let who = if rng.chance(1, 5) { Who::All } else { draw_who(nodes, rng) };
    if rng.chance(1, 8) {
        return Mischief::Close { who };
    }
    let power = rng.chance(2, 3).then(|| draw_policy(rng));
    let after_changes = if rng.chance(1, 4) { 0 } else { rng.spread(1, 60) };
    Mischief::Crash { who, power, after_changes }
}

/// Nodes that stand still and go on as if nothing had been.
pub fn draw_pause(nodes: u64, rng: &mut Rng) -> Mischief {
    Mischief::Pause { who: draw_who(nodes, rng) }
}
