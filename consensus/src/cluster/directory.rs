//! Who belongs to the cluster and where: a row for each node that ever did, written by ordinary commits.
//!
//! Numbers ascend and are never given again, so a row stays when its node goes.

use crate::command::{Draft, Write};
use crate::node::Inner;
use crate::progress::RETRY_WITHOUT_LEADER;
use crate::{CommitOptions, Consistency, Error, Result, Transaction};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::Instant;
use vivarium_storage::{Key, KeyRange, Snapshot, Space, Version};

/// The first byte of the rows' keys in [`Space::Meta`]; the node's number follows, big-endian.
pub(crate) const DIRECTORY: u8 = 7;
const FORMAT: u8 = 1;
const LEFT: u8 = 1;
const REPLACES: u8 = 2;
/// Format, flags, and the card.
const HEADER_BYTES: usize = 18;
/// A host name has at most 253 bytes; a port follows.
const ADDRESS_BYTES_MAX: usize = 260;
/// Rows that are read: more nodes than a cluster ever has had.
const ROWS_MAX: usize = 10_000;
/// What a node is told, or finds out, that was removed.
pub(super) const REMOVED: &str = "this node was removed from its cluster";
/// Nodes of a cluster. Every commit waits for a majority of them.
pub const NODES_MAX: usize = 7;

/// Names an attempt to join, so that a repetition gets the number that the first one got.
pub(crate) type Card = [u8; 16];

/// What is known of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// Where the others reach it.
    pub address: String,
    /// What it joined with; zeros for the first node.
    pub card: Card,
    /// It was told to go.
    pub left: bool,
    /// The node whose place it took.
    pub replaces: Option<u64>,
}

/// All rows, by the nodes' numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory {
    rows: BTreeMap<u64, Registration>,
}

impl Directory {
    /// The directory as of a snapshot.
    ///
    /// # Errors
    /// Those of reading; `Corrupt` for a row that no release wrote.
    pub fn read(snapshot: &Snapshot) -> Result<Directory> {
        let rows = snapshot.scan(Space::Meta, &scan(), snapshot.version())?;
        let mut directory = Directory::default();
        for row in rows {
            let (key, cell) = row?;
            directory.add(&key, &cell.value)?;
        }
        Ok(directory)
    }

    async fn read_within(transaction: &mut Transaction) -> Result<Directory> {
        let rows = transaction.scan_many(Space::Meta, &[scan()]).await?;
        let mut directory = Directory::default();
        for (key, cell) in rows.into_iter().flatten() {
            directory.add(&key, &cell.value)?;
        }
        Ok(directory)
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let node = key.get(1..).and_then(|rest| Some(u64::from_be_bytes(rest.try_into().ok()?)));
        let row = node.zip(Registration::decode(value));
        let (node, registration) = row.ok_or_else(|| corrupt(key))?;
        self.rows.insert(node, registration);
        Ok(())
    }

    /// What is known of a node.
    pub fn get(&self, node: u64) -> Option<&Registration> {
        self.rows.get(&node)
    }

    /// True when no node ever met another.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All nodes that ever belonged to the cluster, in ascending order.
    pub fn rows(&self) -> impl Iterator<Item = (u64, &Registration)> {
        self.rows.iter().map(|(node, row)| (*node, row))
    }

    /// The nodes that belong to the cluster and stay, in ascending order.
    pub fn present(&self) -> impl Iterator<Item = (u64, &Registration)> {
        self.rows().filter(|(_, row)| !row.left)
    }

    /// True when the node was told to go.
    pub fn has_left(&self, node: u64) -> bool {
        self.rows.get(&node).is_some_and(|row| row.left)
    }

    /// The commit, on a snapshot, that says that all but one node have left.
    pub fn without_others(&self, own: u64, snapshot: Version) -> Draft {
        let gone = self.present().filter(|(node, _)| *node != own);
        let rows: Vec<(Key, Vec<u8>)> =
            gone.map(|(node, row)| (key(node), Registration { left: true, ..row.clone() }.encode())).collect();
        let writes: Vec<Write<'_>> =
            rows.iter().map(|(key, row)| Write { space: Space::Meta, key, value: Some(row) }).collect();
        Draft::commit(snapshot, &writes, None)
    }

    /// A directory of nodes that are there, or have left.
    #[cfg(test)]
    pub fn of(nodes: &[(u64, bool)]) -> Directory {
        let row = |left| Registration { left, ..Registration::new(Card::default(), "") };
        Directory { rows: nodes.iter().map(|(node, left)| (*node, row(*left))).collect() }
    }

    fn next_number(&self) -> u64 {
        self.rows.keys().next_back().map_or(2, |last| last + 1)
    }

