//! A run of one machine: one trouble after the other, and after each start an audit of everything that is there.

use crate::check::audit::{Audited, audit};
use crate::check::{Violation, blind, oracles};
use crate::client::{self, Client, Shared};
use crate::history::{End, Known};
use crate::house::{self, Door, Opening, Standing, Start};
use crate::machine::{Machine, Make, Opened};
use crate::plan::{Incident, Plan, Trouble};
use crate::record;
use crate::rng::Rng;
use crate::simfs::image::Policy;
use crate::simfs::interpose;
use crate::trace;
use crate::verdict::Met;
use crate::workload::Step;
use madsim::runtime::Handle;
use madsim::time::sleep;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(1);
/// How often when there is nothing to be met.
const LOOK_IN_QUIET: Duration = Duration::from_millis(10);
/// A trouble that has not come about after this comes at once, or not at all.
const TROUBLE_TIME_MAX: Duration = Duration::from_secs(2);
/// After this a start, a stop or the rest of the workload hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Troubles with a shorter wait are already there when the node opens.
const EARLY_MS: u64 = 10;
/// Opening again and again without an end would hide a hang.
const STARTS_MAX: usize = 100;

/// A run of one machine.
pub struct Lone {
    plan: Plan,
    base: PathBuf,
    handle: Handle,
    machine: Machine,
    shared: Shared,
    /// What the last crash left to be checked.
    known: Known,
    images: u64,
}

/// Runs a plan below `base`, an empty folder on a tmpfs. What was met is filled in as far as it came.
///
/// # Errors
/// The first violation.
pub async fn run(plan: Plan, base: PathBuf, met: &mut Met, shared: Shared) -> Result<(), Violation> {
    let handle = Handle::current();
    let make = Make { number: 1, ip: None, base: base.clone(), seed: plan.seed, knobs: plan.knobs, watch: None };
    let machine = Machine::new(&handle, make);
    let known = shared.with_history(|history| history.known(0));
    let mut lone = Lone { plan, base, handle, machine, shared, known, images: 0 };
    let result = lone.run().await;
    *met = Met { images: lone.images, ..lone.machine.met };
    result
}

/// Virtual time since the run began.
fn now() -> Duration {
    Duration::from_micros(trace::micros())
}

impl Lone {
    async fn run(&mut self) -> Result<(), Violation> {
        for (number, client) in self.plan.clients.iter().enumerate() {
            let machine = self.handle.create_node().name(format!("client-{}", number + 1)).build();
            let client_of_one = Client::of_one(self.shared.clone(), number as u64 + 1);
            machine.spawn(client_of_one.run(client.steps.clone()));
        }
        record::stage("disturbed");
        let mut door = self.start_until_open(None).await?;
        for incident in self.plan.incidents.clone() {
            let early = Duration::from_millis(incident.at_ms).saturating_sub(now());
            if !early.is_zero() {
                self.wait(&door, early).await?;
            }
            door = self.meet(door, incident).await?;
            self.accused()?;
        }
        record::stage("healed");
        self.finish_workload(&door).await?;
        record::stage("audit");
        self.end_well(door).await?;
        self.shared.with_history(|history| oracles::check(history))?;
        record::stage("crash images");
        self.audit_images().await
    }

    fn accused(&self) -> Result<(), Violation> {
        self.shared.violation().map_or(Ok(()), Err)
    }

    /// Starts the node until it is open, through power cuts and faults while it opens.
    async fn start_until_open(&mut self, early: Option<&Incident>) -> Result<Door, Violation> {
        let mut early = early;
        for _ in 0..STARTS_MAX {
            match self.start(early.take()).await? {
                Opened::Open(door) => return Ok(door),
                Opened::Cut => {
                    let policy = self.machine.draw_policy();
                    self.crash(Some(policy));
                }
                Opened::Failed => self.crash(None),
                Opened::Not => return Err(Violation::new("recovery", "hangs", "the node neither opens nor fails")),
            }
        }
        Err(Violation::new("recovery", "never-opens", format!("not after {STARTS_MAX} starts")))
    }

