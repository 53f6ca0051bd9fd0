//! Small plans out of failing ones: runs candidates in processes of their own for as long as it may take.

use super::command::Minimise;
use super::process::{self, Extras};
use super::{say, say_failure, survey};
use crate::check::Violation;
use crate::minimise::{self, Size, Trial};
use crate::plan::Plan;
use crate::verdict::{Report, Verdict};
use std::fs;
use std::time::{Duration, Instant};

/// Candidates that run at the same time.
const JOBS: usize = 2;
/// A candidate may take so much longer than the plan that it comes from.
const PATIENCE: u32 = 4;
/// How long any candidate may take at least.
const PATIENCE_MIN: Duration = Duration::from_secs(10);

/// Makes a kept plan small.
pub fn minimise(arguments: &Minimise) -> Result<bool, String> {
    let plan = survey::read(&arguments.plan)?;
    let report = process::run(&plan, survey::REPLAY_LIMIT, &Extras::default());
    let Verdict::Fail { violation } = &report.verdict else {
        say_failure(&report, "this command");
        return Err("only a plan that fails can be made smaller".into());
    };
    let Found { small, runs } = shrink(&plan, &report, violation, Duration::from_secs(arguments.budget));
    let output = arguments.output.clone().unwrap_or_else(|| arguments.plan.with_extension("min.toml"));
    fs::write(&output, small.print()).map_err(|error| format!("{}: {error}", output.display()))?;
    say(&format!("{} ({}): {runs} runs", violation.checker, violation.class));
    say(&format!("  before  {}", Size::of(&plan)));
    say(&format!("  after   {}", Size::of(&small)));
    say(&format!("  kept    {}", output.display()));
    say(&format!("  repeat  vivarium-sim replay {} --trace full", output.display()));
    say(&format!("  draw    vivarium-sim report {} -o report.html", output.display()));
    say("To keep it for ever, before the fix:");
    say(&format!("  cp {} simtests/regress/NAME.toml", output.display()));
    say("  echo 'NAME.toml  # what was wrong' >> simtests/regressions.txt");
    if arguments.print {
        say(&small.print());
    }
    Ok(true)
}

/// What a search found.
struct Found {
    small: Plan,
    runs: usize,
}

fn shrink(plan: &Plan, report: &Report, violation: &Violation, budget: Duration) -> Found {
    let deadline = Instant::now() + budget;
    let limit = PATIENCE_MIN.max(PATIENCE * Duration::from_millis(report.wall_ms));
    let mut runs = 0;
    let small = minimise::minimise(plan, |candidates| {
        if Instant::now() >= deadline {
            return Trial::Over;
        }
        let mut found = None;
        process::run_all(candidates.iter().cloned(), JOBS, limit, |candidate, report| {
            runs += 1;
            if found.is_none() && is_same(&report, violation) {
                found = candidates.iter().position(|one| one.seed == candidate.seed);
            }
            found.is_none() && Instant::now() < deadline
        });
        found.map_or(Trial::Holds, Trial::Fails)
    });
    Found { small, runs }
}

/// True when a run failed as the first one did: the same checker, the same class.
fn is_same(report: &Report, wanted: &Violation) -> bool {
    match &report.verdict {
        Verdict::Fail { violation } => violation.checker == wanted.checker && violation.class == wanted.class,
        _ => false,
    }
}
