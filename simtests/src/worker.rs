//! One process, one seed: runs a plan under the simulator and prints one line about it.
//!
//! A panic anywhere in the node or the harness is a violation like any other; its place is part of the report.

use crate::check::{Violation, blind, oracles};
use crate::client::Shared;
use crate::cluster;
use crate::lone;
use crate::plan::Plan;
use crate::record;
use crate::trace;
use crate::verdict::{Met, Report, Verdict};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use vivarium_storage::runtime;

/// No run takes so long in virtual time: one that does will never end.
const VIRTUAL_TIME_MAX: Duration = Duration::from_secs(3600);
/// Where runs keep their disks: a tmpfs, so that the kernel adds no pace of its own.
const DISKS: &str = "/dev/shm";

/// What the product says while a trace is printed.
const LOG: &str = "warn,raft=debug,vivarium_consensus=debug,vivarium_schema=debug,vivarium_storage=debug";

static PANIC: Mutex<Option<String>> = Mutex::new(None);
static MET: Mutex<Option<Met>> = Mutex::new(None);

/// What is wanted of a run beside its report.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Each event is a line on standard output.
    pub trace: bool,
    /// Takes all calls.
    pub history: Option<PathBuf>,
    /// Takes what happened, as data.
    pub record: Option<PathBuf>,
}

/// Runs a plan.
pub fn run(plan: &Plan, wanted: &Wanted) -> Report {
    let print_trace = wanted.trace;
    runtime::plant(plan.mutants.iter().cloned());
    if plan.knobs.buggify {
        runtime::agitate(plan.seed);
    }
    blind::begin(&plan.blind);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANIC.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(info.to_string());
        if print_trace {
            hook(info);
        }
    }));
    if print_trace {
        // The product's own words go between the events. They are not part of the trace.
        let log = tracing_subscriber::fmt().with_timer(VirtualTime).with_ansi(false);
        log.with_env_filter(EnvFilter::new(LOG)).init();
    }
    let base = PathBuf::from(DISKS).join(format!("vivarium-sim-{}", std::process::id()));
    // A worker that was killed left its disks, and its number is ours now.
    let _ = std::fs::remove_dir_all(&base);
    trace::begin(print_trace, &base);
    if wanted.record.is_some() {
        record::begin();
    }
    let shared = Shared::default();
    if plan.black_box {
        shared.forget_versions();
    }
    if plan.turns_clocks() {
        shared.expect_snapshots_to_age();
    }
    let ended = simulate(plan.clone(), base.clone(), shared.clone());
    let _ = std::fs::remove_dir_all(&base);
    let (hash, events) = trace::digest();
    let met = MET.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
    let (virtual_ms, result) = match ended {
        Ok((virtual_ms, result)) => (virtual_ms, result),
        Err(()) => {
            let panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone();
            (0, Err(Violation::new("panic", "panic", panic.unwrap_or_else(|| "without words".into()))))
        }
    };
    let result = result.and(keep(&shared, wanted)).and(canary(plan));
    let verdict = match result {
        Err(violation) if blind::note(&violation) => end_early(&shared, &violation),
        Err(violation) => Verdict::Fail { violation },
        Ok(()) => judge(plan, &met),
    };
    let passed = verdict == Verdict::Pass;
    Report {
        seed: plan.seed,
        verdict,
        met,
        trace: format!("{hash:016x}"),
        events,
        virtual_ms,
        wall_ms: 0,
        noted: blind::noted(),
        last: if passed { Vec::new() } else { trace::last() },
        marks: runtime::marks().into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
        mutants: runtime::reached(),
    }
}

/// A planted failure of every hundredth seed: whether what a worker finds is told at all.
fn canary(plan: &Plan) -> Result<(), Violation> {
    if plan.seed.is_multiple_of(100) && plan.mutants.iter().any(|id| id == "canary") {
        return Err(Violation::new("harness", "canary", "every hundredth seed fails"));
    }
    Ok(())
}

/// Log lines say the virtual time.
struct VirtualTime;

impl FormatTime for VirtualTime {
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        let micros = trace::micros();
        write!(line, "{:>4}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// Runs on a thread of its own, since the simulator seeds what the standard library keeps per thread.
fn simulate(plan: Plan, base: PathBuf, shared: Shared) -> Result<(u64, Result<(), Violation>), ()> {
    let run = move || {
        let mut runtime = madsim::runtime::Runtime::with_seed_and_config(plan.seed, madsim::Config::default());
        runtime.set_time_limit(VIRTUAL_TIME_MAX);
        let result = runtime.block_on(async move {
            if let Err(error) = std::fs::create_dir_all(&base) {
                return Err(Violation::new("harness", "disk", error.to_string()));
            }
            let mut met = Met::default();
            let result = match plan.cluster.clone() {
                Some(several) => cluster::run(plan, several, base, &mut met, shared.clone()).await,
                None => lone::run(plan, base, &mut met, shared.clone()).await,
            };
            met.acknowledged = shared.with_history(|history| history.answered());
            met.kinds = shared.with_history(|history| history.kinds());
            let witnessed = |found| shared.with_history(|history| oracles::with_witnesses(found, history));
            let result = result.map_err(witnessed);
            *MET.lock().unwrap_or_else(PoisonError::into_inner) = Some(met);
            result
        });
        let virtual_ms = runtime.block_on(async { trace::micros() / 1000 });
        (virtual_ms, result)
    };
    let thread = std::thread::Builder::new().name("simulation".into()).stack_size(16 << 20);
    thread.spawn(run).map_err(|_| ())?.join().map_err(|_| ())
}

/// Writes all calls and what happened to files, if somebody wants them.
fn keep(shared: &Shared, wanted: &Wanted) -> Result<(), Violation> {
    let write = |path: &PathBuf, text: String| {
        let written = std::fs::write(path, text);
        written.map_err(|error| Violation::new("harness", "history", format!("{}: {error}", path.display())))
    };
    let record = record::end().map(|record| serde_json::to_string(&record).expect("a record is plain data"));
    if let (Some(path), Some(record)) = (&wanted.record, record) {
        write(path, record)?;
    }
    match &wanted.history {
        Some(path) => write(path, shared.with_history(|history| history.print())),
        None => Ok(()),
    }
}

/// Over what a blind checker found here no run can go on. What was answered until then is checked by those that see.
fn end_early(shared: &Shared, found: &Violation) -> Verdict {
    match shared.with_history(|history| oracles::check(history)) {
        Err(violation) => Verdict::Fail { violation },
        Ok(()) => Verdict::Invalid { reason: format!("it ended early; blind to {found}") },
    }
}

fn judge(plan: &Plan, met: &Met) -> Verdict {
    let least = plan.acknowledged_min;
    if met.acknowledged < least {
        let reason = format!("{} calls were answered, at least {least} must be", met.acknowledged);
        return Verdict::Invalid { reason };
    }
    if met.images < plan.images.places {
        return Verdict::Invalid { reason: format!("{} of {} images were audited", met.images, plan.images.places) };
    }
    Verdict::Pass
}