    async fn start(&mut self, early: Option<&Incident>) -> Result<Opened, Violation> {
        let mut opens = self.machine.start(Start::Alone { declares: true }, early.map(|incident| incident.trouble))?;
        let mut waited = Duration::ZERO;
        let door = loop {
            match opens.look()? {
                Opened::Open(door) => break door,
                Opened::Not if waited <= PATIENCE => sleep(LOOK).await,
                ended => return Ok(ended),
            }
            waited += LOOK;
        };
        self.audit_started(door).await
    }

    async fn audit_started(&mut self, door: Door) -> Result<Opened, Violation> {
        let audited = audit(&door, &self.known, || door.is_off()).await;
        match audited {
            Ok(Audited::Interrupted) => Ok(Opened::Cut),
            // A fault may hit the audit itself.
            Err(_) | Ok(Audited::Sound(_)) if door.faults() > 0 => Ok(Opened::Failed),
            Err(violation) => Err(violation),
            Ok(Audited::Sound(answered)) => {
                self.shared.note_audited(&door, answered);
                self.accused()?;
                self.shared.set_door(0, Some(door.clone()));
                Ok(Opened::Open(door))
            }
        }
    }

    /// Ends this life of the machine.
    fn crash(&mut self, power: Option<Policy>) {
        self.shared.set_door(0, None);
        self.machine.crash(power);
        self.known = self.shared.with_history(|history| history.known(interpose::stamp()));
    }

    /// Lets one trouble happen to an open node, and brings it back.
    async fn meet(&mut self, door: Door, incident: Incident) -> Result<Door, Violation> {
        let early = incident.wait_ms < EARLY_MS && !matches!(incident.trouble, Trouble::Clock { .. } | Trouble::Close);
        if early {
            // The trouble is there from the first file call of the next start.
            self.crash(None);
            let door = self.start_until_open(Some(&incident)).await?;
            return self.follow(door, incident.trouble).await;
        }
        self.wait(&door, Duration::from_millis(incident.wait_ms)).await?;
        self.machine.arm(incident.trouble);
        self.follow(door, incident.trouble).await
    }

    /// Waits in quiet, where nothing may stop the node.
    async fn wait(&self, door: &Door, time: Duration) -> Result<(), Violation> {
        sleep(time).await;
        self.accused()?;
        match door.stopped() {
            Some(reason) => Err(Violation::new("liveness", "stopped", format!("without a fault: {reason}"))),
            None => Ok(()),
        }
    }

    /// Waits until an armed trouble has come about, and starts the node again.
    async fn follow(&mut self, door: Door, trouble: Trouble) -> Result<Door, Violation> {
        let mut waited = Duration::ZERO;
        while waited < TROUBLE_TIME_MAX && !door.is_off() && door.stopped().is_none() {
            if matches!(trouble, Trouble::Clock { .. } | Trouble::Close) {
                break;
            }
            sleep(LOOK).await;
            waited += LOOK;
        }
        match trouble {
            Trouble::PowerCut { policy, .. } => self.crash(Some(policy)),
            Trouble::Kill { .. } => self.crash(None),
            Trouble::Fault { power_cut, .. } => {
                self.check_stopped(&door).await?;
                self.crash(power_cut);
            }
            Trouble::FullDisk { .. } => self.crash(None),
            Trouble::Clock { skew_micros } => {
                self.machine.skew(skew_micros, Some(&door));
                return Ok(door);
            }
            Trouble::Close => self.close(&door).await?,
        }
        self.start_until_open(None).await
    }

    /// After a failed fsync the page cache is not what the disk holds: to acknowledge anything more is to lie.
    async fn check_stopped(&self, door: &Door) -> Result<(), Violation> {
        if self.machine.drive().is_none_or(|drive| drive.failed_syncs() == 0) || door.stopped().is_some() {
            return Ok(());
        }
        let generation = self.machine.generation();
        let probe = self.plan.knobs.workload.probe(generation);
        let step = Step::at_once(Some(format!("probe-{generation}")), probe);
        let call = client::call(&self.shared, door.clone(), 0, &step, None).await;
        let done = self.shared.with_history(|history| matches!(history.calls[call].end, End::Done { .. }));
        if done {
            let detail = "an fsync failed, and afterwards the node answered a mutation";
            return blind::pardon(Err(Violation::new("liveness", "went-on", detail))).map(|_| ());
        }
        Ok(())
    }

