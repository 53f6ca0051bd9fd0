//! What the operations of the data plane took this node, by their text: which of them cost the most time.
//!
//! Texts are kept without the values that are written in them, see [`shape`]. What is kept is bounded; it is of this node,
//! since its start, and on no disk.

mod durations;
mod shape;

use durations::Durations;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Operations that are told apart. When there are more, the eighth that took the least time is forgotten.
const OPERATIONS_MAX: usize = 512;
/// Texts whose shape is remembered, so that it is not worked out for each request.
const TEXTS_MAX: usize = 4_096;
/// So much of a text is kept.
const DOCUMENT_BYTES_MAX: usize = 8 * 1024;

/// The operations that this node has executed since it started.
#[derive(Default)]
pub struct Operations {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// By the hash of shape and name.
    operations: BTreeMap<u64, Operation>,
    /// From the hash of a text and a name to that of their shape.
    shapes: BTreeMap<u64, u64>,
}

/// One execution.
pub struct Call<'a> {
    /// The text of the document.
    pub document: &'a str,
    /// Which of its operations.
    pub name: Option<&'a str>,
    /// It writes.
    pub mutation: bool,
    /// The answer has errors.
    pub failed: bool,
    /// From when it had its turn until the answer was there.
    pub elapsed: Duration,
    /// The answer's size.
    pub answer_bytes: usize,
}

/// All executions of one operation.
#[derive(Clone)]
pub struct Operation {
    /// The document, with `0` and `""` in place of the numbers and strings in it, without comments.
    pub document: String,
    /// Only the beginning of the document is kept.
    pub cut: bool,
    /// Which of the document's operations.
    pub name: Option<String>,
    /// It writes.
    pub mutation: bool,
    /// How often it was executed.
    pub calls: u64,
    /// How often its answer had errors.
    pub failures: u64,
    /// What all executions took.
    pub total: Duration,
    /// What the slowest took.
    pub longest: Duration,
    /// Bytes of all answers.
    pub answer_bytes: u64,
    durations: Durations,
}

impl Operations {
    /// Takes note of an execution.
    pub fn record(&self, call: &Call<'_>) {
        let text = hash(call.document, call.name);
        if let Some(operation) = self.lock().recall(text) {
            return operation.add(call);
        }
        // Worked out without the lock, which every request takes at its end.
        let document = shape::of(call.document);
        let shape = hash(&document, call.name);
        let operation = Operation::new(document, call);
        self.lock().learn(text, shape, operation).add(call);
    }

    /// The operations that took the most time, the costliest first.
    pub fn costliest(&self, limit: usize) -> Vec<Operation> {
        let known = self.lock();
        let mut all: Vec<&Operation> = known.operations.values().collect();
        all.sort_by_key(|operation| std::cmp::Reverse(operation.total));
        all.into_iter().take(limit).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The operation of a text whose shape is remembered.
    fn recall(&mut self, text: u64) -> Option<&mut Operation> {
        self.operations.get_mut(self.shapes.get(&text)?)
    }

    /// Remembers the shape of a text. The operation is `new` unless it is known: by another text, or because another
    /// request met the same text meanwhile.
    fn learn(&mut self, text: u64, shape: u64, new: Operation) -> &mut Operation {
        if self.shapes.len() >= TEXTS_MAX && !self.shapes.contains_key(&text) {
            self.shapes.clear();
        }
        self.shapes.insert(text, shape);
        if self.operations.len() >= OPERATIONS_MAX && !self.operations.contains_key(&shape) {
            forget_cheapest(&mut self.operations);
        }
        self.operations.entry(shape).or_insert(new)
    }
}

impl Operation {
    fn new(mut document: String, call: &Call<'_>) -> Operation {
        let cut = document.len() > DOCUMENT_BYTES_MAX;
        document.truncate(document.floor_char_boundary(DOCUMENT_BYTES_MAX));
        document.shrink_to_fit();
        Operation {
            document,
            cut,
            name: call.name.map(str::to_owned),
            mutation: call.mutation,
            calls: 0,
            failures: 0,
            total: Duration::ZERO,
            longest: Duration::ZERO,
            answer_bytes: 0,
            durations: Durations::default(),
        }
    }

    fn add(&mut self, call: &Call<'_>) {
        self.calls += 1;
        self.failures += u64::from(call.failed);
        self.total = self.total.saturating_add(call.elapsed);
        self.longest = self.longest.max(call.elapsed);
        self.answer_bytes += call.answer_bytes as u64;
        self.durations.add(call.elapsed);
    }

