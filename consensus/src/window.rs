//! The conflict window: which keys were written lately, by which commit, applied or not.
//!
//! Invariant: it knows every write after its floor. Whoever read before the floor is refused.

use crate::footprint::{Footprint, Reads, SPACES, nth};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use vivarium_storage::{Key, Space, Version};

/// How long writes are remembered. Longer than any request may take.
const WINDOW_MICROS: u64 = 5 * 60 * 1_000_000;
/// Memory for remembered writes: some six seconds of importing 10,000 documents of five keys a second.
const WINDOW_BYTES_MAX: usize = 32 << 20;
/// What a remembered key costs beside its bytes: two pointers to it, its counts, its version, its share of a tree.
const KEY_OVERHEAD_BYTES: usize = 96;

/// The keys that recent commits wrote.
pub(crate) struct Window {
    floor: Version,
    newest: BTreeMapBySpace,
    commits: VecDeque<Written>,
    /// Keys written since the window was opened, forgotten ones included.
    keys_written: u64,
    bytes: usize,
    bytes_max: usize,
}

type BTreeMapBySpace = [BTreeMap<Arc<[u8]>, Version>; SPACES];

struct Written {
    version: Version,
    keys: Vec<(Space, Arc<[u8]>)>,
    /// [`Window::keys_written`] before this commit.
    written_before: u64,
    bytes: usize,
}

impl Window {
    /// An empty window of a leader whose log ends with `floor`.
    pub fn new(floor: Version) -> Window {
        Window {
            floor,
            newest: Default::default(),
            commits: VecDeque::new(),
            keys_written: 0,
            bytes: 0,
            bytes_max: WINDOW_BYTES_MAX,
        }
    }

    /// True when nothing that was looked at has been written after `snapshot`, for certain. The footprint is settled.
    pub fn admits(&self, snapshot: Version, footprint: &Footprint) -> bool {
        if snapshot < self.floor {
            return false;
        }
        let since = self.commits.partition_point(|commit| commit.version <= snapshot);
        if since == self.commits.len() {
            return true;
        }
        let keys_since = self.keys_written - self.commits[since].written_before;
        footprint.spaces().iter().enumerate().all(|(space, reads)| {
            reads.is_empty()
                || (self.keys_unwritten(space, reads, snapshot)
                    && self.ranges_unwritten(space, reads, since, keys_since))
        })
    }

    /// Remembers a commit. Versions ascend.
    pub fn add(&mut self, version: Version, keys: Vec<(Space, Key)>) {
        let newest = self.commits.back().map_or(self.floor, |commit| commit.version);
        assert!(version > newest, "commit {version} follows {newest}");
        let mut written = Written {
            version,
            keys: Vec::with_capacity(keys.len()),
            written_before: self.keys_written,
            bytes: size_of::<Written>(),
        };
        for (space, key) in keys {
            let key: Arc<[u8]> = key.into();
            written.bytes += key.len() + KEY_OVERHEAD_BYTES;
            self.newest[nth(space)].insert(key.clone(), version);
            written.keys.push((space, key));
        }
        self.keys_written += written.keys.len() as u64;
        self.bytes += written.bytes;
        self.commits.push_back(written);
        self.forget(version);
    }

    fn keys_unwritten(&self, space: usize, reads: &Reads, snapshot: Version) -> bool {
        let newest = &self.newest[space];
        reads.keys().iter().all(|key| newest.get(&**key).is_none_or(|version| *version <= snapshot))
    }

    /// Looks at the keys of each range or, where fewer, at those that were written since the snapshot.
    fn ranges_unwritten(&self, space: usize, reads: &Reads, since: usize, keys_since: u64) -> bool {
        let Some(first) = self.commits.get(since) else { return true };
        let mut budget = keys_since;
        for range in reads.ranges() {
            let keys = self.newest[space]
                .range::<[u8], _>((std::ops::Bound::Included(&*range.start), std::ops::Bound::Excluded(&*range.end)));
            for (_, version) in keys {
                if *version >= first.version {
                    return false;
                }
                if budget == 0 {
                    return self.none_since_lies_in(space, reads, since);
                }
                budget -= 1;
            }
        }
        true
    }

    fn none_since_lies_in(&self, space: usize, reads: &Reads, since: usize) -> bool {
        let written = self.commits.range(since..).flat_map(|commit| &commit.keys);
        written.filter(|(of, _)| nth(*of) == space).all(|(_, key)| !reads.range_covers(key))
    }

