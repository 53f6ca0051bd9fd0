//! The majority is lost for ever, and a survivor goes on without it. What only the lost knew may vanish, and nothing else;
//! those of them that come back with what they have hear nobody and are heard by nobody.
//!
//! From the recovery on the run is another time line: nothing that was seen of terms and logs holds for it.

use super::{Cluster, LOOK, PATIENCE, RECOVERY_TIME_MAX, now};
use crate::check::isolation::Isolation;
use crate::check::standing::Standings;
use crate::check::{Violation, blind, oracles};
use crate::nemesis::places;
use crate::plan::Lost;
use crate::record;
use crate::trace;
use madsim::time::sleep;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot::error::TryRecvError;
use vivarium_storage::runtime::sometimes;

/// Nodes that were lost with the majority and are back with what they had.
#[derive(Default)]
pub(super) struct Exiles {
    /// Until when, by their places.
    until: BTreeMap<usize, Duration>,
    /// The newest term that one of them knew before.
    term_max: u64,
}

impl Exiles {
    /// They have been there for long enough.
    pub fn end(&mut self) {
        self.until.values_mut().for_each(|until| *until = Duration::ZERO);
    }
}

impl Cluster {
    /// Loses all members but one for ever, recovers that one, and lets others join it.
    pub(super) async fn lose_majority(&mut self, lost: &Lost) -> Result<(), Violation> {
        let scene = self.scene();
        let survivor = places(&lost.survivor, &scene).into_iter().find(|place| self.members.contains(place));
        let Some(survivor) = survivor.filter(|_| self.members.len() > 2) else { return Ok(()) };
        trace::event("nemesis", &format!("all but machine {} are lost for ever", survivor + 1), &[]);
        record::stage("majority lost");
        for place in self.members.clone() {
            let policy = self.seats[place].machine.draw_policy();
            self.seats[place].hold_after(policy, &self.shared);
        }
        let lost_places: BTreeSet<usize> = self.members.iter().copied().filter(|place| *place != survivor).collect();
        let exiles: BTreeSet<usize> = places(&crate::plan::Who::Nodes(lost.exiles.clone()), &scene)
            .into_iter()
            .filter(|place| lost_places.contains(place))
            .take((self.members.len() - 1) / 2)
            .collect();
        self.begin_time_line(survivor)?;
        self.become_alone(survivor, lost.after_changes).await?;
        self.until_alone(survivor).await?;
        for place in lost_places {
            let term = self.seats[place].machine.log_on_disk().vow.term;
            if exiles.contains(&place) {
                self.exiles.term_max = self.exiles.term_max.max(term);
                self.exiles.until.insert(place, now() + Duration::from_millis(lost.exile_ms));
                self.seats[place].exiled = true;
                self.seats[place].machine.leave_time_line();
                self.seats[place].release();
            } else {
                self.seats[place].vacate(None, &self.shared);
                self.enter(place)?;
            }
        }
        Ok(())
    }

    /// What the survivor has not is given up, and all that was seen before it.
    fn begin_time_line(&mut self, survivor: usize) -> Result<(), Violation> {
        let kept = self.watch.shared_version(&self.seats[survivor].machine.log_on_disk());
        // Later the answers of the lost are not looked at any more.
        let found = self.shared.with_history(|history| oracles::witnesses(history));
        found.into_iter().try_for_each(|violation| blind::pardon(Err(violation)).map(|_| ()))?;
        let given_up = self.shared.with_history(|history| history.give_up_after(kept));
        trace::event("nemesis", &format!("kept up to version {kept}; {given_up} commits are given up"), &[]);
        if given_up > 0 {
            sometimes("acknowledged commits are lost with their majority");
        }
        self.met.terms = self.met.terms.max(self.standings.terms_led());
        self.watch.forget();
        (self.standings, self.isolation) = (Standings::default(), Isolation::default());
        self.members = BTreeSet::from([survivor]);
        Ok(())
    }

    /// The operator's command, begun again after a power failure in its middle. Right after it the power goes once more.
    async fn become_alone(&mut self, survivor: usize, after_changes: u64) -> Result<(), Violation> {
        let since = now();
        let machine = &mut self.seats[survivor].machine;
        let mut told = machine.recover()?;
        if let Some(drive) = machine.drive().filter(|_| after_changes > 0) {
            drive.cut_after(after_changes);
        }
        loop {
            sleep(LOOK).await;
            let is_cut = machine.drive().is_some_and(|drive| drive.is_cut());
            match told.try_recv() {
                Ok(Ok(())) if !is_cut => break,
                Ok(Err(reason)) if !is_cut => return Err(Violation::new("recovery", "not-recovered", reason)),
                Err(TryRecvError::Closed) if !is_cut => {
                    return Err(Violation::new("recovery", "not-recovered", "the command ended without a word"));
                }
                Err(TryRecvError::Empty) if !is_cut && now() - since < PATIENCE => {}
                _ if now() - since >= PATIENCE => {
                    return Err(Violation::new("recovery", "hangs", "the recovery does not end"));
                }
                _ => {
                    sometimes("the power goes while a survivor is recovered");
                    let policy = machine.draw_policy();
                    machine.crash(Some(policy));
                    told = machine.recover()?;
                }
            }
        }
        let policy = machine.draw_policy();
        machine.crash(Some(policy));
        self.seats[survivor].release();
        Ok(())
    }

    async fn until_alone(&mut self, survivor: usize) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let seat = &self.seats[survivor];
            if let Some(status) = seat.machine.standing().filter(|_| seat.door().is_some()) {
                if status.voters != [status.node] {
                    let detail = format!("after the recovery of node {} these vote: {:?}", status.node, status.voters);
                    return Err(Violation::new("recovery", "not-alone", detail));
                }
                return Ok(());
            }
            if now() - since > RECOVERY_TIME_MAX {
                let detail = format!("{RECOVERY_TIME_MAX:?} after its recovery the survivor is {}", seat.word());
                return Err(Violation::new("liveness", "no-recovery", detail));
            }
            sleep(LOOK).await;
        }
    }

    /// Looks at a node that came back; when its time is over, its disk is wiped and its machine joins.
    pub(super) fn tend_exile(&mut self, place: usize) -> Result<(), Violation> {
        let until = self.exiles.until.get(&place).copied().unwrap_or_default();
        if until <= now() {
            self.exiles.until.remove(&place);
            let seat = &mut self.seats[place];
            if seat.machine.standing().is_some() {
                sometimes("a node of before a recovery comes back and is not heard");
            }
            seat.vacate(None, &self.shared);
            seat.machine.enter_time_line(self.watch.clone());
            return self.enter(place);
        }
        let Some(status) = self.seats[place].machine.standing() else { return Ok(()) };
        if status.leader.is_some() || status.term > self.exiles.term_max {
            let detail = format!(
                "node {} was lost before the recovery and hears the others: leader {:?}, term {}, and {} was the newest it could know",
                status.node, status.leader, status.term, self.exiles.term_max
            );
            return blind::pardon(Err(Violation::new("raft", "exile-heard", detail))).map(|_| ());
        }
        Ok(())
    }
}
