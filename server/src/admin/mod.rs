//! The control plane: a static, typed GraphQL schema over what can be done to a database as a whole.
//!
//! What can be expected to go wrong is a member of a union, with its places; what cannot is an error.

mod change;
mod cluster;
mod collections;
mod cost;
mod count;
mod query;
mod status;

use crate::hosted::Hosted;
use crate::operations::Operations;
use async_graphql::{Context, EmptySubscription, Error, ErrorExtensions, Schema};
use change::Mutation;
use query::Query;
use std::sync::Arc;
use vivarium_schema::{Code, Database, database};

/// Nested deeper or costlier than anything that this schema can usefully be asked.
const DEPTH_MAX: usize = 12;
const COMPLEXITY_MAX: usize = 1_000;
const DIRECTIVES_MAX: usize = 20;
const RECURSION_MAX: usize = 32;

/// The executable control plane.
pub type AdminSchema = Schema<Query, Mutation, EmptySubscription>;

/// The control plane of a node and its database, and of what operations took there.
pub fn schema(hosted: Hosted, operations: Arc<Operations>) -> AdminSchema {
    Schema::build(Query, Mutation, EmptySubscription)
        .data(hosted)
        .data(operations)
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .limit_recursive_depth(RECURSION_MAX)
        .finish()
}

/// The database; an error while the node has not caught up with its cluster.
fn database_of<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Database> {
    let hosted = context.data::<Hosted>()?;
    hosted.database().ok_or_else(|| {
        let reason = hosted.hindrance().unwrap_or_else(|| "it is just starting".to_owned());
        coded(
            format!("This node cannot answer yet: {reason}. Ask another node, or this one again later."),
            Code::Unavailable,
        )
    })
}

/// An error that no member of a union stands for: the node cannot answer now, or is damaged.
fn unexpected(error: &database::Error) -> Error {
    match error {
        database::Error::Consensus(below) => unexpected_of_node(below),
        _ => {
            tracing::error!(%error, "control plane request failed");
            coded(error.to_string(), Code::InternalServerError)
        }
    }
}

/// As [`unexpected`], for what is asked of the node itself.
fn unexpected_of_node(error: &vivarium_consensus::Error) -> Error {
    use vivarium_consensus::Error as Node;
    let (code, message) = match error {
        Node::Unavailable { .. } => (
            Code::Unavailable,
            "No leader can be reached now. Look with `vivarium cluster status`, and try again.".into(),
        ),
        Node::Reopened => (Code::Unavailable, "This node is just being brought up to date. Try again.".into()),
        Node::Stopped(reason) => (Code::Unavailable, format!("This node has stopped: {reason}.")),
        Node::DeadlineExceeded => {
            (Code::DeadlineExceeded, "It was not done in time. Look whether it was, and try again.".into())
        }
        Node::Conflict => (Code::TransactionConflict, "Others kept changing the same. Try again.".into()),
        error => {
            tracing::error!(%error, "control plane request failed");
            (Code::InternalServerError, format!("It failed: {error}."))
        }
    };
    coded(message, code)
}

fn coded(message: String, code: Code) -> Error {
    Error::new(message).extend_with(|_, extensions| {
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
