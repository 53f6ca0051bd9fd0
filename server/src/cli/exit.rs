//! Exit codes, and a failure that carries one. Scripts depend on the numbers: docs/cli.md lists them.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// Why a command ended. A number that is given up is never used for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was looked for was found: damage by `check`, differences by `schema diff --exit-code`.
    Found = 1,
    /// The command line or the configuration is wrong. Also clap's code.
    Usage = 2,
    /// No server answers at the URL.
    Unreachable = 3,
    /// The server answered that it will not do it: wrong SDL, a breaking change, a record that does not fit.
    Refused = 4,
    /// The data folder is in use, belongs to something else, or is damaged.
    Folder = 5,
    /// The address cannot be listened on.
    Address = 6,
    /// The node stopped by itself, after the disk failed it.
    Stopped = 7,
    /// A file on this side cannot be read or written.
    File = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What a command could not do, as text for a person, and the code for a script.
#[derive(Debug)]
pub struct Failure {
    /// For the script.
    pub exit: Exit,
    /// For the person: what is wrong, where, and the way out.
    pub message: String,
}

impl Failure {
    /// A failure from its parts.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// A file that the operating system would not give.
    pub fn file(action: &str, path: &Path, error: &std::io::Error) -> Failure {
        Failure::new(Exit::File, format!("Cannot {action} {}: {error}.", path.display()))
    }
}

/// A reason, which is a fragment, as a sentence for a person.
pub fn sentence(fragment: &str) -> String {
    let mut letters = fragment.trim().chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let end = if fragment.ends_with(['.', '!', '?']) { "" } else { "." };
    first.into_iter().chain(letters).chain(end.chars()).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_becomes_a_sentence() {
        assert_eq!(sentence("the cluster has no node 9"), "The cluster has no node 9.");
        assert_eq!(sentence("No."), "No.");
        assert_eq!(sentence(""), ".");
    }
}
