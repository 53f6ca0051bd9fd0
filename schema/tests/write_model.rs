//! Random writes over a schema with every kind of relation, against a model that knows no indexes, batches or bytes.
//!
//! After each transaction the database holds what the model holds, and verification finds nothing.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod model;
mod stage;

use model::observe::observe;
use model::step::{Deed, Step, step};
use model::{SCHEMA, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stage::{DATABASE, Stage, deadline};
use vivarium_consensus::{CommitOptions, Consistency, Error, Transaction};
use vivarium_schema::write::Writer;
use vivarium_schema::{Abort, Code};
use vivarium_storage::DatabaseId;

/// Runs a case for each value, all on one node, each in a database of its own.
fn cases<S: Strategy>(strategy: S, count: u32, case: impl AsyncFn(&Stage, S::Value)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stage = std::cell::RefCell::new(runtime.block_on(Stage::open(SCHEMA)));
    let count = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(count);
    let mut runner = TestRunner::new(Config { cases: count, failure_persistence: None, ..Config::default() });
    let run = |value| {
        let mut stage = stage.borrow_mut();
        let database = DatabaseId(stage.database.0 + 1);
        runtime.block_on(async {
            stage.enter(database).await;
            case(&stage, value).await;
        });
        Ok(())
    };
    runner.run(&strategy, run).unwrap();
}

/// The database holds what the model holds, and nothing is wrong with it.
async fn agree(stage: &Stage, world: &mut World, deeds: &[&[Deed]]) {
    world.links.retain(|_, pairs| !pairs.is_empty());
    let mut found = observe(stage).await;
    found.links.retain(|_, pairs| !pairs.is_empty());
    assert_eq!(found, *world, "after {deeds:#?}");
    assert_eq!(stage.problems().await, Vec::<String>::new(), "after {deeds:#?}");
}

#[test]
fn the_database_does_what_the_model_does() {
    let transactions = prop::collection::vec(prop::collection::vec(step(), 1..4), 1..40);
    cases(transactions, 48, async |stage, transactions: Vec<Vec<Step>>| {
        let mut world = World::default();
        for steps in &transactions {
            // Each step is decided in what the one before left, as far as that went.
            let (mut next, mut imagined, mut deeds) = (world.clone(), Ok(()), Vec::new());
            for step in steps {
                let deed = step.decide(&stage.catalog, &next);
                imagined = imagined.and_then(|()| deed.imagine(&stage.catalog, &mut next));
                deeds.push(deed);
            }
            let done = stage.write(async |writer: &mut Writer<'_>| act(writer, &deeds).await).await;
            assert_eq!(
                imagined.is_ok(),
                done.is_ok(),
                "the model says {imagined:?}, the database {done:?}\n{deeds:#?}\n{world:#?}"
            );
            if done.is_ok() {
                world = next;
            }
            agree(stage, &mut world, &[&deeds]).await;
        }
    });
}

/// Two transactions at one snapshot: the second to commit does what it would have done after the first, or conflicts.
#[test]
fn transactions_side_by_side_are_as_one_after_the_other() {
    let pairs = (prop::collection::vec(step(), 1..3), prop::collection::vec(step(), 1..3));
    let rounds = prop::collection::vec(pairs, 1..40);
    let (conflicts, commits) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    cases(rounds, 48, async |stage, rounds: Vec<(Vec<Step>, Vec<Step>)>| {
        let mut world = World::default();
        for (first, second) in &rounds {
            let decide = |steps: &[Step]| -> Vec<Deed> {
                steps.iter().map(|step| step.decide(&stage.catalog, &world)).collect()
            };
            let (first, second) = (decide(first), decide(second));
            let (mut one, mut two) = (begin(stage).await, begin(stage).await);
            let done = [attempt(stage, &mut one, &first).await, attempt(stage, &mut two, &second).await];
            for (transaction, deeds, done) in [(one, &first, done[0]), (two, &second, done[1])] {
                if !done {
                    continue;
                }
                match transaction.commit(CommitOptions::default(), deadline()).await {
                    Ok(_) => {
                        let imagined: Result<(), Code> =
                            deeds.iter().try_for_each(|deed| deed.imagine(&stage.catalog, &mut world));
                        assert_eq!(imagined, Ok(()), "it is as if {second:#?} came after {first:#?}");
                        commits.set(commits.get() + 1);
                    }
                    Err(Error::Conflict) => conflicts.set(conflicts.get() + 1),
                    Err(error) => panic!("{error}"),
                }
            }
            agree(stage, &mut world, &[&first, &second]).await;
        }
    });
    assert!(conflicts.get() > 0 && commits.get() > conflicts.get(), "both outcomes are met");
}

async fn begin(stage: &Stage) -> Transaction {
    stage.node.begin(Consistency::Strong, deadline()).await.unwrap()
}

async fn attempt(stage: &Stage, transaction: &mut Transaction, deeds: &[Deed]) -> bool {
    match act(&mut stage.writer(transaction), deeds).await {
        Ok(()) => true,
        Err(Abort::Failed(_)) => false,
        Err(Abort::Consensus(error)) => panic!("{error}"),
    }
}

async fn act(writer: &mut Writer<'_>, deeds: &[Deed]) -> Result<(), Abort> {
    for deed in deeds {
        deed.act(writer).await?;
    }
    Ok(())
}

#[test]
fn the_tests_begin_with_an_empty_database() {
    stage::run(async {
        let stage = Stage::open(SCHEMA).await;
        assert_eq!((observe(&stage).await.rows.len(), stage.database), (0, DATABASE));
    });
}
