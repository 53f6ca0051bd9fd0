//! A machine's place in a cluster: up, opening, closing or down, what its next cut means, and when it comes back.

use crate::check::Violation;
use crate::client::Shared;
use crate::house::{Door, Start};
use crate::machine::{Machine, Opened, Opens};
use crate::simfs::Recording;
use crate::simfs::image::Policy;
use crate::simfs::model::Disk;
use crate::trace;
use std::time::Duration;
use tokio::sync::oneshot;

/// After this a node that closes hangs.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(90);

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
    strike: Strike,
}

fn now() -> Duration {
    Duration::from_micros(trace::micros())
}

impl Seat {
    /// A machine that was never started.
    pub fn new(machine: Machine) -> Seat {
        Seat { machine, state: State::Spare, strike: Strike::default() }
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
        self.state = State::Opening(self.machine.start(start, None)?);
        Ok(())
    }

    /// Starts its node as a member on what it has.
    ///
    /// # Errors
    /// As [`Seat::start`].
    pub fn start_again(&mut self) -> Result<(), Violation> {
        self.start(Start::Member { address: self.machine.address() })
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
        self.machine.crash(power);
        self.state = State::Down(now() + down);
    }

    fn place(&self) -> usize {
        usize::try_from(self.machine.number() - 1).expect("machines are few")
    }

    /// Lets the machine crash after so many changes of its disk, or at once.
    pub fn strike(&mut self, strike: Strike, after_changes: u64) {
        let Some(drive) = self.machine.drive() else { return };
        self.strike = strike;
        match after_changes {
            0 => drive.cut(),
            changes => drive.cut_after(changes),
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

    /// Takes troubles back that have not come about, and ends the time that it is down.
    pub fn spare(&mut self) {
        if let Some(drive) = self.machine.drive() {
            drive.spare();
        }
        if let State::Down(until) = &mut self.state {
            *until = now();
        }
        if let State::Closing { down, .. } = &mut self.state {
            *down = Duration::ZERO;
        }
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
        match &mut self.state {
            State::Down(until) if *until <= now() => self.start_again()?,
            State::Spare | State::Down(_) => {}
            State::Opening(opens) => match opens.look()? {
                Opened::Open(door) => {
                    if door.rebuilt {
                        let detail = format!("{name}: the store was damaged, set aside and built anew");
                        return Err(Violation::new("recovery", "rebuilt", detail));
                    }
                    trace::event(&name, "serves", &[]);
                    shared.set_door(self.place(), Some(door.clone()));
                    self.state = State::Up(door);
                }
                Opened::Not => {
                    if let Some(reason) = self.machine.standing().and_then(|standing| standing.stopped) {
                        let detail = format!("{name} without a fault, while it opened: {reason}");
                        return Err(Violation::new("liveness", "stopped", detail));
                    }
                }
                Opened::Cut | Opened::Failed => self.fall(shared),
            },
            State::Up(door) => {
                if let Some(reason) = door.stopped() {
                    let detail = format!("{name} without a fault: {reason}");
                    return Err(Violation::new("liveness", "stopped", detail));
                }
            }
            State::Closing { closed, since, down } => match closed.try_recv() {
                Ok(Some(Ok(()))) => {
                    trace::event(&name, "closed", &[]);
                    self.machine.met.closes += 1;
                    self.strike = Strike { power: Some(Policy::ALL[0]), down: *down };
                    self.fall(shared);
                }
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
