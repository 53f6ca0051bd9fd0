//! What can be wrong with a history, and what was found: one example of each class, in words.

use std::collections::BTreeMap;
use std::fmt;

/// What a cycle goes through beside the order of reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Through {
    /// Nothing.
    Data,
    /// The order in which one process worked.
    Process,
    /// What had ended before something else began.
    RealTime,
}

/// The shape of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cycle {
    /// Writes only.
    G0,
    /// Writes, and reads of them.
    G1c,
    /// One read that missed a write.
    GSingle,
    /// Several reads that missed writes, no two in a row.
    GNonadjacent,
    /// Several reads that missed writes.
    G2Item,
}

/// What can be wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Two appends have one value: whoever made the history did it wrong.
    DuplicateWrite,
    /// A read of what nobody appended.
    GarbageRead,
    /// A list with an element twice.
    DuplicateElements,
    /// A read that contradicts what the same transaction read or wrote before.
    Internal,
    /// A read of what a failed transaction appended.
    G1a,
    /// A read of an intermediate state of another transaction.
    G1b,
    /// A failed transaction's append that a committed one built upon.
    DirtyUpdate,
    /// Two reads of a list of which neither begins the other.
    IncompatibleOrder,
    /// Two transactions that read one version of a list and both appended to it.
    LostUpdate,
    /// A cycle of dependencies.
    Cycle(Cycle, Through),
}

impl Class {
    /// The name that Elle gives it.
    pub fn name(self) -> &'static str {
        match self {
            Class::DuplicateWrite => "duplicate-write",
            Class::GarbageRead => "garbage-read",
            Class::DuplicateElements => "duplicate-elements",
            Class::Internal => "internal",
            Class::G1a => "G1a",
            Class::G1b => "G1b",
            Class::DirtyUpdate => "dirty-update",
            Class::IncompatibleOrder => "incompatible-order",
            Class::LostUpdate => "lost-update",
            Class::Cycle(Cycle::G0, through) => through.suffixed(["G0", "G0-process", "G0-realtime"]),
            Class::Cycle(Cycle::G1c, through) => through.suffixed(["G1c", "G1c-process", "G1c-realtime"]),
            Class::Cycle(Cycle::GSingle, through) => {
                through.suffixed(["G-single", "G-single-process", "G-single-realtime"])
            }
            Class::Cycle(Cycle::GNonadjacent, through) => {
                through.suffixed(["G-nonadjacent", "G-nonadjacent-process", "G-nonadjacent-realtime"])
            }
            Class::Cycle(Cycle::G2Item, through) => {
                through.suffixed(["G2-item", "G2-item-process", "G2-item-realtime"])
            }
        }
    }
}

impl Through {
    fn suffixed(self, names: [&'static str; 3]) -> &'static str {
        match self {
            Through::Data => names[0],
            Through::Process => names[1],
            Through::RealTime => names[2],
        }
    }
}

/// A class of anomalies that a history has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Which.
    pub class: Class,
    /// How often it was met: cycles count once for each set of transactions that hang together.
    pub count: u64,
    /// The first of them, or the shortest cycle: one sentence for each step.
    pub words: Vec<String>,
    /// The transactions that it is about; those of a cycle in its order.
    pub transactions: Vec<usize>,
}

impl Anomaly {
    /// The steps of a cycle: from one transaction to another, and why. None when it is no cycle.
    pub fn steps(&self) -> impl Iterator<Item = (usize, usize, &str)> {
        let is_cycle = matches!(self.class, Class::Cycle(..));
        let next = self.transactions.iter().cycle().skip(1);
        let steps = self.transactions.iter().zip(next).zip(&self.words).filter(move |_| is_cycle);
        steps.map(|((from, to), words)| (*from, *to, words.as_str()))
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.name(), self.words.join("; "))
    }
}

/// Collects anomalies: the first example of each class, and how many there are.
#[derive(Default)]
pub(super) struct Found {
    by_class: BTreeMap<Class, Anomaly>,
}

impl Found {
    /// Notes an anomaly of these transactions that one sentence tells; it is only made for the first of its class.
    pub(super) fn say(&mut self, class: Class, transactions: &[usize], sentence: impl FnOnce() -> String) {
        self.tell(class, 1, || (transactions.to_vec(), vec![sentence()]));
    }

    /// Notes an anomaly of so many sentences; it is only told if it is the shortest of its class.
    pub(super) fn tell(&mut self, class: Class, length: usize, told: impl FnOnce() -> (Vec<usize>, Vec<String>)) {
        let none = Anomaly { class, count: 0, words: Vec::new(), transactions: Vec::new() };
        let anomaly = self.by_class.entry(class).or_insert(none);
        anomaly.count += 1;
        if anomaly.words.is_empty() || length < anomaly.words.len() {
            (anomaly.transactions, anomaly.words) = told();
        }
    }

    pub(super) fn into_anomalies(self) -> Vec<Anomaly> {
        self.by_class.into_values().collect()
    }
}
