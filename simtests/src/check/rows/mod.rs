//! What operations over tables should leave and be answered: plain maps, naive filters, and what must hold of answers.

mod dump;
mod expected;
mod fold;
pub(super) mod oracles;
mod predicate;
mod tables;

pub use dump::document;
pub use expected::Expected;
pub use tables::{Row, Tables};
