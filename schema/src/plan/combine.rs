//! Candidates of several accesses: records that all of them lead to, or that one of them leads to.

use super::access::{Access, Bound, Choice};
use super::candidate::{Candidate, Chooser};
use super::choice::cheapest;
use super::cost;
use super::facts::conjuncts;
use crate::filter::Predicate;

/// Accesses that are intersected: a further one mostly costs more than it saves.
const PARTS_MAX: usize = 4;
/// Branches of one `or` that are united, each with an access of its own.
const BRANCHES_MAX: usize = 16;
/// Lists of `or` that are tried: what the others say is asked of the records.
const UNIONS_MAX: usize = 4;

impl<'a> Chooser<'a> {
    /// Accesses that have nothing in common, each of which leaves out more than reading it costs.
    pub(super) fn intersection(&self, candidates: &[Candidate]) -> Option<Candidate> {
        let meets = |candidate: &&Candidate| {
            matches!(candidate.access, Access::Index { .. } | Access::Back { .. }) && !candidate.used.is_empty()
        };
        let mut parts: Vec<&Candidate> = candidates.iter().filter(meets).collect();
        parts.sort_by(|one, other| cost::gathering(one).total_cmp(&cost::gathering(other)));
        let (first, others) = parts.split_first()?;
        let follows = self.conjuncts.iter().any(|conjunct| conjunct.follows_relations());
        let mut whole = Candidate { before: cost::gathering(first), ..(*first).clone() };
        let mut chosen = vec![*first];
        for other in others {
            if chosen.len() == PARTS_MAX {
                break;
            }
            if other.used.iter().any(|conjunct| whole.used.contains(conjunct)) {
                continue;
            }
            let narrowed = whole.rows * (other.rows / cost::RECORDS).min(1.0);
            if cost::gathering(other) < cost::fetching(whole.rows - narrowed, follows) {
                whole.rows = narrowed;
                whole.before += cost::gathering(other);
                whole.covered.extend(&other.covered);
                whole.used.extend(&other.used);
                chosen.push(other);
            }
        }
        if chosen.len() < 2 {
            return None;
        }
        let parts = chosen.into_iter().map(|part| bare(self.choice(part.clone()), cost::gathering(part))).collect();
        whole.access = Access::Intersection(parts);
        whole.ordered = self.wanted.order.by_id();
        whole.width = 1;
        whole.cost = self.cost(&whole);
        Some(whole)
    }

    /// For each `or`: an access of each branch, to be gathered, and one that is merged where all come in order.
    pub(super) fn unions(&self) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let alternatives = |(at, conjunct): (usize, &&'a Predicate)| match conjunct {
            Predicate::Any(branches) => Some((at, branches.as_slice())),
            _ => None,
        };
        for (at, branches) in self.conjuncts.iter().enumerate().filter_map(alternatives).take(UNIONS_MAX) {
            let branches = disjuncts(branches);
            if branches.is_empty() || branches.len() > BRANCHES_MAX {
                continue;
            }
            let (mut gathered, mut merged) = (Some(Vec::new()), Some(Vec::new()));
            for branch in branches {
                let branch = Branch::of(self, at, branch);
                gathered = gathered.zip(branch.gathered()).map(pushed);
                merged = merged.zip(branch.sorted()).map(pushed);
            }
            candidates.extend(gathered.map(|parts| self.union(at, parts)));
            let stops = |parts: &Vec<Choice>| self.merges(parts.len()) && !self.wanted.counted;
            candidates.extend(merged.filter(stops).map(|parts| self.merge(at, parts)));
        }
        candidates
    }

    fn union(&self, at: usize, parts: Vec<(Choice, f64)>) -> Candidate {
        let before = parts.iter().map(|(_, gathering)| gathering).sum();
        let rows = parts.iter().map(|(part, _)| part.rows).sum();
        let whole = parts.iter().all(|(part, _)| part.residual.is_none());
        let parts = parts.into_iter().map(|(part, gathering)| bare(part, gathering)).collect();
        let access = Access::Union { parts, merged: false };
        // Each part leads to what fits its branch and all that holds beside it, or the whole filter is asked again.
        let covered = if whole { (0..self.conjuncts.len()).collect() } else { Vec::new() };
        let union = Candidate { before, ..Candidate::new(access, covered, rows) };
        let union = Candidate { used: vec![at], ordered: self.wanted.order.by_id(), ..union };
        Candidate { cost: self.cost(&union), ..union }
    }

    fn merge(&self, at: usize, parts: Vec<Choice>) -> Candidate {
        let rows = parts.iter().map(|part| part.rows).sum();
        let access = Access::Union { parts, merged: true };
        let merge = Candidate { used: vec![at], ordered: true, ..Candidate::new(access, Vec::new(), rows) };
        Candidate { cost: self.cost(&merge), ..merge }
    }
}

/// One branch of an `or`, with all that holds beside it.
struct Branch<'a> {
    chooser: Chooser<'a>,
    candidates: Vec<Candidate>,
}

impl<'a> Branch<'a> {
    fn of(whole: &Chooser<'a>, at: usize, branch: &'a Predicate) -> Branch<'a> {
        let mut all = conjuncts(branch);
        let own = all.len();
        let beside = whole.conjuncts.iter().enumerate().filter(|(other, _)| *other != at);
        all.extend(beside.map(|(_, conjunct)| *conjunct));
        let (planning, collection, wanted) = (whole.planning, whole.collection, whole.wanted);
        let (facts, sizes) = (Vec::new(), Vec::new());
        let mut chooser = Chooser { planning, collection, wanted, conjuncts: all, own, facts, sizes };
        chooser.learn();
        // Records that others lead to are selected once, not once for each branch.
        let plain = whole.facts.iter().filter(|fact| fact.conjunct != at && !matches!(fact.bound, Bound::Selected(_)));
        chooser.facts.extend(plain.cloned().map(|mut fact| {
            fact.conjunct = own + if fact.conjunct < at { fact.conjunct } else { fact.conjunct - 1 };
            fact
        }));
        let candidates = chooser.singles();
        let mut candidates = chooser.look(candidates);
        candidates.extend(chooser.intersection(&candidates));
        candidates.retain(|candidate| candidate.used.iter().any(|conjunct| *conjunct < own));
        Branch { chooser, candidates }
    }

    /// The cheapest access whose records are gathered, and what knowing their ids costs.
    fn gathered(&self) -> Option<(Choice, f64)> {
        let price = |candidate: &Candidate| cost::gathering(candidate) + cost::fetching(candidate.rows, false);
        let cheapest = self.candidates.iter().min_by(|one, other| price(one).total_cmp(&price(other)))?;
        Some((self.chooser.choice(cheapest.clone()), cost::gathering(cheapest)))
    }

    /// The cheapest access whose records come in the order that is wanted.
    fn sorted(&self) -> Option<Choice> {
        let at = cheapest(&self.candidates, Candidate::streams)?;
        Some(self.chooser.choice(self.candidates[at].clone()))
    }
}

/// A part of which only the ids are asked, in no order: what is left to do is done with the whole.
fn bare(part: Choice, gathering: f64) -> Choice {
    Choice { residual: None, ordered: false, cost: gathering, ..part }
}

/// The predicates of which one has to hold.
fn disjuncts(branches: &[Predicate]) -> Vec<&Predicate> {
    let mut all = Vec::with_capacity(branches.len());
    for branch in branches {
        match branch {
            Predicate::Any(inner) => all.extend(disjuncts(inner)),
            other => all.push(other),
        }
    }
    all
}

fn pushed<T>((mut all, one): (Vec<T>, T)) -> Vec<T> {
    all.push(one);
    all
}
