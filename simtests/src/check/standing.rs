//! What must be true of how the nodes of a cluster stand, whenever anybody looks: one leader in a term, one history.

use super::Violation;
use std::collections::BTreeMap;
use vivarium_consensus::{Role, Status};

/// All that was seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    /// Who led in each term.
    leaders: BTreeMap<u64, u64>,
    /// The version of the store after each entry of the log.
    versions: BTreeMap<u64, (u64, u64)>,
    /// What each node was last seen at, and in which of its lives.
    last: BTreeMap<u64, (u64, Status)>,
}

impl Standings {
    /// Looks at one node in one of its lives.
    ///
    /// # Errors
    /// What cannot be.
    pub fn see(&mut self, life: u64, status: &Status) -> Result<(), Violation> {
        let node = status.node;
        let wrong = |class: &str, detail: String| Err(Violation::new("raft", class, detail));
        if status.role == Role::Leader {
            let leader = *self.leaders.entry(status.term).or_insert(node);
            if leader != node {
                return wrong("two-leaders", format!("nodes {leader} and {node} both led in term {}", status.term));
            }
        }
        let Status { applied_index: applied, committed_index: committed, last_index: last, .. } = *status;
        if applied > committed || committed > last {
            let detail = format!("node {node} has applied {applied}, committed {committed}, last {last}");
            return wrong("out-of-order", detail);
        }
        let version = status.version.0;
        let (first, known) = *self.versions.entry(applied).or_insert((node, version));
        if known != version {
            let detail = format!(
                "after entry {applied} node {first} was at version {known}, node {node} is at version {version}"
            );
            return wrong("histories-differ", detail);
        }
        if let Some((before_life, before)) = self.last.insert(node, (life, status.clone()))
            && before_life == life
            && before.stopped.is_none()
            && (status.term < before.term || applied < before.applied_index || version < before.version.0)
        {
            let detail = format!(
                "node {node} went from term {}, applied {}, version {} to term {}, applied {applied}, version {version}",
                before.term, before.applied_index, before.version.0, status.term
            );
            return wrong("went-back", detail);
        }
        Ok(())
    }

    /// Terms in which somebody was seen to lead.
    pub fn terms_led(&self) -> u64 {
        self.leaders.len() as u64
    }
}
