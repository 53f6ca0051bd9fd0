//! One thing that a client does in a workload with a checker of its own: lists, accounts, registers, a set.
//!
//! The elements of a list are records; their order is that of their versions, and within a transaction of their places.

use super::Reply;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The name of the gate: the record that a transaction updates with nothing, so as to read before its first append.
const GATE: &str = "gate";

/// The name of a gate that nobody opens.
const NO_GATE: &str = "no gate";

/// A part of a transaction over lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Appends a value that nobody else appends.
    Append {
        /// To which list.
        list: u64,
        /// What.
        value: u64,
    },
    /// Reads a whole list.
    Read {
        /// Which.
        list: u64,
    },
    /// Updates what is not there, so that nothing of the transaction may stay.
    Fail,
}

/// An account as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// What was on it.
    pub balance: i64,
}

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the documents below say what each does")]
pub enum Task {
    OpenGate,
    Transact { parts: Vec<Part> },
    OpenAccount { name: String, balance: i64 },
    ReadAccounts,
    ReadAccountsByBalance,
    ReadPair { from: String, to: String, amount: i64, key: String },
    Transfer { from: Held, to: Held, amount: i64 },
    OpenRegister { name: String },
    ReadRegister { name: String },
    ReadToSwap { name: String, to: i64, key: String },
    WriteRegister { name: String, value: i64 },
    SwapRegister { name: String, from: i64, to: i64 },
    AddMember { value: u64 },
    ReadMembers,
}

impl Task {
    /// The GraphQL document.
    pub fn document(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Task::Transact { parts } => return Cow::Owned(transaction(parts)),
            Task::OpenGate => {
                "mutation($name: String!) { createGate(data: { name: $name }) { gate { name } commit { version } } }"
            }
            Task::OpenAccount { .. } => {
                "mutation($data: AccountCreate!) { createAccount(data: $data) { account { name balance } \
                 commit { version } } }"
            }
            Task::ReadAccounts => "query { accounts(first: 100, orderBy: [{ name: ASC }]) { nodes { name balance } } }",
            Task::ReadAccountsByBalance => {
                "query { accounts(where: { balance: { gte: -1000000 } }, first: 100, \
                 orderBy: [{ balance: ASC }, { name: ASC }]) { nodes { name balance } } }"
            }
            Task::ReadPair { .. } => {
                "query($from: String!, $to: String!) { from: account(by: { name: $from }) { name balance } \
                 to: account(by: { name: $to }) { name balance } }"
            }
            Task::Transfer { .. } => {
                "mutation($from: String!, $to: String!, $fromHeld: Int!, $toHeld: Int!, $fromHolds: Int!, $toHolds: Int!) { \
                 from: updateAccount(by: { name: $from }, data: { balance: $fromHolds }, \
                 if: { balance: { eq: $fromHeld } }) { account { name balance } commit { version } } \
                 to: updateAccount(by: { name: $to }, data: { balance: $toHolds }, \
                 if: { balance: { eq: $toHeld } }) { account { name balance } commit { version } } }"
            }
            Task::OpenRegister { .. } => {
                "mutation($name: String!) { createRegister(data: { name: $name, value: 0 }) { register { name value } \
                 commit { version } } }"
            }
            Task::ReadRegister { .. } | Task::ReadToSwap { .. } => {
                "query($name: String!) { register(by: { name: $name }) { name value } }"
            }
            Task::WriteRegister { .. } => {
                "mutation($name: String!, $value: Int!) { updateRegister(by: { name: $name }, data: { value: $value }) \
                 { register { name value } commit { version } } }"
            }
            Task::SwapRegister { .. } => {
                "mutation($name: String!, $value: Int!, $held: Int!) { updateRegister(by: { name: $name }, \
                 data: { value: $value }, if: { value: { eq: $held } }) { register { name value } commit { version } } }"
            }
            Task::AddMember { .. } => {
                "mutation($value: Int!) { createMember(data: { value: $value }) { member { value } commit { version } } }"
            }
            Task::ReadMembers => {
                "query { members(where: { value: { gte: 0 } }, first: 1000, orderBy: [{ value: ASC }]) \
                 { nodes { value } pageInfo { hasNextPage } } }"
            }
        })
    }

    /// The variables of the document.
    pub fn variables(&self) -> Value {
        match self {
            Task::OpenGate => json!({ "name": GATE }),
            Task::Transact { parts } => {
                let mut variables = json!({});
                if reads_first(parts) {
                    variables["gate"] = json!(GATE);
                }
                for (place, part) in parts.iter().enumerate() {
                    match part {
                        Part::Append { list, value } => {
                            variables[format!("d{place}")] = json!({ "list": list, "value": value, "place": place });
                        }
                        Part::Read { list } => variables[format!("l{place}")] = json!(list),
                        Part::Fail => variables[format!("n{place}")] = json!(NO_GATE),
                    }
                }
                variables
            }
            Task::OpenAccount { name, balance } => json!({ "data": { "name": name, "balance": balance } }),
            Task::ReadAccounts | Task::ReadAccountsByBalance | Task::ReadMembers => json!({}),
            Task::ReadPair { from, to, .. } => json!({ "from": from, "to": to }),
            Task::Transfer { from, to, amount } => json!({
                "from": from.name, "fromHeld": from.balance, "fromHolds": from.balance - amount,
                "to": to.name, "toHeld": to.balance, "toHolds": to.balance + amount,
            }),
            Task::OpenRegister { name } | Task::ReadRegister { name } | Task::ReadToSwap { name, .. } => {
                json!({ "name": name })
            }
            Task::WriteRegister { name, value } => json!({ "name": name, "value": value }),
            Task::SwapRegister { name, from, to } => json!({ "name": name, "value": to, "held": from }),
            Task::AddMember { value } => json!({ "value": value }),
        }
    }

    /// What comes next, and its idempotency key, when this was answered so.
    pub fn next(&self, reply: &Reply) -> Option<(String, Task)> {
        let (amount, key) = match self {
            Task::ReadPair { amount, key, .. } => (amount, key),
            Task::ReadToSwap { name, to, key } => {
                let from = reply.data["register"]["value"].as_i64()?;
                return Some((key.clone(), Task::SwapRegister { name: name.clone(), from, to: *to }));
            }
            _ => return None,
        };
        let held = |side: &str| {
            let account = &reply.data[side];
            Some(Held { name: account["name"].as_str()?.to_owned(), balance: account["balance"].as_i64()? })
        };
        let (from, to) = (held("from")?, held("to")?);
        let amount = (*amount).min(from.balance);
        (amount > 0).then(|| (key.clone(), Task::Transfer { from, to, amount }))
    }

    /// The lists that a transaction read, in the order of its reads.
    ///
    /// # Errors
    /// When the answer has another form than the document asks for.
    pub fn lists(&self, data: &Value) -> Result<Vec<Vec<u64>>, String> {
        let Task::Transact { parts } = self else { return Ok(Vec::new()) };
        let mut holder = if reads_first(parts) { &data["gate"]["query"] } else { data };
        let mut lists = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            match part {
                Part::Append { .. } | Part::Fail => holder = &data[format!("a{place}")]["query"],
                Part::Read { .. } => lists.push(list(&holder[format!("r{place}")])?),
            }
        }
        Ok(lists)
    }
}

