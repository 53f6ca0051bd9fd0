//! One state of a disk that a power failure may legally leave, drawn by a policy, and written to a real folder.
//!
//! What an fsync covered is always there, byte for byte; everything later is the policy's to keep, tear or lose.

use super::model::{Change, Content, Disk, Entry, Fate, File, Folder, Ino, Inode, Op, ROOT};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A disk writes sectors of this size whole or not at all, but for the one that it is at when the power goes.
const SECTOR: u64 = 512;

/// What becomes of bytes that no fsync covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataRule {
    /// All of them are lost.
    Drop,
    /// All of them are kept.
    Keep,
    /// Each file keeps its changes up to one of them, and of that one a prefix, to the byte.
    Prefix,
    /// Each sector of each write is kept or lost by itself; lengths too.
    Sectors,
    /// As `Prefix`, and the rest of the sector at the tear is zeros or garbage.
    TornSector,
    /// Each file draws one of the rules.
    Mixed,
}

/// What becomes of names that no fsync of their folder covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryRule {
    /// As with a metadata journal: any fsync commits all earlier changes of names, in order.
    Journaled,
    /// As POSIX promises: only an fsync of the folder does.
    Strict,
}

/// How an image is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For bytes.
    pub data: DataRule,
    /// For names.
    pub entries: EntryRule,
}

impl Policy {
    /// All policies.
    pub const ALL: [Policy; 12] = {
        const fn both(data: DataRule) -> [Policy; 2] {
            [Policy { data, entries: EntryRule::Journaled }, Policy { data, entries: EntryRule::Strict }]
        }
        let [a, b] = both(DataRule::Drop);
        let [c, d] = both(DataRule::Keep);
        let [e, f] = both(DataRule::Prefix);
        let [g, h] = both(DataRule::Sectors);
        let [i, j] = both(DataRule::TornSector);
        let [k, l] = both(DataRule::Mixed);
        [a, b, c, d, e, f, g, h, i, j, k, l]
    };

    /// Everything that was written, fsynced or not: what a process that is killed leaves.
    pub const KEEP: Policy = Policy { data: DataRule::Keep, entries: EntryRule::Journaled };
}

/// A file or a folder of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Bytes.
    File(Content),
    /// Names.
    Folder(BTreeMap<String, Node>),
}

/// The state of a disk after the power came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What is in the recorded folder.
    pub root: BTreeMap<String, Node>,
}

impl Disk {
    /// Draws one state that a power failure now may leave.
    pub fn image(&self, policy: Policy, rng: &mut Rng) -> Image {
        // One journal orders the names of all folders: it ends at one place.
        let journal_end = self.entries_journaled + rng.below(self.entries_changed - self.entries_journaled + 1);
        Image { root: self.draw_folder(ROOT, policy, journal_end, rng) }
    }

    fn draw_folder(&self, ino: Ino, policy: Policy, journal_end: u64, rng: &mut Rng) -> BTreeMap<String, Node> {
        let Some(Inode::Folder(folder)) = self.inodes.get(&ino) else { return BTreeMap::new() };
        let mut drawn = BTreeMap::new();
        for (name, child) in draw_entries(folder, policy, self.entries_journaled, journal_end, rng) {
            let node = match self.inodes.get(&child) {
                Some(Inode::File(file)) => Node::File(draw_file(file, policy.data, rng)),
                Some(Inode::Folder(_)) => Node::Folder(self.draw_folder(child, policy, journal_end, rng)),
                None => continue,
            };
            drawn.insert(name, node);
        }
        drawn
    }

    /// A disk on which all of `image` is durable.
    pub fn from_image(image: &Image) -> Disk {
        fn fill(disk: &mut Disk, folder: Ino, nodes: &BTreeMap<String, Node>) {
            for (name, node) in nodes {
                let ino = disk.next_ino();
                match node {
                    Node::File(content) => {
                        disk.apply(&Op::Create { folder, name: name.clone(), ino });
                        if let Some(Inode::File(file)) = disk.inodes.get_mut(&ino) {
                            file.durable = content.clone();
                        }
                    }
                    Node::Folder(nodes) => {
                        disk.apply(&Op::MakeFolder { folder, name: name.clone(), ino });
                        fill(disk, ino, nodes);
                    }
                }
            }
            disk.apply(&Op::Sync { ino: folder });
        }
        let mut disk = Disk::default();
        fill(&mut disk, ROOT, &image.root);
        disk
    }
}

fn draw_entries(
    folder: &Folder,
    policy: Policy,
    journaled: u64,
    journal_end: u64,
    rng: &mut Rng,
) -> BTreeMap<String, Ino> {
    let keep: Box<dyn Fn(usize, u64) -> bool> = match (policy.entries, policy.data) {
        (_, DataRule::Keep) => Box::new(|_, _| true),
        (EntryRule::Journaled, DataRule::Drop) => Box::new(move |_, order| order < journaled),
        (EntryRule::Journaled, _) => Box::new(move |_, order| order < journal_end),
        (EntryRule::Strict, DataRule::Drop) => Box::new(|_, _| false),
        (EntryRule::Strict, _) => {
            let end = rng.below(folder.pending.len() as u64 + 1) as usize;
            Box::new(move |place, _| place < end)
        }
    };
    let mut entries = folder.durable.clone();
    let kept = folder.pending.iter().enumerate().filter(|(place, (order, _))| keep(*place, *order));
    for (_, (_, entry)) in kept {
        Entry::apply(entry, &mut entries);
    }
    entries
}

