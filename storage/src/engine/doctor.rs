//! Makes fjall's journal fit to be opened after a power failure. The log replays whatever is cut off.
//!
//! fjall syncs its journal only now and then, so a crash may leave its newest batches torn or out of order. It would
//! refuse to open some of these, and lose the rest silently.

use crate::disk::{io, sync_parent};
use crate::runtime::sometimes;
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read at once. Preallocated space behind the last batch is all zeros: one such chunk ends it.
const CHUNK: usize = 1 << 20;
const TRAILER: &[u8; 4] = b"FJL\x03";

/// What the journals hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Journal {
    /// fjall's number of the last batch that is whole.
    pub last_sequence: Option<u64>,
    /// Bytes that were cut off the newest journal.
    pub cut_bytes: u64,
}

/// Cuts the newest journal in `dir` after its last whole batch in unbroken order, and writes what is left anew.
///
/// # Errors
/// [`Error::Corrupt`] when an older journal, which was synced whole, is damaged.
pub(super) fn repair(dir: &Path) -> Result<Journal> {
    let journals = journals(dir)?;
    let mut report = Journal::default();
    for (nth, path) in journals.iter().enumerate() {
        let bytes = read_data(path)?;
        let found = scan(&bytes);
        report.last_sequence = found.last_sequence.or(report.last_sequence);
        let newest = nth + 1 == journals.len();
        if newest && found.data_end > 0 {
            renew(path, &bytes, &found)?;
        }
        if found.end == found.data_end {
            continue;
        }
        if !newest {
            let detail = format!("the batch at offset {} fails its checksum", found.end);
            return Err(Error::Corrupt { what: "journal", path: path.clone(), detail });
        }
        report.cut_bytes = (found.data_end - found.end) as u64;
        sometimes("a torn end of a journal is cut");
        tracing::warn!(path = %path.display(), offset = found.end, bytes = report.cut_bytes, "torn end of a journal cut");
    }
    Ok(report)
}

/// All journals, oldest first.
fn journals(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io("list", dir))? {
        let path = entry.map_err(io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(".jnl")?.parse::<u64>().ok());
        journals.extend(number.map(|number| (number, path)));
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

struct Scan {
    /// Where the last whole batch ends.
    end: usize,
    /// Where the last byte that is not zero ends, or `end`.
    data_end: usize,
    last_sequence: Option<u64>,
}

fn scan(bytes: &[u8]) -> Scan {
    let (mut end, mut last_sequence) = (0, None);
    while let Some((next, sequence)) = batch(bytes, end) {
        // The checksum leaves the number out; that numbers ascend is all that vouches for it.
        if last_sequence.is_some_and(|last| sequence <= last) {
            break;
        }
        end = next;
        last_sequence = Some(sequence);
    }
    let data_end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).max(end);
    Scan { end, data_end, last_sequence }
}

/// A journal up to its first chunk of nothing but zeros.
fn read_data(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path).map_err(io("open", path))?;
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        (&mut file).take(CHUNK as u64).read_to_end(&mut bytes).map_err(io("read", path))?;
        if bytes.len() == before {
            return Ok(bytes);
        }
        if bytes[before..].iter().all(|byte| *byte == 0) {
            bytes.truncate(before);
            return Ok(bytes);
        }
    }
}

/// Writes the whole batches of a journal to a new file in its place. After a failed fsync the page cache shows bytes
/// that the disk never got, and that no later fsync writes; a process that starts again would build upon them.
fn renew(path: &Path, bytes: &[u8], found: &Scan) -> Result<()> {
    let len = path.metadata().map_err(io("read", path))?.len();
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh).map_err(io("create", &fresh))?;
    file.write_all(&bytes[..found.end]).map_err(io("write", &fresh))?;
    // fjall goes on behind the last batch, in space that it has set aside. Behind a cut there is none.
    let len = if found.end == found.data_end { len } else { found.end as u64 };
    file.set_len(len).map_err(io("extend", &fresh))?;
    file.sync_all().map_err(io("fsync", &fresh))?;
    std::fs::rename(&fresh, path).map_err(io("rename", &fresh))?;
    sync_parent(path)
}

/// The end and the number of the batch at an offset, if it is whole:
/// `[1][items u32][sequence u64] ([2]... | [4][keyspace u64])* [3][xxh3 u64]["FJL" 3]`.
fn batch(bytes: &[u8], start: usize) -> Option<(usize, u64)> {
    let header = bytes.get(start..start + 13)?;
    if header[0] != 1 {
        return None;
    }
    let items = u32::from_le_bytes(header[1..5].try_into().ok()?);
    let sequence = u64::from_le_bytes(header[5..13].try_into().ok()?);
    let first = start + 13;
    let mut at = first;
    for _ in 0..items {
        at = item_end(bytes, at)?;
    }
    let trailer = bytes.get(at..at + 13)?;
    let whole = trailer[0] == 3
        && trailer[9..13] == *TRAILER
        && trailer[1..9] == xxhash_rust::xxh3::xxh3_64(&bytes[first..at]).to_le_bytes();
    whole.then_some((at + 13, sequence))
}

