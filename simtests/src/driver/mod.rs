//! The command line: draws plans, starts one worker process per run, collects their reports, says what they mean.
//!
//! Exit codes: 0 all passed, 1 something failed, 2 wrong use or wrong build.

mod command;
mod draw;
mod gate;
mod marks;
mod matrix;
mod process;
mod shrink;
mod strace;
mod survey;

use crate::verdict::{Report, Verdict};
use clap::Parser;
use command::{Arguments, Command};
use std::process::ExitCode;

/// Exit code when something did not hold.
const FAILED: u8 = 1;
/// Exit code when nothing could be run.
const MISUSED: u8 = 2;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !cfg!(madsim) {
        say("This vivarium-sim was built without the simulator. Build and run it like this:");
        say("  RUSTFLAGS=\"--cfg madsim\" CARGO_TARGET_DIR=target-sim \\");
        say("  cargo run --profile sim -p vivarium-simtests -- run --seeds 24");
        return ExitCode::from(MISUSED);
    }
    let ended = match arguments.command {
        Command::Worker(worker) => worker_main(&worker),
        Command::Run(run) => survey::run(&run),
        Command::Replay(replay) => survey::replay(&replay),
        Command::Check(check) => survey::check(&check),
        Command::Report(report) => draw::report(&report),
        Command::Minimise(minimise) => shrink::minimise(&minimise),
        Command::Strace(strace) => strace::strace(&strace),
        Command::Regress(regress) => survey::regress(&regress),
        Command::Determinism(determinism) => survey::determinism(&determinism),
        Command::Mutants(mutants) => survey::mutants(&mutants),
        Command::Marks(marks) => survey::marks(&marks),
        Command::Plan(plan) => survey::print_plan(&plan),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(reason) => {
            say(&reason);
            ExitCode::from(MISUSED)
        }
    }
}

/// Prints a line: this program's output is its purpose.
#[allow(clippy::print_stdout, reason = "a command-line program answers on standard output")]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(madsim)]
fn worker_main(worker: &command::Worker) -> Result<bool, String> {
    let text = std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?;
    let plan = crate::plan::Plan::parse(&text)?;
    let (history, record) = (worker.history.clone(), worker.record.clone());
    let report = crate::worker::run(&plan, &crate::worker::Wanted { trace: worker.trace, history, record });
    say(&serde_json::to_string(&report).map_err(|error| error.to_string())?);
    Ok(true)
}

#[cfg(not(madsim))]
fn worker_main(_worker: &command::Worker) -> Result<bool, String> {
    Err("no simulator in this build".into())
}

/// Prints a failed run on one screen, with the line that repeats it.
fn say_failure(report: &Report, repeat: &str) {
    say("");
    say(&format!("seed {}: {}", report.seed, report.verdict.word()));
    match &report.verdict {
        Verdict::Pass => {}
        Verdict::Fail { violation } => {
            say(&format!("  checker  {} ({})", violation.checker, violation.class));
            say(&format!("  detail   {}", violation.detail));
        }
        Verdict::Invalid { reason } | Verdict::Unknown { reason } => say(&format!("  reason   {reason}")),
    }
    let met = &report.met;
    say(&format!(
        "  met      {} answers, {} power cuts, {} kills, {} faults, {} closes, {} images, {} disk changes",
        met.acknowledged, met.power_cuts, met.kills, met.faults, met.closes, met.images, met.changes
    ));
    say(&format!("  time     {} virtual ms, {} ms", report.virtual_ms, report.wall_ms));
    for line in &report.last {
        say(&format!("  | {line}"));
    }
    say(&format!("  repeat   {repeat}"));
}
