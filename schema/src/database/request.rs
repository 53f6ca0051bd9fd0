//! What comes in and what goes out.

use crate::Code;
use std::time::Duration;
use vivarium_storage::Version;

/// One GraphQL request, decoded from whatever brought it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The document.
    pub query: String,
    /// Which of its operations; needed when there are several.
    pub operation_name: Option<String>,
    /// The variables as JSON text: an object or nothing.
    pub variables: Option<String>,
    /// Came by GET: a mutation is refused.
    pub read_only: bool,
    /// How long it may take; the limit's default when absent.
    pub timeout: Option<Duration>,
    /// Wait until this version can be read (`Prefer-Version`).
    pub at_least: Option<Version>,
    /// `Idempotency-Key` header: as `@idempotent(key:)`, which wins.
    pub idempotency_key: Option<String>,
    /// For `extensions.requestId` and the log.
    pub request_id: String,
    /// Names the version in `extensions.version` too, for clients that see no headers.
    pub want_version: bool,
    /// `x-explain`: puts the plan into `extensions.plan`.
    pub explain: Option<Explain>,
}

/// What is told of the plan of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// What would be done and what that is thought to cost. Nothing runs, and `data` is null.
    Plan,
    /// What was done beside the answer, with the rows that each step came to and the time that it took.
    Analyze,
}

/// Who asks. Stage 1: everything is open on loopback.
#[derive(Clone, Debug, Default)]
pub struct Session {
    _private: (),
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The whole JSON body.
    pub body: Vec<u8>,
    /// `Some` when nothing was executed (`data` is absent): what HTTP maps to a status.
    pub refused: Option<Code>,
    /// The codes of all errors, for metrics.
    pub errors: Vec<Code>,
    /// The snapshot read, or the commit made: `Vivarium-Version`.
    pub version: Option<Version>,
    /// True for a mutation.
    pub mutation: bool,
    /// For `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Where the time went; `None` when nothing was executed.
    pub timing: Option<Timing>,
}

/// Where the time of an operation that was executed went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The document was met before: it was neither parsed nor validated again.
    pub known: bool,
    /// To parse, validate and plan it, and to fill in its variables.
    pub prepare: Duration,
    /// To wait for the snapshot that it reads, with all that the other nodes are asked for it.
    pub snapshot: Duration,
    /// To read, write, commit and put the answer together, with every further attempt.
    pub execute: Duration,
}
