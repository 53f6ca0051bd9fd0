//! Creating records: inputs are read, what they name is fetched in a few batches, then each is written in turn.

use super::coerce::{Coercer, Draft};
use super::desk::{Desk, Revision, check_references};
use super::{Writer, change, violation};
use crate::catalog::{Collection, FieldKind, Scalar};
use crate::place::Place;
use crate::{Abort, Code, Input};
use std::collections::BTreeMap;
use vivarium_storage::key;
use vivarium_storage::{DocumentBuilder, DocumentId, FieldId, Space, Value};

/// A record on its way.
struct Coming<'c> {
    draft: Draft,
    id: DocumentId,
    /// Made ahead where all that it refers to was there already.
    revision: Option<Revision<'c>>,
}

/// Creates a record for each input, which stands at the place beside it.
pub(super) async fn create(
    writer: &mut Writer<'_>,
    collection: &Collection,
    data: &[(&Input, Place<'_>)],
) -> Result<Vec<DocumentId>, Abort> {
    let coercer = Coercer { catalog: writer.catalog, database: writer.database, now_micros: writer.now_micros };
    let mut coming = Vec::with_capacity(data.len());
    for (input, place) in data {
        let draft = coercer.create(collection, input, place)?;
        let id = draft.id.as_ref().map_or_else(|| writer.runtime.document_id(), |(id, _)| *id);
        coming.push(Coming { draft, id, revision: None });
    }
    pass_chosen(writer, collection, &coming).await?;
    number(writer, collection, &mut coming).await?;
    let mut desk = writer.desk();
    fetch(&mut desk, collection, &mut coming, data).await?;
    // A change of other records may have moved what was found ahead.
    let mut moved = false;
    let mut ids = Vec::with_capacity(coming.len());
    for (Coming { draft, id, revision }, (_, place)) in coming.into_iter().zip(data) {
        if let Some((_, path)) = &draft.id
            && desk.document(collection.id, id).is_some()
        {
            return Err(Place::Root(path).blame(violation::id_taken(collection, id)).into());
        }
        check_references(&desk, &draft.references)?;
        let revision = match revision {
            Some(revision) if !moved => revision,
            _ => {
                desk.load_targets(draft.connects.iter().map(|(_, target)| target)).await?;
                let revision = revise(&mut desk, collection, id, &draft, place)?;
                desk.load(Space::Index, revision.unique_keys().cloned().collect::<Vec<_>>()).await?;
                revision
            }
        };
        desk.write(revision, place)?;
        moved |= change::apply(&mut desk, collection, id, &draft.changes).await? == change::Touched::Records;
        ids.push(id);
    }
    Ok(ids)
}

/// Gives `@autoIncrement` fields their numbers, one block for all records.
async fn number(writer: &Writer<'_>, collection: &Collection, coming: &mut [Coming<'_>]) -> Result<(), Abort> {
    let mut wanted: BTreeMap<FieldId, usize> = BTreeMap::new();
    for field in coming.iter().flat_map(|coming| &coming.draft.numbered) {
        *wanted.entry(*field).or_default() += 1;
    }
    for (id, count) in wanted {
        let field = collection.field(id).expect("a numbered field is one of the collection's");
        let start = field.auto_increment.unwrap_or(1);
        let numbers = writer.sequences.take(collection.id, id, start, count).await?;
        let last = if field.kind == FieldKind::Scalar(Scalar::Int) { i64::from(i32::MAX) } else { i64::MAX };
        if numbers.len() < count || numbers.iter().any(|number| *number > last) {
            let message = format!("{}.{} has no numbers left below {last}.", collection.name, field.name);
            return Err(crate::Failure::new(Code::CheckViolation, message)
                .with("constraint", format!("{}.{}", collection.name, field.name))
                .with("fields", vec![field.name.clone()])
                .into());
        }
        let drafts = coming.iter_mut().map(|coming| &mut coming.draft).filter(|draft| draft.numbered.contains(&id));
        for (draft, number) in drafts.zip(numbers) {
            draft.values.push((id, Value::Int(number)));
        }
    }
    Ok(())
}

/// Moves the sequences of `@autoIncrement` fields past the numbers that clients chose.
async fn pass_chosen(writer: &Writer<'_>, collection: &Collection, coming: &[Coming<'_>]) -> Result<(), Abort> {
    for field in collection.fields.iter().filter(|field| field.auto_increment.is_some()) {
        let chosen = coming.iter().filter(|coming| !coming.draft.numbered.contains(&field.id));
        let numbers = chosen.flat_map(|coming| &coming.draft.values).filter(|(id, _)| *id == field.id);
        let greatest =
            numbers.filter_map(|(_, value)| if let Value::Int(number) = value { Some(*number) } else { None });
        if let Some(number) = greatest.max() {
            writer.sequences.pass(collection.id, field.id, number).await?;
        }
    }
    Ok(())
}

/// Lays everything on the desk that the drafts name, a batch for each step, and makes what can be made ahead.
async fn fetch<'c>(
    desk: &mut Desk<'_>,
    collection: &'c Collection,
    coming: &mut [Coming<'c>],
    data: &[(&Input, Place<'_>)],
) -> Result<(), Abort> {
    let database = desk.database;
    let chosen = coming.iter().filter_map(|coming| coming.draft.id.as_ref());
    let chosen = chosen.map(|(id, _)| key::document(database, collection.id, *id));
    let references = coming.iter().flat_map(|coming| &coming.draft.references);
    let references = references.map(|reference| key::document(database, reference.target, reference.id));
    let documents: Vec<_> = chosen.chain(references).collect();
    desk.load(Space::Document, documents).await?;
    let drafts = || coming.iter().map(|coming| &coming.draft);
    let connected = drafts().flat_map(|draft| &draft.connects).map(|(_, target)| target);
    let changed = drafts().flat_map(|draft| &draft.changes).flat_map(|change| change.action.targets());
    desk.load_targets(connected.chain(changed)).await?;
    change::load_holders(desk, collection, drafts().flat_map(|draft| &draft.changes)).await?;
    let mut keys = Vec::new();
    for (coming, (_, place)) in coming.iter_mut().zip(data) {
        let there = coming
            .draft
            .connects
            .iter()
            .try_fold(true, |all, (_, target)| desk.find(target).map(|found| all && found.is_some()))?;
        if there {
            let revision = revise(desk, collection, coming.id, &coming.draft, place)?;
            keys.extend(revision.unique_keys().cloned());
            coming.revision = Some(revision);
        }
    }
    desk.load(Space::Index, keys).await
}

fn revise<'c>(
    desk: &mut Desk<'_>,
    collection: &'c Collection,
    id: DocumentId,
    draft: &Draft,
    place: &Place<'_>,
) -> Result<Revision<'c>, Abort> {
    let mut fields = DocumentBuilder::new();
    for (field, value) in &draft.values {
        fields.set(*field, value.clone());
    }
    for (field, target) in &draft.connects {
        fields.set(*field, Value::Uuid(desk.require(target)?));
    }
    desk.revise(collection, id, None, fields, place)
}
