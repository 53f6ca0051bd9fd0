//! Creating records: inputs are read, what they name is fetched in a few batches, then each is written in turn.
//!
//! Records that are created through relations stand in the same list: those that are referred to before, all others behind.

use super::coerce::Draft;
use super::conflict::{Conflict, Met};
use super::desk::{Desk, Revision, check_references};
use super::relation::{self, Nested};
use super::{change, violation};
use crate::catalog::{Collection, FieldKind, Scalar};
use crate::place::Place;
use crate::{Abort, Code, Failure, Input, PathItem};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use vivarium_storage::key;
use vivarium_storage::runtime::{mutant, sometimes};
use vivarium_storage::{CollectionId, DocumentBuilder, DocumentId, FieldId, Space, Value};

pub(super) use change::Link;

/// A record on its way.
pub(super) struct Coming<'c, 'p> {
    pub(super) collection: &'c Collection,
    pub(super) draft: Draft,
    pub(super) id: DocumentId,
    pub(super) at: Standing<'p>,
    /// To the record that it is created through.
    link: Option<Link>,
    /// Made ahead where all that it refers to was there already.
    revision: Option<Revision<'c>>,
}

/// Where an input stands.
pub(super) enum Standing<'p> {
    Given(Place<'p>),
    Nested(Vec<PathItem>),
}

impl Standing<'_> {
    pub(super) fn place(&self) -> Place<'_> {
        match self {
            Standing::Given(place) => *place,
            Standing::Nested(path) => Place::Root(path),
        }
    }
}

/// What became of the inputs of a create.
#[derive(Debug, Default)]
pub struct Created {
    /// The record of each input.
    pub ids: Vec<DocumentId>,
    /// How many of them were created or changed.
    pub affected: usize,
}

/// A record of an input in the list, with those that are created with it.
struct Group {
    all: Range<usize>,
    root: usize,
    /// As it was read, where it may overwrite a record.
    draft: Option<Draft>,
}

/// Creates a record for each input, which stands at the place beside it, or does what is said of records that are there.
pub(super) async fn create(
    desk: &mut Desk<'_>,
    collection: &Collection,
    data: &[(&Input, Place<'_>)],
    conflict: Option<&Conflict>,
) -> Result<Created, Abort> {
    let collection = desk.collection(collection.id);
    let mut coming = Vec::with_capacity(data.len());
    let mut groups = Vec::with_capacity(data.len());
    for (input, place) in data {
        let draft = desk.coercer().create(collection, input, place, None)?;
        let kept = conflict.is_some_and(|conflict| conflict.overwrite.is_some()).then(|| draft.clone());
        let start = coming.len();
        let root = add(desk, (collection, draft), Standing::Given(*place), None, &mut coming)?;
        groups.push(Group { all: start..coming.len(), root, draft: kept });
    }
    number_all(desk, &mut coming).await?;
    fetch(desk, &mut coming).await?;
    if let Some(conflict) = conflict {
        conflict.load(desk, groups.iter().map(|group| &coming[group.root])).await?;
    }
    let mut created = Created::default();
    let mut list = coming.into_iter();
    // A change of other records may have moved what was found ahead.
    let mut moved = false;
    for (group, (input, place)) in groups.into_iter().zip(data) {
        let all: Vec<Coming<'_, '_>> = list.by_ref().take(group.all.len()).collect();
        let root = group.root - group.all.start;
        if let Some(conflict) = conflict
            && let Some(there) = conflict.there(desk, &all[root]).await?
        {
            sometimes("a record that is to be created is there");
            if conflict.met(desk, (collection, there), group.draft, (input, place)).await? == Met::Changed {
                created.affected += 1;
                moved = true;
            }
            created.ids.push(there);
            continue;
        }
        created.ids.push(all[root].id);
        created.affected += 1;
        for coming in all {
            moved |= write(desk, coming, moved).await? == change::Touched::Records;
        }
    }
    Ok(created)
}

/// Creates a record through a relation of another, which is there.
pub(super) fn through<'f>(
    desk: &'f mut Desk<'_>,
    target: CollectionId,
    nested: Nested,
    link: Option<Link>,
) -> Pin<Box<dyn Future<Output = Result<DocumentId, Abort>> + Send + 'f>> {
    Box::pin(async move {
        let collection = desk.collection(target);
        let mut coming = Vec::new();
        desk.spend(1, &Place::Root(&nested.path))?;
        let root = add(desk, (collection, nested.draft), Standing::Nested(nested.path), link, &mut coming)?;
        let id = coming[root].id;
        number_all(desk, &mut coming).await?;
        fetch(desk, &mut coming).await?;
        let mut moved = false;
        for coming in coming {
            moved |= write(desk, coming, moved).await? == change::Touched::Records;
        }
        Ok(id)
    })
}

