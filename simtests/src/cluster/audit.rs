//! The audit of a cluster at rest: everything that was told is there on every node, and all hold the same.

use super::{Cluster, LOOK, RECOVERY_TIME_MAX, now};
use crate::check::audit::{Audited, audit};
use crate::check::replica::{self, Dump};
use crate::check::{Violation, blind};
use crate::history::Known;
use crate::simfs::interpose;
use crate::trace;
use madsim::time::sleep;
use std::time::Duration;

/// After this what belongs to a request that was answered is gone.
const REST: Duration = Duration::from_secs(1);

impl Cluster {
    /// Everything that was told is there, on every node, and all nodes hold the same.
    pub(super) async fn audit(&mut self) -> Result<(), Violation> {
        for place in self.members.clone() {
            let known = self.shared.with_history(|history| history.known(interpose::stamp()));
            self.audit_node(place, &known).await?;
        }
        self.compare_replicas().await
    }

    pub(super) async fn audit_node(&mut self, place: usize, known: &Known) -> Result<(), Violation> {
        self.tend()?;
        let door = self.seats[place].door().cloned();
        let door = door.ok_or_else(|| Violation::new("liveness", "down", format!("node {}", place + 1)))?;
        let audited = audit(&door, known, || door.is_off()).await;
        let audited = audited.map_err(|violation| {
            let detail = format!("node {}: {}", place + 1, violation.detail);
            Violation { detail, ..violation }
        })?;
        match audited {
            Audited::Sound(answered) => self.shared.note_audited(&door, answered),
            Audited::Interrupted => return Err(Violation::new("harness", "interrupted", "nothing was armed")),
        }
        Ok(())
    }

    /// Nodes of which nothing is asked hold no more than they need.
    pub(super) async fn check_held(&mut self) -> Result<(), Violation> {
        sleep(REST).await;
        self.tend()?;
        for place in self.members.clone() {
            let Some(door) = self.seats[place].door().cloned() else { continue };
            self.seats[place].machine.check_held(&door).await?;
        }
        Ok(())
    }

    /// Dumps all nodes until all are at one version, and compares.
    pub(super) async fn compare_replicas(&mut self) -> Result<(), Violation> {
        let since = now();
        loop {
            self.tend()?;
            let mut dumps: Vec<(String, Dump)> = Vec::new();
            for place in &self.members {
                let seat = &self.seats[*place];
                let Some(door) = seat.door() else { continue };
                let dump = door.dump().await;
                let dump = dump.ok_or_else(|| Violation::new("liveness", "hangs", "a dump was not answered"))?;
                let dump = dump.map_err(|error| Violation::new("recovery", "unreadable", error))?;
                dumps.push((seat.machine.name(), dump));
            }
            blind::pardon(replica::compare(&dumps))?;
            if dumps.len() == self.members.len() && dumps.iter().all(|(_, dump)| dump.version == dumps[0].1.version) {
                let cells = dumps[0].1.len();
                trace::event("audit", &format!("{} replicas of {cells} cells agree", dumps.len()), &[]);
                return Ok(());
            }
            if now() - since > RECOVERY_TIME_MAX {
                let versions: Vec<_> = dumps.iter().map(|(name, dump)| (name, dump.version)).collect();
                let detail = format!("in quiet the nodes stay at different versions: {versions:?}");
                return blind::pardon(Err(Violation::new("replica", "behind", detail))).map(|_| ());
            }
            sleep(LOOK).await;
        }
    }

    /// The power of all goes at once, and comes back.
    pub(super) async fn power_cycle(&mut self) -> Result<(), Violation> {
        for seat in &mut self.seats {
            seat.machine.compare_record()?;
        }
        for seat in &mut self.seats {
            let policy = seat.machine.draw_policy();
            seat.crash(Some(policy), &self.shared);
        }
        self.recover().await
    }
}
