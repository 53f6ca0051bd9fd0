//! Calls that read: only faults touch them.

use super::kernel::{fail, kernel};
use super::registry::at_file;
use crate::simfs::faults::{Kind, Verdict};
use libc::{c_int, c_void, iovec, off64_t, size_t, ssize_t};

/// The error that a read must answer, if a fault says so.
fn read_fault(fd: c_int) -> Option<c_int> {
    at_file(fd, |world, ino| match world.meet(Kind::Read, ino) {
        Verdict::Fail(errno) => Some(errno),
        Verdict::Pass | Verdict::Short(_) => None,
    })
}

/// # Safety
/// As read(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: c_int, bytes: *mut c_void, count: size_t) -> ssize_t {
    match read_fault(fd) {
        Some(errno) => fail(errno) as ssize_t,
        None => kernel!(SYS_read, fd, bytes, count) as ssize_t,
    }
}

/// # Safety
/// As pread(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread(fd: c_int, bytes: *mut c_void, count: size_t, offset: off64_t) -> ssize_t {
    match read_fault(fd) {
        Some(errno) => fail(errno) as ssize_t,
        None => kernel!(SYS_pread64, fd, bytes, count, offset) as ssize_t,
    }
}

/// # Safety
/// As pread(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread64(fd: c_int, bytes: *mut c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { pread(fd, bytes, count, offset) }
}

/// # Safety
/// As readv(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn readv(fd: c_int, vectors: *const iovec, count: c_int) -> ssize_t {
    match read_fault(fd) {
        Some(errno) => fail(errno) as ssize_t,
        None => kernel!(SYS_readv, fd, vectors, count) as ssize_t,
    }
}
