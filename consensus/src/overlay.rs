//! Writes that are not in the store yet, over what is: of a transaction, or of entries that are being applied.
//!
//! A read through it sees what it would see if the writes had been made.

use crate::footprint::{SPACES, nth};
use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;
use vivarium_storage::engine::{Bytes, Scan};
use vivarium_storage::{Cell, Key, KeyRange, Space};

/// Writes by space and key; `None` removes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    spaces: [BTreeMap<Key, Option<Vec<u8>>>; SPACES],
    bytes: usize,
}

type Rows<'a> = btree_map::Range<'a, Key, Option<Vec<u8>>>;

impl Overlay {
    /// Writes, over an earlier write of the same key.
    pub fn write(&mut self, space: Space, key: Key, value: Option<Vec<u8>>) {
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        self.bytes += key.len() + size(&value);
        let key_bytes = key.len();
        if let Some(earlier) = self.spaces[nth(space)].insert(key, value) {
            self.bytes -= key_bytes + size(&earlier);
        }
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True when there is no write.
    pub fn is_empty(&self) -> bool {
        self.spaces.iter().all(BTreeMap::is_empty)
    }

    /// True when a space has no write.
    pub fn is_untouched(&self, space: Space) -> bool {
        self.spaces[nth(space)].is_empty()
    }

    /// What was written under a key; `Some(None)` when it was removed.
    pub fn get(&self, space: Space, key: &[u8]) -> Option<Option<&[u8]>> {
        self.spaces[nth(space)].get(key).map(Option::as_deref)
    }

    /// All writes, by space and key.
    pub fn iter(&self) -> impl Iterator<Item = (Space, &Key, Option<&[u8]>)> {
        let spaces = [Space::Meta, Space::Document, Space::Index, Space::KeyValue];
        let all = spaces.into_iter().zip(&self.spaces);
        all.flat_map(|(space, writes)| writes.iter().map(move |(key, value)| (space, key, value.as_deref())))
    }

    /// The keys of all writes, by space and key.
    pub fn into_keys(self) -> Vec<(Space, Key)> {
        let spaces = [Space::Meta, Space::Document, Space::Index, Space::KeyValue];
        let all = spaces.into_iter().zip(self.spaces);
        all.flat_map(|(space, writes)| writes.into_keys().map(move |key| (space, key))).collect()
    }

    /// The scan of the store that finds enough rows for `scan`: every write may hide one.
    pub fn widened(&self, space: Space, scan: &Scan) -> Scan {
        let hidden = self.range(space, &scan.range).count();
        Scan { limit: scan.limit.saturating_add(hidden), ..scan.clone() }
    }

    /// The rows of the store with the writes over them. `rows` come in the order of the scan.
    pub fn merge<'a, E, I>(&'a self, space: Space, scan: &Scan, rows: I) -> Merge<'a, I>
    where
        I: Iterator<Item = Result<(Bytes, Cell), E>>,
    {
        Merge { written: self.range(space, &scan.range), rows: rows.peekable(), reverse: scan.reverse, next: None }
    }

    fn range(&self, space: Space, range: &KeyRange) -> Rows<'_> {
        let writes = &self.spaces[nth(space)];
        // A range that ends before it starts is empty to us and a panic to the map.
        let end = range.end.as_ref().max(&*range.start);
        writes.range::<[u8], _>((Bound::Included(&*range.start), Bound::Excluded(end)))
    }
}

/// Two sorted sequences in one; a write wins over the row of the same key.
pub(crate) struct Merge<'a, I: Iterator> {
    written: Rows<'a>,
    rows: Peekable<I>,
    reverse: bool,
    next: Option<(&'a Key, &'a Option<Vec<u8>>)>,
}

impl<E, I: Iterator<Item = Result<(Bytes, Cell), E>>> Iterator for Merge<'_, I> {
    type Item = Result<(Bytes, Cell), E>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.next.is_none() {
                self.next = if self.reverse { self.written.next_back() } else { self.written.next() };
            }
            let Some((key, value)) = self.next else { return self.rows.next() };
            let order = match self.rows.peek() {
                None => Ordering::Less,
                Some(Err(_)) => return self.rows.next(),
                Some(Ok((row, _))) if self.reverse => (**row).cmp(&**key),
                Some(Ok((row, _))) => (**key).cmp(&**row),
            };
            if order == Ordering::Greater {
                return self.rows.next();
            }
            if order == Ordering::Equal {
                self.rows.next();
            }
            self.next = None;
            if let Some(value) = value {
                return Some(Ok((Bytes::from(&**key), own(value))));
            }
        }
    }
}

/// A cell that is written and not committed.
pub(crate) fn own(value: &[u8]) -> Cell {
    Cell { version: crate::Transaction::OWN, value: Bytes::from(value) }
}
