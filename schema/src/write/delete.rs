//! Deleting records: who refers to them is found level by level, then all that goes goes together.
//!
//! A record that restricts does not, when it is deleted by the same cascade. Cycles end: a record goes once.

use super::desk::Desk;
use super::{entries, violation};
use crate::Abort;
use crate::catalog::{Catalog, Collection, Field, FieldKind, Index, OnDelete};
use crate::place::Place;
use std::collections::{BTreeMap, BTreeSet};
use vivarium_storage::runtime::{mutant, sometimes};
use vivarium_storage::{CollectionId, Document, DocumentBuilder, DocumentId, FieldId, IndexId, Key, Space, Value};

/// Records and links that one delete may change: they are all in memory, and in one log entry.
pub const CASCADE_MAX: usize = 10_000;

/// Records that a failure names.
const NAMED_MAX: usize = 3;

/// Records by collection.
type Records = BTreeMap<CollectionId, BTreeSet<DocumentId>>;

/// Deletes records and does to others what their `onDelete` says.
pub(super) async fn delete(
    desk: &mut Desk<'_>,
    collection: &Collection,
    ids: &[DocumentId],
    place: &Place<'_>,
) -> Result<(), Abort> {
    let Some(first) = ids.first() else { return Ok(()) };
    desk.load_documents(collection.id, ids.iter().copied()).await?;
    if let Some(id) = ids.iter().find(|id| desk.document(collection.id, **id).is_none()) {
        let failure = violation::not_found(collection, violation::id_key(collection, *id));
        return Err(place.blame(failure).into());
    }
    let mut budget = Budget { left: CASCADE_MAX, collection, id: *first };
    let doomed = cascade(desk, collection, ids, &mut budget).await?;
    restrict(desk, &doomed, place).await?;
    let emptied = emptied(desk, &doomed, &mut budget).await?;
    let links = links(desk, &doomed, place, &mut budget).await?;
    for (holder, ids) in &emptied {
        desk.load_documents(*holder, ids.keys().copied().collect::<Vec<_>>()).await?;
    }
    for (doomed, ids) in &doomed {
        desk.load_documents(*doomed, ids.iter().copied().collect::<Vec<_>>()).await?;
        for id in ids {
            desk.remove(desk.collection(*doomed), *id)?;
        }
    }
    for key in links {
        desk.delete(Space::Index, key);
    }
    for (holder, ids) in emptied {
        for (id, paths) in ids {
            empty(desk, holder, id, &paths, &doomed, place).await?;
        }
    }
    Ok(())
}

/// What a delete may still change.
struct Budget<'c> {
    left: usize,
    collection: &'c Collection,
    id: DocumentId,
}

impl Budget<'_> {
    fn spend(&mut self, count: usize) -> Result<(), Abort> {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(violation::too_many_affected(self.collection, self.id, CASCADE_MAX).into()),
        }
    }

    /// Rows to look at: one more than may be changed tells that there are too many.
    fn rows(&self) -> usize {
        self.left + 1
    }
}

/// A reference that documents hold to the records of a collection.
pub(crate) struct Holder<'c> {
    /// The collection of the documents.
    pub(crate) collection: &'c Collection,
    /// From the document to the reference.
    pub(crate) path: Vec<FieldId>,
    /// The index over it.
    pub(crate) index: &'c Index,
    /// The collection referred to.
    pub(crate) target: CollectionId,
    /// What becomes of the documents.
    pub(crate) on_delete: OnDelete,
}

/// Every reference to a record of any collection, inside embedded values too.
pub(crate) fn holders(catalog: &Catalog) -> Vec<Holder<'_>> {
    let mut found = Vec::new();
    for collection in &catalog.collections {
        holders_below(catalog, collection, &collection.fields, &mut Vec::new(), &mut found);
    }
    found
}

fn holders_below<'c>(
    catalog: &'c Catalog,
    collection: &'c Collection,
    fields: &'c [Field],
    path: &mut Vec<FieldId>,
    found: &mut Vec<Holder<'c>>,
) {
    for field in fields {
        path.push(field.id);
        match field.kind {
            FieldKind::ToOne { target, on_delete, index, .. } => {
                let over = |each: &&Index| each.elements.len() == 1 && each.elements[0].path == *path;
                let index = match index {
                    Some(index) => collection.index(index),
                    None => collection.indexes.iter().filter(over).min_by_key(|index| !index.relation),
                };
                let index = index.expect("every reference has an index");
                found.push(Holder { collection, path: path.clone(), index, target, on_delete });
            }
            FieldKind::Embedded(id) => {
                let embedded = catalog.embedded(id).expect("a field's type is in the catalog");
                holders_below(catalog, collection, &embedded.fields, path, found);
            }
            _ => {}
        }
        path.pop();
    }
}

