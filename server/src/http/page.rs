//! The page for browsers, embedded in the binary, under a policy that allows this server alone.
//!
//! The page itself carries a nonce that no other response has. Its files are compressed once and known by their hash.

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Request, Response};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock};
use vivarium_playground::{Asset, NONCE};

/// No inline script or style but those with the nonce, no other server, no frames: what a stored string can do in the
/// page is be read.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-__CSP_NONCE__'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Most of what brotli gains: a browser waits for it once, and its best takes twenty times as long.
const BROTLI_QUALITY: i32 = 5;

/// What a browser gets at `/`, at `/graphql` and at any path below `/playground/` that names no file. `nonce` must be
/// fresh: who knows it can style the page.
pub fn home(nonce: u128) -> Response {
    let page = vivarium_playground::get("index.html").expect("the page is embedded when this is compiled");
    let nonce = format!("{nonce:032x}");
    let text = String::from_utf8_lossy(page.bytes).replace(NONCE, &nonce);
    let mut response = Response::builder().status(StatusCode::OK).body(text);
    let headers = response.headers_mut();
    protect(headers, page.media_type);
    let policy = HeaderValue::from_str(&POLICY.replace(NONCE, &nonce)).expect("a policy and hexadecimal digits");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// What is at `path` below `/playground/`: a file, the page for a place within it, or nothing.
pub fn below(path: &str, request: &Request, nonce: impl FnOnce() -> u128) -> Option<Response> {
    match vivarium_playground::get(path) {
        Some(_) if path == "index.html" => Some(home(nonce())),
        Some(asset) => Some(file(path, asset, request)),
        None if path.rsplit('/').next().is_some_and(|last| last.contains('.')) => None,
        None => Some(home(nonce())),
    }
}

fn file(path: &str, asset: Asset, request: &Request) -> Response {
    let encoding = Encoding::choose(asset, request.headers());
    let encoded = encoded(path, asset, encoding);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| super::schema::matches_tag(known, encoded.tag));
    let mut response = if is_known {
        Response::builder().status(StatusCode::NOT_MODIFIED).finish()
    } else {
        Response::builder().status(StatusCode::OK).body(encoded.bytes)
    };
    let headers = response.headers_mut();
    protect(headers, asset.media_type);
    if let Some(name) = encoding.name() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    headers.insert(header::ETAG, HeaderValue::from_str(encoded.tag).expect("a tag is hexadecimal"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

fn protect(headers: &mut HeaderMap, media_type: &'static str) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Encoding {
    Plain,
    Gzip,
    Brotli,
}

impl Encoding {
    /// The smallest that the client takes. Fonts are compressed already.
    fn choose(asset: Asset, headers: &HeaderMap) -> Encoding {
        if asset.media_type == "font/woff2" {
            return Encoding::Plain;
        }
        let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
        let takes = |name: &str| {
            accepted.split(',').any(|one| {
                let mut parts = one.split(';').map(str::trim);
                parts.next() == Some(name) && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
            })
        };
        match (takes("br"), takes("gzip")) {
            (true, _) => Encoding::Brotli,
            (false, true) => Encoding::Gzip,
            (false, false) => Encoding::Plain,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Encoding::Plain => None,
            Encoding::Gzip => Some("gzip"),
            Encoding::Brotli => Some("br"),
        }
    }

    fn encode(self, bytes: &'static [u8]) -> Vec<u8> {
        let written = "memory takes every byte";
        match self {
            Encoding::Plain => bytes.to_vec(),
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(bytes).expect(written);
                encoder.finish().expect(written)
            }
            Encoding::Brotli => {
                let mut out = Vec::new();
                let parameters = BrotliEncoderParams { quality: BROTLI_QUALITY, ..BrotliEncoderParams::default() };
                brotli::BrotliCompress(&mut &bytes[..], &mut out, &parameters).expect(written);
                out
            }
        }
    }
}

/// A file as it is sent. It lives as long as the process, like the bytes that it was made from.
#[derive(Clone, Copy)]
struct Encoded {
    bytes: &'static [u8],
    tag: &'static str,
}

/// Made once for each file and encoding: there are few of both.
fn encoded(path: &str, asset: Asset, encoding: Encoding) -> Encoded {
    static MADE: OnceLock<Mutex<BTreeMap<(String, Encoding), Encoded>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *made.entry((path.to_owned(), encoding)).or_insert_with(|| {
        let bytes = match encoding {
            Encoding::Plain => asset.bytes,
            _ => Vec::leak(encoding.encode(asset.bytes)),
        };
        Encoded { bytes, tag: String::leak(entity_tag(bytes)) }
    })
}

fn entity_tag(bytes: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in &Sha256::digest(bytes)[..16] {
        write!(tag, "{byte:02x}").expect("a string takes everything");
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(accepted: &str) -> Encoding {
        let asset = vivarium_playground::get("assets/app.js").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(accepted).unwrap());
        Encoding::choose(asset, &headers)
    }

    #[test]
    fn an_encoding_is_one_that_the_client_takes() {
        assert_eq!(choice("gzip, deflate, br"), Encoding::Brotli);
        assert_eq!(choice("gzip;q=1.0, br;q=0"), Encoding::Gzip);
        assert_eq!(choice("identity"), Encoding::Plain);
        assert_eq!(choice("brotli"), Encoding::Plain);
    }

    #[test]
    fn an_encoded_file_is_smaller_and_has_a_tag_of_its_own() {
        let asset = vivarium_playground::get("assets/app.js").unwrap();
        let [plain, gzip, brotli] =
            [Encoding::Plain, Encoding::Gzip, Encoding::Brotli].map(|one| encoded("assets/app.js", asset, one));
        assert!(brotli.bytes.len() < gzip.bytes.len() && gzip.bytes.len() < plain.bytes.len());
        assert!(plain.tag != gzip.tag && gzip.tag != brotli.tag);
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &brotli.bytes[..], &mut back).unwrap();
        assert_eq!(back, asset.bytes);
    }
}
