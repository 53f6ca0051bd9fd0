//! The way past our own definitions: raw system calls, and what C functions take and answer.

use libc::{c_char, c_int, c_long};
use std::ffi::CStr;

/// A raw system call.
macro_rules! kernel {
    ($number:ident $(, $argument:expr)*) => {
        // SAFETY: the arguments are those that the caller gave to the C function of the same meaning, whose contract
        // it has to keep, or values of our own (flags, fixed paths).
        unsafe { libc::syscall(libc::$number $(, $argument)*) }
    };
}
pub(super) use kernel;

/// A path that the caller of a C function passed.
///
/// # Safety
/// `path` is null or a string that ends in a zero byte, as the C function that was called demands.
pub unsafe fn text<'a>(path: *const c_char) -> Option<&'a str> {
    if path.is_null() {
        return None;
    }
    // SAFETY: not null, and terminated by the caller's contract.
    unsafe { CStr::from_ptr(path) }.to_str().ok()
}

/// The answer of a call that failed.
pub fn fail(errno: c_int) -> c_int {
    set_error_number(errno);
    -1
}

fn set_error_number(errno: c_int) {
    // SAFETY: the C library's own place for this thread's error number, always valid.
    unsafe { *libc::__errno_location() = errno };
}

/// Acts, and leaves this thread's error number as it was.
pub fn keeping_error_number<R>(act: impl FnOnce() -> R) -> R {
    // SAFETY: the C library's own place for this thread's error number, always valid.
    let before = unsafe { *libc::__errno_location() };
    let result = act();
    set_error_number(before);
    result
}

/// The answer of a system call as most C functions give it.
pub fn small(value: c_long) -> c_int {
    c_int::try_from(value).unwrap_or(-1)
}
