//! What an entry of the log says, and its bytes: docs/format.md, "Commands".
//!
//! The version lies at a fixed place, so that a leader fills it in without encoding the writes again.

use crate::IdempotencyKey;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use vivarium_storage::{Key, Mutation, Space, Version};

/// The format of commands. Other first bytes of a payload are other things: see `raft/entry.rs`.
const FORMAT: u8 = 1;
const COMMIT: u8 = 1;
const WATERMARK: u8 = 2;
/// Format, kind, version.
const HEADER_BYTES: usize = 10;

/// What an entry of the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Write this, unconditionally.
    Commit(Commit),
    /// History below this version may go.
    Watermark {
        /// The newest version before this entry.
        version: Version,
        /// The oldest version that stays readable.
        oldest: Version,
    },
}

/// The writes of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its place in the order of all, chosen by the leader.
    pub version: Version,
    /// What it read.
    pub snapshot: Version,
    /// Its writes, each key at most once.
    pub mutations: Vec<Mutation>,
    /// The key that its outcome is remembered under, and what is remembered.
    pub idempotency: Option<(IdempotencyKey, Vec<u8>)>,
}

/// One write of a transaction, as it is encoded.
pub(crate) struct Write<'a> {
    pub space: Space,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// A command in its bytes, before a leader has chosen its version.
#[derive(Debug)]
pub(crate) struct Draft(Vec<u8>);

impl Draft {
    /// A commit.
    pub fn commit(snapshot: Version, writes: &[Write<'_>], idempotency: Option<(&IdempotencyKey, &[u8])>) -> Draft {
        let body = Body {
            snapshot: snapshot.0,
            writes: writes.iter().map(|write| (write.space as u8, Raw(write.key), write.value.map(Raw))).collect(),
            idempotency: idempotency.map(|(key, answer)| (Raw(&key.0), Raw(answer))),
        };
        let draft = postcard::to_extend(&body, header(COMMIT, Version(0)));
        Draft(draft.expect("bytes in memory can always be encoded"))
    }

    /// A commit that another node drafted.
    ///
    /// # Errors
    /// What is wrong with its bytes.
    pub fn of_commit(bytes: Vec<u8>) -> std::result::Result<Draft, String> {
        match Command::decode(&bytes)? {
            Command::Commit(_) => Ok(Draft(bytes)),
            Command::Watermark { .. } => Err("only a leader moves the watermark".into()),
        }
    }

    /// Its bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The keys that it writes.
    pub fn written(&self) -> Vec<(Space, Key)> {
        match Command::decode(&self.0) {
            Ok(Command::Commit(commit)) => commit.mutations.into_iter().map(|write| (write.space, write.key)).collect(),
            Ok(Command::Watermark { .. }) | Err(_) => unreachable!("a draft is a commit of ours"),
        }
    }

    /// The command's bytes, with the version that the leader chose.
    pub fn finish(mut self, version: Version) -> Vec<u8> {
        self.0[2..HEADER_BYTES].copy_from_slice(&version.0.to_le_bytes());
        self.0
    }
}

/// The bytes of a [`Command::Watermark`].
pub(crate) fn watermark(version: Version, oldest: Version) -> Vec<u8> {
    let mut bytes = header(WATERMARK, version);
    bytes.extend_from_slice(&oldest.0.to_le_bytes());
    bytes
}

/// The version that a payload of the log carries, without decoding the rest.
pub(crate) fn version(payload: &[u8]) -> Option<Version> {
    let header = payload.get(..HEADER_BYTES)?;
    (header[0] == FORMAT).then(|| Version(read(&header[2..])))
}

impl Command {
    /// Reads what [`Draft::finish`] or [`watermark`] wrote.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Command, String> {
        let version = version(bytes).ok_or_else(|| format!("{} bytes that are no command", bytes.len()))?;
        let body = &bytes[HEADER_BYTES..];
        match bytes[1] {
            COMMIT => Commit::decode(version, body).map(Command::Commit),
            WATERMARK if body.len() == 8 => Ok(Command::Watermark { version, oldest: Version(read(body)) }),
            WATERMARK => Err(format!("a watermark of {} bytes", body.len())),
            kind => Err(format!("a command of the unknown kind {kind}")),
        }
    }
}

