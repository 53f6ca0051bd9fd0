//! Documents: fields by id behind a table of offsets, so that one field is read without the others.
//!
//! `[format][0][count u16][schema u32][created u64] [id u16, end u24]* [value]* [crc32c u32]`, all
//! little-endian. Bytes are checked once, when they are opened; reading trusts them after that.

mod check;
mod encode;
#[cfg(test)]
mod tests;
mod view;

use crate::value::DEPTH_MAX;
use crate::{Error, FieldId, Result, Value, ValueRef, Version};
use view::Table;

pub use view::{ListRef, MapRef, RecordRef};

/// The longest document. Offsets have 24 bits.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// The format that is written. Never reused.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 4;

// What a value begins with. Never reused.
const TAG_NULL: u8 = 0x01;
const TAG_FALSE: u8 = 0x02;
const TAG_TRUE: u8 = 0x03;
const TAG_INT: u8 = 0x04;
const TAG_FLOAT: u8 = 0x05;
const TAG_DECIMAL: u8 = 0x06;
const TAG_STRING: u8 = 0x07;
const TAG_BYTES: u8 = 0x08;
const TAG_DATE_TIME: u8 = 0x09;
const TAG_DATE: u8 = 0x0A;
const TAG_DURATION: u8 = 0x0B;
const TAG_UUID: u8 = 0x0C;
const TAG_LIST: u8 = 0x0D;
const TAG_RECORD: u8 = 0x0E;
const TAG_MAP: u8 = 0x0F;

/// The bit of a decimal's scale byte that says negative.
const DECIMAL_NEGATIVE: u8 = 0x80;

/// A document in its stored bytes. One that exists has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
}

impl<'a> Document<'a> {
    /// Looks at stored bytes and verifies their checksum and their structure, so that nothing that
    /// is read from them later can fail.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] when they are not what was written.
    pub fn open(bytes: &'a [u8]) -> Result<Document<'a>> {
        check::document(bytes)?;
        Ok(Document { bytes })
    }
    /// Looks at bytes that [`Document::open`] or [`DocumentBuilder::finish`] has already vouched for.
    /// Reading from other bytes may panic.
    pub fn trusted(bytes: &'a [u8]) -> Document<'a> {
        Document { bytes }
    }
    /// The stored bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// The value of a field; null when it is absent.
    #[inline]
    pub fn field(&self, field: FieldId) -> ValueRef<'a> {
        self.table().field(field)
    }
    /// The fields that are present, in ascending order of id.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, ValueRef<'a>)> + use<'a> {
        self.table().iter()
    }
    /// The version at which it was created; `None` when that is the version of its own cell.
    pub fn created(&self) -> Option<Version> {
        let created = self.bytes[8..].first_chunk().expect("a checked document has a header");
        Some(Version(u64::from_le_bytes(*created))).filter(|created| created.0 != 0)
    }
    /// The catalog version that it was written under.
    pub fn schema(&self) -> u32 {
        u32::from_le_bytes(*self.bytes[4..].first_chunk().expect("a checked document has a header"))
    }
    #[inline]
    fn table(&self) -> Table<'a> {
        let count = usize::from(u16::from_le_bytes([self.bytes[2], self.bytes[3]]));
        Table::of(&self.bytes[HEADER_BYTES..self.bytes.len() - CHECKSUM_BYTES], count)
    }
}

/// Writes a document.
#[derive(Debug, Default)]
pub struct DocumentBuilder {
    /// In ascending order of id, without nulls.
    fields: Vec<(FieldId, Value)>,
}

impl DocumentBuilder {
    /// An empty document.
    pub fn new() -> DocumentBuilder {
        DocumentBuilder::default()
    }
    /// A document with the fields of another, to change some of them.
    pub fn from_document(document: Document<'_>) -> DocumentBuilder {
        DocumentBuilder { fields: document.iter().map(|(field, value)| (field, value.to_value())).collect() }
    }
    /// Sets a field, over an earlier value. Null removes it.
    pub fn set(&mut self, field: FieldId, value: Value) {
        let position = match self.fields.last() {
            Some((last, _)) if *last >= field => self.fields.binary_search_by_key(&field, |(id, _)| *id),
            _ => Err(self.fields.len()),
        };
        match (position, value) {
            (Ok(position), Value::Null) => drop(self.fields.remove(position)),
            (Err(_), Value::Null) => {}
            (Ok(position), value) => self.fields[position].1 = value,
            (Err(position), value) => self.fields.insert(position, (field, value)),
        }
    }
    /// The stored bytes, checksum included. `created` is `None` for a new document.
    ///
    /// # Errors
    /// [`Error::DocumentTooLong`] past [`DOCUMENT_BYTES_MAX`], [`Error::ValueTooDeep`] past
    /// [`DEPTH_MAX`]: then nothing can be stored, and what was asked for is to blame.
    pub fn finish(self, schema: u32, created: Option<Version>) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(HEADER_BYTES + 16 * self.fields.len() + CHECKSUM_BYTES);
        out.extend_from_slice(&[FORMAT, 0, 0, 0]);
        out.extend_from_slice(&schema.to_le_bytes());
        out.extend_from_slice(&created.map_or(0, |created| created.0).to_le_bytes());
        let count = encode::fields(&self.fields, 0, &mut out)?;
        out[2..4].copy_from_slice(&count.to_le_bytes());
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        if out.len() > DOCUMENT_BYTES_MAX {
            return Err(Error::DocumentTooLong { limit: DOCUMENT_BYTES_MAX });
        }
        debug_assert!(Document::open(&out).is_ok(), "what is written opens");
        Ok(out)
    }
}
