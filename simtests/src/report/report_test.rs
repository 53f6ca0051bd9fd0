//! What goes into a page: lanes, bands and calls as data, and nothing that could end the element it stands in.

use super::*;
use crate::check::Violation;
use crate::check::explain;
use crate::history::{End, History};
use crate::plan::{Plan, Profile, Wish};
use crate::record::{Happening, Record, State, What};
use crate::verdict::{Report, Verdict};
use crate::workload::task::{Part, Task};
use crate::workload::{Action, Reply, Workload};
use serde_json::{Value, json};

fn plan() -> Plan {
    let wish = Wish {
        profile: Profile::Partition,
        workload: Some(Workload::Append),
        time_s: 0,
        mutants: Vec::new(),
        images: 0,
        black_box: false,
    };
    Plan::draw(7, &wish)
}

fn transact(history: &mut History, (from, to): (u64, u64), parts: Vec<Part>, lists: Option<&[u64]>) {
    let begun = history.moment(from, from);
    let key = parts.iter().any(Part::writes).then(|| format!("k{from}"));
    let call = history.begin(from / 10, key, Action::Task(Task::Transact { parts }), begun);
    let ended = history.moment(to, to);
    let entry =
        |value: &u64| json!({ "list": 1, "value": value, "place": 0, "_meta": { "version": value.to_string() } });
    let read = lists.map(|list| {
        let nodes: Vec<Value> = list.iter().map(entry).collect();
        json!({ "nodes": nodes, "pageInfo": { "hasNextPage": false } })
    });
    let data = json!({ "r0": read, "a0": { "commit": { "version": from.to_string() } } });
    history.end(
        call,
        ended,
        End::Done { reply: Reply { data, errors: Vec::new(), version: Some(from) }, version: Some(from) },
    );
}

/// An append that was answered, and a read afterwards that does not see it.
fn stale_read() -> History {
    let mut history = History::default();
    transact(&mut history, (10, 20), vec![Part::Append { list: 1, value: 5 }], None);
    transact(&mut history, (25, 28), vec![Part::Read { list: 1 }], Some(&[5]));
    transact(&mut history, (30, 40), vec![Part::Read { list: 1 }], Some(&[]));
    history
}

fn record() -> Record {
    let at = |micros, what| Happening { micros, what };
    let standing =
        |node, role: &str| What::Standing { node, role: role.into(), term: 4, leader: Some(2), voters: vec![1, 2, 3] };
    let crash = json!({ "crash": { "who": { "nodes": [1, 3] }, "after_changes": 4 } });
    Record {
        happenings: vec![
            at(0, What::Stage { name: "set-up".into() }),
            at(1, What::Machine { node: 1, state: State::Opening, why: String::new() }),
            at(2, What::Machine { node: 1, state: State::Up, why: String::new() }),
            at(3, standing(1, "follower")),
            at(3, standing(2, "leader")),
            at(4, What::Stage { name: "disturbed".into() }),
            at(5, What::Trouble { what: crash, leader: Some(2), until: 9_999 }),
            at(6, What::Links { cut: vec![(1, 2), (2, 1)] }),
            at(7, What::Schema { node: 1, version: 1 }),
            at(35, What::Stage { name: "healed".into() }),
            at(50, What::Stage { name: "crash images".into() }),
            at(60, What::Machine { node: 1, state: State::Down, why: "of an image".into() }),
        ],
        nodes_of_calls: [(0, 2), (2, 1)].into(),
    }
}

fn picture(history: &History) -> Picture {
    let violation = Violation::new("certificate", "wrong-answer", "a </script> stale read").about([&history.calls[2]]);
    let report = Report::of_silence(7, Verdict::Fail { violation });
    Picture::new(&plan(), &report, (&record(), history), explain::explain(history), "vivarium-sim replay 7.toml")
}

