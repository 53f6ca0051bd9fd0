//! The data folder of a node: who holds it, which release may read it, and whose it is.
//!
//! `FORMAT` says that it is ours, `lock` is held while a process uses it, `identity` names the cluster and the node,
//! `secret`, `peers` and `card` let it meet the others, `started` says that it has a log, `replacement` that it needs
//! another number, `log/` and `store/` hold the data, `incoming/` a store that a checkpoint brought.

use crate::disk::{io, sync_folder, sync_parent, write_private, write_whole};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

mod remains;
mod replacement;

pub use remains::Remains;
pub use replacement::Replacement;

/// Counts releases that wrote another layout. For ever: docs/format.md.
const FORMAT_VERSION: u32 = 1;
const FORMAT_FILE: &str = "FORMAT";
const LOCK_FILE: &str = "lock";
const IDENTITY_FILE: &str = "identity";
const SECRET_FILE: &str = "secret";
const PEERS_FILE: &str = "peers";
const CARD_FILE: &str = "card";
/// What a folder may hold and still count as empty.
const IGNORED: [&str; 4] = [LOCK_FILE, "FORMAT.new", "lost+found", ".DS_Store"];
/// The last line of a small text file: a checksum of all before it.
const CHECKSUM: &str = "crc32c ";

/// A data folder that this process holds until it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    dir: PathBuf,
    /// `None` for one that is only looked at.
    _lock: Option<File>,
}

/// Whose data a folder holds. Given once; only a [`Replacement`] changes the number, and a forced recovery the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster: uuid::Uuid,
    /// The node's number within it, from 1.
    pub node: u64,
    /// Since which forced recovery the cluster is what it is.
    pub epoch: Epoch,
}

