//! What `createXs` does with records that are there already: those that have the same value of one unique key.
//!
//! Each input meets the records that those before it have made. Nothing of an input whose record is left alone is written.

use super::coerce::Draft;
use super::create::Coming;
use super::desk::Desk;
use super::edit::Changes;
use super::entries;
use super::update::update_one;
use crate::catalog::Collection;
use crate::filter::Filter;
use crate::place::Place;
use crate::{Abort, Input};
use std::collections::BTreeSet;
use vivarium_storage::key;
use vivarium_storage::runtime::mutant;
use vivarium_storage::{Document, DocumentBuilder, DocumentId, FieldId, IndexId, Key, Space, Value};

/// What is done with records that are there.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The unique index that tells them; `None` for the id.
    pub key: Option<IndexId>,
    /// What becomes of them; otherwise they are left alone.
    pub overwrite: Option<Overwrite>,
}

/// How a record that is there is overwritten.
#[derive(Clone, Debug)]
pub struct Overwrite {
    /// The fields; `None` for all that an input gives.
    pub fields: Option<BTreeSet<FieldId>>,
    /// Records that it does not let through are left alone.
    pub filter: Option<Filter>,
}

/// What became of a record that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    Left,
    Changed,
}

impl Conflict {
    /// Lays everything on the desk that tells whether records are there.
    pub(super) async fn load<'l, 'c: 'l, 'p: 'l>(
        &self,
        desk: &mut Desk<'_>,
        coming: impl Iterator<Item = &'l Coming<'c, 'p>>,
    ) -> Result<(), Abort> {
        let mut keys = Vec::new();
        for each in coming {
            keys.extend(self.keys(desk, each)?);
        }
        desk.load(Space::Index, keys).await
    }

    /// The record that has the key of one that is to be created.
    pub(super) async fn there(
        &self,
        desk: &mut Desk<'_>,
        coming: &Coming<'_, '_>,
    ) -> Result<Option<DocumentId>, Abort> {
        if self.key.is_none() {
            let is_there = coming.draft.id.is_some() && desk.document(coming.collection.id, coming.id).is_some();
            return Ok(is_there.then_some(coming.id));
        }
        desk.load_targets(coming.draft.connects.iter().map(|(_, target)| target)).await?;
        let keys = self.keys(desk, coming)?;
        desk.load(Space::Index, keys.iter().cloned()).await?;
        for key in &keys {
            if let Some(cell) = desk.entry(key) {
                return Ok(Some(key::document_id(&cell.value)?));
            }
        }
        Ok(None)
    }

    /// The entries that a new record would have in the index. What it refers to and is not there has no key yet.
    fn keys(&self, desk: &Desk<'_>, coming: &Coming<'_, '_>) -> Result<Vec<Key>, Abort> {
        let Some(index) = self.key.and_then(|index| coming.collection.index(index)) else { return Ok(Vec::new()) };
        let mut fields = DocumentBuilder::new();
        for (field, value) in &coming.draft.values {
            fields.set(*field, value.clone());
        }
        for (field, target) in &coming.draft.connects {
            fields.set(*field, desk.find(target)?.map_or(Value::Null, Value::Uuid));
        }
        let bytes = desk.finished(coming.collection, fields, None, &coming.at.place())?;
        let document = Document::trusted(&bytes);
        let entries = entries::of_document(desk.catalog, desk.database, coming.collection, index, coming.id, document);
        let entries = entries.map_err(|failure| coming.at.place().blame(failure))?;
        Ok(entries.into_iter().map(|(key, _)| key).collect())
    }

    /// Does with a record that is there what is to be done.
    pub(super) async fn met(
        &self,
        desk: &mut Desk<'_>,
        (collection, there): (&Collection, DocumentId),
        draft: Option<Draft>,
        (input, place): (&Input, &Place<'_>),
    ) -> Result<Met, Abort> {
        let (Some(overwrite), Some(draft)) = (&self.overwrite, draft) else { return Ok(Met::Left) };
        desk.load_documents(collection.id, [there]).await?;
        if let Some(filter) = &overwrite.filter
            && !mutant("conflict-02")
            && desk.matching(collection.id, &[there], filter).await?.is_empty()
        {
            return Ok(Met::Left);
        }
        let draft = overwrite.draft(collection, input, draft);
        update_one(desk, collection, there, &Changes::from_draft(draft, place.path())).await?;
        Ok(Met::Changed)
    }
}

impl Overwrite {
    /// What is left of a draft when it overwrites: defaults are for new records only.
    fn draft(&self, collection: &Collection, input: &Input, draft: Draft) -> Draft {
        let is_given = |id: FieldId| {
            collection.field(id).is_some_and(|field| input.field(&field.name).is_some())
                && self.fields.as_ref().is_none_or(|fields| fields.contains(&id) || mutant("conflict-01"))
        };
        let Draft { values, connects, references, makes, changes, .. } = draft;
        Draft {
            values: values.into_iter().filter(|(field, _)| is_given(*field)).collect(),
            connects: connects.into_iter().filter(|(field, _)| is_given(*field)).collect(),
            makes: makes.into_iter().filter(|(field, _)| is_given(*field)).collect(),
            references,
            changes: if self.fields.is_none() { changes } else { Vec::new() },
            ..Draft::default()
        }
    }
}
