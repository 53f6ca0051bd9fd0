//! Clients that do not reach nodes.

use super::draw_who;
use crate::plan::Mischief;
use crate::rng::Rng;

/// Numbers of clients that may be meant, whether they are there or not.
const CLIENTS_MAX: u64 = 12;

/// Some clients do not reach some nodes.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let part = rng.between(1, 4);
    let clients = (1..=CLIENTS_MAX).filter(|_| rng.chance(part, 4)).collect();
    Mischief::Gap { clients, who: draw_who(nodes, rng), requests: rng.chance(1, 2) }
}
