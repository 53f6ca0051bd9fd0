//! Verification: every document readable, every index equal to its documents, every link in both directions.
//!
//! Everything is read at one snapshot, a chunk at a time, so that memory does not grow with the data.

use super::{Database, Error};
use crate::catalog::{Catalog, Collection, Field, FieldKind, Index, Scalar, TypeId};
use crate::write::delete::{LinkSide, holders, link_sides};
use crate::write::entries::{collect, of_document, of_link};
use crate::{GlobalId, compute};
use serde::Serialize;
use std::time::Duration;
use vivarium_consensus::{Consistency, Error as NodeError, Node, Transaction};
use vivarium_storage::engine::{Bytes, Scan, catalog_key};
use vivarium_storage::key::{self, Direction};
use vivarium_storage::value::RecordRef;
use vivarium_storage::{
    Cell, CollectionId, DatabaseId, Document, DocumentId, Error as StorageError, IndexId, Key, KeyRange, Space, Value,
    ValueRef, runtime,
};

/// What verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Documents read.
    pub documents: u64,
    /// Index entries and links read.
    pub entries: u64,
    /// What is wrong, one sentence each, at most 100.
    pub problems: Vec<String>,
}

/// An index, for the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexInfo {
    /// Its number, see [`Database::index_size`].
    pub id: IndexId,
    /// The collection's type name.
    pub collection: String,
    /// Its name.
    pub name: String,
    /// The fields it sorts by, dotted through embedded values.
    pub fields: Vec<String>,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether queries may read it.
    pub ready: bool,
    /// Made for a relation.
    pub relation: bool,
}

/// The most problems that a report lists: the first ones tell what happened.
const PROBLEMS_MAX: usize = 100;

/// Rows that are looked at together: enough for one sorted batch, little enough to hold.
const CHUNK_ROWS: usize = 512;

/// How long verification waits for the node to begin.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(30);

impl Database {
    /// Reads everything at one snapshot and compares.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn verify(&self) -> Result<VerifyReport, Error> {
        verify(self.node(), self.id()).await
    }
    /// All indexes.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn indexes(&self) -> Result<Vec<IndexInfo>, Error> {
        let mut transaction = begin(self.node(), Consistency::Strong).await?;
        let catalog = catalog(&mut transaction, self.id()).await?;
        let of = |collection: &Collection, index: &Index| IndexInfo {
            id: index.id,
            collection: collection.name.clone(),
            name: index.name.clone(),
            fields: fields(&catalog, collection, index),
            unique: index.unique,
            ready: index.ready,
            relation: index.relation,
        };
        let all = catalog.collections.iter().flat_map(|each| each.indexes.iter().map(move |index| (each, index)));
        Ok(all.map(|(collection, index)| of(collection, index)).collect())
    }

    /// All collections, by number, with their type names.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn collections(&self) -> Result<Vec<(CollectionId, String)>, Error> {
        let mut transaction = begin(self.node(), Consistency::Strong).await?;
        let catalog = catalog(&mut transaction, self.id()).await?;
        Ok(catalog.collections.into_iter().map(|collection| (collection.id, collection.name)).collect())
    }
}

fn fields(catalog: &Catalog, collection: &Collection, index: &Index) -> Vec<String> {
    index.elements.iter().map(|element| collection.element_name(catalog, element)).collect()
}

/// Reads everything that this node has of a database at one snapshot and compares. Needs no other node.
///
/// # Errors
/// Those of the node.
pub async fn verify(node: &Node, database: DatabaseId) -> Result<VerifyReport, Error> {
    let mut transaction = begin(node, Consistency::Stale).await?;
    let catalog = catalog(&mut transaction, database).await?;
    let mut check = Verification { catalog: &catalog, database, transaction, report: VerifyReport::default() };
    for collection in &catalog.collections {
        check.documents(collection).await?;
        for index in collection.indexes.iter().filter(|index| index.ready) {
            check.entries(collection, index).await?;
        }
    }
    for side in link_sides(&catalog) {
        check.links(&side).await?;
    }
    Ok(check.report)
}

async fn begin(node: &Node, consistency: Consistency) -> Result<Transaction, Error> {
    let mut transaction = node.begin(consistency, runtime::now() + BEGIN_TIMEOUT).await?;
    transaction.read_only();
    Ok(transaction)
}

/// The catalog as of the snapshot; an empty one before the first schema.
async fn catalog(transaction: &mut Transaction, database: DatabaseId) -> Result<Catalog, Error> {
    let cells = transaction.get_many(Space::Meta, &[catalog_key(database)]).await?;
    match cells.into_iter().next().flatten() {
        None => Ok(Catalog::default()),
        Some(cell) => serde_json::from_slice(&cell.value).map_err(|error| {
            let path = std::path::PathBuf::new();
            let corrupt = StorageError::Corrupt { what: "catalog", path, detail: error.to_string() };
            Error::Consensus(corrupt.into())
        }),
    }
}

