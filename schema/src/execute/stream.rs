//! Ranges of an index or a collection, read piece by piece in one direction.

use super::Reader;
use super::reader::BATCH;
use crate::filter::Record;
use crate::plan::access::{Access, BackRelation, Bound, Choice, Element};
use crate::{Abort, fetch};
use std::collections::BTreeSet;
use vivarium_storage::engine::{Bytes, Scan};
use vivarium_storage::key;
use vivarium_storage::{Cell, CollectionId, DatabaseId, DocumentId, Key, KeyRange, Space, Value, ValueRef};

/// Entries that are counted or collected at once.
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

/// The first key behind `key`.
pub(super) fn successor(key: &[u8]) -> Key {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into_boxed_slice()
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
                let rows = stream.next(self, BATCH).await?;
                if rows.is_empty() {
                    return Ok(ids);
                }
                let records = stream.records(self, choice.collection, rows).await?;
                let records = self.matching(filter.as_ref(), records).await?;
                ids.extend(records.iter().map(|record| record.id));
            }
        }
        let ids = self.reached(choice, usize::MAX).await?.unwrap_or_default();
        let Some(filter) = &choice.residual else { return Ok(ids) };
        let mut matching = Vec::new();
        for ids in ids.chunks(BATCH) {
            self.check_deadline()?;
            let records = self.records(choice.collection, ids).await?;
            let records = self.matching(Some(filter), records).await?;
            matching.extend(records.iter().map(|record| record.id));
        }
        Ok(matching)
    }

    /// The ids that an access leads to, before any filter, ascending and each once. `None` when there are more
    /// than `most`.
    pub(super) async fn reached(&mut self, choice: &Choice, most: usize) -> Result<Option<Vec<DocumentId>>, Abort> {
        let mut ids = match &choice.access {
            Access::Ids(ids) => return Ok(Some(ids.clone())),
            Access::Index { index, unique, elements, rest, .. } => {
                let elements = self.resolved(elements).await?;
                let prefix = key::index(self.database, *index);
                if *unique && rest.is_empty() {
                    self.points_and_ranges(spans(prefix, &elements, None), &elements, most).await?
                } else {
                    self.entries(spans(prefix, &elements, None), most).await?
                }
            }
            Access::Back { relation, from } => {
                let selected = Box::pin(self.select(from)).await?;
                self.back(*relation, from.collection, &selected).await?
            }
            Access::Documents { .. } | Access::Links { .. } => {
                unreachable!("collections are streamed, links belong to a parent")
            }
        };
        if ids.len() > most {
            return Ok(None);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Some(ids))
    }

    async fn points_and_ranges(
        &mut self,
        spans: Vec<KeyRange>,
        elements: &[Element],
        most: usize,
    ) -> Result<Vec<DocumentId>, Abort> {
        let has_null = |element: &Element| match &element.bound {
            Bound::Values(values) => values.iter().any(Value::is_null),
            Bound::Range { .. } | Bound::Prefix(_) => true,
            Bound::Parent | Bound::Selected(_) => false,
        };
        if elements.iter().any(has_null) {
            return self.entries(spans, most).await;
        }
        // Each range holds the one key that it begins with.
        let keys: Vec<Key> = spans.into_iter().map(|range| range.start).collect();
        Ok(fetch::unique(self.transaction, &keys).await?.into_iter().flatten().collect())
    }

    /// The ids that all entries in the ranges lead to; no further than to know that there are more than `most`.
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

/// The ranges that an index's elements allow, ascending.
pub(super) fn spans(prefix: Vec<u8>, elements: &[Element], parent: Option<DocumentId>) -> Vec<KeyRange> {
    let mut prefixes = vec![prefix];
    for element in elements {
        let direction = element.direction;
        match &element.bound {
            Bound::Values(values) => {
                let extended = |prefix: &Vec<u8>| {
                    let one = |value: &Value| {
                        let mut key = prefix.clone();
                        key::encode_value(value, direction, &mut key);
                        key
                    };
                    values.iter().map(one).collect::<Vec<_>>()
                };
                prefixes = prefixes.iter().flat_map(extended).collect();
            }
            Bound::Parent => {
                let parent = parent.expect("nested connections have parents");
                prefixes.iter_mut().for_each(|key| key::encode(ValueRef::Uuid(parent), direction, key));
            }
            Bound::Range { .. } | Bound::Prefix(_) => {
                let mut ranges: Vec<KeyRange> = prefixes.iter().map(|prefix| bounded(prefix, element)).collect();
                ranges.retain(|range| !range.is_empty());
                ranges.sort_by(|one, other| one.start.cmp(&other.start));
                return ranges;
            }
            Bound::Selected(_) => unreachable!("selections are resolved before"),
        }
    }
    let mut ranges: Vec<KeyRange> = prefixes.iter().map(|prefix| KeyRange::prefix(prefix)).collect();
    ranges.sort_by(|one, other| one.start.cmp(&other.start));
    ranges
}

fn bounded(prefix: &[u8], element: &Element) -> KeyRange {
    let encoded = |value: &Value| {
        let mut key = prefix.to_vec();
        key::encode_value(value, element.direction, &mut key);
        key
    };
    let from = |value: &Value| KeyRange::prefix(&encoded(value)).start;
    let past = |value: &Value| KeyRange::prefix(&encoded(value)).end;
    let all = KeyRange::prefix(prefix);
    let ascending = element.direction == key::Direction::Ascending;
    match &element.bound {
        Bound::Range { lower, upper } => {
            let after_null = past(&Value::Null);
            let before_null = from(&Value::Null);
            let (low, high) = if ascending { (lower, upper) } else { (upper, lower) };
            let start = match low {
                Some((value, true)) => from(value),
                Some((value, false)) => past(value),
                None if ascending => after_null,
                None => all.start,
            };
            let end = match high {
                Some((value, true)) => past(value),
                Some((value, false)) => from(value),
                None if ascending => all.end,
                None => before_null,
            };
            KeyRange { start, end }
        }
        Bound::Prefix(text) => {
            // The encoding of a string without its end is what all that begin so have in common.
            let whole = encoded(&Value::String(text.clone()));
            let end = encoded(&Value::String(String::new())).len() - prefix.len() - 1;
            KeyRange::prefix(&whole[..whole.len() - end])
        }
        _ => unreachable!("only ranges and prefixes are bounded"),
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
            Access::Ids(_) | Access::Back { .. } => unreachable!("these come in no order"),
        }
    }
}
