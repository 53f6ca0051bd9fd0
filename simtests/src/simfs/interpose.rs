//! The C library's file calls, in front of the C library's: forwarded as raw system calls, recorded below one folder.
//!
//! Whatever is not below that folder passes untouched. Calls that the model does not know are reported as escapes.

#![allow(unsafe_code, reason = "defines C functions and makes raw system calls; nothing else in the crate does")]

use super::faults::{Fault, Faults, Kind, Verdict};
use super::model::{Disk, Ino, Op, PAGE_BYTES, ROOT};
use crate::trace;
use libc::{c_char, c_int, c_long, c_uint, c_void, iovec, mode_t, off64_t, size_t, ssize_t};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What was recorded between [`start`] and [`stop`].
#[derive(Clone, Debug)]
pub struct Recording {
    /// The disk when the recording began.
    pub before: Disk,
    /// The disk when it ended, or when the power was cut.
    pub after: Disk,
    /// Every operation in between.
    pub ops: Vec<Op>,
    /// True when the power was cut before the recording ended: the folder went on changing after the record.
    pub cut: bool,
    /// Faults that fired.
    pub fired: u64,
    /// Calls that the model does not know, below the folder.
    pub escaped: Vec<String>,
}

struct World {
    root: PathBuf,
    before: Disk,
    disk: Disk,
    ops: Vec<Op>,
    /// Changes recorded so far: `ops` without the marks.
    changes: u64,
    cut_at: Option<u64>,
    cut: bool,
    open: BTreeMap<c_int, Ino>,
    faults: Faults,
    space: BTreeMap<Ino, BTreeSet<u64>>,
    escaped: Vec<String>,
}

static WORLD: Mutex<Option<World>> = Mutex::new(None);

thread_local! {
    /// True while this thread is in here: its own file calls then pass untouched.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Acts on the world. `None` when nothing is recorded, when the power is cut, or when called from in here.
fn with<R>(act: impl FnOnce(&mut World) -> Option<R>) -> Option<R> {
    if INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true) {
        return None;
    }
    let result = WORLD.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(act);
    let _ = INSIDE.try_with(|inside| inside.set(false));
    result
}

/// As [`with`], but only while the power is on.
fn with_power<R>(act: impl FnOnce(&mut World) -> Option<R>) -> Option<R> {
    with(|world| if world.cut { None } else { act(world) })
}

/// Begins to record everything below `root`, which holds exactly what `disk` says.
pub fn start(root: &Path, disk: Disk) {
    with_slot(|slot| {
        *slot = Some(World {
            root: root.to_owned(),
            before: disk.clone(),
            disk,
            ops: Vec::new(),
            changes: 0,
            cut_at: None,
            cut: false,
            open: BTreeMap::new(),
            faults: Faults::default(),
            space: BTreeMap::new(),
            escaped: Vec::new(),
        });
    });
}

/// Ends the recording.
pub fn stop() -> Option<Recording> {
    let world = with_slot(Option::take)?;
    Some(Recording {
        before: world.before,
        after: world.disk,
        ops: world.ops,
        cut: world.cut,
        fired: world.faults.fired,
        escaped: world.escaped,
    })
}

fn with_slot<R>(act: impl FnOnce(&mut Option<World>) -> R) -> R {
    let before = INSIDE.with(|inside| inside.replace(true));
    let result = act(&mut WORLD.lock().unwrap_or_else(PoisonError::into_inner));
    INSIDE.with(|inside| inside.set(before));
    result
}

/// Notes a moment in the record. True when the power is still on.
pub fn mark(number: u64) -> bool {
    with_power(|world| {
        world.ops.push(Op::Mark(number));
        Some(())
    })
    .is_some()
}

/// Cuts the power now: nothing after this moment reaches the record.
pub fn cut() {
    with(|world| {
        world.cut = true;
        Some(())
    });
}

/// Cuts the power right after the `changes`-th change from now.
pub fn cut_after(changes: u64) {
    with(|world| {
        world.cut_at = Some(world.changes + changes);
        Some(())
    });
}

/// True when the power is cut, or nothing is recorded.
pub fn is_cut() -> bool {
    with(|world| Some(world.cut)).unwrap_or(true)
}

