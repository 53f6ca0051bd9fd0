//! Reading a request's body whole, within a bound of bytes and of time.

use bytes::Bytes;
use futures_util::StreamExt;
use poem::http::header::CONTENT_LENGTH;
use poem::{Body, Request};
use std::time::Duration;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More than the limit: said by its length, or found on the way.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke.
    Broken(String),
}

/// The whole body. One that arrives in one piece, as most do, is not copied.
///
/// # Errors
/// See [`BodyError`].
pub async fn read(request: &mut Request, bytes_max: usize, arrival_max: Duration) -> Result<Bytes, BodyError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(BodyError::TooLarge);
    }
    let body = request.take_body();
    match tokio::time::timeout(arrival_max, collect(body, bytes_max)).await {
        Ok(result) => result,
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn collect(body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut stream = body.into_bytes_stream();
    let Some(first) = stream.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(|error| BodyError::Broken(error.to_string()))?;
    if first.len() > bytes_max {
        return Err(BodyError::TooLarge);
    }
    let Some(second) = stream.next().await else { return Ok(first) };
    let mut whole = Vec::from(first);
    let mut next = Some(second);
    while let Some(part) = next {
        let part = part.map_err(|error| BodyError::Broken(error.to_string()))?;
        if whole.len() + part.len() > bytes_max {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&part);
        next = stream.next().await;
    }
    Ok(whole.into())
}