impl Commit {
    fn decode(version: Version, bytes: &[u8]) -> Result<Commit, String> {
        let (body, rest) = postcard::take_from_bytes::<Body<'_>>(bytes).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err(format!("{} bytes follow the command", rest.len()));
        }
        let mut mutations = Vec::with_capacity(body.writes.len());
        for (tag, key, value) in body.writes {
            let space = space(tag).ok_or_else(|| format!("a write to the unknown space {tag}"))?;
            mutations.push(Mutation { space, key: key.0.into(), value: value.map(|value| value.0.into()) });
        }
        let idempotency = body.idempotency.map(|(key, answer)| (IdempotencyKey(key.0.to_vec()), answer.0.to_vec()));
        Ok(Commit { version, snapshot: Version(body.snapshot), mutations, idempotency })
    }
}

fn header(kind: u8, version: Version) -> Vec<u8> {
    let mut bytes = vec![FORMAT, kind];
    bytes.extend_from_slice(&version.0.to_le_bytes());
    bytes
}

fn read(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

fn space(tag: u8) -> Option<Space> {
    [Space::Meta, Space::Document, Space::Index, Space::KeyValue].into_iter().find(|space| *space as u8 == tag)
}

/// What follows the header of a commit, as postcard encodes it.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    snapshot: u64,
    #[serde(borrow)]
    writes: Vec<(u8, Raw<'a>, Option<Raw<'a>>)>,
    idempotency: Option<(Raw<'a>, Raw<'a>)>,
}

/// Bytes that are copied at once; serde would take a slice for a sequence, byte by byte.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw<'a>, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = &'de [u8];
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_bytes(Borrowed).map(Raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drafted(commit: &Commit) -> Vec<u8> {
        let writes: Vec<Write<'_>> = commit
            .mutations
            .iter()
            .map(|write| Write { space: write.space, key: &write.key, value: write.value.as_deref() })
            .collect();
        let idempotency = commit.idempotency.as_ref().map(|(key, answer)| (key, &answer[..]));
        Draft::commit(commit.snapshot, &writes, idempotency).finish(commit.version)
    }

    #[test]
    fn the_bytes_of_commands_are_on_record() {
        let commit = Commit {
            version: Version(0x0102),
            snapshot: Version(0x80),
            mutations: vec![
                Mutation { space: Space::Document, key: (*b"k").into(), value: Some((*b"vw").into()) },
                Mutation { space: Space::Index, key: (*b"i").into(), value: None },
            ],
            idempotency: Some((IdempotencyKey(b"once".to_vec()), b"yes".to_vec())),
        };
        let expected = [
            &[1, 1, 2, 1, 0, 0, 0, 0, 0, 0][..],
            &[0x80, 1, 2],
            &[2, 1, b'k', 1, 2, b'v', b'w'],
            &[3, 1, b'i', 0],
            &[1, 4, b'o', b'n', b'c', b'e', 3, b'y', b'e', b's'],
        ];
        assert_eq!(drafted(&commit), expected.concat());
        assert_eq!(watermark(Version(2), Version(1)), [1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn bytes_that_are_no_command_are_refused() {
        let whole = watermark(Version(2), Version(1));
        for bytes in [&whole[..9], &whole[..17], &[1, 9, 0, 0, 0, 0, 0, 0, 0, 0], &[7; 20]] {
            assert!(Command::decode(bytes).is_err(), "{bytes:?}");
        }
    }

    fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
        let space = prop::sample::select(vec![Space::Meta, Space::Document, Space::Index, Space::KeyValue]);
        let bytes = || prop::collection::vec(any::<u8>(), 0..200);
        let mutation = (space, bytes(), prop::option::of(bytes())).prop_map(|(space, key, value)| Mutation {
            space,
            key: key.into(),
            value: value.map(Into::into),
        });
        prop::collection::vec(mutation, 0..20)
    }

    proptest! {
        #[test]
        fn commits_survive(
            version: u64,
            snapshot: u64,
            mutations in mutations(),
            idempotency in prop::option::of((any::<Vec<u8>>(), any::<Vec<u8>>())),
        ) {
            let idempotency = idempotency.map(|(key, answer)| (IdempotencyKey(key), answer));
            let commit = Commit { version: Version(version), snapshot: Version(snapshot), mutations, idempotency };
            let bytes = drafted(&commit);
            prop_assert_eq!(super::version(&bytes), Some(commit.version));
            prop_assert_eq!(Command::decode(&bytes), Ok(Command::Commit(commit)));
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let _ = Command::decode(&bytes);
        }
    }
}
