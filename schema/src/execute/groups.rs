//! A fold under way: which group a record belongs to, what each group has come to, and which are answered.

use super::tally::{Room, Tally, Total, typed};
use crate::filter::Truth;
use crate::plan::access::Access;
use crate::plan::fold::MeasurePlan;
use crate::plan::groups::{BoundFold, BoundGroups, Column, GroupKey, GroupOrder, Ordered};
use crate::plan::having::{Judged, Part};
use crate::{Abort, Code, Failure};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use vivarium_storage::key::{self, Direction};
use vivarium_storage::runtime::{mutant, sometimes};
use vivarium_storage::{Document, Value, ValueRef};

/// Bytes that every entry of an index begins with.
const INDEX_BYTES: usize = 8;

/// What records were folded to: all of them, or a group.
#[derive(Debug)]
pub(crate) struct Row {
    /// By the numbers of [`BoundFold::keys`].
    pub(crate) keys: Vec<Value>,
    pub(crate) count: u64,
    /// By the numbers of [`BoundFold::measures`].
    pub(crate) measures: Vec<Measured>,
    encoded: Vec<u8>,
}

/// What the values of one field were folded to.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) count: u64,
    pub(crate) distinct: u64,
    pub(crate) sum: Total,
    pub(crate) average: Total,
    pub(crate) extremes: Option<(Value, Value)>,
}

impl Judged for Row {
    fn count(&self) -> i64 {
        i64::try_from(self.count).unwrap_or(i64::MAX)
    }
    fn part(&self, measure: usize, part: Part) -> ValueRef<'_> {
        let measured = &self.measures[measure];
        let extreme = |of: fn(&(Value, Value)) -> &Value| {
            measured.extremes.as_ref().map_or(ValueRef::Null, |both| of(both).scalar().expect("extremes are scalars"))
        };
        match part {
            Part::Sum => measured.sum.compared(),
            Part::Average => measured.average.compared(),
            Part::Least => extreme(|(least, _)| least),
            Part::Greatest => extreme(|(_, greatest)| greatest),
        }
    }
}

/// One fold under way.
pub(super) struct Fold<'b> {
    bound: &'b BoundFold,
    groups: Vec<Group>,
    /// The groups by their keys.
    places: BTreeMap<Box<[u8]>, usize>,
    /// The group that the last record belonged to.
    last: usize,
    /// The keys of the record in hand, encoded.
    key: Vec<u8>,
    /// Where the bucket of each key lies that was met last, and its encoding.
    buckets: Vec<Option<(Range<i64>, Vec<u8>)>>,
    encoded: Vec<u8>,
    sorted: Vec<bool>,
    /// Which column of the covering index each key is.
    key_columns: Vec<usize>,
    ends: Vec<usize>,
}

struct Group {
    key: Box<[u8]>,
    count: u64,
    tallies: Vec<Tally>,
}

