//! The planted bugs: a harness that does not catch them proves nothing.

use crate::plan::{Profile, Wish};
use crate::workload::Workload;
use serde::Deserialize;

/// One planted bug.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// What its site in the product is called.
    pub id: String,
    /// What goes wrong.
    pub what: String,
    /// The profile in which it must be caught.
    pub profile: Profile,
    /// Profiles in which it must be caught besides.
    #[serde(default)]
    pub also: Vec<Profile>,
    /// The workload in which it must be caught.
    #[serde(default)]
    pub workload: Workload,
    /// Crash images after each run, where it takes many to catch it.
    #[serde(default)]
    pub images: Option<u64>,
}

impl Mutant {
    /// What its runs are drawn from.
    pub fn wish(&self, time_s: u64, images: u64) -> Wish {
        let (profile, workload, mutants) = (self.profile, Some(self.workload), vec![self.id.clone()]);
        Wish { profile, workload, time_s, mutants, images: self.images.unwrap_or(images) }
    }
}

#[derive(Deserialize)]
struct File {
    mutant: Vec<Mutant>,
}

/// All planted bugs, each once for every profile in which it must be caught.
pub fn all() -> Vec<Mutant> {
    let in_each = |mutant: Mutant| {
        let also = mutant.also.clone().into_iter().map({
            let mutant = mutant.clone();
            move |profile| Mutant { profile, ..mutant.clone() }
        });
        std::iter::once(mutant).chain(also)
    };
    listed().into_iter().flat_map(in_each).collect()
}

fn listed() -> Vec<Mutant> {
    let file: File = toml::from_str(include_str!("../mutants.toml")).expect("the file is part of this program");
    file.mutant
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_planted_bug_has_a_name_of_its_own() {
        let mut ids: Vec<_> = super::listed().into_iter().map(|mutant| mutant.id).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
