//! How a client of several nodes behaves: whom it asks, how long it waits, whom it asks next. All from its seed.

use crate::rng::Rng;
use std::time::Duration;

/// How often a client of several nodes tries a call again.
pub const ATTEMPTS_MAX: u32 = 12;

/// How a client of several nodes behaves.
#[derive(Clone, Debug)]
pub struct Manners {
    rng: Rng,
    /// How many nodes there are.
    nodes: u64,
    /// The node that it speaks to, from 0.
    at: usize,
}

impl Manners {
    /// The manners of one client of `nodes` nodes.
    pub fn new(number: u64, nodes: u64, seed: u64) -> Manners {
        let mut rng = Rng::stream(seed, &format!("client/c{number}"));
        let at = rng.below(nodes) as usize;
        Manners { rng, nodes, at }
    }

    /// Those of the same client once more, perhaps at another node.
    pub fn twin(&mut self) -> Manners {
        let rng = Rng::stream(self.rng.next(), "twin");
        Manners { rng, nodes: self.nodes, at: self.rng.below(self.nodes) as usize }
    }

    /// Whom it asks: mostly the node that answered last.
    pub fn choose(&mut self) -> usize {
        if self.rng.chance(1, 8) {
            self.at = self.rng.below(self.nodes) as usize;
        }
        self.at
    }

    /// Goes to any node, perhaps the same.
    pub fn move_on(&mut self) {
        self.at = self.rng.below(self.nodes) as usize;
    }

    /// How long it waits for an answer.
    pub fn patience(&mut self) -> Duration {
        Duration::from_millis(self.rng.spread(100, 40_000))
    }

    /// Goes to another node. How long it waits before.
    pub fn turn_away(&mut self) -> Duration {
        self.move_on();
        Duration::from_millis(self.rng.spread(1, 1000))
    }
}