/// When a cluster was last recovered from a lost majority, in microseconds since 1970; 0 when it never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl DataFolder {
    /// Opens the data folder `dir`, or makes a missing or empty folder into one.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process holds it, [`Error::Foreign`] when it holds something else or was
    /// written by a release that this one cannot read, [`Error::Io`].
    pub fn open(dir: &Path) -> Result<DataFolder> {
        if !dir.exists() {
            std::fs::create_dir_all(dir).map_err(io("create", dir))?;
            sync_parent(dir)?;
        }
        let ours = dir.join(FORMAT_FILE).exists();
        if !ours && let Some(name) = stranger(dir)? {
            let detail = format!("it holds \"{name}\" and no {FORMAT_FILE} file; name an empty folder");
            return Err(Error::Foreign { path: dir.into(), detail });
        }
        let lock = hold(dir)?;
        if ours {
            check_format(dir)?;
        } else {
            write_whole(&dir.join(FORMAT_FILE), format!("vivarium data folder\nformat {FORMAT_VERSION}\n").as_bytes())?;
        }
        Ok(DataFolder { dir: dir.into(), _lock: Some(lock) })
    }
    /// Looks at the data folder `dir`, which another process may hold: for what its small files say, which are written
    /// whole. `None` when it is not ours.
    ///
    /// # Errors
    /// [`Error::Foreign`] when it was written by a release that this one cannot read, [`Error::Io`].
    pub fn look(dir: &Path) -> Result<Option<DataFolder>> {
        if !dir.join(FORMAT_FILE).exists() {
            return Ok(None);
        }
        check_format(dir)?;
        Ok(Some(DataFolder { dir: dir.into(), _lock: None }))
    }
    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Where the [`crate::Store`] belongs.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }
    /// Where the [`crate::Wal`] belongs.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }
    /// Where a store belongs that came from another node, whole and durable, until it is installed or discarded.
    pub fn incoming(&self) -> PathBuf {
        self.dir.join("incoming")
    }
    fn replaced(&self) -> PathBuf {
        self.dir.join("store.replaced")
    }
    /// Puts the store that came in the place of the present one. After a crash at any point the same call, or
    /// [`DataFolder::tidy`] when nothing is left to install, completes it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn install(&self) -> Result<()> {
        let (store, incoming) = (self.store(), self.incoming());
        if store.exists() {
            self.remove(&self.replaced())?;
            std::fs::rename(&store, self.replaced()).map_err(io("rename", &store))?;
            // The old store must have left its place for good before another takes it.
            sync_folder(&self.dir)?;
        }
        std::fs::rename(&incoming, &store).map_err(io("rename", &incoming))?;
        sync_folder(&self.dir)?;
        self.remove(&self.replaced())
    }
    /// Removes a store that came and is not to be installed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn discard(&self) -> Result<()> {
        self.remove(&self.incoming())
    }
    /// Removes what is left of a store that was replaced, and of one that did not come in full.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn tidy(&self) -> Result<()> {
        // Without a store in its place, the replaced one may be all that there is.
        if self.store().exists() {
            self.remove(&self.replaced())?;
        }
        self.remove(&self.incoming().with_extension("new"))
    }
    fn remove(&self, dir: &Path) -> Result<()> {
        let going = self.dir.join("removed");
        if going.exists() {
            std::fs::remove_dir_all(&going).map_err(io("delete", &going))?;
        }
        if !dir.exists() {
            return Ok(());
        }
        // Under another name first: a folder that is half gone must not be taken for what it was.
        std::fs::rename(dir, &going).map_err(io("rename", dir))?;
        sync_folder(&self.dir)?;
        std::fs::remove_dir_all(&going).map_err(io("delete", &going))?;
        sync_folder(&self.dir)
    }
    /// The addresses of the cluster's nodes by their numbers, as they were last noted: for a node that cannot read
    /// them from its store. A file that is damaged says nothing.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn peers(&self) -> Result<BTreeMap<u64, String>> {
        let path = self.dir.join(PEERS_FILE);
        if !path.exists() {
            return Ok(BTreeMap::new());
        }
        let bytes = std::fs::read(&path).map_err(io("read", &path))?;
        let peers = parse_peers(&String::from_utf8_lossy(&bytes));
        if peers.is_none() {
            tracing::warn!(path = %path.display(), "the list of peers is damaged and is ignored");
        }
        Ok(peers.unwrap_or_default())
    }

    /// Notes, durably, the addresses of the cluster's nodes. Writes only what is new.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// When an address has more than one line.
    pub fn set_peers(&self, peers: &BTreeMap<u64, String>) -> Result<()> {
        assert!(peers.values().all(|address| !address.contains(['\n', '\r'])), "an address is one line");
        if self.peers()? == *peers {
            return Ok(());
        }
        write_whole(&self.dir.join(PEERS_FILE), peers_text(peers).as_bytes())
    }
    /// Whose data it is; `None` in a new folder.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file is not as it was written.
    pub fn identity(&self) -> Result<Option<Identity>> {
        let path = self.dir.join(IDENTITY_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(io("read", &path))?;
        match Identity::parse(&String::from_utf8_lossy(&bytes)) {
            Some(identity) => Ok(Some(identity)),
            None => Err(Error::Corrupt { what: "identity", path, detail: "its checksum does not fit".into() }),
        }
    }
    /// What the nodes of its cluster know each other by; `None` for a node that never met another.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file is not as it was written.
    pub fn secret(&self) -> Result<Option<[u8; 32]>> {
        let Some(text) = self.checked(SECRET_FILE, "secret")? else { return Ok(None) };
        let bytes = text.strip_prefix("secret ").and_then(|rest| unhex(rest.trim_end()));
        bytes.map(Some).ok_or_else(|| self.corrupt(SECRET_FILE, "secret", "it is no secret"))
    }
    /// Keeps the secret, readable by this user only.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_secret(&self, secret: &[u8; 32]) -> Result<()> {
        write_private(&self.dir.join(SECRET_FILE), with_checksum(format!("secret {}\n", hex(secret))).as_bytes())
    }
    /// What names this folder's attempt to join a cluster: the same from the first call on.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the file is not as it was written, [`Error::Io`].
    pub fn card(&self, make: impl FnOnce() -> [u8; 16]) -> Result<[u8; 16]> {
        if let Some(text) = self.checked(CARD_FILE, "card")? {
            let bytes = text.strip_prefix("card ").and_then(|rest| unhex(rest.trim_end()));
            return bytes.ok_or_else(|| self.corrupt(CARD_FILE, "card", "it is no card"));
        }
        let card = make();
        write_whole(&self.dir.join(CARD_FILE), with_checksum(format!("card {}\n", hex(&card))).as_bytes())?;
        Ok(card)
    }
    /// The lines of a small text file, without its checksum; `None` when it is not there.
    fn checked(&self, file: &str, what: &'static str) -> Result<Option<String>> {
        let path = self.dir.join(file);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(io("read", &path))?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.rfind(CHECKSUM).map(|at| text[..at].to_owned());
        match lines.filter(|lines| with_checksum(lines.clone()) == text) {
            Some(lines) => Ok(Some(lines)),
            None => Err(self.corrupt(file, what, "its checksum does not fit")),
        }
    }
    fn corrupt(&self, file: &str, what: &'static str, detail: &str) -> Error {
        Error::Corrupt { what, path: self.dir.join(file), detail: detail.into() }
    }
    /// Says, durably, whose data it is.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// When it has another identity already.
    pub fn set_identity(&self, identity: &Identity) -> Result<()> {
        let before = self.identity()?;
        assert!(before.is_none_or(|before| before == *identity), "a data folder never changes its owner");
        self.write_identity(identity)
    }
    /// Makes the folder's node one of its cluster as it is from a recovery on: nodes of an earlier epoch are strangers.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the identity is not as it was written, [`Error::Io`].
    ///
    /// # Panics
    /// When the folder has no identity, or one of a later epoch.
    pub fn raise_epoch(&self, epoch: Epoch) -> Result<()> {
        let before = self.identity()?.expect("only a cluster that is there is recovered");
        assert!(before.epoch < epoch, "epochs ascend");
        self.write_identity(&Identity { epoch, ..before })
    }
    fn write_identity(&self, identity: &Identity) -> Result<()> {
        write_whole(&self.dir.join(IDENTITY_FILE), identity.text().as_bytes())
    }
}

