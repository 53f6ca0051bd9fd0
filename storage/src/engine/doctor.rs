//! Makes fjall's journal fit to be opened after a power failure. The log replays whatever is cut off.
//!
//! fjall syncs its journal only now and then, so a crash may leave its newest batches torn or out of order. It would
//! refuse to open some of these, and lose the rest silently.

use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
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

/// Cuts the newest journal in `dir` after its last whole batch in unbroken order.
///
/// # Errors
/// [`Error::Corrupt`] when an older journal, which was synced whole, is damaged.
pub(super) fn repair(dir: &Path) -> Result<Journal> {
    let journals = journals(dir)?;
    let mut report = Journal::default();
    for (nth, path) in journals.iter().enumerate() {
        let found = scan(path)?;
        report.last_sequence = found.last_sequence.or(report.last_sequence);
        if found.end == found.data_end {
            continue;
        }
        if nth + 1 < journals.len() {
            let detail = format!("the batch at offset {} fails its checksum", found.end);
            return Err(Error::Corrupt { what: "journal", path: path.clone(), detail });
        }
        report.cut_bytes = found.data_end - found.end;
        tracing::warn!(path = %path.display(), offset = found.end, bytes = report.cut_bytes, "torn end of a journal cut");
        cut(path, found.end)?;
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
    end: u64,
    /// Where the last byte that is not zero ends, or `end`.
    data_end: u64,
    last_sequence: Option<u64>,
}

fn scan(path: &Path) -> Result<Scan> {
    let bytes = read_data(path)?;
    let (mut end, mut last_sequence) = (0, None);
    while let Some((next, sequence)) = batch(&bytes, end) {
        end = next;
        last_sequence = Some(sequence);
    }
    let data_end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).max(end);
    Ok(Scan { end: end as u64, data_end: data_end as u64, last_sequence })
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

fn cut(path: &Path, end: u64) -> Result<()> {
    let mut file = OpenOptions::new().write(true).open(path).map_err(io("open", path))?;
    file.set_len(end).map_err(io("cut", path))?;
    file.seek(SeekFrom::Start(end)).map_err(io("seek", path))?;
    file.sync_all().map_err(io("fsync", path))
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

fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_path_buf(), source }
}