#[test]
fn lanes_bands_and_calls_are_data() {
    let picture = serde_json::to_value(picture(&stale_read())).unwrap();
    assert_eq!(picture["ends"], 50, "crash images are another time line");
    assert_eq!(picture["stages"].as_array().unwrap().len(), 4);
    let node = &picture["nodes"][0];
    assert_eq!(node["states"], json!([[1, "opening", ""], [2, "up", ""]]));
    assert_eq!(node["standings"], json!([[3, "follower", 4, 2, [1, 2, 3]]]));
    assert_eq!(node["schemas"], json!([[7, 1]]));
    let trouble = &picture["troubles"][0];
    let expected =
        json!({ "from": 5, "until": 35, "kind": "crash", "words": "n1 n3, after changes 4", "nodes": [1, 3] });
    assert_eq!(*trouble, expected, "it ends when the cluster is healed");
    assert_eq!(picture["links"], json!([[6, [[1, 2], [2, 1]]]]));
    let call = &picture["calls"][0];
    assert_eq!((&call["kind"], &call["node"], &call["end"]), (&json!("transact"), &json!(2), &json!("done")));
    assert_eq!((&call["from"], &call["until"], &call["key"]), (&json!(10), &json!(20), &json!("k10")));
    assert_eq!(picture["documents"].as_array().unwrap().len(), 2, "equal documents are there once");
}

#[test]
fn the_cycle_is_drawn_over_its_calls_and_the_violation_has_its_place() {
    let history = stale_read();
    let picture = picture(&history);
    let cycle = picture.explanations.iter().find(|found| found.checker == "elle").expect("elle sees it");
    assert_eq!((cycle.class.as_str(), cycle.names.join(" ")), ("G-single-realtime", "T2 T0 T1".into()));
    let orders: Vec<u64> = history.calls.iter().map(|call| call.begun.order).collect();
    let ends: Vec<(u64, u64)> = cycle.steps.iter().map(|step| (step.from, step.to)).collect();
    assert_eq!(ends, [(orders[2], orders[0]), (orders[0], orders[1]), (orders[1], orders[2])]);
    assert_eq!(cycle.steps[0].words, "T2 did not observe T0's append of 5 to 1");
    let wrong = picture.violation.expect("it failed");
    assert_eq!((wrong.at, wrong.of_image, wrong.calls.as_slice()), (40, false, &[orders[2]][..]));
}

#[test]
fn the_page_is_one_file_and_its_data_cannot_leave_its_element() {
    let page = page(&picture(&stale_read()));
    assert!(page.contains("a \\u003c/script> stale read"));
    assert_eq!(page.matches("</script>").count(), 2, "one for the data, one for the script");
    for outside in ["http://", "https://", "@import", "url(", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
    for hole in ["/*data*/", "/*script*/", "/*styles*/", "/*title*/"] {
        assert!(!page.contains(hole), "{hole}");
    }
}

#[test]
fn a_page_stays_small_whatever_was_answered() {
    let mut history = stale_read();
    let long: Vec<u64> = (0..400).collect();
    for number in 0..300 {
        transact(&mut history, (41, 42 + number), vec![Part::Read { list: 1 }], Some(&long));
    }
    let report = Report::of_silence(7, Verdict::Pass);
    let page = page(&Picture::new(&plan(), &report, (&record(), &history), Vec::new(), ""));
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn troubles_are_told_with_units() {
    let told = |what: Value| super::words::trouble(&what, Some(3));
    let clock = json!({ "clock": { "who": "leader", "skew_micros": -3_600_000_000_i64 } });
    assert_eq!(told(clock), ("clock".into(), "leader n3, skew -1 h".into()));
    let split = json!({ "partition": { "shape": { "split": { "nodes": [2, 4] } } } });
    assert_eq!(told(split), ("partition".into(), "split: n2 n4".into()));
    assert_eq!(told(json!("close")), ("close".into(), String::new()));
    assert_eq!(super::words::nodes(&json!({ "partition": { "shape": "leader-with-minority" } }), Some(2)), [2]);
}
