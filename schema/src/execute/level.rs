//! What was read for one node of the plan: records, and below them the levels of its children.

use super::Reader;
use super::connection::{Page, Pages};
use super::fold::FoldLevel;
use super::sort::SortKeys;
use crate::filter::Record;
use crate::plan::tree::{ChildPlan, ConnectionPlan, RecordPlan};
use crate::{Abort, fetch};
use std::future::Future;
use std::pin::Pin;
use vivarium_storage::key::Direction;
use vivarium_storage::{DocumentId, FieldId, Key, ValueRef};

/// Records of one selection, and what was read below them.
#[derive(Debug, Default)]
pub(crate) struct Level {
    pub(crate) records: Vec<Record>,
    pub(crate) children: Vec<Child>,
}

/// What was read for one [`ChildPlan`].
#[derive(Debug)]
pub(crate) enum Child {
    /// Found by the id that a document refers to: records ascending by id.
    Reference(Level),
    /// For each record above: the place of the one that refers to it.
    OneToOne {
        level: Level,
        of: Vec<Option<usize>>,
    },
    Connection(ConnectionLevel),
}

/// What was read for a connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionLevel {
    pub(crate) records: Vec<Record>,
    pub(crate) keys: SortKeys,
    /// One for each record above.
    pub(crate) pages: Vec<Page>,
    /// What was read below the records, for each view.
    pub(crate) views: Vec<Vec<Child>>,
    pub(crate) folds: Vec<FoldLevel>,
}

impl Level {
    /// The place of a record in a level that is sorted by id.
    pub(crate) fn place(&self, id: DocumentId) -> Option<usize> {
        self.records.binary_search_by(|record| record.id.cmp(&id)).ok()
    }
}

type Reading<'f, T> = Pin<Box<dyn Future<Output = Result<T, Abort>> + Send + 'f>>;

impl Reader<'_> {
    /// Reads what lies below records.
    pub(super) async fn level(&mut self, plan: &RecordPlan, records: Vec<Record>) -> Result<Level, Abort> {
        let began = self.began();
        let children = self.children(plan, &records).await?;
        self.came_to(plan, records.len(), began);
        Ok(Level { records, children })
    }

    pub(super) async fn children(&mut self, plan: &RecordPlan, records: &[Record]) -> Result<Vec<Child>, Abort> {
        let mut children = Vec::with_capacity(plan.children.len());
        for child in &plan.children {
            children.push(self.child(child, records).await?);
        }
        Ok(children)
    }

    // Boxed: the plan's depth is not known to the compiler.
    fn child<'f>(&'f mut self, plan: &'f ChildPlan, records: &'f [Record]) -> Reading<'f, Child> {
        Box::pin(async move {
            Ok(match plan {
                ChildPlan::Reference { path, record } => {
                    let mut ids = Vec::with_capacity(records.len());
                    records
                        .iter()
                        .for_each(|record| references(record.document().field(path[0]), &path[1..], &mut ids));
                    ids.sort_unstable();
                    ids.dedup();
                    let found = self.records(record.collection, &ids).await?;
                    Child::Reference(self.level(record, found).await?)
                }
                ChildPlan::OneToOne { index, record } => {
                    let mut parents: Vec<DocumentId> = records.iter().map(|record| record.id).collect();
                    parents.sort_unstable();
                    parents.dedup();
                    let entry = |id: &DocumentId| -> Key {
                        fetch::under(self.database, *index, Direction::Ascending, *id).into_boxed_slice()
                    };
                    let keys: Vec<Key> = parents.iter().map(entry).collect();
                    let referring = fetch::unique(self.transaction, &keys).await?;
                    let mut ids: Vec<DocumentId> = referring.iter().flatten().copied().collect();
                    ids.sort_unstable();
                    let found = self.records(record.collection, &ids).await?;
                    let level = self.level(record, found).await?;
                    let place = |record: &Record| level.place(referring[parents.binary_search(&record.id).ok()?]?);
                    let of = records.iter().map(place).collect();
                    Child::OneToOne { level, of }
                }
                ChildPlan::Connection(connection) => {
                    let parents: Vec<DocumentId> = records.iter().map(|record| record.id).collect();
                    let (bound, began) = (self.bound, self.began());
                    let list = bound.list(connection.slot);
                    let pages = self.child_pages(list, connection.needs, &parents).await?;
                    let mut level = self.views(connection, pages).await?;
                    level.folds = self.child_folds(connection, &parents).await?;
                    self.came_to(connection, level.records.len(), began);
                    Child::Connection(level)
                }
            })
        })
    }

    /// Reads what lies below a connection's records, once for each selection of them.
    pub(super) async fn views(&mut self, plan: &ConnectionPlan, pages: Pages) -> Result<ConnectionLevel, Abort> {
        let mut views = Vec::with_capacity(plan.views.len());
        for view in &plan.views {
            views.push(self.children(view, &pages.records).await?);
        }
        let Pages { records, keys, pages } = pages;
        Ok(ConnectionLevel { records, keys, pages, views, folds: Vec::new() })
    }
}

/// The ids at the end of a path, through embedded values and lists of them.
fn references(value: ValueRef<'_>, path: &[FieldId], ids: &mut Vec<DocumentId>) {
    match (value, path.split_first()) {
        (ValueRef::Uuid(id), None) => ids.push(id),
        (ValueRef::Record(record), Some((field, rest))) => references(record.field(*field), rest, ids),
        (ValueRef::List(list), _) => list.iter().for_each(|element| references(element, path, ids)),
        _ => {}
    }
}
