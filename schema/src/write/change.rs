//! Changing relations from the side that stores nothing: the records or the links on the other side are written.
//!
//! To connect what is connected already, or disconnect what is not, changes nothing and is no error.

use super::coerce::Target;
use super::desk::{Desk, holder};
use super::relation::{Action, Change, Many, One};
use super::update::update_one;
use super::{create, delete, entries, violation};
use crate::catalog::{Collection, Field, FieldKind};
use crate::place::Place;
use crate::{Abort, Code, Failure};
use std::collections::BTreeSet;
use vivarium_storage::runtime::{mutant, sometimes};
use vivarium_storage::{CollectionId, Document, DocumentId, FieldId, IndexId, Key, Space, ValueRef};

/// The most relatives that `set` and `deleteMany` look at.
pub const SET_MAX: usize = 10_000;

/// What a change wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// Nothing, or links.
    Links,
    /// Other records.
    Records,
}

/// Lays the records on the desk whose references are going to be set.
pub(super) async fn load_holders(desk: &mut Desk<'_>, changes: &[(&Collection, &Change)]) -> Result<(), Abort> {
    let mut holders: BTreeSet<(CollectionId, DocumentId)> = BTreeSet::new();
    for (collection, change) in changes {
        let kind = collection.field(change.field).map(|field| field.kind);
        if let Some(FieldKind::OneToOne { target, .. } | FieldKind::OneToMany { target, .. }) = kind {
            for named in change.action.targets() {
                holders.extend(desk.find(named)?.map(|id| (target, id)));
            }
        }
    }
    let database = desk.database;
    let key = |(collection, id)| vivarium_storage::key::document(database, collection, id);
    desk.load(Space::Document, holders.into_iter().map(key)).await
}

/// Makes the changes of one record, which is written already. What own references lead to is changed with the record.
pub(super) async fn apply(
    desk: &mut Desk<'_>,
    collection: &Collection,
    id: DocumentId,
    changes: &[Change],
) -> Result<Touched, Abort> {
    let mut touched = Touched::Links;
    for change in changes {
        let field = collection.field(change.field).expect("a change is of one of the collection's fields");
        let place = Place::Whole(&change.path);
        match (&change.action, field.kind) {
            (Action::One(one), FieldKind::OneToOne { index, .. }) => {
                let (target, reference) = holder(desk, &field.kind).expect("the other side is in the catalog");
                let far = Far { collection: target, reference, index };
                change_one(desk, &far, id, one, (collection, field, &place)).await?;
                touched = Touched::Records;
            }
            (Action::Many(many), FieldKind::OneToMany { index, .. }) => {
                let (target, reference) = holder(desk, &field.kind).expect("the other side is in the catalog");
                let side = Side::Holders(Far { collection: target, reference, index });
                change_many(desk, &side, id, many, (collection, field, &place)).await?;
                touched = Touched::Records;
            }
            (Action::Many(many), FieldKind::ManyToMany { target, links, inverse_links, .. }) => {
                let side = Side::Links { collection: target, links, inverse_links };
                if change_many(desk, &side, id, many, (collection, field, &place)).await? == Touched::Records {
                    touched = Touched::Records;
                }
            }
            (Action::One(_), FieldKind::ToOne { .. }) => {}
            _ => unreachable!("an action is read by the kind of its field"),
        }
    }
    Ok(touched)
}

/// Refuses when a record is gone whose relations are still to be changed.
pub(super) async fn stays(
    desk: &mut Desk<'_>,
    collection: &Collection,
    id: DocumentId,
    place: &Place<'_>,
) -> Result<(), Abort> {
    desk.load_documents(collection.id, [id]).await?;
    match desk.document(collection.id, id) {
        Some(_) => Ok(()),
        None => Err(place.blame(violation::self_deleted(collection, id)).into()),
    }
}

/// The records that hold references to this one.
struct Far<'c> {
    collection: CollectionId,
    reference: &'c Field,
    /// Over the references.
    index: IndexId,
}

/// The side of a relation to many that stores it.
enum Side<'c> {
    Holders(Far<'c>),
    Links { collection: CollectionId, links: IndexId, inverse_links: IndexId },
}