impl Part {
    /// True when it makes the transaction a mutation.
    pub fn writes(&self) -> bool {
        !matches!(self, Part::Read { .. })
    }
}

/// True when a transaction writes, but reads before that.
fn reads_first(parts: &[Part]) -> bool {
    !parts[0].writes() && parts.iter().any(Part::writes)
}

/// The document of a transaction: each read hangs on the append before it.
fn transaction(parts: &[Part]) -> String {
    let writes = parts.iter().any(Part::writes);
    let mut head = String::from(if writes { "mutation(" } else { "query(" });
    let mut body = String::new();
    let mut open = reads_first(parts);
    if open {
        head += "$gate: String! ";
        body += "gate: updateGate(by: { name: $gate }) { commit { version } query { __typename ";
    }
    for (place, part) in parts.iter().enumerate() {
        if part.writes() {
            body += if std::mem::replace(&mut open, true) { "} } " } else { "" };
        }
        let (variable, asked) = match part {
            Part::Append { .. } => (
                format!("$d{place}: EntryCreate! "),
                format!("a{place}: createEntry(data: $d{place}) {{ commit {{ version }} query {{ __typename "),
            ),
            Part::Fail => (
                format!("$n{place}: String! "),
                format!("a{place}: updateGate(by: {{ name: $n{place} }}) {{ commit {{ version }} query {{ __typename "),
            ),
            Part::Read { .. } => (
                format!("$l{place}: Int! "),
                format!("r{place}: entries(where: {{ list: {{ eq: $l{place} }} }}, first: 1000) {{ {ENTRIES} }} "),
            ),
        };
        head += &variable;
        body += &asked;
    }
    format!("{head}) {{ {body}{}}}", if writes { "} } " } else { "" })
}

/// What is read of the entries of a list.
pub const ENTRIES: &str = "nodes { list value place _meta { version } } pageInfo { hasNextPage }";

