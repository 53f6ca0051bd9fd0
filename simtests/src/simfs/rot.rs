//! Bytes that change on a disk by themselves, long after they were written.

use super::image::{Image, Node};
use super::model::Content;
use crate::rng::Rng;
use std::collections::BTreeMap;

/// What lists the tables of a store: read whole, and checked, whenever it is opened.
///
/// Tables themselves are checked as they are read, so rot in them may sleep for longer than a run.
pub fn is_list_of_tables(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let is_version = name.strip_prefix('v').is_some_and(|number| number.parse::<u64>().is_ok());
    folder.starts_with("store/keyspaces/") && (name == "current" || is_version)
}

impl Image {
    /// Flips one bit in one of the files that are meant: its path. `None` when there is none that has bytes.
    pub fn rot(&mut self, is_meant: impl Fn(&str) -> bool, rng: &mut Rng) -> Option<String> {
        let mut paths = Vec::new();
        list(&self.root, "", &mut paths);
        paths.retain(|path| is_meant(path));
        if paths.is_empty() {
            return None;
        }
        let path = rng.pick(&paths).clone();
        let content = find(&mut self.root, &path)?;
        let bytes = content.bytes();
        let at = rng.below(bytes.len() as u64);
        let byte = bytes[usize::try_from(at).ok()?];
        content.write(at, &[byte ^ (1 << rng.below(8))]);
        Some(path)
    }
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

    #[test]
    fn only_what_is_meant_rots() {
        let mut whole = image();
        assert_eq!(whole.rot(|path| path.starts_with("log/"), &mut Rng::stream(1, "rot")), None);
        assert_eq!(whole, image());
        assert!(is_list_of_tables("store/keyspaces/3/v12") && !is_list_of_tables("store/keyspaces/3/tables/4"));
    }
}
