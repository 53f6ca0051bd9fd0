//! One recorded folder: its disk, every operation on it, its faults and its space.

use super::registry;
use crate::simfs::faults::{Faults, Files, Kind, Verdict};
use crate::simfs::model::{Disk, Ino, Op, PAGE_BYTES, ROOT};
use crate::trace;
use libc::c_int;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A recorded folder.
pub struct World {
    /// The number of its drive.
    pub drive: u64,
    /// What its events in the trace are about.
    pub subject: String,
    /// Where it is.
    pub root: PathBuf,
    /// The moment at which the recording began.
    pub began: u64,
    /// The disk when the recording began.
    pub before: Disk,
    /// The disk now.
    pub disk: Disk,
    /// What happened in between, and when.
    pub ops: Vec<Op>,
    /// The moment of each of them, see [`super::stamp`].
    pub stamps: Vec<u64>,
    /// The power goes when there are so many operations.
    pub cut_at: Option<usize>,
    /// The power is off: nothing is recorded any more.
    pub cut: bool,
    /// What happens when the power goes.
    pub on_cut: Option<Box<dyn FnOnce() + Send>>,
    /// What fails.
    pub faults: Faults,
    /// Files with an fsync that failed, and where they were.
    pub syncs_failed: BTreeMap<Ino, String>,
    /// The pages that each file takes.
    pub space: BTreeMap<Ino, BTreeSet<u64>>,
    /// Calls that the model does not know.
    pub escaped: Vec<String>,
}

/// Where a path leads, if it is below the folder.
pub enum Place {
    /// To the folder itself.
    Root,
    /// To a name in a folder.
    In(Ino, String),
}

impl World {
    /// Records a folder that holds exactly what `disk` says.
    pub fn new(drive: u64, subject: &str, root: PathBuf, disk: Disk) -> World {
        World {
            drive,
            subject: subject.to_owned(),
            root,
            began: registry::stamp(),
            before: disk.clone(),
            disk,
            ops: Vec::new(),
            stamps: Vec::new(),
            cut_at: None,
            cut: false,
            on_cut: None,
            faults: Faults::default(),
            syncs_failed: BTreeMap::new(),
            space: BTreeMap::new(),
            escaped: Vec::new(),
        }
    }

    /// Notes an operation that the kernel did.
    pub fn record(&mut self, op: Op) {
        self.disk.apply(&op);
        self.trace(&op);
        self.ops.push(op);
        self.stamps.push(registry::next_stamp());
        if self.cut_at.is_some_and(|at| self.ops.len() >= at) {
            self.cut_now();
        }
    }

    /// Cuts the power.
    pub fn cut_now(&mut self) {
        if !self.cut {
            trace::event(&self.subject, "power cut", &[]);
        }
        self.cut = true;
        if let Some(act) = self.on_cut.take() {
            act();
        }
    }

    fn trace(&self, op: &Op) {
        let name = |folder: &Ino, name: &String| format!("{folder}/{}", trace::masked(name));
        let (what, bytes): (String, &[u8]) = match op {
            Op::Create { folder, name: file, ino } => (format!("create {} = {ino}", name(folder, file)), &[]),
            Op::MakeFolder { folder, name: file, ino } => (format!("mkdir {} = {ino}", name(folder, file)), &[]),
            Op::Write { ino, offset, data } => (format!("write {ino} at {offset} {} bytes", data.len()), data),
            Op::Truncate { ino, len } => (format!("truncate {ino} to {len}"), &[]),
            Op::Allocate { ino, len } => (format!("allocate {ino} to {len}"), &[]),
            Op::Rename { from, to } => (format!("rename {} to {}", name(&from.0, &from.1), name(&to.0, &to.1)), &[]),
            Op::Remove { folder, name: file } => (format!("remove {}", name(folder, file)), &[]),
            Op::Sync { ino } => (format!("fsync {ino}"), &[]),
            Op::SyncFailed { ino } => (format!("fsync {ino} failed"), &[]),
        };
        trace::event(&self.subject, &what, bytes);
    }

    /// Where a path from one of its folders leads.
    pub fn place(&self, mut folder: Ino, path: &str) -> Option<Place> {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let Some(name) = parts.pop() else {
            return (folder == ROOT).then_some(Place::Root);
        };
        for part in parts {
            folder = self.disk.child(folder, part)?;
        }
        Some(Place::In(folder, name.to_owned()))
    }

    /// The file or folder behind a place.
    pub fn ino(&self, place: &Place) -> Option<Ino> {
        match place {
            Place::Root => Some(ROOT),
            Place::In(folder, name) => self.disk.child(*folder, name),
        }
    }

    /// What a call on a file must do, if faults are armed.
    pub fn meet(&mut self, kind: Kind, ino: Ino) -> Verdict {
        // The path costs a walk: only when something may happen.
        if !self.faults.is_armed() {
            return Verdict::Pass;
        }
        let path = self.disk.path(ino);
        let verdict = self.faults.meet(kind, &path);
        if verdict != Verdict::Pass {
            let what = format!("fault on {kind:?} of {}: {verdict:?}", trace::masked(&path));
            trace::event(&self.subject, &what, &[]);
            if kind == Kind::Sync && matches!(verdict, Verdict::Fail(_)) {
                self.syncs_failed.insert(ino, path);
            }
        }
        verdict
    }

    /// How many files there are on whose failed fsync the node builds: of its log, and of a store that it still has. A store
    /// that a checkpoint replaced is gone with all that was promised of it.
    pub fn promises_failed(&self) -> usize {
        let is_promise = |(ino, path): &(&Ino, &String)| {
            Files::Log.covers(path) || Files::Store.covers(path) && !self.disk.path(**ino).is_empty()
        };
        self.syncs_failed.iter().filter(is_promise).count()
    }

    /// Limits the space of all files to what they take now and so many bytes more.
    pub fn limit_space(&mut self, bytes_more: u64) {
        let used = self.space.values().map(|pages| pages.len() as u64 * PAGE_BYTES).sum::<u64>();
        self.faults.limit(used + bytes_more);
    }

    /// Takes up space for a write, or says that there is none.
    pub fn take_space(&mut self, ino: Ino, offset: u64, len: u64) -> Result<(), c_int> {
        let pages = Disk::pages_touched(offset, len);
        if let Some(quota) = self.faults.quota_bytes {
            let known = self.space.get(&ino);
            let fresh = pages.iter().filter(|page| !known.is_some_and(|known| known.contains(page))).count() as u64;
            let used = self.space.values().map(|pages| pages.len() as u64).sum::<u64>();
            if fresh > 0 && (used + fresh) * PAGE_BYTES > quota {
                trace::event(&self.subject, "no space left", &[]);
                return Err(self.faults.out_of_space());
            }
        }
        self.space.entry(ino).or_default().extend(pages);
        Ok(())
    }

    /// Notes a call that the model does not know.
    pub fn escape(&mut self, call: &str) {
        self.escaped.push(call.to_owned());
    }
}
