//! The elements of an index key: one tag byte each, then bytes that sort like the value.
//!
//! No element is the beginning of another, so tuples compare element by element. Every tag is an
//! explicit number that is never reused.

use super::{Direction, DocumentId, FieldId, number};
use crate::value::{DEPTH_MAX, present};
use crate::{Error, Result, Value, ValueRef};

/// Ends a list, a record or a map. Below every tag, so that the shorter one sorts first.
const END: u8 = 0x00;
/// Stands before each field of a record.
const FIELD: u8 = 0x01;
const NULL: u8 = 0x02;
const FALSE: u8 = 0x04;
const TRUE: u8 = 0x05;
// 0x10 to 0x22 are numbers, see `number`.
const STRING: u8 = 0x30;
const BYTES: u8 = 0x38;
const DATE_TIME: u8 = 0x40;
const DATE: u8 = 0x41;
const DURATION: u8 = 0x42;
const UUID: u8 = 0x48;
const LIST: u8 = 0x50;
const RECORD: u8 = 0x58;
const MAP: u8 = 0x59;

/// Ends a string. The bytes 0x00 and 0x01 within one are escaped, so nothing after it can be
/// taken for more of it, whatever byte that begins with.
const TEXT_END: u8 = 0x00;
const ESCAPE: u8 = 0x01;

/// Appends one element of a tuple. The order of encodings is the order of values: numbers of all
/// types in one order, exact for i64, f64 and decimal.
///
/// # Panics
/// When a float is not finite.
pub fn encode(value: ValueRef<'_>, direction: Direction, out: &mut Vec<u8>) {
    let start = out.len();
    push(value, out);
    if direction == Direction::Descending {
        invert(&mut out[start..]);
    }
}

/// As [`encode`], for an owned value.
pub fn encode_value(value: &Value, direction: Direction, out: &mut Vec<u8>) {
    let start = out.len();
    push_value(value, out);
    if direction == Direction::Descending {
        invert(&mut out[start..]);
    }
}

/// Appends what the elements of all strings that begin with `prefix` begin with, and no others.
pub fn encode_prefix(prefix: &str, direction: Direction, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(STRING);
    push_escaped(prefix.as_bytes(), out);
    if direction == Direction::Descending {
        invert(&mut out[start..]);
    }
}

/// Takes one element off the front of `bytes` and gives its bytes, without making a value of them.
///
/// # Errors
/// [`Error::Corrupt`] when the bytes are no element; `bytes` is then left as it was. An element whose end is found
/// may still be one that [`decode`] refuses.
pub fn split<'k>(bytes: &mut &'k [u8], direction: Direction) -> Result<&'k [u8]> {
    let mask = match direction {
        Direction::Ascending => 0x00,
        Direction::Descending => 0xFF,
    };
    let whole = *bytes;
    let mut reader = Reader { rest: whole, mask };
    match skip(&mut reader) {
        Ok(()) => {
            let (element, rest) = whole.split_at(whole.len() - reader.rest.len());
            *bytes = rest;
            Ok(element)
        }
        Err(Malformed(reason)) => {
            let at = whole.len() - reader.rest.len();
            Err(Error::corrupt("key", format!("{reason}, {at} bytes into an element")))
        }
    }
}

/// A number as `mantissa / 10^scale`, where both are small: what [`decode`] gives, without its cost. `None` for
/// numbers of more digits, and for what is no number at all.
pub fn short_number(element: &[u8], direction: Direction) -> Option<(i64, u32)> {
    let mask = match direction {
        Direction::Ascending => 0x00,
        Direction::Descending => 0xFF,
    };
    let (tag, body) = element.split_first()?;
    number::short(tag ^ mask, mask, body)
}

/// Takes one element off the front of `bytes`. Numbers come back as Int where they are integers
/// that fit, else as Decimal where exact, else as Float.
///
/// # Errors
/// [`Error::Corrupt`] when the bytes are no element; `bytes` is then left as it was.
pub fn decode(bytes: &mut &[u8], direction: Direction) -> Result<Value> {
    let mask = match direction {
        Direction::Ascending => 0x00,
        Direction::Descending => 0xFF,
    };
    let mut reader = Reader { rest: bytes, mask };
    match read(&mut reader, 0) {
        Ok(value) => {
            *bytes = reader.rest;
            Ok(value)
        }
        Err(Malformed(reason)) => {
            let at = bytes.len() - reader.rest.len();
            Err(Error::corrupt("key", format!("{reason}, {at} bytes into an element")))
        }
    }
}

