//! Crash images of a cluster: it starts from what all its disks held at a moment of the run, and is audited.

use super::Cluster;
use crate::check::Violation;
use crate::check::standing::Standings;
use crate::history::Known;
use crate::record;
use crate::rng::Rng;
use crate::seat::disk_at;
use crate::simfs::image::Policy;
use crate::simfs::{Disk, interpose};
use crate::trace;

impl Cluster {
    /// Starts the cluster from what a power failure of all nodes would have left at many moments, and audits it.
    pub(super) async fn audit_images(&mut self) -> Result<(), Violation> {
        self.met.terms = self.standings.terms_led();
        let lives: Vec<_> = self.seats.iter_mut().map(|seat| std::mem::take(&mut seat.machine.recordings)).collect();
        let last = interpose::stamp();
        let mut rng = Rng::stream(self.plan.seed, "images");
        let mut moments: Vec<u64> = (0..self.plan.images.places).map(|_| rng.between(self.set_up_at, last)).collect();
        moments.sort_unstable();
        let shared = std::mem::take(&mut self.shared);
        for moment in moments {
            let policies: Vec<Policy> = self.seats.iter().map(|_| *rng.pick(&Policy::ALL)).collect();
            for ((seat, lives), policy) in self.seats.iter_mut().zip(&lives).zip(&policies) {
                seat.machine.put(Disk::from_image(&disk_at(lives, moment).image(*policy, &mut rng)));
            }
            trace::event("audit", &format!("images at moment {moment}"), &[]);
            record::image(moment);
            let known = shared.with_history(|history| history.known(moment));
            let audited = self.audit_image(&known).await;
            audited.map_err(|violation| {
                let detail = format!("{} [images of {policies:?} at moment {moment} of {last}]", violation.detail);
                Violation { detail, ..violation }
            })?;
            self.met.images += 1;
        }
        self.shared = shared;
        Ok(())
    }

    async fn audit_image(&mut self, known: &Known) -> Result<(), Violation> {
        // Another time line: what was seen in the run says nothing about it.
        self.standings = Standings::default();
        self.watch.forget();
        self.recover().await?;
        for place in self.members.clone() {
            self.audit_node(place, known).await?;
        }
        self.compare_replicas().await?;
        for seat in &mut self.seats {
            seat.crash(None, &self.shared);
            seat.machine.recordings.clear();
        }
        Ok(())
    }
}
