//! Cursors: a place in one order at one snapshot, opaque to clients. Drawn in docs/format.md.

use super::order::Order;
use crate::{Code, Failure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vivarium_storage::Version;

/// The first byte of a cursor. Never reused.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 17;
/// Characters of a cursor: sort keys are values of fields, which may be long.
const CURSOR_CHARS_MAX: usize = 128 << 10;

/// A cursor as a client sent it.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    /// The snapshot that its page was read at; 0 for a cursor of no page, which goes on at the newest.
    pub(crate) version: Version,
    /// The sort key of the record that it stands at.
    pub(crate) position: Vec<u8>,
}

impl Cursor {
    /// Appends the text of a cursor.
    pub(crate) fn write(order: &Order, version: Version, position: &[u8], out: &mut Vec<u8>) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + position.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&order.hash.to_be_bytes());
        bytes.extend_from_slice(&version.0.to_be_bytes());
        bytes.extend_from_slice(position);
        let start = out.len();
        out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let written =
            URL_SAFE_NO_PAD.encode_slice(&bytes, &mut out[start..]).expect("four characters hold three bytes");
        out.truncate(start + written);
    }

    /// Reads a cursor that belongs to `order`.
    ///
    /// # Errors
    /// `INVALID_CURSOR`: it is none, or of another order.
    pub(crate) fn parse(order: &Order, text: &str) -> Result<Cursor, Failure> {
        let invalid = |message: &str| Failure::new(Code::InvalidCursor, message);
        if text.len() > CURSOR_CHARS_MAX {
            return Err(invalid("This is not a cursor of this server: use one that a page gave."));
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let (Some(&FORMAT), Some(header)) = (bytes.first(), bytes.first_chunk::<HEADER_BYTES>()) else {
            return Err(invalid("This is not a cursor of this server: use one that a page gave."));
        };
        let number = |at: usize| u64::from_be_bytes(*header[at..].first_chunk().expect("a header has 17 bytes"));
        if number(1) != order.hash {
            return Err(invalid("The cursor belongs to another orderBy: start again from the first page."));
        }
        let position = bytes[HEADER_BYTES..].to_vec();
        if order.split(&position).is_none() {
            return Err(invalid("The cursor is damaged: start again from the first page."));
        }
        Ok(Cursor { version: Version(number(9)), position })
    }
}
