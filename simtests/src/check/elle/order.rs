//! Who appended what, and in which order: for each list the longest that anybody read, as all others must begin it.

use super::anomaly::Found;
use super::{Class, Key, MicroOperation, Outcome, Transaction, Value};

/// An append.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub list: usize,
    pub value: Value,
    pub transaction: usize,
    /// The last append of its transaction to its list.
    pub is_final: bool,
    /// Where it stands in the order of its list, if anybody read it.
    pub position: Option<usize>,
}

/// A read that has to be looked at element by element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'h> {
    pub reader: usize,
    pub list: usize,
    pub elements: &'h [Value],
}

/// Appends and orders of all lists. Lists are numbered in the order of their keys.
pub(super) struct Orders<'h> {
    keys: Vec<Key>,
    /// By list and value.
    writes: Vec<Write>,
    /// Where the writes of each list begin, and where those of the last end.
    starts: Vec<usize>,
    /// The longest read of each list.
    longest: Vec<Reading<'h>>,
}

impl<'h> Orders<'h> {
    pub(super) fn new(history: &'h [Transaction], found: &mut Found) -> Orders<'h> {
        let keys = keys(history);
        let list_of = |key: Key| keys.binary_search(&key).expect("all keys were collected");
        let writes = writes(history, list_of, found);
        let mut starts = vec![0; keys.len() + 1];
        for write in &writes {
            starts[write.list + 1] += 1;
        }
        for list in 0..keys.len() {
            starts[list + 1] += starts[list];
        }
        let mut longest: Vec<_> = (0..keys.len()).map(|list| Reading { reader: 0, list, elements: &[] }).collect();
        for (reader, transaction) in history.iter().enumerate() {
            for (key, elements) in transaction.reads() {
                let best = &mut longest[list_of(key)];
                if elements.len() > best.elements.len() {
                    (best.reader, best.elements) = (reader, elements);
                }
            }
        }
        let mut this = Orders { keys, writes, starts, longest };
        for list in 0..this.count() {
            for (position, value) in this.order(list).iter().enumerate() {
                if let Some(at) = this.place(list, *value) {
                    this.writes[at].position.get_or_insert(position);
                }
            }
        }
        this
    }

    /// How many lists there are.
    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }

    /// The number of a list.
    pub(super) fn list(&self, key: Key) -> usize {
        self.keys.binary_search(&key).expect("all keys were collected")
    }

    /// The key of a list.
    pub(super) fn key(&self, list: usize) -> Key {
        self.keys[list]
    }

    /// The order of a list.
    pub(super) fn order(&self, list: usize) -> &'h [Value] {
        self.longest[list].elements
    }

    /// The reads that gave the orders.
    pub(super) fn longest(&self) -> &[Reading<'h>] {
        &self.longest
    }

    /// The appends to a list, by value.
    pub(super) fn writes(&self, list: usize) -> &[Write] {
        &self.writes[self.starts[list]..self.starts[list + 1]]
    }

    /// The append of a value to a list.
    pub(super) fn write(&self, list: usize, value: Value) -> Option<&Write> {
        self.place(list, value).map(|at| &self.writes[at])
    }

    fn place(&self, list: usize, value: Value) -> Option<usize> {
        let found = self.writes(list).binary_search_by_key(&value, |write| write.value).ok()?;
        Some(self.starts[list] + found)
    }

    /// Looks at each element of a read: is it somebody's, committed, and there once? Notes whose it is.
    pub(super) fn check_elements(
        &self,
        reading: &Reading<'_>,
        history: &[Transaction],
        is_seen: &mut [bool],
        found: &mut Found,
    ) {
        let (reader, key) = (reading.reader, self.key(reading.list));
        for value in reading.elements {
            let Some(writer) = self.write(reading.list, *value).map(|write| write.transaction) else {
                let what = || format!("T{reader} read {value} in {key}, and nobody appended it");
                found.say(Class::GarbageRead, &[reader], what);
                continue;
            };
            is_seen[writer] = true;
            if history[writer].outcome == Outcome::Fail {
                let what = || format!("T{reader} read {value} in {key}, which T{writer} appended and then failed");
                found.say(Class::G1a, &[reader, writer], what);
            }
        }
        let mut sorted = reading.elements.to_vec();
        sorted.sort_unstable();
        if let Some([twice, _]) = sorted.array_windows().find(|[one, other]| one == other) {
            let what = || format!("T{reader} read {twice} in {key} more than once");
            found.say(Class::DuplicateElements, &[reader], what);
        }
    }

    /// Looks for committed appends behind failed ones.
    pub(super) fn check_dirty_updates(&self, history: &[Transaction], found: &mut Found) {
        for list in 0..self.count() {
            let mut failed = None;
            for value in self.order(list) {
                let Some(write) = self.write(list, *value) else { continue };
                match (history[write.transaction].outcome, failed) {
                    (Outcome::Fail, _) => failed = Some(write),
                    (Outcome::Ok, Some(before)) => {
                        let (key, first, second) = (self.key(list), before.transaction, write.transaction);
                        found.say(Class::DirtyUpdate, &[first, second], || {
                            format!(
                                "T{second} appended {value} to {key} behind {} of T{first}, which failed",
                                before.value
                            )
                        });
                        failed = None;
                    }
                    (Outcome::Ok | Outcome::Info, _) => {}
                }
            }
        }
    }
}

fn keys(history: &[Transaction]) -> Vec<Key> {
    let operations = history.iter().flat_map(|transaction| &transaction.operations);
    let mut keys: Vec<Key> = operations
        .map(|operation| match operation {
            MicroOperation::Append(key, _) | MicroOperation::Read(key, _) => *key,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// All appends by list and value.
fn writes(history: &[Transaction], list_of: impl Fn(Key) -> usize, found: &mut Found) -> Vec<Write> {
    let mut writes = Vec::new();
    for (number, transaction) in history.iter().enumerate() {
        let begin = writes.len();
        for (key, value) in transaction.appends() {
            let list = list_of(key);
            writes.push(Write { list, value, transaction: number, is_final: false, position: None });
        }
        // A stable sort keeps the appends to one list in their order: the last of each list is the final one.
        writes[begin..].sort_by_key(|write| write.list);
        for at in begin..writes.len() {
            writes[at].is_final = writes.get(at + 1).is_none_or(|next| next.list != writes[at].list);
        }
    }
    writes.sort_by_key(|write| (write.list, write.value));
    writes.dedup_by(|later, first| {
        let same = later.list == first.list && later.value == first.value;
        if same {
            let (one, other) = (first.transaction, later.transaction);
            let what = || format!("T{one} and T{other} both append {} to one list", first.value);
            found.say(Class::DuplicateWrite, &[one, other], what);
        }
        same
    });
    writes
}