/// Puts a record and those that are created through it into the list, and says where it is.
fn add<'c, 'p>(
    desk: &mut Desk<'c>,
    (collection, mut draft): (&'c Collection, Draft),
    at: Standing<'p>,
    link: Option<Link>,
    coming: &mut Vec<Coming<'c, 'p>>,
) -> Result<usize, Failure> {
    let id = draft.id.as_ref().map_or_else(|| desk.runtime.document_id(), |(id, _)| *id);
    if let Some(Link::Reference(field, to)) = link {
        draft.values.push((field, Value::Uuid(to)));
    }
    for (field, nested) in std::mem::take(&mut draft.makes) {
        let target = collection.field(field).and_then(|field| field.relation()).expect("a reference leads on").0;
        let made = nest(desk, target, *nested, None, coming)?;
        draft.values.push((field, Value::Uuid(coming[made].id)));
    }
    let mut below = Vec::new();
    for change in &mut draft.changes {
        let field = collection.field(change.field).expect("a change is of one of the collection's fields");
        let (target, link) = match field.kind {
            FieldKind::OneToOne { target, field, .. } | FieldKind::OneToMany { target, field, .. } => {
                (target, Link::Reference(field, id))
            }
            FieldKind::ManyToMany { target, links, inverse_links, .. } => {
                (target, Link::Pair(links, id, inverse_links))
            }
            _ => continue,
        };
        below.extend(change.action.take_creates().into_iter().map(|nested| (target, link, nested)));
    }
    let place = coming.len();
    coming.push(Coming { collection, draft, id, at, link, revision: None });
    for (target, link, nested) in below {
        nest(desk, target, nested, Some(link), coming)?;
    }
    Ok(place)
}

fn nest<'c>(
    desk: &mut Desk<'c>,
    target: CollectionId,
    nested: Nested,
    link: Option<Link>,
    coming: &mut Vec<Coming<'c, '_>>,
) -> Result<usize, Failure> {
    desk.spend(1, &Place::Root(&nested.path))?;
    let collection = desk.collection(target);
    add(desk, (collection, nested.draft), Standing::Nested(nested.path), link, coming)
}

/// Writes a record, its links, and what it changes of others.
async fn write(desk: &mut Desk<'_>, coming: Coming<'_, '_>, moved: bool) -> Result<change::Touched, Abort> {
    let Coming { collection, draft, id, at, link, revision } = coming;
    let place = at.place();
    if matches!(at, Standing::Nested(_)) {
        sometimes("a record is created through a relation");
    }
    if let Some((_, path)) = &draft.id {
        desk.load_documents(collection.id, [id]).await?;
        if desk.document(collection.id, id).is_some() {
            return Err(Place::Root(path).blame(violation::id_taken(collection, id)).into());
        }
    }
    check_references(desk, &draft.references)?;
    let revision = match revision {
        Some(revision) if !moved => revision,
        _ => {
            desk.load_targets(draft.connects.iter().map(|(_, target)| target)).await?;
            let revision = revise(desk, collection, id, &draft, &place)?;
            desk.load(Space::Index, revision.unique_keys().cloned().collect::<Vec<_>>()).await?;
            revision
        }
    };
    desk.write(revision, &place)?;
    if let Some(Link::Pair(links, from, inverse_links)) = link
        && !mutant("nest-01")
    {
        let keys = super::entries::of_link(desk.database, (links, from), (inverse_links, id));
        desk.load(Space::Index, keys.iter().cloned()).await?;
        desk.link(keys, true);
    }
    let changed = draft.changes.iter().flat_map(|change| change.action.targets());
    desk.load_targets(changed).await?;
    change::apply(desk, collection, id, &draft.changes).await
}

/// Gives all records their numbers, and moves sequences past the numbers that clients chose.
async fn number_all(desk: &Desk<'_>, coming: &mut [Coming<'_, '_>]) -> Result<(), Abort> {
    let mut collections: BTreeMap<CollectionId, &Collection> = BTreeMap::new();
    for each in coming.iter() {
        collections.entry(each.collection.id).or_insert(each.collection);
    }
    for collection in collections.into_values() {
        if collection.fields.iter().any(|field| field.auto_increment.is_some()) {
            pass_chosen(desk, collection, coming).await?;
            number(desk, collection, coming).await?;
        }
    }
    Ok(())
}

