//! What can go wrong with data on disk, one variant per reaction.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with data on disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a call. After a failed write or fsync the process must stop: see [`Error::is_fatal`].
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb: "write", "fsync", "open".
        action: &'static str,
        /// The file or folder it was done to.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Bytes that were once acknowledged are not what was written.
    #[error("corrupt {what}{}: {detail}", Place(path))]
    Corrupt {
        /// The structure that is damaged: "log record", "document", "journal".
        what: &'static str,
        /// Where it is kept; empty where only its bytes are at hand (see [`Error::within`]).
        path: PathBuf,
        /// What was expected and what was found.
        detail: String,
    },
    /// The folder holds data of something else, or of a release that this one cannot read.
    #[error("{} is not a data folder of this release: {detail}", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What was found there.
        detail: String,
    },
    /// Another process holds the folder.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A key is longer than the store takes.
    #[error("key of {bytes} bytes is longer than {limit}")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// A document is longer than one may be.
    #[error("document is longer than {limit} bytes")]
    DocumentTooLong {
        /// The most that is taken.
        limit: usize,
    },
    /// Lists and objects stand in each other deeper than they may.
    #[error("value is nested deeper than {limit} levels")]
    ValueTooDeep {
        /// The most that is taken.
        limit: usize,
    },
    /// A read below the history watermark: those versions may be gone.
    #[error("version {version} is older than the history that is kept, which begins at {watermark}")]
    HistoryGone {
        /// The version that was asked for.
        version: crate::Version,
        /// The oldest version that can be read.
        watermark: crate::Version,
    },
    /// More waits to be written than is allowed: try again once some of it is done.
    #[error("{what} has {queued_bytes} bytes waiting, at most {limit} may")]
    Busy {
        /// Whose queue it is.
        what: &'static str,
        /// Bytes that wait.
        queued_bytes: usize,
        /// The most that may.
        limit: usize,
    },
    /// An earlier write failed with an unknown outcome: only a restart tells what is on disk.
    #[error("storage stopped after a failed write: {0}")]
    Stopped(String),
}

impl Error {
    /// Bytes in memory that are not what was written.
    pub(crate) fn corrupt(what: &'static str, detail: impl Into<String>) -> Error {
        Error::Corrupt { what, path: PathBuf::new(), detail: detail.into() }
    }
    /// Says where corrupt bytes were found, when that was not known yet.
    pub fn within(mut self, place: impl Into<PathBuf>) -> Error {
        if let Error::Corrupt { path, .. } = &mut self
            && path.as_os_str().is_empty()
        {
            *path = place.into();
        }
        self
    }
    /// True when the state on disk is unknown, so that the process must stop and recover.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Error::Io { .. } | Error::Stopped(_))
    }
}

/// " in PATH", or nothing when there is none.
struct Place<'a>(&'a Path);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_os_str().is_empty() {
            return Ok(());
        }
        write!(f, " in {}", self.0.display())
    }
}
