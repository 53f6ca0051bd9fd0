//! Many runs and what they show together: seeds, regressions, determinism, planted bugs, rare paths.

use super::command::{Check, Determinism, Mutants, PlanOf, Regress, Replay, Run};
use super::process::Extras;
use super::{draw, marks, matrix, process, say, say_failure};
use crate::check::oracles;
use crate::history::History;
use crate::mutants::{self, Mutant};
use crate::plan::{Plan, Wish};
use crate::verdict::{Met, Report, Verdict};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// How a replayed run is limited: by the patience of the one who watches it.
pub(super) const REPLAY_LIMIT: Duration = Duration::from_secs(3600);
/// How a run of the other surveys is limited.
const RUN_LIMIT: Duration = Duration::from_secs(120);

fn seeds(run: &Run) -> std::ops::Range<u64> {
    match run.seed {
        Some(seed) => seed..seed + 1,
        None => run.from..run.from + run.seeds,
    }
}

/// What many runs add up to.
#[derive(Default)]
struct Sum {
    words: BTreeMap<&'static str, u64>,
    met: Met,
    points: u64,
    virtual_ms: u64,
    marks: BTreeMap<String, u64>,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        *self.words.entry(report.verdict.word()).or_default() += 1;
        let met = &report.met;
        self.met.acknowledged += met.acknowledged;
        self.met.faults += met.faults;
        self.met.kills += met.kills;
        self.met.closes += met.closes;
        self.met.partitions += met.partitions;
        self.met.messages += met.messages;
        self.met.pauses += met.pauses;
        self.met.clocks += met.clocks;
        self.met.calls += met.calls;
        self.met.cores += met.cores;
        self.met.rots += met.rots;
        self.met.logs_lost += met.logs_lost;
        self.met.terms += met.terms;
        for (kind, count) in &met.kinds {
            *self.met.kinds.entry(kind.clone()).or_default() += count;
        }
        self.points += met.power_failure_points();
        self.virtual_ms += report.virtual_ms;
        for (name, count) in &report.marks {
            *self.marks.entry(name.clone()).or_default() += count;
        }
    }

    fn say(&self, began: Instant) {
        let words: Vec<_> = self.words.iter().map(|(word, count)| format!("{count} {word}")).collect();
        say(&format!(
            "{}; {} answers, {} power-failure points, {} kills, {} faults, {} closes; {} virtual s in {} s",
            words.join(", "),
            self.met.acknowledged,
            self.points,
            self.met.kills,
            self.met.faults,
            self.met.closes,
            self.virtual_ms / 1000,
            began.elapsed().as_secs()
        ));
        self.say_network();
    }

    /// What runs of several nodes met besides; nothing when there were none.
    fn say_network(&self) {
        let Met { partitions, messages, terms, pauses, clocks, calls, cores, rots, logs_lost, .. } = self.met;
        if terms > 0 {
            say(&format!(
                "clusters: {partitions} partitions, {messages} messages and {calls} calls in trouble, {pauses} pauses, \
                 {clocks} wrong clocks, {rots} rotten stores, {logs_lost} lost logs, {cores} minorities left broken, {terms} terms led"
            ));
        }
    }

    /// How different the operations were: a generator that makes few kinds finds few bugs.
    fn say_diversity(&self) {
        let mut kinds = BTreeMap::new();
        let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
        for (ended, count) in &self.met.kinds {
            let (kind, outcome) = ended.rsplit_once(": ").unwrap_or((ended, ""));
            *kinds.entry(kind).or_insert(0) += count;
            *outcomes.entry(outcome).or_default() += count;
        }
        let (kinds, ended) = (kinds.len(), self.met.kinds.len());
        say(&format!("{kinds:>10}  kinds of operations, {ended} with how they ended"));
        for (outcome, count) in outcomes {
            say(&format!("{count:>10}  operations ended: {outcome}"));
        }
    }

    fn is_green(&self) -> bool {
        self.words.keys().eq(["pass"].iter())
    }
}

/// Runs seeds.
pub fn run(run: &Run) -> Result<bool, String> {
    survey(run).map(|sum| sum.is_green())
}

/// Runs seeds and prints the rare paths that they took.
pub fn marks(run: &Run) -> Result<bool, String> {
    let sum = survey(run)?;
    sum.say_diversity();
    for (name, count) in &sum.marks {
        say(&format!("{count:>10}  {name}"));
    }
    let known = marks::demanded(run.choice.profile, run.seeds);
    let missed: Vec<_> = known.iter().filter(|name| !sum.marks.contains_key(**name)).collect();
    for name in &missed {
        say(&format!("     never  {name}"));
    }
    Ok(sum.is_green() && missed.is_empty())
}

