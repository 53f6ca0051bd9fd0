//! Looking at a database as a whole: its schema, its node, its indexes, its plans, what operations take, its soundness.

use super::change::{Change, DiffSchemaResult, InvalidSchema, SchemaDiff, SchemaProgress};
use super::cluster::Cluster;
use super::collections::{Collection, Index};
use super::cost::OperationCost;
use super::count::BigInt;
use super::status::{Status, Verification};
use super::{database_of, unexpected};
use crate::hosted::Hosted;
use crate::operations::Operations;
use async_graphql::{Context, Json, Object, SimpleObject, Union};
use serde::Deserialize;
use std::sync::Arc;
use vivarium_schema::database::{self, SchemaVersion};
use vivarium_schema::{Request, Session};

/// So many versions of a schema are printed at once.
const HISTORY_MAX: usize = 100;
/// So many operations are listed at once.
const OPERATIONS_MAX: usize = 100;

/// Looks at the database as a whole.
pub struct Query;

#[Object]
impl Query {
    /// The schema that is applied.
    async fn schema(&self, context: &Context<'_>) -> async_graphql::Result<DeclaredSchema> {
        let (sdl, version) = database_of(context)?.schema().await.map_err(|error| unexpected(&error))?;
        Ok(DeclaredSchema { sdl, version })
    }

    /// Schemas applied so far, newest first; at most 100.
    async fn schema_history(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] limit: usize,
    ) -> async_graphql::Result<Vec<PastSchema>> {
        let database = database_of(context)?;
        let history = database.schema_history(limit.min(HISTORY_MAX)).await.map_err(|error| unexpected(&error))?;
        Ok(history.into_iter().map(PastSchema::from).collect())
    }

    /// What applying a schema would change.
    async fn diff_schema(&self, context: &Context<'_>, sdl: String) -> async_graphql::Result<DiffSchemaResult> {
        match database_of(context)?.diff_schema(&sdl).await {
            Ok(changes) => {
                let changes = changes.into_iter().map(Change::from).collect();
                Ok(DiffSchemaResult::Diff(SchemaDiff { changes }))
            }
            Err(database::Error::Schema(errors)) => Ok(DiffSchemaResult::Invalid(InvalidSchema::from(errors))),
            Err(error) => Err(unexpected(&error)),
        }
    }

    /// How far the schema change that this node makes has come; null when it makes none.
    async fn schema_progress(&self, context: &Context<'_>) -> async_graphql::Result<Option<SchemaProgress>> {
        Ok(database_of(context)?.schema_progress().map(SchemaProgress::from))
    }

    /// The API that clients see: the generated SDL.
    async fn api(&self, context: &Context<'_>) -> async_graphql::Result<DeclaredSchema> {
        let (sdl, version) = database_of(context)?.api().await.map_err(|error| unexpected(&error))?;
        Ok(DeclaredSchema { sdl: sdl.as_ref().to_owned(), version })
    }

    /// What the node knows of itself.
    async fn status(&self, context: &Context<'_>) -> async_graphql::Result<Status> {
        Ok(Status::of(context.data::<Hosted>()?.node()))
    }

    /// The cluster, as this node knows it.
    async fn cluster(&self, context: &Context<'_>) -> async_graphql::Result<Cluster> {
        Cluster::of(context.data::<Hosted>()?.node())
    }

    /// All collections.
    async fn collections(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Collection>> {
        let collections = database_of(context)?.collections().await.map_err(|error| unexpected(&error))?;
        Ok(collections.into_iter().map(Collection::new).collect())
    }

    /// All indexes, those of relations included.
    async fn indexes(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Index>> {
        let indexes = database_of(context)?.indexes().await.map_err(|error| unexpected(&error))?;
        Ok(indexes.into_iter().map(Index::from).collect())
    }

    /// The operations of the data plane that took this node the most time since it started, the costliest first; at most 100.
    /// Those that differ in the values in their text are one. Each node of a cluster has its own.
    async fn costliest_operations(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] limit: usize,
    ) -> async_graphql::Result<Vec<OperationCost>> {
        let operations = context.data::<Arc<Operations>>()?.costliest(limit.min(OPERATIONS_MAX));
        Ok(operations.into_iter().map(OperationCost::from).collect())
    }

    /// How an operation would be executed, without executing it.
    async fn explain(
        &self,
        context: &Context<'_>,
        query: String,
        variables: Option<Json<serde_json::Value>>,
        operation_name: Option<String>,
    ) -> async_graphql::Result<ExplainResult> {
        let request = Request {
            query,
            operation_name,
            variables: variables.map(|Json(variables)| variables.to_string()),
            ..Request::default()
        };
        match database_of(context)?.explain(request, &Session::default()).await {
            Ok(plan) => Ok(ExplainResult::Plan(Explanation { plan })),
            Err(response) => {
                let refused: RefusedBody = serde_json::from_slice(&response.body)?;
                Ok(ExplainResult::Refused(RefusedOperation {
                    errors: refused.errors.into_iter().map(RefusedError::from).collect(),
                }))
            }
        }
    }

    /// Reads everything at one snapshot and compares documents with their indexes and links.
    async fn verify(&self, context: &Context<'_>) -> async_graphql::Result<Verification> {
        let report = database_of(context)?.verify().await.map_err(|error| unexpected(&error))?;
        Ok(Verification::from(report))
    }
}

