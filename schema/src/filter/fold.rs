//! Simple case folding: what `ignoreCase` compares. One character always folds to one.

/// The text with every character folded.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().map(fold_char).collect() }
}

/// The character that stands for all that differ from it in case only.
fn fold_char(character: char) -> char {
    match character {
        // Only Turkish folds these to "i", and folding knows no language.
        '\u{130}' | '\u{131}' => character,
        _ => lower(upper(character)),
    }
}

fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

fn lower(character: char) -> char {
    let mut mapped = character.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_beyond_ascii() {
        assert_eq!(fold("MÖTLEY CRÜE"), fold("mötley crüe"));
        assert_eq!(fold("ΣΊΣΥΦΟΣ"), fold("σίσυφος"));
        assert_eq!(fold("\u{212A}elvin"), "kelvin");
        assert_ne!(fold("straße"), fold("strasse"), "simple folding keeps the length");
    }

    #[test]
    fn agrees_with_the_regex_crate() {
        for character in ('\u{0}'..='\u{24FF}').filter(|character| character.is_alphabetic()) {
            let pattern = format!("^(?i:{})$", regex::escape(&character.to_string()));
            let regex = regex::Regex::new(&pattern).expect("an escaped character is a pattern");
            assert!(regex.is_match(&fold_char(character).to_string()), "{character:?} folds to another letter");
        }
    }
}
