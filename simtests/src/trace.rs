//! The rolling hash of a run: virtual time, event, bytes and file operations, in the order in which they happened.
//!
//! Two runs of one plan on one build have the same hash, also in two processes; the determinism job proves it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

struct Trace {
    hash: Xxh3,
    events: u64,
    print: bool,
    /// Where this process keeps its disks: errors name it, and it differs from process to process.
    disks: String,
    last: VecDeque<String>,
}

/// Events that a failure shows.
const LAST_MAX: usize = 20;

static TRACE: Mutex<Option<Trace>> = Mutex::new(None);

/// Begins a trace of a process that keeps its disks below `disks`; with `print` each event is also a line on standard
/// output.
pub fn begin(print: bool, disks: &Path) {
    let disks = disks.to_string_lossy().into_owned();
    *TRACE.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(Trace { hash: Xxh3::new(), events: 0, print, disks, last: VecDeque::new() });
}

/// Adds an event: who or what it is about, what happened, and bytes that only the hash takes in.
pub fn event(subject: &str, what: &str, bytes: &[u8]) {
    let mut guard = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(trace) = guard.as_mut() else { return };
    let micros = micros();
    let what = &what.replace(&trace.disks, "");
    trace.hash.update(&micros.to_le_bytes());
    for part in [subject.as_bytes(), what.as_bytes(), bytes] {
        trace.hash.update(&(part.len() as u64).to_le_bytes());
        trace.hash.update(part);
    }
    trace.events += 1;
    if !subject.starts_with("disk") {
        if trace.last.len() == LAST_MAX {
            trace.last.pop_front();
        }
        trace.last.push_back(line(micros, subject, &what.chars().take(300).collect::<String>(), &[]));
    }
    if trace.print {
        print_line(micros, subject, what, bytes);
    }
}

/// The last events but those of the disk.
pub fn last() -> Vec<String> {
    let guard = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
    guard.as_ref().map(|trace| trace.last.iter().cloned().collect()).unwrap_or_default()
}

#[allow(clippy::print_stdout, reason = "a trace that was asked for is this program's output")]
fn print_line(micros: u64, subject: &str, what: &str, bytes: &[u8]) {
    println!("{}", line(micros, subject, what, bytes));
}

fn line(micros: u64, subject: &str, what: &str, bytes: &[u8]) -> String {
    let digest = match bytes {
        [] => String::new(),
        bytes => format!(" #{:016x}", xxhash_rust::xxh3::xxh3_64(bytes)),
    };
    format!("{:>4}.{:06} {subject} {what}{digest}", micros / 1_000_000, micros % 1_000_000)
}

/// The hash and the number of events so far.
pub fn digest() -> (u64, u64) {
    let guard = TRACE.lock().unwrap_or_else(PoisonError::into_inner);
    guard.as_ref().map_or((0, 0), |trace| (trace.hash.digest(), trace.events))
}

/// Virtual microseconds since the run began; 0 outside simulation.
pub fn micros() -> u64 {
    #[cfg(madsim)]
    if let Some(time) = madsim::time::TimeHandle::try_current() {
        return u64::try_from(time.elapsed().as_micros()).unwrap_or(u64::MAX);
    }
    0
}

/// A file name without what chance put into it: temporary files are named by a source that no seed decides.
pub fn masked(path: &str) -> String {
    path.split('/').map(|name| if name.starts_with(".tmp") { ".tmp" } else { name }).collect::<Vec<_>>().join("/")
}
