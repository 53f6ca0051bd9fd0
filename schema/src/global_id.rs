//! `id: ID!`, the global, opaque identity of a record: 27 characters of base64url over collection and UUIDv7.
//!
//! One record has exactly one text form: what [`GlobalId::parse`] accepts, [`GlobalId::write`] wrote.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use vivarium_storage::{CollectionId, DocumentId};

/// Four bytes of collection, sixteen of document.
const BYTES: usize = 20;
/// Twenty bytes in base64 without padding.
const CHARACTERS: usize = 27;

/// A record anywhere in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlobalId {
    /// Its collection, by the number that survives renames.
    pub collection: CollectionId,
    /// Which document.
    pub document: DocumentId,
}

impl GlobalId {
    /// Appends the text form: what clients see. It needs no escape in JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&self.collection.0.to_be_bytes());
        bytes[4..].copy_from_slice(&self.document.0);
        let mut text = [0; CHARACTERS];
        let written = BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).expect("27 characters hold 20 bytes");
        assert!(written == CHARACTERS, "20 bytes are 27 characters");
        out.extend_from_slice(&text);
    }

    /// Reads the text form; `None` for anything that [`GlobalId::write`] did not write.
    pub fn parse(text: &str) -> Option<GlobalId> {
        if text.len() != CHARACTERS {
            return None;
        }
        // The decoder's own estimate of the room it needs is rounded up to whole groups of three.
        let mut bytes = [0; BYTES + 1];
        let read = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        if read != BYTES {
            return None;
        }
        let collection = u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"));
        let document = bytes[4..BYTES].try_into().expect("sixteen bytes");
        Some(GlobalId { collection: CollectionId(collection), document: DocumentId(document) })
    }
}

impl std::fmt::Display for GlobalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::with_capacity(CHARACTERS);
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_form_is_on_record() {
        let id = GlobalId { collection: CollectionId(7), document: DocumentId([0xab; 16]) };
        assert_eq!(id.to_string(), "AAAAB6urq6urq6urq6urq6urq6s");
    }

    #[test]
    fn other_text_is_no_id() {
        for text in
            ["", "x", "AAAAB6urq6urq6urq6urq6urq6t", "AAAAB6urq6urq6urq6urq6urq6s=", "AAAAB6urq6urq6urq6urq6urq6+"]
        {
            assert_eq!(GlobalId::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_survives_its_text(collection: u32, document: [u8; 16]) {
            let id = GlobalId { collection: CollectionId(collection), document: DocumentId(document) };
            prop_assert_eq!(GlobalId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn an_accepted_text_is_the_one_that_is_written(text in "[A-Za-z0-9_-]{27}") {
            if let Some(id) = GlobalId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
