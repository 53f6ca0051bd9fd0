//! A client on a machine of its own: does its steps, keeps its idempotency keys, tries again as the documentation says.
//!
//! An answer counts only when the power was still on as it arrived.

use crate::answer;
use crate::check::audit::Answered;
use crate::check::{Violation, blind};
use crate::history::{End, History, Moment};
use crate::house::Door;
use crate::manners::{ATTEMPTS_MAX, Manners};
use crate::record;
use crate::simfs::interpose;
use crate::trace;
use crate::wire::{Passage, Wire};
use crate::workload::{Action, Asked, Reply, Sent, Step};
use madsim::time::{sleep, timeout};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use vivarium_storage::runtime::sometimes;

/// How soon a client looks again whether a node is back; then less and less often.
const KNOCK: Duration = Duration::from_millis(1);
/// How seldom at most.
const KNOCK_MAX: Duration = Duration::from_millis(32);
/// How long a request is waited for that no client waits for.
const STRAY_TIME_MAX: Duration = Duration::from_secs(40);
/// How long a client waits for a declaration: longer than a node tries.
const DECLARE_TIME_MAX: Duration = Duration::from_secs(50);
/// Pages of one walk: more than the workload ever fills.
const PAGES_MAX: usize = 30;

/// What clients and supervisor share.
#[derive(Clone, Default)]
pub struct Shared {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    history: History,
    /// The way into each machine's node, while it serves.
    doors: BTreeMap<usize, Door>,
    violation: Option<Violation>,
    finished: usize,
    wire: Wire,
    /// Requests that are under way and that no client waits for.
    strays: usize,
    /// Wall clocks jump: a snapshot may be older than what is kept from one call to the next.
    snapshots_age: bool,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on the history.
    pub fn with_history<R>(&self, act: impl FnOnce(&mut History) -> R) -> R {
        act(&mut self.inner().history)
    }

    /// Now, as the history counts.
    pub fn moment(&self) -> Moment {
        self.inner().history.moment(interpose::stamp(), trace::micros())
    }

    /// Lets clients in to a machine, or (with `None`) keeps them out.
    pub fn set_door(&self, machine: usize, door: Option<Door>) {
        let doors = &mut self.inner().doors;
        match door {
            Some(door) => doors.insert(machine, door),
            None => doors.remove(&machine),
        };
    }

    /// Notes what an audit was answered when it repeated calls that had no answer, and when it read.
    pub fn note_audited(&self, door: &Door, answered: Answered) {
        for (key, action, reply) in answered {
            let begun = self.moment();
            let end = judge(self, door, &action, reply);
            let ended = self.moment();
            self.with_history(|history| {
                let call = history.begin(0, key, action, begun);
                record::through(call, door.number);
                history.end(call, ended, end);
            });
        }
    }

    /// Acts on the way between clients and nodes.
    pub fn with_wire<R>(&self, act: impl FnOnce(&mut Wire) -> R) -> R {
        act(&mut self.inner().wire)
    }

    /// Requests that may still arrive though no client waits for them.
    pub fn strays(&self) -> usize {
        self.inner().strays
    }

    /// Lets a request go its way, whether its client still waits or not.
    fn let_stray(&self, way: impl Future<Output = ()> + Send + 'static) {
        self.inner().strays += 1;
        let shared = self.clone();
        madsim::task::spawn(async move {
            way.await;
            shared.inner().strays -= 1;
        });
    }

    /// Clients that have done all their steps.
    pub fn finished(&self) -> usize {
        self.inner().finished
    }

    /// What a client found wrong.
    pub fn violation(&self) -> Option<Violation> {
        self.inner().violation.clone()
    }

    /// From now on a cursor may outlive its snapshot.
    pub fn expect_snapshots_to_age(&self) {
        self.inner().snapshots_age = true;
    }

    /// From now on the versions that answers name are forgotten: only what an outsider sees is checked.
    pub fn forget_versions(&self) {
        sometimes("a run is checked without versions");
        self.with_history(History::forget_versions);
    }

    fn accuse(&self, violation: Violation) {
        if !blind::note(&violation) {
            self.inner().violation.get_or_insert(violation);
        }
    }
}

/// One client.
#[derive(Clone)]
pub struct Client {
    shared: Shared,
    number: u64,
    /// What it does when a node does not answer; of a node that is alone nobody expects more.
    manners: Option<Manners>,
}

