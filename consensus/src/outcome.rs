//! Outcomes of mutations that carried an idempotency key: how they are kept, found and forgotten.
//!
//! Only the applier writes them, as a function of log and store, so that every node remembers the same.

use crate::overlay::Overlay;
use crate::transaction::IDEMPOTENCY_MINUTES;
use crate::{IdempotencyKey, Outcome};
use std::path::PathBuf;
use vivarium_storage::engine::{Bytes, Scan, Snapshot};
use vivarium_storage::key::successor;
use vivarium_storage::runtime::mutant;
use vivarium_storage::{Cell, Error, Key, KeyRange, Mutation, Result, Space, Version};

/// The first byte of the keys of outcomes in [`Space::Meta`].
const PREFIX: u8 = 2;
const FORMAT: u8 = 1;
/// Format, version, expiry.
const HEADER_BYTES: usize = 17;
/// Outcomes that each new one looks at, to forget those that expired. With one it could not keep up.
const LOOKED_AT: usize = 4;
/// The longest idempotency key that is taken.
pub(crate) const KEY_BYTES_MAX: usize = 64;

/// What is kept of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub outcome: Outcome,
    /// The first version at which it may be forgotten.
    pub expiry: Version,
}

/// What the applier does with an entry that carries a key.
pub(crate) enum Decision {
    /// The first of its key: these go with its writes.
    First(Vec<Mutation>),
    /// A repetition: its writes are left out, this is its answer.
    Repeated(Outcome),
}

impl Remembered {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.outcome.answer.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.outcome.version.0.to_le_bytes());
        bytes.extend_from_slice(&self.expiry.0.to_le_bytes());
        bytes.extend_from_slice(&self.outcome.answer);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Remembered> {
        let (header, answer) = bytes
            .split_at_checked(HEADER_BYTES)
            .filter(|(header, _)| header[0] == FORMAT)
            .ok_or_else(|| Error::Corrupt {
                what: "outcome",
                path: PathBuf::from("store"),
                detail: format!("{} bytes in format {:?}", bytes.len(), bytes.first()),
            })?;
        let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("the header is whole"));
        let outcome = Outcome { version: Version(number(1)), answer: answer.to_vec() };
        Ok(Remembered { outcome, expiry: Version(number(9)) })
    }
}

/// What is remembered under a key in a snapshot of the store.
///
/// # Errors
/// Those of reading.
pub(crate) fn find(snapshot: &Snapshot, key: &IdempotencyKey) -> Result<Option<Remembered>> {
    let cells = snapshot.get_many(Space::Meta, &[key_of(key)], snapshot.version())?;
    cells.into_iter().flatten().next().map(|cell| Remembered::decode(&cell.value)).transpose()
}

/// Decides about an entry with a key. `pending` holds what the entries before it in the same batch decided.
///
/// # Errors
/// Those of reading.
pub(crate) fn decide(
    snapshot: &Snapshot,
    pending: &mut Overlay,
    key: &IdempotencyKey,
    outcome: Outcome,
) -> Result<Decision> {
    let stored_key = key_of(key);
    let earlier = match pending.get(Space::Meta, &stored_key) {
        Some(written) => written.map(Remembered::decode).transpose()?,
        None => find(snapshot, key)?,
    };
    let now = outcome.version;
    if let Some(earlier) = earlier
        && earlier.expiry > now
    {
        return Ok(Decision::Repeated(earlier.outcome));
    }
    let mut mutations = Vec::new();
    for expired in expired_after(snapshot, pending, &stored_key, now)? {
        pending.write(Space::Meta, expired.clone(), None);
        mutations.push(Mutation { space: Space::Meta, key: expired, value: None });
    }
    // A planted bug: it counts from the batch that its node happened to apply it in.
    let since = if mutant("apply-01") { snapshot.version() } else { now };
    let expiry = Version(since.0.saturating_add(IDEMPOTENCY_MINUTES * 60 * 1_000_000));
    let remembered = Remembered { outcome, expiry }.encode();
    pending.write(Space::Meta, stored_key.clone(), Some(remembered.clone()));
    mutations.push(Mutation { space: Space::Meta, key: stored_key, value: Some(remembered.into()) });
    Ok(Decision::First(mutations))
}

/// A planted bug: whatever is remembered is forgotten.
///
/// # Errors
/// Those of reading.
pub(crate) fn forget_all(snapshot: &Snapshot, pending: &mut Overlay) -> Result<Vec<Mutation>> {
    let range = KeyRange { start: [PREFIX].into(), end: [PREFIX + 1].into() };
    let all = rows(snapshot, pending, Scan { range, reverse: false, limit: usize::MAX })?;
    let forget = |(key, _): (Bytes, Cell)| {
        let key: Key = (*key).into();
        pending.write(Space::Meta, key.clone(), None);
        Mutation { space: Space::Meta, key, value: None }
    };
    Ok(all.into_iter().map(forget).collect())
}

/// The expired ones among the outcomes that follow `key` in the circle of all. Keys are hashes, so that new
/// ones fall everywhere and each stretch of the circle is looked at as often as any other.
fn expired_after(snapshot: &Snapshot, pending: &Overlay, key: &Key, now: Version) -> Result<Vec<Key>> {
    let all = KeyRange { start: [PREFIX].into(), end: [PREFIX + 1].into() };
    let after = KeyRange { start: successor(key), end: all.end };
    let before = KeyRange { start: all.start, end: key.clone() };
    let mut expired = Vec::new();
    let mut left = LOOKED_AT;
    for range in [after, before] {
        if left == 0 {
            break;
        }
        for (key, cell) in rows(snapshot, pending, Scan { range, reverse: false, limit: left })? {
            left -= 1;
            if Remembered::decode(&cell.value)?.expiry <= now {
                expired.push((*key).into());
            }
        }
    }
    Ok(expired)
}

fn rows(snapshot: &Snapshot, pending: &Overlay, scan: Scan) -> Result<Vec<(Bytes, Cell)>> {
    let stored = snapshot.scan(Space::Meta, &pending.widened(Space::Meta, &scan), snapshot.version())?;
    pending.merge(Space::Meta, &scan, stored).take(scan.limit).collect()
}

/// The key in [`Space::Meta`] under which an outcome is kept.
fn key_of(key: &IdempotencyKey) -> Key {
    assert!(key.0.len() <= KEY_BYTES_MAX, "an idempotency key is hashed to at most {KEY_BYTES_MAX} bytes");
    let mut bytes = Vec::with_capacity(1 + key.0.len());
    bytes.push(PREFIX);
    bytes.extend_from_slice(&key.0);
    bytes.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_survive_and_their_bytes_are_on_record() {
        let outcome = Outcome { version: Version(3), answer: b"yes".to_vec() };
        let remembered = Remembered { outcome, expiry: Version(0x0201) };
        let bytes = remembered.encode();
        let expected = [&[1, 3, 0, 0, 0, 0, 0, 0, 0][..], &[1, 2, 0, 0, 0, 0, 0, 0], b"yes"];
        assert_eq!(bytes, expected.concat());
        assert_eq!(Remembered::decode(&bytes).unwrap(), remembered);
        assert!(Remembered::decode(&bytes[..16]).is_err());
        assert!(Remembered::decode(&[7; 20]).is_err());
    }
}