impl Identity {
    fn text(&self) -> String {
        let Identity { cluster, node, epoch } = self;
        let epoch = if *epoch == Epoch::default() { String::new() } else { format!("epoch {}\n", epoch.0) };
        with_checksum(format!("cluster {cluster}\nnode {node}\n{epoch}"))
    }
    fn parse(text: &str) -> Option<Identity> {
        let mut lines = text.lines();
        let cluster = lines.next()?.strip_prefix("cluster ")?.parse().ok()?;
        let node = lines.next()?.strip_prefix("node ")?.parse().ok()?;
        let epoch = match lines.next()?.strip_prefix("epoch ") {
            Some(epoch) => Epoch(epoch.parse().ok()?),
            None => Epoch::default(),
        };
        let identity = Identity { cluster, node, epoch };
        (identity.text() == text).then_some(identity)
    }
}

fn peers_text(peers: &BTreeMap<u64, String>) -> String {
    let lines: String = peers.iter().map(|(node, address)| format!("node {node} {address}\n")).collect();
    with_checksum(lines)
}

fn parse_peers(text: &str) -> Option<BTreeMap<u64, String>> {
    let mut peers = BTreeMap::new();
    for line in text.lines() {
        let Some(peer) = line.strip_prefix("node ") else { break };
        let (node, address) = peer.split_once(' ')?;
        peers.insert(node.parse().ok()?, address.to_owned());
    }
    (peers_text(&peers) == text).then_some(peers)
}

fn with_checksum(lines: String) -> String {
    let checksum = crc32c::crc32c(lines.as_bytes());
    format!("{lines}{CHECKSUM}{checksum:08x}\n")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (nth, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * nth..2 * nth + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The first name in a folder that tells that it is in use for something.
fn stranger(dir: &Path) -> Result<Option<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io("list", dir))? {
        let name = entry.map_err(io("list", dir))?.file_name().to_string_lossy().into_owned();
        if !IGNORED.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().next())
}

