//! The words of the command line.

use crate::plan::{Plan, Profile, TIME_S, TIME_S_MAX, Wish};
use crate::workload::Workload;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Breaks whole Vivarium nodes on purpose, repeatably, and proves that they held.
#[derive(Parser)]
#[command(name = "vivarium-sim", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run seeds.
    Run(Run),
    /// Run one kept plan or one seed again, with its trace if asked.
    Replay(Replay),
    /// Draw one run as a page for people: nodes, calls, troubles and what went wrong on one axis of time.
    Report(Draw),
    /// Make a plan that fails small: take away what the failure does not need.
    Minimise(Minimise),
    /// Run all plans that once failed.
    Regress(Regress),
    /// Check the history of a run again, without running it.
    Check(Check),
    /// Run each seed twice, in two processes, and compare the traces.
    Determinism(Determinism),
    /// Plant each known bug and see that it is caught.
    Mutants(Mutants),
    /// Run seeds and count the rare paths that they took.
    Marks(Run),
    /// Run seeds under strace: what the kernel changed is what was recorded.
    Strace(Strace),
    /// Print the plan of a seed.
    Plan(PlanOf),
    /// Run one plan from standard input in this process.
    #[command(hide = true)]
    Worker(Worker),
}

/// What runs are about.
#[derive(Args, Clone, Copy)]
pub struct Choice {
    /// What the runs are about.
    #[arg(long, value_enum, default_value = "swarm")]
    pub profile: Profile,
    /// What clients do; without it what the profile says.
    #[arg(long, value_enum)]
    pub workload: Option<Workload>,
    /// For how much virtual time clients work and troubles come: 60s.
    #[arg(long, value_parser = seconds, default_value_t = TIME_S, value_name = "SECONDS")]
    pub time: u64,
    /// Forget the versions that answers name: see only what somebody outside sees. Some runs of the swarm do so anyway.
    #[arg(long)]
    pub black_box: bool,
}

impl Choice {
    /// What to draw.
    pub fn wish(&self, mutants: &[String], images: u64) -> Wish {
        let Choice { profile, workload, time, black_box } = *self;
        Wish { profile, workload, time_s: time, mutants: mutants.to_vec(), images, black_box }
    }

    /// The words that say it again.
    pub fn words(&self) -> String {
        let workload = self.workload.map(|workload| format!(" --workload {}", workload.word())).unwrap_or_default();
        let black_box = if self.black_box { " --black-box" } else { "" };
        format!("--profile {}{workload} --time {}s{black_box}", self.profile.word(), self.time)
    }
}

/// Reads a number of seconds: `60`, `60s`, `2m`.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    let within = seconds.filter(|seconds| (1..=TIME_S_MAX).contains(seconds));
    within.ok_or_else(|| format!("say a time from 1s to {TIME_S_MAX}s, such as 60s or 2m"))
}

/// Which runs, and how.
#[derive(Args, Clone)]
pub struct Run {
    /// One seed.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    pub seed: Option<u64>,
    /// So many seeds.
    #[arg(long, default_value_t = 24)]
    pub seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub from: u64,
    /// Runs at the same time.
    #[arg(long, short, default_value_t = 2)]
    pub jobs: usize,
    /// What they are about.
    #[command(flatten)]
    pub choice: Choice,
    /// Crash images that are opened and audited after each run.
    #[arg(long, default_value_t = 100)]
    pub images: u64,
    /// Plant this bug.
    #[arg(long)]
    pub mutant: Vec<String>,
    /// Go on after a failure.
    #[arg(long)]
    pub keep_going: bool,
    /// Start no run after so many seconds.
    #[arg(long)]
    pub budget_s: Option<u64>,
    /// Seconds that one run may take.
    #[arg(long, default_value_t = 120)]
    pub limit_s: u64,
    /// Append each report to this file, as a line of JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Keep the plans of failed runs in this folder.
    #[arg(long, default_value = "sim-failures")]
    pub failures: PathBuf,
    /// Keep a page about each failed run beside its plan.
    #[arg(long)]
    pub reports: bool,
}

/// One run: a plan that was kept, or what a seed draws.
#[derive(Args)]
pub struct Source {
    /// A plan that was kept.
    #[arg(required_unless_present = "seed")]
    pub plan: Option<PathBuf>,
    /// Or a seed.
    #[arg(long, conflicts_with = "plan")]
    pub seed: Option<u64>,
    /// What the seed's run is about.
    #[command(flatten)]
    pub choice: Choice,
    /// Crash images of the seed's run.
    #[arg(long, default_value_t = 100)]
    pub images: u64,
    /// Planted bugs of the seed's run.
    #[arg(long)]
    pub mutant: Vec<String>,
}

