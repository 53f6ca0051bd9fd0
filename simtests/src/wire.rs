//! The way between clients and nodes: requests and answers that are lost, late or sent twice, nodes that cannot be reached.
//!
//! A lost request was never carried out; of a lost answer only the client does not know. Clients cannot tell them apart.

use crate::plan::Calls;
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What becomes of one message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It arrives.
    Goes,
    /// It arrives later.
    Late(Duration),
    /// It never arrives.
    Lost,
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Of the request.
    pub request: Way,
    /// Of its answer.
    pub answer: Way,
    /// The request arrives once more, so much later.
    pub again: Option<Duration>,
}

impl Way {
    /// Waits until the message arrives. False when it never does.
    #[cfg(madsim)]
    pub async fn arrive(self) -> bool {
        match self {
            Way::Goes => true,
            Way::Late(time) => {
                madsim::time::sleep(time).await;
                true
            }
            Way::Lost => false,
        }
    }
}

impl Passage {
    /// All goes well.
    pub const FREE: Passage = Passage { request: Way::Goes, answer: Way::Goes, again: None };
}

/// Clients that do not reach nodes.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The clients, by number.
    pub clients: BTreeSet<u64>,
    /// The machines, by place.
    pub places: BTreeSet<usize>,
    /// Requests are lost; else only answers are.
    pub requests: bool,
}

/// The way between clients and nodes.
#[derive(Clone, Debug)]
pub struct Wire {
    calls: Calls,
    rng: Rng,
    gaps: BTreeMap<u64, Gap>,
    opened: u64,
    /// Calls that did not simply go their way.
    pub troubled: u64,
}

impl Default for Wire {
    fn default() -> Wire {
        Wire::new(Calls::default(), 0)
    }
}

impl Wire {
    /// A wire with these troubles.
    pub fn new(calls: Calls, seed: u64) -> Wire {
        Wire { calls, rng: Rng::stream(seed, "wire"), gaps: BTreeMap::new(), opened: 0, troubled: 0 }
    }

    /// Opens a gap: its number.
    pub fn open(&mut self, gap: Gap) -> u64 {
        self.opened += 1;
        self.gaps.insert(self.opened, gap);
        self.opened
    }

    /// Closes a gap.
    pub fn close(&mut self, gap: u64) {
        self.gaps.remove(&gap);
    }

    /// Ends all troubles.
    pub fn heal(&mut self) {
        self.gaps.clear();
        self.calls = Calls::default();
    }

    /// What becomes of a call that a client makes now.
    pub fn passage(&mut self, client: u64, place: usize) -> Passage {
        let mut passage = self.draw();
        for gap in self.gaps.values().filter(|gap| gap.clients.contains(&client) && gap.places.contains(&place)) {
            passage.answer = Way::Lost;
            if gap.requests {
                passage.request = Way::Lost;
            }
        }
        self.troubled += u64::from(passage != Passage::FREE);
        passage
    }

    fn draw(&mut self) -> Passage {
        let Calls { requests_lost, answers_lost, late, doubled, late_ms_max } = self.calls;
        if requests_lost + answers_lost + late + doubled == 0 {
            return Passage::FREE;
        }
        let later = |rng: &mut Rng| Duration::from_millis(rng.spread(1, late_ms_max.max(1)));
        let mut way = |lost: u64| match self.rng.below(1000) {
            drawn if drawn < lost => Way::Lost,
            drawn if drawn < lost + late => Way::Late(later(&mut self.rng)),
            _ => Way::Goes,
        };
        let (request, answer) = (way(requests_lost), way(answers_lost));
        let again = self.rng.chance(doubled, 1000).then(|| later(&mut self.rng));
        Passage { request, answer, again }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_between_its_clients_and_its_nodes() {
        let mut wire = Wire::default();
        let gap = Gap { clients: BTreeSet::from([1]), places: BTreeSet::from([0, 2]), requests: false };
        let number = wire.open(gap);
        assert_eq!(wire.passage(1, 2), Passage { answer: Way::Lost, ..Passage::FREE });
        assert_eq!([wire.passage(2, 2), wire.passage(1, 1)], [Passage::FREE; 2]);
        wire.close(number);
        assert_eq!((wire.passage(1, 2), wire.troubled), (Passage::FREE, 1));
    }

    #[test]
    fn troubles_come_as_often_as_they_should() {
        let calls = Calls { requests_lost: 100, answers_lost: 200, late: 0, doubled: 50, late_ms_max: 10 };
        let mut wire = Wire::new(calls, 1);
        let all: Vec<Passage> = (0..10_000).map(|_| wire.passage(1, 0)).collect();
        let count = |is: &dyn Fn(&Passage) -> bool| all.iter().filter(|passage| is(passage)).count();
        assert!((800..1200).contains(&count(&|passage| passage.request == Way::Lost)));
        assert!((1700..2300).contains(&count(&|passage| passage.answer == Way::Lost)));
        assert!((350..650).contains(&count(&|passage| passage.again.is_some())));
        wire.heal();
        assert_eq!(wire.passage(1, 0), Passage::FREE);
    }
}
