//! The certificate replay accepts a right history and names what is wrong with others.

use super::*;
use crate::history::Moment;
use serde_json::json;

/// A history of one client: (key, action, how it ended), each call ending before the next begins.
fn history(calls: Vec<(Option<&str>, Action, End)>) -> History {
    let mut history = History::default();
    for (key, action, end) in calls {
        let begun = history.moment(0, 0);
        let call = history.begin(1, key.map(str::to_owned), action, begun);
        let ended: Moment = history.moment(0, 0);
        history.end(call, ended, end);
    }
    history
}

fn label(slug: &str) -> Action {
    Action::CreateLabel { slug: slug.into() }
}

fn made(slug: &str, version: u64) -> End {
    let commit = json!({ "version": version.to_string() });
    done(json!({ "createLabel": { "label": { "slug": slug }, "commit": commit } }), version)
}

fn counted(labels: u64, version: u64) -> End {
    let count = |count: u64| json!({ "totalCount": count });
    done(json!({ "items": count(0), "boxes": count(0), "labels": count(labels), "tickets": count(0) }), version)
}

fn done(data: Value, version: u64) -> End {
    End::Done { reply: Reply { data, errors: Vec::new(), version: Some(version) }, version }
}

fn refused(code: &str) -> End {
    let errors = vec![(code.to_owned(), String::new())];
    End::Refused(Reply { data: Value::Null, errors, version: None })
}

fn class(calls: Vec<(Option<&str>, Action, End)>) -> String {
    check(&history(calls)).map_or_else(|violation| violation.class, |_| "pass".into())
}

#[test]
fn a_right_history_passes() {
    let calls = vec![
        (Some("a"), label("l1"), made("l1", 10)),
        (Some("b"), label("l1"), refused("UNIQUE_VIOLATION")),
        (None, Action::CountItems, counted(1, 10)),
        (Some("c"), label("l2"), End::Lost("power".into())),
        (Some("c"), label("l2"), made("l2", 12)),
        (None, Action::CountItems, counted(2, 12)),
    ];
    assert_eq!(class(calls), "pass");
}

#[test]
fn a_stale_read_is_named() {
    let calls = vec![(Some("a"), label("l1"), made("l1", 10)), (None, Action::CountItems, counted(0, 9))];
    assert_eq!(class(calls), "stale");
}

#[test]
fn a_wrong_answer_is_named() {
    let calls = vec![(Some("a"), label("l1"), made("l1", 10)), (None, Action::CountItems, counted(0, 10))];
    assert_eq!(class(calls), "wrong-answer");
}

#[test]
fn a_mutation_that_was_applied_twice_is_named() {
    let calls = vec![(Some("a"), label("l1"), made("l1", 10)), (Some("a"), label("l1"), made("l1", 11))];
    assert_eq!(class(calls), "duplicate");
}

#[test]
fn two_holders_of_a_unique_value_are_named() {
    let calls = vec![(Some("a"), label("l1"), made("l1", 10)), (Some("b"), label("l1"), made("l1", 11))];
    assert_eq!(class(calls), "wrongly-accepted");
}

#[test]
fn a_refusal_of_what_the_same_call_has_written_is_named() {
    let calls = vec![(Some("a"), label("l1"), made("l1", 10)), (Some("a"), label("l1"), refused("UNIQUE_VIOLATION"))];
    assert_eq!(class(calls), "wrongly-refused");
}

#[test]
fn a_refusal_without_a_reason_is_named() {
    assert_eq!(class(vec![(Some("a"), label("l1"), refused("UNIQUE_VIOLATION"))]), "wrongly-refused");
}
