//! A document without the values that are written in it: what many requests have in common, and what may be shown to
//! whoever looks after the server. Where it is cut, by the lexical grammar of GraphQL (September 2025, section 2.1).

/// The document with `0` in place of each number and `""` in place of each string, without comments. What is no GraphQL
/// comes out as it is, but for these.
pub fn of(document: &str) -> String {
    let mut shape = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(first) = rest.chars().next() {
        let (length, stands) = match first {
            '#' => (rest.find(['\n', '\r']).unwrap_or(rest.len()), Some("")),
            '"' => (string(rest), Some("\"\"")),
            '0'..='9' | '-' => (token(rest, |next| matches!(next, '.' | '+' | '-')), Some("0")),
            _ if is_of_name(first) => (token(rest, |_| false), None),
            _ => (first.len_utf8(), None),
        };
        let (read, left) = rest.split_at(length);
        shape.push_str(stands.unwrap_or(read));
        rest = left;
    }
    shape
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// How long a name or number is that the text begins with.
fn token(text: &str, also: impl Fn(char) -> bool) -> usize {
    text.find(|next| !is_of_name(next) && !also(next)).unwrap_or(text.len())
}

/// How long a string is that the text begins with, quotes included; one that does not end goes to the end of its line, and a
/// block to that of the text.
fn string(text: &str) -> usize {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        let ends = block.match_indices("\"\"\"").map(|(at, _)| at);
        let end = ends.into_iter().find(|at| !block[..*at].ends_with('\\'));
        return end.map_or(text.len(), |at| at + 6);
    }
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\n' | '\r' => return at,
            '"' if !escaped => return at + 1,
            _ => escaped = letter == '\\' && !escaped,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn values_are_left_out_and_names_are_not() {
        let document = "query Q($a: Int = -12) {\n  # the password is hunter2\n  album2(title: \"It's \\\"over\\\"\", n: 1.5e-3, f: [1,2]) { _id4 }\n}";
        let shape = "query Q($a: Int = 0) {\n  \n  album2(title: \"\", n: 0, f: [0,0]) { _id4 }\n}";
        assert_eq!(of(document), shape);
        assert_eq!(of(&of(document)), shape, "a shape is its own shape");
    }

    #[test]
    fn blocks_end_at_three_quotes() {
        assert_eq!(of("{ a(b: \"\"\"one \"two\" \\\"\"\" three\n\"\"\", c: 1) }"), "{ a(b: \"\", c: 0) }");
        assert_eq!(of("{ a(b: \"\", c: \"\"\"\"\"\") }"), "{ a(b: \"\", c: \"\") }");
    }

    #[test]
    fn nothing_of_what_does_not_end_is_shown() {
        assert_eq!(of("{ a(b: \"secret) }\n"), "{ a(b: \"\"\n");
        assert_eq!(of("{ a(b: \"\"\"secret) }\n"), "{ a(b: \"\"");
        assert_eq!(of("{ a(b: \"secret\\"), "{ a(b: \"\"");
        assert_eq!(of("{ ä # ö"), "{ ä ");
    }
}
