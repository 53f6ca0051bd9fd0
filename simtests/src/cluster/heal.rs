//! The liveness phase: all troubles end, and within a bounded time the cluster must answer everything again.

use super::{Cluster, LOOK, PATIENCE, RECOVERY_TIME_MAX, now};
use crate::check::{Violation, blind};
use crate::client;
use crate::history::End;
use crate::nemesis::{partition, places};
use crate::plan::Shape;
use crate::record;
use crate::trace;
use crate::wire::Wire;
use crate::workload::{Action, ItemChange, NewItem, Step, Workload};
use madsim::time::sleep;
use std::collections::BTreeSet;
use std::time::Duration;
use vivarium_consensus::Status;
use vivarium_storage::runtime;

/// Writes and reads through every node that a healed cluster must answer.
const PROBES: usize = 20;
/// How often a probe may be told to come again.
const PROBE_ATTEMPTS_MAX: usize = 5;

impl Cluster {
    /// Ends all troubles. Clocks stay wrong: nothing may depend on them.
    pub(super) fn heal(&mut self) {
        trace::event("nemesis", "heals", &[]);
        record::stage("healed");
        runtime::calm();
        self.network.heal();
        self.mends.clear();
        self.exiles.end();
        self.shared.with_wire(Wire::heal);
        for seat in &mut self.seats {
            seat.spare(&self.shared);
        }
    }

    /// Leaves a minority broken, if the plan says so: the others recover without it. Then it comes back.
    pub(super) async fn live_on(&mut self) -> Result<(), Violation> {
        let Some(core) = self.cluster.core.clone() else { return Ok(()) };
        // Who is still to be made a voter is no part of a majority.
        if self.membership.asked > 0 {
            self.recover().await?;
        }
        let scene = self.scene();
        let broken: BTreeSet<usize> = places(&core.broken, &scene).into_iter().collect();
        let others: BTreeSet<usize> = self.members.difference(&broken).copied().collect();
        // What is damaged is repaired by the others: all of them may be needed.
        if !self.atlas.is_clear() || others.len() <= self.members.len() / 2 || others.len() == self.members.len() {
            return Ok(());
        }
        trace::event("nemesis", &format!("leaves {broken:?} broken, cut off: {}", core.cut_off), &[]);
        self.met.cores += 1;
        record::stage("core");
        if core.cut_off {
            self.network.split(partition::links(&Shape::Split(core.broken), &scene));
        } else {
            for place in &broken {
                self.seats[*place].shut_off(&self.shared);
            }
        }
        self.recover_these(&others).await?;
        self.finish_workload().await?;
        self.probe("core", &others).await?;
        self.heal();
        Ok(())
    }

    /// Waits until the nodes of all members are up, know one leader and are all its voters, for no longer than that may
    /// take.
    pub(super) async fn recover(&mut self) -> Result<(), Violation> {
        self.recover_these(&self.members.clone()).await
    }

    /// The same of some of them, while the others may be broken.
    async fn recover_these(&mut self, these: &BTreeSet<usize>) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let standing = |place: &usize| self.seats[*place].machine.standing();
            let statuses: Vec<Status> = these.iter().filter_map(standing).collect();
            let numbers: BTreeSet<u64> = statuses.iter().map(|status| status.node).collect();
            let is_up = |place: &usize| self.seats[*place].door().is_some();
            let all = these.iter().all(is_up) && statuses.len() == these.len();
            let agreed = |status: &Status| {
                let voters: BTreeSet<u64> = status.voters.iter().copied().collect();
                status.leader.is_some_and(|leader| numbers.contains(&leader))
                    && (status.leader, status.term) == (statuses[0].leader, statuses[0].term)
                    && voters.is_superset(&numbers)
                    && voters.len() == self.members.len()
            };
            if all && statuses.iter().all(agreed) {
                return Ok(());
            }
            if now() - since > RECOVERY_TIME_MAX {
                let up: Vec<_> = self.seats.iter().map(|seat| seat.word()).collect();
                let detail = format!("after {RECOVERY_TIME_MAX:?} in quiet: {up:?}, {statuses:?}");
                return Err(Violation::new("liveness", "no-recovery", detail));
            }
            sleep(LOOK).await;
        }
    }

    pub(super) async fn finish_workload(&mut self) -> Result<(), Violation> {
        let since = now();
        while self.shared.finished() < self.plan.clients.len() || self.shared.strays() > 0 {
            self.tend()?;
            if now() - since > PATIENCE {
                return Err(Violation::new("liveness", "hangs", "the clients do not finish"));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Each of these nodes answers reads and writes.
    pub(super) async fn probe(&mut self, phase: &str, these: &BTreeSet<usize>) -> Result<(), Violation> {
        let workload = self.plan.knobs.workload;
        // What was added once cannot be added again.
        let fresh = PROBES * self.seats.len() * usize::from(phase == "core");
        if workload != Workload::Mixed {
            for place in these.iter().copied() {
                for number in 0..PROBES {
                    let probe = workload.probe((fresh + place * PROBES + number) as u64);
                    self.probe_through(place, &format!("{phase}-{}-{number}", place + 1), probe).await?;
                    self.probe_through(place, "", workload.look()).await?;
                }
            }
            return Ok(());
        }
        let tag = format!("probe-{phase}");
        let item = NewItem {
            tag: tag.clone(),
            kind: "RED".into(),
            rank: 0,
            note: None,
            price: None,
            marks: Vec::new(),
            width: None,
            r#box: None,
            labels: Vec::new(),
        };
        let first = these.first().copied().unwrap_or(0);
        self.probe_through(first, &format!("{phase}-0"), Action::CreateItem { item }).await?;
        for place in these.iter().copied() {
            for number in 0..PROBES {
                let change = ItemChange { rank: Some((place * PROBES + number) as i64), ..ItemChange::default() };
                let key = format!("{phase}-{}-{number}", place + 1);
                self.probe_through(place, &key, Action::UpdateItem { tag: tag.clone(), change }).await?;
                self.probe_through(place, &key, Action::ReadItem { tag: tag.clone() }).await?;
            }
        }
        Ok(())
    }

    async fn probe_through(&mut self, place: usize, key: &str, action: Action) -> Result<(), Violation> {
        let key = action.is_mutation().then(|| format!("probe-{key}"));
        let step = Step::at_once(key, action);
        let mut ended = End::Open;
        for _ in 0..PROBE_ATTEMPTS_MAX {
            self.tend()?;
            let Some(door) = self.seats[place].door().cloned() else { continue };
            let call = client::call(&self.shared, door, 0, &step, None).await;
            ended = self.shared.with_history(|history| history.calls[call].end.clone());
            if matches!(ended, End::Done { .. }) {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        let detail = format!("node {} of a healed cluster: {:?} ended as {ended:?}", place + 1, step.action);
        blind::pardon(Err(Violation::new("liveness", "no-answer", detail))).map(|_| ())
    }
}
