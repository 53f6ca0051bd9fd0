//! What the workloads with checkers of their own must hold, told from calls and answers alone, without versions.
//!
//! A mutation is one operation, however often it was sent: from the first time it was sent to the first answer.

use super::elle::{self, Key, MicroOperation, Outcome, Transaction, Value};
use super::linear::{self, Verdict};
use super::{Violation, blind, certificate, rows};
use crate::history::{Call, End, History};
use crate::workload::Action;
use crate::workload::task::{Part, Task};
use std::collections::BTreeMap;

/// Steps after which the order of a register's operations is given up.
const LINEAR_STEPS_MAX: u64 = 2_000_000;

/// Checks a history with everything that there is: the certificate, where versions are known, and the others, where they
/// apply.
///
/// # Errors
/// What the certificate found, else what another found.
pub fn check(history: &History) -> Result<(), Violation> {
    if !history.is_black_box() {
        blind::pardon(certificate::check(history).map(|_| ()))?;
    }
    for found in witnesses(history) {
        blind::pardon(Err(found))?;
    }
    Ok(())
}

/// What was found, and who else finds something in the history: checkers that are never alone still check each other.
pub fn with_witnesses(found: Violation, history: &History) -> Violation {
    let others = witnesses(history).into_iter().filter(|other| other.checker != found.checker);
    let others: String = others.map(|other| format!(" [also {other}]")).collect();
    Violation { detail: found.detail + &others, ..found }
}

/// What each checker finds that does not trust versions.
pub fn witnesses(history: &History) -> Vec<Violation> {
    let tasks = tasks(history);
    let all = [check_lists(&tasks), check_registers(history, &tasks), check_accounts(&tasks), check_set(&tasks)];
    let of_rows = rows::oracles::witnesses(history, &operations(history, over_tables));
    all.into_iter().filter_map(Result::err).chain(of_rows).collect()
}

/// All tasks of a history.
pub(super) fn tasks(history: &History) -> Vec<Sent<'_, Task>> {
    operations(history, task)
}

fn task(action: &Action) -> Option<&Task> {
    match action {
        Action::Task(task) => Some(task),
        _ => None,
    }
}

fn over_tables(action: &Action) -> Option<&crate::workload::rows::Operation> {
    match action {
        Action::Rows(operation) => Some(operation),
        _ => None,
    }
}

/// Something that was done, from the first time it was sent to its first answer.
pub(super) struct Sent<'h, T> {
    pub(super) what: &'h T,
    pub(super) key: Option<&'h str>,
    client: u64,
    pub(super) invoked: u64,
    pub(super) ended: Ended<'h>,
}

/// How an operation ended.
pub(super) enum Ended<'h> {
    /// Answered so, at this moment.
    Done(u64, &'h serde_json::Value, Option<u64>),
    /// Surely not done.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// All operations of one sort in the order in which they were first sent.
pub(super) fn operations<T>(history: &History, sort: fn(&Action) -> Option<&T>) -> Vec<Sent<'_, T>> {
    let mut operations: Vec<Sent<'_, T>> = Vec::new();
    let mut by_key: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &history.calls {
        let Some(what) = sort(&call.action) else { continue };
        let ended = ended(call);
        let known = call.key.as_deref().and_then(|key| by_key.get(key));
        let Some(at) = known else {
            if let Some(key) = &call.key {
                by_key.insert(key, operations.len());
            }
            let key = call.key.as_deref();
            operations.push(Sent { what, key, client: call.client, invoked: call.begun.order, ended });
            continue;
        };
        let operation = &mut operations[*at];
        let replaces = match (&operation.ended, &ended) {
            (Ended::Done(first, ..), Ended::Done(moment, ..)) => moment < first,
            (_, Ended::Done(..)) | (Ended::Refused, Ended::Unknown) => true,
            _ => false,
        };
        if replaces {
            operation.ended = ended;
        }
    }
    operations
}

