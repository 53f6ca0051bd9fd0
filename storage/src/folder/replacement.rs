//! A node that cannot go on under its number, and what is on disk of it before it asks for another one.
//!
//! Invariant: from the note on, nobody uses the folder's log or store under the old number; it goes last.

use super::{DataFolder, Identity, hex, unhex, with_checksum};
use crate::Result;
use crate::disk::{io, set_aside, sync_folder, write_whole};
use std::path::PathBuf;

pub(super) const FILE: &str = "replacement";

/// That a node is to be replaced by one with another number, in the same folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The number that it gives up.
    pub node: u64,
    /// Names the attempt, so that a repetition gets the same new number.
    pub card: [u8; 16],
}

impl DataFolder {
    /// That the folder's node is to be replaced, if it is.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when the note of it is not as it was written, [`crate::Error::Io`].
    pub fn replacement(&self) -> Result<Option<Replacement>> {
        let Some(text) = self.checked(FILE, "replacement")? else { return Ok(None) };
        let replacement = parse(&text).ok_or_else(|| self.corrupt(FILE, "replacement", "it names no attempt"))?;
        Ok(Some(replacement))
    }
    /// Notes, durably, that the folder's node is to be replaced. There is no way back.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn begin_replacement(&self, replacement: &Replacement) -> Result<()> {
        let Replacement { node, card } = replacement;
        let text = with_checksum(format!("node {node}\ncard {}\n", hex(card)));
        write_whole(&self.dir.join(FILE), text.as_bytes())
    }
    /// Makes the folder that of the node that takes the place: what the old one had is set aside, and said where. After a
    /// crash at any point the same call completes it.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    ///
    /// # Panics
    /// When no replacement was begun.
    pub fn complete_replacement(&self, new: &Identity) -> Result<Vec<PathBuf>> {
        let begun = self.replacement()?.expect("a replacement is begun before it is completed");
        let mut aside = Vec::new();
        if self.identity()?.is_none_or(|identity| identity.node == begun.node) {
            // First: under the new number nothing of the old one may be found.
            for dir in [self.log(), self.store(), self.incoming(), self.replaced()] {
                if dir.exists() {
                    aside.push(set_aside(&dir)?);
                }
            }
            self.forget_start()?;
            self.write_identity(new)?;
        }
        let path = self.dir.join(FILE);
        std::fs::remove_file(&path).map_err(io("delete", &path))?;
        sync_folder(&self.dir)?;
        Ok(aside)
    }
}

fn parse(text: &str) -> Option<Replacement> {
    let (node, card) = text.strip_prefix("node ")?.split_once("\ncard ")?;
    Some(Replacement { node: node.parse().ok()?, card: unhex(card.strip_suffix('\n')?)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::disk::scratch;

    fn identity(node: u64) -> Identity {
        Identity { cluster: uuid::Uuid::nil(), node, epoch: crate::Epoch::default() }
    }

    fn damaged() -> (tempfile::TempDir, DataFolder) {
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        folder.set_identity(&identity(3)).unwrap();
        std::fs::create_dir(folder.log()).unwrap();
        std::fs::create_dir(folder.store()).unwrap();
        folder.note_start(3).unwrap();
        folder.begin_replacement(&Replacement { node: 3, card: [9; 16] }).unwrap();
        (dir, folder)
    }

    #[test]
    fn a_replacement_is_on_disk_before_it_is_asked_for_and_until_it_is_done() {
        let (dir, folder) = damaged();
        insta::assert_snapshot!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), @r"
        node 3
        card 09090909090909090909090909090909
        crc32c 0b0340c5
        ");
        assert_eq!(folder.replacement().unwrap(), Some(Replacement { node: 3, card: [9; 16] }));
        let aside = folder.complete_replacement(&identity(4)).unwrap();
        assert_eq!(aside, [dir.path().join("log.damaged-1"), dir.path().join("store.damaged-1")]);
        assert!(aside.iter().all(|aside| aside.exists()) && !folder.log().exists() && !folder.store().exists());
        assert_eq!((folder.identity().unwrap(), folder.replacement().unwrap()), (Some(identity(4)), None));
        assert!(!folder.has_started(), "the new node has not run yet");
    }

    #[test]
    fn one_that_was_broken_off_anywhere_is_completed() {
        // After nothing, after the log, after log and store, after the note of the start, after the new identity.
        for steps in 0..5 {
            let (dir, folder) = damaged();
            if steps > 0 {
                set_aside(&folder.log()).unwrap();
            }
            if steps > 1 {
                set_aside(&folder.store()).unwrap();
            }
            if steps > 2 {
                folder.forget_start().unwrap();
            }
            if steps > 3 {
                folder.write_identity(&identity(4)).unwrap();
            }
            folder.complete_replacement(&identity(4)).unwrap();
            assert_eq!((folder.identity().unwrap(), folder.replacement().unwrap()), (Some(identity(4)), None));
            assert!(!folder.log().exists() && !folder.store().exists() && !folder.has_started(), "{steps}");
            assert!(dir.path().join("log.damaged-1").exists() && !dir.path().join("log.damaged-2").exists());
        }
    }

    #[test]
    fn what_the_new_node_has_is_never_set_aside() {
        let (_dir, folder) = damaged();
        folder.write_identity(&identity(4)).unwrap();
        assert!(folder.complete_replacement(&identity(4)).unwrap().is_empty());
        assert!(folder.log().exists() && folder.store().exists());
    }

    #[test]
    fn a_damaged_note_is_corruption() {
        let (dir, folder) = damaged();
        let path = dir.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [text.replace("node 3", "node 2"), text[..9].to_string(), String::new()] {
            std::fs::write(&path, damaged).unwrap();
            assert!(matches!(folder.replacement(), Err(Error::Corrupt { what: "replacement", .. })));
        }
    }
}
