//! What is asked and answered when a checkpoint is pulled. Drawn in docs/wire.md.
//!
//! The first byte is the version; whoever does not know it, or finds more than he knows, answers or reports `Unknown`.

use super::Origin;
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
/// The second byte of an answer: a chunk follows as it is, or anything else in postcard.
const CHUNK: u8 = 1;
const WORDS: u8 = 2;

/// What a node that needs a checkpoint asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// Begin a checkpoint, or go on with one.
    Begin {
        /// Who asks: it pulls one checkpoint at a time.
        node: u64,
        /// The checkpoint must have this entry.
        at_least: u64,
        /// The number of a checkpoint that came in part, and that of its next chunk.
        resume: Option<(u64, u32)>,
    },
    /// A chunk: the next one, or the last one once more.
    Chunk { checkpoint: u64, number: u32 },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Words {
    /// Ask for chunk `next`.
    Begun {
        checkpoint: u64,
        origin: Origin,
        next: u32,
        /// The Raft term in which the sender held all of this for committed.
        term: u64,
    },
    /// The checkpoint is not kept any more, or has no such chunk: begin anew.
    Gone,
    /// Others are being served. Try again.
    Busy,
    /// The sender does not have what was asked for yet. Try again, or elsewhere.
    Behind,
    /// Not understood: another release.
    Unknown,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Words(Words),
    Chunk(Vec<u8>),
}

impl Request {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_allocvec(self).expect("a request is encoded in memory"));
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<Request> {
        match bytes.split_first() {
            Some((&VERSION, body)) => whole(body),
            _ => None,
        }
    }
}

impl Answer {
    pub fn encode(self) -> Vec<u8> {
        match self {
            Answer::Chunk(chunk) => {
                let mut bytes = Vec::with_capacity(2 + chunk.len());
                bytes.extend([VERSION, CHUNK]);
                bytes.extend(chunk);
                bytes
            }
            Answer::Words(words) => {
                let mut bytes = vec![VERSION, WORDS];
                bytes.extend(postcard::to_allocvec(&words).expect("an answer is encoded in memory"));
                bytes
            }
        }
    }

    /// What cannot be understood is [`Words::Unknown`].
    pub fn decode(bytes: &[u8]) -> Answer {
        match bytes {
            [VERSION, CHUNK, chunk @ ..] => Answer::Chunk(chunk.to_vec()),
            [VERSION, WORDS, body @ ..] => Answer::Words(whole(body).unwrap_or(Words::Unknown)),
            _ => Answer::Words(Words::Unknown),
        }
    }
}

fn whole<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(body).ok()?;
    rest.is_empty().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_storage::Version;
    use vivarium_storage::engine::Position;

    #[test]
    fn requests_and_answers_survive_and_their_bytes_are_on_record() {
        let requests = [
            (Request::Begin { node: 3, at_least: 300, resume: None }, &[1, 0, 3, 0xac, 2, 0][..]),
            (Request::Begin { node: 3, at_least: 1, resume: Some((9, 4)) }, &[1, 0, 3, 1, 1, 9, 4]),
            (Request::Chunk { checkpoint: 9, number: 4 }, &[1, 1, 9, 4]),
        ];
        for (request, bytes) in requests {
            assert_eq!(request.encode(), bytes);
            assert_eq!(Request::decode(bytes), Some(request));
        }
        let position = Position { index: 7, term: 2, version: Version(5) };
        let origin = Origin { position, configuration: vec![8, 1] };
        let answers = [
            (
                Answer::Words(Words::Begun { checkpoint: 9, origin, next: 4, term: 3 }),
                &[1, 2, 0, 9, 7, 2, 5, 2, 8, 1, 4, 3][..],
            ),
            (Answer::Words(Words::Gone), &[1, 2, 1]),
            (Answer::Words(Words::Busy), &[1, 2, 2]),
            (Answer::Words(Words::Behind), &[1, 2, 3]),
            (Answer::Words(Words::Unknown), &[1, 2, 4]),
            (Answer::Chunk(vec![6, 6]), &[1, 1, 6, 6]),
        ];
        for (answer, bytes) in answers {
            assert_eq!(answer.clone().encode(), bytes);
            assert_eq!(Answer::decode(bytes), answer);
        }
    }

    #[test]
    fn what_is_not_understood_is_said_to_be() {
        for bytes in [&[][..], &[2, 0], &[1], &[1, 9], &[1, 0, 3], &[1, 1, 9, 4, 0]] {
            assert_eq!(Request::decode(bytes), None, "{bytes:?}");
        }
        for bytes in [&[][..], &[2, 1, 6], &[1], &[1, 2], &[1, 2, 77], &[1, 2, 1, 0], &[1, 3]] {
            assert_eq!(Answer::decode(bytes), Answer::Words(Words::Unknown), "{bytes:?}");
        }
    }
}