    /// What so many of a hundred executions took at most: up to a quarter more than the truth.
    pub fn percentile(&self, percent: u64) -> Duration {
        self.durations.percentile(percent).min(self.longest)
    }
}

fn hash(document: &str, name: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (document, name).hash(&mut hasher);
    hasher.finish()
}

fn forget_cheapest(operations: &mut BTreeMap<u64, Operation>) {
    let mut costs: Vec<(Duration, u64)> =
        operations.iter().map(|(shape, operation)| (operation.total, *shape)).collect();
    costs.sort_unstable();
    for (_, shape) in costs.iter().take(OPERATIONS_MAX / 8) {
        operations.remove(shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(document: &str, millis: u64) -> Call<'_> {
        let elapsed = Duration::from_millis(millis);
        Call { document, name: None, mutation: false, failed: false, elapsed, answer_bytes: 10 }
    }

    #[test]
    fn operations_that_differ_in_values_are_one() {
        let operations = Operations::default();
        for (id, millis) in [(1, 2), (2, 40), (3, 6)] {
            operations.record(&call(&format!("{{ product(by: {{ id: \"{id}\" }}) {{ title }} }}"), millis));
        }
        operations.record(&Call { failed: true, ..call("{ products { totalCount } }", 1) });
        let found = operations.costliest(10);
        let seen: Vec<_> = found.iter().map(|found| (found.document.as_str(), found.calls, found.failures)).collect();
        let (one, other) = ("{ product(by: { id: \"\" }) { title } }", "{ products { totalCount } }");
        assert_eq!(seen, [(one, 3, 0), (other, 1, 1)]);
        assert_eq!(found[0].total, Duration::from_millis(48));
        assert_eq!((found[0].longest, found[0].answer_bytes), (Duration::from_millis(40), 30));
        assert!(
            found[0].percentile(50) >= Duration::from_millis(6) && found[0].percentile(50) < Duration::from_millis(8)
        );
        assert_eq!(found[0].percentile(99), Duration::from_millis(40));
        assert_eq!(operations.costliest(1).len(), 1);
    }

    #[test]
    fn operations_of_one_document_are_told_apart() {
        let operations = Operations::default();
        let document = "query A { a } query B { b }";
        for name in ["A", "B", "A"] {
            operations.record(&Call { name: Some(name), ..call(document, 1) });
        }
        let found: Vec<_> = operations.costliest(10).into_iter().map(|found| (found.name, found.calls)).collect();
        assert_eq!(found, [(Some("A".to_owned()), 2), (Some("B".to_owned()), 1)]);
    }

    #[test]
    fn requests_that_meet_a_text_at_once_are_all_counted() {
        let operations = Operations::default();
        let mut known = operations.lock();
        known.shapes = (1..TEXTS_MAX as u64).map(|text| (text, 1)).collect();
        // None of them found the text, since none had learnt it yet.
        let call = call("{ met }", 3);
        for _ in 0..3 {
            known.learn(0, 0, Operation::new("{ met }".to_owned(), &call)).add(&call);
        }
        assert_eq!(known.recall(0).map(|operation| operation.calls), Some(3));
        assert_eq!(known.shapes.len(), TEXTS_MAX, "only the first of them was new");
        drop(known);
        let found: Vec<_> = operations.costliest(10).into_iter().map(|found| (found.document, found.total)).collect();
        assert_eq!(found, [("{ met }".to_owned(), Duration::from_millis(9))]);
    }

    #[test]
    fn what_costs_is_kept_however_many_come_once() {
        let operations = Operations::default();
        operations.record(&call("{ slow }", 5_000));
        for number in 0..3 * TEXTS_MAX {
            operations.record(&call(&format!("{{ once{number} }}"), 1));
            operations.record(&call("{ often }", 1));
        }
        let found = operations.costliest(usize::MAX);
        assert!(found.len() <= OPERATIONS_MAX);
        let first: Vec<_> = found.iter().take(2).map(|found| (found.document.as_str(), found.calls)).collect();
        assert_eq!(first, [("{ often }", 3 * TEXTS_MAX as u64), ("{ slow }", 1)]);
        let known = operations.known.lock().unwrap();
        assert!(known.shapes.len() <= TEXTS_MAX);
    }

    #[test]
    fn of_a_long_document_the_beginning_is_kept() {
        let operations = Operations::default();
        operations.record(&call(&format!("{{ {} }}", "field ".repeat(10_000)), 1));
        let found = operations.costliest(1);
        assert!(found[0].cut);
        assert_eq!(found[0].document.len(), DOCUMENT_BYTES_MAX);
    }
}
