//! Disks that fail a call, are full, or rot. After a failed call a node must stop rather than go on.

use crate::plan::{Mischief, draw_fault};
use crate::rng::Rng;

/// A disk that fails.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let node = rng.between(1, nodes);
    match rng.below(8) {
        0 | 1 => return Mischief::Rot { node },
        2 | 3 => return Mischief::FullDisk { node, bytes_more: rng.spread(1, 64 << 10) },
        _ => {}
    }
    let power = rng.chance(1, 2).then(|| super::draw_policy(rng));
    Mischief::Fault { node, fault: draw_fault(rng), power }
}
