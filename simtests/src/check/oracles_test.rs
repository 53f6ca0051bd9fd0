//! Each of the checkers sees what only it is for, through calls and answers as the simulator keeps them.

use super::*;
use crate::workload::Reply;
use serde_json::{Value as Json, json};

/// A history of calls: (client, key, task, how it ended), the next one beginning before it ends if it says so.
fn history(calls: Vec<(u64, Option<&str>, Task, End)>) -> History {
    let mut history = History::default();
    for (client, key, task, end) in calls {
        let begun = history.moment(0, 0);
        let call = history.begin(client, key.map(str::to_owned), Action::Task(task), begun);
        if end != End::Open {
            let ended = history.moment(0, 0);
            history.end(call, ended, end);
        }
    }
    history
}

fn done(mut data: Json, version: u64) -> End {
    for (_, payload) in data.as_object_mut().into_iter().flatten() {
        if let Json::Object(payload) = payload
            && !payload.contains_key("nodes")
        {
            payload.insert("commit".into(), json!({ "version": version.to_string() }));
        }
    }
    End::Done { reply: Reply { data, errors: Vec::new(), version: Some(version) }, version: Some(version) }
}

fn refused(code: &str) -> End {
    End::Refused(Reply { data: Json::Null, errors: vec![(code.to_owned(), String::new())], version: None })
}

fn found(calls: Vec<(u64, Option<&str>, Task, End)>) -> String {
    let history = history(calls);
    check(&history).map_or_else(|found| with_witnesses(found, &history).to_string(), |()| "pass".into())
}

fn append(list: u64, value: u64) -> Task {
    Task::Transact { parts: vec![Part::Append { list, value }] }
}

fn appended(version: u64) -> End {
    done(json!({ "a0": { "query": {} } }), version)
}

fn read(list: u64) -> Task {
    Task::Transact { parts: vec![Part::Read { list }] }
}

/// A page of entries, each with its version.
fn page(entries: &[(u64, u64)], version: u64) -> End {
    let node = |(value, at): &(u64, u64)| json!({ "list": 1, "value": value, "place": 0, "_meta": { "version": at.to_string() } });
    let nodes: Vec<_> = entries.iter().map(node).collect();
    let data = json!({ "r0": { "nodes": nodes, "pageInfo": { "hasNextPage": false } } });
    End::Done { reply: Reply { data, errors: Vec::new(), version: Some(version) }, version: Some(version) }
}

#[test]
fn a_right_history_of_lists_passes() {
    let calls = vec![
        (1, Some("a"), append(1, 5), appended(10)),
        (2, Some("b"), append(1, 6), End::Lost("power".into())),
        (2, None, read(1), page(&[(5, 10)], 11)),
        (0, Some("b"), append(1, 6), appended(12)),
        (1, None, read(1), page(&[(6, 12), (5, 10)], 12)),
    ];
    assert_eq!(found(calls), "pass");
}

#[test]
fn a_stale_read_of_a_list_is_seen_by_both() {
    let calls = vec![(1, Some("a"), append(1, 5), appended(10)), (2, None, read(1), page(&[], 9))];
    let words = found(calls);
    assert!(words.starts_with("certificate (stale)"), "{words}");
    assert!(words.contains("[also elle (G-single-realtime): T1 did not observe T0's append of 5 to 1; "), "{words}");
}

#[test]
fn an_append_of_a_refused_transaction_is_dirty() {
    let calls =
        vec![(1, Some("a"), append(1, 5), refused("TRANSACTION_CONFLICT")), (2, None, read(1), page(&[(5, 10)], 11))];
    assert!(found(calls).contains("elle (G1a)"));
}

fn open(name: &str) -> Task {
    Task::OpenRegister { name: name.into() }
}

fn register(value: Option<i64>, version: u64) -> End {
    let data = json!({ "register": value.map(|value| json!({ "name": "r0", "value": value })) });
    End::Done { reply: Reply { data, errors: Vec::new(), version: Some(version) }, version: Some(version) }
}

fn opened(version: u64) -> End {
    done(json!({ "createRegister": { "register": { "name": "r0", "value": 0 } } }), version)
}

