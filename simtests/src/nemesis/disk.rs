//! Disks that fail a call, or are full. Nothing durable is lost by that, but its node must stop rather than go on.

use crate::plan::{Mischief, draw_fault};
use crate::rng::Rng;

/// A disk that fails.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let node = rng.between(1, nodes);
    if rng.chance(1, 4) {
        return Mischief::FullDisk { node, bytes_more: rng.spread(1, 64 << 10) };
    }
    let power = rng.chance(1, 2).then(|| super::draw_policy(rng));
    Mischief::Fault { node, fault: draw_fault(rng), power }
}
