//! What must hold, and who says when it does not.

#[cfg(madsim)]
pub mod audit;
pub mod blind;
pub mod certificate;
pub mod content;
pub mod dump;
pub mod elle;
pub mod explain;
pub mod isolation;
pub mod linear;
pub mod model;
pub mod oracles;
pub mod raft;
pub mod real_time;
#[cfg(madsim)]
pub mod replica;
pub mod resources;
pub mod rows;
pub mod schema_model;
#[cfg(madsim)]
pub mod standing;
pub mod task_model;

use crate::history::Call;
use serde::{Deserialize, Serialize};

/// Everybody who may say that the product is wrong. Each must be the only one to catch a planted bug: see mutants.toml.
pub const CHECKERS: [&str; 19] = [
    "bank",
    "certificate",
    "counter",
    "durability",
    "elle",
    "index",
    "linear",
    "liveness",
    "pagination",
    "panic",
    "raft",
    "recovery",
    "relation",
    "replica",
    "resources",
    "set",
    "state",
    "unique",
    "verify",
];

/// Something that must never happen did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Who says so: one of [`CHECKERS`], or the harness and the workload about themselves.
    pub checker: String,
    /// What kind it is.
    pub class: String,
    /// In words.
    pub detail: String,
    /// The calls that it is about, by the order of their begins in the history; none where no call alone is to blame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<u64>,
}

impl Violation {
    /// Names a violation.
    pub fn new(checker: &str, class: &str, detail: impl Into<String>) -> Violation {
        Violation { checker: checker.into(), class: class.into(), detail: detail.into(), about: Vec::new() }
    }

    /// The same, and which calls it is about.
    #[must_use]
    pub fn about<'a>(self, calls: impl IntoIterator<Item = &'a Call>) -> Violation {
        Violation { about: calls.into_iter().map(|call| call.begun.order).collect(), ..self }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.checker, self.class, self.detail)
    }
}
