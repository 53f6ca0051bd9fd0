//! Updating records: their fields, their references, and the relations that others hold.

use super::coerce::Coercer;
use super::desk::check_references;
use super::edit::{Changes, Edit};
use super::{Writer, change, violation};
use crate::Abort;
use crate::catalog::Collection;
use crate::place::Place;
use vivarium_storage::{Document, DocumentBuilder, DocumentId, Value};

/// Changes records, each in the same way.
pub(super) async fn update(
    writer: &mut Writer<'_>,
    collection: &Collection,
    ids: &[DocumentId],
    edit: &Edit,
) -> Result<(), Abort> {
    let coercer = Coercer { catalog: writer.catalog, database: writer.database, now_micros: writer.now_micros };
    let Some(changes) = Changes::read(coercer, collection, edit)? else { return Ok(()) };
    let draft = &changes.draft;
    let mut desk = writer.desk();
    desk.load_documents(collection.id, ids.iter().copied()).await?;
    for reference in &draft.references {
        desk.load_documents(reference.target, [reference.id]).await?;
    }
    let changed = draft.changes.iter().flat_map(|change| change.action.targets());
    desk.load_targets(draft.connects.iter().map(|(_, target)| target).chain(changed)).await?;
    check_references(&desk, &draft.references)?;
    for id in ids {
        let Some(cell) = desk.document(collection.id, *id).cloned() else {
            return Err(violation::not_found(collection, violation::id_key(collection, *id)).into());
        };
        let before = Document::trusted(&cell.value);
        let mut fields = DocumentBuilder::from_document(before);
        for (field, value) in &draft.values {
            fields.set(*field, value.clone());
        }
        for (field, target) in &draft.connects {
            fields.set(*field, Value::Uuid(desk.require(target)?));
        }
        changes.apply(collection, before, &mut fields)?;
        let written = desk.rewrite(collection, *id, &cell, fields, &Place::Root(&[])).await;
        written.map_err(|abort| changes.located(collection, abort))?;
        change::apply(&mut desk, collection, *id, &draft.changes).await?;
    }
    Ok(())
}
