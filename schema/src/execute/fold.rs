//! Folding the records of a connection, for each parent: from the entries of an index that tells all, else from
//! the records themselves.

use super::Reader;
use super::gather::Reached;
use super::groups::{Fold, Row};
use super::level::Level;
use super::reader::BATCH;
use super::stream::{Ordered, Stream};
use super::tally::Room;
use crate::Abort;
use crate::plan::access::{Access, Choice, Element};
use crate::plan::fold::FoldPlan;
use crate::plan::ranges::spans;
use crate::plan::tree::ConnectionPlan;
use vivarium_storage::engine::Scan;
use vivarium_storage::key::{self, successor};
use vivarium_storage::runtime::sometimes;
use vivarium_storage::{Document, DocumentId, KeyRange, Space, Value};

/// Entries that are folded between two looks at the clock: about two milliseconds of work.
const ENTRIES: usize = 5_000;
/// Entries of all parents that are read at once.
const ENTRIES_AT_ONCE: usize = 1_000_000;

/// What was folded for one node of the plan.
#[derive(Debug)]
pub(crate) struct FoldLevel {
    /// One for each parent, as places in `folded`.
    pub(crate) of: Vec<usize>,
    pub(crate) folded: Vec<Vec<Row>>,
    /// The records that groups are named by, for each selection of them.
    pub(crate) relations: Vec<Level>,
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
            let (bound, began) = (bound.fold(plan.slot), self.began());
            if bound.columns.is_some() {
                self.fold_entries(&bound.choice, distinct.as_deref(), folds, &mut room).await?;
                self.came_to(&bound.choice, 0, began);
            }
        }
        // What no index covers is folded from the same records, in one pass.
        let uncovered = |plan: &&FoldPlan| bound.fold(plan.slot).columns.is_none();
        if let Some(first) = plan.folds.iter().find(uncovered) {
            sometimes("records are read to be added up");
            let choice = &bound.fold(first.slot).choice;
            let began = self.began();
            self.fold_records(choice, distinct.as_deref(), &mut folds, &mut room).await?;
            self.came_to(choice, 0, began);
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
            self.came_to(plan, folded.iter().map(Vec::len).sum(), None);
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
        sometimes("an index tells what records add up to");
        let Some(parents) = parents else {
            for range in self.fold_ranges(choice, &elements, None) {
                self.fold_range(choice, range, &mut folds[0], room).await?;
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
            self.came_to(choice, rows.len(), None);
            rows.iter().try_for_each(|(key, _)| folds[at].entry(key, room))?;
            if let Some((last, _)) = rows.last().filter(|_| rows.len() == scan.limit) {
                let rest = KeyRange { start: successor(last), end: scan.range.end.clone() };
                self.fold_range(choice, rest, &mut folds[at], room).await?;
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

    async fn fold_range(
        &mut self,
        choice: &Choice,
        range: KeyRange,
        fold: &mut Fold<'_>,
        room: &mut Room,
    ) -> Result<(), Abort> {
        let mut scan = Scan { range, reverse: false, limit: ENTRIES };
        loop {
            self.check_deadline()?;
            let (mut folded, mut rows) = (Ok(()), 0);
            let mut visit = |key: &[u8]| {
                rows += 1;
                if folded.is_ok() {
                    folded = fold.entry(key, room);
                }
            };
            let last = self.transaction.visit_keys(Space::Index, &scan, &mut visit).await?;
            folded?;
            self.came_to(choice, rows, None);
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
            let mut folds = folds.iter_mut().map(|folds| &mut folds[at]).filter(|fold| !fold.is_covered());
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
                self.came_to(choice, rows.len(), None);
                if rows.is_empty() {
                    return Ok(());
                }
                let found = stream.records(self, choice.collection, rows).await?;
                for record in self.matching(choice.residual.as_ref(), found).await? {
                    add(folds, 0, record.document(), room)?;
                }
            }
        }
        let Reached { ids, followed } = self.all_reached(choice).await?;
        for ids in ids.chunks(BATCH) {
            self.check_deadline()?;
            let found = self.records(choice.collection, ids).await?;
            for record in self.matching(choice.left(followed), found).await? {
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
