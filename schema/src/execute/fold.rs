//! Folding the records of a connection, for each parent: from the entries of an index that tells all, else from
//! the records themselves.

use super::Reader;
use super::level::Level;
use super::reader::BATCH;
use super::stream::{Ordered, Stream, spans, successor};
use super::tally::{Room, Tally, Total, typed};
use crate::filter::Truth;
use crate::plan::access::{Access, Choice, Element};
use crate::plan::fold::{FoldPlan, MeasurePlan};
use crate::plan::groups::{BoundFold, BoundGroups, Column, GroupKey, GroupOrder, Ordered as OrderedBy};
use crate::plan::having::{Judged, Part};
use crate::plan::tree::ConnectionPlan;
use crate::{Abort, Code, Failure};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use vivarium_storage::engine::Scan;
use vivarium_storage::key::{self, Direction};
use vivarium_storage::{Document, DocumentId, KeyRange, Space, Value, ValueRef};

/// Entries that are folded between two looks at the clock: about two milliseconds of work.
const ENTRIES: usize = 5_000;
/// Entries of all parents that are read at once.
const ENTRIES_AT_ONCE: usize = 1_000_000;
/// Bytes that every entry of an index begins with.
const INDEX_BYTES: usize = 8;

/// What was folded for one node of the plan.
#[derive(Debug)]
pub(crate) struct FoldLevel {
    /// One for each parent, as places in `folded`.
    pub(crate) of: Vec<usize>,
    pub(crate) folded: Vec<Vec<Row>>,
    /// The records that groups are named by, for each selection of them.
    pub(crate) relations: Vec<Level>,
}

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

