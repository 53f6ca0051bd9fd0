//! The page for browsers, embedded in the binary, under a policy that allows this server alone.

use poem::Response;
use poem::http::{HeaderValue, StatusCode, header};
use vivarium_playground::Asset;

/// No inline script or style, no other server, no frames: what a stored string can do in the page is be read.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// What a browser gets at `/` and at `/graphql`.
pub fn home() -> Response {
    asset("index.html").expect("the page is embedded when this is compiled")
}

/// A file of the page.
pub fn asset(path: &str) -> Option<Response> {
    vivarium_playground::get(path).map(respond)
}

fn respond(asset: Asset) -> Response {
    let mut response = Response::builder().status(StatusCode::OK).body(asset.bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}
