//! Worker processes: one per run, several at a time, each with a limit on the wall clock.
//!
//! A worker that dies, hangs or talks nonsense is a verdict too: unknown.

use crate::plan::Plan;
use crate::verdict::{Report, Verdict};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// How often a running worker is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What is wanted of a run beside its report.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Its trace on standard output.
    pub trace: bool,
    /// Its calls in this file.
    pub history: Option<PathBuf>,
    /// What happened, as data, in this file.
    pub record: Option<PathBuf>,
}

/// Runs a plan in a process of its own.
pub fn run(plan: &Plan, limit: Duration, extras: &Extras) -> Report {
    let began = Instant::now();
    let verdict = match start(plan, extras) {
        Ok(child) => wait(child, began, limit, extras.trace),
        Err(error) => Err(format!("the worker does not start: {error}")),
    };
    let mut report = verdict.unwrap_or_else(|reason| Report::of_silence(plan.seed, Verdict::Unknown { reason }));
    report.wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

fn start(plan: &Plan, extras: &Extras) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    if extras.trace {
        command.arg("--trace").stderr(Stdio::inherit());
    }
    if let Some(path) = &extras.history {
        command.arg("--history").arg(path);
    }
    if let Some(path) = &extras.record {
        command.arg("--record").arg(path);
    }
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("it was asked to be piped");
    stdin.write_all(plan.print().as_bytes())?;
    Ok(child)
}

fn wait(mut child: Child, began: Instant, limit: Duration, trace: bool) -> Result<Report, String> {
    let mut stdout = child.stdout.take().expect("it was asked to be piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.read_to_string(&mut text);
        text
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                let _ = std::fs::remove_dir_all(format!("/dev/shm/vivarium-sim-{}", child.id()));
                return Err(format!("the run did not end within {} s", limit.as_secs()));
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => return Err(error.to_string()),
        }
    };
    let text = reader.join().map_err(|_| "the reader of the worker's output panicked".to_owned())?;
    let (lines, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    if trace && !lines.is_empty() {
        super::say(lines);
    }
    serde_json::from_str(last).map_err(|error| {
        let _ = std::fs::remove_dir_all(format!("/dev/shm/vivarium-sim-{}", child.id()));
        format!("the worker ended with {status} and said nothing that can be read: {error}")
    })
}

/// Runs plans, `jobs` at a time, and hands each report over as it comes. `each` says whether to go on.
pub fn run_all(
    plans: impl Iterator<Item = Plan> + Send,
    jobs: usize,
    limit: Duration,
    mut each: impl FnMut(&Plan, Report) -> bool,
) {
    let plans = Mutex::new(plans);
    let stop = AtomicBool::new(false);
    let (reports, inbox) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let reports = reports.clone();
            let (plans, stop) = (&plans, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let next = plans.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(plan) = next else { break };
                    let report = run(&plan, limit, &Extras::default());
                    if reports.send((plan, report)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(reports);
        for (plan, report) in inbox {
            if !each(&plan, report) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
}
