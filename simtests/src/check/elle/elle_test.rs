//! Each class has its smallest history, the toy store is right when it is right, and each of its bugs is seen.

use super::toy::{self, Bug};
use super::*;
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// A transaction in short: `1: r x 1 2, a x 3` by process 1; `1!` failed, `1?` unknown; `@3-5` when.
fn transaction(text: &str, number: usize) -> Transaction {
    let (who, operations) = text.split_once(':').expect("a process, a colon, operations");
    let (who, when) = who.split_once('@').unwrap_or((who, ""));
    let outcome = match who.chars().last() {
        Some('!') => Outcome::Fail,
        Some('?') => Outcome::Info,
        _ => Outcome::Ok,
    };
    let process = who.trim_end_matches(['!', '?']).parse().expect("a process is a number");
    // Without a time of its own everything happens at once.
    let (invoked, returned) = match when.split_once('-') {
        Some((invoked, returned)) => (invoked.parse().unwrap(), returned.parse().unwrap()),
        None => (0, 1000),
    };
    let operations = operations.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| {
        let mut words = text.split(' ');
        let (what, key) = (words.next().unwrap(), words.next().unwrap());
        let key = Key(u64::from(key.as_bytes()[0]));
        let mut values = words.map(|word| Value(word.parse().unwrap()));
        match what {
            "a" => MicroOperation::Append(key, values.next().unwrap()),
            _ => MicroOperation::Read(key, values.collect()),
        }
    });
    let version = Some(number as u64 + 1);
    Transaction { process, invoked, returned, outcome, operations: operations.collect(), version }
}

fn parse(texts: &[&str]) -> Vec<Transaction> {
    texts.iter().enumerate().map(|(number, text)| transaction(text, number)).collect()
}

fn names(anomalies: &[Anomaly]) -> Vec<&'static str> {
    anomalies.iter().map(|anomaly| anomaly.class.name()).collect()
}

#[test]
fn each_class_has_its_smallest_history() {
    let table: &[(&str, &[&str])] = &[
        ("duplicate-write", &["1: a x 1", "2: a x 1"]),
        ("garbage-read", &["1: r x 1"]),
        ("duplicate-elements", &["1: a x 1", "2: r x 1 1"]),
        ("internal", &["1: a x 1, r x"]),
        ("internal", &["1: a x 1", "2: r x, r x 1"]),
        ("internal", &["1: r x 1, a x 1"]),
        ("G1a", &["1!: a x 1", "2: r x 1"]),
        ("G1b", &["1: a x 1, a x 2", "2: r x 1", "3: r x 1 2"]),
        ("dirty-update", &["1!: a x 1", "2: a x 2", "3: r x 1 2"]),
        ("incompatible-order", &["1: a x 1", "2: a x 2", "3: r x 1", "4: r x 2"]),
        ("lost-update", &["1: r x, a x 1", "2: r x, a x 2", "3: r x 1 2"]),
        ("G0", &["1: a x 1, a y 1", "2: a x 2, a y 2", "3: r x 1 2", "4: r y 2 1"]),
        ("G0-process", &["1@0-1: a x 1", "1@1-2: a x 2", "2@0-9: r x 2 1"]),
        ("G0-realtime", &["1@0-1: a x 1", "2@2-3: a x 2", "3@0-9: r x 2 1"]),
        ("G1c", &["1: a x 1, r y 1", "2: a y 1, r x 1"]),
        ("G1c-process", &["1@0-1: r x 1", "1@1-2: a x 1"]),
        ("G1c-realtime", &["1@0-1: r x 1", "2@2-3: a x 1"]),
        ("G-single", &["1: a x 1, a y 1", "2: r x 1, r y", "3: r y 1"]),
        ("G-single-process", &["1@0-1: a x 1", "1@1-2: r x"]),
        ("G-single-realtime", &["1@0-1: a x 1", "2@2-3: r x"]),
        ("G-single-realtime", &["1@0-1: a x 1", "2@2-3: r x", "3@2-3: r x 1"]),
        ("G-nonadjacent", &["1: r x, r y 1", "2: a x 1", "3: r x 1, r y", "4: a y 1"]),
        ("G2-item", &["1: r x, a y 1", "2: r y, a x 1"]),
        ("G2-item-process", &["1@0-1: r x, a p 1", "1@1-2: r y", "2@0-1: r p, a y 1", "2@1-2: a x 1, r p 1"]),
        ("G2-item-realtime", &["1@0-1: r x, a y 1", "2@2-3: r z", "3@0-9: a z 1, r y", "4@0-9: a x 1, r z 1"]),
    ];
    let mut seen = BTreeSet::new();
    for (class, texts) in table {
        let found = check(&parse(texts));
        seen.extend(names(&found));
        assert!(names(&found).contains(class), "{class} is not in {found:#?} of {texts:#?}");
    }
    let all = ["duplicate-write", "garbage-read", "duplicate-elements", "internal", "G1a", "G1b", "dirty-update"];
    let cycles = ["G0", "G1c", "G-single", "G-nonadjacent", "G2-item"];
    for name in all.into_iter().chain(cycles) {
        assert!(seen.contains(name), "{name} has no history");
    }
}