fn draw_file(file: &File, rule: DataRule, rng: &mut Rng) -> Content {
    const EACH: [DataRule; 5] =
        [DataRule::Drop, DataRule::Keep, DataRule::Prefix, DataRule::Sectors, DataRule::TornSector];
    let rule = match rule {
        DataRule::Mixed => EACH[rng.below(EACH.len() as u64) as usize],
        rule => rule,
    };
    let mut content = file.durable.clone();
    let cached = file.changes.iter().filter(|(_, fate)| *fate == Fate::Cached).count() as u64;
    // Of the cached changes so many are whole; the next one is torn.
    let whole = match rule {
        DataRule::Keep | DataRule::Sectors => cached,
        DataRule::Prefix | DataRule::TornSector => rng.below(cached + 1),
        DataRule::Drop | DataRule::Mixed => 0,
    };
    // Half of the sectors make ruins at the first write; a single one makes a hole deep inside.
    let lost_of = *rng.pick(&[2, 8, 64]);
    let mut seen = 0;
    for (change, fate) in &file.changes {
        match fate {
            Fate::Durable => change.apply(&mut content),
            Fate::Unknown => match rule {
                DataRule::Keep => change.apply(&mut content),
                DataRule::Drop => {}
                _ => {
                    if rng.chance(1, 2) {
                        change.apply(&mut content);
                    }
                }
            },
            Fate::Cached => {
                match rule {
                    DataRule::Sectors => draw_sectors(change, &mut content, lost_of, rng),
                    _ if seen < whole => change.apply(&mut content),
                    DataRule::Prefix | DataRule::TornSector if seen == whole => {
                        tear(change, &mut content, rule == DataRule::TornSector, rng);
                    }
                    _ => {}
                }
                seen += 1;
            }
        }
    }
    content
}

fn draw_sectors(change: &Change, content: &mut Content, lost_of: u64, rng: &mut Rng) {
    let Change::Write(offset, data) = change else {
        if !rng.chance(1, lost_of) {
            change.apply(content);
        }
        return;
    };
    // The length may be on disk before the bytes are.
    if rng.chance(1, 4) {
        content.allocate(offset + data.len() as u64);
    }
    let mut done = 0;
    while done < data.len() {
        let position = offset + done as u64;
        let count = ((SECTOR - position % SECTOR) as usize).min(data.len() - done);
        if !rng.chance(1, lost_of) {
            content.write(position, &data[done..done + count]);
        }
        done += count;
    }
}

fn tear(change: &Change, content: &mut Content, spoil_sector: bool, rng: &mut Rng) {
    let Change::Write(offset, data) = change else { return };
    let kept = rng.below(data.len() as u64 + 1) as usize;
    content.write(*offset, &data[..kept]);
    let tear = offset + kept as u64;
    // Only bytes of this write: a disk does not spoil what an earlier write of the same sector holds.
    let spoiled = ((SECTOR - tear % SECTOR) as usize).min(data.len() - kept);
    if spoil_sector && spoiled > 0 {
        let zeros = rng.chance(1, 2);
        let bytes: Vec<u8> = (0..spoiled).map(|_| if zeros { 0 } else { rng.next() as u8 }).collect();
        content.write(tear, &bytes);
    }
}

impl Image {
    /// Writes the image to a folder that is not there yet.
    ///
    /// # Errors
    /// Those of the real file system below.
    pub fn put(&self, dir: &Path) -> io::Result<()> {
        fn fill(dir: &Path, nodes: &BTreeMap<String, Node>) -> io::Result<()> {
            std::fs::create_dir(dir)?;
            for (name, node) in nodes {
                match node {
                    Node::Folder(nodes) => fill(&dir.join(name), nodes)?,
                    Node::File(content) => {
                        let file = std::fs::File::create(dir.join(name))?;
                        file.set_len(content.len())?;
                        for (offset, bytes) in content.pages() {
                            file.write_all_at(bytes, offset)?;
                        }
                    }
                }
            }
            Ok(())
        }
        fill(dir, &self.root)
    }

    /// The first difference between the image and a folder, in words.
    ///
    /// # Errors
    /// Those of the real file system below.
    pub fn difference(&self, dir: &Path) -> io::Result<Option<String>> {
        fn compare(dir: &Path, nodes: &BTreeMap<String, Node>) -> io::Result<Option<String>> {
            let mut names = std::fs::read_dir(dir)?
                .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<Vec<_>>>()?;
            names.sort();
            if !names.iter().eq(nodes.keys()) {
                let expected: Vec<_> = nodes.keys().collect();
                return Ok(Some(format!("{} holds {names:?}, the record says {expected:?}", dir.display())));
            }
            for (name, node) in nodes {
                let path = dir.join(name);
                let found = match node {
                    Node::Folder(nodes) => compare(&path, nodes)?,
                    Node::File(content) => differs(&path, content)?,
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        }
        fn differs(path: &Path, content: &Content) -> io::Result<Option<String>> {
            let bytes = std::fs::read(path)?;
            let recorded = content.bytes();
            if bytes == recorded {
                return Ok(None);
            }
            let place =
                bytes.iter().zip(&recorded).position(|(a, b)| a != b).unwrap_or(bytes.len().min(recorded.len()));
            let (real, known) = (bytes.len(), recorded.len());
            Ok(Some(format!("{} differs from the record at byte {place} ({real} and {known} bytes)", path.display())))
        }
        compare(dir, &self.root)
    }
}

#[cfg(test)]
#[path = "image_test.rs"]
mod tests;
