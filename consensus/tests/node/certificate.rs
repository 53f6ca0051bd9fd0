//! Replays what concurrent transactions saw in the order of their versions: each must have seen what the ones
//! before it left, as if they had run one after the other. Whoever ended before another began comes first.

use crate::fixture::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vivarium_consensus::{Error, Node};
use vivarium_storage::engine::Scan;
use vivarium_storage::runtime::Runtime;
use vivarium_storage::{KeyRange, Version};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;
type Row = (Vec<u8>, Vec<u8>);

enum Step {
    Got(u8, Option<Vec<u8>>),
    Scanned(Scan, Vec<Row>),
    Wrote(u8, Option<Vec<u8>>),
}

/// A transaction that ended well.
struct Told {
    version: Version,
    writes: bool,
    steps: Vec<Step>,
    began: u64,
    ended: u64,
}

const KEYS: u64 = 12;

fn name(number: u8) -> Vec<u8> {
    vec![b'k', number]
}

async fn client(node: Node, seed: u64, moments: Arc<AtomicU64>) -> (Vec<Told>, u64) {
    let chance = Runtime::seeded(seed);
    let (mut told, mut conflicts) = (Vec::new(), 0);
    while told.len() < 80 {
        let began = moments.fetch_add(1, Ordering::SeqCst);
        let mut transaction = begin(&node).await;
        let mut steps = Vec::new();
        for _ in 0..1 + chance.random() % 5 {
            let number = (chance.random() % KEYS) as u8;
            match chance.random() % 6 {
                0 | 1 => {
                    let cell = transaction.get_many(ROWS, &[name(number).into()]).await.unwrap().remove(0);
                    steps.push(Step::Got(number, cell.map(|cell| cell.value.to_vec())));
                }
                2 => {
                    let end = (chance.random() % KEYS) as u8;
                    let range = KeyRange { start: name(number.min(end)).into(), end: name(number.max(end)).into() };
                    let scan = Scan {
                        range,
                        reverse: chance.random().is_multiple_of(2),
                        limit: 1 + (chance.random() % 4) as usize,
                    };
                    let rows = transaction.scan_many(ROWS, std::slice::from_ref(&scan)).await.unwrap().remove(0);
                    let rows = rows.into_iter().map(|(key, cell)| (key.to_vec(), cell.value.to_vec())).collect();
                    steps.push(Step::Scanned(scan, rows));
                }
                3 => {
                    transaction.delete(ROWS, name(number).into());
                    steps.push(Step::Wrote(number, None));
                }
                _ => {
                    let value = chance.random().to_le_bytes().to_vec();
                    transaction.put(ROWS, name(number).into(), value.clone());
                    steps.push(Step::Wrote(number, Some(value)));
                }
            }
        }
        let writes = !transaction.is_read_only();
        match commit(transaction).await {
            Ok(version) => {
                let ended = moments.fetch_add(1, Ordering::SeqCst);
                told.push(Told { version, writes, steps, began, ended });
            }
            Err(Error::Conflict) => conflicts += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (told, conflicts)
}

fn scanned(model: &Model, scan: &Scan) -> Vec<Row> {
    let inside = model.iter().filter(|(key, _)| scan.range.covers(key));
    let mut rows: Vec<Row> = inside.map(|(key, value)| (key.clone(), value.clone())).collect();
    if scan.reverse {
        rows.reverse();
    }
    rows.truncate(scan.limit);
    rows
}

/// Runs a transaction on the model and compares what it saw.
fn replay(model: &mut Model, told: &Told) {
    for step in &told.steps {
        match step {
            Step::Got(number, value) => assert_eq!(model.get(&name(*number)), value.as_ref(), "at {}", told.version),
            Step::Scanned(scan, rows) => assert_eq!(&scanned(model, scan), rows, "{scan:?} at {}", told.version),
            Step::Wrote(number, Some(value)) => {
                model.insert(name(*number), value.clone());
            }
            Step::Wrote(number, None) => {
                model.remove(&name(*number));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_transactions_saw_what_they_would_have_seen_one_after_the_other() {
    let (_dir, node) = new_node().await;
    let moments = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for seed in 0..12 {
        clients.spawn(client(node.clone(), seed, moments.clone()));
    }
    let (told, conflicts): (Vec<_>, Vec<u64>) = clients.join_all().await.into_iter().unzip();
    let mut told: Vec<Told> = told.into_iter().flatten().collect();
    // A reader sees all up to its version, so it comes after the commit of the same version.
    told.sort_by_key(|told| (told.version, !told.writes, told.began));
    let mut model = Model::new();
    let mut newest_began = 0;
    for told in &told {
        replay(&mut model, told);
        assert!(told.ended > newest_began, "{} ended before an earlier version began", told.version);
        newest_began = newest_began.max(told.began);
    }
    let conflicts: u64 = conflicts.into_iter().sum();
    assert!(conflicts > 20, "{conflicts} conflicts among twelve clients on {KEYS} keys");
    let mut reader = begin(&node).await;
    let all = Scan { range: KeyRange { start: [b'k'].into(), end: [b'l'].into() }, reverse: false, limit: usize::MAX };
    let rows = reader.scan_many(ROWS, &[all]).await.unwrap().remove(0);
    let rows: Model = rows.into_iter().map(|(key, cell)| (key.to_vec(), cell.value.to_vec())).collect();
    assert_eq!(rows, model);
}
