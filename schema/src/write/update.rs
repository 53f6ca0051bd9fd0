//! Updating records: their fields, their references, and what is written through their relations.

use super::desk::{Desk, check_references};
use super::edit::{Changes, Edit};
use super::relation::{Action, Change, One};
use super::{change, create, delete, violation};
use crate::Abort;
use crate::catalog::{Collection, FieldKind};
use crate::place::Place;
use std::future::Future;
use std::pin::Pin;
use vivarium_storage::runtime::sometimes;
use vivarium_storage::{Document, DocumentBuilder, DocumentId, Value, ValueRef};

/// An update of one record, which may update others.
pub(super) type Updating<'f> = Pin<Box<dyn Future<Output = Result<(), Abort>> + Send + 'f>>;

/// Changes records, each in the same way.
pub(super) async fn update(
    desk: &mut Desk<'_>,
    collection: &Collection,
    ids: &[DocumentId],
    edit: &Edit,
) -> Result<(), Abort> {
    let Some(changes) = Changes::read(desk.coercer(), collection, edit)? else { return Ok(()) };
    desk.load_documents(collection.id, ids.iter().copied()).await?;
    for id in ids {
        update_one(desk, collection, *id, &changes).await?;
    }
    Ok(())
}

/// Changes one record.
pub(super) fn update_one<'f>(
    desk: &'f mut Desk<'_>,
    collection: &'f Collection,
    id: DocumentId,
    changes: &'f Changes,
) -> Updating<'f> {
    Box::pin(async move {
        let draft = &changes.draft;
        for reference in &draft.references {
            desk.load_documents(reference.target, [reference.id]).await?;
        }
        let changed = draft.changes.iter().flat_map(|change| change.action.targets());
        desk.load_targets(draft.connects.iter().map(|(_, target)| target).chain(changed)).await?;
        check_references(desk, &draft.references)?;
        let mut made = Vec::with_capacity(draft.makes.len());
        for (field, nested) in &draft.makes {
            let (target, _) =
                collection.field(*field).and_then(|field| field.relation()).expect("a reference leads on");
            made.push((*field, create::through(desk, target, nested.as_ref().clone(), None).await?));
        }
        desk.load_documents(collection.id, [id]).await?;
        let Some(cell) = desk.document(collection.id, id).cloned() else {
            let key = violation::id_key(collection, id);
            return Err(Place::Root(changes.base()).blame(violation::not_found(collection, key)).into());
        };
        let before = Document::trusted(&cell.value);
        let led_to = own_references(desk, collection, before, &draft.changes)?;
        let mut fields = DocumentBuilder::from_document(before);
        for (field, value) in &draft.values {
            fields.set(*field, value.clone());
        }
        for (field, target) in &draft.connects {
            fields.set(*field, Value::Uuid(desk.require(target)?));
        }
        for (field, id) in made {
            fields.set(field, Value::Uuid(id));
        }
        changes.apply(collection, before, &mut fields)?;
        let written = desk.rewrite(collection, id, &cell, fields, &Place::Root(&[])).await;
        written.map_err(|abort| changes.located(collection, abort))?;
        for (change, target, other) in led_to {
            let place = Place::Whole(&change.path);
            desk.spend(1, &place)?;
            match &change.action {
                Action::One(One::Update(changes)) => {
                    sometimes("a record is updated through a relation");
                    update_one(desk, target, other, changes).await?;
                }
                _ => delete::delete(desk, target, &[other], &place).await?,
            }
            change::stays(desk, collection, id, &place).await?;
        }
        change::apply(desk, collection, id, &draft.changes).await?;
        Ok(())
    })
}

/// The records that own references lead to and that are changed or deleted through them.
fn own_references<'c, 'd>(
    desk: &Desk<'d>,
    collection: &Collection,
    before: Document<'_>,
    changes: &'c [Change],
) -> Result<Vec<(&'c Change, &'d Collection, DocumentId)>, Abort> {
    let mut led_to = Vec::new();
    for change in changes {
        let field = collection.field(change.field).expect("a change is of one of the collection's fields");
        let FieldKind::ToOne { target, .. } = field.kind else { continue };
        let target = desk.collection(target);
        let ValueRef::Uuid(other) = before.field(field.id) else {
            let failure = violation::unrelated(collection, field, target, None);
            return Err(Place::Root(&change.path).blame(failure).into());
        };
        led_to.push((change, target, other));
    }
    Ok(led_to)
}
