//! The network between the machines of a cluster: which links are cut, and what becomes of Raft messages on the others.

use crate::nemesis::partition::Link;
use crate::plan::Messages;
use crate::record;
use crate::rng::Rng;
use crate::trace;
use madsim::net::NetSim;
use madsim::task::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vivarium_storage::runtime::{Fate, set_network};

/// The network.
pub struct Network {
    machines: Vec<NodeId>,
    partitions: BTreeMap<u64, BTreeSet<Link>>,
    /// Partitions so far.
    pub split: u64,
    cut: BTreeSet<Link>,
    air: Arc<Mutex<Air>>,
}

struct Air {
    messages: Messages,
    rng: Rng,
    /// Messages that did not simply go their way.
    troubled: u64,
}

impl Network {
    /// The network of these machines. Node numbers are their places plus one.
    pub fn new(machines: Vec<NodeId>, seed: u64) -> Network {
        let rng = Rng::stream(seed, "net");
        let air = Arc::new(Mutex::new(Air { messages: Messages::default(), rng, troubled: 0 }));
        let (fates, resets) = (Arc::clone(&air), Arc::clone(&air));
        set_network(move |_, _| locked(&fates).fate(), move |_, _| locked(&resets).reset_due());
        Network { machines, partitions: BTreeMap::new(), split: 0, cut: BTreeSet::new(), air }
    }

    /// What becomes of messages from now on.
    pub fn set_messages(&self, messages: Messages) {
        locked(&self.air).messages = messages;
    }

    /// Messages that did not simply go their way.
    pub fn troubled(&self) -> u64 {
        locked(&self.air).troubled
    }

    /// Cuts links until the partition of this number is mended.
    pub fn split(&mut self, links: BTreeSet<Link>) -> u64 {
        self.split += 1;
        trace::event("nemesis", &format!("partition {} cuts {links:?}", self.split), &[]);
        self.partitions.insert(self.split, links);
        self.apply();
        self.split
    }

    /// True when nothing that others say reaches a machine.
    pub fn is_deaf(&self, place: usize) -> bool {
        (0..self.machines.len()).filter(|from| *from != place).all(|from| self.cut.contains(&(from, place)))
    }

    /// Ends a partition. Links that another one cuts stay cut.
    pub fn mend(&mut self, partition: u64) {
        if self.partitions.remove(&partition).is_some() {
            trace::event("nemesis", &format!("partition {partition} ends"), &[]);
            self.apply();
        }
    }

    /// Ends all partitions, and lets all messages go their way.
    pub fn heal(&mut self) {
        self.partitions.clear();
        self.apply();
        self.set_messages(Messages::default());
    }

    fn apply(&mut self) {
        let wanted: BTreeSet<Link> = self.partitions.values().flatten().copied().collect();
        let simulated = NetSim::current();
        for (from, to) in wanted.difference(&self.cut) {
            simulated.clog_link(self.machines[*from], self.machines[*to]);
        }
        for (from, to) in self.cut.difference(&wanted) {
            simulated.unclog_link(self.machines[*from], self.machines[*to]);
        }
        if wanted != self.cut {
            record::links(wanted.iter().copied());
        }
        self.cut = wanted;
    }
}

fn locked(air: &Mutex<Air>) -> MutexGuard<'_, Air> {
    air.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Air {
    fn fate(&mut self) -> Fate {
        let Messages { lost, doubled, late, late_ms_max, .. } = self.messages;
        if lost + doubled + late == 0 {
            return Fate::Deliver;
        }
        let drawn = self.rng.below(1000);
        let fate = if drawn < lost {
            Fate::Drop
        } else if drawn < lost + doubled {
            Fate::Duplicate
        } else if drawn < lost + doubled + late {
            Fate::Delay(Duration::from_millis(self.rng.between(1, late_ms_max.max(1))))
        } else {
            return Fate::Deliver;
        };
        self.troubled += 1;
        fate
    }

    fn reset_due(&mut self) -> bool {
        let due = self.messages.resets > 0 && self.rng.chance(self.messages.resets, 1000);
        self.troubled += u64::from(due);
        due
    }
}
