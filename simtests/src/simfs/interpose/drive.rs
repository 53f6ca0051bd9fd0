//! The handle of one recorded folder: what the harness asks of it, and the record that it leaves.

use super::registry::with_registry;
use super::world::World;
use crate::simfs::faults::Fault;
use crate::simfs::model::{Disk, Ino, Op};
use std::collections::BTreeMap;
use std::path::Path;

/// One recorded folder, from its start to its end. Never given again within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drive(u64);

/// What was recorded between [`Drive::start`] and [`Drive::stop`].
#[derive(Clone, Debug)]
pub struct Recording {
    /// The moment at which the recording began.
    pub began: u64,
    /// The disk when the recording began.
    pub before: Disk,
    /// The disk when it ended, or when the power was cut.
    pub after: Disk,
    /// Every operation in between.
    pub ops: Vec<Op>,
    /// The moment of each operation: one count over the disks of all drives.
    pub stamps: Vec<u64>,
    /// True when the power was cut before the recording ended: the folder went on changing after the record.
    pub cut: bool,
    /// Faults that fired.
    pub fired: u64,
    /// Calls that the model does not know, below the folder.
    pub escaped: Vec<String>,
}

impl Drive {
    /// Begins to record everything below `root`, which holds exactly what `disk` says. `subject` names it in the trace.
    pub fn start(subject: &str, root: &Path, disk: Disk) -> Drive {
        with_registry(|registry| {
            registry.drives += 1;
            let drive = registry.drives;
            registry.worlds.insert(drive, World::new(drive, subject, root.to_owned(), disk));
            Drive(drive)
        })
    }

    /// Ends the recording. `None` when it has ended before.
    pub fn stop(self) -> Option<Recording> {
        let world = with_registry(|registry| {
            registry.files.retain(|_, (drive, _)| *drive != self.0);
            registry.worlds.remove(&self.0)
        })?;
        Some(Recording {
            began: world.began,
            before: world.before,
            after: world.disk,
            ops: world.ops,
            stamps: world.stamps,
            cut: world.cut,
            fired: world.faults.fired,
            escaped: world.escaped,
        })
    }

    fn with<R>(self, act: impl FnOnce(&mut World) -> R) -> Option<R> {
        with_registry(|registry| registry.worlds.get_mut(&self.0).map(act))
    }

    /// Cuts the power now: nothing after this moment reaches the record.
    pub fn cut(self) {
        self.with(World::cut_now);
    }

    /// Cuts the power right after the `changes`-th operation from now.
    pub fn cut_after(self, changes: u64) {
        let changes = usize::try_from(changes).unwrap_or(usize::MAX);
        self.with(|world| world.cut_at = Some(world.ops.len().saturating_add(changes)));
    }

    /// What is to happen at the very moment of a cut. It may not touch any drive.
    pub fn when_cut(self, act: impl FnOnce() + Send + 'static) {
        self.with(|world| world.on_cut = Some(Box::new(act)));
    }

    /// Takes a cut back that has not come about yet.
    pub fn spare(self) {
        self.with(|world| world.cut_at = None);
    }

    /// True when the power is cut, or the recording has ended.
    pub fn is_cut(self) -> bool {
        self.with(|world| world.cut).unwrap_or(true)
    }

    /// Arms a fault.
    pub fn arm(self, fault: Fault) {
        self.with(|world| world.faults.arm(fault));
    }

    /// Something on it is damaged: errors are to be expected.
    pub fn expect_trouble(self) {
        self.with(|world| world.faults.was_armed = true);
    }

    /// Takes back all faults that have not fired, and the limit of space.
    pub fn relieve(self) {
        self.with(|world| world.faults.relieve());
    }

    /// Limits the space of all files to what they take now and so many bytes more.
    pub fn limit_space(self, bytes_more: u64) {
        self.with(|world| world.limit_space(bytes_more));
    }

    /// True when faults were armed or the space was limited since it started: errors are then to be expected.
    pub fn is_troubled(self) -> bool {
        self.with(|world| world.faults.was_armed).unwrap_or(false)
    }

    /// The operations from the `seen`-th on.
    pub fn ops_since(self, seen: usize) -> Vec<Op> {
        self.with(|world| world.ops.get(seen..).unwrap_or_default().to_vec()).unwrap_or_default()
    }

    /// How many faults fired.
    pub fn fired(self) -> u64 {
        self.with(|world| world.faults.fired).unwrap_or(0)
    }

    /// How many files are open, how many of them have no name any more, and the most handles of one of them. Folders do not
    /// count: the C library closes those of a directory stream by itself.
    pub fn open_files(self) -> (usize, usize, usize) {
        with_registry(|registry| {
            let mut handles: BTreeMap<Ino, usize> = BTreeMap::new();
            let Some(World { disk, .. }) = registry.worlds.get(&self.0) else { return (0, 0, 0) };
            let files = registry.files.values().filter(|(drive, ino)| *drive == self.0 && !disk.is_folder(*ino));
            for (_, ino) in files {
                *handles.entry(*ino).or_default() += 1;
            }
            let is_nameless = |ino: &Ino| disk.path(*ino).is_empty();
            let nameless = handles.iter().filter(|(ino, _)| is_nameless(ino)).map(|(_, count)| count).sum();
            (handles.values().sum(), nameless, handles.values().max().copied().unwrap_or(0))
        })
    }

    /// How many fsyncs failed.
    pub fn failed_syncs(self) -> usize {
        let failed = |world: &mut World| world.ops.iter().filter(|op| matches!(op, Op::SyncFailed { .. })).count();
        self.with(failed).unwrap_or(0)
    }

    /// On how many files it builds of which an fsync failed: those of its log and of its store.
    pub fn failed_promises(self) -> usize {
        self.with(|world| world.promises_failed()).unwrap_or(0)
    }

    /// Where a file is now; empty when it has no name.
    pub fn path(self, ino: Ino) -> String {
        self.with(|world| world.disk.path(ino)).unwrap_or_default()
    }

    /// What a file at the root holds now; empty when there is none.
    pub fn root_file(self, name: &str) -> Vec<u8> {
        self.with(|world| world.disk.root_file(name)).unwrap_or_default()
    }

    /// The disk as it is now, and the calls so far that the model does not know.
    pub fn look(self) -> (Disk, Vec<String>) {
        self.with(|world| (world.disk.clone(), world.escaped.clone())).unwrap_or_default()
    }
}
