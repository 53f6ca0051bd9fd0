//! Looks at the files of fjall's keyspaces before fjall does, which takes for durable and whole what it finds.

use crate::disk::{io, sync_folder};
use crate::{Error, Result};
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How a table ends: magic, format, kind of checksum, checksum, place and length of its contents.
const TABLE_TRAILER_BYTES: u64 = 38;
const TABLE_MAGIC: &[u8; 4] = b"SFA!";
/// Magic and number of sections, with which its contents begin.
const CONTENTS_HEADER_BYTES: u64 = 8;
/// Place, length and length of the name of a section.
const SECTION_BYTES_MIN: u64 = 18;
/// A table in a list of them.
const LISTED_BYTES: usize = 33;

/// Makes the names in `dir` durable. A process that was killed may have renamed `current` of a keyspace and not synced
/// that: opening deletes the tables of the list before, and a power failure could bring that list back without them.
/// Returns the folders of the keyspaces.
///
/// # Errors
/// Those of reading folders and of fsync.
pub(super) fn settle(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let keyspaces = keyspaces(dir)?;
    for folder in &keyspaces {
        let tables = folder.join("tables");
        if tables.exists() {
            sync_folder(&tables)?;
        }
        sync_folder(folder)?;
    }
    let all = dir.join("keyspaces");
    if all.exists() {
        sync_folder(&all)?;
    }
    sync_folder(dir)?;
    Ok(keyspaces)
}

/// The folders of the keyspaces in `dir`, by name.
fn keyspaces(dir: &Path) -> Result<Vec<PathBuf>> {
    let all = dir.join("keyspaces");
    if !all.exists() {
        return Ok(Vec::new());
    }
    let path = |entry: std::io::Result<std::fs::DirEntry>| Ok(entry.map_err(io("list", &all))?.path());
    let mut found = std::fs::read_dir(&all).map_err(io("list", &all))?.map(path).collect::<Result<Vec<_>>>()?;
    found.sort_unstable();
    Ok(found)
}

/// Checks in the folders of keyspaces what fjall believes before it looks at checksums: the list of tables, and how many
/// sections a table says it has.
///
/// # Errors
/// [`Error::Corrupt`].
pub(super) fn check(keyspaces: &[PathBuf]) -> Result<()> {
    for keyspace in keyspaces {
        // A keyspace without one was never finished; fjall makes it anew.
        if keyspace.join("current").exists() {
            check_tables(keyspace, &listed(keyspace)?)?;
        }
    }
    Ok(())
}

/// The numbers of the tables that a keyspace is made of. `current` is `[manifest u64][xxh3 u128 of that file][0]`.
fn listed(keyspace: &Path) -> Result<Vec<u64>> {
    let current = keyspace.join("current");
    let corrupt = |detail| Error::Corrupt { what: "list of tables", path: current.clone(), detail };
    let pointer = std::fs::read(&current).map_err(io("read", &current))?;
    let pointer: [u8; 25] = pointer.try_into().map_err(|_| corrupt("it has not 25 bytes".into()))?;
    let number = u64::from_le_bytes(pointer[..8].try_into().expect("eight bytes"));
    let expected = u128::from_le_bytes(pointer[8..24].try_into().expect("sixteen bytes"));
    let manifest = keyspace.join(format!("v{number}"));
    if !manifest.exists() {
        return Err(corrupt(format!("v{number}, which it names, is missing")));
    }
    let bytes = std::fs::read(&manifest).map_err(io("read", &manifest))?;
    if xxhash_rust::xxh3::xxh3_128(&bytes) != expected || pointer[24] != 0 {
        return Err(corrupt(format!("v{number}, which it names, fails its checksum")));
    }
    tables_of(&bytes).ok_or_else(|| corrupt(format!("v{number}, which it names, lists no tables that can be read")))
}

/// The section `tables` of a manifest is `[levels u8]`, for each `[runs u8]`, for each `[tables u32]`, for each
/// `[number u64][0][xxh3 u128][sequence u64]`.
fn tables_of(manifest: &[u8]) -> Option<Vec<u64>> {
    let archive = sfa::Reader::from_reader(&mut Cursor::new(manifest)).ok()?;
    let section = archive.toc().section(b"tables")?;
    let start = usize::try_from(section.pos()).ok()?;
    let end = start.checked_add(usize::try_from(section.len()).ok()?)?;
    let mut rest = manifest.get(start..end)?;
    let mut take = |bytes: usize| {
        let (taken, left) = rest.split_at_checked(bytes)?;
        rest = left;
        Some(taken)
    };
    let mut listed = Vec::new();
    for _level in 0..take(1)?[0] {
        for _run in 0..take(1)?[0] {
            for _table in 0..u32::from_le_bytes(take(4)?.try_into().ok()?) {
                let number = take(LISTED_BYTES)?.first_chunk()?;
                listed.push(u64::from_le_bytes(*number));
            }
        }
    }
    Some(listed)
}

/// A table that says it has far more sections than there is room for would end the process: memory for all of them is
/// asked for before their checksum is looked at. Whatever else is wrong with a table fjall finds. Those that no list
/// names it deletes unread: a power failure may have left anything in them.
fn check_tables(keyspace: &Path, listed: &[u64]) -> Result<()> {
    for number in listed {
        let path = keyspace.join("tables").join(number.to_string());
        if !path.exists() {
            continue;
        }
        let Some((sections, bytes)) = claimed_sections(&path).map_err(io("read", &path))? else { continue };
        if sections.saturating_mul(SECTION_BYTES_MIN) > bytes {
            let detail = format!("it says that it has {sections} sections, in {bytes} bytes");
            return Err(Error::Corrupt { what: "table", path, detail });
        }
    }
    Ok(())
}

/// How many sections a table says it has, and its bytes. `None` when it was never finished.
fn claimed_sections(path: &Path) -> std::io::Result<Option<(u64, u64)>> {
    let mut table = File::open(path)?;
    let bytes = table.metadata()?.len();
    let Some(trailer_at) = bytes.checked_sub(TABLE_TRAILER_BYTES) else { return Ok(None) };
    let mut trailer = [0; TABLE_TRAILER_BYTES as usize];
    table.seek(SeekFrom::Start(trailer_at))?;
    table.read_exact(&mut trailer)?;
    let contents_at = u64::from_le_bytes(trailer[22..30].try_into().expect("eight bytes"));
    let has_room = contents_at.checked_add(CONTENTS_HEADER_BYTES).is_some_and(|end| end <= bytes);
    if &trailer[..4] != TABLE_MAGIC || !has_room {
        return Ok(None);
    }
    let mut header = [0; CONTENTS_HEADER_BYTES as usize];
    table.seek(SeekFrom::Start(contents_at))?;
    table.read_exact(&mut header)?;
    let sections = u32::from_le_bytes(header[4..].try_into().expect("four bytes"));
    Ok(Some((sections.into(), bytes)))
}
