//! Calls that open, close and duplicate files.

use super::kernel::{fail, kernel, small, text};
use super::registry::{at_path, observe};
use super::world::Place;
use crate::simfs::faults::{Kind, Verdict};
use crate::simfs::model::Op;
use libc::{c_char, c_int, c_long, mode_t};

/// The number belongs to none of our files any more.
fn forget(fd: c_int) {
    observe(|registry| registry.files.remove(&fd));
}

/// # Safety
/// As open(2).
unsafe fn open_at(dirfd: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    let name = unsafe { text(path) };
    let watched = at_path(dirfd, name, |world, place, files| {
        let known = world.ino(&place);
        let creates = known.is_none() && flags & libc::O_CREAT != 0;
        if creates
            && let Verdict::Fail(errno) = {
                let Place::In(folder, _) = &place else { return None };
                world.meet(Kind::Create, *folder)
            }
        {
            return Some(fail(errno));
        }
        let fd = small(kernel!(SYS_openat, dirfd, path, flags, mode));
        if fd < 0 {
            return Some(fd);
        }
        let ino = match (known, place) {
            (Some(ino), _) => ino,
            (None, Place::In(folder, name)) if creates => {
                let ino = world.disk.next_ino();
                world.record(Op::Create { folder, name, ino });
                ino
            }
            _ => {
                world.escape("open of a file that the record does not know");
                return Some(fd);
            }
        };
        if flags & libc::O_TRUNC != 0 && !creates {
            world.space.remove(&ino);
            world.record(Op::Truncate { ino, len: 0 });
        }
        files.insert(fd, (world.drive, ino));
        Some(fd)
    });
    watched.unwrap_or_else(|| {
        let fd = small(kernel!(SYS_openat, dirfd, path, flags, mode));
        // The number may have belonged to a file of ours that the C library closed by itself.
        forget(fd);
        fd
    })
}

/// # Safety
/// As open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { open_at(libc::AT_FDCWD, path, flags | libc::O_LARGEFILE, mode) }
}

/// # Safety
/// As openat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(dirfd: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { open_at(dirfd, path, flags, mode) }
}

/// # Safety
/// As openat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(dirfd: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { open_at(dirfd, path, flags | libc::O_LARGEFILE, mode) }
}

/// # Safety
/// As close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    forget(fd);
    small(kernel!(SYS_close, fd))
}

/// # Safety
/// As fcntl(2). The C function takes its third argument only for some commands; the register is passed on unread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int {
    let result = small(kernel!(SYS_fcntl, fd, command, argument));
    if result >= 0 && (command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC) {
        observe(|registry| {
            let file = *registry.files.get(&fd)?;
            registry.files.insert(result, file)
        });
    }
    result
}

/// # Safety
/// As fcntl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { fcntl(fd, command, argument) }
}
