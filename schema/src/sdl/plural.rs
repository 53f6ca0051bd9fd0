//! From a type's name to the field of one record and the field of many, by simple English rules.

/// Endings that do not follow the rules, singular and plural.
const IRREGULAR: [(&str, &str); 10] = [
    ("person", "people"),
    ("child", "children"),
    ("woman", "women"),
    ("man", "men"),
    ("mouse", "mice"),
    ("goose", "geese"),
    ("foot", "feet"),
    ("tooth", "teeth"),
    ("index", "indexes"),
    ("matrix", "matrices"),
];

/// The field of one record: `MediaType` gives `mediaType`, `URLPattern` gives `urlPattern`.
pub(super) fn singular(type_name: &str) -> String {
    let letters: Vec<char> = type_name.chars().collect();
    let upper = letters.iter().take_while(|letter| letter.is_ascii_uppercase()).count();
    // Of a run of capitals before a small letter, the last begins the next word.
    let word = match letters.get(upper) {
        Some(next) if next.is_ascii_lowercase() && upper > 1 => upper - 1,
        _ => upper,
    };
    letters
        .iter()
        .enumerate()
        .map(|(at, letter)| if at < word { letter.to_ascii_lowercase() } else { *letter })
        .collect()
}

/// The field of many. A name that ends in a single `s` already reads as many and comes back unchanged.
pub(super) fn plural(singular: &str) -> String {
    for (one, many) in IRREGULAR {
        if let Some(stem) = strip_word(singular, one) {
            let first = singular[stem.len()..].chars().next().unwrap_or_default();
            let many = if first.is_ascii_uppercase() { crate::catalog::capitalize(many) } else { many.to_owned() };
            return stem.to_owned() + &many;
        }
    }
    let lower = singular.to_ascii_lowercase();
    let ends = |ending: &str| lower.ends_with(ending);
    if ends("is") {
        return singular[..singular.len() - 2].to_owned() + "es";
    }
    if ends("ss") || ends("us") || ends("x") || ends("z") || ends("ch") || ends("sh") {
        return singular.to_owned() + "es";
    }
    if ends("s") {
        return singular.to_owned();
    }
    if ends("y") && !["ay", "ey", "iy", "oy", "uy"].iter().any(|ending| ends(ending)) && singular.len() > 1 {
        return singular[..singular.len() - 1].to_owned() + "ies";
    }
    singular.to_owned() + "s"
}

/// What stands before a name's last word, if that word is `word`.
fn strip_word<'a>(name: &'a str, word: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(word.len())?;
    let (stem, last) = name.split_at_checked(at)?;
    if !last.eq_ignore_ascii_case(word) {
        return None;
    }
    // "human" does not end in the word "man".
    let begins_word = stem.is_empty() || last.starts_with(|letter: char| letter.is_ascii_uppercase());
    begins_word.then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_type() {
        let cases = [
            ("Customer", "customer", "customers"),
            ("MediaType", "mediaType", "mediaTypes"),
            ("InvoiceLine", "invoiceLine", "invoiceLines"),
            ("Category", "category", "categories"),
            ("Day", "day", "days"),
            ("Address", "address", "addresses"),
            ("Status", "status", "statuses"),
            ("Analysis", "analysis", "analyses"),
            ("Box", "box", "boxes"),
            ("Branch", "branch", "branches"),
            ("Person", "person", "people"),
            ("ContactPerson", "contactPerson", "contactPeople"),
            ("Human", "human", "humans"),
            ("News", "news", "news"),
            ("URLPattern", "urlPattern", "urlPatterns"),
            ("SKU", "sku", "skus"),
            ("HTTP2Session", "http2Session", "http2Sessions"),
            ("y", "y", "ys"),
        ];
        for (type_name, one, many) in cases {
            assert_eq!(singular(type_name), one);
            assert_eq!(plural(one), many);
        }
    }
}
