//! The ids that an access leads to, gathered: of one index, of several that meet or are united, or back along a
//! relation.
//!
//! What is gathered is ascending, each id once, and at least all that match: filters are asked of the records.

use super::Reader;
use super::reader::BATCH;
use super::stream::Stream;
use crate::plan::access::{Access, BackRelation, Bound, Choice, Element};
use crate::plan::ranges::spans;
use crate::{Abort, fetch};
use std::collections::BTreeSet;
use vivarium_storage::engine::Scan;
use vivarium_storage::key::successor;
use vivarium_storage::runtime::mutant;
use vivarium_storage::{CollectionId, DocumentId, Key, KeyRange, Space, Value, ValueRef, key};

/// Entries that are collected at once.
const ENTRIES: usize = 10_000;
/// Entries of a further index that are read for each id that they may leave out: fetching its document costs as much.
const NARROWING: usize = 4;
/// Entries of a further index that are read however few ids there are.
const NARROWING_MIN: usize = 16;

/// What an access leads to.
pub(super) struct Reached {
    pub(super) ids: Vec<DocumentId>,
    /// Everything that the access stands for was looked at: otherwise the whole filter is asked of the records.
    pub(super) followed: bool,
}

impl Reader<'_> {
    /// Elements with the ids of selected records in place of the selection.
    pub(super) async fn resolved(&mut self, elements: &[Element]) -> Result<Vec<Element>, Abort> {
        let mut resolved = Vec::with_capacity(elements.len());
        for element in elements {
            let bound = match &element.bound {
                Bound::Selected(choice) => {
                    let ids = Box::pin(self.select(choice)).await?;
                    Bound::Values(ids.into_iter().map(Value::Uuid).collect())
                }
                other => other.clone(),
            };
            resolved.push(Element { direction: element.direction, bound });
        }
        Ok(resolved)
    }

    /// The ids of all records that a choice leads to, ascending.
    pub(super) async fn select(&mut self, choice: &Choice) -> Result<Vec<DocumentId>, Abort> {
        if let (Access::Documents { .. }, filter) = (&choice.access, &choice.residual) {
            let range = key::documents(self.database, choice.collection);
            let mut stream = Stream::new(Space::Document, range, false);
            let mut ids = Vec::new();
            loop {
                let began = self.began();
                let rows = stream.next(self, BATCH).await?;
                self.came_to(choice, rows.len(), began);
                if rows.is_empty() {
                    return Ok(ids);
                }
                let records = stream.records(self, choice.collection, rows).await?;
                let records = self.matching(filter.as_ref(), records).await?;
                ids.extend(records.iter().map(|record| record.id));
            }
        }
        let began = self.began();
        let Reached { ids, followed } = self.all_reached(choice).await?;
        self.came_to(choice, 0, began);
        let Some(filter) = choice.left(followed) else { return Ok(ids) };
        let mut matching = Vec::new();
        for ids in ids.chunks(BATCH) {
            self.check_deadline()?;
            let records = self.records(choice.collection, ids).await?;
            let records = self.matching(Some(filter), records).await?;
            matching.extend(records.iter().map(|record| record.id));
        }
        Ok(matching)
    }

    /// All ids that an access leads to, before any filter.
    pub(super) async fn all_reached(&mut self, choice: &Choice) -> Result<Reached, Abort> {
        Ok(self.reached(choice, usize::MAX).await?.expect("nothing is more than the most"))
    }

    /// The ids that an access leads to, before any filter, ascending and each once. `None` when there are more
    /// than `most`, or more entries of an index.
    pub(super) async fn reached(&mut self, choice: &Choice, most: usize) -> Result<Option<Reached>, Abort> {
        let mut followed = true;
        let mut ids = match &choice.access {
            Access::Ids(ids) => ids.clone(),
            Access::Index { index, unique, elements, rest, .. } => {
                let elements = self.resolved(elements).await?;
                let ranges = spans(key::index(self.database, *index), &elements, None);
                let ids = if *unique && rest.is_empty() {
                    self.points_and_ranges(ranges, &elements, most).await?
                } else {
                    self.entries(ranges, most).await?
                };
                // Not all were read, and a record may have several: how many records they are says nothing.
                if ids.len() > most {
                    self.came_to(choice, ids.len(), None);
                    return Ok(None);
                }
                ids
            }
            Access::Back { relation, from } => {
                let selected = Box::pin(self.select(from)).await?;
                self.back(*relation, from.collection, &selected).await?
            }
            Access::Intersection(parts) => {
                let Some(reached) = Box::pin(self.met(parts, most)).await? else { return Ok(None) };
                followed = reached.followed;
                reached.ids
            }
            Access::Union { parts, .. } => {
                let mut ids = Vec::new();
                for part in parts {
                    let Some(reached) = Box::pin(self.reached(part, most)).await? else { return Ok(None) };
                    ids.extend(reached.ids);
                    followed &= reached.followed;
                }
                ids
            }
            Access::Documents { .. } | Access::Links { .. } => {
                unreachable!("collections are streamed, links belong to a parent")
            }
        };
        ids.sort_unstable();
        ids.dedup();
        self.came_to(choice, ids.len(), None);
        Ok((ids.len() <= most).then_some(Reached { ids, followed }))
    }

    /// The ids that every part leads to. A part that leads to too many is left to the filter.
    async fn met(&mut self, parts: &[Choice], most: usize) -> Result<Option<Reached>, Abort> {
        let (first, others) = parts.split_first().expect("an intersection has parts");
        let Some(mut reached) = self.reached(first, most).await? else { return Ok(None) };
        for part in others {
            let (Some(least), Some(greatest)) = (reached.ids.first(), reached.ids.last()) else { break };
            let most = reached.ids.len() * NARROWING + NARROWING_MIN;
            let found = match self.between(part, *least, *greatest) {
                // They come by id: no further than the ids that they are to be found among.
                Some(range) => {
                    let ids = self.entries(vec![range], most).await?;
                    self.came_to(part, ids.len(), None);
                    (ids.len() <= most).then_some(Reached { ids, followed: true })
                }
                None => self.reached(part, most).await?,
            };
            let Some(found) = found else {
                reached.followed = false;
                continue;
            };
            reached.followed &= found.followed;
            // A planted bug: what only one of the indexes leads to counts.
            if mutant("idx-11") {
                reached.ids.extend(found.ids);
                reached.ids.sort_unstable();
                reached.ids.dedup();
                continue;
            }
            let mut others = found.ids.into_iter().peekable();
            reached.ids.retain(|id| {
                while others.next_if(|other| other < id).is_some() {}
                others.peek() == Some(id)
            });
        }
        Ok(Some(reached))
    }

    /// The range of an index's entries that lead to ids between two, where they come by id.
    fn between(&self, choice: &Choice, least: DocumentId, greatest: DocumentId) -> Option<KeyRange> {
        let Access::Index { index, unique: false, elements, rest, .. } = &choice.access else { return None };
        let one = |element: &Element| matches!(&element.bound, Bound::Values(values) if values.len() == 1);
        if !rest.is_empty() || !elements.iter().all(one) {
            return None;
        }
        let prefix = spans(key::index(self.database, *index), elements, None).pop()?.start.into_vec();
        let at = |id: DocumentId| {
            let mut key = prefix.clone();
            key::push_id(&mut key, id);
            key
        };
        Some(KeyRange { start: at(least).into_boxed_slice(), end: successor(&at(greatest)) })
    }

    async fn points_and_ranges(
        &mut self,
        ranges: Vec<KeyRange>,
        elements: &[Element],
        most: usize,
    ) -> Result<Vec<DocumentId>, Abort> {
        let has_null = |element: &Element| match &element.bound {
            Bound::Values(values) => values.iter().any(Value::is_null),
            Bound::Range { .. } | Bound::Prefix(_) => true,
            Bound::Parent | Bound::Selected(_) => false,
        };
        if elements.iter().any(has_null) {
            return self.entries(ranges, most).await;
        }
        // Each range holds the one key that it begins with.
        let keys: Vec<Key> = ranges.into_iter().map(|range| range.start).collect();
        Ok(fetch::unique(self.transaction, &keys).await?.into_iter().flatten().collect())
    }

    /// The ids that all entries in the ranges lead to, one for each; no further than to know that there are more than `most`.
    async fn entries(&mut self, ranges: Vec<KeyRange>, most: usize) -> Result<Vec<DocumentId>, Abort> {
        let mut ids = Vec::new();
        let enough = most.saturating_add(1);
        if ranges.len() == 1 {
            let mut stream = Stream::new(Space::Index, ranges.into_iter().next().expect("there is one"), false);
            loop {
                let rows = stream.next(self, ENTRIES.min(enough - ids.len())).await?;
                if rows.is_empty() {
                    return Ok(ids);
                }
                for (key, cell) in &rows {
                    ids.push(fetch::entry_id(key, cell)?);
                }
            }
        }
        for ranges in ranges.chunks(BATCH) {
            self.check_deadline()?;
            let scan = |range: &KeyRange| Scan { range: range.clone(), reverse: false, limit: enough };
            if ids.len() > most {
                break;
            }
            let scans: Vec<Scan> = ranges.iter().map(scan).collect();
            for (key, cell) in self.transaction.scan_many(Space::Index, &scans).await?.iter().flatten() {
                ids.push(fetch::entry_id(key, cell)?);
            }
        }
        Ok(ids)
    }

    async fn back(
        &mut self,
        relation: BackRelation,
        collection: CollectionId,
        selected: &[DocumentId],
    ) -> Result<Vec<DocumentId>, Abort> {
        let mut ids = BTreeSet::new();
        for selected in selected.chunks(BATCH) {
            self.check_deadline()?;
            match relation {
                BackRelation::Reference(field) => {
                    for record in self.records(collection, selected).await? {
                        if let ValueRef::Uuid(id) = record.document().field(field) {
                            ids.insert(id);
                        }
                    }
                }
                BackRelation::Links(index) => {
                    let found = fetch::relatives(self.transaction, self.database, index, selected).await?;
                    ids.extend(found.into_iter().flatten());
                }
            }
        }
        Ok(ids.into_iter().collect())
    }
}
