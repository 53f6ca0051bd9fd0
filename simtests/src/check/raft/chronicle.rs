//! What nodes of one cluster said and did over all their lives, and whether it can be true of a cluster that keeps Raft's rules.
//!
//! Election safety, log matching, leader completeness, state-machine safety; a vote, and a word about a disk, are durable.

use super::log_image::{Log, Vow};
use crate::check::Violation;
use std::collections::{BTreeMap, BTreeSet};

type Checked = Result<(), Violation>;

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    /// What the disk of each node said last of its vote.
    vows: BTreeMap<u64, Vow>,
    /// Whom each node gave its vote in each term.
    votes: BTreeMap<(u64, u64), u64>,
    /// Who led in each term, and what it knew to be committed when it began.
    leaders: BTreeMap<u64, (u64, u64)>,
    /// By index and term, each entry that ever was in a log: the term of the one before it, its hash, whose log.
    entries: BTreeMap<(u64, u64), Entry>,
    /// The entries that a leader counted as the last committed one, with their terms.
    committed: BTreeMap<u64, u64>,
    /// Term and hash of each entry that was applied, and who was first.
    applied: BTreeMap<u64, (u64, u64, u64)>,
    /// The version of the store after entries that carry one.
    versions: BTreeMap<u64, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    before: Option<u64>,
    hash: u64,
    whose: u64,
}

/// A leader's count.
#[derive(Clone, Copy, Debug)]
pub struct Count<'a> {
    /// Who counts.
    pub node: u64,
    /// The term in which it leads.
    pub term: u64,
    /// The last entry that it counts as committed.
    pub index: u64,
    /// The term of that entry, if its log has it.
    pub entry_term: Option<u64>,
    /// Who votes.
    pub voters: &'a [u64],
}

fn wrong(class: &str, detail: String) -> Checked {
    Err(Violation::new("raft", class, detail))
}

impl Chronicle {
    /// A node says whom it gave its vote, with this on its disk.
    ///
    /// # Errors
    /// When it said something else before, or its disk does not say so.
    pub fn votes(&mut self, node: u64, term: u64, candidate: u64, durable: Vow) -> Checked {
        let first = *self.votes.entry((node, term)).or_insert(candidate);
        if first != candidate {
            return wrong("two-votes", format!("node {node} voted for {first} and for {candidate} in term {term}"));
        }
        if durable.term < term || (durable.term == term && durable.vote != candidate) {
            let detail =
                format!("node {node} gives {candidate} its vote in term {term}, and its disk says {durable:?}");
            return wrong("vote-not-durable", detail);
        }
        Ok(())
    }

    /// A node says to a leader that its disk has all entries up to `index`; this is what its disk has.
    ///
    /// # Errors
    /// When that is not so.
    pub fn holds(&self, node: u64, term: u64, index: u64, durable: &Log) -> Checked {
        // Said to somebody who leads no more: what it has now may be another leader's.
        if durable.vow.term > term || index <= durable.last() {
            return Ok(());
        }
        let last = durable.last();
        wrong("append-not-durable", format!("node {node} says that it has entry {index}, and its disk ends at {last}"))
    }

    /// A node's disk says this of its vote, wherever that disk is and whatever became of an earlier one.
    ///
    /// # Errors
    /// When it forgot a term, or gave a vote away twice.
    pub fn vows(&mut self, node: u64, after: Vow) -> Checked {
        let before = self.vows.insert(node, after).unwrap_or(after);
        let forgot = after.term < before.term;
        let voted_twice = after.term == before.term && before.vote != 0 && after.vote != before.vote;
        if forgot || voted_twice {
            return wrong("vow-broken", format!("the disk of node {node} said {before:?}, and now {after:?}"));
        }
        Ok(())
    }

    /// A node begins to lead, with this log.
    ///
    /// # Errors
    /// When another one led in its term, or its log lacks what is committed.
    pub fn leads(&mut self, node: u64, term: u64, committed: u64, term_of: &dyn Fn(u64) -> Option<u64>) -> Checked {
        let (leader, _) = *self.leaders.entry(term).or_insert((node, committed));
        if leader != node {
            return wrong("two-leaders", format!("nodes {leader} and {node} both led in term {term}"));
        }
        // A late vote may still make a leader of an older term: it need not have what newer ones committed.
        let Some((index, expected)) = self.committed.iter().rev().find(|(_, of)| **of < term) else { return Ok(()) };
        let found = term_of(*index);
        // What it has purged it had; what it knows to be committed was compared when it was applied.
        let purged = found.is_none() && *index <= committed;
        if found == Some(*expected) || purged {
            return Ok(());
        }
        let detail = format!(
            "node {node} leads in term {term} without entry {index} of term {expected}, which is committed; it has {found:?}"
        );
        wrong("leader-incomplete", detail)
    }

