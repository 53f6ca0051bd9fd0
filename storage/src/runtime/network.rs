//! Where simulation decides what becomes of a message between nodes. Outside simulation every message goes its way.
//!
//! A simulator installs one closure for each question, for the whole process, before anything starts.

#[cfg(madsim)]
pub use simulated::{fate, reset_due, set_network};

use std::time::Duration;

/// What becomes of one Raft message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes its way.
    Deliver,
    /// It is lost.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// It is sent later, behind others.
    Delay(Duration),
}

/// What becomes of a Raft message of node `from` to node `to`. Asked once for each, before it waits to be written.
#[cfg(not(madsim))]
#[inline(always)]
pub const fn fate(_from: u64, _to: u64) -> Fate {
    Fate::Deliver
}

/// True when the connection breaks now. Asked by `from` before each write to `to`: what it writes is then lost, and
/// requests or answers with it.
#[cfg(not(madsim))]
#[inline(always)]
pub const fn reset_due(_from: u64, _to: u64) -> bool {
    false
}

#[cfg(madsim)]
mod simulated {
    use super::Fate;
    use std::sync::{Arc, Mutex, PoisonError};

    type Fates = dyn Fn(u64, u64) -> Fate + Send + Sync;
    type Resets = dyn Fn(u64, u64) -> bool + Send + Sync;

    static NETWORK: Mutex<Option<(Arc<Fates>, Arc<Resets>)>> = Mutex::new(None);

    /// Asks these closures from now on: `fate(from, to)` for each Raft message, `reset_due(from, to)` before each write.
    pub fn set_network(
        fate: impl Fn(u64, u64) -> Fate + Send + Sync + 'static,
        reset_due: impl Fn(u64, u64) -> bool + Send + Sync + 'static,
    ) {
        *NETWORK.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(fate), Arc::new(reset_due)));
    }

    fn network() -> Option<(Arc<Fates>, Arc<Resets>)> {
        NETWORK.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What becomes of a Raft message of node `from` to node `to`. Asked once for each, before it waits to be written.
    pub fn fate(from: u64, to: u64) -> Fate {
        network().map_or(Fate::Deliver, |(fate, _)| fate(from, to))
    }

    /// True when the connection breaks now. Asked by `from` before each write to `to`: what it writes is then lost,
    /// and requests or answers with it.
    pub fn reset_due(from: u64, to: u64) -> bool {
        network().is_some_and(|(_, reset_due)| reset_due(from, to))
    }
}