fn updated(value: i64, version: u64) -> End {
    done(json!({ "updateRegister": { "register": { "name": "r0", "value": value } } }), version)
}

#[test]
fn registers_are_linearizable_or_not() {
    let read = || Task::ReadRegister { name: "r0".into() };
    let swap = |from, to| Task::SwapRegister { name: "r0".into(), from, to };
    let right = vec![
        (1, None, read(), register(None, 1)),
        (1, Some("a"), open("r0"), opened(10)),
        (2, Some("b"), swap(0, 3), updated(3, 11)),
        (2, Some("c"), swap(0, 2), refused("PRECONDITION_FAILED")),
        (1, None, read(), register(Some(3), 11)),
    ];
    assert_eq!(found(right), "pass");
    let wrong = vec![
        (1, Some("a"), open("r0"), opened(10)),
        (2, Some("b"), swap(0, 3), updated(3, 11)),
        (2, Some("c"), swap(3, 1), refused("PRECONDITION_FAILED")),
    ];
    assert!(found(wrong).contains("linear (not-linearizable): register r0: no order explains"));
}

#[test]
fn accounts_have_one_sum() {
    let open = |name: &str| Task::OpenAccount { name: name.into(), balance: 5 };
    let opened =
        |name: &str, version| done(json!({ "createAccount": { "account": { "name": name, "balance": 5 } } }), version);
    let read = |balances: [i64; 2]| {
        let nodes = json!([{ "name": "a", "balance": balances[0] }, { "name": "b", "balance": balances[1] }]);
        done(json!({ "accounts": { "nodes": nodes } }), 11)
    };
    let begun = || vec![(1, Some("a"), open("a"), opened("a", 10)), (1, Some("b"), open("b"), opened("b", 11))];
    let with = |balances| begun().into_iter().chain([(2, None, Task::ReadAccounts, read(balances))]).collect();
    assert_eq!(found(with([5, 5])), "pass");
    assert!(found(with([5, 4])).contains("bank (wrong-sum)"));
    assert!(found(with([11, -1])).contains("bank (negative)"));
}

#[test]
fn a_set_only_grows() {
    let add = |value| Task::AddMember { value };
    let added = |value: u64, version| done(json!({ "createMember": { "member": { "value": value } } }), version);
    let read = |values: &[u64]| {
        let nodes: Vec<_> = values.iter().map(|value| json!({ "value": value })).collect();
        done(json!({ "members": { "nodes": nodes, "pageInfo": { "hasNextPage": false } } }), 12)
    };
    let begun = || vec![(1, Some("a"), add(7), added(7, 12)), (1, Some("b"), add(8), End::Open)];
    let with = |values: &[u64]| begun().into_iter().chain([(2, None, Task::ReadMembers, read(values))]).collect();
    assert_eq!(found(with(&[7])), "pass");
    assert!(found(with(&[])).contains("set (lost)"));
    assert!(found(with(&[7, 9])).contains("set (unheard-of)"));
    assert!(found(with(&[7, 7])).contains("set (twice)"));
    // The certificate holds a call without an answer for one that was not done, until its repetition is answered.
    assert!(check_set(&operations(&history(with(&[7, 8])), task)).is_ok());
}

#[test]
fn in_a_black_box_those_speak_that_need_no_versions() {
    let mut history = History::default();
    history.forget_versions();
    let mut call = |action: Task, data: Json| {
        let begun = history.moment(0, 0);
        let key = matches!(action, Task::AddMember { .. }).then(|| "k".to_owned());
        let number = history.begin(1, key, Action::Task(action), begun);
        let ended = history.moment(0, 0);
        let reply = Reply { data, errors: Vec::new(), version: Some(9) };
        history.end(number, ended, End::Done { reply, version: Some(9) });
    };
    call(Task::AddMember { value: 5 }, json!({}));
    call(Task::ReadMembers, json!({ "members": { "nodes": [] } }));
    let found = check(&history).unwrap_err();
    assert_eq!((found.checker.as_str(), found.class.as_str()), ("set", "lost"));
}
