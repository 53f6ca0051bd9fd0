//! Calls that the model does not know: forwarded, and reported when they are about a recorded folder.

use super::kernel::{kernel, small, text};
use super::registry::observe;
use libc::{c_char, c_int, off64_t};

/// Reports a call that the model does not know, when it is about a recorded folder.
fn report(call: &str, path: Option<&str>, fd: Option<c_int>) {
    observe(|registry| {
        let below = path.and_then(|path| registry.place(libc::AT_FDCWD, path)).map(|(drive, _)| drive);
        let drive = below.or_else(|| registry.files.get(&fd?).map(|(drive, _)| *drive))?;
        registry.worlds.get_mut(&drive).filter(|world| !world.cut).map(|world| world.escape(call))
    });
}

/// # Safety
/// As link(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's contract.
    report("link", unsafe { text(to) }, None);
    small(kernel!(SYS_linkat, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0))
}

/// # Safety
/// As linkat(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(
    fromfd: c_int,
    from: *const c_char,
    tofd: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's contract.
    report("linkat", unsafe { text(to) }, Some(tofd));
    small(kernel!(SYS_linkat, fromfd, from, tofd, to, flags))
}

/// # Safety
/// As symlink(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn symlink(target: *const c_char, path: *const c_char) -> c_int {
    // SAFETY: the caller's contract.
    report("symlink", unsafe { text(path) }, None);
    small(kernel!(SYS_symlinkat, target, libc::AT_FDCWD, path))
}

/// # Safety
/// As truncate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truncate64(path: *const c_char, length: off64_t) -> c_int {
    // SAFETY: the caller's contract.
    report("truncate", unsafe { text(path) }, None);
    small(kernel!(SYS_truncate, path, length))
}
