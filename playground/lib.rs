//! The page that the server shows to browsers, embedded: the binary needs no files beside it.
//!
//! It is built with `make playground` into `dist/`, which is committed. `fallback/` is one plain page for builds without it.

mod files {
    include!(concat!(env!("OUT_DIR"), "/files.rs"));
}

/// Which page is embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The playground.
    Full,
    /// One plain page, of a build without the playground.
    Fallback,
}

/// Which page is embedded.
pub const KIND: Kind = files::KIND;

/// What stands in `index.html` for the nonce of one response.
pub const NONCE: &str = "__CSP_NONCE__";

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its bytes.
    pub bytes: &'static [u8],
    /// For `Content-Type`.
    pub media_type: &'static str,
}

/// All files, as paths relative to the page's folder.
pub fn paths() -> impl Iterator<Item = &'static str> {
    files::FILES.iter().map(|(path, _)| *path)
}

/// The file at `path`, relative to the page's folder: "index.html" is the page itself.
pub fn get(path: &str) -> Option<Asset> {
    let at = files::FILES.binary_search_by(|(name, _)| (*name).cmp(path)).ok()?;
    let (name, bytes) = files::FILES[at];
    Some(Asset { bytes, media_type: media_type(name) })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("md") => "text/plain; charset=utf-8",
        Some("woff2") => "font/woff2",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_names_is_there_and_nothing_stands_inline() {
        let page = std::str::from_utf8(get("index.html").unwrap().bytes).unwrap();
        let mut named = 0;
        for attribute in ["src=\"", "href=\""] {
            for (at, _) in page.match_indices(attribute) {
                let value = page[at + attribute.len()..].split('"').next().unwrap();
                if let Some(path) = value.strip_prefix("/playground/") {
                    assert!(get(path).is_some(), "{path}");
                    named += 1;
                }
                assert!(!value.contains("//") || value.starts_with("data:"), "{value} is another server");
            }
        }
        assert!(named >= 2, "a script and a style");
        for forbidden in ["style=", "onclick", "<script>"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn every_file_has_a_media_type_and_is_found() {
        for path in paths() {
            assert_ne!(get(path).unwrap().media_type, "application/octet-stream", "{path}");
        }
        for wrong in ["", "../Cargo.toml", "assets", "assets/nope.js", "/index.html"] {
            assert!(get(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_playground_is_what_is_embedded() {
        assert_eq!(KIND, Kind::Full, "dist/ is committed: run `make playground`");
        assert!(std::str::from_utf8(get("index.html").unwrap().bytes).unwrap().contains(NONCE));
    }
}
