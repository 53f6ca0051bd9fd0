//! One machine: its disk through all its lives, its node while it has one, its troubles and its clock.
//!
//! A power failure is: the record ends, the image is drawn, then the machine dies. Its dying cannot touch the image.

use crate::check::raft::{self, Log, Watch};
use crate::check::resources::{self, Held};
use crate::check::{Violation, blind};
use crate::house::{self, Door, Opening, Standing, Start};
use crate::plan::{Knobs, Trouble};
use crate::record;
use crate::rng::Rng;
use crate::simfs::image::Policy;
use crate::simfs::interpose;
use crate::simfs::model::{Disk, Ino};
use crate::simfs::rot::Damage;
use crate::simfs::{Drive, Recording};
use crate::trace;
use crate::verdict::Met;
use madsim::runtime::Handle;
use madsim::task::NodeId;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_consensus::Status;

/// Where nodes listen for each other.
const PORT: u16 = 7000;

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct Make {
    /// Its number, from 1.
    pub number: u64,
    /// Its address; none when it is alone.
    pub ip: Option<IpAddr>,
    /// Where its disks are.
    pub base: PathBuf,
    /// The seed of the run.
    pub seed: u64,
    /// Sizes.
    pub knobs: Knobs,
    /// Who compares what its node says with what is on its disk, if anybody.
    pub watch: Option<Watch>,
}

/// A machine.
pub struct Machine {
    make: Make,
    handle: Handle,
    node: NodeId,
    disk: Disk,
    drive: Option<Drive>,
    /// How often it was started before.
    generation: u64,
    skew_micros: i64,
    /// Microseconds that its wall clock gains in a second, and since when.
    drift: (i64, Duration),
    is_paused: bool,
    /// Its store may have been damaged in this life or an earlier one.
    is_rotten: bool,
    /// A table of its store that is damaged, whether anybody has read it yet or not.
    rotten_table: Option<RottenTable>,
    images: Rng,
    standing: Standing,
    /// What its lives left.
    pub recordings: Vec<Recording>,
    /// What it met.
    pub met: Met,
}

/// The folder of a node's store.
const STORE: &str = "store";

/// A table that is damaged: no table ever changes, so that what it holds tells it from all others.
struct RottenTable {
    bytes: Vec<u8>,
    /// The file, while the machine is on.
    ino: Option<Ino>,
}

/// What became of a start.
pub enum Opened {
    /// Nothing yet.
    Not,
    /// The node serves.
    Open(Door),
    /// The power went meanwhile.
    Cut,
    /// A fault made it fail.
    Failed,
}

/// A start that is under way.
pub struct Opens {
    drive: Drive,
    opened: oneshot::Receiver<Result<Door, String>>,
}

impl Machine {
    /// A new machine with an empty disk.
    pub fn new(handle: &Handle, make: Make) -> Machine {
        let mut builder = handle.create_node().name(format!("node-{}", make.number));
        if let Some(ip) = make.ip {
            builder = builder.ip(ip);
        }
        let node = builder.build().id();
        Machine {
            images: Rng::stream(make.seed, &format!("disk/n{}", make.number)),
            make,
            handle: handle.clone(),
            node,
            disk: Disk::default(),
            drive: None,
            generation: 0,
            skew_micros: 0,
            drift: (0, Duration::ZERO),
            is_paused: false,
            is_rotten: false,
            rotten_table: None,
            standing: Standing::default(),
            recordings: Vec::new(),
            met: Met::default(),
        }
    }

    /// What its events in the trace are about.
    pub fn name(&self) -> String {
        format!("n{}", self.make.number)
    }

    /// Its number, from 1.
    pub fn number(&self) -> u64 {
        self.make.number
    }

    /// How often it was started before.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its folder in this life.
    pub fn dir(&self) -> PathBuf {
        self.make.base.join(format!("g{}", self.generation))
    }

    /// The recorded disk of this life.
    pub fn drive(&self) -> Option<Drive> {
        self.drive
    }

    /// Its number in the simulation, where links between machines are cut.
    pub fn id(&self) -> NodeId {
        self.node
    }

