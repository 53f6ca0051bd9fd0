//! Which file calls fail, and how. Counted from the moment that a fault is armed, so that a plan can say "the third fsync".

use serde::{Deserialize, Serialize};

/// What kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// read, pread, readv.
    Read,
    /// write, pwrite, writev.
    Write,
    /// fsync, fdatasync.
    Sync,
    /// Opening a file that is not there yet.
    Create,
}

/// Which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Files {
    /// All of the node's folder.
    Any,
    /// The log.
    Log,
    /// The store.
    Store,
}

impl Files {
    /// True for a path below the node's folder that is meant.
    pub fn covers(self, path: &str) -> bool {
        match self {
            Files::Any => true,
            Files::Log => path == "log" || path.starts_with("log/"),
            Files::Store => path.starts_with("store/") || path == "store",
        }
    }
}

/// What the caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// EIO.
    Io,
    /// ENOSPC.
    NoSpace,
}

impl Reason {
    /// The number of the error.
    pub fn errno(self) -> i32 {
        match self {
            Reason::Io => libc::EIO,
            Reason::NoSpace => libc::ENOSPC,
        }
    }
}

/// One failure to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of call.
    pub kind: Kind,
    /// On which files.
    pub files: Files,
    /// The how manieth such call from now, from 1.
    pub nth: u64,
    /// What the caller is told.
    pub reason: Reason,
    /// Of a write, so many bytes are done first: a short write, and the error on the next call.
    #[serde(default)]
    pub short_bytes: u64,
}

/// What a call must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing special.
    Pass,
    /// Do so many bytes and say so.
    Short(u64),
    /// Fail with this error number.
    Fail(i32),
}

struct Armed {
    fault: Fault,
    left: u64,
}

/// The faults that are armed, and the space that there is.
#[derive(Default)]
pub struct Faults {
    armed: Vec<Armed>,
    /// How many fired.
    pub fired: u64,
    /// Something was armed or limited.
    pub was_armed: bool,
    /// Bytes that files may take up together; no limit when absent.
    pub quota_bytes: Option<u64>,
}

impl Faults {
    /// Arms a fault.
    pub fn arm(&mut self, fault: Fault) {
        self.was_armed = true;
        self.armed.push(Armed { fault, left: fault.nth.max(1) });
    }

    /// Limits the space of all files.
    pub fn limit(&mut self, bytes: u64) {
        self.was_armed = true;
        self.quota_bytes = Some(bytes);
    }

    /// Takes back what has not come about.
    pub fn relieve(&mut self) {
        self.armed.clear();
        self.quota_bytes = None;
    }

    /// True when some fault is still to come.
    pub fn is_armed(&self) -> bool {
        !self.armed.is_empty()
    }

    /// What a call of this kind on this path must do. Counts it.
    pub fn meet(&mut self, kind: Kind, path: &str) -> Verdict {
        let mut verdict = Verdict::Pass;
        for armed in &mut self.armed {
            if armed.fault.kind != kind || !armed.fault.files.covers(path) || armed.left == 0 {
                continue;
            }
            armed.left -= 1;
            if armed.left == 0 {
                let short = kind == Kind::Write && armed.fault.short_bytes > 0;
                if short {
                    // The rest of the write comes as another call: that one fails.
                    verdict = Verdict::Short(armed.fault.short_bytes);
                    armed.fault.short_bytes = 0;
                    armed.left = 1;
                } else {
                    verdict = Verdict::Fail(armed.fault.reason.errno());
                    self.fired += 1;
                }
            }
        }
        self.armed.retain(|armed| armed.left > 0);
        verdict
    }

    /// Counts a call that failed for want of space.
    pub fn out_of_space(&mut self) -> i32 {
        self.fired += 1;
        libc::ENOSPC
    }
}
