//! Checkers that are blind: what they find is noted and the run goes on, so that it shows what the others see by themselves.
//!
//! Without a blind checker nothing here has an effect.

use super::Violation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Stands for all checkers.
pub const ALL: &str = "all";
/// What they say is about the simulator and no bug of the product: never ignored.
const NEVER: [&str; 2] = ["harness", "workload"];

#[derive(Default)]
struct Blind {
    checkers: BTreeSet<String>,
    /// What each of them found first.
    noted: BTreeMap<String, Violation>,
}

static BLIND: Mutex<Option<Blind>> = Mutex::new(None);

/// Makes checkers blind in this process.
pub fn begin(checkers: &[String]) {
    if !checkers.is_empty() {
        let checkers = checkers.iter().cloned().collect();
        *BLIND.lock().unwrap_or_else(PoisonError::into_inner) = Some(Blind { checkers, noted: BTreeMap::new() });
    }
}

/// Notes what a blind checker found. False when it is not blind: then it must be told.
pub fn note(found: &Violation) -> bool {
    BLIND.lock().unwrap_or_else(PoisonError::into_inner).as_mut().is_some_and(|blind| blind.note(found))
}

impl Blind {
    fn note(&mut self, found: &Violation) -> bool {
        let is_blind = self.checkers.contains(ALL) || self.checkers.contains(&found.checker);
        if !is_blind || NEVER.contains(&found.checker.as_str()) {
            return false;
        }
        self.noted.entry(found.checker.clone()).or_insert_with(|| found.clone());
        true
    }
}

/// Lets the run go on over what a blind checker found. True when there was nothing.
///
/// # Errors
/// What a checker found that is not blind.
pub fn pardon(checked: Result<(), Violation>) -> Result<bool, Violation> {
    match checked {
        Ok(()) => Ok(true),
        Err(found) if note(&found) => Ok(false),
        Err(found) => Err(found),
    }
}

/// What blind checkers found, each its first.
pub fn noted() -> Vec<Violation> {
    let guard = BLIND.lock().unwrap_or_else(PoisonError::into_inner);
    guard.as_ref().map(|blind| blind.noted.values().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blind(checkers: &[&str]) -> Blind {
        Blind { checkers: checkers.iter().map(|checker| (*checker).to_owned()).collect(), noted: BTreeMap::new() }
    }

    #[test]
    fn only_the_blind_are_ignored_and_the_harness_never() {
        let found = |checker: &str| Violation::new(checker, "class", "detail");
        let mut one = blind(&["elle"]);
        assert!(one.note(&found("elle")) && one.note(&found("elle")));
        assert!(!one.note(&found("certificate")));
        assert_eq!(one.noted.len(), 1);
        let mut all = blind(&[ALL]);
        assert!(all.note(&found("certificate")));
        assert!(!all.note(&found("harness")));
    }
}
