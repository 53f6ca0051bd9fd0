//! Runs plans under strace and puts what it shows through the gate.

use super::command::Strace;
use super::{gate, say};
use crate::plan::Plan;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// How many sentences about one run are printed.
const SAID_MAX: usize = 20;
/// Characters of each string that strace shows: events of a trace begin with what they are.
const SHOWN_CHARS: &str = "160";

/// Runs some seeds under strace. Where that cannot be, says so and is content.
pub fn strace(arguments: &Strace) -> Result<bool, String> {
    if let Some(reason) = unavailable() {
        say(&format!("skipped: {reason}"));
        return Ok(true);
    }
    let mut wrong = 0;
    for seed in arguments.from..arguments.from + arguments.seeds {
        let plan = Plan::draw(seed, &arguments.choice.wish(&[], 0));
        let log = std::env::temp_dir().join(format!("vivarium-sim-strace-{}-{seed}", std::process::id()));
        let ran = run(&plan, &log);
        let text = fs::read_to_string(&log);
        let _ = fs::remove_file(&log);
        ran?;
        let seen = gate::check(&text.map_err(|error| format!("{}: {error}", log.display()))?);
        say(&format!("seed {seed}: {} changes in {} lives, {} wrong", seen.matched, seen.lives, seen.wrong.len()));
        seen.wrong.iter().take(SAID_MAX).for_each(|sentence| say(&format!("  {sentence}")));
        wrong += seen.wrong.len();
    }
    Ok(wrong == 0)
}

/// Why strace cannot be used here, if so.
fn unavailable() -> Option<String> {
    let probe = Command::new("strace").args(["-o", "/dev/null", "true"]).stdin(Stdio::null()).output();
    match probe {
        Err(error) => Some(format!("strace does not start: {error}")),
        Ok(output) if !output.status.success() => {
            Some(format!("strace may not look here: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Ok(_) => None,
    }
}

fn run(plan: &Plan, log: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", SHOWN_CHARS, "-e", &format!("trace={}", gate::CALLS), "-o"]).arg(log);
    command.arg(program).args(["worker", "--trace"]);
    // A log that nobody asked for would go between the events.
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("strace does not start: {error}"))?;
    let mut stdin = child.stdin.take().expect("it was asked to be piped");
    let told = stdin.write_all(plan.print().as_bytes());
    drop(stdin);
    let status = child.wait().map_err(|error| error.to_string())?;
    told.map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the worker under strace ended with {status}")) }
}
