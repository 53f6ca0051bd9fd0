//! The roots of an operation: each is read with everything below it.

use super::Reader;
use super::level::{ConnectionLevel, Level};
use crate::Abort;
use crate::plan::tree::{Root, Selected};
use crate::record_key::RecordKey;
use crate::{GlobalId, fetch};
use vivarium_storage::{CollectionId, DocumentId};

/// What was read for a root field.
#[derive(Debug)]
pub(crate) enum RootLevel {
    /// Nothing has to be read.
    Plain,
    Get(Level),
    List(ConnectionLevel),
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
                let found = self.find(bound.key(*slot)).await?;
                let records = self.records(record.collection, found.as_slice()).await?;
                RootLevel::Get(self.level(record, records).await?)
            }
            Root::List(connection) => {
                let pages = self.root_page(bound.list(connection.slot), connection.needs).await?;
                RootLevel::List(self.views(connection, pages).await?)
            }
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
