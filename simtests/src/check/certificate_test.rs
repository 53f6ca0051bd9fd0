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
    End::Done { reply: Reply { data, errors: Vec::new(), version: Some(version) }, version: Some(version) }
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

mod schemas {
    use super::*;
    use crate::workload::schema_change::{Feature, Said, Task};

    fn declare(number: u64, toggles: Feature) -> Action {
        Action::Schema(Task::Declare { number, toggles: vec![toggles] })
    }

    fn declared(version: u64) -> End {
        done(json!({ "declare": { "commit": { "version": version.to_string() } } }), version)
    }

    fn create(name: &str, said: Said) -> Action {
        Action::Schema(Task::Create { name: name.into(), said: Said { size: Some(1), ..said } })
    }

    fn created(name: &str, code: Option<i64>, version: u64) -> End {
        let payload = json!({ "thing": { "name": name, "code": code, "size": 1 },
                              "commit": { "version": version.to_string() } });
        done(json!({ "createThing": payload }), version)
    }

    #[test]
    fn a_commit_holds_under_the_schema_of_its_version() {
        let extra = || Said { extra: Some(1), ..Said::default() };
        let calls = |version| {
            vec![
                (Some("a"), declare(1, Feature::Extra), declared(10)),
                (Some("b"), declare(2, Feature::Extra), declared(20)),
                (Some("c"), create("x", extra()), created("x", None, version)),
            ]
        };
        assert_eq!(class(calls(21)), "wrongly-accepted");
        // At its version it was right; only it is stale.
        assert_eq!(class(calls(15)), "stale");
        let mut calls = calls(0);
        calls[2].2 = refused("BAD_USER_INPUT");
        assert_eq!(class(calls), "pass");
    }

    #[test]
    fn a_key_that_is_being_built_may_refuse() {
        let coded = || Said { code: Some(3), ..Said::default() };
        let mut history = history(vec![(Some("a"), create("x", coded()), created("x", Some(3), 10))]);
        let begun = history.moment(0, 0);
        let build = history.begin(1, Some("b".into()), declare(1, Feature::Unique), begun);
        let begun = history.moment(0, 0);
        let meanwhile = history.begin(2, Some("c".into()), create("y", coded()), begun);
        let ended = history.moment(0, 0);
        history.end(meanwhile, ended, refused("UNIQUE_VIOLATION"));
        let ended = history.moment(0, 0);
        history.end(build, ended, declared(20));
        assert!(check(&history).is_ok());
        let begun = history.moment(0, 0);
        let later = history.begin(2, Some("d".into()), create("z", Said::default()), begun);
        let ended = history.moment(0, 0);
        history.end(later, ended, refused("UNIQUE_VIOLATION"));
        assert_eq!(check(&history).err().map(|found| found.class), Some("wrongly-refused".into()));
    }
}