/// One run.
struct Verification<'c> {
    catalog: &'c Catalog,
    database: DatabaseId,
    transaction: Transaction,
    report: VerifyReport,
}

impl<'c> Verification<'c> {
    fn problem(&mut self, sentence: String) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(sentence);
        }
    }

    /// The next rows of a range, which then begins after them. Damaged bytes are a problem and end the range.
    async fn chunk(&mut self, space: Space, range: &mut KeyRange) -> Result<Vec<(Bytes, Cell)>, Error> {
        let scan = Scan { range: range.clone(), reverse: false, limit: CHUNK_ROWS };
        let rows = match self.transaction.scan_many(space, &[scan]).await {
            Ok(rows) => rows.into_iter().next().unwrap_or_default(),
            Err(NodeError::Storage(error @ StorageError::Corrupt { .. })) => {
                self.problem(format!("Rows cannot be read: {error}."));
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        if let Some((last, _)) = rows.last() {
            range.start = key::successor(last);
        }
        Ok(rows)
    }

    /// The cells of keys, sorted and each once, as a lookup.
    async fn cells(&mut self, space: Space, mut keys: Vec<Key>) -> Result<Cells, Error> {
        keys.sort_unstable();
        keys.dedup();
        let cells = if keys.is_empty() { Vec::new() } else { self.transaction.get_many(space, &keys).await? };
        Ok(Cells { keys, cells })
    }

    /// Every document opens, is of its collection's types, has all its entries, and refers to what is there.
    async fn documents(&mut self, collection: &Collection) -> Result<(), Error> {
        let mut range = key::documents(self.database, collection.id);
        loop {
            let rows = self.chunk(Space::Document, &mut range).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut expected: Vec<(DocumentId, &Index, Key, Vec<u8>)> = Vec::new();
            let mut references: Vec<(DocumentId, String, CollectionId, DocumentId)> = Vec::new();
            for (key, cell) in &rows {
                self.report.documents += 1;
                let id = key::document_id(key).map_err(NodeError::from)?;
                let document = match Document::open(&cell.value) {
                    Ok(document) => document,
                    Err(error) => {
                        self.problem(format!("{} cannot be read: {error}.", name(collection, id)));
                        continue;
                    }
                };
                if let Err(reason) = fits(self.catalog, collection, document) {
                    self.problem(format!("{} {reason}.", name(collection, id)));
                }
                for index in collection.indexes.iter().filter(|index| index.ready) {
                    match of_document(self.catalog, self.database, collection, index, id, document) {
                        Ok(entries) => expected.extend(entries.into_iter().map(|(key, value)| (id, index, key, value))),
                        Err(failure) => self.problem(format!("{}: {}", name(collection, id), failure.message)),
                    }
                }
                references
                    .extend(self.references(collection, document).map(|(path, target, to)| (id, path, target, to)));
            }
            self.compare_entries(collection, expected).await?;
            self.compare_references(collection, references).await?;
        }
    }

    async fn compare_entries(
        &mut self,
        collection: &Collection,
        expected: Vec<(DocumentId, &Index, Key, Vec<u8>)>,
    ) -> Result<(), Error> {
        let cells = self.cells(Space::Index, expected.iter().map(|(.., key, _)| key.clone()).collect()).await?;
        for (id, index, key, value) in expected {
            let record = name(collection, id);
            match cells.get(&key) {
                None => self.problem(format!("{record} has no entry in the index {}.", index.name)),
                Some(cell) if *cell.value != *value => {
                    let other = key::document_id(&cell.value).map_or("nothing".to_owned(), |id| name(collection, id));
                    self.problem(format!("{record} has an entry in the index {} that leads to {other}.", index.name));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The references that a document holds: path, collection and record.
    fn references(
        &self,
        collection: &Collection,
        document: Document<'_>,
    ) -> impl Iterator<Item = (String, CollectionId, DocumentId)> + use<> {
        let mut found = Vec::new();
        for holder in holders(self.catalog).into_iter().filter(|holder| holder.collection.id == collection.id) {
            let mut values = Vec::new();
            collect(document, &holder.path, &mut values);
            let path = collection.path_names(self.catalog, &holder.path).join(".");
            for value in values {
                if let ValueRef::Uuid(id) = value {
                    found.push((path.clone(), holder.target, id));
                }
            }
        }
        found.into_iter()
    }

    async fn compare_references(
        &mut self,
        collection: &Collection,
        references: Vec<(DocumentId, String, CollectionId, DocumentId)>,
    ) -> Result<(), Error> {
        let database = self.database;
        let at = |target: CollectionId, to: DocumentId| key::document(database, target, to);
        let keys = references.iter().map(|(.., target, to)| at(*target, *to)).collect();
        let cells = self.cells(Space::Document, keys).await?;
        for (id, path, target, to) in references {
            if cells.get(&at(target, to)).is_none() {
                let to = GlobalId { collection: target, document: to };
                self.problem(format!("{} refers with {path} to {to}, which is not there.", name(collection, id)));
            }
        }
        Ok(())
    }

    /// Every entry of an index is one that its document has.
    async fn entries(&mut self, collection: &Collection, index: &Index) -> Result<(), Error> {
        let mut range = KeyRange::prefix(&key::index(self.database, index.id));
        loop {
            let rows = self.chunk(Space::Index, &mut range).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.entries += rows.len() as u64;
            let lead = |(key, cell): &(Bytes, Cell)| {
                let holder: &[u8] = if index.unique { &cell.value } else { key };
                key::document_id(holder).ok()
            };
            let ids: Vec<Option<DocumentId>> = rows.iter().map(lead).collect();
            let at = |id: &DocumentId| key::document(self.database, collection.id, *id);
            let keys = ids.iter().flatten().map(at).collect();
            let cells = self.cells(Space::Document, keys).await?;
            for ((key, cell), id) in rows.iter().zip(ids) {
                let of = format!("The index {} of {}", index.name, collection.name);
                let Some(id) = id else {
                    self.problem(format!("{of} has an entry that leads nowhere: {}.", hex(key)));
                    continue;
                };
                let document = cells.get(&key::document(self.database, collection.id, id));
                let Some(document) = document.and_then(|cell| Document::open(&cell.value).ok()) else {
                    self.problem(format!("{of} has an entry for {}, which is not there.", name(collection, id)));
                    continue;
                };
                let entries = of_document(self.catalog, self.database, collection, index, id, document);
                let has = entries
                    .is_ok_and(|entries| entries.iter().any(|(own, value)| **own == **key && **value == *cell.value));
                if !has {
                    let record = name(collection, id);
                    self.problem(format!(
                        "{of} has an entry for {record} that its document does not have: {}.",
                        hex(key)
                    ));
                }
            }
        }
    }

    /// Every link has both its ends and its other direction.
    async fn links(&mut self, side: &LinkSide<'_>) -> Result<(), Error> {
        let (near, far) = (self.collection(side.collection), self.collection(side.other));
        let of = format!("{}.{}", side.declared.name, side.name);
        let prefix = key::index(self.database, side.links);
        let mut range = KeyRange::prefix(&prefix);
        loop {
            let rows = self.chunk(Space::Index, &mut range).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.entries += rows.len() as u64;
            let mut links: Vec<(DocumentId, DocumentId)> = Vec::with_capacity(rows.len());
            for (key, cell) in &rows {
                match ends(&key[prefix.len()..]) {
                    Some(ends) if cell.value.is_empty() => links.push(ends),
                    _ => self.problem(format!("{of} has a link that cannot be read: {}.", hex(key))),
                }
            }
            let database = self.database;
            let documents = links
                .iter()
                .flat_map(|(from, to)| [key::document(database, near.id, *from), key::document(database, far.id, *to)]);
            let documents = self.cells(Space::Document, documents.collect()).await?;
            let inverse = |(from, to): &(DocumentId, DocumentId)| {
                let [_, inverse] = of_link(database, (side.links, *from), (side.inverse_links, *to));
                inverse
            };
            let inverses = self.cells(Space::Index, links.iter().map(inverse).collect()).await?;
            for link in links {
                let (from, to) = (name(near, link.0), name(far, link.1));
                if documents.get(&key::document(database, near.id, link.0)).is_none() {
                    self.problem(format!("{of} links {from}, which is not there, to {to}."));
                }
                if documents.get(&key::document(database, far.id, link.1)).is_none() {
                    self.problem(format!("{of} links {from} to {to}, which is not there."));
                }
                if inverses.get(&inverse(&link)).is_none() {
                    self.problem(format!("{of} links {from} to {to}, but not back."));
                }
            }
        }
    }

    fn collection(&self, id: CollectionId) -> &'c Collection {
        self.catalog.collection(id).expect("a relation leads to a collection")
    }
}

/// Cells by key.
struct Cells {
    keys: Vec<Key>,
    cells: Vec<Option<Cell>>,
}

impl Cells {
    fn get(&self, key: &Key) -> Option<&Cell> {
        let at = self.keys.binary_search(key).expect("what is looked up was asked for");
        self.cells[at].as_ref()
    }
}

/// Both ends of a link, from its key after the index.
fn ends(mut bytes: &[u8]) -> Option<(DocumentId, DocumentId)> {
    match key::decode(&mut bytes, Direction::Ascending) {
        Ok(Value::Uuid(from)) => bytes.try_into().ok().map(|to| (from, DocumentId(to))),
        _ => None,
    }
}

fn name(collection: &Collection, id: DocumentId) -> String {
    format!("{} {}", collection.name, GlobalId { collection: collection.id, document: id })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Says what of a document is not of its collection's types.
fn fits(catalog: &Catalog, collection: &Collection, document: Document<'_>) -> Result<(), String> {
    // A document written under an earlier schema may lack what a later one requires.
    let complete = document.schema() == catalog.version;
    fields_fit(catalog, &collection.fields, |field| document.field(field.id), complete)?;
    match compute::stored(collection, document) {
        Ok(differing) if differing.is_empty() || !complete => Ok(()),
        Ok(differing) => {
            let names = differing.iter().filter_map(|(id, _)| collection.field(*id)).map(|field| field.name.as_str());
            Err(format!("holds something else than what is computed in {}", names.collect::<Vec<_>>().join(", ")))
        }
        Err((field, fragment)) => Err(format!("has no {}, which cannot be computed: {fragment}", field.name)),
    }
}

fn fields_fit<'a>(
    catalog: &Catalog,
    fields: &[Field],
    value: impl Fn(&Field) -> ValueRef<'a>,
    complete: bool,
) -> Result<(), String> {
    for field in fields.iter().filter(|field| field.is_stored()) {
        let of = |reason: String| format!("holds {} {reason}", field.name);
        match (value(field), field.list) {
            (ValueRef::Null, _) if field.required && complete => return Err(of("as null, which is required".into())),
            (ValueRef::Null, _) => {}
            (ValueRef::List(items), Some(list)) => {
                for item in items.iter() {
                    match item {
                        ValueRef::Null if list.element_required && complete => {
                            return Err(of("with a null among its elements".into()));
                        }
                        ValueRef::Null => {}
                        item => value_fits(catalog, field.kind, item, complete).map_err(of)?,
                    }
                }
            }
            (_, Some(_)) => return Err(of("not as a list".into())),
            (value, None) => value_fits(catalog, field.kind, value, complete).map_err(of)?,
        }
    }
    Ok(())
}

/// Checks a value that is not null against the type of its field.
fn value_fits(catalog: &Catalog, kind: FieldKind, value: ValueRef<'_>, complete: bool) -> Result<(), String> {
    let fits = match kind {
        FieldKind::Scalar(scalar) => scalar_fits(scalar, value),
        FieldKind::Enum(id) => return enum_fits(catalog, id, value),
        FieldKind::Embedded(id) => match value {
            ValueRef::Record(record) => return record_fits(catalog, id, record, complete),
            _ => false,
        },
        FieldKind::ToOne { .. } => matches!(value, ValueRef::Uuid(_)),
        FieldKind::OneToOne { .. } | FieldKind::OneToMany { .. } | FieldKind::ManyToMany { .. } => false,
    };
    if fits { Ok(()) } else { Err("as a value of another type".to_owned()) }
}

fn enum_fits(catalog: &Catalog, id: TypeId, value: ValueRef<'_>) -> Result<(), String> {
    match value {
        ValueRef::Int(number) => {
            let known = catalog.enum_type(id).is_some_and(|each| each.value(number).is_some());
            if known { Ok(()) } else { Err(format!("as the number {number}, which no value of its enum has")) }
        }
        _ => Err("as a value of another type".to_owned()),
    }
}

fn record_fits(catalog: &Catalog, id: TypeId, record: RecordRef<'_>, complete: bool) -> Result<(), String> {
    let embedded = catalog.embedded(id).ok_or("of a type that is not in the catalog")?;
    fields_fit(catalog, &embedded.fields, |field| record.field(field.id), complete)
        .map_err(|reason| format!("whose value {reason}"))
}

fn scalar_fits(scalar: Scalar, value: ValueRef<'_>) -> bool {
    match (scalar, value) {
        (Scalar::Id | Scalar::String | Scalar::Email | Scalar::CountryCode, ValueRef::String(_))
        | (Scalar::Float, ValueRef::Float(_))
        | (Scalar::Boolean, ValueRef::Bool(_))
        | (Scalar::BigInt, ValueRef::Int(_))
        | (Scalar::Decimal, ValueRef::Decimal(_))
        | (Scalar::DateTime, ValueRef::DateTime(_))
        | (Scalar::Date, ValueRef::Date(_))
        | (Scalar::Duration, ValueRef::Duration(_))
        | (Scalar::Uuid, ValueRef::Uuid(_))
        | (Scalar::Bytes, ValueRef::Bytes(_)) => true,
        (Scalar::Int, ValueRef::Int(number)) => i32::try_from(number).is_ok(),
        (Scalar::Json, value) => !matches!(value, ValueRef::Record(_)),
        _ => false,
    }
}
