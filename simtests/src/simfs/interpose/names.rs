//! Calls that change names: new folders, removals, renames.

use super::kernel::{kernel, small, text};
use super::registry::{at_path, observe};
use super::world::Place;
use crate::simfs::model::Op;
use libc::{c_char, c_int, c_uint, mode_t};

fn make_folder(dirfd: c_int, path: *const c_char, name: Option<&str>, mode: mode_t) -> c_int {
    let watched = at_path(dirfd, name, |world, place, _| {
        let Place::In(folder, name) = place else { return None };
        let result = small(kernel!(SYS_mkdirat, dirfd, path, mode));
        if result == 0 {
            let ino = world.disk.next_ino();
            world.record(Op::MakeFolder { folder, name, ino });
        }
        Some(result)
    });
    watched.unwrap_or_else(|| small(kernel!(SYS_mkdirat, dirfd, path, mode)))
}

/// # Safety
/// As mkdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    make_folder(libc::AT_FDCWD, path, unsafe { text(path) }, mode)
}

/// # Safety
/// As mkdirat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdirat(dirfd: c_int, path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    make_folder(dirfd, path, unsafe { text(path) }, mode)
}

fn remove(dirfd: c_int, path: *const c_char, name: Option<&str>, flags: c_int) -> c_int {
    let watched = at_path(dirfd, name, |world, place, _| {
        let known = world.ino(&place);
        let Place::In(folder, name) = place else { return None };
        let result = small(kernel!(SYS_unlinkat, dirfd, path, flags));
        if result == 0 {
            if let Some(ino) = known {
                world.space.remove(&ino);
            }
            world.record(Op::Remove { folder, name });
        }
        Some(result)
    });
    watched.unwrap_or_else(|| small(kernel!(SYS_unlinkat, dirfd, path, flags)))
}

/// # Safety
/// As unlink(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's contract.
    remove(libc::AT_FDCWD, path, unsafe { text(path) }, 0)
}

/// # Safety
/// As rmdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: the caller's contract.
    remove(libc::AT_FDCWD, path, unsafe { text(path) }, libc::AT_REMOVEDIR)
}

/// # Safety
/// As unlinkat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(dirfd: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's contract.
    remove(dirfd, path, unsafe { text(path) }, flags)
}

/// A folder's handle and a path from it, as the rename calls take two of.
type From = (c_int, *const c_char);

/// # Safety
/// As renameat2(2).
unsafe fn rename_at(from: From, to: From, flags: c_uint) -> c_int {
    let forward = || small(kernel!(SYS_renameat2, from.0, from.1, to.0, to.1, flags));
    // SAFETY: the caller's contract.
    let (source, target) = unsafe { (text(from.1), text(to.1)) };
    let watched = observe(|registry| {
        let places = (registry.place(from.0, source?), registry.place(to.0, target?));
        let (drive, folder, name, target_folder, target_name) = match places {
            (Some((one, Place::In(folder, name))), Some((other, Place::In(into, new)))) if one == other => {
                (one, folder, name, into, new)
            }
            (None, None) => return None,
            (Some((drive, _)), _) | (None, Some((drive, _))) => {
                registry.worlds.get_mut(&drive)?.escape("rename into or out of the folder");
                return None;
            }
        };
        let world = registry.worlds.get_mut(&drive)?;
        if flags & libc::RENAME_EXCHANGE != 0 {
            world.escape("rename that exchanges two names");
        }
        if let Some(replaced) = world.disk.child(target_folder, &target_name) {
            world.space.remove(&replaced);
        }
        let result = forward();
        if result == 0 {
            world.record(Op::Rename { from: (folder, name), to: (target_folder, target_name) });
        }
        Some(result)
    });
    watched.unwrap_or_else(forward)
}

/// # Safety
/// As rename(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { rename_at((libc::AT_FDCWD, from), (libc::AT_FDCWD, to), 0) }
}

/// # Safety
/// As renameat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat(fromfd: c_int, from: *const c_char, tofd: c_int, to: *const c_char) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { rename_at((fromfd, from), (tofd, to), 0) }
}

/// # Safety
/// As renameat2(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat2(
    fromfd: c_int,
    from: *const c_char,
    tofd: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { rename_at((fromfd, from), (tofd, to), flags) }
}
