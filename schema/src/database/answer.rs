//! The response's JSON: errors, data, extensions, in this order.

use super::request::{Request, Response};
use crate::execute::{Answer, Patch};
use crate::{Abort, Code, Failure, scalar};
use serde_json::{Map, Value, json};
use std::time::Duration;
use vivarium_consensus::Error;
use vivarium_storage::{Error as StorageError, Version, runtime};

/// What data is written behind: an answer without errors is then finished where it stands.
pub(super) const DATA: &[u8] = b"{\"data\":";
/// When to ask a node again that is being opened again: renaming two folders and opening them takes no longer.
const REOPENING_MS: u64 = 500;

/// What goes into `extensions` of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    pub(super) cost: Option<u64>,
    pub(super) warnings: Vec<String>,
    /// What `x-explain` asked for.
    pub(super) plan: Option<Value>,
}

/// An answer to a request that was not executed.
pub(super) fn refused(request: &Request, mutation: bool, failures: Vec<Failure>) -> Response {
    let code = failures.first().map_or(Code::InternalServerError, |failure| failure.code);
    let mut body = b"{\"errors\":".to_vec();
    write_errors(request, &failures, &mut body);
    body.push(b'}');
    Response {
        body,
        refused: Some(code),
        errors: failures.iter().map(|failure| failure.code).collect(),
        version: None,
        mutation,
        retry_after: retry_after(&failures),
        timing: None,
    }
}

/// An answer to a mutation that was rolled back.
pub(super) fn rolled_back(request: &Request, failures: Vec<Failure>) -> Response {
    let refused = refused(request, true, failures);
    let mut body = refused.body;
    body.pop();
    body.extend_from_slice(b",\"data\":null}");
    Response { body, refused: None, ..refused }
}

/// An answer with data, which begins with [`DATA`].
pub(super) fn executed(
    request: &Request,
    answer: Answer,
    extensions: &Extensions,
    version: Version,
    mutation: bool,
) -> Response {
    let Answer { data, patches, failures } = answer;
    let mut body = if patches.is_empty() { data } else { patched(&data, &patches, version) };
    if !failures.is_empty() {
        let mut errors = b"{\"errors\":".to_vec();
        write_errors(request, &failures, &mut errors);
        errors.push(b',');
        errors.extend_from_slice(&body[1..]);
        body = errors;
    }
    write_extensions(extensions, request.want_version.then_some(version), &mut body);
    body.push(b'}');
    Response {
        body,
        refused: None,
        errors: failures.iter().map(|failure| failure.code).collect(),
        version: Some(version),
        mutation,
        retry_after: None,
        timing: None,
    }
}

/// The data with what the commit has decided.
fn patched(data: &[u8], patches: &[(usize, Patch)], version: Version) -> Vec<u8> {
    // A version takes 16 bytes, a time 27, the extensions some more.
    let mut out = Vec::with_capacity(data.len() + patches.len() * 27 + 128);
    let mut written = 0;
    for (at, patch) in patches {
        out.extend_from_slice(&data[written..*at]);
        written = *at;
        match patch {
            Patch::Version => scalar::write_version(version, &mut out),
            Patch::Time => scalar::write_date_time(runtime::micros(version), &mut out),
        }
    }
    out.extend_from_slice(&data[written..]);
    out
}

fn write_extensions(extensions: &Extensions, version: Option<Version>, out: &mut Vec<u8>) {
    let plain = extensions.warnings.is_empty() && extensions.plan.is_none();
    if extensions.cost.is_none() && plain && version.is_none() {
        return;
    }
    out.extend_from_slice(b",\"extensions\":{");
    let mut comma: &[u8] = b"";
    if let Some(cost) = extensions.cost {
        out.extend_from_slice(b"\"cost\":");
        out.extend_from_slice(cost.to_string().as_bytes());
        comma = b",";
    }
    if let Some(version) = version {
        out.extend_from_slice(comma);
        out.extend_from_slice(b"\"version\":\"");
        scalar::write_version(version, out);
        out.push(b'"');
        comma = b",";
    }
    if !extensions.warnings.is_empty() {
        out.extend_from_slice(comma);
        out.extend_from_slice(b"\"warnings\":");
        out.extend_from_slice(json!(extensions.warnings).to_string().as_bytes());
        comma = b",";
    }
    if let Some(plan) = &extensions.plan {
        out.extend_from_slice(comma);
        out.extend_from_slice(b"\"plan\":");
        out.extend_from_slice(plan.to_string().as_bytes());
    }
    out.push(b'}');
}

fn write_errors(request: &Request, failures: &[Failure], out: &mut Vec<u8>) {
    let errors: Vec<Value> = failures.iter().map(|failure| error(request, failure)).collect();
    out.extend_from_slice(Value::Array(errors).to_string().as_bytes());
}

