//! Data goes to standard output, words for people to standard error. A closed pipe ends the output, not the program.

use super::{Exit, Failure};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Writes data for the next program, and a line end when it has none.
///
/// # Errors
/// A failure when standard output cannot be written (a full disk); a reader that went away is no failure.
pub fn data(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::File, format!("Cannot write to standard output: {error}.")))
        }
        _ => Ok(()),
    }
}

/// Writes a value as one line of JSON.
///
/// # Errors
/// As [`data`].
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    data(&serde_json::to_string(value).expect("what we print has string keys and no fallible parts"))
}

/// Tells the person something. Nobody may be there to read it, so a failed write is let go.
pub fn say(text: &str) {
    let mut err = io::stderr().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let _ = write!(err, "{text}{end}");
}

/// Whether a person reads standard error.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}
