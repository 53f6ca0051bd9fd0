//! Where the driver's messages go.

use super::Transport;
#[cfg(all(test, not(madsim)))]
use super::switchboard;
use crate::raft::Message;
use vivarium_storage::wal::GroupId;

/// Where messages leave this node.
#[derive(Clone)]
pub(crate) enum Outbox {
    /// A cluster of one has nobody to send to.
    Nobody,
    /// Other nodes of the cluster.
    Network(Transport),
    /// Nodes of one process, for tests.
    #[cfg(all(test, not(madsim)))]
    Switchboard(switchboard::Switchboard, u64),
}

impl Outbox {
    /// Sends what it can; Raft repeats what is lost.
    pub fn send(&self, group: GroupId, messages: Vec<Message>) {
        for message in messages {
            match self {
                Outbox::Network(transport) => transport.send(message.to(), group, message.encode()),
                Outbox::Nobody => tracing::debug!(group = group.0, to = message.to(), "no way to a peer"),
                #[cfg(all(test, not(madsim)))]
                Outbox::Switchboard(switchboard, from) => switchboard.send(group, *from, message),
            }
        }
    }
}
