//! A machine's place in a cluster: up, opening, closing or down, what its next cut means, and when it comes back.

use crate::check::{Violation, blind};
use crate::client::Shared;
use crate::house::{Door, Start};
use crate::machine::{Machine, Opened, Opens};
use crate::plan::Trouble;
use crate::simfs::Recording;
use crate::simfs::image::Policy;
use crate::simfs::model::Disk;
use crate::simfs::rot::Damage;
use crate::trace;
use std::time::Duration;
use tokio::sync::oneshot;

/// What a node says that ends because it was removed.
const REMOVED: &str = "this node was removed from its cluster";
/// After this a node that closes hangs.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(90);
/// What rots in tables and nobody reads is repaired after so many times the time for which its machine was down.
const REPAIRED_AFTER: u32 = 12;
/// So soon after an fsync failed a node has stopped.
const STOP_TIME_MAX: Duration = Duration::from_secs(1);
/// A clock that runs wrong goes on in steps of so much time.
const DRIFT_EVERY: Duration = Duration::from_millis(100);
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// What the next cut of a machine is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strike {
    /// A power failure under this policy; a kill when absent.
    pub power: Option<Policy>,
    /// How long the machine stays down.
    pub down: Duration,
}

/// What a machine does.
pub enum State {
    /// It is not started until somebody does.
    Spare,
    /// Its power was taken, until somebody gives it back.
    Held,
    /// Nothing, until a virtual time.
    Down(Duration),
    /// Its node opens.
    Opening(Opens),
    /// Its node serves.
    Up(Door),
    /// Its node closes in good order; then it stays down.
    Closing {
        /// The answer.
        closed: oneshot::Receiver<Option<Result<(), String>>>,
        /// When it was asked.
        since: Duration,
        /// For how long it stays down.
        down: Duration,
    },
}

/// A machine's place in a cluster.
pub struct Seat {
    /// The machine.
    pub machine: Machine,
    /// What it does.
    pub state: State,
    /// Its node was told to go: once it learns of that, it may end.
    pub leaves: bool,
    /// It comes back with what it had before its cluster was recovered without it: clients do not know it.
    pub exiled: bool,
    /// How its node is started again: who joins may be told to ask again and again.
    origin: Option<Start>,
    strike: Strike,
    /// Until when it stands still.
    paused_until: Option<Duration>,
    /// Its disk may fail until then. Then, or as soon as its node has stopped for that, it is struck so.
    trial: Option<(Duration, Strike)>,
    /// What is damaged on its disk when it falls.
    rots: Option<Damage>,
    /// When somebody comes to delete a store that is damaged, unless its node has stopped before.
    repair_at: Option<Duration>,
    /// Since when an fsync of its log or its store has failed in this life.
    sync_failed_at: Option<Duration>,
    /// When its clock, which runs wrong, is set again.
    drifts_at: Duration,
}

fn now() -> Duration {
    Duration::from_micros(trace::micros())
}

impl Seat {
    /// A machine that was never started.
    pub fn new(machine: Machine) -> Seat {
        Seat {
            machine,
            state: State::Spare,
            leaves: false,
            exiled: false,
            origin: None,
            strike: Strike::default(),
            paused_until: None,
            trial: None,
            rots: None,
            repair_at: None,
            sync_failed_at: None,
            drifts_at: Duration::ZERO,
        }
    }

    /// The way in, while its node serves.
    pub fn door(&self) -> Option<&Door> {
        match &self.state {
            State::Up(door) if !door.is_off() => Some(door),
            _ => None,
        }
    }

