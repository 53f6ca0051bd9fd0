//! Reads every row of a store, so that damage is found before somebody needs the row.
//!
//! Blocks of tables carry checksums, documents one of their own; everything that is read here passes both.

use super::cell::{Cell, split_history_key};
use super::fjall::{Bytes, Table};
use super::snapshot::Snapshot;
use crate::{Document, Result};

/// Descriptions of damage that are kept; more are only counted.
const EXAMPLES_MAX: usize = 20;

/// What reading everything showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// One for each table.
    pub tables: Vec<TableVerification>,
}

/// What reading one table showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableVerification {
    /// Its name: "doc", "hist", "idx", "hidx", "kv" or "meta".
    pub name: &'static str,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Rows and stretches of rows that could not be read or are not what was written.
    pub damaged: u64,
    /// What is wrong with the first of them.
    pub examples: Vec<String>,
}

impl Verification {
    /// True when everything is as it was written.
    pub fn is_whole(&self) -> bool {
        self.tables.iter().all(|table| table.damaged == 0)
    }
}

impl Snapshot {
    /// Reads every row of every table.
    pub fn verify(&self) -> Verification {
        Verification { tables: Table::ALL.iter().map(|table| self.verify_table(*table)).collect() }
    }
    fn verify_table(&self, table: Table) -> TableVerification {
        let mut report = TableVerification { name: table.name(), ..TableVerification::default() };
        let mut last: Option<Bytes> = None;
        for row in self.engine.tables.all(&self.view, table) {
            match row {
                Ok((key, value)) => {
                    report.take(table, &key, &value);
                    last = Some(key);
                }
                Err(error) => {
                    // No iterator goes on past a damaged block: read the rest from the other end.
                    report.damage(format!("rows after {}: {error}", describe(last.as_ref())));
                    self.verify_from_end(table, last.as_ref(), &mut report);
                    break;
                }
            }
        }
        report
    }
    fn verify_from_end(&self, table: Table, last: Option<&Bytes>, report: &mut TableVerification) {
        let mut rows = self.engine.tables.all(&self.view, table);
        let mut first: Option<Bytes> = None;
        while let Some(row) = rows.next_back() {
            match row {
                Ok((key, _)) if last.is_some_and(|last| *key <= **last) => return,
                Ok((key, value)) => {
                    report.take(table, &key, &value);
                    first = Some(key);
                }
                Err(error) => return report.damage(format!("rows before {}: {error}", describe(first.as_ref()))),
            }
        }
    }
}

impl TableVerification {
    fn take(&mut self, table: Table, key: &Bytes, value: &Bytes) {
        self.rows += 1;
        self.bytes += (key.len() + value.len()) as u64;
        if let Err(error) = verify_row(table, key, value) {
            self.damage(format!("row {}: {error}", describe(Some(key))));
        }
    }
    fn damage(&mut self, what: String) {
        self.damaged += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(what);
        }
    }
}

fn verify_row(table: Table, key: &Bytes, value: &Bytes) -> Result<()> {
    if table == Table::Meta && **key < *super::META_OWN_END {
        return Ok(());
    }
    let cell = Cell::decode(value)?;
    if table.holds_history() {
        split_history_key(key)?;
    }
    if matches!(table, Table::Document | Table::DocumentHistory) {
        Document::open(&cell.value)?;
    }
    Ok(())
}

fn describe(key: Option<&Bytes>) -> String {
    match key {
        Some(key) => key.iter().map(|byte| format!("{byte:02x}")).collect(),
        None => "the start or the end of the table".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{applied, files, open};
    use crate::disk::scratch;
    use crate::engine::Scan;
    use crate::{KeyRange, Space};
    use std::path::PathBuf;

    #[test]
    fn a_whole_store_is_whole_and_damaged_tables_are_told() {
        let dir = scratch();
        let store = open(dir.path());
        applied(&store, 5, 200);
        store.persist().unwrap();
        store.maintain().unwrap();
        let whole = store.snapshot().verify();
        assert!(whole.is_whole(), "{whole:?}");
        assert!(whole.tables.iter().all(|table| table.rows > 0), "{whole:?}");
        drop(store);
        let mut tables: Vec<PathBuf> = Vec::new();
        files(dir.path(), &mut tables);
        tables.retain(|path| path.parent().is_some_and(|parent| parent.ends_with("tables")));
        assert!(tables.len() >= 4, "{tables:?}");
        let mut found = 0;
        for path in &tables {
            let bytes = std::fs::read(path).unwrap();
            let mut damaged = bytes.clone();
            damaged[40] ^= 1;
            std::fs::write(path, &damaged).unwrap();
            // Damage is either met while opening or told by reading everything.
            match crate::Store::open(&dir.path().join("store"), super::super::tests::options()) {
                Ok(store) => {
                    let range = KeyRange { start: [].into(), end: [255].into() };
                    let all = Scan { range, reverse: false, limit: usize::MAX };
                    let version = store.position().version;
                    let keys = store.snapshot().visit_keys(Space::Index, &all, version, &mut |_| {});
                    assert_eq!(store.damage().is_some(), keys.is_err(), "so does reading nothing but keys");
                    let is_whole = store.snapshot().verify().is_whole();
                    assert_eq!(store.damage().is_some(), !is_whole, "what one read finds all know");
                    found += u32::from(!is_whole);
                }
                Err(error) => {
                    assert!(matches!(error, crate::Error::Corrupt { .. }), "{error}");
                    found += 1;
                }
            }
            std::fs::write(path, &bytes).unwrap();
        }
        assert_eq!(found as usize, tables.len());
        assert_eq!(open(dir.path()).snapshot().verify(), whole);
    }
}