impl Client {
    /// A client of a node that is alone.
    pub fn of_one(shared: Shared, number: u64) -> Client {
        Client { shared, number, manners: None }
    }

    /// A client of `nodes` nodes.
    pub fn of_several(shared: Shared, number: u64, nodes: u64, seed: u64) -> Client {
        Client { shared, number, manners: Some(Manners::new(number, nodes, seed)) }
    }

    /// Does the steps of one client.
    pub async fn run(mut self, steps: Vec<Step>) {
        let begun = Duration::from_micros(trace::micros());
        for step in steps {
            let worked = Duration::from_micros(trace::micros()) - begun;
            let quiet = Duration::from_millis(step.at_ms).saturating_sub(worked);
            if !quiet.is_zero() {
                sleep(quiet).await;
            }
            sleep(Duration::from_micros(step.pause_micros)).await;
            match step.sent {
                Sent::Once => self.walk(step).await,
                // A repetition must be answered as the first one was, whether that answer arrived or not.
                Sent::Again => {
                    if self.call_any(&step).await.is_some() {
                        self.call_any(&step).await;
                    }
                }
                Sent::Twice => {
                    let (mut twin, twins_step) = (self.twin(), step.clone());
                    let twin = madsim::task::spawn(async move { twin.call_any(&twins_step).await });
                    self.call_any(&step).await;
                    let _ = twin.await;
                }
            }
        }
        self.shared.inner().finished += 1;
    }

    /// The same client once more, perhaps at another node.
    fn twin(&mut self) -> Client {
        let manners = self.manners.as_mut().map(Manners::twin);
        Client { shared: self.shared.clone(), number: self.number, manners }
    }

    /// Makes one call and those that follow from its answer: the pages after a page, a write of what was read.
    async fn walk(&mut self, mut step: Step) {
        for _ in 0..PAGES_MAX {
            let Some(number) = self.call_any(&step).await else { return };
            let next = self.shared.with_history(|history| match &history.calls[number].end {
                End::Done { reply, .. } => step.action.next(reply),
                _ => None,
            });
            match next {
                Some((key, action)) => (step.key, step.action) = (key, action),
                None => return,
            }
        }
    }

    /// Makes one call through whatever door is open. `None` when it was surely not done.
    ///
    /// With several nodes it tries again at another one, under the same key, as long as it does not know.
    async fn call_any(&mut self, step: &Step) -> Option<usize> {
        // Who does not need the newest may as well ask another one than wrote it.
        if let Some(manners) = self.manners.as_mut().filter(|_| !step.freshness.is_newest()) {
            manners.move_on();
        }
        for attempt in 0.. {
            let (at, door) = self.open_door().await;
            let declares = step.action.declares().is_some();
            let passage = match &self.manners {
                // Nothing of it may stray: a declaration that comes late would undo later ones.
                Some(_) if !declares => self.shared.with_wire(|wire| wire.passage(self.number, at)),
                _ => Passage::FREE,
            };
            if let Some(after) = passage.again.filter(|_| step.key.is_some()) {
                self.send_again(&door, step.clone(), after);
            }
            let patience = self.manners.as_mut().map(Manners::patience);
            let patience = patience.map(|patience| if declares { DECLARE_TIME_MAX } else { patience });
            let call = send(&self.shared, door, (self.number, step), patience, passage).await;
            match self.shared.with_history(|history| history.calls[call].end.clone()) {
                End::Refused(_) => return None,
                // Who declares knows what is declared before he declares anything else.
                End::Lost(_) if declares => sleep(KNOCK).await,
                End::Lost(_) if attempt < ATTEMPTS_MAX && self.manners.is_some() => {
                    if let Some(manners) = &mut self.manners {
                        sleep(manners.turn_away()).await;
                    }
                }
                _ => return Some(call),
            }
        }
        None
    }

    /// Lets the network send a request once more.
    fn send_again(&self, door: &Door, step: Step, after: Duration) {
        let (shared, door, number) = (self.shared.clone(), door.clone(), self.number);
        self.shared.let_stray(async move {
            sleep(after).await;
            if !door.is_off() {
                send(&shared, door, (number, &step), Some(STRAY_TIME_MAX), Passage::FREE).await;
            }
        });
    }

