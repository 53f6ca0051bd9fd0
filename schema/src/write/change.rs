//! Changing relations from the side that stores nothing: the records or the links on the other side are written.
//!
//! To connect what is connected already, or disconnect what is not, changes nothing and is no error.

use super::coerce::Target;
use super::desk::{Desk, holder};
use super::relation::{Action, Change, One};
use super::{entries, violation};
use crate::catalog::{Collection, Field, FieldKind};
use crate::place::Place;
use crate::{Abort, Code};
use std::collections::BTreeSet;
use vivarium_storage::{CollectionId, Document, DocumentId, IndexId, Space, ValueRef};

/// The most relatives that `set` compares with what is there.
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
pub(super) async fn load_holders<'c>(
    desk: &mut Desk<'_>,
    collection: &Collection,
    changes: impl Iterator<Item = &'c Change>,
) -> Result<(), Abort> {
    let mut holders: BTreeSet<(CollectionId, DocumentId)> = BTreeSet::new();
    for change in changes {
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

/// Makes the changes of one record, which is written already.
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
                change_one(desk, (target, reference, index), id, one, &place).await?;
                touched = Touched::Records;
            }
            (Action::Many { set, disconnect, connect }, FieldKind::OneToMany { index, .. }) => {
                let (target, reference) = holder(desk, &field.kind).expect("the other side is in the catalog");
                let wanted = Wanted::of(desk, set.as_deref(), disconnect, connect)?;
                let side = Side { collection: target, field: reference, index };
                change_holders(desk, &side, id, &wanted, (collection, field, &place)).await?;
                touched = Touched::Records;
            }
            (Action::Many { set, disconnect, connect }, FieldKind::ManyToMany { links, inverse_links, .. }) => {
                let wanted = Wanted::of(desk, set.as_deref(), disconnect, connect)?;
                change_links(desk, (links, inverse_links), id, &wanted, (collection, field, &place)).await?;
            }
            _ => unreachable!("an action is read by the kind of its field"),
        }
    }
    Ok(touched)
}

/// The records that a change of a list names.
struct Wanted {
    set: Option<BTreeSet<DocumentId>>,
    disconnect: Vec<DocumentId>,
    connect: BTreeSet<DocumentId>,
}

impl Wanted {
    fn of(desk: &Desk<'_>, set: Option<&[Target]>, disconnect: &[Target], connect: &[Target]) -> Result<Wanted, Abort> {
        let all = |targets: &[Target]| targets.iter().map(|target| desk.require(target)).collect::<Result<Vec<_>, _>>();
        let set = set.map(all).transpose()?.map(BTreeSet::from_iter);
        let connect = set.iter().flatten().copied().chain(all(connect)?).collect();
        Ok(Wanted { set, disconnect: all(disconnect)?, connect })
    }

    /// What has to go of what is there. What is to come as well stays.
    fn gone(&self, there: &[DocumentId]) -> Vec<DocumentId> {
        let unset = there.iter().filter(|id| self.set.as_ref().is_some_and(|set| !set.contains(id)));
        let gone = unset.chain(&self.disconnect).copied();
        gone.filter(|id| !self.connect.contains(id)).collect()
    }
}

/// The side of a relation that holds the reference.
struct Side<'c> {
    collection: CollectionId,
    field: &'c Field,
    index: IndexId,
}

async fn change_one(
    desk: &mut Desk<'_>,
    (target, reference, index): (CollectionId, &Field, IndexId),
    id: DocumentId,
    one: &One,
    place: &Place<'_>,
) -> Result<(), Abort> {
    let wanted = match one {
        One::To(target) => Some(desk.require(target)?),
        One::Nothing => None,
    };
    let there = desk.under(index, &[id], 1).await?.concat();
    if there.first().copied() == wanted {
        return Ok(());
    }
    for holder in there {
        desk.refer(target, holder, reference, None, place).await?;
    }
    match wanted {
        Some(holder) => desk.refer(target, holder, reference, Some(id), place).await,
        None => Ok(()),
    }
}

async fn change_holders(
    desk: &mut Desk<'_>,
    side: &Side<'_>,
    id: DocumentId,
    wanted: &Wanted,
    at: (&Collection, &Field, &Place<'_>),
) -> Result<(), Abort> {
    let there = match &wanted.set {
        Some(_) => relatives(desk, side.index, id, at).await?,
        None => Vec::new(),
    };
    let gone = wanted.gone(&there);
    desk.load_documents(side.collection, gone.iter().chain(&wanted.connect).copied().collect::<Vec<_>>()).await?;
    for holder in gone {
        if refers(desk, side, holder) == Some(id) {
            desk.refer(side.collection, holder, side.field, None, at.2).await?;
        }
    }
    for holder in &wanted.connect {
        if refers(desk, side, *holder) != Some(id) {
            desk.refer(side.collection, *holder, side.field, Some(id), at.2).await?;
        }
    }
    Ok(())
}

/// What a record refers to now.
fn refers(desk: &Desk<'_>, side: &Side<'_>, holder: DocumentId) -> Option<DocumentId> {
    let cell = desk.document(side.collection, holder)?;
    match Document::trusted(&cell.value).field(side.field.id) {
        ValueRef::Uuid(id) => Some(id),
        _ => None,
    }
}

async fn change_links(
    desk: &mut Desk<'_>,
    (links, inverse_links): (IndexId, IndexId),
    id: DocumentId,
    wanted: &Wanted,
    at: (&Collection, &Field, &Place<'_>),
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

/// All that a record is related to, for `set`.
async fn relatives(
    desk: &mut Desk<'_>,
    index: IndexId,
    id: DocumentId,
    (collection, field, place): (&Collection, &Field, &Place<'_>),
) -> Result<Vec<DocumentId>, Abort> {
    let there = desk.under(index, &[id], SET_MAX + 1).await?.concat();
    if there.len() > SET_MAX {
        let message = format!(
            "{} {} has more than {SET_MAX} {}: connect and disconnect them instead of setting all.",
            collection.name,
            violation::global(collection, id),
            field.name
        );
        return Err(place.fail(Code::BadUserInput, message).into());
    }
    Ok(there)
}