/// Changes recorded so far.
pub fn changes() -> u64 {
    with(|world| Some(world.changes)).unwrap_or(0)
}

/// Operations recorded so far, marks included: a place in [`Recording::ops`].
pub fn position() -> usize {
    with(|world| Some(world.ops.len())).unwrap_or(0)
}

/// Arms a fault.
pub fn arm(fault: Fault) {
    with(|world| {
        world.faults.arm(fault);
        Some(())
    });
}

/// Limits the space of all files to what they take now and so many bytes more.
pub fn limit_space(bytes_more: u64) {
    with(|world| {
        let used = world.space.values().map(|pages| pages.len() as u64 * PAGE_BYTES).sum::<u64>();
        world.faults.quota_bytes = Some(used + bytes_more);
        Some(())
    });
}

/// Takes all faults and the limit of space away.
pub fn disarm() {
    with(|world| {
        world.faults.disarm();
        Some(())
    });
}

/// Faults that fired: all, and those on calls that change the disk.
pub fn fired() -> (u64, u64) {
    with(|world| Some((world.faults.fired, world.faults.fired_on_change))).unwrap_or((0, 0))
}

/// How many fsyncs failed.
pub fn failed_syncs() -> usize {
    with(|world| Some(world.ops.iter().filter(|op| matches!(op, Op::SyncFailed { .. })).count())).unwrap_or(0)
}

/// The disk as it is now, and the calls so far that the model does not know.
pub fn look() -> (Disk, Vec<String>) {
    with(|world| Some((world.disk.clone(), world.escaped.clone()))).unwrap_or_default()
}

/// Runs file calls of the harness itself, unrecorded.
pub fn unrecorded<R>(act: impl FnOnce() -> R) -> R {
    let before = INSIDE.with(|inside| inside.replace(true));
    let result = act();
    INSIDE.with(|inside| inside.set(before));
    result
}

/// Where a path leads, if it is below the folder.
enum Place {
    Root,
    In(Ino, String),
}

impl World {
    fn record(&mut self, op: Op) {
        self.disk.apply(&op);
        self.trace(&op);
        self.ops.push(op);
        self.changes += 1;
        if self.cut_at.is_some_and(|at| self.changes >= at) {
            self.cut = true;
            trace::event("disk", "power cut", &[]);
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
            Op::Mark(number) => (format!("mark {number}"), &[]),
        };
        trace::event("disk", &what, bytes);
    }

    fn place(&self, dirfd: c_int, path: &str) -> Option<Place> {
        let (mut folder, rest) = if path.starts_with('/') {
            (ROOT, Path::new(path).strip_prefix(&self.root).ok()?.to_str()?)
        } else {
            (*self.open.get(&dirfd)?, path)
        };
        let mut parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let Some(name) = parts.pop() else {
            return (folder == ROOT).then_some(Place::Root);
        };
        for part in parts {
            folder = self.disk.child(folder, part)?;
        }
        Some(Place::In(folder, name.to_owned()))
    }

    /// The file or folder behind a place.
    fn ino(&self, place: &Place) -> Option<Ino> {
        match place {
            Place::Root => Some(ROOT),
            Place::In(folder, name) => self.disk.child(*folder, name),
        }
    }

    fn meet(&mut self, kind: Kind, ino: Ino) -> Verdict {
        // The path costs a walk: only when something may happen.
        if !self.faults.is_armed() {
            return Verdict::Pass;
        }
        let path = self.disk.path(ino);
        let verdict = self.faults.meet(kind, &path);
        if verdict != Verdict::Pass {
            trace::event("disk", &format!("fault on {kind:?} of {}: {verdict:?}", trace::masked(&path)), &[]);
        }
        verdict
    }

    /// Takes up space for a write, or says that there is none.
    fn take_space(&mut self, ino: Ino, offset: u64, len: u64) -> Result<(), c_int> {
        let pages = Disk::pages_touched(offset, len);
        if let Some(quota) = self.faults.quota_bytes {
            let known = self.space.get(&ino);
            let fresh = pages.iter().filter(|page| !known.is_some_and(|known| known.contains(page))).count() as u64;
            let used = self.space.values().map(|pages| pages.len() as u64).sum::<u64>();
            if fresh > 0 && (used + fresh) * PAGE_BYTES > quota {
                trace::event("disk", "no space left", &[]);
                return Err(self.faults.out_of_space());
            }
        }
        self.space.entry(ino).or_default().extend(pages);
        Ok(())
    }

