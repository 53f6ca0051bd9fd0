//! Who belongs to the cluster: what an operator asks for, what was answered, and what must therefore be so in the end.
//!
//! What was answered is so; what was refused changed nothing; what has no answer is asked for until it has one.

use super::{Cluster, LOOK, now};
use crate::check::Violation;
use crate::house::{Start, Told};
use crate::nemesis::places;
use crate::plan::{Mischief, Who};
use crate::seat::State;
use crate::simfs::Disk;
use crate::simfs::image::Policy;
use crate::trace;
use madsim::time::sleep;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_consensus::Token;

/// The most members that the product lets a cluster have.
const MEMBERS_MAX: usize = 7;
/// Before something is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// In quiet, so soon all that was asked for is done or refused, and whoever was removed knows it.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(90);

/// Who belongs to the cluster, and what is under way about that.
#[derive(Default)]
pub(super) struct Membership {
    /// What others show who want to join.
    pub token: Option<Token>,
    /// The number that each machine's node had when it was last seen.
    numbers: BTreeMap<usize, u64>,
    /// Machines whose nodes are on their way in.
    joining: BTreeSet<usize>,
    removals: Vec<Removal>,
    /// Changes that were asked for.
    pub asked: u64,
}

/// A node that is to go.
struct Removal {
    number: u64,
    /// Its machine; none when that lost its disk and goes on as another node.
    place: Option<usize>,
    answer: Option<oneshot::Receiver<Told>>,
    ask_again_at: Duration,
    /// An answer was lost: it may be done already, whatever is said from here on.
    unsure: bool,
}

impl Membership {
    /// A machine will go on as another node, or with another store: what its disk held before is not of this cluster.
    pub fn expect_another_disk(&mut self) {
        self.asked += 1;
    }
}

