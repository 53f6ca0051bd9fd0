//! All recorded folders of this process, and which of them a call is about: by its path, or by whose file it names.
//!
//! One lock orders all file calls of the process, so that one number, the stamp, names a moment on all disks at once.

use super::kernel::keeping_error_number;
use super::world::{Place, World};
use crate::simfs::model::{Ino, ROOT};
use libc::c_int;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Open files: whose they are, and which.
pub type Files = BTreeMap<c_int, (u64, Ino)>;

/// The recorded folders.
pub struct Registry {
    /// By the number of their drive.
    pub worlds: BTreeMap<u64, World>,
    /// Files that are open below any of them.
    pub files: Files,
    /// Drives so far.
    pub drives: u64,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { worlds: BTreeMap::new(), files: BTreeMap::new(), drives: 0 });

/// Operations recorded so far, on all disks. Changed only under the lock.
static STAMP: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// True while this thread is in here: its own file calls then pass untouched.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs file calls of the harness itself, unrecorded.
pub fn unrecorded<R>(act: impl FnOnce() -> R) -> R {
    let before = INSIDE.with(|inside| inside.replace(true));
    let result = act();
    INSIDE.with(|inside| inside.set(before));
    result
}

/// Operations recorded so far, on all disks: a moment, see [`super::Recording::stamps`].
pub fn stamp() -> u64 {
    STAMP.load(Ordering::SeqCst)
}

/// The moment of an operation that is recorded now.
pub fn next_stamp() -> u64 {
    STAMP.fetch_add(1, Ordering::SeqCst) + 1
}

/// Waits for the registry. The wait is a system call too, and may come between the caller's call and the error of it.
fn registry() -> MutexGuard<'static, Registry> {
    keeping_error_number(|| REGISTRY.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Acts on the registry, from the harness.
pub fn with_registry<R>(act: impl FnOnce(&mut Registry) -> R) -> R {
    unrecorded(|| act(&mut registry()))
}

/// Acts on the registry, from a file call. `None` when that call was made from in here.
pub fn observe<R>(act: impl FnOnce(&mut Registry) -> Option<R>) -> Option<R> {
    if INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true) {
        return None;
    }
    let result = act(&mut registry());
    let _ = INSIDE.try_with(|inside| inside.set(false));
    result
}

/// Acts on the disk that a path leads to. `None` when there is none, or its power is cut.
pub fn at_path<R>(
    dirfd: c_int,
    path: Option<&str>,
    act: impl FnOnce(&mut World, Place, &mut Files) -> Option<R>,
) -> Option<R> {
    observe(|registry| {
        let (drive, place) = registry.place(dirfd, path?)?;
        act(registry.worlds.get_mut(&drive)?, place, &mut registry.files)
    })
}

/// Acts on the disk that an open file is on. `None` when there is none, or its power is cut.
pub fn at_file<R>(fd: c_int, act: impl FnOnce(&mut World, Ino) -> Option<R>) -> Option<R> {
    observe(|registry| {
        let (drive, ino) = *registry.files.get(&fd)?;
        let world = registry.worlds.get_mut(&drive)?;
        if world.cut { None } else { act(world, ino) }
    })
}

impl Registry {
    /// Where a path leads: to which drive, and to what on it. `None` when to none whose power is on.
    pub fn place(&self, dirfd: c_int, path: &str) -> Option<(u64, Place)> {
        let (drive, folder, rest) = if path.starts_with('/') {
            let below = |(drive, world): (&u64, &World)| {
                let rest = Path::new(path).strip_prefix(&world.root).ok()?.to_str()?.to_owned();
                Some((*drive, ROOT, rest))
            };
            self.worlds.iter().find_map(below)?
        } else {
            let (drive, folder) = *self.files.get(&dirfd)?;
            (drive, folder, path.to_owned())
        };
        let world = self.worlds.get(&drive).filter(|world| !world.cut)?;
        Some((drive, world.place(folder, &rest)?))
    }
}
