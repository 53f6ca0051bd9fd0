//! Bytes that change on a disk by themselves, long after they were written, and folders that are gone.
//!
//! The end of a log is left alone: damage there cannot be told from a write that a crash tore.

use super::image::{Image, Node};
use super::model::Content;
use crate::check::raft::Batch;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes that rot together: no more than a block of a table.
const PAGE: usize = 4096;
/// Where rows end in a table, at least: in so many parts of it what opening reads fills the last ones.
const FRONT: usize = 4;
/// The bytes of a segment's header that say something.
const SEGMENT_HEADER: usize = 64;

/// What is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// A bit of what lists the tables of the store.
    #[default]
    ListOfTables,
    /// A bit in each page of the tables that lie together. Small ones are found when the store is opened.
    Table,
    /// A bit in each page of the front of the tables that lie together, where their rows are: found when those are read.
    Rows,
    /// A bit of the log, before its last batch.
    Log,
    /// The log is gone.
    NoLog,
    /// Log and store are gone.
    NoLogAndStore,
}

impl Damage {
    /// What became of what was damaged.
    pub fn word(self) -> &'static str {
        match self {
            Damage::ListOfTables | Damage::Table | Damage::Rows | Damage::Log => "rots",
            Damage::NoLog => "is gone",
            Damage::NoLogAndStore => "are gone",
        }
    }

    /// True when a node may open, and go on until somebody reads what is damaged.
    pub fn sleeps(self) -> bool {
        matches!(self, Damage::Table | Damage::Rows)
    }

    /// True when the node cannot know any more what it promised.
    pub fn takes_the_log(self) -> bool {
        matches!(self, Damage::Log | Damage::NoLog | Damage::NoLogAndStore)
    }
}

/// What lists the tables of a store: read whole, and checked, whenever it is opened.
///
/// Tables themselves are checked as they are read, so rot in them may sleep for longer than a run.
pub fn is_list_of_tables(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let is_version = name.strip_prefix('v').is_some_and(|number| number.parse::<u64>().is_ok());
    folder.starts_with("store/keyspaces/") && (name == "current" || is_version)
}

/// Files with rows.
fn is_table(path: &str) -> bool {
    path.starts_with("store/keyspaces/") && path.contains("/tables/")
}

impl Image {
    /// Does damage: to what. `None` when there is not what is meant.
    pub fn damage(&mut self, damage: Damage, rng: &mut Rng) -> Option<String> {
        match damage {
            Damage::ListOfTables => self.rot(is_list_of_tables, rng),
            Damage::Table => self.rot_tables(1, rng),
            Damage::Rows => self.rot_tables(FRONT, rng),
            Damage::Log => {
                let (path, range) = pick(&self.proven(), rng)?;
                self.flip(&path, range, rng);
                Some(path)
            }
            Damage::NoLog => self.delete("log"),
            Damage::NoLogAndStore => {
                self.delete("store")?;
                self.delete("log").map(|_| "log and store".to_owned())
            }
        }
    }

    fn delete(&mut self, folder: &str) -> Option<String> {
        self.root.remove(folder).map(|_| folder.to_owned())
    }

    /// The parts of the log, by path, that a later part shows to have been written whole.
    fn proven(&mut self) -> Vec<(String, Range<usize>)> {
        let mut paths = Vec::new();
        list(&self.root, "", &mut paths);
        paths.retain(|path| path.starts_with("log/"));
        let mut parts = Vec::new();
        let mut last = 0;
        for path in paths {
            let bytes = find(&mut self.root, &path).map(|content| content.bytes()).unwrap_or_default();
            let batches = Batch::places(&bytes);
            let Some((_, first)) = batches.first() else { continue };
            parts.push((path.clone(), 0..SEGMENT_HEADER, first.stands_for - 1));
            for (at, batch) in batches {
                last = batch.stands_for;
                parts.push((path.clone(), at..at + batch.span, batch.stands_for));
            }
        }
        parts.into_iter().filter(|(.., stands_for)| *stands_for < last).map(|(path, range, _)| (path, range)).collect()
    }

    fn flip(&mut self, path: &str, range: Range<usize>, rng: &mut Rng) {
        let Some(content) = find(&mut self.root, path) else { return };
        let at = rng.between(range.start as u64, range.end as u64 - 1);
        let byte = content.bytes().get(at as usize).copied().unwrap_or_default();
        content.write(at, &[byte ^ (1 << rng.below(8))]);
    }

    /// Flips a bit in each page of the first `part`th of all tables that lie in one folder: the path of one of them.
    fn rot_tables(&mut self, part: usize, rng: &mut Rng) -> Option<String> {
        let mut paths = Vec::new();
        list(&self.root, "", &mut paths);
        paths.retain(|path| is_table(path));
        let found = pick(&paths, rng)?;
        let (folder, _) = found.rsplit_once('/')?;
        for path in paths.iter().filter(|path| path.rsplit_once('/').is_some_and(|(other, _)| other == folder)) {
            let length = find(&mut self.root, path)?.bytes().len().div_ceil(part);
            for page in (0..length).step_by(PAGE) {
                self.flip(path, page..length.min(page + PAGE), rng);
            }
        }
        Some(found)
    }