    fn forget(&mut self, now: Version) {
        while let Some(oldest) = self.commits.front() {
            let aged = oldest.version.0.saturating_add(WINDOW_MICROS) < now.0;
            if !aged && self.bytes <= self.bytes_max {
                return;
            }
            let oldest = self.commits.pop_front().expect("it was looked at");
            self.floor = oldest.version;
            self.bytes -= oldest.bytes;
            for (space, key) in oldest.keys {
                let newest = &mut self.newest[nth(space)];
                if newest.get(&key) == Some(&oldest.version) {
                    newest.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vivarium_storage::KeyRange;

    fn key(number: u8) -> Key {
        Box::new([number])
    }

    #[derive(Clone, Debug)]
    struct Case {
        writes: Vec<Vec<(bool, u8)>>,
        snapshot: u64,
        keys: Vec<(bool, u8)>,
        ranges: Vec<(bool, u8, u8)>,
    }

    fn case() -> impl Strategy<Value = Case> {
        let spaced = || (any::<bool>(), 0u8..40);
        (
            prop::collection::vec(prop::collection::vec(spaced(), 0..6), 0..30),
            0u64..34,
            prop::collection::vec(spaced(), 0..4),
            prop::collection::vec((any::<bool>(), 0u8..40, 0u8..40), 0..4),
        )
            .prop_map(|(writes, snapshot, keys, ranges)| Case { writes, snapshot, keys, ranges })
    }

    fn space(index: bool) -> Space {
        if index { Space::Index } else { Space::Document }
    }

    fn footprint(case: &Case) -> Footprint {
        let mut footprint = Footprint::default();
        for (index, number) in &case.keys {
            footprint.key(space(*index), &key(*number));
        }
        for (index, start, end) in &case.ranges {
            footprint.range(space(*index), KeyRange { start: key(*start), end: key(*end) });
        }
        footprint.settle();
        footprint
    }

    /// Commit `n` of a case has version `n + 1`.
    fn conflicts(case: &Case) -> bool {
        let after = usize::try_from(case.snapshot).expect("small");
        case.writes.iter().skip(after).flatten().any(|(index, number)| {
            case.keys.contains(&(*index, *number))
                || case.ranges.iter().any(|(of, start, end)| of == index && (*start..*end).contains(number))
        })
    }

    fn filled(case: &Case, mut window: Window) -> Window {
        for (nth, keys) in case.writes.iter().enumerate() {
            let mut keys: Vec<_> = keys.iter().map(|(index, number)| (space(*index), key(*number))).collect();
            keys.sort();
            keys.dedup();
            window.add(Version(nth as u64 + 1), keys);
        }
        window
    }

    proptest! {
        #[test]
        fn it_refuses_exactly_what_was_written_since(case in case()) {
            let window = filled(&case, Window::new(Version(0)));
            prop_assert_eq!(window.admits(Version(case.snapshot), &footprint(&case)), !conflicts(&case));
        }

        #[test]
        fn a_small_window_refuses_more_and_never_admits_a_conflict(case in case(), bytes_max in 0usize..3000) {
            let window = filled(&case, Window { bytes_max, ..Window::new(Version(0)) });
            prop_assert!(window.bytes <= bytes_max);
            let known: usize = window.newest.iter().map(BTreeMap::len).sum();
            let remembered: usize = window.commits.iter().map(|commit| commit.keys.len()).sum();
            prop_assert!(known <= remembered);
            let admits = window.admits(Version(case.snapshot), &footprint(&case));
            prop_assert!(!(admits && conflicts(&case)));
            prop_assert_eq!(admits, Version(case.snapshot) >= window.floor && !conflicts(&case));
        }
    }

    #[test]
    fn a_new_leader_refuses_snapshots_before_its_last_entry() {
        let window = Window::new(Version(9));
        assert!(!window.admits(Version(8), &Footprint::default()));
        assert!(window.admits(Version(9), &Footprint::default()));
    }

    #[test]
    fn old_writes_are_forgotten() {
        let mut window = Window::new(Version(0));
        window.add(Version(1), vec![(Space::Document, key(1))]);
        window.add(Version(WINDOW_MICROS + 2), vec![(Space::Document, key(2))]);
        assert_eq!((window.floor, window.commits.len()), (Version(1), 1));
        assert!(!window.newest[nth(Space::Document)].contains_key(&*key(1)));
    }

    #[test]
    fn a_wide_range_over_many_old_keys_looks_at_the_few_new_ones() {
        let mut window = Window::new(Version(0));
        for number in 0..200 {
            window.add(Version(u64::from(number) + 1), vec![(Space::Document, key(number))]);
        }
        window.add(Version(300), vec![(Space::Index, key(5))]);
        let mut footprint = Footprint::default();
        footprint.range(Space::Document, KeyRange { start: key(0), end: key(255) });
        footprint.settle();
        assert!(window.admits(Version(200), &footprint));
        window.add(Version(301), vec![(Space::Document, key(99))]);
        assert!(!window.admits(Version(200), &footprint));
    }
}