    /// How its node stands, while it runs.
    pub fn standing(&self) -> Option<Status> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its address for other nodes.
    pub fn address(&self) -> String {
        self.make.ip.map_or_else(String::new, |ip| format!("{ip}:{PORT}"))
    }

    /// Puts another disk in, between two lives.
    pub fn put(&mut self, disk: Disk) {
        assert!(self.drive.is_none(), "disks are changed while the machine is down");
        self.disk = disk;
        self.rotten_table = None;
    }

    /// How far its wall clock is off now.
    pub fn skew_micros(&self) -> i64 {
        let (ppm, since) = self.drift;
        let seconds = Duration::from_micros(trace::micros()).saturating_sub(since).as_secs_f64();
        self.skew_micros + (seconds * ppm as f64) as i64
    }

    /// Lets its wall clock gain so many microseconds in a second from now on.
    pub fn drift(&mut self, ppm: i64) {
        self.skew_micros = self.skew_micros();
        self.drift = (ppm, Duration::from_micros(trace::micros()));
        self.met.clocks += 1;
    }

    /// True when its wall clock does not run as it should.
    pub fn is_drifting(&self) -> bool {
        self.drift.0 != 0
    }

    /// Lets its process stand still.
    pub fn pause(&mut self) {
        if self.drive.is_some() && !self.is_paused {
            trace::event(&self.name(), "stands still", &[]);
            self.is_paused = true;
            self.met.pauses += 1;
            self.handle.pause(self.node);
            record::pause(self.make.number);
        }
    }

    /// True while its process stands still.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Lets its process go on.
    pub fn resume(&mut self) {
        if std::mem::take(&mut self.is_paused) {
            trace::event(&self.name(), "goes on", &[]);
            self.handle.resume(self.node);
            record::resume(self.make.number);
        }
    }

    /// Begins a life on what the last one left; a trouble may be there from the first file call.
    ///
    /// # Errors
    /// When the disk cannot be made.
    pub fn start(&mut self, start: Start, early: Option<Trouble>) -> Result<Opens, Violation> {
        let (drive, opening) = self.begin_life(start, early)?;
        let (ready, opened) = oneshot::channel();
        self.spawn(house::live(opening, ready));
        Ok(Opens { drive, opened })
    }

    /// Begins a life in which an operator makes its node the only voter of its cluster, and no node runs.
    ///
    /// # Errors
    /// When the disk cannot be made.
    pub fn recover(&mut self) -> Result<oneshot::Receiver<Result<(), String>>, Violation> {
        let (_, opening) = self.begin_life(Start::Member { address: self.address() }, None)?;
        let (told, answer) = oneshot::channel();
        self.spawn(house::recover(opening, told));
        Ok(answer)
    }

    fn spawn(&self, life: impl Future<Output = ()> + Send + 'static) {
        self.handle.restart(self.node);
        // A handle that was kept over a restart would spawn into the dead life.
        let node = self.handle.get_node(self.node).expect("the machine was made at the beginning");
        node.spawn(life);
    }

    fn begin_life(&mut self, start: Start, early: Option<Trouble>) -> Result<(Drive, Opening), Violation> {
        let dir = self.dir();
        let image = self.disk.image(Policy::KEEP, &mut self.images);
        let put = interpose::unrecorded(|| {
            std::fs::create_dir_all(&self.make.base)?;
            image.put(&dir)
        });
        put.map_err(|error| Violation::new("harness", "image", error.to_string()))?;
        let subject = if self.make.ip.is_some() { format!("disk {}", self.make.number) } else { "disk".to_owned() };
        let drive = Drive::start(&subject, &dir, self.disk.clone());
        self.drive = Some(drive);
        if let Some(table) = &mut self.rotten_table {
            table.ino = self.disk.holding(STORE, &table.bytes);
            drive.expect_trouble();
        }
        if let Some(watch) = &self.make.watch {
            watch.life_begins(self.node, drive, &self.disk);
        }
        if self.make.ip.is_some() {
            // Others must not hear a word of what it does after that: none of it is on its disk.
            let (handle, node) = (self.handle.clone(), self.node);
            drive.when_cut(move || handle.kill(node));
        }
        if let Some(trouble) = early {
            self.arm(trouble);
        }
        trace::event(&self.name(), &format!("starts, generation {}", self.generation), &[]);
        let chance = match self.make.ip {
            Some(_) => format!("node/n{}/g{}", self.make.number, self.generation),
            None => format!("node/g{}", self.generation),
        };
        let opening = Opening {
            number: self.make.number,
            dir,
            knobs: self.make.knobs,
            seed: Rng::stream(self.make.seed, &chance).next(),
            skew_micros: self.skew_micros(),
            start,
            drive: Some(drive),
            is_rotten: self.is_rotten,
            standing: Arc::clone(&self.standing),
        };
        Ok((drive, opening))
    }