/// `[2][type u8][compression u8][keyspace u64][key u16][value u32][value on disk u32]` key value, or `[4][keyspace u64]`.
fn item_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        2 => {
            let header = bytes.get(at..at + 21)?;
            let key = u16::from_le_bytes(header[11..13].try_into().ok()?) as usize;
            let value = u32::from_le_bytes(header[17..21].try_into().ok()?) as usize;
            (at + 21 + key).checked_add(value).filter(|end| *end <= bytes.len())
        }
        4 => Some(at + 9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch;

    /// A batch as fjall writes it, with one item.
    fn write_batch(sequence: u64, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut item = vec![2, 0, 0];
        item.extend_from_slice(&1u64.to_le_bytes());
        item.extend_from_slice(&(key.len() as u16).to_le_bytes());
        item.extend_from_slice(&(value.len() as u32).to_le_bytes());
        item.extend_from_slice(&(value.len() as u32).to_le_bytes());
        item.extend_from_slice(key);
        item.extend_from_slice(value);
        let mut batch = vec![1, 1, 0, 0, 0];
        batch.extend_from_slice(&sequence.to_le_bytes());
        batch.extend_from_slice(&item);
        batch.push(3);
        batch.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&item).to_le_bytes());
        batch.extend_from_slice(TRAILER);
        batch
    }

    fn run(journals: &[(&str, Vec<u8>)]) -> (Result<Journal>, Vec<u64>) {
        let dir = scratch();
        for (name, bytes) in journals {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let report = repair(dir.path());
        let lengths = journals.iter().map(|(name, _)| dir.path().join(name).metadata().unwrap().len()).collect();
        (report, lengths)
    }

    #[test]
    fn a_whole_journal_is_left_as_it_is() {
        let mut bytes = [write_batch(1, b"k", b"v"), write_batch(2, b"key", b"")].concat();
        bytes.resize(3 << 20, 0);
        let (report, lengths) = run(&[("0.jnl", bytes)]);
        assert_eq!(report.unwrap(), Journal { last_sequence: Some(2), cut_bytes: 0 });
        assert_eq!(lengths, [3 << 20]);
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_cut() {
        let first = write_batch(1, b"k", b"v");
        let second = write_batch(2, b"key", b"a longer value");
        for torn in 1..second.len() {
            let mut bytes = [first.clone(), second[..torn].to_vec()].concat();
            bytes.resize(4096, 0);
            let (report, lengths) = run(&[("0.jnl", bytes)]);
            // A batch ends with a byte that is not zero, so that no torn one is whole.
            assert_eq!(report.unwrap().last_sequence, Some(1), "torn at {torn}");
            assert_eq!(lengths, [first.len() as u64]);
        }
    }

    #[test]
    fn what_follows_a_hole_is_cut_too() {
        let first = write_batch(1, b"k", b"v");
        let bytes = [first.clone(), vec![0; 512], write_batch(3, b"k", b"w")].concat();
        let (report, lengths) = run(&[("0.jnl", bytes)]);
        assert_eq!(report.unwrap().last_sequence, Some(1));
        assert_eq!(lengths, [first.len() as u64]);
    }

    #[test]
    fn a_batch_whose_number_does_not_ascend_is_cut() {
        let first = write_batch(5, b"k", b"v");
        let (report, lengths) = run(&[("0.jnl", [first.clone(), write_batch(4, b"k", b"w")].concat())]);
        assert_eq!(report.unwrap().last_sequence, Some(5));
        assert_eq!(lengths, [first.len() as u64]);
    }

    #[test]
    fn damage_in_an_older_journal_is_corruption() {
        let mut damaged = [write_batch(1, b"k", b"v"), write_batch(2, b"k", b"w")].concat();
        damaged[30] ^= 1;
        let journals = [("9.jnl", damaged), ("10.jnl", write_batch(3, b"k", b"x"))];
        let (report, _) = run(&journals);
        assert!(matches!(report, Err(Error::Corrupt { .. })));
    }

    #[test]
    fn a_flipped_bit_never_passes() {
        let batch = write_batch(7, b"some key", b"some value");
        for bit in 0..batch.len() * 8 {
            let mut damaged = batch.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // fjall's checksum leaves the number of the batch out.
            if !(5..13).contains(&(bit / 8)) {
                assert_eq!(super::batch(&damaged, 0), None, "bit {bit}");
            }
        }
    }
}
