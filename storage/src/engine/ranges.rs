//! Many scans of one space on as few iterators as possible: the children of many parents, level by level.
//!
//! To begin an iterator costs as much as some 20 rows. So between two ranges a few rows are skipped instead.

use super::fjall::{Bytes, Rows};
use super::snapshot::Snapshot;
use super::{Cell, Scan, Space};
use crate::{KeyRange, Result, Version};

/// Rows that are skipped before a new iterator is begun. Half as many after each time that it was in vain.
const SKIP_MAX: usize = 16;

impl Snapshot {
    /// The rows of each scan as of version `at`. Ranges that lie close together are fetched fastest.
    ///
    /// # Errors
    /// As [`Snapshot::get_many`].
    pub fn scan_many(&self, space: Space, scans: &[Scan], at: Version) -> Result<Vec<Vec<(Bytes, Cell)>>> {
        // Rows of the store's own lie before those of meta.
        let newest = space != Space::Meta && (at >= self.version() || space.history().is_none());
        let order = if newest && scans.len() > 1 { disjoint(scans) } else { None };
        let Some(order) = order else {
            return scans.iter().map(|scan| self.scan(space, scan, at)?.collect()).collect();
        };
        self.check(at)?;
        let reverse = scans[order[0]].reverse;
        let last = &scans[order[order.len() - 1]].range;
        let mut walk = Walk {
            snapshot: self,
            space,
            reverse,
            edge: last,
            rows: None,
            waiting: None,
            finished: false,
            patience: SKIP_MAX,
        };
        let mut found: Vec<Vec<(Bytes, Cell)>> = vec![Vec::new(); scans.len()];
        for nth in order {
            walk.take(&scans[nth], &mut found[nth])?;
        }
        Ok(found)
    }
}

/// The order in which scans of one direction can be walked through: `None` when ranges overlap.
fn disjoint(scans: &[Scan]) -> Option<Vec<usize>> {
    let reverse = scans[0].reverse;
    let mut order: Vec<usize> = (0..scans.len()).filter(|nth| !scans[*nth].range.is_empty()).collect();
    order.sort_by(|one, other| scans[*one].range.start.cmp(&scans[*other].range.start));
    let apart = order.windows(2).all(|pair| scans[pair[0]].range.end <= scans[pair[1]].range.start);
    if order.is_empty() || !apart || scans.iter().any(|scan| scan.reverse != reverse) {
        return None;
    }
    if reverse {
        order.reverse();
    }
    Some(order)
}

/// One way through a table, from the first range to the last.
struct Walk<'a> {
    snapshot: &'a Snapshot,
    space: Space,
    reverse: bool,
    /// The range that comes last.
    edge: &'a KeyRange,
    rows: Option<Rows>,
    /// The row that was read last and belongs to no range so far; all before it have been passed.
    waiting: Option<(Bytes, Bytes)>,
    /// Nothing lies between here and the end of the last range.
    finished: bool,
    /// Rows that may be skipped to reach the next range.
    patience: usize,
}

impl Walk<'_> {
    fn take(&mut self, scan: &Scan, found: &mut Vec<(Bytes, Cell)>) -> Result<()> {
        let mut skipped = 0;
        while found.len() < scan.limit {
            let Some((key, row)) = self.next(&scan.range)? else { return Ok(()) };
            let (before, within) = match self.reverse {
                false => (*key < *scan.range.start, *key < *scan.range.end),
                true => (*key >= *scan.range.end, *key >= *scan.range.start),
            };
            if before {
                skipped += 1;
                if skipped > self.patience {
                    self.rows = None;
                    self.patience /= 2;
                }
            } else if within {
                if (1..=self.patience).contains(&skipped) {
                    self.patience = SKIP_MAX;
                }
                found.push((key, Cell::decode(&row)?));
            } else {
                self.waiting = Some((key, row));
                return Ok(());
            }
        }
        Ok(())
    }
    /// The next row; the first of `range` when there is no iterator.
    fn next(&mut self, range: &KeyRange) -> Result<Option<(Bytes, Bytes)>> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(waiting));
        }
        if self.finished {
            return Ok(None);
        }
        let (snapshot, table) = (self.snapshot, self.space.newest());
        let (start, end) = if self.reverse { (&self.edge.start, &range.end) } else { (&range.start, &self.edge.end) };
        let rows = self.rows.get_or_insert_with(|| snapshot.engine.tables.range(&snapshot.view, table, start, end));
        let row = if self.reverse { rows.next_back() } else { rows.next() }.transpose()?;
        self.finished = row.is_none();
        Ok(row)
    }
}