fn survey(run: &Run) -> Result<Sum, String> {
    let began = Instant::now();
    let deadline = run.budget_s.map(|seconds| began + Duration::from_secs(seconds));
    let mut json = run.json.as_deref().map(append).transpose()?;
    let wish = run.choice.wish(&run.mutant, run.images);
    let plans = seeds(run)
        .take_while(move |_| deadline.is_none_or(|deadline| Instant::now() < deadline))
        .map(move |seed| Plan::draw(seed, &wish));
    let mut sum = Sum::default();
    let mut trouble = None;
    process::run_all(plans, run.jobs, Duration::from_secs(run.limit_s), |plan, report| {
        sum.add(&report);
        if let Some(json) = &mut json
            && let Err(error) = serde_json::to_writer(&mut *json, &report).map(|()| json.write_all(b"\n"))
        {
            trouble = Some(error.to_string());
        }
        if report.verdict == Verdict::Pass {
            return true;
        }
        let repeat = keep(plan, &run.failures);
        say_failure(&report, &repeat);
        if run.reports {
            keep_page(plan, &run.failures, &repeat);
        }
        run.keep_going
    });
    sum.say(began);
    trouble.map_or(Ok(sum), Err)
}

fn append(path: &Path) -> Result<fs::File, String> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|error| format!("{}: {error}", path.display()))
}

/// Keeps the plan of a failed run, and says how to repeat it.
fn keep(plan: &Plan, folder: &Path) -> String {
    let path = folder.join(format!("{}.toml", plan.seed));
    let kept = fs::create_dir_all(folder).and_then(|()| fs::write(&path, plan.print()));
    match kept {
        Ok(()) => format!("vivarium-sim replay {} --trace full", path.display()),
        Err(error) => format!("(the plan was not kept: {error}) vivarium-sim run --seed {}", plan.seed),
    }
}

/// Keeps a page about a failed run beside its plan.
fn keep_page(plan: &Plan, folder: &Path, repeat: &str) {
    let page = folder.join(format!("{}.html", plan.seed));
    match draw::write(plan, repeat, &page) {
        Ok(_) => say(&format!("  look     {}", page.display())),
        Err(error) => say(&format!("  (there is no page: {error})")),
    }
}

/// Runs one plan again.
pub fn replay(replay: &Replay) -> Result<bool, String> {
    let plan = replay.source.plan()?;
    let extras = Extras { trace: replay.trace.is_some(), history: replay.history.clone(), record: None };
    let report = process::run(&plan, REPLAY_LIMIT, &extras);
    match &report.verdict {
        Verdict::Pass => say(&format!("seed {}: pass, trace {}", report.seed, report.trace)),
        _ => say_failure(&report, "this command"),
    }
    Ok(report.verdict == Verdict::Pass)
}

pub(super) fn read(path: &Path) -> Result<Plan, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Plan::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Checks the history of a run again.
pub fn check(check: &Check) -> Result<bool, String> {
    let named = |error: String| format!("{}: {error}", check.history.display());
    let text = fs::read_to_string(&check.history).map_err(|error| named(error.to_string()))?;
    let history = History::parse(&text).map_err(named)?;
    let calls = history.calls.len();
    let checked = oracles::check(&history).map_err(|found| oracles::with_witnesses(found, &history));
    match &checked {
        Ok(()) => {
            let proof = match history.is_black_box() {
                true => "it names no versions; nobody who needs none sees anything wrong",
                false => "strictly serializable, as the model says",
            };
            say(&format!("{calls} calls, {} answered: {proof}", history.answered()));
        }
        Err(violation) => say(&format!("{calls} calls: {violation}")),
    }
    Ok(checked.is_ok())
}

