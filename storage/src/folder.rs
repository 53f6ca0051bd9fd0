//! The data folder of a node: who holds it, which release may read it, and whose it is.
//!
//! `FORMAT` says that it is ours, `lock` is held while a process uses it, `identity` names the cluster and the node,
//! `log/` and `store/` hold the data.

use crate::disk::{io, sync_parent, write_whole};
use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Counts releases that wrote another layout. For ever: docs/format.md.
const FORMAT_VERSION: u32 = 1;
const FORMAT_FILE: &str = "FORMAT";
const LOCK_FILE: &str = "lock";
const IDENTITY_FILE: &str = "identity";
/// What a folder may hold and still count as empty.
const IGNORED: [&str; 4] = [LOCK_FILE, "FORMAT.new", "lost+found", ".DS_Store"];

/// A data folder that this process holds until it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    dir: PathBuf,
    _lock: File,
}

/// Whose data a folder holds. Given once, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: uuid::Uuid,
    /// The node's number within it, from 1.
    pub node: u64,
}

impl DataFolder {
    /// Opens the data folder `dir`, or makes a missing or empty folder into one.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process holds it, [`Error::Foreign`] when it holds something else or was
    /// written by a release that this one cannot read, [`Error::Io`].
    pub fn open(dir: &Path) -> Result<DataFolder> {
        if !dir.exists() {
            std::fs::create_dir_all(dir).map_err(io("create", dir))?;
            sync_parent(dir)?;
        }
        let ours = dir.join(FORMAT_FILE).exists();
        if !ours && let Some(name) = stranger(dir)? {
            let detail = format!("it holds \"{name}\" and no {FORMAT_FILE} file; name an empty folder");
            return Err(Error::Foreign { path: dir.into(), detail });
        }
        let lock = hold(dir)?;
        if ours {
            check_format(dir)?;
        } else {
            write_whole(&dir.join(FORMAT_FILE), format!("vivarium data folder\nformat {FORMAT_VERSION}\n").as_bytes())?;
        }
        Ok(DataFolder { dir: dir.into(), _lock: lock })
    }
    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Where the [`crate::Store`] belongs.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }
    /// Where the [`crate::Wal`] belongs.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }
    /// Whose data it is; `None` in a new folder.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file is not as it was written.
    pub fn identity(&self) -> Result<Option<Identity>> {
        let path = self.dir.join(IDENTITY_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(io("read", &path))?;
        match Identity::parse(&String::from_utf8_lossy(&bytes)) {
            Some(identity) => Ok(Some(identity)),
            None => Err(Error::Corrupt { what: "identity", path, detail: "its checksum does not fit".into() }),
        }
    }
    /// Says, durably, whose data it is.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// When it has another identity already.
    pub fn set_identity(&self, identity: &Identity) -> Result<()> {
        let before = self.identity()?;
        assert!(before.is_none_or(|before| before == *identity), "a data folder never changes its owner");
        write_whole(&self.dir.join(IDENTITY_FILE), identity.text().as_bytes())
    }
}

impl Identity {
    fn text(&self) -> String {
        let fields = format!("cluster {}\nnode {}\n", self.cluster, self.node);
        let checksum = crc32c::crc32c(fields.as_bytes());
        format!("{fields}crc32c {checksum:08x}\n")
    }
    fn parse(text: &str) -> Option<Identity> {
        let mut lines = text.lines();
        let cluster = lines.next()?.strip_prefix("cluster ")?.parse().ok()?;
        let node = lines.next()?.strip_prefix("node ")?.parse().ok()?;
        let identity = Identity { cluster, node };
        (identity.text() == text).then_some(identity)
    }
}

/// The first name in a folder that tells that it is in use for something.
fn stranger(dir: &Path) -> Result<Option<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io("list", dir))? {
        let name = entry.map_err(io("list", dir))?.file_name().to_string_lossy().into_owned();
        if !IGNORED.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().next())
}

fn hold(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: dir.into() }),
        Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

fn check_format(dir: &Path) -> Result<()> {
    let path = dir.join(FORMAT_FILE);
    let bytes = std::fs::read(&path).map_err(io("read", &path))?;
    let text = String::from_utf8_lossy(&bytes);
    let version = text.strip_prefix("vivarium data folder\nformat ").and_then(|rest| rest.strip_suffix('\n'));
    let detail = match version {
        Some(version) if version == FORMAT_VERSION.to_string() => return Ok(()),
        Some(version) => format!("its format is {version}, this release reads {FORMAT_VERSION}"),
        None => format!("its {FORMAT_FILE} file does not name a format"),
    };
    Err(Error::Foreign { path: dir.into(), detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch;

    #[test]
    fn a_new_folder_is_made_ours_and_held() {
        let dir = scratch();
        let path = dir.path().join("a/b");
        let folder = DataFolder::open(&path).unwrap();
        assert!(matches!(DataFolder::open(&path), Err(Error::Locked { .. })));
        assert_eq!(folder.identity().unwrap(), None);
        let identity = Identity { cluster: uuid::Uuid::from_u128(0x1234 << 64), node: 3 };
        folder.set_identity(&identity).unwrap();
        drop(folder);
        let folder = DataFolder::open(&path).unwrap();
        assert_eq!(folder.identity().unwrap(), Some(identity));
        assert_eq!((folder.store(), folder.log()), (path.join("store"), path.join("log")));
        insta::assert_snapshot!(std::fs::read_to_string(path.join("FORMAT")).unwrap(), @r"
        vivarium data folder
        format 1
        ");
        insta::assert_snapshot!(std::fs::read_to_string(path.join("identity")).unwrap(), @r"
        cluster 00000000-0000-1234-0000-000000000000
        node 3
        crc32c 9f85392d
        ");
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let dir = scratch();
        std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let error = DataFolder::open(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }) && error.to_string().contains("notes.txt"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_later_format_is_refused() {
        let dir = scratch();
        drop(DataFolder::open(dir.path()).unwrap());
        for text in ["vivarium data folder\nformat 2\n", "vivarium\n", ""] {
            std::fs::write(dir.path().join(FORMAT_FILE), text).unwrap();
            assert!(matches!(DataFolder::open(dir.path()), Err(Error::Foreign { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_changed_identity_is_corruption() {
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        folder.set_identity(&Identity { cluster: uuid::Uuid::nil(), node: 1 }).unwrap();
        let path = dir.path().join(IDENTITY_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [text.replace("node 1", "node 2"), text[..20].to_string(), String::new()] {
            std::fs::write(&path, damaged).unwrap();
            assert!(matches!(folder.identity(), Err(Error::Corrupt { .. })));
        }
    }
}
