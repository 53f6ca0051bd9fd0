//! `/schema.graphql`: the generated SDL, for code generators and editors, with an ETag.

use super::accept::Media;
use super::front::{Front, text};
use super::outcome::Refusal;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Request, Response};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use vivarium_schema::Code;

/// Answers with the SDL, or with 304 when the client has it.
pub async fn answer(front: &Front, request: &Request, request_id: &str) -> Response {
    let database = match front.database() {
        Ok(database) => database,
        Err(refusal) => return refusal.into_response(Media::Json, request_id),
    };
    let (sdl, version) = match database.api().await {
        Ok(api) => api,
        Err(error) => {
            tracing::warn!(request_id, %error, "generated schema cannot be read");
            let message = "The schema cannot be read now. Try again later.";
            return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message)
                .into_response(Media::Json, request_id);
        }
    };
    let tag = entity_tag(&sdl, version);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| matches_tag(known, &tag)) {
        let mut response = text(StatusCode::NOT_MODIFIED, "");
        response.headers_mut().remove(header::CONTENT_TYPE);
        response
    } else {
        let mut response = text(StatusCode::OK, sdl.as_ref());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/graphql; charset=utf-8"));
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).expect("a tag is hexadecimal"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The schema's version for people, and a hash, for another release may generate other SDL from the same schema.
fn entity_tag(sdl: &str, version: u32) -> String {
    let mut tag = format!("\"{version}-");
    for byte in &Sha256::digest(sdl.as_bytes())[..8] {
        write!(tag, "{byte:02x}").expect("a string takes everything");
    }
    tag.push('"');
    tag
}

/// Whether `If-None-Match` names the tag.
pub(super) fn matches_tag(known: &str, tag: &str) -> bool {
    known.trim() == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_changes_with_the_text_and_the_version() {
        let tag = entity_tag("type Query { a: Int }", 3);
        assert!(tag.starts_with("\"3-") && tag.ends_with('"') && tag.len() == 20, "{tag}");
        assert_ne!(tag, entity_tag("type Query { b: Int }", 3));
        assert!(matches_tag(&format!("\"x\", W/{tag}"), &tag));
        assert!(matches_tag("*", &tag));
        assert!(!matches_tag("\"x\"", &tag));
    }
}
