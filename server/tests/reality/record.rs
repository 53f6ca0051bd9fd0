//! What clients of real nodes asked and were answered: the same history as the simulator keeps, in real time.
//!
//! A call begins before its first byte is sent and ends after its last one has come.

use super::harness::cluster::post;
use super::harness::network::Way;
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vivarium_simtests::answer::{self, Disk};
use vivarium_simtests::check::Violation;
use vivarium_simtests::history::{End, History, Known, Moment};
use vivarium_simtests::workload::{Action, Asked, Reply, Step};

/// All calls of a run, and what went wrong with its nodes meanwhile.
pub struct Record {
    name: String,
    since: Instant,
    inner: Mutex<Inner>,
    /// Clients begin no more steps.
    enough: AtomicBool,
    /// Clients give up what they do: the run has failed.
    lost: AtomicBool,
}

#[derive(Default)]
struct Inner {
    history: History,
    violation: Option<Violation>,
    diary: Vec<String>,
}

/// Who calls, and what is to be expected below the one that answers.
#[derive(Clone, Copy)]
pub struct Caller {
    /// 0 is the test itself.
    pub client: u64,
    pub patience: Duration,
    pub disk: Disk,
}

impl Record {
    /// `name` says which run this is, where its history is kept.
    pub fn new(name: &str) -> Record {
        let (enough, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        Record { name: name.to_owned(), since: Instant::now(), inner: Mutex::default(), enough, lost }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on the history.
    pub fn with_history<R>(&self, act: impl FnOnce(&mut History) -> R) -> R {
        act(&mut self.inner().history)
    }

    fn moment(&self) -> Moment {
        // Only simulated disks count their changes.
        let micros = u64::try_from(self.since.elapsed().as_micros()).expect("a run is short");
        self.inner().history.moment(0, micros)
    }

    /// Looks through what a node said while it ran.
    pub fn hear(&self, node: usize, words: &str) {
        assert!(!words.contains("panicked"), "node {node}: {words}");
        let installed = words.matches("a checkpoint is installed").count();
        if installed > 0 {
            self.note(&format!("node {node} had installed {installed} checkpoints"));
        }
    }

    /// How many calls were done until now.
    pub fn done(&self) -> u64 {
        self.with_history(|history| history.answered())
    }

    /// What all answers until now make certain.
    pub fn known(&self) -> Known {
        self.with_history(|history| history.known(u64::MAX))
    }

    /// Notes what happens to the nodes.
    pub fn note(&self, words: &str) {
        let line = format!("{:>6} ms  {words}", self.since.elapsed().as_millis());
        println!("{line}");
        self.inner().diary.push(line);
    }

    /// What an answer proved by itself to be wrong.
    pub fn violation(&self) -> Option<Violation> {
        self.inner().violation.clone()
    }

    fn accuse(&self, violation: Violation) {
        self.inner().violation.get_or_insert(violation);
    }

    pub fn end_steps(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    pub fn has_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Makes one call and notes it. How it ended.
    pub fn call(&self, way: &Way, caller: Caller, step: &Step) -> End {
        let begun = self.moment();
        let Step { action, key, .. } = step;
        let (call, asked) = self.with_history(|history| history.take(caller.client, step, begun));
        let end = match ask(way, (action, asked), key.as_deref(), caller.patience) {
            Ok(reply) => self.judge(action, reply, caller.disk),
            Err(Unheard::Silence(reason)) => End::Lost(reason),
            Err(Unheard::Garbage(reason)) => {
                self.accuse(Violation::new("certificate", "malformed-answer", reason.clone()));
                End::Lost(reason)
            }
        };
        let ended = self.moment();
        self.with_history(|history| history.end(call, ended, end.clone()));
        end
    }

    fn judge(&self, action: &Action, reply: Reply, disk: Disk) -> End {
        let meaning = answer::judge(action, reply, disk);
        if let Some(violation) = meaning.violation {
            self.accuse(violation);
        }
        meaning.end
    }

    /// Keeps the history for `vivarium-sim check`, and the diary beside it.
    pub fn keep(&self) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("reality-{}.jsonl", self.name));
        let inner = self.inner();
        std::fs::write(&path, inner.history.print()).unwrap();
        std::fs::write(path.with_extension("txt"), inner.diary.join("\n")).unwrap();
        path
    }
}

/// Keeps the history of a run that fails in whatever way, and lets its clients go.
pub struct Keeper<'a>(pub &'a Record);

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        self.0.end_steps();
        if std::thread::panicking() {
            self.0.lost.store(true, Ordering::Relaxed);
            println!("the history is in {}; vivarium-sim check looks at it again", self.0.keep().display());
        }
    }
}

/// Why there is no answer.
enum Unheard {
    /// None came, or not all of it.
    Silence(String),
    /// It came, and is none.
    Garbage(String),
}

/// Sends an action over HTTP, as an application does.
fn ask(way: &Way, (action, asked): (&Action, Asked), key: Option<&str>, patience: Duration) -> Result<Reply, Unheard> {
    let body = json!({ "query": asked.document(action), "variables": action.variables() });
    let at_least = asked.at_least.map(|version| version.to_string());
    let at_least = at_least.as_deref().map(|version| ("prefer-version", version));
    let headers: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().chain(at_least).collect();
    let reply = post(way, "/graphql", &headers, &body, patience);
    let reply = reply.map_err(|error| Unheard::Silence(error.to_string()))?;
    if reply.body.is_empty() {
        return Err(Unheard::Silence("the answer ends after its head".into()));
    }
    let version = reply.header("vivarium-version").and_then(|version| version.parse().ok());
    Reply::parse(&reply.body, version).map_err(Unheard::Garbage)
}