    /// What it does, in a word.
    pub fn word(&self) -> &'static str {
        match self.state {
            State::Spare => "spare",
            State::Down(_) => "down",
            State::Held => "held",
            State::Opening(_) => "opening",
            State::Up(_) => "up",
            State::Closing { .. } => "closing",
        }
    }

    /// Starts its node.
    ///
    /// # Errors
    /// When the disk cannot be made.
    pub fn start(&mut self, start: Start) -> Result<(), Violation> {
        self.strike = Strike::default();
        self.trial = None;
        self.origin = matches!(start, Start::Newcomer { .. }).then(|| start.clone());
        self.state = State::Opening(self.machine.start(start, None)?);
        Ok(())
    }

    /// Starts its node as a member on what it has.
    ///
    /// # Errors
    /// As [`Seat::start`].
    pub fn start_again(&mut self) -> Result<(), Violation> {
        let member = Start::Member { address: self.machine.address() };
        let start = self.origin.take().unwrap_or(member);
        self.start(start)
    }

    /// Ends this life of the machine and lets it be without a node, until somebody starts one.
    pub fn vacate(&mut self, power: Option<Policy>, shared: &Shared) {
        self.crash(power, shared);
        (self.state, self.leaves, self.exiled, self.origin) = (State::Spare, false, false, None);
    }

    /// Takes its power, for as long as nobody gives it back.
    pub fn hold(&mut self, shared: &Shared) {
        self.hold_after(Policy::ALL[0], shared);
    }

    /// The same, with what this policy leaves on its disk.
    pub fn hold_after(&mut self, power: Policy, shared: &Shared) {
        self.crash(Some(power), shared);
        self.state = State::Held;
    }

    /// Gives its power back; it goes on with what it has.
    pub fn release(&mut self) {
        self.state = State::Down(now());
    }

    /// True when its power was taken.
    pub fn is_held(&self) -> bool {
        matches!(self.state, State::Held)
    }

    /// Its node does not go after all.
    pub fn stay(&mut self) {
        self.leaves = false;
        if self.is_held() {
            self.state = State::Down(now());
        }
    }

    /// The end of a node that stopped by itself: to be expected once it was told to go.
    fn ends(&mut self, what: &str, reason: &str, shared: &Shared) -> Result<(), Violation> {
        if self.leaves && reason.contains(REMOVED) {
            trace::event(&self.machine.name(), "knows that it was removed", &[]);
            self.vacate(None, shared);
            return Ok(());
        }
        Err(Violation::new("liveness", "stopped", format!("{} without a fault{what}: {reason}", self.machine.name())))
    }

    /// Ends this life of the machine, and starts it again at once. A spare machine has none.
    pub fn crash(&mut self, power: Option<Policy>, shared: &Shared) {
        if !matches!(self.state, State::Spare) {
            self.strike = Strike { power, down: Duration::ZERO };
            self.fall(shared);
        }
    }

    fn fall(&mut self, shared: &Shared) {
        shared.set_door(self.place(), None);
        let Strike { power, down } = std::mem::take(&mut self.strike);
        (self.paused_until, self.trial) = (None, None);
        self.machine.crash(power);
        self.sync_failed_at = None;
        if let Some(damage) = self.rots.take() {
            self.machine.rot(damage);
        }
        self.state = State::Down(now() + down);
    }

    fn place(&self) -> usize {
        usize::try_from(self.machine.number() - 1).expect("machines are few")
    }

    /// Lets the machine crash after so many changes of its disk, or at once.
    pub fn strike(&mut self, strike: Strike, after_changes: u64) {
        let Some(drive) = self.machine.drive() else { return };
        self.go_on();
        self.strike = strike;
        match after_changes {
            0 => drive.cut(),
            changes => drive.cut_after(changes),
        }
    }

    /// Lets its process stand still.
    pub fn pause(&mut self, time: Duration) {
        self.machine.pause();
        self.paused_until = Some(now() + time);
    }

    fn go_on(&mut self) {
        self.paused_until = None;
        self.machine.resume();
    }

    /// Takes its machine down for some time, while its disk is damaged.
    pub fn rot(&mut self, down: Duration, damage: Damage) {
        if self.machine.drive().is_some_and(|drive| !drive.is_cut()) {
            self.rots = Some(damage);
            self.repair_at = damage.sleeps().then(|| now() + down * REPAIRED_AFTER);
            self.strike(Strike { power: None, down }, 0);
        }
    }

    /// Lets its disk fail for some time, see [`Machine::arm`]; then, or as soon as its node stops, strikes it.
    pub fn try_disk(&mut self, trouble: Trouble, time: Duration, strike: Strike) {
        if self.trial.is_none() && self.machine.drive().is_some_and(|drive| !drive.is_cut()) {
            self.machine.arm(trouble);
            self.trial = Some((now() + time, strike));
        }
    }

    /// Faults of its disk that fired in this life: its node may stop for them.
    fn has_failed(&self) -> bool {
        self.machine.drive().is_some_and(|drive| drive.fired() > 0)
    }

    /// A table of its store is damaged, and there is nobody whom its node could ask for another store.
    fn needs_operator(&self) -> bool {
        self.machine.has_rotten_tables() && !self.machine.knows_others()
    }

    /// What an operator does about damage in a store that sleeps, or that nobody else can make up for: the node is ended, and
    /// begins again without it.
    fn repair(&mut self, shared: &Shared) {
        self.repair_at = None;
        if self.machine.has_rotten_tables() {
            self.crash(None, shared);
            self.machine.delete_store();
        }
    }

    /// After a failed fsync the page cache is not what the disk holds: whoever goes on lies to all others.
    fn check_stopped(&mut self) -> Result<(), Violation> {
        if self.machine.drive().is_none_or(|drive| drive.is_cut() || drive.failed_promises() == 0) {
            return Ok(());
        }
        let since = *self.sync_failed_at.get_or_insert(now());
        let goes_on = matches!(&self.state, State::Up(door) if door.stopped().is_none());
        if goes_on && !self.machine.is_paused() && now() - since > STOP_TIME_MAX {
            let detail = format!("an fsync failed on {} {:?} ago, and it goes on", self.machine.name(), now() - since);
            blind::pardon(Err(Violation::new("liveness", "went-on", detail)))?;
        }
        Ok(())
    }

    /// Ends a trial of its disk: it is struck when something failed, and else nothing was.
    fn end_trial(&mut self, shared: &Shared) {
        let Some((_, strike)) = self.trial.take() else { return };
        if let Some(drive) = self.machine.drive() {
            drive.relieve();
        }
        if self.has_failed() {
            self.strike = strike;
            self.fall(shared);
        }
    }

    /// Takes its machine down until somebody spares it.
    pub fn shut_off(&mut self, shared: &Shared) {
        if !matches!(self.state, State::Spare) {
            self.strike = Strike { power: None, down: FOR_EVER };
            self.fall(shared);
        }
    }

    /// Asks its node to close in good order.
    pub fn close(&mut self, down: Duration, shared: &Shared) {
        let State::Up(door) = &self.state else { return };
        let (answer, closed) = oneshot::channel();
        let door = door.clone();
        madsim::task::spawn(async move {
            let _ = answer.send(door.close().await);
        });
        shared.set_door(self.place(), None);
        self.state = State::Closing { closed, since: now(), down };
    }

    /// Takes troubles back that have not come about, and ends the time that it is down or stands still.
    pub fn spare(&mut self, shared: &Shared) {
        self.go_on();
        self.end_trial(shared);
        if let Some(drive) = self.machine.drive() {
            drive.spare();
        }
        if let State::Down(until) = &mut self.state {
            *until = now();
        }
        if let State::Closing { down, .. } = &mut self.state {
            *down = Duration::ZERO;
        }
        if self.is_held() {
            self.state = State::Down(now());
        }
        self.repair(shared);
    }

    /// Goes on to what comes next.
    ///
    /// # Errors
    /// When the node did what it may not do: stop by itself, refuse to open or to close.
    pub fn tend(&mut self, shared: &Shared) -> Result<(), Violation> {
        let name = self.machine.name();
        if self.machine.drive().is_some_and(|drive| drive.is_cut()) {
            self.fall(shared);
        }
        if self.paused_until.is_some_and(|until| until <= now()) {
            self.go_on();
        }
        let has_stopped = match &self.state {
            State::Opening(_) => self.machine.standing().is_some_and(|standing| standing.stopped.is_some()),
            State::Up(door) => door.stopped().is_some(),
            State::Closing { .. } | State::Spare | State::Held | State::Down(_) => false,
        };
        let is_due = self.repair_at.is_some_and(|until| until <= now());
        if is_due || (has_stopped && self.needs_operator()) {
            self.repair(shared);
        }
        if self.trial.as_ref().is_some_and(|(until, _)| *until <= now() || (has_stopped && self.has_failed())) {
            self.end_trial(shared);
        }
        self.check_stopped()?;
        if let State::Up(door) = &self.state
            && self.machine.is_drifting()
            && now() >= self.drifts_at
        {
            door.skew(self.machine.skew_micros());
            self.drifts_at = now() + DRIFT_EVERY;
        }
        let has_failed = self.has_failed();
        match &mut self.state {
            State::Down(until) if *until <= now() => self.start_again()?,
            State::Spare | State::Held | State::Down(_) => {}
            State::Opening(opens) => match opens.look() {
                Err(violation) if self.leaves && violation.detail.contains(REMOVED) => {
                    return self.ends(", while it opened", &violation.detail, shared);
                }
                Err(_) if self.needs_operator() => self.repair(shared),
                Err(violation) => return Err(violation),
                Ok(Opened::Open(door)) => {
                    if door.rebuilt {
                        let detail = format!("{name}: the store was damaged, set aside and built anew");
                        blind::pardon(Err(Violation::new("recovery", "rebuilt", detail)))?;
                    }
                    trace::event(&name, "serves", &[]);
                    if !self.exiled {
                        shared.set_door(self.place(), Some(door.clone()));
                    }
                    self.state = State::Up(door);
                }
                Ok(Opened::Not) => {
                    if let Some(reason) = self.machine.standing().and_then(|standing| standing.stopped) {
                        return self.ends(", while it opened", &reason, shared);
                    }
                }
                Ok(Opened::Cut | Opened::Failed) => self.fall(shared),
            },
            State::Up(door) => {
                if let Some(reason) = door.stopped() {
                    return self.ends("", &reason, shared);
                }
            }
            State::Closing { closed, since, down } => match closed.try_recv() {
                Ok(Some(Ok(()))) => {
                    trace::event(&name, "closed", &[]);
                    self.machine.met.closes += 1;
                    self.strike = Strike { power: Some(Policy::ALL[0]), down: *down };
                    self.fall(shared);
                }
                Ok(Some(Err(_)) | None) | Err(oneshot::error::TryRecvError::Closed)
                    if self.machine.has_rotten_tables() =>
                {
                    self.repair(shared);
                }
                // It stops as well as it can.
                Ok(Some(Err(_)) | None) | Err(oneshot::error::TryRecvError::Closed) if has_failed => {
                    self.end_trial(shared);
                }
                Ok(Some(Err(error))) if self.leaves && error.contains(REMOVED) => return self.ends("", &error, shared),
                Ok(Some(Err(error))) => return Err(Violation::new("recovery", "does-not-close", error)),
                Err(oneshot::error::TryRecvError::Empty) if now() - *since <= CLOSE_TIME_MAX => {}
                Ok(None) | Err(_) => {
                    return Err(Violation::new("liveness", "hangs", format!("{name}: closing was not answered")));
                }
            },
        }
        Ok(())
    }
}

/// What was on a disk at a moment, from the records of its machine's lives.
pub fn disk_at(lives: &[Recording], moment: u64) -> Disk {
    let Some(life) = lives.iter().rev().find(|life| life.began <= moment) else { return Disk::default() };
    let mut disk = life.before.clone();
    for (op, _) in life.ops.iter().zip(&life.stamps).filter(|(_, stamp)| **stamp <= moment) {
        disk.apply(op);
    }
    disk
}