    /// Flips one bit in one of the files that are meant: its path. `None` when there is none that has bytes.
    pub fn rot(&mut self, is_meant: impl Fn(&str) -> bool, rng: &mut Rng) -> Option<String> {
        let mut paths = Vec::new();
        list(&self.root, "", &mut paths);
        paths.retain(|path| is_meant(path));
        let path = pick(&paths, rng)?;
        let length = find(&mut self.root, &path)?.bytes().len();
        self.flip(&path, 0..length, rng);
        Some(path)
    }
}

fn pick<T: Clone>(choices: &[T], rng: &mut Rng) -> Option<T> {
    (!choices.is_empty()).then(|| rng.pick(choices).clone())
}

/// The paths of all files that have bytes.
fn list(nodes: &BTreeMap<String, Node>, folder: &str, paths: &mut Vec<String>) {
    for (name, node) in nodes {
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        match node {
            Node::File(content) if !content.is_empty() => paths.push(path),
            Node::File(_) => {}
            Node::Folder(nodes) => list(nodes, &path, paths),
        }
    }
}

fn find<'a>(nodes: &'a mut BTreeMap<String, Node>, path: &str) -> Option<&'a mut Content> {
    match path.split_once('/') {
        Some((folder, rest)) => match nodes.get_mut(folder)? {
            Node::Folder(nodes) => find(nodes, rest),
            Node::File(_) => None,
        },
        None => match nodes.get_mut(path)? {
            Node::File(content) => Some(content),
            Node::Folder(_) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        let mut content = Content::default();
        content.write(0, b"the list of tables");
        let keyspace = BTreeMap::from([("current".to_owned(), Node::File(content))]);
        let folder = |name: &str, nodes| BTreeMap::from([(name.to_owned(), Node::Folder(nodes))]);
        Image { root: folder("store", folder("keyspaces", folder("1", keyspace))) }
    }

    #[test]
    fn one_bit_is_another_one() {
        let mut rotten = image();
        let path = rotten.rot(is_list_of_tables, &mut Rng::stream(1, "rot")).unwrap();
        assert_eq!(path, "store/keyspaces/1/current");
        let bytes = |image: &mut Image| find(&mut image.root, &path).unwrap().bytes();
        let (before, after) = (bytes(&mut image()), bytes(&mut rotten));
        let flipped: u32 = before.iter().zip(&after).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((flipped, before.len()), (1, after.len()));
    }

    /// The log of a node that wrote batches of these numbers, two in a segment.
    fn log(stands_for: &[u64]) -> Image {
        let segment = |batches: &[u64]| {
            let mut content = Content::default();
            content.write(0, &[7; SEGMENT_HEADER]);
            for (place, stands_for) in batches.iter().enumerate() {
                content.write((place as u64 + 1) * 4096, &Batch::empty(*stands_for));
            }
            Node::File(content)
        };
        let segments = stands_for.chunks(2).enumerate();
        let segments = segments.map(|(number, batches)| (format!("{number:08x}.log"), segment(batches)));
        Image { root: BTreeMap::from([("log".to_owned(), Node::Folder(segments.collect()))]) }
    }

    #[test]
    fn the_last_batch_of_a_log_does_not_rot_nor_what_it_repeats() {
        let ranges = |stands_for: &[u64]| {
            let parts = log(stands_for).proven();
            parts.into_iter().map(|(path, range)| (path, range.start)).collect::<Vec<_>>()
        };
        let at = |number: u64, start: usize| (format!("log/{number:08x}.log"), start);
        assert_eq!(ranges(&[1]), [at(0, 0)]);
        assert_eq!(ranges(&[1, 2, 3]), [at(0, 0), at(0, 4096), at(0, 8192), at(1, 0)]);
        assert_eq!(ranges(&[1, 2, 2]), [at(0, 0), at(0, 4096), at(1, 0)]);
    }

    #[test]
    fn folders_that_are_gone_are_gone() {
        let mut lost = log(&[1, 2]);
        let mut rng = Rng::stream(1, "rot");
        assert_eq!(lost.damage(Damage::NoLogAndStore, &mut rng), None, "there is no store");
        assert_eq!(lost.damage(Damage::NoLog, &mut rng).as_deref(), Some("log"));
        assert!(lost.root.is_empty() && lost.damage(Damage::Log, &mut rng).is_none());
    }

    #[test]
    fn only_what_is_meant_rots() {
        let mut whole = image();
        assert_eq!(whole.rot(|path| path.starts_with("log/"), &mut Rng::stream(1, "rot")), None);
        assert_eq!(whole, image());
        assert!(is_list_of_tables("store/keyspaces/3/v12") && !is_list_of_tables("store/keyspaces/3/tables/4"));
        assert!(is_table("store/keyspaces/3/tables/4") && !is_table("store/keyspaces/3/v12"));
    }
}