impl Reader<'_> {
    /// Folds for the connection at the root.
    pub(super) async fn root_folds(&mut self, plan: &ConnectionPlan) -> Result<Vec<FoldLevel>, Abort> {
        self.folds(plan, None).await
    }

    /// Folds for each of `parents`, which may repeat.
    pub(super) async fn child_folds(
        &mut self,
        plan: &ConnectionPlan,
        parents: &[DocumentId],
    ) -> Result<Vec<FoldLevel>, Abort> {
        self.folds(plan, Some(parents)).await
    }

    async fn folds(&mut self, plan: &ConnectionPlan, parents: Option<&[DocumentId]>) -> Result<Vec<FoldLevel>, Abort> {
        if plan.folds.is_empty() {
            return Ok(Vec::new());
        }
        let distinct = parents.map(|parents| {
            let mut distinct = parents.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            distinct
        });
        let bound = self.bound;
        let wide = distinct.as_ref().map_or(1, Vec::len);
        let of_plan = |fold: &FoldPlan| {
            let bound = bound.fold(fold.slot);
            (0..wide).map(|_| Fold::new(bound)).collect::<Vec<_>>()
        };
        let mut folds: Vec<Vec<Fold<'_>>> = plan.folds.iter().map(of_plan).collect();
        let mut room = Room::new();
        for (plan, folds) in plan.folds.iter().zip(&mut folds) {
            let bound = bound.fold(plan.slot);
            if bound.columns.is_some() {
                self.fold_entries(&bound.choice, distinct.as_deref(), folds, &mut room).await?;
            }
        }
        // What no index covers is folded from the same records, in one pass.
        let uncovered = |plan: &&FoldPlan| bound.fold(plan.slot).columns.is_none();
        if let Some(first) = plan.folds.iter().find(uncovered) {
            let choice = &bound.fold(first.slot).choice;
            self.fold_records(choice, distinct.as_deref(), &mut folds, &mut room).await?;
        }
        let mut levels = Vec::with_capacity(folds.len());
        for (plan, folds) in plan.folds.iter().zip(folds) {
            let mut folded = Vec::with_capacity(folds.len());
            for fold in folds {
                folded.push(fold.finish()?);
            }
            let place = |parent: &DocumentId| {
                let distinct = distinct.as_ref().expect("a nested connection has parents");
                distinct.binary_search(parent).expect("every parent is there")
            };
            let of = parents.map_or_else(|| vec![0], |parents| parents.iter().map(place).collect());
            let relations = self.fold_relations(plan, &folded).await?;
            levels.push(FoldLevel { of, folded, relations });
        }
        Ok(levels)
    }

    /// Folds the entries of an index that tells all.
    async fn fold_entries(
        &mut self,
        choice: &Choice,
        parents: Option<&[DocumentId]>,
        folds: &mut [Fold<'_>],
        room: &mut Room,
    ) -> Result<(), Abort> {
        let elements = match &choice.access {
            Access::Index { elements, .. } => self.resolved(elements).await?,
            _ => Vec::new(),
        };
        let Some(parents) = parents else {
            for range in self.fold_ranges(choice, &elements, None) {
                self.fold_range(range, &mut folds[0], room).await?;
            }
            return Ok(());
        };
        // Some of each parent at once: mostly that is all there is. Then what is left of the others.
        let mut scans = Vec::with_capacity(parents.len());
        let mut of = Vec::with_capacity(parents.len());
        let at_once = (ENTRIES_AT_ONCE / parents.len().max(1)).clamp(100, ENTRIES);
        for (at, parent) in parents.iter().enumerate() {
            for range in self.fold_ranges(choice, &elements, Some(*parent)) {
                scans.push(Scan { range, reverse: false, limit: at_once });
                of.push(at);
            }
        }
        let found = self.transaction.scan_many(Space::Index, &scans).await?;
        for ((rows, scan), at) in found.iter().zip(&scans).zip(of) {
            rows.iter().try_for_each(|(key, _)| folds[at].entry(key, room))?;
            if let Some((last, _)) = rows.last().filter(|_| rows.len() == scan.limit) {
                let rest = KeyRange { start: successor(last), end: scan.range.end.clone() };
                self.fold_range(rest, &mut folds[at], room).await?;
            }
        }
        Ok(())
    }

    fn fold_ranges(&self, choice: &Choice, elements: &[Element], parent: Option<DocumentId>) -> Vec<KeyRange> {
        match &choice.access {
            Access::Index { index, .. } => spans(key::index(self.database, *index), elements, parent),
            _ => Ordered::of(self.database, choice, elements, parent).map(|it| it.range).into_iter().collect(),
        }
    }

    async fn fold_range(&mut self, range: KeyRange, fold: &mut Fold<'_>, room: &mut Room) -> Result<(), Abort> {
        let mut scan = Scan { range, reverse: false, limit: ENTRIES };
        loop {
            self.check_deadline()?;
            let mut folded = Ok(());
            let mut visit = |key: &[u8]| {
                if folded.is_ok() {
                    folded = fold.entry(key, room);
                }
            };
            let last = self.transaction.visit_keys(Space::Index, &scan, &mut visit).await?;
            folded?;
            let Some(last) = last else { return Ok(()) };
            scan.range.start = successor(&last);
        }
    }

    /// Folds records, all folds that no index covers at once.
    async fn fold_records(
        &mut self,
        choice: &Choice,
        parents: Option<&[DocumentId]>,
        folds: &mut [Vec<Fold<'_>>],
        room: &mut Room,
    ) -> Result<(), Abort> {
        fn add(folds: &mut [Vec<Fold<'_>>], at: usize, document: Document<'_>, room: &mut Room) -> Result<(), Abort> {
            let mut folds = folds.iter_mut().map(|folds| &mut folds[at]).filter(|fold| fold.bound.columns.is_none());
            folds.try_for_each(|fold| fold.document(document, room))
        }
        if let Some(parents) = parents {
            let elements = match &choice.access {
                Access::Index { elements, .. } => self.resolved(elements).await?,
                _ => Vec::new(),
            };
            let pairs = self.pairs_under(choice, &elements, parents).await?;
            for pairs in pairs.chunks(BATCH) {
                self.check_deadline()?;
                let mut ids: Vec<DocumentId> = pairs.iter().map(|(id, _)| *id).collect();
                ids.dedup();
                let found = self.records(choice.collection, &ids).await?;
                let matched = self.matching(choice.residual.as_ref(), found).await?;
                for (id, parent) in pairs {
                    if let Ok(at) = matched.binary_search_by(|record| record.id.cmp(id)) {
                        add(folds, *parent, matched[at].document(), room)?;
                    }
                }
            }
            return Ok(());
        }
        if let Access::Documents { .. } = choice.access {
            let range = key::documents(self.database, choice.collection);
            let mut stream = Stream::new(Space::Document, range, false);
            loop {
                let rows = stream.next(self, BATCH).await?;
                if rows.is_empty() {
                    return Ok(());
                }
                let found = stream.records(self, choice.collection, rows).await?;
                for record in self.matching(choice.residual.as_ref(), found).await? {
                    add(folds, 0, record.document(), room)?;
                }
            }
        }
        let ids = self.reached(choice, usize::MAX).await?.unwrap_or_default();
        for ids in ids.chunks(BATCH) {
            self.check_deadline()?;
            let found = self.records(choice.collection, ids).await?;
            for record in self.matching(choice.residual.as_ref(), found).await? {
                add(folds, 0, record.document(), room)?;
            }
        }
        Ok(())
    }

    /// Reads the records that groups are named by, and what lies below them.
    async fn fold_relations(&mut self, plan: &FoldPlan, folded: &[Vec<Row>]) -> Result<Vec<Level>, Abort> {
        let bound = self.bound.fold(plan.slot);
        let mut levels = Vec::with_capacity(plan.relations.len());
        for relation in &plan.relations {
            let key = bound.keys.iter().position(|key| key.field == relation.field);
            let referred = |row: &Row| match key.map(|key| &row.keys[key]) {
                Some(Value::Uuid(id)) => Some(*id),
                _ => None,
            };
            let mut ids: Vec<DocumentId> = folded.iter().flatten().filter_map(referred).collect();
            ids.sort_unstable();
            ids.dedup();
            let found = self.records(relation.record.collection, &ids).await?;
            // A plan of records within a plan of groups: the future's size must not depend on how deep.
            levels.push(Box::pin(self.level(&relation.record, found)).await?);
        }
        Ok(levels)
    }
}

/// One fold under way.
struct Fold<'b> {
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
    fn new(bound: &'b BoundFold) -> Fold<'b> {
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

    fn group(&self) -> Group {
        let tally = |(plan, sorted): (_, &bool)| Tally::new(plan, *sorted);
        let tallies = self.bound.measures.iter().zip(&self.sorted).map(tally).collect();
        Group { key: self.key.as_slice().into(), count: 0, tallies }
    }

    /// Counts the record whose keys are at hand, in its group.
    fn place(&mut self, room: &mut Room) -> Result<usize, Abort> {
        if self.bound.groups.is_some() && self.groups.get(self.last).is_none_or(|group| *group.key != *self.key) {
            self.last = match self.places.get(self.key.as_slice()) {
                Some(place) => *place,
                None => {
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
    fn document(&mut self, document: Document<'_>, room: &mut Room) -> Result<(), Abort> {
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
            if plan.wants.distinct {
                self.encoded.clear();
                key::encode(document.field(field), Direction::Ascending, &mut self.encoded);
                tally.tell_apart(&self.encoded, room)?;
            }
            if plan.wants.sum || plan.wants.extremes {
                tally.add(plan, value);
            }
        }
        Ok(())
    }

    /// Adds an entry of the index that tells all.
    fn entry(&mut self, entry: &[u8], room: &mut Room) -> Result<(), Abort> {
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
                continue;
            }
            tally.count += 1;
            // Bytes of one direction tell values apart as well as those of the other.
            tally.tell_apart(found, room)?;
            if plan.wants.sum || plan.wants.extremes {
                let value = key::decode(&mut &*found, column.direction())?;
                tally.add(plan, value.scalar().expect("measures are scalars"));
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
    fn finish(self) -> Result<Vec<Row>, Abort> {
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
    let measured = |(plan, tally): (&MeasurePlan, Tally)| {
        let looked_at = plan.looks_at().is_some();
        let count = if looked_at { tally.count } else { group.count };
        // No two records have one id.
        let distinct = if looked_at { tally.distinct() } else { group.count };
        let (sum, average) = (tally.sum(plan), tally.average());
        Measured { count, distinct, sum, average, extremes: tally.extremes(plan) }
    };
    let measures = bound.measures.iter().zip(group.tallies).map(measured).collect();
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
            OrderedBy::Count => ValueRef::Int(row.count()),
            OrderedBy::Key(key) => row.keys[key].scalar().expect("keys are scalars"),
            OrderedBy::Sum(measure) => row.part(measure, Part::Sum),
        }
    }
    let (one, other) = (value(order, one), value(order, other));
    let nulls = if order.nulls_first { Ordering::Less } else { Ordering::Greater };
    match (one.is_null(), other.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => nulls,
        (false, true) => nulls.reverse(),
        (false, false) => match order.direction {
            Direction::Ascending => one.compare(&other),
            Direction::Descending => other.compare(&one),
        },
    }
}

/// What is said of a sum or an average that its type does not hold.
pub(super) fn beyond(what: &str, scalar: &str) -> Failure {
    let message = format!("The {what} is no {scalar}: it has too many digits. Filter to fewer records.");
    Failure::new(Code::BadUserInput, message)
}
