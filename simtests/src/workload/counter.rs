//! Counters that must show how often they were counted up, however often a request was sent or its answer lost:
//! by a value that is read and written, and by records that nothing but an idempotency key keeps apart.

use super::rows::filter::{Datum, OrderKey};
use super::rows::table::Table;
use super::rows::{Change, NewRow, Operation, Part, Query, Then};
use crate::rng::Rng;

/// Counters: few, so that clients meet.
const COUNTERS: u64 = 2;

/// What the first client does before all else.
pub(super) fn opening() -> Vec<Operation> {
    let counter = |number| NewRow::new(counter(number), [("value", Datum::Int(0))]);
    vec![Operation::of(vec![
        Part::Create { of: Table::Gate, rows: vec![NewRow::new(super::rows::GATE, [])] },
        Part::Create { of: Table::Counter, rows: (0..COUNTERS).map(counter).collect() },
    ])]
}

/// One step.
pub(super) fn draw(client: u64, number: u64, rng: &mut Rng) -> Operation {
    let name = counter(rng.below(COUNTERS));
    let get = Part::Get { of: Table::Counter, by: "name".into(), value: Datum::Text(name.clone()) };
    match rng.below(10) {
        0..=4 => {
            let then = Then::Increment { key: format!("c{client}-{number}-then"), by_version: rng.chance(1, 2) };
            Operation { parts: vec![get], then: Some(then) }
        }
        5..=7 => {
            let tick = NewRow::new(format!("tick{client}-{number}"), [("counter", Datum::Text(name))]);
            Operation::of(vec![Part::Create { of: Table::Tick, rows: vec![tick] }])
        }
        // An update of nothing: no version may change.
        8 => Operation::of(vec![Part::Change(Change::of(Table::Counter, name)), get]),
        _ => {
            let order = vec![OrderKey::up("name")];
            let all = |of| Query { of, first: 200, counted: true, order: order.clone(), filter: None, below: None };
            Operation::of(vec![Part::List(all(Table::Counter)), Part::List(all(Table::Tick))])
        }
    }
}

fn counter(number: u64) -> String {
    format!("counter{number}")
}
