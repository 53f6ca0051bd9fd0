//! The node's log as raft-rs reads it. Writing goes another way: through the effects of a group.
//!
//! Invariant: the log has every entry of `first.0 + 1..=last.0`, those on their way to the disk included.

use super::entry;
use crate::checkpoint::Origin;
use protobuf::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use vivarium_storage::wal::{GroupId, Recovered};
use vivarium_storage::{Store, Wal};

/// Bytes of a hard state: format, term, vote, commit.
const HARD_STATE_BYTES: usize = 25;
const HARD_STATE_FORMAT: u8 = 1;

/// One group's entries in the node's log.
pub(super) struct GroupLog {
    wal: Wal,
    group: GroupId,
    /// The last entry that is gone, as (index, term).
    pub first: (u64, u64),
    /// The last entry that is there, as (index, term).
    pub last: (u64, u64),
    hard_state: HardState,
    /// False where the log itself knows of less that is committed, or of more than it has.
    is_written: bool,
    /// The configuration as of the last entry that the store had when it was opened.
    voters: ConfState,
    store: Store,
}

impl GroupLog {
    /// What the group left in the log. What the store has is known to be committed, whatever the hard state says:
    /// a commit index is written only along with something else, and when its node closes.
    ///
    /// # Errors
    /// What is wrong with the hard state.
    pub fn new(
        wal: Wal,
        store: Store,
        group: GroupId,
        recovered: &Recovered,
        voters: ConfState,
    ) -> Result<GroupLog, String> {
        let applied = store.position().index;
        let mut hard_state = match &recovered.hard_state {
            Some(bytes) => decode_hard_state(bytes)?,
            None => HardState::default(),
        };
        // The log's tail may have been torn off after the commit index was written, when that was not synced.
        let commit = hard_state.commit.max(applied).min(recovered.last.0);
        let is_written = commit == hard_state.commit;
        hard_state.commit = commit;
        let (first, last) = (recovered.first, recovered.last);
        Ok(GroupLog { wal, group, first, last, hard_state, is_written, voters, store })
    }

    /// The hard state that the group begins with, where the log says something else.
    pub fn unsaved(&self) -> Option<HardState> {
        (!self.is_written).then(|| self.hard_state.clone())
    }

    /// The configuration that counts while the store holds none.
    pub fn configuration(&self) -> Vec<u8> {
        self.voters.write_to_bytes().expect("a configuration is encoded in memory")
    }

    /// The entries of `low..high`, as many as `bytes_max` allows, at least one.
    fn read(&self, low: u64, high: u64, bytes_max: u64) -> Result<Vec<Entry>, vivarium_storage::Error> {
        let entries = self.wal.entries(self.group, low..high, bytes_max)?;
        Ok(entries.into_iter().map(|(index, term, payload)| entry::from_log(index, term, payload)).collect())
    }
}

impl Storage for GroupLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.voters.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.first.0 {
            return Err(StorageError::Compacted.into());
        }
        assert!(high <= self.last.0 + 1, "entries up to {high} are asked for, the last is {}", self.last.0);
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        self.read(low, high, bytes_max).map_err(|error| StorageError::Other(Box::new(error)).into())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.first.0 {
            return Ok(self.first.1);
        }
        if index < self.first.0 {
            return Err(StorageError::Compacted.into());
        }
        self.wal.term(self.group, index).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last.0)
    }

    /// Only a word: what the store has now, without its data. Who needs it pulls it.
    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        let founders = self.configuration();
        let origin = Origin::of(&self.store.snapshot(), &founders).map_err(|error| {
            tracing::error!(%error, "a peer needs a checkpoint, and the store cannot be read");
            StorageError::SnapshotTemporarilyUnavailable
        })?;
        if origin.position.index == 0 {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        snapshot(&origin).map_err(|reason| {
            tracing::error!(%reason, "a peer needs a checkpoint, and the store's configuration cannot be read");
            StorageError::SnapshotTemporarilyUnavailable.into()
        })
    }
}