    /// What came of an attempt to get a number, if it was made before.
    fn attempt(&self, card: Card, address: &str) -> Option<Attempt> {
        let (number, row) = self.rows.iter().find(|(_, row)| row.card == card)?;
        if row.left {
            return Some(Attempt::Left(*number));
        }
        let moved = Registration { address: address.into(), ..row.clone() };
        let rows = if moved == *row { Vec::new() } else { vec![(*number, moved)] };
        Some(Attempt::Known(*number, rows))
    }
}

/// An attempt to get a number that was made before.
enum Attempt {
    /// Its number, and what changes with where it is now.
    Known(u64, Vec<(u64, Registration)>),
    /// Its number, which has been told to go.
    Left(u64),
}

impl Registration {
    /// True when the node stays, or is needed for as long as the group counts it: of two, both must agree to do without
    /// one of them.
    pub fn belongs(&self, is_counted: bool) -> bool {
        !self.left || is_counted
    }

    fn new(card: Card, address: &str) -> Registration {
        Registration { address: address.into(), card, left: false, replaces: None }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.address.len());
        bytes.push(FORMAT);
        bytes.push(if self.left { LEFT } else { 0 } | if self.replaces.is_some() { REPLACES } else { 0 });
        bytes.extend_from_slice(&self.card);
        if let Some(replaced) = self.replaces {
            bytes.extend_from_slice(&replaced.to_be_bytes());
        }
        bytes.extend_from_slice(self.address.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Registration> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let flags = header[1];
        if header[0] != FORMAT || flags & !(LEFT | REPLACES) != 0 {
            return None;
        }
        let (replaces, address) = if flags & REPLACES == 0 {
            (None, rest)
        } else {
            let (number, address) = rest.split_first_chunk()?;
            (Some(u64::from_be_bytes(*number)), address)
        };
        Some(Registration {
            address: String::from_utf8(address.to_vec()).ok()?,
            card: header[2..].try_into().expect("the header's length is fixed"),
            left: flags & LEFT != 0,
            replaces,
        })
    }
}

/// Gives a node its number, the one that it got before when it asks again.
///
/// # Errors
/// `Refused` when the cluster is full or the node was told to go; those of a transaction.
pub(crate) async fn admit(node: &Arc<Inner>, card: Card, address: &str, deadline: Instant) -> Result<u64> {
    check_address(address)?;
    change(node, deadline, |directory| match directory.attempt(card, address) {
        Some(Attempt::Left(number)) => {
            Err(Error::Refused(format!("node {number} was removed from this cluster; join with a new, empty folder")))
        }
        Some(Attempt::Known(number, rows)) => Ok((number, rows)),
        None if directory.present().count() >= NODES_MAX => {
            Err(Error::Refused(format!("the cluster has {NODES_MAX} nodes, which is the most; remove one first")))
        }
        None => {
            let number = directory.next_number();
            Ok((number, vec![(number, Registration::new(card, address))]))
        }
    })
    .await
}

/// Gives a node that lost its log another number, the one that it got before when it asks again. In the same commit the
/// old one is told to go.
///
/// # Errors
/// `Refused` when the node, or the one that took its place, was told to go; those of a transaction.
pub(crate) async fn replace(node: &Arc<Inner>, old: u64, card: Card, address: &str, deadline: Instant) -> Result<u64> {
    check_address(address)?;
    change(node, deadline, |directory| match (directory.attempt(card, address), directory.get(old)) {
        (Some(Attempt::Left(_)), _) => Err(Error::Refused(REMOVED.into())),
        (Some(Attempt::Known(number, rows)), _) => Ok((number, rows)),
        (None, None) => Err(Error::Refused(format!("the cluster has no node {old}"))),
        (None, Some(row)) if row.left => Err(Error::Refused(REMOVED.into())),
        (None, Some(row)) => {
            let number = directory.next_number();
            let new = Registration { replaces: Some(old), ..Registration::new(card, address) };
            Ok((number, vec![(old, Registration { left: true, ..row.clone() }), (number, new)]))
        }
    })
    .await
}

fn check_address(address: &str) -> Result<()> {
    if address.is_empty()
        || address.len() > ADDRESS_BYTES_MAX
        || address.chars().any(|letter| !letter.is_ascii_graphic())
    {
        return Err(Error::Refused(format!("{address:?} is no address: give host:port, as the others reach the node")));
    }
    Ok(())
}

