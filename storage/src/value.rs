//! The values that documents, keys and plans speak of, owned and borrowed.

use crate::key::{DocumentId, FieldId};
pub use rust_decimal::Decimal;

/// One value of a field, an element of a list, or a part of a JSON document.
///
/// Order and equality across types are those of the key codec ([`crate::key::encode`]):
/// null < bool < number < string < bytes < time < uuid < list < object, with 1 = 1.0 = Decimal 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value. An absent field reads as null.
    Null,
    /// Boolean.
    Bool(bool),
    /// Int, BigInt, and the number of an enum's value.
    Int(i64),
    /// Float, always finite.
    Float(f64),
    /// Decimal, exact.
    Decimal(Decimal),
    /// String and everything kept as one.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An instant in microseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// A calendar day, in days since 1970-01-01.
    Date(i32),
    /// A length of time in microseconds.
    Duration(i64),
    /// A UUID, or the reference of a to-one relation.
    Uuid(DocumentId),
    /// A list.
    List(Vec<Value>),
    /// An embedded object, its fields in ascending order of id, nulls left out.
    Record(Vec<(FieldId, Value)>),
    /// An object of a JSON field, in the order in which it was written.
    Map(Vec<(String, Value)>),
}

/// A [`Value`] that lies in the bytes of a document and is decoded where it is looked at.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// See [`Value::Null`].
    Null,
    /// See [`Value::Bool`].
    Bool(bool),
    /// See [`Value::Int`].
    Int(i64),
    /// See [`Value::Float`].
    Float(f64),
    /// See [`Value::Decimal`].
    Decimal(Decimal),
    /// See [`Value::String`].
    String(&'a str),
    /// See [`Value::Bytes`].
    Bytes(&'a [u8]),
    /// See [`Value::DateTime`].
    DateTime(i64),
    /// See [`Value::Date`].
    Date(i32),
    /// See [`Value::Duration`].
    Duration(i64),
    /// See [`Value::Uuid`].
    Uuid(DocumentId),
    /// See [`Value::List`].
    List(ListRef<'a>),
    /// See [`Value::Record`].
    Record(RecordRef<'a>),
    /// See [`Value::Map`].
    Map(MapRef<'a>),
}

/// A list in the bytes of a document.
#[derive(Clone, Copy, Debug)]
pub struct ListRef<'a> {
    pub(crate) bytes: &'a [u8],
}

/// An embedded object in the bytes of a document.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    pub(crate) bytes: &'a [u8],
}

/// A JSON object in the bytes of a document.
#[derive(Clone, Copy, Debug)]
pub struct MapRef<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> ListRef<'a> {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let _ = self.bytes;
        std::iter::empty()
    }
}

impl<'a> RecordRef<'a> {
    /// The value of a field; null when it is absent.
    pub fn field(&self, field: FieldId) -> ValueRef<'a> {
        let _ = (self.bytes, field);
        todo!()
    }
    /// The fields that are present, in ascending order of id.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, ValueRef<'a>)> + use<'a> {
        std::iter::empty()
    }
}

impl<'a> MapRef<'a> {
    /// The value under a key, if there is one.
    pub fn get(&self, key: &str) -> Option<ValueRef<'a>> {
        let _ = (self.bytes, key);
        todo!()
    }
    /// The entries in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> + use<'a> {
        std::iter::empty()
    }
}

impl ValueRef<'_> {
    /// An owned copy.
    pub fn to_value(&self) -> Value {
        todo!()
    }
    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, ValueRef::Null)
    }
    /// Order of two values as the key codec sorts them, without encoding either.
    pub fn compare(&self, other: &ValueRef<'_>) -> std::cmp::Ordering {
        let _ = other;
        todo!()
    }
}

impl Value {
    /// A borrowed view of a scalar. Lists, records and maps have no view: only bytes of a document do.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
    /// Order of two values as the key codec sorts them, without encoding either.
    pub fn compare(&self, other: &Value) -> std::cmp::Ordering {
        let _ = other;
        todo!()
    }
    /// Order of an owned against a borrowed value, as the key codec sorts them.
    pub fn compare_ref(&self, other: &ValueRef<'_>) -> std::cmp::Ordering {
        let _ = other;
        todo!()
    }
}
