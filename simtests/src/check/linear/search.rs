//! The search for an order: takes an operation that may come next, goes on, and takes it back where that leads nowhere.
//!
//! The events that are left are a list in time; an operation may come next while no other has returned before it.

use super::{Operation, Verdict};
use std::collections::BTreeSet;

/// How many of the operations that were ordered last are told of a broken history.
const TOLD_MAX: usize = 4;
/// Stands before the first and after the last event.
const ENDS: usize = 0;

/// An event of an operation.
#[derive(Clone, Copy, Debug)]
enum Event {
    Ends,
    Call(usize),
    Return(usize),
}

/// A search, where it stands.
pub(super) struct Search {
    operations: Vec<Operation>,
    /// By time, after [`ENDS`].
    events: Vec<Event>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// For each operation, its call and its return.
    places: Vec<(usize, Option<usize>)>,
    state: u64,
    /// Which operations are ordered, as bits.
    ordered: Vec<u64>,
    /// Those that returned and are not ordered.
    left: usize,
    /// The operations in order, each with the state before it.
    order: Vec<(usize, u64)>,
    /// What was ordered and what was held then: no need to come there again.
    tried: BTreeSet<(Vec<u64>, u64)>,
    /// The longest order, and what could not follow it.
    best: (Vec<(usize, u64)>, u64, usize),
}

impl Search {
    pub(super) fn new(initial: u64, operations: &[Operation]) -> Search {
        // What changes nothing and was not answered says nothing.
        let says_something = |operation: &&Operation| operation.returned.is_some() || !operation.action.only_looks();
        let operations: Vec<Operation> = operations.iter().filter(says_something).copied().collect();
        let mut events = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            // At one moment calls come before returns: the two overlap.
            events.push((operation.invoked, false, number));
            if let Some(returned) = operation.returned {
                events.push((returned, true, number));
            }
        }
        events.sort_unstable();
        let mut places = vec![(ENDS, None); operations.len()];
        for (place, (_, returns, number)) in (1..).zip(&events) {
            match returns {
                false => places[*number].0 = place,
                true => places[*number].1 = Some(place),
            }
        }
        let events = events.into_iter().map(|(_, returns, number)| match returns {
            false => Event::Call(number),
            true => Event::Return(number),
        });
        let events: Vec<Event> = std::iter::once(Event::Ends).chain(events).collect();
        let count = events.len();
        Search {
            next: (0..count).map(|place| (place + 1) % count).collect(),
            previous: (0..count).map(|place| (place + count - 1) % count).collect(),
            left: operations.iter().filter(|operation| operation.returned.is_some()).count(),
            ordered: vec![0; operations.len().div_ceil(64)],
            state: initial,
            order: Vec::new(),
            tried: BTreeSet::new(),
            best: (Vec::new(), initial, 0),
            events,
            places,
            operations,
        }
    }

    pub(super) fn run(mut self, steps_max: u64) -> Verdict {
        let mut place = self.next[ENDS];
        for _ in 0..steps_max {
            if self.left == 0 {
                return Verdict::Linearizable;
            }
            let event = self.events[place];
            place = match event {
                Event::Call(number) if self.take(number) => self.next[ENDS],
                Event::Call(_) => self.next[place],
                // It should have been ordered by now: whatever was taken last was wrong.
                Event::Return(number) => {
                    if self.order.len() >= self.best.0.len() {
                        self.best = (self.order.clone(), self.state, number);
                    }
                    match self.take_back() {
                        Some(number) => self.next[self.places[number].0],
                        None => return Verdict::Broken(self.words()),
                    }
                }
                Event::Ends => unreachable!("the return of an operation that is left comes before the end"),
            };
        }
        Verdict::Unknown
    }

    /// Orders an operation next, if it fits and leads to something new.
    fn take(&mut self, number: usize) -> bool {
        let Some(state) = self.operations[number].action.apply(self.state) else { return false };
        self.flip(number);
        if !self.tried.insert((self.ordered.clone(), state)) {
            self.flip(number);
            return false;
        }
        self.order.push((number, self.state));
        self.state = state;
        let (call, returns) = self.places[number];
        self.unlink(call);
        if let Some(returns) = returns {
            self.unlink(returns);
            self.left -= 1;
        }
        true
    }

    /// Takes the last operation out of the order.
    fn take_back(&mut self) -> Option<usize> {
        let (number, state) = self.order.pop()?;
        self.state = state;
        self.flip(number);
        let (call, returns) = self.places[number];
        // In the opposite order of `take`: neighbours are again those of then.
        if let Some(returns) = returns {
            self.link(returns);
            self.left += 1;
        }
        self.link(call);
        Some(number)
    }

    fn flip(&mut self, number: usize) {
        self.ordered[number / 64] ^= 1 << (number % 64);
    }

    fn unlink(&mut self, place: usize) {
        let (previous, next) = (self.previous[place], self.next[place]);
        self.next[previous] = next;
        self.previous[next] = previous;
    }

    fn link(&mut self, place: usize) {
        let (previous, next) = (self.previous[place], self.next[place]);
        self.next[previous] = place;
        self.previous[next] = place;
    }

    fn words(&self) -> String {
        let (order, state, stuck) = &self.best;
        let last: Vec<String> =
            order.iter().rev().take(TOLD_MAX).rev().map(|(number, _)| self.operations[*number].to_string()).collect();
        let after = if last.is_empty() { "at the beginning".into() } else { format!("after {}", last.join(", ")) };
        let (count, all) = (order.len(), self.operations.len());
        format!(
            "no order explains all answers; the best explains {count} of {all}: {after} the register holds {state}, \
             and the {} does not fit",
            self.operations[*stuck]
        )
    }
}
