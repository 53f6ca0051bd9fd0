//! A small file system of its own below a folder, so that a test may fill it. Unmounted when it is dropped.

use super::skip;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a full disk is filled with, in pieces of these sizes: to the last page.
const PIECES_BYTES: [usize; 2] = [1 << 20, 4096];

/// A tmpfs.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Makes the folder and mounts on it; `None`, with a word why, where we may not.
    pub fn mount(folder: &Path, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            skip("a file system can only be mounted by root");
            return None;
        }
        Some(SmallDisk { folder: folder.to_owned() })
    }

    /// Gives it another size.
    pub fn grow(&self, size: &str) {
        let size = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &size]).arg(&self.folder).status().unwrap().success());
    }

    /// Fills it with a file that is nobody's, to the last byte.
    pub fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        for piece in PIECES_BYTES {
            while ballast.write_all(&vec![1; piece]).is_ok() {}
        }
    }

    /// Takes that file away.
    pub fn empty(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