    /// An entry is written to a node's log, after one of term `before`.
    ///
    /// # Errors
    /// When an entry of the same index and term is another one, or follows another one.
    pub fn logs(&mut self, node: u64, before: Option<u64>, (index, term): (u64, u64), hash: u64) -> Checked {
        let known = self.entries.entry((index, term)).or_insert(Entry { before, hash, whose: node });
        let differs = before.is_some() && known.before.is_some() && known.before != before;
        if known.hash != hash || differs {
            let whose = known.whose;
            let detail =
                format!("entry {index} of term {term} is not the same in the logs of nodes {whose} and {node}");
            return wrong("logs-differ", detail);
        }
        known.before = known.before.or(before);
        Ok(())
    }

    /// A leader counts entries as committed. `holds` says whether a voter's disk has an entry of an index and a term.
    ///
    /// # Errors
    /// When no majority has them, or the last of them is of an earlier term.
    pub fn commits(&mut self, count: Count<'_>, holds: &dyn Fn(u64, u64, u64) -> bool) -> Checked {
        let Count { node, term, index, entry_term, voters } = count;
        let inherited = self.leaders.get(&term).is_none_or(|(_, committed)| index <= *committed);
        let Some(entry_term) = entry_term else { return Ok(()) };
        if let Some(known) = self.committed.get(&index) {
            let detail =
                format!("entry {index} of term {known} was committed, and node {node} has one of {entry_term}");
            return if *known == entry_term { Ok(()) } else { wrong("committed-changed", detail) };
        }
        if inherited {
            return Ok(());
        }
        if entry_term != term {
            let detail = format!("node {node} leads in term {term} and counts entry {index} of term {entry_term}");
            return wrong("counted-an-older-term", detail);
        }
        let holders: Vec<u64> = voters.iter().copied().filter(|voter| holds(*voter, index, entry_term)).collect();
        if holders.len() <= voters.len() / 2 {
            let detail = format!(
                "node {node} counts entry {index} of term {entry_term} as committed: of {voters:?} only the disks of {holders:?} have it"
            );
            return wrong("no-majority", detail);
        }
        self.committed.insert(index, entry_term);
        Ok(())
    }

    /// A node goes by another configuration: these voted before, and those vote after.
    ///
    /// # Errors
    /// When a majority before and a majority after may have nobody in common.
    pub fn reconfigures(&self, node: u64, before: &[u64], after: &[u64]) -> Checked {
        let majority = |voters: &[u64]| voters.len() / 2 + 1;
        let all: BTreeSet<u64> = before.iter().chain(after).copied().collect();
        if majority(before) + majority(after) > all.len() {
            return Ok(());
        }
        wrong("quorums-apart", format!("node {node} goes from voters {before:?} to {after:?} in one step"))
    }

    /// A node hands an entry on to be applied.
    ///
    /// # Errors
    /// When another one was applied in its place, or nobody ever wrote it.
    pub fn applies(&mut self, node: u64, (index, term): (u64, u64), hash: u64) -> Checked {
        let (known_term, known_hash, first) = *self.applied.entry(index).or_insert((term, hash, node));
        if (known_term, known_hash) != (term, hash) {
            let detail = format!(
                "as entry {index} node {first} applied one of term {known_term}, and node {node} one of term {term}"
            );
            return wrong("committed-changed", detail);
        }
        if let Some(counted) = self.committed.get(&index).filter(|counted| **counted != term) {
            let detail =
                format!("entry {index} of term {counted} was committed, node {node} applies one of term {term}");
            return wrong("committed-changed", detail);
        }
        match self.entries.get(&(index, term)) {
            Some(entry) if entry.hash == hash => Ok(()),
            _ => wrong("never-written", format!("node {node} applies entry {index} of term {term} as nobody wrote it")),
        }
    }

    /// An entry that is applied takes the store to a version.
    pub fn comes_to(&mut self, index: u64, version: Option<u64>) {
        if let Some(version) = version {
            self.versions.insert(index, version);
        }
    }

    /// The newest version up to the last entry that was applied anywhere and is in this log too. Logs that have an entry in
    /// common have all before it in common.
    pub fn shared_version(&self, log: &Log) -> u64 {
        let shared =
            |(index, (term, ..)): &(&u64, &(u64, u64, u64))| log.holds(**index, *term) && **index <= log.last();
        let last = self.applied.iter().rev().find(shared).map_or(0, |(index, _)| *index);
        self.versions.range(..=last).next_back().map_or(0, |(_, version)| *version)
    }
}

#[cfg(test)]
#[path = "chronicle_test.rs"]
mod tests;