impl<'b> Fold<'b> {
    pub(super) fn new(bound: &'b BoundFold) -> Fold<'b> {
        let mut sorted = vec![false; bound.measures.len()];
        for column in bound.columns.iter().flatten() {
            if let Some(measure) = column.measure {
                sorted[measure] = column.sorted && matches!(bound.choice.access, Access::Index { .. });
            }
        }
        let buckets = bound.keys.iter().map(|_| None).collect();
        let place = |at: usize| bound.columns.iter().flatten().position(|column| column.key == Some(at));
        let mut fold = Fold {
            bound,
            groups: Vec::new(),
            places: BTreeMap::new(),
            last: 0,
            key: Vec::new(),
            buckets,
            encoded: Vec::new(),
            sorted,
            // Only looked at where an index covers each key.
            key_columns: (0..bound.keys.len()).map(|at| place(at).unwrap_or_default()).collect(),
            ends: Vec::new(),
        };
        if bound.groups.is_none() {
            fold.groups.push(fold.group());
        }
        fold
    }

    /// True where the entries of an index tell all.
    pub(super) fn is_covered(&self) -> bool {
        self.bound.columns.is_some()
    }

    fn group(&self) -> Group {
        let tally = |(plan, sorted): (_, &bool)| Tally::new(plan, *sorted);
        let tallies = self.bound.measures.iter().zip(&self.sorted).map(tally).collect();
        Group { key: self.key.as_slice().into(), count: 0, tallies }
    }

    /// Counts the record whose keys are at hand, in its group.
    fn place(&mut self, room: &mut Room) -> Result<usize, Abort> {
        if self.bound.groups.is_some() && self.groups.get(self.last).is_none_or(|group| *group.key != *self.key) {
            // A planted bug: a group whose keys come again after those of another one begins anew.
            self.last = match self.places.get(self.key.as_slice()) {
                Some(place) if !mutant("agg-01") => *place,
                _ => {
                    room.take_group(self.key.len())?;
                    self.groups.push(self.group());
                    self.places.insert(self.key.as_slice().into(), self.groups.len() - 1);
                    self.groups.len() - 1
                }
            };
        }
        self.groups[self.last].count += 1;
        Ok(self.last)
    }

    /// Adds a record.
    pub(super) fn document(&mut self, document: Document<'_>, room: &mut Room) -> Result<(), Abort> {
        let bound = self.bound;
        self.key.clear();
        for (at, key) in bound.keys.iter().enumerate() {
            self.push_key(at, key, document.field(key.field));
        }
        let place = self.place(room)?;
        for (plan, tally) in bound.measures.iter().zip(&mut self.groups[place].tallies) {
            let Some(field) = plan.looks_at() else { continue };
            let value = document.field(field);
            if value.is_null() {
                continue;
            }
            tally.count += 1;
            if plan.wants.sum {
                tally.add(&value);
            }
            if plan.wants.distinct || plan.wants.extremes {
                self.encoded.clear();
                key::encode(value, Direction::Ascending, &mut self.encoded);
                tally.tell_apart(&self.encoded, room)?;
            }
            if plan.wants.extremes {
                tally.compare(&self.encoded);
            }
        }
        Ok(())
    }

    /// Adds an entry of the index that tells all.
    pub(super) fn entry(&mut self, entry: &[u8], room: &mut Room) -> Result<(), Abort> {
        let bound = self.bound;
        let columns = bound.columns.as_deref().unwrap_or_default();
        // Where each element ends that counts.
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        let mut rest = &entry[INDEX_BYTES..];
        for column in columns {
            key::split(&mut rest, column.direction())?;
            ends.push(entry.len() - rest.len());
        }
        let element = |column: usize| {
            let start = if column == 0 { INDEX_BYTES } else { ends[column - 1] };
            &entry[start..ends[column]]
        };
        self.key.clear();
        for (at, key) in bound.keys.iter().enumerate() {
            let column = self.key_columns[at];
            if columns[column].descending || key.bucket.is_some() {
                let value = key::decode(&mut element(column), columns[column].direction())?;
                self.push_key(at, key, value.scalar().expect("keys are scalars"));
            } else {
                self.key.extend_from_slice(element(column));
            }
        }
        let place = self.place(room)?;
        for (at, column) in columns.iter().enumerate() {
            let (Some(measure), found) = (column.measure, element(at)) else { continue };
            let (plan, tally) = (&bound.measures[measure], &mut self.groups[place].tallies[measure]);
            if column.is_null(found) {
                // A planted bug: where an index tells all, nulls are values.
                tally.count += u64::from(mutant("agg-02"));
                continue;
            }
            tally.count += 1;
            // Bytes of one direction tell values apart as well as those of the other.
            tally.tell_apart(found, room)?;
            if plan.wants.extremes {
                tally.compare(found);
            }
            if plan.wants.sum {
                tally.add_encoded(found, column.direction())?;
            }
        }
        self.ends = ends;
        Ok(())
    }

    /// Appends a key, or the beginning of the bucket that it lies in.
    fn push_key(&mut self, at: usize, key: &GroupKey, value: ValueRef<'_>) {
        let Some(bucket) = key.bucket else { return key::encode(value, Direction::Ascending, &mut self.key) };
        let number = match value {
            ValueRef::DateTime(micros) => micros,
            ValueRef::Date(days) => i64::from(days),
            other => return key::encode(other, Direction::Ascending, &mut self.key),
        };
        if !self.buckets[at].as_ref().is_some_and(|(range, _)| range.contains(&number)) {
            let (range, first) = match value {
                ValueRef::DateTime(_) => {
                    let range = bucket.of_instant(number);
                    (range.clone(), Value::DateTime(range.start))
                }
                _ => {
                    let range = bucket.of_day(number);
                    let first = i32::try_from(range.start).expect("buckets of dates are dates");
                    (range, Value::Date(first))
                }
            };
            let mut encoded = Vec::new();
            key::encode_value(&first, Direction::Ascending, &mut encoded);
            self.buckets[at] = Some((range, encoded));
        }
        let (_, encoded) = self.buckets[at].as_ref().expect("it was just found");
        self.key.extend_from_slice(encoded);
    }

    /// What came out, in its order: the one row, or the page of groups.
    pub(super) fn finish(self) -> Result<Vec<Row>, Abort> {
        let bound = self.bound;
        let mut rows = Vec::with_capacity(self.groups.len());
        for group in self.groups {
            let row = row(bound, group)?;
            let having = bound.groups.as_ref().and_then(|groups| groups.having.as_ref());
            if having.is_none_or(|having| having.truth(&row) == Truth::True) {
                rows.push(row);
            }
        }
        Ok(match &bound.groups {
            Some(groups) => page(groups, rows),
            None => rows,
        })
    }
}

impl Column {
    fn direction(&self) -> Direction {
        if self.descending { Direction::Descending } else { Direction::Ascending }
    }

