//! A client of real nodes: does its steps, keeps its idempotency keys, tries again as a simulated one does.

use super::harness::cluster::Cluster;
use super::harness::network::Way;
use super::harness::pause;
use super::record::{Caller, Record};
use std::time::Duration;
use vivarium_simtests::answer::Disk;
use vivarium_simtests::history::End;
use vivarium_simtests::manners::{ATTEMPTS_MAX, Manners};
use vivarium_simtests::workload::{Sent, Step};

/// How often a client looks whether a node is back.
const KNOCK: Duration = Duration::from_millis(10);
/// Pages of one walk: more than the workload ever fills.
const PAGES_MAX: usize = 30;

/// One client.
pub struct Client<'r> {
    pub cluster: &'r Cluster,
    pub record: &'r Record,
    pub number: u64,
    /// Before each key, where clients of other workloads count their steps too.
    pub prefix: String,
    pub manners: Manners,
    pub disk: Disk,
}

impl Client<'_> {
    /// Does steps, so spread out that their pauses take `span` in all, until there is enough.
    pub fn run(mut self, steps: &[Step], span: Duration) {
        let pauses: u64 = steps.iter().map(|step| step.pause_micros).sum();
        for step in steps {
            pause(Duration::from_micros(step.pause_micros).mul_f64(span.as_micros() as f64 / pauses.max(1) as f64));
            if self.record.has_enough() {
                return;
            }
            self.take(step);
        }
    }

    fn take(&mut self, step: &Step) {
        match step.sent {
            Sent::Once => self.walk(step.clone()),
            // A repetition must be answered as the first one was, whether that answer arrived or not.
            Sent::Again => {
                if self.call_any(step).is_some() {
                    self.call_any(step);
                }
            }
            Sent::Twice => {
                let mut twin = self.twin();
                std::thread::scope(|scope| {
                    scope.spawn(|| twin.call_any(step));
                    self.call_any(step);
                });
            }
        }
    }

    /// The same client once more, perhaps at another node.
    fn twin(&mut self) -> Self {
        Client { prefix: self.prefix.clone(), manners: self.manners.twin(), ..*self }
    }

    /// Makes one call and those that follow from its answer: the pages after a page, a write of what was read.
    fn walk(&mut self, mut step: Step) {
        for _ in 0..PAGES_MAX {
            let Some(End::Done { reply, .. }) = self.call_any(&step) else { return };
            match step.action.next(&reply) {
                Some((key, action)) => (step.key, step.action) = (key, action),
                None => return,
            }
        }
    }

    /// Makes one call, again and again while it does not know how it ended. `None` when it was surely not done.
    fn call_any(&mut self, step: &Step) -> Option<End> {
        let key = step.key.as_ref().map(|key| format!("{}{key}", self.prefix));
        let step = Step { key, ..step.clone() };
        // Who does not need the newest may as well ask another one than wrote it.
        if !step.freshness.is_newest() {
            self.manners.move_on();
        }
        for attempt in 0.. {
            let way = self.find()?;
            let caller = Caller { client: self.number, patience: self.manners.patience(), disk: self.disk };
            match self.record.call(&way, caller, &step) {
                End::Refused(_) => return None,
                End::Lost(_) if attempt < ATTEMPTS_MAX => pause(self.manners.turn_away()),
                end => return Some(end),
            }
        }
        None
    }

    /// The way to a node that runs, or sleeps.
    fn find(&mut self) -> Option<Way> {
        while !self.record.is_lost() {
            if let Some(way) = self.cluster.way(self.manners.choose() + 1) {
                return Some(way);
            }
            pause(KNOCK);
            self.manners.move_on();
        }
        None
    }
}