fn push(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Int(int) => number::push_int(int, out),
        ValueRef::String(text) => push_text(STRING, text.as_bytes(), out),
        ValueRef::Uuid(id) => {
            out.push(UUID);
            out.extend_from_slice(&id.0);
        }
        ValueRef::Null => out.push(NULL),
        ValueRef::Bool(bool) => out.push(if bool { TRUE } else { FALSE }),
        ValueRef::Float(float) => number::push_float(float, out),
        ValueRef::Decimal(decimal) => number::push_decimal(decimal, out),
        ValueRef::Bytes(bytes) => push_text(BYTES, bytes, out),
        ValueRef::DateTime(micros) => push_time(DATE_TIME, micros, out),
        ValueRef::Date(days) => push_time(DATE, i64::from(days), out),
        ValueRef::Duration(micros) => push_time(DURATION, micros, out),
        ValueRef::List(list) => {
            out.push(LIST);
            list.iter().for_each(|element| push(element, out));
            out.push(END);
        }
        ValueRef::Record(record) => {
            out.push(RECORD);
            for (field, value) in record.iter() {
                push_field(field, out);
                push(value, out);
            }
            out.push(END);
        }
        ValueRef::Map(map) => {
            out.push(MAP);
            for (key, value) in map.iter() {
                push_text(STRING, key.as_bytes(), out);
                push(value, out);
            }
            out.push(END);
        }
    }
}

fn push_value(value: &Value, out: &mut Vec<u8>) {
    if let Some(scalar) = value.scalar() {
        return push(scalar, out);
    }
    match value {
        Value::List(list) => {
            out.push(LIST);
            list.iter().for_each(|element| push_value(element, out));
        }
        Value::Record(record) => {
            out.push(RECORD);
            for (field, value) in present(record) {
                push_field(field, out);
                push_value(value, out);
            }
        }
        Value::Map(map) => {
            out.push(MAP);
            for (key, value) in map {
                push_text(STRING, key.as_bytes(), out);
                push_value(value, out);
            }
        }
        _ => unreachable!("everything else is a scalar"),
    }
    out.push(END);
}

fn push_field(field: FieldId, out: &mut Vec<u8>) {
    out.push(FIELD);
    out.extend_from_slice(&field.0.to_be_bytes());
}

fn push_time(tag: u8, ticks: i64, out: &mut Vec<u8>) {
    out.push(tag);
    // With the sign bit flipped, two's complement sorts as unsigned bytes do.
    out.extend_from_slice(&(ticks ^ i64::MIN).to_be_bytes());
}

fn push_text(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    out.push(tag);
    push_escaped(bytes, out);
    out.push(TEXT_END);
}

fn push_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(position) = rest.iter().position(|byte| *byte <= ESCAPE) {
        out.extend_from_slice(&rest[..position]);
        out.extend_from_slice(&[ESCAPE, rest[position] + 1]);
        rest = &rest[position + 1..];
    }
    out.extend_from_slice(rest);
}

pub(super) fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

/// Why bytes are no element.
pub(super) struct Malformed(pub(super) &'static str);

/// Bytes of an element, turned back upright.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    mask: u8,
}

