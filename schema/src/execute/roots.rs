//! The roots of an operation: each is read with everything below it.

use super::Reader;
use super::family::FamilyLevel;
use super::level::{ConnectionLevel, Level};
use crate::Abort;
use crate::plan::tree::{Root, Selected};
use crate::record_key::RecordKey;
use crate::{GlobalId, fetch};
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::mutant;
use vivarium_storage::{CollectionId, DocumentId, IndexId, KeyRange, Space, key};

/// What was read for a root field.
#[derive(Debug)]
pub(crate) enum RootLevel {
    /// Nothing has to be read.
    Plain,
    Get(Level),
    List(ConnectionLevel),
    Family(FamilyLevel),
    /// Of each id: which variant, and the place among its records.
    Nodes {
        places: Vec<Option<(usize, usize)>>,
        variants: Vec<Level>,
    },
}

/// Reads the root fields of a query, one after the other.
pub(crate) async fn read_roots(reader: &mut Reader<'_>, roots: &[Selected<Root>]) -> Result<Vec<RootLevel>, Abort> {
    let mut levels = Vec::with_capacity(roots.len());
    for root in roots {
        levels.push(reader.root(&root.kind).await?);
    }
    Ok(levels)
}

impl Reader<'_> {
    async fn root(&mut self, root: &Root) -> Result<RootLevel, Abort> {
        let bound = self.bound;
        Ok(match root {
            Root::Typename(_) | Root::Introspection | Root::Write(_) => RootLevel::Plain,
            Root::Get { slot, record } => {
                let mut found = self.find(bound.key(*slot)).await?;
                // A planted bug: the entry that a search comes to counts as the one that was searched for.
                if found.is_none() && mutant("idx-09") {
                    found = self.next_of(bound.key(*slot)).await?;
                }
                let records = self.records(record.collection, found.as_slice()).await?;
                RootLevel::Get(self.level(record, records).await?)
            }
            Root::List(connection) => {
                let began = self.began();
                let pages = self.root_page(bound.list(connection.slot), connection.needs).await?;
                let mut level = self.views(connection, pages).await?;
                level.folds = self.root_folds(connection).await?;
                self.came_to(connection, level.records.len(), began);
                RootLevel::List(level)
            }
            Root::Family(family) => RootLevel::Family(self.family(family, bound.family(family.slot)).await?),
            Root::Node { slot, variants } | Root::Nodes { slot, variants } => {
                self.nodes(bound.ids(*slot), variants).await?
            }
        })
    }

    /// The document that a key names, without looking whether it is there.
    pub(super) async fn find(&mut self, key: &RecordKey) -> Result<Option<DocumentId>, Abort> {
        Ok(match key {
            RecordKey::Id(id) => Some(*id),
            RecordKey::Unique(key) => fetch::unique(self.transaction, std::slice::from_ref(key)).await?.pop().flatten(),
            RecordKey::Nobody => None,
        })
    }

    /// The document of the next unique entry behind a key, for a planted bug.
    async fn next_of(&mut self, key: &RecordKey) -> Result<Option<DocumentId>, Abort> {
        let RecordKey::Unique(key) = key else { return Ok(None) };
        let index = &key[..key::index(self.database, IndexId(0)).len()];
        let range = KeyRange { start: key.clone(), end: KeyRange::prefix(index).end };
        let rows = self.transaction.scan_many(Space::Index, &[Scan { range, reverse: false, limit: 1 }]).await?;
        rows.into_iter().flatten().next().map(|(key, cell)| fetch::entry_id(&key, &cell)).transpose()
    }

    async fn nodes(
        &mut self,
        ids: &[Option<GlobalId>],
        variants: &[crate::plan::tree::RecordPlan],
    ) -> Result<RootLevel, Abort> {
        let mut levels = Vec::with_capacity(variants.len());
        for variant in variants {
            let own = |id: &Option<GlobalId>| id.filter(|id| id.collection == variant.collection).map(|id| id.document);
            let mut wanted: Vec<DocumentId> = ids.iter().filter_map(own).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let records = self.records(variant.collection, &wanted).await?;
            levels.push(self.level(variant, records).await?);
        }
        let variant_of =
            |collection: CollectionId| variants.iter().position(|variant| variant.collection == collection);
        let place = |id: &Option<GlobalId>| {
            let id = (*id)?;
            let variant = variant_of(id.collection)?;
            Some((variant, levels[variant].place(id.document)?))
        };
        let places = ids.iter().map(place).collect();
        Ok(RootLevel::Nodes { places, variants: levels })
    }
}
