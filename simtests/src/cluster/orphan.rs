//! A schema change whose node dies in its middle, and that nobody asks for again: the others finish it, or take it back.

use super::{Cluster, LOOK, now};
use crate::check::{Violation, blind};
use crate::client;
use crate::rng::Rng;
use crate::seat::Strike;
use crate::trace;
use crate::workload::schema_change::{Feature, Task};
use crate::workload::{Action, Step, Workload};
use madsim::time::sleep;
use std::time::Duration;

/// The number of the declaration: more than any client makes.
const NUMBER: u64 = 1_000_000;
/// Changes of the disk of whoever makes a small change of the schema, more or less.
const CHANGES_MAX: u64 = 30;
/// Before it dies, if its disk does not change so often.
const DIES_TIME_MAX: Duration = Duration::from_secs(2);
/// By then a leader has noticed that nobody is at it, and has done it: it waits two seconds for the dead.
const FINISHED_TIME_MAX: Duration = Duration::from_secs(20);

impl Cluster {
    /// Asks a node for a change of the schema, lets it die, and sees that what it began is not left half done.
    pub(super) async fn orphan_a_change(&mut self) -> Result<(), Violation> {
        if self.plan.knobs.workload != Workload::Schema || self.members.len() < 3 {
            return Ok(());
        }
        let mut rng = Rng::stream(self.plan.seed, "orphan");
        let members: Vec<usize> = self.members.iter().copied().collect();
        let place = *rng.pick(&members);
        let Some(door) = self.seats[place].door().cloned() else { return Ok(()) };
        let toggles = vec![*rng.pick(&[Feature::Index, Feature::Unique])];
        trace::event("nemesis", &format!("machine {} dies over {toggles:?}", place + 1), &[]);
        self.seats[place].strike(Strike { power: None, down: FINISHED_TIME_MAX * 2 }, rng.between(1, CHANGES_MAX));
        let action = Action::Schema(Task::Declare { number: NUMBER, toggles });
        let step = Step::at_once(Some("orphan".into()), action);
        let shared = self.shared.clone();
        let asked = madsim::task::spawn(async move { client::call(&shared, door, 0, &step, None).await });
        let since = now();
        while self.seats[place].door().is_some() && now() - since < DIES_TIME_MAX {
            self.tend()?;
            sleep(LOOK).await;
        }
        if self.seats[place].door().is_some() {
            self.seats[place].strike(Strike { power: None, down: FINISHED_TIME_MAX * 2 }, 0);
            self.tend()?;
        }
        // A call ends with the node that it went to.
        let _ = asked.await;
        self.until_finished(place).await?;
        self.seats[place].spare(&self.shared);
        self.recover().await
    }

    async fn until_finished(&mut self, dead: usize) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let others = self.members.iter().filter(|place| **place != dead);
            let doors: Vec<_> = others.filter_map(|place| self.seats[*place].door().cloned()).collect();
            let mut unready = None;
            for door in &doors {
                if let Some(Ok(count)) = door.unready().await {
                    unready = Some(count);
                    break;
                }
            }
            if unready == Some(0) {
                return Ok(());
            }
            if now() - since > FINISHED_TIME_MAX {
                let detail = format!(
                    "{FINISHED_TIME_MAX:?} after the node died that began it a change of the schema is half done: \
                     indexes that cannot be read: {unready:?}"
                );
                return blind::pardon(Err(Violation::new("liveness", "schema-unfinished", detail))).map(|_| ());
            }
            sleep(LOOK * 10).await;
        }
    }
}
