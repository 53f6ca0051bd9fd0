//! The safety phase: clients work, and whatever the plan says goes wrong beside them.

use super::{Cluster, LOOK, now};
use crate::check::Violation;
use crate::nemesis::{partition, places};
use crate::plan::{Disturbance, Mischief};
use crate::record;
use crate::seat::Strike;
use crate::trace;
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
        let mut next = begun;
        let agenda = self.cluster.disturbances.clone().into_iter().map(|disturbance| {
            next += Duration::from_millis(disturbance.wait_ms);
            (next, disturbance)
        });
        let mut agenda = agenda.collect::<Vec<_>>().into_iter().peekable();
        let time = Duration::from_secs(self.plan.time_s);
        let time_max = if time.is_zero() { SAFETY_TIME_MAX } else { time };
        while now() - begun < time_max {
            self.tend()?;
            while let Some((_, disturbance)) = agenda.next_if(|(at, _)| *at <= now()) {
                self.begin(&disturbance);
            }
            let quiet = agenda.peek().is_none() && self.mends.is_empty();
            if time.is_zero() && quiet && self.shared.finished() == self.plan.clients.len() {
                break;
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn begin(&mut self, disturbance: &Disturbance) {
        let lasts = Duration::from_millis(disturbance.lasts_ms);
        let scene = self.scene();
        let leader = scene.leader;
        trace::event("nemesis", &format!("{:?}; leader {leader:?}", disturbance.what), &[]);
        record::trouble(&disturbance.what, leader, disturbance.lasts_ms * 1000);
        match &disturbance.what {
            Mischief::Partition { shape } => {
                let partition = self.network.split(partition::links(shape, &scene));
                self.mends.push((now() + lasts, partition));
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
            Mischief::Clock { who, skew_micros } => {
                for place in places(who, &scene) {
                    let seat = &mut self.seats[place];
                    let door = seat.door().cloned();
                    seat.machine.skew(*skew_micros, door.as_ref());
                }
            }
        }
    }
}
