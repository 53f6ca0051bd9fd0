//! What a database holds after all that happened: everything told is there, everything else all or nothing.

use super::certificate::Replay;
use super::model::State;
use super::{Violation, blind};
use crate::history::Known;
use crate::workload::{Action, Reply};
use std::collections::BTreeMap;

/// Mutations that had no answer, sent again under their keys, with what they were answered then.
pub type Repeated = Vec<(String, Action, Reply)>;

/// A read of everything is not older than anything that was told.
///
/// # Errors
/// What was told is lost.
pub fn check_told(known: &Known, version: u64) -> Result<(), Violation> {
    if version < known.told {
        let detail = format!("the newest version is {version}, but {} had been told", known.told);
        return Err(Violation::new("durability", "lost", detail));
    }
    Ok(())
}

/// What was found at a version is what the model makes of all that had been done by then.
///
/// # Errors
/// The first difference.
pub fn check(known: &Known, version: u64, found: &State, repeated: &Repeated) -> Result<(), Violation> {
    let there = known.committed.iter().filter(|(at, _)| **at <= version);
    let mut committed: BTreeMap<u64, &Action> = there.map(|(at, (_, action))| (*at, action)).collect();
    for (key, action, reply) in repeated {
        let Some(at) = reply.version.filter(|at| reply.errors.is_empty() && *at <= version) else { continue };
        if let Some(other) = committed.insert(at, action) {
            let detail = format!("key {key} and {other:?} both have version {at}");
            blind::pardon(Err(Violation::new("durability", "version-used-twice", detail)))?;
        }
    }
    let replay = match Replay::run(committed.into_iter()) {
        Ok(replay) => replay,
        Err(refused) => return blind::pardon(Err(refused)).map(|_| ()),
    };
    let differs = |difference| Violation::new("state", "differs", format!("at version {version}: {difference}"));
    blind::pardon(replay.at(version).difference(found).map(differs).map_or(Ok(()), Err)).map(|_| ())
}
