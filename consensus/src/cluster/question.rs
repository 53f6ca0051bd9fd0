//! What nodes ask of each other and what they answer, in bytes: docs/wire.md.
//!
//! A question says how long its asker waits, not until when: clocks differ.

use crate::command::Draft;
use crate::footprint::Footprint;
use crate::progress::{RETRY_WHILE_REOPENING, RETRY_WITHOUT_LEADER};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use vivarium_storage::Version;

const FORMAT: u8 = 1;

/// A question. What is large follows the rest as it is.
#[derive(Debug)]
pub(crate) enum Question {
    /// Commit this, as a leader.
    Commit { snapshot: Version, footprint: Footprint, draft: Draft },
    /// Decide every version up to this one, as a leader.
    Settle(Version),
    /// Give me a number: I want to join.
    Join { card: [u8; 16], address: String },
    /// Let a node go, as a leader.
    Remove(u64),
    /// Hand leadership over, to this voter or to the one that is closest behind, as a leader.
    Transfer(Option<u64>),
    /// Part of a checkpoint.
    Checkpoint(Vec<u8>),
    /// Tell the others that I am reached here now.
    Announce(String),
    /// Put a new number in the place of this node: its log is lost.
    Replace { node: u64, card: [u8; 16], address: String },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Committed {
        version: u64,
        answer: Vec<u8>,
    },
    /// A number, the cluster's epoch, and where the others are.
    Number {
        node: u64,
        epoch: u64,
        peers: Vec<(u64, String)>,
    },
    Bytes(Vec<u8>),
    Failed(Failure),
}

/// An error, as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Conflict,
    Unavailable { millis: u64 },
    UnknownOutcome,
    DeadlineExceeded,
    TooLarge { bytes: u64, limit: u64 },
    VersionGone { version: u64, oldest: u64 },
    Refused(String),
    Broken(String),
}

#[derive(Serialize, Deserialize)]
struct Head {
    millis: u64,
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Commit { snapshot: u64, footprint: Footprint },
    Settle(u64),
    Join { card: [u8; 16], address: String },
    Remove(u64),
    Transfer(Option<u64>),
    Checkpoint,
    Announce(String),
    Replace { node: u64, card: [u8; 16], address: String },
}

/// The bytes of a [`Question::Commit`].
pub(crate) fn commit(snapshot: Version, footprint: &Footprint, draft: &Draft, wait: Duration) -> Vec<u8> {
    encode(Kind::Commit { snapshot: snapshot.0, footprint: footprint.clone() }, draft.bytes(), wait)
}

fn encode(kind: Kind, tail: &[u8], wait: Duration) -> Vec<u8> {
    let head = Head { millis: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), kind };
    let head = postcard::to_extend(&head, vec![FORMAT]);
    let mut bytes = head.expect("bytes in memory can always be encoded");
    bytes.extend_from_slice(tail);
    bytes
}

impl Question {
    /// Its bytes.
    pub fn encode(&self, wait: Duration) -> Vec<u8> {
        let (kind, tail): (Kind, &[u8]) = match self {
            Question::Commit { snapshot, footprint, draft } => return commit(*snapshot, footprint, draft, wait),
            Question::Settle(version) => (Kind::Settle(version.0), &[]),
            Question::Join { card, address } => (Kind::Join { card: *card, address: address.clone() }, &[]),
            Question::Remove(node) => (Kind::Remove(*node), &[]),
            Question::Transfer(to) => (Kind::Transfer(*to), &[]),
            Question::Checkpoint(bytes) => (Kind::Checkpoint, bytes),
            Question::Announce(address) => (Kind::Announce(address.clone()), &[]),
            Question::Replace { node, card, address } => {
                (Kind::Replace { node: *node, card: *card, address: address.clone() }, &[])
            }
        };
        encode(kind, tail, wait)
    }

    /// Reads what [`Question::encode`] wrote: the question, and how long its asker waits.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> std::result::Result<(Question, Duration), String> {
        let rest = formatted(bytes)?;
        let (head, tail): (Head, _) = postcard::take_from_bytes(rest).map_err(|error| error.to_string())?;
        let question = match head.kind {
            Kind::Commit { snapshot, footprint } => {
                Question::Commit { snapshot: Version(snapshot), footprint, draft: Draft::of_commit(tail.to_vec())? }
            }
            Kind::Settle(version) => Question::Settle(Version(version)),
            Kind::Join { card, address } => Question::Join { card, address },
            Kind::Remove(node) => Question::Remove(node),
            Kind::Transfer(to) => Question::Transfer(to),
            Kind::Checkpoint => Question::Checkpoint(tail.to_vec()),
            Kind::Announce(address) => Question::Announce(address),
            Kind::Replace { node, card, address } => Question::Replace { node, card, address },
        };
        Ok((question, Duration::from_millis(head.millis)))
    }
}

impl Reply {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![FORMAT]).expect("bytes in memory can always be encoded")
    }

    /// Reads what [`Reply::encode`] wrote.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Reply, String> {
        postcard::from_bytes(formatted(bytes)?).map_err(|error| error.to_string())
    }

    /// A failure as this node's own error; anything else as it is.
    ///
    /// # Errors
    /// What the other node failed with.
    pub fn checked(self) -> Result<Reply> {
        match self {
            Reply::Failed(failure) => Err(failure.into()),
            reply => Ok(reply),
        }
    }
}

