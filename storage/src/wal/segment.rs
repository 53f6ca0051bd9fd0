//! Segment files: `{number:08x}.log`, one header block, then batches on block boundaries, then zeros.
//!
//! A file has its final name only once it is filled and synced: a segment with a bad header is damage.

use super::record::{BLOCK, u32_at, u64_at};
use crate::disk::{io, sync_folder};
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const SEGMENT_MAGIC: [u8; 8] = *b"VIVWAL\r\n";
const FORMAT_VERSION: u32 = 1;
const HEADER: usize = 40;
/// Bytes of zeros that one write lays down.
const FILL_BYTES: usize = 1 << 20;

/// What the first block of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// A random number that all segments of one log share.
    pub log: u64,
    pub number: u32,
    /// The sequence of the first batch in it.
    pub sequence: u64,
    /// The checksum chain before that batch, so that a segment can be read alone.
    pub previous: u32,
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; BLOCK];
        out[0..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.log.to_le_bytes());
        out[24..28].copy_from_slice(&self.number.to_le_bytes());
        out[28..32].copy_from_slice(&self.previous.to_le_bytes());
        out[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&out[..12]), &out[16..HEADER]);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }
    /// # Errors
    /// [`Error::Foreign`] for another format, [`Error::Corrupt`] for damage.
    pub fn decode(bytes: &[u8], path: &Path) -> Result<SegmentHeader> {
        let corrupt = |detail: &str| Error::Corrupt { what: "log segment", path: path.into(), detail: detail.into() };
        let block = bytes.get(..BLOCK).ok_or_else(|| corrupt("shorter than its header"))?;
        if u32_at(block, 12) != crc32c::crc32c_append(crc32c::crc32c(&block[..12]), &block[16..HEADER])
            || block[HEADER..].iter().any(|byte| *byte != 0)
        {
            return Err(corrupt("the header at offset 0 fails its checksum"));
        }
        if block[0..8] != SEGMENT_MAGIC || u32_at(block, 8) != FORMAT_VERSION {
            let detail = format!("log format {}, this release reads {FORMAT_VERSION}", u32_at(block, 8));
            return Err(Error::Foreign { path: path.into(), detail });
        }
        Ok(SegmentHeader {
            log: u64_at(block, 16),
            number: u32_at(block, 24),
            previous: u32_at(block, 28),
            sequence: u64_at(block, 32),
        })
    }
}

pub(super) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08x}.log"))
}

/// The numbers of all segments, ascending. Files that a crash left half made are deleted.
pub(super) fn list(dir: &Path) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    let entries = std::fs::read_dir(dir).map_err(io("list", dir))?;
    for entry in entries {
        let path = entry.map_err(io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".new") {
            std::fs::remove_file(&path).map_err(io("delete", &path))?;
            continue;
        }
        let number = name.strip_suffix(".log").filter(|digits| digits.len() == 8);
        match number.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(number) => numbers.push(number),
            None => return Err(Error::Foreign { path: dir.into(), detail: format!("{name} is no log segment") }),
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes a segment.
pub(super) fn create(dir: &Path, header: &SegmentHeader, bytes: u64) -> Result<File> {
    let file = prepare(dir, header.number, bytes)?;
    finish(dir, header, &file)?;
    Ok(file)
}

/// Makes a file of zeros under a name that does not count yet.
pub(super) fn prepare(dir: &Path, number: u32, bytes: u64) -> Result<File> {
    let path = unfinished(dir, number);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).open(&path).map_err(io("create", &path))?;
    fill(&file, &path, 0, bytes)?;
    file.sync_all().map_err(io("fsync", &path))?;
    Ok(file)
}

/// Makes a prepared file a segment: header, fsync, rename, fsync of the folder.
pub(super) fn finish(dir: &Path, header: &SegmentHeader, file: &File) -> Result<()> {
    let unfinished = unfinished(dir, header.number);
    file.write_all_at(&header.encode(), 0).map_err(io("write", &unfinished))?;
    file.sync_all().map_err(io("fsync", &unfinished))?;
    std::fs::rename(&unfinished, path(dir, header.number)).map_err(io("rename", &unfinished))?;
    sync_folder(dir)
}

fn unfinished(dir: &Path, number: u32) -> PathBuf {
    path(dir, number).with_extension("new")
}

/// Writes zeros from `start` to `end`.
pub(super) fn fill(file: &File, path: &Path, start: u64, end: u64) -> Result<()> {
    let zeros = vec![0; FILL_BYTES.min(end.saturating_sub(start) as usize)];
    let mut at = start;
    while at < end {
        let bytes = zeros.len().min((end - at) as usize);
        file.write_all_at(&zeros[..bytes], at).map_err(io("write", path))?;
        at += bytes as u64;
    }
    Ok(())
}

pub(super) fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path).map_err(io("open", path))
}
