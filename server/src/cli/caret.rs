//! Errors in a file, each under its line with a caret under its place.

use serde::Deserialize;
use std::fmt::Write;
use vivarium_schema::sdl::SchemaError;

/// Something wrong at a place of a text.
#[derive(Clone, Debug, Deserialize)]
pub struct Place {
    /// What is wrong and how to put it right.
    pub message: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// Which rule was broken.
    pub rule: String,
}

impl From<&SchemaError> for Place {
    fn from(error: &SchemaError) -> Place {
        Place { message: error.message.clone(), line: error.line, column: error.column, rule: error.rule.to_owned() }
    }
}

/// All errors of a text, each with its line.
pub fn render(file: &str, text: &str, places: &[Place]) -> String {
    let mut out = String::new();
    for place in places {
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        // A string takes everything, so that writing to it cannot fail.
        let _ = writeln!(out, "{}", place.message);
        let _ = writeln!(out, "{margin}--> {file}:{}:{}", place.line, place.column);
        if let Some(line) = text.lines().nth(place.line.saturating_sub(1) as usize) {
            let _ = writeln!(out, "{margin} |");
            let _ = writeln!(out, "{number} | {line}");
            let _ = writeln!(out, "{margin} | {}", underline(line, place.column));
        }
        let _ = writeln!(out, "{margin} = rule: {}", place.rule);
        out.push('\n');
    }
    let errors = if places.len() == 1 { "1 error".to_owned() } else { format!("{} errors", places.len()) };
    let _ = write!(out, "{file} has {errors}; nothing was changed.");
    out
}

/// Carets under the word at `column`, with the tabs of the line kept so that they stand under it.
fn underline(line: &str, column: u32) -> String {
    let before = column.saturating_sub(1) as usize;
    let mut out: String = line.chars().take(before).map(|char| if char == '\t' { '\t' } else { ' ' }).collect();
    let is_word = |char: &char| char.is_alphanumeric() || matches!(char, '_' | '@' | '$');
    let width = line.chars().skip(before).take_while(is_word).count().max(1);
    out.extend(std::iter::repeat_n('^', width));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_the_place() {
        let text = "type Song @collection {\n\talbum: Ablum!\n}\n";
        let place = Place {
            message: "There is no type Ablum. Did you mean Album?".into(),
            line: 2,
            column: 9,
            rule: "unknown-type".into(),
        };
        let past_the_end =
            Place { message: "The text ends too early.".into(), line: 4, column: 1, rule: "syntax".into() };
        insta::assert_snapshot!(render("schema.graphql", text, &[place, past_the_end]), @r"
        There is no type Ablum. Did you mean Album?
         --> schema.graphql:2:9
          |
        2 | 	album: Ablum!
          | 	       ^^^^^
          = rule: unknown-type

        The text ends too early.
         --> schema.graphql:4:1
          = rule: syntax

        schema.graphql has 2 errors; nothing was changed.
        ");
    }
}