/// How a new record is related to the one that it is created through.
#[derive(Clone, Copy)]
pub(super) enum Link {
    /// It refers to it.
    Reference(FieldId, DocumentId),
    /// Both are linked: entries of the one, the one, entries of the new record.
    Pair(IndexId, DocumentId, IndexId),
}

/// The records that a change of a list names, found before any of them is written.
struct Wanted<'m> {
    many: &'m Many,
    update: Vec<DocumentId>,
    delete: Vec<DocumentId>,
    set: Option<BTreeSet<DocumentId>>,
    disconnect: Vec<DocumentId>,
    /// With those of `set`.
    connect: BTreeSet<DocumentId>,
    /// Those again, with the keys that name them.
    comes: Vec<(DocumentId, &'m Target)>,
}

impl<'m> Wanted<'m> {
    fn of(desk: &Desk<'_>, many: &'m Many) -> Result<Wanted<'m>, Abort> {
        let all = |targets: &[Target]| targets.iter().map(|target| desk.require(target)).collect::<Result<Vec<_>, _>>();
        let set = many.set.as_deref().map(all).transpose()?.map(BTreeSet::from_iter);
        let named = many.set.iter().flatten().chain(&many.connect);
        let comes: Vec<_> =
            named.map(|target| desk.require(target).map(|id| (id, target))).collect::<Result<_, _>>()?;
        let connect = comes.iter().map(|(id, _)| *id).collect();
        let (delete, disconnect) = (all(&many.delete)?, all(&many.disconnect)?);
        let update = many.update.iter().map(|(target, _)| desk.require(target)).collect::<Result<_, _>>()?;
        let wanted = Wanted { many, update, delete, set, disconnect, connect, comes };
        wanted.agrees(desk)?;
        Ok(wanted)
    }

    /// Refuses what cannot all be done to one record.
    fn agrees(&self, desk: &Desk<'_>) -> Result<(), Failure> {
        let refuse = |what: &str, id: DocumentId, target: &Target| {
            let failure = violation::contradiction(what, desk.collection(target.collection), id);
            Place::Root(&target.path).blame(failure)
        };
        let mut updated = BTreeSet::new();
        for (id, (target, _)) in self.update.iter().zip(&self.many.update) {
            if !updated.insert(*id) {
                return Err(refuse("is updated twice", *id, target));
            }
        }
        let mut deleted = BTreeSet::new();
        for (id, target) in self.delete.iter().zip(&self.many.delete) {
            let also = match () {
                () if !deleted.insert(*id) => "is deleted twice",
                () if updated.contains(id) => "is updated and deleted",
                () if self.connect.contains(id) => "is connected and deleted",
                () if self.disconnect.contains(id) => "is disconnected and deleted",
                () => continue,
            };
            return Err(refuse(also, *id, target));
        }
        Ok(())
    }

    /// What has to go of what is there. What is to come as well stays.
    fn gone(&self, there: &[DocumentId]) -> Vec<DocumentId> {
        let unset = there.iter().filter(|id| self.set.as_ref().is_some_and(|set| !set.contains(id)));
        let gone = unset.chain(&self.disconnect).copied();
        gone.filter(|id| !self.connect.contains(id)).collect()
    }

    /// Refuses to connect what a delete took along.
    async fn still_there(&self, desk: &mut Desk<'_>) -> Result<(), Abort> {
        for (id, target) in &self.comes {
            desk.load_documents(target.collection, [*id]).await?;
            if desk.document(target.collection, *id).is_none() {
                let failure = violation::not_found(desk.collection(target.collection), target.key.clone());
                return Err(Place::Root(&target.path).blame(failure).into());
            }
        }
        Ok(())
    }
}

/// Where a change stands: the collection and field, and the place in the input.
type At<'a, 'p> = (&'a Collection, &'a Field, &'a Place<'p>);

