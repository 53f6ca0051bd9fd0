//! Who belongs to the cluster changes while it works: machines join, members go, lose their disk, hand leadership over.

use super::draw_who;
use crate::plan::{Mischief, Who};
use crate::rng::Rng;

/// A change of who belongs to the cluster, or of who leads it.
pub fn draw(nodes: u64, rng: &mut Rng) -> Mischief {
    let one = |rng: &mut Rng| {
        if rng.chance(1, 3) { Who::Leader } else { Who::Nodes(vec![rng.between(1, nodes)]) }
    };
    match rng.below(10) {
        0..=2 => Mischief::Join { machines: rng.between(1, 2) },
        3..=6 => Mischief::Remove { who: one(rng), runs_on: rng.chance(2, 3) },
        7 => Mischief::Replace { who: draw_who(nodes, rng) },
        _ => Mischief::Transfer { to: rng.chance(2, 3).then(|| Who::Nodes(vec![rng.between(1, nodes)])) },
    }
}