fn formatted(bytes: &[u8]) -> std::result::Result<&[u8], String> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => Ok(rest),
        Some((format, _)) => Err(format!("format {format}, this release knows {FORMAT}")),
        None => Err("nothing".to_owned()),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Conflict => Failure::Conflict,
            Error::Unavailable { retry_after } => {
                Failure::Unavailable { millis: u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX) }
            }
            Error::Reopened => Failure::from(Error::Unavailable { retry_after: RETRY_WHILE_REOPENING }),
            Error::UnknownOutcome => Failure::UnknownOutcome,
            Error::DeadlineExceeded => Failure::DeadlineExceeded,
            Error::TooLarge { bytes, limit } => Failure::TooLarge { bytes: bytes as u64, limit: limit as u64 },
            Error::VersionGone { version, oldest } => Failure::VersionGone { version: version.0, oldest: oldest.0 },
            Error::Refused(reason) => Failure::Refused(reason),
            Error::Stopped(reason) => Failure::Broken(reason),
            error @ (Error::Listen { .. } | Error::Peer { .. }) => Failure::Broken(error.to_string()),
            Error::Storage(error) => Failure::Broken(error.to_string()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        match failure {
            Failure::Conflict => Error::Conflict,
            Failure::Unavailable { millis } => Error::Unavailable { retry_after: Duration::from_millis(millis) },
            Failure::UnknownOutcome => Error::UnknownOutcome,
            Failure::DeadlineExceeded => Error::DeadlineExceeded,
            Failure::TooLarge { bytes, limit } => Error::TooLarge { bytes: size(bytes), limit: size(limit) },
            Failure::VersionGone { version, oldest } => {
                Error::VersionGone { version: Version(version), oldest: Version(oldest) }
            }
            Failure::Refused(reason) => Error::Refused(reason),
            // Broken before it took anything over: whatever it took over and lost has an unknown outcome.
            Failure::Broken(reason) => {
                tracing::warn!(reason, "another node could not do what it was asked");
                Error::Unavailable { retry_after: RETRY_WITHOUT_LEADER }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Write;
    use proptest::prelude::*;
    use vivarium_storage::{Key, KeyRange, Space};

    #[test]
    fn a_commit_survives_the_way() {
        let mut footprint = Footprint::default();
        let key: Key = Box::new([1, 2]);
        footprint.key(Space::Document, &key);
        footprint.range(Space::Index, KeyRange { start: [3].into(), end: [4].into() });
        let write = Write { space: Space::Document, key: &[1, 2], value: Some(b"v") };
        let draft = Draft::commit(Version(7), &[write], None);
        let sent = Question::Commit { snapshot: Version(7), footprint, draft };
        let bytes = sent.encode(Duration::from_millis(9));
        let (received, wait) = Question::decode(&bytes).unwrap();
        assert_eq!(wait, Duration::from_millis(9));
        assert_eq!(format!("{received:?}"), format!("{sent:?}"));
    }

    #[test]
    fn the_bytes_of_questions_and_replies_are_on_record() {
        let join = Question::Join { card: [9; 16], address: "h:1".into() };
        let expected = [&[1, 0xE8, 7, 2][..], &[9; 16], &[3, b'h', b':', b'1']].concat();
        assert_eq!(join.encode(Duration::from_secs(1)), expected);
        assert_eq!(Question::Settle(Version(5)).encode(Duration::ZERO), [1, 0, 1, 5]);
        assert_eq!(Question::Remove(3).encode(Duration::ZERO), [1, 0, 3, 3]);
        assert_eq!(Question::Transfer(Some(2)).encode(Duration::ZERO), [1, 0, 4, 1, 2]);
        assert_eq!(Question::Checkpoint(vec![8]).encode(Duration::ZERO), [1, 0, 5, 8]);
        assert_eq!(Question::Announce("h:1".into()).encode(Duration::ZERO), [1, 0, 6, 3, b'h', b':', b'1']);
        let replace = Question::Replace { node: 3, card: [9; 16], address: "h:1".into() };
        let expected = [&[1, 0, 7, 3][..], &[9; 16], &[3, b'h', b':', b'1']].concat();
        assert_eq!(replace.encode(Duration::ZERO), expected);
        assert_eq!(Reply::Done.encode(), [1, 0]);
        assert_eq!(Reply::Committed { version: 300, answer: vec![1] }.encode(), [1, 1, 0xAC, 2, 1, 1]);
        assert_eq!(
            Reply::Number { node: 2, epoch: 6, peers: vec![(1, "a".into())] }.encode(),
            [1, 2, 2, 6, 1, 1, 1, b'a']
        );
        assert_eq!(Reply::Failed(Failure::Conflict).encode(), [1, 4, 0]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let formatted = [&[FORMAT][..], &bytes].concat();
            let _ = (Question::decode(&bytes), Question::decode(&formatted), Reply::decode(&formatted));
        }
    }
}
