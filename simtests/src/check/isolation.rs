//! What a node does that hears nobody: it may neither go on leading nor let its term grow, which would disturb the others later.
//!
//! A leader asks now and then whether a majority still answers; who wants to lead asks first whether a majority would have it.

use super::Violation;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was said before the links were cut has arrived by then.
const ARRIVED: Duration = Duration::from_secs(2);
/// By then a leader has noticed that nobody answers: several election timeouts.
const NOTICED: Duration = Duration::from_secs(6);

/// A node among several voters that hears nobody.
#[derive(Clone, Copy, Debug)]
pub struct Alone {
    /// Its number.
    pub node: u64,
    /// In which of its lives.
    pub life: u64,
    /// Its term.
    pub term: u64,
    /// It says that it leads.
    pub leads: bool,
}

/// What was seen of nodes that hear nobody, by their machines.
#[derive(Clone, Debug, Default)]
pub struct Isolation {
    seen: BTreeMap<usize, (u64, Duration, Option<u64>)>,
}

impl Isolation {
    /// Looks at a machine; `None` when its node hears somebody, stands still or needs nobody.
    ///
    /// # Errors
    /// What a node that hears nobody may not do.
    pub fn see(&mut self, place: usize, now: Duration, alone: Option<Alone>) -> Result<(), Violation> {
        let Some(Alone { node, life, term, leads }) = alone else {
            self.seen.remove(&place);
            return Ok(());
        };
        let seen = self.seen.entry(place).or_insert((life, now, None));
        if seen.0 != life {
            *seen = (life, now, None);
        }
        let since = now - seen.1;
        if since < ARRIVED {
            return Ok(());
        }
        let first = *seen.2.get_or_insert(term);
        if term > first {
            let detail =
                format!("node {node} has heard nobody for {since:?}, and its term went from {first} to {term}");
            return Err(Violation::new("raft", "disturbs", detail));
        }
        if leads && since > NOTICED {
            let detail = format!("node {node} has heard nobody for {since:?}, and leads in term {term} nevertheless");
            return Err(Violation::new("liveness", "leads-unheard", detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(seen: &[(u64, u64, bool)]) -> Option<String> {
        let mut isolation = Isolation::default();
        let mut looks = seen.iter().map(|(second, term, leads)| {
            let alone = Alone { node: 1, life: 0, term: *term, leads: *leads };
            isolation.see(0, Duration::from_secs(*second), Some(alone))
        });
        looks.find_map(Result::err).map(|violation| violation.class)
    }

    #[test]
    fn who_hears_nobody_keeps_its_term_and_gives_up_leading() {
        assert_eq!(class(&[(0, 3, true), (1, 4, true), (3, 4, false), (60, 4, false)]), None);
        assert_eq!(class(&[(0, 3, false), (3, 3, false), (4, 4, false)]).as_deref(), Some("disturbs"));
        assert_eq!(class(&[(0, 3, true), (3, 3, true), (7, 3, true)]).as_deref(), Some("leads-unheard"));
    }

    #[test]
    fn who_hears_somebody_again_begins_anew() {
        let mut isolation = Isolation::default();
        let alone = |term| Some(Alone { node: 1, life: 0, term, leads: false });
        let second = Duration::from_secs;
        for (at, alone) in [(0, alone(3)), (3, alone(3)), (4, None), (5, alone(4)), (8, alone(4))] {
            isolation.see(0, second(at), alone).unwrap();
        }
    }
}
