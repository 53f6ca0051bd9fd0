//! A document with what is computed of it: the values that are kept, and those that are worked out when it is read.
//!
//! Invariant: stored documents hold the stored computed fields and no others.

use super::evaluate;
use crate::catalog::{Collection, Field, Index, IndexElement};
use vivarium_consensus::Transaction;
use vivarium_storage::engine::Bytes;
use vivarium_storage::runtime::mutant;
use vivarium_storage::{Cell, Document, DocumentBuilder, FieldId, Value};

/// True where a field is worked out when its record is read.
pub(crate) fn is_virtual(field: &Field) -> bool {
    field.computed.as_ref().is_some_and(|computed| !computed.stored)
}

/// What a document that is going to be stored must hold in its computed fields: their values, or null where they are
/// worked out when it is read. Those that it holds already are left out.
///
/// # Errors
/// The field, and a fragment that says why it has no value.
pub(crate) fn stored<'c>(
    collection: &'c Collection,
    document: Document<'_>,
) -> Result<Vec<(FieldId, Value)>, (&'c Field, String)> {
    let mut values = Vec::new();
    for field in &collection.fields {
        let Some(computed) = &field.computed else { continue };
        // A planted bug: what is kept stays as it was when its record changes.
        if computed.stored && !document.field(field.id).is_null() && mutant("comp-01") {
            continue;
        }
        let value = evaluate::value(field, &computed.expression, document).map_err(|fragment| (field, fragment))?;
        let value = if computed.stored { value } else { Value::Null };
        if !is_kept(&document.field(field.id).to_value(), &value) {
            values.push((field.id, value));
        }
    }
    Ok(values)
}

/// Whether a document holds the value as it would be stored: a Decimal with the same digits behind the point.
fn is_kept(held: &Value, value: &Value) -> bool {
    match (held, value) {
        (Value::Decimal(held), Value::Decimal(value)) => held == value && held.scale() == value.scale(),
        (held, value) => held == value,
    }
}

/// A cell as it is read: with what is worked out then.
pub(crate) fn seen(collection: &Collection, cell: Cell) -> Cell {
    // A planted bug: what is worked out when a record is read is not, of what the transaction wrote itself.
    if cell.version == Transaction::OWN && mutant("comp-02") {
        return cell;
    }
    match read(collection, Document::trusted(&cell.value)) {
        Some(bytes) => Cell { version: cell.version, value: Bytes::from(bytes.as_slice()) },
        None => cell,
    }
}

/// A document as it is read, with what is worked out then. `None` where its collection has nothing of the kind.
pub(crate) fn read(collection: &Collection, document: Document<'_>) -> Option<Vec<u8>> {
    let mut computed = collection.fields.iter().filter(|field| is_virtual(field)).peekable();
    computed.peek()?;
    let mut fields = DocumentBuilder::from_document(document);
    for field in computed {
        let expression = &field.computed.as_ref().expect("only computed fields are left").expression;
        // Writes and schema changes refuse what has no value; what they could not refuse reads as null.
        fields.set(field.id, evaluate::value(field, expression, document).unwrap_or(Value::Null));
    }
    // A document that becomes too long with it was refused when it was written.
    fields.finish(document.schema(), document.created()).ok()
}

/// True where an index has something that is worked out when it is read.
pub(crate) fn is_over_virtual(collection: &Collection, index: &Index) -> bool {
    let first = |element: &IndexElement| element.path.first().and_then(|id| collection.field(*id));
    index.elements.iter().filter_map(first).any(is_virtual)
}
