//! Checkpoints between nodes: who is too far behind for the log pulls the whole store from a peer, chunk by chunk.
//!
//! What came is offered to Raft with the place in the log that it really has; see docs/decisions/0007.

mod fetch;
mod flight;
mod pace;
mod send;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use fetch::{Ask, Fetched, Fetcher};
pub(crate) use pace::Pace;
pub(crate) use send::Sender;

use crate::{Result, applier};
use serde::{Deserialize, Serialize};
use vivarium_storage::Snapshot;
use vivarium_storage::engine::Position;

/// Chunks of one checkpoint that are asked for at once: 2 MiB fill a link of 160 Mbit/s over 100 ms. As many are kept by
/// the sender, should they be asked for again; a chunk with the largest document has 16 MiB.
pub(crate) const CHUNKS_IN_FLIGHT_MAX: usize = 8;

/// What Raft must know of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The last entry that is in it.
    pub position: Position,
    /// The configuration as of that entry, as [`crate::raft::Group::reconfigure`] gives it.
    pub configuration: Vec<u8>,
}

impl Origin {
    /// What a snapshot of the store says of itself. `founders` is the configuration that never changed.
    ///
    /// # Errors
    /// Those of reading.
    pub fn of(snapshot: &Snapshot, founders: &[u8]) -> Result<Origin> {
        let configuration = applier::stored_configuration(snapshot)?.unwrap_or_else(|| founders.to_vec());
        Ok(Origin { position: snapshot.position(), configuration })
    }
}

/// A leader's word that this node needs a checkpoint: the log that it has begins too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// Who says so.
    pub from: u64,
    /// In which term it leads.
    pub term: u64,
    /// The checkpoint has this entry, or a later one.
    pub at_least: u64,
}