fn error(request: &Request, failure: &Failure) -> Value {
    let mut error = Map::new();
    if failure.code == Code::InternalServerError {
        // What it was is for the log: it may name what the client must not see.
        tracing::error!(request = %request.request_id, reason = %failure.message, "a request failed inside");
        let message = format!("Something went wrong inside. The log has it under the request {}.", request.request_id);
        error.insert("message".to_owned(), message.into());
    } else {
        error.insert("message".to_owned(), failure.message.clone().into());
    }
    let known = |(line, _): &&(u32, u32)| *line > 0;
    let locations: Vec<Value> = failure
        .locations
        .iter()
        .filter(known)
        .map(|(line, column)| json!({ "line": line, "column": column }))
        .collect();
    if !locations.is_empty() {
        error.insert("locations".to_owned(), locations.into());
    }
    if !failure.path.is_empty() {
        error.insert("path".to_owned(), serde_json::to_value(&failure.path).expect("names and numbers are JSON"));
    }
    let mut extensions = Map::new();
    extensions.insert("code".to_owned(), serde_json::to_value(failure.code).expect("a code is JSON"));
    extensions.insert("retryable".to_owned(), retryable(failure).into());
    extensions.insert("requestId".to_owned(), request.request_id.clone().into());
    if failure.code != Code::InternalServerError {
        extensions.extend(failure.extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    error.insert("extensions".to_owned(), extensions.into());
    Value::Object(error)
}

/// Whether the same request may succeed later without a change.
fn retryable(failure: &Failure) -> bool {
    let transient = matches!(
        failure.code,
        Code::TransactionConflict | Code::DeadlineExceeded | Code::RateLimited | Code::Unavailable
    );
    // What may have happened already is not to be done again without a key.
    transient && !failure.extra.iter().any(|(name, _)| *name == "outcome")
}

fn retry_after(failures: &[Failure]) -> Option<Duration> {
    let millis = |failure: &Failure| {
        let (_, value) = failure.extra.iter().find(|(name, _)| *name == "retryAfterMs")?;
        value.as_u64().map(Duration::from_millis)
    };
    failures.iter().find_map(millis)
}

/// What a client is told of what ended its operation.
pub(super) fn failure(abort: Abort) -> Failure {
    let error = match abort {
        Abort::Failed(failure) => return *failure,
        Abort::Consensus(error) => error,
    };
    match error {
        Error::Conflict => Failure::new(
            Code::TransactionConflict,
            "Other operations kept changing the same records. Nothing was written: send it again.",
        ),
        Error::Unavailable { retry_after } => {
            let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
            Failure::new(Code::Unavailable, "No leader can be reached now. Nothing was written: send it again later.")
                .with("retryAfterMs", millis)
        }
        Error::Reopened => Failure::new(
            Code::Unavailable,
            "This node is just being brought up to date. Nothing was written: send it again later.",
        )
        .with("retryAfterMs", REOPENING_MS),
        Error::UnknownOutcome => Failure::new(
            Code::Unavailable,
            "It is not known whether the operation was committed. Look, or send it again with its idempotency key.",
        )
        .with("outcome", "UNKNOWN"),
        Error::DeadlineExceeded => {
            Failure::new(Code::DeadlineExceeded, "The operation took longer than it may. Nothing was written.")
        }
        Error::TooLarge { bytes, limit } => Failure::new(
            Code::QueryTooComplex,
            format!("The operation writes {bytes} bytes, more than {limit}: split it into several."),
        )
        .with("limit", limit),
        Error::VersionGone { version, oldest } => Failure::new(
            Code::InvalidCursor,
            format!("The snapshot {version} is gone, the oldest that is kept is {oldest}: start from the first page."),
        ),
        Error::Storage(StorageError::KeyTooLong { bytes, limit }) => Failure::new(
            Code::BadUserInput,
            format!("A value that is indexed takes {bytes} bytes, more than {limit}: shorten it."),
        ),
        Error::Storage(StorageError::HistoryGone { version, watermark }) => Failure::new(
            Code::InvalidCursor,
            format!(
                "The snapshot {version} is gone, the oldest that is kept is {watermark}: start from the first page."
            ),
        ),
        // Why it stopped names folders of the server: that is for its log and its operators, not for clients.
        Error::Stopped(_) => {
            Failure::new(Code::Unavailable, "This node has stopped and answers nothing more. Its log says why.")
        }
        Error::Refused(reason) => Failure::new(Code::BadUserInput, format!("Refused: {reason}.")),
        // The last two belong to how nodes start; an operation never meets them.
        error @ (Error::Storage(_) | Error::Listen { .. } | Error::Peer { .. }) => {
            Failure::new(Code::InternalServerError, error.to_string())
        }
    }
}