    async fn close(&mut self, door: &Door) -> Result<(), Violation> {
        self.shared.set_door(0, None);
        self.machine.close(door).await?;
        self.known = self.shared.with_history(|history| history.known(interpose::stamp()));
        Ok(())
    }

    async fn finish_workload(&self, door: &Door) -> Result<(), Violation> {
        let mut waited = Duration::ZERO;
        let time = Duration::from_secs(self.plan.time_s);
        while self.shared.finished() < self.plan.clients.len() || now() < time {
            self.wait(door, LOOK_IN_QUIET).await?;
            waited += LOOK_IN_QUIET;
            if waited > PATIENCE + time {
                return Err(Violation::new("liveness", "hangs", "the clients do not finish"));
            }
        }
        Ok(())
    }

    /// The record agrees with the kernel; a last power failure; a close in good order; everything is still there.
    async fn end_well(&mut self, door: Door) -> Result<(), Violation> {
        self.machine.check_held(&door).await?;
        self.machine.compare_record()?;
        drop(door);
        let policy = self.machine.draw_policy();
        self.crash(Some(policy));
        let door = self.start_until_open(None).await?;
        self.close(&door).await?;
        self.start_until_open(None).await?;
        self.crash(None);
        Ok(())
    }

    /// Opens and audits crash images at many places of the record: what a power failure there would have left.
    async fn audit_images(&mut self) -> Result<(), Violation> {
        let recordings = std::mem::take(&mut self.machine.recordings);
        let total: u64 = recordings.iter().map(|recording| recording.ops.len() as u64).sum();
        let mut rng = Rng::stream(self.plan.seed, "images");
        let mut places: Vec<u64> = (0..self.plan.images.places).map(|_| rng.below(total.max(1))).collect();
        places.sort_unstable();
        let mut places = places.into_iter().peekable();
        let mut before = 0;
        for (generation, recording) in recordings.iter().enumerate() {
            let mut disk = recording.before.clone();
            for (position, op) in recording.ops.iter().enumerate() {
                disk.apply(op);
                while places.next_if_eq(&(before + position as u64)).is_some() {
                    let policy = *rng.pick(&Policy::ALL);
                    let image = disk.image(policy, &mut rng);
                    record::image(recording.stamps[position]);
                    let known = self.shared.with_history(|history| history.known(recording.stamps[position]));
                    let audited = self.audit_image(&image, &known).await;
                    audited.map_err(|violation| {
                        let detail = format!(
                            "{} [image of {policy:?} after change {position} of generation {generation}]",
                            violation.detail
                        );
                        Violation { detail, ..violation }
                    })?;
                    self.images += 1;
                }
            }
            before += recording.ops.len() as u64;
        }
        Ok(())
    }

    async fn audit_image(&self, image: &crate::simfs::Image, known: &Known) -> Result<(), Violation> {
        let dir = self.base.join(format!("image{}", self.images));
        image.put(&dir).map_err(|error| Violation::new("harness", "image", error.to_string()))?;
        let machine = self.handle.create_node().name("image").build();
        let opening = Opening {
            number: 0,
            dir: dir.clone(),
            knobs: self.plan.knobs,
            seed: self.images,
            skew_micros: self.machine.skew_micros(),
            start: Start::Alone { declares: false },
            drive: None,
            is_rotten: false,
            standing: Standing::default(),
        };
        let (ready, opened) = oneshot::channel();
        machine.spawn(house::live(opening, ready));
        let opened = madsim::time::timeout(PATIENCE, opened).await;
        let result = match opened {
            Err(_) => Err(Violation::new("recovery", "hangs", "the node neither opens nor fails")),
            Ok(Err(_)) => Err(Violation::new("recovery", "does-not-open", "the node ended while it opened")),
            Ok(Ok(Err(reason))) => Err(Violation::new("recovery", "does-not-open", reason)),
            Ok(Ok(Ok(door))) => audit(&door, known, || false).await.map(|_| ()),
        };
        self.handle.kill(machine.id());
        let _ = std::fs::remove_dir_all(&dir);
        result
    }
}
