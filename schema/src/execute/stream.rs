//! Ranges of an index or a collection, read piece by piece in one direction.

use super::Reader;
use crate::filter::Record;
use crate::plan::access::{Access, Bound, Choice, Element};
use crate::plan::ranges::spans;
use crate::{Abort, fetch};
use vivarium_storage::engine::{Bytes, Scan};
use vivarium_storage::key::{self, successor};
use vivarium_storage::{Cell, CollectionId, DatabaseId, DocumentId, KeyRange, Space, Value};

/// Entries that are counted at once.
const ENTRIES: usize = 10_000;

/// One range, read from one end.
pub(super) struct Stream {
    space: Space,
    range: KeyRange,
    reverse: bool,
    ended: bool,
}

/// What a stream gives.
pub(super) type Row = (Bytes, Cell);

impl Stream {
    pub(super) fn new(space: Space, range: KeyRange, reverse: bool) -> Stream {
        let ended = range.is_empty();
        Stream { space, range, reverse, ended }
    }

    /// What a scan has left behind its last row.
    pub(super) fn behind(space: Space, scan: &Scan, last: &[u8]) -> Stream {
        let mut stream = Stream::new(space, scan.range.clone(), scan.reverse);
        stream.pass(last);
        stream
    }

    /// The next rows, at most `limit`; none at the end.
    pub(super) async fn next(&mut self, reader: &mut Reader<'_>, limit: usize) -> Result<Vec<Row>, Abort> {
        if self.ended || limit == 0 {
            return Ok(Vec::new());
        }
        reader.check_deadline()?;
        let scan = Scan { range: self.range.clone(), reverse: self.reverse, limit };
        let mut found = reader.transaction.scan_many(self.space, &[scan]).await?;
        let rows = found.pop().unwrap_or_default();
        self.ended = rows.len() < limit;
        if let Some((last, _)) = rows.last() {
            self.pass(last);
        }
        Ok(rows)
    }

    fn pass(&mut self, key: &[u8]) {
        if self.reverse {
            self.range.end = key.into();
        } else {
            self.range.start = successor(key);
        }
    }

    /// Passes rows, and says how many there were.
    pub(super) async fn skip(&mut self, reader: &mut Reader<'_>, count: usize) -> Result<usize, Abort> {
        let mut passed = 0;
        while passed < count && !self.ended {
            passed += self.next(reader, (count - passed).min(ENTRIES)).await?.len();
        }
        Ok(passed)
    }

    /// How many rows are left.
    pub(super) async fn count(&mut self, reader: &mut Reader<'_>) -> Result<u64, Abort> {
        Ok(self.skip(reader, usize::MAX).await? as u64)
    }

    /// Rows as records: those of a collection are there already, entries of an index lead to them.
    pub(super) async fn records(
        &self,
        reader: &mut Reader<'_>,
        collection: CollectionId,
        rows: Vec<Row>,
    ) -> Result<Vec<Record>, Abort> {
        if self.space == Space::Document {
            let declared = reader.catalog.collection(collection).expect("a plan is used with its own catalog");
            let record = |(key, cell): Row| fetch::record(declared, key::document_id(&key)?, Some(cell));
            return Ok(rows
                .into_iter()
                .map(record)
                .collect::<Result<Vec<_>, Abort>>()?
                .into_iter()
                .flatten()
                .collect());
        }
        let ids = rows.iter().map(|(key, cell)| fetch::entry_id(key, cell)).collect::<Result<Vec<_>, Abort>>()?;
        reader.records(collection, &ids).await
    }
}

/// The one range of an access whose rows come in order, and what all its keys begin with.
pub(super) struct Ordered {
    pub(super) space: Space,
    pub(super) prefix: Vec<u8>,
    pub(super) range: KeyRange,
    pub(super) reverse: bool,
    /// Something in the prefix is null, so that unique entries have ids in their keys.
    pub(super) null: bool,
}

impl Ordered {
    /// `elements` are those of the access, resolved. `None` when nothing can be there.
    pub(super) fn of(
        database: DatabaseId,
        choice: &Choice,
        elements: &[Element],
        parent: Option<DocumentId>,
    ) -> Option<Ordered> {
        match &choice.access {
            Access::Documents { reverse } => {
                let range = key::documents(database, choice.collection);
                Some(Ordered { space: Space::Document, prefix: Vec::new(), range, reverse: *reverse, null: false })
            }
            Access::Links { index, reverse } => {
                let parent = parent.expect("nested connections have parents");
                let prefix = fetch::under(database, *index, key::Direction::Ascending, parent);
                let range = KeyRange::prefix(&prefix);
                Some(Ordered { space: Space::Index, prefix, range, reverse: *reverse, null: false })
            }
            Access::Index { index, reverse, .. } => {
                let bounded = |element: &Element| matches!(element.bound, Bound::Range { .. } | Bound::Prefix(_));
                let fixed = elements.iter().position(bounded).unwrap_or(elements.len());
                let prefix = spans(key::index(database, *index), &elements[..fixed], parent).pop()?.start.into_vec();
                let range = spans(prefix.clone(), &elements[fixed..], parent).pop()?;
                let is_null =
                    |element: &Element| matches!(&element.bound, Bound::Values(all) if all.contains(&Value::Null));
                let null = elements[..fixed].iter().any(is_null);
                Some(Ordered { space: Space::Index, prefix, range, reverse: *reverse, null })
            }
            Access::Ids(_) | Access::Back { .. } | Access::Intersection(_) | Access::Union { .. } => {
                unreachable!("these come in no order, or in several streams")
            }
        }
    }
}
