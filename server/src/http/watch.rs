//! For those who watch the process: is it alive, is it ready, what has it counted.

use super::front::{Front, text};
use poem::Response;
use poem::http::{HeaderValue, StatusCode, header};

/// Alive: this answer is the proof.
pub fn live() -> Response {
    text(StatusCode::OK, "live\n")
}

/// Ready: requests that come now can be answered.
pub fn ready(front: &Front) -> Response {
    let hindrance = if front.is_stopping() { Some("stopping".to_owned()) } else { front.hosted().hindrance() };
    match hindrance {
        None => text(StatusCode::OK, "ready\n"),
        Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

/// Prometheus's text format.
pub fn metrics(front: &Front) -> Response {
    let body = front.metrics().encode(front.hosted().node());
    let mut response = text(StatusCode::OK, body);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
