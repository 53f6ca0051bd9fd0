//! The kinds of trouble of a cluster: each file draws one family, and knows whom it hits in the cluster as it stands.

mod atlas;
pub mod calls;
pub mod clock;
pub mod disk;
pub mod membership;
pub mod partition;
pub mod process;
mod scene;

pub use atlas::Atlas;
pub use scene::{Scene, draw_who, places};

use crate::plan::Mischief;
use crate::rng::Rng;
use crate::simfs::image::Policy;

/// Draws one mischief of a family for a cluster of so many nodes.
pub type Family = fn(u64, &mut Rng) -> Mischief;

fn draw_policy(rng: &mut Rng) -> Policy {
    *rng.pick(&Policy::ALL)
}
