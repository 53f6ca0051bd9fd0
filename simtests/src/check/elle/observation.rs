//! What each committed transaction saw of others: its first read of a list, without its own appends before that.
//!
//! Reads that contradict themselves or the order of their list are anomalies, and are no evidence for more.

use super::anomaly::Found;
use super::order::{Orders, Reading};
use super::{Class, Key, MicroOperation, Outcome, Transaction, Value};

/// What a transaction saw of a list: so many elements of its order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation {
    pub transaction: usize,
    pub list: usize,
    pub length: usize,
}

/// All that was seen.
pub(super) struct Observed {
    /// In the order of transactions.
    pub(super) observations: Vec<Observation>,
    /// For each transaction: answered so, or seen by others although nobody knows.
    pub(super) committed: Vec<bool>,
}

impl Observed {
    pub(super) fn new(history: &[Transaction], orders: &Orders<'_>, found: &mut Found) -> Observed {
        let mut observations = Vec::new();
        // All other reads begin one of these: looking at these is looking at all.
        let mut readings = orders.longest().to_vec();
        for (number, transaction) in history.iter().enumerate() {
            let mut walk = Walk { number, transaction, orders, views: Vec::new() };
            walk.run(&mut readings, found);
            let seen = walk.views.iter().filter_map(|view| {
                view.length.map(|length| Observation { transaction: number, list: view.list, length })
            });
            observations.extend(seen);
        }
        let mut is_seen = vec![false; history.len()];
        for reading in &readings {
            orders.check_elements(reading, history, &mut is_seen, found);
        }
        let committed = history.iter().zip(is_seen).map(|(transaction, is_seen)| match transaction.outcome {
            Outcome::Ok => true,
            Outcome::Info => is_seen,
            Outcome::Fail => false,
        });
        let this = Observed { observations, committed: committed.collect() };
        this.check_intermediate(orders, found);
        this
    }

    /// Looks for reads that end between two appends of one transaction.
    fn check_intermediate(&self, orders: &Orders<'_>, found: &mut Found) {
        for seen in &self.observations {
            let Some(last) = orders.order(seen.list)[..seen.length].last() else { continue };
            let Some(write) = orders.write(seen.list, *last) else { continue };
            if !write.is_final && write.transaction != seen.transaction {
                let (reader, writer, key) = (seen.transaction, write.transaction, orders.key(seen.list));
                found.say(Class::G1b, &[reader, writer], || {
                    format!("T{reader} read {key} up to {last}, after which T{writer} appended more to it")
                });
            }
        }
    }

    /// Looks for transactions that saw one state of a list and both appended to it.
    pub(super) fn check_lost_updates(&self, history: &[Transaction], orders: &Orders<'_>, found: &mut Found) {
        let appends = |seen: &&Observation| {
            let key = orders.key(seen.list);
            history[seen.transaction].appends().any(|(to, _)| to == key)
        };
        let mut updates: Vec<Observation> = self.observations.iter().filter(appends).copied().collect();
        updates.sort_by_key(|seen| (seen.list, seen.length, seen.transaction));
        for pair in updates.windows(2) {
            let [first, second] = pair else { continue };
            if (first.list, first.length) == (second.list, second.length) {
                let (one, other, key) = (first.transaction, second.transaction, orders.key(first.list));
                found.say(Class::LostUpdate, &[one, other], || {
                    format!("T{one} and T{other} both read {} elements of {key}, and both appended to it", first.length)
                });
            }
        }
    }
}

/// What a transaction knows of a list so far.
struct View<'h> {
    key: Key,
    list: usize,
    /// Its newest read.
    read: Option<&'h [Value]>,
    /// Its appends since then.
    own: Vec<Value>,
    /// How many elements of others its first read shows, if that is evidence.
    length: Option<usize>,
}

/// A walk through the operations of a transaction.
struct Walk<'h, 'o> {
    number: usize,
    transaction: &'h Transaction,
    orders: &'o Orders<'h>,
    views: Vec<View<'h>>,
}

impl<'h> Walk<'h, '_> {
    fn run(&mut self, readings: &mut Vec<Reading<'h>>, found: &mut Found) {
        if self.transaction.outcome != Outcome::Ok {
            return;
        }
        for operation in &self.transaction.operations {
            match operation {
                MicroOperation::Append(key, value) => self.view(*key).own.push(*value),
                MicroOperation::Read(key, elements) => {
                    let list = self.view(*key).list;
                    if !self.orders.order(list).starts_with(elements) {
                        readings.push(Reading { reader: self.number, list, elements });
                    }
                    self.read(*key, elements, found);
                }
            }
        }
        self.check_foresight(found);
    }

    fn view(&mut self, key: Key) -> &mut View<'h> {
        // Transactions touch few lists: a walk along them is quicker than a map.
        let at = self.views.iter().position(|view| view.key == key).unwrap_or_else(|| {
            let list = self.orders.list(key);
            self.views.push(View { key, list, read: None, own: Vec::new(), length: None });
            self.views.len() - 1
        });
        &mut self.views[at]
    }

    fn read(&mut self, key: Key, elements: &'h [Value], found: &mut Found) {
        let (reader, orders) = (self.number, self.orders);
        let view = self.view(key);
        let others = elements.strip_suffix(view.own.as_slice());
        let is_first = view.read.is_none();
        let expected = if is_first { others.is_some() } else { others == view.read };
        if !expected {
            found.say(Class::Internal, &[reader], || {
                let before = view.read.map_or_else(String::new, |read| format!("{} before, ", listed(read)));
                let own = listed(&view.own);
                format!("T{reader} read {} in {key}; it had read {before}and had appended {own}", listed(elements))
            });
        } else if is_first && let Some(others) = others {
            let order = orders.order(view.list);
            if order.starts_with(others) {
                view.length = Some(others.len());
            } else {
                let (seen, order) = (listed(others), listed(order));
                let what = || format!("T{reader} read {seen} in {key}, others read {order}");
                found.say(Class::IncompatibleOrder, &[reader], what);
            }
        }
        view.read = Some(elements);
        view.own.clear();
    }

    /// Looks for reads of what the same transaction appended only later.
    fn check_foresight(&mut self, found: &mut Found) {
        for (key, value) in self.transaction.appends() {
            let Some(view) = self.views.iter_mut().find(|view| view.key == key) else { continue };
            let position = self.orders.write(view.list, value).and_then(|write| write.position);
            if position.is_some_and(|position| view.length.is_some_and(|length| position < length)) {
                view.length = None;
                let reader = self.number;
                let what = || format!("T{reader} read {value} in {key} before it appended it");
                found.say(Class::Internal, &[reader], what);
            }
        }
    }
}

/// A list in words, its middle left out when it is long.
fn listed(values: &[Value]) -> String {
    const SHOWN: usize = 8;
    let text = |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match values.len() {
        0..=SHOWN => format!("[{}]", text(values)),
        count => format!("[{} .. {}] ({count})", text(&values[..SHOWN / 2]), text(&values[count - SHOWN / 2..])),
    }
}
