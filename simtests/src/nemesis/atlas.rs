//! Which disks have lost something that was durable. A cluster is promised to survive that on less than half of them.

use std::collections::BTreeSet;

/// The damage that there is.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    damaged: BTreeSet<usize>,
}

impl Atlas {
    /// Notes damage on one more disk. False when too few of the members would be left whole: then it must not be done.
    pub fn admits(&mut self, place: usize, members: &BTreeSet<usize>) -> bool {
        let whole = members.iter().filter(|member| **member != place && !self.damaged.contains(member)).count();
        let admits = members.contains(&place) && whole > members.len() / 2;
        if admits {
            self.damaged.insert(place);
        }
        admits
    }

    /// A disk is whole again.
    pub fn mended(&mut self, place: usize) {
        self.damaged.remove(&place);
    }

    /// True when all disks are whole.
    pub fn is_clear(&self) -> bool {
        self.damaged.is_empty()
    }

    /// The disks that are not.
    pub fn damaged(&self) -> impl Iterator<Item = usize> + '_ {
        self.damaged.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_stays_whole() {
        let mut atlas = Atlas::default();
        let five = (0..5).collect();
        assert!(atlas.admits(0, &five) && atlas.admits(3, &five));
        assert!(!atlas.admits(1, &five), "two of five are damaged");
        assert!(atlas.admits(3, &five), "what is damaged may be damaged again");
        atlas.mended(0);
        assert!(atlas.admits(1, &five) && !atlas.admits(7, &five));
        let two = (0..2).collect();
        assert!(!Atlas::default().admits(0, &two), "of two nodes both are needed");
    }
}
