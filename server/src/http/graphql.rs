//! `/graphql`, the data plane: one operation a request.
//!
//! Invariant: every answer names its request, and the version that it read or made.

use super::accept::{self, Media};
use super::body::{self, BodyError};
use super::front::Front;
use super::operation::Operation;
use super::outcome::{self, Refusal, TIMING, VERSION};
use crate::operations::Call;
use futures_util::FutureExt;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;
use vivarium_schema::{Code, Explain, Session};
use vivarium_storage::Version;

/// An `Idempotency-Key` is kept with the outcome for a day, so it has a bound.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// What a client is told when it finds the queue full: about the time that a full queue takes.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// Answers a request to `/graphql`.
pub async fn answer(front: &Front, mut request: Request, request_id: String) -> Response {
    let Some(media) = accept::negotiate(accept_of(&request)) else {
        return not_acceptable().into_response(Media::Json, &request_id);
    };
    if media == Media::Html && request.method() == Method::GET && request.uri().query().is_none() {
        return super::page::home(front.nonce());
    }
    let media = if media == Media::Html { Media::Json } else { media };
    match decode(front, &mut request).await {
        Ok(decoded) => execute(front, decoded, media, request_id).await,
        Err(refusal) => {
            front.counters().refused(refusal.code);
            tracing::debug!(request_id, code = ?refusal.code, message = %refusal.message, "request refused");
            refusal.into_response(media, &request_id)
        }
    }
}

/// A request as the database takes it, but for its id.
fn accept_of(request: &Request) -> Option<&str> {
    request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok())
}

fn not_acceptable() -> Refusal {
    Refusal::new(
        StatusCode::NOT_ACCEPTABLE,
        Code::BadUserInput,
        "Answers are application/graphql-response+json or application/json, and Accept allows neither.",
    )
}

async fn decode(front: &Front, request: &mut Request) -> Result<vivarium_schema::Request, Refusal> {
    let operation = match *request.method() {
        Method::POST => {
            require_json(request.headers())?;
            let limits = &front.options().http;
            let body = body::read(request, limits.body_bytes_max, limits.arrival_max())
                .await
                .map_err(|error| body_refusal(error, limits.body_bytes_max))?;
            Operation::from_body(&body)?
        }
        Method::GET => Operation::from_request(request)?,
        _ => {
            let refusal = Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Code::BadUserInput,
                "Send operations with POST, or queries with GET.",
            );
            return Err(refusal.with_header(header::ALLOW, HeaderValue::from_static("GET, POST")));
        }
    };
    Ok(vivarium_schema::Request {
        query: operation.query,
        operation_name: operation.operation_name,
        variables: operation.variables,
        read_only: request.method() == Method::GET,
        timeout: None,
        at_least: prefer_version(request.headers())?,
        idempotency_key: idempotency_key(request.headers())?,
        request_id: String::new(),
        want_version: operation.want_version,
        explain: explain(request.headers())?,
    })
}

/// A browser sends JSON to another site only after it asked, and we never say yes: that is what keeps pages out.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given == "application/json" {
        return Ok(());
    }
    let mut parts = given.split(';');
    let is_json = parts.next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|part| match part.trim().split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            matches!(value.trim().trim_matches('"').to_ascii_lowercase().as_str(), "utf-8" | "utf8")
        }
        _ => true,
    });
    if is_json && is_utf8 {
        return Ok(());
    }
    let refusal = Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::BadUserInput,
        "The body must be JSON in UTF-8. Send it with Content-Type: application/json.",
    );
    Err(refusal
        .with_header(poem::http::HeaderName::from_static("accept-post"), HeaderValue::from_static("application/json")))
}

pub(super) fn body_refusal(error: BodyError, bytes_max: usize) -> Refusal {
    match error {
        BodyError::TooLarge => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::BadUserInput,
            format!(
                "The body is larger than {bytes_max} bytes. Send less at once, or raise http.body_bytes_max in the \
                 server's configuration."
            ),
        ),
        BodyError::TooSlow => {
            Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::BadUserInput, "The body did not arrive in time.")
        }
        BodyError::Broken(reason) => {
            Refusal::new(StatusCode::BAD_REQUEST, Code::BadUserInput, format!("The body broke off: {reason}."))
        }
    }
}

fn prefer_version(headers: &HeaderMap) -> Result<Option<Version>, Refusal> {
    let Some(value) = headers.get("prefer-version") else { return Ok(None) };
    value.to_str().ok().and_then(|text| text.trim().parse().ok()).map(|version| Some(Version(version))).ok_or_else(
        || {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                Code::BadUserInput,
                "Prefer-Version must be a number, as Vivarium-Version of an earlier answer was.",
            )
        },
    )
}

