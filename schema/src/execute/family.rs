//! Pages of a family's records: a page of each member, merged by the bytes that all of them sort by.

use super::Reader;
use super::connection::Page;
use super::level::Child;
use super::sort::SortKeys;
use crate::Abort;
use crate::filter::Record;
use crate::plan::bind::BoundFamily;
use crate::plan::tree::{FamilyPlan, Needs};

/// What was read for a list of a family's records.
#[derive(Debug, Default)]
pub(crate) struct FamilyLevel {
    /// The records of the page, by member.
    pub(crate) records: Vec<Vec<Record>>,
    /// The page: the member of each record, and its place among the member's records.
    pub(crate) order: Vec<(usize, usize)>,
    /// Their sort keys.
    pub(crate) keys: SortKeys,
    pub(crate) page: Page,
    /// What was read below the records, for each view and each member.
    pub(crate) views: Vec<Vec<Vec<Child>>>,
}

impl Reader<'_> {
    /// The page of a family.
    pub(super) async fn family(&mut self, plan: &FamilyPlan, bound: &BoundFamily) -> Result<FamilyLevel, Abort> {
        let wanted = plan.needs;
        let reads = wanted.records || wanted.next || wanted.previous;
        // All that is merged is needed with its key; whether there is more behind it is told by one record more.
        let needs = Needs { records: reads, cursors: reads, ..wanted };
        let mut merged: Vec<(Vec<u8>, usize, Record)> = Vec::new();
        let mut page = Page::default();
        for (member, list) in bound.lists.iter().enumerate() {
            let pages = self.root_page(list, needs).await?;
            let part = pages.pages.first().copied().unwrap_or_default();
            page.total += part.total;
            page.next |= part.next;
            page.previous |= part.previous;
            let records = pages.keys.into_iter().zip(pages.records);
            merged.extend(records.map(|(key, record)| (key, member, record)));
        }
        merged.sort_by(|(one, one_member, _), (other, other_member, _)| (one, one_member).cmp(&(other, other_member)));
        let skipped = bound.offset.min(merged.len());
        let shown = if bound.backward {
            let end = merged.len() - skipped;
            end - bound.count.min(end)..end
        } else {
            skipped..merged.len().min(skipped + bound.count)
        };
        page.previous |= shown.start > 0;
        page.next |= shown.end < merged.len();
        page.count = shown.len();
        let mut level = FamilyLevel { records: vec![Vec::new(); bound.lists.len()], page, ..FamilyLevel::default() };
        for (key, member, record) in merged.drain(shown) {
            level.order.push((member, level.records[member].len()));
            level.keys.push(key);
            level.records[member].push(record);
        }
        for view in &plan.views {
            let mut below = Vec::with_capacity(view.len());
            for (record, records) in view.iter().zip(&level.records) {
                below.push(self.children(record, records).await?);
            }
            level.views.push(below);
        }
        Ok(level)
    }
}