/// The values of one list, in their order.
fn list(connection: &Value) -> Result<Vec<u64>, String> {
    let entries = entries(connection)?;
    Ok(entries.into_iter().map(|(_, value)| value).collect())
}

/// The lists and values of entries, in the order of their versions and places.
///
/// # Errors
/// When the connection is not one of entries, or not all of it.
pub fn entries(connection: &Value) -> Result<Vec<(u64, u64)>, String> {
    let nodes = connection["nodes"].as_array().ok_or_else(|| format!("{connection} has no nodes"))?;
    if connection["pageInfo"]["hasNextPage"] != false {
        return Err("a list has more entries than a page".into());
    }
    let number = |node: &Value, name: &str| node[name].as_u64().ok_or_else(|| format!("{node} has no {name}"));
    let mut entries = Vec::with_capacity(nodes.len());
    for node in nodes {
        let version = node["_meta"]["version"].as_str().and_then(|text| text.parse::<u64>().ok());
        let version = version.ok_or_else(|| format!("{node} names no version"))?;
        entries.push((version, number(node, "place")?, number(node, "list")?, number(node, "value")?));
    }
    entries.sort_unstable();
    Ok(entries.into_iter().map(|(_, _, list, value)| (list, value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Part> {
        let (append, read) = (|list, value| Part::Append { list, value }, |list| Part::Read { list });
        vec![read(1), append(2, 5), append(1, 6), read(2)]
    }

    #[test]
    fn a_transaction_is_one_operation_in_the_order_of_its_parts() {
        let entries = "nodes { list value place _meta { version } } pageInfo { hasNextPage }";
        let document = Task::Transact { parts: parts() }.document().into_owned();
        assert_eq!(
            document,
            format!(
                "mutation($gate: String! $l0: Int! $d1: EntryCreate! $d2: EntryCreate! $l3: Int! ) {{ \
                 gate: updateGate(by: {{ name: $gate }}) {{ commit {{ version }} query {{ __typename \
                 r0: entries(where: {{ list: {{ eq: $l0 }} }}, first: 1000) {{ {entries} }} }} }} \
                 a1: createEntry(data: $d1) {{ commit {{ version }} query {{ __typename }} }} \
                 a2: createEntry(data: $d2) {{ commit {{ version }} query {{ __typename \
                 r3: entries(where: {{ list: {{ eq: $l3 }} }}, first: 1000) {{ {entries} }} }} }} }}"
            )
        );
        let reads = Task::Transact { parts: vec![Part::Read { list: 1 }] }.document().into_owned();
        assert!(reads.starts_with("query($l0: Int! ) { r0: entries("), "{reads}");
        let fails = Task::Transact { parts: vec![Part::Append { list: 1, value: 2 }, Part::Fail] };
        let end =
            "query { __typename } } a1: updateGate(by: { name: $n1 }) { commit { version } query { __typename } } }";
        assert!(fails.document().ends_with(end), "{}", fails.document());
        assert_eq!(fails.variables()["n1"], NO_GATE);
    }

    #[test]
    fn the_lists_of_an_answer_are_those_of_the_reads() {
        let page = |nodes: Value| json!({ "nodes": nodes, "pageInfo": { "hasNextPage": false } });
        let node = |list: u64, value: u64, place: u64, version: &str| json!({ "list": list, "value": value, "place": place, "_meta": { "version": version } });
        let data = json!({
            "gate": { "query": { "r0": page(json!([node(1, 9, 0, "12"), node(1, 8, 3, "7"), node(1, 7, 2, "7")])) } },
            "a1": { "query": {} },
            "a2": { "query": { "r3": page(json!([node(2, 5, 1, "13")])) } },
        });
        let task = Task::Transact { parts: parts() };
        assert_eq!(task.lists(&data), Ok(vec![vec![7, 8, 9], vec![5]]));
        assert!(task.lists(&json!({})).is_err());
    }

    #[test]
    fn a_transfer_takes_no_more_than_there_is() {
        let task = Task::ReadPair { from: "a".into(), to: "b".into(), amount: 9, key: "k".into() };
        let answer = |from: i64| {
            let data = json!({ "from": { "name": "a", "balance": from }, "to": { "name": "b", "balance": 1 } });
            Reply { data, errors: Vec::new(), version: Some(1) }
        };
        let (key, next) = task.next(&answer(4)).unwrap();
        assert_eq!(key, "k");
        assert_eq!(next.variables()["fromHolds"], 0);
        assert_eq!(next.variables()["toHolds"], 5);
        assert_eq!(task.next(&answer(0)), None);
    }
}