fn hold(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: dir.into() }),
        Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

fn check_format(dir: &Path) -> Result<()> {
    let path = dir.join(FORMAT_FILE);
    let bytes = std::fs::read(&path).map_err(io("read", &path))?;
    let text = String::from_utf8_lossy(&bytes);
    let version = text.strip_prefix("vivarium data folder\nformat ").and_then(|rest| rest.strip_suffix('\n'));
    let detail = match version {
        Some(version) if version == FORMAT_VERSION.to_string() => return Ok(()),
        Some(version) => format!("its format is {version}, this release reads {FORMAT_VERSION}"),
        None => format!("its {FORMAT_FILE} file does not name a format"),
    };
    Err(Error::Foreign { path: dir.into(), detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch;

    #[test]
    fn a_new_folder_is_made_ours_and_held() {
        let dir = scratch();
        let path = dir.path().join("a/b");
        let folder = DataFolder::open(&path).unwrap();
        assert!(matches!(DataFolder::open(&path), Err(Error::Locked { .. })));
        assert_eq!(folder.identity().unwrap(), None);
        assert!(DataFolder::look(&path).unwrap().is_some_and(|looked| looked.dir() == path));
        assert!(DataFolder::look(dir.path()).unwrap().is_none());
        let identity = Identity { cluster: uuid::Uuid::from_u128(0x1234 << 64), node: 3, epoch: Epoch::default() };
        folder.set_identity(&identity).unwrap();
        drop(folder);
        let folder = DataFolder::open(&path).unwrap();
        assert_eq!(folder.identity().unwrap(), Some(identity));
        assert_eq!((folder.store(), folder.log()), (path.join("store"), path.join("log")));
        insta::assert_snapshot!(std::fs::read_to_string(path.join("FORMAT")).unwrap(), @r"
        vivarium data folder
        format 1
        ");
        insta::assert_snapshot!(std::fs::read_to_string(path.join("identity")).unwrap(), @r"
        cluster 00000000-0000-1234-0000-000000000000
        node 3
        crc32c 9f85392d
        ");
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let dir = scratch();
        std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let error = DataFolder::open(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }) && error.to_string().contains("notes.txt"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_later_format_is_refused() {
        let dir = scratch();
        drop(DataFolder::open(dir.path()).unwrap());
        for text in ["vivarium data folder\nformat 2\n", "vivarium\n", ""] {
            std::fs::write(dir.path().join(FORMAT_FILE), text).unwrap();
            assert!(matches!(DataFolder::open(dir.path()), Err(Error::Foreign { .. })), "{text:?}");
        }
    }

    #[test]
    fn what_it_meets_others_with_is_kept_and_checked() {
        use std::os::unix::fs::PermissionsExt;
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        assert_eq!(folder.secret().unwrap(), None);
        folder.set_secret(&[0xAB; 32]).unwrap();
        assert_eq!(folder.card(|| [5; 16]).unwrap(), [5; 16]);
        assert_eq!(folder.card(|| [6; 16]).unwrap(), [5; 16], "a second attempt is the same attempt");
        assert_eq!(folder.secret().unwrap(), Some([0xAB; 32]));
        let mode = std::fs::metadata(dir.path().join("secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for (file, from, to) in [("secret", "ab", "ba"), ("card", "05", "50")] {
            let path = dir.path().join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        }
        assert!(matches!(folder.secret(), Err(Error::Corrupt { what: "secret", .. })));
        assert!(matches!(folder.card(|| [6; 16]), Err(Error::Corrupt { what: "card", .. })));
    }

    #[test]
    fn an_epoch_is_raised_and_kept() {
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        let identity = Identity { cluster: uuid::Uuid::from_u128(0x1234 << 64), node: 3, epoch: Epoch::default() };
        folder.set_identity(&identity).unwrap();
        for epoch in [Epoch(7), Epoch(1_800_000_000_000_000)] {
            folder.raise_epoch(epoch).unwrap();
            assert_eq!(folder.identity().unwrap(), Some(Identity { epoch, ..identity }));
        }
        insta::assert_snapshot!(std::fs::read_to_string(dir.path().join("identity")).unwrap(), @r"
        cluster 00000000-0000-1234-0000-000000000000
        node 3
        epoch 1800000000000000
        crc32c 750709d8
        ");
    }

    #[test]
    fn a_changed_identity_is_corruption() {
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        folder.set_identity(&Identity { cluster: uuid::Uuid::nil(), node: 1, epoch: Epoch::default() }).unwrap();
        let path = dir.path().join(IDENTITY_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [text.replace("node 1", "node 2"), text[..20].to_string(), String::new()] {
            std::fs::write(&path, damaged).unwrap();
            assert!(matches!(folder.identity(), Err(Error::Corrupt { .. })));
        }
    }

    #[test]
    fn peers_are_noted_and_a_damaged_note_says_nothing() {
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        assert_eq!(folder.peers().unwrap(), BTreeMap::new());
        let peers = BTreeMap::from([(1, "10.0.0.1:4100".to_owned()), (12, "[::1]:4100".to_owned())]);
        folder.set_peers(&peers).unwrap();
        assert_eq!(folder.peers().unwrap(), peers);
        let path = dir.path().join("peers");
        let text = std::fs::read_to_string(&path).unwrap();
        insta::assert_snapshot!(text, @r"
        node 1 10.0.0.1:4100
        node 12 [::1]:4100
        crc32c 72eabfa0
        ");
        for damaged in [text.replace("10.0.0.1", "10.0.0.2"), text[..20].to_string(), String::new()] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(folder.peers().unwrap(), BTreeMap::new());
        }
        folder.set_peers(&peers).unwrap();
        assert_eq!(folder.peers().unwrap(), peers);
    }

    /// A folder with what these names say in it; each is a folder with a file that holds its word.
    fn folder_with(names: &[(&str, &str)]) -> (tempfile::TempDir, DataFolder) {
        let dir = scratch();
        let folder = DataFolder::open(dir.path()).unwrap();
        for (name, word) in names {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("word"), word).unwrap();
        }
        (dir, folder)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !["FORMAT", "lock"].contains(&name.as_str()))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_installation_that_was_broken_off_anywhere_is_completed() {
        let (old, new) = ("old", "new");
        for begun in [
            &[("store", old), ("incoming", new)][..],
            // Left by an installation before this one.
            &[("store", old), ("store.replaced", "older"), ("incoming", new)],
            &[("store", old), ("removed", "older"), ("incoming", new)],
            // The old store has left its place.
            &[("store.replaced", old), ("incoming", new)],
        ] {
            let (dir, folder) = folder_with(begun);
            folder.install().unwrap();
            folder.tidy().unwrap();
            assert_eq!(names(dir.path()), ["store"], "{begun:?}");
            assert_eq!(std::fs::read_to_string(folder.store().join("word")).unwrap(), new);
        }
        // The new one has taken it.
        for begun in [&[("store", new), ("store.replaced", old)][..], &[("store", new), ("removed", old)]] {
            let (dir, folder) = folder_with(begun);
            folder.tidy().unwrap();
            assert_eq!(std::fs::read_to_string(folder.store().join("word")).unwrap(), new);
            assert_eq!(names(dir.path()), ["store"], "{begun:?}");
        }
    }

    #[test]
    fn a_store_that_did_not_come_in_full_is_removed_and_the_only_one_never() {
        let (dir, folder) = folder_with(&[("incoming.new", "half"), ("store.replaced", "old")]);
        folder.tidy().unwrap();
        assert_eq!(names(dir.path()), ["store.replaced"]);
        let (dir, folder) = folder_with(&[("incoming", "new"), ("store", "old")]);
        folder.discard().unwrap();
        assert_eq!(names(dir.path()), ["store"]);
    }
}
