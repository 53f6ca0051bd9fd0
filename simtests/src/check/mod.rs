//! What must hold, and who says when it does not.

#[cfg(madsim)]
pub mod audit;
pub mod certificate;
pub mod content;
pub mod dump;
pub mod elle;
pub mod linear;
pub mod model;
pub mod oracles;
#[cfg(madsim)]
pub mod replica;
#[cfg(madsim)]
pub mod standing;
pub mod task_model;

use serde::{Deserialize, Serialize};

/// Something that must never happen did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Who says so: durability, state, verify, certificate, elle, linear, bank, set, recovery, liveness, panic.
    pub checker: String,
    /// What kind it is.
    pub class: String,
    /// In words.
    pub detail: String,
}

impl Violation {
    /// Names a violation.
    pub fn new(checker: &str, class: &str, detail: impl Into<String>) -> Violation {
        Violation { checker: checker.into(), class: class.into(), detail: detail.into() }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.checker, self.class, self.detail)
    }
}
