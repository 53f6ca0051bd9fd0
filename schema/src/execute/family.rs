//! Pages of a family's records: a page of each member, merged by the bytes that all of them sort by.

use super::Reader;
use super::connection::Page;
use super::level::Child;
use super::merge::{merge, needs_of};
use super::sort::SortKeys;
use crate::Abort;
use crate::filter::Record;
use crate::plan::bind::BoundFamily;
use crate::plan::tree::FamilyPlan;

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
        let (needs, began) = (needs_of(plan.needs), self.began());
        let mut parts = Vec::with_capacity(bound.lists.len());
        for list in &bound.lists {
            parts.push(self.root_page(list, needs).await?);
        }
        let merged = merge(parts, false, (bound.backward, bound.offset, bound.count));
        let page = merged.page;
        let mut level = FamilyLevel { records: vec![Vec::new(); bound.lists.len()], page, ..FamilyLevel::default() };
        for (key, member, record) in merged.rows {
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
        self.came_to(plan, level.page.count, began);
        Ok(level)
    }
}
