//! `Accept` negotiation between the two JSON types of GraphQL over HTTP, and the page for browsers.

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/json`: a GraphQL error is answered with 200.
    Json,
    /// `application/graphql-response+json`: the status says what happened.
    GraphqlResponse,
    /// `text/html`: a person looks at it.
    Html,
}

impl Media {
    /// For `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Media::Json => "application/json; charset=utf-8",
            Media::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Media::Html => "text/html; charset=utf-8",
        }
    }
}

/// The type that the client likes best: by quality, then by how exactly it was named, then the newer JSON type.
/// HTML has to be named. `None` when nothing that we have is acceptable.
pub fn negotiate(accept: Option<&str>) -> Option<Media> {
    let accept = match accept {
        None | Some("*/*" | "application/json") => return Some(Media::Json),
        Some("application/graphql-response+json") => return Some(Media::GraphqlResponse),
        Some(other) => other,
    };
    let mut best: Option<(u16, u8, Media)> = None;
    // In this order, for a later one wins only when it is better: GraphqlResponse before Json before Html on a tie
    // of exact names; a wildcard means the type that every client understands.
    for media in [Media::GraphqlResponse, Media::Json, Media::Html] {
        let Some((quality, precision)) = quality_of(accept, media) else { continue };
        let wins = match best {
            None => true,
            Some((q, p, _)) => {
                (quality, precision) > (q, p)
                    || (media == Media::Json && precision < EXACT && (quality, precision) == (q, p))
            }
        };
        if quality > 0 && wins {
            best = Some((quality, precision, media));
        }
    }
    best.map(|(_, _, media)| media)
}

const EXACT: u8 = 2;

/// The quality in thousandths and the precision of the most exact range that covers `media`.
fn quality_of(accept: &str, media: Media) -> Option<(u16, u8)> {
    let mut found: Option<(u16, u8)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let precision = match precision(name, media) {
            Some(precision) => precision,
            None => continue,
        };
        let quality = parts
            .filter_map(|part| part.trim().strip_prefix("q=").or_else(|| part.trim().strip_prefix("Q=")))
            .map(thousandths)
            .next()
            .unwrap_or(1000);
        if found.is_none_or(|(_, earlier)| precision > earlier) {
            found = Some((quality, precision));
        }
    }
    found
}

fn precision(name: &str, media: Media) -> Option<u8> {
    let full = match media {
        Media::Json => "application/json",
        Media::GraphqlResponse => "application/graphql-response+json",
        Media::Html => "text/html",
    };
    if name.eq_ignore_ascii_case(full) {
        Some(EXACT)
    } else if media == Media::Html {
        None
    } else if name.eq_ignore_ascii_case("application/*") {
        Some(1)
    } else {
        (name == "*/*").then_some(0)
    }
}

/// A quality as in RFC 9110; one that is malformed counts as 1, as if it were not there.
fn thousandths(text: &str) -> u16 {
    match text.trim().parse::<f32>() {
        Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1000.0).round() as u16,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_type_is_chosen() {
        let cases = [
            (None, Some(Media::Json)),
            (Some("*/*"), Some(Media::Json)),
            (Some("application/*"), Some(Media::Json)),
            (Some("application/json"), Some(Media::Json)),
            (Some("application/json; charset=utf-8"), Some(Media::Json)),
            (Some("application/graphql-response+json"), Some(Media::GraphqlResponse)),
            (Some("application/graphql-response+json, application/json"), Some(Media::GraphqlResponse)),
            (Some("application/json, application/graphql-response+json"), Some(Media::GraphqlResponse)),
            (Some("application/graphql-response+json;q=0.5, application/json"), Some(Media::Json)),
            (
                Some("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"),
                Some(Media::GraphqlResponse),
            ),
            (Some("application/json, */*"), Some(Media::Json)),
            (Some("application/graphql-response+json, */*"), Some(Media::GraphqlResponse)),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Some(Media::Html)),
            (Some("text/html;q=0.5, application/json"), Some(Media::Json)),
            (Some("text/plain"), None),
            (Some("application/json;q=0"), None),
            (Some("application/json;q=0, */*"), Some(Media::GraphqlResponse)),
            (Some("APPLICATION/JSON"), Some(Media::Json)),
            (Some("application/json;q=nonsense"), Some(Media::Json)),
            (Some(""), None),
        ];
        for (accept, expected) in cases {
            assert_eq!(negotiate(accept), expected, "{accept:?}");
        }
    }
}
