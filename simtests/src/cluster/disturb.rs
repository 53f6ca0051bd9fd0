//! The safety phase: clients work, and whatever the plan says goes wrong beside them.

use super::{Cluster, LOOK, Mend, now};
use crate::check::Violation;
use crate::nemesis::{Scene, partition, places};
use crate::plan::{Disturbance, Mischief, Trouble, Who};
use crate::record;
use crate::seat::Strike;
use crate::simfs::image::Policy;
use crate::simfs::rot::Damage;
use crate::trace;
use crate::wire::{Gap, Wire};
use madsim::time::sleep;
use std::time::Duration;

/// Of a plan that says no time, disturbances and clients that go on for longer are cut short.
const SAFETY_TIME_MAX: Duration = Duration::from_secs(120);

impl Cluster {
    /// Clients work, and whatever the plan says goes wrong.
    pub(super) async fn disturb(&mut self) -> Result<(), Violation> {
        let begun = now();
        record::stage("disturbed");
        self.network.set_messages(self.cluster.messages);
        let (calls, seed) = (self.cluster.calls, self.plan.seed);
        self.shared.with_wire(|wire| *wire = Wire::new(calls, seed));
        let mut next = begun;
        let agenda = self.cluster.disturbances.clone().into_iter().map(|disturbance| {
            next += Duration::from_millis(disturbance.wait_ms);
            (next, disturbance)
        });
        let mut agenda = agenda.collect::<Vec<_>>().into_iter().peekable();
        let time = Duration::from_secs(self.plan.time_s);
        let time_max = if time.is_zero() { SAFETY_TIME_MAX } else { time };
        let mut lost = self.cluster.lost.clone();
        while now() - begun < time_max || lost.is_some() {
            self.tend()?;
            if let Some(lost) = lost.take_if(|lost| now() - begun >= Duration::from_millis(lost.at_ms)) {
                self.lose_majority(&lost).await?;
            }
            while let Some((_, disturbance)) = agenda.next_if(|(at, _)| *at <= now()) {
                self.begin(&disturbance)?;
            }
            let quiet = agenda.peek().is_none() && self.mends.is_empty() && lost.is_none();
            if time.is_zero() && quiet && self.shared.finished() == self.plan.clients.len() {
                break;
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn begin(&mut self, disturbance: &Disturbance) -> Result<(), Violation> {
        let lasts = Duration::from_millis(disturbance.lasts_ms);
        let scene = self.scene();
        let leader = scene.leader;
        trace::event("nemesis", &format!("{:?}; leader {leader:?}", disturbance.what), &[]);
        record::trouble(&disturbance.what, leader, disturbance.lasts_ms * 1000);
        match &disturbance.what {
            Mischief::Partition { shape } => {
                let partition = self.network.split(partition::links(shape, &scene));
                self.mends.push((now() + lasts, Mend::Partition(partition)));
            }
            Mischief::Crash { who, power, after_changes } => {
                for place in places(who, &scene) {
                    self.seats[place].strike(Strike { power: *power, down: lasts }, *after_changes);
                }
            }
            Mischief::Close { who } => {
                for place in places(who, &scene) {
                    self.seats[place].close(lasts, &self.shared);
                }
            }
            Mischief::Pause { who } => {
                for place in places(who, &scene) {
                    self.seats[place].pause(lasts);
                }
            }
            Mischief::Gap { clients, who, requests } => {
                let (clients, places) = (clients.iter().copied().collect(), places(who, &scene).into_iter().collect());
                let gap = Gap { clients, places, requests: *requests };
                self.mends.push((now() + lasts, Mend::Gap(self.shared.with_wire(|wire| wire.open(gap)))));
            }
            Mischief::Fault { node, fault, power } => {
                let trouble = Trouble::Fault { fault: *fault, power_cut: *power };
                self.try_disk(*node, trouble, (lasts, *power), &scene);
            }
            Mischief::FullDisk { node, bytes_more } => {
                self.try_disk(*node, Trouble::FullDisk { bytes_more: *bytes_more }, (lasts, None), &scene);
            }
            Mischief::Rot { node, damage } => {
                for place in places(&Who::Nodes(vec![*node]), &scene) {
                    self.rot(place, *damage, lasts / 4);
                }
            }
            Mischief::Drift { who, drift_ppm } => {
                for place in places(who, &scene) {
                    self.seats[place].machine.drift(*drift_ppm);
                }
            }
            Mischief::Clock { who, skew_micros } => {
                for place in places(who, &scene) {
                    let seat = &mut self.seats[place];
                    let door = seat.door().cloned();
                    seat.machine.skew(*skew_micros, door.as_ref());
                }
            }
            change => self.change(change)?,
        }
        Ok(())
    }

    /// Damages the disk of a node that is up, if the others can bear it. While members come or go they may not.
    fn rot(&mut self, place: usize, damage: Damage, down: Duration) {
        let bearable = self.seats[place].door().is_some() && self.membership_rests();
        if bearable && self.atlas.admits(place, &self.members) {
            if damage != Damage::ListOfTables {
                self.membership.expect_another_disk();
            }
            self.seats[place].rot(down, damage);
        }
    }

    fn try_disk(&mut self, node: u64, trouble: Trouble, (lasts, power): (Duration, Option<Policy>), scene: &Scene) {
        for place in places(&Who::Nodes(vec![node]), scene) {
            let strike = Strike { power, down: lasts / 4 };
            self.seats[place].try_disk(trouble, lasts, strike);
        }
    }
}
