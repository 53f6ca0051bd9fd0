//! One database: the way in for every request, and for everything that the control plane does.

mod declare;
mod request;
mod verify;

use crate::plan::Limits;
use crate::sdl::SchemaError;
use std::sync::Arc;
use vivarium_consensus::Node;
use vivarium_storage::DatabaseId;

pub use declare::{Applied, ApplyOptions, Change, Safety, SchemaVersion, apply, resume};
pub use request::{Request, Response, Session};
pub use verify::{IndexInfo, VerifyReport, verify};

/// A database served by a node. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    _inner: Arc<()>,
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
    /// Opens a database of a node. One without a catalog is empty: it serves `_empty` and waits for a schema.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn open(node: Node, database: DatabaseId, limits: Limits) -> Result<Database, Error> {
        let _ = (node, database, limits);
        todo!()
    }
    /// Answers one GraphQL request. Never fails: what goes wrong is in the answer.
    pub async fn execute(&self, request: Request, session: &Session) -> Response {
        let _ = (request, session);
        todo!()
    }
    /// The plan of an operation without running it, as text for people.
    ///
    /// # Errors
    /// The failures that the operation would have been refused with, as a response.
    pub async fn explain(&self, request: Request, session: &Session) -> Result<String, Response> {
        let _ = (request, session);
        todo!()
    }
    /// The generated SDL and the schema version that it belongs to (an ETag).
    pub async fn api(&self) -> Result<(Arc<str>, u32), Error> {
        todo!()
    }
    /// The node that serves it.
    pub fn node(&self) -> &Node {
        todo!()
    }
    /// Which database of the node it is.
    pub fn id(&self) -> DatabaseId {
        todo!()
    }
}