/// All records that go: the first ones, and those that refer to one that goes and cascade.
async fn cascade(
    desk: &mut Desk<'_>,
    collection: &Collection,
    ids: &[DocumentId],
    budget: &mut Budget<'_>,
) -> Result<Records, Abort> {
    let cascading: Vec<Holder<'_>> =
        holders(desk.catalog).into_iter().filter(|holder| holder.on_delete == OnDelete::Cascade).collect();
    let mut doomed = Records::from([(collection.id, BTreeSet::from_iter(ids.iter().copied()))]);
    let mut level = doomed.clone();
    while !level.is_empty() {
        let mut next = Records::new();
        for holder in &cascading {
            let Some(targets) = level.get(&holder.target) else { continue };
            let targets: Vec<DocumentId> = targets.iter().copied().collect();
            for id in desk.under(holder.index.id, &targets, budget.rows()).await?.concat() {
                if doomed.entry(holder.collection.id).or_default().insert(id) {
                    budget.spend(1)?;
                    next.entry(holder.collection.id).or_default().insert(id);
                }
            }
        }
        if !next.is_empty() {
            sometimes("a delete cascades");
        }
        if mutant("rel-02")
            && let Some(ids) = next.values_mut().next_back()
            && let Some(last) = ids.pop_last()
        {
            doomed.values_mut().for_each(|ids| ids.retain(|id| *id != last));
        }
        level = next;
    }
    doomed.retain(|_, ids| !ids.is_empty());
    Ok(doomed)
}

/// Refuses when a record that stays refers to one that goes, and restricts.
async fn restrict(desk: &mut Desk<'_>, doomed: &Records, place: &Place<'_>) -> Result<(), Abort> {
    for holder in holders(desk.catalog).iter().filter(|holder| holder.on_delete == OnDelete::Restrict) {
        let Some(targets) = doomed.get(&holder.target) else { continue };
        let targets: Vec<DocumentId> = targets.iter().copied().collect();
        let going = doomed.get(&holder.collection.id);
        // So many rows may all be of records that go: one more would tell of one that stays.
        let rows = going.map_or(0, BTreeSet::len) + NAMED_MAX;
        let found = desk.under(holder.index.id, &targets, rows).await?;
        for (target, by) in targets.into_iter().zip(found) {
            let stays = by.into_iter().filter(|id| going.is_none_or(|going| !going.contains(id)));
            let stays: Vec<DocumentId> = stays.take(NAMED_MAX).collect();
            if !stays.is_empty() {
                let path = holder.collection.path_names(desk.catalog, &holder.path).join(".");
                let target_type = desk.collection(holder.target);
                let failure = violation::restricted(
                    (target_type, target),
                    (holder.collection, &path),
                    (holder.collection, &stays),
                );
                return Err(place.blame(failure).into());
            }
        }
    }
    Ok(())
}

/// Records that stay and whose references become null, with the paths of those.
type Emptied = BTreeMap<CollectionId, BTreeMap<DocumentId, BTreeSet<Vec<FieldId>>>>;

async fn emptied(desk: &mut Desk<'_>, doomed: &Records, budget: &mut Budget<'_>) -> Result<Emptied, Abort> {
    let mut emptied = Emptied::new();
    for holder in holders(desk.catalog).iter().filter(|holder| holder.on_delete == OnDelete::SetNull) {
        let Some(targets) = doomed.get(&holder.target) else { continue };
        let targets: Vec<DocumentId> = targets.iter().copied().collect();
        let going = doomed.get(&holder.collection.id);
        // Those that go were counted already.
        let rows = budget.rows() + going.map_or(0, BTreeSet::len);
        for id in desk.under(holder.index.id, &targets, rows).await?.concat() {
            if going.is_none_or(|going| !going.contains(&id)) {
                let paths = emptied.entry(holder.collection.id).or_default().entry(id).or_default();
                if paths.is_empty() {
                    budget.spend(1)?;
                }
                paths.insert(holder.path.clone());
            }
        }
    }
    Ok(emptied)
}

