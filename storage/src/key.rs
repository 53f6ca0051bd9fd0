//! Keys: bytes that sort like the values they encode, and the identities that they are built of.
//!
//! Numbers in a key are big-endian and of fixed width, but for the elements of a tuple.

mod number;
#[cfg(test)]
mod tests;
mod tuple;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

pub use tuple::{decode, encode, encode_prefix, encode_value, short_number, split};

/// The longest key that the store takes (fjall panics past 65,535).
pub const KEY_BYTES_MAX: usize = 4096;

/// The bytes of a key. They compare as the values they encode do.
pub type Key = Box<[u8]>;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}
id!(
    /// A database of this cluster. The first is 1.
    DatabaseId(u32)
);
id!(
    /// A collection, never reused within its database and unchanged by renames.
    CollectionId(u32)
);
id!(
    /// An index or one direction of an n-m relation, never reused within its database.
    IndexId(u32)
);
id!(
    /// A field within its collection or embedded type, never reused there.
    FieldId(u16)
);
id!(
    /// The position of a commit in the one order of all: microseconds since 1970, strictly increasing.
    Version(u64)
);

/// The identity of a document: a UUIDv7 in big-endian bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentId(pub [u8; 16]);

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_bytes(self.0))
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_bytes(self.0))
    }
}

/// Keys from `start` (included) to `end` (excluded).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    /// The first key that is in the range.
    pub start: Key,
    /// The first key that is past the range.
    pub end: Key,
}

impl KeyRange {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        match end.last_mut() {
            Some(last) => *last += 1,
            // No key sorts past all that begin so: end past the greatest key that the store takes.
            None => end = vec![u8::MAX; KEY_BYTES_MAX + 1],
        }
        KeyRange { start: prefix.into(), end: end.into_boxed_slice() }
    }
    /// True when `key` lies in the range.
    pub fn covers(&self, key: &[u8]) -> bool {
        *self.start <= *key && *key < *self.end
    }
    /// True when no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

/// Which way an element of a tuple sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Smallest first, null before everything.
    Ascending,
    /// Greatest first, null after everything: every byte of the element inverted.
    Descending,
}

/// The key of a document in [`crate::Space::Document`]: `[database][collection][id]`.
pub fn document(database: DatabaseId, collection: CollectionId, id: DocumentId) -> Key {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&pair(database.0, collection.0));
    key[8..].copy_from_slice(&id.0);
    Box::new(key)
}

/// All documents of a collection.
pub fn documents(database: DatabaseId, collection: CollectionId) -> KeyRange {
    KeyRange::prefix(&pair(database.0, collection.0))
}

/// The id at the end of a document's key, or of a non-unique index entry's key.
///
/// # Errors
/// [`Error::Corrupt`] when the key is too short to hold one.
pub fn document_id(key: &[u8]) -> Result<DocumentId> {
    key.last_chunk().map(|id| DocumentId(*id)).ok_or_else(|| {
        let detail = format!("{} bytes are too few to end in the id of a document", key.len());
        Error::corrupt("key", detail)
    })
}

/// The first bytes of every entry of an index in [`crate::Space::Index`]: `[database][index]`.
/// Append elements with [`encode`] and, unless the index is unique, the id with [`push_id`].
pub fn index(database: DatabaseId, index: IndexId) -> Vec<u8> {
    // Room for one element and an id, which most entries consist of.
    let mut key = Vec::with_capacity(64);
    key.extend_from_slice(&pair(database.0, index.0));
    key
}

/// The index that an entry belongs to, by its key.
///
/// # Errors
/// [`Error::Corrupt`] when the key is too short to name one.
pub fn index_id(key: &[u8]) -> Result<IndexId> {
    match key {
        [_, _, _, _, a, b, c, d, ..] => Ok(IndexId(u32::from_be_bytes([*a, *b, *c, *d]))),
        _ => Err(Error::corrupt("key", format!("{} bytes are too few to name an index", key.len()))),
    }
}

/// Appends a document's id to an index entry's key.
pub fn push_id(key: &mut Vec<u8>, id: DocumentId) {
    key.extend_from_slice(&id.0);
}

/// The first key after `key`: no key lies between the two. It bounds ranges, and may be a byte longer than
/// [`KEY_BYTES_MAX`].
pub fn successor(key: &[u8]) -> Key {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into_boxed_slice()
}

/// Checks a finished key against [`KEY_BYTES_MAX`].
///
/// # Errors
/// [`Error::KeyTooLong`].
pub fn finish(key: Vec<u8>) -> Result<Key> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::KeyTooLong { bytes: key.len(), limit: KEY_BYTES_MAX });
    }
    Ok(key.into_boxed_slice())
}

fn pair(first: u32, second: u32) -> [u8; 8] {
    ((u64::from(first) << 32) | u64::from(second)).to_be_bytes()
}