/// Fails when a node, this one or another, was removed and the group does without it. As that is final, every node that
/// has applied it may say so. It must: perhaps nobody leads who could, or will while anybody is there who can be asked.
///
/// # Errors
/// `Refused`.
pub(super) fn check_belongs(node: &Inner, number: u64) -> Result<()> {
    match node.book.directory().get(number) {
        Some(row) if !row.belongs(node.standing.load().has(number)) => Err(Error::Refused(REMOVED.into())),
        _ => Ok(()),
    }
}

/// Says where a node is reached now.
///
/// # Errors
/// `Refused` when it was told to go; those of a transaction.
pub(crate) async fn announce(node: &Arc<Inner>, number: u64, address: &str, deadline: Instant) -> Result<()> {
    check_belongs(node, number)?;
    let announced = change(node, deadline, |directory| match directory.get(number) {
        // Until the group does without it, its vote may be needed: also for that.
        Some(row) if row.left && node.standing.load().has(number) => {
            Err(Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER })
        }
        Some(row) if row.left => Err(Error::Refused(REMOVED.into())),
        Some(row) if row.address == address => Ok((number, Vec::new())),
        Some(row) => Ok((number, vec![(number, Registration { address: address.into(), ..row.clone() })])),
        None => Ok((number, vec![(number, Registration::new(Card::default(), address))])),
    });
    announced.await.map(|_| ())
}

/// Tells a node to go.
///
/// # Errors
/// `Refused` when there is no such node; those of a transaction.
pub(crate) async fn strike(node: &Arc<Inner>, number: u64, deadline: Instant) -> Result<()> {
    let struck = change(node, deadline, |directory| match directory.get(number) {
        None => Err(Error::Refused(format!("the cluster has no node {number}"))),
        Some(row) if row.left => Ok((number, Vec::new())),
        // Whoever was asked about it may not have known yet who else is to go.
        Some(_) if directory.present().count() == 1 => Err(Error::Refused(format!(
            "node {number} is the only one that stays in its cluster and cannot be removed"
        ))),
        Some(row) => Ok((number, vec![(number, Registration { left: true, ..row.clone() })])),
    });
    struck.await.map(|_| ())
}

/// Reads the directory, decides, and writes what is to be written, again and again while others do the same.
async fn change(
    node: &Arc<Inner>,
    deadline: Instant,
    decide: impl Fn(&Directory) -> Result<(u64, Vec<(u64, Registration)>)>,
) -> Result<u64> {
    loop {
        let mut transaction = node.clone().begin(Consistency::Strong, deadline).await?;
        let directory = Directory::read_within(&mut transaction).await?;
        let (number, rows) = decide(&directory)?;
        if rows.is_empty() {
            return Ok(number);
        }
        for (changed, row) in rows {
            transaction.put(Space::Meta, key(changed), row.encode());
        }
        match transaction.commit(CommitOptions::default(), deadline).await {
            Ok(_) => return Ok(number),
            // Whether an unknown commit is there shows when the directory is read again.
            Err(Error::Conflict | Error::UnknownOutcome) => {}
            Err(error) => return Err(error),
        }
    }
}

fn key(node: u64) -> Key {
    [&[DIRECTORY][..], &node.to_be_bytes()].concat().into()
}

fn scan() -> Scan {
    Scan { range: KeyRange { start: [DIRECTORY].into(), end: [DIRECTORY + 1].into() }, reverse: false, limit: ROWS_MAX }
}

fn corrupt(key: &[u8]) -> Error {
    let detail = format!("the row {key:?} was not written by a release that this one knows");
    vivarium_storage::Error::Corrupt { what: "directory", path: PathBuf::from("store"), detail }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_and_its_bytes_are_on_record() {
        let row = Registration { left: true, ..Registration::new([7; 16], "a:1") };
        assert_eq!(row.encode(), [&[1, 1][..], &[7; 16], b"a:1"].concat());
        assert_eq!(Registration::decode(&row.encode()), Some(row.clone()));
        let row = Registration { left: false, replaces: Some(3), ..row };
        assert_eq!(row.encode(), [&[1, 2][..], &[7; 16], &[0, 0, 0, 0, 0, 0, 0, 3], b"a:1"].concat());
        assert_eq!(Registration::decode(&row.encode()), Some(row));
        for bad in [&[][..], &[1; 17], &[2; 30], &[1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 65]] {
            assert_eq!(Registration::decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_number_is_never_given_again() {
        let row = |left| Registration { left, ..Registration::new([0; 16], "") };
        let mut directory = Directory::default();
        assert_eq!(directory.next_number(), 2, "the first node needs no row to have its number");
        directory.rows = BTreeMap::from([(1, row(false)), (4, row(true))]);
        assert_eq!(directory.next_number(), 5);
        assert_eq!(directory.present().map(|(node, _)| node).collect::<Vec<_>>(), [1]);
    }
}
