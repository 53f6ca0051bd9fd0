//! What a request comes to: the database's answer or our refusal, with the status and headers that HTTP wants.

use super::accept::Media;
use poem::Response;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;
use vivarium_schema::{Code, Timing};

/// A request that does not reach the database.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What HTTP calls it.
    pub status: StatusCode,
    /// What GraphQL calls it.
    pub code: Code,
    /// A sentence that says what to do.
    pub message: Cow<'static, str>,
    /// A header that the status calls for: `Allow`, `Accept-Post`, `Retry-After`.
    pub header: Option<(HeaderName, HeaderValue)>,
}

/// The answer's version, for `Prefer-Version` of a later request.
pub const VERSION: HeaderName = HeaderName::from_static("vivarium-version");
/// Where the time of an operation went, as the W3C's Server Timing has it: browsers show it beside a request.
pub const TIMING: HeaderName = HeaderName::from_static("server-timing");
/// The request's name.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Refusal {
    /// A refusal without a special header.
    pub fn new(status: StatusCode, code: Code, message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, code, message: message.into(), header: None }
    }

    /// Adds the header that the status calls for.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Refusal {
        self.header = Some((name, value));
        self
    }

    /// The refusal as an answer in GraphQL's form.
    pub fn into_response(self, media: Media, request_id: &str) -> Response {
        let retryable = matches!(self.code, Code::Unavailable | Code::RateLimited | Code::DeadlineExceeded);
        let body = RefusalBody {
            errors: [RefusalError {
                message: &self.message,
                extensions: RefusalExtensions { code: self.code, retryable, request_id },
            }],
        };
        let body = serde_json::to_vec(&body).expect("strings and a bool always have a JSON form");
        let media = if media == Media::Html { Media::Json } else { media };
        let mut response = respond(self.status, media, body, request_id);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[derive(Serialize)]
struct RefusalBody<'a> {
    errors: [RefusalError<'a>; 1],
}

#[derive(Serialize)]
struct RefusalError<'a> {
    message: &'a str,
    extensions: RefusalExtensions<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusalExtensions<'a> {
    code: Code,
    retryable: bool,
    request_id: &'a str,
}

/// An answer with the headers that all answers have.
pub fn respond(status: StatusCode, media: Media, body: Vec<u8>, request_id: &str) -> Response {
    let mut response = Response::builder().status(status).body(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The status of an answer in which nothing was executed. With `application/json` a well-formed request is answered
/// with 200 whatever its document says; trouble that is ours keeps its status, for proxies and retries act on it.
pub fn status_of(code: Code, media: Media) -> StatusCode {
    match code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::OperationNotAllowed => StatusCode::FORBIDDEN,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::PersistedQueryNotFound
        | Code::NotFound
        | Code::UniqueViolation
        | Code::ReferenceViolation
        | Code::CheckViolation
        | Code::PreconditionFailed
        | Code::AffectedLimitExceeded
        | Code::TransactionConflict => StatusCode::OK,
        Code::GraphqlParseFailed
        | Code::GraphqlValidationFailed
        | Code::BadUserInput
        | Code::OperationResolutionFailure
        | Code::PersistedQueryNotSupported
        | Code::QueryTooComplex
        | Code::PageTooLarge
        | Code::InvalidCursor => {
            if media == Media::GraphqlResponse {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            }
        }
    }
}

/// The parts that an operation's time was made of, in milliseconds.
pub fn server_timing(timing: &Timing) -> HeaderValue {
    let millis = |part: Duration| part.as_micros() as f64 / 1e3;
    let known = if timing.known { ";desc=\"known\"" } else { "" };
    let Timing { prepare, snapshot, execute, .. } = *timing;
    let text = format!(
        "prepare{known};dur={}, snapshot;dur={}, execute;dur={}, total;dur={}",
        millis(prepare),
        millis(snapshot),
        millis(execute),
        millis(prepare + snapshot + execute)
    );
    HeaderValue::try_from(text).expect("numbers and names are visible ASCII")
}

/// Whole seconds, rounded up: a client that comes back in time finds it possible.
pub fn retry_after(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_follows_the_code_and_the_media_type() {
        assert_eq!(status_of(Code::GraphqlParseFailed, Media::Json), 200);
        assert_eq!(status_of(Code::GraphqlParseFailed, Media::GraphqlResponse), 400);
        assert_eq!(status_of(Code::Unavailable, Media::Json), 503);
        assert_eq!(status_of(Code::UniqueViolation, Media::GraphqlResponse), 200);
    }

    #[test]
    fn times_are_told_in_milliseconds() {
        let micros = Duration::from_micros;
        let timing = Timing { known: true, prepare: micros(12), snapshot: micros(0), execute: micros(1_900) };
        assert_eq!(
            server_timing(&timing),
            "prepare;desc=\"known\";dur=0.012, snapshot;dur=0, execute;dur=1.9, total;dur=1.912"
        );
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(retry_after(Duration::from_millis(1)), "1");
        assert_eq!(retry_after(Duration::from_secs(2)), "2");
        assert_eq!(retry_after(Duration::from_millis(2001)), "3");
    }
}
