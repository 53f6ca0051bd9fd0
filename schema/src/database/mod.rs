//! One database: the way in for every request, and for everything that the control plane does.

mod answer;
mod declare;
mod mutate;
mod operation;
mod request;
mod serving;
mod size;
mod steward;
mod uses;
mod verify;

use crate::Catalog;
use crate::plan::Limits;
use crate::sdl::SchemaError;
use crate::write::Sequences;
use arc_swap::ArcSwap;
use serving::Serving;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use steward::Underway;
use uses::Uses;
use vivarium_consensus::{Consistency, Node, Transaction};
use vivarium_storage::engine::catalog_key;
use vivarium_storage::{DatabaseId, Error as StorageError, Space, Version, runtime};

pub use declare::{Applied, ApplyOptions, Board, Change, Progress, Safety, SchemaVersion, Step, apply, resume};
pub use request::{Explain, Request, Response, Session, Timing};
pub use size::Size;
pub use uses::IndexUse;
pub use verify::{IndexInfo, VerifyReport, verify};

/// A database served by a node. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    node: Node,
    id: DatabaseId,
    limits: Limits,
    sequences: Sequences,
    serving: ArcSwap<Serving>,
    underway: Underway,
    uses: Uses,
}

/// What the control plane's calls answer when they cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The SDL has errors.
    #[error("the schema has {} errors", .0.len())]
    Schema(Vec<SchemaError>),
    /// The change is breaking and was not forced, or the data does not fit it.
    #[error("{0}")]
    Refused(String),
    /// Somebody else changed the schema in between.
    #[error("the schema is at version {found}, not {expected}: look at the difference again")]
    VersionMismatch {
        /// The version that the caller had seen.
        expected: u32,
        /// The version that is applied.
        found: u32,
    },
    /// The layer below.
    #[error(transparent)]
    Consensus(#[from] vivarium_consensus::Error),
}

impl Database {
    /// Opens a database of a node, and first finishes a schema change that a crash interrupted. One without a catalog is empty: it serves `node` and waits for a schema.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn open(node: Node, database: DatabaseId, limits: Limits) -> Result<Database, Error> {
        let underway = Underway::default();
        declare::resume(&node, database, underway.board()).await?;
        underway.board().clear();
        let empty = Serving::new(Version(0), Catalog::default(), &limits);
        let sequences = Sequences::new(node.clone(), database);
        let serving = ArcSwap::from_pointee(empty);
        let inner = Inner { node, id: database, limits, sequences, serving, underway, uses: Uses::default() };
        let opened = Database { inner: Arc::new(inner) };
        opened.newest().await?;
        runtime::spawn("steward", steward::attend(Arc::downgrade(&opened.inner))).detach();
        Ok(opened)
    }

    /// Answers one GraphQL request. Never fails: what goes wrong is in the answer.
    pub async fn execute(&self, request: Request, session: &Session) -> Response {
        let Session { .. } = session;
        operation::execute(self, &request).await
    }

    /// The plan of an operation without running it, as text for people.
    ///
    /// # Errors
    /// The failures that the operation would have been refused with, as a response.
    pub async fn explain(&self, request: Request, session: &Session) -> Result<String, Response> {
        let Session { .. } = session;
        operation::explain(self, &request).await
    }

    /// The generated SDL and the schema version that it belongs to (an ETag).
    ///
    /// # Errors
    /// Those of the node.
    pub async fn api(&self) -> Result<(Arc<str>, u32), Error> {
        let serving = self.newest().await?;
        Ok((serving.api.clone(), serving.catalog.version))
    }

    /// The version of the schema that it served last; 0 before any.
    pub fn served(&self) -> u32 {
        self.inner.serving.load().catalog.version
    }

    /// The node that serves it.
    pub fn node(&self) -> &Node {
        &self.inner.node
    }

    /// Which database of the node it is.
    pub fn id(&self) -> DatabaseId {
        self.inner.id
    }

    /// What the newest catalog serves.
    async fn newest(&self) -> Result<Arc<Serving>, Error> {
        let deadline = runtime::now() + Duration::from_millis(self.inner.limits.timeout_ms);
        let mut transaction = self.node().begin(Consistency::Strong, deadline).await?;
        transaction.read_only();
        Ok(self.serving(&mut transaction).await?)
    }

    /// What the catalog of a transaction's snapshot serves. Derived anew when it has changed.
    async fn serving(&self, transaction: &mut Transaction) -> vivarium_consensus::Result<Arc<Serving>> {
        let current = self.inner.serving.load_full();
        let version = transaction.catalog_version(self.id());
        if version == current.version {
            return Ok(current);
        }
        if version < current.version {
            // Somebody has met a newer catalog since this snapshot was taken: take a newer one.
            return Err(vivarium_consensus::Error::Conflict);
        }
        let cells = transaction.get_many(Space::Meta, &[catalog_key(self.id())]).await?;
        let (version, catalog) = match cells.into_iter().next().flatten() {
            None => (version, Catalog::default()),
            Some(cell) => (cell.version, read_catalog(&cell.value)?),
        };
        let serving = Arc::new(Serving::new(version, catalog, &self.inner.limits));
        self.inner.serving.store(serving.clone());
        Ok(serving)
    }
}

fn read_catalog(bytes: &[u8]) -> vivarium_consensus::Result<Catalog> {
    serde_json::from_slice(bytes).map_err(|error| {
        let corrupt = StorageError::Corrupt { what: "catalog", path: PathBuf::new(), detail: error.to_string() };
        vivarium_consensus::Error::Storage(corrupt)
    })
}
