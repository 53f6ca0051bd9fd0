//! What a disk holds: files and folders, what of them is durable, and what is only in the page cache.
//!
//! Invariant: replaying all operations and keeping everything gives exactly the folder that the kernel shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A file or folder, by a number of our own: the kernel's differ from run to run.
pub type Ino = u64;

/// The folder that is recorded.
pub const ROOT: Ino = 1;

const PAGE: u64 = 4096;

/// One change of the disk, or a note about the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A new, empty file.
    Create {
        /// Its folder.
        folder: Ino,
        /// Its name there.
        name: String,
        /// Its number.
        ino: Ino,
    },
    /// A new, empty folder.
    MakeFolder {
        /// Its parent.
        folder: Ino,
        /// Its name there.
        name: String,
        /// Its number.
        ino: Ino,
    },
    /// Bytes in a file.
    Write {
        /// The file.
        ino: Ino,
        /// Where.
        offset: u64,
        /// What.
        data: Arc<[u8]>,
    },
    /// A file's new length.
    Truncate {
        /// The file.
        ino: Ino,
        /// Its length.
        len: u64,
    },
    /// Space for at least so many bytes.
    Allocate {
        /// The file.
        ino: Ino,
        /// The length that it has at least.
        len: u64,
    },
    /// Another name, in the same or another folder. What had that name is gone.
    Rename {
        /// Folder and name before.
        from: (Ino, String),
        /// Folder and name now.
        to: (Ino, String),
    },
    /// A file or an empty folder lost its name.
    Remove {
        /// Its folder.
        folder: Ino,
        /// Its name there.
        name: String,
    },
    /// Everything before in this file or folder is durable.
    Sync {
        /// The file or folder.
        ino: Ino,
    },
    /// An fsync that failed: each change before may be durable or not, and a later fsync does not help it.
    SyncFailed {
        /// The file or folder.
        ino: Ino,
    },
}

/// Bytes of a file: pages that were written, zeros elsewhere. Clones share pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    len: u64,
    pages: BTreeMap<u64, Arc<[u8]>>,
}

impl Content {
    /// Its length.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True when it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pages that were written, cut to the length, with their offsets.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.iter().filter_map(|(page, bytes)| {
            let offset = page * PAGE;
            let kept = usize::try_from(self.len.saturating_sub(offset).min(PAGE)).expect("a page is small");
            (kept > 0).then(|| (offset, &bytes[..kept]))
        })
    }

    /// All bytes, zeros included.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = vec![0; usize::try_from(self.len).expect("a simulated file fits memory")];
        for (offset, bytes) in self.pages() {
            let offset = usize::try_from(offset).expect("a simulated file fits memory");
            all[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        all
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let mut done = 0;
        while done < data.len() {
            let position = offset + done as u64;
            let within = (position % PAGE) as usize;
            let count = (PAGE as usize - within).min(data.len() - done);
            let page = self.pages.entry(position / PAGE).or_insert_with(|| Arc::from([0; PAGE as usize]));
            Arc::make_mut(page)[within..within + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
        self.len = self.len.max(offset + data.len() as u64);
    }

    pub(super) fn truncate(&mut self, len: u64) {
        if len < self.len {
            self.pages.retain(|page, _| page * PAGE < len);
            let within = (len % PAGE) as usize;
            if within != 0
                && let Some(page) = self.pages.get_mut(&(len / PAGE))
            {
                Arc::make_mut(page)[within..].fill(0);
            }
        }
        self.len = len;
    }

    pub(super) fn allocate(&mut self, len: u64) {
        self.len = self.len.max(len);
    }
}

/// One change of a file's bytes.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write(u64, Arc<[u8]>),
    Truncate(u64),
    Allocate(u64),
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Change::Write(offset, data) => content.write(*offset, data),
            Change::Truncate(len) => content.truncate(*len),
            Change::Allocate(len) => content.allocate(*len),
        }
    }
}

/// How far a change of a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// In the page cache only.
    Cached,
    /// Its fsync failed: nobody knows, for ever.
    Unknown,
    /// Durable, but after one whose fate is unknown.
    Durable,
}

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) durable: Content,
    pub(super) changes: Vec<(Change, Fate)>,
}

