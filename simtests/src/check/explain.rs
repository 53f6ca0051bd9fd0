//! What each checker finds in a history, as data for a picture: the calls that it is about, and why one follows another.

use super::{Violation, certificate, elle, oracles};
use crate::history::{End, History};
use serde::Serialize;

/// What one checker found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Who says so.
    pub checker: String,
    /// What kind it is.
    pub class: String,
    /// In sentences.
    pub words: Vec<String>,
    /// The calls that it is about, by the order of their begins.
    pub calls: Vec<u64>,
    /// What the words call each of the calls, where they do.
    pub names: Vec<String>,
    /// The steps of a cycle.
    pub steps: Vec<Step>,
}

/// One step of a cycle: why one call comes before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The call that comes first, by the order of its begin.
    pub from: u64,
    /// The call that comes after it.
    pub to: u64,
    /// Why.
    pub words: String,
}

impl From<Violation> for Explanation {
    fn from(found: Violation) -> Explanation {
        let Violation { checker, class, detail, about } = found;
        Explanation { checker, class, words: vec![detail], calls: about, names: Vec::new(), steps: Vec::new() }
    }
}

/// All that the checkers of histories find.
pub fn explain(history: &History) -> Vec<Explanation> {
    let certificate = if history.is_black_box() { None } else { certificate::check(history).err() };
    let mut found: Vec<Explanation> = certificate.into_iter().map(Explanation::from).collect();
    let others = oracles::witnesses(history).into_iter().filter(|other| other.checker != "elle");
    found.extend(others.map(Explanation::from));
    found.extend(cycles(history));
    found
}

/// Where something was sent several times under one key, the call that was answered: it is what others could know of.
fn answered(history: &History, order: u64) -> u64 {
    let key = history.calls.iter().find(|call| call.begun.order == order).and_then(|call| call.key.as_ref());
    let same = history.calls.iter().filter(|call| key.is_some() && call.key.as_ref() == key);
    let first =
        same.filter(|call| matches!(call.end, End::Done { .. })).min_by_key(|call| call.ended.map(|at| at.order));
    first.map_or(order, |call| call.begun.order)
}

/// The anomalies of a history of list appends.
fn cycles(history: &History) -> Vec<Explanation> {
    let transactions = match oracles::transactions(&oracles::tasks(history)) {
        Ok(transactions) => transactions,
        Err(malformed) => return vec![malformed.into()],
    };
    let order = |transaction: usize| answered(history, transactions[transaction].invoked);
    let explained = elle::check(&transactions).into_iter().map(|anomaly| Explanation {
        checker: "elle".into(),
        class: anomaly.class.name().into(),
        calls: anomaly.transactions.iter().copied().map(order).collect(),
        names: anomaly.transactions.iter().map(|number| format!("T{number}")).collect(),
        steps: anomaly
            .steps()
            .map(|(from, to, words)| Step { from: order(from), to: order(to), words: words.into() })
            .collect(),
        words: anomaly.words,
    });
    explained.collect()
}