async fn change_one(
    desk: &mut Desk<'_>,
    far: &Far<'_>,
    id: DocumentId,
    one: &One,
    at: At<'_, '_>,
) -> Result<(), Abort> {
    let (collection, field, place) = at;
    let wanted = match one {
        One::To(target) => Some(desk.require(target)?),
        _ => None,
    };
    let there = desk.under(far.index, &[id], 1).await?.concat();
    if let One::Update(_) | One::Delete = one {
        let target = desk.collection(far.collection);
        let Some(other) = there.first().copied() else {
            return Err(place.blame(violation::unrelated(collection, field, target, None)).into());
        };
        desk.spend(1, place)?;
        match one {
            One::Update(changes) => update_one(desk, target, other, changes).await?,
            _ => delete::delete(desk, target, &[other], place).await?,
        }
        return stays(desk, collection, id, place).await;
    }
    if wanted.is_some() && there.first().copied() == wanted {
        return Ok(());
    }
    for holder in there {
        desk.refer(far.collection, holder, far.reference, None, place).await?;
    }
    if let Some(holder) = wanted {
        desk.refer(far.collection, holder, far.reference, Some(id), place).await?;
    }
    if let One::Create(nested) = one {
        let link = Link::Reference(far.reference.id, id);
        create::through(desk, far.collection, nested.as_ref().clone(), Some(link)).await?;
    }
    Ok(())
}

async fn change_many(
    desk: &mut Desk<'_>,
    side: &Side<'_>,
    id: DocumentId,
    many: &Many,
    at: At<'_, '_>,
) -> Result<Touched, Abort> {
    let mut touched = Touched::Links;
    let wanted = Wanted::of(desk, many)?;
    if !many.update.is_empty() || !many.delete.is_empty() || many.delete_many.is_some() {
        change_related(desk, side, id, &wanted, at).await?;
        stays(desk, at.0, id, at.2).await?;
        wanted.still_there(desk).await?;
        touched = Touched::Records;
    }
    match side {
        Side::Holders(far) => {
            change_holders(desk, far, id, &wanted, at).await?;
            touched = Touched::Records;
        }
        Side::Links { links, inverse_links, .. } => {
            change_links(desk, (*links, *inverse_links), id, &wanted, at).await?
        }
    }
    for nested in &many.create {
        let (target, link) = match side {
            Side::Holders(far) => (far.collection, Link::Reference(far.reference.id, id)),
            Side::Links { collection, links, inverse_links } => (*collection, Link::Pair(*links, id, *inverse_links)),
        };
        create::through(desk, target, nested.clone(), Some(link)).await?;
        touched = Touched::Records;
    }
    Ok(touched)
}

/// Changes and deletes records that are related.
async fn change_related(
    desk: &mut Desk<'_>,
    side: &Side<'_>,
    id: DocumentId,
    wanted: &Wanted<'_>,
    at: At<'_, '_>,
) -> Result<(), Abort> {
    let (collection, field, place) = at;
    let target = desk.collection(match side {
        Side::Holders(far) => far.collection,
        Side::Links { collection, .. } => *collection,
    });
    let named = wanted.update.iter().zip(wanted.many.update.iter().map(|(target, _)| target));
    for (other, key) in named.chain(wanted.delete.iter().zip(&wanted.many.delete)) {
        if !is_related(desk, side, id, *other).await? && !mutant("nest-02") {
            let failure = violation::unrelated(collection, field, target, Some(key.key.clone()));
            return Err(Place::Root(&key.path).blame(failure).into());
        }
    }
    for (other, (key, changes)) in wanted.update.iter().zip(&wanted.many.update) {
        let place = Place::Root(&key.path);
        desk.spend(1, &place)?;
        sometimes("a record is updated through a relation");
        update_one(desk, target, *other, changes).await?;
    }
    let mut doomed: BTreeSet<DocumentId> = wanted.delete.iter().copied().collect();
    if let Some(filter) = &wanted.many.delete_many {
        let there = relatives(desk, side.index(), id, at).await?;
        desk.load_documents(target.id, there.iter().copied()).await?;
        doomed.extend(desk.matching(target.id, &there, filter).await?);
    }
    if doomed.is_empty() {
        return Ok(());
    }
    let doomed: Vec<DocumentId> = doomed.into_iter().collect();
    desk.spend(doomed.len(), place)?;
    sometimes("records are deleted through a relation");
    // What is deleted is let go first: links may keep their ends from being deleted.
    let keys: Vec<[Key; 2]> = doomed.iter().filter_map(|other| side.keys(desk, id, *other)).collect();
    desk.load(Space::Index, keys.iter().flatten().cloned().collect::<Vec<_>>()).await?;
    keys.into_iter().for_each(|keys| desk.link(keys, false));
    delete::delete(desk, target, &doomed, place).await
}

