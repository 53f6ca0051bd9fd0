//! Collections and their indexes, and how large they are. Sizes are of this node.

use super::count::BigInt;
use super::{database_of, unexpected};
use async_graphql::{ComplexObject, Context, SimpleObject};
use vivarium_schema::database;
use vivarium_storage::{CollectionId, IndexId};

/// A collection.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Collection {
    #[graphql(skip)]
    id: CollectionId,
    /// Its type name.
    name: String,
}

impl Collection {
    /// A collection by its number and name.
    pub fn new((id, name): (CollectionId, String)) -> Collection {
        Collection { id, name }
    }
}

#[ComplexObject]
impl Collection {
    /// How many records it has on this node.
    async fn size(&self, context: &Context<'_>) -> async_graphql::Result<Size> {
        let size = database_of(context)?.collection_size(self.id).await;
        size.map(Size::from).map_err(|error| unexpected(&error))
    }
}

/// An index over a collection.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Index {
    #[graphql(skip)]
    id: IndexId,
    /// The collection's type name.
    collection: String,
    /// Its name.
    name: String,
    /// The fields it sorts by, dotted through embedded values.
    fields: Vec<String>,
    /// Whether no two records have the same values.
    unique: bool,
    /// Whether queries may read it already.
    ready: bool,
    /// Made for a relation, not declared.
    relation: bool,
}

#[ComplexObject]
impl Index {
    /// How large it is on this node.
    async fn size(&self, context: &Context<'_>) -> async_graphql::Result<Size> {
        let size = database_of(context)?.index_size(self.id).await;
        size.map(Size::from).map_err(|error| unexpected(&error))
    }

    /// How often operations of the data plane have read it on this node since it started.
    async fn usage(&self, context: &Context<'_>) -> async_graphql::Result<Usage> {
        Ok(Usage::from(database_of(context)?.index_use(self.id)))
    }
}

/// How often an index was read.
#[derive(SimpleObject)]
pub struct Usage {
    /// Operations that were executed and read it, however many of its entries. To keep values unique is no use.
    operations: BigInt,
    /// When the last of them was, in microseconds since 1970; null before the first.
    last_micros: Option<BigInt>,
    /// How many of them there were in each of the last 60 minutes, the newest last. The last minute is not over.
    per_minute: Vec<u32>,
}

impl From<database::IndexUse> for Usage {
    fn from(used: database::IndexUse) -> Usage {
        Usage {
            operations: used.operations.into(),
            last_micros: used.last_micros.map(BigInt),
            per_minute: used.per_minute,
        }
    }
}

impl From<database::IndexInfo> for Index {
    fn from(info: database::IndexInfo) -> Index {
        Index {
            id: info.id,
            collection: info.collection,
            name: info.name,
            fields: info.fields,
            unique: info.unique,
            ready: info.ready,
            relation: info.relation,
        }
    }
}

/// How large something is: counted when it is asked for, so ask for no more of it than is looked at.
#[derive(SimpleObject)]
pub struct Size {
    /// Records, or entries of an index: all there are, or the first 100,000.
    rows: u32,
    /// All were counted.
    whole: bool,
    /// Bytes of the keys of those that were counted, before compression. The keys are all there is of most indexes.
    key_bytes: BigInt,
}

impl From<database::Size> for Size {
    fn from(size: database::Size) -> Size {
        Size { rows: size.rows, whole: size.whole, key_bytes: size.key_bytes.into() }
    }
}
