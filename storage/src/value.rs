//! The values that documents, keys and plans speak of, owned and borrowed.
//!
//! Their one order is that of the key codec; here it is computed without encoding anything.

#[cfg(test)]
pub(crate) mod sample;

use crate::key::{self, DocumentId, FieldId};
use std::cmp::Ordering;

pub use crate::document::{ListRef, MapRef, RecordRef};
pub use rust_decimal::Decimal;

/// How deep lists, records and maps may stand in each other. Deeper ones are refused where they
/// are written, so that nothing that walks a value can run out of stack.
pub const DEPTH_MAX: usize = 64;

/// One value of a field, an element of a list, or a part of a JSON document.
///
/// Order and equality across types are those of the key codec ([`crate::key::encode`]):
/// null < bool < number < string < bytes < time < uuid < list < object, with 1 = 1.0 = Decimal 1.
/// `==` asks for the same type as well; [`Value::compare`] does not.
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

impl ValueRef<'_> {
    /// An owned copy.
    pub fn to_value(&self) -> Value {
        match *self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(bool) => Value::Bool(bool),
            ValueRef::Int(int) => Value::Int(int),
            ValueRef::Float(float) => Value::Float(float),
            ValueRef::Decimal(decimal) => Value::Decimal(decimal),
            ValueRef::String(text) => Value::String(text.to_owned()),
            ValueRef::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            ValueRef::DateTime(micros) => Value::DateTime(micros),
            ValueRef::Date(days) => Value::Date(days),
            ValueRef::Duration(micros) => Value::Duration(micros),
            ValueRef::Uuid(id) => Value::Uuid(id),
            ValueRef::List(list) => Value::List(list.iter().map(|element| element.to_value()).collect()),
            ValueRef::Record(record) => {
                Value::Record(record.iter().map(|(field, value)| (field, value.to_value())).collect())
            }
            ValueRef::Map(map) => {
                Value::Map(map.iter().map(|(key, value)| (key.to_owned(), value.to_value())).collect())
            }
        }
    }
    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, ValueRef::Null)
    }
    /// Order of two values as the key codec sorts them, without encoding either.
    pub fn compare(&self, other: &ValueRef<'_>) -> Ordering {
        match (self, other) {
            (ValueRef::List(a), ValueRef::List(b)) => in_order(a.iter(), b.iter(), |a, b| a.compare(&b)),
            (ValueRef::Record(a), ValueRef::Record(b)) => {
                in_order(a.iter(), b.iter(), |a, b| a.0.cmp(&b.0).then_with(|| a.1.compare(&b.1)))
            }
            (ValueRef::Map(a), ValueRef::Map(b)) => {
                in_order(a.iter(), b.iter(), |a, b| a.0.cmp(b.0).then_with(|| a.1.compare(&b.1)))
            }
            _ => compare_scalars(*self, *other),
        }
    }
    /// Where the type stands among the others. Numbers share one place.
    fn rank(&self) -> u8 {
        match self {
            ValueRef::Null => 0,
            ValueRef::Bool(_) => 1,
            ValueRef::Int(_) | ValueRef::Float(_) | ValueRef::Decimal(_) => 2,
            ValueRef::String(_) => 3,
            ValueRef::Bytes(_) => 4,
            ValueRef::DateTime(_) => 5,
            ValueRef::Date(_) => 6,
            ValueRef::Duration(_) => 7,
            ValueRef::Uuid(_) => 8,
            ValueRef::List(_) => 9,
            ValueRef::Record(_) => 10,
            ValueRef::Map(_) => 11,
        }
    }
}

