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
    use crate::driver::Letter;
    use crate::node::Shell;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::{Arc, Mutex, Weak};
    use vivarium_storage::wal::GroupId;

    #[derive(Clone, Default)]
    pub(crate) struct Switchboard(Arc<Mutex<Lines>>);

    #[derive(Default)]
    struct Lines {
        shells: BTreeMap<u64, Weak<Shell>>,
        cut_off: BTreeSet<u64>,
    }

    impl Switchboard {
        pub fn connect(&self, node: u64, shell: Weak<Shell>) {
            self.0.lock().unwrap().shells.insert(node, shell);
        }
        pub fn cut_off(&self, node: u64) {
            self.0.lock().unwrap().cut_off.insert(node);
        }
        pub fn heal(&self) {
            self.0.lock().unwrap().cut_off.clear();
        }
        pub fn send(&self, group: GroupId, from: u64, message: Message) {
            let to = message.to();
            if let Some(Ok(inner)) = self.shell(from, to).map(|shell| shell.inner()) {
                inner.tell(Letter::Message(group, message));
            }
        }
        /// The node `to`, when `from` can reach it.
        fn shell(&self, from: u64, to: u64) -> Option<Arc<Shell>> {
            let lines = self.0.lock().unwrap();
            let reached = !lines.cut_off.contains(&from) && !lines.cut_off.contains(&to);
            lines.shells.get(&to).filter(|_| reached)?.upgrade()
        }
    }
}