/// One change of a folder's names.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Add(String, Ino),
    Remove(String),
    Move(String, String),
}

impl Entry {
    pub(super) fn apply(&self, entries: &mut BTreeMap<String, Ino>) {
        match self {
            Entry::Add(name, ino) => {
                entries.insert(name.clone(), *ino);
            }
            Entry::Remove(name) => {
                entries.remove(name);
            }
            Entry::Move(from, to) => {
                if let Some(ino) = entries.remove(from) {
                    entries.insert(to.clone(), ino);
                }
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) durable: BTreeMap<String, Ino>,
    pub(super) now: BTreeMap<String, Ino>,
    /// Changes that no fsync of this folder has covered, each with its place in the order of all of them.
    pub(super) pending: Vec<(u64, Entry)>,
}

#[derive(Clone, Debug)]
pub(super) enum Inode {
    File(File),
    Folder(Folder),
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The file.
    pub ino: Ino,
    /// What a power failure leaves for certain.
    pub durable: Content,
    /// What is read from it.
    pub now: Content,
}

/// A disk as the model knows it.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(super) inodes: BTreeMap<Ino, Inode>,
    /// Changes of names so far.
    pub(super) entries_changed: u64,
    /// What `entries_changed` was at the last fsync of anything: a journal has committed them.
    pub(super) entries_journaled: u64,
    next: Ino,
}

impl Default for Disk {
    fn default() -> Disk {
        Disk {
            inodes: BTreeMap::from([(ROOT, Inode::Folder(Folder::default()))]),
            entries_changed: 0,
            entries_journaled: 0,
            next: ROOT + 1,
        }
    }
}

impl Disk {
    /// A number for a new file or folder.
    pub fn next_ino(&mut self) -> Ino {
        self.next += 1;
        self.next - 1
    }

    /// What a name in a folder stands for now.
    pub fn child(&self, folder: Ino, name: &str) -> Option<Ino> {
        match self.inodes.get(&folder)? {
            Inode::Folder(folder) => folder.now.get(name).copied(),
            Inode::File(_) => None,
        }
    }

    /// True for a folder.
    pub fn is_folder(&self, ino: Ino) -> bool {
        matches!(self.inodes.get(&ino), Some(Inode::Folder(_)))
    }

    /// The path of a file or folder, as it is now; empty when it has none.
    pub fn path(&self, ino: Ino) -> String {
        for (parent, inode) in &self.inodes {
            let Inode::Folder(folder) = inode else { continue };
            if let Some((name, _)) = folder.now.iter().find(|(_, child)| **child == ino) {
                return match *parent {
                    ROOT => name.clone(),
                    parent => format!("{}/{name}", self.path(parent)),
                };
            }
        }
        String::new()
    }

    /// What lies at a path.
    pub fn at(&self, path: &str) -> Option<Ino> {
        path.split('/').try_fold(ROOT, |folder, name| self.child(folder, name))
    }

    /// What is read from a file.
    pub fn bytes(&self, ino: Ino) -> Option<Vec<u8>> {
        self.held(ino).map(|held| held.now.bytes())
    }

    /// The first file below a folder of the root that holds exactly these bytes.
    pub fn holding(&self, folder: &str, bytes: &[u8]) -> Option<Ino> {
        let inos = self.inodes.keys().copied();
        let mut holding = inos.filter(|ino| self.bytes(*ino).is_some_and(|held| held == bytes));
        holding.find(|ino| self.path(*ino).split('/').next() == Some(folder))
    }

    /// The files in a folder of the root, in the order of their names.
    pub fn files_in(&self, folder: &str) -> Vec<Held> {
        let folder = self.child(ROOT, folder).and_then(|ino| self.inodes.get(&ino));
        let Some(Inode::Folder(folder)) = folder else { return Vec::new() };
        folder.now.values().filter_map(|ino| self.held(*ino)).collect()
    }

