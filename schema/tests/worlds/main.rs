//! Random operations on random records, answered by a real database and by loops over plain maps: they agree.
//!
//! `VIVARIUM_DIFFERENTIAL_SEED` and `VIVARIUM_DIFFERENTIAL_ROUNDS` repeat a run or make a long one. A round asks
//! two databases about 150 questions; one of them has no index.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]
#![allow(clippy::explicit_auto_deref, reason = "`pick` from a list of texts is not inferred without it")]

mod atom;
mod chance;
mod computed;
mod draw;
mod draw_filter;
mod draw_fold;
mod draw_index;
mod draw_write;
mod evaluate;
mod fold;
mod judge;
mod literal;
mod model;
mod operation;
mod print;
mod regressions;
mod relate;
mod round;
mod served;
mod shrink;
mod world;
mod write;

use round::{PATHS, Round};
use std::collections::BTreeSet;

/// Rounds of an ordinary run.
const ROUNDS: u64 = 4;

/// Turns of a round: a write or a walk, and several questions.
const TURNS: usize = 12;

/// More than the server reads at once.
const NOTES: usize = 1_200;

/// Questions of a turn.
const QUESTIONS: usize = 12;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn answers_are_those_of_plain_loops_over_plain_maps() {
    let seed = number("VIVARIUM_DIFFERENTIAL_SEED", 1);
    let rounds = number("VIVARIUM_DIFFERENTIAL_ROUNDS", ROUNDS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut paths = BTreeSet::new();
    for seed in seed..seed + rounds {
        runtime.block_on(async {
            let mut round = Round::open(seed).await;
            round.fill().await;
            assert!(round.size() > 20, "there is something to ask about");
            for turn in 0..TURNS {
                if turn == TURNS / 2 {
                    round.swap().await;
                }
                for _ in 0..QUESTIONS {
                    round.ask().await;
                }
                match turn % 4 {
                    0 => round.walk().await,
                    _ => round.change().await,
                }
            }
            round.verify().await;
            let [done, refused] = round.written;
            println!(
                "seed {seed}: {} questions about {} records, {done} mutations done and {refused} refused",
                round.questions,
                round.size()
            );
            paths.extend(round.paths);
        });
    }
    let unseen: Vec<_> = PATHS.into_iter().filter(|path| !paths.contains(path)).collect();
    assert!(rounds < ROUNDS || unseen.is_empty(), "no question was planned as {unseen:?}");
}

#[test]
fn answers_about_more_records_than_are_read_at_once_are_too() {
    let seed = number("VIVARIUM_DIFFERENTIAL_SEED", 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut round = Round::open(seed).await;
        round.fill().await;
        round.fill_up(NOTES).await;
        for _ in 0..QUESTIONS {
            round.ask().await;
        }
        round.change().await;
        for _ in 0..QUESTIONS {
            round.ask().await;
        }
        round.verify().await;
    });
}

#[test]
fn the_schema_is_read_as_it_is_written() {
    let model = model::Model::read();
    let fields: usize = model.objects.iter().map(|object| object.fields.len()).sum();
    assert_eq!((model.objects.len(), model.enums.len(), fields), (8, 1, 95));
    assert!(!model::without_indexes().contains("@index"));
    assert!(model::without_indexes().contains("@unique"));
}