    /// Whether an element is that of null.
    fn is_null(&self, element: &[u8]) -> bool {
        const NULL: u8 = 0x02;
        element == [if self.descending { !NULL } else { NULL }]
    }
}

fn row(bound: &BoundFold, group: Group) -> Result<Row, Abort> {
    let mut keys = Vec::with_capacity(bound.keys.len());
    let mut rest: &[u8] = &group.key;
    for key in &bound.keys {
        let value = key::decode(&mut rest, Direction::Ascending)?;
        keys.push(match key.scalar {
            Some(scalar) => typed(scalar, key.scale, &value),
            None => value,
        });
    }
    let measured = |(at, (plan, tally)): (usize, (&MeasurePlan, Tally))| {
        let column = bound.columns.iter().flatten().find(|column| column.measure == Some(at));
        let direction = column.map_or(Direction::Ascending, Column::direction);
        let looked_at = plan.looks_at().is_some();
        let count = if looked_at { tally.count } else { group.count };
        // No two records have one id.
        let distinct = if looked_at { tally.distinct() } else { group.count };
        let (sum, average) = (tally.sum(plan), tally.average());
        Ok(Measured { count, distinct, sum, average, extremes: tally.extremes(plan, direction)? })
    };
    let tallies = bound.measures.iter().zip(group.tallies).enumerate();
    let measures = tallies.map(measured).collect::<Result<Vec<Measured>, Abort>>()?;
    Ok(Row { keys, count: group.count, measures, encoded: group.key.into_vec() })
}

/// The groups that are asked for, in order.
fn page(groups: &BoundGroups, mut rows: Vec<Row>) -> Vec<Row> {
    let wanted = groups.offset.saturating_add(groups.first);
    let compare = |one: &Row, other: &Row| {
        let by_order = groups.order.iter().map(|order| compared(order, one, other)).find(|order| order.is_ne());
        by_order.unwrap_or_else(|| one.encoded.cmp(&other.encoded))
    };
    if wanted == 0 {
        return Vec::new();
    }
    if wanted < rows.len() {
        sometimes("a page of groups is cut");
        rows.select_nth_unstable_by(wanted - 1, compare);
        rows.truncate(wanted);
    }
    rows.sort_unstable_by(compare);
    rows.drain(..groups.offset.min(rows.len()));
    rows
}

fn compared(order: &GroupOrder, one: &Row, other: &Row) -> Ordering {
    fn value<'r>(order: &GroupOrder, row: &'r Row) -> ValueRef<'r> {
        match order.by {
            Ordered::Count => ValueRef::Int(row.count()),
            Ordered::Key(key) => row.keys[key].scalar().expect("keys are scalars"),
            Ordered::Sum(measure) => row.part(measure, Part::Sum),
        }
    }
    let compare = |one: &Row, other: &Row| match order.by {
        Ordered::Sum(measure) => one.measures[measure].sum.compare(&other.measures[measure].sum),
        Ordered::Count | Ordered::Key(_) => value(order, one).compare(&value(order, other)),
    };
    let nulls = if order.nulls_first { Ordering::Less } else { Ordering::Greater };
    match (value(order, one).is_null(), value(order, other).is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => nulls,
        (false, true) => nulls.reverse(),
        (false, false) => match order.direction {
            Direction::Ascending => compare(one, other),
            Direction::Descending => compare(other, one),
        },
    }
}

/// What is said of a sum or an average that its type does not hold.
pub(super) fn beyond(what: &str, scalar: &str) -> Failure {
    let message = format!("The {what} is no {scalar}: it has too many digits. Filter to fewer records.");
    Failure::new(Code::BadUserInput, message)
}