/// A schema and its version.
#[derive(SimpleObject)]
pub struct DeclaredSchema {
    /// The SDL; empty before the first.
    sdl: String,
    /// Counts schema changes from 1; 0 before the first.
    version: u32,
}

/// A schema that was applied once.
#[derive(SimpleObject)]
pub struct PastSchema {
    /// Its version.
    version: u32,
    /// When it was applied, in microseconds since 1970.
    applied_micros: BigInt,
    /// The SDL.
    sdl: String,
}

impl From<SchemaVersion> for PastSchema {
    fn from(past: SchemaVersion) -> PastSchema {
        let applied_micros = BigInt(u64::try_from(past.applied_micros).unwrap_or_default());
        PastSchema { version: past.version, applied_micros, sdl: past.sdl }
    }
}

/// What came of explaining.
#[derive(Union)]
pub enum ExplainResult {
    /// The plan.
    Plan(Explanation),
    /// The operation would be refused.
    Refused(RefusedOperation),
}

/// How an operation is executed.
#[derive(SimpleObject)]
pub struct Explanation {
    /// The plan as text for people.
    plan: String,
}

/// An operation that would be refused.
#[derive(SimpleObject)]
pub struct RefusedOperation {
    /// What the data plane would answer.
    errors: Vec<RefusedError>,
}

/// Something that is wrong with an operation.
#[derive(SimpleObject)]
pub struct RefusedError {
    /// What is wrong and how to put it right.
    message: String,
    /// The error code.
    code: String,
    /// Where in the operation's text.
    locations: Vec<Location>,
}

/// A place in a text.
#[derive(Deserialize, SimpleObject)]
pub struct Location {
    /// The line, from 1.
    line: u32,
    /// The column, from 1.
    column: u32,
}

/// The body of a refusal, as far as it is shown.
#[derive(Deserialize)]
struct RefusedBody {
    errors: Vec<RefusedBodyError>,
}

#[derive(Deserialize)]
struct RefusedBodyError {
    message: String,
    #[serde(default)]
    locations: Vec<Location>,
    extensions: RefusedExtensions,
}

#[derive(Deserialize)]
struct RefusedExtensions {
    code: String,
}

impl From<RefusedBodyError> for RefusedError {
    fn from(error: RefusedBodyError) -> RefusedError {
        RefusedError { message: error.message, code: error.extensions.code, locations: error.locations }
    }
}
