//! Whether bytes are a document: the checksum first, then everything that reading relies on.
//!
//! The checksum tells damage. The structure is checked as well, so that not even bytes that were
//! made up, with a checksum that fits, can make a node panic.

use super::encode::ROW_BYTES;
use super::*;
use rust_decimal::Decimal;

type Checked<T> = std::result::Result<T, &'static str>;

/// # Errors
/// [`Error::Corrupt`] with what was found.
pub(super) fn document(bytes: &[u8]) -> Result<()> {
    structure(bytes).map_err(|reason| Error::corrupt("document", reason))
}

fn structure(bytes: &[u8]) -> Checked<()> {
    if bytes.len() < HEADER_BYTES + CHECKSUM_BYTES || bytes.len() > DOCUMENT_BYTES_MAX {
        return Err("its length is that of no document");
    }
    let (body, checksum) = bytes.split_last_chunk().ok_or("it is cut short")?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err("its checksum does not fit its bytes");
    }
    if body[0] != FORMAT || body[1] != 0 {
        return Err("its format is unknown to this release");
    }
    fields(usize::from(u16::from_le_bytes([body[2], body[3]])), &body[HEADER_BYTES..], 0)
}

fn fields(count: usize, bytes: &[u8], depth: usize) -> Checked<()> {
    let (rows, values) = bytes.split_at_checked(count * ROW_BYTES).ok_or("a table is cut short")?;
    let (rows, _) = rows.as_chunks();
    if !rows.is_sorted_by(|a, b| view::id(a) < view::id(b)) {
        return Err("the fields of a table do not ascend");
    }
    let mut start = 0;
    for row in rows {
        let end = view::end(row);
        let bytes = values.get(start..end).ok_or("a field lies outside its table")?;
        if bytes == [TAG_NULL] {
            return Err("a field that is present is null");
        }
        value(bytes, depth)?;
        start = end;
    }
    if start != values.len() { Err("a table does not fill its bytes") } else { Ok(()) }
}

fn value(bytes: &[u8], depth: usize) -> Checked<()> {
    let (tag, body) = bytes.split_first().ok_or("a value is empty")?;
    let fits = match *tag {
        TAG_NULL | TAG_FALSE | TAG_TRUE => body.is_empty(),
        TAG_INT => matches!(body.len(), 1 | 2 | 4 | 8),
        TAG_FLOAT => body.as_array().is_some_and(|bits| f64::from_le_bytes(*bits).is_finite()),
        TAG_DECIMAL => decimal(body),
        TAG_STRING => std::str::from_utf8(body).is_ok(),
        TAG_BYTES => true,
        TAG_DATE => body.len() == 4,
        TAG_DATE_TIME | TAG_DURATION => body.len() == 8,
        TAG_UUID => body.len() == 16,
        TAG_LIST | TAG_RECORD | TAG_MAP if depth == DEPTH_MAX => return Err("lists and objects nest too deep"),
        TAG_LIST => return list(body, depth + 1),
        TAG_MAP => return map(body, depth + 1),
        TAG_RECORD => {
            let (count, rest) = body.split_first_chunk().ok_or("a record is cut short")?;
            return fields(usize::from(u16::from_le_bytes(*count)), rest, depth + 1);
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err("a value is not what its tag says") }
}

fn decimal(body: &[u8]) -> bool {
    let Some((scale, words)) = body.split_first() else {
        return false;
    };
    u32::from(scale & !DECIMAL_NEGATIVE) <= Decimal::MAX_SCALE && matches!(words.len(), 4 | 8 | 12)
}

fn list(mut bytes: &[u8], depth: usize) -> Checked<()> {
    for _ in 0..take_length(&mut bytes)? {
        value(take_measured(&mut bytes)?, depth)?;
    }
    if bytes.is_empty() { Ok(()) } else { Err("a list does not fill its bytes") }
}

fn map(mut bytes: &[u8], depth: usize) -> Checked<()> {
    for _ in 0..take_length(&mut bytes)? {
        std::str::from_utf8(take_measured(&mut bytes)?).map_err(|_| "a key is not UTF-8")?;
        value(take_measured(&mut bytes)?, depth)?;
    }
    if bytes.is_empty() { Ok(()) } else { Err("a map does not fill its bytes") }
}

fn take_length(bytes: &mut &[u8]) -> Checked<usize> {
    let (length, rest) = bytes.split_first_chunk::<3>().ok_or("a length is cut short")?;
    *bytes = rest;
    Ok(u32::from_le_bytes([length[0], length[1], length[2], 0]) as usize)
}

fn take_measured<'a>(bytes: &mut &'a [u8]) -> Checked<&'a [u8]> {
    let length = take_length(bytes)?;
    let (measured, rest) = bytes.split_at_checked(length).ok_or("a value is cut short")?;
    *bytes = rest;
    Ok(measured)
}
