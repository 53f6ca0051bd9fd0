//! What a transaction looked at: keys and key ranges.
//!
//! Invariant: it covers everything that was looked at. Past its bounds it covers more: coarser, never wrong.

use serde::{Deserialize, Serialize};
use vivarium_storage::key::successor;
use vivarium_storage::{Key, KeyRange, Space};

/// Keys that are kept one by one in a space. An import of 10,000 documents in one transaction stays exact.
const KEYS_MAX: usize = 1 << 16;
/// Ranges that are kept apart in a space.
const RANGES_MAX: usize = 1 << 12;
/// So many neighbouring keys become one range when there are too many keys.
const KEYS_WIDENED: usize = 32;

/// How many spaces there are.
pub(crate) const SPACES: usize = 4;

/// The place of a space in an array of all.
pub(crate) fn nth(space: Space) -> usize {
    space as usize - 1
}

/// What a transaction looked at, in every space.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Footprint {
    spaces: [Reads; SPACES],
}

/// What was looked at in one space.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reads {
    /// Sorted and free of repeats once [`Footprint::settle`] has run.
    keys: Vec<Key>,
    /// Sorted and disjoint once [`Footprint::settle`] has run.
    ranges: Vec<KeyRange>,
}

impl Footprint {
    /// A key was looked up.
    pub fn key(&mut self, space: Space, key: &Key) {
        let reads = &mut self.spaces[nth(space)];
        if reads.keys.last() != Some(key) {
            reads.keys.push(key.clone());
            if reads.keys.len() > KEYS_MAX {
                reads.settle();
                reads.widen_keys();
            }
        }
    }

    /// All keys of a range were looked at.
    pub fn range(&mut self, space: Space, range: KeyRange) {
        if range.is_empty() {
            return;
        }
        let reads = &mut self.spaces[nth(space)];
        reads.ranges.push(range);
        if reads.ranges.len() > RANGES_MAX {
            reads.settle();
            reads.widen_ranges();
        }
    }

    /// Forgets that keys were looked up: a planted bug.
    pub fn forget(&mut self, keys: &[(Space, Key)]) {
        for (space, key) in keys {
            self.spaces[nth(*space)].keys.retain(|looked_up| looked_up != key);
        }
    }

    /// Sorts and merges, for the check against the window.
    pub fn settle(&mut self) {
        self.spaces.iter_mut().for_each(Reads::settle);
    }

    /// What was looked at, space by space, in the order of [`nth`].
    pub fn spaces(&self) -> &[Reads; SPACES] {
        &self.spaces
    }
}

impl Reads {
    /// The keys that were looked up.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The ranges that were looked at.
    pub fn ranges(&self) -> &[KeyRange] {
        &self.ranges
    }

    /// True when nothing was looked at.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }

    /// True when `key` lies in a range that was looked at.
    pub fn range_covers(&self, key: &[u8]) -> bool {
        let after = self.ranges.partition_point(|range| *range.start <= *key);
        after.checked_sub(1).is_some_and(|nearest| self.ranges[nearest].covers(key))
    }

    fn settle(&mut self) {
        self.ranges.sort_unstable_by(|a, b| a.start.cmp(&b.start));
        self.ranges.dedup_by(|next, kept| {
            let joined = next.start <= kept.end;
            if joined && next.end > kept.end {
                std::mem::swap(&mut kept.end, &mut next.end);
            }
            joined
        });
        self.keys.sort_unstable();
        self.keys.dedup();
        if !self.ranges.is_empty() {
            let mut keys = std::mem::take(&mut self.keys);
            keys.retain(|key| !self.range_covers(key));
            self.keys = keys;
        }
    }

    fn widen_keys(&mut self) {
        // Half of the bound is kept free, so that settling stays cheap for each key that comes.
        if self.keys.len() <= KEYS_MAX / 2 {
            return;
        }
        for neighbours in std::mem::take(&mut self.keys).chunks(KEYS_WIDENED) {
            if let [first, .., last] | [first @ last] = neighbours {
                self.ranges.push(KeyRange { start: first.clone(), end: successor(last) });
            }
        }
        self.settle();
        self.widen_ranges();
    }

    fn widen_ranges(&mut self) {
        while self.ranges.len() > RANGES_MAX / 2 {
            let neighbours = std::mem::take(&mut self.ranges);
            self.ranges = neighbours
                .chunks(2)
                .map(|pair| KeyRange { start: pair[0].start.clone(), end: pair[pair.len() - 1].end.clone() })
                .collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u32) -> Key {
        number.to_be_bytes().into()
    }

    fn covers(footprint: &Footprint, space: Space, key: &Key) -> bool {
        let reads = &footprint.spaces()[nth(space)];
        reads.keys().binary_search(key).is_ok() || reads.range_covers(key)
    }

    #[test]
    fn past_its_bounds_it_covers_everything_still() {
        let mut footprint = Footprint::default();
        let numbers: Vec<u32> = (0..200_000).map(|n: u32| n.wrapping_mul(2_654_435_761)).collect();
        for number in &numbers {
            footprint.key(Space::Document, &key(*number));
        }
        for number in &numbers[..20_000] {
            footprint.range(Space::Index, KeyRange { start: key(*number), end: key(number.saturating_add(2)) });
        }
        footprint.settle();
        let [_, documents, index, _] = footprint.spaces();
        assert!(documents.keys().len() <= KEYS_MAX && documents.ranges().len() <= RANGES_MAX);
        assert!(index.ranges().len() <= RANGES_MAX);
        assert!(numbers.iter().all(|number| covers(&footprint, Space::Document, &key(*number))));
        assert!(numbers[..20_000].iter().all(|number| covers(&footprint, Space::Index, &key(*number))));
    }

    proptest! {
        #[test]
        fn within_its_bounds_it_covers_exactly_what_was_looked_at(
            keys in prop::collection::vec(0u32..60, 0..10),
            ranges in prop::collection::vec((0u32..60, 0u32..60), 0..10),
        ) {
            let mut footprint = Footprint::default();
            for number in &keys {
                footprint.key(Space::Document, &key(*number));
            }
            for (start, end) in &ranges {
                footprint.range(Space::Document, KeyRange { start: key(*start), end: key(*end) });
            }
            footprint.settle();
            for number in 0..61 {
                let expected = keys.contains(&number) || ranges.iter().any(|(start, end)| (*start..*end).contains(&number));
                prop_assert_eq!(covers(&footprint, Space::Document, &key(number)), expected);
            }
            for pair in footprint.spaces()[1].ranges().windows(2) {
                prop_assert!(pair[0].end < pair[1].start);
            }
        }
    }
}
