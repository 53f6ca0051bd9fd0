//! The machine that a run breaks: starts the node, makes its troubles, puts the crashed disk in place, starts it again.
//!
//! A power failure is: the record ends, the image is drawn, then the machine dies. Its dying cannot touch the image.

use crate::check::audit::{Audited, audit};
use crate::check::{Violation, certificate};
use crate::client::{self, Shared};
use crate::history::{End, Known};
use crate::house::{self, Door, Opening};
use crate::plan::{Incident, Plan, Trouble};
use crate::rng::Rng;
use crate::simfs::image::Policy;
use crate::simfs::interpose::{self, Recording};
use crate::simfs::model::Disk;
use crate::trace;
use crate::verdict::Met;
use crate::workload::{Action, Sent, Step};
use madsim::runtime::Handle;
use madsim::time::sleep;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(1);
/// A trouble that has not come about after this comes at once, or not at all.
const TROUBLE_TIME_MAX: Duration = Duration::from_secs(2);
/// After this a start, a stop or the rest of the workload hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Troubles with a shorter wait are already there when the node opens.
const EARLY_MS: u64 = 10;
/// Opening again and again without an end would hide a hang.
const STARTS_MAX: usize = 100;

/// A started node, or why there is none.
enum Started {
    Open(Door),
    /// The power went while it opened or was audited.
    Cut,
    /// A fault made it fail.
    Failed,
}

/// The machine.
pub struct Cluster {
    plan: Plan,
    base: PathBuf,
    handle: Handle,
    machine: madsim::task::NodeId,
    shared: Shared,
    disk: Disk,
    /// What the last crash left to be checked.
    known: Known,
    recordings: Vec<Recording>,
    skew_micros: i64,
    images: Rng,
    met: Met,
}

/// Runs a plan below `base`, an empty folder on a tmpfs. What was met is filled in as far as it came.
///
/// # Errors
/// The first violation.
pub async fn run(plan: Plan, base: PathBuf, met: &mut Met, history: Option<PathBuf>) -> Result<(), Violation> {
    let handle = Handle::current();
    let machine = handle.create_node().name("node-1").build().id();
    let images = Rng::stream(plan.seed, "disk/n1");
    let mut cluster = Cluster {
        plan,
        base,
        handle,
        machine,
        shared: Shared::default(),
        disk: Disk::default(),
        known: Known::default(),
        recordings: Vec::new(),
        skew_micros: 0,
        images,
        met: Met::default(),
    };
    let result = cluster.run().await;
    if let Some(path) = history {
        let text = cluster.shared.with_history(|history| history.print());
        std::fs::write(&path, text).map_err(|error| Violation::new("harness", "history", error.to_string()))?;
    }
    cluster.met.acknowledged = cluster.shared.with_history(|history| history.answered());
    *met = cluster.met;
    result
}

impl Cluster {
    async fn run(&mut self) -> Result<(), Violation> {
        for (number, client) in self.plan.clients.iter().enumerate() {
            let machine = self.handle.create_node().name(format!("client-{}", number + 1)).build();
            machine.spawn(client::run(self.shared.clone(), number as u64 + 1, client.steps.clone()));
        }
        let mut door = self.start_until_open(None).await?;
        for incident in self.plan.incidents.clone() {
            door = self.meet(door, incident).await?;
            self.accused()?;
        }
        self.finish_workload(&door).await?;
        self.end_well(door).await?;
        self.shared.with_history(|history| certificate::check(history))?;
        self.audit_images().await
    }

    fn accused(&self) -> Result<(), Violation> {
        self.shared.violation().map_or(Ok(()), Err)
    }

    fn dir(&self) -> PathBuf {
        self.base.join(format!("g{}", self.shared.generation()))
    }

    /// Starts the node until it is open, through power cuts and faults while it opens.
    async fn start_until_open(&mut self, early: Option<&Incident>) -> Result<Door, Violation> {
        let mut early = early;
        for _ in 0..STARTS_MAX {
            match self.start(early.take()).await? {
                Started::Open(door) => return Ok(door),
                Started::Cut => {
                    let policy = *self.images.pick(&Policy::ALL);
                    self.crash(Some(policy));
                }
                Started::Failed => self.crash(None),
            }
        }
        Err(Violation::new("recovery", "never-opens", format!("not after {STARTS_MAX} starts")))
    }

