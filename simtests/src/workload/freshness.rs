//! How new the answer to a read has to be: what a step says of it, and what that comes to when the step is taken.
//!
//! A read of which nothing is said is strong.

use super::Action;
use crate::history::History;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Bounds of reads: shorter than a round of messages, and longer than an election.
const BOUNDS_MS: [u64; 5] = [0, 20, 100, 500, 5_000];

/// How new the answer to a read has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freshness {
    /// As new as whatever anybody was told before.
    #[default]
    Newest,
    /// Whatever a node has.
    Any,
    /// It may lack only what was acknowledged less than so many milliseconds before.
    Within(u64),
    /// As new as whatever this client was told before.
    Own,
    /// As new as whatever any client was told before: somebody passes a version on.
    Heard,
    /// Both of what this client was told, and a bound in milliseconds.
    OwnWithin(u64),
}

impl Freshness {
    /// Half of the reads ask for less than the newest.
    pub(super) fn draw(rng: &mut Rng) -> Freshness {
        match rng.below(16) {
            0..=7 => Freshness::Newest,
            8 | 9 => Freshness::Any,
            10..=12 => Freshness::Within(*rng.pick(&BOUNDS_MS)),
            13 => Freshness::Own,
            14 => Freshness::Heard,
            _ => Freshness::OwnWithin(*rng.pick(&BOUNDS_MS)),
        }
    }

    /// What a client asks for that says so now.
    pub(crate) fn asked(self, history: &History, client: u64) -> Asked {
        let own = || history.told(|call| call.client == client);
        let (bound_ms, at_least) = match self {
            Freshness::Newest => return Asked::default(),
            Freshness::Any => (None, None),
            Freshness::Within(bound_ms) => (Some(bound_ms), None),
            Freshness::Own => (None, own()),
            Freshness::Heard => (None, history.told(|_| true)),
            Freshness::OwnWithin(bound_ms) => (Some(bound_ms), own()),
        };
        Asked { stale: true, bound_ms, at_least }
    }

    /// True when nothing is said of it.
    pub fn is_newest(&self) -> bool {
        *self == Freshness::Newest
    }
}

/// What a call asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// `@consistency(level: STALE)`.
    pub stale: bool,
    /// Its `maxStaleness` in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_ms: Option<u64>,
    /// `Prefer-Version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u64>,
}

impl Asked {
    /// True when nothing less than the newest was asked for: a version beside a bound asks for that too.
    pub fn is_strong(&self) -> bool {
        !self.stale || (self.bound_ms.is_some() && self.at_least.is_some())
    }

    /// True when nothing was said of it.
    pub fn is_silent(&self) -> bool {
        *self == Asked::default()
    }

    /// The document of an action that asks for this.
    pub fn document(&self, action: &Action) -> Cow<'static, str> {
        let document = action.document();
        if !self.stale {
            return document;
        }
        let bound = self.bound_ms.map(|ms| format!(", maxStaleness: \"PT{}.{:03}S\"", ms / 1000, ms % 1000));
        let bound = bound.unwrap_or_default();
        let (head, selection) = document.split_at(document.find('{').expect("a query selects something"));
        Cow::Owned(format!("{} @consistency(level: STALE{bound}) {selection}", head.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::End;
    use crate::workload::{Reply, Step, Workload};
    use serde_json::Value;

    fn told(history: &mut History, client: u64, version: u64) {
        let begun = history.moment(0, 0);
        let call = history.begin(client, None, Action::CountItems, begun);
        let ended = history.moment(0, 0);
        let reply = Reply { data: Value::Null, errors: Vec::new(), version: Some(version) };
        history.end(call, ended, End::Done { reply, version: Some(version) });
    }

    #[test]
    fn a_read_says_what_it_asks_for() {
        let mut history = History::default();
        let asked = |freshness: Freshness, history: &History| freshness.asked(history, 1);
        assert_eq!(asked(Freshness::Own, &history).at_least, None, "nobody was told anything");
        for (client, version) in [(1, 5), (1, 3), (2, 9)] {
            told(&mut history, client, version);
        }
        assert_eq!(asked(Freshness::Own, &history).at_least, Some(5));
        assert_eq!(asked(Freshness::Heard, &history).at_least, Some(9));
        let document = |freshness| asked(freshness, &history).document(&Action::ReadLabel { slug: "l1".into() });
        assert!(document(Freshness::Newest).starts_with("query($slug: String!) { label("));
        assert!(document(Freshness::Any).starts_with("query($slug: String!) @consistency(level: STALE) { label("));
        let bound = "query($slug: String!) @consistency(level: STALE, maxStaleness: \"PT2.020S\") { label(";
        assert!(document(Freshness::Within(2_020)).starts_with(bound));
        assert!(asked(Freshness::OwnWithin(20), &history).is_strong() && !asked(Freshness::Own, &history).is_strong());
    }

    #[test]
    fn half_of_the_reads_ask_for_less_than_the_newest_and_no_mutation_does() {
        let steps: Vec<Step> =
            (0..40).flat_map(|seed| Workload::Mixed.draw(2, 100, &mut Rng::stream(seed, "workload"))).collect();
        let (mutations, reads): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.action.is_mutation());
        assert!(mutations.iter().all(|step| step.freshness.is_newest()));
        let less = reads.iter().filter(|step| !step.freshness.is_newest()).count();
        assert!(less * 5 > reads.len() * 2 && less * 5 < reads.len() * 3, "{less} of {}", reads.len());
    }
}
