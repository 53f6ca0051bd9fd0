//! Reading from the bytes of a document that has been checked: no copies, no allocation, no errors.
//!
//! Strings are verified once more where they are read: this crate has no unsafe code, and the
//! standard library's check takes a few nanoseconds for the strings that documents are made of.

use super::encode::ROW_BYTES;
use super::*;
use crate::DocumentId;
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// How many rows are looked at one by one before a binary search, which mispredicts more.
const ROWS_NEAR: usize = 4;

/// Why reading cannot fail.
const CHECKED: &str = "a document is checked before it is read";

/// Fields by id: rows of id and end, and the values behind them.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    rows: &'a [[u8; ROW_BYTES]],
    values: &'a [u8],
}

impl<'a> Table<'a> {
    #[inline]
    pub(super) fn of(bytes: &'a [u8], count: usize) -> Table<'a> {
        let (rows, values) = bytes.split_at(count * ROW_BYTES);
        Table { rows: rows.as_chunks().0, values }
    }

    #[inline]
    pub(super) fn field(&self, field: FieldId) -> ValueRef<'a> {
        self.position(field).map_or(ValueRef::Null, |position| self.value(position))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (FieldId, ValueRef<'a>)> + use<'a> {
        (0..self.rows.len()).map(move |position| (self.id(position), self.value(position)))
    }

    /// Ids ascend, so a field stands at most as far from the first row as its id from the first id:
    /// exactly there while no field in between is absent, and a little before it when few are.
    #[inline]
    fn position(&self, field: FieldId) -> Option<usize> {
        let last = self.rows.len().checked_sub(1)?;
        let distance = field.0.checked_sub(self.id(0).0)?;
        let guess = usize::from(distance).min(last);
        let near = guess.saturating_sub(ROWS_NEAR);
        for position in (near..=guess).rev() {
            match self.id(position).cmp(&field) {
                Ordering::Equal => return Some(position),
                Ordering::Less => return None,
                Ordering::Greater => {}
            }
        }
        self.rows[..near].binary_search_by_key(&field, id).ok()
    }

    #[inline]
    fn id(&self, position: usize) -> FieldId {
        id(&self.rows[position])
    }

    #[inline]
    fn value(&self, position: usize) -> ValueRef<'a> {
        let start = if position == 0 { 0 } else { end(&self.rows[position - 1]) };
        value(&self.values[start..end(&self.rows[position])])
    }
}

#[inline]
pub(super) fn id(row: &[u8; ROW_BYTES]) -> FieldId {
    FieldId(u16::from_le_bytes([row[0], row[1]]))
}

#[inline]
pub(super) fn end(row: &[u8; ROW_BYTES]) -> usize {
    u32::from_le_bytes([row[2], row[3], row[4], 0]) as usize
}

/// A value that fills `bytes`.
#[inline]
fn value(bytes: &[u8]) -> ValueRef<'_> {
    let (tag, body) = bytes.split_first().expect(CHECKED);
    match *tag {
        TAG_NULL => ValueRef::Null,
        TAG_FALSE => ValueRef::Bool(false),
        TAG_TRUE => ValueRef::Bool(true),
        TAG_INT => ValueRef::Int(int(body)),
        TAG_FLOAT => ValueRef::Float(f64::from_le_bytes(array(body))),
        TAG_DECIMAL => ValueRef::Decimal(decimal(body)),
        TAG_STRING => ValueRef::String(text(body)),
        TAG_BYTES => ValueRef::Bytes(body),
        TAG_DATE_TIME => ValueRef::DateTime(i64::from_le_bytes(array(body))),
        TAG_DATE => ValueRef::Date(i32::from_le_bytes(array(body))),
        TAG_DURATION => ValueRef::Duration(i64::from_le_bytes(array(body))),
        TAG_UUID => ValueRef::Uuid(DocumentId(array(body))),
        TAG_LIST => ValueRef::List(ListRef { bytes: body }),
        TAG_RECORD => ValueRef::Record(RecordRef { bytes: body }),
        TAG_MAP => ValueRef::Map(MapRef { bytes: body }),
        _ => unreachable!("{CHECKED}"),
    }
}

#[inline]
fn int(body: &[u8]) -> i64 {
    match body.len() {
        1 => i64::from(body[0] as i8),
        2 => i64::from(i16::from_le_bytes(array(body))),
        4 => i64::from(i32::from_le_bytes(array(body))),
        _ => i64::from_le_bytes(array(body)),
    }
}

#[inline]
fn decimal(body: &[u8]) -> Decimal {
    let (scale, words) = body.split_first().expect(CHECKED);
    let word = |at: usize| words.get(at..at + 4).map_or(0, |word| u32::from_le_bytes(array(word)));
    let negative = scale & DECIMAL_NEGATIVE != 0;
    Decimal::from_parts(word(0), word(4), word(8), negative, u32::from(scale & !DECIMAL_NEGATIVE))
}

#[inline]
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect(CHECKED)
}

#[inline]
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect(CHECKED)
}

/// Takes a length off the front.
#[inline]
fn take_length(bytes: &mut &[u8]) -> usize {
    let (length, rest) = bytes.split_first_chunk::<3>().expect(CHECKED);
    *bytes = rest;
    u32::from_le_bytes([length[0], length[1], length[2], 0]) as usize
}

/// Takes what stands behind its length off the front.
#[inline]
fn take_measured<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = take_length(bytes);
    let (measured, rest) = bytes.split_at(length);
    *bytes = rest;
    measured
}

/// A list in the bytes of a document.
#[derive(Clone, Copy, Debug)]
pub struct ListRef<'a> {
    bytes: &'a [u8],
}

/// An embedded object in the bytes of a document.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    bytes: &'a [u8],
}

/// A JSON object in the bytes of a document.
#[derive(Clone, Copy, Debug)]
pub struct MapRef<'a> {
    bytes: &'a [u8],
}

impl<'a> ListRef<'a> {
    pub(crate) const EMPTY: ListRef<'static> = ListRef { bytes: &[0, 0, 0] };

    /// How many elements there are.
    pub fn len(&self) -> usize {
        take_length(&mut { self.bytes })
    }
    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let mut rest = self.bytes;
        let count = take_length(&mut rest);
        (0..count).map(move |_| value(take_measured(&mut rest)))
    }
}

impl<'a> RecordRef<'a> {
    pub(crate) const EMPTY: RecordRef<'static> = RecordRef { bytes: &[0, 0] };

    /// The value of a field; null when it is absent.
    pub fn field(&self, field: FieldId) -> ValueRef<'a> {
        self.table().field(field)
    }
    /// The fields that are present, in ascending order of id.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, ValueRef<'a>)> + use<'a> {
        self.table().iter()
    }
    fn table(&self) -> Table<'a> {
        let (count, rest) = self.bytes.split_first_chunk().expect(CHECKED);
        Table::of(rest, usize::from(u16::from_le_bytes(*count)))
    }
}

impl<'a> MapRef<'a> {
    pub(crate) const EMPTY: MapRef<'static> = MapRef { bytes: &[0, 0, 0] };

    /// The value under a key, if there is one.
    pub fn get(&self, key: &str) -> Option<ValueRef<'a>> {
        self.raw().find(|(name, _)| *name == key.as_bytes()).map(|(_, bytes)| value(bytes))
    }
    /// The entries in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        self.raw().map(|(key, bytes)| (text(key), value(bytes)))
    }
    fn raw(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.bytes;
        let count = take_length(&mut rest);
        (0..count).map(move |_| {
            let key = take_measured(&mut rest);
            (key, take_measured(&mut rest))
        })
    }
}
