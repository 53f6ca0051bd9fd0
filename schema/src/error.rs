//! The closed set of GraphQL error codes, and a failure that carries one. This is the only file that names them.

use serde::Serialize;

/// `extensions.code`: what a client switches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are the documentation; docs/errors.md explains each")]
pub enum Code {
    GraphqlParseFailed,
    GraphqlValidationFailed,
    BadUserInput,
    OperationResolutionFailure,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
    OperationNotAllowed,
    QueryTooComplex,
    PageTooLarge,
    InvalidCursor,
    Unauthenticated,
    Forbidden,
    NotFound,
    UniqueViolation,
    ReferenceViolation,
    CheckViolation,
    PreconditionFailed,
    AffectedLimitExceeded,
    TransactionConflict,
    DeadlineExceeded,
    RateLimited,
    Unavailable,
    InternalServerError,
}

/// A step of a response path or an input path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PathItem {
    /// A response key or an input field.
    Name(String),
    /// A place in a list.
    Index(usize),
}

/// One entry of a response's `errors`.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What a client switches on.
    pub code: Code,
    /// A sentence that says what to do.
    pub message: String,
    /// Where in the operation's text, as (line, column) from 1.
    pub locations: Vec<(u32, u32)>,
    /// Where in the answer.
    pub path: Vec<PathItem>,
    /// Further members of `extensions`: `inputPath`, `constraint`, `fields`, `cost`, `limit`, ...
    pub extra: Vec<(&'static str, serde_json::Value)>,
}

impl Failure {
    /// A failure without a place yet.
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), locations: Vec::new(), path: Vec::new(), extra: Vec::new() }
    }
    /// Adds a member of `extensions`.
    pub fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Failure {
        self.extra.push((name, value.into()));
        self
    }
}

/// What ends a transaction's work: something to tell the client, or something to retry or reroute.
#[derive(Debug)]
pub enum Abort {
    /// Tell the client; everything is rolled back.
    Failed(Box<Failure>),
    /// The layer below: conflict (run again), unavailable, storage.
    Consensus(vivarium_consensus::Error),
}

impl From<Failure> for Abort {
    fn from(failure: Failure) -> Abort {
        Abort::Failed(Box::new(failure))
    }
}

impl From<vivarium_consensus::Error> for Abort {
    fn from(error: vivarium_consensus::Error) -> Abort {
        Abort::Consensus(error)
    }
}

impl From<vivarium_storage::Error> for Abort {
    fn from(error: vivarium_storage::Error) -> Abort {
        Abort::Consensus(error.into())
    }
}
