//! Calls that change what is in files, and those that make it durable.

use super::kernel::{fail, kernel, small};
use super::registry::at_file;
use crate::simfs::faults::{Kind, Verdict};
use crate::simfs::model::{Op, PAGE_BYTES};
use libc::{c_int, c_long, c_void, iovec, off64_t, size_t, ssize_t};

/// Writes `count` bytes for one of the write calls; at the file's position when `offset` is absent.
///
/// # Safety
/// `bytes` points to at least `count` readable bytes.
unsafe fn write_at(fd: c_int, bytes: *const c_void, count: size_t, offset: Option<off64_t>) -> ssize_t {
    let forward = |count: size_t| match offset {
        Some(offset) => kernel!(SYS_pwrite64, fd, bytes, count, offset) as ssize_t,
        None => kernel!(SYS_write, fd, bytes, count) as ssize_t,
    };
    if fd <= 2 {
        return forward(count);
    }
    let watched = at_file(fd, |world, ino| {
        let count = match world.meet(Kind::Write, ino) {
            Verdict::Pass => count,
            Verdict::Short(most) => count.min(usize::try_from(most).unwrap_or(usize::MAX)),
            Verdict::Fail(errno) => return Some(fail(errno) as ssize_t),
        };
        let start = match offset {
            Some(offset) => offset,
            None => kernel!(SYS_lseek, fd, 0, libc::SEEK_CUR),
        };
        if let Err(errno) = world.take_space(ino, u64::try_from(start).unwrap_or(0), count as u64) {
            return Some(fail(errno) as ssize_t);
        }
        let written = forward(count);
        if let Ok(length @ 1..) = usize::try_from(written) {
            let start = match offset {
                Some(offset) => offset,
                // Also right for files that are appended to: the position is behind what was written.
                None => kernel!(SYS_lseek, fd, 0, libc::SEEK_CUR) - written as c_long,
            };
            // SAFETY: the caller's contract, and `length` is at most `count`.
            let data = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
            world.record(Op::Write { ino, offset: u64::try_from(start).unwrap_or(0), data: data.into() });
        }
        Some(written)
    });
    watched.unwrap_or_else(|| forward(count))
}

/// # Safety
/// As write(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { write_at(fd, bytes, count, None) }
}

/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { write_at(fd, bytes, count, Some(offset)) }
}

/// # Safety
/// As pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { write_at(fd, bytes, count, Some(offset)) }
}

/// # Safety
/// `vectors` points to `count` valid vectors of readable bytes.
unsafe fn write_vectors(fd: c_int, vectors: *const iovec, count: c_int, offset: Option<off64_t>) -> ssize_t {
    let mut total: ssize_t = 0;
    for place in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller's contract: `count` vectors.
        let vector = unsafe { &*vectors.add(place) };
        if vector.iov_len == 0 {
            continue;
        }
        let at = offset.map(|offset| offset + total as off64_t);
        // SAFETY: the caller's contract: each vector is readable.
        let written = unsafe { write_at(fd, vector.iov_base, vector.iov_len, at) };
        if written < 0 {
            return if total > 0 { total } else { written };
        }
        total += written;
        if written.unsigned_abs() < vector.iov_len {
            break;
        }
    }
    total
}

/// # Safety
/// As writev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, vectors: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { write_vectors(fd, vectors, count, None) }
}

/// # Safety
/// As pwritev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev(fd: c_int, vectors: *const iovec, count: c_int, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { write_vectors(fd, vectors, count, Some(offset)) }
}

/// # Safety
/// As pwritev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev64(fd: c_int, vectors: *const iovec, count: c_int, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's contract.
    unsafe { write_vectors(fd, vectors, count, Some(offset)) }
}

fn sync(fd: c_int, data_only: bool) -> c_int {
    let watched = at_file(fd, |world, ino| {
        if let Verdict::Fail(errno) = world.meet(Kind::Sync, ino) {
            world.record(Op::SyncFailed { ino });
            return Some(fail(errno));
        }
        // A tmpfs has no device behind it: the record is all there is to do.
        world.record(Op::Sync { ino });
        Some(0)
    });
    watched.unwrap_or_else(|| match data_only {
        true => small(kernel!(SYS_fdatasync, fd)),
        false => small(kernel!(SYS_fsync, fd)),
    })
}

/// # Safety
/// As fsync(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd, false)
}

/// # Safety
/// As fdatasync(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd, true)
}

/// # Safety
/// As ftruncate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, length: off64_t) -> c_int {
    let watched = at_file(fd, |world, ino| {
        if let Verdict::Fail(errno) = world.meet(Kind::Write, ino) {
            return Some(fail(errno));
        }
        let result = small(kernel!(SYS_ftruncate, fd, length));
        if result == 0 {
            let len = u64::try_from(length).unwrap_or(0);
            if let Some(pages) = world.space.get_mut(&ino) {
                pages.retain(|page| page * PAGE_BYTES < len);
            }
            world.record(Op::Truncate { ino, len });
        }
        Some(result)
    });
    watched.unwrap_or_else(|| small(kernel!(SYS_ftruncate, fd, length)))
}

/// # Safety
/// As ftruncate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { ftruncate(fd, length) }
}

fn allocate(fd: c_int, mode: c_int, offset: off64_t, length: off64_t) -> c_int {
    let watched = at_file(fd, |world, ino| {
        if mode != 0 {
            world.escape("fallocate with a mode");
        }
        let (start, count) = (u64::try_from(offset).unwrap_or(0), u64::try_from(length).unwrap_or(0));
        if let Err(errno) = world.take_space(ino, start, count) {
            return Some(fail(errno));
        }
        let result = small(kernel!(SYS_fallocate, fd, mode, offset, length));
        if result == 0 {
            world.record(Op::Allocate { ino, len: start + count });
        }
        Some(result)
    });
    watched.unwrap_or_else(|| small(kernel!(SYS_fallocate, fd, mode, offset, length)))
}

/// # Safety
/// As fallocate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate(fd: c_int, mode: c_int, offset: off64_t, length: off64_t) -> c_int {
    allocate(fd, mode, offset, length)
}

/// # Safety
/// As fallocate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate64(fd: c_int, mode: c_int, offset: off64_t, length: off64_t) -> c_int {
    allocate(fd, mode, offset, length)
}
