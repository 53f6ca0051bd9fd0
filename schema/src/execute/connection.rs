//! Pages of records: the one at the root, or one for each parent.

use super::Reader;
use super::best::Best;
use super::gather::Reached;
use super::merge::{merge, needs_of, part_of};
use super::reader::BATCH;
use super::sort::SortKeys;
use super::stream::{Ordered, Stream};
use crate::filter::Record;
use crate::plan::access::{Access, Bound, Choice, Element};
use crate::plan::bind::BoundList;
use crate::plan::order::Order;
use crate::plan::paging::Paging;
use crate::plan::ranges::spans;
use crate::plan::tree::Needs;
use crate::{Abort, fetch};
use vivarium_storage::engine::Scan;
use vivarium_storage::key::{self, Direction};
use vivarium_storage::runtime::mutant;
use vivarium_storage::{DocumentId, KeyRange, Space};

/// Entries under one parent that are read to count them, before the rest is counted without being kept.
const TOTAL: usize = 1_000;

/// The pages of one connection: one at the root, else one for each parent.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Records of all pages.
    pub(crate) records: Vec<Record>,
    /// Their sort keys, when cursors are selected.
    pub(crate) keys: SortKeys,
    /// Which of the records each page has.
    pub(crate) pages: Vec<Page>,
}

/// One page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page {
    pub(crate) start: usize,
    pub(crate) count: usize,
    pub(crate) next: bool,
    pub(crate) previous: bool,
    pub(crate) total: u64,
}

/// A part of a list, before it is known to be a page.
struct Part {
    records: Vec<Record>,
    /// Records that the offset passed.
    skipped: usize,
    /// There are further ones behind.
    more: bool,
}