/// The drafts of one collection's records.
fn drafts<'l>(collection: &Collection, coming: &'l [Coming<'_, '_>]) -> impl Iterator<Item = &'l Draft> {
    let id = collection.id;
    coming.iter().filter(move |each| each.collection.id == id).map(|each| &each.draft)
}

/// Gives `@autoIncrement` fields their numbers, one block for all records.
async fn number(desk: &Desk<'_>, collection: &Collection, coming: &mut [Coming<'_, '_>]) -> Result<(), Abort> {
    let mut wanted: BTreeMap<FieldId, usize> = BTreeMap::new();
    for field in drafts(collection, coming).flat_map(|draft| &draft.numbered) {
        *wanted.entry(*field).or_default() += 1;
    }
    for (id, count) in wanted {
        let field = collection.field(id).expect("a numbered field is one of the collection's");
        let start = field.auto_increment.unwrap_or(1);
        let numbers = desk.sequences.take(collection.id, id, start, count).await?;
        let last = if field.kind == FieldKind::Scalar(Scalar::Int) { i64::from(i32::MAX) } else { i64::MAX };
        if numbers.len() < count || numbers.iter().any(|number| *number > last) {
            let message = format!("{}.{} has no numbers left below {last}.", collection.name, field.name);
            return Err(Failure::new(Code::CheckViolation, message)
                .with("constraint", format!("{}.{}", collection.name, field.name))
                .with("fields", vec![field.name.clone()])
                .into());
        }
        let of = coming.iter_mut().filter(|each| each.collection.id == collection.id).map(|each| &mut each.draft);
        for (draft, number) in of.filter(|draft| draft.numbered.contains(&id)).zip(numbers) {
            draft.values.push((id, Value::Int(number)));
        }
    }
    Ok(())
}

/// Moves the sequences of `@autoIncrement` fields past the numbers that clients chose.
async fn pass_chosen(desk: &Desk<'_>, collection: &Collection, coming: &[Coming<'_, '_>]) -> Result<(), Abort> {
    for field in collection.fields.iter().filter(|field| field.auto_increment.is_some()) {
        let chosen = drafts(collection, coming).filter(|draft| !draft.numbered.contains(&field.id));
        let numbers = chosen.flat_map(|draft| &draft.values).filter(|(id, _)| *id == field.id);
        let greatest =
            numbers.filter_map(|(_, value)| if let Value::Int(number) = value { Some(*number) } else { None });
        if let Some(number) = greatest.max() {
            desk.sequences.pass(collection.id, field.id, number).await?;
        }
    }
    Ok(())
}

/// Lays everything on the desk that the drafts name, a batch for each step, and makes what can be made ahead.
async fn fetch(desk: &mut Desk<'_>, coming: &mut [Coming<'_, '_>]) -> Result<(), Abort> {
    let database = desk.database;
    let chosen = coming.iter().filter(|each| each.draft.id.is_some());
    let chosen = chosen.map(|each| key::document(database, each.collection.id, each.id));
    let references = coming.iter().flat_map(|each| &each.draft.references);
    let references = references.map(|reference| key::document(database, reference.target, reference.id));
    let documents: Vec<_> = chosen.chain(references).collect();
    desk.load(Space::Document, documents).await?;
    let connected = coming.iter().flat_map(|each| &each.draft.connects).map(|(_, target)| target);
    let changed = coming.iter().flat_map(|each| &each.draft.changes).flat_map(|change| change.action.targets());
    desk.load_targets(connected.chain(changed)).await?;
    let mut changes: Vec<(&Collection, &relation::Change)> = Vec::new();
    for each in coming.iter() {
        changes.extend(each.draft.changes.iter().map(|change| (each.collection, change)));
    }
    change::load_holders(desk, &changes).await?;
    let mut keys = Vec::new();
    for each in coming {
        let there = each
            .draft
            .connects
            .iter()
            .try_fold(true, |all, (_, target)| desk.find(target).map(|found| all && found.is_some()))?;
        if there {
            let revision = revise(desk, each.collection, each.id, &each.draft, &each.at.place())?;
            keys.extend(revision.unique_keys().cloned());
            each.revision = Some(revision);
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