#[test]
fn a_cycle_is_told_step_by_step() {
    let found = check(&parse(&["1@0-1: a x 1", "2@0-9: r x 1, a x 2", "3@2-3: r x"]));
    let words: Vec<&str> = found[0].words.iter().map(String::as_str).collect();
    assert_eq!(found[0].class.name(), "G-single-realtime");
    let x = u64::from(b'x');
    let missed = format!("T2 did not observe T0's append of 1 to {x}");
    assert_eq!(words, [missed.as_str(), "T0 had ended (at 1) before T2 began (at 2)"]);
}

#[test]
fn appends_that_nobody_read_come_last() {
    let dropped = ["1@0-1: a x 1", "2@2-3: a x 2", "3@4-5: r x 1"];
    assert_eq!(names(&check(&parse(&dropped))), ["G-single-realtime"]);
    let unknown = ["1@0-1: a x 1", "2?@2-3: a x 2", "3@4-5: r x 1"];
    assert_eq!(names(&check(&parse(&unknown))), [""; 0]);
    let late = ["1@0-1: a x 1", "2@2-3: a x 2", "3@2-5: r x 1"];
    assert_eq!(names(&check(&parse(&late))), [""; 0]);
}

#[test]
fn many_readers_and_many_unread_appends_stay_cheap() {
    let read = |number| transaction("1@0-1: r x", number);
    let append = |number: usize| {
        let operations = vec![MicroOperation::Append(Key(u64::from(b'x')), Value(number as u64))];
        Transaction { operations, process: number as u64, ..transaction("2@5-9: r y", number) }
    };
    let mut history: Vec<_> = (0..20_000).map(read).chain((20_000..40_000).map(append)).collect();
    assert_eq!(names(&check(&history)), [""; 0]);
    // One reader comes too late.
    (history[7].process, history[7].invoked, history[7].returned) = (3, 10, 11);
    assert_eq!(names(&check(&history)), ["G-single-realtime"]);
}

/// A serial execution with random intervals around the moments at which its transactions take place.
fn serial(rng: &mut Rng, count: u64, keys: u64) -> Vec<Transaction> {
    let mut lists: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    let mut history = Vec::new();
    for number in 1..=count {
        let outcome = *rng.pick(&[Outcome::Ok, Outcome::Ok, Outcome::Ok, Outcome::Ok, Outcome::Fail, Outcome::Info]);
        let takes_place = outcome == Outcome::Ok || (outcome == Outcome::Info && rng.chance(1, 2));
        let mut after = lists.clone();
        let operations = (0..rng.between(1, 3)).map(|step| {
            let key = Key(rng.below(keys));
            if rng.chance(1, 2) {
                let value = Value(number * 10 + step);
                after.entry(key).or_default().push(value);
                MicroOperation::Append(key, value)
            } else {
                MicroOperation::Read(key, after.get(&key).cloned().unwrap_or_default())
            }
        });
        let operations = operations.collect();
        if takes_place {
            lists = after;
        }
        let moment = number * 100;
        let (invoked, returned) = (moment - rng.below(100).min(moment), moment + rng.below(400));
        history.push(Transaction { process: number, invoked, returned, outcome, operations, version: Some(number) });
    }
    let rest = lists.into_iter().map(|(key, list)| MicroOperation::Read(key, list)).collect();
    let (invoked, returned) = (count * 100 + 50, count * 100 + 60);
    let last =
        Transaction { process: 0, invoked, returned, outcome: Outcome::Ok, operations: rest, version: Some(count + 1) };
    history.push(last);
    history
}

#[test]
fn serial_executions_are_clean_and_a_moved_element_is_not() {
    let mut broken = 0;
    for seed in 0..300 {
        let mut rng = Rng::stream(seed, "serial");
        let mut history = serial(&mut rng, 40, 4);
        assert_eq!(check(&history), [], "seed {seed}");
        let readers = 0..history.len() - 1;
        let mut swapped = false;
        for transaction in history[readers].iter_mut().filter(|transaction| transaction.outcome == Outcome::Ok) {
            for operation in &mut transaction.operations {
                if let MicroOperation::Read(_, list) = operation
                    && list.len() > 1
                    && !swapped
                {
                    let at = rng.below(list.len() as u64 - 1) as usize;
                    list.swap(at, at + 1);
                    swapped = true;
                }
            }
        }
        assert!(check(&history).is_empty() != swapped, "seed {seed}");
        broken += u32::from(swapped);
    }
    assert!(broken > 200, "{broken}");
}

