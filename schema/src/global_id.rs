//! `id: ID!`, the global, opaque identity of a record: 27 characters of base64url over collection and UUIDv7.

use vivarium_storage::{CollectionId, DocumentId};

/// A record anywhere in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GlobalId {
    /// Its collection, by the number that survives renames.
    pub collection: CollectionId,
    /// Which document.
    pub document: DocumentId,
}

impl GlobalId {
    /// Appends the text form: what clients see.
    pub fn write(&self, out: &mut Vec<u8>) {
        let _ = out;
        todo!()
    }
    /// Reads the text form; `None` for anything that [`GlobalId::write`] did not write.
    pub fn parse(text: &str) -> Option<GlobalId> {
        let _ = text;
        todo!()
    }
}