    async fn open_door(&mut self) -> (usize, Door) {
        let mut knock = KNOCK;
        loop {
            let at = self.manners.as_mut().map_or(0, Manners::choose);
            let door = self.shared.inner().doors.get(&at).cloned();
            match door {
                Some(door) if !door.is_off() && door.stopped().is_none() => return (at, door),
                _ => sleep(knock).await,
            }
            knock = (knock * 2).min(KNOCK_MAX);
            if let Some(manners) = &mut self.manners {
                manners.move_on();
            }
        }
    }
}

/// Makes one call: its number in the history.
pub async fn call(shared: &Shared, door: Door, client: u64, step: &Step, patience: Option<Duration>) -> usize {
    send(shared, door, (client, step), patience, Passage::FREE).await
}

/// Brings a request to a node and its answer back. Without an end when one of them is lost.
async fn deliver(
    shared: &Shared,
    door: &Door,
    (step, asked): (&Step, Asked),
    passage: Passage,
) -> Option<Result<Reply, String>> {
    if (Passage { again: None, ..passage }) == Passage::FREE {
        return door.act_as_asked(&step.action, step.key.as_deref(), asked).await;
    }
    let (answer, answered) = oneshot::channel();
    let (door, step) = (door.clone(), step.clone());
    shared.let_stray(async move {
        if passage.request.arrive().await {
            let reply = door.act_as_asked(&step.action, step.key.as_deref(), asked).await;
            if passage.answer.arrive().await {
                let _ = answer.send(reply);
            }
        }
    });
    match answered.await {
        Ok(reply) => reply,
        Err(_) => std::future::pending().await,
    }
}

async fn send(
    shared: &Shared,
    door: Door,
    (client, step): (u64, &Step),
    patience: Option<Duration>,
    passage: Passage,
) -> usize {
    let begun = shared.moment();
    let (call, asked) = shared.with_history(|history| history.take(client, step, begun));
    let said = if asked.is_silent() { String::new() } else { format!(" {asked:?}") };
    trace::event(&format!("c{client}"), &format!("call {call} {:?}{said}", step.action), &[]);
    record::through(call, door.number);
    let asked = deliver(shared, &door, (step, asked), passage);
    let (reply, gave_up) = match patience {
        Some(patience) => timeout(patience, asked).await.map_or((None, true), |reply| (reply, false)),
        None => (asked.await, false),
    };
    let still_on = !door.is_off();
    let end = match reply {
        Some(Ok(reply)) if still_on => judge(shared, &door, &step.action, reply),
        Some(Err(malformed)) => {
            shared.accuse(Violation::new("certificate", "malformed-answer", malformed.clone()));
            End::Lost(malformed)
        }
        Some(Ok(_)) => End::Lost("the power was off".into()),
        None => {
            if still_on && !gave_up && door.stopped().is_none() && !door.is_troubled() {
                let detail = format!("{:?} was not answered", step.action);
                shared.accuse(Violation::new("liveness", "hangs", detail));
            }
            End::Lost("no answer".into())
        }
    };
    let what = match &end {
        End::Done { version: Some(version), .. } => format!("call {call} done at {version}"),
        End::Done { version: None, .. } => format!("call {call} done"),
        End::Refused(reply) => format!("call {call} refused: {:?}", reply.errors),
        End::Lost(reason) => format!("call {call} lost: {reason}"),
        End::Open => unreachable!("it has ended"),
    };
    let bytes = match &end {
        End::Done { reply, .. } => reply.data.to_string(),
        _ => String::new(),
    };
    trace::event(&format!("c{client}"), &what, bytes.as_bytes());
    let ended = shared.moment();
    shared.with_history(|history| history.end(call, ended, end));
    call
}

/// What an answer means; a wrong one is a violation.
fn judge(shared: &Shared, door: &Door, action: &Action, reply: Reply) -> End {
    let disk = if door.is_troubled() { answer::Disk::Troubled } else { answer::Disk::Sound };
    let aged = shared.inner().snapshots_age && answer::is_of_an_old_snapshot(&reply);
    let meaning = answer::judge(action, reply, disk);
    if let Some(violation) = meaning.violation.filter(|_| !aged) {
        shared.accuse(violation);
    }
    meaning.end
}
