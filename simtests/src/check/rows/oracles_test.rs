//! Each oracle sees what it is for in a history made by hand.

use super::*;
use crate::check::oracles::operations;
use crate::workload::Reply;
use crate::workload::pagination::GROUP;
use crate::workload::rows::filter::OrderKey;
use crate::workload::rows::{Change, NewRow, Way};
use serde_json::json;

/// A call of a client: its key, what it does, and what it was answered; nothing when the answer was lost.
type Made = (u64, Option<&'static str>, Operation, Option<Value>);

fn over_tables(action: &Action) -> Option<&Operation> {
    match action {
        Action::Rows(operation) => Some(operation),
        _ => None,
    }
}

/// What is found in calls that come one after the other.
fn found(calls: Vec<Made>) -> Vec<String> {
    let mut history = History::default();
    for (version, (client, key, operation, data)) in (10..).zip(calls) {
        let begun = history.moment(0, 0);
        let call = history.begin(client, key.map(str::to_owned), Action::Rows(operation), begun);
        let ended = history.moment(0, 0);
        let end = match data {
            Some(data) => {
                End::Done { reply: Reply { data, errors: Vec::new(), version: Some(version) }, version: Some(version) }
            }
            None => End::Lost("power".into()),
        };
        history.end(call, ended, end);
    }
    let operations = operations(&history, over_tables);
    witnesses(&history, &operations).into_iter().map(|it| format!("{} ({})", it.checker, it.class)).collect()
}

fn none() -> Vec<String> {
    Vec::new()
}

fn all(of: Table) -> Part {
    Part::List(Query { of, first: 100, counted: false, order: vec![OrderKey::up("name")], filter: None, below: None })
}

fn create(of: Table, name: &str, fields: Vec<(&'static str, Datum)>) -> Operation {
    Operation::of(vec![Part::Create { of, rows: vec![NewRow::new(name, fields)] }])
}

fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

#[test]
fn purses_have_one_sum() {
    let read = |balances: [i64; 2]| {
        let nodes: Vec<Value> = balances.iter().map(|balance| json!({ "balance": balance })).collect();
        vec![(1, None, Operation::of(vec![all(Table::Purse)]), Some(json!({ "p0": { "nodes": nodes } })))]
    };
    assert_eq!(found(read([150, 50])), none());
    assert_eq!(found(read([150, 51])), ["index (wrong-sum)"]);
    assert_eq!(found(read([201, -1])), ["index (negative)"]);
}

#[test]
fn one_side_of_a_pair_stays_empty() {
    let put = |of, name| (1, Some(name), create(of, name, vec![("pair", text("pair1"))]), Some(json!({ "p0": {} })));
    assert_eq!(found(vec![put(Table::Left, "a"), put(Table::Left, "b")]), none());
    assert_eq!(found(vec![put(Table::Left, "a"), put(Table::Right, "b")]), ["index (both-sides)"]);
    let side = |count: u64| json!({ "totalCount": count });
    let read = |lefts, rights| {
        let pair = json!({ "name": "pair1", "lefts": side(lefts), "rights": side(rights) });
        vec![(1, None, Operation::of(vec![all(Table::Pair)]), Some(json!({ "p0": { "nodes": [pair] } })))]
    };
    assert_eq!(found(read(2, 0)), none());
    assert_eq!(found(read(1, 1)), ["index (both-sides)"]);
}

fn group(name: &str) -> Operation {
    let rows = (0..GROUP).map(|place| NewRow::new(format!("{name}-{place}"), [])).collect();
    Operation::of(vec![Part::Create { of: Table::Leaf, rows }])
}

fn page(way: Way, at: Option<u64>, names: &[&str], more: bool) -> Made {
    let (cursor, seen) = (at.map(|_| "c".to_owned()), Vec::new());
    let order = vec![OrderKey::up("rank")];
    let walk = Walk { of: Table::Leaf, size: 3, way, counted: false, order, filter: None, cursor, seen, at };
    let nodes: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    let info = json!({ "hasNextPage": more, "hasPreviousPage": more });
    (2, None, Operation::of(vec![Part::Walk(walk)]), Some(json!({ "p0": { "nodes": nodes, "pageInfo": info } })))
}

#[test]
fn walks_show_whole_groups_and_nothing_twice() {
    let made = || (1, Some("a"), group("leaf1"), Some(json!({ "p0": {} })));
    let walk = |one: &[&str], other: &[&str]| {
        found(vec![made(), page(Way::Forward, None, one, true), page(Way::Forward, Some(11), other, false)])
    };
    assert_eq!(walk(&["leaf1-0", "leaf1-2", "leaf1-1"], &["leaf1-3"]), none());
    assert_eq!(walk(&["leaf1-0", "leaf1-2", "leaf1-1"], &["leaf1-1"]), ["pagination (twice)"]);
    assert_eq!(walk(&["leaf1-0", "leaf1-2"], &["leaf1-1"]), ["pagination (torn-group)"]);
    assert_eq!(walk(&[], &[]), ["pagination (lost)"]);
    let delete = Operation::of(vec![Part::Delete { of: Table::Leaf, name: "leaf1-0".into() }]);
    let calls = vec![made(), (1, Some("b"), delete, None), page(Way::Backward, None, &[], false)];
    assert_eq!(found(calls), none());
}

#[test]
fn a_value_has_one_holder() {
    let read = |mails: [Value; 2]| {
        let nodes = json!([{ "name": "a", "mail": mails[0] }, { "name": "b", "mail": mails[1] }]);
        vec![(1, None, Operation::of(vec![all(Table::Person)]), Some(json!({ "p0": { "nodes": nodes } })))]
    };
    assert_eq!(found(read([json!("x"), json!("y")])), none());
    assert_eq!(found(read([Value::Null, Value::Null])), none());
    assert_eq!(found(read([json!("x"), json!("x")])), ["unique (two-holders)"]);
    let get = Operation::of(vec![Part::Get { of: Table::Person, by: "mail".into(), value: text("x") }]);
    let answer = json!({ "p0": { "name": "a", "mail": "y" } });
    assert_eq!(found(vec![(1, None, get, Some(answer))]), ["unique (wrong-holder)"]);
}

#[test]
fn both_sides_of_a_relation_agree() {
    let read = |shelf: Value| {
        let shelves = json!([{ "name": "s", "books": { "nodes": [{ "name": "b" }] } }]);
        let books = json!([{ "name": "b", "shelf": shelf }]);
        let list = |nodes: Value| json!({ "nodes": nodes, "pageInfo": { "hasNextPage": false } });
        let data = json!({ "p0": list(shelves), "p1": list(books) });
        vec![(1, None, Operation::of(vec![all(Table::Shelf), all(Table::Book)]), Some(data))]
    };
    assert_eq!(found(read(json!({ "name": "s" }))), none());
    assert_eq!(found(read(Value::Null)), ["relation (sides-differ)"]);
    assert_eq!(found(read(json!({ "name": "gone" }))), ["relation (sides-differ)"]);
}

#[test]
fn a_counter_shows_what_was_counted() {
    let get = |then| {
        let part = Part::Get { of: Table::Counter, by: "name".into(), value: text("k") };
        Operation { parts: vec![part], then }
    };
    let shows = |value: u64| Some(json!({ "p0": { "name": "k", "value": value } }));
    let increment = |key: &'static str, value: i64| {
        let then = Some(Then::Increment { key: key.into(), by_version: true });
        let change = Change::of(Table::Counter, "k").with("value", Datum::Int(value));
        [
            (1, None, get(then), shows(value as u64 - 1)),
            (1, Some(key), Operation::of(vec![Part::Change(change)]), shows(0)),
        ]
    };
    let read = |value| [(2, None, get(None), shows(value))];
    let calls = |value| increment("a", 1).into_iter().chain(increment("b", 2)).chain(read(value)).collect();
    assert_eq!(found(calls(2)), none());
    assert_eq!(found(calls(1)), ["counter (lost-increment)"]);
    assert_eq!(found(calls(3)), ["counter (counted-twice)"]);
}

#[test]
fn a_tick_is_there_once() {
    let made = |name: &'static str, answer| (1, Some(name), create(Table::Tick, name, vec![]), answer);
    let calls = |names: &[&str]| {
        let nodes: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        let read = (2, None, Operation::of(vec![all(Table::Tick)]), Some(json!({ "p0": { "nodes": nodes } })));
        vec![made("t1", Some(json!({ "p0": {} }))), made("t2", None), read]
    };
    assert_eq!(found(calls(&["t1"])), none());
    assert_eq!(found(calls(&["t1", "t2"])), none());
    assert_eq!(found(calls(&["t1", "t1"])), ["counter (tick-twice)"]);
    assert_eq!(found(calls(&["t2"])), ["counter (tick-lost)"]);
    assert_eq!(found(calls(&["t1", "t3"])), ["counter (tick-unheard-of)"]);
}