/// Runs all plans that once failed.
pub fn regress(regress: &Regress) -> Result<bool, String> {
    let began = Instant::now();
    let entries = fs::read_dir(&regress.folder).map_err(|error| format!("{}: {error}", regress.folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let plans = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let mut sum = Sum::default();
    process::run_all(plans.into_iter(), regress.jobs, RUN_LIMIT, |plan, report| {
        sum.add(&report);
        if report.verdict != Verdict::Pass {
            say_failure(&report, &keep(plan, Path::new("sim-failures")));
        }
        true
    });
    sum.say(began);
    Ok(paths.is_empty() || sum.is_green())
}

/// Runs each seed twice, in two processes: the traces must be the same.
pub fn determinism(determinism: &Determinism) -> Result<bool, String> {
    let began = Instant::now();
    let wish = determinism.choice.wish(&[], determinism.images);
    let seeds = determinism.from..determinism.from + determinism.seeds;
    let plans = seeds.map(move |seed| Plan::draw(seed, &wish));
    let mut different = 0;
    let paired = run_twice(plans, determinism.jobs, |plan, report, other| {
        if is_same(&report, &other) {
            return true;
        }
        different += 1;
        say(&format!(
            "seed {}: {} ({} events, {}) and {} ({} events, {})",
            plan.seed,
            report.trace,
            report.events,
            report.verdict.word(),
            other.trace,
            other.events,
            other.verdict.word()
        ));
        if other.trace.is_empty() {
            say_failure(&other, &keep(plan, Path::new("sim-failures")));
        }
        say(&format!(
            "  compare  vivarium-sim replay --seed {} {} --images {} --trace full",
            plan.seed,
            determinism.choice.words(),
            determinism.images
        ));
        true
    });
    let seconds = began.elapsed().as_secs();
    say(&format!("{} seeds in two processes each, {different} differ, {seconds} s", determinism.seeds));
    Ok(different == 0 && paired)
}

/// Runs each plan in two processes and hands both reports over, until it is enough. False when one lacks its second.
fn run_twice(
    plans: impl Iterator<Item = Plan> + Send,
    jobs: usize,
    mut each: impl FnMut(&Plan, Report, Report) -> bool,
) -> bool {
    let mut first: BTreeMap<u64, Report> = BTreeMap::new();
    process::run_all(plans.flat_map(|plan| [plan.clone(), plan]), jobs, RUN_LIMIT, |plan, report| {
        match first.remove(&plan.seed) {
            Some(other) => each(plan, other, report),
            None => {
                first.insert(plan.seed, report);
                true
            }
        }
    });
    first.is_empty()
}

/// True when two processes did the same.
fn is_same(one: &Report, other: &Report) -> bool {
    let same = one.trace == other.trace && one.events == other.events && one.verdict == other.verdict;
    same && !one.trace.is_empty()
}

/// Plants each bug, and runs seeds until one fails.
pub fn mutants(arguments: &Mutants) -> Result<bool, String> {
    let began = Instant::now();
    let all = mutants::all();
    if let Some(unknown) = arguments.only.iter().find(|id| !all.iter().any(|mutant| mutant.id == **id)) {
        return Err(format!("no planted bug is called {unknown}"));
    }
    let mut alive = 0;
    let chosen = all.iter().filter(|mutant| arguments.only.is_empty() || arguments.only.contains(&mutant.id));
    let chosen: Vec<&Mutant> = chosen.collect();
    if arguments.matrix {
        return Ok(matrix::print(&chosen, arguments, RUN_LIMIT));
    }
    for mutant in chosen {
        alive += u64::from(!is_caught(mutant, arguments));
    }
    say(&format!("{alive} alive, {} s", began.elapsed().as_secs()));
    Ok(alive == 0)
}

/// Runs seeds with a planted bug until somebody sees it. One that proves a checker must be seen by that one alone, so that
/// its runs go on over whatever anybody finds.
fn is_caught(mutant: &Mutant, arguments: &Mutants) -> bool {
    let wish = mutant.wish(arguments.time, arguments.images);
    if mutant.twice {
        return is_told_apart(mutant, arguments, &wish);
    }
    let proves = mutant.only.is_some();
    let draw = move |seed| if proves { matrix::blind_plan(seed, &wish) } else { Plan::draw(seed, &wish) };
    let plans = (1..=arguments.max_seeds).map(draw);
    let (mut runs, mut reached, mut killer) = (0, 0, None);
    process::run_all(plans, arguments.jobs, RUN_LIMIT, |_, report| {
        runs += 1;
        reached += report.mutants.values().sum::<u64>();
        let seen = match (&mutant.only, &report.verdict) {
            (Some(_), _) => matrix::who(&report).into_iter().map(str::to_owned).collect(),
            (None, Verdict::Fail { violation }) => vec![format!("{} ({})", violation.checker, violation.class)],
            (None, _) => Vec::new(),
        };
        if !seen.is_empty() {
            killer.get_or_insert((report.seed, seen));
        }
        killer.is_none()
    });
    let (label, what) = (mutant.label(), &mutant.what);
    let Some((seed, seen)) = killer else {
        let reached = if reached == 0 { "; its site was never reached" } else { "" };
        say(&format!("{label:<10} ALIVE after {runs} runs{reached}: {what}"));
        return false;
    };
    let (seen_by, alone) = (seen.join(", "), if proves { " alone" } else { "" });
    match &mutant.only {
        Some(only) if seen != [only.as_str()] => {
            say(&format!("{label:<10} is for {only} ALONE, and seed {seed} is seen by {seen_by}: {what}"));
            false
        }
        _ => {
            say(&format!("{label:<10} caught after {runs} runs: seed {seed} by {seen_by}{alone}: {what}"));
            true
        }
    }
}

/// Runs seeds with a planted bug in two processes each until two differ.
fn is_told_apart(mutant: &Mutant, arguments: &Mutants, wish: &Wish) -> bool {
    let plans = (1..=arguments.max_seeds).map(|seed| Plan::draw(seed, wish));
    let (mut pairs, mut different) = (0, None);
    run_twice(plans, arguments.jobs, |plan, one, other| {
        pairs += 1;
        if !is_same(&one, &other) {
            different.get_or_insert(plan.seed);
        }
        different.is_none()
    });
    let (label, what) = (mutant.label(), &mutant.what);
    match different {
        Some(seed) => say(&format!("{label:<10} caught after {pairs} pairs: seed {seed} by determinism: {what}")),
        None => say(&format!("{label:<10} ALIVE after {pairs} pairs: {what}")),
    }
    different.is_some()
}

/// Prints the plan of a seed.
pub fn print_plan(plan: &PlanOf) -> Result<bool, String> {
    say(&Plan::draw(plan.seed, &plan.choice.wish(&[], plan.images)).print());
    Ok(true)
}