impl Reader<'_> {
    /// The page of a root connection.
    pub(super) async fn root_page(&mut self, list: &BoundList, needs: Needs) -> Result<Pages, Abort> {
        if needs == Needs::default() {
            return Ok(Pages { pages: vec![Page::default()], ..Pages::default() });
        }
        let (choice, began) = (&list.choice, self.began());
        let (mut records, mut page) = if choice.streams() && !(needs.total && choice.residual.is_some()) {
            self.streamed_page(&list.order, &list.paging, choice, needs).await?
        } else {
            self.sorted_page(list, needs).await?
        };
        self.came_to(choice, 0, began);
        page.count = records.len();
        if !needs.records {
            records.clear();
        }
        let keys = if needs.cursors { self.sort_keys(&list.order, &records).await? } else { Vec::new() };
        Ok(Pages { records, keys, pages: vec![page] })
    }

    /// A page of rows that come in one sorted stream or in several.
    async fn streamed_page(
        &mut self,
        order: &Order,
        paging: &Paging,
        choice: &Choice,
        needs: Needs,
    ) -> Result<(Vec<Record>, Page), Abort> {
        let (part, wanted) = (part_of(paging), needs_of(needs));
        let mut parts = Vec::new();
        match &choice.access {
            Access::Union { parts: choices, .. } => {
                for choice in choices {
                    let (records, page) = Box::pin(self.streamed_page(order, &part, choice, wanted)).await?;
                    parts.push(self.sorted(order, records, page).await?);
                }
            }
            Access::Index { elements, .. } => {
                let elements = self.resolved(elements).await?;
                let streams = streams(elements);
                if let [elements] = streams.as_slice() {
                    return self.ordered_page(order, paging, choice, elements, needs).await;
                }
                for elements in streams {
                    let (records, page) = self.ordered_page(order, &part, choice, &elements, wanted).await?;
                    parts.push(self.sorted(order, records, page).await?);
                }
            }
            _ => return self.ordered_page(order, paging, choice, &[], needs).await,
        }
        let merged = merge(parts, true, (paging.backward, paging.offset, paging.count));
        Ok((merged.rows.into_iter().map(|(_, _, record)| record).collect(), merged.page))
    }

    /// A part of a list with the keys that it is merged by.
    async fn sorted(&mut self, order: &Order, records: Vec<Record>, page: Page) -> Result<Pages, Abort> {
        let keys = self.sort_keys(order, &records).await?;
        Ok(Pages { records, keys, pages: vec![page] })
    }

    /// A page of rows that come in order: read from where it begins, and no further than it goes. `elements`: those of
    /// the access, each with one value as far as the order is not theirs.
    async fn ordered_page(
        &mut self,
        order: &Order,
        paging: &Paging,
        choice: &Choice,
        elements: &[Element],
        needs: Needs,
    ) -> Result<(Vec<Record>, Page), Abort> {
        let Some(ordered) = Ordered::of(self.database, choice, elements, None) else {
            return Ok((Vec::new(), Page::default()));
        };
        let fixed = self.fixed_keys(choice, elements, order);
        let mut places = [None, None];
        for (place, cursor) in places.iter_mut().zip([&paging.after, &paging.before]) {
            if let Some(cursor) = cursor {
                *place = Some(self.place(&ordered, choice, &fixed, order, &cursor.position).await?);
            }
        }
        let [after, before] = places;
        // In the direction of the keys, whatever that of the list is.
        let (low, high) = if ordered.reverse { (&before, &after) } else { (&after, &before) };
        let mut window = ordered.range.clone();
        if let Some(low) = low {
            window.start = low.behind.clone().max(window.start);
        }
        if let Some(high) = high {
            window.end = high.at.clone().min(window.end);
        }
        let mut stream = Stream::new(ordered.space, window, ordered.reverse != paging.backward);
        let want = if needs.records { paging.count } else { 0 };
        let more_wanted = if paging.backward { needs.previous } else { needs.next };
        let part = if needs.records || needs.next || needs.previous {
            let count = if needs.records { want } else { paging.count };
            self.part(&mut stream, choice, paging.offset, count, more_wanted).await?
        } else {
            Part { records: Vec::new(), skipped: 0, more: false }
        };
        // Behind the page in the direction of reading, and in front of it.
        let mut behind = high.as_ref().map_or_else(|| ordered.range.end.clone(), |high| high.at.clone());
        let mut in_front = low.as_ref().map_or_else(|| ordered.range.start.clone(), |low| low.behind.clone());
        if low.is_some() && high.is_some() && in_front > behind {
            // The cursors have passed each other: the page is empty and lies where `after` stands.
            if ordered.reverse { in_front.clone_from(&behind) } else { behind.clone_from(&in_front) }
        }
        let behind = KeyRange { start: behind.max(ordered.range.start.clone()), end: ordered.range.end.clone() };
        let in_front = KeyRange { start: ordered.range.start.clone(), end: in_front.min(ordered.range.end.clone()) };
        let (earlier, later) = if ordered.reverse { (behind, in_front) } else { (in_front, behind) };
        let mut page = Page::default();
        if needs.previous {
            let known = if paging.backward { part.more } else { part.skipped > 0 };
            page.previous = known || self.any(ordered.space, earlier, choice).await?;
        }
        if needs.next {
            let known = if paging.backward { part.skipped > 0 } else { part.more };
            page.next = known || self.any(ordered.space, later, choice).await?;
        }
        if needs.total {
            page.total = Stream::new(ordered.space, ordered.range.clone(), false).count(self).await?;
        }
        let mut records = part.records;
        if paging.backward {
            records.reverse();
        }
        Ok((records, page))
    }

    /// Reads on until there are enough matching records.
    async fn part(
        &mut self,
        stream: &mut Stream,
        choice: &Choice,
        offset: usize,
        count: usize,
        more_wanted: bool,
    ) -> Result<Part, Abort> {
        let Some(filter) = &choice.residual else {
            let skipped = stream.skip(self, offset).await?;
            let mut rows = stream.next(self, count + usize::from(more_wanted)).await?;
            self.came_to(choice, rows.len(), None);
            let more = rows.len() > count;
            rows.truncate(count);
            let records = stream.records(self, choice.collection, rows).await?;
            return Ok(Part { records, skipped, more });
        };
        let (mut records, mut skipped) = (Vec::new(), 0);
        let mut batch = (2 * (count + 1)).clamp(16, BATCH);
        if mutant("idx-07") {
            let rows = stream.next(self, offset + count + usize::from(more_wanted)).await?;
            let more = rows.len() > offset + count;
            let found = stream.records(self, choice.collection, rows).await?;
            let mut records = self.matching(Some(filter), found).await?;
            records.truncate(count);
            return Ok(Part { records, skipped: offset, more });
        }
        loop {
            let rows = stream.next(self, batch).await?;
            self.came_to(choice, rows.len(), None);
            if rows.is_empty() {
                return Ok(Part { records, skipped, more: false });
            }
            let mut found = stream.records(self, choice.collection, rows).await?;
            if mutant("idx-04") && found.len() == batch {
                found.pop();
            }
            for record in self.matching(Some(filter), found).await? {
                if skipped < offset {
                    skipped += 1;
                } else if records.len() < count {
                    records.push(record);
                } else {
                    return Ok(Part { records, skipped, more: true });
                }
            }
            if skipped == offset && records.len() == count && !more_wanted {
                return Ok(Part { records, skipped, more: false });
            }
            batch = (batch * 2).min(BATCH);
        }
    }

    /// Whether a range has any matching record.
    async fn any(&mut self, space: Space, range: KeyRange, choice: &Choice) -> Result<bool, Abort> {
        let mut stream = Stream::new(space, range, false);
        Ok(self.part(&mut stream, choice, 0, 0, true).await?.more)
    }

    /// A page of records that have to be sorted: all are read, the best are kept.
    async fn sorted_page(&mut self, list: &BoundList, needs: Needs) -> Result<(Vec<Record>, Page), Abort> {
        let choice = &list.choice;
        let mut best = Best::new(list);
        if let Access::Documents { .. } = choice.access {
            let range = key::documents(self.database, choice.collection);
            let mut stream = Stream::new(Space::Document, range, false);
            loop {
                let rows = stream.next(self, BATCH).await?;
                self.came_to(choice, rows.len(), None);
                if rows.is_empty() {
                    break;
                }
                let found = stream.records(self, choice.collection, rows).await?;
                let records = self.matching(choice.residual.as_ref(), found).await?;
                let keys = self.sort_keys(&list.order, &records).await?;
                best.add(records, keys);
            }
        } else {
            let most = choice.otherwise.as_ref().map_or(usize::MAX, |(most, _)| *most);
            let reached = match (self.reached(choice, most).await?, &choice.otherwise) {
                (Some(reached), _) => reached,
                (None, Some((_, otherwise))) => {
                    return self.streamed_page(&list.order, &list.paging, otherwise, needs).await;
                }
                (None, None) => unreachable!("nothing is more than the most"),
            };
            let Reached { mut ids, followed } = reached;
            let backward = (list.order.ids == Direction::Descending) != list.paging.backward;
            if choice.ordered && backward {
                ids.reverse();
            }
            // In the order of their ids no more are fetched than the page takes.
            let mut batch = if choice.ordered { (2 * (best.wanted() + 1)).clamp(16, BATCH) } else { BATCH };
            let mut left = ids.as_slice();
            while let Some((ids, rest)) = left.split_at_checked(batch.min(left.len())).filter(|_| !left.is_empty()) {
                (left, batch) = (rest, (2 * batch).min(BATCH));
                self.check_deadline()?;
                let found = self.records(choice.collection, ids).await?;
                let records = self.matching(choice.left(followed), found).await?;
                let keys = self.sort_keys(&list.order, &records).await?;
                best.add(records, keys);
                if choice.ordered && !needs.total && best.within > best.wanted() {
                    break;
                }
            }
        }
        Ok(best.page())
    }

    /// The pages of a nested connection, one for each of `parents`, which may repeat.
    pub(super) async fn child_pages(
        &mut self,
        list: &BoundList,
        needs: Needs,
        parents: &[DocumentId],
    ) -> Result<Pages, Abort> {
        if needs == Needs::default() {
            return Ok(Pages { pages: vec![Page::default(); parents.len()], ..Pages::default() });
        }
        self.check_deadline()?;
        let began = self.began();
        let mut distinct = parents.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let elements = match &list.choice.access {
            Access::Index { elements, .. } => self.resolved(elements).await?,
            _ => Vec::new(),
        };
        let paging = &list.paging;
        let plain = list.choice.residual.is_none() && paging.after.is_none() && paging.before.is_none();
        let mut pages = if list.choice.ordered && plain {
            self.plain_pages(list, needs, &elements, &distinct).await?
        } else {
            self.picked_pages(list, &elements, &distinct).await?
        };
        self.came_to(&list.choice, 0, began);
        if needs.cursors {
            pages.keys = self.sort_keys(&list.order, &pages.records).await?;
        }
        // A planted bug: pages are handed out in the order in which they were read.
        if mutant("rel-03") && distinct.len() == parents.len() {
            return Ok(pages);
        }
        let place = |parent: &DocumentId| pages.pages[distinct.binary_search(parent).expect("every parent is there")];
        pages.pages = parents.iter().map(place).collect();
        Ok(pages)
    }

    /// Pages that are the first or last entries under each parent.
    async fn plain_pages(
        &mut self,
        list: &BoundList,
        needs: Needs,
        elements: &[Element],
        parents: &[DocumentId],
    ) -> Result<Pages, Abort> {
        let (choice, paging) = (&list.choice, &list.paging);
        // One more tells whether there is another page. A total is mostly small: then it is known at once.
        let shown = paging.offset + paging.count + 1;
        let limit = if needs.total { shown.max(TOTAL) } else { shown };
        let nothing = KeyRange { start: Box::default(), end: Box::default() };
        let scan = |parent: &DocumentId| match Ordered::of(self.database, choice, elements, Some(*parent)) {
            Some(ordered) => Scan { range: ordered.range, reverse: ordered.reverse != paging.backward, limit },
            None => Scan { range: nothing.clone(), reverse: false, limit: 0 },
        };
        let scans: Vec<Scan> = parents.iter().map(scan).collect();
        let rows = self.transaction.scan_many(Space::Index, &scans).await?;
        let mut ids = Vec::new();
        let mut pages = Vec::with_capacity(parents.len());
        for (rows, scan) in rows.iter().zip(&scans) {
            let mut total = rows.len() as u64;
            if let Some((last, _)) = rows.last().filter(|_| needs.total && rows.len() == limit) {
                total += Stream::behind(Space::Index, scan, last).count(self).await?;
            }
            let start = ids.len();
            let passed = paging.offset.min(rows.len());
            let shown = &rows[passed..rows.len().min(passed + paging.count)];
            let (more, skipped) = (rows.len() > passed + paging.count, passed > 0);
            self.came_to(choice, rows.len(), None);
            for (key, cell) in shown {
                ids.push(fetch::entry_id(key, cell)?);
            }
            if paging.backward {
                ids[start..].reverse();
            }
            let (next, previous) = if paging.backward { (skipped, more) } else { (more, skipped) };
            pages.push(Page { start, count: shown.len(), next, previous, total });
        }
        let records = if needs.records {
            let found = fetch::records(self.transaction, self.catalog, self.database, choice.collection, &ids).await?;
            whole(found)?
        } else {
            Vec::new()
        };
        Ok(Pages { records, keys: Vec::new(), pages })
    }

    /// Pages that take filtering, sorting or a cursor: all under each parent is read.
    async fn picked_pages(
        &mut self,
        list: &BoundList,
        elements: &[Element],
        parents: &[DocumentId],
    ) -> Result<Pages, Abort> {
        let choice = &list.choice;
        let pairs = self.pairs_under(choice, elements, parents).await?;
        let mut best: Vec<Best<'_>> = parents.iter().map(|_| Best::new(list)).collect();
        for pairs in pairs.chunks(BATCH) {
            self.check_deadline()?;
            let mut ids: Vec<DocumentId> = pairs.iter().map(|(id, _)| *id).collect();
            ids.dedup();
            let found = self.records(choice.collection, &ids).await?;
            let matched = self.matching(choice.residual.as_ref(), found).await?;
            let keys = self.sort_keys(&list.order, &matched).await?;
            for (id, parent) in pairs {
                if let Ok(at) = matched.binary_search_by(|record| record.id.cmp(id)) {
                    best[*parent].offer(keys[at].clone(), || matched[at].clone());
                }
            }
        }
        let mut pages = Pages::default();
        for best in best {
            let (records, mut page) = best.page();
            page.start = pages.records.len();
            page.count = records.len();
            pages.records.extend(records);
            pages.pages.push(page);
        }
        Ok(pages)
    }

    /// The records under each parent, by number, ascending and each pair once.
    pub(super) async fn pairs_under(
        &mut self,
        choice: &Choice,
        elements: &[Element],
        parents: &[DocumentId],
    ) -> Result<Vec<(DocumentId, usize)>, Abort> {
        let mut under = Vec::with_capacity(parents.len());
        let mut scans = Vec::with_capacity(parents.len());
        for parent in parents {
            let ranges = match &choice.access {
                Access::Index { index, .. } => spans(key::index(self.database, *index), elements, Some(*parent)),
                _ => {
                    Ordered::of(self.database, choice, elements, Some(*parent)).map(|it| it.range).into_iter().collect()
                }
            };
            under.push(ranges.len());
            scans.extend(ranges.into_iter().map(|range| Scan { range, reverse: false, limit: fetch::ALL }));
        }
        let mut rows = self.transaction.scan_many(Space::Index, &scans).await?.into_iter();
        // Which parents each record is under, by record.
        let mut pairs: Vec<(DocumentId, usize)> = Vec::new();
        for (parent, ranges) in under.into_iter().enumerate() {
            for (key, cell) in rows.by_ref().take(ranges).flatten() {
                pairs.push((fetch::entry_id(&key, &cell)?, parent));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        self.came_to(choice, pairs.len(), None);
        Ok(pairs)
    }
}

/// The elements of an access for each of the streams that it comes in: one value of each element that has several.
fn streams(elements: Vec<Element>) -> Vec<Vec<Element>> {
    let mut streams = vec![Vec::with_capacity(elements.len())];
    for element in elements {
        let direction = element.direction;
        let bounds: Vec<Bound> = match element.bound {
            Bound::Values(values) => values.into_iter().map(|value| Bound::Values(vec![value])).collect(),
            bound => vec![bound],
        };
        let with = |stream: &Vec<Element>| {
            let one = |bound: &Bound| {
                let mut stream = stream.clone();
                stream.push(Element { direction, bound: bound.clone() });
                stream
            };
            bounds.iter().map(one).collect::<Vec<_>>()
        };
        streams = streams.iter().flat_map(with).collect();
    }
    streams
}

/// Entries lead to documents: one that does not is damage, not an answer.
fn whole(found: Vec<Option<Record>>) -> Result<Vec<Record>, Abort> {
    let dangling = || {
        let message = "an index entry leads to a document that is not there";
        Abort::from(crate::Failure::new(crate::Code::InternalServerError, message))
    };
    found.into_iter().map(|record| record.ok_or_else(dangling)).collect()
}
