//! The cost model: what an access is thought to lead to, and what reading it costs, in entries of an index.
//!
//! Only the order of costs matters. What is guessed here is replaced by what was looked up, where it was.

use super::access::{Access, Bound};
use super::candidate::Candidate;

/// Records that a collection is thought to hold. With fewer every plan is cheap, so that none has to be the best.
pub(super) const RECORDS: f64 = 10_000.0;
/// The part of a collection that one value of an index's first element leads to.
pub(super) const FIRST_EQUAL: f64 = 0.01;
/// The part that one value of a further element leaves.
const NEXT_EQUAL: f64 = 0.1;
/// The part that one bound leaves.
const BOUND: f64 = 0.3;
/// The part that a prefix of a string leaves.
const PREFIX: f64 = 0.02;
/// The part of records that a filter is thought to let through when nothing tells more.
pub(super) const FILTERED: f64 = 0.1;
/// How much the worst case counts beside the expected one, where a filter decides when to stop.
const WORST: f64 = 0.05;
/// Following relations for one record, in entries of an index.
const FOLLOW: f64 = 10.0;
/// A document fetched by key, in entries of an index.
const FETCH: f64 = 4.0;
/// A document met in a scan of its collection.
const SCAN: f64 = 3.0;
/// An entry that tells all that is asked of its record.
const ENTRY: f64 = 0.2;
/// A record sorted.
const SORT: f64 = 0.5;
/// One more stream that is merged.
const STREAM: f64 = 5.0;

/// What is left to do with what a candidate leads to.
pub(super) struct Left {
    /// A filter is left.
    pub(super) filters: bool,
    /// It follows relations.
    pub(super) follows: bool,
    /// The part of records that it is thought to let through.
    pub(super) passing: f64,
}

/// What reading a candidate's records costs. `enough`: those that suffice where they come in order.
pub(super) fn cost(candidate: &Candidate, left: &Left, enough: Option<usize>, counted: bool) -> f64 {
    let Candidate { rows, before, ordered, .. } = *candidate;
    if let Access::Union { parts, merged: true } = &candidate.access {
        return parts.iter().map(|part| part.cost + STREAM).sum();
    }
    let streams = candidate.streams() && !left.filters;
    let stops = ordered && (streams || !counted);
    // Every stream has to give as many.
    let wide = candidate.width.max(1) as f64;
    let enough = enough.filter(|_| stops).map(|enough| enough as f64);
    let counting = if counted && streams { rows } else { 0.0 };
    let read = match enough {
        Some(enough) if left.filters => {
            let expected = rows.min(wide * enough / left.passing);
            expected + (rows - expected) * WORST
        }
        Some(enough) => rows.min(wide * enough),
        None => rows,
    };
    let entry = match candidate.access {
        // Their entries have been counted before.
        Access::Intersection(_) | Access::Union { .. } => 0.0,
        _ => 1.0,
    };
    let each = entry + FETCH + if left.follows { FOLLOW } else { 0.0 };
    let sorting = if ordered { 0.0 } else { rows * SORT };
    let opening = (wide - 1.0) * STREAM;
    let reading = read * each + counting + sorting;
    let reading =
        if let Access::Documents { .. } = candidate.access { reading * SCAN / (1.0 + FETCH) } else { reading };
    before + opening + reading
}

/// What it costs to know the ids that a candidate leads to.
pub(super) fn gathering(candidate: &Candidate) -> f64 {
    match candidate.access {
        Access::Ids(_) => 0.0,
        Access::Intersection(_) | Access::Union { .. } => candidate.before,
        _ => candidate.before + candidate.rows,
    }
}

/// What is done for each record that was gathered, so that leaving one out saves as much.
pub(super) fn fetching(rows: f64, follows: bool) -> f64 {
    rows * (FETCH + SORT + if follows { FOLLOW } else { 0.0 })
}

/// What folding the entries of an index costs, each of which has so many elements.
pub(super) fn folding(rows: f64, elements: usize) -> f64 {
    rows * ENTRY * (1.0 + elements as f64 / 100.0)
}

/// The part of records that a bound leaves.
pub(super) fn part(bound: &Bound, first: bool) -> f64 {
    let equal = if first { FIRST_EQUAL } else { NEXT_EQUAL };
    let part = match bound {
        Bound::Values(values) => values.len() as f64 * equal,
        Bound::Parent => equal,
        Bound::Selected(choice) => choice.rows * equal,
        Bound::Range { lower, upper } => BOUND.powi(i32::from(lower.is_some()) + i32::from(upper.is_some())),
        Bound::Prefix(_) => PREFIX,
    };
    part.min(1.0)
}
