//! What can be changed of a database and its cluster, and what comes of it.

use super::cluster::{self, RemoveMemberResult, TransferLeadershipResult};
use super::collections::Size;
use super::count::BigInt;
use super::{database_of, unexpected};
use crate::cli::sentence;
use async_graphql::{Context, Enum, Object, SimpleObject, Union};
use vivarium_schema::database::{self, ApplyOptions};
use vivarium_schema::sdl;

/// Changes to the database as a whole, and to its cluster.
pub struct Mutation;

#[Object]
impl Mutation {
    /// Applies a schema: the whole SDL as it should be from now on.
    async fn apply_schema(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The whole schema.")] sdl: String,
        #[graphql(desc = "Do everything but keep it.", default)] dry_run: bool,
        #[graphql(desc = "Also make changes that break clients or lose data.", default)] force: bool,
        #[graphql(desc = "Refuse when the schema is at another version.")] expected_version: Option<u32>,
    ) -> async_graphql::Result<ApplySchemaResult> {
        let database = database_of(context)?;
        let options = ApplyOptions { dry_run, force, expected_version };
        match database.apply_schema(&sdl, options).await {
            Ok(applied) => Ok(ApplySchemaResult::Applied(AppliedSchema::from(applied))),
            Err(database::Error::Schema(errors)) => Ok(ApplySchemaResult::Invalid(InvalidSchema::from(errors))),
            Err(database::Error::Refused(reason)) => Ok(ApplySchemaResult::Refused(RefusedChange { reason })),
            Err(database::Error::VersionMismatch { expected, found }) => {
                Ok(ApplySchemaResult::Mismatch(VersionMismatch { expected, found }))
            }
            Err(error) => Err(unexpected(&error)),
        }
    }

    /// Lets a node leave the cluster for good. Its number is never given again.
    async fn remove_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The node's number.")] node: BigInt,
    ) -> async_graphql::Result<RemoveMemberResult> {
        cluster::remove_member(context, node.0).await
    }

    /// Has another node lead: the one that is named, or the one that is closest behind.
    async fn transfer_leadership(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The number of a node that votes.")] to: Option<BigInt>,
    ) -> async_graphql::Result<TransferLeadershipResult> {
        cluster::transfer_leadership(context, to.map(|to| to.0)).await
    }
}

/// What came of applying a schema.
#[derive(Union)]
pub enum ApplySchemaResult {
    /// It is applied, or would be.
    Applied(AppliedSchema),
    /// The SDL has errors.
    Invalid(InvalidSchema),
    /// The change breaks something and was not forced, or the data does not fit.
    Refused(RefusedChange),
    /// Somebody else changed the schema in between.
    Mismatch(VersionMismatch),
}

/// What a schema would change.
#[derive(Union)]
pub enum DiffSchemaResult {
    /// These differences.
    Diff(SchemaDiff),
    /// The SDL has errors.
    Invalid(InvalidSchema),
}

/// A schema that was applied, or in a dry run would have been.
#[derive(SimpleObject)]
pub struct AppliedSchema {
    /// The schema's version now.
    version: u32,
    /// What changed; empty when nothing did.
    changes: Vec<Change>,
    /// Documents that index entries were written for.
    backfilled: BigInt,
}

/// The differences to the schema that is applied.
#[derive(SimpleObject)]
pub struct SchemaDiff {
    /// Empty when there are none.
    pub changes: Vec<Change>,
}

/// How far a schema change has come.
#[derive(SimpleObject)]
pub struct SchemaProgress {
    /// The collection that it is at.
    collection: String,
    /// What it does there.
    step: Step,
    /// Records that are done.
    records: BigInt,
    /// How many there were when it began there.
    of: Size,
}

/// What a schema change does with the records of a collection.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum Step {
    /// Each is read: does it fit?
    Check,
    /// Each is made to fit, and its index entries are written.
    Fill,
}

impl From<database::Progress> for SchemaProgress {
    fn from(progress: database::Progress) -> SchemaProgress {
        SchemaProgress {
            collection: progress.collection,
            step: match progress.step {
                database::Step::Check => Step::Check,
                database::Step::Fill => Step::Fill,
            },
            records: progress.records.into(),
            of: progress.of.into(),
        }
    }
}

/// One difference between two schemas.
#[derive(SimpleObject)]
pub struct Change {
    /// Where: "Customer.email".
    coordinate: String,
    /// What happens.
    description: String,
    /// What it costs.
    safety: Safety,
}

/// What a change costs.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum Safety {
    /// Clients and data stay as they are.
    Safe,
    /// Existing documents are read and entries written.
    NeedsBackfill,
    /// Clients break, or data is lost or must be changed first.
    Breaking,
}

/// An SDL document with errors.
#[derive(SimpleObject)]
pub struct InvalidSchema {
    /// All of them, in order of place.
    errors: Vec<SchemaError>,
}

/// Something that is wrong with an SDL document.
#[derive(SimpleObject)]
pub struct SchemaError {
    /// What is wrong and how to put it right.
    message: String,
    /// The line, from 1.
    line: u32,
    /// The column in characters, from 1.
    column: u32,
    /// Which rule was broken.
    rule: &'static str,
}

/// A change that was not made.
#[derive(SimpleObject)]
pub struct RefusedChange {
    /// Why, and what to do.
    reason: String,
}

impl RefusedChange {
    /// A refusal for this reason, a fragment, as a sentence.
    pub fn new(reason: &str) -> RefusedChange {
        RefusedChange { reason: sentence(reason) }
    }
}

/// Somebody else changed the schema in between.
#[derive(SimpleObject)]
pub struct VersionMismatch {
    /// The version that the caller had seen.
    expected: u32,
    /// The version that is applied.
    found: u32,
}

impl From<database::Applied> for AppliedSchema {
    fn from(applied: database::Applied) -> AppliedSchema {
        AppliedSchema {
            version: applied.version,
            changes: applied.changes.into_iter().map(Change::from).collect(),
            backfilled: applied.backfilled.into(),
        }
    }
}

impl From<database::Change> for Change {
    fn from(change: database::Change) -> Change {
        Change {
            coordinate: change.coordinate,
            description: change.description,
            safety: match change.safety {
                database::Safety::Safe => Safety::Safe,
                database::Safety::NeedsBackfill => Safety::NeedsBackfill,
                database::Safety::Breaking => Safety::Breaking,
            },
        }
    }
}

impl From<Vec<sdl::SchemaError>> for InvalidSchema {
    fn from(errors: Vec<sdl::SchemaError>) -> InvalidSchema {
        let errors = errors
            .into_iter()
            .map(|error| SchemaError {
                message: error.message,
                line: error.line,
                column: error.column,
                rule: error.rule,
            })
            .collect();
        InvalidSchema { errors }
    }
}