    /// The log on its disk, while it is down.
    pub fn log_on_disk(&self) -> Log {
        raft::log_of(&self.disk)
    }

    /// From its next life on nobody compares what it says with its disk: it lives in another time line.
    pub fn leave_time_line(&mut self) {
        self.make.watch = None;
    }

    /// From its next life on it is one of those again whom this watch looks at.
    pub fn enter_time_line(&mut self, watch: Watch) {
        self.make.watch = Some(watch);
    }

    /// Ends this life: by power failure under a policy, or by a kill that leaves the page cache.
    pub fn crash(&mut self, power: Option<Policy>) {
        // The simulator would drop what a paused process holds while it looks at it.
        self.resume();
        let Some(drive) = self.drive.take() else { return };
        if let Some(watch) = &self.make.watch {
            watch.life_ends(self.node);
        }
        let recording = drive.stop().expect("a started machine is recorded");
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
        if self.rotten_table.as_ref().is_some_and(|table| self.disk.holding(STORE, &table.bytes).is_none()) {
            self.rotten_table = None;
        }
        trace::event(&self.name(), &what, &[]);
        record::machine(self.make.number, record::State::Down, &what);
        self.handle.kill(self.node);
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = std::fs::remove_dir_all(self.dir());
        self.met.changes += recording.ops.len() as u64;
        self.recordings.push(recording);
        self.generation += 1;
    }

    /// Damages its disk while it is down, if there is what is meant.
    pub fn rot(&mut self, damage: Damage) {
        assert!(self.drive.is_none(), "a disk rots while the machine is down");
        let mut image = self.disk.image(Policy::KEEP, &mut self.images);
        let Some(what) = image.damage(damage, &mut self.images) else { return };
        trace::event(&self.name(), &format!("{what} {}", damage.word()), &[]);
        self.disk = Disk::from_image(&image);
        self.is_rotten = true;
        if damage.takes_the_log() {
            self.met.logs_lost += 1;
            if let Some(watch) = &self.make.watch {
                watch.log_is_lost(self.node);
            }
        } else {
            self.met.rots += 1;
            let bytes = self.disk.at(&what).and_then(|ino| self.disk.bytes(ino));
            self.rotten_table = bytes.filter(|_| damage.sleeps()).map(|bytes| RottenTable { bytes, ino: None });
        }
    }

    /// True when a table of its store is damaged, whether anybody has read it yet or not.
    pub fn has_rotten_tables(&self) -> bool {
        self.rotten_table.as_ref().is_some_and(|table| match (self.drive, table.ino) {
            (Some(drive), Some(ino)) => drive.path(ino).split('/').next() == Some(STORE),
            (Some(_), None) => false,
            (None, _) => true,
        })
    }

    /// True when its node, which is up, knows others: they replace a store that it cannot read.
    pub fn knows_others(&self) -> bool {
        self.drive.is_some_and(|drive| drive.root_file("peers").starts_with(b"node "))
    }

    /// Deletes its store while it is down, as an operator would: its node gets all of it back from its log or from others.
    pub fn delete_store(&mut self) {
        assert!(self.drive.is_none(), "a store is deleted while the machine is down");
        trace::event(&self.name(), "store is deleted", &[]);
        let mut image = self.disk.image(Policy::KEEP, &mut self.images);
        image.root.remove("store");
        self.put(Disk::from_image(&image));
    }

