//! The way to other nodes. Messages may be lost on it, never changed.

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

#[cfg(test)]
pub(crate) mod switchboard {
    //! Connects nodes of one process, and cuts some of them off.

    use super::Message;
    use crate::driver::{Letter, Mailbox};
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::{Arc, Mutex};
    use vivarium_storage::wal::GroupId;

    #[derive(Clone, Default)]
    pub(crate) struct Switchboard(Arc<Mutex<Lines>>);

    #[derive(Default)]
    struct Lines {
        mailboxes: BTreeMap<u64, Mailbox>,
        cut_off: BTreeSet<u64>,
    }

    impl Switchboard {
        pub fn connect(&self, node: u64, mailbox: Mailbox) {
            self.0.lock().unwrap().mailboxes.insert(node, mailbox);
        }
        pub fn cut_off(&self, node: u64) {
            self.0.lock().unwrap().cut_off.insert(node);
        }
        pub fn heal(&self) {
            self.0.lock().unwrap().cut_off.clear();
        }
        pub fn send(&self, group: GroupId, from: u64, message: Message) {
            let lines = self.0.lock().unwrap();
            let to = message.to();
            if !lines.cut_off.contains(&from)
                && !lines.cut_off.contains(&to)
                && let Some(mailbox) = lines.mailboxes.get(&to)
            {
                mailbox.tell(Letter::Message(group, message));
            }
        }
    }
}
