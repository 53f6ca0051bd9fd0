//! In which order, agreed by whom: transactions over a replicated log.
//!
//! A commit is one entry of the log. It is answered when a majority has it on disk and this node has applied it.

mod error;
mod node;
mod transaction;

pub use error::{Error, Result};
pub use node::{Node, NodeOptions, Role, Status};
pub use transaction::{CommitOptions, Consistency, IdempotencyKey, Outcome, Transaction};
