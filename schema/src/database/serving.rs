//! What a catalog version serves: its API, compiled, and the documents that were prepared against it.

use crate::plan::Limits;
use crate::plan::document::Prepared;
use crate::{Catalog, Failure, api};
use apollo_compiler::collections::HashMap;
use apollo_compiler::schema::Implementers;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use vivarium_storage::Version;

/// Parts of the cache that lock on their own. A number of its own: that of cores would differ between runs.
const SHARDS: usize = 8;
/// Bytes of a document that count as one prepared plan.
const DOCUMENT_BYTES: usize = 4 << 10;

/// Everything that is derived from one version of the catalog.
pub(super) struct Serving {
    /// The commit that wrote the catalog; 0 before the first.
    pub(super) version: Version,
    pub(super) catalog: Arc<Catalog>,
    /// The generated SDL.
    pub(super) api: Arc<str>,
    pub(super) schema: Valid<Schema>,
    pub(super) implementers: HashMap<Name, Implementers>,
    prepared: Cache<DocumentKey, Arc<Prepared>, BySize, Hashing>,
}

/// Hashes alike in every process. A hit compares the whole text, so a collision costs time and nothing else.
type Hashing = BuildHasherDefault<DefaultHasher>;

#[derive(PartialEq, Eq, Hash)]
struct DocumentKey {
    query: Box<str>,
    operation: Option<Box<str>>,
}

/// A [`DocumentKey`] that is borrowed from a request.
#[derive(Hash)]
struct Asked<'a> {
    query: &'a str,
    operation: Option<&'a str>,
}

impl Equivalent<DocumentKey> for Asked<'_> {
    fn equivalent(&self, key: &DocumentKey) -> bool {
        *self.query == *key.query && self.operation == key.operation.as_deref()
    }
}

#[derive(Clone)]
struct BySize;

impl Weighter<DocumentKey, Arc<Prepared>> for BySize {
    fn weight(&self, key: &DocumentKey, _: &Arc<Prepared>) -> u64 {
        1 + (key.query.len() / DOCUMENT_BYTES) as u64
    }
}

impl Serving {
    /// Derives everything from a catalog.
    pub(super) fn new(version: Version, catalog: Catalog, limits: &Limits) -> Serving {
        let api = api::generate(&catalog);
        let schema = api::compile(&api);
        let implementers = schema.implementers_map();
        let options = OptionsBuilder::new()
            .shards(SHARDS)
            .estimated_items_capacity(limits.plans_max)
            .weight_capacity(limits.plans_max as u64)
            .build()
            .expect("the capacities are given");
        let prepared = Cache::with_options(options, BySize, Hashing::default(), DefaultLifecycle::default());
        Serving { version, catalog: Arc::new(catalog), api: api.into(), schema, implementers, prepared }
    }

    /// The document, parsed and validated: once, however often it is asked. True when it was met before.
    ///
    /// # Errors
    /// Those of [`Prepared::new`]; they are not remembered.
    pub(super) fn prepare(
        &self,
        limits: &Limits,
        query: &str,
        operation: Option<&str>,
    ) -> Result<(Arc<Prepared>, bool), Vec<Failure>> {
        if let Some(prepared) = self.prepared.get(&Asked { query, operation }) {
            return Ok((prepared, true));
        }
        let prepared = Arc::new(Prepared::new(&self.schema, limits, query, operation)?);
        let key = DocumentKey { query: query.into(), operation: operation.map(Into::into) };
        self.prepared.insert(key, prepared.clone());
        Ok((prepared, false))
    }
}