impl Cluster {
    /// Begins a change.
    pub(super) fn change(&mut self, what: &Mischief) -> Result<(), Violation> {
        match what {
            Mischief::Join { machines } => (0..*machines).try_for_each(|_| self.join()),
            Mischief::Remove { who, runs_on } => {
                self.remove(who, *runs_on);
                Ok(())
            }
            Mischief::Replace { who } => self.replace(who),
            Mischief::Transfer { to } => {
                self.transfer(to.as_ref());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A spare machine joins, with an empty disk.
    fn join(&mut self) -> Result<(), Violation> {
        let spare = (0..self.seats.len()).find(|place| self.is_spare(*place));
        let room = self.members.len() + self.membership.joining.len() < MEMBERS_MAX;
        let Some(place) = spare.filter(|_| room) else { return Ok(()) };
        self.enter(place)
    }

    fn is_spare(&self, place: usize) -> bool {
        let busy = self.members.contains(&place) || self.membership.joining.contains(&place);
        !busy && matches!(self.seats[place].state, State::Spare)
    }

    pub(super) fn enter(&mut self, place: usize) -> Result<(), Violation> {
        let Some(token) = self.membership.token.clone() else { return Ok(()) };
        let others = (0..self.seats.len()).filter(|other| *other != place);
        let members = others.map(|other| self.seats[other].machine.address()).collect();
        let seat = &mut self.seats[place];
        seat.machine.put(Disk::default());
        let start = Start::Newcomer { address: seat.machine.address(), token, members };
        self.membership.numbers.remove(&place);
        self.membership.joining.insert(place);
        self.membership.asked += 1;
        seat.start(start)
    }

    fn remove(&mut self, who: &Who, runs_on: bool) {
        let place = places(who, &self.scene()).into_iter().find(|place| self.may_go(*place));
        let Some((place, number)) = place.and_then(|place| Some((place, *self.membership.numbers.get(&place)?))) else {
            return;
        };
        let seat = &mut self.seats[place];
        seat.leaves = true;
        if !runs_on {
            seat.hold(&self.shared);
        }
        self.ask_to_remove(number, Some(place));
    }

    /// Who is damaged needs the others, and a majority without it.
    fn may_go(&self, place: usize) -> bool {
        self.members.contains(&place)
            && self.atlas.is_clear()
            && self.membership.removals.iter().all(|removal| removal.place != Some(place))
    }

    fn ask_to_remove(&mut self, number: u64, place: Option<usize>) {
        self.membership.asked += 1;
        let removal = Removal { number, place, answer: None, ask_again_at: now(), unsure: false };
        self.membership.removals.push(removal);
    }

    /// A member's disk is lost. Its machine joins anew, and the node that it was is removed. Never more than one at a
    /// time, and none while others come or go: what only a majority has must stay there.
    fn replace(&mut self, who: &Who) -> Result<(), Violation> {
        let scene = self.scene();
        let place = places(who, &scene).into_iter().find(|place| self.may_go(*place));
        let Some(place) = place.filter(|_| self.membership_rests() && self.members.len() >= 3) else {
            return Ok(());
        };
        let Some(number) = self.membership.numbers.get(&place).copied() else { return Ok(()) };
        self.members.remove(&place);
        self.seats[place].vacate(Some(Policy::ALL[0]), &self.shared);
        self.ask_to_remove(number, None);
        self.enter(place)
    }

    /// True when nobody comes or goes, as far as anybody knows.
    pub(super) fn membership_rests(&self) -> bool {
        self.membership.removals.is_empty() && self.membership.joining.is_empty() && self.is_agreed()
    }

    /// True when all nodes that are up say that the members vote and nobody else.
    pub(super) fn is_agreed(&self) -> bool {
        let numbers: BTreeSet<u64> =
            self.members.iter().filter_map(|place| self.membership.numbers.get(place).copied()).collect();
        let standings = self.members.iter().filter_map(|place| self.seats[*place].machine.standing());
        let agrees = |voters: Vec<u64>| voters.into_iter().collect::<BTreeSet<_>>() == numbers;
        numbers.len() == self.members.len() && standings.map(|standing| standing.voters).all(agrees)
    }

    fn transfer(&mut self, to: Option<&Who>) {
        let scene = self.scene();
        let to = to.and_then(|who| places(who, &scene).first().copied());
        let to = to.and_then(|place| self.membership.numbers.get(&place).copied());
        if let Some(door) = self.somebody(None) {
            self.membership.asked += 1;
            // Whether it came about shows in who leads.
            madsim::task::spawn(async move { drop(door.transfer(to).await) });
        }
    }

    /// The way into a member that serves: another one than `but`, if there is one.
    fn somebody(&self, but: Option<usize>) -> Option<crate::house::Door> {
        let doors = || self.members.iter().filter_map(|place| Some((*place, self.seats[*place].door()?)));
        let other = doors().find(|(place, _)| Some(*place) != but);
        other.or_else(|| doors().next()).map(|(_, door)| door.clone())
    }

    /// Notes who has joined and who has gone, and asks again for what has no answer.
    pub(super) fn tend_membership(&mut self) {
        for place in 0..self.seats.len() {
            if let Some(standing) = self.seats[place].machine.standing().filter(|_| !self.seats[place].exiled) {
                self.membership.numbers.insert(place, standing.node);
            }
        }
        let came = |place: &usize| self.seats[*place].door().is_some();
        let came: Vec<usize> = self.membership.joining.iter().copied().filter(came).collect();
        for place in came {
            trace::event("nemesis", &format!("machine {} has joined", place + 1), &[]);
            self.membership.joining.remove(&place);
            self.members.insert(place);
        }
        for mut removal in std::mem::take(&mut self.membership.removals) {
            if self.tend_removal(&mut removal) {
                self.membership.removals.push(removal);
            }
        }
    }

    /// True while it is under way.
    fn tend_removal(&mut self, removal: &mut Removal) -> bool {
        let Some(answer) = removal.answer.as_mut() else {
            if removal.ask_again_at <= now()
                && let Some(door) = self.somebody(removal.place)
            {
                let (told, answer) = oneshot::channel();
                removal.answer = Some(answer);
                let number = removal.number;
                // Nobody listens any more when the run has ended.
                madsim::task::spawn(async move { drop(told.send(door.remove(number).await)) });
            }
            return true;
        };
        let told = match answer.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => return true,
            Err(oneshot::error::TryRecvError::Closed) => Told::Nothing,
            Ok(told) => told,
        };
        trace::event("nemesis", &format!("removal of node {}: {told:?}", removal.number), &[]);
        (removal.answer, removal.ask_again_at) = (None, now() + ASK_AGAIN);
        match (told, removal.place) {
            (Told::Done, None) => false,
            (Told::Done, Some(place)) => {
                self.members.remove(&place);
                if self.seats[place].is_held() {
                    self.seats[place].vacate(None, &self.shared);
                }
                false
            }
            // A disk that is lost stays lost: somebody asks until the others can do without it.
            // The last one stays, whatever was lost before.
            (Told::Refused(_), Some(place)) if !removal.unsure || self.members.len() < 2 => {
                self.seats[place].stay();
                false
            }
            (Told::Refused(_), _) => true,
            (Told::Nothing, _) => {
                removal.unsure = true;
                true
            }
        }
    }

    /// In quiet, everything that was asked for is done or refused, and whoever was removed knows it.
    pub(super) async fn settle_membership(&mut self) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let Membership { joining, removals, .. } = &self.membership;
            let leaving = self.seats.iter().filter(|seat| seat.leaves).count();
            if joining.is_empty() && removals.is_empty() && leaving == 0 {
                return Ok(());
            }
            if now() - since > SETTLE_TIME_MAX {
                let numbers: Vec<u64> = removals.iter().map(|removal| removal.number).collect();
                let detail = format!(
                    "after {SETTLE_TIME_MAX:?} in quiet: on machines {joining:?} nodes still join, nodes {numbers:?} are not \
                     removed, {leaving} that were removed do not know it"
                );
                return Err(Violation::new("liveness", "members-do-not-settle", detail));
            }
            sleep(LOOK).await;
        }
    }
}
