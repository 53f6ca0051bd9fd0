//! The words of the command line.

use crate::plan::Profile;
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
    /// Print the plan of a seed.
    Plan(PlanOf),
    /// Run one plan from standard input in this process.
    #[command(hide = true)]
    Worker(Worker),
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
    /// What the runs are about.
    #[arg(long, value_enum, default_value = "mix")]
    pub profile: Profile,
    /// What clients do.
    #[arg(long, value_enum, default_value = "mixed")]
    pub workload: Workload,
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
}

/// Which run again.
#[derive(Args)]
pub struct Replay {
    /// A plan that was kept.
    #[arg(required_unless_present = "seed")]
    pub plan: Option<PathBuf>,
    /// Or a seed.
    #[arg(long, conflicts_with = "plan")]
    pub seed: Option<u64>,
    /// What the seed's run is about.
    #[arg(long, value_enum, default_value = "mix")]
    pub profile: Profile,
    /// What the clients of the seed's run do.
    #[arg(long, value_enum, default_value = "mixed")]
    pub workload: Workload,
    /// Crash images of the seed's run.
    #[arg(long, default_value_t = 100)]
    pub images: u64,
    /// Planted bugs of the seed's run.
    #[arg(long)]
    pub mutant: Vec<String>,
    /// Print every event.
    #[arg(long, value_parser = ["full"])]
    pub trace: Option<String>,
    /// Write all calls and their answers to this file, for `check`.
    #[arg(long)]
    pub history: Option<PathBuf>,
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
    /// What the runs are about.
    #[arg(long, value_enum, default_value = "mix")]
    pub profile: Profile,
    /// What clients do.
    #[arg(long, value_enum, default_value = "mixed")]
    pub workload: Workload,
    /// Crash images after each run.
    #[arg(long, default_value_t = 10)]
    pub images: u64,
}

/// Which bugs.
#[derive(Args)]
pub struct Mutants {
    /// Only these.
    #[arg(long)]
    pub only: Vec<String>,
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

/// Which plan.
#[derive(Args)]
pub struct PlanOf {
    /// The seed.
    #[arg(long)]
    pub seed: u64,
    /// What the run is about.
    #[arg(long, value_enum, default_value = "mix")]
    pub profile: Profile,
    /// What clients do.
    #[arg(long, value_enum, default_value = "mixed")]
    pub workload: Workload,
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
}
