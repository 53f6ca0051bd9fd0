//! Sorted parts of one list, merged by the bytes that all of them sort by: of a family's members, of several values
//! of an index, of several indexes.

use super::connection::{Page, Pages};
use crate::filter::Record;
use crate::plan::paging::Paging;
use crate::plan::tree::Needs;
use vivarium_storage::DocumentId;
use vivarium_storage::runtime::{mutant, sometimes};

/// The bytes of an id, which end each sort key.
const ID_BYTES: usize = size_of::<DocumentId>();

/// A page of merged parts.
pub(super) struct Merged {
    /// The page's records: the sort key of each, and which part it is of.
    pub(super) rows: Vec<(Vec<u8>, usize, Record)>,
    pub(super) page: Page,
}

/// What each part has to give, for a page of all.
pub(super) fn part_of(paging: &Paging) -> Paging {
    // Whether there is more behind the page is told by one record more.
    Paging { count: paging.offset.saturating_add(paging.count).saturating_add(1), offset: 0, ..paging.clone() }
}

/// What has to be known of each part.
pub(super) fn needs_of(needs: Needs) -> Needs {
    // All that is merged is needed with its key.
    let reads = needs.records || needs.next || needs.previous;
    Needs { records: reads, cursors: reads, ..needs }
}

/// Merges pages of all parts. `distinct`: they are parts of one collection, and a record of several counts once.
pub(super) fn merge(parts: Vec<Pages>, distinct: bool, (backward, offset, count): (bool, usize, usize)) -> Merged {
    let mut rows: Vec<(Vec<u8>, usize, Record)> = Vec::new();
    let mut page = Page::default();
    for (member, part) in parts.into_iter().enumerate() {
        let of = part.pages.first().copied().unwrap_or_default();
        page.total += of.total;
        page.next |= of.next;
        page.previous |= of.previous;
        let records = part.keys.into_iter().zip(part.records);
        rows.extend(records.map(|(key, record)| (key, member, record)));
    }
    // A planted bug: equal records of a family follow each other by collection, though cursors tell them apart by their ids.
    let ignored = if !distinct && mutant("family-01") { ID_BYTES } else { 0 };
    rows.sort_by(|(one, one_member, _), (other, other_member, _)| {
        let (one, other) = (&one[..one.len() - ignored], &other[..other.len() - ignored]);
        (one, one_member).cmp(&(other, other_member))
    });
    if distinct {
        rows.dedup_by(|(one, ..), (other, ..)| one == other);
    }
    let skipped = offset.min(rows.len());
    let shown = if backward {
        let end = rows.len() - skipped;
        end - count.min(end)..end
    } else {
        skipped..rows.len().min(skipped + count)
    };
    page.previous |= shown.start > 0;
    page.next |= shown.end < rows.len();
    page.count = shown.len();
    if let Some([(last, one, _), (next, other, _)]) = rows.get(shown.end.saturating_sub(1)..=shown.end)
        && !distinct
        && one != other
        && last[..last.len() - ID_BYTES] == next[..next.len() - ID_BYTES]
    {
        sometimes("a page of a family ends between equal records of two collections");
    }
    rows.truncate(shown.end);
    rows.drain(..shown.start);
    Merged { rows, page }
}