/// Tries all orders.
fn is_strictly_serializable(
    history: &[Transaction],
    left: &BTreeSet<usize>,
    lists: &BTreeMap<Key, Vec<Value>>,
) -> bool {
    if left.iter().all(|number| history[*number].outcome == Outcome::Info) {
        return true;
    }
    left.iter().any(|next| {
        let transaction = &history[*next];
        let too_early = left
            .iter()
            .any(|other| history[*other].outcome == Outcome::Ok && history[*other].returned < transaction.invoked);
        let mut lists = lists.clone();
        let fits = transaction.operations.iter().all(|operation| match operation {
            MicroOperation::Append(key, value) => {
                lists.entry(*key).or_default().push(*value);
                true
            }
            MicroOperation::Read(key, read) => {
                transaction.outcome == Outcome::Info || lists.get(key).map_or(&[][..], Vec::as_slice) == read
            }
        });
        let mut left = left.clone();
        left.remove(next);
        !too_early && fits && is_strictly_serializable(history, &left, &lists)
    })
}

#[test]
fn the_verdict_is_that_of_trying_all_orders() {
    let (mut clean, mut broken) = (0, 0);
    for seed in 0..6000 {
        let mut rng = Rng::stream(seed, "tiny");
        let mut history = serial(&mut rng, 4, 2);
        if rng.chance(1, 2) {
            history.pop();
        }
        for _ in 0..rng.below(3) {
            let victim = rng.below(history.len() as u64) as usize;
            let transaction = &mut history[victim];
            transaction.invoked = rng.below(500);
            transaction.returned = transaction.invoked + rng.below(300);
            for operation in &mut transaction.operations {
                match operation {
                    MicroOperation::Read(_, list) if rng.chance(1, 4) => drop(list.pop()),
                    MicroOperation::Read(_, list) if rng.chance(1, 8) => list.reverse(),
                    MicroOperation::Append(key, _) if rng.chance(1, 8) => key.0 = 1 - key.0,
                    _ => {}
                }
            }
        }
        let left = (0..history.len()).filter(|number| history[*number].outcome != Outcome::Fail).collect();
        let expected = is_strictly_serializable(&history, &left, &BTreeMap::new());
        let found = check(&history);
        assert_eq!(found.is_empty(), expected, "seed {seed}: {found:#?} in {history:#?}");
        *if expected { &mut clean } else { &mut broken } += 1;
    }
    assert!(clean > 1000 && broken > 1000, "{clean} clean, {broken} broken");
}

#[test]
fn the_right_store_is_clean() {
    for seed in 0..60 {
        let history = toy::history(Bug::None, seed, 400, 10);
        assert_eq!(check(&history), [], "seed {seed}");
        assert_eq!(replay(&history), Ok(()), "seed {seed}");
    }
}

#[test]
fn each_bug_of_the_store_is_seen_and_both_checkers_agree() {
    const SEEDS: u64 = 24;
    // What is most telling of each, and in how many seeds something must be seen.
    let telling = [
        (Bug::SnapshotIsolation, "G2-item", 24),
        (Bug::LostUpdate, "lost-update", 24),
        (Bug::Overwrite, "incompatible-order", 24),
        (Bug::StaleReads, "G-single-process", 20),
        (Bug::AbortedVisible, "G1a", 24),
        (Bug::DroppedWrite, "G-single", 20),
        (Bug::HalfCommit, "G0", 22),
        (Bug::AppendTwice, "duplicate-elements", 20),
        (Bug::EarlyAppend, "G1b", 22),
    ];
    for (bug, class, least) in telling {
        let mut seen = 0;
        let mut classes: BTreeSet<&str> = BTreeSet::new();
        for seed in 0..SEEDS {
            let history = toy::history(bug, seed, 500, 10);
            let found = check(&history);
            assert_eq!(found.is_empty(), replay(&history).is_ok(), "{bug:?}, seed {seed}: {found:#?}");
            seen += u32::from(!found.is_empty());
            classes.extend(names(&found));
        }
        assert!(seen >= least, "{bug:?} was seen in {seen} of {SEEDS} seeds");
        assert!(classes.contains(class), "{bug:?} never showed {class}: {classes:?}");
    }
}