    async fn start(&mut self, early: Option<&Incident>) -> Result<Started, Violation> {
        let dir = self.dir();
        let image = self.disk.image(Policy::KEEP, &mut self.images);
        image.put(&dir).map_err(|error| Violation::new("harness", "image", error.to_string()))?;
        interpose::start(&dir, self.disk.clone());
        if let Some(incident) = early {
            self.arm(incident.trouble);
        }
        trace::event("n1", &format!("starts, generation {}", self.shared.generation()), &[]);
        let opening = Opening {
            dir,
            knobs: self.plan.knobs,
            seed: Rng::stream(self.plan.seed, &format!("node/g{}", self.shared.generation())).next(),
            skew_micros: self.skew_micros,
            declares: true,
        };
        let (ready, mut opened) = oneshot::channel();
        self.handle.restart(self.machine);
        let machine = self.handle.get_node(self.machine).expect("the machine was made at the beginning");
        machine.spawn(house::live(opening, ready));
        let mut waited = Duration::ZERO;
        let door = loop {
            if interpose::is_cut() {
                return Ok(Started::Cut);
            }
            match opened.try_recv() {
                Ok(Ok(door)) => break door,
                Ok(Err(_)) if interpose::fired().0 > 0 => return Ok(Started::Failed),
                Ok(Err(reason)) => return Err(Violation::new("recovery", "does-not-open", reason)),
                Err(oneshot::error::TryRecvError::Closed) => {
                    return Err(Violation::new("recovery", "does-not-open", "the node ended while it opened"));
                }
                Err(oneshot::error::TryRecvError::Empty) if waited > PATIENCE => {
                    return Err(Violation::new("recovery", "hangs", "the node neither opens nor fails"));
                }
                Err(oneshot::error::TryRecvError::Empty) => sleep(LOOK).await,
            }
            waited += LOOK;
        };
        self.audit_started(door).await
    }

    async fn audit_started(&mut self, door: Door) -> Result<Started, Violation> {
        let audited = audit(&door, &self.known, interpose::is_cut).await;
        match audited {
            Ok(Audited::Interrupted) => Ok(Started::Cut),
            // A fault may hit the audit itself.
            Err(_) | Ok(Audited::Sound(_)) if interpose::fired().0 > 0 => Ok(Started::Failed),
            Err(violation) => Err(violation),
            Ok(Audited::Sound(repeated)) => {
                for (key, action, reply) in repeated {
                    let begun = self.shared.moment();
                    let end = client::judge(&self.shared, &action, reply);
                    let ended = self.shared.moment();
                    self.shared.with_history(|history| {
                        let call = history.begin(0, Some(key), action, begun);
                        history.end(call, ended, end);
                    });
                }
                self.accused()?;
                self.shared.set_door(Some(door.clone()));
                Ok(Started::Open(door))
            }
        }
    }

    /// Ends this life of the machine: by power failure under a policy, or by a kill that leaves the page cache.
    fn crash(&mut self, power: Option<Policy>) {
        self.shared.set_door(None);
        let recording = interpose::stop().expect("a started machine is recorded");
        self.met.faults += recording.fired;
        let what = match power {
            Some(policy) => {
                self.met.power_cuts += 1;
                self.disk = Disk::from_image(&recording.after.image(policy, &mut self.images));
                format!("power failure, {policy:?}")
            }
            None => {
                self.met.kills += 1;
                self.disk = recording.after.clone();
                "killed".to_owned()
            }
        };
        trace::event("n1", &what, &[]);
        self.handle.kill(self.machine);
        let _ = std::fs::remove_dir_all(self.dir());
        self.met.changes += recording.ops.len() as u64;
        let generation = self.shared.generation();
        self.known = self.shared.with_history(|history| history.known(generation, recording.ops.len()));
        self.recordings.push(recording);
        self.shared.next_generation();
    }

    fn arm(&mut self, trouble: Trouble) {
        trace::event("nemesis", &format!("{trouble:?}"), &[]);
        match trouble {
            Trouble::PowerCut { after_changes, .. } | Trouble::Kill { after_changes } => {
                interpose::cut_after(after_changes)
            }
            Trouble::Fault { fault, .. } => {
                self.shared.expect_errors();
                interpose::arm(fault);
            }
            Trouble::FullDisk { bytes_more } => {
                self.shared.expect_errors();
                interpose::limit_space(bytes_more);
            }
            Trouble::Clock { skew_micros } => self.skew_micros = skew_micros,
            Trouble::Close => {}
        }
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
        self.arm(incident.trouble);
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
        while waited < TROUBLE_TIME_MAX && !interpose::is_cut() && door.stopped().is_none() {
            if matches!(trouble, Trouble::Clock { .. } | Trouble::Close) {
                break;
            }
            sleep(LOOK).await;
            waited += LOOK;
        }
        match trouble {
            Trouble::PowerCut { policy, .. } => {
                interpose::cut();
                self.crash(Some(policy));
            }
            Trouble::Kill { .. } => {
                interpose::cut();
                self.crash(None);
            }
            Trouble::Fault { power_cut, .. } => {
                self.check_stopped(&door).await?;
                self.crash(power_cut);
            }
            Trouble::FullDisk { .. } => self.crash(None),
            Trouble::Clock { skew_micros } => {
                door.skew(skew_micros);
                return Ok(door);
            }
            Trouble::Close => self.close(&door).await?,
        }
        self.start_until_open(None).await
    }

