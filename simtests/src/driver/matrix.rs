//! Who sees what: each planted bug with all checkers blind, so that none hides what another would have found.

use super::command::Mutants;
use super::{process, say};
use crate::check::{CHECKERS, blind};
use crate::mutants::Mutant;
use crate::plan::{Plan, Wish};
use crate::verdict::{Report, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Which checkers saw a planted bug, in how many of its runs, and in how many of them nobody else did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    seen: BTreeMap<String, (u64, u64)>,
    runs: u64,
}

/// Who sees something wrong in a run with all checkers blind.
pub(super) fn who(report: &Report) -> BTreeSet<&str> {
    let mut who: BTreeSet<&str> = report.noted.iter().map(|found| found.checker.as_str()).collect();
    match &report.verdict {
        Verdict::Fail { violation } => drop(who.insert(&violation.checker)),
        // A worker that dies or hangs is seen by whoever waits for it.
        Verdict::Unknown { .. } => drop(who.insert("driver")),
        Verdict::Pass | Verdict::Invalid { .. } => {}
    }
    who
}

/// The plan of a seed with all checkers blind.
pub(super) fn blind_plan(seed: u64, wish: &Wish) -> Plan {
    Plan { blind: vec![blind::ALL.into()], ..Plan::draw(seed, wish) }
}

impl Row {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        let who = who(report);
        let is_alone = u64::from(who.len() == 1);
        for checker in who {
            let (seen, alone) = self.seen.entry(checker.to_owned()).or_default();
            (*seen, *alone) = (*seen + 1, *alone + is_alone);
        }
    }
}

/// Runs each planted bug with all checkers blind, and prints who sees it.
pub fn print(chosen: &[&Mutant], arguments: &Mutants, limit: Duration) -> bool {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for mutant in chosen {
        let wish = mutant.wish(arguments.time, arguments.images);
        let plans = (1..=arguments.max_seeds).map(|seed| blind_plan(seed, &wish));
        let row = rows.entry(mutant.label()).or_default();
        process::run_all(plans, arguments.jobs, limit, |_, report| {
            row.add(&report);
            true
        });
        say(&format!("{:<10} {}", mutant.label(), line(row)));
    }
    say("");
    lines(&rows).iter().for_each(|line| say(line));
    rows.values().all(|row| !row.seen.is_empty())
}

fn line(row: &Row) -> String {
    let words: Vec<String> = row.seen.iter().map(|(checker, counts)| format!("{checker} {}", count(*counts))).collect();
    format!("of {} runs: {}", row.runs, if words.is_empty() { "nobody sees it".into() } else { words.join(", ") })
}

/// In how many runs it was seen, and in how many of them by nobody else.
fn count((seen, alone): (u64, u64)) -> String {
    if alone > 0 { format!("{seen} ({alone} alone)") } else { seen.to_string() }
}

/// The table, and what follows from it: who is alone with which bug, and who never is.
fn lines(rows: &BTreeMap<String, Row>) -> Vec<String> {
    let checkers: BTreeSet<&str> = rows.values().flat_map(|row| row.seen.keys().map(String::as_str)).collect();
    let mut lines = vec![format!("| planted bug | {} |", checkers.iter().copied().collect::<Vec<_>>().join(" | "))];
    lines.push(format!("|---|{}", "---|".repeat(checkers.len())));
    let mut alone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (mutant, row) in rows {
        let counts = checkers.iter().map(|checker| row.seen.get(*checker).copied().map_or(String::new(), count));
        lines.push(format!("| `{mutant}` of {} | {} |", row.runs, counts.collect::<Vec<_>>().join(" | ")));
        let only = row.seen.iter().filter(|(_, (_, alone))| *alone > 0);
        only.for_each(|(checker, _)| alone.entry(checker).or_default().push(mutant.as_str()));
    }
    lines.push(String::new());
    let words = alone.iter().map(|(checker, mutants)| format!("{checker} is alone with {}", mutants.join(", ")));
    lines.extend(words);
    let never: Vec<&str> = CHECKERS.iter().copied().filter(|checker| !alone.contains_key(checker)).collect();
    lines.push(format!("never alone: {}", if never.is_empty() { "nobody".into() } else { never.join(", ") }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_who_is_alone() {
        let row = |seen: &[(&str, u64, u64)]| Row {
            runs: 5,
            seen: seen.iter().map(|(checker, seen, alone)| ((*checker).to_owned(), (*seen, *alone))).collect(),
        };
        let both = row(&[("elle", 2, 0), ("certificate", 3, 1)]);
        let rows = [("a-1", both), ("a-2", row(&[("certificate", 1, 1)])), ("a-3", row(&[]))];
        let lines = lines(&rows.into_iter().map(|(label, row)| (label.to_owned(), row)).collect());
        let (last, table) = lines.split_last().unwrap();
        assert!(last.starts_with("never alone: bank, counter,") && !last.contains("certificate"), "{last}");
        assert_eq!(
            table,
            [
                "| planted bug | certificate | elle |",
                "|---|---|---|",
                "| `a-1` of 5 | 3 (1 alone) | 2 |",
                "| `a-2` of 5 | 1 (1 alone) |  |",
                "| `a-3` of 5 |  |  |",
                "",
                "certificate is alone with a-1, a-2",
            ]
        );
    }
}
