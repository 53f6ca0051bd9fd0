//! The certificate for list appends: replays a history in the order of the versions that its answers name.
//!
//! Sound and complete where versions are right; [`super::check`] does not need them. The two must agree.

use super::{Key, MicroOperation, Outcome, Transaction, Value};
use std::collections::BTreeMap;

/// Replays all committed transactions by version; a reader comes after the writer with its version.
///
/// # Errors
/// The first answer that the replay does not give, or the first that is older than what had been told before.
pub fn replay(history: &[Transaction]) -> Result<(), String> {
    let mut committed: Vec<(u64, bool, usize)> = Vec::new();
    for (number, transaction) in history.iter().enumerate() {
        let reads_only = transaction.appends().next().is_none();
        match (transaction.outcome, transaction.version) {
            (Outcome::Ok, None) => return Err(format!("T{number} was answered without a version")),
            (Outcome::Ok | Outcome::Info, Some(version)) => committed.push((version, reads_only, number)),
            (Outcome::Info, None) | (Outcome::Fail, _) => {}
        }
    }
    committed.sort_unstable();
    if let Some([(version, _, one), (_, _, other)]) =
        committed.array_windows().find(|[one, other]| one.0 == other.0 && !one.1 && !other.1)
    {
        return Err(format!("T{one} and T{other} both committed at {version}"));
    }
    let mut lists: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for (version, _, number) in &committed {
        replay_one(&history[*number], &mut lists)
            .map_err(|detail| format!("T{number} at version {version}: {detail}"))?;
    }
    check_real_time(history)
}

fn replay_one(transaction: &Transaction, lists: &mut BTreeMap<Key, Vec<Value>>) -> Result<(), String> {
    for operation in &transaction.operations {
        match operation {
            MicroOperation::Append(key, value) => lists.entry(*key).or_default().push(*value),
            MicroOperation::Read(key, read) if transaction.outcome == Outcome::Ok => {
                let list = lists.get(key).map_or(&[][..], Vec::as_slice);
                if list != read {
                    let first = list.iter().zip(read).take_while(|(one, other)| one == other).count();
                    return Err(format!(
                        "it read {} elements of {key}, there should be {}, the same up to {first}",
                        read.len(),
                        list.len()
                    ));
                }
            }
            MicroOperation::Read(..) => {}
        }
    }
    Ok(())
}

/// Nobody sees less than what anybody had been told before.
fn check_real_time(history: &[Transaction]) -> Result<(), String> {
    let mut events = Vec::new();
    for (number, transaction) in history.iter().enumerate() {
        let Some(version) = transaction.version.filter(|_| transaction.outcome != Outcome::Fail) else { continue };
        // A beginning counts before an end at the same moment: the two overlap.
        events.push((transaction.invoked, false, version, number));
        if transaction.outcome == Outcome::Ok {
            events.push((transaction.returned, true, version, number));
        }
    }
    events.sort_unstable();
    let mut told = 0;
    for (_, ends, version, number) in events {
        if ends {
            told = told.max(version);
            continue;
        }
        let writes = history[number].appends().next().is_some();
        if version < told || (writes && version == told) {
            return Err(format!("T{number} has version {version}, but {told} had been told before it began"));
        }
    }
    Ok(())
}