/// What raft-rs must know of a checkpoint.
///
/// # Errors
/// What is wrong with its configuration.
pub(super) fn snapshot(origin: &Origin) -> Result<Snapshot, String> {
    let mut snapshot = Snapshot::default();
    let metadata = snapshot.mut_metadata();
    (metadata.index, metadata.term) = (origin.position.index, origin.position.term);
    metadata.set_conf_state(ConfState::parse_from_bytes(&origin.configuration).map_err(|error| error.to_string())?);
    Ok(snapshot)
}

/// The bytes of a hard state, as docs/format.md draws them.
pub(super) fn encode_hard_state(state: &HardState) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HARD_STATE_BYTES);
    bytes.push(HARD_STATE_FORMAT);
    for number in [state.term, state.vote, state.commit] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// The bytes of a hard state that knows of a checkpoint, whatever was known before. A vote of an earlier term ends.
///
/// # Errors
/// What is wrong with the hard state before.
pub(crate) fn raised(before: Option<&[u8]>, term: u64, commit: u64) -> Result<Vec<u8>, String> {
    let mut state = before.map_or(Ok(HardState::default()), decode_hard_state)?;
    if state.term < term {
        (state.term, state.vote) = (term, 0);
    }
    state.commit = state.commit.max(commit);
    Ok(encode_hard_state(&state))
}

/// The term of a hard state; 0 before the first.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn term_of(hard_state: Option<&[u8]>) -> Result<u64, String> {
    Ok(hard_state.map_or(Ok(HardState::default()), decode_hard_state)?.term)
}

/// The voters and the learners of a configuration, in ascending order. While it changes, all that vote before or after.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn members_of(configuration: &[u8]) -> Result<(Vec<u64>, Vec<u64>), String> {
    let state = ConfState::parse_from_bytes(configuration).map_err(|error| error.to_string())?;
    let ascending = |mut nodes: Vec<u64>| {
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    };
    let voters = state.voters.iter().chain(&state.voters_outgoing).copied().collect();
    let learners = state.learners.iter().chain(&state.learners_next).copied().collect();
    Ok((ascending(voters), ascending(learners)))
}

/// The configuration in which these nodes vote and nobody else belongs to the group.
pub(crate) fn configuration_of(voters: Vec<u64>) -> Vec<u8> {
    ConfState::from((voters, vec![])).write_to_bytes().expect("a configuration is encoded in memory")
}

fn decode_hard_state(bytes: &[u8]) -> Result<HardState, String> {
    if bytes.len() != HARD_STATE_BYTES || bytes[0] != HARD_STATE_FORMAT {
        return Err(format!("a hard state of {} bytes in format {:?}", bytes.len(), bytes.first()));
    }
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("the length was checked"));
    Ok(HardState { term: number(1), vote: number(9), commit: number(17), ..HardState::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_state_survives_and_its_bytes_are_on_record() {
        let state = HardState { term: 3, vote: 1, commit: 0x0102, ..HardState::default() };
        let bytes = encode_hard_state(&state);
        assert_eq!(bytes, [1, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(decode_hard_state(&bytes), Ok(state));
        assert!(decode_hard_state(&bytes[1..]).is_err());
    }

    #[test]
    fn a_checkpoint_raises_what_is_known_and_forgets_no_vote_of_its_own_term() {
        let state = HardState { term: 3, vote: 1, commit: 9, ..HardState::default() };
        let raised = |term, commit| decode_hard_state(&raised(Some(&encode_hard_state(&state)), term, commit).unwrap());
        assert_eq!(raised(3, 5), Ok(state.clone()));
        assert_eq!(raised(2, 12), Ok(HardState { commit: 12, ..state.clone() }));
        assert_eq!(raised(4, 12), Ok(HardState { term: 4, vote: 0, commit: 12, ..HardState::default() }));
        let new = super::raised(None, 4, 12).unwrap();
        assert_eq!(decode_hard_state(&new), Ok(HardState { term: 4, commit: 12, ..HardState::default() }));
        assert!(super::raised(Some(&[9]), 4, 12).is_err());
    }
}