impl Reader<'_> {
    /// The next byte, inverted once more where `inverted` says so.
    pub(super) fn byte(&mut self, inverted: bool) -> std::result::Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed("the bytes end"))?;
        self.rest = rest;
        Ok(first ^ self.mask ^ if inverted { 0xFF } else { 0x00 })
    }

    /// Passes so many bytes.
    pub(super) fn pass(&mut self, bytes: usize) -> std::result::Result<(), Malformed> {
        self.rest = self.rest.get(bytes..).ok_or(Malformed("the bytes end"))?;
        Ok(())
    }

    /// Passes everything up to a byte and that byte, which is inverted once more where `inverted` says so.
    pub(super) fn pass_through(&mut self, byte: u8, inverted: bool) -> std::result::Result<(), Malformed> {
        let wanted = byte ^ self.mask ^ if inverted { 0xFF } else { 0x00 };
        let at = self.rest.iter().position(|byte| *byte == wanted).ok_or(Malformed("the bytes end"))?;
        self.pass(at + 1)
    }

    fn array<const N: usize>(&mut self) -> std::result::Result<[u8; N], Malformed> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(Malformed("the bytes end"))?;
        self.rest = rest;
        Ok(first.map(|byte| byte ^ self.mask))
    }

    fn time(&mut self) -> std::result::Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?) ^ i64::MIN)
    }

    fn text(&mut self) -> std::result::Result<Vec<u8>, Malformed> {
        let mut text = Vec::new();
        loop {
            match self.byte(false)? {
                TEXT_END => return Ok(text),
                ESCAPE => match self.byte(false)? {
                    escaped @ (1 | 2) => text.push(escaped - 1),
                    _ => return Err(Malformed("a string escapes what needs none")),
                },
                byte => text.push(byte),
            }
        }
    }

    fn string(&mut self) -> std::result::Result<String, Malformed> {
        String::from_utf8(self.text()?).map_err(|_| Malformed("a string is not UTF-8"))
    }
}

fn skip(reader: &mut Reader<'_>) -> std::result::Result<(), Malformed> {
    match reader.byte(false)? {
        NULL | FALSE | TRUE => Ok(()),
        tag @ number::LONG_NEGATIVE..=number::LONG => number::skip(tag, reader),
        // What is escaped is never the byte that ends a text.
        STRING | BYTES => reader.pass_through(TEXT_END, false),
        DATE_TIME | DATE | DURATION => reader.pass(8),
        UUID => reader.pass(16),
        tag => read_tagged(tag, reader, 0).map(drop),
    }
}

fn read(reader: &mut Reader<'_>, depth: usize) -> std::result::Result<Value, Malformed> {
    let tag = reader.byte(false)?;
    read_tagged(tag, reader, depth)
}

fn read_tagged(tag: u8, reader: &mut Reader<'_>, depth: usize) -> std::result::Result<Value, Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed("lists and objects nest too deep"));
    }
    Ok(match tag {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        number::LONG_NEGATIVE..=number::LONG => number::read(tag, reader)?,
        STRING => Value::String(reader.string()?),
        BYTES => Value::Bytes(reader.text()?),
        DATE_TIME => Value::DateTime(reader.time()?),
        DATE => {
            let days = i32::try_from(reader.time()?);
            Value::Date(days.map_err(|_| Malformed("a date is out of range"))?)
        }
        DURATION => Value::Duration(reader.time()?),
        UUID => Value::Uuid(DocumentId(reader.array()?)),
        LIST => read_list(reader, depth + 1)?,
        RECORD => read_record(reader, depth + 1)?,
        MAP => read_map(reader, depth + 1)?,
        _ => return Err(Malformed("a tag is unknown")),
    })
}

fn read_list(reader: &mut Reader<'_>, depth: usize) -> std::result::Result<Value, Malformed> {
    let mut list = Vec::new();
    loop {
        match reader.byte(false)? {
            END => return Ok(Value::List(list)),
            tag => list.push(read_tagged(tag, reader, depth)?),
        }
    }
}

fn read_record(reader: &mut Reader<'_>, depth: usize) -> std::result::Result<Value, Malformed> {
    let mut record: Vec<(FieldId, Value)> = Vec::new();
    loop {
        match reader.byte(false)? {
            END => return Ok(Value::Record(record)),
            FIELD => {
                let field = FieldId(u16::from_be_bytes(reader.array()?));
                let value = read(reader, depth)?;
                if record.last().is_some_and(|(last, _)| *last >= field) || value.is_null() {
                    return Err(Malformed("a record is out of order"));
                }
                record.push((field, value));
            }
            _ => return Err(Malformed("a tag is unknown")),
        }
    }
}

fn read_map(reader: &mut Reader<'_>, depth: usize) -> std::result::Result<Value, Malformed> {
    let mut map = Vec::new();
    loop {
        match reader.byte(false)? {
            END => return Ok(Value::Map(map)),
            STRING => {
                let key = reader.string()?;
                map.push((key, read(reader, depth)?));
            }
            _ => return Err(Malformed("a tag is unknown")),
        }
    }
}
