//! The best records of a list that nothing brings into order, picked while all are read.

use super::connection::Page;
use super::sort::SortKeys;
use crate::filter::Record;
use crate::plan::bind::BoundList;

/// Records that are kept beside the best before these are selected.
const SLACK: usize = 64;

/// The best records of many, by their sort keys, and how many there were around them.
pub(super) struct Best<'a> {
    list: &'a BoundList,
    kept: Vec<(Vec<u8>, Record)>,
    /// The last of the best so far, when there are enough: what is no better is only counted.
    bar: Option<Vec<u8>>,
    /// Of those in the window between the cursors.
    pub(super) within: usize,
    earlier: usize,
    later: usize,
}

impl<'a> Best<'a> {
    pub(super) fn new(list: &'a BoundList) -> Best<'a> {
        Best { list, kept: Vec::new(), bar: None, within: 0, earlier: 0, later: 0 }
    }

    pub(super) fn wanted(&self) -> usize {
        self.list.paging.offset + self.list.paging.count
    }

    pub(super) fn add(&mut self, records: Vec<Record>, keys: SortKeys) {
        records.into_iter().zip(keys).for_each(|(record, key)| self.offer(key, || record));
    }

    /// Counts a record, and keeps it if it may be on the page.
    pub(super) fn offer(&mut self, key: Vec<u8>, record: impl FnOnce() -> Record) {
        let paging = &self.list.paging;
        if paging.after.as_ref().is_some_and(|after| key <= after.position) {
            self.earlier += 1;
            return;
        }
        if paging.before.as_ref().is_some_and(|before| key >= before.position) {
            self.later += 1;
            return;
        }
        self.within += 1;
        let wanted = self.wanted();
        let beyond = |bar: &Vec<u8>| if paging.backward { key <= *bar } else { key >= *bar };
        if wanted == 0 || self.bar.as_ref().is_some_and(beyond) {
            return;
        }
        self.kept.push((key, record()));
        // Selecting costs as much as it drops: wait until that is half.
        if self.kept.len() > 2 * wanted + SLACK {
            self.select(wanted);
        }
    }

    /// Keeps the best, in no order.
    fn select(&mut self, wanted: usize) {
        if self.kept.len() <= wanted || wanted == 0 {
            return;
        }
        let backward = self.list.paging.backward;
        let compare = |(one, _): &(Vec<u8>, Record), (other, _): &(Vec<u8>, Record)| {
            if backward { other.cmp(one) } else { one.cmp(other) }
        };
        self.kept.select_nth_unstable_by(wanted - 1, compare);
        self.kept.truncate(wanted);
        self.bar = self.kept.last().map(|(key, _)| key.clone());
    }

    pub(super) fn page(mut self) -> (Vec<Record>, Page) {
        let paging = &self.list.paging;
        self.select(self.wanted());
        self.kept.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let passed = paging.offset.min(self.kept.len());
        if paging.backward {
            self.kept.truncate(self.kept.len() - passed);
        } else {
            self.kept.drain(..passed);
        }
        let left = self.within - passed - self.kept.len();
        let (before, behind) = if paging.backward { (left, passed) } else { (passed, left) };
        let page = Page {
            start: 0,
            count: self.kept.len(),
            next: behind + self.later > 0,
            previous: before + self.earlier > 0,
            total: (self.within + self.earlier + self.later) as u64,
        };
        (self.kept.into_iter().map(|(_, record)| record).collect(), page)
    }
}
