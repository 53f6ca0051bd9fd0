//! The page that the server shows to browsers, embedded: the binary needs no files beside it.

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its bytes.
    pub bytes: &'static [u8],
    /// For `Content-Type`.
    pub media_type: &'static str,
}

/// The file at `path`, relative to the page's folder: "index.html" is the page itself.
pub fn get(path: &str) -> Option<Asset> {
    match path {
        "index.html" => {
            Some(Asset { bytes: include_bytes!("../dist/index.html"), media_type: "text/html; charset=utf-8" })
        }
        "page.css" => Some(Asset { bytes: include_bytes!("../dist/page.css"), media_type: "text/css; charset=utf-8" }),
        "page.js" => {
            Some(Asset { bytes: include_bytes!("../dist/page.js"), media_type: "text/javascript; charset=utf-8" })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_no_other_server_and_holds_nothing_inline() {
        let page = std::str::from_utf8(get("index.html").unwrap().bytes).unwrap();
        for forbidden in ["http://", "https://", "<style", "style=", "onclick", "<script>"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for path in ["page.css", "page.js"] {
            let text = std::str::from_utf8(get(path).unwrap().bytes).unwrap();
            assert!(page.contains(&format!("/playground/{path}")));
            assert!(!text.contains("innerHTML") && !text.contains("@import"), "{path}");
        }
        assert!(get("../Cargo.toml").is_none());
    }
}