    /// What a file of the root holds now; empty when there is none.
    pub fn root_file(&self, name: &str) -> Vec<u8> {
        let held = self.child(ROOT, name).and_then(|ino| self.held(ino));
        held.map_or_else(Vec::new, |held| held.now.bytes())
    }

    fn held(&self, ino: Ino) -> Option<Held> {
        let Inode::File(file) = self.inodes.get(&ino)? else { return None };
        let (mut durable, mut now) = (file.durable.clone(), file.durable.clone());
        for (change, fate) in &file.changes {
            change.apply(&mut now);
            if *fate == Fate::Durable {
                change.apply(&mut durable);
            }
        }
        Some(Held { ino, durable, now })
    }

    /// Plays one operation.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { folder, name, ino } => self.add(*folder, name, *ino, Inode::File(File::default())),
            Op::MakeFolder { folder, name, ino } => self.add(*folder, name, *ino, Inode::Folder(Folder::default())),
            Op::Write { ino, offset, data } => self.change(*ino, Change::Write(*offset, Arc::clone(data))),
            Op::Truncate { ino, len } => self.change(*ino, Change::Truncate(*len)),
            Op::Allocate { ino, len } => self.change(*ino, Change::Allocate(*len)),
            Op::Rename { from, to } => self.rename(from, to),
            Op::Remove { folder, name } => self.entry(*folder, Entry::Remove(name.clone())),
            Op::Sync { ino } => self.sync(*ino),
            Op::SyncFailed { ino } => {
                if let Some(Inode::File(file)) = self.inodes.get_mut(ino) {
                    for (_, fate) in file.changes.iter_mut().filter(|(_, fate)| *fate == Fate::Cached) {
                        *fate = Fate::Unknown;
                    }
                }
            }
        }
    }

    fn add(&mut self, folder: Ino, name: &str, ino: Ino, inode: Inode) {
        self.next = self.next.max(ino + 1);
        self.inodes.insert(ino, inode);
        self.entry(folder, Entry::Add(name.to_owned(), ino));
    }

    fn change(&mut self, ino: Ino, change: Change) {
        if let Some(Inode::File(file)) = self.inodes.get_mut(&ino) {
            file.changes.push((change, Fate::Cached));
        }
    }

    fn entry(&mut self, folder: Ino, entry: Entry) {
        if let Some(Inode::Folder(folder)) = self.inodes.get_mut(&folder) {
            entry.apply(&mut folder.now);
            folder.pending.push((self.entries_changed, entry));
            self.entries_changed += 1;
        }
    }

    fn rename(&mut self, from: &(Ino, String), to: &(Ino, String)) {
        if from.0 == to.0 {
            self.entry(from.0, Entry::Move(from.1.clone(), to.1.clone()));
        } else if let Some(ino) = self.child(from.0, &from.1) {
            self.entry(to.0, Entry::Add(to.1.clone(), ino));
            self.entry(from.0, Entry::Remove(from.1.clone()));
        }
    }

    fn sync(&mut self, ino: Ino) {
        self.entries_journaled = self.entries_changed;
        match self.inodes.get_mut(&ino) {
            Some(Inode::File(file)) => {
                for (_, fate) in file.changes.iter_mut().filter(|(_, fate)| *fate == Fate::Cached) {
                    *fate = Fate::Durable;
                }
                let known = file.changes.iter().take_while(|(_, fate)| *fate == Fate::Durable).count();
                for (change, _) in file.changes.drain(..known) {
                    change.apply(&mut file.durable);
                }
            }
            Some(Inode::Folder(folder)) => {
                for (_, entry) in folder.pending.drain(..) {
                    entry.apply(&mut folder.durable);
                }
            }
            None => {}
        }
    }

    /// Pages that hold written bytes, per file: what a quota counts.
    pub fn pages_touched(offset: u64, len: u64) -> BTreeSet<u64> {
        match len {
            0 => BTreeSet::new(),
            len => (offset / PAGE..=(offset + len - 1) / PAGE).collect(),
        }
    }
}

/// Bytes of a page, for those who count space.
pub const PAGE_BYTES: u64 = PAGE;