/// The entries of all links of records that go.
async fn links(
    desk: &mut Desk<'_>,
    doomed: &Records,
    place: &Place<'_>,
    budget: &mut Budget<'_>,
) -> Result<BTreeSet<Key>, Abort> {
    let mut keys = BTreeSet::new();
    for links in link_sides(desk.catalog) {
        let Some(ids) = doomed.get(&links.collection) else { continue };
        let ids: Vec<DocumentId> = ids.iter().copied().collect();
        let going = doomed.get(&links.other);
        let found = desk.under(links.links, &ids, budget.rows() + going.map_or(0, BTreeSet::len)).await?;
        for (id, others) in ids.into_iter().zip(found) {
            let stays = others.iter().filter(|other| going.is_none_or(|going| !going.contains(*other)));
            let stays: Vec<DocumentId> = stays.take(NAMED_MAX).copied().collect();
            if links.on_delete == OnDelete::Restrict && !stays.is_empty() {
                let failure = violation::restricted(
                    (desk.collection(links.collection), id),
                    (links.declared, links.name),
                    (desk.collection(links.other), &stays),
                );
                return Err(place.blame(failure).into());
            }
            for other in others {
                let pair = entries::of_link(desk.database, (links.links, id), (links.inverse_links, other));
                if pair.into_iter().map(|key| keys.insert(key)).fold(false, |any, new| any | new) {
                    budget.spend(1)?;
                }
            }
        }
    }
    Ok(keys)
}

/// One side of an n-m relation.
pub(crate) struct LinkSide<'c> {
    /// The collection whose records the entries are keyed by.
    pub(crate) collection: CollectionId,
    /// Entries keyed by this side.
    pub(crate) links: IndexId,
    /// The collection at the other end.
    pub(crate) other: CollectionId,
    /// Entries keyed by the other end.
    pub(crate) inverse_links: IndexId,
    /// Whether links keep a record of this side from being deleted.
    pub(crate) on_delete: OnDelete,
    /// The collection that declares it, and the field.
    pub(crate) declared: &'c Collection,
    pub(crate) name: &'c str,
}

/// Both sides of every n-m relation, each once.
pub(crate) fn link_sides(catalog: &Catalog) -> Vec<LinkSide<'_>> {
    let mut sides = Vec::new();
    for collection in &catalog.collections {
        for field in &collection.fields {
            let FieldKind::ManyToMany { target, inverse, links, inverse_links, on_delete } = field.kind else {
                continue;
            };
            // Said of a relation with two sides, it is about the records of its own side; with one side, about those
            // that the links lead to.
            let (near, far) = match inverse {
                Some(_) => (on_delete, None),
                None => (OnDelete::SetNull, Some(on_delete)),
            };
            let (declared, name) = (collection, field.name.as_str());
            sides.push(LinkSide {
                collection: collection.id,
                links,
                other: target,
                inverse_links,
                on_delete: near,
                declared,
                name,
            });
            if let Some(on_delete) = far {
                let (links, inverse_links) = (inverse_links, links);
                sides.push(LinkSide {
                    collection: target,
                    links,
                    other: collection.id,
                    inverse_links,
                    on_delete,
                    declared,
                    name,
                });
            }
        }
    }
    sides
}

/// Empties references of a record that stays.
async fn empty(
    desk: &mut Desk<'_>,
    holder: CollectionId,
    id: DocumentId,
    paths: &BTreeSet<Vec<FieldId>>,
    doomed: &Records,
    place: &Place<'_>,
) -> Result<(), Abort> {
    let collection = desk.collection(holder);
    let Some(cell) = desk.document(holder, id).cloned() else { return Ok(()) };
    let mut roots: BTreeMap<FieldId, Value> = BTreeMap::new();
    for path in paths {
        let Some((first, rest)) = path.split_first() else { continue };
        let Some(Field { kind: FieldKind::ToOne { target, .. }, .. }) = collection.field_at(desk.catalog, path) else {
            continue;
        };
        let Some(gone) = doomed.get(target) else { continue };
        // Two paths may begin alike: the second works on what the first left.
        let value = roots.entry(*first).or_insert_with(|| Document::trusted(&cell.value).field(*first).to_value());
        empty_below(value, rest, gone);
    }
    let mut fields = DocumentBuilder::from_document(Document::trusted(&cell.value));
    roots.into_iter().for_each(|(field, value)| fields.set(field, value));
    desk.rewrite(collection, id, &cell, fields, place).await
}

fn empty_below(value: &mut Value, rest: &[FieldId], gone: &BTreeSet<DocumentId>) {
    match (value, rest) {
        (Value::List(items), _) => items.iter_mut().for_each(|item| empty_below(item, rest, gone)),
        (Value::Record(fields), [first, rest @ ..]) => {
            for (_, value) in fields.iter_mut().filter(|(field, _)| field == first) {
                empty_below(value, rest, gone);
            }
            fields.retain(|(_, value)| !value.is_null());
        }
        (value, []) => {
            if matches!(value, Value::Uuid(id) if gone.contains(id)) {
                *value = Value::Null;
            }
        }
        _ => {}
    }
}
