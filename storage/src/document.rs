//! Documents: fields by id behind a table of offsets, so that one field is read without the others.

use crate::{FieldId, Result, Value, ValueRef, Version};

/// A document in its stored bytes. One that exists has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
}

impl<'a> Document<'a> {
    /// Looks at stored bytes and verifies their checksum.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when they are not what was written.
    pub fn open(bytes: &'a [u8]) -> Result<Document<'a>> {
        let _ = bytes;
        todo!()
    }
    /// Looks at bytes that [`Document::open`] or [`DocumentBuilder::finish`] has already vouched for.
    pub fn trusted(bytes: &'a [u8]) -> Document<'a> {
        Document { bytes }
    }
    /// The value of a field; null when it is absent.
    pub fn field(&self, field: FieldId) -> ValueRef<'a> {
        let _ = (self.bytes, field);
        todo!()
    }
    /// The fields that are present, in ascending order of id.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, ValueRef<'a>)> + use<'a> {
        std::iter::empty()
    }
    /// The version at which it was created; `None` when that is the version of its own cell.
    pub fn created(&self) -> Option<Version> {
        todo!()
    }
    /// The catalog version that it was written under.
    pub fn schema(&self) -> u32 {
        todo!()
    }
}

/// Writes a document.
#[derive(Debug, Default)]
pub struct DocumentBuilder {
    fields: Vec<(FieldId, Value)>,
}

impl DocumentBuilder {
    /// An empty document.
    pub fn new() -> DocumentBuilder {
        DocumentBuilder::default()
    }
    /// Sets a field, over an earlier value. Null removes it.
    pub fn set(&mut self, field: FieldId, value: Value) {
        let _ = (field, value, &self.fields);
        todo!()
    }
    /// The stored bytes, checksum included. `created` is `None` for a new document.
    pub fn finish(self, schema: u32, created: Option<Version>) -> Vec<u8> {
        let _ = (schema, created);
        todo!()
    }
}