    fn escape(&mut self, call: &str) {
        self.escaped.push(call.to_owned());
    }
}

/// A path that the caller of a C function passed.
///
/// # Safety
/// `path` is null or a string that ends in a zero byte, as the C function that was called demands.
unsafe fn text<'a>(path: *const c_char) -> Option<&'a str> {
    if path.is_null() {
        return None;
    }
    // SAFETY: not null, and terminated by the caller's contract.
    unsafe { CStr::from_ptr(path) }.to_str().ok()
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: the C library's own place for this thread's error number, always valid.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// A raw system call: the way past our own definitions.
macro_rules! kernel {
    ($number:ident $(, $argument:expr)*) => {
        // SAFETY: the arguments are those that the caller gave to the C function of the same meaning, whose contract
        // it has to keep, or values of our own (flags, fixed paths).
        unsafe { libc::syscall(libc::$number $(, $argument)*) }
    };
}

fn small(value: c_long) -> c_int {
    c_int::try_from(value).unwrap_or(-1)
}

/// # Safety
/// As open(2).
unsafe fn open_at(dirfd: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract.
    let name = unsafe { text(path) };
    let watched = with_power(|world| {
        let place = world.place(dirfd, name?)?;
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
        world.open.insert(fd, ino);
        Some(fd)
    });
    watched.unwrap_or_else(|| {
        let fd = small(kernel!(SYS_openat, dirfd, path, flags, mode));
        // The number may have belonged to a file of ours that the C library closed by itself.
        with(|world| world.open.remove(&fd));
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
    with(|world| world.open.remove(&fd));
    small(kernel!(SYS_close, fd))
}

/// # Safety
/// As fcntl(2). The C function takes its third argument only for some commands; the register is passed on unread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int {
    let result = small(kernel!(SYS_fcntl, fd, command, argument));
    if result >= 0 && (command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC) {
        with(|world| {
            let ino = *world.open.get(&fd)?;
            world.open.insert(result, ino)
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
    let watched = with_power(|world| {
        let ino = *world.open.get(&fd)?;
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

/// The error that a read must answer, if a fault says so.
fn read_fault(fd: c_int) -> Option<c_int> {
    with_power(|world| {
        let ino = *world.open.get(&fd)?;
        match world.meet(Kind::Read, ino) {
            Verdict::Fail(errno) => Some(errno),
            Verdict::Pass | Verdict::Short(_) => None,
        }
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

fn sync(fd: c_int, data_only: bool) -> c_int {
    let watched = with_power(|world| {
        let ino = *world.open.get(&fd)?;
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
    let watched = with_power(|world| {
        let ino = *world.open.get(&fd)?;
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
    let watched = with_power(|world| {
        let ino = *world.open.get(&fd)?;
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

fn make_folder(dirfd: c_int, path: *const c_char, name: Option<&str>, mode: mode_t) -> c_int {
    let watched = with_power(|world| {
        let Place::In(folder, name) = world.place(dirfd, name?)? else { return None };
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
    let watched = with_power(|world| {
        let place = world.place(dirfd, name?)?;
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
    let watched = with_power(|world| {
        let places = (world.place(from.0, source?), world.place(to.0, target?));
        let (Some(Place::In(folder, name)), Some(Place::In(target_folder, target_name))) = places else {
            if places.0.is_some() || places.1.is_some() {
                world.escape("rename into or out of the folder");
            }
            return None;
        };
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

/// Reports a call that the model does not know, when it is about the folder.
fn report(call: &str, path: Option<&str>, fd: Option<c_int>) {
    with_power(|world| {
        let below = path.is_some_and(|path| world.place(libc::AT_FDCWD, path).is_some());
        let ours = fd.is_some_and(|fd| world.open.contains_key(&fd));
        (below || ours).then(|| world.escape(call))
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

#[cfg(test)]
#[path = "interpose_test.rs"]
mod tests;