impl Value {
    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
    /// A borrowed view of a scalar; `None` for lists, records and maps, since only bytes of a
    /// document have views of those.
    pub fn scalar(&self) -> Option<ValueRef<'_>> {
        Some(match self {
            Value::Null => ValueRef::Null,
            Value::Bool(bool) => ValueRef::Bool(*bool),
            Value::Int(int) => ValueRef::Int(*int),
            Value::Float(float) => ValueRef::Float(*float),
            Value::Decimal(decimal) => ValueRef::Decimal(*decimal),
            Value::String(text) => ValueRef::String(text),
            Value::Bytes(bytes) => ValueRef::Bytes(bytes),
            Value::DateTime(micros) => ValueRef::DateTime(*micros),
            Value::Date(days) => ValueRef::Date(*days),
            Value::Duration(micros) => ValueRef::Duration(*micros),
            Value::Uuid(id) => ValueRef::Uuid(*id),
            Value::List(_) | Value::Record(_) | Value::Map(_) => return None,
        })
    }
    /// Order of two values as the key codec sorts them, without encoding either.
    pub fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::List(a), Value::List(b)) => in_order(a.iter(), b.iter(), Value::compare),
            (Value::Record(a), Value::Record(b)) => {
                in_order(present(a), present(b), |a, b| a.0.cmp(&b.0).then_with(|| a.1.compare(b.1)))
            }
            (Value::Map(a), Value::Map(b)) => {
                in_order(a.iter(), b.iter(), |a, b| a.0.cmp(&b.0).then_with(|| a.1.compare(&b.1)))
            }
            _ => compare_scalars(self.outline(), other.outline()),
        }
    }
    /// Order of an owned against a borrowed value, as the key codec sorts them.
    pub fn compare_ref(&self, other: &ValueRef<'_>) -> Ordering {
        match (self, other) {
            (Value::List(a), ValueRef::List(b)) => in_order(a.iter(), b.iter(), |a, b| a.compare_ref(&b)),
            (Value::Record(a), ValueRef::Record(b)) => {
                in_order(present(a), b.iter(), |a, b| a.0.cmp(&b.0).then_with(|| a.1.compare_ref(&b.1)))
            }
            (Value::Map(a), ValueRef::Map(b)) => {
                in_order(a.iter(), b.iter(), |a, b| a.0.as_str().cmp(b.0).then_with(|| a.1.compare_ref(&b.1)))
            }
            _ => compare_scalars(self.outline(), *other),
        }
    }
    /// The scalar, or an empty container of the same type: enough to tell two types apart.
    fn outline(&self) -> ValueRef<'_> {
        match self {
            Value::List(_) => ValueRef::List(ListRef::EMPTY),
            Value::Record(_) => ValueRef::Record(RecordRef::EMPTY),
            Value::Map(_) => ValueRef::Map(MapRef::EMPTY),
            scalar => scalar.scalar().expect("all containers are named above"),
        }
    }
}

/// The fields of a record as they are kept: without nulls, which read the same when absent.
pub(crate) fn present(record: &[(FieldId, Value)]) -> impl Iterator<Item = (FieldId, &Value)> {
    record.iter().filter(|(_, value)| !value.is_null()).map(|(field, value)| (*field, value))
}

/// Order of two values that are not both lists, both records or both maps.
fn compare_scalars(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    match (a, b) {
        (ValueRef::Int(a), ValueRef::Int(b)) => a.cmp(&b),
        (ValueRef::String(a), ValueRef::String(b)) => a.cmp(b),
        (ValueRef::Uuid(a), ValueRef::Uuid(b)) => a.cmp(&b),
        (ValueRef::DateTime(a), ValueRef::DateTime(b)) => a.cmp(&b),
        (ValueRef::Date(a), ValueRef::Date(b)) => a.cmp(&b),
        (ValueRef::Duration(a), ValueRef::Duration(b)) => a.cmp(&b),
        (ValueRef::Bool(a), ValueRef::Bool(b)) => a.cmp(&b),
        (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a.cmp(b),
        (ValueRef::Decimal(a), ValueRef::Decimal(b)) => a.cmp(&b),
        (ValueRef::Float(a), ValueRef::Float(b)) => compare_floats(a, b),
        (ValueRef::Int(a), ValueRef::Decimal(b)) => Decimal::from(a).cmp(&b),
        (ValueRef::Decimal(a), ValueRef::Int(b)) => a.cmp(&Decimal::from(b)),
        (ValueRef::Int(a), ValueRef::Float(b)) => compare_int_with_float(a, b),
        (ValueRef::Float(a), ValueRef::Int(b)) => compare_int_with_float(b, a).reverse(),
        (ValueRef::Float(a), ValueRef::Decimal(b)) => compare_float_with_decimal(a, b),
        (ValueRef::Decimal(a), ValueRef::Float(b)) => compare_float_with_decimal(b, a).reverse(),
        _ => a.rank().cmp(&b.rank()),
    }
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    // Not `total_cmp` first: -0.0 equals 0.0 here.
    a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b))
}

fn compare_int_with_float(int: i64, float: f64) -> Ordering {
    /// The first float past every i64. Its negation is the least i64 itself.
    const PAST: f64 = 9_223_372_036_854_775_808.0;
    if float >= PAST {
        return Ordering::Less;
    }
    if float < -PAST {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    int.cmp(&(whole as i64)).then_with(|| compare_floats(whole, float))
}

/// A float that is no integer stands for its shortest decimal, as in keys, so that 0.1 meets 0.1.
/// No field holds both types: that this takes the way through the codec costs nothing that matters.
fn compare_float_with_decimal(float: f64, decimal: Decimal) -> Ordering {
    let (mut a, mut b) = (Vec::with_capacity(32), Vec::with_capacity(32));
    key::encode(ValueRef::Float(float), key::Direction::Ascending, &mut a);
    key::encode(ValueRef::Decimal(decimal), key::Direction::Ascending, &mut b);
    a.cmp(&b)
}

/// Element by element; when one ends first, it is the lesser.
fn in_order<A, B>(
    mut a: impl Iterator<Item = A>,
    mut b: impl Iterator<Item = B>,
    compare: impl Fn(A, B) -> Ordering,
) -> Ordering {
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) => match compare(a, b) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (None, None) => return Ordering::Equal,
        }
    }
}
