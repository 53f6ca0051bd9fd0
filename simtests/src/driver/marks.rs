//! The rare paths that good runs must meet: each `runtime::sometimes` of the product and of this harness stands in a list.
//!
//! A list is demanded where runs can meet what it names; what no run has met yet stands in a list that is demanded nowhere.

use crate::plan::Profile;

/// So many runs of the swarm meet what hundreds may miss.
const LONG: u64 = 1000;

/// What nodes do, one or several.
const OF_NODES: &str = include_str!("../../marks.txt");
const OF_WORKLOADS: &str = include_str!("../../marks_of_workloads.txt");
const OF_CLUSTERS: &str = include_str!("../../marks_of_clusters.txt");
const OF_MEMBERS: &str = include_str!("../../marks_of_members.txt");
const OF_RECOVERY: &str = include_str!("../../marks_of_recovery.txt");
const OF_DISKS: &str = include_str!("../../marks_of_disks.txt");
const OF_LONG_RUNS: &str = include_str!("../../marks_of_long_runs.txt");

/// The marks that so many runs of a profile must meet.
pub(super) fn demanded(profile: Profile, runs: u64) -> Vec<&'static str> {
    let lists: &[&'static str] = match profile {
        // Their question is another one.
        Profile::Recover => &[OF_RECOVERY],
        Profile::ClusterDisk => &[OF_NODES],
        Profile::Rot => &[OF_DISKS],
        Profile::Swarm if runs >= LONG => &[OF_NODES, OF_WORKLOADS, OF_CLUSTERS, OF_MEMBERS, OF_LONG_RUNS],
        Profile::Swarm => &[OF_NODES, OF_WORKLOADS, OF_CLUSTERS, OF_MEMBERS],
        Profile::Membership => &[OF_NODES, OF_CLUSTERS, OF_MEMBERS],
        profile if profile.has_clusters() => &[OF_NODES, OF_CLUSTERS],
        _ => &[OF_NODES],
    };
    lists.iter().copied().flat_map(named).collect()
}

fn named(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// What no run has met: written down, so that none is forgotten.
    const NEVER_MET: &str = include_str!("../../marks_never_met.txt");
    const LISTS: [&str; 8] =
        [OF_NODES, OF_WORKLOADS, OF_CLUSTERS, OF_MEMBERS, OF_RECOVERY, OF_DISKS, OF_LONG_RUNS, NEVER_MET];

    /// Every mark that the sources below a folder name.
    fn made(folder: &Path, marks: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                made(&path, marks);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                // In two parts, lest this line be found.
                let calls = source.split(concat!("some", "times(")).skip(1);
                let name = |call: &str| Some(call.trim_start().strip_prefix('"')?.split_once('"')?.0.to_owned());
                marks.extend(calls.filter_map(name));
            }
        }
    }

    #[test]
    fn each_mark_stands_in_one_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut marks = BTreeSet::new();
        for part in ["consensus", "schema", "server", "simtests", "storage"] {
            made(&root.join(part).join("src"), &mut marks);
        }
        let mut listed: Vec<&str> = LISTS.into_iter().flat_map(named).collect();
        listed.sort_unstable();
        let twice: Vec<_> = listed.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert!(twice.is_empty(), "listed twice: {twice:?}");
        let unlisted: Vec<_> = marks.iter().filter(|mark| !listed.contains(&mark.as_str())).collect();
        assert!(unlisted.is_empty(), "in no list: {unlisted:?}");
        let unmade: Vec<_> = listed.iter().filter(|mark| !marks.contains(**mark)).collect();
        assert!(unmade.is_empty(), "nobody makes them: {unmade:?}");
    }

    #[test]
    fn lists_are_in_order() {
        for list in LISTS {
            let names: Vec<&str> = named(list).collect();
            assert!(names.is_sorted(), "{names:?}");
        }
    }
}
