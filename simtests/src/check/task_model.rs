//! What the workloads with checkers of their own should leave and be answered: plain maps, one task after the other.

use super::model::Refusal;
use crate::workload::task::{ENTRIES, Part, Task, entries};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that tasks work on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskState {
    /// How many gates there are: one, once it was opened.
    pub gates: usize,
    /// Lists by number.
    pub lists: BTreeMap<u64, Vec<u64>>,
    /// Balances by name.
    pub accounts: BTreeMap<String, i64>,
    /// Values by name.
    pub registers: BTreeMap<String, i64>,
    /// The set.
    pub members: BTreeSet<u64>,
}

const TAKEN: Refusal = Refusal(&["UNIQUE_VIOLATION"]);
const MISSING: Refusal = Refusal(&["NOT_FOUND"]);
const UNMET: Refusal = Refusal(&["PRECONDITION_FAILED"]);
/// Missing or unmet: a transaction says what it meets first.
const EITHER: Refusal = Refusal(&["NOT_FOUND", "PRECONDITION_FAILED"]);

/// Reads all of it in one operation. `first` is above what the workloads ever make.
pub fn document() -> String {
    format!(
        "query {{ gates(first: 10) {{ nodes {{ name }} }} entries(first: 1000) {{ {ENTRIES} }} \
         accounts(first: 100) {{ nodes {{ name balance }} }} registers(first: 100) {{ nodes {{ name value }} }} \
         members(first: 1000) {{ nodes {{ value }} pageInfo {{ hasNextPage }} }} }}"
    )
}

impl TaskState {
    /// The `data` of [`document`] as a state.
    ///
    /// # Errors
    /// When something is there twice, or not all of it is shown.
    pub fn parse(data: &Value) -> Result<TaskState, String> {
        let nodes = |name: &str| data[name]["nodes"].as_array().ok_or_else(|| format!("{name} have no nodes"));
        let mut state = TaskState { gates: nodes("gates")?.len(), ..TaskState::default() };
        for (list, value) in entries(&data["entries"])? {
            state.lists.entry(list).or_default().push(value);
        }
        let named = |node: &Value, value: &str| Some((node["name"].as_str()?.to_owned(), node[value].as_i64()?));
        let maps = [("accounts", "balance", &mut state.accounts), ("registers", "value", &mut state.registers)];
        for (what, value, map) in maps {
            for node in nodes(what)? {
                let (name, value) = named(node, value).ok_or_else(|| format!("{node} is none of {what}"))?;
                if map.insert(name, value).is_some() {
                    return Err(format!("two of {what} have one name: {node}"));
                }
            }
        }
        if data["members"]["pageInfo"]["hasNextPage"] != false {
            return Err("there are more members than a page holds".into());
        }
        for node in nodes("members")? {
            let value = node["value"].as_u64().ok_or_else(|| format!("{node} is no member"))?;
            if !state.members.insert(value) {
                return Err(format!("two members have the value {value}"));
            }
        }
        Ok(state)
    }

    /// Does one task. The answer is its `data` without commits; of a transaction, the lists that it read.
    ///
    /// # Errors
    /// [`Refusal`]; the state is then of no use.
    pub fn run(&mut self, task: &Task) -> Result<Value, Refusal> {
        Ok(match task {
            Task::OpenGate => {
                if std::mem::replace(&mut self.gates, 1) > 0 {
                    return Err(TAKEN);
                }
                json!({ "createGate": { "gate": { "name": "gate" } } })
            }
            Task::Transact { parts } => self.transact(parts)?,
            Task::OpenAccount { name, balance } => {
                open(&mut self.accounts, name, *balance)?;
                json!({ "createAccount": { "account": { "name": name, "balance": balance } } })
            }
            Task::ReadAccounts => accounts(self.accounts.iter()),
            Task::ReadAccountsByBalance => {
                let mut found: Vec<_> = self.accounts.iter().collect();
                found.sort_by_key(|(name, balance)| (**balance, *name));
                accounts(found.into_iter())
            }
            Task::ReadPair { from, to, .. } => {
                let shown =
                    |name: &String| self.accounts.get(name).map(|balance| json!({ "name": name, "balance": balance }));
                json!({ "from": shown(from), "to": shown(to) })
            }
            Task::Transfer { from, to, amount } => {
                let missing = |name| !self.accounts.contains_key(name);
                if missing(&from.name) || missing(&to.name) {
                    return Err(EITHER);
                }
                swap(&mut self.accounts, &from.name, from.balance, from.balance - amount)?;
                swap(&mut self.accounts, &to.name, to.balance, to.balance + amount)?;
                let shown = |name: &str, balance: i64| json!({ "account": { "name": name, "balance": balance } });
                json!({ "from": shown(&from.name, from.balance - amount), "to": shown(&to.name, to.balance + amount) })
            }
            Task::OpenRegister { name } => {
                open(&mut self.registers, name, 0)?;
                json!({ "createRegister": { "register": { "name": name, "value": 0 } } })
            }
            Task::ReadRegister { name } | Task::ReadToSwap { name, .. } => {
                let value = self.registers.get(name);
                json!({ "register": value.map(|value| json!({ "name": name, "value": value })) })
            }
            Task::WriteRegister { name, value } => {
                *self.registers.get_mut(name).ok_or(MISSING)? = *value;
                json!({ "updateRegister": { "register": { "name": name, "value": value } } })
            }
            Task::SwapRegister { name, from, to } => {
                swap(&mut self.registers, name, *from, *to)?;
                json!({ "updateRegister": { "register": { "name": name, "value": to } } })
            }
            Task::AddMember { value } => {
                self.members.insert(*value);
                json!({ "createMember": { "member": { "value": value } } })
            }
            Task::ReadMembers => {
                let nodes: Vec<_> = self.members.iter().map(|value| json!({ "value": value })).collect();
                json!({ "members": { "nodes": nodes, "pageInfo": { "hasNextPage": false } } })
            }
        })
    }

    fn transact(&mut self, parts: &[Part]) -> Result<Value, Refusal> {
        if !parts[0].writes() && parts.iter().any(Part::writes) && self.gates == 0 {
            return Err(MISSING);
        }
        let mut read = Vec::new();
        for part in parts {
            match part {
                Part::Append { list, value } => self.lists.entry(*list).or_default().push(*value),
                Part::Fail => return Err(MISSING),
                Part::Read { list } => read.push(self.lists.get(list).cloned().unwrap_or_default()),
            }
        }
        Ok(json!(read))
    }

    /// The first difference to what was found, in words.
    pub fn difference(&self, found: &TaskState) -> Option<String> {
        (self != found).then(|| format!("there is {found:?}; there should be {self:?}"))
    }
}

fn open(map: &mut BTreeMap<String, i64>, name: &str, value: i64) -> Result<(), Refusal> {
    if map.contains_key(name) {
        return Err(TAKEN);
    }
    map.insert(name.to_owned(), value);
    Ok(())
}

fn swap(map: &mut BTreeMap<String, i64>, name: &str, from: i64, to: i64) -> Result<(), Refusal> {
    let value = map.get_mut(name).ok_or(MISSING)?;
    if *value != from {
        return Err(UNMET);
    }
    *value = to;
    Ok(())
}

fn accounts<'a>(accounts: impl Iterator<Item = (&'a String, &'a i64)>) -> Value {
    let nodes: Vec<_> = accounts.map(|(name, balance)| json!({ "name": name, "balance": balance })).collect();
    json!({ "accounts": { "nodes": nodes } })
}
