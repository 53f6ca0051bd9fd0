//! Where the driver's messages go, until nodes are connected.

#[cfg(test)]
use super::switchboard;
use crate::raft::Message;
use vivarium_storage::wal::GroupId;

/// Where messages leave this node.
#[derive(Clone)]
pub(crate) enum Outbox {
    /// A cluster of one has nobody to send to.
    Nobody,
    /// Nodes of one process, for tests.
    #[cfg(test)]
    Switchboard(switchboard::Switchboard, u64),
}

impl Outbox {
    /// Sends what it can; Raft repeats what is lost.
    pub fn send(&self, group: GroupId, messages: Vec<Message>) {
        for message in messages {
            match self {
                Outbox::Nobody => tracing::debug!(group = group.0, to = message.to(), "no way to a peer"),
                #[cfg(test)]
                Outbox::Switchboard(switchboard, from) => switchboard.send(group, *from, message),
            }
        }
    }
}
