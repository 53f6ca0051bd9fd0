//! A view of the store at one position, and of every version before it that is still kept.

use super::cache::DocumentCache;
use super::cell::{Cell, history_end, history_key, history_range, split_history_key};
use super::fjall::{Bytes, Rows, Table, Tables, View};
use super::{META_OWN_END, Position, Scan, Space};
use crate::{DatabaseId, Document, Error, Key, KeyRange, Result, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What snapshots and the applier share.
pub(super) struct Engine {
    pub tables: Tables,
    pub documents: DocumentCache,
    /// Last, so that it goes when the tables are closed: see [`super::Store::closed`].
    pub life: watch::Sender<()>,
}

/// The rows of a scan: keys and cells, read as it goes.
pub type ScanRows<'a> = Box<dyn Iterator<Item = Result<(Bytes, Cell)>> + Send + 'a>;

/// A view of the store at one version. Reads never block writes.
pub struct Snapshot {
    pub(super) engine: Arc<Engine>,
    pub(super) view: View,
    pub(super) position: Position,
    pub(super) watermark: Version,
    pub(super) catalogs: Arc<BTreeMap<DatabaseId, Version>>,
    /// The number of the apply that published it.
    pub(super) apply: u64,
}

impl Snapshot {
    /// The newest commit that it sees.
    pub fn version(&self) -> Version {
        self.position.version
    }
    /// The place in the log that it is at.
    pub fn position(&self) -> Position {
        self.position
    }
    /// The commit that last changed the catalog of `database` (cell [`super::catalog_key`]), as of this snapshot.
    pub fn catalog_version(&self, database: DatabaseId) -> Version {
        self.catalogs.get(&database).copied().unwrap_or_default()
    }
    /// The oldest version that can be read.
    pub fn watermark(&self) -> Version {
        self.watermark
    }
    /// The cells of `keys` as of version `at`, in the order of `keys`. Spaces without history answer with their
    /// newest cells. Documents have passed [`Document::open`].
    ///
    /// # Errors
    /// [`Error::HistoryGone`] when `at` is below the watermark; [`Error::Corrupt`].
    pub fn get_many(&self, space: Space, keys: &[Key], at: Version) -> Result<Vec<Option<Cell>>> {
        self.check(at)?;
        keys.iter().map(|key| self.get(space, key, at)).collect()
    }
    /// Rows of a range as of version `at`, in key order (or reversed). The iterator reads as it goes.
    ///
    /// # Errors
    /// As [`Snapshot::get_many`], on opening or from any item.
    pub fn scan<'a>(&'a self, space: Space, scan: &Scan, at: Version) -> Result<ScanRows<'a>> {
        self.check(at)?;
        let mut range = scan.range.clone();
        if space == Space::Meta && *range.start < *META_OWN_END {
            range.start = META_OWN_END.into();
        }
        if range.is_empty() || scan.limit == 0 {
            return Ok(Box::new(std::iter::empty()));
        }
        let newest = self.newest_rows(space, &range, scan.reverse);
        match space.history().filter(|_| at < self.version()) {
            None => Ok(Box::new(newest.take(scan.limit))),
            Some(table) => {
                let newest = newest.filter(move |row| row.as_ref().map_or(true, |(_, cell)| cell.version <= at));
                let (start, end) = history_range(&range);
                let rows = self.engine.tables.range(&self.view, table, &start, &end);
                let earlier = Earlier { rows: Directed { rows, reverse: scan.reverse }, at };
                let merged = Merged { newest: newest.peekable(), earlier: earlier.peekable(), reverse: scan.reverse };
                Ok(Box::new(merged.take(scan.limit)))
            }
        }
    }
    /// Calls `visit` with the key of each row of a scan as of version `at`, in its order. Gives the last one when the
    /// scan ended at its limit. Several times as fast as a scan where values say nothing.
    ///
    /// # Errors
    /// As [`Snapshot::get_many`].
    pub fn visit_keys(
        &self,
        space: Space,
        scan: &Scan,
        at: Version,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Bytes>> {
        let newest = space != Space::Meta && (at >= self.version() || space.history().is_none());
        let mut visited = 0;
        if !newest || scan.reverse || scan.range.is_empty() {
            let mut last = None;
            for row in self.scan(space, scan, at)? {
                let (key, _) = row?;
                visit(&key);
                visited += 1;
                last = Some(key);
            }
            return Ok(last.filter(|_| visited == scan.limit));
        }
        self.check(at)?;
        let mut rows = self.engine.tables.range(&self.view, space.newest(), &scan.range.start, &scan.range.end);
        while visited < scan.limit {
            let Some(key) = rows.next_key().transpose()? else { return Ok(None) };
            visit(&key);
            visited += 1;
            if visited == scan.limit {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
    pub(super) fn check(&self, at: Version) -> Result<()> {
        if at < self.watermark {
            return Err(Error::HistoryGone { version: at, watermark: self.watermark });
        }
        Ok(())
    }
    fn get(&self, space: Space, key: &[u8], at: Version) -> Result<Option<Cell>> {
        let newest = match space {
            Space::Document => self.newest_document(key, at)?,
            Space::Meta | Space::Index | Space::KeyValue => self.newest(space.newest(), key)?,
        };
        match (newest, space.history()) {
            (Some(cell), Some(_)) if cell.version <= at => Ok(Some(cell)),
            (_, Some(table)) if at < self.version() => self.earlier(table, key, at),
            (newest, _) => Ok(newest),
        }
    }
    fn newest(&self, table: Table, key: &[u8]) -> Result<Option<Cell>> {
        self.engine.tables.get(&self.view, table, key)?.map(|row| Cell::decode(&row)).transpose()
    }
    fn newest_document(&self, key: &[u8], at: Version) -> Result<Option<Cell>> {
        // A cell of a later version is of no use here: this snapshot's own is in the tables.
        if let Some(cell) = self.engine.documents.get(key).filter(|cell| cell.version <= at) {
            return Ok(Some(cell));
        }
        let cell = self.newest(Table::Document, key)?;
        if let Some(cell) = &cell {
            Document::open(&cell.value)?;
            self.engine.documents.add(key, cell, self.apply);
        }
        Ok(cell)
    }
    /// The newest cell, for an apply that overwrites it. Leaves no trace in the cache: nobody asked for the document.
    pub(super) fn newest_for_apply(&self, space: Space, key: &[u8]) -> Result<Option<Cell>> {
        let cached = if space == Space::Document { self.engine.documents.peek(key) } else { None };
        match cached {
            Some(cell) => Ok(Some(cell)),
            None => self.newest(space.newest(), key),
        }
    }
    /// The cell of `key` as of `at`, which is no longer the newest: the first one that ended after `at`.
    fn earlier(&self, table: Table, key: &[u8], at: Version) -> Result<Option<Cell>> {
        let start = history_key(key, Version(at.0.saturating_add(1)));
        let mut end = history_key(key, Version(u64::MAX));
        end.push(0);
        let Some(row) = self.engine.tables.range(&self.view, table, &start, &end).next() else { return Ok(None) };
        let cell = Cell::decode(&row?.1)?;
        if table == Table::DocumentHistory {
            Document::open(&cell.value)?;
        }
        Ok((cell.version <= at).then_some(cell))
    }
    fn newest_rows(&self, space: Space, range: &KeyRange, reverse: bool) -> NewestRows {
        let rows = self.engine.tables.range(&self.view, space.newest(), &range.start, &range.end);
        NewestRows { rows: Directed { rows, reverse } }
    }
}

/// Rows from the start forwards or from the end backwards.
struct Directed {
    rows: Rows,
    reverse: bool,
}

impl Iterator for Directed {
    type Item = Result<(Bytes, Bytes)>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.reverse { self.rows.next_back() } else { self.rows.next() }
    }
}

/// The newest cells of a range.
struct NewestRows {
    rows: Directed,
}

impl Iterator for NewestRows {
    type Item = Result<(Bytes, Cell)>;
    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(row.and_then(|(key, row)| Ok((key, Cell::decode(&row)?))))
    }
}

/// The cells of a range as of one version that are no longer the newest of their keys. The intervals of one key do
/// not overlap, so that at most one of its rows is visible.
struct Earlier {
    rows: Directed,
    at: Version,
}

impl Earlier {
    fn visible(&self, (key, row): (Bytes, Bytes)) -> Result<Option<(Bytes, Cell)>> {
        if history_end(&key).is_some_and(|end| end <= self.at) {
            return Ok(None);
        }
        let cell = Cell::decode(&row)?;
        if cell.version > self.at {
            return Ok(None);
        }
        let (key, _) = split_history_key(&key)?;
        Ok(Some((Bytes::from(&key[..]), cell)))
    }
}

impl Iterator for Earlier {
    type Item = Result<(Bytes, Cell)>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = self.rows.next()?;
            if let Some(visible) = row.and_then(|row| self.visible(row)).transpose() {
                return Some(visible);
            }
        }
    }
}

/// Two sorted streams without a common key as one.
struct Merged<A: Iterator, B: Iterator> {
    newest: std::iter::Peekable<A>,
    earlier: std::iter::Peekable<B>,
    reverse: bool,
}

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = Result<(Bytes, Cell)>>,
    B: Iterator<Item = Result<(Bytes, Cell)>>,
{
    type Item = Result<(Bytes, Cell)>;
    fn next(&mut self) -> Option<Self::Item> {
        let newest_first = match (self.newest.peek(), self.earlier.peek()) {
            (Some(Ok((newest, _))), Some(Ok((earlier, _)))) => (**newest < **earlier) != self.reverse,
            (Some(Err(_)), _) | (_, None) => true,
            (_, Some(_)) => false,
        };
        if newest_first { self.newest.next() } else { self.earlier.next() }
    }
}
