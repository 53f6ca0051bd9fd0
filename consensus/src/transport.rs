//! The way to other nodes. Messages may be lost on it, never changed.

use crate::raft::Message;
use vivarium_storage::wal::GroupId;

/// Messages that leave this node. A cluster of one has nobody to send to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox;

impl Outbox {
    /// Sends what it can; Raft repeats what is lost.
    pub fn send(&self, group: GroupId, messages: Vec<Message>) {
        for message in messages {
            tracing::debug!(group = group.0, to = message.to(), "no way to a peer");
        }
    }
}
