//! What a folder tells of the node that ran in it, when its log or its identity is gone.
//!
//! Invariant: `started` is written after the log is durable and before the node says a word under its number.

use super::{CARD_FILE, DataFolder, PEERS_FILE, SECRET_FILE, replacement, with_checksum};
use crate::Result;
use crate::disk::{io, sync_folder, write_whole};
use std::path::PathBuf;

const STARTED_FILE: &str = "started";

/// What lies in a folder that has no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// What only a node can have left, for one in this place.
    Node(PathBuf),
    /// An attempt to join a cluster that has not ended.
    Joining,
}

impl DataFolder {
    /// What a folder without an identity holds; `None` when it is as good as new.
    pub fn remains(&self) -> Option<Remains> {
        let started = self.dir.join(STARTED_FILE);
        let ran =
            [self.log(), self.store(), self.incoming(), self.replaced(), started, self.dir.join(replacement::FILE)];
        if let Some(path) = ran.into_iter().find(|path| path.exists()) {
            return Some(Remains::Node(path));
        }
        if self.dir.join(CARD_FILE).exists() {
            return Some(Remains::Joining);
        }
        // Whoever founds a cluster writes the identity before these.
        let met = [SECRET_FILE, PEERS_FILE].map(|file| self.dir.join(file));
        met.into_iter().find(|path| path.exists()).map(Remains::Node)
    }
    /// True when a node has run in the folder under its number, so that it had a log.
    pub fn has_started(&self) -> bool {
        self.dir.join(STARTED_FILE).exists()
    }
    /// Notes, durably, that the node with this number runs in the folder and has a log there. Its attempt to join is over:
    /// nobody may be given the same number for it again.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn note_start(&self, node: u64) -> Result<()> {
        if !self.has_started() {
            write_whole(&self.dir.join(STARTED_FILE), with_checksum(format!("node {node}\n")).as_bytes())?;
        }
        self.remove_file(CARD_FILE)
    }
    /// The node that ran in the folder is not the one that will.
    pub(super) fn forget_start(&self) -> Result<()> {
        self.remove_file(STARTED_FILE)
    }
    fn remove_file(&self, file: &str) -> Result<()> {
        let path = self.dir.join(file);
        if !path.exists() {
            return Ok(());
        }
        std::fs::remove_file(&path).map_err(io("delete", &path))?;
        sync_folder(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch;

    #[test]
    fn a_start_is_noted_once() {
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        assert!(!folder.has_started());
        folder.card(|| [5; 16]).unwrap();
        for _ in 0..2 {
            folder.note_start(3).unwrap();
            assert!(folder.has_started() && !dir.path().join(CARD_FILE).exists());
        }
        insta::assert_snapshot!(std::fs::read_to_string(dir.path().join(STARTED_FILE)).unwrap(), @r"
        node 3
        crc32c 42f1fe34
        ");
        for _ in 0..2 {
            folder.forget_start().unwrap();
            assert!(!folder.has_started());
        }
    }

    #[test]
    fn what_a_folder_without_an_identity_holds_is_told_apart() {
        let cases: [(&[&str], Option<Remains>); 7] = [
            (&[], None),
            (&["log"], Some(Remains::Node("log".into()))),
            (&["card", "secret", "peers"], Some(Remains::Joining)),
            (&["card", "started"], Some(Remains::Node("started".into()))),
            (&["secret"], Some(Remains::Node("secret".into()))),
            (&["peers"], Some(Remains::Node("peers".into()))),
            (&["log.damaged-1", "replacement"], Some(Remains::Node("replacement".into()))),
        ];
        for (names, expected) in cases {
            let dir = scratch();
            let folder = DataFolder::open(dir.path()).unwrap();
            for name in names {
                std::fs::write(dir.path().join(name), "").unwrap();
            }
            let expected = expected.map(|remains| match remains {
                Remains::Node(name) => Remains::Node(dir.path().join(name)),
                joining => joining,
            });
            assert_eq!(folder.remains(), expected, "{names:?}");
        }
    }
}
