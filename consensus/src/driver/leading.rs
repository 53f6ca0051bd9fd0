//! What a leader knows beside the log, for as long as it leads: the newest version, the window, the watermark.

use crate::window::Window;
use std::time::Duration;
use vivarium_storage::Version;
use vivarium_storage::runtime::{Instant, Runtime, mutant};

/// How much history stays readable, so that cursors and running queries keep their snapshot.
const HISTORY_MICROS: u64 = 15 * 60 * 1_000_000;
/// How often the watermark moves. History is kept so much longer than promised, at most.
const WATERMARK_EVERY: Duration = Duration::from_secs(60);
/// When a new leader first moves it: a node that never runs for long must not keep history for ever.
const WATERMARK_FIRST: Duration = Duration::from_secs(1);

/// A leader's term.
pub(super) struct Leading {
    /// The first entry of its term: once that is applied, all that its predecessors left is.
    pub since: u64,
    /// The entry that was known to be committed when nobody followed any more: others may have answered reads of those up to
    /// it. `None` while somebody follows.
    pub alone_since: Option<u64>,
    /// The newest version in the log.
    last: Version,
    window: Window,
    watermark_due: Instant,
}

impl Leading {
    /// Begins with what the log says.
    pub fn new(since: u64, last: Version, now: Instant) -> Leading {
        // A planted bug: a leader that trusts its empty window.
        let floor = if mutant("txn-11") { Version(0) } else { last };
        Leading { since, alone_since: None, last, window: Window::new(floor), watermark_due: now + WATERMARK_FIRST }
    }

    /// The newest version in the log.
    pub fn last(&self) -> Version {
        self.last
    }

    /// What is known of recent writes.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The version of the next commit: by the clock, unless the clock is behind the log.
    pub fn next_version(&self, runtime: &Runtime) -> Version {
        if mutant("time-01") {
            return Version(runtime.now_micros());
        }
        Version(runtime.now_micros().max(self.last.0 + 1))
    }

    /// A commit went into the log.
    pub fn wrote(&mut self, version: Version, keys: Vec<(vivarium_storage::Space, vivarium_storage::Key)>) {
        self.window.add(version, keys);
        self.last = version;
    }

    /// When the watermark is to be looked at again.
    pub fn watermark_due(&self) -> Instant {
        self.watermark_due
    }

    /// The watermark that is due, and the time of the next. It stays at or below what is applied, so that the
    /// newest snapshot can always be read, however long ago the last commit was.
    pub fn next_watermark(&mut self, now: Instant, micros: u64, applied: Version) -> Version {
        self.watermark_due = now + WATERMARK_EVERY;
        Version(micros.saturating_sub(HISTORY_MICROS)).min(applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_storage::runtime::now;

    #[test]
    fn versions_go_by_the_clock_unless_it_is_behind_the_log() {
        let runtime = Runtime::seeded(1);
        let clock = runtime.now_micros();
        let behind = Leading::new(1, Version(clock - 1_000_000), now());
        assert!(behind.next_version(&runtime).0 >= clock);
        let ahead = Leading::new(1, Version(clock + 3_600_000_000), now());
        assert_eq!(ahead.next_version(&runtime).0, clock + 3_600_000_001);
    }

    #[test]
    fn the_watermark_follows_the_clock_and_never_passes_the_newest_commit() {
        let now = now();
        let mut leading = Leading::new(1, Version(0), now);
        assert_eq!(leading.watermark_due(), now + WATERMARK_FIRST);
        let later = now + WATERMARK_EVERY;
        assert_eq!(leading.next_watermark(later, HISTORY_MICROS + 50, Version(HISTORY_MICROS)), Version(50));
        assert_eq!(leading.watermark_due(), later + WATERMARK_EVERY);
        assert_eq!(leading.next_watermark(later, 10 * HISTORY_MICROS, Version(70)), Version(70));
    }

    #[test]
    fn a_commit_moves_the_newest_version_and_fills_the_window() {
        let mut leading = Leading::new(1, Version(5), now());
        leading.wrote(Version(9), vec![(vivarium_storage::Space::Index, Box::new([1]))]);
        assert_eq!(leading.last(), Version(9));
        let mut footprint = crate::footprint::Footprint::default();
        let key: vivarium_storage::Key = Box::new([1]);
        footprint.key(vivarium_storage::Space::Index, &key);
        footprint.settle();
        assert!(!leading.window().admits(Version(8), &footprint));
        assert!(leading.window().admits(Version(9), &footprint));
    }
}
