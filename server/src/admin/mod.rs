//! The control plane: a static, typed GraphQL schema over what can be done to a database as a whole.
//!
//! What can be expected to go wrong is a member of a union, with its places; what cannot is an error.

mod change;
mod count;
mod query;
mod status;

use async_graphql::{EmptySubscription, Error, ErrorExtensions, Schema};
use change::Mutation;
use query::Query;
use vivarium_schema::{Code, Database, database};

/// Nested deeper or costlier than anything that this schema can usefully be asked.
const DEPTH_MAX: usize = 12;
const COMPLEXITY_MAX: usize = 1_000;
const DIRECTIVES_MAX: usize = 20;
const RECURSION_MAX: usize = 32;

/// The executable control plane.
pub type AdminSchema = Schema<Query, Mutation, EmptySubscription>;

/// The control plane of a database.
pub fn schema(database: Database) -> AdminSchema {
    Schema::build(Query, Mutation, EmptySubscription)
        .data(database)
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .limit_recursive_depth(RECURSION_MAX)
        .finish()
}

/// An error that no member of a union stands for: the node cannot answer now, or is damaged.
fn unexpected(error: &database::Error) -> Error {
    let code = match error {
        database::Error::Consensus(below) => match below {
            vivarium_consensus::Error::Unavailable { .. } | vivarium_consensus::Error::Stopped(_) => Code::Unavailable,
            vivarium_consensus::Error::DeadlineExceeded => Code::DeadlineExceeded,
            vivarium_consensus::Error::Conflict => Code::TransactionConflict,
            _ => Code::InternalServerError,
        },
        _ => Code::InternalServerError,
    };
    if code == Code::InternalServerError {
        tracing::error!(%error, "control plane request failed");
    }
    Error::new(error.to_string()).extend_with(|_, extensions| {
        let name = serde_json::to_value(code).ok().and_then(|name| name.as_str().map(str::to_owned));
        extensions.set("code", name.unwrap_or_default());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_as_recorded() {
        let schema = Schema::build(Query, Mutation, EmptySubscription).finish();
        insta::assert_snapshot!("admin", schema.sdl());
    }
}
