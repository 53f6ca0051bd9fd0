//! Plan to answer: level by level, in batches, JSON straight into the buffer.
//!
//! Reading comes first, one batch for each node of the plan; then one pass writes what was read.

mod best;
mod connection;
mod exact;
mod family;
mod fold;
mod gather;
mod groups;
mod level;
mod merge;
pub(crate) mod mutation;
mod place;
mod reader;
mod roots;
mod sort;
mod stream;
mod tally;
mod write;
mod write_fold;

pub(crate) use reader::Reader;
pub(crate) use roots::read_roots;
pub(crate) use write::{Answer, Patch, Writing};
