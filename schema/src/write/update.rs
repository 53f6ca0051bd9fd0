//! Updating a record: its fields, its references, and the relations that others hold.

use super::coerce::Coercer;
use super::desk::check_references;
use super::{Writer, change, violation};
use crate::catalog::Collection;
use crate::place::Place;
use crate::{Abort, Input};
use vivarium_storage::{Document, DocumentBuilder, DocumentId, Value};

/// Updates one record.
pub(super) async fn update(
    writer: &mut Writer<'_>,
    collection: &Collection,
    id: DocumentId,
    data: &Input,
    place: &Place<'_>,
) -> Result<(), Abort> {
    let coercer = Coercer { catalog: writer.catalog, database: writer.database, now_micros: writer.now_micros };
    let draft = coercer.update(collection, data, place)?;
    let mut desk = writer.desk();
    desk.load_documents(collection.id, [id]).await?;
    let Some(cell) = desk.document(collection.id, id).cloned() else {
        return Err(violation::not_found(collection, violation::id_key(collection, id)).into());
    };
    for reference in &draft.references {
        desk.load_documents(reference.target, [reference.id]).await?;
    }
    let changed = draft.changes.iter().flat_map(|change| change.action.targets());
    desk.load_targets(draft.connects.iter().map(|(_, target)| target).chain(changed)).await?;
    check_references(&desk, &draft.references)?;
    let mut fields = DocumentBuilder::from_document(Document::trusted(&cell.value));
    for (field, value) in draft.values {
        fields.set(field, value);
    }
    for (field, target) in &draft.connects {
        fields.set(*field, Value::Uuid(desk.require(target)?));
    }
    desk.rewrite(collection, id, &cell, fields, place).await?;
    change::apply(&mut desk, collection, id, &draft.changes).await?;
    Ok(())
}
