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
    /// Its runs forget the versions that answers name.
    #[serde(default)]
    pub black_box: bool,
    /// What catches it is that two processes run one seed differently.
    #[serde(default)]
    pub twice: bool,
    /// The checker that must see it there, and nobody else.
    #[serde(default)]
    pub only: Option<String>,
}

impl Mutant {
    /// What its runs are drawn from.
    pub fn wish(&self, time_s: u64, images: u64) -> Wish {
        let (profile, workload, mutants) = (self.profile, Some(self.workload), vec![self.id.clone()]);
        let (images, black_box) = (self.images.unwrap_or(images), self.black_box);
        Wish { profile, workload, time_s, mutants, images, black_box }
    }

    /// Its name, and where its runs take place: it may be listed for several places.
    pub fn label(&self) -> String {
        let workload =
            if self.workload == Workload::Mixed { String::new() } else { format!(" {}", self.workload.word()) };
        let black_box = if self.black_box { " (black box)" } else { "" };
        format!("{} {}{workload}{black_box}", self.id, self.profile.word())
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
    use super::*;
    use crate::check::CHECKERS;

    #[test]
    fn each_planted_bug_has_a_label_of_its_own() {
        let mut labels: Vec<_> = all().iter().map(Mutant::label).collect();
        let count = labels.len();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), count);
    }

    #[test]
    fn each_checker_is_to_be_the_only_one_that_sees_some_bug() {
        let all = all();
        let mut proved: Vec<&str> = all.iter().filter_map(|mutant| mutant.only.as_deref()).collect();
        proved.sort_unstable();
        proved.dedup();
        assert_eq!(proved, CHECKERS);
    }

    #[test]
    fn a_black_box_has_a_checker_that_needs_no_versions() {
        assert!(all().iter().all(|mutant| !mutant.black_box || mutant.workload.has_witness()));
    }
}