fn ended(call: &Call) -> Ended<'_> {
    match (&call.end, call.ended) {
        (End::Done { reply, version }, Some(moment)) => Ended::Done(moment.order, &reply.data, *version),
        (End::Refused(_), _) => Ended::Refused,
        _ => Ended::Unknown,
    }
}

/// The transactions over lists.
///
/// # Errors
/// The first answer that cannot be read.
pub(super) fn transactions(operations: &[Sent<'_, Task>]) -> Result<Vec<Transaction>, Violation> {
    let mut transactions = Vec::new();
    for operation in operations {
        let Task::Transact { parts } = operation.what else { continue };
        let mut transaction = Transaction {
            process: operation.client,
            invoked: operation.invoked,
            returned: operation.invoked,
            outcome: Outcome::Info,
            operations: Vec::new(),
            version: None,
        };
        let mut lists = Vec::new();
        match operation.ended {
            Ended::Done(moment, data, version) => {
                lists =
                    operation.what.lists(data).map_err(|detail| Violation::new("elle", "malformed-answer", detail))?;
                transaction.returned = moment;
                transaction.outcome = Outcome::Ok;
                transaction.version = version;
            }
            Ended::Refused => transaction.outcome = Outcome::Fail,
            Ended::Unknown => {}
        }
        let mut lists = lists.into_iter();
        let part = |part: &Part| match part {
            Part::Fail => None,
            Part::Append { list, value } => Some(MicroOperation::Append(Key(*list), Value(*value))),
            Part::Read { list } => {
                let read = lists.next().unwrap_or_default();
                Some(MicroOperation::Read(Key(*list), read.into_iter().map(Value).collect()))
            }
        };
        transaction.operations = parts.iter().filter_map(part).collect();
        transactions.push(transaction);
    }
    Ok(transactions)
}

fn check_lists(operations: &[Sent<'_, Task>]) -> Result<(), Violation> {
    let transactions = transactions(operations)?;
    let found = elle::check(&transactions);
    let Some(first) = found.first() else { return Ok(()) };
    let names: Vec<&str> = found.iter().map(|anomaly| anomaly.class.name()).collect();
    let (words, names) = (first.words.join("; "), names.join(", "));
    let detail = format!("{words} (transactions count from T0 as they were first sent; in all: {names})");
    Err(Violation::new("elle", first.class.name(), detail))
}

fn check_registers(history: &History, operations: &[Sent<'_, Task>]) -> Result<(), Violation> {
    let mut registers: BTreeMap<String, Vec<linear::Operation>> = BTreeMap::new();
    for operation in operations {
        let answer = match operation.ended {
            Ended::Done(moment, data, _) => Some((moment, data)),
            Ended::Unknown => None,
            Ended::Refused => continue,
        };
        let (name, action) = match (operation.what, answer) {
            (Task::OpenRegister { name }, _) => (name, linear::Action::Swap { from: 0, to: held(0) }),
            (Task::WriteRegister { name, value }, _) => (name, linear::Action::Write(held(*value))),
            (Task::SwapRegister { name, from, to }, _) => {
                (name, linear::Action::Swap { from: held(*from), to: held(*to) })
            }
            (Task::ReadRegister { name } | Task::ReadToSwap { name, .. }, Some((_, data))) => {
                (name, linear::Action::Read(data["register"]["value"].as_i64().map_or(0, held)))
            }
            _ => continue,
        };
        let returned = answer.map(|(moment, _)| moment);
        let one = linear::Operation { process: operation.client, invoked: operation.invoked, returned, action };
        registers.entry(name.clone()).or_default().push(one);
    }
    for call in &history.calls {
        if let Some((name, miss)) = missed_swap(call) {
            registers.entry(name).or_default().push(miss);
        }
    }
    match linear::check_all(0, &registers, LINEAR_STEPS_MAX) {
        Verdict::Linearizable => Ok(()),
        Verdict::Broken(words) => Err(Violation::new("linear", "not-linearizable", words)),
        Verdict::Unknown => Err(Violation::new("linear", "unknown", "the search for an order took too long")),
    }
}

/// What a register holds as its checker counts: 0 before it is opened, else one more than its value.
fn held(value: i64) -> u64 {
    u64::try_from(value + 1).unwrap_or(0)
}

/// A swap that found another value: each time that it was sent it saw that for itself.
fn missed_swap(call: &Call) -> Option<(String, linear::Operation)> {
    let (Action::Task(Task::SwapRegister { name, from, .. }), End::Refused(reply)) = (&call.action, &call.end) else {
        return None;
    };
    let unmet = reply.errors.iter().all(|(code, _)| code == "PRECONDITION_FAILED");
    let action = linear::Action::Miss { from: held(*from) };
    let returned = Some(call.ended?.order);
    let miss = linear::Operation { process: call.client, invoked: call.begun.order, returned, action };
    unmet.then(|| (name.clone(), miss))
}

/// Every read of all accounts has one sum, once all are open.
fn check_accounts(operations: &[Sent<'_, Task>]) -> Result<(), Violation> {
    let mut opened: BTreeMap<&str, (i64, u64)> = BTreeMap::new();
    for operation in operations {
        if let Task::OpenAccount { name, balance } = operation.what {
            let moment = match operation.ended {
                Ended::Done(moment, ..) => moment,
                Ended::Refused | Ended::Unknown => u64::MAX,
            };
            opened.insert(name, (*balance, moment));
        }
    }
    let sum: i64 = opened.values().map(|(balance, _)| balance).sum();
    let since = opened.values().map(|(_, moment)| *moment).max().unwrap_or(0);
    for operation in operations {
        let (Task::ReadAccounts | Task::ReadAccountsByBalance, Ended::Done(_, data, _)) =
            (operation.what, &operation.ended)
        else {
            continue;
        };
        let nodes = data["accounts"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let balances: Vec<i64> = nodes.iter().filter_map(|node| node["balance"].as_i64()).collect();
        if let Some(negative) = balances.iter().find(|balance| **balance < 0) {
            return Err(Violation::new("bank", "negative", format!("an account was read with {negative} on it")));
        }
        let complete = operation.invoked > since;
        if complete && (balances.len() != opened.len() || balances.iter().sum::<i64>() != sum) {
            let detail = format!("accounts were read with {balances:?}; the sum of all {} is {sum}", opened.len());
            return Err(Violation::new("bank", "wrong-sum", detail));
        }
    }
    Ok(())
}

/// Every read of the set shows what had been added before it began, and nothing that was not added before it ended.
fn check_set(operations: &[Sent<'_, Task>]) -> Result<(), Violation> {
    let mut added: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for operation in operations {
        let (Task::AddMember { value }, false) = (operation.what, matches!(operation.ended, Ended::Refused)) else {
            continue;
        };
        let known = match operation.ended {
            Ended::Done(moment, ..) => moment,
            Ended::Refused | Ended::Unknown => u64::MAX,
        };
        added.insert(*value, (operation.invoked, known));
    }
    for operation in operations {
        let (Task::ReadMembers, Ended::Done(moment, data, _)) = (operation.what, &operation.ended) else { continue };
        let nodes = data["members"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let mut read: Vec<u64> = nodes.iter().filter_map(|node| node["value"].as_u64()).collect();
        read.sort_unstable();
        if let Some([twice, _]) = read.array_windows().find(|[one, other]| one == other) {
            return Err(Violation::new("set", "twice", format!("{twice} was read twice at once")));
        }
        let lost =
            added.iter().find(|(value, (_, known))| *known < operation.invoked && read.binary_search(value).is_err());
        if let Some((value, _)) = lost {
            return Err(Violation::new("set", "lost", format!("{value} had been added and was not read later")));
        }
        let unheard = read.iter().find(|value| added.get(value).is_none_or(|(begun, _)| begun > moment));
        if let Some(value) = unheard {
            return Err(Violation::new("set", "unheard-of", format!("{value} was read and nobody had added it")));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "oracles_test.rs"]
mod tests;
