//! What an entry of the log carries, between raft-rs's words, ours, and the bytes that the log keeps.
//!
//! The first byte of a payload says what it is: docs/format.md.

use raft::eraftpb::{Entry, EntryType};

/// What a committed entry asks the applier to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Nothing: a leader opened its term.
    Nothing,
    /// A command of ours, in its encoded bytes.
    Command(Vec<u8>),
    /// The voters from here on, as [`super::Group`] encodes them.
    Configuration(Vec<u8>),
}

/// An entry that a majority has, so that it can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub index: u64,
    pub term: u64,
    pub payload: Payload,
}

impl Payload {
    /// The bytes that the log keeps of it.
    pub fn to_log(&self) -> Vec<u8> {
        match self {
            Payload::Nothing => Vec::new(),
            Payload::Command(bytes) => bytes.clone(),
            Payload::Configuration(change) => [&[CONFIGURATION], &change[..]].concat(),
        }
    }
}

/// The tag of a change of voters. Commands begin with their format, which is another number.
const CONFIGURATION: u8 = 2;

/// The bytes that the log keeps of an entry.
pub(super) fn to_log(entry: &Entry) -> Vec<u8> {
    match entry.get_entry_type() {
        EntryType::EntryNormal => entry.data.to_vec(),
        EntryType::EntryConfChangeV2 => {
            let mut payload = Vec::with_capacity(1 + entry.data.len());
            payload.push(CONFIGURATION);
            payload.extend_from_slice(&entry.data);
            payload
        }
        EntryType::EntryConfChange => unreachable!("changes of voters are proposed in their second version only"),
    }
}

/// The entry that [`to_log`] wrote.
pub(super) fn from_log(index: u64, term: u64, mut payload: Vec<u8>) -> Entry {
    let mut entry = Entry { index, term, ..Entry::default() };
    if payload.first() == Some(&CONFIGURATION) {
        entry.set_entry_type(EntryType::EntryConfChangeV2);
        payload.remove(0);
    }
    entry.data = payload.into();
    entry
}

/// True for the bytes of an entry that changes who votes or follows.
pub(crate) fn changes_configuration(bytes: &[u8]) -> bool {
    bytes.first() == Some(&CONFIGURATION)
}

/// What the entry with these bytes of the log asks for.
pub(crate) fn payload(mut bytes: Vec<u8>) -> Payload {
    match bytes.first() {
        None => Payload::Nothing,
        Some(&CONFIGURATION) => Payload::Configuration(bytes.split_off(1)),
        Some(_) => Payload::Command(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entry_asks_for_is_in_its_first_byte() {
        assert_eq!(payload(vec![]), Payload::Nothing);
        assert_eq!(payload(vec![1, 0, 7]), Payload::Command(vec![1, 0, 7]));
        assert_eq!(payload(vec![CONFIGURATION, 9]), Payload::Configuration(vec![9]));
        for bytes in [vec![], vec![1, 0, 7], vec![CONFIGURATION, 9]] {
            assert_eq!(payload(bytes.clone()).to_log(), bytes);
        }
    }

    #[test]
    fn entries_survive_the_log() {
        let mut change = Entry { index: 3, term: 2, data: vec![9, 9].into(), ..Entry::default() };
        change.set_entry_type(EntryType::EntryConfChangeV2);
        let entries = [
            Entry { index: 1, term: 1, ..Entry::default() },
            Entry { index: 2, term: 1, data: vec![1, 0, 7].into(), ..Entry::default() },
            change,
        ];
        for entry in entries {
            assert_eq!(from_log(entry.index, entry.term, to_log(&entry)), entry);
        }
    }
}
