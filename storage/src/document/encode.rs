//! Values to the bytes of a document.
//!
//! A container is written in place and its table filled in after its values: nothing is copied twice.

use super::*;
use crate::value::present;
use rust_decimal::Decimal;

/// One row of a table: the id of a field and where its value ends.
pub(super) const ROW_BYTES: usize = 5;

/// Appends a table and the values behind it, and returns how many fields there are.
pub(super) fn fields(record: &[(FieldId, Value)], depth: usize, out: &mut Vec<u8>) -> Result<u16> {
    assert!(record.is_sorted_by(|a, b| a.0 < b.0), "the fields of a record ascend");
    let count = present(record).count();
    let mut row = out.len();
    let values = row + count * ROW_BYTES;
    out.resize(values, 0);
    for (field, value) in present(record) {
        push(value, depth, out)?;
        let end = length(out.len() - values)?;
        out[row..row + 2].copy_from_slice(&field.0.to_le_bytes());
        out[row + 2..row + ROW_BYTES].copy_from_slice(&end);
        row += ROW_BYTES;
    }
    Ok(u16::try_from(count).expect("the last id of a field is never given out"))
}

fn push(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Null => out.push(TAG_NULL),
        Value::Bool(bool) => out.push(if *bool { TAG_TRUE } else { TAG_FALSE }),
        Value::Int(int) => push_int(*int, out),
        Value::Float(float) => {
            assert!(float.is_finite(), "a float in a value is finite");
            push_tagged(TAG_FLOAT, &float.to_le_bytes(), out);
        }
        Value::Decimal(decimal) => push_decimal(*decimal, out),
        Value::String(text) => push_long(TAG_STRING, text.as_bytes(), out)?,
        Value::Bytes(bytes) => push_long(TAG_BYTES, bytes, out)?,
        Value::DateTime(micros) => push_tagged(TAG_DATE_TIME, &micros.to_le_bytes(), out),
        Value::Date(days) => push_tagged(TAG_DATE, &days.to_le_bytes(), out),
        Value::Duration(micros) => push_tagged(TAG_DURATION, &micros.to_le_bytes(), out),
        Value::Uuid(id) => push_tagged(TAG_UUID, &id.0, out),
        Value::List(list) => {
            let depth = deeper(depth)?;
            push_tagged(TAG_LIST, &length(list.len())?, out);
            for element in list {
                push_measured(element, depth, out)?;
            }
        }
        Value::Record(record) => {
            let depth = deeper(depth)?;
            push_tagged(TAG_RECORD, &[0, 0], out);
            let start = out.len();
            let count = fields(record, depth, out)?;
            out[start - 2..start].copy_from_slice(&count.to_le_bytes());
        }
        Value::Map(map) => {
            let depth = deeper(depth)?;
            push_tagged(TAG_MAP, &length(map.len())?, out);
            for (key, value) in map {
                out.extend_from_slice(&length(key.len())?);
                out.extend_from_slice(key.as_bytes());
                push_measured(value, depth, out)?;
            }
        }
    }
    Ok(())
}

/// A value behind its length.
fn push_measured(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len() + 3;
    out.resize(start, 0);
    push(value, depth, out)?;
    let bytes = length(out.len() - start)?;
    out[start - 3..start].copy_from_slice(&bytes);
    Ok(())
}

fn push_tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn push_long(tag: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    // Before it is copied: what is too long must not cost its memory twice.
    length(bytes.len())?;
    push_tagged(tag, bytes, out);
    Ok(())
}

/// The narrowest of four widths: most integers are small.
fn push_int(int: i64, out: &mut Vec<u8>) {
    if let Ok(int) = i8::try_from(int) {
        push_tagged(TAG_INT, &int.to_le_bytes(), out);
    } else if let Ok(int) = i16::try_from(int) {
        push_tagged(TAG_INT, &int.to_le_bytes(), out);
    } else if let Ok(int) = i32::try_from(int) {
        push_tagged(TAG_INT, &int.to_le_bytes(), out);
    } else {
        push_tagged(TAG_INT, &int.to_le_bytes(), out);
    }
}

/// Scale and sign, then as many words of the mantissa as it needs, of which it has three.
fn push_decimal(decimal: Decimal, out: &mut Vec<u8>) {
    let mantissa = decimal.mantissa();
    let scale = u8::try_from(decimal.scale()).expect("a scale is at most 28");
    let magnitude = mantissa.unsigned_abs();
    let words = (4 - magnitude.leading_zeros() as usize / 32).max(1);
    out.push(TAG_DECIMAL);
    out.push(if mantissa < 0 { scale | DECIMAL_NEGATIVE } else { scale });
    out.extend_from_slice(&magnitude.to_le_bytes()[..4 * words]);
}

fn deeper(depth: usize) -> Result<usize> {
    if depth == DEPTH_MAX {
        return Err(Error::ValueTooDeep { limit: DEPTH_MAX });
    }
    Ok(depth + 1)
}

/// A length or an offset, which has 24 bits.
fn length(length: usize) -> Result<[u8; 3]> {
    match u32::try_from(length) {
        Ok(length) if (length as usize) < DOCUMENT_BYTES_MAX => {
            let [low, middle, high, _] = length.to_le_bytes();
            Ok([low, middle, high])
        }
        _ => Err(Error::DocumentTooLong { limit: DOCUMENT_BYTES_MAX }),
    }
}
