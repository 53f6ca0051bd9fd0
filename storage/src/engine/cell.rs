//! The bytes of cells and of history rows.
//!
//! Newest: `key -> [version][value]`. History: `escaped key, 0x00 0x00, [end version] -> [start version][value]`, a
//! row for the versions from start up to, not including, end. History keys sort as (key, end) do.

use super::fjall::Bytes;
use crate::{Error, KeyRange, Result, Version};
use std::path::PathBuf;

const VERSION: usize = 8;

/// A value and the version that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The commit that wrote it.
    pub version: Version,
    /// What was written. Shares memory with the store: cheap to clone.
    pub value: Bytes,
}

impl Cell {
    /// Reads a row of a table.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is shorter than its version.
    pub(super) fn decode(row: &Bytes) -> Result<Cell> {
        let version = row.first_chunk::<VERSION>().ok_or_else(|| corrupt("cell", "shorter than its version"))?;
        Ok(Cell { version: Version(u64::from_be_bytes(*version)), value: row.skip(VERSION) })
    }
}

/// A row of a table.
pub(super) fn encode(version: Version, value: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(VERSION + value.len());
    row.extend_from_slice(&version.0.to_be_bytes());
    row.extend_from_slice(value);
    row
}

/// The key of the history row that ended at `end`.
///
/// A zero byte is written as 0x00 0xFF and the key is closed by 0x00 0x00. Where one key is a prefix of another, the
/// shorter goes on with 0x00 0x00 and the longer with 0x00 0xFF or a greater byte: so keys keep their order, whatever
/// their lengths, and all rows of one key stand together, in the order of their ends.
pub(super) fn history_key(key: &[u8], end: Version) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 16);
    escape(key, &mut out);
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&end.0.to_be_bytes());
    out
}

fn escape(key: &[u8], out: &mut Vec<u8>) {
    for byte in key {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xFF);
        }
    }
}

/// The end version of a history row.
pub(super) fn history_end(row: &[u8]) -> Option<Version> {
    row.last_chunk::<VERSION>().map(|end| Version(u64::from_be_bytes(*end)))
}

/// The key and the end version of a history row.
///
/// # Errors
/// [`Error::Corrupt`] when it was not made by [`history_key`].
pub(super) fn split_history_key(row: &[u8]) -> Result<(Vec<u8>, Version)> {
    let malformed = || corrupt("history row", "its key is malformed");
    let end = history_end(row).ok_or_else(malformed)?;
    let escaped = row[..row.len() - VERSION].strip_suffix(&[0, 0]).ok_or_else(malformed)?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        if *byte == 0 && bytes.next() != Some(&0xFF) {
            return Err(malformed());
        }
        key.push(*byte);
    }
    Ok((key, end))
}

/// The history rows of all keys of a range. No row of a key outside lies between, because the escaped start and end,
/// not closed, sort before every row of their own key and after every row of a smaller one.
pub(super) fn history_range(range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
    let (mut start, mut end) = (Vec::new(), Vec::new());
    escape(&range.start, &mut start);
    escape(&range.end, &mut end);
    (start, end)
}

fn corrupt(what: &'static str, detail: &str) -> Error {
    Error::Corrupt { what, path: PathBuf::from("store"), detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, 7, 0xFE, 0xFF]), 0..6)
    }

    fn covered(range: &(Vec<u8>, Vec<u8>), row: &Vec<u8>) -> bool {
        range.0 <= *row && *row < range.1
    }

    proptest! {
        #[test]
        fn history_keys_sort_as_key_and_end_and_come_apart(
            (one, other) in (key(), key()),
            (end, other_end) in (any::<u64>(), any::<u64>()),
        ) {
            let row = history_key(&one, Version(end));
            let other_row = history_key(&other, Version(other_end));
            prop_assert_eq!((&one, end).cmp(&(&other, other_end)), row.cmp(&other_row));
            prop_assert_eq!(split_history_key(&row).unwrap(), (one, Version(end)));
        }

        #[test]
        fn a_history_range_holds_the_rows_of_its_keys_and_no_others(
            (start, end, key) in (key(), key(), key()),
            version in prop::sample::select(vec![0, 1, 0xFF00, u64::MAX]),
        ) {
            let range = KeyRange { start: start.into(), end: end.into() };
            let row = history_key(&key, Version(version));
            prop_assert_eq!(covered(&history_range(&range), &row), range.covers(&key));
        }

        #[test]
        fn malformed_rows_are_errors(row in prop::collection::vec(any::<u8>(), 0..24)) {
            if let Ok((key, end)) = split_history_key(&row) {
                prop_assert_eq!(history_key(&key, end), row);
            }
        }
    }

    #[test]
    fn the_bytes_of_rows_are_on_record() {
        assert_eq!(encode(Version(0x0102), b"abc"), b"\0\0\0\0\0\0\x01\x02abc");
        assert_eq!(history_key(b"a\0b", Version(3)), b"a\0\xFFb\0\0\0\0\0\0\0\0\0\x03");
        let cell = Cell::decode(&Bytes::from(&b"\0\0\0\0\0\0\x01\x02abc"[..])).unwrap();
        assert_eq!((cell.version, &*cell.value), (Version(0x0102), &b"abc"[..]));
        assert!(Cell::decode(&Bytes::from(&b"1234567"[..])).is_err());
    }
}