impl Source {
    /// The plan of the run.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn plan(&self) -> Result<Plan, String> {
        match (&self.plan, self.seed) {
            (Some(path), _) => super::survey::read(path),
            (None, Some(seed)) => Ok(Plan::draw(seed, &self.choice.wish(&self.mutant, self.images))),
            (None, None) => Err("name a plan or a seed".into()),
        }
    }

    /// The words after `replay` that name it.
    pub fn words(&self) -> String {
        match (&self.plan, self.seed) {
            (Some(path), _) => format!("{} --trace full", path.display()),
            (None, seed) => {
                let seed = seed.map(|seed| format!("--seed {seed} ")).unwrap_or_default();
                let mutants: String = self.mutant.iter().map(|id| format!(" --mutant {id}")).collect();
                format!("{seed}{} --images {}{mutants}", self.choice.words(), self.images)
            }
        }
    }
}

/// Which run again.
#[derive(Args)]
pub struct Replay {
    /// Which.
    #[command(flatten)]
    pub source: Source,
    /// Print every event.
    #[arg(long, value_parser = ["full"])]
    pub trace: Option<String>,
    /// Write all calls and their answers to this file, for `check`.
    #[arg(long)]
    pub history: Option<PathBuf>,
}

/// Which plan to make small.
#[derive(Args)]
pub struct Minimise {
    /// A plan that fails.
    pub plan: PathBuf,
    /// How long it may take: 15m.
    #[arg(long, value_parser = seconds, default_value = "15m")]
    pub budget: u64,
    /// Where the small plan goes; without it beside the plan.
    #[arg(long, short)]
    pub output: Option<PathBuf>,
    /// Print the small plan too.
    #[arg(long)]
    pub print: bool,
}

/// Which run to draw.
#[derive(Args)]
pub struct Draw {
    /// Which.
    #[command(flatten)]
    pub source: Source,
    /// The page: one file that needs nothing else.
    #[arg(long, short, default_value = "report.html")]
    pub output: PathBuf,
}

/// Which history.
#[derive(Args)]
pub struct Check {
    /// The file that `replay --history` wrote.
    pub history: PathBuf,
}

/// Which plans.
#[derive(Args)]
pub struct Regress {
    /// The folder of plans.
    #[arg(default_value = "simtests/regress")]
    pub folder: PathBuf,
    /// Runs at the same time.
    #[arg(long, short, default_value_t = 2)]
    pub jobs: usize,
}

/// Which seeds twice.
#[derive(Args)]
pub struct Determinism {
    /// So many seeds.
    #[arg(long, default_value_t = 8)]
    pub seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub from: u64,
    /// Runs at the same time.
    #[arg(long, short, default_value_t = 2)]
    pub jobs: usize,
    /// What they are about.
    #[command(flatten)]
    pub choice: Choice,
    /// Crash images after each run.
    #[arg(long, default_value_t = 10)]
    pub images: u64,
}

/// Which bugs.
#[derive(Args)]
pub struct Mutants {
    /// For how much virtual time clients work and troubles come: 10s.
    #[arg(long, value_parser = seconds, default_value_t = 10, value_name = "SECONDS")]
    pub time: u64,
    /// Only these.
    #[arg(long)]
    pub only: Vec<String>,
    /// Print which checkers see each bug when none hides what another would have found, in all of the seeds.
    #[arg(long)]
    pub matrix: bool,
    /// A bug that lives through so many seeds is not caught.
    #[arg(long, default_value_t = 100)]
    pub max_seeds: u64,
    /// Runs at the same time.
    #[arg(long, short, default_value_t = 2)]
    pub jobs: usize,
    /// Crash images after each run.
    #[arg(long, default_value_t = 60)]
    pub images: u64,
}

/// Which seeds under strace.
#[derive(Args)]
pub struct Strace {
    /// So many seeds.
    #[arg(long, default_value_t = 1)]
    pub seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub from: u64,
    /// What the runs are about.
    #[command(flatten)]
    pub choice: Choice,
}

/// Which plan.
#[derive(Args)]
pub struct PlanOf {
    /// The seed.
    #[arg(long)]
    pub seed: u64,
    /// What it is about.
    #[command(flatten)]
    pub choice: Choice,
    /// Crash images.
    #[arg(long, default_value_t = 100)]
    pub images: u64,
}

/// How the worker runs.
#[derive(Args)]
pub struct Worker {
    /// Print every event.
    #[arg(long)]
    pub trace: bool,
    /// Write all calls and their answers to this file.
    #[arg(long)]
    pub history: Option<PathBuf>,
    /// Write what happened to this file, as data.
    #[arg(long)]
    pub record: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_seconds_or_minutes() {
        assert_eq!([seconds("60"), seconds("60s"), seconds("2m")], [Ok(60), Ok(60), Ok(120)]);
        for wrong in ["", "s", "0", "-1s", "1h", "999999999999m", "1000000s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