    /// After a failed fsync the page cache is not what the disk holds: to acknowledge anything more is to lie.
    async fn check_stopped(&self, door: &Door) -> Result<(), Violation> {
        if interpose::failed_syncs() == 0 || door.stopped().is_some() {
            return Ok(());
        }
        let generation = self.shared.generation();
        let shelf = i64::try_from(generation).expect("starts are few") + 1000;
        let probe = Action::CreateBox { tag: format!("probe{generation}"), room: "RED".into(), shelf };
        let step = Step { pause_micros: 0, key: Some(format!("probe-{generation}")), sent: Sent::Once, action: probe };
        let call = client::call(&self.shared, door.clone(), 0, &step).await;
        let done = self.shared.with_history(|history| matches!(history.calls[call].end, End::Done { .. }));
        if done {
            let detail = "an fsync failed, and afterwards the node answered a mutation";
            return Err(Violation::new("liveness", "went-on", detail));
        }
        Ok(())
    }

    async fn close(&mut self, door: &Door) -> Result<(), Violation> {
        self.shared.set_door(None);
        let closed = door.close().await;
        closed
            .ok_or_else(|| Violation::new("liveness", "hangs", "closing was not answered"))?
            .map_err(|error| Violation::new("recovery", "does-not-close", error))?;
        self.met.closes += 1;
        interpose::cut();
        let drop = Policy::ALL[0];
        self.crash(Some(drop));
        Ok(())
    }

    async fn finish_workload(&self, door: &Door) -> Result<(), Violation> {
        let mut waited = Duration::ZERO;
        while self.shared.finished() < self.plan.clients.len() {
            self.wait(door, LOOK).await?;
            waited += LOOK;
            if waited > PATIENCE {
                return Err(Violation::new("liveness", "hangs", "the clients do not finish"));
            }
        }
        Ok(())
    }

    /// The record agrees with the kernel; a last power failure; a close in good order; everything is still there.
    async fn end_well(&mut self, door: Door) -> Result<(), Violation> {
        self.compare_record()?;
        drop(door);
        interpose::cut();
        let policy = *self.images.pick(&Policy::ALL);
        self.crash(Some(policy));
        let door = self.start_until_open(None).await?;
        self.close(&door).await?;
        self.start_until_open(None).await?;
        self.crash(None);
        Ok(())
    }

    /// Every change below the folder went through the record, and nothing that the model does not know.
    fn compare_record(&mut self) -> Result<(), Violation> {
        let (disk, escaped) = interpose::look();
        if let Some(call) = escaped.first() {
            return Err(Violation::new("harness", "escape", call.clone()));
        }
        let image = disk.image(Policy::KEEP, &mut self.images);
        let difference = interpose::unrecorded(|| image.difference(&self.dir()));
        match difference.map_err(|error| Violation::new("harness", "image", error.to_string()))? {
            Some(difference) => Err(Violation::new("harness", "record", difference)),
            None => Ok(()),
        }
    }

    /// Opens and audits crash images at many places of the record: what a power failure there would have left.
    async fn audit_images(&mut self) -> Result<(), Violation> {
        let recordings = std::mem::take(&mut self.recordings);
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
                    let known = self.shared.with_history(|history| history.known(generation, position + 1));
                    let audited = self.audit_image(&image, &known).await;
                    audited.map_err(|violation| {
                        let detail = format!(
                            "{} [image of {policy:?} after change {position} of generation {generation}]",
                            violation.detail
                        );
                        Violation { detail, ..violation }
                    })?;
                    self.met.images += 1;
                }
            }
            before += recording.ops.len() as u64;
        }
        Ok(())
    }

    async fn audit_image(&self, image: &crate::simfs::Image, known: &Known) -> Result<(), Violation> {
        let dir = self.base.join(format!("image{}", self.met.images));
        image.put(&dir).map_err(|error| Violation::new("harness", "image", error.to_string()))?;
        let machine = self.handle.create_node().name("image").build();
        let opening = Opening {
            dir: dir.clone(),
            knobs: self.plan.knobs,
            seed: self.met.images,
            skew_micros: self.skew_micros,
            declares: false,
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
        remove(&dir);
        result
    }
}

fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}