fn explain(headers: &HeaderMap) -> Result<Option<Explain>, Refusal> {
    let Some(value) = headers.get("x-explain") else { return Ok(None) };
    match value.to_str().map(str::trim) {
        Ok(word) if word.eq_ignore_ascii_case("plan") => Ok(Some(Explain::Plan)),
        Ok(word) if word.eq_ignore_ascii_case("analyze") => Ok(Some(Explain::Analyze)),
        _ => Err(Refusal::new(StatusCode::BAD_REQUEST, Code::BadUserInput, "X-Explain must be plan or analyze.")),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            Code::BadUserInput,
            format!("Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters."),
        )),
    }
}

async fn execute(front: &Front, mut request: vivarium_schema::Request, media: Media, request_id: String) -> Response {
    let database = match front.database() {
        Ok(database) => database,
        Err(refusal) => {
            front.counters().refused(refusal.code);
            return refusal.into_response(media, &request_id);
        }
    };
    let Some(_turn) = front.turn().await else {
        front.counters().refused(Code::Unavailable);
        let refusal = Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            "The server has more requests than it can take. Try again later.",
        );
        return refusal
            .with_header(header::RETRY_AFTER, outcome::retry_after(BUSY_RETRY))
            .into_response(media, &request_id);
    };
    request.request_id.clone_from(&request_id);
    let by_get = request.read_only;
    // A plan on its own is no execution, and one that is measured is slower.
    let text = request.explain.is_none().then(|| (request.query.clone(), request.operation_name.clone()));
    let span = tracing::debug_span!("request", request_id, operation = request.operation_name.as_deref());
    let began = Instant::now();
    let session = Session::default();
    let running = database.execute(request, &session);
    let caught = AssertUnwindSafe(running.instrument(span.clone())).catch_unwind().await;
    let elapsed = began.elapsed();
    let Ok(answer) = caught else {
        tracing::error!(request_id, "request ended in a panic");
        front.counters().answered(false, elapsed, &[Code::InternalServerError]);
        let refusal = Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::InternalServerError,
            "An error inside the server ended this request. Nothing of it was kept. The log has it under the request id.",
        );
        return refusal.into_response(media, &request_id);
    };
    front.counters().answered(answer.mutation, elapsed, &answer.errors);
    if let Some((document, name)) = text.filter(|_| is_operation(&answer)) {
        let (mutation, failed) = (answer.mutation, !answer.errors.is_empty());
        let answer_bytes = answer.body.len();
        front.operations().record(&Call {
            document: &document,
            name: name.as_deref(),
            mutation,
            failed,
            elapsed,
            answer_bytes,
        });
    }
    span.in_scope(|| report(front, &answer, elapsed));
    into_response(answer, by_get, media, &request_id)
}

/// Whether there was an operation to execute: of what is no GraphQL, or fits no schema, there is no end.
fn is_operation(answer: &vivarium_schema::Response) -> bool {
    use Code::{GraphqlParseFailed, GraphqlValidationFailed, OperationResolutionFailure};
    !matches!(answer.refused, Some(GraphqlParseFailed | GraphqlValidationFailed | OperationResolutionFailure))
}

fn report(front: &Front, answer: &vivarium_schema::Response, elapsed: Duration) {
    let duration_ms = elapsed.as_secs_f64() * 1e3;
    let code = answer.errors.first();
    if elapsed >= Duration::from_millis(front.options().http.slow_ms) {
        tracing::warn!(duration_ms, ?code, mutation = answer.mutation, "slow request");
    } else {
        tracing::debug!(duration_ms, ?code, mutation = answer.mutation, bytes = answer.body.len(), "request answered");
    }
}

fn into_response(answer: vivarium_schema::Response, by_get: bool, media: Media, request_id: &str) -> Response {
    let mutation_by_get = by_get && answer.mutation && answer.refused.is_some();
    let status = match answer.refused {
        _ if mutation_by_get => StatusCode::METHOD_NOT_ALLOWED,
        Some(code) => outcome::status_of(code, media),
        None => StatusCode::OK,
    };
    let mut response = outcome::respond(status, media, answer.body, request_id);
    let headers = response.headers_mut();
    if let Some(version) = answer.version {
        headers.insert(VERSION, HeaderValue::from(version.0));
    }
    if let Some(timing) = &answer.timing {
        headers.insert(TIMING, outcome::server_timing(timing));
    }
    if let Some(wait) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, outcome::retry_after(wait));
    }
    if mutation_by_get {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    if by_get {
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}
