//! Connects nodes of one process, and cuts some of them off.

use crate::driver::Letter;
use crate::node::Shell;
use crate::raft::Message;
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
    pub fn shell(&self, from: u64, to: u64) -> Option<Arc<Shell>> {
        let lines = self.0.lock().unwrap();
        let reached = !lines.cut_off.contains(&from) && !lines.cut_off.contains(&to);
        lines.shells.get(&to).filter(|_| reached)?.upgrade()
    }
}
