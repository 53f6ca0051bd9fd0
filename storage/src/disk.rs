//! File calls that every part of storage makes in the same way, with errors that name the file.

use crate::runtime::mutant;
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Names that [`set_aside`] tries.
const ASIDE_MAX: u32 = 1000;

/// Turns the operating system's error into ours.
pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_path_buf(), source }
}

/// Makes creations, renames and deletions in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<()> {
    if mutant("disk-04") {
        return Ok(());
    }
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(io("fsync", dir))
}

/// As [`sync_folder`], for the folder that holds `path`.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        Some(_) => sync_folder(Path::new(".")),
        None => Ok(()),
    }
}

/// Writes a small file so that after a crash it has either all of its old content or all of the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, OpenOptions::new().write(true).create(true).truncate(true))
}

/// As [`write_whole`], for what nobody but this user may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, OpenOptions::new().write(true).create(true).truncate(true).mode(0o600))
}

fn replace(path: &Path, bytes: &[u8], options: &OpenOptions) -> Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = options.open(&unfinished).map_err(io("create", &unfinished))?;
    file.write_all(bytes).map_err(io("write", &unfinished))?;
    file.sync_all().map_err(io("fsync", &unfinished))?;
    std::fs::rename(&unfinished, path).map_err(io("rename", &unfinished))?;
    sync_parent(path)
}

/// Moves a folder that is damaged to a name beside it, durably, and says which.
pub(crate) fn set_aside(dir: &Path) -> Result<PathBuf> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("data");
    let aside = (1..ASIDE_MAX)
        .map(|nth| dir.with_file_name(format!("{name}.damaged-{nth}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| dir.with_file_name(format!("{name}.damaged")));
    std::fs::rename(dir, &aside).map_err(io("rename", dir))?;
    sync_parent(dir)?;
    Ok(aside)
}

/// A folder for a test, in memory where the system has such a place: tests sync a lot.
#[cfg(test)]
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("the system has a place for a test's files")
}
