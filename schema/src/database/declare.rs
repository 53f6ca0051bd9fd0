//! Schema changes: compare, try, apply, remember.

mod apply;
mod backfill;
mod cells;
mod conform;
mod difference;
mod progress;
mod work;

use super::{Database, Error};
use crate::{Catalog, sdl};
use serde::Serialize;
use vivarium_consensus::{Consistency, Node};
use vivarium_storage::{DatabaseId, Version};

pub use apply::{apply, resume};
pub use progress::{Board, Progress, Step};

/// What a change costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Safety {
    /// Clients and data stay as they are.
    Safe,
    /// Existing documents must be read and entries written.
    NeedsBackfill,
    /// Clients break, or data is lost or must be changed first.
    Breaking,
}

/// One difference between two schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// A schema coordinate: "Customer.email".
    pub coordinate: String,
    /// What happens, as a sentence.
    pub description: String,
    /// What it costs.
    pub safety: Safety,
}

/// How a schema is applied.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    /// Do everything but commit.
    pub dry_run: bool,
    /// Also apply breaking changes.
    pub force: bool,
    /// Refuse when the schema is at another version.
    pub expected_version: Option<u32>,
}

/// What an application did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The schema version now (of a dry run: what it would be).
    pub version: u32,
    /// What changed. Empty: nothing did, and the version is the old one.
    pub changes: Vec<Change>,
    /// Documents that index entries were written for.
    pub backfilled: u64,
}

/// A schema that was applied once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaVersion {
    /// Its number.
    pub version: u32,
    /// When, in microseconds.
    pub applied_micros: i64,
    /// The SDL.
    pub sdl: String,
}

impl Database {
    /// The SDL that is applied and its version; empty and 0 before the first.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn schema(&self) -> Result<(String, u32), Error> {
        let catalog = applied(self.node(), self.id()).await?;
        Ok((catalog.sdl, catalog.version))
    }

    /// What applying `sdl` would change.
    ///
    /// # Errors
    /// `Schema`, and those of the node.
    pub async fn diff_schema(&self, sdl: &str) -> Result<Vec<Change>, Error> {
        let previous = applied(self.node(), self.id()).await?;
        let next = sdl::declare(sdl, Some(&previous)).map_err(Error::Schema)?;
        Ok(difference::between(&previous, &next))
    }

    /// Applies a schema: catalog, then index entries of existing documents, then the indexes may be read.
    ///
    /// # Errors
    /// `Schema`, `Refused` (breaking, or the data does not fit: says which record), `VersionMismatch`.
    pub async fn apply_schema(&self, sdl: &str, options: ApplyOptions) -> Result<Applied, Error> {
        let working = self.inner.underway.begin();
        apply::apply(self.node(), self.id(), working.board(), sdl, options).await
    }

    /// How far the schema change that this node makes has come; `None` when it makes none, or has not met a record yet.
    pub fn schema_progress(&self) -> Option<Progress> {
        self.inner.underway.board().read()
    }

    /// Schemas applied so far, newest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn schema_history(&self, limit: usize) -> Result<Vec<SchemaVersion>, Error> {
        let mut transaction = self.node().begin(Consistency::Strong, backfill::deadline()).await?;
        transaction.read_only();
        Ok(cells::history(&mut transaction, self.id(), limit).await?)
    }
}

/// The commit that wrote down what a change still has to do, and the node that began the change; as far as this node
/// has applied the log.
pub(super) async fn pending(node: &Node, database: DatabaseId) -> Result<Option<(Version, Option<u64>)>, Error> {
    let mut transaction = node.begin(Consistency::Stale, backfill::deadline()).await?;
    transaction.read_only();
    let work = cells::work(&mut transaction, database).await?;
    Ok(work.map(|(work, version)| (version, work.runner)))
}

/// The catalog that is applied; the empty one before the first.
async fn applied(node: &Node, database: DatabaseId) -> Result<Catalog, Error> {
    let mut transaction = node.begin(Consistency::Strong, backfill::deadline()).await?;
    transaction.read_only();
    Ok(cells::catalog(&mut transaction, database).await?.unwrap_or_default())
}