impl Side<'_> {
    /// The index that has what a record is related to.
    fn index(&self) -> IndexId {
        match self {
            Side::Holders(far) => far.index,
            Side::Links { links, .. } => *links,
        }
    }

    /// The entries of a link, where there are links.
    fn keys(&self, desk: &Desk<'_>, id: DocumentId, other: DocumentId) -> Option<[Key; 2]> {
        match self {
            Side::Holders(_) => None,
            Side::Links { links, inverse_links, .. } => {
                Some(entries::of_link(desk.database, (*links, id), (*inverse_links, other)))
            }
        }
    }
}

async fn is_related(desk: &mut Desk<'_>, side: &Side<'_>, id: DocumentId, other: DocumentId) -> Result<bool, Abort> {
    match side {
        Side::Holders(far) => {
            desk.load_documents(far.collection, [other]).await?;
            Ok(refers(desk, far, other) == Some(id))
        }
        Side::Links { links, inverse_links, .. } => {
            let [key, _] = entries::of_link(desk.database, (*links, id), (*inverse_links, other));
            desk.load(Space::Index, [key.clone()]).await?;
            Ok(desk.entry(&key).is_some())
        }
    }
}

async fn change_holders(
    desk: &mut Desk<'_>,
    far: &Far<'_>,
    id: DocumentId,
    wanted: &Wanted<'_>,
    at: At<'_, '_>,
) -> Result<(), Abort> {
    let there = match &wanted.set {
        Some(_) => relatives(desk, far.index, id, at).await?,
        None => Vec::new(),
    };
    let gone = wanted.gone(&there);
    desk.load_documents(far.collection, gone.iter().chain(&wanted.connect).copied().collect::<Vec<_>>()).await?;
    for holder in gone {
        if refers(desk, far, holder) == Some(id) {
            desk.refer(far.collection, holder, far.reference, None, at.2).await?;
        }
    }
    for holder in &wanted.connect {
        if refers(desk, far, *holder) != Some(id) {
            desk.refer(far.collection, *holder, far.reference, Some(id), at.2).await?;
        }
    }
    Ok(())
}

/// What a record refers to now.
fn refers(desk: &Desk<'_>, far: &Far<'_>, holder: DocumentId) -> Option<DocumentId> {
    let cell = desk.document(far.collection, holder)?;
    match Document::trusted(&cell.value).field(far.reference.id) {
        ValueRef::Uuid(id) => Some(id),
        _ => None,
    }
}

async fn change_links(
    desk: &mut Desk<'_>,
    (links, inverse_links): (IndexId, IndexId),
    id: DocumentId,
    wanted: &Wanted<'_>,
    at: At<'_, '_>,
) -> Result<(), Abort> {
    let there = match &wanted.set {
        Some(_) => relatives(desk, links, id, at).await?,
        None => Vec::new(),
    };
    let database = desk.database;
    let keys = |other: &DocumentId| entries::of_link(database, (links, id), (inverse_links, *other));
    let gone = wanted.gone(&there);
    desk.load(Space::Index, gone.iter().chain(&wanted.connect).flat_map(keys).collect::<Vec<_>>()).await?;
    for other in &gone {
        desk.link(keys(other), false);
    }
    for other in &wanted.connect {
        desk.link(keys(other), true);
    }
    Ok(())
}

/// All that a record is related to.
async fn relatives(
    desk: &mut Desk<'_>,
    index: IndexId,
    id: DocumentId,
    (collection, field, place): At<'_, '_>,
) -> Result<Vec<DocumentId>, Abort> {
    let there = desk.under(index, &[id], SET_MAX + 1).await?.concat();
    if there.len() > SET_MAX {
        let message = format!(
            "{} {} has more than {SET_MAX} {}: name those that are to change instead of setting all.",
            collection.name,
            violation::global(collection, id),
            field.name
        );
        return Err(place.fail(Code::BadUserInput, message).into());
    }
    Ok(there)
}
