//! The liveness phase: all troubles end, and within a bounded time the cluster must answer everything again.

use super::{Cluster, LOOK, PATIENCE, RECOVERY_TIME_MAX, now};
use crate::check::Violation;
use crate::client;
use crate::history::End;
use crate::record;
use crate::trace;
use crate::workload::task::Task;
use crate::workload::{Action, ItemChange, NewItem, Sent, Step, Workload};
use madsim::time::sleep;
use std::collections::BTreeSet;
use std::time::Duration;
use vivarium_consensus::Status;

/// Writes and reads through every node that a healed cluster must answer.
const PROBES: usize = 20;
/// How often a probe may be told to come again.
const PROBE_ATTEMPTS_MAX: usize = 5;

impl Cluster {
    /// Ends all troubles. Clocks stay wrong: nothing may depend on them.
    pub(super) fn heal(&mut self) {
        trace::event("nemesis", "heals", &[]);
        record::stage("healed");
        self.network.heal();
        self.mends.clear();
        for seat in &mut self.seats {
            seat.spare();
        }
    }

    /// Waits until the nodes of all members are up, know one leader and are all its voters, for no longer than that may take.
    pub(super) async fn recover(&mut self) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let standing = |place: &usize| self.seats[*place].machine.standing();
            let statuses: Vec<Status> = self.members.iter().filter_map(standing).collect();
            let numbers: BTreeSet<u64> = statuses.iter().map(|status| status.node).collect();
            let is_up = |place: &usize| self.seats[*place].door().is_some();
            let all = self.members.iter().all(is_up) && statuses.len() == self.members.len();
            let agreed = |status: &Status| {
                status.leader.is_some()
                    && (status.leader, status.term) == (statuses[0].leader, statuses[0].term)
                    && status.voters.iter().copied().collect::<BTreeSet<u64>>() == numbers
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
        while self.shared.finished() < self.plan.clients.len() {
            self.tend()?;
            if now() - since > PATIENCE {
                return Err(Violation::new("liveness", "hangs", "the clients do not finish"));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Every node answers reads and writes.
    pub(super) async fn probe(&mut self, phase: &str) -> Result<(), Violation> {
        let workload = self.plan.knobs.workload;
        if workload != Workload::Mixed {
            for place in self.members.clone() {
                for number in 0..PROBES {
                    let probe = workload.probe((place * PROBES + number) as u64);
                    self.probe_through(place, &format!("{phase}-{}-{number}", place + 1), probe).await?;
                    self.probe_through(place, "", Action::Task(Task::ReadMembers)).await?;
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
        self.probe_through(0, &format!("{phase}-0"), Action::CreateItem { item }).await?;
        for place in self.members.clone() {
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
        let step = Step { pause_micros: 0, at_ms: 0, key, sent: Sent::Once, action };
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
        Err(Violation::new("liveness", "no-answer", detail))
    }
}