    /// A policy of its own chance.
    pub fn draw_policy(&mut self) -> Policy {
        *self.images.pick(&Policy::ALL)
    }

    /// Lets a trouble come.
    pub fn arm(&mut self, trouble: Trouble) {
        trace::event("nemesis", &format!("{trouble:?}"), &[]);
        record::trouble(&trouble, Some(0), 0);
        let Some(drive) = self.drive else { return };
        match trouble {
            Trouble::PowerCut { after_changes, .. } | Trouble::Kill { after_changes } => drive.cut_after(after_changes),
            Trouble::Fault { fault, .. } => drive.arm(fault),
            Trouble::FullDisk { bytes_more } => drive.limit_space(bytes_more),
            Trouble::Clock { skew_micros } => self.skew_micros = skew_micros,
            Trouble::Close => {}
        }
    }

    /// Sets its wall clock, now if a node serves and for later lives.
    pub fn skew(&mut self, skew_micros: i64, door: Option<&Door>) {
        self.skew_micros = skew_micros;
        self.drift = (0, Duration::ZERO);
        self.met.clocks += 1;
        if let Some(door) = door {
            door.skew(skew_micros);
        }
    }

    /// Closes its node in good order; the power goes right afterwards and takes all that is not durable.
    ///
    /// # Errors
    /// When the node does not close.
    pub async fn close(&mut self, door: &Door) -> Result<(), Violation> {
        let closed = door.close().await;
        closed
            .ok_or_else(|| Violation::new("liveness", "hangs", "closing was not answered"))?
            .map_err(|error| Violation::new("recovery", "does-not-close", error))?;
        self.met.closes += 1;
        let drop = Policy::ALL[0];
        self.crash(Some(drop));
        Ok(())
    }

    /// A node that nothing is asked of holds no more than it needs.
    ///
    /// # Errors
    /// What there is too much of, or no answer.
    pub async fn check_held(&self, door: &Door) -> Result<(), Violation> {
        let snapshots = door.snapshots().await;
        let snapshots = snapshots.ok_or_else(|| Violation::new("liveness", "hangs", "snapshots are not counted"))?;
        let snapshots = snapshots.map_err(|error| Violation::new("recovery", "unreadable", error))?;
        let queues = door.queues().await;
        let queues = queues.ok_or_else(|| Violation::new("liveness", "hangs", "queues are not counted"))?;
        let queues = queues.map_err(|error| Violation::new("recovery", "unreadable", error))?;
        let tasks = self.handle.metrics().num_tasks_by_node();
        let tasks = tasks.get(&format!("node-{}", self.make.number)).copied().unwrap_or(0);
        let (files, nameless_files, handles) = self.drive.map_or((0, 0, 0), Drive::open_files);
        let held = Held { tasks, files, nameless_files, handles, snapshots, queues };
        trace::event(&self.name(), &format!("at rest: {held:?}"), &[]);
        blind::pardon(resources::check(&self.name(), &held)).map(|_| ())
    }

    /// Every change below the folder went through the record, and nothing that the model does not know.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare_record(&mut self) -> Result<(), Violation> {
        let Some(drive) = self.drive.filter(|drive| !drive.is_cut()) else { return Ok(()) };
        let (disk, escaped) = drive.look();
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
}

impl Opens {
    /// What has become of the start.
    ///
    /// # Errors
    /// When the node refuses to open without a reason that the harness gave it.
    pub fn look(&mut self) -> Result<Opened, Violation> {
        if self.drive.is_cut() {
            return Ok(Opened::Cut);
        }
        match self.opened.try_recv() {
            Ok(Ok(door)) => Ok(Opened::Open(door)),
            Ok(Err(_)) if self.drive.fired() > 0 => Ok(Opened::Failed),
            Ok(Err(reason)) => Err(Violation::new("recovery", "does-not-open", reason)),
            Err(oneshot::error::TryRecvError::Closed) => {
                Err(Violation::new("recovery", "does-not-open", "the node ended while it opened"))
            }
            Err(oneshot::error::TryRecvError::Empty) => Ok(Opened::Not),
        }
    }
}
